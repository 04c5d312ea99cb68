//! vLLM's variant: a first commit begins a turn, a final one ends it, and a connection serves one
//! turn, as audio that is sent before the server is ready for the next one gets lost.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::audio::{AudioFormat, Encoder};
use super::{Events, event};
use crate::speech::recognisers::remote::UNTOLD;
use crate::speech::recognisers::remote::fault::{self, RemoteFault};
use crate::speech::recognisers::remote::plain::plain;
use crate::speech::recognisers::remote::stream::Protocol;
use crate::speech::{RATE, Told, Transcript};

/// The most that a server may tell of one turn, in bytes.
const LONGEST: usize = 64 << 10;

/// One side of the conversation.
pub(super) struct Talk {
    model: String,
    encoder: Encoder,
    delta: String,
    completed: String,
    agreed: bool,
    /// Whether audio was sent.
    in_turn: bool,
    /// Whether the words are due.
    ended: bool,
    over: bool,
    text: String,
    told: String,
}

impl Talk {
    pub(super) fn new(model: &str, events: &Events) -> Self {
        let name = |set: &Option<String>, standard: &str| {
            set.clone().unwrap_or_else(|| standard.to_owned())
        };
        Self {
            model: model.to_owned(),
            encoder: Encoder::new(AudioFormat::Pcm16At16k),
            delta: name(&events.delta, "transcription.delta"),
            completed: name(&events.completed, "transcription.done"),
            agreed: false,
            in_turn: false,
            ended: false,
            over: false,
            text: String::new(),
            told: String::new(),
        }
    }
}

fn commit(is_final: bool) -> Message {
    let event = json!({ "type": "input_audio_buffer.commit", "final": is_final });
    Message::text(event.to_string())
}

impl Protocol for Talk {
    const PIECE: usize = RATE / 10;

    fn begin(&mut self) -> Vec<Message> {
        self.agreed = false;
        self.in_turn = false;
        self.ended = false;
        self.over = false;
        self.text.clear();
        self.told.clear();
        self.encoder.begin();
        let update = json!({ "type": "session.update", "model": self.model });
        vec![Message::text(update.to_string())]
    }

    fn is_agreed(&self) -> bool {
        self.agreed
    }

    fn takes(&self) -> bool {
        !self.ended && !self.over
    }

    fn audio(&mut self, samples: &[i16]) -> Vec<Message> {
        let mut messages = Vec::new();
        if !std::mem::replace(&mut self.in_turn, true) {
            messages.push(commit(false));
        }
        messages.extend(self.encoder.message(samples));
        messages
    }

    fn finish(&mut self) -> (Vec<Message>, Option<Told>) {
        if !self.in_turn {
            return (Vec::new(), Some(Told::Final(Transcript::default())));
        }
        self.ended = true;
        let mut messages: Vec<Message> = self.encoder.flush().into_iter().collect();
        messages.push(commit(true));
        (messages, None)
    }

    fn read(&mut self, text: &str) -> Result<Vec<Told>, RemoteFault> {
        let (kind, event) = event(text)?;
        if kind == "session.created" {
            self.agreed = true;
        } else if kind == self.delta {
            let delta = event["delta"].as_str().unwrap_or_default();
            if self.text.len() + delta.len() > LONGEST {
                return Err(RemoteFault::Garbage(format!(
                    "more than {LONGEST} bytes of words"
                )));
            }
            self.text.push_str(delta);
            let words = plain(&self.text);
            if !words.is_empty() && words != self.told {
                self.told.clone_from(&words);
                return Ok(vec![Told::Partial(words)]);
            }
        } else if kind == self.completed {
            let garbage = || RemoteFault::Garbage(fault::outline(text));
            let words = plain(event["text"].as_str().ok_or_else(garbage)?);
            if !self.ended {
                return Err(RemoteFault::Garbage(
                    "all words before the turn was over".to_owned(),
                ));
            }
            self.over = true;
            let confidence = if words.is_empty() { 0.0 } else { UNTOLD };
            return Ok(vec![Told::Final(Transcript {
                text: words,
                confidence,
                words: Vec::new(),
            })]);
        }
        Ok(Vec::new())
    }

    fn awaits(&self) -> bool {
        self.ended && !self.over
    }

    fn is_between_turns(&self) -> bool {
        !self.in_turn
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(messages: &[Message]) -> Vec<String> {
        let kind = |message: &Message| {
            let event: serde_json::Value =
                serde_json::from_str(message.to_text().unwrap()).unwrap();
            format!("{} {}", event["type"].as_str().unwrap(), event["final"])
        };
        messages.iter().map(kind).collect()
    }

    #[test]
    fn a_turn_has_a_commit_at_both_ends_and_a_connection_of_its_own() {
        let mut talk = Talk::new("voxtral", &Events::default());
        assert_eq!(kinds(&talk.begin()), ["session.update null"]);
        assert!(!talk.is_agreed());
        talk.read(r#"{"type":"session.created","id":"sess-1","created":1}"#)
            .unwrap();
        assert!(talk.is_agreed());
        let begun = kinds(&talk.audio(&[0; 800]));
        assert_eq!(
            begun,
            [
                "input_audio_buffer.commit false",
                "input_audio_buffer.append null"
            ]
        );
        assert_eq!(
            kinds(&talk.audio(&[0; 800])),
            ["input_audio_buffer.append null"]
        );
        let told = talk
            .read(r#"{"type":"transcription.delta","delta":"Ja, "}"#)
            .unwrap();
        assert_eq!(told, [Told::Partial("ja".to_owned())]);
        let (messages, _) = talk.finish();
        assert_eq!(
            kinds(&messages).last().unwrap(),
            "input_audio_buffer.commit true"
        );
        assert!(talk.awaits() && !talk.takes());
        let told = talk
            .read(r#"{"type":"transcription.done","text":"Ja, tak.","usage":null}"#)
            .unwrap();
        assert!(matches!(&told[..], [Told::Final(it)] if it.text == "ja tak"));
        assert!(talk.is_over());
    }
}
