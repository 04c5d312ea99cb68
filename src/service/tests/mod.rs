mod callbacks;
mod life;
mod notices;
mod orders;
mod restarts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::dialog::{
    CallbackOrder, CancellationOrder, Done, Due, Handoff, MessageOrder, Order, QueueState,
    Recording, Target,
};
use crate::pbx::{Arrival, CallEvent, Dial, Dialled, LinkState, PbxError};
use crate::send::{Letters, Mail};
use crate::store::{Backend, ManualClock, Transaction, Verdict, View, WriteWork};
use crate::words::{CallId, Language, PhoneNumber, QueueName};

/// Longer than any step of a test takes, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A PBX that does what the test says and nothing else.
struct FakePbx {
    link: watch::Sender<LinkState>,
    queues: Mutex<BTreeMap<QueueName, QueueState>>,
    looks: watch::Sender<u32>,
    existing: Mutex<BTreeSet<CallId>>,
    asked: watch::Sender<u32>,
    hung_up: Mutex<Vec<CallId>>,
    dials: mpsc::Sender<Ringing>,
}

/// A call being dialled, waiting for how it goes.
struct Ringing {
    dial: Dial,
    answer: oneshot::Sender<Result<Dialled, PbxError>>,
}

impl Ringing {
    fn ends(self, dialled: Dialled) {
        let _ = self.answer.send(Ok(dialled));
    }

    fn fails(self, error: PbxError) {
        let _ = self.answer.send(Err(error));
    }
}

#[async_trait]
impl Pbx for FakePbx {
    fn link(&self) -> watch::Receiver<LinkState> {
        self.link.subscribe()
    }

    async fn arrival(&self, _: CallId) -> Result<Arrival, PbxError> {
        panic!("the services ask about no arrival")
    }

    fn follow(&self, _: CallId) -> mpsc::Receiver<CallEvent> {
        panic!("the services follow no call")
    }

    async fn transfer(&self, _: CallId, _: &Target, _: &Handoff) -> Result<(), PbxError> {
        panic!("the services move no caller")
    }

    async fn hang_up(&self, call: CallId) -> Result<(), PbxError> {
        self.hung_up.lock().unwrap().push(call);
        Ok(())
    }

    async fn dial(&self, dial: &Dial) -> Result<Dialled, PbxError> {
        assert_eq!(
            *self.link.borrow(),
            LinkState::Ready,
            "dialled without a link"
        );
        let (answer, answered) = oneshot::channel();
        let ringing = Ringing {
            dial: dial.clone(),
            answer,
        };
        self.dials.send(ringing).await.unwrap();
        match answered.await {
            Ok(answer) => answer,
            // The test lets it ring for ever.
            Err(_) => std::future::pending().await,
        }
    }

    async fn exists(&self, call: CallId) -> Result<bool, PbxError> {
        let exists = self.existing.lock().unwrap().contains(&call);
        self.asked.send_modify(|count| *count += 1);
        Ok(exists)
    }

    async fn queues(&self) -> Result<BTreeMap<QueueName, QueueState>, PbxError> {
        let queues = self.queues.lock().unwrap().clone();
        self.looks.send_modify(|count| *count += 1);
        Ok(queues)
    }
}

/// Services with everything around them.
struct House {
    store: Store,
    outbox: Outbox,
    clock: ManualClock,
    pbx: Arc<FakePbx>,
    dials: mpsc::Receiver<Ringing>,
    services: Arc<Services>,
    /// Cancelled when the doors close.
    closing: CancellationToken,
    worker: Option<JoinHandle<()>>,
}

fn lilleby() -> Tenant {
    serde_json::from_value(json!({
        "tenant": "lilleby",
        "name": { "da": "Lilleby Kommune", "en": "Lilleby" },
        "numbers": ["+4570101010"],
        "languages": ["da", "en"],
        "hours": { "mon-fri": "09:00-15:00" },
        "holidays": { "closed": ["dec_24"] },
        "departments": {
            "citizen_service": {
                "name": { "da": "Borgerservice" },
                "queue": "citizen",
                "mail": "borgerservice@lilleby.example"
            },
            "job_centre": {
                "name": { "da": "Jobcenter" },
                "queue": "jobs",
                "mail": "jobcenter@lilleby.example",
                "callback_order": "caller_first"
            }
        },
        "operator": "citizen_service",
        "notices": { "high_water": { "da": "Der er højvande i havnen." } },
        "callback": { "attempts": 3, "gap_minutes": 15, "expiry_days": 2, "ring_seconds": 30 },
        "mail": { "from": "hotline@lilleby.example", "escalate_to": "vagt@lilleby.example" }
    }))
    .unwrap()
}

/// Monday, 10 o'clock in Copenhagen: open.
const MONDAY: &str = "2026-11-23T09:00:00Z";

impl House {
    async fn new() -> Self {
        Self::over(Store::in_memory(), at(MONDAY)).await
    }

    async fn over(store: Store, now: Timestamp) -> Self {
        let clock = ManualClock::new(now);
        let outbox = Outbox::new(
            &crate::send::Config::default(),
            store.clone(),
            Letters::built_in(),
            "/nowhere".into(),
            Arc::new(clock.clone()),
            Chance::seeded(now.as_second().unsigned_abs()),
        );
        let (sender, dials) = mpsc::channel(100);
        let free = QueueState {
            agents_free: 2,
            agents: 2,
            ..QueueState::default()
        };
        let pbx = Arc::new(FakePbx {
            link: watch::Sender::new(LinkState::Ready),
            queues: Mutex::new(
                [("citizen", free), ("jobs", free)]
                    .map(|(name, state)| (QueueName::from(name), state))
                    .into(),
            ),
            looks: watch::Sender::new(0),
            existing: Mutex::default(),
            asked: watch::Sender::new(0),
            hung_up: Mutex::default(),
            dials: sender,
        });
        let tenant = Arc::new(lilleby());
        let ground = Ground {
            store: store.clone(),
            outbox: outbox.clone(),
            pbx: pbx.clone(),
            clock: Arc::new(clock.clone()),
            chance: Chance::seeded(now.as_second().unsigned_abs() + 1),
            tenants: Arc::new(move |id| (*id == tenant.tenant).then(|| tenant.clone())),
        };
        let services = Services::start(ground, Config::default()).await.unwrap();
        Self {
            store,
            outbox,
            clock,
            pbx,
            dials,
            services,
            closing: CancellationToken::new(),
            worker: None,
        }
    }

    /// Sets the dialler going; it ends with the house, as in a crash.
    fn work(&mut self) {
        let services = self.services.clone();
        let running = services.run(self.closing.clone(), CancellationToken::new());
        self.worker = Some(tokio::spawn(running));
    }

    /// Ends the house as a kill would, leaving the store.
    async fn kill(mut self) -> Store {
        if let Some(worker) = self.worker.take() {
            worker.abort();
            let _ = worker.await;
        }
        self.store.clone()
    }

    async fn order(&self, call: u128, order: Order) -> Done {
        let tenant = TenantId::from("lilleby");
        self.services.order(&tenant, call_id(call), 1, order).await
    }

    async fn noted(&self, call: u128, order: Order) -> Reference {
        match self.order(call, order).await {
            Done::Noted { reference } => reference,
            other => panic!("not noted: {other:?}"),
        }
    }

    async fn ringing(&mut self) -> Ringing {
        let ringing = timeout(PATIENCE, self.dials.recv()).await;
        ringing.expect("nobody is dialled").unwrap()
    }

    async fn callback(&self, reference: &Reference) -> Callback {
        self.services.find_callback(&reference.0).await.unwrap()
    }

    async fn until(&self, reference: &Reference, what: impl Fn(&Callback) -> bool) -> Callback {
        let mut changed = self.store.watch("callback");
        loop {
            changed.mark_unchanged();
            let callback = self.callback(reference).await;
            if what(&callback) {
                return callback;
            }
            let waited = timeout(PATIENCE, changed.changed()).await;
            assert!(waited.is_ok(), "the callback stays as it is: {callback:?}");
        }
    }

    async fn until_waiting(&self, reference: &Reference, attempts: usize) -> Callback {
        self.until(reference, |it| {
            it.state == CallbackState::Waiting && it.attempts.len() == attempts
        })
        .await
    }

    async fn until_over(&self, reference: &Reference) -> Callback {
        self.until(reference, |it| !it.state.is_open()).await
    }

    /// Waits until the dialler has looked at the queues once more, and then dialled nobody.
    async fn looks_and_dials_nobody(&mut self) {
        let mut looks = self.pbx.looks.subscribe();
        looks.mark_unchanged();
        self.pass(6);
        timeout(PATIENCE, looks.changed()).await.unwrap().unwrap();
        self.pass(6);
        timeout(PATIENCE, looks.changed()).await.unwrap().unwrap();
        assert!(self.dials.try_recv().is_err(), "somebody was dialled");
    }

    /// Waits until the dialler has gone through everything that is due, whatever that is.
    async fn two_passes(&self) {
        let tenant = TenantId::from("lilleby");
        let mut news = self.services.watch_notices();
        for name in ["one", "two"] {
            let until = crate::store::Clock::now(&self.clock) + jiff::SignedDuration::from_secs(5);
            let text = [(Language::DA, name.to_owned())].into();
            let on = self
                .services
                .notice_on(&tenant, name, Some(text), Some(until), "test");
            on.await.unwrap();
            news.mark_unchanged();
            self.pass(5);
            // Ends are told early in a pass, so the second is told after the first pass is over.
            timeout(PATIENCE, news.changed()).await.unwrap().unwrap();
        }
    }

    fn queue(&self, name: &str, waiting: u32, agents_free: u32) {
        let state = QueueState {
            waiting,
            agents_free,
            agents: 5,
            ..QueueState::default()
        };
        let mut queues = self.pbx.queues.lock().unwrap();
        queues.insert(QueueName::from(name), state);
        drop(queues);
        self.services.queue_changed();
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    async fn mails(&self) -> Vec<Mail> {
        let all: crate::store::Table<Mail> = crate::store::Table::new("mail");
        let entries = self
            .store
            .read(move |view| all.with_prefix(view, b"", 100))
            .await;
        entries.unwrap().into_iter().map(|(_, mail)| mail).collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.abort();
        }
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn call_id(number: u128) -> CallId {
    CallId(uuid::Uuid::from_u128(number))
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

fn call_me(department: &str, telephone: &str, due: Due) -> Order {
    Order::Callback(CallbackOrder {
        department: DepartmentId::from(department),
        language: Language::DA,
        number: number(telephone),
        name: None,
        reason: "pas".to_owned(),
        due,
    })
}

fn soon(telephone: &str) -> Order {
    call_me("citizen_service", telephone, Due::QueueShort)
}
