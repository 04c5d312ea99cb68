//! Days amid a text: `3. maj 2026`, `24/12`, `May 3rd`, `2026-05-03`.

use jiff::civil::Date;

use super::super::{pair, year_in};
use super::{Said, Writer, blanks, digit_at, leading_digits, leading_word};
use crate::understand::text::fold;

impl Writer<'_> {
    pub(super) fn iso_date(&self, rest: &str) -> Option<Said> {
        let written = rest.get(..10).filter(|_| !digit_at(rest, 10))?;
        let date: Date = written.parse().ok().filter(|_| digit_at(written, 3))?;
        let (day, month) = (date.day().unsigned_abs(), date.month().unsigned_abs());
        let year = year_in(date.year().unsigned_abs().into(), self.tongue);
        let words = format!("{} {year}", self.day_and_month(day.into(), month.into()));
        Some((words, written.len()))
    }

    /// Says `3. maj 2026`, `3/5`, `24.12.2026`, `3 May`.
    pub(super) fn date(&self, rest: &str) -> Option<Said> {
        let first = leading_digits(rest);
        let day: u32 = first.parse().ok().filter(|day| (1..=31).contains(day))?;
        let mut end = first.len();
        let points = self.tongue.spoken.written.points;
        for sign in ['/', '.', '-'] {
            let Some(after) = rest[end..].strip_prefix(sign) else {
                continue;
            };
            let second = leading_digits(after);
            let Some(month) = second
                .parse::<u32>()
                .ok()
                .filter(|month| (1..=12).contains(month))
            else {
                continue;
            };
            let mut until = end + 1 + second.len();
            // `24/12-2026` is how many Danes write.
            let third = rest[until..].strip_prefix([sign, '-']).map(leading_digits);
            let year = match third.filter(|year| matches!(year.len(), 2 | 4)) {
                Some(year) => {
                    until += 1 + year.len();
                    Some(year)
                }
                // `9.15` may be a time and `9-12` hours; `3/5` is a day, but `1/2` a part.
                None if sign != '/' || matches!((first, second), ("1", "2") | ("24", "7")) => {
                    continue;
                }
                None => None,
            };
            if digit_at(rest, until) {
                continue;
            }
            let said = self.day_and_month(day, month);
            let words = match year.and_then(|year| year.parse::<u32>().ok()) {
                Some(year @ 0..=99) => {
                    format!("{said} {}", pair(&format!("{year:02}"), self.tongue))
                }
                Some(year) => format!("{said} {}", year_in(year, self.tongue)),
                None => said,
            };
            return Some((words, until));
        }
        // `3. maj`, `3 May`, `3rd of May`.
        let sign = self.tongue.numbers.ordinal_signs.iter().find(|sign| {
            rest[end..]
                .strip_prefix(*sign)
                .is_some_and(|after| !after.starts_with(char::is_alphanumeric))
        });
        end += match sign {
            Some(sign) => sign.len(),
            None => usize::from(points && rest[end..].starts_with('.')),
        };
        let mut next = end + blanks(&rest[end..]);
        let mut word = leading_word(&rest[next..]);
        if self.tongue.days.between.has(&fold(word)) && !word.is_empty() {
            next += word.len();
            next += blanks(&rest[next..]);
            word = leading_word(&rest[next..]);
        }
        let month = self.month(word).filter(|_| next > first.len())?;
        next += word.len();
        let (year, bytes) = self.year_after(&rest[next..]);
        Some((
            format!("{}{year}", self.day_and_month(day, month)),
            next + bytes,
        ))
    }

    /// Says `May 3rd, 2026`, where months come first.
    pub(super) fn month_first(&self, word: &str, after: &str) -> Option<Said> {
        let month = self
            .month(word)
            .filter(|_| !self.tongue.spoken.written.points)?;
        let blank = blanks(after);
        let digits = leading_digits(&after[blank..]);
        let day: u32 = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
        let mut end = blank + digits.len();
        let signs = &self.tongue.numbers.ordinal_signs;
        let sign = signs.iter().find(|sign| after[end..].starts_with(*sign));
        end += sign.map_or(0, str::len);
        if blank == 0 || after[end..].starts_with(|c: char| c.is_alphanumeric() || c == ':') {
            return None;
        }
        let (year, bytes) = self.year_after(&after[end..]);
        Some((
            format!("{}{year}", self.day_and_month(day, month)),
            end + bytes,
        ))
    }

    /// Says the year after a date, if one follows: ` 2026`, `, 2026`.
    pub(super) fn year_after(&self, after: &str) -> (String, usize) {
        let comma = usize::from(after.starts_with(','));
        let blank = blanks(&after[comma..]);
        let digits = leading_digits(&after[comma + blank..]);
        match digits.parse::<u32>() {
            Ok(year @ 1100..=2099) if blank > 0 && digits.len() == 4 => (
                format!(" {}", year_in(year, self.tongue)),
                comma + blank + digits.len(),
            ),
            _ => (String::new(), 0),
        }
    }

    pub(super) fn month(&self, word: &str) -> Option<u32> {
        let folded = fold(word);
        let months = self.tongue.days.months.iter().zip(1..);
        months
            .filter(|_| !folded.is_empty())
            .find_map(|(forms, month)| forms.heard.contains(&folded).then_some(month))
    }

    /// Says day and month so that they fit the word before them: "den tredje maj".
    pub(super) fn day_and_month(&self, day: u32, month: u32) -> String {
        let spoken = &self.tongue.spoken;
        let before = fold(self.last_word());
        let article = spoken.day_and_month.split(' ').next().unwrap_or_default();
        let follows = self.tongue.days.before.has(&before);
        let template = match &spoken.day_and_month_after {
            Some(after) if follows && before != fold(article) => after.as_str(),
            _ if follows => spoken
                .day_and_month
                .trim_start_matches(article)
                .trim_start(),
            _ => spoken.day_and_month.as_str(),
        };
        let month = (month as usize + 11) % 12;
        template
            .replace("{day}", &self.tongue.ordinal(day))
            .replace("{month}", &self.tongue.days.months[month].spoken)
    }
}
