//! A running Hotline, started as an admin would start it: the binary, a configuration file, a
//! folder for its state. Its journal can be awaited line by line.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::asterisk::{self, Asterisk};
use crate::pbx::{Pbx, Section};
use crate::process::Process;
use crate::{Record, cache, port};

/// How long a Hotline may take to become ready.
const START: Duration = Duration::from_secs(20);

/// What the Hotline of a test is like.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of flows and tenants.
    pub flows: PathBuf,
    /// What is said about the PBX.
    pub pbx: Section,
    /// The mail server's port.
    pub smtp_port: u16,
    /// Where calls come in; chosen before the PBX starts.
    pub socket_port: u16,
    /// Where the HTTP door is.
    pub http_port: u16,
    /// Whether it can hear.
    pub hears: bool,
    /// Whether it can speak.
    pub speaks: bool,
    /// Whether it runs under its own guard.
    pub guarded: bool,
    /// Where the journal is heard when it is not in Hotline's own log.
    pub journal: Option<Record<Value>>,
    /// Further settings, merged over the others: `{"service": {"escalate_minutes": 1}}`.
    pub more: Value,
}

impl Settings {
    /// Makes settings on free ports with the project's own flows.
    pub fn new() -> Result<Self> {
        Ok(Self {
            flows: project().join("flows"),
            pbx: Section::Demo,
            smtp_port: 0,
            socket_port: port::free_tcp()?,
            http_port: port::free_tcp()?,
            hears: true,
            speaks: true,
            guarded: false,
            journal: None,
            more: json!({}),
        })
    }

    /// Connects it with a PBX; `hotline demo` runs where that is the built-in one.
    pub fn with_pbx(mut self, pbx: &Pbx) -> Self {
        self.pbx = pbx.section();
        self.journal = pbx.journal();
        self
    }

    /// Connects it with an Asterisk.
    pub fn with_asterisk(self, asterisk: &Asterisk) -> Self {
        self.with_manager(asterisk.ami_port())
    }

    /// Connects it with whatever speaks as an Asterisk's manager on that port.
    pub fn with_manager(mut self, port: u16) -> Self {
        self.pbx = Section::Asterisk { port };
        self
    }
}

/// A running Hotline; dropping it ends it.
#[derive(Debug)]
pub struct Hotline {
    process: Option<Process>,
    program: PathBuf,
    settings: Settings,
    journal: Record<Value>,
    reader: Option<Reader>,
    folder: TempDir,
}

impl Hotline {
    /// Starts the program and waits until it is ready.
    pub async fn start(program: &Path, settings: Settings) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("street-hotline-")
            .tempdir()?;
        let mut hotline = Self {
            process: None,
            program: program.to_owned(),
            journal: settings.journal.clone().unwrap_or_default(),
            settings,
            reader: None,
            folder,
        };
        hotline.write_configuration()?;
        hotline.start_again().await?;
        Ok(hotline)
    }

    /// Starts it again with the same configuration and state, and waits until it is ready.
    pub async fn start_again(&mut self) -> Result<()> {
        let log = self.folder.path().join("hotline.log");
        let from = fs::metadata(&log)
            .map(|metadata| metadata.len())
            .unwrap_or(0);
        let mut command = Command::new(&self.program);
        command
            .arg("--config")
            .arg(self.configuration())
            .args(self.verb_to_run())
            .env(
                "RUST_LOG",
                std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned()),
            )
            .env_remove("NOTIFY_SOCKET")
            .current_dir(self.folder.path());
        let process = Process::spawn("hotline", command, &log)?.with_grace(Duration::from_secs(8));
        self.process = Some(process);
        self.reader = Some(Reader::start(log, from, self.journal.clone()));
        self.ready(START).await
    }

    fn verb_to_run(&self) -> Vec<String> {
        let settings = &self.settings;
        match settings.pbx {
            Section::Demo => vec![
                "demo".to_owned(),
                format!("--listen=127.0.0.1:{}", settings.http_port),
                format!("--flows={}", settings.flows.display()),
            ],
            Section::Asterisk { .. } | Section::FreeSwitch { .. } => {
                let guard = settings.guarded.then_some("--guard");
                let words = ["serve", "--journal"].into_iter().chain(guard);
                words.map(str::to_owned).collect()
            }
        }
    }

    /// Waits until the HTTP door says that all is well.
    pub async fn ready(&mut self, within: Duration) -> Result<()> {
        let deadline = std::time::Instant::now() + within;
        let path = match self.settings.pbx {
            // Whatever answers there is ready.
            Section::Demo => "/healthz",
            Section::Asterisk { .. } | Section::FreeSwitch { .. } => "/readyz",
        };
        loop {
            let answer = self.get(path).await;
            if matches!(&answer, Ok((200, _))) {
                return Ok(());
            }
            let ended = self.process.as_mut().and_then(Process::ended);
            if ended.is_some() || std::time::Instant::now() > deadline {
                anyhow::bail!(
                    "Hotline did not become ready ({answer:?}, {ended:?}); it wrote:\n{}",
                    self.log()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks the HTTP door and returns status and body.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        self.ask("GET", path, None).await
    }

    /// Asks the HTTP door and returns status and body, whatever it is made of.
    pub async fn fetch(&self, path: &str) -> Result<(u16, Vec<u8>)> {
        self.exchange("GET", path, None).await
    }

    /// Asks the HTTP door with the supervisor's token.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, String)> {
        let (status, body) = self.exchange(method, path, body).await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Vec<u8>)> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let token = fs::read_to_string(self.state().join("token")).unwrap_or_default();
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let address = ("127.0.0.1", self.settings.http_port);
        let exchange = async {
            let mut stream = tokio::net::TcpStream::connect(address).await?;
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                token.trim(),
                body.len()
            );
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            let end = answer.windows(4).position(|it| it == b"\r\n\r\n");
            let end = end.context("the HTTP answer has no end of its head")?;
            let body = answer.split_off(end + 4);
            let head = String::from_utf8_lossy(&answer);
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
            Ok((status.context("no HTTP status")?, body))
        };
        tokio::time::timeout(Duration::from_secs(5), exchange).await?
    }

    /// Returns the journal: every line of every call, as they come.
    pub fn journal(&self) -> &Record<Value> {
        &self.journal
    }

    /// Waits for a journal line at or after a mark.
    pub async fn line(
        &self,
        mark: usize,
        within: Duration,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        let found = self
            .journal
            .wait_from(mark, within, |line| wanted(line).then(|| line.clone()));
        found.await.with_context(|| {
            format!(
                "the journal line did not come within {within:?}; Hotline wrote:\n{}",
                self.log()
            )
        })
    }

    /// Waits until the dialog has come to a state of a flow.
    pub async fn state_reached(&self, mark: usize, state: &str, within: Duration) -> Result<()> {
        self.line(mark, within, |line| {
            line["command"]["note"]["state"]["state"] == state
        })
        .await
        .with_context(|| format!("state {state} was not reached"))?;
        Ok(())
    }

    /// Returns what it has logged.
    pub fn log(&self) -> String {
        fs::read(self.folder.path().join("hotline.log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Returns the process, for signals.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Returns the files and sockets that it has open, as the kernel names them.
    pub fn open_files(&self) -> Result<Vec<String>> {
        let process = self.process.as_ref().context("Hotline does not run")?;
        let folder = fs::read_dir(format!("/proc/{}/fd", process.id()))?;
        // One that is closed meanwhile is not open.
        let names = folder.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        Ok(names.map(|name| name.display().to_string()).collect())
    }

    /// Returns one of its figures, or the sum where there is one for each label; nothing when it
    /// has no such figure.
    pub async fn figure(&self, name: &str) -> Result<Option<f64>> {
        let (_, text) = self.get("/metrics").await?;
        let values = text.lines().filter_map(|line| {
            let (figure, value) = line.rsplit_once(' ')?;
            let figure = figure.split('{').next()?;
            (figure == name).then(|| value.parse::<f64>().ok())?
        });
        Ok(values.reduce(|sum, value| sum + value))
    }

    /// Kills it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop();
        }
    }

    /// Returns its settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the folder of its state.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Returns the configuration file, for other verbs of the program.
    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("hotline.yaml")
    }

    /// Runs another verb of the program on the same configuration.
    pub fn verb(&self, arguments: &[&str]) -> Result<std::process::Output> {
        let mut command = Command::new(&self.program);
        command
            .arg("--config")
            .arg(self.configuration())
            .args(arguments);
        Ok(command.output()?)
    }

    /// Writes the PBX's password into a file and returns what is said about the PBX.
    fn about_the_pbx(&self) -> Result<Value> {
        let here = format!("127.0.0.1:{}", self.settings.socket_port);
        let file = self.folder.path().join("pbx-secret");
        Ok(match &self.settings.pbx {
            Section::Demo => json!({}),
            Section::Asterisk { port } => {
                fs::write(&file, asterisk::Site::AMI_SECRET)?;
                let user = asterisk::Site::AMI_USER;
                json!({
                    "call": { "listen": here },
                    "asterisk": { "port": port, "username": user, "secret_file": file },
                })
            }
            Section::FreeSwitch { port, password } => {
                fs::write(&file, password)?;
                json!({ "freeswitch": { "port": port, "password_file": file, "listen": here } })
            }
        })
    }

    fn write_configuration(&self) -> Result<()> {
        let settings = &self.settings;
        let models = project().join("tests/fixtures/speech");
        let mut speech = json!({ "cache": cache::folder().join("prompts") });
        if settings.hears {
            let library = cache::libvosk()?;
            let vosk = |model: &str| json!([{ "engine": "vosk", "model": models.join(model), "library": library }]);
            speech["ears"] = json!({
                "da": vosk("vosk-tiny-da-grm"), "en": vosk("vosk-tiny-en-grm"),
            });
        }
        let program = match settings.speaks {
            true => json!(cache::espeak()?),
            false => json!("/nowhere/espeak-ng"),
        };
        let espeak =
            |voice: &str| json!([{ "engine": "espeak", "voice": voice, "program": program }]);
        speech["voices"] = json!({ "da": espeak("da"), "en": espeak("en-gb") });
        if !settings.speaks {
            speech["cache"] = json!(self.folder.path().join("no-prompts"));
        }
        let mut configuration = json!({
            "flows": settings.flows,
            "state": self.state(),
            "http": { "listen": format!("127.0.0.1:{}", settings.http_port) },
            "speech": speech,
            "mail": { "server": "127.0.0.1", "port": settings.smtp_port },
        });
        merge(&mut configuration, &self.about_the_pbx()?);
        merge(&mut configuration, &settings.more);
        // JSON is YAML.
        fs::write(self.configuration(), format!("{configuration:#}"))?;
        Ok(())
    }
}

impl Drop for Hotline {
    fn drop(&mut self) {
        self.stop();
        if thread::panicking() {
            eprintln!("The test failed; Hotline wrote:\n{}", self.log());
        }
    }
}

/// Returns the project's folder.
pub fn project() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// Follows the log file and records the lines that are journal lines.
#[derive(Debug)]
struct Reader(Arc<AtomicBool>);

impl Reader {
    fn start(log: PathBuf, from: u64, journal: Record<Value>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let stop = over.clone();
        thread::spawn(move || {
            let Ok(mut file) = File::open(&log) else {
                return;
            };
            let _ = file.seek(SeekFrom::Start(from));
            let mut rest = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let _ = file.read_to_end(&mut rest);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    if line.starts_with(b"{\"")
                        && let Ok(value) = serde_json::from_slice(&line)
                    {
                        journal.push(value);
                    }
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        Self(over)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
