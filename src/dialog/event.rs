//! What can happen to a dialog. Events are plain values: a call's journal is a list of them, and
//! feeding that list to a fresh dialog replays the call.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::order::Done;
use crate::words::{Key, Language, QueueName, Texts};

/// One thing that happened, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The call is up and can be heard. Always the first, and only once.
    Answered,
    /// What the house knows about queues and notices, at the start and whenever it changes.
    Facts(Facts),
    /// The caller has begun to speak; what is being said to them has been cut off.
    Speech,
    /// What was taken for the caller's speech was none, or said only that they listen: what was being
    /// said to them goes on where it was cut off.
    Resumed,
    /// The caller's words so far, while they are still speaking.
    Partial(Heard),
    /// The caller has finished a turn.
    Heard(Heard),
    /// The caller pressed a key.
    Key(Key),
    /// Everything that the dialog asked to say has been played to its end.
    Said,
    /// The recording asked for is complete and safely stored.
    Recorded(Recording),
    /// An order to a service is finished, well or badly.
    Done(Done),
    /// The PBX refused or lost a transfer and the caller is still here.
    TransferFailed {
        /// Why, in words for a log.
        reason: String,
    },
    /// The caller waits for us and has heard nothing for a while; something is under way.
    Waiting,
    /// Speech is not to be had from now on (no engine, or it is full): keys only.
    SpeechUnavailable,
    /// Speech can be had again: from the next question on.
    SpeechAvailable,
    /// The deadline named by [`super::Dialog::deadline`] has passed.
    Time,
    /// The caller has left.
    HungUp,
}

/// What was heard in one turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The best hypothesis of each language listened for.
    pub hypotheses: Vec<Hypothesis>,
}

/// What one recogniser made of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hypothesis {
    /// The language of the recogniser.
    pub language: Language,
    /// The words, lower case, without punctuation; `[unk]` where a word was not understood.
    pub text: String,
    /// 0 (a guess) to 1 (certain).
    pub confidence: f32,
}

impl Heard {
    /// Makes a turn out of written text, as chat and tests do.
    pub fn written(language: Language, text: &str) -> Self {
        Self {
            hypotheses: vec![Hypothesis {
                language,
                text: text.to_owned(),
                confidence: 1.0,
            }],
        }
    }
}

/// A stored recording of what the caller said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// File name of the WAV (8 kHz, 16 bit, mono) in the recordings folder; empty when there is no audio.
    pub file: String,
    /// Length in seconds.
    pub seconds: f32,
    /// What the recogniser made of it, where there is one.
    pub transcript: Option<String>,
}

/// What the house knows that a flow may ask about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The state of each queue that the PBX has told us about.
    pub queues: BTreeMap<QueueName, QueueState>,
    /// The notices in force for this tenant now.
    pub notices: Vec<Notice>,
}

/// One queue of the PBX, as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueState {
    /// Callers waiting.
    pub waiting: u32,
    /// Agents who could take a call now.
    pub agents_free: u32,
    /// Agents logged in.
    pub agents: u32,
    /// Seconds the one at the head has waited.
    pub longest_wait: u32,
    /// Average seconds of waiting, as the PBX reckons it.
    pub average_wait: u32,
}

impl QueueState {
    /// Estimates the wait of a caller who joined now, in seconds: none while agents are free,
    /// otherwise the worse of the average and what the one at the head has already waited.
    pub fn expected_wait(&self) -> u32 {
        if self.agents_free > self.waiting {
            0
        } else {
            self.average_wait.max(self.longest_wait)
        }
    }
}

/// A message that a supervisor switched on, heard first by every caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its name, unique within a tenant.
    pub name: String,
    /// What is said.
    pub text: Texts,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}
