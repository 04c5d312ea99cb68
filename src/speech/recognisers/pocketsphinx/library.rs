//! The C interface of pocketsphinx 0.8+5prealpha. Every call to it is in this file.

#![expect(
    unsafe_code,
    reason = "libpocketsphinx has a C interface; every call to it is in this file"
)]

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{NonNull, null_mut};

use libloading::Library;

/// The name under which a decoder keeps its only search.
const SEARCH: &CStr = c"question";

/// Scores are kept in ten bits less than the logarithm table has.
const SCALE: f64 = 1024.0;

/// An opaque decoder, or a part of one.
#[repr(C)]
struct Raw {
    _opaque: [u8; 0],
}

type Get = unsafe extern "C" fn(*mut Raw) -> *mut Raw;
type Act = unsafe extern "C" fn(*mut Raw) -> c_int;
type SetSearch = unsafe extern "C" fn(*mut Raw, *const c_char, *const c_char) -> c_int;

/// The functions that are used. The libraries are never unloaded.
#[derive(Clone, Copy, Debug)]
struct Functions {
    parse:
        unsafe extern "C" fn(*mut Raw, *const c_void, c_int, *mut *mut c_char, c_int) -> *mut Raw,
    free_config: Act,
    to_ln: unsafe extern "C" fn(*mut Raw, c_int) -> c_double,
    args: unsafe extern "C" fn() -> *const c_void,
    init: Get,
    free: Act,
    logmath: Get,
    add_word: unsafe extern "C" fn(*mut Raw, *const c_char, *const c_char, c_int) -> c_int,
    set_jsgf: SetSearch,
    set_allphone: SetSearch,
    set_search: unsafe extern "C" fn(*mut Raw, *const c_char) -> c_int,
    start_stream: Act,
    start: Act,
    process: unsafe extern "C" fn(*mut Raw, *const i16, usize, c_int, c_int) -> c_int,
    end: Act,
    hypothesis: unsafe extern "C" fn(*mut Raw, *mut c_int) -> *const c_char,
    segments: Get,
    next: Get,
    word: unsafe extern "C" fn(*mut Raw) -> *const c_char,
    times: unsafe extern "C" fn(*mut Raw, *mut c_int, *mut c_int),
}

/// libpocketsphinx and libsphinxbase, loaded.
#[derive(Clone, Debug)]
pub(super) struct Sphinx {
    functions: Functions,
}

impl Sphinx {
    /// Loads the libraries. The file's folder is also looked at for what it needs, so that
    /// packages that were only unpacked do.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let beside = |name: &str| Some(folder.join(name)).filter(|file| file.is_file());
        for name in [
            "libquadmath.so.0",
            "libgfortran.so.5",
            "libblas.so.3",
            "liblapack.so.3",
        ] {
            if let Some(file) = beside(name) {
                std::mem::forget(open(&file)?);
            }
        }
        let base = beside("libsphinxbase.so.3").unwrap_or(PathBuf::from("libsphinxbase.so.3"));
        let base = open(&base);
        let sphinx = open(path)?;
        if symbol::<Get>(&sphinx, c"ps_config_init").is_ok() {
            return Err(
                "it is pocketsphinx 5, whose interface is another than that of 0.8".to_owned(),
            );
        }
        let base = base?;
        let functions = Functions::read(&base, &sphinx)?;
        let silence: Result<unsafe extern "C" fn(*mut c_void), String> =
            symbol(&base, c"err_set_logfp");
        if let Ok(silence) = silence {
            // SAFETY: the signature is that of err.h; null means that nothing is logged.
            unsafe { silence(null_mut()) };
        }
        std::mem::forget((base, sphinx));
        Ok(Self { functions })
    }

    /// Makes a decoder without a search; None when the model is refused.
    pub(super) fn decoder(&self, model: &Path, options: &[(&str, &str)]) -> Option<Decoder> {
        let functions = self.functions;
        let mut words = vec![c"hotline".to_owned(), c"-hmm".to_owned()];
        words.push(CString::new(model.as_os_str().as_bytes()).ok()?);
        for (name, value) in options {
            words.push(CString::new(format!("-{name}")).ok()?);
            words.push(CString::new(*value).ok()?);
        }
        let mut pointers: Vec<*mut c_char> =
            words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).ok()?;
        // SAFETY: ps_args returns a static table. The words are C strings that live during the
        // call, which copies what it keeps and changes none of them.
        let config = unsafe {
            (functions.parse)(
                null_mut(),
                (functions.args)(),
                count,
                pointers.as_mut_ptr(),
                0,
            )
        };
        if config.is_null() {
            return None;
        }
        // SAFETY: the configuration is alive; the decoder keeps a reference of its own, and ours
        // is given back here, once.
        let raw = unsafe {
            let raw = (functions.init)(config);
            (functions.free_config)(config);
            raw
        };
        Some(Decoder {
            functions,
            raw: NonNull::new(raw)?,
            open: false,
        })
    }
}

fn open(path: &Path) -> Result<Library, String> {
    // SAFETY: loading runs the initialisers of the file. The file is one that the admin named or
    // that lies where libraries are installed, and these libraries' initialisers need nothing.
    unsafe { Library::new(path) }.map_err(|error| error.to_string())
}

/// Reads one function of a library; `F` has to be its signature in the header.
fn symbol<F: Copy>(library: &Library, name: &CStr) -> Result<F, String> {
    // SAFETY: every caller in this file names a function of pocketsphinx.h, ps_search.h, cmd_ln.h,
    // logmath.h or err.h with its signature there, and the library stays loaded for ever.
    let found = unsafe { library.get::<F>(name.to_bytes_with_nul()) };
    found
        .map(|function| *function)
        .map_err(|_| format!("it has no function {}", name.to_string_lossy()))
}

impl Functions {
    fn read(base: &Library, sphinx: &Library) -> Result<Self, String> {
        Ok(Self {
            parse: symbol(base, c"cmd_ln_parse_r")?,
            free_config: symbol(base, c"cmd_ln_free_r")?,
            to_ln: symbol(base, c"logmath_log_to_ln")?,
            args: symbol(sphinx, c"ps_args")?,
            init: symbol(sphinx, c"ps_init")?,
            free: symbol(sphinx, c"ps_free")?,
            logmath: symbol(sphinx, c"ps_get_logmath")?,
            add_word: symbol(sphinx, c"ps_add_word")?,
            set_jsgf: symbol(sphinx, c"ps_set_jsgf_string")?,
            set_allphone: symbol(sphinx, c"ps_set_allphone_file")?,
            set_search: symbol(sphinx, c"ps_set_search")?,
            start_stream: symbol(sphinx, c"ps_start_stream")?,
            start: symbol(sphinx, c"ps_start_utt")?,
            process: symbol(sphinx, c"ps_process_raw")?,
            end: symbol(sphinx, c"ps_end_utt")?,
            hypothesis: symbol(sphinx, c"ps_get_hyp")?,
            segments: symbol(sphinx, c"ps_seg_iter")?,
            next: symbol(sphinx, c"ps_seg_next")?,
            word: symbol(sphinx, c"ps_seg_word")?,
            times: symbol(sphinx, c"ps_seg_frames")?,
        })
    }
}

/// A word and the frames of 10 ms it takes, counted from the first of the stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) word: String,
    pub(super) first: i32,
    pub(super) last: i32,
}

/// A decoder with one search, used by one thread at a time.
pub(super) struct Decoder {
    functions: Functions,
    raw: NonNull<Raw>,
    /// Whether an utterance is in progress.
    open: bool,
}

// SAFETY: a decoder keeps everything it changes in itself; what decoders share are the static
// tables of the library and the log, which is off. It is not Sync, so one thread has it at a time.
unsafe impl Send for Decoder {}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the decoder came from ps_init, and this is the only place that frees it, once.
        unsafe { (self.functions.free)(self.raw.as_ptr()) };
    }
}

impl Decoder {
    /// Adds a word with its phones; false when the model does not have them.
    pub(super) fn add_word(&mut self, word: &str, phones: &str) -> bool {
        let (Ok(word), Ok(phones)) = (CString::new(word), CString::new(phones)) else {
            return false;
        };
        // SAFETY: the decoder is alive and used by one thread (`&mut self`); the strings live
        // during the call, which copies them.
        let number = unsafe {
            (self.functions.add_word)(self.raw.as_ptr(), word.as_ptr(), phones.as_ptr(), 0)
        };
        number >= 0
    }

    /// Searches for sentences of a JSGF grammar from now on.
    pub(super) fn set_grammar(&mut self, jsgf: &str) -> bool {
        let Ok(jsgf) = CString::new(jsgf) else {
            return false;
        };
        self.set(self.functions.set_jsgf, jsgf.as_ptr())
    }

    /// Searches for any phones in any order from now on.
    pub(super) fn set_phones(&mut self, model: Option<&Path>) -> bool {
        let model = model.and_then(|file| CString::new(file.as_os_str().as_bytes()).ok());
        let pointer = model
            .as_ref()
            .map_or(std::ptr::null(), |file| file.as_ptr());
        self.set(self.functions.set_allphone, pointer)
    }

    fn set(&mut self, function: SetSearch, what: *const c_char) -> bool {
        let raw = self.raw.as_ptr();
        // SAFETY: the decoder is alive, used by one thread and between utterances; `what` is a C
        // string of the caller that lives during the call, or null, which means no phone model.
        unsafe {
            function(raw, SEARCH.as_ptr(), what) == 0
                && (self.functions.set_search)(raw, SEARCH.as_ptr()) == 0
        }
    }

    /// Begins counting frames anew.
    pub(super) fn start_stream(&mut self) -> bool {
        // SAFETY: the decoder is alive, used by one thread and between utterances.
        unsafe { (self.functions.start_stream)(self.raw.as_ptr()) == 0 }
    }

    /// Takes samples of 16 kHz; begins an utterance where there is none.
    pub(super) fn push(&mut self, samples: &[i16]) -> bool {
        if !self.open {
            // SAFETY: the decoder is alive, has a search and is used by one thread.
            self.open = unsafe { (self.functions.start)(self.raw.as_ptr()) == 0 };
        }
        // SAFETY: pointer and length describe `samples`, which live during the call; an utterance
        // is in progress, and one thread uses the decoder.
        self.open
            && unsafe {
                (self.functions.process)(self.raw.as_ptr(), samples.as_ptr(), samples.len(), 0, 0)
                    >= 0
            }
    }

    /// Ends the utterance, if there is one.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            // SAFETY: an utterance is in progress, and one thread uses the decoder.
            unsafe { (self.functions.end)(self.raw.as_ptr()) };
        }
    }

    /// Returns the natural logarithm of the likelihood of the best path; after the end of an
    /// utterance that of a complete sentence, or None.
    pub(super) fn score(&mut self) -> Option<f64> {
        let (raw, functions) = (self.raw.as_ptr(), self.functions);
        let mut score: c_int = 0;
        // SAFETY: the decoder is alive, has begun an utterance before this is called and is used
        // by one thread; the score is written before the call returns.
        let text = unsafe { (functions.hypothesis)(raw, &raw mut score) };
        if text.is_null() {
            return None;
        }
        // SAFETY: the logarithm table belongs to the decoder and is only read.
        let logarithm = unsafe { (functions.to_ln)((functions.logmath)(raw), score) };
        Some(logarithm * SCALE)
    }

    /// Returns the words of the best path, fillers left out.
    pub(super) fn spans(&mut self) -> Vec<Span> {
        let functions = self.functions;
        let mut spans = Vec::new();
        // SAFETY: the decoder is alive and used by one thread. The iterator frees itself when
        // `next` returns null, and the loop goes on until then; the word is a C string of the
        // decoder's dictionary, copied at once.
        unsafe {
            let mut segment = (functions.segments)(self.raw.as_ptr());
            while !segment.is_null() {
                let word = (functions.word)(segment);
                let (mut first, mut last) = (0, 0);
                (functions.times)(segment, &raw mut first, &raw mut last);
                if !word.is_null() {
                    let word = CStr::from_ptr(word).to_string_lossy();
                    if !word.starts_with(['<', '[', '+', '(']) {
                        let word = word.split('(').next().unwrap_or_default().to_owned();
                        spans.push(Span { word, first, last });
                    }
                }
                segment = (functions.next)(segment);
            }
        }
        spans
    }
}
