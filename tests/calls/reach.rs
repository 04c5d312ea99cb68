//! Callers reach the right department: by voice in two languages, and by keys.

use street::phone::{Call, Caller, Phone};
use street::{caller, tone};

use crate::house::{House, OPEN, SOON, open, open_with};

/// Lets caller and agent hear each other.
async fn talk(caller: &Call, agent: &Call) {
    caller.play(&tone::tone(500.0, 15.0, 0.5));
    agent.play(&tone::tone(700.0, 15.0, 0.5));
    agent.hear_tone(500.0, SOON).await.unwrap();
    caller.hear_tone(700.0, SOON).await.unwrap();
}

async fn wish(house: &House, words: &[i16]) -> (Phone, Call) {
    let phone = Phone::new("20304050").unwrap();
    let mark = house.hotline.journal().mark();
    let name = Caller::new().name("Søren Ærø");
    let call = phone.dial_as(house.asterisk.sip(), OPEN, &name).unwrap();
    call.answered(SOON).await.unwrap();
    house
        .hotline
        .state_reached(mark, "wish", SOON)
        .await
        .unwrap();
    call.say(words).await.unwrap();
    (phone, call)
}

#[tokio::test]
async fn a_spoken_danish_wish_reaches_the_right_agent_and_both_hear_each_other() {
    let house = open().await;
    let words = caller::danish("jeg vil gerne tale med borgerservice").unwrap();
    let (_phone, call) = wish(&house, &words).await;
    let ringing = house.agent.rings(SOON).await.unwrap();
    assert_eq!(
        ringing.header("X-Hotline-Caller").as_deref(),
        Some("+4520304050")
    );
    assert_eq!(ringing.header("X-Hotline-Language").as_deref(), Some("da"));
    let reason = ringing.header("X-Hotline-Reason").unwrap();
    assert!(reason.contains("borgerservice"), "{reason}");
    let summary = ringing.header("X-Hotline-Summary").unwrap();
    assert!(summary.contains("Åbenby Kommune"), "{summary}");
    talk(&call, &ringing).await;
}

#[tokio::test]
async fn a_spoken_english_wish_reaches_the_right_agent_who_is_told_the_language() {
    let house = open().await;
    let words = caller::english("i would like to speak with the job centre").unwrap();
    let mark = house.hotline.journal().mark();
    let (_phone, call) = wish(&house, &words).await;
    let ringing = house.agent.rings(SOON).await.unwrap();
    assert_eq!(ringing.header("X-Hotline-Language").as_deref(), Some("en"));
    let said = house
        .line(mark, |line| line["command"]["say"]["language"] == "en")
        .await;
    let text = said["command"]["say"]["text"].as_str().unwrap();
    assert!(text.contains("the job centre"), "{text}");
    talk(&call, &ringing).await;
}

#[tokio::test]
async fn keys_alone_reach_the_right_agent_when_nothing_can_be_heard() {
    let house = open_with(|site, mut settings| {
        settings.hears = false;
        (site, settings)
    })
    .await;
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    call.press_all("2").await.unwrap();
    let ringing = house.agent.rings(SOON).await.unwrap();
    let reason = ringing.header("X-Hotline-Reason").unwrap();
    assert!(reason.contains("jobcenteret"), "{reason}");
    talk(&call, &ringing).await;
}

#[tokio::test]
async fn the_agent_alone_hears_the_whisper_before_the_caller_is_connected() {
    let house = open().await;
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    call.press_all("1").await.unwrap();
    let ringing = house.agent.rings(SOON).await.unwrap();
    let began = ringing.hear_sound(SOON).await.unwrap();
    // Speech is no pure tone: neither the hold tone nor what the other side plays.
    let whisper = ringing.heard().since(began);
    assert!(!whisper.has_tone(street::asterisk::HOLD_TONE));
    talk(&call, &ringing).await;
}

#[tokio::test]
async fn a_call_announced_by_http_needs_no_event() {
    let house = open_with(|site, settings| {
        let site = site.hotline_http(settings.http_port);
        (site, settings)
    })
    .await;
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    call.press_all("1").await.unwrap();
    let ringing = house.agent.rings(SOON).await.unwrap();
    assert_eq!(
        ringing.header("X-Hotline-Caller").as_deref(),
        Some("+4520304050")
    );
}
