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

/// The level of all prompts, in dBFS: loud and clear on a telephone without being a shout.
pub(super) const PROMPTS: f32 = -20.0;

/// Samples of a voice that was never heard before from which its level is guessed.
const ENOUGH: usize = super::RATE * 6 / 10;

/// The most by which speech is made louder or quieter, in dB.
const MOST_GAIN: f32 = 24.0;

/// Above this a sample is bent towards full scale and not clipped.
const KNEE: f32 = 24_000.0;

/// Brings a stream of speech to about the level of all prompts. Within one prompt the gain stays
/// the same: the one that was right for the voice before, or what its first words ask for.
pub(super) struct Leveller {
    /// In dB; absent until it is known.
    gain: Option<f32>,
    waiting: Vec<i16>,
    meter: Meter,
}

impl Leveller {
    /// Makes one for a prompt of a voice whose gain in dB may be known from before.
    pub(super) fn new(gain: Option<f32>) -> Self {
        Self {
            gain,
            waiting: Vec::new(),
            meter: Meter::default(),
        }
    }

    /// Takes samples and returns those whose level is right.
    pub(super) fn push(&mut self, samples: &[i16]) -> Vec<i16> {
        self.meter.push(samples);
        let Some(gain) = self.gain else {
            self.waiting.extend_from_slice(samples);
            let spoken = self.waiting.iter().skip_while(|it| it.unsigned_abs() < 100);
            if spoken.count() >= ENOUGH {
                return self.finish();
            }
            return Vec::new();
        };
        amplify(samples, gain)
    }

    /// Returns what is left when no more samples come.
    pub(super) fn finish(&mut self) -> Vec<i16> {
        let waiting = std::mem::take(&mut self.waiting);
        let gain = *self.gain.get_or_insert(self.meter.gain().unwrap_or(0.0));
        amplify(&waiting, gain)
    }

    /// Returns the gain in dB that would have been right; nothing when nothing was said.
    pub(super) fn measured(&self) -> Option<f32> {
        self.meter.gain()
    }
}

/// Measures the level of the parts of speech that are not pauses.
#[derive(Default)]
struct Meter {
    part: Vec<i16>,
    levels: Vec<f32>,
}

impl Meter {
    fn push(&mut self, samples: &[i16]) {
        self.part.extend_from_slice(samples);
        let whole = self.part.len() - self.part.len() % super::FRAME;
        let frames = self.part[..whole].chunks(super::FRAME);
        self.levels.extend(frames.map(decibels));
        self.part.drain(..whole);
    }

    fn gain(&self) -> Option<f32> {
        let loudest = self.levels.iter().copied().fold(SILENCE, f32::max);
        let active = self
            .levels
            .iter()
            .filter(|&&level| level > loudest - 25.0 && level > -60.0)
            .map(|&level| 10_f64.powf(f64::from(level) / 10.0));
        let (count, power) = active.fold((0_u32, 0.0), |(n, sum), power| (n + 1, sum + power));
        let mean = 10.0 * (power / f64::from(count)).log10();
        (count > 0).then(|| (PROMPTS - mean as f32).clamp(-MOST_GAIN, MOST_GAIN))
    }
}

fn amplify(samples: &[i16], gain: f32) -> Vec<i16> {
    let factor = 10_f32.powf(gain / 20.0);
    let one = |&sample: &i16| {
        let loud = f32::from(sample) * factor;
        let over = (loud.abs() - KNEE).max(0.0);
        let room = 32_000.0 - KNEE;
        (loud.signum() * (loud.abs().min(KNEE) + room * (over / room).tanh())) as i16
    };
    samples.iter().map(one).collect()
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

    /// A second of something loud, then a second of nothing.
    fn speech(amplitude: i16) -> Vec<i16> {
        let loud = (0..8000).map(|i| if i % 8 < 4 { amplitude } else { -amplitude });
        loud.chain([0; 8000]).collect()
    }

    /// Levels samples that come in pieces.
    fn levelled(leveller: &mut Leveller, samples: &[i16]) -> Vec<i16> {
        let mut all = Vec::new();
        for piece in samples.chunks(333) {
            all.extend(leveller.push(piece));
        }
        all.extend(leveller.finish());
        assert_eq!(all.len(), samples.len());
        all
    }

    #[test]
    fn quiet_and_loud_speech_come_to_the_same_level() {
        for amplitude in [300, 3000, 30000_i16] {
            let mut leveller = Leveller::new(None);
            let samples = levelled(&mut leveller, &speech(amplitude));
            let level = decibels(&samples[..8000]);
            assert!((level + 20.0).abs() < 0.3, "{amplitude}: {level}");
            // The next prompt of that voice needs not wait for its first words.
            let mut next = Leveller::new(leveller.measured());
            assert_eq!(next.push(&speech(amplitude)[..160]).len(), 160);
        }
    }

    #[test]
    fn a_peak_is_bent_and_does_not_wrap() {
        let mut samples = vec![100_i16; 8000];
        samples[6000] = i16::MIN;
        let samples = levelled(&mut Leveller::new(Some(20.0)), &samples);
        assert_eq!(samples[0], 1000);
        assert!(
            (-32_000..=-29_000).contains(&samples[6000]),
            "{}",
            samples[6000]
        );
    }

    #[test]
    fn silence_stays_silent() {
        assert_eq!(
            levelled(&mut Leveller::new(None), &[0; 20_000]),
            [0; 20_000]
        );
        assert_eq!(Leveller::new(None).measured(), None);
    }
}
