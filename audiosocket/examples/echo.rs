//! An echo server: what a caller says comes back, one frame per 20 ms, silence when there is nothing.
//!
//!     cargo run --release -p audiosocket --example echo -- 127.0.0.1:9092
//!
//! One thread serves all calls. Waking it for a frame's arrival and again for its tick would cost twice, so a
//! call's ticks lie a little after the time its frames come: a frame leaves as it comes, within its own
//! tick's leeway, and the clock speaks up only for a call whose frame is missing. All ticks lie on one
//! grid of 5 ms, so that the timer wakes the thread 200 times a second at most.

use audiosocket::frame::{Frame, Rate};
use audiosocket::server::{Config, Server};
use audiosocket::stream::FrameWriter;
use audiosocket::{Audio, Clock, Session, Tick};
use std::collections::VecDeque;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;

const CALLS: usize = 2000;

/// Distance of the points in time at which calls may have their ticks.
const GRID: Duration = Duration::from_millis(5);

/// How long a tick waits for its frame at least; up to a grid distance more.
const PATIENCE: Duration = Duration::from_millis(4);

/// How long before its tick a frame may leave: the longest patience and 3 ms for frames that come early.
const LEEWAY: Duration = Duration::from_millis(12);

/// Frames a call may be behind; older ones are dropped. One second.
const QUEUE_FRAMES: usize = 50;

/// 20 ms of silence at the highest rate.
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

    let epoch = Instant::now();
    loop {
        match server.accept().await {
            Ok(session) => drop(tokio::spawn(echo(session, epoch))),
            Err(error) => eprintln!("{error}"),
        }
    }
}

/// Sends a call's frames back, one per tick of its own clock.
async fn echo(session: Session, epoch: Instant) {
    let (mut reader, writer) = session.split();
    let mut clock = Clock::starting_at(next_on_grid(epoch, Instant::now()));
    let mut echo = Echo {
        writer,
        queue: VecDeque::new(),
        rate: Rate::Hz8000,
        fitted: false,
    };
    let mut alive = true;
    while alive {
        tokio::select! {
            biased;
            frame = reader.next() => match frame {
                Ok(Some(Frame::Audio(audio))) => {
                    echo.keep(audio);
                    if !echo.fitted {
                        clock = Clock::starting_at(next_on_grid(epoch, Instant::now() + PATIENCE));
                        echo.fitted = true;
                    }
                    if let Some(tick) = clock.try_tick(LEEWAY) {
                        alive = echo.send(tick);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => alive = false,
                Err(error) => {
                    eprintln!("{error}");
                    alive = false;
                }
            },
            tick = clock.tick() => alive = echo.send(tick),
        }
    }
}

fn next_on_grid(epoch: Instant, earliest: Instant) -> Instant {
    let steps = (earliest - epoch).as_nanos().div_ceil(GRID.as_nanos());
    epoch + GRID * u32::try_from(steps).unwrap_or(u32::MAX)
}

struct Echo {
    writer: FrameWriter,
    queue: VecDeque<Audio>,
    rate: Rate,
    /// Whether the clock has been set to the time at which the frames come.
    fitted: bool,
}

impl Echo {
    fn keep(&mut self, audio: Audio) {
        if self.queue.len() == QUEUE_FRAMES {
            self.queue.pop_front();
        }
        self.rate = audio.rate;
        self.queue.push_back(audio);
    }

    /// Sends the oldest frame or silence, and returns whether the peer is still there.
    ///
    /// Frames whose ticks were slept through are left out, so that a call does not lag for ever after.
    fn send(&mut self, tick: Tick) -> bool {
        let missed = usize::try_from(tick.skipped).unwrap_or(usize::MAX);
        self.queue
            .drain(..missed.min(self.queue.len().saturating_sub(1)));
        let sent = match self.queue.pop_front() {
            Some(audio) => self.writer.offer_audio_bytes(audio.rate, &audio.payload),
            None => self
                .writer
                .offer_audio_bytes(self.rate, &SILENCE[..self.rate.frame_bytes()]),
        };
        sent.is_ok()
    }
}
