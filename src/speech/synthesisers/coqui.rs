//! Coqui's `tts-server`: one request to `/api/tts` gives the WAV of a whole text.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::pcm::Reader;
use super::super::recognisers::Setting;
use super::super::{Speech, SpeechError, Synthesiser};
use super::remote::{Incoming, Sentences, Server, WholeTexts};
use crate::words::Language;

/// What can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the server is, such as `http://127.0.0.1:5002`.
    pub url: String,
    /// The speaker, of a model that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// The language, of a model that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How long a caller waits for its first audio before the next voice is asked.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
    )]
    #[schemars(with = "Option<String>")]
    pub first_audio: Option<Duration>,
}

/// A `tts-server` and one of its voices.
#[derive(Clone)]
pub(super) struct Coqui(Arc<Voice>);

struct Voice {
    server: Server,
    settings: Settings,
    language: Language,
    name: String,
}

impl Coqui {
    pub(super) fn open(
        settings: &Settings,
        language: Language,
        setting: &Setting,
    ) -> Result<Self, SpeechError> {
        let chosen = |it: &Option<String>| it.clone().unwrap_or_default();
        Ok(Self(Arc::new(Voice {
            server: Server::new("coqui", &settings.url, setting)?,
            name: format!(
                "coqui {} {} {}",
                settings.url,
                chosen(&settings.speaker),
                chosen(&settings.language)
            ),
            settings: settings.clone(),
            language,
        })))
    }
}

#[async_trait]
impl WholeTexts for Coqui {
    async fn ask(&self, text: &str) -> Result<Incoming, SpeechError> {
        let Voice {
            server, settings, ..
        } = &*self.0;
        let mut url = server.at("api/tts");
        url.query_pairs_mut().append_pair("text", text);
        for (name, value) in [
            ("speaker_id", &settings.speaker),
            ("language_id", &settings.language),
        ] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let answer = server.send(server.client().get(url)).await?;
        server.audio(answer, Reader::wav()).await
    }
}

#[async_trait]
impl Synthesiser for Coqui {
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
