//! Hearing: what the ear tells of, what is said over something of ours, and ears that are lost.

use std::time::{Duration, Instant};

use super::super::journal::Entry;
use super::{Call, Phase};
use crate::dialog::{Event, Heard};
use crate::speech::{Ear, EarEvent};

/// Threads that may be lost while they listen to one call before it goes by keys.
const MOST_EARS_LOST: u32 = 3;
/// How long something is held while nobody speaks and no words are owed.
const HOLD: Duration = Duration::from_millis(400);
/// How often a call by keys looks whether it can be listened to again.
pub(super) const LISTEN_AGAIN: Duration = Duration::from_secs(4);

impl Call {
    pub(super) async fn heard(&mut self, heard: Option<EarEvent>) {
        match heard {
            // Told before the ear came to know that nobody listens any more.
            Some(
                EarEvent::SpeechStarted
                | EarEvent::Partial(_)
                | EarEvent::TurnEnded
                | EarEvent::Heard(_),
            ) if self.listening.is_none() => {}
            Some(EarEvent::SpeechStarted) => {
                self.speaking = true;
                if self.playout.is_busy() {
                    if !self.playout.is_interruptible() {
                        self.speaking_over = true;
                        return;
                    }
                    // Whether it was speech is known when its words are.
                    self.playout.hold();
                    self.figures.barge_ins.inc();
                } else {
                    self.playout.hush();
                }
                self.tell(Event::Speech).await;
            }
            Some(EarEvent::Partial(heard)) => {
                self.so_far = heard.clone();
                self.tell(Event::Partial(heard)).await;
            }
            Some(EarEvent::TurnEnded) => {
                self.speaking = false;
                self.speaking_over = false;
                self.words_owed = Some(Instant::now());
                if !self.playout.is_busy() || self.playout.is_held() {
                    self.answering = self.words_owed;
                }
            }
            Some(EarEvent::Heard(heard)) if self.playout.is_busy() => {
                self.words_owed = None;
                self.heard_over(heard).await;
            }
            Some(EarEvent::Heard(heard)) => {
                self.words_owed = None;
                self.tell(Event::Heard(heard)).await;
            }
            Some(EarEvent::Paused) => self.speaking = false,
            Some(EarEvent::Degraded(degraded)) => self.note(Entry::Degraded(degraded)),
            Some(EarEvent::Lost(reason)) => self.open_another_ear(reason).await,
            Some(EarEvent::Unavailable(error)) => {
                tracing::warn!(call = %self.call, "speech is not available: {error}");
                self.go_by_keys().await;
            }
            None => self.go_by_keys().await,
        }
    }

    pub(super) async fn go_by_keys(&mut self) {
        self.ear = None;
        // A question that is held is asked anew, with its keys.
        self.playout.drop_held();
        self.speaking = false;
        self.speaking_over = false;
        self.words_owed = None;
        self.listen_again = Some(Instant::now() + LISTEN_AGAIN);
        self.tell(Event::SpeechUnavailable).await;
    }

    /// Has another thread listen in place of one that was lost. What the caller was saying is lost
    /// with it, so they are asked again.
    pub(super) async fn open_another_ear(&mut self, reason: String) {
        self.ears_lost += 1;
        let was_heard = self.speaking || self.words_owed.is_some();
        self.ear = None;
        if was_heard {
            self.playout.drop_held();
        }
        self.playout.go_on();
        self.note(Entry::EarLost { reason });
        let opened = match &self.house.ears {
            Some(ears) if self.ears_lost <= MOST_EARS_LOST => ears.open(self.call).ok(),
            Some(_) | None => None,
        };
        let Some(ear) = opened else {
            return self.go_by_keys().await;
        };
        if let Some(listen) = &self.listening {
            ear.know(self.playbook.phrases());
            ear.listen(listen);
        }
        self.ear = Some(ear);
        self.speaking = false;
        self.speaking_over = false;
        self.words_owed = None;
        if was_heard {
            self.tell(Event::Heard(Heard::default())).await;
        }
    }

    /// Looks whether a call by keys can be listened to again.
    pub(super) async fn listen_again(&mut self) {
        if self.listen_again.is_none_or(|at| Instant::now() < at) || self.phase != Phase::Talking {
            return;
        }
        self.listen_again = Some(Instant::now() + LISTEN_AGAIN);
        let Some(ears) = &self.house.ears else {
            self.listen_again = None;
            return;
        };
        let languages = &self.playbook.shelf.tenant.languages;
        if self.ears_lost <= MOST_EARS_LOST
            && ears.are_able(languages)
            && let Ok(ear) = ears.open(self.call)
        {
            self.ear = Some(ear);
            self.listening = None;
            self.listen_again = None;
            self.tell(Event::SpeechAvailable).await;
        }
    }

    /// Takes what was said over something of ours: it goes on when that was nothing, and is over
    /// when it may be cut off.
    pub(super) async fn heard_over(&mut self, heard: Heard) {
        let is_meant = self.dialog.is_meant(&heard, self.now());
        if !is_meant {
            self.answering = None;
            // Who speaks again already is waited for.
            if !self.speaking {
                self.go_on().await;
            }
        } else if self.playout.is_interruptible() {
            self.playout.hush();
            self.tell(Event::Heard(heard)).await;
        } else {
            self.answering = None;
            let now = self.now();
            let answered = |before: &Heard| self.dialog.is_answered_by(before, now);
            if !self.said_over.as_ref().is_some_and(answered) {
                self.said_over = Some(heard);
            }
        }
    }

    async fn go_on(&mut self) {
        if self.playout.is_held() {
            self.playout.go_on();
            self.figures.resumed.inc();
        }
        self.tell(Event::Resumed).await;
    }

    /// Goes on with what is held when there is nobody to wait for: a turn that ended just when
    /// something else was asked has no words.
    pub(super) async fn mind_the_hold(&mut self) {
        let waits = self.words_owed.is_some() || self.ear.as_ref().is_some_and(Ear::is_speaking);
        if !self.playout.is_held() || waits {
            self.held_for_nobody = None;
            return;
        }
        let since = *self.held_for_nobody.get_or_insert_with(Instant::now);
        if since.elapsed() >= HOLD {
            self.speaking = false;
            self.go_on().await;
        }
    }

    /// Takes what was said while nobody might cut in.
    pub(super) async fn said_over(&mut self) {
        if std::mem::take(&mut self.speaking_over) {
            self.tell(Event::Speech).await;
        }
        if let Some(heard) = self.said_over.take() {
            self.answering = Some(Instant::now());
            self.tell(Event::Heard(heard)).await;
        }
    }
}
