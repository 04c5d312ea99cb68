//! One call's own connection, which FreeSWITCH makes when the dialplan reaches `socket … async full`:
//! set up once, read until it ends, and guarded by a watchdog that takes the caller to the ordinary
//! queue when this process no longer keeps it from doing so.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use freeswitch_esl_tokio::{EslClient, EslConnectOptions, EslEventStream, EventFormat};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::commands::Commands;
use super::introduction::{self, Introduction, VISITED};
use super::told::{SUBCLASS, Told};
use super::unicast::{Leaving, Media, Pulse};
use super::{FreeSwitch, lock};
use crate::pbx::PbxError;
use crate::pbx::news::News;
use crate::words::CallId;

/// Events of one call that may wait to be read.
const EVENTS: usize = 1024;

/// How long FreeSWITCH tells us what happens after the hang-up.
const LINGER: Duration = Duration::from_secs(5);

/// How often the watchdog is held off. FreeSWITCH looks twice a second for what is due and counts whole
/// seconds, so that what is asked for in two happens after 1.0 to 2.5 s.
const HOLD_OFF: Duration = Duration::from_millis(400);

/// How long a call's task may not have asked for audio until the watchdog is let off.
const PULSE: Duration = Duration::from_secs(2);

/// A connection that is closed for good when this is dropped, whoever still holds an end of it: the
/// crate's reader would otherwise keep it for as long as the other side likes.
struct Closing(std::net::TcpStream);

impl Closing {
    fn of(stream: &TcpStream) -> io::Result<Self> {
        let twin = stream.as_fd().try_clone_to_owned()?;
        Ok(Self(twin.into()))
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        // It may have been closed by the other side.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// One call's connection.
pub(super) struct Session {
    channel: CallId,
    commands: Commands,
    /// Whether the caller is parked with us. Whoever moves them holds it meanwhile, so that the
    /// watchdog is not set again for a caller who is already somewhere else.
    parked: Mutex<bool>,
    /// Where the watchdog takes the caller.
    fallback: String,
    _closing: Closing,
}

impl Session {
    /// Returns the id of the channel.
    pub(super) fn channel(&self) -> CallId {
        self.channel
    }

    /// Runs a quick `api` command on the call's own connection.
    pub(super) async fn api(&self, command: String) -> Result<String, PbxError> {
        self.commands.api(command).await
    }

    /// Sends the caller to a place of the dialplan; from then on the watchdog is theirs to cancel.
    pub(super) async fn move_to(&self, place: &str) -> Result<(), PbxError> {
        let mut parked = self.parked.lock().await;
        let moved = self
            .api(format!("uuid_transfer {} {place}", self.channel))
            .await;
        // Without an answer they may have been moved, and the watchdog would fetch them from there; it is
        // left as it was last set, for the place that they come to or for one who was not moved.
        *parked &= matches!(&moved, Err(error) if !matches!(error, PbxError::Unanswered { .. }));
        moved.map(|_| ())
    }

    /// Hangs up.
    pub(super) async fn hang_up(&self) -> Result<(), PbxError> {
        let cause = [("hangup-cause", "NORMAL_CLEARING".to_owned())];
        self.commands.message("hangup", &cause).await
    }

    /// Sets the watchdog anew, while the caller is parked with us.
    async fn hold_off(&self) -> Result<(), PbxError> {
        let parked = self.parked.lock().await;
        if *parked {
            self.api(format!("sched_del {}", self.channel)).await?;
            self.set_watchdog().await?;
        }
        Ok(())
    }

    /// Takes the watchdog off a caller whom others have moved: it would fetch them from there.
    async fn stand_down(&self) {
        let mut parked = self.parked.lock().await;
        if std::mem::take(&mut *parked) {
            // The place that they have come to may have taken it off already, or they are gone.
            let _ = self.api(format!("sched_del {}", self.channel)).await;
        }
    }

    async fn set_watchdog(&self) -> Result<(), PbxError> {
        let order = format!("sched_transfer +2 {} {}", self.channel, self.fallback);
        self.api(order).await.map(|_| ())
    }
}

/// Sets up a connection that FreeSWITCH has made and returns the call's audio.
///
/// # Errors
/// When this is no FreeSWITCH, or the call cannot be served. The connection is then closed, and the
/// dialplan goes on with the caller.
pub(super) async fn admit(
    house: &Arc<FreeSwitch>,
    mut stream: TcpStream,
    peer: SocketAddr,
) -> Result<(CallId, Media), String> {
    let told = |what: &'static str| move |error: PbxError| format!("{what}: {error}");
    let broken = |error: io::Error| format!("the connection broke: {error}");
    stream.set_nodelay(true).map_err(broken)?;
    let here = stream.local_addr().map_err(broken)?.ip().to_canonical();
    let there = peer.ip().to_canonical();
    if !(here.is_ipv4() && there.is_ipv4()) {
        return Err(
            "FreeSWITCH's unicast knows IPv4 only: give hotline_socket in vars.xml and \
                    `freeswitch.listen` an IPv4 address"
                .to_owned(),
        );
    }
    let (introduction, rest) = introduction::ask(&mut stream).await?;
    let Introduction {
        channel,
        again,
        rate,
        arrival,
    } = introduction;
    let call = match again {
        true => CallId(Uuid::new_v4()),
        false => channel,
    };
    let closing = Closing::of(&stream).map_err(broken)?;
    let options = EslConnectOptions::new().with_event_queue_size(EVENTS);
    let (client, events) = EslClient::adopt_stream_with_options(stream, &rest, options)
        .map_err(|error| format!("no FreeSWITCH: {error}"))?;
    let commands = Commands::new(client);
    listen(&commands).await.map_err(told("the call's events"))?;

    let (leaving, closes) = (Leaving::default(), CancellationToken::new());
    let media = Media::open(
        here,
        there,
        rate,
        leaving.clone(),
        house.strangers.clone(),
        closes.clone(),
    );
    let mut media = media
        .await
        .map_err(|error| format!("no port for audio: {error}"))?;
    let port = media.port().map_err(|error| error.to_string())?;
    let session = Arc::new(Session {
        channel,
        commands,
        parked: Mutex::new(true),
        fallback: format!("fallback XML {}", house.config.contexts.fallback),
        _closing: closing,
    });
    unicast(&session.commands, there, here, port)
        .await
        .map_err(told("unicast"))?;
    session.set_watchdog().await.map_err(told("the watchdog"))?;
    let visited = format!("uuid_setvar {channel} {VISITED} {call}");
    session.api(visited).await.map_err(told("the call's id"))?;
    media.begin().await?;
    lock(&house.calls).arrive(call, arrival, Arc::clone(&session), Instant::now());
    tokio::spawn(guard(
        Arc::clone(&session),
        media.pulse(),
        leaving.clone(),
        closes.clone(),
    ));
    tokio::spawn(attend(
        Arc::clone(house),
        call,
        session,
        events,
        leaving,
        closes,
    ));
    Ok((call, media))
}

/// Asks for the call's events, and for those that are told when it is over.
async fn listen(commands: &Commands) -> Result<(), PbxError> {
    commands
        .run("myevents".to_owned(), |client| async move {
            client.myevents(EventFormat::Plain).await
        })
        .await?;
    let more = format!("CUSTOM callcenter::info {SUBCLASS}");
    commands
        .run("event".to_owned(), move |client| async move {
            client.subscribe_events_raw(EventFormat::Plain, &more).await
        })
        .await?;
    commands
        .run("divert_events".to_owned(), |client| async move {
            client.divert_events(true).await
        })
        .await?;
    commands
        .run("linger".to_owned(), |client| async move {
            client.linger(Some(LINGER)).await
        })
        .await
}

/// Has the audio sent to our port, once: a second time in the same park would not work.
async fn unicast(
    commands: &Commands,
    there: IpAddr,
    here: IpAddr,
    port: u16,
) -> Result<(), PbxError> {
    let headers = [
        ("local-ip", there.to_string()),
        ("local-port", "0".to_owned()),
        ("remote-ip", here.to_string()),
        ("remote-port", port.to_string()),
        ("transport", "udp".to_owned()),
    ];
    commands.message("unicast", &headers).await
}

/// Holds the watchdog off for as long as the call's own task asks for audio.
async fn guard(session: Arc<Session>, pulse: Pulse, leaving: Leaving, closes: CancellationToken) {
    let mut ticks = tokio::time::interval(HOLD_OFF);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut let_off = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = leaving.hung_up.cancelled() => return,
            () = leaving.taken.cancelled() => return,
            () = closes.cancelled() => return,
        }
        if !pulse.is_felt(PULSE) {
            if !std::mem::replace(&mut let_off, true) {
                tracing::error!(channel = %session.channel, "a call is not attended to, its watchdog is let off");
            }
            continue;
        }
        let_off = false;
        match session.hold_off().await {
            Ok(()) => {}
            Err(PbxError::NoSuchCall | PbxError::NotConnected(_)) => return,
            Err(error) => {
                tracing::warn!(channel = %session.channel, "the watchdog was not held off: {error}")
            }
        }
    }
}

/// Reads the call's events until the connection ends, or nobody serves the call any more.
async fn attend(
    house: Arc<FreeSwitch>,
    call: CallId,
    session: Arc<Session>,
    mut events: EslEventStream,
    leaving: Leaving,
    closes: CancellationToken,
) {
    let channel = session.channel;
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = closes.cancelled() => break,
        };
        match event {
            Some(Ok(event)) => {
                if let Some(told) = Told::read(&event) {
                    if told == Told::Unparked(channel) && !leaving.hung_up.is_cancelled() {
                        session.stand_down().await;
                    }
                    hear(&house, channel, told, &leaving);
                }
            }
            Some(Err(error)) => {
                tracing::warn!(%call, lost = session.commands.lost(), "events of a call were lost: {error}");
            }
            None => break,
        }
    }
    // Where FreeSWITCH ended the connection by itself, the channel is gone with it.
    if !closes.is_cancelled() {
        leaving.hung_up.cancel();
    }
    session.commands.close().await;
    lock(&house.calls).part(call, Instant::now());
}

/// Takes one event of a call's own connection.
fn hear(house: &FreeSwitch, channel: CallId, told: Told, leaving: &Leaving) {
    match told {
        Told::Key { call: whose, .. } if whose == channel => lock(&house.calls).told(&told),
        Told::HungUp { call: whose, .. } if whose == channel => {
            leaving.hung_up.cancel();
            house.news.tell(News::Event(Arc::new(told)));
        }
        Told::Unparked(whose) if whose == channel => leaving.taken.cancel(),
        Told::Queued { .. } | Told::Bridged { .. } | Told::WentOn { .. } => {
            house.news.tell(News::Event(Arc::new(told)));
        }
        // The link of our own tells the rest.
        _ => {}
    }
}
