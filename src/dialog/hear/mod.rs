//! Recognised words as values: yes and no, numbers, digits, telephone numbers, dates and times,
//! as people say them in each language, with fillers, corrections and recognition errors.
//! What each language says stands in [`crate::language`]. What a caller *wants* is not found here but in [`crate::understand`].

mod date;
mod digits;
mod numeral;
mod time;
mod word;
mod yes_no;

use jiff::civil::{Date, Time};

use crate::language::tongue;
use crate::words::{Language, PhoneNumber};

/// From this confidence on an answer needs no confirmation of its own.
pub const SURE: f32 = 0.75;

/// A value that was heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// The value.
    pub value: T,
    /// 0 (a guess) to 1 (certain); [`SURE`] is the line.
    pub confidence: f32,
    /// What in the words led to it.
    pub why: String,
}

/// The part of the day that a bare "klokken tre" is meant to lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Daytime {
    /// The earliest likely time.
    pub from: Time,
    /// The latest likely time.
    pub until: Time,
}

impl Default for Daytime {
    /// 7:00 to 18:59.
    fn default() -> Self {
        Self {
            from: Time::constant(7, 0, 0, 0),
            until: Time::constant(18, 59, 0, 0),
        }
    }
}

/// Hears yes (`true`) or no (`false`); nothing for both at once, for "maybe" and for other words.
pub fn yes_no(text: &str, language: Language) -> Option<Answer<bool>> {
    yes_no::yes_no(text, &tongue(language))
}

/// Hears one whole number, 0 to 999 999 999.
pub fn number(text: &str, language: Language) -> Option<Answer<i64>> {
    digits::number(text, &tongue(language))
}

/// Hears a string of digits: one by one, in pairs, in hundreds, as numerals, or mixed.
pub fn digits(text: &str, language: Language) -> Option<Answer<String>> {
    digits::digits(text, &tongue(language))
}

/// Hears a telephone number: eight Danish digits, or any with `+`, `00` or +45 before it.
pub fn phone(text: &str, language: Language) -> Option<Answer<PhoneNumber>> {
    digits::phone(text, &tongue(language))
}

/// Hears a day; one without a year is the next to come, counted from `today`.
pub fn date(text: &str, language: Language, today: Date) -> Option<Answer<Date>> {
    date::date(text, &tongue(language), today)
}

/// Hears a time of day; "tre" is 3:00 or 15:00, whichever lies in `daytime`.
pub fn time(text: &str, language: Language, daytime: Daytime) -> Option<Answer<Time>> {
    time::time(text, &tongue(language), daytime)
}

#[cfg(test)]
mod tests;
