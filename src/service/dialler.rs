//! The one task that sees to callbacks: it finds what is due, dials it through the PBX and writes
//! down how it went. An attempt is in the store before anything rings.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::callback::{AttemptOutcome, Callback, Failure, Happening, later};
use super::order::{forget_some, mail_language, said, shown};
use super::supervise::Stops;
use super::{CallbackState, Services, ledger, opening};
use crate::dialog::{Due, Handoff, QueueState};
use crate::flow::{Department, Tenant};
use crate::pbx::{Dial, DialOrder, Dialled, LinkState, PbxError};
use crate::send::{Escalation, LetterKind, NewMail};
use crate::store::{StoreError, Transaction};
use crate::words::{CallId, Language, PhoneNumber, QueueName, Reference};

/// Sees to callbacks.
pub(super) struct Dialler {
    services: Arc<Services>,
    /// One task per call being dialled or watched.
    calls: JoinSet<()>,
    next_sweep: Timestamp,
}

/// A wait when the store fails.
const STORE_WAIT: SignedDuration = SignedDuration::from_secs(5);
/// How often the PBX is asked whether a call still exists.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// How often old promises are forgotten.
const SWEEP: SignedDuration = SignedDuration::from_hours(1);
/// What setting up a call and an agent's wrap-up take beside the ringing of two telephones.
const SET_UP: SignedDuration = SignedDuration::from_secs(60);
/// How many callbacks of a department are looked at in one pass.
const BATCH: usize = 100;

impl Dialler {
    pub(super) fn new(services: Arc<Services>) -> Self {
        Self {
            services,
            calls: JoinSet::new(),
            next_sweep: Timestamp::MIN,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let ground = self.services.ground.clone();
        let mut stirred = ground.store.watch(ledger::STIR);
        let mut link = ground.pbx.link();
        self.take_up();
        while !stop.is_cancelled() {
            stirred.mark_unchanged();
            link.mark_unchanged();
            let now = ground.clock.now();
            let wake = self.pass(now).await.unwrap_or_else(|error| {
                tracing::error!(%error, "callbacks cannot use the store");
                later(now, STORE_WAIT)
            });
            tokio::select! {
                () = stop.cancelled() => {}
                () = ground.clock.wait_until(wake) => {}
                () = self.services.stir.notified() => {}
                Some(_) = self.calls.join_next() => {}
                _ = stirred.changed() => {}
                // A link whose sender is gone never changes again.
                Ok(()) = link.changed() => {}
            }
        }
    }

    /// Watches over the calls that were under way when the process ended.
    fn take_up(&mut self) {
        let left: Vec<Callback> = self.services.under_way().values().cloned().collect();
        for callback in left {
            tracing::warn!(
                reference = %callback.reference,
                "a callback was under way when the process ended; the PBX is asked about it"
            );
            let services = Arc::clone(&self.services);
            self.calls
                .spawn(async move { services.watch_over(&callback).await });
        }
    }

    /// Does everything that is due and returns when there may be something to do.
    async fn pass(&mut self, now: Timestamp) -> Result<Timestamp, StoreError> {
        if now >= self.next_sweep {
            self.services.sweep(now).await?;
            self.next_sweep = later(now, SWEEP);
        }
        let mut wake = self.next_sweep;
        if let Some(ends) = self.services.end_notices(now).await? {
            wake = wake.min(ends);
        }
        if let Some(expires) = self.services.expire(now).await? {
            wake = wake.min(expires);
        }
        let store = &self.services.ground.store;
        let (stops, triggered, waiting) = store
            .read(|view| {
                Ok::<_, StoreError>((
                    Stops::read(view)?,
                    ledger::triggered(view)?,
                    ledger::departments(view)?,
                ))
            })
            .await?;
        let later_ones = waiting
            .iter()
            .filter(|it| it.first > now)
            .map(|it| it.first);
        wake = later_ones.fold(wake, Timestamp::min);
        let mut due: Vec<_> = waiting.into_iter().filter(|it| it.first <= now).collect();
        due.retain(|it| !stops.hold(&it.tenant));
        if (due.is_empty() && triggered.is_empty())
            || *self.services.ground.pbx.link().borrow() != LinkState::Ready
        {
            return Ok(wake);
        }
        for callback in triggered {
            if !stops.hold(&callback.tenant) {
                self.dial(&callback.reference, now).await?;
            }
        }
        if due.is_empty() {
            return Ok(wake);
        }
        let look_again = i64::from(self.services.config.queue_poll_seconds.max(1));
        wake = wake.min(later(now, SignedDuration::from_secs(look_again)));
        let queues = match self.services.ground.pbx.queues().await {
            Ok(queues) => queues,
            Err(error) => {
                tracing::warn!(%error, "the queues are unknown, so nobody is called back now");
                return Ok(wake);
            }
        };
        for department in due {
            self.department(&department, &queues, now).await?;
        }
        Ok(wake)
    }

    /// Dials as many of a department's due callbacks as its queue allows.
    async fn department(
        &mut self,
        waiting: &ledger::Waiting,
        queues: &BTreeMap<QueueName, QueueState>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let services = Arc::clone(&self.services);
        let Some(tenant) = (services.ground.tenants)(&waiting.tenant) else {
            tracing::error!(tenant = %waiting.tenant, "callbacks wait for a tenant that is gone");
            return Ok(());
        };
        let Some(department) = tenant.departments.get(&waiting.department) else {
            tracing::error!(
                tenant = %waiting.tenant,
                department = %waiting.department,
                "callbacks wait for a department that is gone"
            );
            return Ok(());
        };
        if let Some(opening) = opening(&tenant, department)
            && !opening.is_open(now)
        {
            return services.put_off(waiting, opening.next_open(now), now).await;
        }
        let Some(queue) = queues.get(&department.queue) else {
            tracing::warn!(
                queue = %department.queue,
                department = %waiting.department,
                "callbacks wait for a queue that the PBX does not know"
            );
            return Ok(());
        };
        let (tenant_id, department_id) = (waiting.tenant.clone(), waiting.department.clone());
        let due = services
            .ground
            .store
            .read(move |view| ledger::due_in(view, &tenant_id, &department_id, now, BATCH))
            .await?;
        let is_short = queue.waiting <= tenant.callback.queue_short;
        for callback in due {
            let busy = services.dialled_into(&department.queue);
            if usize::try_from(queue.agents_free).unwrap_or(usize::MAX) <= busy {
                break;
            }
            let may = match callback.due {
                Due::QueueShort => is_short,
                Due::At(_) => true,
            };
            if may {
                self.dial(&callback.reference, now).await?;
            }
        }
        Ok(())
    }

    /// Writes an attempt down and sets it going.
    async fn dial(&mut self, reference: &Reference, now: Timestamp) -> Result<(), StoreError> {
        let services = Arc::clone(&self.services);
        let call = CallId(services.ground.chance.uuid());
        let wanted = reference.clone();
        let begun = services
            .ground
            .store
            .write(move |tx| {
                let Some(mut callback) = ledger::find(tx, &wanted)? else {
                    return Ok::<_, StoreError>(None);
                };
                if !callback.begin(call, now) {
                    return Ok(None);
                }
                ledger::write_down(tx, &callback)?;
                Ok(Some(callback))
            })
            .await?;
        if let Some(callback) = begun {
            tracing::info!(reference = %callback.reference, %call, "a callback is dialled");
            services
                .under_way()
                .insert(callback.reference.clone(), callback.clone());
            self.calls
                .spawn(async move { services.place(&callback, call).await });
        }
        Ok(())
    }
}

impl Services {
    /// Dials a callback whose attempt is written down, and sees it through.
    async fn place(&self, callback: &Callback, call: CallId) {
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
    async fn watch_over(&self, callback: &Callback) {
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

    /// Gives up callbacks whose time is over and returns when the next one's is.
    async fn expire(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let first = self.ground.store.read(ledger::first_to_expire).await?;
        if first.as_ref().is_none_or(|(at, _)| *at > now) {
            return Ok(first.map(|(at, _)| at));
        }
        let farewell = self.farewell();
        self.ground
            .store
            .write(move |tx| {
                while let Some((at, reference)) = ledger::first_to_expire(tx)? {
                    if at > now {
                        return Ok(Some(at));
                    }
                    let Some(mut callback) = ledger::find(tx, &reference)? else {
                        break;
                    };
                    if !callback.expire(now) {
                        break;
                    }
                    tracing::warn!(%reference, "a callback was not made in time");
                    ledger::write_down(tx, &callback)?;
                    farewell(tx, &callback)?;
                }
                Ok(None)
            })
            .await
    }

    /// Returns what queues the mail by which a department learns of a callback that failed.
    fn farewell(
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
            let id = crate::send::MailId(uuid::Uuid::from_u128(
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

    /// Moves the due callbacks of a closed department to its next opening.
    async fn put_off(
        &self,
        waiting: &ledger::Waiting,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(until) = until else {
            return Ok(());
        };
        let (tenant, department) = (waiting.tenant.clone(), waiting.department.clone());
        self.ground
            .store
            .write(move |tx| {
                for mut callback in ledger::due_in(tx, &tenant, &department, now, BATCH)? {
                    callback.not_before = until;
                    // A promise made for an evening must not lapse over a long holiday.
                    let day = SignedDuration::from_hours(24);
                    callback.expires = callback.expires.max(later(until, day));
                    callback.note(now, Happening::PutOff, None);
                    ledger::write_down(tx, &callback)?;
                }
                Ok(())
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
            Ok(Some(callback)) => drop(self.under_way().insert(reference.clone(), callback)),
            Ok(None) => {}
            Err(error) => tracing::error!(%reference, %error, "an answer could not be stored"),
        }
    }

    /// Forgets promises that are long over.
    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let kept = SignedDuration::from_hours(24 * i64::from(self.config.keep_days));
        let before = later(now, -kept);
        let mut from = Some(Vec::new());
        while let Some(place) = from {
            from = self
                .ground
                .store
                .write(move |tx| forget_some(tx, before, &place))
                .await?;
        }
        Ok(())
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

    fn dialled_into(&self, queue: &QueueName) -> usize {
        let under_way = self.under_way();
        under_way.values().filter(|it| it.queue == *queue).count()
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
            tenant: tenant_name,
            reference: Some(callback.reference.clone()),
            ..Handoff::default()
        },
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
