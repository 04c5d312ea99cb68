//! Everything that went into a call and came out of it, one line each: shown live while the call
//! goes on, kept afterwards with personal numbers hidden.

use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use super::redact::redact;
use crate::dialog::{Command, Event};
use crate::speech::Degraded;
use crate::store::{Store, StoreError, Table, instant_key};
use crate::words::{CallId, TenantId};

/// Lines that a slow viewer may be behind before it is told that it missed some.
const LIVE: usize = 1024;
/// Lines kept of one call; a longer one is cut and says so.
const KEPT: usize = 4000;

/// One line of a journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Which call.
    pub call: CallId,
    /// Whose.
    pub tenant: TenantId,
    /// What.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What a line says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A call came.
    Came {
        /// The number dialled.
        did: String,
        /// The caller's number, masked.
        caller: String,
    },
    /// Something happened to the dialog.
    Event(Event),
    /// The dialog wanted something done.
    Command(Command),
    /// The PBX did something.
    Pbx(String),
    /// A recogniser was of no use, and the next one took over.
    Degraded(Degraded),
    /// The thread that listened to the caller was lost, and another one listens.
    EarLost {
        /// Why.
        reason: String,
    },
    /// A voice speaks that stands in for a better one of its language.
    StoodIn {
        /// Its engine.
        engine: String,
        /// Its place in the language's list of voices, from 0.
        place: usize,
    },
    /// Something could not be said.
    Unsaid {
        /// Why.
        reason: String,
    },
    /// The call ended.
    Ended {
        /// How.
        outcome: crate::dialog::Outcome,
        /// After how many seconds.
        seconds: f64,
    },
}

/// Journals of ended calls, by the time of their end and the call.
pub const JOURNALS: Table<Vec<String>> = Table::new("journal");

/// Journals removed in one transaction.
const SWEPT: usize = 500;

/// Returns the key of a call's journal.
pub(super) fn key(ended: Timestamp, call: CallId) -> Vec<u8> {
    [instant_key(ended).as_slice(), call.0.as_bytes()].concat()
}

/// Removes the journals of calls that ended before an instant; returns how many.
///
/// # Errors
/// When the store fails.
pub async fn sweep(store: &Store, before: Timestamp) -> Result<usize, StoreError> {
    let end = instant_key(before);
    let mut swept = 0;
    loop {
        let removed = store
            .write(move |tx| {
                let (from, to) = (Bound::Unbounded, Bound::Excluded(end.as_slice()));
                let old = tx.range(JOURNALS.space(), from, to, SWEPT)?;
                for (key, _) in &old {
                    JOURNALS.delete(tx, key)?;
                }
                Ok::<_, StoreError>(old.len())
            })
            .await?;
        swept += removed;
        if removed < SWEPT {
            return Ok(swept);
        }
    }
}

/// Where journals go while calls are on.
#[derive(Clone, Debug)]
pub struct Live(broadcast::Sender<Arc<str>>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::channel(LIVE).0)
    }
}

impl Live {
    /// Returns a receiver of all lines from now on: JSON of [`Line`], personal numbers hidden.
    pub fn watch(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.subscribe()
    }
}

/// The journal of one call.
#[derive(Debug)]
pub(super) struct Journal {
    call: CallId,
    tenant: TenantId,
    live: Live,
    kept: Vec<Arc<str>>,
}

impl Journal {
    pub(super) fn new(call: CallId, tenant: TenantId, live: Live) -> Self {
        Self {
            call,
            tenant,
            live,
            kept: Vec::new(),
        }
    }

    /// Writes a line.
    pub(super) fn write(&mut self, at: Timestamp, entry: Entry) {
        let line = Line {
            at,
            call: self.call,
            tenant: self.tenant.clone(),
            entry,
        };
        let Ok(mut value) = serde_json::to_value(&line) else {
            return;
        };
        hide(&mut value);
        let text: Arc<str> = value.to_string().into();
        if self.kept.len() < KEPT {
            self.kept.push(text.clone());
        }
        // Nobody watching is no fault.
        let _ = self.live.0.send(text);
    }

    /// Returns the lines to keep, one JSON object each.
    pub(super) fn into_lines(self) -> Vec<Arc<str>> {
        self.kept
    }
}

/// Hides personal numbers in every text of a JSON value, but for ids and times.
fn hide(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = redact(text),
        serde_json::Value::Array(values) => values.iter_mut().for_each(hide),
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                if !matches!(
                    name.as_str(),
                    "at" | "call" | "did" | "tenant" | "reference" | "file" | "due"
                ) {
                    hide(value);
                }
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialog::Heard;
    use crate::words::Language;

    #[tokio::test]
    async fn journals_are_removed_when_their_time_is_over_and_not_before() {
        let store = Store::in_memory();
        let call = |n| CallId(uuid::Uuid::from_u128(n));
        let day = |n: i64| Timestamp::from_second(n * 86_400).unwrap();
        for n in 1..=5 {
            let key = key(day(n), call(n as u128));
            let lines = vec![format!("day {n}")];
            store
                .write(move |tx| JOURNALS.put(tx, &key, &lines))
                .await
                .unwrap();
        }
        assert_eq!(sweep(&store, day(4)).await.unwrap(), 3);
        let left = store
            .read(|view| JOURNALS.with_prefix(view, &[], 10))
            .await
            .unwrap();
        let left: Vec<_> = left
            .into_iter()
            .map(|(_, lines)| lines[0].clone())
            .collect();
        assert_eq!(left, ["day 4", "day 5"]);
    }

    #[test]
    fn a_kept_line_shows_no_personal_number_and_its_call_still_has_a_name() {
        let call = CallId(uuid::Uuid::from_u128(7));
        let mut journal = Journal::new(call, TenantId::from("egekoebing"), Live::default());
        let heard = Heard::written(Language::DA, "mit cpr nummer er 010190 1234");
        journal.write(Timestamp::UNIX_EPOCH, Entry::Event(Event::Heard(heard)));
        let line = journal.into_lines().remove(0);
        assert!(!line.contains("1234"), "{line}");
        assert!(line.contains(&call.to_string()), "{line}");
    }
}
