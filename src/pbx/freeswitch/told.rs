//! What FreeSWITCH tells, in our own words: one value for each event that matters to a call, nothing
//! for all others. Reading is pure; who is told decides what it means.

use freeswitch_esl_tokio::EslEvent;
use uuid::Uuid;

use crate::words::{CallId, Key};

/// One event that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The caller pressed a key.
    Key {
        /// The channel.
        call: CallId,
        /// The key.
        key: Key,
    },
    /// A channel was answered.
    Answered(CallId),
    /// A channel was connected with another.
    Bridged {
        /// The channel that asked for it.
        call: CallId,
        /// The other one.
        other: Option<CallId>,
    },
    /// A channel has left the park that feeds unicast: transferred, or hung up.
    Unparked(CallId),
    /// A channel was hung up; told once at the hang-up and once more when all is over.
    HungUp {
        /// The channel.
        call: CallId,
        /// FreeSWITCH's name of the cause, such as `USER_BUSY`.
        cause: String,
    },
    /// A caller joined a queue.
    Queued {
        /// The caller's channel.
        call: CallId,
        /// The queue, with its domain.
        queue: String,
    },
    /// An agent was connected with a caller of a queue.
    AgentConnected {
        /// The caller's channel.
        call: CallId,
        /// The queue, with its domain.
        queue: String,
        /// The agent, with their domain.
        agent: String,
        /// Seconds the caller had waited.
        waited: u32,
    },
    /// A caller left a queue: served, given up or moved.
    LeftQueue {
        /// The caller's channel.
        call: CallId,
        /// The queue, with its domain.
        queue: String,
        /// Whether an agent had served the caller.
        served: bool,
        /// Why, in FreeSWITCH's words; empty when served.
        why: String,
    },
    /// A background job is done.
    Job {
        /// The command's arguments, which repeat the channel id that we chose.
        arguments: String,
        /// What came out: `+OK …` or `-ERR CAUSE`.
        result: String,
    },
    /// Our own dialplan tells that it carries a caller on, because a place took nobody.
    WentOn {
        /// The caller's channel.
        call: CallId,
        /// Which place: `queue`, `extension`, `external`, `callback` or `fallback`.
        place: String,
        /// FreeSWITCH's word for why.
        status: String,
    },
    /// The switch is shutting down.
    ShuttingDown,
}

/// The subclass of the events that `freeswitch/conf/dialplan/hotline.xml` sends.
pub const SUBCLASS: &str = "hotline::went_on";

impl Told {
    /// Reads one event; nothing when it matters to nobody here.
    pub fn read(event: &EslEvent) -> Option<Self> {
        let call = || channel(event, "Unique-ID");
        Some(match event.header_str("Event-Name")? {
            "DTMF" => Self::Key {
                call: call()?,
                key: Key::new(event.header_str("DTMF-Digit")?.chars().next()?)?,
            },
            "CHANNEL_ANSWER" => Self::Answered(call()?),
            "CHANNEL_BRIDGE" => Self::Bridged {
                call: call()?,
                other: channel(event, "Other-Leg-Unique-ID"),
            },
            "CHANNEL_UNPARK" => Self::Unparked(call()?),
            "CHANNEL_HANGUP" | "CHANNEL_HANGUP_COMPLETE" => Self::HungUp {
                call: call()?,
                cause: text(event, "Hangup-Cause"),
            },
            "BACKGROUND_JOB" => Self::Job {
                arguments: text(event, "Job-Command-Arg"),
                result: event.body().unwrap_or_default().trim().to_owned(),
            },
            "SHUTDOWN" => Self::ShuttingDown,
            "CUSTOM" => return Self::custom(event),
            _ => return None,
        })
    }

    fn custom(event: &EslEvent) -> Option<Self> {
        match event.header_str("Event-Subclass")? {
            "callcenter::info" => Self::queue(event),
            SUBCLASS => Some(Self::WentOn {
                call: channel(event, "Unique-ID")?,
                place: text(event, "place"),
                status: text(event, "status"),
            }),
            _ => None,
        }
    }

    fn queue(event: &EslEvent) -> Option<Self> {
        let call = channel(event, "CC-Member-Session-UUID")?;
        let queue = text(event, "CC-Queue");
        Some(match event.header_str("CC-Action")? {
            "member-queue-start" => Self::Queued { call, queue },
            "bridge-agent-start" => {
                let time = |name| text(event, name).parse::<u32>().unwrap_or_default();
                let waited =
                    time("CC-Agent-Answered-Time").saturating_sub(time("CC-Member-Joined-Time"));
                let agent = text(event, "CC-Agent");
                Self::AgentConnected {
                    call,
                    queue,
                    agent,
                    waited,
                }
            }
            "member-queue-end" => Self::LeftQueue {
                call,
                queue,
                served: event.header_str("CC-Cause") == Some("Terminated"),
                why: text(event, "CC-Cancel-Reason"),
            },
            _ => return None,
        })
    }
}

fn channel(event: &EslEvent, header: &str) -> Option<CallId> {
    let id = event.header_str(header)?;
    Uuid::parse_str(id).ok().map(CallId)
}

fn text(event: &EslEvent, header: &str) -> String {
    event.header_str(header).unwrap_or_default().to_owned()
}
