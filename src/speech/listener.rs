//! One call's listener: voice activity, turn-taking and the recognitions of one question. It
//! lives on a worker thread and is fed 20 ms at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::barge_in::{BargeIn, Sound};
use super::chain::Chain;
use super::detector::Detector;
use super::line::{Line, Next, Order, Samples};
use super::turn::{self, Change, FRAME_TIME, Turn, Words};
use super::{
    Asked, Bell, EarEvent, FRAME, Recogniser, Recognition, SpeechError, Told, Transcript, decibels,
};
use crate::dialog::{Expect, Heard, Hypothesis, Listen, Phrases};
use crate::understand::is_hum;
use crate::understand::text::words;
use crate::words::Language;

/// The engines, by language.
pub(super) type Recognisers = BTreeMap<Language, Arc<Chain>>;

/// Frames before speech was noticed that a recogniser still gets to hear, at least: 300 ms.
const BEFORE_SPEECH: usize = 15;

/// Recognisers work in blocks of some 12 frames. Calls that begin together get 0 to 11 frames more
/// from before their speech, so that their blocks do not all end in the same moment.
const STAGGER: u64 = 12;

/// The most frames kept of speech that nobody asked for yet: three seconds.
const MOST_KEPT: usize = 150;

/// Frames between two looks at the words so far.
const PARTIAL_EVERY: u32 = 6;

/// The most events that wait for a call that does not take them.
const MOST_EVENTS: usize = 32;

/// How certain words have to be that alone tell speech from music.
const PLAIN: f32 = 0.5;

/// How long no audio may come before its absence counts as silence.
const GAP: Duration = Duration::from_millis(300);

enum Task {
    Deaf,
    Listen(Question),
    Watch { silence: Duration, quiet: u32 },
}

/// The recognition of one language.
struct Listening {
    language: Language,
    recognition: Box<dyn Recognition>,
    /// The words so far.
    partial: String,
    /// Turns that are over whose words have not come yet.
    owed: usize,
    /// The words of turns that are over, until those of the other languages are there too.
    finals: VecDeque<Transcript>,
}

struct Question {
    listen: Listen,
    /// One for each language that has an engine.
    recognitions: Vec<Listening>,
    /// The likeliest language that has one: without it, a caller would be taken for a speaker of
    /// another language.
    likeliest: Option<Language>,
    /// Whether the turn in progress was fed to the recognitions from its beginning.
    fed: bool,
    frames: u32,
    last: Heard,
    /// The turns that are over whose words have not come yet.
    turns: VecDeque<Turned>,
}

/// A turn that is over.
#[derive(Clone, Copy)]
struct Turned {
    /// Whether nobody was told that it had begun.
    hidden: bool,
    /// Whether it sounded like speech.
    sounded: bool,
    /// Whether it began over our own words.
    over_words: bool,
}

/// Listens to one call.
pub(super) struct Listener {
    line: Arc<Line>,
    recognisers: Arc<Recognisers>,
    detector: Detector,
    turn: Turn,
    vocabulary: Arc<Phrases>,
    task: Task,
    /// The newest audio: some before speech, all of a turn while nobody asked.
    kept: VecDeque<Samples>,
    before_speech: usize,
    events: VecDeque<EarEvent>,
    /// When audio came last.
    heard_from: Instant,
    /// Up to when missing audio was counted as silence.
    filled_to: Instant,
    /// The time of what is being done.
    now: Instant,
    barge_in: BargeIn,
    /// Whether the turn in progress began over our own words and may be no speech: nobody has been
    /// told of it.
    hidden: bool,
    /// Whether the turn in progress began over our own words.
    over_words: bool,
    /// Whether the turn in progress sounded like speech.
    sounded: bool,
    /// Whether what sounded like speech was none the last time: then words must be made out first.
    wary: bool,
}

impl Listener {
    pub(super) fn new(line: Arc<Line>, recognisers: Arc<Recognisers>, turn: Turn) -> Self {
        let before_speech = BEFORE_SPEECH + (line.number % STAGGER) as usize;
        let now = Instant::now();
        Self {
            line,
            recognisers,
            detector: Detector::new(turn.detector()),
            turn,
            vocabulary: Arc::default(),
            task: Task::Deaf,
            kept: VecDeque::new(),
            before_speech,
            events: VecDeque::new(),
            heard_from: now,
            filled_to: now,
            now,
            barge_in: BargeIn::new(),
            hidden: false,
            over_words: false,
            sounded: false,
            wary: false,
        }
    }

    /// Does the next thing that waited.
    pub(super) fn take(&mut self, next: Next, now: Instant) {
        self.now = now;
        match next {
            Next::Order(Order::Know(vocabulary)) => self.vocabulary = vocabulary,
            Next::Order(Order::Listen(listen)) => self.listen(listen),
            Next::Order(Order::Watch(silence)) => self.task = Task::Watch { silence, quiet: 0 },
            Next::Order(Order::Enough(words)) => self.enough(&words),
            Next::Order(Order::Deafen) => self.task = Task::Deaf,
            Next::Frame(samples) => {
                self.heard_from = now;
                self.filled_to = now;
                self.listen_in(samples);
            }
            Next::Played(frame) => self.barge_in.played(frame.as_ref()),
        }
    }

    /// Counts audio that did not come as silence, so that no turn lasts for ever when a PBX stops
    /// sending.
    pub(super) fn mind_the_gap(&mut self, now: Instant) {
        self.now = now;
        self.flush();
        if self.is_owed() {
            self.ask();
        }
        let waits = matches!(self.task, Task::Watch { .. }) || self.turn.is_speaking();
        if !waits || now.saturating_duration_since(self.heard_from) < GAP {
            return;
        }
        while now.saturating_duration_since(self.filled_to) >= FRAME_TIME {
            self.filled_to += FRAME_TIME;
            self.frame([0; FRAME], turn::Frame::SILENT);
        }
    }

    /// Takes the caller's next 20 ms; what is only our echo is no sound of theirs.
    fn listen_in(&mut self, samples: Samples) {
        let level = decibels(&samples);
        let voiced = self.detector.is_voice(&samples);
        let talking = self.line.is_talking();
        let judges = talking || self.hidden || self.barge_in.may_echo();
        let gate = if judges {
            self.turn.gate()
        } else {
            f32::INFINITY
        };
        let sound = self.barge_in.frame(&samples, level, gate);
        if sound == Sound::Echo {
            let frame = turn::Frame {
                voiced: false,
                level: self.turn.floor(),
                talking,
            };
            self.frame([0; FRAME], frame);
        } else {
            let frame = turn::Frame {
                voiced,
                level,
                talking,
            };
            self.frame(samples, frame);
        }
        self.sounded |= sound == Sound::Speech;
        // After our words, silence would be counted against a caller who has begun.
        let nothing_comes_back = !talking && !self.barge_in.may_echo();
        if nothing_comes_back || (sound == Sound::Speech && !self.wary) {
            self.reveal();
        }
    }

    /// Tells of the turn in progress, where nobody has been told.
    fn reveal(&mut self) {
        if self.hidden && self.turn.is_speaking() {
            self.hidden = false;
            if !matches!(self.task, Task::Deaf) {
                self.send(EarEvent::SpeechStarted);
            }
        }
    }

    fn frame(&mut self, samples: Samples, frame: turn::Frame) {
        let speaking = self.turn.is_speaking();
        let change = self.turn.frame(frame);
        self.keep(samples, speaking);
        match change {
            Some(Change::SpeechStarted) => {
                self.over_words = frame.talking;
                self.hidden = frame.talking;
                self.sounded = false;
                self.speech_started();
            }
            None if speaking => self.hear(&samples),
            None => {}
            Some(Change::Paused) => {
                self.hear(&samples);
                self.settle();
            }
            Some(Change::TurnEnded) => {
                self.hear(&samples);
                self.turn_ended();
            }
        }
        self.line.set_speaking(self.turn.is_speaking());
        self.watch();
    }

    fn keep(&mut self, samples: Samples, speaking: bool) {
        let most = if speaking {
            MOST_KEPT
        } else {
            self.before_speech + 6
        };
        while self.kept.len() >= most {
            self.kept.pop_front();
        }
        self.kept.push_back(samples);
    }

    fn listen(&mut self, listen: Listen) {
        self.turn.expect(listen.expect, listen.patience);
        let listened = match &mut self.task {
            Task::Listen(question)
                if question.listen.languages == listen.languages
                    && question.listen.hints == listen.hints =>
            {
                question.listen = listen;
                return;
            }
            Task::Listen(_) => true,
            Task::Deaf | Task::Watch { .. } => false,
        };
        // What the old question takes up of engines that may be full is free for the new one.
        self.task = Task::Deaf;
        match self.open(&listen) {
            Ok(recognitions) => {
                self.task = Task::Listen(Question {
                    listen,
                    likeliest: recognitions.first().map(|it| it.language),
                    recognitions,
                    fed: false,
                    frames: 0,
                    last: Heard::default(),
                    turns: VecDeque::new(),
                });
            }
            Err(reason) => return self.send(EarEvent::Unavailable(reason)),
        }
        if self.turn.is_speaking() {
            if !listened && !self.hidden {
                self.send(EarEvent::SpeechStarted);
            }
            self.catch_up();
        }
    }

    fn open(&self, listen: &Listen) -> Result<Vec<Listening>, String> {
        let mut open = Vec::new();
        for language in &listen.languages {
            let Some(recogniser) = self.recognisers.get(language) else {
                continue;
            };
            let asked = Asked {
                expect: listen.expect,
                hints: listen.hints.get(language).cloned().unwrap_or_default(),
                vocabulary: self.vocabulary.get(language).cloned().unwrap_or_default(),
            };
            let line = Arc::downgrade(&self.line);
            let bell = Bell::new(move || {
                if let Some(line) = line.upgrade() {
                    line.ring();
                }
            });
            match recogniser.open(&asked, bell) {
                Ok(recognition) => open.push(Listening {
                    language: *language,
                    recognition,
                    partial: String::new(),
                    owed: 0,
                    finals: VecDeque::new(),
                }),
                // Without the likeliest language, a caller would be taken for a speaker of another.
                Err(error) if open.is_empty() => return Err(error.to_string()),
                Err(error) => tracing::warn!(call = %self.line.call, %error, "a recogniser is out"),
            }
        }
        if open.is_empty() {
            Err("no recogniser for the languages of this question".to_owned())
        } else {
            Ok(open)
        }
    }

    fn speech_started(&mut self) {
        if !self.hidden && !matches!(self.task, Task::Deaf) {
            self.send(EarEvent::SpeechStarted);
        }
        if matches!(self.task, Task::Listen(_)) {
            self.catch_up();
        }
    }

    /// Feeds what was said before the recognitions were there, or before it was known as speech.
    fn catch_up(&mut self) {
        let kept: Vec<i16> = self.kept.iter().flatten().copied().collect();
        if let Task::Listen(question) = &mut self.task {
            question.fed = true;
            question.frames = 0;
        }
        self.hear(&kept);
    }

    fn hear(&mut self, samples: &[i16]) {
        let Task::Listen(question) = &mut self.task else {
            return;
        };
        if !question.fed {
            return;
        }
        let fault = drop_failed(question, |listening| listening.recognition.push(samples));
        question.frames += 1;
        let is_time = question.frames.is_multiple_of(PARTIAL_EVERY);
        if self.minds(fault) && is_time {
            self.ask();
        }
    }

    /// Has the recognitions make up their minds about the words so far, as the caller pauses.
    fn settle(&mut self) {
        if let Task::Listen(question) = &mut self.task
            && question.fed
        {
            // In a sentence a recogniser would lose the thread.
            let is_short = matches!(
                question.listen.expect,
                Expect::YesNo | Expect::Choice | Expect::Digits | Expect::Phone
            );
            for listening in question.recognitions.iter_mut().filter(|_| is_short) {
                listening.recognition.settle();
            }
            self.ask();
        }
    }

    /// Ends the turn if these are still the words and the caller is quiet, or will be.
    fn enough(&mut self, words: &Heard) {
        let Task::Listen(question) = &self.task else {
            return;
        };
        if question.fed
            && question.last == *words
            && self.turn.answered() == Some(Change::TurnEnded)
        {
            self.turn_ended();
        }
    }

    /// Asks the recognitions what they have to tell, and tells the call.
    pub(super) fn ask(&mut self) {
        let now = self.now;
        let Task::Listen(question) = &mut self.task else {
            return;
        };
        let mut notices = Vec::new();
        let fault = drop_failed(question, |listening| {
            while let Some(told) = listening.recognition.told(now)? {
                match told {
                    Told::SpeechStarted => {}
                    Told::Degraded(notice) => notices.push(notice),
                    Told::Partial(text) => listening.partial = text,
                    Told::Final(transcript) => {
                        listening.partial.clear();
                        // What nobody asked to end is not told as the end of a turn.
                        if listening.finals.len() < listening.owed {
                            listening.finals.push_back(transcript);
                        }
                    }
                }
            }
            Ok(())
        });
        for notice in notices {
            self.send(EarEvent::Degraded(notice));
        }
        if self.minds(fault) {
            self.tell_partial();
            while self.tell_final() {}
        }
    }

    /// Minds that a recognition failed; tells whether that of the likeliest language is left.
    fn minds(&mut self, fault: Option<SpeechError>) -> bool {
        let Some(error) = fault else {
            return true;
        };
        tracing::warn!(call = %self.line.call, %error, "a recogniser is out");
        let is_lost = match &self.task {
            Task::Listen(question) => {
                question.recognitions.first().map(|it| it.language) != question.likeliest
            }
            Task::Deaf | Task::Watch { .. } => false,
        };
        if is_lost {
            self.task = Task::Deaf;
            self.send(EarEvent::Unavailable(error.to_string()));
        }
        !is_lost
    }

    /// Tells whether the words of a turn that is over are still to come.
    fn is_owed(&self) -> bool {
        match &self.task {
            Task::Listen(question) => question.recognitions.iter().any(|it| it.owed > 0),
            Task::Deaf | Task::Watch { .. } => false,
        }
    }

    fn tell_partial(&mut self) {
        let Task::Listen(question) = &mut self.task else {
            return;
        };
        let said = question
            .recognitions
            .iter()
            .filter(|listening| !listening.partial.is_empty());
        let hypotheses: Vec<Hypothesis> = said
            .map(|listening| Hypothesis {
                language: listening.language,
                text: listening.partial.clone(),
                confidence: 0.0,
            })
            .collect();
        let heard = Heard { hypotheses };
        if heard == question.last {
            return;
        }
        question.last = heard.clone();
        let likeliest = question.listen.languages.first();
        self.turn
            .words(heard.hypotheses.iter().map(|hypothesis| Words {
                text: &hypothesis.text,
                language: hypothesis.language,
                likeliest: likeliest == Some(&hypothesis.language),
            }));
        // Recognisers make words of coughs too: alone, words so far prove nothing.
        if self.sounded && says(&heard) > 0 {
            self.reveal();
        }
        if !self.hidden {
            self.send(EarEvent::Partial(heard));
        }
    }

    fn turn_ended(&mut self) {
        self.kept.clear();
        let turned = Turned {
            hidden: std::mem::take(&mut self.hidden),
            sounded: self.sounded,
            over_words: self.over_words,
        };
        let Task::Listen(question) = &mut self.task else {
            return;
        };
        if !std::mem::take(&mut question.fed) {
            return;
        }
        question.last = Heard::default();
        question.turns.push_back(turned);
        if !turned.hidden {
            self.send(EarEvent::TurnEnded);
        }
        let Task::Listen(question) = &mut self.task else {
            return;
        };
        let fault = drop_failed(question, |listening| {
            listening.partial.clear();
            listening.owed += 1;
            listening.recognition.finish()
        });
        if self.minds(fault) {
            self.ask();
        }
    }

    /// Tells what was said in the oldest turn whose words have not been told, once all languages
    /// have theirs.
    fn tell_final(&mut self) -> bool {
        let Task::Listen(question) = &mut self.task else {
            return false;
        };
        let all = &mut question.recognitions;
        if all.iter().any(|it| it.finals.is_empty() || it.owed == 0) {
            return false;
        }
        let mut hypotheses = Vec::new();
        for listening in all {
            listening.owed -= 1;
            if let Some(transcript) = listening.finals.pop_front()
                && !transcript.text.is_empty()
            {
                hypotheses.push(Hypothesis {
                    language: listening.language,
                    text: transcript.text,
                    confidence: transcript.confidence,
                });
            }
        }
        // The sort is stable: of two equally certain languages the likelier one stays first.
        hypotheses.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        let turned = question.turns.pop_front();
        let sure = hypotheses.first().is_some_and(|it| it.confidence >= PLAIN);
        let heard = Heard { hypotheses };
        let words = says(&heard);
        match turned {
            // A cough: nobody was told that it began. Recognisers make words of coughs too.
            Some(Turned {
                hidden: true,
                sounded,
                ..
            }) if !sounded || words == 0 || !sure => return true,
            Some(Turned { hidden: true, .. }) => {
                self.send(EarEvent::SpeechStarted);
                self.send(EarEvent::TurnEnded);
            }
            Some(Turned { over_words, .. }) => {
                self.wary = (self.wary || over_words) && words == 0;
            }
            None => {}
        }
        self.send(EarEvent::Heard(heard));
        true
    }

    fn watch(&mut self) {
        let Task::Watch { silence, quiet } = &mut self.task else {
            return;
        };
        *quiet = if self.turn.quiet().is_zero() {
            0
        } else {
            *quiet + 1
        };
        if FRAME_TIME * *quiet >= *silence {
            self.task = Task::Deaf;
            self.send(EarEvent::Paused);
        }
    }

    fn send(&mut self, event: EarEvent) {
        self.flush();
        if !self.events.is_empty() {
            return self.queue(event);
        }
        if let Err(event) = self.line.send(event) {
            self.queue(event);
        }
    }

    fn queue(&mut self, event: EarEvent) {
        if matches!(event, EarEvent::Partial(_)) {
            return;
        }
        if self.events.len() == MOST_EVENTS {
            tracing::warn!(call = %self.line.call, "a call does not take its events");
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn flush(&mut self) {
        while let Some(event) = self.events.pop_front() {
            if let Err(event) = self.line.send(event) {
                self.events.push_front(event);
                return;
            }
        }
    }
}

/// Counts the words that say something: neither hums nor what was not understood.
fn says(heard: &Heard) -> usize {
    let count = |it: &Hypothesis| {
        let words = words(&it.text);
        let plain = words.iter().filter(|word| !is_hum(word, it.language));
        plain.count()
    };
    heard.hypotheses.iter().map(count).max().unwrap_or(0)
}

/// Does something with each recognition and drops those that fail at it; returns the last fault.
fn drop_failed(
    question: &mut Question,
    mut does: impl FnMut(&mut Listening) -> Result<(), SpeechError>,
) -> Option<SpeechError> {
    let mut fault = None;
    question
        .recognitions
        .retain_mut(|listening| does(listening).map_err(|error| fault = Some(error)).is_ok());
    fault
}

#[cfg(test)]
mod tests;
