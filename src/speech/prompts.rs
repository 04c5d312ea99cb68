//! Prompts: a recording where there is one, otherwise synthesised once and kept under a name made
//! of the voice and the text. Texts made ahead, which are written in flows, are kept on disk; what
//! was put together for one caller (a name, a number read back) stays in memory.

mod shelf;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use futures_util::{StreamExt, stream};
use md5::{Digest, Md5};
use tokio::sync::Semaphore;

use shelf::Shelf;

use super::espeak::Espeak;
use super::{Config, SpeechError, Synthesiser, wav};
use crate::words::Language;

/// The longest name of a recording that is made of its text, in characters.
const LONGEST_NAME: usize = 80;

/// Texts that are made ahead at once, and files that are read or written at once.
const AT_ONCE: usize = 4;

type Audio = Arc<[i16]>;

/// Where a prompt that was made is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    InMemory,
    OnDisk,
}

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
            blocking: Semaphore::new(AT_ONCE),
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
        self.obtain(text, language, Keep::InMemory).await
    }

    async fn obtain(
        &self,
        text: &str,
        language: Language,
        keep: Keep,
    ) -> Result<Audio, SpeechError> {
        let text = tidy(text);
        let name = self.shared.name(&text, language);
        let cell = self.shared.shelf().cell(&name);
        let audio = cell
            .get_or_try_init(|| self.shared.fetch(&name, &text, language, keep))
            .await
            .cloned();
        drop(cell);
        let length = audio.as_ref().map_or(0, |audio| audio.len());
        self.shared.shelf().count(&name, length);
        audio
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
            let audio = self.obtain(&text, language, Keep::OnDisk).await;
            (language, text, audio)
        });
        let mut work = stream::iter(work).buffer_unordered(AT_ONCE);
        while let Some((language, text, audio)) = work.next().await {
            match audio {
                Ok(_) => made.ready += 1,
                Err(fault) => made.faults.push((language, text, fault)),
            }
        }
        drop(work);
        let shared = Arc::clone(&self.shared);
        let pruned = self
            .shared
            .blocking(move || prune(&shared.cache, shared.most_on_disk))
            .await;
        if pruned.is_none() {
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
        keep: Keep,
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
        if keep == Keep::OnDisk {
            let samples = Arc::clone(&audio);
            // The caller hears the prompt whether or not it can be kept.
            if let Some(Err(error)) = self.blocking(move || wav::write(&kept, &samples)).await {
                tracing::warn!(%error, "a prompt could not be kept");
            }
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    const DA: Language = Language::DA;

    /// A synthesiser whose audio tells how long the text was, and that counts its work.
    #[derive(Default)]
    struct Counting {
        made: AtomicUsize,
        broken: bool,
    }

    #[async_trait::async_trait]
    impl Synthesiser for Counting {
        fn voice(&self, language: Language) -> Option<String> {
            (language == DA).then(|| "counting".to_owned())
        }

        async fn synthesise(
            &self,
            text: &str,
            language: Language,
        ) -> Result<Vec<i16>, SpeechError> {
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.made.fetch_add(1, Ordering::Relaxed);
            if self.broken || language != DA {
                return Err(SpeechError::NoVoice { language });
            }
            Ok(vec![7; text.len()])
        }
    }

    struct House {
        folder: tempfile::TempDir,
        engine: Arc<Counting>,
    }

    impl House {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
                engine: Arc::default(),
            }
        }

        fn config(&self) -> Config {
            Config {
                cache: Some(self.folder.path().join("cache")),
                prompts: vec![self.folder.path().join("prompts")],
                ..Config::default()
            }
        }

        fn voice(&self) -> Voice {
            Voice::with(
                Arc::clone(&self.engine) as Arc<dyn Synthesiser>,
                &self.config(),
            )
        }

        async fn make_ahead(&self, text: &str) {
            let made = self.voice().make_ahead([(DA, text.to_owned())]).await;
            assert_eq!((made.ready, made.faults.len()), (1, 0));
        }

        fn made(&self) -> usize {
            self.engine.made.load(Ordering::Relaxed)
        }

        fn kept(&self) -> Vec<PathBuf> {
            let folder = std::fs::read_dir(self.folder.path().join("cache/da"));
            folder
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().path())
                .collect()
        }
    }

    #[tokio::test]
    async fn a_text_is_made_once_however_many_calls_want_it_at_once() {
        let house = House::new();
        let voice = house.voice();
        let all =
            futures_util::future::join_all((0..100).map(|_| voice.say("Velkommen", DA))).await;
        assert!(all.iter().all(|audio| audio.as_ref().unwrap().len() == 9));
        assert_eq!(house.made(), 1);
    }

    #[tokio::test]
    async fn what_was_made_ahead_is_kept_over_a_restart() {
        let house = House::new();
        house.make_ahead("Velkommen").await;
        let again = house.voice().say("  Velkommen\n", DA).await.unwrap();
        assert_eq!((again.len(), house.made()), (9, 1));
    }

    #[tokio::test]
    async fn what_is_said_to_one_caller_is_not_written_to_the_disk() {
        let house = House::new();
        let voice = house.voice();
        for _ in 0..2 {
            voice.say("Dit nummer er 70 10 10 10", DA).await.unwrap();
        }
        assert_eq!(house.made(), 1);
        assert!(house.kept().is_empty());
    }

    #[tokio::test]
    async fn a_damaged_kept_prompt_is_made_again() {
        for damage in [b"".as_slice(), b"RIFF", &wav::encode(&[1; 50])[..60]] {
            let house = House::new();
            house.make_ahead("Velkommen").await;
            std::fs::write(&house.kept()[0], damage).unwrap();
            assert_eq!(house.voice().say("Velkommen", DA).await.unwrap().len(), 9);
            house.make_ahead("Velkommen").await;
            assert_eq!(house.made(), 3);
            assert_eq!(wav::read(&house.kept()[0]).unwrap().len(), 9);
        }
    }

    #[tokio::test]
    async fn a_recording_goes_before_a_synthetic_voice_and_can_be_changed() {
        let house = House::new();
        let voice = house.voice();
        assert_eq!(
            Voice::recording_names("Tak, og farvel!")[0],
            "tak-og-farvel.wav"
        );
        let names = Voice::recording_names("Tak, og farvel!");
        let folder = house.folder.path().join("prompts/da");
        wav::write(&folder.join(&names[1]), &[1; 10]).unwrap();
        assert_eq!(voice.say("Tak, og farvel!", DA).await.unwrap().len(), 10);
        wav::write(&folder.join(&names[0]), &[1; 20]).unwrap();
        voice.reload();
        assert_eq!(voice.say("Tak, og farvel!", DA).await.unwrap().len(), 20);
        assert_eq!(house.made(), 0);
    }

    #[tokio::test]
    async fn a_damaged_recording_does_not_silence_the_prompt() {
        let house = House::new();
        let path = house.folder.path().join("prompts/da/farvel.wav");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "not a wav").unwrap();
        assert_eq!(house.voice().say("Farvel", DA).await.unwrap().len(), 6);
    }

    #[tokio::test]
    async fn what_fails_is_tried_again_and_leaves_nothing_behind() {
        let mut house = House::new();
        house.engine = Arc::new(Counting {
            broken: true,
            ..Counting::default()
        });
        let voice = house.voice();
        for attempt in 1..=3 {
            assert!(voice.say("Velkommen", DA).await.is_err());
            assert_eq!(house.made(), attempt);
        }
        assert!(voice.shared.shelf().places.is_empty());
        assert!(house.kept().is_empty());
    }

    #[tokio::test]
    async fn a_cache_that_cannot_be_written_does_not_silence_the_prompt() {
        let house = House::new();
        std::fs::write(house.folder.path().join("cache"), "in the way").unwrap();
        house.make_ahead("Velkommen").await;
        assert_eq!(house.voice().say("Velkommen", DA).await.unwrap().len(), 9);
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_least_used_goes_first() {
        let house = House::new();
        let voice = house.voice();
        voice.shared.shelf().most_samples = 25;
        for text in [
            "aaaaaaaaaa",
            "bbbbbbbbbb",
            "aaaaaaaaaa",
            "cccccccccc",
            "aaaaaaaaaa",
        ] {
            voice.say(text, DA).await.unwrap();
        }
        let held = |shelf: &Shelf| (shelf.places.len(), shelf.samples);
        assert_eq!(held(&voice.shared.shelf()), (2, 20));
        voice.say("aaaaaaaaaa", DA).await.unwrap();
        assert_eq!(house.made(), 3);
        voice.say("bbbbbbbbbb", DA).await.unwrap();
        assert_eq!(house.made(), 4);
    }

    #[tokio::test]
    async fn the_disk_is_bounded_too() {
        let house = House::new();
        let config = Config {
            cache_megabytes: 0,
            ..house.config()
        };
        let voice = Voice::with(Arc::clone(&house.engine) as Arc<dyn Synthesiser>, &config);
        let made = voice
            .make_ahead([(DA, "en".to_owned()), (DA, "to".to_owned())])
            .await;
        assert_eq!(
            (made.ready, made.faults.len(), house.kept().len()),
            (2, 0, 0)
        );
    }

    #[tokio::test]
    async fn making_ahead_tells_what_cannot_be_said() {
        let house = House::new();
        let texts = [(DA, "ja".to_owned()), (Language::EN, "yes".to_owned())];
        let made = house.voice().make_ahead(texts).await;
        assert_eq!(made.ready, 1);
        let [(Language::EN, text, SpeechError::NoVoice { .. })] = &made.faults[..] else {
            panic!("{:?}", made.faults)
        };
        assert_eq!(text, "yes");
    }

    #[tokio::test]
    async fn without_a_synthesiser_recordings_still_play() {
        let house = House::new();
        let config = Config {
            espeak: Some("/nowhere/espeak-ng".into()),
            ..house.config()
        };
        let voice = Voice::new(&config);
        assert!(matches!(
            voice.fault(),
            Some(SpeechError::NoSynthesiser { .. })
        ));
        wav::write(&house.folder.path().join("prompts/da/farvel.wav"), &[1; 10]).unwrap();
        assert_eq!(voice.say("Farvel.", DA).await.unwrap().len(), 10);
        let error = voice.say("Velkommen", DA).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/espeak-ng"), "{error}");
    }
}
