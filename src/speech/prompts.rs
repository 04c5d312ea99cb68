//! Prompts: a recording where there is one, otherwise synthesised once and kept, in memory and on
//! disk, under a name made of the voice and the text.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use md5::{Digest, Md5};
use tokio::sync::{OnceCell, Semaphore};

use super::espeak::Espeak;
use super::{Config, SpeechError, Synthesiser, wav};
use crate::words::Language;

/// The longest name of a recording that is made of its text, in characters.
const LONGEST_NAME: usize = 80;

type Audio = Arc<[i16]>;

/// Says texts. Clones share everything.
#[derive(Clone)]
pub struct Voice {
    shared: Arc<Shared>,
}

struct Shared {
    synthesiser: Option<Arc<dyn Synthesiser>>,
    /// Why there is no synthesiser, for those who ask it to speak.
    looked: Vec<String>,
    cache: PathBuf,
    recordings: Vec<PathBuf>,
    most_on_disk: u64,
    shelf: Mutex<Shelf>,
    blocking: Semaphore,
}

/// What [`Voice::make_ahead`] did.
#[derive(Debug, Default)]
pub struct MadeAhead {
    /// How many texts can be said now without waiting.
    pub ready: usize,
    /// Which cannot, and why.
    pub faults: Vec<(Language, String, SpeechError)>,
}

impl Voice {
    /// Makes the voice that the configuration describes. Without espeak-ng it plays recordings
    /// only; [`Voice::fault`] tells so.
    pub fn new(config: &Config) -> Self {
        match Espeak::find(config) {
            Ok(espeak) => Self::build(Some(Arc::new(espeak)), Vec::new(), config),
            Err(SpeechError::NoSynthesiser { looked }) => Self::build(None, looked, config),
            Err(_) => Self::build(None, Vec::new(), config),
        }
    }

    /// Makes a voice out of any synthesiser.
    pub fn with(synthesiser: Arc<dyn Synthesiser>, config: &Config) -> Self {
        Self::build(Some(synthesiser), Vec::new(), config)
    }

    fn build(
        synthesiser: Option<Arc<dyn Synthesiser>>,
        looked: Vec<String>,
        config: &Config,
    ) -> Self {
        let shared = Shared {
            synthesiser,
            looked,
            cache: config.cache_folder(),
            recordings: config.prompts.clone(),
            most_on_disk: config.cache_megabytes.saturating_mul(1_000_000),
            shelf: Mutex::new(Shelf::new(config.memory_megabytes)),
            blocking: Semaphore::new(4),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Returns why nothing but recordings can be played, if that is so.
    pub fn fault(&self) -> Option<SpeechError> {
        let looked = self.shared.looked.clone();
        self.shared
            .synthesiser
            .is_none()
            .then_some(SpeechError::NoSynthesiser { looked })
    }

    /// Returns the audio of a text, 8 kHz: recorded, kept, or made now. Calls that want the same
    /// text at the same time wait for one another, and it is made once.
    ///
    /// # Errors
    /// When there is no recording and the text cannot be synthesised.
    pub async fn say(&self, text: &str, language: Language) -> Result<Audio, SpeechError> {
        let text = tidy(text);
        let name = self.shared.name(&text, language);
        let cell = self.shared.shelf().cell(&name);
        let audio = cell
            .get_or_try_init(|| self.shared.fetch(&name, &text, language))
            .await?;
        self.shared.shelf().count(&name, audio.len());
        Ok(Arc::clone(audio))
    }

    /// Makes texts before they are needed, a few at a time, and keeps the disk within its bounds.
    pub async fn make_ahead(
        &self,
        texts: impl IntoIterator<Item = (Language, String)>,
    ) -> MadeAhead {
        let mut made = MadeAhead::default();
        for (language, text) in texts {
            match self.say(&text, language).await {
                Ok(_) => made.ready += 1,
                Err(fault) => made.faults.push((language, text, fault)),
            }
        }
        let shared = Arc::clone(&self.shared);
        let pruned = tokio::task::spawn_blocking(move || prune(&shared.cache, shared.most_on_disk));
        if pruned.await.is_err() {
            tracing::warn!("the prompt cache could not be looked through");
        }
        made
    }

    /// Returns the file names, likeliest first, under which a recording of a text is looked for in
    /// `<prompts>/<language>/`.
    pub fn recording_names(text: &str) -> Vec<String> {
        let text = tidy(text);
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

    fn name(&self, text: &str, language: Language) -> String {
        let voice = self
            .synthesiser
            .as_ref()
            .and_then(|synthesiser| synthesiser.voice(language));
        hash(&[language.code(), voice.as_deref().unwrap_or("none"), text])
    }

    async fn fetch(
        &self,
        name: &str,
        text: &str,
        language: Language,
    ) -> Result<Audio, SpeechError> {
        let recordings: Vec<PathBuf> = self
            .recordings
            .iter()
            .flat_map(|folder| {
                let folder = folder.join(language.code());
                Voice::recording_names(text)
                    .into_iter()
                    .map(move |name| folder.join(name))
            })
            .collect();
        let kept = self.cache.join(language.code()).join(format!("{name}.wav"));
        let from_disk = {
            let kept = kept.clone();
            self.blocking(move || read_first(&recordings, &kept)).await
        };
        if let Some(samples) = from_disk.flatten() {
            return Ok(samples.into());
        }
        let Some(synthesiser) = &self.synthesiser else {
            return Err(SpeechError::NoSynthesiser {
                looked: self.looked.clone(),
            });
        };
        let audio: Audio = synthesiser.synthesise(text, language).await?.into();
        let samples = Arc::clone(&audio);
        // The caller hears the prompt whether or not it can be kept.
        if let Some(Err(error)) = self.blocking(move || wav::write(&kept, &samples)).await {
            tracing::warn!(%error, "a prompt could not be kept");
        }
        Ok(audio)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _seat = self.blocking.acquire().await;
        tokio::task::spawn_blocking(work).await.ok()
    }
}

/// Reads the first recording there is, or what was kept; a damaged file is passed over, loudly.
fn read_first(recordings: &[PathBuf], kept: &Path) -> Option<Vec<i16>> {
    let mut recorded = recordings.iter().filter(|path| path.is_file());
    recorded
        .find_map(|path| {
            wav::read(path)
                .inspect_err(|error| tracing::error!(%error, "a recording cannot be played"))
                .ok()
        })
        .or_else(|| {
            wav::read(kept)
                .inspect_err(|error| match error {
                    wav::WavError::File { source, .. }
                        if source.kind() == std::io::ErrorKind::NotFound => {}
                    wav::WavError::File { .. } | wav::WavError::Unfit { .. } => {
                        tracing::warn!(%error, "a kept prompt is damaged and made again");
                    }
                })
                .ok()
        })
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

/// The prompts in memory, the most recently used ones within a bound.
struct Shelf {
    places: HashMap<String, Place>,
    most_samples: u64,
    samples: u64,
    clock: u64,
}

#[derive(Default)]
struct Place {
    cell: Arc<OnceCell<Audio>>,
    samples: u64,
    used: u64,
}

impl Shelf {
    fn new(megabytes: u64) -> Self {
        let most_samples = megabytes.saturating_mul(500_000);
        Self {
            places: HashMap::new(),
            most_samples,
            samples: 0,
            clock: 0,
        }
    }

    fn cell(&mut self, name: &str) -> Arc<OnceCell<Audio>> {
        self.clock += 1;
        let place = self.places.entry(name.to_owned()).or_default();
        place.used = self.clock;
        Arc::clone(&place.cell)
    }

    /// Counts a prompt that is ready, and lets the least recently used ones go.
    fn count(&mut self, name: &str, samples: usize) {
        if let Some(place) = self.places.get_mut(name) {
            self.samples += (samples as u64).saturating_sub(place.samples);
            place.samples = place.samples.max(samples as u64);
        }
        while self.samples > self.most_samples {
            let oldest = self
                .places
                .iter()
                .filter(|(_, place)| place.samples > 0)
                .min_by_key(|(_, place)| place.used)
                .map(|(name, _)| name.clone());
            let Some(place) = oldest.and_then(|name| self.places.remove(&name)) else {
                return;
            };
            self.samples -= place.samples;
        }
    }
}
