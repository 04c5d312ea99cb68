//! The calls that FreeSWITCH has with us: who they are, the connection each came with, and who follows
//! them. It asks nothing of anybody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::outcome::cause;
use super::queues::{self, Waits};
use super::session::Session;
use super::told::Told;
use crate::pbx::followers::Followers;
use crate::pbx::{Arrival, CallEvent};
use crate::words::CallId;

/// How long a call without a connection and without followers is remembered: an outgoing call may ring
/// so long.
const REMEMBERED: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Call {
    arrival: Option<Arrival>,
    channel: Option<CallId>,
    session: Option<Arc<Session>>,
    followers: Followers,
    in_queue: bool,
    answered: bool,
    since: Option<Instant>,
}

/// All calls known now. A call bears its channel's id, unless the channel has been with us before.
pub(super) struct Calls {
    calls: HashMap<CallId, Call>,
    /// The calls of channels that are with us once more.
    again: HashMap<CallId, CallId>,
    waits: Waits,
    /// The domain of queues that are named without one.
    domain: String,
}

impl Calls {
    pub(super) fn new(domain: &str) -> Self {
        Self {
            calls: HashMap::new(),
            again: HashMap::new(),
            waits: Waits::default(),
            domain: domain.to_owned(),
        }
    }

    /// Notes a call that we are about to dial; its channel will bear our id.
    pub(super) fn expect(&mut self, id: CallId, arrival: Arrival, now: Instant) {
        let call = self.calls.entry(id).or_default();
        call.arrival = Some(arrival);
        call.since = Some(now);
    }

    /// Notes a call that came in on a connection of its own. What we said about it when we dialled
    /// counts more than what the dialplan says now.
    pub(super) fn arrive(
        &mut self,
        id: CallId,
        arrival: Arrival,
        session: Arc<Session>,
        now: Instant,
    ) {
        let channel = session.channel();
        let before = self.of(channel);
        if before != id {
            // What the channel did before is over for us.
            self.end(before, "");
            self.again.insert(channel, id);
        }
        let call = self.calls.entry(id).or_default();
        call.arrival.get_or_insert(arrival);
        call.channel = Some(channel);
        call.session = Some(session);
        call.since = Some(now);
    }

    /// Returns the channel of a call.
    pub(super) fn channel(&self, id: CallId) -> CallId {
        let channel = self.calls.get(&id).and_then(|call| call.channel);
        channel.unwrap_or(id)
    }

    /// Returns who called.
    pub(super) fn arrival(&self, id: CallId) -> Option<Arrival> {
        self.calls.get(&id)?.arrival.clone()
    }

    /// Returns the connection that the call came with, while it is open.
    pub(super) fn session(&self, id: CallId) -> Option<Arc<Session>> {
        self.calls.get(&id)?.session.clone()
    }

    /// Returns the call that a channel is with us for now.
    fn of(&self, channel: CallId) -> CallId {
        self.again.get(&channel).copied().unwrap_or(channel)
    }

    /// Returns the events of a call from now on.
    pub(super) fn follow(&mut self, id: CallId, now: Instant) -> mpsc::Receiver<CallEvent> {
        let call = self.calls.entry(id).or_default();
        call.since.get_or_insert(now);
        call.followers.add()
    }

    /// Notes that a call's own connection has closed; the call may live on in a queue.
    pub(super) fn part(&mut self, id: CallId, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.session = None;
        call.since = Some(now);
        if call.followers.are_gone() {
            self.forget(id);
        }
    }

    /// Forgets a call.
    pub(super) fn forget(&mut self, id: CallId) {
        let channel = self.calls.remove(&id).and_then(|call| call.channel);
        if let Some(channel) = channel.filter(|channel| self.of(*channel) == id) {
            self.again.remove(&channel);
        }
    }

    /// Forgets calls that have no connection and that nobody follows any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.calls.retain(|_, call| {
            let old = call
                .since
                .is_none_or(|since| now.duration_since(since) >= REMEMBERED);
            call.session.is_some() || !call.followers.are_gone() || !old
        });
        self.again.retain(|_, call| self.calls.contains_key(call));
    }

    /// Returns the calls that live on the switch without a connection to us.
    pub(super) fn apart(&self) -> Vec<CallId> {
        let apart = self.calls.iter().filter(|(_, call)| call.session.is_none());
        apart.map(|(id, _)| *id).collect()
    }

    /// Returns how long callers have waited in each queue.
    pub(super) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Takes one piece of what FreeSWITCH tells, which names channels.
    pub(super) fn told(&mut self, told: &Told) {
        match told {
            Told::Key { call, key } => self.tell(self.of(*call), &CallEvent::Key(*key)),
            Told::Queued { call, queue } => {
                let id = self.of(*call);
                let call = self.calls.get_mut(&id);
                if call.is_some_and(|call| !std::mem::replace(&mut call.in_queue, true)) {
                    let queue = queues::short(queue, &self.domain);
                    self.tell(id, &CallEvent::Queued(queue));
                }
            }
            Told::AgentConnected {
                call,
                queue,
                waited,
                ..
            } => {
                self.waits.note(queue, *waited);
                self.answered(self.of(*call));
            }
            Told::LeftQueue { call, .. } => {
                let id = self.of(*call);
                if let Some(call) = self.calls.get_mut(&id) {
                    call.in_queue = false;
                }
            }
            Told::Bridged { call, .. } => {
                let id = self.of(*call);
                // mod_callcenter bridges, too, and tells of it in its own way.
                if self.calls.get(&id).is_some_and(|call| !call.in_queue) {
                    self.answered(id);
                }
            }
            Told::HungUp { call, cause } => self.end(self.of(*call), cause),
            Told::Answered(_)
            | Told::Unparked(_)
            | Told::Job { .. }
            | Told::WentOn { .. }
            | Told::ShuttingDown => {}
        }
    }

    /// Notes that a call has left the switch.
    pub(super) fn end(&mut self, id: CallId, why: &str) {
        self.tell(id, &CallEvent::HungUp(cause(why)));
        self.forget(id);
    }

    /// Tells once that somebody took the call, who may be told of by both connections.
    fn answered(&mut self, id: CallId) {
        let first = self
            .calls
            .get_mut(&id)
            .is_some_and(|call| !std::mem::replace(&mut call.answered, true));
        if first {
            self.tell(id, &CallEvent::AgentAnswered);
        }
    }

    fn tell(&mut self, id: CallId, event: &CallEvent) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.followers.tell(id, event);
        }
    }
}
