//! FreeSWITCH over its Event Socket: calls come in by the dialplan's `socket … async full`, one
//! connection each; a link of our own beside them dials, reads queues and hears what happens to
//! callers who have been moved on. Audio goes by unicast.

mod calls;
mod commands;
mod door;
#[cfg(test)]
mod fake;
pub mod introduction;
pub mod link;
mod originate;
mod outcome;
mod queues;
mod session;
pub mod told;
mod transfer;
pub mod unicast;
pub mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::calls::Calls;
use self::link::{Link, Times};
use self::originate::Rung;
use self::told::Told;
use super::news::{News, Stream, Teller};
use super::{Arrival, CallEvent, Dial, Dialled, LinkState, Pbx, PbxError};
use crate::dialog::{Handoff, QueueState, Target};
use crate::words::{CallId, QueueName};

pub use self::door::{Door, Visitor};

/// How often calls that nobody follows are cleared away.
const SWEEP: Duration = Duration::from_secs(10);

/// Where FreeSWITCH is and what its dialplan calls things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name or address of the machine that runs FreeSWITCH.
    #[serde(default = "Config::default_host")]
    pub host: String,
    /// The port of `event_socket.conf.xml`.
    #[serde(default = "Config::default_port")]
    pub port: u16,
    /// A file whose first line is the event socket's password. It is read anew at each login.
    pub password_file: PathBuf,
    /// Where the dialplan's `socket` brings calls. It has no password, so that it should stay on
    /// this machine or on a network of its own; only `host` may connect.
    #[serde(default = "Config::default_listen")]
    pub listen: SocketAddr,
    /// The domain of queues that are named without one.
    #[serde(default = "Config::default_queue_domain")]
    pub queue_domain: String,
    /// How a number outside is dialled; `{number}` stands for it, as +4570101010.
    #[serde(default = "Config::default_outbound")]
    pub outbound: String,
    /// How an extension of the house is rung; `{extension}` stands for it.
    #[serde(default = "Config::default_extension")]
    pub extension: String,
    /// The contexts of the dialplan that Hotline sends calls to.
    #[serde(default)]
    pub contexts: Contexts,
}

impl Config {
    fn default_host() -> String {
        "127.0.0.1".to_owned()
    }

    fn default_port() -> u16 {
        8021
    }

    fn default_listen() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 8084).into()
    }

    fn default_queue_domain() -> String {
        "default".to_owned()
    }

    fn default_outbound() -> String {
        "sofia/gateway/trunk/{number}".to_owned()
    }

    fn default_extension() -> String {
        "user/{extension}".to_owned()
    }
}

/// Contexts of the dialplan; the defaults are those of `freeswitch/conf/dialplan/hotline.xml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Contexts {
    /// Takes a caller into the queue that the extension names.
    pub queue: String,
    /// Rings an extension of the house.
    pub extension: String,
    /// Dials a number outside for a caller.
    pub external: String,
    /// Connects an agent whom Hotline has dialled with the number that the extension names.
    pub callback_agent: String,
    /// Connects whoever was called back with Hotline; the extension names the queue.
    pub callback_caller: String,
    /// Takes a caller to the ordinary queue.
    pub fallback: String,
}

impl Default for Contexts {
    fn default() -> Self {
        Self {
            queue: "hotline-queue".to_owned(),
            extension: "hotline-extension".to_owned(),
            external: "hotline-external".to_owned(),
            callback_agent: "hotline-callback-agent".to_owned(),
            callback_caller: "hotline-callback-caller".to_owned(),
            fallback: "hotline-fallback".to_owned(),
        }
    }
}

/// One FreeSWITCH.
pub struct FreeSwitch {
    link: Link,
    news: Teller<Told>,
    calls: Mutex<Calls>,
    config: Config,
    times: Times,
    rung: Rung,
    /// Datagrams that came from others than FreeSWITCH.
    strangers: Counter,
    /// Ends sessions and tracking with the last handle.
    stop: CancellationToken,
    _stop: DropGuard,
}

impl FreeSwitch {
    /// Starts the link and returns at once; [`Pbx::link`] tells when it is up. It ends with
    /// `stop`, or when the last handle is dropped. Datagrams from strangers are counted.
    pub fn start(
        config: Config,
        times: Times,
        strangers: Counter,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        let stop = stop.child_token();
        let news = Teller::default();
        let heard = news.listen();
        let link = Link::start(
            config.host.clone(),
            config.port,
            config.password_file.clone(),
            times.clone(),
            news.clone(),
            stop.clone(),
        );
        let house = Arc::new(Self {
            link,
            news,
            calls: Mutex::new(Calls::new(&config.queue_domain)),
            config,
            times,
            rung: Rung::default(),
            strangers,
            stop: stop.clone(),
            _stop: stop.clone().drop_guard(),
        });
        let tracking = track(Arc::downgrade(&house), heard);
        tokio::spawn(stop.run_until_cancelled_owned(tracking));
        house
    }

    /// Returns where it is and what its dialplan calls things.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the link, for questions beyond the trait's.
    pub fn switch(&self) -> &Link {
        &self.link
    }

    /// Returns a queue's name with its domain.
    pub(super) fn queue_name(&self, queue: &QueueName) -> String {
        queues::full(queue, &self.config.queue_domain)
    }

    /// Returns the full names of all queues there are.
    pub(super) async fn known_queues(&self) -> Result<BTreeSet<String>, PbxError> {
        let list = self
            .link
            .api("callcenter_config queue list".to_owned())
            .await?;
        Ok(queues::names(&list))
    }

    /// Brings the calls in line with the switch: those without a connection may have ended unheard.
    async fn reread(&self) {
        let apart = lock(&self.calls).apart();
        for call in apart {
            match self.exists(call).await {
                Ok(true) => {}
                Ok(false) => {
                    let mut calls = lock(&self.calls);
                    // One that has come to us meanwhile tells of its end by itself.
                    if calls.session(call).is_none() {
                        calls.end(call, "");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot look whether a call is still on FreeSWITCH");
                    return;
                }
            }
        }
    }
}

#[async_trait]
impl Pbx for FreeSwitch {
    fn link(&self) -> watch::Receiver<LinkState> {
        self.link.state()
    }

    async fn arrival(&self, call: CallId) -> Result<Arrival, PbxError> {
        lock(&self.calls).arrival(call).ok_or(PbxError::NoSuchCall)
    }

    fn follow(&self, call: CallId) -> mpsc::Receiver<CallEvent> {
        lock(&self.calls).follow(call, Instant::now())
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
        let (channel, session) = {
            let calls = lock(&self.calls);
            (calls.channel(call), calls.session(call))
        };
        match session {
            Some(session) => session.hang_up().await,
            None => {
                let order = format!("uuid_kill {channel} NORMAL_CLEARING");
                self.link.api(order).await.map(|_| ())
            }
        }
    }

    async fn dial(&self, dial: &Dial) -> Result<Dialled, PbxError> {
        self.originate(dial).await
    }

    async fn exists(&self, call: CallId) -> Result<bool, PbxError> {
        let channel = lock(&self.calls).channel(call);
        let answer = self.link.api(format!("uuid_exists {channel}")).await?;
        Ok(answer == "true")
    }

    async fn queues(&self) -> Result<BTreeMap<QueueName, QueueState>, PbxError> {
        self.read_queues().await
    }
}

/// Feeds the calls with the news until there are none any more.
async fn track(house: std::sync::Weak<FreeSwitch>, mut news: Stream<Told>) {
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        let piece = tokio::select! {
            piece = news.next() => piece,
            _ = sweep.tick() => {
                let Some(house) = house.upgrade() else { return };
                lock(&house.calls).sweep(Instant::now());
                continue;
            }
        };
        let Some(house) = house.upgrade() else { return };
        match piece {
            None => return,
            Some(News::Event(told)) => lock(&house.calls).told(&told),
            Some(News::Link(LinkState::Ready)) => {
                tokio::spawn(async move { house.reread().await });
            }
            Some(News::Link(LinkState::Up | LinkState::Down(_))) => {}
            Some(News::Lost(lost)) => {
                tracing::warn!(
                    lost,
                    "events of FreeSWITCH were lost; looking at its calls anew"
                );
                tokio::spawn(async move { house.reread().await });
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
