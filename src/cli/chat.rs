//! `hotline chat`: a call by text, under virtual time.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::turn::{Failure, HELP, Turn};
use super::{Stop, open, transcript};
use crate::dialog::rehearsal::story::{facts, moment};
use crate::dialog::rehearsal::{Misplaced, Opening, Rehearsal};
use crate::dialog::{Caller, Heard, Notice, Playbook};
use crate::understand::language_of;
use crate::words::{FlowName, Language, PhoneNumber, QueueName};

/// Talks to a flow by text.
///
/// Every line is one turn of the caller: words are said, #5 presses a key, ... is silence, and
/// /help lists the rest. Time is virtual: nothing waits. Where standard input is no terminal, its
/// lines are the turns and its end hangs up.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The tenant to call, by its name or one of its numbers [default: the first]
    #[arg(long)]
    tenant: Option<String>,
    /// When the call comes, in the tenant's time zone [default: now]
    #[arg(long, value_name = "YYYY-MM-DD HH:MM")]
    at: Option<String>,
    /// The caller's number [default: withheld]
    #[arg(long, value_name = "NUMBER")]
    caller: Option<String>,
    /// The name that the PBX shows for the caller
    #[arg(long)]
    name: Option<String>,
    /// The language of the words you type [default: told by the words, else the call's]
    #[arg(long, value_name = "da|en")]
    language: Option<Language>,
    /// The flow to begin with [default: the tenant's]
    #[arg(long)]
    flow: Option<String>,
    /// Call with a telephone that cannot be heard: keys only
    #[arg(long)]
    no_speech: bool,
    /// Show what was understood, and why
    #[arg(long)]
    explain: bool,
    /// Print every event and command as one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flows: open::FlowsFolder,
}

const AFTER_HELP: &str = "\
Examples:
  hotline chat --explain
  printf 'jeg har mistet mit pas\\n...\\n#1\\n' | hotline chat --at '2026-11-24 10:00' --json";

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let library = open::library(self.flows.folder.as_deref(), config)?.whole()?;
        let playbook = open::playbook(&library, self.tenant.as_deref())?;
        let at = self.time(&playbook)?;
        let opening = self.opening(&playbook)?;
        let input = io::stdin();
        let asked = input.is_terminal();
        let mut stage = Stage {
            rehearsal: Rehearsal::begin(playbook.clone(), opening, at),
            playbook: &playbook,
            arguments: &self,
            shown: 0,
            transfer_fails: None,
            order_fails: None,
            echo: !asked,
        };
        if !self.json {
            stage.introduce(out)?;
        }
        stage.show(out)?;
        stage.converse(&mut input.lock(), asked, out)?;
        Ok(0)
    }

    fn time(&self, playbook: &Playbook) -> Result<Timestamp, Stop> {
        match &self.at {
            None => Ok(Timestamp::now()),
            Some(text) => moment(text, playbook).map_err(|message| {
                Stop::usage(
                    message,
                    "write --at '2026-12-24 10:00', in the tenant's time zone",
                )
            }),
        }
    }

    fn opening(&self, playbook: &Playbook) -> Result<Opening, Stop> {
        let number = self.caller.as_deref().map(|text| {
            PhoneNumber::parse(text)
                .map_err(|error| Stop::usage(format!("{text:?} is {error}"), ""))
        });
        let tenant = &playbook.shelf.tenant;
        if let Some(language) = self.language
            && !tenant.languages.contains(&language)
        {
            let spoken: Vec<&str> = tenant.languages.iter().map(Language::code).collect();
            return Err(Stop::usage(
                format!("{} does not speak {language}", tenant.tenant),
                format!("it speaks {}", spoken.join(" and ")),
            ));
        }
        let flow = self.flow.as_deref().map(FlowName::from);
        if let Some(flow) = &flow
            && !playbook.shelf.flows.contains_key(flow)
        {
            let names = playbook.shelf.flows.keys().map(|name| name.0.as_str());
            return Err(Stop::usage(
                format!("there is no flow {flow}"),
                crate::flow::did_you_mean(&flow.0, names).unwrap_or_default(),
            ));
        }
        Ok(Opening {
            caller: Caller {
                number: number.transpose()?,
                name: self.name.clone(),
            },
            flow,
            language: None,
            slots: Vec::new(),
            facts: facts(playbook, &Default::default(), &Default::default()),
            keys_only: self.no_speech,
            hold_orders: false,
        })
    }
}

struct Stage<'a> {
    rehearsal: Rehearsal,
    playbook: &'a Arc<Playbook>,
    arguments: &'a Arguments,
    /// Entries shown so far.
    shown: usize,
    /// Why the next transfer fails, if it does.
    transfer_fails: Option<String>,
    /// Why the next order fails, if it does.
    order_fails: Option<String>,
    /// Whether the caller's lines are shown, as nobody saw them being typed.
    echo: bool,
}

impl Stage<'_> {
    fn introduce(&self, out: &mut dyn Write) -> Result<(), Stop> {
        let tenant = &self.playbook.shelf.tenant;
        let language = self.rehearsal.dialog().language();
        let name = tenant.name.get(&language).or(tenant.name.values().next());
        let at = self.rehearsal.now().to_zoned(self.playbook.zone.clone());
        writeln!(
            out,
            "{}, {}. Words are said, #5 presses a key, ... is silence, /help lists the rest.\n",
            name.map_or(tenant.tenant.0.as_str(), String::as_str),
            at.strftime("%A %Y-%m-%d %H:%M"),
        )?;
        Ok(())
    }

    fn converse(
        &mut self,
        input: &mut dyn BufRead,
        asked: bool,
        out: &mut dyn Write,
    ) -> Result<(), Stop> {
        let mut bytes = Vec::new();
        loop {
            if self.rehearsal.outcome().is_some() {
                return self.close(input, asked, out);
            }
            if asked {
                write!(out, "> ")?;
            }
            out.flush()?;
            bytes.clear();
            if input.read_until(b'\n', &mut bytes)? == 0 {
                if asked {
                    writeln!(out)?;
                }
                // The call is not over, as was just looked at.
                let _ = self.rehearsal.hangs_up();
                self.show(out)?;
                return self.close(input, false, out);
            }
            // A line that is not UTF-8 is shown with its odd letters replaced, not refused.
            let line = String::from_utf8_lossy(&bytes).into_owned();
            if let Err(refusal) = self.take(&line, out)? {
                self.refuse(&refusal, out)?;
            }
            self.show(out)?;
        }
    }

    /// Takes one line; the refusal is for the one who typed it.
    fn take(&mut self, line: &str, out: &mut dyn Write) -> Result<Result<(), String>, Stop> {
        let turn = match Turn::read(line) {
            Ok(turn) => turn,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if self.echo && !self.arguments.json && turn != Turn::Nothing {
            writeln!(out, "{}", transcript::line("caller", line.trim()))?;
        }
        if turn == Turn::Help {
            return Ok(Err(HELP.to_owned()));
        }
        let done = self.play(turn);
        self.fail_what_is_to_fail();
        Ok(done)
    }

    fn play(&mut self, turn: Turn) -> Result<(), String> {
        let stage = &mut self.rehearsal;
        let fails = |it: Misplaced| it.to_string();
        match turn {
            Turn::Nothing | Turn::Help => Ok(()),
            Turn::Words(words) if stage.is_recording() => stage.records(&words).map_err(fails),
            Turn::Words(words) => {
                let language = self
                    .arguments
                    .language
                    .unwrap_or_else(|| self.language_of(&words));
                let heard = Heard::written(language, &words);
                self.rehearsal.says(heard).map_err(fails)
            }
            Turn::Keys(keys) => stage.presses(keys).map_err(fails),
            Turn::Silence => stage.is_silent().map_err(fails),
            Turn::HangUp => stage.hangs_up().map_err(fails),
            Turn::Fail(failure, why) => {
                let why = if why.is_empty() {
                    "asked to fail".to_owned()
                } else {
                    why
                };
                match failure {
                    Failure::Transfer => self.transfer_fails = Some(why),
                    Failure::Order => {
                        stage.hold_orders(true);
                        self.order_fails = Some(why);
                    }
                    Failure::Speech => return stage.speech_fails().map_err(fails),
                }
                Ok(())
            }
            Turn::Queue(name, settings) => self.set_queue(&name, &settings),
            Turn::Notice(text) => {
                self.put_notice(&text);
                Ok(())
            }
        }
    }

    /// Tells the language of words: by the words themselves, else the call's.
    fn language_of(&self, words: &str) -> Language {
        let spoken = &self.playbook.shelf.tenant.languages;
        language_of(words, spoken)
            .map(|(language, _)| language)
            .unwrap_or_else(|| self.rehearsal.dialog().language())
    }

    fn set_queue(&mut self, name: &str, settings: &[(String, u32)]) -> Result<(), String> {
        let departments = &self.playbook.shelf.tenant.departments;
        let known = departments
            .iter()
            .find(|(id, department)| id.0 == name || department.queue.0 == name)
            .map(|(_, department)| department.queue.clone());
        let Some(queue) = known else {
            let names = departments.values().map(|it| it.queue.0.as_str());
            let help = crate::flow::did_you_mean(name, names).unwrap_or_default();
            return Err(format!("there is no queue {name:?}; {help}"));
        };
        self.rehearsal.facts_change(|facts| {
            let state = facts.queues.entry(QueueName(queue.0)).or_default();
            for (setting, number) in settings {
                match setting.as_str() {
                    "waiting" => state.waiting = *number,
                    "free" => {
                        state.agents_free = *number;
                        state.agents = state.agents.max(*number);
                    }
                    "agents" => state.agents = *number,
                    "longest" => state.longest_wait = *number,
                    _ => state.average_wait = *number,
                }
            }
        });
        Ok(())
    }

    fn put_notice(&mut self, text: &str) {
        let tenant = &self.playbook.shelf.tenant;
        let notice = match tenant.notices.get(text) {
            Some(prepared) => Notice {
                name: text.to_owned(),
                text: prepared.clone(),
                until: None,
            },
            None => Notice {
                name: "chat".to_owned(),
                text: [(self.rehearsal.dialog().language(), text.to_owned())].into(),
                until: None,
            },
        };
        self.rehearsal
            .facts_change(|facts| facts.notices.push(notice));
    }

    fn fail_what_is_to_fail(&mut self) {
        if let Some(why) = &self.order_fails
            && self.rehearsal.order_fails(why).is_ok()
        {
            self.order_fails = None;
            self.rehearsal.hold_orders(false);
        }
        if let Some(why) = &self.transfer_fails
            && self.rehearsal.transfer_fails(why).is_ok()
        {
            self.transfer_fails = None;
        }
    }

    /// Shows what has happened since the last time.
    fn show(&mut self, out: &mut dyn Write) -> Result<(), Stop> {
        let entries = &self.rehearsal.entries()[self.shown..];
        for entry in entries {
            if self.arguments.json {
                let line = serde_json::to_string(entry).map_err(io::Error::from)?;
                writeln!(out, "{line}")?;
                continue;
            }
            for line in transcript::lines(entry, self.arguments.explain) {
                writeln!(out, "{line}")?;
            }
        }
        self.shown += entries.len();
        Ok(())
    }

    fn refuse(&self, refusal: &str, out: &mut dyn Write) -> Result<(), Stop> {
        if self.arguments.json {
            // Standard output is for a program, which wants objects only.
            writeln!(io::stderr(), "{refusal}")?;
        } else {
            for line in refusal.lines() {
                writeln!(out, "  {line}")?;
            }
        }
        Ok(())
    }

    fn close(&self, input: &mut dyn BufRead, asked: bool, out: &mut dyn Write) -> Result<(), Stop> {
        if !self.arguments.json
            && let Some(outcome) = self.rehearsal.outcome()
        {
            let outcome = serde_json::to_value(outcome).unwrap_or_default();
            let outcome = outcome.as_str().unwrap_or_default().replace('_', " ");
            writeln!(out, "\nThe call is over: {outcome}.")?;
        }
        if asked {
            return Ok(());
        }
        let mut rest = String::new();
        let unread = match input.read_line(&mut rest) {
            Ok(0) | Err(_) => false,
            Ok(_) => !rest.trim().is_empty(),
        };
        if unread {
            writeln!(
                io::stderr(),
                "the call was over before {:?}: lines were left",
                rest.trim()
            )?;
        }
        Ok(())
    }
}
