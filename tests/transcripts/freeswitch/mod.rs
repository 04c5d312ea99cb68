//! FreeSWITCH's side: sessions recorded on a real one, and a switch played by the test.

mod channel;
mod decoding;
mod link;
mod outgoing;
mod recording;
mod sessions;
mod switch;
