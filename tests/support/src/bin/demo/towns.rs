//! The project's own municipality, copied so that the demo is the same at every hour: one number
//! that is always open and one whose offices are closed today.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use street::hotline::project;
use tempfile::TempDir;

/// The number that is open round the clock.
pub(crate) const OPEN: &str = "70101010";
/// The number that has a day off today.
pub(crate) const CLOSED: &str = "70101011";

/// Queues that the municipality's departments have at the PBX.
pub(crate) const QUEUES: &[&str] = &[
    "omstilling",
    "borgerservice",
    "jobcenter",
    "byggesag",
    "affald",
    "parkering",
    "skole",
    "hjemmepleje",
    "betaling",
    "miljoe",
    "kultur",
];

/// From how many seconds of waiting the copy offers a callback.
pub(crate) const LONG_WAIT: u32 = 3;

/// Copies the flows and the tenant into a folder of its own and changes hours and numbers.
pub(crate) fn copy() -> Result<TempDir> {
    let folder = tempfile::Builder::new()
        .prefix("hotline-demo-flows-")
        .tempdir()?;
    let flows = project().join("flows");
    let common = folder.path().join("common");
    fs::create_dir(&common)?;
    for entry in fs::read_dir(flows.join("common"))? {
        let path = entry?.path();
        if let Some(name) = path.file_name()
            && path
                .extension()
                .is_some_and(|extension| extension == "yaml")
        {
            fs::copy(&path, common.join(name))?;
        }
    }
    let source = flows.join("egekoebing/tenant.yaml");
    let text = fs::read_to_string(&source).with_context(|| format!("{}", source.display()))?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    for (id, tenant) in [
        ("egekoebing", open(&text)?),
        ("egekoebing_lukket", closed(&text, seconds)?),
    ] {
        let place = folder.path().join(id);
        fs::create_dir(&place)?;
        fs::write(place.join("tenant.yaml"), tenant)?;
    }
    Ok(folder)
}

/// Makes the tenant that is open round the clock and whose waits are long soon.
fn open(tenant: &str) -> Result<String> {
    let mut text = without(&without(tenant, "hours:"), "holidays:");
    text.push_str("\nhours: { mon-sun: \"00:00-24:00\" }\n");
    replace(&mut text, "\nnumbers: ", &format!("[ \"+45{OPEN}\" ]"))?;
    replace(
        &mut text,
        "\n  offer_from_seconds: ",
        &LONG_WAIT.to_string(),
    )?;
    Ok(text)
}

/// Makes the tenant with its real hours and a day off now; days before and after as well, because
/// the time zone is the tenant's.
fn closed(tenant: &str, seconds: u64) -> Result<String> {
    let mut text = tenant.to_owned();
    replace(&mut text, "\ntenant: ", "egekoebing_lukket")?;
    replace(&mut text, "\nnumbers: ", &format!("[ \"{CLOSED}\" ]"))?;
    // Departments with hours of their own, too, keep the tenant's holidays.
    text = without(&text, "holidays:");
    let today = seconds / 86_400;
    let days: Vec<String> = (today.saturating_sub(1)..=today + 1)
        .map(|day| format!("{}: \"\"", date(day)))
        .collect();
    text.push_str(&format!(
        "\nholidays: {{ days: {{ {} }} }}\n",
        days.join(", ")
    ));
    Ok(text)
}

/// Takes every block of that name out of a YAML text: its line and the lines set deeper below it.
fn without(text: &str, name: &str) -> String {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut inside = None;
    let kept = text.lines().filter(|line| {
        if let Some(outer) = inside {
            if line.trim().is_empty() || depth(line) > outer {
                return false;
            }
            inside = None;
        }
        if line.trim_start().starts_with(name) {
            inside = Some(depth(line));
            return false;
        }
        true
    });
    let mut kept = kept.collect::<Vec<_>>().join("\n");
    kept.push('\n');
    kept
}

/// Replaces the rest of the line after a key.
fn replace(text: &mut String, key: &str, value: &str) -> Result<()> {
    let from = text.find(key).map(|at| at + key.len());
    ensure!(
        from.is_some(),
        "the tenant file has no {:?} any more",
        key.trim()
    );
    let from = from.unwrap_or_default();
    let to = text[from..].find('\n').map_or(text.len(), |end| from + end);
    text.replace_range(from..to, value);
    Ok(())
}

/// Writes a day, counted from 1 January 1970, as a date.
fn date(mut day: u64) -> String {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "# By\ntenant: by\nnumbers: [ \"1\" ]\n\nhours:\n  mon: \"09:00-15:00\"\n\n\
                          holidays:\n  days:\n    2026-12-23: \"\"\n\ncallback:\n  \
                          offer_from_seconds: 300\n\ndepartments:\n  a:\n    queue: a\n    \
                          hours:\n      tue: \"10:00-14:00\"\n    mail: a@b.invalid\n";

    #[test]
    fn the_open_copy_has_no_hours_but_round_the_clock() {
        let text = open(TENANT).unwrap();
        assert_eq!(text.matches("hours:").count(), 1, "{text}");
        assert!(text.contains("00:00-24:00"));
        assert!(
            text.contains("    queue: a\n    mail: a@b.invalid\n"),
            "{text}"
        );
        assert!(text.contains("offer_from_seconds: 3\n"), "{text}");
        assert!(!text.contains("2026-12-23"), "{text}");
    }

    #[test]
    fn the_closed_copy_keeps_its_hours_and_has_a_day_off() {
        let text = closed(TENANT, 1_709_164_800).unwrap();
        assert!(text.contains("09:00-15:00") && text.contains("10:00-14:00"));
        assert!(
            text.contains("2024-02-28: \"\", 2024-02-29: \"\", 2024-03-01: \"\""),
            "{text}"
        );
    }

    #[test]
    fn days_are_written_as_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(10_957 + 366), "2001-01-01");
        assert_eq!(date(20_453), "2025-12-31");
    }
}
