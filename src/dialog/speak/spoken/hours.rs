//! Times of day amid a text: `kl. 14.30`, `9:05`, `9.00-15.30`.

use super::super::clock;
use super::{
    Said, Writer, dash, dash_follows, digit_after_sign, hour_fits, leading_digits, leading_word,
};
use crate::understand::text::fold;

impl Writer<'_> {
    /// Says times and what lies between them: `14.30`, `9-15`, `9.00-15.30`.
    pub(super) fn hours(&self, rest: &str) -> Option<Said> {
        let (from, end) = self.time_of_day(rest)?;
        let Some(dash) = dash(&rest[end..]) else {
            return Some((from, end));
        };
        let (until, more) = self.time_of_day(&rest[end + dash..])?;
        let to = &self.tongue.spoken.written.to;
        Some((format!("{from} {to} {until}"), end + dash + more))
    }

    /// Says one time that is written with its minutes; an hour alone only after "kl.".
    pub(super) fn time_of_day(&self, rest: &str) -> Option<Said> {
        let written = &self.tongue.spoken.written;
        let hour = leading_digits(rest);
        let value: u32 = hour.parse().ok().filter(|hour| hour_fits(*hour))?;
        let sign = rest[hour.len()..].chars().next();
        let parts = sign == Some(':') || (written.points && sign == Some('.'));
        let minutes = if parts {
            leading_digits(&rest[hour.len() + 1..])
        } else {
            ""
        };
        let minute = minutes
            .parse::<u32>()
            .ok()
            .filter(|minute| minutes.len() == 2 && *minute < 60);
        let mut end = hour.len();
        let tongue = self.tongue;
        let after_hour = |end: usize| {
            let word = leading_word(rest[end..].trim_start_matches(' '));
            tongue
                .clock
                .after_hour
                .has(&fold(word))
                .then_some(word)
                .filter(|word| !word.is_empty())
        };
        let Some(minute) = minute else {
            let announced = tongue.clock.announce.has(&fold(self.last_word()))
                && tongue.spoken.time.halves.is_none();
            let whole = !rest[end..].starts_with([':', '/']) && !digit_after_sign(&rest[end..]);
            let fits = (announced && (whole || dash(&rest[end..]).is_some())
                || after_hour(end).is_some())
                && hour.len() <= 2
                && !rest[end..].starts_with(char::is_alphabetic);
            return fits.then(|| (clock(value, 0, "{hour}", tongue), end));
        };
        end += 1 + minutes.len();
        if rest[end..].starts_with(char::is_alphanumeric)
            || digit_after_sign(&rest[end..]) && !dash_follows(&rest[end..])
        {
            return None;
        }
        let template = match minute {
            0 => written.time.replace("{minute}", ""),
            1..=9 => written.time_few.clone(),
            _ => written.time.clone(),
        };
        // "9:30 am" and "9:30 Uhr" say themselves what the template would add.
        let word = leading_word(rest[end..].trim_start_matches(' '));
        let half = matches!(fold(word).as_str(), "am" | "pm")
            || rest[end..].trim_start().starts_with(['a', 'p'])
                && rest[end..].trim_start()[1..].starts_with(".m");
        let template = if half {
            template.replace("{half}", "")
        } else {
            template
        };
        if let Some(word) = after_hour(end)
            && template.contains(word)
        {
            end += rest[end..].len() - rest[end..].trim_start_matches(' ').len() + word.len();
        }
        let words = clock(value, minute, &template, tongue);
        Some((words.split_whitespace().collect::<Vec<_>>().join(" "), end))
    }
}
