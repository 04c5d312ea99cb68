//! Transcription by utterance, as OpenAI's API has it.

use std::io::Cursor;
use std::time::Instant;

use anyhow::Result;
use serde_json::json;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::http::{self, Request};
use super::{Fault, House, Word};

pub(super) async fn attend(stream: TcpStream, house: &House, model: &str) -> Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(request) = http::read(&mut reader).await? {
        let asked = Instant::now();
        if request.path == "/v1/audio/transcriptions" {
            match house.fault() {
                // The request has come, the answer does not.
                Fault::Drop => return Ok(()),
                Fault::Reset => {
                    let stream = reader.into_inner().reunite(writer)?;
                    stream.set_zero_linger()?;
                    return Ok(());
                }
                _ => {}
            }
        }
        let Some(answer) = answer(&request, house, model).await else {
            std::future::pending::<()>().await;
            return Ok(());
        };
        writer.write_all(&answer).await?;
        if request.method == "POST" {
            house.answered(asked);
        }
    }
    Ok(())
}

async fn answer(request: &Request, house: &House, model: &str) -> Option<Vec<u8>> {
    if let fault @ (Fault::Html | Fault::Status(_)) = house.fault() {
        return Some(http::refusal(fault));
    }
    let refuse = |status: u16, message: &str| {
        let body = json!({ "error": { "message": message, "type": "invalid_request_error" } });
        http::answer(status, "application/json", &body.to_string())
    };
    let shown = request.header("authorization");
    if !house.check_key(shown) {
        // Some servers repeat what they were shown.
        let key = shown.unwrap_or_default().trim_start_matches("Bearer ");
        return Some(refuse(401, &format!("Incorrect API key: {key}")));
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v1/models") => {
            let models = json!({ "object": "list", "data": [{ "id": model, "object": "model" }] });
            Some(http::answer(200, "application/json", &models.to_string()))
        }
        ("POST", "/v1/audio/transcriptions") => {
            let words = match words(request, house, model) {
                Ok((words, verbose)) => (words, verbose),
                Err(complaint) => {
                    let complaint = format!("{complaint:#}");
                    house.complain(&complaint);
                    return Some(refuse(400, &complaint));
                }
            };
            if !house.may_answer().await {
                return None;
            }
            let body = match house.fault() {
                Fault::Garbage => "{\"txt\": \"ja\"}".to_owned(),
                _ => said(&words.0, words.1),
            };
            Some(http::answer(200, "application/json", &body))
        }
        (method, path) => {
            house.complain(format!("{method} {path}"));
            Some(refuse(404, "Not Found"))
        }
    }
}

/// Writes words as people write: with capitals and a full stop.
fn said(words: &[Word], verbose: bool) -> String {
    let spoken: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let mut text = spoken.join(" ");
    if let Some(first) = text.get(..1) {
        text = format!("{}{}.", first.to_uppercase(), &text[1..]);
    }
    if !verbose {
        return json!({ "text": text }).to_string();
    }
    let sure = words.iter().map(|word| word.sure).sum::<f32>() / words.len().max(1) as f32;
    json!({
        "task": "transcribe",
        "text": text,
        "segments": [{ "id": 0, "start": 0.0, "end": 1.0, "text": text, "avg_logprob": sure.ln(), "no_speech_prob": 0.01 }],
    })
    .to_string()
}

/// Takes the form apart and hears what is in the file; tells whether a wordy answer is wanted.
fn words(request: &Request, house: &House, model: &str) -> Result<(Vec<Word>, bool)> {
    let mut verbose = false;
    let mut file = None;
    let mut phrases = Vec::new();
    let (mut has_model, mut seen) = (false, Vec::new());
    for part in http::form(request)? {
        anyhow::ensure!(!seen.contains(&part.name), "{} came twice", part.name);
        seen.push(part.name.clone());
        if part.name == "file" {
            let name = part.file.as_deref().unwrap_or_default();
            anyhow::ensure!(name.ends_with(".wav"), "the file is called {name:?}");
            let kind = part.kind.as_deref().unwrap_or_default();
            anyhow::ensure!(kind == "audio/wav", "the file is of type {kind:?}");
            file = Some(part.bytes);
            continue;
        }
        let value = String::from_utf8(part.bytes)?;
        let fits = match part.name.as_str() {
            "model" => {
                has_model = true;
                value == model
            }
            "language" => value.len() == 2,
            "prompt" => {
                house.hinted(&value);
                phrases.extend(value.split(", ").map(str::to_owned));
                !value.is_empty()
            }
            "response_format" => {
                verbose = value == "verbose_json";
                verbose || value == "json"
            }
            "temperature" => value
                .parse::<f32>()
                .is_ok_and(|it| (0.0..=1.0).contains(&it)),
            _ => false,
        };
        anyhow::ensure!(fits, "the field {} is {value:?}", part.name);
    }
    anyhow::ensure!(has_model, "no model is named");
    let file = file.ok_or_else(|| anyhow::anyhow!("there is no file"))?;
    let mut reader = hound::WavReader::new(Cursor::new(file))?;
    let spec = reader.spec();
    anyhow::ensure!(
        spec.channels == 1 && spec.bits_per_sample == 16 && spec.sample_rate == 16_000,
        "the file is {spec:?}"
    );
    let wide: Vec<i16> = reader.samples().collect::<Result<_, _>>()?;
    // Good enough for what was telephone audio before.
    let narrow: Vec<i16> = wide.iter().step_by(2).copied().collect();
    let mut hearing = (house.mind)(&phrases);
    hearing.hear(&narrow);
    Ok((hearing.end(), verbose))
}
