//! Which language was spoken, by the words that only one of them has.

use super::vocabulary::Vocabulary;
use crate::dialog::{Heard, Hypothesis};
use crate::words::Language;

/// Tells Danish from English, with a confidence from 0 to 1; nothing where the words do not say.
pub fn language_of(_text: &str) -> Option<(Language, f32)> {
    None
}

/// Chooses between what the recognisers of several languages made of one turn.
///
/// The preferred language (that of the call so far) wins unless another one plainly makes more
/// sense. Returns nothing when nothing was heard.
pub fn choose<'a>(
    heard: &'a Heard,
    preferred: Language,
    _vocabulary: &Vocabulary,
) -> Option<&'a Hypothesis> {
    heard
        .hypotheses
        .iter()
        .find(|hypothesis| hypothesis.language == preferred)
}
