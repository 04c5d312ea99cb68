//! The switch's clock: microseconds since 1970, and how it writes days and times.

use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Returns the microseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// Returns the seconds since 1970.
pub(super) fn epoch() -> u64 {
    now() / 1_000_000
}

/// Writes microseconds as `2026-11-22 08:26:41`.
pub(super) fn local(micros: u64) -> String {
    let (year, month, day) = date(micros);
    let (hour, minute, second) = time(micros);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Writes microseconds as `Sun, 22 Nov 2026 08:26:41 GMT`.
pub(super) fn gmt(micros: u64) -> String {
    let (year, month, day) = date(micros);
    let (hour, minute, second) = time(micros);
    let weekday = DAYS[(micros / 86_400_000_000 % 7) as usize];
    let month = MONTHS[(month as usize - 1) % 12];
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

fn time(micros: u64) -> (u64, u64, u64) {
    let seconds = micros / 1_000_000 % 86_400;
    (seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Returns year, month and day; the year is counted from March, so that a leap day is its last.
fn date(micros: u64) -> (u64, u64, u64) {
    let days = micros / 86_400_000_000 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_the_switch_writes_them() {
        let recorded = 1_795_336_001_076_393;
        assert_eq!(local(recorded), "2026-11-22 08:26:41");
        assert_eq!(gmt(recorded), "Sun, 22 Nov 2026 08:26:41 GMT");
        assert_eq!(local(951_782_400_000_000), "2000-02-29 00:00:00");
    }
}
