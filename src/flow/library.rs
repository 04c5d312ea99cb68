//! The shelf of every tenant: its flows and words, read from a folder and checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Flow, Intent, Phrases, Tenant};
use crate::words::{FlowName, IntentName};

/// Everything a call needs of one tenant, checked.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// The tenant.
    pub tenant: Tenant,
    /// Its flows: the common ones, and its own in their place.
    pub flows: BTreeMap<FlowName, Arc<Flow>>,
    /// The sentences the dialog speaks by itself.
    pub phrases: Arc<Phrases>,
    /// What a caller can want beside departments: the common ones with the tenant's words added.
    pub intents: BTreeMap<IntentName, Intent>,
}
