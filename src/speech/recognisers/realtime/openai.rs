//! OpenAI's transcription sessions: audio is appended, a turn is committed, and what was said in it
//! comes back under the name of the item that it became, not always in order.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::audio::{AudioFormat, Encoder};
use super::{Events, event, refusal};
use crate::speech::recognisers::remote::UNTOLD;
use crate::speech::recognisers::remote::fault::{self, RemoteFault};
use crate::speech::recognisers::remote::plain::plain;
use crate::speech::recognisers::remote::stream::Protocol;
use crate::speech::{RATE, Told, Transcript};

/// The least audio that a turn may have, in samples: 100 ms, below which a commit is refused.
const LEAST: usize = RATE / 10;

/// The most that a server may tell of one turn, in bytes.
const LONGEST: usize = 64 << 10;

/// One turn, from its first audio until its words have been told.
#[derive(Debug, Default)]
struct Turn {
    /// The name that the server gave it.
    item: Option<String>,
    committed: bool,
    /// The words so far as written.
    text: String,
    /// All words, once they are there.
    done: Option<Transcript>,
}

/// One side of the conversation.
pub(super) struct Talk {
    update: String,
    encoder: Encoder,
    delta: String,
    completed: String,
    failed: String,
    agreed: bool,
    /// Samples sent of the turn in progress.
    sent: usize,
    /// Turns whose words have not been told, the one in progress last.
    turns: VecDeque<Turn>,
    told: String,
}

impl Talk {
    pub(super) fn new(update: Value, format: AudioFormat, events: &Events) -> Self {
        let name = |set: &Option<String>, last: &str| {
            let standard = format!("conversation.item.input_audio_transcription.{last}");
            set.clone().unwrap_or(standard)
        };
        Self {
            update: update.to_string(),
            encoder: Encoder::new(format),
            delta: name(&events.delta, "delta"),
            completed: name(&events.completed, "completed"),
            failed: name(&events.failed, "failed"),
            agreed: false,
            sent: 0,
            turns: VecDeque::new(),
            told: String::new(),
        }
    }

    /// Finds the turn that an item is, by its name, else the oldest one that has no name yet.
    fn turn(&mut self, event: &Value) -> Option<&mut Turn> {
        let item = event["item_id"].as_str();
        let known = self
            .turns
            .iter()
            .position(|turn| item.is_some() && turn.item.as_deref() == item)
            .or_else(|| {
                self.turns
                    .iter()
                    .position(|turn| turn.item.is_none() && turn.done.is_none())
            });
        let turn = self.turns.get_mut(known?)?;
        if turn.item.is_none() {
            turn.item = item.map(str::to_owned);
        }
        Some(turn)
    }

    /// Tells the words of turns that are over, the oldest first.
    fn finals(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(done) = self
            .turns
            .front_mut()
            .filter(|turn| turn.committed)
            .and_then(|turn| turn.done.take())
        {
            self.turns.pop_front();
            self.told.clear();
            told.push(Told::Final(done));
        }
        told
    }

    fn partial(&mut self) -> Option<Told> {
        // Words of an older turn are told with its end.
        let turn = self.turns.front()?;
        let text = plain(&turn.text);
        (!text.is_empty() && text != self.told).then(|| {
            self.told.clone_from(&text);
            Told::Partial(text)
        })
    }
}

impl Protocol for Talk {
    const PIECE: usize = RATE / 10;

    fn begin(&mut self) -> Vec<Message> {
        self.agreed = false;
        self.sent = 0;
        self.turns.clear();
        self.told.clear();
        self.encoder.begin();
        vec![Message::text(self.update.as_str())]
    }

    fn is_agreed(&self) -> bool {
        self.agreed
    }

    fn takes(&self) -> bool {
        true
    }

    fn audio(&mut self, samples: &[i16]) -> Vec<Message> {
        if self.sent == 0 {
            self.turns.push_back(Turn::default());
        }
        self.sent += samples.len();
        self.encoder.message(samples).into_iter().collect()
    }

    fn finish(&mut self) -> (Vec<Message>, Option<Told>) {
        let sent = std::mem::take(&mut self.sent);
        if sent == 0 {
            // It has no item to wait for, but its place in the order.
            self.turns.push_back(Turn {
                committed: true,
                done: Some(Transcript::default()),
                ..Turn::default()
            });
            return (Vec::new(), self.finals().pop());
        }
        let mut messages = Vec::new();
        if sent < LEAST {
            messages.extend(self.encoder.message(&vec![0; LEAST - sent]));
        }
        messages.extend(self.encoder.flush());
        self.encoder.begin();
        messages.push(Message::text(
            json!({ "type": "input_audio_buffer.commit" }).to_string(),
        ));
        if let Some(turn) = self.turns.back_mut() {
            turn.committed = true;
        }
        (messages, None)
    }

    fn read(&mut self, text: &str) -> Result<Vec<Told>, RemoteFault> {
        let (kind, event) = event(text)?;
        if kind == "session.updated" {
            self.agreed = true;
        } else if kind == "input_audio_buffer.committed" {
            self.turn(&event);
        } else if kind == self.delta {
            let delta = event["delta"].as_str().unwrap_or_default();
            if let Some(turn) = self.turn(&event) {
                if turn.text.len() + delta.len() > LONGEST {
                    return Err(RemoteFault::Garbage(format!(
                        "more than {LONGEST} bytes of words"
                    )));
                }
                turn.text.push_str(delta);
            }
            return Ok(self.partial().into_iter().collect());
        } else if kind == self.completed {
            let garbage = || RemoteFault::Garbage(fault::outline(text));
            let words = event["transcript"]
                .as_str()
                .or(event["text"].as_str())
                .ok_or_else(garbage)?;
            let transcript = transcript(words, &event["logprobs"]);
            if let Some(turn) = self.turn(&event) {
                turn.done = Some(transcript);
            }
            return Ok(self.finals());
        } else if kind == self.failed {
            return Err(refusal(&event));
        }
        // Servers tell more than is of interest here.
        Ok(Vec::new())
    }

    fn awaits(&self) -> bool {
        self.turns.iter().any(|turn| turn.committed)
    }

    fn is_between_turns(&self) -> bool {
        self.turns.is_empty()
    }
}

fn transcript(words: &str, logprobs: &Value) -> Transcript {
    let text = plain(words);
    if text.is_empty() {
        return Transcript::default();
    }
    let tokens: Vec<f64> = logprobs
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|token| token["logprob"].as_f64())
        .collect();
    let confidence = if tokens.is_empty() {
        UNTOLD
    } else {
        (tokens.iter().sum::<f64>() / tokens.len() as f64)
            .exp()
            .clamp(0.0, 1.0) as f32
    };
    Transcript {
        text,
        confidence,
        words: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talk() -> Talk {
        let mut talk = Talk::new(json!({}), AudioFormat::Pcmu, &Events::default());
        talk.begin();
        talk.read(r#"{"type":"session.created","session":{}}"#)
            .unwrap();
        assert!(!talk.is_agreed());
        talk.read(r#"{"type":"session.updated","session":{}}"#)
            .unwrap();
        assert!(talk.is_agreed());
        talk
    }

    fn said(talk: &mut Talk, kind: &str, item: &str, words: &str) -> Vec<Told> {
        let kind = format!("conversation.item.input_audio_transcription.{kind}");
        let event = json!({ "type": kind, "item_id": item, "content_index": 0, "delta": words, "transcript": words });
        talk.read(&event.to_string()).unwrap()
    }

    fn committed(talk: &mut Talk, item: &str) {
        let event = json!({ "type": "input_audio_buffer.committed", "item_id": item });
        assert_eq!(talk.read(&event.to_string()).unwrap(), []);
    }

    fn words(told: &[Told]) -> Vec<&str> {
        told.iter()
            .map(|told| match told {
                Told::Partial(text) => text.as_str(),
                Told::Final(transcript) => transcript.text.as_str(),
                Told::SpeechStarted | Told::Degraded(_) => "",
            })
            .collect()
    }

    #[test]
    fn words_come_while_the_caller_speaks_and_once_more_at_the_end() {
        let mut talk = talk();
        talk.audio(&[0; 800]);
        assert_eq!(
            words(&said(&mut talk, "delta", "a", "Jeg vil")),
            ["jeg vil"]
        );
        assert_eq!(
            words(&said(&mut talk, "delta", "a", " gerne.")),
            ["jeg vil gerne"]
        );
        assert!(!talk.awaits());
        talk.finish();
        assert!(talk.awaits());
        committed(&mut talk, "a");
        assert_eq!(
            words(&said(&mut talk, "completed", "a", "Jeg vil gerne!")),
            ["jeg vil gerne"]
        );
        assert!(!talk.awaits() && talk.is_between_turns());
    }

    #[test]
    fn turns_that_are_completed_out_of_order_are_told_in_order() {
        let mut talk = talk();
        for item in ["a", "b"] {
            talk.audio(&[0; 800]);
            talk.finish();
            committed(&mut talk, item);
        }
        assert_eq!(
            talk.finish(),
            (Vec::new(), None),
            "an empty turn waits for its elders"
        );
        assert_eq!(said(&mut talk, "completed", "b", "to"), []);
        assert_eq!(
            words(&said(&mut talk, "completed", "a", "en")),
            ["en", "to", ""]
        );
    }

    #[test]
    fn a_server_without_names_of_items_is_understood() {
        let mut talk = talk();
        talk.audio(&[0; 800]);
        talk.finish();
        let event = json!({ "type": "conversation.item.input_audio_transcription.completed", "transcript": "Ja" });
        assert_eq!(words(&talk.read(&event.to_string()).unwrap()), ["ja"]);
    }

    #[test]
    fn a_very_short_turn_is_made_long_enough_and_an_empty_one_is_not_sent() {
        let mut talk = talk();
        assert_eq!(
            talk.finish(),
            (Vec::new(), Some(Told::Final(Transcript::default())))
        );
        talk.audio(&[0; 300]);
        let (messages, told) = talk.finish();
        assert_eq!((messages.len(), told), (2, None));
    }

    #[test]
    fn probabilities_of_tokens_tell_how_sure_it_is() {
        let sure = transcript(
            "Ja.",
            &json!([{ "token": "Ja", "logprob": -0.1 }, { "token": ".", "logprob": -0.3 }]),
        );
        assert!((sure.confidence - 0.8187).abs() < 0.001);
        assert_eq!(transcript("Ja.", &Value::Null).confidence, UNTOLD);
    }
}
