//! Where `tools/setup` has put what the tests stand on, and what to say when it is not there.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// An Asterisk that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installation {
    /// The tree `tools/setup` made: its own loader, libraries and modules.
    Unpacked(PathBuf),
    /// An Asterisk of this machine.
    Own {
        /// The program.
        program: PathBuf,
        /// The folder with its modules.
        modules: PathBuf,
    },
}

/// Returns the cache folder that `tools/setup` fills.
pub fn folder() -> PathBuf {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("HOTLINE_CACHE").unwrap_or_else(|| {
        set("XDG_CACHE_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".cache")))
            .unwrap_or_else(|| PathBuf::from("/tmp/.cache"))
            .join("hotline")
    })
}

/// Finds the Asterisk to start: `HOTLINE_ASTERISK_BIN` with `HOTLINE_ASTERISK_MODULES`, else the
/// tree in `HOTLINE_ASTERISK`, else the one in the cache folder.
pub fn asterisk() -> Result<Installation> {
    if let Some(program) = path_in("HOTLINE_ASTERISK_BIN") {
        let Some(modules) = path_in("HOTLINE_ASTERISK_MODULES") else {
            bail!(
                "HOTLINE_ASTERISK_BIN is set but HOTLINE_ASTERISK_MODULES is not; `tools/setup --print` prints both"
            );
        };
        return Ok(Installation::Own { program, modules });
    }
    let tree = path_in("HOTLINE_ASTERISK").unwrap_or_else(|| folder().join("asterisk"));
    if !tree.join("asterisk").is_file() {
        bail!("no Asterisk in {}; run tools/setup", tree.display());
    }
    Ok(Installation::Unpacked(tree))
}

/// Finds libvosk: `HOTLINE_LIBVOSK`, else the one in the cache folder.
pub fn libvosk() -> Result<PathBuf> {
    let path = path_in("HOTLINE_LIBVOSK").unwrap_or_else(|| folder().join("vosk/libvosk.so"));
    existing(path)
}

/// Finds espeak-ng: `HOTLINE_ESPEAK`, else the one on the PATH, else the one in the cache folder.
pub fn espeak() -> Result<PathBuf> {
    if let Some(path) = path_in("HOTLINE_ESPEAK") {
        return existing(path);
    }
    let on_path = env::var_os("PATH").and_then(|list| {
        env::split_paths(&list)
            .map(|folder| folder.join("espeak-ng"))
            .find(|path| path.is_file())
    });
    existing(on_path.unwrap_or_else(|| folder().join("espeak/bin/espeak-ng")))
}

/// Returns the real vosk-server, which no package index has: the script `asr_server.py` of its
/// project in `HOTLINE_TEST_VOSK_SERVER`, and in `HOTLINE_TEST_VOSK_PYTHON` a Python that has the
/// packages vosk and websockets 13. Nothing where no script is named.
pub fn vosk_server() -> Option<Result<(PathBuf, PathBuf)>> {
    let script = path_in("HOTLINE_TEST_VOSK_SERVER")?;
    let python = path_in("HOTLINE_TEST_VOSK_PYTHON").unwrap_or_else(|| PathBuf::from("python3"));
    Some(existing(script).map(|script| (python, script)))
}

/// Finds pocketsphinx and recordings of people: `HOTLINE_POCKETSPHINX`, else the cache folder.
pub fn pocketsphinx() -> Result<PathBuf> {
    let tree = path_in("HOTLINE_POCKETSPHINX").unwrap_or_else(|| folder().join("pocketsphinx"));
    existing(tree.join("people/alsa/Front_Left.wav"))?;
    existing(tree.join("lib/libpocketsphinx.so.3"))?;
    Ok(tree)
}

fn path_in(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn existing(path: PathBuf) -> Result<PathBuf> {
    if !Path::is_file(&path) {
        bail!("{} is not there; run tools/setup", path.display());
    }
    Ok(path)
}
