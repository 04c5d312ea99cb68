//! Written values as they are spoken: numbers, dates, times, telephone numbers, money. The result
//! is plain words that any synthesiser reads right. What each language says lives in its own file;
//! a language without one gets digits. No sentences are made here, and no sound.

pub(crate) mod danish;
pub(crate) mod english;
mod spoken;

use jiff::civil::{Date, Time};

pub use spoken::spoken;

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
pub fn number(value: i64, language: Language) -> String {
    let spoken = match (u32::try_from(value.unsigned_abs()), language) {
        (Ok(size @ ..=999_999_999), Language::DA) => danish::cardinal(size),
        (Ok(size @ ..=999_999_999), Language::EN) => english::cardinal(size),
        (_, Language::DA | Language::EN) => digits(&value.unsigned_abs().to_string(), language),
        _ => return value.to_string(),
    };
    if value < 0 {
        format!("minus {spoken}")
    } else {
        spoken
    }
}

/// Says an ordinal number from 1 to 99, such as "tredje" for 3; others as cardinal numbers.
pub fn ordinal(value: u32, language: Language) -> String {
    match (value, language) {
        (1..=99, Language::DA) => danish::ordinal(value),
        (1..=99, Language::EN) => english::ordinal(value),
        (_, Language::DA | Language::EN) => number(value.into(), language),
        _ => format!("{value}."),
    }
}

/// Says digits one by one in groups of three or four; anything else in the text is left out.
pub fn digits(text: &str, language: Language) -> String {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let mut groups = Vec::new();
    let mut rest = digits.as_slice();
    while !rest.is_empty() {
        // A single digit is never left alone at the end.
        let size = if rest.len() <= 4 { rest.len() } else { 3 };
        let (group, tail) = rest.split_at(size);
        groups.push(one_by_one(group, language));
        rest = tail;
    }
    groups.join(", ")
}

/// Says a telephone number: in Danish by pairs, in English digit by digit. Commas are pauses.
pub fn phone(number: &PhoneNumber, language: Language) -> String {
    let national = number.national();
    let (code, rest) = match national.strip_prefix("00") {
        Some(foreign) => foreign.split_at(country_code_length(foreign).min(foreign.len())),
        None => ("", national.as_str()),
    };
    let mut groups = Vec::new();
    if !code.is_empty() {
        groups.push(match language {
            Language::DA => format!("plus {}", pair(code, language)),
            Language::EN => format!("plus {}", digits(code, language)),
            _ => format!("+{code}"),
        });
    }
    let digits: Vec<char> = rest.chars().collect();
    for chunk in digits.chunks(2) {
        let chunk: String = chunk.iter().collect();
        groups.push(match language {
            Language::DA => pair(&chunk, language),
            Language::EN => self::digits(&chunk, language),
            _ => chunk,
        });
    }
    groups.join(if matches!(language, Language::DA | Language::EN) {
        ", "
    } else {
        " "
    })
}

/// Says a date with its weekday, "i dag" or "i morgen" where it is, and the year only where the
/// day is not the next to come.
pub fn date(date: Date, today: Date, language: Language) -> String {
    let day = date.day().unsigned_abs().into();
    let month = date.month().unsigned_abs() as usize;
    let year: u32 = date.year().unsigned_abs().into();
    let near = (date >= today)
        .then(|| today.until(date).ok().map(|span| span.get_days()))
        .flatten();
    let with_year = date < today || next_of_its_kind(date, today) != Some(date);
    let mut spoken = match language {
        Language::DA => {
            let near = match near {
                Some(0) => "i dag, ",
                Some(1) => "i morgen, ",
                _ => "",
            };
            format!(
                "{near}{} den {} {}",
                danish::weekday(date.weekday()),
                danish::ordinal(day),
                danish::MONTHS[(month + 11) % 12],
            )
        }
        Language::EN => {
            let near = match near {
                Some(0) => "today, ",
                Some(1) => "tomorrow, ",
                _ => "",
            };
            format!(
                "{near}{} the {} of {}",
                english::weekday(date.weekday()),
                english::ordinal(day),
                english::MONTHS[(month + 11) % 12],
            )
        }
        _ => return format!("{day}.{month}.{year}"),
    };
    if with_year {
        spoken.push(' ');
        spoken.push_str(&match language {
            Language::DA => danish::year(year),
            _ => english::year(year),
        });
    }
    spoken
}

/// Says a time of day to the minute: "klokken fjorten tredive", "two thirty pm".
pub fn time(time: Time, language: Language) -> String {
    match language {
        Language::DA => danish::time(time),
        Language::EN => english::time(time),
        _ => format!("{:02}:{:02}", time.hour(), time.minute()),
    }
}

/// Says how long a wait of so many seconds will be. It is rounded up (to a minute, from ten
/// minutes on to five, from an hour on to fifteen), so that nobody waits longer than told by it.
pub fn wait(seconds: u32, language: Language) -> String {
    let minutes = seconds.div_ceil(60);
    let minutes = match minutes {
        0..=10 => minutes,
        11..=60 => minutes.next_multiple_of(5),
        _ => minutes.next_multiple_of(15),
    };
    let (hours, minutes) = (minutes / 60, minutes % 60);
    match language {
        Language::DA if seconds < 60 => "mindre end et minut".to_owned(),
        Language::EN if seconds < 60 => "less than a minute".to_owned(),
        Language::DA => {
            let minutes = (minutes > 0).then(|| match minutes {
                1 => "et minut".to_owned(),
                _ => format!("{} minutter", danish::cardinal(minutes)),
            });
            let hours = (hours > 0).then(|| match hours {
                1 => "en time".to_owned(),
                _ => format!("{} timer", danish::cardinal(hours)),
            });
            let parts: Vec<String> = hours.into_iter().chain(minutes).collect();
            format!("cirka {}", parts.join(" og "))
        }
        Language::EN => {
            let minutes = (minutes > 0).then(|| match minutes {
                1 => "one minute".to_owned(),
                _ => format!("{} minutes", english::cardinal(minutes)),
            });
            let hours = (hours > 0).then(|| match hours {
                1 => "one hour".to_owned(),
                _ => format!("{} hours", english::cardinal(hours)),
            });
            let parts: Vec<String> = hours.into_iter().chain(minutes).collect();
            format!("about {}", parts.join(" and "))
        }
        _ => format!("{} min", hours * 60 + minutes.max(1)),
    }
}

/// Says an amount of Danish money given in øre (100 øre = 1 kr.).
pub fn money(oere: i64, language: Language) -> String {
    let (kroner, rest) = (oere / 100, (oere % 100).unsigned_abs() as u32);
    let (unit, joiner) = match language {
        Language::DA => (if kroner.abs() == 1 { "krone" } else { "kroner" }, "og"),
        Language::EN => (if kroner.abs() == 1 { "krone" } else { "kroner" }, "and"),
        _ => {
            let sign = if oere < 0 { "-" } else { "" };
            return format!("{sign}{},{rest:02} kr.", kroner.unsigned_abs());
        }
    };
    let minus = if oere < 0 { "minus " } else { "" };
    let whole = format!(
        "{minus}{} {unit}",
        number(kroner.saturating_abs(), language)
    );
    let small = format!("{} øre", number(rest.into(), language));
    match (kroner, rest) {
        (_, 0) => whole,
        (0, _) => format!("{minus}{small}"),
        _ => format!("{whole} {joiner} {small}"),
    }
}

/// Spells letters and digits one by one, such as a reference number, with a pause after each.
pub fn spell(text: &str, language: Language) -> String {
    let spoken: Vec<String> = text
        .chars()
        .filter_map(|character| match (character, character.to_digit(10)) {
            (_, Some(digit)) => Some(one_by_one(&[digit], language)),
            (letter, None) if letter.is_alphabetic() => Some(letter.to_uppercase().collect()),
            ('-', None) if language == Language::DA => Some("bindestreg".to_owned()),
            ('-', None) if language == Language::EN => Some("dash".to_owned()),
            ('/', None) if language == Language::DA => Some("skråstreg".to_owned()),
            ('/', None) if language == Language::EN => Some("slash".to_owned()),
            _ => None,
        })
        .collect();
    spoken.join(", ")
}

/// Joins phrases: "a, b og c" or "a, b or c".
pub fn list(parts: &[String], language: Language, joiner: Joiner) -> String {
    let word = match (language, joiner) {
        (Language::DA, Joiner::And) => " og ",
        (Language::DA, Joiner::Or) => " eller ",
        (Language::EN, Joiner::And) => " and ",
        (Language::EN, Joiner::Or) => " or ",
        _ => ", ",
    };
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [head @ .., last] => format!("{}{word}{last}", head.join(", ")),
    }
}

/// Finds the first day from `today` on that has the same day and month.
pub(crate) fn next_of_its_kind(date: Date, today: Date) -> Option<Date> {
    // A leap day comes back after eight years at the latest.
    (0..=8)
        .filter_map(|years| {
            Date::new(today.year().checked_add(years)?, date.month(), date.day()).ok()
        })
        .find(|candidate| *candidate >= today)
}

fn one_by_one(digits: &[u32], language: Language) -> String {
    let words: Vec<String> = digits
        .iter()
        .map(|&digit| match language {
            Language::DA => danish::below_hundred(digit),
            Language::EN => english::below_hundred(digit),
            _ => digit.to_string(),
        })
        .collect();
    words.join(" ")
}

/// Says two digits as one number, or one by one where the first is 0.
fn pair(text: &str, language: Language) -> String {
    match text.parse::<u32>() {
        Ok(value) if text.len() == 2 && !text.starts_with('0') => danish::below_hundred(value),
        _ => digits(text, language),
    }
}

/// Tells how many digits of a number without its `+` are the country code (E.164).
fn country_code_length(digits: &str) -> usize {
    match digits.get(..2) {
        Some(two) if two.starts_with(['1', '7']) => 1,
        Some(
            "20" | "27" | "30" | "31" | "32" | "33" | "34" | "36" | "39" | "40" | "41" | "43"
            | "44" | "45" | "46" | "47" | "48" | "49" | "51" | "52" | "53" | "54" | "55" | "56"
            | "57" | "58" | "60" | "61" | "62" | "63" | "64" | "65" | "66" | "81" | "82" | "84"
            | "86" | "90" | "91" | "92" | "93" | "94" | "95" | "98",
        ) => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests;
