//! What an admin can set about speech. Everything has a default; an empty section is complete.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recognisers::Engine;
use super::{Limits, synthesisers, turn};
use crate::words::Language;

/// The `speech` section of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The recognisers of each language in order of preference, such as
    /// `{ en: [{ engine: vosk, model: /opt/models/en }] }`.
    pub ears: BTreeMap<Language, Vec<Engine>>,
    /// Threads that recognise; 0 means one per core.
    pub threads: usize,
    /// Calls listened to at once; when empty, it is measured at the start.
    pub max_streams: Option<usize>,
    /// When a turn begins and ends.
    pub turn: turn::Settings,
    /// How long each stage may take before the next best thing is done.
    pub limits: Limits,
    /// The voices of each language in order of preference: the next one speaks when one fails.
    pub voices: BTreeMap<Language, Vec<synthesisers::Engine>>,
    /// The folder for prompts made once and kept; when empty, a folder in the user's cache.
    pub cache: Option<PathBuf>,
    /// The most that the prompt cache may hold on disk, in MB; the oldest go first.
    pub cache_megabytes: u64,
    /// The most that prompts may hold in memory, in MB.
    pub memory_megabytes: u64,
    /// Folders of recordings, the first that has one wins: `<folder>/<language>/<name>.wav`.
    pub prompts: Vec<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ears: BTreeMap::new(),
            threads: 0,
            max_streams: None,
            turn: turn::Settings::default(),
            limits: Limits::default(),
            voices: [(Language::DA, "da"), (Language::EN, "en-gb")]
                .map(|(language, voice)| (language, vec![synthesisers::Engine::espeak(voice)]))
                .into(),
            cache: None,
            cache_megabytes: 512,
            memory_megabytes: 64,
            prompts: Vec::new(),
        }
    }
}

impl Config {
    /// Returns the folder for prompts: the one configured, or `hotline/prompts` in the user's
    /// cache folder.
    pub fn cache_folder(&self) -> PathBuf {
        self.cache
            .clone()
            .unwrap_or_else(|| cache_home().join("prompts"))
    }
}

/// Returns Hotline's folder in the user's cache: `$HOTLINE_CACHE`, `$XDG_CACHE_HOME/hotline`,
/// `$HOME/.cache/hotline`, or a folder for temporary files.
pub(super) fn cache_home() -> PathBuf {
    let folder = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    folder("HOTLINE_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("hotline")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache/hotline")))
        .unwrap_or_else(|| std::env::temp_dir().join("hotline"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_complete() {
        let config: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(config, Config::default());
    }

    #[test]
    fn a_misspelt_key_is_refused_and_named() {
        let error = serde_json::from_str::<Config>(r#"{"libary": "x"}"#).unwrap_err();
        assert!(
            error.to_string().contains("unknown field `libary`"),
            "{error}"
        );
    }

    #[test]
    fn pauses_are_written_as_durations() {
        let text = r#"{"turn": {"pauses": {"yes_no": "250ms", "text": "1s 200ms"}}}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.turn.pauses.yes_no.as_millis(), 250);
        assert_eq!(config.turn.pauses.text.as_millis(), 1200);
        assert_eq!(
            config.turn.pauses.intent,
            turn::Settings::default().pauses.intent
        );
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        let text = serde_json::to_string(&Config::default()).unwrap();
        assert_eq!(
            serde_json::from_str::<Config>(&text).unwrap(),
            Config::default()
        );
    }
}
