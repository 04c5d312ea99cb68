//! A callback and its life, as plain values: no clock, no store, no PBX.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::hours::Opening;
use crate::dialog::Due;
use crate::flow::CallbackRules;
use crate::pbx::{DialOrder, Dialled};
use crate::words::{CallId, DepartmentId, Language, PhoneNumber, QueueName, Reference, TenantId};

/// A promise to call somebody.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    /// What the caller was given to quote; names the callback.
    pub reference: Reference,
    /// On whose behalf.
    pub tenant: TenantId,
    /// Who calls.
    pub department: DepartmentId,
    /// The queue whose agents take part.
    pub queue: QueueName,
    /// The language to speak.
    pub language: Language,
    /// The number to call.
    pub number: PhoneNumber,
    /// The caller's name, if known.
    pub name: Option<String>,
    /// What it is about.
    pub reason: String,
    /// When it is due.
    pub due: Due,
    /// Where it stands.
    pub state: CallbackState,
    /// When it was promised.
    pub made: Timestamp,
    /// When it is tried next, at the earliest.
    pub not_before: Timestamp,
    /// When it lapses.
    pub expires: Timestamp,
    /// A supervisor wants it dialled now, whatever the hours and the queue.
    pub triggered: bool,
    /// What was tried, oldest first.
    pub attempts: Vec<Attempt>,
    /// What happened, oldest first.
    pub history: Vec<Entry>,
}

/// Where a callback stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackState {
    /// Waits for its time or for the queue.
    Waiting,
    /// Telephones are ringing.
    Dialling,
    /// The callee answered and is asked whether they are there.
    Connecting,
    /// The caller has spoken to somebody.
    Completed(Completion),
    /// It could not be done; the department was told by mail.
    Failed(Failure),
    /// Somebody cancelled it.
    Cancelled,
}

/// How a caller came to speak to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// We called them.
    Reached,
    /// They called again meanwhile and got through.
    GotThrough,
}

/// Why a callback could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// All attempts are used up.
    NotReached,
    /// The number does not exist.
    InvalidNumber,
    /// Its time is over.
    Expired,
}

/// One dialling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Names the call on the PBX.
    pub call: CallId,
    /// When it began; written down before anything was dialled.
    pub began: Timestamp,
    /// How it ended, once that is known.
    pub outcome: Option<AttemptOutcome>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The caller and an agent were connected.
    Connected,
    /// The caller's line was busy.
    Busy,
    /// The caller did not answer.
    NoAnswer,
    /// Somebody or something answered and did not confirm to be the caller.
    NotConfirmed,
    /// No agent took it, and the caller was not rung. Not counted.
    NoAgent,
    /// The number does not exist.
    InvalidNumber,
    /// The network could not place the call.
    Failed,
    /// Nothing was dialled. Not counted.
    NotPlaced,
    /// How it ended was not learned, so the caller may have been rung.
    Unknown,
}

/// One line of a callback's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
    /// Who, where it was a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What can happen to a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// It was promised.
    Promised,
    /// The caller asked for it once more.
    AskedAgain,
    /// It was put off until the department opens.
    PutOff,
    /// Dialling began.
    Dialled,
    /// The callee answered.
    Answered,
    /// An attempt ended.
    Ended(AttemptOutcome),
    /// The caller got through by themselves.
    GotThrough,
    /// A supervisor wants it now.
    Triggered,
    /// Somebody cancelled it.
    Cancelled,
    /// Its time is over.
    Expired,
}

/// A busy line is soon free, and what the network could not place it may place soon: a third of
/// the gap.
const SOONER: i32 = 3;
/// The shortest gap after a telephone rang, the caller's or an agent's.
const SHORTEST_GAP: SignedDuration = SignedDuration::from_secs(60);
/// The gap after an attempt that was not placed.
const NOTHING_RANG: SignedDuration = SignedDuration::from_secs(15);
/// Longest history kept; a callback waiting for an agent adds two lines a minute.
const HISTORY: usize = 200;
/// So many attempts are remembered.
const ATTEMPTS: usize = 100;

impl AttemptOutcome {
    /// Tells whether the caller's telephone rang, or may have.
    pub fn is_counted(self) -> bool {
        match self {
            Self::NoAgent | Self::NotPlaced => false,
            Self::Connected
            | Self::Busy
            | Self::NoAnswer
            | Self::NotConfirmed
            | Self::InvalidNumber
            | Self::Failed
            | Self::Unknown => true,
        }
    }

    fn gap(self, rules: &CallbackRules) -> SignedDuration {
        let gap = SignedDuration::from_mins(i64::from(rules.gap_minutes));
        match self {
            Self::NotPlaced => NOTHING_RANG,
            Self::NoAgent => SHORTEST_GAP,
            Self::Busy | Self::Failed => (gap / SOONER).max(SHORTEST_GAP),
            Self::NoAnswer
            | Self::NotConfirmed
            | Self::Unknown
            | Self::Connected
            | Self::InvalidNumber => gap.max(SHORTEST_GAP),
        }
    }
}

impl From<Dialled> for AttemptOutcome {
    fn from(dialled: Dialled) -> Self {
        match dialled {
            Dialled::Answered => Self::Connected,
            Dialled::Busy => Self::Busy,
            Dialled::NoAnswer => Self::NoAnswer,
            Dialled::NoAgent => Self::NoAgent,
            Dialled::InvalidNumber => Self::InvalidNumber,
            Dialled::Failed => Self::Failed,
        }
    }
}

impl CallbackState {
    /// Tells whether it is still to be done.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Dialling | Self::Connecting)
    }

    /// Tells whether a call of it may exist on the PBX.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Dialling | Self::Connecting)
    }
}

impl fmt::Display for CallbackState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Dialling => "being dialled",
            Self::Connecting => "being connected",
            Self::Completed(Completion::Reached) => "completed",
            Self::Completed(Completion::GotThrough) => "completed, as the caller got through",
            Self::Failed(Failure::NotReached) => "given up, as nobody answered",
            Self::Failed(Failure::InvalidNumber) => "given up, as the number does not exist",
            Self::Failed(Failure::Expired) => "given up, as its time was over",
            Self::Cancelled => "cancelled",
        })
    }
}

impl Callback {
    /// Returns what the PBX hands back when the callee is connected to us.
    pub fn purpose(&self) -> String {
        format!("callback-{}", self.reference)
    }

    /// Returns the reference that a purpose names.
    pub fn reference_of(purpose: &str) -> Option<Reference> {
        let reference = purpose.strip_prefix("callback-")?;
        Some(Reference(reference.to_owned()))
    }

    /// Returns the attempts at which the caller's telephone may have rung.
    pub fn counted_attempts(&self) -> u32 {
        let counted = self
            .attempts
            .iter()
            .filter(|attempt| attempt.outcome.is_some_and(AttemptOutcome::is_counted));
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }

    /// Returns the attempt under way.
    pub fn attempt_under_way(&self) -> Option<&Attempt> {
        self.attempts
            .last()
            .filter(|attempt| attempt.outcome.is_none() && self.state.is_under_way())
    }

    /// Begins an attempt; tells whether it may.
    pub(super) fn begin(&mut self, call: CallId, now: Timestamp) -> bool {
        if self.state != CallbackState::Waiting {
            return false;
        }
        self.state = CallbackState::Dialling;
        self.triggered = false;
        if self.attempts.len() >= ATTEMPTS
            && let Some(index) = self
                .attempts
                .iter()
                .position(|attempt| attempt.outcome.is_some_and(|outcome| !outcome.is_counted()))
        {
            self.attempts.remove(index);
        }
        self.attempts.push(Attempt {
            call,
            began: now,
            outcome: None,
        });
        self.note(now, Happening::Dialled, None);
        true
    }

    /// Notes that the callee answered and is being asked whether they are there.
    pub(super) fn answered(&mut self, call: CallId, now: Timestamp) -> bool {
        let is_this = self.attempt_under_way().is_some_and(|it| it.call == call);
        if !is_this || self.state != CallbackState::Dialling {
            return false;
        }
        self.state = CallbackState::Connecting;
        self.note(now, Happening::Answered, None);
        true
    }

    /// Ends the attempt of a call and decides what follows. Tells whether anything changed: an
    /// attempt ends once, whoever tells of it first.
    pub(super) fn end(
        &mut self,
        call: CallId,
        outcome: AttemptOutcome,
        now: Timestamp,
        rules: &CallbackRules,
        opening: Option<&Opening>,
    ) -> bool {
        if self.attempt_under_way().is_none_or(|it| it.call != call) {
            return false;
        }
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.outcome = Some(outcome);
        }
        self.note(now, Happening::Ended(outcome), None);
        self.state = match outcome {
            AttemptOutcome::Connected => CallbackState::Completed(Completion::Reached),
            AttemptOutcome::InvalidNumber => CallbackState::Failed(Failure::InvalidNumber),
            _ if self.counted_attempts() >= rules.attempts.max(1) => {
                CallbackState::Failed(Failure::NotReached)
            }
            _ => {
                let earliest = later(now, outcome.gap(rules));
                let next = opening.map_or(Some(earliest), |opening| opening.next_open(earliest));
                match next {
                    Some(next) if next < self.expires => {
                        self.not_before = next;
                        CallbackState::Waiting
                    }
                    _ => CallbackState::Failed(Failure::Expired),
                }
            }
        };
        true
    }

    /// Notes that the caller asked once more. One that waits takes over the time of the newer
    /// order, as that is the time the caller heard last; one whose telephone rings goes on.
    pub(super) fn ask_again(&mut self, newer: &Self, by: Option<&str>) {
        if self.state == CallbackState::Waiting {
            self.due = newer.due;
            self.not_before = newer.not_before;
            self.expires = newer.expires;
        }
        self.note(newer.made, Happening::AskedAgain, by);
    }

    /// Ends the callback because the caller reached somebody by themselves.
    pub(super) fn got_through(&mut self, now: Timestamp) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.outcome.get_or_insert(AttemptOutcome::Unknown);
        }
        self.state = CallbackState::Completed(Completion::GotThrough);
        self.note(now, Happening::GotThrough, None);
    }

    /// Ends the callback because its time is over; tells whether it was waiting.
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        if self.state != CallbackState::Waiting {
            return false;
        }
        self.state = CallbackState::Failed(Failure::Expired);
        self.note(now, Happening::Expired, None);
        true
    }

    pub(super) fn note(&mut self, at: Timestamp, what: Happening, by: Option<&str>) {
        if self.history.len() >= HISTORY {
            self.history.remove(1);
        }
        self.history.push(Entry {
            at,
            what,
            by: by.map(str::to_owned),
        });
    }

    /// Returns who is rung first.
    pub(super) fn order(rules: &CallbackRules, department: &crate::flow::Department) -> DialOrder {
        department.callback_order.unwrap_or(rules.order)
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("reference", &self.reference.0)
            .field("number", &self.number)
            .field("state", &self.state)
            .field("not_before", &self.not_before)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

pub(super) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}
