//! What a transcription server answers: `json` or `verbose_json`, whichever it chose to send.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::fault::{self, RemoteFault};
use crate::speech::recognisers::remote::UNTOLD;
use crate::speech::recognisers::remote::plain::plain;
use crate::speech::{Transcript, Word};

/// A part that is no speech for more than this, and about which the model is less sure than
/// `DOUBTED`, was made up: the rule of the whisper models' own program.
const NO_SPEECH: f32 = 0.6;

/// The mean logarithm of the probability of a part's tokens.
const DOUBTED: f32 = -1.0;

#[derive(Deserialize)]
struct Answer {
    text: String,
    #[serde(default)]
    segments: Option<Vec<Segment>>,
    #[serde(default)]
    words: Option<Vec<Timed>>,
    #[serde(default)]
    logprobs: Option<Vec<Token>>,
}

#[derive(Deserialize)]
struct Segment {
    #[serde(default)]
    text: String,
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
    avg_logprob: Option<f32>,
    no_speech_prob: Option<f32>,
}

impl Segment {
    fn is_made_up(&self) -> bool {
        self.no_speech_prob
            .is_some_and(|silence| silence > NO_SPEECH)
            && self.avg_logprob.is_some_and(|sure| sure < DOUBTED)
    }
}

#[derive(Deserialize)]
struct Timed {
    word: String,
    start: f64,
    end: f64,
}

#[derive(Deserialize)]
struct Token {
    logprob: f32,
}

/// Reads an answer.
///
/// # Errors
/// When it is none.
pub(super) fn read(text: &str) -> Result<Transcript, RemoteFault> {
    let answer: Answer =
        serde_json::from_str(text).map_err(|_| RemoteFault::Garbage(fault::outline(text)))?;
    let segments = answer.segments.unwrap_or_default();
    let said = if segments.iter().any(Segment::is_made_up) {
        let real = segments.iter().filter(|segment| !segment.is_made_up());
        real.map(|segment| segment.text.as_str()).collect()
    } else {
        answer.text
    };
    let text = plain(&said);
    if text.is_empty() {
        return Ok(Transcript::default());
    }
    let tokens = answer.logprobs.unwrap_or_default();
    let confidence = of_segments(&segments)
        .or_else(|| mean(tokens.iter().map(|token| (token.logprob, 1.0))))
        .unwrap_or(UNTOLD);
    let words = answer.words.unwrap_or_default();
    let words = words.into_iter().filter_map(|timed| timed.word(confidence));
    Ok(Transcript {
        text,
        confidence,
        words: words.collect(),
    })
}

impl Timed {
    fn word(self, confidence: f32) -> Option<Word> {
        let text = plain(&self.word);
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        (!text.is_empty()).then(|| Word {
            text,
            start: time(self.start),
            end: time(self.end),
            confidence,
        })
    }
}

/// The mean probability of a token, weighed by how long each part is.
fn of_segments(segments: &[Segment]) -> Option<f32> {
    let real = segments.iter().filter(|segment| !segment.is_made_up());
    mean(real.filter_map(|segment| {
        let length = (segment.end - segment.start).max(0.1) as f32;
        segment.avg_logprob.map(|logprob| (logprob, length))
    }))
}

fn mean(logprobs: impl Iterator<Item = (f32, f32)>) -> Option<f32> {
    let (sum, weight) = logprobs.fold((0.0, 0.0), |(sum, weight), (logprob, share)| {
        (sum + logprob * share, weight + share)
    });
    let certain = (sum / weight).exp();
    (weight > 0.0 && certain.is_finite()).then(|| certain.clamp(0.0, 1.0))
}

/// Finds the words in a refusal: `{"error": {"message": …}}`, `{"error": …}`, `{"detail": …}`, or
/// the text itself.
pub(super) fn refusal(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let said = value["error"]["message"]
        .as_str()
        .or(value["error"].as_str())
        .or(value["message"].as_str())
        .or(value["detail"].as_str())
        .map(fault::line);
    // What is well-formed and no refusal may be a caller's words.
    said.unwrap_or_else(|| match value {
        Value::Null => fault::line(text),
        _ => fault::outline(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_text_is_believed_but_not_certain() {
        let transcript = read(r#"{"text": " Ja, tak."}"#).unwrap();
        assert_eq!(transcript.text, "ja tak");
        assert_eq!(transcript.confidence, UNTOLD);
        assert_eq!(read(r#"{"text": " ..."}"#).unwrap(), Transcript::default());
    }

    #[test]
    fn a_wordy_answer_tells_how_sure_it_is_and_when_words_were_said() {
        let answer = r#"{"task": "transcribe", "language": "danish", "duration": 2.0, "text": "Ja tak.",
            "segments": [{"id": 0, "start": 0.0, "end": 2.0, "text": "Ja tak.", "avg_logprob": -0.105, "no_speech_prob": 0.01}],
            "words": [{"word": "Ja", "start": 0.5, "end": 0.75}, {"word": " tak.", "start": 0.75, "end": 1.0}]}"#;
        let transcript = read(answer).unwrap();
        assert!((transcript.confidence - 0.9).abs() < 0.01);
        assert_eq!(transcript.words[1].text, "tak");
        assert_eq!(transcript.words[1].start, Duration::from_millis(750));
    }

    #[test]
    fn words_made_up_out_of_noise_are_left_out() {
        let answer = r#"{"text": "Ja. Tekster af ukendt mester", "segments": [
            {"start": 0, "end": 1, "text": " Ja.", "avg_logprob": -0.2, "no_speech_prob": 0.1},
            {"start": 1, "end": 9, "text": " Tekster af ukendt mester", "avg_logprob": -1.4, "no_speech_prob": 0.9}]}"#;
        let transcript = read(answer).unwrap();
        assert_eq!(transcript.text, "ja");
        assert!(transcript.confidence > 0.8);
    }

    #[test]
    fn tokens_tell_how_sure_it_is_as_well() {
        let answer =
            r#"{"text": "ja", "logprobs": [{"token": "ja", "logprob": -0.693, "bytes": []}]}"#;
        assert!((read(answer).unwrap().confidence - 0.5).abs() < 0.01);
    }

    #[test]
    fn garbage_is_an_error_and_a_refusal_is_found() {
        for garbage in [
            "",
            "null",
            "[]",
            r#"{"text": null}"#,
            r#"{"txt": "ja"}"#,
            "<html>",
        ] {
            assert!(
                matches!(read(garbage), Err(RemoteFault::Garbage(_))),
                "{garbage}"
            );
        }
        assert_eq!(
            refusal(r#"{"error": {"message": "no such model"}}"#),
            "no such model"
        );
        assert_eq!(refusal(r#"{"error": "busy"}"#), "busy");
        assert_eq!(refusal(r#"{"detail": "Not Found"}"#), "Not Found");
        assert_eq!(refusal("upstream\nfailed"), "upstream failed");
        assert_eq!(refusal(r#"{"text": "ja"}"#), "14 bytes of JSON with text");
    }
}
