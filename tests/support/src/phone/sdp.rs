//! What two telephones tell each other about their audio: where to send it and in which codec.

use std::net::{Ipv4Addr, SocketAddr};

use crate::g711;
use crate::tone::RATE;

/// The payload type both sides use for keys pressed (RFC 4733) when they offer it.
pub(super) const EVENTS: u8 = 101;

/// A codec of the telephone network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// A-law (PCMA), usual in Europe.
    #[default]
    Alaw,
    /// µ-law (PCMU), usual in America.
    Ulaw,
    /// Linear, 16,000 samples a second (L16): wideband without a codec to compute.
    Wide,
}

/// The payload type that a phone of ours gives to [`Codec::Wide`], which has none of its own.
const WIDE: u8 = 97;

impl Codec {
    /// Returns the RTP payload type.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Alaw => 8,
            Self::Ulaw => 0,
            Self::Wide => WIDE,
        }
    }

    /// Finds the codec of an RTP payload type.
    pub fn of(payload_type: u8) -> Option<Self> {
        match payload_type {
            8 => Some(Self::Alaw),
            0 => Some(Self::Ulaw),
            WIDE => Some(Self::Wide),
            _ => None,
        }
    }

    /// Returns the samples a second.
    pub fn rate(self) -> u32 {
        match self {
            Self::Alaw | Self::Ulaw => RATE,
            Self::Wide => 2 * RATE,
        }
    }

    /// Encodes samples of the codec's rate.
    pub fn encode(self, samples: &[i16]) -> Vec<u8> {
        let bytes = samples.iter();
        match self {
            Self::Alaw => bytes.map(|&sample| g711::to_alaw(sample)).collect(),
            Self::Ulaw => bytes.map(|&sample| g711::to_ulaw(sample)).collect(),
            Self::Wide => bytes.flat_map(|sample| sample.to_be_bytes()).collect(),
        }
    }

    /// Decodes a packet into samples of the codec's rate.
    pub fn decode(self, packet: &[u8]) -> Vec<i16> {
        match self {
            Self::Alaw => packet.iter().map(|&byte| g711::from_alaw(byte)).collect(),
            Self::Ulaw => packet.iter().map(|&byte| g711::from_ulaw(byte)).collect(),
            Self::Wide => {
                let pairs = packet.chunks_exact(2);
                pairs
                    .map(|pair| i16::from_be_bytes([pair[0], pair[1]]))
                    .collect()
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Alaw => "PCMA",
            Self::Ulaw => "PCMU",
            Self::Wide => "L16",
        }
    }
}

/// What the other side said about its audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// Where it wants its audio.
    pub(super) address: SocketAddr,
    /// The codec to send it.
    pub(super) codec: Codec,
    /// The payload type it takes keys in, if it takes them.
    pub(super) events: Option<u8>,
}

/// Describes our own audio.
pub(super) fn describe(port: u16, codec: Codec) -> String {
    let (kind, name, rate) = (codec.payload_type(), codec.name(), codec.rate());
    format!(
        "v=0\r\no=- {port} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {kind} {EVENTS}\r\na=rtpmap:{kind} {name}/{rate}\r\n\
         a=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Reads the other side's description; the preferred codec is taken when it is on offer.
pub(super) fn read(sdp: &str, preferred: Codec) -> Option<Remote> {
    let mut host = Ipv4Addr::LOCALHOST;
    let mut audio = None;
    let mut events = None;
    for line in sdp.lines() {
        if let Some(address) = line.strip_prefix("c=IN IP4 ") {
            host = address.trim().parse().ok()?;
        } else if let Some(media) = line.strip_prefix("m=audio ") {
            let mut words = media.split_whitespace();
            let port: u16 = words.next()?.parse().ok()?;
            let kinds: Vec<u8> = words.skip(1).filter_map(|word| word.parse().ok()).collect();
            audio = Some((port, kinds));
        } else if let Some(map) = line.strip_prefix("a=rtpmap:")
            && let Some((kind, name)) = map.split_once(' ')
            && name.starts_with("telephone-event/8000")
        {
            events = kind.parse().ok();
        }
    }
    let (port, kinds) = audio?;
    // A payload type above 95 means what the other side says it means.
    let wide = sdp.contains(&format!("a=rtpmap:{WIDE} L16/16000"));
    let offered = |kind: &u8| Codec::of(*kind).filter(|codec| *codec != Codec::Wide || wide);
    let codec = if kinds.contains(&preferred.payload_type()) && (preferred != Codec::Wide || wide) {
        preferred
    } else {
        kinds.iter().find_map(offered)?
    };
    Some(Remote {
        address: (host, port).into(),
        codec,
        events,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_description_can_be_read() {
        let remote = read(&describe(4000, Codec::Ulaw), Codec::Alaw).unwrap();
        assert_eq!(remote.address, "127.0.0.1:4000".parse().unwrap());
        assert_eq!(remote.codec, Codec::Ulaw);
        assert_eq!(remote.events, Some(EVENTS));
        assert_eq!(read("v=0\r\n", Codec::Alaw), None);
        let wide = read(&describe(4000, Codec::Wide), Codec::Wide).unwrap();
        assert_eq!(wide.codec, Codec::Wide);
    }

    #[test]
    fn a_payload_type_that_means_something_else_there_is_not_taken() {
        let other = describe(4000, Codec::Wide).replace("L16/16000", "opus/48000/2");
        assert_eq!(read(&other, Codec::Wide), None);
    }
}
