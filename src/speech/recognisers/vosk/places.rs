//! Where libvosk and its models lie, and whether a model is complete.

use std::path::{Path, PathBuf};

use super::super::Setting;
use crate::speech::SpeechError;
use crate::speech::config::cache_home;

/// Looks through a model folder and tells whether it can be given grammars.
pub(super) fn check_model(folder: &Path, setting: &Setting) -> Result<bool, SpeechError> {
    let lacks = |missing: &str| SpeechError::BadModel {
        setting: setting.clone(),
        folder: folder.to_owned(),
        missing: missing.to_owned(),
        remedy: "unpack a complete Vosk model there and name its top folder",
    };
    if !folder.is_dir() {
        return Err(lacks("everything (there is no such folder)"));
    }
    // Older models have all files in one folder.
    let (acoustic, graph) = if folder.join("final.mdl").is_file() {
        ("final.mdl", folder.to_owned())
    } else {
        ("am/final.mdl", folder.join("graph"))
    };
    for file in [
        acoustic,
        if acoustic == "final.mdl" {
            "mfcc.conf"
        } else {
            "conf/mfcc.conf"
        },
    ] {
        if !folder.join(file).is_file() {
            return Err(lacks(file));
        }
    }
    if graph.join("HCLG.fst").is_file() {
        return Ok(false);
    }
    let prefix = if graph == folder { "" } else { "graph/" };
    for file in ["HCLr.fst", "Gr.fst"] {
        if !graph.join(file).is_file() {
            return Err(lacks(&format!(
                "{prefix}{file} (and there is no {prefix}HCLG.fst)"
            )));
        }
    }
    Ok(true)
}

/// Finds the file libvosk.so.
pub(super) fn find(configured: Option<&Path>) -> Result<PathBuf, SpeechError> {
    let from_environment = std::env::var_os("HOTLINE_LIBVOSK")
        .filter(|name| !name.is_empty())
        .map(PathBuf::from);
    if let Some(named) = configured.map(Path::to_owned).or(from_environment) {
        // A folder that holds the file is as good.
        let inside = named.join("libvosk.so");
        return if named.is_file() {
            Ok(named)
        } else if inside.is_file() {
            Ok(inside)
        } else {
            Err(no_library(vec![named.display().to_string()]))
        };
    }
    let places = usual_places();
    places
        .iter()
        .map(|folder| folder.join("libvosk.so"))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            no_library(
                [Path::new("HOTLINE_LIBVOSK (not set)")]
                    .into_iter()
                    .chain(MAIN_PLACES.iter().map(Path::new))
                    .map(|place| place.display().to_string())
                    .chain(["the Python packages in /usr/lib and /usr/local/lib".to_owned()])
                    .chain([cache_home().display().to_string()])
                    .collect(),
            )
        })
}

fn no_library(looked: Vec<String>) -> SpeechError {
    SpeechError::NoLibrary {
        library: "libvosk",
        looked,
        remedy: "install it (`pip install vosk` brings it) and name the file in the recogniser's \
                 `library` or in HOTLINE_LIBVOSK",
    }
}

const MAIN_PLACES: [&str; 6] = [
    "/usr/local/lib",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/opt",
];

/// Returns the folders where libvosk is usually found, the likeliest first.
fn usual_places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = MAIN_PLACES.iter().map(PathBuf::from).collect();
    let cache = cache_home();
    places.extend(
        folders_in(&cache)
            .into_iter()
            .flat_map(|folder| [folder.join("vosk"), folder]),
    );
    places.push(cache);
    places.extend(
        folders_in(Path::new("/opt"))
            .into_iter()
            .flat_map(|folder| [folder.join("lib"), folder.join("vosk"), folder]),
    );
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let python_homes = ["/usr/lib", "/usr/local/lib"].map(PathBuf::from);
    for base in python_homes
        .into_iter()
        .chain(home.map(|home| home.join(".local/lib")))
    {
        for python in folders_in(&base) {
            let is_python = python
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("python3"));
            if is_python {
                places.push(python.join("site-packages/vosk"));
                places.push(python.join("dist-packages/vosk"));
            }
        }
    }
    places
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    // Newest name first, so that vosk-0.3.50 goes before vosk-0.3.45.
    folders.sort_unstable_by(|a, b| b.cmp(a));
    folders
}

/// Returns the sampling rate in Hz that a model was trained at, as its configuration says;
/// 16 kHz, Kaldi's own default, when it does not.
pub(super) fn sampling_rate(folder: &Path) -> u32 {
    let conf = std::fs::read_to_string(folder.join("conf/mfcc.conf")).unwrap_or_default();
    let rate = conf
        .lines()
        .find_map(|line| line.trim().strip_prefix("--sample-frequency="));
    rate.and_then(|rate| rate.trim().parse::<f32>().ok())
        .map_or(16_000, |rate| rate as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Language;

    #[test]
    fn a_missing_file_of_a_model_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = |file: &str| match check_model(
            &folder.path().join(file),
            &Setting::ear(Language::DA, 0).field("model"),
        ) {
            Err(SpeechError::BadModel { missing, .. }) => missing,
            other => panic!("{other:?}"),
        };
        assert_eq!(missing("absent"), "everything (there is no such folder)");
        assert_eq!(missing(""), "am/final.mdl");
        for file in ["am/final.mdl", "conf/mfcc.conf", "graph/Gr.fst"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(
            missing(""),
            "graph/HCLr.fst (and there is no graph/HCLG.fst)"
        );
    }

    #[test]
    fn a_model_tells_the_rate_it_was_trained_at_and_kaldis_own_counts_where_it_does_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(sampling_rate(folder.path()), 16_000);
        std::fs::create_dir(folder.path().join("conf")).unwrap();
        let conf = folder.path().join("conf/mfcc.conf");
        std::fs::write(&conf, "--use-energy=false\n--sample-frequency=8000\n").unwrap();
        assert_eq!(sampling_rate(folder.path()), 8_000);
    }
}
