//! The dialog itself: runs a flow's program between events and says what is to be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::command::{Command, Listen, Note, Outcome, Record, Say};
use super::event::{Event, Facts, Heard, Recording};
use super::order::{
    CallbackOrder, CancellationOrder, Done, Due, Handoff, MessageOrder, Order, Target,
};
use super::playbook::Playbook;
use super::program::{Op, Otherwise, Program};
use super::question::{Answered, Interpreted, Meaning, Question};
use super::scope::{self, Caller, SlotValue, text_in};
use crate::flow;
use crate::words::{DepartmentId, FlowName, Key, Language, PhoneNumber, Texts};

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
            Event::Partial(_) => {}
            Event::Heard(heard) => self.heard(&heard, now),
            Event::Key(key) => self.key(key, now),
            Event::Said => self.said(now),
            Event::Recorded(recording) => self.recorded(&recording, now),
            Event::Done(done) => self.done(done, now),
            Event::TransferFailed { reason } => self.transfer_failed(&reason),
            Event::SpeechUnavailable => self.speech_unavailable(now),
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

    fn heard(&mut self, heard: &Heard, now: Timestamp) {
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
        if matches!(self.waiting, Waiting::Question(_)) {
            self.commands.push(Command::Deafen);
            self.put_question(Missed::Nothing, now);
        }
    }

    /// Acts on what a turn meant.
    fn meant(&mut self, meaning: Meaning, missed: Missed, now: Timestamp) {
        let Waiting::Question(question) = &mut self.waiting else {
            return;
        };
        self.deadline = None;
        match meaning {
            Meaning::Answer {
                answer,
                confirm: true,
            } => {
                question.between = None;
                question.confirming = Some(answer);
                self.ask_to_confirm();
            }
            Meaning::Answer {
                answer,
                confirm: false,
            } => self.take(answer, now),
            Meaning::Confirmation(true) => {
                if let Some(answer) = question.confirming.take() {
                    self.take(answer, now);
                }
            }
            Meaning::Confirmation(false) => {
                question.confirming = None;
                self.missed(Missed::Wrong, now);
            }
            Meaning::Between(between, _) => {
                let [first, second] = between.clone().map(|name| {
                    super::question::intent_aloud(&self.playbook, &name, self.language)
                });
                question.between = Some(between);
                let which = self.playbook.shelf.phrases.which_of.clone();
                self.phrase(&which, &[("first", &first), ("second", &second)]);
                self.say_menu_if(!self.speech);
                self.listen();
            }
            Meaning::Operator => self.call_operator(),
            Meaning::Repeat if question.confirming.is_some() => self.ask_to_confirm(),
            Meaning::Repeat => self.put_question(Missed::Nothing, now),
            Meaning::Language(language) => {
                question.confirming = None;
                if self.playbook.shelf.tenant.languages.contains(&language) {
                    self.language = language;
                }
                self.put_question(Missed::Nothing, now);
            }
            Meaning::More => self.deadline = Some(now + KEY_PAUSE),
            Meaning::Nothing(_) => self.missed(missed, now),
        }
    }

    /// Takes an answer and goes on.
    fn take(&mut self, answer: Answered, now: Timestamp) {
        self.commands.push(Command::Deafen);
        for (name, value) in answer.slots {
            self.set(&name, value);
        }
        self.run(now);
    }

    /// Asks again, or gives the question up.
    fn missed(&mut self, missed: Missed, now: Timestamp) {
        let Waiting::Question(question) = &mut self.waiting else {
            return;
        };
        question.confirming = None;
        question.between = None;
        question.typed.clear();
        if question.tries < question.ask.tries {
            return self.put_question(missed, now);
        }
        self.commands.push(Command::Deafen);
        let otherwise = question.otherwise;
        self.note_verdict(missed.word(), "give up");
        self.go_otherwise(otherwise, now);
    }

    fn go_otherwise(&mut self, otherwise: Otherwise, now: Timestamp) {
        match (otherwise, self.stack.last_mut()) {
            (Some(at), Some(frame)) => {
                frame.at = at;
                self.run(now);
            }
            _ => self.call_operator(),
        }
    }

    /// Says the question, the shorter or more helpful way after a miss, and listens.
    fn put_question(&mut self, missed: Missed, now: Timestamp) {
        let Waiting::Question(question) = &mut self.waiting else {
            return;
        };
        let again = missed != Missed::Nothing;
        if again || question.tries == 0 {
            question.tries += 1;
        }
        let (tries, ask) = (question.tries, question.ask.clone());
        let phrases = self.playbook.shelf.phrases.clone();
        match missed {
            Missed::NotUnderstood => self.phrase(&phrases.not_understood, &[]),
            Missed::Silence => self.phrase(&phrases.not_heard, &[]),
            Missed::WrongKey => self.phrase(&phrases.wrong_key, &[]),
            Missed::Nothing | Missed::Wrong => {}
        }
        let text = match tries.checked_sub(2) {
            Some(retry) => ask
                .again
                .get(retry as usize)
                .or(ask.again.last())
                .unwrap_or(&ask.say),
            None => &ask.say,
        };
        if let Err(fault) = self.say(text, ask.barge_in, now) {
            return self.fault(fault);
        }
        self.say_menu_if(!self.speech || (tries > 1 && tries >= ask.tries));
        self.listen();
        self.retype(now);
    }

    /// Gives keys pressed before the question to it.
    fn retype(&mut self, now: Timestamp) {
        for key in std::mem::take(&mut self.typed_ahead) {
            self.key(key, now);
        }
    }

    fn ask_to_confirm(&mut self) {
        let Waiting::Question(question) = &self.waiting else {
            return;
        };
        let Some(answer) = &question.confirming else {
            return;
        };
        let phrases = self.playbook.shelf.phrases.clone();
        let aloud = answer.aloud.clone();
        match &question.ask.answer {
            flow::Answer::Intent(_) | flow::Answer::Department | flow::Answer::Choice(_) => {
                self.phrase(&phrases.confirm_intent, &[("name", &aloud)]);
            }
            _ => self.phrase(&phrases.confirm_value, &[("value", &aloud)]),
        }
        if !self.speech {
            self.phrase(&phrases.press_yes_no, &[]);
        }
        self.listen();
    }

    /// Reads the keys of the question out.
    fn say_menu_if(&mut self, wanted: bool) {
        let Waiting::Question(question) = &self.waiting else {
            return;
        };
        if !wanted {
            return;
        }
        let phrases = self.playbook.shelf.phrases.clone();
        let menu = question.menu(&self.playbook, self.language);
        match &question.ask.answer {
            flow::Answer::YesNo => self.phrase(&phrases.press_yes_no, &[]),
            flow::Answer::Digits(_) | flow::Answer::Phone => {
                self.phrase(&phrases.enter_digits, &[]);
            }
            flow::Answer::Date => self.phrase(&phrases.enter_date, &[]),
            flow::Answer::Time => self.phrase(&phrases.enter_time, &[]),
            _ => {
                for (key, name) in menu {
                    let key = super::speak::digits(&key.to_string(), self.language);
                    self.phrase(&phrases.press_key, &[("key", &key), ("name", &name)]);
                }
            }
        }
    }

    fn listen(&mut self) {
        let Waiting::Question(question) = &self.waiting else {
            return;
        };
        if !self.speech {
            return;
        }
        let mut languages = self.playbook.shelf.tenant.languages.clone();
        languages.sort_by_key(|language| *language != self.language);
        let hints = languages
            .iter()
            .map(|language| (*language, question.hints(&self.playbook, *language)))
            .collect();
        self.commands.push(Command::Listen(Listen {
            expect: question.expect(),
            languages,
            hints,
        }));
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

    /// Runs until the flow waits for something.
    fn run(&mut self, now: Timestamp) {
        for _ in 0..OPS_PER_EVENT {
            let Some(frame) = self.stack.last_mut() else {
                return self.finish();
            };
            let program = frame.program.clone();
            let Some(op) = program.ops.get(frame.at) else {
                self.stack.pop();
                continue;
            };
            frame.at += 1;
            match self.step(op, &program, now) {
                Ok(Step::On) => {}
                Ok(Step::Wait) => return,
                Err(fault) => return self.fault(fault),
            }
        }
        self.fault("the flow goes on without waiting for anything".to_owned());
    }

    fn step(&mut self, op: &Op, program: &Program, now: Timestamp) -> Result<Step, Fault> {
        match op {
            Op::State(state) => {
                let (flow, state) = (program.name.to_string(), state.to_string());
                self.commands
                    .push(Command::Note(Note::State { flow, state }));
            }
            Op::Notices => {
                for notice in self.facts.notices.clone() {
                    self.say_plain(&notice.text, false);
                }
            }
            Op::Say(flow::Say::Texts(text)) => self.say(text, true, now)?,
            Op::Say(flow::Say::Full(say)) => self.say(&say.text, say.barge_in, now)?,
            Op::Ask(ask, otherwise) => {
                self.waiting = Waiting::Question(Box::new(Question::new(ask.clone(), *otherwise)));
                self.put_question(Missed::Nothing, now);
                return Ok(Step::Wait);
            }
            Op::JumpUnless(condition, to) => {
                if !self.evaluate(condition, now)?.is_true() {
                    self.jump(*to);
                }
            }
            Op::Jump(to) => self.jump(*to),
            Op::Call(flow) => self.enter(flow)?,
            Op::Set(slots) => {
                for (name, expression) in &slots.0 {
                    let value = self.evaluate(expression, now)?;
                    let value = serde_json::to_value(&value).map_err(|e| e.to_string())?;
                    self.set(name, value);
                }
            }
            Op::Transfer(transfer) => {
                let (target, handoff) = self.aim(transfer, now)?;
                self.overflow = self.overflow_of(transfer, &handoff, now);
                let department = transfer.department.as_deref();
                self.bound_for = department.and_then(|it| self.department_in(it, now).ok());
                self.transfer(target, handoff, false);
                return Ok(Step::Wait);
            }
            Op::Record(record, otherwise) => {
                self.say(&record.say, true, now)?;
                let max = u64::from(record.max_seconds);
                self.commands.push(Command::Record(Record {
                    max: std::time::Duration::from_secs(max),
                    silence: std::time::Duration::from_secs(u64::from(record.silence_seconds)),
                    language: self.language,
                }));
                self.waiting = Waiting::Recording {
                    into: record.into.clone(),
                    otherwise: *otherwise,
                };
                // The words before the beep take time too; the call's own limit is `max`.
                self.deadline = Some(now + SignedDuration::from_secs(max as i64 + 90));
                return Ok(Step::Wait);
            }
            Op::Message(message, otherwise) => {
                let order = Order::Message(MessageOrder {
                    department: self.department_in(&message.department, now)?,
                    language: self.language,
                    caller: self.caller.number.clone(),
                    recording: self.recording_in(message.recording.as_deref()),
                    subject: self.render(&message.subject, now)?,
                    facts: self.gathered(&message.facts, now)?,
                });
                return Ok(self.order(order, &message.into, *otherwise, now));
            }
            Op::Cancel(cancel, otherwise) => {
                let worker = cancel.case_worker.as_deref().map(|t| self.render(t, now));
                let order = Order::Cancellation(CancellationOrder {
                    department: self.department_in(&cancel.department, now)?,
                    language: self.language,
                    caller: self.caller.number.clone(),
                    case_worker: worker.transpose()?.filter(|mail| !mail.trim().is_empty()),
                    recording: self.recording_in(cancel.recording.as_deref()),
                    facts: self.gathered(&cancel.facts, now)?,
                });
                return Ok(self.order(order, &cancel.into, *otherwise, now));
            }
            Op::Callback(callback, otherwise) => {
                let number = self.text_of(&callback.number, now)?;
                let order = Order::Callback(CallbackOrder {
                    department: self.department_in(&callback.department, now)?,
                    language: self.language,
                    number: PhoneNumber::parse(&number).map_err(|error| error.to_string())?,
                    name: self.caller.name.clone(),
                    reason: self.render(&callback.reason, now)?,
                    due: self.due(callback, now)?,
                });
                return Ok(self.order(order, &callback.into, *otherwise, now));
            }
            Op::Language(expression) => {
                let code = self.text_of(expression, now)?;
                let language: Language = code.parse().map_err(|e| format!("{e}"))?;
                if self.playbook.shelf.tenant.languages.contains(&language) {
                    self.language = language;
                }
            }
            Op::Return => {
                self.stack.pop();
            }
            Op::Hangup(hangup) => {
                self.say(&hangup.say, false, now)?;
                self.finish();
                return Ok(Step::Wait);
            }
        }
        Ok(Step::On)
    }

    fn enter(&mut self, flow: &FlowName) -> Result<(), Fault> {
        if self.stack.len() >= DEPTH {
            return Err(format!("flow {flow} is called more than {DEPTH} deep"));
        }
        let program = self.playbook.programs.get(flow);
        let program = program
            .ok_or_else(|| format!("there is no flow {flow}"))?
            .clone();
        self.stack.push(Frame {
            at: program.start,
            program,
        });
        Ok(())
    }

    fn jump(&mut self, to: usize) {
        if let Some(frame) = self.stack.last_mut() {
            frame.at = to;
        }
    }

    fn order(&mut self, order: Order, into: &str, otherwise: Otherwise, now: Timestamp) -> Step {
        self.commands.push(Command::Do(order));
        self.waiting = Waiting::Order {
            into: into.to_owned(),
            otherwise,
        };
        self.deadline = Some(now + ORDER_DEADLINE);
        Step::Wait
    }

    fn due(&self, callback: &flow::Callback, now: Timestamp) -> Result<Due, Fault> {
        let (Some(date), Some(time)) = (&callback.date, &callback.time) else {
            return Ok(Due::QueueShort);
        };
        let text = format!("{}T{}", self.text_of(date, now)?, self.text_of(time, now)?);
        let at: jiff::civil::DateTime = text.parse().map_err(|e| format!("{text:?}: {e}"))?;
        let at = at
            .to_zoned(self.playbook.zone.clone())
            .map_err(|e| e.to_string())?;
        Ok(Due::At(at.timestamp()))
    }

    fn aim(&self, transfer: &flow::Transfer, now: Timestamp) -> Result<(Target, Handoff), Fault> {
        let reason = transfer
            .reason
            .as_deref()
            .map(|t| self.render(t, now))
            .transpose()?;
        if let Some(extension) = &transfer.extension {
            let handoff = self.handoff(reason.unwrap_or_default());
            return Ok((Target::Extension(extension.clone()), handoff));
        }
        if let Some(number) = &transfer.number {
            let number = PhoneNumber::parse(&self.text_of(number, now)?);
            let number = number.map_err(|error| error.to_string())?;
            return Ok((
                Target::External(number),
                self.handoff(reason.unwrap_or_default()),
            ));
        }
        let id =
            self.department_in(transfer.department.as_deref().unwrap_or("operator.id"), now)?;
        let department = self
            .playbook
            .department(&id)
            .ok_or(format!("no department {id}"))?;
        let target = Target::Queue {
            queue: department.queue.clone(),
            priority: transfer.priority,
        };
        let name = || self.playbook.department_name(&id, self.agents_language());
        Ok((target, self.handoff(reason.unwrap_or_else(name))))
    }

    /// Returns where callers of a department go when it cannot take them.
    fn overflow_of(
        &self,
        transfer: &flow::Transfer,
        handoff: &Handoff,
        now: Timestamp,
    ) -> Option<(DepartmentId, Target, Handoff)> {
        let id = self
            .department_in(transfer.department.as_deref()?, now)
            .ok()?;
        let overflow = self.playbook.department(&id)?.overflow.as_ref()?;
        let queue = self.playbook.department(overflow)?.queue.clone();
        let target = Target::Queue {
            queue,
            priority: transfer.priority,
        };
        Some((overflow.clone(), target, handoff.clone()))
    }

    fn agents_language(&self) -> Language {
        self.playbook
            .shelf
            .tenant
            .mail
            .language
            .unwrap_or_else(|| self.playbook.first_language())
    }

    fn handoff(&self, reason: String) -> Handoff {
        let agents = self.agents_language();
        let tenant = &self.playbook.shelf.tenant.name;
        let tenant = tenant
            .get(&agents)
            .or(tenant.values().next())
            .cloned()
            .unwrap_or_default();
        let phrase = text_in(&self.playbook.shelf.phrases.whisper, agents);
        let values = minijinja::context! {
            tenant => tenant.clone(), reason => reason.clone(), language => agents.code(),
            spoken => self.language.code(),
        };
        let summary = self
            .playbook
            .environment
            .render_str(phrase, values)
            .unwrap_or_default();
        Handoff {
            caller: self.caller.number.clone(),
            language: Some(self.language),
            reason,
            summary,
            agents: Some(agents),
            tenant,
            reference: self
                .slots
                .get("reference")
                .and_then(SlotValue::as_str)
                .map(Into::into),
            whisper: None,
        }
    }

    fn transfer(&mut self, target: Target, handoff: Handoff, to_operator: bool) {
        self.commands.push(Command::Deafen);
        self.commands.push(Command::Transfer { target, handoff });
        // The call reports in its own time, after all is said; there is no deadline here.
        self.waiting = Waiting::Transfer { to_operator };
        self.deadline = None;
    }

    /// Sends the caller to a person, the end of every path that does not work out.
    fn call_operator(&mut self) {
        let phrase = self.playbook.shelf.phrases.to_person.clone();
        self.phrase(&phrase, &[]);
        let operator = self.playbook.shelf.tenant.operator.clone();
        let Some(department) = self.playbook.department(&operator) else {
            return self.fall_back();
        };
        self.bound_for = Some(operator.clone());
        let target = Target::Queue {
            queue: department.queue.clone(),
            priority: 0,
        };
        let reason = match self.department() {
            Some(id) => self.playbook.department_name(&id, self.agents_language()),
            None => self
                .playbook
                .department_name(&operator, self.agents_language()),
        };
        let handoff = self.handoff(reason);
        self.transfer(target, handoff, true);
    }

    fn fault(&mut self, fault: Fault) {
        self.note_fault(fault);
        if self.falling_back {
            return self.fall_back();
        }
        self.falling_back = true;
        self.call_operator();
    }

    fn fall_back(&mut self) {
        self.commands.push(Command::HangUp {
            outcome: Outcome::FellBack,
        });
        self.over();
    }

    fn finish(&mut self) {
        self.commands.push(Command::HangUp {
            outcome: Outcome::Completed,
        });
        self.over();
    }

    fn over(&mut self) {
        self.waiting = Waiting::Over;
        self.deadline = None;
        self.stack.clear();
    }

    fn set(&mut self, name: &str, value: SlotValue) {
        let shown = match &value {
            SlotValue::Bool(_) | SlotValue::Number(_) => value.to_string(),
            SlotValue::String(text) if is_plain(name, text) => text.clone(),
            _ => "***".to_owned(),
        };
        self.commands.push(Command::Note(Note::Slot {
            name: name.to_owned(),
            value: shown,
        }));
        self.slots.insert(name.to_owned(), value);
    }

    fn say(&mut self, texts: &Texts, barge_in: bool, now: Timestamp) -> Result<(), Fault> {
        let text = self.render(text_in(texts, self.language), now)?;
        self.speak(text, barge_in);
        Ok(())
    }

    fn say_plain(&mut self, texts: &Texts, barge_in: bool) {
        let text = text_in(texts, self.language).to_owned();
        self.speak(text, barge_in);
    }

    fn phrase(&mut self, texts: &Texts, values: &[(&str, &str)]) {
        let language = ("language", self.language.code());
        let values = values.iter().chain([&language]);
        let values = minijinja::Value::from_pairs(values.map(|(name, value)| (*name, *value)));
        let text = text_in(texts, self.language);
        match self.playbook.environment.render_str(text, values) {
            Ok(text) => self.speak(text, true),
            Err(error) => self.note_fault(format!("phrase {text:?}: {error}")),
        }
    }

    fn speak(&mut self, text: String, barge_in: bool) {
        let text = text.trim().to_owned();
        if !text.is_empty() {
            let language = self.language;
            self.commands.push(Command::Say(Say {
                language,
                text,
                barge_in,
            }));
        }
    }

    fn render(&self, template: &str, now: Timestamp) -> Result<String, Fault> {
        if !template.contains('{') {
            return Ok(template.to_owned());
        }
        let rendered = self
            .playbook
            .environment
            .render_str(template, self.seen(now));
        rendered.map_err(|error| format!("text {template:?}: {error}"))
    }

    fn evaluate(&self, expression: &str, now: Timestamp) -> Result<minijinja::Value, Fault> {
        let compiled = self.playbook.environment.compile_expression(expression);
        let value = compiled.and_then(|compiled| compiled.eval(self.seen(now)));
        value.map_err(|error| format!("expression {expression:?}: {error}"))
    }

    fn text_of(&self, expression: &str, now: Timestamp) -> Result<String, Fault> {
        Ok(self.evaluate(expression, now)?.to_string())
    }

    fn department_in(&self, expression: &str, now: Timestamp) -> Result<DepartmentId, Fault> {
        let id = DepartmentId(self.text_of(expression, now)?);
        match self.playbook.department(&id) {
            Some(_) => Ok(id),
            None => Err(format!(
                "expression {expression:?} gives {id}, which is no department"
            )),
        }
    }

    fn recording_in(&self, slot: Option<&str>) -> Option<Recording> {
        let value = self.slots.get(slot?)?.clone();
        serde_json::from_value(value).ok()
    }

    fn gathered(
        &self,
        facts: &flow::Entries,
        now: Timestamp,
    ) -> Result<Vec<(String, String)>, Fault> {
        let render =
            |(name, template): &(String, String)| Ok((name.clone(), self.render(template, now)?));
        facts.0.iter().map(render).collect()
    }

    fn seen(&self, now: Timestamp) -> minijinja::Value {
        scope::seen(
            &self.playbook,
            &self.caller,
            &self.slots,
            &self.facts,
            self.language,
            self.speech,
            &self.said,
            now,
        )
    }

    fn understood(&mut self, heard: &str, meaning: &Meaning) {
        let (taken, confidence, verdict, why) = match meaning {
            Meaning::Answer { answer, confirm } => {
                let slots: Vec<String> = answer
                    .slots
                    .iter()
                    .map(|(name, value)| {
                        format!("{name} = {}", value.as_str().unwrap_or(&value.to_string()))
                    })
                    .collect();
                let verdict = if *confirm { "confirm" } else { "act" };
                (
                    Some(slots.join(", ")),
                    answer.confidence,
                    verdict,
                    answer.why.clone(),
                )
            }
            Meaning::Confirmation(true) => (Some("yes".to_owned()), 1.0, "act", Vec::new()),
            Meaning::Confirmation(false) => (Some("no".to_owned()), 1.0, "ask again", Vec::new()),
            Meaning::Between([first, second], why) => (
                Some(format!("{first} or {second}")),
                0.5,
                "ask which",
                why.clone(),
            ),
            Meaning::Operator => (Some("operator".to_owned()), 1.0, "act", Vec::new()),
            Meaning::Repeat => (Some("repeat".to_owned()), 1.0, "act", Vec::new()),
            Meaning::Language(language) => (Some(language.to_string()), 1.0, "act", Vec::new()),
            Meaning::More => return,
            Meaning::Nothing(why) => (None, 0.0, "ask again", why.clone()),
        };
        self.commands.push(Command::Note(Note::Understood {
            heard: heard.to_owned(),
            meaning: taken,
            confidence,
            verdict: verdict.to_owned(),
            why,
        }));
    }

    fn note_verdict(&mut self, heard: &str, verdict: &str) {
        self.commands.push(Command::Note(Note::Understood {
            heard: heard.to_owned(),
            meaning: None,
            confidence: 0.0,
            verdict: verdict.to_owned(),
            why: Vec::new(),
        }));
    }

    fn note_fault(&mut self, message: String) {
        self.commands.push(Command::Note(Note::Fault { message }));
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

/// Tells whether a slot's value says nothing about a person: names of things, not what was said.
fn is_plain(name: &str, text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    matches!(
        name,
        "department" | "wish" | "reference" | "language" | "date" | "time"
    ) || (digits == 0 && text.len() <= 24 && !text.contains(' '))
}
