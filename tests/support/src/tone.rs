//! Tones: making them, recognising them, and measuring how loud and how long something is.
//!
//! All audio is mono, 16 bit, 8000 samples a second.

use std::f64::consts::TAU;
use std::path::Path;

use anyhow::Result;

/// Samples a second on the telephone.
pub const RATE: u32 = 8000;
/// Samples in 20 ms.
pub const FRAME: usize = 160;

/// Makes a sine of a frequency in hertz, a length in seconds and an amplitude of 0 to 1.
pub fn tone(frequency: f64, seconds: f64, amplitude: f64) -> Vec<i16> {
    let step = TAU * frequency / f64::from(RATE);
    let count = (seconds * f64::from(RATE)) as usize;
    (0..count)
        .map(|n| ((step * n as f64).sin() * amplitude.clamp(0.0, 1.0) * 32767.0) as i16)
        .collect()
}

/// Makes silence of a length in seconds.
pub fn silence(seconds: f64) -> Vec<i16> {
    vec![0; (seconds * f64::from(RATE)) as usize]
}

/// Returns which part (0 to 1) of the samples' energy lies at the frequency in hertz.
pub fn share(samples: &[i16], frequency: f64) -> f64 {
    let energy: f64 = samples
        .iter()
        .map(|&sample| f64::from(sample).powi(2))
        .sum();
    if energy < 1.0 {
        return 0.0;
    }
    // Goertzel's filter: the energy of one bin of a Fourier transform.
    let turn = 2.0 * (TAU * frequency / f64::from(RATE)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for &sample in samples {
        (last, before) = (f64::from(sample) + turn * last - before, last);
    }
    let bin = last * last + before * before - turn * last * before;
    (2.0 * bin / (samples.len() as f64 * energy)).min(1.0)
}

/// Tells whether the tone is what is mostly heard in some 100 ms of the samples.
pub fn contains(samples: &[i16], frequency: f64) -> bool {
    longest(samples, frequency) >= 0.1
}

/// Returns the longest uninterrupted stretch of the tone in seconds, measured in steps of 20 ms.
pub fn longest(samples: &[i16], frequency: f64) -> f64 {
    let (mut run, mut best) = (0usize, 0usize);
    for frame in samples.chunks_exact(FRAME) {
        run = if level(frame) > -45.0 && share(frame, frequency) > 0.5 {
            run + 1
        } else {
            0
        };
        best = best.max(run);
    }
    best as f64 * 0.02
}

/// Returns the frequency among the candidates that holds most of the energy, if it holds half.
pub fn strongest(samples: &[i16], candidates: &[f64]) -> Option<f64> {
    let shares = candidates
        .iter()
        .map(|&frequency| (share(samples, frequency), frequency));
    let best = shares.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.5).then_some(best.1)
}

/// Returns the level in dB relative to the loudest square wave; silence is -100.
pub fn level(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return -100.0;
    }
    let energy: f64 = samples
        .iter()
        .map(|&sample| f64::from(sample).powi(2))
        .sum();
    let mean = (energy / samples.len() as f64).sqrt() / 32768.0;
    (20.0 * mean.max(1e-5).log10()).max(-100.0)
}

/// Writes the samples as a WAV file.
pub fn write_wav(path: &Path, samples: &[i16]) -> Result<()> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for &sample in samples {
        writer.write_sample(sample)?;
    }
    writer.finalize()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_recognised_and_its_neighbour_is_not() {
        let samples = tone(440.0, 0.5, 0.5);
        assert!(share(&samples, 440.0) > 0.95);
        assert!(share(&samples, 700.0) < 0.05);
        assert_eq!(strongest(&samples, &[330.0, 440.0, 700.0]), Some(440.0));
        assert!((longest(&samples, 440.0) - 0.5).abs() < 0.021);
    }

    #[test]
    fn silence_has_no_tone_and_no_level() {
        let samples = silence(0.5);
        assert!(!contains(&samples, 440.0));
        assert!(level(&samples) <= -100.0);
        assert!((level(&tone(440.0, 0.5, 1.0)) + 3.0).abs() < 0.1);
    }
}
