//! `hotline test`: plays the stories written beside the flows.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::stop::FAILED;
use super::{Stop, open, transcript};
use crate::dialog::Playbook;
use crate::dialog::rehearsal::story::{Played, play};
use crate::flow::{Finding, Library};

/// Plays the stories written beside the flows, under virtual time.
///
/// A story that goes otherwise is shown with its file and line, what it expects and what came.
/// Exits 1 when any story fails.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of flows and tenants [default: the configured one, else the built-in sample]
    folder: Option<PathBuf>,
    /// Only this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Only stories whose name contains this
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Show every call that fails from its beginning to its end
    #[arg(long, short)]
    verbose: bool,
    /// One JSON object per story
    #[arg(long)]
    json: bool,
}

/// One story with how it went.
struct Told<'a> {
    tenant: &'a str,
    file: &'a str,
    name: &'a str,
    played: Played,
    findings: Vec<Finding>,
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let opened = open::library(self.folder.as_deref(), config)?;
        let from = opened.from.clone();
        let library = opened.whole()?;
        let began = Instant::now();
        let (mut stories, mut failed) = (0_usize, 0_usize);
        for playbook in self.playbooks(&library)? {
            for result in results(&library, &playbook, self.name.as_deref()) {
                stories += 1;
                failed += usize::from(!result.findings.is_empty());
                if self.json {
                    writeln!(out, "{}", of_json(&result))?;
                } else if !result.findings.is_empty() {
                    self.show(&result, out)?;
                }
            }
        }
        if !self.json {
            let plural = if stories == 1 { "story" } else { "stories" };
            let spent = began.elapsed().as_millis();
            let holds = match failed {
                0 => "all hold".to_owned(),
                failed => format!("{failed} failed"),
            };
            writeln!(out, "{stories} {plural} in {from}: {holds} ({spent} ms)")?;
        }
        Ok(if failed == 0 { 0 } else { FAILED })
    }

    fn playbooks(&self, library: &Library) -> Result<Vec<Arc<Playbook>>, Stop> {
        if self.tenant.is_some() {
            return Ok(vec![open::playbook(library, self.tenant.as_deref())?]);
        }
        let names = library
            .shelves()
            .map(|shelf| shelf.tenant.tenant.0.as_str());
        names
            .map(|name| open::playbook(library, Some(name)))
            .collect()
    }

    fn show(&self, result: &Told<'_>, out: &mut dyn Write) -> Result<(), Stop> {
        writeln!(out, "failed: {} ({})\n", result.name, result.tenant)?;
        for finding in &result.findings {
            writeln!(out, "{}\n", finding.render(io::stdout().is_terminal()))?;
        }
        if self.verbose {
            for entry in &result.played.entries {
                for line in transcript::lines(entry, true) {
                    writeln!(out, "    {line}")?;
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// Plays the stories of a tenant.
fn results<'a>(
    library: &'a Library,
    playbook: &Arc<Playbook>,
    name: Option<&str>,
) -> Vec<Told<'a>> {
    let tenant = &playbook.shelf.tenant.tenant;
    let Some(shelf) = library.shelf(tenant) else {
        return Vec::new();
    };
    let mut results = Vec::new();
    for file in library.stories(tenant) {
        for (number, story) in file.stories().iter().enumerate() {
            if name.is_some_and(|name| !story.name.contains(name)) {
                continue;
            }
            let played = play(playbook, story);
            let findings = played
                .shortfalls
                .iter()
                .map(|it| {
                    file.mismatch(
                        number,
                        it.turn.unwrap_or_default(),
                        it.field,
                        it.to_string(),
                    )
                })
                .collect();
            results.push(Told {
                tenant: &shelf.tenant.tenant.0,
                file: file.file(),
                name: &story.name,
                played,
                findings,
            });
        }
    }
    results
}

fn of_json(result: &Told<'_>) -> serde_json::Value {
    json!({
        "tenant": result.tenant,
        "file": result.file,
        "story": result.name,
        "holds": result.findings.is_empty(),
        "findings": result.findings,
    })
}
