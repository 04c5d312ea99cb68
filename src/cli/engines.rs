//! Opens the recognisers that verbs try out.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::Stop;
use super::stop::FAILED;
use crate::config::Config;
use crate::dialog::Expect;
use crate::speech::{Recogniser, SpeechError, recognisers};
use crate::words::Language;

/// Which of the configured recognisers.
#[derive(Debug, clap::Args)]
pub(super) struct Chosen {
    /// Only recognisers of this language
    #[arg(long, short, value_name = "LANGUAGE")]
    language: Option<Language>,
    /// Only recognisers of this name, such as vosk
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
}

/// Recognisers that are open.
pub(super) struct Opened {
    /// In the order of the configuration.
    pub(super) recognisers: Vec<Arc<dyn Recogniser>>,
    /// Why others are not.
    faults: Vec<SpeechError>,
    /// Engines reached by a network live on it.
    _runtime: Runtime,
}

impl Chosen {
    /// Opens the recognisers that are configured and chosen.
    pub(super) fn open(&self, config: Option<&Path>) -> Result<Opened, Stop> {
        let mut speech = Config::load(config)?.speech;
        if let Some(wanted) = self.language {
            speech.ears.retain(|language, _| *language == wanted);
        }
        for engines in speech.ears.values_mut() {
            engines.retain(|engine| {
                self.engine
                    .as_ref()
                    .is_none_or(|wanted| *wanted == engine.name())
            });
        }
        if speech.ears.values().all(Vec::is_empty) {
            return Err(Stop::usage(
                "no such recogniser is configured",
                "name one in speech.ears of the configuration (see docs/speech.md), or choose \
                 another --language or --engine",
            ));
        }
        let runtime = Runtime::new()?;
        let opened = runtime.block_on(async {
            tokio::task::spawn_blocking(move || recognisers::open(&speech)).await
        });
        let (recognisers, faults) =
            opened.map_err(|error| Stop::failed(error.to_string(), "run `hotline doctor`"))?;
        Ok(Opened {
            recognisers,
            faults,
            _runtime: runtime,
        })
    }
}

impl Opened {
    /// Says on standard error what could not be opened, and returns the exit code for it.
    pub(super) fn complain(&self) -> Result<u8, Stop> {
        for fault in &self.faults {
            writeln!(io::stderr(), "{fault}")?;
        }
        Ok(if self.faults.is_empty() { 0 } else { FAILED })
    }
}

/// Reads a kind of answer.
pub(super) fn expect(text: &str) -> Result<Expect, String> {
    serde_json::from_value(text.into())
        .map_err(|_| "write intent, choice, yes_no, digits, phone, date, time or text".to_owned())
}
