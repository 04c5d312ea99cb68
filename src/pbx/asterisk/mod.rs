//! Asterisk over its Manager Interface: joins calls and channels, moves callers, dials, and reads
//! queues. Audio is not its business, and nothing that was sent is sent again.

mod calls;
pub mod link;
mod originate;
mod outcome;
mod session;
mod transfer;
pub mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use self::calls::{Calls, VARIABLES, channel_of};
use self::link::{Connector, Link, Login, News, Secret, Tcp, Times};
use self::wire::{Action, Block};
use super::{Arrival, CallEvent, Dial, Dialled, LinkState, Pbx, PbxError};
use crate::dialog::{Handoff, QueueState, Target};
use crate::words::{CallId, PhoneNumber, QueueName};

/// How long the dialplan's announcement may come after the audio; 9 ms were measured under load.
const ANNOUNCEMENT: Duration = Duration::from_secs(1);

/// How often calls without audio and without followers are cleared away.
const SWEEP: Duration = Duration::from_secs(10);

/// Where Asterisk is and what its dialplan calls things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name or address of the machine that runs Asterisk.
    #[serde(default = "Config::default_host")]
    pub host: String,
    /// The port of `manager.conf`.
    #[serde(default = "Config::default_port")]
    pub port: u16,
    /// The user of `manager.conf`.
    #[serde(default = "Config::default_username")]
    pub username: String,
    /// A file whose first line is that user's secret. It is read anew at each login.
    pub secret_file: PathBuf,
    /// Who tells about the keys that a caller presses.
    #[serde(default)]
    pub keys_from: KeysFrom,
    /// The contexts of the dialplan that Hotline sends calls to.
    #[serde(default)]
    pub contexts: Contexts,
}

impl Config {
    fn default_host() -> String {
        "127.0.0.1".to_owned()
    }

    fn default_port() -> u16 {
        5038
    }

    fn default_username() -> String {
        "hotline".to_owned()
    }
}

/// Who tells about keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeysFrom {
    /// The audio connection, as current releases of Asterisk do.
    #[default]
    Audio,
    /// The manager, for releases whose AudioSocket does not know keys yet.
    Manager,
}

/// Contexts of the dialplan; the defaults are those of `dialplans/hotline.conf`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Contexts {
    /// Takes a caller into the queue that the extension names.
    pub queue: String,
    /// Rings an extension of the house.
    pub extension: String,
    /// Dials a number outside for a caller.
    pub external: String,
    /// Finds an agent of the queue that the extension names, for a callback.
    pub callback_queue: String,
    /// Connects that agent with the number that the extension names.
    pub callback_agent: String,
    /// Dials the number that the extension names, for a callback.
    pub dial: String,
    /// Connects whoever answered there with Hotline; the extension names the queue.
    pub callback_caller: String,
}

impl Default for Contexts {
    fn default() -> Self {
        Self {
            queue: "hotline-queue".to_owned(),
            extension: "hotline-extension".to_owned(),
            external: "hotline-external".to_owned(),
            callback_queue: "hotline-callback-queue".to_owned(),
            callback_agent: "hotline-callback-agent".to_owned(),
            dial: "hotline-dial".to_owned(),
            callback_caller: "hotline-callback-caller".to_owned(),
        }
    }
}

/// What the dialplan tells over HTTP about a call before its audio comes.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Announcement {
    /// The number that was dialled.
    #[serde(default)]
    pub did: String,
    /// The caller's number as the PBX has it, empty when withheld.
    #[serde(default)]
    pub caller: String,
    /// The caller's name as the PBX has it.
    #[serde(default)]
    pub name: String,
    /// The channel's language.
    #[serde(default)]
    pub lang: String,
    /// The channel's name.
    #[serde(default)]
    pub channel: String,
}

/// One Asterisk.
pub struct Asterisk {
    link: Link,
    calls: Arc<Mutex<Calls>>,
    registered: Arc<Notify>,
    config: Config,
    times: Times,
    _stop: DropGuard,
}

impl Asterisk {
    /// Starts the link and returns at once; [`Pbx::link`] tells when it is up. It ends with
    /// `stop`, or when the last handle is dropped.
    pub fn start(config: Config, stop: &CancellationToken) -> Arc<Self> {
        let tcp = Tcp {
            host: config.host.clone(),
            port: config.port,
        };
        Self::start_over(tcp, config, Times::default(), stop)
    }

    /// As [`Self::start`], over any kind of stream and with other times.
    pub fn start_over(
        connector: impl Connector,
        config: Config,
        times: Times,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        let stop = stop.child_token();
        let secret = Secret::File(config.secret_file.clone());
        let login = Login {
            username: config.username.clone(),
            secret,
        };
        let link = Link::start(connector, login, times.clone(), stop.clone());
        let calls = Arc::new(Mutex::new(Calls::new(config.keys_from)));
        let registered = Arc::new(Notify::new());
        let news = link.news();
        let tracking = track(
            link.clone(),
            news,
            Arc::clone(&calls),
            Arc::clone(&registered),
        );
        tokio::spawn(stop.clone().run_until_cancelled_owned(tracking));
        Arc::new(Self {
            link,
            calls,
            registered,
            config,
            times,
            _stop: stop.drop_guard(),
        })
    }

    /// Notes a call that the dialplan announces over HTTP and gives it its id. The audio has to
    /// come within 60 s.
    pub fn announce(&self, call: &Announcement) -> CallId {
        let some = |text: &str| {
            let text = text.trim();
            (!text.is_empty() && text != "<unknown>").then(|| text.to_owned())
        };
        let id = CallId(Uuid::new_v4());
        let arrival = Arrival {
            did: call.did.trim().to_owned(),
            caller: PhoneNumber::parse(&call.caller).ok(),
            name: some(&call.name),
            language: some(&call.lang),
            channel: call.channel.clone(),
            purpose: None,
        };
        self.lock().announce(id, arrival, Instant::now());
        id
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the channel of a call, asking Asterisk when it is not known.
    async fn channel(&self, call: CallId) -> Result<String, PbxError> {
        let known = self.lock().channel(call);
        match known {
            Some(channel) => Ok(channel),
            None => self.find(call).await.map(|arrival| arrival.channel),
        }
    }

    /// Looks for a call among all channels.
    async fn find(&self, call: CallId) -> Result<Arrival, PbxError> {
        let channels = status(&self.link).await?;
        let found = self.lock().look_up(call, &channels, Instant::now());
        found.ok_or(PbxError::NoSuchCall)
    }
}

#[async_trait]
impl Pbx for Asterisk {
    fn link(&self) -> watch::Receiver<LinkState> {
        self.link.state()
    }

    async fn arrival(&self, call: CallId) -> Result<Arrival, PbxError> {
        let deadline = tokio::time::Instant::now() + ANNOUNCEMENT;
        loop {
            let notified = self.registered.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            let known = self.lock().arrival(call);
            if let Some(arrival) = known {
                return Ok(arrival);
            }
            if tokio::time::timeout_at(deadline, notified).await.is_err() {
                break;
            }
        }
        tracing::debug!(%call, "no announcement came for an audio connection; asking for its channel");
        self.find(call).await
    }

    fn follow(&self, call: CallId) -> mpsc::Receiver<CallEvent> {
        self.lock().follow(call, Instant::now())
    }

    async fn transfer(
        &self,
        call: CallId,
        target: &Target,
        handoff: &Handoff,
    ) -> Result<(), PbxError> {
        self.move_caller(call, target, handoff).await
    }

    async fn hang_up(&self, call: CallId) -> Result<(), PbxError> {
        let channel = self.channel(call).await?;
        self.set_variables(&channel, &[("HOTLINE_ENDED", "1".to_owned())])
            .await?;
        let hang_up = Action::new("Hangup")
            .with("Channel", channel)
            .with("Cause", "16");
        self.link.ask(hang_up).await.map_err(is_gone)?;
        Ok(())
    }

    async fn dial(&self, dial: &Dial) -> Result<Dialled, PbxError> {
        self.originate(dial).await
    }

    async fn exists(&self, call: CallId) -> Result<bool, PbxError> {
        let channels = status(&self.link).await?;
        let id = call.to_string();
        let is_leg = |block: &Block| {
            ["Uniqueid", "Linkedid"]
                .iter()
                .any(|key| block.get(key) == Some(id.as_str()))
        };
        Ok(channel_of(call, &channels).is_some() || channels.iter().any(is_leg))
    }

    async fn queues(&self) -> Result<BTreeMap<QueueName, QueueState>, PbxError> {
        let summaries = self.link.list(Action::new("QueueSummary")).await?;
        Ok(summaries.iter().filter_map(queue).collect())
    }
}

/// Reads one `QueueSummary`.
fn queue(block: &Block) -> Option<(QueueName, QueueState)> {
    let name = block
        .is_event("QueueSummary")
        .then(|| block.get("Queue"))??;
    let number = |key| block.number(key).unwrap_or_default();
    let state = QueueState {
        waiting: number("Callers"),
        agents_free: number("Available"),
        agents: number("LoggedIn"),
        longest_wait: number("LongestHoldTime"),
        average_wait: number("HoldTime"),
    };
    Some((QueueName::from(name), state))
}

/// Lists all channels with the variables that tell whose they are.
async fn status(link: &Link) -> Result<Vec<Block>, PbxError> {
    link.list(Action::new("Status").with("Variables", VARIABLES))
        .await
}

/// Feeds the calls with the link's news until the link ends.
async fn track(
    link: Link,
    mut news: link::Stream,
    calls: Arc<Mutex<Calls>>,
    registered: Arc<Notify>,
) {
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        let piece = tokio::select! {
            piece = news.next() => piece,
            _ = sweep.tick() => {
                calls.lock().unwrap_or_else(PoisonError::into_inner).sweep(Instant::now());
                continue;
            }
        };
        match piece {
            None => return,
            Some(News::Event(block)) => {
                let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
                if calls.event(&block, Instant::now()) {
                    registered.notify_waiters();
                }
            }
            Some(News::Link(LinkState::Ready)) => {
                tokio::spawn(reread(link.clone(), Arc::clone(&calls)));
            }
            Some(News::Link(LinkState::Up | LinkState::Down(_))) => {}
            Some(News::Lost(lost)) => {
                tracing::warn!(
                    lost,
                    "events of Asterisk were lost; reading its channels anew"
                );
                tokio::spawn(reread(link.clone(), Arc::clone(&calls)));
            }
        }
    }
}

/// Brings the calls in line with Asterisk's channels.
async fn reread(link: Link, calls: Arc<Mutex<Calls>>) {
    let asked = Instant::now();
    match status(&link).await {
        Ok(channels) => {
            calls
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .reread(&channels, asked);
        }
        Err(error) => tracing::warn!(%error, "cannot read Asterisk's channels"),
    }
}

/// Tells a channel that is gone from other refusals.
fn is_gone(error: PbxError) -> PbxError {
    match error {
        PbxError::Refused { message, .. }
            if message.starts_with("No such channel")
                || message.starts_with("Channel does not exist") =>
        {
            PbxError::NoSuchCall
        }
        other => other,
    }
}

/// Puts a text that people wrote or said onto one line.
fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
