//! The Danish calendar: public holidays and the days that many offices keep as such.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};
use serde::{Deserialize, Serialize};

use crate::words::Language;

/// A day on which offices are closed: by custom and law, or by local choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the days say it")]
pub enum PublicHoliday {
    NewYearsDay,
    MaundyThursday,
    GoodFriday,
    EasterSunday,
    EasterMonday,
    /// Store Bededag, the fourth Friday after Easter: an ordinary working day from 2024.
    GreatPrayerDay,
    AscensionDay,
    WhitSunday,
    WhitMonday,
    ChristmasDay,
    SecondChristmasDay,
    /// 1 May; by local choice.
    May1,
    /// 5 June; by local choice.
    June5,
    /// 24 December; by local choice.
    Dec24,
    /// 31 December; by local choice.
    Dec31,
    /// The Friday after Ascension Day; by local choice.
    FridayAfterAscension,
}

/// The days by local choice, with the names under which files choose them.
pub(super) const LOCAL_CHOICES: [(&str, PublicHoliday); 5] = [
    ("may_1", PublicHoliday::May1),
    ("june_5", PublicHoliday::June5),
    ("dec_24", PublicHoliday::Dec24),
    ("dec_31", PublicHoliday::Dec31),
    (
        "friday_after_ascension",
        PublicHoliday::FridayAfterAscension,
    ),
];

/// The first year in which Store Bededag is worked.
const GREAT_PRAYER_DAY_ABOLISHED: i16 = 2024;

impl PublicHoliday {
    /// Returns the day that a date is, if it is a special one; one that can be chosen included.
    pub fn on(day: Date) -> Option<Self> {
        let fixed = match (day.month(), day.day()) {
            (1, 1) => Some(Self::NewYearsDay),
            (12, 25) => Some(Self::ChristmasDay),
            (12, 26) => Some(Self::SecondChristmasDay),
            _ => None,
        };
        if fixed.is_some() {
            return fixed;
        }
        let after_easter = easter(day.year())
            .and_then(|easter| easter.until(day).ok())
            .map(|span| span.get_days());
        let movable = match after_easter {
            Some(-3) => Some(Self::MaundyThursday),
            Some(-2) => Some(Self::GoodFriday),
            Some(0) => Some(Self::EasterSunday),
            Some(1) => Some(Self::EasterMonday),
            Some(26) if day.year() < GREAT_PRAYER_DAY_ABOLISHED => Some(Self::GreatPrayerDay),
            Some(39) => Some(Self::AscensionDay),
            Some(49) => Some(Self::WhitSunday),
            Some(50) => Some(Self::WhitMonday),
            _ => None,
        };
        if movable.is_some() {
            return movable;
        }
        match (day.month(), day.day()) {
            (5, 1) => Some(Self::May1),
            (6, 5) => Some(Self::June5),
            (12, 24) => Some(Self::Dec24),
            (12, 31) => Some(Self::Dec31),
            _ => (after_easter == Some(40)).then_some(Self::FridayAfterAscension),
        }
    }

    /// Tells whether the day is closed only where the tenant chose it.
    pub fn is_local_choice(self) -> bool {
        LOCAL_CHOICES.iter().any(|(_, choice)| *choice == self)
    }

    /// Returns what the day is called; in English where the language is not Danish.
    pub fn name(self, language: Language) -> &'static str {
        let (danish, english) = match self {
            Self::NewYearsDay => ("nytårsdag", "New Year's Day"),
            Self::MaundyThursday => ("skærtorsdag", "Maundy Thursday"),
            Self::GoodFriday => ("langfredag", "Good Friday"),
            Self::EasterSunday => ("påskedag", "Easter Sunday"),
            Self::EasterMonday => ("anden påskedag", "Easter Monday"),
            Self::GreatPrayerDay => ("store bededag", "Great Prayer Day"),
            Self::AscensionDay => ("Kristi himmelfartsdag", "Ascension Day"),
            Self::WhitSunday => ("pinsedag", "Whit Sunday"),
            Self::WhitMonday => ("anden pinsedag", "Whit Monday"),
            Self::ChristmasDay => ("juledag", "Christmas Day"),
            Self::SecondChristmasDay => ("anden juledag", "Boxing Day"),
            Self::May1 => ("første maj", "the first of May"),
            Self::June5 => ("grundlovsdag", "Constitution Day"),
            Self::Dec24 => ("juleaften", "Christmas Eve"),
            Self::Dec31 => ("nytårsaften", "New Year's Eve"),
            Self::FridayAfterAscension => (
                "fredag efter Kristi himmelfartsdag",
                "the Friday after Ascension Day",
            ),
        };
        if language == Language::DA {
            danish
        } else {
            english
        }
    }
}

/// Returns Easter Sunday of a year in the Gregorian calendar, for years from 1583 to 9999.
///
/// Gauss's reckoning in its unabridged form: the age of the moon (epact) on 1 January gives the
/// paschal full moon, and Easter is the Sunday after it.
pub fn easter(year: i16) -> Option<Date> {
    if year < 1583 {
        return None;
    }
    let number = i32::from(year);
    let golden = number % 19;
    let century = number / 100;
    let leap_days_left_out = century - century / 4;
    let moon_correction = (8 * century + 13) / 25;
    let epact = (leap_days_left_out - moon_correction + 19 * golden + 15) % 30;
    // Two epacts would give a moon after 18 April or the same moon twice in 19 years.
    let full_moon = epact - i32::from(epact == 29 || (epact == 28 && golden > 10));
    let moon = date(year, 3, 21).checked_add(full_moon.days()).ok()?;
    let days_to_sunday = 7 - i32::from(moon.weekday().since(Weekday::Sunday));
    moon.checked_add(days_to_sunday.days()).ok()
}
