//! News of a PBX, told to all who listen, in the order in which it happened. A listener who is slow
//! learns how much it lost and never holds up the others.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::LinkState;

/// News kept for a slow listener before it is told how many it lost.
const KEPT: usize = 4096;

/// One piece of news; `E` is what the PBX's events are read into.
#[derive(Debug)]
pub enum News<E> {
    /// Something happened on the PBX.
    Event(Arc<E>),
    /// The link came up, became ready or went down.
    Link(LinkState),
    /// So many pieces of news were lost because the listener was slow: read the state again.
    Lost(u64),
}

impl<E> Clone for News<E> {
    fn clone(&self) -> Self {
        match self {
            Self::Event(event) => Self::Event(Arc::clone(event)),
            Self::Link(state) => Self::Link(state.clone()),
            Self::Lost(lost) => Self::Lost(*lost),
        }
    }
}

/// Tells the news.
pub struct Teller<E>(broadcast::Sender<News<E>>);

/// A place to listen from, which does not keep the news going.
pub struct Place<E>(broadcast::WeakSender<News<E>>);

/// A listener's end of the news.
pub struct Stream<E>(broadcast::Receiver<News<E>>);

impl<E> Clone for Teller<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> Clone for Place<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> Default for Teller<E> {
    fn default() -> Self {
        Self(broadcast::channel(KEPT).0)
    }
}

impl<E> Teller<E> {
    /// Tells one piece; that nobody listens is no fault.
    pub fn tell(&self, news: News<E>) {
        let _ = self.0.send(news);
    }

    /// Returns a place to listen from.
    pub fn place(&self) -> Place<E> {
        Place(self.0.downgrade())
    }

    /// Returns the news from now on.
    pub fn listen(&self) -> Stream<E> {
        Stream(self.0.subscribe())
    }
}

impl<E> Place<E> {
    /// Returns the news from now on; none when nobody tells any more.
    pub fn listen(&self) -> Stream<E> {
        match self.0.upgrade() {
            Some(news) => Stream(news.subscribe()),
            None => Stream(broadcast::channel(1).1),
        }
    }
}

impl<E> Stream<E> {
    /// Waits for the next piece; nothing when nobody tells any more.
    pub async fn next(&mut self) -> Option<News<E>> {
        match self.0.recv().await {
            Ok(news) => Some(news),
            Err(broadcast::error::RecvError::Lagged(lost)) => Some(News::Lost(lost)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
