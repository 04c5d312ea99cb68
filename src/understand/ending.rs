//! How words end: whole, in the middle of a wish, or in a hesitation. Whoever stops in the middle
//! is thinking and is given more time.

use super::text::words;
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

/// What a language's words that go on are.
struct Endings {
    hesitant: &'static str,
    /// Phrases, one a line or comma.
    open: &'static str,
}

const DANISH: Endings = Endings {
    hesitant: "øh, øhm, øhh, æh, æhm, eh, ehm, hm, hmm, altså, men, og, eller, fordi, for at, så at, \
               vent, lad mig se, lad os se, et øjeblik",
    open: "jeg, vi, du, vil gerne, ville gerne, jeg vil, jeg skal, jeg kan, jeg har, jeg er, jeg ville, \
           skal bare, tale med, snakke med, tale, snakke, høre, spørge, vide, have, til, med, om, på, i, \
           fra, ved, af, for, hos, mod, en, et, den, det, de, der, min, mit, mine, din, dit, noget, nogen, \
           er, hedder, bor, handler, drejer sig, nummeret er, nummeret, klokken, kl, den første i, at, som, \
           hvis, når, hr, fru, vedrørende, angående, ny, nyt, nye, gammel, gammelt",
};

const ENGLISH: Endings = Endings {
    hesitant: "um, uh, er, erm, ehm, hm, hmm, uhm, but, and, or, because, so that, wait, let me see, \
               hang on, hold on, one moment, well",
    open: "i, we, you, i want, i need, i would, i'd, would like, i'd like, like to, i have, i am, i'm, \
           speak, talk, speak to, speak with, talk to, ask, ask about, to, with, about, on, in, from, at, \
           of, for, by, the, a, an, my, your, some, any, is, are, am, number is, it's, this is, name is, \
           live, live at, that, which, if, when, mr, mrs, ms, regarding, concerning, new, old",
};

/// Tells how words end in a language; what is not known of a language is whole.
pub fn ending(text: &str, language: Language) -> Ending {
    let endings = match language {
        Language::DA => DANISH,
        Language::EN => ENGLISH,
        _ => return Ending::Whole,
    };
    // What was not understood may be anything, and more may come of it.
    if text.trim_end().ends_with("[unk]") {
        return Ending::Open;
    }
    let said = words(text);
    let ends_with = |phrases: &str| {
        phrases.split(',').any(|phrase| {
            let phrase = words(phrase);
            !phrase.is_empty() && said.ends_with(&phrase)
        })
    };
    if ends_with(endings.hesitant) {
        Ending::Hesitant
    } else if ends_with(endings.open) {
        Ending::Open
    } else {
        Ending::Whole
    }
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
