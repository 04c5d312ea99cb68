//! A flow made flat: a list of operations with jumps, so that a dialog's place is one number.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::flow::{
    Ask, Branch, Callback, Cancel, Entries, Flow, Hangup, Message, Record, Say, Step, Transfer,
};
use crate::words::{FlowName, StateName};

/// A place in a [`Program`].
pub(super) type Address = usize;

/// Where to go on when a step cannot be done; `None` is the house's own way: to a person.
pub(super) type Otherwise = Option<Address>;

/// One operation.
#[derive(Debug)]
pub(super) enum Op {
    State(StateName),
    Notices,
    Say(Say),
    Ask(Arc<Ask>, Otherwise),
    JumpUnless(String, Address),
    Jump(Address),
    Call(FlowName),
    Set(Entries),
    Transfer(Transfer),
    Record(Record, Otherwise),
    Message(Message, Otherwise),
    Cancel(Cancel, Otherwise),
    Callback(Callback, Otherwise),
    Language(String),
    Return,
    Hangup(Hangup),
}

/// A flow that can be run.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) name: FlowName,
    pub(super) start: Address,
    pub(super) ops: Vec<Op>,
}

impl Program {
    /// Makes a checked flow flat. A `goto` to a state that is not there ends the flow.
    pub(super) fn new(flow: &Flow) -> Self {
        let mut writer = Writer::default();
        for (name, steps) in &flow.states {
            writer.states.insert(name.clone(), writer.ops.len());
            writer.ops.push(Op::State(name.clone()));
            writer.steps(steps);
            writer.ops.push(Op::Return);
        }
        let end = writer.ops.len();
        writer.ops.push(Op::Return);
        for (at, state) in std::mem::take(&mut writer.gotos) {
            writer.ops[at] = Op::Jump(writer.states.get(&state).copied().unwrap_or(end));
        }
        let start = writer.states.get(&flow.start).copied().unwrap_or(end);
        Self {
            name: flow.flow.clone(),
            start,
            ops: writer.ops,
        }
    }
}

#[derive(Default)]
struct Writer {
    ops: Vec<Op>,
    states: BTreeMap<StateName, Address>,
    gotos: Vec<(Address, StateName)>,
}

impl Writer {
    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Notices(_) => self.ops.push(Op::Notices),
            Step::Say(say) => self.ops.push(Op::Say(say.clone())),
            Step::Goto(state) => self.goto(state),
            Step::Call(flow) => self.ops.push(Op::Call(flow.clone())),
            Step::Set(slots) => self.ops.push(Op::Set(slots.clone())),
            Step::Transfer(transfer) => self.ops.push(Op::Transfer(transfer.clone())),
            Step::Language(expression) => self.ops.push(Op::Language(expression.clone())),
            Step::Return(_) => self.ops.push(Op::Return),
            Step::Hangup(hangup) => self.ops.push(Op::Hangup(hangup.clone())),
            Step::When(branches) => self.branches(branches),
            Step::Ask(ask) => {
                let ask = Arc::new((**ask).clone());
                self.or_else(&ask.clone().otherwise, |otherwise| Op::Ask(ask, otherwise));
            }
            Step::Record(it) => self.or_else(&it.otherwise, |to| Op::Record(it.clone(), to)),
            Step::Message(it) => self.or_else(&it.otherwise, |to| Op::Message(it.clone(), to)),
            Step::Cancel(it) => self.or_else(&it.otherwise, |to| Op::Cancel(it.clone(), to)),
            Step::Callback(it) => self.or_else(&it.otherwise, |to| Op::Callback(it.clone(), to)),
        }
    }

    /// Writes an operation, the way round its `otherwise`, and the `otherwise`.
    fn or_else(&mut self, otherwise: &[Step], op: impl FnOnce(Otherwise) -> Op) {
        if otherwise.is_empty() {
            self.ops.push(op(None));
            return;
        }
        let at = self.ops.len();
        self.ops.push(op(Some(at + 2)));
        let round = self.hole();
        self.steps(otherwise);
        self.ops[round] = Op::Jump(self.ops.len());
    }

    fn branches(&mut self, branches: &[Branch]) {
        let mut ends = Vec::new();
        for branch in branches {
            let skip = branch
                .condition
                .as_ref()
                .map(|condition| (self.hole(), condition));
            self.steps(branch.steps.as_deref().unwrap_or_default());
            self.steps(branch.otherwise.as_deref().unwrap_or_default());
            ends.push(self.hole());
            if let Some((hole, condition)) = skip {
                self.ops[hole] = Op::JumpUnless(condition.clone(), self.ops.len());
            }
        }
        for hole in ends {
            self.ops[hole] = Op::Jump(self.ops.len());
        }
    }

    fn goto(&mut self, state: &StateName) {
        let at = self.hole();
        self.gotos.push((at, state.clone()));
    }

    /// Leaves room for an operation that is known later.
    fn hole(&mut self) -> Address {
        self.ops.push(Op::Return);
        self.ops.len() - 1
    }
}
