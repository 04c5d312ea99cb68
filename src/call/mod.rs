//! Calls: one task owns one call, from the first frame to the last line of its journal.

pub mod audio_socket;
mod desk;
mod figures;
mod house;
pub mod journal;
pub mod line;
mod patience;
mod playout;
mod recorder;
mod redact;
mod task;
pub mod unicast;
mod whisper;

pub use desk::{Books, Desk};
pub use figures::Figures;
pub use house::House;
pub use patience::hold_on;
pub use redact::redact;
pub use whisper::Whispering;
