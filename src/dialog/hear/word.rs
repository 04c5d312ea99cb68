//! Recognised text as words with a meaning among numbers, days and corrections.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::dialog::speak::{danish, english};
use crate::understand::text::{distance, fold};
use crate::words::Language;

/// What one word is, as far as numbers and dates go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 0 to 9.
    Unit(u32),
    /// 10 to 19.
    Teen(u32),
    /// 20, 30 … 90.
    Tens(u32),
    /// 21 to 99 in one word: `enogtyve`.
    Composite(u32),
    Hundred,
    Thousand,
    Million,
    /// `og`, `and`.
    And,
    /// `dobbelt`, `triple`: how often the next digit stands there.
    Repeat(usize),
    /// `nuller`, `zeros`.
    Zeros,
    /// `gange`, `times`.
    Times,
    /// `plus`, `landekode`.
    Plus,
    /// `nej`, `undskyld`, `i mean`: what was just said is wrong.
    Correction,
    /// `forfra`: everything that was said is wrong.
    Restart,
    /// `første` … `enogtredivte`: 1 to 31.
    Ordinal(u32),
    /// 1 to 12.
    Month(u32),
    /// 0 (Monday) to 6.
    Weekday(u32),
    /// Written digits, with what stands between them: `21`, `3/5`, `9.15`.
    Numeral,
    /// `[unk]`: something was said here.
    Unknown,
    /// Any other word.
    Other,
}

/// One word that was heard.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    /// Folded.
    pub(super) text: String,
    pub(super) kind: Kind,
    /// How sure the kind is, 0 to 1.
    pub(super) confidence: f32,
    /// Whether it counts as a number only beside others (`en`, `one`, `o`).
    pub(super) weak: bool,
}

impl Word {
    /// Tells whether this is part of a number by itself.
    pub(super) fn is_number(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unit(_)
                | Kind::Teen(_)
                | Kind::Tens(_)
                | Kind::Composite(_)
                | Kind::Hundred
                | Kind::Thousand
                | Kind::Million
                | Kind::Numeral
        )
    }
}

type Lexicon = BTreeMap<String, Kind>;

static DANISH: LazyLock<Lexicon> = LazyLock::new(danish_lexicon);
static ENGLISH: LazyLock<Lexicon> = LazyLock::new(english_lexicon);
static NONE: Lexicon = Lexicon::new();

/// Words that are numbers only beside other numbers.
const WEAK_DANISH: [&str; 9] = ["en", "et", "een", "eet", "sex", "sy", "tri", "fir", "o"];
const WEAK_ENGLISH: [&str; 6] = ["one", "o", "oh", "owe", "won", "nil"];
/// Words that sound like numbers and count as such only between numbers.
const ENGLISH_HOMOPHONES: [(&str, u32); 6] = [
    ("to", 2),
    ("too", 2),
    ("for", 4),
    ("ate", 8),
    ("tree", 3),
    ("sex", 6),
];

/// Splits recognised text into words and tells what each is.
pub(super) fn words(text: &str, language: Language) -> Vec<Word> {
    // Longer than any answer; keeps the work on hostile input small.
    const MOST: usize = 400;
    let mut words = Vec::new();
    for piece in text.split_whitespace().take(MOST) {
        if piece.contains("[unk]") {
            words.push(word("[unk]", Kind::Unknown, 1.0));
            continue;
        }
        split(piece, &mut words, language);
    }
    join_phrases(&mut words, language);
    weigh_homophones(&mut words, language);
    words
}

fn word(text: &str, kind: Kind, confidence: f32) -> Word {
    Word {
        text: text.to_owned(),
        kind,
        confidence,
        weak: false,
    }
}

/// Splits one piece between blanks: `twenty-one`, `+45`, `9:15,`, `kl.9`.
fn split(piece: &str, words: &mut Vec<Word>, language: Language) {
    let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’');
    let mut rest = piece;
    while let Some(first) = rest.chars().next() {
        if first == '+' {
            words.push(word("+", Kind::Plus, 1.0));
            rest = &rest[1..];
        } else if first.is_ascii_digit() {
            let end = rest
                .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ':' | '/' | '-')))
                .unwrap_or(rest.len());
            let numeral = &rest[..end];
            rest = &rest[end..];
            // `3rd`, `21st`.
            let ordinal = ["st", "nd", "rd", "th"].iter().find_map(|ending| {
                let after = rest.strip_prefix(ending)?;
                let day = numeral
                    .parse::<u32>()
                    .ok()
                    .filter(|day| (1..=31).contains(day))?;
                (language == Language::EN && !after.starts_with(is_inside)).then_some((day, after))
            });
            if let Some((day, after)) = ordinal {
                words.push(word(numeral, Kind::Ordinal(day), 1.0));
                rest = after;
            } else {
                words.push(word(numeral, Kind::Numeral, 1.0));
            }
        } else if is_inside(first) {
            let end = rest
                .find(|c: char| !is_inside(c) || c.is_ascii_digit())
                .unwrap_or(rest.len());
            for found in look_up(&fold(&rest[..end]), language) {
                words.push(found);
            }
            rest = &rest[end..];
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
}

/// Finds what a folded word is; one that was run together becomes two.
fn look_up(folded: &str, language: Language) -> Vec<Word> {
    let (lexicon, weak) = match language {
        Language::DA => (&*DANISH, &WEAK_DANISH[..]),
        Language::EN => (&*ENGLISH, &WEAK_ENGLISH[..]),
        _ => (&NONE, &[][..]),
    };
    if let Some(kind) = lexicon.get(folded) {
        let weak = weak.contains(&folded);
        return vec![Word {
            weak,
            ..word(folded, kind.clone(), 1.0)
        }];
    }
    if language == Language::DA {
        // `enog tyve`, `en ogtyve`.
        if let Some(unit) = folded.strip_suffix("og")
            && let Some(kind @ Kind::Unit(_)) = lexicon.get(unit)
        {
            return vec![word(unit, kind.clone(), 0.95), word("og", Kind::And, 1.0)];
        }
        if let Some(tens) = folded.strip_prefix("og")
            && let Some(kind @ (Kind::Tens(_) | Kind::Ordinal(_))) = lexicon.get(tens)
        {
            return vec![word("og", Kind::And, 1.0), word(tens, kind.clone(), 0.95)];
        }
    }
    if let Some((kind, confidence)) = nearest(folded, lexicon) {
        return vec![word(folded, kind, confidence)];
    }
    vec![word(folded, Kind::Other, 1.0)]
}

/// Finds the one entry that a longer word was meant to be, if there is exactly one.
fn nearest(folded: &str, lexicon: &Lexicon) -> Option<(Kind, f32)> {
    let limit = match folded.len() {
        0..=5 => return None,
        6..=9 => 1,
        _ => 2,
    };
    let mut best: Option<(usize, &Kind)> = None;
    let mut ambiguous = false;
    for (known, kind) in lexicon {
        if known.len() < 5 || matches!(kind, Kind::Correction | Kind::Restart) {
            continue;
        }
        let Some(apart) = distance(folded, known, limit) else {
            continue;
        };
        match best {
            Some((nearest, _)) if apart > nearest => {}
            Some((nearest, other)) if apart == nearest => ambiguous |= kind != other,
            _ => (best, ambiguous) = (Some((apart, kind)), false),
        }
    }
    match best {
        Some((apart, kind)) if !ambiguous => {
            Some((kind.clone(), if apart == 1 { 0.8 } else { 0.65 }))
        }
        _ => None,
    }
}

/// Makes one word of phrases such as `i mean` and `start over`.
fn join_phrases(words: &mut Vec<Word>, language: Language) {
    let phrases: &[(&[&str], Kind)] = match language {
        Language::DA => &[
            (&["jeg", "mener"], Kind::Correction),
            (&["jeg", "mente"], Kind::Correction),
            (&["det", "var", "forkert"], Kind::Correction),
            (&["nej", "nej"], Kind::Correction),
            (&["jeg", "starter", "forfra"], Kind::Restart),
            (&["vi", "starter", "forfra"], Kind::Restart),
            (&["en", "gang", "til"], Kind::Restart),
        ],
        Language::EN => &[
            (&["i", "mean"], Kind::Correction),
            (&["i", "meant"], Kind::Correction),
            (&["make", "that"], Kind::Correction),
            (&["no", "wait"], Kind::Correction),
            (&["start", "over"], Kind::Restart),
            (&["start", "again"], Kind::Restart),
            (&["let", "me", "start", "over"], Kind::Restart),
            (&["country", "code"], Kind::Plus),
            (&["no", "one"], Kind::Other),
        ],
        _ => &[],
    };
    for (phrase, kind) in phrases {
        let mut at = 0;
        while at + phrase.len() <= words.len() {
            let same = words[at..]
                .iter()
                .zip(*phrase)
                .all(|(word, part)| word.text == *part);
            if same {
                words.splice(
                    at..at + phrase.len(),
                    [word(&phrase.join(" "), kind.clone(), 1.0)],
                );
            }
            at += 1;
        }
    }
}

/// Takes `to` and `for` for numbers where they stand between numbers.
fn weigh_homophones(words: &mut [Word], language: Language) {
    if language != Language::EN {
        return;
    }
    for at in 1..words.len() {
        let before = words[at - 1].is_number();
        let after = words.get(at + 1).is_none_or(Word::is_number);
        let digit = ENGLISH_HOMOPHONES
            .iter()
            .find(|(sound, _)| *sound == words[at].text);
        // Only single digits are dictated with such neighbours: "seven to three", not "ten to three".
        let single = matches!(words[at - 1].kind, Kind::Unit(_))
            && words
                .get(at + 1)
                .is_none_or(|next| matches!(next.kind, Kind::Unit(_)));
        if let Some((_, digit)) = digit
            && before
            && after
            && single
        {
            words[at].kind = Kind::Unit(*digit);
            words[at].confidence = 0.7;
            words[at].weak = true;
        }
    }
}

fn danish_lexicon() -> Lexicon {
    let mut lexicon = Lexicon::new();
    let mut add = |words: &str, kind: Kind| {
        for word in words.split_whitespace() {
            lexicon.insert(fold(word), kind.clone());
        }
    };
    for (value, name) in (0..).zip(danish::UNITS) {
        add(
            name,
            if value < 10 {
                Kind::Unit(value)
            } else {
                Kind::Teen(value)
            },
        );
    }
    let tens = [
        "tyve",
        "tredive tredve tredivede",
        "fyrre fyrretyve",
        "halvtreds halvtres halvtredsindstyve",
        "tres treds tresindstyve",
        "halvfjerds halvfjers halvfjerdsindstyve halvfjerts",
        "firs fiers firsindstyve",
        "halvfems halvfemsindstyve halvfemts",
    ];
    for (value, names) in (2..).zip(tens) {
        for name in names.split_whitespace() {
            add(name, Kind::Tens(value * 10));
            for unit in 1..10_u32 {
                let first = danish::UNITS[unit as usize];
                add(
                    &format!("{first}og{name}"),
                    Kind::Composite(value * 10 + unit),
                );
            }
        }
    }
    for day in 1..=31_u32 {
        let name = if day < 20 {
            danish::ORDINALS[day as usize].to_owned()
        } else if day % 10 == 0 {
            danish::ORDINAL_TENS[day as usize / 10 - 2].to_owned()
        } else {
            format!(
                "{}og{}",
                danish::UNITS[day as usize % 10],
                danish::ORDINAL_TENS[day as usize / 10 - 2]
            )
        };
        add(&name, Kind::Ordinal(day));
    }
    add("tredie", Kind::Ordinal(3));
    add("tredivte tredvte tredivende", Kind::Ordinal(30));
    add("enogtredvte enogtredivende", Kind::Ordinal(31));
    add("ellevende", Kind::Ordinal(11));
    add("tolvende", Kind::Ordinal(12));
    for (value, name) in (1..).zip(danish::MONTHS) {
        add(name, Kind::Month(value));
    }
    for (value, name) in (0..).zip(danish::WEEKDAYS) {
        add(&format!("{name} {name}en {name}s"), Kind::Weekday(value));
    }
    for (value, names) in [
        (0, "null"),
        (1, "et een eet én ét"),
        (3, "tri"),
        (4, "fir"),
        (5, "fæm"),
        (6, "sex"),
        (7, "syw sy"),
        (8, "åtte"),
    ] {
        add(names, Kind::Unit(value));
    }
    // "halvtre" is half past two, not a bad "halvtreds".
    add(
        "halvto halvtre halvfire halvfem halvseks halvsyv",
        Kind::Other,
    );
    add("hundrede hundred hundreder", Kind::Hundred);
    add("tusind tusinde tusinder", Kind::Thousand);
    add("million millioner mio", Kind::Million);
    add("og", Kind::And);
    add("dobbelt dobbel", Kind::Repeat(2));
    add("tredobbelt trippel tripel", Kind::Repeat(3));
    add("nuller", Kind::Zeros);
    add("gange", Kind::Times);
    add("plus landekode landekoden", Kind::Plus);
    add("nej undskyld rettelse sorry ups hov", Kind::Correction);
    add("forfra", Kind::Restart);
    lexicon
}

fn english_lexicon() -> Lexicon {
    let mut lexicon = Lexicon::new();
    let mut add = |words: &str, kind: Kind| {
        for word in words.split_whitespace() {
            lexicon.insert(fold(word), kind.clone());
        }
    };
    for (value, name) in (0..).zip(english::UNITS) {
        add(
            name,
            if value < 10 {
                Kind::Unit(value)
            } else {
                Kind::Teen(value)
            },
        );
    }
    for (value, name) in (2..).zip(english::TENS) {
        add(name, Kind::Tens(value * 10));
        for unit in 1..10_u32 {
            let last = english::UNITS[unit as usize];
            add(&format!("{name}{last}"), Kind::Composite(value * 10 + unit));
        }
    }
    add("fourty", Kind::Tens(40));
    add("ninty", Kind::Tens(90));
    for day in 1..=31_u32 {
        let name = if day < 20 {
            english::ORDINALS[day as usize].to_owned()
        } else if day % 10 == 0 {
            english::ORDINAL_TENS[day as usize / 10 - 2].to_owned()
        } else {
            let tens = english::TENS[day as usize / 10 - 2];
            format!("{tens}{}", english::ORDINALS[day as usize % 10])
        };
        add(&name, Kind::Ordinal(day));
    }
    add("forth", Kind::Ordinal(4));
    add("twelvth", Kind::Ordinal(12));
    for (value, name) in (1..).zip(english::MONTHS) {
        add(name, Kind::Month(value));
    }
    for (value, name) in (0..).zip(english::WEEKDAYS) {
        add(&format!("{name} {name}s"), Kind::Weekday(value));
    }
    add("wensday wednsday wendsday", Kind::Weekday(2));
    // No number and no day: "no one", and one letter from a weekday or a tens word.
    add("someday thirsty", Kind::Other);
    add("oh o owe nought naught nil", Kind::Unit(0));
    add("won", Kind::Unit(1));
    add("niner", Kind::Unit(9));
    add("hundred hundreds", Kind::Hundred);
    add("thousand thousands", Kind::Thousand);
    add("million millions", Kind::Million);
    add("and", Kind::And);
    add("double", Kind::Repeat(2));
    add("triple treble", Kind::Repeat(3));
    add("zeros zeroes ohs", Kind::Zeros);
    add("times", Kind::Times);
    add("plus", Kind::Plus);
    add(
        "no sorry correction oops wait rather actually",
        Kind::Correction,
    );
    add("restart", Kind::Restart);
    lexicon
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str, language: Language) -> Vec<Kind> {
        words(text, language)
            .into_iter()
            .map(|word| word.kind)
            .collect()
    }

    #[test]
    fn words_run_together_or_apart_are_the_same_words() {
        let apart = kinds("en og tyve", Language::DA);
        assert_eq!(kinds("enog tyve", Language::DA), apart);
        assert_eq!(kinds("en ogtyve", Language::DA), apart);
        assert_eq!(
            kinds("twenty-one", Language::EN),
            kinds("twenty one", Language::EN)
        );
    }

    #[test]
    fn a_long_number_word_survives_one_wrong_letter_and_a_short_one_does_not() {
        assert_eq!(kinds("femogfyre", Language::DA), [Kind::Composite(45)]);
        assert_eq!(kinds("sevinteen", Language::EN), [Kind::Teen(17)]);
        assert_eq!(kinds("fam", Language::DA), [Kind::Other]);
    }

    #[test]
    fn a_word_between_two_number_words_is_neither() {
        // One letter from both enogtyve and niogtyve.
        assert_eq!(kinds("nogtyve", Language::DA), [Kind::Other]);
    }

    #[test]
    fn to_is_a_digit_only_between_digits() {
        assert_eq!(kinds("seven to three", Language::EN)[1], Kind::Unit(2));
        assert_eq!(kinds("ten to three", Language::EN)[1], Kind::Other);
        assert_eq!(kinds("talk to me", Language::EN)[1], Kind::Other);
    }
}
