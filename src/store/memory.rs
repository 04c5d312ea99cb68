//! A store in memory, for tests and for the chat: the same behaviour, nothing on disk.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use super::{Backend, Pairs, Space, StoreError, Transaction, Verdict, View, WriteWork};

type Keys = BTreeMap<Vec<u8>, Vec<u8>>;

/// Spaces of keys in memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    spaces: Mutex<BTreeMap<Space, Keys>>,
}

impl Backend for Memory {
    fn read(&self, work: &mut dyn FnMut(&dyn View)) -> Result<(), StoreError> {
        let spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        work(&Snapshot { spaces: &spaces });
        Ok(())
    }

    fn write(&self, work: WriteWork<'_>) -> Result<(), StoreError> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        let mut draft = Draft {
            under: &spaces,
            changes: BTreeMap::new(),
        };
        if work(&mut draft) == Verdict::Abort {
            return Ok(());
        }
        for (space, keys) in draft.changes {
            let stored = spaces.entry(space).or_default();
            for (key, change) in keys {
                match change {
                    Some(value) => drop(stored.insert(key, value)),
                    None => drop(stored.remove(&key)),
                }
            }
        }
        Ok(())
    }
}

struct Snapshot<'a> {
    spaces: &'a BTreeMap<Space, Keys>,
}

impl View for Snapshot<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .spaces
            .get(space)
            .and_then(|keys| keys.get(key))
            .cloned())
    }

    fn range(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Pairs, StoreError> {
        let Some(keys) = self.spaces.get(space) else {
            return Ok(Vec::new());
        };
        if is_empty(from, to) {
            return Ok(Vec::new());
        }
        Ok(keys
            .range::<[u8], _>((from, to))
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }
}

/// What a transaction changed, over what is stored.
struct Draft<'a> {
    under: &'a BTreeMap<Space, Keys>,
    changes: BTreeMap<Space, BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl View for Draft<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.changes.get(space).and_then(|keys| keys.get(key)) {
            Some(change) => Ok(change.clone()),
            None => Snapshot { spaces: self.under }.get(space, key),
        }
    }

    fn range(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Pairs, StoreError> {
        if is_empty(from, to) {
            return Ok(Vec::new());
        }
        let Some(changes) = self.changes.get(space) else {
            return Snapshot { spaces: self.under }.range(space, from, to, limit);
        };
        let mut merged: BTreeMap<&[u8], Option<&[u8]>> = BTreeMap::new();
        if let Some(keys) = self.under.get(space) {
            // Each deleted key hides one stored key at most, so so many are enough.
            let enough = limit.saturating_add(changes.len());
            for (key, value) in keys.range::<[u8], _>((from, to)).take(enough) {
                merged.insert(key, Some(value));
            }
        }
        for (key, change) in changes.range::<[u8], _>((from, to)) {
            merged.insert(key, change.as_deref());
        }
        Ok(merged
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_vec(), value?.to_vec())))
            .take(limit)
            .collect())
    }
}

impl Transaction for Draft<'_> {
    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let keys = self.changes.entry(space).or_default();
        keys.insert(key.to_vec(), Some(value.to_vec()));
        Ok(())
    }

    fn delete(&mut self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        let keys = self.changes.entry(space).or_default();
        keys.insert(key.to_vec(), None);
        Ok(())
    }
}

/// Tells whether nothing can lie between two bounds; a map's own range panics on these.
fn is_empty(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}
