//! The load: FreeSWITCH as it looks from Hotline's door, with many calls. Each has a connection that
//! answers what a call asks, and a port that a datagram leaves from every 20 ms.
//!
//! The calls' phases are spread over 20 ms. One JSON line tells the datagrams sent and received and the
//! gaps between those of one call as they were read here, so this process's own delays are in them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use audiosocket::{Clock, Pace};
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::replies::{Replies, header};
use crate::processor::seconds_of;

const SETTLING: Duration = Duration::from_secs(2);
const SLOT: Duration = Duration::from_millis(1);
const SLOTS: usize = 20;

/// How long setting up one call may take.
const SET_UP: Duration = Duration::from_secs(5);

/// Bytes of 20 ms at 8000 samples a second.
const DATAGRAM: usize = 320;

/// The time in which datagrams count, known once all calls are up.
static WINDOW: OnceLock<(Instant, Instant)> = OnceLock::new();

/// How often a watchdog was held off in that time.
static HELD_OFF: AtomicU64 = AtomicU64::new(0);

/// Puts the load on a server: `ADDRESS|PORTS CALLS SECONDS PROCESS`.
pub(super) fn play(words: &[String]) -> Result<()> {
    let [server, calls, seconds, process] = words else {
        bail!("usage: unicast-load ADDRESS|PORT,PORT… CALLS SECONDS PROCESS");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (calls, seconds) = (calls.parse()?, seconds.parse()?);
    runtime.block_on(measure(server, calls, seconds, process.parse()?))
}

/// One call's port.
type Port = Arc<UdpSocket>;

async fn measure(server: &str, calls: usize, seconds: u64, process: u32) -> Result<()> {
    let (ports, new_ports) = mpsc::channel(SLOTS);
    let sending = tokio::spawn(send(new_ports));
    let mut listening: Vec<JoinHandle<Gaps>> = Vec::new();
    let mut talking: Vec<JoinHandle<Result<()>>> = Vec::new();
    if server.contains(':') {
        let (door, replies) = (server.parse()?, Arc::new(Replies::read()?));
        for _ in 0..calls {
            let (up, is_up) = oneshot::channel();
            let stream = TcpStream::connect::<SocketAddr>(door).await?;
            talking.push(tokio::spawn(talk(stream, Arc::clone(&replies), up)));
            let Ok(Ok(port)) = tokio::time::timeout(SET_UP, is_up).await else {
                bail!("call {} was not set up", talking.len());
            };
            listening.push(tokio::spawn(listen(Arc::clone(&port))));
            ports.send(port).await?;
        }
    } else {
        for there in server.split(',') {
            let port = open((Ipv4Addr::LOCALHOST, there.parse()?).into()).await?;
            listening.push(tokio::spawn(listen(Arc::clone(&port))));
            ports.send(port).await?;
        }
    }
    let begin = Instant::now() + SETTLING;
    let end = begin + Duration::from_secs(seconds);
    WINDOW.get_or_init(|| (begin, end));
    let (server_used, own_used) = used(process, begin, end).await?;
    let ended = talking.iter().filter(|call| call.is_finished()).count();
    let sent = sending.await?;
    let (mut gaps, mut received) = (Vec::new(), 0);
    for call in listening {
        let heard = call.await?;
        received += heard.frames;
        gaps.extend(heard.micros);
    }
    gaps.sort_unstable();
    let told = json!({
        "calls": calls,
        "seconds": seconds,
        "sent": sent.frames,
        "dropped": sent.dropped,
        "received": received,
        "ended_early": ended,
        "held_off": HELD_OFF.load(Ordering::Relaxed),
        "gap_ms": {
            "p50": quantile(&gaps, 0.5),
            "p99": quantile(&gaps, 0.99),
            "p999": quantile(&gaps, 0.999),
            "max": quantile(&gaps, 1.0),
        },
        "server_cores": rounded(server_used / seconds as f64),
        "load_cores": rounded(own_used / seconds as f64),
    });
    println!("{told}");
    Ok(())
}

/// Opens a port that talks with one other only.
async fn open(there: SocketAddr) -> Result<Port> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(there).await?;
    Ok(Arc::new(socket))
}

/// Answers one call's commands until its connection ends, and hands over its port once it has one.
async fn talk(stream: TcpStream, replies: Arc<Replies>, up: oneshot::Sender<Port>) -> Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let (channel, mut up) = (Uuid::new_v4(), Some(up));
    let mut command = String::new();
    loop {
        command.clear();
        while !command.ends_with("\n\n") {
            if reader.read_line(&mut command).await? == 0 {
                return Ok(());
            }
        }
        let Some(reply) = replies.to(&command, channel) else {
            eprintln!("no recorded call has the command {command:?}");
            bail!("unknown command");
        };
        writer.write_all(reply.as_bytes()).await?;
        if header(&command, "call-command") == Some("unicast") {
            let host = header(&command, "remote-ip").context("no remote-ip")?;
            let port = header(&command, "remote-port").context("no remote-port")?;
            let port = open(SocketAddr::new(host.parse()?, port.parse()?)).await?;
            if let Some(up) = up.take() {
                // Whoever waited for it has given up.
                let _ = up.send(port);
            }
        } else if command.starts_with("api sched_transfer") && counts(Instant::now()) {
            HELD_OFF.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Default)]
struct Sent {
    frames: u64,
    dropped: u64,
}

/// Sends each call's datagram in its millisecond of every 20, until a little after the end.
async fn send(mut ports: mpsc::Receiver<Port>) -> Sent {
    let datagram = [1; DATAGRAM];
    let mut slots: Vec<Vec<Port>> = (0..SLOTS).map(|_| Vec::new()).collect();
    let mut calls = 0;
    let mut clock = Clock::with(Pace::every(SLOT), tokio::time::Instant::now());
    let mut sent = Sent::default();
    loop {
        let tick = clock.tick().await;
        while let Ok(port) = ports.try_recv() {
            slots[calls % SLOTS].push(port);
            calls += 1;
        }
        let now = Instant::now();
        if is_over(now - SLOT * SLOTS as u32) {
            return sent;
        }
        for slot in tick.number - tick.skipped..=tick.number {
            for port in &slots[slot as usize % SLOTS] {
                let left = port.try_send(&datagram).is_ok();
                if counts(now) {
                    sent.frames += 1;
                    sent.dropped += u64::from(!left);
                }
            }
        }
    }
}

#[derive(Default)]
struct Gaps {
    micros: Vec<u32>,
    frames: u64,
}

/// Reads one call until the window is over and notes the gaps between its datagrams.
async fn listen(port: Port) -> Gaps {
    let mut gaps = Gaps::default();
    let mut last: Option<Instant> = None;
    let mut datagram = [0; 2 * DATAGRAM];
    // The load ends by itself a frame after the window, so that something comes until then.
    while let Ok(received) = tokio::time::timeout(SETTLING, port.recv(&mut datagram)).await {
        if !received.is_ok_and(|length| length == DATAGRAM) {
            continue;
        }
        let now = Instant::now();
        if counts(now) {
            gaps.frames += 1;
            if let Some(last) = last {
                gaps.micros.push((now - last).as_micros() as u32);
            }
        } else if is_over(now) {
            break;
        }
        last = Some(now);
    }
    gaps
}

fn counts(now: Instant) -> bool {
    WINDOW
        .get()
        .is_some_and(|(begin, end)| (*begin..*end).contains(&now))
}

fn is_over(now: Instant) -> bool {
    WINDOW.get().is_some_and(|(_, end)| now >= *end)
}

/// Returns milliseconds with two digits after the point.
fn quantile(sorted_micros: &[u32], share: f64) -> f64 {
    let last = sorted_micros.len().saturating_sub(1);
    let micros = sorted_micros.get((last as f64 * share).round() as usize);
    micros.map_or(f64::NAN, |micros| {
        (f64::from(*micros) / 10.0).round() / 100.0
    })
}

fn rounded(cores: f64) -> f64 {
    (cores * 10_000.0).round() / 10_000.0
}

/// Returns the CPU seconds of the server and of this process between two moments.
async fn used(server: u32, begin: Instant, end: Instant) -> Result<(f64, f64)> {
    let own = std::process::id();
    tokio::time::sleep_until(begin.into()).await;
    let (server_before, own_before) = (seconds_of(server)?, seconds_of(own)?);
    tokio::time::sleep_until(end.into()).await;
    Ok((
        seconds_of(server)? - server_before,
        seconds_of(own)? - own_before,
    ))
}
