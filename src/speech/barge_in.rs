//! Whether what is heard while Hotline itself talks is a caller who wants to speak: not a hum, a
//! cough, a click, breath, noise, a tone, or the echo of our own words. It judges sound alone, frame
//! by frame, and is pure; what words came of a sound is weighed by the listener.
//!
//! Vowels make speech: frames with a pitch whose energy is not all in the lowest formant, as it is
//! in "mm", and which are louder than the burst that a cough begins with.

mod echo;
mod spectrum;

use std::collections::VecDeque;

use self::echo::Echo;
use self::spectrum::{BANDS, Spectrum, WINDOW};
use super::FRAME;

/// Frames of quiet after which another sound begins.
const GAP: u32 = 8;

/// The newest frames in which vowels are looked for: 160 ms.
const SPAN: usize = 8;

/// The most frames of one sound that are remembered.
const MOST: usize = 30;

/// Frames of a vowel that make speech.
const VOWELS: usize = 3;

/// Voiced frames that make speech when their spectrum moves, as that of a hum does not.
const VOICED: usize = 4;

/// How far the spectrum moves between two sounds of speech, in dB per band.
const MOVES: f32 = 4.5;

/// From this periodicity on a frame has a pitch.
const PITCH: f32 = 0.6;

/// Below this periodicity a frame is a burst or noise.
const NO_PITCH: f32 = 0.5;

/// Vowels are so much louder than the burst before them, in dB.
const OVER_BURST: f32 = 3.0;

/// Frames further than this below the loudest of a sound are its edges, in dB.
const NEAR: f32 = 14.0;

/// What a frame sounds like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    /// Too quiet to be anything.
    Nothing,
    /// Something; more has to be heard.
    Unclear,
    /// Our own words, coming back.
    Echo,
    /// A caller who speaks.
    Speech,
}

/// A loud frame of the sound that is going on.
#[derive(Clone, Copy, Debug)]
struct Heard {
    level: f32,
    spectrum: Spectrum,
}

impl Heard {
    fn is_voiced(&self) -> bool {
        self.spectrum.periodicity > PITCH
    }

    /// Tells whether it sounds like a vowel: open, or in the front of the mouth. A hum has nearly
    /// all of its energy below 500 Hz, a tone has it in one place, a hiss above 2.5 kHz.
    fn is_vowel(&self) -> bool {
        let spectrum = &self.spectrum;
        self.is_voiced()
            && (spectrum.low() < -2.5 || spectrum.high() > -12.0)
            && spectrum.high() < -2.0
            && !spectrum.is_tone()
    }

    /// Tells whether it may be the burst of a cough or a click.
    fn is_burst(&self) -> bool {
        self.spectrum.periodicity < NO_PITCH && self.spectrum.middle() > -6.0
    }
}

/// Listens to one caller while we talk.
#[derive(Clone, Debug)]
pub(super) struct BargeIn {
    /// The newest samples of the caller.
    samples: [f32; WINDOW],
    echo: Echo,
    /// The newest frames of the sound that is going on; None is a quiet one.
    sound: VecDeque<Option<Heard>>,
    quiet: u32,
    /// Whether the sound that is going on is speech.
    spoken: bool,
}

impl BargeIn {
    pub(super) fn new() -> Self {
        Self {
            samples: [0.0; WINDOW],
            echo: Echo::new(),
            sound: VecDeque::with_capacity(MOST),
            quiet: 0,
            spoken: false,
        }
    }

    /// Learns the 20 ms that are being played to the caller; None for silence.
    pub(super) fn played(&mut self, frame: Option<&[i16; FRAME]>) {
        self.echo.played(frame);
    }

    /// Tells whether what was played lately may still come back.
    pub(super) fn may_echo(&self) -> bool {
        self.echo.may_come()
    }

    /// Judges the next 20 ms of the caller, whose level in dBFS is told too; what is not above the
    /// gate is nothing.
    pub(super) fn frame(&mut self, frame: &[i16; FRAME], level: f32, gate: f32) -> Sound {
        self.samples.copy_within(FRAME.., 0);
        for (place, sample) in self.samples[WINDOW - FRAME..].iter_mut().zip(frame) {
            *place = f32::from(*sample);
        }
        self.echo.heard(frame);
        if level <= gate {
            self.quiet += 1;
            if self.quiet >= GAP {
                self.sound.clear();
                self.echo.rest();
                self.spoken = false;
            } else if !self.sound.is_empty() {
                self.remember(None);
            }
            return Sound::Nothing;
        }
        if self.echo.is_echo() {
            return Sound::Echo;
        }
        self.quiet = 0;
        let spectrum = Spectrum::of(&self.samples);
        self.remember(Some(Heard { level, spectrum }));
        self.spoken |= self.is_speech();
        if self.spoken {
            Sound::Speech
        } else {
            Sound::Unclear
        }
    }

    fn remember(&mut self, frame: Option<Heard>) {
        if self.sound.len() == MOST {
            self.sound.pop_front();
        }
        self.sound.push_back(frame);
    }

    fn is_speech(&self) -> bool {
        let all: Vec<Heard> = self.sound.iter().flatten().copied().collect();
        let loudest = all.iter().map(|it| it.level).fold(-96.0, f32::max);
        let span = self.sound.len().saturating_sub(SPAN);
        let near: Vec<Heard> = self
            .sound
            .iter()
            .skip(span)
            .flatten()
            .filter(|it| it.level > loudest - NEAR)
            .copied()
            .collect();
        let vowels: Vec<Heard> = near.iter().filter(|it| it.is_vowel()).copied().collect();
        let voiced: Vec<Heard> = near.into_iter().filter(Heard::is_voiced).collect();
        let evidence = if vowels.len() >= VOWELS {
            vowels
        } else if voiced.len() >= VOICED && moves(&all) {
            voiced
        } else {
            return false;
        };
        let loudest = |frames: &mut dyn Iterator<Item = &Heard>| {
            frames.map(|it| it.level).fold(-96.0, f32::max)
        };
        let burst = loudest(&mut all.iter().filter(|it| it.is_burst()));
        loudest(&mut evidence.iter()) >= burst + OVER_BURST
    }
}

/// Tells whether the voiced frames of a sound do not all sound alike.
fn moves(sound: &[Heard]) -> bool {
    let bands: Vec<[f32; BANDS]> = sound
        .iter()
        .filter(|it| it.is_voiced())
        .map(|it| it.spectrum.bands)
        .collect();
    let pairs: Vec<[f32; BANDS]> = bands
        .windows(2)
        .map(|pair| std::array::from_fn(|band| (pair[0][band] + pair[1][band]) / 2.0))
        .collect();
    let Some((now, before)) = pairs.split_last() else {
        return false;
    };
    before.iter().any(|other| {
        let apart: f32 = now.iter().zip(other).map(|(a, b)| (a - b).abs()).sum();
        apart / BANDS as f32 >= MOVES
    })
}

#[cfg(test)]
mod tests;
