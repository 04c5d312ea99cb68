//! The server over real loopback TCP: who gets in, who does not, and that no peer disturbs another.

#![expect(
    clippy::unwrap_used,
    reason = "what tests share may fail a test as they may"
)]

use audiosocket::frame::{Frame, Rate};
use audiosocket::server::{AcceptError, Config, Counts, Server, WhenFull};
use audiosocket::stream::{End, Offer, ReadError, Ready};
use audiosocket::{Client, Digit, FrameReader, FrameWriter, Session};
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0xe7cd_930d_5fb3_4517_bd81_3111_d58a_33e7);

async fn serve(config: Config) -> (Server, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::new(listener, config);
    let address = server.address().unwrap();
    (server, address)
}

/// Makes a call to a server of ordinary configuration, and returns both ends.
async fn one_call() -> (Client, Session, Server) {
    let (mut server, address) = serve(Config::default()).await;
    let client = Client::connect(address, ID).await.unwrap();
    let session = server.accept().await.unwrap();
    (client, session, server)
}

/// Reads until the other side has closed, however it did.
async fn closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest).await {
        Ok(_) => assert_eq!(rest, [], "a refused peer is told nothing"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

async fn next_audio(reader: &mut FrameReader) -> Vec<i16> {
    match reader.next().await.unwrap() {
        Some(Frame::Audio(audio)) => audio.samples().collect(),
        other => panic!("instead of audio came {other:?}"),
    }
}

async fn say_and_hear(says: &mut FrameWriter, hears: &mut FrameReader, sample: i16) {
    says.audio(Rate::Hz8000, &[sample; 160]).await.unwrap();
    assert_eq!(next_audio(hears).await, [sample; 160]);
}

#[tokio::test]
async fn a_call_is_handed_over_with_its_id_and_speaks_both_ways() {
    let (client, session, server) = one_call().await;
    assert_eq!(session.id(), ID);
    assert_eq!(server.calls(), 1);
    let (mut reader, mut writer) = session.split();
    let (mut hears, mut says) = client.split();
    say_and_hear(&mut says, &mut reader, 1000).await;
    say_and_hear(&mut writer, &mut hears, -1000).await;
    let key = Frame::Dtmf(Digit::new(b'#').unwrap());
    says.write(&key).await.unwrap();
    assert_eq!(reader.next().await.unwrap(), Some(key));
    assert_eq!(
        server.counters().read(),
        Counts {
            accepted: 1,
            ..Counts::default()
        }
    );
}

#[tokio::test]
async fn a_silent_peer_is_closed_at_the_deadline_and_holds_nobody_up() {
    let deadline = Duration::from_millis(200);
    let (mut server, address) = serve(Config {
        id_deadline: deadline,
        ..Config::default()
    })
    .await;
    let silent = TcpStream::connect(address).await.unwrap();
    let _good = Client::connect(address, ID).await.unwrap();
    let session = server.accept().await.expect("the good call comes first");
    assert_eq!(session.id(), ID);
    let error = server.accept().await.unwrap_err();
    let name = silent.local_addr().unwrap();
    assert_eq!(
        error.to_string(),
        format!("{name} did not say its id within 200 ms")
    );
    closed(silent).await;
    assert_eq!(server.counters().read().timed_out, 1);
}

#[tokio::test]
async fn a_peer_that_dribbles_its_id_is_held_to_the_same_deadline() {
    let deadline = Duration::from_millis(100);
    let (mut server, address) = serve(Config {
        id_deadline: deadline,
        ..Config::default()
    })
    .await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(&[0x01, 0, 16, 7, 7, 7]).await.unwrap();
    assert!(matches!(
        server.accept().await,
        Err(AcceptError::Late { .. })
    ));
}

#[tokio::test]
async fn garbage_peers_are_named_and_closed_while_a_good_call_goes_on() {
    let (client, session, mut server) = one_call().await;
    let counters = server.counters();
    let (mut reader, mut writer) = session.split();
    let (mut hears, mut says) = client.split();
    let garbage: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: pbx\r\n\r\n",
        &[0x16, 0x03, 0x01, 0x02, 0x00],
        &[0x10, 0xff, 0xff, 0, 0],
        &[0x01, 0x00, 0x11, 0, 0],
        &[0xff; 4096],
        &[0x00, 0x00, 0x00],
    ];
    for (round, bytes) in garbage.iter().cycle().take(60).enumerate() {
        let mut peer = TcpStream::connect(server.address().unwrap()).await.unwrap();
        peer.write_all(bytes).await.unwrap();
        let error = server.accept().await.unwrap_err();
        let name = peer.local_addr().unwrap().to_string();
        assert!(
            matches!(&error, AcceptError::Unread(ReadError::Malformed { .. })),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("from {name}: first frame")),
            "{error}"
        );
        say_and_hear(&mut says, &mut reader, round as i16).await;
        say_and_hear(&mut writer, &mut hears, round as i16).await;
    }
    let expected = Counts {
        accepted: 1,
        malformed: 60,
        ..Counts::default()
    };
    assert_eq!(counters.read(), expected);
    assert_eq!(server.calls(), 1);
}

#[tokio::test]
async fn a_call_beyond_the_limit_is_closed_and_a_freed_seat_is_given_again() {
    let (mut server, address) = serve(Config {
        calls: 1,
        ..Config::default()
    })
    .await;
    let first = Client::connect(address, ID).await.unwrap();
    let (reader, writer) = server.accept().await.unwrap().split();

    let mut second = Client::connect(address, Uuid::from_u128(2)).await.unwrap();
    let error = server.accept().await.unwrap_err();
    assert!(matches!(error, AcceptError::Full { id, .. } if id == Uuid::from_u128(2)));
    assert!(
        error
            .to_string()
            .ends_with("turned away: all 1 calls are taken"),
        "{error}"
    );
    assert_eq!(second.next().await.unwrap(), None);

    drop(reader);
    assert_eq!(server.calls(), 1, "half a session keeps its seat");
    drop((writer, first));
    assert_eq!(server.calls(), 0);
    let _third = Client::connect(address, Uuid::from_u128(3)).await.unwrap();
    assert_eq!(server.accept().await.unwrap().id(), Uuid::from_u128(3));
    assert_eq!(
        server.counters().read(),
        Counts {
            accepted: 2,
            refused: 1,
            ..Counts::default()
        }
    );
}

#[tokio::test]
async fn a_call_beyond_the_limit_can_be_failed_so_that_the_dialplan_notices() {
    let config = Config {
        calls: 0,
        when_full: WhenFull::Fail,
        ..Config::default()
    };
    let (mut server, address) = serve(config).await;
    let mut caller = Client::connect(address, ID).await.unwrap();
    assert!(matches!(
        server.accept().await,
        Err(AcceptError::Full { .. })
    ));
    let refusal = Frame::Error(Bytes::from_static(&[1]));
    assert_eq!(caller.next().await.unwrap(), Some(refusal));
    assert_eq!(caller.next().await.unwrap(), None);
}

#[tokio::test]
async fn silent_connections_cannot_crowd_out_a_call() {
    let an_hour = Duration::from_secs(3_600);
    let config = Config {
        unidentified: 3,
        id_deadline: an_hour,
        ..Config::default()
    };
    let (mut server, address) = serve(config).await;
    let mut crowd = Vec::new();
    for _ in 0..6 {
        crowd.push(TcpStream::connect(address).await.unwrap());
    }
    let _good = Client::connect(address, ID).await.unwrap();
    let mut closed_ones = Vec::new();
    let session = loop {
        match server.accept().await {
            Ok(session) => break session,
            Err(AcceptError::Crowded {
                peer,
                unidentified: 3,
            }) => closed_ones.push(peer),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(session.id(), ID);
    let oldest: Vec<SocketAddr> = crowd
        .iter()
        .take(closed_ones.len())
        .map(|peer| peer.local_addr().unwrap())
        .collect();
    assert_eq!(closed_ones, oldest, "the oldest make room");
    assert!(closed_ones.len() >= 3, "{closed_ones:?}");
    let at_once = Duration::from_secs(10);
    timeout(at_once, closed(crowd.remove(0)))
        .await
        .expect("closed long before its deadline");
    assert_eq!(server.counters().read().refused, closed_ones.len() as u64);
}

#[tokio::test]
async fn a_peer_that_leaves_without_an_id_gets_the_hint_about_answering() {
    let (mut server, address) = serve(Config::default()).await;
    drop(TcpStream::connect(address).await.unwrap());
    let error = server.accept().await.unwrap_err();
    assert!(matches!(error, AcceptError::Left { .. }));
    assert!(
        error.to_string().ends_with("Answer() before AudioSocket()"),
        "{error}"
    );
    assert_eq!(server.counters().read().left, 1);
}

#[tokio::test]
async fn two_hundred_calls_at_once_all_get_in_under_their_own_ids() {
    let (mut server, address) = serve(Config::default()).await;
    let calling = tokio::spawn(async move {
        let mut clients = Vec::new();
        for number in 0..200 {
            clients.push(
                Client::connect(address, Uuid::from_u128(number))
                    .await
                    .unwrap(),
            );
        }
        clients
    });
    let mut sessions = Vec::new();
    for _ in 0..200 {
        sessions.push(server.accept().await.unwrap());
    }
    let mut ids: Vec<u128> = sessions
        .iter()
        .map(|session| session.id().as_u128())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..200).collect::<Vec<u128>>());
    assert_eq!((server.calls(), calling.await.unwrap().len()), (200, 200));
}

#[tokio::test]
async fn a_closed_connection_is_a_hangup() {
    let (client, session, _server) = one_call().await;
    let (mut reader, _writer) = session.split();
    drop(client);
    assert_eq!(reader.next().await.unwrap(), None);
    assert_eq!(reader.next().await.unwrap(), None, "and stays one");
    assert_eq!(reader.end(), Some(End::Closed));
}

#[tokio::test]
async fn a_reset_connection_is_a_hangup_for_both_halves() {
    let (mut server, address) = serve(Config::default()).await;
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(&[&[0x01, 0, 16], &ID.as_bytes()[..]].concat())
        .await
        .unwrap();
    let (mut reader, mut writer) = server.accept().await.unwrap().split();
    writer.audio(Rate::Hz8000, &[0; 160]).await.unwrap();
    // Closing with something unread makes the system send a reset.
    peer.readable().await.unwrap();
    drop(peer);
    assert_eq!(reader.next().await.unwrap(), None);
    assert_eq!(reader.end(), Some(End::Reset));
    let error = writer.audio(Rate::Hz8000, &[0; 160]).await.unwrap_err();
    assert_eq!(error.to_string(), format!("{} has hung up", writer.peer()));
}

#[tokio::test]
async fn what_has_come_can_be_taken_without_waiting() {
    let (client, session, _server) = one_call().await;
    let (hears, mut says) = client.split();
    let (mut reader, _writer) = session.split();
    assert_eq!(reader.try_next().unwrap(), Ready::Nothing);
    for sample in 0..100 {
        says.audio(Rate::Hz8000, &[sample; 160]).await.unwrap();
    }
    drop((says, hears));
    let mut heard = Vec::new();
    loop {
        match reader.try_next().unwrap() {
            Ready::Frame(Frame::Audio(audio)) => heard.extend(audio.samples().take(1)),
            Ready::Nothing => tokio::task::yield_now().await,
            Ready::HungUp => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard, (0..100).collect::<Vec<i16>>());
    assert_eq!(reader.try_next().unwrap(), Ready::HungUp);
}

#[tokio::test]
async fn a_hangup_frame_is_a_hangup_and_what_follows_is_not_read() {
    let (client, session, _server) = one_call().await;
    let (_hears, mut says) = client.split();
    let (mut reader, _writer) = session.split();
    says.hangup().await.unwrap();
    says.audio(Rate::Hz8000, &[0; 160]).await.unwrap();
    assert_eq!(reader.next().await.unwrap(), None);
    assert_eq!(reader.next().await.unwrap(), None);
    assert_eq!(reader.end(), Some(End::Said));
}

#[tokio::test]
async fn a_call_that_turns_to_garbage_is_told_with_its_place_and_counted_once() {
    let (mut server, address) = serve(Config::default()).await;
    let mut peer = TcpStream::connect(address).await.unwrap();
    let id = [&[0x01, 0, 16], &ID.as_bytes()[..]].concat();
    peer.write_all(&[&id[..], &[0x03, 0, 1, b'1'], &[0x10, 0xff, 0xfe]].concat())
        .await
        .unwrap();
    let (mut reader, _writer) = server.accept().await.unwrap().split();
    assert!(matches!(reader.next().await, Ok(Some(Frame::Dtmf(_)))));
    let told = format!(
        "from {}: frame of kind 0x10 at byte 23 announces 65534 bytes",
        peer.local_addr().unwrap()
    );
    for _ in 0..2 {
        let error = reader.next().await.unwrap_err().to_string();
        assert!(error.starts_with(&told), "{error}");
    }
    assert_eq!(server.counters().read().malformed, 1);
}

#[tokio::test]
async fn a_peer_that_does_not_read_loses_frames_and_stays_in_step() {
    let (client, session, _server) = one_call().await;
    let (_reader, mut writer) = session.split();
    let (mut hears, says) = client.split();
    let loud = vec![0x5555; 16_000];
    let mut taken = 0;
    while writer.offer_audio(Rate::Hz192000, &loud).unwrap() == Offer::Taken {
        taken += 1;
        assert!(taken < 100_000, "the system's buffers have no end");
    }
    assert_eq!(writer.frames(), taken);
    assert_eq!(
        writer.offer_audio(Rate::Hz192000, &loud).unwrap(),
        Offer::Dropped
    );

    let listening = tokio::spawn(async move {
        let mut heard = 0;
        while let Some(frame) = hears.next().await.unwrap() {
            let Frame::Audio(audio) = frame else {
                panic!("out of step: {frame:?}")
            };
            heard += 1;
            assert!(audio.samples().all(|sample| sample == 0x5555));
        }
        heard
    });
    writer.audio(Rate::Hz192000, &loud).await.unwrap();
    drop(writer);
    drop(says);
    assert_eq!(listening.await.unwrap(), taken + 1);
}
