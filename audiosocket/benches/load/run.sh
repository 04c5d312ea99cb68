#!/usr/bin/env bash
# CPU per call of the echo example against a minimal C server, on loopback.
#
#   audiosocket/benches/load/run.sh [CALLS...]        default: 100 500 1000
#   SECONDS_MEASURED=10                               window per run
#
# Prints the load's JSON line of each run and, per number of calls, the ratio echo / floor.
set -euo pipefail
cd "$(dirname "$0")/../../.."
window=${SECONDS_MEASURED:-10}
calls=("$@")
[ ${#calls[@]} -gt 0 ] || calls=(100 500 1000)

cargo build --quiet --release -p audiosocket --example echo --example load
target=${CARGO_TARGET_DIR:-target}
examples=$target/release/examples
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cc -O2 -o "$work/floor" audiosocket/benches/load/floor.c
ulimit -n "$(ulimit -Hn)"

# measure NAME CALLS COMMAND...: prints the JSON line and leaves the cores used in $cores
measure() {
  local name=$1 number=$2; shift 2
  "$@" >"$work/address" 2>"$work/errors" &
  server=$!
  for _ in $(seq 100); do grep -q listening "$work/address" && break; sleep 0.05; done
  local address line
  address=$(sed -n 's/^listening on //p' "$work/address")
  line=$("$examples/load" "$address" "$number" "$window" "$server")
  kill "$server"; wait "$server" 2>/dev/null || true; server=
  printf '%-6s %s\n' "$name" "$line"
  cores=$(sed 's/.*"server_cores":\([0-9.]*\).*/\1/' <<<"$line")
}

for number in "${calls[@]}"; do
  measure floor "$number" "$work/floor" 0; floor=$cores
  measure echo "$number" "$examples/echo" 127.0.0.1:0
  awk -v n="$number" -v floor="$floor" -v echo="$cores" 'BEGIN {
    printf "%d calls: floor %.4f cores, echo %.4f cores, ratio %.2f\n", n, floor, echo, (floor > 0 ? echo / floor : 0) }'
done
