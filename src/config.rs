//! The configuration: each room's own section, gathered from a YAML file and from the environment
//! (`HOTLINE__SECTION__KEY`). Every key has a default, so that an empty file is a whole one.
//!
//! Secrets are never in it, only the names of the files that hold them. Relative paths are
//! relative to the configuration file's folder; what is kept at run time lies in the state folder.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flow::did_you_mean;
use crate::pbx::{asterisk, freeswitch};
use crate::{http, send, service, speech, store};

/// Where a configuration file is looked for when none is named.
const USUAL_PLACES: [&str; 2] = ["hotline.yaml", "/etc/hotline/hotline.yaml"];

/// What environment variables that are settings begin with.
const PREFIX: &str = "HOTLINE";

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The folder of flows and tenants.
    pub flows: PathBuf,
    /// The folder for what is kept at run time; `$STATE_DIRECTORY` (systemd) or `state`.
    pub state: PathBuf,
    /// Calls.
    pub call: Call,
    /// The HTTP door.
    pub http: http::Config,
    /// The Asterisk beside us; `hotline serve` needs this or `freeswitch`.
    pub asterisk: Option<asterisk::Config>,
    /// The FreeSWITCH beside us, instead of an Asterisk.
    pub freeswitch: Option<freeswitch::Config>,
    /// Hearing and speaking.
    pub speech: speech::Config,
    /// How mails leave the house.
    pub mail: send::Config,
    /// Callbacks, cancellations and messages.
    pub services: service::Config,
    /// The store; its path is relative to the state folder.
    pub store: store::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flows: "flows".into(),
            state: std::env::var_os("STATE_DIRECTORY")
                // systemd may name several folders, separated by colons.
                .and_then(|folders| std::env::split_paths(&folders).next())
                .filter(|folder| !folder.as_os_str().is_empty())
                .unwrap_or_else(|| "state".into()),
            call: Call::default(),
            http: http::Config::default(),
            asterisk: None,
            freeswitch: None,
            speech: speech::Config::default(),
            mail: send::Config::default(),
            services: service::Config::default(),
            store: store::Config::default(),
        }
    }
}

/// The `call` section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Call {
    /// Where the PBX brings the audio of calls (AudioSocket). It has no password, so that it
    /// should stay on this machine or on a network of its own.
    pub listen: SocketAddr,
    /// Calls at the same time; one more is left to the dialplan's ordinary queue.
    pub max_calls: usize,
    /// Days that journals and recordings are kept.
    pub journal_days: u16,
    /// The folder for recordings; `recordings` in the state folder when left out.
    pub recordings: Option<PathBuf>,
    /// Seconds that calls may go on after a stop was asked for.
    pub drain_seconds: u32,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8060).into(),
            max_calls: 200,
            journal_days: 30,
            recordings: None,
            drain_seconds: 120,
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file named cannot be read.
    #[error("the configuration {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that it cannot say.
    #[error("the configuration {} is wrong: {report}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What and where, over several lines.
        report: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// An environment variable says something that it cannot say.
    #[error("the environment is wrong ({}): {message}", variables.join(", "))]
    Environment {
        /// The variables that were taken for settings.
        variables: Vec<String>,
        /// What is wrong.
        message: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
}

impl ConfigError {
    /// Tells what to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { .. } => {
                "name the file with --config FILE, or leave it out to use the defaults".to_owned()
            }
            Self::Wrong { suggestion, .. } => suggestion
                .clone()
                .unwrap_or_else(|| "correct the line shown".to_owned()),
            Self::Environment { suggestion, .. } => suggestion.clone().unwrap_or_else(|| {
                "a setting is written HOTLINE__SECTION__KEY, such as HOTLINE__HTTP__LISTEN"
                    .to_owned()
            }),
        }
    }
}

impl Config {
    /// Reads the file named, or the first one found in the usual places, and the environment.
    ///
    /// # Errors
    /// When the file or the environment say something that they cannot say.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        let found = USUAL_PLACES
            .iter()
            .map(PathBuf::from)
            .find(|it| it.exists());
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        match named.map(Path::to_owned).or(found) {
            Some(path) => {
                let text =
                    std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable {
                        path: path.clone(),
                        source,
                    })?;
                Self::read(Some((&path, &text)), variables)
            }
            None => Self::read(None, variables),
        }
    }

    /// Reads a file's text and environment variables; others than `HOTLINE__…` are left alone.
    ///
    /// # Errors
    /// See [`Self::load`].
    pub fn read(
        file: Option<(&Path, &str)>,
        variables: Vec<(String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut builder = config::Config::builder();
        if let Some((path, text)) = file {
            check(path, text)?;
            builder = builder.add_source(config::File::from_str(text, config::FileFormat::Yaml));
        }
        let settings: config::Map<String, String> = variables
            .into_iter()
            .filter(|(name, _)| name.starts_with("HOTLINE__"))
            .collect();
        let mut names: Vec<String> = settings.keys().cloned().collect();
        names.sort();
        let environment = config::Environment::with_prefix(PREFIX)
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .source(Some(settings));
        let gathered = builder
            .add_source(environment)
            .build()
            .and_then(config::Config::try_deserialize::<Self>);
        let mut config = gathered.map_err(|error| {
            let message = error.to_string();
            ConfigError::Environment {
                variables: names,
                suggestion: suggestion(&message),
                message,
            }
        })?;
        let base = file.and_then(|(path, _)| path.parent());
        config.settle(base.unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Returns the store's file.
    pub fn store_path(&self) -> PathBuf {
        self.state.join(&self.store.path)
    }

    /// Returns the folder for recordings.
    pub fn recordings(&self) -> PathBuf {
        let named = self.call.recordings.clone();
        named.unwrap_or_else(|| self.state.join("recordings"))
    }

    /// Returns the file with the token for the HTTP door.
    pub fn token_path(&self) -> PathBuf {
        let named = self.http.token_file.clone();
        named.unwrap_or_else(|| self.state.join("token"))
    }

    /// Makes relative paths relative to a folder.
    fn settle(&mut self, base: &Path) {
        let settle = |path: &mut PathBuf| *path = base.join(&*path);
        settle(&mut self.flows);
        settle(&mut self.state);
        let speech = &mut self.speech;
        for path in [
            &mut self.call.recordings,
            &mut self.http.token_file,
            &mut speech.cache,
            &mut self.mail.password_file,
            &mut self.mail.ca_file,
            &mut self.mail.templates,
        ] {
            path.as_mut().map(settle);
        }
        if let Some(asterisk) = &mut self.asterisk {
            settle(&mut asterisk.secret_file);
        }
        if let Some(freeswitch) = &mut self.freeswitch {
            settle(&mut freeswitch.password_file);
        }
        for engine in speech.ears.values_mut().flatten() {
            engine.paths_mut().into_iter().for_each(settle);
        }
        speech.prompts.iter_mut().for_each(settle);
        for engine in speech.voices.values_mut().flatten() {
            engine.paths_mut().into_iter().for_each(settle);
        }
    }
}

/// Reads the file by itself, with a reader that knows the place of every word.
fn check(path: &Path, text: &str) -> Result<(), ConfigError> {
    if text.trim().is_empty() {
        return Ok(());
    }
    match serde_saphyr::from_str::<Option<Config>>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(ConfigError::Wrong {
            path: path.to_owned(),
            suggestion: match error.without_snippet() {
                serde_saphyr::Error::SerdeUnknownField {
                    field, expected, ..
                } => did_you_mean(field, expected.iter().copied()),
                _ => None,
            },
            report: error.to_string(),
        }),
    }
}

/// Makes a did-you-mean of serde's "unknown field `x`, expected one of `a`, `b`".
fn suggestion(message: &str) -> Option<String> {
    let from = message.find("unknown field")?;
    let line = message[from..].lines().next()?;
    let mut names = line.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    did_you_mean(unknown, names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Config::read(
            Some((Path::new("/etc/hotline/hotline.yaml"), text)),
            variables,
        )
    }

    #[test]
    fn an_empty_file_is_a_whole_configuration_bound_to_loopback() {
        for text in ["", "\n", "# nothing\n", "{}"] {
            let config = read(text, &[]).unwrap();
            assert_eq!(config.call.listen.to_string(), "127.0.0.1:8060");
            assert_eq!(config.http.listen.to_string(), "127.0.0.1:8061");
            assert_eq!(config.call.max_calls, 200);
        }
    }

    #[test]
    fn relative_paths_are_relative_to_the_file() {
        let text = "flows: my/flows\nstate: /var/lib/hotline\nspeech: { voices: { da: [{ engine: espeak, voice: da, program: espeak-ng }, { engine: espeak, voice: da, program: bin/espeak-ng }, { engine: openai, url: 'http://tts/v1', model: m, voice: v, key_file: key }] }, ears: { da: [{ engine: vosk, model: models/da }] } }";
        let config = read(text, &[]).unwrap();
        assert_eq!(config.flows, Path::new("/etc/hotline/my/flows"));
        assert_eq!(
            config.store_path(),
            Path::new("/var/lib/hotline/hotline.redb")
        );
        assert_eq!(config.token_path(), Path::new("/var/lib/hotline/token"));
        let mut voices = config.speech.voices[&Language::DA].clone();
        assert_eq!(
            voices[0],
            serde_json::from_str(
                r#"{ "engine": "espeak", "voice": "da", "program": "espeak-ng" }"#
            )
            .unwrap()
        );
        let paths: Vec<_> = voices.iter_mut().flat_map(|it| it.paths_mut()).collect();
        assert_eq!(
            paths,
            [
                Path::new("/etc/hotline/bin/espeak-ng"),
                Path::new("/etc/hotline/key")
            ]
        );
        let mut engines = config.speech.ears[&Language::DA].clone();
        assert_eq!(
            engines[0].paths_mut(),
            [Path::new("/etc/hotline/models/da")]
        );
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = read(
            "call: { max_calls: 5, journal_days: 7 }",
            &[
                ("HOTLINE__CALL__MAX_CALLS", "9"),
                ("HOTLINE__HTTP__LISTEN", "127.0.0.1:9999"),
                ("HOTLINE_CACHE", "/elsewhere"),
            ],
        )
        .unwrap();
        assert_eq!((config.call.max_calls, config.call.journal_days), (9, 7));
        assert_eq!(config.http.listen.port(), 9999);
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_place_and_the_key_that_was_meant() {
        let error = read("call:\n  max_cals: 5\n", &[]).unwrap_err();
        assert_eq!(error.remedy(), "did you mean `max_calls`?");
        let report = error.to_string();
        assert!(report.contains("line 2"), "{report}");
    }

    #[test]
    fn a_misspelt_variable_is_named() {
        let error = read("", &[("HOTLINE__CALL__MAX_CALS", "5")]).unwrap_err();
        assert_eq!(error.remedy(), "did you mean `max_calls`?");
        assert!(
            error.to_string().contains("HOTLINE__CALL__MAX_CALS"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_place() {
        let error = read("http:\n  listen: somewhere\n", &[]).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn a_configuration_that_is_written_can_be_read_back() {
        let config = read("", &[]).unwrap();
        let text = serde_saphyr::to_string(&config).unwrap();
        assert_eq!(read(&text, &[]).unwrap(), config);
    }

    #[test]
    fn an_asterisk_needs_its_secret_by_a_file() {
        let config = read("asterisk: { secret_file: secrets/ami }", &[]).unwrap();
        let asterisk = config.asterisk.unwrap();
        assert_eq!(asterisk.secret_file, Path::new("/etc/hotline/secrets/ami"));
        assert_eq!((asterisk.host.as_str(), asterisk.port), ("127.0.0.1", 5038));
        let error = read("asterisk: { host: pbx }", &[]).unwrap_err();
        assert!(error.to_string().contains("secret_file"), "{error}");
    }
}
