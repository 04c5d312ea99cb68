//! The mail by which a department learns that a callback did not come about.

use std::sync::Arc;

use super::callback::{AttemptOutcome, Callback, Failure};
use super::order::{mail_language, said, shown};
use super::{CallbackState, Services};
use crate::flow::{Department, Tenant};
use crate::send::{Escalation, LetterKind, MailId, NewMail};
use crate::store::{StoreError, Transaction};
use crate::words::{Language, Reference};

impl Services {
    /// Returns what queues the mail by which a department learns of a callback that failed.
    pub(super) fn farewell(
        &self,
    ) -> impl Fn(&mut dyn Transaction, &Callback) -> Result<(), StoreError> + Send + 'static {
        let tenants = Arc::clone(&self.ground.tenants);
        let outbox = self.ground.outbox.clone();
        let id = outbox.new_id();
        move |tx, callback| {
            let CallbackState::Failed(failure) = callback.state else {
                return Ok(());
            };
            let Some(tenant) = tenants(&callback.tenant) else {
                return Ok(());
            };
            let Some(department) = tenant.departments.get(&callback.department) else {
                return Ok(());
            };
            let language = mail_language(&tenant);
            let values = failure_values(&tenant, department, callback, failure, language);
            // One id is drawn beforehand and several may expire at once: each needs its own.
            let id = MailId(uuid::Uuid::from_u128(
                id.0.as_u128() ^ number_of(&callback.reference),
            ));
            let letter = outbox.write(LetterKind::CallbackFailed, language, &values);
            outbox.enqueue(
                tx,
                &NewMail {
                    id,
                    tenant: callback.tenant.clone(),
                    kind: LetterKind::CallbackFailed,
                    reference: Some(callback.reference.clone()),
                    from: tenant.mail.from.clone(),
                    to: department.mail.clone(),
                    letter,
                    recording: None,
                    escalation: Some(Escalation {
                        to: tenant.mail.escalate_to.clone(),
                        language,
                        overdue: None,
                    }),
                },
            )?;
            Ok(())
        }
    }
}

fn failure_values(
    tenant: &Tenant,
    department: &Department,
    callback: &Callback,
    failure: Failure,
    language: Language,
) -> serde_json::Value {
    let attempts: Vec<_> = callback
        .attempts
        .iter()
        .filter_map(|attempt| {
            let outcome = attempt.outcome.filter(|outcome| outcome.is_counted())?;
            Some(serde_json::json!({
                "at": shown(tenant, attempt.began),
                "outcome": outcome_in(language, outcome),
            }))
        })
        .collect();
    serde_json::json!({
        "tenant": said(&tenant.name, language),
        "department": said(&department.name, language),
        "reference": callback.reference.0,
        "at": shown(tenant, callback.made),
        "caller": callback.number.national(),
        "name": callback.name,
        "language": callback.language.code(),
        "subject": callback.reason,
        "reason": failure,
        "attempts": attempts,
    })
}

fn outcome_in(language: Language, outcome: AttemptOutcome) -> &'static str {
    let (danish, english) = match outcome {
        AttemptOutcome::Connected => ("talte sammen", "connected"),
        AttemptOutcome::Busy => ("optaget", "busy"),
        AttemptOutcome::NoAnswer => ("intet svar", "no answer"),
        AttemptOutcome::NotConfirmed => ("svarede, men bekræftede ikke", "answered, not confirmed"),
        AttemptOutcome::NoAgent => ("ingen medarbejder ledig", "no agent"),
        AttemptOutcome::InvalidNumber => ("nummeret findes ikke", "number does not exist"),
        AttemptOutcome::Failed => ("kunne ikke ringes op", "could not be placed"),
        AttemptOutcome::NotPlaced => ("ikke ringet op", "not placed"),
        AttemptOutcome::Unknown => ("udfald ukendt", "outcome unknown"),
    };
    if language == Language::DA {
        danish
    } else {
        english
    }
}

fn number_of(reference: &Reference) -> u128 {
    reference
        .0
        .bytes()
        .fold(0, |number, byte| (number << 8) | u128::from(byte))
}
