//! Where the library of sherpa-onnx lies.

use std::path::{Path, PathBuf};

use crate::speech::SpeechError;
use crate::speech::config::cache_home;

/// What the library is called in messages.
pub(super) const LIBRARY: &str = "libsherpa-onnx-c-api";

const FILE: &str = "libsherpa-onnx-c-api.so";

const MAIN_PLACES: [&str; 4] = [
    "/usr/local/lib",
    "/usr/lib",
    "/opt/sherpa-onnx/lib",
    "/opt/sherpa-onnx",
];

/// Finds the library: the file or folder configured, HOTLINE_LIBSHERPA, or the usual places.
///
/// # Errors
/// When it is in none of them; the error names them.
pub(super) fn find(configured: Option<&Path>) -> Result<PathBuf, SpeechError> {
    let from_environment = std::env::var_os("HOTLINE_LIBSHERPA")
        .filter(|name| !name.is_empty())
        .map(PathBuf::from);
    if let Some(named) = configured.map(Path::to_owned).or(from_environment) {
        // A folder that holds the file is as good.
        let inside = named.join(FILE);
        return if named.is_file() {
            Ok(named)
        } else if inside.is_file() {
            Ok(inside)
        } else {
            Err(no_library(vec![named.display().to_string()]))
        };
    }
    let cache = cache_home().join("sherpa");
    let mut places: Vec<PathBuf> = MAIN_PLACES.iter().map(PathBuf::from).collect();
    places.push(cache.clone());
    places.extend(python_packages());
    places
        .iter()
        .map(|folder| folder.join(FILE))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            let main = MAIN_PLACES.map(str::to_owned);
            no_library(
                std::iter::once("HOTLINE_LIBSHERPA (not set)".to_owned())
                    .chain(main)
                    .chain([cache.display().to_string()])
                    .chain(["the Python packages in /usr/lib and /usr/local/lib".to_owned()])
                    .collect(),
            )
        })
}

fn no_library(looked: Vec<String>) -> SpeechError {
    SpeechError::NoLibrary {
        library: LIBRARY,
        looked,
        remedy: "install it (`pip install sherpa-onnx-core==2.0.1` brings it) and name the file in \
                 the recogniser's `library` or in HOTLINE_LIBSHERPA",
    }
}

fn python_packages() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/lib"));
    let bases = ["/usr/lib", "/usr/local/lib"].map(PathBuf::from);
    let mut places = Vec::new();
    for base in bases.into_iter().chain(home) {
        let entries = std::fs::read_dir(base).into_iter().flatten().flatten();
        let pythons = entries.filter(|it| it.file_name().to_string_lossy().starts_with("python3"));
        for python in pythons {
            for packages in ["site-packages", "dist-packages"] {
                places.push(python.path().join(packages).join("sherpa_onnx/lib"));
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_explained() {
        let error = find(Some(Path::new("/nowhere/sherpa"))).unwrap_err();
        insta::assert_snapshot!(
            error,
            @"libsherpa-onnx-c-api was not found; looked for /nowhere/sherpa; install it (`pip install sherpa-onnx-core==2.0.1` brings it) and name the file in the recogniser's `library` or in HOTLINE_LIBSHERPA"
        );
    }

    #[test]
    fn the_folder_of_the_library_is_as_good_as_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        std::fs::write(&file, "").unwrap();
        assert_eq!(find(Some(folder.path())).unwrap(), file);
        assert_eq!(find(Some(&file)).unwrap(), file);
    }
}
