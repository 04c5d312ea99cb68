//! What recognition costs in Hotline's ears against libvosk alone, called from C: as many streams,
//! the same audio on one thread, both in real time and as fast as it goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use audiosocket::Clock;
use hotline::dialog::{Expect, Listen};
use hotline::speech::recognisers::Engine;
use hotline::speech::vosk::Settings;
use hotline::speech::{Config, Ear, EarEvent, Ears, FRAME};
use hotline::words::{CallId, Language};
use street::{cache, caller, tone};
use tokio::process::Command;
use uuid::Uuid;

use crate::processor::own_seconds;
use crate::report::{Reach, Row};

/// Recognitions at the same time.
const STREAMS: usize = 24;

/// Seconds measured, after `SETTLING` seconds that are not.
const SECONDS: usize = 15;
const SETTLING: usize = 2;

/// Frames per second.
const FRAMES: usize = 50;

/// Seconds between two sentences: hardly longer than the pause that ends a turn, so that the ears
/// gain next to nothing by keeping silence from the recognisers.
const PAUSE: f64 = 0.7;

/// Recognitions side by side when it goes as fast as it can, and seconds of audio for each.
const FAST_STREAMS: usize = 4;
const FAST_SECONDS: usize = 60;

/// How many frames of the audio lie between the beginnings of two streams.
const OFFSET: usize = 37;

/// Measures both and compares them.
pub(crate) async fn measure() -> Result<Vec<Row>> {
    eprintln!("bench: {STREAMS} recognitions");
    let audio = audio()?;
    let model = street::hotline::project().join("tests/fixtures/speech/vosk-tiny-da-grm");
    let (mut raw_fast, mut ours_fast) = (Vec::new(), Vec::new());
    // One after the other, twice: whatever else this machine does then touches both alike.
    for _ in 0..2 {
        raw_fast.push(raw(&audio, &model, Pace::Fast).await?);
        ours_fast.push(ours(&audio, &model, Pace::Fast).await?);
    }
    let least = |all: &[f64]| all.iter().copied().fold(f64::INFINITY, f64::min);
    let (raw_fast, ours_fast) = (least(&raw_fast), least(&ours_fast));
    eprintln!(
        "bench:   seconds of a core per second of audio: libvosk {raw_fast:.5}, ears {ours_fast:.5}"
    );
    let raw = raw(&audio, &model, Pace::Real).await?;
    let ours = ours(&audio, &model, Pace::Real).await?;
    eprintln!("bench:   of a core per stream: libvosk {raw:.5}, ears {ours:.5}");
    let fast = Row::new(
        "asr.throughput",
        1.0 / ours_fast,
        "x",
        Reach::RatioAtLeast(0.95),
    );
    let row = Row::new(
        "asr.streams_per_core",
        1.0 / ours,
        "streams",
        Reach::RatioAtLeast(0.9),
    );
    Ok(vec![fast.over(1.0 / raw_fast), row.over(1.0 / raw)])
}

/// How fast audio comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As callers speak.
    Real,
    /// As fast as it is taken.
    Fast,
}

impl Pace {
    fn streams(self) -> usize {
        match self {
            Self::Real => STREAMS,
            Self::Fast => FAST_STREAMS,
        }
    }

    /// Seconds of audio that are not counted, and that are.
    fn seconds(self) -> (usize, usize) {
        match self {
            Self::Real => (SETTLING, SECONDS),
            Self::Fast => (0, FAST_SECONDS),
        }
    }
}

/// What a caller says: sentences, and after each the time in which an answer is given. Only what may
/// be speech reaches the recognisers of the ears, whereas libvosk alone hears all of it; on the
/// other hand the ears ask for times and confidence of words, and for the words so far.
fn audio() -> Result<Vec<i16>> {
    let mut audio = Vec::new();
    for text in [
        "jeg vil gerne tale med borgerservice om mit pas og mit kørekort",
        "det drejer sig om en byggetilladelse",
        "jeg skal snakke med jobcenteret",
        "hvornår har i åbent",
    ] {
        audio.extend(caller::danish(text)?.iter());
        audio.extend(tone::silence(PAUSE));
    }
    audio.truncate(audio.len() / FRAME * FRAME);
    Ok(audio)
}

/// Returns the share of a core that one stream of libvosk takes.
async fn raw(audio: &[i16], model: &PathBuf, pace: Pace) -> Result<f64> {
    let program = std::env::var_os("HOTLINE_BENCH_VOSK_FLOOR")
        .context("HOTLINE_BENCH_VOSK_FLOOR is not set: run tools/bench")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("audio");
    let bytes: Vec<u8> = audio
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    fs::write(&file, bytes)?;
    let (settling, seconds) = pace.seconds();
    let numbers = [pace.streams(), OFFSET, settling, seconds].map(|number| number.to_string());
    let output = Command::new(program)
        .arg(cache::libvosk()?)
        .arg(model)
        .arg(&file)
        .args(numbers)
        .args((pace == Pace::Fast).then_some("fast"))
        .output()
        .await?;
    if !output.status.success() {
        bail!(
            "libvosk alone failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let told = String::from_utf8(output.stdout)?;
    let (used, turns) = told
        .trim()
        .split_once(' ')
        .context("libvosk alone told nothing")?;
    if turns.parse::<usize>()? == 0 {
        bail!("libvosk alone understood nothing");
    }
    Ok(used.parse::<f64>()? / (pace.streams() * seconds) as f64)
}

/// Returns the share of a core that one stream of ours takes, all threads counted.
async fn ours(audio: &[i16], model: &Path, pace: Pace) -> Result<f64> {
    let streams = pace.streams();
    let (settling, seconds) = pace.seconds();
    let vosk = Settings {
        library: Some(cache::libvosk()?),
        ..Settings::of(model)
    };
    let config = Config {
        ears: [(Language::DA, vec![Engine::Vosk(vosk)])].into(),
        threads: 1,
        max_streams: Some(streams),
        ..Config::default()
    };
    let ears = tokio::task::spawn_blocking(move || Ears::new(&config)).await??;
    let question = Listen {
        expect: Expect::Intent,
        languages: vec![Language::DA],
        hints: Default::default(),
        patience: None,
    };
    let mut open: Vec<Ear> = Vec::new();
    for _ in 0..streams {
        let ear = ears.open(CallId(Uuid::new_v4()))?;
        ear.listen(&question);
        open.push(ear);
    }
    let frames: Vec<&[i16]> = audio.chunks_exact(FRAME).collect();
    let mut clock = Clock::start();
    let (mut begin, mut turns) = (0.0, 0);
    for tick in 0..(settling + seconds) * FRAMES {
        if tick == settling * FRAMES {
            begin = own_seconds()?;
        }
        for (stream, ear) in open.iter_mut().enumerate() {
            ear.push(frames[(tick + stream * OFFSET) % frames.len()]);
            // Half of what may wait is no waste of time and is never dropped.
            while pace == Pace::Fast && ear.backlog() > 25 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            while let Ok(event) = ear.events.try_recv() {
                if let EarEvent::Heard(heard) = event {
                    turns += usize::from(!heard.hypotheses.is_empty());
                }
            }
        }
        if pace == Pace::Real {
            clock.tick().await;
        }
    }
    while open.iter().any(|ear| ear.backlog() > 0) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let end = own_seconds()?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let dropped = ears.load().dropped;
    if turns == 0 || dropped > 0 {
        bail!("the ears understood {turns} turns and dropped {dropped} frames");
    }
    Ok((end - begin) / (streams * seconds) as f64)
}
