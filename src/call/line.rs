//! The line to one caller: frames in and out, keys, and its end. An AudioSocket connection is one,
//! the browser phone another; nothing above knows which.

use async_trait::async_trait;

use crate::words::Key;

/// Samples in one frame: 20 ms at 8 kHz.
pub const FRAME: usize = 160;

/// What comes from the caller.
#[derive(Clone, Debug, PartialEq)]
pub enum FromCaller {
    /// Audio, 8 kHz, usually 20 ms of it.
    Audio(Vec<i16>),
    /// A key.
    Key(Key),
    /// The line is down: the caller hung up, or the PBX took the caller elsewhere.
    Gone,
    /// The line is down, and the caller is known to be still there: the dialplan has them.
    Taken,
}

/// The caller's half of a line.
#[async_trait]
pub trait LineIn: Send {
    /// Waits for what comes next; may be dropped while waiting without losing anything.
    async fn next(&mut self) -> FromCaller;
}

/// Our half of a line.
#[async_trait]
pub trait LineOut: Send {
    /// Sends 20 ms of audio without waiting. False when it could not leave now and is dropped.
    fn send(&mut self, frame: &[i16; FRAME]) -> bool;

    /// Closes the line.
    async fn close(&mut self);
}

/// What says when a frame is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Our own clock, every 20 ms.
    Clock,
    /// The caller's audio: one frame goes back for each that comes.
    Caller,
}

/// Both halves.
pub struct Line {
    /// What comes from the caller.
    pub from_caller: Box<dyn LineIn>,
    /// What goes to the caller.
    pub to_caller: Box<dyn LineOut>,
    /// What says when a frame is due.
    pub pace: Pace,
}
