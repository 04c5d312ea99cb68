//! Vosk: libvosk is loaded while the program runs, so Hotline builds and starts without it. This
//! is the only file of the house that talks to foreign code.
//!
//! It opens recognitions and knows grammars; when to listen and when a turn ends is decided in
//! [`crate::speech::turn`], so Vosk's own end points are only joined together here.

#![expect(
    unsafe_code,
    reason = "libvosk has a C interface; every call to it is in this file"
)]

mod places;

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char, c_float, c_int};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libloading::Library;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Setting;
use super::phrases::{UNKNOWN, known_phrases};
use crate::speech::rate::Converter;
use crate::speech::{
    Asked, Bell, RATE, Recogniser, Recognition, SpeechError, Told, Transcript, Word, Works,
};
use crate::words::Language;

/// What an admin can set about one Vosk recogniser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder of the model.
    pub model: PathBuf,
    /// The file `libvosk.so`; when empty, HOTLINE_LIBVOSK and the usual places are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<PathBuf>,
}

impl Settings {
    /// Returns the settings of a model, with the library from one of the usual places.
    pub fn of(model: impl Into<PathBuf>) -> Self {
        Self {
            model: model.into(),
            library: None,
        }
    }

    pub(super) fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        std::iter::once(&mut self.model)
            .chain(&mut self.library)
            .collect()
    }
}

/// Tells whether a folder holds a complete model, without loading it.
///
/// # Errors
/// When a file is missing, which the error names.
pub fn check(folder: &Path, setting: &Setting) -> Result<(), SpeechError> {
    places::check_model(folder, setting).map(|_| ())
}

/// Loads library and model. It blocks.
pub(super) fn open(
    settings: &Settings,
    language: Language,
    setting: &Setting,
) -> Result<Model, SpeechError> {
    Vosk::load(settings.library.as_deref())?.model(
        language,
        &settings.model,
        &setting.field("model"),
    )
}

/// What it is called.
pub(super) const NAME: &str = "vosk";

/// An opaque model of libvosk.
#[repr(C)]
struct RawModel {
    _opaque: [u8; 0],
}

/// An opaque recogniser of libvosk.
#[repr(C)]
struct RawRecogniser {
    _opaque: [u8; 0],
}

type Read = unsafe extern "C" fn(*mut RawRecogniser) -> *const c_char;

/// The functions of libvosk that are used. The library is never unloaded: threads and static
/// objects of its own would outlive it.
#[derive(Clone, Copy, Debug)]
struct Functions {
    model_new: unsafe extern "C" fn(*const c_char) -> *mut RawModel,
    model_free: unsafe extern "C" fn(*mut RawModel),
    find_word: unsafe extern "C" fn(*mut RawModel, *const c_char) -> c_int,
    recogniser_new: unsafe extern "C" fn(*mut RawModel, c_float) -> *mut RawRecogniser,
    recogniser_new_grammar:
        unsafe extern "C" fn(*mut RawModel, c_float, *const c_char) -> *mut RawRecogniser,
    recogniser_free: unsafe extern "C" fn(*mut RawRecogniser),
    set_words: unsafe extern "C" fn(*mut RawRecogniser, c_int),
    accept: unsafe extern "C" fn(*mut RawRecogniser, *const i16, c_int) -> c_int,
    result: Read,
    partial: Read,
    final_result: Read,
    /// Newer than 0.3.45: the longest silence at the start, the silence at the end and the longest
    /// utterance, in seconds.
    set_endpoint_delays:
        Option<unsafe extern "C" fn(*mut RawRecogniser, c_float, c_float, c_float)>,
}

/// libvosk, loaded.
#[derive(Clone, Debug)]
pub struct Vosk {
    functions: Functions,
    path: PathBuf,
}

impl Vosk {
    /// Finds and loads libvosk: the file configured, HOTLINE_LIBVOSK, or the usual places.
    ///
    /// # Errors
    /// When it is in none of these places, or the file found is not fit.
    pub fn load(configured: Option<&Path>) -> Result<Self, SpeechError> {
        let path = places::find(configured)?;
        let unfit = |reason: String| SpeechError::BadLibrary {
            library: "libvosk",
            path: path.clone(),
            reason,
            remedy: "use the libvosk.so of the Python package vosk 0.3.45 or newer for this kind of \
                     machine",
        };
        // SAFETY: loading runs the initialisers of the file. The file is one that the admin named
        // or that lies where libraries are installed, and libvosk's initialisers need nothing.
        let library = unsafe { Library::new(&path) }.map_err(|error| unfit(error.to_string()))?;
        let functions = Functions::read(&library).map_err(unfit)?;
        if let Ok(set_log_level) =
            symbol::<unsafe extern "C" fn(c_int)>(&library, "vosk_set_log_level")
        {
            // SAFETY: the signature is that of vosk_api.h, and the function only stores a number.
            unsafe { set_log_level(-1) };
        }
        std::mem::forget(library);
        Ok(Self { functions, path })
    }

    /// Returns the file that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Loads the model of a language from its folder, which is looked through first. It blocks.
    ///
    /// # Errors
    /// When a file of the model is missing, which the error names, or libvosk refuses the model.
    pub fn model(
        &self,
        language: Language,
        folder: &Path,
        setting: &Setting,
    ) -> Result<Model, SpeechError> {
        let grammars = places::check_model(folder, setting)?;
        let refused = || SpeechError::RefusedModel {
            engine: "libvosk",
            setting: setting.clone(),
            folder: folder.to_owned(),
        };
        let rate = places::sampling_rate(folder);
        let name = CString::new(folder.as_os_str().as_encoded_bytes()).map_err(|_| refused())?;
        // SAFETY: the name is a C string that lives during the call; null comes back on failure.
        let raw = unsafe { (self.functions.model_new)(name.as_ptr()) };
        let raw = NonNull::new(raw).ok_or_else(refused)?;
        let shared = Arc::new(Shared {
            functions: self.functions,
            raw,
        });
        Ok(Model {
            shared,
            language,
            grammars,
            rate,
        })
    }
}

impl Functions {
    fn read(library: &Library) -> Result<Self, String> {
        Ok(Self {
            model_new: symbol(library, "vosk_model_new")?,
            model_free: symbol(library, "vosk_model_free")?,
            find_word: symbol(library, "vosk_model_find_word")?,
            recogniser_new: symbol(library, "vosk_recognizer_new")?,
            recogniser_new_grammar: symbol(library, "vosk_recognizer_new_grm")?,
            recogniser_free: symbol(library, "vosk_recognizer_free")?,
            set_words: symbol(library, "vosk_recognizer_set_words")?,
            accept: symbol(library, "vosk_recognizer_accept_waveform_s")?,
            result: symbol(library, "vosk_recognizer_result")?,
            partial: symbol(library, "vosk_recognizer_partial_result")?,
            final_result: symbol(library, "vosk_recognizer_final_result")?,
            set_endpoint_delays: symbol(library, "vosk_recognizer_set_endpointer_delays").ok(),
        })
    }
}

/// Reads one function of the library; `F` has to be its signature in vosk_api.h.
fn symbol<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
    // SAFETY: every caller in this file names a function of vosk_api.h together with its
    // signature there, and the library stays loaded for ever.
    let found = unsafe { library.get::<F>(name) };
    found
        .map(|function| *function)
        .map_err(|_| format!("it has no function {name}"))
}

/// A model that was loaded. Clones share it.
#[derive(Clone)]
pub struct Model {
    shared: Arc<Shared>,
    language: Language,
    grammars: bool,
    /// The sampling rate in Hz that it was trained at.
    rate: u32,
}

struct Shared {
    functions: Functions,
    raw: NonNull<RawModel>,
}

// SAFETY: libvosk's models are read-only after loading and count their references atomically; its
// documentation shares one model between recognisers on several threads.
unsafe impl Send for Shared {}
// SAFETY: as above; the only calls on a shared model are find_word, which reads, and the making of
// recognisers.
unsafe impl Sync for Shared {}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the model came from model_new, and this is the only place that frees it, once.
        unsafe { (self.functions.model_free)(self.raw.as_ptr()) };
    }
}

impl Model {
    /// Tells whether the model knows a word.
    pub fn knows(&self, word: &str) -> bool {
        let Ok(word) = CString::new(word) else {
            return false;
        };
        // SAFETY: the model is alive as long as `shared`, and the word lives during the call.
        let number =
            unsafe { (self.shared.functions.find_word)(self.shared.raw.as_ptr(), word.as_ptr()) };
        number >= 0
    }

    /// Makes the grammar of a question: the hinted phrases in so far as the model knows their
    /// words, and `[unk]` for everything else. None when nothing is left to listen for.
    fn grammar(&self, hints: &[String]) -> Option<String> {
        if !self.grammars {
            return None;
        }
        let phrases = known_phrases(hints, |word| self.knows(word));
        if phrases.is_empty() {
            return None;
        }
        let mut grammar = serde_json::json!(phrases);
        if let (true, Some(list)) = (self.knows(UNKNOWN), grammar.as_array_mut()) {
            list.push(UNKNOWN.into());
        }
        Some(grammar.to_string())
    }
}

impl Recogniser for Model {
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
        let failed = |reason: &str| SpeechError::Recogniser {
            language: self.language,
            reason: reason.to_owned(),
        };
        let functions = self.shared.functions;
        let model = self.shared.raw.as_ptr();
        let rate = self.rate as c_float;
        // Vosk refuses audio below the model's rate.
        let converter = match self.rate == RATE as u32 {
            true => None,
            false => Some(
                Converter::new(RATE as u32, self.rate)
                    .ok_or_else(|| failed("its model's sampling rate cannot be reached"))?,
            ),
        };
        let grammar = self.grammar(&asked.hints);
        let raw = match grammar.map(CString::new) {
            // SAFETY: the model is alive as long as `shared`, of which the recogniser keeps a
            // clone; the grammar lives during the call.
            Some(Ok(grammar)) => unsafe {
                (functions.recogniser_new_grammar)(model, rate, grammar.as_ptr())
            },
            // SAFETY: as above.
            Some(Err(_)) | None => unsafe { (functions.recogniser_new)(model, rate) },
        };
        let raw = NonNull::new(raw).ok_or_else(|| failed("libvosk could not open it"))?;
        let ear = VoskRecognition {
            functions,
            raw,
            language: self.language,
            ended: Transcript::default(),
            done: VecDeque::new(),
            told: String::new(),
            looked: true,
            pushed: 0,
            began: 0,
            rate: self.rate,
            converter,
            _model: Arc::clone(&self.shared),
        };
        // SAFETY: the recogniser has just been made and is used by this thread only.
        unsafe { (functions.set_words)(raw.as_ptr(), 1) };
        if let Some(set_endpoint_delays) = functions.set_endpoint_delays {
            // SAFETY: as above. Our own turn-taking decides, so Vosk's end points are put far away.
            unsafe { set_endpoint_delays(raw.as_ptr(), 60.0, 30.0, 60.0) };
        }
        Ok(Box::new(ear))
    }
}

struct VoskRecognition {
    functions: Functions,
    raw: NonNull<RawRecogniser>,
    language: Language,
    /// What was said before end points of Vosk's own in this turn.
    ended: Transcript,
    /// Turns that are over and not told yet.
    done: VecDeque<Transcript>,
    /// The words so far, as last told.
    told: String,
    /// Whether nothing came since the words so far were looked at.
    looked: bool,
    /// Samples taken since the recogniser was made, by which Vosk counts its times.
    pushed: u64,
    /// The value of `pushed` when the turn began.
    began: u64,
    /// The model's sampling rate in Hz.
    rate: u32,
    /// Brings telephone audio to that rate.
    converter: Option<Converter>,
    _model: Arc<Shared>,
}

impl Drop for VoskRecognition {
    fn drop(&mut self) {
        // SAFETY: the recogniser came from recogniser_new or _new_grammar, and this is the only
        // place that frees it, once. The model is dropped after this.
        unsafe { (self.functions.recogniser_free)(self.raw.as_ptr()) };
    }
}

impl VoskRecognition {
    fn read(&mut self, function: Read) -> Option<&[u8]> {
        // SAFETY: the recogniser is alive and used by one thread at a time (`&mut self`).
        let text = unsafe { function(self.raw.as_ptr()) };
        // SAFETY: libvosk returns a C string that stays valid until the next call on the same
        // recogniser, which the borrow of `self` rules out.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
    }

    fn take(&mut self, function: Read) {
        let began = self.began as f64 / f64::from(self.rate);
        let Some(bytes) = self.read(function) else {
            return;
        };
        let result: FinalResult = serde_json::from_slice(bytes).unwrap_or_default();
        let ended = &mut self.ended;
        join(&mut ended.text, result.text.trim());
        ended
            .words
            .extend(result.result.into_iter().map(|word| word.since(began)));
    }

    /// Returns the words so far.
    fn partial(&mut self) -> String {
        let mut text = self.ended.text.clone();
        let now = self.read(self.functions.partial);
        if let Some(result) =
            now.and_then(|json| serde_json::from_slice::<PartialResult>(json).ok())
        {
            join(&mut text, result.partial.trim());
        }
        text
    }
}

impl Recognition for VoskRecognition {
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        self.looked = false;
        let converted = self
            .converter
            .as_mut()
            .map(|converter| converter.push(samples));
        let samples = converted.as_deref().unwrap_or(samples);
        // A C int holds 37 hours of samples; frames and recordings are shorter by far.
        for piece in samples.chunks(RATE * 3600) {
            // SAFETY: pointer and length describe `piece`, which lives during the call, and the
            // recogniser is used by one thread at a time (`&mut self`).
            let outcome = unsafe {
                (self.functions.accept)(self.raw.as_ptr(), piece.as_ptr(), piece.len() as c_int)
            };
            self.pushed += piece.len() as u64;
            match outcome {
                0 => {}
                1 => self.take(self.functions.result),
                code => {
                    let reason = format!("libvosk returned {code} for audio");
                    return Err(SpeechError::Recogniser {
                        language: self.language,
                        reason,
                    });
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        self.take(self.functions.final_result);
        self.began = self.pushed;
        self.told.clear();
        self.looked = true;
        let mut transcript = std::mem::take(&mut self.ended);
        transcript.confidence = confidence(&transcript.words);
        self.done.push_back(transcript);
        Ok(())
    }

    /// Vosk goes on behind an end point of ours as it does behind its own.
    fn settle(&mut self) {
        self.take(self.functions.final_result);
        self.looked = false;
    }

    fn told(&mut self, _now: Instant) -> Result<Option<Told>, SpeechError> {
        if let Some(transcript) = self.done.pop_front() {
            return Ok(Some(Told::Final(transcript)));
        }
        if std::mem::replace(&mut self.looked, true) {
            return Ok(None);
        }
        let text = self.partial();
        if text == self.told {
            return Ok(None);
        }
        self.told.clone_from(&text);
        Ok(Some(Told::Partial(text)))
    }
}

#[derive(Deserialize, Default)]
struct PartialResult {
    #[serde(default)]
    partial: String,
}

#[derive(Deserialize, Default)]
struct FinalResult {
    #[serde(default)]
    text: String,
    #[serde(default)]
    result: Vec<FinalWord>,
}

#[derive(Deserialize)]
struct FinalWord {
    word: String,
    start: f64,
    end: f64,
    conf: f32,
}

impl FinalWord {
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

fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// Weighs the confidence of each word by how long it was. What was not understood counts as 0, at
/// a quarter of its length: "[unk] biblioteket" is a caller who said more than the grammar knows,
/// and a language in which nearly nothing was understood is the wrong one.
fn confidence(words: &[Word]) -> f32 {
    let (mut certain, mut total) = (0.0_f32, 0.0_f32);
    for word in words {
        let length = word.end.saturating_sub(word.start).as_secs_f32().max(0.01);
        if word.text == UNKNOWN {
            total += length / 4.0;
        } else {
            total += length;
            certain += length * word.confidence;
        }
    }
    if total > 0.0 {
        (certain / total).clamp(0.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_explained() {
        let error = Vosk::load(Some(Path::new("/nowhere/libvosk.so"))).unwrap_err();
        insta::assert_snapshot!(
            error,
            @"libvosk was not found; looked for /nowhere/libvosk.so; install it (`pip install vosk` brings it) and name the file in the recogniser's `library` or in HOTLINE_LIBVOSK"
        );
    }

    #[test]
    fn a_file_that_is_no_library_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libvosk.so");
        std::fs::write(&file, "not a library").unwrap();
        let error = Vosk::load(Some(folder.path())).unwrap_err();
        assert!(
            matches!(&error, SpeechError::BadLibrary { path, .. } if *path == file),
            "{error}"
        );
    }

    #[test]
    fn words_that_were_not_understood_lower_the_confidence() {
        let word = |text: &str, start, end| Word {
            text: text.to_owned(),
            start: Duration::from_millis(start),
            end: Duration::from_millis(end),
            confidence: 1.0,
        };
        assert_eq!(confidence(&[]), 0.0);
        assert_eq!(confidence(&[word("ja", 0, 200)]), 1.0);
        assert_eq!(confidence(&[word(UNKNOWN, 0, 200)]), 0.0);
        let mixed = confidence(&[word("ja", 0, 200), word(UNKNOWN, 200, 400)]);
        assert!((mixed - 0.8).abs() < 0.01, "{mixed}");
    }
}
