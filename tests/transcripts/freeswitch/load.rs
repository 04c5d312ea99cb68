//! Two hundred calls with audio while the switch has much to tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotline::call::line::FromCaller;
use hotline::call::unicast;
use hotline::pbx::freeswitch::link::Times;
use hotline::pbx::{CallEvent, HangupCause, Pbx};
use hotline::words::{CallId, Key, QueueName};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::channel::{Channel, Plan};
use super::recording::{Recording, Said, header};
use super::sessions::echo;
use super::speaker::Speaker;
use super::switch::{Room, Wire, visitor};
use crate::stage::LONG;

const CALLS: usize = 200;

/// Events in a second.
const RATE: usize = 500;

const EVENTS: usize = 5 * RATE;

/// What a recorded switch tells its link of a caller who is served in a queue.
struct Story {
    /// The caller's channel.
    caller: String,
    events: Vec<Said>,
}

impl Story {
    fn new() -> Self {
        let messages = Recording::read("callcenter-answered").messages();
        let told = |said: &Said| {
            let channel = [
                "CHANNEL_ANSWER",
                "CHANNEL_BRIDGE",
                "CHANNEL_HANGUP_COMPLETE",
            ];
            matches!(said.event(), Some(name) if name == "CUSTOM" || channel.contains(&name))
        };
        let events: Vec<Said> = messages.into_iter().filter(told).collect();
        let joined = events
            .iter()
            .find(|said| said.body.contains("member-queue-start"));
        let caller = header(&joined.unwrap().body, "CC-Member-Session-UUID").unwrap();
        Self {
            caller: caller.to_owned(),
            events,
        }
    }

    /// The events of so many callers, one caller after the other.
    fn told(&self) -> impl Iterator<Item = String> {
        (0..EVENTS).map(|number| {
            let said = &self.events[number % self.events.len()];
            let caller = waiting(number / self.events.len());
            said.with(&[(&self.caller, &caller.to_string())])
        })
    }

    /// How many callers are told of from beginning to end.
    fn callers(&self) -> usize {
        EVENTS / self.events.len()
    }
}

/// One of those who wait in the queue.
fn waiting(number: usize) -> CallId {
    let id = format!("c0000000-0000-4000-8000-{number:012}");
    CallId(id.parse().unwrap())
}

/// Keeps the link answered and tells it what is to be told. Returns what it asked besides the time.
async fn keep(mut wire: Wire, mut to_say: mpsc::UnboundedReceiver<String>) -> Vec<String> {
    let mut asked = Vec::new();
    loop {
        tokio::select! {
            command = wire.command() => match command {
                None => return asked,
                Some(command) => {
                    wire.print("1795335980").await;
                    asked.extend((command != "api strepoch").then_some(command));
                }
            },
            event = to_say.recv() => match event {
                Some(event) => wire.say(&event).await,
                None => return asked,
            },
        }
    }
}

async fn all(events: &mut mpsc::Receiver<CallEvent>) -> Vec<CallEvent> {
    let mut all = Vec::new();
    while let Some(event) = timeout(LONG, events.recv()).await.unwrap() {
        all.push(event);
    }
    all
}

/// One of those who talk to us, what came from them besides audio, and what the switch told of them.
struct Caller {
    channel: Channel,
    others: mpsc::UnboundedReceiver<FromCaller>,
    events: mpsc::Receiver<CallEvent>,
}

/// Brings callers in, some at a time.
async fn talking(room: &Room, speaker: &Arc<Speaker>) -> Vec<Caller> {
    let mut door = room.door().await;
    let mut callers = Vec::new();
    while callers.len() < CALLS {
        let plan = || Plan {
            speaker: Some(Arc::clone(speaker)),
            ..Plan::default()
        };
        let some = (0..10).map(|_| Channel::call(door.address(), plan()));
        let some = futures_util::future::join_all(some).await;
        let mut some: BTreeMap<_, _> = some
            .into_iter()
            .map(|channel| (channel.id.clone(), channel))
            .collect();
        while !some.is_empty() {
            let visitor = visitor(&mut door).await;
            callers.push(Caller {
                events: room.house.follow(visitor.call),
                others: echo(unicast::line(visitor.media)),
                channel: some.remove(&visitor.call.to_string()).unwrap(),
            });
        }
    }
    callers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_and_five_hundred_events_a_second_lose_nothing() {
    let room = Room::with(Times::default()).await;
    let wire = room.ready().await;
    let (tell, to_say) = mpsc::unbounded_channel();
    let link = tokio::spawn(keep(wire, to_say));
    let speaker = Speaker::start();
    let mut callers = talking(&room, &speaker).await;
    let story = Story::new();
    let followed = (0..story.callers()).map(|number| room.house.follow(waiting(number)));
    let mut followed: Vec<_> = followed.collect();

    let before = speaker.answers();
    let begun = Instant::now();
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    let digits = ['1', '5', '#', '0', '7'];
    for (number, event) in story.told().enumerate() {
        if number % (RATE / 50) == 0 {
            clock.tick().await;
        }
        tell.send(event).unwrap();
        if number % RATE == 0 {
            for caller in &callers {
                let digit = digits[number / RATE];
                caller.channel.tell("DTMF", &format!("DTMF-Digit: {digit}"));
            }
        }
    }
    let whole = [
        CallEvent::Queued(QueueName::from("support")),
        CallEvent::AgentAnswered,
        CallEvent::HungUp(HangupCause(16)),
    ];
    for (number, events) in followed.iter_mut().enumerate() {
        assert_eq!(all(events).await, whole, "caller {number} in the queue");
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(15), "it took {took:?}");

    for caller in &mut callers {
        for digit in digits {
            let event = timeout(LONG, caller.events.recv()).await.unwrap();
            assert_eq!(event, Some(CallEvent::Key(Key::new(digit).unwrap())));
        }
        assert!(caller.others.try_recv().is_err(), "a call has ended");
        assert!(caller.events.try_recv().is_err(), "more than keys");
    }
    assert_eq!((before.len(), speaker.answers().len()), (CALLS, CALLS));
    let fewest = speaker.answers().into_iter().min().unwrap();
    assert!(fewest >= 50, "a caller was answered {fewest} times only");
    // Had it lost news, it would have looked at its calls anew.
    drop(tell);
    assert_eq!(link.await.unwrap(), Vec::<String>::new());
}
