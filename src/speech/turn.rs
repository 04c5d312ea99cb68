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
            intent: Duration::from_millis(520),
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
    must_settle: bool,
}

impl Turn {
    /// Begins with a caller who is not speaking.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            expect: Expect::Intent,
            floor: -60.0,
            levels: VecDeque::with_capacity(STEADY),
            age: 0,
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
        self.digits = texts.into_iter().map(digits::count).max().unwrap_or(0);
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
        if self.must_settle || self.age <= FIRST {
            self.must_settle &= self.quiet < SETTLE;
            return None;
        }
        self.recent = (self.recent << 1 | u32::from(speech)) & ((1 << WINDOW) - 1);
        let needed = if talking { WINDOW - 1 } else { WINDOW - 2 };
        if !speech || self.recent.count_ones() < needed {
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
        // A caller who has just gone on is not cut off in the first syllable.
        if !too_long && (self.quiet() < self.pause() || self.run > 0) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPEECH: Frame = Frame {
        voiced: true,
        level: -22.0,
        talking: false,
    };
    const QUIET: Frame = Frame {
        voiced: false,
        level: -62.0,
        talking: false,
    };

    fn ready(expect: Expect) -> Turn {
        let mut turn = Turn::new(Settings::default());
        turn.expect(expect);
        run(&mut turn, QUIET, 1000);
        turn
    }

    /// Feeds a sound for some milliseconds and returns each change with its time.
    fn run(turn: &mut Turn, frame: Frame, milliseconds: u32) -> Vec<(u32, Change)> {
        (1..=milliseconds / 20)
            .filter_map(|number| {
                // The level of speech wavers, as it does on the telephone.
                let waver = if frame.voiced {
                    [0.0, 4.0, -4.0, 2.0][number as usize % 4]
                } else {
                    0.0
                };
                let frame = Frame {
                    level: frame.level + waver,
                    ..frame
                };
                turn.frame(frame).map(|change| (number * 20, change))
            })
            .collect()
    }

    /// Says something for 400 ms and returns the pause after which the turn was over.
    fn pause_after(expect: Expect, words: &str) -> u32 {
        let mut turn = ready(expect);
        assert_eq!(run(&mut turn, SPEECH, 400).len(), 1);
        turn.words([words]);
        match run(&mut turn, QUIET, 3000)[..] {
            [(time, Change::TurnEnded)] => time,
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn speech_is_noticed_within_120_ms() {
        let mut turn = ready(Expect::Intent);
        assert_eq!(run(&mut turn, SPEECH, 400), [(80, Change::SpeechStarted)]);
        let mut turn = ready(Expect::Intent);
        let talking = Frame {
            talking: true,
            ..SPEECH
        };
        assert_eq!(run(&mut turn, talking, 400), [(100, Change::SpeechStarted)]);
    }

    #[test]
    fn the_pause_that_ends_a_turn_depends_on_the_question() {
        assert_eq!(pause_after(Expect::YesNo, "ja"), 320);
        assert_eq!(pause_after(Expect::Intent, "borgerservice"), 520);
        assert_eq!(pause_after(Expect::Date, "på mandag"), 520);
        assert_eq!(pause_after(Expect::Text, "jeg hedder"), 800);
    }

    #[test]
    fn more_digits_are_waited_for_while_there_are_too_few() {
        assert_eq!(pause_after(Expect::Digits, "fire to"), 800);
        assert_eq!(pause_after(Expect::Digits, "fire to syv nul"), 400);
        assert_eq!(pause_after(Expect::Phone, "fire to syv nul"), 800);
        assert_eq!(
            pause_after(Expect::Phone, "enogtyve halvfjerds nul syv femogfyrre"),
            400
        );
    }

    #[test]
    fn a_click_is_no_speech() {
        let mut turn = ready(Expect::Intent);
        for _ in 0..20 {
            assert_eq!(run(&mut turn, SPEECH, 60), []);
            assert_eq!(run(&mut turn, QUIET, 200), []);
        }
    }

    #[test]
    fn a_breath_does_not_prolong_a_turn() {
        let mut turn = ready(Expect::YesNo);
        run(&mut turn, SPEECH, 400);
        assert_eq!(run(&mut turn, QUIET, 160), []);
        assert_eq!(run(&mut turn, SPEECH, 40), []);
        assert_eq!(run(&mut turn, QUIET, 300), [(120, Change::TurnEnded)]);
    }

    #[test]
    fn a_hesitation_does_not_end_a_turn() {
        let mut turn = ready(Expect::Intent);
        run(&mut turn, SPEECH, 400);
        assert_eq!(run(&mut turn, QUIET, 500), []);
        assert_eq!(run(&mut turn, SPEECH, 400), []);
        assert_eq!(run(&mut turn, QUIET, 1000), [(520, Change::TurnEnded)]);
    }

    #[test]
    fn an_echo_of_the_prompt_is_no_barge_in() {
        let mut turn = ready(Expect::Intent);
        let echo = Frame {
            voiced: true,
            level: -50.0,
            talking: true,
        };
        assert_eq!(run(&mut turn, echo, 5000), []);
    }

    #[test]
    fn a_quiet_caller_is_heard() {
        let mut turn = ready(Expect::Intent);
        let quiet = Frame {
            level: -44.0,
            ..SPEECH
        };
        assert_eq!(run(&mut turn, quiet, 400), [(80, Change::SpeechStarted)]);
    }

    #[test]
    fn steady_noise_that_sounds_like_a_voice_is_learned_as_noise() {
        let mut turn = Turn::new(Settings::default());
        let hum = Frame {
            voiced: true,
            level: -24.0,
            talking: false,
        };
        for _ in 0..1000 {
            assert_eq!(turn.frame(hum), None);
        }
        // A hum that begins later is one turn at most.
        let mut turn = ready(Expect::YesNo);
        let changes: Vec<Change> = (0..1000).filter_map(|_| turn.frame(hum)).collect();
        assert_eq!(changes, [Change::SpeechStarted, Change::TurnEnded]);
    }

    #[test]
    fn noise_that_ends_does_not_deafen_for_long() {
        let mut turn = ready(Expect::Intent);
        let roar = Frame {
            voiced: false,
            level: -20.0,
            talking: false,
        };
        run(&mut turn, roar, 10_000);
        run(&mut turn, QUIET, 200);
        assert_eq!(run(&mut turn, SPEECH, 400), [(80, Change::SpeechStarted)]);
    }

    #[test]
    fn a_radio_in_the_background_is_one_long_turn() {
        let mut turn = ready(Expect::Intent);
        let changes = run(&mut turn, SPEECH, 60_000);
        assert_eq!(
            changes,
            [(80, Change::SpeechStarted), (15_080, Change::TurnEnded)]
        );
        run(&mut turn, QUIET, 400);
        assert_eq!(run(&mut turn, SPEECH, 400), [(80, Change::SpeechStarted)]);
    }

    #[test]
    fn whoever_may_say_anything_may_take_a_minute() {
        let mut turn = ready(Expect::Text);
        let changes: Vec<_> = (0..26)
            .flat_map(|_| [run(&mut turn, SPEECH, 2000), run(&mut turn, QUIET, 400)].concat())
            .collect();
        assert_eq!(
            changes,
            [(80, Change::SpeechStarted), (80, Change::TurnEnded)]
        );
    }

    #[test]
    fn a_question_asked_while_the_caller_speaks_sets_the_pause() {
        let mut turn = ready(Expect::Text);
        run(&mut turn, SPEECH, 400);
        turn.expect(Expect::YesNo);
        assert_eq!(run(&mut turn, QUIET, 1000), [(320, Change::TurnEnded)]);
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let frame =
            (any::<bool>(), -100.0_f32..0.0, any::<bool>()).prop_map(|(voiced, level, talking)| {
                Frame {
                    voiced,
                    level,
                    talking,
                }
            });
        prop::collection::vec((frame, 1_usize..60), 0..80).prop_map(|runs| {
            runs.into_iter()
                .flat_map(|(frame, length)| vec![frame; length])
                .collect()
        })
    }

    proptest! {
        #[test]
        fn speech_and_its_end_always_alternate(frames in frames()) {
            let mut turn = Turn::new(Settings::default());
            let mut speaking = false;
            for frame in frames {
                match turn.frame(frame) {
                    Some(Change::SpeechStarted) => prop_assert!(!std::mem::replace(&mut speaking, true)),
                    Some(Change::TurnEnded) => prop_assert!(std::mem::replace(&mut speaking, false)),
                    None => {}
                }
                prop_assert_eq!(turn.is_speaking(), speaking);
            }
        }

        #[test]
        fn after_any_history_silence_ends_the_turn_in_time(frames in frames()) {
            let mut turn = Turn::new(Settings::default());
            turn.expect(Expect::YesNo);
            for frame in frames {
                turn.frame(frame);
            }
            for _ in 0..16 {
                turn.frame(Frame::SILENT);
            }
            prop_assert!(!turn.is_speaking());
        }

        #[test]
        fn after_any_history_a_clear_voice_is_heard(frames in frames()) {
            let mut turn = Turn::new(Settings::default());
            for frame in frames.into_iter().chain(vec![Frame::SILENT; 60]) {
                turn.frame(frame);
            }
            prop_assert!(run(&mut turn, SPEECH, 120).contains(&(80, Change::SpeechStarted)));
        }

        #[test]
        fn what_is_not_voiced_is_never_speech(levels in prop::collection::vec(-100.0_f32..0.0, 0..500)) {
            let mut turn = Turn::new(Settings::default());
            for level in levels {
                prop_assert_eq!(turn.frame(Frame { voiced: false, level, talking: false }), None);
            }
        }
    }
}
