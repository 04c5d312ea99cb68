//! What single words are among numbers, days and corrections, looked up by their folded spelling.

use std::collections::BTreeMap;

use super::parts::Forms;
use super::tongue::Tongue;
use crate::understand::text::{distance, fold};

/// What one word is, as far as numbers and dates go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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

/// The words of one language that are numbers or days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lexicon {
    words: BTreeMap<String, Kind>,
    /// Phrases of several words, the longest first.
    phrases: Vec<(Vec<String>, Kind)>,
}

impl Lexicon {
    /// Puts together what a language file says.
    pub(super) fn of(tongue: &Tongue) -> Self {
        let mut lexicon = Self::default();
        lexicon.numbers(tongue);
        lexicon.ordinals(tongue);
        let days = &tongue.days;
        for (value, forms) in (1..).zip(&days.months) {
            lexicon.forms(forms, &Kind::Month(value));
        }
        for (value, forms) in (0..).zip(&days.weekdays) {
            lexicon.forms(forms, &Kind::Weekday(value));
        }
        let dictation = &tongue.dictation;
        for (words, kind) in [
            (&tongue.numbers.and, Kind::And),
            (&dictation.double, Kind::Repeat(2)),
            (&dictation.triple, Kind::Repeat(3)),
            (&dictation.zeros, Kind::Zeros),
            (&dictation.times, Kind::Times),
        ] {
            for word in words.iter() {
                lexicon.word(word, &kind);
            }
        }
        for (phrases, kind) in [
            (&tongue.numbers.not_numbers, Kind::Other),
            (&dictation.plus, Kind::Plus),
            (&dictation.correction, Kind::Correction),
            (&dictation.restart, Kind::Restart),
        ] {
            for phrase in phrases.iter() {
                match phrase {
                    [word] => lexicon.word(word, &kind),
                    _ => lexicon.phrases.push((phrase.to_vec(), kind.clone())),
                }
            }
        }
        lexicon
            .phrases
            .sort_by_key(|(phrase, _)| std::cmp::Reverse(phrase.len()));
        lexicon
    }

    fn numbers(&mut self, tongue: &Tongue) {
        let numbers = &tongue.numbers;
        for (value, forms) in (0..).zip(&numbers.units) {
            let kind = if value < 10 {
                Kind::Unit(value)
            } else {
                Kind::Teen(value)
            };
            self.forms(forms, &kind);
        }
        if let Some(one) = &numbers.one_within {
            self.word(&fold(one), &Kind::Unit(1));
        }
        for (value, forms) in (2..).zip(&numbers.tens) {
            self.forms(forms, &Kind::Tens(value * 10));
            for ten in &forms.heard {
                for unit in 1..10_u32 {
                    let spoken = tongue.composite(unit as usize, ten);
                    self.word(&joined(&spoken), &Kind::Composite(value * 10 + unit));
                }
            }
        }
        for (value, words) in &numbers.further {
            if let Ok(value @ 21..=99) = value.parse::<u32>() {
                for word in words.iter() {
                    self.word(word, &Kind::Composite(value));
                }
            }
        }
        for (scale, kind) in [
            (&numbers.hundred, Kind::Hundred),
            (&numbers.thousand, Kind::Thousand),
            (&numbers.million, Kind::Million),
        ] {
            self.forms(&scale.word, &kind);
        }
    }

    fn ordinals(&mut self, tongue: &Tongue) {
        let numbers = &tongue.numbers;
        let mut ordinals: Vec<(u32, String)> = Vec::new();
        for (value, forms) in (0..).zip(&numbers.ordinals) {
            ordinals.extend(forms.heard.iter().map(|form| (value, form.clone())));
        }
        for (tens, forms) in (2..=3_usize).zip(&numbers.ordinal_tens) {
            for form in &forms.heard {
                ordinals.push((tens as u32 * 10, form.clone()));
                for unit in 1..10_usize {
                    let spoken = tongue.ordinal_of(unit, form, tens);
                    ordinals.push(((tens * 10 + unit) as u32, joined(&spoken)));
                }
            }
        }
        for (value, word) in ordinals {
            if !(1..=31).contains(&value) {
                continue;
            }
            for ending in numbers.ordinal_endings.iter() {
                self.word(&format!("{word}{ending}"), &Kind::Ordinal(value));
            }
            self.word(&word, &Kind::Ordinal(value));
        }
    }

    fn forms(&mut self, forms: &Forms, kind: &Kind) {
        for form in &forms.heard {
            self.word(form, kind);
        }
    }

    fn word(&mut self, folded: &str, kind: &Kind) {
        if !folded.is_empty() {
            self.words.insert(folded.to_owned(), kind.clone());
        }
    }

    /// Returns what a folded word is.
    pub(crate) fn get(&self, folded: &str) -> Option<&Kind> {
        self.words.get(folded)
    }

    /// Returns the phrases that count as one word, the longest first.
    pub(crate) fn phrases(&self) -> impl Iterator<Item = (&[String], &Kind)> {
        self.phrases
            .iter()
            .map(|(phrase, kind)| (phrase.as_slice(), kind))
    }

    /// Splits number words that were run together: `enogtyve`, `zweihundertfünf`.
    pub(crate) fn split(&self, folded: &str) -> Option<Vec<(String, Kind)>> {
        // Longer than any number; keeps the work on hostile input small.
        const LONGEST: usize = 80;
        if folded.len() > LONGEST || !folded.is_ascii() {
            return None;
        }
        // The parts of the longest beginning, from every place on; the fewest parts win.
        let mut best: Vec<Option<Vec<usize>>> = vec![None; folded.len() + 1];
        best[folded.len()] = Some(Vec::new());
        for from in (0..folded.len()).rev() {
            for until in from + 1..=folded.len() {
                let number = self
                    .get(&folded[from..until])
                    .is_some_and(Kind::is_number_word);
                let Some(rest) = best[until].as_ref().filter(|_| number) else {
                    continue;
                };
                if best[from]
                    .as_ref()
                    .is_none_or(|known| known.len() > rest.len() + 1)
                {
                    let parts = std::iter::once(until).chain(rest.iter().copied()).collect();
                    best[from] = Some(parts);
                }
            }
        }
        let mut from = 0;
        let parts: Vec<(String, Kind)> = best[0]
            .take()?
            .into_iter()
            .filter_map(|until| {
                let part = &folded[from..until];
                from = until;
                Some((part.to_owned(), self.get(part)?.clone()))
            })
            .collect();
        // "entre" is no "en tre".
        let tells = |(_, kind): &(String, Kind)| {
            matches!(
                kind,
                Kind::And | Kind::Hundred | Kind::Thousand | Kind::Million
            )
        };
        (parts.len() > 1 && parts.iter().any(tells)).then_some(parts)
    }

    /// Returns how many digits a folded word stands for, at least.
    pub(super) fn digits_said_by(&self, folded: &str) -> usize {
        let of = |kind: &Kind| match kind {
            Kind::Composite(_) => 2,
            Kind::Plus | Kind::Repeat(_) => 1,
            Kind::And | Kind::Ordinal(_) => 0,
            kind => usize::from(kind.is_number_word()),
        };
        match (self.get(folded), self.split(folded)) {
            (Some(kind), _) => of(kind),
            (None, Some(parts)) => parts.iter().map(|(_, kind)| of(kind)).sum(),
            (None, None) => 0,
        }
    }

    /// Finds the one entry that a longer word was meant to be, if there is exactly one, and how
    /// sure that is.
    pub(crate) fn nearest(&self, folded: &str) -> Option<(Kind, f32)> {
        let limit = match folded.len() {
            0..=5 => return None,
            6..=9 => 1,
            _ => 2,
        };
        let mut best: Option<(usize, &Kind)> = None;
        let mut ambiguous = false;
        for (known, kind) in &self.words {
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
}

impl Kind {
    /// Tells whether a word of this kind can be part of a number word.
    pub(crate) fn is_number_word(&self) -> bool {
        matches!(
            self,
            Self::Unit(_)
                | Self::Teen(_)
                | Self::Tens(_)
                | Self::Composite(_)
                | Self::Ordinal(20 | 30)
                | Self::Hundred
                | Self::Thousand
                | Self::Million
                | Self::And
        )
    }
}

/// Folds a number word and leaves out what parts it: `twenty-one` as `twentyone`.
fn joined(spoken: &str) -> String {
    fold(spoken).replace(['-', ' '], "")
}
