//! `make demo`: real calls on a real Asterisk, told line by line as they happen.
//!
//! It starts Asterisk, Hotline and a mail box, plays three calls whose callers speak Danish, and
//! then stays up for calls from a softphone until it is interrupted. With `--once` it ends after
//! the calls, with success only if every step happened.

mod house;
mod narrator;
mod page;
mod script;
mod stay;
mod towns;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

use house::House;
use page::{Page, Who};

const USAGE: &str = "\
Real calls on a real Asterisk, told line by line as they happen.

Usage: make demo [ARGS=--once]

  --once  ends after the calls: exit 0 if every step happened, else 1
  --help  prints this";

fn main() -> ExitCode {
    let mut once = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--once" => once = true,
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("demo: unknown argument {other}\n\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let interrupted = match interruption() {
            Ok(interrupted) => interrupted,
            Err(error) => {
                eprintln!("demo: {error}");
                return ExitCode::FAILURE;
            }
        };
        tokio::select! {
            code = demo(once) => code,
            // Everything that was started ends when its value is dropped.
            () = interrupted => {
                println!("\nInterrupted: everything is being stopped.");
                if once { ExitCode::from(130) } else { ExitCode::SUCCESS }
            }
        }
    })
}

/// Returns what is ready when the demo is to end.
fn interruption() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

async fn demo(once: bool) -> ExitCode {
    let page = Arc::new(Page::new());
    page.chapter("Hotline: real calls on a real Asterisk");
    page.text("Starting Asterisk, Hotline and a mail box on this machine, without root …");
    let house = match House::open(Arc::clone(&page)).await {
        Ok(house) => house,
        Err(error) => {
            failed(&page, &error);
            return ExitCode::FAILURE;
        }
    };
    stay::introduce(&house);
    let played = script::play(&house).await;
    let mut complete = played.is_ok() && house.hears;
    page.chapter("What happened");
    match &played {
        Ok(()) => page.text(
            "Every step happened: a spoken wish reached the right agent, a message out of hours \
             arrived as a mail, and a callback was ordered, dialled and connected.",
        ),
        Err(error) => {
            failed(&page, error);
            let log = plain(&house.hotline.log());
            let lines: Vec<&str> = log
                .lines()
                .filter(|line| !line.starts_with("{\""))
                .collect();
            page.more(&format!(
                "Hotline's log ends:\n{}",
                lines[lines.len().saturating_sub(8)..].join("\n")
            ));
        }
    }
    if !house.hears {
        complete = false;
        page.line(
            Who::Failed,
            "a step did not happen: speech was not recognised, because there is no libvosk; run \
             tools/setup to see why",
        );
    }
    if !once {
        stay::invite(&house).await;
        stay::answer(&house).await;
    }
    if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Names the step that did not happen.
fn failed(page: &Page, error: &anyhow::Error) {
    let text = format!("a step did not happen: {error:#}");
    let mut lines = text.lines();
    page.line(Who::Failed, lines.next().unwrap_or_default());
    page.more(&lines.collect::<Vec<_>>().join("\n"));
}

/// Takes a terminal's colours out of a text.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}
