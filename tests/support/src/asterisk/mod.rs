//! A real Asterisk, started for a test with the project's own dialplans included unchanged.
//!
//! [`Site`] says what the contact centre looks like: agents, queues and the admin's settings.
//! [`Asterisk::start`] writes the configuration into a temporary folder, starts the program on free
//! loopback ports and waits until it is fully booted. Calls for the outside world leave through the
//! dialplan context `outbound` and reach the test phone that was named for the number with
//! [`Asterisk::route`].

mod ami;
mod config;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::cache::{self, Installation};
use crate::port;
use crate::process::{Process, read_lossy};

pub use crate::pbx::HOLD_TONE;
pub use ami::{Ami, Block};
pub use config::{Ports, Site};

const BOOT: Duration = Duration::from_secs(30);

/// A running Asterisk; dropping it ends it and removes its folder, unless the test is failing.
#[derive(Debug)]
pub struct Asterisk {
    process: Process,
    ami: Ami,
    installation: Installation,
    ports: Ports,
    routes: Mutex<Vec<(String, u16)>>,
    // Last, so that it is removed after the process has ended.
    folder: Option<TempDir>,
    path: PathBuf,
}

impl Asterisk {
    /// Starts an Asterisk for the site and waits until it is fully booted.
    pub async fn start(site: Site) -> Result<Self> {
        let installation = cache::asterisk()?;
        let folder = tempfile::Builder::new()
            .prefix("street-asterisk-")
            .tempdir()?;
        let path = folder.path().to_owned();
        let ports = Ports {
            sip: port::free_udp()?,
            ami: port::free_tcp()?,
            rtp: port::free_udp_range(config::RTP_PORTS)?,
        };
        config::write(&path, &site, ports, &installation)?;
        let (process, ami) = match launch(&path, ports, &installation).await {
            Ok(running) => running,
            Err(error) => {
                let log = tail(&path.join("log/messages.log"), 40);
                return Err(error.context(format!("Asterisk did not start; its log ends:\n{log}")));
            }
        };
        Ok(Self {
            process,
            ami,
            installation,
            ports,
            routes: Mutex::default(),
            folder: Some(folder),
            path,
        })
    }

    /// Returns the address phones send their calls to.
    pub fn sip(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.sip).into()
    }

    /// Returns the AMI port; Hotline logs in there as [`Site::AMI_USER`] with [`Site::AMI_SECRET`].
    pub fn ami_port(&self) -> u16 {
        self.ports.ami
    }

    /// Returns the test's own AMI connection, which may do everything.
    pub fn ami(&self) -> &Ami {
        &self.ami
    }

    /// Returns the process id of Asterisk.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Returns the folder with the configuration, the logs and the spool.
    pub fn folder(&self) -> &Path {
        &self.path
    }

    /// Returns what Asterisk has logged.
    pub fn log(&self) -> String {
        read_lossy(&self.path.join("log/messages.log")).unwrap_or_default()
    }

    /// Makes calls to an outside number, with or without a leading `+`, arrive at the phone on
    /// that port.
    pub async fn route(&self, number: &str, phone: u16) -> Result<()> {
        self.set_route(number, phone).await?;
        self.routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((number.to_owned(), phone));
        Ok(())
    }

    /// Ends Asterisk and starts it again with the same ports and configuration.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop();
        self.start_again().await
    }

    /// Ends Asterisk and leaves it off.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Kills Asterisk at once and leaves it off.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts Asterisk again after [`Asterisk::stop`] or [`Asterisk::kill`].
    pub async fn start_again(&mut self) -> Result<()> {
        if self.process.ended().is_none() {
            bail!("Asterisk still runs");
        }
        let (process, ami) = launch(&self.path, self.ports, &self.installation).await?;
        self.process = process;
        self.ami = ami;
        let routes = self
            .routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (number, phone) in routes {
            self.set_route(&number, phone).await?;
        }
        Ok(())
    }

    async fn set_route(&self, number: &str, phone: u16) -> Result<()> {
        let variable = format!("ROUTE_{}", number.trim_start_matches('+'));
        self.ami
            .act(
                "Setvar",
                &[("Variable", &variable), ("Value", &phone.to_string())],
            )
            .await?;
        Ok(())
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        self.process.stop();
        if thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            let kept = folder.keep();
            eprintln!(
                "The test failed; Asterisk's folder {} is kept and its log ends:\n{}",
                kept.display(),
                tail(&kept.join("log/messages.log"), 60)
            );
        }
    }
}

async fn launch(
    folder: &Path,
    ports: Ports,
    installation: &Installation,
) -> Result<(Process, Ami)> {
    let mut command = match installation {
        Installation::Unpacked(tree) => {
            let mut command = Command::new(tree.join("loader"));
            command
                .arg("--library-path")
                .arg(tree.join("lib"))
                .arg(tree.join("asterisk"));
            command
        }
        Installation::Own { program, .. } => Command::new(program),
    };
    command
        .args(["-f", "-n", "-C"])
        .arg(folder.join("asterisk.conf"))
        .current_dir(folder);
    let mut process = Process::spawn("Asterisk", command, &folder.join("log/output.log"))?;
    let deadline = Instant::now() + BOOT;
    let ami = loop {
        match Ami::connect(ports.ami, config::TEST_USER, config::TEST_SECRET).await {
            Ok(ami) => break ami,
            Err(error) if Instant::now() >= deadline => {
                return Err(error.context(format!("no AMI login within {BOOT:?}")));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        if let Some(status) = process.ended() {
            bail!("Asterisk ended at once ({status}): {}", process.output());
        }
    };
    ami.event(BOOT, |block| block.is_event("FullyBooted"))
        .await
        .context("FullyBooted")?;
    Ok((process, ami))
}

fn tail(path: &Path, lines: usize) -> String {
    let text = read_lossy(path).unwrap_or_default();
    let skipped = text.lines().count().saturating_sub(lines);
    text.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}

/// Copies a file's text, for a site that changes what the project ships.
pub fn shipped_dialplan(name: &str) -> Result<String> {
    let path = config::dialplans().join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}
