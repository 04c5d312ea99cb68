//! Times of day.

use jiff::civil::Time;

use super::numeral::cardinal;
use super::word::{Kind, Word, words};
use super::{Answer, Daytime};
use crate::words::Language;

/// Hears a time of day; after a correction the last one.
pub(super) fn time(text: &str, language: Language, daytime: Daytime) -> Option<Answer<Time>> {
    let words = words(text, language);
    let corrected = words.iter().rposition(|word| word.kind == Kind::Correction);
    if let Some(at) = corrected
        && let Some(mut answer) = (Clock {
            words: &words[at + 1..],
            language,
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
        language,
        daytime,
    }
    .read()
}

struct Clock<'a> {
    words: &'a [Word],
    language: Language,
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
            .position(|word| matches!(word.text.as_str(), "klokken" | "kl" | "at"))
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

    fn is(&self, at: usize, texts: &[&str]) -> bool {
        self.words
            .get(at)
            .is_some_and(|word| texts.contains(&word.text.as_str()))
    }

    fn has(&self, text: &str) -> bool {
        self.words.iter().any(|word| word.text == text)
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
        let hour = match self.words[at].text.as_str() {
            "midnat" | "midnight" => 0,
            "noon" | "midday" => 12,
            // "klokken et middag" has its own hour.
            "middag" if !self.words.iter().any(Word::is_number) => 12,
            _ => return None,
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
        if self.is(next, &["minutter", "minut", "min", "minutes", "minute"]) {
            next += 1;
        }
        let sign = match (self.language, self.words.get(next)?.text.as_str()) {
            (Language::DA, "over") => 1,
            (Language::DA, "i" | "foer") => -1,
            (Language::EN, "past" | "after") => 1,
            (Language::EN, "to" | "till" | "til" | "before" | "of") => -1,
            _ => return None,
        };
        let (base, said) = match self.half(next + 1) {
            Some(half) if self.language == Language::DA => (half.minute, half),
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
        let word = self.words.get(at)?;
        match (self.language, word.text.as_str()) {
            (Language::DA, "kvart" | "kvarter") | (Language::EN, "quarter") => {
                return Some((15, at + 1, 0.95));
            }
            (Language::DA, "lidt") | (Language::EN, "shortly" | "just") => {
                return Some((0, at + 1, 0.6));
            }
            (Language::EN, "half") if self.is(at + 1, &["past", "after"]) => {
                return Some((30, at + 1, 0.97));
            }
            _ => {}
        }
        let found = cardinal(self.words, at, self.language, false)?;
        Some((
            i32::try_from(found.value).ok()?,
            found.until,
            0.95 * found.confidence,
        ))
    }

    /// Reads the Danish "halv tre" (2:30) and the British "half two" (2:30).
    fn half(&self, at: usize) -> Option<Said> {
        let word = self.words.get(at)?;
        match self.language {
            Language::DA if word.text == "halv" => {
                let said = self.hour(at + 1)?;
                (1..=12).contains(&said.hour).then_some(Said {
                    minute: -30,
                    ..said
                })
            }
            Language::DA => {
                // "halvtre" in one word.
                let hour = word.text.strip_prefix("halv")?;
                let found = words(hour, self.language);
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
            Language::EN if word.text == "half" => {
                let said = self.hour(at + 1)?;
                Some(Said {
                    minute: 30,
                    // A Dane who speaks English may mean half an hour earlier.
                    confidence: said.confidence * 0.75,
                    ..said
                })
            }
            _ => None,
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
            _ => cardinal(self.words, at, self.language, false)?,
        };
        let hour = u32::try_from(found.value).ok().filter(|hour| *hour <= 24)?;
        Some(self.after(hour, found.until, 0.95 * found.confidence))
    }

    /// Finishes a whole hour: "o'clock" and the like belong to it.
    fn after(&self, hour: u32, until: usize, confidence: f32) -> Said {
        let mut until = until;
        while self.is(
            until,
            &[
                "oclock", "clock", "o", "tiden", "sharp", "praecis", "ish", "hours",
            ],
        ) {
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
        let hour = text
            .strip_suffix("tiden")
            .or_else(|| text.strip_suffix("ish"))?;
        let found = words(hour.trim_end_matches('s'), self.language);
        let found = cardinal(&found, 0, self.language, false)?;
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
        let announced = at > 0
            && matches!(
                self.words[at - 1].text.as_str(),
                "klokken" | "kl" | "at" | "ved" | "around" | "about" | "omkring" | "cirka" | "ca"
            );
        // "fourteen hundred".
        let whole = cardinal(self.words, at, self.language, false)?;
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
        if announced || said.until > at + 1 && self.is(said.until - 1, &["oclock", "clock"]) {
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
            let found = cardinal(self.words, at, self.language, false)?;
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
        let found = cardinal(self.words, at, self.language, false)?;
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
        const SPANS: [&str; 18] = [
            "dage", "dag", "uge", "uger", "maaned", "maaneder", "timer", "time", "minutter",
            "days", "day", "week", "weeks", "month", "months", "hours", "hour", "minutes",
        ];
        let military = self.words.get(from).is_some_and(|word| {
            matches!(word.kind, Kind::Numeral) && word.text.contains([':', '.'])
        });
        let after = self.words.get(until);
        from > 0 && self.is(from - 1, &["den", "the"])
            || after.is_some_and(|word| matches!(word.kind, Kind::Month(_)))
            || after.is_some_and(|word| SPANS.contains(&word.text.as_str())) && !military
            || self.is(until, &["of"])
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
                && !self.is(until, &["oclock", "am", "pm"])
    }

    fn is_vague(&self) -> bool {
        [
            "cirka",
            "ca",
            "omkring",
            "ved",
            "tiden",
            "around",
            "about",
            "approximately",
            "roughly",
            "ish",
        ]
        .iter()
        .any(|vague| self.has(vague))
    }

    /// Finds the part of the day that was named.
    fn part(&self) -> Option<Part> {
        let mut part = None;
        for (at, word) in self.words.iter().enumerate() {
            let before = at
                .checked_sub(1)
                .map(|before| self.words[before].text.as_str());
            part = match (self.language, word.text.as_str()) {
                (Language::DA, "morgenen" | "formiddag" | "formiddagen" | "tidlig") => {
                    Some(Part::Morning)
                }
                // "i morgen" is a day, "mandag morgen" a part of it.
                (Language::DA, "morgen") if !matches!(before, Some("i" | "over")) => {
                    Some(Part::Morning)
                }
                (
                    Language::DA,
                    "eftermiddag" | "eftermiddagen" | "aften" | "aftenen" | "middag" | "middagen",
                ) => Some(Part::Afternoon),
                (Language::DA, "nat" | "natten") => Some(Part::Night),
                (Language::EN, "am" | "morning") => Some(Part::Morning),
                (Language::EN, "pm" | "afternoon" | "evening" | "tonight") => Some(Part::Afternoon),
                (Language::EN, "night") => Some(Part::Night),
                (Language::EN, "m") => match before {
                    Some("a") => Some(Part::Morning),
                    Some("p") => Some(Part::Afternoon),
                    _ => part,
                },
                _ => part,
            };
        }
        part
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
