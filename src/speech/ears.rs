//! The ears of the house: [`Ears`] for all calls together, one [`Ear`] for each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, oneshot};

use super::chain::{Chain, Room};
use super::figures::Figures;
use super::line::{Line, Order};
use super::listener::Recognisers;
use super::worker::{Job, Worker};
use super::{Config, Degraded, FRAME, RATE, Recogniser, SpeechError, recognisers, turn};
use crate::dialog::{Heard, Listen, Phrases};
use crate::words::{CallId, Language};

/// Events that wait for a call.
const EVENTS: usize = 16;

/// The share of a thread that recognition may use when every caller speaks at once, reckoned from
/// one recognition alone. Many in turn cost about twice as much each, because they push one another
/// out of the processor's caches; callers in turn speak for less than half of the time.
const SHARE: f64 = 0.5;

/// The most calls per thread, however fast its engines are.
const MOST_PER_THREAD: usize = 200;

/// The most threads that may hang in an engine at the same time and be replaced by others.
const MOST_LOST: usize = 16;

/// What an ear heard.
#[derive(Clone, Debug, PartialEq)]
pub enum EarEvent {
    /// The caller has begun to speak, at most 120 ms ago; time to stop talking.
    SpeechStarted,
    /// The words so far, when they changed; the confidence is not known yet and 0.
    Partial(Heard),
    /// A turn is over; what was made out of it follows, at once or later.
    TurnEnded,
    /// What was said in a turn that is over. The hypotheses are sorted, the most certain first; a language that made out
    /// no words has none, and a cough or a bang has no hypothesis at all.
    Heard(Heard),
    /// [`Ear::watch`]: there was silence for as long as was asked; watching is over.
    Paused,
    /// An engine was of no use, and another one has taken over what the caller is saying; or none
    /// is left in its language.
    Degraded(Degraded),
    /// Nothing will be heard for the question that was asked, with the reason for a log: no engine
    /// for its languages, or none that is well.
    Unavailable(String),
    /// The thread that listened does not come back, with the reason for a log. This ear hears
    /// nothing any more; another one may be opened.
    Lost(String),
}

/// How busy the ears are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Calls that are listened to.
    pub open: usize,
    /// The most there can be.
    pub max: usize,
    /// Frames of 20 ms dropped since the start because a thread did not keep up.
    pub dropped: u64,
}

/// Listens to all calls.
pub struct Ears {
    recognisers: Arc<Recognisers>,
    threads: Arc<Mutex<Threads>>,
    turn: turn::Settings,
    figures: Figures,
    faults: Vec<SpeechError>,
    open: Arc<AtomicUsize>,
    max: usize,
    dropped: Arc<AtomicU64>,
    numbers: AtomicU64,
}

impl Ears {
    /// Opens all recognisers configured, starts the threads and measures how many calls
    /// they can take. It blocks for as long as the models take to load.
    ///
    /// # Errors
    /// When no language at all can be recognised; [`Ears::deaf`] serves calls then. A fault of one
    /// language among several is no error and is told by [`Ears::faults`].
    pub fn new(config: &Config) -> Result<Self, SpeechError> {
        if config.ears.values().all(Vec::is_empty) {
            return Err(SpeechError::NoEars);
        }
        let (recognisers, mut faults) = recognisers::open(config);
        if recognisers.is_empty()
            && let Some(fault) = faults.pop()
        {
            return Err(fault);
        }
        let mut ears = Self::with(recognisers, config)?;
        ears.faults = faults;
        Ok(ears)
    }

    /// Makes ears that notice speech and silence but recognise nothing, for a house without an
    /// engine: recordings still end at a pause, and questions are answered by keys.
    ///
    /// # Errors
    /// When the system has no threads to give.
    pub fn deaf(config: &Config) -> Result<Self, SpeechError> {
        Self::with(Vec::new(), config)
    }

    /// Makes ears out of any recognisers, one per language.
    ///
    /// # Errors
    /// When the system has no threads to give.
    pub fn with(
        recognisers: Vec<Arc<dyn Recogniser>>,
        config: &Config,
    ) -> Result<Self, SpeechError> {
        let figures = Figures::default();
        // Where an admin says how many calls there may be, that holds.
        let room = Room::new(config.max_streams.is_none());
        let mut by_language = BTreeMap::<_, Vec<_>>::new();
        for engine in recognisers {
            by_language
                .entry(engine.language())
                .or_default()
                .push(engine);
        }
        let chains = by_language.into_iter().filter_map(|(language, engines)| {
            let chain = Chain::new(engines, &config.limits, &figures, &room)?;
            Some((language, Arc::new(chain)))
        });
        let recognisers: Arc<Recognisers> = Arc::new(chains.collect());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if config.threads == 0 {
            cores
        } else {
            config.threads.min(1024)
        };
        // A call is listened to in all languages at once.
        let each: f64 = recognisers.values().map(|chain| chain.cost()).sum();
        let fit = ((SHARE / each.max(1e-6)) as usize).clamp(1, MOST_PER_THREAD) * threads;
        let max = config.max_streams.unwrap_or(fit);
        room.set((SHARE * threads as f64).max(each * max as f64 * 1.001));
        let workers = (0..threads)
            .map(|number| Worker::start(number, Arc::clone(&recognisers), config.turn.clone()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            recognisers,
            threads: Arc::new(Mutex::new(Threads {
                workers,
                lost: Vec::new(),
            })),
            turn: config.turn.clone(),
            figures,
            faults: Vec::new(),
            open: Arc::default(),
            max,
            dropped: Arc::default(),
            numbers: AtomicU64::new(0),
        })
    }

    /// Returns the languages that can be recognised.
    pub fn languages(&self) -> Vec<Language> {
        self.recognisers.keys().copied().collect()
    }

    /// Returns why languages that are configured cannot be recognised.
    pub fn faults(&self) -> &[SpeechError] {
        &self.faults
    }

    /// Tells how busy the ears are.
    pub fn load(&self) -> Load {
        Load {
            open: self.open.load(Ordering::Relaxed),
            max: self.max,
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    /// Tells whether a question in these languages, the likeliest first, would be listened to now:
    /// the first that has engines counts, as its loss ends the listening.
    pub fn are_able(&self, languages: &[Language]) -> bool {
        let now = Instant::now();
        let mut chains = languages.iter().filter_map(|it| self.recognisers.get(it));
        chains.next().is_some_and(|chain| chain.is_able(now))
    }

    /// Shows how the recognisers do in a registry.
    pub fn register(&self, registry: &mut Registry) {
        self.figures.register(registry);
        registry.register_collector(Box::new(Reading {
            open: Arc::clone(&self.open),
            dropped: Arc::clone(&self.dropped),
            threads: Arc::clone(&self.threads),
            max: self.max,
        }));
    }

    /// Returns the thread with the least to do. One that does not come back from its engine is
    /// replaced.
    fn worker(&self, busyness: impl Fn(&Worker) -> usize) -> Option<Arc<Worker>> {
        let mut threads = self.threads();
        let Threads { workers, lost } = &mut *threads;
        lost.retain(|worker| !worker.has_ended());
        for (number, worker) in workers.iter_mut().enumerate() {
            if !worker.is_stuck() || lost.len() >= MOST_LOST {
                continue;
            }
            match Worker::start(number, Arc::clone(&self.recognisers), self.turn.clone()) {
                Ok(fresh) => {
                    tracing::error!(number, "a listening thread hangs and is replaced");
                    self.figures.threads_lost.inc();
                    let hung = std::mem::replace(worker, fresh);
                    hung.stop();
                    lost.push(hung);
                }
                Err(error) => tracing::error!(%error, "a listening thread hangs"),
            }
        }
        let workers = workers.iter().filter(|worker| !worker.is_stuck());
        workers.min_by_key(|worker| busyness(worker)).cloned()
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        // Nothing in there panics half way through a change.
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens an ear for a call, on the thread with the fewest calls. It hears nothing until it is
    /// told to listen.
    ///
    /// # Errors
    /// When as many calls are listened to as can be, or every thread hangs.
    pub fn open(&self, call: CallId) -> Result<Ear, SpeechError> {
        let full = || SpeechError::Full { streams: self.max };
        let worker = self
            .worker(|worker| worker.lines.load(Ordering::Relaxed))
            .ok_or_else(full)?;
        self.open
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (open < self.max).then_some(open + 1)
            })
            .map_err(|_| full())?;
        worker.lines.fetch_add(1, Ordering::Relaxed);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let (sender, events) = mpsc::channel(EVENTS);
        let dropped = Arc::clone(&self.dropped);
        let line = Line::new(call, number, Arc::clone(&worker), dropped, sender);
        let seat = Seat {
            open: Arc::clone(&self.open),
            worker,
        };
        Ok(Ear {
            events,
            line,
            _seat: seat,
        })
    }

    /// Writes down what a recording says, on a worker thread and without holding up live calls.
    /// None where nothing was made out, the language is not known, or too many recordings wait.
    pub async fn transcribe(
        &self,
        samples: impl Into<Arc<[i16]>>,
        language: Language,
    ) -> Option<String> {
        if !self.recognisers.contains_key(&language) {
            return None;
        }
        let samples = samples.into();
        let patience = Duration::from_secs(30) + Duration::from_secs((samples.len() / RATE) as u64);
        let (reply, text) = oneshot::channel();
        let worker = self.worker(|worker| worker.jobs.load(Ordering::Relaxed))?;
        if worker
            .transcribe(Job {
                samples,
                language,
                reply,
            })
            .is_err()
        {
            tracing::warn!("too many recordings wait to be transcribed, one is left out");
            return None;
        }
        tokio::time::timeout(patience, text).await.ok()?.ok()?
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        for worker in &self.threads().workers {
            worker.stop();
        }
    }
}

/// Reads how busy the ears are when it is asked.
struct Reading {
    open: Arc<AtomicUsize>,
    dropped: Arc<AtomicU64>,
    threads: Arc<Mutex<Threads>>,
    max: usize,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reading")
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (lines, recordings) = {
            let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            let workers = threads.workers.iter();
            workers.fold((0, 0), |(lines, recordings), worker| {
                let jobs = worker.jobs.load(Ordering::Relaxed);
                (lines + worker.waiting(), recordings + jobs)
            })
        };
        let open = self.open.load(Ordering::Relaxed);
        for (name, help, value) in [
            ("hotline_ears_open", "Calls that are listened to", open),
            (
                "hotline_ears_most",
                "The most calls that can be listened to",
                self.max,
            ),
            (
                "hotline_ears_calls_waiting",
                "Calls whose audio waits for a listening thread",
                lines,
            ),
            (
                "hotline_ears_recordings_waiting",
                "Recordings that are or wait to be written down",
                recordings,
            ),
        ] {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let dropped = ConstCounter::new(self.dropped.load(Ordering::Relaxed));
        let help = "Frames not listened to, as a thread did not keep up";
        let kind = dropped.metric_type();
        dropped.encode(encoder.encode_descriptor(
            "hotline_ears_frames_dropped",
            help,
            None,
            kind,
        )?)
    }
}

/// The threads that listen.
struct Threads {
    workers: Vec<Arc<Worker>>,
    /// Those that did not come back, until they do.
    lost: Vec<Arc<Worker>>,
}

/// One of the permitted calls.
struct Seat {
    open: Arc<AtomicUsize>,
    worker: Arc<Worker>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.worker.lines.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Listens to one call. Nothing here ever waits; dropping it closes it.
pub struct Ear {
    /// What is heard. Take it promptly: partial results are left out when sixteen events wait.
    pub events: mpsc::Receiver<EarEvent>,
    line: Arc<Line>,
    _seat: Seat,
}

impl Ear {
    /// Takes what callers of this tenant may ask for, for engines that hear nothing that they were
    /// not told of. It holds for the questions asked from now on.
    pub fn know(&self, vocabulary: &Arc<Phrases>) {
        self.line.order(Order::Know(Arc::clone(vocabulary)));
    }

    /// Listens for such an answer from now on, until told otherwise. What the caller is in the
    /// middle of saying counts from its beginning.
    pub fn listen(&self, listen: &Listen) {
        self.line.order(Order::Listen(listen.clone()));
    }

    /// Recognises nothing from now on, but tells when the caller has been silent for so long
    /// ([`EarEvent::Paused`]): the end of a recording.
    pub fn watch(&self, silence: Duration) {
        self.line.order(Order::Watch(silence));
    }

    /// Ends the turn as soon as the caller is quiet, unless the words so far have become others than
    /// these.
    pub fn enough(&self, words: Heard) {
        self.line.order(Order::Enough(words));
    }

    /// Listens and watches no more.
    pub fn deafen(&self) {
        self.line.order(Order::Deafen);
    }

    /// Takes the caller's audio, 8 kHz, in pieces of any length; 20 ms each is best.
    pub fn push(&self, samples: &[i16]) {
        self.line.push(samples);
    }

    /// Tells what is being played to the caller, every 20 ms, None for silence: what comes back of it
    /// must not count as the caller's speech.
    pub fn played(&self, frame: Option<&[i16; FRAME]>) {
        self.line.played(frame.copied());
    }

    /// Tells whether Hotline itself is talking, whose echo must not count as the caller's speech.
    pub fn talking(&self, talking: bool) {
        self.line.set_talking(talking);
    }

    /// Tells whether the caller is in a turn, as far as has been heard.
    pub fn is_speaking(&self) -> bool {
        self.line.is_speaking()
    }

    /// Returns how many frames of 20 ms wait to be heard.
    pub fn backlog(&self) -> usize {
        self.line.backlog()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.line.close();
    }
}

#[cfg(test)]
mod tests;
