//! Recordings and what is said in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{Stop, engines};
use crate::dialog::Expect;
use crate::flow::did_you_mean;
use crate::words::{IntentName, Language, PhoneNumber};

/// Folders in folders that are looked into.
const DEPTH: usize = 8;

/// One recording with what is known about it.
#[derive(Debug, PartialEq)]
pub(super) struct Sheet {
    pub(super) recording: PathBuf,
    pub(super) language: Language,
    /// The words, as they are said.
    pub(super) said: String,
    pub(super) expect: Expect,
    /// What it should be taken for: an intent, or an answer as Hotline writes it.
    pub(super) meant: Option<String>,
}

/// Finds the recordings of a folder that have a transcript, sorted by name.
pub(super) fn read(folder: &Path, otherwise: Language) -> Result<Vec<Sheet>, Stop> {
    if !folder.is_dir() {
        return Err(Stop::usage(
            format!("{} is no folder", folder.display()),
            "name a folder of recordings, each NAME.wav with its words in NAME.txt",
        ));
    }
    let mut recordings = Vec::new();
    gather(folder, DEPTH, &mut recordings)?;
    recordings.sort();
    let sheets = recordings
        .into_iter()
        .map(|recording| {
            let named = recording.ancestors().find_map(|place| {
                let inside = place.starts_with(folder) && place != folder;
                let name = place.file_name()?.to_str()?;
                (inside && name.len() == 2).then(|| name.parse().ok())?
            });
            let transcript = recording.with_extension("txt");
            let text = fs::read_to_string(&transcript).map_err(|error| {
                Stop::failed(
                    format!("{}: {error}", transcript.display()),
                    "save the transcript as UTF-8 text",
                )
            })?;
            parse(&text, recording, named.unwrap_or(otherwise)).map_err(|(line, wrong)| {
                Stop::failed(format!("{}:{line}: {wrong}", transcript.display()), LINES)
            })
        })
        .collect::<Result<Vec<_>, Stop>>()?;
    if sheets.is_empty() {
        return Err(Stop::usage(
            format!("{} has no recording with a transcript", folder.display()),
            "put the words of each NAME.wav into NAME.txt beside it",
        ));
    }
    Ok(sheets)
}

const LINES: &str = "the first line is what is said; after it, lines such as `language: en`, \
                     `expect: digits`, `answer: 4270` or `intent: operator` may follow";

fn gather(folder: &Path, depth: usize, recordings: &mut Vec<PathBuf>) -> Result<(), Stop> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && depth > 0 {
            gather(&path, depth - 1, recordings)?;
        } else if path
            .extension()
            .is_some_and(|it| it.eq_ignore_ascii_case("wav"))
            && path.with_extension("txt").is_file()
        {
            recordings.push(path);
        }
    }
    Ok(())
}

/// Reads a transcript; on failure returns the line and what is wrong there.
fn parse(text: &str, recording: PathBuf, language: Language) -> Result<Sheet, (usize, String)> {
    let mut lines = (1..).zip(text.lines().map(str::trim));
    let said = match lines.next() {
        Some((_, said)) if !said.is_empty() => said.to_owned(),
        _ => return Err((1, "there are no words".to_owned())),
    };
    let mut sheet = Sheet {
        recording,
        language,
        said,
        expect: Expect::Text,
        meant: None,
    };
    let mut expected = None;
    for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let wrong = |what: String| (number, what);
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| wrong(format!("{line:?} is not `name: value`")))?;
        let value = value.trim();
        match name.trim() {
            "language" => {
                sheet.language = value
                    .parse()
                    .map_err(|error: crate::words::NoLanguage| wrong(error.to_string()))?;
            }
            "expect" => expected = Some(engines::expect(value).map_err(wrong)?),
            "intent" => {
                sheet.meant = Some(IntentName(value.to_owned()).to_string());
                expected = expected.or(Some(Expect::Intent));
            }
            "answer" => sheet.meant = Some(value.to_owned()),
            other => {
                let names = ["language", "expect", "intent", "answer"];
                let hint = did_you_mean(other, names).unwrap_or_default();
                return Err(wrong(format!("there is no `{other}`; {hint}")));
            }
        }
    }
    sheet.expect = expected.unwrap_or(Expect::Text);
    if sheet.expect == Expect::Phone
        && let Some(meant) = &mut sheet.meant
        && let Ok(number) = PhoneNumber::parse(meant)
    {
        *meant = number.e164().to_owned();
    }
    Ok(sheet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(text: &str) -> Result<Sheet, (usize, String)> {
        parse(text, PathBuf::from("a.wav"), Language::DA)
    }

    #[test]
    fn a_transcript_alone_is_enough() {
        let sheet = read_one("jeg vil tale med borgerservice\n").unwrap();
        assert_eq!(sheet.said, "jeg vil tale med borgerservice");
        assert_eq!((sheet.language, sheet.expect), (Language::DA, Expect::Text));
    }

    #[test]
    fn a_transcript_may_say_what_was_meant() {
        let sheet = read_one("two oh seven\nlanguage: en\nexpect: digits\nanswer: 207\n").unwrap();
        assert_eq!(
            (sheet.language, sheet.expect),
            (Language::EN, Expect::Digits)
        );
        assert_eq!(sheet.meant.as_deref(), Some("207"));
        let sheet = read_one("skat\nintent: department.tax").unwrap();
        assert_eq!(sheet.expect, Expect::Intent);
        let sheet = read_one("tolv\nexpect: phone\nanswer: 70 10 10 10").unwrap();
        assert_eq!(sheet.meant.as_deref(), Some("+4570101010"));
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        assert_eq!(read_one("").unwrap_err().0, 1);
        let (line, wrong) = read_one("ja\n\nexpct: yes_no").unwrap_err();
        assert_eq!(line, 3);
        assert!(wrong.contains("did you mean `expect`"), "{wrong}");
        assert_eq!(read_one("ja\nexpect: maybe").unwrap_err().0, 2);
    }

    #[test]
    fn recordings_without_a_transcript_are_left_out_and_folders_give_the_language() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("en")).unwrap();
        for (name, text) in [("b", None), ("a", Some("ja")), ("en/c", Some("yes"))] {
            let recording = folder.path().join(format!("{name}.wav"));
            std::fs::write(&recording, "").unwrap();
            if let Some(text) = text {
                std::fs::write(recording.with_extension("txt"), text).unwrap();
            }
        }
        let sheets = read(folder.path(), Language::DA).unwrap();
        let found: Vec<_> = sheets
            .iter()
            .map(|it| (it.said.as_str(), it.language))
            .collect();
        assert_eq!(found, [("ja", Language::DA), ("yes", Language::EN)]);
    }
}
