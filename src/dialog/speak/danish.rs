//! What Danes say.

use jiff::civil::{Time, Weekday};

pub(crate) const UNITS: [&str; 20] = [
    "nul", "en", "to", "tre", "fire", "fem", "seks", "syv", "otte", "ni", "ti", "elleve", "tolv",
    "tretten", "fjorten", "femten", "seksten", "sytten", "atten", "nitten",
];
pub(crate) const TENS: [&str; 8] = [
    "tyve",
    "tredive",
    "fyrre",
    "halvtreds",
    "tres",
    "halvfjerds",
    "firs",
    "halvfems",
];
pub(crate) const ORDINALS: [&str; 20] = [
    "nulte",
    "første",
    "anden",
    "tredje",
    "fjerde",
    "femte",
    "sjette",
    "syvende",
    "ottende",
    "niende",
    "tiende",
    "ellevte",
    "tolvte",
    "trettende",
    "fjortende",
    "femtende",
    "sekstende",
    "syttende",
    "attende",
    "nittende",
];
pub(crate) const ORDINAL_TENS: [&str; 8] = [
    "tyvende",
    "tredivte",
    "fyrretyvende",
    "halvtredsindstyvende",
    "tresindstyvende",
    "halvfjerdsindstyvende",
    "firsindstyvende",
    "halvfemsindstyvende",
];
pub(crate) const MONTHS: [&str; 12] = [
    "januar",
    "februar",
    "marts",
    "april",
    "maj",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "december",
];
pub(crate) const WEEKDAYS: [&str; 7] = [
    "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag",
];

/// Says 0 to 99; 1 is "en".
pub(crate) fn below_hundred(value: u32) -> String {
    let (tens, unit) = (value / 10, value % 10);
    match (tens, unit) {
        (0 | 1, _) => UNITS[(value % 20) as usize].to_owned(),
        (_, 0) => TENS[(tens as usize - 2) % 8].to_owned(),
        _ => format!(
            "{}og{}",
            UNITS[unit as usize],
            TENS[(tens as usize - 2) % 8]
        ),
    }
}

/// Says 0 to 999, with "et hundrede" where something stands before it.
fn below_thousand(value: u32, leads: bool) -> String {
    let rest = value % 100;
    let hundreds = match value / 100 {
        0 => return below_hundred(rest),
        1 if leads => "hundrede".to_owned(),
        1 => "et hundrede".to_owned(),
        hundreds => format!("{} hundrede", UNITS[(hundreds % 10) as usize]),
    };
    if rest == 0 {
        hundreds
    } else {
        format!("{hundreds} og {}", below_hundred(rest))
    }
}

/// Says 0 to 999 999 999.
pub(super) fn cardinal(value: u32) -> String {
    let (millions, thousands, rest) = (value / 1_000_000, value / 1000 % 1000, value % 1000);
    let mut parts = Vec::new();
    match millions {
        0 => {}
        1 => parts.push("en million".to_owned()),
        _ => parts.push(format!("{} millioner", below_thousand(millions, true))),
    }
    match thousands {
        0 => {}
        1 if millions == 0 => parts.push("tusind".to_owned()),
        _ => {
            let spoken = below_thousand(thousands, millions == 0);
            // "tusind" is neuter: et tusind, hundrede og et tusind.
            let spoken = match spoken.strip_suffix("en") {
                Some(head) if thousands % 100 == 1 => format!("{head}et"),
                _ => spoken,
            };
            parts.push(format!("{spoken} tusind"));
        }
    }
    if rest > 0 || parts.is_empty() {
        if rest < 100 && !parts.is_empty() {
            parts.push("og".to_owned());
        }
        let leads = parts.is_empty();
        parts.push(below_thousand(rest, leads));
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
            "{}og{}",
            UNITS[unit as usize],
            ORDINAL_TENS[(tens as usize - 2) % 8]
        ),
    }
}

pub(super) fn year(year: u32) -> String {
    match year {
        1100..=1999 if year.is_multiple_of(100) => {
            format!("{} hundrede", below_hundred(year / 100))
        }
        1100..=1999 => {
            format!(
                "{} hundrede {}",
                below_hundred(year / 100),
                below_hundred(year % 100)
            )
        }
        _ => cardinal(year),
    }
}

pub(super) fn weekday(weekday: Weekday) -> &'static str {
    WEEKDAYS[weekday.to_monday_zero_offset() as usize % 7]
}

pub(super) fn time(time: Time) -> String {
    let (hour, minute) = (
        time.hour().unsigned_abs().into(),
        time.minute().unsigned_abs().into(),
    );
    let spoken_hour = if hour == 1 {
        "et".to_owned()
    } else {
        below_hundred(hour)
    };
    let spoken = match minute {
        0 if hour == 0 => return "midnat".to_owned(),
        0 => format!("klokken {spoken_hour}"),
        1..=9 => format!("klokken {spoken_hour} nul {}", below_hundred(minute)),
        _ => format!("klokken {spoken_hour} {}", below_hundred(minute)),
    };
    // Small hours alone would be taken for the afternoon.
    match hour {
        1..=4 => format!("{spoken} om natten"),
        5..=6 => format!("{spoken} om morgenen"),
        _ => spoken,
    }
}
