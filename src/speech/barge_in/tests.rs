//! What stops Hotline and what does not, by sounds made here.

use super::super::decibels;
use super::*;

/// What is judged, after how many milliseconds of sound it was taken for speech.
fn speech_after(sound: &[i16]) -> Option<usize> {
    let mut barge_in = BargeIn::new();
    let frames = sound.as_chunks::<FRAME>().0;
    let judged = frames
        .iter()
        .map(|frame| barge_in.frame(frame, decibels(frame), -44.0));
    let sounds: Vec<Sound> = judged.collect();
    let begins = sounds.iter().position(|sound| *sound != Sound::Nothing)?;
    let speech = sounds.iter().position(|sound| *sound == Sound::Speech)?;
    Some((speech + 1 - begins) * 20)
}

/// A noise that is the same each time, from -1 to 1.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) as f32 / 32768.0 - 1.0
    }
}

/// A resonance of a throat: a frequency and a width in Hz.
struct Formant {
    feedback: [f32; 2],
    state: [f32; 2],
}

impl Formant {
    fn new(hertz: f32, width: f32) -> Self {
        let radius = (-std::f32::consts::PI * width / 8000.0).exp();
        let angle = std::f32::consts::TAU * hertz / 8000.0;
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

/// Brings a sound to a level in dBFS.
fn at(level: f32, sound: &[f32]) -> Vec<i16> {
    let power = sound.iter().map(|it| it * it).sum::<f32>() / sound.len() as f32;
    let gain = 32768.0 * 10.0_f32.powf(level / 20.0) / power.sqrt();
    sound
        .iter()
        .map(|sample| (sample * gain).clamp(-32768.0, 32767.0) as i16)
        .collect()
}

/// A voice with formants, whose pitch falls a little.
fn voice(formants: &[(f32, f32)], milliseconds: usize) -> Vec<f32> {
    let mut throat: Vec<Formant> = formants
        .iter()
        .map(|(hertz, width)| Formant::new(*hertz, *width))
        .collect();
    let mut phase = 0.0;
    (0..milliseconds * 8)
        .map(|at| {
            phase += (130.0 - at as f32 / 400.0) / 8000.0;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase %= 1.0;
            throat.iter_mut().fold(pulse, |sound, it| it.push(sound))
        })
        .collect()
}

const A: [(f32, f32); 3] = [(700.0, 90.0), (1200.0, 110.0), (2600.0, 170.0)];
const E: [(f32, f32); 3] = [(400.0, 70.0), (2100.0, 110.0), (2800.0, 170.0)];
const M: [(f32, f32); 2] = [(250.0, 60.0), (1100.0, 900.0)];

#[test]
fn a_vowel_is_speech_within_100_ms() {
    for vowel in [A, E] {
        let after = speech_after(&at(-22.0, &voice(&vowel, 300)));
        assert!(after.is_some_and(|after| after <= 100), "{after:?}");
    }
}

#[test]
fn a_word_that_begins_with_a_hum_is_speech_when_its_vowel_comes() {
    let hum = at(-30.0, &voice(&M, 80));
    let vowel = at(-20.0, &voice(&A, 200));
    let after = speech_after(&[hum, vowel].concat());
    assert!(after.is_some_and(|after| after <= 160), "{after:?}");
}

#[test]
fn a_hum_is_no_speech_however_long() {
    for milliseconds in [200, 500, 2000] {
        assert_eq!(speech_after(&at(-20.0, &voice(&M, milliseconds))), None);
    }
    let hum = at(-20.0, &voice(&M, 250));
    assert_eq!(
        speech_after(&[hum.clone(), vec![0; 400], hum].concat()),
        None
    );
}

#[test]
fn a_cough_is_no_speech() {
    let mut noise = Noise(7);
    for (first, second) in [(600.0, 1500.0), (750.0, 1900.0)] {
        let mut throat = [Formant::new(first, 250.0), Formant::new(second, 400.0)];
        let cough: Vec<f32> = (0..2400)
            .map(|at| {
                let time = at as f32 / 8000.0;
                let burst = noise.next() * ((-time * 40.0).exp() + 0.1 * (-time * 8.0).exp());
                throat.iter_mut().map(|it| it.push(burst)).sum()
            })
            .collect();
        assert_eq!(speech_after(&at(-18.0, &cough)), None);
    }
}

#[test]
fn noise_breath_clicks_and_tones_are_no_speech() {
    let mut noise = Noise(3);
    let hiss: Vec<f32> = (0..16_000).map(|_| noise.next()).collect();
    assert_eq!(speech_after(&at(-25.0, &hiss)), None);
    let breath: Vec<f32> = hiss
        .iter()
        .enumerate()
        .map(|(at, sample)| sample * (at as f32 * std::f32::consts::PI / 16_000.0).sin())
        .collect();
    assert_eq!(speech_after(&at(-34.0, &breath)), None);
    let mut clicks = vec![0_i16; 16_000];
    for at in (0..16_000).step_by(1700) {
        clicks[at..at + 20].fill(12_000);
    }
    assert_eq!(speech_after(&clicks), None);
    for hertz in [50.0, 100.0, 425.0, 1000.0, 1400.0] {
        let tone = crate::speech::tone(hertz, std::time::Duration::from_secs(2));
        assert_eq!(speech_after(&tone), None, "{hertz} Hz");
    }
}

#[test]
fn our_own_words_are_an_echo_and_a_caller_over_them_is_not() {
    let words: Vec<i16> = (0..8)
        .flat_map(|n| {
            let (vowel, level) = if n % 2 == 0 { (A, -18.0) } else { (E, -22.0) };
            at(level, &voice(&vowel, 170 + 30 * n))
        })
        .collect();
    let words = words.as_chunks::<FRAME>().0;
    let caller = at(-20.0, &voice(&[(550.0, 80.0), (900.0, 100.0)], 400));
    let caller = caller.as_chunks::<FRAME>().0;
    let mut barge_in = BargeIn::new();
    let (mut echoes, mut speech) = (0, None);
    for (number, frame) in words.iter().enumerate() {
        barge_in.played(Some(frame));
        let mut back = number
            .checked_sub(4)
            .map_or([0; FRAME], |before| words[before].map(|sample| sample / 6));
        if let Some(voice) = number.checked_sub(70).and_then(|at| caller.get(at)) {
            for (sample, voice) in back.iter_mut().zip(voice) {
                *sample += voice;
            }
        }
        match barge_in.frame(&back, decibels(&back), -44.0) {
            Sound::Echo => echoes += 1,
            Sound::Speech if number < 70 => panic!("frame {number} is taken for a caller"),
            Sound::Speech => speech = speech.or(Some((number - 69) * 20)),
            Sound::Nothing | Sound::Unclear => {}
        }
    }
    assert!(echoes > 50, "{echoes}");
    assert!(speech.is_some_and(|after| after <= 200), "{speech:?}");
}
