//! A tenant's words, made ready for understanding.

use super::intent::{Intent, Understanding, Verdict};
use crate::words::Language;

/// All intents that can be understood at one place of a flow, indexed per language.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary;

impl Vocabulary {
    /// Indexes the intents.
    pub fn new(_intents: &[Intent]) -> Self {
        Self
    }

    /// Ranks the intents by how well they fit the words; never fails, whatever the text.
    pub fn understand(&self, _text: &str, _language: Language) -> Understanding {
        Understanding {
            ranked: Vec::new(),
            verdict: Verdict::Nothing,
        }
    }

    /// Returns names, synonyms and topics in one language, sorted: hints for a recogniser.
    pub fn hints(&self, _language: Language) -> Vec<String> {
        Vec::new()
    }
}
