//! One engine of a chain: whether it may be used now, what its calls cost, and whether one of them
//! does not come back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;

use super::super::breaker::Breaker;
use super::super::figures::{EngineLabel, FailureLabel, Figures};
use super::super::limits::Limits;
use super::super::{Asked, Bell, Recogniser, Recognition, SpeechError, Works, tone};
use super::{Failure, Fault};

/// How long an engine may hold a thread before it counts as hung.
pub(in super::super) const HUNG_AFTER: Duration = Duration::from_secs(2);

/// How long it may take to measure what an engine costs.
const LONGEST_MEASURE: Duration = Duration::from_secs(20);

/// Stands for a hang that was counted.
const COUNTED: u64 = u64::MAX;

/// What all recognitions in this process may use of the processor together, in millionths of a
/// core: so that engines that take over do not slow down the calls of others.
#[derive(Debug)]
pub(in super::super) struct Room {
    limited: bool,
    most: AtomicU64,
    used: AtomicU64,
}

impl Room {
    /// Makes room; limited, if what engines take is to be measured and reckoned with.
    pub(in super::super) fn new(limited: bool) -> Arc<Self> {
        Arc::new(Self {
            limited,
            most: AtomicU64::new(u64::MAX),
            used: AtomicU64::new(0),
        })
    }

    fn is_limited(&self) -> bool {
        self.limited
    }

    /// Sets how much there is.
    pub(in super::super) fn set(&self, cores: f64) {
        let most = (cores * 1e6) as u64;
        self.most.store(most, Ordering::Relaxed);
    }

    fn take(self: &Arc<Self>, cost: u64) -> Option<Seat> {
        let most = self.most.load(Ordering::Relaxed);
        let fits = |used: u64| (cost == 0 || used + cost <= most).then_some(used + cost);
        self.used
            .try_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .ok()?;
        Some(Seat {
            room: Arc::clone(self),
            cost,
        })
    }
}

/// A part of the room in use.
struct Seat {
    room: Arc<Room>,
    cost: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.cost, Ordering::Relaxed);
    }
}

/// When one recognition went into an engine, in milliseconds after the link began; 0 outside.
#[derive(Debug, Default)]
pub(super) struct Inside(AtomicU64);

/// A recognition that was opened, with what it takes up.
pub(super) struct Taken {
    pub(super) recognition: Box<dyn Recognition>,
    /// Its own, so that one engine does not count as hung for what another does.
    pub(super) inside: Arc<Inside>,
    _seat: Seat,
    _stream: Stream,
}

/// Counts one open recognition.
struct Stream(Gauge);

impl Stream {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// One engine.
pub(super) struct Link {
    recogniser: Arc<dyn Recogniser>,
    pub(super) label: EngineLabel,
    breaker: Mutex<Breaker>,
    /// Who may be inside.
    insides: Mutex<Vec<Weak<Inside>>>,
    room: Arc<Room>,
    /// What one recognition takes of the room.
    cost: u64,
    began: Instant,
}

impl Link {
    pub(super) fn new(
        recogniser: Arc<dyn Recogniser>,
        place: u32,
        limits: &Limits,
        room: &Arc<Room>,
    ) -> Self {
        let label = EngineLabel {
            engine: recogniser.name().to_owned(),
            language: recogniser.language().to_string(),
            place,
        };
        let cost = match recogniser.works() {
            Works::Here if room.is_limited() => (cost(&recogniser) * 1e6) as u64,
            Works::Here | Works::Elsewhere => 0,
        };
        Self {
            recogniser,
            label,
            breaker: Mutex::new(Breaker::new(limits.breaker.clone())),
            insides: Mutex::default(),
            room: Arc::clone(room),
            cost,
            began: Instant::now(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.label.engine
    }

    pub(super) fn works(&self) -> Works {
        self.recogniser.works()
    }

    /// Returns the share of a core that one recognition takes while somebody speaks.
    pub(super) fn cost(&self) -> f64 {
        self.cost as f64 / 1e6
    }

    /// Tells whether it would be tried now.
    pub(super) fn is_able(&self, now: Instant) -> bool {
        !self.breaker().is_open(now) && !self.hangs(now, false)
    }

    /// Opens a recognition, if that may be tried now.
    pub(super) fn open(
        &self,
        asked: &Asked,
        bell: &Bell,
        figures: &Figures,
    ) -> Result<Taken, Fault> {
        let now = Instant::now();
        if self.hangs(now, true) {
            self.failed(Failure::Hung, figures);
        }
        if self.hangs(now, false) {
            let reason = "a call of it has not come back";
            return Err(Fault::new(Failure::Resting, reason));
        }
        let Some(seat) = self.room.take(self.cost) else {
            let reason = "the processors are taken by other calls";
            return Err(Fault::new(Failure::Full, reason));
        };
        if !self.breaker().allows(now) {
            let reason = "it is left alone, as it failed before";
            return Err(Fault::new(Failure::Resting, reason));
        }
        let inside = Arc::<Inside>::default();
        {
            let mut insides = self.insides();
            insides.retain(|inside| inside.strong_count() > 0);
            insides.push(Arc::downgrade(&inside));
        }
        let recognition = self.call(&inside, || self.recogniser.open(asked, bell.clone()))?;
        let stream = figures.streams.get_or_create(&self.label).clone();
        Ok(Taken {
            recognition,
            inside,
            _seat: seat,
            _stream: Stream::new(stream),
        })
    }

    /// Calls the engine, and catches what it throws.
    pub(super) fn call<T>(
        &self,
        inside: &Inside,
        does: impl FnOnce() -> Result<T, SpeechError>,
    ) -> Result<T, Fault> {
        inside.0.store(self.milliseconds(), Ordering::Relaxed);
        let outcome = catch_unwind(AssertUnwindSafe(does));
        inside.0.store(0, Ordering::Relaxed);
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(SpeechError::Full { streams })) => {
                let reason = format!("all {streams} streams of it are taken");
                Err(Fault::new(Failure::Full, reason))
            }
            Ok(Err(error @ (SpeechError::Taken { .. } | SpeechError::QueueFull { .. }))) => {
                Err(Fault::new(Failure::Full, error.to_string()))
            }
            Ok(Err(error)) => Err(Fault::new(Failure::Failed, error.to_string())),
            Err(_) => Err(Fault::new(Failure::Broke, "it broke off with a panic")),
        }
    }

    /// Notes a failure.
    pub(super) fn failed(&self, failure: Failure, figures: &Figures) {
        let EngineLabel {
            engine,
            language,
            place,
        } = self.label.clone();
        let label = FailureLabel {
            engine,
            language,
            place,
            kind: failure.label(),
        };
        figures.failures.get_or_create(&label).inc();
        if failure.is_its_fault() {
            let now = Instant::now();
            let mut breaker = self.breaker();
            breaker.failed(now);
            let open = i64::from(breaker.is_open(now));
            drop(breaker);
            figures.breaker_open.get_or_create(&self.label).set(open);
        }
    }

    /// Notes that it told the words of a turn, and how long it took.
    pub(super) fn succeeded(&self, now: Instant, took: Duration, figures: &Figures) {
        self.breaker().succeeded(now);
        figures.breaker_open.get_or_create(&self.label).set(0);
        let seconds = figures.final_seconds.get_or_create(&self.label);
        seconds.observe(took.as_secs_f64());
    }

    /// Tells whether a call of it has not come back for too long. With `anew`, only for one that
    /// was not counted yet, which then is.
    fn hangs(&self, now: Instant, anew: bool) -> bool {
        let now = now.saturating_duration_since(self.began).as_millis() as u64;
        let limit = HUNG_AFTER.as_millis() as u64;
        let mut hangs = false;
        for inside in self.insides().iter().filter_map(Weak::upgrade) {
            let since = inside.0.load(Ordering::Relaxed);
            let late = since != 0 && now.saturating_sub(since) > limit;
            hangs |= if anew {
                late && inside
                    .0
                    .compare_exchange(since, COUNTED, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            } else {
                late || since == COUNTED
            };
        }
        hangs
    }

    fn milliseconds(&self) -> u64 {
        (self.began.elapsed().as_millis() as u64).max(1)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // Nothing in here panics half way through a change.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insides(&self) -> MutexGuard<'_, Vec<Weak<Inside>>> {
        self.insides.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Measures the share of a core that one recognition takes while somebody speaks, on a thread of
/// its own: an engine that hangs takes a whole one.
fn cost(recogniser: &Arc<dyn Recogniser>) -> f64 {
    let (sender, measured) = std::sync::mpsc::sync_channel(1);
    let measures = Arc::clone(recogniser);
    let thread = std::thread::Builder::new().name("ears-measure".to_owned());
    let started = thread.spawn(move || {
        // Nobody waits any more: then it took too long.
        let _ = sender.send(measure(measures.as_ref()));
    });
    match started {
        Ok(_) => measured.recv_timeout(LONGEST_MEASURE).unwrap_or(1.0),
        Err(_) => 1.0,
    }
}

fn measure(recogniser: &dyn Recogniser) -> f64 {
    let buzz: Vec<i16> = (0..8)
        .flat_map(|syllable| tone(130.0 + 90.0 * syllable as f32, Duration::from_millis(125)))
        .collect();
    let measured = catch_unwind(AssertUnwindSafe(|| {
        let mut recognition = recogniser.open(&Asked::anything(), Bell::silent()).ok()?;
        (0..3)
            .map(|_| {
                let began = Instant::now();
                // An engine that fails here fails again, and audibly, in the first call.
                let _ = recognition.push(&buzz);
                let _ = recognition.finish();
                let _ = recognition.told(began);
                began.elapsed()
            })
            .min()
    }));
    let best = measured.ok().flatten();
    best.unwrap_or_default().as_secs_f64()
}
