//! Looks through texts for those that no caller would hear: neither recorded, nor kept, nor to be
//! made by a voice that is well.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::script::Script;
use super::super::wav;
use super::{Shared, Voice};
use crate::dialog::spoken;
use crate::words::Language;

/// What was found.
#[derive(Debug, Default)]
pub struct Survey {
    /// How many texts are recorded.
    pub recorded: usize,
    /// How many are kept from an earlier making.
    pub kept: usize,
    /// How many are neither, and can be made.
    pub makeable: usize,
    /// Which cannot be said.
    pub lacking: Vec<Lacking>,
    /// Recordings that cannot be played.
    pub damaged: Vec<Damaged>,
}

/// A text that cannot be said.
#[derive(Debug, PartialEq, Eq)]
pub struct Lacking {
    /// Its language.
    pub language: Language,
    /// Its words, as they are written.
    pub text: String,
    /// The file under which a recording of it would be found.
    pub file: PathBuf,
    /// Why it cannot be said.
    pub reason: String,
}

/// A recording that cannot be played.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The setting that names its folder.
    pub setting: String,
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, with the file's name.
    pub reason: String,
}

/// What a look at the disk says about one text.
enum Found {
    Recorded,
    Kept,
    Nothing,
    Unspeakable(String),
}

impl Voice {
    /// Looks through texts, and asks every voice for one word to see whether it is well. Nothing
    /// is made or kept.
    pub async fn survey(&self, texts: impl IntoIterator<Item = (Language, String)>) -> Survey {
        let texts: Vec<_> = texts.into_iter().collect();
        let shared = Arc::clone(&self.shared);
        let looked = tokio::task::spawn_blocking(move || {
            let mut survey = Survey::default();
            let found: Vec<_> = texts
                .into_iter()
                .map(|(language, text)| {
                    let found = shared.look(&text, language, &mut survey.damaged);
                    (language, text, found)
                })
                .collect();
            (survey, found)
        });
        let (Ok((mut survey, found)), trials) = tokio::join!(looked, self.try_out()) else {
            return Survey::default();
        };
        survey.damaged.sort_by(|a, b| a.file.cmp(&b.file));
        survey.damaged.dedup();
        let mut well: BTreeMap<Language, bool> = BTreeMap::new();
        let mut why: BTreeMap<Language, Vec<String>> = BTreeMap::new();
        for trial in trials {
            match trial.outcome {
                Ok(_) => drop(well.insert(trial.language, true)),
                Err(fault) => why
                    .entry(trial.language)
                    .or_default()
                    .push(fault.to_string()),
            }
        }
        for (language, text, found) in found {
            let reason = match found {
                Found::Recorded => {
                    survey.recorded += 1;
                    continue;
                }
                Found::Kept => {
                    survey.kept += 1;
                    continue;
                }
                Found::Nothing if well.contains_key(&language) => {
                    survey.makeable += 1;
                    continue;
                }
                Found::Nothing => self.silence(language, why.get(&language)),
                Found::Unspeakable(reason) => reason,
            };
            survey.lacking.push(Lacking {
                file: self.place_for(&text, language),
                language,
                text,
                reason,
            });
        }
        survey
    }

    /// Says why a language has no voice.
    fn silence(&self, language: Language, why: Option<&Vec<String>>) -> String {
        let unusable = self.faults().iter().map(ToString::to_string);
        let failed = why.into_iter().flatten().cloned();
        let reasons: Vec<String> = failed.chain(unusable).collect();
        match reasons.is_empty() {
            true => {
                format!("there is no voice for {language}; name one in speech.voices.{language}")
            }
            false => reasons.join("; "),
        }
    }

    /// Returns the file under which a recording of a text would be found first.
    fn place_for(&self, text: &str, language: Language) -> PathBuf {
        let folder = self.shared.recordings.first().cloned();
        let name = Self::recording_names(text).swap_remove(0);
        let folder = folder.unwrap_or_else(|| "prompts".into());
        folder.join(language.code()).join(name)
    }
}

impl Shared {
    /// Looks for a text on the disk.
    fn look(&self, text: &str, language: Language, damaged: &mut Vec<Damaged>) -> Found {
        for file in self.recordings(text, language) {
            if !file.is_file() {
                continue;
            }
            match wav::read(&file) {
                Ok(_) => return Found::Recorded,
                Err(error) => damaged.push(Damaged {
                    setting: self.setting_of(&file),
                    reason: error.to_string(),
                    file,
                }),
            }
        }
        let script = match Script::read(text, |words| spoken(words, language)) {
            Ok(script) => script,
            Err(fault) => return Found::Unspeakable(fault.to_string()),
        };
        let choices = self.choices.get(&language).into_iter().flatten();
        let mut files = choices.map(|choice| choice.kept(&self.cache, &script));
        match files.any(|file| wav::read(&file).is_ok()) {
            true => Found::Kept,
            false => Found::Nothing,
        }
    }

    /// Names the setting of the folder that a recording lies in.
    fn setting_of(&self, file: &std::path::Path) -> String {
        let folder = self.recordings.iter().position(|it| file.starts_with(it));
        folder.map_or("speech.prompts".to_owned(), |place| {
            format!("speech.prompts[{place}]")
        })
    }
}
