//! Callbacks in the store, with the lists by which they are found. All changes go through
//! [`write_down`], which keeps callback and lists together.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::callback::{Callback, CallbackState};
use crate::store::{Space, StoreError, Table, Transaction, View, instant_key};
use crate::words::{DepartmentId, PhoneNumber, Reference, TenantId};

type Done<T> = Result<T, StoreError>;

pub(super) const CALLBACKS: Table<Callback> = Table::new("callback");
/// Department, time and reference of those that wait.
const DUE: Table<()> = Table::new("callback_due");
/// Department, number and reference of those that are open.
const OPEN: Table<()> = Table::new("callback_open");
/// Time of lapse and reference of those that wait.
const EXPIRES: Table<()> = Table::new("callback_expires");
/// Those that may have a call on the PBX.
const UNDER_WAY: Table<()> = Table::new("callback_under_way");
/// Those that wait and are wanted now.
const TRIGGERED: Table<()> = Table::new("callback_triggered");

/// The space that changes whenever there may be something to do.
pub(super) const STIR: Space = "callback";
/// Longest list handed out.
const MANY: usize = 10_000;

/// A department's queue of callbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) tenant: TenantId,
    pub(super) department: DepartmentId,
    /// When its first one is due.
    pub(super) first: Timestamp,
}

pub(super) fn find(view: &dyn View, reference: &Reference) -> Done<Option<Callback>> {
    CALLBACKS.get(view, reference.0.as_bytes())
}

/// Stores a new or changed callback and corrects the lists.
pub(super) fn write_down(tx: &mut dyn Transaction, callback: &Callback) -> Done<()> {
    let before = find(tx, &callback.reference)?;
    let old = before.as_ref().map(places).unwrap_or_default();
    let new = places(callback);
    for (space, key) in old.difference(&new) {
        tx.delete(space, key)?;
    }
    for (space, key) in new.difference(&old) {
        Table::<()>::new(space).put(tx, key, &())?;
    }
    CALLBACKS.put(tx, callback.reference.0.as_bytes(), callback)
}

/// Removes a callback and its places in the lists.
pub(super) fn forget(tx: &mut dyn Transaction, reference: &Reference) -> Done<()> {
    if let Some(callback) = find(tx, reference)? {
        for (space, key) in places(&callback) {
            tx.delete(space, &key)?;
        }
        CALLBACKS.delete(tx, reference.0.as_bytes())?;
    }
    Ok(())
}

/// Returns the open callback of a number and department, if there is one.
pub(super) fn open_for(
    view: &dyn View,
    tenant: &TenantId,
    department: &DepartmentId,
    number: &PhoneNumber,
) -> Done<Option<Callback>> {
    let prefix = joined(&[&tenant.0, &department.0, number.e164()]);
    match OPEN.with_prefix(view, &prefix, 1)?.pop() {
        Some((key, ())) => find(view, &last_part(&key)),
        None => Ok(None),
    }
}

/// Returns the open callbacks of all or of one tenant, by department.
pub(super) fn open(view: &dyn View, tenant: Option<&TenantId>) -> Done<Vec<Callback>> {
    let prefix = tenant.map_or_else(Vec::new, |tenant| joined(&[&tenant.0]));
    fetch(view, OPEN.with_prefix(view, &prefix, MANY)?)
}

/// Returns all callbacks, done ones included.
pub(super) fn all(view: &dyn View) -> Done<Vec<Callback>> {
    let entries = CALLBACKS.with_prefix(view, b"", MANY)?;
    Ok(entries.into_iter().map(|(_, callback)| callback).collect())
}

/// Returns those that may have a call on the PBX.
pub(super) fn under_way(view: &dyn View) -> Done<Vec<Callback>> {
    fetch(view, UNDER_WAY.with_prefix(view, b"", MANY)?)
}

/// Returns those that are wanted now.
pub(super) fn triggered(view: &dyn View) -> Done<Vec<Callback>> {
    fetch(view, TRIGGERED.with_prefix(view, b"", MANY)?)
}

/// Returns each department in which callbacks wait, with the time of the first. Looks at one key
/// per department, however many wait.
pub(super) fn departments(view: &dyn View) -> Done<Vec<Waiting>> {
    let mut departments = Vec::new();
    let mut from = Vec::new();
    while let Some((key, ())) = DUE.first_from(view, &from)? {
        let mut parts = key.splitn(3, |byte| *byte == 0);
        let (Some(tenant), Some(department), Some(rest)) =
            (parts.next(), parts.next(), parts.next())
        else {
            break;
        };
        let (tenant, department) = (text(tenant), text(department));
        from = joined(&[&tenant, &department]);
        // Past every key of this department: its separator is a 0, and the next byte is a 1.
        if let Some(separator) = from.last_mut() {
            *separator = 1;
        }
        departments.push(Waiting {
            tenant: TenantId(tenant),
            department: DepartmentId(department),
            first: time_of(rest),
        });
    }
    Ok(departments)
}

/// Returns up to `limit` callbacks of a department that are due, the longest waiting first.
pub(super) fn due_in(
    view: &dyn View,
    tenant: &TenantId,
    department: &DepartmentId,
    now: Timestamp,
    limit: usize,
) -> Done<Vec<Callback>> {
    let prefix = joined(&[&tenant.0, &department.0]);
    let due = DUE
        .with_prefix(view, &prefix, limit)?
        .into_iter()
        .take_while(|(key, ())| time_of(key.get(prefix.len()..).unwrap_or_default()) <= now);
    fetch(view, due.collect())
}

/// Returns the waiting callback that lapses first, and when.
pub(super) fn first_to_expire(view: &dyn View) -> Done<Option<(Timestamp, Reference)>> {
    let first = EXPIRES.first_from(view, b"")?;
    Ok(first.map(|(key, ())| (time_of(&key), last_part(&key))))
}

/// Returns every place in a list that a callback has.
fn places(callback: &Callback) -> BTreeSet<(Space, Vec<u8>)> {
    let mut places = BTreeSet::new();
    let reference = &callback.reference.0;
    if callback.state.is_open() {
        let key = joined(&[
            &callback.tenant.0,
            &callback.department.0,
            callback.number.e164(),
        ]);
        places.insert((OPEN.space(), ended_by(key, reference)));
    }
    if callback.state.is_under_way() {
        places.insert((UNDER_WAY.space(), ended_by(Vec::new(), reference)));
    }
    if callback.state == CallbackState::Waiting {
        let mut due = joined(&[&callback.tenant.0, &callback.department.0]);
        due.extend(instant_key(callback.not_before));
        due.push(0);
        places.insert((DUE.space(), ended_by(due, reference)));
        let mut expires = instant_key(callback.expires).to_vec();
        expires.push(0);
        places.insert((EXPIRES.space(), ended_by(expires, reference)));
        if callback.triggered {
            places.insert((TRIGGERED.space(), ended_by(Vec::new(), reference)));
        }
    }
    places
}

fn fetch(view: &dyn View, keys: Vec<(Vec<u8>, ())>) -> Done<Vec<Callback>> {
    let mut callbacks = Vec::new();
    for (key, ()) in keys {
        callbacks.extend(find(view, &last_part(&key))?);
    }
    Ok(callbacks)
}

/// Joins names, each with a 0 behind it; a 0 within a name would be dropped.
fn joined(parts: &[&str]) -> Vec<u8> {
    let mut key = Vec::new();
    for part in parts {
        key.extend(part.bytes().filter(|byte| *byte != 0));
        key.push(0);
    }
    key
}

fn ended_by(mut key: Vec<u8>, reference: &str) -> Vec<u8> {
    key.extend(reference.bytes());
    key
}

fn last_part(key: &[u8]) -> Reference {
    let start = key
        .iter()
        .rposition(|byte| *byte == 0)
        .map_or(0, |at| at + 1);
    Reference(text(key.get(start..).unwrap_or_default()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn time_of(key: &[u8]) -> Timestamp {
    let mut millisecond = [0; 8];
    millisecond.copy_from_slice(key.get(..8).unwrap_or(&[0; 8]));
    let millisecond = (u64::from_be_bytes(millisecond) ^ (1 << 63)).cast_signed();
    Timestamp::from_millisecond(millisecond).unwrap_or(Timestamp::MIN)
}
