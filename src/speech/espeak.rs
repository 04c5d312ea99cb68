//! The synthesiser that is always there: espeak-ng, run as a process per prompt. A process keeps
//! its licence and its faults apart from ours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::{Config, SpeechError, Synthesiser, level, wav};
use crate::words::Language;

/// How long a prompt may take to make. A sentence takes about 30 ms.
const DEADLINE: Duration = Duration::from_secs(10);

/// The longest text of one prompt, in characters: about five minutes of speech.
const LONGEST_TEXT: usize = 4000;

/// The most audio taken from the engine, in bytes: ten minutes.
const LARGEST: u64 = 30_000_000;

/// The level of all prompts, in dBFS: loud and clear on a telephone without being a shout.
const LEVEL: f32 = -20.0;

/// espeak-ng, found and ready to be run.
#[derive(Debug)]
pub struct Espeak {
    program: PathBuf,
    voices: BTreeMap<Language, String>,
    words_per_minute: u16,
    deadline: Duration,
    seats: Arc<Semaphore>,
}

impl Espeak {
    /// Finds espeak-ng: the file configured, HOTLINE_ESPEAK, or the PATH.
    ///
    /// # Errors
    /// When it is in none of these places; the error tells where it was looked for.
    pub fn find(config: &Config) -> Result<Self, SpeechError> {
        let program = find(config.espeak.as_deref())?;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            program,
            voices: config.voices.clone(),
            words_per_minute: config.words_per_minute.clamp(80, 450),
            deadline: DEADLINE,
            seats: Arc::new(Semaphore::new(cores)),
        })
    }

    /// Returns the program that is run.
    pub fn program(&self) -> &Path {
        &self.program
    }

    async fn run(&self, text: &str, voice: &str) -> Result<Vec<u8>, SpeechError> {
        let broken = |reason: String| SpeechError::Synthesiser {
            engine: self.program.display().to_string(),
            reason,
        };
        let mut child = Command::new(&self.program)
            .args([
                "-b",
                "1",
                "-v",
                voice,
                "-s",
                &self.words_per_minute.to_string(),
            ])
            .args(["--stdin", "--stdout"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| broken(format!("it cannot be started: {error}")))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(broken("it has no standard streams".to_owned()));
        };
        let write = async {
            // A program that ends without reading shows in its exit status.
            let _ = stdin.write_all(text.as_bytes()).await;
            let _ = stdin.shutdown().await;
            drop(stdin);
        };
        let (mut audio, mut complaint) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(LARGEST), stderr.take(2000));
        let (_, read, _) = tokio::join!(
            write,
            stdout.read_to_end(&mut audio),
            stderr.read_to_end(&mut complaint),
        );
        read.map_err(|error| broken(format!("its audio cannot be read: {error}")))?;
        drop((stdout, stderr));
        let status = child
            .wait()
            .await
            .map_err(|error| broken(error.to_string()))?;
        if !status.success() {
            let complaint = String::from_utf8_lossy(&complaint);
            return Err(broken(format!("{status}: {}", complaint.trim())));
        }
        Ok(audio)
    }
}

#[async_trait]
impl Synthesiser for Espeak {
    fn voice(&self, language: Language) -> Option<String> {
        let voice = self.voices.get(&language)?;
        Some(format!("espeak-ng {voice} {}", self.words_per_minute))
    }

    async fn synthesise(&self, text: &str, language: Language) -> Result<Vec<i16>, SpeechError> {
        let voice = self
            .voices
            .get(&language)
            .ok_or(SpeechError::NoVoice { language })?;
        let text = speakable(text)?;
        let engine = || self.program.display().to_string();
        let bytes = tokio::time::timeout(self.deadline, async {
            // The semaphore is never closed, and without a seat it works as well, only slower.
            let _seat = self.seats.acquire().await;
            self.run(&text, voice).await
        })
        .await
        .map_err(|_| SpeechError::TooSlow {
            engine: engine(),
            deadline: self.deadline,
        })??;
        tokio::task::spawn_blocking(move || {
            let mut samples = wav::decode(&with_true_length(bytes))?;
            level::normalise(&mut samples, LEVEL);
            Ok(samples)
        })
        .await
        .unwrap_or_else(|_| Err("its audio cannot be converted".to_owned()))
        .map_err(|reason| SpeechError::Synthesiser {
            engine: engine(),
            reason,
        })
    }
}

fn find(configured: Option<&Path>) -> Result<PathBuf, SpeechError> {
    let from_environment = std::env::var_os("HOTLINE_ESPEAK").map(PathBuf::from);
    if let Some(named) = configured.map(Path::to_owned).or(from_environment) {
        return if named.is_file() {
            Ok(named)
        } else {
            Err(SpeechError::NoSynthesiser {
                looked: vec![named.display().to_string()],
            })
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("espeak-ng"))
        .find(|program| program.is_file())
        .ok_or_else(|| SpeechError::NoSynthesiser {
            looked: vec!["espeak-ng in the PATH".to_owned()],
        })
}

/// Makes a text safe to be spoken: control characters become spaces, and the brackets by which
/// espeak-ng would read phonemes instead of words are opened up.
fn speakable(text: &str) -> Result<String, SpeechError> {
    let cleaned: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let cleaned = cleaned.replace("[[", "[ [").replace("]]", "] ]");
    let refused = |reason| SpeechError::Unspeakable {
        text: cleaned.chars().take(40).collect(),
        reason,
    };
    if !cleaned.chars().any(char::is_alphanumeric) {
        return Err(refused("it holds no words; leave the prompt out instead"));
    }
    if cleaned.chars().nth(LONGEST_TEXT).is_some() {
        return Err(refused(
            "it is longer than 4000 characters; split the prompt",
        ));
    }
    Ok(cleaned)
}

/// Puts the true length into a WAV header that was written before the length was known.
fn with_true_length(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() >= 44 && bytes.get(36..40) == Some(b"data".as_slice()) {
        let data = (bytes.len() as u32 - 44) & !1;
        bytes.truncate(44 + data as usize);
        bytes[4..8].copy_from_slice(&(data + 36).to_le_bytes());
        bytes[40..44].copy_from_slice(&data.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_phoneme_brackets_are_not_obeyed() {
        assert_eq!(
            speakable("Hej\u{0}\r\n[[h@l'oU]]").unwrap(),
            "Hej   [ [h@l'oU] ]"
        );
    }

    #[test]
    fn a_text_without_words_is_refused_in_words() {
        let error = speakable("\u{7} ...").unwrap_err();
        insta::assert_snapshot!(
            error,
            @r#"the text "  ..." cannot be spoken: it holds no words; leave the prompt out instead"#
        );
    }

    #[test]
    fn a_text_without_end_is_refused() {
        assert!(speakable(&"a".repeat(LONGEST_TEXT)).is_ok());
        assert!(speakable(&"a".repeat(LONGEST_TEXT + 1)).is_err());
    }

    #[test]
    fn a_missing_program_is_named() {
        let config = Config {
            espeak: Some("/nowhere/espeak-ng".into()),
            ..Config::default()
        };
        insta::assert_snapshot!(
            Espeak::find(&config).unwrap_err(),
            @"espeak-ng was not found, so only recorded prompts can be played; looked for /nowhere/espeak-ng; install it (`apt-get install espeak-ng`) or name the program in speech.espeak or HOTLINE_ESPEAK"
        );
    }

    #[test]
    fn a_header_written_too_early_gets_its_true_length() {
        let mut bytes = wav::encode(&[1, 2, 3]);
        bytes[40..44].copy_from_slice(&0x7fff_f000_u32.to_le_bytes());
        assert!(wav::decode(&bytes).is_err());
        assert_eq!(wav::decode(&with_true_length(bytes)), Ok(vec![1, 2, 3]));
    }

    fn fake(folder: &Path, script: &str) -> Espeak {
        use std::os::unix::fs::PermissionsExt;
        let program = folder.join("espeak-ng");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Espeak::find(&Config {
            espeak: Some(program),
            ..Config::default()
        })
        .unwrap()
    }

    #[tokio::test]
    async fn an_engine_that_hangs_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = fake(folder.path(), "exec sleep 60");
        engine.deadline = Duration::from_millis(50);
        let error = engine.synthesise("Hej", Language::DA).await.unwrap_err();
        assert!(matches!(error, SpeechError::TooSlow { .. }), "{error}");
    }

    #[tokio::test]
    async fn an_engine_that_fails_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let engine = fake(folder.path(), "echo 'no such voice' >&2; exit 3");
        let error = engine
            .synthesise("Hej", Language::DA)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with("failed: exit status: 3: no such voice"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn an_engine_that_talks_nonsense_is_found_out() {
        let folder = tempfile::tempdir().unwrap();
        let engine = fake(folder.path(), "echo hello");
        let error = engine
            .synthesise("Hej", Language::DA)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("it is no WAV file") || error.contains("cut short"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_language_without_a_voice_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let engine = fake(folder.path(), "exit 0");
        let error = engine
            .synthesise("Moin", "de".parse().unwrap())
            .await
            .unwrap_err();
        insta::assert_snapshot!(error, @"there is no voice for de; name one in speech.voices.de");
    }
}
