//! A vosk-server, which is reached by its WebSocket. It has one model, and so one language; the
//! protocol is that of `websocket/asr_server.py` of the project of that name: raw samples in binary
//! messages, exactly one answer in JSON to each of them.
//!
//! One connection serves one question: what is hinted can only be said before the first audio.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::Setting;
use super::remote::fault::{self, RemoteFault};
use super::remote::site::{Reach, Site};
use super::remote::stream::{self, Protocol};
use super::remote::{self, UNTOLD};
use crate::speech::{
    Asked, Bell, RATE, Recogniser, Recognition, SpeechError, Told, Transcript, Word, Works,
};
use crate::words::Language;

/// What an admin can set about one vosk-server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where it is, such as `ws://127.0.0.1:2700`.
    pub url: String,
    /// Whether it takes a message with the sampling rate before the audio. The server in C++ does
    /// not, and must be started for 8000 Hz.
    #[serde(default = "remote::yes")]
    pub send_config: bool,
    /// Whether it takes the word to end a turn and go on. The server in C++ does not; then each
    /// turn has a connection of its own.
    #[serde(default = "remote::yes")]
    pub reset: bool,
    /// Whether it is told the words that fit each question. Its model must be one that takes a
    /// grammar, and must know the words.
    #[serde(default)]
    pub phrases: bool,
    /// A file whose first line is a key for a proxy in front of it (a bearer token), read anew at
    /// each connection.
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
    /// How long an answer may take.
    #[serde(default = "remote::answer")]
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub answer: Duration,
}

impl Settings {
    /// Returns the settings of a server with everything else as it is by default.
    pub fn of(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            send_config: true,
            reset: true,
            phrases: false,
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

/// Checks the settings. It does not reach for the server: one that is down now may be up when a
/// caller speaks.
pub(super) fn open(
    settings: &Settings,
    language: Language,
    setting: &Setting,
) -> Result<VoskServer, SpeechError> {
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
    Ok(VoskServer {
        site,
        language,
        settings: settings.clone(),
    })
}

pub(super) const NAME: &str = "vosk_server";

/// A vosk-server.
pub(super) struct VoskServer {
    site: Site,
    language: Language,
    settings: Settings,
}

impl Recogniser for VoskServer {
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
        let phrases = if self.settings.phrases {
            phrases(&asked.hints)
        } else {
            Vec::new()
        };
        let talk = Talk::new(&self.settings, phrases);
        self.site
            .open(bell, |site, inside| stream::run(site, talk, inside))
    }
}

/// The longest list of phrases, in bytes; hints beyond it are left out.
const LONGEST_PHRASES: usize = 64_000;

/// The word that stands for anything that is not in the list.
const UNKNOWN: &str = "[unk]";

/// Brings hints to what the server takes: lower case, without punctuation, each once, and `[unk]`.
/// Nothing where there are none: then anything may be said.
fn phrases(hints: &[String]) -> Vec<String> {
    let mut phrases: Vec<String> = Vec::new();
    let mut length = 0;
    for hint in hints {
        let phrase = remote::plain::plain(hint);
        length += phrase.len() + 3;
        if length > LONGEST_PHRASES {
            break;
        }
        if !phrase.is_empty() && !phrases.contains(&phrase) {
            phrases.push(phrase);
        }
    }
    if !phrases.is_empty() {
        phrases.push(UNKNOWN.to_owned());
    }
    phrases
}

/// The most messages with audio that are on their way without an answer. A server that is asked for
/// more while it does not read would hold up both.
const WINDOW: usize = 8;

/// The word that ends a connection, byte for byte as the server compares it.
const EOF: &str = r#"{"eof" : 1}"#;

/// The word that ends a turn, likewise.
const RESET: &str = r#"{"reset" : 1}"#;

/// What an answer is to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Owed {
    /// Audio.
    Audio,
    /// The wish for the words so far.
    Settled,
    /// The end of a turn; the next one begins after so many samples of the connection.
    End { next_began: u64 },
}

/// One side of the conversation.
#[derive(Debug)]
struct Talk {
    config: Option<String>,
    reset: bool,
    /// What answers are due to, the oldest first.
    owed: VecDeque<Owed>,
    /// Messages of audio among them.
    audio_owed: usize,
    /// Samples sent on this connection, by which the server counts its times.
    sent: u64,
    /// Samples sent since the last turn ended or the words so far were asked for.
    fresh: u64,
    /// Whether anything was sent of the turn in progress.
    in_turn: bool,
    /// The value of `sent` when the turn began whose answers come now.
    began: u64,
    /// What was said before the server's own end points, in that turn.
    ended: Transcript,
    /// The words so far, as last told.
    told: String,
    over: bool,
}

impl Talk {
    fn new(settings: &Settings, phrases: Vec<String>) -> Self {
        let config = settings.send_config.then(|| {
            let mut config = json!({ "sample_rate": RATE, "words": 1, "max_alternatives": 0 });
            if !phrases.is_empty() {
                config["phrase_list"] = json!(phrases);
            }
            json!({ "config": config }).to_string()
        });
        Self {
            config,
            reset: settings.reset,
            owed: VecDeque::new(),
            audio_owed: 0,
            sent: 0,
            fresh: 0,
            in_turn: false,
            began: 0,
            ended: Transcript::default(),
            told: String::new(),
            over: false,
        }
    }

    fn take(&mut self, answer: Answer) {
        let began = self.began as f64 / RATE as f64;
        let text = answer.text.unwrap_or_default();
        remote::plain::join(&mut self.ended.text, text.trim());
        let words = answer.result.into_iter().map(|word| word.since(began));
        self.ended.words.extend(words);
    }

    fn partial(&mut self, partial: &str) -> Option<Told> {
        let mut text = self.ended.text.clone();
        remote::plain::join(&mut text, partial.trim());
        (text != self.told).then(|| {
            self.told.clone_from(&text);
            Told::Partial(text)
        })
    }

    fn transcript(&mut self) -> Transcript {
        self.told.clear();
        let mut transcript = std::mem::take(&mut self.ended);
        transcript.confidence = match transcript.words.is_empty() {
            true if transcript.text.is_empty() => 0.0,
            true => UNTOLD,
            false => remote::plain::confidence(&transcript.words),
        };
        transcript
    }
}

impl Protocol for Talk {
    const PIECE: usize = RATE / 10;

    fn begin(&mut self) -> Vec<Message> {
        self.owed.clear();
        self.audio_owed = 0;
        self.sent = 0;
        self.fresh = 0;
        self.in_turn = false;
        self.began = 0;
        self.ended = Transcript::default();
        self.told.clear();
        self.over = false;
        self.config
            .iter()
            .map(|config| Message::text(config.as_str()))
            .collect()
    }

    fn is_agreed(&self) -> bool {
        true
    }

    fn takes(&self) -> bool {
        let closing = !self.reset && matches!(self.owed.back(), Some(Owed::End { .. }));
        self.audio_owed < WINDOW && !closing && !self.over
    }

    fn audio(&mut self, samples: &[i16]) -> Vec<Message> {
        self.sent += samples.len() as u64;
        self.fresh += samples.len() as u64;
        self.in_turn = true;
        self.audio_owed += 1;
        self.owed.push_back(Owed::Audio);
        let bytes: Vec<u8> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
        vec![Message::binary(bytes)]
    }

    fn finish(&mut self) -> (Vec<Message>, Option<Told>) {
        let end = Owed::End {
            next_began: self.sent,
        };
        if !std::mem::take(&mut self.in_turn) {
            // With an older turn still open, this empty one would overtake it.
            if self.owed.is_empty() {
                return (Vec::new(), Some(Told::Final(Transcript::default())));
            }
        }
        self.fresh = 0;
        self.owed.push_back(end);
        let word = if self.reset { RESET } else { EOF };
        (vec![Message::text(word)], None)
    }

    fn settle(&mut self) -> Vec<Message> {
        if !self.reset || std::mem::take(&mut self.fresh) == 0 {
            return Vec::new();
        }
        self.owed.push_back(Owed::Settled);
        vec![Message::text(RESET)]
    }

    fn read(&mut self, text: &str) -> Result<Vec<Told>, RemoteFault> {
        let garbage = || RemoteFault::Garbage(fault::outline(text));
        if fault::is_html(text) {
            return Err(RemoteFault::Html);
        }
        let mut answer: Answer = serde_json::from_str(text).map_err(|_| garbage())?;
        if let Some(best) = std::mem::take(&mut answer.alternatives).into_iter().next() {
            answer.text = Some(best.text);
            answer.result = best.result;
        }
        if answer.text.is_none() && answer.partial.is_none() {
            return Err(garbage());
        }
        let Some(owed) = self.owed.pop_front() else {
            let reason = format!("an answer to nothing: {}", fault::outline(text));
            return Err(RemoteFault::Garbage(reason));
        };
        let mut told = Vec::new();
        if owed == Owed::Audio {
            self.audio_owed -= 1;
        }
        match answer.partial.take() {
            Some(partial) if owed == Owed::Audio => told.extend(self.partial(&partial)),
            // The word was taken for audio, as the server in C++ does.
            Some(_) if matches!(owed, Owed::Settled | Owed::End { .. }) && self.reset => {
                return Err(RemoteFault::Garbage(format!(
                    "words so far to {RESET}, which this server does not know; set reset to false"
                )));
            }
            Some(_) => return Err(garbage()),
            None => {
                self.take(answer);
                if let Owed::End { next_began } = owed {
                    self.began = next_began;
                    self.over = !self.reset;
                    told.push(Told::Final(self.transcript()));
                } else {
                    told.extend(self.partial(""));
                }
            }
        }
        Ok(told)
    }

    fn awaits(&self) -> bool {
        !self.owed.is_empty()
    }

    fn is_between_turns(&self) -> bool {
        self.owed.is_empty() && !self.in_turn
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn farewell(&self) -> Option<Message> {
        Some(Message::text(EOF))
    }
}

/// What the server says.
#[derive(Deserialize)]
struct Answer {
    partial: Option<String>,
    text: Option<String>,
    #[serde(default)]
    result: Vec<Said>,
    #[serde(default)]
    alternatives: Vec<Alternative>,
}

#[derive(Deserialize)]
struct Alternative {
    text: String,
    #[serde(default)]
    result: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    word: String,
    start: f64,
    end: f64,
    /// Left out where alternatives are asked for.
    #[serde(default = "untold")]
    conf: f32,
}

fn untold() -> f32 {
    UNTOLD
}

impl Said {
    fn since(self, began: f64) -> Word {
        let time = |seconds: f64| Duration::try_from_secs_f64(seconds - began).unwrap_or_default();
        Word {
            start: time(self.start),
            end: time(self.end),
            confidence: self.conf.clamp(0.0, 1.0),
            text: self.word,
        }
    }
}
