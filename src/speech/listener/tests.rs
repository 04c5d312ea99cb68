//! A listener over a long call, in virtual time: nothing grows.

use std::sync::atomic::AtomicU64;

use tokio::sync::mpsc;

use super::super::chain::Room;
use super::super::figures::Figures;
use super::super::limits::Limits;
use super::super::worker::Worker;
use super::super::{Works, turn};
use super::*;
use crate::words::CallId;

/// Hears "ja" in whatever it gets.
struct Yes;

impl Recogniser for Yes {
    fn name(&self) -> &str {
        "yes"
    }

    fn language(&self) -> Language {
        Language::DA
    }

    fn works(&self) -> Works {
        Works::Here
    }

    fn open(&self, _: &Asked, _: Bell) -> Result<Box<dyn Recognition>, SpeechError> {
        Ok(Box::new(Hearing::default()))
    }
}

#[derive(Default)]
struct Hearing {
    heard: bool,
    told: bool,
    done: bool,
}

impl Recognition for Hearing {
    fn push(&mut self, _: &[i16]) -> Result<(), SpeechError> {
        self.heard = true;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        self.done = true;
        Ok(())
    }

    fn told(&mut self, _: Instant) -> Result<Option<Told>, SpeechError> {
        if std::mem::take(&mut self.done) {
            self.told = false;
            self.heard = false;
            let text = "ja".to_owned();
            return Ok(Some(Told::Final(Transcript {
                text,
                confidence: 1.0,
                words: Vec::new(),
            })));
        }
        if !self.heard || std::mem::replace(&mut self.told, true) {
            return Ok(None);
        }
        Ok(Some(Told::Partial("ja".to_owned())))
    }
}

/// Half a second of a voice with syllables.
fn voice() -> Vec<Samples> {
    let samples: Vec<i16> = (0..4000)
        .map(|at| {
            let time = at as f32 / 8000.0;
            let syllable = 0.6 + 0.4 * (std::f32::consts::TAU * 4.0 * time).sin();
            let buzz: f32 = (1..20)
                .map(|n| (std::f32::consts::TAU * 130.0 * n as f32 * time).sin() / n as f32)
                .sum();
            (buzz * syllable * 5000.0) as i16
        })
        .collect();
    samples.as_chunks::<FRAME>().0.to_vec()
}

#[test]
fn after_half_an_hour_a_turn_ends_as_soon_as_the_first_and_nothing_has_grown() {
    let chain = Chain::new(
        vec![Arc::new(Yes)],
        &Limits::default(),
        &Figures::default(),
        &Room::new(false),
    );
    let recognisers: Arc<Recognisers> = Arc::new([(Language::DA, Arc::new(chain.unwrap()))].into());
    let settings = turn::Settings::default();
    let worker = Worker::start(0, Arc::clone(&recognisers), settings.clone()).unwrap();
    let (sender, mut events) = mpsc::channel(16);
    let call = CallId(uuid::Uuid::nil());
    let line = Line::new(
        call,
        0,
        Arc::clone(&worker),
        Arc::<AtomicU64>::default(),
        sender,
    );
    let mut listener = Listener::new(line, recognisers, Turn::new(settings));
    let now = Instant::now();
    listener.take(
        Next::Order(Order::Listen(Listen {
            expect: Expect::YesNo,
            languages: vec![Language::DA],
            hints: Default::default(),
            patience: None,
        })),
        now,
    );
    let voice = voice();
    // What is kept at the end of a turn, and how many frames it took to end.
    let mut turns: Vec<(usize, usize)> = Vec::new();
    for number in 0..900 {
        // Two seconds; some turns are over a prompt of ours.
        let played = (number % 20 == 0).then(|| voice[7]);
        let mut ended = None;
        let mut words = Heard::default();
        for at in 0..100 {
            let samples = voice.get(at).copied().unwrap_or([0; FRAME]);
            listener.take(Next::Played(played.filter(|_| at < 20)), now);
            listener.take(Next::Frame(samples), now);
            while let Ok(event) = events.try_recv() {
                match event {
                    EarEvent::Partial(heard) => words = heard,
                    EarEvent::Heard(_) => ended = ended.or(Some(at - voice.len())),
                    _ => {}
                }
            }
            if at == voice.len() + 3 {
                listener.take(Next::Order(Order::Enough(words.clone())), now);
            }
        }
        let waiting = match &listener.task {
            Task::Listen(question) => question.turns.len() + question.recognitions[0].finals.len(),
            Task::Deaf | Task::Watch { .. } => panic!("no longer listening"),
        };
        let kept = listener.kept.len() + listener.events.len() + waiting;
        turns.push((ended.expect("each turn ends"), kept));
    }
    worker.stop();
    // The first finds a line whose noise is not known yet.
    assert_eq!(turns[1..20], turns[881..], "frames, and things kept");
    let (longest, _) = turns.iter().max().unwrap();
    assert!(
        *longest <= 9,
        "{longest} frames of quiet end a short answer"
    );
}
