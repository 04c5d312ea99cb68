//! What can go wrong with speech, each with what to do about it.

use std::path::PathBuf;
use std::time::Duration;

use super::recognisers::{RemoteFault, Setting};
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
    /// A model that did not come through when it was tried out in a process of its own.
    #[error(
        "{setting}: the model {folder} cannot be used, {reason}; run `hotline models check {folder}`"
    )]
    Rehearsal {
        /// The setting that names it.
        setting: Setting,
        /// The folder.
        folder: PathBuf,
        /// How it ended, and what it said.
        reason: String,
    },
    /// A setting of an engine that is reached by a protocol is unfit.
    #[error("{setting}: {reason}")]
    Unfit {
        /// The setting.
        setting: Setting,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// An engine that is reached by a protocol gave no words.
    #[error("{setting}: {engine} {fault}")]
    Remote {
        /// The setting that says where it is.
        setting: Setting,
        /// The engine.
        engine: &'static str,
        /// What happened.
        fault: RemoteFault,
    },
    /// As many recognitions as an engine may have are open.
    #[error("{setting}: all {most} recognitions that {engine} may have at once are taken")]
    Taken {
        /// The setting that says how many.
        setting: Setting,
        /// The engine.
        engine: &'static str,
        /// How many.
        most: usize,
    },
    /// As many utterances wait for an engine as may.
    #[error(
        "{most} utterances wait for the {language} recogniser already ({setting}); it does not \
         keep up"
    )]
    QueueFull {
        /// The language of the engine.
        language: Language,
        /// How many wait.
        most: usize,
        /// The setting that says how many may.
        setting: String,
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
        "espeak-ng was not found; looked for {}; install it (`apt-get install espeak-ng`) or name \
         the program by `program` beside `engine: espeak` in speech.voices, or by HOTLINE_ESPEAK",
        .looked.join(", ")
    )]
    NoEspeak {
        /// The files that were looked at.
        looked: Vec<String>,
    },
    /// A setting that cannot be used.
    #[error("{setting}: {reason}")]
    Setting {
        /// The setting.
        setting: Setting,
        /// What is wrong with it.
        reason: String,
    },
    /// A language without a voice.
    #[error("there is no voice for {language}; name one in speech.voices.{language}")]
    NoVoice {
        /// The language.
        language: Language,
    },
    /// A text that cannot be spoken.
    #[error("a text of {length} characters cannot be spoken: {reason}")]
    Unspeakable {
        /// Its length in characters; its words may be a caller's, and this is read in logs.
        length: usize,
        /// Why not.
        reason: &'static str,
    },
    /// The synthesiser took too long.
    #[error("{engine} did not begin to speak within {deadline:?}; is it overloaded?")]
    TooSlow {
        /// The engine.
        engine: String,
        /// How long it was given.
        deadline: Duration,
    },
    /// The synthesiser began and did not keep up with the caller's ear.
    #[error("{engine} makes audio slower than it is played; is it overloaded?")]
    FallsBehind {
        /// The engine.
        engine: String,
    },
    /// The synthesiser has failed so often that it is left alone for a while.
    #[error("{engine} is left alone for a while, as it has failed several times")]
    Resting {
        /// The engine.
        engine: String,
    },
    /// None of a language's voices could say something.
    #[error("no voice of {language} could say it: {}", .reasons.join("; "))]
    NoVoiceLeft {
        /// The language.
        language: Language,
        /// Why each of them could not.
        reasons: Vec<String>,
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
