//! Each thing that a real switch would not have borne, or that no recording shows, is complained of.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use street::freeswitch::scripted::{Plan, Scripted};
use street::phone::Phone;

use crate::client::{Client, SOON, Stage};

/// Waits for a complaint, and asserts that it is the only one and holds a text.
async fn complains(scripted: &Scripted, text: &str) {
    let come = async {
        while scripted.complaints().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let _ = tokio::time::timeout(SOON, come).await;
    let complaints = scripted.take_complaints();
    assert_eq!(complaints.len(), 1, "{text}: {complaints:?}");
    assert!(complaints[0].contains(text), "{text}: {complaints:?}");
}

#[tokio::test]
async fn commands_that_no_client_should_say_are_complained_of_one_by_one() {
    let stage = Stage::set().await;
    let mut client = Client::login(&stage.scripted, "").await;
    for (command, complaint) in [
        ("bogus", "not known"),
        ("api", "no arguments"),
        ("api nosuchcommand", "no recording"),
        ("api uuid_exists", "lacks arguments"),
        ("api uuid_transfer", "lacks arguments"),
        ("api msleep 1", "holds back"),
        ("api originate sofia/gateway/nosuch/1 &park()", "use bgapi"),
        ("event plain", "asks for nothing"),
        ("event xml ALL", "format"),
        ("event plain CUSTOM callcenter::info HEARTBEAT", "subclass"),
        ("linger", "dialplan's socket"),
        ("connect", "dialplan's socket"),
        ("resume", "throws callers out"),
        (
            "myevents 00000000-0000-4000-8000-000000000000",
            "no channel",
        ),
        (
            "sendmsg 00000000-0000-4000-8000-000000000000\ncall-command: hangup",
            "no channel",
        ),
        ("api callcenter_config nonsense", "no recording"),
        (
            "api callcenter_config agent set status a1@default 'Nonsense'",
            "no status",
        ),
    ] {
        client.say(command).await;
        complains(&stage.scripted, complaint).await;
    }
}

#[tokio::test]
async fn variables_that_the_switch_would_expand_or_take_apart_are_complained_of() {
    let stage = Stage::set().await;
    let (_call, mut bot) = stage.bot().await;
    for value in [
        "${uuid}",
        "a{b",
        "a}b",
        "it's",
        "say \"no\"",
        "back\\slash",
        "a,b",
        "a\u{7}b",
    ] {
        bot.client
            .api(&format!("uuid_setvar {} hotline_caller {value}", bot.id))
            .await;
        complains(&stage.scripted, "expand").await;
    }
    bot.client
        .api(&format!(
            "uuid_setvar {} hotline_caller Søren Ærø (ukendt)",
            bot.id
        ))
        .await;
    let value = bot
        .client
        .api(&format!("uuid_getvar {} hotline_caller", bot.id))
        .await;
    assert_eq!(value, "Søren Ærø (ukendt)");
    bot.client
        .api(&format!("uuid_setvar {} socket_resume true", bot.id))
        .await;
    complains(&stage.scripted, "out of the queue").await;
}

#[tokio::test]
async fn transfers_to_places_that_are_not_there_are_complained_of() {
    let stage = Stage::set().await;
    let (_call, mut bot) = stage.bot().await;
    for (command, complaint) in [
        (
            format!("sched_transfer +60 {} 9200 XML nowhere", bot.id),
            "no context",
        ),
        (
            format!("sched_transfer +60 {} 9200", bot.id),
            "names no dialplan",
        ),
        (
            format!("uuid_transfer {} 9200 XML nowhere", bot.id),
            "no context",
        ),
    ] {
        bot.client.api(&command).await;
        complains(&stage.scripted, complaint).await;
    }
}

#[tokio::test]
async fn originates_with_what_nobody_knows_are_complained_of() {
    let stage = Stage::set().await;
    let mut client = Client::login(&stage.scripted, "BACKGROUND_JOB").await;
    for (order, complaint) in [
        (
            "{origination_uiud=1}sofia/gateway/nosuch/1 &park()",
            "origination_uiud",
        ),
        (
            "{hotline_caller=$x}sofia/gateway/nosuch/1 &park()",
            "expand",
        ),
        ("loopback/9000 &park()", "no dial string"),
    ] {
        client.say(&format!("bgapi originate {order}")).await;
        client.event("BACKGROUND_JOB").await;
        complains(&stage.scripted, complaint).await;
    }
}

#[tokio::test]
async fn a_bot_that_does_not_connect_first_is_complained_of() {
    let stage = Stage::set().await;
    let _call = stage.dial("9001");
    let mut client = stage.door.call().await;
    client.say("myevents plain").await;
    complains(&stage.scripted, "before connect").await;
}

#[tokio::test]
async fn a_second_unicast_in_one_park_is_complained_of_and_brings_nothing() {
    let stage = Stage::set().await;
    let (_call, mut bot) = stage.bot().await;
    bot.unicast().await;
    let again = bot.ask_unicast().await;
    assert_eq!(again.get("Reply-Text"), Some("+OK"));
    complains(&stage.scripted, "second unicast").await;
}

#[tokio::test]
async fn a_playback_is_complained_of_and_ends_the_datagrams() {
    let stage = Stage::set().await;
    let (_call, mut bot) = stage.bot().await;
    bot.unicast().await;
    let playback = "sendmsg\ncall-command: execute\nexecute-app-name: playback\n\
                    execute-app-arg: tone_stream://%(500,0,800)";
    bot.client.say(playback).await;
    complains(&stage.scripted, "playback").await;
    let more = async {
        loop {
            bot.hear().await;
        }
    };
    let silent = tokio::time::timeout(Duration::from_millis(300), more);
    assert!(silent.await.is_err());
    let (sent, _) = stage.scripted.datagrams("+4500000017").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(stage.scripted.datagrams("+4500000017").unwrap().0, sent);
}

#[tokio::test]
async fn datagrams_of_another_size_are_complained_of() {
    let stage = Stage::set().await;
    let (_call, mut bot) = stage.bot().await;
    bot.unicast().await;
    for size in [160, 321, 640] {
        bot.hear().await;
        bot.speak(&vec![0; size]).await;
        bot.hear().await;
        bot.hear().await;
        complains(&stage.scripted, &format!("{size} bytes")).await;
    }
}

#[tokio::test]
async fn an_empty_datagram_is_complained_of_and_closes_the_way_to_the_caller() {
    let stage = Stage::set().await;
    let (_call, mut bot) = stage.bot().await;
    bot.unicast().await;
    bot.speak(&[]).await;
    for _ in 0..3 {
        bot.hear().await;
        bot.speak(&[1; 320]).await;
    }
    complains(&stage.scripted, "empty datagram").await;
    assert_eq!(stage.scripted.datagrams("+4500000017").unwrap().1, 0);
}

#[tokio::test]
async fn a_bot_that_is_more_than_a_frame_ahead_is_complained_of_once() {
    let stage = Stage::set().await;
    let (_call, mut bot) = stage.bot().await;
    bot.unicast().await;
    for _ in 0..8 {
        bot.speak(&[0; 320]).await;
    }
    bot.hear().await;
    complains(&stage.scripted, "ahead").await;
}

#[tokio::test]
async fn a_message_to_a_call_that_is_long_gone_is_complained_of_but_not_at_once() {
    let stage = Stage::set().await;
    let (call, mut bot) = stage.bot().await;
    let mut link = Client::login(&stage.scripted, "").await;
    call.hang_up().unwrap();
    bot.client.event("CHANNEL_HANGUP_COMPLETE").await;
    let message = format!("sendmsg {}\ncall-command: hangup", bot.id);
    let said = link.say(&message).await;
    assert_eq!(
        said.get("Reply-Text"),
        Some(format!("-ERR invalid session id [{}]", bot.id).as_str())
    );
    stage.scripted.assert_content();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    link.say(&message).await;
    complains(&stage.scripted, "no channel").await;
}

#[tokio::test]
async fn a_dialplan_that_uses_what_is_not_known_is_complained_of() {
    let plan = Plan::bare().dialplan(
        r#"<include><context name="default"><extension name="all"><condition>
        <action application="answer"/>
        <action application="lua" data="x.lua"/>
        <action application="set" data="a=${lua(x)}"/>
        </condition></extension></context></include>"#,
    );
    let scripted = Scripted::start(plan).unwrap();
    let phone = Phone::new("1").unwrap();
    let call = phone.call(scripted.sip(), "9").await.unwrap();
    call.ended(SOON).await.unwrap();
    let complaints = scripted.take_complaints();
    assert_eq!(complaints.len(), 2, "{complaints:?}");
}

#[tokio::test]
async fn complaints_fail_the_test_when_the_switch_is_dropped() {
    let stage = Stage::set().await;
    let mut client = Client::login(&stage.scripted, "").await;
    client.say("bogus").await;
    let Stage { scripted, .. } = stage;
    let dropped = catch_unwind(AssertUnwindSafe(move || drop(scripted)));
    let message = dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("bogus"), "{message}");
}
