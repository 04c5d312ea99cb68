//! Loudness in decibels below full scale, and the tones that Hotline itself makes.

use std::time::Duration;

use super::RATE;

/// The level given to digital silence, in dBFS.
const SILENCE: f32 = -96.0;

/// Returns the mean level of samples in dBFS: 0 is a full-scale square wave, -96 is silence.
pub fn decibels(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return SILENCE;
    }
    let power: f64 = samples
        .iter()
        .map(|&sample| f64::from(sample).powi(2))
        .sum::<f64>()
        / samples.len() as f64;
    if power < 1.0 {
        return SILENCE;
    }
    (10.0 * (power / 32768.0_f64.powi(2)).log10()) as f32
}

/// Makes a tone of a frequency in Hz at -15 dBFS, faded in and out so that it does not click.
pub fn tone(hertz: f32, length: Duration) -> Vec<i16> {
    let count = (length.as_secs_f64() * RATE as f64).round() as usize;
    let fade = (RATE / 200).min(count / 2).max(1);
    (0..count)
        .map(|index| {
            let edge = index.min(count - 1 - index).min(fade) as f32 / fade as f32;
            let angle = std::f32::consts::TAU * hertz * index as f32 / RATE as f32;
            (8240.0 * edge * angle.sin()) as i16
        })
        .collect()
}

/// Brings speech to about `target` dBFS, measured over the parts that are not pauses, without
/// clipping a single peak.
pub(super) fn normalise(samples: &mut [i16], target: f32) {
    let levels: Vec<f32> = samples.chunks(super::FRAME).map(decibels).collect();
    let loudest = levels.iter().copied().fold(SILENCE, f32::max);
    let active: Vec<f64> = levels
        .iter()
        .filter(|&&level| level > loudest - 25.0 && level > -60.0)
        .map(|&level| 10_f64.powf(f64::from(level) / 10.0))
        .collect();
    if active.is_empty() {
        return;
    }
    let mean = 10.0 * (active.iter().sum::<f64>() / active.len() as f64).log10();
    let wanted = 10_f64.powf((f64::from(target) - mean) / 20.0);
    let peak = samples
        .iter()
        .map(|sample| sample.unsigned_abs())
        .max()
        .unwrap_or(1)
        .max(1);
    let gain = wanted.min(30_000.0 / f64::from(peak));
    for sample in samples {
        *sample = (f64::from(*sample) * gain).round() as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beep_has_its_length_its_pitch_and_soft_edges() {
        let beep = tone(440.0, Duration::from_millis(200));
        assert_eq!(beep.len(), 1600);
        let crossings = beep
            .windows(2)
            .filter(|pair| (pair[0] < 0) != (pair[1] < 0))
            .count();
        assert!(
            (172..=180).contains(&crossings),
            "{crossings} zero crossings in 200 ms"
        );
        assert_eq!((beep[0], beep[1599]), (0, 0));
        assert!((decibels(&beep) + 15.0).abs() < 1.0, "{}", decibels(&beep));
    }

    #[test]
    fn silence_has_a_level_too() {
        assert_eq!(decibels(&[]), -96.0);
        assert_eq!(decibels(&[0; 160]), -96.0);
    }

    #[test]
    fn quiet_and_loud_speech_come_to_the_same_level() {
        for amplitude in [300, 3000, 30000_i16] {
            let mut samples: Vec<i16> = (0..8000)
                .map(|i| if i % 8 < 4 { amplitude } else { -amplitude })
                .collect();
            samples.extend([0; 8000]);
            normalise(&mut samples, -20.0);
            assert!((decibels(&samples[..8000]) + 20.0).abs() < 0.2);
        }
    }

    #[test]
    fn a_single_peak_is_not_clipped() {
        let mut samples = vec![100_i16; 8000];
        samples[4000] = i16::MIN;
        normalise(&mut samples, -20.0);
        assert!(samples[4000] > i16::MIN && samples[4000] <= -29_000);
    }
}
