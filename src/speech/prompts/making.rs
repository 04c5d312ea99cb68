//! Makes one prompt: asks the voices of its language in their order, and passes on what the first
//! that is well says while it still speaks.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::super::breaker::{self, Breaker};
use super::super::level::Leveller;
use super::super::script::Script;
use super::super::synthesisers::Ready;
use super::super::{RATE, Speech, SpeechError};
use super::figures::Figures;
use super::growing::{Making, Source};
use super::hash;
use crate::words::Language;

/// How long an engine may take to begin a prompt that nobody waits for yet.
const AHEAD: Duration = Duration::from_secs(30);

/// How far an engine may fall behind the caller's ear.
const BEHIND: Duration = Duration::from_secs(3);

/// The longest prompt, in samples: ten minutes.
const LONGEST: usize = RATE * 600;

/// One voice of a language: an engine, whether it is well, and what is known of it.
pub(super) struct Choice {
    ready: Ready,
    breaker: Mutex<Breaker>,
    /// The gain in dB that brings this voice to the level of all prompts.
    gain: Mutex<Option<f32>>,
    seats: Semaphore,
    /// Prompts that nobody waits for yet leave room for those that a caller waits for.
    seats_ahead: Semaphore,
}

impl Choice {
    pub(super) fn new(ready: Ready, settings: breaker::Settings) -> Self {
        Self {
            breaker: Mutex::new(Breaker::new(settings)),
            gain: Mutex::default(),
            seats: Semaphore::new(ready.at_once.max(1)),
            seats_ahead: Semaphore::new(ready.ahead.max(1)),
            ready,
        }
    }

    pub(super) fn language(&self) -> Language {
        self.ready.synthesiser.language()
    }

    /// What it is called in messages.
    pub(super) fn called(&self) -> String {
        format!("{} ({})", self.ready.name, self.ready.setting)
    }

    pub(super) fn name(&self) -> &'static str {
        self.ready.name
    }

    /// Returns the text as this engine is given it.
    fn text<'a>(&self, script: &'a Script) -> &'a str {
        match &script.markup {
            Some(markup) if self.ready.synthesiser.knows_markup() => markup,
            _ => &script.plain,
        }
    }

    /// Returns where a prompt of this voice is kept.
    pub(super) fn kept(&self, cache: &Path, script: &Script) -> PathBuf {
        let language = self.language();
        let code = language.code();
        let name = hash(&[code, self.ready.synthesiser.voice(), self.text(script)]);
        cache.join(code).join(format!("{name}.wav"))
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // Nothing in there panics half way through a change.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gain(&self) -> MutexGuard<'_, Option<f32>> {
        self.gain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a prompt, telling the figures and the breaker how it went. Samples reach the prompt as
    /// soon as they are there.
    pub(super) async fn make(
        &self,
        script: &Script,
        making: &Making,
        source: Source,
        figures: &Figures,
    ) -> Result<(), SpeechError> {
        let (name, language) = (self.ready.name, self.language());
        if !self.breaker().allows(Instant::now()) {
            let resting = SpeechError::Resting {
                engine: self.called(),
            };
            figures.failed(name, language, &resting);
            return Err(resting);
        }
        let seated = OnceLock::new();
        let speaking = self.speak(self.text(script), making, source, figures, &seated);
        let made = speaking.await;
        match &made {
            Ok(()) => {
                self.breaker().succeeded(Instant::now());
                figures.made(name, language);
            }
            Err(fault) => {
                if self.is_its_own(fault, seated.get()) {
                    self.breaker().failed(Instant::now());
                }
                figures.failed(name, language, fault);
                tracing::warn!(engine = self.called(), "a prompt was not made: {fault}");
            }
        }
        made
    }

    /// Tells whether a fault is the engine's own: who waited most of the time for others' prompts,
    /// and so too long, knows nothing of it.
    fn is_its_own(&self, fault: &SpeechError, seated: Option<&tokio::time::Instant>) -> bool {
        !matches!(fault, SpeechError::TooSlow { .. })
            || seated.is_some_and(|since| since.elapsed() >= self.ready.first_audio / 2)
    }

    /// Speaks a text, and notes in `seated` when the engine was asked.
    async fn speak(
        &self,
        text: &str,
        making: &Making,
        source: Source,
        figures: &Figures,
        seated: &OnceLock<tokio::time::Instant>,
    ) -> Result<(), SpeechError> {
        let asked = Instant::now();
        let first = async {
            // The semaphores are never closed, and without a seat it works as well, only slower.
            let ahead = async { self.seats_ahead.acquire().await.ok() };
            let ahead = tokio::select! {
                seat = ahead => seat,
                () = making.awaited() => None,
            };
            let seat = self.seats.acquire().await.ok();
            // It is set here alone, once.
            let _ = seated.set(tokio::time::Instant::now());
            let mut speech = self.ready.synthesiser.speak(text).await?;
            let piece = audible(&mut *speech).await?;
            Ok::<_, SpeechError>((speech, piece, (ahead, seat)))
        };
        let patience = async {
            let alone = tokio::time::timeout(AHEAD, making.awaited()).await;
            match alone {
                Ok(()) => {
                    tokio::time::sleep(self.ready.first_audio).await;
                    self.ready.first_audio
                }
                Err(_) => AHEAD,
            }
        };
        let (mut speech, piece, _seats) = tokio::select! {
            // Who has waited too long for a seat does not ask any more.
            biased;
            deadline = patience => return Err(SpeechError::TooSlow {
                engine: self.called(),
                deadline,
            }),
            first = first => first?,
        };
        let Some(piece) = piece else {
            return Err(self.broken("it holds no audio"));
        };
        figures.first_audio(
            self.ready.name,
            self.language(),
            asked.elapsed().as_secs_f64(),
        );
        making.comes_from(source);
        let mut leveller = Leveller::new(*self.gain());
        making.push(&leveller.push(&piece));
        let (began, mut made) = (Instant::now(), piece.len());
        loop {
            let played = Duration::from_secs_f64(made as f64 / RATE as f64);
            let late = (played + BEHIND).saturating_sub(began.elapsed());
            let piece = tokio::time::timeout(late, speech.next()).await;
            match piece.map_err(|_| SpeechError::FallsBehind {
                engine: self.called(),
            })?? {
                Some(piece) => {
                    made += piece.len();
                    if made > LONGEST {
                        return Err(self.broken("it does not end within ten minutes"));
                    }
                    making.push(&leveller.push(&piece));
                }
                None => break,
            }
        }
        making.push(&leveller.finish());
        if let Some(measured) = leveller.measured() {
            let mut gain = self.gain();
            // A voice keeps its level; one odd prompt does not change it much.
            *gain = Some(gain.map_or(measured, |before| before * 0.8 + measured * 0.2));
        }
        Ok(())
    }

    /// Says a word for nobody, and returns how long the first audio took.
    pub(super) async fn try_out(&self, word: &str) -> Result<Duration, SpeechError> {
        let asked = Instant::now();
        let first = async {
            let mut speech = self.ready.synthesiser.speak(word).await?;
            audible(&mut *speech).await
        };
        let deadline = self.ready.first_audio;
        match tokio::time::timeout(deadline, first).await {
            Ok(Ok(Some(_))) => Ok(asked.elapsed()),
            Ok(Ok(None)) => Err(self.broken("it holds no audio")),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(SpeechError::TooSlow {
                engine: self.called(),
                deadline,
            }),
        }
    }

    fn broken(&self, reason: &str) -> SpeechError {
        SpeechError::Synthesiser {
            engine: self.called(),
            reason: reason.to_owned(),
        }
    }
}

/// Returns the first samples that there are; nothing where there are none at all.
async fn audible(speech: &mut dyn Speech) -> Result<Option<Vec<i16>>, SpeechError> {
    while let Some(piece) = speech.next().await? {
        if !piece.is_empty() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}
