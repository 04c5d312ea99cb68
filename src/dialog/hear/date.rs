//! Days.

use jiff::civil::Date;

use super::Answer;
use crate::words::Language;

/// Hears a day.
pub(super) fn date(_text: &str, _language: Language, _today: Date) -> Option<Answer<Date>> {
    None
}
