//! The house tested from the street: real SIP phones call a real Asterisk, which hands their audio
//! to Hotline; agents answer, mails arrive. Nothing is simulated but people.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod house;
mod promise;
mod reach;
mod survive;
mod talk;
