//! The AudioSocket echo server against a minimal one in C, both under the same load.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use street::Process;

use crate::report::{Reach, Row};

/// Seconds measured for each server and number of calls.
const SECONDS: &str = "10";

/// Measures both servers with so many calls.
pub(crate) async fn measure(calls: u32) -> Result<Vec<Row>> {
    eprintln!("bench: echo, {calls} calls");
    let floor = load(
        "floor",
        &[program("HOTLINE_BENCH_ECHO_FLOOR")?, "0".into()],
        calls,
    )
    .await?;
    let echo = load(
        "echo",
        &[program("HOTLINE_BENCH_ECHO")?, "127.0.0.1:0".into()],
        calls,
    )
    .await?;
    let share = |line: &Value| Ok(number(line, "/server_cores")? / f64::from(calls) * 100.0);
    let cpu: Result<f64> = share(&echo);
    let cpu = Row::new(
        format!("echo.cpu.{calls}"),
        cpu?,
        "% of core",
        Reach::RatioAtMost(2.0),
    )
    .over(share(&floor)?);
    let most = if calls == 500 {
        Reach::AtMost(25.0)
    } else {
        Reach::Nothing
    };
    let p99 = Row::new(
        format!("echo.gap_p99.{calls}"),
        number(&echo, "/gap_ms/p99")?,
        "ms",
        most,
    )
    .over(number(&floor, "/gap_ms/p99")?);
    let mut rows = vec![cpu, p99];
    if calls == 500 {
        let longest = number(&echo, "/gap_ms/max")?;
        let floor = number(&floor, "/gap_ms/max")?;
        rows.push(Row::new("echo.gap_max.500", longest, "ms", Reach::Nothing).over(floor));
    }
    Ok(rows)
}

fn program(variable: &str) -> Result<PathBuf> {
    let path = env::var_os(variable);
    path.map(PathBuf::from)
        .with_context(|| format!("{variable} is not set: run tools/bench"))
}

/// Runs the load against one server and returns what it tells.
async fn load(name: &str, words: &[PathBuf], calls: u32) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let [program, arguments @ ..] = words else {
        bail!("no program")
    };
    let mut command = Command::new(program);
    command.args(arguments);
    let mut server = Process::spawn(name, command, &folder.path().join("log"))?;
    let line = server
        .wait_for_output("listening on", Duration::from_secs(5))
        .await?;
    let address = line.trim_start_matches("listening on ").to_owned();
    let load = self::program("HOTLINE_BENCH_LOAD")?;
    let output = tokio::process::Command::new(load)
        .args([
            &address,
            &calls.to_string(),
            SECONDS,
            &server.id().to_string(),
        ])
        .output()
        .await?;
    if !output.status.success() {
        bail!(
            "the load failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let told: Value = serde_json::from_slice(&output.stdout)?;
    if number(&told, "/ended_early")? > 0.0 || number(&told, "/received")? < 1.0 {
        bail!("{name} lost calls: {told}");
    }
    eprintln!("bench:   {name} {told}");
    Ok(told)
}

fn number(line: &Value, place: &str) -> Result<f64> {
    let number = line.pointer(place).and_then(Value::as_f64);
    number.with_context(|| format!("the load does not tell {place}: {line}"))
}
