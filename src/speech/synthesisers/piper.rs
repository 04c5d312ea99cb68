//! Piper's HTTP server: one request gives the WAV of a whole text. Its releases differ in where
//! the request goes; which it is, is found out with the first request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{RequestBuilder, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::pcm::Reader;
use super::super::recognisers::Setting;
use super::super::{Speech, SpeechError, Synthesiser};
use super::remote::{Incoming, Sentences, Server, WholeTexts};
use crate::words::Language;

/// What can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the server is, such as `http://127.0.0.1:5000`.
    pub url: String,
    /// The voice, such as `da_DK-talesyntese-medium`; the server's own when left out. Piper speaks
    /// with its own when it has no such voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    /// The speaker's name, of a voice that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// The speaker's number, instead of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker_id: Option<u32>,
    /// How long sounds last: more than 1 is slower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_scale: Option<f32>,
    /// How long a caller waits for its first audio before the next voice is asked.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
    )]
    #[schemars(with = "Option<String>")]
    pub first_audio: Option<Duration>,
}

/// Where releases of Piper take a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// JSON to `/synthesize`, as newer ones have it.
    Synthesize,
    /// JSON to `/`, as those with voices by name had it first.
    Root,
    /// The bare text to `/`, as those before them.
    Text,
}

const WAYS: [Way; 3] = [Way::Synthesize, Way::Root, Way::Text];

/// A Piper and one of its voices.
#[derive(Clone)]
pub(super) struct Piper(Arc<Voice>);

struct Voice {
    server: Server,
    settings: Settings,
    language: Language,
    name: String,
    /// The place in [`WAYS`] of the one that worked last.
    way: AtomicU8,
}

impl Piper {
    pub(super) fn open(
        settings: &Settings,
        language: Language,
        setting: &Setting,
    ) -> Result<Self, SpeechError> {
        if let Some(scale) = settings.length_scale
            && !(0.2..=5.0).contains(&scale)
        {
            return Err(SpeechError::Setting {
                setting: setting.field("length_scale"),
                reason: format!("{scale} is not between 0.2 (fast) and 5 (slow)"),
            });
        }
        let number = settings.speaker_id.map(|it| it.to_string());
        Ok(Self(Arc::new(Voice {
            server: Server::new("piper", &settings.url, setting)?,
            name: format!(
                "piper {} {} {} {}",
                settings.url,
                settings.voice.as_deref().unwrap_or_default(),
                number.or(settings.speaker.clone()).unwrap_or_default(),
                settings.length_scale.unwrap_or(1.0),
            ),
            settings: settings.clone(),
            language,
            way: AtomicU8::new(0),
        })))
    }

    fn request(&self, way: Way, text: &str) -> RequestBuilder {
        let Voice {
            server, settings, ..
        } = &*self.0;
        let client = server.client();
        let url = server.at(if way == Way::Synthesize {
            "synthesize"
        } else {
            ""
        });
        if way == Way::Text {
            return client
                .post(url)
                .header("Content-Type", "text/plain; charset=utf-8")
                .body(text.to_owned());
        }
        let mut body = json!({ "text": text });
        if let Some(voice) = &settings.voice {
            body["voice"] = json!(voice);
        }
        if let Some(speaker) = &settings.speaker {
            body["speaker"] = json!(speaker);
        }
        if let Some(speaker) = settings.speaker_id {
            body["speaker_id"] = json!(speaker);
        }
        if let Some(scale) = settings.length_scale {
            body["length_scale"] = json!(scale);
        }
        client.post(url).json(&body)
    }

    /// Tells how a server without `/synthesize` takes texts: those that take JSON list their voices.
    async fn older_way(&self) -> Result<Way, SpeechError> {
        let server = &self.0.server;
        let answer = server
            .send(server.client().get(server.at("voices")))
            .await?;
        Ok(match answer.status() {
            StatusCode::OK => Way::Root,
            _ => Way::Text,
        })
    }
}

#[async_trait]
impl WholeTexts for Piper {
    async fn ask(&self, text: &str) -> Result<Incoming, SpeechError> {
        let server = &self.0.server;
        let known = self.0.way.load(Ordering::Relaxed);
        let mut way = WAYS[usize::from(known) % WAYS.len()];
        let mut answer = server.send(self.request(way, text)).await?;
        let elsewhere = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
        if elsewhere.contains(&answer.status()) {
            way = match way {
                Way::Synthesize => self.older_way().await?,
                // It was replaced by a newer one.
                Way::Root | Way::Text => Way::Synthesize,
            };
            answer = server.send(self.request(way, text)).await?;
        }
        if answer.status() == StatusCode::OK {
            self.0.way.store(way as u8, Ordering::Relaxed);
        }
        // Its audio comes as `text/html`, so that the kind it names says nothing.
        server.audio(answer, Reader::wav()).await
    }
}

#[async_trait]
impl Synthesiser for Piper {
    fn language(&self) -> Language {
        self.0.language
    }

    fn voice(&self) -> &str {
        &self.0.name
    }

    async fn speak(&self, text: &str) -> Result<Box<dyn Speech>, SpeechError> {
        Ok(Box::new(Sentences::begin(self.clone(), text).await?))
    }
}
