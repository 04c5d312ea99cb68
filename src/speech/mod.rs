//! Hears and speaks: recognisers and synthesisers behind two traits, turn-taking, recorded and
//! cached prompts. [`Ears`] listen to calls on worker threads of their own; [`Voice`] turns texts
//! into audio. All audio in this room is 8 kHz, 16 bit, mono.
//!
//! It does not know what words mean (that is `understand`), does not pace audio and knows no PBX
//! (that is `call`).

mod config;
mod ears;
pub mod espeak;
mod fault;
mod level;
mod line;
mod listener;
mod prompts;
pub(crate) mod rate;
pub mod turn;
pub mod vosk;
pub mod wav;
mod worker;

use std::time::Duration;

use async_trait::async_trait;

pub use config::Config;
pub use ears::{Ear, EarEvent, Ears, Load};
pub use fault::SpeechError;
pub use level::{decibels, tone};
pub use prompts::{MadeAhead, Voice};

use crate::words::Language;

/// Samples in one second of audio in this room.
pub const RATE: usize = 8000;

/// Samples in one frame of 20 ms.
pub const FRAME: usize = 160;

/// An engine that can recognise one language. Many recognitions run on it side by side.
pub trait Recogniser: Send + Sync {
    /// The language it knows.
    fn language(&self) -> Language;

    /// Opens a recognition that favours the hinted words and phrases, or hears everything the
    /// engine knows where there are none. It stays on the thread that opened it.
    ///
    /// # Errors
    /// When the engine cannot open one; the call goes on by keys.
    fn open(&self, hints: &[String]) -> Result<Box<dyn Recognition>, SpeechError>;
}

/// One recognition in progress: audio in, words out. It may block for some milliseconds.
pub trait Recognition {
    /// Takes samples, usually 20 ms of them.
    ///
    /// # Errors
    /// When the engine gave up.
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError>;

    /// Returns the words so far; empty when there are none.
    fn partial(&mut self) -> String;

    /// The caller pauses: makes up its mind about the words so far, if that is cheap; the turn may
    /// go on.
    fn settle(&mut self) {}

    /// Ends the turn, returns all of its words, and is ready for the next turn.
    fn finish(&mut self) -> Transcript;
}

/// What was said in one turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// The words, lower case, `[unk]` for one that was not understood; empty when there were none.
    pub text: String,
    /// 0 (a guess) to 1 (certain).
    pub confidence: f32,
    /// When each word was said.
    pub words: Vec<Word>,
}

/// One word of a [`Transcript`].
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// When it began, counted from the first sample of its turn.
    pub start: Duration,
    /// When it ended.
    pub end: Duration,
    /// 0 to 1.
    pub confidence: f32,
}

/// An engine that speaks.
#[async_trait]
pub trait Synthesiser: Send + Sync {
    /// Names engine, voice and speed: two engines with the same name make the same audio. None
    /// where the language has no voice.
    fn voice(&self, language: Language) -> Option<String>;

    /// Speaks a text as 8 kHz samples, under a deadline of its own and without blocking the
    /// async threads.
    ///
    /// # Errors
    /// When the language has no voice, the text cannot be spoken, or the engine failed.
    async fn synthesise(&self, text: &str, language: Language) -> Result<Vec<i16>, SpeechError>;
}
