//! The ears with engines that do as they are told: late questions, panics, hangs, full houses.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::super::{Asked, Bell, FRAME, Recognition, Told, Transcript, Works};
use super::*;
use crate::dialog::Expect;

/// A recogniser that hears how many samples it got, and has faults on demand.
#[derive(Clone, Default)]
struct Fake {
    language: Option<Language>,
    opened: Arc<Mutex<Vec<Vec<String>>>>,
    pushed: Arc<AtomicUsize>,
    /// Panics when it has got so many samples.
    panics_at: Option<usize>,
    /// The most recognitions that it has at once, and how many are open.
    most: Option<usize>,
    open: Arc<AtomicUsize>,
    /// Hangs until the sender is gone.
    hangs: Option<Arc<Mutex<std::sync::mpsc::Receiver<()>>>>,
}

impl Recogniser for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn language(&self) -> Language {
        self.language.unwrap_or(Language::DA)
    }

    fn works(&self) -> Works {
        Works::Here
    }

    fn open(&self, asked: &Asked, _bell: Bell) -> Result<Box<dyn Recognition>, SpeechError> {
        if let Some(streams) = self.most
            && self.open.load(Ordering::SeqCst) >= streams
        {
            return Err(SpeechError::Full { streams });
        }
        self.open.fetch_add(1, Ordering::SeqCst);
        self.opened.lock().unwrap().push(asked.hints.clone());
        Ok(Box::new(FakeRecognition {
            engine: self.clone(),
            samples: 0,
            tells: VecDeque::new(),
        }))
    }
}

struct FakeRecognition {
    engine: Fake,
    samples: usize,
    tells: VecDeque<Told>,
}

impl Recognition for FakeRecognition {
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        self.samples += samples.len();
        self.tells.push_back(Told::Partial("ja".to_owned()));
        self.engine
            .pushed
            .fetch_add(samples.len(), Ordering::SeqCst);
        if let Some(gate) = &self.engine.hangs {
            let _ = gate.lock().unwrap().recv();
        }
        assert!(
            self.engine.panics_at.is_none_or(|at| self.samples < at),
            "as told"
        );
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        let text = format!("samples {}", std::mem::take(&mut self.samples));
        self.tells.push_back(Told::Final(Transcript {
            text,
            confidence: 0.5,
            words: Vec::new(),
        }));
        Ok(())
    }

    fn told(&mut self, _now: Instant) -> Result<Option<Told>, SpeechError> {
        Ok(self.tells.pop_front())
    }
}

impl Drop for FakeRecognition {
    fn drop(&mut self) {
        self.engine.open.fetch_sub(1, Ordering::SeqCst);
    }
}

fn ears(engine: &Fake) -> Ears {
    let config = Config {
        threads: 1,
        max_streams: Some(3),
        ..Config::default()
    };
    Ears::with(vec![Arc::new(engine.clone())], &config).unwrap()
}

fn call(ears: &Ears) -> Ear {
    ears.open(CallId(uuid::Uuid::from_u128(1))).unwrap()
}

fn question(hints: &[&str]) -> Listen {
    let hints = hints.iter().map(|&hint| hint.to_owned()).collect();
    Listen {
        expect: Expect::YesNo,
        languages: vec![Language::DA],
        hints: [(Language::DA, hints)].into(),
        patience: None,
    }
}

/// A buzz with the harmonics and the syllables of a voice.
fn voice(milliseconds: usize) -> Vec<i16> {
    (0..milliseconds * RATE / 1000)
        .map(|index| {
            let time = index as f32 / RATE as f32;
            let syllable = 0.6 + 0.4 * (std::f32::consts::TAU * 4.0 * time).sin();
            let buzz: f32 = (1..20)
                .map(|n| (std::f32::consts::TAU * 130.0 * n as f32 * time).sin() / n as f32)
                .sum();
            (buzz * syllable * 5000.0) as i16
        })
        .collect()
}

fn quiet(milliseconds: usize) -> Vec<i16> {
    vec![0; milliseconds * RATE / 1000]
}

/// Pushes as fast as the ear takes it.
async fn push(ear: &Ear, audio: &[i16]) {
    for frame in audio.chunks(FRAME) {
        ear.push(frame);
        while ear.backlog() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Waits for the next event that is no partial result.
async fn next(ear: &mut Ear) -> EarEvent {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(10), ear.events.recv()).await;
        match event
            .expect("an event within ten seconds")
            .expect("an open ear")
        {
            EarEvent::Partial(_) | EarEvent::TurnEnded | EarEvent::Degraded(_) => {}
            event => return event,
        }
    }
}

async fn samples_heard(ear: &mut Ear) -> usize {
    match next(ear).await {
        EarEvent::Heard(heard) => heard.hypotheses[0]
            .text
            .trim_start_matches("samples ")
            .parse()
            .unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_engine_hears_no_silence_but_what_came_just_before_speech() {
    let engine = Fake::default();
    let ears = ears(&engine);
    let mut ear = call(&ears);
    ear.listen(&question(&[]));
    push(&ear, &quiet(5000)).await;
    assert_eq!(engine.pushed.load(Ordering::SeqCst), 0);
    push(&ear, &[voice(500), quiet(500)].concat()).await;
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    let heard = samples_heard(&mut ear).await * 1000 / RATE;
    assert!(
        (1120..=1240).contains(&heard),
        "300 + 500 + 320 ms, not {heard} ms"
    );
}

#[tokio::test]
async fn pieces_of_any_length_make_frames() {
    let engine = Fake::default();
    let ears = ears(&engine);
    let mut ear = call(&ears);
    ear.listen(&question(&[]));
    for piece in [quiet(500), voice(500), quiet(500)].concat().chunks(37) {
        ear.push(piece);
        while ear.backlog() > 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    assert!(samples_heard(&mut ear).await > 0);
}

#[tokio::test]
async fn what_the_caller_is_saying_when_asked_counts_from_its_beginning() {
    let engine = Fake::default();
    let ears = ears(&engine);
    let mut ear = call(&ears);
    push(&ear, &[quiet(500), voice(800)].concat()).await;
    ear.listen(&question(&[]));
    push(&ear, &[voice(200), quiet(500)].concat()).await;
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    let heard = samples_heard(&mut ear).await * 1000 / RATE;
    assert!(heard >= 300 + 1000 + 320, "{heard} ms");
}

#[tokio::test]
async fn a_new_question_in_mid_speech_hears_it_all_with_its_own_grammar() {
    let engine = Fake::default();
    let ears = ears(&engine);
    let mut ear = call(&ears);
    ear.listen(&question(&["ja"]));
    push(&ear, &[quiet(500), voice(600)].concat()).await;
    ear.listen(&question(&["nej"]));
    push(&ear, &[voice(200), quiet(500)].concat()).await;
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    let heard = samples_heard(&mut ear).await * 1000 / RATE;
    assert!(heard >= 300 + 800 + 320, "{heard} ms");
    assert_eq!(*engine.opened.lock().unwrap(), [["ja"], ["nej"]]);
}

#[tokio::test]
async fn a_new_question_needs_no_more_of_an_engine_that_is_full_than_the_old_one() {
    let engine = Fake {
        most: Some(1),
        ..Fake::default()
    };
    let ears = ears(&engine);
    let mut ear = call(&ears);
    for hint in ["ja", "nej"] {
        ear.listen(&question(&[hint]));
        push(&ear, &[quiet(500), voice(500), quiet(500)].concat()).await;
        assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
        assert!(samples_heard(&mut ear).await > 0);
    }
    assert_eq!(*engine.opened.lock().unwrap(), [["ja"], ["nej"]]);
}

#[tokio::test]
async fn asking_the_same_again_changes_nothing() {
    let engine = Fake::default();
    let ears = ears(&engine);
    let mut ear = call(&ears);
    for piece in [quiet(500), voice(300), voice(300), quiet(500)] {
        ear.listen(&question(&["ja"]));
        push(&ear, &piece).await;
    }
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    assert!(samples_heard(&mut ear).await > 0);
    assert_eq!(engine.opened.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_told_of_a_call_that_is_not_listened_to() {
    let engine = Fake::default();
    let ears = ears(&engine);
    let mut ear = call(&ears);
    ear.listen(&question(&[]));
    ear.deafen();
    push(&ear, &[quiet(500), voice(500), quiet(1000)].concat()).await;
    ear.watch(Duration::from_millis(100));
    push(&ear, &quiet(500)).await;
    assert_eq!(next(&mut ear).await, EarEvent::Paused);
}

#[tokio::test]
async fn a_recording_ends_when_the_caller_is_silent() {
    let ears = Ears::deaf(&Config {
        threads: 1,
        ..Config::default()
    })
    .unwrap();
    let mut ear = call(&ears);
    ear.watch(Duration::from_secs(2));
    push(&ear, &[voice(1000), quiet(1500), voice(1000)].concat()).await;
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    assert!(ear.events.try_recv().is_err());
    push(&ear, &quiet(2100)).await;
    assert_eq!(next(&mut ear).await, EarEvent::Paused);
}

#[tokio::test]
async fn a_question_without_an_engine_is_answered_at_once() {
    let ears = Ears::deaf(&Config::default()).unwrap();
    let mut ear = call(&ears);
    ear.listen(&question(&[]));
    assert!(matches!(next(&mut ear).await, EarEvent::Unavailable(_)));
}

#[tokio::test]
async fn audio_that_stops_coming_ends_the_turn() {
    let engine = Fake::default();
    let ears = ears(&engine);
    let mut ear = call(&ears);
    ear.listen(&question(&[]));
    push(&ear, &[quiet(500), voice(500)].concat()).await;
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    assert!(samples_heard(&mut ear).await > 0);
}

#[tokio::test]
async fn an_engine_that_panics_costs_one_call_only() {
    let healthy = Fake {
        language: Some(Language::EN),
        ..Fake::default()
    };
    let broken = Fake {
        panics_at: Some(RATE / 2),
        ..Fake::default()
    };
    let config = Config {
        threads: 1,
        max_streams: Some(2),
        ..Config::default()
    };
    let ears = Ears::with(vec![Arc::new(healthy), Arc::new(broken)], &config).unwrap();
    let (mut one, mut other) = (call(&ears), call(&ears));
    one.listen(&question(&[]));
    other.listen(&Listen {
        languages: vec![Language::EN],
        ..question(&[])
    });
    push(&one, &[quiet(500), voice(500)].concat()).await;
    assert_eq!(next(&mut one).await, EarEvent::SpeechStarted);
    assert_eq!(
        next(&mut one).await,
        EarEvent::Unavailable("the da recogniser failed: it broke off with a panic".to_owned())
    );
    push(&other, &[quiet(500), voice(500), quiet(500)].concat()).await;
    assert_eq!(next(&mut other).await, EarEvent::SpeechStarted);
    assert!(samples_heard(&mut other).await > 0);
}

#[tokio::test]
async fn a_caller_whose_language_has_lost_its_engines_is_not_heard_in_another_one() {
    let english = Fake {
        language: Some(Language::EN),
        ..Fake::default()
    };
    let danish = Fake {
        panics_at: Some(RATE / 2),
        ..Fake::default()
    };
    let config = Config {
        threads: 1,
        max_streams: Some(2),
        ..Config::default()
    };
    let ears = Ears::with(vec![Arc::new(english), Arc::new(danish)], &config).unwrap();
    let (danish_first, english_first) =
        ([Language::DA, Language::EN], [Language::EN, Language::DA]);
    // Three failures, after which the Danish engine is left alone.
    for _ in 0..3 {
        let mut ear = call(&ears);
        ear.listen(&Listen {
            languages: danish_first.to_vec(),
            ..question(&[])
        });
        push(&ear, &[quiet(500), voice(500), quiet(500)].concat()).await;
        assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
        assert!(matches!(next(&mut ear).await, EarEvent::Unavailable(_)));
    }
    assert!(!ears.are_able(&danish_first));
    assert!(ears.are_able(&english_first));
    let mut ear = call(&ears);
    ear.listen(&Listen {
        languages: english_first.to_vec(),
        ..question(&[])
    });
    push(&ear, &[quiet(500), voice(500), quiet(500)].concat()).await;
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    assert!(samples_heard(&mut ear).await > 0);
}

#[tokio::test]
async fn an_engine_that_hangs_never_holds_up_a_call() {
    let (gate, wait) = std::sync::mpsc::channel();
    let engine = Fake {
        hangs: Some(Arc::new(Mutex::new(wait))),
        ..Fake::default()
    };
    let ears = ears(&engine);
    let mut ear = call(&ears);
    ear.listen(&question(&[]));
    push(&ear, &quiet(500)).await;
    ear.push(&voice(400));
    assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let lost = loop {
        tokio::select! {
            event = ear.events.recv() => break event,
            // The gate is shut all the while, so this would never come back if it waited.
            _ = tick.tick() => ear.push(&voice(20)),
        }
    };
    let reason = "the recogniser does not keep up".to_owned();
    assert_eq!(lost, Some(EarEvent::Lost(reason)));
    assert!(ears.load().dropped > 0);
    // The thread was busy a moment before the engine was.
    while !ears.threads().workers[0].is_stuck() || ears.are_able(&[Language::DA]) {
        tick.tick().await;
    }
    // Another thread takes the place of the one that hangs, and knows that engine for what it is.
    let mut another = call(&ears);
    assert_eq!(ears.threads().lost.len(), 1);
    another.listen(&question(&[]));
    assert_eq!(
        next(&mut another).await,
        EarEvent::Unavailable(
            "the da recogniser failed: a call of it has not come back".to_owned()
        )
    );
    assert_eq!(ears.transcribe(vec![0; 8000], Language::DA).await, None);
    drop(gate);
    while !ears.threads().lost[0].has_ended() {
        tick.tick().await;
    }
    assert!(ears.are_able(&[Language::DA]));
    drop(call(&ears));
    assert!(ears.threads().lost.is_empty());
}

#[tokio::test]
async fn a_full_house_says_so_until_a_call_ends() {
    let ears = ears(&Fake::default());
    let mut calls: Vec<Ear> = (0..3).map(|_| call(&ears)).collect();
    let error = ears.open(CallId(uuid::Uuid::nil())).err().unwrap();
    insta::assert_snapshot!(error, @"all 3 recognition streams are taken; the call is served by keys");
    calls.pop();
    assert_eq!(
        ears.load(),
        Load {
            open: 2,
            max: 3,
            dropped: 0
        }
    );
    assert!(ears.open(CallId(uuid::Uuid::nil())).is_ok());
}

#[tokio::test]
async fn an_answer_waits_for_a_call_that_is_busy() {
    let engine = Fake::default();
    let ears = ears(&engine);
    let mut ear = call(&ears);
    ear.listen(&question(&[]));
    for _ in 0..12 {
        push(&ear, &[quiet(500), voice(500), quiet(500)].concat()).await;
    }
    for _ in 0..12 {
        assert_eq!(next(&mut ear).await, EarEvent::SpeechStarted);
        assert!(samples_heard(&mut ear).await > 0);
    }
}

#[tokio::test]
async fn a_recording_is_written_down_while_calls_go_on() {
    let ears = ears(&Fake::default());
    let text = ears.transcribe(vec![5; 60 * RATE], Language::DA).await;
    assert_eq!(text.as_deref(), Some("samples 480000"));
    assert_eq!(ears.transcribe(vec![5; RATE], Language::EN).await, None);
}
