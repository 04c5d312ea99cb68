//! FreeSWITCH's side: sessions recorded on a real one, and a switch played by the test.

mod channel;
mod decoding;
mod hostile;
mod injection;
mod link;
mod load;
mod outgoing;
mod recording;
mod sessions;
mod speaker;
mod switch;
