//! Load for an AudioSocket server on this machine: many calls, each one frame per 20 ms.
//!
//!     cargo run --release -p audiosocket --example load -- 127.0.0.1:9092 500 10 [PID]
//!
//! Arguments: server (loopback only), calls (at most 2000), seconds measured (at most 120), and the
//! server's process id if its CPU time is wanted. The calls' phases are spread over 20 ms. One JSON line tells
//! the frames sent and received and the gaps between frames of one call as they were read here, so
//! this process's own delays are in them.

use audiosocket::stream::{FrameReader, FrameWriter, Offer};
use audiosocket::{Client, Clock, Frame, Pace, Rate};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use uuid::Uuid;

const MOST_CALLS: usize = 2000;
const MOST_SECONDS: u64 = 120;
const SETTLING: Duration = Duration::from_secs(2);
const SLOT: Duration = Duration::from_millis(1);
const SLOTS: usize = 20;

/// Clock ticks per second of `/proc/PID/stat`, the same on every Linux machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// The time in which frames count, known once all calls are up.
static WINDOW: OnceLock<(Instant, Instant)> = OnceLock::new();

struct Order {
    server: SocketAddr,
    calls: usize,
    seconds: u64,
    pid: Option<u32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let order = read_order()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(order))
}

fn read_order() -> Result<Order, Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (server, calls, seconds, pid) = match words.as_slice() {
        [server, calls, seconds] => (server, calls, seconds, None),
        [server, calls, seconds, pid] => (server, calls, seconds, Some(pid)),
        _ => return Err("usage: load SERVER CALLS SECONDS [PID]".into()),
    };
    let order = Order {
        server: server.parse()?,
        calls: calls.parse()?,
        seconds: seconds.parse()?,
        pid: pid.map(|pid| pid.parse()).transpose()?,
    };
    if !order.server.ip().is_loopback() {
        return Err(format!("{} is not on this machine", order.server).into());
    }
    if !(1..=MOST_CALLS).contains(&order.calls) || !(1..=MOST_SECONDS).contains(&order.seconds) {
        return Err(format!("at most {MOST_CALLS} calls and {MOST_SECONDS} seconds").into());
    }
    Ok(order)
}

async fn measure(order: Order) -> Result<(), Box<dyn Error>> {
    let mut readers: Vec<JoinHandle<Gaps>> = Vec::new();
    let mut slots: Vec<Vec<FrameWriter>> = (0..SLOTS).map(|_| Vec::new()).collect();
    for call in 0..order.calls {
        let client = Client::connect(order.server, Uuid::from_u128(call as u128 + 1)).await?;
        let (reader, writer) = client.split();
        readers.push(tokio::spawn(listen(reader)));
        slots[call % SLOTS].push(writer);
    }
    let begin = Instant::now() + SETTLING;
    let end = begin + Duration::from_secs(order.seconds);
    WINDOW.get_or_init(|| (begin, end));

    let cpu = tokio::spawn(watch_cpu(order.pid, begin, end));
    let sending = tokio::spawn(send(slots, end));
    let (mut gaps, mut received, mut stopped) = (Vec::new(), 0, 0);
    let talk = sending.await?;
    for reader in readers {
        let heard = reader.await?;
        received += heard.frames;
        stopped += u64::from(heard.early);
        gaps.extend(heard.micros);
    }
    gaps.sort_unstable();
    let (server_cpu, own_cpu) = cpu.await??;
    let seconds = order.seconds as f64;
    let cores = server_cpu.map_or("null".to_owned(), |used| format!("{:.4}", used / seconds));
    println!(
        "{{\"server\":\"{}\",\"calls\":{},\"seconds\":{},\"sent\":{},\"dropped\":{},\"received\":{},\
         \"ended_early\":{stopped},\"gap_ms\":{{\"p50\":{:.2},\"p99\":{:.2},\"p999\":{:.2},\"max\":{:.2}}},\
         \"server_cores\":{cores},\"load_cores\":{:.4}}}",
        order.server,
        order.calls,
        order.seconds,
        talk.sent,
        talk.dropped,
        received,
        quantile(&gaps, 0.5),
        quantile(&gaps, 0.99),
        quantile(&gaps, 0.999),
        quantile(&gaps, 1.0),
        own_cpu / seconds,
    );
    Ok(())
}

#[derive(Default)]
struct Talk {
    sent: u64,
    dropped: u64,
}

/// Writes each call's frame in its millisecond of every 20, until a little after the end.
async fn send(mut slots: Vec<Vec<FrameWriter>>, end: Instant) -> Talk {
    let samples = [0x0100_i16; 160];
    let mut clock = Clock::with(Pace::every(SLOT), tokio::time::Instant::now());
    let mut talk = Talk::default();
    loop {
        let tick = clock.tick().await;
        let now = Instant::now();
        if now > end + SLOT * SLOTS as u32 {
            return talk;
        }
        for slot in tick.number - tick.skipped..=tick.number {
            for writer in &mut slots[slot as usize % SLOTS] {
                let offer = writer.offer_audio(Rate::Hz8000, &samples);
                if counts(now) {
                    talk.sent += 1;
                    talk.dropped += u64::from(!matches!(offer, Ok(Offer::Taken)));
                }
            }
        }
    }
}

struct Gaps {
    micros: Vec<u32>,
    frames: u64,
    early: bool,
}

/// Reads one call until the window is over and notes the gaps between its frames.
async fn listen(mut reader: FrameReader) -> Gaps {
    let mut gaps = Gaps {
        micros: Vec::new(),
        frames: 0,
        early: false,
    };
    let mut last: Option<Instant> = None;
    loop {
        match reader.next().await {
            Ok(Some(Frame::Audio(_))) => {
                let now = Instant::now();
                if counts(now) {
                    gaps.frames += 1;
                    if let Some(last) = last {
                        gaps.micros.push((now - last).as_micros() as u32);
                    }
                } else if is_over(now) {
                    return gaps;
                }
                last = Some(now);
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                gaps.early = !is_over(Instant::now());
                return gaps;
            }
        }
    }
}

fn counts(now: Instant) -> bool {
    WINDOW
        .get()
        .is_some_and(|(begin, end)| (*begin..*end).contains(&now))
}

fn is_over(now: Instant) -> bool {
    WINDOW.get().is_some_and(|(_, end)| now >= *end)
}

fn quantile(sorted_micros: &[u32], share: f64) -> f64 {
    let last = sorted_micros.len().saturating_sub(1);
    let place = (last as f64 * share).round() as usize;
    sorted_micros
        .get(place)
        .map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
}

/// Returns the CPU seconds of the server and of this process between two moments.
async fn watch_cpu(
    pid: Option<u32>,
    begin: Instant,
    end: Instant,
) -> Result<(Option<f64>, f64), std::io::Error> {
    let server = pid.map(|pid| format!("/proc/{pid}/stat"));
    let read = |path: &Option<String>| path.as_deref().map(cpu_seconds).transpose();
    tokio::time::sleep_until(begin.into()).await;
    let (server_before, own_before) = (read(&server)?, cpu_seconds("/proc/self/stat")?);
    tokio::time::sleep_until(end.into()).await;
    let (server_after, own_after) = (read(&server)?, cpu_seconds("/proc/self/stat")?);
    let used = server_after
        .zip(server_before)
        .map(|(after, before)| after - before);
    Ok((used, own_after - own_before))
}

fn cpu_seconds(stat: &str) -> Result<f64, std::io::Error> {
    let text = std::fs::read_to_string(stat)?;
    let broken = || std::io::Error::other(format!("{stat} has another form than known"));
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
    let (_, fields) = text.rsplit_once(')').ok_or_else(broken)?;
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>);
    let ticks: Vec<f64> = ticks.collect::<Result<_, _>>().map_err(|_| broken())?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}
