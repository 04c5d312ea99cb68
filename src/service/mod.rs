//! What a call can order and what goes on after it: opening hours, messages, cancellations,
//! callbacks and notices.
//!
//! Each promise is in the store, with the mail that belongs to it, before the caller hears that it
//! is noted; one task then sees to the callbacks, and the outbox to the mails. What is said to the
//! caller, and whether something is offered at all, is the flows' business.

mod attempt;
mod callback;
mod dialler;
mod farewell;
pub mod hours;
mod ledger;
mod notice;
mod order;
mod reference;
mod supervise;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::flow::{Department, Tenant};
use crate::pbx::Pbx;
use crate::send::Outbox;
use crate::store::{Chance, Clock, Store, StoreError};
use crate::words::{DepartmentId, Reference, TenantId};

pub use callback::{
    Attempt, AttemptOutcome, Callback, CallbackState, Completion, Entry, Failure, Happening,
};
pub use notice::SwitchedNotice;
pub use order::{Promise, PromiseKind};
pub use supervise::Filter;

use hours::Opening;
use notice::InForce;

/// Finds a tenant as it is on the shelf now.
pub type Tenants = Arc<dyn Fn(&TenantId) -> Option<Arc<Tenant>> + Send + Sync>;

/// How the services behave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Minutes after which somebody is told that a cancellation has not arrived yet.
    pub cancellation_overdue_minutes: u32,
    /// Seconds between two looks at the queues while a callback waits for one to be short.
    pub queue_poll_seconds: u32,
    /// Days to keep callbacks and promises that are over.
    pub keep_days: u32,
    /// Whether numbers outside Denmark may be called back.
    pub call_abroad: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cancellation_overdue_minutes: 15,
            queue_poll_seconds: 5,
            keep_days: 30,
            call_abroad: false,
        }
    }
}

/// What the services stand on.
#[derive(Clone)]
pub struct Ground {
    /// Where promises are kept.
    pub store: Store,
    /// What sends mails.
    pub outbox: Outbox,
    /// What dials.
    pub pbx: Arc<dyn Pbx>,
    /// The clock on the wall.
    pub clock: Arc<dyn Clock>,
    /// What draws references and ids.
    pub chance: Chance,
    /// Who the tenants are.
    pub tenants: Tenants,
}

/// What goes wrong with a supervisor's wish or with the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// There is no such tenant.
    #[error("there is no tenant {0}: see the folders under flows")]
    NoSuchTenant(TenantId),
    /// The tenant has no such department.
    #[error("{tenant} has no department {department}; it has {known}")]
    NoSuchDepartment {
        /// The tenant.
        tenant: TenantId,
        /// What was asked for.
        department: DepartmentId,
        /// What there is.
        known: String,
    },
    /// There is no such callback.
    #[error("there is no callback {0}")]
    NoSuchCallback(Reference),
    /// The callback is not where it must be for this.
    #[error("callback {reference} is {state}: {remedy}")]
    WrongState {
        /// Which.
        reference: Reference,
        /// Where it stands.
        state: CallbackState,
        /// What can be done instead.
        remedy: &'static str,
    },
    /// It cannot be promised.
    #[error("{0}")]
    Refused(String),
    /// The tenant has no prepared notice of that name, and no text was given.
    #[error("{tenant} has no prepared notice {name:?}: give a text, or choose from {known}")]
    NoSuchNotice {
        /// The tenant.
        tenant: TenantId,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The store failed; nothing was stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Messages, cancellations, callbacks and notices.
pub struct Services {
    ground: Ground,
    config: Config,
    /// Callbacks whose telephone is ringing or whose caller is on the line.
    under_way: Mutex<BTreeMap<Reference, Callback>>,
    in_force: watch::Sender<InForce>,
    stir: Notify,
}

impl Services {
    /// Reads what is in force and under way from the store. [`Services::run`] then does the work.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(ground: Ground, config: Config) -> Result<Arc<Self>, ServiceError> {
        let under_way = ground.store.read(ledger::under_way).await?;
        let under_way = under_way
            .into_iter()
            .map(|callback| (callback.reference.clone(), callback))
            .collect();
        let in_force = ground.store.read(notice::all).await?;
        Ok(Arc::new(Self {
            ground,
            config,
            under_way: Mutex::new(under_way),
            in_force: watch::Sender::new(in_force),
            stir: Notify::new(),
        }))
    }

    /// Sees to callbacks and ends notices until told to stop; calls being dialled then are left
    /// to the PBX and taken up at the next start. Once `closing` is cancelled no callback is
    /// begun, while those being dialled are seen through. There must be one of these per store.
    pub async fn run(self: Arc<Self>, closing: CancellationToken, stop: CancellationToken) {
        dialler::Dialler::new(self, closing).run(stop).await;
    }

    /// Has the state of the queues looked at now, as something changed.
    pub fn queue_changed(&self) {
        self.stir.notify_one();
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, BTreeMap<Reference, Callback>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tenant(&self, id: &TenantId) -> Result<Arc<Tenant>, ServiceError> {
        (self.ground.tenants)(id).ok_or_else(|| ServiceError::NoSuchTenant(id.clone()))
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Services")
    }
}

fn department<'a>(tenant: &'a Tenant, id: &DepartmentId) -> Result<&'a Department, ServiceError> {
    tenant
        .departments
        .get(id)
        .ok_or_else(|| ServiceError::NoSuchDepartment {
            tenant: tenant.tenant.clone(),
            department: id.clone(),
            known: listed(tenant.departments.keys()),
        })
}

fn zone(tenant: &Tenant) -> TimeZone {
    TimeZone::get(&tenant.time_zone).unwrap_or_else(|error| {
        tracing::error!(tenant = %tenant.tenant, error = %error, "UTC is taken for the time zone");
        TimeZone::UTC
    })
}

/// Returns when a department is open; nothing when its hours cannot be read, which the check of
/// tenants has then told about.
fn opening(tenant: &Tenant, department: &Department) -> Option<Opening> {
    let hours = department.hours.as_ref().unwrap_or(&tenant.hours);
    Opening::new(hours, &tenant.holidays, zone(tenant)).ok()
}

fn listed(names: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests;
