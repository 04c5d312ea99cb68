//! A server that transcribes while the caller speaks, over a WebSocket: OpenAI's realtime
//! transcription sessions and what follows them, or vLLM's variant of it. Where a turn ends is
//! decided by Hotline's own turn-taking, so the server's is switched off.
//!
//! The protocols are those of OpenAI's guide "Realtime transcription" (session.update, append,
//! commit, delta, completed) and of vLLM's page "Realtime API" (version 0.22).

mod audio;
mod openai;
mod vllm;

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Setting;
use super::remote;
use super::remote::fault::{self, RemoteFault};
use super::remote::site::{Reach, Site};
use super::remote::stream;
pub use audio::AudioFormat;

use crate::speech::{Asked, Bell, Recogniser, Recognition, SpeechError, Works};
use crate::words::Language;

/// What an admin can set about one realtime server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its whole address, such as `wss://api.openai.com/v1/realtime?intent=transcription`.
    pub url: String,
    /// The model it is to use.
    pub model: String,
    /// Whose protocol it speaks.
    #[serde(default)]
    pub dialect: Dialect,
    /// How it is sent audio; when empty, `pcmu` for OpenAI's protocol and `pcm16_16k` for vLLM's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioFormat>,
    /// The language it is told; when empty, that of the list this is in. `auto` tells none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether words that fit the question are sent along as a prompt.
    #[serde(default)]
    pub prompt: bool,
    /// Further fields for the `transcription` part of the session, such as `delay`; null leaves one
    /// out that is there by default.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub transcription: Map<String, Value>,
    /// What the events are called that tell words.
    #[serde(default)]
    pub events: Events,
    /// A file whose first line is the key (a bearer token), read anew at each connection.
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
    /// How long a connection, with the agreement about the session, may take.
    #[serde(default = "remote::connect")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub connect: Duration,
    /// How long an answer may take.
    #[serde(default = "remote::answer")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub answer: Duration,
}

/// Whose protocol it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI's transcription sessions.
    #[default]
    Openai,
    /// vLLM's `/v1/realtime`.
    Vllm,
}

/// The names of events; when empty, those of the dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// More words of a turn in progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<String>,
    /// All words of a turn that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<String>,
    /// A turn could not be transcribed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Settings {
    /// Returns the settings of a server and model with everything else as it is by default.
    pub fn of(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            dialect: Dialect::Openai,
            audio: None,
            language: None,
            prompt: false,
            transcription: Map::new(),
            events: Events::default(),
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

    fn audio(&self) -> AudioFormat {
        self.audio.unwrap_or(match self.dialect {
            Dialect::Openai => AudioFormat::Pcmu,
            Dialect::Vllm => AudioFormat::Pcm16At16k,
        })
    }
}

/// Checks the settings. It does not reach for the server.
pub(super) fn open(
    settings: &Settings,
    language: Language,
    setting: &Setting,
) -> Result<Realtime, SpeechError> {
    let unfit = |field: &str, reason: &str| SpeechError::Unfit {
        setting: setting.field(field),
        reason: reason.to_owned(),
    };
    if settings.model.trim().is_empty() {
        return Err(unfit("model", "it is empty; name the model of the server"));
    }
    if settings.dialect == Dialect::Vllm && settings.audio() != AudioFormat::Pcm16At16k {
        return Err(unfit("audio", "vLLM takes pcm16_16k alone"));
    }
    let site = Site::new(&Reach {
        engine: NAME,
        setting,
        url: &settings.url,
        schemes: ["ws", "wss"],
        key_file: settings.key_file.as_deref(),
        ca_file: settings.ca_file.as_deref(),
        insecure: settings.insecure,
        most: settings.most,
        connect: settings.connect,
        answer: settings.answer,
    })?;
    Ok(Realtime {
        site,
        language,
        settings: settings.clone(),
    })
}

pub(super) const NAME: &str = "realtime";

/// The longest prompt, in bytes.
const LONGEST_PROMPT: usize = 600;

/// A realtime server.
pub(super) struct Realtime {
    site: Site,
    language: Language,
    settings: Settings,
}

impl Recogniser for Realtime {
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
        let settings = &self.settings;
        match settings.dialect {
            Dialect::Openai => {
                let update = update(settings, self.language, &asked.hints);
                let talk = openai::Talk::new(update, settings.audio(), &settings.events);
                self.site
                    .open(bell, |site, inside| stream::run(site, talk, inside))
            }
            Dialect::Vllm => {
                let talk = vllm::Talk::new(&settings.model, &settings.events);
                self.site
                    .open(bell, |site, inside| stream::run(site, talk, inside))
            }
        }
    }
}

/// Makes the message that sets up a session of OpenAI's kind.
fn update(settings: &Settings, language: Language, hints: &[String]) -> Value {
    let mut transcription = Map::new();
    transcription.insert("model".to_owned(), json!(settings.model));
    match settings.language.as_deref() {
        None => drop(transcription.insert("language".to_owned(), json!(language.code()))),
        Some("auto") => {}
        Some(other) => drop(transcription.insert("language".to_owned(), json!(other))),
    }
    let prompt = remote::hinted(hints, LONGEST_PROMPT);
    if settings.prompt && !prompt.is_empty() {
        transcription.insert("prompt".to_owned(), json!(prompt));
    }
    transcription.extend(settings.transcription.clone());
    transcription.retain(|_, value| !value.is_null());
    json!({
        "type": "session.update",
        "session": {
            "type": "transcription",
            "audio": { "input": {
                "format": settings.audio().described(),
                "transcription": transcription,
                "turn_detection": null,
            } },
        },
    })
}

/// Reads an event.
///
/// # Errors
/// When it is none, or one that tells of an error.
fn event(text: &str) -> Result<(String, Value), RemoteFault> {
    if fault::is_html(text) {
        return Err(RemoteFault::Html);
    }
    let garbage = || RemoteFault::Garbage(fault::outline(text));
    let event: Value = serde_json::from_str(text).map_err(|_| garbage())?;
    let kind = event["type"].as_str().ok_or_else(garbage)?.to_owned();
    if kind == "error" {
        return Err(refusal(&event));
    }
    Ok((kind, event))
}

/// Finds the words in an event that tells of an error.
fn refusal(event: &Value) -> RemoteFault {
    let error = &event["error"];
    let said = error["message"]
        .as_str()
        .or(error.as_str())
        .unwrap_or("an error without words");
    let code = error["code"].as_str().or(event["code"].as_str());
    RemoteFault::Said(fault::line(&match code {
        Some(code) => format!("{said} ({code})"),
        None => said.to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_set_up_as_the_settings_say() {
        let mut settings =
            Settings::of("wss://engine/v1/realtime?intent=transcription", "whisper-1");
        let hints = ["ja".to_owned(), "nej".to_owned()];
        insta::assert_snapshot!(update(&settings, Language::DA, &hints), @r#"{"session":{"audio":{"input":{"format":{"type":"audio/pcmu"},"transcription":{"language":"da","model":"whisper-1"},"turn_detection":null}},"type":"transcription"},"type":"session.update"}"#);
        settings.prompt = true;
        settings.language = Some("auto".to_owned());
        settings.audio = Some(AudioFormat::Pcm16At24k);
        settings
            .transcription
            .insert("delay".to_owned(), json!("low"));
        insta::assert_snapshot!(update(&settings, Language::DA, &hints), @r#"{"session":{"audio":{"input":{"format":{"rate":24000,"type":"audio/pcm"},"transcription":{"delay":"low","model":"whisper-1","prompt":"ja, nej"},"turn_detection":null}},"type":"transcription"},"type":"session.update"}"#);
    }

    #[test]
    fn errors_of_both_dialects_are_told_in_their_own_words() {
        let said = |text: &str| event(text).unwrap_err().to_string();
        insta::assert_snapshot!(said(r#"{"type":"error","error":{"type":"invalid_request_error","code":"invalid_value","message":"no such model","param":"session.model"}}"#), @"says: no such model (invalid_value)");
        insta::assert_snapshot!(said(r#"{"type":"error","error":"Invalid audio data","code":"invalid_audio"}"#), @"says: Invalid audio data (invalid_audio)");
        insta::assert_snapshot!(said(r#"{"typ":1}"#), @"answers what is not of its protocol: 9 bytes of JSON with typ");
        assert_eq!(event("<!doctype html>").unwrap_err(), RemoteFault::Html);
    }
}
