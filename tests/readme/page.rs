//! A page of the documentation: its blocks, its words in backquotes, its commands.

use std::path::{Path, PathBuf};

pub(crate) fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn text(file: &str) -> String {
    std::fs::read_to_string(here().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the fenced blocks of a page in one language, with the place of the first line.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, String, String)> = None;
    for (number, line) in text(page).lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(name), None) => {
                open = Some((
                    name == language,
                    format!("{page}:{}", number + 2),
                    String::new(),
                ));
            }
            (Some(_), Some(_)) => {
                let (wanted, place, block) = open.take().unwrap();
                if wanted {
                    blocks.push((place, block));
                }
            }
            (None, Some((_, _, block))) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page}: a block is not closed");
    blocks
}

/// Returns what stands between backquotes in running text and tables.
pub(crate) fn code(page: &str) -> Vec<String> {
    let text = text(page);
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// Returns every command line of a page that begins with `program`, without that word, from blocks
/// and running text.
pub(crate) fn commands(page: &str, program: &str) -> Vec<String> {
    let shown = blocks(page, "console").into_iter().map(|(_, block)| block);
    let shown =
        shown.filter_map(|block| block.lines().next()?.strip_prefix("$ ").map(str::to_owned));
    let typed = blocks(page, "sh").into_iter().flat_map(|(_, block)| {
        let lines = block.lines().map(str::to_owned);
        lines.collect::<Vec<_>>()
    });
    let begins = format!("{program} ");
    let mut found = Vec::new();
    for line in typed.chain(shown).chain(code(page)) {
        let line = line.split(" # ").next().unwrap_or_default();
        for part in line.split(" | ").flat_map(|part| part.split(" && ")) {
            let part = part.trim();
            let part = part.strip_prefix("sudo -u hotline ").unwrap_or(part);
            found.extend(part.strip_prefix(&begins).map(|it| it.trim().to_owned()));
        }
    }
    found
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target: PathBuf = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
