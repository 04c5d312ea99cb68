//! A PBX that whispers: before a caller is moved or dialled, the handoff's summary is spoken into a
//! sound file that only the agent hears.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use crate::dialog::{Handoff, QueueState, Target};
use crate::pbx::{Arrival, CallEvent, Dial, Dialled, LinkState, Pbx, PbxError};
use crate::speech::{Voice, wav};
use crate::words::{CallId, Language, QueueName};

/// How long the summary may take to be spoken; the transfer does not wait longer for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a whisper is kept: longer than a caller waits.
const KEPT: Duration = Duration::from_secs(6 * 3600);

/// Adds whispers to a PBX.
pub struct Whispering {
    pbx: Arc<dyn Pbx>,
    voice: Arc<Voice>,
    language: Language,
    folder: PathBuf,
}

impl Whispering {
    /// Speaks into a folder that the PBX can read; in `language` where a handoff names none.
    pub fn new(pbx: Arc<dyn Pbx>, voice: Arc<Voice>, language: Language, folder: PathBuf) -> Self {
        Self {
            pbx,
            voice,
            language,
            folder,
        }
    }

    /// Returns the handoff with its whisper, or as it was when it cannot be spoken in time.
    async fn with_whisper(&self, call: CallId, handoff: &Handoff) -> Handoff {
        let mut handoff = handoff.clone();
        if handoff.summary.is_empty() || handoff.whisper.is_some() {
            return handoff;
        }
        let path = self.folder.join(format!("{call}.wav"));
        let language = handoff.agents.unwrap_or(self.language);
        let spoken = self.spoken(&handoff.summary, language, path.clone());
        match tokio::time::timeout(PATIENCE, spoken).await {
            Ok(Ok(())) => handoff.whisper = Some(path.to_string_lossy().into_owned()),
            Ok(Err(why)) => tracing::warn!(%call, "the agent gets no whisper: {why}"),
            Err(_) => tracing::warn!(%call, "the agent gets no whisper: it took too long"),
        }
        handoff
    }

    async fn spoken(&self, text: &str, language: Language, path: PathBuf) -> Result<(), String> {
        let prompt = self.voice.say(text, language).await;
        let prompt = prompt.map_err(|error| error.to_string())?;
        let audio = prompt.all().await.map_err(|error| error.to_string())?;
        let folder = self.folder.clone();
        let written = tokio::task::spawn_blocking(move || {
            sweep(&folder);
            wav::write(&path, &audio).map_err(|error| error.to_string())
        });
        written.await.map_err(|error| error.to_string())?
    }
}

/// Removes whispers that nobody can be waiting for any more.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok());
        if age.is_some_and(|age| age > KEPT) {
            // Another process may have been faster.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[async_trait]
impl Pbx for Whispering {
    fn link(&self) -> watch::Receiver<LinkState> {
        self.pbx.link()
    }

    async fn arrival(&self, call: CallId) -> Result<Arrival, PbxError> {
        self.pbx.arrival(call).await
    }

    fn follow(&self, call: CallId) -> mpsc::Receiver<CallEvent> {
        self.pbx.follow(call)
    }

    async fn transfer(
        &self,
        call: CallId,
        target: &Target,
        handoff: &Handoff,
    ) -> Result<(), PbxError> {
        let handoff = self.with_whisper(call, handoff).await;
        self.pbx.transfer(call, target, &handoff).await
    }

    async fn hang_up(&self, call: CallId) -> Result<(), PbxError> {
        self.pbx.hang_up(call).await
    }

    async fn dial(&self, dial: &Dial) -> Result<Dialled, PbxError> {
        let handoff = self.with_whisper(dial.call, &dial.handoff).await;
        self.pbx
            .dial(&Dial {
                handoff,
                ..dial.clone()
            })
            .await
    }

    async fn exists(&self, call: CallId) -> Result<bool, PbxError> {
        self.pbx.exists(call).await
    }

    async fn queues(&self) -> Result<BTreeMap<QueueName, QueueState>, PbxError> {
        self.pbx.queues().await
    }
}
