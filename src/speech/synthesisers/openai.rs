//! A server with OpenAI's speech protocol: `POST /audio/speech` below its address, which sends
//! audio while it makes it.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::pcm::Reader;
use super::super::recognisers::Setting;
use super::super::{Speech, SpeechError, Synthesiser};
use super::remote::{Server, key};
use crate::words::Language;

/// What can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the server is, with its version, such as `http://127.0.0.1:8880/v1`.
    pub url: String,
    /// The model.
    pub model: String,
    /// The voice.
    pub voice: String,
    /// The file with the key, where the server wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// How the audio is sent; `pcm` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The rate of `pcm` in Hz, which it does not tell by itself; 24000 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// How fast to speak: more than 1 is faster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<f32>,
    /// How to speak, of a model that is told in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// How long a caller waits for its first audio before the next voice is asked.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
    )]
    #[schemars(with = "Option<String>")]
    pub first_audio: Option<Duration>,
}

/// How audio is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Bare samples of 16 bit.
    #[default]
    Pcm,
    /// A WAV, which tells its rate.
    Wav,
}

/// Such a server and one of its voices.
pub(super) struct OpenAi {
    server: Server,
    settings: Settings,
    key: Option<String>,
    language: Language,
    name: String,
}

impl OpenAi {
    pub(super) fn open(
        settings: &Settings,
        language: Language,
        setting: &Setting,
    ) -> Result<Self, SpeechError> {
        let wrong = |field: &str, reason: String| SpeechError::Setting {
            setting: setting.field(field),
            reason,
        };
        if let Some(speed) = settings.speed
            && !(0.25..=4.0).contains(&speed)
        {
            let reason = format!("{speed} is not between 0.25 (slow) and 4 (fast)");
            return Err(wrong("speed", reason));
        }
        let engine = Self {
            server: Server::new("openai", &settings.url, setting)?,
            key: key(settings.key_file.as_deref(), setting)?,
            name: format!(
                "openai {} {} {} {} {}",
                settings.url,
                settings.model,
                settings.voice,
                settings.speed.unwrap_or(1.0),
                settings.instructions.as_deref().unwrap_or_default(),
            ),
            settings: settings.clone(),
            language,
        };
        match engine.reader() {
            Ok(_) => Ok(engine),
            Err(reason) => Err(wrong("rate", reason)),
        }
    }

    fn reader(&self) -> Result<Reader, String> {
        match self.settings.format.unwrap_or_default() {
            Format::Wav => Ok(Reader::wav()),
            Format::Pcm => Reader::bare(self.settings.rate.unwrap_or(24_000)),
        }
    }
}

#[async_trait]
impl Synthesiser for OpenAi {
    fn language(&self) -> Language {
        self.language
    }

    fn voice(&self) -> &str {
        &self.name
    }

    async fn speak(&self, text: &str) -> Result<Box<dyn Speech>, SpeechError> {
        let settings = &self.settings;
        let format = settings.format.unwrap_or_default();
        let mut body = json!({
            "model": settings.model,
            "voice": settings.voice,
            "input": text,
            "response_format": format,
        });
        if let Some(speed) = settings.speed {
            body["speed"] = json!(speed);
        }
        if let Some(instructions) = &settings.instructions {
            body["instructions"] = json!(instructions);
        }
        let url = self.server.at("audio/speech");
        let mut request = self.server.client().post(url).json(&body);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let answer = self.server.send(request).await?;
        let kind = answer.headers().get(CONTENT_TYPE).cloned();
        let kind = kind
            .as_ref()
            .and_then(|it| it.to_str().ok())
            .unwrap_or_default();
        let good = answer.status().is_success();
        let reader = match format {
            // Some servers know no bare samples and send a WAV all the same.
            Format::Pcm if good && kind.contains("wav") => Ok(Reader::wav()),
            // Bare samples cannot be told from something else, which would be noise in an ear.
            Format::Pcm if good && !may_be_bare(kind) => {
                let hint = "try `format: wav` beside it";
                return Err(self
                    .server
                    .fault(format!("it sends {kind} and no pcm; {hint}")));
            }
            Format::Pcm | Format::Wav => self.reader(),
        };
        let reader = reader.map_err(|reason| self.server.fault(reason))?;
        Ok(Box::new(self.server.audio(answer, reader).await?))
    }
}

/// Tells whether what is named so may be bare samples; many servers name them oddly.
fn may_be_bare(kind: &str) -> bool {
    let others = [
        "text/",
        "application/json",
        "audio/mp",
        "audio/aac",
        "audio/ogg",
        "audio/flac",
    ];
    !others.iter().any(|other| kind.starts_with(other))
}
