//! pocketsphinx: Debian's library and English model, loaded while the program runs. It knows one
//! grammar per question and hears nothing else; a search for any phones in any order runs beside
//! it, and where that explains the audio much better the words are not believed.
//!
//! It is of no use for free text on a telephone, and it knows no other language than English.

mod dictionary;
mod gate;
mod grammar;
mod library;
mod places;
mod widen;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Setting;
use super::phrases::UNKNOWN;
use crate::dialog::Expect;
use crate::speech::{
    Asked, Bell, RATE, Recogniser, Recognition, SpeechError, Told, Transcript, Word, Works,
};
use crate::words::Language;
use dictionary::Dictionary;
use gate::Gate;
use library::{Decoder, Span, Sphinx};
use widen::Widener;

/// What the engine is called.
pub(super) const NAME: &str = "pocketsphinx";

/// Samples handed over at once, so that a long recording does not grow a buffer.
const PIECE: usize = RATE;

/// Frames in one second.
const FRAMES: f64 = 100.0;

/// The margin at which words are believed without asking, in nats per frame, and the confidence
/// that says so.
const SURE: (f32, f32) = (0.6, 0.6);

/// The margin at which words are as good as certain, in nats per frame.
const CERTAIN: f32 = 1.6;

/// How much higher the threshold is at questions for yes or no, in nats per frame: their answers are
/// not asked about.
const STRICTER: f32 = 0.4;

/// The fewest frames that words last: what is shorter is a click or a cough.
const SHORTEST: i32 = 20;

/// The least and the greatest part of the speech that words have to be: a short word in a long
/// sentence was not an answer, and one that is stretched over a pause was not said.
const COVERS: (f32, f32) = (0.7, 2.2);

/// How the searches are set, found by trying on telephone audio made from recordings.
const OPTIONS: [(&str, &str); 3] = [
    // Silence and line noise are our own turn-taking's affair.
    ("remove_silence", "no"),
    ("remove_noise", "no"),
    // Without it short words such as "oh" and "two" come out of nowhere.
    ("wip", "1e-3"),
];

/// The mean of the cepstra of telephone audio as the model sees it, by which a decoder begins; the
/// model's own is that of studio recordings, and nearly nothing is understood with it before some
/// seconds of speech. It lies between those of the two speakers of the test recordings.
const TELEPHONE: &str = "48.5,0.5,6.5,1,3,-8,5.5,-1.7,10,2.3,-2,1.3,2.2";

/// What an admin can set about one pocketsphinx recogniser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The folder of the acoustic model; when empty, HOTLINE_POCKETSPHINX and where Debian puts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// The pronunciation dictionary; when empty, `cmudict-en-us.dict` beside the model's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dictionary: Option<PathBuf>,
    /// The file `libpocketsphinx.so.3` or its folder; when empty, HOTLINE_POCKETSPHINX and where
    /// libraries are installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub library: Option<PathBuf>,
    /// How much better than any phones in any order the words must explain the audio to be
    /// believed, in nats per frame of 10 ms: higher rejects more, below 0 the phones may be better.
    pub threshold: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: None,
            dictionary: None,
            library: None,
            threshold: -1.2,
        }
    }
}

impl Settings {
    pub(super) fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        let paths = [&mut self.model, &mut self.dictionary, &mut self.library];
        paths.into_iter().flatten().collect()
    }
}

/// Loads library, model and dictionary. It blocks.
pub(super) fn open(
    settings: &Settings,
    language: Language,
    setting: &Setting,
) -> Result<Engine, SpeechError> {
    if language != Language::EN {
        return Err(SpeechError::Unfit {
            setting: setting.clone(),
            reason: format!("pocketsphinx knows English only; name another engine for {language}"),
        });
    }
    let files = places::find(settings, setting)?;
    let sphinx = Sphinx::load(&files.library).map_err(|reason| SpeechError::BadLibrary {
        library: "libpocketsphinx",
        path: files.library.clone(),
        reason,
        remedy: "use Debian's libpocketsphinx3, which is 0.8+5prealpha",
    })?;
    let lacks = |missing: String| SpeechError::BadModel {
        setting: setting.field("dictionary"),
        folder: files.model.clone(),
        missing,
        remedy: places::INSTALL,
    };
    let dictionary = Dictionary::read(&files.dictionary)
        .map_err(|error| lacks(format!("{} ({error})", files.dictionary.display())))?;
    if dictionary.is_empty() {
        return Err(lacks(format!("words in {}", files.dictionary.display())));
    }
    let features =
        features(&files.model.join("feat.params")).map_err(|error| SpeechError::BadModel {
            setting: setting.field("model"),
            folder: files.model.clone(),
            missing: format!("feat.params ({error})"),
            remedy: places::INSTALL,
        })?;
    let engine = Engine {
        sphinx,
        features,
        dictionary: Arc::new(dictionary),
        model: files.model,
        language,
        threshold: settings.threshold,
    };
    // A model that is refused is told now and not in the first call.
    if engine.decoder(&[]).is_none() {
        return Err(SpeechError::RefusedModel {
            engine: "libpocketsphinx",
            setting: setting.field("model"),
            folder: engine.model,
        });
    }
    Ok(engine)
}

/// Reads how the model wants audio to be analysed, and puts the telephone's mean in. What stands in
/// the file goes before all other settings, so the library is not let near it.
fn features(file: &Path) -> std::io::Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(file)?;
    let mut features: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix('-')?
                .split_once(char::is_whitespace)
        })
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    for (name, value) in &mut features {
        let numbers = |text: &str| text.split(',').count();
        if name == "cmninit" && numbers(value) == numbers(TELEPHONE) {
            TELEPHONE.clone_into(value);
        }
    }
    features.push(("featparams".to_owned(), "/dev/null".to_owned()));
    Ok(features)
}

/// Library, model and dictionary, ready for questions.
pub struct Engine {
    sphinx: Sphinx,
    features: Vec<(String, String)>,
    dictionary: Arc<Dictionary>,
    model: PathBuf,
    language: Language,
    threshold: f32,
}

impl Engine {
    /// Returns the folder of the model.
    pub fn model(&self) -> &Path {
        &self.model
    }

    fn decoder(&self, more: &[(&str, &str)]) -> Option<Decoder> {
        let features = self
            .features
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let options: Vec<(&str, &str)> = features
            .chain(OPTIONS.iter().chain(more).copied())
            .collect();
        self.sphinx.decoder(&self.model, &options)
    }

    fn failed(&self, reason: &str) -> SpeechError {
        SpeechError::Recogniser {
            language: self.language,
            reason: reason.to_owned(),
        }
    }

    /// Makes a decoder that knows the words of a question and searches for its sentences.
    fn listener(&self, asked: &Asked) -> Result<Decoder, SpeechError> {
        let mut decoder = self
            .decoder(&[])
            .ok_or_else(|| self.failed("libpocketsphinx could not open a decoder"))?;
        let jsgf = grammar::of(asked, |word| self.dictionary.knows(word));
        for word in grammar::words(&jsgf) {
            let mut spoken = self.dictionary.pronunciations(word);
            let lisped = on_the_telephone(&spoken);
            spoken.extend(lisped.iter().map(String::as_str));
            for (place, phones) in spoken.iter().enumerate() {
                let added = match place {
                    0 => decoder.add_word(word, phones),
                    _ => decoder.add_word(&format!("{word}({})", place + 1), phones),
                };
                if !added {
                    tracing::debug!(word, phones, "a pronunciation is left out");
                }
            }
        }
        if decoder.set_grammar(&jsgf) {
            Ok(decoder)
        } else {
            Err(self.failed("libpocketsphinx refused the grammar of a question"))
        }
    }

    fn phones(&self) -> Result<Decoder, SpeechError> {
        let mut decoder = self
            .decoder(&[("allphone_ci", "yes")])
            .ok_or_else(|| self.failed("libpocketsphinx could not open a decoder"))?;
        let beside = self.model.parent().unwrap_or(&self.model);
        let model = Some(beside.join("en-us-phone.lm.bin")).filter(|file| file.is_file());
        if decoder.set_phones(model.as_deref()) {
            Ok(decoder)
        } else {
            Err(self.failed("libpocketsphinx could not search for phones"))
        }
    }
}

impl Recogniser for Engine {
    fn name(&self) -> &str {
        NAME
    }

    fn language(&self) -> Language {
        self.language
    }

    fn works(&self) -> Works {
        Works::Here
    }

    fn open(&self, asked: &Asked, _bell: Bell) -> Result<Box<dyn Recognition>, SpeechError> {
        Ok(Box::new(self.hearing(asked)?))
    }
}

impl Engine {
    fn hearing(&self, asked: &Asked) -> Result<Hearing, SpeechError> {
        Ok(Hearing {
            words: self.listener(asked)?,
            phones: self.phones()?,
            gate: Gate::new(),
            speech: Vec::new(),
            widener: Widener::new(),
            wide: Vec::new(),
            language: self.language,
            threshold: match asked.expect {
                Expect::YesNo => self.threshold + STRICTER,
                _ => self.threshold,
            },
            free: asked.expect == Expect::Text,
            done: VecDeque::new(),
            told: String::new(),
            looked: true,
            begun: false,
            decoding: false,
        })
    }
}

/// What a search for words made of the audio.
#[derive(Debug)]
struct Finding {
    spans: Vec<Span>,
    /// How much better the words explain the audio than phones do, in nats per frame; negative
    /// where phones do better.
    margin: f32,
    /// How long the words are, against the speech there was.
    covers: f32,
}

impl Finding {
    fn is_believed(&self, threshold: f32) -> bool {
        let (least, most) = COVERS;
        self.margin >= threshold && (least..=most).contains(&self.covers)
    }
}

struct Hearing {
    /// Searches for the sentences of the question.
    words: Decoder,
    /// Searches for any phones in any order.
    phones: Decoder,
    gate: Gate,
    /// What the gate let through last.
    speech: Vec<i16>,
    widener: Widener,
    wide: Vec<i16>,
    language: Language,
    threshold: f32,
    /// Whether anything may be said, so that what is not understood is no answer at all.
    free: bool,
    done: VecDeque<Transcript>,
    /// The words so far, as last told.
    told: String,
    /// Whether nothing came since the words so far were looked at.
    looked: bool,
    /// Whether the turn has begun.
    begun: bool,
    /// Whether there was speech in it.
    decoding: bool,
}

impl Hearing {
    fn failed(&self, reason: &str) -> SpeechError {
        SpeechError::Recogniser {
            language: self.language,
            reason: reason.to_owned(),
        }
    }

    /// Gives the decoders what the gate let through.
    fn decode(&mut self) -> Result<(), SpeechError> {
        if self.speech.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.decoding, true) {
            self.widener.reset();
            if !self.words.start_stream() || !self.phones.start_stream() {
                return Err(self.failed("libpocketsphinx could not begin a turn"));
            }
        }
        self.wide.clear();
        self.widener.push(&self.speech, &mut self.wide);
        if !self.words.push(&self.wide) || !self.phones.push(&self.wide) {
            return Err(self.failed("libpocketsphinx gave up on the audio"));
        }
        Ok(())
    }

    /// Ends the turn and returns what was found in it.
    fn end(&mut self) -> Result<Option<Finding>, SpeechError> {
        self.speech.clear();
        self.gate.finish(&mut self.speech);
        self.decode()?;
        self.words.end();
        self.phones.end();
        Ok(self.finding())
    }

    /// Returns what was found so far, or in the whole turn once it has ended.
    fn finding(&mut self) -> Option<Finding> {
        if !self.decoding {
            return None;
        }
        let words = self.words.score()?;
        let spans = self.words.spans();
        let frames: i32 = spans.iter().map(|span| span.last - span.first + 1).sum();
        if frames < SHORTEST {
            return None;
        }
        let phones = self.phones.score()?;
        Some(Finding {
            spans,
            margin: ((words - phones) / f64::from(frames)) as f32,
            covers: frames as f32 / self.gate.speech().max(1) as f32,
        })
    }

    fn transcript(&self, finding: Option<Finding>) -> Transcript {
        let Some(finding) = finding else {
            return Transcript::default();
        };
        if !finding.is_believed(self.threshold) {
            let text = if self.free { "" } else { UNKNOWN };
            return Transcript {
                text: text.to_owned(),
                ..Transcript::default()
            };
        }
        let confidence = confidence(finding.margin, self.threshold);
        let time = |frame: i32| {
            let heard = self.gate.heard_at(frame.max(0) as usize);
            Duration::from_secs_f64(heard as f64 / FRAMES)
        };
        Transcript {
            text: text(&finding.spans),
            confidence,
            words: finding
                .spans
                .into_iter()
                .map(|span| Word {
                    text: span.word,
                    start: time(span.first),
                    end: time(span.last),
                    confidence,
                })
                .collect(),
        }
    }
}

impl Recognition for Hearing {
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        self.looked = false;
        if !std::mem::replace(&mut self.begun, true) {
            self.gate = Gate::new();
        }
        for piece in samples.chunks(PIECE) {
            self.speech.clear();
            self.gate.push(piece, &mut self.speech);
            self.decode()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        let mut finding = None;
        if std::mem::take(&mut self.begun) {
            finding = self.end()?;
        }
        tracing::trace!(?finding, "pocketsphinx");
        let transcript = self.transcript(finding);
        self.decoding = false;
        self.done.push_back(transcript);
        self.told.clear();
        self.looked = true;
        Ok(())
    }

    fn told(&mut self, _now: Instant) -> Result<Option<Told>, SpeechError> {
        if let Some(transcript) = self.done.pop_front() {
            return Ok(Some(Told::Final(transcript)));
        }
        if std::mem::replace(&mut self.looked, true) || !self.begun {
            return Ok(None);
        }
        let text = match self.finding() {
            Some(finding) if finding.is_believed(self.threshold) => text(&finding.spans),
            // What is in doubt now may be clear in a moment: nothing is taken back.
            _ => return Ok(None),
        };
        if text == self.told {
            return Ok(None);
        }
        self.told.clone_from(&text);
        Ok(Some(Told::Partial(text)))
    }
}

/// Returns further pronunciations: what tells s from f lies above what a telephone carries, and the
/// model hears "fix" for "six".
fn on_the_telephone(spoken: &[&str]) -> Vec<String> {
    let sharp = spoken.iter().filter_map(|phones| phones.strip_prefix("S "));
    sharp.map(|rest| format!("F {rest}")).collect()
}

fn text(spans: &[Span]) -> String {
    let words: Vec<&str> = spans.iter().map(|span| span.word.as_str()).collect();
    words.join(" ")
}

/// Makes a confidence of a margin: 0.5 at the threshold and less than 0.6 up to [`SURE`], so that
/// the caller is asked, and 1 from [`CERTAIN`] on.
fn confidence(margin: f32, threshold: f32) -> f32 {
    let (sure, enough) = SURE;
    let sure = sure.max(threshold);
    let confidence = if margin < sure {
        0.5 + (enough - 0.5) * (margin - threshold) / (sure - threshold)
    } else {
        enough + (1.0 - enough) * (margin - sure) / (CERTAIN - SURE.0)
    };
    confidence.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
