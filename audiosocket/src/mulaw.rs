//! µ-law (ITU-T G.711) in place of linear samples, the trap of `Dial(AudioSocket/…)`.
//!
//! Dialled without `/c(slin)`, Asterisk 22 sends the caller's own codec under kind 0x10: 160 bytes of
//! µ-law every 20 ms instead of 320 bytes of samples. [`MulawWatch`] tells the two apart by length and
//! time. A-law callers make the same lengths; which of the two laws it is cannot be told here.

use crate::frame::{Audio, Rate};
use bytes::Bytes;
use std::time::Duration;

/// Payload bytes of 20 ms of µ-law at 8 kHz, and of 10 ms of linear samples.
pub const MULAW_FRAME_BYTES: usize = 160;

/// Frames whose spacing is measured before a first impression may be revised.
const MEASURED_FRAMES: u32 = 10;

const BIAS: i32 = 0x84;
const CLIP: i32 = 32_635;

const LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = !(code as u8);
        let magnitude = ((((bits & 0x0f) as i32) << 3) + BIAS) << ((bits & 0x70) >> 4);
        let sample = if bits & 0x80 == 0 {
            magnitude - BIAS
        } else {
            BIAS - magnitude
        };
        table[code] = sample as i16;
        code += 1;
    }
    table
};

/// Expands one µ-law byte to a 16-bit sample.
pub fn decode(code: u8) -> i16 {
    LINEAR[usize::from(code)]
}

/// Compresses one 16-bit sample to µ-law.
pub fn encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(CLIP) + BIAS;
    let exponent = (magnitude >> 7).ilog2();
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent as u8) << 4 | mantissa as u8)
}

/// Expands a payload of µ-law bytes into 8 kHz audio of 16-bit samples.
pub fn expand(payload: &[u8]) -> Audio {
    let bytes: Vec<u8> = payload
        .iter()
        .flat_map(|code| decode(*code).to_le_bytes())
        .collect();
    Audio {
        rate: Rate::Hz8000,
        payload: Bytes::from(bytes),
    }
}

/// Tells whether the frames of one call are µ-law under the kind of linear audio.
///
/// A first frame of 160 bytes is taken for µ-law, as Asterisk's frames last 20 ms; ten such frames that
/// came in less than 15 ms each on average were 10 ms of linear samples after all. One frame of
/// another length settles it as linear.
#[derive(Debug, Clone, Default)]
pub struct MulawWatch {
    seen: u32,
    first: Duration,
    settled: Option<bool>,
}

impl MulawWatch {
    /// Starts a watch over one call.
    pub fn new() -> MulawWatch {
        MulawWatch::default()
    }

    /// Takes the next frame and the time it came, and returns whether it is µ-law.
    pub fn observe(&mut self, audio: &Audio, now: Duration) -> bool {
        if let Some(mulaw) = self.settled {
            return mulaw && audio.payload.len() == MULAW_FRAME_BYTES;
        }
        if audio.rate != Rate::Hz8000 || audio.payload.len() != MULAW_FRAME_BYTES {
            self.settled = Some(false);
            return false;
        }
        if self.seen == 0 {
            self.first = now;
        }
        self.seen += 1;
        if self.seen > MEASURED_FRAMES {
            let spacing = now.saturating_sub(self.first) / (self.seen - 1);
            self.settled = Some(spacing >= Duration::from_millis(15));
        }
        self.settled.unwrap_or(true)
    }

    /// Returns the audio as linear samples, expanded where it is µ-law.
    pub fn linear(&mut self, audio: Audio, now: Duration) -> Audio {
        if self.observe(&audio, now) {
            expand(&audio.payload)
        } else {
            audio
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Audio {
        Audio {
            rate: Rate::Hz8000,
            payload: vec![0xff; bytes].into(),
        }
    }

    fn verdict_after(frames: u32, bytes: usize, spacing_ms: u64) -> bool {
        let mut watch = MulawWatch::new();
        let mut last = false;
        for number in 0..frames {
            let now = Duration::from_millis(spacing_ms * u64::from(number));
            last = watch.observe(&frame(bytes), now);
        }
        last
    }

    #[test]
    fn known_codes_have_their_g711_values() {
        assert_eq!(
            [0xff, 0x7f, 0x80, 0x00].map(decode),
            [0, 0, 32_124, -32_124]
        );
        assert_eq!([0, 32_767, -32_768].map(encode), [0xff, 0x80, 0x00]);
    }

    #[test]
    fn every_code_survives_expansion_and_compression() {
        for code in 0..=255 {
            let again = encode(decode(code));
            assert!(
                again == code || (code == 0x7f && again == 0xff),
                "{code:#x} came back {again:#x}"
            );
        }
    }

    #[test]
    fn compression_loses_less_than_a_step_of_its_segment() {
        for sample in i16::MIN..=i16::MAX {
            let lost = (i32::from(decode(encode(sample))) - i32::from(sample)).abs();
            assert!(
                lost <= i32::from(sample).abs() / 30 + 4 || lost <= 644,
                "{sample} lost {lost}"
            );
        }
    }

    #[test]
    fn half_length_frames_every_20_ms_are_mulaw_from_the_first() {
        assert!(verdict_after(1, 160, 20));
        assert!(verdict_after(50, 160, 20));
    }

    #[test]
    fn half_length_frames_every_10_ms_turn_out_to_be_linear() {
        assert!(!verdict_after(11, 160, 10));
    }

    #[test]
    fn ordinary_frames_are_linear() {
        assert!(!verdict_after(1, 320, 20));
        assert!(!verdict_after(50, 320, 20));
    }
}
