//! Turn-taking: when a caller begins to speak and when they have finished. It is fed one frame of
//! 20 ms at a time and is pure: frames are its clock, and it knows neither audio nor engines.
//!
//! It does not decide whether speech may cut a prompt off; the call does.

mod digits;

use std::collections::VecDeque;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dialog::Expect;
use crate::understand::{Ending, ending};
use crate::words::Language;

/// The length of one frame.
pub const FRAME_TIME: Duration = Duration::from_millis(20);

/// Frames that are looked back at to tell speech from a click; speech is reported within them.
const WINDOW: u32 = 6;

/// Frames of speech in a row that end a pause; fewer are clicks and breaths.
const SOLID: u32 = 3;

/// Frames of quiet before speech can begin again after a turn that was cut for its length, so
/// that a radio in the background is one turn and not an endless row of them.
const SETTLE: u32 = 10;

/// The noise floor stays between these levels, in dBFS.
const FLOORS: (f32, f32) = (-70.0, -15.0);

/// Frames at the start in which whatever is heard counts as the noise of the line.
const FIRST: u32 = 10;

/// Frames over which a sound that stays the same is told from speech, which never does.
const STEADY: usize = 25;

/// The most by which the level of a steady sound varies over that time, in dB.
const STEADY_RANGE: f32 = 5.0;

/// What tells a voice from other sounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detection {
    /// WebRTC's voice activity detector: made for telephones, and costs next to nothing.
    #[default]
    Webrtc,
    /// A small neural network, for noisy lines.
    Neural,
}

/// When turns begin and end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What tells a voice from other sounds.
    pub detector: Detection,
    /// The pause that ends a turn, per kind of answer.
    pub pauses: Pauses,
    /// The longest turn when a word or a sentence is expected.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub longest: Duration,
    /// The longest turn when the caller may say anything.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub longest_text: Duration,
    /// How far speech stands out from the noise on the line, in dB.
    pub margin: f32,
    /// The same while Hotline itself is talking and its echo may come back, in dB.
    pub margin_while_talking: f32,
    /// Nothing below this level is speech, in dBFS.
    pub quietest: f32,
    /// Nothing below this level is speech while Hotline itself is talking, in dBFS.
    pub quietest_while_talking: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            detector: Detection::default(),
            pauses: Pauses::default(),
            longest: Duration::from_secs(15),
            longest_text: Duration::from_secs(60),
            margin: 6.0,
            margin_while_talking: 12.0,
            quietest: -52.0,
            quietest_while_talking: -44.0,
        }
    }
}

/// The pause that ends a turn, per kind of answer: short where the answer is short and the caller
/// waits for us, longer where people stop to think.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pauses {
    /// After yes or no.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub yes_no: Duration,
    /// After digits, once there are at least four of them, or eight of a telephone number.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub digits: Duration,
    /// After fewer digits than that: between groups, while the caller reads on.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub too_few_digits: Duration,
    /// After what the caller wants, a day or a time.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub intent: Duration,
    /// After words that already are a short answer: yes or no, all digits, a choice.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub answered: Duration,
    /// After words that already say what the caller wants, a day or a time.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub answered_intent: Duration,
    /// After words that end in the middle, such as "øh" or "I would like to".
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub unfinished: Duration,
    /// After anything else.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub text: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            yes_no: Duration::from_millis(320),
            digits: Duration::from_millis(400),
            too_few_digits: Duration::from_millis(800),
            intent: Duration::from_millis(520),
            text: Duration::from_millis(800),
            answered: Duration::from_millis(140),
            answered_intent: Duration::from_millis(300),
            unfinished: Duration::from_millis(1200),
        }
    }
}

/// What is known about 20 ms of the caller's audio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Whether it sounds like a voice.
    pub voiced: bool,
    /// Its level in dBFS.
    pub level: f32,
    /// Whether Hotline is talking at the same time.
    pub talking: bool,
}

impl Frame {
    /// A frame without any sound, such as one that never arrived.
    pub const SILENT: Self = Self {
        voiced: false,
        level: -96.0,
        talking: false,
    };
}

/// What happened on the caller's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The caller has begun to speak.
    SpeechStarted,
    /// The caller pauses; if the words so far are an answer ([`Turn::answered`]), the turn is over.
    Paused,
    /// The caller has finished speaking.
    TurnEnded,
}

/// What one recogniser has made of the turn so far.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// The words.
    pub text: &'a str,
    /// Their language.
    pub language: Language,
    /// Whether it is the language that the caller most likely speaks.
    pub likeliest: bool,
}

/// The turn-taking of one caller.
#[derive(Clone, Debug)]
pub struct Turn {
    settings: Settings,
    expect: Expect,
    /// The pause that the question itself asks for.
    patience: Option<Duration>,
    floor: f32,
    /// The newest levels, for telling steady sounds from speech.
    levels: VecDeque<f32>,
    /// Frames taken, as far as they matter.
    age: u32,
    /// One bit per frame of the window, 1 for speech, the newest lowest.
    recent: u32,
    /// Frames of quiet since the last solid speech, or since the start.
    quiet: u32,
    /// Frames of speech in a row.
    run: u32,
    /// Frames since the running turn began.
    spoken: Option<u32>,
    digits: usize,
    /// Whether the words so far end in the middle.
    unfinished: bool,
    /// Whether the words so far are an answer.
    answered: bool,
    /// Whether this pause has been told.
    paused: bool,
    must_settle: bool,
}

impl Turn {
    /// Begins with a caller who is not speaking.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            expect: Expect::Intent,
            patience: None,
            floor: -60.0,
            levels: VecDeque::with_capacity(STEADY),
            age: 0,
            recent: 0,
            quiet: 0,
            run: 0,
            spoken: None,
            digits: 0,
            unfinished: false,
            answered: false,
            paused: false,
            must_settle: false,
        }
    }

    /// Waits for such an answer from now on, with a pause of its own where the question asks for
    /// one; a turn in progress goes on.
    pub fn expect(&mut self, expect: Expect, patience: Option<Duration>) {
        self.expect = expect;
        self.patience = patience;
        self.answered = false;
    }

    /// Returns what is to tell the caller's voice from other sounds.
    pub fn detector(&self) -> Detection {
        self.settings.detector
    }

    /// Tells whether the caller is in a turn.
    pub fn is_speaking(&self) -> bool {
        self.spoken.is_some()
    }

    /// Returns the level of the noise on the line, in dBFS.
    pub fn floor(&self) -> f32 {
        self.floor
    }

    /// Returns the level in dBFS that speech has to be above while Hotline is talking.
    pub fn gate(&self) -> f32 {
        let settings = &self.settings;
        (self.floor + settings.margin_while_talking).max(settings.quietest_while_talking)
    }

    /// Returns how long nothing has been said, in a turn or outside.
    pub fn quiet(&self) -> Duration {
        FRAME_TIME * self.quiet
    }

    /// Learns the words recognised so far in this turn, those of each language: more digits may
    /// still come while there are too few, and more words after some.
    pub fn words<'a>(&mut self, words: impl IntoIterator<Item = Words<'a>>) {
        let (mut likeliest, mut other) = (None, None);
        self.digits = 0;
        self.answered = false;
        for words in words {
            self.digits = self.digits.max(digits::count(words.text));
            let goes_on = self.goes_on(words);
            let place = if words.likeliest {
                &mut likeliest
            } else {
                &mut other
            };
            *place = Some(goes_on);
        }
        self.unfinished = likeliest.or(other).unwrap_or(false);
    }

    /// Learns that the words so far answer the question: a short pause will do, and may have been.
    pub fn answered(&mut self) -> Option<Change> {
        self.answered = true;
        self.spoken.and_then(|frames| self.ends(frames))
    }

    fn goes_on(&self, words: Words<'_>) -> bool {
        match ending(words.text, words.language) {
            Ending::Whole => false,
            Ending::Hesitant => true,
            // "Det er det" is an answer; with digits, too few of them say it better.
            Ending::Open => !matches!(self.expect, Expect::YesNo | Expect::Digits | Expect::Phone),
        }
    }

    /// Takes the next 20 ms of the caller.
    pub fn frame(&mut self, frame: Frame) -> Option<Change> {
        let speech = self.is_speech(frame);
        self.learn_noise(frame, speech);
        self.run = if speech {
            self.run.saturating_add(1)
        } else {
            0
        };
        if self.run == SOLID {
            // What was an answer is so no more when the caller goes on.
            self.answered = false;
        }
        self.quiet = match self.run {
            run if run >= SOLID => 0,
            _ => self.quiet.saturating_add(1),
        };
        match self.spoken {
            None => self.may_start(speech),
            Some(frames) => self.may_end(frames + 1),
        }
    }

    fn may_start(&mut self, speech: bool) -> Option<Change> {
        if self.must_settle || self.age <= FIRST {
            self.must_settle &= self.quiet < SETTLE;
            return None;
        }
        self.recent = (self.recent << 1 | u32::from(speech)) & ((1 << WINDOW) - 1);
        if !speech || self.recent.count_ones() < WINDOW - 2 {
            return None;
        }
        self.recent = 0;
        self.quiet = 0;
        self.digits = 0;
        self.unfinished = false;
        self.answered = false;
        self.spoken = Some(0);
        Some(Change::SpeechStarted)
    }

    fn may_end(&mut self, frames: u32) -> Option<Change> {
        self.spoken = Some(frames);
        self.ends(frames).or_else(|| self.pauses())
    }

    /// Tells of a pause after which an answer may be complete, once.
    fn pauses(&mut self) -> Option<Change> {
        let is_quiet = self.run == 0 && self.answered_pause().is_some_and(|it| self.quiet() >= it);
        let told = std::mem::replace(&mut self.paused, is_quiet);
        (is_quiet && !told).then_some(Change::Paused)
    }

    fn ends(&mut self, frames: u32) -> Option<Change> {
        let too_long = FRAME_TIME * frames >= self.longest();
        // A caller who has just gone on is not cut off in the first syllable.
        if !too_long && (self.quiet() < self.pause() || self.run > 0) {
            return None;
        }
        self.must_settle = too_long;
        self.paused = false;
        self.spoken = None;
        Some(Change::TurnEnded)
    }

    fn is_speech(&self, frame: Frame) -> bool {
        let settings = &self.settings;
        let (margin, quietest) = if frame.talking && !self.is_speaking() {
            (
                settings.margin_while_talking,
                settings.quietest_while_talking,
            )
        } else {
            (settings.margin, settings.quietest)
        };
        frame.voiced && frame.level > quietest && frame.level > self.floor + margin
    }

    /// Follows the noise on the line: down at once, up slowly, and hardly at all while something
    /// sounds like speech, unless that stays as even as no speech does.
    fn learn_noise(&mut self, frame: Frame, speech: bool) {
        if self.levels.len() == STEADY {
            self.levels.pop_front();
        }
        self.levels.push_back(frame.level);
        self.age = self.age.saturating_add(1);
        let rate = match (frame.level < self.floor, speech) {
            (true, _) => 0.3,
            (false, _) if self.age <= FIRST || self.is_steady() => 0.25,
            (false, false) => 0.05,
            (false, true) => 0.001,
        };
        self.floor += (frame.level - self.floor) * rate;
        self.floor = self.floor.clamp(FLOORS.0, FLOORS.1);
    }

    fn is_steady(&self) -> bool {
        let lowest = self.levels.iter().copied().fold(f32::INFINITY, f32::min);
        let highest = self
            .levels
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, f32::max);
        self.levels.len() == STEADY && highest - lowest < STEADY_RANGE
    }

    /// Returns the pause that ends the turn now.
    fn pause(&self) -> Duration {
        let pauses = &self.settings.pauses;
        let ordinary = match self.expect {
            Expect::YesNo => pauses.yes_no,
            Expect::Digits | Expect::Phone => pauses.digits,
            Expect::Intent | Expect::Choice | Expect::Date | Expect::Time => pauses.intent,
            Expect::Text => pauses.text,
        };
        let ordinary = self.patience.unwrap_or(ordinary);
        let too_few = match self.expect {
            Expect::Digits => self.digits < 4,
            Expect::Phone => self.digits < 8,
            _ => false,
        };
        match self.answered_pause() {
            Some(pause) if self.answered => pause.min(ordinary),
            _ if self.unfinished => ordinary.max(pauses.unfinished),
            _ if too_few => ordinary.max(pauses.too_few_digits),
            _ => ordinary,
        }
    }

    /// Returns the pause after words that are an answer, where any words can be told to be all.
    fn answered_pause(&self) -> Option<Duration> {
        let pauses = &self.settings.pauses;
        match self.expect {
            Expect::YesNo | Expect::Choice | Expect::Digits | Expect::Phone => {
                Some(pauses.answered)
            }
            Expect::Intent | Expect::Date | Expect::Time => Some(pauses.answered_intent),
            Expect::Text => None,
        }
    }

    fn longest(&self) -> Duration {
        match self.expect {
            Expect::Text => self.settings.longest_text,
            _ => self.settings.longest,
        }
    }
}

#[cfg(test)]
mod tests;
