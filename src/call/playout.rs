//! What is still to be said, as 20 ms frames. Pure: the call asks for one frame per tick.

use std::collections::VecDeque;
use std::sync::Arc;

use super::line::FRAME;

/// Names one thing to be said within a call.
pub(super) type Number = u64;

/// The queue of what is to be said.
#[derive(Debug, Default)]
pub(super) struct Playout {
    queue: VecDeque<Utterance>,
    /// Samples of the first that have been played.
    at: usize,
    next: Number,
    /// What goes before everything, as the caller waits, and how much of it has been played.
    aside: Option<(Arc<[i16]>, usize)>,
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
        self.aside = None;
    }

    /// Plays samples at once, ahead of what is still being made. They do not count as something
    /// that is being said.
    pub(super) fn aside(&mut self, samples: Arc<[i16]>) {
        self.aside = Some((samples, 0));
    }

    /// Tells whether something is being played ahead of the rest.
    pub(super) fn is_aside(&self) -> bool {
        self.aside.is_some()
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
        let mut frame = [0; FRAME];
        if let Some((samples, at)) = &mut self.aside {
            let rest = samples.get(*at..).unwrap_or_default();
            let count = rest.len().min(FRAME);
            frame[..count].copy_from_slice(&rest[..count]);
            *at += count;
            if *at >= samples.len() {
                self.aside = None;
            }
            return Some(frame);
        }
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
    fn an_aside_goes_first_and_is_nothing_that_was_to_be_said() {
        let mut playout = Playout::default();
        playout.aside(vec![3; FRAME + 1].into());
        assert!(!playout.is_busy() && playout.is_aside());
        playout.push(ones(FRAME), true);
        assert_eq!(playout.frame(), Some([3; FRAME]));
        assert_eq!(playout.frame().unwrap()[..2], [3, 0]);
        assert!(!playout.is_aside());
        assert_eq!(playout.frame(), Some([1; FRAME]));
        playout.aside(ones(FRAME));
        playout.hush();
        assert_eq!(playout.frame(), None);
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
