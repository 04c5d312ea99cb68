//! Realtime transcription, as OpenAI's guide and vLLM's pages describe it.

use std::time::Instant;

use anyhow::Result;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Fault, Hearing, House, Socket, Word, cut, send};
use crate::g711;

/// Messages of audio after which a process that is to die is dead.
const UNTIL_DEATH: usize = 2;

/// Whose protocol a realtime server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's transcription sessions.
    Openai,
    /// vLLM's.
    Vllm,
}

/// How audio comes in.
#[derive(Clone, Copy)]
enum Audio {
    Pcmu,
    /// 16 bit, so many times 8 kHz.
    Pcm(usize),
}

impl Audio {
    fn described(format: &Value) -> Option<Self> {
        match (format["type"].as_str()?, format["rate"].as_u64()) {
            ("audio/pcmu", None) => Some(Self::Pcmu),
            ("audio/pcm", Some(24_000)) => Some(Self::Pcm(3)),
            _ => None,
        }
    }

    /// Returns samples of 8 kHz.
    fn samples(self, bytes: &[u8]) -> Vec<i16> {
        match self {
            Self::Pcmu => bytes.iter().map(|&byte| g711::from_ulaw(byte)).collect(),
            Self::Pcm(times) => bytes
                .as_chunks::<2>()
                .0
                .iter()
                .step_by(times)
                .map(|pair| i16::from_le_bytes(*pair))
                .collect(),
        }
    }
}

fn text(words: &[Word]) -> String {
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let mut text = words.join(" ");
    if let Some(first) = text.get(..1) {
        text = format!("{}{}.", first.to_uppercase(), &text[1..]);
    }
    text
}

fn audio(event: &Value, house: &House) -> Vec<u8> {
    match event["audio"].as_str().map(decode_base64) {
        Some(Some(bytes)) if !bytes.is_empty() => bytes,
        _ => {
            house.complain("audio that is no base64, or empty");
            Vec::new()
        }
    }
}

/// Decodes base64 with padding.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let padding = bytes.iter().rev().take_while(|&&byte| byte == b'=').count();
    let mut decoded = Vec::with_capacity(bytes.len() / 4 * 3);
    for four in bytes[..bytes.len() - padding].chunks(4) {
        let mut bits = 0_u32;
        for &byte in four {
            bits = bits << 6 | u32::from(value(byte)?);
        }
        bits <<= 6 * (4 - four.len());
        decoded.extend(&bits.to_be_bytes()[1..four.len()]);
    }
    Some(decoded)
}

async fn error(socket: &mut Socket, house: &House, message: &str) -> Result<()> {
    house.complain(message);
    let event = json!({ "type": "error", "event_id": "event_e", "error": { "type": "invalid_request_error", "code": "invalid_value", "message": message } });
    send(socket, event.to_string()).await
}

/// Returns the next event that a client sends.
async fn next(socket: &mut Socket, house: &House) -> Result<Option<Value>> {
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) => return Ok(Some(serde_json::from_str(&text)?)),
            Message::Binary(_) => house.complain("a binary message"),
            Message::Close(_) => return Ok(None),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
    Ok(None)
}

pub(super) async fn attend_openai(mut socket: Socket, house: &House, model: &str) -> Result<()> {
    let created = json!({ "type": "session.created", "event_id": "event_0", "session": { "type": "transcription", "object": "realtime.transcription_session" } });
    send(&mut socket, created.to_string()).await?;
    let mut session: Option<(Audio, Box<dyn Hearing>)> = None;
    let (mut item, mut samples, mut pieces, mut told) = (0, 0, 0, String::new());
    while let Some(event) = next(&mut socket, house).await? {
        let name = format!("item_{item}");
        match (event["type"].as_str().unwrap_or_default(), &mut session) {
            ("session.update", session) => {
                let asked = &event["session"];
                let input = &asked["audio"]["input"];
                let wanted = &input["transcription"];
                let format = Audio::described(&input["format"]);
                let fits = asked["type"] == "transcription"
                    && wanted["model"] == model
                    && input.get("turn_detection") == Some(&Value::Null)
                    && session.is_none();
                let Some(format) = format.filter(|_| fits) else {
                    error(&mut socket, house, &format!("a session of {asked}")).await?;
                    continue;
                };
                let prompt = wanted["prompt"].as_str().unwrap_or_default();
                if !prompt.is_empty() {
                    house.hinted(prompt);
                }
                let phrases: Vec<String> = prompt
                    .split(", ")
                    .filter(|it| !it.is_empty())
                    .map(str::to_owned)
                    .collect();
                *session = Some((format, (house.mind)(&phrases)));
                let updated =
                    json!({ "type": "session.updated", "event_id": "event_1", "session": asked });
                send(&mut socket, updated.to_string()).await?;
            }
            ("input_audio_buffer.append", Some((format, hearing))) => {
                pieces += 1;
                if let fault @ (Fault::Drop | Fault::Reset) = house.fault()
                    && pieces > UNTIL_DEATH
                {
                    cut(socket, fault);
                    return Ok(());
                }
                let heard = format.samples(&audio(&event, house));
                samples += heard.len();
                let partial = hearing.hear(&heard);
                if let Some(delta) = partial.strip_prefix(&told)
                    && !delta.is_empty()
                {
                    let delta = json!({ "type": "conversation.item.input_audio_transcription.delta", "event_id": "event_d", "item_id": name, "content_index": 0, "delta": delta });
                    send(&mut socket, delta.to_string()).await?;
                    told = partial;
                }
            }
            ("input_audio_buffer.commit", Some((_, hearing))) => {
                let asked = Instant::now();
                if samples < 800 {
                    error(
                        &mut socket,
                        house,
                        "buffer too small. Expected at least 100ms of audio",
                    )
                    .await?;
                    continue;
                }
                let committed = json!({ "type": "input_audio_buffer.committed", "event_id": "event_c", "previous_item_id": null, "item_id": name });
                send(&mut socket, committed.to_string()).await?;
                if !house.may_answer().await {
                    continue;
                }
                let words = hearing.end();
                let completed = match house.fault() {
                    Fault::Garbage => json!(["hello"]),
                    _ => {
                        json!({ "type": "conversation.item.input_audio_transcription.completed", "event_id": "event_f", "item_id": name, "content_index": 0, "transcript": text(&words) })
                    }
                };
                send(&mut socket, completed.to_string()).await?;
                house.answered(asked);
                (item, samples) = (item + 1, 0);
                told.clear();
            }
            (kind, _) => {
                let kind = kind.to_owned();
                error(&mut socket, house, &format!("{kind:?} at this point")).await?;
            }
        }
    }
    Ok(())
}

pub(super) async fn attend_vllm(mut socket: Socket, house: &House, model: &str) -> Result<()> {
    send(
        &mut socket,
        json!({ "type": "session.created", "id": "sess-1", "created": 1 }).to_string(),
    )
    .await?;
    let (mut validated, mut hearing, mut pieces, mut told) =
        (false, None::<Box<dyn Hearing>>, 0, String::new());
    while let Some(event) = next(&mut socket, house).await? {
        let is_final = event["final"] == true;
        match (event["type"].as_str().unwrap_or_default(), &mut hearing) {
            ("session.update", None) if event["model"] == model => validated = true,
            ("input_audio_buffer.commit", none @ None) if validated && !is_final => {
                *none = Some((house.mind)(&[]));
            }
            ("input_audio_buffer.append", Some(hearing)) => {
                pieces += 1;
                if let fault @ (Fault::Drop | Fault::Reset) = house.fault()
                    && pieces > UNTIL_DEATH
                {
                    cut(socket, fault);
                    return Ok(());
                }
                let partial = hearing.hear(&Audio::Pcm(2).samples(&audio(&event, house)));
                if let Some(delta) = partial.strip_prefix(&told)
                    && !delta.is_empty()
                {
                    let delta = json!({ "type": "transcription.delta", "delta": delta });
                    send(&mut socket, delta.to_string()).await?;
                    told = partial;
                }
            }
            ("input_audio_buffer.commit", Some(some)) if is_final => {
                let asked = Instant::now();
                if !house.may_answer().await {
                    continue;
                }
                let words = some.end();
                let done = match house.fault() {
                    Fault::Garbage => json!({ "type": "transcription.done" }),
                    _ => {
                        json!({ "type": "transcription.done", "text": text(&words), "usage": null })
                    }
                };
                send(&mut socket, done.to_string()).await?;
                house.answered(asked);
                hearing = None;
                told.clear();
            }
            (kind, _) => {
                let message = format!("{kind:?} at this point");
                house.complain(&message);
                let event =
                    json!({ "type": "error", "error": message, "code": "processing_error" });
                send(&mut socket, event.to_string()).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_as_others_encode_it() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("TQ==", b"M"),
            ("TWE=", b"Ma"),
            ("TWFu", b"Man"),
            ("/+8=", &[0xff, 0xef]),
        ] {
            assert_eq!(decode_base64(text).as_deref(), Some(bytes));
        }
        assert_eq!(decode_base64("TWF"), None);
        assert_eq!(decode_base64("TW u"), None);
    }
}
