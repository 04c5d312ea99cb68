//! Callers reach the right department: by voice in two languages, and by keys.

use std::time::Duration;

use street::pbx::{HOLD_TONE, Switch};
use street::phone::{Answering, Call, Caller, Phone};
use street::{caller, tone};

use crate::house::{House, OPEN, SOON, Told, open, open_with};

/// Lets caller and agent hear each other.
async fn talk(caller: &Call, agent: &Call) {
    caller.play(&tone::tone(500.0, 15.0, 0.5));
    agent.play(&tone::tone(700.0, 15.0, 0.5));
    agent.hear_tone(500.0, SOON).await.unwrap();
    caller.hear_tone(700.0, SOON).await.unwrap();
}

/// Lets the caller and the agent who was told of them hear each other, where agents have phones.
async fn reached(caller: &Call, told: &Told) {
    if let Some(agent) = &told.phone {
        talk(caller, agent).await;
    }
}

async fn wish(house: &House, words: &[i16]) -> (Phone, Call) {
    let phone = Phone::new("20304050").unwrap();
    let mark = house.hotline.journal().mark();
    let name = Caller::new().name("Søren Ærø");
    let call = phone.dial_as(house.pbx.sip(), OPEN, &name).unwrap();
    call.answered(SOON).await.unwrap();
    house
        .hotline
        .state_reached(mark, "wish", SOON)
        .await
        .unwrap();
    call.say(words).await.unwrap();
    (phone, call)
}

pub(crate) async fn a_spoken_danish_wish_reaches_the_right_agent_and_both_hear_each_other(
    switch: Switch,
) {
    let house = open(switch).await;
    let words = caller::danish("jeg vil gerne tale med borgerservice").unwrap();
    let (_phone, call) = wish(&house, &words).await;
    let told = house.agent_is_told().await;
    let caller = told.caller.as_deref();
    assert!(caller.is_none_or(|it| it == "+4520304050"), "{told:?}");
    assert_eq!(told.language, "da");
    assert!(told.reason.contains("borgerservice"), "{told:?}");
    assert!(told.summary.contains("Åbenby Kommune"), "{told:?}");
    reached(&call, &told).await;
}

pub(crate) async fn a_spoken_english_wish_reaches_the_right_agent_who_is_told_the_language(
    switch: Switch,
) {
    let house = open(switch).await;
    let words = caller::english("i would like to speak with the job centre").unwrap();
    let mark = house.hotline.journal().mark();
    let (_phone, call) = wish(&house, &words).await;
    let told = house.agent_is_told().await;
    assert_eq!(told.language, "en");
    let said = house
        .line(mark, |line| line["command"]["say"]["language"] == "en")
        .await;
    let text = said["command"]["say"]["text"].as_str().unwrap();
    assert!(text.contains("the job centre"), "{text}");
    reached(&call, &told).await;
}

pub(crate) async fn keys_alone_reach_the_right_agent_when_nothing_can_be_heard(switch: Switch) {
    let house = open_with(switch, |site, mut settings| {
        settings.hears = false;
        (site, settings)
    })
    .await;
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    call.press_all("2").await.unwrap();
    let told = house.agent_is_told().await;
    assert!(told.reason.contains("jobcenteret"), "{told:?}");
    reached(&call, &told).await;
}

pub(crate) async fn the_agent_alone_hears_the_whisper_before_the_caller_is_connected(
    switch: Switch,
) {
    let house = open(switch).await;
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    call.press_all("1").await.unwrap();
    let ringing = house.agent.rings(SOON).await.unwrap();
    let began = ringing.hear_sound(SOON).await.unwrap();
    // Speech is no pure tone: neither the hold tone nor what the other side plays.
    let whisper = ringing.heard().since(began);
    assert!(!whisper.has_tone(HOLD_TONE));
    talk(&call, &ringing).await;
}

pub(crate) async fn a_call_announced_by_http_needs_no_event(switch: Switch) {
    let house = open_with(switch, |site, settings| (site.announcing(), settings)).await;
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    call.press_all("1").await.unwrap();
    let ringing = house.agent.rings(SOON).await.unwrap();
    assert_eq!(
        ringing.header("X-Hotline-Caller").as_deref(),
        Some("+4520304050")
    );
}

pub(crate) async fn a_caller_in_a_queue_can_be_sent_back_to_the_bot_and_on_to_another_queue(
    switch: Switch,
) {
    let house = open(switch).await;
    house.agent.set_answering(Answering::Refuse(486));
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    call.press_all("1").await.unwrap();
    house.in_queue(&call).await;
    let rung = house.agent.incoming().len();
    let mark = house.hotline.journal().mark();
    house.pbx.send_back("20304050", OPEN).await.unwrap();
    house
        .hotline
        .state_reached(mark, "wish", SOON)
        .await
        .unwrap();
    assert!(call.is_up());
    house.agent.set_answering(Answering::After(Duration::ZERO));
    call.press_all("2").await.unwrap();
    let reason = |ringing: &Call| ringing.header("X-Hotline-Reason").unwrap_or_default();
    let ringing = loop {
        let ringing = house.agent.rings(SOON).await.unwrap();
        if reason(&ringing).contains("jobcenteret") {
            break ringing;
        }
        assert!(
            house.agent.incoming().len() <= rung + 2,
            "rung for the old queue"
        );
    };
    talk(&call, &ringing).await;
}
