//! Lets speech through, with a little of what is around it, at one loudness. Silence and noise that
//! stays the same never reach the decoders: they would find words in it.

/// Samples in one frame of 10 ms, as the decoders count.
const FRAME: usize = 80;

/// Frames let through before and behind speech.
const AROUND: usize = 20;

/// Frames of speech from which its loudness is told: 400 ms.
const LISTEN: usize = 40;

/// Frames over which the quiet of a line is told, so that one empty frame does not.
const QUIET: usize = 5;

/// How far above the quiet of the line speech has to be, in decibels.
const ABOVE: f32 = 10.0;

/// What is quieter is never speech, in decibels below full scale.
const FAINT: f32 = -50.0;

/// The loudest that a line's quiet is taken to be: a turn may begin in the middle of a word.
const LOUDEST_QUIET: f32 = -34.0;

/// How loud the decoders get speech; the mean they begin with is that of speech at this level.
const LEVEL: f32 = -17.0;

/// How far speech is made louder, so that a murmur far away does not become a voice.
const MOST: f32 = 20.0;

/// The gate of one turn.
#[derive(Debug)]
pub(super) struct Gate {
    frame: Vec<i16>,
    /// Frames that have not been let through.
    kept: Vec<i16>,
    /// Loudness of the last frames, in decibels.
    last: [f32; QUIET],
    quiet: f32,
    /// Frames heard.
    heard: usize,
    /// Frames let through, and how many of them are out.
    let_through: usize,
    out: usize,
    /// Frames that are still let through behind speech.
    behind: usize,
    /// Frames of speech, and the sum of their power.
    speech: usize,
    power: f64,
    /// How speech is multiplied, once its loudness is known.
    gain: Option<f32>,
    /// Where the pieces begin: the frame as let through and as heard.
    pieces: Vec<(usize, usize)>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            frame: Vec::with_capacity(FRAME),
            kept: Vec::new(),
            last: [0.0; QUIET],
            quiet: LOUDEST_QUIET,
            heard: 0,
            let_through: 0,
            out: 0,
            behind: 0,
            speech: 0,
            power: 0.0,
            gain: None,
            pieces: Vec::new(),
        }
    }

    /// Takes samples of 8 kHz and appends what is let through.
    pub(super) fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        for &sample in samples {
            self.frame.push(sample);
            if self.frame.len() == FRAME {
                self.take();
                self.frame.clear();
            }
        }
        if self.speech >= LISTEN {
            self.let_out(out);
        }
    }

    /// Ends the turn: lets out what was kept until the loudness is known.
    pub(super) fn finish(&mut self, out: &mut Vec<i16>) {
        if self.speech > 0 {
            self.let_out(out);
        }
    }

    /// Returns how many frames of 10 ms were speech.
    pub(super) fn speech(&self) -> usize {
        self.speech
    }

    /// Returns which frame was heard as the n-th that was let through.
    pub(super) fn heard_at(&self, frame: usize) -> usize {
        let piece = self.pieces.iter().rev().find(|(out, _)| *out <= frame);
        piece.map_or(frame, |(out, heard)| heard + (frame - out))
    }

    fn take(&mut self) {
        let power = power(&self.frame);
        let loudness = 10.0 * (power as f32 + 1e-7).log10();
        self.last[self.heard % QUIET] = loudness;
        self.heard += 1;
        if self.heard >= QUIET {
            let mean = self.last.iter().sum::<f32>() / QUIET as f32;
            self.quiet = self.quiet.min(mean);
        }
        let is_speech = loudness > (self.quiet + ABOVE).max(FAINT);
        self.kept.extend(&self.frame);
        if is_speech {
            self.speech += 1;
            self.power += power;
        }
        let waiting = self.kept.len() / FRAME - self.owed();
        if is_speech {
            if self.behind == 0 {
                let place = (self.let_through, self.heard - waiting);
                self.pieces.push(place);
            }
            self.behind = AROUND;
            self.let_through += waiting;
        } else if self.behind > 0 {
            self.behind -= 1;
            self.let_through += 1;
        } else if waiting > AROUND {
            let oldest = self.owed() * FRAME;
            self.kept.drain(oldest..oldest + FRAME);
        }
    }

    /// Returns how many of the kept frames are to be let out.
    fn owed(&self) -> usize {
        self.let_through - self.out
    }

    fn let_out(&mut self, out: &mut Vec<i16>) {
        let gain = *self.gain.get_or_insert_with(|| {
            let loudness = 10.0 * (self.power / self.speech.max(1) as f64 + 1e-7).log10();
            10_f32.powf((LEVEL - loudness as f32).min(MOST) / 20.0)
        });
        let frames = self.owed();
        out.extend(
            self.kept
                .drain(..frames * FRAME)
                // A cast saturates.
                .map(|sample| (f32::from(sample) * gain).round() as i16),
        );
        self.out += frames;
    }
}

/// Returns the power of a frame without its constant part; 1 is that of full scale.
fn power(frame: &[i16]) -> f64 {
    let count = frame.len().max(1) as f64;
    let mean = frame.iter().map(|&sample| f64::from(sample)).sum::<f64>() / count;
    let squares = frame
        .iter()
        .map(|&sample| (f64::from(sample) - mean).powi(2));
    squares.sum::<f64>() / count / 32768.0_f64.powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(milliseconds: usize, strength: f32) -> Vec<i16> {
        (0..milliseconds * 8)
            .map(|n| (strength * (n as f32 * 0.5).sin()) as i16)
            .collect()
    }

    fn hiss(milliseconds: usize, strength: i32) -> Vec<i16> {
        let mut dice = 1_u32;
        (0..milliseconds * 8)
            .map(|_| {
                dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((dice >> 8) as i32 % (2 * strength + 1) - strength) as i16
            })
            .collect()
    }

    fn through(pieces: &[Vec<i16>]) -> (Gate, Vec<i16>) {
        let (mut gate, mut out) = (Gate::new(), Vec::new());
        for frame in pieces.concat().chunks(160) {
            gate.push(frame, &mut out);
        }
        gate.finish(&mut out);
        (gate, out)
    }

    #[test]
    fn silence_and_a_constant_hiss_do_not_pass() {
        for noise in [vec![0; 40_000], hiss(5000, 30), hiss(5000, 700)] {
            let (gate, out) = through(&[noise]);
            assert_eq!((gate.speech(), out.len()), (0, 0));
        }
    }

    #[test]
    fn speech_passes_with_little_around_it_and_is_known_where_it_was() {
        let (gate, out) = through(&[
            hiss(1000, 9),
            tone(500, 9000.0),
            hiss(2000, 9),
            tone(300, 9000.0),
            hiss(1000, 9),
        ]);
        assert_eq!(gate.speech(), 80);
        assert_eq!(out.len(), (80 + 4 * AROUND) * FRAME);
        assert_eq!(gate.heard_at(AROUND), 100);
        assert_eq!(gate.heard_at(50 + 3 * AROUND), 350);
    }

    #[test]
    fn a_quiet_voice_and_a_loud_one_are_alike_behind_the_gate() {
        for strength in [900.0, 4000.0, 20_000.0] {
            let (_, out) = through(&[hiss(300, 3), tone(600, strength), hiss(300, 3)]);
            let loud = &out[(AROUND + 5) * FRAME..(AROUND + 50) * FRAME];
            let loudness = 10.0 * (power(loud) as f32).log10();
            assert!((loudness - LEVEL).abs() < 1.0, "{strength}: {loudness}");
        }
    }
}
