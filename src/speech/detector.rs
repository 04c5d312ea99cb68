//! Whether 20 ms of a caller sound like a voice, by one of two detectors.

use std::fmt;

use webrtc_vad::{SampleRate, Vad, VadMode};

use super::rate::Converter;
use super::turn::Detection;
use super::{FRAME, RATE};

/// Samples that the network takes at once, at 16 kHz: 16 ms.
const PIECE: usize = 256;

/// From this score on the network has heard a voice; with less, noise is one too.
const VOICE: f32 = 0.5;

/// A voice detector of one call.
pub(super) enum Detector {
    Webrtc(Vad),
    Neural(Box<Neural>),
}

impl Detector {
    pub(super) fn new(detection: Detection) -> Self {
        match detection {
            Detection::Webrtc => Self::Webrtc(Vad::new_with_rate_and_mode(
                SampleRate::Rate8kHz,
                VadMode::Aggressive,
            )),
            Detection::Neural => Self::Neural(Box::new(Neural::new())),
        }
    }

    pub(super) fn is_voice(&mut self, frame: &[i16; FRAME]) -> bool {
        match self {
            Self::Webrtc(vad) => vad.is_voice_segment(frame).unwrap_or(false),
            Self::Neural(network) => network.is_voice(frame),
        }
    }
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Webrtc(_) => "Webrtc",
            Self::Neural(_) => "Neural",
        })
    }
}

/// The network with the samples that do not fill a piece yet.
pub(super) struct Neural {
    network: earshot::Detector,
    converter: Option<Converter>,
    waiting: Vec<i16>,
    voice: bool,
}

impl Neural {
    fn new() -> Self {
        Self {
            network: earshot::Detector::default(),
            converter: Converter::new(RATE as u32, 2 * RATE as u32),
            waiting: Vec::with_capacity(PIECE + 2 * FRAME),
            voice: false,
        }
    }

    fn is_voice(&mut self, frame: &[i16; FRAME]) -> bool {
        if let Some(converter) = &mut self.converter {
            self.waiting.extend(converter.push(frame));
        }
        // A frame is 1.25 pieces: it is a voice when one of those that it completes is.
        let mut scores = Vec::new();
        while self.waiting.len() >= PIECE {
            scores.push(self.network.predict_i16(&self.waiting[..PIECE]));
            self.waiting.drain(..PIECE);
        }
        if !scores.is_empty() {
            self.voice = scores.iter().any(|score| *score >= VOICE);
        }
        self.voice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the share of the frames that count as a voice.
    fn share(detection: Detection, samples: &[i16]) -> f32 {
        let mut detector = Detector::new(detection);
        let frames = samples.as_chunks::<FRAME>().0;
        let voices = frames.iter().filter(|frame| detector.is_voice(frame));
        voices.count() as f32 / frames.len() as f32
    }

    #[test]
    fn either_detector_tells_a_voice_from_silence() {
        let mut phase = 0.0_f32;
        let voice: Vec<i16> = (0..16_000)
            .map(|at| {
                let time = at as f32 / 8000.0;
                phase += (120.0 + 25.0 * (time * 6.0).sin()) / 8000.0;
                let syllable = (0.5 - 0.5 * (time * 25.0).cos()).powi(2);
                let buzz: f32 = (1..25)
                    .map(|n| {
                        let hertz = 120.0 * n as f32;
                        let formants = (-((hertz - 650.0) / 300.0).powi(2)).exp()
                            + 0.6 * (-((hertz - 1300.0) / 300.0).powi(2)).exp()
                            + 0.1;
                        formants * (std::f32::consts::TAU * phase * n as f32).sin()
                    })
                    .sum();
                (buzz * syllable * 4000.0) as i16
            })
            .collect();
        for detection in [Detection::Webrtc, Detection::Neural] {
            assert!(
                share(detection, &voice) > 0.4,
                "{detection:?}: {}",
                share(detection, &voice)
            );
            assert!(share(detection, &[0; 16_000]) < 0.05, "{detection:?}");
        }
    }
}
