//! The dialog: one flow in progress with one caller. It is pure: events and the time go in,
//! commands come out; it knows no socket, no clock and no PBX.

mod command;
mod event;
pub mod hear;
mod machine;
mod order;
mod playbook;
mod program;
mod question;
pub mod rehearsal;
mod repertoire;
mod scope;
pub mod speak;

pub use command::{Command, Expect, Listen, Note, Outcome, Record, Say};
pub use event::{Event, Facts, Heard, Hypothesis, Notice, QueueState, Recording};
pub use machine::Dialog;
pub use order::{
    CallbackOrder, CancellationOrder, Done, Due, Handoff, MessageOrder, Order, Target,
};
pub use playbook::{Phrases, Playbook, Unplayable};
pub use scope::{Caller, SlotValue, environment};
pub use speak::spoken;
