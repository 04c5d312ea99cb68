//! Which language was spoken, by the words that only one of them has.

use super::text::{fold, words};
use super::vocabulary::Vocabulary;
use crate::dialog::{Heard, Hypothesis};
use crate::language::lexicon::Kind;
use crate::language::{Tongue, tongue};
use crate::words::Language;

/// The share of a decision between hypotheses that the recogniser's own confidence has.
const CONFIDENCE: f32 = 0.35;
/// The share that belongs to how well the words make a wish.
const SENSE: f32 = 0.35;
/// What a second wish in the same words takes from the sense they make: what a recogniser makes of
/// another language is often several wishes at once.
const CLASH: f32 = 0.25;
/// The share that belongs to how many of the words are everyday words of the language.
const PLAUSIBLE: f32 = 0.3;
/// What the language of the call so far has ahead.
const PREFERRED: f32 = 0.12;

/// Tells in which of some languages a text is, with a confidence from 0 to 1; nothing where the
/// words do not say.
pub fn language_of(text: &str, among: &[Language]) -> Option<(Language, f32)> {
    let words = words(text);
    let mut likely: Vec<(Language, f32)> = among
        .iter()
        .map(|language| (*language, everyday(&words, &tongue(*language))))
        .collect();
    // Stable: the languages of a tenant stay in its order.
    likely.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let (language, lead) = *likely.first()?;
    let next = likely.get(1).map_or(0.0, |(_, next)| *next);
    let ahead = lead - next;
    if ahead < 0.5 {
        return None;
    }
    // One word leaves half the doubt, two a quarter; words of the other language bring it back.
    let certain = 1.0 - 0.5_f32.powf(ahead);
    Some((language, certain * lead / (lead + next)))
}

/// Chooses between what the recognisers of several languages made of one turn.
///
/// The preferred language (that of the call so far) wins unless another one plainly makes more
/// sense. Returns nothing when nothing was heard.
pub fn choose<'a>(
    heard: &'a Heard,
    preferred: Language,
    vocabulary: &Vocabulary,
) -> Option<&'a Hypothesis> {
    let mut best: Option<(&Hypothesis, f32)> = None;
    for hypothesis in &heard.hypotheses {
        let said = words(&hypothesis.text);
        if said.is_empty() {
            continue;
        }
        let unknown = hypothesis.text.matches("[unk]").count() as f32;
        let understood = vocabulary.understand(&hypothesis.text, hypothesis.language);
        let second = understood.ranked.get(1).map_or(0.0, |second| second.score);
        let sense = understood
            .best()
            .map_or(0.0, |best| best.score - CLASH * second);
        let tongue = tongue(hypothesis.language);
        let explained = said.iter().filter(|word| {
            vocabulary.knows(word, hypothesis.language) || is_carrier(word, &tongue)
        });
        let plausible = explained.count() as f32 / said.len() as f32;
        let confidence = hypothesis.confidence.clamp(0.0, 1.0);
        let mut worth = CONFIDENCE * confidence + SENSE * sense + PLAUSIBLE * plausible;
        worth *= said.len() as f32 / (said.len() as f32 + unknown);
        if hypothesis.language == preferred {
            worth += PREFERRED;
        }
        if best.is_none_or(|(_, most)| worth > most) {
            best = Some((hypothesis, worth));
        }
    }
    best.map(|(hypothesis, _)| hypothesis)
}

/// Tells whether a word is one that carries a wish. Numbers are none: they are what a recogniser of
/// the wrong language makes of noise.
fn is_carrier(word: &str, tongue: &Tongue) -> bool {
    let word = fold(word);
    let number = tongue.lexicon.get(&word).is_some_and(Kind::is_number_word);
    !number && (tongue.wishes.everyday.has(&word) || tongue.wishes.shared.has(&word))
}

/// Counts the words that are everyday in a language and those with letters that only it has.
fn everyday(words: &[String], tongue: &Tongue) -> f32 {
    let wishes = &tongue.wishes;
    let known = words.iter().filter(|word| wishes.everyday.has(&fold(word)));
    let spelled = words
        .iter()
        .filter(|word| word.contains(|c| wishes.letters.contains(c)));
    (known.count() + spelled.count()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::understand::Intent;

    const BOTH: [Language; 2] = [Language::DA, Language::EN];

    #[test]
    fn sentences_tell_their_language() {
        for text in [
            "jeg vil gerne tale med nogen om mit pas",
            "ja tak",
            "nej",
            "hvornår har i åbent",
            "enogtyve halvfjerds nul syv",
            "skraldespanden er ikke tømt",
            "pas",
        ] {
            assert_eq!(
                language_of(text, &BOTH).map(|(l, _)| l),
                Some(Language::DA),
                "{text}"
            );
        }
        for text in [
            "i would like to talk to someone about my passport",
            "yes please",
            "no",
            "when are you open",
            "seven zero one zero",
            "the bin has not been emptied",
            "do you speak english",
        ] {
            assert_eq!(
                language_of(text, &BOTH).map(|(l, _)| l),
                Some(Language::EN),
                "{text}"
            );
        }
    }

    #[test]
    fn a_whole_sentence_is_surer_than_one_word() {
        let word = language_of("ja", &BOTH).map(|(_, sure)| sure);
        let sentence = language_of("jeg vil gerne tale med kommunen", &BOTH).map(|(_, sure)| sure);
        assert!(word < Some(0.6), "{word:?}");
        assert!(sentence > Some(0.9), "{sentence:?}");
    }

    #[test]
    fn words_of_no_language_tell_nothing() {
        for text in ["", "[unk]", "hm", "42", "mitid"] {
            assert_eq!(language_of(text, &BOTH), None, "{text}");
        }
    }

    fn vocabulary() -> Vocabulary {
        let mut passports = Intent::new("passports");
        passports.topics.insert(Language::DA, vec!["pas".into()]);
        passports
            .topics
            .insert(Language::EN, vec!["passport".into()]);
        Vocabulary::new(&[passports])
    }

    fn heard(danish: (&str, f32), english: (&str, f32)) -> Heard {
        let hypothesis = |language, (text, confidence): (&str, f32)| Hypothesis {
            language,
            text: text.into(),
            confidence,
        };
        Heard {
            hypotheses: vec![
                hypothesis(Language::DA, danish),
                hypothesis(Language::EN, english),
            ],
        }
    }

    #[test]
    fn the_language_that_makes_sense_is_chosen() {
        let vocabulary = vocabulary();
        let english = heard(("aj [unk] to [unk]", 0.5), ("i need a new passport", 0.9));
        let chosen = choose(&english, Language::DA, &vocabulary).unwrap();
        assert_eq!(chosen.language, Language::EN);
        let danish = heard(("jeg skal have nyt pas", 0.8), ("[unk] seven [unk]", 0.6));
        let chosen = choose(&danish, Language::EN, &vocabulary).unwrap();
        assert_eq!(chosen.language, Language::DA);
    }

    #[test]
    fn the_language_of_the_call_is_kept_when_both_make_sense() {
        let both = heard(("tre fem", 0.7), ("three five", 0.7));
        for language in [Language::DA, Language::EN] {
            let chosen = choose(&both, language, &Vocabulary::default()).unwrap();
            assert_eq!(chosen.language, language);
        }
    }

    #[test]
    fn several_wishes_at_once_make_less_sense_than_one() {
        let mut opening = Intent::new("opening_hours");
        opening.topics.insert(Language::EN, vec!["open".into()]);
        let mut passports = Intent::new("passports");
        passports
            .topics
            .insert(Language::EN, vec!["passport".into()]);
        passports.topics.insert(Language::DA, vec!["pas".into()]);
        let vocabulary = Vocabulary::new(&[opening, passports]);
        let both = heard(
            ("jeg skal have pas", 1.0),
            ("is about to passport open", 1.0),
        );
        let chosen = choose(&both, "de".parse().unwrap(), &vocabulary).unwrap();
        assert_eq!(chosen.language, Language::DA);
    }

    #[test]
    fn nothing_heard_is_nothing_chosen() {
        let nothing = heard(("", 0.0), ("[unk]", 0.4));
        assert_eq!(choose(&nothing, Language::DA, &vocabulary()), None);
    }
}
