//! sherpa-onnx: models of many kinds in this process, among them parakeet, which knows Danish. The
//! library is loaded while the program runs, so Hotline builds and starts without it.
//!
//! Models for whole utterances are decoded on threads of their own when our own turn-taking says
//! that a turn is over; models that take a stream work on the ears' threads. sherpa-onnx ends the
//! process over a bad model, so a model is looked through first, and in the service also tried out
//! in a process of its own.

mod folder;
mod layout;
mod library;
mod onnx;
mod places;
mod pool;
mod rehearsal;
mod stream;
mod tokens;
mod whole;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use folder::Kind;
pub use rehearsal::{play as rehearse, rehearse_with, try_out};

use self::folder::Found;
use self::library::{Sherpa, Streaming, Use, Whole};
use self::pool::{Decode, Pool};
use self::stream::Streamed;
use self::whole::{Collected, Desk};
use super::Setting;
use crate::speech::rate::Converter;
use crate::speech::{Asked, Bell, RATE, Recogniser, Recognition, SpeechError, Transcript, Works};
use crate::words::Language;

/// What it is called.
pub(super) const NAME: &str = "sherpa";

/// What an admin can set about one recogniser of sherpa-onnx.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder of the model.
    pub model: PathBuf,
    /// What kind of model it is, where its files do not tell.
    #[serde(default)]
    pub kind: Kind,
    /// The sampling rate in Hz that the model was trained at, where neither its `sample_rate` nor
    /// 16000 is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// The bands of the model's features, where neither its `feature_dim` nor what is usual of its
    /// kind is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<u32>,
    /// Threads of one decode; 0 means one per core, four at most, and one for a stream.
    #[serde(default)]
    pub threads: usize,
    /// Decodes in work at the same moment; whisper and canary do one.
    #[serde(default = "one")]
    pub at_once: usize,
    /// The most decodes that wait; beyond it the next recogniser of the language takes over.
    #[serde(default = "usual_queue")]
    pub most: usize,
    /// Whether the phrases that a question expects are made likelier: transducers with a `bpe.vocab`.
    #[serde(default)]
    pub hints: bool,
    /// The file `libsherpa-onnx-c-api.so`; when empty, HOTLINE_LIBSHERPA and the usual places are
    /// looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<PathBuf>,
}

fn one() -> usize {
    1
}

fn usual_queue() -> usize {
    8
}

/// The sampling rate in Hz of models that tell none.
const USUAL_RATE: u32 = 16_000;

/// The most threads that are taken without being asked for.
const THREADS: usize = 4;

/// The longest text of phrases that are made likelier, in bytes.
const LONGEST_HINTS: usize = 8_000;

impl Settings {
    /// Returns the settings of a model that is used as usual.
    pub fn of(model: impl Into<PathBuf>) -> Self {
        Self {
            model: model.into(),
            kind: Kind::Auto,
            rate: None,
            features: None,
            threads: 0,
            at_once: one(),
            most: usual_queue(),
            hints: false,
            library: None,
        }
    }

    pub(super) fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        std::iter::once(&mut self.model)
            .chain(&mut self.library)
            .collect()
    }

    fn threads(&self, kind: Kind) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        match self.threads {
            0 if kind.is_streaming() => 1,
            0 => cores.min(THREADS),
            threads => threads.min(64),
        }
    }

    /// Looks through the model's folder.
    fn look_through(&self, setting: &Setting) -> Result<Found, SpeechError> {
        let found = folder::look_through(&self.model, self.kind, setting)?;
        let lacks = |missing: &str, remedy| SpeechError::BadModel {
            setting: setting.field("hints"),
            folder: self.model.clone(),
            missing: missing.to_owned(),
            remedy,
        };
        if self.hints && !found.kind.takes_hints() {
            return Err(lacks(
                "a way to make phrases likelier",
                "only transducers have it; leave `hints` out",
            ));
        }
        if self.hints && found.bpe_vocab.is_none() {
            return Err(lacks(
                "bpe.vocab",
                "leave `hints` out, or make the file as sherpa-onnx's page on hotwords says",
            ));
        }
        Ok(found)
    }
}

/// Tells whether a folder holds a complete model, and of what kind, without loading it.
///
/// # Errors
/// When something is missing or damaged, which the error names.
pub fn check(settings: &Settings, setting: &Setting) -> Result<Kind, SpeechError> {
    settings.look_through(setting).map(|found| found.kind)
}

/// Loads library and model. It blocks.
pub(super) fn open(
    settings: &Settings,
    language: Language,
    setting: &Setting,
) -> Result<Model, SpeechError> {
    let found = settings.look_through(setting)?;
    let sherpa = Sherpa::load(settings.library.as_deref())?;
    rehearsal::try_out(settings, language, setting)?;
    load(&sherpa, settings, &found, language, setting)
}

/// Loads a model that was looked through.
fn load(
    sherpa: &Sherpa,
    settings: &Settings,
    found: &Found,
    language: Language,
    setting: &Setting,
) -> Result<Model, SpeechError> {
    let rate = settings.rate.or(found.rate).unwrap_or(USUAL_RATE);
    let how = Use {
        language: language.code(),
        rate: rate.clamp(RATE as u32, 48_000),
        features: settings.features.or(found.features).unwrap_or(0).min(512),
        threads: settings.threads(found.kind),
        hints: settings.hints,
    };
    let refused = || SpeechError::RefusedModel {
        engine: "sherpa-onnx",
        setting: setting.field("model"),
        folder: settings.model.clone(),
    };
    tracing::debug!(
        library = %sherpa.path().display(), version = sherpa.version(), kind = ?found.kind,
        "loading a model"
    );
    let rate = how.rate;
    if found.kind.is_streaming() {
        let model = sherpa.streaming(found, &how).ok_or_else(refused)?;
        return Ok(Model {
            language,
            hints: false,
            inside: Inside::Streaming { model, rate },
        });
    }
    let model = sherpa.whole(found, &how).ok_or_else(refused)?;
    let has_times = found.kind.has_times();
    let decode: Arc<Decode> = Arc::new(move |samples: &[i16], hints: Option<&str>| {
        let mut transcript = decode(&model, rate, samples, hints)?;
        if !has_times {
            transcript.words.clear();
        }
        Ok(transcript)
    });
    let threads = if found.kind.is_shared() {
        settings.at_once.clamp(1, 64)
    } else {
        1
    };
    let desk = Desk {
        pool: Pool::start(threads, settings.most, decode)?,
        language,
        queue: setting.field("most").to_string(),
    };
    Ok(Model {
        language,
        hints: settings.hints,
        inside: Inside::Whole(Arc::new(desk)),
    })
}

/// Silence before and behind an utterance, without which some models lose its first or last sound:
/// 200 and 400 ms.
const AROUND: (usize, usize) = (RATE / 5, RATE * 2 / 5);

/// Decodes an utterance of the telephone.
fn decode(
    model: &Whole,
    rate: u32,
    samples: &[i16],
    hints: Option<&str>,
) -> Result<Transcript, String> {
    let mut around = vec![0; AROUND.0];
    around.extend_from_slice(samples);
    around.resize(around.len() + AROUND.1, 0);
    let audio = if rate == RATE as u32 {
        as_floats(&around)
    } else {
        let converter = Converter::new(RATE as u32, rate);
        let mut converter = converter.ok_or("its model's sampling rate cannot be reached")?;
        as_floats(&converter.push(&around))
    };
    let json = model
        .decode(&audio, rate, hints)
        .ok_or("sherpa-onnx opened no stream")?;
    let mut transcript = words::read(&json)?;
    let before = std::time::Duration::from_secs_f64(AROUND.0 as f64 / RATE as f64);
    for word in &mut transcript.words {
        word.start = word.start.saturating_sub(before);
        word.end = word.end.saturating_sub(before);
    }
    Ok(transcript)
}

/// Returns samples between -1 and 1.
fn as_floats(samples: &[i16]) -> Vec<f32> {
    samples
        .iter()
        .map(|sample| f32::from(*sample) / 32768.0)
        .collect()
}

/// A model that was loaded.
pub(super) struct Model {
    language: Language,
    hints: bool,
    inside: Inside,
}

enum Inside {
    Whole(Arc<Desk>),
    Streaming { model: Streaming, rate: u32 },
}

impl Recogniser for Model {
    fn name(&self) -> &str {
        NAME
    }

    fn language(&self) -> Language {
        self.language
    }

    fn works(&self) -> Works {
        match self.inside {
            Inside::Whole(_) => Works::Elsewhere,
            Inside::Streaming { .. } => Works::Here,
        }
    }

    fn open(&self, asked: &Asked, bell: Bell) -> Result<Box<dyn Recognition>, SpeechError> {
        Ok(match &self.inside {
            Inside::Whole(desk) => {
                let hints = self.hints.then(|| hotwords(&asked.hints)).flatten();
                Box::new(Collected::new(Arc::clone(desk), hints, bell))
            }
            Inside::Streaming { model, rate } => {
                Box::new(Streamed::open(model.clone(), self.language, *rate)?)
            }
        })
    }
}

/// Writes phrases as sherpa-onnx takes them, of letters alone: other signs would change weights, and
/// some of them end the process.
fn hotwords(hints: &[String]) -> Option<Arc<str>> {
    let mut all = String::new();
    for hint in hints {
        let words: Vec<String> = hint
            .split(|letter: char| !letter.is_alphabetic())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let phrase = words.join(" ");
        if phrase.is_empty() {
            continue;
        }
        if all.len() + phrase.len() + 1 > LONGEST_HINTS {
            break;
        }
        if !all.is_empty() {
            all.push('/');
        }
        all.push_str(&phrase);
    }
    (!all.is_empty()).then(|| Arc::from(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_letters_of_hints_reach_the_library() {
        let hints = ["Nyt pas", ":2 #1 @x", "e-Boks/MitID", "", "42"].map(str::to_owned);
        assert_eq!(hotwords(&hints).as_deref(), Some("nyt pas/x/e boks mitid"));
        assert_eq!(hotwords(&[]), None);
        let many: Vec<String> = (0..5000).map(|_| "kommune".to_owned()).collect();
        assert!(hotwords(&many).unwrap().len() <= LONGEST_HINTS);
    }

    #[test]
    fn settings_of_a_model_alone_are_complete() {
        let settings: Settings = serde_json::from_str(r#"{"model": "/opt/models/da"}"#).unwrap();
        assert_eq!(settings, Settings::of("/opt/models/da"));
        let error = serde_json::from_str::<Settings>(r#"{"model": "x", "kind": "vosk"}"#);
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("unknown variant `vosk`")
        );
    }
}
