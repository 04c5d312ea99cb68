//! The life of the service: signals, the two stops, readiness told to a watchdog, and a watchdog of
//! our own where there is no systemd.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a guarded Hotline may be silent before it counts as frozen. A caller whose Hotline is
/// frozen is in the ordinary queue so much later, and a little more.
const FROZEN: Duration = Duration::from_secs(2);
/// How long a guarded Hotline may take to become ready.
const START: Duration = Duration::from_secs(60);
/// The exit code of a usage or configuration error, as the command line documents it.
const MISUSE: i32 = 2;
/// The longest pause before a guarded Hotline that keeps falling over is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The two stops and the tasks that heed them.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Doors close; calls that are on go on.
    pub soft_stop: CancellationToken,
    /// Calls end, now.
    pub hard_stop: CancellationToken,
    /// Everything that runs.
    pub scope: TaskTracker,
}

impl Life {
    /// Heeds signals until the service may end: the first TERM or INT closes the doors, a second
    /// one or the end of the grace ends the calls; HUP asks for the files to be read again.
    ///
    /// # Errors
    /// When the system does not let us listen to signals.
    pub async fn heed_signals(
        &self,
        grace: Duration,
        calls: watch::Receiver<usize>,
        reload: mpsc::Sender<()>,
    ) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                // A reload under way reads what is there now; a second one need not wait.
                _ = hang_up.recv() => drop(reload.try_send(())),
                () = self.soft_stop.cancelled() => break,
            }
        }
        self.soft_stop.cancel();
        notify("STOPPING=1").await;
        tracing::info!(
            calls = *calls.borrow(),
            "closing: calls that are on may finish"
        );
        self.drain(grace, calls, &mut terminate, &mut interrupt)
            .await;
        self.hard_stop.cancel();
        Ok(())
    }

    async fn drain(
        &self,
        grace: Duration,
        mut calls: watch::Receiver<usize>,
        terminate: &mut Signal,
        interrupt: &mut Signal,
    ) {
        let until = tokio::time::sleep(grace);
        tokio::pin!(until);
        loop {
            let left = *calls.borrow_and_update();
            if left == 0 {
                return;
            }
            tracing::info!(calls = left, "calls still on");
            tokio::select! {
                changed = calls.changed() => if changed.is_err() { return },
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                () = &mut until => return,
            }
        }
    }
}

/// Tells the service manager something, where there is one (`sd_notify(3)`).
pub async fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let Ok(socket) = UnixDatagram::unbound() else {
        return;
    };
    // A manager that has gone away is not told.
    let _ = socket.send_to(state.as_bytes(), PathBuf::from(path)).await;
}

/// Tells the service manager that we are alive, as often as it wants to know, for as long as the
/// async threads turn.
pub async fn stay_awake(stop: CancellationToken) {
    let limit = std::env::var("WATCHDOG_USEC")
        .ok()
        .and_then(|text| text.parse().ok());
    let Some(limit) = limit.map(Duration::from_micros) else {
        return;
    };
    let mut ticks = tokio::time::interval(limit / 4);
    loop {
        tokio::select! {
            _ = ticks.tick() => notify("WATCHDOG=1").await,
            () = stop.cancelled() => return,
        }
    }
}

/// Why a guard gave up.
#[derive(Debug, thiserror::Error)]
#[error("cannot guard the service: {what}: {source}")]
pub struct GuardError {
    what: &'static str,
    source: std::io::Error,
}

/// Runs this program with `arguments` as a child, ends it with SIGKILL when it freezes, and starts
/// it again when it ends unasked: what systemd's `WatchdogSec=` and `Restart=` do, without systemd.
/// Returns the child's exit code once it was asked to stop.
///
/// # Errors
/// When the child cannot be started or signals cannot be had.
pub async fn guard(arguments: &[String]) -> Result<i32, GuardError> {
    let fault = |what| move |source| GuardError { what, source };
    let folder = tempfile::tempdir().map_err(fault("no temporary folder"))?;
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).map_err(fault("no notification socket"))?;
    let program = std::env::current_exe().map_err(fault("this program cannot be found"))?;
    let mut signals = Signals::new().map_err(fault("no signals"))?;
    let mut pause = Duration::from_millis(200);
    loop {
        let started = Instant::now();
        let mut child = Command::new(&program)
            .args(arguments)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", FROZEN.as_micros().to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(fault("the service cannot be started"))?;
        let end = watch_over(&mut child, &socket, &mut signals).await;
        let status = child
            .wait()
            .await
            .map_err(fault("the service cannot be waited for"))?;
        let code = status.code().unwrap_or(1);
        match end {
            End::Asked => return Ok(code),
            // A usage or configuration error stays one however often it is tried.
            End::ByItself if code == MISUSE => return Ok(code),
            End::ByItself => tracing::error!("the service ended ({status}); starting it again"),
            End::Frozen => {
                tracing::error!("the service was frozen and was ended; starting it again")
            }
        }
        pause = match started.elapsed() > Duration::from_secs(60) {
            true => Duration::from_millis(200),
            false => (pause * 2).min(LONGEST_PAUSE),
        };
        let rest = tokio::time::sleep(pause);
        tokio::pin!(rest);
        loop {
            tokio::select! {
                () = &mut rest => break,
                signal = signals.next() => {
                    if signal == rustix::process::Signal::TERM {
                        return Ok(0);
                    }
                }
            }
        }
    }
}

/// How a guarded child ended.
enum End {
    Asked,
    ByItself,
    Frozen,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> rustix::process::Signal {
        tokio::select! {
            _ = self.terminate.recv() => rustix::process::Signal::TERM,
            _ = self.interrupt.recv() => rustix::process::Signal::TERM,
            _ = self.hang_up.recv() => rustix::process::Signal::HUP,
        }
    }
}

async fn watch_over(child: &mut Child, socket: &UnixDatagram, signals: &mut Signals) -> End {
    let mut asked = false;
    let mut limit = START;
    let mut heard = Instant::now();
    let mut message = [0; 256];
    loop {
        tokio::select! {
            _ = child.wait() => return if asked { End::Asked } else { End::ByItself },
            signal = signals.next() => {
                asked |= signal == rustix::process::Signal::TERM;
                pass_on(child, signal);
            }
            received = socket.recv(&mut message) => {
                heard = Instant::now();
                let text = received.map(|length| String::from_utf8_lossy(&message[..length]));
                if text.is_ok_and(|text| text.contains("READY=1")) {
                    limit = FROZEN;
                }
            }
            () = tokio::time::sleep_until((heard + limit).into()) => {
                // Fails only for a child that is gone already.
                let _ = child.start_kill();
                return if asked { End::Asked } else { End::Frozen };
            }
        }
    }
}

fn pass_on(child: &Child, signal: rustix::process::Signal) {
    let pid = child
        .id()
        .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
    if let Some(pid) = pid
        && let Err(error) = rustix::process::kill_process(pid, signal)
    {
        tracing::warn!("the signal could not be passed on: {error}");
    }
}
