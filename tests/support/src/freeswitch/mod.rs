//! A FreeSWITCH, started for a test with the project's own dialplan included unchanged.
//!
//! [`Real`] is an installation that `HOTLINE_TEST_FREESWITCH` names by its prefix: it gets a private
//! configuration in a temporary folder, free loopback ports, agents with SIP contacts, and a trunk
//! whose far end is a [`Carrier`]. Where none is named, a [`Scripted`] one stands in, which is made
//! from recordings and fails the test that does what a real one would not bear.

mod carrier;
mod config;
mod esl;
pub mod scripted;

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::pbx::Site;
use crate::port;
use crate::process::{Process, read_lossy};

pub use carrier::Carrier;
pub use esl::Esl;

use config::Ports;
use scripted::{Plan, Scripted};

/// Names the installation to start, by the folder that holds `bin/freeswitch`.
pub const VARIABLE: &str = "HOTLINE_TEST_FREESWITCH";

const BOOT: Duration = Duration::from_secs(60);

/// Returns the installation that this run is to use, if it names one.
pub fn installation() -> Option<PathBuf> {
    env::var_os(VARIABLE)
        .filter(|prefix| !prefix.is_empty())
        .map(PathBuf::from)
}

/// A FreeSWITCH that runs for a test; dropping it ends it.
#[derive(Debug)]
pub enum FreeSwitch {
    /// An installation of this machine.
    Real(Box<Real>),
    /// The scripted one.
    Scripted(Box<Scripted>),
}

impl FreeSwitch {
    /// Starts the installation that this run names, or the scripted one when it names none.
    pub async fn start(site: &Site) -> Result<Self> {
        Ok(match installation() {
            Some(prefix) => Self::Real(Box::new(Real::start(&prefix, site).await?)),
            None => Self::Scripted(Box::new(Scripted::start(Plan::of(site)?)?)),
        })
    }

    /// Returns the address phones send their calls to.
    pub fn sip(&self) -> SocketAddr {
        match self {
            Self::Real(real) => real.sip(),
            Self::Scripted(scripted) => scripted.sip(),
        }
    }

    /// Returns the port of its Event Socket.
    pub fn esl_port(&self) -> u16 {
        match self {
            Self::Real(real) => real.esl_port(),
            Self::Scripted(scripted) => scripted.esl_port(),
        }
    }

    /// Returns the password of its Event Socket.
    pub fn password(&self) -> &str {
        match self {
            Self::Real(real) => real.password(),
            Self::Scripted(scripted) => scripted.password(),
        }
    }

    /// Makes calls to an outside number arrive at the phone on that port.
    pub fn route(&self, number: &str, phone: u16) {
        match self {
            Self::Real(real) => real.route(number, phone),
            Self::Scripted(scripted) => scripted.route(number, phone),
        }
    }

    /// Ends it and starts it again with the same ports and configuration.
    pub async fn restart(&mut self) -> Result<()> {
        match self {
            Self::Real(real) => real.restart().await,
            Self::Scripted(scripted) => scripted.restart(),
        }
    }

    /// Ends it and leaves it off.
    pub fn stop(&mut self) {
        match self {
            Self::Real(real) => real.stop(),
            Self::Scripted(scripted) => scripted.stop(),
        }
    }

    /// Waits until somebody has joined a queue, or finds that somebody has since the start.
    pub async fn queue_joined(&self, queue: &str, within: Duration) -> Result<()> {
        match self {
            Self::Real(real) => real.queue_joined(queue, within).await,
            Self::Scripted(scripted) => scripted.queue_joined(queue, within).await,
        }
    }

    /// Returns how long the caller who has waited longest in a queue has waited.
    pub async fn longest_wait(&self, queue: &str) -> Result<Option<Duration>> {
        match self {
            Self::Real(real) => real.longest_wait(queue).await,
            Self::Scripted(scripted) => scripted.longest_wait(queue),
        }
    }

    /// Returns how many channels there are.
    pub async fn channels(&self) -> Result<usize> {
        match self {
            Self::Real(real) => real.channels().await,
            Self::Scripted(scripted) => scripted.channels(),
        }
    }

    /// Returns the sampling rate at which the caller with that number is heard.
    pub async fn rate_of(&self, caller: &str) -> Result<u32> {
        match self {
            Self::Real(real) => real.rate_of(caller).await,
            Self::Scripted(scripted) => scripted.rate_of(caller),
        }
    }

    /// Takes the caller with that number out of where they are and sends them to a number of ours.
    pub async fn send_back(&self, caller: &str, number: &str) -> Result<()> {
        match self {
            Self::Real(real) => real.send_back(caller, number).await,
            Self::Scripted(scripted) => scripted.send_back(caller, number),
        }
    }
}

/// A running FreeSWITCH; dropping it ends it and removes its folder, unless the test is failing.
#[derive(Debug)]
pub struct Real {
    process: Process,
    esl: Esl,
    prefix: PathBuf,
    ports: Ports,
    password: String,
    carrier: Carrier,
    // Last, so that it is removed after the process has ended.
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Real {
    /// Starts the installation under that prefix for the site and waits until it takes calls.
    pub async fn start(prefix: &Path, site: &Site) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("street-freeswitch-")
            .tempdir()?;
        let path = folder.path().to_owned();
        let carrier = Carrier::open()?;
        let ports = Ports {
            sip: port::free_udp()?,
            esl: port::free_tcp()?,
            rtp: port::free_udp_range(config::RTP_PORTS)?,
            carrier: carrier.port(),
        };
        let password = format!("{:016x}", port::random(7));
        config::write(&path, site, ports, &password)?;
        let (process, esl) = match launch(prefix, &path, ports, &password).await {
            Ok(running) => running,
            Err(error) => {
                let log = tail(&path, 40);
                return Err(
                    error.context(format!("FreeSWITCH did not start; its log ends:\n{log}"))
                );
            }
        };
        Ok(Self {
            process,
            esl,
            prefix: prefix.to_owned(),
            ports,
            password,
            carrier,
            folder: Some(folder),
            path,
        })
    }

    /// Returns the address phones send their calls to.
    pub fn sip(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.sip).into()
    }

    /// Returns the port of its Event Socket.
    pub fn esl_port(&self) -> u16 {
        self.ports.esl
    }

    /// Returns the password of its Event Socket.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Returns the test's own Event Socket connection.
    pub fn esl(&self) -> &Esl {
        &self.esl
    }

    /// Returns the process id of FreeSWITCH.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Returns the folder with the configuration, the logs and the databases.
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// Returns what FreeSWITCH has logged.
    pub fn log(&self) -> String {
        read_lossy(&self.path.join("log/freeswitch.log")).unwrap_or_default()
    }

    /// Makes calls to an outside number arrive at the phone on that port.
    pub fn route(&self, number: &str, phone: u16) {
        self.carrier.give(number, phone);
    }

    async fn queue_joined(&self, queue: &str, within: Duration) -> Result<()> {
        let queue = format!("{queue}@{}", config::DOMAIN);
        let joined = self.esl.event(within, |event| {
            event["CC-Action"] == "member-queue-start" && event["CC-Queue"] == queue.as_str()
        });
        joined.await.map(drop)
    }

    async fn longest_wait(&self, queue: &str) -> Result<Option<Duration>> {
        let command = format!(
            "callcenter_config queue list members {queue}@{}",
            config::DOMAIN
        );
        let now: u64 = self.esl.api("strepoch").await?.parse()?;
        let joined = self
            .esl
            .table(&command)
            .await?
            .into_iter()
            .filter_map(|row| {
                let field = |name: &str| {
                    row.iter()
                        .find(|(it, _)| it == name)
                        .map(|(_, value)| value)
                };
                // The list shows those who have left too.
                let waits = ["Waiting", "Trying"].contains(&field("state")?.as_str());
                field("joined_epoch").filter(|_| waits)?.parse().ok()
            });
        let first: Option<u64> = joined.min();
        Ok(first.map(|first| Duration::from_secs(now.saturating_sub(first))))
    }

    /// Asks for sessions: the list of channels is written with some delay.
    async fn channels(&self) -> Result<usize> {
        let status = self.esl.api("status").await?;
        let sessions = status
            .lines()
            .find(|line| line.contains("session(s) - peak"));
        let count = sessions.and_then(|line| line.split_whitespace().next()?.parse().ok());
        count.with_context(|| format!("status: {status}"))
    }

    /// Finds the channel by its event, for the same reason.
    async fn channel_of(&self, caller: &str) -> Result<String> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let is_theirs = |event: &Value| {
            event["Event-Name"] == "CHANNEL_CREATE"
                && event["Call-Direction"] == "inbound"
                && event["Caller-Caller-ID-Number"] == caller
        };
        let came = self.esl.event(PATIENCE, is_theirs).await;
        came.with_context(|| format!("no channel of {caller}"))?;
        let last = self.esl.events().into_iter().rfind(is_theirs);
        let id = last.and_then(|event| event["Unique-ID"].as_str().map(str::to_owned));
        id.with_context(|| format!("the channel of {caller} has no id"))
    }

    async fn rate_of(&self, caller: &str) -> Result<u32> {
        let channel = self.channel_of(caller).await?;
        Ok(self
            .esl
            .api(&format!("uuid_getvar {channel} read_rate"))
            .await?
            .parse()?)
    }

    async fn send_back(&self, caller: &str, number: &str) -> Result<()> {
        let channel = self.channel_of(caller).await?;
        let command = format!("uuid_transfer {channel} {number} XML hotline-inbound");
        self.esl.api(&command).await.map(drop)
    }

    /// Ends FreeSWITCH and starts it again with the same ports and configuration.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop();
        self.start_again().await
    }

    /// Ends FreeSWITCH and leaves it off.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Starts FreeSWITCH again after [`Real::stop`].
    pub async fn start_again(&mut self) -> Result<()> {
        if self.process.ended().is_none() {
            bail!("FreeSWITCH still runs");
        }
        let (process, esl) = launch(&self.prefix, &self.path, self.ports, &self.password).await?;
        self.process = process;
        self.esl = esl;
        Ok(())
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.process.stop();
        if thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            let kept = folder.keep();
            eprintln!(
                "The test failed; FreeSWITCH's folder {} is kept and its log ends:\n{}",
                kept.display(),
                tail(&kept, 60)
            );
        }
    }
}

async fn launch(
    prefix: &Path,
    folder: &Path,
    ports: Ports,
    password: &str,
) -> Result<(Process, Esl)> {
    let mut command = Command::new(prefix.join("bin/freeswitch"));
    command.args(["-nf", "-nonat", "-np"]).current_dir(folder);
    for name in config::FOLDERS {
        command.arg(format!("-{name}")).arg(folder.join(name));
    }
    command.arg("-mod").arg(modules(prefix)?);
    let process = Process::spawn("FreeSWITCH", command, &folder.join("log/output.log"))?;
    let mut process = process.with_grace(Duration::from_secs(10));
    let deadline = Instant::now() + BOOT;
    let mut why = "nothing has been tried".to_owned();
    let mut esl = None;
    while Instant::now() < deadline {
        if let Some(status) = process.ended() {
            bail!("FreeSWITCH ended at once ({status}): {}", process.output());
        }
        if esl.is_none() {
            match Esl::connect(ports.esl, password).await {
                Ok(connected) => esl = Some(connected),
                Err(error) => why = format!("{error:#}"),
            }
        }
        if let Some(connected) = &esl {
            match is_ready(connected).await {
                Ok(true) => return Ok((process, esl.context("no connection")?)),
                Ok(false) => why = "its SIP profile or its queues are not there yet".to_owned(),
                Err(error) => {
                    why = format!("{error:#}");
                    esl = None;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("FreeSWITCH was not ready within {BOOT:?}: {why}")
}

/// The Event Socket answers before the other modules are loaded, so each is asked for.
async fn is_ready(esl: &Esl) -> Result<bool> {
    let started = esl
        .api("fsctl ready_check")
        .await
        .is_ok_and(|answer| answer == "true");
    let listens = esl.api("sofia status profile internal").await;
    let queues = esl.api("callcenter_config queue list").await;
    Ok(started
        && listens.is_ok_and(|text| text.contains("RUNNING") || text.contains("URL"))
        && queues.is_ok())
}

/// Installations differ in where they keep their modules.
fn modules(prefix: &Path) -> Result<PathBuf> {
    let places = ["mod", "lib/freeswitch/mod", "lib/mod"].map(|place| prefix.join(place));
    let found = places
        .into_iter()
        .find(|folder| folder.join("mod_event_socket.so").is_file());
    found.with_context(|| {
        format!(
            "{VARIABLE} names {}, where there is no FreeSWITCH with mod_event_socket",
            prefix.display()
        )
    })
}

fn tail(folder: &Path, lines: usize) -> String {
    let mut text = read_lossy(&folder.join("log/output.log")).unwrap_or_default();
    text.push_str(&read_lossy(&folder.join("log/freeswitch.log")).unwrap_or_default());
    let skipped = text.lines().count().saturating_sub(lines);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}
