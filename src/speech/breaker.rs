//! A circuit breaker for one engine: after failures in a row it is left alone for a while, then
//! tried with one request, and taken back when that goes well. Pure: time is an argument.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When an engine is left alone, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Failures in a row after which an engine is left alone; at least 1.
    pub failures: u32,
    /// How long it is left alone at first; twice as long after each trial that fails.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub rest: Duration,
    /// The longest that it is left alone.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub longest_rest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            failures: 3,
            rest: Duration::from_secs(5),
            longest_rest: Duration::from_secs(60),
        }
    }
}

/// The breaker of one engine.
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: Settings,
    /// Failures in a row.
    failures: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The engine is used.
    Closed,
    /// It is left alone until then, after a rest of that length.
    Open { until: Instant, rest: Duration },
    /// One request is out to see whether it is well. Where no word comes of it by then, as its
    /// caller has left, another may go.
    Trial { until: Instant, rest: Duration },
}

impl Breaker {
    /// Makes a breaker for an engine that is well.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            failures: 0,
            state: State::Closed,
        }
    }

    /// Tells whether a request may go to the engine now. After a rest this is so for one request,
    /// whose success or failure is to be told.
    pub fn allows(&mut self, now: Instant) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until, rest } | State::Trial { until, rest } if now >= until => {
                let until = now + self.settings.rest;
                self.state = State::Trial { until, rest };
                true
            }
            State::Open { .. } | State::Trial { .. } => false,
        }
    }

    /// Tells whether the engine is left alone at the moment, without asking for a trial.
    pub fn is_open(&self, now: Instant) -> bool {
        match self.state {
            State::Closed => false,
            State::Open { until, .. } | State::Trial { until, .. } => now < until,
        }
    }

    /// Notes that the engine did well.
    pub fn succeeded(&mut self, _now: Instant) {
        self.failures = 0;
        self.state = State::Closed;
    }

    /// Notes that the engine failed or was too slow.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.state = match self.state {
            State::Closed if self.failures < self.settings.failures.max(1) => State::Closed,
            State::Closed => {
                let rest = self.settings.rest;
                let until = now + rest;
                State::Open { until, rest }
            }
            State::Trial { rest, .. } => {
                let rest = rest.saturating_mul(2).min(self.settings.longest_rest);
                let until = now + rest;
                State::Open { until, rest }
            }
            // Requests that were out when it opened fail one after the other.
            open @ State::Open { .. } => open,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(Settings::default());
        for _ in 0..3 {
            assert!(breaker.allows(now));
            breaker.failed(now);
        }
        breaker
    }

    #[test]
    fn an_engine_that_fails_now_and_then_is_kept() {
        let now = Instant::now();
        let mut breaker = Breaker::new(Settings::default());
        for _ in 0..10 {
            breaker.failed(now);
            breaker.failed(now);
            assert!(breaker.allows(now));
            breaker.succeeded(now);
        }
    }

    #[test]
    fn after_failures_in_a_row_it_is_left_alone_and_then_tried_once() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert!(breaker.is_open(now) && !breaker.allows(now + 4 * SECOND));
        assert!(!breaker.is_open(now + 5 * SECOND));
        assert!(breaker.allows(now + 5 * SECOND));
        assert!(!breaker.allows(now + 5 * SECOND), "one trial at a time");
        breaker.succeeded(now + 6 * SECOND);
        assert!(breaker.allows(now + 6 * SECOND) && breaker.allows(now + 6 * SECOND));
    }

    #[test]
    fn each_trial_that_fails_doubles_the_rest_up_to_the_longest() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for rest in [5, 10, 20, 40, 60, 60] {
            assert!(!breaker.allows(now + rest * SECOND - Duration::from_millis(1)));
            now += rest * SECOND;
            assert!(breaker.allows(now));
            breaker.failed(now);
        }
    }

    #[test]
    fn a_trial_whose_caller_has_left_does_not_keep_it_open_for_ever() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert!(breaker.allows(now + 5 * SECOND));
        assert!(!breaker.allows(now + 9 * SECOND));
        assert!(breaker.allows(now + 10 * SECOND));
    }

    #[test]
    fn late_failures_do_not_prolong_the_rest() {
        let now = Instant::now();
        let mut breaker = opened(now);
        for _ in 0..50 {
            breaker.failed(now + 4 * SECOND);
        }
        assert!(breaker.allows(now + 5 * SECOND));
    }

    proptest! {
        #[test]
        fn whatever_happens_it_is_tried_again_within_the_longest_rest(
            steps in prop::collection::vec((0_u32..30, 0_u8..3), 0..60),
        ) {
            let mut now = Instant::now();
            let mut breaker = Breaker::new(Settings::default());
            for (seconds, step) in steps {
                now += seconds * SECOND;
                match step {
                    0 => breaker.failed(now),
                    1 => breaker.succeeded(now),
                    _ => drop(breaker.allows(now)),
                }
            }
            prop_assert!(breaker.allows(now + Settings::default().longest_rest));
        }
    }
}
