//! Ringing telephones: for `originate`, for the dialplan's `bridge` and for the call centre; and two
//! legs that talk with each other.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::api::{self, assignments, find, separated};
use super::application;
use super::clock;
use super::leg::{self, Birth, Direction, Doing, Leg, Turn};
use super::switch::{Switch, uuid};
use super::telling::{self, Occasion};
use crate::tone::RATE;

/// The one gateway there is.
pub(super) const GATEWAY: &str = "trunk";
/// Seconds that a telephone is rung when nobody says how long.
const RINGING: u64 = 60;

/// Variables that an originate may set; others are mistakes until a recording or the dialplan has them.
const KNOWN: &[&str] = &[
    "origination_uuid",
    "origination_caller_id_number",
    "origination_caller_id_name",
    "ignore_early_media",
    "originate_timeout",
    "leg_timeout",
    "absolute_codec_string",
    "rtp_timer_name",
    "cc_base_score",
    "hangup_after_bridge",
    "continue_on_fail",
    "call_timeout",
    "group_confirm_key",
    "group_confirm_file",
    "group_confirm_cancel_timeout",
    "codec_string",
    "effective_caller_id_number",
    "effective_caller_id_name",
    "park_timeout",
    "hotline_caller",
    "hotline_reason",
    "hotline_language",
    "hotline_summary",
    "hotline_tenant",
    "hotline_reference",
    "hotline_whisper",
    "hotline_priority",
    "hotline_dial",
    "hotline_purpose",
    "hotline_queue",
    "hotline_did",
    "hotline_agent",
    "hotline_second",
    "hotline_outbound_number",
    "hotline_queue_timeout",
    "hotline_call",
];

/// Whom to ring, and as whom.
#[derive(Clone, Debug, Default)]
pub(super) struct Dial {
    pub(super) target: String,
    pub(super) variables: Vec<(String, String)>,
    pub(super) number: String,
    pub(super) display: String,
}

impl Dial {
    /// Takes `{…}[…]sofia/…` apart.
    pub(super) fn new(text: &str) -> Self {
        let (mut variables, rest) = bracketed(text, '{', '}');
        let (own, target) = bracketed(rest, '[', ']');
        variables.extend(own);
        Self {
            target: target.trim().to_owned(),
            variables,
            ..Self::default()
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        find(&self.variables, name)
    }

    fn seconds(&self) -> u64 {
        let names = ["leg_timeout", "originate_timeout", "call_timeout"];
        let set = names.iter().find_map(|name| self.get(name)?.parse().ok());
        set.unwrap_or(RINGING)
    }
}

fn bracketed(text: &str, open: char, close: char) -> (Vec<(String, String)>, &str) {
    let inner = text.trim_start().strip_prefix(open);
    match inner.and_then(|inner| inner.split_once(close)) {
        Some((inner, rest)) => (assignments(inner), rest),
        None => (Vec::new(), text),
    }
}

/// Where a dial string leads.
struct Place {
    address: Option<SocketAddr>,
    user: String,
}

/// Finds where a dial string leads; the error is a cause without any channel.
fn place(switch: &Switch, target: &str) -> Result<Place, &'static str> {
    let mut parts = target.splitn(4, '/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("sofia"), Some("gateway"), Some(GATEWAY), Some(number)) => Ok(Place {
            address: switch.route(number),
            user: number.to_owned(),
        }),
        (Some("sofia"), Some("gateway"), ..) => Err("INVALID_GATEWAY"),
        (Some("sofia"), Some("internal"), Some(uri), None) => {
            let uri = uri.trim_start_matches("sip:");
            let (user, host) = uri.split_once('@').unwrap_or(("", uri));
            Ok(Place {
                address: host.parse().ok(),
                user: user.to_owned(),
            })
        }
        (Some("user"), Some(user), None, None) => {
            let name = user.split('@').next().unwrap_or_default();
            let contact = switch.centre().phone(name).ok_or("SUBSCRIBER_ABSENT")?;
            Ok(Place {
                address: Some(([127, 0, 0, 1], contact).into()),
                user: name.to_owned(),
            })
        }
        (Some("error"), Some("USER_BUSY"), None, None) => Err("USER_BUSY"),
        _ => {
            switch.complain(format!("{target:?} is no dial string that is known here"));
            Err("CHAN_NOT_IMPLEMENTED")
        }
    }
}

/// Rings a telephone until it is answered; the error is the cause. An origin that turns to something
/// else gives the ringing up.
pub(super) async fn ring(
    switch: &Arc<Switch>,
    dial: &Dial,
    origin: Option<&Arc<Leg>>,
) -> Result<Arc<Leg>, String> {
    let place = place(switch, &dial.target)?;
    let number = dial
        .get("origination_caller_id_number")
        .unwrap_or(&dial.number);
    let display = dial
        .get("origination_caller_id_name")
        .unwrap_or(&dial.display);
    let headers: Vec<(String, String)> = dial
        .variables
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((name.strip_prefix("sip_h_")?.to_owned(), value.clone())))
        .collect();
    let caller = leg::caller(number, display, &headers);
    let reached = place.address.filter(|address| listens(*address));
    let call = reached.and_then(|address| switch.phone.dial_as(address, &place.user, &caller).ok());
    let rings = call.is_some();
    let leg = switch.add_leg(Birth {
        id: dial
            .get("origination_uuid")
            .map_or_else(uuid, str::to_owned),
        direction: Direction::Outbound,
        channel: format!("sofia/internal/{}", place.user),
        number: number.to_owned(),
        display: if display.is_empty() { number } else { display }.to_owned(),
        destination: place.user,
        context: "default".to_owned(),
        call,
        rate: RATE,
    });
    for (name, value) in &dial.variables {
        leg.set_variable(name, value);
    }
    if !rings {
        let cause = match place.address {
            None => "UNALLOCATED_NUMBER",
            Some(_) => "NORMAL_TEMPORARY_FAILURE",
        };
        switch.hang_up(&leg, cause, "recv_refuse");
    }
    let given_up = async {
        match origin {
            Some(origin) => origin.turned().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = leg.until(|leg| (leg.is_answered() || !leg.is_up()).then_some(())) => {}
        () = seconds(dial.seconds()) => switch.hang_up(&leg, "NO_ANSWER", "send_cancel"),
        () = given_up => switch.hang_up(&leg, "ORIGINATOR_CANCEL", "send_cancel"),
    }
    let cause = leg.facts().cause.clone();
    if let Some(cause) = cause {
        switch.finish(&leg);
        return Err(cause);
    }
    if let Some(command) = dial.get("api_on_answer") {
        api::run(switch, None, command).await;
    }
    Ok(leg)
}

/// Waits until that many seconds of the clock have begun, as the switch counts them.
async fn seconds(count: u64) {
    let end = clock::epoch() + count;
    while clock::epoch() < end {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Tells whether anything has the address: a port that can be taken is nobody's.
fn listens(address: SocketAddr) -> bool {
    UdpSocket::bind(address).is_err()
}

/// Runs `originate`: rings, and sends the leg where it was to go. Returns its id, or the cause.
pub(super) async fn originate(switch: &Arc<Switch>, arguments: &str) -> Result<String, String> {
    let words = separated(arguments, ' ');
    let (dial, rest) = words.split_first().ok_or("-USAGE")?;
    let dial = Dial::new(dial);
    for (name, value) in &dial.variables {
        let header = name.starts_with("sip_h_X-Hotline-");
        if !header && !KNOWN.contains(&name.as_str()) {
            switch.complain(format!(
                "originate with the variable {name}, which is not known"
            ));
        }
        if value.contains(['$', '{', '\'', '"', '\\']) || value.chars().any(char::is_control) {
            switch.complain(format!(
                "originate with {name}={value:?}, which the switch would expand"
            ));
        }
    }
    if rest.is_empty() || dial.target.is_empty() {
        switch.complain(format!("originate {arguments:?} leads nowhere"));
        return Err("-USAGE".to_owned());
    }
    let leg = ring(switch, &dial, None).await?;
    let id = leg.id.clone();
    leg.facts().doing = Doing::Dialplan;
    if let [action] = rest
        && let Some(action) = action.strip_prefix('&')
    {
        let (name, data) = action
            .trim_end_matches(')')
            .split_once('(')
            .unwrap_or((action, ""));
        let (name, data) = (name.to_owned(), data.to_owned());
        let runs = application::live_in(Arc::clone(switch), Arc::clone(&leg), name, data);
        switch.runtime.spawn(runs);
        return Ok(id);
    }
    match rest {
        [extension, dialplan, context] if dialplan == "XML" => {
            if !switch.dialplan.knows(context) {
                switch.complain(format!(
                    "originate to the context {context}, which there is not"
                ));
            }
            {
                let mut facts = leg.facts();
                facts.destination.clone_from(extension);
                facts.context.clone_from(context);
            }
            let runs = application::live(Arc::clone(switch), Arc::clone(&leg), context.clone());
            switch.runtime.spawn(runs);
        }
        _ => {
            switch.complain(format!(
                "originate to {rest:?} names no dialplan and context"
            ));
            switch.hang_up(&leg, "NO_ROUTE_DESTINATION", "send_bye");
            switch.finish(&leg);
        }
    }
    Ok(id)
}

/// Runs the dialplan's `bridge`: rings, lets both talk, and says in variables what came of it.
pub(super) async fn bridge(switch: &Arc<Switch>, leg: &Arc<Leg>, data: &str) {
    let mut dial = Dial::new(data);
    let effective = |name: &str| leg.variable(&format!("effective_caller_id_{name}"));
    {
        let facts = leg.facts();
        dial.number.clone_from(&facts.number);
        dial.display.clone_from(&facts.display);
    }
    dial.number = effective("number").unwrap_or(dial.number);
    dial.display = effective("name").unwrap_or(dial.display);
    leg.set_variable("originate_disposition", "");
    if leg.is_answered() {
        // The Danish ringing tone: a second of five.
        leg.audio.play_cadence(425.0, 1.0, 4.0);
    }
    let rung = ring(switch, &dial, Some(leg)).await;
    let confirmed = match rung {
        Ok(other) => confirm(switch, leg, &other, &dial).await,
        Err(cause) => Err(cause),
    };
    leg.audio.rest();
    let other = match confirmed {
        Ok(other) => other,
        Err(cause) => {
            leg.set_variable("originate_disposition", &cause);
            leg.set_variable("originate_failed_cause", &cause);
            let goes_on = leg
                .variable("continue_on_fail")
                .is_some_and(|value| value == "true")
                || ["NO_ANSWER", "NO_USER_RESPONSE", "ORIGINATOR_CANCEL"].contains(&cause.as_str());
            if !goes_on {
                switch.hang_up(leg, &cause, "send_bye");
            }
            return;
        }
    };
    leg.set_variable("originate_disposition", "SUCCESS");
    switch.answer(leg).await;
    talk(switch, leg, &other).await;
    let cause = other.facts().cause.clone().unwrap_or_default();
    leg.set_variable("bridge_hangup_cause", &cause);
    let ends = leg
        .variable("hangup_after_bridge")
        .is_some_and(|value| value == "true");
    if ends && leg.facts().turn.is_none() {
        switch.hang_up(leg, "NORMAL_CLEARING", "send_bye");
    }
    if leg.is_up() {
        let mut facts = leg.facts();
        facts.doing = Doing::Dialplan;
        facts.partner = None;
    }
}

/// Plays the called side what it is to hear alone, before it counts as having answered.
async fn confirm(
    switch: &Arc<Switch>,
    leg: &Arc<Leg>,
    other: &Arc<Leg>,
    dial: &Dial,
) -> Result<Arc<Leg>, String> {
    if let Some(file) = dial
        .get("group_confirm_file")
        .and_then(|what| what.strip_prefix("playback "))
    {
        match application::read_sound(Path::new(file), other.audio.rate()) {
            Ok(samples) => tokio::select! {
                () = application::play(other, samples) => {}
                () = leg.turned() => switch.hang_up(other, "ORIGINATOR_CANCEL", "send_bye"),
            },
            Err(error) => switch.complain(format!("group_confirm_file {file:?}: {error}")),
        }
    }
    let cause = other.facts().cause.clone();
    if let Some(cause) = cause {
        switch.finish(other);
        return Err(cause);
    }
    Ok(Arc::clone(other))
}

/// Lets two legs talk until one of them does something else; the other one ends with it.
pub(super) async fn talk(switch: &Arc<Switch>, leg: &Arc<Leg>, other: &Arc<Leg>) {
    for (one, partner) in [(leg, other), (other, leg)] {
        let mut facts = one.facts();
        facts.doing = Doing::Bridged;
        facts.bridged = clock::now();
        facts.partner = Some(Arc::clone(partner));
    }
    super::audio::Audio::connect(&leg.audio, &other.audio);
    let about = [
        ("Bridge-A-Unique-ID", leg.id.as_str()),
        ("Bridge-B-Unique-ID", other.id.as_str()),
    ];
    switch.emit(telling::tell(leg, Occasion::Bridged, &about));
    leg.touch();
    tokio::select! {
        () = leg.turned() => {}
        () = other.until(|other| (!other.is_up()).then_some(())) => {}
    }
    leg.audio.rest();
    other.audio.rest();
    // Whoever ends it first is told of first.
    let other_ended = !other.is_up();
    if other_ended {
        switch.finish(other);
    }
    switch.emit(telling::tell(leg, Occasion::Unbridged, &about));
    if !other_ended {
        switch.hang_up(other, "NORMAL_CLEARING", "send_bye");
        switch.finish(other);
    }
    let moves_on = matches!(leg.facts().turn, Some(Turn::Transfer { .. }));
    if moves_on {
        let mut facts = leg.facts();
        facts.doing = Doing::Dialplan;
        facts.partner = None;
    }
}
