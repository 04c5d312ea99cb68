//! The threads that recognise. Each call stays on one thread; a thread takes what waits of each of
//! its calls in turn, and recordings to transcribe piece by piece in between.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::line::{Line, Waiting};
use super::listener::{Listener, Recognisers};
use super::turn::{Settings, Turn};
use super::{Asked, Bell, RATE, Recogniser, Recognition, SpeechError, Told};
use crate::words::Language;

/// How often a thread looks for calls whose audio does not come.
const GLANCE: Duration = Duration::from_millis(50);

/// How long one piece of work may take before its thread counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// How much of a recording is transcribed before live calls have their turn again: 200 ms.
const PIECE: usize = RATE / 5;

/// How long the words of a recording may take after all of it was pushed.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The most recordings that wait for one thread.
const MOST_JOBS: usize = 16;

/// A recording to transcribe.
pub(super) struct Job {
    pub(super) samples: Arc<[i16]>,
    pub(super) language: Language,
    pub(super) reply: oneshot::Sender<Option<String>>,
}

#[derive(Default)]
struct Desk {
    ready: Vec<Arc<Line>>,
    jobs: VecDeque<Job>,
    /// Whether the recognition of a recording has something to tell.
    rung: bool,
    stop: bool,
}

/// The outside of one thread.
pub(super) struct Worker {
    desk: Mutex<Desk>,
    bell: Condvar,
    /// Calls on this thread.
    pub(super) lines: AtomicUsize,
    /// Recordings that wait here or are in work.
    pub(super) jobs: AtomicUsize,
    began: Instant,
    /// Milliseconds after `began` when the piece of work in progress was begun; 0 when idle.
    busy_since: AtomicU64,
    ended: AtomicBool,
}

impl Worker {
    /// Starts a thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start(
        number: usize,
        recognisers: Arc<Recognisers>,
        settings: Settings,
    ) -> Result<Arc<Self>, SpeechError> {
        let worker = Arc::new(Self {
            desk: Mutex::default(),
            bell: Condvar::new(),
            lines: AtomicUsize::new(0),
            jobs: AtomicUsize::new(0),
            began: Instant::now(),
            busy_since: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let outside = Arc::clone(&worker);
        // What recognises stays on its thread, so it is made there.
        let run = move || {
            let listeners = HashMap::new();
            Inside {
                worker: outside,
                recognisers,
                settings,
                listeners,
                job: None,
            }
            .run();
        };
        std::thread::Builder::new()
            .name(format!("ears-{number}"))
            .spawn(run)
            .map_err(SpeechError::Thread)?;
        Ok(worker)
    }

    /// Tells the thread that a line has something for it.
    pub(super) fn ring(&self, line: Arc<Line>) {
        let mut desk = self.desk();
        if desk.stop {
            return;
        }
        desk.ready.push(line);
        drop(desk);
        self.bell.notify_one();
    }

    /// Lets the thread ask what the recognition of a recording has to tell.
    fn wake(&self) {
        self.desk().rung = true;
        self.bell.notify_one();
    }

    /// Takes a recording, or gives it back when too many wait.
    pub(super) fn transcribe(&self, job: Job) -> Result<(), Job> {
        let mut desk = self.desk();
        if desk.jobs.len() >= MOST_JOBS || desk.stop {
            return Err(job);
        }
        self.jobs.fetch_add(1, Ordering::Relaxed);
        desk.jobs.push_back(job);
        drop(desk);
        self.bell.notify_one();
        Ok(())
    }

    /// Tells whether the thread does not come back from its engine, or is gone.
    pub(super) fn is_stuck(&self) -> bool {
        let since = self.busy_since.load(Ordering::Relaxed);
        let now = self.began.elapsed().as_millis() as u64;
        self.ended.load(Ordering::Relaxed)
            || (since != 0 && now.saturating_sub(since) > STUCK_AFTER.as_millis() as u64)
    }

    /// Returns how many calls have something for it that it has not come to.
    pub(super) fn waiting(&self) -> usize {
        self.desk().ready.len()
    }

    /// Tells whether the thread is gone.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Lets the thread end after what it is doing, and forgets what waits for it.
    pub(super) fn stop(&self) {
        let forgotten = {
            let mut desk = self.desk();
            desk.stop = true;
            (
                std::mem::take(&mut desk.ready),
                std::mem::take(&mut desk.jobs),
            )
        };
        drop(forgotten);
        self.bell.notify_one();
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Nothing in here panics half way through a change.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one piece of work; a panic in it is caught and told as None.
    fn guarded<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let now = self.began.elapsed().as_millis() as u64;
        self.busy_since.store(now.max(1), Ordering::Relaxed);
        let outcome = catch_unwind(AssertUnwindSafe(work)).ok();
        self.busy_since.store(0, Ordering::Relaxed);
        outcome
    }
}

/// The inside of one thread.
struct Inside {
    worker: Arc<Worker>,
    recognisers: Arc<Recognisers>,
    settings: Settings,
    listeners: HashMap<u64, Place>,
    job: Option<Work>,
}

struct Place {
    line: Arc<Line>,
    listener: Listener,
}

/// A recording in work.
struct Work {
    job: Job,
    recognition: Box<dyn Recognition>,
    done: usize,
    /// Since when all has been pushed and the words are waited for.
    waits_since: Option<Instant>,
}

impl Work {
    /// Goes on with the recording for a little; returns its words when they are there.
    fn go_on(&mut self, now: Instant) -> Result<Option<String>, SpeechError> {
        if self.waits_since.is_none() {
            let end = (self.done + PIECE).min(self.job.samples.len());
            self.recognition.push(&self.job.samples[self.done..end])?;
            self.done = end;
            if end == self.job.samples.len() {
                self.recognition.finish()?;
                self.waits_since = Some(now);
            }
        }
        while let Some(told) = self.recognition.told(now)? {
            if let Told::Final(transcript) = told {
                return Ok(Some(transcript.text));
            }
        }
        Ok(None)
    }

    fn takes_too_long(&self, now: Instant) -> bool {
        self.waits_since
            .is_some_and(|since| now.saturating_duration_since(since) > LONGEST_WAIT)
    }
}

/// Sets the mark that the thread is gone, whatever ends it.
struct Ending(Arc<Worker>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }
}

impl Inside {
    fn run(mut self) {
        let _ending = Ending(Arc::clone(&self.worker));
        let mut ready = Vec::new();
        let mut waiting = Waiting::default();
        let mut glanced = Instant::now();
        while self.wait(&mut ready) {
            for line in ready.drain(..) {
                self.serve(line, &mut waiting);
            }
            if glanced.elapsed() >= GLANCE {
                glanced = Instant::now();
                self.glance(glanced);
            }
            self.transcribe();
        }
    }

    /// Waits for work; false means the end.
    fn wait(&mut self, ready: &mut Vec<Arc<Line>>) -> bool {
        let waits = self.job.as_ref().map(|work| work.waits_since.is_some());
        let mut desk = self.worker.desk();
        let has_job = match waits {
            None => !desk.jobs.is_empty(),
            Some(waits) => !waits || std::mem::take(&mut desk.rung),
        };
        if desk.ready.is_empty() && !has_job && !desk.stop {
            desk = if self.listeners.is_empty() && waits.is_none() {
                self.worker
                    .bell
                    .wait(desk)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                let waited = self.worker.bell.wait_timeout(desk, GLANCE);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
        std::mem::swap(&mut desk.ready, ready);
        !desk.stop
    }

    fn serve(&mut self, line: Arc<Line>, waiting: &mut Waiting) {
        line.take(waiting);
        if line.is_closed() || line.is_lost() {
            while waiting.next().is_some() {}
            self.forget(line.number);
            return;
        }
        let place = self.listeners.entry(line.number).or_insert_with(|| {
            let turn = Turn::new(self.settings.clone());
            let listener = Listener::new(Arc::clone(&line), Arc::clone(&self.recognisers), turn);
            Place {
                line: Arc::clone(&line),
                listener,
            }
        });
        let now = Instant::now();
        let outcome = self.worker.guarded(|| {
            while let Some(next) = waiting.next() {
                place.listener.take(next, now);
            }
            if line.take_ring() {
                place.listener.ask();
            }
        });
        if outcome.is_none() {
            while waiting.next().is_some() {}
            line.lose("the recogniser broke");
            self.forget(line.number);
        }
    }

    /// Drops a listener; what its engine does then is its own affair.
    fn forget(&mut self, number: u64) {
        let place = self.listeners.remove(&number);
        let _ = self.worker.guarded(|| drop(place));
    }

    fn glance(&mut self, now: Instant) {
        let mut broken = Vec::new();
        for (number, place) in &mut self.listeners {
            if place.line.is_scheduled() {
                continue;
            }
            if self
                .worker
                .guarded(|| place.listener.mind_the_gap(now))
                .is_none()
            {
                place.line.lose("the recogniser broke");
                broken.push(*number);
            }
        }
        for number in broken {
            self.forget(number);
        }
    }

    /// Transcribes a little of a recording.
    fn transcribe(&mut self) {
        let Some(mut work) = self.job.take().or_else(|| self.next_job()) else {
            return;
        };
        let now = Instant::now();
        match self.worker.guarded(|| work.go_on(now)) {
            Some(Ok(None)) if work.job.reply.is_closed() || work.takes_too_long(now) => {
                self.finish(work.job, None);
            }
            Some(Ok(None)) => self.job = Some(work),
            Some(Ok(text)) => self.finish(work.job, text),
            Some(Err(error)) => {
                tracing::warn!(%error, "a recording could not be transcribed");
                self.finish(work.job, None);
            }
            None => {
                tracing::warn!("a recording could not be transcribed: the recogniser broke");
                self.finish(work.job, None);
            }
        }
    }

    fn next_job(&mut self) -> Option<Work> {
        let job = self.worker.desk().jobs.pop_front()?;
        let recogniser = self.recognisers.get(&job.language);
        let worker = Arc::downgrade(&self.worker);
        let bell = Bell::new(move || {
            if let Some(worker) = worker.upgrade() {
                worker.wake();
            }
        });
        let opened = recogniser.map(|recogniser| {
            self.worker
                .guarded(|| recogniser.open(&Asked::anything(), bell))
        });
        match opened {
            Some(Some(Ok(recognition))) => Some(Work {
                job,
                recognition,
                done: 0,
                waits_since: None,
            }),
            Some(Some(Err(error))) => {
                tracing::warn!(%error, "a recording could not be transcribed");
                self.finish(job, None);
                None
            }
            Some(None) | None => {
                self.finish(job, None);
                None
            }
        }
    }

    fn finish(&self, job: Job, text: Option<String>) {
        self.worker.jobs.fetch_sub(1, Ordering::Relaxed);
        // Nobody waits for the text any more: nothing is lost.
        let _ = job.reply.send(text.filter(|text| !text.is_empty()));
    }
}
