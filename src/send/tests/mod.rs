mod line;
mod stories;
mod texts;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use lettre::address::Envelope;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::store::{Chance, ManualClock, Store, StoreError};
use crate::words::{Language, Reference, TenantId};

/// Longer than any step of a test takes, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// An outbox with everything around it.
struct House {
    store: Store,
    outbox: Outbox,
    clock: ManualClock,
    folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        Self::over(Store::in_memory())
    }

    fn over(store: Store) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-11-23T09:00:00Z".parse().unwrap());
        let outbox = Outbox::new(
            &Config::default(),
            store.clone(),
            Letters::built_in(),
            folder.path().to_owned(),
            Arc::new(clock.clone()),
            Chance::seeded(7),
        );
        Self {
            store,
            outbox,
            clock,
            folder,
        }
    }

    async fn queue(&self, mail: NewMail) -> MailId {
        let outbox = self.outbox.clone();
        self.store
            .write(move |tx| outbox.enqueue(tx, &mail))
            .await
            .unwrap()
    }

    /// Starts a worker, which ends when it is dropped: a crash.
    fn work(&self, carrier: Arc<dyn Carrier>) -> Worker {
        let outbox = self.outbox.clone();
        Worker(tokio::spawn(async move {
            outbox.run(carrier, CancellationToken::new()).await;
        }))
    }

    /// Waits until the mails are so.
    async fn until(&self, what: impl Fn(&Tally) -> bool) -> Tally {
        let mut changed = self.store.watch("mail");
        loop {
            changed.mark_unchanged();
            let tally = self.outbox.tally().await.unwrap();
            if what(&tally) {
                return tally;
            }
            let waited = timeout(PATIENCE, changed.changed()).await;
            assert!(waited.is_ok(), "the mails stay as they are: {tally:?}");
        }
    }

    /// Waits until a mail is so, and returns it.
    async fn until_mail(&self, id: MailId, what: impl Fn(&Mail) -> bool) -> Mail {
        let mut changed = self.store.watch("mail");
        loop {
            changed.mark_unchanged();
            let mail = self.mail(id).await;
            if what(&mail) {
                return mail;
            }
            let waited = timeout(PATIENCE, changed.changed()).await;
            assert!(waited.is_ok(), "the mail stays as it is: {mail:?}");
        }
    }

    /// Waits until so many attempts of a mail are over and it waits for the next.
    async fn until_waiting(&self, id: MailId, attempts: u32) -> Mail {
        self.until_mail(id, |mail| {
            mail.attempts == attempts && mail.state == MailState::Queued
        })
        .await
    }

    async fn mail(&self, id: MailId) -> Mail {
        self.outbox.mail(id).await.unwrap().unwrap()
    }

    /// Lets so many seconds pass.
    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

struct Worker(JoinHandle<()>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Worker {
    /// Ends the worker as a kill would, and waits until it is gone.
    async fn kill(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

/// A mail at the counter, waiting for an answer.
struct AtCounter {
    to: String,
    text: String,
    answer: oneshot::Sender<Result<String, NotCarried>>,
}

impl AtCounter {
    fn take(self) {
        let _ = self.answer.send(Ok("250 taken".to_owned()));
    }

    fn refuse(self, why: NotCarried) {
        let _ = self.answer.send(Err(why));
    }

    fn message_id(&self) -> String {
        header(&self.text, "Message-ID")
    }
}

/// A carrier whose every answer the test gives.
struct Counter(mpsc::Sender<AtCounter>);

#[async_trait]
impl Carrier for Counter {
    async fn carry(&self, envelope: &Envelope, mail: &[u8]) -> Result<String, NotCarried> {
        let (answer, answered) = oneshot::channel();
        let at_counter = AtCounter {
            to: envelope.to()[0].to_string(),
            text: String::from_utf8(mail.to_vec()).unwrap(),
            answer,
        };
        self.0.send(at_counter).await.unwrap();
        answered.await.unwrap()
    }
}

struct Clerk(mpsc::Receiver<AtCounter>);

impl Clerk {
    async fn next(&mut self) -> AtCounter {
        timeout(PATIENCE, self.0.recv()).await.unwrap().unwrap()
    }

    fn is_idle(&mut self) -> bool {
        self.0.try_recv().is_err()
    }
}

fn counter() -> (Arc<Counter>, Clerk) {
    let (sender, receiver) = mpsc::channel(1);
    (Arc::new(Counter(sender)), Clerk(receiver))
}

fn header(text: &str, name: &str) -> String {
    let found = text
        .lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix(&format!("{name}: ")));
    found.unwrap_or_default().to_owned()
}

fn mail(number: u128, to: &str) -> NewMail {
    NewMail {
        id: MailId(uuid::Uuid::from_u128(number)),
        tenant: TenantId::from("lilleby"),
        kind: LetterKind::Message,
        reference: Some(Reference(format!("R{number}"))),
        from: "Hotline <hotline@lilleby.example>".to_owned(),
        to: to.to_owned(),
        letter: Letter {
            subject: format!("Besked {number}"),
            body: "Der er rotter i gården.\n".to_owned(),
        },
        recording: None,
        escalation: Some(Escalation {
            to: Some("vagt@lilleby.example".to_owned()),
            language: Language::DA,
            overdue: None,
        }),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
