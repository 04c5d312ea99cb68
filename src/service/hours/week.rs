//! Reads what people write about hours, and says what is wrong with it, where, and how to put it
//! right.

use std::fmt;

use jiff::civil::{Date, Weekday};

use super::danish::LOCAL_CHOICES;
use super::{Hours, PublicHoliday, Span};

/// What is wrong with hours or holidays as written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct HoursError {
    /// Where.
    pub place: Place,
    /// What, and what to write instead.
    pub fault: String,
}

/// A place in hours or holidays as written, by which a checker finds line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A key of the week.
    Week(String),
    /// A name in `closed`, by its index.
    Closed(usize),
    /// A single day.
    Day(Date),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Week(key) => write!(f, "hours.{key}"),
            Self::Closed(index) => write!(f, "holidays.closed.{index}"),
            Self::Day(date) => write!(f, "holidays.days.{date}"),
        }
    }
}

impl Place {
    fn fault(&self, fault: String) -> HoursError {
        HoursError {
            place: self.clone(),
            fault,
        }
    }
}

/// The openings of each weekday, Monday first.
#[derive(Clone, Debug, Default)]
pub(super) struct Week([Vec<Span>; 7]);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WHOLE_DAY: u16 = 24 * 60;

impl Week {
    pub(super) fn read(hours: &Hours, findings: &mut Vec<HoursError>) -> Self {
        let mut week = Self::default();
        let mut named_by: [Option<&str>; 7] = [None; 7];
        for (key, text) in &hours.0 {
            let place = Place::Week(key.clone());
            let days = read_days(&place, key).unwrap_or_else(|finding| {
                findings.push(finding);
                Vec::new()
            });
            let spans = read_day(&place, text).unwrap_or_else(|finding| {
                findings.push(finding);
                Vec::new()
            });
            for day in days {
                match named_by[day] {
                    Some(other) => findings.push(place.fault(format!(
                        "{} is already named by {other:?}; name each day once",
                        DAYS[day]
                    ))),
                    None => {
                        named_by[day] = Some(key);
                        week.0[day] = spans.clone();
                    }
                }
            }
        }
        week
    }

    pub(super) fn on(&self, day: Weekday) -> &[Span] {
        &self.0[usize::from(day.to_monday_zero_offset().unsigned_abs()) % 7]
    }
}

/// Reads `mon`, `mon-thu`, `fri-mon` or `mon,wed-thu` into day numbers, Monday being 0.
fn read_days(place: &Place, key: &str) -> Result<Vec<usize>, HoursError> {
    let one = |name: &str| {
        let name = name.trim();
        DAYS.iter()
            .position(|day| day.eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                place.fault(format!(
                    "{name:?} is no day; write mon, tue, wed, thu, fri, sat or sun, or a run such \
                     as mon-thu"
                ))
            })
    };
    let mut days = Vec::new();
    for part in key.split(',') {
        match part.split_once('-') {
            None => days.push(one(part)?),
            Some((first, last)) => {
                let (first, last) = (one(first)?, one(last)?);
                let length = (last + 7 - first) % 7;
                days.extend((0..=length).map(|step| (first + step) % 7));
            }
        }
    }
    Ok(days)
}

/// Reads the openings of one day: nothing or `closed`, or spans such as `09:00-12:00, 13:00-15:00`.
pub(super) fn read_day(place: &Place, text: &str) -> Result<Vec<Span>, HoursError> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("closed") {
        return Ok(Vec::new());
    }
    let mut spans: Vec<Span> = Vec::new();
    for part in text.split(',') {
        let span = read_span(place, part.trim())?;
        if let Some(before) = spans.last()
            && span.from < before.to
        {
            return Err(place.fault(format!(
                "{:?} begins before the opening in front of it ends; write openings in order and \
                 apart, such as \"09:00-12:00, 13:00-15:00\"",
                part.trim()
            )));
        }
        spans.push(span);
    }
    Ok(spans)
}

fn read_span(place: &Place, text: &str) -> Result<Span, HoursError> {
    let Some((from, to)) = text.split_once(['-', '–']) else {
        return Err(place.fault(format!(
            "{text:?} is no opening; write from and to, such as \"09:00-15:00\", or \"closed\""
        )));
    };
    let (from, to) = (read_time(place, from)?, read_time(place, to)?);
    if from < to {
        return Ok(Span { from, to });
    }
    Err(place.fault(format!(
        "{text:?} ends before it begins; for an opening past midnight write \"…-24:00\" on this \
         day and \"00:00-…\" on the next"
    )))
}

/// Reads `09:00`, `9:00`, `9.00` or `24:00` into minutes after midnight.
fn read_time(place: &Place, text: &str) -> Result<u16, HoursError> {
    let text = text.trim();
    let number = |digits: &str, longest: usize| {
        let plain = !digits.is_empty()
            && digits.len() <= longest
            && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let parts = text.split_once([':', '.']);
    let minutes = parts.and_then(|(hour, minute)| {
        let hour = number(hour, 2)?;
        let minute = (minute.len() == 2).then(|| number(minute, 2)).flatten()?;
        (minute < 60 && hour * 60 + minute <= WHOLE_DAY).then_some(hour * 60 + minute)
    });
    minutes.ok_or_else(|| {
        place.fault(format!(
            "{text:?} is no time of day; write it as \"09:00\", between \"00:00\" and \"24:00\""
        ))
    })
}

/// Reads one name of `closed`.
pub(super) fn read_local_choice(index: usize, name: &str) -> Result<PublicHoliday, HoursError> {
    LOCAL_CHOICES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, holiday)| *holiday)
        .ok_or_else(|| {
            let known: Vec<_> = LOCAL_CHOICES.iter().map(|(known, _)| *known).collect();
            Place::Closed(index).fault(format!(
                "{name:?} is no day to choose; choose from {}, and write other days under \
                 `days` with their date (public holidays are closed already)",
                known.join(", ")
            ))
        })
}
