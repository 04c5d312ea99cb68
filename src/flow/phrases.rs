//! The sentences the dialog speaks by itself, whatever the flow: they stand in
//! `flows/common/phrases.yaml`, so that a municipality can word them without a new program.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::Texts;

/// Every built-in sentence, each a template per language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phrases {
    /// "Do you mean …?"; `name`.
    pub confirm_intent: Texts,
    /// "Do you mean … or …?"; `first`, `second`.
    pub which_of: Texts,
    /// Comes before the keys are read out.
    pub press_keys: Texts,
    /// One key of the menu; `key`, `name`.
    pub press_key: Texts,
    /// The keys of a yes-or-no question.
    pub press_yes_no: Texts,
    /// Asks for digits by keys, ended with hash.
    pub enter_digits: Texts,
    /// Asks for day and month by four keys.
    pub enter_date: Texts,
    /// Asks for a time by four keys.
    pub enter_time: Texts,
    /// What an agent hears before the caller, in the agents' language; `tenant`, `reason`,
    /// `language` (the agents') and `spoken` (the caller's), as codes, `spoken_name` in words.
    pub whisper: Texts,
    /// The caller said something that means nothing here.
    pub not_understood: Texts,
    /// The caller said nothing.
    pub not_heard: Texts,
    /// The key means nothing here.
    pub wrong_key: Texts,
    /// Reads an answer back; `value`, written out as it is spoken.
    pub confirm_value: Texts,
    /// The caller is being moved to a person.
    pub to_person: Texts,
    /// Something takes a moment.
    pub one_moment: Texts,
    /// A module is switched off, or a service failed.
    pub no_service: Texts,
    /// The language of the call was changed to this one.
    pub language_switched: Texts,
    /// What the operator is called, as in "press 0 for …".
    pub operator: Texts,
    /// Between the last two of a list of which one is meant.
    pub or: Texts,
    /// Between the last two of a list of which all are meant.
    pub and: Texts,
    /// Offers a language at the start of a call; `language_name`, `key`, `speech`. Said in each language.
    pub choose_language: Texts,
    /// Last words where a flow ends without any.
    pub goodbye: Texts,
}

impl Phrases {
    /// Returns every phrase with its name and the variables its templates may use.
    pub fn all(&self) -> [(&'static str, &Texts, &'static [&'static str]); 22] {
        [
            ("confirm_intent", &self.confirm_intent, &["name"]),
            ("which_of", &self.which_of, &["first", "second"]),
            ("press_keys", &self.press_keys, &[]),
            ("press_key", &self.press_key, &["key", "name"]),
            ("press_yes_no", &self.press_yes_no, &[]),
            ("enter_digits", &self.enter_digits, &[]),
            ("enter_date", &self.enter_date, &[]),
            ("enter_time", &self.enter_time, &[]),
            (
                "whisper",
                &self.whisper,
                &["tenant", "reason", "language", "spoken", "spoken_name"],
            ),
            ("not_understood", &self.not_understood, &[]),
            ("not_heard", &self.not_heard, &[]),
            ("wrong_key", &self.wrong_key, &[]),
            ("confirm_value", &self.confirm_value, &["value"]),
            ("to_person", &self.to_person, &[]),
            ("one_moment", &self.one_moment, &[]),
            ("no_service", &self.no_service, &[]),
            ("language_switched", &self.language_switched, &[]),
            ("operator", &self.operator, &[]),
            ("or", &self.or, &[]),
            ("and", &self.and, &[]),
            (
                "choose_language",
                &self.choose_language,
                &["language_name", "key", "speech"],
            ),
            ("goodbye", &self.goodbye, &[]),
        ]
    }
}
