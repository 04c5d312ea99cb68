//! Prompts: a recording where there is one, otherwise synthesised once and kept under a name made
//! of the voice and the text. Texts made ahead, which are written in flows, are kept on disk; what
//! was put together for one caller (a name, a number read back) stays in memory.
//!
//! A prompt is heard while it is still being made, and its making ends when nobody wants it.

mod figures;
mod growing;
mod making;
mod shelf;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, stream};
use md5::{Digest, Md5};
use tokio::sync::Semaphore;

pub use figures::Figures;
pub(crate) use growing::fade_out;
pub use growing::{Prompt, Source};
pub use survey::{Damaged, Lacking, Survey};

use growing::Making;
use making::Choice;
use shelf::Shelf;

use super::script::{Script, written_words};
use super::synthesisers::{self, Ready};
use super::{Config, SpeechError, wav};
use crate::dialog::spoken;
use crate::words::Language;

/// The longest name of a recording that is made of its text, in characters.
const LONGEST_NAME: usize = 80;

/// A word of every language.
const TRIAL: &str = "Hotline";

/// Texts that are made ahead at once, and files that are read at once.
const AT_ONCE: usize = 4;

/// How long a caller's prompt waits for the disk before an engine is asked.
const READING: Duration = Duration::from_secs(1);

/// Says texts. Clones share everything.
#[derive(Clone)]
pub struct Voice {
    shared: Arc<Shared>,
}

struct Shared {
    /// The voices of each language, in order of preference.
    choices: BTreeMap<Language, Vec<Choice>>,
    /// Why voices that are configured cannot be used.
    faults: Vec<Arc<SpeechError>>,
    cache: PathBuf,
    recordings: Vec<PathBuf>,
    most_on_disk: u64,
    shelf: Mutex<Shelf>,
    reading: Arc<Semaphore>,
    /// A write waits for the disk to have it, and no reader waits for a write.
    writing: Arc<Semaphore>,
    figures: Figures,
}

/// What [`Voice::make_ahead`] did.
#[derive(Debug, Default)]
pub struct MadeAhead {
    /// How many texts can be said now without waiting.
    pub ready: usize,
    /// How many of them were made by a voice that stands in for a better one.
    pub second_choice: usize,
    /// Which cannot be said, and why.
    pub faults: Vec<(Language, String, Arc<SpeechError>)>,
}

/// What came of trying a voice.
#[derive(Debug)]
pub struct Trial {
    /// The engine and the setting that names it.
    pub voice: String,
    /// Its language.
    pub language: Language,
    /// How long its first audio took, or why there was none.
    pub outcome: Result<Duration, SpeechError>,
}

impl Voice {
    /// Makes the voices that the configuration describes. Those that cannot be used are left out
    /// ([`Voice::faults`]); without any, recordings are played only.
    pub fn new(config: &Config) -> Self {
        Self::with(config, |_, _, _| true)
    }

    /// Makes those of the configured voices that are wanted, by language, place in the language's
    /// list, and engine.
    pub fn with(config: &Config, wanted: impl Fn(Language, usize, &str) -> bool) -> Self {
        let (ready, faults) = synthesisers::open(config, wanted);
        Self::build(ready, faults, config)
    }

    fn build(ready: Vec<Ready>, faults: Vec<SpeechError>, config: &Config) -> Self {
        let mut choices: BTreeMap<Language, Vec<Choice>> = BTreeMap::new();
        for ready in ready {
            let choice = Choice::new(ready, config.limits.breaker.clone());
            choices.entry(choice.language()).or_default().push(choice);
        }
        let shared = Shared {
            choices,
            faults: faults.into_iter().map(Arc::new).collect(),
            cache: config.cache_folder(),
            recordings: config.prompts.clone(),
            most_on_disk: config.cache_megabytes.saturating_mul(1_000_000),
            shelf: Mutex::new(Shelf::new(config.memory_megabytes)),
            reading: Arc::new(Semaphore::new(AT_ONCE)),
            writing: Arc::new(Semaphore::new(1)),
            figures: Figures::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns why nothing but recordings can be played, if that is so.
    pub fn fault(&self) -> Option<Arc<SpeechError>> {
        let language = Language::DA;
        self.shared.choices.is_empty().then(|| {
            let first = self.shared.faults.first().cloned();
            first.unwrap_or_else(|| Arc::new(SpeechError::NoVoice { language }))
        })
    }

    /// Returns why voices that are configured cannot be used.
    pub fn faults(&self) -> &[Arc<SpeechError>] {
        &self.shared.faults
    }

    /// Returns what is counted.
    pub fn figures(&self) -> &Figures {
        &self.shared.figures
    }

    /// Returns the audio of a text as soon as some of it can be heard: recorded, kept, or being
    /// made. Calls that want the same text at the same time share one making of it.
    ///
    /// # Errors
    /// When there is no recording and none of the language's voices can say it.
    pub async fn say(&self, text: &str, language: Language) -> Result<Prompt, Arc<SpeechError>> {
        let prompt = self.begin(text, language);
        prompt.begun().await?;
        Ok(prompt)
    }

    /// Returns the prompt of a text, which may just begin to be made.
    fn begin(&self, text: &str, language: Language) -> Prompt {
        let text = tidy(text);
        let name = hash(&[language.code(), &text]);
        let mut shelf = self.shared.shelf();
        if let Some(prompt) = shelf.find(&name) {
            return prompt;
        }
        let (prompt, making) = Prompt::growing();
        shelf.show(&name, &prompt);
        drop(shelf);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move { shared.make(&name, &text, language, making).await });
        prompt
    }

    /// Forgets what is in memory, so that recordings that were changed are read again.
    pub fn reload(&self) {
        self.shared.shelf().clear();
    }

    /// Makes texts before they are needed, a few at a time, keeps them on disk for the next start,
    /// and keeps the disk within its bounds.
    pub async fn make_ahead(
        &self,
        texts: impl IntoIterator<Item = (Language, String)>,
    ) -> MadeAhead {
        let mut made = MadeAhead::default();
        let work = texts.into_iter().map(|(language, text)| async move {
            let prompt = self.begin(&text, language);
            let audio = prompt.all().await;
            if let (Ok(audio), Some(Source::Made { kept, .. })) = (&audio, prompt.source()) {
                let samples = Arc::clone(audio);
                let written = self.shared.write(move || wav::write(&kept, &samples));
                // The caller hears the prompt whether or not it can be kept.
                if let Some(Err(error)) = written.await {
                    tracing::warn!(%error, "a prompt could not be kept");
                }
            }
            (language, text, audio.map(|_| prompt.source()))
        });
        let mut work = stream::iter(work).buffer_unordered(AT_ONCE);
        while let Some((language, text, audio)) = work.next().await {
            match audio {
                Ok(source) => {
                    made.ready += 1;
                    let stands_in = source.is_some_and(|it| !it.is_first_choice());
                    made.second_choice += usize::from(stands_in);
                }
                Err(fault) => made.faults.push((language, text, fault)),
            }
        }
        drop(work);
        let shared = Arc::clone(&self.shared);
        let pruned = self
            .shared
            .write(move || prune(&shared.cache, shared.most_on_disk))
            .await;
        if pruned.is_none() {
            tracing::warn!("the prompt cache could not be looked through");
        }
        made
    }

    /// Makes every voice say a word, and tells how long its first audio took. Nothing is kept.
    pub async fn try_out(&self) -> Vec<Trial> {
        let choices = self.shared.choices.values().flatten();
        let trials = choices.map(|choice| async move {
            Trial {
                voice: choice.called(),
                language: choice.language(),
                outcome: choice.try_out(TRIAL).await,
            }
        });
        futures_util::future::join_all(trials).await
    }

    /// Returns the file names, likeliest first, under which a recording of a text is looked for in
    /// `<prompts>/<language>/`.
    pub fn recording_names(text: &str) -> Vec<String> {
        let text = written_words(text);
        let hash = format!("{}.wav", &hash(&[&text])[..16]);
        match slug(&text) {
            Some(slug) => vec![format!("{slug}.wav"), hash],
            None => vec![hash],
        }
    }
}

impl Shared {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing in there panics half way through a change.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a prompt for as long as somebody wants it.
    async fn make(&self, name: &str, text: &str, language: Language, making: Making) {
        let made = tokio::select! {
            made = self.fetch(text, language, &making) => made,
            () = making.unwanted() => return,
        };
        match made {
            Ok(Some((samples, source))) => {
                self.hold(name, &making, Some(&source), samples.len());
                making.complete(samples.into(), source);
            }
            Ok(None) => {
                if let Some(prompt) = making.prompt() {
                    let (samples, _) = prompt.there(0);
                    self.hold(name, &making, prompt.source().as_ref(), samples);
                }
                making.finish();
            }
            Err(fault) => making.fail(fault),
        }
    }

    /// Finds the samples of a text, or passes them on while they are made.
    async fn fetch(
        &self,
        text: &str,
        language: Language,
        making: &Making,
    ) -> Result<Option<(Vec<i16>, Source)>, SpeechError> {
        let recordings = self.recordings(text, language);
        let read = self.read(move || read_recording(&recordings)).await;
        // A disk that hangs is not waited for again.
        let mut disk_answers = read.is_some();
        if let Some((path, samples)) = read.flatten() {
            return Ok(Some((samples, Source::Recorded(path))));
        }
        let script = Script::read_leniently(text, |words| spoken(words, language))?;
        let choices = self.choices.get(&language).map_or(&[][..], Vec::as_slice);
        let mut faults = Vec::new();
        for (rank, choice) in choices.iter().enumerate() {
            let kept = choice.kept(&self.cache, &script);
            let file = kept.clone();
            let engine = choice.name().to_owned();
            if disk_answers {
                let read = self.read(move || read_kept(&file)).await;
                disk_answers = read.is_some();
                if let Some(samples) = read.flatten() {
                    return Ok(Some((samples, Source::Kept { engine, rank })));
                }
            }
            let source = Source::Made { engine, rank, kept };
            match choice.make(&script, making, source, &self.figures).await {
                Ok(()) => return Ok(None),
                // What has been heard in one voice is not said again in another.
                Err(fault) if !making.restart() => return Err(fault),
                Err(fault) => faults.push(fault),
            }
        }
        Err(match faults.len() {
            0 if self.faults.is_empty() => SpeechError::NoVoice { language },
            0 => SpeechError::NoVoiceLeft {
                language,
                reasons: self.faults.iter().map(ToString::to_string).collect(),
            },
            1 => faults.remove(0),
            _ => SpeechError::NoVoiceLeft {
                language,
                reasons: faults.iter().map(ToString::to_string).collect(),
            },
        })
    }

    /// Holds a prompt that has come to its end in memory, unless a better voice is to say it next
    /// time.
    fn hold(&self, name: &str, making: &Making, source: Option<&Source>, samples: usize) {
        if source.is_some_and(Source::is_first_choice)
            && let Some(prompt) = making.prompt()
        {
            self.shelf().hold(name, prompt, samples);
        }
    }

    /// Returns where a recording of a text may be, likeliest first: as it is written, then as it
    /// is spoken.
    fn recordings(&self, text: &str, language: Language) -> Vec<PathBuf> {
        let mut names = Voice::recording_names(text);
        for name in Voice::recording_names(&spoken(&written_words(text), language)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let folders = self.recordings.iter();
        folders
            .map(|folder| folder.join(language.code()))
            .flat_map(|folder| {
                let names = names.iter();
                names.map(|name| folder.join(name)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Reads from the disk; nothing when it takes longer than a caller can wait.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let read = tokio::time::timeout(READING, blocking(&self.reading, work)).await;
        read.unwrap_or_else(|_| {
            tracing::warn!("the disk with prompts did not answer within {READING:?}");
            None
        })
    }

    /// Writes to the disk, which may take its time.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        blocking(&self.writing, work).await
    }
}

/// Does work that blocks, on a thread for it. Its seat is taken until it is done, even when nobody
/// waits for it any more, so that a disk that hangs does not take every thread.
async fn blocking<T: Send + 'static>(
    seats: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let seat = Arc::clone(seats).acquire_owned().await.ok()?;
    let work = move || {
        let _seat = seat;
        work()
    };
    tokio::task::spawn_blocking(work).await.ok()
}

/// Reads the first recording there is; a damaged one is passed over, loudly.
fn read_recording(recordings: &[PathBuf]) -> Option<(PathBuf, Vec<i16>)> {
    let mut recorded = recordings.iter().filter(|path| path.is_file());
    recorded.find_map(|path| {
        let samples = wav::read(path)
            .inspect_err(|error| {
                tracing::error!("a recording in speech.prompts cannot be played: {error}");
            })
            .ok()?;
        Some((path.clone(), samples))
    })
}

/// Reads a prompt that was kept; a damaged one is made again.
fn read_kept(kept: &Path) -> Option<Vec<i16>> {
    wav::read(kept)
        .inspect_err(|error| match error {
            wav::WavError::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            }
            wav::WavError::File { .. } | wav::WavError::Unfit { .. } => {
                tracing::warn!(%error, "a kept prompt is damaged and made again");
            }
        })
        .ok()
}

/// Deletes the oldest kept prompts until the rest fits.
fn prune(folder: &Path, most: u64) {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for language in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        for entry in std::fs::read_dir(language.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
                && entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "wav")
            {
                let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push((time, metadata.len(), entry.path()));
            }
        }
    }
    files.sort_unstable();
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in files {
        if total <= most {
            return;
        }
        if let Err(error) = std::fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "an old prompt could not be removed");
        }
        total -= size;
    }
}

fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn hash(parts: &[&str]) -> String {
    let mut digest = Md5::new();
    for part in parts {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Makes a file name of a short text: "Tak, og farvel!" becomes `tak-og-farvel`.
fn slug(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let slug = words.join("-");
    (!slug.is_empty() && slug.chars().count() <= LONGEST_NAME).then_some(slug)
}
