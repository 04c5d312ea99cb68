//! Turn-taking: when a caller begins to speak and when they have finished. It is fed one frame of
//! 20 ms at a time and is pure: frames are its clock, and it knows neither audio nor engines.
//!
//! It does not decide whether speech may cut a prompt off; the call does.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dialog::Expect;

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
const FLOORS: (f32, f32) = (-70.0, -30.0);

/// When turns begin and end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
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
            intent: Duration::from_millis(540),
            text: Duration::from_millis(800),
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
    /// The caller has finished speaking.
    TurnEnded,
}

/// The turn-taking of one caller.
#[derive(Clone, Debug)]
pub struct Turn {
    settings: Settings,
    expect: Expect,
    floor: f32,
    /// One bit per frame of the window, 1 for speech, the newest lowest.
    recent: u32,
    /// Frames of quiet since the last solid speech, or since the start.
    quiet: u32,
    /// Frames of speech in a row.
    run: u32,
    /// Frames since the running turn began.
    spoken: Option<u32>,
    digits: usize,
    must_settle: bool,
}

impl Turn {
    /// Begins with a caller who is not speaking.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            expect: Expect::Intent,
            floor: -60.0,
            recent: 0,
            quiet: 0,
            run: 0,
            spoken: None,
            digits: 0,
            must_settle: false,
        }
    }

    /// Waits for such an answer from now on; a turn in progress goes on.
    pub fn expect(&mut self, expect: Expect) {
        self.expect = expect;
    }

    /// Tells whether the caller is in a turn.
    pub fn is_speaking(&self) -> bool {
        self.spoken.is_some()
    }

    /// Returns how long nothing has been said, in a turn or outside.
    pub fn quiet(&self) -> Duration {
        FRAME_TIME * self.quiet
    }

    /// Learns the words recognised so far in this turn, one text per language: more digits may
    /// still come while there are too few.
    pub fn words<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        self.digits = texts.into_iter().map(count_digits).max().unwrap_or(0);
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
        self.quiet = match self.run {
            run if run >= SOLID => 0,
            _ => self.quiet.saturating_add(1),
        };
        match self.spoken {
            None => self.may_start(speech, frame.talking),
            Some(frames) => self.may_end(frames + 1),
        }
    }

    fn may_start(&mut self, speech: bool, talking: bool) -> Option<Change> {
        if self.must_settle {
            self.must_settle = self.quiet < SETTLE;
            return None;
        }
        self.recent = (self.recent << 1 | u32::from(speech)) & ((1 << WINDOW) - 1);
        let needed = if talking { WINDOW - 1 } else { WINDOW - 2 };
        if self.recent.count_ones() < needed {
            return None;
        }
        self.recent = 0;
        self.quiet = 0;
        self.digits = 0;
        self.spoken = Some(0);
        Some(Change::SpeechStarted)
    }

    fn may_end(&mut self, frames: u32) -> Option<Change> {
        self.spoken = Some(frames);
        let too_long = FRAME_TIME * frames >= self.longest();
        if !too_long && self.quiet() < self.pause() {
            return None;
        }
        self.must_settle = too_long;
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

    /// Follows the noise on the line: down at once, up slowly, and up more slowly still while
    /// something sounds like speech, so that a steady hum ends up as noise.
    fn learn_noise(&mut self, frame: Frame, speech: bool) {
        let rate = match (frame.level < self.floor, speech) {
            (true, _) => 0.3,
            (false, false) => 0.05,
            (false, true) => 0.001,
        };
        self.floor += (frame.level.max(FLOORS.0) - self.floor) * rate;
        self.floor = self.floor.clamp(FLOORS.0, FLOORS.1);
    }

    fn pause(&self) -> Duration {
        let pauses = &self.settings.pauses;
        match self.expect {
            Expect::YesNo => pauses.yes_no,
            Expect::Digits if self.digits < 4 => pauses.too_few_digits,
            Expect::Phone if self.digits < 8 => pauses.too_few_digits,
            Expect::Digits | Expect::Phone => pauses.digits,
            Expect::Intent | Expect::Date | Expect::Time => pauses.intent,
            Expect::Text => pauses.text,
        }
    }

    fn longest(&self) -> Duration {
        match self.expect {
            Expect::Text => self.settings.longest_text,
            _ => self.settings.longest,
        }
    }
}

/// Counts the digits that a text spells, well enough to tell whether more are to come.
fn count_digits(text: &str) -> usize {
    let mut digits = 0_usize;
    let mut before = 0;
    let mut and = false;
    for word in text.split_whitespace() {
        let count = spelt(word);
        // "en og tyve" and "twenty one" are two digits each.
        let joined = match (before, count) {
            (1, 2) => and,
            (2, 1) => is_ten(word_before(text, word)) && !and,
            _ => false,
        };
        digits += if joined {
            2_usize.saturating_sub(before)
        } else {
            count
        };
        and = matches!(word, "og" | "and");
        if !and {
            before = if joined { 0 } else { count };
        }
    }
    digits
}

fn word_before<'a>(text: &'a str, word: &str) -> &'a str {
    let end = word.as_ptr() as usize - text.as_ptr() as usize;
    text[..end]
        .split_whitespace()
        .next_back()
        .unwrap_or_default()
}

fn is_ten(word: &str) -> bool {
    const TENS: [&str; 8] = [
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    TENS.contains(&word)
}

fn spelt(word: &str) -> usize {
    const ONES: [&str; 23] = [
        "nul", "en", "et", "to", "tre", "fire", "fem", "seks", "syv", "otte", "ni", "zero", "oh",
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "o",
    ];
    const TEENS: [&str; 20] = [
        "ti",
        "elleve",
        "tolv",
        "tretten",
        "fjorten",
        "femten",
        "seksten",
        "sytten",
        "atten",
        "nitten",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const DANISH_TENS: [&str; 8] = [
        "tyve",
        "tredive",
        "fyrre",
        "halvtreds",
        "tres",
        "halvfjerds",
        "firs",
        "halvfems",
    ];
    if ONES.contains(&word) {
        1
    } else if TEENS.contains(&word)
        || is_ten(word)
        || DANISH_TENS.iter().any(|ten| word.ends_with(ten))
    {
        2
    } else {
        word.chars().filter(char::is_ascii_digit).count()
    }
}
