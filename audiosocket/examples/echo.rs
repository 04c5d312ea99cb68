//! An echo server: what a caller says comes back, one frame per 20 ms, silence when there is nothing.
//!
//!     cargo run --release -p audiosocket --example echo -- 127.0.0.1:9092
//!
//! One thread serves all calls. A clock per call would wake it for each call and tick; here four rounds,
//! 5 ms apart, each serve a quarter of the calls, so that a tick costs one wake-up per round
//! and one read and one write per call.

use audiosocket::frame::{Frame, Rate};
use audiosocket::server::{Config, Server};
use audiosocket::stream::{FrameReader, FrameWriter, Ready};
use audiosocket::{Audio, Clock, Session};
use std::collections::VecDeque;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;

const ROUNDS: u32 = 4;
const ROUND_OFFSET: Duration = Duration::from_millis(5);
const CALLS: usize = 2000;

/// Frames a call may be behind; older ones are dropped. One second.
const QUEUE_FRAMES: usize = 50;

const SILENCE: [u8; 7680] = [0; 7680];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let address: SocketAddr = address
        .parse()
        .map_err(|error| format!("listen address {address}: {error}"))?;
    let config = Config {
        calls: CALLS,
        ..Config::default()
    };
    let mut server = Server::new(TcpListener::bind(address).await?, config);
    println!("listening on {}", server.address()?);

    let start = Instant::now();
    let rounds: Vec<mpsc::Sender<Session>> = (0..ROUNDS)
        .map(|round| {
            let (seat, newcomers) = mpsc::channel(16);
            tokio::spawn(go_round(
                Clock::starting_at(start + ROUND_OFFSET * round),
                newcomers,
            ));
            seat
        })
        .collect();
    for round in rounds.iter().cycle() {
        loop {
            match server.accept().await {
                Ok(session) => {
                    round.send(session).await?;
                    break;
                }
                Err(error) => eprintln!("{error}"),
            }
        }
    }
    Ok(())
}

/// Serves a share of the calls at each tick of one clock.
async fn go_round(mut clock: Clock, mut newcomers: mpsc::Receiver<Session>) {
    let mut calls: Vec<Echo> = Vec::new();
    loop {
        clock.tick().await;
        while let Ok(session) = newcomers.try_recv() {
            calls.push(Echo::new(session));
        }
        calls.retain_mut(Echo::tick);
    }
}

struct Echo {
    reader: FrameReader,
    writer: FrameWriter,
    queue: VecDeque<Audio>,
    rate: Rate,
}

impl Echo {
    fn new(session: Session) -> Echo {
        let (reader, writer) = session.split();
        Echo {
            reader,
            writer,
            queue: VecDeque::new(),
            rate: Rate::Hz8000,
        }
    }

    /// Takes what has come, sends one frame, and returns whether the call goes on.
    fn tick(&mut self) -> bool {
        loop {
            match self.reader.try_next() {
                Ok(Ready::Frame(Frame::Audio(audio))) => self.keep(audio),
                Ok(Ready::Frame(_)) => {}
                Ok(Ready::Nothing) => break,
                Ok(Ready::HungUp) => return false,
                Err(error) => {
                    eprintln!("{error}");
                    return false;
                }
            }
        }
        let sent = match self.queue.pop_front() {
            Some(audio) => self.writer.offer_audio_bytes(audio.rate, &audio.payload),
            None => self
                .writer
                .offer_audio_bytes(self.rate, &SILENCE[..self.rate.frame_bytes()]),
        };
        sent.is_ok()
    }

    fn keep(&mut self, audio: Audio) {
        if self.queue.len() == QUEUE_FRAMES {
            self.queue.pop_front();
        }
        self.rate = audio.rate;
        self.queue.push_back(audio);
    }
}
