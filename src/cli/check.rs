//! `hotline check`: everything that is wrong with configuration, tenants and flows.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::stop::FAILED;
use super::{Stop, open};
use crate::flow::{Finding, report};

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
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let opened = open::library(self.folder.as_deref(), config)?;
        let findings = opened.findings;
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
