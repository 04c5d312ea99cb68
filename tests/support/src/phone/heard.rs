//! What a phone has heard, with the time each packet arrived: the ground for every measurement.

use std::time::{Duration, Instant};

use crate::tone::{self, RATE};

/// Above this level (dB) something is being said; below it is silence.
pub const QUIET: f64 = -50.0;

/// One received RTP packet.
#[derive(Clone, Debug)]
pub struct Packet {
    /// When it arrived.
    pub at: Instant,
    /// Its sequence number.
    pub sequence: u16,
    /// Its RTP timestamp, in samples.
    pub timestamp: u32,
    /// Its audio, 8000 samples a second.
    pub samples: Vec<i16>,
}

/// A stretch of what a phone has heard.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    packets: Vec<Packet>,
}

impl Recording {
    pub(super) fn new(packets: Vec<Packet>) -> Self {
        Self { packets }
    }

    /// Returns the packets in the order of their arrival.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// Returns the audio of all packets behind each other.
    pub fn samples(&self) -> Vec<i16> {
        self.packets
            .iter()
            .flat_map(|packet| packet.samples.iter().copied())
            .collect()
    }

    /// Returns how much audio there is.
    pub fn length(&self) -> Duration {
        let samples: usize = self.packets.iter().map(|packet| packet.samples.len()).sum();
        Duration::from_secs_f64(samples as f64 / f64::from(RATE))
    }

    /// Returns what arrived at or after the instant.
    pub fn since(&self, instant: Instant) -> Self {
        Self::new(
            self.packets
                .iter()
                .filter(|packet| packet.at >= instant)
                .cloned()
                .collect(),
        )
    }

    /// Returns the times between one packet's arrival and the next.
    pub fn gaps(&self) -> Vec<Duration> {
        self.packets
            .windows(2)
            .map(|pair| pair[1].at - pair[0].at)
            .collect()
    }

    /// Returns the gap that the given part (0.5 for the median, 0.99 …) of all gaps does not exceed.
    pub fn gap(&self, part: f64) -> Option<Duration> {
        let mut gaps = self.gaps();
        gaps.sort_unstable();
        let rank = (gaps.len() as f64 * part).ceil() as usize;
        gaps.get(rank.clamp(1, gaps.len().max(1)) - 1).copied()
    }

    /// Returns how many packets of the sequence are missing.
    pub fn lost(&self) -> usize {
        let steps = self
            .packets
            .windows(2)
            .map(|pair| pair[1].sequence.wrapping_sub(pair[0].sequence));
        steps
            .filter(|&step| step > 1 && step < 0x8000)
            .map(|step| usize::from(step) - 1)
            .sum()
    }

    /// Tells whether some 100 ms of it are mostly the tone.
    pub fn has_tone(&self, frequency: f64) -> bool {
        tone::contains(&self.samples(), frequency)
    }

    /// Returns when the first packet louder than silence arrived, at or after the instant.
    pub fn sound_after(&self, instant: Instant) -> Option<Instant> {
        let mut later = self.packets.iter().filter(|packet| packet.at >= instant);
        later
            .find(|packet| tone::level(&packet.samples) > QUIET)
            .map(|packet| packet.at)
    }

    /// Returns since when, at or after the instant, silence has lasted for at least that long;
    /// receiving nothing is silence too.
    pub fn silence_after(&self, instant: Instant, lasting: Duration) -> Option<Instant> {
        let mut since = instant;
        for packet in self.packets.iter().filter(|packet| packet.at >= instant) {
            if packet.at - since >= lasting {
                return Some(since);
            }
            if tone::level(&packet.samples) > QUIET {
                since = packet.at + Duration::from_millis(20);
            }
        }
        (Instant::now().saturating_duration_since(since) >= lasting).then_some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(start: Instant, number: u16, samples: Vec<i16>) -> Packet {
        let at = start + Duration::from_millis(20) * u32::from(number);
        Packet {
            at,
            sequence: number,
            timestamp: u32::from(number) * 160,
            samples,
        }
    }

    #[test]
    fn the_moment_of_silence_is_found() {
        let start = Instant::now() - Duration::from_secs(2);
        let loud = tone::tone(440.0, 0.02, 0.5);
        let packets = (0..50u16)
            .map(|n| packet(start, n, if n < 30 { loud.clone() } else { vec![0; 160] }))
            .collect();
        let recording = Recording::new(packets);
        let silent = recording
            .silence_after(start, Duration::from_millis(200))
            .unwrap();
        assert_eq!(silent - start, Duration::from_millis(600));
        assert_eq!(recording.sound_after(start), Some(start));
        assert_eq!(recording.gap(0.99), Some(Duration::from_millis(20)));
        assert_eq!(recording.lost(), 0);
        assert!((recording.length().as_secs_f64() - 1.0).abs() < 1e-9);
    }
}
