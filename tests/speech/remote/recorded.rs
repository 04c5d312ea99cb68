//! The real vosk-server: conversations that were recorded with it, and itself where it is installed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotline::speech::{FRAME, Recogniser};
use street::engines;
use street::engines::tape::{self, Tape};
use tokio::runtime::Runtime;

use super::super::{EN, fixture};
use super::callers::{english, vosk_mind};
use super::{PATIENCE, Way, ask, open, sound};

/// A conversation of Hotline with the real vosk-server and the tiny English model.
fn tape() -> (std::path::PathBuf, Tape) {
    let path = fixture(EN).with_file_name("vosk-server-en.jsonl");
    let tape = Tape::read(&path).unwrap();
    (path, tape)
}

fn client_of(address: SocketAddr) -> (Runtime, Arc<dyn Recogniser>) {
    let runtime = Runtime::new().unwrap();
    let url = format!("ws://{address}");
    let recogniser = {
        let _inside = runtime.enter();
        open(Way::VoskServer.engine(&url)).unwrap()
    };
    (runtime, recogniser)
}

/// What was hinted, said and understood when the conversation was recorded.
const RECORDED_HINTS: [&str; 5] = ["yes", "no", "thanks", "my passport", "goodbye"];
const RECORDED: [&str; 3] = ["yes", "no thanks", "my passport"];

#[test]
fn hotline_says_to_a_vosk_server_what_it_said_to_the_real_one() {
    let (_, tape) = tape();
    assert_eq!(tape.texts()[..3], RECORDED);
    let turns = tape.turns();
    let street = Runtime::new().unwrap();
    let (address, playing) = street.block_on(tape::play(tape)).unwrap();
    let (_runtime, recogniser) = client_of(address);
    let mut question = ask(recogniser.as_ref(), &RECORDED_HINTS);
    for (samples, words) in turns.iter().zip(RECORDED) {
        question.say(samples).unwrap();
        let transcript = question.words().unwrap();
        assert_eq!(transcript.text, words);
        assert!(transcript.confidence > 0.9);
        let end = Duration::from_secs_f64(samples.len() as f64 / 8000.0);
        assert!(
            transcript.words.iter().all(|word| word.end <= end),
            "{transcript:?}"
        );
    }
    drop(question);
    street.block_on(playing).unwrap().unwrap();
}

#[test]
fn the_streets_vosk_server_answers_as_the_real_one_did() {
    let Some(mind) = vosk_mind() else { return };
    let (_, tape) = tape();
    let server = engines::Engine::start(Way::VoskServer.kind(), mind).unwrap();
    let street = Runtime::new().unwrap();
    let played = street
        .block_on(tape::play_to(server.address(), &tape))
        .unwrap();
    assert_eq!(played.texts(), tape.texts());
    let words = |tape: &Tape| -> Vec<serde_json::Value> {
        let answers = tape.0.iter().filter_map(|said| match said {
            tape::Said::Server(text) => serde_json::from_str::<serde_json::Value>(text).ok(),
            _ => None,
        });
        answers
            .flat_map(|answer| answer["result"].as_array().cloned().unwrap_or_default())
            .collect()
    };
    let (ours, real) = (words(&played), words(&tape));
    assert_eq!(ours.len(), real.len());
    for (ours, real) in ours.iter().zip(&real) {
        assert_eq!(ours["word"], real["word"]);
        for time in ["start", "end"] {
            let apart = ours[time].as_f64().unwrap() - real[time].as_f64().unwrap();
            assert!(apart.abs() < 0.05, "{ours} {real}");
        }
    }
    assert!(matches!(played.0.last(), Some(tape::Said::Closed(_))));
    server.check().unwrap();
}

#[test]
fn the_real_vosk_server_understands_callers() {
    let Some(found) = street::cache::vosk_server() else {
        eprintln!(
            "*** SKIPPED: HOTLINE_TEST_VOSK_SERVER names no asr_server.py; its recording is tested ***"
        );
        return;
    };
    let (python, script) = found.unwrap();
    let street = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let port = street::port::free_tcp().unwrap();
    let mut command = std::process::Command::new(python);
    command
        .arg(script)
        .arg(fixture(EN))
        .env("VOSK_SERVER_INTERFACE", "127.0.0.1")
        .env("VOSK_SERVER_PORT", port.to_string());
    let log = folder.path().join("log");
    let mut process = street::Process::spawn("vosk-server", command, &log).unwrap();
    let listening = process.wait_for_output("server listening", PATIENCE);
    street.block_on(listening).unwrap();
    let server = SocketAddr::from(([127, 0, 0, 1], port));
    let (address, tape) = street.block_on(tape::record(server)).unwrap();
    let (_runtime, recogniser) = client_of(address);
    let mut question = ask(recogniser.as_ref(), &RECORDED_HINTS);
    for words in RECORDED {
        let samples = english(words);
        for frame in samples.chunks(FRAME) {
            question.recognition.push(frame).unwrap();
        }
        question.recognition.finish().unwrap();
        assert_eq!(question.words().unwrap().text, words);
    }
    drop(question);
    let deadline = Instant::now() + PATIENCE;
    while !matches!(tape.lock().unwrap().0.last(), Some(tape::Said::Closed(_))) {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
    if std::env::var_os("HOTLINE_TEST_RECORD").is_some() {
        let path = fixture(EN).with_file_name("vosk-server-en.jsonl");
        tape.lock().unwrap().write(&path).unwrap();
    }
    let (_runtime, recogniser) = client_of(server);
    let mut question = ask(recogniser.as_ref(), &[]);
    question.recognition.push(&english("no thanks")).unwrap();
    question.recognition.settle();
    question.say(&english("my passport")).unwrap();
    assert_eq!(question.words().unwrap().text, "no thanks my passport");
    question.recognition.push(&english("yes")[..6000]).unwrap();
    process.kill();
    assert!(question.words().is_err(), "killed in mid-turn");
    let error = ask(recogniser.as_ref(), &[]).fault(&sound());
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}
