//! When a caller who waits for us is told that it takes a moment. Pure: it is asked once per frame.

use std::time::{Duration, Instant};

use crate::speech::{Limits, tone};

/// Returns what a caller who waits hears where no words are at hand: two soft notes.
pub fn hold_on() -> Vec<i16> {
    let notes = [523.0, 392.0].map(|hertz| tone(hertz, Duration::from_millis(180)));
    notes
        .concat()
        .into_iter()
        .map(|sample| sample / 4)
        .collect()
}

/// What goes on in a call at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// The caller hears what the dialog says.
    Ours,
    /// The caller hears that it takes a moment.
    Aside,
    /// It is the caller's turn, or nobody waits for us.
    Theirs,
    /// The caller hears nothing, and something that they wait for is under way.
    UnderWay,
}

/// The patience of one caller.
#[derive(Debug)]
pub(super) struct Patience {
    first: Duration,
    again: Duration,
    /// Since when they have heard nothing.
    since: Option<Instant>,
    /// Whether they have been told in this wait.
    told: bool,
}

impl Patience {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            first: limits.one_moment,
            again: limits.one_moment_again,
            since: None,
            told: false,
        }
    }

    /// Takes what goes on now, and tells whether the caller is to be told that it takes a moment:
    /// once in a wait, and again only after a longer while.
    pub(super) fn is_over(&mut self, moment: Moment, now: Instant) -> bool {
        match moment {
            Moment::Ours | Moment::Theirs => {
                self.since = None;
                self.told = false;
                false
            }
            Moment::Aside => {
                self.since = None;
                false
            }
            Moment::UnderWay => {
                let since = *self.since.get_or_insert(now);
                let limit = if self.told { self.again } else { self.first };
                if now.saturating_duration_since(since) < limit {
                    return false;
                }
                self.since = None;
                self.told = true;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    /// Plays moments of so many milliseconds each; returns when the caller was told.
    fn told(moments: &[(Moment, u32)]) -> Vec<u128> {
        let begin = Instant::now();
        let mut patience = Patience::new(&Limits::default());
        let mut now = begin;
        let mut told = Vec::new();
        for (moment, milliseconds) in moments {
            for _ in 0..milliseconds / 20 {
                if patience.is_over(*moment, now) {
                    told.push((now - begin).as_millis());
                }
                now += FRAME;
            }
        }
        told
    }

    #[test]
    fn a_caller_who_hears_nothing_is_told_once_and_later_again() {
        let wait = [
            (Moment::UnderWay, 1220),
            (Moment::Aside, 1000),
            (Moment::UnderWay, 8020),
        ];
        assert_eq!(told(&wait), [1200, 10_220]);
        assert_eq!(told(&[(Moment::UnderWay, 1200)]), []);
    }

    #[test]
    fn nobody_is_told_while_they_speak_or_think() {
        assert_eq!(told(&[(Moment::Theirs, 60_000), (Moment::Ours, 9000)]), []);
    }

    #[test]
    fn each_wait_is_one_of_its_own() {
        let waits = [
            (Moment::UnderWay, 1220),
            (Moment::Ours, 500),
            (Moment::Theirs, 3000),
            (Moment::UnderWay, 1180),
            (Moment::Ours, 20),
            (Moment::UnderWay, 1220),
        ];
        assert_eq!(told(&waits), [1200, 7120]);
    }
}
