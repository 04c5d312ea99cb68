//! The one task that sees to callbacks: it finds what is due and sets attempts going, each of which
//! is in the store before anything rings.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::callback::{Callback, Happening, later};
use super::order::forget_some;
use super::supervise::Stops;
use super::{Services, ledger, opening};
use crate::dialog::{Due, QueueState};
use crate::pbx::LinkState;
use crate::store::StoreError;
use crate::words::{CallId, QueueName, Reference};

/// Sees to callbacks.
pub(super) struct Dialler {
    services: Arc<Services>,
    /// One task per call being dialled or watched.
    calls: JoinSet<()>,
    next_sweep: Timestamp,
    /// Cancelled when no attempt may begin any more.
    closing: CancellationToken,
}

/// A wait when the store fails.
const STORE_WAIT: SignedDuration = SignedDuration::from_secs(5);
/// How often old promises are forgotten.
const SWEEP: SignedDuration = SignedDuration::from_hours(1);
/// How many callbacks of a department are looked at in one pass.
const BATCH: usize = 1000;

impl Dialler {
    pub(super) fn new(services: Arc<Services>, closing: CancellationToken) -> Self {
        Self {
            services,
            calls: JoinSet::new(),
            next_sweep: Timestamp::MIN,
            closing,
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
            || self.closing.is_cancelled()
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

    /// Writes an attempt down and sets it going, unless the doors are closing.
    async fn dial(&mut self, reference: &Reference, now: Timestamp) -> Result<(), StoreError> {
        let services = Arc::clone(&self.services);
        let call = CallId(services.ground.chance.uuid());
        let (wanted, closing) = (reference.clone(), self.closing.clone());
        let begun = services
            .ground
            .store
            .write(move |tx| {
                // Asked here, as the doors may close while a pass or the store's queue goes on.
                if closing.is_cancelled() {
                    return Ok::<_, StoreError>(None);
                }
                let Some(mut callback) = ledger::find(tx, &wanted)? else {
                    return Ok(None);
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

    fn dialled_into(&self, queue: &QueueName) -> usize {
        let under_way = self.under_way();
        under_way.values().filter(|it| it.queue == *queue).count()
    }
}
