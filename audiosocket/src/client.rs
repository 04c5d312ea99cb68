//! The calling side, as Asterisk plays it: for tests and load.

use crate::frame::{Digit, Frame, Rate};
use crate::stream::{FrameReader, FrameWriter, ReadError, WriteError};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use uuid::Uuid;

/// Why a call could not be placed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody took the connection.
    #[error("no AudioSocket server answers at {server}")]
    Unreachable {
        /// Where it was looked for.
        server: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke before the id had left.
    #[error(transparent)]
    Unsent(#[from] WriteError),
}

/// A call placed at an AudioSocket server.
#[derive(Debug)]
pub struct Client<R = OwnedReadHalf, W = OwnedWriteHalf> {
    reader: FrameReader<R>,
    writer: FrameWriter<W>,
}

impl Client {
    /// Connects and sends the call's id.
    pub async fn connect(server: SocketAddr, id: Uuid) -> Result<Client, ConnectError> {
        let unreachable = |source| ConnectError::Unreachable { server, source };
        let stream = TcpStream::connect(server).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let (reader, writer) = stream.into_split();
        Ok(Client::start(reader, writer, server, id).await?)
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Client<R, W> {
    /// Sends the call's id over streams that are connected already.
    pub async fn start(
        reader: R,
        writer: W,
        server: SocketAddr,
        id: Uuid,
    ) -> Result<Client<R, W>, WriteError> {
        let reader = FrameReader::new(reader, server);
        let mut writer = FrameWriter::new(writer, server);
        writer.write(&Frame::Id(id)).await?;
        Ok(Client { reader, writer })
    }

    /// Sends samples as one audio frame.
    pub async fn send_audio(&mut self, rate: Rate, samples: &[i16]) -> Result<(), WriteError> {
        self.writer.audio(rate, samples).await
    }

    /// Sends one key.
    pub async fn send_dtmf(&mut self, digit: Digit) -> Result<(), WriteError> {
        self.writer.write(&Frame::Dtmf(digit)).await
    }

    /// Waits for the server's next frame; `None` once it has hung up.
    pub async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        self.reader.next().await
    }

    /// Parts the two directions.
    pub fn split(self) -> (FrameReader<R>, FrameWriter<W>) {
        (self.reader, self.writer)
    }
}
