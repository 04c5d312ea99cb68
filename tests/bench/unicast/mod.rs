//! Audio by FreeSWITCH's unicast: what it costs against a minimal echo in C under the same load, and
//! how long it takes from the caller to us and back through a real FreeSWITCH.
//!
//! Both stand on an echo behind Hotline's own door, session and media. The load plays FreeSWITCH in a
//! process of its own, so that its work is not counted.

mod echo;
mod load;
mod replies;
mod roundtrip;

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use street::Process;
use tempfile::TempDir;

use crate::report::{Reach, Row};

pub(crate) use roundtrip::measure as roundtrip;

/// Seconds measured for each server and number of calls.
const SECONDS: u32 = 10;

/// The part of all datagrams that must come back: when the server is late, a call leaves some out.
const KEPT: f64 = 0.95;

/// Lines of a server's output that are told when it failed.
const LINES: usize = 5;

/// How long a server may take until it says where it listens.
const START: Duration = Duration::from_secs(10);

/// How long Hotline lets pass between two times that it holds a watchdog off.
const HOLD_OFF: f64 = 0.4;

/// Parts that this program plays in processes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The echo behind Hotline's door.
    Echo,
    /// FreeSWITCH with many calls.
    Load,
}

impl Part {
    const ALL: [Self; 2] = [Self::Echo, Self::Load];

    fn name(self) -> &'static str {
        match self {
            Self::Echo => "unicast-echo",
            Self::Load => "unicast-load",
        }
    }

    /// Returns the part of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// Plays the part.
    pub(crate) fn play(self, words: &[String]) -> Result<()> {
        match self {
            Self::Echo => echo::play(words),
            Self::Load => load::play(words),
        }
    }

    fn command(self) -> Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(self.name());
        Ok(command)
    }
}

/// A program that says where it listens.
struct Server {
    process: Process,
    /// An address with its port, or the ports of all calls.
    place: String,
    // Last, so that it is removed after the process has ended.
    _folder: TempDir,
}

impl Server {
    async fn start(name: &str, command: Command) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut process = Process::spawn(name, command, &folder.path().join("log"))?;
        let line = process.wait_for_output("listening on", START).await?;
        let place = line.trim_start_matches("listening on ").to_owned();
        Ok(Self {
            process,
            place,
            _folder: folder,
        })
    }

    /// Starts the echo for so many calls, on one thread or on as many as Hotline itself has.
    async fn echo(calls: u32, threads: Threads) -> Result<Self> {
        let mut command = Part::Echo.command()?;
        command.arg(calls.to_string()).arg(threads.name());
        Self::start("echo", command).await
    }

    /// Returns the beginning of what it wrote: what comes after is mostly more of it.
    fn said(&self) -> String {
        let lines: Vec<String> = self
            .process
            .output()
            .lines()
            .take(LINES)
            .map(str::to_owned)
            .collect();
        lines.join("\n")
    }
}

/// How many threads the echo runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    /// One, as the AudioSocket echo has.
    One,
    /// One for each core, as `hotline serve` has.
    Served,
}

impl Threads {
    fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Served => "served",
        }
    }
}

/// Measures both servers with so many calls.
pub(crate) async fn measure(calls: u32) -> Result<Vec<Row>> {
    eprintln!("bench: unicast, {calls} calls");
    let mut command = Command::new(program("HOTLINE_BENCH_UNICAST_FLOOR")?);
    command.arg(calls.to_string());
    let floor = load("floor", &Server::start("floor", command).await?, calls).await?;
    let echo = load("echo", &Server::echo(calls, Threads::One).await?, calls).await?;
    watchdogs_were_held_off(&echo, calls)?;
    let share = |line: &Value| Ok(number(line, "/server_cores")? / f64::from(calls) * 100.0);
    let cpu: Result<f64> = share(&echo);
    let cpu = Row::new(
        format!("unicast.cpu.{calls}"),
        cpu?,
        "% of core",
        Reach::Nothing,
    );
    let most = if calls == 500 {
        Reach::AtMost(25.0)
    } else {
        Reach::Nothing
    };
    let gap = number(&echo, "/gap_ms/p99")?;
    let gap = Row::new(format!("unicast.gap_p99.{calls}"), gap, "ms", most);
    if calls == 500 {
        tell_of_all_cores(calls).await;
    }
    Ok(vec![
        cpu.over(share(&floor)?),
        gap.over(number(&floor, "/gap_ms/p99")?),
    ])
}

/// Tells what the echo costs as `hotline serve` runs; no row stands on it.
async fn tell_of_all_cores(calls: u32) {
    let told = async {
        let echo = Server::echo(calls, Threads::Served).await?;
        load("echo on all cores", &echo, calls).await
    };
    if let Err(error) = told.await {
        eprintln!("bench:   {error:#}");
    }
}

/// A call whose watchdog is not held off costs less than one that is served.
fn watchdogs_were_held_off(told: &Value, calls: u32) -> Result<()> {
    let times = number(told, "/held_off")?;
    let expected = f64::from(calls * SECONDS) / HOLD_OFF;
    if times < 0.8 * expected {
        bail!("watchdogs were held off {times} times where {expected} were due: {told}");
    }
    Ok(())
}

fn program(variable: &str) -> Result<PathBuf> {
    let path = env::var_os(variable);
    path.map(PathBuf::from)
        .with_context(|| format!("{variable} is not set: run tools/bench"))
}

/// Runs the load against one server and returns what it tells.
async fn load(name: &str, server: &Server, calls: u32) -> Result<Value> {
    let words = [
        server.place.clone(),
        calls.to_string(),
        SECONDS.to_string(),
        server.process.id().to_string(),
    ];
    let output = tokio::process::Command::from(Part::Load.command()?)
        .args(words)
        .kill_on_drop(true)
        .output()
        .await?;
    if !output.status.success() {
        bail!(
            "the load failed: {}\n{name} wrote:\n{}",
            String::from_utf8_lossy(&output.stderr).trim(),
            server.said(),
        );
    }
    let told: Value = serde_json::from_slice(&output.stdout)?;
    let (sent, received) = (number(&told, "/sent")?, number(&told, "/received")?);
    if number(&told, "/ended_early")? > 0.0 || received < KEPT * sent || received < 1.0 {
        bail!(
            "{name} lost calls or frames: {told} {}\n{name} wrote:\n{}",
            String::from_utf8_lossy(&output.stderr).trim(),
            server.said(),
        );
    }
    eprintln!("bench:   {name} {told}");
    Ok(told)
}

fn number(line: &Value, place: &str) -> Result<f64> {
    let number = line.pointer(place).and_then(Value::as_f64);
    number.with_context(|| format!("the load does not tell {place}: {line}"))
}

/// Returns the folder of what was recorded on a real FreeSWITCH.
fn recordings() -> PathBuf {
    street::hotline::project().join("tests/fixtures/freeswitch")
}
