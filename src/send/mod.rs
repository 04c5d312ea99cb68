//! The outbox: mails that were promised, kept in the store until a server has taken them.
//!
//! A mail is queued in the same transaction as the promise behind it, is tried again with growing
//! gaps, and ends as sent or as a dead letter that somebody is told about. The room does not decide
//! what is worth a mail; that is the services' business.

mod carrier;
mod compose;
mod letters;
mod mail;
mod outbox;
mod queue;
mod smtp;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

pub use carrier::{Carrier, NotCarried};
pub use compose::{ComposeError, is_address};
pub use letters::{Letter, LetterKind, Letters, LettersError};
pub use mail::{Escalation, Mail, MailId, MailState, NewMail};
pub use outbox::{Outbox, Tally};
pub use smtp::Smtp;

/// How mails leave the house.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The mail server's name or address.
    pub server: String,
    /// Its port; 587 for `starttls`, 465 for `tls` and 25 for `none` when absent.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub security: Security,
    /// The name to log in with, if the server wants one.
    pub username: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    /// A file with a further certificate authority (PEM) to trust, such as the house's own.
    pub ca_file: Option<PathBuf>,
    /// The name to greet the server with; the machine's own when absent.
    pub hello_name: Option<String>,
    /// Seconds to wait for the server to connect or to answer.
    pub timeout_seconds: u32,
    /// Hours after which a mail that cannot be delivered becomes a dead letter.
    pub expire_hours: u32,
    /// Days to keep what was sent and died, and recordings that nobody fetched.
    pub keep_days: u32,
    /// The folder with templates that replace the built-in ones, such as `message.da.txt`.
    pub templates: Option<PathBuf>,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Begins in the clear and must change to TLS before anything is said.
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// In the clear; to this machine only.
    #[default]
    None,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: "localhost".to_owned(),
            port: None,
            security: Security::default(),
            username: None,
            password_file: None,
            ca_file: None,
            hello_name: None,
            timeout_seconds: 30,
            expire_hours: 72,
            keep_days: 30,
            templates: None,
        }
    }
}

/// What is wrong with the outbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The password or certificate file cannot be used.
    #[error("mail: {what} {path} cannot be used: {why}")]
    File {
        /// What it is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// Mail would leave the machine unprotected.
    #[error(
        "mail: security \"none\" is for this machine only and {server:?} is another: set security \
         to starttls or tls"
    )]
    Unprotected {
        /// The server.
        server: String,
    },
    /// A name was given without a password.
    #[error("mail: username without password_file: name the file that holds the password")]
    NoPassword,
    /// TLS cannot be set up.
    #[error("mail: TLS to {server:?} cannot be set up: {why}")]
    Tls {
        /// The server.
        server: String,
        /// The library's words.
        why: String,
    },
    /// No mail has that id.
    #[error("no mail has the id {0}")]
    NoSuchMail(MailId),
    /// The mail is not where it must be for this.
    #[error("mail {id} is {state:?}: only a dead letter can be sent again")]
    NotDead {
        /// The mail.
        id: MailId,
        /// Its state.
        state: MailState,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests;
