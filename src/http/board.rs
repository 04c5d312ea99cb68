//! The board of calls that are on, kept up to date from the journal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::call::journal::{Entry, Line, Live};
use crate::dialog::{Command, Note};
use crate::words::{CallId, Language, TenantId};

/// Calls shown at most; a board that missed the end of calls does not grow for ever.
const MOST: usize = 2000;

/// One call that is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveCall {
    /// Which.
    pub call: CallId,
    /// Whose.
    pub tenant: TenantId,
    /// When it came.
    pub since: Timestamp,
    /// The number dialled.
    pub did: String,
    /// The caller's number, masked.
    pub caller: String,
    /// The language spoken last.
    pub language: Option<Language>,
    /// Where in which flow it is, as `flow.state`.
    pub state: Option<String>,
    /// What was understood last.
    pub understood: Option<String>,
    /// What was said last.
    pub said: Option<String>,
}

/// All calls that are on; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<BTreeMap<CallId, LiveCall>>>);

impl Board {
    /// Keeps the board until told to stop.
    pub async fn keep(&self, live: &Live, stop: CancellationToken) {
        let mut lines = live.watch();
        loop {
            let line = tokio::select! {
                line = lines.recv() => line,
                () = stop.cancelled() => return,
            };
            match line {
                Ok(line) => self.take(&line),
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "the board of calls missed lines");
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Returns the calls that are on, the longest first.
    pub fn calls(&self) -> Vec<LiveCall> {
        let mut calls: Vec<LiveCall> = self.lock().values().cloned().collect();
        calls.sort_by_key(|call| call.since);
        calls
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CallId, LiveCall>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a line of the journal.
    fn take(&self, line: &str) {
        let Ok(line) = serde_json::from_str::<Line>(line) else {
            return;
        };
        let mut calls = self.lock();
        match line.entry {
            Entry::Came { did, caller } => {
                if calls.len() >= MOST
                    && let Some(oldest) = calls.values().min_by_key(|it| it.since).map(|it| it.call)
                {
                    calls.remove(&oldest);
                }
                let call = LiveCall {
                    call: line.call,
                    tenant: line.tenant,
                    since: line.at,
                    did,
                    caller,
                    language: None,
                    state: None,
                    understood: None,
                    said: None,
                };
                calls.insert(line.call, call);
            }
            Entry::Ended { .. } => {
                calls.remove(&line.call);
            }
            Entry::Command(command) => {
                if let Some(call) = calls.get_mut(&line.call) {
                    call.note(command);
                }
            }
            Entry::Event(_)
            | Entry::Pbx(_)
            | Entry::Degraded(_)
            | Entry::EarLost { .. }
            | Entry::StoodIn { .. }
            | Entry::Unsaid { .. } => {}
        }
    }
}

impl LiveCall {
    fn note(&mut self, command: Command) {
        match command {
            Command::Say(say) => {
                self.language = Some(say.language);
                self.said = Some(say.text);
            }
            Command::Note(Note::State { flow, state }) => {
                self.state = Some(format!("{flow}.{state}"));
            }
            Command::Note(Note::Understood {
                meaning: Some(meaning),
                ..
            }) => self.understood = Some(meaning),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialog::{Outcome, Say};

    fn line(entry: Entry) -> String {
        let line = Line {
            at: Timestamp::UNIX_EPOCH,
            call: CallId(uuid::Uuid::from_u128(7)),
            tenant: TenantId::from("lilleby"),
            entry,
        };
        serde_json::to_string(&line).unwrap()
    }

    #[test]
    fn a_call_is_on_the_board_from_its_first_line_to_its_last() {
        let board = Board::default();
        board.take(&line(Entry::Came {
            did: "70101010".to_owned(),
            caller: "*****17".to_owned(),
        }));
        board.take(&line(Entry::Command(Command::Say(Say {
            language: Language::EN,
            text: "Welcome.".to_owned(),
            barge_in: true,
        }))));
        board.take(&line(Entry::Command(Command::Note(Note::State {
            flow: "reception".to_owned(),
            state: "wish".to_owned(),
        }))));
        let calls = board.calls();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].language, Some(Language::EN));
        assert_eq!(calls[0].state.as_deref(), Some("reception.wish"));
        board.take("no line at all");
        board.take(&line(Entry::Ended {
            outcome: Outcome::Transferred,
            seconds: 1.0,
        }));
        assert_eq!(board.calls(), []);
    }
}
