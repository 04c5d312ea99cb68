//! Times of day.

use jiff::civil::Time;

use super::numeral::cardinal;
use super::word::{Kind, Word, words};
use super::{Answer, Daytime};
use crate::language::{Half, Phrases, Tongue, Words};

/// Hears a time of day; after a correction the last one.
pub(super) fn time(text: &str, tongue: &Tongue, daytime: Daytime) -> Option<Answer<Time>> {
    let words = words(text, tongue);
    let corrected = words.iter().rposition(|word| word.kind == Kind::Correction);
    if let Some(at) = corrected
        && let Some(mut answer) = (Clock {
            words: &words[at + 1..],
            tongue,
            daytime,
        })
        .read()
    {
        if at > 0 {
            answer.confidence *= 0.9;
        }
        return Some(answer);
    }
    Clock {
        words: &words,
        tongue,
        daytime,
    }
    .read()
}

struct Clock<'a> {
    words: &'a [Word],
    tongue: &'a Tongue,
    daytime: Daytime,
}

/// A time as it was said.
#[derive(Clone, Copy, Debug)]
struct Said {
    /// 0 to 24.
    hour: u32,
    /// 0 to 59, or minutes before the hour where negative.
    minute: i32,
    /// Whether morning and afternoon are told apart by the hour itself (14:30, 09:15).
    exact: bool,
    confidence: f32,
    /// The word after its last.
    until: usize,
}

/// The part of the day that was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Morning,
    Afternoon,
    Night,
}

impl Clock<'_> {
    fn read(&self) -> Option<Answer<Time>> {
        let announced = self
            .words
            .iter()
            .position(|word| self.tongue.clock.announce.has(&word.text))
            .and_then(|at| Some((at, self.first_from(at + 1)?)));
        let (from, said) = match announced {
            Some((at, said)) => (at, said),
            None => (0, self.first_from(0)?),
        };
        let part = self.part();
        let (value, sure) = self.place(said, part)?;
        let mut confidence = said.confidence * sure;
        if self.is_vague() {
            confidence = confidence.min(0.7);
        }
        if self.words.iter().any(|word| word.kind == Kind::Unknown) {
            confidence *= 0.9;
        }
        let text: Vec<&str> = self.words[from..said.until]
            .iter()
            .map(|word| word.text.as_str())
            .collect();
        let why = format!(
            "'{}' = {:02}:{:02}",
            text.join(" "),
            value.hour(),
            value.minute()
        );
        Some(Answer {
            value,
            confidence,
            why,
        })
    }

    fn is(&self, at: usize, words: &Words) -> bool {
        self.words.get(at).is_some_and(|word| words.has(&word.text))
    }

    fn first_from(&self, start: usize) -> Option<Said> {
        (start..self.words.len()).find_map(|at| {
            self.named(at)
                .or_else(|| self.relative(at))
                .or_else(|| self.half(at))
                .or_else(|| self.numeral(at))
                .or_else(|| self.plain(at))
        })
    }

    /// Reads noon and midnight.
    fn named(&self, at: usize) -> Option<Said> {
        let clock = &self.tongue.clock;
        let hour = if self.is(at, &clock.midnight) {
            0
        } else if self.is(at, &clock.noon)
            // "klokken et middag" has its own hour.
            || self.is(at, &clock.noon_alone) && !self.words.iter().any(Word::is_number)
        {
            12
        } else {
            return None;
        };
        Some(Said {
            hour,
            minute: 0,
            exact: true,
            confidence: 0.95,
            until: at + 1,
        })
    }

    /// Reads "kvart over ni", "fem i halv ti", "ten minutes to three".
    fn relative(&self, at: usize) -> Option<Said> {
        let (minutes, mut next, sure) = self.minutes(at)?;
        let clock = &self.tongue.clock;
        if self.is(next, &clock.minutes) {
            next += 1;
        }
        let sign = if self.is(next, &clock.past) {
            1
        } else if self.is(next, &clock.to) {
            -1
        } else {
            return None;
        };
        let (base, said) = match self.half(next + 1) {
            Some(half) if clock.half_is == Half::Before => (half.minute, half),
            _ => (0, self.hour(next + 1)?),
        };
        if minutes >= 60 {
            return None;
        }
        let minute = base + sign * minutes;
        Some(Said {
            minute,
            confidence: said.confidence.min(sure),
            ..said
        })
    }

    /// Reads how many minutes before or after: minutes, the word after, confidence.
    fn minutes(&self, at: usize) -> Option<(i32, usize, f32)> {
        let clock = &self.tongue.clock;
        if self.is(at, &clock.quarter) {
            return Some((15, at + 1, 0.95));
        }
        if self.is(at, &clock.little) {
            return Some((0, at + 1, 0.6));
        }
        if self.is(at, &clock.half) && self.is(at + 1, &clock.past) {
            return Some((30, at + 1, 0.97));
        }
        let found = cardinal(self.words, at, self.tongue, false)?;
        Some((
            i32::try_from(found.value).ok()?,
            found.until,
            0.95 * found.confidence,
        ))
    }

    /// Reads "halv tre" (2:30) and "half two" (2:30), as the language has it.
    fn half(&self, at: usize) -> Option<Said> {
        let clock = &self.tongue.clock;
        let word = self.words.get(at)?;
        match (clock.half_is, clock.half.has(&word.text)) {
            (Half::Before, true) => {
                let said = self.hour(at + 1)?;
                (1..=12).contains(&said.hour).then_some(Said {
                    minute: -30,
                    ..said
                })
            }
            (Half::Before, false) => {
                // "halvtre" in one word.
                let hour = clock
                    .half
                    .iter()
                    .find_map(|half| word.text.strip_prefix(half))?;
                let found = words(hour, self.tongue);
                let said = Clock {
                    words: &found,
                    ..*self
                }
                .hour(0)?;
                (found.len() == 1 && (1..=12).contains(&said.hour) && word.kind == Kind::Other)
                    .then_some(Said {
                        minute: -30,
                        until: at + 1,
                        ..said
                    })
            }
            (Half::After, true) => {
                let said = self.hour(at + 1)?;
                Some(Said {
                    minute: 30,
                    // Whose own language counts otherwise may mean half an hour earlier.
                    confidence: said.confidence * 0.75,
                    ..said
                })
            }
            (Half::After, false) => None,
        }
    }

    /// Reads an hour that something before has announced, with what belongs to it after.
    fn hour(&self, at: usize) -> Option<Said> {
        let found = match self.words.get(at)?.kind {
            Kind::Numeral => {
                let text = self.words[at].text.trim_end_matches(['.', ':', '-']);
                let hour = text.parse::<u32>().ok().filter(|hour| *hour <= 24)?;
                return Some(self.after(hour, at + 1, 0.95));
            }
            Kind::Other => return self.around(at),
            _ => cardinal(self.words, at, self.tongue, false)?,
        };
        let hour = u32::try_from(found.value).ok().filter(|hour| *hour <= 24)?;
        Some(self.after(hour, found.until, 0.95 * found.confidence))
    }

    /// Finishes a whole hour: "o'clock" and the like belong to it.
    fn after(&self, hour: u32, until: usize, confidence: f32) -> Said {
        let mut until = until;
        while self.is(until, &self.tongue.clock.after_hour) {
            until += 1;
        }
        let exact = hour == 0 || hour > 12;
        Said {
            hour,
            minute: 0,
            exact,
            confidence,
            until,
        }
    }

    /// Reads "nitiden" and "nineish".
    fn around(&self, at: usize) -> Option<Said> {
        let text = self.words.get(at)?.text.as_str();
        let mut endings = self.tongue.clock.about_endings.iter();
        let hour = endings.find_map(|ending| text.strip_suffix(ending))?;
        let found = words(hour.trim_end_matches('s'), self.tongue);
        let found = cardinal(&found, 0, self.tongue, false)?;
        let hour = u32::try_from(found.value).ok().filter(|hour| *hour <= 24)?;
        Some(Said {
            confidence: 0.7,
            ..self.after(hour, at + 1, 0.7)
        })
    }

    /// Reads `9.15`, `14:30`, `0915`.
    fn numeral(&self, at: usize) -> Option<Said> {
        if self.words[at].kind != Kind::Numeral || self.is_of_a_date(at, at + 1) {
            return None;
        }
        let text = self.words[at].text.trim_end_matches(['.', ':', '-', '/']);
        let parts: Vec<&str> = text.split(['.', ':']).collect();
        let (hour, minute) = match parts.as_slice() {
            [hour, minute] if minute.len() == 2 => (*hour, *minute),
            [all] if (3..=4).contains(&all.len()) => all.split_at(all.len() - 2),
            _ => return None,
        };
        let exact = hour.len() == 2 && (hour.starts_with('0') || hour > "12");
        let hour = hour.parse().ok().filter(|hour: &u32| *hour <= 24)?;
        let minute = minute
            .parse()
            .ok()
            .filter(|minute| (0..60).contains(minute))?;
        let exact = exact || hour == 0;
        Some(Said {
            hour,
            minute,
            exact,
            confidence: 0.95,
            until: at + 1,
        })
    }

    /// Reads "fjorten tredive", "nine oh five", "ni".
    fn plain(&self, at: usize) -> Option<Said> {
        let word = self.words.get(at)?;
        if word.kind == Kind::Other {
            return self.around(at);
        }
        if matches!(word.kind, Kind::Numeral) && word.text.len() > 3 || !word.is_number() {
            return None;
        }
        let clock = &self.tongue.clock;
        let announced =
            at > 0 && (self.is(at - 1, &clock.announce) || self.is(at - 1, &clock.about));
        // "fourteen hundred".
        let whole = cardinal(self.words, at, self.tongue, false)?;
        if (100..=2400).contains(&whole.value) && whole.value % 100 == 0 {
            let hour = u32::try_from(whole.value / 100).ok()?;
            return Some(Said {
                exact: true,
                ..self.after(hour, whole.until, 0.9)
            });
        }
        let said = self.hour(at)?;
        if self.is_of_a_date(at, said.until) {
            return None;
        }
        if let Some((minute, until, sure)) = self.minutes_after(said.until) {
            let exact = said.exact || self.words[at].kind == Kind::Unit(0);
            let confidence = 0.95 * said.confidence.min(sure);
            return Some(Said {
                minute,
                until,
                exact,
                confidence,
                ..said
            });
        }
        // "o'clock" makes it a time, whatever else is said.
        if announced || self.is(said.until - 1, &clock.after_hour) {
            return Some(said);
        }
        // A number alone: one of time, because a time was asked for.
        let numbers = self.words.iter().filter(|word| word.is_number()).count();
        let lone_weak = word.weak && self.words.len() > 1 && self.part().is_none();
        (numbers == said.until - at && !lone_weak).then_some(Said {
            confidence: 0.8 * said.confidence,
            ..said
        })
    }

    /// Reads minutes after the hour: two digits, however said.
    fn minutes_after(&self, at: usize) -> Option<(i32, usize, f32)> {
        let word = self.words.get(at)?;
        if word.kind == Kind::Unit(0) {
            return match self.words.get(at + 1).map(|word| &word.kind) {
                Some(Kind::Unit(unit)) => {
                    Some((i32::try_from(*unit).ok()?, at + 2, word.confidence))
                }
                _ => None,
            };
        }
        if word.weak && word.kind != Kind::Numeral {
            // "en og tyve" as minutes, but not "ni en".
            let found = cardinal(self.words, at, self.tongue, false)?;
            return (found.value > 9 && found.value < 60).then_some((
                i32::try_from(found.value).ok()?,
                found.until,
                found.confidence,
            ));
        }
        if word.kind == Kind::Numeral {
            let minute = word.text.trim_end_matches('.').parse().ok()?;
            return (word.text.len() >= 2 && (0..60).contains(&minute)).then_some((
                minute,
                at + 1,
                0.95,
            ));
        }
        let found = cardinal(self.words, at, self.tongue, false)?;
        let minute = i32::try_from(found.value).ok()?;
        // "ni fem" is too little for 9:05.
        ((10..60).contains(&minute) && !self.is_of_a_date(at, found.until)).then_some((
            minute,
            found.until,
            found.confidence,
        ))
    }

    /// Tells whether a number belongs to a date or a span: "den 3", "3 maj", "to uger".
    fn is_of_a_date(&self, from: usize, until: usize) -> bool {
        let (clock, days) = (&self.tongue.clock, &self.tongue.days);
        let spans = [
            &days.day,
            &days.week,
            &days.month,
            &clock.hours,
            &clock.minutes,
        ];
        let military = self.words.get(from).is_some_and(|word| {
            matches!(word.kind, Kind::Numeral) && word.text.contains([':', '.'])
        });
        let after = self.words.get(until);
        from > 0 && self.is(from - 1, &days.before)
            || after.is_some_and(|word| matches!(word.kind, Kind::Month(_)))
            || spans.iter().any(|span| self.is(until, span)) && !military
            || self.is(until, &days.between)
                && self
                    .words
                    .get(until + 1)
                    .is_some_and(|w| matches!(w.kind, Kind::Month(_)))
            || self
                .words
                .get(from)
                .is_some_and(|word| word.text.contains('/'))
            || from > 0
                && matches!(self.words[from - 1].kind, Kind::Month(_))
                && !self.is(until, &clock.after_hour)
                && !self.part_at(until)
    }

    fn is_vague(&self) -> bool {
        let clock = &self.tongue.clock;
        let vague =
            |word: &Word| clock.about.has(&word.text) || clock.about_endings.has(&word.text);
        self.words.iter().any(vague)
    }

    /// Tells whether a part of the day is named at a place: "am".
    fn part_at(&self, at: usize) -> bool {
        let clock = &self.tongue.clock;
        let mut parts = [&clock.morning, &clock.afternoon].into_iter();
        parts.any(|phrases| self.phrase_at(at, phrases))
    }

    fn phrase_at(&self, at: usize, phrases: &Phrases) -> bool {
        phrases.iter().any(|phrase| self.phrase_is(at, phrase))
    }

    fn phrase_is(&self, at: usize, phrase: &[String]) -> bool {
        let said = self.words.get(at..at + phrase.len());
        said.is_some_and(|said| {
            said.iter()
                .zip(phrase)
                .all(|(word, part)| word.text == *part)
        })
    }

    /// Finds the part of the day that was named last.
    fn part(&self) -> Option<Part> {
        let clock = &self.tongue.clock;
        let parts = [
            (&clock.morning, Part::Morning),
            (&clock.afternoon, Part::Afternoon),
            (&clock.night, Part::Night),
        ];
        (0..self.words.len()).rev().find_map(|at| {
            let (_, part) = parts
                .iter()
                .find(|(phrases, _)| self.phrase_at(at, phrases))?;
            // "i morgen" is a day, "mandag morgen" a part of it.
            let day = self.tongue.near.iter().any(|(phrase, days, _)| {
                *days != 0
                    && (at.saturating_sub(phrase.len() - 1)..=at)
                        .any(|from| self.phrase_is(from, phrase))
            });
            (!day).then_some(*part)
        })
    }

    /// Chooses between morning and afternoon.
    fn place(&self, said: Said, part: Option<Part>) -> Option<(Time, f32)> {
        let at = |hour: u32, half: i32| -> Option<Time> {
            let minutes = i32::try_from(hour).ok()? * 60 + said.minute + half * 12 * 60;
            let minutes = minutes.rem_euclid(24 * 60);
            let (hour, minute) = (minutes / 60, minutes % 60);
            Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()
        };
        if said.exact {
            return Some((at(said.hour % 24, 0)?, 1.0));
        }
        let early = at(said.hour % 12, 0)?;
        let late = at(said.hour % 12, 1)?;
        // "halv et" and "kvart i et" lie before the half of the day that they count towards.
        let (early, late) = if early > late {
            (late, early)
        } else {
            (early, late)
        };
        match part {
            Some(Part::Morning) => return Some((early, 1.0)),
            Some(Part::Afternoon) => return Some((late, 1.0)),
            Some(Part::Night) if early.hour() < 6 => return Some((early, 1.0)),
            Some(Part::Night) => return Some((late, 1.0)),
            None => {}
        }
        let within = |time: Time| time >= self.daytime.from && time <= self.daytime.until;
        Some(match (within(early), within(late)) {
            (true, false) => (early, 1.0),
            (false, true) => (late, 0.95),
            (true, true) => (early, 0.7),
            // Nothing likely: as said.
            (false, false) if said.hour == 12 => (late, 0.7),
            (false, false) => (early, 0.7),
        })
    }
}
