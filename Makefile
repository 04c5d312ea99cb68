# Hotline's commands. Each does all of its own set-up on a fresh Debian 12 with Rust, make and a C
# compiler; what is fetched is kept in the user's cache folder and checked by checksum.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test check bench fmt

help: ## Shows these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: ## A real call on a real Asterisk, from the first word to the mail (ARGS=--once ends after it)
	@tools/demo $(ARGS)

test: ## Everything, the real Asterisk included (PBX=freeswitch: the call scenarios there alone)
	@tools/test $(if $(PBX),--pbx $(PBX)) $(ARGS)

check: ## What to run before a commit: format, lints, fast tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace --lib

bench: ## Speed and memory, as a table and in target/bench/report.json
	@tools/bench $(ARGS)
