//! Auditions: what one recogniser makes of one recording, and how long it takes. For trying
//! engines and for measuring them; calls are listened to by [`super::Ears`].

use std::sync::Arc;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::turn::FRAME_TIME;
use super::{Asked, Bell, FRAME, Recogniser, Recognition, SpeechError, Told, Transcript};

/// How long an engine may take for its final words.
const PATIENCE: Duration = Duration::from_secs(60);

/// Silence after the recording, as a caller leaves it: 400 ms.
const AFTER: usize = 20;

/// How fast a recording is played to an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tempo {
    /// One frame every 20 ms, as a call does.
    Caller,
    /// As fast as the engine takes it.
    Engine,
}

/// What an engine made of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Audition {
    /// The words.
    pub transcript: Transcript,
    /// The words so far, each with how much of the recording had been played.
    pub partials: Vec<(Duration, String)>,
    /// The length of the recording.
    pub length: Duration,
    /// From the first sample to the final words; with [`Tempo::Engine`] this is what it cost.
    pub took: Duration,
    /// From the end of the turn to the final words.
    pub answer: Duration,
}

/// Plays a recording, 8 kHz, to a recogniser as one turn. It blocks.
///
/// # Errors
/// When the engine fails, or has no final words within a minute.
pub fn audition(
    recogniser: &dyn Recogniser,
    asked: &Asked,
    samples: &[i16],
    tempo: Tempo,
) -> Result<Audition, SpeechError> {
    let doorstep = Arc::new(Doorstep::default());
    let visitor = Arc::clone(&doorstep);
    let bell = Bell::new(move || visitor.ring());
    let mut recognition = recogniser.open(asked, bell)?;
    let silence = [0; FRAME * AFTER];
    let mut partials = Vec::new();
    let began = Instant::now();
    let frames = samples.chunks(FRAME).chain(silence.chunks(FRAME));
    for (number, frame) in (1..).zip(frames) {
        let played = FRAME_TIME * number;
        if tempo == Tempo::Caller {
            std::thread::sleep((began + played).saturating_duration_since(Instant::now()));
        }
        recognition.push(frame)?;
        if number % 6 == 0
            && let Some(Told::Partial(text)) = last_told(recognition.as_mut())?
        {
            partials.push((played, text));
        }
    }
    let ended = Instant::now();
    recognition.finish()?;
    loop {
        if let Some(Told::Final(transcript)) = last_told(recognition.as_mut())? {
            return Ok(Audition {
                transcript,
                partials,
                length: FRAME_TIME * (samples.len() / FRAME) as u32,
                took: began.elapsed(),
                answer: ended.elapsed(),
            });
        }
        if ended.elapsed() >= PATIENCE {
            return Err(SpeechError::Recogniser {
                language: recogniser.language(),
                reason: format!("{} had no words after {PATIENCE:?}", recogniser.name()),
            });
        }
        doorstep.wait();
    }
}

/// Takes everything there is to tell and returns the last of it, a final one before all.
fn last_told(recognition: &mut dyn Recognition) -> Result<Option<Told>, SpeechError> {
    let mut last = None;
    while let Some(told) = recognition.told(Instant::now())? {
        let is_final = matches!(told, Told::Final(_));
        last = Some(told);
        if is_final {
            break;
        }
    }
    Ok(last)
}

/// Where the ringing of a bell is waited for.
#[derive(Default)]
struct Doorstep {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Doorstep {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Waits for the bell, or for a while: deadlines of the engine's own are noticed when it is
    /// asked.
    fn wait(&self) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(rung, Duration::from_millis(50), |rung| !*rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}
