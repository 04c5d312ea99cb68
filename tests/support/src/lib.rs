//! The street outside the house: the phones, the PBX, the mail server and the callers' voices that
//! Hotline's tests, demo and benches meet it with.
//!
//! Everything runs on the loopback address, on free ports and in temporary folders, and goes away
//! when its value is dropped. Nothing here depends on Hotline itself, so what is observed is what
//! a real phone or mail server would observe.

pub mod asterisk;
pub mod cache;
pub mod caller;
pub mod engines;
pub mod freeswitch;
pub mod g711;
pub mod hotline;
pub mod pbx;
pub mod phone;
pub mod port;
pub mod process;
pub mod record;
pub mod smtp;
pub mod sound;
pub mod tone;
pub mod voices;

pub use asterisk::Asterisk;
pub use freeswitch::FreeSwitch;
pub use hotline::Hotline;
pub use pbx::Pbx;

pub use phone::Phone;
pub use process::Process;
pub use record::Record;
