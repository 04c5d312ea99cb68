//! The accepting side: connections in, identified calls out.
//!
//! Every new connection says its id in a task of its own under a deadline, so a silent or hostile
//! peer holds up nobody. The server hands over sessions and keeps their number; it does not know
//! what a call is for, and it reports failures to its owner instead of logging them.

use crate::frame::Frame;
use crate::session::Session;
use crate::stream::{Offer, ReadError};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Code of the error frame that refuses a call under [`WhenFull::Fail`].
const REFUSED: u8 = 0x01;

/// How many calls a server takes, and how long it waits for one to say who it is.
#[derive(Debug, Clone)]
pub struct Config {
    /// Most calls at once.
    pub calls: usize,
    /// Most connections at once that have not yet said their id; one more, and the oldest is closed.
    pub unidentified: usize,
    /// How long a connection may take to say its id.
    pub id_deadline: Duration,
    /// How a call beyond `calls` is turned away.
    pub when_full: WhenFull,
}

/// How a call is turned away when all seats are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The connection is closed: Asterisk's application succeeds and the next priority runs.
    Close,
    /// An error frame is sent first: the application fails, so `TryExec` reports FAILED and the
    /// dialplan goes on, and without `TryExec` the caller is hung up on.
    Fail,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            calls: 1000,
            unidentified: 256,
            id_deadline: Duration::from_secs(2),
            when_full: WhenFull::Close,
        }
    }
}

/// Why a connection became no session. None of them ends the server: ask it for the next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The system refuses to hand over connections, mostly for want of file descriptors.
    #[error("cannot accept connections, trying again in {} ms", pause.as_millis())]
    Listener {
        /// How long the server waits before it tries again.
        pause: Duration,
        /// What the system said.
        source: io::Error,
    },
    /// All seats are taken.
    #[error("call {id} from {peer} turned away: all {calls} calls are taken")]
    Full {
        /// Who called.
        peer: SocketAddr,
        /// Which call it was.
        id: uuid::Uuid,
        /// The limit.
        calls: usize,
    },
    /// It was the oldest connection without an id when too many such had come.
    #[error("connection from {peer} closed: {unidentified} connections have not said their id")]
    Crowded {
        /// Who called.
        peer: SocketAddr,
        /// The limit.
        unidentified: usize,
    },
    /// No id came in time.
    #[error("{peer} did not say its id within {} ms", deadline.as_millis())]
    Late {
        /// Who called.
        peer: SocketAddr,
        /// The time it had.
        deadline: Duration,
    },
    /// The peer left before it said its id; Asterisk does so when the channel is not answered.
    #[error(
        "{peer} left before it said its id: answer the channel first, Answer() before AudioSocket()"
    )]
    Left {
        /// Who called.
        peer: SocketAddr,
    },
    /// The peer's first frame could not be read.
    #[error(transparent)]
    Unread(ReadError),
}

/// What a server has counted since it started.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
    malformed: AtomicU64,
    left: AtomicU64,
    listener_failures: AtomicU64,
}

/// The numbers of [`Counters`] at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls handed over.
    pub accepted: u64,
    /// Connections closed because there were too many, identified or not.
    pub refused: u64,
    /// Connections that did not say their id in time.
    pub timed_out: u64,
    /// Connections that sent something other than AudioSocket, at once or during a call.
    pub malformed: u64,
    /// Connections that left or broke before they had said their id.
    pub left: u64,
    /// Failed attempts to accept a connection.
    pub listener_failures: u64,
}

impl Counters {
    /// Reads all numbers.
    pub fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            accepted: read(&self.accepted),
            refused: read(&self.refused),
            timed_out: read(&self.timed_out),
            malformed: read(&self.malformed),
            left: read(&self.left),
            listener_failures: read(&self.listener_failures),
        }
    }
}

/// A call's place among those permitted; free again when both halves of its session are dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
    counters: Arc<Counters>,
}

impl Seat {
    pub(crate) fn count_malformed(&self) {
        count(&self.counters.malformed);
    }
}

/// Accepts calls from a listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    config: Config,
    seats: Arc<Semaphore>,
    counters: Arc<Counters>,
    greetings: JoinSet<Result<Session, AcceptError>>,
    unidentified: VecDeque<(AbortHandle, SocketAddr)>,
    backoff: Backoff,
    resume_at: Option<Instant>,
}

impl Server {
    /// Serves a listener that is bound already.
    pub fn new(listener: TcpListener, config: Config) -> Server {
        let seats = Arc::new(Semaphore::new(config.calls.min(Semaphore::MAX_PERMITS)));
        Server {
            listener,
            config,
            seats,
            counters: Arc::default(),
            greetings: JoinSet::new(),
            unidentified: VecDeque::new(),
            backoff: Backoff::default(),
            resume_at: None,
        }
    }

    /// Returns where the server listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns the counters, which go on counting.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Returns how many calls are on now.
    pub fn calls(&self) -> usize {
        self.config
            .calls
            .saturating_sub(self.seats.available_permits())
    }

    /// Waits for the next call, or for the next connection that did not become one.
    ///
    /// Connections are only taken while this is awaited; dropping the wait loses none. An error concerns
    /// one connection, or says that the server pauses: report it and ask again.
    pub async fn accept(&mut self) -> Result<Session, AcceptError> {
        loop {
            tokio::select! {
                biased;
                Some(greeting) = self.greetings.join_next() => {
                    match greeting {
                        Ok(Ok(session)) => return self.seat(session),
                        Ok(Err(error)) => return Err(self.counted(error)),
                        // Closed as the oldest unidentified one, which has been reported.
                        Err(_) => {}
                    }
                }
                connection = next_connection(&self.listener, self.resume_at) => {
                    self.resume_at = None;
                    match connection {
                        Ok((stream, peer)) => {
                            self.backoff.reset();
                            self.greet(stream, peer)?;
                        }
                        Err(source) => return Err(self.pause(source)),
                    }
                }
            }
        }
    }

    fn greet(&mut self, stream: TcpStream, peer: SocketAddr) -> Result<(), AcceptError> {
        let deadline = self.config.id_deadline;
        let task = self.greetings.spawn(async move {
            stream
                .set_nodelay(true)
                .map_err(|_| AcceptError::Left { peer })?;
            let (reader, writer) = stream.into_split();
            Session::greet(reader, writer, peer, deadline).await
        });
        self.unidentified.push_back((task, peer));
        self.close_oldest_if_crowded()
    }

    fn close_oldest_if_crowded(&mut self) -> Result<(), AcceptError> {
        let unidentified = self.config.unidentified;
        if self.unidentified.len() <= unidentified {
            return Ok(());
        }
        self.unidentified.retain(|(task, _)| !task.is_finished());
        if self.unidentified.len() <= unidentified {
            return Ok(());
        }
        let Some((task, peer)) = self.unidentified.pop_front() else {
            return Ok(());
        };
        task.abort();
        count(&self.counters.refused);
        Err(AcceptError::Crowded { peer, unidentified })
    }

    fn seat(&self, mut session: Session) -> Result<Session, AcceptError> {
        let Ok(permit) = Arc::clone(&self.seats).try_acquire_owned() else {
            count(&self.counters.refused);
            let full = AcceptError::Full {
                peer: session.peer(),
                id: session.id(),
                calls: self.config.calls,
            };
            self.turn_away(session);
            return Err(full);
        };
        count(&self.counters.accepted);
        session.take_seat(Seat {
            _permit: permit,
            counters: Arc::clone(&self.counters),
        });
        Ok(session)
    }

    fn turn_away(&self, mut session: Session) {
        if self.config.when_full == WhenFull::Fail {
            let refusal = Frame::Error(Bytes::from_static(&[REFUSED]));
            // A peer that cannot take even this frame is closed just the same.
            let _: Result<Offer, _> = session.writer().offer(&refusal);
        }
    }

    fn pause(&mut self, source: io::Error) -> AcceptError {
        count(&self.counters.listener_failures);
        let pause = self.backoff.next_pause();
        self.resume_at = Some(Instant::now() + pause);
        AcceptError::Listener { pause, source }
    }

    fn counted(&self, error: AcceptError) -> AcceptError {
        match &error {
            AcceptError::Late { .. } => count(&self.counters.timed_out),
            AcceptError::Unread(ReadError::Malformed { .. }) => count(&self.counters.malformed),
            _ => count(&self.counters.left),
        }
        error
    }
}

async fn next_connection(
    listener: &TcpListener,
    resume_at: Option<Instant>,
) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(resume_at) = resume_at {
        sleep_until(resume_at).await;
    }
    loop {
        match listener.accept().await {
            // The peer was gone before it was taken; nothing is wrong with the listener.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            other => return other,
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Pauses after failed accepts: doubling from 10 ms to 1 s, short again after a success.
#[derive(Debug, Default)]
struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    fn next_pause(&mut self) -> Duration {
        let pause = self
            .last
            .map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.last = Some(pause);
        pause
    }

    fn reset(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_second_and_start_again_after_a_success() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..9).map(|_| backoff.next_pause().as_millis()).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.next_pause(), FIRST_PAUSE);
    }
}
