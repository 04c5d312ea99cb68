//! Readers and writers on in-memory streams: how often they touch the stream, and what being dropped
//! half-way does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use audiosocket::frame::{Frame, Rate, encode};
use audiosocket::server::AcceptError;
use audiosocket::stream::{FrameReader, FrameWriter};
use audiosocket::{Audio, Client, Session};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, duplex, split};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9092);
const DEADLINE: Duration = Duration::from_secs(2);

/// A stream that remembers the size of every write.
#[derive(Default)]
struct Writes(Vec<usize>);

impl AsyncWrite for Writes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.push(bytes.len());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A stream that gives all it can at each read and counts the reads.
struct Reads<'a> {
    rest: &'a [u8],
    count: usize,
}

impl AsyncRead for &mut Reads<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, later) = self.rest.split_at(into.remaining().min(self.rest.len()));
        into.put_slice(now);
        self.rest = later;
        self.count += 1;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn every_frame_leaves_with_one_write() {
    let mut writes = Writes::default();
    let mut writer = FrameWriter::new(&mut writes, PEER);
    writer.audio(Rate::Hz8000, &[1; 160]).await.unwrap();
    writer.audio(Rate::Hz16000, &[1; 320]).await.unwrap();
    writer.audio_bytes(Rate::Hz8000, &[0; 320]).await.unwrap();
    writer.write(&Frame::Id(Uuid::nil())).await.unwrap();
    writer.hangup().await.unwrap();
    assert_eq!(writes.0, [323, 643, 323, 19, 3]);
}

#[tokio::test]
async fn an_unsendable_frame_touches_nothing_and_the_next_one_leaves_whole() {
    let mut writes = Writes::default();
    let mut writer = FrameWriter::new(&mut writes, PEER);
    let error = writer.audio(Rate::Hz8000, &[]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "audio of 0 bytes is no whole number of 16-bit samples"
    );
    writer.audio(Rate::Hz8000, &[1; 160]).await.unwrap();
    assert_eq!(writer.frames(), 1);
    assert_eq!(writes.0, [323]);
}

#[tokio::test]
async fn a_hundred_frames_take_a_handful_of_reads() {
    let mut bytes = Vec::new();
    for _ in 0..100 {
        let audio = Audio::from_samples(Rate::Hz8000, &[7; 160]);
        encode(&Frame::Audio(audio), &mut bytes).unwrap();
    }
    let mut reads = Reads {
        rest: &bytes,
        count: 0,
    };
    let mut reader = FrameReader::new(&mut reads, PEER);
    let mut frames = 0;
    while let Some(Frame::Audio(audio)) = reader.next().await.unwrap() {
        assert_eq!(audio.payload.len(), 320);
        frames += 1;
    }
    assert_eq!(frames, 100);
    assert!(reads.count <= 20, "{} reads", reads.count);
}

#[tokio::test]
async fn a_write_dropped_half_way_is_finished_by_the_next() {
    let (near, far) = duplex(100);
    let mut writer = FrameWriter::new(near, PEER);
    let audio = [0x0101; 160];
    let dropped = timeout(Duration::ZERO, writer.audio(Rate::Hz8000, &audio)).await;
    assert!(dropped.is_err(), "100 bytes cannot hold the frame");
    let writing = tokio::spawn(async move {
        writer.hangup().await.unwrap();
    });
    let mut reader = FrameReader::new(far, PEER);
    let whole = Frame::Audio(Audio::from_samples(Rate::Hz8000, &audio));
    assert_eq!(reader.next().await.unwrap(), Some(whole));
    assert_eq!(reader.next().await.unwrap(), None);
    assert_eq!(reader.end(), Some(audiosocket::stream::End::Said));
    writing.await.unwrap();
}

#[tokio::test]
async fn a_read_dropped_half_way_loses_nothing() {
    let (near, far) = duplex(1000);
    let mut reader = FrameReader::new(far, PEER);
    let mut writer = near;
    let mut bytes = Vec::new();
    let frame = Frame::Audio(Audio::from_samples(Rate::Hz8000, &[3; 160]));
    encode(&frame, &mut bytes).unwrap();
    let (first, second) = bytes.split_at(200);
    tokio::io::AsyncWriteExt::write_all(&mut writer, first)
        .await
        .unwrap();
    assert!(
        timeout(Duration::from_millis(1), reader.next())
            .await
            .is_err()
    );
    tokio::io::AsyncWriteExt::write_all(&mut writer, second)
        .await
        .unwrap();
    assert_eq!(reader.next().await.unwrap(), Some(frame));
}

#[tokio::test]
async fn a_frame_cut_short_by_the_end_is_dropped() {
    let bytes = [0x03, 0, 1, b'1', 0x10, 0x01, 0x40, 9, 9];
    let mut reads = Reads {
        rest: &bytes,
        count: 0,
    };
    let mut reader = FrameReader::new(&mut reads, PEER);
    assert!(matches!(reader.next().await, Ok(Some(Frame::Dtmf(_)))));
    assert_eq!(reader.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_session_and_a_client_meet_in_memory() {
    let (near, far) = duplex(4096);
    let id = Uuid::from_u128(42);
    let (reader, writer) = split(near);
    let mut client = Client::start(reader, writer, PEER, id).await.unwrap();
    let (reader, writer) = split(far);
    let session = Session::greet(reader, writer, PEER, DEADLINE)
        .await
        .unwrap();
    assert_eq!((session.id(), session.peer()), (id, PEER));
    let (mut reader, mut writer) = session.split();
    client.send_audio(Rate::Hz16000, &[5; 320]).await.unwrap();
    let heard = reader.next().await.unwrap();
    assert_eq!(
        heard,
        Some(Frame::Audio(Audio::from_samples(Rate::Hz16000, &[5; 320])))
    );
    writer.hangup().await.unwrap();
    assert_eq!(client.next().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_peer_has_until_the_deadline_to_say_its_id_and_no_longer() {
    let (_silent, far) = duplex(64);
    let (reader, writer) = split(far);
    let start = Instant::now();
    let refused = Session::greet(reader, writer, PEER, DEADLINE)
        .await
        .map(|_| ());
    assert!(matches!(
        refused,
        Err(AcceptError::Late {
            peer: PEER,
            deadline: DEADLINE
        })
    ));
    assert_eq!(start.elapsed(), DEADLINE);
}
