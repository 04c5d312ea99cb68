//! Finds our own words in what the caller's telephone sends back: the same waveform, some time
//! later. Both are brought to 2 kHz, where the pitch and the first formant of a voice lie.

use std::collections::VecDeque;

use super::super::FRAME;

/// Samples that become one.
const COARSE: usize = 4;

/// Samples of a frame after that.
const STEP: usize = FRAME / COARSE;

/// Samples of the caller that are compared: 100 ms.
const WINDOW: usize = 200;

/// The longest delay of an echo, in samples: 600 ms.
const LONGEST: usize = 1200;

/// How alike an echo is whose delay is not known: two voices of one pitch are less so.
const ALIKE: f32 = 0.85;

/// How alike an echo is that comes after the delay that is known, with a caller's noise in it.
const STILL_ALIKE: f32 = 0.6;

/// Times that an echo must have had the same delay for it to be known.
const KNOWN: u32 = 3;

/// Frames of a sound that are compared with all delays, and after these every so many.
const OFTEN: u32 = 4;

/// How far a delay may be off, in samples: clocks waver.
const WAVER: usize = 2;

/// What was played, and what came back.
#[derive(Clone, Debug)]
pub(super) struct Echo {
    played: VecDeque<f32>,
    heard: VecDeque<f32>,
    /// Frames of silence since something was played.
    silent: usize,
    /// The delay of the last echo, and how often it has been the same.
    delay: Option<(usize, u32)>,
    /// Frames of a sound in a row that were no echo.
    unlike: u32,
}

impl Echo {
    pub(super) fn new() -> Self {
        Self {
            played: std::iter::repeat_n(0.0, WINDOW + LONGEST).collect(),
            heard: std::iter::repeat_n(0.0, WINDOW).collect(),
            silent: usize::MAX,
            delay: None,
            unlike: 0,
        }
    }

    pub(super) fn played(&mut self, frame: Option<&[i16; FRAME]>) {
        self.silent = match frame {
            Some(_) => 0,
            None => self.silent.saturating_add(1),
        };
        if self.silent.saturating_mul(STEP) <= WINDOW + LONGEST {
            push(&mut self.played, frame);
        }
    }

    pub(super) fn heard(&mut self, frame: &[i16; FRAME]) {
        push(&mut self.heard, Some(frame));
    }

    /// Tells whether something was played within the longest delay.
    pub(super) fn may_come(&self) -> bool {
        self.silent.saturating_mul(STEP) < LONGEST
    }

    /// Learns that a sound is over.
    pub(super) fn rest(&mut self) {
        self.unlike = 0;
    }

    /// Tells whether the newest that was heard is what was played.
    pub(super) fn is_echo(&mut self) -> bool {
        if !self.may_come() {
            return false;
        }
        let played: &[f32] = self.played.make_contiguous();
        let heard: &[f32] = self.heard.make_contiguous();
        let theirs = 1.0 + product(heard, heard);
        let likeness = |delay: usize| likeness(played, heard, theirs, delay);
        if let Some((delay, known)) = self.delay
            && known >= KNOWN
        {
            // One frame may have come before or after another.
            let near = [delay.saturating_sub(STEP), delay, delay + STEP];
            let alike = near
                .into_iter()
                .flat_map(|delay| delay.saturating_sub(WAVER)..=delay + WAVER)
                .map(likeness)
                .fold(0.0, f32::max);
            if alike > STILL_ALIKE {
                self.unlike = 0;
                return true;
            }
        }
        // What was no echo for a while will hardly become one: it is not looked at all the time.
        self.unlike += 1;
        if self.unlike > OFTEN && !self.unlike.is_multiple_of(OFTEN) {
            return false;
        }
        let (alike, delay) = (0..=LONGEST)
            .map(|delay| (likeness(delay), delay))
            .fold((0.0, 0), |best, it| if it.0 > best.0 { it } else { best });
        if alike < ALIKE {
            return false;
        }
        self.unlike = 0;
        self.delay = match self.delay {
            Some((known, times)) if known.abs_diff(delay) <= WAVER => {
                Some((delay, times.saturating_add(1)))
            }
            // A delay that has proved itself is not given up for one that may be chance.
            Some((known, times)) if times >= KNOWN => Some((known, times - 1)),
            _ => Some((delay, 1)),
        };
        true
    }
}

fn push(kept: &mut VecDeque<f32>, frame: Option<&[i16; FRAME]>) {
    kept.drain(..STEP);
    match frame {
        Some(frame) => kept.extend(frame.as_chunks::<COARSE>().0.iter().map(|samples| {
            samples.iter().map(|sample| f32::from(*sample)).sum::<f32>() / COARSE as f32
        })),
        None => kept.extend(std::iter::repeat_n(0.0, STEP)),
    }
}

/// Returns how alike what was heard, of an energy, is to what was played so many samples before:
/// 0 to 1.
fn likeness(played: &[f32], heard: &[f32], theirs: f32, delay: usize) -> f32 {
    let Some(first) = played.len().checked_sub(WINDOW + delay) else {
        return 0.0;
    };
    let then = &played[first..first + WINDOW];
    let ours = 1.0 + product(then, then);
    product(heard, then).abs() / f32::sqrt(theirs * ours)
}

/// Sums up products in eight sums side by side, which processors do at once.
fn product(one: &[f32], other: &[f32]) -> f32 {
    let (one, other) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let mut sums = [0.0_f32; 8];
    for (one, other) in one.iter().zip(other) {
        for (sum, (a, b)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buzz whose pitch goes up and down, as that of a voice does.
    fn voice(pitch: f32, seconds: usize) -> Vec<[i16; FRAME]> {
        let mut phase = 0.0_f32;
        let samples: Vec<i16> = (0..seconds * 8000)
            .map(|at| {
                let time = at as f32 / 8000.0;
                phase +=
                    pitch * (1.0 + 0.2 * (time * 5.3).sin() + 0.1 * (time * 2.1).sin()) / 8000.0;
                let buzz: f32 = (1..8)
                    .map(|n| (std::f32::consts::TAU * phase * n as f32).sin() / n as f32)
                    .sum();
                (buzz * 3000.0 * (0.6 + 0.4 * (time * 22.0).sin())) as i16
            })
            .collect();
        samples.as_chunks::<FRAME>().0.to_vec()
    }

    fn quieter(frame: &[i16; FRAME]) -> [i16; FRAME] {
        frame.map(|sample| (f32::from(sample) * 0.18) as i16)
    }

    #[test]
    fn our_own_words_are_known_whatever_their_delay() {
        for delay in [0, 3, 10, 25] {
            let words = voice(110.0, 3);
            let mut echo = Echo::new();
            let mut found = 0;
            for (at, frame) in words.iter().enumerate() {
                echo.played(Some(frame));
                let back = at
                    .checked_sub(delay)
                    .map_or([0; FRAME], |at| quieter(&words[at]));
                echo.heard(&back);
                found += usize::from(at > delay && echo.is_echo());
            }
            assert!(found >= words.len() - delay - 3, "{delay}: {found}");
        }
    }

    #[test]
    fn another_voice_is_no_echo() {
        let (ours, theirs) = (voice(110.0, 3), voice(187.0, 3));
        let mut echo = Echo::new();
        let mut found = 0;
        for (ours, theirs) in ours.iter().zip(&theirs) {
            echo.played(Some(ours));
            echo.heard(theirs);
            found += usize::from(echo.is_echo());
        }
        assert!(found < ours.len() / 10, "{found} of {}", ours.len());
    }

    #[test]
    fn where_nothing_was_played_nothing_comes_back() {
        let mut echo = Echo::new();
        for frame in voice(110.0, 1) {
            echo.played(None);
            echo.heard(&frame);
            assert!(!echo.is_echo());
        }
    }
}
