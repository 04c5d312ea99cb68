//! A list of what has happened, which grows while others wait for something to appear in it.
//!
//! Phones, the mail server and the AMI connection all tell their story through one of these, so a
//! test awaits an event instead of sleeping.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// A growing list that can be waited on; clones share the list.
#[derive(Debug)]
pub struct Record<T> {
    inner: Arc<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    entries: Mutex<Vec<T>>,
    grown: Notify,
}

impl<T> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<T> Default for Record<T> {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                entries: Mutex::new(Vec::new()),
                grown: Notify::new(),
            }),
        }
    }
}

impl<T: Clone> Record<T> {
    /// Makes an empty record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry and wakes everyone who waits.
    pub fn push(&self, entry: T) {
        self.entries().push(entry);
        self.inner.grown.notify_waiters();
    }

    /// Returns how many entries there are: a mark to wait from.
    pub fn mark(&self) -> usize {
        self.entries().len()
    }

    /// Returns a copy of all entries.
    pub fn all(&self) -> Vec<T> {
        self.entries().clone()
    }

    /// Waits until the `found` closure returns something for an entry at or after `mark`.
    pub async fn wait_from<R>(
        &self,
        mark: usize,
        within: Duration,
        mut found: impl FnMut(&T) -> Option<R>,
    ) -> Option<R> {
        let search = async {
            let mut next = mark;
            loop {
                let grown = self.inner.grown.notified();
                tokio::pin!(grown);
                // Registered before looking, so that an entry pushed in between is not missed.
                grown.as_mut().enable();
                {
                    let entries = self.entries();
                    while let Some(entry) = entries.get(next) {
                        next += 1;
                        if let Some(result) = found(entry) {
                            return result;
                        }
                    }
                }
                grown.await;
            }
        };
        tokio::time::timeout(within, search).await.ok()
    }

    /// Waits for an entry, past ones included, that the closure accepts.
    pub async fn wait(&self, within: Duration, mut accept: impl FnMut(&T) -> bool) -> Option<T> {
        self.wait_from(0, within, |entry| accept(entry).then(|| entry.clone()))
            .await
    }

    fn entries(&self) -> MutexGuard<'_, Vec<T>> {
        self.inner
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
