//! Voices of other servers: what a caller hears of Coqui, Piper and OpenAI's protocol when they do
//! well and when they do not. Each server speaks with a tone of its own, so that it can be heard
//! who spoke.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotline::speech::{Config, SpeechError, Voice, wav};
use hotline::words::Language;
use serde_json::{Value, json};
use street::tone;
use street::voices::{Manner, Protocol, VoiceServer};

const DA: Language = Language::DA;

/// Long enough for anything that is going to happen.
const SOON: Duration = Duration::from_secs(20);

/// What the first voice sings, and what the second.
const FIRST: f64 = 440.0;
const SECOND: f64 = 700.0;

/// The project's own flows.
const FLOWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/flows");

const KEY: &str = "sk-test-1";

const OPEN_AI: Protocol = Protocol::OpenAi { key: Some(KEY) };

const PROTOCOLS: [Protocol; 5] = [
    Protocol::Coqui,
    Protocol::Piper,
    Protocol::PiperRoot,
    Protocol::PiperText,
    OPEN_AI,
];

/// A voice made of servers, in their order, with a cache of its own.
struct House {
    folder: tempfile::TempDir,
    servers: Vec<(Protocol, VoiceServer)>,
}

impl House {
    /// Makes a house in which the first server sings the first tone, and so on.
    fn new(protocols: &[Protocol]) -> Self {
        let tones = [FIRST, SECOND];
        let servers = protocols
            .iter()
            .zip(tones)
            .map(|(protocol, tone)| (*protocol, VoiceServer::with_tone(*protocol, tone).unwrap()));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), format!("{KEY}\n")).unwrap();
        Self {
            folder,
            servers: servers.collect(),
        }
    }

    fn first(&self) -> &VoiceServer {
        &self.servers[0].1
    }

    fn second(&self) -> &VoiceServer {
        &self.servers[1].1
    }

    fn settings(&self) -> Vec<Value> {
        let key = self.folder.path().join("key");
        let servers = self.servers.iter();
        servers
            .map(|(protocol, server)| settings(*protocol, &server.url(), &key))
            .collect()
    }

    fn voice(&self) -> Voice {
        self.voice_of(self.settings())
    }

    fn voice_of(&self, settings: Vec<Value>) -> Voice {
        let config = json!({
            "voices": { "da": settings },
            "cache": self.folder.path().join("cache"),
        });
        let config: Config = serde_json::from_value(config).unwrap();
        Voice::new(&config)
    }
}

fn settings(protocol: Protocol, url: &str, key: &Path) -> Value {
    match protocol {
        Protocol::Coqui => json!({
            "engine": "coqui", "url": url, "speaker": "p225", "language": "da",
            "first_audio": "700ms",
        }),
        Protocol::OpenAi { .. } => json!({
            "engine": "openai", "url": url, "model": "tts-1", "voice": "alloy", "key_file": key,
            "first_audio": "700ms",
        }),
        _ => json!({
            "engine": "piper", "url": url, "voice": "da_DK-talesyntese-medium",
            "first_audio": "700ms",
        }),
    }
}

/// Says a text and waits for all of it.
async fn said(voice: &Voice, text: &str) -> Result<Arc<[i16]>, Arc<SpeechError>> {
    let saying = async { voice.say(text, DA).await?.all().await };
    tokio::time::timeout(SOON, saying).await.unwrap()
}

/// Returns which of the two tones is heard in all of a prompt.
fn heard(samples: &[i16]) -> Option<f64> {
    tone::strongest(samples, &[FIRST, SECOND])
}

/// Waits until something is so.
async fn until(mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap();
}

#[tokio::test]
async fn each_kind_of_server_is_asked_as_it_wants_to_be_and_heard() {
    for protocol in PROTOCOLS {
        let house = House::new(&[protocol]);
        let text = "Vi er 3 & \"du\" er + nr. 1 på Ærø?";
        let samples = said(&house.voice(), text).await.unwrap();
        assert_eq!(heard(&samples), Some(FIRST), "{protocol:?}");
        assert!(
            samples.len().abs_diff(8000) <= 1,
            "{protocol:?}: {}",
            samples.len()
        );
        let level = tone::level(&samples[800..7200]);
        assert!((level + 20.0).abs() < 1.0, "{protocol:?}: {level} dB");
        let request = house.first().requests().all().remove(0);
        let said = hotline::dialog::spoken(text, DA);
        let body = request.json();
        match protocol {
            Protocol::Coqui => {
                let asked = ["text", "speaker_id", "language_id"].map(|it| request.parameter(it));
                assert_eq!(asked, [&*said, "p225", "da"]);
            }
            Protocol::Piper | Protocol::PiperRoot => {
                let voice = "da_DK-talesyntese-medium";
                assert_eq!(body, json!({ "text": said, "voice": voice }));
            }
            Protocol::PiperText => assert_eq!(request.body, said),
            Protocol::OpenAi { .. } => {
                assert_eq!(
                    body,
                    json!({
                        "model": "tts-1", "voice": "alloy", "input": said,
                        "response_format": "pcm",
                    })
                );
                assert_eq!(request.header("authorization"), format!("Bearer {KEY}"));
            }
        }
    }
}

#[tokio::test]
async fn audio_of_any_rate_and_kind_sounds_the_same() {
    for (rate, channels, bits, claimed) in [
        (8000, 1, 16, None),
        (16_000, 1, 16, Some(u32::MAX)),
        (22_050, 2, 16, Some(0)),
        (24_000, 1, 24, None),
        (44_100, 2, 32, Some(0x7fff_f000)),
        (48_000, 1, 8, None),
    ] {
        let house = House::new(&[Protocol::Coqui]);
        house.first().sounds(|audio| {
            (audio.rate, audio.channels, audio.bits) = (rate, channels, bits);
            audio.claimed = claimed;
        });
        let samples = said(&house.voice(), "Velkommen").await.unwrap();
        let what = format!("{rate} Hz, {channels} channels, {bits} bits");
        assert_eq!(heard(&samples), Some(FIRST), "{what}");
        assert!(
            samples.len().abs_diff(8000) <= 1,
            "{what}: {}",
            samples.len()
        );
    }
}

#[tokio::test]
async fn whatever_goes_wrong_with_one_server_the_next_one_is_heard() {
    let manners = [
        Manner::Status(500),
        Manner::Status(404),
        Manner::Status(302),
        Manner::Html,
        Manner::Mp3,
        Manner::Empty,
        Manner::Closes,
        Manner::HangsBeforeHead,
        Manner::HangsAfterHead,
        Manner::CutHalfWay,
        Manner::HangsHalfWay,
        Manner::Late(Duration::from_secs(2)),
    ];
    for protocol in [Protocol::Coqui, Protocol::Piper, OPEN_AI] {
        let ways = manners.map(|manner| async move {
            let house = House::new(&[protocol, Protocol::Piper]);
            house.first().manner(manner);
            let began = Instant::now();
            let samples = said(&house.voice(), "Velkommen").await.unwrap();
            let what = format!("{protocol:?} that does {manner:?}");
            assert_eq!(heard(&samples), Some(SECOND), "{what}");
            assert_eq!(house.second().requests().all().len(), 1, "{what}");
            let limit = Duration::from_secs(8);
            assert!(began.elapsed() < limit, "{what}: {:?}", began.elapsed());
        });
        futures_util::future::join_all(ways).await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_wav_are_not_played() {
    let house = House::new(&[Protocol::Piper, Protocol::Piper]);
    house.first().manner(Manner::Garbage);
    let samples = said(&house.voice(), "Velkommen").await.unwrap();
    assert_eq!(heard(&samples), Some(SECOND));
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_no_time() {
    let gone = {
        let house = House::new(&[Protocol::Piper]);
        house.settings().remove(0)
    };
    let house = House::new(&[Protocol::Coqui]);
    let voice = house.voice_of(vec![gone, house.settings().remove(0)]);
    let began = Instant::now();
    assert_eq!(
        heard(&said(&voice, "Velkommen").await.unwrap()),
        Some(FIRST)
    );
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn what_went_wrong_is_told_with_the_setting_to_look_at() {
    let complaint = |protocol: Protocol, manner: Manner| async move {
        let house = House::new(&[protocol]);
        house.first().manner(manner);
        let error = said(&house.voice(), "Velkommen").await.unwrap_err();
        error
            .to_string()
            .replace(&house.first().url(), "http://tts")
    };
    let mut complaints = Vec::new();
    for (protocol, manner) in [
        (Protocol::Coqui, Manner::Status(500)),
        (Protocol::Piper, Manner::Status(500)),
        (Protocol::Coqui, Manner::Status(404)),
        (Protocol::Coqui, Manner::Html),
        (OPEN_AI, Manner::Html),
        (OPEN_AI, Manner::Mp3),
        (OPEN_AI, Manner::Status(401)),
        (Protocol::Coqui, Manner::CutHalfWay),
        (Protocol::Piper, Manner::Empty),
        (Protocol::Piper, Manner::Closes),
        (Protocol::Piper, Manner::HangsAfterHead),
    ] {
        complaints.push(complaint(protocol, manner).await);
    }
    insta::assert_snapshot!(complaints.join("\n"), @r#"
    coqui at http://tts failed: it answered 500 Internal Server Error: {"error": "TTS synthesis failed: out of memory"}
    piper at http://tts failed: it answered 500 Internal Server Error: <!doctype html> <html lang=en> <title>500</title>
    coqui at http://tts failed: it answered 404 Not Found: {"error": "Text parameter is required"}; is speech.voices.da[0].url that of such a server?
    coqui at http://tts failed: it sent no WAV: it begins with "<!DOCTYPE html> <html><head><title>Welcome to nginx!</title></head></html>"
    openai at http://tts failed: it sends text/html and no pcm; try `format: wav` beside it
    openai at http://tts failed: it sends audio/mpeg and no pcm; try `format: wav` beside it
    openai at http://tts failed: it answered 401 Unauthorized: {"error": {"message": "it went wrong", "type": "server_error"}}; is speech.voices.da[0].key_file right?
    coqui at http://tts failed: its audio broke off (error decoding response body: error reading a body from connection: end of file before message length reached)
    piper at http://tts failed: it sent nothing
    piper at http://tts failed: it cannot be reached (error sending request: client error (SendRequest): connection closed before message completed); does it run, and is speech.voices.da[0].url right?
    piper (speech.voices.da[0]) did not begin to speak within 700ms; is it overloaded?
    "#);
}

#[tokio::test]
async fn a_prompt_begins_while_the_server_still_sends_it() {
    let house = House::new(&[OPEN_AI]);
    house.first().sounds(|audio| audio.seconds = 3.0);
    // Twice as fast as it is played: 24000 Hz of 16 bits are 960 bytes each 20 ms.
    house.first().manner(Manner::Trickles(1920));
    let began = Instant::now();
    let prompt = house.voice().say("Velkommen", DA).await.unwrap();
    let (first, over) = prompt.there(0);
    assert!(!over && first < 3 * 8000, "{first} samples were waited for");
    let first = began.elapsed();
    let all = prompt.all().await.unwrap();
    assert!(
        first * 2 < began.elapsed(),
        "{first:?} of {:?}",
        began.elapsed()
    );
    assert_eq!((heard(&all), all.len()), (Some(FIRST), 24_000));
}

#[tokio::test]
async fn a_server_that_makes_whole_files_only_is_asked_sentence_by_sentence() {
    for protocol in [Protocol::Coqui, Protocol::Piper] {
        let house = House::new(&[protocol]);
        let voice = house.voice();
        let text = "Velkommen til Egekøbing Kommune. Du taler med en digital assistent.";
        let samples = said(&voice, text).await.unwrap();
        assert_eq!(house.first().requests().all().len(), 2, "{protocol:?}");
        let seconds = samples.len() as f64 / 8000.0;
        assert!(
            (2.1..2.2).contains(&seconds),
            "{seconds} s with a breath between"
        );
    }
}

#[tokio::test]
async fn connections_are_kept_for_the_next_prompt() {
    for protocol in PROTOCOLS {
        let house = House::new(&[protocol]);
        let voice = house.voice();
        for number in 0..8 {
            said(&voice, &format!("nummer {number}")).await.unwrap();
        }
        let connections = house.first().connections();
        assert!(
            connections <= 3,
            "{protocol:?}: {connections} connections for 8 prompts"
        );
    }
}

#[tokio::test]
async fn a_prompt_that_nobody_wants_any_more_is_not_fetched_to_its_end() {
    let house = House::new(&[OPEN_AI]);
    house.first().sounds(|audio| audio.seconds = 20.0);
    house.first().manner(Manner::Trickles(1920));
    let prompt = house.voice().say("Velkommen", DA).await.unwrap();
    assert_eq!(house.first().open(), 1);
    drop(prompt);
    until(|| house.first().open() == 0).await;
}

#[tokio::test]
async fn a_server_that_falls_behind_the_ear_is_given_up_and_what_was_heard_ends_there() {
    let house = House::new(&[OPEN_AI, Protocol::Coqui]);
    house.first().sounds(|audio| audio.seconds = 20.0);
    // Half as fast as it is played.
    house.first().manner(Manner::Trickles(480));
    let prompt = house.voice().say("Velkommen", DA).await.unwrap();
    assert_eq!(prompt.read(0, &mut [0; 160]), 160);
    let error = tokio::time::timeout(SOON, prompt.all())
        .await
        .unwrap()
        .unwrap_err();
    assert!(matches!(*error, SpeechError::FallsBehind { .. }), "{error}");
    let (samples, over) = prompt.there(0);
    assert!(over && samples > 8000, "{samples} samples");
    assert!(house.second().requests().all().is_empty());
}

#[tokio::test]
async fn a_server_that_fails_is_left_alone_and_taken_back_when_it_is_well() {
    let house = House::new(&[Protocol::Coqui, Protocol::Piper]);
    house.first().manner(Manner::Status(500));
    let voice = house.voice();
    for text in ["en", "to", "tre", "fire", "fem", "seks"] {
        assert_eq!(heard(&said(&voice, text).await.unwrap()), Some(SECOND));
    }
    assert_eq!(house.first().requests().all().len(), 3);
    house.first().manner(Manner::Well);
    let mut number = 0;
    let back = async {
        loop {
            number += 1;
            let samples = said(&voice, &format!("prøve {number}")).await.unwrap();
            if heard(&samples) == Some(FIRST) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(SOON, back).await.unwrap();
}

#[tokio::test]
async fn what_was_made_ahead_is_heard_though_the_server_is_gone() {
    let house = House::new(&[Protocol::Piper]);
    let made = house
        .voice()
        .make_ahead([(DA, "Velkommen".to_owned()), (DA, "Farvel".to_owned())])
        .await;
    assert_eq!((made.ready, made.faults.len()), (2, 0));
    house.first().manner(Manner::Closes);
    assert_eq!(
        heard(&said(&house.voice(), "Velkommen").await.unwrap()),
        Some(FIRST)
    );
    assert!(said(&house.voice(), "Noget andet").await.is_err());
}

#[tokio::test]
async fn fifty_calls_that_want_fifty_texts_of_a_hung_server_are_all_served_by_the_next() {
    let house = House::new(&[Protocol::Piper, Protocol::Coqui]);
    house.first().manner(Manner::HangsBeforeHead);
    let mut settings = house.settings();
    settings[1]["first_audio"] = json!("15s");
    let voice = house.voice_of(settings);
    let calls = (0..50).map(|n| {
        let voice = voice.clone();
        async move { heard(&said(&voice, &format!("nummer {n}")).await.unwrap()) }
    });
    let heard = futures_util::future::join_all(calls).await;
    assert!(heard.into_iter().all(|it| it == Some(SECOND)));
    let connections = house.first().connections();
    // Those who waited for a seat give up with those who had one, give or take a moment.
    assert!(
        connections <= 24,
        "{connections} connections to a server that hangs"
    );
}

/// Runs a verb of the program with a `speech` section.
fn hotline(house: &House, speech: &Value, arguments: &[&str]) -> Output {
    let file = house.folder.path().join("hotline.yaml");
    // JSON is YAML.
    std::fs::write(&file, json!({ "speech": speech }).to_string()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_hotline"))
        .arg("--config")
        .arg(&file)
        .args(arguments)
        .current_dir(house.folder.path())
        .env_remove("STATE_DIRECTORY")
        .env("RUST_LOG", "off")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn say_writes_what_callers_would_hear_and_tells_who_spoke() {
    let house = House::new(&[Protocol::Piper, Protocol::Coqui]);
    let cache = house.folder.path().join("cache");
    let speech = json!({ "voices": { "da": house.settings() }, "cache": cache });
    let file = house.folder.path().join("said.wav");
    let say = ["say", "Velkommen", "-o", "said.wav", "--play-rate"];
    let output = hotline(&house, &speech, &say);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let told = out(&output);
    let begins = "said.wav: 1.00 s at 8000 Hz in da\n  from piper, made now\n  first audio after ";
    assert!(told.starts_with(begins), "{told}");
    assert!(told.contains("it ran dry for 0 ms"), "{told}");
    assert_eq!(heard(&wav::read(&file).unwrap()), Some(FIRST));
    for engine in ["coqui", "1"] {
        let say = [
            "say",
            "Velkommen",
            "-o",
            "said.wav",
            "--engine",
            engine,
            "--json",
        ];
        let output = hotline(&house, &speech, &say);
        let told: Value = serde_json::from_str(&out(&output)).unwrap();
        let spoke = (&told["engine"], &told["source"]);
        assert_eq!(spoke, (&json!("coqui"), &json!("made")));
        assert_eq!(heard(&wav::read(&file).unwrap()), Some(SECOND));
    }
}

#[test]
fn say_tells_what_is_wrong_with_a_text_a_setting_or_a_server() {
    let house = House::new(&[Protocol::Piper]);
    let speech = json!({ "voices": { "da": house.settings() }, "cache": "cache" });
    let say = |speech: &Value, text: &str, more: &[&str]| {
        let arguments = [&["say", text, "-o", "said.wav"], more].concat();
        let output = hotline(&house, speech, &arguments);
        assert!(!house.folder.path().join("said.wav").exists());
        (output.status.code().unwrap(), err(&output))
    };
    for (text, more, wanted) in [
        ("Hej\u{7}", &[][..], "control characters"),
        ("<speak>Hej", &[], "an SSML element is not closed"),
        (
            "Hej",
            &["--engine", "flite"],
            "speech.voices.da has no voice \"flite\"",
        ),
        (
            "Hej",
            &["--language", "de"],
            "speech.voices.de names no voice",
        ),
    ] {
        let (code, told) = say(&speech, text, more);
        assert!(code == 2 && told.contains(wanted), "{told}");
    }
    let openai = json!({ "engine": "openai", "url": "http://x/v1", "model": "m", "voice": "v" });
    let with = |field: &str, value: Value| {
        let mut changed = openai.clone();
        changed[field] = value;
        changed
    };
    let espeak = json!({ "engine": "espeak", "voice": "da", "program": "/nowhere/espeak-ng" });
    for (voice, wanted) in [
        (
            json!({ "engine": "coqui", "url": "tts" }),
            "voices.da[0].url: \"tts\" is no address",
        ),
        (
            with("key_file", json!("none")),
            "speech.voices.da[0].key_file: ",
        ),
        (with("rate", json!(100)), "speech.voices.da[0].rate: "),
        (with("speed", json!(9.0)), "speech.voices.da[0].speed: "),
        (espeak, "looked for /nowhere/espeak-ng"),
    ] {
        let (code, told) = say(&json!({ "voices": { "da": [voice] } }), "Hej", &[]);
        assert!(code == 1 && told.contains(wanted), "{told}");
    }
    for (voice, wanted) in [
        (json!({ "engine": "pipr", "url": "http://x" }), "pipr"),
        (json!({ "engine": "piper", "uri": "http://x" }), "`uri`"),
    ] {
        let (code, told) = say(&json!({ "voices": { "da": [voice] } }), "Hej", &[]);
        assert!(code == 2 && told.contains(wanted), "{told}");
    }
    house.first().manner(Manner::Html);
    let (code, told) = say(&speech, "Hej", &[]);
    assert!(code == 1 && told.contains("Welcome to nginx!"), "{told}");
}

#[test]
fn check_names_each_fixed_text_that_nobody_could_say_and_each_recording_that_cannot_be_played() {
    let house = House::new(&[Protocol::Piper]);
    let mute = json!({ "engine": "espeak", "voice": "x", "program": "/nowhere/espeak-ng" });
    let speech = json!({
        "voices": { "da": house.settings(), "en": [mute] },
        "cache": house.folder.path().join("cache"),
        "prompts": [house.folder.path().join("recorded")],
    });
    let recorded = |name: &str, bytes: &[u8]| {
        let file: PathBuf = house.folder.path().join("recorded").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    };
    let output = hotline(&house, &speech, &["check", FLOWS, "--voices"]);
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let told = out(&output);
    assert!(
        told.starts_with("fixed texts: 0 recorded, 0 kept, "),
        "{told}"
    );
    assert!(
        told.contains("recorded/en/i-did-not-hear-anything.wav"),
        "{told}"
    );
    assert!(
        told.contains("nobody can say \"I did not hear anything.\" in en"),
        "{told}"
    );
    assert!(told.contains("/nowhere/espeak-ng"), "{told}");
    assert!(!told.contains("recorded/da/"), "{told}");
    // Nothing is made but one word.
    assert_eq!(house.first().requests().all().len(), 1);

    recorded("en/i-did-not-hear-anything.wav", &wav::encode(&[1; 800]));
    recorded("da/jeg-hørte-ikke-noget.wav", b"ID3");
    let output = hotline(&house, &speech, &["check", FLOWS, "--voices", "--json"]);
    let told: Value = serde_json::from_str(&out(&output)).unwrap();
    let findings = told["findings"].as_array().unwrap();
    let about = |name: &str| {
        let mut findings = findings.iter();
        findings.find(|it| it["file"].as_str().unwrap().ends_with(name))
    };
    assert!(about("en/i-did-not-hear-anything.wav").is_none());
    let damaged = about("da/jeg-hørte-ikke-noget.wav").unwrap();
    let message = "this recording in speech.prompts[0] cannot be played";
    assert_eq!(damaged["message"], message);
}
