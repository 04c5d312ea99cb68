//! A call in writing: the dialog under virtual time, with the real services behind it.

use std::sync::Arc;

use axum::extract::ws::WebSocket;
use serde_json::json;

use super::{FromPage, Phone, Wish, next, tell};
use crate::dialog::rehearsal::story::{keys_of, moment};
use crate::dialog::rehearsal::{Misplaced, Opening, Rehearsal};
use crate::dialog::{Caller, Facts, Heard, Order, Playbook};
use crate::pbx::{Arrival, Pbx};
use crate::understand::language_of;
use crate::words::{CallId, Language, PhoneNumber};

/// The longest turn, in characters.
const TURN: usize = 500;

/// Serves a call until it is over or the page has gone.
pub(super) async fn serve(
    phone: Phone,
    mut socket: WebSocket,
    playbook: Arc<Playbook>,
    wish: Wish,
) {
    let mut call = match Written::begin(phone, playbook, &wish) {
        Ok(call) => call,
        Err(refusal) => {
            // A page that has gone is not told.
            let _ = tell(&mut socket, &json!({ "refused": refusal })).await;
            return;
        }
    };
    call.go_on(&mut socket).await;
    call.phone.pbx.leave(call.call);
}

struct Written {
    phone: Phone,
    playbook: Arc<Playbook>,
    call: CallId,
    rehearsal: Rehearsal,
    orders: u32,
    shown: usize,
}

impl Written {
    fn begin(phone: Phone, playbook: Arc<Playbook>, wish: &Wish) -> Result<Self, String> {
        let now = match wish.at.trim() {
            "" => phone.clock.now(),
            at => moment(at, &playbook)?,
        };
        let number = match wish.caller.trim() {
            "" => None,
            text => Some(PhoneNumber::parse(text).map_err(|error| format!("{text:?} is {error}"))?),
        };
        let tenant = &playbook.shelf.tenant;
        let call = phone.pbx.announce(Arrival {
            did: tenant.numbers.first().cloned().unwrap_or_default(),
            caller: number.clone(),
            name: None,
            language: None,
            channel: "browser/written".to_owned(),
            purpose: None,
        });
        let opening = Opening {
            caller: Caller { number, name: None },
            facts: phone.facts(&playbook),
            keys_only: wish.keys_only,
            hold_orders: true,
            ..Opening::default()
        };
        let rehearsal = Rehearsal::begin(playbook.clone(), opening, now);
        Ok(Self {
            phone,
            playbook,
            call,
            rehearsal,
            orders: 0,
            shown: 0,
        })
    }

    async fn go_on(&mut self, socket: &mut WebSocket) {
        loop {
            self.settle().await;
            if self.show(socket).await.is_err() {
                return;
            }
            if let Some(outcome) = self.rehearsal.outcome() {
                // A page that has gone is not told.
                let _ = tell(socket, &json!({ "ended": { "outcome": outcome } })).await;
                return;
            }
            let turn = tokio::select! {
                turn = next(socket) => turn,
                () = self.phone.stop.cancelled() => return,
            };
            let Some(turn) = turn else { return };
            let facts = self.phone.facts(&self.playbook);
            self.rehearsal.facts_change(|known| *known = facts);
            let taken = turn.and_then(|turn| self.take(turn));
            if let Err(refusal) = taken
                && tell(socket, &json!({ "refused": refusal })).await.is_err()
            {
                return;
            }
        }
    }

    /// Has services and PBX do what the dialog wants of them.
    async fn settle(&mut self) {
        loop {
            if let Some(order) = self.rehearsal.open_order().cloned() {
                self.orders += 1;
                let tenant = &self.playbook.shelf.tenant.tenant;
                let services = &self.phone.services;
                let done = services
                    .order(tenant, self.call, self.orders, without_audio(order))
                    .await;
                // The order was open a moment ago, and nobody else answers it.
                let _ = self.rehearsal.order_done(done);
            } else if self.rehearsal.outcome().is_some()
                && let Some((target, handoff)) = self.rehearsal.open_transfer()
            {
                let moved = self.phone.pbx.transfer(self.call, target, handoff).await;
                match moved {
                    Ok(()) => return,
                    Err(error) => {
                        // The transfer was open a moment ago.
                        let _ = self.rehearsal.transfer_fails(&error.to_string());
                    }
                }
            } else {
                return;
            }
        }
    }

    fn take(&mut self, turn: FromPage) -> Result<(), String> {
        let fails = |it: Misplaced| it.to_string();
        let stage = &mut self.rehearsal;
        match turn {
            FromPage::Call(_) => Err("a call is on already".to_owned()),
            FromPage::Say(words) => {
                let words: String = words.chars().take(TURN).collect();
                if stage.is_recording() {
                    return stage.records(&words).map_err(fails);
                }
                let heard = Heard::written(self.language_of(&words), &words);
                self.rehearsal.says(heard).map_err(fails)
            }
            FromPage::Keys(keys) => {
                let keys = keys_of(&keys).ok_or_else(|| format!("{keys:?} are no keys"))?;
                stage.presses(keys).map_err(fails)
            }
            FromPage::Silence {} => stage.is_silent().map_err(fails),
            FromPage::HangUp {} => stage.hangs_up().map_err(fails),
        }
    }

    fn language_of(&self, words: &str) -> Language {
        let spoken = &self.playbook.shelf.tenant.languages;
        language_of(words, spoken)
            .map(|(language, _)| language)
            .unwrap_or_else(|| self.rehearsal.dialog().language())
    }

    async fn show(&mut self, socket: &mut WebSocket) -> Result<(), axum::Error> {
        for entry in &self.rehearsal.entries()[self.shown..] {
            tell(socket, entry).await?;
        }
        self.shown = self.rehearsal.entries().len();
        Ok(())
    }
}

impl Phone {
    /// Returns what calls of a tenant may know now.
    pub(super) fn facts(&self, playbook: &Playbook) -> Facts {
        Facts {
            queues: self.queues.borrow().clone(),
            notices: self.services.notices(&playbook.shelf.tenant.tenant),
        }
    }
}

/// Takes the name of an audio file away that a written call does not have.
fn without_audio(mut order: Order) -> Order {
    let recording = match &mut order {
        Order::Message(order) => &mut order.recording,
        Order::Cancellation(order) => &mut order.recording,
        Order::Callback(_) => return order,
    };
    if let Some(recording) = recording {
        recording.file.clear();
    }
    order
}
