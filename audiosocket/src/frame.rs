//! Frames of the AudioSocket protocol, from bytes and to bytes.
//!
//! A frame is one kind byte, a big-endian 16-bit length and that many payload bytes; samples are
//! signed 16-bit little-endian. This file opens no socket and reads no clock; it does not judge whether a
//! frame makes sense at this point of a call, except that [`Decoder::expecting_id`] wants the id first.

use bytes::{Buf, Bytes, BytesMut};
use std::fmt;
use std::time::Duration;
use uuid::Uuid;

/// Bytes before a payload: one of kind, two of length.
pub const HEADER_BYTES: usize = 3;

/// Longest payload of a known kind, in bytes.
///
/// 60 ms at 192 kHz, the longest packet worth sending, takes 23 040 bytes, and Asterisk 22.10.1
/// throws a payload of 32 000 bytes away; the bound also caps what a hostile length makes us hold.
/// Unknown kinds may be longer, as their payload is never held.
pub const MAX_PAYLOAD_BYTES: usize = 32_000;

/// Playing time of an ordinary audio frame.
pub const FRAME_TIME: Duration = Duration::from_millis(20);

const KIND_HANGUP: u8 = 0x00;
const KIND_ID: u8 = 0x01;
const KIND_DTMF: u8 = 0x03;
const KIND_ERROR: u8 = 0xff;
const ID_BYTES: usize = 16;

/// One message of either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Kind 0x00: the call is over. Asterisk 22 closes the connection instead of sending it.
    Hangup,
    /// Kind 0x01: which call this connection belongs to; always the first frame from Asterisk.
    Id(Uuid),
    /// Kind 0x03: one key, sent when the caller lets go of it. Asterisk ends a call that is sent one.
    Dtmf(Digit),
    /// Kinds 0x10 to 0x18: audio.
    Audio(Audio),
    /// Kind 0xff: the sender failed; the payload is its code, usually one byte.
    ///
    /// Asterisk's application fails on receiving it, so `TryExec` reports FAILED and the dialplan goes on.
    Error(Bytes),
}

/// A telephone key: `0` to `9`, `*`, `#`, `A` to `D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    /// Reads a key from its ASCII character; `a` to `d` become capitals.
    pub fn new(ascii: u8) -> Option<Digit> {
        let key = ascii.to_ascii_uppercase();
        matches!(key, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D').then_some(Digit(key))
    }

    /// Returns the key as its ASCII character.
    pub fn as_ascii(self) -> u8 {
        self.0
    }

    /// Returns the key as a character.
    pub fn as_char(self) -> char {
        char::from(self.0)
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.as_char())
    }
}

/// Samples per second of an audio frame, told by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    /// Kind 0x10, 8 000 Hz: an ordinary telephone call.
    Hz8000,
    /// Kind 0x11, 12 000 Hz.
    Hz12000,
    /// Kind 0x12, 16 000 Hz: `c(slin16)`.
    Hz16000,
    /// Kind 0x13, 24 000 Hz.
    Hz24000,
    /// Kind 0x14, 32 000 Hz.
    Hz32000,
    /// Kind 0x15, 44 100 Hz.
    Hz44100,
    /// Kind 0x16, 48 000 Hz.
    Hz48000,
    /// Kind 0x17, 96 000 Hz.
    Hz96000,
    /// Kind 0x18, 192 000 Hz.
    Hz192000,
}

impl Rate {
    /// Every rate, slowest first.
    pub const ALL: [Rate; 9] = [
        Rate::Hz8000,
        Rate::Hz12000,
        Rate::Hz16000,
        Rate::Hz24000,
        Rate::Hz32000,
        Rate::Hz44100,
        Rate::Hz48000,
        Rate::Hz96000,
        Rate::Hz192000,
    ];

    /// Reads a rate from a frame's kind; other kinds are no audio.
    pub fn from_kind(kind: u8) -> Option<Rate> {
        Rate::ALL.get(usize::from(kind.checked_sub(0x10)?)).copied()
    }

    /// Returns the kind byte of audio at this rate.
    pub fn kind(self) -> u8 {
        match self {
            Rate::Hz8000 => 0x10,
            Rate::Hz12000 => 0x11,
            Rate::Hz16000 => 0x12,
            Rate::Hz24000 => 0x13,
            Rate::Hz32000 => 0x14,
            Rate::Hz44100 => 0x15,
            Rate::Hz48000 => 0x16,
            Rate::Hz96000 => 0x17,
            Rate::Hz192000 => 0x18,
        }
    }

    /// Returns samples per second.
    pub fn hz(self) -> u32 {
        match self {
            Rate::Hz8000 => 8_000,
            Rate::Hz12000 => 12_000,
            Rate::Hz16000 => 16_000,
            Rate::Hz24000 => 24_000,
            Rate::Hz32000 => 32_000,
            Rate::Hz44100 => 44_100,
            Rate::Hz48000 => 48_000,
            Rate::Hz96000 => 96_000,
            Rate::Hz192000 => 192_000,
        }
    }

    /// Returns the samples of one 20 ms frame (160 at 8 kHz).
    pub fn frame_samples(self) -> usize {
        self.hz() as usize / 50
    }

    /// Returns the payload bytes of one 20 ms frame (320 at 8 kHz).
    pub fn frame_bytes(self) -> usize {
        self.frame_samples() * 2
    }
}

/// Audio of one frame: signed 16-bit little-endian samples, one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Samples per second.
    pub rate: Rate,
    /// The samples' bytes, two each; cloning them copies nothing.
    pub payload: Bytes,
}

impl Audio {
    /// Packs samples for one frame.
    pub fn from_samples(rate: Rate, samples: &[i16]) -> Audio {
        let mut payload = Vec::with_capacity(samples.len() * 2);
        append_samples(samples, &mut payload);
        Audio {
            rate,
            payload: payload.into(),
        }
    }

    /// Yields the samples in order.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = i16> + '_ {
        self.payload
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| i16::from_le_bytes(*pair))
    }

    /// Returns the playing time of the payload taken as 16-bit samples.
    pub fn duration(&self) -> Duration {
        let samples = (self.payload.len() / 2) as u64;
        Duration::from_nanos(samples * 1_000_000_000 / u64::from(self.rate.hz()))
    }
}

/// What is wrong with the bytes of a peer; the offset counts from the first byte it sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A known kind announces more than [`MAX_PAYLOAD_BYTES`].
    #[error(
        "frame of kind 0x{kind:02x} at byte {offset} announces {length} bytes, at most {limit} are \
         accepted: this is not AudioSocket, or the stream is out of step",
        limit = MAX_PAYLOAD_BYTES
    )]
    TooLong {
        /// First byte of the frame.
        offset: u64,
        /// Its kind byte.
        kind: u8,
        /// Its announced payload bytes.
        length: usize,
    },
    /// The first frame is no id, seen by its header alone.
    #[error(
        "first frame is of kind 0x{kind:02x} with {length} bytes instead of the id (kind 0x01, 16 \
         bytes): this peer does not speak AudioSocket"
    )]
    NotId {
        /// Its kind byte.
        kind: u8,
        /// Its announced payload bytes.
        length: usize,
    },
    /// A frame whose kind has one right length has another.
    #[error(
        "frame of kind 0x{kind:02x} at byte {offset} announces {length} bytes instead of {right}"
    )]
    WrongLength {
        /// First byte of the frame.
        offset: u64,
        /// Its kind byte.
        kind: u8,
        /// Its announced payload bytes.
        length: usize,
        /// The payload bytes its kind calls for.
        right: usize,
    },
    /// An audio frame holds no sample or half a sample.
    #[error(
        "audio frame of kind 0x{kind:02x} at byte {offset} announces {length} bytes, which is no \
         whole number of 16-bit samples: dial with /c(slin)"
    )]
    BrokenSamples {
        /// First byte of the frame.
        offset: u64,
        /// Its kind byte.
        kind: u8,
        /// Its announced payload bytes.
        length: usize,
    },
    /// A key frame holds no telephone key.
    #[error("key frame (kind 0x03) at byte {offset} holds byte 0x{byte:02x}, which is no key")]
    NoKey {
        /// First byte of the frame.
        offset: u64,
        /// The byte in place of a key.
        byte: u8,
    },
}

/// A frame that the wire cannot carry, or that would end the call it is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsendable {
    /// The payload exceeds [`MAX_PAYLOAD_BYTES`].
    #[error("payload of {length} bytes is too long, at most {limit} are accepted: send 20 ms frames",
        limit = MAX_PAYLOAD_BYTES)]
    TooLong {
        /// Payload bytes.
        length: usize,
    },
    /// Audio without a sample or with half a sample; Asterisk hangs up on an empty frame.
    #[error("audio of {length} bytes is no whole number of 16-bit samples")]
    BrokenSamples {
        /// Payload bytes.
        length: usize,
    },
}

/// Appends a frame, header and payload, to `out`; an unsendable frame appends nothing.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) -> Result<(), Unsendable> {
    match frame {
        Frame::Hangup => append(KIND_HANGUP, &[], out),
        Frame::Id(id) => append(KIND_ID, id.as_bytes(), out),
        Frame::Dtmf(digit) => append(KIND_DTMF, &[digit.as_ascii()], out),
        Frame::Audio(audio) => encode_audio(audio.rate, &audio.payload, out),
        Frame::Error(code) => append(KIND_ERROR, code, out),
    }
}

/// Appends an audio frame whose payload is already bytes (16-bit little-endian samples).
pub fn encode_audio(rate: Rate, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Unsendable> {
    check_samples(payload.len())?;
    append(rate.kind(), payload, out)
}

/// Appends an audio frame of these samples.
pub fn encode_samples(rate: Rate, samples: &[i16], out: &mut Vec<u8>) -> Result<(), Unsendable> {
    let length = samples.len() * 2;
    check_samples(length)?;
    append_header(rate.kind(), length, out)?;
    append_samples(samples, out);
    Ok(())
}

fn check_samples(length: usize) -> Result<(), Unsendable> {
    if length == 0 || !length.is_multiple_of(2) {
        return Err(Unsendable::BrokenSamples { length });
    }
    Ok(())
}

fn append(kind: u8, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Unsendable> {
    append_header(kind, payload.len(), out)?;
    out.extend_from_slice(payload);
    Ok(())
}

fn append_header(kind: u8, length: usize, out: &mut Vec<u8>) -> Result<(), Unsendable> {
    if length > MAX_PAYLOAD_BYTES {
        return Err(Unsendable::TooLong { length });
    }
    let [high, low] = (length as u16).to_be_bytes();
    out.extend_from_slice(&[kind, high, low]);
    Ok(())
}

fn append_samples(samples: &[i16], out: &mut Vec<u8>) {
    out.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
}

/// Turns the bytes of one connection into frames, however they are split.
///
/// Once it has met a fault it repeats it, as the place of the next frame is unknown. After
/// [`Decoder::next`] has returned `Ok(None)` it holds less than one frame.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    offset: u64,
    to_skip: usize,
    skipped: u64,
    id_due: bool,
    fault: Option<Malformed>,
}

impl Decoder {
    /// Makes a decoder that takes any frame first.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Makes a decoder that refuses a peer by its first header unless that announces an id.
    pub fn expecting_id() -> Decoder {
        Decoder {
            id_due: true,
            ..Decoder::default()
        }
    }

    /// Takes the next bytes of the connection.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        let skip = self.to_skip.min(bytes.len());
        self.pass(skip);
        self.buffer.extend_from_slice(&bytes[skip..]);
    }

    /// Returns the next whole frame, `None` when more bytes are needed.
    #[expect(
        clippy::should_implement_trait,
        reason = "a decoder can be asked again after None"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, Malformed> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let next = self.decode();
        if let Err(fault) = next {
            self.fault = Some(fault);
            self.buffer = BytesMut::new();
        }
        next
    }

    /// Returns how many bytes are held that belong to no finished frame yet.
    pub fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Returns how many bytes of the connection have been turned into frames or passed over.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns how many frames of unknown kinds were passed over.
    pub fn skipped_frames(&self) -> u64 {
        self.skipped
    }

    /// Lends the buffer for a read that appends to it, with room for `room` bytes at least.
    pub(crate) fn space(&mut self, room: usize) -> &mut BytesMut {
        self.buffer.reserve(room);
        &mut self.buffer
    }

    fn decode(&mut self) -> Result<Option<Frame>, Malformed> {
        loop {
            let skip = self.to_skip.min(self.buffer.len());
            self.buffer.advance(skip);
            self.pass(skip);
            let Some(&[kind, high, low]) = self.buffer.first_chunk::<HEADER_BYTES>() else {
                return Ok(None);
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            self.check_header(kind, length)?;
            if !is_known(kind) {
                self.skipped += 1;
                self.to_skip = HEADER_BYTES + length;
                continue;
            }
            if self.buffer.len() < HEADER_BYTES + length {
                return Ok(None);
            }
            self.buffer.advance(HEADER_BYTES);
            let payload = self.buffer.split_to(length).freeze();
            let frame = self.parse(kind, payload)?;
            self.offset += (HEADER_BYTES + length) as u64;
            self.id_due = false;
            return Ok(Some(frame));
        }
    }

    fn check_header(&self, kind: u8, length: usize) -> Result<(), Malformed> {
        let offset = self.offset;
        if self.id_due && (kind, length) != (KIND_ID, ID_BYTES) {
            return Err(Malformed::NotId { kind, length });
        }
        if is_known(kind) && length > MAX_PAYLOAD_BYTES {
            return Err(Malformed::TooLong {
                offset,
                kind,
                length,
            });
        }
        match kind {
            KIND_HANGUP if length != 0 => Err(Malformed::WrongLength {
                offset,
                kind,
                length,
                right: 0,
            }),
            KIND_ID if length != ID_BYTES => Err(Malformed::WrongLength {
                offset,
                kind,
                length,
                right: ID_BYTES,
            }),
            KIND_DTMF if length != 1 => Err(Malformed::WrongLength {
                offset,
                kind,
                length,
                right: 1,
            }),
            _ if Rate::from_kind(kind).is_some() && check_samples(length).is_err() => {
                Err(Malformed::BrokenSamples {
                    offset,
                    kind,
                    length,
                })
            }
            _ => Ok(()),
        }
    }

    fn parse(&self, kind: u8, payload: Bytes) -> Result<Frame, Malformed> {
        if let Some(rate) = Rate::from_kind(kind) {
            return Ok(Frame::Audio(Audio { rate, payload }));
        }
        let offset = self.offset;
        match (kind, &payload[..]) {
            (KIND_HANGUP, _) => Ok(Frame::Hangup),
            (KIND_DTMF, &[byte]) => Digit::new(byte)
                .map(Frame::Dtmf)
                .ok_or(Malformed::NoKey { offset, byte }),
            (KIND_ID, bytes) => {
                let wrong = |_| Malformed::WrongLength {
                    offset,
                    kind,
                    length: bytes.len(),
                    right: ID_BYTES,
                };
                Uuid::from_slice(bytes).map(Frame::Id).map_err(wrong)
            }
            _ => Ok(Frame::Error(payload)),
        }
    }

    fn pass(&mut self, bytes: usize) {
        self.to_skip -= bytes;
        self.offset += bytes as u64;
    }
}

fn is_known(kind: u8) -> bool {
    matches!(kind, KIND_HANGUP | KIND_ID | KIND_DTMF | KIND_ERROR)
        || Rate::from_kind(kind).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        let mut decoder = Decoder::new();
        decoder.feed(bytes);
        loop {
            match decoder.next() {
                Ok(frame) => assert!(frame.is_some(), "the decoder waits for more"),
                Err(fault) => return fault.to_string(),
            }
        }
    }

    #[test]
    fn a_rate_is_its_kind_and_back() {
        for rate in Rate::ALL {
            assert_eq!(Rate::from_kind(rate.kind()), Some(rate));
        }
        assert_eq!(Rate::from_kind(0x0f), None);
        assert_eq!(Rate::from_kind(0x19), None);
        assert_eq!(Rate::Hz8000.frame_bytes(), 320);
        assert_eq!(Rate::Hz44100.frame_samples(), 882);
    }

    #[test]
    fn twenty_milliseconds_are_one_frame_at_every_rate() {
        for rate in Rate::ALL {
            let audio = Audio::from_samples(rate, &vec![0; rate.frame_samples()]);
            assert_eq!(audio.duration(), FRAME_TIME, "{rate:?}");
        }
    }

    #[test]
    fn only_telephone_keys_are_digits() {
        let keys: String = (0..=255)
            .filter_map(Digit::new)
            .map(Digit::as_char)
            .filter(|key| *key != ' ')
            .collect();
        assert_eq!(keys, "#*0123456789ABCDABCD");
    }

    #[test]
    fn unknown_kinds_are_passed_over_without_being_held() {
        let mut decoder = Decoder::new();
        decoder.feed(&[0x42, 0xff, 0xff]);
        assert_eq!(decoder.next(), Ok(None));
        for _ in 0..65_535 {
            decoder.feed(&[7]);
            assert_eq!(decoder.held_bytes(), 0);
        }
        decoder.feed(&[KIND_HANGUP, 0, 0]);
        assert_eq!(decoder.next(), Ok(Some(Frame::Hangup)));
        assert_eq!((decoder.skipped_frames(), decoder.offset()), (1, 65_541));
    }

    #[test]
    fn a_refusal_says_what_came_and_where() {
        assert_eq!(
            refusal(&[0, 0, 0, 0x10, 0xff, 0xff]),
            "frame of kind 0x10 at byte 3 announces 65535 bytes, at most 32000 are accepted: this is \
             not AudioSocket, or the stream is out of step"
        );
    }
}
