//! What is still to be said, as 20 ms frames: the call asks for one frame per tick. A prompt is
//! played while the rest of it is still made; where that does not keep up, there is silence until
//! enough is there again, and no click at either side of it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::line::FRAME;
use crate::speech::{Prompt, fade_out};

/// Samples that are said again after an interruption that was none: 400 ms.
const BACK: usize = 20 * FRAME;

/// Names one thing to be said within a call.
pub(super) type Number = u64;

/// Samples that are kept back while more are to come, so that there is something to fade out.
const RESERVE: usize = 40;

/// Samples of a growing prompt that must be there before it begins: two frames.
const BEGIN: usize = 2 * FRAME + RESERVE;

/// Samples that must be there before a prompt that ran dry goes on: 200 ms.
const RESUME: usize = 10 * FRAME + RESERVE;

/// The queue of what is to be said.
#[derive(Debug, Default)]
pub(super) struct Playout {
    queue: VecDeque<Utterance>,
    /// Samples of the first that have been played.
    at: usize,
    flow: Flow,
    next: Number,
    /// What goes before everything, as the caller waits, and how much of it has been played.
    aside: Option<(Arc<[i16]>, usize)>,
    /// Whether it waits, in the middle of something, for what the caller says.
    held: bool,
}

/// How the first of the queue is being played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flow {
    /// Nothing of it has been played.
    #[default]
    Waiting,
    Playing,
    /// It ran dry.
    Dry,
}

#[derive(Debug)]
struct Utterance {
    number: Number,
    /// Absent while there is nothing of it.
    prompt: Option<Prompt>,
    barge_in: bool,
    /// Tells whoever makes it when it is not wanted any more.
    _wanted: DropGuard,
}

impl Playout {
    /// Makes room for something that is being made; it comes by [`Playout::made`], unless the token
    /// is cancelled first: then nobody waits for it any more.
    pub(super) fn expect(&mut self, barge_in: bool) -> (CancellationToken, Number) {
        self.next += 1;
        let unwanted = CancellationToken::new();
        self.queue.push_back(Utterance {
            number: self.next,
            prompt: None,
            barge_in,
            _wanted: unwanted.clone().drop_guard(),
        });
        (unwanted, self.next)
    }

    /// Adds something that is there already.
    pub(super) fn push(&mut self, prompt: Prompt, barge_in: bool) {
        let (_, number) = self.expect(barge_in);
        self.made(number, prompt);
    }

    /// Fills in what has been made, or is being made; nothing happens when it was hushed meanwhile.
    pub(super) fn made(&mut self, number: Number, prompt: Prompt) {
        if let Some(utterance) = self.queue.iter_mut().find(|u| u.number == number) {
            utterance.prompt = Some(prompt);
        }
    }

    /// Forgets everything that is still to be said, which also ends its making.
    pub(super) fn hush(&mut self) {
        self.queue.clear();
        self.at = 0;
        self.flow = Flow::Waiting;
        self.aside = None;
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

    /// Forgets what is held.
    pub(super) fn drop_held(&mut self) {
        if self.held {
            self.hush();
        }
    }

    /// Tells whether it waits.
    pub(super) fn is_held(&self) -> bool {
        self.held
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
        if self.held {
            return None;
        }
        let mut filled = 0;
        while filled < FRAME {
            let Some(prompt) = self.queue.front().and_then(|it| it.prompt.as_ref()) else {
                break;
            };
            let (there, over) = prompt.there(self.at);
            let rest = &mut frame[filled..];
            let enough = match self.flow {
                Flow::Waiting => BEGIN,
                Flow::Playing => rest.len() + RESERVE,
                Flow::Dry => RESUME,
            };
            if !over && there < enough && self.flow != Flow::Playing {
                break;
            }
            let count = prompt.read(self.at, rest);
            self.at += count;
            filled += count;
            if self.flow == Flow::Dry {
                fade_in(&mut rest[..count.min(RESERVE)]);
            }
            self.flow = Flow::Playing;
            if over && count == there {
                self.queue.pop_front();
                self.at = 0;
                self.flow = Flow::Waiting;
            } else if !over && there < enough {
                fade_out(&mut rest[count.saturating_sub(RESERVE)..count]);
                self.flow = Flow::Dry;
                break;
            }
        }
        (filled > 0).then_some(frame)
    }
}

/// Lets samples begin softly.
fn fade_in(samples: &mut [i16]) {
    samples.reverse();
    fade_out(samples);
    samples.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ones(count: usize) -> Prompt {
        filled(1, count)
    }

    fn filled(value: i16, count: usize) -> Prompt {
        Prompt::whole(vec![value; count].into())
    }

    #[test]
    fn what_is_said_comes_in_order_though_it_is_made_out_of_order() {
        let mut playout = Playout::default();
        let (_, first) = playout.expect(true);
        let (_, second) = playout.expect(true);
        playout.made(second, filled(2, FRAME));
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
        playout.push(filled(2, 60), true);
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
        let (unwanted, late) = playout.expect(true);
        playout.frame();
        assert!(!unwanted.is_cancelled());
        playout.hush();
        assert!(unwanted.is_cancelled(), "its maker is told");
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
        playout.aside(vec![1; FRAME].into());
        playout.hush();
        assert_eq!(playout.frame(), None);
    }

    #[test]
    fn what_was_held_goes_on_a_little_before() {
        let samples: Vec<i16> = (0..100 * FRAME).map(|at| (at / FRAME) as i16).collect();
        let mut playout = Playout::default();
        playout.push(Prompt::whole(samples.into()), true);
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

    /// Plays frames until there is none, and returns their samples.
    fn play(playout: &mut Playout) -> Vec<i16> {
        std::iter::from_fn(|| playout.frame()).flatten().collect()
    }

    /// The largest step from one sample to the next, with silence around them.
    fn steepest(samples: &[i16]) -> u16 {
        let around = [&[0], samples, &[0]].concat();
        let steps = around.windows(2).map(|pair| pair[0].abs_diff(pair[1]));
        steps.max().unwrap_or_default()
    }

    #[test]
    fn a_prompt_is_heard_while_the_rest_is_made_and_is_over_when_all_was_heard() {
        let (prompt, making) = Prompt::growing();
        let mut playout = Playout::default();
        playout.push(prompt, true);
        making.push(&[1; BEGIN - 1]);
        assert_eq!(playout.frame(), None, "not enough to begin with");
        making.push(&[1; 1]);
        assert_eq!(playout.frame(), Some([1; FRAME]));
        making.push(&[2; FRAME]);
        assert_eq!(playout.frame(), Some([1; FRAME]));
        making.finish();
        let rest = play(&mut playout);
        assert_eq!(rest.iter().filter(|it| **it == 2).count(), FRAME);
        assert!(!playout.is_busy());
    }

    #[test]
    fn a_prompt_that_runs_dry_waits_without_a_click_and_goes_on_where_it_was() {
        let (prompt, making) = Prompt::growing();
        let mut playout = Playout::default();
        playout.push(prompt, true);
        making.push(&[8000; 600]);
        let heard = play(&mut playout);
        assert!(steepest(&heard[160..]) <= 8000 / 30 || heard[160] == 8000);
        let falls = &heard[heard.len() - FRAME..];
        assert!(steepest(&[&[0; 0], &falls[falls.len() / 2..]].concat()[1..]) <= 8000);
        assert_eq!(heard.len() % FRAME, 0);
        assert!(playout.is_busy() && playout.frame().is_none());
        making.push(&[8000; RESUME - 1]);
        assert_eq!(playout.frame(), None, "it does not stutter");
        making.push(&[8000; 1]);
        let again = playout.frame().unwrap();
        assert!((again[0], again[RESERVE + 1]) == (0, 8000));
        assert!(steepest(&again[..FRAME - 1][..RESERVE + 10]) <= 8000);
    }

    #[test]
    fn a_prompt_that_breaks_off_is_over() {
        let (prompt, making) = Prompt::growing();
        let mut playout = Playout::default();
        playout.push(prompt, true);
        playout.push(filled(3, FRAME), true);
        making.push(&[8000; 1000]);
        playout.frame();
        drop(making);
        let heard = play(&mut playout);
        assert!(!playout.is_busy());
        assert_eq!(heard.iter().filter(|it| **it == 3).count(), FRAME);
        let ends = heard.iter().rposition(|it| *it != 0 && *it != 3).unwrap();
        assert!(heard[ends] < 1000, "it ends softly: {}", heard[ends]);
    }

    #[test]
    fn hushing_the_last_one_who_wants_a_prompt_ends_its_making() {
        let (prompt, making) = Prompt::growing();
        let mut playout = Playout::default();
        playout.push(prompt, true);
        making.push(&[1; 1000]);
        playout.frame();
        assert!(making.prompt().is_some());
        playout.hush();
        assert!(making.prompt().is_none());
    }
}
