//! Whether the launchers of both PBXs do alike what the call scenarios ask of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use street::pbx::{HOLD_TONE, Pbx, Site, Switch};
use street::phone::{Answering, Phone};
use street::{port, tone};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn on_asterisk_without_hotline_a_caller_waits_and_is_connected() {
    without_hotline_a_caller_waits_and_is_connected(Switch::Asterisk).await;
}

#[tokio::test]
async fn on_freeswitch_without_hotline_a_caller_waits_and_is_connected() {
    without_hotline_a_caller_waits_and_is_connected(Switch::FreeSwitch).await;
}

async fn without_hotline_a_caller_waits_and_is_connected(switch: Switch) {
    let agent = Phone::new("anna")
        .unwrap()
        .answering(Answering::Refuse(486));
    let nobody = port::free_tcp().unwrap();
    let site = Site::new()
        .agent("anna", agent.port())
        .queue("omstilling", &["anna"])
        .fallback_queue("omstilling")
        .hotline(nobody);
    let pbx = Pbx::start(switch, site).await.unwrap();
    assert_eq!(pbx.longest_wait("omstilling").await.unwrap(), None);
    assert_eq!(pbx.channels().await.unwrap(), 0);

    let caller = Phone::new("20304050").unwrap();
    let began = Instant::now();
    let call = caller.call(pbx.sip(), "70101010").await.unwrap();
    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    pbx.queue_joined("omstilling", SOON).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3));
    let waits = async {
        while pbx.longest_wait("omstilling").await.unwrap() < Some(Duration::from_secs(2)) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, waits).await.unwrap();

    agent.set_answering(Answering::After(Duration::ZERO));
    let ringing = loop {
        let ringing = agent.rings(SOON).await.unwrap();
        if ringing.answered(Duration::from_secs(1)).await.is_ok() {
            break ringing;
        }
    };
    call.play(&tone::tone(500.0, 15.0, 0.5));
    ringing.play(&tone::tone(700.0, 15.0, 0.5));
    ringing.hear_tone(500.0, SOON).await.unwrap();
    call.hear_tone(700.0, SOON).await.unwrap();
    assert_eq!(pbx.channels().await.unwrap(), 2);
    call.hang_up().unwrap();
    ringing.ended(SOON).await.unwrap();
    let gone = async {
        while pbx.channels().await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
}
