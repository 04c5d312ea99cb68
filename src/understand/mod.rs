//! What a caller wants, and in which language they said it: recognised words in, ranked intents
//! with reasons out. Everything comes from the tenant's own words; nothing here is learned, keeps
//! state or knows a flow, and the same words always give the same answer.

mod compound;
mod ending;
mod intent;
mod language;
mod refusal;
mod score;
mod stem;
mod stop;
pub mod text;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use ending::{Ending, ending, is_backchannel, is_hum};
pub use intent::{ACT, CONFIRM, Intent, MARGIN, Match, PRECEDENCE_SHARE, Understanding, Verdict};
pub use language::{choose, language_of};
pub use text::words;
pub use vocabulary::Vocabulary;
