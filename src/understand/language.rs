//! Which language was spoken, by the words that only one of them has.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::text::{fold, words};
use super::vocabulary::Vocabulary;
use crate::dialog::{Heard, Hypothesis};
use crate::words::Language;

/// The share of a decision between hypotheses that the recogniser's own confidence has.
const CONFIDENCE: f32 = 0.35;
/// The share that belongs to how well the words make a wish.
const SENSE: f32 = 0.35;
/// The share that belongs to how many of the words are everyday words of the language.
const PLAUSIBLE: f32 = 0.3;
/// What the language of the call so far has ahead.
const PREFERRED: f32 = 0.12;

/// Everyday words that Danish has and English has not.
const DANISH: &str = "jeg du han hun de det den mig dig ham hende os jer sig min mit mine din dit en et \
og eller som der er var bliver blev være været har havde kan skal skulle vil ville må måtte bør af på \
til fra med om ved hos efter før uden op ned ud ind når hvis fordi også ikke jo nok bare lige nu jamen \
øh nå ja nej tak hej goddag hallo farvel godmorgen noget nogen nogle ingen alt alle denne dette hvad \
hvem hvor hvordan hvornår hvorfor hvilken gerne tale snakke stille spørge brug hjælp ringe kommunen \
pas klokken mandag tirsdag onsdag torsdag fredag lørdag søndag januar februar marts maj juni juli \
oktober nul tre fire fem seks syv otte ni ti elleve tolv tretten fjorten femten seksten sytten atten \
nitten tyve tredive fyrre halvtreds tres halvfjerds firs halvfems hundrede tusind dag morgen aften \
uge måned år rigtigt forkert passer stemmer menneske medarbejder dansk engelsk igen selvfølgelig \
måske bestille aflyse bil skole skat jobcenter borgerservice kørekort";

/// Everyday words that English has and Danish has not.
const ENGLISH: &str = "you he she we they it him her us them my your his our their the and or but that \
this these those is are was were be been am has had do does did can could shall should will would might \
must of on with about into after before between without when if because just now here there oh uh um \
yes no thanks thank please hello hi good morning evening goodbye any some none what who where how why \
which want need speak talk transfer put through connect know ask question help call like someone person \
today tomorrow monday tuesday wednesday thursday friday saturday sunday january february march may june \
july october zero one two three four five seven eight nine ten eleven twelve thirteen fourteen fifteen \
sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred \
thousand day week month year right correct wrong agent english danish again of course maybe book \
cancel car school tax job centre center citizen passport licence license i'm i'd don't can't an";

/// Number words of both languages.
const NUMBERS: &str = "nul en et to tre fire fem seks syv otte ni ti elleve tolv tretten fjorten \
femten seksten sytten atten nitten tyve tredive fyrre halvtreds tres halvfjerds firs halvfems \
hundrede tusind zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen \
fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety \
hundred thousand";

static EVERYDAY_DANISH: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| DANISH.split_whitespace().map(fold).collect());
static EVERYDAY_ENGLISH: LazyLock<BTreeSet<String>> =
    LazyLock::new(|| ENGLISH.split_whitespace().map(fold).collect());

/// Tells Danish from English, with a confidence from 0 to 1; nothing where the words do not say.
pub fn language_of(text: &str) -> Option<(Language, f32)> {
    let words = words(text);
    let danish = share(&words, Language::DA)? * words.len() as f32;
    let english = share(&words, Language::EN)? * words.len() as f32;
    let letters = words
        .iter()
        .filter(|word| word.contains(['æ', 'ø', 'å']))
        .count() as f32;
    let danish = danish + letters;
    let (language, lead) = if danish >= english {
        (Language::DA, danish)
    } else {
        (Language::EN, english)
    };
    let ahead = (danish - english).abs();
    if ahead < 0.5 {
        return None;
    }
    // One word leaves half the doubt, two a quarter; words of the other language bring it back.
    let certain = 1.0 - 0.5_f32.powf(ahead);
    Some((language, certain * lead / (danish + english)))
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
        let sense = understood.best().map_or(0.0, |best| best.score);
        let explained = said.iter().filter(|word| {
            vocabulary.knows(word, hypothesis.language) || is_carrier(word, hypothesis.language)
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
fn is_carrier(word: &str, language: Language) -> bool {
    let word = fold(word);
    let (everyday, both) = match language {
        Language::DA => (&*EVERYDAY_DANISH, "i for at hr fru"),
        Language::EN => (&*EVERYDAY_ENGLISH, "i to for at with a me so"),
        _ => return false,
    };
    let number = NUMBERS
        .split_whitespace()
        .any(|number| fold(number) == word);
    !number && (everyday.contains(&word) || both.split(' ').any(|other| other == word))
}

/// Tells which share of the words is everyday in a language; nothing for no words.
fn share(words: &[String], language: Language) -> Option<f32> {
    let everyday = match language {
        Language::DA => &*EVERYDAY_DANISH,
        Language::EN => &*EVERYDAY_ENGLISH,
        _ => return (!words.is_empty()).then_some(0.0),
    };
    let known = words
        .iter()
        .filter(|word| everyday.contains(&fold(word)))
        .count();
    (!words.is_empty()).then(|| known as f32 / words.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::understand::Intent;

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
                language_of(text).map(|(l, _)| l),
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
                language_of(text).map(|(l, _)| l),
                Some(Language::EN),
                "{text}"
            );
        }
    }

    #[test]
    fn a_whole_sentence_is_surer_than_one_word() {
        let word = language_of("ja").map(|(_, sure)| sure);
        let sentence = language_of("jeg vil gerne tale med kommunen").map(|(_, sure)| sure);
        assert!(word < Some(0.6), "{word:?}");
        assert!(sentence > Some(0.9), "{sentence:?}");
    }

    #[test]
    fn words_of_no_language_tell_nothing() {
        for text in ["", "[unk]", "hm", "42", "mitid"] {
            assert_eq!(language_of(text), None, "{text}");
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
    fn nothing_heard_is_nothing_chosen() {
        let nothing = heard(("", 0.0), ("[unk]", 0.4));
        assert_eq!(choose(&nothing, Language::DA, &vocabulary()), None);
    }
}
