//! What every call needs of the house: the carriers and services, joined by the roof.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::figures::Figures;
use super::journal::Live;
use crate::dialog::{Facts, Playbook, QueueState};
use crate::pbx::Pbx;
use crate::service::Services;
use crate::speech::{Ears, Limits, Voice};
use crate::store::{Clock, Store};
use crate::words::QueueName;

/// Carriers and services, shared by all calls.
pub struct House {
    /// The PBX beside us.
    pub pbx: Arc<dyn Pbx>,
    /// Recognisers, where there are any.
    pub ears: Option<Ears>,
    /// What speaks.
    pub voice: Arc<Voice>,
    /// What a dialog can order from.
    pub services: Arc<Services>,
    /// Where journals are kept.
    pub store: Store,
    /// The clock on the wall.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub figures: Figures,
    /// Who watches calls as they go.
    pub live: Live,
    /// Where recorded messages are kept until they are delivered.
    pub recordings: PathBuf,
    /// What is heard before a recording.
    pub beep: Arc<[i16]>,
    /// What a caller who waits hears where no words for it are at hand.
    pub hold_on: Arc<[i16]>,
    /// How long a caller waits for what.
    pub limits: Limits,
    /// The state of the PBX's queues, as last read.
    pub queues: watch::Receiver<BTreeMap<QueueName, QueueState>>,
    /// The tasks of calls; empty when all is done.
    pub scope: TaskTracker,
}

impl House {
    /// Returns what a tenant's flows may know now: of its own queues only.
    pub(super) fn facts(&self, playbook: &Playbook) -> Facts {
        let tenant = &playbook.shelf.tenant;
        let queues = self.queues.borrow();
        let ours = tenant.departments.values().filter_map(|department| {
            let state = queues.get(&department.queue)?;
            Some((department.queue.clone(), *state))
        });
        Facts {
            queues: ours.collect(),
            notices: self.services.notices(&tenant.tenant),
        }
    }
}
