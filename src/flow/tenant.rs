//! A tenant as its file says it: numbers, languages, hours, departments and what is switched on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pbx::DialOrder;
use crate::service::hours::{Holidays, Hours};
use crate::words::{
    DepartmentId, FlowName, IntentName, Language, PhoneNumber, QueueName, TenantId, Texts,
};

/// A municipality or other organisation that owns telephone numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Short name, the same as its folder's.
    pub tenant: TenantId,
    /// What it is called aloud.
    pub name: Texts,
    /// The numbers (DIDs) that reach it, as the PBX delivers them or in E.164.
    pub numbers: Vec<String>,
    /// Languages spoken, the first one first.
    pub languages: Vec<Language>,
    /// How the language of a call is found: `detected` from what the caller says, `asked` at the
    /// start, or `fixed` to the first one until the caller asks for another.
    #[serde(default)]
    pub language_choice: LanguageChoice,
    /// IANA time zone.
    #[serde(default = "copenhagen")]
    pub time_zone: String,
    /// The flow a call begins with.
    #[serde(default = "reception")]
    pub flow: FlowName,
    /// Hours of departments that have none of their own.
    pub hours: Hours,
    /// Public holidays and other special days.
    #[serde(default)]
    pub holidays: Holidays,
    /// Where calls can go.
    pub departments: BTreeMap<DepartmentId, Department>,
    /// The department whose queue takes everyone who wants a person.
    pub operator: DepartmentId,
    /// Keys of the main menu.
    #[serde(default)]
    pub keys: BTreeMap<crate::words::Key, DepartmentId>,
    /// What is switched on.
    #[serde(default)]
    pub modules: Vec<Module>,
    /// Further words for what a caller can want beside departments, added to `flows/common/intents.yaml`.
    #[serde(default)]
    pub intents: BTreeMap<IntentName, Intent>,
    /// Prepared notices by name: what is said once one of them is switched on.
    #[serde(default)]
    pub notices: BTreeMap<String, Texts>,
    /// How callbacks are made.
    #[serde(default)]
    pub callback: CallbackRules,
    /// Mail.
    pub mail: TenantMail,
}

impl Tenant {
    /// Tells whether a module is switched on.
    pub fn has(&self, module: Module) -> bool {
        self.modules.contains(&module)
    }

    /// Returns the language spoken first; Danish where the list is empty.
    pub fn first_language(&self) -> Language {
        self.languages.first().copied().unwrap_or(Language::DA)
    }
}

/// How the language of a call is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LanguageChoice {
    /// By what the caller says, from the first words on.
    #[default]
    Detected,
    /// The caller is asked at the start, and may change it by words of another language later.
    Asked,
    /// It is the first of the tenant's languages until the caller asks for another by name.
    Fixed,
}

/// A function that a tenant can switch on.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Module {
    /// Callers may be called back.
    Callback,
    /// Callers may leave messages.
    Message,
    /// Callers may cancel appointments.
    CancelAppointment,
}

impl Module {
    /// Every module there is.
    pub const ALL: [Self; 3] = [Self::Callback, Self::Message, Self::CancelAppointment];

    /// Returns its name as files and `modules.<name>` say it; the intent and the flow that
    /// belong to a module have the same name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Message => "message",
            Self::CancelAppointment => "cancel_appointment",
        }
    }
}

/// Where a call can go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Department {
    /// What it is called aloud.
    pub name: Texts,
    /// Other names by which callers ask for it, per language.
    #[serde(default)]
    pub words: BTreeMap<Language, Vec<String>>,
    /// What it deals with, per language.
    #[serde(default)]
    pub topics: BTreeMap<Language, Vec<String>>,
    /// Whole sentences, as callers say them, per language.
    #[serde(default)]
    pub examples: BTreeMap<Language, Vec<String>>,
    /// Its queue on the PBX.
    pub queue: QueueName,
    /// Its hours, where they differ from the tenant's.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// Where its mail goes.
    pub mail: String,
    /// Where callers go when it cannot take them.
    #[serde(default)]
    pub overflow: Option<DepartmentId>,
    /// Whether it takes cancellations of appointments.
    #[serde(default)]
    pub appointments: bool,
    /// Who is rung first in a callback, where it differs from the tenant's.
    #[serde(default)]
    pub callback_order: Option<DialOrder>,
}

impl Department {
    /// Returns the words by which callers ask for it.
    pub fn wording(&self) -> Wording {
        Wording {
            words: self.words.clone(),
            topics: self.topics.clone(),
            examples: self.examples.clone(),
        }
    }
}

/// Something beside a department that a caller can want, such as `callback`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// How it is read out in "Do you mean …?" and "Press 1 for …". A tenant may leave it out
    /// where it only adds words to a shared intent.
    #[serde(default)]
    pub name: Texts,
    /// Names and synonyms, per language.
    #[serde(default)]
    pub words: BTreeMap<Language, Vec<String>>,
    /// What it is about, per language.
    #[serde(default)]
    pub topics: BTreeMap<Language, Vec<String>>,
    /// Whole sentences, as callers say them, per language.
    #[serde(default)]
    pub examples: BTreeMap<Language, Vec<String>>,
}

impl Intent {
    /// Returns the words by which callers ask for it.
    pub fn wording(&self) -> Wording {
        Wording {
            words: self.words.clone(),
            topics: self.topics.clone(),
            examples: self.examples.clone(),
        }
    }

    /// Adds the words of another description of the same intent; its name wins where it has one.
    pub(super) fn add(&mut self, other: &Self) {
        self.name.extend(other.name.clone());
        for (mine, theirs) in [
            (&mut self.words, &other.words),
            (&mut self.topics, &other.topics),
            (&mut self.examples, &other.examples),
        ] {
            for (language, list) in theirs {
                mine.entry(*language)
                    .or_default()
                    .extend(list.iter().cloned());
            }
        }
    }
}

/// The words by which callers ask for something, per language.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wording {
    /// Names and synonyms.
    pub words: BTreeMap<Language, Vec<String>>,
    /// What it deals with.
    pub topics: BTreeMap<Language, Vec<String>>,
    /// Whole sentences, as callers say them.
    pub examples: BTreeMap<Language, Vec<String>>,
}

impl Wording {
    /// Tells whether there are no words at all in a language.
    pub fn is_silent(&self, language: Language) -> bool {
        [&self.words, &self.topics, &self.examples]
            .iter()
            .all(|list| list.get(&language).is_none_or(Vec::is_empty))
    }
}

/// How callbacks are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CallbackRules {
    /// Who is rung first.
    pub order: DialOrder,
    /// Attempts in all.
    pub attempts: u32,
    /// Minutes between attempts.
    pub gap_minutes: u32,
    /// Days until a callback lapses.
    pub expiry_days: u32,
    /// Seconds the caller's telephone rings.
    pub ring_seconds: u32,
    /// A callback is made when so many or fewer are waiting and an agent is free.
    pub queue_short: u32,
    /// Expected wait in seconds from which a callback is offered.
    pub offer_from_seconds: u32,
    /// The number shown; the tenant's first when absent.
    pub caller_id: Option<PhoneNumber>,
}

impl Default for CallbackRules {
    fn default() -> Self {
        Self {
            order: DialOrder::default(),
            attempts: 3,
            gap_minutes: 15,
            expiry_days: 2,
            ring_seconds: 30,
            queue_short: 0,
            offer_from_seconds: 300,
            caller_id: None,
        }
    }
}

/// A tenant's mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantMail {
    /// Sender of its mails.
    pub from: String,
    /// Who is told when a mail cannot be delivered.
    #[serde(default)]
    pub escalate_to: Option<String>,
    /// The language of its mails and whispers.
    #[serde(default)]
    pub language: Option<Language>,
}

fn copenhagen() -> String {
    "Europe/Copenhagen".to_owned()
}

fn reception() -> FlowName {
    FlowName::from("reception")
}
