//! What can go wrong with speech, each with what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use super::recognisers::Setting;
use super::wav::WavError;
use crate::words::Language;

/// Why something could not be heard or said. A call goes on without: by keys, by recordings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeechError {
    /// An engine's library is nowhere.
    #[error("{library} was not found; looked for {}; {remedy}", .looked.join(", "))]
    NoLibrary {
        /// The library.
        library: &'static str,
        /// The files and folders that were looked at.
        looked: Vec<String>,
        /// What to do.
        remedy: &'static str,
    },
    /// A file that is not the library, or an unfit one.
    #[error("{path} cannot be used as {library}: {reason}; {remedy}")]
    BadLibrary {
        /// The library.
        library: &'static str,
        /// The file.
        path: PathBuf,
        /// What the loader said.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A model folder in which something is missing.
    #[error("{setting}: the model {folder} lacks {missing}; {remedy}")]
    BadModel {
        /// The setting that names it.
        setting: Setting,
        /// The folder.
        folder: PathBuf,
        /// The file or folder that is missing.
        missing: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A complete-looking model that the engine refused.
    #[error(
        "{setting}: {engine} refused the model {folder}, the reason is on standard error above; \
         is it made for this version of it?"
    )]
    RefusedModel {
        /// The engine.
        engine: &'static str,
        /// The setting that names it.
        setting: Setting,
        /// The folder.
        folder: PathBuf,
    },
    /// The configuration names no recogniser.
    #[error(
        "no recogniser is configured, so callers are served by keys only; name some per language \
         in speech.ears"
    )]
    NoEars,
    /// A recogniser failed while listening.
    #[error("the {language} recogniser failed: {reason}")]
    Recogniser {
        /// Its language.
        language: Language,
        /// What happened.
        reason: String,
    },
    /// As many calls are listened to as can be.
    #[error("all {streams} recognition streams are taken; the call is served by keys")]
    Full {
        /// How many there are.
        streams: usize,
    },
    /// A worker thread could not be started.
    #[error("a listening thread could not be started: {0}; lower speech.threads")]
    Thread(#[source] std::io::Error),
    /// No espeak-ng anywhere.
    #[error(
        "espeak-ng was not found, so only recorded prompts can be played; looked for {}; install \
         it (`apt-get install espeak-ng`) or name the program in speech.espeak or HOTLINE_ESPEAK",
        .looked.join(", ")
    )]
    NoSynthesiser {
        /// The files that were looked at.
        looked: Vec<String>,
    },
    /// A language without a voice.
    #[error("there is no voice for {language}; name one in speech.voices.{language}")]
    NoVoice {
        /// The language.
        language: Language,
    },
    /// A text that cannot be spoken.
    #[error("the text {text:?} cannot be spoken: {reason}")]
    Unspeakable {
        /// Its beginning.
        text: String,
        /// Why not.
        reason: &'static str,
    },
    /// The synthesiser took too long.
    #[error("{engine} did not finish a prompt within {deadline:?}; is the machine overloaded?")]
    TooSlow {
        /// The engine.
        engine: String,
        /// How long it was given.
        deadline: Duration,
    },
    /// The synthesiser failed.
    #[error("{engine} failed: {reason}")]
    Synthesiser {
        /// The engine.
        engine: String,
        /// What it said.
        reason: String,
    },
    /// A WAV file was unfit.
    #[error(transparent)]
    Wav(#[from] WavError),
}
