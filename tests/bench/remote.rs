//! What Hotline adds to the time that a remote engine takes for its answer: from the end of the
//! caller's turn until the words are there, less what the engine itself took, as it measured it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use audiosocket::Clock;
use hotline::dialog::{Expect, Listen};
use hotline::speech::recognisers::{Engine, realtime, transcription, vosk_server};
use hotline::speech::{Config, Ear, EarEvent, Ears, FRAME};
use hotline::words::{CallId, Language};
use street::engines::{self, Dialect, Fault, Kind};
use street::{caller, tone};
use uuid::Uuid;

use crate::report::{Reach, Row, quantile};

/// Calls at the same time, each with a server of its own, so that their answers are kept apart.
const CALLS: usize = 8;

/// Turns of each call.
const TURNS: usize = 8;

/// What an engine takes for its answer.
const ANSWER: Duration = Duration::from_millis(80);

/// Seconds between two sentences.
const PAUSE: f64 = 1.4;

const MODEL: &str = "bench";

/// Measures each protocol; the row is about all turns together.
pub(crate) async fn measure() -> Result<Vec<Row>> {
    let mut all = Vec::new();
    for (name, kind) in [
        ("vosk_server", Kind::Vosk { python: true }),
        ("transcription", Kind::Transcription { model: MODEL }),
        (
            "realtime",
            Kind::Realtime {
                model: MODEL,
                dialect: Dialect::Openai,
            },
        ),
    ] {
        eprintln!("bench: remote engines, {name}");
        let mut waits = protocol(&kind).await?;
        eprintln!(
            "bench:   {} turns; added p50 {:.1} ms, p95 {:.1} ms, most {:.1} ms",
            waits.len(),
            quantile(&mut waits, 0.5),
            quantile(&mut waits, 0.95),
            quantile(&mut waits, 1.0),
        );
        all.extend(waits);
    }
    Ok(vec![Row::new(
        "turn.remote_overhead_p95",
        quantile(&mut all, 0.95),
        "ms",
        Reach::AtMost(20.0),
    )])
}

fn engine(kind: &Kind, url: &str) -> Engine {
    match kind {
        Kind::Vosk { .. } => Engine::VoskServer(vosk_server::Settings::of(url)),
        Kind::Transcription { model } => {
            Engine::Transcription(transcription::Settings::of(url, *model))
        }
        Kind::Realtime { model, .. } => Engine::Realtime(realtime::Settings::of(url, *model)),
    }
}

/// Returns what was added to each turn, in milliseconds.
async fn protocol(kind: &Kind) -> Result<Vec<f64>> {
    let speech = caller::english("i have a question about my passport")?;
    let mut audio = tone::silence(0.5);
    for _ in 0..TURNS {
        audio.extend(speech.iter());
        audio.extend(tone::silence(PAUSE));
    }
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..CALLS {
        let server = engines::Engine::start(kind.clone(), engines::script(&["my passport"]))?;
        server.set_fault(Fault::Slow(ANSWER));
        let config = Config {
            ears: [(Language::EN, vec![engine(kind, &server.url())])].into(),
            threads: 1,
            max_streams: Some(1),
            ..Config::default()
        };
        let ears = tokio::task::spawn_blocking(move || Ears::new(&config)).await??;
        let audio = audio.clone();
        calls.spawn(async move {
            tokio::time::sleep(Duration::from_millis(97) * number as u32).await;
            call(&ears, &server, &audio).await
        });
    }
    let mut waits = Vec::new();
    for call in calls.join_all().await {
        waits.extend(call?);
    }
    Ok(waits)
}

/// Plays one call in real time.
async fn call(ears: &Ears, server: &engines::Engine, audio: &[i16]) -> Result<Vec<f64>> {
    let mut ear: Ear = ears.open(CallId(Uuid::new_v4()))?;
    ear.listen(&Listen {
        expect: Expect::Intent,
        languages: vec![Language::EN],
        hints: Default::default(),
        patience: None,
    });
    let (mut ended, mut turns) = (None, Vec::<(Instant, Instant)>::new());
    let mut frames = audio.chunks(FRAME);
    let mut clock = Clock::start();
    while turns.len() < TURNS {
        tokio::select! {
            event = ear.events.recv() => match event.context("the ear is gone")? {
                EarEvent::TurnEnded => ended = Some(Instant::now()),
                EarEvent::Heard(heard) => {
                    if heard.hypotheses.is_empty() {
                        bail!("a turn without words");
                    }
                    turns.push((ended.take().context("words before the end")?, Instant::now()));
                }
                EarEvent::Unavailable(reason) | EarEvent::Lost(reason) => bail!("{reason}"),
                _ => {}
            },
            _ = clock.tick() => ear.push(frames.next().unwrap_or(&[0; FRAME])),
        }
    }
    server.check()?;
    let answers = server.answers();
    if answers.len() != turns.len() {
        bail!("{} answers to {} turns", answers.len(), turns.len());
    }
    let added = turns.iter().zip(&answers).map(|((ended, heard), answer)| {
        let whole = heard.duration_since(*ended);
        let engine = answer.sent.duration_since(answer.asked);
        whole.saturating_sub(engine).as_secs_f64() * 1000.0
    });
    Ok(added.collect())
}
