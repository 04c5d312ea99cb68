//! What legs tell about themselves: the recorded event for the occasion, with this leg's ids, times,
//! numbers and variables in the places of the recorded ones.

use super::clock;
use super::event::Event;
use super::leg::{Direction, Doing, Facts, Leg};
use super::recorded::{self, Place};
use crate::tone::RATE;

/// Who was on the telephone when the sessions were recorded.
const NUMBER: &str = "+4500000017";
const CALLED: &str = "+4500000018";
const NAME: &str = "Søren Ærø";

/// An occasion on which a leg tells something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    Created,
    Progress,
    Answered,
    Parked,
    Unparked,
    Execute,
    Executed,
    SoftExecute,
    Routing,
    Executing,
    Hibernating,
    Resetting,
    SoftExecuting,
    Bridged,
    Unbridged,
    Key,
    HangUp,
    HangingUp,
    Reporting,
    HungUp,
    Destroyed,
    Destroying,
}

impl Occasion {
    /// Returns where the event for the occasion was recorded.
    fn place(self, facts: &Facts) -> Place {
        let inbound = facts.direction == Direction::Inbound;
        let bridged = facts.doing == Doing::Bridged;
        let over = facts.cause.is_some();
        match self {
            Self::Created if inbound => ("inbound-call-plain", "CHANNEL_CREATE", ""),
            Self::Created | Self::Progress => ("bgapi-originate-success", "CHANNEL_PROGRESS", ""),
            Self::Answered if inbound => ("inbound-call-plain", "CHANNEL_ANSWER", ""),
            Self::Answered => ("bgapi-originate-success", "CHANNEL_ANSWER", ""),
            Self::Parked if inbound => ("outbound-bot-hangs-up", "CHANNEL_PARK", ""),
            Self::Parked => ("outbound-originated-call", "CHANNEL_PARK", ""),
            Self::Unparked if over => ("outbound-call", "CHANNEL_UNPARK", ""),
            Self::Unparked => ("outbound-transfer-queue", "CHANNEL_UNPARK", ""),
            Self::Execute if facts.answered == 0 && inbound => {
                ("inbound-call-plain-all", "CHANNEL_EXECUTE", "answer")
            }
            Self::Execute => ("outbound-transfer-queue", "CHANNEL_EXECUTE", "log"),
            Self::Executed if over => ("outbound-call", "CHANNEL_EXECUTE_COMPLETE", ""),
            Self::Executed => (
                "outbound-transfer-queue",
                "CHANNEL_EXECUTE_COMPLETE",
                "socket",
            ),
            Self::SoftExecute => ("outbound-transfer-queue", "CHANNEL_EXECUTE", "uuid_bridge"),
            Self::Routing => ("outbound-transfer-queue", "CHANNEL_STATE", "CS_ROUTING"),
            Self::Executing => ("outbound-transfer-queue", "CHANNEL_STATE", "CS_EXECUTE"),
            Self::Hibernating => ("outbound-transfer-queue", "CHANNEL_STATE", "CS_HIBERNATE"),
            Self::Resetting => ("outbound-transfer-queue", "CHANNEL_STATE", "CS_RESET"),
            Self::SoftExecuting => (
                "outbound-transfer-queue",
                "CHANNEL_STATE",
                "CS_SOFT_EXECUTE",
            ),
            Self::Bridged => ("callcenter-answered", "CHANNEL_BRIDGE", ""),
            Self::Unbridged => ("callcenter-answered", "CHANNEL_UNBRIDGE", ""),
            Self::Key if inbound => ("outbound-call", "DTMF", ""),
            Self::Key => ("outbound-originated-call", "DTMF", ""),
            Self::HangUp => match facts.doing {
                Doing::Dialled => ("bgapi-originate-busy", "CHANNEL_HANGUP", ""),
                Doing::Ringing => ("bgapi-originate-no-answer", "CHANNEL_HANGUP", ""),
                Doing::Bridged if inbound => ("outbound-transfer-queue", "CHANNEL_HANGUP", ""),
                _ if inbound => ("outbound-call", "CHANNEL_HANGUP", ""),
                _ => ("bgapi-originate-success", "CHANNEL_HANGUP", ""),
            },
            Self::HangingUp if bridged => ("outbound-transfer-queue", "CHANNEL_STATE", "CS_HANGUP"),
            Self::HangingUp => ("outbound-call", "CHANNEL_STATE", "CS_HANGUP"),
            Self::Reporting if bridged => {
                ("outbound-transfer-queue", "CHANNEL_STATE", "CS_REPORTING")
            }
            Self::Reporting => ("outbound-call", "CHANNEL_STATE", "CS_REPORTING"),
            Self::HungUp => match facts.doing {
                Doing::Dialled => ("bgapi-originate-busy", "CHANNEL_HANGUP_COMPLETE", ""),
                Doing::Ringing => ("bgapi-originate-no-answer", "CHANNEL_HANGUP_COMPLETE", ""),
                Doing::Bridged if inbound => {
                    ("outbound-transfer-queue", "CHANNEL_HANGUP_COMPLETE", "")
                }
                Doing::Bridged => ("callcenter-answered", "CHANNEL_HANGUP_COMPLETE", ""),
                _ if inbound => ("outbound-call", "CHANNEL_HANGUP_COMPLETE", ""),
                _ => ("bgapi-originate-success", "CHANNEL_HANGUP_COMPLETE", ""),
            },
            Self::Destroyed => ("inbound-call-plain-all", "CHANNEL_DESTROY", ""),
            Self::Destroying => ("inbound-call-plain-all", "CHANNEL_STATE", "CS_DESTROY"),
        }
    }
}

/// Makes the event a leg tells on an occasion; `more` replaces headers or is added at the end.
pub(super) fn tell(leg: &Leg, occasion: Occasion, more: &[(&str, &str)]) -> Event {
    let place = occasion.place(&leg.facts());
    let mut event = at(leg, place, more);
    if occasion == Occasion::Created {
        event.set("Event-Name", "CHANNEL_CREATE");
    }
    if let Some((_, data)) = more.iter().find(|(name, _)| *name == "Application-Data")
        && data.is_empty()
    {
        event.remove("Application-Data");
    }
    event
}

/// Makes the event that was recorded at a place, with this leg in it.
pub(super) fn at(leg: &Leg, place: Place, more: &[(&str, &str)]) -> Event {
    let shape = recorded::shape(place);
    fill(leg, &shape, more)
}

/// Makes the answer to `connect`.
pub(super) fn connected(leg: &Leg, socket: &str) -> Event {
    let session = match leg.facts().direction {
        Direction::Inbound => "outbound-call",
        Direction::Outbound => "outbound-originated-call",
    };
    let host = socket.rsplit_once(':').map_or(socket, |(host, _)| host);
    leg.set_variable("current_application", "socket");
    leg.set_variable("socket_host", host);
    fill(leg, &recorded::connected(session), &[])
}

fn fill(leg: &Leg, shape: &Event, more: &[(&str, &str)]) -> Event {
    let facts = leg.facts();
    let partner = facts.partner.clone();
    let mut event = Event::default();
    let mut varied = false;
    for (name, recorded) in shape.headers() {
        if name.starts_with("variable_") {
            if !varied {
                for (variable, value) in &facts.variables {
                    event.push(&format!("variable_{variable}"), value.as_str());
                }
            }
            varied = true;
        } else if name.starts_with("Other-") {
            let value = partner
                .as_ref()
                .map(|partner| other(partner, name, recorded));
            if let Some(value) = value {
                event.push(name, value);
            }
        } else {
            event.push(name, header(&leg.id, &facts, name, recorded));
        }
    }
    for (name, value) in more {
        event.set(name, *value);
    }
    event
}

/// Returns a header about the other leg, as the recorded one says it.
fn other(partner: &Leg, name: &str, recorded: &str) -> String {
    let facts = partner.facts();
    match name.strip_prefix("Other-Leg-") {
        Some(rest) => profile(&partner.id, &facts, rest, recorded),
        None => recorded.to_owned(),
    }
}

fn header(id: &str, facts: &Facts, name: &str, recorded: &str) -> String {
    match name {
        "Unique-ID" | "Channel-Call-UUID" => id.to_owned(),
        "Channel-Name" => facts.channel.clone(),
        "Call-Direction" | "Presence-Call-Direction" => facts.direction.name().to_owned(),
        "Hangup-Cause" => facts.cause.clone().unwrap_or_else(|| recorded.to_owned()),
        _ => match name
            .strip_prefix("Caller-")
            .or_else(|| name.strip_prefix("Channel-"))
        {
            Some(rest) => profile(id, facts, rest, recorded),
            None => recorded.to_owned(),
        },
    }
}

/// Returns a part of a caller's profile; moments that were 0 in the recording stay 0.
fn profile(id: &str, facts: &Facts, name: &str, recorded: &str) -> String {
    let moment = |moment: u64| match recorded {
        "0" => "0".to_owned(),
        _ => moment.to_string(),
    };
    match name {
        "Unique-ID" => id.to_owned(),
        "Direction" | "Logical-Direction" => facts.direction.name().to_owned(),
        "Username" | "ANI" | "Caller-ID-Number" | "Orig-Caller-ID-Number" => facts.number.clone(),
        "Caller-ID-Name" | "Orig-Caller-ID-Name" => facts.display.clone(),
        "Destination-Number" | "Callee-ID-Number" => facts.destination.clone(),
        "Context" => facts.context.clone(),
        "Channel-Name" => facts.channel.clone(),
        "Profile-Created-Time" if facts.transferred > 0 => facts.transferred.to_string(),
        "Profile-Created-Time" | "Channel-Created-Time" => facts.created.to_string(),
        "Channel-Answered-Time" => facts.answered.to_string(),
        "Channel-Progress-Time" => facts.progressed.to_string(),
        "Read-Codec-Rate" | "Write-Codec-Rate" => facts.rate.to_string(),
        "Read-Codec-Name" | "Write-Codec-Name" if facts.rate != RATE => "L16".to_owned(),
        "Read-Codec-Bit-Rate" | "Write-Codec-Bit-Rate" if facts.rate != RATE => {
            (facts.rate * 16).to_string()
        }
        "Channel-Bridged-Time" => moment(facts.bridged),
        "Channel-Transfer-Time" => moment(facts.transferred),
        "Channel-Hangup-Time" => moment(facts.hung_up),
        _ => recorded.to_owned(),
    }
}

/// Gives a leg the variables that the recorded one had on an occasion and it has not yet.
pub(super) fn inherit(leg: &Leg, occasion: Occasion) {
    let shape = recorded::shape(occasion.place(&leg.facts()));
    let mut facts = leg.facts();
    for (name, recorded) in shape.headers() {
        if let Some(name) = name.strip_prefix("variable_")
            && !facts.variables.iter().any(|(variable, _)| variable == name)
        {
            let value = renewed(leg, &facts, name, recorded);
            facts.variables.push((name.to_owned(), value));
        }
    }
}

/// Puts this leg into a recorded variable.
fn renewed(leg: &Leg, facts: &Facts, name: &str, recorded: &str) -> String {
    let seconds = |from: u64, to: u64| to.saturating_sub(from) / 1_000_000;
    let rate = facts.rate.to_string();
    match name {
        "uuid" | "call_uuid" | "originating_leg_uuid" => leg.id.clone(),
        "direction" => facts.direction.name().to_owned(),
        "channel_name" => facts.channel.clone(),
        "hangup_cause" => facts.cause.clone().unwrap_or_default(),
        "digits_dialed" if facts.keys.is_empty() => "none".to_owned(),
        "digits_dialed" => facts.keys.clone(),
        "read_rate" | "write_rate" | "original_read_rate" | "rtp_use_codec_rate" => rate,
        "read_codec" | "write_codec" | "original_read_codec" if rate != "8000" => "L16".to_owned(),
        "duration" => seconds(facts.created, facts.hung_up).to_string(),
        "billsec" if facts.answered > 0 => seconds(facts.answered, facts.hung_up).to_string(),
        "billsec" => "0".to_owned(),
        "caller_id" => format!("\"{}\" <{}>", facts.display, facts.number),
        "sip_req_user" | "sip_to_user" if facts.direction == Direction::Inbound => {
            facts.destination.clone()
        }
        "sip_from_user_stripped" => facts.number.trim_start_matches('+').to_owned(),
        _ => match moment(facts, name) {
            Some(moment) if recorded != "0" => written(moment, recorded),
            _ => quoted(facts, recorded),
        },
    }
}

/// Returns the moment that a variable names.
fn moment(facts: &Facts, name: &str) -> Option<u64> {
    let kinds = ["_stamp", "_epoch", "_uepoch"];
    let name = kinds.iter().find_map(|kind| name.strip_suffix(kind))?;
    Some(match name {
        "start" | "sip_invite" => facts.created,
        "profile_start" if facts.transferred > 0 => facts.transferred,
        "profile_start" => facts.created,
        "answer" => facts.answered,
        "bridge" => facts.bridged,
        "progress" => facts.progressed,
        "end" => facts.hung_up,
        _ => return None,
    })
}

/// Writes a moment in the way the recorded one was written.
fn written(moment: u64, recorded: &str) -> String {
    if recorded.contains('-') {
        clock::local(moment)
    } else if recorded.len() > 12 {
        moment.to_string()
    } else {
        (moment / 1_000_000).to_string()
    }
}

fn quoted(facts: &Facts, recorded: &str) -> String {
    let (number, called) = (&facts.number, &facts.destination);
    recorded
        .replace(NUMBER, number)
        .replace(CALLED, called)
        .replace(NAME, &facts.display)
        .replace("<sip:9000@", &format!("<sip:{called}@"))
        .replace("<sip:9001@", &format!("<sip:{called}@"))
}
