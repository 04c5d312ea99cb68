//! How words end: whole, in the middle of a wish, or in a hesitation. Whoever stops in the middle
//! is thinking and is given more time.

use super::text::fold;
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

/// Tells whether a word is a mere hum in a language.
pub fn is_hum(word: &str, language: Language) -> bool {
    tongue(language).murmurs.hums.has(&fold(word))
}

/// Tells whether words only show that their speaker listens; they may be an answer all the same.
pub fn is_backchannel(text: &str, language: Language) -> bool {
    let tongue = tongue(language);
    let murmurs = &tongue.murmurs;
    let said = folded(text);
    let mut rest = said.as_slice();
    while let [word, others @ ..] = rest {
        let phrases = &mut murmurs.backchannels.iter();
        rest = match phrases.find(|phrase| rest.starts_with(phrase)) {
            Some(phrase) => &rest[phrase.len()..],
            None if murmurs.hums.has(word) => others,
            None => return false,
        };
    }
    true
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

    #[test]
    fn a_hum_is_a_hum_only_where_it_is_no_word() {
        for (word, language, expected) in [
            ("øh", Language::DA, true),
            ("mhm", Language::EN, true),
            ("um", Language::EN, true),
            ("ja", Language::DA, false),
            ("hvad", Language::DA, false),
        ] {
            assert_eq!(is_hum(word, language), expected, "{word}");
        }
    }

    #[test]
    fn listening_is_shown_in_the_words_of_the_language() {
        for (text, language, expected) in [
            ("", Language::DA, true),
            ("mhm", Language::DA, true),
            ("nå ja ja okay", Language::DA, true),
            ("ja ja øh", Language::DA, true),
            ("ja tak", Language::DA, false),
            ("jeg vil tale med nogen", Language::DA, false),
            ("uh huh right", Language::EN, true),
            ("yeah okay", Language::EN, true),
            ("nå", Language::EN, false),
            ("right you are", Language::EN, false),
        ] {
            assert_eq!(is_backchannel(text, language), expected, "{text}");
        }
    }
}
