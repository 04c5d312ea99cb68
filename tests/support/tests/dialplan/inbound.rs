//! Calls from outside: how Hotline is told of them, and what happens when it fails.

use std::time::Instant;

use street::Phone;
use street::asterisk::HOLD_TONE;
use street::phone::{Caller, Happening};

use crate::centre::{Centre, DID, FALLBACK, SOON, assert_content};
use crate::peer::{BOT_TONE, Doing, Http};

#[tokio::test]
async fn hotline_is_told_who_calls_whom_before_it_hears_the_caller() {
    let centre = Centre::open().await;
    let caller = Caller::new().name("Åse Sæd, (Øst)");
    let call = centre
        .caller
        .dial_as(centre.asterisk.sip(), DID, &caller)
        .unwrap();
    call.answered(SOON).await.unwrap();
    let event = centre
        .hotline
        .event(SOON, |block| block.is_user_event("Hotline"))
        .await
        .unwrap();
    assert_eq!(event.get("uuid"), Some(centre.bot.call(0).await.as_str()));
    assert_eq!(event.get("did"), Some(DID));
    assert_eq!(event.get("caller"), Some("12345678"));
    assert_eq!(event.get("name"), Some("Åse Sæd   Øst"));
    assert_eq!(event.get("lang"), Some("en"));
    call.hear_tone(BOT_TONE, SOON).await.unwrap();
}

#[tokio::test]
async fn a_hostile_number_adds_no_header_of_its_own_to_the_event() {
    let centre = Centre::open().await;
    let hostile = Phone::new("12345678%2Cpurpose%3A%20callback-4F7K2").unwrap();
    let did = "70101010%2Cpurpose%3A%20callback-4F7K2";
    let _call = hostile.dial(centre.asterisk.sip(), did).unwrap();
    let event = centre
        .hotline
        .event(SOON, |block| block.is_user_event("Hotline"))
        .await
        .unwrap();
    assert_eq!(event.get("purpose"), None);
    assert_eq!(event.get("caller"), Some("12345678472"), "{event:?}");
    assert_eq!(event.get("did"), Some("70101010purposecallback-4F7K2"));
}

#[tokio::test]
async fn a_number_with_a_plus_reaches_hotline_too() {
    let centre = Centre::open().await;
    centre
        .caller
        .call(centre.asterisk.sip(), "+4570101010")
        .await
        .unwrap();
    let event = centre
        .hotline
        .event(SOON, |block| block.is_user_event("Hotline"))
        .await
        .unwrap();
    assert_eq!(event.get("did"), Some("+4570101010"));
}

#[tokio::test]
async fn by_http_hotline_chooses_the_id() {
    let id = "11111111-2222-3333-4444-555555555555";
    let http = Http::start("200 OK", "11111111-2222-3333-4444-555555555555").await;
    let centre = Centre::open_with(Doing::Talk, |site| site.hotline_http(http.port)).await;
    let caller = Caller::new().name("Åse & co, (Øst)");
    centre
        .caller
        .dial_as(centre.asterisk.sip(), DID, &caller)
        .unwrap();
    assert_eq!(centre.bot.call(0).await, id);
    let request = http.requests.all().remove(0);
    assert!(request.starts_with("POST /calls HTTP/1.1\r\n"), "{request}");
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let fields = "did=70101010&caller=12345678&name=%C3%85se%20%26%20co%2C%20(%C3%98st)&lang=en&channel=PJSIP%2Ftrunk-";
    assert!(body.starts_with(fields), "{body}");
    assert_content(&centre.asterisk);
}

#[tokio::test]
async fn without_an_answer_by_http_the_caller_goes_to_the_ordinary_queue() {
    let busy = Http::start("503 Service Unavailable", "no seat is free").await;
    let closed = street::port::free_tcp().unwrap();
    for port in [busy.port, closed] {
        let centre = Centre::open_with(Doing::Talk, |site| site.hotline_http(port)).await;
        let began = Instant::now();
        let call = centre
            .caller
            .call(centre.asterisk.sip(), DID)
            .await
            .unwrap();
        call.hear_tone(HOLD_TONE, FALLBACK).await.unwrap();
        assert!(began.elapsed() < FALLBACK);
        assert_eq!(centre.bot.calls.mark(), 0);
    }
}

#[tokio::test]
async fn without_hotline_the_caller_goes_to_the_ordinary_queue() {
    let closed = street::port::free_tcp().unwrap();
    let centre = Centre::open_with(Doing::Talk, |site| site.hotline(closed)).await;
    let call = centre
        .caller
        .call(centre.asterisk.sip(), DID)
        .await
        .unwrap();
    call.hear_tone(HOLD_TONE, FALLBACK).await.unwrap();
    centre.joins("ordinary").await;
}

#[tokio::test]
async fn a_hotline_that_closes_or_fails_leaves_the_caller_in_the_ordinary_queue() {
    for failure in [Doing::Close, Doing::End, Doing::Error] {
        let centre = Centre::open().await;
        let (call, _) = centre.call_the_bot().await;
        centre.bot.now(failure);
        call.hear_tone(HOLD_TONE, FALLBACK).await.unwrap();
        centre.joins("ordinary").await;
    }
}

#[tokio::test]
async fn a_hotline_that_says_nothing_to_a_silent_caller_leaves_the_caller_in_the_ordinary_queue() {
    let centre = Centre::open_with(Doing::Listen, |site| site).await;
    let call = centre
        .caller
        .call(centre.asterisk.sip(), DID)
        .await
        .unwrap();
    call.mute(true);
    call.hear_tone(HOLD_TONE, FALLBACK).await.unwrap();
    centre.joins("ordinary").await;
}

#[tokio::test]
async fn the_fallback_may_be_any_place_in_the_dialplan() {
    let closed = street::port::free_tcp().unwrap();
    let centre = Centre::open_with(Doing::Talk, |site| {
        site.hotline(closed)
            .global("HOTLINE_FALLBACK", "own,start,1")
            .extensions("[own]\nexten => start,1,Answer()\n same => n,Queue(borgerservice)\n")
    })
    .await;
    centre
        .caller
        .call(centre.asterisk.sip(), DID)
        .await
        .unwrap();
    centre.agent.rings(SOON).await.unwrap();
}

#[tokio::test]
async fn an_orderly_end_hangs_up() {
    for end in [Doing::End, Doing::Close] {
        let centre = Centre::open().await;
        let (call, channel) = centre.call_the_bot().await;
        centre.set(&channel, "HOTLINE_ENDED", "1").await;
        centre.bot.now(end);
        assert_eq!(call.ended(SOON).await.unwrap(), Happening::OtherHungUp);
        let blocks = centre.asterisk.ami().blocks();
        assert!(!blocks.iter().any(|block| block.is_event("QueueCallerJoin")));
        assert_content(&centre.asterisk);
    }
}

#[tokio::test]
async fn hotline_may_hang_up_itself() {
    let centre = Centre::open().await;
    let (call, channel) = centre.call_the_bot().await;
    centre
        .hotline
        .act("Hangup", &[("Channel", &channel), ("Cause", "16")])
        .await
        .unwrap();
    assert_eq!(call.ended(SOON).await.unwrap(), Happening::OtherHungUp);
}
