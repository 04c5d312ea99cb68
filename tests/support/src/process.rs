//! A program that is started for a test and never outlives it.
//!
//! Its output goes to a file. It is asked to stop and then killed when the value is dropped, and a
//! tiny guard process kills it when the test itself is killed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A running program; dropping it ends the program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    guard: Option<Child>,
    log: PathBuf,
    grace: Duration,
}

impl Process {
    /// Starts the program with both its outputs appended to the file `log`.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write the log {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name} ({:?})", command.get_program()))?;
        let guard = Command::new("sh")
            .args([
                "-c",
                "read -r _; kill -9 \"$1\"",
                "guard",
                &child.id().to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok();
        Ok(Self {
            name: name.to_owned(),
            child,
            guard,
            log: log.to_owned(),
            grace: Duration::from_secs(3),
        })
    }

    /// Sets how long the program may take to stop by itself when it is dropped.
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its short name: `TERM`, `KILL`, `STOP`, `CONT`, `HUP`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let id = self.id().to_string();
        let status = Command::new("kill")
            .args(["-s", signal, &id])
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            bail!("{} (process {id}) could not be sent {signal}", self.name);
        }
        Ok(())
    }

    /// Returns how the program ended, or nothing while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until the program has ended by itself.
    pub async fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("{} still runs after {within:?}", self.name);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills the program at once, as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        self.dismiss_guard();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks the program to stop, waits for the grace time, and kills it if it has not stopped.
    pub fn stop(&mut self) {
        self.dismiss_guard();
        if self.ended().is_some() {
            return;
        }
        let _ = self.signal("TERM");
        let deadline = Instant::now() + self.grace;
        while Instant::now() < deadline {
            if self.ended().is_some() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.kill();
    }

    /// Returns everything the program has written so far.
    pub fn output(&self) -> String {
        read_lossy(&self.log).unwrap_or_default()
    }

    /// Waits until the program has written a line that contains `text`, and returns that line.
    pub async fn wait_for_output(&mut self, text: &str, within: Duration) -> Result<String> {
        let deadline = Instant::now() + within;
        loop {
            let running = self.ended().is_none();
            let output = self.output();
            if let Some(line) = output.lines().find(|line| line.contains(text)) {
                return Ok(line.to_owned());
            }
            if !running {
                bail!(
                    "{} ended without writing {text:?}; it wrote:\n{output}",
                    self.name
                );
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} did not write {text:?} within {within:?}; it wrote:\n{output}",
                    self.name
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn dismiss_guard(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Reads a file whose text need not be valid UTF-8.
pub(crate) fn read_lossy(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}
