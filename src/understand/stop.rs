//! Words that say nothing about what a caller wants.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::stem::{Stemmed, Stems};
use crate::language::Tongue;

/// How much a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Nothing: it holds the sentence together.
    Function,
    /// Nothing, except inside a phrase of the tenant.
    Carrier,
    /// Something.
    Content,
}

/// The stop words of one language.
#[derive(Clone, Debug)]
pub(super) struct StopWords {
    tongue: Arc<Tongue>,
    /// Carriers by their stems too: `tal` like `tale`.
    carrier: BTreeSet<String>,
}

impl StopWords {
    /// Returns the stop words of a language; a language without a list has none.
    pub(super) fn of(tongue: &Arc<Tongue>) -> Self {
        let stems = Stems::of(tongue);
        let mut carrier = BTreeSet::new();
        for word in tongue.wishes.carriers.split_whitespace() {
            let word = stems.stem(word);
            carrier.extend([word.folded, word.stem]);
        }
        Self {
            tongue: Arc::clone(tongue),
            carrier,
        }
    }

    /// Tells whether a folded word is a particle.
    pub(super) fn is_particle(&self, folded: &str) -> bool {
        self.tongue.wishes.particles.has(folded)
    }

    /// Tells whether a folded word is an article.
    pub(super) fn is_article(&self, folded: &str) -> bool {
        self.tongue.wishes.articles.has(folded)
    }

    /// Weighs a word.
    pub(super) fn weigh(&self, word: &Stemmed) -> Weight {
        if self.tongue.wishes.function.has(&word.folded) {
            Weight::Function
        } else if self.carrier.contains(&word.folded) || self.carrier.contains(&word.stem) {
            Weight::Carrier
        } else {
            Weight::Content
        }
    }
}
