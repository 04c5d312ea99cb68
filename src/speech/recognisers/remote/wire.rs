//! The way between a recognition on the ears' thread and the task that talks to its engine. The
//! ears never wait: what they push is queued up to a limit, what the engine tells is fetched.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fault::RemoteFault;
use crate::speech::{Bell, RATE, Recognition, SpeechError, Told};

/// The most audio that waits to be sent, in samples: two and a half minutes, so that a recording of
/// two may come all at once.
pub(in super::super) const MOST_WAITING: usize = 150 * RATE;

/// The most turns that are over while none of their words has come.
const MOST_OWED: usize = 32;

/// What a task is asked to do.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Order {
    /// Take audio.
    Audio(Vec<i16>),
    /// End the turn.
    Finish,
    /// Make up your mind about the words so far.
    Settle,
}

struct Shared {
    /// Samples that were pushed and not sent yet.
    waiting: AtomicUsize,
    answers: Mutex<Answers>,
    bell: Bell,
}

#[derive(Default)]
struct Answers {
    told: VecDeque<Told>,
    /// Turns that are over whose words have not been told.
    owed: usize,
    end: End,
}

/// How the task ended.
#[derive(Default)]
enum End {
    #[default]
    NotYet,
    Failed(SpeechError),
    /// It failed, and that was told.
    Told,
}

impl Shared {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        // Nothing in here panics half way through a change.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names a fault with the setting of the engine it happened to.
pub(in super::super) type Blame = Arc<dyn Fn(RemoteFault) -> SpeechError + Send + Sync>;

/// Makes both ends. The task should end soon after the token is cancelled.
pub(in super::super) fn wire(
    bell: Bell,
    seat: OwnedSemaphorePermit,
    blame: Blame,
) -> (Outside, Inside, CancellationToken) {
    let shared = Arc::new(Shared {
        waiting: AtomicUsize::new(0),
        answers: Mutex::default(),
        bell,
    });
    // The count of samples bounds it.
    let (orders, queue) = mpsc::unbounded_channel();
    let gone = CancellationToken::new();
    let outside = Outside {
        shared: Arc::clone(&shared),
        orders,
        blame: Arc::clone(&blame),
        _gone: gone.clone().drop_guard(),
        _seat: seat,
    };
    let inside = Inside {
        shared,
        queue,
        blame,
    };
    (outside, inside, gone)
}

/// The ears' end.
pub(in super::super) struct Outside {
    shared: Arc<Shared>,
    orders: mpsc::UnboundedSender<Order>,
    blame: Blame,
    _gone: DropGuard,
    _seat: OwnedSemaphorePermit,
}

impl Outside {
    fn order(&self, order: Order) -> Result<(), SpeechError> {
        self.check()?;
        self.orders
            .send(order)
            .map_err(|_| (self.blame)(RemoteFault::Broke))
    }

    fn check(&self) -> Result<(), SpeechError> {
        let mut answers = self.shared.answers();
        match std::mem::replace(&mut answers.end, End::Told) {
            End::NotYet => {
                answers.end = End::NotYet;
                Ok(())
            }
            End::Failed(error) => Err(error),
            End::Told => Err((self.blame)(RemoteFault::Broke)),
        }
    }
}

impl Recognition for Outside {
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        if samples.is_empty() {
            return self.check();
        }
        let waiting = &self.shared.waiting;
        let before = waiting.fetch_add(samples.len(), Ordering::Relaxed);
        if before + samples.len() > MOST_WAITING {
            let length = Duration::from_secs((before / RATE) as u64);
            return Err((self.blame)(RemoteFault::Behind(length)));
        }
        self.order(Order::Audio(samples.to_vec()))
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        {
            let mut answers = self.shared.answers();
            answers.owed += 1;
            if answers.owed > MOST_OWED {
                let length = self.shared.waiting.load(Ordering::Relaxed) / RATE;
                drop(answers);
                return Err((self.blame)(RemoteFault::Behind(Duration::from_secs(
                    length as u64,
                ))));
            }
        }
        self.order(Order::Finish)
    }

    fn settle(&mut self) {
        // A task that has ended is found out by the next push.
        let _ = self.orders.send(Order::Settle);
    }

    fn told(&mut self, _now: Instant) -> Result<Option<Told>, SpeechError> {
        let told = self.shared.answers().told.pop_front();
        match told {
            Some(told) => Ok(Some(told)),
            None => self.check().map(|()| None),
        }
    }
}

/// The task's end. When it is dropped without a word, the recognition fails.
pub(in super::super) struct Inside {
    shared: Arc<Shared>,
    queue: mpsc::UnboundedReceiver<Order>,
    blame: Blame,
}

impl Inside {
    /// Waits for the next order; nothing when the recognition is over. Giving up waiting loses
    /// nothing.
    pub(in super::super) async fn next(&mut self) -> Option<Order> {
        self.queue.recv().await
    }

    /// Notes that so many samples are on their way and no longer wait.
    pub(in super::super) fn sent(&self, samples: usize) {
        self.shared.waiting.fetch_sub(samples, Ordering::Relaxed);
    }

    /// Notes that so many samples wait again.
    pub(in super::super) fn unsent(&self, samples: usize) {
        self.shared.waiting.fetch_add(samples, Ordering::Relaxed);
    }

    /// Tells the ears. Words so far that were not fetched are replaced by newer ones.
    pub(in super::super) fn tell(&self, told: Told) {
        {
            let mut answers = self.shared.answers();
            match &told {
                Told::Final(_) => {
                    answers.owed = answers.owed.saturating_sub(1);
                    if matches!(answers.told.back(), Some(Told::Partial(_))) {
                        answers.told.pop_back();
                    }
                }
                Told::Partial(_) if matches!(answers.told.back(), Some(Told::Partial(_))) => {
                    answers.told.pop_back();
                }
                Told::Partial(_) | Told::SpeechStarted | Told::Degraded(_) => {}
            }
            answers.told.push_back(told);
        }
        self.shared.bell.ring();
    }

    /// Tells the ears that there will be no more.
    pub(in super::super) fn fail(&self, error: SpeechError) {
        self.shared.answers().end = End::Failed(error);
        self.shared.bell.ring();
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        {
            let mut answers = self.shared.answers();
            if !matches!(answers.end, End::NotYet) {
                return;
            }
            answers.end = End::Failed((self.blame)(RemoteFault::Broke));
        }
        self.shared.bell.ring();
    }
}
