//! Where libpocketsphinx and its model lie, and whether a model is complete.

use std::path::{Path, PathBuf};

use super::super::Setting;
use super::Settings;
use crate::speech::SpeechError;
use crate::speech::config::cache_home;

const LIBRARY: &str = "libpocketsphinx.so.3";

pub(super) const INSTALL: &str = "run `apt-get install libpocketsphinx3 pocketsphinx-en-us`, or \
                                  name it in the recogniser's `library`, `model` and `dictionary`";

/// The files of an engine, all of them there.
#[derive(Debug, PartialEq)]
pub(super) struct Files {
    pub(super) library: PathBuf,
    pub(super) model: PathBuf,
    pub(super) dictionary: PathBuf,
}

/// Finds library, model and dictionary.
pub(super) fn find(settings: &Settings, setting: &Setting) -> Result<Files, SpeechError> {
    let unpacked = std::env::var_os("HOTLINE_POCKETSPHINX")
        .filter(|name| !name.is_empty())
        .map_or_else(|| cache_home().join("pocketsphinx"), PathBuf::from);
    let library = library(settings.library.as_deref(), &unpacked)?;
    let model = settings.model.clone().unwrap_or_else(|| {
        let places = [
            unpacked.join("model/en-us/en-us"),
            "/usr/share/pocketsphinx/model/en-us/en-us".into(),
            "/usr/local/share/pocketsphinx/model/en-us/en-us".into(),
        ];
        let found = places.iter().find(|place| place.is_dir());
        found.unwrap_or(&places[1]).clone()
    });
    check_model(&model, &setting.field("model"))?;
    let dictionary = settings.dictionary.clone().unwrap_or_else(|| {
        let beside = model.parent().unwrap_or(&model);
        beside.join("cmudict-en-us.dict")
    });
    if !dictionary.is_file() {
        return Err(SpeechError::BadModel {
            setting: setting.field("dictionary"),
            missing: dictionary.display().to_string(),
            folder: model,
            remedy: INSTALL,
        });
    }
    Ok(Files {
        library,
        model,
        dictionary,
    })
}

fn library(configured: Option<&Path>, unpacked: &Path) -> Result<PathBuf, SpeechError> {
    let places: Vec<PathBuf> = match configured {
        Some(named) => vec![named.to_owned(), named.join(LIBRARY)],
        None => [
            unpacked.join("lib"),
            "/usr/local/lib".into(),
            "/usr/lib".into(),
            "/usr/lib64".into(),
            "/usr/lib/x86_64-linux-gnu".into(),
            "/usr/lib/aarch64-linux-gnu".into(),
        ]
        .map(|folder: PathBuf| folder.join(LIBRARY))
        .into(),
    };
    let found = places.iter().find(|file| file.is_file());
    found.cloned().ok_or_else(|| SpeechError::NoLibrary {
        library: "libpocketsphinx",
        looked: places
            .iter()
            .map(|place| place.display().to_string())
            .collect(),
        remedy: INSTALL,
    })
}

/// Looks through a model folder: the library ends the whole process over some files it misses.
fn check_model(folder: &Path, setting: &Setting) -> Result<(), SpeechError> {
    let lacks = |missing: &str| SpeechError::BadModel {
        setting: setting.clone(),
        folder: folder.to_owned(),
        missing: missing.to_owned(),
        remedy: INSTALL,
    };
    if !folder.is_dir() {
        return Err(lacks("everything (there is no such folder)"));
    }
    let is_there = |file: &str| std::fs::metadata(folder.join(file)).is_ok_and(|it| it.len() > 0);
    let needed = [
        "feat.params",
        "mdef",
        "means",
        "variances",
        "transition_matrices",
        "noisedict",
    ];
    if let Some(missing) = needed.into_iter().find(|file| !is_there(file)) {
        return Err(lacks(missing));
    }
    if !is_there("sendump") && !is_there("mixture_weights") {
        return Err(lacks("sendump (and there is no mixture_weights)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    fn ear() -> Setting {
        Setting::ear(Language::EN, 0)
    }

    #[test]
    fn a_missing_library_is_explained() {
        let settings = Settings {
            library: Some("/nowhere/libpocketsphinx.so.3".into()),
            ..Settings::default()
        };
        insta::assert_snapshot!(
            find(&settings, &ear()).unwrap_err(),
            @"libpocketsphinx was not found; looked for /nowhere/libpocketsphinx.so.3, /nowhere/libpocketsphinx.so.3/libpocketsphinx.so.3; run `apt-get install libpocketsphinx3 pocketsphinx-en-us`, or name it in the recogniser's `library`, `model` and `dictionary`"
        );
    }

    #[test]
    fn a_missing_file_of_a_model_is_named_with_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        let missing = || match check_model(folder.path(), &ear().field("model")) {
            Err(SpeechError::BadModel {
                missing, setting, ..
            }) => {
                assert_eq!(setting.to_string(), "speech.ears.en[0].model");
                missing
            }
            other => panic!("{other:?}"),
        };
        for file in [
            "feat.params",
            "mdef",
            "means",
            "variances",
            "transition_matrices",
            "noisedict",
        ] {
            assert_eq!(missing(), file);
            // An empty file is none.
            std::fs::write(folder.path().join(file), "").unwrap();
            assert_eq!(missing(), file);
            std::fs::write(folder.path().join(file), "x").unwrap();
        }
        assert_eq!(missing(), "sendump (and there is no mixture_weights)");
        std::fs::write(folder.path().join("mixture_weights"), "x").unwrap();
        check_model(folder.path(), &ear()).unwrap();
        let error = check_model(&folder.path().join("absent"), &ear()).unwrap_err();
        assert!(error.to_string().contains("no such folder"), "{error}");
    }
}
