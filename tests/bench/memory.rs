//! What one more call costs in memory, recognisers not counted.

use std::time::Duration;

use anyhow::{Context as _, Result};
use street::Hotline;

use crate::call::Call;
use crate::manager::Manager;
use crate::processor::resident_kb;
use crate::report::{Reach, Row};
use crate::tenant;

/// Calls that are on at the same time.
const CALLS: usize = 100;

/// Measures a Hotline without recognisers before and during many calls in a flow.
pub(crate) async fn measure() -> Result<Vec<Row>> {
    eprintln!("bench: memory, {CALLS} calls");
    let manager = Manager::open().await?;
    let (mut settings, _flows) = tenant::settings(&manager)?;
    settings.hears = false;
    let mut hotline = Hotline::start(crate::program(), settings).await?;
    let process = hotline.process().context("Hotline does not run")?.id();
    // The first call brings in what all calls share: prompts, code, the allocator's arenas.
    let mut first = Call::place(&hotline, &manager, tenant::NUMBER).await?;
    first.answer().await?;
    first.stay(Duration::from_secs(3)).await?;
    let before = resident_kb(process)?;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let mut call = Call::place(&hotline, &manager, tenant::NUMBER).await?;
        calls.spawn(async move {
            call.answer().await?;
            call.press('1').await?;
            call.stay(Duration::from_secs(8)).await?;
            anyhow::Ok(call)
        });
    }
    // Kept until all have been measured together.
    let calls: Vec<Call> = calls.join_all().await.into_iter().collect::<Result<_>>()?;
    let after = resident_kb(process)?;
    drop((first, calls));
    let each = (after - before) / CALLS as f64;
    eprintln!("bench:   {before} kB with one call, {after} kB with {CALLS} more");
    Ok(vec![Row::new(
        "call.memory",
        each,
        "kB",
        Reach::AtMost(400.0),
    )])
}
