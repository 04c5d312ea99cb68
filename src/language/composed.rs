//! What follows from a language file: what is looked up in it, and number words put together.

use std::collections::BTreeMap;

use super::lexicon::Lexicon;
use super::parts::folded;
use super::tongue::*;
use crate::understand::text::fold;
use crate::words::{Language, Texts};

impl Tongue {
    /// A language of which nothing is known: numerals are heard and spoken.
    pub(super) fn bare(language: Language) -> Self {
        Self {
            language,
            name: Texts::new(),
            asked_for: BTreeMap::new(),
            stemmer: None,
            answers: Answers::default(),
            numbers: Numbers::default(),
            dictation: Dictation::default(),
            days: Days::default(),
            clock: Clock::default(),
            spoken: Spoken::default(),
            murmurs: Murmurs::default(),
            wishes: Wishes::default(),
            lexicon: Lexicon::default(),
            verdicts: Vec::new(),
            near: Vec::new(),
            named: Vec::new(),
        }
    }

    /// Makes what is looked up out of what is written.
    pub(crate) fn prepare(mut self) -> Self {
        self.lexicon = Lexicon::of(&self);
        let yes = self.answers.yes.iter().map(|(text, worth)| (text, *worth));
        let no = self.answers.no.iter().map(|(text, worth)| (text, -*worth));
        self.verdicts = yes
            .chain(no)
            .map(|(text, worth)| (folded(text), worth))
            .collect();
        let silent = self.answers.doubt.iter().chain(self.answers.idioms.iter());
        self.verdicts
            .extend(silent.map(|phrase| (phrase.to_vec(), 0.0)));
        self.near = self
            .days
            .near
            .iter()
            .map(|(text, days)| (folded(text), *days, text.clone()))
            .collect();
        self.near
            .sort_by_key(|(phrase, ..)| std::cmp::Reverse(phrase.len()));
        self.named = self
            .days
            .named
            .iter()
            .filter_map(|(text, day)| {
                let (month, day) = day.split_once('-')?;
                Some((folded(text), month.parse().ok()?, day.parse().ok()?))
            })
            .collect();
        self.named
            .sort_by_key(|(phrase, ..)| std::cmp::Reverse(phrase.len()));
        self
    }

    /// Tells whether words end with a day that needs nothing after it: "third of May", "tomorrow".
    pub(crate) fn ends_with_whole_day(&self, said: &[String]) -> bool {
        let said: Vec<String> = said.iter().map(|word| fold(word)).collect();
        let month = |word: &String| {
            self.days
                .months
                .iter()
                .any(|month| month.heard.contains(word))
        };
        said.last().is_some_and(month)
            || self.near.iter().any(|(phrase, ..)| said.ends_with(phrase))
    }

    /// Tells whether nothing is known of the language.
    pub fn is_bare(&self) -> bool {
        self.numbers.units[0].spoken.is_empty()
    }

    /// Returns the number words of 0 to 99 put together, as they are spoken.
    pub(crate) fn below_hundred(&self, value: u32) -> String {
        let (tens, unit) = (value as usize / 10 % 10, value as usize % 10);
        let numbers = &self.numbers;
        match (tens, unit) {
            (0 | 1, _) => numbers.units[tens * 10 + unit].spoken.clone(),
            (_, 0) => numbers.tens[tens - 2].spoken.clone(),
            _ => self.composite(unit, &numbers.tens[tens - 2].spoken),
        }
    }

    /// Puts a unit and a word for tens together.
    pub(super) fn composite(&self, unit: usize, ten: &str) -> String {
        let within = self.numbers.one_within.as_ref().filter(|_| unit == 1);
        let unit = within.unwrap_or(&self.numbers.units[unit].spoken);
        self.numbers
            .composite
            .replace("{unit}", unit)
            .replace("{ten}", ten)
    }

    /// Returns the ordinal number words of 0th to 99th, as they are spoken.
    pub(crate) fn ordinal(&self, value: u32) -> String {
        let (tens, unit) = (value as usize / 10 % 10, value as usize % 10);
        let numbers = &self.numbers;
        match (tens, unit) {
            (0 | 1, _) => numbers.ordinals[tens * 10 + unit].spoken.clone(),
            (_, 0) => numbers.ordinal_tens[tens - 2].spoken.clone(),
            _ => self.ordinal_of(unit, &numbers.ordinal_tens[tens - 2].spoken, tens),
        }
    }

    pub(super) fn ordinal_of(&self, unit: usize, ordinal_ten: &str, tens: usize) -> String {
        let numbers = &self.numbers;
        let within = numbers.one_within.as_ref().filter(|_| unit == 1);
        // Where the unit carries the ending, the tens are plain: "twenty-first".
        let plain = numbers.ordinal_composite.contains("{ordinal}");
        let ten = if plain {
            numbers.tens[tens - 2].spoken.as_str()
        } else {
            ordinal_ten
        };
        numbers
            .ordinal_composite
            .replace("{unit}", within.unwrap_or(&numbers.units[unit].spoken))
            .replace("{ordinal}", &numbers.ordinals[unit].spoken)
            .replace("{ten}", ten)
    }
}
