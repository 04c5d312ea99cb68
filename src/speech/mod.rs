//! Hears and speaks: recognisers and synthesisers behind two traits, turn-taking, recorded and
//! cached prompts. [`Ears`] listen to calls on worker threads of their own; [`Voice`] turns texts
//! into audio. All audio in this room is 8 kHz, 16 bit, mono.
//!
//! It does not know what words mean (that is `understand`), does not pace audio and knows no PBX
//! (that is `call`).

mod audition;
mod barge_in;
pub mod breaker;
mod chain;
mod config;
mod detector;
mod ears;
pub mod espeak;
mod fault;
mod figures;
mod level;
mod limits;
mod line;
mod listener;
mod pcm;
mod prompts;
pub(crate) mod rate;
pub mod recognisers;
pub mod script;
pub mod synthesisers;
pub mod turn;
pub mod wav;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

pub use audition::{Audition, Tempo, audition};
pub use chain::{Degraded, Failure};
pub use config::Config;
pub use ears::{Ear, EarEvent, Ears, Load};
pub use fault::SpeechError;
pub use level::{decibels, tone};
pub use limits::Limits;
pub(crate) use prompts::fade_out;
pub use prompts::{Damaged, Figures, Lacking, MadeAhead, Prompt, Source, Survey, Trial, Voice};
pub use recognisers::{RemoteFault, vosk};

use crate::dialog::Expect;
use crate::words::Language;

/// Samples in one second of audio in this room.
pub const RATE: usize = 8000;

/// Samples in one frame of 20 ms.
pub const FRAME: usize = 160;

/// An engine that can recognise one language. Many recognitions run on it side by side.
pub trait Recogniser: Send + Sync {
    /// What it is called in logs, metrics and journals, such as `vosk`.
    fn name(&self) -> &str;

    /// The language it knows.
    fn language(&self) -> Language;

    /// Where its work is done.
    fn works(&self) -> Works;

    /// Opens a recognition for a question. It stays on the thread that opened it. The bell is for
    /// engines that work elsewhere: they ring it when there is something to be told.
    ///
    /// # Errors
    /// When the engine cannot open one.
    fn open(&self, asked: &Asked, bell: Bell) -> Result<Box<dyn Recognition>, SpeechError>;
}

/// Where the work of a recogniser is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Works {
    /// On the thread that pushes audio, which it may hold up for some milliseconds.
    Here,
    /// On threads of its own, in another process or on another host.
    Elsewhere,
}

/// What a recogniser may know about the answer that is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The kind of answer.
    pub expect: Expect,
    /// Words and phrases that are likely; empty where anything may be said.
    pub hints: Vec<String>,
    /// What callers of this tenant may ask for at all: names, synonyms and topics, for an engine
    /// that hears nothing it was not told of.
    pub vocabulary: Arc<[String]>,
}

impl Asked {
    /// Returns what is asked where anything may be said, such as a message.
    pub fn anything() -> Self {
        Self {
            expect: Expect::Text,
            hints: Vec::new(),
            vocabulary: Arc::default(),
        }
    }
}

/// Wakes the thread that a recognition lives on, from any other thread, so that it asks what there
/// is to be told. Clones wake the same thread.
#[derive(Clone)]
pub struct Bell(Arc<dyn Fn() + Send + Sync>);

impl Bell {
    /// Makes a bell that calls a function, which must not block.
    pub fn new(ring: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(ring))
    }

    /// Makes a bell that nobody hears.
    pub fn silent() -> Self {
        Self::new(|| {})
    }

    /// Wakes the thread.
    pub fn ring(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}

/// One recognition in progress: audio in, words out, turn after turn.
///
/// After an error it is dropped.
pub trait Recognition {
    /// Takes samples: 20 ms of a call, more of what was said before it was opened, and of a
    /// recording as fast as it takes them. It never waits for a network.
    ///
    /// # Errors
    /// When the engine gave up, or does not keep up.
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError>;

    /// Ends the turn: [`Told::Final`] follows, at once or later. Samples pushed from now on belong
    /// to the next turn.
    ///
    /// # Errors
    /// When the engine gave up.
    fn finish(&mut self) -> Result<(), SpeechError>;

    /// Makes up its mind about the words so far, because the caller pauses, if that is cheap and
    /// the turn can go on all the same.
    fn settle(&mut self) {}

    /// Takes out the next thing there is to tell, without waiting. Words so far are told once.
    ///
    /// # Errors
    /// When the engine gave up.
    fn told(&mut self, now: Instant) -> Result<Option<Told>, SpeechError>;
}

/// What a recognition has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The engine has noticed speech by itself.
    SpeechStarted,
    /// All words of the turn so far, which may still change.
    Partial(String),
    /// All words of a turn that is over; one for each [`Recognition::finish`], in their order.
    Final(Transcript),
    /// An engine was of no use and another one has taken over, or none is left.
    Degraded(Degraded),
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

/// An engine that speaks one language with one voice.
#[async_trait]
pub trait Synthesiser: Send + Sync {
    /// The language it speaks.
    fn language(&self) -> Language;

    /// Names engine, voice and speed: two with the same name make the same audio.
    fn voice(&self) -> &str;

    /// Tells whether it understands SSML, which begins with `<speak>`; others get the words alone.
    fn knows_markup(&self) -> bool {
        false
    }

    /// Begins to speak a text that holds no control characters. It does not block the async
    /// threads, and has no deadline: whoever asks has.
    ///
    /// # Errors
    /// When the engine failed.
    async fn speak(&self, text: &str) -> Result<Box<dyn Speech>, SpeechError>;
}

/// A text that is being spoken. Dropping it ends that.
#[async_trait]
pub trait Speech: Send {
    /// Returns the next samples, as soon as there are some; nothing when all is spoken.
    ///
    /// # Errors
    /// When the engine failed, sends something else, or broke off.
    async fn next(&mut self) -> Result<Option<Vec<i16>>, SpeechError>;
}
