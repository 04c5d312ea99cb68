//! The tests that people write beside their flows: what a caller does, and what is expected.
//!
//! This file knows their shape only; the dialog's room plays them.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::words::{DepartmentId, FlowName, Language, PhoneNumber, QueueName, StateName, Texts};

/// One call, told turn by turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// What it shows, as a sentence.
    pub name: String,
    /// When the call comes, such as `2026-12-24 10:00`, in the tenant's time zone.
    pub at: String,
    /// The caller's number; withheld when left out.
    #[serde(default)]
    pub caller: Option<PhoneNumber>,
    /// The name the PBX shows.
    #[serde(default)]
    pub caller_name: Option<String>,
    /// The language of the caller's words; the tenant's first when left out.
    #[serde(default)]
    pub language: Option<Language>,
    /// The flow to begin with; the tenant's when left out.
    #[serde(default)]
    pub flow: Option<FlowName>,
    /// Slots that are set before the flow begins.
    #[serde(default)]
    pub slots: BTreeMap<String, String>,
    /// Queues as the PBX would tell of them; one agent free in each that is left out.
    #[serde(default)]
    pub queues: BTreeMap<QueueName, StoryQueue>,
    /// Notices in force: names of prepared ones, or name and text.
    #[serde(default)]
    pub notices: BTreeMap<String, Texts>,
    /// Whether speech is to be had.
    #[serde(default = "yes")]
    pub speech: bool,
    /// What happens, in order.
    pub turns: Vec<Turn>,
}

/// One queue in a story.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoryQueue {
    /// Callers waiting.
    pub waiting: u32,
    /// Agents who could take a call now.
    pub agents_free: u32,
    /// Agents logged in.
    pub agents: u32,
    /// Seconds the one at the head has waited.
    pub longest_wait: u32,
    /// Average seconds of waiting.
    pub average_wait: u32,
}

/// One turn. In YAML: a single key, such as `- caller says: "pas"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum Turn {
    /// The caller says something, in the story's language or in a named one.
    #[serde(rename = "caller says")]
    Says(Spoken),
    /// The caller presses keys, one after the other.
    #[serde(rename = "caller presses")]
    Presses(String),
    /// The caller says nothing until the dialog's deadline has passed, so many times.
    #[serde(rename = "caller is silent")]
    Silent(Times),
    /// The caller speaks to the recorder; this is what a recogniser would make of it. Empty: nothing was said.
    #[serde(rename = "caller records")]
    Records(String),
    /// The caller hangs up.
    #[serde(rename = "caller hangs up")]
    HangsUp(super::Nothing),
    /// The PBX could not move the caller, for this reason.
    #[serde(rename = "transfer fails")]
    TransferFails(String),
    /// The service could not take the order made last, for this reason.
    #[serde(rename = "order fails")]
    OrderFails(String),
    /// Speech is not to be had from here on.
    #[serde(rename = "speech fails")]
    SpeechFails(super::Nothing),
    /// Queues change.
    #[serde(rename = "queues change")]
    Queues(BTreeMap<QueueName, StoryQueue>),
    /// What must have come since the turn before; the things named only.
    #[serde(rename = "expect")]
    Expect(Box<Expectation>),
}

/// What the caller says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Spoken {
    /// In the story's language.
    Plain(String),
    /// In a named language.
    In(Texts),
}

impl<'de> Deserialize<'de> for Spoken {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpokenVisitor)
    }
}

struct SpokenVisitor;

impl<'de> Visitor<'de> for SpokenVisitor {
    type Value = Spoken;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("words, or words with their language such as { en: \"home care\" }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Spoken, E> {
        Ok(Spoken::Plain(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Spoken, A::Error> {
        let mut texts = Texts::new();
        while let Some((language, text)) = map.next_entry()? {
            texts.insert(language, text);
        }
        Ok(Spoken::In(texts))
    }
}

/// How many times; `{}` is once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// So many times in a row.
    #[serde(default = "once")]
    pub times: u32,
}

/// What must have come since the caller's last turn. What is left out is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expectation {
    /// Was said: a part of it, upper and lower case alike; `...` stands for anything.
    pub says: Patterns,
    /// Was not said.
    pub says_not: Patterns,
    /// The caller was moved to this department, queue, extension or number.
    pub transfer: Option<String>,
    /// With this queue priority.
    pub priority: Option<u32>,
    /// The agent was told so, in part.
    pub reason: Option<String>,
    /// A callback was ordered.
    pub callback: Option<ExpectedOrder>,
    /// A message was sent.
    pub message: Option<ExpectedOrder>,
    /// A cancellation was sent.
    pub cancel: Option<ExpectedOrder>,
    /// The call was ended by us, or was not.
    pub hangup: Option<bool>,
    /// The recorder was started, or was not.
    pub record: Option<bool>,
    /// The state, as `state` or `flow.state`, that the dialog is in.
    pub state: Option<StateName>,
    /// The language now spoken.
    pub language: Option<Language>,
    /// Slots and their values.
    pub slots: BTreeMap<String, String>,
}

/// What an order must say; what is left out is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedOrder {
    /// The department.
    pub department: Option<DepartmentId>,
    /// The number to call back.
    pub number: Option<PhoneNumber>,
    /// When a callback is due: `queue_short`, or a time such as `2026-11-24 10:00`.
    pub due: Option<String>,
    /// The subject or reason, in part.
    pub about: Option<String>,
    /// What the recording says, in part.
    pub recording: Option<String>,
    /// Facts by name, in part.
    pub facts: BTreeMap<String, String>,
}

/// One or more parts of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Patterns(pub Vec<String>);

impl JsonSchema for Patterns {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Patterns".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } }
            ]
        })
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PatternsVisitor)
    }
}

/// Tells whether a text has the pattern in it: upper and lower case alike, `...` for anything.
pub fn matches(pattern: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    let mut rest = text.as_str();
    pattern
        .to_lowercase()
        .split("...")
        .map(str::trim)
        .all(|part| {
            rest.find(part).is_some_and(|at| {
                rest = &rest[at + part.len()..];
                true
            })
        })
}

struct PatternsVisitor;

impl<'de> Visitor<'de> for PatternsVisitor {
    type Value = Patterns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Patterns, E> {
        Ok(Patterns(vec![text.to_owned()]))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Patterns, A::Error> {
        let mut patterns = Vec::new();
        while let Some(pattern) = list.next_element()? {
            patterns.push(pattern);
        }
        Ok(Patterns(patterns))
    }
}

fn yes() -> bool {
    true
}

fn once() -> u32 {
    1
}
