//! Brings telephone audio to the 16 kHz that the model was trained at.
//!
//! What the telephone cut off above 4 kHz is missed by the model, whose hissing sounds live there.
//! So the mirror image that doubling the rate makes up there is not filtered out but left in,
//! weaker: it is loud where the voice hisses and quiet where it hums, much as the real band was.

/// Taps of the filter that makes the samples in between.
const TAPS: usize = 16;

/// How strong the mirror image is, against the band it mirrors.
const IMAGE: f32 = 0.6;

/// How far the noise goes that is added: nothing to an ear, but a line that is digitally silent has
/// no spectrum, and the decoder loses its footing over it.
const NOISE: u32 = 2;

/// Doubles the rate of one stream.
#[derive(Debug)]
pub(super) struct Widener {
    taps: [f32; TAPS],
    /// The newest samples, the oldest first.
    kept: [f32; TAPS],
    dice: u32,
}

impl Widener {
    pub(super) fn new() -> Self {
        let half = TAPS as f32 / 2.0;
        let mut taps = [0.0_f32; TAPS];
        for (place, tap) in taps.iter_mut().enumerate() {
            let at = std::f32::consts::PI * (place as f32 - half + 0.5);
            let window = 0.5 + 0.5 * (at / (half + 0.5)).cos();
            *tap = at.sin() / at * window;
        }
        let sum: f32 = taps.iter().sum();
        Self {
            taps: taps.map(|tap| tap / sum),
            kept: [0.0; TAPS],
            dice: 1,
        }
    }

    /// Appends two samples of 16 kHz for each one of 8 kHz, half a filter later.
    pub(super) fn push(&mut self, samples: &[i16], wide: &mut Vec<i16>) {
        for &sample in samples {
            self.kept.copy_within(1.., 0);
            self.dice = self
                .dice
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            let noise = ((self.dice >> 8) % (2 * NOISE + 1)) as f32 - NOISE as f32;
            self.kept[TAPS - 1] = f32::from(sample) + noise;
            let between: f32 = self.taps.iter().zip(&self.kept).map(|(a, b)| a * b).sum();
            let there = self.kept[TAPS / 2 - 1];
            // A cast saturates, so what overshoots is clipped and does not wrap.
            wide.push((there * (1.0 + IMAGE)).round() as i16);
            wide.push((between * (1.0 - IMAGE)).round() as i16);
        }
    }

    /// Forgets what came before.
    pub(super) fn reset(&mut self) {
        self.kept = [0.0; TAPS];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measures the strength of one pitch.
    fn strength(samples: &[i16], hertz: f32) -> f32 {
        let (mut sine, mut cosine) = (0.0_f32, 0.0_f32);
        for (n, sample) in samples.iter().enumerate() {
            let at = std::f32::consts::TAU * hertz * n as f32 / 16_000.0;
            sine += f32::from(*sample) * at.sin();
            cosine += f32::from(*sample) * at.cos();
        }
        2.0 * sine.hypot(cosine) / samples.len() as f32
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_strength_and_gets_a_weaker_image_above_the_telephones_band() {
        let tone: Vec<i16> = (0..8000)
            .map(|n| (8000.0 * (std::f32::consts::TAU * 3000.0 * n as f32 / 8000.0).sin()) as i16)
            .collect();
        let mut wide = Vec::new();
        let mut widener = Widener::new();
        for frame in tone.chunks(160) {
            widener.push(frame, &mut wide);
        }
        assert_eq!(wide.len(), 16_000);
        let (tone, image) = (strength(&wide, 3000.0), strength(&wide, 5000.0));
        assert!((tone - 8000.0).abs() < 400.0, "{tone}");
        assert!((image - 8000.0 * IMAGE).abs() < 400.0, "{image}");
    }

    #[test]
    fn the_loudest_noise_is_clipped_and_does_not_wrap() {
        let mut wide = Vec::new();
        Widener::new().push(&[i16::MAX; 64], &mut wide);
        assert!(wide.iter().all(|&sample| sample >= -4000), "{wide:?}");
    }
}
