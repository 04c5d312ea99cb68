//! One call that has said which call it is: a reader and a writer, and the id that joins them to the
//! PBX's events.

use crate::frame::Frame;
use crate::server::{AcceptError, Seat};
use crate::stream::{FrameReader, FrameWriter};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use uuid::Uuid;

/// An accepted call. Dropping it, or both its halves, closes the connection.
#[derive(Debug)]
pub struct Session<R = OwnedReadHalf, W = OwnedWriteHalf> {
    id: Uuid,
    reader: FrameReader<R>,
    writer: FrameWriter<W>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Session<R, W> {
    /// Waits for the id of a peer that has just connected, at most until `deadline` is over.
    pub async fn greet(
        reader: R,
        writer: W,
        peer: SocketAddr,
        deadline: Duration,
    ) -> Result<Session<R, W>, AcceptError> {
        let mut reader = FrameReader::expecting_id(reader, peer);
        let writer = FrameWriter::new(writer, peer);
        match timeout(deadline, reader.next()).await {
            Ok(Ok(Some(Frame::Id(id)))) => Ok(Session { id, reader, writer }),
            Ok(Ok(_)) => Err(AcceptError::Left { peer }),
            Ok(Err(error)) => Err(AcceptError::Unread(error)),
            Err(_) => Err(AcceptError::Late { peer, deadline }),
        }
    }
}

impl<R, W> Session<R, W> {
    /// Returns the call's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Returns who connected.
    pub fn peer(&self) -> SocketAddr {
        self.reader.peer()
    }

    /// Parts the two directions, so that two tasks or one `select!` can serve them.
    pub fn split(self) -> (FrameReader<R>, FrameWriter<W>) {
        (self.reader, self.writer)
    }

    pub(crate) fn take_seat(&mut self, seat: Seat) {
        let seat = Arc::new(seat);
        self.reader.take_seat(Arc::clone(&seat));
        self.writer.take_seat(seat);
    }

    pub(crate) fn writer(&mut self) -> &mut FrameWriter<W> {
        &mut self.writer
    }
}
