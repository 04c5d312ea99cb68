//! Callers with synthetic voices: libvosk with a tiny model stands behind servers of each protocol.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hotline::dialog::{Expect, Listen};
use hotline::speech::recognisers::{self, Engine, vosk};
use hotline::speech::{Asked, Bell, Config, FRAME, Told};
use street::caller;
use street::engines::{self, Hearing, Mind, Word};
use tokio::runtime::Runtime;

use super::super::{EN, fixture, open, require};
use super::{PATIENCE, Pair, WAYS, Way};

/// libvosk with a tiny model as what is behind a server. It lives on a thread of its own.
pub(super) fn vosk_mind() -> Option<Mind> {
    let config = Config {
        ears: [(EN, vec![Engine::Vosk(vosk::Settings::of(fixture(EN)))])].into(),
        ..Config::default()
    };
    let (mut opened, mut faults) = recognisers::open(&config);
    let recogniser = require(opened.pop().ok_or_else(|| faults.remove(0)))?;
    Some(Arc::new(move |phrases: &[String]| {
        let asked = Asked {
            expect: Expect::Intent,
            hints: phrases
                .iter()
                .filter(|it| *it != "[unk]")
                .cloned()
                .collect(),
            ..Asked::anything()
        };
        let (orders, inbox) = mpsc::channel::<Option<Vec<i16>>>();
        let (reply, replies) = mpsc::channel();
        let recogniser = Arc::clone(&recogniser);
        std::thread::spawn(move || {
            let mut recognition = recogniser.open(&asked, Bell::silent()).unwrap();
            let mut partial = String::new();
            while let Ok(order) = inbox.recv() {
                match order {
                    Some(samples) => recognition.push(&samples).unwrap(),
                    None => recognition.finish().unwrap(),
                }
                let mut words = Vec::new();
                while let Some(told) = recognition.told(Instant::now()).unwrap() {
                    match told {
                        Told::Partial(text) => partial = text,
                        Told::Final(transcript) => {
                            partial.clear();
                            words = transcript.words;
                        }
                        _ => {}
                    }
                }
                if reply.send((partial.clone(), words)).is_err() {
                    return;
                }
            }
        });
        Box::new(VoskHearing { orders, replies })
    }))
}

struct VoskHearing {
    orders: mpsc::Sender<Option<Vec<i16>>>,
    replies: mpsc::Receiver<(String, Vec<hotline::speech::Word>)>,
}

impl Hearing for VoskHearing {
    fn hear(&mut self, samples: &[i16]) -> String {
        self.orders.send(Some(samples.to_vec())).unwrap();
        self.replies.recv().unwrap().0
    }

    fn end(&mut self) -> Vec<Word> {
        self.orders.send(None).unwrap();
        let (_, words) = self.replies.recv().unwrap();
        let word = |word: hotline::speech::Word| Word {
            text: word.text,
            start: word.start.as_secs_f64(),
            end: word.end.as_secs_f64(),
            sure: word.confidence,
        };
        words.into_iter().map(word).collect()
    }
}

/// What a caller says in English, with the silence around it that turn-taking leaves.
pub(super) fn english(text: &str) -> Vec<i16> {
    let speech = caller::english(text).unwrap();
    [vec![0; 2400], speech.to_vec(), vec![0; 3200]].concat()
}

#[test]
fn what_a_caller_really_said_comes_out_whatever_the_protocol() {
    let Some(mind) = vosk_mind() else { return };
    for way in WAYS {
        let pair = Pair::new(way, Arc::clone(&mind));
        let mut question = pair.question(&[]);
        for words in ["yes", "i have a question about my passport", "no"] {
            question.say(&english(words)).unwrap();
            let transcript = question.words().unwrap();
            assert_eq!(transcript.text, words, "{way:?}");
            assert!(transcript.confidence > 0.6, "{way:?} {transcript:?}");
            for word in &transcript.words {
                assert!(
                    word.end < Duration::from_secs(4),
                    "{way:?} {word:?}: counted from its turn"
                );
            }
        }
        pair.server.check().unwrap();
    }
}

#[test]
fn a_call_is_listened_to_by_a_remote_engine_through_the_ears() {
    let pair = Pair::new(Way::Openai, engines::script(&["opening hours"]));
    let config = Config {
        threads: 1,
        max_streams: Some(2),
        ..Config::default()
    };
    let ears = hotline::speech::Ears::with(vec![Arc::clone(&pair.recogniser)], &config).unwrap();
    let mut ear = open(&ears);
    ear.listen(&Listen {
        expect: Expect::Intent,
        languages: vec![EN],
        hints: Default::default(),
        patience: None,
    });
    let audio = [vec![0; 4000], english("opening hours"), vec![0; 12_000]].concat();
    let runtime = Runtime::new().unwrap();
    let heard = runtime.block_on(async {
        for frame in audio.chunks(FRAME) {
            ear.push(frame);
            while ear.backlog() > 0 {
                tokio::task::yield_now().await;
            }
        }
        loop {
            let event = tokio::time::timeout(PATIENCE, ear.events.recv())
                .await
                .unwrap()
                .unwrap();
            if let hotline::speech::EarEvent::Heard(heard) = event {
                return heard;
            }
        }
    });
    assert_eq!(heard.hypotheses[0].text, "opening hours");
    pair.server.check().unwrap();
}
