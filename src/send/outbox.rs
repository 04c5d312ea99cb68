//! The outbox as the rooms above see it, and the one worker that empties it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::carrier::{Carrier, NotCarried};
use super::compose::compose;
use super::letters::{Letter, LetterKind, Letters};
use super::mail::{Mail, MailId, NewMail};
use super::queue::{self, Ending, Rules};
use super::{Config, SendError};
use crate::store::{Chance, Clock, Store, StoreError, Transaction};
use crate::words::Language;

/// Promised mails and what sends them. Cheap to clone; clones are the same outbox.
#[derive(Clone)]
pub struct Outbox {
    store: Store,
    letters: Arc<Letters>,
    recordings: Arc<Path>,
    clock: Arc<dyn Clock>,
    chance: Chance,
    lifetime: SignedDuration,
    keep: SignedDuration,
}

/// How many mails are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Waiting to be sent, late ones included.
    pub waiting: usize,
    /// Waiting for longer than they should.
    pub late: usize,
    /// Given up.
    pub dead: usize,
}

/// The first wait after a refusal or a failed connection.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);
/// How often the past is swept out.
const SWEEP: SignedDuration = SignedDuration::from_hours(1);
/// A wait when the store fails.
const STORE_WAIT: SignedDuration = SignedDuration::from_secs(5);

impl Outbox {
    /// Joins an outbox to its store; `recordings` is the folder in which recordings lie.
    pub fn new(
        config: &Config,
        store: Store,
        letters: Letters,
        recordings: PathBuf,
        clock: Arc<dyn Clock>,
        chance: Chance,
    ) -> Self {
        Self {
            store,
            letters: Arc::new(letters),
            recordings: recordings.into(),
            clock,
            chance,
            lifetime: SignedDuration::from_hours(i64::from(config.expire_hours)),
            keep: SignedDuration::from_hours(i64::from(config.keep_days) * 24),
        }
    }

    /// Fills in a letter.
    pub fn write(&self, kind: LetterKind, language: Language, values: &impl Serialize) -> Letter {
        self.letters.write(kind, language, values)
    }

    /// Draws a name for a new mail.
    pub fn new_id(&self) -> MailId {
        MailId(self.chance.uuid())
    }

    /// Queues a mail as part of a transaction: it is sent if, and only if, that commits.
    ///
    /// # Errors
    /// When the store fails.
    pub fn enqueue(&self, tx: &mut dyn Transaction, mail: &NewMail) -> Result<MailId, StoreError> {
        queue::enqueue(tx, self.rules(), mail)
    }

    /// Returns a mail.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn mail(&self, id: MailId) -> Result<Option<Mail>, StoreError> {
        self.store.read(move |view| queue::find(view, id)).await
    }

    /// Returns dead letters and mails that are late, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trouble(&self) -> Result<Vec<Mail>, StoreError> {
        self.store.read(queue::trouble).await
    }

    /// Counts the mails.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tally(&self) -> Result<Tally, StoreError> {
        self.store
            .read(|view| {
                let trouble = queue::trouble(view)?;
                let dead = trouble.iter().filter(|mail| mail.ended.is_some()).count();
                Ok(Tally {
                    waiting: queue::waiting(view)?,
                    late: trouble.len() - dead,
                    dead,
                })
            })
            .await
    }

    /// Sends a dead letter again.
    ///
    /// # Errors
    /// When there is no such mail, it is not dead, or the store fails.
    pub async fn retry(&self, id: MailId) -> Result<(), SendError> {
        let outbox = self.clone();
        let state = self
            .store
            .write(move |tx| queue::revive(tx, outbox.rules(), id))
            .await?;
        match state {
            None => Err(SendError::NoSuchMail(id)),
            Some(super::MailState::Dead) => Ok(()),
            Some(state) => Err(SendError::NotDead { id, state }),
        }
    }

    /// Sends what is due until told to stop; then finishes the mail under way. There must be one
    /// of these per store.
    pub async fn run(&self, carrier: Arc<dyn Carrier>, stop: CancellationToken) {
        let mut worker = Worker {
            outbox: self,
            carrier: &*carrier,
            failures: 0,
            not_before: Timestamp::MIN,
            next_sweep: self.clock.now(),
            recovered: false,
        };
        let mut stirred = self.store.watch(queue::STIR);
        while !stop.is_cancelled() {
            stirred.mark_unchanged();
            let wake = match worker.step().await {
                Ok(None) => continue,
                Ok(Some(wake)) => wake,
                Err(error) => {
                    tracing::error!(error = %error, "the outbox cannot use the store");
                    later(self.clock.now(), STORE_WAIT)
                }
            };
            carrier.rest().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.clock.wait_until(wake) => {}
                // The store and with it the sender of this notice live as long as we do.
                _ = stirred.changed() => {}
            }
        }
        carrier.rest().await;
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            now: self.clock.now(),
            lifetime: self.lifetime,
            letters: &self.letters,
        }
    }

    /// Returns how long to wait after so many failures in a row, give or take a fifth.
    fn wait_after(&self, failures: u32) -> SignedDuration {
        let doubled = FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16));
        let wait = doubled.min(LONGEST_WAIT);
        let tenths = 8 + u32::try_from(self.chance.below(5)).unwrap_or(0);
        SignedDuration::try_from(wait * tenths / 10).unwrap_or(SignedDuration::MAX)
    }
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outbox")
    }
}

/// What the worker remembers between two mails; losing it costs nothing.
struct Worker<'a> {
    outbox: &'a Outbox,
    carrier: &'a dyn Carrier,
    /// Failed connections in a row.
    failures: u32,
    /// When the server is tried again.
    not_before: Timestamp,
    next_sweep: Timestamp,
    recovered: bool,
}

impl Worker<'_> {
    /// Does one thing, and returns nothing; or when there will be something to do.
    async fn step(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let outbox = self.outbox;
        let now = outbox.clock.now();
        if !self.recovered {
            let cut_off = outbox
                .store
                .write(move |tx| queue::recover(tx, now))
                .await?;
            self.recovered = true;
            if cut_off > 0 {
                tracing::warn!(
                    mails = cut_off,
                    "mails were being sent when the process ended; they are sent again under the \
                     same Message-ID"
                );
            }
        }
        if now >= self.next_sweep {
            self.sweep(now).await?;
            self.next_sweep = later(now, SWEEP);
        }
        self.escalate(now).await?;
        let (due, overdue) = outbox
            .store
            .read(|view| {
                Ok::<_, StoreError>((queue::first_due(view)?, queue::first_overdue(view)?))
            })
            .await?;
        let ready = due.map(|(at, number)| (at.max(self.not_before), number));
        if let Some((at, number)) = ready
            && at <= now
        {
            self.attempt(number, now).await?;
            return Ok(None);
        }
        let wakes = [ready.map(|(at, _)| at), overdue, Some(self.next_sweep)];
        Ok(wakes.into_iter().flatten().min())
    }

    async fn attempt(&mut self, number: u64, now: Timestamp) -> Result<(), StoreError> {
        let outbox = self.outbox;
        let begun = outbox
            .store
            .write(move |tx| queue::begin(tx, number, now))
            .await?;
        let Some(mail) = begun else {
            return Ok(());
        };
        let ending = self.deliver(&mail).await;
        match &ending {
            Ending::Sent(_) => tracing::info!(
                mail = %mail.id,
                tenant = %mail.tenant,
                kind = mail.kind.name(),
                attempts = mail.attempts,
                "a mail was sent"
            ),
            Ending::Never(words) => tracing::error!(
                mail = %mail.id,
                tenant = %mail.tenant,
                kind = mail.kind.name(),
                server = words,
                "a mail was refused for good; it is a dead letter now"
            ),
            Ending::NotTried(words) | Ending::Later { words, .. } => tracing::warn!(
                mail = %mail.id,
                tenant = %mail.tenant,
                server = words,
                "a mail was not taken; it will be tried again"
            ),
        }
        let keeper = outbox.clone();
        let unneeded = outbox
            .store
            .write(move |tx| queue::end(tx, keeper.rules(), number, &ending))
            .await?;
        if let Some(file) = unneeded.and_then(|file| self.recording(&file))
            && let Err(error) = tokio::fs::remove_file(&file).await
        {
            tracing::warn!(file = %file.display(), error = %error, "a recording could not be deleted");
        }
        Ok(())
    }

    async fn deliver(&mut self, mail: &Mail) -> Ending {
        let recording = match mail
            .recording
            .as_deref()
            .and_then(|file| self.recording(file))
        {
            Some(path) => match tokio::fs::read(&path).await {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => {
                    return self.later(
                        mail,
                        format!("recording {}: {error}", path.display()),
                        false,
                    );
                }
            },
            None => None,
        };
        let (envelope, bytes) = match compose(mail, recording) {
            Ok(composed) => composed,
            Err(error) => return Ending::Never(error.to_string()),
        };
        match self.carrier.carry(&envelope, &bytes).await {
            Ok(words) => {
                self.failures = 0;
                Ending::Sent(words)
            }
            Err(NotCarried::Unreachable(words)) => {
                self.failures = self.failures.saturating_add(1);
                let wait = self.outbox.wait_after(self.failures);
                self.not_before = later(self.outbox.clock.now(), wait);
                Ending::NotTried(words)
            }
            Err(NotCarried::NotNow(words)) => self.later(mail, words, false),
            Err(NotCarried::Unknown(words)) => self.later(mail, words, true),
            Err(NotCarried::Never(words)) => {
                self.failures = 0;
                Ending::Never(words)
            }
        }
    }

    fn later(&self, mail: &Mail, words: String, perhaps_sent: bool) -> Ending {
        let wait = self.outbox.wait_after(mail.refusals + 1);
        Ending::Later {
            at: later(self.outbox.clock.now(), wait),
            words,
            perhaps_sent,
        }
    }

    async fn escalate(&self, now: Timestamp) -> Result<(), StoreError> {
        let outbox = self.outbox;
        let is_time = outbox.store.read(queue::first_overdue).await?;
        if is_time.is_none_or(|at| at > now) {
            return Ok(());
        }
        let keeper = outbox.clone();
        let late = outbox
            .store
            .write(move |tx| queue::escalate_overdue(tx, keeper.rules()))
            .await?;
        for mail in late {
            tracing::error!(
                mail = %mail.id,
                tenant = %mail.tenant,
                kind = mail.kind.name(),
                attempts = mail.attempts,
                last = mail.last_words.as_deref().unwrap_or("not tried yet"),
                "a mail has not arrived in time"
            );
        }
        Ok(())
    }

    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = later(now, -self.outbox.keep);
        while self
            .outbox
            .store
            .write(move |tx| queue::forget(tx, before))
            .await?
            > 0
        {}
        if let Err(error) = sweep_recordings(&self.outbox.recordings, before).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(error = %error, "old recordings could not be looked for");
        }
        Ok(())
    }

    /// Returns the path of a recording, if its name is a plain file name.
    fn recording(&self, file: &str) -> Option<PathBuf> {
        let plain = Path::new(file).file_name()? == file;
        plain.then(|| self.outbox.recordings.join(file))
    }
}

/// Deletes recordings that are older than they may become, whatever became of their mails.
async fn sweep_recordings(folder: &Path, before: Timestamp) -> std::io::Result<()> {
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let is_wav = entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "wav");
        let changed = entry.metadata().await?.modified()?;
        if is_wav && Timestamp::try_from(changed).is_ok_and(|changed| changed < before) {
            tokio::fs::remove_file(entry.path()).await?;
        }
    }
    Ok(())
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(at)
}
