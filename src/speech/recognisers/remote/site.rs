//! Where an engine is, how it is reached safely, and how many may talk to it at once.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rustls::ClientConfig;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::fault::RemoteFault;
use super::wire::{Blame, Inside, wire};
use crate::speech::recognisers::Setting;
use crate::speech::{Bell, Recognition, SpeechError};
use crate::web;

/// How long a task may take to say goodbye to its engine when nobody listens any more.
const GOODBYE: Duration = Duration::from_secs(1);

/// The most of a key file that is read, in bytes.
const LONGEST_KEY: usize = 8192;

/// What the settings of every engine by protocol say.
pub(in super::super) struct Reach<'a> {
    pub(in super::super) engine: &'static str,
    pub(in super::super) setting: &'a Setting,
    pub(in super::super) url: &'a str,
    /// The scheme without TLS and the one with it.
    pub(in super::super) schemes: [&'static str; 2],
    pub(in super::super) key_file: Option<&'a Path>,
    pub(in super::super) ca_file: Option<&'a Path>,
    pub(in super::super) insecure: bool,
    pub(in super::super) most: usize,
    pub(in super::super) connect: Duration,
    pub(in super::super) answer: Duration,
}

/// An engine somewhere.
#[derive(Clone)]
pub(in super::super) struct Site {
    pub(in super::super) engine: &'static str,
    pub(in super::super) url: Url,
    /// How long connecting may take.
    pub(in super::super) connect: Duration,
    /// How long an answer may take.
    pub(in super::super) answer: Duration,
    /// TLS, where the address asks for it.
    pub(in super::super) tls: Option<Arc<ClientConfig>>,
    setting: Setting,
    key_file: Option<PathBuf>,
    /// Whether any address may be reached without TLS.
    insecure: bool,
    most: usize,
    seats: Arc<Semaphore>,
    runtime: Handle,
}

impl Site {
    /// Checks the settings. It must be called within the tokio runtime that the engine's tasks
    /// are to run on, and blocks to read `ca_file`.
    ///
    /// # Errors
    /// Naming the setting that is unfit.
    pub(in super::super) fn new(reach: &Reach<'_>) -> Result<Self, SpeechError> {
        let unfit = |field: &str, reason: String| SpeechError::Unfit {
            setting: reach.setting.field(field),
            reason,
        };
        let [plain, secure] = reach.schemes;
        let url = Url::parse(reach.url)
            .map_err(|error| unfit("url", format!("{:?} is no address: {error}", reach.url)))?;
        let scheme = url.scheme();
        if scheme != plain && scheme != secure {
            let reason = format!(
                "{:?} does not begin with {secure}:// or {plain}://",
                reach.url
            );
            return Err(unfit("url", reason));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let reason = "it holds a user or password; name a file in key_file".to_owned();
            return Err(unfit("url", reason));
        }
        let is_plain = scheme == plain;
        let Some(host) = url.host_str() else {
            return Err(unfit("url", format!("{:?} names no host", reach.url)));
        };
        let literal = bare(host).parse::<IpAddr>().ok();
        if is_plain && !reach.insecure && literal.is_some_and(|address| !is_private(address)) {
            return Err(unfit("url", in_the_open(plain, secure)));
        }
        let tls = if is_plain {
            None
        } else {
            let made = web::tls(reach.ca_file).map_err(|reason| unfit("ca_file", reason))?;
            Some(Arc::new(made))
        };
        let runtime = Handle::try_current().map_err(|_| {
            unfit(
                "engine",
                format!("{} needs a running service", reach.engine),
            )
        })?;
        if reach.most == 0 {
            return Err(unfit(
                "most",
                "it is 0, so nobody could be heard".to_owned(),
            ));
        }
        Ok(Self {
            engine: reach.engine,
            url,
            connect: reach.connect,
            answer: reach.answer,
            tls,
            setting: reach.setting.clone(),
            key_file: reach.key_file.map(Path::to_owned),
            insecure: reach.insecure,
            most: reach.most,
            seats: Arc::new(Semaphore::new(reach.most.min(Semaphore::MAX_PERMITS))),
            runtime,
        })
    }

    /// Names a fault with the setting to look at.
    pub(in super::super) fn blame(&self, fault: RemoteFault) -> SpeechError {
        SpeechError::Remote {
            setting: self.setting.field(fault.field()),
            engine: self.engine,
            fault,
        }
    }

    /// Opens a recognition whose work a task on the runtime does.
    ///
    /// # Errors
    /// When as many are open as may be.
    pub(in super::super) fn open<W>(
        &self,
        bell: Bell,
        work: impl FnOnce(Self, Inside) -> W,
    ) -> Result<Box<dyn Recognition>, SpeechError>
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let seat = Arc::clone(&self.seats)
            .try_acquire_owned()
            .map_err(|_| SpeechError::Taken {
                setting: self.setting.field("most"),
                engine: self.engine,
                most: self.most,
            })?;
        let site = self.clone();
        let blame: Blame = Arc::new(move |fault| site.blame(fault));
        let (outside, inside, gone) = wire(bell, seat, blame);
        let work = work(self.clone(), inside);
        self.runtime.spawn(async move {
            tokio::select! {
                () = work => {}
                () = async { gone.cancelled().await; tokio::time::sleep(GOODBYE).await } => {}
            }
        });
        Ok(Box::new(outside))
    }

    /// Reads the key, anew each time, so that a changed one needs no restart.
    ///
    /// # Errors
    /// Naming the file when it cannot be read or holds no key.
    pub(in super::super) async fn key(&self) -> Result<Option<Key>, SpeechError> {
        let Some(path) = &self.key_file else {
            return Ok(None);
        };
        let unfit = |reason: String| SpeechError::Unfit {
            setting: self.setting.field("key_file"),
            reason: format!("{}: {reason}", path.display()),
        };
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|error| unfit(error.to_string()))?;
        let key = text.lines().next().unwrap_or_default().trim();
        if key.is_empty() {
            return Err(unfit(
                "its first line is empty and should be the key".to_owned(),
            ));
        }
        if key.len() > LONGEST_KEY || !key.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            return Err(unfit(
                "its first line is no key: it has blanks or odd letters".to_owned(),
            ));
        }
        Ok(Some(Key(key.to_owned())))
    }

    /// Finds the addresses of the engine's host. Without TLS only those of one's own network are
    /// taken, unless the settings allow others.
    ///
    /// # Errors
    /// When there is none.
    pub(in super::super) async fn addresses(&self) -> Result<Vec<SocketAddr>, RemoteFault> {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or(80);
        let found: Vec<SocketAddr> = tokio::net::lookup_host((bare(host), port))
            .await
            .map_err(|error| RemoteFault::Unreachable(format!("{host}: {error}")))?
            .collect();
        self.allowed(host, found)
    }

    fn allowed(&self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, RemoteFault> {
        if found.is_empty() {
            let reason = format!("{host} has no address");
            return Err(RemoteFault::Unreachable(reason));
        }
        if self.tls.is_some() || self.insecure {
            return Ok(found);
        }
        let near: Vec<SocketAddr> = found
            .into_iter()
            .filter(|address| is_private(address.ip()))
            .collect();
        if near.is_empty() {
            return Err(RemoteFault::Unprotected(host.to_owned()));
        }
        Ok(near)
    }

    /// Makes an HTTP client for this engine, with the same care for where it connects to.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(in super::super) fn client(&self) -> Result<reqwest::Client, SpeechError> {
        let resolver = Arc::new(Resolver(self.clone()));
        web::client_with(self.tls.as_deref().cloned(), |builder| {
            builder.connect_timeout(self.connect).dns_resolver(resolver)
        })
        .map_err(|error| SpeechError::Unfit {
            setting: self.setting.field("url"),
            reason: web::reason(error),
        })
    }
}

/// Finds addresses for the HTTP client.
struct Resolver(Site);

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, _name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let site = self.0.clone();
        Box::pin(async move {
            let found = site.addresses().await.map_err(|fault| match fault {
                RemoteFault::Unreachable(reason) => reason,
                other => other.to_string(),
            })?;
            let found: reqwest::dns::Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

/// A secret that lets Hotline in. It is not written anywhere.
pub(in super::super) struct Key(String);

impl Key {
    /// Returns it for the header of a request, and nothing else.
    pub(in super::super) fn secret(&self) -> &str {
        &self.0
    }

    /// Takes it out of what an engine says.
    pub(in super::super) fn hidden_in(&self, said: &str) -> String {
        said.replace(&self.0, "…")
    }
}

/// Takes the brackets off an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn in_the_open(plain: &str, secure: &str) -> String {
    format!(
        "callers' voices would cross the open network unprotected; use {secure}:// instead of \
         {plain}://, or set insecure"
    )
}

/// Tells whether an address is of this machine or of a private network.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    fn reach<'a>(url: &'a str, setting: &'a Setting) -> Reach<'a> {
        Reach {
            engine: "vosk_server",
            setting,
            url,
            schemes: ["ws", "wss"],
            key_file: None,
            ca_file: None,
            insecure: false,
            most: 2,
            connect: Duration::from_secs(1),
            answer: Duration::from_secs(1),
        }
    }

    fn refusal(url: &str) -> String {
        let setting = Setting::ear(Language::EN, 0);
        Site::new(&reach(url, &setting)).err().unwrap().to_string()
    }

    #[tokio::test]
    async fn an_unfit_address_is_named_with_its_setting() {
        insta::assert_snapshot!(refusal("127.0.0.1:2700"), @r#"speech.ears.en[0].url: "127.0.0.1:2700" is no address: relative URL without a base"#);
        insta::assert_snapshot!(refusal("http://127.0.0.1:2700"), @r#"speech.ears.en[0].url: "http://127.0.0.1:2700" does not begin with wss:// or ws://"#);
        insta::assert_snapshot!(refusal("wss://me:secret@host/"), @"speech.ears.en[0].url: it holds a user or password; name a file in key_file");
        insta::assert_snapshot!(refusal("ws://203.0.113.7:2700"), @"speech.ears.en[0].url: callers' voices would cross the open network unprotected; use wss:// instead of ws://, or set insecure");
    }

    #[tokio::test]
    async fn without_tls_only_ones_own_network_is_reached() {
        let setting = Setting::ear(Language::EN, 0);
        for near in [
            "ws://127.0.0.1:1",
            "ws://[::1]:1",
            "ws://10.1.2.3",
            "ws://192.168.0.9",
            "ws://[fd00::1]",
        ] {
            assert!(Site::new(&reach(near, &setting)).is_ok(), "{near}");
        }
        for far in ["ws://8.8.8.8", "ws://[2001:db8::1]", "ws://172.32.0.1"] {
            assert!(Site::new(&reach(far, &setting)).is_err(), "{far}");
            let insecure = Reach {
                insecure: true,
                ..reach(far, &setting)
            };
            assert!(Site::new(&insecure).is_ok(), "{far}");
        }
        let named = Site::new(&reach("ws://engine:2700", &setting)).unwrap();
        let far: Vec<SocketAddr> = vec!["203.0.113.7:2700".parse().unwrap()];
        let near: SocketAddr = "10.0.0.7:2700".parse().unwrap();
        assert_eq!(named.allowed("engine", vec![far[0], near]).unwrap(), [near]);
        let fault = named.allowed("engine", far).unwrap_err();
        insta::assert_snapshot!(named.blame(fault), @"speech.ears.en[0].url: vosk_server is not reached without TLS, as engine lies outside of private networks; use TLS, or set insecure if callers' voices may go there unprotected");
    }

    #[tokio::test]
    async fn a_key_is_read_anew_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let setting = Setting::ear(Language::EN, 0);
        let mut site = Site::new(&reach("ws://127.0.0.1:1", &setting)).unwrap();
        site.key_file = Some(path.clone());
        assert!(site.key().await.is_err());
        for secret in ["abc", "def"] {
            std::fs::write(&path, format!("{secret}\nnotes\n")).unwrap();
            assert_eq!(site.key().await.unwrap().unwrap().secret(), secret);
        }
        std::fs::write(&path, "two words\n").unwrap();
        let error = site.key().await.err().unwrap().to_string();
        assert!(error.contains("speech.ears.en[0].key_file"), "{error}");
        assert!(!error.contains("two words"), "{error}");
        assert_eq!(
            Key("sk-1".to_owned()).hidden_in("bad key sk-1!"),
            "bad key …!"
        );
    }
}
