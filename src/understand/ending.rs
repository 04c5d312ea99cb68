//! How words end: whole, in the middle of a wish, or in a hesitation. Whoever stops in the middle
//! is thinking and is given more time.

use super::text::words;
use crate::language::{Phrases, folded, tongue};
use crate::words::Language;

/// How a caller's words so far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// They may be all.
    Whole,
    /// With a word that wants another, such as "the" or "jeg vil gerne"; as an answer to yes or no
    /// ("det er det") they may still be all.
    Open,
    /// With a hesitation or a word that surely goes on, such as "øh" or "but".
    Hesitant,
}

/// Tells how words end in a language; what is not known of a language is whole.
pub fn ending(text: &str, language: Language) -> Ending {
    let tongue = tongue(language);
    if tongue.is_bare() {
        return Ending::Whole;
    }
    // What was not understood may be anything, and more may come of it.
    if text.trim_end().ends_with("[unk]") {
        return Ending::Open;
    }
    let said = folded(text);
    let ends_with = |phrases: &Phrases| phrases.iter().any(|phrase| said.ends_with(phrase));
    if ends_with(&tongue.murmurs.hesitations) {
        Ending::Hesitant
    } else if ends_with(&tongue.murmurs.unfinished) {
        Ending::Open
    } else {
        Ending::Whole
    }
}

/// Sounds that are no words in any language.
const HUMS: [&str; 14] = [
    "m", "mm", "mmm", "mhm", "hm", "hmm", "hmhm", "øh", "øhm", "æh", "uh", "um", "uhm", "ah",
];

/// What listeners say to show that they listen.
const BACKCHANNELS: [&str; 16] = [
    "ja", "jo", "jaja", "nå", "okay", "ok", "javel", "fint", "yes", "yeah", "yep", "right", "sure",
    "alright", "oh", "aha",
];

/// Tells whether a word is a mere hum.
pub fn is_hum(word: &str) -> bool {
    HUMS.contains(&word)
}

/// Tells whether words only show that their speaker listens; they may be an answer all the same.
pub fn is_backchannel(text: &str) -> bool {
    let said = words(text);
    said.iter()
        .all(|word| is_hum(word) || BACKCHANNELS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_stops_in_the_middle_has_not_finished() {
        for (text, language, expected) in [
            ("ja tak", Language::DA, Ending::Whole),
            ("borgerservice", Language::DA, Ending::Whole),
            ("det drejer sig om mit pas", Language::DA, Ending::Whole),
            ("jeg vil gerne", Language::DA, Ending::Open),
            ("mit nummer er", Language::DA, Ending::Open),
            ("ja men", Language::DA, Ending::Hesitant),
            ("jeg skal tale med øh", Language::DA, Ending::Hesitant),
            ("ja gerne", Language::DA, Ending::Whole),
            ("borgerservice [unk]", Language::DA, Ending::Open),
            ("i'd like to speak with the", Language::EN, Ending::Open),
            ("my number is um", Language::EN, Ending::Hesitant),
            ("yes please", Language::EN, Ending::Whole),
            ("", Language::EN, Ending::Whole),
        ] {
            assert_eq!(ending(text, language), expected, "{text}");
        }
    }
}
