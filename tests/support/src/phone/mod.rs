//! A SIP telephone on the loopback address: it places and takes calls, talks, presses keys, and
//! remembers what it heard and when.
//!
//! It speaks to the PBX over UDP as any telephone does and knows nothing of Hotline. One thread per
//! phone does the signalling, and two threads per call the audio; everything that happens can be
//! awaited. It is a test's telephone: no registration, no authentication, no encryption.

mod call;
mod heard;
mod line;
mod rtp;
mod sdp;
mod sip;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

pub use call::{Call, Happening};
pub use heard::{Packet, QUIET, Recording};
pub use rtp::Played;
pub use sdp::Codec;

use line::Line;

/// What a phone does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// Rings for a while and answers.
    After(Duration),
    /// Rings until the test answers, refuses or gives up.
    ByHand,
    /// Refuses at once with a SIP status code: 486 busy, 404 no such number, 603 declined …
    Refuse(u16),
}

/// Who calls, as the called side sees it.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    name: Option<String>,
    number: Option<String>,
    headers: Vec<(String, String)>,
}

impl Caller {
    /// Shows only the phone's number.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows a name beside the number.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Shows a number that is not the phone's own, as a switch does for its callers.
    pub fn number(mut self, number: &str) -> Self {
        self.number = Some(number.to_owned());
        self
    }

    /// Adds a header to the INVITE.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A telephone; dropping it ends its calls and frees its port.
#[derive(Debug)]
pub struct Phone {
    line: Arc<Line>,
    thread: Option<JoinHandle<()>>,
}

impl Phone {
    /// Makes a phone with that number, on a free port, that answers at once in A-law.
    pub fn new(number: &str) -> Result<Self> {
        Self::with_codec(number, Codec::Alaw)
    }

    /// Makes a phone that prefers the codec.
    pub fn with_codec(number: &str, codec: Codec) -> Result<Self> {
        Self::open(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, number, codec)
    }

    /// Makes a phone on a port of its own choice; 0 takes a free one.
    pub(crate) fn on_port(number: &str, port: u16) -> Result<Self> {
        Self::open(
            UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?,
            number,
            Codec::Alaw,
        )
    }

    fn open(socket: UdpSocket, number: &str, codec: Codec) -> Result<Self> {
        let line = Arc::new(Line::new(socket, number, codec)?);
        let listening = Arc::clone(&line);
        let thread = thread::Builder::new()
            .name("sip".into())
            .spawn(move || listening.listen())?;
        Ok(Self {
            line,
            thread: Some(thread),
        })
    }

    /// Sets what the phone does when it is called.
    pub fn answering(self, answering: Answering) -> Self {
        self.set_answering(answering);
        self
    }

    /// Changes what the phone does when it is called.
    pub fn set_answering(&self, answering: Answering) {
        *line::lock(&self.line.answering) = answering;
    }

    /// Returns the phone's number.
    pub fn number(&self) -> &str {
        &self.line.number
    }

    /// Returns the phone's SIP port on the loopback address.
    pub fn port(&self) -> u16 {
        self.line.port
    }

    /// Places a call and returns at once; await [`Call::answered`].
    pub fn dial(&self, pbx: SocketAddr, number: &str) -> Result<Call> {
        self.dial_as(pbx, number, &Caller::new())
    }

    /// Places a call that shows who calls.
    pub fn dial_as(&self, pbx: SocketAddr, number: &str, caller: &Caller) -> Result<Call> {
        self.line.dial(pbx, number, caller)
    }

    /// Places a call and waits until it is answered.
    pub async fn call(&self, pbx: SocketAddr, number: &str) -> Result<Call> {
        let call = self.dial(pbx, number)?;
        call.answered(Duration::from_secs(10)).await?;
        Ok(call)
    }

    /// Waits for a call to this phone that has not been returned before.
    pub async fn rings(&self, within: Duration) -> Result<Call> {
        let seen = line::lock(&self.line.seen).to_owned();
        let call = self
            .line
            .incoming
            .wait_from(seen, within, |call| Some(call.clone()))
            .await;
        let call =
            call.with_context(|| format!("{} did not ring within {within:?}", self.number()))?;
        *line::lock(&self.line.seen) += 1;
        Ok(call)
    }

    /// Forgets all calls without telling anybody, as a phone does whose power fails.
    pub(crate) fn vanish(&self) {
        self.line.vanish();
    }

    /// Returns the record of calls that come in, to wait on.
    pub(crate) fn record(&self) -> &crate::record::Record<Call> {
        &self.line.incoming
    }

    /// Returns every call that has come to this phone.
    pub fn incoming(&self) -> Vec<Call> {
        self.line.incoming.all()
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.line.end_all();
        self.line.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
