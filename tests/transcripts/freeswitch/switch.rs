//! A FreeSWITCH played by the test: it answers as the recorded one does, and to nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hotline::pbx::freeswitch::link::Times;
use hotline::pbx::freeswitch::{Config, Door, FreeSwitch, Visitor};
use hotline::pbx::{LinkState, Pbx};
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::recording::Recording;
use crate::stage::{LONG, until};

pub(super) const PASSWORD: &str = "ClueCon";

/// What Hotline subscribes to on its link.
pub(super) const SUBSCRIPTION: &str = "event plain BACKGROUND_JOB CHANNEL_ANSWER CHANNEL_BRIDGE \
    CHANNEL_HANGUP_COMPLETE HEARTBEAT SHUTDOWN CUSTOM callcenter::info hotline::went_on";

/// The switch's end of one connection.
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    bytes: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            bytes: Vec::new(),
        }
    }

    /// Waits for the next command, with its headers; nothing when Hotline has closed.
    pub(super) async fn command(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|two| two == b"\n\n") {
                let bytes: Vec<u8> = self.bytes.drain(..end + 2).collect();
                return Some(String::from_utf8(bytes).unwrap().trim_end().to_owned());
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.bytes.extend_from_slice(&buffer[..length]),
            }
        }
    }

    /// Says something; Hotline may be gone.
    pub(super) async fn say(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    pub(super) async fn reply(&mut self, text: &str) {
        let reply = format!("Content-Type: command/reply\nReply-Text: {text}\n\n");
        self.say(&reply).await;
    }

    /// Answers an `api` command.
    pub(super) async fn print(&mut self, text: &str) {
        let length = text.len();
        let answer = format!("Content-Type: api/response\nContent-Length: {length}\n\n{text}");
        self.say(&answer).await;
    }

    pub(super) async fn tell(&mut self, headers: &str) {
        self.say(&event(headers)).await;
    }

    /// Lets Hotline in as the recorded switch does.
    pub(super) async fn admit(&mut self) {
        self.say("Content-Type: auth/request\n\n").await;
        assert_eq!(self.command().await.unwrap(), format!("auth {PASSWORD}"));
        self.reply("+OK accepted").await;
        assert_eq!(self.command().await.unwrap(), SUBSCRIPTION);
        self.reply("+OK event listener enabled plain").await;
    }
}

/// An event of so many headers, as it goes over the connection.
pub(super) fn event(headers: &str) -> String {
    let body = format!("{}\n\n", headers.trim_end());
    let length = body.len();
    format!("Content-Length: {length}\nContent-Type: text/event-plain\n\n{body}")
}

/// Where the switch takes Hotline's link.
pub(super) struct Socket {
    listener: TcpListener,
}

impl Socket {
    pub(super) async fn open() -> Self {
        Self::at(0).await
    }

    pub(super) async fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        Self { listener }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Waits for the next connection.
    pub(super) async fn next(&self) -> Wire {
        let accepted = timeout(LONG, self.listener.accept()).await.unwrap();
        Wire::new(accepted.unwrap().0)
    }

    /// Takes the next connection and lets it in.
    pub(super) async fn admit(&self) -> Wire {
        let mut wire = self.next().await;
        timeout(LONG, wire.admit()).await.unwrap();
        wire
    }
}

pub(super) fn times() -> Times {
    Times {
        connect: Duration::from_secs(2),
        command: Duration::from_secs(2),
        outcome: Duration::from_millis(500),
        shortest_wait: Duration::from_millis(20),
        longest_wait: Duration::from_millis(100),
        ..Times::default()
    }
}

/// Hotline's FreeSWITCH room and the switch beside it.
pub(super) struct Room {
    pub(super) house: Arc<FreeSwitch>,
    pub(super) socket: Socket,
    pub(super) strangers: Counter,
    pub(super) stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Room {
    pub(super) async fn open() -> Self {
        Self::with(times()).await
    }

    pub(super) async fn with(times: Times) -> Self {
        let socket = Socket::open().await;
        let folder = tempfile::tempdir().unwrap();
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, format!("{PASSWORD}\n")).unwrap();
        let config = serde_json::json!({
            "port": socket.address().port(),
            "password_file": password_file,
            "listen": "127.0.0.1:0",
        });
        let config: Config = serde_json::from_value(config).unwrap();
        let (strangers, stop) = (Counter::default(), CancellationToken::new());
        let house = FreeSwitch::start(config, times, strangers.clone(), &stop);
        Self {
            house,
            socket,
            strangers,
            stop,
            _folder: folder,
        }
    }

    /// Lets Hotline's link in, and answers what it asks by itself.
    pub(super) async fn ready(&self) -> Wire {
        let wire = self.socket.admit().await;
        until(&mut self.house.link(), |state| *state == LinkState::Ready).await;
        wire
    }

    /// Has the link answered by the recorded lists for as long as the test goes on.
    pub(super) async fn keep_link(&self) -> tokio::task::JoinHandle<()> {
        let mut wire = self.ready().await;
        tokio::spawn(async move {
            while let Some(command) = wire.command().await {
                wire.print(&quick(&command)).await;
            }
        })
    }

    pub(super) async fn door(&self) -> Door {
        Door::open(Arc::clone(&self.house), 200).await.unwrap()
    }
}

/// What the switch prints for the quick commands of the link.
pub(super) fn quick(command: &str) -> String {
    match command {
        "api strepoch" => "1795335980".to_owned(),
        listed if listed.starts_with("api callcenter_config ") => {
            Recording::read("callcenter-lists").printed(listed, 1)
        }
        other => panic!("the link asks {other:?}"),
    }
}

/// Waits for the next caller at the door.
pub(super) async fn visitor(door: &mut Door) -> Visitor {
    timeout(LONG, door.next()).await.unwrap().unwrap()
}
