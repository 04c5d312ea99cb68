//! The contact centre of the demo: Asterisk, Hotline, a mail box, and Anna, who answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use street::asterisk::Site;
use street::hotline::Settings;
use street::phone::Phone;
use street::smtp::MailServer;
use street::{Asterisk, Hotline, cache};
use tempfile::TempDir;

use crate::narrator::Narrator;
use crate::page::{Page, Who};
use crate::towns;

/// Everything that runs. What is dropped first comes first.
pub(crate) struct House {
    pub(crate) narrator: Narrator,
    pub(crate) agent: Phone,
    pub(crate) hotline: Hotline,
    pub(crate) asterisk: Asterisk,
    pub(crate) mail: MailServer,
    pub(crate) page: Arc<Page>,
    /// Whether there is a recogniser.
    pub(crate) hears: bool,
    _flows: TempDir,
}

impl House {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn open(page: Arc<Page>) -> Result<Self> {
        let hears = cache::libvosk().is_ok();
        let flows = towns::copy().context("copying the flows")?;
        let agent = Phone::new("anna")?;
        let mail = MailServer::start().context("starting the mail box")?;
        let mut settings = Settings::new()?;
        settings.flows = flows.path().to_owned();
        settings.smtp_port = mail.port();
        settings.hears = hears;
        settings.more = json!({ "services": { "queue_poll_seconds": 1 } });
        let mut site = Site::new()
            .agent("anna", agent.port())
            .hotline(settings.socket_port)
            .global("HOTLINE_FALLBACK_QUEUE", "omstilling");
        for queue in towns::QUEUES {
            site = site.queue(queue, &["anna"]);
        }
        let asterisk = Asterisk::start(site).await.context("starting Asterisk")?;
        let program = program()?;
        let hotline = Hotline::start(&program, settings.with_asterisk(&asterisk))
            .await
            .context("starting Hotline")?;
        let narrator = Narrator::start(hotline.journal().clone(), Arc::clone(&page));
        Ok(Self {
            narrator,
            agent,
            hotline,
            asterisk,
            mail,
            page,
            hears,
            _flows: flows,
        })
    }

    /// Waits for a line of the journal at or after a mark.
    pub(crate) async fn line(
        &self,
        mark: usize,
        within: Duration,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        let journal = self.hotline.journal();
        let found = journal.wait_from(mark, within, |line| wanted(line).then(|| line.clone()));
        found
            .await
            .with_context(|| format!("it did not happen within {within:?}"))
    }

    /// Lets the narrator finish telling what has happened.
    pub(crate) async fn narrated(&self) {
        tokio::time::sleep(Duration::from_millis(40)).await;
    }

    /// Tells that a step has happened.
    pub(crate) async fn shown(&self, what: &str) {
        self.narrated().await;
        self.page.line(Who::Shown, what);
    }
}

/// Returns the program beside this one.
fn program() -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("hotline");
    ensure!(
        program.is_file(),
        "{} is not there; run cargo build first",
        program.display()
    );
    Ok(program)
}
