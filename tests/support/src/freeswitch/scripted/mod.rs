//! A FreeSWITCH made from the recordings of a real one, for machines that have none: the event socket
//! in both directions, unicast, the project's own dialplan, queues with agents, and telephones that
//! call and are called.
//!
//! It is strict. What no recording shows, and what a real switch would not have borne, is noted as a
//! complaint, and dropping the switch fails the test with all of them. It does not speak about codecs,
//! registrations or encryption, and it knows only what the project's dialplan uses.

mod api;
mod application;
mod audio;
mod callcenter;
mod clock;
mod command;
mod connection;
mod crowd;
mod dialplan;
pub mod event;
mod leg;
mod offering;
mod originate;
mod pattern;
mod plan;
pub mod recorded;
mod switch;
mod tables;
mod telling;
mod unicast;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::phone::{Answering, Codec, Phone};
use crate::port;

pub use crowd::{Crowd, Storm};
pub use event::Event;
pub use plan::Plan;

use leg::{Birth, Direction, Leg};
use switch::{Kept, Parts, Switch, lock};

/// What a caller hears while waiting in a queue, in hertz.
pub const HOLD_TONE: f64 = 330.0;

/// How long a port may take to be free again.
const FREE: Duration = Duration::from_secs(5);

/// A scripted switch; dropping it ends it, and fails the test that did what it does not bear.
#[derive(Debug)]
pub struct Scripted {
    plan: Plan,
    sip: u16,
    esl: u16,
    password: String,
    kept: Kept,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    switch: Arc<Switch>,
    runtime: Option<Runtime>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Scripted {
    /// Starts a switch on free ports of the loopback address.
    pub fn start(plan: Plan) -> Result<Self> {
        let mut scripted = Self {
            plan,
            sip: port::free_udp()?,
            esl: port::free_tcp()?,
            password: format!("{:016x}", port::random(21)),
            kept: Kept::default(),
            running: None,
        };
        scripted.start_again()?;
        Ok(scripted)
    }

    /// Starts it again after [`Scripted::stop`] or [`Scripted::kill`], with the same ports, settings and routes.
    pub fn start_again(&mut self) -> Result<()> {
        if self.running.is_some() {
            bail!("the switch still runs");
        }
        let (dialplan, globals) = self.plan.read()?;
        let phone =
            retried(|| Phone::on_port("freeswitch", self.sip))?.answering(Answering::ByHand);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("switch")
            .enable_all()
            .build()?;
        let door = retried(|| {
            let _entered = runtime.enter();
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, self.esl))?;
            listener.set_nonblocking(true)?;
            Ok(TcpListener::from_std(listener)?)
        })?;
        let switch = Switch::new(Parts {
            password: self.password.clone(),
            dialplan,
            inbound: self.plan.context().to_owned(),
            phone,
            kept: self.kept.clone(),
            globals,
            centre: self.plan.centre(),
            runtime: runtime.handle().clone(),
        });
        runtime.spawn(Arc::clone(&switch).keep_time());
        runtime.spawn(callcenter::keep(Arc::clone(&switch)));
        runtime.spawn(take_links(Arc::clone(&switch), door));
        runtime.spawn(take_calls(Arc::clone(&switch)));
        self.running = Some(Running {
            switch,
            runtime: Some(runtime),
        });
        Ok(())
    }

    /// Ends it as `shutdown` does: clients are told, calls are hung up.
    pub fn stop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        if let Some(runtime) = &running.runtime {
            let switch = Arc::clone(&running.switch);
            let (over, ended) = std::sync::mpsc::channel();
            runtime.spawn(async move {
                switch.shut_down().await;
                let _ = over.send(());
            });
            let _ = ended.recv_timeout(FREE);
        }
        self.leave(running);
    }

    /// Ends it as a power failure does: nobody is told.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.switch.phone.vanish();
            self.leave(running);
        }
    }

    /// Ends it and starts it again.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.start_again()
    }

    fn leave(&self, mut running: Running) {
        running.switch.phone.vanish();
        if let Some(runtime) = running.runtime.take() {
            // Its tasks own the switch, and the switch owns its sockets.
            thread::spawn(move || runtime.shutdown_timeout(FREE));
        }
        let switch = Arc::downgrade(&running.switch);
        drop(running);
        let deadline = Instant::now() + FREE;
        while switch.strong_count() > 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Returns the address phones send their calls to.
    pub fn sip(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.sip).into()
    }

    /// Returns the port of the event socket.
    pub fn esl_port(&self) -> u16 {
        self.esl
    }

    /// Returns the password of the event socket.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Refuses new clients of the event socket as an access list does, or takes them again.
    pub fn reject_links(&self, rejects: bool) {
        self.kept.rejects.store(rejects, Ordering::Relaxed);
    }

    /// Makes calls to an outside number, with or without a leading `+`, arrive at the phone on that port.
    pub fn route(&self, number: &str, phone: u16) {
        let number = number.trim_start_matches('+').to_owned();
        lock(&self.kept.routes).insert(number, phone);
    }

    /// Runs an `api` command as nobody's client.
    pub async fn api(&self, command: &str) -> Result<String> {
        let switch = self.switch()?;
        let (runtime, command) = (switch.runtime.clone(), command.to_owned());
        let ran = runtime.spawn(async move { api::run(&switch, None, &command).await });
        Ok(ran.await?)
    }

    /// Returns every event there has been since the first start, except those of channel states.
    pub fn events(&self) -> Vec<Event> {
        self.kept.told.all()
    }

    /// Waits for an event, past ones included, that the closure accepts.
    pub async fn event(
        &self,
        within: Duration,
        accept: impl FnMut(&Event) -> bool,
    ) -> Result<Event> {
        let found = self.kept.told.wait(within, accept).await;
        found.with_context(|| format!("no such event within {within:?}"))
    }

    /// Returns the lines that the dialplan and the call centre have logged.
    pub fn log(&self) -> Vec<String> {
        self.kept.log.all()
    }

    /// Waits until somebody has joined a queue, or finds that somebody has since the start.
    pub async fn queue_joined(&self, queue: &str, within: Duration) -> Result<()> {
        let queue = callcenter::with_domain(queue);
        let joined = self.event(within, |event| {
            event.get("CC-Action") == Some("member-queue-start")
                && event.get("CC-Queue") == Some(queue.as_str())
        });
        joined.await.map(drop)
    }

    /// Returns how long the caller who has waited longest in a queue has waited; nothing when nobody waits.
    pub fn longest_wait(&self, queue: &str) -> Result<Option<Duration>> {
        let queue = callcenter::with_domain(queue);
        let switch = self.switch()?;
        let centre = switch.centre();
        let waiting = centre
            .members
            .iter()
            .filter(|member| member.queue == queue && member.waits());
        let first = waiting.map(|member| member.joined).min();
        Ok(first.map(|first| Duration::from_secs(clock::epoch().saturating_sub(first))))
    }

    /// Returns how many channels there are.
    pub fn channels(&self) -> Result<usize> {
        Ok(self.switch()?.legs().len())
    }

    /// Returns how many clients the event socket has, those that calls were given to included.
    pub fn clients(&self) -> Result<usize> {
        Ok(self.switch()?.listeners().len())
    }

    /// Returns how many events were written, wait and were lost, for each client that logged in.
    pub fn flow(&self) -> Result<Vec<(u64, usize, usize)>> {
        let listeners = self.switch()?.listeners();
        let links = listeners.iter().filter(|listener| listener.leg.is_none());
        Ok(links.map(|listener| listener.counts()).collect())
    }

    /// Returns how many datagrams went to the bot and came from it, in the call of a caller.
    pub fn datagrams(&self, caller: &str) -> Result<(u64, u64)> {
        Ok(self.leg_of(caller)?.flow.counts())
    }

    /// Returns the sampling rate at which the caller with that number is heard.
    pub fn rate_of(&self, caller: &str) -> Result<u32> {
        Ok(self.leg_of(caller)?.audio.rate())
    }

    /// Takes the caller with that number out of where they are and sends them to a number of ours.
    pub fn send_back(&self, caller: &str, number: &str) -> Result<()> {
        let leg = self.leg_of(caller)?;
        self.switch()?.transfer(&leg, number, self.plan.context());
        Ok(())
    }

    /// Sets an agent's status, such as `Available` or `Logged Out`.
    pub async fn set_agent(&self, agent: &str, status: &str) -> Result<()> {
        let agent = callcenter::with_domain(agent);
        let answer = self
            .api(&format!(
                "callcenter_config agent set status {agent} '{status}'"
            ))
            .await?;
        match answer.trim() {
            "+OK" => Ok(()),
            error => bail!("{error}"),
        }
    }

    /// Returns what was done to the switch that a real one would not have borne.
    pub fn complaints(&self) -> Vec<String> {
        lock(&self.kept.complaints).clone()
    }

    /// Returns the complaints and forgets them, for a test that provokes them.
    pub fn take_complaints(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.kept.complaints))
    }

    /// Fails when there is a complaint.
    ///
    /// # Panics
    ///
    /// Panics with all complaints.
    pub fn assert_content(&self) {
        let complaints = self.complaints();
        assert!(
            complaints.is_empty(),
            "the scripted FreeSWITCH was done what a real one does not bear:\n  {}",
            complaints.join("\n  ")
        );
    }

    fn leg_of(&self, caller: &str) -> Result<Arc<Leg>> {
        let legs = self.switch()?.legs();
        let found = legs.into_iter().find(|leg| {
            let facts = leg.facts();
            facts.number == caller && facts.direction == Direction::Inbound
        });
        found.with_context(|| format!("no channel of {caller}"))
    }

    fn switch(&self) -> Result<Arc<Switch>> {
        let running = self.running.as_ref().context("the switch is off")?;
        Ok(Arc::clone(&running.switch))
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop();
        if thread::panicking() {
            for complaint in self.complaints() {
                eprintln!("the scripted FreeSWITCH complains: {complaint}");
            }
        } else {
            self.assert_content();
        }
    }
}

/// Tries again while a port is not free yet.
fn retried<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + FREE;
    loop {
        match attempt() {
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
}

/// Takes the clients of the event socket.
async fn take_links(switch: Arc<Switch>, door: TcpListener) {
    while let Ok((stream, _)) = door.accept().await {
        connection::open(&switch, stream, None);
    }
}

/// Takes the calls of telephones and sends each through the dialplan.
async fn take_calls(switch: Arc<Switch>) {
    let mut next = 0;
    loop {
        let calls = switch.phone.record();
        let Some(call) = calls
            .wait_from(next, Duration::from_secs(3600), |call| Some(call.clone()))
            .await
        else {
            continue;
        };
        next += 1;
        let number = call.caller_number();
        let display = call.caller_name().unwrap_or_else(|| number.clone());
        let leg = switch.add_leg(Birth {
            id: switch::uuid(),
            direction: Direction::Inbound,
            channel: format!("sofia/internal/{number}@127.0.0.1"),
            destination: call.called_number(),
            context: switch.inbound.clone(),
            rate: call.rate(Codec::Alaw),
            number,
            display,
            call: Some(call),
        });
        let context = switch.inbound.clone();
        switch
            .runtime
            .spawn(application::live(Arc::clone(&switch), leg, context));
    }
}
