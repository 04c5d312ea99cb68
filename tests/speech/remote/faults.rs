//! Engines that fail: each fault is told quickly and by its name, and nobody else is held up.

use std::time::{Duration, Instant};

use hotline::speech::recognisers::{Engine, RemoteFault, vosk_server};
use hotline::speech::{Asked, Bell, FRAME, SpeechError};
use street::engines::{self, Fault};

use super::{Pair, Question, WAYS, Way, sound};

#[test]
fn a_server_that_was_restarted_between_turns_is_not_noticed() {
    for way in WAYS {
        let mut pair = Pair::new(way, engines::script(&["yes please"]));
        let mut question = pair.question(&[]);
        question.say(&sound()).unwrap();
        question.words().unwrap();
        pair.server.stop();
        pair.server.start_again().unwrap();
        question.say(&sound()).unwrap();
        assert_eq!(question.words().unwrap().text, "yes please", "{way:?}");
    }
}

/// What may come of a fault.
fn is_expected(fault: Fault, found: &RemoteFault) -> bool {
    match fault {
        Fault::None => false,
        Fault::Hang => matches!(found, RemoteFault::NoConnection(_) | RemoteFault::Silent(_)),
        Fault::HangBeforeFinal | Fault::Slow(_) => matches!(found, RemoteFault::Silent(_)),
        Fault::Garbage => matches!(found, RemoteFault::Garbage(_)),
        Fault::Html => matches!(found, RemoteFault::Html),
        Fault::Status(wanted) => {
            matches!(found, RemoteFault::Status { status, said } if *status == wanted && !said.contains('\n'))
        }
        Fault::Close(wanted) => {
            matches!(found, RemoteFault::Closed { code: Some(code), .. } if *code == wanted)
        }
        Fault::Drop | Fault::Reset => matches!(
            found,
            RemoteFault::Closed { .. } | RemoteFault::Unreachable(_)
        ),
    }
}

#[test]
fn every_fault_at_every_moment_is_told_quickly_and_by_its_name() {
    let faults = [
        Fault::Hang,
        Fault::HangBeforeFinal,
        Fault::Slow(Duration::from_secs(5)),
        Fault::Garbage,
        Fault::Html,
        Fault::Status(500),
        Fault::Status(429),
        Fault::Close(1011),
        Fault::Drop,
        Fault::Reset,
    ];
    for way in WAYS {
        for fault in faults {
            if matches!(
                (way, fault),
                (Way::Transcription | Way::Verbose, Fault::Close(_))
            ) {
                continue;
            }
            let pair = Pair::new(way, engines::script(&["yes please"]));
            pair.server.set_fault(fault);
            let mut question = pair.question(&[]);
            let began = Instant::now();
            let error = question.fault(&sound());
            let took = began.elapsed();
            let SpeechError::Remote {
                setting,
                fault: found,
                ..
            } = &error
            else {
                panic!("{way:?} {fault:?}: {error}");
            };
            assert_eq!(setting.to_string(), "speech.ears.en[0].url");
            assert!(is_expected(fault, found), "{way:?} {fault:?}: {error}");
            assert!(
                took < Duration::from_millis(3500),
                "{way:?} {fault:?}: {took:?}"
            );
            // It is over, and says so again.
            assert!(question.recognition.push(&[0; FRAME]).is_err());
            pair.server.check().unwrap();
        }
    }
}

#[test]
fn an_engine_that_is_down_is_found_out_and_used_again_when_it_is_back() {
    for way in WAYS {
        let mut pair = Pair::new(way, engines::script(&["yes please"]));
        pair.server.stop();
        let error = pair.question(&[]).fault(&sound());
        let is_down = matches!(
            &error,
            SpeechError::Remote {
                fault: RemoteFault::Unreachable(_),
                ..
            }
        );
        assert!(is_down, "{way:?}: {error}");
        assert!(error.to_string().contains("is it running"), "{error}");
        pair.server.start_again().unwrap();
        let mut question = pair.question(&[]);
        question.say(&sound()).unwrap();
        assert_eq!(question.words().unwrap().text, "yes please", "{way:?}");
    }
}

#[test]
fn a_server_killed_in_mid_turn_fails_that_recognition_at_once() {
    for way in WAYS.into_iter().filter(|way| way.has_partials()) {
        let mut pair = Pair::new(way, engines::script(&["yes please"]));
        let mut question = pair.question(&[]);
        question.recognition.push(&sound()).unwrap();
        question.words_so_far();
        pair.server.stop();
        let began = Instant::now();
        let error = question.words().unwrap_err();
        assert!(
            matches!(
                error,
                SpeechError::Remote {
                    fault: RemoteFault::Closed { .. },
                    ..
                }
            ),
            "{way:?}: {error}"
        );
        assert!(began.elapsed() < Duration::from_secs(1), "{way:?}");
    }
}

#[test]
fn a_full_engine_says_so_until_a_recognition_ends() {
    let server = engines::Engine::start(Way::VoskServer.kind(), engines::script(&["yes"])).unwrap();
    let settings = vosk_server::Settings {
        most: 2,
        ..vosk_server::Settings::of(server.url())
    };
    let pair = Pair::with(Engine::VoskServer(settings), server);
    let (first, _second) = (pair.question(&[]), pair.question(&[]));
    let asked = Asked::anything();
    let error = pair.recogniser.open(&asked, Bell::silent()).err().unwrap();
    insta::assert_snapshot!(error, @"speech.ears.en[0].most: all 2 recognitions that vosk_server may have at once are taken");
    drop(first);
    assert!(pair.recogniser.open(&asked, Bell::silent()).is_ok());
}

#[test]
fn an_engine_that_is_slow_holds_up_nobody_who_has_another() {
    let pair = Pair::new(Way::VoskServer, engines::script(&["yes please"]));
    pair.server.set_fault(Fault::Hang);
    let mut slow: Vec<Question> = (0..8).map(|_| pair.question(&[])).collect();
    let began = Instant::now();
    for question in &mut slow {
        question.say(&sound()).unwrap();
    }
    assert!(
        began.elapsed() < Duration::from_millis(200),
        "{:?}",
        began.elapsed()
    );
    let other = Pair::new(Way::VoskServer, engines::script(&["no thank you"]));
    let mut question = other.question(&[]);
    question.say(&sound()).unwrap();
    assert_eq!(question.words().unwrap().text, "no thank you");
    for question in &mut slow {
        assert!(question.words().is_err());
    }
}
