//! A server that transcribes one utterance at a time, by `POST …/audio/transcriptions` as OpenAI's
//! API has it and many local servers have taken over. When an utterance begins and ends is decided
//! by Hotline's own turn-taking; there are no words before its end.

mod answer;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response, Url, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::Setting;
use super::remote;
use super::remote::fault::{self, RemoteFault};
use super::remote::site::{Key, Reach, Site};
use super::remote::wire::{Inside, Order};
use crate::speech::rate::Converter;
use crate::speech::{
    Asked, Bell, RATE, Recogniser, Recognition, SpeechError, Told, Transcript, Works,
};
use crate::web;
use crate::words::Language;

/// What an admin can set about one transcription server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of its API, mostly ending in `/v1`; `/audio/transcriptions` is put behind it.
    pub url: String,
    /// The model it is to use.
    pub model: String,
    /// The language it is told; when empty, that of the list this is in. `auto` tells none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether words that fit the question are sent along as a prompt.
    #[serde(default = "remote::yes")]
    pub prompt: bool,
    /// The kind of answer: `verbose_json` tells how sure it is, where the server has it.
    #[serde(default)]
    pub response_format: Format,
    /// The sampling rate it is sent, 8000 or 16000 Hz.
    #[serde(default = "wideband")]
    pub rate: u32,
    /// A file whose first line is the key (a bearer token), read anew for each utterance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// A file with the certificate authorities to trust instead of the machine's, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether callers' voices may go to a public address without TLS.
    #[serde(default)]
    pub insecure: bool,
    /// Recognitions at once; a call has one, and two while its question changes.
    #[serde(default = "remote::most")]
    pub most: usize,
    /// How long a connection may take.
    #[serde(default = "remote::connect")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub connect: Duration,
    /// How long an answer may take; for more than 15 seconds of audio, so much longer as it is.
    #[serde(default = "remote::answer")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub answer: Duration,
}

/// The kind of answer that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The text alone; every server has it.
    #[default]
    Json,
    /// With how sure the server is of each part, as whisper servers have it.
    VerboseJson,
}

fn wideband() -> u32 {
    16_000
}

impl Settings {
    /// Returns the settings of a server and model with everything else as it is by default.
    pub fn of(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            language: None,
            prompt: true,
            response_format: Format::Json,
            rate: wideband(),
            key_file: None,
            ca_file: None,
            insecure: false,
            most: remote::MOST,
            connect: remote::CONNECT,
            answer: remote::ANSWER,
        }
    }

    pub(super) fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        self.key_file.iter_mut().chain(&mut self.ca_file).collect()
    }
}

/// Checks the settings. It does not reach for the server.
pub(super) fn open(
    settings: &Settings,
    language: Language,
    setting: &Setting,
) -> Result<Transcription, SpeechError> {
    let unfit = |field: &str, reason: &str| SpeechError::Unfit {
        setting: setting.field(field),
        reason: reason.to_owned(),
    };
    if settings.model.trim().is_empty() {
        return Err(unfit("model", "it is empty; name the model of the server"));
    }
    if ![8000, 16_000].contains(&settings.rate) {
        return Err(unfit("rate", "it is neither 8000 nor 16000"));
    }
    let site = Site::new(&Reach {
        engine: NAME,
        setting,
        url: settings.url.trim_end_matches('/'),
        schemes: ["http", "https"],
        key_file: settings.key_file.as_deref(),
        ca_file: settings.ca_file.as_deref(),
        insecure: settings.insecure,
        most: settings.most,
        connect: settings.connect,
        answer: settings.answer,
    })?;
    let told = match settings.language.as_deref() {
        None => Some(language.to_string()),
        Some("auto") => None,
        Some(other) => Some(other.to_owned()),
    };
    let client = site.client()?;
    Ok(Transcription {
        language,
        asking: Asking {
            site,
            client,
            settings: settings.clone(),
            language: told,
            used: Arc::default(),
        },
    })
}

pub(super) const NAME: &str = "transcription";

/// The longest prompt, in bytes: models of the whisper family look at some 224 tokens only.
const LONGEST_PROMPT: usize = 600;

/// The largest answer that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// How long an utterance may be before its answer may take longer than usual.
const USUAL: Duration = Duration::from_secs(15);

/// For how long after its last use a connection counts as open.
const WARM: Duration = Duration::from_secs(20);

/// The longest utterance, in samples.
const LONGEST: usize = 150 * RATE;

/// A transcription server.
pub(super) struct Transcription {
    language: Language,
    asking: Asking,
}

impl Recogniser for Transcription {
    fn name(&self) -> &str {
        NAME
    }

    fn language(&self) -> Language {
        self.language
    }

    fn works(&self) -> Works {
        Works::Elsewhere
    }

    fn open(&self, asked: &Asked, bell: Bell) -> Result<Box<dyn Recognition>, SpeechError> {
        let prompt = if self.asking.settings.prompt {
            remote::hinted(&asked.hints, LONGEST_PROMPT)
        } else {
            String::new()
        };
        let asking = self.asking.clone();
        self.asking
            .site
            .open(bell, |_, inside| serve(asking, prompt, inside))
    }
}

/// Takes utterances and tells what was said in each.
async fn serve(asking: Asking, prompt: String, mut inside: Inside) {
    // So that the caller's words do not wait for a connection.
    let warming = tokio::spawn(asking.clone().warm());
    let mut utterance = Utterance::new(asking.settings.rate);
    let mut said = VecDeque::new();
    loop {
        // One after the other, so that the words come in their order.
        let Some(complete) = said.pop_front() else {
            match inside.next().await {
                Some(order) => take(order, &mut utterance, &mut said, &inside),
                None => break,
            }
            continue;
        };
        let answer = asking.transcribe(complete, &prompt);
        tokio::pin!(answer);
        let outcome = loop {
            tokio::select! {
                outcome = &mut answer => break Some(outcome),
                order = inside.next() => match order {
                    Some(order) => take(order, &mut utterance, &mut said, &inside),
                    None => break None,
                },
            }
        };
        match outcome {
            Some(Ok(transcript)) => inside.tell(Told::Final(transcript)),
            Some(Err(error)) => {
                inside.fail(error);
                break;
            }
            None => break,
        }
    }
    warming.abort();
}

fn take(order: Order, utterance: &mut Utterance, said: &mut VecDeque<Utterance>, inside: &Inside) {
    match order {
        Order::Audio(samples) => {
            inside.sent(samples.len());
            utterance.push(&samples);
        }
        Order::Finish => {
            let next = Utterance::new(utterance.rate);
            said.push_back(std::mem::replace(utterance, next));
        }
        Order::Settle => {}
    }
}

/// What was said in one turn, brought to the rate wanted while it is said, so that nothing but the
/// header is to be made at its end.
struct Utterance {
    rate: u32,
    converter: Option<Converter>,
    /// Samples of the telephone.
    length: usize,
    /// Those of the file.
    bytes: Vec<u8>,
}

impl Utterance {
    fn new(rate: u32) -> Self {
        let converts = rate != RATE as u32;
        Self {
            rate,
            converter: if converts {
                Converter::new(RATE as u32, rate)
            } else {
                None
            },
            length: 0,
            bytes: Vec::new(),
        }
    }

    fn push(&mut self, samples: &[i16]) {
        let room = LONGEST.saturating_sub(self.length);
        let samples = &samples[..samples.len().min(room)];
        self.length += samples.len();
        self.convert(samples);
    }

    fn convert(&mut self, samples: &[i16]) {
        let converted = self.converter.as_mut().map(|it| it.push(samples));
        for sample in converted.as_deref().unwrap_or(samples) {
            self.bytes.extend(sample.to_le_bytes());
        }
    }

    /// Makes it a WAV file: 16 bit, mono.
    fn wav(mut self) -> Vec<u8> {
        if self.converter.is_some() {
            // What is still in the converter comes out behind some silence.
            self.convert(&[0; RATE / 25]);
        }
        self.bytes
            .truncate(2 * self.length * self.rate as usize / RATE);
        let length = self.bytes.len() as u32;
        let mut wav = Vec::with_capacity(44 + self.bytes.len());
        wav.extend(b"RIFF");
        wav.extend((36 + length).to_le_bytes());
        wav.extend(b"WAVEfmt ");
        wav.extend(16_u32.to_le_bytes());
        // PCM, one channel.
        wav.extend([1, 0, 1, 0]);
        wav.extend(self.rate.to_le_bytes());
        wav.extend((2 * self.rate).to_le_bytes());
        // Two bytes, 16 bits.
        wav.extend([2, 0, 16, 0]);
        wav.extend(b"data");
        wav.extend(length.to_le_bytes());
        wav.extend(self.bytes);
        wav
    }
}

#[derive(Clone)]
struct Asking {
    site: Site,
    client: Client,
    settings: Settings,
    /// The language that the server is told.
    language: Option<String>,
    /// When the server answered last.
    used: Arc<Mutex<Option<Instant>>>,
}

impl Asking {
    /// Opens a connection ahead, by asking for the list of models, where none was used lately.
    async fn warm(self) {
        if self.is_warm() {
            return;
        }
        let Ok(key) = self.site.key().await else {
            return;
        };
        let request = self.client.get(self.address("/models"));
        let asked = authorised(request, key.as_ref()).send();
        // Whatever it answers: the connection is there, and a fault shows when it matters.
        if let Ok(Ok(response)) = timeout(self.site.connect + self.site.answer, asked).await
            && body(response).await.is_ok()
        {
            self.note_use();
        }
    }

    fn is_warm(&self) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.is_some_and(|used| used.elapsed() < WARM)
    }

    fn note_use(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.site.url.clone();
        let whole = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&whole);
        url
    }

    async fn transcribe(&self, said: Utterance, prompt: &str) -> Result<Transcript, SpeechError> {
        if said.length == 0 {
            return Ok(Transcript::default());
        }
        let length = Duration::from_secs_f64(said.length as f64 / RATE as f64);
        let limit = self.site.connect + self.site.answer + length.saturating_sub(USUAL);
        let key = self.site.key().await?;
        let asked = self.ask(said, prompt, key.as_ref());
        let outcome = timeout(limit, asked)
            .await
            .unwrap_or(Err(RemoteFault::Silent(limit)));
        self.note_use();
        outcome.map_err(|fault| self.site.blame(fault))
    }

    async fn ask(
        &self,
        said: Utterance,
        prompt: &str,
        key: Option<&Key>,
    ) -> Result<Transcript, RemoteFault> {
        let file = Part::bytes(said.wav())
            .file_name("utterance.wav")
            .mime_str("audio/wav")
            .map_err(|error| RemoteFault::Garbage(error.to_string()))?;
        let format = match self.settings.response_format {
            Format::Json => "json",
            Format::VerboseJson => "verbose_json",
        };
        let mut form = Form::new()
            .text("model", self.settings.model.clone())
            .text("response_format", format)
            .text("temperature", "0");
        if let Some(language) = &self.language {
            form = form.text("language", language.clone());
        }
        if !prompt.is_empty() {
            form = form.text("prompt", prompt.to_owned());
        }
        let request = self
            .client
            .post(self.address("/audio/transcriptions"))
            .multipart(form.part("file", file));
        let response = authorised(request, key).send().await.map_err(|error| {
            if error.is_connect() || error.is_request() {
                match RemoteFault::connecting(&error, String::new()) {
                    RemoteFault::Unreachable(_) => RemoteFault::Unreachable(web::reason(error)),
                    untrusted => untrusted,
                }
            } else {
                RemoteFault::Closed {
                    code: None,
                    said: web::reason(error),
                }
            }
        })?;
        let status = response.status();
        let is_page = response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let text = body(response).await?;
        let is_page = is_page || fault::is_html(&text);
        if !status.is_success() {
            let said = if is_page {
                String::new()
            } else {
                answer::refusal(&text)
            };
            let said = key.map_or(said.clone(), |key| key.hidden_in(&said));
            return Err(RemoteFault::Status {
                status: status.as_u16(),
                said,
            });
        }
        if is_page {
            return Err(RemoteFault::Html);
        }
        answer::read(&text)
    }
}

fn authorised(request: reqwest::RequestBuilder, key: Option<&Key>) -> reqwest::RequestBuilder {
    match key {
        Some(key) => request.bearer_auth(key.secret()),
        None => request,
    }
}

/// Reads an answer, if it is not too large.
async fn body(mut response: Response) -> Result<String, RemoteFault> {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > LARGEST => {
                return Err(RemoteFault::Garbage(format!("more than {LARGEST} bytes")));
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                return Err(RemoteFault::Closed {
                    code: None,
                    said: web::reason(error),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_utterance_becomes_a_wav_of_the_rate_wanted_and_of_its_length() {
        for rate in [8000, 16_000] {
            let mut utterance = Utterance::new(rate);
            utterance.push(&[500; 800]);
            utterance.push(&[500; 1]);
            let wav = std::io::Cursor::new(utterance.wav());
            let mut reader = hound::WavReader::new(wav).unwrap();
            assert_eq!(reader.spec().sample_rate, rate);
            assert_eq!(reader.spec().channels, 1);
            assert_eq!(reader.len(), 801 * rate / 8000);
            assert!(reader.samples::<i16>().all(|sample| sample.is_ok()));
        }
    }
}
