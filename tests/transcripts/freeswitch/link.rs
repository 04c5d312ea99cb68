//! The link: login, refusals, outages, answers and news.

use std::time::Duration;

use hotline::pbx::freeswitch::link::{Link, Times};
use hotline::pbx::freeswitch::told::Told;
use hotline::pbx::news::{News, Stream, Teller};
use hotline::pbx::{LinkState, PbxError};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::recording::Recording;
use super::switch::{PASSWORD, Socket, Wire, event, times};
use crate::stage::{LONG, until};

/// A link of its own, and what it tells.
pub(super) struct Plugged {
    pub(super) link: Link,
    pub(super) teller: Teller<Told>,
    pub(super) news: Stream<Told>,
    port: String,
    stop: CancellationToken,
    folder: tempfile::TempDir,
}

impl Drop for Plugged {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Plugged {
    pub(super) fn start(port: u16, times: Times) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
        let (teller, stop) = (Teller::default(), CancellationToken::new());
        let news = teller.listen();
        let host = "127.0.0.1".to_owned();
        let link = Link::start(host, port, file, times, teller.clone(), stop.clone());
        Self {
            link,
            teller,
            news,
            port: port.to_string(),
            stop,
            folder,
        }
    }

    pub(super) async fn to(socket: &Socket, times: Times) -> Self {
        Self::start(socket.address().port(), times)
    }

    pub(super) async fn is_ready(&self) {
        until(&mut self.link.state(), |state| *state == LinkState::Ready).await;
    }

    fn password_file(&self) -> std::path::PathBuf {
        self.folder.path().join("password")
    }

    async fn next(&mut self) -> News<Told> {
        timeout(LONG, self.news.next()).await.unwrap().unwrap()
    }

    /// Waits for the next loss of the connection, and for why, without what differs at each run.
    async fn down(&mut self) -> String {
        loop {
            if let News::Link(LinkState::Down(why)) = self.next().await {
                let folder = self.folder.path().display().to_string();
                return why.replace(&folder, "FOLDER").replace(&self.port, "PORT");
            }
        }
    }
}

/// Plays a recorded connection: what the switch said, each piece when as many commands have come as
/// had come then. Returns the commands.
async fn play(mut wire: Wire, recording: &Recording) -> Vec<String> {
    use tokio::io::AsyncWriteExt;
    let (mut commands, mut asked) = (Vec::new(), 0);
    for row in recording.rows() {
        match (row.from_switch, row.length) {
            (true, 0) => wire.stream.shutdown().await.unwrap(),
            (true, _) => {
                wire.stream.write_all(recording.bytes(row)).await.unwrap();
            }
            (false, _) => {
                asked = asked.max(recording.commands_until(row));
                while commands.len() < asked {
                    let command = timeout(LONG, wire.command()).await.unwrap();
                    commands.push(command.unwrap());
                }
            }
        }
    }
    commands
}

/// What the link says when it meets a recorded connection.
async fn meeting(name: &str) -> (String, Vec<String>) {
    let socket = Socket::open().await;
    let mut plugged = Plugged::to(&socket, times()).await;
    let wire = socket.next().await;
    let recording = Recording::read(name);
    let commands = timeout(LONG, play(wire, &recording)).await.unwrap();
    (plugged.down().await, commands)
}

#[tokio::test]
async fn a_wrong_password_is_told_with_its_remedy() {
    let (why, commands) = meeting("inbound-auth-wrong").await;
    insta::assert_snapshot!(why, @"FreeSWITCH at 127.0.0.1:PORT refuses the password in FOLDER/password: it is not the password of event_socket.conf.xml");
    assert_eq!(commands, [format!("auth {PASSWORD}")]);
}

#[tokio::test]
async fn an_address_that_is_not_let_in_is_told_with_its_remedy() {
    let (why, commands) = meeting("inbound-acl-rejected").await;
    insta::assert_snapshot!(why, @"FreeSWITCH at 127.0.0.1:PORT does not let this machine's address in: allow it in acl.conf.xml, in the list that apply-inbound-acl of event_socket.conf.xml names");
    assert_eq!(commands, Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_at_once() {
    for name in ["inbound-auth-wrong", "inbound-acl-rejected"] {
        let socket = Socket::open().await;
        let _plugged = Plugged::to(&socket, times()).await;
        play(socket.next().await, &Recording::read(name)).await;
        let again = timeout(Duration::from_millis(400), socket.next()).await;
        assert!(again.is_err(), "{name}: another attempt");
    }
}

#[tokio::test]
async fn a_switch_that_shuts_down_says_so_and_is_met_again_when_it_is_back() {
    let socket = Socket::open().await;
    let mut plugged = Plugged::to(&socket, times()).await;
    let recording = Recording::read("shutdown");
    let (commands, _) = tokio::join!(
        async { play(socket.next().await, &recording).await },
        plugged.is_ready()
    );
    // Where the recorded client ordered the shutdown, ours asks the time.
    assert_eq!(commands[2], "api strepoch");
    let mut told = Vec::new();
    let why = loop {
        match plugged.next().await {
            News::Event(event) => told.push(event),
            News::Link(LinkState::Down(why)) => break why,
            News::Link(_) => {}
            News::Lost(lost) => panic!("{lost} lost"),
        }
    };
    assert_eq!(*told[0], Told::ShuttingDown);
    assert!(matches!(&*told[1], Told::HungUp { cause, .. } if cause == "SYSTEM_SHUTDOWN"));
    insta::assert_snapshot!(why, @"FreeSWITCH is shutting down");
    let _wire = socket.admit().await;
    plugged.is_ready().await;
}

#[tokio::test]
async fn what_nobody_listens_at_is_tried_again_and_again_with_growing_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut plugged = Plugged::start(port, times());
    insta::assert_snapshot!(plugged.down().await, @"nothing listens at 127.0.0.1:PORT: start FreeSWITCH, load mod_event_socket, and compare listen-ip and listen-port of event_socket.conf.xml");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(300) {
        let asked = Instant::now();
        let error = plugged.link.api("strepoch".to_owned()).await.unwrap_err();
        assert!(matches!(error, PbxError::NotConnected(_)), "{error}");
        assert!(asked.elapsed() < Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // It comes up by itself.
    let socket = Socket::at(port).await;
    let _wire = socket.admit().await;
    plugged.is_ready().await;
}

#[tokio::test]
async fn commands_during_an_outage_make_no_storm_of_attempts() {
    let socket = Socket::open().await;
    let plugged = Plugged::to(&socket, times()).await;
    let (begun, mut attempts) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_millis(700) {
        let _ = plugged.link.api("strepoch".to_owned()).await;
        if let Ok(wire) = timeout(Duration::from_millis(3), socket.next()).await {
            drop(wire);
            attempts += 1;
        }
    }
    assert!(
        (3..=14).contains(&attempts),
        "{attempts} attempts in 700 ms"
    );
}

#[tokio::test]
async fn a_lost_connection_is_told_in_order_and_the_news_goes_on_over_the_next_one() {
    let socket = Socket::open().await;
    let mut plugged = Plugged::to(&socket, times()).await;
    for number in 1..=2 {
        let mut wire = socket.admit().await;
        let call = format!("c0000000-0000-4000-8000-00000000000{number}");
        wire.tell(&format!("Event-Name: CHANNEL_ANSWER\nUnique-ID: {call}"))
            .await;
        assert!(matches!(plugged.next().await, News::Link(LinkState::Ready)));
        let News::Event(told) = plugged.next().await else {
            panic!()
        };
        assert_eq!(format!("{told:?}"), format!("Answered(CallId({call}))"));
        drop(wire);
        let down = plugged.next().await;
        assert!(matches!(down, News::Link(LinkState::Down(_))), "{down:?}");
    }
}

#[tokio::test]
async fn a_command_that_was_sent_when_the_connection_broke_is_of_unknown_outcome() {
    let socket = Socket::open().await;
    let plugged = Plugged::to(&socket, times()).await;
    let mut wire = socket.admit().await;
    plugged.is_ready().await;
    let link = plugged.link.clone();
    let asking = tokio::spawn(async move { link.api("uuid_kill x".to_owned()).await });
    while wire.command().await.unwrap() != "api uuid_kill x" {
        wire.print("1795335980").await;
    }
    drop(wire);
    let error = timeout(LONG, asking).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, PbxError::Unanswered { .. }), "{error}");
}

/// Answers the watchman's question, and returns the first other command.
async fn asked(wire: &mut Wire) -> String {
    loop {
        let command = timeout(LONG, wire.command()).await.unwrap().unwrap();
        match command.as_str() {
            "api strepoch" => wire.print("1795335980").await,
            _ => return command,
        }
    }
}

#[tokio::test]
async fn a_command_that_was_given_up_leaves_no_answer_for_the_next_one() {
    let socket = Socket::open().await;
    let plugged = Plugged::to(&socket, times()).await;
    let mut wire = socket.admit().await;
    plugged.is_ready().await;
    for number in 0..20 {
        let (link, order) = (plugged.link.clone(), format!("msleep {number}"));
        let given_up = tokio::spawn(async move { link.api(order).await });
        assert_eq!(asked(&mut wire).await, format!("api msleep {number}"));
        given_up.abort();
        let _ = given_up.await;
        let (link, order) = (plugged.link.clone(), format!("eval {number}"));
        let next = tokio::spawn(async move { link.api(order).await });
        tokio::task::yield_now().await;
        wire.print("+OK\n").await;
        assert_eq!(asked(&mut wire).await, format!("api eval {number}"));
        wire.print(&format!("answer {number}")).await;
        let answer = timeout(LONG, next).await.unwrap().unwrap().unwrap();
        assert_eq!(answer, format!("answer {number}"));
    }
}

#[tokio::test]
async fn a_late_answer_is_nobodys() {
    let socket = Socket::open().await;
    let short = Times {
        command: Duration::from_millis(300),
        ..times()
    };
    let plugged = Plugged::to(&socket, short).await;
    let mut wire = socket.admit().await;
    plugged.is_ready().await;
    let link = plugged.link.clone();
    let first = tokio::spawn(async move { link.api("uuid_exists one".to_owned()).await });
    assert_eq!(asked(&mut wire).await, "api uuid_exists one");
    let error = timeout(LONG, first).await.unwrap().unwrap().unwrap_err();
    insta::assert_snapshot!(error, @"the PBX did not answer uuid_exists within 300ms: outcome unknown");
    wire.print("true").await;
    let link = plugged.link.clone();
    let second = tokio::spawn(async move { link.api("uuid_exists two".to_owned()).await });
    assert_eq!(asked(&mut wire).await, "api uuid_exists two");
    wire.print("false").await;
    assert_eq!(second.await.unwrap().unwrap(), "false");
}

#[tokio::test]
async fn a_frozen_switch_is_noticed_by_its_silence() {
    let socket = Socket::open().await;
    let short = Times {
        alive: Duration::from_millis(100),
        dead: Duration::from_millis(600),
        command: Duration::from_millis(300),
        ..times()
    };
    let mut plugged = Plugged::to(&socket, short).await;
    // This one takes the connection and then answers nothing more.
    let _frozen = socket.admit().await;
    insta::assert_snapshot!(plugged.down().await, @"FreeSWITCH at 127.0.0.1:PORT has not answered for 600ms");
    // One that answers stays.
    let mut wire = socket.admit().await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        if let Ok(Some(_)) = timeout(Duration::from_millis(50), wire.command()).await {
            wire.print("1795335980").await;
        }
    }
    assert_eq!(*plugged.link.state().borrow(), LinkState::Ready);
}

#[tokio::test]
async fn another_service_at_the_port_is_named() {
    let socket = Socket::open().await;
    let mut plugged = Plugged::to(&socket, times()).await;
    let mut wire = socket.next().await;
    wire.say("HTTP/1.1 400 Bad Request\nConnection: close\n\n")
        .await;
    insta::assert_snapshot!(plugged.down().await, @"what listens at 127.0.0.1:PORT does not answer as FreeSWITCH's event socket: Invalid header format: HTTP/1.1 400 Bad Request");
}

#[tokio::test]
async fn the_password_is_read_anew_at_each_login() {
    let socket = Socket::open().await;
    let mut plugged = Plugged::to(&socket, times()).await;
    let wire = socket.admit().await;
    plugged.is_ready().await;
    std::fs::write(plugged.password_file(), "another\nline\n").unwrap();
    drop(wire);
    let mut wire = socket.next().await;
    wire.say("Content-Type: auth/request\n\n").await;
    assert_eq!(wire.command().await.unwrap(), "auth another");
    std::fs::remove_file(plugged.password_file()).unwrap();
    drop(wire);
    plugged.down().await;
    let cannot = loop {
        let why = plugged.down().await;
        if why.contains("password_file") {
            break why;
        }
    };
    insta::assert_snapshot!(cannot, @"cannot read password_file FOLDER/password: No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_command_with_a_line_break_never_reaches_the_wire() {
    let socket = Socket::open().await;
    let plugged = Plugged::to(&socket, times()).await;
    let mut wire = socket.admit().await;
    plugged.is_ready().await;
    let evil = "uuid_setvar x y\n\napi shutdown".to_owned();
    let error = plugged.link.api(evil).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot send uuid_setvar: a command is one line");
    let link = plugged.link.clone();
    let next = tokio::spawn(async move { link.api("uuid_exists x".to_owned()).await });
    assert_eq!(asked(&mut wire).await, "api uuid_exists x");
    wire.print("true").await;
    assert_eq!(next.await.unwrap().unwrap(), "true");
}

#[tokio::test]
async fn a_slow_listener_is_told_how_much_it_lost_and_holds_nobody_up() {
    let socket = Socket::open().await;
    let mut plugged = Plugged::to(&socket, times()).await;
    let mut slow = plugged.teller.listen();
    let mut wire = socket.admit().await;
    let writer = tokio::spawn(async move {
        for number in 0..6000 {
            let headers = "Event-Name: BACKGROUND_JOB\nJob-Command-Arg: ";
            wire.say(&event(&format!("{headers}{number}"))).await;
        }
        wire
    });
    let mut number = 0;
    while number < 6000 {
        match plugged.next().await {
            News::Event(told) => {
                let Told::Job { arguments, .. } = &*told else {
                    panic!("{told:?}")
                };
                assert_eq!(*arguments, number.to_string());
                number += 1;
            }
            News::Link(LinkState::Ready) => {}
            other => panic!("{other:?}"),
        }
    }
    let _wire = writer.await.unwrap();
    let first = slow.next().await.unwrap();
    let News::Lost(lost) = first else {
        panic!("{first:?}")
    };
    let News::Event(next) = slow.next().await.unwrap() else {
        panic!()
    };
    // Ready came first.
    let arguments = (lost - 1).to_string();
    assert!(matches!(&*next, Told::Job { arguments: after, .. } if *after == arguments));
}
