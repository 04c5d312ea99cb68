//! The link to one Asterisk: hands actions to the task that owns the socket and brings back answers
//! and news. It reconnects by itself; it never sends an action twice.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::session::{self, End};
use super::wire::{Action, Block};
use crate::pbx::{LinkState, PbxError, news};

/// Actions waiting for the link's task; a caller beyond waits under its deadline.
const COMMANDS: usize = 64;

/// A session that lasted this long makes the next outage start with the shortest wait again.
const STABLE: Duration = Duration::from_secs(10);

/// Times of the link, in one place so that tests can shorten them.
#[derive(Clone, Debug)]
pub struct Times {
    /// How long connecting may take, and each answer during login.
    pub connect: Duration,
    /// How long an action may stay unanswered.
    pub action: Duration,
    /// How long the outcome of an outgoing call may take, beyond the ringing time of its first leg.
    pub outcome: Duration,
    /// How often a silent Asterisk is asked whether it is there.
    pub ping: Duration,
    /// How long it may then stay silent.
    pub pong: Duration,
    /// The first wait after a lost connection; it doubles up to `longest_wait`.
    pub shortest_wait: Duration,
    /// The longest wait between two attempts.
    pub longest_wait: Duration,
    /// The wait after a refused login.
    pub refused_wait: Duration,
    /// When Asterisk has not said `FullyBooted` by then (the user lacks the read class `system`),
    /// it is taken for booted.
    pub booted: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            action: Duration::from_secs(5),
            outcome: Duration::from_secs(10),
            ping: Duration::from_secs(10),
            pong: Duration::from_secs(5),
            shortest_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(10),
            refused_wait: Duration::from_secs(60),
            booted: Duration::from_secs(30),
        }
    }
}

/// Who logs in, and how.
#[derive(Clone)]
pub struct Login {
    /// The user of `manager.conf`.
    pub username: String,
    /// Their secret.
    pub secret: Secret,
}

/// A secret, or where it is written. A file is read anew at each login.
#[derive(Clone)]
pub enum Secret {
    /// The secret itself.
    Text(String),
    /// A file that holds it on its first line.
    File(PathBuf),
}

/// Where a connection comes from: TCP in the house, an in-memory stream in tests.
pub trait Connector: Send + 'static {
    /// The stream.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Opens one connection.
    fn connect(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// A TCP connection without delay for small writes.
#[derive(Clone, Debug)]
pub struct Tcp {
    /// Name or address.
    pub host: String,
    /// The port, 5038 by custom.
    pub port: u16,
}

impl Connector for Tcp {
    type Stream = TcpStream;

    async fn connect(&mut self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// What the link tells: Asterisk's events that are no items of a list, and its own state.
pub type News = news::News<Block>;

/// A listener's end of the news.
pub type Stream = news::Stream<Block>;

/// What came back for an action.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The response.
    pub response: Block,
    /// The items of a list, without its completion; empty where none was asked for.
    pub items: Vec<Block>,
}

/// One action on its way to the task.
pub(super) struct Request {
    pub(super) id: String,
    pub(super) action: Action,
    pub(super) list: bool,
    pub(super) deadline: Instant,
    pub(super) answer: oneshot::Sender<Result<Answer, PbxError>>,
}

impl Request {
    /// Answers that nothing was sent.
    pub(super) fn not_sent(self, why: &str) {
        let _ = self
            .answer
            .send(Err(PbxError::NotConnected(why.to_owned())));
    }
}

/// A handle on the link; cheap to clone.
#[derive(Clone)]
pub struct Link {
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<LinkState>,
    news: news::Place<Block>,
    ids: Arc<Ids>,
    action_time: Duration,
}

/// ActionIDs: a random part per process start and a number, so that a late answer to a former
/// process is nobody's.
struct Ids {
    prefix: String,
    last: AtomicU64,
}

impl Link {
    /// Starts the task that owns the connection; it ends when `stop` is cancelled.
    pub fn start(
        connector: impl Connector,
        login: Login,
        times: Times,
        stop: CancellationToken,
    ) -> Self {
        let (requests, incoming) = mpsc::channel(COMMANDS);
        let (state_in, state) = watch::channel(LinkState::Down("not connected yet".to_owned()));
        let news = news::Teller::default();
        let ids = Ids {
            prefix: format!("h{:08x}", rand::random::<u32>()),
            last: AtomicU64::new(0),
        };
        let link = Self {
            requests,
            state,
            news: news.place(),
            ids: Arc::new(ids),
            action_time: times.action,
        };
        let task = Task {
            connector,
            login,
            times,
            incoming,
            state: state_in,
            news,
        };
        tokio::spawn(task.run(stop));
        link
    }

    /// Returns the state of the link, to be watched.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Returns the news from now on.
    pub fn news(&self) -> Stream {
        self.news.listen()
    }

    /// Returns an ActionID that no other action has.
    pub fn action_id(&self) -> String {
        format!(
            "{}-{}",
            self.ids.prefix,
            self.ids.last.fetch_add(1, Ordering::Relaxed) + 1
        )
    }

    /// Sends an action and waits for its response.
    ///
    /// # Errors
    /// When nothing could be sent, no answer came in time, or Asterisk refused.
    pub async fn ask(&self, action: Action) -> Result<Block, PbxError> {
        let id = self.action_id();
        self.send(id, action, false)
            .await
            .map(|answer| answer.response)
    }

    /// Sends an action under an id from [`Self::action_id`], so that its events can be awaited.
    ///
    /// # Errors
    /// As for [`Self::ask`].
    pub async fn ask_as(&self, id: String, action: Action) -> Result<Block, PbxError> {
        self.send(id, action, false)
            .await
            .map(|answer| answer.response)
    }

    /// Sends an action that is answered with a list and waits for all of it.
    ///
    /// # Errors
    /// As for [`Self::ask`]; a list without its end is no answer.
    pub async fn list(&self, action: Action) -> Result<Vec<Block>, PbxError> {
        let id = self.action_id();
        self.send(id, action, true).await.map(|answer| answer.items)
    }

    async fn send(&self, id: String, action: Action, list: bool) -> Result<Answer, PbxError> {
        if let LinkState::Down(why) = &*self.state.borrow() {
            return Err(PbxError::NotConnected(why.clone()));
        }
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + self.action_time;
        let request = Request {
            id,
            action,
            list,
            deadline,
            answer,
        };
        match tokio::time::timeout_at(deadline, self.requests.send(request)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(PbxError::NotConnected("the link has ended".to_owned())),
            Err(_) => return Err(PbxError::NotConnected("too many actions wait".to_owned())),
        }
        match answered.await {
            Ok(answer) => answer,
            Err(_) => Err(PbxError::NotConnected("the link has ended".to_owned())),
        }
    }
}

/// The task's own things.
struct Task<C> {
    connector: C,
    login: Login,
    times: Times,
    incoming: mpsc::Receiver<Request>,
    state: watch::Sender<LinkState>,
    news: news::Teller<Block>,
}

impl<C: Connector> Task<C> {
    async fn run(mut self, stop: CancellationToken) {
        let mut wait = self.times.shortest_wait;
        while !stop.is_cancelled() {
            let begun = Instant::now();
            let end = self.session(&stop).await;
            if matches!(end, End::Stopped) {
                break;
            }
            let pause = match &end {
                End::Refused(_) => self.times.refused_wait,
                _ if begun.elapsed() >= STABLE => self.times.shortest_wait,
                _ => wait,
            };
            wait = (pause * 2).min(self.times.longest_wait);
            let reason = end.to_string();
            self.announce_loss(&end, &reason);
            self.say(LinkState::Down(reason.clone()));
            let jitter = 0.75 + 0.5 * rand::random::<f64>();
            self.rest(pause.mul_f64(jitter), &reason, &stop).await;
        }
        self.say(LinkState::Down("stopped".to_owned()));
    }

    /// One connection from its opening to its end. Requests are refused until it is up.
    async fn session(&mut self, stop: &CancellationToken) -> End {
        let opening = session::open(&mut self.connector, &self.login, &self.times);
        tokio::pin!(opening);
        let why = "connecting to Asterisk";
        let session = loop {
            tokio::select! {
                () = stop.cancelled() => return End::Stopped,
                opened = &mut opening => match opened {
                    Ok(session) => break session,
                    Err(end) => return end,
                },
                request = self.incoming.recv() => match request {
                    Some(request) => request.not_sent(why),
                    None => return End::Stopped,
                },
            }
        };
        tracing::info!(user = %self.login.username, "logged in to Asterisk");
        session
            .run(&mut self.incoming, &self.state, &self.news, stop)
            .await
    }

    /// Waits out the pause; requests are refused at once and do not shorten it.
    async fn rest(&mut self, pause: Duration, reason: &str, stop: &CancellationToken) {
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut over => return,
                request = self.incoming.recv() => match request {
                    Some(request) => request.not_sent(reason),
                    None => return,
                },
            }
        }
    }

    /// Logs an outage once, not once per attempt.
    fn announce_loss(&self, end: &End, reason: &str) {
        let before = self.state.borrow().clone();
        match (end, before) {
            (_, LinkState::Down(old)) if old == reason => {
                tracing::debug!(reason, "Asterisk is still not to be had");
            }
            (End::Refused(_), _) => tracing::error!(reason, "Asterisk refuses the login"),
            _ => tracing::warn!(reason, "no connection to Asterisk"),
        }
    }

    fn say(&self, state: LinkState) {
        session::say(&self.state, &self.news, state);
    }
}
