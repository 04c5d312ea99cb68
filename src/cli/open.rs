//! Opens what several verbs need: the library of flows and one tenant's playbook.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Stop;
use crate::config::Config;
use crate::dialog::Playbook;
use crate::flow::{Finding, Library, did_you_mean, report};
use crate::words::TenantId;

/// A library with what was found while it was read.
pub(super) struct Opened {
    /// The library, unless there were errors.
    pub(super) library: Option<Library>,
    /// Errors and warnings.
    pub(super) findings: Vec<Finding>,
    /// Where it was read from, for people.
    pub(super) from: String,
}

/// Reads the folder named, else the configured one, else (when that does not exist and nobody
/// chose it) the sample that the program carries.
pub(super) fn library(named: Option<&Path>, config: Option<&Path>) -> Result<Opened, Stop> {
    let folder = match named {
        Some(folder) => folder.to_owned(),
        None => {
            let configured = Config::load(config)?.flows;
            if !configured.exists() && configured == Path::new("flows") {
                let (library, findings) = Library::embedded();
                let from = "the built-in sample (there is no folder `flows` here)".to_owned();
                return Ok(Opened {
                    library,
                    findings,
                    from,
                });
            }
            configured
        }
    };
    let (library, findings) = Library::load(&folder);
    Ok(Opened {
        library,
        findings,
        from: folder.display().to_string(),
    })
}

impl Opened {
    /// Returns the library, or shows the errors and stops.
    pub(super) fn whole(self) -> Result<Library, Stop> {
        let Self {
            library,
            findings,
            from,
        } = self;
        library.ok_or_else(|| {
            let _ = writeln!(
                io::stderr(),
                "{}",
                report(&findings, io::stderr().is_terminal())
            );
            Stop::failed(
                format!("there are mistakes in {from}"),
                "correct them, then try again; `hotline check` shows them once more",
            )
        })
    }
}

/// Returns the playbook of the tenant named, or of the first one.
pub(super) fn playbook(library: &Library, named: Option<&str>) -> Result<Arc<Playbook>, Stop> {
    let names: Vec<&str> = library
        .shelves()
        .map(|shelf| shelf.tenant.tenant.0.as_str())
        .collect();
    let shelf = match named {
        Some(name) => library
            .shelf(&TenantId::from(name))
            .or_else(|| library.shelf_for(name))
            .ok_or_else(|| {
                Stop::usage(
                    format!("there is no tenant {name:?}"),
                    did_you_mean(name, names.iter().copied()).unwrap_or_default(),
                )
            })?,
        None => library.shelves().next().ok_or_else(|| {
            Stop::usage(
                "there is no tenant",
                "write flows/<name>/tenant.yaml; the sample in the source's flows folder shows how",
            )
        })?,
    };
    let playbook = Playbook::new(shelf.clone())
        .map_err(|error| Stop::failed(error.to_string(), "run `hotline check`"))?;
    Ok(Arc::new(playbook))
}

/// The argument that names a folder of flows.
#[derive(Debug, clap::Args)]
pub(super) struct FlowsFolder {
    /// The folder of flows and tenants [default: the configured one, else the built-in sample]
    #[arg(long = "flows", value_name = "DIR")]
    pub(super) folder: Option<PathBuf>,
}
