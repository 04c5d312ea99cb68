//! Trials of the recognisers that are reached by a protocol: each is asked to listen to a moment
//! of noise, so that an address or a key that is wrong is found before a caller finds it. Those
//! that work in this process are tried by being opened, which is not done here.

use std::time::Duration;

use super::{Engine, Setting};
use crate::speech::{Asked, Config, RATE, SpeechError, Tempo, audition};
use crate::words::Language;

/// How loud the noise is, of 32767: about -40 dBFS, so that no engine is spared its work.
const LOUD: u32 = 600;

/// How the trial of one recogniser went.
#[derive(Debug)]
pub struct Trial {
    /// Its name, such as `vosk_server`.
    pub engine: &'static str,
    /// What it listens for.
    pub language: Language,
    /// Its address.
    pub url: String,
    /// How long its words took after the noise, or why there were none.
    pub outcome: Result<Duration, SpeechError>,
}

/// Tries every recogniser that is reached by a protocol, side by side. It must be called within the
/// tokio runtime, on a thread that may block, and takes no longer than the time limits of the
/// slowest.
pub fn try_out(config: &Config) -> Vec<Trial> {
    let mut trials = Vec::new();
    std::thread::scope(|scope| {
        let mut waiting = Vec::new();
        for (language, engines) in &config.ears {
            for (place, engine) in engines.iter().enumerate() {
                let Some(url) = engine.url() else { continue };
                let trial = |outcome| Trial {
                    engine: engine.name(),
                    language: *language,
                    url: url.to_owned(),
                    outcome,
                };
                match engine.open(*language, &Setting::ear(*language, place)) {
                    Err(fault) => trials.push(trial(Err(fault))),
                    Ok(recogniser) => {
                        let task = scope.spawn(move || {
                            let asked = Asked::anything();
                            audition(recogniser.as_ref(), &asked, &noise(), Tempo::Engine)
                        });
                        waiting.push((trial, task));
                    }
                }
            }
        }
        for (trial, task) in waiting {
            let Ok(outcome) = task.join() else { continue };
            trials.push(trial(outcome.map(|heard| heard.answer)));
        }
    });
    trials
}

/// Half a second of noise, the same each time.
fn noise() -> Vec<i16> {
    let mut state = 1_u32;
    let sample = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 16) % (2 * LOUD)) as i16 - LOUD as i16
    };
    (0..RATE / 2).map(sample).collect()
}

impl Engine {
    /// Returns the address of one that is reached by a protocol.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::VoskServer(settings) => Some(&settings.url),
            Self::Transcription(settings) => Some(&settings.url),
            Self::Realtime(settings) => Some(&settings.url),
            Self::Sherpa(_) | Self::Vosk(_) | Self::Pocketsphinx(_) => None,
        }
    }
}
