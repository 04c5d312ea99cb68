use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::super::recognisers::Setting;
use super::super::{Speech, Synthesiser};
use super::*;

const DA: Language = Language::DA;

/// What an engine does with the texts it is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Its audio tells how long the text was.
    Well,
    /// It says nothing, and not that either.
    Hangs,
    /// It fails at once.
    Fails,
    /// It fails after a second of audio.
    BreaksOff,
    /// It waits for a sign after a second of audio.
    Waits,
}

/// A synthesiser that counts its work.
struct Scripted {
    language: Language,
    name: String,
    manner: Manner,
    begun: AtomicUsize,
    /// Prompts that were neither finished nor failed when they were dropped.
    dropped: AtomicUsize,
    sign: Notify,
    markup: bool,
    given: Mutex<Vec<String>>,
}

struct Saying {
    engine: Arc<Scripted>,
    /// Pieces that are still to come.
    left: Vec<Option<Vec<i16>>>,
    over: bool,
}

#[async_trait]
impl Synthesiser for Arc<Scripted> {
    fn language(&self) -> Language {
        self.language
    }

    fn voice(&self) -> &str {
        &self.name
    }

    fn knows_markup(&self) -> bool {
        self.markup
    }

    async fn speak(&self, text: &str) -> Result<Box<dyn Speech>, SpeechError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.given.lock().unwrap().push(text.to_owned());
        // A level that needs no change, so that samples can be told.
        let second = vec![3277; 8000];
        let left = match self.manner {
            Manner::Hangs => std::future::pending().await,
            Manner::Fails => return Err(broken()),
            Manner::Well => vec![Some(vec![3277; text.len()])],
            Manner::BreaksOff | Manner::Waits => vec![None, Some(second)],
        };
        Ok(Box::new(Saying {
            engine: Arc::clone(self),
            left,
            over: false,
        }))
    }
}

#[async_trait]
impl Speech for Saying {
    async fn next(&mut self) -> Result<Option<Vec<i16>>, SpeechError> {
        match self.left.pop() {
            Some(Some(piece)) => return Ok(Some(piece)),
            Some(None) if self.engine.manner == Manner::Waits => self.engine.sign.notified().await,
            Some(None) => {
                self.engine.sign.notified().await;
                self.over = true;
                return Err(broken());
            }
            None => {}
        }
        self.over = true;
        Ok(None)
    }
}

impl Drop for Saying {
    fn drop(&mut self) {
        if !self.over {
            self.engine.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn broken() -> SpeechError {
    SpeechError::Synthesiser {
        engine: "scripted".to_owned(),
        reason: "it is broken".to_owned(),
    }
}

impl Scripted {
    fn new(name: &str, manner: Manner) -> Arc<Self> {
        Arc::new(Self {
            language: DA,
            name: name.to_owned(),
            manner,
            begun: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            sign: Notify::new(),
            markup: false,
            given: Mutex::default(),
        })
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    fn given(&self) -> Vec<String> {
        self.given.lock().unwrap().clone()
    }
}

struct House {
    folder: tempfile::TempDir,
    engines: Vec<Arc<Scripted>>,
}

impl House {
    fn new() -> Self {
        Self::with(&[Manner::Well])
    }

    /// Makes a house with an engine of each manner, named by its place.
    fn with(manners: &[Manner]) -> Self {
        let manners = manners.iter().enumerate();
        Self {
            folder: tempfile::tempdir().unwrap(),
            engines: manners
                .map(|(place, manner)| Scripted::new(&place.to_string(), *manner))
                .collect(),
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
        self.voice_of(&self.config())
    }

    fn voice_of(&self, config: &Config) -> Voice {
        let engines = self.engines.iter().enumerate();
        let ready = engines.map(|(place, engine)| Ready {
            setting: Setting::voice(DA, place),
            name: "scripted",
            synthesiser: Arc::new(Arc::clone(engine)),
            first_audio: Duration::from_millis(200),
            at_once: 4,
            ahead: 2,
        });
        Voice::build(ready.collect(), Vec::new(), config)
    }

    async fn make_ahead(&self, text: &str) {
        let made = self.voice().make_ahead([(DA, text.to_owned())]).await;
        assert_eq!((made.ready, made.faults.len()), (1, 0));
    }

    fn made(&self) -> usize {
        self.engines[0].begun()
    }

    fn kept(&self) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.folder.path().join("cache/da"));
        let entries = folder.into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Says a text and returns how many samples it has.
async fn said(voice: &Voice, text: &str) -> Result<usize, Arc<SpeechError>> {
    let prompt = voice.say(text, DA).await?;
    Ok(prompt.all().await?.len())
}

#[tokio::test]
async fn a_text_is_made_once_however_many_calls_want_it_at_once() {
    let house = House::new();
    let voice = house.voice();
    let all = futures_util::future::join_all((0..100).map(|_| said(&voice, "Velkommen"))).await;
    assert!(all.into_iter().all(|samples| samples.unwrap() == 9));
    assert_eq!(house.made(), 1);
}

#[tokio::test]
async fn a_text_is_heard_before_its_end_is_made_by_all_who_want_it() {
    let house = House::with(&[Manner::Waits]);
    let voice = house.voice();
    let first = voice.say("Velkommen", DA).await.unwrap();
    let second = voice.say("Velkommen", DA).await.unwrap();
    assert_eq!(
        (first.there(0), second.there(0)),
        ((8000, false), (8000, false))
    );
    house.engines[0].sign.notify_one();
    assert_eq!(second.all().await.unwrap().len(), 8000);
    assert_eq!((first.there(0), house.made()), ((8000, true), 1));
}

#[tokio::test]
async fn the_making_of_a_prompt_ends_when_the_last_call_lets_it_go() {
    let house = House::with(&[Manner::Waits]);
    let engine = &house.engines[0];
    let voice = house.voice();
    let first = voice.say("Velkommen", DA).await.unwrap();
    let second = voice.say("Velkommen", DA).await.unwrap();
    drop(first);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(engine.dropped.load(Ordering::Relaxed), 0);
    drop(second);
    let dropped = async {
        while engine.dropped.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), dropped)
        .await
        .unwrap();
    // Whoever wants it next has it made anew.
    let _again = voice.say("Velkommen", DA).await.unwrap();
    assert_eq!(house.made(), 2);
}

#[tokio::test]
async fn when_the_first_voice_fails_the_second_speaks_and_what_it_says_is_not_held() {
    for manner in [Manner::Fails, Manner::Hangs] {
        let house = House::with(&[manner, Manner::Well]);
        let voice = house.voice();
        for _ in 0..2 {
            let prompt = voice.say("Velkommen", DA).await.unwrap();
            assert!(matches!(
                prompt.source(),
                Some(Source::Made { rank: 1, .. })
            ));
        }
        assert_eq!((house.made(), house.engines[1].begun()), (2, 2));
    }
}

#[tokio::test]
async fn a_voice_that_fails_again_and_again_is_left_alone() {
    let house = House::with(&[Manner::Fails, Manner::Well]);
    let voice = house.voice();
    for text in ["en", "to", "tre", "fire", "fem"] {
        assert_eq!(said(&voice, text).await.unwrap(), text.len());
    }
    assert_eq!((house.made(), house.engines[1].begun()), (3, 5));
    let mut registry = prometheus_client::registry::Registry::default();
    voice.figures().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        r#"hotline_prompts_made_total{engine="scripted",language="da"} 5"#,
        r#"hotline_prompts_failed_total{engine="scripted",language="da",fault="failed"} 3"#,
        r#"hotline_prompts_failed_total{engine="scripted",language="da",fault="resting"} 2"#,
        r#"hotline_prompt_first_audio_seconds_count{engine="scripted",language="da"} 5"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_burst_that_waits_for_other_prompts_does_not_make_a_voice_unwell() {
    let house = House::with(&[Manner::Waits]);
    let voice = house.voice();
    let mut held = Vec::new();
    for text in ["en", "to", "tre", "fire"] {
        held.push(voice.say(text, DA).await.unwrap());
    }
    let burst = ["fem", "seks", "syv", "otte"].map(|text| said(&voice, text));
    for late in futures_util::future::join_all(burst).await {
        let fault = late.unwrap_err();
        assert!(matches!(&*fault, SpeechError::TooSlow { .. }), "{fault}");
    }
    drop(held);
    assert!(voice.say("ni", DA).await.is_ok());
}

#[tokio::test]
async fn a_voice_that_breaks_off_unheard_is_replaced_and_one_that_was_heard_is_not() {
    let house = House::with(&[Manner::BreaksOff, Manner::Well]);
    let voice = house.voice();
    let unheard = voice.say("Velkommen", DA).await.unwrap();
    house.engines[0].sign.notify_one();
    assert_eq!(unheard.all().await.unwrap().len(), 9);
    let heard = voice.say("Farvel", DA).await.unwrap();
    assert_eq!(heard.read(0, &mut [0; 160]), 160);
    house.engines[0].sign.notify_one();
    assert!(heard.all().await.is_err());
    assert_eq!(heard.there(0), (8000, true));
    assert_eq!(house.engines[1].begun(), 1);
}

#[tokio::test]
async fn when_no_voice_can_say_it_each_reason_is_told() {
    let house = House::with(&[Manner::Fails, Manner::Hangs]);
    let error = said(&house.voice(), "Velkommen").await.unwrap_err();
    insta::assert_snapshot!(error, @"no voice of da could say it: scripted failed: it is broken; scripted (speech.voices.da[1]) did not begin to speak within 200ms; is it overloaded?");
}

#[tokio::test]
async fn what_was_made_ahead_is_kept_over_a_restart() {
    let house = House::new();
    house.make_ahead("Velkommen").await;
    let again = said(&house.voice(), "  Velkommen\n").await.unwrap();
    assert_eq!((again, house.made()), (9, 1));
}

#[tokio::test]
async fn what_the_second_voice_made_ahead_is_used_only_while_the_first_is_unwell() {
    let mut house = House::with(&[Manner::Fails, Manner::Well]);
    let made = house
        .voice()
        .make_ahead([(DA, "Velkommen".to_owned())])
        .await;
    assert_eq!((made.ready, made.second_choice), (1, 1));
    let prompt = house.voice().say("Velkommen", DA).await.unwrap();
    assert!(matches!(
        prompt.source(),
        Some(Source::Kept { rank: 1, .. })
    ));
    house.engines[0] = Scripted::new("0", Manner::Well);
    let prompt = house.voice().say("Velkommen", DA).await.unwrap();
    assert!(matches!(
        prompt.source(),
        Some(Source::Made { rank: 0, .. })
    ));
}

#[tokio::test]
async fn what_is_said_to_one_caller_is_not_written_to_the_disk() {
    let house = House::new();
    let voice = house.voice();
    for _ in 0..2 {
        said(&voice, "Dit nummer er 70 10 10 10").await.unwrap();
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
        assert_eq!(said(&house.voice(), "Velkommen").await.unwrap(), 9);
        house.make_ahead("Velkommen").await;
        assert_eq!(house.made(), 3);
        assert_eq!(wav::read(&house.kept()[0]).unwrap().len(), 9);
    }
}

#[tokio::test]
async fn a_recording_goes_before_a_synthetic_voice_and_can_be_changed() {
    let house = House::new();
    let voice = house.voice();
    let names = Voice::recording_names("Tak, og farvel!");
    assert_eq!(names[0], "tak-og-farvel.wav");
    let folder = house.folder.path().join("prompts/da");
    wav::write(&folder.join(&names[1]), &[1; 10]).unwrap();
    assert_eq!(said(&voice, "Tak, og farvel!").await.unwrap(), 10);
    wav::write(&folder.join(&names[0]), &[1; 20]).unwrap();
    voice.reload();
    assert_eq!(said(&voice, "Tak, og farvel!").await.unwrap(), 20);
    assert_eq!(
        said(
            &voice,
            "<speak>Tak, og <emphasis>farvel</emphasis>!</speak>"
        )
        .await
        .unwrap(),
        20
    );
    assert_eq!(house.made(), 0);
}

#[tokio::test]
async fn a_damaged_recording_does_not_silence_the_prompt() {
    let house = House::new();
    let path = house.folder.path().join("prompts/da/farvel.wav");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "not a wav").unwrap();
    assert_eq!(said(&house.voice(), "Farvel").await.unwrap(), 6);
}

#[tokio::test]
async fn markup_goes_to_engines_that_know_it_and_words_to_the_others() {
    let mut house = House::with(&[Manner::Fails, Manner::Well]);
    Arc::get_mut(&mut house.engines[0]).unwrap().markup = true;
    let text = "<speak>Hej <break time='1s'/>du</speak>";
    said(&house.voice(), text).await.unwrap();
    said(&house.voice(), "Hej\u{7}\u{0} igen").await.unwrap();
    assert_eq!(house.engines[0].given(), [text, "Hej igen"]);
    assert_eq!(house.engines[1].given(), ["Hej du", "Hej igen"]);
}

#[tokio::test]
async fn what_fails_is_tried_again_and_leaves_nothing_behind() {
    let house = House::with(&[Manner::Fails]);
    let voice = house.voice();
    for attempt in 1..=3 {
        assert!(said(&voice, "Velkommen").await.is_err());
        assert_eq!(house.made(), attempt);
    }
    assert_eq!(voice.shared.shelf().held(), (0, 0));
    assert!(house.kept().is_empty());
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_does_not_silence_the_prompt() {
    let house = House::new();
    std::fs::write(house.folder.path().join("cache"), "in the way").unwrap();
    house.make_ahead("Velkommen").await;
    assert_eq!(said(&house.voice(), "Velkommen").await.unwrap(), 9);
}

#[tokio::test]
async fn memory_is_bounded_and_the_least_used_goes_first() {
    let house = House::new();
    let voice = house.voice();
    voice.shared.shelf().bound(25);
    for text in [
        "aaaaaaaaaa",
        "bbbbbbbbbb",
        "aaaaaaaaaa",
        "cccccccccc",
        "aaaaaaaaaa",
    ] {
        said(&voice, text).await.unwrap();
    }
    assert_eq!(voice.shared.shelf().held(), (2, 20));
    said(&voice, "aaaaaaaaaa").await.unwrap();
    assert_eq!(house.made(), 3);
    said(&voice, "bbbbbbbbbb").await.unwrap();
    assert_eq!(house.made(), 4);
}

#[tokio::test]
async fn the_disk_is_bounded_too() {
    let house = House::new();
    let config = Config {
        cache_megabytes: 0,
        ..house.config()
    };
    let voice = house.voice_of(&config);
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
    let [(Language::EN, text, fault)] = &made.faults[..] else {
        panic!("{:?}", made.faults)
    };
    assert!(matches!(**fault, SpeechError::NoVoice { .. }), "{fault}");
    assert_eq!(text, "yes");
}

#[tokio::test]
async fn without_a_synthesiser_recordings_still_play() {
    let house = House::new();
    let text =
        r#"{ "da": [{ "engine": "espeak", "voice": "da", "program": "/nowhere/espeak-ng" }] }"#;
    let config = Config {
        voices: serde_json::from_str(text).unwrap(),
        ..house.config()
    };
    let voice = Voice::new(&config);
    assert!(matches!(
        voice.fault().as_deref(),
        Some(SpeechError::NoEspeak { .. })
    ));
    wav::write(&house.folder.path().join("prompts/da/farvel.wav"), &[1; 10]).unwrap();
    assert_eq!(said(&voice, "Farvel.").await.unwrap(), 10);
    let error = said(&voice, "Velkommen").await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/espeak-ng"), "{error}");
}

#[tokio::test]
async fn a_disk_that_hangs_delays_a_prompt_and_does_not_silence_it() {
    let house = House::new();
    let voice = house.voice();
    let stuck = Arc::clone(&voice.shared.reading);
    let _stuck = stuck.acquire_many(AT_ONCE as u32).await.unwrap();
    assert_eq!(said(&voice, "Velkommen").await.unwrap(), 9);
    assert_eq!(house.made(), 1);
}
