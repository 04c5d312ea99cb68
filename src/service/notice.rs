//! Notices: messages that a supervisor switches on for a while, heard first by every caller.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{ServiceError, Services, listed};
use crate::dialog::Notice;
use crate::store::{StoreError, Table, View};
use crate::words::{TenantId, Texts};

/// A notice that was switched on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchedNotice {
    /// Whose callers hear it.
    pub tenant: TenantId,
    /// What they hear, and how long.
    pub notice: Notice,
    /// Who switched it on.
    pub by: String,
    /// When.
    pub since: Timestamp,
}

/// All notices that are switched on, by tenant.
pub(super) type InForce = Arc<BTreeMap<TenantId, Vec<SwitchedNotice>>>;

const NOTICES: Table<SwitchedNotice> = Table::new("notice");
/// More notices than anybody wants to hear.
const MANY: usize = 1000;

pub(super) fn all(view: &dyn View) -> Result<InForce, StoreError> {
    let mut by_tenant: BTreeMap<TenantId, Vec<SwitchedNotice>> = BTreeMap::new();
    for (_, switched) in NOTICES.with_prefix(view, b"", MANY)? {
        let tenant = switched.tenant.clone();
        by_tenant.entry(tenant).or_default().push(switched);
    }
    Ok(Arc::new(by_tenant))
}

impl Services {
    /// Returns the notices that callers of a tenant hear now.
    pub fn notices(&self, tenant: &TenantId) -> Vec<Notice> {
        let now = self.ground.clock.now();
        let in_force = self.in_force.borrow();
        in_force
            .get(tenant)
            .into_iter()
            .flatten()
            .filter(|switched| !is_over(switched, now))
            .map(|switched| switched.notice.clone())
            .collect()
    }

    /// Returns a receiver that changes whenever a notice is switched on or off, or ends;
    /// [`Services::notices`] then has the news.
    pub fn watch_notices(&self) -> watch::Receiver<impl Send + Sync + use<>> {
        self.in_force.subscribe()
    }

    /// Returns all notices that are switched on, with who did it and when.
    pub fn all_notices(&self) -> Vec<SwitchedNotice> {
        let now = self.ground.clock.now();
        let in_force = self.in_force.borrow();
        let all = in_force.values().flatten();
        all.filter(|switched| !is_over(switched, now))
            .cloned()
            .collect()
    }

    /// Switches a notice on, durably. Without a text it is the tenant's prepared one of that name.
    ///
    /// # Errors
    /// When there is no such tenant or prepared notice, the text is empty, or the store fails.
    pub async fn notice_on(
        &self,
        tenant: &TenantId,
        name: &str,
        text: Option<Texts>,
        until: Option<Timestamp>,
        by: &str,
    ) -> Result<SwitchedNotice, ServiceError> {
        let found = self.tenant(tenant)?;
        let text = match text.or_else(|| found.notices.get(name).cloned()) {
            Some(text) => text,
            None => {
                return Err(ServiceError::NoSuchNotice {
                    tenant: tenant.clone(),
                    name: name.to_owned(),
                    known: listed(found.notices.keys()),
                });
            }
        };
        if name.trim().is_empty() || text.values().all(|text| text.trim().is_empty()) {
            return Err(ServiceError::Refused(
                "a notice needs a name and a text: give both".to_owned(),
            ));
        }
        let now = self.ground.clock.now();
        if until.is_some_and(|until| until <= now) {
            return Err(ServiceError::Refused(
                "the notice would be over at once: give a time in the future".to_owned(),
            ));
        }
        let switched = SwitchedNotice {
            tenant: tenant.clone(),
            notice: Notice {
                name: name.trim().to_owned(),
                text,
                until,
            },
            by: by.to_owned(),
            since: now,
        };
        let stored = switched.clone();
        let in_force = self
            .ground
            .store
            .write(move |tx| {
                let key = key(&stored.tenant, &stored.notice.name);
                NOTICES.put(tx, &key, &stored)?;
                all(tx)
            })
            .await?;
        self.in_force.send_replace(in_force);
        self.stir.notify_one();
        tracing::info!(tenant = %tenant, notice = name, by, "a notice was switched on");
        Ok(switched)
    }

    /// Switches a notice off, durably; tells whether it was on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn notice_off(
        &self,
        tenant: &TenantId,
        name: &str,
        by: &str,
    ) -> Result<bool, ServiceError> {
        let place = key(tenant, name.trim());
        let (was_on, in_force) = self
            .ground
            .store
            .write(move |tx| {
                let was_on = NOTICES.get(tx, &place)?.is_some();
                NOTICES.delete(tx, &place)?;
                Ok::<_, StoreError>((was_on, all(tx)?))
            })
            .await?;
        self.in_force.send_replace(in_force);
        if was_on {
            tracing::info!(tenant = %tenant, notice = name, by, "a notice was switched off");
        }
        Ok(was_on)
    }

    /// Takes away notices that are over, and returns when the next one ends.
    pub(super) async fn end_notices(
        &self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let shown: Vec<SwitchedNotice> = {
            let in_force = self.in_force.borrow();
            in_force.values().flatten().cloned().collect()
        };
        let over: Vec<SwitchedNotice> = shown
            .iter()
            .filter(|switched| is_over(switched, now))
            .cloned()
            .collect();
        if !over.is_empty() {
            for switched in &over {
                let (tenant, notice) = (&switched.tenant, &switched.notice.name);
                tracing::info!(tenant = %tenant, notice, "a notice ended by itself");
            }
            let in_force = self
                .ground
                .store
                .write(move |tx| {
                    for switched in &over {
                        let key = key(&switched.tenant, &switched.notice.name);
                        // Unless it was switched on anew meanwhile.
                        if NOTICES
                            .get(tx, &key)?
                            .is_some_and(|stored| stored == *switched)
                        {
                            NOTICES.delete(tx, &key)?;
                        }
                    }
                    all(tx)
                })
                .await?;
            self.in_force.send_replace(in_force);
        }
        let ends = shown.iter().filter_map(|switched| switched.notice.until);
        Ok(ends.filter(|until| *until > now).min())
    }
}

fn is_over(switched: &SwitchedNotice, now: Timestamp) -> bool {
    switched.notice.until.is_some_and(|until| until <= now)
}

fn key(tenant: &TenantId, name: &str) -> Vec<u8> {
    let mut key = tenant.0.clone().into_bytes();
    key.push(0);
    key.extend(name.bytes());
    key
}
