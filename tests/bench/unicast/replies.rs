//! What a real FreeSWITCH answered while Hotline set up a call and held its watchdog off.

use std::fs;

use anyhow::{Context as _, Result, bail};
use uuid::Uuid;

use super::recordings;

/// The recording whose commands are those of a call.
const RECORDING: &str = "outbound-watchdog.esl.in";

/// The answers, byte for byte but for the channel's id.
#[derive(Clone, Debug)]
pub(super) struct Replies {
    connect: String,
    events: String,
    more_events: String,
    divert: String,
    linger: String,
    message: String,
    set: String,
    deleted: String,
    channel: String,
}

impl Replies {
    /// Reads the recording.
    pub(super) fn read() -> Result<Self> {
        let path = recordings().join(RECORDING);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut rest = text.as_str();
        let mut next = || {
            let (reply, left) = split(rest)?;
            rest = left;
            anyhow::Ok(reply.to_owned())
        };
        let mut replies = Self {
            connect: next()?,
            events: next()?,
            more_events: next()?,
            divert: next()?,
            linger: next()?,
            message: next()?,
            set: next()?,
            deleted: next()?,
            channel: String::new(),
        };
        let id = header(&replies.connect, "Unique-ID").context("the recording names no channel")?;
        replies.channel = id.to_owned();
        if !replies.deleted.contains("+OK Deleted") {
            bail!("{} holds other answers than expected", path.display());
        }
        Ok(replies)
    }

    /// Returns the answer to a command of that channel; none when a call has no such command.
    pub(super) fn to(&self, command: &str, channel: Uuid) -> Option<String> {
        let first = command.lines().next().unwrap_or_default();
        let id = channel.to_string();
        let mut words = first.split(' ');
        let reply = match (words.next()?, words.next()) {
            ("connect", None) => return Some(self.connect.replace(&self.channel, &id)),
            ("myevents", Some("plain")) => &self.events,
            ("event", Some("plain")) => &self.more_events,
            ("divert_events", Some("on")) => &self.divert,
            ("linger", Some(_)) => &self.linger,
            ("sendmsg", None) => &self.message,
            ("api", Some("sched_transfer" | "uuid_setvar")) if first.contains(&id) => &self.set,
            ("api", Some("sched_del")) if first.ends_with(&id) => &self.deleted,
            _ => return None,
        };
        Some(reply.clone())
    }
}

/// Returns the value of a header of a command or an answer, whose names FreeSWITCH takes in any case.
pub(super) fn header<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    let mut headers = text.lines().filter_map(|line| line.split_once(": "));
    headers
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Splits off the first message: its headers, the empty line, and its body.
fn split(text: &str) -> Result<(&str, &str)> {
    let head = text.find("\n\n").context("a recording ends too early")? + 2;
    let body = header(&text[..head], "Content-Length")
        .map(str::parse::<usize>)
        .transpose()?
        .unwrap_or(0);
    text.split_at_checked(head + body)
        .context("a recording ends too early")
}
