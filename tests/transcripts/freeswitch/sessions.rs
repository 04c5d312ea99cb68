//! Calls at the door, with real audio: set up, served, moved, hung up, and left alone.

use std::time::Duration;

use hotline::call::line::{FRAME, FromCaller, Line};
use hotline::call::unicast;
use hotline::dialog::Target;
use hotline::pbx::freeswitch::{Door, Visitor};
use hotline::pbx::{CallEvent, HangupCause, Pbx, PbxError};
use hotline::words::{Key, PhoneNumber, QueueName};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::channel::{Channel, Plan, frame};
use super::switch::{Room, visitor};
use crate::callers::handoff;
use crate::stage::LONG;

/// A caller who is with us: both ends, and Hotline's room.
pub(super) struct Call {
    pub(super) room: Room,
    pub(super) channel: Channel,
    pub(super) visitor: Option<Visitor>,
    pub(super) door: Door,
    _link: tokio::task::JoinHandle<()>,
}

impl Call {
    pub(super) async fn begin(plan: Plan) -> Self {
        let room = Room::open().await;
        let link = room.keep_link().await;
        let mut door = room.door().await;
        let channel = Channel::call(door.address(), plan).await;
        let visitor = visitor(&mut door).await;
        assert_eq!(channel.call_id(), channel.call_id());
        Self {
            room,
            channel,
            visitor: Some(visitor),
            door,
            _link: link,
        }
    }
}

/// Serves a line as a call's task does: what is heard goes back, frame by frame. Returns what else
/// comes from the caller.
pub(super) fn echo(line: Line) -> mpsc::UnboundedReceiver<FromCaller> {
    let Line {
        mut from_caller,
        mut to_caller,
        ..
    } = line;
    let (others_in, others) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            match from_caller.next().await {
                FromCaller::Audio(samples) => {
                    let mut frame = [0; FRAME];
                    let heard = samples.len().min(FRAME);
                    frame[..heard].copy_from_slice(&samples[..heard]);
                    to_caller.send(&frame);
                }
                other => {
                    let over = matches!(other, FromCaller::Gone | FromCaller::Taken);
                    let _ = others_in.send(other);
                    if over {
                        return to_caller.close().await;
                    }
                }
            }
        }
    });
    others
}

async fn next<T>(receiver: &mut mpsc::UnboundedReceiver<T>) -> T {
    timeout(LONG, receiver.recv()).await.unwrap().unwrap()
}

async fn all(mut events: mpsc::Receiver<CallEvent>) -> Vec<CallEvent> {
    let mut all = Vec::new();
    while let Some(event) = timeout(LONG, events.recv()).await.unwrap() {
        all.push(event);
    }
    all
}

#[tokio::test]
async fn a_call_is_set_up_in_the_order_in_which_freeswitch_needs_it() {
    let mut call = Call::begin(Plan::default()).await;
    let port = call.channel.hotline().await.port().to_string();
    let mut commands = Vec::new();
    for _ in 0..8 {
        commands.push(call.channel.command().await.replace(&port, "PORT"));
    }
    insta::assert_snapshot!(commands.join("\n\n"), @r"
    connect

    myevents plain

    event plain CUSTOM callcenter::info hotline::went_on

    divert_events on

    linger 5

    sendmsg
    call-command: unicast
    local-ip: 127.0.0.1
    local-port: 0
    remote-ip: 127.0.0.1
    remote-port: PORT
    transport: udp

    api sched_transfer +2 ID fallback XML hotline-fallback

    api uuid_setvar ID hotline_call ID
    ");
    let arrival = call
        .room
        .house
        .arrival(call.channel.call_id())
        .await
        .unwrap();
    assert_eq!(arrival.name.as_deref(), Some("Søren Ærø"));
    assert_eq!(arrival.caller.unwrap().e164(), "+4500000017");
    assert_eq!(arrival.did, "9001");
}

#[tokio::test]
async fn one_frame_goes_back_for_each_that_comes_and_none_is_empty() {
    let plan = Plan {
        talks: false,
        ..Plan::default()
    };
    let Call {
        channel, visitor, ..
    } = Call::begin(plan).await;
    let _others = echo(unicast::line(visitor.unwrap().media));
    // The first one, which says that there is audio, is not answered.
    for mark in 1..=40 {
        channel.send(mark).await;
        let answer = channel.hear(LONG).await.unwrap();
        assert_eq!(answer, frame(FRAME, mark), "frame {mark}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let one_more = channel.hear(Duration::from_millis(250)).await;
    assert_eq!(one_more, None, "a frame that nobody waited for");
}

#[tokio::test]
async fn frames_that_waited_while_we_were_late_never_bring_us_ahead() {
    let plan = Plan {
        talks: false,
        ..Plan::default()
    };
    let Call {
        channel, visitor, ..
    } = Call::begin(plan).await;
    for mark in 1..=5 {
        channel.send(mark).await;
    }
    let _others = echo(unicast::line(visitor.unwrap().media));
    let mut answers = 0;
    while channel.hear(Duration::from_millis(250)).await.is_some() {
        answers += 1;
    }
    assert!((1..=5).contains(&answers), "{answers} frames for 5");
}

#[tokio::test]
async fn a_wideband_call_is_heard_at_8_khz_and_answered_in_kind() {
    let plan = Plan {
        rate: 16_000,
        talks: false,
        ..Plan::default()
    };
    let Call {
        channel, visitor, ..
    } = Call::begin(plan).await;
    let Line {
        mut from_caller,
        mut to_caller,
        ..
    } = unicast::line(visitor.unwrap().media);
    let (mut heard, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        channel.send(4000).await;
        match timeout(LONG, from_caller.next()).await.unwrap() {
            FromCaller::Audio(samples) => heard.extend(samples),
            other => panic!("{other:?}"),
        }
        assert!(to_caller.send(&[-3000; FRAME]));
        let answer = channel.hear(LONG).await.unwrap();
        assert_eq!(answer.len(), 640);
        answers.extend(answer);
    }
    assert!(
        (38 * FRAME..=40 * FRAME).contains(&heard.len()),
        "{}",
        heard.len()
    );
    let steady = &heard[heard.len() - 5 * FRAME..];
    assert!(
        steady.iter().all(|sample| (3900..=4100).contains(sample)),
        "{steady:?}"
    );
    let samples: Vec<i16> = answers
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let steady = &samples[samples.len() - 5 * 320..];
    assert!(
        steady.iter().all(|sample| (-3100..=-2900).contains(sample)),
        "{steady:?}"
    );
}

#[tokio::test]
async fn keys_and_the_end_of_a_recorded_call_are_told_once() {
    let Call {
        room,
        channel,
        visitor,
        ..
    } = Call::begin(Plan::default()).await;
    let events = room.house.follow(channel.call_id());
    let mut others = echo(unicast::line(visitor.unwrap().media));
    channel.play("outbound-call", 5);
    let keys = ['1', '5', '#'].map(|key| CallEvent::Key(Key::new(key).unwrap()));
    let mut expected = keys.to_vec();
    expected.push(CallEvent::HungUp(HangupCause(16)));
    assert_eq!(all(events).await, expected);
    assert_eq!(next(&mut others).await, FromCaller::Gone);
}

#[tokio::test]
async fn a_call_that_we_hang_up_ends_in_order() {
    let Call {
        room,
        mut channel,
        visitor,
        ..
    } = Call::begin(Plan::default()).await;
    let events = room.house.follow(channel.call_id());
    let mut others = echo(unicast::line(visitor.unwrap().media));
    room.house.hang_up(channel.call_id()).await.unwrap();
    channel.until("sendmsg\ncall-command: hangup").await;
    channel.play("outbound-bot-hangs-up", 5);
    assert_eq!(all(events).await, [CallEvent::HungUp(HangupCause(16))]);
    assert_eq!(next(&mut others).await, FromCaller::Gone);
    let rest = channel.closed().await;
    let watchdog = |command: &String| command.starts_with("api sched_");
    assert!(rest.iter().all(watchdog), "{rest:?}");
}

fn to_support() -> Target {
    Target::Queue {
        queue: QueueName::from("support"),
        priority: 3,
    }
}

#[tokio::test]
async fn a_caller_is_in_the_queue_when_freeswitch_says_that_they_joined_it() {
    let Call {
        room,
        mut channel,
        visitor,
        ..
    } = Call::begin(Plan::default()).await;
    let mut events = room.house.follow(channel.call_id());
    let mut others = echo(unicast::line(visitor.unwrap().media));
    let (to, what) = (to_support(), handoff());
    let id = channel.call_id();
    let player = async {
        let mut set = Vec::new();
        loop {
            let command = channel.command().await;
            if let Some(variable) = command.strip_prefix("api uuid_setvar ID ") {
                set.push(variable.to_owned());
            }
            if command.starts_with("api uuid_transfer") {
                set.push(command);
                channel.play_until("outbound-transfer-queue", 8, "CHANNEL_HANGUP");
                return set;
            }
        }
    };
    let (moved, set) = tokio::join!(room.house.transfer(id, &to, &what), player);
    moved.unwrap();
    insta::assert_snapshot!(set[1..].join("\n"), @r"
    hotline_caller +4570101017
    hotline_reason skat‚ ”gæld”
    hotline_language da
    hotline_summary Borgeren ringer om skat.
    hotline_whisper /var/spool/hotline/whisper.wav
    hotline_tenant Åby Kommune
    hotline_reference
    hotline_priority 3
    cc_base_score 10800
    hotline_dial
    api uuid_transfer ID support@default XML hotline-queue
    ");
    // Our part is over: the connection is closed, and nothing more is asked of the switch.
    assert_eq!(next(&mut others).await, FromCaller::Taken);
    assert_eq!(channel.closed().await, Vec::<String>::new());
    let told = timeout(LONG, events.recv()).await.unwrap();
    assert_eq!(told, Some(CallEvent::Queued(QueueName::from("support"))));
}

/// Has a caller moved to an extension; the switch then tells something.
async fn moved_to_extension(name: &str, more: &str) -> Result<(), PbxError> {
    let Call {
        room,
        mut channel,
        visitor,
        ..
    } = Call::begin(Plan::default()).await;
    let _others = echo(unicast::line(visitor.unwrap().media));
    let (to, what) = (Target::Extension("200".to_owned()), handoff());
    let id = channel.call_id();
    let player = async {
        let transfer = channel.until("api uuid_transfer").await;
        assert_eq!(transfer, "api uuid_transfer ID 200 XML hotline-extension");
        channel.tell(name, more);
    };
    tokio::join!(room.house.transfer(id, &to, &what), player).0
}

#[tokio::test]
async fn an_extension_that_nobody_answers_is_refused_as_the_dialplan_says() {
    let went_on = "Event-Subclass: hotline::went_on\nplace: extension\nstatus: USER_NOT_REGISTERED";
    let error = moved_to_extension("CUSTOM", went_on).await.unwrap_err();
    insta::assert_snapshot!(error, @"the PBX refused the transfer: nobody answered (USER_NOT_REGISTERED); the dialplan goes on");
}

#[tokio::test]
async fn an_extension_that_answers_has_the_caller() {
    let other = "Other-Leg-Unique-ID: 7f0a8a3e-9f9a-4d64-8f1c-6b1a3c1d2e3f";
    moved_to_extension("CHANNEL_BRIDGE", other).await.unwrap();
}

#[tokio::test]
async fn a_caller_who_hangs_up_while_being_moved_is_gone() {
    let moved = moved_to_extension("CHANNEL_HANGUP", "Hangup-Cause: NORMAL_CLEARING").await;
    assert!(matches!(moved, Err(PbxError::NoSuchCall)), "{moved:?}");
}

#[tokio::test]
async fn a_number_outside_is_dialled_as_the_admin_has_written() {
    let Call {
        room,
        mut channel,
        visitor,
        ..
    } = Call::begin(Plan::default()).await;
    let _others = echo(unicast::line(visitor.unwrap().media));
    let (to, what) = (
        Target::External(PhoneNumber::parse("+4570101017").unwrap()),
        handoff(),
    );
    let id = channel.call_id();
    let player = async {
        let dial = channel.until("api uuid_setvar ID hotline_dial").await;
        let transfer = channel.until("api uuid_transfer").await;
        channel.tell("CHANNEL_BRIDGE", "");
        [dial, transfer]
    };
    let (moved, commands) = tokio::join!(room.house.transfer(id, &to, &what), player);
    moved.unwrap();
    insta::assert_snapshot!(commands.join("\n"), @r"
    api uuid_setvar ID hotline_dial sofia/gateway/trunk/+4570101017
    api uuid_transfer ID +4570101017 XML hotline-external
    ");
}

#[tokio::test]
async fn a_queue_that_freeswitch_lacks_never_costs_the_caller() {
    let Call {
        room,
        mut channel,
        visitor,
        ..
    } = Call::begin(Plan::default()).await;
    let _others = echo(unicast::line(visitor.unwrap().media));
    let to = Target::Queue {
        queue: QueueName::from("nosuch"),
        priority: 0,
    };
    let error = room
        .house
        .transfer(channel.call_id(), &to, &handoff())
        .await;
    insta::assert_snapshot!(error.unwrap_err(), @r#"the PBX refused the transfer: FreeSWITCH knows no queue "nosuch@default""#);
    let commands = channel.commands_within(Duration::from_millis(300)).await;
    let moved = commands
        .iter()
        .find(|command| command.contains("uuid_transfer"));
    assert_eq!(moved, None);
}

/// When the watchdog was set anew within so long.
async fn watchdogs(channel: &mut Channel, within: Duration) -> Vec<Instant> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while let Some(rest) = within.checked_sub(begun.elapsed()) {
        match timeout(rest, channel.timed_command()).await {
            Ok((at, command)) if command.starts_with("api sched_transfer +2 ID") => times.push(at),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    times
}

#[tokio::test]
async fn the_watchdog_is_held_off_while_the_call_is_attended_to_and_let_off_when_it_is_not() {
    let mut call = Call::begin(Plan::default()).await;
    let _others = echo(unicast::line(call.visitor.unwrap().media));
    let times = watchdogs(&mut call.channel, Duration::from_secs(3)).await;
    assert!((4..=9).contains(&times.len()), "{} in 3 s", times.len());
    let gaps = times.windows(2).map(|two| two[1] - two[0]);
    // FreeSWITCH fires after one second at the earliest.
    let longest = gaps.max().unwrap();
    assert!(longest < Duration::from_secs(1), "a gap of {longest:?}");

    let mut call = Call::begin(Plan::default()).await;
    // Nobody asks for audio, as when our process or the call's task hangs.
    watchdogs(&mut call.channel, Duration::from_millis(3500)).await;
    let more = watchdogs(&mut call.channel, Duration::from_millis(1500)).await;
    assert_eq!(more, Vec::<Instant>::new());
}

#[tokio::test]
async fn a_caller_whom_the_watchdog_took_is_known_to_be_taken_and_left_alone() {
    let Call {
        room,
        mut channel,
        visitor,
        ..
    } = Call::begin(Plan::default()).await;
    let mut events = room.house.follow(channel.call_id());
    let mut others = echo(unicast::line(visitor.unwrap().media));
    channel.play_until("outbound-watchdog", 9, "CHANNEL_HANGUP");
    assert_eq!(next(&mut others).await, FromCaller::Taken);
    let told = timeout(LONG, events.recv()).await.unwrap();
    assert_eq!(told, Some(CallEvent::Queued(QueueName::from("support"))));
    let after = channel.closed().await;
    assert!(
        !after.iter().any(|command| command.contains("hangup")),
        "{after:?}"
    );
}

#[tokio::test]
async fn a_call_whose_audio_stops_goes_to_the_dialplan() {
    let Call {
        mut channel,
        visitor,
        room: _room,
        ..
    } = Call::begin(Plan {
        talks: false,
        ..Plan::default()
    })
    .await;
    let mut others = echo(unicast::line(visitor.unwrap().media));
    assert_eq!(next(&mut others).await, FromCaller::Taken);
    channel.closed().await;
}

#[tokio::test]
async fn a_transfer_whose_answer_comes_too_late_leaves_the_caller_to_the_watchdog() {
    let plan = Plan {
        ignored: "api uuid_transfer",
        ..Plan::default()
    };
    let Call {
        room,
        mut channel,
        visitor,
        ..
    } = Call::begin(plan).await;
    let _others = echo(unicast::line(visitor.unwrap().media));
    let (to, what) = (to_support(), handoff());
    let moved = room.house.transfer(channel.call_id(), &to, &what).await;
    assert!(
        matches!(moved, Err(PbxError::Unanswered { .. })),
        "{moved:?}"
    );
    channel.until("api uuid_transfer").await;
    channel.say("Content-Type: api/response\nContent-Length: 4\n\n+OK\n".to_owned());
    // Were it set anew, it could take a caller out of the queue who has just come there.
    let more = watchdogs(&mut channel, Duration::from_millis(1500)).await;
    assert_eq!(more, Vec::<Instant>::new());
}
