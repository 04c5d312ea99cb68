//! The audio of one call as FreeSWITCH's unicast sends it: one UDP datagram of linear samples per
//! packet time, and one back for each. FreeSWITCH neither checks who sends nor can it be told to
//! forget what it has, so this end takes audio from one sender only and never runs ahead.
//!
//! Source of every figure: measured on FreeSWITCH 1.11, with `sendmsg … unicast` in a parked channel.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::net::UdpSocket;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long the first datagram may take: 36 to 116 ms were measured.
pub const FIRST: Duration = Duration::from_millis(300);

/// How long FreeSWITCH may then send nothing; it fills in where the caller's phone is silent. A machine
/// that is short of time for a moment shall not cost a call that goes well.
pub const SILENT: Duration = Duration::from_secs(1);

/// When this process looks so long after its time, the silence may be its own.
const LATE: Duration = Duration::from_millis(20);

/// How often somebody who waits for audio shows that they still do.
const BEAT: Duration = Duration::from_millis(200);

/// Datagrams read at once when this process was late: more than come in [`SILENT`], so that never more
/// than one answer goes back to what has waited.
const BURST: usize = 64;

/// Longer than any frame of a rate that is served; the rest of a longer datagram is cut off.
const LONGEST: usize = 2 * 960 + 1;

/// What comes from FreeSWITCH.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Samples of one packet time, or of several that waited because this process was late.
    Audio(Vec<i16>),
    /// The caller hung up.
    HungUp,
    /// FreeSWITCH has taken the caller elsewhere without being asked by us.
    Taken,
    /// No audio comes any more though the caller is still there.
    Silent,
}

/// How a call left its unicast.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaving {
    pub(super) hung_up: CancellationToken,
    pub(super) taken: CancellationToken,
}

/// What both halves share.
#[derive(Debug)]
struct Port {
    socket: UdpSocket,
    /// Where FreeSWITCH sends from; nobody else is heard once it is known.
    switch: OnceLock<SocketAddr>,
    rate: u32,
    /// When the call's task last asked for audio, in milliseconds since `opened`.
    pulse: AtomicU64,
    opened: Instant,
    closes: CancellationToken,
    _closes_at_last: DropGuard,
}

impl Port {
    /// Shows that somebody attends to the call.
    fn beat(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.pulse.store(now, Ordering::Relaxed);
    }

    fn frame(&self) -> usize {
        self.rate as usize / 50
    }
}

/// Tells whether somebody still listens to a call's audio.
#[derive(Clone, Debug)]
pub(super) struct Pulse(Weak<Port>);

impl Pulse {
    pub(super) fn is_felt(&self, within: Duration) -> bool {
        self.0.upgrade().is_some_and(|port| {
            let last = Duration::from_millis(port.pulse.load(Ordering::Relaxed));
            port.opened.elapsed().saturating_sub(last) <= within
        })
    }
}

/// The audio from the caller. When both halves are dropped the call's connection closes, and the
/// dialplan carries on a caller who is still there.
#[derive(Debug)]
pub struct Media {
    port: Arc<Port>,
    host: IpAddr,
    heard: Instant,
    /// Whether a silence that may have been our own has been overlooked since.
    overlooked: bool,
    leaving: Leaving,
    strangers: Counter,
    warned: bool,
}

/// The audio to the caller.
#[derive(Debug)]
pub struct Mouth(Arc<Port>);

impl Mouth {
    /// Returns the samples per second.
    pub fn rate(&self) -> u32 {
        self.0.rate
    }

    /// Sends one frame without waiting. False when it is not a whole frame or could not leave.
    pub fn send(&self, frame: &[i16]) -> bool {
        // A datagram of another length is taken for a whole frame and heard as noise, and one of
        // none at all ends the way back for good.
        let whole = frame.len() == self.0.frame();
        let Some(switch) = self.0.switch.get().filter(|_| whole) else {
            return false;
        };
        let bytes: Vec<u8> = frame
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        self.0.socket.try_send_to(&bytes, *switch).is_ok()
    }

    /// Closes the call's connection, so that FreeSWITCH leaves the caller to the dialplan.
    pub fn close(&self) {
        self.0.closes.cancel();
    }
}

impl Media {
    /// Opens a port at `here` for audio from the host that FreeSWITCH runs on.
    pub(super) async fn open(
        here: IpAddr,
        host: IpAddr,
        rate: u32,
        leaving: Leaving,
        strangers: Counter,
        closes: CancellationToken,
    ) -> io::Result<Self> {
        let port = Port {
            socket: UdpSocket::bind((here, 0)).await?,
            switch: OnceLock::new(),
            rate,
            pulse: AtomicU64::new(0),
            opened: Instant::now(),
            _closes_at_last: closes.clone().drop_guard(),
            closes,
        };
        Ok(Self {
            port: Arc::new(port),
            host,
            heard: Instant::now(),
            overlooked: false,
            leaving,
            strangers,
            warned: false,
        })
    }

    /// Returns the port that FreeSWITCH is to send to.
    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.port.socket.local_addr()?.port())
    }

    /// Returns what tells whether this is still listened to.
    pub(super) fn pulse(&self) -> Pulse {
        Pulse(Arc::downgrade(&self.port))
    }

    /// Returns the other half.
    pub fn mouth(&self) -> Mouth {
        Mouth(Arc::clone(&self.port))
    }

    /// Returns the samples per second, both ways.
    pub fn rate(&self) -> u32 {
        self.port.rate
    }

    fn frame(&self) -> usize {
        self.port.frame()
    }

    /// Waits for the first datagram; FreeSWITCH says `+OK` to `unicast` even when none will come.
    ///
    /// # Errors
    /// When none comes in time that is 20 ms of the rate expected.
    pub(super) async fn begin(&mut self) -> Result<(), String> {
        self.heard = Instant::now();
        let mut datagram = [0; LONGEST];
        let mut other = None;
        loop {
            let received = self.port.socket.recv_from(&mut datagram);
            let received = tokio::time::timeout_at(self.heard + FIRST, received).await;
            let (length, from) = match received {
                Err(_) => return Err(self.explain(other)),
                Ok(Err(error)) => return Err(error.to_string()),
                Ok(Ok(received)) => received,
            };
            if self.is_from_switch(length, from) {
                self.heard = Instant::now();
                self.port.beat();
                return Ok(());
            }
            if from.ip() == self.host {
                other = Some(length);
            }
        }
    }

    /// Says why no audio came.
    fn explain(&self, other: Option<usize>) -> String {
        match other {
            None => format!("no audio came within {FIRST:?} of `unicast`"),
            Some(length) => format!(
                "FreeSWITCH sends {length} bytes at once where {} are 20 ms at {} Hz: pin the \
                 codec in the dialplan, such as absolute_codec_string=PCMA@8000h@20i",
                2 * self.frame(),
                self.port.rate
            ),
        }
    }

    /// Waits for what comes next; may be dropped while waiting without losing anything.
    pub async fn next(&mut self) -> Incoming {
        loop {
            self.port.beat();
            let readable = tokio::time::timeout(BEAT, self.port.socket.readable());
            tokio::select! {
                biased;
                () = self.leaving.hung_up.cancelled() => return Incoming::HungUp,
                () = self.leaving.taken.cancelled() => return Incoming::Taken,
                readable = readable => if matches!(readable, Ok(Err(_))) {
                    return Incoming::Silent;
                },
            }
            if let Some(samples) = self.drain() {
                return Incoming::Audio(samples);
            }
            if self.heard.elapsed() > SILENT && !self.was_late() {
                return Incoming::Silent;
            }
        }
    }

    /// Tells whether this process has not looked in time for what may come; FreeSWITCH is then given
    /// as long once more.
    fn was_late(&mut self) -> bool {
        let late = self.heard.elapsed() > SILENT + BEAT + LATE;
        if late {
            self.heard = Instant::now();
        }
        late && !std::mem::replace(&mut self.overlooked, true)
    }

    /// Reads what has come; nothing when it was nobody's audio.
    fn drain(&mut self) -> Option<Vec<i16>> {
        let mut datagram = [0; LONGEST];
        let mut samples = Vec::new();
        for _ in 0..BURST {
            let Ok((length, from)) = self.port.socket.try_recv_from(&mut datagram) else {
                break;
            };
            if self.is_from_switch(length, from) && length == 2 * self.frame() {
                self.heard = Instant::now();
                self.overlooked = false;
                let pairs = datagram[..length].chunks_exact(2);
                samples.extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
            }
        }
        (!samples.is_empty()).then_some(samples)
    }

    /// Takes the first sender of a whole frame on the switch's host for FreeSWITCH, and nobody after it.
    fn is_from_switch(&mut self, length: usize, from: SocketAddr) -> bool {
        let claims = from.ip() == self.host && length == 2 * self.frame();
        let known = match self.port.switch.get() {
            Some(switch) => from == *switch,
            None => claims && self.port.switch.set(from).is_ok(),
        };
        if !known {
            self.strangers.inc();
            // One line a call: whoever floods the port does not flood the log.
            if !std::mem::replace(&mut self.warned, true) {
                tracing::warn!(%from, "audio from a stranger is thrown away");
            }
        }
        known
    }
}
