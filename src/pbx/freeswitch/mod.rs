//! FreeSWITCH over its Event Socket: calls come in by the dialplan's `socket … async full`, one
//! connection each; a link of our own beside them dials, reads queues and hears what happens to
//! callers who have been moved on. Audio goes by unicast.

mod calls;
mod commands;
mod link;
mod originate;
mod outcome;
mod queues;
mod session;
pub mod told;
mod transfer;
pub mod unicast;
mod value;
