//! How many flow files are read and checked in a second.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use hotline::flow::{Library, report};
use street::hotline::project;

use crate::report::{Reach, Row};

/// Copies of the sample municipality, each a tenant of its own.
const TENANTS: usize = 50;

/// Times that all are checked; the quickest counts.
const ROUNDS: usize = 3;

/// Measures the check of the common flows and many tenants.
pub(crate) fn measure() -> Result<Vec<Row>> {
    eprintln!("bench: flows of {TENANTS} tenants");
    let mut files = texts("common", "flows/common")?;
    for number in 0..TENANTS {
        let name = format!("egekoebing{number}");
        for (file, text) in texts("egekoebing", &format!("flows/{name}"))? {
            let text = text
                .replace("tenant: egekoebing", &format!("tenant: {name}"))
                .replace("+4570101010", &format!("+45701{:05}", number * 2))
                .replace("70101011", &format!("701{:05}", number * 2 + 1));
            files.push((file, text));
        }
    }
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let (library, findings) = Library::read(&files);
        best = best.min(began.elapsed().as_secs_f64());
        let Some(library) = library else {
            bail!("the copies are not right:\n{}", report(&findings, false));
        };
        if library.shelves().count() != TENANTS {
            bail!("{} tenants were read", library.shelves().count());
        }
    }
    let value = files.len() as f64 / best;
    Ok(vec![Row::new(
        "flow.check_per_s",
        value,
        "files/s",
        Reach::Nothing,
    )])
}

/// Returns the YAML files of one folder and of the stories in it, named as if they lay elsewhere.
fn texts(folder: &str, named: &str) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for part in ["", "/tests"] {
        let place = project().join(format!("flows/{folder}{part}"));
        for entry in fs::read_dir(place).into_iter().flatten() {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .context("no file name")?;
            if name.ends_with(".yaml") {
                files.push((format!("{named}{part}/{name}"), fs::read_to_string(&path)?));
            }
        }
    }
    Ok(files)
}
