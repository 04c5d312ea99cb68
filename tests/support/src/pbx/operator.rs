//! The operator in front of `hotline demo`: telephones call, and each call is put through to the
//! browser phone's WebSocket, audio and keys in one direction, audio and the journal in the other.
//!
//! So the built-in PBX is called with the same phones as the others, and nobody needs to know that
//! there is a browser's line in between. It costs some 30 ms in each direction.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::Site;
use crate::phone::{Answering, Call, Phone};
use crate::record::Record;

/// How often the telephone's side is looked at.
const TICK: Duration = Duration::from_millis(5);
/// Frames that may wait to be sent to the telephone; one more is left out.
const AHEAD: usize = 3;
/// The operator waits for calls for ever.
const EVER: Duration = Duration::from_secs(3600);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An operator; dropping it ends all calls.
#[derive(Debug)]
pub struct Operator {
    phone: Arc<Phone>,
    journal: Record<Value>,
    calls: Arc<AtomicUsize>,
    working: JoinHandle<()>,
}

impl Operator {
    /// Begins to take calls for the numbers of the site.
    pub(super) fn start(site: &Site) -> Result<Self> {
        let door = site
            .door
            .context("the site does not say where the demo's door is")?;
        let phone = Arc::new(Phone::new("operator")?.answering(Answering::ByHand));
        let journal = Record::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let numbers = site.numbers.clone();
        let (listening, lines, up) = (phone.clone(), journal.clone(), calls.clone());
        let working = tokio::spawn(async move {
            // The calls end with this task.
            let mut putting_through = tokio::task::JoinSet::new();
            while let Ok(call) = listening.rings(EVER).await {
                let called = call.called_number();
                let tenant = numbers.iter().find(|(number, _)| *number == called);
                let Some((_, tenant)) = tenant.cloned() else {
                    // A caller who has hung up need not be refused.
                    let _ = call.refuse(404);
                    continue;
                };
                let (lines, up) = (lines.clone(), up.clone());
                putting_through.spawn(async move {
                    up.fetch_add(1, Ordering::Relaxed);
                    if let Err(error) = put_through(&call, door, &tenant, &lines).await {
                        eprintln!("the operator could not put a call through: {error:#}");
                    }
                    let _ = call.hang_up();
                    up.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(Self {
            phone,
            journal,
            calls,
            working,
        })
    }

    /// Returns the address phones send their calls to.
    pub fn sip(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.phone.port()).into()
    }

    /// Returns the journal of all calls.
    pub fn journal(&self) -> Record<Value> {
        self.journal.clone()
    }

    /// Returns how many calls are put through.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.working.abort();
    }
}

async fn put_through(call: &Call, door: u16, tenant: &str, journal: &Record<Value>) -> Result<()> {
    let address = format!("ws://127.0.0.1:{door}/phone/call");
    let (mut socket, _) = tokio_tungstenite::connect_async(&address)
        .await
        .with_context(|| format!("nobody answers at {address}"))?;
    let wish =
        json!({ "call": { "tenant": tenant, "caller": call.caller_number(), "spoken": true } });
    tell(&mut socket, &wish).await?;
    call.answer()?;
    let (mut heard, mut pressed, mut gone) = (0, 0, false);
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Binary(frame))) => {
                    if call.waiting() < AHEAD {
                        call.play(&samples(&frame));
                    }
                }
                Some(Ok(Message::Text(text))) => {
                    let line: Value = serde_json::from_str(&text)?;
                    if line["over"] == true {
                        return Ok(());
                    }
                    anyhow::ensure!(line["refused"].is_null(), "the demo refused the call: {line}");
                    journal.push(line);
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                // The demo was killed.
                Some(Err(_)) => return Ok(()),
            },
            _ = tick.tick() => {
                for packet in call.heard_after(heard).packets() {
                    heard += 1;
                    let bytes: Vec<u8> = packet.samples.iter().flat_map(|it| it.to_le_bytes()).collect();
                    socket.send(Message::Binary(bytes.into())).await?;
                }
                for (_, key) in call.keys().into_iter().skip(pressed) {
                    pressed += 1;
                    tell(&mut socket, &json!({ "keys": key.to_string() })).await?;
                }
                if !call.is_up() && call.is_over() && !gone {
                    gone = true;
                    tell(&mut socket, &json!({ "hang_up": {} })).await?;
                }
            }
        }
    }
}

async fn tell(socket: &mut Socket, what: &Value) -> Result<(), tungstenite::Error> {
    socket.send(Message::Text(what.to_string().into())).await
}

fn samples(frame: &[u8]) -> Vec<i16> {
    let pairs = frame.chunks_exact(2);
    pairs
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}
