//! The link to Asterisk against sessions recorded on a real one, and against an Asterisk played by
//! the test on an in-memory stream.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod callers;
mod link;
mod outgoing;
mod recording;
mod replay;
mod stage;
