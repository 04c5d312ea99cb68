//! What callers are promised is done, once: messages, cancellations, callbacks.

use std::time::Duration;

use street::pbx::Switch;
use street::phone::{Answering, Call, Phone};
use street::smtp::{Mail, Manner};
use street::{Pbx, caller, tone};

use crate::house::{CLOSED, HOLIDAY, House, OPEN, SOON, open};

/// Tells whether a mail names a reference.
fn tells(mail: &Mail, reference: &str) -> bool {
    mail.subject().contains(reference) || mail.text().contains(reference)
}

/// A caller leaves a message by voice after choosing by keys, and hears the reference.
async fn leave_message(house: &House, phone: &Phone, town: &str) -> String {
    let call = house.call(phone, town).await;
    house.press_to(&call, "1", "closed").await;
    let mark = house.hotline.journal().mark();
    call.press_all("2").await.unwrap();
    house
        .line(mark, |line| !line["command"]["record"].is_null())
        .await;
    // The beep is the only pure tone.
    call.hear_tone(440.0, SOON).await.unwrap();
    call.say(&caller::danish("mit pas er blevet væk").unwrap())
        .await
        .unwrap();
    call.press_all("#").await.unwrap();
    let slot = house
        .line(mark, |line| {
            line["command"]["note"]["slot"]["name"] == "reference"
        })
        .await;
    slot["command"]["note"]["slot"]["value"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub(crate) async fn a_message_left_out_of_hours_arrives_as_a_mail_with_a_playable_wav(
    switch: Switch,
) {
    let house = open(switch).await;
    for town in [CLOSED, HOLIDAY] {
        let phone = Phone::new("20304050").unwrap();
        let reference = leave_message(&house, &phone, town).await;
        let letter = house.letter(&reference).await;
        assert!(letter.to.contains("borgerservice@"), "{}", letter.to);
        assert!(letter.text.contains("+4520304050") || letter.text.contains("20 30 40 50"));
        let wav = letter.recordings.first().unwrap();
        let mut reader = hound::WavReader::new(wav.as_slice()).unwrap();
        assert_eq!(
            (reader.spec().sample_rate, reader.spec().channels),
            (8000, 1)
        );
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert!(samples.len() > 8000, "{} samples", samples.len());
        assert!(
            tone::level(&samples) > -40.0,
            "{} dB",
            tone::level(&samples)
        );
    }
}

/// A caller gets as far as to have said the message, and has not ended it.
async fn speak_after_the_tone(house: &House, phone: &Phone) -> Call {
    let call = house.call(phone, CLOSED).await;
    house.press_to(&call, "1", "closed").await;
    call.press_all("2").await.unwrap();
    call.hear_tone(440.0, SOON).await.unwrap();
    call.say(&caller::danish("mit pas er blevet væk").unwrap())
        .await
        .unwrap();
    call
}

pub(crate) async fn a_caller_who_hangs_up_while_recording_has_left_a_message_all_the_same(
    switch: Switch,
) {
    let house = open(switch).await;
    let phone = Phone::new("20304050").unwrap();
    let call = speak_after_the_tone(&house, &phone).await;
    call.hang_up().unwrap();
    let mail = house.mail.mail(SOON, |_| true).await.unwrap();
    assert_eq!(mail.attachments().len(), 1);
}

pub(crate) async fn a_phone_that_sends_nothing_any_more_does_not_hold_up_the_message(
    switch: Switch,
) {
    let house = open(switch).await;
    let phone = Phone::new("20304050").unwrap();
    let call = speak_after_the_tone(&house, &phone).await;
    call.mute(true);
    let mail = house.mail.mail(SOON, |_| true).await.unwrap();
    assert_eq!(mail.attachments().len(), 1);
    assert!(call.is_up(), "the caller hears that it is noted");
}

/// Orders a callback by keys: the caller's own number, as soon as possible.
async fn order_callback(house: &House, phone: &Phone, department: &str) -> String {
    let mark = house.hotline.journal().mark();
    let call = house.call(phone, OPEN).await;
    house.press_to(&call, department, "busy").await;
    house.press_to(&call, "1", "number").await;
    house.press_to(&call, "1", "time").await;
    call.press_all("1").await.unwrap();
    let slot = house
        .line(mark, |line| {
            line["command"]["note"]["slot"]["name"] == "reference"
        })
        .await;
    house
        .hotline
        .state_reached(mark, "noted", SOON)
        .await
        .unwrap();
    call.hang_up().unwrap();
    slot["command"]["note"]["slot"]["value"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn is_long(pbx: &Pbx, queue: &str) -> bool {
    let wait = pbx.longest_wait(queue).await.unwrap();
    wait.is_some_and(|wait| wait >= Duration::from_secs(5))
}

/// Puts a caller into a queue whose agent does not answer, until the wait is long.
async fn keep_waiting(house: &House, queue_key: &str) -> (Phone, Call) {
    let queue = if queue_key == "1" {
        "borgerservice"
    } else {
        "jobcenter"
    };
    house.agent.set_answering(Answering::Refuse(486));
    let phone = Phone::new("20000001").unwrap();
    let call = house.call(&phone, OPEN).await;
    call.press_all(queue_key).await.unwrap();
    house.in_queue(&call).await;
    // Longer than the wait that counts as long by more than Hotline's own look at queues.
    let long = async {
        while !is_long(&house.pbx, queue).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, long).await.unwrap();
    (phone, call)
}

pub(crate) async fn when_the_wait_is_long_a_callback_is_ordered_and_the_caller_is_rung_and_connected(
    switch: Switch,
) {
    let house = open(switch).await;
    let citizen = Phone::new("20304050").unwrap();
    house
        .pbx
        .route("+4520304050", citizen.port())
        .await
        .unwrap();
    let (_waiting, waiting_call) = keep_waiting(&house, "1").await;
    order_callback(&house, &citizen, "1").await;
    // The queue becomes short: whoever waited gives up, and the agent is there again.
    house.agent.set_answering(Answering::After(Duration::ZERO));
    waiting_call.hang_up().unwrap();
    let rung = citizen.rings(SOON).await.unwrap();
    rung.hear_sound(SOON).await.unwrap();
    rung.press_all("1").await.unwrap();
    connected(&house, &rung).await;
}

/// Waits until a phone rings that is answered at once, and lets both hear each other.
async fn connected(house: &House, citizen: &Call) {
    let agent = loop {
        let agent = house.agent.rings(SOON).await.unwrap();
        if agent.answered(Duration::from_secs(2)).await.is_ok() {
            break agent;
        }
    };
    citizen.play(&tone::tone(500.0, 15.0, 0.5));
    agent.play(&tone::tone(700.0, 15.0, 0.5));
    agent.hear_tone(500.0, SOON).await.unwrap();
    citizen.hear_tone(700.0, SOON).await.unwrap();
}

pub(crate) async fn agent_first_an_agent_is_found_before_the_caller_is_rung(switch: Switch) {
    let house = open(switch).await;
    let citizen = Phone::new("20304050").unwrap();
    house
        .pbx
        .route("+4520304050", citizen.port())
        .await
        .unwrap();
    let (_waiting, waiting_call) = keep_waiting(&house, "2").await;
    order_callback(&house, &citizen, "2").await;
    house.agent.set_answering(Answering::ByHand);
    waiting_call.hang_up().unwrap();
    let agent = loop {
        let agent = house.agent.rings(SOON).await.unwrap();
        if agent.header("X-Hotline-Caller").as_deref() == Some("+4520304050") {
            break agent;
        }
    };
    assert_eq!(
        citizen.incoming().len(),
        0,
        "the citizen is rung only for an agent who is there"
    );
    agent.answer().unwrap();
    let rung = citizen.rings(SOON).await.unwrap();
    rung.answered(SOON).await.unwrap();
    rung.play(&tone::tone(500.0, 15.0, 0.5));
    agent.play(&tone::tone(700.0, 15.0, 0.5));
    agent.hear_tone(500.0, SOON).await.unwrap();
    rung.hear_tone(700.0, SOON).await.unwrap();
}

pub(crate) async fn a_callback_outlives_a_kill_of_hotline_and_a_restart_of_the_pbx_and_is_made_once(
    switch: Switch,
) {
    let mut house = open(switch).await;
    let citizen = Phone::new("20304050").unwrap();
    house
        .pbx
        .route("+4520304050", citizen.port())
        .await
        .unwrap();
    let (_waiting, waiting_call) = keep_waiting(&house, "1").await;
    order_callback(&house, &citizen, "1").await;
    house.hotline.kill();
    waiting_call.hang_up().unwrap();
    house.pbx.restart().await.unwrap();
    house.agent.set_answering(Answering::After(Duration::ZERO));
    house.hotline.start_again().await.unwrap();
    let rung = citizen.rings(Duration::from_secs(60)).await.unwrap();
    rung.hear_sound(SOON).await.unwrap();
    rung.press_all("1").await.unwrap();
    connected(&house, &rung).await;
    rung.hang_up().unwrap();
    assert!(
        citizen.rings(Duration::from_secs(5)).await.is_err(),
        "rung twice"
    );
}

pub(crate) async fn a_caller_who_got_through_meanwhile_is_not_called_back(switch: Switch) {
    let house = open(switch).await;
    let citizen = Phone::new("20304050").unwrap();
    house
        .pbx
        .route("+4520304050", citizen.port())
        .await
        .unwrap();
    let (_waiting, waiting_call) = keep_waiting(&house, "2").await;
    let reference = order_callback(&house, &citizen, "2").await;
    // Calls again and stays in the queue until the agent answers.
    let call = house.call(&citizen, OPEN).await;
    house.press_to(&call, "2", "busy").await;
    call.press_all("2").await.unwrap();
    house.in_queue(&call).await;
    house.agent.set_answering(Answering::After(Duration::ZERO));
    waiting_call.hang_up().unwrap();
    connected(&house, &call).await;
    let got_through = async {
        loop {
            let (_, text) = house
                .hotline
                .get(&format!("/api/v1/callbacks/{reference}"))
                .await
                .unwrap();
            if text.contains("got_through") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, got_through).await.unwrap();
    call.hang_up().unwrap();
    assert_eq!(citizen.incoming().len(), 0);
}

/// Cancels an appointment by voice for the name and by keys for the rest.
async fn cancel_appointment(house: &House, phone: &Phone) -> String {
    let mark = house.hotline.journal().mark();
    let call = house.call(phone, OPEN).await;
    house.press_to(&call, "9", "department").await;
    house.press_to(&call, "2", "name").await;
    call.hear_tone(440.0, SOON).await.unwrap();
    call.say(&caller::danish("mit navn er jens jensen").unwrap())
        .await
        .unwrap();
    call.press_all("#").await.unwrap();
    house
        .line(mark, |line| line["command"]["listen"]["expect"] == "date")
        .await;
    call.press_all("2412").await.unwrap();
    house
        .line(mark, |line| line["command"]["listen"]["expect"] == "yes_no")
        .await;
    call.press_all("1").await.unwrap();
    house
        .line(mark, |line| line["command"]["listen"]["expect"] == "time")
        .await;
    call.press_all("1030").await.unwrap();
    let slot = house
        .line(mark, |line| {
            line["command"]["note"]["slot"]["name"] == "reference"
        })
        .await;
    let said = house
        .line(mark, |line| {
            line["command"]["say"]["text"]
                .as_str()
                .is_some_and(|text| text.contains("afbud"))
        })
        .await;
    assert!(
        said["command"]["say"]["text"]
            .as_str()
            .unwrap()
            .contains("noteret")
    );
    call.hang_up().unwrap();
    slot["command"]["note"]["slot"]["value"]
        .as_str()
        .unwrap()
        .to_owned()
}

pub(crate) async fn a_cancellation_reaches_the_department_through_a_real_mail_server(
    switch: Switch,
) {
    let house = open(switch).await;
    let phone = Phone::new("20304050").unwrap();
    let reference = cancel_appointment(&house, &phone).await;
    let letter = house.letter(&reference).await;
    assert!(letter.to.contains("jobcenter@"), "{}", letter.to);
    assert!(letter.text.contains("10:30"), "{}", letter.text);
}

pub(crate) async fn with_the_mail_server_down_the_promise_is_kept_when_it_is_back_and_only_once(
    switch: Switch,
) {
    let mut house = open(switch).await;
    house.mail.stop();
    let phone = Phone::new("20304050").unwrap();
    let reference = cancel_appointment(&house, &phone).await;
    house.mail.set_manner(Manner::DropAfterData);
    house.mail.start_again().unwrap();
    // The first delivery succeeds but its answer is lost: the mail comes twice, under one name.
    house
        .mail
        .mail(Duration::from_secs(60), |_| true)
        .await
        .unwrap();
    house.mail.set_manner(Manner::Accept);
    let twice = async {
        while house.mail.mails().len() < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), twice)
        .await
        .unwrap();
    let mails = house.mail.mails();
    assert!(mails.iter().all(|mail| tells(mail, &reference)));
    assert!(
        mails.iter().all(|mail| mail.id() == mails[0].id()),
        "one Message-ID per promise"
    );
}

pub(crate) async fn what_was_promised_before_a_kill_is_carried_out_after_the_restart_once(
    switch: Switch,
) {
    let mut house = open(switch).await;
    house.mail.stop();
    let phone = Phone::new("20304050").unwrap();
    let reference = leave_message(&house, &phone, CLOSED).await;
    house.hotline.kill();
    house.mail.start_again().unwrap();
    house.hotline.start_again().await.unwrap();
    let mail = house
        .mail
        .mail(SOON, |mail| tells(mail, &reference))
        .await
        .unwrap();
    assert_eq!(mail.attachments().len(), 1);
    let other = house
        .mail
        .mail(Duration::from_secs(3), |other| other.id() != mail.id())
        .await;
    assert!(other.is_err(), "a second mail came");
    assert_eq!(house.mail.mails().len(), 1);
}
