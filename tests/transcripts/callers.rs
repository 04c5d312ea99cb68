//! Callers: who they are, where they are moved, and how their calls end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hotline::dialog::{Handoff, QueueState, Target};
use hotline::pbx::asterisk::wire::Block;
use hotline::pbx::asterisk::{Announcement, Asterisk, Config};
use hotline::pbx::{CallEvent, HangupCause, Pbx, PbxError};
use hotline::words::{CallId, Language, PhoneNumber, QueueName};
use tokio::time::timeout;

use crate::recording::{blocks, read};
use crate::stage::{LONG, Peer, Stage, times};

const ID: &str = "7510866c-cab4-401c-890f-a4884f95954d";
const CHANNEL: &str = "PJSIP/trunk-00000002";

fn caller() -> CallId {
    CallId(ID.parse().unwrap())
}

fn announcement() -> String {
    format!(
        "Event: UserEvent\nChannel: {CHANNEL}\nUniqueid: 1795336331.2\nUserEvent: Hotline\n\
         uuid: {ID}\ndid: 80123456\ncaller: +4570101017\nname: Søren Ærø\nlang: en\n\n"
    )
}

fn of_channel(event: &str, more: &str) -> String {
    format!("Event: {event}\nChannel: {CHANNEL}\nUniqueid: 1795336331.2\n{more}\n")
}

/// Has a caller announced and known.
async fn admit_caller(asterisk: &Asterisk, peer: &mut Peer) {
    peer.say(&announcement()).await;
    asterisk.arrival(caller()).await.unwrap();
}

#[tokio::test]
async fn audio_that_comes_before_its_announcement_waits_for_it() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    let asking = Arc::clone(&asterisk);
    let arrival = tokio::spawn(async move { asking.arrival(caller()).await });
    tokio::task::yield_now().await;
    assert!(!arrival.is_finished());
    peer.say(&announcement()).await;
    let arrival = timeout(Duration::from_millis(500), arrival)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(arrival.did, "80123456");
    assert_eq!(arrival.caller, PhoneNumber::parse("+4570101017").ok());
    assert_eq!(arrival.name.as_deref(), Some("Søren Ærø"));
    assert_eq!(arrival.language.as_deref(), Some("en"));
    assert_eq!(arrival.channel, CHANNEL);
}

#[tokio::test]
async fn audio_without_any_announcement_is_found_among_the_channels() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    let asking = Arc::clone(&asterisk);
    let arrival = tokio::spawn(async move { asking.arrival(caller()).await });
    let status = timeout(LONG, peer.action()).await.unwrap().unwrap();
    assert_eq!(status.get("Action"), Some("Status"));
    let audio = format!(
        "Event: Status\nChannel: {CHANNEL}\nUniqueid: 1.1\nCallerIDNum: 70101017\n\
         CallerIDName: <unknown>\nDNID: 80123456\nLanguage: da\nApplication: AudioSocket\n\
         Data: {ID},127.0.0.1:8060\n"
    );
    peer.list(
        &status,
        &[
            "Event: Status\nChannel: PJSIP/other\nUniqueid: 1.0\n",
            &audio,
        ],
    )
    .await;
    let arrival = arrival.await.unwrap().unwrap();
    assert_eq!(
        (arrival.did.as_str(), arrival.channel.as_str()),
        ("80123456", CHANNEL)
    );
    assert_eq!(
        (arrival.name, arrival.language.as_deref()),
        (None, Some("da"))
    );
}

#[tokio::test]
async fn audio_that_nobody_knows_is_no_call() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    let asking = Arc::clone(&asterisk);
    let arrival = tokio::spawn(async move { asking.arrival(caller()).await });
    let status = timeout(LONG, peer.action()).await.unwrap().unwrap();
    peer.list(&status, &[]).await;
    assert!(matches!(arrival.await.unwrap(), Err(PbxError::NoSuchCall)));
}

#[tokio::test]
async fn a_call_announced_by_http_needs_no_link_to_be_known() {
    let (plug, stage) = Stage::plug(true);
    let config = serde_json::from_value(serde_json::json!({ "secret_file": "/nowhere" })).unwrap();
    let asterisk = Asterisk::start_over(plug, config, times(), &stage.stop);
    let call = asterisk.announce(&Announcement {
        did: "80123456".to_owned(),
        caller: "anonymous".to_owned(),
        channel: CHANNEL.to_owned(),
        ..Announcement::default()
    });
    let arrival = asterisk.arrival(call).await.unwrap();
    assert_eq!((arrival.did.as_str(), arrival.caller), ("80123456", None));
    let queue = Target::Queue {
        queue: QueueName::from("support"),
        priority: 0,
    };
    let error = asterisk
        .transfer(call, &queue, &Handoff::default())
        .await
        .unwrap_err();
    assert!(matches!(error, PbxError::NotConnected(_)), "{error}");
}

/// Plays Asterisk during a transfer: answers look-ups and Setvars, and at the Redirect says what
/// happens. Returns the variables that were set; nothing when no Redirect came.
async fn transferring(
    peer: &mut Peer,
    exists: &str,
    queues: &[&str],
    after: &str,
) -> Option<BTreeMap<String, String>> {
    let mut set = BTreeMap::new();
    while let Ok(Some(action)) = timeout(Duration::from_millis(400), peer.action()).await {
        let value = |key: &str| action.get(key).unwrap_or_default().to_owned();
        match value("Action").as_str() {
            "Getvar" if value("Variable").starts_with("DIALPLAN_EXISTS(") => {
                peer.answer(&action, "Success", &format!("Value: {exists}\n"))
                    .await;
            }
            "Getvar" => peer.answer(&action, "Success", "Value: \n").await,
            "QueueSummary" => peer.list(&action, queues).await,
            "Setvar" => {
                assert_eq!(value("Channel"), CHANNEL);
                set.insert(value("Variable"), value("Value"));
                peer.answer(&action, "Success", "Message: Variable Set\n")
                    .await;
            }
            "Redirect" => {
                assert_eq!(
                    (value("Channel").as_str(), value("Priority").as_str()),
                    (CHANNEL, "1")
                );
                set.insert(
                    "Redirect".to_owned(),
                    format!("{},{}", value("Context"), value("Exten")),
                );
                peer.answer(&action, "Success", "Message: Redirect successful\n")
                    .await;
                peer.say(after).await;
                return Some(set);
            }
            other => panic!("unexpected {other}"),
        }
    }
    None
}

const SUPPORT: &str = "Event: QueueSummary\nQueue: support\n";

fn to_support() -> Target {
    Target::Queue {
        queue: QueueName::from("support"),
        priority: 3,
    }
}

pub(crate) fn handoff() -> Handoff {
    Handoff {
        agents: None,
        caller: PhoneNumber::parse("+4570101017").ok(),
        language: Some(Language::DA),
        reason: "skat,\r\n\"gæld\"".to_owned(),
        summary: "Borgeren ringer om skat.".to_owned(),
        tenant: "Åby Kommune".to_owned(),
        reference: None,
        whisper: Some("/var/spool/hotline/whisper.wav".to_owned()),
    }
}

#[tokio::test]
async fn a_caller_is_in_the_queue_when_asterisk_says_that_they_joined_it() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    admit_caller(&asterisk, &mut peer).await;
    let mut events = asterisk.follow(caller());
    let other = "Event: QueueCallerJoin\nChannel: PJSIP/trunk-9\nUniqueid: 9.9\nQueue: support\n\n";
    let after = format!(
        "{other}{}",
        of_channel("QueueCallerJoin", "Queue: support\n")
    );
    let (to, what) = (to_support(), handoff());
    let (moved, set) = tokio::join!(
        asterisk.transfer(caller(), &to, &what),
        transferring(&mut peer, "1", &[SUPPORT], &after)
    );
    moved.unwrap();
    let set: Vec<String> = set
        .unwrap()
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    insta::assert_snapshot!(set.join("\n"), @r#"
    HOTLINE_CALLER=+4570101017
    HOTLINE_LANGUAGE=da
    HOTLINE_PRIORITY=3
    HOTLINE_REASON=skat, "gæld"
    HOTLINE_REFERENCE=
    HOTLINE_SUMMARY=Borgeren ringer om skat.
    HOTLINE_TENANT=Åby Kommune
    HOTLINE_WHISPER=/var/spool/hotline/whisper.wav
    QUEUE_PRIO=3
    Redirect=hotline-queue,support
    "#);
    let connect = of_channel("AgentConnect", "Queue: support\n");
    peer.say(&(connect + &of_channel("Hangup", "Cause: 16\n")))
        .await;
    let mut told = Vec::new();
    while let Some(event) = timeout(LONG, events.recv()).await.unwrap() {
        told.push(event);
    }
    let queue = QueueName::from("support");
    let gone = CallEvent::HungUp(HangupCause(16));
    assert_eq!(
        told,
        [CallEvent::Queued(queue), CallEvent::AgentAnswered, gone]
    );
}

#[tokio::test]
async fn a_place_that_the_dialplan_lacks_never_costs_the_caller() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    admit_caller(&asterisk, &mut peer).await;
    let (to, what) = (Target::Extension("200".to_owned()), handoff());
    let (moved, redirected) = tokio::join!(
        asterisk.transfer(caller(), &to, &what),
        transferring(&mut peer, "0", &[], "")
    );
    insta::assert_snapshot!(moved.unwrap_err(), @r#"the PBX refused the transfer: the dialplan has no place for extension "200" in context "hotline-extension": include dialplans/hotline.conf or name your own context"#);
    assert_eq!(redirected, None, "a Redirect was sent");
}

#[tokio::test]
async fn a_number_that_has_no_place_is_not_shown_in_the_error() {
    let number = PhoneNumber::parse("+4570101017").unwrap();
    for to in [
        Target::External(number),
        Target::Extension("70101017".to_owned()),
    ] {
        let (asterisk, mut stage, _folder) = Stage::asterisk();
        let mut peer = stage.ready(&asterisk).await;
        admit_caller(&asterisk, &mut peer).await;
        let what = handoff();
        let (moved, _) = tokio::join!(
            asterisk.transfer(caller(), &to, &what),
            transferring(&mut peer, "0", &[], "")
        );
        let error = moved.unwrap_err().to_string();
        assert!(error.contains("no place for the number in"), "{error}");
        assert!(!error.contains("70101017"), "{error}");
    }
}

#[tokio::test]
async fn an_extension_that_nobody_answers_is_refused_as_the_dialplan_says() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    admit_caller(&asterisk, &mut peer).await;
    let (to, what) = (Target::Extension("200".to_owned()), handoff());
    let left = "UserEvent: HotlineDialLeft\nto: 200\nstatus: CHANUNAVAIL\ncause: 20\n";
    let after = of_channel("UserEvent", left);
    let (moved, _) = tokio::join!(
        asterisk.transfer(caller(), &to, &what),
        transferring(&mut peer, "1", &[], &after)
    );
    insta::assert_snapshot!(moved.unwrap_err(), @"the PBX refused the transfer: nobody answered (CHANUNAVAIL); the dialplan goes on");
}

#[tokio::test]
async fn a_queue_that_asterisk_lacks_never_costs_the_caller() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    admit_caller(&asterisk, &mut peer).await;
    let (to, what) = (to_support(), handoff());
    let (moved, redirected) = tokio::join!(
        asterisk.transfer(caller(), &to, &what),
        transferring(&mut peer, "1", &[], "")
    );
    insta::assert_snapshot!(moved.unwrap_err(), @r#"the PBX refused the transfer: Asterisk knows no queue "support""#);
    assert_eq!(redirected, None, "a Redirect was sent");
}

#[tokio::test]
async fn a_successful_redirect_after_which_the_caller_is_gone_is_no_success() {
    // The recorded ending of redirect-bad-target, for our channel.
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    admit_caller(&asterisk, &mut peer).await;
    let after =
        of_channel("SoftHangupRequest", "Cause: 16\n") + &of_channel("Hangup", "Cause: 0\n");
    let (to, what) = (to_support(), handoff());
    let (moved, _) = tokio::join!(
        asterisk.transfer(caller(), &to, &what),
        transferring(&mut peer, "1", &[SUPPORT], &after)
    );
    assert!(matches!(moved, Err(PbxError::NoSuchCall)), "{moved:?}");
}

#[tokio::test]
async fn a_redirect_after_which_nothing_is_seen_is_of_unknown_outcome() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    admit_caller(&asterisk, &mut peer).await;
    let (to, what) = (to_support(), handoff());
    let (moved, _) = tokio::join!(
        asterisk.transfer(caller(), &to, &what),
        transferring(&mut peer, "1", &[SUPPORT], "")
    );
    assert!(
        matches!(moved, Err(PbxError::Unanswered { .. })),
        "{moved:?}"
    );
}

#[tokio::test]
async fn a_call_is_marked_as_ended_before_it_is_hung_up() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    admit_caller(&asterisk, &mut peer).await;
    let ending = Arc::clone(&asterisk);
    let ended = tokio::spawn(async move { ending.hang_up(caller()).await });
    let mark = peer.action().await.unwrap();
    assert_eq!(
        (mark.get("Variable"), mark.get("Value")),
        (Some("HOTLINE_ENDED"), Some("1"))
    );
    peer.answer(&mark, "Success", "Message: Variable Set\n")
        .await;
    let hang_up = peer.action().await.unwrap();
    assert_eq!(
        (hang_up.get("Action"), hang_up.get("Cause")),
        (Some("Hangup"), Some("16"))
    );
    peer.answer(&hang_up, "Error", "Message: No such channel\n")
        .await;
    assert!(matches!(ended.await.unwrap(), Err(PbxError::NoSuchCall)));
}

#[tokio::test]
async fn a_caller_who_left_during_an_outage_is_told_as_gone_after_it() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    admit_caller(&asterisk, &mut peer).await;
    let mut events = asterisk.follow(caller());
    drop(peer);
    let _peer = stage.ready(&asterisk).await;
    let told = timeout(LONG, events.recv()).await.unwrap();
    assert_eq!(told, Some(CallEvent::HungUp(HangupCause(0))));
    assert_eq!(events.recv().await, None);
}

#[tokio::test]
async fn queues_are_read_from_their_recorded_summary() {
    let (asterisk, mut stage, _folder) = Stage::asterisk();
    let mut peer = stage.ready(&asterisk).await;
    let recorded = blocks(&read("queue-status.ami.in"));
    // The 12th action of that session: an agent is paused and two callers wait.
    let asking = Arc::clone(&asterisk);
    let queues = tokio::spawn(async move { asking.queues().await });
    let action = peer.action().await.unwrap();
    let of_list =
        |block: &&Block| block.get("ActionID") == Some("a12") && block.is_event("QueueSummary");
    let item = |block: &Block| {
        let headers = block.0.iter().filter(|(key, _)| key != "ActionID");
        headers
            .map(|(key, value)| format!("{key}: {value}\n"))
            .collect::<String>()
    };
    let items: Vec<String> = recorded.iter().filter(of_list).map(item).collect();
    assert_eq!(items.len(), 2);
    peer.list(
        &action,
        &items.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    let queues = queues.await.unwrap().unwrap();
    let support = queues[&QueueName::from("support")];
    let expected = QueueState {
        waiting: 2,
        agents: 1,
        ..QueueState::default()
    };
    assert_eq!(
        QueueState {
            longest_wait: 0,
            ..support
        },
        expected
    );
    assert_eq!(queues[&QueueName::from("empty")], QueueState::default());
}

#[test]
fn a_misspelt_setting_is_named_and_the_secret_is_nowhere() {
    let error = serde_json::from_str::<Config>(r#"{ "secret": "x" }"#).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("unknown field `secret`, expected one of"),
        "{error}"
    );
    let config: Config = serde_json::from_str(r#"{ "secret_file": "/etc/hotline/ami" }"#).unwrap();
    assert_eq!(
        (config.host.as_str(), config.port, config.username.as_str()),
        ("127.0.0.1", 5038, "hotline")
    );
}
