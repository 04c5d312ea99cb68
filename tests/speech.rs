//! Hearing and speaking with the real engines: libvosk with the tiny models, and espeak-ng.
//!
//! Where an engine is missing the story says so loudly and is skipped; with `CI=true` or
//! `HOTLINE_REQUIRE_ALL=1` that is a failure. Time is counted in audio, not on the clock: frames
//! go in as fast as they are taken.

#![expect(
    clippy::unwrap_used,
    reason = "a story that breaks at such a place has failed"
)]

#[path = "speech/barge_in.rs"]
mod barge_in;
#[path = "speech/german.rs"]
mod german;
#[path = "speech/remote/mod.rs"]
mod remote;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use hotline::dialog::{Expect, Heard, Hypothesis, Listen};
use hotline::speech::espeak::{self, Espeak};
use hotline::speech::recognisers::{Engine, Setting};
use hotline::speech::vosk::{Settings, Vosk};
use hotline::speech::{
    Asked, Bell, Config, Ear, EarEvent, Ears, FRAME, RATE, Recogniser, SpeechError, Told, Voice,
    synthesisers,
};
use hotline::words::{CallId, Language};

const DA: Language = Language::DA;
const EN: Language = Language::EN;
static DE: LazyLock<Language> = LazyLock::new(|| "de".parse().unwrap());

/// Returns what a story needs, or says loudly why the story is skipped.
fn require<T>(found: Result<T, SpeechError>) -> Option<T> {
    let wanted =
        |name: &str| std::env::var(name).is_ok_and(|value| value == "true" || value == "1");
    match found {
        Ok(found) => Some(found),
        Err(error) if wanted("CI") || wanted("HOTLINE_REQUIRE_ALL") => panic!("REQUIRED: {error}"),
        Err(error) => {
            // Written past the test runner, which swallows what stories print.
            let _ = writeln!(
                std::io::stderr(),
                "\n*** SKIPPED, NOT TESTED: {error} ***\n"
            );
            None
        }
    }
}

fn fixture(language: Language) -> PathBuf {
    let name = format!("tests/fixtures/speech/vosk-tiny-{language}-grm");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn config() -> Config {
    let ears = [DA, EN]
        .map(|language| (language, vec![vosk(fixture(language), None)]))
        .into();
    Config {
        ears,
        threads: 1,
        max_streams: Some(8),
        ..Config::default()
    }
}

fn vosk(model: PathBuf, library: Option<PathBuf>) -> Engine {
    Engine::Vosk(Settings { model, library })
}

/// A caller with a synthetic voice.
struct Caller(Voice);

impl Caller {
    fn new() -> Option<Self> {
        let espeak = espeak::Settings::new("da");
        require(Espeak::open(&espeak, DA))?;
        let mut config = config();
        // What callers say is nothing to be kept.
        config.cache = Some(PathBuf::from("/nowhere/prompts"));
        let german = synthesisers::Engine::espeak("de");
        config.voices.insert(*DE, vec![german]);
        Some(Self(Voice::new(&config)))
    }

    /// Speaks with `before` of silence in front and a second behind.
    async fn say(&self, text: &str, language: Language, before: Duration) -> Vec<i16> {
        let speech = self.speak(text, language).await;
        [silence(before), speech, silence(Duration::from_secs(1))].concat()
    }

    async fn speak(&self, text: &str, language: Language) -> Vec<i16> {
        let prompt = self.0.say(text, language).await.unwrap();
        prompt.all().await.unwrap().to_vec()
    }
}

fn silence(length: Duration) -> Vec<i16> {
    vec![0; length.as_millis() as usize * RATE / 1000]
}

/// Noise of an amplitude, the same each time.
fn noise(length: Duration, amplitude: i32) -> Vec<i16> {
    let mut state = 1_u32;
    silence(length)
        .into_iter()
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 16) as i32 % (2 * amplitude + 1) - amplitude) as i16
        })
        .collect()
}

fn question(expect: Expect, hints: &[(Language, &[&str])]) -> Listen {
    Listen {
        expect,
        languages: hints.iter().map(|(language, _)| *language).collect(),
        hints: hints
            .iter()
            .map(|(language, words)| (*language, words.iter().map(|&w| w.to_owned()).collect()))
            .collect(),
        patience: None,
    }
}

fn open(ears: &Ears) -> Ear {
    ears.open(CallId(uuid::Uuid::from_u128(7))).unwrap()
}

/// What was heard, each event with the milliseconds of audio that had gone in by then.
struct Account(Vec<(u64, EarEvent)>);

impl Account {
    fn heard(&self) -> Vec<&Heard> {
        let events = self.0.iter().map(|(_, event)| event);
        events
            .filter_map(|event| match event {
                EarEvent::Heard(heard) => Some(heard),
                _ => None,
            })
            .collect()
    }

    /// Returns the only turn's most certain hypothesis.
    fn best(&self) -> &Hypothesis {
        match self.heard()[..] {
            [heard] => heard.hypotheses.first().expect("words"),
            ref other => panic!("one turn expected, not {other:?}"),
        }
    }

    fn text(&self) -> &str {
        &self.best().text
    }

    fn at(&self, wanted: impl Fn(&EarEvent) -> bool) -> Option<u64> {
        self.0
            .iter()
            .find(|(_, event)| wanted(event))
            .map(|(time, _)| *time)
    }
}

/// Lets an ear hear audio as fast as it takes it, frame by frame.
async fn hear(ear: &mut Ear, audio: &[i16]) -> Account {
    let mut account = Vec::new();
    for (index, frame) in audio.chunks(FRAME).enumerate() {
        ear.push(frame);
        // The worker is given every frame before the next one, so times are exact.
        while ear.backlog() > 0 {
            tokio::task::yield_now().await;
        }
        while let Ok(event) = ear.events.try_recv() {
            account.push((index as u64 * 20, event));
        }
    }
    // The last frames are still being worked on.
    while let Ok(Some(event)) =
        tokio::time::timeout(Duration::from_millis(200), ear.events.recv()).await
    {
        account.push((audio.len() as u64 / 8, event));
    }
    Account(account)
}

const YES_NO: &[(Language, &[&str])] = &[(DA, &["ja", "nej", "ja tak", "nej tak"])];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dane_says_is_understood() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let departments: &[&str] = &["borgerservice", "jobcenter", "byggesag", "pas", "kørekort"];
    let digits: &[&str] = &[
        "nul", "en", "to", "tre", "fire", "fem", "seks", "syv", "otte", "ni",
    ];
    let cases: &[(&str, Expect, &[&str])] = &[
        ("ja tak", Expect::YesNo, YES_NO[0].1),
        ("nej tak", Expect::YesNo, YES_NO[0].1),
        ("borgerservice", Expect::Intent, departments),
        ("kørekort", Expect::Intent, departments),
        ("fire to syv nul", Expect::Digits, digits),
        ("jeg vil gerne tale med jobcenter", Expect::Intent, &[]),
    ];
    for (said, expect, hints) in cases {
        let mut ear = open(&ears);
        ear.listen(&question(*expect, &[(DA, hints)]));
        let audio = caller.say(said, DA, Duration::from_millis(400)).await;
        assert_eq!(hear(&mut ear, &audio).await.text(), *said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_englishman_says_is_understood() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let yes_no: &[&str] = &["yes", "no", "yes please", "no thanks"];
    let departments: &[&str] = &[
        "citizen service",
        "job centre",
        "passport",
        "driving licence",
    ];
    let digits: &[&str] = &[
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    let cases: &[(&str, Expect, &[&str])] = &[
        ("yes please", Expect::YesNo, yes_no),
        ("no thanks", Expect::YesNo, yes_no),
        ("citizen service", Expect::Intent, departments),
        ("driving licence", Expect::Intent, departments),
        ("four two seven zero", Expect::Digits, digits),
        (
            "i would like to speak with the library",
            Expect::Intent,
            &[],
        ),
    ];
    for (said, expect, hints) in cases {
        let mut ear = open(&ears);
        ear.listen(&question(*expect, &[(EN, hints)]));
        let audio = caller.say(said, EN, Duration::from_millis(400)).await;
        let account = hear(&mut ear, &audio).await;
        // The smallest word between two others may be lost without harm.
        assert_eq!(
            account.text().replace("with library", "with the library"),
            *said
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_german_says_is_understood() {
    let mut config = config();
    config.ears = [(*DE, vec![vosk(fixture(*DE), None)])].into();
    let (Some(ears), Some(caller)) = (require(Ears::new(&config)), Caller::new()) else {
        return;
    };
    let departments: &[&str] = &["bürgerbüro", "standesamt", "jobcenter", "führerschein"];
    let digits: &[&str] = &[
        "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun",
    ];
    let cases: &[(&str, Expect, &[&str])] = &[
        (
            "ja bitte",
            Expect::YesNo,
            &["ja", "nein", "ja bitte", "nein danke"],
        ),
        ("bürgerbüro", Expect::Intent, departments),
        ("führerschein", Expect::Intent, departments),
        ("vier zwei sieben null", Expect::Digits, digits),
        ("guten tag", Expect::Intent, &[]),
        ("es geht um einen reisepass", Expect::Intent, &[]),
        ("ich möchte einen termin absagen", Expect::Intent, &[]),
        (
            "ich möchte mit dem standesamt sprechen",
            Expect::Intent,
            &[],
        ),
    ];
    for (said, expect, hints) in cases {
        let mut ear = open(&ears);
        ear.listen(&question(*expect, &[(*DE, hints)]));
        let audio = caller.say(said, *DE, Duration::from_millis(400)).await;
        assert_eq!(hear(&mut ear, &audio).await.text(), *said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_languages_the_one_that_was_spoken_is_the_more_certain() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let yes_no: &[(Language, &[&str])] = &[
        (DA, &["ja", "nej", "ja tak", "nej tak"]),
        (EN, &["yes", "no", "yes please", "no thanks"]),
    ];
    let departments: &[(Language, &[&str])] = &[
        (
            DA,
            &[
                "borgerservice",
                "jobcenter",
                "byggesag",
                "biblioteket",
                "kørekort",
            ],
        ),
        (
            EN,
            &[
                "citizen service",
                "job centre",
                "building permit",
                "library",
                "driving licence",
            ],
        ),
    ];
    for (said, language, expect, hints) in [
        ("ja tak", DA, Expect::YesNo, yes_no),
        ("nej", DA, Expect::YesNo, yes_no),
        ("yes please", EN, Expect::YesNo, yes_no),
        ("no", EN, Expect::YesNo, yes_no),
        ("borgerservice", DA, Expect::Intent, departments),
        ("biblioteket", DA, Expect::Intent, departments),
        ("citizen service", EN, Expect::Intent, departments),
        ("job centre", EN, Expect::Intent, departments),
    ] {
        let mut ear = open(&ears);
        ear.listen(&question(expect, hints));
        let audio = caller.say(said, language, Duration::from_millis(400)).await;
        let account = hear(&mut ear, &audio).await;
        assert_eq!((account.best().language, account.text()), (language, said));
        let rival = account.heard()[0]
            .hypotheses
            .get(1)
            .map_or(0.0, |other| other.confidence);
        assert!(
            account.best().confidence > rival + 0.2,
            "{said}: {:?}",
            account.heard()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_grammar_is_told_as_unknown() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let hints: &[(Language, &[&str])] = &[(DA, &["ja", "nej", "Ja, tak!", "MitID", "xylofon"])];
    for said in [
        "hvad koster en cykel i tivoli",
        "jeg vil gerne tale med biblioteket",
    ] {
        let mut ear = open(&ears);
        ear.listen(&question(Expect::YesNo, hints));
        let audio = caller.say(said, DA, Duration::from_millis(400)).await;
        let account = hear(&mut ear, &audio).await;
        for heard in account.heard() {
            assert_eq!(heard.hypotheses[0].text, "[unk]", "{said}");
            assert_eq!(heard.hypotheses[0].confidence, 0.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_word_among_unknown_ones_is_found() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let mut ear = open(&ears);
    ear.listen(&question(
        Expect::Intent,
        &[(DA, &["biblioteket", "skat", "pas"])],
    ));
    let audio = caller
        .say(
            "jeg vil gerne tale med biblioteket",
            DA,
            Duration::from_millis(400),
        )
        .await;
    let account = hear(&mut ear, &audio).await;
    assert_eq!(account.text(), "[unk] biblioteket");
    assert!(
        (0.5..0.9).contains(&account.best().confidence),
        "{:?}",
        account.best()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_is_told_at_once_and_the_answer_soon_after_it() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    for said in ["ja tak", "nej tak", "ja", "nej"] {
        let mut ear = open(&ears);
        ear.talking(true);
        ear.listen(&question(Expect::YesNo, YES_NO));
        let audio = caller.say(said, DA, Duration::from_millis(1000)).await;
        let loud = |sample: &i16| sample.unsigned_abs() > 300;
        let begins = audio.iter().position(loud).unwrap() as u64 / 8;
        let ends = audio.iter().rposition(loud).unwrap() as u64 / 8;
        let account = hear(&mut ear, &audio).await;
        assert_eq!(account.text(), said);
        let started = account
            .at(|event| *event == EarEvent::SpeechStarted)
            .unwrap();
        assert!(
            started >= begins && started <= begins + 140,
            "{begins} then {started} ms"
        );
        let heard = account
            .at(|event| matches!(event, EarEvent::Heard(_)))
            .unwrap();
        assert!(
            heard > ends && heard <= ends + 450,
            "{said}: {ends} then {heard} ms"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_come_while_the_caller_is_still_speaking() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let mut ear = open(&ears);
    ear.listen(&question(Expect::Intent, &[(DA, &[])]));
    let said = "jeg vil gerne tale med borgerservice";
    let audio = caller.say(said, DA, Duration::from_millis(400)).await;
    let account = hear(&mut ear, &audio).await;
    let words = |text: &'static str| {
        account.at(move |event| match event {
            EarEvent::Partial(heard) => heard.hypotheses[0].text.starts_with(text),
            _ => false,
        })
    };
    let (first, whole) = (words("jeg vil gerne").unwrap(), words(said).unwrap());
    let heard = account
        .at(|event| matches!(event, EarEvent::Heard(_)))
        .unwrap();
    assert!(
        first + 500 < whole && whole < heard,
        "{first}, {whole}, {heard} ms"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_seconds_of_silence_or_noise_say_nothing() {
    let Some(ears) = require(Ears::new(&config())) else {
        return;
    };
    let long = Duration::from_secs(20);
    for (name, audio) in [
        ("digital silence", silence(long)),
        ("a quiet line", noise(long, 8)),
        ("a noisy line", noise(long, 70)),
        ("a bad line", noise(long, 700)),
        ("a roar", noise(long, 7000)),
        ("a dialling tone", hotline::speech::tone(425.0, long)),
    ] {
        let mut ear = open(&ears);
        ear.listen(&question(Expect::Intent, &[(DA, &[]), (EN, &[])]));
        assert_eq!(hear(&mut ear, &audio).await.0, [], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_on_a_noisy_line_is_understood() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let speech = caller.say("nej tak", DA, Duration::from_secs(2)).await;
    let hiss = noise(Duration::from_secs(10), 130);
    let audio: Vec<i16> = speech
        .iter()
        .zip(hiss)
        .map(|(a, b)| a.saturating_add(b))
        .collect();
    let mut ear = open(&ears);
    ear.listen(&question(Expect::YesNo, YES_NO));
    assert_eq!(hear(&mut ear, &audio).await.text(), "nej tak");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_answers_question_after_question() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let mut ear = open(&ears);
    for said in ["ja", "nej tak", "nej", "ja tak"] {
        ear.listen(&question(Expect::YesNo, YES_NO));
        let audio = caller.say(said, DA, Duration::from_millis(200)).await;
        assert_eq!(hear(&mut ear, &audio).await.text(), said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_times_of_words_count_from_the_start_of_their_turn() {
    let Some(vosk) = require(Vosk::load(None)) else {
        return;
    };
    let Some(caller) = Caller::new() else { return };
    let model = vosk.model(DA, &fixture(DA), &Setting::ear(DA, 0)).unwrap();
    let mut recognition = model.open(&Asked::anything(), Bell::silent()).unwrap();
    let audio = caller.say("ja tak", DA, Duration::from_millis(500)).await;
    for _ in 0..3 {
        for frame in audio.chunks(FRAME) {
            recognition.push(frame).unwrap();
        }
        recognition.finish().unwrap();
        let Some(Told::Final(transcript)) = recognition.told(Instant::now()).unwrap() else {
            panic!("no final words");
        };
        assert_eq!(transcript.text, "ja tak");
        let starts: Vec<u128> = transcript
            .words
            .iter()
            .map(|w| w.start.as_millis())
            .collect();
        assert!(
            (400..=700).contains(&starts[0]) && starts[1] < 900,
            "{starts:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_recording_is_written_down_whole() {
    let (Some(ears), Some(caller)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let mut audio = Vec::new();
    for text in [
        "jeg har et spørgsmål om boligstøtte",
        "det handler om parkering",
    ] {
        audio.extend(caller.say(text, DA, Duration::from_secs(2)).await);
    }
    assert_eq!(
        ears.transcribe(audio, DA).await.as_deref(),
        Some("jeg har et spørgsmål om boligstøtte det handler om parkering")
    );
    assert_eq!(
        ears.transcribe(silence(Duration::from_secs(5)), DA).await,
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_calls_at_once_are_all_understood() {
    let (Some(_), Some(caller)) = (require(Vosk::load(None)), Caller::new()) else {
        return;
    };
    let config = Config {
        threads: 0,
        max_streams: Some(40),
        ..config()
    };
    let ears = Arc::new(Ears::new(&config).unwrap());
    let audio: Arc<[i16]> = caller
        .say("borgerservice", DA, Duration::from_millis(300))
        .await
        .into();
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let (ears, audio) = (Arc::clone(&ears), Arc::clone(&audio));
            tokio::spawn(async move {
                let mut ear = open(&ears);
                let hints: &[&str] = &["borgerservice", "jobcenter", "byggesag"];
                ear.listen(&question(Expect::Intent, &[(DA, hints)]));
                hear(&mut ear, &audio).await.text().to_owned()
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "borgerservice");
    }
    assert_eq!(ears.load().open, 0);
    assert_eq!(ears.load().dropped, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_one_language_leaves_the_other() {
    let mut config = config();
    let nowhere = vosk(PathBuf::from("/nowhere/model-en"), None);
    config.ears.insert(EN, vec![nowhere]);
    let Some(ears) = require(Ears::new(&config)) else {
        return;
    };
    assert_eq!(ears.languages(), [DA]);
    insta::assert_snapshot!(
        ears.faults()[0],
        @"speech.ears.en[0].model: the model /nowhere/model-en lacks everything (there is no such folder); unpack a complete Vosk model there and name its top folder"
    );
}

#[tokio::test]
async fn without_libvosk_the_error_is_clear_and_everything_else_works() {
    let nowhere = vosk(fixture(DA), Some(PathBuf::from("/nowhere/libvosk.so")));
    let folder = tempfile::tempdir().unwrap();
    let cache = Some(folder.path().to_owned());
    let config = Config {
        ears: [(DA, vec![nowhere])].into(),
        cache,
        ..config()
    };
    let error = Ears::new(&config).err().expect("no ears without an engine");
    assert!(matches!(&error, SpeechError::NoLibrary { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/libvosk.so"), "{error}");

    let ears = Ears::deaf(&config).unwrap();
    let mut ear = open(&ears);
    ear.listen(&question(Expect::YesNo, YES_NO));
    assert!(matches!(
        ear.events.recv().await,
        Some(EarEvent::Unavailable(_))
    ));
    ear.watch(Duration::from_millis(500));
    hear(&mut ear, &silence(Duration::from_millis(100))).await;
    let account = hear(&mut ear, &silence(Duration::from_millis(600))).await;
    assert!(account.at(|event| *event == EarEvent::Paused).is_some());

    if Caller::new().is_some() {
        let voice = Voice::new(&config);
        let prompt = voice.say("Velkommen", DA).await.unwrap();
        assert!(!prompt.all().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn prompts_have_one_level_and_no_silence_that_nobody_asked_for() {
    let Some(caller) = Caller::new() else { return };
    for (text, language) in [
        (
            "Velkommen til kommunen. Du taler med en digital assistent.",
            DA,
        ),
        (
            "Welcome to the municipality. You are talking to a digital assistant.",
            EN,
        ),
        ("-v en er ikke et flag, og <s> er ikke en kode", DA),
    ] {
        let speech = caller.speak(text, language).await;
        let seconds = speech.len() as f32 / RATE as f32;
        assert!((2.0..9.0).contains(&seconds), "{text}: {seconds} s");
        let level = hotline::speech::decibels(&speech);
        assert!((-25.0..-18.0).contains(&level), "{text}: {level} dBFS");
        let begins = speech
            .iter()
            .position(|sample| sample.unsigned_abs() > 300)
            .unwrap();
        assert!(begins < RATE / 5, "{text} begins after {begins} samples");
    }
}

/// Runs the program with the tiny models and returns what it wrote, errors and all.
fn hotline(arguments: &[&str], folder: &Path) -> std::process::Output {
    let ears = [DA, EN].map(|language| {
        let model = fixture(language).display().to_string();
        format!("{language}: [{{ engine: vosk, model: {model:?} }}]")
    });
    let file = folder.join("hotline.yaml");
    let flows = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
    let text = format!(
        "flows: {flows:?}\nspeech: {{ ears: {{ {} }} }}",
        ears.join(", ")
    );
    std::fs::write(&file, text).unwrap();
    std::process::Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(arguments)
        .arg("--config")
        .arg(file)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[tokio::test]
async fn recordings_are_listened_to_and_scored_from_the_command_line() {
    let (Some(_), Some(caller)) = (require(Vosk::load(None)), Caller::new()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let record = async |name: &str, said: &str, sheet: &str| {
        let samples = caller.say(said, DA, Duration::from_millis(300)).await;
        let path = folder.path().join(name);
        hotline::speech::wav::write(&path, &samples).unwrap();
        std::fs::write(path.with_extension("txt"), sheet).unwrap();
    };
    record(
        "wish.wav",
        "jeg vil gerne tale med borgerservice",
        "jeg vil gerne tale med borgerservice\nintent: department.citizen_service",
    )
    .await;
    record(
        "digits.wav",
        "fire to syv nul",
        "fire to syv nul\nexpect: digits\nanswer: 4270",
    )
    .await;
    record("wrong.wav", "ja tak", "nej tak\nexpect: yes_no\nanswer: no").await;

    let listened = hotline(&["listen", "digits.wav", "--language", "da"], folder.path());
    let text = String::from_utf8(listened.stdout).unwrap();
    assert!(
        text.starts_with(r#"digits.wav: da, vosk: "fire to syv nul""#),
        "{text}"
    );

    let scored = hotline(&["score", ".", "--json"], folder.path());
    assert!(scored.status.success(), "{scored:?}");
    let lines = String::from_utf8(scored.stdout).unwrap();
    let sum: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let figures = ["recordings", "words", "errors", "meant", "understood"];
    assert_eq!(
        figures.map(|name| sum[name].as_u64().unwrap()),
        [3, 12, 1, 3, 2],
        "{sum}"
    );
    let shown = hotline(&["score", "."], folder.path());
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(
        text.contains("wrong.wav") && !text.contains("wish.wav"),
        "{text}"
    );

    std::fs::write(folder.path().join("digits.wav"), "no audio").unwrap();
    for verb in [&["listen", "digits.wav"][..], &["score", "."]] {
        let output = hotline(verb, folder.path());
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("digits.wav: it is no WAV file"), "{error}");
    }
}
