//! What people write: flows and tenants as YAML, read with the place of every word, checked whole.

mod check;
mod document;
mod embedded;
mod finding;
mod library;
mod phrases;
mod place;
mod read;
mod schema;
pub mod story;
mod tenant;
mod tree;
mod variable;

pub use document::*;
pub use finding::{Finding, Severity, did_you_mean, report};
pub use library::{LANGUAGE_INTENT, Library, Shelf, Stories};
pub use phrases::Phrases;
pub use schema::schemas;
pub use tenant::*;
pub use variable::{FILTERS, VARIABLES, Variable};
