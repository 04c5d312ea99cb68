//! Outgoing calls and how they end.

use std::time::Duration;

use hotline::pbx::asterisk::wire::Block;
use hotline::pbx::{Dial, DialOrder, Dialled, Pbx, PbxError};
use hotline::words::{CallId, PhoneNumber, QueueName};
use tokio::time::timeout;

use crate::callers::handoff;
use crate::recording::{blocks, read};
use crate::stage::{Peer, Stage};

fn dial(number: u64, order: DialOrder) -> Dial {
    Dial {
        call: CallId(
            format!("c0000000-0000-4000-8000-{number:012}")
                .parse()
                .unwrap(),
        ),
        number: PhoneNumber::parse("+4570101017").unwrap(),
        queue: QueueName::from("support"),
        order,
        caller_id: PhoneNumber::parse("+4580123456").ok(),
        ring: Duration::from_secs(3),
        purpose: "callback, 4F7K2".to_owned(),
        handoff: handoff(),
    }
}

/// Plays a recorded callback to one that we dial.
async fn dialled(number: u64, name: &str, order: DialOrder) -> (Result<Dialled, PbxError>, Block) {
    played(&format!("callback-{name}"), "p3", &dial(number, order)).await
}

/// Plays what the recorded switch said to an order, which is known by its ActionID.
async fn played(name: &str, order: &str, dial: &Dial) -> (Result<Dialled, PbxError>, Block) {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    let recorded = blocks(&read(&format!("{name}.ami.in")));
    let player = async {
        let originate = loop {
            let action = peer.action().await.unwrap();
            match action.get("Action") {
                Some("Getvar") => peer.answer(&action, "Success", "Value: 1\n").await,
                _ => break action,
            }
        };
        let id = originate.get("ActionID").unwrap().to_owned();
        let begin = recorded
            .iter()
            .position(|block| block.get("ActionID") == Some(order))
            .unwrap();
        for block in &recorded[begin..] {
            let lines = block.0.iter().map(|(key, value)| match value.as_str() {
                value if value == order => format!("{key}: {id}\n"),
                value => format!("{key}: {value}\n"),
            });
            peer.say(&(lines.collect::<String>() + "\n")).await;
        }
        originate
    };
    tokio::join!(asterisk.dial(dial), player)
}

#[tokio::test]
async fn callbacks_end_as_they_ended_on_the_real_switch() {
    use DialOrder::{AgentFirst, CallerFirst};
    let cases = [
        (1, "caller-first-busy", CallerFirst, Dialled::Busy),
        (
            2,
            "caller-first-wrong-number",
            CallerFirst,
            Dialled::InvalidNumber,
        ),
        (3, "caller-first-no-answer", CallerFirst, Dialled::NoAnswer),
        (4, "caller-first-answered", CallerFirst, Dialled::Answered),
        (5, "agent-first-busy", AgentFirst, Dialled::Busy),
        (
            6,
            "agent-first-wrong-number",
            AgentFirst,
            Dialled::InvalidNumber,
        ),
        (7, "agent-first-no-answer", AgentFirst, Dialled::NoAnswer),
        (8, "agent-first-answered", AgentFirst, Dialled::Answered),
        (9, "agent-first-no-agent", AgentFirst, Dialled::NoAgent),
    ];
    for (number, name, order, expected) in cases {
        let (result, _) = dialled(number, name, order).await;
        assert_eq!(result.unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn orders_that_no_dialplan_carried_out_end_as_they_ended_on_the_real_switch() {
    let cases = [
        ("success", 1, Dialled::Answered),
        ("busy", 2, Dialled::Busy),
        ("not-found", 3, Dialled::InvalidNumber),
        ("no-answer", 4, Dialled::NoAnswer),
        ("no-such-extension", 5, Dialled::Failed),
        ("no-such-endpoint", 6, Dialled::Failed),
        ("unreachable", 7, Dialled::Failed),
    ];
    for (name, number, expected) in cases {
        let id = format!("d0000000-0000-4000-8000-{number:012}");
        let dial = Dial {
            call: CallId(id.parse().unwrap()),
            ..dial(number, DialOrder::CallerFirst)
        };
        let (result, _) = played(&format!("originate-{name}"), "a3", &dial).await;
        assert_eq!(result.unwrap(), expected, "{name}");
    }
}

#[tokio::test]
async fn an_outgoing_call_says_who_is_called_and_why() {
    let (_, originate) = dialled(4, "caller-first-answered", DialOrder::CallerFirst).await;
    let lines = originate
        .0
        .iter()
        .skip(2)
        .map(|(key, value)| format!("{key}: {value}\n"));
    insta::assert_snapshot!(lines.collect::<String>(), @r#"
    Channel: Local/+4570101017@hotline-dial
    ChannelId: c0000000-0000-4000-8000-000000000004
    Context: hotline-callback-caller
    Exten: support
    Priority: 1
    Async: true
    Timeout: 3000
    CallerID: <+4570101017>
    Variable: __HOTLINE_CALLER=+4570101017
    Variable: __HOTLINE_REASON=skat\, \"gæld\"
    Variable: __HOTLINE_LANGUAGE=da
    Variable: __HOTLINE_SUMMARY=Borgeren ringer om skat.
    Variable: __HOTLINE_WHISPER=/var/spool/hotline/whisper.wav
    Variable: __HOTLINE_TENANT=Åby Kommune
    Variable: __HOTLINE_REFERENCE=
    Variable: __HOTLINE_UUID=c0000000-0000-4000-8000-000000000004
    Variable: __HOTLINE_PURPOSE=callback\, 4F7K2
    Variable: __HOTLINE_QUEUE=support
    Variable: __HOTLINE_DID=+4580123456
    Variable: __HOTLINE_OUTBOUND_NUMBER=+4580123456
    "#);
}

#[tokio::test]
async fn an_outgoing_call_without_a_place_in_the_dialplan_is_not_placed() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    let order = dial(4, DialOrder::CallerFirst);
    let player = async {
        while let Ok(Some(action)) = timeout(Duration::from_millis(200), peer.action()).await {
            assert_eq!(action.get("Action"), Some("Getvar"), "{action:?}");
            peer.answer(&action, "Success", "Value: 0\n").await;
        }
    };
    let (result, ()) = tokio::join!(asterisk.dial(&order), player);
    assert!(
        matches!(result, Err(PbxError::Refused { .. })),
        "{result:?}"
    );
}

/// Plays Asterisk until it has taken the order, and returns the order's id.
async fn taking(peer: &mut Peer) -> String {
    loop {
        let action = peer.action().await.unwrap();
        if action.get("Action") == Some("Originate") {
            let queued = "Message: Originate successfully queued\n";
            peer.answer(&action, "Success", queued).await;
            return action.get("ActionID").unwrap().to_owned();
        }
        peer.answer(&action, "Success", "Value: 1\n").await;
    }
}

#[tokio::test]
async fn an_outgoing_call_is_watched_on_when_the_link_is_back() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    let order = dial(4, DialOrder::CallerFirst);
    let player = async {
        let id = taking(&mut peer).await;
        drop(peer);
        let mut peer = stage.ready(&asterisk).await;
        let uniqueid = order.call;
        peer.say(&format!(
            "Event: OriginateResponse\nActionID: {id}\nResponse: Success\nUniqueid: {uniqueid}\n\n"
        ))
        .await;
        peer
    };
    let (result, _peer) = tokio::join!(asterisk.dial(&order), player);
    assert_eq!(result.unwrap(), Dialled::Answered);
}

#[tokio::test]
async fn an_outgoing_call_that_is_cut_off_from_news_is_of_unknown_outcome_and_stays_known() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    let order = Dial {
        ring: Duration::from_millis(100),
        ..dial(4, DialOrder::CallerFirst)
    };
    let player = async {
        taking(&mut peer).await;
        drop(peer);
    };
    let (result, ()) = tokio::join!(asterisk.dial(&order), player);
    assert!(
        matches!(result, Err(PbxError::Unanswered { .. })),
        "{result:?}"
    );
    let arrival = asterisk.arrival(order.call).await.unwrap();
    assert_eq!(arrival.purpose.as_deref(), Some("callback, 4F7K2"));
}
