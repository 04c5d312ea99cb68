//! The command line: one file per verb. A verb writes its result to standard output and says what
//! went wrong, and what to do next, on standard error.
//!
//! Nothing here decides anything about calls; it opens the rooms below and shows them.

mod callback;
mod chat;
mod check;
mod demo;
mod doctor;
mod engines;
mod listen;
mod models;
mod notice;
mod open;
mod say;
mod score;
mod serve;
mod stop;
mod supervisor;
mod test;
mod transcript;
mod turn;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use stop::Stop;

use crate::speech::recognisers::sherpa;

/// A voicebot and call-flow companion for the PBX you already run.
///
/// Hotline answers beside Asterisk: it hears the caller, talks, and makes the PBX transfer, queue
/// and call back. Flows and tenants are text files; `hotline check` says what is wrong with them,
/// `hotline test` plays the stories beside them, and `hotline chat` lets you talk to them.
#[derive(Debug, Parser)]
#[command(name = "hotline", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    /// The configuration file [default: hotline.yaml, then /etc/hotline/hotline.yaml]
    ///
    /// Every setting has a default. Any of them can also be set in the environment, such as
    /// HOTLINE__HTTP__LISTEN=127.0.0.1:8061 for `listen` in the section `http`.
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        env = "HOTLINE_CONFIG"
    )]
    config: Option<PathBuf>,

    #[command(subcommand)]
    verb: Verb,
}

const AFTER_HELP: &str = "\
First steps:
  hotline demo                              a telephone in the browser, everything on this machine
  hotline chat                              talk to the sample municipality by text
  hotline chat --at '2026-12-24 10:00'      the same on Christmas Eve
  hotline check                             all mistakes in flows and tenants, with their places
  hotline test                              play the stories written beside the flows

Exit codes:
  0  done                                   2  wrong arguments or configuration
  1  there were findings, or it failed      3  the service cannot be reached";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the service: take calls until told to stop
    Serve(serve::Arguments),
    /// Run everything here with a telephone in the browser: no PBX, no set-up
    Demo(demo::Arguments),
    /// Talk to a flow by text, without a telephone
    Chat(chat::Arguments),
    /// Check configuration, tenants and flows: all findings at once
    Check(check::Arguments),
    /// Speak a text into a WAV file, as callers would hear it
    Say(say::Arguments),
    /// Play the stories written beside the flows
    Test(test::Arguments),
    /// Reach every configured part: what is wrong, and what to do
    Doctor(doctor::Arguments),
    /// Try the recognisers on recordings
    Listen(listen::Arguments),
    /// Measure the recognisers on a folder of recordings with transcripts
    Score(score::Arguments),
    /// Tell which models there are to recognise and speak with, and check those that lie here
    Models(models::Arguments),
    /// List, add, cancel and trigger callbacks
    Callback(callback::Arguments),
    /// Switch emergency messages on and off
    Notice(notice::Arguments),
}

/// Parses the command line, runs the verb, and returns the exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Ok(program) = this_program() {
        sherpa::rehearse_with(program);
    }
    let mut out = io::stdout();
    let result = run(arguments, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(Stop::ReaderGone) => ExitCode::SUCCESS,
        Err(stop) => {
            // Standard error may be closed too; there is nobody left to tell.
            let _ = writeln!(io::stderr(), "{stop}");
            ExitCode::from(stop.code())
        }
    }
}

/// Returns this program, for running it once more. On Linux that works even when its file has been
/// replaced since.
fn this_program() -> io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        Ok(running)
    } else {
        std::env::current_exe()
    }
}

fn run(arguments: Arguments, out: &mut dyn Write) -> Result<u8, Stop> {
    let config = arguments.config.as_deref();
    match arguments.verb {
        Verb::Serve(serve) => serve.run(config),
        Verb::Demo(demo) => demo.run(config, out),
        Verb::Chat(chat) => chat.run(config, out),
        Verb::Check(check) => check.run(config, out),
        Verb::Say(say) => say.run(config, out),
        Verb::Test(test) => test.run(config, out),
        Verb::Doctor(doctor) => doctor.run(config, out),
        Verb::Listen(listen) => listen.run(config, out),
        Verb::Score(score) => score.run(config, out),
        Verb::Models(models) => models.run(config, out),
        Verb::Callback(callback) => callback.run(config, out),
        Verb::Notice(notice) => notice.run(config, out),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
