//! What a dialog wants done. Commands are plain values: the call on the phone, the chat in a
//! terminal and a test under virtual time carry them out each in its own way.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::order::{Handoff, Order, Target};
use crate::words::Language;

/// One thing the dialog wants done, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Say this after whatever is still being said; [`super::Event::Said`] follows when all is played.
    Say(Say),
    /// Say this now, before what is still being made: the caller waits. No [`super::Event::Said`]
    /// follows.
    Reassure(Say),
    /// Stop talking at once and forget what was still to be said.
    Hush,
    /// Listen from now on (also while talking, where `barge_in` allows it) for such an answer.
    Listen(Listen),
    /// The caller's words so far answer the question: their turn is over as soon as they are quiet,
    /// unless they have said more by then.
    Enough,
    /// Stop listening.
    Deafen,
    /// Play a beep when all is said, then record the caller.
    Record(Record),
    /// Make the PBX move the caller; the dialog is over unless `TransferFailed` comes back.
    Transfer {
        /// Where to.
        target: Target,
        /// What the agent is told.
        handoff: Handoff,
    },
    /// Make a service do something; [`super::Event::Done`] follows.
    Do(Order),
    /// End the call when all is said.
    HangUp {
        /// How the call ended.
        outcome: Outcome,
    },
    /// Nothing to do: tells the journal (and `hotline chat --explain`) why.
    Note(Note),
}

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Say {
    /// The language to say it in.
    pub language: Language,
    /// Plain words, numbers and dates already written out as they are spoken.
    pub text: String,
    /// Whether the caller's voice may cut it off. Keys always may.
    pub barge_in: bool,
}

/// What to listen for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    /// The kind of answer: it decides how long a pause ends a turn.
    pub expect: Expect,
    /// The languages to listen for, the likeliest first.
    pub languages: Vec<Language>,
    /// Words and phrases that are likely per language, for a recogniser's grammar; may be empty.
    pub hints: std::collections::BTreeMap<Language, Vec<String>>,
    /// The pause that ends a turn, where the question sets one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<Duration>,
}

/// The kind of answer a question expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// One of the things a caller can want, in any words.
    Intent,
    /// One of a few things that were read out.
    Choice,
    /// Yes or no.
    YesNo,
    /// Digits, such as a case number.
    Digits,
    /// A telephone number.
    Phone,
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// Anything, such as a name.
    Text,
}

/// How to record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The longest recording.
    pub max: Duration,
    /// How much silence ends it.
    pub silence: Duration,
    /// The language to transcribe it in.
    pub language: Language,
}

/// How a call ended, as far as the dialog can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The caller was moved to a queue, an extension or another number.
    Transferred,
    /// The caller got what they called for and the call was ended.
    Completed,
    /// The caller left before that.
    CallerLeft,
    /// Hotline could not help (a fault, a limit) and sent the caller to the ordinary queue.
    FellBack,
    /// The call broke on our side.
    Crashed,
}

/// A line for the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The dialog came to a state of a flow.
    State {
        /// The flow.
        flow: String,
        /// The state.
        state: String,
    },
    /// What was made of the caller's words or key, and why.
    Understood {
        /// The words or the key.
        heard: String,
        /// What it was taken for, if anything.
        meaning: Option<String>,
        /// 0 to 1.
        confidence: f32,
        /// What was done with it: `act`, `confirm`, `ask again`, `keys`, `give up`.
        verdict: String,
        /// The reasons, one a line.
        why: Vec<String>,
    },
    /// A slot got a value; personal values are masked.
    Slot {
        /// Its name.
        name: String,
        /// Its value, or stars.
        value: String,
    },
    /// Something in the flow went wrong at run time and the caller was sent to a person.
    Fault {
        /// What and where.
        message: String,
    },
}
