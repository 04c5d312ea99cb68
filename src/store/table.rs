//! Typed values: a space whose values are JSON of one type.

use std::marker::PhantomData;
use std::ops::Bound;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Pairs, Space, StoreError, Transaction, View};

/// A space that holds values of one type.
pub struct Table<T> {
    space: Space,
    value: PhantomData<fn() -> T>,
}

/// Keys and typed values in key order.
pub type Entries<T> = Vec<(Vec<u8>, T)>;

impl<T> Table<T> {
    /// Names the table of a space.
    pub const fn new(space: Space) -> Self {
        Self {
            space,
            value: PhantomData,
        }
    }

    /// Returns the space.
    pub const fn space(&self) -> Space {
        self.space
    }
}

impl<T: Serialize + DeserializeOwned> Table<T> {
    /// Returns the value of a key.
    pub fn get(&self, view: &(impl View + ?Sized), key: &[u8]) -> Result<Option<T>, StoreError> {
        view.get(self.space, key)?
            .map(|bytes| self.read(key, &bytes))
            .transpose()
    }

    /// Sets the value of a key.
    pub fn put(
        &self,
        tx: &mut (impl Transaction + ?Sized),
        key: &[u8],
        value: &T,
    ) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(value).map_err(|why| self.fault(key, &why))?;
        tx.put(self.space, key, &bytes)
    }

    /// Removes a key.
    pub fn delete(
        &self,
        tx: &mut (impl Transaction + ?Sized),
        key: &[u8],
    ) -> Result<(), StoreError> {
        tx.delete(self.space, key)
    }

    /// Returns up to `limit` entries whose keys begin with `prefix`, in key order.
    pub fn with_prefix(
        &self,
        view: &(impl View + ?Sized),
        prefix: &[u8],
        limit: usize,
    ) -> Result<Entries<T>, StoreError> {
        let end = successor(prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.entries(view.range(self.space, Bound::Included(prefix), to, limit)?)
    }

    /// Returns the first entry whose key is not less than `from`.
    pub fn first_from(
        &self,
        view: &(impl View + ?Sized),
        from: &[u8],
    ) -> Result<Option<(Vec<u8>, T)>, StoreError> {
        let pairs = view.range(self.space, Bound::Included(from), Bound::Unbounded, 1)?;
        Ok(self.entries(pairs)?.pop())
    }

    fn entries(&self, pairs: Pairs) -> Result<Entries<T>, StoreError> {
        pairs
            .into_iter()
            .map(|(key, bytes)| {
                let value = self.read(&key, &bytes)?;
                Ok((key, value))
            })
            .collect()
    }

    fn read(&self, key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(bytes).map_err(|why| self.fault(key, &why))
    }

    fn fault(&self, key: &[u8], why: &serde_json::Error) -> StoreError {
        StoreError::Value {
            space: self.space,
            key: key.escape_ascii().to_string(),
            why: why.to_string(),
        }
    }
}

/// Returns eight bytes that stand in the order of time (milliseconds).
pub fn instant_key(at: Timestamp) -> [u8; 8] {
    // Flipping the sign bit puts instants before 1970 in front.
    (at.as_millisecond().cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// Returns the first key after all that begin with `prefix`, if there is one.
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}
