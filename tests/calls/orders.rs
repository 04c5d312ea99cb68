//! What Hotline has a FreeSWITCH do, with no flow in between: callers moved to each kind of place, and
//! outgoing calls that go each way they can go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotline::dialog::{Handoff, Target};
use hotline::pbx::freeswitch::link::Times;
use hotline::pbx::freeswitch::unicast::Incoming;
use hotline::pbx::freeswitch::{Config, Door, FreeSwitch, Visitor};
use hotline::pbx::{CallEvent, Dial, DialOrder, Dialled, LinkState, Pbx as _, PbxError};
use hotline::words::{CallId, PhoneNumber, QueueName};
use street::pbx::{Pbx, Section, Site, Switch};
use street::phone::{Answering, Call, Phone};
use street::{port, tone};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::house::SOON;

/// A number of a citizen, and one that nobody has.
const CITIZEN: &str = "+4520304050";
const NOBODY: &str = "+4520304099";

/// A FreeSWITCH with one queue and one agent, and Hotline's room for it.
struct Stage {
    room: Arc<FreeSwitch>,
    door: Door,
    pbx: Pbx,
    agent: Phone,
    _password: TempDir,
    _stop: tokio_util::sync::DropGuard,
}

async fn stage(change: impl FnOnce(&mut Config)) -> Stage {
    let agent = Phone::new("anna").unwrap();
    let listen = port::free_tcp().unwrap();
    let site = Site::new()
        .agent("anna", agent.port())
        .queue("borgerservice", &["anna"])
        .fallback_queue("borgerservice")
        .number("70101010", "aabenby")
        .hotline(listen);
    let pbx = Pbx::start(Switch::FreeSwitch, site).await.unwrap();
    let Section::FreeSwitch { port, password } = pbx.section() else {
        panic!("no FreeSWITCH");
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, password).unwrap();
    let text = serde_json::json!({
        "port": port,
        "password_file": file,
        "listen": format!("127.0.0.1:{listen}"),
        "extension": format!("sofia/internal/sip:{{extension}}@127.0.0.1:{}", agent.port()),
    });
    let mut config: Config = serde_json::from_value(text).unwrap();
    change(&mut config);
    let stop = CancellationToken::new();
    let room = FreeSwitch::start(config, Times::default(), Default::default(), &stop);
    let mut link = room.link();
    let ready = link.wait_for(|state| *state == LinkState::Ready);
    tokio::time::timeout(SOON, ready).await.unwrap().unwrap();
    let door = Door::open(room.clone(), 10).await.unwrap();
    Stage {
        room,
        door,
        pbx,
        agent,
        _password: folder,
        _stop: stop.drop_guard(),
    }
}

impl Stage {
    /// Lets somebody call, and keeps the audio going as a call's task does.
    async fn visitor(&mut self, phone: &Phone) -> (CallId, Call) {
        let call = phone.dial(self.pbx.sip(), "70101010").unwrap();
        let visitor = tokio::time::timeout(SOON, self.door.next()).await.unwrap();
        let Visitor {
            call: id,
            mut media,
            place,
        } = visitor.unwrap();
        tokio::spawn(async move {
            let (mouth, _place) = (media.mouth(), place);
            while let Incoming::Audio(samples) = media.next().await {
                mouth.send(&samples);
            }
        });
        call.answered(SOON).await.unwrap();
        (id, call)
    }
}

fn handoff() -> Handoff {
    Handoff {
        caller: Some(PhoneNumber::parse(CITIZEN).unwrap()),
        reason: "pas, kørekort; ${system(touch /tmp/pwned)} \"x\"".to_owned(),
        summary: "Åbenby Kommune. Pas.".to_owned(),
        ..Handoff::default()
    }
}

/// Lets both hear each other.
async fn talk(one: &Call, other: &Call) {
    one.play(&tone::tone(500.0, 15.0, 0.5));
    other.play(&tone::tone(700.0, 15.0, 0.5));
    other.hear_tone(500.0, SOON).await.unwrap();
    one.hear_tone(700.0, SOON).await.unwrap();
}

pub(crate) async fn a_caller_is_moved_to_an_extension_whose_phone_is_told_why() {
    let mut stage = stage(|_| ()).await;
    let phone = Phone::new("20304050").unwrap();
    let (id, call) = stage.visitor(&phone).await;
    let target = Target::Extension("anna".to_owned());
    stage.room.transfer(id, &target, &handoff()).await.unwrap();
    let ringing = stage.agent.rings(SOON).await.unwrap();
    assert_eq!(ringing.header("X-Hotline-Caller").as_deref(), Some(CITIZEN));
    let reason = ringing.header("X-Hotline-Reason").unwrap();
    assert!(reason.starts_with("pas‚ kørekort"), "{reason}");
    assert!(!reason.contains(['$', '{', '"']), "{reason}");
    talk(&call, &ringing).await;
}

pub(crate) async fn a_caller_is_moved_to_a_number_outside_which_is_told_nothing() {
    let mut stage = stage(|_| ()).await;
    let outside = Phone::new("outside").unwrap();
    stage.pbx.route(CITIZEN, outside.port()).await.unwrap();
    let phone = Phone::new("20304051").unwrap();
    let (id, call) = stage.visitor(&phone).await;
    let target = Target::External(PhoneNumber::parse(CITIZEN).unwrap());
    stage.room.transfer(id, &target, &handoff()).await.unwrap();
    let ringing = outside.rings(SOON).await.unwrap();
    assert_eq!(ringing.header("X-Hotline-Reason"), None);
    talk(&call, &ringing).await;
}

pub(crate) async fn an_extension_that_is_busy_is_a_refusal_and_the_dialplan_has_the_caller() {
    let mut stage = stage(|_| ()).await;
    let phone = Phone::new("20304050").unwrap();
    let (id, call) = stage.visitor(&phone).await;
    stage.agent.set_answering(Answering::Refuse(486));
    let target = Target::Extension("anna".to_owned());
    let error = stage
        .room
        .transfer(id, &target, &handoff())
        .await
        .unwrap_err();
    assert!(matches!(error, PbxError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("USER_BUSY"), "{error}");
    stage.pbx.queue_joined("borgerservice", SOON).await.unwrap();
    assert!(call.is_up());
}

pub(crate) async fn a_queue_that_does_not_exist_leaves_the_caller_with_us() {
    let mut stage = stage(|_| ()).await;
    let phone = Phone::new("20304050").unwrap();
    let (id, call) = stage.visitor(&phone).await;
    let target = Target::Queue {
        queue: QueueName::from("nosuch"),
        priority: 0,
    };
    let error = stage
        .room
        .transfer(id, &target, &handoff())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the PBX refused the transfer: FreeSWITCH knows no queue \"nosuch@default\""
    );
    // The watchdog is still held off for a caller who is still with us.
    let mut events = stage.room.follow(id);
    let pressed = call.press_all("5");
    assert!(pressed.await.is_ok());
    let key = tokio::time::timeout(SOON, events.recv()).await.unwrap();
    assert!(matches!(key, Some(CallEvent::Key(key)) if key.character() == '5'));
}

pub(crate) async fn a_caller_whom_somebody_else_moves_is_left_where_they_are() {
    let mut stage = stage(|_| ()).await;
    let phone = Phone::new("20304050").unwrap();
    let (id, call) = stage.visitor(&phone).await;
    // As an operator's panel does: to a place that knows nothing of our watchdog.
    let port = stage.agent.port();
    for order in [
        format!("uuid_setvar {id} street_dial sofia/internal/sip:anna@127.0.0.1:{port}"),
        format!("uuid_transfer {id} elsewhere XML public"),
    ] {
        stage.room.switch().api(order).await.unwrap();
    }
    let ringing = stage.agent.rings(SOON).await.unwrap();
    talk(&call, &ringing).await;
    let torn_away = ringing.ended(Duration::from_secs(4)).await;
    assert!(torn_away.is_err(), "{torn_away:?}");
    assert!(call.is_up());
}

/// Dials and tells how it went.
async fn dial(
    stage: &Stage,
    order: DialOrder,
    number: &str,
    ring: u64,
) -> Result<Dialled, PbxError> {
    let dial = Dial {
        call: CallId(uuid::Uuid::new_v4()),
        number: PhoneNumber::parse(number).unwrap(),
        queue: QueueName::from("borgerservice"),
        order,
        caller_id: Some(PhoneNumber::parse("70101010").unwrap()),
        ring: Duration::from_secs(ring),
        purpose: "callback".to_owned(),
        handoff: handoff(),
    };
    let dialled = stage.room.dial(&dial).await;
    // An agent who was there still hears that the citizen was not.
    if order == DialOrder::CallerFirst {
        assert_eq!(
            stage.room.exists(dial.call).await.unwrap(),
            matches!(dialled, Ok(Dialled::Answered)),
            "{dialled:?}"
        );
    }
    dialled
}

pub(crate) async fn every_way_a_call_to_a_citizen_can_go_is_understood() {
    let mut stage = stage(|_| ()).await;
    let citizen = Phone::new("citizen").unwrap();
    stage.pbx.route(CITIZEN, citizen.port()).await.unwrap();
    let mut went = BTreeMap::new();
    for (what, answering, number) in [
        ("busy", Answering::Refuse(486), CITIZEN),
        ("does not answer", Answering::ByHand, CITIZEN),
        ("is not there", Answering::Refuse(480), CITIZEN),
        ("has no such number", Answering::Refuse(404), CITIZEN),
        ("nobody's number", Answering::ByHand, NOBODY),
        ("network trouble", Answering::Refuse(503), CITIZEN),
    ] {
        citizen.set_answering(answering);
        let dialled = dial(&stage, DialOrder::CallerFirst, number, 3)
            .await
            .unwrap();
        went.insert(what, dialled);
    }
    let expected = [
        ("busy", Dialled::Busy),
        ("does not answer", Dialled::NoAnswer),
        ("is not there", Dialled::NoAnswer),
        ("has no such number", Dialled::InvalidNumber),
        ("nobody's number", Dialled::InvalidNumber),
        ("network trouble", Dialled::Failed),
    ];
    assert_eq!(went, BTreeMap::from(expected));
    citizen.set_answering(Answering::After(Duration::ZERO));
    let answered = dial(&stage, DialOrder::CallerFirst, CITIZEN, 10).await;
    assert_eq!(answered.unwrap(), Dialled::Answered);
    let visitor = tokio::time::timeout(SOON, stage.door.next())
        .await
        .unwrap()
        .unwrap();
    let arrival = stage.room.arrival(visitor.call).await.unwrap();
    assert_eq!(arrival.purpose.as_deref(), Some("callback"));
    assert_eq!(arrival.caller.unwrap().e164(), CITIZEN);
}

pub(crate) async fn a_gateway_that_is_not_there_is_a_failure_of_the_network() {
    let stage = stage(|config| config.outbound = "sofia/gateway/nosuch/{number}".to_owned()).await;
    let dialled = dial(&stage, DialOrder::CallerFirst, CITIZEN, 3).await;
    assert_eq!(dialled.unwrap(), Dialled::Failed);
}

pub(crate) async fn agent_first_tells_an_agent_who_is_not_there_from_a_citizen_who_is_not() {
    let stage = stage(|_| ()).await;
    let citizen = Phone::new("citizen").unwrap();
    stage.pbx.route(CITIZEN, citizen.port()).await.unwrap();
    stage.agent.set_answering(Answering::Refuse(486));
    let refused = dial(&stage, DialOrder::AgentFirst, CITIZEN, 4).await;
    assert_eq!(refused.unwrap(), Dialled::NoAgent);
    assert_eq!(citizen.incoming().len(), 0, "no attempt was made");
    stage.agent.set_answering(Answering::After(Duration::ZERO));
    citizen.set_answering(Answering::Refuse(486));
    let busy = dial(&stage, DialOrder::AgentFirst, CITIZEN, 10).await;
    assert_eq!(busy.unwrap(), Dialled::Busy);
    // Until the agent has heard that nobody is there they are not free.
    let told = stage.agent.incoming().pop().unwrap();
    told.ended(SOON).await.unwrap();
    citizen.set_answering(Answering::After(Duration::ZERO));
    let answered = dial(&stage, DialOrder::AgentFirst, CITIZEN, 10).await;
    assert_eq!(answered.unwrap(), Dialled::Answered);
}
