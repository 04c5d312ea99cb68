//! A recording in progress: keeps what the caller says until they pause, press a key or say too
//! much. Pure: time is counted in frames.

use std::time::Duration;

use super::line::FRAME;

/// Duration of one frame.
const TICK: Duration = Duration::from_millis(20);
/// Level above which a frame counts as speech, in mean absolute sample value: about −42 dBFS,
/// above the noise of a telephone line and below quiet speech.
const SPEECH: i64 = 260;
/// Less speech than this is a click or a cough, not a message.
const SHORTEST: Duration = Duration::from_millis(300);

/// A recording.
#[derive(Debug)]
pub(super) struct Recorder {
    samples: Vec<i16>,
    max: Duration,
    silence: Duration,
    quiet: Duration,
    spoken: Duration,
}

impl Recorder {
    pub(super) fn new(max: Duration, silence: Duration) -> Self {
        Self {
            samples: Vec::new(),
            max,
            silence,
            quiet: Duration::ZERO,
            spoken: Duration::ZERO,
        }
    }

    /// Takes samples (8 kHz) and tells whether the recording is complete.
    pub(super) fn push(&mut self, samples: &[i16]) -> bool {
        self.samples.extend_from_slice(samples);
        for frame in samples.chunks(FRAME) {
            let level: i64 = frame.iter().map(|sample| i64::from(*sample).abs()).sum();
            if level / frame.len().max(1) as i64 > SPEECH {
                self.spoken += TICK;
                self.quiet = Duration::ZERO;
            } else {
                self.quiet += TICK;
            }
        }
        // Before the first word people need longer to find it.
        let patience = if self.spoken < SHORTEST {
            self.silence * 2
        } else {
            self.silence
        };
        self.quiet >= patience || self.length() >= self.max
    }

    /// Returns the length so far.
    pub(super) fn length(&self) -> Duration {
        Duration::from_millis((self.samples.len() / 8) as u64)
    }

    /// Ends the recording: its samples without the silence at the end, or nothing when nothing
    /// was said.
    pub(super) fn finish(mut self) -> Option<Vec<i16>> {
        if self.spoken < SHORTEST {
            return None;
        }
        let kept = self.length().saturating_sub(self.quiet) + Duration::from_millis(300);
        self.samples.truncate(kept.as_millis() as usize * 8);
        Some(self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = 8000;

    fn loud(samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|n| if n % 20 < 10 { 4000 } else { -4000 })
            .collect()
    }

    fn recorder() -> Recorder {
        Recorder::new(Duration::from_secs(10), Duration::from_secs(2))
    }

    #[test]
    fn a_pause_after_speech_ends_it_and_is_cut_off() {
        let mut recorder = recorder();
        assert!(!recorder.push(&loud(3 * SECOND)));
        assert!(recorder.push(&[0; 2 * SECOND]));
        let kept = recorder.finish().unwrap();
        assert_eq!(kept.len(), 3 * SECOND + 2400);
    }

    #[test]
    fn someone_who_says_nothing_gets_more_time_and_then_nothing_is_kept() {
        let mut recorder = recorder();
        assert!(!recorder.push(&[3; 3 * SECOND]));
        assert!(recorder.push(&[3; SECOND]));
        assert_eq!(recorder.finish(), None);
    }

    #[test]
    fn it_ends_when_it_is_full() {
        let mut recorder = recorder();
        assert!(recorder.push(&loud(10 * SECOND)));
    }
}
