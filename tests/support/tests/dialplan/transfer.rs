//! Where Hotline sends calls, and what the agent is told.

use street::Phone;
use street::asterisk::{HOLD_TONE, Site};
use street::phone::{Answering, Happening};

use crate::centre::{Centre, DID, SOON, WHISPER_TONE, assert_content, hear_each_other};
use crate::peer::Doing;

#[tokio::test]
async fn a_transfer_tells_the_agent_who_what_for_and_in_which_language() {
    let centre = Centre::open().await;
    centre.agent.set_answering(Answering::ByHand);
    let (call, channel) = centre.call_the_bot().await;
    let summary = r#"Pas "nyt", (ja: 5% \ $5; ${EXTEN}) æøå"#;
    for (variable, value) in [
        ("HOTLINE_CALLER", "+4512345678"),
        ("HOTLINE_REASON", "Borgerservice: pas"),
        ("HOTLINE_LANGUAGE", "da"),
        ("HOTLINE_SUMMARY", summary),
        ("HOTLINE_WHISPER", &centre.whisper()),
    ] {
        centre.set(&channel, variable, value).await;
    }
    centre
        .redirect(&channel, "hotline-queue", "borgerservice")
        .await;
    let agent = centre.agent.rings(SOON).await.unwrap();
    assert_eq!(
        agent.header("X-Hotline-Call"),
        Some(centre.bot.call(0).await)
    );
    assert_eq!(
        agent.header("X-Hotline-Caller").as_deref(),
        Some("+4512345678")
    );
    assert_eq!(
        agent.header("X-Hotline-Reason").as_deref(),
        Some("Borgerservice: pas")
    );
    assert_eq!(agent.header("X-Hotline-Language").as_deref(), Some("da"));
    assert_eq!(agent.header("X-Hotline-Summary").as_deref(), Some(summary));
    assert_eq!(agent.caller_number(), "12345678");

    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    agent.answer().unwrap();
    agent.hear_tone(WHISPER_TONE, SOON).await.unwrap();
    hear_each_other(&call, &agent).await;
    assert!(!call.heard().has_tone(WHISPER_TONE));
    agent.hang_up().unwrap();
    assert_eq!(call.ended(SOON).await.unwrap(), Happening::OtherHungUp);
    assert_content(&centre.asterisk);
}

#[tokio::test]
async fn a_transfer_without_a_handoff_or_with_a_missing_whisper_connects_all_the_same() {
    let centre = Centre::open().await;
    let (call, channel) = centre.call_the_bot().await;
    centre
        .set(&channel, "HOTLINE_WHISPER", "/nowhere/whisper.wav")
        .await;
    centre
        .redirect(&channel, "hotline-queue", "borgerservice")
        .await;
    let agent = centre.agent.rings(SOON).await.unwrap();
    assert_eq!(agent.header("X-Hotline-Reason"), None);
    hear_each_other(&call, &agent).await;
}

#[tokio::test]
async fn a_queue_that_nobody_answers_or_that_is_not_there_leads_to_the_ordinary_queue() {
    for queue in ["borgerservice", "no-such-queue"] {
        let centre = Centre::open().await;
        centre.agent.set_answering(Answering::ByHand);
        let (call, channel) = centre.call_the_bot().await;
        centre.set(&channel, "HOTLINE_QUEUE_TIMEOUT", "1").await;
        centre.redirect(&channel, "hotline-queue", queue).await;
        let left = centre
            .hotline
            .event(SOON, |block| block.is_user_event("HotlineQueueLeft"));
        assert_eq!(left.await.unwrap().get("queue"), Some(queue));
        centre.joins("ordinary").await;
        call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    }
}

#[tokio::test]
async fn an_ordinary_queue_that_takes_nobody_leads_to_the_fallback_place() {
    let centre = Centre::open_with(Doing::Talk, |site| {
        site.queue_setting("joinempty = no")
            .global("HOTLINE_FALLBACK", "own,start,1")
            .extensions("[own]\nexten => start,1,Queue(borgerservice)\n")
    })
    .await;
    let (_call, channel) = centre.call_the_bot().await;
    centre.redirect(&channel, "hotline-queue", "ordinary").await;
    centre.agent.rings(SOON).await.unwrap();
}

#[tokio::test]
async fn an_ordinary_queue_that_takes_nobody_and_has_no_fallback_is_told_by_a_tone() {
    let centre = Centre::open_with(Doing::Talk, |site| site.queue_setting("joinempty = no")).await;
    let (call, channel) = centre.call_the_bot().await;
    centre.redirect(&channel, "hotline-queue", "ordinary").await;
    let gone = centre.hotline.event(SOON * 2, |block| {
        block.is_event("Hangup") && block.get("Channel") == Some(channel.as_str())
    });
    assert_eq!(gone.await.unwrap().get("Cause"), Some("34"));
    call.ended(SOON).await.unwrap();
    assert!(
        centre
            .asterisk
            .log()
            .contains("queue \"ordinary\" says \"JOINEMPTY\"")
    );
}

#[tokio::test]
async fn a_caller_who_has_waited_in_the_ordinary_queue_until_its_time_was_up_is_hung_up() {
    let centre = Centre::open().await;
    let (_call, channel) = centre.call_the_bot().await;
    centre.set(&channel, "HOTLINE_QUEUE_TIMEOUT", "1").await;
    centre.redirect(&channel, "hotline-queue", "ordinary").await;
    let gone = centre.hotline.event(SOON, |block| {
        block.is_event("Hangup") && block.get("Channel") == Some(channel.as_str())
    });
    assert_eq!(gone.await.unwrap().get("Cause"), Some("19"));
}

#[tokio::test]
async fn a_transfer_to_an_extension_rings_it_and_falls_back_when_it_is_busy() {
    for site in [
        |site: Site| site,
        |site: Site| site.global("HOTLINE_EXTENSION_CONTEXT", ""),
    ] {
        let centre = Centre::open_with(Doing::Talk, site).await;
        let (call, channel) = centre.call_the_bot().await;
        centre.set(&channel, "HOTLINE_REASON", "byggesag").await;
        centre
            .set(&channel, "HOTLINE_WHISPER", &centre.whisper())
            .await;
        centre
            .redirect(&channel, "hotline-extension", "agent1")
            .await;
        let agent = centre.agent.rings(SOON).await.unwrap();
        assert_eq!(
            agent.header("X-Hotline-Reason").as_deref(),
            Some("byggesag")
        );
        agent.hear_tone(WHISPER_TONE, SOON).await.unwrap();
        hear_each_other(&call, &agent).await;
        call.hang_up().unwrap();
        agent.ended(SOON).await.unwrap();
    }
    let centre = Centre::open().await;
    centre.agent.set_answering(Answering::Refuse(486));
    let (_call, channel) = centre.call_the_bot().await;
    centre
        .redirect(&channel, "hotline-extension", "agent1")
        .await;
    centre.joins("ordinary").await;
}

#[tokio::test]
async fn a_transfer_to_an_outside_number_goes_by_the_centres_own_routing() {
    let centre = Centre::open_with(Doing::Talk, |site| {
        site.global("HOTLINE_OUTBOUND_NUMBER", DID)
    })
    .await;
    let doctor = Phone::new("87654321").unwrap();
    centre
        .asterisk
        .route("+4587654321", doctor.port())
        .await
        .unwrap();
    let (call, channel) = centre.call_the_bot().await;
    centre
        .redirect(&channel, "hotline-external", "+4587654321")
        .await;
    let answered = doctor.rings(SOON).await.unwrap();
    assert_eq!(answered.caller_number(), DID);
    assert_eq!(answered.header("X-Hotline-Reason"), None);
    hear_each_other(&call, &answered).await;
    call.hang_up().unwrap();
    answered.ended(SOON).await.unwrap();

    let (_call, channel) = Centre::call_the_bot_again(&centre).await;
    centre.redirect(&channel, "hotline-external", "112").await;
    centre.joins("ordinary").await;
}
