//! The calls that Asterisk has with us: joins an audio connection's id with a channel, and follows
//! the channel's events. It asks nothing of anybody; the time is an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::KeysFrom;
use super::wire::Block;
use crate::pbx::followers::Followers;
use crate::pbx::{Arrival, CallEvent, HangupCause};
use crate::words::{CallId, Key, PhoneNumber, QueueName};

/// How long a call that was announced may take until its audio comes.
const ANNOUNCED: Duration = Duration::from_secs(60);

/// Calls known at once; the oldest one without audio makes room.
const LIMIT: usize = 10_000;

/// What Asterisk calls the stand-in that runs the extension `failed` after a call that failed.
const NO_CHANNEL: &str = "OutgoingSpoolFailed";

/// The variables that a Status answer is asked for.
pub(super) const VARIABLES: &str =
    "HOTLINE_UUID,HOTLINE_DID,HOTLINE_PURPOSE,HOTLINE_CALLER,HOTLINE_LANGUAGE";

#[derive(Debug)]
struct Call {
    arrival: Option<Arrival>,
    channel: Option<String>,
    uniqueid: Option<String>,
    since: Instant,
    /// The audio came, or nobody waits for it.
    heard: bool,
    queued: bool,
    followers: Followers,
}

/// All calls known now.
#[derive(Debug)]
pub(super) struct Calls {
    keys: KeysFrom,
    calls: HashMap<CallId, Call>,
    by_uniqueid: HashMap<String, CallId>,
    by_channel: HashMap<String, CallId>,
}

impl Calls {
    pub(super) fn new(keys: KeysFrom) -> Self {
        Self {
            keys,
            calls: HashMap::new(),
            by_uniqueid: HashMap::new(),
            by_channel: HashMap::new(),
        }
    }

    /// Notes a call that was announced before its audio.
    pub(super) fn announce(&mut self, id: CallId, arrival: Arrival, now: Instant) {
        let channel = arrival.channel.clone();
        let call = self.call(id, now);
        call.arrival = Some(arrival);
        self.name(id, &channel, None);
    }

    /// Notes a call that we are about to dial; its channel bears our id.
    pub(super) fn expect(&mut self, id: CallId, arrival: Arrival, now: Instant) {
        let call = self.call(id, now);
        call.arrival = Some(arrival);
        call.heard = true;
        let uniqueid = id.to_string();
        call.uniqueid = Some(uniqueid.clone());
        self.by_uniqueid.insert(uniqueid, id);
    }

    /// Returns who called, and keeps the call from now on until it is hung up.
    pub(super) fn arrival(&mut self, id: CallId) -> Option<Arrival> {
        let call = self.calls.get_mut(&id)?;
        let mut arrival = call.arrival.clone()?;
        call.heard = true;
        if let Some(channel) = &call.channel {
            arrival.channel.clone_from(channel);
        }
        Some(arrival)
    }

    /// Returns the name of the call's channel.
    pub(super) fn channel(&self, id: CallId) -> Option<String> {
        self.calls
            .get(&id)?
            .channel
            .clone()
            .filter(|channel| !channel.is_empty())
    }

    /// Returns the events of a call from now on. One that is not known yet may still be found.
    pub(super) fn follow(&mut self, id: CallId, now: Instant) -> mpsc::Receiver<CallEvent> {
        self.call(id, now).followers.add()
    }

    /// Forgets a call whose followers have been told all there is.
    pub(super) fn forget(&mut self, id: CallId) {
        if let Some(call) = self.calls.remove(&id) {
            if let Some(uniqueid) = call.uniqueid {
                self.by_uniqueid.remove(&uniqueid);
            }
            if let Some(channel) = call.channel
                && self.by_channel.get(&channel) == Some(&id)
            {
                self.by_channel.remove(&channel);
            }
        }
    }

    /// Forgets announcements without audio and calls that nobody follows any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        let over = self.calls.iter().filter(|(_, call)| {
            let old = now.duration_since(call.since) >= ANNOUNCED;
            let unknown = call.arrival.is_none() && call.channel.is_none();
            call.followers.are_gone() && old && (!call.heard || unknown)
        });
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.forget(id);
        }
    }

    /// Takes one event. Returns whether a call's arrival became known.
    pub(super) fn event(&mut self, block: &Block, now: Instant) -> bool {
        if block.is_event("UserEvent") && block.get("UserEvent") == Some("Hotline") {
            return self.register(block, now);
        }
        if block.is_event("LocalOptimizationBegin") {
            self.step_aside(block);
            return false;
        }
        let Some(id) = self.find(block) else {
            return false;
        };
        let name = block
            .get("Newname")
            .or_else(|| block.get("Channel"))
            .unwrap_or_default();
        self.name(id, name, block.get("Uniqueid"));
        match block.event().unwrap_or_default() {
            "DTMFEnd" if self.keys == KeysFrom::Manager => {
                let received = block.get("Direction") == Some("Received");
                let digit = block.get("Digit").and_then(|digit| digit.chars().next());
                if received && let Some(key) = digit.and_then(Key::new) {
                    self.tell(id, CallEvent::Key(key));
                }
            }
            "QueueCallerJoin" => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.queued = true;
                }
                let queue = block.get("Queue").unwrap_or_default();
                self.tell(id, CallEvent::Queued(QueueName::from(queue)));
            }
            "AgentConnect" => self.tell(id, CallEvent::AgentAnswered),
            "DialEnd"
                if block.get("DialStatus") == Some("ANSWER")
                    && self.calls.get(&id).is_some_and(|call| !call.queued) =>
            {
                self.tell(id, CallEvent::AgentAnswered);
            }
            "Hangup" => {
                let cause = HangupCause(block.number("Cause").unwrap_or_default());
                self.tell(id, CallEvent::HungUp(cause));
                self.forget(id);
            }
            _ => {}
        }
        false
    }

    /// Brings the calls in line with the channels there are: after a reconnect, or when events
    /// were lost. Calls that came to us after `asked` are left alone.
    pub(super) fn reread(&mut self, channels: &[Block], asked: Instant) {
        let mut alive = Vec::new();
        for id in self.calls.keys().copied().collect::<Vec<_>>() {
            let known = channels.iter().find(|block| self.find(block) == Some(id));
            if let Some(block) = known.or_else(|| channel_of(id, channels)) {
                alive.push(id);
                let name = block.get("Channel").unwrap_or_default();
                self.name(id, name, block.get("Uniqueid"));
            }
        }
        let gone = self.calls.iter().filter(|(id, call)| {
            call.channel.is_some() && call.since < asked && !alive.contains(id)
        });
        for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.tell(id, CallEvent::HungUp(HangupCause(0)));
            self.forget(id);
        }
    }

    /// Takes over what a Status answer tells about this call, if it is among the channels.
    pub(super) fn look_up(
        &mut self,
        id: CallId,
        channels: &[Block],
        now: Instant,
    ) -> Option<Arrival> {
        let block = channel_of(id, channels)?;
        let did = variable(block, "HOTLINE_DID")
            .or_else(|| text(block, "DNID"))
            .or_else(|| text(block, "Exten"));
        let caller = variable(block, "HOTLINE_CALLER").or_else(|| text(block, "CallerIDNum"));
        let language = variable(block, "HOTLINE_LANGUAGE").or_else(|| text(block, "Language"));
        let arrival = Arrival {
            did: did.unwrap_or_default().to_owned(),
            caller: caller.and_then(|number| PhoneNumber::parse(number).ok()),
            name: text(block, "CallerIDName").map(str::to_owned),
            language: language.map(str::to_owned),
            channel: block.get("Channel").unwrap_or_default().to_owned(),
            purpose: variable(block, "HOTLINE_PURPOSE").map(str::to_owned),
        };
        let call = self.call(id, now);
        call.heard = true;
        let mut arrival = call.arrival.get_or_insert(arrival).clone();
        let channel = block.get("Channel").unwrap_or_default();
        channel.clone_into(&mut arrival.channel);
        self.name(id, channel, block.get("Uniqueid"));
        Some(arrival)
    }

    /// Takes our own user event of the dialplan.
    fn register(&mut self, block: &Block, now: Instant) -> bool {
        let Some(id) = text(block, "uuid")
            .and_then(|id| Uuid::parse_str(id).ok())
            .map(CallId)
        else {
            tracing::warn!(
                "a Hotline event of the dialplan has no uuid: compare dialplans/hotline.conf"
            );
            return false;
        };
        let channel = block.get("Channel").unwrap_or_default();
        if channel == NO_CHANNEL {
            return false;
        }
        let arrival = Arrival {
            did: text(block, "did").unwrap_or_default().to_owned(),
            caller: text(block, "caller").and_then(|number| PhoneNumber::parse(number).ok()),
            name: text(block, "name").map(str::to_owned),
            language: text(block, "lang").map(str::to_owned),
            channel: channel.to_owned(),
            purpose: text(block, "purpose").map(str::to_owned),
        };
        let call = self.call(id, now);
        call.arrival.get_or_insert(arrival);
        self.name(id, channel, block.get("Uniqueid"));
        true
    }

    fn call(&mut self, id: CallId, now: Instant) -> &mut Call {
        if self.calls.len() >= LIMIT && !self.calls.contains_key(&id) {
            let waiting = self.calls.iter().filter(|(_, call)| !call.heard);
            let oldest = waiting
                .min_by_key(|(_, call)| call.since)
                .map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                self.forget(oldest);
            }
        }
        self.calls.entry(id).or_insert_with(|| Call {
            arrival: None,
            channel: None,
            uniqueid: None,
            since: now,
            heard: false,
            queued: false,
            followers: Followers::default(),
        })
    }

    /// Finds the call whose own channel an event is about.
    fn find(&self, block: &Block) -> Option<CallId> {
        let by_uniqueid = block
            .get("Uniqueid")
            .and_then(|id| self.by_uniqueid.get(id));
        let by_channel = || {
            block
                .get("Channel")
                .and_then(|name| self.by_channel.get(name))
        };
        by_uniqueid.or_else(by_channel).copied()
    }

    /// Follows the real channel when Asterisk takes a Local channel out from between two bridges:
    /// the Local channel's hangup is then not the end of the call.
    fn step_aside(&mut self, block: &Block) {
        let halves = ["LocalOneUniqueid", "LocalTwoUniqueid"];
        let known = |key| {
            block
                .get(key)
                .and_then(|id| self.by_uniqueid.get(id))
                .copied()
        };
        if let Some(id) = halves.into_iter().find_map(known)
            && let Some(channel) = block.get("SourceChannel")
        {
            self.name(id, channel, block.get("SourceUniqueid"));
        }
    }

    /// Notes the names of a call's channel.
    fn name(&mut self, id: CallId, channel: &str, uniqueid: Option<&str>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if !channel.is_empty() && call.channel.as_deref() != Some(channel) {
            if let Some(old) = call.channel.replace(channel.to_owned()) {
                self.by_channel.remove(&old);
            }
            self.by_channel.insert(channel.to_owned(), id);
        }
        if let Some(uniqueid) = uniqueid
            && call.uniqueid.as_deref() != Some(uniqueid)
        {
            if let Some(old) = call.uniqueid.replace(uniqueid.to_owned()) {
                self.by_uniqueid.remove(&old);
            }
            self.by_uniqueid.insert(uniqueid.to_owned(), id);
        }
    }

    /// Tells the followers of a call.
    fn tell(&mut self, id: CallId, event: CallEvent) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.followers.tell(id, &event);
        }
    }
}

/// Returns the value of a header unless it is empty or Asterisk's word for nothing.
fn text<'a>(block: &'a Block, key: &str) -> Option<&'a str> {
    block
        .get(key)
        .map(str::trim)
        .filter(|value| !value.is_empty() && *value != "<unknown>")
}

/// Returns a variable of a Status item.
fn variable<'a>(block: &'a Block, name: &str) -> Option<&'a str> {
    let values = block
        .0
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case("Variable"));
    let mut found = values.filter_map(|(_, value)| value.strip_prefix(name)?.strip_prefix('='));
    // Asterisk prints a variable that is not set as `(null)`.
    found
        .next()
        .filter(|value| !value.is_empty() && *value != "(null)")
}

/// Finds a call's own channel in a Status answer: the one that has our audio, or bears our id, or
/// else the oldest that has the dialplan's variable, which agents' channels inherit.
pub(super) fn channel_of(id: CallId, channels: &[Block]) -> Option<&Block> {
    let is_ours = |text: &str| Uuid::parse_str(text) == Ok(id.0);
    let has_audio = |block: &&Block| {
        let audio = block
            .get("Application")
            .is_some_and(|name| name.eq_ignore_ascii_case("AudioSocket"));
        audio
            && block
                .get("Data")
                .and_then(|data| data.split(',').next())
                .is_some_and(is_ours)
    };
    let bears_id = |block: &&Block| block.get("Uniqueid").is_some_and(is_ours);
    let marked = |block: &&Block| variable(block, "HOTLINE_UUID").is_some_and(is_ours);
    channels
        .iter()
        .find(has_audio)
        .or_else(|| channels.iter().find(bears_id))
        .or_else(|| {
            channels
                .iter()
                .filter(marked)
                .min_by_key(|block| age(block))
        })
}

/// The place of a channel in the order in which Asterisk made them; its ids are `seconds.number`.
fn age(block: &Block) -> (u64, u64) {
    let uniqueid = block.get("Uniqueid").unwrap_or_default();
    let uniqueid = uniqueid.rsplit('-').next().unwrap_or_default();
    let (seconds, number) = uniqueid.split_once('.').unwrap_or((uniqueid, ""));
    (
        seconds.parse().unwrap_or(u64::MAX),
        number.parse().unwrap_or(u64::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        let line = |line: &str| {
            let (key, value) = line.split_once(": ").unwrap();
            (key.to_owned(), value.to_owned())
        };
        Block(text.lines().map(line).collect())
    }

    const ID: &str = "7510866c-cab4-401c-890f-a4884f95954d";

    fn id() -> CallId {
        CallId(Uuid::parse_str(ID).unwrap())
    }

    fn arrival(channel: &str) -> Arrival {
        Arrival {
            did: "80123456".to_owned(),
            caller: None,
            name: None,
            language: None,
            channel: channel.to_owned(),
            purpose: None,
        }
    }

    fn told(events: &mut mpsc::Receiver<CallEvent>) -> Vec<CallEvent> {
        std::iter::from_fn(|| events.try_recv().ok()).collect()
    }

    #[test]
    fn a_call_announced_by_http_is_followed_by_its_channel_name_and_then_by_its_uniqueid() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Manager);
        calls.announce(id(), arrival("PJSIP/trunk-1"), now);
        let mut events = calls.follow(id(), now);
        calls.event(
            &block("Event: Newstate\nChannel: PJSIP/trunk-1\nUniqueid: 1.1"),
            now,
        );
        calls.event(
            &block("Event: Rename\nChannel: PJSIP/trunk-1\nNewname: PJSIP/x-2\nUniqueid: 1.1"),
            now,
        );
        assert_eq!(calls.channel(id()).as_deref(), Some("PJSIP/x-2"));
        calls.event(
            &block(
                "Event: DTMFEnd\nChannel: PJSIP/x-2\nUniqueid: 1.1\nDigit: #\nDirection: Received",
            ),
            now,
        );
        calls.event(
            &block("Event: Hangup\nChannel: PJSIP/x-2\nUniqueid: 1.1\nCause: 16"),
            now,
        );
        let key = Key::new('#').unwrap();
        assert_eq!(
            told(&mut events),
            [CallEvent::Key(key), CallEvent::HungUp(HangupCause(16))]
        );
        assert!(events.is_closed() || events.try_recv().is_err());
        assert_eq!(calls.arrival(id()), None);
    }

    #[test]
    fn keys_that_the_audio_connection_tells_are_not_told_twice() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        calls.announce(id(), arrival("PJSIP/trunk-1"), now);
        let mut events = calls.follow(id(), now);
        calls.event(
            &block("Event: DTMFEnd\nChannel: PJSIP/trunk-1\nDigit: 1\nDirection: Received"),
            now,
        );
        assert_eq!(told(&mut events), []);
    }

    #[test]
    fn an_announcement_without_audio_is_forgotten_after_a_minute() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        calls.announce(id(), arrival("PJSIP/trunk-1"), now);
        calls.sweep(now + Duration::from_secs(59));
        assert!(calls.calls.contains_key(&id()));
        calls.sweep(now + Duration::from_secs(60));
        assert!(calls.calls.is_empty() && calls.by_channel.is_empty());
    }

    #[test]
    fn a_call_with_audio_is_kept_however_long_it_lasts() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        calls.announce(id(), arrival("PJSIP/trunk-1"), now);
        assert!(calls.arrival(id()).is_some());
        calls.sweep(now + Duration::from_secs(3600));
        assert!(calls.arrival(id()).is_some());
    }

    #[test]
    fn a_flood_of_announcements_costs_the_oldest_and_no_call_with_audio() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        calls.announce(id(), arrival("PJSIP/trunk-1"), now);
        calls.arrival(id());
        for number in 0..LIMIT as u128 + 10 {
            calls.announce(
                CallId(Uuid::from_u128(number)),
                arrival(&format!("X/{number}")),
                now,
            );
        }
        assert_eq!(calls.calls.len(), LIMIT);
        assert!(calls.arrival(id()).is_some());
    }

    #[test]
    fn a_call_that_ended_while_the_link_was_down_is_told_when_it_is_back() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        calls.announce(id(), arrival("PJSIP/trunk-1"), now);
        let other = CallId(Uuid::from_u128(7));
        calls.announce(other, arrival("PJSIP/trunk-2"), now);
        let mut events = calls.follow(id(), now);
        let asked = now + Duration::from_secs(1);
        calls.reread(
            &[block(
                "Event: Status\nChannel: PJSIP/trunk-2\nUniqueid: 1.2",
            )],
            asked,
        );
        assert_eq!(told(&mut events), [CallEvent::HungUp(HangupCause(0))]);
        assert_eq!(calls.channel(other).as_deref(), Some("PJSIP/trunk-2"));
    }

    #[test]
    fn a_call_that_came_after_the_question_is_not_taken_for_gone() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        calls.announce(
            id(),
            arrival("PJSIP/trunk-1"),
            now + Duration::from_millis(1),
        );
        calls.reread(&[], now);
        assert!(calls.arrival(id()).is_some());
    }

    #[test]
    fn an_agents_leg_that_inherited_the_id_is_not_taken_for_the_caller() {
        let channels = [
            block(&format!(
                "Event: Status\nChannel: PJSIP/agent-9\nUniqueid: 17.10\nVariable: HOTLINE_UUID={ID}"
            )),
            block(&format!(
                "Event: Status\nChannel: PJSIP/trunk-2\nUniqueid: 17.9\nVariable: HOTLINE_UUID={ID}"
            )),
        ];
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        let arrival = calls.look_up(id(), &channels, now).unwrap();
        assert_eq!(arrival.channel, "PJSIP/trunk-2");
        calls.reread(&channels, now + Duration::from_secs(1));
        assert_eq!(calls.channel(id()).as_deref(), Some("PJSIP/trunk-2"));
    }

    #[test]
    fn a_variable_that_is_not_set_is_none() {
        let channels = [block(&format!(
            "Event: Status\nChannel: X/1\nDNID: 80123456\nApplication: AudioSocket\nData: {ID},x\n\
             Variable: HOTLINE_DID=(null)\nVariable: HOTLINE_PURPOSE=(null)"
        ))];
        let mut calls = Calls::new(KeysFrom::Audio);
        let arrival = calls.look_up(id(), &channels, Instant::now()).unwrap();
        assert_eq!((arrival.did.as_str(), arrival.purpose), ("80123456", None));
    }

    #[test]
    fn a_call_goes_on_when_asterisk_takes_its_local_channel_away() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        calls.expect(id(), arrival(""), now);
        let mut events = calls.follow(id(), now);
        let local = format!("Channel: Local/x;1\nUniqueid: {ID}");
        calls.event(&block(&format!("Event: Newchannel\n{local}")), now);
        calls.event(
            &block(&format!(
                "Event: LocalOptimizationBegin\nLocalOneUniqueid: {ID}\nLocalTwoUniqueid: {ID};2\n\
                 SourceChannel: PJSIP/trunk-1\nSourceUniqueid: 17.2"
            )),
            now,
        );
        calls.event(&block(&format!("Event: Hangup\n{local}\nCause: 16")), now);
        assert_eq!(told(&mut events), []);
        assert_eq!(calls.channel(id()).as_deref(), Some("PJSIP/trunk-1"));
        calls.event(
            &block("Event: Hangup\nChannel: PJSIP/trunk-1\nUniqueid: 17.2\nCause: 16"),
            now,
        );
        assert_eq!(told(&mut events), [CallEvent::HungUp(HangupCause(16))]);
    }

    #[test]
    fn a_call_that_a_former_process_dialled_still_has_its_purpose() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        let event = format!(
            "Event: UserEvent\nChannel: Local/x;1\nUniqueid: {ID}\nUserEvent: Hotline\nuuid: {ID}\n\
             did: 1\npurpose: callback-4F7K2"
        );
        assert!(calls.event(&block(&event), now));
        let arrival = calls.arrival(id()).unwrap();
        assert_eq!(arrival.purpose.as_deref(), Some("callback-4F7K2"));
    }

    #[test]
    fn a_dialled_call_keeps_its_purpose_when_the_dialplan_announces_it_again() {
        let now = Instant::now();
        let mut calls = Calls::new(KeysFrom::Audio);
        let mut dialled = arrival("");
        dialled.purpose = Some("callback 4F7K2".to_owned());
        calls.expect(id(), dialled, now);
        let event = format!(
            "Event: UserEvent\nChannel: Local/x;1\nUniqueid: {ID}\nUserEvent: Hotline\nuuid: {ID}\ndid: 1"
        );
        assert!(calls.event(&block(&event), now));
        let arrival = calls.arrival(id()).unwrap();
        assert_eq!(arrival.purpose.as_deref(), Some("callback 4F7K2"));
        assert_eq!(arrival.channel, "Local/x;1");
    }
}
