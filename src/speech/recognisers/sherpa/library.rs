//! libsherpa-onnx-c-api.so, loaded while the program runs. This is the only file here that talks
//! to foreign code. The library ends the whole process over what it does not like, which nothing
//! in here can catch: [`super::folder`] looks first.

#![expect(
    unsafe_code,
    reason = "sherpa-onnx has a C interface; every call to it is in this file"
)]

use std::ffi::{CStr, CString, c_char, c_float, c_int};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;

use libloading::Library;

use super::folder::{Found, Kind};
use super::layout::{KNOWN_VERSIONS, StreamingSettings, WholeSettings};
use super::places;
use crate::speech::SpeechError;

/// An object of the library that is never looked into.
#[repr(C)]
struct Opaque {
    _opaque: [u8; 0],
}

type Object = *const Opaque;
type Accept = unsafe extern "C" fn(Object, c_int, *const c_float, c_int);
type Free = unsafe extern "C" fn(Object);

/// The functions of sherpa-onnx that are used. The library is never unloaded: threads of its own
/// would outlive it.
#[derive(Clone, Copy, Debug)]
struct Functions {
    whole_new: unsafe extern "C" fn(*const WholeSettings) -> Object,
    whole_free: Free,
    recording_new: unsafe extern "C" fn(Object) -> Object,
    recording_new_hinted: unsafe extern "C" fn(Object, *const c_char) -> Object,
    recording_free: Free,
    recording_accept: Accept,
    recording_decode: unsafe extern "C" fn(Object, Object),
    recording_result: unsafe extern "C" fn(Object) -> *const c_char,
    recording_result_free: unsafe extern "C" fn(*const c_char),
    streaming_new: unsafe extern "C" fn(*const StreamingSettings) -> Object,
    streaming_free: Free,
    stream_new: unsafe extern "C" fn(Object) -> Object,
    stream_free: Free,
    stream_accept: Accept,
    stream_is_ready: unsafe extern "C" fn(Object, Object) -> c_int,
    stream_decode: unsafe extern "C" fn(Object, Object),
    stream_finished: Free,
    stream_result: unsafe extern "C" fn(Object, Object) -> *const c_char,
    stream_result_free: unsafe extern "C" fn(*const c_char),
}

/// sherpa-onnx, loaded.
#[derive(Clone, Debug)]
pub(super) struct Sherpa {
    functions: Functions,
    path: PathBuf,
    version: String,
}

/// How a model is to be used.
pub(super) struct Use<'a> {
    /// The language of the callers, for models that know several.
    pub(super) language: &'a str,
    /// The sampling rate in Hz that it was trained at.
    pub(super) rate: u32,
    /// The bands of its features; 0 for what is usual.
    pub(super) features: u32,
    /// Threads of one decode.
    pub(super) threads: usize,
    /// Whether phrases are made likelier.
    pub(super) hints: bool,
}

impl Sherpa {
    /// Finds and loads the library: the file configured, HOTLINE_LIBSHERPA, or the usual places.
    ///
    /// # Errors
    /// When it is in none of these places, or the file found is not fit, or of a version whose
    /// structures are not known.
    pub(super) fn load(configured: Option<&Path>) -> Result<Self, SpeechError> {
        let path = places::find(configured)?;
        let unfit = |reason: String| SpeechError::BadLibrary {
            library: places::LIBRARY,
            path: path.clone(),
            reason,
            remedy: "use the libsherpa-onnx-c-api.so of the Python package sherpa-onnx-core 2.0.1, \
                     with its libonnxruntime.so beside it",
        };
        // SAFETY: loading runs the initialisers of the file. The file is one that the admin named
        // or that lies where libraries are installed, and sherpa-onnx's initialisers need nothing.
        let library = unsafe { Library::new(&path) }.map_err(|error| unfit(error.to_string()))?;
        let version = version(&library).map_err(unfit)?;
        if !KNOWN_VERSIONS.contains(&version.as_str()) {
            return Err(unfit(format!(
                "it is version {version}, and the versions known are {}",
                KNOWN_VERSIONS.join(", ")
            )));
        }
        let functions = Functions::read(&library).map_err(unfit)?;
        std::mem::forget(library);
        Ok(Self {
            functions,
            path,
            version,
        })
    }

    /// Returns the file that was loaded.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its version, such as `2.0.1`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Loads a model for whole utterances, which was looked through. It blocks. None when
    /// sherpa-onnx refuses it.
    pub(super) fn whole(&self, found: &Found, how: &Use<'_>) -> Option<Whole> {
        let mut texts = Texts::default();
        // SAFETY: the structure has integers, floats and raw pointers only, for all of which zero
        // is a value.
        let mut settings: WholeSettings = unsafe { std::mem::zeroed() };
        settings.features.rate = how.rate as c_int;
        settings.features.width = how.features as c_int;
        let model = &mut settings.model;
        model.tokens = texts.path(&found.tokens)?;
        model.threads = how.threads as c_int;
        model.provider = texts.text("cpu")?;
        let network = texts.path(&found.network)?;
        let decoder = texts.path(&found.decoder)?;
        match found.kind {
            Kind::Transducer | Kind::NemoTransducer => {
                model.transducer.encoder = network;
                model.transducer.decoder = decoder;
                model.transducer.joiner = texts.path(&found.joiner)?;
                let is_nemo = found.kind == Kind::NemoTransducer;
                model.model_type = texts.text(if is_nemo {
                    "nemo_transducer"
                } else {
                    "transducer"
                })?;
            }
            Kind::Whisper => {
                model.whisper.encoder = network;
                model.whisper.decoder = decoder;
                model.whisper.language = texts.text(how.language)?;
                model.whisper.task = texts.text("transcribe")?;
            }
            Kind::Canary => {
                model.canary.encoder = network;
                model.canary.decoder = decoder;
                model.canary.source_language = texts.text(how.language)?;
                model.canary.target_language = texts.text(how.language)?;
            }
            Kind::NemoCtc => model.nemo_ctc = network,
            Kind::ZipformerCtc => model.zipformer_ctc = network,
            Kind::WenetCtc => model.wenet_ctc = network,
            Kind::Tdnn => model.tdnn = network,
            Kind::Auto
            | Kind::StreamingTransducer
            | Kind::StreamingZipformerCtc
            | Kind::StreamingNemoCtc => return None,
        }
        settings.decoding_method = texts.text("greedy_search")?;
        if how.hints {
            model.modeling_unit = texts.text("bpe")?;
            model.bpe_vocab = texts.path(found.bpe_vocab.as_deref()?)?;
            settings.decoding_method = texts.text("modified_beam_search")?;
            settings.max_active_paths = 4;
            settings.hotwords_score = 1.5;
        }
        // SAFETY: the structure is that of this version of the library, and every text in it lives
        // in `texts` during the call; the library copies them. Null comes back on failure.
        let raw = unsafe { (self.functions.whole_new)(&settings) };
        Some(Whole(Arc::new(Model {
            functions: self.functions,
            raw: NonNull::new(raw.cast_mut())?,
            free: self.functions.whole_free,
            hints: how.hints,
        })))
    }

    /// Loads a model that takes a stream, which was looked through. It blocks. None when
    /// sherpa-onnx refuses it.
    pub(super) fn streaming(&self, found: &Found, how: &Use<'_>) -> Option<Streaming> {
        let mut texts = Texts::default();
        // SAFETY: the structure has integers, floats and raw pointers only, for all of which zero
        // is a value.
        let mut settings: StreamingSettings = unsafe { std::mem::zeroed() };
        settings.features.rate = how.rate as c_int;
        settings.features.width = how.features as c_int;
        let model = &mut settings.model;
        model.tokens = texts.path(&found.tokens)?;
        model.threads = how.threads as c_int;
        model.provider = texts.text("cpu")?;
        let network = texts.path(&found.network)?;
        match found.kind {
            Kind::StreamingTransducer => {
                model.transducer.encoder = network;
                model.transducer.decoder = texts.path(&found.decoder)?;
                model.transducer.joiner = texts.path(&found.joiner)?;
            }
            Kind::StreamingZipformerCtc => model.zipformer_ctc = network,
            Kind::StreamingNemoCtc => model.nemo_ctc = network,
            _ => return None,
        }
        settings.decoding_method = texts.text("greedy_search")?;
        // SAFETY: as in `whole`.
        let raw = unsafe { (self.functions.streaming_new)(&settings) };
        Some(Streaming(Arc::new(Model {
            functions: self.functions,
            raw: NonNull::new(raw.cast_mut())?,
            free: self.functions.streaming_free,
            hints: false,
        })))
    }
}

/// Texts for C, kept for as long as their pointers are used.
#[derive(Default)]
struct Texts(Vec<CString>);

impl Texts {
    fn text(&mut self, text: &str) -> Option<*const c_char> {
        self.keep(text.as_bytes())
    }

    fn path(&mut self, path: &Path) -> Option<*const c_char> {
        self.keep(path.as_os_str().as_encoded_bytes())
    }

    fn keep(&mut self, bytes: &[u8]) -> Option<*const c_char> {
        let text = CString::new(bytes).ok()?;
        // The bytes lie on the heap and stay where they are when the vector grows.
        let pointer = text.as_ptr();
        self.0.push(text);
        Some(pointer)
    }
}

impl Functions {
    fn read(library: &Library) -> Result<Self, String> {
        Ok(Self {
            whole_new: symbol(library, "SherpaOnnxCreateOfflineRecognizer")?,
            whole_free: symbol(library, "SherpaOnnxDestroyOfflineRecognizer")?,
            recording_new: symbol(library, "SherpaOnnxCreateOfflineStream")?,
            recording_new_hinted: symbol(library, "SherpaOnnxCreateOfflineStreamWithHotwords")?,
            recording_free: symbol(library, "SherpaOnnxDestroyOfflineStream")?,
            recording_accept: symbol(library, "SherpaOnnxAcceptWaveformOffline")?,
            recording_decode: symbol(library, "SherpaOnnxDecodeOfflineStream")?,
            recording_result: symbol(library, "SherpaOnnxGetOfflineStreamResultAsJson")?,
            recording_result_free: symbol(library, "SherpaOnnxDestroyOfflineStreamResultJson")?,
            streaming_new: symbol(library, "SherpaOnnxCreateOnlineRecognizer")?,
            streaming_free: symbol(library, "SherpaOnnxDestroyOnlineRecognizer")?,
            stream_new: symbol(library, "SherpaOnnxCreateOnlineStream")?,
            stream_free: symbol(library, "SherpaOnnxDestroyOnlineStream")?,
            stream_accept: symbol(library, "SherpaOnnxOnlineStreamAcceptWaveform")?,
            stream_is_ready: symbol(library, "SherpaOnnxIsOnlineStreamReady")?,
            stream_decode: symbol(library, "SherpaOnnxDecodeOnlineStream")?,
            stream_finished: symbol(library, "SherpaOnnxOnlineStreamInputFinished")?,
            stream_result: symbol(library, "SherpaOnnxGetOnlineStreamResultAsJson")?,
            stream_result_free: symbol(library, "SherpaOnnxDestroyOnlineStreamResultJson")?,
        })
    }
}

/// Reads one function of the library; `F` has to be its signature in c-api.h.
fn symbol<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
    // SAFETY: every caller in this file names a function of c-api.h together with its signature
    // there, and the library stays loaded for as long as the function is used.
    let found = unsafe { library.get::<F>(name) };
    found
        .map(|function| *function)
        .map_err(|_| format!("it has no function {name}"))
}

fn version(library: &Library) -> Result<String, String> {
    let version: unsafe extern "C" fn() -> *const c_char =
        symbol(library, "SherpaOnnxGetVersionStr")?;
    // SAFETY: the function takes nothing and returns a text that is part of the library.
    let text = unsafe { version() };
    if text.is_null() {
        return Err("it tells no version".to_owned());
    }
    // SAFETY: as above; it is a C string and the library is still loaded.
    Ok(unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned())
}

struct Model {
    functions: Functions,
    raw: NonNull<Opaque>,
    free: Free,
    hints: bool,
}

// SAFETY: a recogniser of sherpa-onnx is not tied to the thread that made it, and its own servers
// share one between threads: making streams and decoding do not change it, but for the two kinds of
// which `Kind::is_shared` tells, and the pool gives those to one thread only.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the recogniser came from whole_new or streaming_new together with its own `free`,
        // and this is the only place that frees it, once; streams keep the model alive.
        unsafe { (self.free)(self.raw.as_ptr()) };
    }
}

impl Model {
    fn raw(&self) -> Object {
        self.raw.as_ptr()
    }
}

/// Reads a text that the library made for its caller, and has it freed.
///
/// # Safety
/// The text is null or a C string that a result function has just made, and `free` frees those.
unsafe fn take(text: *const c_char, free: unsafe extern "C" fn(*const c_char)) -> Vec<u8> {
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: as the caller says; it is freed once, after the copy.
    unsafe {
        let bytes = CStr::from_ptr(text).to_bytes().to_vec();
        free(text);
        bytes
    }
}

/// A model for whole utterances. Clones share it.
#[derive(Clone)]
pub(super) struct Whole(Arc<Model>);

impl Whole {
    /// Decodes an utterance, with phrases that are likelier, and returns what sherpa-onnx tells, as
    /// JSON. It blocks. None when it could not begin.
    pub(super) fn decode(
        &self,
        samples: &[f32],
        rate: u32,
        hints: Option<&str>,
    ) -> Option<Vec<u8>> {
        let (functions, model) = (&self.0.functions, self.0.raw());
        let hints = hints
            .filter(|hints| self.0.hints && !hints.is_empty())
            .and_then(|hints| CString::new(hints).ok());
        let raw = match &hints {
            // SAFETY: the model is alive; the phrases live during the call. The model was made for
            // hints, without which this function would end the process.
            Some(hints) => unsafe { (functions.recording_new_hinted)(model, hints.as_ptr()) },
            // SAFETY: the model is alive.
            None => unsafe { (functions.recording_new)(model) },
        };
        let recording = Owned {
            raw: NonNull::new(raw.cast_mut())?,
            free: functions.recording_free,
            _here: PhantomData,
        };
        let length = c_int::try_from(samples.len()).ok()?;
        // SAFETY: the recording has just been made and is used by this thread only; pointer and
        // length describe `samples`, which live during the calls.
        let text = unsafe {
            (functions.recording_accept)(recording.raw(), rate as c_int, samples.as_ptr(), length);
            (functions.recording_decode)(model, recording.raw());
            (functions.recording_result)(recording.raw())
        };
        // SAFETY: the text has just been made by the function that goes with this one.
        Some(unsafe { take(text, functions.recording_result_free) })
    }
}

/// A model that takes a stream. Clones share it.
#[derive(Clone)]
pub(super) struct Streaming(Arc<Model>);

impl Streaming {
    /// Opens a stream. None when there is none to be had.
    pub(super) fn open(&self) -> Option<Stream> {
        // SAFETY: the model is alive, and the stream keeps it so.
        let raw = unsafe { (self.0.functions.stream_new)(self.0.raw()) };
        Some(Stream {
            owned: Owned {
                raw: NonNull::new(raw.cast_mut())?,
                free: self.0.functions.stream_free,
                _here: PhantomData,
            },
            model: Arc::clone(&self.0),
        })
    }
}

/// An object that is freed where it is dropped, on the thread that made it.
struct Owned {
    raw: NonNull<Opaque>,
    free: Free,
    _here: PhantomData<Rc<()>>,
}

impl Owned {
    fn raw(&self) -> Object {
        self.raw.as_ptr()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the object came from a function that makes such objects, together with its own
        // `free`, and this is the only place that frees it, once.
        unsafe { (self.free)(self.raw()) };
    }
}

/// One utterance in the making. It is dropped before its model.
pub(super) struct Stream {
    owned: Owned,
    model: Arc<Model>,
}

impl Stream {
    /// Takes audio and decodes as far as it goes.
    pub(super) fn push(&mut self, samples: &[f32], rate: u32) {
        let Ok(length) = c_int::try_from(samples.len()) else {
            return;
        };
        // SAFETY: the stream is alive and used by one thread at a time (`&mut self`); pointer and
        // length describe `samples`, which live during the call.
        unsafe {
            (self.model.functions.stream_accept)(
                self.owned.raw(),
                rate as c_int,
                samples.as_ptr(),
                length,
            );
        }
        self.decode();
    }

    /// Decodes what is left, because nothing more will come.
    pub(super) fn finish(&mut self) {
        // SAFETY: as in `push`.
        unsafe { (self.model.functions.stream_finished)(self.owned.raw()) };
        self.decode();
    }

    fn decode(&mut self) {
        let (functions, model) = (&self.model.functions, self.model.raw());
        // SAFETY: model and stream are alive and belong together, and the stream is used by one
        // thread at a time (`&mut self`). Decoding one that is not ready would end the process.
        unsafe {
            while (functions.stream_is_ready)(model, self.owned.raw()) != 0 {
                (functions.stream_decode)(model, self.owned.raw());
            }
        }
    }

    /// Returns what was made out so far, as JSON.
    pub(super) fn result(&mut self) -> Vec<u8> {
        let functions = &self.model.functions;
        // SAFETY: as in `decode`.
        let text = unsafe { (functions.stream_result)(self.model.raw(), self.owned.raw()) };
        // SAFETY: the text has just been made by the function that goes with this one.
        unsafe { take(text, functions.stream_result_free) }
    }
}
