//! The heart of the scripted switch: who is connected, which legs there are, what is to happen later,
//! and everything that was done to it which a real one would not have borne.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::callcenter::Centre;
use super::clock;
use super::connection::Listener;
use super::dialplan::Dialplan;
use super::event::Event;
use super::leg::{Birth, Direction, Doing, Leg, Turn};
use super::recorded;
use super::telling::{self, Occasion};
use crate::phone::{Happening, Phone};
use crate::{port, record::Record};

/// Where the next look at what is due later happens.
const LOOK: Duration = Duration::from_millis(500);
/// The switch tells that it lives.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// What outlives a restart of the switch.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) complaints: Arc<Mutex<Vec<String>>>,
    pub(super) routes: Arc<Mutex<HashMap<String, u16>>>,
    pub(super) rejects: Arc<AtomicBool>,
    pub(super) told: Record<Event>,
    pub(super) log: Record<String>,
}

/// A call that is to be transferred at a time.
#[derive(Debug)]
struct Later {
    at: u64,
    leg: String,
    extension: String,
    context: String,
}

/// The switch.
pub(super) struct Switch {
    pub(super) password: String,
    pub(super) dialplan: Dialplan,
    pub(super) inbound: String,
    pub(super) phone: Phone,
    pub(super) runtime: Handle,
    pub(super) kept: Kept,
    core: String,
    started: u64,
    sequence: AtomicU64,
    sessions: AtomicU64,
    globals: HashMap<String, String>,
    listeners: Mutex<Vec<Arc<Listener>>>,
    legs: Mutex<HashMap<String, Arc<Leg>>>,
    gone: Mutex<HashMap<String, Instant>>,
    later: Mutex<Vec<Later>>,
    centre: Mutex<Centre>,
    ending: AtomicBool,
}

/// What a switch is made of.
pub(super) struct Parts {
    pub(super) password: String,
    pub(super) dialplan: Dialplan,
    pub(super) inbound: String,
    pub(super) phone: Phone,
    pub(super) kept: Kept,
    pub(super) globals: HashMap<String, String>,
    pub(super) centre: Centre,
    pub(super) runtime: Handle,
}

impl Switch {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            password: parts.password,
            dialplan: parts.dialplan,
            inbound: parts.inbound,
            phone: parts.phone,
            runtime: parts.runtime,
            kept: parts.kept,
            core: uuid(),
            started: clock::now(),
            sequence: AtomicU64::new(1),
            sessions: AtomicU64::new(0),
            globals: parts.globals,
            listeners: Mutex::default(),
            legs: Mutex::default(),
            gone: Mutex::default(),
            later: Mutex::default(),
            centre: Mutex::new(parts.centre),
            ending: AtomicBool::new(false),
        })
    }

    /// Notes what a real switch would not have borne, or what no recording shows.
    pub(super) fn complain(&self, complaint: impl Into<String>) {
        lock(&self.kept.complaints).push(complaint.into());
    }

    pub(super) fn centre(&self) -> MutexGuard<'_, Centre> {
        lock(&self.centre)
    }

    /// Returns a global variable.
    pub(super) fn global(&self, name: &str) -> Option<String> {
        self.globals.get(name).cloned()
    }

    /// Returns how many microseconds the switch has been up.
    pub(super) fn up(&self) -> u64 {
        clock::now().saturating_sub(self.started)
    }

    /// Returns how many sessions there have been since the start.
    pub(super) fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    // ------------------------------------------------------------------ events

    pub(super) fn add_listener(&self, listener: Arc<Listener>) {
        lock(&self.listeners).push(listener);
    }

    pub(super) fn remove_listener(&self, id: u64) {
        lock(&self.listeners).retain(|listener| listener.id != id);
    }

    pub(super) fn listeners(&self) -> Vec<Arc<Listener>> {
        lock(&self.listeners).clone()
    }

    /// Tells an event to everybody who wants it, and keeps it for the test.
    pub(super) fn emit(&self, event: Event) {
        let event = self.pass_on(event);
        if event.name() != "CHANNEL_STATE" {
            self.kept.told.push(event.as_ref().clone());
        }
    }

    /// Dates an event and gives it to everybody who wants it.
    pub(super) fn pass_on(&self, mut event: Event) -> Arc<Event> {
        let now = clock::now();
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        event.set("Core-UUID", self.core.as_str());
        event.set("Event-Date-Local", clock::local(now));
        event.set("Event-Date-GMT", clock::gmt(now));
        event.set("Event-Date-Timestamp", now.to_string());
        event.set("Event-Sequence", sequence.to_string());
        let event = Arc::new(event);
        let listeners = lock(&self.listeners);
        for listener in listeners.iter().filter(|listener| listener.wants(&event)) {
            listener.give(Arc::clone(&event));
        }
        drop(listeners);
        event
    }

    /// Tells something about a leg.
    pub(super) fn tell(&self, leg: &Leg, occasion: Occasion) {
        self.emit(telling::tell(leg, occasion, &[]));
    }

    // ------------------------------------------------------------------ legs

    pub(super) fn leg(&self, id: &str) -> Option<Arc<Leg>> {
        lock(&self.legs).get(id).cloned()
    }

    pub(super) fn legs(&self) -> Vec<Arc<Leg>> {
        lock(&self.legs).values().cloned().collect()
    }

    /// Returns how long ago a leg ended; nothing if there never was one.
    pub(super) fn gone_for(&self, id: &str) -> Option<Duration> {
        lock(&self.gone).get(id).map(Instant::elapsed)
    }

    /// Makes a leg known and tells of it.
    pub(super) fn add_leg(self: &Arc<Self>, birth: Birth) -> Arc<Leg> {
        let leg = Arc::new(Leg::new(birth));
        self.sessions.fetch_add(1, Ordering::Relaxed);
        telling::inherit(&leg, Occasion::Created);
        leg.set_variable("session_id", &self.sessions().to_string());
        lock(&self.legs).insert(leg.id.clone(), Arc::clone(&leg));
        self.tell(&leg, Occasion::Created);
        self.watch(&leg);
        leg
    }

    /// Follows what happens on the telephone line of a leg.
    fn watch(self: &Arc<Self>, leg: &Arc<Leg>) {
        let Some(call) = leg.call.clone() else {
            return;
        };
        let (switch, followed, line) = (Arc::clone(self), Arc::clone(leg), call.clone());
        self.runtime.spawn(async move {
            let mut next = 0;
            loop {
                let happening = line
                    .record()
                    .wait_from(next, FOREVER, |(_, it)| Some(it.clone()));
                let Some(happening) = happening.await else {
                    return;
                };
                next += 1;
                if switch.happened(&followed, &happening) {
                    return;
                }
            }
        });
        let (switch, followed) = (Arc::clone(self), Arc::clone(leg));
        self.runtime.spawn(async move {
            let mut next = 0;
            while followed.is_up() {
                let pressed = call
                    .pressed()
                    .wait_from(next, FOREVER, |(_, key)| Some(*key));
                tokio::select! {
                    key = pressed => if let Some(key) = key {
                        next += 1;
                        switch.pressed(&followed, key);
                    },
                    () = followed.until(|leg| (!leg.is_up()).then_some(())) => return,
                }
            }
        });
    }

    /// Takes what happened on the line; tells whether it was the last thing.
    fn happened(self: &Arc<Self>, leg: &Arc<Leg>, happening: &Happening) -> bool {
        let direction = leg.facts().direction;
        match happening {
            Happening::Ringing if direction == Direction::Outbound => {
                self.progress(leg);
                false
            }
            Happening::Answered if direction == Direction::Outbound => {
                self.answered(leg);
                false
            }
            Happening::Ringing | Happening::Answered => false,
            Happening::Refused(487) if direction == Direction::Inbound => {
                self.hang_up(leg, "ORIGINATOR_CANCEL", "recv_cancel");
                true
            }
            Happening::Refused(code) => {
                let nothing_listens = *code == 408;
                let cause = if nothing_listens {
                    "RECOVERY_ON_TIMER_EXPIRE"
                } else {
                    cause(*code)
                };
                self.hang_up(leg, cause, "recv_refuse");
                true
            }
            Happening::OtherHungUp => {
                self.hang_up(leg, "NORMAL_CLEARING", "recv_bye");
                true
            }
            Happening::HungUp => true,
        }
    }

    pub(super) fn progress(&self, leg: &Arc<Leg>) {
        let mut facts = leg.facts();
        if facts.doing != Doing::Dialled || facts.cause.is_some() {
            return;
        }
        facts.progressed = clock::now();
        drop(facts);
        telling::inherit(leg, Occasion::Progress);
        self.tell(leg, Occasion::Progress);
        leg.facts().doing = Doing::Ringing;
    }

    /// Notes that a leg was answered and tells it.
    pub(super) fn answered(&self, leg: &Arc<Leg>) {
        {
            let mut facts = leg.facts();
            if facts.answered > 0 || facts.cause.is_some() {
                return;
            }
            facts.answered = clock::now();
        }
        telling::inherit(leg, Occasion::Answered);
        self.tell(leg, Occasion::Answered);
        leg.touch();
    }

    /// Answers an inbound leg and waits until its telephone knows.
    pub(super) async fn answer(&self, leg: &Arc<Leg>) {
        if leg.is_answered() || !leg.is_up() {
            return;
        }
        if let Some(call) = &leg.call {
            let _ = call.answer();
            tokio::select! {
                _ = call.answered(Duration::from_secs(5)) => {}
                () = leg.until(|leg| (!leg.is_up()).then_some(())) => return,
            }
        }
        self.answered(leg);
    }

    /// Takes a key that was pressed on a leg's telephone.
    pub(super) fn pressed(&self, leg: &Leg, key: char) {
        leg.facts().keys.push(key);
        let key = key.to_string();
        self.emit(telling::tell(leg, Occasion::Key, &[("DTMF-Digit", &key)]));
    }

    /// Ends a leg, whoever wanted it; the first to say so is believed.
    pub(super) fn hang_up(&self, leg: &Arc<Leg>, cause: &str, how: &str) {
        {
            let mut facts = leg.facts();
            if facts.cause.is_some() {
                return;
            }
            facts.cause = Some(cause.to_owned());
            facts.hung_up = clock::now();
        }
        let answered = leg.is_answered();
        if answered {
            telling::inherit(leg, Occasion::HangUp);
        }
        self.tell(leg, Occasion::HangUp);
        leg.set_variable("sip_hangup_disposition", how);
        leg.audio.rest();
        leg.turn(Turn::HangUp);
        if let Some(call) = &leg.call
            && how.starts_with("send_")
        {
            // A telephone that has just been answered cannot be refused any more.
            let refused = leg.facts().direction == Direction::Inbound
                && !answered
                && call.refuse(code(cause)).is_ok();
            if !refused {
                let _ = call.hang_up();
            }
        }
    }

    /// Tells the rest of a leg's end and forgets it. `Parked` legs tell their connection last.
    pub(super) fn finish(&self, leg: &Arc<Leg>) {
        let doing = leg.facts().doing;
        self.tell(leg, Occasion::HangingUp);
        self.tell(leg, Occasion::Reporting);
        telling::inherit(leg, Occasion::HungUp);
        if doing == Doing::Bridged {
            self.let_go(leg);
        }
        self.tell(leg, Occasion::HungUp);
        self.tell(leg, Occasion::Destroyed);
        self.tell(leg, Occasion::Destroying);
        lock(&self.legs).remove(&leg.id);
        lock(&self.gone).insert(leg.id.clone(), Instant::now());
        lock(&self.later).retain(|later| later.leg != leg.id);
        self.let_go(leg);
        leg.facts().partner = None;
    }

    /// Tells a leg's connection, once, that the leg is over.
    pub(super) fn let_go(&self, leg: &Leg) {
        let socket = leg.facts().socket.take();
        if let Some(socket) = socket {
            socket.over();
        }
    }

    // ------------------------------------------------------------------ later

    /// Transfers a leg at a second of the clock.
    pub(super) fn schedule(&self, at: u64, leg: &str, extension: &str, context: &str) {
        lock(&self.later).push(Later {
            at,
            leg: leg.to_owned(),
            extension: extension.to_owned(),
            context: context.to_owned(),
        });
    }

    /// Forgets what was to happen to a leg later; returns how much it was.
    pub(super) fn unschedule(&self, leg: &str) -> usize {
        let mut later = lock(&self.later);
        let before = later.len();
        later.retain(|later| later.leg != leg);
        before - later.len()
    }

    /// Looks twice a second at what is due, as the switch's scheduler does.
    pub(super) async fn keep_time(self: Arc<Self>) {
        let mut look = tokio::time::interval(LOOK);
        let mut beat = Instant::now();
        while !self.is_ending() {
            look.tick().await;
            let now = clock::epoch();
            let due: Vec<Later> = lock(&self.later)
                .extract_if(.., |later| later.at <= now)
                .collect();
            for later in due {
                if let Some(leg) = self.leg(&later.leg) {
                    self.transfer(&leg, &later.extension, &later.context);
                }
            }
            if beat.elapsed() >= HEARTBEAT {
                beat = Instant::now();
                self.beat();
            }
        }
    }

    fn beat(&self) {
        let mut event = recorded::shape(("log-heartbeat", "HEARTBEAT", ""))
            .as_ref()
            .clone();
        event.set("Session-Count", lock(&self.legs).len().to_string());
        event.set("Session-Since-Startup", self.sessions().to_string());
        event.set("Uptime-msec", (self.up() / 1000).to_string());
        self.emit(event);
    }

    /// Sends a leg to an extension of a context.
    pub(super) fn transfer(&self, leg: &Arc<Leg>, extension: &str, context: &str) {
        leg.turn(Turn::Transfer {
            extension: extension.to_owned(),
            context: context.to_owned(),
        });
    }

    // ------------------------------------------------------------------ the end

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Ends everything as `shutdown` does: the event, the calls, the notices.
    pub(super) async fn shut_down(&self) {
        self.ending.store(true, Ordering::Relaxed);
        self.emit(
            recorded::shape(("shutdown", "SHUTDOWN", ""))
                .as_ref()
                .clone(),
        );
        for leg in self.legs() {
            self.hang_up(&leg, "SYSTEM_SHUTDOWN", "send_bye");
        }
        let deadline = Instant::now() + Duration::from_secs(2);
        while !lock(&self.legs).is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for listener in self.listeners() {
            listener.shut_down();
        }
        while !lock(&self.listeners).is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Returns where a number of the outside world, or a phone of the house, is rung.
    pub(super) fn route(&self, number: &str) -> Option<SocketAddr> {
        let routes = lock(&self.kept.routes);
        let phone = routes.get(number.trim_start_matches('+')).copied()?;
        Some(([127, 0, 0, 1], phone).into())
    }
}

/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(86_400);

/// Makes a new id.
pub(super) fn uuid() -> String {
    let (one, two) = (port::random(11), port::random(12));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        one >> 32,
        one >> 16 & 0xffff,
        one & 0xfff,
        two >> 48 & 0xfff,
        two & 0xffff_ffff_ffff
    )
}

/// Returns the switch's word for a SIP refusal.
fn cause(code: u16) -> &'static str {
    match code {
        404 => "UNALLOCATED_NUMBER",
        480 => "NO_USER_RESPONSE",
        484 => "INVALID_NUMBER_FORMAT",
        486 | 600 => "USER_BUSY",
        487 => "ORIGINATOR_CANCEL",
        603 => "CALL_REJECTED",
        _ => "NORMAL_TEMPORARY_FAILURE",
    }
}

/// Returns the SIP refusal for the switch's word.
fn code(cause: &str) -> u16 {
    match cause {
        "UNALLOCATED_NUMBER" | "NO_ROUTE_DESTINATION" => 404,
        "USER_BUSY" => 486,
        "CALL_REJECTED" => 603,
        _ => 480,
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Switch")
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}
