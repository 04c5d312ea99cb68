//! The PBX beside us, behind one trait: it moves callers, dials, and tells about its queues.
//!
//! Implementations keep their own link alive; nothing here retries what was sent and not answered.

pub mod asterisk;
pub mod builtin;
mod followers;
pub mod freeswitch;
pub mod news;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::dialog::{Handoff, QueueState, Target};
use crate::words::{CallId, PhoneNumber, QueueName};

/// Asterisk, FreeSWITCH or the built-in stand-in.
#[async_trait]
pub trait Pbx: Send + Sync + 'static {
    /// Returns the state of the link, to be watched.
    fn link(&self) -> watch::Receiver<LinkState>;

    /// Finds out who is calling on an audio connection with this id. Waits a moment where the
    /// PBX's announcement may still be under way.
    ///
    /// # Errors
    /// When nothing is known about such a call.
    async fn arrival(&self, call: CallId) -> Result<Arrival, PbxError>;

    /// Returns a receiver of what happens to one call outside its audio, from now on.
    /// It ends when the call has left the PBX.
    fn follow(&self, call: CallId) -> tokio::sync::mpsc::Receiver<CallEvent>;

    /// Moves the caller: sets the handoff's variables first, then moves, and waits until the PBX
    /// shows that the caller arrived.
    async fn transfer(
        &self,
        call: CallId,
        target: &Target,
        handoff: &Handoff,
    ) -> Result<(), PbxError>;

    /// Ends the call in order, so that the dialplan does not fall back to the queue.
    async fn hang_up(&self, call: CallId) -> Result<(), PbxError>;

    /// Dials out and waits for how it went. `channel` names the new call beforehand.
    async fn dial(&self, dial: &Dial) -> Result<Dialled, PbxError>;

    /// Tells whether a call that we dialled still exists, after a restart of ours.
    async fn exists(&self, call: CallId) -> Result<bool, PbxError>;

    /// Reads the state of all queues; a queue that the PBX does not know is not in the answer.
    async fn queues(&self) -> Result<BTreeMap<QueueName, QueueState>, PbxError>;
}

/// Whether the PBX can be told things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected, with the reason in words.
    Down(String),
    /// Logged in; the PBX is still starting.
    Up,
    /// Logged in and fully booted.
    Ready,
}

/// Who arrived on an audio connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// The number that was dialled, as the trunk delivered it.
    pub did: String,
    /// The caller's number, unless withheld.
    pub caller: Option<PhoneNumber>,
    /// The name the PBX shows for the caller.
    pub name: Option<String>,
    /// The channel's language, as the PBX has it.
    pub language: Option<String>,
    /// The PBX's own name for the channel.
    pub channel: String,
    /// Set when this is a call that we dialled: what [`Dial::purpose`] said.
    pub purpose: Option<String>,
}

/// What happens to a call outside its audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// The caller pressed a key that the audio connection does not tell about.
    Key(crate::words::Key),
    /// The caller was put into a queue.
    Queued(QueueName),
    /// An agent answered.
    AgentAnswered,
    /// The call has left the PBX.
    HungUp(HangupCause),
}

/// Why a call ended, by ITU-T Q.850.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HangupCause(pub u16);

/// An outgoing call.
#[derive(Clone, Debug, PartialEq)]
pub struct Dial {
    /// Names the first leg; our own choice.
    pub call: CallId,
    /// Whom to call.
    pub number: PhoneNumber,
    /// The queue whose agents take part.
    pub queue: QueueName,
    /// Who is rung first.
    pub order: DialOrder,
    /// The number shown to the callee.
    pub caller_id: Option<PhoneNumber>,
    /// How long the first leg may ring.
    pub ring: Duration,
    /// Handed back in [`Arrival::purpose`] when the callee is connected to us.
    pub purpose: String,
    /// What the agent is told.
    pub handoff: Handoff,
}

/// Who is rung first.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DialOrder {
    /// An agent, who then hears the caller's phone ring.
    #[default]
    AgentFirst,
    /// The caller, who is put into the queue when they have confirmed that they are there.
    CallerFirst,
}

/// How an outgoing call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialled {
    /// The callee answered (caller first), or both were connected (agent first).
    Answered,
    /// The callee is busy.
    Busy,
    /// The callee did not answer.
    NoAnswer,
    /// No agent took it; no attempt to reach the callee was made.
    NoAgent,
    /// The number does not exist.
    InvalidNumber,
    /// The network could not place the call now.
    Failed,
}

/// What went wrong between us and the PBX.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PbxError {
    /// There is no connection; nothing was sent.
    #[error("no connection to the PBX: {0}")]
    NotConnected(String),
    /// It was sent and no answer came in time: whether it happened is unknown.
    #[error("the PBX did not answer {action} within {after:?}: outcome unknown")]
    Unanswered {
        /// What was asked.
        action: String,
        /// The deadline.
        after: Duration,
    },
    /// The PBX said no.
    #[error("the PBX refused {action}: {message}")]
    Refused {
        /// What was asked.
        action: String,
        /// Its words.
        message: String,
    },
    /// The call is gone.
    #[error("the call is no longer on the PBX")]
    NoSuchCall,
    /// A value cannot be sent, such as one with a line break.
    #[error("cannot send {field}: {why}")]
    Unsendable {
        /// The field.
        field: String,
        /// Why not.
        why: String,
    },
}
