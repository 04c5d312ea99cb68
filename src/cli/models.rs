//! `hotline models`: which models there are for which language, where they come from and how well
//! they are said to do; and whether those that lie here are complete. It downloads nothing.

mod check;

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Stop;
use crate::speech::recognisers::sherpa;
use crate::words::Language;

/// Tell which models there are, and check those that lie here.
///
/// Without a verb it lists what to download for which language, from where, under which licence and
/// with which published accuracy, with the lines to put into the configuration. It downloads nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Those of a language only, such as da
    #[arg(long)]
    language: Option<Language>,
    /// Those of an engine only, such as sherpa
    #[arg(long)]
    engine: Option<String>,
    /// One JSON array with all of them
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    deed: Option<Deed>,
}

#[derive(Debug, clap::Subcommand)]
enum Deed {
    /// Check a model's folder, or all that are configured: sizes, checksums, completeness
    Check(check::Arguments),
    /// Load a model and have it recognise a sound; for the service, which does not risk its own process
    #[command(hide = true)]
    Rehearse {
        language: Language,
        settings: String,
    },
}

/// A model that is known.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    name: String,
    engine: String,
    languages: Vec<Language>,
    does: String,
    from: String,
    /// Shell lines that fetch it; URL stands for where it comes from.
    get: String,
    licence: String,
    /// What has to be downloaded.
    megabytes: u32,
    #[serde(default)]
    accuracy: Vec<Accuracy>,
    /// Lines for the configuration.
    #[serde(default)]
    settings: String,
    /// By whom it was tried with Hotline, where that has to be said.
    #[serde(default)]
    tried: String,
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    archive: Option<File>,
    /// Where sizes and checksums were stated.
    #[serde(default)]
    checksums: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accuracy {
    says: String,
    source: String,
}

/// A file of a model; without a checksum where none is published.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    bytes: Option<u64>,
    #[serde(default)]
    sha256: Option<String>,
}

/// Reads the list that the program carries.
fn known() -> Result<Vec<Model>, Stop> {
    serde_saphyr::from_str(include_str!("models.yaml")).map_err(|error| {
        Stop::failed(
            format!("the list of models in this program is broken: {error}"),
            "this is a mistake of Hotline; report it",
        )
    })
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        match self.deed {
            Some(Deed::Check(check)) => return check.run(config, &known()?, out),
            Some(Deed::Rehearse { language, settings }) => {
                return rehearse(language, &settings, out);
            }
            None => {}
        }
        let mut models = known()?;
        models.retain(|model| {
            self.language
                .is_none_or(|language| model.languages.contains(&language))
                && self
                    .engine
                    .as_ref()
                    .is_none_or(|engine| model.engine == *engine)
        });
        if self.json {
            writeln!(out, "{}", serde_json::json!(models))?;
            return Ok(0);
        }
        if models.is_empty() {
            writeln!(out, "none is known; `hotline models` lists all")?;
        }
        for model in &models {
            model.show(out)?;
        }
        let danish = self
            .language
            .is_none_or(|language| language == Language::DA);
        if danish && self.engine.as_ref().is_none_or(|engine| engine == "vosk") {
            writeln!(out, "There is no Danish model for Vosk.")?;
        }
        writeln!(
            out,
            "English also works with pocketsphinx: apt-get install libpocketsphinx3 \
             pocketsphinx-en-us\nNo figure was measured on telephone calls. `hotline models check \
             FOLDER` looks through what you have downloaded."
        )?;
        Ok(0)
    }
}

impl Model {
    fn show(&self, out: &mut dyn Write) -> Result<(), Stop> {
        let mut languages: Vec<&str> = self.languages.iter().take(2).map(Language::code).collect();
        let others = match self.languages.len() {
            0..=2 => String::new(),
            count => format!(" and {} more languages", count - 2),
        };
        languages.sort_unstable();
        let languages = languages.join(", ");
        writeln!(out, "{} ({}; {languages}{others})", self.name, self.engine)?;
        writeln!(out, "  {}", self.does)?;
        for accuracy in &self.accuracy {
            writeln!(out, "  {} [{}]", accuracy.says, accuracy.source)?;
        }
        if self.accuracy.is_empty() && self.engine != "piper" {
            writeln!(out, "  no published accuracy")?;
        }
        writeln!(
            out,
            "  {} MB to download; licence {}",
            self.megabytes, self.licence
        )?;
        if !self.tried.is_empty() {
            writeln!(out, "  tried with Hotline: {}", self.tried)?;
        }
        let lines = self.get.replace("URL", &self.from);
        for line in lines.lines() {
            writeln!(out, "    {line}")?;
        }
        for line in self.settings.lines() {
            writeln!(out, "    | {line}")?;
        }
        writeln!(out)?;
        Ok(())
    }
}

fn rehearse(language: Language, settings: &str, out: &mut dyn Write) -> Result<u8, Stop> {
    let settings: sherpa::Settings = serde_json::from_str(settings).map_err(|error| {
        Stop::usage(
            error.to_string(),
            "give the settings of a recogniser as JSON",
        )
    })?;
    let loaded = sherpa::rehearse(&settings, language)
        .map_err(|error| Stop::failed(error.to_string(), "see `hotline models check`"))?;
    writeln!(out, "loaded in {} ms", loaded.as_millis())?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::recognisers::Engine;

    #[test]
    fn every_model_is_wholly_described_and_its_settings_are_settings() {
        let models = known().unwrap();
        assert!(models.len() >= 6);
        for model in &models {
            assert!(model.from.starts_with("https://"), "{}", model.name);
            assert!(model.get.contains("URL"), "{}", model.name);
            for file in model.files.iter().chain(&model.archive) {
                let is_checksum =
                    |text: &str| text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit());
                assert!(
                    file.sha256.as_deref().is_none_or(is_checksum),
                    "{}",
                    file.name
                );
                assert_eq!(file.sha256.is_some(), file.bytes.is_some(), "{}", file.name);
                assert!(
                    file.sha256.is_none() || !model.checksums.is_empty(),
                    "{}",
                    file.name
                );
            }
            let config = crate::config::Config::read(
                Some((Path::new("hotline.yaml"), &model.settings)),
                Vec::new(),
            );
            let speech = config.unwrap().speech;
            let language = model.languages[0];
            let names: Vec<&str> = match model.engine.as_str() {
                "piper" => vec!["piper"; speech.voices[&language].len().min(1)],
                _ => speech.ears[&language].iter().map(Engine::name).collect(),
            };
            assert_eq!(names, [model.engine.as_str()], "{}", model.name);
        }
    }
}
