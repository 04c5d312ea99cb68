//! Recorded sessions through the decoder and through the link.

use std::collections::BTreeMap;

use hotline::pbx::asterisk::link::{Link, Times};
use hotline::pbx::asterisk::wire::{Action, Block, Kind};
use hotline::pbx::{LinkState, PbxError};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::recording::{blocks, decode, folder, read, sessions};
use crate::stage::{LONG, Peer, Stage, times, until};

#[test]
fn every_recorded_session_decodes_alike_whole_and_byte_by_byte() {
    for name in sessions() {
        let bytes = read(&format!("{name}.ami.in"));
        let whole = decode([bytes.as_slice()].into_iter());
        assert_eq!(whole, decode(bytes.chunks(1)), "{name} byte by byte");
        for size in [2, 7, 61, 1448] {
            assert_eq!(
                whole,
                decode(bytes.chunks(size)),
                "{name} in pieces of {size}"
            );
        }
    }
}

#[test]
fn every_recorded_session_holds_what_was_counted_when_it_was_recorded() {
    let mut lines = String::new();
    for name in sessions()
        .iter()
        .filter(|name| !name.starts_with("callback-"))
    {
        let blocks = blocks(&read(&format!("{name}.ami.in")));
        let of = |kind| blocks.iter().filter(|block| block.kind() == kind).count();
        assert_eq!(of(Kind::Unknown), 0, "{name}");
        let headers: usize = blocks.iter().map(|block| block.0.len()).sum();
        lines.push_str(&format!(
            "{name}: {} responses, {} events, {headers} headers\n",
            of(Kind::Response),
            of(Kind::Event)
        ));
    }
    insta::assert_snapshot!(lines, @r"
    bot-call: 3 responses, 13 events, 254 headers
    bot-call-all-events: 3 responses, 27 events, 519 headers
    bot-call-commands: 24 responses, 23 events, 445 headers
    bot-down-fallback: 3 responses, 33 events, 729 headers
    hangup: 7 responses, 7 events, 130 headers
    interleaved: 6 responses, 11 events, 225 headers
    login-events-off: 3 responses, 0 events, 9 headers
    login-md5: 6 responses, 1 events, 40 headers
    login-md5-wrong: 2 responses, 0 events, 6 headers
    login-missing: 2 responses, 0 events, 6 headers
    login-plain: 2 responses, 1 events, 11 headers
    login-while-booting: 3 responses, 2 events, 22 headers
    originate-busy: 4 responses, 9 events, 163 headers
    originate-errors: 10 responses, 24 events, 424 headers
    originate-missing-extension: 4 responses, 1 events, 17 headers
    originate-no-answer: 4 responses, 9 events, 161 headers
    originate-no-such-endpoint: 4 responses, 2 events, 29 headers
    originate-no-such-extension: 4 responses, 10 events, 179 headers
    originate-not-found: 4 responses, 9 events, 163 headers
    originate-success: 4 responses, 15 events, 276 headers
    originate-unreachable: 4 responses, 2 events, 29 headers
    permission-denied: 5 responses, 1 events, 20 headers
    queue-abandoned: 3 responses, 24 events, 529 headers
    queue-agent-busy-then-abandoned: 3 responses, 21 events, 463 headers
    queue-answered-caller-ends: 3 responses, 32 events, 707 headers
    queue-status: 27 responses, 63 events, 739 headers
    redirect-bad-target: 4 responses, 6 events, 116 headers
    redirect-queue-answered: 5 responses, 35 events, 778 headers
    redirect-queue-timeout: 4 responses, 25 events, 575 headers
    restart-core-restart-now: 2 responses, 8 events, 134 headers
    restart-reconnect: 3 responses, 1 events, 15 headers
    shutdown-core-stop-now: 2 responses, 8 events, 134 headers
    ");
}

/// The recorded actions with the byte at which each ends.
fn recorded_actions(name: &str) -> Vec<(usize, Block)> {
    let bytes = read(&format!("{name}.ami.out"));
    let text = String::from_utf8(bytes).unwrap();
    let mut at = 0;
    let parts = text.split_inclusive("\r\n\r\n");
    let parsed = parts.map(|part| {
        at += part.len();
        let header = |line: &str| {
            let (key, value) = line.split_once(':').unwrap();
            (
                key.to_owned(),
                value.strip_prefix(' ').unwrap_or(value).to_owned(),
            )
        };
        (
            at,
            Block(
                part.trim_end_matches("\r\n")
                    .split("\r\n")
                    .map(header)
                    .collect(),
            ),
        )
    });
    parsed.collect()
}

/// What Asterisk said, each piece with the number of actions it had got before.
fn recorded_pieces(name: &str, actions: &[(usize, Block)]) -> Vec<(usize, Vec<u8>)> {
    let bytes = read(&format!("{name}.ami.in"));
    let rows = String::from_utf8(read(&format!("{name}.ami.timeline.tsv"))).unwrap();
    let mut sent = 0;
    let mut pieces: Vec<(usize, Vec<u8>)> = Vec::new();
    for row in rows.lines().skip(1) {
        let mut fields = row.split('\t').skip(1);
        let direction = fields.next().unwrap();
        let numbers: Vec<usize> = fields.map(|field| field.parse().unwrap()).collect();
        let (offset, length) = (numbers[0], numbers[1]);
        if direction == "out" {
            sent = actions
                .iter()
                .filter(|(end, _)| *end <= offset + length)
                .count();
        } else {
            let piece = &bytes[offset..offset + length];
            match pieces.last_mut() {
                Some((after, bytes)) if *after == sent => bytes.extend_from_slice(piece),
                _ => pieces.push((sent, piece.to_vec())),
            }
        }
    }
    pieces
}

/// Plays Asterisk's part of a recording; the client's ActionIDs take the place of the recorded ones.
async fn play(mut peer: Peer, actions: Vec<(usize, Block)>, pieces: Vec<(usize, Vec<u8>)>) {
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut rest = actions.into_iter();
    let mut got = 0;
    for (after, piece) in pieces {
        while got < after {
            let (_, recorded) = rest.next().unwrap();
            let Some(action) = peer.action().await else {
                return;
            };
            assert_eq!(action.get("Action"), recorded.get("Action"));
            let id = |block: &Block| block.get("ActionID").unwrap().to_owned();
            ids.insert(id(&recorded), id(&action));
            got += 1;
        }
        let text = String::from_utf8(piece).unwrap();
        let line = |line: &str| match line.strip_prefix("ActionID: ") {
            Some(id) => format!(
                "ActionID: {}",
                ids.get(id.trim_end()).map_or(id, String::as_str)
            ),
            None => line.trim_end_matches("\r\n").to_owned(),
        };
        for part in text.split_inclusive("\r\n") {
            if peer
                .stream
                .write_all(format!("{}\r\n", line(part)).as_bytes())
                .await
                .is_err()
            {
                return;
            }
        }
    }
}

/// Asks what was asked in the recording and compares the answer.
async fn check(name: &str, link: &Link, action: &Block, said: &[Block]) {
    let id = action.get("ActionID").unwrap();
    let is_answer =
        |block: &&Block| block.kind() == Kind::Response && block.get("ActionID") == Some(id);
    let expected = said.iter().find(is_answer).unwrap();
    let mut ask = Action::new(action.get("Action").unwrap());
    for (key, value) in &action.0[2..] {
        ask = ask.with(key, value.clone());
    }
    if expected.get("EventList") == Some("start") {
        let items = link.list(ask).await.unwrap();
        let of_list = |block: &&Block| {
            block.kind() == Kind::Event
                && block.get("ActionID") == Some(id)
                && block.get("EventList").is_none()
        };
        let expected: Vec<&Block> = said.iter().filter(of_list).collect();
        assert_eq!(items.len(), expected.len(), "{name} {id}");
        for (item, expected) in items.iter().zip(expected) {
            assert_eq!(item.event(), expected.event(), "{name} {id}");
            assert_eq!(item.0.len(), expected.0.len(), "{name} {id}");
        }
        return;
    }
    match link.ask(ask).await {
        Ok(answer) => {
            assert_eq!(
                answer.get("Message"),
                expected.get("Message"),
                "{name} {id}"
            );
            assert_eq!(answer.get("Value"), expected.get("Value"), "{name} {id}");
        }
        Err(PbxError::Refused { message, .. }) => {
            assert_eq!(expected.get("Response"), Some("Error"), "{name} {id}");
            assert_eq!(Some(message.as_str()), expected.get("Message"));
        }
        Err(error) => panic!("{name} {id}: {error}"),
    }
}

#[tokio::test]
async fn every_recorded_action_gets_its_recorded_answer_through_the_link() {
    let mut replayed = 0;
    for name in sessions() {
        if !folder().join(format!("{name}.ami.out")).exists() {
            continue;
        }
        let actions = recorded_actions(&name);
        let asked: Vec<Block> = actions.iter().map(|(_, block)| block.clone()).collect();
        let unusual = ["login-missing", "login-plain", "login-md5-wrong"].contains(&name.as_str());
        if unusual {
            continue;
        }
        let pieces = recorded_pieces(&name, &actions);
        let said = blocks(&read(&format!("{name}.ami.in")));
        let (link, mut stage) = Stage::link(Times {
            action: LONG,
            ..times()
        });
        let peer = stage.peer().await;
        let player = tokio::spawn(play(peer, actions, pieces));
        until(&mut link.state(), |state| {
            !matches!(state, LinkState::Down(_))
        })
        .await;
        let checks = asked[2..]
            .iter()
            .map(|action| check(&name, &link, action, &said));
        if name == "interleaved" {
            futures_util::future::join_all(checks).await;
        } else {
            for check in checks {
                check.await;
            }
        }
        timeout(LONG, player).await.unwrap().unwrap();
        stage.stop.cancel();
        replayed += 1;
    }
    assert!(replayed > 25, "only {replayed} sessions");
}
