//! A PBX without any PBX, for `hotline demo`, chat and tests: callers are announced by the browser
//! phone, what would happen to them is noted and shown, and queues and outgoing calls do as told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, watch};
use uuid::Uuid;

use super::followers::Followers;
use super::{Arrival, CallEvent, Dial, Dialled, HangupCause, LinkState, Pbx, PbxError};
use crate::dialog::{Handoff, QueueState, Target};
use crate::words::{CallId, Key, QueueName};

/// Deeds kept for a slow reader.
const DEEDS: usize = 256;

/// What this PBX was told to do, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// A caller was moved.
    Transferred {
        /// Who.
        call: CallId,
        /// Where to.
        target: Target,
        /// What the agent would be told.
        handoff: Handoff,
    },
    /// A call was ended by us.
    HungUp {
        /// Which.
        call: CallId,
    },
    /// A number was dialled.
    Dialled {
        /// The order.
        dial: Dial,
        /// How it went.
        outcome: Dialled,
    },
}

/// A caller who is with us.
struct Guest {
    arrival: Arrival,
    followers: Followers,
}

#[derive(Default)]
struct House {
    guests: HashMap<CallId, Guest>,
    queues: BTreeMap<QueueName, QueueState>,
    script: VecDeque<Dialled>,
    refuse_transfers: Option<String>,
}

/// The stand-in.
pub struct Builtin {
    house: Mutex<House>,
    link: watch::Sender<LinkState>,
    deeds: broadcast::Sender<Deed>,
}

impl Default for Builtin {
    fn default() -> Self {
        Self::new()
    }
}

impl Builtin {
    /// Makes a PBX without callers and queues whose callees all answer.
    pub fn new() -> Self {
        Self {
            house: Mutex::default(),
            link: watch::Sender::new(LinkState::Ready),
            deeds: broadcast::channel(DEEDS).0,
        }
    }

    /// Announces a caller and names their call.
    pub fn announce(&self, arrival: Arrival) -> CallId {
        let call = CallId(Uuid::new_v4());
        self.admit(call, arrival);
        call
    }

    /// Announces a caller whose call has a name already.
    pub fn admit(&self, call: CallId, arrival: Arrival) {
        let guest = Guest {
            arrival,
            followers: Followers::default(),
        };
        self.house().guests.insert(call, guest);
    }

    /// The caller leaves by themselves.
    pub fn leave(&self, call: CallId) {
        Self::end(&mut self.house(), call);
    }

    /// The caller presses a key beside the audio.
    pub fn press(&self, call: CallId, key: Key) {
        self.house().tell(call, &CallEvent::Key(key));
    }

    /// An agent takes a caller who was moved.
    pub fn answer(&self, call: CallId) {
        self.house().tell(call, &CallEvent::AgentAnswered);
    }

    /// Makes a queue known, in this state.
    pub fn set_queue(&self, queue: QueueName, state: QueueState) {
        self.house().queues.insert(queue, state);
    }

    /// Says how the next outgoing calls go; after these, callees answer.
    pub fn next_dials(&self, outcomes: impl IntoIterator<Item = Dialled>) {
        self.house().script.extend(outcomes);
    }

    /// Refuses transfers from now on with these words, or allows them again.
    pub fn refuse_transfers(&self, why: Option<&str>) {
        self.house().refuse_transfers = why.map(str::to_owned);
    }

    /// Pretends that the link is in this state.
    pub fn set_link(&self, state: LinkState) {
        self.link.send_replace(state);
    }

    /// Returns what is done from now on.
    pub fn deeds(&self) -> broadcast::Receiver<Deed> {
        self.deeds.subscribe()
    }

    fn house(&self) -> MutexGuard<'_, House> {
        self.house.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self) -> Result<MutexGuard<'_, House>, PbxError> {
        match &*self.link.borrow() {
            LinkState::Down(why) => Err(PbxError::NotConnected(why.clone())),
            LinkState::Up | LinkState::Ready => Ok(self.house()),
        }
    }

    fn end(house: &mut House, call: CallId) {
        house.tell(call, &CallEvent::HungUp(HangupCause(16)));
        house.guests.remove(&call);
    }

    fn note(&self, deed: Deed) {
        tracing::info!(?deed, "the built-in PBX did as told");
        let _ = self.deeds.send(deed);
    }
}

impl House {
    fn guest(&mut self, call: CallId) -> Result<&mut Guest, PbxError> {
        self.guests.get_mut(&call).ok_or(PbxError::NoSuchCall)
    }

    fn tell(&mut self, call: CallId, event: &CallEvent) {
        if let Some(guest) = self.guests.get_mut(&call) {
            guest.followers.tell(call, event);
        }
    }
}

#[async_trait]
impl Pbx for Builtin {
    fn link(&self) -> watch::Receiver<LinkState> {
        self.link.subscribe()
    }

    async fn arrival(&self, call: CallId) -> Result<Arrival, PbxError> {
        self.house().guest(call).map(|guest| guest.arrival.clone())
    }

    fn follow(&self, call: CallId) -> mpsc::Receiver<CallEvent> {
        match self.house().guest(call) {
            Ok(guest) => guest.followers.add(),
            Err(_) => mpsc::channel(1).1,
        }
    }

    async fn transfer(
        &self,
        call: CallId,
        target: &Target,
        handoff: &Handoff,
    ) -> Result<(), PbxError> {
        {
            let mut house = self.reach()?;
            let refused = |message: String| PbxError::Refused {
                action: "the transfer".to_owned(),
                message,
            };
            if let Some(why) = &house.refuse_transfers {
                return Err(refused(why.clone()));
            }
            house.guest(call)?;
            if let Target::Queue { queue, .. } = target {
                match house.queues.get_mut(queue) {
                    Some(state) => state.waiting = state.waiting.saturating_add(1),
                    None => return Err(refused(format!("there is no queue {queue}"))),
                }
                house.tell(call, &CallEvent::Queued(queue.clone()));
            }
        }
        self.note(Deed::Transferred {
            call,
            target: target.clone(),
            handoff: handoff.clone(),
        });
        Ok(())
    }

    async fn hang_up(&self, call: CallId) -> Result<(), PbxError> {
        {
            let mut house = self.reach()?;
            house.guest(call)?;
            Self::end(&mut house, call);
        }
        self.note(Deed::HungUp { call });
        Ok(())
    }

    async fn dial(&self, dial: &Dial) -> Result<Dialled, PbxError> {
        let outcome = {
            let mut house = self.reach()?;
            if house.guests.contains_key(&dial.call) {
                let message = "a call with this id exists already".to_owned();
                return Err(PbxError::Refused {
                    action: "the outgoing call".to_owned(),
                    message,
                });
            }
            let outcome = house.script.pop_front().unwrap_or(Dialled::Answered);
            if outcome == Dialled::Answered {
                let arrival = Arrival {
                    did: dial
                        .caller_id
                        .as_ref()
                        .map(|id| id.e164().to_owned())
                        .unwrap_or_default(),
                    caller: Some(dial.number.clone()),
                    name: None,
                    language: dial
                        .handoff
                        .language
                        .map(|language| language.code().to_owned()),
                    channel: format!("builtin/{}", dial.call),
                    purpose: Some(dial.purpose.clone()),
                };
                let guest = Guest {
                    arrival,
                    followers: Followers::default(),
                };
                house.guests.insert(dial.call, guest);
            }
            outcome
        };
        self.note(Deed::Dialled {
            dial: dial.clone(),
            outcome,
        });
        Ok(outcome)
    }

    async fn exists(&self, call: CallId) -> Result<bool, PbxError> {
        Ok(self.reach()?.guests.contains_key(&call))
    }

    async fn queues(&self) -> Result<BTreeMap<QueueName, QueueState>, PbxError> {
        Ok(self.reach()?.queues.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pbx::DialOrder;
    use crate::words::PhoneNumber;

    fn arrival() -> Arrival {
        Arrival {
            did: "80123456".to_owned(),
            caller: None,
            name: None,
            language: None,
            channel: "browser/1".to_owned(),
            purpose: None,
        }
    }

    fn dial() -> Dial {
        Dial {
            call: CallId(Uuid::from_u128(1)),
            number: PhoneNumber::parse("70101010").unwrap(),
            queue: QueueName::from("tax"),
            order: DialOrder::CallerFirst,
            caller_id: None,
            ring: Duration::from_secs(20),
            purpose: "callback 1".to_owned(),
            handoff: Handoff::default(),
        }
    }

    #[tokio::test]
    async fn a_caller_is_moved_to_a_queue_and_all_who_follow_hear_of_it() {
        let pbx = Builtin::new();
        pbx.set_queue(QueueName::from("tax"), QueueState::default());
        let call = pbx.announce(arrival());
        let mut events = pbx.follow(call);
        let mut deeds = pbx.deeds();
        let target = Target::Queue {
            queue: QueueName::from("tax"),
            priority: 0,
        };
        pbx.transfer(call, &target, &Handoff::default())
            .await
            .unwrap();
        pbx.answer(call);
        pbx.leave(call);
        assert_eq!(
            events.recv().await,
            Some(CallEvent::Queued(QueueName::from("tax")))
        );
        assert_eq!(events.recv().await, Some(CallEvent::AgentAnswered));
        assert_eq!(
            events.recv().await,
            Some(CallEvent::HungUp(HangupCause(16)))
        );
        assert_eq!(events.recv().await, None);
        assert!(matches!(deeds.recv().await, Ok(Deed::Transferred { .. })));
        assert_eq!(
            pbx.queues().await.unwrap()[&QueueName::from("tax")].waiting,
            1
        );
    }

    #[tokio::test]
    async fn a_queue_that_nobody_made_takes_no_caller() {
        let pbx = Builtin::new();
        let call = pbx.announce(arrival());
        let target = Target::Queue {
            queue: QueueName::from("tax"),
            priority: 0,
        };
        let error = pbx
            .transfer(call, &target, &Handoff::default())
            .await
            .unwrap_err();
        insta::assert_snapshot!(error, @"the PBX refused the transfer: there is no queue tax");
        assert!(pbx.arrival(call).await.is_ok(), "the caller is still here");
    }

    #[tokio::test]
    async fn a_call_that_was_hung_up_is_gone() {
        let pbx = Builtin::new();
        let call = pbx.announce(arrival());
        pbx.hang_up(call).await.unwrap();
        assert!(matches!(pbx.hang_up(call).await, Err(PbxError::NoSuchCall)));
        assert!(!pbx.exists(call).await.unwrap());
        assert_eq!(pbx.follow(call).recv().await, None);
    }

    #[tokio::test]
    async fn outgoing_calls_go_as_the_script_says_and_answered_ones_bring_their_purpose() {
        let pbx = Builtin::new();
        pbx.next_dials([Dialled::Busy]);
        assert_eq!(pbx.dial(&dial()).await.unwrap(), Dialled::Busy);
        assert_eq!(pbx.dial(&dial()).await.unwrap(), Dialled::Answered);
        let arrival = pbx.arrival(dial().call).await.unwrap();
        assert_eq!(arrival.purpose.as_deref(), Some("callback 1"));
        assert!(
            matches!(pbx.dial(&dial()).await, Err(PbxError::Refused { .. })),
            "twice"
        );
    }

    #[tokio::test]
    async fn nothing_can_be_done_while_the_link_is_down() {
        let pbx = Builtin::new();
        let call = pbx.announce(arrival());
        pbx.set_link(LinkState::Down("unplugged".to_owned()));
        assert!(matches!(
            pbx.hang_up(call).await,
            Err(PbxError::NotConnected(_))
        ));
        assert!(matches!(pbx.queues().await, Err(PbxError::NotConnected(_))));
        pbx.set_link(LinkState::Ready);
        assert!(pbx.exists(call).await.unwrap(), "the call lived on");
    }
}
