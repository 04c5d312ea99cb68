//! Fifty calls at once, again and again, while both recognisers and the voice fail at random:
//! afterwards nothing of it is left in the process.
//!
//! `HOTLINE_SOAK_SECONDS` sets for how long; 12 when it is not set.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use street::caller;
use street::engines::{Engine, Fault};
use street::voices::{Manner, Protocol, VoiceServer};

use crate::scene::{FIRST, SECOND, Scene, transcription, vosk};

/// Calls at the same time.
const CALLS: u64 = 50;

/// How long the house may take to be as it was.
const SETTLE: Duration = Duration::from_secs(40);

/// Memory that may stay: what allocators keep, journals in the store's cache, prompts in memory.
const MOST_MEMORY_KB: f64 = 48_000.0;

/// Connections to engines that may be kept open for the next request, and tasks for each.
const KEPT: f64 = 4.0;
const TASKS_OF_ONE: f64 = 2.0;

/// Chance without a library: xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Holds {
    tasks: f64,
    files: usize,
    threads: f64,
    memory_kb: f64,
    ears: f64,
    recognitions: f64,
    calls: f64,
}

impl Holds {
    async fn of(scene: &mut Scene) -> Result<Self> {
        let process = scene.hotline.process().context("Hotline runs")?.id();
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let field = |name: &str| -> Result<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            Ok(number.context("a field of /proc")?.parse()?)
        };
        Ok(Self {
            tasks: scene.figure("hotline_tasks ", "").await?,
            files: scene.hotline.open_files()?.len(),
            threads: field("Threads:")?,
            memory_kb: field("VmRSS:")?,
            ears: scene.figure("hotline_ears_open ", "").await?,
            recognitions: scene.figure("hotline_recogniser_streams", "").await?,
            calls: scene.figure("hotline_calls_active ", "").await?,
        })
    }

    /// Tells what is more than it was.
    fn beyond(&self, before: &Self) -> Vec<String> {
        let all = [
            ("tasks", self.tasks, before.tasks + KEPT * TASKS_OF_ONE),
            ("open files", self.files as f64, before.files as f64 + KEPT),
            // Threads for blocking work come and go.
            ("threads", self.threads, before.threads + 4.0),
            ("kB", self.memory_kb, before.memory_kb + MOST_MEMORY_KB),
            ("ears", self.ears, 0.0),
            ("recognitions", self.recognitions, 0.0),
            ("calls", self.calls, 0.0),
        ];
        all.iter()
            .filter(|(_, now, most)| now > most)
            .map(|(what, now, most)| format!("{now} {what} and not {most}"))
            .collect()
    }
}

/// One caller after the other, until the time is over.
async fn callers(scene: &Scene, number: u64, until: Instant) -> Result<u64> {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ (number + 1).wrapping_mul(0x1234_5678_9abc));
    let mut calls = 0;
    tokio::time::sleep(Duration::from_millis(40 * number)).await;
    while Instant::now() < until {
        let mut call = scene.place().await?;
        calls += 1;
        for _ in 0..=chance.below(4) {
            // Whatever is heard; a caller who hears nothing for long would have hung up.
            call.answer().await?;
            call.stay(Duration::from_millis(chance.below(2500))).await?;
            match chance.below(6) {
                0 => {
                    call.press('1').await?;
                }
                1 => {
                    call.press('0').await?;
                }
                2 => {
                    call.press('9').await?;
                    call.stay(Duration::from_millis(1500)).await?;
                    call.say(&caller::danish("pas")?).await?;
                }
                _ => {
                    call.say(&caller::danish("jeg vil gerne tale med jobcenteret")?)
                        .await?;
                }
            }
            if Instant::now() > until {
                break;
            }
        }
        call.stay(Duration::from_millis(chance.below(1500))).await?;
    }
    Ok(calls)
}

/// Lets engines fail at random.
async fn sabotage(engines: &mut [Engine; 2], voice: &VoiceServer, until: Instant) -> Result<()> {
    let mut chance = Chance(42);
    let faults = [
        Fault::None,
        Fault::Hang,
        Fault::HangBeforeFinal,
        Fault::Slow(Duration::from_secs(5)),
        Fault::Garbage,
        Fault::Html,
        Fault::Status(500),
        Fault::Drop,
        Fault::Reset,
    ];
    let manners = [
        Manner::Well,
        Manner::Status(500),
        Manner::Garbage,
        Manner::HangsBeforeHead,
        Manner::HangsHalfWay,
        Manner::CutHalfWay,
        Manner::Late(Duration::from_secs(3)),
    ];
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(500 + chance.below(1500))).await;
        let engine = &mut engines[chance.below(2) as usize];
        match chance.below(12) {
            0 => {
                engine.stop();
                tokio::time::sleep(Duration::from_millis(700)).await;
                engine.start_again()?;
            }
            1..=3 => voice.manner(manners[chance.below(7) as usize]),
            _ => engine.set_fault(faults[chance.below(9) as usize]),
        }
    }
    for engine in engines {
        engine.set_fault(Fault::None);
    }
    voice.manner(Manner::Well);
    Ok(())
}

async fn soak(length: Duration) -> Result<()> {
    let mut engines = [vosk(&[FIRST])?, transcription(&[SECOND])?];
    let voice = VoiceServer::start(Protocol::Coqui)?;
    let espeak = json!({ "engine": "espeak", "voice": "da", "program": street::cache::espeak()? });
    let folder = tempfile::tempdir()?;
    let more = json!({ "speech": {
        "cache": folder.path(),
        "max_streams": 60,
        "voices": { "da": [{ "engine": "coqui", "url": voice.url() }, espeak] },
    } });
    let mut scene = Scene::start(&[&engines[0], &engines[1]], more).await?;
    // What all calls share is brought in by some first ones.
    let warm = Instant::now() + Duration::from_secs(6);
    let first = (0..CALLS).map(|number| callers(&scene, number, warm));
    for calls in futures_util::future::join_all(first).await {
        calls?;
    }
    let before = settled(&mut scene, None).await?;
    let until = Instant::now() + length;
    let all = (0..CALLS).map(|number| callers(&scene, number, until));
    let (all, sabotaged) = tokio::join!(
        futures_util::future::join_all(all),
        sabotage(&mut engines, &voice, until)
    );
    sabotaged?;
    let mut calls = 0;
    for of_one in all {
        calls += of_one?;
    }
    let after = settled(&mut scene, Some(&before)).await?;
    let failures = scene
        .figure("hotline_recogniser_failures_total", "")
        .await?;
    let overs = scene
        .figure("hotline_recogniser_hand_overs_total", "")
        .await?;
    let moments = scene.figure("hotline_one_moments_total", "").await?;
    let crashed = scene.figure("hotline_calls_ended_total", "crashed").await?;
    let late = scene.figure("hotline_frames_late_total", "").await?;
    let told = format!(
        "{calls} calls in {length:?}, {failures} failures of recognisers, {overs} hand-overs, \
         {moments} one moments, {late} frames late\nbefore {before:?}\nafter  {after:?}"
    );
    eprintln!("soak: {told}");
    ensure!(crashed == 0.0, "{crashed} calls crashed; {told}");
    ensure!(failures > 0.0, "nothing failed; {told}");
    let beyond = after.beyond(&before);
    ensure!(beyond.is_empty(), "there are {}; {told}", beyond.join(", "));
    Ok(())
}

/// Waits until the house is at rest, or as it was.
async fn settled(scene: &mut Scene, before: Option<&Holds>) -> Result<Holds> {
    let begin = Instant::now();
    loop {
        let holds = Holds::of(scene).await?;
        let rests = match before {
            Some(before) => holds.beyond(before).is_empty(),
            None => holds.calls + holds.ears + holds.recognitions == 0.0,
        };
        // Connections that are kept open for a while are closed by then.
        let least = if before.is_none() { 8 } else { 0 };
        let rests = rests && begin.elapsed() >= Duration::from_secs(least);
        if rests || begin.elapsed() > SETTLE {
            return Ok(holds);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_with_failing_engines_leave_nothing_behind() {
    let _machine = crate::MACHINE.write().await;
    let seconds = std::env::var("HOTLINE_SOAK_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or(12);
    soak(Duration::from_secs(seconds)).await.unwrap();
}
