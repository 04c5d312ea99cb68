//! Frames on a byte stream: a reader with one reused buffer, a writer with one write per frame.
//!
//! Both run on any tokio stream; on TCP both also have a form that never waits, for a clock that serves
//! many calls. Neither sets a deadline: whoever waits for a peer does.

use crate::frame::{self, Decoder, Frame, Malformed, Rate, Unsendable};
use crate::server::Seat;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Least room for a read in bytes: three ordinary frames, so that one read takes all that is there.
const LEAST_ROOM_BYTES: usize = 1024;

/// Room in bytes that a reader starts with: half a second of 8 kHz frames.
const FIRST_ROOM_BYTES: usize = 8192;

/// Why a peer's frames can be read no further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The peer sent something other than AudioSocket.
    #[error("from {peer}: {fault}")]
    Malformed {
        /// Who sent it.
        peer: SocketAddr,
        /// What it was, and where.
        fault: Malformed,
    },
    /// The connection failed in another way than by the peer leaving.
    #[error("reading from {peer} failed after {offset} bytes")]
    Failed {
        /// Who is at the other end.
        peer: SocketAddr,
        /// Bytes read as frames before.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a frame did not leave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The peer has left; an ordinary end of a call.
    #[error("{peer} has hung up")]
    HungUp {
        /// Who left.
        peer: SocketAddr,
    },
    /// The frame cannot be sent to anybody.
    #[error(transparent)]
    Unsendable(#[from] Unsendable),
    /// The connection failed in another way.
    #[error("writing to {peer} failed after {frames} frames")]
    Failed {
        /// Who is at the other end.
        peer: SocketAddr,
        /// Frames written before.
        frames: u64,
        /// What the system said.
        source: io::Error,
    },
}

/// How a peer ended its side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It sent a hang-up frame.
    Said,
    /// It closed the connection, as Asterisk does when the caller leaves or is transferred.
    Closed,
    /// It reset the connection.
    Reset,
}

/// What a reader has without waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// A frame.
    Frame(Frame),
    /// Nothing now; a later call reads again.
    Nothing,
    /// Nothing any more: the peer has hung up.
    HungUp,
}

/// What became of a frame offered without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It left, or its last bytes will leave before the next frame.
    Taken,
    /// The peer does not read and the system's buffer is full; the frame is dropped.
    Dropped,
}

/// Reads the frames of one peer.
#[derive(Debug)]
pub struct FrameReader<R = OwnedReadHalf> {
    stream: R,
    decoder: Decoder,
    peer: SocketAddr,
    end: Option<End>,
    drained: bool,
    seat: Option<Arc<Seat>>,
}

impl<R> FrameReader<R> {
    /// Reads frames of any kind from a stream whose other end is `peer`.
    pub fn new(stream: R, peer: SocketAddr) -> FrameReader<R> {
        FrameReader::with(stream, peer, Decoder::new())
    }

    /// Reads from a stream whose first frame must be an id.
    pub fn expecting_id(stream: R, peer: SocketAddr) -> FrameReader<R> {
        FrameReader::with(stream, peer, Decoder::expecting_id())
    }

    fn with(stream: R, peer: SocketAddr, mut decoder: Decoder) -> FrameReader<R> {
        decoder.space(FIRST_ROOM_BYTES);
        FrameReader {
            stream,
            decoder,
            peer,
            end: None,
            drained: false,
            seat: None,
        }
    }

    /// Returns who sends.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Returns how the peer ended its side, once it has.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Returns how many frames of unknown kinds were passed over.
    pub fn skipped_frames(&self) -> u64 {
        self.decoder.skipped_frames()
    }

    pub(crate) fn take_seat(&mut self, seat: Arc<Seat>) {
        self.seat = Some(seat);
    }

    fn decode(&mut self) -> Result<Option<Frame>, ReadError> {
        match self.decoder.next() {
            Ok(Some(Frame::Hangup)) => {
                self.end = Some(End::Said);
                Ok(None)
            }
            Ok(next) => Ok(next),
            Err(fault) => {
                if let Some(seat) = self.seat.take() {
                    seat.count_malformed();
                }
                Err(ReadError::Malformed {
                    peer: self.peer,
                    fault,
                })
            }
        }
    }

    fn ended_by(&mut self, error: io::Error) -> Result<(), ReadError> {
        if !is_hangup(&error) {
            let offset = self.decoder.offset();
            return Err(ReadError::Failed {
                peer: self.peer,
                offset,
                source: error,
            });
        }
        self.end = Some(End::Reset);
        Ok(())
    }
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Waits for the next frame; `None` for ever once the peer has hung up in whatever way.
    ///
    /// Dropping the wait loses nothing. A frame cut short by the end is dropped.
    pub async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        while self.end.is_none() {
            if let Some(frame) = self.decode()? {
                return Ok(Some(frame));
            }
            if self.end.is_some() {
                break;
            }
            let room = self.decoder.space(LEAST_ROOM_BYTES);
            match self.stream.read_buf(room).await {
                Ok(0) => self.end = Some(End::Closed),
                Ok(_) => {}
                Err(error) => self.ended_by(error)?,
            }
        }
        Ok(None)
    }
}

impl FrameReader<OwnedReadHalf> {
    /// Returns the next frame that is there already.
    ///
    /// Call it until it says [`Ready::Nothing`]; a round of calls costs one read of the socket when all
    /// that is there fits, and none when nothing came.
    pub fn try_next(&mut self) -> Result<Ready, ReadError> {
        while self.end.is_none() {
            if let Some(frame) = self.decode()? {
                return Ok(Ready::Frame(frame));
            }
            if self.end.is_some() {
                break;
            }
            if self.drained {
                self.drained = false;
                return Ok(Ready::Nothing);
            }
            let room = self.decoder.space(LEAST_ROOM_BYTES);
            let space = room.capacity() - room.len();
            match self.stream.try_read_buf(room) {
                Ok(0) => self.end = Some(End::Closed),
                Ok(read) => self.drained = read < space,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Ready::Nothing),
                Err(error) => self.ended_by(error)?,
            }
        }
        Ok(Ready::HungUp)
    }
}

/// Writes frames to one peer.
#[derive(Debug)]
pub struct FrameWriter<W = OwnedWriteHalf> {
    stream: W,
    buffer: Vec<u8>,
    written: usize,
    frames: u64,
    peer: SocketAddr,
    seat: Option<Arc<Seat>>,
}

impl<W> FrameWriter<W> {
    /// Writes frames to a stream whose other end is `peer`.
    pub fn new(stream: W, peer: SocketAddr) -> FrameWriter<W> {
        let room = frame::HEADER_BYTES + Rate::Hz8000.frame_bytes();
        let buffer = Vec::with_capacity(room);
        FrameWriter {
            stream,
            buffer,
            written: 0,
            frames: 0,
            peer,
            seat: None,
        }
    }

    /// Returns who is written to.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Returns how many frames were written or taken so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    pub(crate) fn take_seat(&mut self, seat: Arc<Seat>) {
        self.seat = Some(seat);
    }

    fn fill(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), Unsendable>,
    ) -> Result<(), WriteError> {
        self.buffer.clear();
        self.written = 0;
        encode(&mut self.buffer)?;
        self.frames += 1;
        Ok(())
    }

    fn failed(&self, error: io::Error) -> WriteError {
        let peer = self.peer;
        if is_hangup(&error) || error.kind() == ErrorKind::WriteZero {
            return WriteError::HungUp { peer };
        }
        WriteError::Failed {
            peer,
            frames: self.frames,
            source: error,
        }
    }
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes one frame with one write.
    ///
    /// If the wait is dropped half-way, the next call first writes what is left, so that the peer
    /// stays in step.
    pub async fn write(&mut self, frame: &Frame) -> Result<(), WriteError> {
        self.flush().await?;
        self.fill(|out| frame::encode(frame, out))?;
        self.flush().await
    }

    /// Writes samples as one audio frame; 20 ms are [`Rate::frame_samples`].
    pub async fn audio(&mut self, rate: Rate, samples: &[i16]) -> Result<(), WriteError> {
        self.flush().await?;
        self.fill(|out| frame::encode_samples(rate, samples, out))?;
        self.flush().await
    }

    /// Writes the bytes of 16-bit little-endian samples as one audio frame.
    pub async fn audio_bytes(&mut self, rate: Rate, payload: &[u8]) -> Result<(), WriteError> {
        self.flush().await?;
        self.fill(|out| frame::encode_audio(rate, payload, out))?;
        self.flush().await
    }

    /// Sends the hang-up frame: Asterisk's application returns and the dialplan goes on.
    pub async fn hangup(&mut self) -> Result<(), WriteError> {
        self.write(&Frame::Hangup).await
    }

    async fn flush(&mut self) -> Result<(), WriteError> {
        while self.written < self.buffer.len() {
            match self.stream.write(&self.buffer[self.written..]).await {
                Ok(0) => return Err(self.failed(ErrorKind::WriteZero.into())),
                Ok(written) => self.written += written,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }
}

impl FrameWriter<OwnedWriteHalf> {
    /// Writes one frame if the socket takes it now, and otherwise drops it.
    ///
    /// An audio frame is worth nothing 20 ms later, and a peer that does not read may hold up nobody.
    pub fn offer(&mut self, frame: &Frame) -> Result<Offer, WriteError> {
        self.offer_with(|out| frame::encode(frame, out))
    }

    /// Offers the bytes of 16-bit little-endian samples as one audio frame, as [`FrameWriter::offer`].
    pub fn offer_audio_bytes(&mut self, rate: Rate, payload: &[u8]) -> Result<Offer, WriteError> {
        self.offer_with(|out| frame::encode_audio(rate, payload, out))
    }

    /// Offers samples as one audio frame, as [`FrameWriter::offer`].
    pub fn offer_audio(&mut self, rate: Rate, samples: &[i16]) -> Result<Offer, WriteError> {
        self.offer_with(|out| frame::encode_samples(rate, samples, out))
    }

    fn offer_with(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), Unsendable>,
    ) -> Result<Offer, WriteError> {
        self.try_flush()?;
        if self.written < self.buffer.len() {
            return Ok(Offer::Dropped);
        }
        self.fill(encode)?;
        self.try_flush()?;
        if self.written == 0 {
            self.buffer.clear();
            self.frames -= 1;
            return Ok(Offer::Dropped);
        }
        Ok(Offer::Taken)
    }

    fn try_flush(&mut self) -> Result<(), WriteError> {
        while self.written < self.buffer.len() {
            match self.stream.try_write(&self.buffer[self.written..]) {
                Ok(0) => return Err(self.failed(ErrorKind::WriteZero.into())),
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }
}

fn is_hangup(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof
    )
}
