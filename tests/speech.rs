//! Hearing and speaking with the real engines: libvosk with the tiny models, and espeak-ng.
//!
//! Where an engine is missing the story says so loudly and is skipped; with `CI=true` or
//! `HOTLINE_REQUIRE_ALL=1` that is a failure. Time is counted in audio, not on the clock: frames
//! go in as fast as they are taken.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hotline::dialog::{Expect, Heard, Hypothesis, Listen};
use hotline::speech::espeak::Espeak;
use hotline::speech::vosk::Vosk;
use hotline::speech::{
    Config, Ear, EarEvent, Ears, FRAME, RATE, Recogniser, SpeechError, Synthesiser, Voice,
};
use hotline::words::{CallId, Language};

const DA: Language = Language::DA;
const EN: Language = Language::EN;

/// Returns what a story needs, or says loudly why the story is skipped.
fn require<T>(found: Result<T, SpeechError>) -> Option<T> {
    let wanted =
        |name: &str| std::env::var(name).is_ok_and(|value| value == "true" || value == "1");
    match found {
        Ok(found) => Some(found),
        Err(error) if wanted("CI") || wanted("HOTLINE_REQUIRE_ALL") => panic!("REQUIRED: {error}"),
        Err(error) => {
            eprintln!("\n*** SKIPPED, NOT TESTED: {error} ***\n");
            None
        }
    }
}

fn fixture(language: Language) -> PathBuf {
    let name = format!("tests/fixtures/speech/vosk-tiny-{language}-grm");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn config() -> Config {
    let models = [DA, EN]
        .map(|language| (language, fixture(language)))
        .into();
    Config {
        models,
        threads: 1,
        max_streams: Some(8),
        ..Config::default()
    }
}

/// A caller with a synthetic voice.
struct Caller(Espeak);

impl Caller {
    fn new() -> Option<Self> {
        require(Espeak::find(&config())).map(Self)
    }

    /// Speaks with `before` of silence in front and a second behind.
    async fn say(&self, text: &str, language: Language, before: Duration) -> Vec<i16> {
        let speech = self.0.synthesise(text, language).await.unwrap();
        [silence(before), speech, silence(Duration::from_secs(1))].concat()
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
    }
}

fn open(ears: &Ears) -> Ear {
    ears.open(CallId(uuid::Uuid::from_u128(7))).unwrap()
}

/// What was heard, each event with the milliseconds of audio that had gone in by then.
struct Account(Vec<(u64, EarEvent)>);

impl Account {
    fn heard(&self) -> Vec<&Heard> {
        let heard = |(_, event): &'_ (u64, EarEvent)| matches!(event, EarEvent::Heard(_));
        let events = self.0.iter().filter(|event| heard(event));
        events
            .map(|(_, event)| match event {
                EarEvent::Heard(heard) => heard,
                other => panic!("{other:?}"),
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
