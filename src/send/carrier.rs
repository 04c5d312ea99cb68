//! What takes a mail out of the house.

use async_trait::async_trait;
use lettre::address::Envelope;

/// Takes mails to a server, one at a time. It may keep a connection between two mails.
#[async_trait]
pub trait Carrier: Send + Sync + 'static {
    /// Hands over one mail and returns the words with which the server took it. Every wait within
    /// has its deadline.
    ///
    /// # Errors
    /// When the server did not take it, and what is known about that.
    async fn carry(&self, envelope: &Envelope, mail: &[u8]) -> Result<String, NotCarried>;

    /// Lets go of what is kept between mails; called when there is nothing to do.
    async fn rest(&self) {}
}

/// Why a mail was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// The server cannot be talked to now; no mail at all can leave, and this one did not.
    #[error("{0}")]
    Unreachable(String),
    /// The server will not take this mail now.
    #[error("{0}")]
    NotNow(String),
    /// The server will never take this mail.
    #[error("{0}")]
    Never(String),
    /// The connection broke in the middle: the server may have taken it.
    #[error("{0}")]
    Unknown(String),
}
