//! Recognised text as words with a meaning among numbers, days and corrections.

pub(super) use crate::language::lexicon::Kind;

use crate::language::Tongue;
use crate::understand::text::fold;

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

/// Splits recognised text into words and tells what each is.
pub(super) fn words(text: &str, tongue: &Tongue) -> Vec<Word> {
    // Longer than any answer; keeps the work on hostile input small.
    const MOST: usize = 400;
    let mut words = Vec::new();
    for piece in text.split_whitespace().take(MOST) {
        if piece.contains("[unk]") {
            words.push(word("[unk]", Kind::Unknown, 1.0));
            continue;
        }
        split(piece, &mut words, tongue);
    }
    join_phrases(&mut words, tongue);
    weigh_homophones(&mut words, tongue);
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
fn split(piece: &str, words: &mut Vec<Word>, tongue: &Tongue) {
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
            let ordinal = tongue.numbers.ordinal_signs.iter().find_map(|ending| {
                let after = rest.strip_prefix(ending)?;
                let day = numeral
                    .parse::<u32>()
                    .ok()
                    .filter(|day| (1..=31).contains(day))?;
                (!after.starts_with(is_inside)).then_some((day, after))
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
            for found in look_up(&fold(&rest[..end]), tongue) {
                words.push(found);
            }
            rest = &rest[end..];
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
}

/// Finds what a folded word is; one that was run together becomes two.
fn look_up(folded: &str, tongue: &Tongue) -> Vec<Word> {
    if let Some(kind) = tongue.lexicon.get(folded) {
        let weak = tongue.numbers.weak.has(folded);
        return vec![Word {
            weak,
            ..word(folded, kind.clone(), 1.0)
        }];
    }
    // `enog tyve`, `en ogtyve`, `zweihundertfünf`.
    if let Some(parts) = tongue.lexicon.split(folded) {
        let sure = |kind: &Kind| if *kind == Kind::And { 1.0 } else { 0.95 };
        return parts
            .into_iter()
            .map(|(part, kind)| word(&part, kind.clone(), sure(&kind)))
            .collect();
    }
    if let Some((kind, confidence)) = tongue.lexicon.nearest(folded) {
        return vec![word(folded, kind, confidence)];
    }
    vec![word(folded, Kind::Other, 1.0)]
}

/// Makes one word of phrases such as `i mean` and `start over`.
fn join_phrases(words: &mut Vec<Word>, tongue: &Tongue) {
    for (phrase, kind) in tongue.lexicon.phrases() {
        let mut at = 0;
        while at + phrase.len() <= words.len() {
            let same = words[at..]
                .iter()
                .zip(phrase)
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
fn weigh_homophones(words: &mut [Word], tongue: &Tongue) {
    let sounds_like = &tongue.numbers.sounds_like;
    if sounds_like.is_empty() {
        return;
    }
    for at in 1..words.len() {
        let before = words[at - 1].is_number();
        let after = words.get(at + 1).is_none_or(Word::is_number);
        let digit = sounds_like
            .iter()
            .find(|(_, sounds)| sounds.has(&words[at].text))
            .and_then(|(digit, _)| digit.parse::<u32>().ok());
        // Only single digits are dictated with such neighbours: "seven to three", not "ten to three".
        let single = matches!(words[at - 1].kind, Kind::Unit(_))
            && words
                .get(at + 1)
                .is_none_or(|next| matches!(next.kind, Kind::Unit(_)));
        if let Some(digit) = digit
            && before
            && after
            && single
        {
            words[at].kind = Kind::Unit(digit);
            words[at].confidence = 0.7;
            words[at].weak = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::tongue;
    use crate::words::Language;

    fn kinds(text: &str, language: Language) -> Vec<Kind> {
        words(text, &tongue(language))
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
