//! What is still to be said, as 20 ms frames. Pure: the call asks for one frame per tick.

use std::collections::VecDeque;
use std::sync::Arc;

use super::line::FRAME;

/// Samples that are said again after an interruption that was none: 400 ms.
const BACK: usize = 20 * FRAME;

/// Names one thing to be said within a call.
pub(super) type Number = u64;

/// The queue of what is to be said.
#[derive(Debug, Default)]
pub(super) struct Playout {
    queue: VecDeque<Utterance>,
    /// Samples of the first that have been played.
    at: usize,
    next: Number,
    /// Whether it waits, in the middle of something, for what the caller says.
    held: bool,
}

#[derive(Debug)]
struct Utterance {
    number: Number,
    /// Absent while it is being made.
    samples: Option<Arc<[i16]>>,
    barge_in: bool,
}

impl Playout {
    /// Makes room for something that is being made; its samples come by [`Playout::made`].
    pub(super) fn expect(&mut self, barge_in: bool) -> Number {
        self.next += 1;
        self.queue.push_back(Utterance {
            number: self.next,
            samples: None,
            barge_in,
        });
        self.next
    }

    /// Adds samples that are there already.
    pub(super) fn push(&mut self, samples: Arc<[i16]>, barge_in: bool) {
        let number = self.expect(barge_in);
        self.made(number, samples);
    }

    /// Fills in what has been made; nothing happens when it was hushed meanwhile.
    pub(super) fn made(&mut self, number: Number, samples: Arc<[i16]>) {
        if let Some(utterance) = self.queue.iter_mut().find(|u| u.number == number) {
            utterance.samples = Some(samples);
        }
    }

    /// Forgets everything that is still to be said.
    pub(super) fn hush(&mut self) {
        self.queue.clear();
        self.at = 0;
        self.held = false;
    }

    /// Falls silent, but forgets nothing.
    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    /// Goes on where it was held, or rather a little before.
    pub(super) fn go_on(&mut self) {
        if std::mem::take(&mut self.held) {
            self.at = self.at.saturating_sub(BACK);
        }
    }

    /// Tells whether it waits.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    /// Tells whether something is being said or made.
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Tells whether the caller's voice may cut off all that is still to be said.
    pub(super) fn is_interruptible(&self) -> bool {
        self.queue.iter().all(|utterance| utterance.barge_in)
    }

    /// Returns the next 20 ms, or nothing when there is nothing to say at this moment.
    pub(super) fn frame(&mut self) -> Option<[i16; FRAME]> {
        if self.held {
            return None;
        }
        let mut frame = [0; FRAME];
        let mut filled = 0;
        while filled < FRAME {
            let Some(Utterance {
                samples: Some(samples),
                ..
            }) = self.queue.front()
            else {
                break;
            };
            let rest = samples.get(self.at..).unwrap_or_default();
            let count = rest.len().min(FRAME - filled);
            frame[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            self.at += count;
            if self.at >= samples.len() {
                self.queue.pop_front();
                self.at = 0;
            }
        }
        (filled > 0).then_some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ones(count: usize) -> Arc<[i16]> {
        vec![1; count].into()
    }

    #[test]
    fn what_is_said_comes_in_order_though_it_is_made_out_of_order() {
        let mut playout = Playout::default();
        let first = playout.expect(true);
        let second = playout.expect(true);
        playout.made(second, vec![2; FRAME].into());
        assert_eq!(playout.frame(), None);
        playout.made(first, ones(FRAME));
        assert_eq!(playout.frame(), Some([1; FRAME]));
        assert_eq!(playout.frame(), Some([2; FRAME]));
        assert!(!playout.is_busy());
    }

    #[test]
    fn one_prompt_follows_the_other_without_a_gap_and_the_last_frame_is_filled_with_silence() {
        let mut playout = Playout::default();
        playout.push(ones(FRAME + 40), true);
        playout.push(vec![2; 60].into(), true);
        assert_eq!(playout.frame(), Some([1; FRAME]));
        let mut last = [0; FRAME];
        last[..40].fill(1);
        last[40..100].fill(2);
        assert_eq!(playout.frame(), Some(last));
        assert_eq!(playout.frame(), None);
    }

    #[test]
    fn after_a_hush_nothing_is_left_and_late_samples_stay_unheard() {
        let mut playout = Playout::default();
        playout.push(ones(10 * FRAME), true);
        let late = playout.expect(true);
        playout.frame();
        playout.hush();
        playout.made(late, ones(FRAME));
        assert_eq!(playout.frame(), None);
        assert!(!playout.is_busy());
    }

    #[test]
    fn what_was_held_goes_on_a_little_before() {
        let samples: Vec<i16> = (0..100 * FRAME).map(|at| (at / FRAME) as i16).collect();
        let mut playout = Playout::default();
        playout.push(samples.into(), true);
        for _ in 0..50 {
            playout.frame();
        }
        playout.hold();
        assert_eq!(playout.frame(), None);
        assert!(playout.is_busy() && playout.is_held());
        playout.go_on();
        assert_eq!(playout.frame(), Some([30; FRAME]));
        playout.hold();
        playout.hush();
        assert!(!playout.is_busy() && !playout.is_held());
    }

    #[test]
    fn one_prompt_that_must_be_heard_protects_all() {
        let mut playout = Playout::default();
        playout.push(ones(FRAME), true);
        assert!(playout.is_interruptible());
        playout.push(ones(FRAME), false);
        assert!(!playout.is_interruptible());
    }
}
