//! The scripted FreeSWITCH says what the recordings of a real one say, and complains of whatever a real
//! one would not have borne.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calls;
mod client;
mod crowds;
mod queues;
mod recordings;
mod strictness;
mod wire;
