//! A Hotline whose recognisers are servers of the street, and the calls that it gets.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use street::engines::{Engine, Kind, script};
use street::hotline::{Settings, project};
use street::{Hotline, caller};
use tempfile::TempDir;
use uuid::Uuid;

use crate::call::Call;
use crate::manager::Manager;

/// The number that is called.
pub(crate) const NUMBER: &str = "70101010";

/// What the preferred engine hears, whatever is said.
pub(crate) const FIRST: &str = "borgerservice";

/// What the engine hears that takes over.
pub(crate) const SECOND: &str = "jobcenteret";

/// How long anything may take that is going to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Makes an engine of a kind that hears a text.
pub(crate) fn engine(kind: Kind, text: &'static [&'static str]) -> Result<Engine> {
    Engine::start(kind, script(text))
}

/// Makes a vosk-server.
pub(crate) fn vosk(text: &'static [&'static str]) -> Result<Engine> {
    engine(Kind::Vosk { python: true }, text)
}

/// Makes a server that transcribes whole turns.
pub(crate) fn transcription(text: &'static [&'static str]) -> Result<Engine> {
    engine(Kind::Transcription { model: "whisper" }, text)
}

/// Names an engine as `speech.ears` has it.
pub(crate) fn ear(engine: &Engine) -> Value {
    let url = engine.url();
    if url.starts_with("ws") {
        json!({ "engine": "vosk_server", "url": url })
    } else {
        json!({ "engine": "transcription", "url": url, "model": "whisper" })
    }
}

/// A Hotline that is called.
pub(crate) struct Scene {
    pub(crate) hotline: Hotline,
    pub(crate) manager: Manager,
    _flows: TempDir,
}

impl Scene {
    /// Starts a Hotline with these Danish recognisers, and more settings.
    pub(crate) async fn start(ears: &[&Engine], more: Value) -> Result<Self> {
        let manager = Manager::open().await?;
        let flows = flows()?;
        let mut settings = Settings::new()?.with_manager(manager.port());
        settings.flows = flows.path().to_owned();
        settings.hears = false;
        settings.more = json!({ "speech": { "ears": {
            "da": ears.iter().map(|engine| ear(engine)).collect::<Vec<_>>(),
        } } });
        merge(&mut settings.more, more);
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_hotline"));
        let hotline = Hotline::start(program, settings).await?;
        // On a busy machine the first callers would wait for the making of prompts, and not for
        // what is tested.
        let begin = std::time::Instant::now();
        while !hotline.log().contains("prompts are made") && begin.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Self {
            hotline,
            manager,
            _flows: flows,
        })
    }

    /// Places a call and lets it come to the question: the prompt is over and nobody speaks.
    pub(crate) async fn asked(&self) -> Result<Call> {
        let mut call = self.place().await?;
        call.answer().await?;
        call.quiet(Duration::from_millis(700)).await?;
        Ok(call)
    }

    /// Places a call.
    pub(crate) async fn place(&self) -> Result<Call> {
        Call::place(&self.hotline, &self.manager, NUMBER).await
    }

    /// Returns a call's lines of the journal so far.
    pub(crate) fn lines(&self, call: Uuid) -> Vec<Value> {
        let all = self.hotline.journal().all();
        let call = call.to_string();
        all.into_iter()
            .filter(|line| line["call"] == call)
            .collect()
    }

    /// Stays on the line until the journal of the call has a line.
    pub(crate) async fn until(
        &self,
        call: &mut Call,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let begin = std::time::Instant::now();
        loop {
            let lines = self.lines(call.id());
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            anyhow::ensure!(
                begin.elapsed() < PATIENCE,
                "{what} did not come within {PATIENCE:?}; the call's journal:\n{}",
                story(&lines)
            );
            call.stay(Duration::from_millis(40)).await?;
        }
    }

    /// Returns the sum of a figure over those of its labels that hold a text.
    pub(crate) async fn figure(&self, name: &str, label: &str) -> Result<f64> {
        let (_, text) = self.hotline.get("/metrics").await?;
        let lines = text
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(label));
        Ok(lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum())
    }
}

/// What a caller says: about two seconds.
pub(crate) fn wish() -> Result<std::sync::Arc<Vec<i16>>> {
    caller::danish("jeg vil gerne tale med nogen om mit pas og mit kørekort")
}

/// Tells the lines of a journal shortly.
pub(crate) fn story(lines: &[Value]) -> String {
    let lines = lines.iter().map(|line| {
        let mut line = line.clone();
        if let Some(fields) = line.as_object_mut() {
            for name in ["call", "tenant"] {
                fields.remove(name);
            }
        }
        let text: String = line.to_string().chars().take(300).collect();
        text
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Tells whether a line says that the dialog wants this text said.
pub(crate) fn says(line: &Value, text: &str) -> bool {
    line["command"]["say"]["text"]
        .as_str()
        .is_some_and(|said| said.contains(text))
}

/// Returns the words that a line says were heard.
pub(crate) fn heard(line: &Value) -> Option<&str> {
    line["event"]["heard"]["hypotheses"][0]["text"].as_str()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Makes the folder of flows: the sample municipality with a reception of its own.
fn flows() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    for part in ["common", "egekoebing"] {
        fs::create_dir(folder.path().join(part))?;
        for entry in fs::read_dir(project().join("flows").join(part))? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "yaml") {
                let name = path.file_name().context("a file has a name")?;
                fs::copy(&path, folder.path().join(part).join(name))?;
            }
        }
    }
    fs::write(folder.path().join("egekoebing/reception.yaml"), RECEPTION)?;
    Ok(folder)
}

const RECEPTION: &str = r#"
flow: reception
start: wish
states:
  wish:
    - ask:
        say:
          da: "Hvad drejer det sig om?"
          en: "What are you calling about?"
        for:
          intent: [ departments, operator, callback, message, cancel_appointment, goodbye ]
        keys: { "0": callback, "9": message }
        tries: 3
        into: wish
        otherwise:
          - goto: wish
    - when:
        - if: wish == 'callback'
          do: [ goto: long ]
        - if: wish == 'message'
          do: [ goto: record ]
        - if: wish == 'goodbye'
          do: [ hangup: {} ]
    - say: { da: "Noteret.", en: "Noted." }
    - goto: wish
  long:
    - say:
        da: "Du valgte {{ wish }}. Vi har mange opgaver, og derfor tager det her lidt længere tid at sige end det, vi ellers siger, når nogen ringer."
        en: "You chose {{ wish }}. We do a lot, and so this takes a little longer to say than what we say otherwise when somebody calls."
    - goto: wish
  record:
    - record:
        say: { da: "Værsgo.", en: "Please." }
        into: recording
        max_seconds: 20
        silence_seconds: 1
        otherwise:
          - goto: wish
    - say: { da: "Optaget.", en: "Recorded." }
    - goto: wish
"#;
