//! The roof: the only file that knows all rooms. It builds them, joins them and takes them down.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use audiosocket::Server;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{broadcast::error::RecvError, mpsc, watch};

use crate::call::journal::{self, Live};
use crate::call::line::Line;
use crate::call::{Books, Desk, Figures, House, Whispering, audio_socket, unicast};
use crate::config::Config;
use crate::dialog::{Playbook, QueueState};
use crate::flow::{Library, report};
use crate::http::{self, Board, Readiness, Token};
use crate::lifecycle::{Life, notify, stay_awake};
use crate::pbx::asterisk::Asterisk;
use crate::pbx::freeswitch::link::Times;
use crate::pbx::freeswitch::{Door, FreeSwitch, Visitor};
use crate::pbx::{LinkState, Pbx};
use crate::send::{Letters, Outbox, Smtp};
use crate::service::{Ground, Services, Tenants};
use crate::speech::{Ears, Voice};
use crate::store::{Chance, Clock, Store, SystemClock};
use crate::words::{CallId, Language, QueueName};

/// How often the PBX is asked about its queues.
const QUEUES: Duration = Duration::from_secs(2);
/// How often what is kept too long is looked for.
const SWEEP: Duration = Duration::from_secs(3600);
/// How long to wait before prompts that could not be made ahead are tried again.
const MAKE_AGAIN: Duration = Duration::from_secs(300);
/// How long the rooms may take to end after the calls have.
const CLOSING: Duration = Duration::from_secs(5);

/// How the service is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Print every line of every journal on standard output, one JSON object a line.
    pub print_journal: bool,
}

/// Runs the service until it is told to stop.
///
/// # Errors
/// When a room cannot be built: bad flows, a port in use, a store that cannot be opened.
pub async fn serve(config: Config, manner: Manner) -> Result<()> {
    let life = Life::default();
    let (shelf, books) = watch::channel(Arc::new(read_books(&config.flows)?));
    std::fs::create_dir_all(&config.state)
        .with_context(|| format!("cannot make the state folder {}", config.state.display()))?;
    let recordings = config.recordings();
    std::fs::create_dir_all(&recordings)?;
    let store_path = config.store_path();
    let store = tokio::task::spawn_blocking(move || Store::open(&store_path)).await??;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut registry = Registry::default();
    let figures = Figures::new(&mut registry);
    let live = Live::default();
    if manner.print_journal {
        life.scope.spawn(
            life.hard_stop
                .clone()
                .run_until_cancelled_owned(print_journal(live.clone())),
        );
    }

    let voice = Arc::new(Voice::new(&config.speech));
    voice.figures().register(&mut registry);
    for fault in voice.faults() {
        tracing::error!("a voice cannot be used: {fault}");
    }
    if let Some(fault) = voice.fault() {
        tracing::error!("nothing can be spoken, callers go to the ordinary queue: {fault}");
    }
    let ears = open_ears(&config).await?;
    if let Some(ears) = &ears {
        ears.register(&mut registry);
    }
    let switch = Switch::start(&config, &figures, &life)?;
    let agents = books
        .borrow()
        .tenants()
        .next()
        .map_or(Language::DA, |book| book.first_language());
    let whispers = config.state.join("whispers");
    std::fs::create_dir_all(&whispers)?;
    let whispers = std::path::absolute(&whispers)?;
    let pbx: Arc<dyn Pbx> = Arc::new(Whispering::new(
        switch.pbx(),
        voice.clone(),
        agents,
        whispers,
    ));

    let (queues_now, queues) = watch::channel(BTreeMap::new());
    life.scope
        .spawn(watch_queues(pbx.clone(), queues_now, life.clone()));
    let outbox = open_outbox(&config, &store, &clock)?;
    let carrier = Arc::new(Smtp::new(&config.mail)?);
    let sending = outbox.clone();
    let stop = life.hard_stop.clone();
    life.scope
        .spawn(async move { sending.run(carrier, stop).await });
    let ground = Ground {
        store: store.clone(),
        outbox: outbox.clone(),
        pbx: pbx.clone(),
        clock: clock.clone(),
        chance: Chance::unforeseeable(),
        tenants: tenants(books.clone()),
    };
    let services = Services::start(ground, config.services.clone()).await?;
    life.scope.spawn(
        services
            .clone()
            .run(life.soft_stop.clone(), life.hard_stop.clone()),
    );

    let house = Arc::new(House {
        pbx: pbx.clone(),
        ears,
        voice: voice.clone(),
        services: services.clone(),
        store: store.clone(),
        clock,
        figures,
        live: live.clone(),
        recordings,
        beep: crate::speech::tone(440.0, Duration::from_millis(250)).into(),
        hold_on: crate::call::hold_on().into(),
        limits: config.speech.limits.clone(),
        queues,
        scope: life.scope.clone(),
    });
    let desk = Desk::new(
        house.clone(),
        books.clone(),
        life.soft_stop.clone(),
        life.hard_stop.clone(),
    );
    let (on, calls) = watch::channel(0);
    let entrance = Entrance {
        desk: Arc::new(desk),
        on,
        life: life.clone(),
    };
    switch.open_door(&config, entrance).await?;
    let (readiness_now, readiness) = watch::channel(Readiness::default());
    life.scope.spawn(watch_readiness(
        switch.name(),
        pbx.link(),
        readiness_now,
        life.clone(),
    ));
    let board = Board::default();
    let (kept, watched, stop) = (board.clone(), live.clone(), life.hard_stop.clone());
    life.scope
        .spawn(async move { kept.keep(&watched, stop).await });
    let rooms = http::Rooms {
        announce: switch.announcer(),
        services,
        tenants: tenants(books.clone()),
        outbox,
        live,
        board,
        registry: Arc::new(registry),
        readiness,
        token: Arc::new(Token::open(&config.token_path(), &Chance::unforeseeable())?),
        stop: life.hard_stop.clone(),
    };
    let listener = TcpListener::bind(config.http.listen)
        .await
        .with_context(|| {
            format!(
                "cannot listen for HTTP on {}: is Hotline running already?",
                config.http.listen
            )
        })?;
    tracing::info!(address = %listener.local_addr()?, "the HTTP door is open");
    life.scope.spawn(async move {
        if let Err(error) = http::serve(listener, rooms).await {
            tracing::error!("the HTTP door has closed: {error}");
        }
    });
    let days = i64::from(config.call.journal_days);
    let sweeping = sweep_journals(store.clone(), house.clock.clone(), days);
    life.scope
        .spawn(life.hard_stop.clone().run_until_cancelled_owned(sweeping));
    let speaking = make_ahead(voice, books.clone());
    life.scope
        .spawn(life.hard_stop.clone().run_until_cancelled_owned(speaking));
    life.scope.spawn(stay_awake(life.hard_stop.clone()));
    let (ask_reload, reload) = mpsc::channel(1);
    life.scope
        .spawn(reload_on_request(reload, config.flows.clone(), shelf));
    notify("READY=1").await;
    tracing::info!("ready");

    let grace = Duration::from_secs(u64::from(config.call.drain_seconds));
    life.heed_signals(grace, calls, ask_reload).await?;
    life.scope.close();
    if tokio::time::timeout(CLOSING, life.scope.wait())
        .await
        .is_err()
    {
        tracing::error!("{} tasks did not end in time", life.scope.len());
    }
    Ok(())
}

/// Opens the outbox, with the admin's own letters where there are some.
fn open_outbox(config: &Config, store: &Store, clock: &Arc<dyn Clock>) -> Result<Outbox> {
    let letters = match &config.mail.templates {
        None => Letters::built_in(),
        Some(folder) => Letters::with_folder(folder).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("the letters are not right:\n{}", errors.join("\n"))
        })?,
    };
    Ok(Outbox::new(
        &config.mail,
        store.clone(),
        letters,
        config.recordings(),
        clock.clone(),
        Chance::unforeseeable(),
    ))
}

/// Finds tenants on the shelf as it is now.
fn tenants(books: watch::Receiver<Arc<Books>>) -> Tenants {
    Arc::new(move |id| {
        let books = books.borrow().clone();
        books
            .tenant(id)
            .map(|playbook| Arc::new(playbook.shelf.tenant.clone()))
    })
}

/// Reads and checks all flows and makes them ready to be played.
fn read_books(folder: &Path) -> Result<Books> {
    let (library, findings) = Library::load(folder);
    let Some(library) = library else {
        bail!("the flows are not right:\n{}", report(&findings, false));
    };
    if !findings.is_empty() {
        tracing::warn!("{}", report(&findings, false));
    }
    books_of(&library)
}

/// Makes the tenants of a checked library ready to be played.
pub fn books_of(library: &Library) -> Result<Books> {
    let playbooks: Result<Vec<_>, _> = library
        .shelves()
        .map(|shelf| Playbook::new(shelf.clone()).map(Arc::new))
        .collect();
    Ok(Books::new(playbooks?))
}

/// Loads the recognisers; without any, calls go by keys.
async fn open_ears(config: &Config) -> Result<Option<Ears>> {
    let speech = config.speech.clone();
    let opened = tokio::task::spawn_blocking(move || Ears::new(&speech)).await?;
    match opened {
        Ok(ears) => {
            for fault in ears.faults() {
                tracing::error!("one language goes by keys: {fault}");
            }
            Ok(Some(ears))
        }
        Err(fault) => {
            tracing::error!("no speech is recognised, calls go by keys: {fault}");
            Ok(None)
        }
    }
}

/// The PBX that is configured, and what is particular to each.
enum Switch {
    Asterisk(Arc<Asterisk>),
    FreeSwitch(Arc<FreeSwitch>),
}

impl Switch {
    fn start(config: &Config, figures: &Figures, life: &Life) -> Result<Self> {
        match (config.asterisk.clone(), config.freeswitch.clone()) {
            (Some(asterisk), None) => {
                Ok(Self::Asterisk(Asterisk::start(asterisk, &life.hard_stop)))
            }
            (None, Some(freeswitch)) => Ok(Self::FreeSwitch(FreeSwitch::start(
                freeswitch,
                Times::default(),
                figures.strangers.clone(),
                &life.hard_stop,
            ))),
            (None, None) => bail!(
                "no PBX is configured: add a section `asterisk` or `freeswitch`, or try `hotline demo`"
            ),
            (Some(_), Some(_)) => bail!(
                "two PBXs are configured: keep one of the sections `asterisk` and `freeswitch`; \
                 for two PBXs run Hotline twice"
            ),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Asterisk(_) => "Asterisk",
            Self::FreeSwitch(_) => "FreeSWITCH",
        }
    }

    fn pbx(&self) -> Arc<dyn Pbx> {
        match self {
            Self::Asterisk(asterisk) => asterisk.clone(),
            Self::FreeSwitch(freeswitch) => freeswitch.clone(),
        }
    }

    /// Returns what takes announcements of calls over HTTP, which only Asterisk's dialplan makes.
    fn announcer(&self) -> Option<http::Announce> {
        match self {
            Self::Asterisk(asterisk) => {
                let asterisk = asterisk.clone();
                Some(Arc::new(move |call| asterisk.announce(call)))
            }
            Self::FreeSwitch(_) => None,
        }
    }

    /// Lets calls in.
    async fn open_door(&self, config: &Config, entrance: Entrance) -> Result<()> {
        let in_use =
            |listen| format!("cannot listen for calls on {listen}: is Hotline running already?");
        let (max_calls, life) = (config.call.max_calls, entrance.life.clone());
        match self {
            Self::Asterisk(_) => {
                let listen = config.call.listen;
                let listener = TcpListener::bind(listen)
                    .await
                    .with_context(|| in_use(listen))?;
                tracing::info!(address = %listener.local_addr()?, "listening for calls (AudioSocket)");
                let limits = audiosocket::server::Config {
                    calls: max_calls,
                    ..Default::default()
                };
                life.scope
                    .spawn(entrance.audio_sockets(Server::new(listener, limits)));
            }
            Self::FreeSwitch(freeswitch) => {
                let listen = freeswitch.config().listen;
                let door = Door::open(freeswitch.clone(), max_calls).await;
                let door = door.with_context(|| in_use(listen))?;
                life.scope.spawn(entrance.sockets(door));
            }
        }
        Ok(())
    }
}

/// Where calls come in; open until the doors close.
struct Entrance {
    desk: Arc<Desk>,
    /// Calls that are on.
    on: watch::Sender<usize>,
    life: Life,
}

impl Entrance {
    async fn audio_sockets(self, mut server: Server) {
        loop {
            let session = tokio::select! {
                session = server.accept() => session,
                () = self.life.soft_stop.cancelled() => return,
            };
            match session {
                Ok(session) => self.serve(CallId(session.id()), audio_socket::line(session), ()),
                Err(error) => tracing::warn!("{error}"),
            }
        }
    }

    async fn sockets(self, mut door: Door) {
        loop {
            let visitor = tokio::select! {
                visitor = door.next() => visitor,
                () = self.life.soft_stop.cancelled() => return,
            };
            let Some(Visitor { call, media, place }) = visitor else {
                return;
            };
            self.serve(call, unicast::line(media), place);
        }
    }

    /// Gives a call its task, and its place until it is over.
    fn serve(&self, call: CallId, line: Line, place: impl Send + 'static) {
        let (desk, on) = (self.desk.clone(), self.on.clone());
        on.send_modify(|calls| *calls += 1);
        self.life.scope.spawn(async move {
            // A call that breaks is its own loss: its line closes, the dialplan goes on.
            let served = tokio::spawn(async move { desk.serve(call, line).await });
            if let Err(error) = served.await {
                tracing::error!(%call, "a call broke: {error}");
            }
            on.send_modify(|calls| *calls -= 1);
            drop(place);
        });
    }
}

/// Keeps `/readyz` true: calls can be served while the PBX can be told things and no stop is asked.
async fn watch_readiness(
    name: &'static str,
    mut link: watch::Receiver<LinkState>,
    now: watch::Sender<Readiness>,
    life: Life,
) {
    loop {
        let pbx = match &*link.borrow_and_update() {
            LinkState::Ready => None,
            LinkState::Up => Some(format!("{name} is still starting")),
            LinkState::Down(why) => Some(why.clone()),
        };
        let remedy = match name {
            "Asterisk" => {
                "see that Asterisk runs and `asterisk` in the configuration fits manager.conf"
            }
            _ => {
                "see that FreeSWITCH runs and `freeswitch` in the configuration fits event_socket.conf.xml"
            }
        };
        let pbx = pbx.map(|why| (why, remedy.to_owned()));
        let closing = life.soft_stop.is_cancelled();
        let closing = closing.then(|| {
            (
                "the service is closing".to_owned(),
                "start it again".to_owned(),
            )
        });
        now.send_if_modified(|readiness| {
            readiness.set("pbx", pbx) | readiness.set("closing", closing)
        });
        tokio::select! {
            changed = link.changed() => if changed.is_err() { return },
            () = life.soft_stop.cancelled(), if !life.soft_stop.is_cancelled() => {}
            () = life.hard_stop.cancelled() => return,
        }
    }
}

/// Keeps what is known of the PBX's queues fresh.
async fn watch_queues(
    pbx: Arc<dyn Pbx>,
    now: watch::Sender<BTreeMap<QueueName, QueueState>>,
    life: Life,
) {
    let mut link = pbx.link();
    let mut ticks = tokio::time::interval(QUEUES);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = link.changed() => if changed.is_err() { return },
            () = life.hard_stop.cancelled() => return,
        }
        if *link.borrow() != LinkState::Ready {
            continue;
        }
        match pbx.queues().await {
            Ok(queues) => {
                now.send_if_modified(|known| {
                    let changed = *known != queues;
                    *known = queues;
                    changed
                });
            }
            Err(error) => tracing::warn!("the queues' state is not known: {error}"),
        }
    }
}

/// Removes journals whose retention is over, at the start and every hour.
async fn sweep_journals(store: Store, clock: Arc<dyn Clock>, days: i64) {
    let kept = SignedDuration::from_hours(days * 24);
    loop {
        let before = clock.now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
        match journal::sweep(&store, before).await {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "journals removed, as their retention is over"),
            Err(error) => tracing::error!("old journals were not removed: {error}"),
        }
        tokio::time::sleep(SWEEP).await;
    }
}

/// Speaks what can be known beforehand, at the start and whenever the files were read again.
async fn make_ahead(voice: Arc<Voice>, mut books: watch::Receiver<Arc<Books>>) {
    loop {
        let now = books.borrow_and_update().clone();
        let texts: BTreeSet<_> = now
            .tenants()
            .flat_map(|tenant| tenant.repertoire())
            .collect();
        let made = voice.make_ahead(texts).await;
        for (language, text, fault) in made.faults.iter().take(3) {
            tracing::warn!(%language, text, "a prompt cannot be spoken: {fault}");
        }
        tracing::info!(
            ready = made.ready,
            second_choice = made.second_choice,
            faulty = made.faults.len(),
            "prompts are made"
        );
        // What the right voice could not say yet is tried again after a while.
        let unfinished = made.second_choice + made.faults.len() > 0;
        let again = async {
            match unfinished {
                true => tokio::time::sleep(MAKE_AGAIN).await,
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = books.changed() => if changed.is_err() { return },
            () = again => continue,
        }
        voice.reload();
    }
}

/// Reads the files again when asked; a bad file changes nothing.
async fn reload_on_request(
    mut asked: mpsc::Receiver<()>,
    folder: std::path::PathBuf,
    shelf: watch::Sender<Arc<Books>>,
) {
    while asked.recv().await.is_some() {
        let folder = folder.clone();
        match tokio::task::spawn_blocking(move || read_books(&folder)).await {
            Ok(Ok(books)) => {
                shelf.send_replace(Arc::new(books));
                tracing::info!("flows and tenants are read again; calls that are on keep theirs");
            }
            Ok(Err(error)) => tracing::error!("nothing was changed: {error:#}"),
            Err(error) => tracing::error!("nothing was changed: {error}"),
        }
    }
}

async fn print_journal(live: Live) {
    let mut lines = live.watch();
    loop {
        match lines.recv().await {
            #[expect(clippy::print_stdout, reason = "the journal was asked for on stdout")]
            Ok(line) => println!("{line}"),
            Err(RecvError::Lagged(missed)) => tracing::warn!("{missed} journal lines not printed"),
            Err(RecvError::Closed) => return,
        }
    }
}
