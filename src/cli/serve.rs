//! `hotline serve`: the service.

use std::io::IsTerminal as _;
use std::path::Path;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::Stop;
use crate::app::{self, Manner};
use crate::config::Config;
use crate::lifecycle;

/// Run the service.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print every line of every call's journal on standard output, one JSON object a line
    #[arg(long)]
    journal: bool,
    /// Watch over the service and end it when it freezes, where systemd does not do so
    #[arg(long)]
    guard: bool,
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>) -> Result<u8, Stop> {
        let settings = Config::load(config)?;
        log();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Stop::failed(format!("no threads: {error}"), ""))?;
        let ended = match self.guard {
            true => runtime
                .block_on(lifecycle::guard(&self.child(config)))
                .map_err(|error| {
                    Stop::failed(
                        error.to_string(),
                        "run it under systemd, or without --guard",
                    )
                }),
            false => runtime
                .block_on(app::serve(
                    settings,
                    Manner {
                        print_journal: self.journal,
                    },
                ))
                .map(|()| 0)
                .map_err(|error| Stop::failed(format!("{error:#}"), "see `hotline doctor`")),
        };
        // Threads that still load or write are not waited for: all promises are on disk.
        runtime.shutdown_background();
        ended.map(|code| u8::try_from(code).unwrap_or(1))
    }

    /// Returns the arguments of the service that is watched over.
    fn child(&self, config: Option<&Path>) -> Vec<String> {
        let mut arguments = Vec::new();
        if let Some(config) = config {
            arguments.extend(["--config".to_owned(), config.to_string_lossy().into_owned()]);
        }
        arguments.push("serve".to_owned());
        if self.journal {
            arguments.push("--journal".to_owned());
        }
        arguments
    }
}

/// Logs to standard error, as `RUST_LOG` says, `info` otherwise.
fn log() {
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| "info".to_owned());
    // At its lower levels this crate writes down whole commands, people's numbers included.
    let wanted = match wanted.contains("freeswitch_esl_tokio") {
        true => wanted,
        false => format!("freeswitch_esl_tokio=warn,{wanted}"),
    };
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new("info"));
    // Fails only when logging was set up before, as a test may have done.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
}
