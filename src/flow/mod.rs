//! What people write: flows and tenants as YAML, read with the place of every word, checked whole.

mod document;
mod library;
mod phrases;
pub mod story;
mod tenant;

pub use document::*;
pub use library::Shelf;
pub use phrases::Phrases;
pub use tenant::*;
