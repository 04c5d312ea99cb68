//! The link to one FreeSWITCH: a connection to its event socket that takes quick commands and brings
//! news. It reconnects by itself and subscribes anew; it never sends a command twice. Calls' own
//! connections are no business of it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use freeswitch_esl_tokio::{
    ConnectionStatus, DisconnectReason, EslClient, EslConnectOptions, EslError, EslEventStream,
    EslEventType, EventFormat, EventSubscription,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::commands::Commands;
use super::told::{SUBCLASS, Told};
use crate::pbx::news::{News, Teller};
use crate::pbx::{LinkState, PbxError};

/// Events that may wait to be read; a switch with 200 calls sends some hundred in a second.
const EVENTS: usize = 20_000;

/// A connection that lasted this long makes the next outage start with the shortest wait again.
const STABLE: Duration = Duration::from_secs(10);

/// Times of the link and of what is ordered over it, in one place so that tests can shorten them.
#[derive(Clone, Debug)]
pub struct Times {
    /// How long connecting may take, and each answer during login.
    pub connect: Duration,
    /// How long a command may stay unanswered.
    pub command: Duration,
    /// How long the outcome of an outgoing call may take, beyond the ringing time of its first leg.
    pub outcome: Duration,
    /// How often FreeSWITCH is asked whether it is there.
    pub alive: Duration,
    /// How long it may then owe every answer.
    pub dead: Duration,
    /// The first wait after a lost connection; it doubles up to `longest_wait`.
    pub shortest_wait: Duration,
    /// The longest wait between two attempts.
    pub longest_wait: Duration,
    /// The wait after a refused login.
    pub refused_wait: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            command: Duration::from_secs(5),
            outcome: Duration::from_secs(10),
            alive: Duration::from_secs(5),
            dead: Duration::from_secs(15),
            shortest_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(10),
            refused_wait: Duration::from_secs(60),
        }
    }
}

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// It could not be opened, or broke.
    Lost(String),
    /// The login was refused: a person has to change something.
    Refused(String),
    /// We are stopping.
    Stopped,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(why) | Self::Refused(why) => f.write_str(why),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// The connection that is open now.
type Open = Arc<Mutex<Option<Commands>>>;

/// A handle on the link; cheap to clone.
#[derive(Clone)]
pub struct Link {
    open: Open,
    state: watch::Receiver<LinkState>,
    limit: Duration,
}

impl Link {
    /// Starts the task that owns the connection; it ends when `stop` is cancelled.
    pub fn start(
        host: String,
        port: u16,
        password_file: PathBuf,
        times: Times,
        news: Teller<Told>,
        stop: CancellationToken,
    ) -> Self {
        let (state_in, state) = watch::channel(LinkState::Down("not connected yet".to_owned()));
        let link = Self {
            open: Open::default(),
            state,
            limit: times.command,
        };
        let task = Task {
            host,
            port,
            password_file,
            times,
            open: Arc::clone(&link.open),
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

    /// Runs an `api` command, which must be quick, and returns what it prints.
    ///
    /// # Errors
    /// When nothing could be sent, no answer came in time, or FreeSWITCH refused.
    pub async fn api(&self, command: String) -> Result<String, PbxError> {
        let commands = self.commands()?;
        self.in_time(&command.clone(), commands.api(command)).await
    }

    /// Starts a background job; its result comes as [`Told::Job`].
    ///
    /// # Errors
    /// As for [`Self::api`].
    pub async fn start_job(&self, command: String) -> Result<(), PbxError> {
        let commands = self.commands()?;
        self.in_time(&command.clone(), commands.start(command))
            .await
    }

    fn commands(&self) -> Result<Commands, PbxError> {
        let open = self
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        open.ok_or_else(|| {
            PbxError::NotConnected(match &*self.state.borrow() {
                LinkState::Down(why) => why.clone(),
                LinkState::Up | LinkState::Ready => "the connection is being closed".to_owned(),
            })
        })
    }

    /// Waits no longer than a command may take: commands go one after the other, and the ones
    /// before it have as long each.
    async fn in_time<T>(
        &self,
        command: &str,
        work: impl Future<Output = Result<T, PbxError>>,
    ) -> Result<T, PbxError> {
        match tokio::time::timeout(self.limit, work).await {
            Ok(result) => result,
            Err(_) => Err(PbxError::Unanswered {
                action: command.split(' ').next().unwrap_or_default().to_owned(),
                after: self.limit,
            }),
        }
    }
}

/// The task's own things.
struct Task {
    host: String,
    port: u16,
    password_file: PathBuf,
    times: Times,
    open: Open,
    state: watch::Sender<LinkState>,
    news: Teller<Told>,
}

impl Task {
    async fn run(self, stop: CancellationToken) {
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
            self.say(LinkState::Down(reason));
            let jitter = 0.75 + 0.5 * rand::random::<f64>();
            let rest = tokio::time::sleep(pause.mul_f64(jitter));
            if stop.run_until_cancelled(rest).await.is_none() {
                break;
            }
        }
        self.say(LinkState::Down("stopped".to_owned()));
    }

    /// One connection from its opening to its end.
    async fn session(&self, stop: &CancellationToken) -> End {
        let (commands, events) = match stop.run_until_cancelled(self.log_in()).await {
            None => return End::Stopped,
            Some(Err(end)) => return end,
            Some(Ok(opened)) => opened,
        };
        tracing::info!(host = %self.host, port = self.port, "logged in to FreeSWITCH");
        self.keep(Some(commands.clone()));
        self.say(LinkState::Ready);
        let end = self.listen(&commands, events, stop).await;
        self.keep(None);
        // A command that is not answered would hold it up.
        tokio::spawn(async move { commands.close().await });
        end
    }

    /// Connects, logs in and subscribes.
    async fn log_in(&self) -> Result<(Commands, EslEventStream), End> {
        let password = self.password().await?;
        let options = EslConnectOptions::new()
            .with_event_queue_size(EVENTS)
            .with_connect_timeout(self.times.connect);
        let opened = EslClient::connect_with_options(&self.host, self.port, &password, options);
        // The crate keeps its buffer of 64 KiB in this future.
        let (client, events) = Box::pin(opened)
            .await
            .map_err(|error| self.explain(error))?;
        let commands = Commands::new(client.clone());
        client.set_command_timeout(self.times.command);
        // The crate closes what has been silent for so long, and fails all commands that wait.
        client.set_liveness_timeout(self.times.dead);
        drop(client);
        let subscription = subscription().map_err(End::Lost)?;
        let subscribing = commands.run(
            "the subscription to events".to_owned(),
            |client| async move { client.apply_subscription(&subscription).await },
        );
        subscribing
            .await
            .map_err(|error| End::Lost(error.to_string()))?;
        Ok((commands, events))
    }

    /// Reads the first line of the password's file.
    async fn password(&self) -> Result<String, End> {
        let file = self.password_file.display();
        match tokio::fs::read_to_string(&self.password_file).await {
            Ok(text) => match text.lines().next() {
                Some(password) if !password.is_empty() => Ok(password.to_owned()),
                _ => Err(End::Lost(format!(
                    "password_file {file} is empty: its first line is to be the password of \
                     FreeSWITCH's event_socket.conf.xml"
                ))),
            },
            Err(error) => Err(End::Lost(format!(
                "cannot read password_file {file}: {error}"
            ))),
        }
    }

    /// Says in words for people why there is no connection.
    fn explain(&self, error: EslError) -> End {
        let (host, port) = (&self.host, self.port);
        match error {
            EslError::AuthenticationFailed { .. } => End::Refused(format!(
                "FreeSWITCH at {host}:{port} refuses the password in {}: it is not the password of \
                 event_socket.conf.xml",
                self.password_file.display()
            )),
            EslError::AccessDenied { .. } => End::Refused(format!(
                "FreeSWITCH at {host}:{port} does not let this machine's address in: allow it in \
                 acl.conf.xml, in the list that apply-inbound-acl of event_socket.conf.xml names"
            )),
            EslError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                End::Lost(format!(
                    "nothing listens at {host}:{port}: start FreeSWITCH, load mod_event_socket, and \
                     compare listen-ip and listen-port of event_socket.conf.xml"
                ))
            }
            EslError::Io(error) => End::Lost(format!(
                "cannot connect to FreeSWITCH at {host}:{port}: {error}"
            )),
            EslError::Timeout { .. } => End::Lost(format!(
                "FreeSWITCH at {host}:{port} did not answer within {:?}",
                self.times.connect
            )),
            other => End::Lost(format!(
                "what listens at {host}:{port} does not answer as FreeSWITCH's event socket: {other}"
            )),
        }
    }

    /// Reads the events until the connection ends, and asks now and then whether anybody is there.
    async fn listen(
        &self,
        commands: &Commands,
        mut events: EslEventStream,
        stop: &CancellationToken,
    ) -> End {
        let mut tick = tokio::time::interval(self.times.alive);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asking = JoinSet::new();
        let mut answered = Instant::now();
        let (mut lost, mut leaving) = (0, false);
        loop {
            tokio::select! {
                () = stop.cancelled() => return End::Stopped,
                event = events.recv() => match event {
                    Some(Ok(event)) => if let Some(told) = Told::read(&event) {
                        leaving |= told == Told::ShuttingDown;
                        self.news.tell(News::Event(Arc::new(told)));
                    },
                    // What was lost is counted below.
                    Some(Err(EslError::QueueFull)) => {}
                    Some(Err(error)) if error.is_connection_error() => {
                        return End::Lost(format!("the connection to FreeSWITCH broke: {error}"));
                    }
                    Some(Err(error)) => {
                        tracing::warn!(%error, "an event of FreeSWITCH cannot be read");
                        self.news.tell(News::Lost(1));
                    }
                    None => return self.closed(&events, leaving),
                },
                _ = tick.tick(), if asking.is_empty() => {
                    let commands = commands.clone();
                    asking.spawn(async move { commands.api("strepoch".to_owned()).await.is_ok() });
                }
                Some(done) = asking.join_next() => if matches!(done, Ok(true)) {
                    answered = Instant::now();
                },
                () = tokio::time::sleep_until(answered + self.times.dead) => return self.silent(),
            }
            let dropped = commands.lost();
            if dropped > lost {
                let lost_now = dropped - lost;
                tracing::warn!(
                    lost = lost_now,
                    "events of FreeSWITCH were lost: they were not read in time"
                );
                self.news.tell(News::Lost(lost_now));
                lost = dropped;
            }
        }
    }

    /// Says why FreeSWITCH has closed the connection.
    fn closed(&self, events: &EslEventStream, leaving: bool) -> End {
        if leaving {
            return End::Lost("FreeSWITCH is shutting down".to_owned());
        }
        let reason = match events.status() {
            ConnectionStatus::Disconnected(reason) => reason,
            _ => DisconnectReason::ConnectionClosed,
        };
        match reason {
            DisconnectReason::HeartbeatExpired => self.silent(),
            DisconnectReason::ServerNotice { body, .. } => {
                let words = body.unwrap_or_default();
                let words = words.lines().next().unwrap_or_default().trim();
                End::Lost(format!("FreeSWITCH closed the connection: {words}"))
            }
            other => End::Lost(format!("the connection to FreeSWITCH broke: {other}")),
        }
    }

    fn silent(&self) -> End {
        let (host, port, limit) = (&self.host, self.port, self.times.dead);
        End::Lost(format!(
            "FreeSWITCH at {host}:{port} has not answered for {limit:?}"
        ))
    }

    /// Logs an outage once, not once per attempt.
    fn announce_loss(&self, end: &End, reason: &str) {
        let before = self.state.borrow().clone();
        match (end, before) {
            (_, LinkState::Down(old)) if old == reason => {
                tracing::debug!(reason, "FreeSWITCH is still not to be had");
            }
            (End::Refused(_), _) => tracing::error!(reason, "FreeSWITCH refuses the login"),
            _ => tracing::warn!(reason, "no connection to FreeSWITCH"),
        }
    }

    fn keep(&self, commands: Option<Commands>) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = commands;
    }

    /// Tells a new state to those who watch and, in order with the events, to those who read news.
    fn say(&self, state: LinkState) {
        let changed = self.state.send_if_modified(|old| {
            let changed = *old != state;
            old.clone_from(&state);
            changed
        });
        if changed {
            self.news.tell(News::Link(state));
        }
    }
}

/// All that the link wants to be told.
fn subscription() -> Result<EventSubscription, String> {
    use EslEventType::{
        BackgroundJob, ChannelAnswer, ChannelBridge, ChannelHangupComplete, Heartbeat,
    };
    let events = [
        BackgroundJob,
        ChannelAnswer,
        ChannelBridge,
        ChannelHangupComplete,
        Heartbeat,
    ];
    EventSubscription::new(EventFormat::Plain)
        .events(events)
        .event_raw("SHUTDOWN")
        .and_then(|all| all.custom_subclass("callcenter::info"))
        .and_then(|all| all.custom_subclass(SUBCLASS))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
