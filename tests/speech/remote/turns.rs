//! Turns at engines that do as they should: their words, the words so far, hints, connections.

use std::time::{Duration, Instant};

use hotline::speech::recognisers::RemoteFault;
use hotline::speech::{SpeechError, Transcript};
use street::engines::{self, Fault};

use super::{PATIENCE, Pair, WAYS, Way, sound};

#[test]
fn words_of_turn_after_turn_come_in_their_order() {
    for way in WAYS {
        let pair = Pair::new(
            way,
            engines::script(&["yes please", "no thank you", "the library"]),
        );
        let mut question = pair.question(&[]);
        for words in ["yes please", "no thank you", "the library"] {
            question.say(&sound()).unwrap();
            let transcript = question.words().unwrap();
            assert_eq!(transcript.text, words, "{way:?}");
            let confidence = match way {
                Way::Transcription | Way::Openai | Way::OpenaiPcm | Way::Vllm => 0.7,
                Way::Verbose | Way::VoskServer | Way::VoskServerInCpp => 0.9,
            };
            assert!(
                (transcript.confidence - confidence).abs() < 0.01,
                "{way:?} {transcript:?}"
            );
        }
        pair.server.check().unwrap();
    }
}

#[test]
fn words_come_while_the_caller_still_speaks() {
    for way in WAYS.into_iter().filter(|way| way.has_partials()) {
        let pair = Pair::new(way, engines::script(&["yes please"]));
        let mut question = pair.question(&[]);
        question.recognition.push(&sound()).unwrap();
        question.words_so_far();
        assert_eq!(question.partials, ["yes"], "{way:?}");
        pair.server.check().unwrap();
    }
}

#[test]
fn two_turns_in_quick_succession_keep_apart() {
    for way in WAYS {
        let pair = Pair::new(way, engines::script(&["yes please", "no thank you"]));
        let mut question = pair.question(&[]);
        question.say(&sound()).unwrap();
        question.say(&sound()).unwrap();
        assert_eq!(question.words().unwrap().text, "yes please", "{way:?}");
        let second = question.words().unwrap();
        assert_eq!(second.text, "no thank you", "{way:?}");
        if let Some(word) = second.words.first() {
            assert_eq!(word.start, Duration::ZERO, "{way:?}: counted from its turn");
        }
        pair.server.check().unwrap();
    }
}

#[test]
fn a_turn_without_audio_has_no_words_and_one_with_silence_neither() {
    for way in WAYS {
        let pair = Pair::new(way, engines::script(&["yes please"]));
        let mut question = pair.question(&[]);
        question.say(&[]).unwrap();
        assert_eq!(question.words().unwrap(), Transcript::default(), "{way:?}");
        question.say(&[0; 900]).unwrap();
        assert_eq!(question.words().unwrap(), Transcript::default(), "{way:?}");
        question.say(&sound()[..500]).unwrap();
        assert_eq!(question.words().unwrap().text, "yes please", "{way:?}");
        pair.server.check().unwrap();
    }
}

#[test]
fn making_up_its_mind_in_a_pause_loses_no_word() {
    let pair = Pair::new(Way::VoskServer, engines::script(&["yes", "please"]));
    let mut question = pair.question(&[]);
    question.recognition.push(&sound()).unwrap();
    question.recognition.settle();
    question.recognition.settle();
    question.say(&sound()).unwrap();
    assert_eq!(question.words().unwrap().text, "yes please");
    pair.server.check().unwrap();
}

#[test]
fn words_that_fit_the_question_reach_the_engine() {
    for way in WAYS.into_iter().filter(|way| way.has_hints()) {
        let pair = Pair::new(way, engines::script(&["passport"]));
        let mut question = pair.question(&["Passport", "driving licence"]);
        question.say(&sound()).unwrap();
        assert_eq!(question.words().unwrap().text, "passport");
        let hints = pair.server.hints().join(", ").to_lowercase();
        assert!(
            hints.starts_with("passport, driving licence"),
            "{way:?}: {hints}"
        );
        pair.server.check().unwrap();
    }
}

#[test]
fn the_connection_is_there_before_the_caller_speaks() {
    for way in WAYS {
        let pair = Pair::new(way, engines::script(&["yes"]));
        let mut question = pair.question(&[]);
        let deadline = Instant::now() + PATIENCE;
        while pair.server.connections() == 0 {
            assert!(Instant::now() < deadline, "{way:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        question.say(&sound()).unwrap();
        question.words().unwrap();
        if !matches!(way, Way::VoskServerInCpp | Way::Vllm) {
            assert_eq!(pair.server.connections(), 1, "{way:?}");
        }
    }
}

#[test]
fn two_minutes_of_a_recording_are_taken_at_once_and_much_more_is_not() {
    for way in WAYS {
        let pair = Pair::new(way, engines::script(&["a long message"]));
        let mut question = pair.question(&[]);
        let recording: Vec<i16> = sound().into_iter().cycle().take(120 * 8000).collect();
        question.say(&recording).unwrap();
        assert_eq!(question.words().unwrap().text, "a long message", "{way:?}");
        pair.server.check().unwrap();
    }
    let pair = Pair::new(Way::VoskServer, engines::script(&[]));
    pair.server.set_fault(Fault::Hang);
    let mut question = pair.question(&[]);
    let minute: Vec<i16> = sound().into_iter().cycle().take(60 * 8000).collect();
    let error = (0..3)
        .find_map(|_| question.recognition.push(&minute).err())
        .unwrap();
    assert!(
        matches!(
            error,
            SpeechError::Remote {
                fault: RemoteFault::Behind(_),
                ..
            }
        ),
        "{error}"
    );
}
