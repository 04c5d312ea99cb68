//! The store: one ordered, transactional key-value trait on which everything durable is built.
//!
//! Keys are bytes in named spaces and stand in byte order; a transaction sees and changes all
//! spaces at once and is on disk before [`Store::write`] returns. The store knows nothing of what
//! is kept in it. As what is durable carries instants and identities, [`Clock`] and [`Chance`],
//! through which the rooms above get both, live here too.

mod chance;
mod clock;
mod embedded;
mod memory;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use chance::Chance;
pub use clock::{Clock, ManualClock, SystemClock};
pub use table::{Entries, Table, instant_key};

/// Names a space of keys.
pub type Space = &'static str;

/// Keys and values in key order.
pub type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Where things are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The file of the embedded store.
    pub path: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: PathBuf::from("hotline.redb"),
        }
    }
}

/// What went wrong with the store.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has it open.
    #[error(
        "the store {path} is in use by another process: stop that one first, or ask it over HTTP"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a store, or is damaged.
    #[error(
        "the store {path} is damaged or is no store ({why}): move it away and put a backup in its \
         place"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// There is no room left.
    #[error("no room left on the disk of the store {path}: nothing was stored; make room")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The operating system said no.
    #[error("the store {path} cannot be {action}: {why}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's words.
        why: String,
    },
    /// A newer Hotline wrote it.
    #[error(
        "the store has schema {found} and this Hotline knows {known} at most: run the newer \
         Hotline that wrote it"
    )]
    Newer {
        /// What the store says.
        found: u32,
        /// What this binary writes.
        known: u32,
    },
    /// A value is not what its space should hold.
    #[error("the value at {key} in {space:?} cannot be read: {why}")]
    Value {
        /// The space.
        space: Space,
        /// The key, printable.
        key: String,
        /// What the reader says.
        why: String,
    },
    /// The process is ending and the work was not begun or not finished.
    #[error("the store is closing: nothing was stored")]
    Closing,
}

/// Reads inside a transaction.
pub trait View {
    /// Returns the value of a key.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns up to `limit` pairs in key order.
    fn range(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Pairs, StoreError>;
}

/// Reads and changes inside a transaction; what was changed is seen by later reads of it.
pub trait Transaction: View {
    /// Sets a key.
    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Removes a key, if it is there.
    fn delete(&mut self, space: Space, key: &[u8]) -> Result<(), StoreError>;
}

/// What becomes of a transaction when the work in it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Make it durable, whole.
    Commit,
    /// Leave everything as it was.
    Abort,
}

/// Work to be done inside a writing transaction. It may be called more than once, by backends
/// that find only afterwards that somebody else was faster; only the last call counts.
pub type WriteWork<'a> = &'a mut dyn FnMut(&mut dyn Transaction) -> Verdict;

/// One place to keep things in: what an implementation has to do. Its calls block.
pub trait Backend: Send + Sync + 'static {
    /// Runs work on a snapshot.
    fn read(&self, work: &mut dyn FnMut(&dyn View)) -> Result<(), StoreError>;

    /// Runs work in a transaction that sees no other and, when this returns, is durable or never
    /// happened.
    fn write(&self, work: WriteWork<'_>) -> Result<(), StoreError>;
}

/// A store, cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    notices: Arc<Mutex<BTreeMap<Space, watch::Sender<u64>>>>,
}

/// The shape of what this Hotline writes.
const SCHEMA: u32 = 1;
const META: Table<u32> = Table::new("meta");

impl Store {
    /// Opens the embedded store in a file, which is made when missing, readable by its owner only.
    ///
    /// # Errors
    /// When it is in use, damaged, newer than this program, or the system refuses. Blocks.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(Arc::new(embedded::Embedded::open(path)?))
    }

    /// Makes a store that forgets everything at the end of the process.
    pub fn in_memory() -> Self {
        Self {
            backend: Arc::new(memory::Memory::default()),
            notices: Arc::default(),
        }
    }

    /// Makes a store over a backend and checks that it is of a shape we know. Blocks.
    ///
    /// # Errors
    /// When it is newer than this program or cannot be written.
    pub fn over(backend: Arc<dyn Backend>) -> Result<Self, StoreError> {
        let mut found = Ok(());
        backend.write(&mut |tx| {
            found = check_schema(tx);
            if found.is_ok() {
                Verdict::Commit
            } else {
                Verdict::Abort
            }
        })?;
        found?;
        Ok(Self {
            backend,
            notices: Arc::default(),
        })
    }

    /// Runs work on a snapshot of the store.
    ///
    /// # Errors
    /// What the work returns, or what hindered it.
    pub async fn read<T, E>(
        &self,
        mut work: impl FnMut(&dyn View) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let backend = Arc::clone(&self.backend);
        let blocking = tokio::task::spawn_blocking(move || {
            let mut result = None;
            backend.read(&mut |view| result = Some(work(view)))?;
            result.unwrap_or_else(|| Err(StoreError::Closing.into()))
        });
        blocking
            .await
            .unwrap_or_else(|_| Err(StoreError::Closing.into()))
    }

    /// Runs work in a transaction; when this returns well, everything it did is durable, and when
    /// the work returns an error, nothing of it has happened. Work may be run more than once. The
    /// transaction is finished even when the caller stops waiting for it.
    ///
    /// # Errors
    /// What the work returns, or what hindered it.
    pub async fn write<T, E>(
        &self,
        mut work: impl FnMut(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        let blocking = tokio::task::spawn_blocking(move || {
            let mut result = None;
            let mut touched = BTreeSet::new();
            store.backend.write(&mut |tx| {
                touched.clear();
                let mut noting = Noting {
                    tx,
                    touched: &mut touched,
                };
                let outcome = work(&mut noting);
                let verdict = match &outcome {
                    Ok(_) => Verdict::Commit,
                    Err(_) => Verdict::Abort,
                };
                result = Some(outcome);
                verdict
            })?;
            let result = result.unwrap_or_else(|| Err(StoreError::Closing.into()));
            if result.is_ok() {
                store.tell(&touched);
            }
            result
        });
        blocking
            .await
            .unwrap_or_else(|_| Err(StoreError::Closing.into()))
    }

    /// Returns a receiver that changes after each transaction that changed a space.
    pub fn watch(&self, space: Space) -> watch::Receiver<u64> {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        notices
            .entry(space)
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    fn tell(&self, spaces: &BTreeSet<Space>) {
        let notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        for space in spaces {
            if let Some(notice) = notices.get(space) {
                notice.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

fn check_schema(tx: &mut dyn Transaction) -> Result<(), StoreError> {
    match META.get(tx, b"schema")? {
        None => META.put(tx, b"schema", &SCHEMA),
        Some(found) if found > SCHEMA => Err(StoreError::Newer {
            found,
            known: SCHEMA,
        }),
        Some(_) => Ok(()),
    }
}

/// A transaction that remembers which spaces it changed.
struct Noting<'a> {
    tx: &'a mut dyn Transaction,
    touched: &'a mut BTreeSet<Space>,
}

impl View for Noting<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.tx.get(space, key)
    }

    fn range(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Pairs, StoreError> {
        self.tx.range(space, from, to, limit)
    }
}

impl Transaction for Noting<'_> {
    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.touched.insert(space);
        self.tx.put(space, key, value)
    }

    fn delete(&mut self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        self.touched.insert(space);
        self.tx.delete(space, key)
    }
}

#[cfg(test)]
mod tests;
