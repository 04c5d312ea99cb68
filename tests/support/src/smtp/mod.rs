//! A mail server on the loopback address that keeps what it receives, and can be told to fail in
//! the ways mail servers fail.
//!
//! It speaks ESMTP with SIZE, 8BITMIME, SMTPUTF8 and PIPELINING over plain TCP. It delivers nothing
//! and knows no STARTTLS.

mod mail;

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::record::Record;

pub use mail::{Attachment, Mail};

/// The largest message taken, in bytes.
pub const SIZE: usize = 20 * 1024 * 1024;
const LINE: u64 = 8 * 1024;
const IDLE: Duration = Duration::from_secs(30);

/// How the server treats those who want to send mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Takes every mail.
    #[default]
    Accept,
    /// Answers this code to every `RCPT TO`: 4xx for now, 5xx for good.
    RefuseRecipient(u16),
    /// Answers this code after the message has been sent.
    RefuseMessage(u16),
    /// Takes and keeps the message but drops the connection instead of saying so.
    DropAfterData,
    /// Drops the connection while the message is being sent, and keeps nothing.
    DropDuringData,
    /// Accepts the connection and never says a word.
    Silent,
}

/// A mail server; dropping it closes its port.
#[derive(Debug)]
pub struct MailServer {
    shared: Arc<Shared>,
    port: u16,
    listening: Option<Listening>,
}

#[derive(Debug)]
struct Listening {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    manner: Mutex<Manner>,
    mails: Record<Mail>,
    connections: Record<Instant>,
}

impl MailServer {
    /// Starts a server on a free port.
    pub fn start() -> Result<Self> {
        Self::start_on(0)
    }

    /// Starts a server on that port.
    pub fn start_on(port: u16) -> Result<Self> {
        let mut server = Self {
            shared: Arc::default(),
            port,
            listening: None,
        };
        server.start_again()?;
        Ok(server)
    }

    /// Returns the port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes the port and all connections; the mails are kept.
    pub fn stop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.over.store(true, Ordering::Relaxed);
            let _ = listening.thread.join();
        }
    }

    /// Listens on the same port again after [`MailServer::stop`].
    pub fn start_again(&mut self) -> Result<()> {
        self.stop();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
            .with_context(|| format!("the mail server cannot listen on port {}", self.port))?;
        self.port = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        let over = Arc::new(AtomicBool::new(false));
        let (shared, ends) = (Arc::clone(&self.shared), Arc::clone(&over));
        let thread = thread::Builder::new()
            .name("smtp".into())
            .spawn(move || listen(&listener, &shared, &ends))?;
        self.listening = Some(Listening { over, thread });
        Ok(())
    }

    /// Changes how the server treats those who connect from now on.
    pub fn set_manner(&self, manner: Manner) {
        *lock(&self.shared.manner) = manner;
    }

    /// Returns every mail that has arrived, in order.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mails.all()
    }

    /// Returns how often somebody has connected.
    pub fn connections(&self) -> usize {
        self.shared.connections.mark()
    }

    /// Waits for a mail, past ones included, that the closure accepts.
    pub async fn mail(&self, within: Duration, accept: impl FnMut(&Mail) -> bool) -> Result<Mail> {
        let found = self.shared.mails.wait(within, accept).await;
        found.with_context(|| {
            let subjects: Vec<_> = self.mails().iter().map(Mail::subject).collect();
            format!("no such mail within {within:?}; there are: {subjects:?}")
        })
    }

    /// Waits until somebody connects after the given number of connections.
    pub async fn connection_after(&self, count: usize, within: Duration) -> Result<()> {
        let found = self
            .shared
            .connections
            .wait_from(count, within, |_| Some(()))
            .await;
        found.with_context(|| format!("nobody connected to the mail server within {within:?}"))
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>, over: &Arc<AtomicBool>) {
    let mut sessions: Vec<TcpStream> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        shared.connections.push(Instant::now());
        let prepared = stream
            .set_nonblocking(false)
            .and_then(|()| stream.set_read_timeout(Some(IDLE)))
            .and_then(|()| stream.try_clone());
        let Ok(session) = prepared else { continue };
        sessions.push(stream);
        let shared = Arc::clone(shared);
        let _ = thread::Builder::new()
            .name("smtp-session".into())
            .spawn(move || {
                let manner = lock(&shared.manner).clone();
                let _ = serve(&session, &manner, &shared.mails);
                let _ = session.shutdown(std::net::Shutdown::Both);
            });
    }
    for session in sessions {
        let _ = session.shutdown(std::net::Shutdown::Both);
    }
}

/// Serves one connection until it is closed.
fn serve(stream: &TcpStream, manner: &Manner, mails: &Record<Mail>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    if *manner == Manner::Silent {
        let mut rest = Vec::new();
        return reader.read_to_end(&mut rest).map(|_| ());
    }
    writer.write_all(b"220 street.example ESMTP\r\n")?;
    let mut sender = None;
    let mut recipients: Vec<String> = Vec::new();
    loop {
        let Some(line) = read_line(&mut reader)? else {
            return Ok(());
        };
        let line = String::from_utf8_lossy(&line).into_owned();
        let upper = line.to_ascii_uppercase();
        let reply = if upper.starts_with("EHLO") {
            format!(
                "250-street.example\r\n250-PIPELINING\r\n250-SIZE {SIZE}\r\n250-8BITMIME\r\n250 SMTPUTF8"
            )
        } else if upper.starts_with("HELO") {
            "250 street.example".to_owned()
        } else if upper.starts_with("MAIL FROM:") {
            recipients.clear();
            sender = Some(path(&line));
            "250 2.1.0 fine".to_owned()
        } else if upper.starts_with("RCPT TO:") {
            match manner {
                _ if sender.is_none() => "503 5.5.1 MAIL first".to_owned(),
                Manner::RefuseRecipient(code) => refusal(*code),
                _ => {
                    recipients.push(path(&line));
                    "250 2.1.5 fine".to_owned()
                }
            }
        } else if upper == "DATA" {
            if recipients.is_empty() {
                "503 5.5.1 RCPT first".to_owned()
            } else {
                writer.write_all(b"354 go ahead, end with a dot\r\n")?;
                if *manner == Manner::DropDuringData {
                    read_line(&mut reader)?;
                    return Ok(());
                }
                let Some(message) = read_message(&mut reader)? else {
                    return Ok(());
                };
                let from = sender.take().unwrap_or_default();
                let to = std::mem::take(&mut recipients);
                match manner {
                    Manner::RefuseMessage(code) => refusal(*code),
                    _ if message.len() > SIZE => "552 5.3.4 too large".to_owned(),
                    _ => {
                        mails.push(Mail::new(from, to, message));
                        if *manner == Manner::DropAfterData {
                            return Ok(());
                        }
                        "250 2.0.0 taken".to_owned()
                    }
                }
            }
        } else if upper == "RSET" {
            sender = None;
            recipients.clear();
            "250 2.0.0 fine".to_owned()
        } else if upper.starts_with("NOOP") || upper.starts_with("VRFY") {
            "250 2.0.0 fine".to_owned()
        } else if upper == "QUIT" {
            return writer.write_all(b"221 2.0.0 bye\r\n");
        } else {
            "500 5.5.2 not understood".to_owned()
        };
        writer.write_all(format!("{reply}\r\n").as_bytes())?;
    }
}

/// Reads a line without its end; nothing when the connection is closed.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    while line
        .last()
        .is_some_and(|&byte| byte == b'\n' || byte == b'\r')
    {
        line.pop();
    }
    Ok(Some(line))
}

/// Reads up to the line with a single dot and takes away the dots that were doubled on the way.
fn read_message(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    loop {
        let Some(line) = read_line(reader)? else {
            return Ok(None);
        };
        if line == b"." {
            return Ok(Some(message));
        }
        if message.len() <= SIZE {
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            message.extend_from_slice(b"\r\n");
        }
    }
}

fn refusal(code: u16) -> String {
    let class = code / 100;
    format!(
        "{code} {class}.0.0 not {}",
        if class == 4 { "now" } else { "here" }
    )
}

/// Returns the address between angle brackets.
fn path(line: &str) -> String {
    let inner = line
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or("", |(address, _)| address).to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
