//! `hotline check`: everything that is wrong with configuration, tenants and flows.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::runtime::Runtime;

use super::stop::FAILED;
use super::{Stop, open};
use crate::config::Config;
use crate::dialog::Playbook;
use crate::flow::{Finding, Library, report};
use crate::speech::{Survey, Voice};

/// Checks configuration, tenants and flows.
///
/// Shows every finding with its file, line and column, the line itself and a suggestion. Exits 1
/// when any of them is an error; warnings alone exit 0.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of flows and tenants [default: the configured one, else the built-in sample]
    folder: Option<PathBuf>,
    /// One JSON object with all findings
    #[arg(long)]
    json: bool,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Look for fixed texts that no caller would hear as well: neither recorded, nor kept, nor to
    /// be made by a voice that is well
    #[arg(long)]
    voices: bool,
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let opened = open::library(self.folder.as_deref(), config)?;
        let mut findings = opened.findings;
        if let Some(library) = opened.library.as_ref().filter(|_| self.voices) {
            let survey = survey(library, config)?;
            if !self.json {
                writeln!(
                    out,
                    "fixed texts: {} recorded, {} kept, {} to be made, {} that nobody can say",
                    survey.recorded,
                    survey.kept,
                    survey.makeable,
                    survey.lacking.len()
                )?;
            }
            findings.extend(unheard(&survey));
        }
        let errors = findings.iter().filter(|it| it.is_error()).count();
        let warnings = findings.len() - errors;
        if self.json {
            let whole = json!({
                "checked": opened.from,
                "errors": errors,
                "warnings": warnings,
                "findings": findings,
            });
            writeln!(out, "{whole}")?;
        } else {
            self.show(&findings, &opened.from, out)?;
        }
        let bad = errors > 0 || (self.strict && warnings > 0) || opened.library.is_none();
        Ok(if bad { FAILED } else { 0 })
    }

    fn show(&self, findings: &[Finding], from: &str, out: &mut dyn Write) -> Result<(), Stop> {
        let text = report(findings, io::stdout().is_terminal());
        writeln!(out, "{text} in {from}")?;
        Ok(())
    }
}

/// Looks through the fixed texts of all tenants.
fn survey(library: &Library, config: Option<&Path>) -> Result<Survey, Stop> {
    let config = Config::load(config)?;
    let mut texts = BTreeSet::new();
    for shelf in library.shelves() {
        let playbook = Playbook::new(shelf.clone())
            .map_err(|error| Stop::failed(error.to_string(), "run `hotline check`"))?;
        texts.extend(playbook.repertoire());
    }
    let voice = Voice::new(&config.speech);
    Ok(Runtime::new()?.block_on(voice.survey(texts)))
}

/// Makes findings of texts that cannot be said and of recordings that cannot be played.
fn unheard(survey: &Survey) -> Vec<Finding> {
    let damaged = survey.damaged.iter().map(|it| {
        let file = it.file.display().to_string();
        let message = format!("this recording in {} cannot be played", it.setting);
        Finding::of_file(&file, message).suggest(it.reason.clone())
    });
    let lacking = survey.lacking.iter().map(|it| {
        let file = it.file.display().to_string();
        let text: String = it.text.chars().take(80).collect();
        let message = format!("nobody can say {text:?} in {}: {}", it.language, it.reason);
        Finding::of_file(&file, message)
            .suggest("put a voice in order, or record the text under this name (speech.prompts)")
    });
    damaged.chain(lacking).collect()
}
