//! The call centre: queues, agents, who waits and who is to be offered whom, told in the order that was
//! recorded. How an agent is rung is in `offering`; what `callcenter_config` prints is in `tables`.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::event::Event;
use super::leg::{Doing, Leg, Turn};
use super::offering;
use super::recorded;
use super::switch::{Switch, uuid};
use super::telling;
use crate::freeswitch::scripted::HOLD_TONE;

pub(super) use super::tables::{config, json};

/// How often it is looked for an agent for whoever waits; one is found at the second look.
const LOOK: Duration = Duration::from_millis(100);
/// Seconds that those who gave up stay in the list.
const DISCARD: u64 = 60;

/// Queues, agents and members.
#[derive(Debug, Default)]
pub(super) struct Centre {
    pub(super) queues: Vec<Queue>,
    pub(super) agents: Vec<Agent>,
    pub(super) tiers: Vec<Tier>,
    pub(super) members: Vec<Member>,
    phones: Vec<(String, u16)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) answered: u64,
    pub(super) abandoned: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) contact: String,
    pub(super) status: String,
    pub(super) state: &'static str,
    pub(super) uuid: String,
    pub(super) last_bridge_start: u64,
    pub(super) last_bridge_end: u64,
    pub(super) last_offered_call: u64,
    pub(super) last_status_change: u64,
    pub(super) no_answer_count: u64,
    pub(super) calls_answered: u64,
    pub(super) talk_time: u64,
    pub(super) ready_time: u64,
    pub(super) external_calls: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Tier {
    pub(super) queue: String,
    pub(super) agent: String,
    pub(super) state: &'static str,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    pub(super) queue: String,
    pub(super) uuid: String,
    pub(super) session: String,
    pub(super) number: String,
    pub(super) name: String,
    pub(super) joined: u64,
    /// How often it was looked for an agent.
    looks: u32,
    pub(super) bridged: u64,
    pub(super) abandoned: u64,
    pub(super) base_score: i64,
    pub(super) agent: String,
    pub(super) state: &'static str,
}

impl Member {
    pub(super) fn score(&self, now: u64) -> i64 {
        now.saturating_sub(self.joined) as i64 + self.base_score
    }

    pub(super) fn waits(&self) -> bool {
        ["Waiting", "Trying"].contains(&self.state)
    }
}

impl Centre {
    pub(super) fn new(agents: &[(String, u16)], queues: &[(String, Vec<String>)]) -> Self {
        let now = clock::epoch();
        let agent = |(name, phone): &(String, u16)| Agent {
            name: with_domain(name),
            contact: format!(
                "[leg_timeout=10]sofia/internal/sip:{}@127.0.0.1:{phone}",
                bare(name)
            ),
            status: "Available".to_owned(),
            state: "Waiting",
            last_status_change: now,
            ..Agent::default()
        };
        let queue = |(name, _): &(String, Vec<String>)| Queue {
            name: with_domain(name),
            ..Queue::default()
        };
        let tiers = queues.iter().flat_map(|(queue, members)| {
            members.iter().map(|agent| Tier {
                queue: with_domain(queue),
                agent: with_domain(agent),
                state: "Ready",
            })
        });
        Self {
            queues: queues.iter().map(queue).collect(),
            agents: agents.iter().map(agent).collect(),
            tiers: tiers.collect(),
            members: Vec::new(),
            phones: agents.to_vec(),
        }
    }

    /// Returns the port of an agent's phone.
    pub(super) fn phone(&self, name: &str) -> Option<u16> {
        let found = self.phones.iter().find(|(agent, _)| bare(agent) == name);
        found.map(|(_, phone)| *phone)
    }

    pub(super) fn agent(&mut self, name: &str) -> Option<&mut Agent> {
        self.agents.iter_mut().find(|agent| agent.name == name)
    }

    pub(super) fn member(&mut self, uuid: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.uuid == uuid)
    }

    /// Chooses who is offered whom now; both are marked.
    fn match_up(&mut self, now: u64) -> Option<(Member, Agent)> {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.retain(|&at| self.members[at].state == "Waiting" && self.members[at].looks > 1);
        order.sort_by_key(|&at| std::cmp::Reverse(self.members[at].score(now)));
        for at in order {
            let queue = self.members[at].queue.clone();
            let free = |agent: &&mut Agent| {
                let tier = self
                    .tiers
                    .iter()
                    .find(|tier| tier.queue == queue && tier.agent == agent.name);
                tier.is_some_and(|tier| tier.state == "Ready")
                    && agent.status == "Available"
                    && agent.state == "Waiting"
                    && agent.external_calls <= 0
                    && agent.ready_time <= now
                    && agent.last_bridge_end + 1 < now
            };
            let agents = self.agents.iter_mut().filter(free);
            if let Some(agent) = agents.min_by_key(|agent| agent.last_bridge_end) {
                agent.state = "Receiving";
                agent.last_offered_call = now;
                let (member, agent) = (&mut self.members[at], agent.clone());
                member.state = "Trying";
                member.agent.clone_from(&agent.name);
                return Some((member.clone(), agent));
            }
        }
        None
    }
}

/// Adds the domain to a name that has none.
pub(super) fn with_domain(name: &str) -> String {
    match name.contains('@') {
        true => name.to_owned(),
        false => format!("{name}@default"),
    }
}

fn bare(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

/// Makes an event of the call centre that is about no channel.
pub(super) fn about(
    action: &'static str,
    session: &'static str,
    headers: &[(&str, &str)],
) -> Event {
    let mut event = recorded::shape((session, "CUSTOM", action))
        .as_ref()
        .clone();
    for (name, value) in headers {
        event.set(name, *value);
    }
    event
}

pub(super) const ANSWERED: &str = "callcenter-answered";

pub(super) fn agent_changed(switch: &Switch, agent: &str, state: &str) {
    let headers = [("CC-Agent", agent), ("CC-Agent-State", state)];
    switch.emit(about("agent-state-change", ANSWERED, &headers));
}

fn count(switch: &Switch, queue: &str) {
    let waiting = |member: &&Member| member.queue == queue && member.waits();
    let count = switch
        .centre()
        .members
        .iter()
        .filter(waiting)
        .count()
        .to_string();
    let headers = [("CC-Queue", queue), ("CC-Count", &count)];
    switch.emit(about("members-count", ANSWERED, &headers));
}

/// Looks again and again whether somebody can be offered to an agent.
pub(super) async fn keep(switch: Arc<Switch>) {
    let mut look = tokio::time::interval(LOOK);
    while !switch.is_ending() {
        look.tick().await;
        let now = clock::epoch();
        let gone =
            |member: &Member| member.state == "Abandoned" && member.abandoned + DISCARD <= now;
        {
            let members = &mut switch.centre().members;
            members.retain(|member| !gone(member));
            for member in members {
                member.looks += 1;
            }
        }
        loop {
            let found = switch.centre().match_up(now);
            let Some((member, agent)) = found else {
                break;
            };
            let offering = offering::offer(Arc::clone(&switch), member, agent);
            switch.runtime.spawn(offering);
        }
    }
}

/// Runs the dialplan's `callcenter`: the leg waits until an agent is there or it goes elsewhere.
pub(super) async fn wait(switch: &Arc<Switch>, leg: &Arc<Leg>, queue: &str) {
    if !switch
        .centre()
        .queues
        .iter()
        .any(|known| known.name == queue)
    {
        // As in the switch: a warning in its log, and the next action.
        switch.kept.log.push(format!("Queue {queue} not found"));
        return;
    }
    let now = clock::epoch();
    let base_score = leg
        .variable("cc_base_score")
        .and_then(|score| score.parse().ok());
    let member = {
        let facts = leg.facts();
        Member {
            queue: queue.to_owned(),
            uuid: uuid(),
            session: leg.id.clone(),
            number: facts.number.clone(),
            name: facts.display.clone(),
            joined: now,
            base_score: base_score.unwrap_or(0),
            state: "Waiting",
            ..Member::default()
        }
    };
    leg.set_variable("cc_side", "member");
    leg.set_variable("cc_member_uuid", &member.uuid);
    leg.set_variable("cc_agent_found", "");
    leg.set_variable("cc_agent_bridged", "");
    leg.set_variable("cc_queue_joined_epoch", &now.to_string());
    leg.set_variable("cc_queue", queue);
    switch.emit(about_member(
        leg,
        &member,
        "member-queue-start",
        ANSWERED,
        &[],
    ));
    let uuid = member.uuid.clone();
    switch.centre().members.push(member);
    count(switch, queue);
    leg.facts().doing = Doing::Queued;
    leg.audio.play_tone(HOLD_TONE);
    leg.turned().await;
    leg.audio.rest();
    if matches!(leg.facts().turn, Some(Turn::Bridge { .. })) {
        leg.set_variable("cc_cause", "answered");
        if let Some(queue) = switch
            .centre()
            .queues
            .iter_mut()
            .find(|known| known.name == queue)
        {
            queue.answered += 1;
        }
        count(switch, queue);
        return;
    }
    abandon(switch, leg, &uuid);
}

/// Takes a leg out of the queue that it has left by itself.
fn abandon(switch: &Arc<Switch>, leg: &Arc<Leg>, uuid: &str) {
    if !leg.is_up() {
        switch.let_go(leg);
    }
    let now = clock::epoch();
    let member = {
        let mut centre = switch.centre();
        let Some(member) = centre.member(uuid) else {
            return;
        };
        let member = {
            let left = member.clone();
            member.state = "Abandoned";
            member.session = String::new();
            member.abandoned = now;
            left
        };
        if let Some(queue) = centre
            .queues
            .iter_mut()
            .find(|queue| queue.name == member.queue)
        {
            queue.abandoned += 1;
        }
        member
    };
    let (leaving, joined) = (now.to_string(), member.joined.to_string());
    let more = [
        ("CC-Member-Leaving-Time", leaving.as_str()),
        ("CC-Member-Joined-Time", joined.as_str()),
    ];
    let session = if leg.is_up() {
        ANSWERED
    } else {
        "callcenter-abandoned"
    };
    let mut event = about_member(
        leg,
        &member,
        "member-queue-end",
        "callcenter-abandoned",
        &more,
    );
    if session == ANSWERED {
        // Transferred out of the queue: the same, of a channel that is up.
        event = about_member(leg, &member, "member-queue-start", ANSWERED, &[]);
        for (name, value) in [
            ("CC-Action", "member-queue-end"),
            ("CC-Member-Leaving-Time", &leaving),
            ("CC-Member-Joined-Time", &joined),
            ("CC-Cause", "Cancel"),
            ("CC-Cancel-Reason", "BREAK_OUT"),
        ] {
            event.set(name, value);
        }
    }
    switch.emit(event);
    leg.set_variable("cc_cause", "cancel");
    // The dialplan says so itself when the time was up.
    leg.set_variable("cc_cancel_reason", "BREAK_OUT");
    count(switch, &member.queue);
}

pub(super) fn about_member(
    leg: &Leg,
    member: &Member,
    action: &'static str,
    session: &'static str,
    more: &[(&str, &str)],
) -> Event {
    let mut headers = vec![
        ("CC-Queue", member.queue.as_str()),
        ("CC-Member-UUID", member.uuid.as_str()),
        ("CC-Member-Session-UUID", member.session.as_str()),
        ("CC-Member-CID-Name", member.name.as_str()),
        ("CC-Member-CID-Number", member.number.as_str()),
    ];
    headers.extend(more);
    telling::at(leg, (session, "CUSTOM", action), &headers)
}

/// Counts a call of an agent's outside the queues, for as long as it lasts.
pub(super) fn track(switch: &Arc<Switch>, leg: &Arc<Leg>, agent: &str) {
    let known = {
        let mut centre = switch.centre();
        let known = centre.agent(agent);
        known.map(|agent| agent.external_calls += 1).is_some()
    };
    if !known {
        switch.complain(format!("callcenter_track {agent:?}, who is no agent"));
        return;
    }
    leg.set_variable("cc_tracked_agent", agent);
    let (switch, leg, agent) = (Arc::clone(switch), Arc::clone(leg), agent.to_owned());
    let runtime = switch.runtime.clone();
    runtime.spawn(async move {
        leg.until(|leg| (!leg.is_up()).then_some(())).await;
        if let Some(agent) = switch.centre().agent(&agent) {
            agent.external_calls -= 1;
        }
    });
}
