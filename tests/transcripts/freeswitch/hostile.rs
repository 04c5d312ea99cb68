//! What is no FreeSWITCH, or a broken one: at the door, on the audio ports, and on the link.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hotline::call::line::FromCaller;
use hotline::call::unicast;
use hotline::pbx::LinkState;
use hotline::pbx::freeswitch::told::Told;
use hotline::pbx::freeswitch::unicast::Incoming;
use hotline::pbx::news::News;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::channel::{Channel, Plan, frame};
use super::link::Plugged;
use super::recording::Recording;
use super::sessions::{Call, echo};
use super::speaker::Speaker;
use super::switch::{Room, Socket, Wire, event, times, visitor};
use crate::stage::LONG;

/// Says something to the door, as often as is wanted, and tells how long it took until the door
/// closed the connection for good.
async fn said_to(door: SocketAddr, text: &str, again: bool) -> Duration {
    let mut stream = TcpStream::connect(door).await.unwrap();
    let begun = Instant::now();
    let talking = async {
        let mut bytes = [0; 1024];
        while stream.write_all(text.as_bytes()).await.is_ok() {
            if !again {
                while matches!(stream.read(&mut bytes).await, Ok(1..)) {}
                return;
            }
        }
    };
    timeout(LONG, talking).await.unwrap();
    begun.elapsed()
}

/// Checks that a caller who is with us is still heard and answered.
async fn goes_on(channel: &Channel, mark: i16) {
    channel.send(mark).await;
    let answer = channel.hear(LONG).await.unwrap();
    assert_eq!(answer, frame(160, mark));
}

/// A caller who is with us, heard and answered.
struct InProgress {
    call: Call,
    others: mpsc::UnboundedReceiver<FromCaller>,
    speaker: Arc<Speaker>,
}

impl InProgress {
    async fn begin() -> Self {
        let speaker = Speaker::start();
        let plan = Plan {
            speaker: Some(Arc::clone(&speaker)),
            ..Plan::default()
        };
        let mut call = Call::begin(plan).await;
        let media = call.visitor.take().unwrap().media;
        let others = echo(unicast::line(media));
        Self {
            call,
            others,
            speaker,
        }
    }

    fn door(&self) -> SocketAddr {
        self.call.door.address()
    }

    /// Runs something beside the call, which goes on all the time and afterwards.
    async fn beside(&mut self, work: impl Future<Output = ()>) {
        work.await;
        let before = self.speaker.answers();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let after = self.speaker.answers();
        assert!(
            after > before,
            "the caller is answered no more: {before:?} {after:?}"
        );
        assert!(self.others.try_recv().is_err(), "the call has ended");
    }

    /// Has another caller come in.
    async fn next(&mut self) {
        let next = Channel::call(self.door(), Plan::default()).await;
        assert_eq!(visitor(&mut self.call.door).await.call, next.call_id());
    }
}

#[tokio::test]
async fn what_is_no_freeswitch_is_shown_the_door_and_calls_go_on() {
    let mut call = InProgress::begin().await;
    let door = call.door();
    let described = Recording::read("outbound-call").messages().remove(0).head;
    let changed = |old: &str, new: &str| {
        assert!(described.contains(old), "{old}");
        format!("{}\n", described.replace(old, new))
    };
    let large = changed("Event-Name: ", "Content-Length: 104857600\nEvent-Name: ");
    let negative = changed("Event-Name: ", "Content-Length: -1\nEvent-Name: ");
    let at_once = [
        "\u{0}\u{1}\u{2}\n\n".to_owned(),
        "GET / HTTP/1.1\nHost: x\n\n".to_owned(),
        "\n\n".to_owned(),
        format!("{}\n\n", "x".repeat(100_000)),
        "Content-Type: command/reply\nReply-Text: -ERR no\n\n".to_owned(),
        "Content-Type: text/disconnect-notice\nContent-Length: 0\n\n".to_owned(),
        large,
        negative,
        changed("Socket-Mode: async", "Socket-Mode: static"),
        changed("Control: full\n", ""),
        changed("\nUnique-ID: ", "\nNo-ID: "),
        changed("Codec-Rate: 8000", "Codec-Rate: 0"),
        changed("\nUnique-ID: ", "\nUnique-ID: ../../"),
    ];
    call.beside(async {
        for text in at_once {
            let took = said_to(door, &text, false).await;
            assert!(
                took < Duration::from_millis(1500),
                "{took:?} for {text:.60}"
            );
        }
    })
    .await;
    // The next caller comes in.
    call.next().await;
}

#[tokio::test]
async fn a_connection_that_does_not_say_whose_it_is_is_closed_after_two_seconds() {
    let mut call = InProgress::begin().await;
    let door = call.door();
    let unfinished = "Event-Name: CHANNEL_DATA\n";
    call.beside(async {
        let (one, two, three) = tokio::join!(
            said_to(door, "", false),
            said_to(door, unfinished, false),
            said_to(door, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false)
        );
        for took in [one, two, three] {
            let seconds = took.as_secs_f64();
            assert!((1.9..4.0).contains(&seconds), "{took:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn headers_without_an_end_are_read_no_further_than_is_needed() {
    let mut call = InProgress::begin().await;
    let door = call.door();
    call.beside(async {
        for text in ["A: b\n".repeat(2000), "x".repeat(10_000)] {
            let took = said_to(door, &text, true).await;
            assert!(took < Duration::from_millis(1900), "{took:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn three_hundred_connections_at_once_cost_no_call_and_pass() {
    let mut call = InProgress::begin().await;
    let door = call.door();
    call.beside(async {
        let many = (0..300).map(|_| said_to(door, "", false));
        futures_util::future::join_all(many).await;
    })
    .await;
    call.next().await;
}

/// Has a connection introduce itself as a call and then say something at a later command.
async fn breaks_off(door: SocketAddr, command: usize, text: &str) -> Duration {
    let mut wire = Wire::new(TcpStream::connect(door).await.unwrap());
    let recording = Recording::read("outbound-transfer-queue");
    for number in 1..command {
        wire.command().await.unwrap();
        wire.say(&recording.answer(number).with(&[])).await;
    }
    wire.command().await.unwrap();
    let begun = Instant::now();
    wire.say(text).await;
    // Hotline's end is closed when nothing that we say is taken any more.
    let closing = async {
        while wire.stream.write_all(b"\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(15), closing).await.unwrap();
    begun.elapsed()
}

#[tokio::test]
async fn a_call_whose_connection_turns_strange_is_closed_for_good() {
    let mut call = InProgress::begin().await;
    let door = call.door();
    let large = "Content-Type: api/response\nContent-Length: 104857600\n\n";
    let negative = "Content-Type: api/response\nContent-Length: -1\n\n";
    let refusal = "Content-Type: command/reply\nReply-Text: -ERR no\n\n";
    let never = "Content-Type: command/reply\nContent-Length: 100000\n\nxxxx";
    call.beside(async {
        let strange = [
            (2, large),
            (3, negative),
            (2, refusal),
            (4, "no header\n\n"),
            (5, "Content-Type: bogus\n\n"),
            (2, "Content-Type: auth/request\n\n"),
            (6, "\n\n"),
        ];
        let all = strange.map(|(command, text)| async move {
            let took = breaks_off(door, command, text).await;
            assert!(took < Duration::from_millis(1500), "{took:?} for {text:?}");
        });
        let waits = async {
            let took = breaks_off(door, 2, never).await;
            assert!(took < Duration::from_secs(8), "{took:?}");
        };
        tokio::join!(futures_util::future::join_all(all), waits);
    })
    .await;
}

#[tokio::test]
async fn strangers_are_not_heard_and_are_counted() {
    let plan = Plan {
        talks: false,
        ..Plan::default()
    };
    let mut call = Call::begin(plan).await;
    echo(unicast::line(call.visitor.take().unwrap().media));
    let hotline = call.channel.hotline().await;
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let mut sent = 0;
    for mark in 0..20 {
        for stranger in [&near, &far] {
            for bytes in [frame(160, -1), Vec::new(), vec![7; 65_507], vec![7; 3]] {
                stranger.send_to(&bytes, hotline).await.unwrap();
                sent += 1;
            }
        }
        // FreeSWITCH itself sends what is no frame.
        for bytes in [Vec::new(), vec![7; 65_507], vec![7; 319], vec![7; 640]] {
            call.channel.audio.send_to(&bytes, hotline).await.unwrap();
        }
        goes_on(&call.channel, mark).await;
    }
    let one_more = call.channel.hear(Duration::from_millis(100)).await;
    assert_eq!(one_more, None);
    for stranger in [near, far] {
        assert!(
            stranger.try_recv(&mut [0; 10]).is_err(),
            "a stranger was answered"
        );
    }
    assert_eq!(call.room.strangers.get(), sent);
}

#[tokio::test]
async fn a_stranger_who_is_first_does_not_end_the_call() {
    let room = Room::open().await;
    let mut door = room.door().await;
    let plan = Plan {
        silent: true,
        ..Plan::default()
    };
    let channel = Channel::call(door.address(), plan).await;
    let hotline = channel.hotline().await;
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    far.send_to(&frame(160, 1), hotline).await.unwrap();
    for bytes in [vec![7; 319], Vec::new(), vec![7; 65_507]] {
        near.send_to(&bytes, hotline).await.unwrap();
    }
    channel.send(1).await;
    let mut visitor = visitor(&mut door).await;
    channel.send(2).await;
    let heard = timeout(LONG, visitor.media.next()).await.unwrap();
    assert_eq!(heard, Incoming::Audio(vec![2; 160]));
}

#[tokio::test]
async fn a_codec_that_is_not_pinned_is_told_with_its_remedy_and_left_to_the_dialplan() {
    let room = Room::open().await;
    let door = room.door().await;
    let plan = Plan {
        silent: true,
        ..Plan::default()
    };
    let mut channel = Channel::call(door.address(), plan).await;
    let hotline = channel.hotline().await;
    channel.audio.send_to(&[0; 640], hotline).await.unwrap();
    // It would be heard as noise: the caller is with the dialplan again.
    channel.closed().await;
}

#[tokio::test]
async fn a_longer_datagram_is_no_frame_at_48_khz_either() {
    let plan = Plan {
        rate: 48_000,
        talks: false,
        ..Plan::default()
    };
    let mut call = Call::begin(plan).await;
    let mut media = call.visitor.take().unwrap().media;
    let hotline = call.channel.hotline().await;
    let long = frame(32_000, 7);
    call.channel.audio.send_to(&long, hotline).await.unwrap();
    call.channel.send(1).await;
    let heard = timeout(LONG, media.next()).await.unwrap();
    assert_eq!(heard, Incoming::Audio(vec![1; 960]));
}

#[tokio::test]
async fn an_event_that_cannot_be_read_costs_only_itself_and_is_counted() {
    let socket = Socket::open().await;
    let mut plugged = Plugged::to(&socket, times()).await;
    let mut wire = socket.admit().await;
    plugged.is_ready().await;
    wire.say(&event("Event-Name: CHANNEL_ANSWER\na line without a colon"))
        .await;
    let id = "c0000000-0000-4000-8000-000000000001";
    wire.tell(&format!("Event-Name: CHANNEL_ANSWER\nUnique-ID: {id}"))
        .await;
    let mut told = Vec::new();
    while told.len() < 3 {
        match timeout(LONG, plugged.news.next()).await.unwrap().unwrap() {
            News::Event(event) => told.push(format!("{event:?}")),
            News::Link(state) => told.push(format!("{state:?}")),
            News::Lost(lost) => told.push(format!("{lost} lost")),
        }
    }
    assert_eq!(
        told,
        ["Ready", "1 lost", &format!("Answered(CallId({id}))")]
    );
}

#[tokio::test]
async fn a_job_may_print_as_many_lines_as_it_likes() {
    let socket = Socket::open().await;
    let mut plugged = Plugged::to(&socket, times()).await;
    let mut wire = socket.admit().await;
    plugged.is_ready().await;
    let printed = format!(
        "{}+OK done{}",
        "\n".repeat(100_000),
        "\r\n\n".repeat(100_000)
    );
    let headers = "Event-Name: BACKGROUND_JOB\nJob-Command-Arg: x";
    let body = format!("{headers}\nContent-Length: {}\n\n{printed}", printed.len());
    let length = body.len();
    let framed = format!("Content-Length: {length}\nContent-Type: text/event-plain\n\n{body}");
    wire.say(&framed).await;
    let told = loop {
        if let News::Event(told) = timeout(LONG, plugged.news.next()).await.unwrap().unwrap() {
            break told;
        }
    };
    let expected = Told::Job {
        arguments: "x".to_owned(),
        result: "+OK done".to_owned(),
    };
    assert_eq!(*told, expected);
}

#[tokio::test]
async fn a_link_that_turns_strange_is_told_as_lost_and_opened_again() {
    let strange = [
        "Content-Type: text/event-plain\nContent-Length: 104857600\n\n",
        "Content-Type: text/event-plain\nContent-Length: -1\n\n",
        "no header\n\n",
        "Content-Type: bogus\n\n",
        "Content-Type: auth/request\n\n",
        "\n\n",
    ];
    let socket = Socket::open().await;
    let mut plugged = Plugged::to(&socket, times()).await;
    let mut reasons = Vec::new();
    for text in strange {
        let mut wire = socket.admit().await;
        wire.say(text).await;
        reasons.push(plugged.down().await);
    }
    insta::assert_snapshot!(reasons.join("\n"), @r"
    the connection to FreeSWITCH broke: protocol error: Protocol error: Message too large: Content-Length 104857600 exceeds limit 8388608. Protocol error or corrupted data.
    the connection to FreeSWITCH broke: protocol error: Invalid header format: Content-Length: -1
    the connection to FreeSWITCH broke: protocol error: Invalid header format: no header
    the connection to FreeSWITCH broke: protocol error: Protocol error: Unrecognized Content-Type: bogus
    the connection to FreeSWITCH broke: Protocol error: unsolicited auth/request received after authentication
    the connection to FreeSWITCH broke: protocol error: Protocol error: Missing Content-Type header -- likely protocol desync
    ");
}

#[tokio::test]
async fn whatever_the_link_is_told_it_comes_back() {
    let mut runner = TestRunner::deterministic();
    let pieces = prop_oneof![
        "(?s).{0,40}",
        Just("\n\n".to_owned()),
        Just("Content-Type: text/event-plain\n".to_owned()),
        Just("Content-Type: api/response\n".to_owned()),
        "Content-Length: [0-9]{1,3}\n",
        "Event-Name: (DTMF|CUSTOM|BACKGROUND_JOB|CHANNEL_HANGUP)\n",
        "[A-Za-z-]{1,20}: %?[0-9A-F%]{0,6}\n",
    ];
    let strategy = prop::collection::vec(pieces, 0..20);
    let socket = Socket::open().await;
    let plugged = Plugged::to(&socket, times()).await;
    for _ in 0..40 {
        let text = strategy.new_tree(&mut runner).unwrap().current().concat();
        let mut wire = socket.admit().await;
        wire.say(&text).await;
        let _ = wire.stream.shutdown().await;
        drop(wire);
    }
    let _wire = socket.admit().await;
    plugged.is_ready().await;
    assert_eq!(*plugged.link.state().borrow(), LinkState::Ready);
}
