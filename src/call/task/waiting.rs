//! Waiting: a caller who hears nothing while something is under way is told that it takes a moment.

use std::time::Instant;

use super::super::patience::Moment;
use super::{Call, Phase, Result};
use crate::dialog::{Event, Say};

impl Call {
    /// Has what is said to those who wait made before it is needed.
    pub(super) fn make_reassurances(&self) {
        for language in self.playbook.shelf.tenant.languages.clone() {
            let Some(text) = self.playbook.one_moment(language) else {
                continue;
            };
            let (voice, results) = (self.house.voice.clone(), self.results.clone());
            self.house.scope.spawn(async move {
                let made = match voice.say(&text, language).await {
                    Ok(prompt) => prompt.all().await,
                    Err(fault) => Err(fault),
                };
                if let Ok(samples) = made {
                    let _ = results
                        .send(Result::Reassurance(language, text, samples))
                        .await;
                }
            });
        }
    }

    /// Tells a caller who waits for us, and has heard nothing for a while, that it takes a moment.
    pub(super) async fn mind_the_wait(&mut self, plays: bool, aside: bool) {
        let now = Instant::now();
        let under_way = self.words_owed.is_some()
            || self.playout.is_busy()
            || self.dialog.awaits_service()
            || self.record_into.is_some();
        let moment = if aside {
            Moment::Aside
        } else if plays {
            Moment::Ours
        } else if self.phase == Phase::Talking
            && self.recorder.is_none()
            && !self.speaking
            && under_way
        {
            Moment::UnderWay
        } else {
            Moment::Theirs
        };
        if self.patience.is_over(moment, now) {
            self.tell(Event::Waiting).await;
        }
        let late = |since: Instant| now.saturating_duration_since(since) > self.house.limits.words;
        if self.words_owed.is_some_and(late) {
            tracing::warn!(call = %self.call, "the words of a turn did not come in time");
            self.go_by_keys().await;
        }
        self.listen_again().await;
    }

    pub(super) fn reassure(&mut self, say: &Say) {
        let made = self.reassurances.get(&say.language);
        let samples = made.filter(|(text, _)| *text == say.text).map_or_else(
            || self.house.hold_on.clone(),
            |(_, samples)| samples.clone(),
        );
        self.figures.one_moments.inc();
        self.playout.aside(samples);
    }
}
