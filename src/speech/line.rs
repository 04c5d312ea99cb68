//! What a call and the worker that listens to it share: a bounded queue of audio and orders, and
//! the way back for events. The call never waits for the worker.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::worker::Worker;
use super::{EarEvent, FRAME};
use crate::dialog::{Heard, Listen, Phrases};
use crate::words::CallId;

/// The most frames that wait for a worker: one second. Then the oldest is dropped and counted.
const MOST_FRAMES: usize = 50;

/// The most orders that wait. A newer question replaces an older one, so the oldest may go.
const MOST_ORDERS: usize = 64;

/// Frames of silence after which nothing that was played can come back: two seconds.
const MOST_SILENCE: u32 = 100;

/// How long frame after frame may be dropped before the worker counts as lost. It is counted by the
/// clock: after a stalled network a second of audio may come at once.
const LOST_AFTER: Duration = Duration::from_secs(1);

/// 20 ms of audio.
pub(super) type Samples = [i16; FRAME];

/// What a call wants of its listener.
pub(super) enum Order {
    /// Callers may ask for these things, in each language.
    Know(Arc<Phrases>),
    /// Listen for an answer.
    Listen(Listen),
    /// Recognise nothing; tell when there was silence for so long.
    Watch(Duration),
    /// Such words are an answer.
    Enough(Heard),
    /// Stop both.
    Deafen,
}

/// Audio and orders that wait, each order with the number of the frame it precedes.
#[derive(Default)]
pub(super) struct Waiting {
    /// The number of the first frame in `frames`.
    first: u64,
    frames: VecDeque<Samples>,
    orders: VecDeque<(u64, Order)>,
    /// What was played to the caller, each with the number of the frame it precedes; None for
    /// silence.
    played: VecDeque<(u64, Option<Samples>)>,
}

/// One thing to do next.
pub(super) enum Next {
    /// An order.
    Order(Order),
    /// A frame.
    Frame(Samples),
    /// What was played to the caller meanwhile; None for silence.
    Played(Option<Samples>),
}

impl Waiting {
    /// Takes out what comes next, in the order in which it came in.
    pub(super) fn next(&mut self) -> Option<Next> {
        if let Some((before, _)) = self.orders.front()
            && (*before <= self.first || self.frames.is_empty())
        {
            return self.orders.pop_front().map(|(_, order)| Next::Order(order));
        }
        if let Some((before, _)) = self.played.front()
            && (*before <= self.first || self.frames.is_empty())
        {
            return self
                .played
                .pop_front()
                .map(|(_, frame)| Next::Played(frame));
        }
        let frame = self.frames.pop_front()?;
        self.first += 1;
        Some(Next::Frame(frame))
    }
}

#[derive(Default)]
struct Inbox {
    waiting: Waiting,
    /// Samples of a frame that is not complete yet.
    rest: Vec<i16>,
    /// Frames of silence that were played in a row.
    silent: u32,
    /// Since when every frame has pushed out another.
    dropping_since: Option<Instant>,
}

/// The line between one call and its listener.
pub(super) struct Line {
    pub(super) call: CallId,
    /// Which of all lines this is; spreads the work of calls that begin together.
    pub(super) number: u64,
    inbox: Mutex<Inbox>,
    scheduled: AtomicBool,
    /// Whether a recognition has something to tell.
    rung: AtomicBool,
    closed: AtomicBool,
    speaking: AtomicBool,
    lost: AtomicBool,
    talking: AtomicBool,
    dropped: Arc<AtomicU64>,
    worker: Arc<Worker>,
    events: mpsc::Sender<EarEvent>,
}

impl Line {
    pub(super) fn new(
        call: CallId,
        number: u64,
        worker: Arc<Worker>,
        dropped: Arc<AtomicU64>,
        events: mpsc::Sender<EarEvent>,
    ) -> Arc<Self> {
        Arc::new(Self {
            call,
            number,
            inbox: Mutex::default(),
            scheduled: AtomicBool::new(false),
            rung: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            speaking: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            talking: AtomicBool::new(false),
            dropped,
            worker,
            events,
        })
    }

    /// Takes audio of any length and never waits.
    pub(super) fn push(self: &Arc<Self>, samples: &[i16]) {
        if self.is_lost() {
            return;
        }
        let lost = {
            let mut inbox = self.inbox();
            let mut samples = samples;
            if !inbox.rest.is_empty() {
                let missing = FRAME - inbox.rest.len();
                let (now, later) = samples.split_at(missing.min(samples.len()));
                inbox.rest.extend_from_slice(now);
                samples = later;
                if let Ok(frame) = Samples::try_from(inbox.rest.as_slice()) {
                    inbox.rest.clear();
                    self.enqueue(&mut inbox, frame);
                }
            }
            let (frames, rest) = samples.as_chunks::<FRAME>();
            for frame in frames {
                self.enqueue(&mut inbox, *frame);
            }
            inbox.rest.extend_from_slice(rest);
            inbox
                .dropping_since
                .is_some_and(|since| since.elapsed() >= LOST_AFTER)
        };
        if lost {
            self.lose("the recogniser does not keep up");
        }
        self.schedule();
    }

    fn enqueue(&self, inbox: &mut Inbox, frame: Samples) {
        let waiting = &mut inbox.waiting;
        if waiting.frames.len() < MOST_FRAMES {
            inbox.dropping_since = None;
        } else {
            waiting.frames.pop_front();
            waiting.first += 1;
            inbox.dropping_since.get_or_insert_with(Instant::now);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        waiting.frames.push_back(frame);
    }

    pub(super) fn order(self: &Arc<Self>, order: Order) {
        {
            let mut inbox = self.inbox();
            let waiting = &mut inbox.waiting;
            if waiting.orders.len() == MOST_ORDERS {
                waiting.orders.pop_front();
            }
            let before = waiting.first + waiting.frames.len() as u64;
            waiting.orders.push_back((before, order));
        }
        self.schedule();
    }

    /// Lets the worker ask the recognitions what they have to tell.
    pub(super) fn ring(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.schedule();
    }

    /// Tells, once, whether that is wanted.
    pub(super) fn take_ring(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }

    /// Notes what is being played to the caller. It wakes nobody: it matters with the caller's next
    /// frame only.
    pub(super) fn played(&self, frame: Option<Samples>) {
        self.talking.store(frame.is_some(), Ordering::Relaxed);
        let mut inbox = self.inbox();
        inbox.silent = match frame {
            Some(_) => 0,
            None => inbox.silent.saturating_add(1),
        };
        if inbox.silent > MOST_SILENCE {
            return;
        }
        let waiting = &mut inbox.waiting;
        if waiting.played.len() == MOST_FRAMES {
            waiting.played.pop_front();
        }
        let before = waiting.first + waiting.frames.len() as u64;
        waiting.played.push_back((before, frame));
    }

    pub(super) fn close(self: &Arc<Self>) {
        self.closed.store(true, Ordering::Release);
        self.schedule();
    }

    pub(super) fn set_talking(&self, talking: bool) {
        self.talking.store(talking, Ordering::Relaxed);
    }

    pub(super) fn is_talking(&self) -> bool {
        self.talking.load(Ordering::Relaxed)
    }

    /// Lets the call know whether the caller is in a turn.
    pub(super) fn set_speaking(&self, speaking: bool) {
        self.speaking.store(speaking, Ordering::Relaxed);
    }

    pub(super) fn is_speaking(&self) -> bool {
        self.speaking.load(Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Returns how many frames wait for the worker.
    pub(super) fn backlog(&self) -> usize {
        self.inbox().waiting.frames.len()
    }

    /// Exchanges what waits for `empty`, of which only the allocation is used.
    pub(super) fn take(&self, empty: &mut Waiting) {
        self.scheduled.store(false, Ordering::Release);
        let mut inbox = self.inbox();
        empty.first = inbox.waiting.first + inbox.waiting.frames.len() as u64;
        std::mem::swap(&mut inbox.waiting, empty);
    }

    /// Tells whether work waits that the worker will come to.
    pub(super) fn is_scheduled(&self) -> bool {
        self.scheduled.load(Ordering::Acquire)
    }

    /// Sends an event without waiting.
    ///
    /// # Errors
    /// When the call does not take its events, which comes back with the event.
    pub(super) fn send(&self, event: EarEvent) -> Result<(), EarEvent> {
        match self.events.try_send(event) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(event)) => Err(event),
        }
    }

    /// Gives the line up and tells the call so, once.
    pub(super) fn lose(&self, reason: &str) {
        if self.lost.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(call = %self.call, reason, "a call is no longer listened to");
        // A call that has not taken sixteen events will not miss this one.
        let _ = self.send(EarEvent::Lost(reason.to_owned()));
    }

    fn schedule(self: &Arc<Self>) {
        if !self.scheduled.swap(true, Ordering::AcqRel) {
            self.worker.ring(Arc::clone(self));
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing in here panics half way through a change.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
