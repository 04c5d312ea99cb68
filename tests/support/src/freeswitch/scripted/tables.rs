//! What `callcenter_config` prints, by the recorded heads and rows.

use super::callcenter::{Agent, Centre, Member, Queue, Tier, agent_changed};
use super::clock;
use super::event::object;
use super::recorded;
use super::switch::Switch;

const STATUSES: [&str; 4] = [
    "Available",
    "Available (On Demand)",
    "On Break",
    "Logged Out",
];

/// Runs `callcenter_config`.
pub(super) fn config(switch: &Switch, words: &[&str], rest: &str) -> String {
    let now = clock::epoch();
    let mut centre = switch.centre();
    match words {
        ["queue", "list"] => table("name|strategy", centre.queues.iter().map(queue_row)),
        ["queue", "count"] => format!("{}\n", centre.queues.len()),
        ["queue", action @ ("list" | "count"), kind, queue] => {
            let Some((head, rows)) = part(&centre, kind, queue, now) else {
                return invalid(switch, rest);
            };
            match *action {
                "count" => format!("{}\n", rows.len()),
                _ if centre.queues.iter().all(|known| known.name != *queue) => "+OK\n".to_owned(),
                _ => table(head, rows.into_iter()),
            }
        }
        ["agent", "list"] => table("name|instance_id", centre.agents.iter().map(agent_row)),
        ["agent", "list", name] => match centre.agents.iter().find(|agent| agent.name == *name) {
            Some(agent) => table("name|instance_id", std::iter::once(agent_row(agent))),
            None => "+OK\n".to_owned(),
        },
        ["tier", "list"] => table("queue|agent", centre.tiers.iter().map(tier_row)),
        ["agent", "get", "status", name] => match centre.agent(name) {
            Some(agent) => agent.status.clone(),
            None => "-ERR Agent not found!\n".to_owned(),
        },
        ["agent", "set", "status", name, ..] => {
            let status = rest
                .split(name)
                .nth(1)
                .unwrap_or_default()
                .trim()
                .trim_matches('\'');
            let Some(agent) = centre.agent(name) else {
                return "-ERR Agent not found!\n".to_owned();
            };
            if !STATUSES.contains(&status) {
                switch.complain(format!("{status:?} is no status of an agent"));
                return "-ERR Invalid Agent Status!\n".to_owned();
            }
            status.clone_into(&mut agent.status);
            agent.last_status_change = now;
            drop(centre);
            status_changed(switch, name, status);
            "+OK\n".to_owned()
        }
        ["agent", "set", "state", name, ..] => {
            let state = rest
                .split(name)
                .nth(1)
                .unwrap_or_default()
                .trim()
                .trim_matches('\'');
            let states = ["Waiting", "Idle", "Receiving", "In a queue call"];
            let found = states.into_iter().find(|known| *known == state);
            match (centre.agent(name), found) {
                (Some(agent), Some(state)) => {
                    agent.state = state;
                    drop(centre);
                    agent_changed(switch, name, state);
                    "+OK\n".to_owned()
                }
                (None, _) => "-ERR Agent not found!\n".to_owned(),
                (_, None) => invalid(switch, rest),
            }
        }
        _ => invalid(switch, rest),
    }
}

pub(super) fn status_changed(switch: &Switch, agent: &str, status: &str) {
    let place = ("callcenter-answered", "CUSTOM", "agent-status-change");
    let mut event = recorded::shape(place).as_ref().clone();
    event.set("CC-Agent", agent);
    event.set("CC-Agent-Status", status);
    switch.emit(event);
}

fn invalid(switch: &Switch, rest: &str) -> String {
    switch.complain(format!("callcenter_config {rest:?} is in no recording"));
    "-ERR Invalid!\n".to_owned()
}

/// Runs `json`, for lists of the call centre alone.
pub(super) fn json(switch: &Switch, text: &str) -> String {
    let request: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let arguments = request["data"]["arguments"].as_str().unwrap_or_default();
    let queue = request["data"]["queue_name"].as_str().unwrap_or_default();
    let kind = arguments.strip_prefix("queue list ").unwrap_or_default();
    let centre = switch.centre();
    let part = part(&centre, kind, queue, clock::epoch());
    let (Some((head, rows)), "callcenter_config") =
        (part, request["command"].as_str().unwrap_or_default())
    else {
        switch.complain(format!("api json {text:?} is in no recording"));
        return "{\"status\":\"error\"}".to_owned();
    };
    let head = self::head(head);
    let names: Vec<&str> = head.split('|').collect();
    let rows: Vec<String> = rows
        .iter()
        .map(|row| object(names.iter().copied().zip(row.iter().map(String::as_str))))
        .collect();
    let echoed = text.trim().trim_end_matches('}');
    format!(
        "{echoed}}},\"status\":\"success\",\"response\":[{}]}}",
        rows.join(",")
    )
}

type Rows = Vec<Vec<String>>;

fn part(centre: &Centre, kind: &str, queue: &str, now: u64) -> Option<(&'static str, Rows)> {
    let serves = |agent: &&Agent| {
        let mut tiers = centre.tiers.iter();
        tiers.any(|tier| tier.queue == queue && tier.agent == agent.name)
    };
    Some(match kind {
        "members" => {
            let mut members: Vec<&Member> = centre
                .members
                .iter()
                .filter(|member| member.queue == queue)
                .collect();
            members.sort_by_key(|member| std::cmp::Reverse(member.score(now)));
            let rows = members.into_iter().map(|member| member_row(member, now));
            ("queue|instance_id", rows.collect())
        }
        "agents" => {
            let rows = centre.agents.iter().filter(serves).map(agent_row);
            ("name|instance_id", rows.collect())
        }
        "tiers" => {
            let tiers = centre.tiers.iter().filter(|tier| tier.queue == queue);
            ("queue|agent", tiers.map(tier_row).collect())
        }
        _ => return None,
    })
}

fn table(begins: &str, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: String = rows.map(|row| row.join("|") + "\n").collect();
    format!("{}\n{rows}+OK\n", head(begins))
}

/// Returns the recorded head of a table.
fn head(begins: &str) -> String {
    let session = recorded::session("callcenter-lists");
    let found = session
        .iter()
        .find(|message| message.body.starts_with(begins));
    let line = found.and_then(|message| message.body.lines().next());
    line.unwrap_or_default().to_owned()
}

fn queue_row(queue: &Queue) -> Vec<String> {
    let session = recorded::session("callcenter-lists");
    let found = session
        .iter()
        .find(|message| message.body.starts_with("name|strategy"));
    let recorded = found
        .and_then(|message| message.body.lines().nth(1))
        .unwrap_or_default();
    let mut row: Vec<String> = recorded.split('|').map(str::to_owned).collect();
    for (at, value) in [
        (0, queue.name.clone()),
        (3, "queue".to_owned()),
        (14, queue.answered.to_string()),
        (15, queue.abandoned.to_string()),
    ] {
        if let Some(field) = row.get_mut(at) {
            *field = value;
        }
    }
    row
}

fn agent_row(agent: &Agent) -> Vec<String> {
    let mut row = vec![
        agent.name.clone(),
        "single_box".to_owned(),
        agent.uuid.clone(),
        "callback".to_owned(),
        agent.contact.clone(),
        agent.status.clone(),
        agent.state.to_owned(),
    ];
    let numbers = [
        0,
        1,
        1,
        1,
        1,
        agent.last_bridge_start,
        agent.last_bridge_end,
        agent.last_offered_call,
        agent.last_status_change,
        agent.no_answer_count,
        agent.calls_answered,
        agent.talk_time,
        agent.ready_time,
    ];
    row.extend(numbers.iter().map(u64::to_string));
    row.push(agent.external_calls.to_string());
    row
}

fn tier_row(tier: &Tier) -> Vec<String> {
    [&tier.queue, &tier.agent, tier.state, "1", "1"]
        .map(str::to_owned)
        .to_vec()
}

fn member_row(member: &Member, now: u64) -> Vec<String> {
    let system = if member.agent.is_empty() {
        ""
    } else {
        "single_box"
    };
    vec![
        member.queue.clone(),
        "single_box".to_owned(),
        member.uuid.clone(),
        member.session.clone(),
        member.number.clone(),
        member.name.clone(),
        member.joined.to_string(),
        member.joined.to_string(),
        "0".to_owned(),
        member.bridged.to_string(),
        member.abandoned.to_string(),
        member.base_score.to_string(),
        "0".to_owned(),
        member.agent.clone(),
        system.to_owned(),
        member.state.to_owned(),
        member.score(now).to_string(),
    ]
}
