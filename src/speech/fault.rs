//! What can go wrong with speech, each with what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use super::wav::WavError;
use crate::words::Language;

/// Why something could not be heard or said. A call goes on without: by keys, by recordings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeechError {
    /// No libvosk anywhere.
    #[error(
        "libvosk was not found, so callers are served by keys only; looked for {}; install it \
         (`pip install vosk` brings it) and name the file in speech.library or HOTLINE_LIBVOSK",
        .looked.join(", ")
    )]
    NoLibrary {
        /// The files and folders that were looked at.
        looked: Vec<String>,
    },
    /// A file that is no libvosk or an unfit one.
    #[error(
        "{path} cannot be used as libvosk: {reason}; use the libvosk.so of the Python package \
         vosk 0.3.45 or newer for this kind of machine"
    )]
    BadLibrary {
        /// The file.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// A model folder in which something is missing.
    #[error(
        "the {language} model {folder} lacks {missing}; unpack a complete Vosk model there and \
         name its top folder in speech.models.{language}"
    )]
    BadModel {
        /// The language it was meant for.
        language: Language,
        /// The folder.
        folder: PathBuf,
        /// The file or folder that is missing.
        missing: String,
    },
    /// A complete-looking model that the engine refused.
    #[error(
        "libvosk refused the {language} model {folder}, the reason is on standard error above; \
         is it made for this version of Vosk?"
    )]
    RefusedModel {
        /// The language it was meant for.
        language: Language,
        /// The folder.
        folder: PathBuf,
    },
    /// The configuration names no model.
    #[error(
        "no recognition model is configured, so callers are served by keys only; name a Vosk \
         model folder per language in speech.models"
    )]
    NoModel,
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
