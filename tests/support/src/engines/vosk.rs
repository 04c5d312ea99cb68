//! vosk-server as `websocket/asr_server.py` of its project speaks, or as the one in C++ does.

use std::time::Instant;

use anyhow::Result;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Fault, Hearing, House, Socket, Word, cut, send};

/// Messages of audio after which a process that is to die is dead.
const UNTIL_DEATH: usize = 2;

/// The longest message of audio that is reasonable, in bytes: a second.
const LONGEST: usize = 16_000;

struct State {
    hearing: Option<Box<dyn Hearing>>,
    phrases: Vec<String>,
    /// Samples so far, by which times are counted, and those of turns that are over.
    samples: usize,
    before: usize,
}

impl State {
    fn end(&mut self) -> Value {
        let words = self.hearing.as_mut().map(|hearing| hearing.end());
        let offset = self.before as f64 / 8000.0;
        self.before = self.samples;
        result(&words.unwrap_or_default(), offset)
    }
}

fn result(words: &[Word], offset: f64) -> Value {
    let text: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    if words.is_empty() {
        return json!({ "text": "" });
    }
    let result: Vec<Value> = words
        .iter()
        .map(|word| {
            json!({ "conf": word.sure, "end": offset + word.end, "start": offset + word.start, "word": word.text })
        })
        .collect();
    json!({ "result": result, "text": text.join(" ") })
}

pub(super) async fn attend(mut socket: Socket, house: &House, python: bool) -> Result<()> {
    let mut state = State {
        hearing: None,
        phrases: Vec::new(),
        samples: 0,
        before: 0,
    };
    let mut audio = 0;
    while let Some(message) = socket.next().await {
        let answer = match message? {
            Message::Text(text) if python && text.contains("config") => {
                configure(&text, &mut state, house);
                continue;
            }
            Message::Text(text) => {
                let asked = Instant::now();
                let is_end = text == r#"{"eof" : 1}"#;
                if !(is_end || python && text == r#"{"reset" : 1}"#) {
                    house.complain(format!("{text:?} would be taken for audio"));
                }
                if state.hearing.is_none() {
                    state.hearing = Some((house.mind)(&state.phrases));
                }
                if !house.may_answer().await {
                    continue;
                }
                let answer = state.end().to_string();
                let answer = match house.fault() {
                    Fault::Garbage => "{\"text\": 5".to_owned(),
                    _ => answer,
                };
                send(&mut socket, answer).await?;
                house.answered(asked);
                if is_end {
                    socket.close(None).await?;
                    while let Some(Ok(_)) = socket.next().await {}
                    return Ok(());
                }
                continue;
            }
            Message::Binary(bytes) => {
                audio += 1;
                if let fault @ (Fault::Drop | Fault::Reset) = house.fault()
                    && audio > UNTIL_DEATH
                {
                    cut(socket, fault);
                    return Ok(());
                }
                if bytes.is_empty() || bytes.len() % 2 != 0 || bytes.len() > LONGEST {
                    house.complain(format!("{} bytes of audio in one message", bytes.len()));
                }
                let samples: Vec<i16> = bytes
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|pair| i16::from_le_bytes(*pair))
                    .collect();
                state.samples += samples.len();
                let phrases = &state.phrases;
                let hearing = state.hearing.get_or_insert_with(|| (house.mind)(phrases));
                json!({ "partial": hearing.hear(&samples) })
            }
            Message::Close(_) => return Ok(()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        send(&mut socket, answer.to_string()).await?;
    }
    Ok(())
}

fn configure(text: &str, state: &mut State, house: &House) {
    if state.hearing.is_some() {
        house.complain("a config after the first audio, which is of no effect");
    }
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(config) = value["config"].as_object() else {
        return house.complain(format!("{text:?} is no config"));
    };
    for (name, value) in config {
        let fits = match name.as_str() {
            "sample_rate" => value.as_f64() == Some(8000.0),
            "words" | "max_alternatives" => value.is_u64(),
            "phrase_list" => value.as_array().is_some_and(|list| {
                list.iter().all(Value::is_string) && list.contains(&json!("[unk]"))
            }),
            // It replaces the model of all connections.
            _ => false,
        };
        if !fits {
            house.complain(format!("{name}: {value} in a config"));
        }
    }
    let phrases = config.get("phrase_list").and_then(Value::as_array);
    for phrase in phrases.into_iter().flatten().filter_map(Value::as_str) {
        house.hinted(phrase);
        state.phrases.push(phrase.to_owned());
    }
}
