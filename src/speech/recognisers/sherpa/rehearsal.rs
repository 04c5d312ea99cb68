//! A model is tried out in a process of its own before it is loaded here: sherpa-onnx ends the
//! process it is in, without a word to it, over a model that it does not like.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::super::Setting;
use super::{Settings, load};
use crate::speech::{Asked, Bell, RATE, Recogniser, SpeechError, Told, tone};
use crate::words::Language;

/// The longest that trying out may take; a large model on a slow disk takes a minute.
const LONGEST: Duration = Duration::from_secs(120);

/// How much of what the process says is kept.
const MOST_SAID: usize = 600;

static STAGE: OnceLock<PathBuf> = OnceLock::new();

/// Has models tried out from now on by this program, which has to know the verb `models rehearse`.
pub fn rehearse_with(program: PathBuf) {
    // Whoever was first named it just as well.
    let _ = STAGE.set(program);
}

/// Has a model tried out, where a program was named for it.
///
/// # Errors
/// When it did not come through, with what it said.
pub fn try_out(
    settings: &Settings,
    language: Language,
    setting: &Setting,
) -> Result<(), SpeechError> {
    match STAGE.get() {
        Some(program) => {
            send(program, settings, language).map_err(|reason| SpeechError::Rehearsal {
                setting: setting.field("model"),
                folder: settings.model.clone(),
                reason,
            })
        }
        None => Ok(()),
    }
}

fn send(program: &Path, settings: &Settings, language: Language) -> Result<(), String> {
    let as_text = serde_json::to_string(settings).map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .args(["models", "rehearse", language.code(), &as_text])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} could not be started: {error}", program.display()))?;
    let mut stderr = child.stderr.take();
    let listening = std::thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(stderr) = &mut stderr {
            // What cannot be read is not told; how the process ended is.
            let _ = stderr.read_to_end(&mut said);
        }
        String::from_utf8_lossy(&said).into_owned()
    });
    let began = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => break format!("trying it out ended with {status}"),
            Ok(None) if began.elapsed() > LONGEST => {
                // It may have ended in this very moment, and then there is nothing to kill.
                let _ = child.kill();
                let _ = child.wait();
                break format!("trying it out took more than {} s", LONGEST.as_secs());
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => break error.to_string(),
        }
    };
    let said = listening.join().unwrap_or_default();
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let from = said.len().saturating_sub(MOST_SAID);
    let from = (from..=said.len()).find(|at| said.is_char_boundary(*at));
    let said = &said[from.unwrap_or_default()..];
    Err(if said.is_empty() {
        ended
    } else {
        format!("{ended}: {said}")
    })
}

/// Loads a model here and has it recognise a sound, which may end this process.
///
/// # Errors
/// When the model cannot be used and the process goes on all the same.
pub fn play(settings: &Settings, language: Language) -> Result<Duration, SpeechError> {
    let setting = Setting::ear(language, 0);
    let found = settings.look_through(&setting)?;
    let sherpa = super::Sherpa::load(settings.library.as_deref())?;
    let began = Instant::now();
    let model = load(&sherpa, settings, &found, language, &setting)?;
    let loaded = began.elapsed();
    let (rung, rings) = std::sync::mpsc::sync_channel(1);
    let bell = Bell::new(move || {
        // A ring that waits is as good as two.
        let _ = rung.try_send(());
    });
    let mut asked = Asked::anything();
    asked.hints = vec!["ja".to_owned()];
    let mut recognition = model.open(&asked, bell)?;
    for length in [RATE / 5, RATE * 2] {
        let sound = tone(220.0, Duration::from_secs_f64(length as f64 / RATE as f64));
        recognition.push(&sound)?;
        recognition.finish()?;
        let began = Instant::now();
        while !matches!(recognition.told(Instant::now())?, Some(Told::Final(_))) {
            let left = LONGEST.saturating_sub(began.elapsed());
            rings
                .recv_timeout(left)
                .map_err(|_| SpeechError::Recogniser {
                    language,
                    reason: "it did not decode a sound in time".to_owned(),
                })?;
        }
    }
    Ok(loaded)
}
