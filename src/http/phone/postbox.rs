//! A postbox that never sends anything: it keeps mails to be looked at.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use lettre::address::Envelope;
use serde::Serialize;

use crate::send::{Carrier, MailId, NotCarried, Outbox};

/// Mails kept.
const MAILS: usize = 50;

/// A mail that would have been sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaughtMail {
    /// Its name.
    pub id: String,
    /// Sender.
    pub from: String,
    /// Recipient.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// Text.
    pub body: String,
    /// What the caller was given to quote.
    pub reference: Option<String>,
    /// When it was written.
    pub made: String,
    /// The recording that goes with it (WAV).
    #[serde(serialize_with = "whether")]
    pub recording: Option<Vec<u8>>,
}

fn whether<S: serde::Serializer>(it: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(it.is_some())
}

/// Takes all mails of an outbox and keeps the last of them.
pub struct Postbox {
    outbox: Outbox,
    recordings: PathBuf,
    mails: Mutex<VecDeque<CaughtMail>>,
}

impl Postbox {
    /// Hangs it under an outbox whose recordings lie in a folder.
    pub fn new(outbox: Outbox, recordings: PathBuf) -> Self {
        Self {
            outbox,
            recordings,
            mails: Mutex::default(),
        }
    }

    /// Returns the mails, the newest first.
    pub fn mails(&self) -> Vec<CaughtMail> {
        self.lock().iter().rev().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<CaughtMail>> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Carrier for Postbox {
    async fn carry(&self, _: &Envelope, mail: &[u8]) -> Result<String, NotCarried> {
        let id = name_of(mail).ok_or_else(|| NotCarried::Never("no Message-ID".to_owned()))?;
        let found = self.outbox.mail(id).await;
        let found = found.map_err(|error| NotCarried::NotNow(error.to_string()))?;
        let mail = found.ok_or_else(|| NotCarried::Never("no such mail".to_owned()))?;
        let (subject, body) = match mail.letter {
            Some(letter) => (letter.subject, letter.body),
            None => Default::default(),
        };
        let recording = match &mail.recording {
            Some(file) => tokio::fs::read(self.recordings.join(file)).await.ok(),
            None => None,
        };
        let caught = CaughtMail {
            id: mail.id.to_string(),
            from: mail.from,
            to: mail.to,
            subject,
            body,
            reference: mail.reference.map(|reference| reference.0),
            made: mail.made.to_string(),
            recording,
        };
        let mut mails = self.lock();
        if mails.len() >= MAILS {
            mails.pop_front();
        }
        mails.push_back(caught);
        Ok("kept in the demo's postbox".to_owned())
    }
}

/// Reads the mail's name out of its Message-ID.
fn name_of(mail: &[u8]) -> Option<MailId> {
    let text = String::from_utf8_lossy(mail);
    let line = text
        .lines()
        .take_while(|line| !line.is_empty())
        .find(|line| line.to_ascii_lowercase().starts_with("message-id:"))?;
    let (id, _) = line.split_once('<')?.1.split_once('@')?;
    id.parse().ok().map(MailId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_known_by_its_message_id() {
        let id = uuid::Uuid::from_u128(7);
        let mail = format!(
            "To: a@b.dk\r\nMessage-ID: <{}@c.dk>\r\n\r\nHej\r\n",
            id.simple()
        );
        assert_eq!(name_of(mail.as_bytes()), Some(MailId(id)));
        assert_eq!(name_of(b"To: a@b.dk\r\n\r\nMessage-ID: <x@y>\r\n"), None);
        assert_eq!(name_of(b"\xff\xfe"), None);
    }
}
