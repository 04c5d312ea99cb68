//! The test's own AMI connection to the test PBX: for looking, for asking and for breaking things.
//!
//! It is written apart from Hotline's link on purpose, so that one does not hide a fault of the other.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::record::Record;

const PATIENCE: Duration = Duration::from_secs(10);

/// One event or response: its `Key: value` lines in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(Vec<(String, String)>);

impl Block {
    /// Returns the first value of a key; keys are compared without regard to case.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
    }

    /// Tells whether this is the event of that name.
    pub fn is_event(&self, name: &str) -> bool {
        self.0
            .first()
            .is_some_and(|(key, value)| key == "Event" && value == name)
    }

    /// Tells whether this is a `UserEvent` of that name.
    pub fn is_user_event(&self, name: &str) -> bool {
        self.is_event("UserEvent") && self.get("UserEvent") == Some(name)
    }

    fn is_response(&self) -> bool {
        self.0.first().is_some_and(|(key, _)| key == "Response")
    }
}

/// A logged-in AMI connection that remembers every event it has seen.
#[derive(Debug)]
pub struct Ami {
    writer: Mutex<OwnedWriteHalf>,
    reader: JoinHandle<()>,
    blocks: Record<Block>,
    next_action: AtomicU64,
}

impl Ami {
    /// Connects to a port on the loopback address and logs in.
    pub async fn connect(port: u16, user: &str, secret: &str) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let (read, write) = stream.into_split();
        let blocks = Record::new();
        let ami = Self {
            writer: Mutex::new(write),
            reader: tokio::spawn(read_blocks(read, blocks.clone())),
            blocks,
            next_action: AtomicU64::new(1),
        };
        ami.act("Login", &[("Username", user), ("Secret", secret)])
            .await
            .context("AMI login")?;
        Ok(ami)
    }

    /// Sends an action and returns its response, which may be an error.
    pub async fn ask(&self, action: &str, fields: &[(&str, &str)]) -> Result<Block> {
        let id = format!(
            "street-{}",
            self.next_action.fetch_add(1, Ordering::Relaxed)
        );
        let mut text = format!("Action: {action}\r\nActionID: {id}\r\n");
        for (key, value) in fields {
            text.push_str(&format!("{key}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mark = self.blocks.mark();
        self.writer.lock().await.write_all(text.as_bytes()).await?;
        self.blocks
            .wait_from(mark, PATIENCE, |block| {
                (block.is_response() && block.get("ActionID") == Some(&id)).then(|| block.clone())
            })
            .await
            .with_context(|| format!("no response to {action} within {PATIENCE:?}"))
    }

    /// Sends an action and fails unless its response is a success.
    pub async fn act(&self, action: &str, fields: &[(&str, &str)]) -> Result<Block> {
        let response = self.ask(action, fields).await?;
        if response.get("Response") == Some("Error") {
            bail!(
                "{action} {fields:?}: {}",
                response.get("Message").unwrap_or("error")
            );
        }
        Ok(response)
    }

    /// Sends an action that is answered by a list, and returns the list's events.
    pub async fn list(&self, action: &str, fields: &[(&str, &str)]) -> Result<Vec<Block>> {
        let mark = self.blocks.mark();
        let response = self.act(action, fields).await?;
        let id = response.get("ActionID").unwrap_or_default().to_owned();
        let mut events = Vec::new();
        self.blocks
            .wait_from(mark, PATIENCE, |block| {
                if block.get("ActionID") != Some(&id) || block.is_response() {
                    return None;
                }
                if block.get("EventList") == Some("Complete") {
                    return Some(());
                }
                events.push(block.clone());
                None
            })
            .await
            .with_context(|| format!("the list of {action} has no end"))?;
        Ok(events)
    }

    /// Runs a command of the Asterisk console and returns its output.
    pub async fn command(&self, command: &str) -> Result<String> {
        let response = self.ask("Command", &[("Command", command)]).await?;
        let lines = response.0.iter().filter(|(key, _)| key == "Output");
        Ok(lines
            .map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
            .join("\n"))
    }

    /// Returns how many blocks have come so far, to wait from later.
    pub fn mark(&self) -> usize {
        self.blocks.mark()
    }

    /// Waits for an event, past ones included, that the closure accepts.
    pub async fn event(
        &self,
        within: Duration,
        accept: impl FnMut(&Block) -> bool,
    ) -> Result<Block> {
        self.event_from(0, within, accept).await
    }

    /// Waits for an event that came after the mark and that the closure accepts.
    pub async fn event_from(
        &self,
        mark: usize,
        within: Duration,
        mut accept: impl FnMut(&Block) -> bool,
    ) -> Result<Block> {
        self.blocks
            .wait_from(mark, within, |block| accept(block).then(|| block.clone()))
            .await
            .with_context(|| format!("no such event within {within:?}"))
    }

    /// Returns every block that has come so far.
    pub fn blocks(&self) -> Vec<Block> {
        self.blocks.all()
    }
}

impl Drop for Ami {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read_blocks(read: OwnedReadHalf, blocks: Record<Block>) {
    let mut lines = BufReader::new(read).lines();
    let mut block = Block::default();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.is_empty() {
            if !block.0.is_empty() {
                blocks.push(std::mem::take(&mut block));
            }
        } else if let Some((key, value)) = line.split_once(':') {
            block
                .0
                .push((key.to_owned(), value.trim_start().to_owned()));
        }
        // The banner has no colon and is passed over.
    }
}
