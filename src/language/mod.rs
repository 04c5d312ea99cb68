//! Languages: everything that Hotline knows of one stands in a text file, `flows/languages/xx.yaml`.
//! Danish and English come with the program; others are learned when a folder of flows is loaded.
//!
//! Languages belong to the whole program, as its voices and recognisers do, and not to one tenant:
//! whoever holds a [`Language`] finds what is known of it here. Nothing is read from disk here.

mod composed;
pub(crate) mod lexicon;
mod parts;
mod tongue;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

pub(crate) use parts::folded;
pub use parts::{Forms, Phrases, Words};
pub use tongue::*;

use crate::words::Language;

/// The languages that come with the program, as their files are written.
pub const BUILT_IN: [(Language, &str); 2] = [
    (Language::DA, include_str!("../../flows/languages/da.yaml")),
    (Language::EN, include_str!("../../flows/languages/en.yaml")),
];

type Tongues = BTreeMap<Language, Arc<Tongue>>;

static KNOWN: LazyLock<RwLock<Tongues>> = LazyLock::new(|| RwLock::new(built_in()));

/// What is known of a language of which nothing is known: numerals are heard and spoken.
static BARE: LazyLock<Arc<Tongue>> = LazyLock::new(|| Arc::new(Tongue::bare(Language::EN)));

fn built_in() -> Tongues {
    let read = |(language, text): (Language, &str)| {
        let tongue: Tongue = serde_saphyr::from_str(text).ok()?;
        Some((language, Arc::new(tongue.prepare())))
    };
    BUILT_IN.into_iter().filter_map(read).collect()
}

/// Returns what is known of a language; a bare one where nothing is.
pub fn tongue(language: Language) -> Arc<Tongue> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.get(&language).unwrap_or(&BARE))
}

/// Returns the languages that are known, in the order of their codes.
pub fn known() -> Vec<Language> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.keys().copied().collect()
}

/// Returns how many digits a word stands for in any language that is known, at least.
pub fn digits_said_by(word: &str) -> usize {
    let folded = crate::understand::text::fold(word).replace('-', "");
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let counts = known
        .values()
        .map(|tongue| tongue.lexicon.digits_said_by(&folded));
    counts.max().unwrap_or(0)
}

/// Learns languages; what was known of them before is forgotten, other languages stay.
pub fn learn(tongues: impl IntoIterator<Item = Tongue>) {
    let learned: Vec<Arc<Tongue>> = tongues
        .into_iter()
        .map(|tongue| Arc::new(tongue.prepare()))
        .collect();
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.extend(learned.into_iter().map(|tongue| (tongue.language, tongue)));
}

#[cfg(test)]
mod tests;
