//! The recognisers that an admin can choose from, each in a file of its own, and how those that
//! are configured are opened. Every library is loaded while the program runs: one that is missing
//! is a fault of that engine alone.

mod phrases;
pub mod pocketsphinx;
pub mod realtime;
mod remote;
pub mod sherpa;
pub mod transcription;
mod trial;
pub mod vosk;
pub mod vosk_server;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, Recogniser, SpeechError};
pub use remote::fault::RemoteFault;
pub use trial::{Trial, try_out};

use crate::words::Language;

/// One recogniser of one language, as configured in `speech.ears`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "engine", rename_all = "snake_case")]
pub enum Engine {
    /// sherpa-onnx in this process.
    Sherpa(sherpa::Settings),
    /// libvosk in this process.
    Vosk(vosk::Settings),
    /// libpocketsphinx in this process, for English.
    Pocketsphinx(pocketsphinx::Settings),
    /// A vosk-server, by its WebSocket.
    VoskServer(vosk_server::Settings),
    /// A server that transcribes utterances as OpenAI's does.
    Transcription(transcription::Settings),
    /// A server that transcribes while the caller speaks as OpenAI's or vLLM's does.
    Realtime(realtime::Settings),
}

impl Engine {
    /// Returns what it is called in the configuration, in logs and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sherpa(_) => sherpa::NAME,
            Self::Vosk(_) => vosk::NAME,
            Self::Pocketsphinx(_) => pocketsphinx::NAME,
            Self::VoskServer(_) => vosk_server::NAME,
            Self::Transcription(_) => transcription::NAME,
            Self::Realtime(_) => realtime::NAME,
        }
    }

    /// Returns the paths in these settings, for making relative ones absolute.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Sherpa(settings) => settings.paths_mut(),
            Self::Vosk(settings) => settings.paths_mut(),
            Self::Pocketsphinx(settings) => settings.paths_mut(),
            Self::VoskServer(settings) => settings.paths_mut(),
            Self::Transcription(settings) => settings.paths_mut(),
            Self::Realtime(settings) => settings.paths_mut(),
        }
    }

    fn open(
        &self,
        language: Language,
        setting: &Setting,
    ) -> Result<Arc<dyn Recogniser>, SpeechError> {
        match self {
            Self::Sherpa(settings) => Ok(Arc::new(sherpa::open(settings, language, setting)?)),
            Self::Vosk(settings) => Ok(Arc::new(vosk::open(settings, language, setting)?)),
            Self::Pocketsphinx(settings) => {
                Ok(Arc::new(pocketsphinx::open(settings, language, setting)?))
            }
            Self::VoskServer(settings) => {
                Ok(Arc::new(vosk_server::open(settings, language, setting)?))
            }
            Self::Transcription(settings) => {
                Ok(Arc::new(transcription::open(settings, language, setting)?))
            }
            Self::Realtime(settings) => Ok(Arc::new(realtime::open(settings, language, setting)?)),
        }
    }
}

/// The name of a setting, such as `speech.ears.da[0]`, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(String);

impl Setting {
    /// Names the recogniser of a language by its place in the list, counted from 0.
    pub fn ear(language: Language, place: usize) -> Self {
        Self(format!("speech.ears.{language}[{place}]"))
    }

    /// Names the voice of a language by its place in the list, counted from 0.
    pub fn voice(language: Language, place: usize) -> Self {
        Self(format!("speech.voices.{language}[{place}]"))
    }

    /// Names a field of this setting.
    pub fn field(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Opens every recogniser that is configured, those of one language in order of preference, and
/// tells what could not be opened. It blocks for as long as models take to load.
pub fn open(config: &Config) -> (Vec<Arc<dyn Recogniser>>, Vec<SpeechError>) {
    let (mut recognisers, mut faults) = (Vec::new(), Vec::new());
    for (language, engines) in &config.ears {
        for (place, engine) in engines.iter().enumerate() {
            match engine.open(*language, &Setting::ear(*language, place)) {
                Ok(recogniser) => recognisers.push(recogniser),
                Err(fault) => faults.push(fault),
            }
        }
    }
    (recognisers, faults)
}
