//! Orders from calls: each is stored whole, with its mail, before it is confirmed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::callback::{Callback, CallbackState, Happening, later};
use super::{ServiceError, Services, department, ledger, opening, reference, zone};
use crate::dialog::{CallbackOrder, CancellationOrder, Done, Due, MessageOrder, Order, Recording};
use crate::flow::{Department, Tenant};
use crate::send::{Escalation, LetterKind, MailId, NewMail, is_address};
use crate::store::{StoreError, Table, Transaction, View};
use crate::words::{CallId, DepartmentId, Language, PhoneNumber, Reference, TenantId, Texts};

/// What was promised to a caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// What the caller was given to quote.
    pub reference: Reference,
    /// What was promised.
    pub kind: PromiseKind,
    /// On whose behalf.
    pub tenant: TenantId,
    /// Who keeps it.
    pub department: DepartmentId,
    /// When it was made.
    pub made: Timestamp,
    /// The call in which it was made; none when a supervisor made it.
    pub call: Option<CallId>,
    /// The number of the order within that call.
    pub number: u32,
    /// The mail that keeps it.
    pub mail: Option<MailId>,
}

/// What can be promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromiseKind {
    /// A message reaches the department.
    Message,
    /// A cancellation reaches the case worker or the department.
    Cancellation,
    /// Somebody calls.
    Callback,
}

pub(super) const PROMISES: Table<Promise> = Table::new("promise");
/// Call and number of an order to what was answered.
const ANSWERS: Table<Done> = Table::new("promise_answer");
/// How far ahead a callback may be promised.
const FARTHEST: SignedDuration = SignedDuration::from_hours(30 * 24);

impl Services {
    /// Carries out an order of a call: when it is noted it is durable, and the same order of the
    /// same call is noted once, however often it is given. `number` counts the orders of the call.
    pub async fn order(&self, tenant: &TenantId, call: CallId, number: u32, order: Order) -> Done {
        let done = match order {
            Order::Message(order) => self.message(tenant, call, number, order).await,
            Order::Cancellation(order) => self.cancellation(tenant, call, number, order).await,
            Order::Callback(order) => {
                self.callback(tenant, Some((call, number)), order, None)
                    .await
            }
        };
        done.unwrap_or_else(|error| {
            let reason = error.to_string();
            tracing::error!(%call, %tenant, reason, "an order could not be taken");
            Done::Refused { reason }
        })
    }

    /// Returns the promise behind a reference, as people write it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn promise(&self, reference: &str) -> Result<Option<Promise>, ServiceError> {
        let reference = reference::read(reference);
        let found = self
            .ground
            .store
            .read(move |view| PROMISES.get(view, reference.0.as_bytes()))
            .await;
        Ok(found?)
    }

    async fn message(
        &self,
        tenant: &TenantId,
        call: CallId,
        number: u32,
        order: MessageOrder,
    ) -> Result<Done, ServiceError> {
        let tenant = self.tenant(tenant)?;
        let department = department(&tenant, &order.department)?;
        let mut values = self.values(
            &tenant,
            department,
            order.language,
            order.caller.as_ref(),
            order.recording.as_ref(),
            &order.facts,
        );
        put(&mut values, "subject", json!(order.subject));
        let letter = Letter {
            kind: LetterKind::Message,
            promise: PromiseKind::Message,
            department: order.department.clone(),
            to: department.mail.clone(),
            recording: file_of(order.recording.as_ref()),
            overdue: None,
            values,
        };
        self.promise_by_mail(&tenant, call, number, letter).await
    }

    async fn cancellation(
        &self,
        tenant: &TenantId,
        call: CallId,
        number: u32,
        order: CancellationOrder,
    ) -> Result<Done, ServiceError> {
        let tenant = self.tenant(tenant)?;
        let department = department(&tenant, &order.department)?;
        let values = self.values(
            &tenant,
            department,
            order.language,
            order.caller.as_ref(),
            order.recording.as_ref(),
            &order.facts,
        );
        // An address that cannot be one must not cost the promise: the department gets it then.
        let case_worker = order.case_worker.filter(|address| is_address(address));
        let overdue = i64::from(self.config.cancellation_overdue_minutes);
        let letter = Letter {
            kind: LetterKind::Cancellation,
            promise: PromiseKind::Cancellation,
            department: order.department.clone(),
            to: case_worker.unwrap_or_else(|| department.mail.clone()),
            recording: file_of(order.recording.as_ref()),
            overdue: Some(later(
                self.ground.clock.now(),
                SignedDuration::from_mins(overdue),
            )),
            values,
        };
        self.promise_by_mail(&tenant, call, number, letter).await
    }

    async fn promise_by_mail(
        &self,
        tenant: &Tenant,
        call: CallId,
        number: u32,
        letter: Letter,
    ) -> Result<Done, ServiceError> {
        let mail = self.ground.outbox.new_id();
        let references = reference::draw_some(&self.ground.chance);
        let outbox = self.ground.outbox.clone();
        let made = self.ground.clock.now();
        let language = mail_language(tenant);
        let (tenant_id, from) = (tenant.tenant.clone(), tenant.mail.from.clone());
        let escalate_to = tenant.mail.escalate_to.clone();
        let answer = key_of(call, number);
        let done = self
            .ground
            .store
            .write(move |tx| {
                if let Some(done) = ANSWERS.get(tx, &answer)? {
                    return Ok::<_, StoreError>(done);
                }
                let Some(reference) = first_free(tx, &references)? else {
                    return Ok(Done::Refused {
                        reason: "no free reference was found".to_owned(),
                    });
                };
                let mut values = letter.values.clone();
                put(&mut values, "reference", json!(reference.0));
                outbox.enqueue(
                    tx,
                    &NewMail {
                        id: mail,
                        tenant: tenant_id.clone(),
                        kind: letter.kind,
                        reference: Some(reference.clone()),
                        from: from.clone(),
                        to: letter.to.clone(),
                        letter: outbox.write(letter.kind, language, &values),
                        recording: letter.recording.clone(),
                        escalation: Some(Escalation {
                            to: escalate_to.clone(),
                            language,
                            overdue: letter.overdue,
                        }),
                    },
                )?;
                let promise = Promise {
                    reference: reference.clone(),
                    kind: letter.promise,
                    tenant: tenant_id.clone(),
                    department: letter.department.clone(),
                    made,
                    call: Some(call),
                    number,
                    mail: Some(mail),
                };
                let done = Done::Noted { reference };
                write_promise(tx, &promise, &done)?;
                Ok(done)
            })
            .await?;
        Ok(done)
    }

    /// Notes a callback, for a call or for a supervisor.
    pub(super) async fn callback(
        &self,
        tenant: &TenantId,
        origin: Option<(CallId, u32)>,
        order: CallbackOrder,
        by: Option<&str>,
    ) -> Result<Done, ServiceError> {
        let tenant = self.tenant(tenant)?;
        let department = department(&tenant, &order.department)?;
        if let Err(reason) = may_be_called(&order.number, self.config.call_abroad) {
            return Err(ServiceError::Refused(reason));
        }
        let now = self.ground.clock.now();
        // A promise that stands is told again, though its time may be over meanwhile.
        if let Some((call, number)) = origin
            && let Some(done) = self.answered_before(call, number).await?
        {
            return Ok(done);
        }
        let wanted = match order.due {
            Due::QueueShort => now,
            Due::At(at) => at,
        };
        let opening = opening(&tenant, department);
        let Some(first) = opening.and_then(|it| it.next_open(wanted)) else {
            return Err(ServiceError::Refused(format!(
                "{} of {} is not open within a year: correct its hours",
                order.department, tenant.tenant
            )));
        };
        if let Due::At(at) = order.due {
            may_be_chosen(at, now, first, &tenant, &order.department)?;
        }
        let lifetime =
            SignedDuration::from_hours(24 * i64::from(tenant.callback.expiry_days.max(1)));
        let mut callback = Callback {
            reference: Reference(String::new()),
            tenant: tenant.tenant.clone(),
            department: order.department,
            queue: department.queue.clone(),
            language: order.language,
            number: order.number,
            name: order.name,
            reason: order.reason,
            due: order.due,
            state: CallbackState::Waiting,
            made: now,
            not_before: first,
            expires: later(first, lifetime),
            triggered: false,
            attempts: Vec::new(),
            history: Vec::new(),
        };
        callback.note(now, Happening::Promised, by);
        let references = reference::draw_some(&self.ground.chance);
        let by = by.map(str::to_owned);
        let done = self
            .ground
            .store
            .write(move |tx| note_callback(tx, &callback, origin, &references, by.as_deref()))
            .await?;
        Ok(done)
    }

    /// Returns what was answered to an order of a call, if it was carried out.
    async fn answered_before(&self, call: CallId, number: u32) -> Result<Option<Done>, StoreError> {
        let store = &self.ground.store;
        store
            .read(move |view| ANSWERS.get(view, &key_of(call, number)))
            .await
    }

    /// Returns what all letters may say.
    fn values(
        &self,
        tenant: &Tenant,
        department: &Department,
        language: Language,
        caller: Option<&PhoneNumber>,
        recording: Option<&Recording>,
        facts: &[(String, String)],
    ) -> Value {
        let mail = mail_language(tenant);
        let facts: Vec<Value> = facts
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let transcript = recording.and_then(|recording| recording.transcript.as_deref());
        json!({
            "tenant": said(&tenant.name, mail),
            "department": said(&department.name, mail),
            "at": shown(tenant, self.ground.clock.now()),
            "caller": caller.map(PhoneNumber::national),
            "language": language.code(),
            "facts": facts,
            "transcript": transcript,
            "recording": file_of(recording).is_some(),
            "seconds": recording.map_or(0, |recording| recording.seconds.round() as i64),
        })
    }
}

/// A promise that a mail keeps.
struct Letter {
    kind: LetterKind,
    promise: PromiseKind,
    department: DepartmentId,
    to: String,
    recording: Option<String>,
    overdue: Option<Timestamp>,
    values: Value,
}

fn note_callback(
    tx: &mut dyn Transaction,
    callback: &Callback,
    origin: Option<(CallId, u32)>,
    references: &[Reference],
    by: Option<&str>,
) -> Result<Done, StoreError> {
    if let Some((call, number)) = origin
        && let Some(done) = ANSWERS.get(tx, &key_of(call, number))?
    {
        return Ok(done);
    }
    let standing = ledger::open_for(tx, &callback.tenant, &callback.department, &callback.number)?;
    if let Some(mut standing) = standing {
        standing.ask_again(callback, by);
        ledger::write_down(tx, &standing)?;
        let done = Done::AlreadyNoted {
            reference: standing.reference,
        };
        if let Some((call, number)) = origin {
            ANSWERS.put(tx, &key_of(call, number), &done)?;
        }
        return Ok(done);
    }
    let Some(reference) = first_free(tx, references)? else {
        return Ok(Done::Refused {
            reason: "no free reference was found".to_owned(),
        });
    };
    let mut callback = callback.clone();
    callback.reference = reference.clone();
    ledger::write_down(tx, &callback)?;
    let promise = Promise {
        reference: reference.clone(),
        kind: PromiseKind::Callback,
        tenant: callback.tenant.clone(),
        department: callback.department.clone(),
        made: callback.made,
        call: origin.map(|(call, _)| call),
        number: origin.map_or(0, |(_, number)| number),
        mail: None,
    };
    let done = Done::Noted { reference };
    write_promise(tx, &promise, &done)?;
    Ok(done)
}

fn write_promise(
    tx: &mut dyn Transaction,
    promise: &Promise,
    done: &Done,
) -> Result<(), StoreError> {
    PROMISES.put(tx, promise.reference.0.as_bytes(), promise)?;
    match promise.call {
        Some(call) => ANSWERS.put(tx, &key_of(call, promise.number), done),
        None => Ok(()),
    }
}

/// Forgets promises made before a time, with their callbacks, unless one is still open; returns
/// where to go on, or nothing when all were looked at.
pub(super) fn forget_some(
    tx: &mut dyn Transaction,
    before: Timestamp,
    from: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut next = from.to_vec();
    for _ in 0..200 {
        let Some((key, promise)) = PROMISES.first_from(tx, &next)? else {
            return Ok(None);
        };
        next.clone_from(&key);
        next.push(0);
        let is_open = ledger::find(tx, &promise.reference)?.is_some_and(|it| it.state.is_open());
        if promise.made < before && !is_open {
            ledger::forget(tx, &promise.reference)?;
            if let Some(call) = promise.call {
                ANSWERS.delete(tx, &key_of(call, promise.number))?;
            }
            PROMISES.delete(tx, &key)?;
        }
    }
    Ok(Some(next))
}

fn first_free(view: &dyn View, references: &[Reference]) -> Result<Option<Reference>, StoreError> {
    for reference in references {
        if PROMISES.get(view, reference.0.as_bytes())?.is_none() {
            return Ok(Some(reference.clone()));
        }
    }
    Ok(None)
}

/// Says why a number is not called back, where it is not.
fn may_be_called(number: &PhoneNumber, abroad: bool) -> Result<(), String> {
    let Some(national) = number.e164().strip_prefix("+45") else {
        return if abroad {
            Ok(())
        } else {
            Err("numbers outside Denmark are not called back".to_owned())
        };
    };
    if national.len() != 8 || national.starts_with(['0', '1']) {
        return Err("this is no telephone number that can be called back".to_owned());
    }
    if national.starts_with("90") {
        return Err("premium numbers are not called back".to_owned());
    }
    Ok(())
}

/// Refuses a chosen time that cannot be kept to the minute: whoever chose it must choose again,
/// as a time that is moved is not the one they heard. `first` is when the department is open from
/// that time on.
fn may_be_chosen(
    at: Timestamp,
    now: Timestamp,
    first: Timestamp,
    tenant: &Tenant,
    department: &DepartmentId,
) -> Result<(), ServiceError> {
    let refusal = if at < now {
        format!("{at} is over: choose a time to come")
    } else if at > later(now, FARTHEST) {
        format!("{at} is too far ahead: a callback can be promised for 30 days at most")
    } else if at != first {
        format!(
            "{department} of {} is closed at {}: it opens at {}",
            tenant.tenant,
            shown(tenant, at),
            shown(tenant, first)
        )
    } else {
        return Ok(());
    };
    Err(ServiceError::Refused(refusal))
}

fn key_of(call: CallId, number: u32) -> Vec<u8> {
    let mut key = call.0.as_bytes().to_vec();
    key.extend(number.to_be_bytes());
    key
}

fn file_of(recording: Option<&Recording>) -> Option<String> {
    recording
        .map(|recording| recording.file.clone())
        .filter(|file| !file.is_empty())
}

fn put(values: &mut Value, name: &str, value: Value) {
    if let Value::Object(values) = values {
        values.insert(name.to_owned(), value);
    }
}

pub(super) fn mail_language(tenant: &Tenant) -> Language {
    tenant
        .mail
        .language
        .unwrap_or_else(|| tenant.first_language())
}

/// Returns a text in a language, or in the first one that there is.
pub(super) fn said(texts: &Texts, language: Language) -> &str {
    texts
        .get(&language)
        .or_else(|| texts.values().next())
        .map_or("", String::as_str)
}

/// Returns a time as it is read in the tenant's zone.
pub(super) fn shown(tenant: &Tenant, at: Timestamp) -> String {
    let local = zone(tenant).to_datetime(at);
    local.strftime("%Y-%m-%d %H:%M").to_string()
}
