//! `hotline doctor`: reaches every configured part and says what is wrong and what to do.

mod asterisk;
mod freeswitch;
mod parts;

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::Stop;
use super::stop::FAILED;
use crate::config::Config;

/// Reaches every configured part and says what is wrong and what to do.
///
/// Logs in to the PBX, greets the mail server, loads the recognition models, opens the store and
/// looks at ports, files and flows. A running service is not disturbed. Exits 1 when any part is
/// wrong.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One JSON object with all parts
    #[arg(long)]
    json: bool,
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    /// As it should be.
    Well,
    /// It works, but hardly as meant.
    Odd,
    /// It does not work.
    Wrong,
}

/// What was found about one part.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Diagnosis {
    part: &'static str,
    health: Health,
    says: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    remedy: String,
}

impl Diagnosis {
    fn well(part: &'static str, says: impl Into<String>) -> Self {
        Self {
            part,
            health: Health::Well,
            says: says.into(),
            remedy: String::new(),
        }
    }

    fn odd(part: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            health: Health::Odd,
            remedy: remedy.into(),
            ..Self::well(part, says)
        }
    }

    fn wrong(part: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            health: Health::Wrong,
            remedy: remedy.into(),
            ..Self::well(part, says)
        }
    }
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let settings = Config::load(config)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let diagnoses = runtime.block_on(parts::examine(&settings));
        // A model that is still loading is not waited for.
        runtime.shutdown_background();
        let worst = diagnoses
            .iter()
            .map(|it| it.health)
            .max()
            .unwrap_or(Health::Well);
        if self.json {
            let whole = json!({ "health": worst, "parts": diagnoses });
            writeln!(out, "{whole}")?;
        } else {
            show(&diagnoses, out)?;
        }
        Ok(if worst == Health::Wrong { FAILED } else { 0 })
    }
}

fn show(diagnoses: &[Diagnosis], out: &mut dyn Write) -> Result<(), Stop> {
    for Diagnosis {
        part,
        health,
        says,
        remedy,
    } in diagnoses
    {
        let mark = match health {
            Health::Well => "ok",
            Health::Odd => "odd",
            Health::Wrong => "WRONG",
        };
        let mut lines = says.lines();
        writeln!(
            out,
            "{mark:6} {part:14} {}",
            lines.next().unwrap_or_default()
        )?;
        for line in lines {
            writeln!(out, "{:21} {line}", "")?;
        }
        if !remedy.is_empty() {
            writeln!(out, "{:21} -> {remedy}", "")?;
        }
    }
    let count = |health| diagnoses.iter().filter(|it| it.health == health).count();
    match (count(Health::Wrong), count(Health::Odd)) {
        (0, 0) => writeln!(out, "\nall is well")?,
        (0, odd) => writeln!(out, "\nnothing is wrong, {odd} odd")?,
        (wrong, odd) => writeln!(out, "\n{wrong} wrong, {odd} odd")?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_shown_with_what_to_do() {
        let diagnoses = [
            Diagnosis::well("store", "state/hotline.redb"),
            Diagnosis::wrong(
                "asterisk",
                "connection refused\nat 127.0.0.1:5038",
                "start Asterisk",
            ),
        ];
        let mut out = Vec::new();
        show(&diagnoses, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        ok     store          state/hotline.redb
        WRONG  asterisk       connection refused
                              at 127.0.0.1:5038
                              -> start Asterisk

        1 wrong, 0 odd
        ");
    }
}
