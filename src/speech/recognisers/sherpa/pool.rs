//! The threads that decode whole utterances, and the bounded queue before them. It knows nothing of
//! sherpa-onnx: what decodes is a function.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::speech::{Bell, SpeechError, Transcript};

/// What turns the samples of a telephone, with likelier phrases, into words.
pub(super) type Decode = dyn Fn(&[i16], Option<&str>) -> Result<Transcript, String> + Send + Sync;

/// What came of a decode: nothing yet, words, or why there are none.
type Outcome = Option<Result<Transcript, String>>;

/// The words of one piece of audio, which are there later.
#[derive(Clone, Default)]
pub(super) struct Answer(Arc<Mutex<Outcome>>);

impl Answer {
    /// Returns a copy of the words, if they are there.
    pub(super) fn get(&self) -> Outcome {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, outcome: Result<Transcript, String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    /// Tells whether nobody but the pool holds it any more.
    fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

struct Job {
    samples: Vec<i16>,
    hints: Option<Arc<str>>,
    answer: Answer,
    bell: Bell,
}

#[derive(Default)]
struct Desk {
    jobs: VecDeque<Job>,
    working: usize,
    stop: bool,
}

struct Shared {
    desk: Mutex<Desk>,
    bell: Condvar,
}

/// The threads of one model. They end when it is dropped, each after what it is doing.
pub(super) struct Pool {
    shared: Arc<Shared>,
    most: usize,
}

impl Pool {
    /// Starts threads that share a queue of at most so many decodes.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(super) fn start(
        threads: usize,
        most: usize,
        decode: Arc<Decode>,
    ) -> Result<Self, SpeechError> {
        let shared = Arc::new(Shared {
            desk: Mutex::default(),
            bell: Condvar::new(),
        });
        // Made first, so that threads already started end when one cannot be.
        let pool = Self {
            shared: Arc::clone(&shared),
            most: most.max(1),
        };
        for number in 0..threads.max(1) {
            let (shared, decode) = (Arc::clone(&shared), Arc::clone(&decode));
            std::thread::Builder::new()
                .name(format!("decode-{number}"))
                .spawn(move || shared.work(&*decode))
                .map_err(SpeechError::Thread)?;
        }
        Ok(pool)
    }

    /// Queues a decode; the bell rings when its answer is there. None when the queue is full.
    pub(super) fn decode(
        &self,
        samples: Vec<i16>,
        hints: Option<Arc<str>>,
        bell: Bell,
    ) -> Option<Answer> {
        let mut desk = self.shared.desk();
        if desk.jobs.len() >= self.most {
            // What belongs to callers who have hung up makes room.
            desk.jobs.retain(|job| !job.answer.is_abandoned());
        }
        if desk.jobs.len() >= self.most {
            return None;
        }
        let answer = Answer::default();
        desk.jobs.push_back(Job {
            samples,
            hints,
            answer: answer.clone(),
            bell,
        });
        drop(desk);
        self.shared.bell.notify_one();
        Some(answer)
    }

    /// Tells whether nothing waits or is in work.
    pub(super) fn is_idle(&self) -> bool {
        let desk = self.shared.desk();
        desk.jobs.is_empty() && desk.working == 0
    }

    /// Returns the most decodes that wait.
    pub(super) fn most(&self) -> usize {
        self.most
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.desk().stop = true;
        self.shared.bell.notify_all();
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Nothing in here panics half way through a change.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, decode: &Decode) {
        while let Some(job) = self.next() {
            let decoded = catch_unwind(AssertUnwindSafe(|| {
                decode(&job.samples, job.hints.as_deref())
            }));
            job.answer
                .set(decoded.unwrap_or_else(|_| Err("the decode broke".to_owned())));
            self.desk().working -= 1;
            job.bell.ring();
        }
    }

    /// Waits for the next job that somebody still waits for; None means the end.
    fn next(&self) -> Option<Job> {
        let mut desk = self.desk();
        loop {
            if desk.stop {
                return None;
            }
            match desk.jobs.pop_front() {
                Some(job) if job.answer.is_abandoned() => {}
                Some(job) => {
                    desk.working += 1;
                    return Some(job);
                }
                None => desk = self.bell.wait(desk).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// Decodes when it is told to, and tells what it has begun.
    fn gated() -> (Arc<Decode>, Receiver<usize>, Sender<()>) {
        let (begun, begins) = channel();
        let (go, gate) = channel();
        let (begun, gate) = (Mutex::new(begun), Mutex::new(gate));
        let decode = move |samples: &[i16], _: Option<&str>| {
            begun.lock().unwrap().send(samples.len()).unwrap();
            let _ = gate.lock().unwrap().recv_timeout(LONG);
            let text = format!("{} samples", samples.len());
            Ok(Transcript {
                text,
                ..Transcript::default()
            })
        };
        (Arc::new(decode), begins, go)
    }

    fn bell() -> (Bell, Receiver<()>) {
        let (rung, rings) = channel();
        let rung = Mutex::new(rung);
        let bell = Bell::new(move || {
            let _ = rung.lock().unwrap().send(());
        });
        (bell, rings)
    }

    #[test]
    fn the_bell_rings_when_the_answer_is_there() {
        let (decode, begins, go) = gated();
        let pool = Pool::start(1, 2, decode).unwrap();
        let (bell, rings) = bell();
        assert!(pool.is_idle());
        let answer = pool.decode(vec![0; 7], None, bell).unwrap();
        begins.recv_timeout(LONG).unwrap();
        assert!(!pool.is_idle());
        assert!(answer.get().is_none());
        go.send(()).unwrap();
        rings.recv_timeout(LONG).unwrap();
        assert_eq!(answer.get().unwrap().unwrap().text, "7 samples");
        assert!(pool.is_idle());
    }

    #[test]
    fn a_full_queue_takes_no_more_until_a_caller_hangs_up() {
        let (decode, begins, go) = gated();
        let pool = Pool::start(1, 2, decode).unwrap();
        let ask = |length| pool.decode(vec![0; length], None, Bell::silent());
        let _first = ask(1).unwrap();
        begins.recv_timeout(LONG).unwrap();
        let second = ask(2).unwrap();
        let _third = ask(3).unwrap();
        assert!(ask(4).is_none());
        drop(second);
        let _fifth = ask(5).unwrap();
        for _ in 0..3 {
            go.send(()).unwrap();
        }
        // What was given up is not decoded.
        assert_eq!(begins.recv_timeout(LONG), Ok(3));
        assert_eq!(begins.recv_timeout(LONG), Ok(5));
    }

    #[test]
    fn two_threads_decode_at_once() {
        let (decode, begins, go) = gated();
        let pool = Pool::start(2, 2, decode).unwrap();
        let _answers = [1, 2].map(|it| pool.decode(vec![0; it], None, Bell::silent()).unwrap());
        // Neither has been let go yet.
        for _ in 0..2 {
            begins.recv_timeout(LONG).unwrap();
        }
        drop(go);
    }
}
