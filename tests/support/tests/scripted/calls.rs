//! Calls that are given to a bot: what it is told, audio both ways, and every way a call can end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use street::freeswitch::scripted::recorded;
use street::freeswitch::scripted::{Event, HOLD_TONE};
use street::phone::Happening;
use street::tone;

use crate::client::{Bot, Client, SOON, Stage};

/// Plays 700 Hz to the caller, one frame for each that comes, for as long as the closure wants.
async fn talk(bot: &mut Bot, mut goes_on: impl FnMut() -> bool) {
    let samples = tone::tone(700.0, 30.0, 0.5);
    for frame in samples.chunks_exact(tone::FRAME) {
        if !goes_on() {
            return;
        }
        bot.hear().await;
        let bytes: Vec<u8> = frame
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        bot.speak(&bytes).await;
    }
}

fn samples(datagram: &[u8]) -> Vec<i16> {
    let pairs = datagram.chunks_exact(2);
    pairs
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

#[tokio::test]
async fn the_answer_to_connect_has_the_headers_that_were_recorded() {
    let stage = Stage::set().await;
    let _call = stage.dial("9001");
    let mut client = stage.door.call().await;
    let said = client.say("connect").await;
    let session = recorded::session("outbound-call");
    let recorded = session.first().unwrap();
    let names = |head: &str, variables: bool| -> Vec<String> {
        let lines = head
            .lines()
            .map(|line| line.split(": ").next().unwrap().to_owned());
        lines
            .filter(|name| name.starts_with("variable_") == variables)
            .collect()
    };
    assert_eq!(names(&said.head, false), names(&recorded.head, false));
    let ours: BTreeSet<_> = names(&said.head, true).into_iter().collect();
    let theirs: BTreeSet<_> = names(&recorded.head, true).into_iter().collect();
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let surplus: Vec<_> = ours.difference(&theirs).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing {missing:?}, surplus {surplus:?}"
    );
    for name in [
        "Caller-Caller-ID-Name",
        "Caller-Caller-ID-Number",
        "Caller-Destination-Number",
        "Channel-Name",
        "Call-Direction",
        "Answer-State",
        "Channel-State",
        "variable_read_rate",
        "variable_sip_from_uri",
        "variable_hangup_after_bridge",
        "variable_current_application",
        "variable_socket_host",
        "Reply-Text",
        "Socket-Mode",
        "Control",
    ] {
        assert_eq!(said.get(name), recorded.get(name), "{name}");
    }
    assert!(said.get("Content-Length").is_none());
}

/// What a message of a session is, without what differs from call to call.
fn kind(event: &Event) -> String {
    let state = event.get("Channel-State").unwrap_or_default();
    let action = event.get("CC-Action").or(event.get("Application"));
    format!("{} {state} {}", event.name(), action.unwrap_or_default())
}

#[tokio::test]
async fn a_call_that_the_caller_ends_is_told_in_the_recorded_order_with_the_recorded_headers() {
    let stage = Stage::set().await;
    let (call, mut bot) = stage.bot().await;
    bot.unicast().await;
    call.press_all("15#").await.unwrap();
    for digit in ["1", "5", "#"] {
        assert_eq!(
            bot.client.event("DTMF").await.get("DTMF-Digit"),
            Some(digit)
        );
    }
    let rate = bot
        .client
        .api(&format!("uuid_getvar {} read_rate", bot.id))
        .await;
    assert_eq!(rate, "8000");
    call.hang_up().unwrap();
    let recorded: Vec<Event> = recorded::events("outbound-call")
        .into_iter()
        .skip(3)
        .collect();
    for expected in &recorded {
        let told = bot.client.next_event().await;
        assert_eq!(kind(&told), kind(expected));
        let names = |event: &Event| -> Vec<String> {
            let names = event.headers().iter().map(|(name, _)| name.clone());
            names
                .filter(|name| !name.starts_with("variable_"))
                .collect()
        };
        assert_eq!(names(&told), names(expected), "{}", kind(expected));
        assert_eq!(told.get("Hangup-Cause"), Some("NORMAL_CLEARING"));
        assert_eq!(told.get("Unique-ID"), Some(bot.id.as_str()));
        let disposition = "variable_sip_hangup_disposition";
        assert_eq!(
            told.get(disposition),
            expected.get(disposition),
            "{}",
            kind(expected)
        );
    }
    let complete = recorded.last().unwrap();
    assert_eq!(complete.name(), "CHANNEL_HANGUP_COMPLETE");
    let notice = bot.client.message().await.unwrap();
    assert_eq!(notice.get("Content-Disposition"), Some("linger"));
    assert_eq!(notice.get("Content-Length"), Some("0"));
    let began = Instant::now();
    let last = bot.client.message().await.unwrap();
    assert_eq!(last.get("Content-Disposition"), Some("disconnect"));
    assert!(
        began.elapsed() > Duration::from_millis(900),
        "it lingers for a second"
    );
    assert!(bot.client.message().await.is_none());
    assert_eq!(stage.scripted.channels().unwrap(), 0);
}

#[tokio::test]
async fn the_end_of_a_call_has_every_variable_that_was_recorded() {
    let stage = Stage::set().await;
    let mut client = Client::login(&stage.scripted, "CHANNEL_HANGUP_COMPLETE").await;
    let (call, bot) = stage.bot().await;
    call.press_all("1").await.unwrap();
    call.hang_up().unwrap();
    let told = client.event("CHANNEL_HANGUP_COMPLETE").await;
    let recorded = recorded::events("outbound-call");
    for (name, _) in recorded.last().unwrap().headers() {
        assert!(told.get(name).is_some(), "{name}");
    }
    assert_eq!(told.get("variable_digits_dialed"), Some("1"));
    assert_eq!(told.get("Unique-ID"), Some(bot.id.as_str()));
}

#[tokio::test]
async fn the_bot_hears_the_caller_and_the_caller_the_bot() {
    let stage = Stage::set().await;
    let (call, mut bot) = stage.bot().await;
    call.answered(SOON).await.unwrap();
    call.play(&tone::tone(500.0, 20.0, 0.5));
    bot.unicast().await;
    let mut heard = Vec::new();
    while heard.len() < 8000 {
        let datagram = bot.hear().await;
        assert_eq!(datagram.len(), 320);
        heard.extend(samples(&datagram));
    }
    assert!(tone::contains(&heard, 500.0));
    let hears = call.hear_tone(700.0, SOON);
    tokio::pin!(hears);
    tokio::select! {
        heard = &mut hears => { heard.unwrap(); }
        () = talk(&mut bot, || true) => panic!("the caller did not hear the bot"),
    }
}

#[tokio::test]
async fn while_the_callers_phone_is_silent_the_bot_gets_filled_frames_at_the_same_pace() {
    let stage = Stage::set().await;
    let (call, mut bot) = stage.bot().await;
    call.answered(SOON).await.unwrap();
    bot.unicast().await;
    call.mute(true);
    while bot.hear().await.iter().any(|&byte| byte != 0xff) {}
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(bot.hear().await, vec![0xff; 320]);
    }
    let second = began.elapsed();
    assert!((900..1200).contains(&second.as_millis()), "{second:?}");
}

#[tokio::test]
async fn a_bot_that_hangs_up_ends_the_call_at_the_phone() {
    let stage = Stage::set().await;
    let (call, mut bot) = stage.bot().await;
    let reply = bot
        .client
        .say("sendmsg\ncall-command: hangup\nhangup-cause: NORMAL_CLEARING")
        .await;
    assert_eq!(reply.get("Reply-Text"), Some("+OK"));
    assert_eq!(call.ended(SOON).await.unwrap(), Happening::OtherHungUp);
    let told = bot.client.event("CHANNEL_HANGUP_COMPLETE").await;
    assert_eq!(
        told.get("variable_sip_hangup_disposition"),
        Some("send_bye")
    );
}

#[tokio::test]
async fn a_bot_whose_connection_closes_leaves_the_caller_to_the_dialplan() {
    let stage = Stage::set().await;
    let (call, bot) = stage.bot().await;
    drop(bot);
    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    assert!(call.is_up());
    stage.scripted.queue_joined("support", SOON).await.unwrap();
    assert_eq!(
        stage.scripted.log(),
        ["NOTICE the bot is gone, on to the queue"]
    );
}

#[tokio::test]
async fn without_a_bot_the_dialplan_goes_on_at_once() {
    let mut stage = Stage::set().await;
    let port = stage.door.port();
    stage.door = crate::client::Door::open().await;
    assert_ne!(stage.door.port(), port);
    let call = stage.dial("9001");
    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
}

#[tokio::test]
async fn a_transfer_to_the_queue_goes_as_recorded_and_the_connection_stays() {
    let stage = Stage::set().await;
    let (call, mut bot) = stage.bot().await;
    bot.unicast().await;
    let set = bot
        .client
        .api(&format!("uuid_setvar {} hotline_wish tax", bot.id))
        .await;
    assert_eq!(set, "+OK\n");
    let moved = bot
        .client
        .api(&format!("uuid_transfer {} 9200 XML default", bot.id))
        .await;
    assert_eq!(moved, "+OK\n");
    let mut told = Vec::new();
    let mut next = async |until: &str| loop {
        let event = bot.client.next_event().await;
        told.push(kind(&event));
        if event.get("CC-Action") == Some(until) || event.name() == until {
            return event;
        }
    };
    let queued = next("member-queue-start").await;
    assert_eq!(queued.get("CC-Member-CID-Name"), Some("Søren Ærø"));
    assert_eq!(queued.get("variable_hotline_wish"), Some("tax"));
    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    let agent = stage.agent.rings(SOON).await.unwrap();
    assert_eq!(agent.caller_number(), "+4500000017");
    agent.answer().unwrap();
    next("CHANNEL_BRIDGE").await;
    call.play(&tone::tone(500.0, 5.0, 0.5));
    agent.play(&tone::tone(700.0, 5.0, 0.5));
    agent.hear_tone(500.0, SOON).await.unwrap();
    call.hear_tone(700.0, SOON).await.unwrap();
    call.hang_up().unwrap();
    assert_eq!(agent.ended(SOON).await.unwrap(), Happening::OtherHungUp);
    next("member-queue-end").await;
    let recorded: Vec<String> = recorded::events("outbound-transfer-queue")
        .iter()
        .map(kind)
        // The first action after `socket` is run now and then only.
        .filter(|kind| !kind.ends_with(" log"))
        .collect();
    assert_eq!(told, recorded);
}

#[tokio::test]
async fn a_watchdog_that_is_not_put_off_moves_the_caller_within_its_time() {
    let stage = Stage::set().await;
    let (call, mut bot) = stage.bot().await;
    bot.unicast().await;
    let order = format!("sched_transfer +2 {} 9200 XML default", bot.id);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!(bot.client.api(&order).await, "+OK\n");
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(
            bot.client.api(&format!("sched_del {}", bot.id)).await,
            "+OK Deleted: 1\n"
        );
    }
    assert_eq!(
        bot.client.api(&format!("sched_del {}", bot.id)).await,
        "+OK Deleted: 0\n"
    );
    assert_eq!(bot.client.api(&order).await, "+OK\n");
    let armed = Instant::now();
    bot.client.event("CHANNEL_UNPARK").await;
    let after = armed.elapsed();
    assert!((950..2600).contains(&after.as_millis()), "{after:?}");
    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
}

#[tokio::test]
async fn a_slow_command_holds_back_what_its_connection_is_told() {
    let stage = Stage::set().await;
    let (call, mut bot) = stage.bot().await;
    call.answered(SOON).await.unwrap();
    bot.client.write("api msleep 700\n\napi strepoch\n\n").await;
    call.press_all("1").await.unwrap();
    let answers = [
        bot.client.message().await.unwrap(),
        bot.client.message().await.unwrap(),
    ];
    assert!(
        answers
            .iter()
            .all(|answer| answer.get("Content-Type") == Some("api/response"))
    );
    assert_eq!(bot.client.next_event().await.name(), "DTMF");
    assert_eq!(stage.scripted.take_complaints().len(), 1);
}
