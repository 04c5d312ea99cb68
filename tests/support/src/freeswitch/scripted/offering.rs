//! How somebody who waits is offered to an agent: ringing, whispering, connecting, and what is told
//! and counted afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::application::{play, read_sound};
use super::callcenter::{ANSWERED, Agent, Member, about, about_member, agent_changed};
use super::clock;
use super::leg::{Doing, Leg, Turn};
use super::originate::{self, Dial};
use super::switch::Switch;
use super::telling::{self, Occasion};

/// What the real switch takes to connect an agent who has answered.
const BRIDGING: Duration = Duration::from_millis(40);
/// Seconds before an agent who was busy, refused or did not answer is offered somebody again.
const PAUSE: u64 = 1;

/// Offers a member to an agent and follows both until the talk, or the attempt, is over.
pub(super) async fn offer(switch: Arc<Switch>, member: Member, agent: Agent) {
    agent_changed(&switch, &agent.name, "Receiving");
    let joined = member.joined.to_string();
    let known = [
        ("CC-Queue", member.queue.as_str()),
        ("CC-Agent", agent.name.as_str()),
        ("CC-Member-UUID", member.uuid.as_str()),
        ("CC-Member-Session-UUID", member.session.as_str()),
        ("CC-Member-CID-Name", member.name.as_str()),
        ("CC-Member-CID-Number", member.number.as_str()),
    ];
    switch.emit(about("agent-offering", ANSWERED, &known));
    let called = clock::epoch();
    let rung = match switch.leg(&member.session) {
        Some(caller) => {
            let dial = agent_dial(&caller, &member, &agent);
            // Offering goes on while the caller waits; a hang-up and a transfer end it.
            originate::ring(&switch, &dial, Some(&caller))
                .await
                .map(|leg| (caller, leg))
        }
        None => Err("ORIGINATOR_CANCEL".to_owned()),
    };
    match rung {
        Ok((caller, leg)) => {
            serve(&switch, &member, &agent, &caller, &leg, called).await;
        }
        Err(cause) => {
            let now = clock::epoch();
            {
                let mut centre = switch.centre();
                if let Some(member) = centre
                    .member(&member.uuid)
                    .filter(|it| it.state == "Trying")
                {
                    member.state = "Waiting";
                    member.agent = String::new();
                }
                if let Some(agent) = centre.agent(&agent.name) {
                    let cancelled = ["ORIGINATOR_CANCEL", "LOSE_RACE"].contains(&cause.as_str());
                    agent.ready_time = if cancelled { 0 } else { now + PAUSE };
                }
            }
            let (called, aborted) = (called.to_string(), now.to_string());
            let mut headers = known.to_vec();
            headers.extend([
                ("CC-Hangup-Cause", cause.as_str()),
                ("CC-Agent-Called-Time", called.as_str()),
                ("CC-Agent-Aborted-Time", aborted.as_str()),
                ("CC-Member-Joined-Time", joined.as_str()),
            ]);
            switch.emit(about(
                "bridge-agent-fail",
                "callcenter-abandoned-ringing",
                &headers,
            ));
        }
    }
    if let Some(agent) = switch.centre().agent(&agent.name) {
        agent.state = "Waiting";
    }
    agent_changed(&switch, &agent.name, "Waiting");
}

/// Makes what an agent is rung with: the caller's number, and the variables that are handed over.
fn agent_dial(caller: &Leg, member: &Member, agent: &Agent) -> Dial {
    let mut dial = Dial::new(&agent.contact);
    let exported = caller.variable("cc_export_vars").unwrap_or_default();
    for name in exported.split(',').filter(|name| !name.is_empty()) {
        if let Some(value) = caller.variable(name) {
            let name = ["_nolocal_", "nolocal:"]
                .iter()
                .find_map(|prefix| name.strip_prefix(prefix))
                .unwrap_or(name);
            dial.variables.push((name.to_owned(), value));
        }
    }
    for (name, value) in [
        ("cc_queue", &member.queue),
        ("cc_member_uuid", &member.uuid),
        ("cc_member_session_uuid", &member.session),
        ("cc_agent", &agent.name),
        ("cc_agent_type", &"callback".to_owned()),
        ("cc_side", &"agent".to_owned()),
    ] {
        dial.variables.push((name.to_owned(), value.clone()));
    }
    dial.number = caller
        .variable("effective_caller_id_number")
        .unwrap_or(member.number.clone());
    dial.display = caller
        .variable("effective_caller_id_name")
        .unwrap_or(member.name.clone());
    dial
}

async fn serve(
    switch: &Arc<Switch>,
    member: &Member,
    agent: &Agent,
    caller: &Arc<Leg>,
    leg: &Arc<Leg>,
    called: u64,
) {
    let (called, answered) = (called.to_string(), clock::epoch().to_string());
    let joined = member.joined.to_string();
    let times = [
        ("CC-Agent", agent.name.as_str()),
        ("CC-Agent-UUID", leg.id.as_str()),
        ("CC-Agent-Called-Time", called.as_str()),
        ("CC-Agent-Answered-Time", answered.as_str()),
        ("CC-Member-Joined-Time", joined.as_str()),
    ];
    switch.emit(about_member(
        leg,
        member,
        "bridge-agent-start",
        ANSWERED,
        &times,
    ));
    if let Some(file) = caller.variable("cc_outbound_announce") {
        match read_sound(Path::new(&file), leg.audio.rate()) {
            Ok(samples) => play(leg, samples).await,
            Err(error) => switch.complain(format!("cc_outbound_announce={file:?}: {error}")),
        }
    }
    tokio::time::sleep(BRIDGING).await;
    let waits = caller.facts().turn.is_none() && leg.is_up();
    if waits {
        caller.set_variable("cc_agent_found", "true");
        caller.set_variable("cc_agent_uuid", &leg.id);
        caller.turn(Turn::Bridge {
            other: leg.id.clone(),
        });
        let connected = |caller: &Leg| {
            let talks = caller.facts().doing == Doing::Bridged;
            (talks || !caller.is_up() || !leg.is_up()).then_some(())
        };
        caller.until(connected).await;
    } else {
        switch.hang_up(leg, "ORIGINATOR_CANCEL", "send_bye");
    }
    let bridged = waits && caller.facts().doing == Doing::Bridged;
    if bridged {
        caller.set_variable("cc_agent_bridged", "true");
        caller.set_variable("cc_agent", &agent.name);
        let now = clock::epoch();
        let mut centre = switch.centre();
        if let Some(member) = centre.member(&member.uuid) {
            member.state = "Answered";
            member.bridged = now;
        }
        if let Some(agent) = centre.agent(&agent.name) {
            agent.state = "In a queue call";
            agent.uuid.clone_from(&leg.id);
            agent.last_bridge_start = now;
            agent.calls_answered += 1;
        }
        drop(centre);
        agent_changed(switch, &agent.name, "In a queue call");
    }
    leg.until(|leg| (!leg.is_up()).then_some(())).await;
    // Told after the end of both legs.
    while bridged && caller.is_up() && caller.facts().doing == Doing::Bridged {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if !bridged {
        switch.finish(leg);
    }
    while switch.leg(&leg.id).is_some() || (!caller.is_up() && switch.leg(&caller.id).is_some()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ended = clock::epoch().to_string();
    let mut more = times.to_vec();
    let was = if bridged { "true" } else { "false" };
    more.extend([
        ("CC-Agent-Bridged", was),
        ("CC-Bridge-Terminated-Time", ended.as_str()),
    ]);
    switch.emit(about_member(
        leg,
        member,
        "bridge-agent-end",
        ANSWERED,
        &more,
    ));
    if !bridged {
        let mut centre = switch.centre();
        if let Some(member) = centre
            .member(&member.uuid)
            .filter(|member| member.state == "Trying")
        {
            member.state = "Waiting";
            member.agent = String::new();
        }
        return;
    }
    {
        let mut centre = switch.centre();
        centre.members.retain(|it| it.uuid != member.uuid);
        if let Some(agent) = centre.agent(&agent.name) {
            agent.uuid = String::new();
            agent.last_bridge_end = clock::epoch();
            agent.talk_time += agent.last_bridge_end - agent.last_bridge_start;
        }
    }
    let mut more = times.to_vec();
    more.push(("CC-Member-Leaving-Time", ended.as_str()));
    switch.emit(about_member(
        caller,
        member,
        "member-queue-end",
        ANSWERED,
        &more,
    ));
}

/// Connects a member with the agent who has answered, in the steps that the switch takes.
pub(super) async fn connected(switch: &Arc<Switch>, leg: &Arc<Leg>, agent: &str) {
    let Some(other) = switch.leg(agent) else {
        return;
    };
    leg.facts().partner = Some(Arc::clone(&other));
    for occasion in [
        Occasion::Hibernating,
        Occasion::Resetting,
        Occasion::SoftExecuting,
    ] {
        switch.tell(leg, occasion);
    }
    let about = [("Application-Data", agent)];
    switch.emit(telling::tell(leg, Occasion::SoftExecute, &about));
    originate::talk(switch, leg, &other).await;
    if leg.facts().turn.is_none() {
        switch.hang_up(leg, "NORMAL_CLEARING", "send_bye");
    }
}
