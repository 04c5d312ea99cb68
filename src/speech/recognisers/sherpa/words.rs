//! What sherpa-onnx tells, as words: lower case, without punctuation, with their times and how
//! certain they are, in so far as the model tells that.

use std::time::Duration;

use serde::Deserialize;

use crate::speech::{Transcript, Word};

/// The confidence of words whose model tells none: CTC models, whisper and canary. It is enough to
/// act upon, and less than any engine gives that is certain.
pub(super) const UNTOLD: f32 = 0.8;

/// The length of a token that nothing tells the end of.
const TOKEN: f32 = 0.2;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    text: String,
    tokens: Vec<String>,
    /// When each token began, in seconds.
    timestamps: Vec<f32>,
    /// How long each token lasts, in seconds; of some transducers only.
    durations: Vec<f32>,
    /// The logarithm of how likely each token was; of transducers only.
    #[serde(alias = "ys_probs")]
    ys_log_probs: Vec<f32>,
}

/// Reads the words out of the JSON of a result.
///
/// # Errors
/// When it is no such JSON.
pub(super) fn read(json: &[u8]) -> Result<Transcript, String> {
    // Tokens are quoted but not escaped, so control characters stand in there bare.
    let text: String = String::from_utf8_lossy(json)
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let told: Told = serde_json::from_str(&text)
        .map_err(|error| format!("sherpa-onnx told something unreadable: {error}"))?;
    let words = told.words();
    let confidence = if words.is_empty() {
        UNTOLD
    } else {
        words.iter().map(|word| word.confidence).sum::<f32>() / words.len() as f32
    };
    let text = plain(&told.text);
    Ok(Transcript {
        confidence: if text.is_empty() { 0.0 } else { confidence },
        text,
        words,
    })
}

impl Told {
    /// Joins tokens to words: one that begins with a blank begins a word.
    fn words(&self) -> Vec<Word> {
        if self.timestamps.len() != self.tokens.len() {
            return Vec::new();
        }
        let mut words: Vec<(String, f32, f32, Vec<f32>)> = Vec::new();
        for (number, token) in self.tokens.iter().enumerate() {
            let start = self.timestamps[number];
            let length = self.durations.get(number).copied().unwrap_or(TOKEN);
            let next = self.timestamps.get(number + 1).copied();
            let end = (start + length)
                .min(next.unwrap_or(f32::INFINITY))
                .max(start);
            let likely = self
                .ys_log_probs
                .get(number)
                .map(|it| it.exp().clamp(0.0, 1.0));
            let begins = token.starts_with([' ', '\u{2581}']) || words.is_empty();
            if begins {
                words.push((String::new(), start, end, Vec::new()));
            }
            if let Some((text, _, until, likelihoods)) = words.last_mut() {
                text.push_str(token.trim_start_matches([' ', '\u{2581}']));
                *until = end;
                likelihoods.extend(likely);
            }
        }
        let time = |seconds: f32| Duration::from_millis((seconds * 1000.0).round() as u64);
        words
            .into_iter()
            .map(|(text, start, end, likelihoods)| Word {
                text: plain(&text),
                start: time(start),
                end: time(end),
                confidence: match likelihoods.len() {
                    0 => UNTOLD,
                    count => likelihoods.iter().sum::<f32>() / count as f32,
                },
            })
            .filter(|word| !word.text.is_empty())
            .collect()
    }
}

/// Makes a text lower case and takes its punctuation out, but leaves what belongs to numbers:
/// "Kl. 14.30, tak!" is "kl 14.30 tak", and "+45" stays.
pub(super) fn plain(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_digit = |place: Option<usize>| {
        place
            .and_then(|it| letters.get(it))
            .is_some_and(char::is_ascii_digit)
    };
    let mut plain = String::with_capacity(text.len());
    for (place, &letter) in letters.iter().enumerate() {
        let keeps = match letter {
            _ if letter.is_alphanumeric() => true,
            '\'' | '’' | '[' | ']' => true,
            '.' | ':' | '/' | '-' | ',' => {
                is_digit(place.checked_sub(1)) && is_digit(Some(place + 1))
            }
            '+' => is_digit(Some(place + 1)),
            '%' => is_digit(place.checked_sub(1)),
            _ => false,
        };
        if keeps {
            plain.extend(letter.to_lowercase());
        } else {
            plain.push(' ');
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Joins the words of pieces that were said one after the other; each piece comes with when it
/// began.
pub(super) fn join(pieces: impl IntoIterator<Item = (Duration, Transcript)>) -> Transcript {
    let mut all = Transcript::default();
    let (mut weight, mut certain) = (0.0_f32, 0.0_f32);
    for (began, piece) in pieces {
        if piece.text.is_empty() {
            continue;
        }
        let share = piece.text.len() as f32;
        weight += share;
        certain += share * piece.confidence;
        if !all.text.is_empty() {
            all.text.push(' ');
        }
        all.text.push_str(&piece.text);
        all.words.extend(piece.words.into_iter().map(|word| Word {
            start: word.start + began,
            end: word.end + began,
            ..word
        }));
    }
    if weight > 0.0 {
        all.confidence = certain / weight;
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn punctuation_and_capitals_go_and_numbers_stay_readable() {
        for (said, heard) in [
            (
                "Jeg vil gerne bestille et nyt pas.",
                "jeg vil gerne bestille et nyt pas",
            ),
            ("Ja, tak!", "ja tak"),
            ("Kl. 14.30, den 3. maj", "kl 14.30 den 3 maj"),
            (
                "Mit nummer er +45 70-20-00-00.",
                "mit nummer er +45 70-20-00-00",
            ),
            ("ÅH NEJ – Ærø?", "åh nej ærø"),
            (" 12,5 % ", "12,5"),
            ("50%", "50%"),
            ("it's [unk]", "it's [unk]"),
            ("...", ""),
        ] {
            assert_eq!(plain(said), heard);
        }
    }

    #[test]
    fn tokens_become_words_with_times_and_certainty() {
        let json = r#"{"lang": "", "text": "Ja, kørekort.", "timestamps": [0.40, 0.56, 1.00, 1.24],
            "durations": [0.16, 0.08, 0.24, 0.32], "tokens":[" Ja", ",", " køre", "kort."],
            "ys_log_probs": [-0.105361, -0.105361, 0.0, -0.693147], "words": []}"#;
        let heard = read(json.as_bytes()).unwrap();
        assert_eq!(heard.text, "ja kørekort");
        let [yes, licence] = &heard.words[..] else {
            panic!("{:?}", heard.words)
        };
        assert_eq!(
            (yes.text.as_str(), licence.text.as_str()),
            ("ja", "kørekort")
        );
        assert_eq!((yes.start.as_millis(), yes.end.as_millis()), (400, 640));
        assert_eq!(
            (licence.start.as_millis(), licence.end.as_millis()),
            (1000, 1560)
        );
        assert!((yes.confidence - 0.9).abs() < 0.01, "{}", yes.confidence);
        assert!(
            (licence.confidence - 0.75).abs() < 0.01,
            "{}",
            licence.confidence
        );
    }

    #[test]
    fn a_model_that_tells_no_certainty_gets_a_constant_and_silence_none() {
        let ctc = br#"{"text": "ja", "timestamps": [0.40], "durations": [], "tokens":[" ja"]}"#;
        assert_eq!(read(ctc).unwrap().confidence, UNTOLD);
        let whisper = br#"{"text": " Ja.", "timestamps": [], "tokens":[" Ja", "."]}"#;
        let heard = read(whisper).unwrap();
        assert_eq!((heard.text.as_str(), heard.confidence), ("ja", UNTOLD));
        assert!(heard.words.is_empty());
        assert_eq!(read(br#"{"text": ""}"#).unwrap(), Transcript::default());
    }

    #[test]
    fn bare_control_characters_and_broken_letters_are_no_obstacle() {
        let heard = read(b"{\"text\": \"ja\x01\ntak \xe2\"}").unwrap();
        assert_eq!(heard.text, "ja tak");
        assert!(read(b"").is_err());
        assert!(read(b"{\"text\": ").is_err());
    }

    #[test]
    fn pieces_are_joined_in_time() {
        let piece = |text: &str, confidence| Transcript {
            text: text.to_owned(),
            confidence,
            words: vec![Word {
                text: text.to_owned(),
                start: Duration::from_secs(1),
                end: Duration::from_secs(2),
                confidence,
            }],
        };
        let all = join([
            (Duration::ZERO, piece("ja", 1.0)),
            (Duration::from_secs(20), Transcript::default()),
            (Duration::from_secs(40), piece("ah", 0.5)),
        ]);
        assert_eq!((all.text.as_str(), all.confidence), ("ja ah", 0.75));
        assert_eq!(all.words[1].start, Duration::from_secs(41));
    }

    proptest! {
        #[test]
        fn plain_text_is_plain_already(text in "\\PC{0,80}") {
            let once = plain(&text);
            prop_assert_eq!(plain(&once), once.clone());
        }

        #[test]
        fn nothing_that_is_told_brings_it_down(json in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&json);
        }
    }
}
