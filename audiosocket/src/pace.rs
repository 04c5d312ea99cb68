//! The clock that audio leaves by: one tick every 20 ms, counted from a fixed start.
//!
//! Asterisk neither buffers nor paces what it is sent, so every delay of this clock is heard by the
//! caller. [`Pace`] is the arithmetic alone, [`Clock`] waits for its ticks. A tick that was slept through
//! is skipped and counted, never made up for by a burst; whoever plays audio decides what to leave out.

use crate::frame::FRAME_TIME;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

const SHORTEST_PERIOD: Duration = Duration::from_millis(1);
const LONGEST_PERIOD: Duration = Duration::from_secs(3_600);

/// Ticks at whole multiples of a period since a start: no error adds up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    period: Duration,
    next: u64,
    skipped: u64,
}

/// One tick that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Its number; tick 0 is due at the start, tick n exactly n periods later.
    pub number: u64,
    /// How long after its due time it was taken; always less than a period.
    pub late: Duration,
    /// Ticks before it that were skipped because nobody came in time.
    pub skipped: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace::new()
    }
}

impl Pace {
    /// Starts a pace of one tick per 20 ms.
    pub fn new() -> Pace {
        Pace::every(FRAME_TIME)
    }

    /// Starts a pace of another period; held between a millisecond (timers are no finer) and an hour.
    pub fn every(period: Duration) -> Pace {
        Pace {
            period: period.clamp(SHORTEST_PERIOD, LONGEST_PERIOD),
            next: 0,
            skipped: 0,
        }
    }

    /// Returns when the next tick is due, since the start.
    pub fn due(&self) -> Duration {
        at(self.period, self.next)
    }

    /// Takes the tick of `now` (since the start), `None` while the next one is not yet due.
    pub fn take(&mut self, now: Duration) -> Option<Tick> {
        let number = u64::try_from(now.as_nanos() / self.period.as_nanos()).ok()?;
        let skipped = number.checked_sub(self.next)?;
        self.next = number.checked_add(1)?;
        self.skipped += skipped;
        Some(Tick {
            number,
            late: now.saturating_sub(at(self.period, number)),
            skipped,
        })
    }

    /// Takes the next tick although it is up to `leeway` early, as when what it is waiting for has come.
    ///
    /// The ticks stay where they are, so frames sent early leave no faster on the whole.
    pub fn take_early(&mut self, now: Duration, leeway: Duration) -> Option<Tick> {
        let due = self.due();
        let early = now < due && due <= now.saturating_add(leeway);
        self.take(if early { due } else { now })
    }

    /// Returns how many ticks were skipped since the start.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

fn at(period: Duration, number: u64) -> Duration {
    let nanos = period.as_nanos().saturating_mul(u128::from(number));
    Duration::from_nanos_u128(nanos.min(Duration::MAX.as_nanos()))
}

/// A [`Pace`] on tokio's monotonic clock.
///
/// Calls that share one start share their ticks, so one timer wake-up serves them all.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    pace: Pace,
    alarm: Pin<Box<Sleep>>,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::start()
    }
}

impl Clock {
    /// Starts a 20 ms clock now.
    pub fn start() -> Clock {
        Clock::starting_at(Instant::now())
    }

    /// Starts a 20 ms clock with tick 0 at `start`; ticks already past are skipped.
    pub fn starting_at(start: Instant) -> Clock {
        Clock::with(Pace::new(), start)
    }

    /// Runs any pace from `start`.
    pub fn with(pace: Pace, start: Instant) -> Clock {
        Clock {
            start,
            alarm: Box::pin(sleep_until(start + pace.due())),
            pace,
        }
    }

    /// Waits for the next tick; dropping the wait loses none.
    pub async fn tick(&mut self) -> Tick {
        loop {
            if let Some(tick) = self.try_tick(Duration::ZERO) {
                return tick;
            }
            self.alarm.as_mut().await;
        }
    }

    /// Takes the next tick without waiting if it is due or at most `leeway` early.
    pub fn try_tick(&mut self, leeway: Duration) -> Option<Tick> {
        let now = Instant::now();
        let tick = match now.checked_duration_since(self.start) {
            Some(now) => self.pace.take_early(now, leeway),
            None => self
                .pace
                .take_early(Duration::ZERO, leeway.checked_sub(self.start - now)?),
        };
        if tick.is_some() {
            self.set_alarm();
        }
        tick
    }

    fn set_alarm(&mut self) {
        let due = self.start + self.pace.due();
        self.alarm.as_mut().reset(due);
    }

    /// Returns how many ticks were skipped since the start.
    pub fn skipped(&self) -> u64 {
        self.pace.skipped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR_TICKS: u64 = 180_000;

    #[test]
    fn a_tick_is_taken_once() {
        let mut pace = Pace::new();
        assert!(pace.take(Duration::ZERO).is_some());
        assert_eq!(pace.take(Duration::from_millis(19)), None);
        assert_eq!(pace.due(), FRAME_TIME);
    }

    #[test]
    fn a_tick_may_be_taken_early_but_only_by_the_leeway() {
        let leeway = Duration::from_millis(5);
        let mut pace = Pace::new();
        pace.take(Duration::ZERO);
        assert_eq!(pace.take_early(Duration::from_millis(14), leeway), None);
        let early = pace.take_early(Duration::from_millis(15), leeway);
        assert_eq!(
            early,
            Some(Tick {
                number: 1,
                late: Duration::ZERO,
                skipped: 0
            })
        );
        assert_eq!(pace.due(), Duration::from_millis(40));
        let late = pace.take_early(Duration::from_millis(61), leeway);
        assert_eq!(late.map(|tick| (tick.number, tick.skipped)), Some((3, 1)));
    }

    #[test]
    fn ticks_slept_through_are_skipped_and_counted() {
        let mut pace = Pace::new();
        pace.take(Duration::ZERO);
        let late = pace.take(Duration::from_millis(107));
        let late_by = Duration::from_millis(7);
        assert_eq!(
            late,
            Some(Tick {
                number: 5,
                late: late_by,
                skipped: 4
            })
        );
        assert_eq!(
            (pace.skipped(), pace.due()),
            (4, Duration::from_millis(120))
        );
    }

    #[test]
    fn a_time_beyond_all_numbers_does_not_panic() {
        for period in [Duration::ZERO, FRAME_TIME, Duration::MAX] {
            let mut pace = Pace::every(period);
            for time in [Duration::MAX, Duration::MAX, Duration::ZERO] {
                pace.take(time);
                let _due = pace.due();
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn no_drift_over_an_hour(lateness in prop::collection::vec(0_u64..19_999_999, 97)) {
            let mut pace = Pace::new();
            for number in 0..HOUR_TICKS {
                let late = Duration::from_nanos(lateness[number as usize % lateness.len()]);
                let tick = pace.take(pace.due() + late);
                prop_assert_eq!(tick, Some(Tick { number, late, skipped: 0 }));
            }
            prop_assert_eq!(pace.due(), Duration::from_secs(3_600));
        }

        #[test]
        fn every_tick_is_taken_or_counted(naps in prop::collection::vec(0_u64..90_000_000, 1..200)) {
            let mut pace = Pace::new();
            let (mut now, mut taken) = (Duration::ZERO, 0);
            for nap in naps {
                now += Duration::from_nanos(nap);
                taken += u64::from(pace.take(now).is_some());
                let elapsed = now.as_nanos() / FRAME_TIME.as_nanos() + 1;
                prop_assert_eq!(u128::from(taken + pace.skipped()), elapsed);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_ticks_at_its_start_and_every_20_ms_after() {
        let start = Instant::now() + Duration::from_millis(7);
        let mut clock = Clock::starting_at(start);
        for number in 0..1_000 {
            assert_eq!(
                clock.tick().await,
                Tick {
                    number,
                    late: Duration::ZERO,
                    skipped: 0
                }
            );
            assert_eq!(Instant::now(), start + FRAME_TIME * number as u32);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_says_how_many_ticks_a_stall_cost() {
        let mut clock = Clock::start();
        clock.tick().await;
        tokio::time::advance(Duration::from_millis(107)).await;
        let late = Duration::from_millis(7);
        assert_eq!(
            clock.tick().await,
            Tick {
                number: 5,
                late,
                skipped: 4
            }
        );
        assert_eq!(clock.skipped(), 4);
        assert_eq!(
            clock.tick().await,
            Tick {
                number: 6,
                late: Duration::ZERO,
                skipped: 0
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_a_tick_can_be_dropped_and_a_tick_taken_early() {
        let mut clock = Clock::start();
        clock.tick().await;
        let wait = tokio::time::timeout(Duration::from_millis(15), clock.tick()).await;
        assert!(wait.is_err());
        assert_eq!(clock.try_tick(Duration::from_millis(4)), None);
        let early = clock.try_tick(Duration::from_millis(5));
        assert_eq!(early.map(|tick| tick.number), Some(1));
        assert_eq!(clock.tick().await.number, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn clocks_that_share_a_start_tick_together() {
        let start = Instant::now() + Duration::from_millis(30);
        let (mut one, mut other) = (Clock::starting_at(start), Clock::starting_at(start));
        for _ in 0..10 {
            let (first, second) = tokio::join!(one.tick(), other.tick());
            assert_eq!(first, second);
        }
    }
}
