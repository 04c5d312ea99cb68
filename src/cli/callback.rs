//! `hotline callback`: what a supervisor does with callbacks, from a shell.

use std::io::Write;
use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Stop;
use super::supervisor::Supervisor;
use crate::http::NewCallback;
use crate::service::Filter;
use crate::words::{DepartmentId, TenantId};

/// Lists, adds, cancels and triggers callbacks.
///
/// Asks the running service over HTTP, with the token from its state folder. When no service is
/// running, the store is opened instead; what is ordered then is done once the service starts.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Show callbacks that wait or are under way
    List {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<String>,
        /// Only this department's
        #[arg(long)]
        department: Option<String>,
        /// Also those that are over
        #[arg(long)]
        all: bool,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Promise somebody a callback
    Add {
        /// On whose behalf
        #[arg(long)]
        tenant: String,
        /// Who calls
        #[arg(long)]
        department: String,
        /// The number to call
        #[arg(long)]
        number: String,
        /// The name of who is called
        #[arg(long)]
        name: Option<String>,
        /// What it is about
        #[arg(long, default_value = "")]
        reason: String,
        /// The language to speak [default: the tenant's first]
        #[arg(long, value_name = "da|en")]
        language: Option<String>,
        /// A time in the tenant's zone, such as '2026-11-24 10:00' [default: when the queue is short]
        #[arg(long, value_name = "TIME")]
        due: Option<String>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Take a callback back; a telephone that rings is hung up
    Cancel {
        /// Its reference, such as 4F7K2
        reference: String,
    },
    /// Have a callback dialled now, whatever the hours and the queue
    Trigger {
        /// Its reference, such as 4F7K2
        reference: String,
    },
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let supervisor = Supervisor::reach(config)?;
        match self.deed {
            Deed::List {
                tenant,
                department,
                all,
                json,
            } => {
                let filter = Filter {
                    tenant: tenant.map(TenantId),
                    department: department.map(DepartmentId),
                    over: all,
                };
                let callbacks = supervisor.callbacks(&filter)?;
                if json {
                    writeln!(out, "{}", json!({ "callbacks": callbacks }))?;
                } else {
                    show(&callbacks, out)?;
                }
            }
            Deed::Add {
                tenant,
                department,
                number,
                name,
                reason,
                language,
                due,
                json,
            } => {
                let noted = supervisor.add_callback(&NewCallback {
                    tenant,
                    department,
                    number,
                    name,
                    reason,
                    language,
                    due,
                })?;
                let reference = text(&noted["reference"]);
                match noted["already_noted"].as_bool() {
                    _ if json => writeln!(out, "{noted}")?,
                    Some(true) => {
                        writeln!(out, "{reference} was promised before and still stands")?
                    }
                    _ => writeln!(out, "{reference} is noted{}", later(&supervisor))?,
                }
            }
            Deed::Cancel { reference } => {
                let callback = supervisor.cancel_callback(&reference)?;
                writeln!(out, "{} is cancelled", text(&callback["reference"]))?;
            }
            Deed::Trigger { reference } => {
                let callback = supervisor.trigger_callback(&reference)?;
                let reference = text(&callback["reference"]);
                let when = if supervisor.is_running() {
                    "is dialled now"
                } else {
                    "is dialled when the service starts"
                };
                writeln!(out, "{reference} {when}")?;
            }
        }
        Ok(0)
    }
}

fn later(supervisor: &Supervisor) -> &'static str {
    if supervisor.is_running() {
        ""
    } else {
        "; no service is running, it is done once one is"
    }
}

fn show(callbacks: &[Value], out: &mut dyn Write) -> Result<(), Stop> {
    if callbacks.is_empty() {
        writeln!(out, "no callbacks")?;
        return Ok(());
    }
    let mut rows = vec![
        [
            "REFERENCE",
            "STATE",
            "DEPARTMENT",
            "NUMBER",
            "DUE",
            "TRIES",
            "ABOUT",
        ]
        .map(str::to_owned),
    ];
    for callback in callbacks {
        rows.push([
            text(&callback["reference"]),
            state(&callback["state"]),
            format!(
                "{}/{}",
                text(&callback["tenant"]),
                text(&callback["department"])
            ),
            text(&callback["number"]),
            due(callback),
            callback["attempts"]
                .as_array()
                .map_or(0, Vec::len)
                .to_string(),
            text(&callback["reason"]),
        ]);
    }
    for line in table(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Writes rows in columns as wide as their widest cell; the last column ends where it ends.
pub(super) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Returns a JSON text without its quotes; nothing for what is no text.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Names a state that may carry a reason: `waiting`, `failed (expired)`.
fn state(value: &Value) -> String {
    match value.as_object().and_then(|it| it.iter().next()) {
        Some((state, why)) => format!("{state} ({})", text(why).replace('_', " ")),
        None => text(value),
    }
}

fn due(callback: &Value) -> String {
    if callback["triggered"].as_bool() == Some(true) {
        return "now".to_owned();
    }
    match &callback["due"]["at"] {
        Value::String(at) => at.clone(),
        _ => "queue short".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_are_shown_as_a_table() {
        let callbacks = [
            json!({
                "reference": "4F7K2", "tenant": "lilleby", "department": "desk",
                "number": "+4520123456", "state": "waiting", "due": "queue_short",
                "triggered": false, "attempts": [], "reason": "pas",
            }),
            json!({
                "reference": "9QX", "tenant": "lilleby", "department": "job_centre",
                "number": "+4520123457", "state": { "failed": "not_reached" },
                "due": { "at": "2026-11-24T09:00:00Z" }, "triggered": false,
                "attempts": [{}, {}, {}], "reason": "",
            }),
        ];
        let mut out = Vec::new();
        show(&callbacks, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        REFERENCE  STATE                 DEPARTMENT          NUMBER       DUE                   TRIES  ABOUT
        4F7K2      waiting               lilleby/desk        +4520123456  queue short           0      pas
        9QX        failed (not reached)  lilleby/job_centre  +4520123457  2026-11-24T09:00:00Z  3
        ");
    }
}
