//! Recorded sessions through Hotline's reading of events, whole and in pieces.

use std::collections::BTreeMap;
use std::fmt::Write;

use freeswitch_esl_tokio::{ConnectionStatus, EslClient, EslEventStream};
use hotline::pbx::freeswitch::introduction::Introduction;
use hotline::pbx::freeswitch::told::Told;
use proptest::proptest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::recording::{Recording, sessions};
use crate::snapshots;

/// Bytes of a session that come one by one where they do; the rest comes in slightly larger pieces.
const ONE_BY_ONE: usize = 16_000;

/// How a session's bytes come over the network.
#[derive(Clone, Copy, Debug)]
enum Pieces {
    Whole,
    Of(usize),
}

/// What a client of ours makes of a session that comes in pieces: one line for each event that
/// matters, and how often the others came.
async fn decoded(session: &Recording, pieces: Pieces) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut text = String::new();
    let said = session.said.as_slice();
    // The connection is taken over where events can come: after the login, or after the channel
    // was described.
    let accepted = b"Reply-Text: +OK accepted\n\n";
    let begin = match session.commands()[..] {
        ["connect", ..] => {
            let end = said.windows(2).position(|two| two == b"\n\n").unwrap();
            let described = std::str::from_utf8(&said[..end]).unwrap();
            writeln!(text, "{:?}", Introduction::read(described).unwrap()).unwrap();
            Some(end + 2)
        }
        _ => said
            .windows(accepted.len())
            .position(|some| some == accepted)
            .map(|at| at + accepted.len()),
    };
    let bytes = said[begin.unwrap_or(0)..].to_vec();
    let player = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        play(stream, &bytes, pieces).await;
    });
    if begin.is_none() {
        let login = EslClient::connect("127.0.0.1", address.port(), "ClueCon");
        let refused = Box::pin(login).await;
        writeln!(text, "no login: {}", refused.unwrap_err()).unwrap();
    } else {
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, events) = EslClient::adopt_stream(stream, &[]).unwrap();
        read(events, &mut text).await;
        drop(client);
    }
    player.await.unwrap();
    named(&text)
}

async fn play(mut stream: TcpStream, bytes: &[u8], pieces: Pieces) {
    stream.set_nodelay(true).unwrap();
    let (first, size) = match pieces {
        Pieces::Whole => (0, bytes.len().max(1)),
        Pieces::Of(1) => (bytes.len().min(ONE_BY_ONE), 13),
        Pieces::Of(size) => (0, size),
    };
    for piece in bytes[..first].chunks(1).chain(bytes[first..].chunks(size)) {
        // A client that was not let in hears no more.
        if stream.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    // What the client still had to say is of no interest, but closing over it would be an error.
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn read(mut events: EslEventStream, text: &mut String) {
    let mut others = BTreeMap::<String, usize>::new();
    while let Some(event) = events.recv().await {
        match event {
            Ok(event) => match Told::read(&event) {
                Some(told) => writeln!(text, "{told:?}").unwrap(),
                None => {
                    let name = event.header_str("Event-Name").unwrap_or("(a log line)");
                    let name = match event.header_str("CC-Action") {
                        Some(action) => format!("{name} {action}"),
                        None => name.to_owned(),
                    };
                    *others.entry(name).or_default() += 1;
                }
            },
            Err(error) => writeln!(text, "cannot be read: {error}").unwrap(),
        }
    }
    let others: Vec<String> = others
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    if !others.is_empty() {
        writeln!(text, "matter to nobody: {}", others.join(", ")).unwrap();
    }
    match events.status() {
        ConnectionStatus::Disconnected(why) => writeln!(text, "end: {why}").unwrap(),
        _ => writeln!(text, "no end").unwrap(),
    }
}

/// Gives channels short names, in the order in which they are met.
fn named(text: &str) -> String {
    let mut short = text.to_owned();
    let mut names = 0_u8;
    while let Some(at) = short.find("CallId(").map(|at| at + "CallId(".len()) {
        let id = short[at..at + 36].to_owned();
        let name = format!("channel {}", char::from(b'A' + names));
        short = short
            .replace(&format!("CallId({id})"), &name)
            .replace(&id, &name);
        names += 1;
    }
    short
}

#[tokio::test]
async fn every_recorded_session_is_read_alike_whole_and_in_pieces() {
    let names = sessions();
    assert_eq!(names.len(), 31);
    for name in names {
        let session = Recording::read(&name);
        let whole = Box::pin(decoded(&session, Pieces::Whole)).await;
        for pieces in [Pieces::Of(7), Pieces::Of(1)] {
            let text = Box::pin(decoded(&session, pieces)).await;
            assert_eq!(whole, text, "{name} in pieces: {pieces:?}");
        }
        snapshots("../decoded/freeswitch").bind(|| insta::assert_snapshot!(name, whole));
    }
}

#[test]
fn the_recorded_caller_is_known_by_name_and_number() {
    let recording = Recording::read("outbound-call");
    let described = recording.messages().remove(0).head;
    let introduction = Introduction::read(&described).unwrap();
    let arrival = introduction.arrival;
    assert_eq!(arrival.name.as_deref(), Some("Søren Ærø"));
    assert_eq!(arrival.caller.unwrap().e164(), "+4500000017");
    assert_eq!((arrival.did.as_str(), introduction.rate), ("9001", 8000));
    assert_eq!(
        introduction.channel.to_string(),
        "2c1097d7-8dff-4d5d-9d97-3f66f40de7e4"
    );
}

#[test]
fn what_the_dialplan_says_about_a_caller_counts_more_than_what_the_channel_says() {
    let described = Recording::read("outbound-call").messages().remove(0).head;
    let more = "variable_hotline_did: %2B4580123456\nvariable_hotline_caller: %2B4570101017\n\
                variable_hotline_language: en\nvariable_hotline_purpose: callback%204F7K2\n";
    let introduction = Introduction::read(&format!("{described}{more}")).unwrap();
    let arrival = introduction.arrival;
    assert_eq!(arrival.did, "+4580123456");
    assert_eq!(arrival.caller.unwrap().e164(), "+4570101017");
    assert_eq!(arrival.language.as_deref(), Some("en"));
    assert_eq!(arrival.purpose.as_deref(), Some("callback 4F7K2"));
    let again = format!("{described}{more}variable_hotline_call: x\n");
    let introduction = Introduction::read(&again).unwrap();
    assert!(introduction.again);
    assert_eq!(introduction.arrival.purpose, None);
}

#[test]
fn a_channel_that_cannot_be_served_is_named_with_its_remedy() {
    let described = Recording::read("outbound-call").messages().remove(0).head;
    let mut errors = Vec::new();
    let mut changed = |old: &str, new: &str| {
        assert!(described.contains(old), "{old}");
        errors.push(Introduction::read(&described.replace(old, new)).unwrap_err());
    };
    changed("Socket-Mode: async", "Socket-Mode: static");
    changed("Control: full", "Control: single-channel");
    changed("\nUnique-ID: ", "\nOther-ID: ");
    changed("Codec-Rate: 8000", "Codec-Rate: 32000");
    changed("Event-Name: CHANNEL_DATA", "Content-Length: -1");
    changed("Event-Name: CHANNEL_DATA", "GET / HTTP/1.1");
    insta::assert_snapshot!(errors.join("\n"), @r#"
    the dialplan's `socket` lacks its options: write `socket HOST:PORT async full`
    the dialplan's `socket` lacks its options: write `socket HOST:PORT async full`
    no FreeSWITCH: it names no channel
    the caller's codec has a rate of 32000 Hz, and 8000, 16000 and 48000 are served: pin the codec in the dialplan, such as absolute_codec_string=PCMA@8000h@20i
    no FreeSWITCH: it announces a body of "-1" bytes, and a channel's description has none
    no FreeSWITCH: Invalid header format: GET / HTTP/1.1
    "#);
}

proptest! {
    #[test]
    fn no_description_of_a_channel_is_too_strange_to_be_read(text in "(?s).{0,300}", cut in 0_usize..7000) {
        let _ = Introduction::read(&text);
        let described = Recording::read("outbound-call").messages().remove(0).head;
        let cut = described.floor_char_boundary(cut);
        let _ = Introduction::read(&described[..cut]);
        let _ = Introduction::read(&format!("{}{text}{}", &described[..cut], &described[cut..]));
    }
}
