//! What people write: flows and tenants as YAML, read with the place of every word, checked whole.

mod document;
mod tenant;

pub use document::*;
pub use tenant::*;
