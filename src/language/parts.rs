//! What a language file is made of: single words, lists of words and lists of phrases, kept in the
//! folded form in which they are compared with what was heard.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::understand::text::{fold, words};

/// A word as it is spoken, and after it further forms that are heard: `zwei zwo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Forms {
    /// As it is spoken.
    pub spoken: String,
    /// All of them, folded, the spoken one first.
    pub heard: Vec<String>,
}

impl From<String> for Forms {
    fn from(text: String) -> Self {
        Self {
            spoken: text
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned(),
            heard: text.split_whitespace().map(fold).collect(),
        }
    }
}

/// Words with blanks between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Words(BTreeSet<String>);

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self(text.split_whitespace().map(fold).collect())
    }
}

impl Words {
    /// Tells whether a folded word is one of them.
    pub fn has(&self, folded: &str) -> bool {
        self.0.contains(folded)
    }

    /// Returns them in the order of the alphabet, folded.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// A list of phrases of one or more words each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<String>")]
pub struct Phrases(Vec<Vec<String>>);

impl From<Vec<String>> for Phrases {
    fn from(texts: Vec<String>) -> Self {
        let mut phrases: Vec<Vec<String>> = texts.iter().map(|text| folded(text)).collect();
        phrases.retain(|phrase| !phrase.is_empty());
        phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
        Self(phrases)
    }
}

impl Phrases {
    /// Returns the words of each phrase, folded; the longest phrases first.
    pub fn iter(&self) -> impl Iterator<Item = &[String]> {
        self.0.iter().map(Vec::as_slice)
    }
}

/// Returns the words of a phrase, folded.
pub(crate) fn folded(phrase: &str) -> Vec<String> {
    words(phrase).iter().map(|word| fold(word)).collect()
}

impl JsonSchema for Forms {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Forms".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A word as it is spoken; after it, with blanks between, other forms that are heard.",
        })
    }
}

impl JsonSchema for Words {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "Words with blanks between them." })
    }
}

impl JsonSchema for Phrases {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Phrases".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string" },
            "description": "Phrases of one or more words.",
        })
    }
}
