//! Brings a stream of audio from one sampling rate to another, 20 ms at a time.

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler};

/// A converter for one stream.
pub(crate) struct Converter {
    resampler: Fft<f32>,
    waiting: Vec<i16>,
}

impl Converter {
    /// Makes a converter between two rates in Hz; nothing when the library knows no way.
    pub(crate) fn new(from: u32, to: u32) -> Option<Self> {
        let (from, to) = (from as usize, to as usize);
        let resampler = Fft::<f32>::new(from, to, from / 50, 1, FixedSync::Both).ok()?;
        Some(Self {
            resampler,
            waiting: Vec::new(),
        })
    }

    /// Returns by how many samples of the new rate everything comes later.
    pub(crate) fn delay(&self) -> usize {
        self.resampler.output_delay()
    }

    /// Takes samples of the one rate and returns those of the other that are complete.
    pub(crate) fn push(&mut self, samples: &[i16]) -> Vec<i16> {
        self.waiting.extend_from_slice(samples);
        let mut converted = Vec::new();
        loop {
            let wanted = self.resampler.input_frames_next();
            if self.waiting.len() < wanted {
                return converted;
            }
            let chunk: Vec<f32> = self
                .waiting
                .drain(..wanted)
                .map(|sample| f32::from(sample) / 32768.0)
                .collect();
            let Ok(input) = InterleavedOwned::new_from(chunk, 1, wanted) else {
                continue;
            };
            let Ok(output) = self.resampler.process(&input, None) else {
                continue;
            };
            // A cast saturates, so what overshoots is clipped and does not wrap.
            converted.extend(
                output
                    .take_data()
                    .iter()
                    .map(|s| (s * 32768.0).round() as i16),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: f32, hertz: f32, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|n| (8000.0 * (std::f32::consts::TAU * hertz * n as f32 / rate).sin()) as i16)
            .collect()
    }

    /// Counts how often the signal crosses zero upwards: its pitch times its length.
    fn crossings(samples: &[i16]) -> usize {
        samples
            .windows(2)
            .filter(|pair| pair[0] < 0 && pair[1] >= 0)
            .count()
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_length_from_wideband_to_narrowband_and_back() {
        let mut down = Converter::new(16000, 8000).unwrap();
        let mut up = Converter::new(8000, 16000).unwrap();
        let mut narrow = Vec::new();
        let mut wide = Vec::new();
        for frame in tone(16000.0, 440.0, 16000).chunks(320) {
            let converted = down.push(frame);
            wide.extend(up.push(&converted));
            narrow.extend(converted);
        }
        assert_eq!((narrow.len(), wide.len()), (8000, 16000));
        // The filter rings for some samples before the first wave.
        let (narrow, wide) = (&narrow[160..], &wide[320..]);
        assert!(
            (430..=432).contains(&crossings(narrow)),
            "{}",
            crossings(narrow)
        );
        assert!(
            (430..=432).contains(&crossings(wide)),
            "{}",
            crossings(wide)
        );
    }
}
