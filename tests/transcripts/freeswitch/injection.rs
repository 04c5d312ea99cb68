//! What callers are called and say means nothing to the switch, whatever it is.

use std::fmt::Write;
use std::time::Duration;

use hotline::call::unicast;
use hotline::dialog::{Handoff, Target};
use hotline::pbx::{Arrival, Dial, DialOrder, Pbx};
use hotline::words::{CallId, PhoneNumber, QueueName};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio::time::timeout;
use uuid::Uuid;

use super::channel::{Channel, Plan};
use super::sessions::echo;
use super::switch::{Room, Wire, quick, visitor};
use crate::stage::LONG;

/// Callers tried, each with a call, a transfer and a callback.
const CALLERS: usize = 60;

/// What means something to FreeSWITCH, here or there.
const SPECIAL: [char; 16] = [
    '$', '{', '}', '\'', '"', '\\', ',', '\n', '\r', '\0', '[', ']', '`', '|', ';', '^',
];

/// Names and numbers as people have them, and as nobody should.
fn strange() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "(?s).{0,12}",
        "[A-Za-zæøåÆØÅ ]{1,12}",
        Just("${system rm -rf /}".to_owned()),
        Just("$${password}".to_owned()),
        Just("\n\napi shutdown\n\n".to_owned()),
        Just("\r\nContent-Length: 9\r\n\r\n".to_owned()),
        Just("',hotline_dial='sofia/gateway/trunk/999".to_owned()),
        Just("}loopback/9".to_owned()),
        Just(":_:".to_owned()),
        Just("ARRAY::a|:b".to_owned()),
        Just("%0A%0Aapi%20shutdown".to_owned()),
        Just("\\,\\'\\\\".to_owned()),
        Just("^^;a=b;c".to_owned()),
        Just("\u{2028}\u{85}\u{202e}".to_owned()),
        Just("unload mod_event_socket".to_owned()),
        Just("undef".to_owned()),
    ];
    prop::collection::vec(pieces, 1..6).prop_map(|pieces| pieces.concat())
}

/// A value as FreeSWITCH writes it into a header: every byte that it does not think harmless is encoded.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        match byte.is_ascii_alphanumeric() {
            true => all.push(char::from(byte)),
            false => write!(all, "%{byte:02X}").unwrap(),
        }
        all
    })
}

/// What an agent is told about somebody who is called so.
fn handoff(name: &str, arrival: &Arrival) -> Handoff {
    Handoff {
        caller: arrival.caller.clone(),
        reason: format!("x {name}"),
        summary: format!("x {name}"),
        tenant: format!("x {name}"),
        ..Handoff::default()
    }
}

/// Checks that the value of a variable holds nothing that means something.
fn check(value: &str) {
    let special = value
        .chars()
        .find(|c| SPECIAL.contains(c) || c.is_control());
    assert_eq!(special, None, "{value:?}");
    assert!(
        !value.contains(":_:") && !value.starts_with("ARRAY::"),
        "{value:?}"
    );
    assert!(!value.contains("mod_event_socket"), "{value:?}");
}

/// How often each character that builds an order to dial is in it.
fn build(order: &str) -> [usize; 5] {
    ['{', '}', ',', '[', ']'].map(|c| order.matches(c).count())
}

fn dial(name: &str, arrival: &Arrival) -> Dial {
    Dial {
        call: CallId(Uuid::new_v4()),
        number: PhoneNumber::parse("+4570101017").unwrap(),
        queue: QueueName::from("support"),
        order: DialOrder::CallerFirst,
        caller_id: None,
        ring: Duration::from_secs(3),
        purpose: format!("x {name}"),
        handoff: Handoff {
            caller: None,
            ..handoff(name, arrival)
        },
    }
}

/// Has a callback ordered, and returns the order.
async fn ordered(room: &Room, wire: &mut Wire, dial: &Dial) -> String {
    let player = async {
        loop {
            let command = timeout(LONG, wire.command()).await.unwrap().unwrap();
            match command.strip_prefix("bgapi originate ") {
                None => wire.print(&quick(&command)).await,
                Some(order) => {
                    wire.reply("-ERR no").await;
                    return order.to_owned();
                }
            }
        }
    };
    tokio::join!(room.house.dial(dial), player).1
}

/// Has a caller moved to the extension 200; returns the variables that were set.
async fn moved(room: &Room, channel: &mut Channel, handoff: &Handoff) -> Vec<String> {
    let (id, to) = (channel.call_id(), Target::Extension("200".to_owned()));
    let player = async {
        let mut set = Vec::new();
        loop {
            let command = channel.command().await;
            if let Some(variable) = command.strip_prefix("api uuid_setvar ID ") {
                set.push(variable.to_owned());
            }
            if command.starts_with("api uuid_transfer") {
                assert_eq!(command, "api uuid_transfer ID 200 XML hotline-extension");
                channel.tell("CHANNEL_BRIDGE", "");
                return set;
            }
        }
    };
    let (result, set) = tokio::join!(room.house.transfer(id, &to, handoff), player);
    result.unwrap();
    set
}

#[tokio::test]
async fn nothing_of_a_callers_name_or_number_reaches_a_command_unclean() {
    let room = Room::open().await;
    let mut door = room.door().await;
    let mut wire = room.ready().await;
    let mut runner = TestRunner::deterministic();
    for _ in 0..CALLERS {
        let mut any = || strange().new_tree(&mut runner).unwrap().current();
        let (name, number) = (any(), any());
        let plan = Plan {
            changes: vec![
                (
                    "Caller-Caller-ID-Name: S%C3%B8ren%20%C3%86r%C3%B8".to_owned(),
                    format!("Caller-Caller-ID-Name: {}", encoded(&name)),
                ),
                (
                    "Caller-Caller-ID-Number: %2B4500000017".to_owned(),
                    format!("Caller-Caller-ID-Number: {}", encoded(&number)),
                ),
            ],
            ..Plan::default()
        };
        let mut channel = Channel::call(door.address(), plan).await;
        let visitor = visitor(&mut door).await;
        echo(unicast::line(visitor.media));
        let arrival = room.house.arrival(channel.call_id()).await.unwrap();
        // It is read as it is; what is sent is another matter.
        let said = arrival.name.clone().unwrap_or_default();
        assert_eq!(said, name.trim());

        for variable in moved(&room, &mut channel, &handoff(&said, &arrival)).await {
            let (variable, value) = variable.split_once(' ').unwrap_or((&variable, ""));
            assert!(
                variable.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{variable:?}"
            );
            check(value);
        }

        let order = ordered(&room, &mut wire, &dial(&said, &arrival)).await;
        let plain = ordered(&room, &mut wire, &dial("plain", &arrival)).await;
        assert_eq!(build(&order), build(&plain), "{order:?}");
        let mut quoted = order.split('\'');
        assert_eq!(order.matches('\'').count() % 2, 0, "{order:?}");
        while let (Some(_), Some(value)) = (quoted.next(), quoted.next()) {
            check(value);
        }
    }
}

#[tokio::test]
async fn a_queue_whose_name_is_more_than_a_name_is_never_sent() {
    let room = Room::open().await;
    let mut wire = room.ready().await;
    let silent = Arrival {
        did: String::new(),
        caller: None,
        name: None,
        language: None,
        channel: String::new(),
        purpose: None,
    };
    for name in [
        "a b",
        "-bleg",
        "a\n\napi shutdown",
        "${x}",
        "a,b",
        "a'b",
        "a@b c",
    ] {
        let dial = Dial {
            queue: QueueName::from(name),
            ..dial("x", &silent)
        };
        let error = room.house.dial(&dial).await.unwrap_err().to_string();
        assert!(
            error.starts_with("cannot send the queue's name: "),
            "{name:?}: {error}"
        );
    }
    // Only the watchman has been on the wire.
    wire.stream.readable().await.unwrap();
    let asked = timeout(Duration::from_millis(200), wire.command()).await;
    assert_eq!(asked.unwrap().unwrap(), "api strepoch");
    assert!(
        timeout(Duration::from_millis(200), wire.command())
            .await
            .is_err()
    );
}
