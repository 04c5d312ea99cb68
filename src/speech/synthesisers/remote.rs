//! What the synthesisers that are reached by HTTP have in common: an address that is checked when
//! it is read, answers that are understood piece by piece, and faults in words.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};

use super::super::pcm::{Reader, few_words};
use super::super::recognisers::Setting;
use super::super::{RATE, Speech, SpeechError};
use crate::web;

/// How long the words of an error may take to come.
const COMPLAINT: Duration = Duration::from_secs(1);

/// Silence between sentences that are made one by one, in samples.
const BREATH: usize = RATE * 3 / 20;

/// Sentences shorter than this are not made by themselves, in characters.
const SHORTEST: usize = 30;

/// A server and the way to it.
#[derive(Debug)]
pub(super) struct Server {
    /// What it is called in messages: engine and address.
    pub(super) called: String,
    /// The setting that names it.
    setting: Setting,
    base: Url,
    client: Client,
}

impl Server {
    /// Reads an address; nothing is asked of the server yet.
    pub(super) fn new(engine: &str, url: &str, setting: &Setting) -> Result<Self, SpeechError> {
        let wrong = |reason: String| SpeechError::Setting {
            setting: setting.field("url"),
            reason,
        };
        let mut base = Url::parse(url).map_err(|error| {
            wrong(format!(
                "{url:?} is no address ({error}); write it as http://HOST:PORT"
            ))
        })?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(wrong(format!(
                "{url:?} is no address of a web server; write it as http://HOST:PORT"
            )));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let client = web::client()
            .map_err(|error| wrong(format!("no client can be made: {}", web::reason(error))))?;
        Ok(Self {
            called: format!("{engine} at {url}"),
            setting: setting.clone(),
            base,
            client,
        })
    }

    /// Returns the address of something on the server.
    pub(super) fn at(&self, path: &str) -> Url {
        self.base.join(path).unwrap_or_else(|_| self.base.clone())
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn fault(&self, reason: impl Into<String>) -> SpeechError {
        SpeechError::Synthesiser {
            engine: self.called.clone(),
            reason: reason.into(),
        }
    }

    /// Sends a request and returns the answer, whatever its status.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, SpeechError> {
        request.send().await.map_err(|error| {
            let setting = self.setting.field("url");
            self.fault(format!(
                "it cannot be reached ({}); does it run, and is {setting} right?",
                web::reason(error)
            ))
        })
    }

    /// Returns the audio of a good answer, as it comes.
    pub(super) async fn audio(
        &self,
        answer: Response,
        reader: Reader,
    ) -> Result<Incoming, SpeechError> {
        if answer.status() != StatusCode::OK {
            return Err(self.refusal(answer).await);
        }
        Ok(Incoming {
            called: self.called.clone(),
            bytes: Box::pin(answer.bytes_stream()),
            reader,
            over: false,
        })
    }

    /// Makes a fault of an answer that is no audio.
    pub(super) async fn refusal(&self, answer: Response) -> SpeechError {
        let status = answer.status();
        let mut words = Vec::new();
        let mut body = answer.bytes_stream();
        let read = async {
            while let Some(Ok(piece)) = body.next().await {
                words.extend_from_slice(&piece);
                if words.len() > 2000 {
                    break;
                }
            }
        };
        // What has come by then is quoted.
        let _ = tokio::time::timeout(COMPLAINT, read).await;
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                format!("; is {} right?", self.setting.field("key_file"))
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                format!("; is {} that of such a server?", self.setting.field("url"))
            }
            status if status.is_redirection() => {
                format!(
                    "; write where it leads to into {}",
                    self.setting.field("url")
                )
            }
            _ => String::new(),
        };
        let said = match words.is_empty() {
            true => String::new(),
            false => format!(": {}", few_words(&words)),
        };
        self.fault(format!("it answered {status}{said}{hint}"))
    }
}

/// Reads the key in a file, for the `Authorization` of requests.
pub(super) fn key(file: Option<&Path>, setting: &Setting) -> Result<Option<String>, SpeechError> {
    let Some(file) = file else { return Ok(None) };
    let wrong = |reason: String| SpeechError::Setting {
        setting: setting.field("key_file"),
        reason: format!("{}: {reason}", file.display()),
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let key = text.trim();
    match key.is_empty() || key.chars().any(|it| !it.is_ascii_graphic()) {
        true => Err(wrong(
            "it holds no key; write the key alone on its first line".to_owned(),
        )),
        false => Ok(Some(key.to_owned())),
    }
}

/// The audio of one answer.
pub(super) struct Incoming {
    called: String,
    bytes: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    reader: Reader,
    over: bool,
}

#[async_trait]
impl Speech for Incoming {
    async fn next(&mut self) -> Result<Option<Vec<i16>>, SpeechError> {
        let fault = |reason: String| SpeechError::Synthesiser {
            engine: self.called.clone(),
            reason,
        };
        if self.over {
            return Ok(None);
        }
        match self.bytes.next().await {
            Some(Ok(bytes)) => self.reader.push(&bytes).map(Some).map_err(fault),
            Some(Err(error)) => Err(fault(format!(
                "its audio broke off ({})",
                web::reason(error)
            ))),
            None => {
                self.over = true;
                self.reader.finish().map(Some).map_err(fault)
            }
        }
    }
}

/// An engine that gives the audio of a whole text at once.
#[async_trait]
pub(super) trait WholeTexts: Send + Sync {
    /// Asks for the audio of a text.
    async fn ask(&self, text: &str) -> Result<Incoming, SpeechError>;
}

/// Speaks a text sentence by sentence, so that the first can be heard while the next is made.
pub(super) struct Sentences<E> {
    engine: E,
    /// The sentences still to be asked for, the next one last.
    left: Vec<String>,
    current: Incoming,
}

impl<E: WholeTexts> Sentences<E> {
    pub(super) async fn begin(engine: E, text: &str) -> Result<Self, SpeechError> {
        let mut left: Vec<String> = sentences(text)
            .into_iter()
            .rev()
            .map(str::to_owned)
            .collect();
        let first = left.pop().unwrap_or_default();
        let current = engine.ask(&first).await?;
        Ok(Self {
            engine,
            left,
            current,
        })
    }
}

#[async_trait]
impl<E: WholeTexts> Speech for Sentences<E> {
    async fn next(&mut self) -> Result<Option<Vec<i16>>, SpeechError> {
        if let Some(samples) = self.current.next().await? {
            return Ok(Some(samples));
        }
        let Some(sentence) = self.left.pop() else {
            return Ok(None);
        };
        self.current = self.engine.ask(&sentence).await?;
        Ok(Some(vec![0; BREATH]))
    }
}

/// Cuts a text where one sentence ends and another begins; abbreviations such as `kl.` end none.
fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(' ') {
        let (before, after) = (&text[start..at], &text[at + 1..]);
        let ends = before.ends_with(['!', '?'])
            || before.strip_suffix('.').is_some_and(|words| {
                let last = words.rsplit([' ', '.']).next().unwrap_or_default();
                last.chars().count() > 3 && last.chars().all(char::is_alphabetic)
            });
        let begins = after.starts_with(char::is_uppercase);
        let long = before.chars().count() >= SHORTEST && after.chars().count() >= SHORTEST;
        if ends && begins && long {
            sentences.push(before);
            start = at + 1;
        }
    }
    sentences.push(&text[start..]);
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    #[test]
    fn a_text_is_cut_between_its_sentences_only() {
        assert_eq!(
            sentences(
                "Velkommen til Egekøbing Kommune. Vi har åbent fra kl. 10 til kl. 14 på hverdage, \
                 f.eks. Mandag. Hvad drejer det sig om? Sig det med få ord, eller tast et tal."
            ),
            [
                "Velkommen til Egekøbing Kommune.",
                "Vi har åbent fra kl. 10 til kl. 14 på hverdage, f.eks. Mandag.",
                "Hvad drejer det sig om? Sig det med få ord, eller tast et tal.",
            ]
        );
        assert_eq!(sentences("Ja. Nej."), ["Ja. Nej."]);
        assert_eq!(sentences(""), [""]);
    }

    #[test]
    fn an_address_that_is_none_is_told_with_its_setting() {
        let setting = Setting::voice(Language::DA, 1);
        let complaint = |url: &str| Server::new("piper", url, &setting).unwrap_err().to_string();
        insta::assert_snapshot!(complaint("tts:5000"), @r#"speech.voices.da[1].url: "tts:5000" is no address of a web server; write it as http://HOST:PORT"#);
        insta::assert_snapshot!(complaint("127.0.0.1:5000"), @r#"speech.voices.da[1].url: "127.0.0.1:5000" is no address (relative URL without a base); write it as http://HOST:PORT"#);
        insta::assert_snapshot!(complaint(""), @r#"speech.voices.da[1].url: "" is no address (relative URL without a base); write it as http://HOST:PORT"#);
    }

    #[test]
    fn a_path_behind_a_proxy_is_kept() {
        let setting = Setting::voice(Language::DA, 0);
        for url in ["http://tts/piper", "http://tts/piper/"] {
            let server = Server::new("piper", url, &setting).unwrap();
            assert_eq!(
                server.at("synthesize").as_str(),
                "http://tts/piper/synthesize"
            );
        }
    }

    #[test]
    fn a_file_without_a_key_is_told_with_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let setting = Setting::voice(Language::EN, 0);
        std::fs::write(&file, "sk-1\n").unwrap();
        assert_eq!(key(Some(&file), &setting).unwrap().as_deref(), Some("sk-1"));
        for wrong in ["", "\n", "two words"] {
            std::fs::write(&file, wrong).unwrap();
            let error = key(Some(&file), &setting).unwrap_err().to_string();
            assert!(
                error.starts_with("speech.voices.en[0].key_file: "),
                "{error}"
            );
        }
        assert!(key(Some(Path::new("/nowhere")), &setting).is_err());
    }
}
