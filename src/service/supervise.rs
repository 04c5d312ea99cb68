//! What a supervisor and the call room do with callbacks.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::callback::{AttemptOutcome, Callback, CallbackState, Happening};
use super::{ServiceError, Services, ledger, reference};
use crate::dialog::{CallbackOrder, Done};
use crate::store::{StoreError, Table, View};
use crate::words::{CallId, DepartmentId, PhoneNumber, Reference, TenantId};

/// Which callbacks to list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Of one tenant only.
    pub tenant: Option<TenantId>,
    /// Of one department only.
    pub department: Option<DepartmentId>,
    /// Also those that are over.
    pub over: bool,
}

/// Who stopped the dialling, and when; of all tenants under the empty key.
const STOPS: Table<Stop> = Table::new("dialling_stop");

/// That nobody is to be dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stop {
    by: String,
    since: Timestamp,
}

/// For whom nobody is to be dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stops(BTreeSet<String>);

impl Stops {
    pub(super) fn read(view: &dyn View) -> Result<Self, StoreError> {
        let stops = STOPS.with_prefix(view, b"", 10_000)?;
        let tenants = stops
            .into_iter()
            .map(|(key, _)| String::from_utf8_lossy(&key).into_owned());
        Ok(Self(tenants.collect()))
    }

    pub(super) fn hold(&self, tenant: &TenantId) -> bool {
        self.0.contains("") || self.0.contains(&tenant.0)
    }
}

impl Services {
    /// Returns the callback whose call came back to us with this purpose, while it is under way.
    pub fn callback_for(&self, purpose: &str) -> Option<Callback> {
        let reference = Callback::reference_of(purpose)?;
        self.under_way().get(&reference).cloned()
    }

    /// Notes that the callee confirmed to be there and was taken to the agents.
    pub async fn callback_connected(&self, purpose: &str) {
        let Some(reference) = Callback::reference_of(purpose) else {
            tracing::warn!(purpose, "a call is no callback");
            return;
        };
        let call = self
            .under_way()
            .get(&reference)
            .and_then(|callback| callback.attempts.last())
            .map(|attempt| attempt.call);
        match call {
            Some(call) => {
                self.end_attempt(&reference, call, AttemptOutcome::Connected)
                    .await
            }
            None => tracing::warn!(%reference, "a callback was connected that was not under way"),
        }
    }

    /// Notes that a caller has reached an agent by themselves: a callback to the same number by the
    /// same department is not made any more, and one whose telephone is ringing is hung up.
    pub async fn caller_got_through(
        &self,
        tenant: &TenantId,
        department: &DepartmentId,
        number: &PhoneNumber,
    ) {
        let now = self.ground.clock.now();
        let (tenant, department, number) = (tenant.clone(), department.clone(), number.clone());
        let done = self
            .ground
            .store
            .write(move |tx| {
                let Some(mut callback) = ledger::open_for(tx, &tenant, &department, &number)?
                else {
                    return Ok::<_, StoreError>(None);
                };
                let ringing = (callback.state == CallbackState::Dialling)
                    .then(|| callback.attempt_under_way().map(|attempt| attempt.call))
                    .flatten();
                callback.got_through(now);
                ledger::write_down(tx, &callback)?;
                Ok(Some((callback.reference, ringing)))
            })
            .await;
        match done {
            Ok(None) => {}
            Ok(Some((reference, ringing))) => {
                tracing::info!(%reference, "a caller got through and is not called back");
                self.under_way().remove(&reference);
                self.silence(ringing).await;
            }
            Err(error) => {
                tracing::error!(%error, "that a caller got through could not be stored; they may be called");
            }
        }
    }

    /// Returns callbacks, the oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn callbacks(&self, filter: &Filter) -> Result<Vec<Callback>, ServiceError> {
        let filter = filter.clone();
        let mut found = self
            .ground
            .store
            .read(move |view| {
                let mut found = if filter.over {
                    ledger::all(view)?
                } else {
                    ledger::open(view, filter.tenant.as_ref())?
                };
                found.retain(|callback| {
                    let tenant = filter.tenant.as_ref();
                    let department = filter.department.as_ref();
                    tenant.is_none_or(|it| *it == callback.tenant)
                        && department.is_none_or(|it| *it == callback.department)
                });
                Ok::<_, StoreError>(found)
            })
            .await?;
        found.sort_by_key(|callback| callback.made);
        Ok(found)
    }

    /// Returns one callback by its reference, as people write it.
    ///
    /// # Errors
    /// When there is none or the store fails.
    pub async fn find_callback(&self, reference: &str) -> Result<Callback, ServiceError> {
        let wanted = reference::read(reference);
        let reference = wanted.clone();
        let found = self
            .ground
            .store
            .read(move |view| ledger::find(view, &reference))
            .await?;
        found.ok_or(ServiceError::NoSuchCallback(wanted))
    }

    /// Notes a callback without a call behind it. A chosen time that is over or outside the
    /// department's opening hours is refused, as in a call: [`Services::trigger_callback`] is for
    /// who wants one dialled whatever the hours.
    ///
    /// # Errors
    /// When it is refused or the store fails.
    pub async fn add_callback(
        &self,
        tenant: &TenantId,
        order: CallbackOrder,
        by: &str,
    ) -> Result<Done, ServiceError> {
        self.callback(tenant, None, order, Some(by)).await
    }

    /// Cancels a callback; one whose telephone is ringing is hung up.
    ///
    /// # Errors
    /// When there is none, it is over already, or the store fails.
    pub async fn cancel_callback(
        &self,
        reference: &str,
        by: &str,
    ) -> Result<Callback, ServiceError> {
        let now = self.ground.clock.now();
        let name = by.to_owned();
        let callback = self
            .change(reference, move |callback| {
                if !callback.state.is_open() {
                    return Err("it is over and cannot be cancelled");
                }
                if let Some(attempt) = callback.attempts.last_mut() {
                    attempt.outcome.get_or_insert(AttemptOutcome::Unknown);
                }
                callback.state = CallbackState::Cancelled;
                callback.note(now, Happening::Cancelled, Some(&name));
                Ok(())
            })
            .await?;
        tracing::info!(reference = %callback.reference, by, "a callback was cancelled");
        let was_under_way = self.under_way().remove(&callback.reference);
        let ringing = was_under_way.and_then(|it| it.attempts.last().map(|attempt| attempt.call));
        self.silence(ringing).await;
        Ok(callback)
    }

    /// Has a callback dialled at once, whatever the hours and the queue; not while dialling is
    /// stopped.
    ///
    /// # Errors
    /// When there is none, it does not wait, or the store fails.
    pub async fn trigger_callback(
        &self,
        reference: &str,
        by: &str,
    ) -> Result<Callback, ServiceError> {
        let now = self.ground.clock.now();
        let name = by.to_owned();
        let callback = self
            .change(reference, move |callback| {
                if callback.state != CallbackState::Waiting {
                    return Err("only one that waits can be triggered");
                }
                callback.triggered = true;
                callback.note(now, Happening::Triggered, Some(&name));
                Ok(())
            })
            .await?;
        tracing::info!(reference = %callback.reference, by, "a callback was triggered");
        Ok(callback)
    }

    /// Stops all dialling, of one tenant or of all; callbacks are kept and wait.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stop_dialling(
        &self,
        tenant: Option<&TenantId>,
        by: &str,
    ) -> Result<(), ServiceError> {
        let key = tenant.map_or(String::new(), |tenant| tenant.0.clone());
        let stop = Stop {
            by: by.to_owned(),
            since: self.ground.clock.now(),
        };
        tracing::warn!(tenant = key, by, "dialling was stopped");
        self.ground
            .store
            .write(move |tx| STOPS.put(tx, key.as_bytes(), &stop))
            .await?;
        Ok(())
    }

    /// Lets dialling go on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn resume_dialling(
        &self,
        tenant: Option<&TenantId>,
        by: &str,
    ) -> Result<(), ServiceError> {
        let key = tenant.map_or(String::new(), |tenant| tenant.0.clone());
        tracing::warn!(tenant = key, by, "dialling goes on");
        self.ground
            .store
            .write(move |tx| STOPS.delete(tx, key.as_bytes()))
            .await?;
        self.stir.notify_one();
        Ok(())
    }

    /// Tells whether dialling is stopped for a tenant, or for all.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn dialling_is_stopped(&self, tenant: &TenantId) -> Result<bool, ServiceError> {
        Ok(self.ground.store.read(Stops::read).await?.hold(tenant))
    }

    /// Changes a callback in a transaction, or says why not.
    async fn change(
        &self,
        reference: &str,
        mut change: impl FnMut(&mut Callback) -> Result<(), &'static str> + Send + 'static,
    ) -> Result<Callback, ServiceError> {
        let reference: Reference = reference::read(reference);
        self.ground
            .store
            .write(move |tx| {
                let Some(mut callback) = ledger::find(tx, &reference)? else {
                    return Err(ServiceError::NoSuchCallback(reference.clone()));
                };
                let state = callback.state;
                change(&mut callback).map_err(|remedy| ServiceError::WrongState {
                    reference: reference.clone(),
                    state,
                    remedy,
                })?;
                ledger::write_down(tx, &callback)?;
                Ok(callback)
            })
            .await
    }

    /// Hangs up a call that rings for nothing any more.
    async fn silence(&self, ringing: Option<CallId>) {
        if let Some(call) = ringing
            && let Err(error) = self.ground.pbx.hang_up(call).await
        {
            tracing::warn!(%call, %error, "a call that rings for nothing could not be hung up");
        }
    }
}
