//! What a dialog can order from the services and from the PBX, and what comes back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::Recording;
use crate::words::{DepartmentId, Language, PhoneNumber, QueueName, Reference};

/// Work for a service. It is stored durably before [`Done::Noted`] comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Send what the caller reported to the department by mail.
    Message(MessageOrder),
    /// Tell the case worker or the department that the caller will not come.
    Cancellation(CancellationOrder),
    /// Call the caller back.
    Callback(CallbackOrder),
}

/// A message from a caller to a department.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageOrder {
    /// Who gets it.
    pub department: DepartmentId,
    /// The language of the call.
    pub language: Language,
    /// The caller's number, if known.
    pub caller: Option<PhoneNumber>,
    /// What was recorded, if anything.
    pub recording: Option<Recording>,
    /// What it is about: the caller's wish in their own words.
    pub subject: String,
    /// Further facts gathered by the flow, as name and value, in order.
    pub facts: Vec<(String, String)>,
}

/// The cancellation of an appointment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancellationOrder {
    /// The department the appointment is with.
    pub department: DepartmentId,
    /// The language of the call.
    pub language: Language,
    /// The caller's number, if known.
    pub caller: Option<PhoneNumber>,
    /// Mail of the case worker, when the flow knows it; else the department's.
    pub case_worker: Option<String>,
    /// What was recorded (such as the caller's name), if anything.
    pub recording: Option<Recording>,
    /// What the flow gathered (name, day, time …), as name and value, in order.
    pub facts: Vec<(String, String)>,
}

/// A wish to be called back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallbackOrder {
    /// Who calls back.
    pub department: DepartmentId,
    /// The language to speak.
    pub language: Language,
    /// The number to call.
    pub number: PhoneNumber,
    /// The name shown by the PBX, if any.
    pub name: Option<String>,
    /// What it is about.
    pub reason: String,
    /// When.
    pub due: Due,
}

/// When a callback is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// As soon as the department is open and its queue is short.
    QueueShort,
    /// At a chosen time, inside opening hours.
    At(Timestamp),
}

/// How an order went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It is stored and will be carried out.
    Noted {
        /// What the caller can quote.
        reference: Reference,
    },
    /// The same was ordered before and still stands, under its old reference; a time that was
    /// chosen anew takes the place of the old one.
    AlreadyNoted {
        /// What was given out then.
        reference: Reference,
    },
    /// It cannot be done; nothing was stored.
    Refused {
        /// Why, in words for a log.
        reason: String,
    },
}

/// Where a caller can be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Into a queue of the PBX; a higher priority stands further ahead.
    Queue {
        /// The queue.
        queue: QueueName,
        /// 0 is ordinary.
        priority: u32,
    },
    /// To a telephone inside the house.
    Extension(String),
    /// To a number outside.
    External(PhoneNumber),
}

/// What the agent is told when a call is transferred.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handoff {
    /// The caller's number.
    pub caller: Option<PhoneNumber>,
    /// The language of the call.
    pub language: Option<Language>,
    /// What the caller wants, in a few words.
    pub reason: String,
    /// The same as one spoken sentence in the agents' language, for the whisper.
    pub summary: String,
    /// The language of the summary: the agents'.
    pub agents: Option<Language>,
    /// Tenant's name, so that shared agents answer in the right name.
    pub tenant: String,
    /// Callback reference, if this is one.
    pub reference: Option<Reference>,
    /// A WAV of the summary (8 kHz, 16 bit, mono) that only the agent hears, by its full path.
    #[serde(default)]
    pub whisper: Option<String>,
}
