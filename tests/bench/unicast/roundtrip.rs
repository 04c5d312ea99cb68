//! How long what a caller says takes to us and back, through a real FreeSWITCH: from the packet that
//! leaves the caller's phone to the first loud one that comes. FreeSWITCH's own echo is the floor.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use street::freeswitch::Real;
use street::pbx::Site;
use street::phone::{Call, Phone, Recording};
use street::tone;

use super::{Server, Threads};
use crate::report::{Reach, Row, quantile};

/// Calls one after the other, so that the clocks of phone and switch stand differently.
const CALLS: usize = 15;

/// Bursts of each call.
const BURSTS: usize = 8;

/// Packets that are to come before the first burst, so that the audio runs.
const RUNNING: usize = 15;

/// Silence between what was heard and the next burst.
const PAUSE: Duration = Duration::from_millis(100);

/// How long anything may take that is going to happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures the way through the FreeSWITCH under that prefix.
pub(crate) async fn measure(prefix: &Path) -> Result<Vec<Row>> {
    eprintln!("bench: round trips of unicast, {CALLS} calls");
    let echo = Server::echo(1, Threads::Served).await?;
    let (_, port) = echo.place.rsplit_once(':').context("no port")?;
    let site = Site::new().hotline(port.parse()?);
    let freeswitch = Real::start(prefix, &site).await?;
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for number in 0..CALLS {
        // A caller of their own each: FreeSWITCH may not have forgotten the last one yet.
        let phone = Phone::new(&format!("203040{number:02}"))?;
        let call = phone.call(freeswitch.sip(), "70101010").await?;
        ours.extend(bursts(&call).await.with_context(|| {
            let said = echo.said();
            format!("a call to the echo behind Hotline's door, which wrote:\n{said}")
        })?);
        call.hang_up()?;
        let call = ring(&freeswitch, &phone).await?;
        let bursts = bursts(&call).await.context("FreeSWITCH's own echo")?;
        floor.extend(bursts);
        call.hang_up()?;
    }
    eprintln!(
        "bench:   {} bursts; ours {:.1} to {:.1} ms, FreeSWITCH's own echo {:.1} to {:.1} ms",
        ours.len(),
        quantile(&mut ours, 0.0),
        quantile(&mut ours, 1.0),
        quantile(&mut floor, 0.0),
        quantile(&mut floor, 1.0),
    );
    let mut row = |name: &str, share: f64| {
        let value = quantile(&mut ours, share);
        let name = format!("unicast.roundtrip_{name}");
        Row::new(name, value, "ms", Reach::Nothing).over(quantile(&mut floor, share))
    };
    Ok(vec![row("p50", 0.5), row("p95", 0.95)])
}

/// Has FreeSWITCH call the phone and echo by itself.
async fn ring(freeswitch: &Real, phone: &Phone) -> Result<Call> {
    let order = format!(
        "originate {{absolute_codec_string=PCMA}}sofia/internal/sip:{}@127.0.0.1:{} &echo()",
        phone.number(),
        phone.port()
    );
    let (rung, call) = tokio::join!(freeswitch.esl().api(&order), phone.rings(PATIENCE));
    rung?;
    let call = call?;
    call.answered(PATIENCE).await?;
    Ok(call)
}

/// Plays bursts and returns how many milliseconds each took to come back.
async fn bursts(call: &Call) -> Result<Vec<f64>> {
    heard(call, 0, |heard| {
        (heard.packets().len() >= RUNNING).then_some(())
    })
    .await?;
    let burst = tone::tone(1000.0, 0.04, 0.5);
    let mut trips = Vec::new();
    for _ in 0..BURSTS {
        let mark = call.heard().packets().len();
        let played = call.say(&burst).await?;
        let back = heard(call, mark, |heard| heard.sound_after(played.started)).await?;
        trips.push((back - played.started).as_secs_f64() * 1000.0);
        heard(call, mark, |heard| heard.silence_after(back, PAUSE)).await?;
    }
    Ok(trips)
}

/// Waits until what was heard after so many packets holds what is looked for.
async fn heard<T>(
    call: &Call,
    mark: usize,
    mut find: impl FnMut(&Recording) -> Option<T>,
) -> Result<T> {
    let patience = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find(&call.heard_after(mark)) {
            return Ok(found);
        }
        if Instant::now() > patience {
            let last = call.happenings().pop();
            bail!("a burst did not come back within {PATIENCE:?} (the call: {last:?})");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
