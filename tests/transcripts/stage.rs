//! An Asterisk played by the test on in-memory streams.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hotline::pbx::asterisk::link::{Connector, Link, Login, News, Secret, Stream, Times};
use hotline::pbx::asterisk::wire::Block;
use hotline::pbx::asterisk::{Asterisk, Config, KeysFrom};
use hotline::pbx::{LinkState, Pbx};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) const BANNER: &str = "Asterisk Call Manager/11.0.0\r\n";
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// Hands out in-memory connections; the far end comes out of a channel.
pub(crate) struct Plug {
    pub(crate) far: mpsc::Sender<DuplexStream>,
    pub(crate) attempts: Arc<AtomicUsize>,
    pub(crate) refuse: bool,
}

impl Connector for Plug {
    type Stream = DuplexStream;

    async fn connect(&mut self) -> io::Result<DuplexStream> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let (near, far) = tokio::io::duplex(1 << 16);
        if self.refuse || self.far.send(far).await.is_err() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(near)
    }
}

/// The far end of one connection.
pub(crate) struct Peer {
    pub(crate) stream: DuplexStream,
    pub(crate) bytes: Vec<u8>,
}

impl Peer {
    pub(crate) async fn say(&mut self, text: &str) {
        let text = text.replace('\n', "\r\n");
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Waits for the next action and returns its headers.
    pub(crate) async fn action(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let bytes: Vec<u8> = self.bytes.drain(..end + 4).collect();
                let text = String::from_utf8(bytes).unwrap();
                let header = |line: &str| {
                    let (key, value) = line.split_once(": ").unwrap();
                    (key.to_owned(), value.to_owned())
                };
                let block = Block(
                    text.trim_end_matches("\r\n")
                        .split("\r\n")
                        .map(header)
                        .collect(),
                );
                if block.get("ActionID") == Some("hotline-ping") {
                    self.answer(&block, "Success", "Ping: Pong\n").await;
                    continue;
                }
                return Some(block);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.bytes.extend_from_slice(&buffer[..length]),
            }
        }
    }

    pub(crate) async fn answer(&mut self, action: &Block, response: &str, more: &str) {
        let id = action.get("ActionID").unwrap();
        self.say(&format!("Response: {response}\nActionID: {id}\n{more}\n"))
            .await;
    }

    pub(crate) async fn list(&mut self, action: &Block, items: &[&str]) {
        let id = action.get("ActionID").unwrap().to_owned();
        self.answer(action, "Success", "EventList: start\n").await;
        for item in items {
            self.say(&format!("{item}ActionID: {id}\n\n")).await;
        }
        let end = format!("Event: ListEnd\nActionID: {id}\nEventList: Complete\n\n");
        self.say(&end).await;
    }

    /// Lets the client in; `booted` follows in the same packet.
    pub(crate) async fn admit(&mut self, booted: bool) {
        self.say(BANNER.trim_end()).await;
        self.say("\n").await;
        let challenge = self.action().await.unwrap();
        assert_eq!(challenge.get("Action"), Some("Challenge"));
        self.answer(&challenge, "Success", "Challenge: 645042251\n")
            .await;
        let login = self.action().await.unwrap();
        assert_eq!(login.get("Key"), Some("c4600aeb566bb35e2593dc5e548ae451"));
        let booted = if booted {
            "\nEvent: FullyBooted\nUptime: 0\n"
        } else {
            ""
        };
        self.answer(
            &login,
            "Success",
            &format!("Message: Authentication accepted\n{booted}"),
        )
        .await;
    }
}

pub(crate) fn times() -> Times {
    Times {
        connect: Duration::from_secs(2),
        action: Duration::from_millis(300),
        outcome: Duration::from_millis(300),
        shortest_wait: Duration::from_millis(20),
        longest_wait: Duration::from_millis(100),
        refused_wait: Duration::from_secs(60),
        ..Times::default()
    }
}

pub(crate) struct Stage {
    pub(crate) far: mpsc::Receiver<DuplexStream>,
    pub(crate) attempts: Arc<AtomicUsize>,
    pub(crate) stop: CancellationToken,
}

impl Stage {
    pub(crate) fn plug(refuse: bool) -> (Plug, Self) {
        let (sender, far) = mpsc::channel(1);
        let attempts = Arc::new(AtomicUsize::new(0));
        let plug = Plug {
            far: sender,
            attempts: Arc::clone(&attempts),
            refuse,
        };
        (
            plug,
            Self {
                far,
                attempts,
                stop: CancellationToken::new(),
            },
        )
    }

    pub(crate) fn link(times: Times) -> (Link, Self) {
        let (plug, stage) = Self::plug(false);
        let link = Link::start(plug, login(), times, stage.stop.clone());
        (link, stage)
    }

    /// Starts the whole room, its secret in a file.
    pub(crate) fn asterisk() -> (Arc<Asterisk>, Self, tempfile::TempDir) {
        Self::asterisk_with(KeysFrom::Audio)
    }

    pub(crate) fn asterisk_with(keys: KeysFrom) -> (Arc<Asterisk>, Self, tempfile::TempDir) {
        let (plug, stage) = Self::plug(false);
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "botsecret\n").unwrap();
        let config = serde_json::json!({ "username": "bot", "secret_file": secret });
        let mut config: Config = serde_json::from_value(config).unwrap();
        config.keys_from = keys;
        let asterisk = Asterisk::start_over(plug, config, times(), &stage.stop);
        (asterisk, stage, folder)
    }

    pub(crate) async fn peer(&mut self) -> Peer {
        let stream = timeout(LONG, self.far.recv()).await.unwrap().unwrap();
        Peer {
            stream,
            bytes: Vec::new(),
        }
    }

    /// Accepts a connection, logs it in and answers the first look at the channels.
    pub(crate) async fn ready(&mut self, asterisk: &Asterisk) -> Peer {
        let mut peer = self.peer().await;
        peer.admit(true).await;
        until(&mut asterisk.link(), |state| *state == LinkState::Ready).await;
        let status = peer.action().await.unwrap();
        assert_eq!(status.get("Action"), Some("Status"));
        peer.list(&status, &[]).await;
        peer
    }
}

pub(crate) fn login() -> Login {
    Login {
        username: "bot".to_owned(),
        secret: Secret::Text("botsecret".to_owned()),
    }
}

pub(crate) async fn until(
    state: &mut tokio::sync::watch::Receiver<LinkState>,
    wanted: impl FnMut(&LinkState) -> bool,
) -> LinkState {
    timeout(LONG, state.wait_for(wanted))
        .await
        .unwrap()
        .unwrap()
        .clone()
}

pub(crate) async fn event(news: &mut Stream, name: &str) -> Arc<Block> {
    loop {
        match timeout(LONG, news.next()).await.unwrap().unwrap() {
            News::Event(block) if block.is_event(name) => return block,
            _ => {}
        }
    }
}
