//! How soon Hotline falls silent when a caller cuts in, and how seldom for what is no speech.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use street::{Hotline, caller, sound};

use crate::call::Call;
use crate::manager::Manager;
use crate::report::{Reach, Row, quantile};
use crate::tenant;

/// Calls at the same time.
const AT_ONCE: usize = 3;

/// How long Hotline has been talking before something is heard.
const BEFORE: Duration = Duration::from_millis(900);

/// Silence in the middle of a text that is a stop; the text's own pauses are shorter.
const STOP: Duration = Duration::from_millis(240);

/// How long a stop is waited for behind a sound.
const BEHIND: Duration = Duration::from_millis(700);

/// The delays of echoes, in frames.
const ECHOES: [usize; 6] = [2, 5, 8, 12, 18, 25];

/// What callers say to cut in, and the voice that says it.
const WORDS: [(&str, &str); 20] = [
    ("da", "ja tak"),
    ("da", "nej tak"),
    ("da", "borgerservice"),
    ("da", "jobcenteret tak"),
    ("da", "jeg vil gerne tale med borgerservice"),
    ("da", "det drejer sig om mit pas"),
    ("da", "kørekort"),
    ("da", "hallo"),
    ("da", "undskyld"),
    ("da", "biblioteket"),
    ("da+f2", "ja"),
    ("da+f2", "nej"),
    ("da+f2", "omstilling"),
    ("da+f2", "byggetilladelse"),
    ("da+f2", "kan jeg tale med et menneske"),
    ("en-gb", "yes please"),
    ("en-gb", "no thanks"),
    ("en-gb", "operator please"),
    ("en-gb", "i would like to speak with the library"),
    ("en-gb+f3", "driving licence"),
];

/// Starts Hotline and has its text made.
async fn open() -> Result<(Manager, Hotline, tempfile::TempDir)> {
    let manager = Manager::open().await?;
    let (settings, flows) = tenant::with_reception(&manager, tenant::TALKATIVE)?;
    let hotline = Hotline::start(crate::program(), settings).await?;
    let mut first = Call::place(&hotline, &manager, tenant::NUMBER).await?;
    first.answer().await?;
    Ok((manager, hotline, flows))
}

/// Measures how long Hotline goes on talking when a caller has begun.
pub(crate) async fn stops() -> Result<Vec<Row>> {
    eprintln!("bench: cutting in");
    let (manager, hotline, _flows) = open().await?;
    let mut times = Vec::new();
    for words in WORDS.chunks(AT_ONCE) {
        let mut calls = tokio::task::JoinSet::new();
        for (voice, text) in words {
            let mut call = Call::place(&hotline, &manager, tenant::NUMBER).await?;
            calls.spawn(async move {
                call.attend().await?;
                call.stay(BEFORE).await?;
                call.say(&caller::speak(voice, text)?).await?;
                let began = call.began().context("nothing was said")?;
                let heard = call.heard() + Duration::from_millis(20);
                let after = heard.saturating_duration_since(began).as_secs_f64() * 1000.0;
                anyhow::Ok((format!("{voice}: {text}"), after))
            });
        }
        for measured in calls.join_all().await {
            let (name, after) = measured?;
            if after > 150.0 {
                eprintln!("bench:   {name}: silent after {after:.0} ms");
            }
            times.push(after);
        }
    }
    eprintln!(
        "bench:   {} callers cut in; Hotline silent after {:.0} to {:.0} ms, half within {:.0}",
        times.len(),
        quantile(&mut times, 0.0),
        quantile(&mut times, 1.0),
        quantile(&mut times, 0.5),
    );
    let p95 = quantile(&mut times, 0.95);
    Ok(vec![Row::new(
        "bargein.stop_p95",
        p95,
        "ms",
        Reach::AtMost(150.0),
    )])
}

/// Measures how many sounds that are no speech stop Hotline.
pub(crate) async fn false_stops() -> Result<Vec<Row>> {
    eprintln!("bench: sounds that are no speech");
    let (manager, hotline, _flows) = open().await?;
    let mut trials: Vec<(String, Vec<i16>, Option<usize>)> = sound::all()?
        .into_iter()
        .map(|sound| (sound.name, sound.samples, None))
        .collect();
    trials.extend(ECHOES.map(|frames| {
        let name = format!("echo after {} ms", frames * 20);
        (name, vec![0; 4 * 8000], Some(frames))
    }));
    if trials.len() < 50 {
        bail!("only {} sounds", trials.len());
    }
    let count = trials.len();
    let mut stopped = Vec::new();
    for some in trials.chunks(AT_ONCE) {
        let mut calls = tokio::task::JoinSet::new();
        for (name, samples, echo) in some.iter().cloned() {
            let mut call = Call::place(&hotline, &manager, tenant::NUMBER).await?;
            calls.spawn(async move {
                if let Some(frames) = echo {
                    call.echo(frames);
                }
                call.attend().await?;
                call.stay(BEFORE).await?;
                call.say(&samples).await?;
                call.stay(BEHIND).await?;
                anyhow::Ok((call.silence() >= STOP).then_some(name))
            });
        }
        for trial in calls.join_all().await {
            stopped.extend(trial?);
        }
    }
    eprintln!(
        "bench:   {} of {count} sounds stopped Hotline: {stopped:?}",
        stopped.len()
    );
    let share = stopped.len() as f64 / count as f64;
    Ok(vec![Row::new(
        "bargein.false_stops",
        share,
        "share",
        Reach::AtMost(0.02),
    )])
}
