//! What speakers of English say.

use jiff::civil::{Time, Weekday};

pub(crate) const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
pub(crate) const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
pub(crate) const ORDINALS: [&str; 20] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];
pub(crate) const ORDINAL_TENS: [&str; 8] = [
    "twentieth",
    "thirtieth",
    "fortieth",
    "fiftieth",
    "sixtieth",
    "seventieth",
    "eightieth",
    "ninetieth",
];
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Says 0 to 99.
pub(crate) fn below_hundred(value: u32) -> String {
    let (tens, unit) = (value / 10, value % 10);
    match (tens, unit) {
        (0 | 1, _) => UNITS[(value % 20) as usize].to_owned(),
        (_, 0) => TENS[(tens as usize - 2) % 8].to_owned(),
        _ => format!("{}-{}", TENS[(tens as usize - 2) % 8], UNITS[unit as usize]),
    }
}

fn below_thousand(value: u32) -> String {
    match (value / 100, value % 100) {
        (0, rest) => below_hundred(rest),
        (hundreds, 0) => format!("{} hundred", UNITS[(hundreds % 10) as usize]),
        (hundreds, rest) => {
            format!(
                "{} hundred and {}",
                UNITS[(hundreds % 10) as usize],
                below_hundred(rest)
            )
        }
    }
}

/// Says 0 to 999 999 999.
pub(super) fn cardinal(value: u32) -> String {
    let (millions, thousands, rest) = (value / 1_000_000, value / 1000 % 1000, value % 1000);
    let mut parts = Vec::new();
    if millions > 0 {
        parts.push(format!("{} million", below_thousand(millions)));
    }
    if thousands > 0 {
        parts.push(format!("{} thousand", below_thousand(thousands)));
    }
    if rest > 0 || parts.is_empty() {
        if rest < 100 && !parts.is_empty() {
            parts.push("and".to_owned());
        }
        parts.push(below_thousand(rest));
    }
    parts.join(" ")
}

/// Says 1 to 99 as an ordinal number.
pub(super) fn ordinal(value: u32) -> String {
    let (tens, unit) = (value / 10, value % 10);
    match (tens, unit) {
        (0 | 1, _) => ORDINALS[(value % 20) as usize].to_owned(),
        (_, 0) => ORDINAL_TENS[(tens as usize - 2) % 8].to_owned(),
        _ => format!(
            "{}-{}",
            TENS[(tens as usize - 2) % 8],
            ORDINALS[unit as usize]
        ),
    }
}

pub(super) fn year(year: u32) -> String {
    let (century, rest) = (year / 100, year % 100);
    match year {
        1100..=1999 | 2010..=2099 if rest == 0 => format!("{} hundred", below_hundred(century)),
        1100..=1999 if rest < 10 => {
            format!("{} oh {}", below_hundred(century), below_hundred(rest))
        }
        1100..=1999 | 2010..=2099 => {
            format!("{} {}", below_hundred(century), below_hundred(rest))
        }
        _ => cardinal(year),
    }
}

pub(super) fn weekday(weekday: Weekday) -> &'static str {
    WEEKDAYS[weekday.to_monday_zero_offset() as usize % 7]
}

pub(super) fn time(time: Time) -> String {
    let (hour, minute): (u32, u32) = (
        time.hour().unsigned_abs().into(),
        time.minute().unsigned_abs().into(),
    );
    match (hour, minute) {
        (0, 0) => return "midnight".to_owned(),
        (12, 0) => return "noon".to_owned(),
        _ => {}
    }
    let half = if hour < 12 { "am" } else { "pm" };
    let spoken_hour = below_hundred(if hour % 12 == 0 { 12 } else { hour % 12 });
    match minute {
        0 => format!("{spoken_hour} {half}"),
        1..=9 => format!("{spoken_hour} oh {} {half}", below_hundred(minute)),
        _ => format!("{spoken_hour} {} {half}", below_hundred(minute)),
    }
}
