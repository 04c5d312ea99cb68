//! The test's own Event Socket connection to the test PBX: for looking, for asking and for breaking things.
//!
//! It is written apart from Hotline's link on purpose, so that one does not hide a fault of the other.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::record::Record;

const PATIENCE: Duration = Duration::from_secs(10);
/// Answers that nobody has taken yet.
const ANSWERS: usize = 16;
/// What is remembered.
const EVENTS: &str = "event json CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_HANGUP_COMPLETE \
                      CUSTOM callcenter::info hotline::went_on";

/// A logged-in connection that remembers calls' and queues' events.
#[derive(Debug)]
pub struct Esl {
    line: Mutex<Line>,
    reader: JoinHandle<()>,
    events: Record<Value>,
}

/// One command at a time: answers come in the order of the commands.
#[derive(Debug)]
struct Line {
    writer: OwnedWriteHalf,
    answers: mpsc::Receiver<Frame>,
}

/// One message of the wire: its headers in order, and its body.
#[derive(Clone, Debug, Default)]
struct Frame {
    headers: Vec<(String, String)>,
    body: String,
}

impl Frame {
    fn get(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map_or("", |(_, value)| value)
    }
}

impl Esl {
    /// Connects to a port on the loopback address, logs in and asks for events.
    pub async fn connect(port: u16, password: &str) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let (read, mut writer) = stream.into_split();
        let (sender, mut answers) = mpsc::channel(ANSWERS);
        let events = Record::new();
        let reader = tokio::spawn(read_frames(read, sender, events.clone()));
        let greeting = answers.recv().await.context("no greeting")?;
        if greeting.get("Content-Type") != "auth/request" {
            bail!("the Event Socket said {:?}", greeting.get("Content-Type"));
        }
        writer
            .write_all(format!("auth {password}\n\n").as_bytes())
            .await?;
        let esl = Self {
            line: Mutex::new(Line { writer, answers }),
            reader,
            events,
        };
        let welcome = esl.answer("auth").await?;
        if !welcome.get("Reply-Text").starts_with("+OK") {
            bail!("the Event Socket said {:?}", welcome.get("Reply-Text"));
        }
        esl.send(EVENTS).await?;
        Ok(esl)
    }

    /// Runs an `api` command and returns what it prints; `-ERR` and `-USAGE` are errors.
    pub async fn api(&self, command: &str) -> Result<String> {
        let frame = self.send(&format!("api {command}")).await?;
        let text = frame.body.trim().to_owned();
        if text.starts_with("-ERR") || text.starts_with("-USAGE") {
            bail!("{command}: {text}");
        }
        Ok(text)
    }

    /// Runs an `api` command that prints a table with `|` between its columns, and returns its rows
    /// as the first line names the columns.
    pub async fn table(&self, command: &str) -> Result<Vec<Vec<(String, String)>>> {
        let text = self.api(command).await?;
        let mut lines = text.lines().filter(|line| *line != "+OK");
        let names: Vec<&str> = lines.next().unwrap_or_default().split('|').collect();
        let row = |line: &str| {
            let values = line.split('|').map(str::to_owned);
            names
                .iter()
                .map(|&name| name.to_owned())
                .zip(values)
                .collect()
        };
        Ok(lines.map(row).collect())
    }

    /// Waits for an event, past ones included, that the closure accepts.
    pub async fn event(
        &self,
        within: Duration,
        accept: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        let found = self.events.wait(within, accept).await;
        found.with_context(|| format!("no such event within {within:?}"))
    }

    /// Returns every event that has come so far.
    pub fn events(&self) -> Vec<Value> {
        self.events.all()
    }

    async fn send(&self, command: &str) -> Result<Frame> {
        let mut line = self.line.lock().await;
        line.writer
            .write_all(format!("{command}\n\n").as_bytes())
            .await?;
        Self::next(&mut line, command).await
    }

    async fn answer(&self, command: &str) -> Result<Frame> {
        Self::next(&mut *self.line.lock().await, command).await
    }

    async fn next(line: &mut Line, command: &str) -> Result<Frame> {
        let answer = tokio::time::timeout(PATIENCE, line.answers.recv()).await;
        answer
            .with_context(|| format!("no answer to {command:?} within {PATIENCE:?}"))?
            .with_context(|| format!("the connection closed before it answered {command:?}"))
    }
}

impl Drop for Esl {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read_frames(read: OwnedReadHalf, answers: mpsc::Sender<Frame>, events: Record<Value>) {
    let mut read = BufReader::new(read);
    while let Some(frame) = next_frame(&mut read).await {
        let kind = frame.get("Content-Type");
        if kind == "text/event-json" {
            if let Ok(event) = serde_json::from_str(&frame.body) {
                events.push(event);
            }
        } else if kind == "text/disconnect-notice" || answers.send(frame).await.is_err() {
            return;
        }
    }
}

async fn next_frame(read: &mut BufReader<OwnedReadHalf>) -> Option<Frame> {
    let mut frame = Frame::default();
    loop {
        let mut line = String::new();
        if read.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if let Some((name, value)) = line.split_once(':') {
            let header = (name.to_owned(), value.trim().to_owned());
            frame.headers.push(header);
        } else if line.is_empty() && !frame.headers.is_empty() {
            break;
        }
    }
    if let Ok(length) = frame.get("Content-Length").parse() {
        let mut body = vec![0; length];
        read.read_exact(&mut body).await.ok()?;
        frame.body = String::from_utf8_lossy(&body).into_owned();
    }
    Some(frame)
}
