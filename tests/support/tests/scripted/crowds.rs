//! Load without telephones: many calls at once, and storms of events.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use street::freeswitch::scripted::Crowd;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::client::{Client, SOON, Stage};

/// Takes the next call of a crowd and echoes what it says until it is over; returns its end.
async fn echo(mut client: Client) -> Option<String> {
    let connected = client.say("connect").await;
    let id = connected.get("Unique-ID")?.to_owned();
    client.say("myevents plain").await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
    let port = socket.local_addr().ok()?.port();
    let unicast = format!(
        "sendmsg\ncall-command: unicast\nlocal-ip: 127.0.0.1\nlocal-port: 0\n\
         remote-ip: 127.0.0.1\nremote-port: {port}\ntransport: udp"
    );
    client.say(&unicast).await;
    let echoes = tokio::spawn(async move {
        let mut buffer = [0; 1000];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..length], from).await;
        }
    });
    let over = client.event("CHANNEL_HANGUP_COMPLETE").await;
    echoes.abort();
    (over.get("Unique-ID") == Some(&id)).then_some(id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_keep_their_pace_while_five_hundred_events_a_second_are_told() {
    let stage = Stage::set().await;
    let mut client = Client::login(&stage.scripted, "CUSTOM callcenter::info").await;
    let crowd = stage
        .scripted
        .crowd(200, 4_520_000_000, "9001", &[])
        .unwrap();
    let mut bots = JoinSet::new();
    for _ in 0..200 {
        bots.spawn(echo(stage.door.call().await));
    }
    crowd.are_parked(200, SOON).await.unwrap();
    let flowing = |crowd: &Crowd| {
        crowd
            .datagrams()
            .iter()
            .all(|(sent, back)| *sent > 0 && *back > 0)
    };
    while !flowing(&crowd) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = crowd.datagrams();
    let lasting = Duration::from_secs(2);
    let began = Instant::now();
    let storm = stage.scripted.storm(500, lasting).unwrap();
    let sent = storm.over().await;
    let frames = began.elapsed().as_secs_f64() * 50.0;
    for (before, after) in before.iter().zip(crowd.datagrams()) {
        for (count, whose) in [(after.0 - before.0, "switch"), (after.1 - before.1, "bot")] {
            let share = count as f64 / frames;
            assert!(
                (0.8..1.2).contains(&share),
                "{share} of the {whose}'s frames"
            );
        }
    }
    for number in 1..=sent {
        let event = client.event("agent-state-change").await;
        assert_eq!(event.get("Storm-Number"), Some(number.to_string().as_str()));
    }
    crowd.hang_up_all();
    let mut ended = crowd.ids();
    while let Some(id) = bots.join_next().await {
        let id = id.unwrap().unwrap();
        ended.retain(|other| *other != id);
    }
    assert!(ended.is_empty(), "{} calls have no end", ended.len());
}

#[tokio::test]
async fn a_crowd_of_callers_reaches_the_bot_and_each_has_audio_both_ways() {
    let stage = Stage::set().await;
    let crowd = stage
        .scripted
        .crowd(10, 4_520_000_000, "9001", &[1000; 160])
        .unwrap();
    let mut bots = HashMap::new();
    for _ in 0..10 {
        let mut client = stage.door.call().await;
        let connected = client.say("connect").await;
        let caller = connected.get("Caller-Caller-ID-Number").unwrap().to_owned();
        client.say("myevents plain").await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        client
            .say(&format!(
                "sendmsg\ncall-command: unicast\nlocal-ip: 127.0.0.1\nlocal-port: 0\n\
                 remote-ip: 127.0.0.1\nremote-port: {port}\ntransport: udp"
            ))
            .await;
        bots.insert(caller, (client, socket));
    }
    assert_eq!(bots.len(), 10, "each caller has a number of their own");
    crowd.are_parked(10, SOON).await.unwrap();
    for (_, socket) in bots.values() {
        for _ in 0..5 {
            let mut buffer = [0; 1000];
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            assert_eq!(length, 320);
            // A late frame is filled.
            let frame = [buffer[0], buffer[1]];
            assert!([1000i16.to_le_bytes(), [0xff, 0xff]].contains(&frame));
            socket.send_to(&buffer[..length], from).await.unwrap();
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        crowd.heard().iter().all(|&heard| heard == 5),
        "{:?}",
        crowd.heard()
    );
    crowd.press(0, '7');
    crowd.hang_up_all();
    let pressed = &crowd.ids()[0];
    for (client, _) in bots.values_mut() {
        let event = client.event("CHANNEL_HANGUP_COMPLETE").await;
        let dialed = event.get("variable_digits_dialed");
        let expected = if event.get("Unique-ID") == Some(pressed) {
            "7"
        } else {
            "none"
        };
        assert_eq!(dialed, Some(expected));
    }
    assert_eq!(crowd.up(), 0);
}

#[tokio::test]
async fn a_wideband_call_has_datagrams_of_twice_the_size() {
    let stage = Stage::set().await;
    let _crowd = stage
        .scripted
        .crowd_at(16_000, 1, 4_520_000_000, "9001", &[])
        .unwrap();
    let mut client = stage.door.call().await;
    let connected = client.say("connect").await;
    assert_eq!(connected.get("variable_read_rate"), Some("16000"));
    assert_eq!(stage.scripted.rate_of("+4520000000").unwrap(), 16_000);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    client
        .say(&format!(
            "sendmsg\ncall-command: unicast\nlocal-ip: 127.0.0.1\nlocal-port: 0\n\
             remote-ip: 127.0.0.1\nremote-port: {port}\ntransport: udp"
        ))
        .await;
    let mut buffer = [0; 1000];
    let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
    assert_eq!(length, 640);
}

#[tokio::test]
async fn a_storm_reaches_those_who_asked_for_it_in_order_and_without_loss() {
    let stage = Stage::set().await;
    let mut client = Client::login(&stage.scripted, "CUSTOM callcenter::info").await;
    let storm = stage.scripted.storm(500, Duration::from_secs(1)).unwrap();
    let mut next = 1;
    while next <= 400 {
        let event = client.next_event().await;
        assert_eq!(event.get("Storm-Number"), Some(next.to_string().as_str()));
        next += 1;
    }
    let sent = storm.over().await;
    assert!((450..=505).contains(&sent), "{sent}");
    assert_eq!(stage.scripted.flow().unwrap()[0].2, 0);
}
