//! Asterisk over its Manager Interface.
pub mod link;
mod session;
pub mod wire;
