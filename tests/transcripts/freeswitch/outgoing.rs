//! Outgoing calls and how they end, and queues: what the recorded switch said to such orders.

use std::collections::BTreeMap;
use std::time::Duration;

use hotline::dialog::QueueState;
use hotline::pbx::{Arrival, Dial, DialOrder, Dialled, LinkState, Pbx, PbxError};
use hotline::words::{CallId, PhoneNumber, QueueName};
use tokio::time::timeout;
use uuid::Uuid;

use super::recording::Recording;
use super::switch::{Room, Wire, quick};
use crate::callers::handoff;
use crate::stage::{LONG, until};

fn dial(order: DialOrder) -> Dial {
    Dial {
        call: CallId(Uuid::new_v4()),
        number: PhoneNumber::parse("+4570101017").unwrap(),
        queue: QueueName::from("support"),
        order,
        caller_id: PhoneNumber::parse("+4580123456").ok(),
        ring: Duration::from_secs(3),
        purpose: "callback, 4F7K2".to_owned(),
        handoff: handoff(),
    }
}

/// Waits for the order to dial, answering all else as recorded.
async fn order(wire: &mut Wire) -> String {
    loop {
        let command = timeout(LONG, wire.command()).await.unwrap().unwrap();
        match command.strip_prefix("bgapi ") {
            Some(order) => return order.to_owned(),
            None => wire.print(&quick(&command)).await,
        }
    }
}

/// Plays what the recorded switch said to an order to dial.
async fn play(wire: &mut Wire, name: &str, call: CallId) {
    let recording = Recording::read(name);
    let recorded = recording.commands()[2];
    let begin = recorded.find("origination_uuid=").unwrap() + "origination_uuid=".len();
    let (recorded, id) = (&recorded[begin..begin + 36], call.to_string());
    wire.say(&recording.answer(3).with(&[])).await;
    let events = recording
        .messages()
        .into_iter()
        .filter(|said| said.event().is_some());
    for event in events {
        wire.say(&event.with(&[(recorded, id.as_str())])).await;
    }
}

/// How a call ends that the recorded switch places.
async fn dialled(name: &str) -> (Result<Dialled, PbxError>, String) {
    let room = Room::open().await;
    let mut wire = room.ready().await;
    let dial = dial(DialOrder::CallerFirst);
    let player = async {
        let order = order(&mut wire).await;
        play(&mut wire, name, dial.call).await;
        order.replace(&dial.call.to_string(), "ID")
    };
    tokio::join!(room.house.dial(&dial), player)
}

#[tokio::test]
async fn callbacks_end_as_they_ended_on_the_real_switch() {
    let cases = [
        ("success", Dialled::Answered),
        ("to-socket", Dialled::Answered),
        ("busy", Dialled::Busy),
        ("no-answer", Dialled::NoAnswer),
        ("killed", Dialled::NoAnswer),
        ("not-found", Dialled::InvalidNumber),
        ("invalid-gateway", Dialled::Failed),
        ("nothing-listening", Dialled::Failed),
    ];
    for (name, expected) in cases {
        let (result, _) = dialled(&format!("bgapi-originate-{name}")).await;
        assert_eq!(result.unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn an_outgoing_call_says_who_is_called_and_why() {
    let (_, order) = dialled("bgapi-originate-success").await;
    insta::assert_snapshot!(order.replace(',', ",\n"), @r"
    originate {origination_uuid=ID,
    ignore_early_media=true,
    originate_timeout=3,
    origination_caller_id_number=+4580123456,
    origination_caller_id_name=+4580123456,
    hotline_caller=+4570101017,
    hotline_reason='skat‚ ”gæld”',
    hotline_language=da,
    hotline_summary='Borgeren ringer om skat.',
    hotline_whisper=/var/spool/hotline/whisper.wav,
    hotline_tenant='Åby Kommune',
    hotline_purpose='callback‚ 4F7K2',
    hotline_queue=support,
    hotline_did=+4580123456,
    hotline_outbound_number=+4580123456}sofia/gateway/trunk/+4570101017 support@default XML hotline-callback-caller
    ");
}

#[tokio::test]
async fn a_job_of_somebody_else_is_not_taken_for_ours() {
    let room = Room::open().await;
    let mut wire = room.ready().await;
    let (ours, others) = (dial(DialOrder::CallerFirst), CallId(Uuid::new_v4()));
    let player = async {
        order(&mut wire).await;
        play(&mut wire, "bgapi-originate-success", others).await;
        play(&mut wire, "bgapi-originate-busy", ours.call).await;
    };
    let (result, ()) = tokio::join!(room.house.dial(&ours), player);
    assert_eq!(result.unwrap(), Dialled::Busy);
}

#[tokio::test]
async fn an_outgoing_call_is_watched_on_when_the_link_is_back() {
    let room = Room::open().await;
    let mut wire = room.ready().await;
    let dial = dial(DialOrder::CallerFirst);
    let player = async {
        order(&mut wire).await;
        wire.reply("+OK Job-UUID: b0000000-0000-4000-8000-000000000001")
            .await;
        drop(wire);
        let mut wire = room.socket.admit().await;
        // It is looked what has become of the call: it is being talked to.
        loop {
            let command = timeout(LONG, wire.command()).await.unwrap();
            let command = command.unwrap_or_default();
            let id = dial.call.to_string();
            match command.replace(&id, "ID").as_str() {
                "api uuid_exists ID" => wire.print("true").await,
                "api uuid_getvar ID endpoint_disposition" => {
                    wire.print("ANSWER").await;
                    return wire;
                }
                _ => wire.print(&quick(&command)).await,
            }
        }
    };
    let (result, _wire) = tokio::join!(room.house.dial(&dial), player);
    assert_eq!(result.unwrap(), Dialled::Answered);
}

#[tokio::test]
async fn an_outgoing_call_that_is_cut_off_from_news_is_of_unknown_outcome_and_stays_known() {
    let room = Room::open().await;
    let mut wire = room.ready().await;
    let dial = Dial {
        ring: Duration::from_millis(100),
        ..dial(DialOrder::CallerFirst)
    };
    let player = async {
        order(&mut wire).await;
        drop(wire);
    };
    let (result, ()) = tokio::join!(room.house.dial(&dial), player);
    assert!(
        matches!(result, Err(PbxError::Unanswered { .. })),
        "{result:?}"
    );
    let Arrival {
        purpose, caller, ..
    } = room.house.arrival(dial.call).await.unwrap();
    assert_eq!(purpose.as_deref(), Some("callback, 4F7K2"));
    assert_eq!(caller, Some(dial.number));
}

#[tokio::test]
async fn without_a_link_nothing_is_dialled_and_nothing_is_known() {
    let room = Room::open().await;
    drop(room.ready().await);
    let down = |state: &LinkState| matches!(state, LinkState::Down(_));
    until(&mut room.house.link(), down).await;
    let dialled = room.house.dial(&dial(DialOrder::CallerFirst)).await;
    assert!(
        matches!(dialled, Err(PbxError::NotConnected(_))),
        "{dialled:?}"
    );
    let queues = room.house.queues().await;
    assert!(
        matches!(queues, Err(PbxError::NotConnected(_))),
        "{queues:?}"
    );
}

#[tokio::test]
async fn a_callback_that_begins_with_an_agent_needs_one_who_is_there() {
    // In the recorded lists both agents are logged out.
    let room = Room::open().await;
    let link = room.keep_link().await;
    let dialled = room.house.dial(&dial(DialOrder::AgentFirst)).await;
    assert_eq!(dialled.unwrap(), Dialled::NoAgent);
    link.abort();
}

#[tokio::test]
async fn a_callback_that_begins_with_an_agent_rings_them_with_what_they_need_to_know() {
    let room = Room::open().await;
    let mut wire = room.ready().await;
    let dial = dial(DialOrder::AgentFirst);
    let player = async {
        let order = loop {
            let command = timeout(LONG, wire.command()).await.unwrap().unwrap();
            match command.strip_prefix("bgapi ") {
                Some(order) => break order.to_owned(),
                None => {
                    let printed = quick(&command).replace("Logged Out", "Available");
                    wire.print(&printed).await;
                }
            }
        };
        wire.reply("+OK Job-UUID: b0000000-0000-4000-8000-000000000001")
            .await;
        let begin = order.find("hotline_second=").unwrap() + "hotline_second=".len();
        let second = order[begin..begin + 36].to_owned();
        let first = dial.call;
        wire.tell(&format!("Event-Name: CHANNEL_ANSWER\nUnique-ID: {first}"))
            .await;
        wire.tell(&format!(
            "Event-Name: CHANNEL_HANGUP_COMPLETE\nUnique-ID: {second}\nHangup-Cause: USER_BUSY"
        ))
        .await;
        wire.tell(&format!(
            "Event-Name: CHANNEL_HANGUP_COMPLETE\nUnique-ID: {first}\nHangup-Cause: NORMAL_CLEARING"
        ))
        .await;
        order
            .replace(&first.to_string(), "FIRST")
            .replace(&second, "SECOND")
    };
    let (result, order) = tokio::join!(room.house.dial(&dial), player);
    assert_eq!(result.unwrap(), Dialled::Busy);
    insta::assert_snapshot!(order.replace(',', ",\n"), @r"
    originate {origination_uuid=FIRST,
    ignore_early_media=true,
    originate_timeout=3,
    origination_caller_id_number=+4570101017,
    origination_caller_id_name=+4570101017,
    hotline_agent=a1@default,
    hotline_second=SECOND,
    hotline_dial=sofia/gateway/trunk/+4570101017,
    hotline_caller=+4570101017,
    hotline_reason='skat‚ ”gæld”',
    hotline_language=da,
    hotline_summary='Borgeren ringer om skat.',
    hotline_whisper=/var/spool/hotline/whisper.wav,
    hotline_tenant='Åby Kommune',
    hotline_purpose='callback‚ 4F7K2',
    hotline_queue=support,
    hotline_did=+4580123456,
    hotline_outbound_number=+4580123456,
    sip_h_X-Hotline-Call=FIRST,
    sip_h_X-Hotline-Caller=+4570101017,
    sip_h_X-Hotline-Reason='skat‚ ”gæld”',
    sip_h_X-Hotline-Language=da,
    sip_h_X-Hotline-Summary='Borgeren ringer om skat.'}[leg_timeout=10]sofia/internal/sip:a1@127.0.0.1:5091 +4570101017 XML hotline-callback-agent
    ");
}

/// The queues as they are read from the recorded lists, the first or the second time.
async fn queues(time: usize, changes: &[(&str, &str)]) -> BTreeMap<QueueName, QueueState> {
    let room = Room::open().await;
    let mut wire = room.ready().await;
    let lists = Recording::read("callcenter-lists");
    let player = async {
        while let Some(command) = wire.command().await {
            let printed = match command.as_str() {
                "api strepoch" => "1795335980".to_owned(),
                command => lists.printed(command, time),
            };
            let change = |text: String, (old, new): &(&str, &str)| text.replace(old, new);
            wire.print(&changes.iter().fold(printed, change)).await;
        }
    };
    tokio::select! {
        queues = room.house.queues() => queues.unwrap(),
        () = player => panic!(),
    }
}

#[tokio::test]
async fn callers_who_have_given_up_wait_no_more() {
    let queues = queues(1, &[]).await;
    assert_eq!(queues[&QueueName::from("support")], QueueState::default());
    assert_eq!(queues.len(), 1);
}

#[tokio::test]
async fn callers_who_wait_are_counted_whatever_they_are_called() {
    let queues = queues(2, &[("|Logged Out|", "|Available|")]).await;
    let expected = QueueState {
        waiting: 2,
        agents: 2,
        agents_free: 2,
        longest_wait: 9,
        average_wait: 0,
    };
    assert_eq!(queues[&QueueName::from("support")], expected);
}

#[tokio::test]
async fn a_caller_waits_until_an_agent_has_them() {
    let states = [
        // Nobody is logged in yet.
        (1, 1, 0, 0),
        // An agent's phone rings.
        (2, 1, 1, 0),
        // They talk.
        (3, 0, 1, 0),
    ];
    for (time, waiting, agents, agents_free) in states {
        let room = Room::open().await;
        let mut wire = room.ready().await;
        let (lists, session) = (
            Recording::read("callcenter-lists"),
            Recording::read("callcenter-answered"),
        );
        let player = async {
            while let Some(command) = wire.command().await {
                let printed = match command.as_str() {
                    "api strepoch" => "1795335966".to_owned(),
                    "api callcenter_config queue list" => lists.printed(&command, 1),
                    "api callcenter_config tier list" => session.printed(&command, 1),
                    command => session.printed(command, time),
                };
                wire.print(&printed).await;
            }
        };
        let queues = tokio::select! {
            queues = room.house.queues() => queues.unwrap(),
            () = player => panic!(),
        };
        let expected = QueueState {
            waiting,
            agents,
            agents_free,
            longest_wait: 4 * waiting,
            average_wait: 0,
        };
        assert_eq!(queues[&QueueName::from("support")], expected, "look {time}");
    }
}
