//! A flow as people write it: named states, each a list of steps, one key per step.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::words::{FlowName, IntentName, Key, Language, StateName, Texts};

/// A flow document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Its name, the same as its file's.
    pub flow: FlowName,
    /// The state it begins with.
    pub start: StateName,
    /// Its states.
    pub states: BTreeMap<StateName, Vec<Step>>,
}

/// One step. In YAML: a single key, such as `- say: { da: "Hej", en: "Hello" }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Say the notices in force, if any.
    Notices(Nothing),
    /// Say a text.
    Say(Say),
    /// Ask a question and put the answer in a slot.
    Ask(Box<Ask>),
    /// Do the steps of the first branch whose condition holds.
    When(Vec<Branch>),
    /// Go on at a state of this flow.
    Goto(StateName),
    /// Go through another flow, then come back.
    Call(FlowName),
    /// Put slots, in order; values are expressions.
    Set(Entries),
    /// Move the caller to a department, an extension or another number; ends the flow.
    Transfer(Transfer),
    /// Record what the caller says, for a message or a cancellation.
    Record(Record),
    /// Send a message to a department.
    Message(Message),
    /// Cancel an appointment.
    Cancel(Cancel),
    /// Order a callback.
    Callback(Callback),
    /// Speak another of the tenant's languages from here on: an expression giving its code.
    Language(String),
    /// Go back to the flow that called this one; at the end of the first flow, hang up.
    Return(Nothing),
    /// Say goodbye and end the call.
    Hangup(Hangup),
}

/// A step without settings, written `{}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A text, or a text with settings: `{ da: "Hej" }` or `{ text: { da: "Hej" }, barge_in: false }`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Say {
    /// Text per language; templates are filled in.
    Texts(Texts),
    /// The same with settings.
    Full(SayFully),
}

impl Say {
    /// Returns the text per language, however it was written.
    pub fn texts(&self) -> &Texts {
        match self {
            Self::Texts(texts) => texts,
            Self::Full(full) => &full.text,
        }
    }

    /// Tells what of the caller's may cut it off.
    pub fn barge_in(&self) -> BargeIn {
        match self {
            Self::Texts(_) => BargeIn::Speech,
            Self::Full(full) => full.barge_in,
        }
    }
}

/// A text with settings.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SayFully {
    /// Text per language.
    pub text: Texts,
    /// Whether the caller's voice may cut it off; yes by default.
    #[serde(default)]
    pub barge_in: BargeIn,
}

// By hand, because serde's own reading of an untagged enum loses the place of what is wrong.
impl<'de> Deserialize<'de> for Say {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SayVisitor)
    }
}

struct SayVisitor;

impl<'de> Visitor<'de> for SayVisitor {
    type Value = Say;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text per language, such as { da: \"Hej\", en: \"Hello\" }")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Say, A::Error> {
        let mut texts = Texts::new();
        let mut full_text = None;
        let mut barge_in = None;
        while let Some(key) = map.next_key::<SayKey>()? {
            match key {
                SayKey::Text => full_text = Some(map.next_value()?),
                SayKey::BargeIn => barge_in = Some(map.next_value()?),
                SayKey::Language(language) => {
                    texts.insert(language, map.next_value()?);
                }
            }
        }
        match (full_text, barge_in) {
            (None, None) => Ok(Say::Texts(texts)),
            (Some(text), barge_in) if texts.is_empty() => Ok(Say::Full(SayFully {
                text,
                barge_in: barge_in.unwrap_or_default(),
            })),
            (Some(_), _) => Err(A::Error::custom(
                "languages stand both beside and inside `text`: put them all inside",
            )),
            (None, Some(_)) => Err(A::Error::custom(
                "`barge_in` needs the text inside `text`: { text: { da: \"Hej\" }, barge_in: false }",
            )),
        }
    }
}

enum SayKey {
    Text,
    BargeIn,
    Language(Language),
}

impl<'de> Deserialize<'de> for SayKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        match key.as_str() {
            "text" => Ok(Self::Text),
            "barge_in" => Ok(Self::BargeIn),
            other => other
                .parse()
                .map(Self::Language)
                .map_err(serde::de::Error::custom),
        }
    }
}

/// What cuts a text off: `true` or `speech` for the caller's voice and keys, `false` or `keys` for
/// keys alone, which always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BargeIn {
    /// The voice and keys.
    #[default]
    Speech,
    /// Keys alone; what is said meanwhile counts once the text is over.
    Keys,
}

impl BargeIn {
    /// Tells whether the caller's voice cuts in.
    pub fn by_speech(self) -> bool {
        self == Self::Speech
    }
}

impl Serialize for BargeIn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(self.by_speech())
    }
}

impl<'de> Deserialize<'de> for BargeIn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BargeInVisitor)
    }
}

struct BargeInVisitor;

impl Visitor<'_> for BargeInVisitor {
    type Value = BargeIn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`speech` (or `true`) or `keys` (or `false`)")
    }

    fn visit_bool<E: serde::de::Error>(self, speech: bool) -> Result<BargeIn, E> {
        Ok(if speech {
            BargeIn::Speech
        } else {
            BargeIn::Keys
        })
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<BargeIn, E> {
        match text {
            "true" | "speech" => Ok(BargeIn::Speech),
            "false" | "keys" => Ok(BargeIn::Keys),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }
}

impl JsonSchema for BargeIn {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BargeIn".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "What cuts a text off: `true` or `speech` for the caller's voice and keys, `false` or `keys` for keys alone, which always do.",
            "enum": [true, false, "speech", "keys"]
        })
    }
}

/// Names with a value each, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries(pub Vec<(String, String)>);

impl Serialize for Entries {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names with a text each")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

impl JsonSchema for Entries {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Entries".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "additionalProperties": { "type": "string" }
        })
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The question; may be left out where the step before has said it.
    #[serde(default)]
    pub say: Texts,
    /// What kind of answer is wanted.
    #[serde(rename = "for")]
    pub answer: Answer,
    /// The slot that gets the answer.
    pub into: String,
    /// What keys mean; a value for the slot, such as an intent or a department. An intent question
    /// with `departments` adds the tenant's menu, `yes_no` adds 1 and 2.
    #[serde(default)]
    pub keys: BTreeMap<Key, String>,
    /// What to say instead of the question at the second, third … try.
    #[serde(default)]
    pub again: Vec<Texts>,
    /// How often to ask in all, before `otherwise`.
    #[serde(default = "three")]
    pub tries: u32,
    /// How long a silence, in seconds, counts as no answer.
    #[serde(default = "six")]
    pub silence_seconds: u32,
    /// Read the answer back and have it confirmed: always, never, or (when left out) where in doubt.
    #[serde(default)]
    pub confirm: Option<bool>,
    /// What to do when there is no answer after all tries; by default: to the operator.
    #[serde(default)]
    pub otherwise: Vec<Step>,
    /// Whether the caller's voice may cut the question off; yes by default.
    #[serde(default)]
    pub barge_in: BargeIn,
    /// The pause after which an answer counts as finished, such as `900ms`; when left out, the pause
    /// that fits the kind of answer.
    #[serde(
        default,
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
    )]
    #[schemars(with = "Option<String>")]
    pub patience: Option<Duration>,
}

/// What kind of answer a question wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// One of these intents: `departments` stands for every department; the slot gets the
    /// intent's name, or `department` with the slot `department` set to which one. Whether an
    /// intent's module is switched on is for the flow to look at: `modules.callback`.
    Intent(Vec<IntentName>),
    /// A department of the tenant; the slot gets its id.
    Department,
    /// Yes or no; the slot gets true or false.
    YesNo,
    /// Digits, such as a case number; the slot gets them as text.
    Digits(Digits),
    /// A telephone number; the slot gets it in E.164.
    Phone,
    /// A day from today on; the slot gets `2026-05-03`.
    Date,
    /// A time of day; the slot gets `14:30`.
    Time,
    /// Whatever is said; the slot gets the words.
    Text,
    /// One of these; the slot gets its name.
    Choice(BTreeMap<String, Choice>),
}

/// How many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Digits {
    /// At least so many.
    pub min: u8,
    /// At most so many.
    pub max: u8,
}

/// One of several things that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// How it is read out.
    pub say: Texts,
    /// Words that mean it, per language.
    #[serde(default)]
    pub words: BTreeMap<Language, Vec<String>>,
}

/// A branch of `when`: `if` with `do`, or `else` as the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// A condition, such as `department.open and department.wait < 300`.
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// What is done when it holds.
    #[serde(rename = "do", default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Step>>,
    /// What is done when no branch before it held.
    #[serde(rename = "else", default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Vec<Step>>,
}

/// Where to move the caller. Exactly one of `department`, `extension` and `number`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Transfer {
    /// An expression giving a department id, such as `department.id` or `'operator'`.
    pub department: Option<String>,
    /// An extension of the PBX.
    pub extension: Option<String>,
    /// An expression giving a telephone number.
    pub number: Option<String>,
    /// What the agent is told the call is about: a template.
    pub reason: Option<String>,
    /// Queue priority; 0 is ordinary.
    pub priority: u32,
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What is said before the beep.
    pub say: Texts,
    /// The slot that gets the recording: `.file`, `.seconds`, `.transcript`.
    pub into: String,
    /// The longest, in seconds.
    #[serde(default = "two_minutes")]
    pub max_seconds: u32,
    /// How much silence ends it, in seconds.
    #[serde(default = "four")]
    pub silence_seconds: u32,
    /// What to do when nothing was said.
    #[serde(default)]
    pub otherwise: Vec<Step>,
}

/// A message to a department.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// An expression giving a department id.
    pub department: String,
    /// The slot with the recording, if any.
    #[serde(default)]
    pub recording: Option<String>,
    /// What it is about: a template.
    #[serde(default)]
    pub subject: String,
    /// Further facts, in order: name and template.
    #[serde(default)]
    pub facts: Entries,
    /// The slot that gets the reference.
    pub into: String,
    /// What to do when it cannot be taken; by default: to the operator.
    #[serde(default)]
    pub otherwise: Vec<Step>,
}

/// The cancellation of an appointment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// An expression giving a department id.
    pub department: String,
    /// A template giving the case worker's mail address; the department's when left out or empty.
    #[serde(default)]
    pub case_worker: Option<String>,
    /// The slot with the recording, if any.
    #[serde(default)]
    pub recording: Option<String>,
    /// What was gathered, in order: name and template.
    #[serde(default)]
    pub facts: Entries,
    /// The slot that gets the reference.
    pub into: String,
    /// What to do when it cannot be taken; by default: to the operator.
    #[serde(default)]
    pub otherwise: Vec<Step>,
}

/// A callback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Callback {
    /// An expression giving a department id.
    pub department: String,
    /// An expression giving the number.
    pub number: String,
    /// Expressions giving a day and a time; as soon as the queue is short when left out.
    #[serde(default)]
    pub date: Option<String>,
    /// See `date`.
    #[serde(default)]
    pub time: Option<String>,
    /// What it is about: a template.
    #[serde(default)]
    pub reason: String,
    /// The slot that gets the reference.
    pub into: String,
    /// What to do when it cannot be ordered; by default: to the operator.
    #[serde(default)]
    pub otherwise: Vec<Step>,
}

/// The end of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hangup {
    /// The last words.
    pub say: Texts,
}

fn three() -> u32 {
    3
}

fn six() -> u32 {
    6
}

fn four() -> u32 {
    4
}

fn two_minutes() -> u32 {
    120
}
