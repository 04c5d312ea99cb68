//! Takes mails to an SMTP server, over one connection that is kept while there is work.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::carrier::{Carrier, NotCarried};
use super::{Config, Security, SendError};

/// An SMTP server, as configured.
pub struct Smtp {
    server: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    hello: ClientId,
    wait: Duration,
    connection: Mutex<Option<AsyncSmtpConnection>>,
}

/// A large recording over a slow line takes longer than a line of talk.
const WAITS_PER_MAIL: u32 = 10;

impl Smtp {
    /// Checks the configuration and reads the files that it names; connects to nothing yet.
    ///
    /// # Errors
    /// When mail would leave the machine unprotected, or a file cannot be used.
    pub fn new(config: &Config) -> Result<Self, SendError> {
        if config.security == Security::None && !is_this_machine(&config.server) {
            return Err(SendError::Unprotected {
                server: config.server.clone(),
            });
        }
        let port = config.port.unwrap_or(match config.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        });
        let tls = match config.security {
            Security::None => None,
            Security::Starttls | Security::Tls => Some(tls(config)?),
        };
        Ok(Self {
            server: config.server.clone(),
            port,
            security: config.security,
            tls,
            credentials: credentials(config)?,
            hello: config
                .hello_name
                .clone()
                .map_or_else(ClientId::default, ClientId::Domain),
            wait: Duration::from_secs(u64::from(config.timeout_seconds.max(1))),
            connection: Mutex::new(None),
        })
    }

    /// Connects, logs in and says good-bye, to find out whether mails could leave.
    ///
    /// # Errors
    /// What hinders it, in words.
    pub async fn try_out(&self) -> Result<(), NotCarried> {
        let mut connection = self.connect().await?;
        // The answer to a good-bye changes nothing.
        let _ = timeout(self.wait, connection.quit()).await;
        Ok(())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, NotCarried> {
        let place = format!("{}:{}", self.server, self.port);
        match timeout(self.wait, self.log_in()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(NotCarried::Unreachable(format!(
                "mail server {place}: {}",
                chain(&error)
            ))),
            Err(_) => Err(NotCarried::Unreachable(format!(
                "mail server {place}: no answer within {:?}",
                self.wait
            ))),
        }
    }

    async fn log_in(&self) -> Result<AsyncSmtpConnection, lettre::transport::smtp::Error> {
        let at_once = match self.security {
            Security::Tls => self.tls.clone(),
            Security::Starttls | Security::None => None,
        };
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (self.server.as_str(), self.port),
            Some(self.wait),
            &self.hello,
            at_once,
            None,
        )
        .await?;
        if self.security == Security::Starttls
            && let Some(tls) = &self.tls
        {
            connection.starttls(tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], credentials)
                .await?;
        }
        Ok(connection)
    }

    /// Returns the kept connection if it still works.
    async fn kept(&self, slot: &mut Option<AsyncSmtpConnection>) -> Option<AsyncSmtpConnection> {
        let mut connection = slot.take()?;
        let works = timeout(self.wait, connection.test_connected()).await;
        matches!(works, Ok(true)).then_some(connection)
    }
}

#[async_trait]
impl Carrier for Smtp {
    async fn carry(&self, envelope: &Envelope, mail: &[u8]) -> Result<String, NotCarried> {
        let mut slot = self.connection.lock().await;
        let mut connection = match self.kept(&mut slot).await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let sending = connection.send(envelope, mail);
        match timeout(self.wait * WAITS_PER_MAIL, sending).await {
            Ok(Ok(response)) => {
                *slot = Some(connection);
                let words: Vec<&str> = response.message().collect();
                Ok(format!("{} {}", response.code(), words.join(" ")))
            }
            Ok(Err(error)) => Err(verdict(&error)),
            Err(_) => Err(NotCarried::Unknown(format!(
                "no answer within {:?}",
                self.wait * WAITS_PER_MAIL
            ))),
        }
    }

    async fn rest(&self) {
        if let Some(mut connection) = self.connection.lock().await.take() {
            // The answer to a good-bye changes nothing.
            let _ = timeout(self.wait, connection.quit()).await;
        }
    }
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Smtp({}:{})", self.server, self.port)
    }
}

/// Judges what the server said to a mail.
fn verdict(error: &lettre::transport::smtp::Error) -> NotCarried {
    let words = chain(error);
    match error.status().map(u16::from) {
        // The server is leaving, or wants us to log in: no fault of this mail.
        Some(421 | 530 | 534 | 535 | 538) => NotCarried::Unreachable(words),
        Some(500..) => NotCarried::Never(words),
        Some(_) => NotCarried::NotNow(words),
        None if error.is_client() => NotCarried::Never(words),
        None => NotCarried::Unknown(words),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

fn is_this_machine(server: &str) -> bool {
    let bare = server.trim_start_matches('[').trim_end_matches(']');
    server.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn tls(config: &Config) -> Result<TlsParameters, SendError> {
    let failed = |why: String| SendError::Tls {
        server: config.server.clone(),
        why,
    };
    let mut builder = TlsParameters::builder(config.server.clone());
    if let Some(path) = &config.ca_file {
        let unusable = |why: String| SendError::File {
            what: "ca_file",
            path: path.clone(),
            why,
        };
        let pem = std::fs::read(path).map_err(|why| unusable(why.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|why| unusable(chain(&why)))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|why| failed(chain(&why)))
}

fn credentials(config: &Config) -> Result<Option<Credentials>, SendError> {
    let Some(username) = &config.username else {
        return Ok(None);
    };
    let path = config.password_file.as_ref().ok_or(SendError::NoPassword)?;
    let password = std::fs::read_to_string(path).map_err(|why| SendError::File {
        what: "password_file",
        path: path.clone(),
        why: why.to_string(),
    })?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    Ok(Some(Credentials::new(username.clone(), password)))
}
