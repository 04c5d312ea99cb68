//! How long a caller waits for the answer: after the last frame of their speech, and after a key.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use street::{Hotline, caller};

use crate::call::Call;
use crate::manager::Manager;
use crate::report::{Reach, Row, quantile};
use crate::tenant;

/// Calls one after the other, so that their clocks stand differently to Hotline's.
const CALLS: usize = 6;

/// Calls at the same time.
const AT_ONCE: usize = 2;

/// What each caller says, one turn each; 48 turns in all.
const WISHES: [&str; 4] = [
    "jeg vil gerne tale med borgerservice",
    "jobcenteret tak",
    "det drejer sig om mit pas",
    "byggetilladelse",
];

/// Keys of each call.
const KEYS: [char; 5] = ['1', '2', '9', '3', '0'];

/// Silence after which a prompt has been said.
const PROMPT_OVER: Duration = Duration::from_millis(900);

/// What each caller answers to yes or no, and to a question for four digits, in turn.
const SHORT: [&str; 8] = [
    "ja",
    "fire to syv nul",
    "nej tak",
    "otte tre ni fem",
    "ja tak",
    "en seks to fire",
    "nej",
    "nul syv tre otte",
];

/// Measures short answers: yes or no, and digits.
pub(crate) async fn measure_short() -> Result<Vec<Row>> {
    eprintln!("bench: short turns");
    let manager = Manager::open().await?;
    let (settings, _flows) = tenant::with_reception(&manager, tenant::SHORT)?;
    let hotline = Hotline::start(crate::program(), settings).await?;
    let mut first = Call::place(&hotline, &manager, tenant::NUMBER).await?;
    turns(&mut first, &SHORT[..2], &[]).await?;
    drop(first);
    let mark = hotline.journal().mark();
    let mut waits = Vec::new();
    for _ in 0..CALLS {
        let mut call = Call::place(&hotline, &manager, tenant::NUMBER).await?;
        waits.extend(turns(&mut call, &SHORT, &[]).await?.speech);
    }
    let lines = hotline.journal().all();
    let noted = lines[mark..].iter().filter(|line| {
        line["command"]["say"]["text"]
            .as_str()
            .is_some_and(|text| text == "Noteret.")
    });
    eprintln!(
        "bench:   {} short turns, {} understood at once; {:.0} to {:.0} ms",
        waits.len(),
        noted.count(),
        quantile(&mut waits, 0.0),
        quantile(&mut waits, 1.0),
    );
    let p50 = quantile(&mut waits, 0.5);
    let p95 = quantile(&mut waits, 0.95);
    Ok(vec![
        Row::new("turn.yesno_p50", p50, "ms", Reach::AtMost(250.0)),
        Row::new("turn.yesno_p95", p95, "ms", Reach::AtMost(400.0)),
    ])
}

/// Measures turns by speech, then by keys, in a running Hotline with the tiny models.
pub(crate) async fn measure() -> Result<Vec<Row>> {
    eprintln!("bench: turns");
    let manager = Manager::open().await?;
    let (settings, _flows) = tenant::settings(&manager)?;
    let hotline = Hotline::start(crate::program(), settings).await?;
    // The first call makes the prompts.
    let mut first = Call::place(&hotline, &manager, tenant::NUMBER).await?;
    turns(&mut first, &WISHES[..1], &KEYS[..1]).await?;
    drop(first);
    let (mut speech, mut keys) = (Vec::new(), Vec::new());
    let mark = hotline.journal().mark();
    for _ in 0..CALLS {
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..AT_ONCE {
            let mut call = Call::place(&hotline, &manager, tenant::NUMBER).await?;
            calls.spawn(async move {
                call.stay(Duration::from_millis(1007) * number as u32)
                    .await?;
                turns(&mut call, &WISHES, &KEYS).await
            });
        }
        for waits in calls.join_all().await {
            let waits = waits?;
            speech.extend(waits.speech);
            keys.extend(waits.keys);
        }
    }
    let (_, metrics) = hotline.get("/metrics").await?;
    for line in metrics.lines().filter(|line| {
        line.starts_with("hotline_answer_seconds_sum")
            || line.starts_with("hotline_answer_seconds_count")
    }) {
        eprintln!("bench:   {line}");
    }
    let lines = hotline.journal().all();
    let noted = |line: &&serde_json::Value| {
        line["command"]["say"]["text"]
            .as_str()
            .is_some_and(|text| text == "Noteret.")
    };
    let noted = lines[mark..].iter().filter(noted).count();
    eprintln!(
        "bench:   {} turns by speech, {} by keys, {noted} understood at once of both; speech {:.0} to {:.0} ms, half within {:.0}, keys {:.1} to {:.1} ms",
        speech.len(),
        keys.len(),
        quantile(&mut speech, 0.0),
        quantile(&mut speech, 1.0),
        quantile(&mut speech, 0.5),
        quantile(&mut keys, 0.0),
        quantile(&mut keys, 1.0),
    );
    if speech.len() < 30 || keys.len() < 30 {
        bail!(
            "only {} turns by speech and {} by keys",
            speech.len(),
            keys.len()
        );
    }
    let p95 = quantile(&mut speech, 0.95);
    Ok(vec![
        Row::new("turn.open_p95", p95, "ms", Reach::AtMost(600.0)),
        Row::new(
            "turn.key_to_audio_p95",
            quantile(&mut keys, 0.95),
            "ms",
            Reach::AtMost(60.0),
        ),
    ])
}

/// Waits in milliseconds.
struct Waits {
    speech: Vec<f64>,
    keys: Vec<f64>,
}

async fn turns(call: &mut Call, wishes: &[&str], keys: &[char]) -> Result<Waits> {
    let mut waits = Waits {
        speech: Vec::new(),
        keys: Vec::new(),
    };
    let between = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64() * 1000.0;
    call.answer().await?;
    for wish in wishes {
        call.quiet(PROMPT_OVER).await?;
        let spoke = call.say(&caller::danish(wish)?).await?;
        waits.speech.push(between(spoke, call.answer().await?));
    }
    for key in keys {
        call.quiet(PROMPT_OVER).await?;
        let pressed = call.press(*key).await?;
        waits.keys.push(between(pressed, call.answer().await?));
    }
    Ok(waits)
}
