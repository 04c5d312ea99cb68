//! A dialog rehearsed under virtual time: no telephone, no services, no waiting. Chat, the stories
//! beside the flows and the browser demo in text mode all drive this one.
//!
//! It plays the house's part (what is said has been said, orders are noted, transfers arrive) and
//! writes down every event and command. It judges nothing; see [`story`] for that.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Caller, Command, Dialog, Done, Event, Facts, Handoff, Heard, Order, Outcome, Playbook, Record,
    Recording, SlotValue, Target,
};
use crate::words::{FlowName, Key, Language, Reference};

pub mod story;

/// Events that may follow from one turn; a dialog that wants more is going round in circles.
const EVENTS_PER_TURN: usize = 200;

/// Seconds that a word takes to say, for the length of a pretended recording.
const SECONDS_PER_WORD: f32 = 0.4;

/// One dialog in rehearsal.
#[derive(Debug)]
pub struct Rehearsal {
    dialog: Dialog,
    now: Timestamp,
    facts: Facts,
    entries: Vec<Entry>,
    listening: bool,
    recording: Option<Record>,
    transfer: Option<(Target, Handoff)>,
    outcome: Option<Outcome>,
    order: Option<Order>,
    hold_orders: bool,
    noted: Vec<(Order, Reference)>,
    recordings: u32,
}

/// How a rehearsal begins.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// Who calls.
    pub caller: Caller,
    /// The flow to begin with; the tenant's when left out.
    pub flow: Option<FlowName>,
    /// The language to begin in; the tenant's first when left out.
    pub language: Option<Language>,
    /// Slots set before the flow begins.
    pub slots: Vec<(String, SlotValue)>,
    /// What the house knows.
    pub facts: Facts,
    /// Whether speech is not to be had.
    pub keys_only: bool,
    /// Whether orders are held back for somebody else to answer; see [`Rehearsal::open_order`].
    pub hold_orders: bool,
}

/// One thing that went in or came out, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When, in virtual time.
    pub time: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// An event that went in or a command that came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Went in.
    Event(Event),
    /// Came out.
    Command(Command),
}

/// A turn that cannot be taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// Nothing more can happen.
    #[error("the call is over")]
    Over,
    /// Words, but only keys are taken.
    #[error("nobody listens to speech here: press keys")]
    NotListening,
    /// Words or keys, but the recorder runs.
    #[error("the recorder is running: what is said now is recorded")]
    Recording,
    /// A recording, but no recorder.
    #[error("the recorder is not running")]
    NotRecording,
    /// A failed transfer without a transfer.
    #[error("no transfer is under way")]
    NoTransfer,
    /// A failed order without an order.
    #[error("no order is under way")]
    NoOrder,
    /// Silence, and nothing would ever end it.
    #[error("the dialog has no deadline: it would wait for ever")]
    NoDeadline,
}

impl Rehearsal {
    /// Begins: the caller is there, the facts are known, the first words are said.
    pub fn begin(playbook: Arc<Playbook>, opening: Opening, now: Timestamp) -> Self {
        let dialog = Dialog::new(playbook, opening.caller, opening.flow).with_slots(opening.slots);
        let dialog = match opening.language {
            Some(language) => dialog.with_language(language),
            None => dialog,
        };
        let mut rehearsal = Self {
            dialog,
            now,
            facts: opening.facts.clone(),
            entries: Vec::new(),
            listening: false,
            recording: None,
            transfer: None,
            outcome: None,
            order: None,
            hold_orders: opening.hold_orders,
            noted: Vec::new(),
            recordings: 0,
        };
        rehearsal.play(Event::Facts(opening.facts));
        if opening.keys_only {
            rehearsal.play(Event::SpeechUnavailable);
        }
        rehearsal.play(Event::Answered);
        rehearsal
    }

    /// Returns everything so far, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the dialog.
    pub fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    /// Returns the virtual time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns how the call ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        match (&self.outcome, &self.transfer) {
            (Some(outcome), _) => Some(*outcome),
            (None, Some(_)) => Some(Outcome::Transferred),
            (None, None) => None,
        }
    }

    /// Tells whether the recorder is running.
    pub fn is_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Tells whether words are listened for.
    pub fn is_listening(&self) -> bool {
        self.listening
    }

    /// Returns the order that is held back: it waits for [`Self::order_done`] or
    /// [`Self::order_fails`], and is noted with the caller's next turn.
    pub fn open_order(&self) -> Option<&Order> {
        self.order.as_ref()
    }

    /// Returns where the caller is being moved.
    pub fn open_transfer(&self) -> Option<(&Target, &Handoff)> {
        let (target, handoff) = self.transfer.as_ref()?;
        Some((target, handoff))
    }

    /// Holds orders back from here on, so that they can be made to fail.
    pub fn hold_orders(&mut self, hold: bool) {
        self.hold_orders = hold;
        if !hold {
            self.note_order();
        }
    }

    /// The caller says something.
    pub fn says(&mut self, heard: Heard) -> Result<(), Misplaced> {
        self.be_there()?;
        if self.recording.is_some() {
            return Err(Misplaced::Recording);
        }
        if !self.listening {
            return Err(Misplaced::NotListening);
        }
        self.play(Event::Speech);
        self.play(Event::Heard(heard));
        Ok(())
    }

    /// The caller presses keys, one after the other, until the call is over.
    pub fn presses(&mut self, keys: impl IntoIterator<Item = Key>) -> Result<(), Misplaced> {
        for key in keys {
            self.be_there()?;
            if self.recording.is_some() {
                return Err(Misplaced::Recording);
            }
            self.play(Event::Key(key));
        }
        Ok(())
    }

    /// The caller says nothing until the dialog's deadline has passed.
    pub fn is_silent(&mut self) -> Result<(), Misplaced> {
        self.be_there()?;
        if let Some(record) = &self.recording {
            let pause = SignedDuration::try_from(record.silence).unwrap_or(SignedDuration::ZERO);
            self.now += pause;
            return self.records("");
        }
        let deadline = self.dialog.deadline().ok_or(Misplaced::NoDeadline)?;
        self.now = self.now.max(deadline);
        self.play(Event::Time);
        Ok(())
    }

    /// The caller speaks to the recorder; empty when nothing was said.
    pub fn records(&mut self, transcript: &str) -> Result<(), Misplaced> {
        self.be_there()?;
        if self.recording.take().is_none() {
            return Err(Misplaced::NotRecording);
        }
        let words = transcript.split_whitespace().count();
        let recording = if words == 0 {
            Recording {
                file: String::new(),
                seconds: 0.0,
                transcript: None,
            }
        } else {
            self.recordings += 1;
            Recording {
                file: format!("rehearsal-{}.wav", self.recordings),
                seconds: words as f32 * SECONDS_PER_WORD,
                transcript: Some(transcript.to_owned()),
            }
        };
        self.play(Event::Recorded(recording));
        Ok(())
    }

    /// The caller hangs up.
    pub fn hangs_up(&mut self) -> Result<(), Misplaced> {
        self.be_there()?;
        self.play(Event::HungUp);
        self.listening = false;
        self.recording = None;
        self.outcome.get_or_insert(Outcome::CallerLeft);
        Ok(())
    }

    /// The PBX could not move the caller.
    pub fn transfer_fails(&mut self, reason: &str) -> Result<(), Misplaced> {
        if self.transfer.take().is_none() {
            return Err(Misplaced::NoTransfer);
        }
        self.play(Event::TransferFailed {
            reason: reason.to_owned(),
        });
        Ok(())
    }

    /// The service has answered the order that was held back.
    pub fn order_done(&mut self, done: Done) -> Result<(), Misplaced> {
        if self.order.take().is_none() {
            return Err(Misplaced::NoOrder);
        }
        self.play(Event::Done(done));
        Ok(())
    }

    /// The service could not take the order; needs [`Self::hold_orders`] beforehand.
    pub fn order_fails(&mut self, reason: &str) -> Result<(), Misplaced> {
        self.order_done(Done::Refused {
            reason: reason.to_owned(),
        })
    }

    /// Speech is not to be had from here on.
    pub fn speech_fails(&mut self) -> Result<(), Misplaced> {
        self.be_there()?;
        self.listening = false;
        self.play(Event::SpeechUnavailable);
        Ok(())
    }

    /// What the house knows changes.
    pub fn facts_change(&mut self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts);
        let facts = self.facts.clone();
        self.play(Event::Facts(facts));
    }

    fn be_there(&mut self) -> Result<(), Misplaced> {
        self.note_order();
        match self.outcome() {
            Some(_) => Err(Misplaced::Over),
            None => Ok(()),
        }
    }

    /// Takes an event in and answers what the house would answer to its commands, until the dialog
    /// waits for the caller.
    fn play(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        for _ in 0..EVENTS_PER_TURN {
            let Some(event) = events.pop_front() else {
                return;
            };
            self.entries.push(Entry {
                time: self.now,
                what: What::Event(event.clone()),
            });
            let commands = self.dialog.handle(event, self.now);
            let said = commands
                .iter()
                .any(|it| matches!(it, Command::Say(_) | Command::Listen(_)));
            for command in commands {
                self.carry_out(&command);
                self.entries.push(Entry {
                    time: self.now,
                    what: What::Command(command),
                });
            }
            if said && self.outcome().is_none() {
                events.push_back(Event::Said);
            }
            if !self.hold_orders
                && let Some(done) = self.take_order()
            {
                events.push_back(Event::Done(done));
            }
        }
    }

    fn carry_out(&mut self, command: &Command) {
        match command {
            Command::Say(_)
            | Command::Reassure(_)
            | Command::Hush
            | Command::Enough
            | Command::Note(_) => {}
            Command::Listen(_) => self.listening = true,
            Command::Deafen => self.listening = false,
            Command::Record(record) => {
                self.listening = false;
                self.recording = Some(record.clone());
            }
            Command::Transfer { target, handoff } => {
                self.listening = false;
                self.transfer = Some((target.clone(), handoff.clone()));
            }
            Command::Do(order) => self.order = Some(order.clone()),
            Command::HangUp { outcome } => {
                self.listening = false;
                self.outcome = Some(*outcome);
            }
        }
    }

    /// Notes the order that was held back, as a service that works would.
    fn note_order(&mut self) {
        if let Some(done) = self.take_order() {
            self.play(Event::Done(done));
        }
    }

    fn take_order(&mut self) -> Option<Done> {
        let order = self.order.take()?;
        if let Some((_, reference)) = self.noted.iter().find(|(noted, _)| *noted == order) {
            let reference = reference.clone();
            return Some(Done::AlreadyNoted { reference });
        }
        let reference = Reference(format!("TEST{}", self.noted.len() + 1));
        self.noted.push((order, reference.clone()));
        Some(Done::Noted { reference })
    }
}

#[cfg(test)]
mod tests;
