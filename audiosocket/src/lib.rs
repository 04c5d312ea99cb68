//! AudioSocket: the little TCP protocol over which Asterisk hands a call's audio to a program.
//!
//! [`frame`] turns bytes into frames and back and is pure; [`server`] accepts calls, [`client`] places
//! them, [`stream`] reads and writes frames on any byte stream, [`pace`] is the 20 ms clock that audio
//! leaves by, and [`mulaw`] undoes the one codec Asterisk sends by mistake. The crate mixes,
//! resamples and recognises nothing, and it writes no log: what went wrong is returned.
//!
//! Figures about the wire were measured against Asterisk 22.10.1, of whose audio kinds 0x10 and 0x12 were
//! seen; the others are taken from its published list and were not.

pub mod client;
pub mod frame;
pub mod mulaw;
pub mod pace;
pub mod server;
pub mod session;
pub mod stream;

pub use client::Client;
pub use frame::{Audio, Decoder, Digit, Frame, Malformed, Rate, Unsendable, encode};
pub use pace::{Clock, Pace, Tick};
pub use server::Server;
pub use session::Session;
pub use stream::{FrameReader, FrameWriter, ReadError, WriteError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
