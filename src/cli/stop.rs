//! Why a verb stopped: what went wrong, what to do next, and the exit code.

use std::fmt;
use std::io;

use crate::config::ConfigError;

/// There were findings, or something failed.
pub(super) const FAILED: u8 = 1;
/// Wrong arguments or configuration.
const USAGE: u8 = 2;
/// The service cannot be reached.
const UNREACHABLE: u8 = 3;

/// Why a verb stopped before it was done.
#[derive(Debug)]
pub enum Stop {
    /// It did not work.
    Failed {
        /// What.
        message: String,
        /// What to do next.
        remedy: String,
    },
    /// The arguments or the configuration are wrong.
    Usage {
        /// What.
        message: String,
        /// What to do next.
        remedy: String,
    },
    /// The service cannot be reached.
    Unreachable {
        /// What.
        message: String,
        /// What to do next.
        remedy: String,
    },
    /// Whoever read our output has gone, as `head` does; this is no failure.
    ReaderGone,
}

impl Stop {
    /// It did not work.
    pub(super) fn failed(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// The arguments or the configuration are wrong.
    pub(super) fn usage(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Usage {
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// Returns the exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed { .. } => FAILED,
            Self::Usage { .. } => USAGE,
            Self::Unreachable { .. } => UNREACHABLE,
            Self::ReaderGone => 0,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { message, remedy }
            | Self::Usage { message, remedy }
            | Self::Unreachable { message, remedy } => {
                write!(f, "error: {message}")?;
                if !remedy.is_empty() {
                    write!(f, "\n  help: {remedy}")?;
                }
                Ok(())
            }
            Self::ReaderGone => f.write_str("the reader of the output has gone"),
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::failed(format!("cannot write or read: {error}"), ""),
        }
    }
}

impl From<ConfigError> for Stop {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string(), error.remedy())
    }
}
