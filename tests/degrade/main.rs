//! What callers get while engines fail: a whole Hotline, calls over AudioSocket, and servers of the
//! street behind it that are killed, hang, are slow or answer nonsense at the worst moments.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "the benches use more of it")]
#[path = "../bench/call.rs"]
mod call;
mod faults;
#[path = "../bench/manager.rs"]
mod manager;
mod scene;
mod soak;
mod waits;

/// Who measures how long callers wait shares the machine with others of its kind, and not with fifty
/// calls at once.
static MACHINE: tokio::sync::RwLock<()> = tokio::sync::RwLock::const_new(());
