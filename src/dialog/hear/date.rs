//! Days: by name, by number, and by how far off they are.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

use super::Answer;
use super::numeral::{cardinal, units_first};
use super::word::{Kind, Word, words};
use crate::dialog::speak::next_of_its_kind;
use crate::language::{Tongue, Words};
use crate::words::Language;

/// Hears a day; after a correction ("nej, tirsdag") the last one.
pub(super) fn date(text: &str, tongue: &Tongue, today: Date) -> Option<Answer<Date>> {
    let words = words(text, tongue);
    let corrected = words.iter().rposition(|word| word.kind == Kind::Correction);
    if let Some(at) = corrected
        && let Some(mut answer) = (Calendar {
            words: &words[at + 1..],
            tongue,
            today,
        })
        .read()
    {
        if at > 0 {
            answer.confidence *= 0.9;
        }
        return Some(answer);
    }
    Calendar {
        words: &words,
        tongue,
        today,
    }
    .read()
}

struct Calendar<'a> {
    words: &'a [Word],
    tongue: &'a Tongue,
    today: Date,
}

/// A day as it was said, before it has a place in the calendar.
struct Explicit {
    day: u32,
    month: Option<u32>,
    year: Option<i16>,
    confidence: f32,
}

impl Calendar<'_> {
    fn read(&self) -> Option<Answer<Date>> {
        let weekday = self.weekday();
        let near = self.near();
        let (value, mut confidence, mut why) = if let Some(explicit) = self.explicit() {
            let (value, why) = self.place(&explicit)?;
            (value, explicit.confidence, why)
        } else if let Some((value, why)) = self.holiday() {
            (value, 0.9, why)
        } else {
            self.relative(weekday, near)?
        };
        if let Some((said, at)) = weekday
            && value.weekday() != said
        {
            confidence *= 0.45;
            why = format!("{why}, although '{}' is another day", self.words[at].text);
        }
        if let Some((days, _)) = near
            && self.offset().is_none()
            && self.today.checked_add(i64::from(days).days()).ok() != Some(value)
        {
            confidence *= 0.5;
            why = format!("{why}, although another day was named too");
        }
        if self.words.iter().any(|word| word.kind == Kind::Unknown) {
            confidence *= 0.9;
        }
        Some(Answer {
            value,
            confidence,
            why,
        })
    }

    fn is(&self, at: usize, words: &Words) -> bool {
        self.words.get(at).is_some_and(|word| words.has(&word.text))
    }

    fn kind(&self, at: usize) -> Option<&Kind> {
        self.words.get(at).map(|word| &word.kind)
    }

    fn before(&self, at: usize, words: &Words) -> bool {
        at > 0 && self.is(at - 1, words)
    }

    /// Finds where a run of words stands.
    fn find(&self, phrase: &[String]) -> Option<usize> {
        (0..self.words.len()).find(|at| self.begins(*at, phrase))
    }

    /// Tells whether a run of words stands at a place.
    fn begins(&self, at: usize, phrase: &[String]) -> bool {
        let said = self.words.get(at..at + phrase.len());
        said.is_some_and(|said| {
            said.iter()
                .zip(phrase)
                .all(|(word, part)| word.text == *part)
        })
    }

    /// Finds one of these words and one of those right after it.
    fn pair(&self, first: &Words, second: &Words) -> bool {
        (0..self.words.len()).any(|at| self.is(at, first) && self.is(at + 1, second))
    }

    /// Finds the weekday that was named first.
    fn weekday(&self) -> Option<(Weekday, usize)> {
        self.words
            .iter()
            .enumerate()
            .find_map(|(at, word)| match word.kind {
                Kind::Weekday(offset) => {
                    let offset = i8::try_from(offset).ok()?;
                    Some((Weekday::from_monday_zero_offset(offset).ok()?, at))
                }
                _ => None,
            })
    }

    /// Finds today, tomorrow and their neighbours, as days from today.
    fn near(&self) -> Option<(i32, &str)> {
        if let [only] = self.words {
            let alone = self.tongue.days.near_alone.iter();
            let found = alone.map(|(name, days)| (*days, name.as_str()));
            if let Some(found) = found.into_iter().find(|(_, name)| *name == only.text) {
                return Some(found);
            }
        }
        let mut near = self.tongue.near.iter();
        let found = near.find(|(phrase, ..)| self.find(phrase).is_some());
        found.map(|(_, days, name)| (*days, name.as_str()))
    }

    /// Finds "om to uger", "in a week", "fjorten dage": the span, and how sure it is.
    fn offset(&self) -> Option<(Span, f32, String)> {
        let days = &self.tongue.days;
        for (at, word) in self.words.iter().enumerate() {
            let (count, from, sure) = match self.count_before(at) {
                Some(found) => found,
                None => continue,
            };
            // "om en uge", "in two weeks", "i dag otte dage", "fredag om 14 dage", "two weeks today".
            let announced = self.before(from, &days.ahead)
                || from > 0 && matches!(self.words[from - 1].kind, Kind::Weekday(_))
                || self.is(at + 1, &days.from)
                || self
                    .tongue
                    .near
                    .iter()
                    .any(|(phrase, ..)| self.begins(at + 1, phrase));
            if !announced {
                continue;
            }
            let count = count.min(1000);
            let said: Vec<&str> = self.words[from..=at]
                .iter()
                .map(|word| word.text.as_str())
                .collect();
            let said = said.join(" ");
            let text = word.text.as_str();
            let found = if days.day.has(text) && count == 8 && days.eight_days {
                (7.days(), 0.5, said)
            } else if days.day.has(text) {
                (count.days(), sure, said)
            } else if days.week.has(text) {
                (count.weeks(), sure, said)
            } else if days.fortnight.has(text) {
                (count.saturating_mul(2).weeks(), sure, said)
            } else if days.month.has(text) {
                (count.months(), sure * 0.9, said)
            } else if days.year.has(text) {
                (count.years(), sure * 0.9, said)
            } else {
                continue;
            };
            return Some(found);
        }
        None
    }

    /// Reads the number that ends right before a word: value, first word, confidence.
    fn count_before(&self, at: usize) -> Option<(i64, usize, f32)> {
        let last = at.checked_sub(1)?;
        if self.is(last, &self.tongue.days.one) {
            return Some((1, last, 0.9));
        }
        let couple = self.tongue.days.couple.iter().find_map(|couple| {
            let from = at.checked_sub(couple.len())?;
            // "et par", "a couple of".
            self.begins(from, couple).then_some(from.saturating_sub(1))
        });
        if let Some(from) = couple {
            return Some((2, from, 0.5));
        }
        // Two words at most: "twenty one days"; three in Danish: "en og tyve dage".
        (at.saturating_sub(3)..at).find_map(|from| {
            let found = cardinal(self.words, from, self.tongue, false)?;
            let value = i64::try_from(found.value).ok()?;
            (found.until == at).then_some((value, from, 0.9 * found.confidence))
        })
    }

    /// Finds a day of a month.
    fn explicit(&self) -> Option<Explicit> {
        let dated = (0..self.words.len()).find_map(|at| self.explicit_at(at));
        dated.or_else(|| self.day_alone())
    }

    fn explicit_at(&self, at: usize) -> Option<Explicit> {
        if let Some(&Kind::Month(month)) = self.kind(at) {
            let mut next = at + 1;
            while self.is(next, &self.tongue.days.before) {
                next += 1;
            }
            let (day, until, sure) = self.day(next)?;
            let confidence = 0.93 * sure.min(self.words[at].confidence);
            return Some(self.with_year(day, month, until, confidence));
        }
        if self.kind(at) == Some(&Kind::Numeral)
            && let Some(written) = self.written(at)
        {
            return Some(written);
        }
        let (day, until, sure) = self.day(at)?;
        let mut next = until;
        let days = &self.tongue.days;
        while self.is(next, &days.between) {
            next += 1;
        }
        let is_next = self.is(next, &days.next);
        if (is_next || self.is(next, &days.this)) && self.is(next + 1, &days.month) {
            let base = if is_next {
                self.today.saturating_add(1.month())
            } else {
                self.today
            };
            let month = base.month().unsigned_abs().into();
            return Some(Explicit {
                day,
                month: Some(month),
                year: Some(base.year()),
                confidence: 0.85 * sure,
            });
        }
        match *self.kind(next)? {
            Kind::Month(month) => {
                let confidence = 0.96 * sure.min(self.words[next].confidence);
                Some(self.with_year(day, month, next + 1, confidence))
            }
            // "tredje i femte", "den tredje femte".
            Kind::Ordinal(month @ 1..=12)
                if matches!(self.kind(until - 1), Some(Kind::Ordinal(_))) =>
            {
                let confidence = 0.88 * sure.min(self.words[next].confidence);
                Some(self.with_year(day, month, next + 1, confidence))
            }
            // "den 3. 5.", "3 i 5".
            Kind::Numeral if self.kind(at) == Some(&Kind::Numeral) => {
                let dotted = self.words[next].text.ends_with('.') || next > until;
                let month = self.words[next]
                    .text
                    .trim_end_matches('.')
                    .parse::<u32>()
                    .ok()?;
                (dotted && (1..=12).contains(&month))
                    .then(|| self.with_year(day, month, next + 1, 0.75))
            }
            _ => None,
        }
    }

    /// Reads 1 to 31 in any form: value, the word after, confidence.
    fn day(&self, at: usize) -> Option<(u32, usize, f32)> {
        let sure = self.words.get(at)?.confidence;
        let (value, until, sure) = match (self.kind(at)?, self.kind(at + 1), self.kind(at + 2)) {
            (Kind::Ordinal(day), ..) => (*day, at + 1, sure),
            // "en og tyvende".
            (Kind::Unit(unit), Some(Kind::And), Some(Kind::Ordinal(tens @ (20 | 30)))) => {
                (tens + unit, at + 3, sure.min(self.words[at + 2].confidence))
            }
            // "twenty first".
            (Kind::Tens(tens @ (20 | 30)), Some(Kind::Ordinal(unit @ 1..=9)), _)
                if !units_first(self.tongue) =>
            {
                (tens + unit, at + 2, sure.min(self.words[at + 1].confidence))
            }
            (Kind::Numeral, ..) => {
                let text = self.words[at].text.trim_end_matches('.');
                (text.parse::<u32>().ok()?, at + 1, 1.0)
            }
            (Kind::Unit(_) | Kind::Teen(_) | Kind::Tens(_) | Kind::Composite(_), ..) => {
                let found = cardinal(self.words, at, self.tongue, false)?;
                (
                    u32::try_from(found.value).ok()?,
                    found.until,
                    0.9 * found.confidence,
                )
            }
            _ => return None,
        };
        (1..=31).contains(&value).then_some((value, until, sure))
    }

    /// Reads `3/5`, `3.5.`, `3-5-2027`, `2027-05-03`.
    fn written(&self, at: usize) -> Option<Explicit> {
        let text = self.words[at].text.as_str();
        let parts: Vec<u32> = text
            .split(['/', '.', '-', ':'])
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        if text.contains(':') {
            return None;
        }
        // `9.15` may be a time; a day has a month.
        let (day, month, year) = match parts.as_slice() {
            [day, month] => (*day, *month, None),
            [year, month, day] if *year >= 1000 => (*day, *month, Some(*year)),
            [day, month, year] if *year < 100 => (*day, *month, Some(century(*year, self.today))),
            [day, month, year] => (*day, *month, Some(*year)),
            _ => return None,
        };
        if !(1..=31).contains(&day) || !(1..=12).contains(&month) {
            return None;
        }
        let american = self.tongue.language == Language::EN && day <= 12 && day != month;
        let confidence = if american { 0.65 } else { 0.9 };
        Some(match year {
            Some(year) => Explicit {
                day,
                month: Some(month),
                year: Some(i16::try_from(year).ok()?),
                confidence,
            },
            None => self.with_year(day, month, at + 1, confidence),
        })
    }

    /// Takes "den tredje" alone for the next third.
    fn day_alone(&self) -> Option<Explicit> {
        (0..self.words.len()).find_map(|at| {
            let (day, until, sure) = self.day(at)?;
            let ordinal = matches!(self.kind(until - 1), Some(Kind::Ordinal(_)));
            let announced = self.before(at, &self.tongue.days.before);
            let numeral = self.kind(at) == Some(&Kind::Numeral);
            let alone = at == 0 && until == self.words.len();
            let counts = (ordinal && (announced || alone)) || (numeral && announced);
            // "den anden" is also "the other one".
            let sure = if self.is(at, &self.tongue.days.doubtful) {
                sure * 0.7
            } else {
                sure
            };
            counts.then_some(Explicit {
                day,
                month: None,
                year: None,
                confidence: 0.6 * sure,
            })
        })
    }

    /// Adds the year that follows, if one does.
    fn with_year(&self, day: u32, month: u32, at: usize, confidence: f32) -> Explicit {
        let mut next = at;
        let days = &self.tongue.days;
        while self.is(next, &days.before_year) {
            next += 1;
        }
        let year = self.year(next).or_else(|| {
            let this = i32::from(self.today.year());
            if self.pair(&days.next, &days.year) {
                i16::try_from(this + 1).ok()
            } else if days
                .this_year
                .iter()
                .any(|phrase| self.find(phrase).is_some())
            {
                i16::try_from(this).ok()
            } else {
                self.short_year(next)
            }
        });
        Explicit {
            day,
            month: Some(month),
            year,
            confidence,
        }
    }

    /// Reads the year of a birthday by its last two digits, which can be nothing else.
    fn short_year(&self, at: usize) -> Option<i16> {
        let found = cardinal(self.words, at, self.tongue, false)?;
        let year = i16::try_from(found.value).ok()?;
        (32..=99).contains(&year).then_some(1900 + year)
    }

    /// Reads a year from 1900 to 2099 as people say it.
    fn year(&self, at: usize) -> Option<i16> {
        if self.kind(at) == Some(&Kind::Numeral) {
            let text = self.words[at].text.trim_end_matches('.');
            let year = text.parse::<i16>().ok()?;
            return (1900..=2099).contains(&year).then_some(year);
        }
        let century = self.words.get(at)?;
        // "tyve seksogtyve", "nineteen oh five".
        let hundreds = match century.kind {
            Kind::Teen(19) => Some(1900),
            Kind::Tens(20) => Some(2000),
            _ => None,
        };
        if let Some(hundreds) = hundreds {
            let oh = self.kind(at + 1) == Some(&Kind::Unit(0));
            let rest = cardinal(
                self.words,
                if oh { at + 2 } else { at + 1 },
                self.tongue,
                false,
            );
            if let Some(rest) = rest.and_then(|rest| i16::try_from(rest.value).ok())
                && (if oh {
                    (0..10).contains(&rest)
                } else {
                    (10..100).contains(&rest)
                })
            {
                return Some(hundreds + rest);
            }
        }
        let found = cardinal(self.words, at, self.tongue, false)?;
        let year = i16::try_from(found.value).ok()?;
        (1900..=2099).contains(&year).then_some(year)
    }

    /// Puts a day that was named into the calendar.
    fn place(&self, explicit: &Explicit) -> Option<(Date, String)> {
        let day = i8::try_from(explicit.day).ok()?;
        let Some(month) = explicit.month else {
            let first = self.today.first_of_month();
            let value = (0..=12).find_map(|months| {
                let month = first.checked_add(i64::from(months).months()).ok()?;
                let value = Date::new(month.year(), month.month(), day).ok()?;
                (value >= self.today).then_some(value)
            })?;
            return Some((value, format!("the next {day}. of a month")));
        };
        let month = i8::try_from(month).ok()?;
        if let Some(year) = explicit.year {
            let value = Date::new(year, month, day).ok()?;
            return Some((value, format!("{day}.{month}.{year}")));
        }
        // Any leap year will do to ask for the next 29 February.
        let value = next_of_its_kind(Date::new(2024, month, day).ok()?, self.today)?;
        Some((value, format!("the next {day}.{month}.")))
    }

    fn holiday(&self) -> Option<(Date, String)> {
        if let Some(found) = self.last_day() {
            return Some(found);
        }
        let mut named = self.tongue.named.iter();
        let (phrase, month, day) = named.find(|(phrase, ..)| self.find(phrase).is_some())?;
        let value = next_of_its_kind(Date::new(2024, *month, *day).ok()?, self.today)?;
        Some((value, format!("'{}'", phrase.join(" "))))
    }

    /// Finds "the last day of November".
    fn last_day(&self) -> Option<(Date, String)> {
        let mut phrases = self.tongue.days.last_day.iter();
        let month = phrases.find_map(|phrase| {
            let after = self.find(phrase)? + phrase.len();
            match self.kind(after) {
                Some(&Kind::Month(month)) => i8::try_from(month).ok(),
                _ => None,
            }
        })?;
        let this = Date::new(self.today.year(), month, 1).ok()?.last_of_month();
        let value = if this < self.today {
            Date::new(self.today.year() + 1, month, 1)
                .ok()?
                .last_of_month()
        } else {
            this
        };
        Some((value, "the last day of a month".to_owned()))
    }

    /// Reckons from today: "i morgen", "om en uge", "på mandag i næste uge".
    fn relative(
        &self,
        weekday: Option<(Weekday, usize)>,
        near: Option<(i32, &str)>,
    ) -> Option<(Date, f32, String)> {
        let offset = self.offset();
        let (base, mut confidence, mut why) = match (weekday, near) {
            (_, Some((days, name))) => {
                let day = self.today.checked_add(i64::from(days).days()).ok()?;
                (day, 0.95, format!("'{name}'"))
            }
            (Some((weekday, at)), None) => self.coming(weekday, at)?,
            (None, None) => {
                offset.as_ref()?;
                (self.today, 0.9, String::new())
            }
        };
        let mut value = base;
        if let Some((span, sure, said)) = offset {
            value = base.checked_add(span).ok()?;
            confidence = confidence.min(sure);
            why = format!("{why} '{said}'").trim_start().to_owned();
        }
        Some((value, confidence, why))
    }

    /// Finds the weekday that is meant.
    fn coming(&self, weekday: Weekday, at: usize) -> Option<(Date, f32, String)> {
        let name = self.words[at].text.clone();
        let ahead = i64::from(self.today.weekday().until(weekday));
        let monday = self
            .today
            .checked_sub(i64::from(self.today.weekday().to_monday_zero_offset()).days())
            .ok()?;
        let in_week = |weeks: i64| {
            let days = weeks * 7 + i64::from(weekday.to_monday_zero_offset());
            monday.checked_add(days.days()).ok()
        };
        let sure = self.words[at].confidence;
        let days = &self.tongue.days;
        if self.pair(&days.next, &days.week) {
            return Some((in_week(1)?, 0.9 * sure, format!("'{name}' of next week")));
        }
        if self.pair(&days.this, &days.week) {
            return Some((in_week(0)?, 0.9 * sure, format!("'{name}' of this week")));
        }
        if self.before(at, &days.last) {
            let back = if ahead == 0 { 7 } else { 7 - ahead };
            let value = self.today.checked_sub(back.days()).ok()?;
            return Some((value, 0.8 * sure, format!("the last '{name}'")));
        }
        let until = if ahead == 0 { 7 } else { ahead };
        let next = self.today.checked_add(until.days()).ok()?;
        if self.before(at, &days.next) {
            // People differ on what the next one is unless both are the same.
            let value = in_week(1)?;
            let confidence = if value == next { 0.9 } else { 0.6 };
            return Some((value, confidence * sure, format!("'{name}' of next week")));
        }
        // "friday week".
        if self.is(at + 1, &days.and_a_week) {
            let value = next.checked_add(7.days()).ok()?;
            return Some((value, 0.85 * sure, format!("'{name}' and a week")));
        }
        let others = self.words.iter().any(|word| match word.kind {
            Kind::Weekday(other) => i64::from(other) != i64::from(weekday.to_monday_zero_offset()),
            _ => false,
        });
        let confidence = match (others, ahead) {
            (true, _) => 0.4,
            (false, 0) => 0.6,
            (false, _) => 0.92,
        };
        Some((next, confidence * sure, format!("the coming '{name}'")))
    }
}

/// Puts a year of two digits into the century that is nearer at hand.
fn century(year: u32, today: Date) -> u32 {
    let this = u32::from(today.year().unsigned_abs()) % 100;
    if year <= this + 20 {
        2000 + year
    } else {
        1900 + year
    }
}
