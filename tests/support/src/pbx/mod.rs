//! The PBX beside Hotline, whichever it is: a test says what is to happen, and one of three
//! launchers makes it so.
//!
//! | switch | what stands there |
//! |---|---|
//! | [`Switch::BuiltIn`] | `hotline demo`, with an operator who puts telephones through to its browser phone |
//! | [`Switch::Asterisk`] | a real Asterisk |
//! | [`Switch::FreeSwitch`] | a real FreeSWITCH where `HOTLINE_TEST_FREESWITCH` names one, else the scripted one |

mod operator;
mod site;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::asterisk::{self, Asterisk};
use crate::freeswitch::FreeSwitch;
use crate::record::Record;

pub use operator::Operator;
pub use site::Site;

/// What a caller hears while waiting in a queue, in hertz.
pub const HOLD_TONE: f64 = 330.0;

/// Which PBX stands beside Hotline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// None: Hotline's own stand-in. It has no queues to wait in and no agents' phones.
    BuiltIn,
    /// Asterisk.
    Asterisk,
    /// FreeSWITCH.
    FreeSwitch,
}

/// What Hotline's configuration says about the PBX.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Section {
    /// Nothing: `hotline demo` runs.
    #[default]
    Demo,
    /// The section `asterisk`.
    Asterisk {
        /// The manager's port.
        port: u16,
    },
    /// The section `freeswitch`.
    FreeSwitch {
        /// The Event Socket's port.
        port: u16,
        /// The Event Socket's password.
        password: String,
    },
}

/// A running PBX; dropping it ends it.
#[derive(Debug)]
pub enum Pbx {
    /// The operator in front of `hotline demo`.
    BuiltIn(Operator),
    /// A real Asterisk.
    Asterisk(Box<Asterisk>),
    /// A FreeSWITCH, real or scripted.
    FreeSwitch(FreeSwitch),
}

impl Pbx {
    /// Starts a PBX for the site and waits until it takes calls.
    pub async fn start(switch: Switch, site: Site) -> Result<Self> {
        Ok(match switch {
            Switch::BuiltIn => Self::BuiltIn(Operator::start(&site)?),
            Switch::Asterisk => Self::Asterisk(Box::new(
                Asterisk::start(asterisk::Site::try_from(site)?).await?,
            )),
            Switch::FreeSwitch => Self::FreeSwitch(FreeSwitch::start(&site).await?),
        })
    }

    /// Returns the address phones send their calls to.
    pub fn sip(&self) -> SocketAddr {
        match self {
            Self::BuiltIn(operator) => operator.sip(),
            Self::Asterisk(asterisk) => asterisk.sip(),
            Self::FreeSwitch(freeswitch) => freeswitch.sip(),
        }
    }

    /// Returns what Hotline's configuration says about it.
    pub fn section(&self) -> Section {
        match self {
            Self::BuiltIn(_) => Section::Demo,
            Self::Asterisk(asterisk) => Section::Asterisk {
                port: asterisk.ami_port(),
            },
            Self::FreeSwitch(freeswitch) => Section::FreeSwitch {
                port: freeswitch.esl_port(),
                password: freeswitch.password().to_owned(),
            },
        }
    }

    /// Returns the journal where it is the PBX that hears it: the browser phone is told every line.
    pub fn journal(&self) -> Option<Record<Value>> {
        match self {
            Self::BuiltIn(operator) => Some(operator.journal()),
            Self::Asterisk(_) | Self::FreeSwitch(_) => None,
        }
    }

    /// Makes calls to an outside number, with or without a leading `+`, arrive at the phone on
    /// that port.
    pub async fn route(&self, number: &str, phone: u16) -> Result<()> {
        match self {
            Self::BuiltIn(_) => bail!("the built-in PBX dials nobody"),
            Self::Asterisk(asterisk) => asterisk.route(number, phone).await,
            Self::FreeSwitch(freeswitch) => {
                freeswitch.route(number, phone);
                Ok(())
            }
        }
    }

    /// Ends the PBX and starts it again with the same ports and configuration.
    pub async fn restart(&mut self) -> Result<()> {
        match self {
            Self::BuiltIn(_) => bail!("the built-in PBX is a part of Hotline"),
            Self::Asterisk(asterisk) => asterisk.restart().await,
            Self::FreeSwitch(freeswitch) => freeswitch.restart().await,
        }
    }

    /// Ends the PBX and leaves it off.
    pub fn stop(&mut self) -> Result<()> {
        match self {
            Self::BuiltIn(_) => bail!("the built-in PBX is a part of Hotline"),
            Self::Asterisk(asterisk) => asterisk.stop(),
            Self::FreeSwitch(freeswitch) => freeswitch.stop(),
        }
        Ok(())
    }

    /// Waits until somebody has joined a queue, or finds that somebody has since the PBX started.
    pub async fn queue_joined(&self, queue: &str, within: Duration) -> Result<()> {
        match self {
            Self::BuiltIn(_) => bail!("the built-in PBX has no queues to wait in"),
            Self::Asterisk(asterisk) => {
                let joined = asterisk.ami().event(within, |block| {
                    block.is_event("QueueCallerJoin") && block.get("Queue") == Some(queue)
                });
                joined.await.map(drop)
            }
            Self::FreeSwitch(freeswitch) => freeswitch.queue_joined(queue, within).await,
        }
        .with_context(|| format!("nobody joined the queue {queue}"))
    }

    /// Returns how long the caller who has waited longest in a queue has waited; nothing when nobody waits.
    pub async fn longest_wait(&self, queue: &str) -> Result<Option<Duration>> {
        match self {
            Self::BuiltIn(_) => bail!("the built-in PBX has no queues to wait in"),
            Self::Asterisk(asterisk) => {
                let queues = asterisk
                    .ami()
                    .list("QueueSummary", &[("Queue", queue)])
                    .await?;
                let seconds = queues
                    .iter()
                    .filter(|block| block.get("Queue") == Some(queue))
                    .filter_map(|block| block.get("LongestHoldTime")?.parse().ok())
                    .max();
                Ok(seconds
                    .filter(|seconds| *seconds > 0)
                    .map(Duration::from_secs))
            }
            Self::FreeSwitch(freeswitch) => freeswitch.longest_wait(queue).await,
        }
    }

    /// Returns how many channels there are: each phone in a call has one.
    pub async fn channels(&self) -> Result<usize> {
        match self {
            Self::BuiltIn(operator) => Ok(operator.calls()),
            Self::Asterisk(asterisk) => {
                let channels = asterisk.ami().list("CoreShowChannels", &[]).await?;
                Ok(channels.len())
            }
            Self::FreeSwitch(freeswitch) => freeswitch.channels().await,
        }
    }

    /// Takes the caller with that number out of where they are and sends them to a number of
    /// ours again, as an agent's transfer does.
    pub async fn send_back(&self, caller: &str, number: &str) -> Result<()> {
        match self {
            Self::BuiltIn(_) => bail!("the built-in PBX has nobody who could send callers back"),
            Self::Asterisk(asterisk) => {
                let channels = asterisk.ami().list("CoreShowChannels", &[]).await?;
                let channel = channels
                    .iter()
                    .find(|block| block.get("CallerIDNum") == Some(caller))
                    .and_then(|block| block.get("Channel"))
                    .with_context(|| format!("no channel of {caller}"))?;
                let fields = [
                    ("Channel", channel),
                    ("Context", "hotline-inbound"),
                    ("Exten", number),
                    ("Priority", "1"),
                ];
                asterisk.ami().act("Redirect", &fields).await.map(drop)
            }
            Self::FreeSwitch(freeswitch) => freeswitch.send_back(caller, number).await,
        }
    }
}
