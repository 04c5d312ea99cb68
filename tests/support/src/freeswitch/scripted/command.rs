//! The commands of the event socket, except what `api` runs: who may say them, what they mean, and
//! which of them a client that knows the switch never says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::api;
use super::application;
use super::connection::Listener;
use super::event::Event;
use super::leg::{Leg, Unicast};
use super::recorded;
use super::switch::{Switch, lock, uuid};
use super::telling;
use super::unicast;

/// What a command is answered with.
pub(super) enum Reply {
    Command(String),
    Api(String),
    Job(String),
    /// The whole channel, to `connect`.
    Channel(Box<Event>),
    /// The answer after which the connection ends.
    Last(String),
}

/// A client may not have heard yet that the leg is gone.
const NEWS: Duration = Duration::from_secs(1);

/// Events that can be asked for by name.
const EVENTS: &[&str] = &[
    "ALL",
    "CUSTOM",
    "BACKGROUND_JOB",
    "CALL_UPDATE",
    "CHANNEL_ANSWER",
    "CHANNEL_APPLICATION",
    "CHANNEL_BRIDGE",
    "CHANNEL_CALLSTATE",
    "CHANNEL_CREATE",
    "CHANNEL_DATA",
    "CHANNEL_DESTROY",
    "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_HOLD",
    "CHANNEL_ORIGINATE",
    "CHANNEL_OUTGOING",
    "CHANNEL_PARK",
    "CHANNEL_PROGRESS",
    "CHANNEL_PROGRESS_MEDIA",
    "CHANNEL_STATE",
    "CHANNEL_UNBRIDGE",
    "CHANNEL_UNHOLD",
    "CHANNEL_UNPARK",
    "CHANNEL_UUID",
    "CODEC",
    "DTMF",
    "HEARTBEAT",
    "MODULE_LOAD",
    "MODULE_UNLOAD",
    "PLAYBACK_START",
    "PLAYBACK_STOP",
    "PRESENCE_IN",
    "RECORD_START",
    "RECORD_STOP",
    "RELOADXML",
    "RE_SCHEDULE",
    "ADD_SCHEDULE",
    "DEL_SCHEDULE",
    "EXE_SCHEDULE",
    "SHUTDOWN",
    "STARTUP",
    "TALK",
    "NOTALK",
];

/// Events that `myevents` brings.
const MINE: &[&str] = &[
    "CHANNEL_ANSWER",
    "CHANNEL_APPLICATION",
    "CHANNEL_BRIDGE",
    "CHANNEL_CREATE",
    "CHANNEL_EXECUTE",
    "CHANNEL_EXECUTE_COMPLETE",
    "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE",
    "CHANNEL_PARK",
    "CHANNEL_PROGRESS",
    "CHANNEL_STATE",
    "CHANNEL_UNBRIDGE",
    "CHANNEL_UNPARK",
    "DTMF",
];

/// Runs one command.
pub(super) async fn run(switch: &Arc<Switch>, listener: &Arc<Listener>, command: &str) -> Reply {
    let mut lines = command.lines();
    let first = lines.next().unwrap_or_default().trim_end();
    let (name, rest) = first.split_once(' ').unwrap_or((first, ""));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let unknown = |why: &str| {
        switch.complain(format!("the command {first:?} {why}"));
        Reply::Command("-ERR command not found".to_owned())
    };
    if !listener.authorised.load(Ordering::Relaxed) {
        return match name {
            "auth" if rest == switch.password => {
                listener.authorised.store(true, Ordering::Relaxed);
                Reply::Command("+OK accepted".to_owned())
            }
            "auth" => Reply::Last("-ERR invalid".to_owned()),
            "exit" => Reply::Last("+OK bye".to_owned()),
            _ => unknown("came before auth"),
        };
    }
    if listener.leg.is_some() && listener.commands.load(Ordering::Relaxed) == 1 && name != "connect"
    {
        switch.complain(format!("{first:?} came before connect"));
    }
    match name {
        "connect" => connect(switch, listener),
        "auth" => unknown("came a second time"),
        "exit" => Reply::Last("+OK bye".to_owned()),
        "api" if rest.is_empty() => unknown("has no arguments"),
        "api" => Reply::Api(api::run(switch, Some(listener), rest).await),
        "bgapi" if rest.is_empty() => unknown("has no arguments"),
        "bgapi" => start_job(switch, listener, rest, &headers),
        "sendmsg" => Reply::Command(send_message(switch, listener, rest, &headers)),
        "event" => Reply::Command(subscribe(switch, listener, rest)),
        "myevents" => Reply::Command(mine(switch, listener, rest)),
        "nixevent" => {
            let mut wants = lock(&listener.wants);
            for event in rest.split(' ') {
                wants.names.remove(event);
            }
            Reply::Command("+OK events nixed".to_owned())
        }
        "noevents" => {
            let mut wants = lock(&listener.wants);
            wants.names.clear();
            wants.all = false;
            Reply::Command("+OK no longer listening for events".to_owned())
        }
        "filter" => Reply::Command(filter(switch, listener, rest)),
        "divert_events" if listener.leg.is_some() && rest == "on" => {
            Reply::Command("+OK events diverted".to_owned())
        }
        "linger" => Reply::Command(linger(switch, listener, rest)),
        "resume" => unknown("throws callers out of the queue they were sent to"),
        "log" => {
            let level: i32 = rest.parse().unwrap_or(6);
            let kept = if (0..=7).contains(&level) { level } else { 63 };
            Reply::Command(format!("+OK log level {level} [{kept}]"))
        }
        "nolog" => Reply::Command("+OK no longer logging".to_owned()),
        _ => unknown("is not known"),
    }
}

fn connect(switch: &Switch, listener: &Listener) -> Reply {
    let Some(leg) = &listener.leg else {
        switch.complain("connect belongs to connections of the dialplan's socket");
        return Reply::Command("-ERR command not found".to_owned());
    };
    if listener.commands.load(Ordering::Relaxed) > 1 {
        switch.complain("connect is said once, first");
    }
    let socket = leg.variable("current_application_data").unwrap_or_default();
    Reply::Channel(Box::new(telling::connected(leg, &socket)))
}

fn subscribe(switch: &Switch, listener: &Listener, rest: &str) -> String {
    let mut words = rest.split_whitespace();
    let format = words.next().unwrap_or_default();
    if !["plain", "json"].contains(&format) {
        switch.complain(format!("event {rest:?} names no format that was recorded"));
    }
    let mut wants = lock(&listener.wants);
    let mut found = false;
    let mut custom = false;
    for word in words {
        if custom {
            if EVENTS.contains(&word) {
                switch.complain(format!(
                    "event {rest:?}: after CUSTOM, {word} is a subclass"
                ));
            }
            wants.subclasses.insert(word.to_owned());
        } else if EVENTS.contains(&word) {
            found = true;
            custom = word == "CUSTOM";
            wants.all |= word == "ALL";
            wants.names.insert(word.to_owned());
        } else {
            switch.complain(format!("event {rest:?}: there is no event {word}"));
        }
    }
    if !found {
        switch.complain(format!("event {rest:?} asks for nothing"));
        return "-ERR no keywords supplied".to_owned();
    }
    wants.json = format == "json";
    format!(
        "+OK event listener enabled {}",
        if wants.json { "json" } else { "plain" }
    )
}

fn mine(switch: &Switch, listener: &Listener, rest: &str) -> String {
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    let json = words.contains(&"json");
    words.retain(|word| !["plain", "json", "xml"].contains(word));
    let id = match (&listener.leg, words.first()) {
        (Some(leg), None) => leg.id.clone(),
        (None, Some(id)) => {
            if switch.leg(id).is_none() {
                switch.complain(format!(
                    "myevents of {id}, which is no channel, is accepted and brings nothing"
                ));
            }
            (*id).to_owned()
        }
        _ => {
            switch.complain(format!("myevents {rest:?} is not known"));
            return "-ERR command not found".to_owned();
        }
    };
    let mut wants = lock(&listener.wants);
    if wants.mine.is_some() {
        switch.complain("myevents is said once");
    }
    wants.mine = Some(id);
    wants.json = json;
    wants.names.extend(MINE.iter().map(|&name| name.to_owned()));
    "+OK Events Enabled".to_owned()
}

fn filter(switch: &Switch, listener: &Listener, rest: &str) -> String {
    let (deletes, rest) = match rest.strip_prefix("delete ") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let Some((name, value)) = rest.split_once(' ') else {
        switch.complain(format!("filter {rest:?} lacks a value"));
        return "-ERR invalid syntax".to_owned();
    };
    let pair = (name.to_owned(), value.to_owned());
    let filters = &mut lock(&listener.wants).filters;
    if deletes {
        filters.retain(|filter| *filter != pair);
        return format!("+OK filter deleted. [{name}][{value}]");
    }
    filters.push(pair);
    format!("+OK filter added. [{name}]=[{value}]")
}

fn linger(switch: &Switch, listener: &Listener, rest: &str) -> String {
    if listener.leg.is_none() {
        switch.complain("linger belongs to connections of the dialplan's socket");
        return "-ERR not controlling a session".to_owned();
    }
    match rest.parse() {
        Ok(seconds) => {
            *lock(&listener.linger) = Some(seconds);
            format!("+OK will linger {seconds} seconds")
        }
        Err(_) => {
            switch.complain(format!(
                "linger {rest:?}: only a number of seconds was recorded"
            ));
            "+OK will linger".to_owned()
        }
    }
}

fn start_job(
    switch: &Arc<Switch>,
    listener: &Arc<Listener>,
    command: &str,
    headers: &[(String, String)],
) -> Reply {
    let given = headers.iter().find(|(name, _)| name == "Job-UUID");
    let id = given.map_or_else(uuid, |(_, id)| id.clone());
    let owner = listener.leg.as_ref().map(|leg| leg.id.clone());
    let (running, job, command) = (Arc::clone(switch), id.clone(), command.to_owned());
    switch.runtime.spawn(async move {
        let body = api::run(&running, None, &command).await;
        let (name, argument) = command.split_once(' ').unwrap_or((&command, ""));
        let session = match owner {
            Some(_) => "outbound-interleaved",
            None => "bgapi-originate-success",
        };
        let mut event = recorded::shape((session, "BACKGROUND_JOB", ""))
            .as_ref()
            .clone();
        event.set("Job-UUID", job);
        if let Some(owner) = owner {
            event.set("Job-Owner-UUID", owner);
        }
        event.set("Job-Command", name);
        match argument {
            "" => event.remove("Job-Command-Arg"),
            argument => event.set("Job-Command-Arg", argument),
        }
        event.set_body(body);
        running.emit(event);
    });
    Reply::Job(id)
}

fn send_message(
    switch: &Arc<Switch>,
    listener: &Arc<Listener>,
    target: &str,
    headers: &[(String, String)],
) -> String {
    let own = listener
        .leg
        .as_ref()
        .filter(|leg| switch.leg(&leg.id).is_some());
    let leg = match target {
        "" => own.cloned(),
        id => switch.leg(id),
    };
    let Some(leg) = leg.filter(|leg| leg.is_up()) else {
        let id = match (&listener.leg, target) {
            (Some(leg), "") => leg.id.as_str(),
            _ => target,
        };
        let since = switch.gone_for(id);
        // A leg that is ending has been told of in this very moment.
        if switch.leg(id).is_none() && since.is_none_or(|since| since > NEWS) {
            switch.complain(format!("sendmsg to {id:?}, which is no channel"));
        }
        return format!("-ERR invalid session id [{target}]");
    };
    let get = |name: &str| {
        let found = headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let known: &[&str] = match get("call-command") {
        Some("unicast") => &[
            "local-ip",
            "local-port",
            "remote-ip",
            "remote-port",
            "transport",
        ],
        Some("hangup") => &["hangup-cause"],
        Some("execute") => &["execute-app-name", "execute-app-arg", "event-uuid"],
        other => {
            switch.complain(format!("sendmsg with call-command {other:?}"));
            return "+OK".to_owned();
        }
    };
    for (name, _) in headers {
        let name = name.to_ascii_lowercase();
        if name != "call-command" && !known.contains(&name.as_str()) {
            switch.complain(format!(
                "sendmsg with the header {name}, which no recording has"
            ));
        }
    }
    match get("call-command") {
        Some("hangup") => {
            let cause = get("hangup-cause").unwrap_or("NORMAL_CLEARING");
            if !cause
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
            {
                switch.complain(format!("{cause:?} is no cause"));
            }
            later(switch, &leg, cause.to_owned(), |switch, leg, cause| {
                switch.hang_up(leg, &cause, "send_bye");
            });
        }
        Some("unicast") => {
            let port = |name: &str| get(name).and_then(|port| port.parse::<u16>().ok());
            let host = get("remote-ip").and_then(|host| host.parse().ok());
            let (Some(host), Some(remote), Some(local)) =
                (host, port("remote-port"), port("local-port"))
            else {
                switch.complain(format!("unicast with {headers:?} names no address"));
                return "+OK".to_owned();
            };
            if get("transport").is_some_and(|transport| transport != "udp") {
                switch.complain("unicast goes by udp, whatever it is told");
            }
            let remote = SocketAddr::new(host, remote);
            unicast::begin(switch, &leg, local, remote);
        }
        _ => execute(
            switch,
            &leg,
            get("execute-app-name"),
            get("execute-app-arg"),
            get("event-uuid"),
        ),
    }
    "+OK".to_owned()
}

/// Does something with the next frame of a leg, as the switch does with messages.
fn later<T: Send + 'static>(
    switch: &Arc<Switch>,
    leg: &Arc<Leg>,
    what: T,
    act: impl FnOnce(&Arc<Switch>, &Arc<Leg>, T) + Send + 'static,
) {
    let (switch, leg) = (Arc::clone(switch), Arc::clone(leg));
    let runtime = switch.runtime.clone();
    runtime.spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        act(&switch, &leg, what);
    });
}

fn execute(
    switch: &Arc<Switch>,
    leg: &Arc<Leg>,
    name: Option<&str>,
    data: Option<&str>,
    id: Option<&str>,
) {
    let (name, data) = (name.unwrap_or_default(), data.unwrap_or_default());
    if name == "playback" {
        let mut facts = leg.facts();
        if facts.unicast != Unicast::None {
            facts.unicast = Unicast::Killed;
            drop(facts);
            leg.touch();
            switch.complain("playback in a park with unicast ends the unicast for good");
        }
    } else if name != "set" {
        switch.complain(format!(
            "execute of {name:?} on a parked call, which no recording has"
        ));
    }
    let what = (name.to_owned(), data.to_owned(), id.map(str::to_owned));
    later(switch, leg, what, |switch, leg, (name, data, id)| {
        let id = id.unwrap_or_else(uuid);
        application::execute_in_park(switch, leg, &name, &data, &id);
    });
}
