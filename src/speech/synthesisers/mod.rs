//! The synthesisers that an admin can choose from, each in a file of its own, and how those that
//! are configured are made ready. One that cannot be made ready is a fault of that engine alone.
//!
//! They make audio; which of them speaks, and what is kept, is decided by `prompts`.

mod coqui;
mod openai;
mod piper;
mod remote;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recognisers::Setting;
use super::{Config, SpeechError, Synthesiser, espeak};
use crate::words::Language;

pub use coqui::Settings as CoquiSettings;
pub use openai::{Format, Settings as OpenAiSettings};
pub use piper::Settings as PiperSettings;

/// How long a caller waits for the first audio of an engine before the next one is asked.
const FIRST_AUDIO: Duration = Duration::from_secs(3);

/// Requests at once to a server, and how many of them may be for prompts nobody waits for yet.
const AT_ONCE: (usize, usize) = (8, 2);

/// One synthesiser of one language, as configured in `speech.voices`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "engine", rename_all = "snake_case")]
pub enum Engine {
    /// espeak-ng, a process per prompt.
    Espeak(espeak::Settings),
    /// Coqui's `tts-server`.
    Coqui(CoquiSettings),
    /// Piper's HTTP server.
    Piper(PiperSettings),
    /// A server with OpenAI's `/v1/audio/speech`.
    #[serde(rename = "openai")]
    OpenAi(OpenAiSettings),
}

impl Engine {
    /// Returns an espeak-ng voice as it is when nothing is configured.
    pub fn espeak(voice: &str) -> Self {
        Self::Espeak(espeak::Settings::new(voice))
    }

    /// Returns the paths in these settings, for making relative ones absolute.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            // A program's name alone is looked for in the PATH.
            Self::Espeak(settings) => settings
                .program
                .iter_mut()
                .filter(|program| program.components().count() > 1)
                .collect(),
            Self::OpenAi(settings) => settings.key_file.iter_mut().collect(),
            Self::Coqui(_) | Self::Piper(_) => Vec::new(),
        }
    }

    /// Returns the file that holds this engine's key, if it has one.
    pub fn key_file(&self) -> Option<&Path> {
        match self {
            Self::OpenAi(settings) => settings.key_file.as_deref(),
            Self::Espeak(_) | Self::Coqui(_) | Self::Piper(_) => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Espeak(_) => "espeak",
            Self::Coqui(_) => "coqui",
            Self::Piper(_) => "piper",
            Self::OpenAi(_) => "openai",
        }
    }

    /// How long a caller waits for its first audio.
    fn first_audio(&self) -> Duration {
        let set = match self {
            Self::Espeak(_) => None,
            Self::Coqui(settings) => settings.first_audio,
            Self::Piper(settings) => settings.first_audio,
            Self::OpenAi(settings) => settings.first_audio,
        };
        set.unwrap_or(FIRST_AUDIO)
    }

    fn open(
        &self,
        language: Language,
        setting: &Setting,
    ) -> Result<Arc<dyn Synthesiser>, SpeechError> {
        Ok(match self {
            Self::Espeak(settings) => Arc::new(espeak::Espeak::open(settings, language)?),
            Self::Coqui(settings) => Arc::new(coqui::Coqui::open(settings, language, setting)?),
            Self::Piper(settings) => Arc::new(piper::Piper::open(settings, language, setting)?),
            Self::OpenAi(settings) => Arc::new(openai::OpenAi::open(settings, language, setting)?),
        })
    }
}

/// A synthesiser that is ready, and how it is to be asked.
pub(super) struct Ready {
    /// The setting that names it.
    pub(super) setting: Setting,
    /// What it is called in logs and metrics.
    pub(super) name: &'static str,
    pub(super) synthesiser: Arc<dyn Synthesiser>,
    pub(super) first_audio: Duration,
    /// Prompts that it makes at once.
    pub(super) at_once: usize,
    /// How many of them may be prompts that nobody waits for yet.
    pub(super) ahead: usize,
}

/// Makes every synthesiser ready that is configured, those of one language in order of preference,
/// and tells what could not be. Only those are, that are wanted by language, place and engine.
pub(super) fn open(
    config: &Config,
    wanted: impl Fn(Language, usize, &str) -> bool,
) -> (Vec<Ready>, Vec<SpeechError>) {
    let (mut ready, mut faults) = (Vec::new(), Vec::new());
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    for (language, engines) in &config.voices {
        for (place, engine) in engines.iter().enumerate() {
            if !wanted(*language, place, engine.name()) {
                continue;
            }
            let setting = Setting::voice(*language, place);
            let (at_once, ahead) = match engine {
                Engine::Espeak(_) => (cores, cores),
                _ => AT_ONCE,
            };
            match engine.open(*language, &setting) {
                Ok(synthesiser) => ready.push(Ready {
                    setting,
                    name: engine.name(),
                    synthesiser,
                    first_audio: engine.first_audio(),
                    at_once,
                    ahead,
                }),
                Err(fault) => faults.push(fault),
            }
        }
    }
    (ready, faults)
}
