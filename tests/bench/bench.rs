//! Measures Hotline and writes `target/bench/report.json`: `make bench` runs it.
//!
//! These are measurements, not tests: a target that is missed is said so and is no failure; a
//! measurement that could not be made is one. What is compared with a floor is measured beside it,
//! in the same run and under the same load.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a table is what it is for"
)]

mod bargein;
mod call;
mod ears;
mod echo;
mod flows;
mod manager;
mod memory;
mod processor;
mod remote;
mod report;
mod start;
mod tenant;
mod turn;
mod unicast;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use report::Report;

/// Returns the program that is measured.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_hotline"))
}

/// Returns the folder that programs and results go to.
fn folder() -> PathBuf {
    std::env::var_os("HOTLINE_BENCH_FOLDER").map_or_else(
        || street::hotline::project().join("target/bench"),
        PathBuf::from,
    )
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let part = words.first().and_then(|word| unicast::Part::named(word));
    let done = match part {
        Some(part) => part.play(&words[1..]).map(|()| true),
        None => tokio::runtime::Runtime::new()
            .map_err(anyhow::Error::from)
            .and_then(|runtime| runtime.block_on(measure(&words))),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures what is wanted, or everything, and tells whether all was measured.
async fn measure(wanted: &[String]) -> Result<bool> {
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|part| part == name);
    let mut report = Report::new();
    if wants("echo") {
        for calls in [100, 500, 1000] {
            let names = [format!("echo.cpu.{calls}"), format!("echo.gap_p99.{calls}")];
            let mut names = names.to_vec();
            names.extend((calls == 500).then(|| "echo.gap_max.500".to_owned()));
            report.take(&names, echo::measure(calls).await);
        }
    }
    if wants("unicast") {
        for calls in [100, 500] {
            let names = [
                format!("unicast.cpu.{calls}"),
                format!("unicast.gap_p99.{calls}"),
            ];
            report.take(&names, unicast::measure(calls).await);
        }
        let names = ["unicast.roundtrip_p50", "unicast.roundtrip_p95"];
        match street::freeswitch::installation() {
            Some(prefix) => report.take(&names, unicast::roundtrip(&prefix).await),
            None => report.skip(
                &names,
                &format!(
                    "set {} to the prefix of an installation",
                    street::freeswitch::VARIABLE
                ),
            ),
        }
    }
    if wants("call") {
        report.take(&["call.memory"], memory::measure().await);
    }
    if wants("turn") {
        let names = ["turn.yesno_p50", "turn.yesno_p95"];
        report.take(&names, turn::measure_short().await);
        let names = ["turn.open_p95", "turn.key_to_audio_p95"];
        report.take(&names, turn::measure().await);
    }
    if wants("bargein") {
        let names = ["bargein.stop_p95"];
        report.take(&names, bargein::stops().await);
        let names = ["bargein.false_stops"];
        report.take(&names, bargein::false_stops().await);
    }
    if wants("remote") {
        report.take(&["turn.remote_overhead_p95"], remote::measure().await);
    }
    if wants("asr") {
        report.take(
            &["asr.throughput", "asr.streams_per_core"],
            ears::measure().await,
        );
    }
    if wants("flow") {
        report.take(&["flow.check_per_s"], flows::measure());
    }
    if wants("start") {
        report.take(&["start.ready"], start::measure().await);
    }
    conclude(&report, wanted.is_empty())
}

/// Prints the table, writes the report of a whole run, and tells whether all was measured.
fn conclude(report: &Report, whole: bool) -> Result<bool> {
    print!("{}", report.table());
    if whole {
        let file = folder().join("report.json");
        report.write(&file)?;
        println!("\nwritten to {}", file.display());
    }
    Ok(report.is_complete())
}
