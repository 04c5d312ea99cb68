//! Whether the test's telephones are good telephones: with a real Asterisk between them.

#![expect(clippy::unwrap_used, reason = "a test may fail in its helpers too")]

use std::time::{Duration, Instant};

use street::asterisk::{Asterisk, HOLD_TONE, Site};
use street::phone::{Answering, Caller, Codec, Happening};
use street::{Phone, tone};

const SOON: Duration = Duration::from_secs(5);

/// The dialplan of these tests: numbers that ring the outside, echo, or wait in a queue.
const DIALPLAN: &str = "
[from-trunk](+)
exten => 600,1,Answer()
 same => n,Echo()
exten => 601,1,Answer()
 same => n,Queue(borgerservice)
exten => _9.,1,Dial(Local/${EXTEN:1}@outbound/n,10)
 same => n,Hangup(${HANGUPCAUSE})
";

async fn asterisk() -> Asterisk {
    Asterisk::start(Site::new().queue("borgerservice", &[]).extensions(DIALPLAN))
        .await
        .unwrap()
}

#[tokio::test]
async fn two_phones_hear_each_other_in_each_codec() {
    let asterisk = asterisk().await;
    for codec in [Codec::Alaw, Codec::Ulaw, Codec::Wide] {
        let caller = Phone::with_codec("12345678", codec).unwrap();
        let called = Phone::with_codec("87654321", Codec::Alaw).unwrap();
        asterisk.route("87654321", called.port()).await.unwrap();
        let calling = caller
            .dial_as(
                asterisk.sip(),
                "987654321",
                &Caller::new().name("Åse Sæd, Øst"),
            )
            .unwrap();
        let ringing = called.rings(SOON).await.unwrap();
        assert_eq!(ringing.caller_number(), "12345678");
        assert_eq!(ringing.caller_name().as_deref(), Some("Åse Sæd, Øst"));
        calling.answered(SOON).await.unwrap();

        calling.play(&tone::tone(500.0, 2.0, 0.5));
        ringing.play(&tone::tone(700.0, 2.0, 0.5));
        ringing.hear_tone(500.0, SOON).await.unwrap();
        calling.hear_tone(700.0, SOON).await.unwrap();
        assert!(!calling.heard().has_tone(500.0));

        ringing.press("12#");
        assert_eq!(calling.hear_keys(3, SOON).await.unwrap(), "12#");
        calling.hang_up().unwrap();
        assert_eq!(ringing.ended(SOON).await.unwrap(), Happening::OtherHungUp);
    }
}

#[tokio::test]
async fn a_phone_measures_when_sound_begins_and_ends() {
    let asterisk = asterisk().await;
    let phone = Phone::new("12345678").unwrap();
    let call = phone.call(asterisk.sip(), "600").await.unwrap();
    call.hear_silence(Duration::from_millis(200), SOON)
        .await
        .unwrap();
    let began = Instant::now();
    let played = call.say(&tone::tone(440.0, 1.0, 0.5)).await.unwrap();
    let silent = call
        .hear_silence(Duration::from_millis(300), SOON)
        .await
        .unwrap();
    let sound = call.heard().sound_after(began).unwrap();
    assert!(
        sound - played.started < Duration::from_millis(200),
        "{:?}",
        sound - played.started
    );
    let lasted = silent - sound;
    assert!(
        lasted.abs_diff(Duration::from_secs(1)) < Duration::from_millis(150),
        "{lasted:?}"
    );
    let gap = call.heard().gap(0.5).unwrap();
    assert!(
        gap.abs_diff(Duration::from_millis(20)) < Duration::from_millis(5),
        "{gap:?}"
    );
    assert_eq!(call.heard().lost(), 0);
}

#[tokio::test]
async fn a_phone_can_be_busy_unknown_silent_and_given_up() {
    let asterisk = asterisk().await;
    let caller = Phone::new("12345678").unwrap();
    let called = Phone::new("87654321").unwrap();
    asterisk.route("+87654321", called.port()).await.unwrap();
    for (code, seen) in [(486, 486), (404, 404)] {
        called.set_answering(Answering::Refuse(code));
        let call = caller.dial(asterisk.sip(), "987654321").unwrap();
        assert_eq!(call.ended(SOON).await.unwrap(), Happening::Refused(seen));
        called.rings(SOON).await.unwrap();
    }
    let nobody = caller.dial(asterisk.sip(), "911111111").unwrap();
    assert_eq!(nobody.ended(SOON).await.unwrap(), Happening::Refused(404));

    called.set_answering(Answering::ByHand);
    let call = caller.dial(asterisk.sip(), "987654321").unwrap();
    let ringing = called.rings(SOON).await.unwrap();
    assert!(call.answered(Duration::from_millis(300)).await.is_err());
    call.hang_up().unwrap();
    assert_eq!(call.ended(SOON).await.unwrap(), Happening::Refused(487));
    assert_eq!(ringing.ended(SOON).await.unwrap(), Happening::Refused(487));
}

#[tokio::test]
async fn a_caller_in_a_queue_hears_the_hold_tone() {
    let asterisk = asterisk().await;
    let phone = Phone::new("12345678").unwrap();
    let call = phone.call(asterisk.sip(), "601").await.unwrap();
    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
}

#[tokio::test]
async fn one_phone_can_hold_fifty_calls_at_once() {
    let asterisk = asterisk().await;
    let phone = Phone::new("12345678").unwrap();
    let calls: Vec<_> = (0..50)
        .map(|_| phone.dial(asterisk.sip(), "600").unwrap())
        .collect();
    for call in &calls {
        call.answered(Duration::from_secs(15)).await.unwrap();
        call.play(&tone::tone(440.0, 30.0, 0.5));
    }
    for call in &calls {
        call.hear_tone(440.0, Duration::from_secs(10))
            .await
            .unwrap();
    }
    for call in &calls {
        assert!(call.is_up());
        let heard = call.heard();
        let gap = heard.gap(0.5).unwrap();
        assert!(
            gap.abs_diff(Duration::from_millis(20)) < Duration::from_millis(5),
            "{gap:?}"
        );
    }
}
