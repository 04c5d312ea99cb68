//! The audio of one call: a packet sent every 20 ms, and everything received kept with its time.
//!
//! Two threads of their own do it, so that the times measured do not depend on how busy the test's
//! runtime is. When there is nothing to play, silence is sent, as real telephones do.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::heard::{Packet, Recording};
use super::sdp::{Codec, Remote};
use crate::port;
use crate::record::Record;
use crate::tone::RATE;

const TICK: Duration = Duration::from_millis(20);
/// Packets a second.
const FRAMES: u32 = 50;
/// Packets kept of one call: 20 minutes.
const KEPT: usize = 60_000;
/// Frames a key lasts, and silent frames after it.
const KEY_FRAMES: u32 = 5;
const KEY_PAUSE: u32 = 4;

/// When something that was played left the phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Played {
    /// The number that playing it returned.
    pub id: u64,
    /// When its first packet was sent.
    pub started: Instant,
    /// When its last packet was sent, or it was cut off.
    pub ended: Instant,
}

/// Says what is sent next, every 20 ms; nothing for no packet at all.
pub(crate) type Feed = Box<dyn FnMut() -> Option<Vec<i16>> + Send>;
/// Takes what has been received instead of keeping it.
pub(crate) type Tap = Box<dyn Fn(&[i16]) + Send>;

/// The audio of one call.
#[derive(Clone, Debug)]
pub(super) struct Media {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    socket: UdpSocket,
    remote: Mutex<Option<Remote>>,
    outgoing: Mutex<Outgoing>,
    wires: Mutex<Wires>,
    heard: Mutex<Vec<Packet>>,
    played: Record<Played>,
    keys: Record<(Instant, char)>,
    keys_sent: Record<(Instant, char)>,
    muted: AtomicBool,
    over: AtomicBool,
}

/// How a switch takes hold of a call's audio.
#[derive(Default)]
struct Wires {
    feed: Option<Feed>,
    tap: Option<Tap>,
}

impl std::fmt::Debug for Wires {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Wires").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Outgoing {
    pieces: VecDeque<Piece>,
    keys: VecDeque<char>,
    next_id: u64,
}

#[derive(Debug)]
struct Piece {
    id: u64,
    samples: Vec<i16>,
    rate: u32,
    position: usize,
    started: Option<Instant>,
}

impl Media {
    pub(super) fn open() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let shared = Shared {
            socket,
            remote: Mutex::default(),
            outgoing: Mutex::default(),
            wires: Mutex::default(),
            heard: Mutex::default(),
            played: Record::new(),
            keys: Record::new(),
            keys_sent: Record::new(),
            muted: AtomicBool::new(false),
            over: AtomicBool::new(false),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub(super) fn port(&self) -> u16 {
        self.shared
            .socket
            .local_addr()
            .map_or(0, |address| address.port())
    }

    /// Begins to send and receive; later calls only change where to send.
    pub(super) fn connect(&self, remote: Remote) -> io::Result<()> {
        let first = lock(&self.shared.remote).replace(remote).is_none();
        if first {
            let (sender, receiver) = (Arc::clone(&self.shared), Arc::clone(&self.shared));
            thread::Builder::new()
                .name("rtp-out".into())
                .spawn(move || sender.send())?;
            thread::Builder::new()
                .name("rtp-in".into())
                .spawn(move || receiver.receive())?;
        }
        Ok(())
    }

    /// Sends what the feed says and gives what is received to the tap, from now on.
    pub(super) fn wire(&self, feed: Feed, tap: Tap) {
        *lock(&self.shared.wires) = Wires {
            feed: Some(feed),
            tap: Some(tap),
        };
    }

    pub(super) fn close(&self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn play(&self, samples: &[i16], rate: u32) -> u64 {
        let mut outgoing = lock(&self.shared.outgoing);
        outgoing.next_id += 1;
        let id = outgoing.next_id;
        let samples = samples.to_vec();
        outgoing.pieces.push_back(Piece {
            id,
            samples,
            rate,
            position: 0,
            started: None,
        });
        id
    }

    pub(super) fn waiting(&self) -> usize {
        lock(&self.shared.outgoing).pieces.len()
    }

    pub(super) fn stop_playing(&self) {
        let mut outgoing = lock(&self.shared.outgoing);
        let now = Instant::now();
        for piece in outgoing.pieces.drain(..) {
            let started = piece.started.unwrap_or(now);
            self.shared.played.push(Played {
                id: piece.id,
                started,
                ended: now,
            });
        }
    }

    pub(super) fn press(&self, keys: &str) {
        lock(&self.shared.outgoing).keys.extend(keys.chars());
    }

    pub(super) fn mute(&self, muted: bool) {
        self.shared.muted.store(muted, Ordering::Relaxed);
    }

    pub(super) fn heard(&self) -> Recording {
        Recording::new(lock(&self.shared.heard).clone())
    }

    pub(super) fn heard_from(&self, mark: usize) -> Recording {
        Recording::new(
            lock(&self.shared.heard)
                .get(mark..)
                .unwrap_or_default()
                .to_vec(),
        )
    }

    pub(super) fn mark(&self) -> usize {
        lock(&self.shared.heard).len()
    }

    pub(super) fn played(&self) -> &Record<Played> {
        &self.shared.played
    }

    pub(super) fn keys(&self) -> &Record<(Instant, char)> {
        &self.shared.keys
    }

    pub(super) fn keys_sent(&self) -> &Record<(Instant, char)> {
        &self.shared.keys_sent
    }
}

/// A key on its way: which one, when it began, and how many frames of it have been sent.
struct Key {
    key: char,
    timestamp: u32,
    frames: u32,
}

impl Shared {
    fn send(&self) {
        let mut sequence = port::random(1) as u16;
        let mut timestamp = port::random(2) as u32;
        let source = port::random(3) as u32;
        let mut key: Option<Key> = None;
        let mut pause = 0;
        let mut next = Instant::now();
        while !self.over.load(Ordering::Relaxed) {
            let now = Instant::now();
            if now < next {
                thread::sleep(next - now);
            } else if now - next > Duration::from_millis(500) {
                next = now;
            }
            next += TICK;
            let Some(remote) = *lock(&self.remote) else {
                continue;
            };
            let step = remote.codec.rate() / FRAMES;
            if pause > 0 {
                pause -= 1;
            } else if key.is_none()
                && remote.events.is_some()
                && let Some(pressed) = lock(&self.outgoing).keys.pop_front()
            {
                key = Some(Key {
                    key: pressed,
                    timestamp,
                    frames: 0,
                });
            }
            let mut transmit = |kind: u8, marker: bool, timestamp: u32, payload: &[u8]| {
                if !self.muted.load(Ordering::Relaxed) {
                    let mut packet = Vec::with_capacity(12 + payload.len());
                    packet.extend([0x80, kind | (u8::from(marker) << 7)]);
                    packet.extend(sequence.to_be_bytes());
                    packet.extend(timestamp.to_be_bytes());
                    packet.extend(source.to_be_bytes());
                    packet.extend(payload);
                    let _ = self.socket.send_to(&packet, remote.address);
                }
                sequence = sequence.wrapping_add(1);
            };
            if let (Some(pressed), Some(kind)) = (&mut key, remote.events) {
                pressed.frames += 1;
                let ending = pressed.frames > KEY_FRAMES;
                let length = (pressed.frames.min(KEY_FRAMES) * step) as u16;
                let [high, low] = length.to_be_bytes();
                let payload = [code(pressed.key), 10 | (u8::from(ending) << 7), high, low];
                // The end is said three times, in case one is lost.
                for _ in 0..if ending { 3 } else { 1 } {
                    transmit(kind, pressed.frames == 1, pressed.timestamp, &payload);
                }
                if ending {
                    self.keys_sent.push((Instant::now(), pressed.key));
                    key = None;
                    pause = KEY_PAUSE;
                }
            } else {
                let rate = remote.codec.rate();
                let fed = lock(&self.wires).feed.as_mut().map(|feed| feed());
                if let Some(frame) = fed.unwrap_or_else(|| Some(self.frame(rate))) {
                    let payload = remote.codec.encode(&frame);
                    transmit(remote.codec.payload_type(), false, timestamp, &payload);
                }
            }
            timestamp = timestamp.wrapping_add(step);
        }
    }

    /// Takes the next 20 ms of what is to be played, in samples of that rate.
    fn frame(&self, rate: u32) -> Vec<i16> {
        let mut outgoing = lock(&self.outgoing);
        let Some(piece) = outgoing.pieces.front_mut() else {
            return vec![0; (rate / FRAMES) as usize];
        };
        let now = Instant::now();
        let started = *piece.started.get_or_insert(now);
        let length = (piece.rate / FRAMES) as usize;
        let rest = piece.samples.get(piece.position..).unwrap_or_default();
        let mut frame = rest[..rest.len().min(length)].to_vec();
        frame.resize(length, 0);
        let frame = at_rate(&frame, piece.rate, rate);
        piece.position += length;
        if piece.position >= piece.samples.len() {
            self.played.push(Played {
                id: piece.id,
                started,
                ended: now,
            });
            outgoing.pieces.pop_front();
        }
        frame
    }

    fn receive(&self) {
        let mut buffer = [0; 2048];
        let mut last_key = None;
        while !self.over.load(Ordering::Relaxed) {
            let Ok((length, _)) = self.socket.recv_from(&mut buffer) else {
                continue;
            };
            let at = Instant::now();
            let Some((kind, packet)) = read(&buffer[..length], at) else {
                continue;
            };
            if let Some(codec) = Codec::of(kind) {
                let samples = codec.decode(packet.1);
                if let Some(tap) = &lock(&self.wires).tap {
                    tap(&samples);
                    continue;
                }
                let samples = at_rate(&samples, codec.rate(), RATE);
                let mut heard = lock(&self.heard);
                if heard.len() < KEPT {
                    heard.push(Packet {
                        samples,
                        ..packet.0
                    });
                }
            } else if let [event, flags, ..] = packet.1
                && flags & 0x80 != 0
                && last_key != Some(packet.0.timestamp)
            {
                last_key = Some(packet.0.timestamp);
                let key = b"0123456789*#ABCD".get(usize::from(*event)).copied();
                self.keys.push((at, key.map_or('?', char::from)));
            }
        }
    }
}

/// Changes between the two rates of the telephone as simply as can be: samples doubled, or the mean
/// of each two.
fn at_rate(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    match from.cmp(&to) {
        std::cmp::Ordering::Equal => samples.to_vec(),
        std::cmp::Ordering::Less => samples
            .iter()
            .flat_map(|&sample| [sample, sample])
            .collect(),
        std::cmp::Ordering::Greater => {
            let pairs = samples.chunks_exact(2);
            pairs
                .map(|pair| ((i32::from(pair[0]) + i32::from(pair[1])) / 2) as i16)
                .collect()
        }
    }
}

/// Reads an RTP packet: its payload type, its times, and its payload.
fn read(bytes: &[u8], at: Instant) -> Option<(u8, (Packet, &[u8]))> {
    let [first, second, s0, s1, t0, t1, t2, t3, _, _, _, _, rest @ ..] = bytes else {
        return None;
    };
    if first >> 6 != 2 {
        return None;
    }
    let sources = usize::from(first & 0x0f) * 4;
    let packet = Packet {
        at,
        sequence: u16::from_be_bytes([*s0, *s1]),
        timestamp: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
        samples: Vec::new(),
    };
    Some((second & 0x7f, (packet, rest.get(sources..)?)))
}

fn code(key: char) -> u8 {
    match key {
        '*' => 10,
        '#' => 11,
        'A'..='D' => key as u8 - b'A' + 12,
        _ => key.to_digit(10).unwrap_or(0) as u8,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
