//! What a caller can want, and what was made of what they said.

use std::collections::BTreeMap;

use crate::words::{IntentName, Language};

/// From this score on an intent is acted on without asking.
pub const ACT: f32 = 0.70;

/// From this score on an intent is worth asking about ("did you say …?").
pub const CONFIRM: f32 = 0.40;

/// Two intents whose scores lie closer than this are told apart by asking.
pub const MARGIN: f32 = 0.12;

/// An intent of higher precedence wins when it has at least this share of the best score.
pub const PRECEDENCE_SHARE: f32 = 0.75;

/// Something a caller can want, in the words of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its name.
    pub name: IntentName,
    /// What it is called: names and synonyms. The strongest signs.
    pub words: BTreeMap<Language, Vec<String>>,
    /// What it is about: single strong words such as `pas` or `kørekort`, or short phrases.
    pub topics: BTreeMap<Language, Vec<String>>,
    /// Whole sentences that callers say.
    pub examples: BTreeMap<Language, Vec<String>>,
    /// Which intent wins when two are heard in one sentence: 0 for departments, 1 for things to
    /// do (`cancel_appointment` in "cancel my appointment at the job centre"), -1 for what says
    /// least (`operator` in "a person who knows about passports").
    pub precedence: i8,
}

/// What a caller's words come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Understanding {
    /// All intents with a score above 0, the winner first, then by falling score.
    pub ranked: Vec<Match>,
    /// What to do with the first of them.
    pub verdict: Verdict,
}

/// One intent that the caller may have meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The intent.
    pub intent: IntentName,
    /// 0 (not at all) to 1 (certainly).
    pub score: f32,
    /// One reason per contribution, such as `'kørekortet' ~ topic 'kørekort' (+0.85)`.
    pub why: Vec<String>,
}

/// What to do with the best match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Clear enough to act on the first.
    Act,
    /// Ask whether the first was meant.
    Confirm,
    /// The first two are too close: ask which one.
    Unclear,
    /// Nothing was understood.
    Nothing,
}

impl Intent {
    /// Makes an intent without any words yet.
    pub fn new(name: impl Into<IntentName>) -> Self {
        Self {
            name: name.into(),
            words: BTreeMap::new(),
            topics: BTreeMap::new(),
            examples: BTreeMap::new(),
            precedence: 0,
        }
    }
}

impl Understanding {
    /// Returns the best match, unless nothing was understood.
    pub fn best(&self) -> Option<&Match> {
        match self.verdict {
            Verdict::Nothing => None,
            Verdict::Act | Verdict::Confirm | Verdict::Unclear => self.ranked.first(),
        }
    }
}
