//! Those who follow one call: each gets its events in order, and one that does not keep up is cut off
//! rather than waited for.

use tokio::sync::mpsc;

use super::CallEvent;
use crate::words::CallId;

/// Events kept for one follower.
const EVENTS: usize = 64;

/// The followers of one call.
#[derive(Debug, Default)]
pub(super) struct Followers(Vec<mpsc::Sender<CallEvent>>);

impl Followers {
    /// Returns the events from now on.
    pub(super) fn add(&mut self) -> mpsc::Receiver<CallEvent> {
        let (sender, receiver) = mpsc::channel(EVENTS);
        self.0.push(sender);
        receiver
    }

    /// Tells all of them.
    pub(super) fn tell(&mut self, call: CallId, event: &CallEvent) {
        self.0.retain(|follower| match follower.try_send(event.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!(%call, "a call does not take its events and is cut off from them");
                false
            }
        });
    }

    /// Tells whether nobody listens any more.
    pub(super) fn are_gone(&self) -> bool {
        self.0.iter().all(mpsc::Sender::is_closed)
    }
}
