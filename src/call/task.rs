//! One task owns one call: it keeps the 20 ms clock, carries frames, words and keys to the dialog
//! and does what the dialog wants done. Nothing else touches the call's state.

mod hearing;
mod recording;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audiosocket::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::figures::Figures;
use super::house::House;
use super::journal::{Entry, Journal};
use super::line::{FRAME, FromCaller, Line, LineIn, LineOut, Pace};
use super::patience::Patience;
use super::playout::{Number, Playout};
use super::recorder::Recorder;
use crate::dialog::{
    Command, Dialog, Done, Event, Facts, Handoff, Heard, Listen, Order, Outcome, Playbook,
    QueueState, Record, Recording, Say, Target,
};
use crate::pbx::{CallEvent, PbxError};
use crate::speech::{Ear, EarEvent, Prompt};
use crate::words::{CallId, DepartmentId, Key, Language, QueueName, TenantId};

/// How long the PBX may take to close the line after it was told to end the call.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long a recorded message may be transcribed before it is sent without text.
const TRANSCRIPTION: Duration = Duration::from_secs(20);
/// Results of our own tasks (prompts, orders, transfers) under way for one call.
const RESULTS: usize = 32;
/// Audio that does not come for so long counts as silence.
const GAP: Duration = Duration::from_millis(300);
/// A line that cannot be closed in this time is dropped.
const CLOSING: Duration = Duration::from_secs(1);
/// Prompts in a row that may fail before the caller is left to the ordinary queue.
const MUTE: u32 = 2;
/// A frame is late when it leaves so much after its time.
const LATE: Duration = Duration::from_millis(5);
/// What is sent while there is nothing to say: it keeps the caller's phone and Asterisk content.
const SILENCE: [i16; FRAME] = [0; FRAME];

/// What the call's own tasks report.
enum Result {
    /// What is said to those who wait, in one language.
    Reassurance(Language, String, Arc<[i16]>),
    Made(
        Number,
        std::result::Result<Prompt, Arc<crate::speech::SpeechError>>,
    ),
    Done(u32, Done),
    Transferred(std::result::Result<(), PbxError>),
    Transcribed(Recording),
}

/// What waits until all is said.
enum Then {
    Record(Record),
    Transfer(Target, Handoff),
    HangUp(Outcome),
}

/// One call.
pub(super) struct Task {
    pub(super) call: CallId,
    pub(super) tenant: TenantId,
    pub(super) playbook: Arc<Playbook>,
    pub(super) house: Arc<House>,
    pub(super) dialog: Dialog,
    pub(super) journal: Journal,
    pub(super) facts: Facts,
    pub(super) ear: Option<Ear>,
    pub(super) line: Line,
    /// Cancelled when calls must end now.
    pub(super) hard_stop: CancellationToken,
}

/// How a call went, for those who keep books.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) journal: Journal,
    /// The department whose agents the caller was sent to, if any.
    pub(super) department: Option<DepartmentId>,
    /// What goes on happening to the call on the PBX.
    pub(super) events: mpsc::Receiver<CallEvent>,
}

impl Task {
    /// Serves the caller until the call is over.
    pub(super) async fn run(self) -> Ended {
        let Self {
            call,
            tenant,
            playbook,
            house,
            dialog,
            journal,
            facts,
            ear,
            line,
            hard_stop,
        } = self;
        let Line {
            from_caller,
            to_caller,
            pace,
        } = line;
        let (results, finished) = mpsc::channel(RESULTS);
        let events = house.pbx.follow(call);
        let call = Call {
            call,
            tenant,
            playbook,
            figures: house.figures.clone(),
            dialog,
            journal,
            queues: house.queues.clone(),
            facts,
            ear,
            to_caller,
            pace,
            start: Instant::now(),
            began: house.clock.now(),
            patience: Patience::new(&house.limits),
            house,
            results,
            playout: Playout::default(),
            recorder: None,
            record_into: None,
            then: VecDeque::new(),
            language: None,
            answering: None,
            so_far: Heard::default(),
            reassurances: BTreeMap::new(),
            listening: None,
            speaking: false,
            words_owed: None,
            ears_lost: 0,
            listen_again: None,
            orders: 0,
            phase: Phase::Talking,
            line_is_up: true,
            heard_at: Instant::now(),
            mute: 0,
            speaking_over: false,
            held_for_nobody: None,
            said_over: None,
            owes_said: false,
            open_orders: 0,
        };
        call.serve(from_caller, finished, events, hard_stop).await
    }
}

/// Where a call is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The dialog is with the caller.
    Talking,
    /// The PBX is moving the caller.
    Moving,
    /// The PBX was asked to end the call.
    Ending(Outcome, Instant),
    /// The caller is no longer with us; what they said is still being done.
    Leaving(Outcome, Instant),
    /// Over.
    Over(Outcome),
}

struct Call {
    call: CallId,
    tenant: TenantId,
    playbook: Arc<Playbook>,
    house: Arc<House>,
    figures: Figures,
    dialog: Dialog,
    journal: Journal,
    facts: Facts,
    queues: watch::Receiver<BTreeMap<QueueName, QueueState>>,
    ear: Option<Ear>,
    to_caller: Box<dyn LineOut>,
    pace: Pace,
    start: Instant,
    began: Timestamp,
    results: mpsc::Sender<Result>,
    playout: Playout,
    recorder: Option<Recorder>,
    record_into: Option<Language>,
    then: VecDeque<Then>,
    language: Option<Language>,
    /// When the caller's turn ended, until the answer's first frame leaves.
    answering: Option<Instant>,
    /// The caller's words so far, as the dialog was told last.
    so_far: Heard,
    /// When a caller who waits is told so.
    patience: Patience,
    /// What they are told, made ahead.
    reassurances: BTreeMap<Language, (String, Arc<[i16]>)>,
    /// What the ear listens for.
    listening: Option<Listen>,
    /// Whether the caller is in a turn.
    speaking: bool,
    /// Since when the words of a turn that is over are owed.
    words_owed: Option<Instant>,
    /// Threads that were lost while they listened.
    ears_lost: u32,
    /// When a call by keys looks next whether it can be listened to.
    listen_again: Option<Instant>,
    /// Orders made so far: with the call id, the name of an order.
    orders: u32,
    phase: Phase,
    /// Whether the caller is on the line: not hung up, and not taken elsewhere by the PBX.
    line_is_up: bool,
    /// When audio came last.
    heard_at: Instant,
    /// Prompts in a row that could not be spoken.
    mute: u32,
    /// Whether the caller speaks while something is said that they may not cut off.
    speaking_over: bool,
    /// Since when something has been held although nobody speaks.
    held_for_nobody: Option<Instant>,
    /// What they said meanwhile, until it is over.
    said_over: Option<Heard>,
    /// Whether the dialog waits to be told that all is said.
    owes_said: bool,
    /// Orders made and not yet answered.
    open_orders: u32,
}

impl Call {
    async fn serve(
        mut self,
        mut from_caller: Box<dyn LineIn>,
        mut finished: mpsc::Receiver<Result>,
        mut events: mpsc::Receiver<CallEvent>,
        hard_stop: CancellationToken,
    ) -> Ended {
        let mut clock = Clock::start();
        let mut pbx_tells = true;
        self.tell(Event::Facts(self.facts.clone())).await;
        self.make_reassurances();
        if self.ear.is_none() {
            self.listen_again = Some(Instant::now() + hearing::LISTEN_AGAIN);
            self.tell(Event::SpeechUnavailable).await;
        }
        self.tell(Event::Answered).await;
        loop {
            if let Phase::Over(outcome) = self.phase {
                return self.close(outcome, events).await;
            }
            let deadline = self.deadline();
            tokio::select! {
                biased;
                tick = clock.tick(), if self.pace == Pace::Clock => {
                    if tick.late > LATE {
                        self.figures.late_frames.inc();
                    }
                    self.tick().await;
                }
                from = from_caller.next(), if self.line_is_up => match from {
                    FromCaller::Audio(samples) => {
                        self.audio(&samples).await;
                        if self.pace == Pace::Caller {
                            // For what came while we were late it is too late to send something.
                            let missed = (samples.len() / FRAME).saturating_sub(1);
                            self.figures.lost_frames.inc_by(missed as u64);
                            self.tick().await;
                        }
                    }
                    FromCaller::Key(key) => self.key(key).await,
                    FromCaller::Gone => {
                        self.line_is_down(&mut clock);
                        self.line_gone(Outcome::CallerLeft).await;
                    }
                    FromCaller::Taken => {
                        self.line_is_down(&mut clock);
                        if self.phase != Phase::Moving {
                            // Nothing of theirs that is still under way holds the caller up.
                            let _ = tokio::time::timeout(CLOSING, self.to_caller.close()).await;
                        }
                        self.line_gone(Outcome::FellBack).await;
                    }
                },
                heard = hear(&mut self.ear) => self.heard(heard).await,
                Some(result) = finished.recv() => self.finished(result).await,
                event = events.recv(), if pbx_tells => match event {
                    Some(event) => self.pbx(event).await,
                    None => pbx_tells = false,
                },
                Ok(()) = self.queues.changed() => self.look_around().await,
                () = sleep_until(deadline) => self.time().await,
                () = hard_stop.cancelled() => {
                    self.phase = Phase::Over(Outcome::FellBack);
                }
            }
        }
    }

    /// Sends one frame and does what waited for the end of speech.
    async fn tick(&mut self) {
        let was_busy = self.playout.is_busy();
        let aside = self.playout.is_aside();
        let frame = self.playout.frame();
        if let Some(ear) = &self.ear {
            ear.played(frame.as_ref());
        }
        if frame.is_some()
            && !aside
            && let Some(turn_ended) = self.answering.take()
        {
            self.figures
                .answer_seconds
                .observe(turn_ended.elapsed().as_secs_f64());
        }
        if self.line_is_up
            && self.phase != Phase::Moving
            && !self.to_caller.send(&frame.unwrap_or(SILENCE))
        {
            self.figures.lost_frames.inc();
        }
        self.mind_the_wait(frame.is_some(), aside).await;
        self.mind_the_hold().await;
        // A phone that sends nothing is silent: time goes on for the recording.
        let nothing_comes = self.heard_at.elapsed() > GAP;
        if nothing_comes
            && self
                .recorder
                .as_mut()
                .is_some_and(|recorder| recorder.push(&SILENCE))
        {
            self.end_recording().await;
        }
        if !self.playout.is_busy() && (was_busy || self.owes_said) {
            self.owes_said = false;
            self.tell(Event::Said).await;
            self.said_over().await;
        }
        if !self.playout.is_busy() && !self.playout.is_aside() {
            self.proceed().await;
        }
    }

    async fn audio(&mut self, samples: &[i16]) {
        self.heard_at = Instant::now();
        // What is recorded is no answer to the question that comes after it.
        if let Some(ear) = self.ear.as_ref().filter(|_| self.recorder.is_none()) {
            ear.push(samples);
        }
        let full = self
            .recorder
            .as_mut()
            .is_some_and(|recorder| recorder.push(samples));
        if full {
            self.end_recording().await;
        }
    }

    async fn key(&mut self, key: Key) {
        if self.recorder.is_some() {
            return self.end_recording().await;
        }
        if self.phase == Phase::Talking {
            self.answering = Some(Instant::now());
            self.tell(Event::Key(key)).await;
            // A key of several is answered by none.
            if !self.playout.is_busy() && self.then.is_empty() && self.open_orders == 0 {
                self.answering = None;
            }
        }
    }

    /// From now on our own clock tells the time.
    fn line_is_down(&mut self, clock: &mut Clock) {
        self.line_is_up = false;
        self.pace = Pace::Clock;
        *clock = Clock::start();
    }

    async fn line_gone(&mut self, outcome: Outcome) {
        match self.phase {
            // The PBX took the caller away, as we asked; its answer says whether it arrived.
            // Who has left is waited for until what they said is stored.
            Phase::Moving | Phase::Over(_) | Phase::Leaving(..) => {}
            Phase::Ending(outcome, _) => self.phase = Phase::Over(outcome),
            Phase::Talking => {
                // What was recorded when the caller hung up was meant to be sent.
                if self.recorder.is_some() {
                    self.end_recording().await;
                }
                // What was said before is still sent: the message is being stored, or an order is.
                let until = Instant::now() + TRANSCRIPTION + GOODBYE;
                self.phase = Phase::Leaving(outcome, until);
                self.leave_when_done().await;
            }
        }
    }

    /// Ends the call of a caller who has left once nothing of theirs is under way any more.
    async fn leave_when_done(&mut self) {
        let done = self.record_into.is_none() && self.open_orders == 0;
        if let Phase::Leaving(outcome, _) = self.phase
            && done
        {
            self.tell(Event::HungUp).await;
            self.phase = Phase::Over(outcome);
        }
    }

    async fn pbx(&mut self, event: CallEvent) {
        match event {
            CallEvent::Key(key) => self.key(key).await,
            CallEvent::HungUp(_) if self.phase == Phase::Talking => {
                self.line_gone(Outcome::CallerLeft).await;
            }
            CallEvent::Queued(queue) => self.note(Entry::Pbx(format!("in queue {queue}"))),
            CallEvent::AgentAnswered => self.note(Entry::Pbx("an agent answered".to_owned())),
            CallEvent::HungUp(cause) => {
                self.note(Entry::Pbx(format!("hung up, cause {}", cause.0)))
            }
        }
    }

    async fn finished(&mut self, result: Result) {
        match result {
            Result::Reassurance(language, text, samples) => {
                self.reassurances.insert(language, (text, samples));
            }
            Result::Made(number, Ok(prompt)) => {
                self.mute = 0;
                if let Some((engine, place)) = prompt.stands_in() {
                    self.note(Entry::StoodIn { engine, place });
                }
                self.playout.made(number, prompt);
            }
            Result::Made(number, Err(error)) => {
                tracing::error!(call = %self.call, "a prompt could not be spoken: {error}");
                self.note(Entry::Unsaid {
                    reason: error.to_string(),
                });
                self.playout.made(number, Prompt::whole(Arc::from([])));
                self.mute += 1;
                // A bot that cannot speak is worse than none.
                let mute = self.house.voice.fault().is_some() || self.mute >= MUTE;
                if mute && self.phase == Phase::Talking && self.open_orders == 0 {
                    self.phase = Phase::Over(Outcome::FellBack);
                }
            }
            Result::Done(number, done) => {
                self.open_orders -= 1;
                // An answer that comes late belongs to an order that was given up.
                if number == self.orders {
                    self.tell(Event::Done(done)).await;
                }
                self.leave_when_done().await;
            }
            Result::Transcribed(recording) => {
                self.record_into = None;
                self.tell(Event::Recorded(recording)).await;
                self.leave_when_done().await;
            }
            Result::Transferred(Ok(())) => {
                self.note(Entry::Pbx("the caller has arrived".to_owned()));
                self.phase = Phase::Over(Outcome::Transferred);
            }
            Result::Transferred(Err(PbxError::NoSuchCall)) => {
                self.tell(Event::HungUp).await;
                self.phase = Phase::Over(Outcome::CallerLeft);
            }
            Result::Transferred(Err(error)) if !self.line_is_up && !self.may_overflow(&error) => {
                // The dialplan has the caller and carries them on.
                tracing::error!(call = %self.call, "transfer failed, the dialplan goes on: {error}");
                self.phase = Phase::Over(Outcome::FellBack);
            }
            Result::Transferred(Err(error)) => {
                tracing::error!(call = %self.call, "transfer failed: {error}");
                self.phase = Phase::Talking;
                self.tell(Event::TransferFailed {
                    reason: error.to_string(),
                })
                .await;
            }
        }
    }

    /// Tells whether a caller whom the PBX has may be moved once more: to an overflow, which needs
    /// no words, after a queue that took nobody.
    fn may_overflow(&self, error: &PbxError) -> bool {
        matches!(error, PbxError::Refused { .. }) && self.dialog.has_overflow()
    }

    async fn time(&mut self) {
        if let Phase::Ending(outcome, _) | Phase::Leaving(outcome, _) = self.phase {
            self.phase = Phase::Over(outcome);
        } else {
            self.tell(Event::Time).await;
        }
    }

    /// Gives an event to the dialog and does what it wants.
    async fn tell(&mut self, event: Event) {
        let now = self.now();
        self.journal.write(now, Entry::Event(event.clone()));
        let commands = self.dialog.handle(event, now);
        // Who is answered, or no longer listened to, has cut off what was being said.
        let goes_on = |it: &Command| {
            matches!(
                it,
                Command::Note(_) | Command::Enough | Command::Reassure(_)
            )
        };
        if !commands.iter().all(goes_on) {
            self.playout.drop_held();
        }
        for command in commands {
            self.journal.write(now, Entry::Command(command.clone()));
            self.obey(command);
        }
        if !self.playout.is_busy() && !self.playout.is_aside() {
            self.proceed().await;
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Say(say) => self.say(say),
            Command::Reassure(say) => self.reassure(&say),
            Command::Hush => self.playout.hush(),
            Command::Listen(listen) => self.listen(listen),
            Command::Enough => {
                if let Some(ear) = &self.ear {
                    ear.enough(std::mem::take(&mut self.so_far));
                }
            }
            Command::Deafen => {
                self.listening = None;
                self.speaking = false;
                self.speaking_over = false;
                self.words_owed = None;
                if let Some(ear) = &self.ear {
                    ear.deafen();
                }
            }
            Command::Record(record) => self.then.push_back(Then::Record(record)),
            Command::Transfer { target, handoff } => {
                self.then.push_back(Then::Transfer(target, handoff));
            }
            Command::Do(order) => self.order(order),
            Command::HangUp { outcome } => self.then.push_back(Then::HangUp(outcome)),
            Command::Note(_) => {}
        }
    }

    fn say(&mut self, say: Say) {
        let Say {
            language,
            text,
            barge_in,
        } = say;
        self.language = Some(language);
        let (unwanted, number) = self.playout.expect(barge_in);
        let (voice, results) = (self.house.voice.clone(), self.results.clone());
        self.house.scope.spawn(async move {
            let made = tokio::select! {
                made = voice.say(&text, language) => made,
                // Hushed before there was anything to be heard.
                () = unwanted.cancelled() => return,
            };
            let _ = results.send(Result::Made(number, made)).await;
        });
    }

    fn listen(&mut self, listen: Listen) {
        // A question may come without words of its own: its silence begins at once.
        self.owes_said = true;
        self.said_over = None;
        // What was owed belonged to another question.
        self.words_owed = None;
        if let Some(ear) = &self.ear {
            ear.know(self.playbook.phrases());
            ear.listen(&listen);
        }
        self.listening = Some(listen);
    }

    fn order(&mut self, order: Order) {
        self.orders += 1;
        self.open_orders += 1;
        let (services, results) = (self.house.services.clone(), self.results.clone());
        let (tenant, call, number) = (self.tenant.clone(), self.call, self.orders);
        self.house.scope.spawn(async move {
            let done = services.order(&tenant, call, number, order).await;
            let _ = results.send(Result::Done(number, done)).await;
        });
    }

    /// Does what waited until all was said.
    async fn proceed(&mut self) {
        if self.phase != Phase::Talking || self.recorder.is_some() {
            return;
        }
        match self.then.pop_front() {
            None => {}
            Some(Then::Record(record)) => {
                let beep = Prompt::whole(self.house.beep.clone());
                self.playout.push(beep, false);
                self.record_into = Some(record.language);
                self.recorder = Some(Recorder::new(record.max, record.silence));
            }
            Some(Then::Transfer(target, handoff)) => {
                self.phase = Phase::Moving;
                let (pbx, results, call) =
                    (self.house.pbx.clone(), self.results.clone(), self.call);
                self.house.scope.spawn(async move {
                    let transferred = pbx.transfer(call, &target, &handoff).await;
                    let _ = results.send(Result::Transferred(transferred)).await;
                });
            }
            Some(Then::HangUp(Outcome::FellBack)) => self.phase = Phase::Over(Outcome::FellBack),
            Some(Then::HangUp(outcome)) => {
                self.phase = Phase::Ending(outcome, Instant::now() + GOODBYE);
                let (pbx, call) = (self.house.pbx.clone(), self.call);
                self.house.scope.spawn(async move {
                    if let Err(error) = pbx.hang_up(call).await {
                        tracing::warn!(%call, "could not end the call in order: {error}");
                    }
                });
            }
        }
    }

    /// Tells the dialog what has changed in the house.
    async fn look_around(&mut self) {
        self.queues.mark_unchanged();
        let facts = self.house.facts(&self.playbook);
        if facts != self.facts {
            self.facts = facts.clone();
            self.tell(Event::Facts(facts)).await;
        }
    }

    fn note(&mut self, entry: Entry) {
        let now = self.now();
        self.journal.write(now, entry);
    }

    /// Returns the wall clock's time at the start plus what has passed since: a clock that is set
    /// during the call does not move its deadlines.
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.start.elapsed()).unwrap_or_default();
        self.began.saturating_add(passed).unwrap_or(self.began)
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Ending(_, until) | Phase::Leaving(_, until) => Some(until),
            Phase::Moving | Phase::Over(_) => None,
            Phase::Talking => self.dialog.deadline().map(|deadline| {
                let wait = deadline.duration_since(self.began);
                self.start + Duration::try_from(wait).unwrap_or_default()
            }),
        }
    }

    async fn close(mut self, outcome: Outcome, events: mpsc::Receiver<CallEvent>) -> Ended {
        // A peer that does not read is not waited for.
        let _ = tokio::time::timeout(CLOSING, self.to_caller.close()).await;
        let seconds = self.start.elapsed().as_secs_f64();
        self.note(Entry::Ended { outcome, seconds });
        Ended {
            outcome,
            department: self.dialog.bound_for(),
            journal: self.journal,
            events,
        }
    }
}

async fn hear(ear: &mut Option<Ear>) -> Option<EarEvent> {
    match ear {
        Some(ear) => ear.events.recv().await,
        None => pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
