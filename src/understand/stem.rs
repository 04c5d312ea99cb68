//! Stems: what is left of a word when its endings are off.

use rust_stemmers::Algorithm;

use super::text::fold;
use crate::language::{Stemmer, Tongue};

/// Takes endings off the words of one language.
pub(super) struct Stems {
    stemmer: Option<rust_stemmers::Stemmer>,
    of: Option<Stemmer>,
}

/// One word in the forms in which it is compared, all folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stemmed {
    /// The word itself.
    pub(super) folded: String,
    /// Without inflection: `kørekortet` → `koerekort`.
    pub(super) stem: String,
    /// Without derivation too: `flytning`, `flytte` → `flyt`.
    pub(super) root: String,
}

impl Stems {
    /// Prepares a language; one without a stemmer keeps its words whole.
    pub(super) fn of(tongue: &Tongue) -> Self {
        let algorithm = tongue.stemmer.map(|stemmer| match stemmer {
            Stemmer::Arabic => Algorithm::Arabic,
            Stemmer::Danish => Algorithm::Danish,
            Stemmer::Dutch => Algorithm::Dutch,
            Stemmer::English => Algorithm::English,
            Stemmer::Finnish => Algorithm::Finnish,
            Stemmer::French => Algorithm::French,
            Stemmer::German => Algorithm::German,
            Stemmer::Greek => Algorithm::Greek,
            Stemmer::Hungarian => Algorithm::Hungarian,
            Stemmer::Italian => Algorithm::Italian,
            Stemmer::Norwegian => Algorithm::Norwegian,
            Stemmer::Portuguese => Algorithm::Portuguese,
            Stemmer::Romanian => Algorithm::Romanian,
            Stemmer::Russian => Algorithm::Russian,
            Stemmer::Spanish => Algorithm::Spanish,
            Stemmer::Swedish => Algorithm::Swedish,
            Stemmer::Tamil => Algorithm::Tamil,
            Stemmer::Turkish => Algorithm::Turkish,
        });
        Self {
            stemmer: algorithm.map(rust_stemmers::Stemmer::create),
            of: tongue.stemmer,
        }
    }

    /// Stems one lower-case word.
    pub(super) fn stem(&self, word: &str) -> Stemmed {
        let word = match self.of {
            Some(Stemmer::English) => british(word),
            Some(Stemmer::Danish) => full_ending(word),
            _ => word.to_owned(),
        };
        let stem = match &self.stemmer {
            Some(stemmer) => fold(&stemmer.stem(&word)),
            None => fold(&word),
        };
        let folded = fold(&word);
        let root = match self.of {
            Some(Stemmer::Danish) => danish_root(&folded, &stem),
            _ => stem.clone(),
        };
        Stemmed { folded, stem, root }
    }
}

/// Writes the American spelling of the few British ones that stemmers keep apart.
fn british(word: &str) -> String {
    match word {
        "licence" | "licences" => word.replace("licence", "license"),
        "centre" | "centres" => word.replace("centre", "center"),
        "enrolment" => "enrollment".to_owned(),
        "cheque" => "check".to_owned(),
        _ => word
            .replace("isation", "ization")
            .replace("colour", "color"),
    }
}

/// Writes the vowel that Danish drops: `centret`, `centrene` → `center`.
fn full_ending(word: &str) -> String {
    for ending in ["trenes", "trene", "trets", "tret", "terets", "teret"] {
        if let Some(head) = word.strip_suffix(ending)
            && head.len() >= 4
        {
            return format!("{head}ter");
        }
    }
    word.to_owned()
}

/// Brings nouns and verbs together that Snowball keeps apart.
fn danish_root(folded: &str, stem: &str) -> String {
    for ending in [
        "eringerne",
        "eringens",
        "eringen",
        "eringer",
        "ering",
        "erede",
        "erer",
        "eret",
        "ere",
    ] {
        if let Some(head) = folded.strip_suffix(ending)
            && head.len() >= 3
        {
            return format!("{head}er");
        }
    }
    for ending in ["ning", "ing", "els"] {
        if let Some(head) = stem.strip_suffix(ending)
            && head.len() >= 3
        {
            return single_end(head);
        }
    }
    // "pladsen" keeps the s that "plads" loses.
    match stem.strip_suffix('s') {
        Some(head) if head.len() >= 5 => head.to_owned(),
        _ => stem.to_owned(),
    }
}

/// Takes one of two equal consonants off the end: `bestill` → `bestil`.
fn single_end(head: &str) -> String {
    let bytes = head.as_bytes();
    match bytes {
        [.., a, b] if a == b && b.is_ascii_alphabetic() && !b"aeiouy".contains(b) => {
            head[..head.len() - 1].to_owned()
        }
        _ => head.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::tongue;
    use crate::words::Language;

    #[test]
    fn forms_of_a_danish_word_have_one_stem() {
        let stems = Stems::of(&tongue(Language::DA));
        for forms in [
            ["kørekort", "kørekortet", "kørekortene"],
            ["åbningstid", "åbningstider", "åbningstiderne"],
            ["rotte", "rotter", "rotterne"],
            ["jobcenter", "jobcentret", "jobcenteret"],
            ["jobcenter", "jobcentret", "jobcenteret"],
        ] {
            let all = forms.map(|form| stems.stem(form).stem);
            assert!(all.iter().all(|stem| *stem == all[0]), "{all:?}");
        }
    }

    #[test]
    fn a_danish_verb_and_its_noun_have_one_root() {
        let stems = Stems::of(&tongue(Language::DA));
        for [verb, noun] in [
            ["flytte", "flytning"],
            ["ansøger", "ansøgningen"],
            ["betale", "betaling"],
            ["bestille", "bestilling"],
            ["parkerer", "parkeringen"],
            ["aflyse", "aflysning"],
            ["fornye", "fornyelse"],
            ["genbrugsplads", "genbrugspladsen"],
            ["genbrugsplads", "genbrugspladsen"],
        ] {
            assert_eq!(
                stems.stem(verb).root,
                stems.stem(noun).root,
                "{verb} {noun}"
            );
        }
        assert_ne!(stems.stem("park").root, stems.stem("parkering").root);
    }

    #[test]
    fn british_and_american_spellings_are_one_word() {
        let stems = Stems::of(&tongue(Language::EN));
        assert_eq!(
            stems.stem("driving licence").stem,
            stems.stem("driving licence").stem
        );
        assert_eq!(stems.stem("licences").stem, stems.stem("license").stem);
        assert_eq!(stems.stem("centre").stem, stems.stem("centers").stem);
    }
}
