//! The rows of the report, as a table for people and as JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What a row must reach.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach {
    /// The value is at most this.
    AtMost(f64),
    /// Value by floor is at most this.
    RatioAtMost(f64),
    /// Value by floor is at least this.
    RatioAtLeast(f64),
    /// Nothing: it is only told.
    Nothing,
}

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    floor: Option<f64>,
    reach: Reach,
}

impl Row {
    /// Makes a row.
    pub(crate) fn new(
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        reach: Reach,
    ) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            floor: None,
            reach,
        }
    }

    /// Adds what the same work costs without us.
    pub(crate) fn over(mut self, floor: f64) -> Self {
        self.floor = Some(floor);
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.floor
            .filter(|floor| *floor > 0.0)
            .map(|floor| self.value / floor)
    }

    fn is_reached(&self) -> Option<bool> {
        match self.reach {
            Reach::AtMost(most) => Some(self.value <= most),
            Reach::RatioAtMost(most) => Some(self.ratio().is_some_and(|ratio| ratio <= most)),
            Reach::RatioAtLeast(least) => Some(self.ratio().is_some_and(|ratio| ratio >= least)),
            Reach::Nothing => None,
        }
    }
}

/// All rows of one run.
#[derive(Debug)]
pub(crate) struct Report {
    rows: Vec<Row>,
    /// Rows that could not be measured, with the reason.
    lost: Vec<(String, String)>,
    /// Rows that this machine has no part for, with the reason; that is no failure.
    skipped: Vec<(String, String)>,
}

impl Report {
    /// Makes an empty report.
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            lost: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Says why rows are not even tried.
    pub(crate) fn skip<N: AsRef<str>>(&mut self, names: &[N], reason: &str) {
        let skipped = names
            .iter()
            .map(|name| (name.as_ref().to_owned(), reason.to_owned()));
        self.skipped.extend(skipped);
    }

    /// Takes the rows of one measurement, or the reason why the rows named are missing.
    pub(crate) fn take<N: AsRef<str>>(&mut self, names: &[N], measured: Result<Vec<Row>>) {
        match measured {
            Ok(rows) => self.rows.extend(rows),
            Err(error) => {
                let reason = format!("{error:#}");
                let lost = names
                    .iter()
                    .map(|name| (name.as_ref().to_owned(), reason.clone()));
                self.lost.extend(lost);
            }
        }
    }

    /// Tells whether every row was measured that this machine has the parts for.
    pub(crate) fn is_complete(&self) -> bool {
        self.lost.is_empty()
    }

    /// Writes the rows as a JSON list.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let lost = self.lost.iter().chain(&self.skipped).map(|(name, _)| {
            json!({ "name": name, "value": null, "unit": null, "floor": null, "ratio": null })
        });
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.name,
                    "value": rounded(row.value),
                    "unit": row.unit,
                    "floor": row.floor.map(rounded),
                    "ratio": row.ratio().map(rounded),
                })
            })
            .chain(lost)
            .collect();
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, format!("{:#}\n", Value::Array(rows)))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// Draws the table.
    pub(crate) fn table(&self) -> String {
        let mut table = format!(
            "\n{:<26}{:>11}  {:<10}{:>10}{:>8}  {:<14}\n",
            "name", "value", "unit", "floor", "ratio", "must reach"
        );
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), figure);
        for row in &self.rows {
            let verdict = match row.is_reached() {
                Some(true) => "ok",
                Some(false) => "MISSED",
                None => "",
            };
            let reach = match row.reach {
                Reach::AtMost(most) => format!("≤ {most}"),
                Reach::RatioAtMost(most) => format!("ratio ≤ {most}"),
                Reach::RatioAtLeast(least) => format!("ratio ≥ {least}"),
                Reach::Nothing => "-".to_owned(),
            };
            let _ = writeln!(
                table,
                "{:<26}{:>11}  {:<10}{:>10}{:>8}  {:<14}{verdict}",
                row.name,
                figure(row.value),
                row.unit,
                number(row.floor),
                number(row.ratio()),
                reach,
            );
        }
        let mut told = "";
        let lost = self.lost.iter().map(|row| ("NOT MEASURED", row));
        let skipped = self.skipped.iter().map(|row| ("skipped", row));
        for (what, (name, reason)) in lost.chain(skipped) {
            let again = if told == reason {
                "as above"
            } else {
                reason.as_str()
            };
            let _ = writeln!(table, "{name:<26}{what}: {again}");
            told = reason;
        }
        let missed = self
            .rows
            .iter()
            .filter(|row| row.is_reached() == Some(false))
            .count();
        if missed > 0 {
            let _ = writeln!(table, "\n{missed} MISSED");
        }
        table
    }
}

/// Writes a number with as many digits as tell something.
fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        middle if middle >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Leaves out digits that no measurement has.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// Returns the value below which this share of the values lies.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let place = (last as f64 * share).ceil() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}
