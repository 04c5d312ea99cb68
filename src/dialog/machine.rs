//! The dialog itself: runs a flow's program between events and says what is to be done.

mod asking;
mod language;
mod moving;
mod running;
mod saying;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::command::Command;
use super::event::{Event, Facts, Heard, Recording};
use super::order::{Done, Handoff, Target};
use super::playbook::Playbook;
use super::program::{Otherwise, Program};
use super::question::{Interpreted, Meaning, Question};
use super::scope::{Caller, SlotValue};
use crate::flow;
use crate::understand::text::words;
use crate::understand::{is_backchannel, is_hum};
use crate::words::{DepartmentId, FlowName, Key, Language};

/// Operations between two events; a checked flow needs far fewer, a runaway one is stopped.
const OPS_PER_EVENT: u32 = 500;
/// Flows that may call each other before one of them must return.
const DEPTH: usize = 16;
/// A caller who speaks longer than this without a result is treated as not understood.
const LONGEST_TURN: SignedDuration = SignedDuration::from_secs(45);
/// Pause after a key before typed digits count as complete.
const KEY_PAUSE: SignedDuration = SignedDuration::from_secs(4);
/// How long a service may take to store an order.
const ORDER_DEADLINE: SignedDuration = SignedDuration::from_secs(8);
/// Keys kept for the next question while none is being asked.
const TYPED_AHEAD: usize = 16;

/// One flow in progress with one caller.
#[derive(Debug)]
pub struct Dialog {
    playbook: Arc<Playbook>,
    caller: Caller,
    language: Language,
    /// Whether the language was known before the call.
    language_given: bool,
    speech: bool,
    facts: Facts,
    slots: BTreeMap<String, SlotValue>,
    stack: Vec<Frame>,
    waiting: Waiting,
    deadline: Option<Timestamp>,
    typed_ahead: Vec<Key>,
    /// Where the caller goes when the transfer under way fails.
    overflow: Option<(DepartmentId, Target, Handoff)>,
    /// The department whose agents the caller is sent to.
    bound_for: Option<DepartmentId>,
    /// Whether keys were just complete by their number: a hash after them ends what has ended.
    complete: bool,
    /// The caller's words that the last intent was taken from.
    said: String,
    falling_back: bool,
    commands: Vec<Command>,
}

#[derive(Debug)]
struct Frame {
    program: Arc<Program>,
    at: usize,
}

#[derive(Debug)]
enum Waiting {
    Start(FlowName),
    Question(Box<Question>),
    Recording { into: String, otherwise: Otherwise },
    Order { into: String, otherwise: Otherwise },
    Transfer { to_operator: bool },
    Over,
}

/// Why a step could not be done; becomes a [`Note::Fault`] and the caller is sent to a person.
type Fault = String;

impl Dialog {
    /// Begins the tenant's first flow, or `flow` where one is given; nothing happens before
    /// [`Event::Answered`].
    pub fn new(playbook: Arc<Playbook>, caller: Caller, flow: Option<FlowName>) -> Self {
        let first = flow.unwrap_or_else(|| playbook.shelf.tenant.flow.clone());
        Self {
            language: playbook.first_language(),
            language_given: false,
            playbook,
            caller,
            speech: true,
            facts: Facts::default(),
            slots: BTreeMap::new(),
            stack: Vec::new(),
            waiting: Waiting::Start(first),
            deadline: None,
            typed_ahead: Vec::new(),
            overflow: None,
            bound_for: None,
            complete: false,
            said: String::new(),
            falling_back: false,
            commands: Vec::new(),
        }
    }

    /// Fills slots before the first step, such as those of a callback.
    pub fn with_slots(mut self, slots: impl IntoIterator<Item = (String, SlotValue)>) -> Self {
        self.slots.extend(slots);
        self
    }

    /// Sets the language to begin in, where the tenant speaks it.
    pub fn with_language(mut self, language: Language) -> Self {
        if self.playbook.shelf.tenant.languages.contains(&language) {
            self.language = language;
            self.language_given = true;
        }
        self
    }

    /// Returns the language spoken now.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Returns the department chosen so far.
    pub fn department(&self) -> Option<DepartmentId> {
        self.slots
            .get("department")
            .and_then(SlotValue::as_str)
            .map(DepartmentId::from)
    }

    /// Returns the department whose agents the caller is being sent to, if any.
    pub fn bound_for(&self) -> Option<DepartmentId> {
        self.bound_for.clone()
    }

    /// Tells whether a transfer that fails has somewhere else to go without a word.
    pub fn has_overflow(&self) -> bool {
        self.overflow.is_some()
    }

    /// Returns the value of a slot.
    pub fn slot(&self, name: &str) -> Option<&SlotValue> {
        self.slots.get(name)
    }

    /// Tells whether a service is at work for the caller.
    pub fn awaits_service(&self) -> bool {
        matches!(self.waiting, Waiting::Order { .. })
    }

    /// Tells whether nothing more is to come.
    pub fn is_over(&self) -> bool {
        matches!(self.waiting, Waiting::Over)
    }

    /// Returns when [`Event::Time`] is to be sent, if nothing else happens before.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// Takes an event in and says what is to be done now. `now` never goes backwards.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Vec<Command> {
        match event {
            Event::Answered => self.answered(now),
            Event::Facts(facts) => self.facts = facts,
            Event::Speech => self.speech_began(now),
            Event::Resumed => self.resumed(),
            Event::Partial(heard) => self.heard_so_far(&heard, now),
            Event::Heard(heard) => self.heard(&heard, now),
            Event::Key(key) => self.key(key, now),
            Event::Said => self.said(now),
            Event::Recorded(recording) => self.recorded(&recording, now),
            Event::Done(done) => self.done(done, now),
            Event::TransferFailed { reason } => self.transfer_failed(&reason),
            Event::Waiting => self.reassure(),
            Event::SpeechUnavailable => self.speech_unavailable(now),
            Event::SpeechAvailable => self.speech = true,
            Event::Time => self.time(now),
            Event::HungUp => self.over(),
        }
        std::mem::take(&mut self.commands)
    }

    fn answered(&mut self, now: Timestamp) {
        let Waiting::Start(flow) = &self.waiting else {
            return;
        };
        let flow = flow.clone();
        match self.enter(&flow) {
            Ok(()) if self.asks_language() => self.ask_language(now),
            Ok(()) => self.run(now),
            Err(fault) => self.fault(fault),
        }
    }

    fn speech_began(&mut self, now: Timestamp) {
        if let Waiting::Question(question) = &mut self.waiting
            && question.typed.is_empty()
        {
            question.speaking = true;
            self.deadline = Some(now + LONGEST_TURN);
        }
    }

    /// The silence after the question begins when all is said.
    fn resumed(&mut self) {
        if let Waiting::Question(question) = &mut self.waiting
            && question.typed.is_empty()
        {
            question.speaking = false;
            self.deadline = None;
        }
    }

    /// Tells whether words said over a prompt are meant for us: neither nothing, nor a sign that
    /// the caller listens, unless that answers the question.
    pub fn is_meant(&self, heard: &Heard, now: Timestamp) -> bool {
        if !matches!(self.waiting, Waiting::Question(_)) {
            return true;
        }
        let plain = heard.hypotheses.iter().filter(|it| {
            let mut said = words(&it.text).into_iter();
            said.any(|word| !is_hum(&word, it.language))
        });
        let (mut any, mut plainly) = (false, false);
        for hypothesis in plain {
            any = true;
            plainly |= !is_backchannel(&hypothesis.text, hypothesis.language);
        }
        plainly || (any && self.is_answered_by(heard, now))
    }

    /// Tells whether words come to something at the question being asked.
    pub fn is_answered_by(&self, heard: &Heard, now: Timestamp) -> bool {
        let Waiting::Question(question) = &self.waiting else {
            return false;
        };
        question
            .heard(heard, &self.playbook, self.language, now)
            .is_some_and(|it| !matches!(it.meaning, Meaning::Nothing(_)))
    }

    fn heard_so_far(&mut self, heard: &Heard, now: Timestamp) {
        if let Waiting::Question(question) = &self.waiting
            && question.typed.is_empty()
            && question.is_answered_by(heard, &self.playbook, self.language, now)
        {
            self.commands.push(Command::Enough);
        }
    }

    fn heard(&mut self, heard: &Heard, now: Timestamp) {
        let heard = &self.in_heard_languages(heard);
        let Waiting::Question(question) = &mut self.waiting else {
            return;
        };
        question.speaking = false;
        if !question.typed.is_empty() {
            // Who types does not answer by what is heard meanwhile.
            return;
        }
        let Some(interpreted) = question.heard(heard, &self.playbook, self.language, now) else {
            return self.missed(Missed::NotUnderstood, now);
        };
        let Interpreted {
            language,
            text,
            meaning,
        } = interpreted;
        self.understood(&text, &meaning);
        if language != self.language && !matches!(meaning, Meaning::Nothing(_)) {
            self.language = language;
        }
        if question_is_open(&self.waiting) && matches!(meaning, Meaning::Answer { .. }) {
            self.said = text;
        }
        self.meant(meaning, Missed::NotUnderstood, now);
    }

    fn key(&mut self, key: Key, now: Timestamp) {
        if std::mem::take(&mut self.complete) && key.character() == '#' {
            return;
        }
        let Waiting::Question(question) = &mut self.waiting else {
            if self.typed_ahead.len() < TYPED_AHEAD {
                self.typed_ahead.push(key);
            }
            return;
        };
        self.commands.push(Command::Hush);
        let meaning = question.key(key, &self.playbook, self.language, now);
        if meaning == Meaning::More {
            self.deadline = Some(now + KEY_PAUSE);
            return;
        }
        self.complete = question.takes_several_keys() && key.character() != '#';
        self.understood(&format!("#{key}"), &meaning);
        self.meant(meaning, Missed::WrongKey, now);
    }

    fn said(&mut self, now: Timestamp) {
        if let Waiting::Question(question) = &self.waiting
            && !question.speaking
            && question.typed.is_empty()
        {
            let silence = SignedDuration::from_secs(i64::from(question.ask.silence_seconds));
            self.deadline = Some(now + silence);
        }
    }

    fn time(&mut self, now: Timestamp) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        self.deadline = None;
        match &mut self.waiting {
            Waiting::Question(question) if !question.typed.is_empty() => {
                let meaning = question.typed_out(&self.playbook, self.language, now);
                self.understood("#", &meaning);
                self.meant(meaning, Missed::WrongKey, now);
            }
            Waiting::Question(question) => {
                let missed = if question.speaking {
                    Missed::NotUnderstood
                } else {
                    Missed::Silence
                };
                question.speaking = false;
                self.missed(missed, now);
            }
            Waiting::Recording { .. } => {
                let nothing = Recording {
                    file: String::new(),
                    seconds: 0.0,
                    transcript: None,
                };
                self.recorded(&nothing, now);
            }
            Waiting::Order { .. } => {
                self.done(
                    Done::Refused {
                        reason: "no answer in time".to_owned(),
                    },
                    now,
                );
            }
            Waiting::Transfer { .. } => self.transfer_failed("no answer in time"),
            Waiting::Start(_) | Waiting::Over => {}
        }
    }

    fn speech_unavailable(&mut self, now: Timestamp) {
        self.speech = false;
        if let Waiting::Question(question) = &mut self.waiting {
            question.speaking = false;
            self.deadline = None;
            self.commands.push(Command::Deafen);
            self.put_question(Missed::Nothing, now);
        }
    }

    fn recorded(&mut self, recording: &Recording, now: Timestamp) {
        let Waiting::Recording { into, otherwise } = &self.waiting else {
            return;
        };
        let (into, otherwise) = (into.clone(), *otherwise);
        self.deadline = None;
        let words = recording.transcript.as_deref().unwrap_or_default().trim();
        if recording.file.is_empty() && words.is_empty() {
            return self.go_otherwise(otherwise, now);
        }
        self.set(&into, json!(recording));
        self.run(now);
    }

    fn done(&mut self, done: Done, now: Timestamp) {
        let Waiting::Order { into, otherwise } = &self.waiting else {
            return;
        };
        let (into, otherwise) = (into.clone(), *otherwise);
        self.deadline = None;
        match done {
            Done::Noted { reference } | Done::AlreadyNoted { reference } => {
                self.set(&into, json!(reference));
                self.run(now);
            }
            Done::Refused { reason } => {
                self.note_fault(format!("order refused: {reason}"));
                self.go_otherwise(otherwise, now);
            }
        }
    }

    fn transfer_failed(&mut self, reason: &str) {
        let Waiting::Transfer { to_operator } = self.waiting else {
            return;
        };
        self.deadline = None;
        self.note_fault(format!("transfer failed: {reason}"));
        match self.overflow.take() {
            Some((department, target, handoff)) => {
                self.bound_for = Some(department);
                self.transfer(target, handoff, false);
            }
            None if to_operator => self.fall_back(),
            None => self.call_operator(),
        }
    }
}

/// Tells whether the question is what the caller wants, in their own words.
fn question_is_open(waiting: &Waiting) -> bool {
    match waiting {
        Waiting::Question(question) => {
            question.confirming.is_none() && matches!(question.ask.answer, flow::Answer::Intent(_))
        }
        _ => false,
    }
}

/// Whether a step waits for an event.
enum Step {
    On,
    Wait,
}

/// Why a question is put again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missed {
    Nothing,
    NotUnderstood,
    Silence,
    WrongKey,
    Wrong,
}

impl Missed {
    fn word(self) -> &'static str {
        match self {
            Self::Silence => "...",
            Self::Nothing | Self::NotUnderstood | Self::WrongKey | Self::Wrong => "",
        }
    }
}
