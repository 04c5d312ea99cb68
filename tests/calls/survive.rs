//! Whatever breaks, the caller is in the ordinary queue within three seconds.

use std::time::{Duration, Instant};

use street::Hotline;
use street::hotline::Settings;
use street::pbx::Switch;
use street::phone::{Answering, Call, Phone};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::house::{House, OPEN, SOON, open, open_with, program};

/// How long a caller may be without Hotline and without the queue.
const PROMISED: Duration = Duration::from_secs(3);

/// Waits until the caller is in the ordinary queue and tells how long that took.
async fn falls_back(house: &House, call: &Call, since: Instant) -> Duration {
    house.pbx.queue_joined("omstilling", SOON).await.unwrap();
    let took = since.elapsed();
    assert!(call.is_up());
    took
}

pub(crate) async fn without_hotline_the_caller_is_in_the_ordinary_queue(switch: Switch) {
    let mut house = open(switch).await;
    house.hotline.stop();
    let phone = Phone::new("20304050").unwrap();
    let began = Instant::now();
    let call = phone.call(house.pbx.sip(), OPEN).await.unwrap();
    let took = falls_back(&house, &call, began).await;
    assert!(took < PROMISED, "{took:?}");
}

pub(crate) async fn killed_in_mid_call_the_caller_is_in_the_ordinary_queue(switch: Switch) {
    let mut house = open(switch).await;
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    let began = Instant::now();
    house.hotline.kill();
    let took = falls_back(&house, &call, began).await;
    assert!(took < PROMISED, "{took:?}");
}

pub(crate) async fn frozen_in_mid_call_the_guard_ends_it_and_the_caller_is_in_the_ordinary_queue(
    switch: Switch,
) {
    let mut house = open_with(switch, |site, mut settings| {
        settings.guarded = true;
        (site, settings)
    })
    .await;
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    let guard = house.hotline.process().unwrap().id();
    let children = std::fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).unwrap();
    let child = children.split_whitespace().next().unwrap().to_owned();
    let began = Instant::now();
    let stopped = std::process::Command::new("kill")
        .args(["-s", "STOP", &child])
        .status();
    assert!(stopped.unwrap().success());
    let took = falls_back(&house, &call, began).await;
    assert!(took < PROMISED, "{took:?}");
    // And the service is there again for the next caller.
    house.hotline.ready(SOON).await.unwrap();
}

pub(crate) async fn frozen_without_a_guard_the_pbx_takes_the_caller_to_the_ordinary_queue(
    switch: Switch,
) {
    let mut house = open(switch).await;
    house.agent.set_answering(Answering::Refuse(486));
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    // Longer than the PBX would have waited: it has been told again and again that all is well.
    let up = Instant::now();
    call.hear(SOON, |_| up.elapsed() > Duration::from_secs(4))
        .await
        .unwrap();
    assert_eq!(house.pbx.longest_wait("omstilling").await.unwrap(), None);
    let began = Instant::now();
    house.hotline.process().unwrap().signal("STOP").unwrap();
    let took = falls_back(&house, &call, began).await;
    house.hotline.process().unwrap().signal("CONT").unwrap();
    assert!(took < PROMISED, "{took:?}");
    // It comes to itself and must leave the caller where they are.
    house.hotline.ready(SOON).await.unwrap();
    house.in_queue(&call).await;
}

pub(crate) async fn of_two_hotlines_the_second_takes_the_calls_when_the_first_is_killed(
    switch: Switch,
) {
    let mut second = Settings::new().unwrap();
    let mut house = open_with(switch, |site, settings| {
        second.flows = settings.flows.clone();
        second.smtp_port = settings.smtp_port;
        (site.hotline(second.socket_port), settings)
    })
    .await;
    let second = Hotline::start(program(), second.with_pbx(&house.pbx))
        .await
        .unwrap();
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    assert_eq!(
        second.journal().mark(),
        0,
        "the first in the line takes the call"
    );
    let began = Instant::now();
    house.hotline.kill();
    let took = falls_back(&house, &call, began).await;
    assert!(took < PROMISED, "{took:?}");
    call.hang_up().unwrap();
    let other = Phone::new("20304051").unwrap();
    let call = other.call(house.pbx.sip(), OPEN).await.unwrap();
    second.state_reached(0, "wish", SOON).await.unwrap();
    call.press_all("2").await.unwrap();
    let reason = |ringing: &Call| ringing.header("X-Hotline-Reason").unwrap_or_default();
    while !reason(&house.agent.rings(SOON).await.unwrap()).contains("jobcenteret") {}
}

pub(crate) async fn without_an_engine_to_speak_the_caller_is_in_the_ordinary_queue(switch: Switch) {
    let house = open_with(switch, |site, mut settings| {
        settings.hears = false;
        settings.speaks = false;
        (site, settings)
    })
    .await;
    let phone = Phone::new("20304050").unwrap();
    let began = Instant::now();
    let call = phone.call(house.pbx.sip(), OPEN).await.unwrap();
    let took = falls_back(&house, &call, began).await;
    assert!(took < PROMISED, "{took:?}");
}

pub(crate) async fn after_a_restart_of_the_pbx_the_link_is_back_and_calls_are_served(
    switch: Switch,
) {
    let mut house = open(switch).await;
    house.pbx.restart().await.unwrap();
    house.hotline.ready(SOON).await.unwrap();
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    call.press_all("1").await.unwrap();
    house.agent.rings(SOON).await.unwrap();
}

pub(crate) async fn garbage_on_every_port_is_logged_and_harms_nobody(switch: Switch) {
    let house = open(switch).await;
    let phone = Phone::new("20304050").unwrap();
    let call = house.call(&phone, OPEN).await;
    let ports = [
        house.hotline.settings().socket_port,
        house.hotline.settings().http_port,
    ];
    let garbage: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 4096],
        &[0x01, 0x00, 0x10, 1, 2, 3],
        &[0x01, 0x00, 0x02, 1, 2],
        b"Response: Success\r\nEvent: Nothing\r\n\r\n",
    ];
    for port in ports {
        for bytes in garbage {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            // The other side may close before all is written.
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
        }
    }
    let (status, _) = house
        .hotline
        .ask("POST", "/api/v1/callbacks", None)
        .await
        .unwrap();
    assert!((400..500).contains(&status), "{status}");
    assert!(call.is_up());
    call.press_all("1").await.unwrap();
    house.agent.rings(SOON).await.unwrap();
    assert!(
        house.hotline.log().contains("WARN"),
        "{}",
        house.hotline.log()
    );
}
