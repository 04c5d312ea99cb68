//! What stands in for Hotline while the dialplan is tested: the smallest AudioSocket and HTTP peers.

use std::net::Ipv4Addr;
use std::time::Duration;

use street::{Record, tone};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// What the peer says, in hertz.
pub(crate) const BOT_TONE: f64 = 900.0;

/// What the peer does on each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Says its tone.
    Talk,
    /// Reads and says nothing.
    Listen,
    /// Closes the connection.
    Close,
    /// Sends the frame that ends the call.
    End,
    /// Sends an error frame.
    Error,
}

/// An AudioSocket server.
pub(crate) struct Peer {
    pub(crate) port: u16,
    pub(crate) calls: Record<String>,
    pub(crate) keys: Record<char>,
    pub(crate) closed: Record<()>,
    doing: watch::Sender<Doing>,
}

impl Peer {
    pub(crate) async fn start(doing: Doing) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, receiver) = watch::channel(doing);
        let peer = Self {
            port,
            calls: Record::new(),
            keys: Record::new(),
            closed: Record::new(),
            doing: sender,
        };
        let (calls, keys, closed) = (peer.calls.clone(), peer.keys.clone(), peer.closed.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (read, write) = stream.into_split();
                let (calls, keys, closed) = (calls.clone(), keys.clone(), closed.clone());
                tokio::spawn(async move {
                    listen(read, calls, keys).await;
                    closed.push(());
                });
                tokio::spawn(talk(write, receiver.clone()));
            }
        });
        peer
    }

    /// Changes what the peer does, on open connections too.
    pub(crate) fn now(&self, doing: Doing) {
        self.doing.send_replace(doing);
    }

    /// Waits for the nth call and returns its id.
    pub(crate) async fn call(&self, number: usize) -> String {
        let call = self
            .calls
            .wait_from(number, Duration::from_secs(5), |id| Some(id.clone()));
        call.await.expect("a call reaches the AudioSocket")
    }
}

async fn listen(mut read: OwnedReadHalf, calls: Record<String>, keys: Record<char>) {
    let mut head = [0; 3];
    while read.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        if read.read_exact(&mut payload).await.is_err() {
            return;
        }
        match head[0] {
            0x01 => calls.push(written(&payload)),
            0x03 => keys.push(char::from(payload[0])),
            _ => {}
        }
    }
}

async fn talk(mut write: OwnedWriteHalf, doing: watch::Receiver<Doing>) {
    let tone = tone::tone(BOT_TONE, 0.1, 0.5);
    let mut frames = tone.chunks_exact(160).cycle();
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        clock.tick().await;
        let doing = *doing.borrow();
        let sent = match doing {
            Doing::Talk => {
                let mut frame = vec![0x10, 1, 0x40];
                frame.extend(
                    frames
                        .next()
                        .unwrap()
                        .iter()
                        .flat_map(|sample| sample.to_le_bytes()),
                );
                write.write_all(&frame).await
            }
            Doing::Listen => Ok(()),
            Doing::Close => return,
            Doing::End => {
                let _ = write.write_all(&[0, 0, 0]).await;
                return std::future::pending().await;
            }
            Doing::Error => {
                let _ = write.write_all(&[0xff, 0, 1, 4]).await;
                return std::future::pending().await;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

fn written(id: &[u8]) -> String {
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// An HTTP server that gives every call the same answer and keeps what was asked.
pub(crate) struct Http {
    pub(crate) port: u16,
    pub(crate) requests: Record<String>,
}

impl Http {
    pub(crate) async fn start(status: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Record::new();
        let kept = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                answer(stream, status, body, &kept).await;
            }
        });
        Self { port, requests }
    }
}

async fn answer(mut stream: TcpStream, status: &str, body: &str, kept: &Record<String>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut piece).await {
        request.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, rest)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let wanted = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        if rest.len() >= wanted.unwrap_or(0) {
            kept.push(text.into_owned());
            let length = body.len();
            let reply = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(reply.as_bytes()).await;
            return;
        }
    }
}
