//! Whether the shipped dialplan does what its README promises: each context on a real Asterisk,
//! between real SIP telephones, driven through the shipped manager user.

#![expect(clippy::unwrap_used, reason = "a test may fail in its helpers too")]

mod callback;
mod centre;
mod inbound;
mod peer;
mod transfer;
