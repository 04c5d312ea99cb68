//! The link to Asterisk against sessions recorded on a real one, and against an Asterisk played by
//! the test on an in-memory stream.

mod callers;
mod link;
mod outgoing;
mod recording;
mod replay;
mod stage;
