//! The call centre and outgoing calls: who is offered whom, what is told and listed, and every way a
//! telephone can say no.

use std::time::Duration;

use street::freeswitch::scripted::{HOLD_TONE, recorded};
use street::phone::{Answering, Happening};

use crate::client::{Client, SOON, Stage};

const INFO: &str = "CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE CHANNEL_HANGUP_COMPLETE CUSTOM callcenter::info";

async fn told(client: &mut Client, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let event = client.next_event().await;
        let what = event.get("CC-Action").unwrap_or(event.name()).to_owned();
        let over = what == last;
        let state = event.get("CC-Agent-State").or(event.get("CC-Agent-Status"));
        all.push(state.map_or(what.clone(), |state| format!("{what} {state}")));
        if over || all.last().is_some_and(|it| it == last) {
            return all;
        }
    }
}

/// What a recorded session tells, in the same words.
fn recorded(session: &str) -> Vec<String> {
    let words = |event: &street::freeswitch::scripted::Event| {
        let what = event.get("CC-Action").unwrap_or(event.name());
        let state = event.get("CC-Agent-State").or(event.get("CC-Agent-Status"));
        state.map_or(what.to_owned(), |state| format!("{what} {state}"))
    };
    recorded::events(session).iter().map(words).collect()
}

fn rows(table: &str) -> Vec<Vec<&str>> {
    let lines = table.lines().skip(1).filter(|line| *line != "+OK");
    lines.map(|line| line.split('|').collect()).collect()
}

#[tokio::test]
async fn a_call_that_an_agent_takes_is_told_in_the_recorded_order() {
    let stage = Stage::set().await;
    stage.scripted.set_agent("a1", "Logged Out").await.unwrap();
    let mut client = Client::login(&stage.scripted, INFO).await;
    let call = stage.dial("9200");
    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    let list = client
        .api("callcenter_config queue list members support@default")
        .await;
    assert_eq!(rows(&list)[0][15], "Waiting");
    stage
        .agent
        .set_answering(Answering::After(Duration::from_millis(300)));
    stage.scripted.set_agent("a1", "Available").await.unwrap();
    let agent = stage.agent.rings(SOON).await.unwrap();
    let list = client
        .api("callcenter_config queue list members support@default")
        .await;
    assert_eq!(
        rows(&list)[0][13..16],
        ["a1@default", "single_box", "Trying"]
    );
    agent.answered(SOON).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let list = client
        .api("callcenter_config queue list members support@default")
        .await;
    assert_eq!(rows(&list)[0][15], "Answered");
    let agents = client.api("callcenter_config agent list").await;
    assert_eq!(rows(&agents)[0][6], "In a queue call");
    agent.hang_up().unwrap();
    assert_eq!(call.ended(SOON).await.unwrap(), Happening::OtherHungUp);
    let mut expected = recorded("callcenter-answered");
    assert_eq!(expected.pop().unwrap(), "agent-status-change Logged Out");
    let mut said = told(&mut client, "agent-state-change Waiting").await;
    // The count after the answer and the steps of the bridge come in either order.
    for list in [&mut said, &mut expected] {
        let count = list
            .iter()
            .skip(3)
            .position(|it| it == "members-count")
            .unwrap()
            + 3;
        list.remove(count);
    }
    assert_eq!(said, expected);
    let list = client
        .api("callcenter_config queue list members support@default")
        .await;
    assert_eq!(rows(&list).len(), 0);
}

#[tokio::test]
async fn a_caller_who_gives_up_is_told_and_stays_in_the_list_as_abandoned() {
    let stage = Stage::set().await;
    stage.scripted.set_agent("a1", "Logged Out").await.unwrap();
    let mut client = Client::login(&stage.scripted, INFO).await;
    let call = stage.dial("9200");
    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    assert!(stage.scripted.longest_wait("support").unwrap().is_some());
    call.hang_up().unwrap();
    let said = told(&mut client, "CHANNEL_HANGUP_COMPLETE").await;
    assert_eq!(said, recorded("callcenter-abandoned"));
    let list = client
        .api("callcenter_config queue list members support@default")
        .await;
    let row = &rows(&list)[0];
    assert_eq!((row[3], row[15]), ("", "Abandoned"));
    assert_eq!(
        client
            .api("callcenter_config queue count members support@default")
            .await,
        "1\n"
    );
    assert!(stage.scripted.longest_wait("support").unwrap().is_none());
}

#[tokio::test]
async fn a_caller_who_gives_up_while_the_agent_rings_stops_the_ringing() {
    let stage = Stage::set().await;
    stage.agent.set_answering(Answering::ByHand);
    let mut client = Client::login(&stage.scripted, "CUSTOM callcenter::info").await;
    let call = stage.dial("9200");
    let agent = stage.agent.rings(SOON).await.unwrap();
    call.hang_up().unwrap();
    assert_eq!(agent.ended(SOON).await.unwrap(), Happening::Refused(487));
    let failed = client.event("bridge-agent-fail").await;
    assert_eq!(failed.get("CC-Hangup-Cause"), Some("ORIGINATOR_CANCEL"));
}

#[tokio::test]
async fn lists_have_the_recorded_columns_and_unknown_queues_are_no_error() {
    let stage = Stage::set().await;
    let mut client = Client::login(&stage.scripted, "").await;
    let session = recorded::session("callcenter-lists");
    let head = |begins: &str| {
        let found = session
            .iter()
            .find(|message| message.body.starts_with(begins));
        found.unwrap().body.lines().next().unwrap().to_owned()
    };
    for (command, begins) in [
        ("queue list", "name|strategy"),
        ("queue list members support@default", "queue|instance_id"),
        ("queue list agents support@default", "name|instance_id"),
        ("queue list tiers support@default", "queue|agent"),
        ("agent list", "name|instance_id"),
        ("tier list", "queue|agent"),
    ] {
        let list = client.api(&format!("callcenter_config {command}")).await;
        assert_eq!(list.lines().next().unwrap(), head(begins), "{command}");
        assert!(list.ends_with("+OK\n"), "{command}");
        for row in rows(&list) {
            assert_eq!(row.len(), head(begins).split('|').count(), "{command}");
        }
    }
    for (command, answer) in [
        ("queue list members nosuch@default", "+OK\n"),
        ("queue count members nosuch@default", "0\n"),
        ("queue list agents nosuch@default", "+OK\n"),
        ("agent list nosuch@default", "+OK\n"),
        (
            "agent set status nosuch@default Available",
            "-ERR Agent not found!\n",
        ),
        ("agent get status a1@default", "Available"),
        ("queue count", "1\n"),
    ] {
        assert_eq!(
            client.api(&format!("callcenter_config {command}")).await,
            answer,
            "{command}"
        );
    }
}

#[tokio::test]
async fn the_list_of_members_as_json_has_the_recorded_form() {
    let stage = Stage::set().await;
    stage.scripted.set_agent("a1", "Logged Out").await.unwrap();
    let call = stage.dial("9200");
    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    let mut client = Client::login(&stage.scripted, "").await;
    let order = r#"json {"command":"callcenter_config","data":{"arguments":"queue list members","queue_name":"support@default"}}"#;
    let said = client.api(order).await;
    let value: serde_json::Value = serde_json::from_str(&said).unwrap();
    let row = &value["response"][0];
    assert_eq!(row["state"], "Waiting");
    assert_eq!(row["cid_name"], "Søren Ærø");
    assert_eq!(value["status"], "success");
    let session = recorded::session("callcenter-lists");
    let recorded = session
        .iter()
        .find(|message| message.body.starts_with('{'))
        .unwrap();
    let recorded: serde_json::Value = serde_json::from_str(&recorded.body).unwrap();
    let names = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(row), names(&recorded["response"][0]));
}

#[tokio::test]
async fn a_base_score_puts_a_caller_before_those_who_waited_longer() {
    let stage = Stage::set().await;
    stage.scripted.set_agent("a1", "Logged Out").await.unwrap();
    let first = stage.dial("9200");
    first.hear_tone(HOLD_TONE, SOON).await.unwrap();
    let (_second, bot) = stage.bot().await;
    let mut client = Client::login(&stage.scripted, "").await;
    client
        .api(&format!("uuid_setvar {} cc_base_score 3600", bot.id))
        .await;
    client
        .api(&format!("uuid_transfer {} 9200 XML default", bot.id))
        .await;
    let list = loop {
        let list = client
            .api("callcenter_config queue list members support@default")
            .await;
        if rows(&list).len() == 2 {
            break list;
        }
    };
    assert_eq!(rows(&list)[0][3], bot.id);
    assert_eq!(rows(&list)[0][11], "3600");
}

const ORIGINATE: &str = "{origination_uuid=c0000000-0000-4000-8000-000000000002,\
    origination_caller_id_number=+4500000100,origination_caller_id_name=Borgerservice,\
    ignore_early_media=true,originate_timeout=3}";
const JOB: &str =
    "BACKGROUND_JOB CHANNEL_PROGRESS CHANNEL_ANSWER CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE";

/// Orders a call and returns what is told until the job is done, and the job's result.
async fn order(client: &mut Client, target: &str) -> (Vec<String>, String) {
    client
        .say(&format!("bgapi originate {ORIGINATE}{target} &park()"))
        .await;
    let mut told = Vec::new();
    loop {
        let event = client.next_event().await;
        told.push(event.name().to_owned());
        if event.name() == "BACKGROUND_JOB" {
            return (told, event.body().unwrap().to_owned());
        }
    }
}

#[tokio::test]
async fn an_ordered_call_that_is_answered_is_told_before_the_job_is_done() {
    let stage = Stage::set().await;
    stage.scripted.route("+4500000018", stage.agent.port());
    stage
        .agent
        .set_answering(Answering::After(Duration::from_millis(200)));
    let mut client = Client::login(&stage.scripted, JOB).await;
    let (told, result) = order(&mut client, "sofia/gateway/trunk/+4500000018").await;
    assert_eq!(
        told,
        ["CHANNEL_PROGRESS", "CHANNEL_ANSWER", "BACKGROUND_JOB"]
    );
    assert_eq!(result, "+OK c0000000-0000-4000-8000-000000000002\n");
    let rung = stage.agent.rings(SOON).await.unwrap();
    assert_eq!(rung.caller_number(), "+4500000100");
    assert_eq!(rung.caller_name().as_deref(), Some("Borgerservice"));
    rung.hang_up().unwrap();
    let ended = client.event("CHANNEL_HANGUP_COMPLETE").await;
    assert_eq!(ended.get("Hangup-Cause"), Some("NORMAL_CLEARING"));
}

#[tokio::test]
async fn every_way_of_not_answering_has_its_recorded_cause() {
    let stage = Stage::set().await;
    stage.scripted.route("+4500000018", stage.agent.port());
    let mut client = Client::login(&stage.scripted, JOB).await;
    for (answering, target, cause, told) in [
        (
            Answering::Refuse(486),
            "sofia/gateway/trunk/+4500000018",
            "USER_BUSY",
            2,
        ),
        (
            Answering::Refuse(404),
            "sofia/gateway/trunk/+4500000018",
            "UNALLOCATED_NUMBER",
            2,
        ),
        (
            Answering::ByHand,
            "sofia/gateway/trunk/+4599999999",
            "UNALLOCATED_NUMBER",
            2,
        ),
        (
            Answering::ByHand,
            "sofia/gateway/nosuch/+4500000018",
            "INVALID_GATEWAY",
            0,
        ),
        (
            Answering::ByHand,
            "sofia/internal/sip:x@127.0.0.1:1",
            "NORMAL_TEMPORARY_FAILURE",
            2,
        ),
        (
            Answering::ByHand,
            "sofia/gateway/trunk/+4500000018",
            "NO_ANSWER",
            3,
        ),
    ] {
        stage.agent.set_answering(answering);
        let (mut events, result) = order(&mut client, target).await;
        assert_eq!(result, format!("-ERR {cause}\n"), "{target}");
        events.retain(|event| event != "BACKGROUND_JOB");
        assert_eq!(events.len(), told, "{target}: {events:?}");
    }
}

#[tokio::test]
async fn an_ordered_call_can_be_killed_while_it_rings() {
    let stage = Stage::set().await;
    stage.scripted.route("+4500000018", stage.agent.port());
    stage.agent.set_answering(Answering::ByHand);
    let mut client = Client::login(&stage.scripted, JOB).await;
    let target = "sofia/gateway/trunk/+4500000018";
    client
        .say(&format!("bgapi originate {ORIGINATE}{target} &park()"))
        .await;
    client.event("CHANNEL_PROGRESS").await;
    let kill = "uuid_kill c0000000-0000-4000-8000-000000000002 ORIGINATOR_CANCEL";
    assert_eq!(client.api(kill).await, "+OK\n");
    assert_eq!(
        client.event("BACKGROUND_JOB").await.body(),
        Some("-ERR ORIGINATOR_CANCEL\n")
    );
    let rung = stage.agent.rings(SOON).await.unwrap();
    assert_eq!(rung.ended(SOON).await.unwrap(), Happening::Refused(487));
}

#[tokio::test]
async fn an_ordered_call_can_be_given_to_the_bot() {
    let stage = Stage::set().await;
    stage.scripted.route("+4500000018", stage.agent.port());
    stage.agent.set_answering(Answering::After(Duration::ZERO));
    let mut client = Client::login(&stage.scripted, JOB).await;
    let target = format!(
        "sofia/gateway/trunk/+4500000018 '&socket(127.0.0.1:{} async full)'",
        stage.door.port()
    );
    client
        .say(&format!("bgapi originate {ORIGINATE}{target}"))
        .await;
    let mut bot = stage.door.call().await;
    let connected = bot.say("connect").await;
    assert_eq!(
        connected.get("Unique-ID"),
        Some("c0000000-0000-4000-8000-000000000002")
    );
    assert_eq!(connected.get("Call-Direction"), Some("outbound"));
    assert_eq!(connected.get("Answer-State"), Some("answered"));
    assert_eq!(
        connected.get("Caller-Caller-ID-Name"),
        Some("Borgerservice")
    );
    drop(bot);
    let rung = stage.agent.rings(SOON).await.unwrap();
    assert_eq!(rung.ended(SOON).await.unwrap(), Happening::OtherHungUp);
}
