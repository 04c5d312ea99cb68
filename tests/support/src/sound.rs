//! The set of sounds that are no speech and that a caller's line brings all the same: hums, coughs,
//! breath, noise, clicks, tones and music. They are made here, always alike.

use std::f32::consts::{PI, TAU};
use std::path::Path;

use anyhow::Result;

use crate::caller;
use crate::tone::RATE;

/// A sound that is no speech.
#[derive(Clone, Debug)]
pub struct Sound {
    /// What it is.
    pub name: String,
    /// 8000 samples a second.
    pub samples: Vec<i16>,
}

/// The levels that sounds have, in dB: as loud as speech is on the telephone, quieter and louder.
const LEVELS: [f32; 3] = [-28.0, -22.0, -18.0];

/// Makes the whole set: 58 sounds, and one more where alsa-utils' noise lies on this machine.
pub fn all() -> Result<Vec<Sound>> {
    let mut sounds = hums()?;
    for seed in 0..12 {
        sounds.push(sound(format!("cough {seed}"), level(seed), &cough(seed)));
    }
    for seed in 0..5 {
        let quiet = level(seed) - 8.0;
        sounds.push(sound(format!("breath {seed}"), quiet, &breath(seed)));
    }
    for seed in 0..6 {
        sounds.push(sound(format!("noise {seed}"), level(seed), &noise(seed)));
    }
    for seed in 0..5 {
        sounds.push(sound(format!("clicks {seed}"), -26.0, &clicks(seed)));
    }
    for hertz in [50.0, 100.0, 425.0, 1000.0, 1400.0] {
        let tone: Vec<f32> = (0..16_000)
            .map(|at| {
                let angle = TAU * hertz * at as f32 / RATE as f32;
                angle.sin() + 0.2 * (2.0 * angle).sin()
            })
            .collect();
        sounds.push(sound(format!("tone of {hertz} Hz"), -22.0, &tone));
    }
    for seed in 0..4 {
        sounds.push(sound(format!("music {seed}"), level(seed), &music(seed)));
    }
    let recorded = Path::new("/usr/share/sounds/alsa/Noise.wav");
    if recorded.is_file() {
        let noise = caller::recorded(recorded)?;
        let noise: Vec<f32> = noise
            .iter()
            .take(2 * RATE as usize)
            .map(|sample| f32::from(*sample))
            .collect();
        sounds.push(sound("alsa-utils' noise".to_owned(), -22.0, &noise));
    }
    Ok(sounds)
}

/// "mm", "mhm" and "hm" in several voices, by the phonemes of espeak-ng.
fn hums() -> Result<Vec<Sound>> {
    let mut sounds = Vec::new();
    for voice in ["da", "da+f2", "en-gb+m3"] {
        for phonemes in ["m", "m:", "m:m:", "mhm", "m:hm:", "hm:", "n:"] {
            let hum = caller::speak(voice, &format!("[[{phonemes}]]"))?;
            let hum: Vec<f32> = hum.iter().map(|sample| f32::from(*sample)).collect();
            let name = format!("[[{phonemes}]] by {voice}");
            sounds.push(sound(name, level(sounds.len()), &hum));
        }
    }
    Ok(sounds)
}

fn level(number: usize) -> f32 {
    LEVELS[number % LEVELS.len()]
}

/// Brings a sound to a level, through the band of a telephone.
fn sound(name: String, level: f32, samples: &[f32]) -> Sound {
    let (mut high, mut low, mut before) = (0.0, 0.0, 0.0);
    let band: Vec<f32> = samples
        .iter()
        .map(|sample| {
            // First-order filters at 200 and 3400 Hz.
            high = 0.86 * (high + sample - before);
            before = *sample;
            low += 0.93 * (high - low);
            low
        })
        .collect();
    let loudest = band
        .chunks(160)
        .map(|frame| frame.iter().map(|it| it * it).sum::<f32>() / frame.len() as f32)
        .fold(0.0, f32::max);
    // The loudest 20 ms lie some way above the level of the whole.
    let gain = 32768.0 * 10.0_f32.powf((level + 4.0) / 20.0) / loudest.max(1e-12).sqrt();
    Sound {
        name,
        samples: band
            .iter()
            .map(|sample| (sample * gain).clamp(-32768.0, 32767.0) as i16)
            .collect(),
    }
}

/// Chance that is the same each time.
struct Chance(u32);

impl Chance {
    fn new(seed: usize) -> Self {
        let mut chance = Self(seed as u32 * 7919 + 17);
        chance.next();
        chance
    }

    /// Returns a number from -1 to 1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) as f32 / 32768.0 - 1.0
    }

    fn between(&mut self, least: f32, most: f32) -> f32 {
        least + (most - least) * (self.next() + 1.0) / 2.0
    }
}

/// A resonance.
struct Formant {
    feedback: [f32; 2],
    state: [f32; 2],
}

impl Formant {
    fn new(hertz: f32, width: f32) -> Self {
        let radius = (-PI * width / RATE as f32).exp();
        let angle = TAU * hertz / RATE as f32;
        Self {
            feedback: [2.0 * radius * angle.cos(), -radius * radius],
            state: [0.0; 2],
        }
    }

    fn push(&mut self, sample: f32) -> f32 {
        let out = sample + self.feedback[0] * self.state[0] + self.feedback[1] * self.state[1];
        self.state = [out, self.state[0]];
        out
    }
}

/// One to three coughs: a burst through an open throat, the rush of air after it, and in every other
/// one a little voice at its end.
fn cough(seed: usize) -> Vec<f32> {
    let mut chance = Chance::new(seed);
    let mut samples = Vec::new();
    let formants = [
        (chance.between(500.0, 900.0), 250.0),
        (chance.between(1400.0, 2200.0), 400.0),
        (2800.0, 600.0),
    ];
    for _ in 0..=seed % 3 {
        let length = (RATE as f32 * chance.between(0.18, 0.35)) as usize;
        let fall = chance.between(0.02, 0.05);
        let mut rush = formants.map(|(hertz, width)| Formant::new(hertz, width));
        let mut voice = formants.map(|(hertz, width)| Formant::new(hertz, width / 2.0));
        let (mut phase, pitch) = (0.0, chance.between(170.0, 300.0));
        for at in 0..length {
            let time = at as f32 / RATE as f32;
            let burst = (time / 0.005).min(1.0) * (-time / fall).exp();
            let air = burst + 0.25 * (-((time - 0.12) / 0.06).powi(2)).exp();
            let noise = chance.next() * air;
            let mut out: f32 = rush.iter_mut().map(|it| it.push(noise)).sum();
            if seed % 2 == 1 {
                phase = (phase + pitch * (1.0 - time) / RATE as f32) % 1.0;
                let pulse = if phase < 0.05 { 0.4 } else { -0.02 };
                let swell = 0.3 * (-((time - 0.14) / 0.04).powi(2)).exp();
                let voiced: f32 = voice.iter_mut().map(|it| it.push(pulse * swell)).sum();
                out += voiced;
            }
            samples.push(out);
        }
        let pause = (RATE as f32 * chance.between(0.05, 0.3)) as usize;
        samples.extend(std::iter::repeat_n(0.0, pause));
    }
    samples
}

fn breath(seed: usize) -> Vec<f32> {
    let mut chance = Chance::new(seed + 100);
    let length = (RATE as f32 * chance.between(0.5, 1.2)) as usize;
    let mut throat = [
        Formant::new(chance.between(400.0, 700.0), 500.0),
        Formant::new(chance.between(1500.0, 2500.0), 900.0),
    ];
    (0..length)
        .map(|at| {
            let swell = (PI * at as f32 / length as f32).sin().powi(2);
            let noise = chance.next() * swell;
            throat.iter_mut().map(|it| it.push(noise)).sum()
        })
        .collect()
}

/// White, low and swelling noise, for three seconds.
fn noise(seed: usize) -> Vec<f32> {
    let mut chance = Chance::new(seed + 200);
    let mut low = 0.0;
    (0..3 * RATE as usize)
        .map(|at| {
            let white = chance.next();
            low += 0.1 * (white - low);
            match seed % 3 {
                0 => white,
                1 => low,
                _ => white * (0.5 + 0.5 * (TAU * 3.0 * at as f32 / RATE as f32).sin()),
            }
        })
        .collect()
}

/// A dozen clicks in three seconds, of 2 to 40 ms.
fn clicks(seed: usize) -> Vec<f32> {
    let mut chance = Chance::new(seed + 300);
    let mut samples = vec![0.0; 3 * RATE as usize];
    for _ in 0..12 {
        let from = chance.between(0.0, 23_000.0) as usize;
        let length = chance.between(16.0, 320.0) as usize;
        let loud = chance.between(0.3, 1.0);
        for (at, sample) in samples[from..from + length].iter_mut().enumerate() {
            *sample += chance.next() * loud * (-4.0 * at as f32 / length as f32).exp();
        }
    }
    samples
}

/// Four seconds of the music that machines play: a bass and chords of plain tones.
fn music(seed: usize) -> Vec<f32> {
    const CHORDS: [[f32; 3]; 4] = [
        [261.6, 329.6, 392.0],
        [220.0, 261.6, 329.6],
        [174.6, 220.0, 261.6],
        [196.0, 246.9, 293.7],
    ];
    let beat = RATE as usize * (3 + seed) / 10;
    (0..4 * RATE as usize)
        .map(|at| {
            let chord = CHORDS[(at / beat + seed) % CHORDS.len()];
            let time = at as f32 / RATE as f32;
            let since = (at % beat) as f32 / beat as f32;
            let fade = (since * 20.0).min(1.0) * (-since).exp();
            let tones = chord
                .iter()
                .map(|hertz| (TAU * hertz * time).sin())
                .sum::<f32>();
            fade * (tones + (TAU * chord[0] / 2.0 * time).sin())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone;

    #[test]
    fn each_sound_is_heard_and_none_is_clipped() {
        let Ok(sounds) = all() else { return };
        assert!(sounds.len() >= 50, "{}", sounds.len());
        for sound in sounds {
            let loudest = sound
                .samples
                .chunks(160)
                .map(tone::level)
                .fold(-96.0, f64::max);
            assert!(
                (-36.0..-8.0).contains(&loudest),
                "{}: {loudest} dB",
                sound.name
            );
        }
    }
}
