//! What `api` and `bgapi` run, with the answers of the recordings.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::callcenter;
use super::clock;
use super::connection::Listener;
use super::leg::Leg;
use super::originate;
use super::recorded;
use super::switch::{Switch, uuid};

const NO_CHANNEL: &str = "-ERR No such channel!\n";

/// What the switch would expand, or tear a value apart at.
const UNSAFE: &[char] = &['$', '{', '}', '\'', '"', '\\', ','];

/// Runs an API command and returns what it prints; jobs have no listener. It is boxed, as a command
/// may ring a telephone whose answer runs a command.
pub(super) fn run<'a>(
    switch: &'a Arc<Switch>,
    listener: Option<&'a Arc<Listener>>,
    command: &'a str,
) -> Pin<Box<dyn Future<Output = String> + Send + 'a>> {
    Box::pin(async move {
        let said = apply(switch, listener, command).await;
        // As in the switch: who prints nothing has an error.
        match said.is_empty() {
            true => "-ERR no reply\n".to_owned(),
            false => said,
        }
    })
}

async fn apply(switch: &Arc<Switch>, listener: Option<&Arc<Listener>>, command: &str) -> String {
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    let words: Vec<&str> = rest.split_whitespace().collect();
    let usage = |usage: &str| {
        switch.complain(format!("api {command:?} lacks arguments"));
        format!("-USAGE: {usage}\n")
    };
    match (name, words.as_slice()) {
        ("strepoch", []) => clock::epoch().to_string(),
        ("create_uuid", []) => uuid(),
        ("status", []) => status(switch),
        ("version", []) => first_body("inbound-api-errors", "FreeSWITCH Version"),
        ("module_exists", [module]) => {
            let loaded = [
                "mod_callcenter",
                "mod_commands",
                "mod_dialplan_xml",
                "mod_dptools",
                "mod_event_socket",
                "mod_sofia",
                "mod_sndfile",
                "mod_tone_stream",
            ];
            loaded.contains(module).to_string()
        }
        ("sofia", ["status", "gateway", gateway]) => gateway_status(gateway),
        // No recording has it; as the real switch says it, without what the context holds.
        ("xml_locate", ["dialplan", "context", "name", context]) => {
            match switch.dialplan.knows(context) {
                true => format!("<context name=\"{context}\">\n</context>\n"),
                false => "can't find anything\n".to_owned(),
            }
        }
        ("global_getvar", [variable]) => switch.global(variable).unwrap_or_default(),
        ("show", ["channels", "count"]) => format!("\n{} total.\n", switch.legs().len()),
        ("uuid_exists", [id]) => switch.leg(id).is_some().to_string(),
        ("uuid_exists", _) => usage("<uuid>"),
        ("uuid_getvar", [id, variable]) => match switch.leg(id) {
            Some(leg) => leg
                .variable(variable)
                .unwrap_or_else(|| "_undef_".to_owned()),
            None => NO_CHANNEL.to_owned(),
        },
        ("uuid_getvar", _) => usage("<uuid> <var>"),
        ("uuid_setvar", [id, variable, ..]) => {
            let value = rest.splitn(3, ' ').nth(2).unwrap_or_default();
            set_variable(switch, id, variable, value)
        }
        ("uuid_setvar", _) => usage("<uuid> <var> [value]"),
        ("uuid_kill", [id, more @ ..]) => match switch.leg(id).filter(|leg| leg.is_up()) {
            Some(leg) => {
                let cause = more.first().copied().unwrap_or("NORMAL_CLEARING");
                switch.hang_up(&leg, cause, "send_bye");
                "+OK\n".to_owned()
            }
            None => NO_CHANNEL.to_owned(),
        },
        ("uuid_kill", _) => usage("<uuid> [cause]"),
        ("uuid_transfer", [id, extension, more @ ..]) => {
            let place = (*extension, more.first().copied(), more.get(1).copied());
            match transfer(switch, id, place, command) {
                Some(leg) => {
                    switch.transfer(&leg, extension, more.get(1).unwrap_or(&"default"));
                    "+OK\n".to_owned()
                }
                None => NO_CHANNEL.to_owned(),
            }
        }
        ("uuid_transfer", _) => usage("<uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]"),
        ("sched_transfer", [time, id, extension, more @ ..]) => {
            let place = (*extension, more.first().copied(), more.get(1).copied());
            let Some(at) = moment(time) else {
                return usage("[+]<time> <uuid> <extension> [<dialplan>] [<context>]");
            };
            match transfer(switch, id, place, command) {
                Some(leg) => {
                    switch.schedule(at, &leg.id, extension, more.get(1).unwrap_or(&"default"));
                    "+OK\n".to_owned()
                }
                None => NO_CHANNEL.to_owned(),
            }
        }
        ("sched_transfer", _) => usage("[+]<time> <uuid> <extension> [<dialplan>] [<context>]"),
        ("sched_del", [id]) => format!("+OK Deleted: {}\n", switch.unschedule(id)),
        ("callcenter_config", words) => callcenter::config(switch, words, rest),
        ("json", _) => callcenter::json(switch, rest),
        ("msleep", [milliseconds]) => {
            if listener.is_some() {
                switch.complain("api msleep holds back every event of its connection");
            }
            let pause = milliseconds.parse().unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            "+OK".to_owned()
        }
        ("originate", _) => {
            if listener.is_some() {
                switch
                    .complain("api originate holds back every event of its connection: use bgapi");
            }
            match originate::originate(switch, rest).await {
                Ok(id) => format!("+OK {id}\n"),
                Err(cause) => format!("-ERR {cause}\n"),
            }
        }
        _ => {
            switch.complain(format!("api {command:?} is in no recording"));
            format!("-ERR {name} Command not found!\n")
        }
    }
}

/// Returns the first answer in a session that begins with a text.
fn first_body(session: &str, begins: &str) -> String {
    let session = recorded::session(session);
    let found = session
        .iter()
        .find(|message| message.body.starts_with(begins));
    found
        .map(|message| message.body.clone())
        .unwrap_or_default()
}

fn status(switch: &Switch) -> String {
    let recorded = first_body("inbound-api-errors", "UP ");
    let up = switch.up();
    let seconds = up / 1_000_000;
    let first = format!(
        "UP 0 years, {} days, {} hours, {} minutes, {} seconds, {} milliseconds, {} microseconds",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        up / 1000 % 1000,
        up % 1000
    );
    let lines = recorded
        .lines()
        .enumerate()
        .map(|(number, line)| match number {
            0 => first.clone(),
            2 => format!("{} session(s) since startup", switch.sessions()),
            3 => line.replacen('0', &switch.legs().len().to_string(), 1),
            _ => line.to_owned(),
        });
    lines.map(|line| line + "\n").collect()
}

/// No recording has it; as the real switch says it, cut to what says how the gateway is.
fn gateway_status(gateway: &str) -> String {
    match gateway {
        originate::GATEWAY => format!(
            "=================================================================================================\n\
             Name    \t{gateway}\nProfile \tinternal\nScheme  \tDigest\nRealm   \t127.0.0.1\n\
             Username\thotline\nPassword\tyes\nStatus  \tUP\nState   \tNOREG\n\
             =================================================================================================\n"
        ),
        _ => "Invalid Gateway!\n".to_owned(),
    }
}

fn set_variable(switch: &Switch, id: &str, variable: &str, value: &str) -> String {
    let strange = |c: char| UNSAFE.contains(&c) || c.is_control();
    if value.contains(strange) || variable.contains(strange) {
        switch.complain(format!(
            "uuid_setvar of {variable} to {value:?}: the switch would expand it or take it apart"
        ));
    }
    if variable == "socket_resume" {
        switch.complain("socket_resume throws callers out of the queue they were sent to");
    }
    match switch.leg(id) {
        Some(leg) => {
            leg.set_variable(variable, value);
            "+OK\n".to_owned()
        }
        None => NO_CHANNEL.to_owned(),
    }
}

type Place<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// Finds the leg of a transfer and looks whether the place is one.
fn transfer(
    switch: &Switch,
    id: &str,
    (_, dialplan, context): Place<'_>,
    command: &str,
) -> Option<Arc<Leg>> {
    match (dialplan, context) {
        (Some("XML"), Some(context)) => {
            if !switch.dialplan.knows(context) {
                switch.complain(format!("{command:?}: there is no context {context}"));
            }
        }
        _ => switch.complain(format!("{command:?} names no dialplan and context")),
    }
    switch.leg(id).filter(|leg| leg.is_up())
}

/// Reads `+2` or a second of the clock.
pub(super) fn moment(text: &str) -> Option<u64> {
    match text.strip_prefix('+') {
        Some(seconds) => Some(clock::epoch() + seconds.parse::<u64>().ok()?),
        None => text.parse().ok(),
    }
}

/// Takes `name=value,name=value` apart; a backslash takes a comma's meaning.
pub(super) fn assignments(text: &str) -> Vec<(String, String)> {
    let pair = |text: String| {
        let (name, value) = text.split_once('=')?;
        Some((name.trim().to_owned(), value.to_owned()))
    };
    separated(text, ',').into_iter().filter_map(pair).collect()
}

/// Separates a text as the switch does: quotes keep a separator, a backslash keeps a quote.
pub(super) fn separated(text: &str, separator: char) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let next = characters.peek().copied();
        let word = match words.last_mut() {
            Some(word) => word,
            None => return words,
        };
        match (c, next) {
            ('\\', Some(kept)) if ['\\', '\'', separator].contains(&kept) => {
                word.push(kept);
                characters.next();
            }
            ('\'', _) => quoted = !quoted,
            (c, _) if c == separator && !quoted => words.push(String::new()),
            (c, _) => word.push(c),
        }
    }
    words
}

/// Looks a name up in a list of pairs.
pub(super) fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().rev().find(|(key, _)| key == name);
    found
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}
