//! `hotline models check`: sizes and checksums where they are published, completeness otherwise.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::super::Stop;
use super::super::stop::FAILED;
use super::{File, Model};
use crate::config::Config;
use crate::speech::recognisers::{Engine, Setting, sherpa, vosk};
use crate::words::Language;

/// Check models that lie here.
///
/// Compares sizes and checksums with those that are published, and where none are looks whether every
/// file is there and whole. Exits 1 when a model is damaged or incomplete.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Arguments {
    /// The folder of a model, or an archive that was downloaded
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    folder: Option<PathBuf>,
    /// All models that the configuration names
    #[arg(long)]
    all: bool,
    /// Also load models of sherpa-onnx, in a process of their own, and have them recognise a sound
    #[arg(long)]
    load: bool,
    /// One JSON array with everything that was looked at
    #[arg(long)]
    json: bool,
}

/// What was found out about a file or a whole model.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    sound: bool,
    says: String,
}

/// A place to look at.
struct Place {
    path: PathBuf,
    engine: Option<Engine>,
    setting: Setting,
    language: Language,
}

impl Arguments {
    pub(super) fn run(
        self,
        config: Option<&Path>,
        known: &[Model],
        out: &mut dyn Write,
    ) -> Result<u8, Stop> {
        let places = match &self.folder {
            Some(path) => vec![Place {
                path: path.clone(),
                engine: None,
                setting: Setting::ear(Language::DA, 0),
                language: Language::DA,
            }],
            None => configured(config)?,
        };
        let mut findings = Vec::new();
        for place in &places {
            findings.extend(place.look(known, self.load)?);
        }
        if self.json {
            writeln!(out, "{}", serde_json::json!(findings))?;
        } else {
            for finding in &findings {
                let sign = if finding.sound { "ok   " } else { "WRONG" };
                writeln!(out, "{sign} {}: {}", finding.what, finding.says)?;
            }
            if findings.is_empty() {
                writeln!(out, "the configuration names no model that lies here")?;
            }
        }
        let sound = findings.iter().all(|finding| finding.sound);
        Ok(if sound { 0 } else { FAILED })
    }
}

/// Returns the models that lie here according to the configuration.
fn configured(config: Option<&Path>) -> Result<Vec<Place>, Stop> {
    let mut places = Vec::new();
    for (language, engines) in Config::load(config)?.speech.ears {
        for (number, engine) in engines.into_iter().enumerate() {
            let Some(path) = model_of(&engine) else {
                continue;
            };
            places.push(Place {
                path,
                engine: Some(engine),
                setting: Setting::ear(language, number),
                language,
            });
        }
    }
    Ok(places)
}

/// Returns the folder of an engine's model; others have none here.
fn model_of(engine: &Engine) -> Option<PathBuf> {
    if let Engine::Sherpa(settings) = engine {
        return Some(settings.model.clone());
    }
    if let Engine::Vosk(settings) = engine {
        return Some(settings.model.clone());
    }
    None
}

impl Place {
    fn look(&self, known: &[Model], load: bool) -> Result<Vec<Finding>, Stop> {
        if self.path.is_file() {
            return Ok(vec![self.look_at_archive(known)?]);
        }
        let mut findings = self.look_at_files(known)?;
        if findings.is_empty() && self.path.is_dir() {
            findings.push(self.finding(
                true,
                "no published checksum; files are checked for being whole",
            ));
        }
        let is_voice = known
            .iter()
            .any(|it| it.engine == "piper" && self.holds(it));
        if is_voice {
            return Ok(findings);
        }
        findings.push(self.look_whether_whole());
        let sound = findings.iter().all(|finding| finding.sound);
        if load
            && sound
            && let Some(settings) = self.sherpa()
        {
            findings.push(
                match sherpa::try_out(&settings, self.language, &self.setting) {
                    Ok(()) => self.finding(true, "loads, and recognises a sound"),
                    Err(error) => self.finding(false, error.to_string()),
                },
            );
        }
        Ok(findings)
    }

    fn finding(&self, sound: bool, says: impl Into<String>) -> Finding {
        Finding {
            what: self.path.display().to_string(),
            sound,
            says: says.into(),
        }
    }

    /// Tells whether the folder has the files of a known model, by their names.
    fn holds(&self, model: &Model) -> bool {
        !model.files.is_empty()
            && model
                .files
                .iter()
                .all(|file| self.path.join(&file.name).is_file())
    }

    /// Compares the files with those of the known models that have the same names; several models
    /// may, and one of them is enough.
    fn look_at_files(&self, known: &[Model]) -> Result<Vec<Finding>, Stop> {
        let mut nearest: Vec<Finding> = Vec::new();
        for model in known.iter().filter(|model| self.holds(model)) {
            let has_checksums = model.files.iter().any(|file| file.sha256.is_some());
            if !has_checksums {
                return Ok(vec![self.finding(
                    true,
                    format!(
                        "named like {}, of which no checksum is published",
                        model.name
                    ),
                )]);
            }
            let findings = model
                .files
                .iter()
                .map(|file| compare(&self.path.join(&file.name), file, model))
                .collect::<Result<Vec<_>, Stop>>()?;
            let right = |findings: &[Finding]| findings.iter().filter(|it| it.sound).count();
            if nearest.is_empty() || right(&findings) > right(&nearest) {
                nearest = findings;
            }
        }
        // Models of other makers have files of the same names: with none alike it is another model.
        if nearest.iter().all(|finding| !finding.sound)
            && self.engine.is_none()
            && nearest.len() > 1
        {
            let names = nearest.len();
            return Ok(vec![self.finding(
                true,
                format!(
                    "none of {names} files is one of a model that is known; no published checksum"
                ),
            )]);
        }
        Ok(nearest)
    }

    fn look_at_archive(&self, known: &[Model]) -> Result<Finding, Stop> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let mut archives = known
            .iter()
            .filter_map(|model| Some((model, model.archive.as_ref()?)));
        let found = archives.find(|(_, archive)| archive.name == name);
        match found {
            Some((model, archive)) => compare(&self.path, archive, model),
            None => Ok(self.finding(
                false,
                "no checksum of this file is known; name a model's folder",
            )),
        }
    }

    fn look_whether_whole(&self) -> Finding {
        if let Some(Engine::Vosk(_)) = &self.engine {
            return self.whole(
                vosk::check(&self.path, &self.setting.field("model")).map(|()| "vosk".to_owned()),
            );
        }
        let as_vosk = vosk::check(&self.path, &self.setting.field("model"));
        if self.engine.is_none() && as_vosk.is_ok() {
            return self.whole(as_vosk.map(|()| "vosk".to_owned()));
        }
        let settings = self
            .sherpa()
            .unwrap_or_else(|| sherpa::Settings::of(&self.path));
        let kind = sherpa::check(&settings, &self.setting);
        self.whole(kind.map(|kind| format!("sherpa, {kind:?}")))
    }

    fn whole(&self, outcome: Result<String, crate::speech::SpeechError>) -> Finding {
        match outcome {
            Ok(kind) => self.finding(true, format!("a complete model ({kind})")),
            Err(error) => self.finding(false, error.to_string()),
        }
    }

    /// Returns the settings of a model of sherpa-onnx, those that are configured or the usual ones.
    fn sherpa(&self) -> Option<sherpa::Settings> {
        match &self.engine {
            Some(Engine::Sherpa(settings)) => Some(settings.clone()),
            Some(_) => None,
            None => {
                let settings = sherpa::Settings::of(&self.path);
                sherpa::check(&settings, &self.setting)
                    .is_ok()
                    .then_some(settings)
            }
        }
    }
}

/// Compares a file with its published size and checksum.
fn compare(path: &Path, expected: &File, model: &Model) -> Result<Finding, Stop> {
    let finding = |sound, says: String| Finding {
        what: path.display().to_string(),
        sound,
        says,
    };
    let (Some(bytes), Some(sha256)) = (expected.bytes, &expected.sha256) else {
        return Ok(finding(true, "no published checksum".to_owned()));
    };
    let failed = |error: std::io::Error| {
        Stop::failed(
            format!("{} cannot be read: {error}", path.display()),
            "run this as a user who may read it",
        )
    };
    let size = path.metadata().map_err(failed)?.len();
    if size != bytes {
        return Ok(finding(
            false,
            format!(
                "it has {size} bytes, and that of {} has {bytes}",
                model.name
            ),
        ));
    }
    let found = checksum(path).map_err(failed)?;
    Ok(if found == *sha256 {
        finding(
            true,
            format!("size and checksum of {} ({})", model.name, model.checksums),
        )
    } else {
        finding(
            false,
            format!(
                "its checksum is {found}, and that of {} is {sha256}",
                model.name
            ),
        )
    })
}

/// Returns the SHA-256 of a file in hexadecimal digits.
fn checksum(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut digest = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => break,
            read => digest.update(&block[..read]),
        }
    }
    Ok(digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(
            checksum(&file).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    /// A known model of two files, one of which has a checksum.
    fn known() -> Vec<Model> {
        serde_saphyr::from_str(
            "- name: small
  engine: sherpa
  languages: [da]
  does: nothing
  from: https://example.com
  get: URL
  licence: none
  megabytes: 1
  files:
    - { name: abc, bytes: 3, sha256: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad }
    - { name: tokens.txt }
  checksums: the standard
",
        )
        .unwrap()
    }

    fn place(path: &Path) -> Place {
        Place {
            path: path.to_owned(),
            engine: Some(Engine::Sherpa(sherpa::Settings::of(path))),
            setting: Setting::ear(Language::DA, 0),
            language: Language::DA,
        }
    }

    #[test]
    fn a_file_that_differs_is_told_from_one_that_is_right() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokens.txt"), "").unwrap();
        for (content, sound, says) in [
            ("abc", true, "size and checksum of small (the standard)"),
            ("abcd", false, "it has 4 bytes, and that of small has 3"),
            ("abd", false, "its checksum is"),
        ] {
            std::fs::write(folder.path().join("abc"), content).unwrap();
            let findings = place(folder.path()).look_at_files(&known()).unwrap();
            assert_eq!(findings[0].sound, sound, "{findings:?}");
            assert!(findings[0].says.starts_with(says), "{findings:?}");
            assert_eq!(findings[1].says, "no published checksum");
        }
    }
}
