//! One leg of a call, a *channel* in the switch's words: who it is, its variables, what it is asked
//! to do next, and its audio. What it tells about itself is in `telling`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::audio::Audio;
use super::clock;
use super::connection::Listener;
use crate::phone::{Call, Caller};

/// Which way a leg came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Inbound,
    Outbound,
}

impl Direction {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// What a leg does just now, which decides the shape of what it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// An outbound leg that nobody has reacted to.
    Dialled,
    /// An outbound leg that rings.
    Ringing,
    /// Goes through the dialplan.
    Dialplan,
    /// Parked with the bot.
    Parked,
    /// Waits in a queue.
    Queued,
    /// Talks with another leg.
    Bridged,
}

/// What a leg is to do instead of what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Goes to an extension of a context.
    Transfer { extension: String, context: String },
    /// Is connected with another leg by the call centre, once the agent has answered.
    Bridge { other: String },
    /// Ends.
    HangUp,
}

/// What is known about a leg.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) direction: Direction,
    pub(super) rate: u32,
    pub(super) channel: String,
    pub(super) number: String,
    pub(super) display: String,
    pub(super) destination: String,
    pub(super) context: String,
    pub(super) created: u64,
    pub(super) progressed: u64,
    pub(super) answered: u64,
    pub(super) transferred: u64,
    pub(super) bridged: u64,
    pub(super) hung_up: u64,
    pub(super) doing: Doing,
    pub(super) cause: Option<String>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) partner: Option<Arc<Leg>>,
    pub(super) keys: String,
    pub(super) turn: Option<Turn>,
    /// Whether a unicast was begun in this park, and whether anything has ended it.
    pub(super) unicast: Unicast,
    pub(super) socket: Option<Arc<Listener>>,
}

/// What has become of the one unicast a park may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Unicast {
    #[default]
    None,
    Runs,
    Killed,
}

/// How many datagrams went to the bot, and how many came from it.
#[derive(Debug, Default)]
pub(super) struct Flow {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Flow {
    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one that came; returns both counts.
    pub(super) fn received(&self) -> (u64, u64) {
        let received = self.received.fetch_add(1, Ordering::Relaxed) + 1;
        (self.sent.load(Ordering::Relaxed), received)
    }

    pub(super) fn counts(&self) -> (u64, u64) {
        (
            self.sent.load(Ordering::Relaxed),
            self.received.load(Ordering::Relaxed),
        )
    }
}

/// A leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: String,
    /// The telephone call it is; none for the legs of a crowd.
    pub(super) call: Option<Call>,
    pub(super) audio: Arc<Audio>,
    pub(super) flow: Flow,
    facts: Mutex<Facts>,
    changed: watch::Sender<u64>,
}

/// What makes a leg.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) id: String,
    pub(super) direction: Direction,
    pub(super) channel: String,
    pub(super) number: String,
    pub(super) display: String,
    pub(super) destination: String,
    pub(super) context: String,
    pub(super) call: Option<Call>,
    pub(super) rate: u32,
}

impl Leg {
    pub(super) fn new(birth: Birth) -> Self {
        let audio = Arc::new(Audio::new(birth.rate));
        if let Some(call) = &birth.call {
            let (mouth, ear) = (Arc::clone(&audio), Arc::clone(&audio));
            call.wire(
                Box::new(move || mouth.next()),
                Box::new(move |samples| ear.said(samples)),
            );
        }
        let doing = match birth.direction {
            Direction::Inbound => Doing::Dialplan,
            Direction::Outbound => Doing::Dialled,
        };
        Self {
            id: birth.id,
            call: birth.call,
            audio,
            flow: Flow::default(),
            facts: Mutex::new(Facts {
                direction: birth.direction,
                rate: birth.rate,
                channel: birth.channel,
                number: birth.number,
                display: birth.display,
                destination: birth.destination,
                context: birth.context,
                created: clock::now(),
                progressed: 0,
                answered: 0,
                transferred: 0,
                bridged: 0,
                hung_up: 0,
                doing,
                cause: None,
                variables: Vec::new(),
                partner: None,
                keys: String::new(),
                turn: None,
                unicast: Unicast::None,
                socket: None,
            }),
            changed: watch::Sender::new(0),
        }
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let facts = self.facts();
        let own = facts
            .variables
            .iter()
            .find(|(variable, _)| variable == name);
        if let Some((_, value)) = own {
            return Some(value.clone());
        }
        // Parts of the caller's profile can be asked for like variables.
        match name {
            "caller_id_number" | "ani" | "username" => Some(facts.number.clone()),
            "caller_id_name" => Some(facts.display.clone()),
            "destination_number" => Some(facts.destination.clone()),
            "context" => Some(facts.context.clone()),
            "dialplan" => Some("XML".to_owned()),
            "channel_name" => Some(facts.channel.clone()),
            "hangup_cause" => facts.cause.clone(),
            _ => None,
        }
    }

    /// Sets a variable; an empty value removes it, as in the switch.
    pub(super) fn set_variable(&self, name: &str, value: &str) {
        let mut facts = self.facts();
        let own = facts
            .variables
            .iter()
            .position(|(variable, _)| variable == name);
        match own {
            Some(at) if value.is_empty() => {
                facts.variables.remove(at);
            }
            Some(at) => facts.variables[at].1 = value.to_owned(),
            None if value.is_empty() => {}
            None => facts.variables.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Tells whether the leg is up; it is not once its hang-up has been told.
    pub(super) fn is_up(&self) -> bool {
        self.facts().turn != Some(Turn::HangUp)
    }

    pub(super) fn is_answered(&self) -> bool {
        self.facts().answered > 0
    }

    /// Asks the leg to do something else; a hang-up is never taken back.
    pub(super) fn turn(&self, turn: Turn) {
        let mut facts = self.facts();
        if facts.turn != Some(Turn::HangUp) {
            facts.turn = Some(turn);
        }
        drop(facts);
        self.touch();
    }

    /// Takes what the leg is to do next, if it is not to hang up.
    pub(super) fn take_turn(&self) -> Option<Turn> {
        let mut facts = self.facts();
        match facts.turn {
            Some(Turn::HangUp) => Some(Turn::HangUp),
            _ => facts.turn.take(),
        }
    }

    /// Wakes whoever waits for a change of this leg.
    pub(super) fn touch(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until the closure finds what it looks for.
    pub(super) async fn until<T>(&self, mut found: impl FnMut(&Self) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            // The sender lives as long as the leg.
            let _ = changes.changed().await;
        }
    }

    /// Waits until the leg is to do something else.
    pub(super) async fn turned(&self) {
        self.until(|leg| leg.facts().turn.is_some().then_some(()))
            .await;
    }

    /// Waits for a while, or until the leg is to do something else.
    pub(super) async fn wait(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.turned() => {}
        }
    }
}

/// Who calls, as the called telephone sees it.
pub(super) fn caller(number: &str, display: &str, headers: &[(String, String)]) -> Caller {
    let mut caller = Caller::new().number(number);
    if !display.is_empty() && display != number {
        caller = caller.name(display);
    }
    for (name, value) in headers {
        caller = caller.header(name, value);
    }
    caller
}
