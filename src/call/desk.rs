//! The desk: admits calls, finds out whose they are, gives each its own task, and keeps the books
//! when it ends. It lets nobody in while the house is closing.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::house::House;
use super::journal::{self, Entry, JOURNALS, Journal};
use super::line::Line;
use super::task::{Ended, Task};
use crate::dialog::{Caller, Dialog, Outcome, Playbook, SlotValue};
use crate::pbx::{Arrival, CallEvent, PbxError};
use crate::words::{CallId, FlowName, PhoneNumber, TenantId};

/// The flow that greets someone whom we called back.
const CALLBACK_CONNECT: &str = "callback_connect";

/// The tenants as they are on the shelf now.
#[derive(Clone, Debug, Default)]
pub struct Books {
    tenants: BTreeMap<TenantId, Arc<Playbook>>,
    numbers: BTreeMap<String, TenantId>,
}

impl Books {
    /// Puts tenants on the shelf; numbers are found however they are written.
    pub fn new(playbooks: impl IntoIterator<Item = Arc<Playbook>>) -> Self {
        let mut books = Self::default();
        for playbook in playbooks {
            let tenant = &playbook.shelf.tenant;
            for number in &tenant.numbers {
                books.numbers.insert(plain(number), tenant.tenant.clone());
            }
            books.tenants.insert(tenant.tenant.clone(), playbook);
        }
        books
    }

    /// Returns a tenant.
    pub fn tenant(&self, tenant: &TenantId) -> Option<&Arc<Playbook>> {
        self.tenants.get(tenant)
    }

    /// Returns all tenants.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Playbook>> {
        self.tenants.values()
    }

    /// Returns whose number this is; with one tenant only, every number is theirs.
    pub fn of_number(&self, did: &str) -> Option<&Arc<Playbook>> {
        if let Some(tenant) = self.numbers.get(&plain(did)) {
            return self.tenants.get(tenant);
        }
        match self.tenants.len() {
            1 => self.tenants.values().next(),
            _ => None,
        }
    }
}

/// Returns a number as E.164 where it is one, else as it stands.
fn plain(number: &str) -> String {
    match PhoneNumber::parse(number) {
        Ok(number) => number.e164().to_owned(),
        Err(_) => number.to_owned(),
    }
}

/// Admits calls.
pub struct Desk {
    house: Arc<House>,
    books: watch::Receiver<Arc<Books>>,
    /// Cancelled when no more calls are admitted.
    closing: CancellationToken,
    /// Cancelled when calls must end.
    hard_stop: CancellationToken,
}

impl Desk {
    /// Opens the desk.
    pub fn new(
        house: Arc<House>,
        books: watch::Receiver<Arc<Books>>,
        closing: CancellationToken,
        hard_stop: CancellationToken,
    ) -> Self {
        Self {
            house,
            books,
            closing,
            hard_stop,
        }
    }

    /// Serves a call until it is over. A caller who cannot be served is left to the dialplan,
    /// which takes them to the ordinary queue.
    pub async fn serve(&self, call: CallId, mut line: Line) {
        if self.closing.is_cancelled() {
            return self.turn_away(call, &mut line, "Hotline is closing").await;
        }
        let arrival = match self.house.pbx.arrival(call).await {
            Ok(arrival) => arrival,
            Err(PbxError::NoSuchCall) => {
                tracing::info!(%call, "a caller was gone before they could be served");
                return line.to_caller.close().await;
            }
            Err(error) => return self.turn_away(call, &mut line, &error.to_string()).await,
        };
        let Some(visit) = self.visit(&arrival) else {
            let why = format!(
                "no tenant has the number {}: add it to `numbers` of its tenant.yaml",
                arrival.did
            );
            return self.turn_away(call, &mut line, &why).await;
        };
        self.house.figures.active.inc();
        let ended = self.attend(call, line, &arrival, &visit).await;
        self.house.figures.active.dec();
        self.book(call, &arrival, visit, ended).await;
    }

    /// Tells whose call it is and which flow begins.
    fn visit(&self, arrival: &Arrival) -> Option<Visit> {
        let books = self.books.borrow().clone();
        if let Some(purpose) = &arrival.purpose {
            let callback = self.house.services.callback_for(purpose)?;
            let playbook = books.tenant(&callback.tenant)?.clone();
            let slots = vec![
                (
                    "department".to_owned(),
                    SlotValue::from(callback.department.0.clone()),
                ),
                (
                    "reason".to_owned(),
                    SlotValue::from(callback.reason.clone()),
                ),
                (
                    "reference".to_owned(),
                    SlotValue::from(callback.reference.0.clone()),
                ),
            ];
            return Some(Visit {
                playbook,
                flow: Some(FlowName::from(CALLBACK_CONNECT)),
                slots,
                number: Some(callback.number),
                callback: Some(purpose.clone()),
            });
        }
        let playbook = books.of_number(&arrival.did)?.clone();
        let number = arrival.caller.clone();
        Some(Visit {
            playbook,
            flow: None,
            slots: Vec::new(),
            number,
            callback: None,
        })
    }

    async fn attend(&self, call: CallId, line: Line, arrival: &Arrival, visit: &Visit) -> Ended {
        let tenant = visit.playbook.shelf.tenant.tenant.clone();
        let mut journal = Journal::new(call, tenant.clone(), self.house.live.clone());
        let caller = visit
            .number
            .as_ref()
            .map(PhoneNumber::masked)
            .unwrap_or_default();
        let now = self.house.clock.now();
        tracing::info!(%call, %tenant, did = arrival.did, "a call came");
        journal.write(
            now,
            Entry::Came {
                did: arrival.did.clone(),
                caller,
            },
        );
        let caller = Caller {
            number: visit.number.clone(),
            name: arrival.name.clone(),
        };
        let mut dialog = Dialog::new(visit.playbook.clone(), caller, visit.flow.clone())
            .with_slots(visit.slots.clone());
        if let Some(language) = arrival
            .language
            .as_deref()
            .and_then(|code| code.parse().ok())
            && visit.callback.is_some()
        {
            dialog = dialog.with_language(language);
        }
        let ear = self
            .house
            .ears
            .as_ref()
            .and_then(|ears| match ears.open(call) {
                Ok(ear) => Some(ear),
                Err(error) => {
                    tracing::warn!(%call, "this call goes by keys: {error}");
                    None
                }
            });
        let task = Task {
            call,
            facts: self.house.facts(&visit.playbook),
            playbook: visit.playbook.clone(),
            tenant,
            house: self.house.clone(),
            dialog,
            journal,
            ear,
            line,
            hard_stop: self.hard_stop.clone(),
        };
        task.run().await
    }

    /// Keeps the books of a call that has ended.
    async fn book(&self, call: CallId, arrival: &Arrival, visit: Visit, ended: Ended) {
        let Ended {
            outcome,
            journal,
            department,
            events,
        } = ended;
        tracing::info!(%call, ?outcome, "a call ended");
        let label = super::figures::OutcomeLabel {
            outcome: outcome.into(),
        };
        self.house.figures.ended.get_or_create(&label).inc();
        let tenant = visit.playbook.shelf.tenant.tenant.clone();
        let with_people = matches!(outcome, Outcome::Transferred | Outcome::FellBack);
        if let Some(callback) = visit.callback.as_ref().filter(|_| with_people) {
            // Whoever fell back is in the ordinary queue: they have been called.
            self.house.services.callback_connected(callback).await;
        } else if let (Outcome::Transferred, Some(department), Some(number)) =
            (outcome, department, visit.number)
        {
            let services = self.house.services.clone();
            let stop = self.hard_stop.clone();
            self.house.scope.spawn(async move {
                if stop.run_until_cancelled(agent_answers(events)).await == Some(true) {
                    services
                        .caller_got_through(&tenant, &department, &number)
                        .await;
                }
            });
        }
        let lines: Vec<String> = journal
            .into_lines()
            .iter()
            .map(|line| line.to_string())
            .collect();
        let key = journal::key(self.house.clock.now(), call);
        let stored = self
            .house
            .store
            .write(move |tx| JOURNALS.put(tx, &key, &lines))
            .await;
        if let Err(error) = stored {
            tracing::error!(%call, did = arrival.did, "the journal was not kept: {error}");
        }
    }

    async fn turn_away(&self, call: CallId, line: &mut Line, why: &str) {
        tracing::error!(%call, "a call is left to the dialplan: {why}");
        self.house.figures.turned_away.inc();
        line.to_caller.close().await;
    }
}

/// Whose call it is, and how it begins.
struct Visit {
    playbook: Arc<Playbook>,
    flow: Option<FlowName>,
    slots: Vec<(String, SlotValue)>,
    number: Option<PhoneNumber>,
    callback: Option<String>,
}

/// Waits for an agent to take a caller who was put into a queue.
async fn agent_answers(mut events: tokio::sync::mpsc::Receiver<CallEvent>) -> bool {
    while let Some(event) = events.recv().await {
        match event {
            CallEvent::AgentAnswered => return true,
            CallEvent::HungUp(_) => return false,
            CallEvent::Key(_) | CallEvent::Queued(_) => {}
        }
    }
    false
}
