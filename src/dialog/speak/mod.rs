//! Written values as they are spoken: numbers, dates, times, telephone numbers, money. The result
//! is plain words that any synthesiser reads right. What each language says stands in
//! [`crate::language`]; a language without a file gets digits. No sentences are made here, and no
//! sound.

mod spoken;

use jiff::civil::{Date, Time};

pub use spoken::spoken;

use crate::language::{Currency, Scale, Tongue, tongue};
use crate::words::{Language, PhoneNumber};

/// The word between the last two members of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joiner {
    /// "a, b og c".
    And,
    /// "a, b eller c".
    Or,
}

/// The largest number that is said in words.
const LARGEST: u32 = 999_999_999;

/// Says a whole number, such as "enogtyve" for 21; beyond ±999 999 999 digit by digit.
pub fn number(value: i64, language: Language) -> String {
    number_in(value, &tongue(language))
}

fn number_in(value: i64, tongue: &Tongue) -> String {
    if tongue.is_bare() {
        return value.to_string();
    }
    let spoken = match u32::try_from(value.unsigned_abs()) {
        Ok(size @ ..=LARGEST) => cardinal(size, tongue),
        _ => digits_in(&value.unsigned_abs().to_string(), tongue),
    };
    if value < 0 {
        format!("{} {spoken}", tongue.numbers.minus)
    } else {
        spoken
    }
}

/// Says 0 to 999 999 999.
fn cardinal(value: u32, tongue: &Tongue) -> String {
    let numbers = &tongue.numbers;
    let (millions, thousands, rest) = (value / 1_000_000, value / 1000 % 1000, value % 1000);
    let mut parts = Vec::new();
    for (count, scale) in [(millions, &numbers.million), (thousands, &numbers.thousand)] {
        if count > 0 {
            let leads = parts.is_empty();
            parts.push(scaled(count, leads, scale, tongue));
        }
    }
    if rest > 0 || parts.is_empty() {
        let leads = parts.is_empty();
        if rest < 100 && !leads && !numbers.before_last.is_empty() {
            parts.push(numbers.before_last.clone());
        }
        parts.push(below_thousand(rest, leads, tongue));
    }
    parts.join(" ")
}

/// Says so many hundreds, thousands or millions; `leads` where nothing stands before them.
fn scaled(count: u32, leads: bool, scale: &Scale, tongue: &Tongue) -> String {
    if count == 1 {
        let first = scale.first.as_ref().filter(|_| leads);
        return first.unwrap_or(&scale.one).clone();
    }
    let spoken = below_thousand(count, leads, tongue);
    // "hundrede og et tusind": one is neuter here, but not in "enogtyve".
    let one = tongue
        .numbers
        .one_before
        .as_ref()
        .filter(|_| count % 100 == 1);
    let spoken = match (one, spoken.strip_suffix(&tongue.numbers.units[1].spoken)) {
        (Some(one), Some(head)) => format!("{head}{one}"),
        _ => spoken,
    };
    scale.many.replace("{n}", &spoken)
}

/// Says 0 to 999; `leads` where nothing stands before it.
fn below_thousand(value: u32, leads: bool, tongue: &Tongue) -> String {
    let (hundreds, rest) = (value / 100, value % 100);
    if hundreds == 0 {
        return tongue.below_hundred(rest);
    }
    let hundreds = scaled(hundreds, leads, &tongue.numbers.hundred, tongue);
    if rest == 0 {
        hundreds
    } else {
        let after = &tongue.numbers.after_hundred;
        format!("{hundreds}{after}{}", tongue.below_hundred(rest))
    }
}

/// Says an ordinal number from 1 to 99, such as "tredje" for 3; others as cardinal numbers.
pub fn ordinal(value: u32, language: Language) -> String {
    ordinal_in(value, &tongue(language))
}

fn ordinal_in(value: u32, tongue: &Tongue) -> String {
    match value {
        _ if tongue.is_bare() => format!("{value}."),
        1..=99 => tongue.ordinal(value),
        _ => number_in(value.into(), tongue),
    }
}

/// Says digits one by one in groups of three or four; anything else in the text is left out.
pub fn digits(text: &str, language: Language) -> String {
    digits_in(text, &tongue(language))
}

fn digits_in(text: &str, tongue: &Tongue) -> String {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let mut groups = Vec::new();
    let mut rest = digits.as_slice();
    while !rest.is_empty() {
        // A single digit is never left alone at the end.
        let size = if rest.len() <= 4 { rest.len() } else { 3 };
        let (group, tail) = rest.split_at(size);
        groups.push(one_by_one(group, tongue));
        rest = tail;
    }
    groups.join(", ")
}

/// Says a telephone number: in pairs or digit by digit, as the language does. Commas are pauses.
pub fn phone(number: &PhoneNumber, language: Language) -> String {
    phone_in(number, &tongue(language))
}

fn phone_in(number: &PhoneNumber, tongue: &Tongue) -> String {
    let national = number.national();
    let (code, rest) = match national.strip_prefix("00") {
        Some(foreign) => foreign.split_at(country_code_length(foreign).min(foreign.len())),
        None => ("", national.as_str()),
    };
    let said = |digits: &str| match tongue.spoken.phone_in_pairs {
        _ if tongue.is_bare() => digits.to_owned(),
        true => pair(digits, tongue),
        false => digits_in(digits, tongue),
    };
    let mut groups = Vec::new();
    if !code.is_empty() {
        groups.push(if tongue.is_bare() {
            format!("+{code}")
        } else {
            format!("{} {}", tongue.spoken.plus, said(code))
        });
    }
    let digits: Vec<char> = rest.chars().collect();
    for chunk in digits.chunks(2) {
        let chunk: String = chunk.iter().collect();
        groups.push(said(&chunk));
    }
    groups.join(if tongue.is_bare() { " " } else { ", " })
}

/// Says a date with its weekday, "i dag" or "i morgen" where it is, and the year only where the
/// day is not the next to come.
pub fn date(date: Date, today: Date, language: Language) -> String {
    let tongue = tongue(language);
    let day: u32 = date.day().unsigned_abs().into();
    let month = date.month().unsigned_abs() as usize;
    let year: u32 = date.year().unsigned_abs().into();
    if tongue.is_bare() {
        return format!("{day}.{month}.{year}");
    }
    let spoken = &tongue.spoken;
    let near = (date >= today)
        .then(|| today.until(date).ok().map(|span| span.get_days()))
        .flatten();
    let near = match near {
        Some(0) => spoken.today.as_str(),
        Some(1) => spoken.tomorrow.as_str(),
        _ => "",
    };
    let weekday = date.weekday().to_monday_zero_offset().unsigned_abs() as usize % 7;
    let said = spoken
        .date
        .replace("{weekday}", &tongue.days.weekdays[weekday].spoken)
        .replace("{day}", &tongue.ordinal(day))
        .replace("{month}", &tongue.days.months[(month + 11) % 12].spoken);
    if date < today || next_of_its_kind(date, today) != Some(date) {
        format!("{near}{said} {}", year_in(year, &tongue))
    } else {
        format!("{near}{said}")
    }
}

/// Says a year: "nitten hundrede syvogfirs".
fn year_in(year: u32, tongue: &Tongue) -> String {
    let years = &tongue.spoken.years;
    let by_hundreds = years
        .by_hundreds
        .iter()
        .any(|[from, until]| (*from..=*until).contains(&year));
    if !by_hundreds {
        return number_in(year.into(), tongue);
    }
    let template = match year % 100 {
        0 => &years.whole,
        1..=9 => &years.few,
        _ => &years.rest,
    };
    template
        .replace("{century}", &tongue.below_hundred(year / 100))
        .replace("{rest}", &tongue.below_hundred(year % 100))
}

/// Says a time of day to the minute: "klokken fjorten tredive", "two thirty pm".
pub fn time(time: Time, language: Language) -> String {
    let tongue = tongue(language);
    let times = &tongue.spoken.time;
    let (hour, minute) = (
        time.hour().unsigned_abs().into(),
        time.minute().unsigned_abs().into(),
    );
    match (hour, minute, &times.midnight, &times.noon) {
        _ if tongue.is_bare() => return format!("{hour:02}:{minute:02}"),
        (0, 0, Some(midnight), _) => return midnight.clone(),
        (12, 0, _, Some(noon)) => return noon.clone(),
        _ => {}
    }
    let template = match minute {
        0 => &times.whole,
        1..=9 => &times.few,
        _ => &times.minutes,
    };
    let spoken = clock(hour, minute, template, &tongue);
    // Small hours alone would be taken for the afternoon.
    let small = times.small_hours.iter().filter_map(|(until, added)| {
        let until: u32 = until.parse().ok()?;
        (1..=until).contains(&hour).then_some((until, added))
    });
    match small.min_by_key(|(until, _)| *until) {
        Some((_, added)) => format!("{spoken} {added}"),
        None => spoken,
    }
}

/// Fills hour, minute and half of the day into a template.
fn clock(hour: u32, minute: u32, template: &str, tongue: &Tongue) -> String {
    let times = &tongue.spoken.time;
    let shown = match (&times.halves, hour % 12) {
        (Some(_), 0) => 12,
        (Some(_), hour) => hour,
        (None, _) => hour,
    };
    let one = times.one.as_ref().filter(|_| shown == 1).cloned();
    let half = times
        .halves
        .as_ref()
        .map(|[am, pm]| if hour < 12 { am } else { pm });
    template
        .replace(
            "{hour}",
            &one.unwrap_or_else(|| tongue.below_hundred(shown)),
        )
        .replace("{minute}", &tongue.below_hundred(minute))
        .replace("{half}", half.map_or("", String::as_str))
}

/// Says how long a wait of so many seconds will be. It is rounded up (to a minute, from ten
/// minutes on to five, from an hour on to fifteen), so that nobody waits longer than told by it.
pub fn wait(seconds: u32, language: Language) -> String {
    let tongue = tongue(language);
    let minutes = seconds.div_ceil(60);
    let minutes = match minutes {
        0..=10 => minutes,
        11..=60 => minutes.next_multiple_of(5),
        _ => minutes.next_multiple_of(15),
    };
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let wait = &tongue.spoken.wait;
    if tongue.is_bare() {
        return format!("{} min", hours * 60 + minutes.max(1));
    }
    if seconds < 60 {
        return wait.short.clone();
    }
    let several = |count: u32, one: &str, many: &str| match count {
        0 => None,
        1 => Some(one.to_owned()),
        _ => Some(many.replace("{n}", &cardinal(count, &tongue))),
    };
    let parts: Vec<String> = several(hours, &wait.hour, &wait.hours)
        .into_iter()
        .chain(several(minutes, &wait.minute, &wait.minutes))
        .collect();
    let joined = parts.join(&format!(" {} ", tongue.spoken.and));
    wait.about.replace("{wait}", &joined)
}

/// Says an amount of Danish money given in øre (100 øre = 1 kr.).
pub fn money(oere: i64, language: Language) -> String {
    let tongue = tongue(language);
    match tongue.spoken.money.first() {
        Some(kroner) => amount(oere, kroner, &tongue),
        None => {
            let sign = if oere < 0 { "-" } else { "" };
            let (kroner, rest) = (oere.unsigned_abs() / 100, oere.unsigned_abs() % 100);
            format!("{sign}{kroner},{rest:02} kr.")
        }
    }
}

/// Says an amount given in hundredths of a currency.
fn amount(cents: i64, currency: &Currency, tongue: &Tongue) -> String {
    let (whole, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    let several = |count: u64, one: &str, many: &str| match count {
        1 => one.to_owned(),
        _ => {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            many.replace("{n}", &number_in(count, tongue))
        }
    };
    let large = several(whole, &currency.one, &currency.many);
    let small = several(rest, &currency.cent, &currency.cents);
    let spoken = match (whole, rest) {
        (_, 0) => large,
        (0, _) => small,
        _ => format!("{large} {} {small}", tongue.spoken.and),
    };
    if cents < 0 {
        format!("{} {spoken}", tongue.numbers.minus)
    } else {
        spoken
    }
}

/// Spells letters and digits one by one, such as a reference number, with a pause after each.
pub fn spell(text: &str, language: Language) -> String {
    spell_in(text, &tongue(language))
}

fn spell_in(text: &str, tongue: &Tongue) -> String {
    let spoken: Vec<String> = text
        .chars()
        .filter_map(|character| match (character, character.to_digit(10)) {
            (_, Some(digit)) => Some(one_by_one(&[digit], tongue)),
            (letter, None) if letter.is_alphabetic() => Some(letter.to_uppercase().collect()),
            (sign, None) => tongue.spoken.signs.get(&sign.to_string()).cloned(),
        })
        .collect();
    spoken.join(", ")
}

/// Joins phrases: "a, b og c" or "a, b or c".
pub fn list(parts: &[String], language: Language, joiner: Joiner) -> String {
    let tongue = tongue(language);
    let word = match joiner {
        _ if tongue.is_bare() => ", ".to_owned(),
        Joiner::And => format!(" {} ", tongue.spoken.and),
        Joiner::Or => format!(" {} ", tongue.spoken.or),
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

fn one_by_one(digits: &[u32], tongue: &Tongue) -> String {
    let words: Vec<String> = digits
        .iter()
        .map(|&digit| match tongue.is_bare() {
            true => digit.to_string(),
            false => tongue.below_hundred(digit),
        })
        .collect();
    words.join(" ")
}

/// Says two digits as one number, or one by one where the first is 0.
fn pair(text: &str, tongue: &Tongue) -> String {
    match text.parse::<u32>() {
        Ok(value) if text.len() == 2 && !text.starts_with('0') => tongue.below_hundred(value),
        _ => digits_in(text, tongue),
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
