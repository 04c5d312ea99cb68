//! What 40 ms of sound are made of: whether they have a pitch, and where their energy lies.

use std::f32::consts::TAU;
use std::sync::LazyLock;

use super::super::RATE;

/// Samples that are looked at: 40 ms.
pub(super) const WINDOW: usize = 320;

/// Bands of a spectrum.
pub(super) const BANDS: usize = 9;

/// Where the bands of a telephone begin and end, in Hz.
const EDGES: [usize; BANDS + 1] = [100, 300, 500, 700, 1000, 1400, 1900, 2500, 3100, 3700];

/// Samples that the energy is measured in.
const POINTS: usize = 256;

/// Lines of the spectrum, up to the end of the last band.
const LINES: usize = line_at(EDGES[BANDS]);

/// Nothing below this share counts, in dB.
const LEAST: f32 = -25.0;

/// The periods of voices, in samples: 67 to 400 Hz.
const PERIODS: std::ops::RangeInclusive<usize> = 20..=120;

/// A whole turn in as many steps as there are points, and the window that fades the edges.
static TABLES: LazyLock<([f32; POINTS], [f32; POINTS])> = LazyLock::new(|| {
    let turn = |step: usize| TAU * step as f32 / POINTS as f32;
    (
        std::array::from_fn(|step| turn(step).cos()),
        std::array::from_fn(|step| 0.5 - 0.5 * turn(step).cos()),
    )
});

/// The spectrum of a sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spectrum {
    /// The share that each band has of the energy, in dB.
    pub(super) bands: [f32; BANDS],
    /// 0 (noise) to 1 (the same again and again).
    pub(super) periodicity: f32,
    /// The share of the energy that lies in one place.
    line: f32,
}

impl Spectrum {
    pub(super) fn of(samples: &[f32; WINDOW]) -> Self {
        let lines = lines(samples);
        let total: f32 = lines.iter().sum::<f32>().max(1.0);
        let band = |band: usize| line_at(EDGES[band])..line_at(EDGES[band + 1]);
        let energies: [f32; BANDS] = std::array::from_fn(|it| lines[band(it)].iter().sum());
        let places = lines.windows(5).map(|place| place.iter().sum::<f32>());
        Self {
            bands: energies.map(|energy| decibels(energy / total).max(LEAST)),
            periodicity: periodicity(samples),
            line: places.fold(0.0, f32::max) / total,
        }
    }

    fn share(&self, bands: std::ops::Range<usize>) -> f32 {
        let sum: f32 = self.bands[bands]
            .iter()
            .map(|band| 10.0_f32.powf(band / 10.0))
            .sum();
        decibels(sum)
    }

    /// Returns the share below 500 Hz, in dB.
    pub(super) fn low(&self) -> f32 {
        self.share(0..2)
    }

    /// Returns the share from 500 to 2500 Hz, in dB.
    pub(super) fn middle(&self) -> f32 {
        self.share(2..7)
    }

    /// Returns the share above 1900 Hz, in dB.
    pub(super) fn high(&self) -> f32 {
        self.share(6..BANDS)
    }

    /// Tells whether nearly all energy lies in one place.
    pub(super) fn is_tone(&self) -> bool {
        self.line > 0.9
    }
}

fn decibels(share: f32) -> f32 {
    10.0 * share.max(1e-9).log10()
}

/// Returns the line of the spectrum that begins a band.
const fn line_at(hertz: usize) -> usize {
    (hertz * POINTS).div_ceil(RATE)
}

/// Returns the energy of each line of the spectrum, as far as a telephone carries it.
fn lines(samples: &[f32; WINDOW]) -> [f32; LINES] {
    let (cosine, fade) = &*TABLES;
    let newest = &samples[WINDOW - POINTS..];
    let mean = newest.iter().sum::<f32>() / POINTS as f32;
    let faded: [f32; POINTS] = std::array::from_fn(|at| (newest[at] - mean) * fade[at]);
    std::array::from_fn(|line| {
        if line < line_at(EDGES[0]) {
            return 0.0;
        }
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (at, sample) in faded.iter().enumerate() {
            let step = line * at % POINTS;
            real += sample * cosine[step];
            imaginary += sample * cosine[(step + POINTS - POINTS / 4) % POINTS];
        }
        real * real + imaginary * imaginary
    })
}

/// Returns how much the newest samples are like those of one period before.
fn periodicity(samples: &[f32; WINDOW]) -> f32 {
    let longest = *PERIODS.end();
    let mean = samples.iter().sum::<f32>() / WINDOW as f32;
    let samples = samples.map(|sample| sample - mean);
    let newest = &samples[longest..];
    let energy: f32 = newest.iter().map(|sample| sample * sample).sum();
    PERIODS
        .map(|period| {
            let before = &samples[longest - period..WINDOW - period];
            let (mut alike, mut theirs) = (0.0, 0.0);
            for (now, then) in newest.iter().zip(before) {
                alike += now * then;
                theirs += then * then;
            }
            alike / ((energy + 1.0) * (theirs + 1.0)).sqrt()
        })
        .fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f32) -> [f32; WINDOW] {
        std::array::from_fn(|at| 5000.0 * (TAU * hertz * at as f32 / RATE as f32).sin())
    }

    #[test]
    fn a_tone_lies_in_its_band_and_repeats_itself() {
        for (hertz, band) in [(200.0, 0), (850.0, 3), (1650.0, 5), (3400.0, 8)] {
            let spectrum = Spectrum::of(&tone(hertz));
            assert!(spectrum.bands[band] > -0.1, "{hertz}: {:?}", spectrum.bands);
            assert!(spectrum.is_tone());
            assert!(spectrum.periodicity > 0.9, "{hertz}: {spectrum:?}");
        }
    }

    #[test]
    fn noise_is_everywhere_and_repeats_nothing() {
        let mut state = 1_u32;
        let noise = std::array::from_fn(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as f32 / 8.0 - 4096.0
        });
        let spectrum = Spectrum::of(&noise);
        assert!(
            spectrum.bands.iter().all(|band| *band > -20.0),
            "{spectrum:?}"
        );
        assert!(spectrum.periodicity < 0.5, "{spectrum:?}");
        assert!(!spectrum.is_tone());
    }

    #[test]
    fn silence_is_nothing_at_all() {
        let spectrum = Spectrum::of(&[0.0; WINDOW]);
        assert!(spectrum.periodicity < 0.1);
    }
}
