//! `hotline notice`: emergency messages, from a shell.

use std::io::Write;
use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use super::Stop;
use super::callback::{table, text};
use super::supervisor::Supervisor;
use crate::http::NoticeWish;
use crate::words::{Language, Texts};

/// Switches messages on that every caller hears first, and off again.
///
/// Asks the running service over HTTP, with the token from its state folder. When no service is
/// running, the store is opened instead.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Switch a notice on: a prepared one of that name, or any text
    On {
        /// Whose callers hear it
        tenant: String,
        /// Its name; one under `notices` in tenant.yaml needs no text
        name: String,
        /// What is said, once per language, such as --text da='Vi har lukket i dag.'
        #[arg(long, value_name = "LANGUAGE=TEXT", value_parser = spoken)]
        text: Vec<(Language, String)>,
        /// When it ends by itself, in the tenant's zone, such as '2026-11-24 16:00'
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Switch a notice off
    Off {
        /// Whose
        tenant: String,
        /// Its name
        name: String,
    },
    /// Show the notices in force
    List {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Reads `da=Vi har lukket.`
fn spoken(argument: &str) -> Result<(Language, String), String> {
    let (language, text) = argument
        .split_once('=')
        .ok_or("write the language, =, and the text, such as da='Vi har lukket.'")?;
    let language = language
        .parse::<Language>()
        .map_err(|error| error.to_string())?;
    match text.trim() {
        "" => Err("the text is empty".to_owned()),
        text => Ok((language, text.to_owned())),
    }
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let supervisor = Supervisor::reach(config)?;
        match self.deed {
            Deed::On {
                tenant,
                name,
                text: texts,
                until,
            } => {
                let texts: Texts = texts.into_iter().collect();
                let wish = NoticeWish {
                    text: (!texts.is_empty()).then_some(texts),
                    until,
                };
                let switched = supervisor.notice_on(&tenant, &name, &wish)?;
                let until = match &switched["notice"]["until"] {
                    serde_json::Value::String(until) => format!("until {until}"),
                    _ => "until it is switched off".to_owned(),
                };
                writeln!(out, "callers of {tenant} hear {name} {until}")?;
            }
            Deed::Off { tenant, name } => {
                supervisor.notice_off(&tenant, &name)?;
                writeln!(out, "callers of {tenant} do not hear {name} any more")?;
            }
            Deed::List { json } => {
                let notices = supervisor.notices()?;
                if json {
                    writeln!(out, "{}", json!({ "notices": notices }))?;
                } else if notices.is_empty() {
                    writeln!(out, "no notices in force")?;
                } else {
                    let mut rows =
                        vec![["TENANT", "NAME", "SINCE", "UNTIL", "BY", "TEXT"].map(str::to_owned)];
                    rows.extend(notices.iter().map(|it| {
                        let notice = &it["notice"];
                        let said = notice["text"].as_object().and_then(|it| it.values().next());
                        [
                            text(&it["tenant"]),
                            text(&notice["name"]),
                            text(&it["since"]),
                            text(&notice["until"]),
                            text(&it["by"]),
                            said.map(text).unwrap_or_default(),
                        ]
                    }));
                    for line in table(&rows) {
                        writeln!(out, "{line}")?;
                    }
                }
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_given_with_its_language() {
        assert_eq!(
            spoken("da=Vi har lukket: a=b"),
            Ok((Language::DA, "Vi har lukket: a=b".to_owned()))
        );
        for wrong in ["Vi har lukket", "dansk=Vi har lukket", "da= "] {
            assert!(spoken(wrong).is_err(), "{wrong}");
        }
    }
}
