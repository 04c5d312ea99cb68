//! Dictated numbers: strings of digits, telephone numbers, and single whole numbers.

use super::Answer;
use super::numeral::{Piece, cardinal, pieces, units_first};
use super::word::{Kind, Word, words};
use crate::language::Tongue;
use crate::words::PhoneNumber;

/// What a correction takes from the confidence.
const CORRECTED: f32 = 0.85;
/// What a word that was not understood, amid digits, takes from it: a digit may be missing.
const GAP: f32 = 0.6;

/// One way to read what was dictated.
struct Reading {
    /// The digits, with `+` in front where a country code was announced.
    digits: String,
    confidence: f32,
    why: String,
}

/// One group of digits: the digits, how sure they are, and the words.
type Group = (String, f32, String);

/// Hears a string of digits.
pub(super) fn digits(text: &str, tongue: &Tongue) -> Option<Answer<String>> {
    let reading = readings(&words(text, tongue), tongue).into_iter().next()?;
    let value = reading.digits.trim_start_matches('+').to_owned();
    (!value.is_empty()).then_some(Answer {
        value,
        confidence: reading.confidence,
        why: reading.why,
    })
}

/// Hears a telephone number: the first reading that is one.
pub(super) fn phone(text: &str, tongue: &Tongue) -> Option<Answer<PhoneNumber>> {
    readings(&words(text, tongue), tongue)
        .into_iter()
        .find_map(|reading| {
            let digits = &reading.digits;
            let written = match (digits.starts_with(['+']), digits.len()) {
                (true, _) => digits.clone(),
                _ if digits.starts_with("00") => digits.clone(),
                (false, 8) => digits.clone(),
                (false, 10) if digits.starts_with("45") => format!("+{digits}"),
                _ => return None,
            };
            let value = PhoneNumber::parse(&written).ok()?;
            Some(Answer {
                value,
                confidence: reading.confidence,
                why: reading.why,
            })
        })
}

/// Hears one whole number.
pub(super) fn number(text: &str, tongue: &Tongue) -> Option<Answer<i64>> {
    const LARGEST: i64 = 999_999_999;
    let words = words(text, tongue);
    // A number said as one, even where it holds words that are weak alone.
    let start = words.iter().position(|word| word.is_number());
    if let Some(from) = start
        && let Some(found) = cardinal(&words, from, tongue, false)
        && !words[found.until..].iter().any(Word::is_number)
    {
        let value = i64::try_from(found.value)
            .ok()
            .filter(|value| *value <= LARGEST)?;
        let lone_weak = words[from].weak && found.until == from + 1 && words.len() > 1;
        // "jeg har en bil" counts nothing; "det er en" may.
        if lone_weak
            && words[found.until..]
                .iter()
                .any(|word| !tongue.dictation.polite.has(&word.text))
        {
            return None;
        }
        let confidence = if lone_weak {
            found.confidence * 0.6
        } else {
            found.confidence
        };
        let said: Vec<&str> = words[from..found.until]
            .iter()
            .map(|word| word.text.as_str())
            .collect();
        return Some(Answer {
            value,
            confidence,
            why: format!("'{}' = {value}", said.join(" ")),
        });
    }
    let answer = digits(text, tongue)?;
    let value = answer
        .value
        .parse()
        .ok()
        .filter(|value| *value <= LARGEST)?;
    let one_numeral = words.iter().filter(|word| word.is_number()).count() == 1;
    // Several numbers in a row may also have been several numbers.
    let confidence = if one_numeral {
        answer.confidence
    } else {
        answer.confidence * 0.7
    };
    Some(Answer {
        value,
        confidence,
        why: answer.why,
    })
}

/// Reads dictated digits in all likely ways, the likeliest first.
fn readings(words: &[Word], tongue: &Tongue) -> Vec<Reading> {
    let mut readings = resolve(pieces(words, tongue, false));
    let has_composite = words.windows(3).any(|window| {
        matches!(window[0].kind, Kind::Unit(_))
            && window[1].kind == Kind::And
            && matches!(window[2].kind, Kind::Tens(_))
    });
    if units_first(tongue) && has_composite {
        let apart = resolve(pieces(words, tongue, true));
        readings.extend(apart.into_iter().map(|mut reading| {
            reading.confidence *= 0.8;
            reading
        }));
    }
    readings
}

/// Applies corrections to the pieces.
fn resolve(pieces: Vec<Piece>) -> Vec<Reading> {
    let mut plus = false;
    let mut corrected = false;
    let mut gap = false;
    let mut said: Vec<Vec<Group>> = vec![Vec::new()];
    let mut pending_gap = false;
    for piece in pieces {
        match piece {
            Piece::Group {
                digits,
                confidence,
                text,
            } => {
                gap |= pending_gap && said.iter().any(|groups| !groups.is_empty());
                pending_gap = false;
                if let Some(last) = said.last_mut() {
                    last.push((digits, confidence, text));
                }
            }
            Piece::Plus => plus |= said.iter().all(Vec::is_empty),
            Piece::Correction => {
                if said.last().is_some_and(|last| !last.is_empty()) {
                    corrected = true;
                    said.push(Vec::new());
                }
            }
            Piece::Restart => {
                corrected |= said.iter().any(|groups| !groups.is_empty());
                said = vec![Vec::new()];
                plus = false;
            }
            Piece::Unknown => pending_gap = true,
            Piece::Words => {}
        }
    }
    // "… tak nej" at the end corrects nothing.
    if said.last().is_some_and(Vec::is_empty) {
        said.pop();
    }
    let mut versions: Vec<Vec<Group>> = vec![Vec::new()];
    for tail in said {
        versions = if versions.iter().all(Vec::is_empty) {
            vec![tail]
        } else {
            versions
                .into_iter()
                .flat_map(|head| corrections(head, &tail))
                .collect()
        };
        // Many corrections in one breath: the likeliest readings are enough.
        versions.truncate(9);
    }
    let mut readings: Vec<Reading> = Vec::new();
    for groups in versions {
        let digits: String = groups.iter().map(|(digits, ..)| digits.as_str()).collect();
        if digits.is_empty() {
            continue;
        }
        let digits = if plus { format!("+{digits}") } else { digits };
        if readings.iter().any(|known| known.digits == digits) {
            continue;
        }
        let mut confidence = groups
            .iter()
            .map(|(_, confidence, _)| *confidence)
            .fold(1.0, f32::min);
        if corrected {
            confidence *= CORRECTED;
        }
        if gap {
            confidence *= GAP;
        }
        let why: Vec<String> = groups
            .iter()
            .map(|(digits, _, text)| format!("'{text}' {digits}"))
            .collect();
        readings.push(Reading {
            digits,
            confidence,
            why: why.join(", "),
        });
    }
    readings
}

/// Applies one correction: `21 70 nej 71` may mean several things; the likeliest comes first.
fn corrections(head: Vec<Group>, tail: &[Group]) -> Vec<Vec<Group>> {
    let count =
        |groups: &[Group]| -> usize { groups.iter().map(|(digits, ..)| digits.len()).sum() };
    let restart = tail.to_vec();
    let last = {
        let mut groups = head[..head.len().saturating_sub(1)].to_vec();
        groups.extend_from_slice(tail);
        groups
    };
    // The caller goes back to a group already said and carries on from there.
    let realigned = tail.first().and_then(|(first, ..)| {
        let at = head.iter().rposition(|(digits, ..)| digits == first)?;
        let mut groups = head[..at].to_vec();
        groups.extend_from_slice(tail);
        Some(groups)
    });
    let as_many = {
        let mut groups = head[..head.len().saturating_sub(tail.len())].to_vec();
        groups.extend_from_slice(tail);
        groups
    };
    if count(tail) >= count(&head) && head.len() > 1 {
        vec![restart, last, as_many]
    } else {
        realigned
            .into_iter()
            .chain([last, as_many, restart])
            .collect()
    }
}
