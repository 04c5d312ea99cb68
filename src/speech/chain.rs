//! The recognisers of one language in order of preference, behind one [`Recogniser`]: when the one
//! that listens fails, answers nonsense or takes too long, the next one gets the whole turn of the
//! caller, so that nothing has to be said twice while an engine is left.
//!
//! It judges engines, not words, and knows no calls; what a caller is told is the call's affair.

mod link;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub(super) use link::Room;
use link::{Link, Taken};

use super::figures::Figures;
use super::limits::Limits;
use super::{Asked, Bell, RATE, Recogniser, Recognition, SpeechError, Told, Transcript, Works};
use crate::words::Language;

/// How much of a turn that was said before is given to an engine that takes over, before other
/// calls of the thread have their turn again: 400 ms.
const PIECE: usize = RATE * 2 / 5;

/// The most audio that is kept for an engine that may have to take over: ten minutes, which no turn
/// comes near and a recording does not exceed.
const MOST_KEPT: usize = 600 * RATE;

/// The most letters in a second of speech; what is longer by far was not said.
const LETTERS_PER_SECOND: usize = 60;

/// Letters that are no nonsense, however short the turn was.
const FEW_LETTERS: usize = 400;

/// What went wrong with an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// It told of an error.
    Failed,
    /// It panicked.
    Broke,
    /// Its answer was no words.
    Garbage,
    /// It gave no words within its limit.
    Slow,
    /// It did not come back to the thread that called it.
    Hung,
    /// It is as busy as it may be.
    Full,
    /// It is left alone for a while, after failures.
    Resting,
}

impl Failure {
    fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Broke => "broke",
            Self::Garbage => "garbage",
            Self::Slow => "slow",
            Self::Hung => "hung",
            Self::Full => "full",
            Self::Resting => "resting",
        }
    }

    /// Tells whether the engine itself did wrong.
    fn is_its_fault(self) -> bool {
        !matches!(self, Self::Full | Self::Resting)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// An engine was of no use to a call, and which one took its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degraded {
    /// The language.
    pub language: Language,
    /// The engine.
    pub engine: String,
    /// What went wrong.
    pub failure: Failure,
    /// The same in words.
    pub reason: String,
    /// The engine that listens instead; none when none is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A fault of an engine, on its way to being told.
struct Fault {
    failure: Failure,
    reason: String,
}

impl Fault {
    fn new(failure: Failure, reason: impl Into<String>) -> Self {
        Self {
            failure,
            reason: reason.into(),
        }
    }
}

/// The recognisers of one language.
pub(super) struct Chain {
    shared: Arc<Shared>,
}

struct Shared {
    language: Language,
    links: Vec<Link>,
    limits: Limits,
    figures: Figures,
}

impl Chain {
    /// Joins recognisers of one language, the preferred one first; at least one.
    pub(super) fn new(
        recognisers: Vec<Arc<dyn Recogniser>>,
        limits: &Limits,
        figures: &Figures,
        room: &Arc<Room>,
    ) -> Option<Self> {
        let language = recognisers.first()?.language();
        let links = recognisers
            .into_iter()
            .zip(0..)
            .map(|(recogniser, place)| Link::new(recogniser, place, limits, room))
            .collect();
        Some(Self {
            shared: Arc::new(Shared {
                language,
                links,
                limits: limits.clone(),
                figures: figures.clone(),
            }),
        })
    }

    /// Returns the share of a core that one recognition by the preferred engine takes while
    /// somebody speaks.
    pub(super) fn cost(&self) -> f64 {
        self.shared.links.first().map_or(0.0, Link::cost)
    }

    /// Tells whether an engine would listen to a question now.
    pub(super) fn is_able(&self, now: Instant) -> bool {
        self.shared.links.iter().any(|link| link.is_able(now))
    }
}

impl Recogniser for Chain {
    fn name(&self) -> &str {
        self.shared.links.first().map_or("none", |link| link.name())
    }

    fn language(&self) -> Language {
        self.shared.language
    }

    fn works(&self) -> Works {
        self.shared
            .links
            .first()
            .map_or(Works::Elsewhere, |link| link.works())
    }

    /// Opens the first engine that can. It never fails: when none can, that is told by the
    /// recognition, after what went wrong with each.
    fn open(&self, asked: &Asked, bell: Bell) -> Result<Box<dyn Recognition>, SpeechError> {
        let mut chained = Chained {
            chain: Arc::clone(&self.shared),
            asked: asked.clone(),
            bell,
            at: 0,
            current: None,
            keeps: self.shared.links.len() > 1,
            turns: VecDeque::new(),
            turn: Vec::new(),
            length: 0,
            fed_turns: 0,
            fed: 0,
            notices: VecDeque::new(),
            lost: None,
        };
        chained.take_next(0, None);
        Ok(Box::new(chained))
    }
}

/// A turn that is over and whose words have not come.
struct Owed {
    /// Its audio, where another engine could take it.
    audio: Vec<i16>,
    /// Its length in samples.
    length: usize,
    /// Since when the engine in use has had all of it.
    since: Option<Instant>,
}

/// One recognition, whichever engine it is on.
struct Chained {
    chain: Arc<Shared>,
    asked: Asked,
    bell: Bell,
    /// The engine in use, by its place.
    at: usize,
    /// Its recognition; absent when no engine is left.
    current: Option<Taken>,
    /// Whether audio is kept for another engine.
    keeps: bool,
    /// Turns that are over, the oldest first.
    turns: VecDeque<Owed>,
    /// The audio of the turn in progress.
    turn: Vec<i16>,
    /// Its length, kept or not.
    length: usize,
    /// How many of `turns` the engine in use has had to their end.
    fed_turns: usize,
    /// How many samples of the turn after those it has had.
    fed: usize,
    notices: VecDeque<Degraded>,
    lost: Option<SpeechError>,
}

impl Chained {
    /// Gives the work to the first engine from `place` on that takes it. `fault` is what went
    /// wrong with the one before, which is told together with the one that takes over.
    fn take_next(&mut self, place: usize, fault: Option<(usize, Fault)>) {
        let chain = Arc::clone(&self.chain);
        let mut faults: Vec<(usize, Fault)> = fault.into_iter().collect();
        let mut taken = None;
        for (at, link) in chain.links.iter().enumerate().skip(place) {
            match link.open(&self.asked, &self.bell, &chain.figures) {
                Ok(recognition) => {
                    taken = Some((at, recognition));
                    break;
                }
                Err(fault) => {
                    self.count(at, &fault);
                    faults.push((at, fault));
                }
            }
        }
        let next = taken
            .as_ref()
            .and_then(|(at, _)| chain.links.get(*at))
            .map(|link| link.name().to_owned());
        let mut last = String::new();
        for (at, Fault { failure, reason }) in faults {
            let Some(link) = chain.links.get(at) else {
                continue;
            };
            if next.is_some() {
                chain.figures.hand_overs.get_or_create(&link.label).inc();
            }
            tracing::warn!(engine = link.name(), language = %chain.language, %failure, reason,
                next, "a recogniser is of no use");
            last.clone_from(&reason);
            self.notices.push_back(Degraded {
                language: chain.language,
                engine: link.name().to_owned(),
                failure,
                reason,
                next: next.clone(),
            });
        }
        self.fed_turns = 0;
        self.fed = 0;
        for owed in &mut self.turns {
            owed.since = None;
        }
        match taken {
            Some((at, recognition)) => {
                self.at = at;
                self.current = Some(recognition);
            }
            None => {
                self.current = None;
                self.turns.clear();
                self.turn = Vec::new();
                self.lost = Some(SpeechError::Recogniser {
                    language: chain.language,
                    reason: last,
                });
            }
        }
        if !self.notices.is_empty() {
            self.bell.ring();
        }
    }

    fn count(&self, at: usize, fault: &Fault) {
        if let Some(link) = self.chain.links.get(at) {
            link.failed(fault.failure, &self.chain.figures);
        }
    }

    /// Has the next engine take over.
    fn hand_over(&mut self, fault: Fault) {
        let failed = self.at;
        self.count(failed, &fault);
        if let (Some(old), Some(link)) = (self.current.take(), self.chain.links.get(failed)) {
            let inside = Arc::clone(&old.inside);
            // Whatever it does now is its own affair.
            let _ = link.call(&inside, || {
                drop(old);
                Ok(())
            });
        }
        self.take_next(failed + 1, Some((failed, fault)));
    }

    fn is_caught_up(&self) -> bool {
        !self.keeps || (self.fed_turns == self.turns.len() && self.fed == self.turn.len())
    }

    /// Gives the engine in use some of what it has not had yet: a piece, or `least` samples.
    fn catch_up(&mut self, least: usize) {
        let Some(current) = &mut self.current else {
            return;
        };
        let Some(link) = self.chain.links.get(self.at) else {
            return;
        };
        let owed = self.turns.get(self.fed_turns);
        let audio = owed.map_or(&self.turn, |owed| &owed.audio);
        let end = audio.len().min(self.fed + least.max(PIECE));
        let piece = audio.get(self.fed..end).unwrap_or_default();
        let ends = owed.is_some() && end == audio.len();
        let engine = current.recognition.as_mut();
        let fed = link.call(&current.inside, || {
            if !piece.is_empty() {
                engine.push(piece)?;
            }
            if ends { engine.finish() } else { Ok(()) }
        });
        match fed {
            Ok(()) if ends => {
                self.fed_turns += 1;
                self.fed = 0;
            }
            Ok(()) => self.fed = end,
            Err(fault) => self.hand_over(fault),
        }
        if !self.is_caught_up() {
            self.bell.ring();
        }
    }

    /// Takes what the engine in use has to tell.
    fn ask(&mut self, now: Instant) -> Result<Option<Told>, Fault> {
        let (Some(current), Some(link)) = (&mut self.current, self.chain.links.get(self.at)) else {
            return Ok(None);
        };
        let engine = current.recognition.as_mut();
        loop {
            let told = link.call(&current.inside, || engine.told(now))?;
            let Some(Told::Final(transcript)) = told else {
                return Ok(told);
            };
            if self.fed_turns == 0 {
                // What nobody asked to end.
                continue;
            }
            let Some(owed) = self.turns.front() else {
                continue;
            };
            if let Some(reason) = nonsense(&transcript, owed.length) {
                return Err(Fault::new(Failure::Garbage, reason));
            }
            let took = now.saturating_duration_since(owed.since.unwrap_or(now));
            link.succeeded(now, took, &self.chain.figures);
            self.turns.pop_front();
            self.fed_turns -= 1;
            return Ok(Some(Told::Final(transcript)));
        }
    }

    /// Minds how long the engine in use takes for the oldest turn that it has had.
    fn mind_the_limit(&mut self, now: Instant) -> Result<(), Fault> {
        if self.fed_turns == 0 {
            return Ok(());
        }
        let Some(owed) = self.turns.front_mut() else {
            return Ok(());
        };
        let since = *owed.since.get_or_insert(now);
        let length = Duration::from_secs_f64(owed.length as f64 / RATE as f64);
        let limit = self.chain.limits.answer + length / 8;
        if now.saturating_duration_since(since) <= limit {
            return Ok(());
        }
        Err(Fault::new(
            Failure::Slow,
            format!("no words within {limit:.1?} of the end of the turn"),
        ))
    }
}

impl Recognition for Chained {
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        self.length += samples.len();
        if self.keeps && self.length <= MOST_KEPT {
            let caught_up = self.is_caught_up();
            self.turn.extend_from_slice(samples);
            self.catch_up(if caught_up { samples.len() } else { 0 });
            return Ok(());
        }
        if let (Some(current), Some(link)) = (&mut self.current, self.chain.links.get(self.at)) {
            let engine = current.recognition.as_mut();
            if let Err(fault) = link.call(&current.inside, || engine.push(samples)) {
                self.hand_over(fault);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        if self.current.is_none() {
            return Ok(());
        }
        self.turns.push_back(Owed {
            audio: std::mem::take(&mut self.turn),
            length: std::mem::take(&mut self.length),
            since: None,
        });
        self.catch_up(0);
        Ok(())
    }

    fn settle(&mut self) {
        if !self.is_caught_up() {
            return;
        }
        if let (Some(current), Some(link)) = (&mut self.current, self.chain.links.get(self.at)) {
            let engine = current.recognition.as_mut();
            let settled = link.call(&current.inside, || {
                engine.settle();
                Ok(())
            });
            if let Err(fault) = settled {
                self.hand_over(fault);
            }
        }
    }

    fn told(&mut self, now: Instant) -> Result<Option<Told>, SpeechError> {
        if !self.is_caught_up() {
            self.catch_up(0);
        }
        // Every engine fails at most once.
        for _ in 0..=self.chain.links.len() {
            if let Some(notice) = self.notices.pop_front() {
                return Ok(Some(Told::Degraded(notice)));
            }
            if let Some(error) = self.lost.take() {
                return Err(error);
            }
            match self.ask(now) {
                Ok(Some(told)) => return Ok(Some(told)),
                Ok(None) => match self.mind_the_limit(now) {
                    Ok(()) => return Ok(None),
                    Err(fault) => self.hand_over(fault),
                },
                Err(fault) => self.hand_over(fault),
            }
        }
        Ok(None)
    }
}

/// Tells why what an engine said of so many samples cannot be what was said in them, if so.
fn nonsense(transcript: &Transcript, samples: usize) -> Option<&'static str> {
    let Transcript {
        text, confidence, ..
    } = transcript;
    let most = FEW_LETTERS + samples / RATE * LETTERS_PER_SECOND;
    if !(0.0..=1.0).contains(confidence) {
        Some("its confidence was no number from 0 to 1")
    } else if text.chars().any(char::is_control) {
        Some("its words had control characters in them")
    } else if text.contains(['<', '{', '\u{fffd}']) {
        Some("its words were no words")
    } else if text.len() > most {
        Some("it told far more words than anybody can say in that time")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
