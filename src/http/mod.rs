//! The HTTP door.

mod config;

pub use config::Config;
