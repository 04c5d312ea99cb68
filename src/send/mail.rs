//! A mail in the outbox.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::letters::{Letter, LetterKind};
use crate::words::{Language, Reference, TenantId};

/// Names one mail for good; its Message-ID is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MailId(pub Uuid);

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A mail to be queued.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// Its name; queueing the same again changes nothing.
    pub id: MailId,
    /// On whose behalf.
    pub tenant: TenantId,
    /// What it is about.
    pub kind: LetterKind,
    /// What the caller was given to quote.
    pub reference: Option<Reference>,
    /// Sender.
    pub from: String,
    /// Recipient.
    pub to: String,
    /// What it says.
    pub letter: Letter,
    /// File name of a WAV in the recordings folder to send with it.
    pub recording: Option<String>,
    /// Who is told when it does not arrive.
    pub escalation: Option<Escalation>,
}

/// Who is told when a mail does not arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// Recipient; nobody but the supervisor's list when absent.
    pub to: Option<String>,
    /// The language to tell it in.
    pub language: Language,
    /// Told also when it is still under way then.
    pub overdue: Option<Timestamp>,
}

/// Where a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// Waits for its next attempt.
    Queued,
    /// An attempt has begun and its end is not known yet.
    Sending,
    /// A server has taken it.
    Sent,
    /// Given up.
    Dead,
}

/// A mail in the outbox, as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mail {
    /// Its name.
    pub id: MailId,
    /// Its place in the order in which mails were queued.
    pub number: u64,
    /// On whose behalf.
    pub tenant: TenantId,
    /// What it is about.
    pub kind: LetterKind,
    /// What the caller was given to quote.
    pub reference: Option<Reference>,
    /// Sender.
    pub from: String,
    /// Recipient.
    pub to: String,
    /// What it says; forgotten once it is sent.
    pub letter: Option<Letter>,
    /// File name of the WAV that goes with it; forgotten once it is sent.
    pub recording: Option<String>,
    /// Where it stands.
    pub state: MailState,
    /// When it was queued.
    pub made: Timestamp,
    /// When it is due.
    pub next_attempt: Timestamp,
    /// Attempts begun.
    pub attempts: u32,
    /// Refusals by the server, which space out the attempts.
    pub refusals: u32,
    /// How often it was sent again though the server may have had it.
    pub possible_repeats: u32,
    /// What the last attempt ended with.
    pub last_words: Option<String>,
    /// When it is given up.
    pub expires: Timestamp,
    /// When it was sent or given up.
    pub ended: Option<Timestamp>,
    /// Who is told when it does not arrive.
    pub escalation: Option<Escalation>,
    /// When somebody was told.
    pub escalated: Option<Timestamp>,
}

impl Mail {
    /// Returns the Message-ID, the same for every attempt.
    pub fn message_id(&self) -> String {
        let domain = self
            .from
            .rsplit_once('@')
            .map_or("hotline.invalid", |(_, domain)| {
                domain.trim_end_matches('>')
            });
        format!("<{}@{domain}>", self.id.0.simple())
    }
}
