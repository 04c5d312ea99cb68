//! What a process has used, as Linux tells it.

use std::fs;

use anyhow::{Context as _, Result};

/// Clock ticks per second of `/proc/PID/stat`, the same on every Linux machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the CPU seconds of this process.
pub(crate) fn own_seconds() -> Result<f64> {
    seconds_of(std::process::id())
}

/// Returns the CPU seconds of a process.
pub(crate) fn seconds_of(process: u32) -> Result<f64> {
    let file = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
    let (_, fields) = text
        .rsplit_once(')')
        .with_context(|| format!("{file} has another form"))?;
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>);
    let ticks: Vec<f64> = ticks.collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

/// Returns the memory that a process has in use, in kB.
pub(crate) fn resident_kb(process: u32) -> Result<f64> {
    let file = format!("/proc/{process}/status");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number
        .with_context(|| format!("{file} has no VmRSS"))?
        .parse()?)
}
