//! One attempt to call somebody back: dialled through the PBX, watched where its end is unknown,
//! and written down.

use std::sync::Arc;

use jiff::SignedDuration;

use super::callback::{AttemptOutcome, Callback, later};
use super::order::{mail_language, said};
use super::{CallbackState, Services, ledger, opening};
use crate::dialog::Handoff;
use crate::flow::{Department, Tenant};
use crate::pbx::{Dial, DialOrder, Dialled, PbxError};
use crate::store::StoreError;
use crate::words::{CallId, Language, PhoneNumber, Reference};

/// A wait when the store fails.
const STORE_WAIT: SignedDuration = SignedDuration::from_secs(5);
/// How often the PBX is asked whether a call still exists.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// What setting up a call takes beside the ringing of two telephones, and a PBX that lets one ring
/// longer than it was told.
const SET_UP: SignedDuration = SignedDuration::from_secs(180);

impl Services {
    /// Dials a callback whose attempt is written down, and sees it through.
    pub(super) async fn place(&self, callback: &Callback, call: CallId) {
        let reference = &callback.reference;
        let found = (self.ground.tenants)(&callback.tenant);
        let found = found.as_ref().and_then(|tenant| {
            let department = tenant.departments.get(&callback.department)?;
            Some((tenant, department))
        });
        let Some((tenant, department)) = found else {
            return self
                .end_attempt(reference, call, AttemptOutcome::NotPlaced)
                .await;
        };
        let dial = dial_of(tenant, department, callback, call);
        match self.ground.pbx.dial(&dial).await {
            Ok(Dialled::Answered) if dial.order == DialOrder::CallerFirst => {
                self.answered(reference, call).await;
                self.watch_over(callback).await;
            }
            Ok(dialled) => self.end_attempt(reference, call, dialled.into()).await,
            Err(PbxError::Unanswered { .. } | PbxError::NoSuchCall) => {
                tracing::warn!(%reference, %call, "how a callback went is unknown; the PBX is asked");
                self.watch_over(callback).await;
            }
            Err(error) => {
                tracing::error!(%reference, %error, "a callback could not be dialled");
                self.end_attempt(reference, call, AttemptOutcome::NotPlaced)
                    .await;
            }
        }
    }

    /// Watches a call whose end nobody will tell us, until it has left the PBX; never dials.
    pub(super) async fn watch_over(&self, callback: &Callback) {
        let Some(attempt) = callback.attempts.last() else {
            return;
        };
        let (reference, call) = (&callback.reference, attempt.call);
        let surely_connected = later(attempt.began, longest_ringing(self, callback));
        let mut gone = 0;
        while self.is_under_way(reference, call) {
            match self.ground.pbx.exists(call).await {
                Ok(true) if self.rings_agents_first(callback) => {
                    gone = 0;
                    // Both telephones have stopped ringing long ago, so the two are talking.
                    if self.ground.clock.now() >= surely_connected {
                        return self
                            .end_attempt(reference, call, AttemptOutcome::Connected)
                            .await;
                    }
                }
                Ok(true) => gone = 0,
                Ok(false) => gone += 1,
                Err(_) => {}
            }
            // Asked twice, as the call room may be about to say that it was connected.
            if gone >= 2 {
                let outcome = match self.state_of(reference) {
                    Some(CallbackState::Connecting) => AttemptOutcome::NotConfirmed,
                    _ => AttemptOutcome::Unknown,
                };
                return self.end_attempt(reference, call, outcome).await;
            }
            let now = self.ground.clock.now();
            self.ground.clock.wait_until(later(now, LOOK_AGAIN)).await;
        }
    }

    /// Writes down how an attempt ended, with the mail that a failure needs. Until that has
    /// worked the callback counts as under way and is not dialled.
    pub(super) async fn end_attempt(
        &self,
        reference: &Reference,
        call: CallId,
        outcome: AttemptOutcome,
    ) {
        loop {
            match self.try_end_attempt(reference, call, outcome).await {
                Ok(ended) => {
                    if let Some(callback) = ended {
                        tracing::info!(
                            reference = %callback.reference,
                            ?outcome,
                            state = %callback.state,
                            "an attempt to call back ended"
                        );
                    }
                    let mut under_way = self.under_way();
                    let is_it = |it: &Callback| it.attempts.last().is_some_and(|a| a.call == call);
                    if under_way.get(reference).is_some_and(is_it) {
                        under_way.remove(reference);
                    }
                    return;
                }
                Err(error) => {
                    tracing::error!(%reference, %error, "how a callback went cannot be stored");
                    let now = self.ground.clock.now();
                    self.ground.clock.wait_until(later(now, STORE_WAIT)).await;
                }
            }
        }
    }

    async fn try_end_attempt(
        &self,
        reference: &Reference,
        call: CallId,
        outcome: AttemptOutcome,
    ) -> Result<Option<Callback>, StoreError> {
        let now = self.ground.clock.now();
        let reference = reference.clone();
        let (tenants, farewell) = (Arc::clone(&self.ground.tenants), self.farewell());
        self.ground
            .store
            .write(move |tx| {
                let Some(mut callback) = ledger::find(tx, &reference)? else {
                    return Ok(None);
                };
                let tenant = tenants(&callback.tenant);
                let rules = tenant
                    .as_ref()
                    .map(|it| it.callback.clone())
                    .unwrap_or_default();
                let opening = tenant.as_ref().and_then(|tenant| {
                    opening(tenant, tenant.departments.get(&callback.department)?)
                });
                if !callback.end(call, outcome, now, &rules, opening.as_ref()) {
                    return Ok(None);
                }
                ledger::write_down(tx, &callback)?;
                farewell(tx, &callback)?;
                Ok(Some(callback))
            })
            .await
    }

    async fn answered(&self, reference: &Reference, call: CallId) {
        let now = self.ground.clock.now();
        let wanted = reference.clone();
        let changed = self
            .ground
            .store
            .write(move |tx| {
                let Some(mut callback) = ledger::find(tx, &wanted)? else {
                    return Ok(None);
                };
                if !callback.answered(call, now) {
                    return Ok(None);
                }
                ledger::write_down(tx, &callback)?;
                Ok::<_, StoreError>(Some(callback))
            })
            .await;
        match changed {
            // It may have been connected, and so be over, since it was written.
            Ok(Some(callback)) => {
                if let Some(known) = self.under_way().get_mut(reference) {
                    *known = callback;
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%reference, %error, "an answer could not be stored"),
        }
    }

    fn is_under_way(&self, reference: &Reference, call: CallId) -> bool {
        let under_way = self.under_way();
        let attempt = under_way.get(reference).and_then(|it| it.attempts.last());
        attempt.is_some_and(|attempt| attempt.call == call)
    }

    fn state_of(&self, reference: &Reference) -> Option<CallbackState> {
        self.under_way()
            .get(reference)
            .map(|callback| callback.state)
    }

    fn rings_agents_first(&self, callback: &Callback) -> bool {
        let tenant = (self.ground.tenants)(&callback.tenant);
        tenant.is_none_or(|tenant| {
            let department = tenant.departments.get(&callback.department);
            department
                .is_none_or(|it| Callback::order(&tenant.callback, it) == DialOrder::AgentFirst)
        })
    }
}

/// How long two telephones, one after the other, can ring.
fn longest_ringing(services: &Services, callback: &Callback) -> SignedDuration {
    let tenant = (services.ground.tenants)(&callback.tenant);
    let ring = tenant.map_or(60, |tenant| tenant.callback.ring_seconds);
    SignedDuration::from_secs(2 * i64::from(ring)) + SET_UP
}

fn dial_of(tenant: &Tenant, department: &Department, callback: &Callback, call: CallId) -> Dial {
    let rules = &tenant.callback;
    let language = mail_language(tenant);
    let own = || {
        let mut numbers = tenant.numbers.iter();
        numbers.find_map(|number| PhoneNumber::parse(number).ok())
    };
    let who = callback
        .name
        .clone()
        .unwrap_or_else(|| callback.number.national());
    let about = callback.reason.trim();
    let department_name = said(&department.name, language);
    let tenant_name = said(&tenant.name, language).to_owned();
    let summary = match (language == Language::DA, about.is_empty()) {
        (true, true) => format!("Tilbagekald for {tenant_name}, {department_name}, til {who}."),
        (true, false) => {
            format!("Tilbagekald for {tenant_name}, {department_name}, til {who}, om {about}.")
        }
        (false, true) => format!("Callback for {tenant_name}, {department_name}, to {who}."),
        (false, false) => {
            format!("Callback for {tenant_name}, {department_name}, to {who}, about {about}.")
        }
    };
    Dial {
        call,
        number: callback.number.clone(),
        queue: department.queue.clone(),
        order: Callback::order(rules, department),
        caller_id: rules.caller_id.clone().or_else(own),
        ring: std::time::Duration::from_secs(u64::from(rules.ring_seconds)),
        purpose: callback.purpose(),
        handoff: Handoff {
            caller: Some(callback.number.clone()),
            language: Some(callback.language),
            reason: callback.reason.clone(),
            summary,
            agents: Some(language),
            tenant: tenant_name,
            reference: Some(callback.reference.clone()),
            ..Handoff::default()
        },
    }
}
