//! Number words put together: cardinal numbers, and groups of digits as people dictate them.

use super::word::{Kind, Word};
use crate::language::Tongue;

/// A number that was said in one breath.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cardinal {
    pub(super) value: u64,
    /// The word after its last.
    pub(super) until: usize,
    pub(super) confidence: f32,
}

/// A piece of a dictated number.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Digits said as one number.
    Group {
        digits: String,
        confidence: f32,
        text: String,
    },
    /// A country code comes.
    Plus,
    /// What was said before is wrong.
    Correction,
    /// All that was said before is wrong.
    Restart,
    /// Something was said that was not understood.
    Unknown,
    /// Ordinary words.
    Words,
}

/// Reads a cardinal number that begins at a word.
///
/// `apart` reads "fem og fyrre" as 5 and 40.
pub(super) fn cardinal(
    words: &[Word],
    from: usize,
    tongue: &Tongue,
    apart: bool,
) -> Option<Cardinal> {
    let mut total: u64 = 0;
    let mut at = from;
    let mut confidence = 1.0_f32;
    let mut last_scale = u64::MAX;
    loop {
        // "tusind" and "million" may stand without a number before them.
        let scale_alone = scale(words, at).filter(|_| at == from);
        let (value, until, sure) = match scale_alone {
            Some(_) => (1, at, 1.0),
            None => match below_thousand(words, at, tongue, apart) {
                Some(found) => found,
                None => break,
            },
        };
        match scale(words, until) {
            Some(scale) if scale < last_scale => {
                total += value * scale;
                last_scale = scale;
                at = until + 1;
                confidence = confidence.min(sure);
            }
            _ if at == from || last_scale < u64::MAX => {
                total += value;
                confidence = confidence.min(sure);
                at = until;
                return Some(Cardinal {
                    value: total,
                    until: at,
                    confidence,
                });
            }
            _ => break,
        }
        // An "og" belongs to the number only when more of it follows.
        if kind(words, at) == Some(&Kind::And)
            && below_thousand(words, at + 1, tongue, apart).is_some()
        {
            at += 1;
        }
    }
    (at > from).then_some(Cardinal {
        value: total,
        until: at,
        confidence,
    })
}

/// Reads a whole dictated text into pieces.
pub(super) fn pieces(words: &[Word], tongue: &Tongue, apart: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = &words[at];
        match word.kind {
            Kind::Plus => pieces.push(Piece::Plus),
            Kind::Correction => pieces.push(Piece::Correction),
            Kind::Restart => pieces.push(Piece::Restart),
            Kind::Unknown => pieces.push(Piece::Unknown),
            Kind::And => {}
            Kind::Repeat(times) => {
                if let Some((group, until)) = repeated(words, at + 1, times, tongue) {
                    pieces.push(group);
                    at = until;
                    continue;
                }
            }
            Kind::Unit(times @ 2..=6) if kind(words, at + 1) == Some(&Kind::Zeros) => {
                pieces.push(Piece::Group {
                    digits: "0".repeat(times as usize),
                    confidence: word.confidence,
                    text: format!("{} {}", word.text, words[at + 1].text),
                });
                at += 2;
                continue;
            }
            Kind::Unit(times @ 2..=6) if kind(words, at + 1) == Some(&Kind::Times) => {
                if let Some((group, until)) = repeated(words, at + 2, times as usize, tongue) {
                    pieces.push(group);
                    at = until;
                    continue;
                }
            }
            Kind::Numeral if kind(words, at + 1) != Some(&Kind::Hundred) => {
                for digits in word.text.split(|c: char| !c.is_ascii_digit()) {
                    if !digits.is_empty() {
                        pieces.push(group(digits.to_owned(), 1.0, digits));
                    }
                }
            }
            _ if word.weak && !beside_number(words, at) => pieces.push(Piece::Words),
            _ => match cardinal(words, at, tongue, apart) {
                Some(found) => {
                    let text: Vec<&str> = words[at..found.until]
                        .iter()
                        .map(|word| word.text.as_str())
                        .collect();
                    pieces.push(group(
                        found.value.to_string(),
                        found.confidence,
                        &text.join(" "),
                    ));
                    at = found.until;
                    continue;
                }
                None => pieces.push(Piece::Words),
            },
        }
        at += 1;
    }
    pieces
}

fn group(digits: String, confidence: f32, text: &str) -> Piece {
    Piece::Group {
        digits,
        confidence,
        text: text.to_owned(),
    }
}

/// Reads what follows "double": the next number, so many times.
fn repeated(words: &[Word], from: usize, times: usize, tongue: &Tongue) -> Option<(Piece, usize)> {
    let (value, until, confidence) = match words.get(from)?.kind {
        Kind::Numeral if words[from].text.len() <= 2 => (words[from].text.clone(), from + 1, 1.0),
        _ => {
            let (value, until, confidence) = below_hundred(words, from, tongue, true)?;
            (value.to_string(), until, confidence)
        }
    };
    let text = format!("{times} x {value}");
    Some((group(value.repeat(times), confidence, &text), until))
}

/// Tells whether a weak number word stands beside another number or alone.
fn beside_number(words: &[Word], at: usize) -> bool {
    let counts = |word: &Word| {
        word.is_number()
            || matches!(
                word.kind,
                Kind::Repeat(_) | Kind::Zeros | Kind::Plus | Kind::Unknown
            )
    };
    let before = words[..at].iter().next_back().is_some_and(|word| {
        counts(word) || matches!(word.kind, Kind::Correction | Kind::And | Kind::Restart)
    });
    // "en og tyve", but not "en og anden".
    let after = words.get(at + 1).is_some_and(|word| {
        counts(word) || (word.kind == Kind::And && words.get(at + 2).is_some_and(Word::is_number))
    });
    let alone = words
        .iter()
        .filter(|word| word.kind != Kind::Unknown)
        .count()
        == 1;
    before && (after || at + 1 == words.len() || words[at - 1].is_number()) || after || alone
}

fn kind(words: &[Word], at: usize) -> Option<&Kind> {
    words.get(at).map(|word| &word.kind)
}

fn scale(words: &[Word], at: usize) -> Option<u64> {
    match kind(words, at)? {
        Kind::Thousand => Some(1000),
        Kind::Million => Some(1_000_000),
        _ => None,
    }
}

/// Reads 0 to 999, and hundreds up to 99.
fn below_thousand(
    words: &[Word],
    from: usize,
    tongue: &Tongue,
    apart: bool,
) -> Option<(u64, usize, f32)> {
    let (hundreds, mut at, mut confidence) = if kind(words, from) == Some(&Kind::Hundred) {
        (1, from, 1.0)
    } else {
        let found = below_hundred(words, from, tongue, apart)?;
        if kind(words, found.1) != Some(&Kind::Hundred) || found.0 == 0 {
            return Some(found);
        }
        found
    };
    at += 1;
    let mut value = hundreds * 100;
    let rest = if kind(words, at) == Some(&Kind::And) {
        at + 1
    } else {
        at
    };
    if let Some((more, until, sure)) = below_hundred(words, rest, tongue, apart)
        && more > 0
        && kind(words, until) != Some(&Kind::Hundred)
        && kind(words, rest) != Some(&Kind::Numeral)
    {
        value += more;
        at = until;
        confidence = confidence.min(sure);
    }
    Some((value, at, confidence))
}

/// Reads 0 to 99.
fn below_hundred(
    words: &[Word],
    from: usize,
    tongue: &Tongue,
    apart: bool,
) -> Option<(u64, usize, f32)> {
    let word = words.get(from)?;
    let done = |value: u32| Some((u64::from(value), from + 1, word.confidence));
    match word.kind {
        Kind::Unit(unit @ 1..=9) if units_first(tongue) && !apart => {
            match (kind(words, from + 1), kind(words, from + 2)) {
                (Some(Kind::And), Some(Kind::Tens(tens))) => {
                    let sure = word.confidence.min(words[from + 2].confidence);
                    Some((u64::from(tens + unit), from + 3, sure))
                }
                _ => done(unit),
            }
        }
        Kind::Tens(tens) if !units_first(tongue) => match kind(words, from + 1) {
            Some(Kind::Unit(unit @ 1..=9)) => {
                let sure = word.confidence.min(words[from + 1].confidence);
                Some((u64::from(tens + unit), from + 2, sure))
            }
            _ => done(tens),
        },
        Kind::Unit(value) | Kind::Teen(value) | Kind::Tens(value) | Kind::Composite(value) => {
            done(value)
        }
        Kind::Numeral => match word.text.parse::<u32>() {
            Ok(value @ 0..=99) => done(value),
            _ => None,
        },
        _ => None,
    }
}

/// Tells whether 21 is "one and twenty" in a language.
pub(super) fn units_first(tongue: &Tongue) -> bool {
    tongue.numbers.composite.starts_with("{unit}")
}
