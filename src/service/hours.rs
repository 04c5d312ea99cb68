//! Opening hours: weekly openings, holidays and exceptions of a department, in its time zone.
//!
//! The rule is said in local time and nothing else: a department is open at an instant when the
//! clock on its wall shows an open minute of an open day. Nights on which the clock is moved follow
//! from that. Pure: the time is an argument, and nothing here knows about flows or calls.

mod danish;
mod week;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use danish::{PublicHoliday, easter};
pub use week::{HoursError, Place};
use week::{Week, read_day, read_local_choice};

/// The week: openings per weekday, such as `mon-thu: "09:00-15:00"`.
///
/// A key is a day (`mon`), a run of days (`mon-thu`, `fri-mon`) or a list of both (`mon,wed-thu`).
/// A value is `closed` or openings such as `09:00-12:00, 13:00-15:00`; days that are not named are
/// closed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Hours(pub BTreeMap<String, String>);

/// Which days are closed whatever the week says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holidays {
    /// Local choices by name: `may_1`, `june_5`, `dec_24`, `dec_31`, `friday_after_ascension`.
    #[serde(default)]
    pub closed: Vec<String>,
    /// Single days with other hours, or closed when empty. They win over everything else.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub days: BTreeMap<Date, String>,
}

/// When a department is open, checked and ready to be asked.
#[derive(Clone, Debug)]
pub struct Opening {
    week: Week,
    choices: BTreeSet<PublicHoliday>,
    days: BTreeMap<Date, Vec<Span>>,
    zone: TimeZone,
}

/// Why a department is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// A public holiday, or a day that the tenant chose to keep as one.
    Holiday(PublicHoliday),
    /// A single day that the tenant declared closed.
    Exception,
    /// An ordinary time outside the openings of the day.
    OutsideHours,
}

/// One opening of a day in minutes after local midnight; the end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    from: u16,
    to: u16,
}

/// How far ahead openings are looked for, in days; single days beyond it are still found.
const HORIZON: i32 = 400;

impl Opening {
    /// Checks what people wrote and makes it ready to be asked.
    ///
    /// # Errors
    /// All findings at once, each with its place and its remedy.
    pub fn new(
        hours: &Hours,
        holidays: &Holidays,
        zone: TimeZone,
    ) -> Result<Self, Vec<HoursError>> {
        let mut findings = Vec::new();
        let week = Week::read(hours, &mut findings);
        let mut choices = BTreeSet::new();
        for (index, name) in holidays.closed.iter().enumerate() {
            match read_local_choice(index, name) {
                Ok(choice) => drop(choices.insert(choice)),
                Err(finding) => findings.push(finding),
            }
        }
        let mut days = BTreeMap::new();
        for (date, text) in &holidays.days {
            match read_day(&Place::Day(*date), text) {
                Ok(spans) => drop(days.insert(*date, spans)),
                Err(finding) => findings.push(finding),
            }
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        Ok(Self {
            week,
            choices,
            days,
            zone,
        })
    }

    /// Tells whether it is open at this instant.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let (date, minute) = self.wall(at);
        self.spans(date)
            .iter()
            .any(|span| span.from <= minute && minute < span.to)
    }

    /// Tells why it is closed at this instant, or nothing when it is open.
    pub fn why_closed(&self, at: Timestamp) -> Option<Closed> {
        if self.is_open(at) {
            return None;
        }
        let (date, _) = self.wall(at);
        Some(match self.days.get(&date) {
            Some(spans) if spans.is_empty() => Closed::Exception,
            Some(_) => Closed::OutsideHours,
            None => self
                .holiday(date)
                .map_or(Closed::OutsideHours, Closed::Holiday),
        })
    }

    /// Returns the first instant from `at` on at which it is open: `at` itself when it is open.
    /// Nothing when it will not open within a year or on a day named singly.
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_open(at) {
            return Some(at);
        }
        self.first_change(at, true)
    }

    /// Returns the instant at which it closes next: of an opening under way, its end.
    /// Nothing when it does not open or does not close within a year.
    pub fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        self.first_change(self.next_open(at)?, false)
    }

    /// Returns the holiday kept on a date: a public one or one chosen by the tenant.
    pub fn holiday(&self, date: Date) -> Option<PublicHoliday> {
        let holiday = PublicHoliday::on(date)?;
        (!holiday.is_local_choice() || self.choices.contains(&holiday)).then_some(holiday)
    }

    /// Returns the time zone in which the hours are meant.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    fn spans(&self, date: Date) -> &[Span] {
        if let Some(spans) = self.days.get(&date) {
            spans
        } else if self.holiday(date).is_some() {
            &[]
        } else {
            self.week.on(date.weekday())
        }
    }

    /// What calendar and clock on the wall show.
    fn wall(&self, at: Timestamp) -> (Date, u16) {
        let local = self.zone.to_datetime(at);
        let minute = local.hour().unsigned_abs() as u16 * 60 + local.minute().unsigned_abs() as u16;
        (local.date(), minute)
    }

    /// Finds the first instant after `after` from which on the state is `open`.
    ///
    /// The state changes only where the wall clock shows a bound of a span, or where the clock is
    /// moved; so those instants, in order, are all that need to be looked at.
    fn first_change(&self, after: Timestamp, open: bool) -> Option<Timestamp> {
        let today = self.zone.to_datetime(after).date();
        let horizon = today.checked_add(HORIZON.days()).unwrap_or(Date::MAX);
        let mut date = today;
        while date < horizon {
            if let Some(found) = self.first_change_on(date, after, open) {
                return Some(found);
            }
            date = date.tomorrow().ok()?;
        }
        self.days
            .range(horizon..)
            .find_map(|(date, _)| self.first_change_on(*date, after, open))
    }

    fn first_change_on(&self, date: Date, after: Timestamp, open: bool) -> Option<Timestamp> {
        let mut candidates = Vec::new();
        let midnight = date.to_datetime(Time::midnight());
        let bounds = self
            .spans(date)
            .iter()
            .flat_map(|span| [span.from, span.to]);
        for minute in bounds.chain([0]) {
            let Ok(wall) = midnight.checked_add(i64::from(minute).minutes()) else {
                continue;
            };
            let instant = self.zone.to_ambiguous_timestamp(wall);
            candidates.extend(instant.earlier().ok());
            candidates.extend(instant.later().ok());
        }
        let first = candidates.iter().min().copied()?;
        let last = date
            .tomorrow()
            .and_then(|next| {
                self.zone
                    .to_ambiguous_timestamp(next.to_datetime(Time::midnight()))
                    .later()
            })
            .unwrap_or(Timestamp::MAX);
        candidates.extend(
            self.zone
                .following(first.saturating_sub(1.second()).unwrap_or(first))
                .map(|transition| transition.timestamp())
                .take_while(|moved| *moved <= last),
        );
        candidates.sort_unstable();
        candidates
            .into_iter()
            .find(|instant| *instant > after && self.is_open(*instant) == open)
    }
}

#[cfg(test)]
mod tests;
