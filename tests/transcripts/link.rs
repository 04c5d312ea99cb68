//! The link: login, outages, answers and news.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hotline::pbx::asterisk::link::{Link, News, Times};
use hotline::pbx::asterisk::wire::Action;
use hotline::pbx::{LinkState, PbxError};
use tokio::time::{Instant, timeout};

use crate::stage::{BANNER, LONG, Stage, event, login, times, until};

#[tokio::test]
async fn the_boot_event_is_seen_though_it_comes_with_the_answer_to_the_login() {
    let (link, mut stage) = Stage::link(times());
    let mut news = link.news();
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    until(&mut link.state(), |state| *state == LinkState::Ready).await;
    let mut order = Vec::new();
    while order.len() < 3 {
        match timeout(LONG, news.next()).await.unwrap().unwrap() {
            News::Event(block) => order.push(block.event().unwrap().to_owned()),
            News::Link(state) => order.push(format!("{state:?}")),
            News::Lost(_) => panic!(),
        }
    }
    assert_eq!(order, ["Up", "FullyBooted", "Ready"]);
}

#[tokio::test]
async fn an_asterisk_that_is_still_starting_is_up_but_not_ready() {
    let (link, mut stage) = Stage::link(times());
    let mut peer = stage.peer().await;
    peer.admit(false).await;
    until(&mut link.state(), |state| *state == LinkState::Up).await;
    peer.say("Event: FullyBooted\nStatus: Fully Booted\n\n")
        .await;
    until(&mut link.state(), |state| *state == LinkState::Ready).await;
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_not_tried_again_at_once() {
    let (link, mut stage) = Stage::link(times());
    let mut peer = stage.peer().await;
    peer.say(BANNER.trim_end()).await;
    peer.say("\n").await;
    let challenge = peer.action().await.unwrap();
    peer.answer(&challenge, "Success", "Challenge: 1\n").await;
    let login = peer.action().await.unwrap();
    peer.answer(&login, "Error", "Message: Authentication failed\n")
        .await;
    let refused =
        |state: &LinkState| matches!(state, LinkState::Down(why) if why.contains("refuses"));
    let LinkState::Down(why) = until(&mut link.state(), refused).await else {
        panic!()
    };
    insta::assert_snapshot!(why, @r#"Asterisk refuses the user "bot": Authentication failed; compare username and secret_file with manager.conf, and its permit lines with this machine's address"#);
    assert!(
        timeout(Duration::from_millis(300), stage.far.recv())
            .await
            .is_err()
    );
    assert_eq!(stage.attempts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn another_service_at_the_port_is_named() {
    let (link, mut stage) = Stage::link(times());
    let mut peer = stage.peer().await;
    peer.say("SSH-2.0-OpenSSH_9.2p1\n").await;
    let named =
        |state: &LinkState| matches!(state, LinkState::Down(why) if why.contains("SSH-2.0"));
    until(&mut link.state(), named).await;
}

#[tokio::test]
async fn actions_during_an_outage_fail_at_once_and_make_no_storm() {
    let (plug, stage) = Stage::plug(true);
    let link = Link::start(plug, login(), times(), stage.stop.clone());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(600) {
        let asked = Instant::now();
        let error = link.ask(Action::new("Ping")).await.unwrap_err();
        assert!(matches!(error, PbxError::NotConnected(_)), "{error}");
        assert!(asked.elapsed() < Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let attempts = stage.attempts.load(Ordering::SeqCst);
    assert!(
        (3..=14).contains(&attempts),
        "{attempts} attempts in 600 ms"
    );
}

#[tokio::test]
async fn what_was_sent_and_not_answered_is_of_unknown_outcome_and_its_late_answer_is_nobodys() {
    let (link, mut stage) = Stage::link(times());
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    until(&mut link.state(), |state| *state == LinkState::Ready).await;
    let asking = link.clone();
    let first = tokio::spawn(async move { asking.ask(Action::new("Hangup")).await });
    let hang_up = peer.action().await.unwrap();
    let error = first.await.unwrap().unwrap_err();
    insta::assert_snapshot!(error, @"the PBX did not answer Hangup within 300ms: outcome unknown");
    peer.answer(&hang_up, "Success", "Message: Channel Hungup\n")
        .await;
    let second = tokio::spawn(async move { link.ask(Action::new("CoreStatus")).await });
    let status = peer.action().await.unwrap();
    peer.answer(&status, "Success", "Message: mine\n").await;
    assert_eq!(second.await.unwrap().unwrap().get("Message"), Some("mine"));
}

#[tokio::test]
async fn answers_out_of_order_reach_those_who_asked() {
    let (link, mut stage) = Stage::link(times());
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    until(&mut link.state(), |state| *state == LinkState::Ready).await;
    let ask = |name: &'static str| {
        let link = link.clone();
        tokio::spawn(async move { link.ask(Action::new("Getvar").with("Variable", name)).await })
    };
    let (one, two) = (ask("ONE"), ask("TWO"));
    let (first, second) = (peer.action().await.unwrap(), peer.action().await.unwrap());
    for action in [second, first] {
        peer.say("Event: DTMFEnd\nDigit: 1\n\n").await;
        let value = format!("Value: {}\n", action.get("Variable").unwrap());
        peer.answer(&action, "Success", &value).await;
    }
    assert_eq!(one.await.unwrap().unwrap().get("Value"), Some("ONE"));
    assert_eq!(two.await.unwrap().unwrap().get("Value"), Some("TWO"));
}

#[tokio::test]
async fn a_list_without_its_end_is_a_failure_and_not_a_short_list() {
    let (link, mut stage) = Stage::link(times());
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    until(&mut link.state(), |state| *state == LinkState::Ready).await;
    let asking = tokio::spawn(async move { link.list(Action::new("QueueSummary")).await });
    let action = peer.action().await.unwrap();
    let id = action.get("ActionID").unwrap().to_owned();
    peer.answer(&action, "Success", "EventList: start\n").await;
    peer.say(&format!(
        "Event: QueueSummary\nQueue: a\nActionID: {id}\n\n"
    ))
    .await;
    assert!(matches!(
        asking.await.unwrap(),
        Err(PbxError::Unanswered { .. })
    ));
}

#[tokio::test]
async fn a_lost_connection_is_told_in_order_and_the_news_goes_on_over_the_next_one() {
    let (link, mut stage) = Stage::link(times());
    let mut news = link.news();
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    until(&mut link.state(), |state| *state == LinkState::Ready).await;
    let asking = link.clone();
    let in_flight = tokio::spawn(async move { asking.ask(Action::new("Redirect")).await });
    peer.action().await.unwrap();
    peer.say("Event: Shutdown\nShutdown: Cleanly\nRestart: True\n\n")
        .await;
    drop(peer);
    assert!(matches!(
        in_flight.await.unwrap(),
        Err(PbxError::Unanswered { .. })
    ));
    event(&mut news, "Shutdown").await;
    let down = timeout(LONG, news.next()).await.unwrap().unwrap();
    assert!(
        matches!(&down, News::Link(LinkState::Down(why)) if why == "Asterisk has shut down"),
        "{down:?}"
    );
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    event(&mut news, "FullyBooted").await;
    peer.say("Event: Newchannel\nChannel: PJSIP/1\n\n").await;
    assert_eq!(
        event(&mut news, "Newchannel").await.get("Channel"),
        Some("PJSIP/1")
    );
}

#[tokio::test]
async fn a_frozen_asterisk_is_noticed_by_its_silence() {
    let fast = Times {
        ping: Duration::from_millis(80),
        pong: Duration::from_millis(60),
        ..times()
    };
    let (link, mut stage) = Stage::link(fast);
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    until(&mut link.state(), |state| *state == LinkState::Ready).await;
    let silent =
        |state: &LinkState| matches!(state, LinkState::Down(why) if why.contains("silent"));
    until(&mut link.state(), silent).await;
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        // This one answers its pings.
        let _ = timeout(Duration::from_millis(50), peer.action()).await;
    }
    assert_eq!(*link.state().borrow(), LinkState::Ready);
}

#[tokio::test]
async fn a_slow_reader_is_told_how_much_it_lost_and_answers_are_not_held_up() {
    let (link, mut stage) = Stage::link(Times {
        action: LONG,
        ..times()
    });
    let mut news = link.news();
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    until(&mut link.state(), |state| *state == LinkState::Ready).await;
    for number in 0..6000 {
        peer.say(&format!("Event: VarSet\nNumber: {number}\n\n"))
            .await;
    }
    let asking = tokio::spawn(async move { link.ask(Action::new("Getvar")).await });
    let action = peer.action().await.unwrap();
    peer.answer(&action, "Success", "Value: 1\n").await;
    assert!(asking.await.unwrap().is_ok());
    let first = news.next().await.unwrap();
    let News::Lost(lost) = first else {
        panic!("{first:?}")
    };
    let News::Event(next) = news.next().await.unwrap() else {
        panic!()
    };
    // Up, FullyBooted and Ready came first.
    assert_eq!(next.number::<u64>("Number"), Some(lost - 3));
}

#[tokio::test]
async fn a_value_with_a_line_break_never_reaches_the_wire() {
    let (link, mut stage) = Stage::link(times());
    let mut peer = stage.peer().await;
    peer.admit(true).await;
    until(&mut link.state(), |state| *state == LinkState::Ready).await;
    let evil = Action::new("Setvar").with("Value", "x\r\nAction: Originate");
    let error = link.ask(evil).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot send Value: a line break");
}
