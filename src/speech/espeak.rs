//! The synthesiser that is always there: espeak-ng, run as a process per prompt. A process keeps
//! its licence and its faults apart from ours.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};

use super::pcm::Reader;
use super::{Speech, SpeechError, Synthesiser};
use crate::words::Language;

/// The most of its audio that is read at once, in bytes: a quarter of a second.
const PIECE: usize = 12_000;

/// The most of its complaints that is quoted, in bytes.
const COMPLAINT: u64 = 2000;

/// What can be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its voice; `espeak-ng --voices` lists them.
    pub voice: String,
    /// How fast to speak, in words per minute (80 to 450).
    #[serde(default = "words_per_minute")]
    pub words_per_minute: u16,
    /// The program; when empty, HOTLINE_ESPEAK and the PATH are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

fn words_per_minute() -> u16 {
    160
}

impl Settings {
    /// Makes the settings of a voice with all else as usual.
    pub fn new(voice: &str) -> Self {
        Self {
            voice: voice.to_owned(),
            words_per_minute: words_per_minute(),
            program: None,
        }
    }
}

/// espeak-ng with one of its voices, found and ready to be run.
#[derive(Debug)]
pub struct Espeak {
    program: PathBuf,
    settings: Settings,
    language: Language,
    name: String,
}

impl Espeak {
    /// Finds espeak-ng: the file configured, HOTLINE_ESPEAK, or the PATH.
    ///
    /// # Errors
    /// When it is in none of these places; the error tells where it was looked for.
    pub fn open(settings: &Settings, language: Language) -> Result<Self, SpeechError> {
        Ok(Self {
            program: find(settings.program.as_deref())?,
            name: format!("espeak-ng {} {}", settings.voice, settings.words_per_minute),
            settings: settings.clone(),
            language,
        })
    }

    /// Returns the program that is run.
    pub fn program(&self) -> &Path {
        &self.program
    }
}

#[async_trait]
impl Synthesiser for Espeak {
    fn language(&self) -> Language {
        self.language
    }

    fn voice(&self) -> &str {
        &self.name
    }

    fn knows_markup(&self) -> bool {
        true
    }

    async fn speak(&self, text: &str) -> Result<Box<dyn Speech>, SpeechError> {
        let broken = |reason: String| SpeechError::Synthesiser {
            engine: self.program.display().to_string(),
            reason,
        };
        // Markup begins with this, and nothing else does.
        let is_markup = text.starts_with("<speak");
        let speed = self.settings.words_per_minute.clamp(80, 450).to_string();
        let mut child = Command::new(&self.program)
            .args(["-b", "1", "-v", &self.settings.voice, "-s", &speed])
            .args(is_markup.then_some("-m"))
            .args(["--stdin", "--stdout"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| broken(format!("it cannot be started: {error}")))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(broken("it has no standard streams".to_owned()));
        };
        // The text is shorter than a pipe is long. A program that ends without reading shows in
        // its exit status.
        let _ = stdin.write_all(without_phonemes(text).as_bytes()).await;
        drop(stdin);
        Ok(Box::new(Process {
            called: self.program.display().to_string(),
            child,
            stdout,
            reader: Reader::wav(),
            over: false,
        }))
    }
}

/// Opens up the brackets by which espeak-ng would read phonemes instead of words.
fn without_phonemes(text: &str) -> String {
    text.replace("[[", "[ [").replace("]]", "] ]")
}

/// One prompt that is being spoken; dropping it ends the process.
struct Process {
    called: String,
    child: Child,
    stdout: ChildStdout,
    reader: Reader,
    over: bool,
}

impl Process {
    fn broken(&self, reason: String) -> SpeechError {
        SpeechError::Synthesiser {
            engine: self.called.clone(),
            reason,
        }
    }

    /// Waits for the program's end, and says what it complained of when that was not a good one.
    async fn end(&mut self) -> Result<(), SpeechError> {
        let mut complaint = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            // What cannot be read is not quoted.
            let _ = stderr.take(COMPLAINT).read_to_end(&mut complaint).await;
        }
        let status = self.child.wait().await;
        let status = status.map_err(|error| self.broken(error.to_string()))?;
        if status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&complaint);
        Err(self.broken(format!("{status}: {}", complaint.trim())))
    }
}

#[async_trait]
impl Speech for Process {
    async fn next(&mut self) -> Result<Option<Vec<i16>>, SpeechError> {
        if self.over {
            return Ok(None);
        }
        let mut bytes = vec![0; PIECE];
        let read = self.stdout.read(&mut bytes).await;
        let count =
            read.map_err(|error| self.broken(format!("its audio cannot be read: {error}")))?;
        if count > 0 {
            let samples = self.reader.push(&bytes[..count]);
            return samples.map(Some).map_err(|reason| self.broken(reason));
        }
        self.over = true;
        self.end().await?;
        let rest = self.reader.finish();
        rest.map(Some).map_err(|reason| self.broken(reason))
    }
}

fn find(configured: Option<&Path>) -> Result<PathBuf, SpeechError> {
    let from_environment = std::env::var_os("HOTLINE_ESPEAK").map(PathBuf::from);
    if let Some(named) = configured.map(Path::to_owned).or(from_environment) {
        return if named.is_file() {
            Ok(named)
        } else {
            Err(SpeechError::NoEspeak {
                looked: vec![named.display().to_string()],
            })
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("espeak-ng"))
        .find(|program| program.is_file())
        .ok_or_else(|| SpeechError::NoEspeak {
            looked: vec!["espeak-ng in the PATH".to_owned()],
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phoneme_brackets_are_not_obeyed() {
        assert_eq!(without_phonemes("Hej [[h@l'oU]]"), "Hej [ [h@l'oU] ]");
    }

    #[test]
    fn a_missing_program_is_named() {
        let settings = Settings {
            program: Some("/nowhere/espeak-ng".into()),
            ..Settings::new("da")
        };
        insta::assert_snapshot!(
            Espeak::open(&settings, Language::DA).unwrap_err(),
            @"espeak-ng was not found; looked for /nowhere/espeak-ng; install it (`apt-get install espeak-ng`) or name the program by `program` beside `engine: espeak` in speech.voices, or by HOTLINE_ESPEAK"
        );
    }

    fn fake(folder: &Path, script: &str) -> Espeak {
        use std::os::unix::fs::PermissionsExt;
        let program = folder.join("espeak-ng");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let settings = Settings {
            program: Some(program),
            ..Settings::new("da")
        };
        Espeak::open(&settings, Language::DA).unwrap()
    }

    /// Takes all audio of a text, and counts the pieces.
    async fn speak(engine: &Espeak, text: &str) -> Result<(usize, Vec<i16>), SpeechError> {
        let mut speech = engine.speak(text).await?;
        let (mut pieces, mut samples) = (0, Vec::new());
        while let Some(piece) = speech.next().await? {
            pieces += 1;
            samples.extend(piece);
        }
        Ok((pieces, samples))
    }

    #[tokio::test]
    async fn an_engine_that_fails_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let engine = fake(folder.path(), "echo 'no such voice' >&2; exit 3");
        let error = speak(&engine, "Hej").await.unwrap_err().to_string();
        assert!(
            error.ends_with("failed: exit status: 3: no such voice"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn an_engine_that_talks_nonsense_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let engine = fake(folder.path(), "echo hello");
        let error = speak(&engine, "Hej").await.unwrap_err().to_string();
        assert!(
            error.contains("it sent no WAV: it begins with \"hello\""),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_it_has_said_is_had_before_it_has_said_all() {
        let folder = tempfile::tempdir().unwrap();
        let wav = folder.path().join("beep.wav");
        std::fs::write(&wav, super::super::wav::encode(&[500; 800])).unwrap();
        let script = format!("head -c 844 {}; exec sleep 60", wav.display());
        let engine = fake(folder.path(), &script);
        let mut speech = engine.speak("Hej").await.unwrap();
        let first = tokio::time::timeout(std::time::Duration::from_secs(20), speech.next());
        assert_eq!(first.await.unwrap().unwrap(), Some(vec![500; 400]));
    }

    #[tokio::test]
    async fn markup_is_announced_as_such_and_words_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let engine = fake(folder.path(), "echo \"$@\" >&2; exit 1");
        let engine = &engine;
        let words = |text| async move { speak(engine, text).await.unwrap_err().to_string() };
        assert!(
            words("<speak>Hej</speak>")
                .await
                .ends_with("-v da -s 160 -m --stdin --stdout")
        );
        assert!(
            words("1 < 2")
                .await
                .ends_with("-v da -s 160 --stdin --stdout")
        );
    }
}
