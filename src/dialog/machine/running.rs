//! Running: does a flow's steps until one of them waits.

use jiff::{SignedDuration, Timestamp};

use super::super::command::{Command, Note, Record};
use super::super::order::{CallbackOrder, CancellationOrder, Due, MessageOrder, Order};
use super::super::program::{Op, Otherwise, Program};
use super::super::question::Question;
use super::{DEPTH, Dialog, Fault, Frame, Missed, OPS_PER_EVENT, ORDER_DEADLINE, Step, Waiting};
use crate::flow;
use crate::words::{FlowName, Language, PhoneNumber};

impl Dialog {
    /// Runs until the flow waits for something.
    pub(super) fn run(&mut self, now: Timestamp) {
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

    pub(super) fn step(
        &mut self,
        op: &Op,
        program: &Program,
        now: Timestamp,
    ) -> Result<Step, Fault> {
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
            Op::Say(flow::Say::Full(say)) => self.say(&say.text, say.barge_in.by_speech(), now)?,
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

    pub(super) fn enter(&mut self, flow: &FlowName) -> Result<(), Fault> {
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

    pub(super) fn jump(&mut self, to: usize) {
        if let Some(frame) = self.stack.last_mut() {
            frame.at = to;
        }
    }

    pub(super) fn order(
        &mut self,
        order: Order,
        into: &str,
        otherwise: Otherwise,
        now: Timestamp,
    ) -> Step {
        self.commands.push(Command::Do(order));
        self.waiting = Waiting::Order {
            into: into.to_owned(),
            otherwise,
        };
        self.deadline = Some(now + ORDER_DEADLINE);
        Step::Wait
    }

    pub(super) fn due(&self, callback: &flow::Callback, now: Timestamp) -> Result<Due, Fault> {
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
}
