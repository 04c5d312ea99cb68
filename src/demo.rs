//! The demo's roof: the whole house on one machine with nothing beside it. The sample tenants are
//! built in, the PBX is a stand-in, mails are kept to be looked at, the store is in memory.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::books_of;
use crate::call::journal::Live;
use crate::call::{Desk, Figures, House};
use crate::config::Config;
use crate::flow::{Library, report};
use crate::http::phone::{self, Deeds, Phone, Postbox};
use crate::lifecycle::Life;
use crate::pbx::builtin::Builtin;
use crate::send::{Letters, Outbox};
use crate::service::{Ground, Services, Tenants};
use crate::speech::{Ears, Voice};
use crate::store::{Chance, Clock, Store, SystemClock};

/// How long calls may take to end.
const CLOSING: Duration = Duration::from_secs(3);

/// A demo that is up.
pub struct Demo {
    /// Where the browser phone is.
    pub address: SocketAddr,
    /// Whether calls can be spoken.
    pub speaks: bool,
    /// Whether spoken words are recognised; else they are answered by keys.
    pub hears: bool,
    life: Life,
    _folder: Folder,
}

impl Demo {
    /// Builds the house and opens the browser phone; on another port where this one is taken.
    ///
    /// # Errors
    /// When the flows are not right or nothing can be listened on.
    pub async fn start(
        config: &Config,
        library: Option<Library>,
        listen: SocketAddr,
    ) -> Result<Self> {
        let library = match library {
            Some(library) => library,
            None => embedded()?,
        };
        let (shelf, books) = watch::channel(Arc::new(books_of(&library)?));
        let folder = Folder::make()?;
        let recordings = folder.0.join("recordings");
        std::fs::create_dir_all(&recordings)?;
        let life = Life::default();
        let store = Store::in_memory();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let chance = Chance::unforeseeable();
        let pbx = Arc::new(Builtin::new());
        let outbox = Outbox::new(
            &config.mail,
            store.clone(),
            Letters::built_in(),
            recordings.clone(),
            clock.clone(),
            chance.clone(),
        );
        let postbox = Arc::new(Postbox::new(outbox.clone(), recordings.clone()));
        let (sending, carrier, stop) = (outbox.clone(), postbox.clone(), life.hard_stop.clone());
        life.scope
            .spawn(async move { sending.run(carrier, stop).await });
        let shelves = books.clone();
        let tenants: Tenants = Arc::new(move |id| {
            let books = shelves.borrow().clone();
            let playbook = books.tenant(id)?;
            Some(Arc::new(playbook.shelf.tenant.clone()))
        });
        let ground = Ground {
            store: store.clone(),
            outbox,
            pbx: pbx.clone(),
            clock: clock.clone(),
            chance,
            tenants,
        };
        let services = Services::start(ground, config.services.clone()).await?;
        life.scope.spawn(
            services
                .clone()
                .run(life.soft_stop.clone(), life.hard_stop.clone()),
        );
        let deeds = Deeds::default();
        let keeping = deeds.clone().keep(pbx.deeds());
        life.scope
            .spawn(life.hard_stop.clone().run_until_cancelled_owned(keeping));

        let voice = Arc::new(Voice::new(&config.speech));
        let speaks = voice.fault().is_none();
        let speech = config.speech.clone();
        let ears = tokio::task::spawn_blocking(move || Ears::new(&speech)).await?;
        let hears = ears.as_ref().map(Ears::languages).unwrap_or_default();
        let (queues_now, queues) = watch::channel(BTreeMap::new());
        let live = Live::default();
        let limits = config.speech.limits.clone();
        let house = Arc::new(House {
            pbx: pbx.clone(),
            ears: ears.ok(),
            voice,
            services: services.clone(),
            store,
            clock: clock.clone(),
            figures: Figures::new(&mut Registry::default()),
            live: live.clone(),
            recordings,
            beep: crate::speech::tone(440.0, Duration::from_millis(250)).into(),
            hold_on: crate::call::hold_on().into(),
            limits,
            queues,
            scope: life.scope.clone(),
        });
        let desk = Desk::new(
            house,
            books.clone(),
            life.soft_stop.clone(),
            life.hard_stop.clone(),
        );
        let listener = match TcpListener::bind(listen).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                TcpListener::bind((listen.ip(), 0)).await
            }
            other => other,
        };
        let listener = listener.with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let phone = Phone {
            books,
            services,
            pbx,
            queues: Arc::new(queues_now),
            desk: Arc::new(desk),
            live,
            postbox,
            deeds,
            clock,
            speaks,
            hears: hears.clone(),
            stop: life.hard_stop.clone(),
            scope: life.scope.clone(),
        };
        phone.set_queues(false);
        life.scope.spawn(async move {
            // Held here so that the shelf lives as long as the phone.
            let _shelf = shelf;
            if let Err(error) = phone::serve(listener, phone).await {
                tracing::error!("the browser phone has closed: {error}");
            }
        });
        Ok(Self {
            address,
            speaks,
            hears: !hears.is_empty(),
            life,
            _folder: folder,
        })
    }

    /// Ends all calls and everything else.
    pub async fn stop(self) {
        self.life.soft_stop.cancel();
        self.life.hard_stop.cancel();
        self.life.scope.close();
        if tokio::time::timeout(CLOSING, self.life.scope.wait())
            .await
            .is_err()
        {
            tracing::warn!("{} tasks did not end in time", self.life.scope.len());
        }
    }
}

/// Returns where the phone is by default.
pub fn usual_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 8061).into()
}

fn embedded() -> Result<Library> {
    let (library, findings) = Library::embedded();
    match library {
        Some(library) => Ok(library),
        None => bail!(
            "the built-in flows are not right:\n{}",
            report(&findings, false)
        ),
    }
}

/// A folder that goes away with the demo.
struct Folder(std::path::PathBuf);

impl Folder {
    fn make() -> Result<Self> {
        let name = format!("hotline-demo-{}", Chance::unforeseeable().uuid().simple());
        let path = std::env::temp_dir().join(name);
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!("{} is left behind: {error}", self.0.display());
        }
    }
}
