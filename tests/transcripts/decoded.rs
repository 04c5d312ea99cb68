//! Sessions recorded on a real Asterisk through all that Hotline makes of them: who arrived, what
//! happened to each call, how it was dialled.

use std::collections::BTreeMap;
use std::fmt::Write;

use hotline::pbx::asterisk::KeysFrom;
use hotline::pbx::asterisk::wire::Block;
use hotline::pbx::{CallEvent, Pbx};
use hotline::words::CallId;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::recording::{blocks, read, sessions};
use crate::snapshots;
use crate::stage::{LONG, Peer, Stage};

/// One channel of a recording, as a call of ours.
struct Followed {
    name: String,
    events: mpsc::Receiver<CallEvent>,
    text: String,
}

fn id(number: usize) -> CallId {
    let id = format!("d0000000-0000-4000-8000-{number:012}");
    CallId(id.parse().unwrap())
}

/// Says an event as it was recorded.
async fn say(peer: &mut Peer, block: &Block) {
    let lines = block
        .0
        .iter()
        .map(|(key, value)| format!("{key}: {value}\n"));
    peer.say(&(lines.collect::<String>() + "\n")).await;
}

/// Has the dialplan announce a call.
async fn announce(peer: &mut Peer, call: CallId, block: &Block) {
    let value = |key| block.get(key).unwrap_or_default();
    let (channel, uniqueid) = (value("Channel"), value("Uniqueid"));
    peer.say(&format!(
        "Event: UserEvent\nChannel: {channel}\nUniqueid: {uniqueid}\nUserEvent: Hotline\n\
         uuid: {call}\ndid: {}\ncaller: {}\nname: {}\n\n",
        value("Exten"),
        value("CallerIDNum"),
        value("CallerIDName")
    ))
    .await;
}

/// What becomes of a recorded session. Channels that the recorded dialplan did not announce are
/// announced here, so that what happens to each of them is seen.
async fn decoded(name: &str) -> String {
    let (asterisk, mut stage, _folder) = Stage::asterisk_with(KeysFrom::Manager);
    let mut peer = stage.ready(&asterisk).await;
    let recorded = blocks(&read(&format!("{name}.ami.in")));
    let of_dialplan =
        |block: &Block| block.is_event("UserEvent") && block.get("UserEvent") == Some("Hotline");
    let announced: BTreeMap<&str, CallId> = recorded
        .iter()
        .filter(|block| of_dialplan(block))
        .filter_map(|block| Some((block.get("Uniqueid")?, block.get("uuid")?)))
        .map(|(channel, id)| (channel, CallId(id.parse().unwrap())))
        .collect();
    let mut calls: Vec<Followed> = Vec::new();
    for block in recorded.iter().filter(|block| block.event().is_some()) {
        let own = of_dialplan(block);
        let new = block.is_event("Newchannel")
            // It stands for a call that has failed and is none.
            && block.get("Channel") != Some("OutgoingSpoolFailed")
            && !announced.contains_key(block.get("Uniqueid").unwrap_or_default());
        let call = match (own, new) {
            (true, _) => Some(announced[block.get("Uniqueid").unwrap()]),
            (false, true) => Some(id(calls.len())),
            (false, false) => None,
        };
        let events = call.map(|call| asterisk.follow(call));
        if own || !new {
            say(&mut peer, block).await;
        }
        if new {
            say(&mut peer, block).await;
            announce(&mut peer, call.unwrap(), block).await;
        }
        if let (Some(call), Some(events)) = (call, events) {
            let arrival = asterisk.arrival(call).await.unwrap();
            let mut text = String::new();
            let who = if own { "announced" } else { "seen" };
            writeln!(text, "{who}: {arrival:?}").unwrap();
            let name = arrival.channel;
            calls.push(Followed { name, events, text });
        }
    }
    // All has been heard when this is.
    let last = Block(vec![("Channel".to_owned(), "last".to_owned())]);
    announce(&mut peer, id(999), &last).await;
    asterisk.arrival(id(999)).await.unwrap();
    let mut text = String::new();
    for call in &mut calls {
        writeln!(text, "{}", call.name).unwrap();
        for line in call.text.lines() {
            writeln!(text, "  {line}").unwrap();
        }
        while let Ok(event) = call.events.try_recv() {
            writeln!(text, "  {event:?}").unwrap();
        }
        let over = matches!(
            call.events.try_recv(),
            Err(mpsc::error::TryRecvError::Disconnected)
        );
        writeln!(text, "  {}", if over { "over" } else { "still there" }).unwrap();
    }
    if calls.is_empty() {
        writeln!(text, "no call").unwrap();
    }
    text
}

#[tokio::test]
async fn every_recorded_session_tells_of_its_calls_what_it_always_told() {
    let names = sessions();
    assert_eq!(names.len(), 41);
    for name in names {
        let text = timeout(LONG, decoded(&name)).await.unwrap();
        snapshots("decoded/asterisk").bind(|| insta::assert_snapshot!(name, text));
    }
}
