use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;

use super::super::recognisers::Setting;
use super::*;

/// What an engine does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Well,
    RefusesToOpen,
    IsTaken,
    FailsAtPush,
    FailsAtFinish,
    FailsAtTold,
    Panics,
    HangsAtPush,
    TellsGarbage,
    NeverAnswers,
}

const FAULTS: [Does; 7] = [
    Does::RefusesToOpen,
    Does::FailsAtPush,
    Does::FailsAtFinish,
    Does::FailsAtTold,
    Does::Panics,
    Does::TellsGarbage,
    Does::NeverAnswers,
];

/// An engine whose words are its name and the samples of the turn: "b:320".
#[derive(Clone)]
struct Fake {
    name: &'static str,
    does: Arc<Mutex<Does>>,
    opened: Arc<AtomicUsize>,
    /// Whether it has begun to hang.
    hung: Arc<AtomicBool>,
}

impl Fake {
    fn new(name: &'static str, does: Does) -> Self {
        Self {
            name,
            does: Arc::new(Mutex::new(does)),
            opened: Arc::default(),
            hung: Arc::default(),
        }
    }

    fn does(&self) -> Does {
        *self.does.lock().unwrap()
    }

    fn now_does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    fn error(&self) -> SpeechError {
        SpeechError::Recogniser {
            language: Language::DA,
            reason: format!("{} is out of order", self.name),
        }
    }
}

impl Recogniser for Fake {
    fn name(&self) -> &str {
        self.name
    }

    fn language(&self) -> Language {
        Language::DA
    }

    fn works(&self) -> Works {
        Works::Elsewhere
    }

    fn open(&self, _asked: &Asked, _bell: Bell) -> Result<Box<dyn Recognition>, SpeechError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        match self.does() {
            Does::RefusesToOpen => return Err(self.error()),
            Does::IsTaken => {
                return Err(SpeechError::Taken {
                    setting: Setting::ear(Language::DA, 0).field("most"),
                    engine: self.name,
                    most: 1,
                });
            }
            _ => {}
        }
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
        match self.engine.does() {
            Does::FailsAtPush => Err(self.engine.error()),
            Does::Panics => panic!("as told"),
            Does::HangsAtPush => {
                self.engine.hung.store(true, Ordering::SeqCst);
                while self.engine.does() == Does::HangsAtPush {
                    std::thread::yield_now();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        let text = format!("{}:{}", self.engine.name, std::mem::take(&mut self.samples));
        let (text, confidence) = match self.engine.does() {
            Does::FailsAtFinish => return Err(self.engine.error()),
            Does::NeverAnswers => return Ok(()),
            Does::TellsGarbage => (text, f32::NAN),
            _ => (text, 0.5),
        };
        self.tells.push_back(Told::Final(Transcript {
            text,
            confidence,
            words: Vec::new(),
        }));
        Ok(())
    }

    fn told(&mut self, _now: Instant) -> Result<Option<Told>, SpeechError> {
        match self.engine.does() {
            Does::FailsAtTold => Err(self.engine.error()),
            _ => Ok(self.tells.pop_front()),
        }
    }
}

fn chain(engines: &[&Fake]) -> Chain {
    let engines = engines
        .iter()
        .map(|engine| Arc::new((*engine).clone()) as Arc<dyn Recogniser>);
    Chain::new(
        engines.collect(),
        &Limits::default(),
        &Figures::default(),
        &Room::new(false),
    )
    .unwrap()
}

fn open(chain: &Chain) -> Box<dyn Recognition> {
    chain.open(&Asked::anything(), Bell::silent()).unwrap()
}

/// Asks until there is nothing more to tell, as the thread does whenever the bell rings.
fn told(recognition: &mut dyn Recognition, now: Instant) -> Result<Vec<Told>, SpeechError> {
    let mut all = Vec::new();
    let mut nothing = 0;
    while nothing < 1000 {
        match recognition.told(now)? {
            Some(told) => all.push(told),
            None => nothing += 1,
        }
    }
    Ok(all)
}

fn words(told: &[Told]) -> Vec<&str> {
    told.iter()
        .filter_map(|told| match told {
            Told::Final(transcript) => Some(transcript.text.as_str()),
            _ => None,
        })
        .collect()
}

fn failures(told: &[Told]) -> Vec<(&str, Failure, Option<&str>)> {
    told.iter()
        .filter_map(|told| match told {
            Told::Degraded(it) => Some((it.engine.as_str(), it.failure, it.next.as_deref())),
            _ => None,
        })
        .collect()
}

/// Says a turn of so many samples in frames.
fn say(recognition: &mut dyn Recognition, samples: usize) {
    for frame in vec![1; samples].chunks(160) {
        recognition.push(frame).unwrap();
    }
    recognition.finish().unwrap();
}

#[test]
fn whatever_the_first_engine_does_wrong_the_second_one_hears_the_whole_turn() {
    for fault in FAULTS {
        let (a, b) = (Fake::new("a", fault), Fake::new("b", Does::Well));
        let chain = chain(&[&a, &b]);
        let mut recognition = open(&chain);
        let now = Instant::now();
        say(recognition.as_mut(), 16_000);
        let mut all = told(recognition.as_mut(), now).unwrap();
        if fault == Does::NeverAnswers {
            assert_eq!(words(&all), Vec::<&str>::new(), "it has its time");
            all = told(recognition.as_mut(), now + Duration::from_secs(3)).unwrap();
        }
        assert_eq!(words(&all), ["b:16000"], "{fault:?}");
        let failure = match fault {
            Does::Panics => Failure::Broke,
            Does::TellsGarbage => Failure::Garbage,
            Does::NeverAnswers => Failure::Slow,
            _ => Failure::Failed,
        };
        assert_eq!(failures(&all), [("a", failure, Some("b"))], "{fault:?}");
    }
}

#[test]
fn an_engine_that_breaks_in_mid_speech_costs_no_sample() {
    let (a, b) = (Fake::new("a", Does::Well), Fake::new("b", Does::Well));
    let chain = chain(&[&a, &b]);
    let mut recognition = open(&chain);
    for _ in 0..50 {
        recognition.push(&[1; 160]).unwrap();
    }
    a.now_does(Does::FailsAtPush);
    for _ in 0..50 {
        recognition.push(&[1; 160]).unwrap();
    }
    recognition.finish().unwrap();
    let all = told(recognition.as_mut(), Instant::now()).unwrap();
    assert_eq!(words(&all), ["b:16000"]);
}

#[test]
fn turns_that_are_owed_are_told_in_their_order_by_the_next_engine() {
    let (a, b) = (
        Fake::new("a", Does::NeverAnswers),
        Fake::new("b", Does::Well),
    );
    let chain = chain(&[&a, &b]);
    let mut recognition = open(&chain);
    let now = Instant::now();
    say(recognition.as_mut(), 8000);
    assert!(told(recognition.as_mut(), now).unwrap().is_empty());
    say(recognition.as_mut(), 4000);
    recognition.push(&[1; 320]).unwrap();
    let later = now + Duration::from_secs(4);
    let all = told(recognition.as_mut(), later).unwrap();
    assert_eq!(words(&all), ["b:8000", "b:4000"]);
    recognition.finish().unwrap();
    let all = told(recognition.as_mut(), later).unwrap();
    assert_eq!(words(&all), ["b:320"]);
}

#[test]
fn when_none_is_left_the_caller_is_told_so_after_what_went_wrong() {
    let (a, b) = (
        Fake::new("a", Does::FailsAtPush),
        Fake::new("b", Does::RefusesToOpen),
    );
    let chain = chain(&[&a, &b]);
    let mut recognition = open(&chain);
    recognition.push(&[1; 160]).unwrap();
    let now = Instant::now();
    for engine in ["a", "b"] {
        match recognition.told(now).unwrap() {
            Some(Told::Degraded(it)) => assert_eq!((it.engine.as_str(), it.next), (engine, None)),
            other => panic!("{other:?}"),
        }
    }
    let error = recognition.told(now).unwrap_err();
    insta::assert_snapshot!(error, @"the da recogniser failed: the da recogniser failed: b is out of order");
}

#[test]
fn an_engine_that_keeps_failing_is_left_alone_and_tried_again_later() {
    let (a, b) = (
        Fake::new("a", Does::FailsAtFinish),
        Fake::new("b", Does::Well),
    );
    let engines = [Arc::new(a.clone()) as Arc<dyn Recogniser>, Arc::new(b)];
    let limits = Limits {
        breaker: super::super::breaker::Settings {
            rest: Duration::from_millis(50),
            ..Default::default()
        },
        ..Limits::default()
    };
    let figures = Figures::default();
    let chain = Chain::new(engines.into(), &limits, &figures, &Room::new(false)).unwrap();
    let turn = || {
        let mut recognition = open(&chain);
        say(recognition.as_mut(), 160);
        let all = told(recognition.as_mut(), Instant::now()).unwrap();
        words(&all)[0].to_owned()
    };
    for _ in 0..5 {
        assert_eq!(turn(), "b:160");
    }
    assert_eq!(a.opened.load(Ordering::SeqCst), 3, "three failures");
    a.now_does(Does::Well);
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(turn(), "a:160");
}

#[test]
fn an_engine_alone_is_not_tried_while_it_is_left_alone() {
    let a = Fake::new("a", Does::FailsAtPush);
    let chain = chain(&[&a]);
    for _ in 0..6 {
        let mut recognition = open(&chain);
        recognition.push(&[1; 160]).unwrap();
        assert!(told(recognition.as_mut(), Instant::now()).is_err());
    }
    assert_eq!(a.opened.load(Ordering::SeqCst), 3);
    assert!(!chain.is_able(Instant::now()));
}

#[test]
fn an_engine_whose_recognitions_are_taken_has_done_no_wrong() {
    let (a, b) = (Fake::new("a", Does::IsTaken), Fake::new("b", Does::Well));
    let chain = chain(&[&a, &b]);
    for _ in 0..6 {
        let all = told(open(&chain).as_mut(), Instant::now()).unwrap();
        assert_eq!(failures(&all), [("a", Failure::Full, Some("b"))]);
    }
    a.now_does(Does::Well);
    let mut recognition = open(&chain);
    say(recognition.as_mut(), 160);
    let all = told(recognition.as_mut(), Instant::now()).unwrap();
    assert_eq!(words(&all), ["a:160"]);
}

#[test]
fn an_engine_that_hangs_is_not_mistaken_for_the_one_it_took_over_from() {
    let (a, b) = (
        Fake::new("a", Does::FailsAtPush),
        Fake::new("b", Does::HangsAtPush),
    );
    let chain = chain(&[&a, &b]);
    let able: Vec<bool> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut recognition = open(&chain);
            for _ in 0..2 {
                recognition.push(&[1; 160]).unwrap();
            }
        });
        while !b.hung.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let later = Instant::now() + link::HUNG_AFTER + Duration::from_secs(1);
        let links = chain.shared.links.iter();
        let able = links.map(|link| link.is_able(later)).collect();
        b.now_does(Does::Well);
        able
    });
    assert_eq!(able, [true, false]);
}

#[test]
fn what_no_caller_can_have_said_is_garbage() {
    let told = |text: &str, confidence| Transcript {
        text: text.to_owned(),
        confidence,
        words: Vec::new(),
    };
    assert_eq!(nonsense(&told("ja tak", 1.0), 8000), None);
    assert_eq!(nonsense(&told("", 0.0), 8000), None);
    for (text, confidence) in [
        ("ja", f32::INFINITY),
        ("ja", -1.0),
        ("ja\u{7}", 0.5),
        ("<html>", 0.5),
        ("{\"error\":1}", 0.5),
        (&"ja ".repeat(1000), 0.5),
    ] {
        assert!(nonsense(&told(text, confidence), 8000).is_some(), "{text}");
    }
}

/// An engine in this process that needs two milliseconds for whatever is pushed.
struct Slow(Fake);

struct SlowRecognition(Box<dyn Recognition>);

impl Recogniser for Slow {
    fn name(&self) -> &str {
        self.0.name
    }

    fn language(&self) -> Language {
        Language::DA
    }

    fn works(&self) -> Works {
        Works::Here
    }

    fn open(&self, asked: &Asked, bell: Bell) -> Result<Box<dyn Recognition>, SpeechError> {
        Ok(Box::new(SlowRecognition(self.0.open(asked, bell)?)))
    }
}

impl Recognition for SlowRecognition {
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        std::thread::sleep(Duration::from_millis(2));
        self.0.push(samples)
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        self.0.finish()
    }

    fn told(&mut self, now: Instant) -> Result<Option<Told>, SpeechError> {
        self.0.told(now)
    }
}

#[test]
fn engines_in_this_process_take_no_more_than_there_is() {
    let room = Room::new(true);
    let engines = vec![
        Arc::new(Slow(Fake::new("a", Does::Well))) as Arc<dyn Recogniser>,
        Arc::new(Fake::new("b", Does::Well)),
    ];
    let (limits, figures) = (Limits::default(), Figures::default());
    let chain = Chain::new(engines, &limits, &figures, &room).unwrap();
    assert!(chain.cost() >= 0.002, "two milliseconds a second at least");
    room.set(chain.cost() * 2.5);
    let who = |recognition: &mut Box<dyn Recognition>| {
        say(recognition.as_mut(), 160);
        let all = told(recognition.as_mut(), Instant::now()).unwrap();
        words(&all)[0].to_owned()
    };
    let mut recognitions: Vec<_> = (0..3).map(|_| open(&chain)).collect();
    let heard: Vec<String> = recognitions.iter_mut().map(who).collect();
    assert_eq!(heard, ["a:160", "a:160", "b:160"]);
    recognitions.clear();
    assert_eq!(who(&mut open(&chain)), "a:160");
}

/// What may happen to a recognition.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Push(usize),
    Finish,
    Told,
    Fails(Does),
    Later,
}

fn happenings() -> impl Strategy<Value = Vec<Happens>> {
    let one = prop_oneof![
        6 => (1_usize..9000).prop_map(Happens::Push),
        3 => Just(Happens::Finish),
        3 => Just(Happens::Told),
        1 => (0..FAULTS.len()).prop_map(|at| Happens::Fails(FAULTS[at])),
        1 => Just(Happens::Later),
    ];
    proptest::collection::vec(one, 0..40)
}

proptest! {
    /// However the first engines fail, each turn is told once, in its order and whole, while the
    /// last one is well.
    #[test]
    fn no_turn_is_lost_while_an_engine_is_left(happens in happenings()) {
        let engines = [
            Fake::new("a", Does::Well),
            Fake::new("b", Does::Well),
            Fake::new("c", Does::Well),
        ];
        let chain = chain(&[&engines[0], &engines[1], &engines[2]]);
        let mut recognition = open(&chain);
        let mut now = Instant::now();
        let (mut turns, mut turn, mut heard) = (Vec::new(), 0, Vec::new());
        let mut broken = 0;
        let listen = |recognition: &mut dyn Recognition, now, heard: &mut Vec<usize>| {
            let all = told(recognition, now).unwrap();
            heard.extend(words(&all).iter().map(|text| text[2..].parse::<usize>().unwrap()));
        };
        for happens in happens {
            match happens {
                Happens::Push(samples) => {
                    turn += samples;
                    recognition.push(&vec![1; samples]).unwrap();
                }
                Happens::Finish => {
                    turns.push(std::mem::take(&mut turn));
                    recognition.finish().unwrap();
                }
                Happens::Told => listen(recognition.as_mut(), now, &mut heard),
                Happens::Fails(does) if broken < 2 => {
                    engines[broken].now_does(does);
                    broken += 1;
                }
                Happens::Fails(_) => {}
                Happens::Later => now += Duration::from_secs(3),
            }
        }
        for _ in 0..4 {
            listen(recognition.as_mut(), now, &mut heard);
            now += Duration::from_secs(60);
        }
        prop_assert_eq!(heard, turns);
    }
}
