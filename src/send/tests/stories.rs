//! What becomes of a mail, with a carrier whose answers the test gives.

use super::*;

#[tokio::test]
async fn a_mail_is_sent_once_and_then_forgotten_but_for_the_fact() {
    let house = House::new();
    let id = house.queue(mail(1, "teknik@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    clerk.next().await.take();
    house.until(|tally| tally.waiting == 0).await;
    let sent = house.mail(id).await;
    assert_eq!((sent.state, sent.attempts), (MailState::Sent, 1));
    assert_eq!(sent.letter, None);
    assert_eq!(sent.last_words.as_deref(), Some("250 taken"));
    assert!(clerk.is_idle());
}

#[tokio::test]
async fn a_mail_queued_in_a_transaction_that_fails_is_never_sent() {
    let house = House::new();
    let outbox = house.outbox.clone();
    let failed: Result<(), StoreError> = house
        .store
        .write(move |tx| {
            outbox.enqueue(tx, &mail(1, "a@lilleby.example"))?;
            Err(StoreError::Closing)
        })
        .await;
    assert!(failed.is_err());
    house.queue(mail(2, "b@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    let only = clerk.next().await;
    assert_eq!(only.to, "b@lilleby.example");
    only.take();
    house.until(|tally| tally.waiting == 0).await;
    assert!(clerk.is_idle());
}

#[tokio::test]
async fn the_same_mail_queued_twice_is_sent_once() {
    let house = House::new();
    house.queue(mail(1, "a@lilleby.example")).await;
    house.queue(mail(1, "a@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    clerk.next().await.take();
    house.until(|tally| tally.waiting == 0).await;
    assert!(clerk.is_idle());
}

#[tokio::test]
async fn while_the_server_is_away_mails_wait_and_when_it_is_back_each_goes_once() {
    let house = House::new();
    for number in 1..=3 {
        house
            .queue(mail(number, &format!("{number}@lilleby.example")))
            .await;
    }
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    // One knock per wait, not one per mail.
    for attempts in 1..=4 {
        let knock = clerk.next().await;
        knock.refuse(NotCarried::Unreachable("connection refused".to_owned()));
        house.until_waiting(mail(1, "").id, attempts).await;
        house.pass(60);
    }
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mail = clerk.next().await;
        seen.push(mail.message_id());
        mail.take();
    }
    house.until(|tally| tally.waiting == 0).await;
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3);
    assert!(clerk.is_idle());
    assert_eq!(house.outbox.tally().await.unwrap(), Tally::default());
}

#[tokio::test]
async fn a_mail_refused_for_now_is_tried_again_with_growing_gaps() {
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    let mut gaps = Vec::new();
    for refusals in 1..=12 {
        let knock = clerk.next().await;
        knock.refuse(NotCarried::NotNow("451 greylisted".to_owned()));
        let waiting = house.until_waiting(id, refusals).await;
        let wait = waiting.next_attempt.duration_since(house.outbox_now());
        gaps.push(wait.as_secs());
        house.clock.set(waiting.next_attempt);
    }
    assert!((4..=6).contains(&gaps[0]), "{gaps:?}");
    assert!(gaps[3] > gaps[0] && gaps[6] > gaps[3], "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= 30 * 60 * 6 / 5), "{gaps:?}");
    clerk.next().await.take();
    house.until(|tally| tally.waiting == 0).await;
}

#[tokio::test]
async fn a_mail_refused_for_good_is_dead_at_once_and_somebody_is_told() {
    let house = House::new();
    let id = house.queue(mail(1, "nobody@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    clerk
        .next()
        .await
        .refuse(NotCarried::Never("550 no such mailbox".to_owned()));
    let told = clerk.next().await;
    assert_eq!(told.to, "vagt@lilleby.example");
    let text = decoded(&told.text);
    assert!(text.contains("nobody@lilleby.example"), "{text}");
    assert!(text.contains("550 no such mailbox"), "{text}");
    assert!(text.contains("Der er rotter i gården."), "{text}");
    told.take();
    let tally = house.until(|tally| tally.waiting == 0).await;
    assert_eq!((tally.dead, tally.late), (1, 0));
    let dead = house.outbox.trouble().await.unwrap();
    assert_eq!(dead[0].id, id);
    assert_eq!(dead[0].state, MailState::Dead);

    house.outbox.retry(id).await.unwrap();
    clerk.next().await.take();
    let tally = house.until(|tally| tally.waiting == 0).await;
    assert_eq!(tally, Tally::default());
    let again = house.outbox.retry(id).await.unwrap_err();
    assert!(
        again
            .to_string()
            .ends_with("is Sent: only a dead letter can be sent again")
    );
}

#[tokio::test]
async fn when_even_the_mail_that_tells_of_it_is_refused_there_is_no_third() {
    let house = House::new();
    house.queue(mail(1, "nobody@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    for _ in 0..2 {
        let refused = clerk.next().await;
        refused.refuse(NotCarried::Never("550 no".to_owned()));
    }
    let tally = house.until(|tally| tally.dead == 2).await;
    assert_eq!(tally.waiting, 0);
    assert!(clerk.is_idle());
}

#[tokio::test]
async fn killed_before_anything_left_the_mail_goes_after_the_restart() {
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let worker = house.work(carrier);
    let lost = clerk.next().await;
    assert_eq!(house.mail(id).await.state, MailState::Sending);
    worker.kill().await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    let again = clerk.next().await;
    assert_eq!(again.message_id(), lost.message_id());
    again.take();
    house.until(|tally| tally.waiting == 0).await;
    let sent = house.mail(id).await;
    assert_eq!((sent.attempts, sent.possible_repeats), (2, 1));
    assert!(clerk.is_idle());
}

#[tokio::test]
async fn a_connection_that_broke_in_the_middle_is_tried_again_under_the_same_name_and_counted() {
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    let first = clerk.next().await;
    let name = first.message_id();
    first.refuse(NotCarried::Unknown("connection reset".to_owned()));
    house.until_waiting(id, 1).await;
    house.pass(60);
    let second = clerk.next().await;
    assert_eq!(second.message_id(), name);
    second.take();
    house.until(|tally| tally.waiting == 0).await;
    assert_eq!(house.mail(id).await.possible_repeats, 1);
}

#[tokio::test]
async fn mails_to_one_recipient_keep_their_order_and_hold_up_nobody_else() {
    let house = House::new();
    for (number, to) in [
        (1, "A@lilleby.example"),
        (2, "a@lilleby.example"),
        (3, "b@x.example"),
    ] {
        house.queue(mail(number, to)).await;
    }
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    let first = clerk.next().await;
    assert_eq!(header(&first.text, "Subject"), "Besked 1");
    first.refuse(NotCarried::NotNow("451 later".to_owned()));
    let other = clerk.next().await;
    assert_eq!(header(&other.text, "Subject"), "Besked 3");
    other.take();
    house.until(|tally| tally.waiting == 2).await;
    assert!(clerk.is_idle());
    house.pass(60);
    for expected in ["Besked 1", "Besked 2"] {
        let mail = clerk.next().await;
        assert_eq!(header(&mail.text, "Subject"), expected);
        mail.take();
    }
    house.until(|tally| tally.waiting == 0).await;
}

#[tokio::test]
async fn what_is_late_is_told_while_it_is_still_being_tried() {
    let house = House::new();
    let mut cancellation = mail(1, "sagsbehandler@lilleby.example");
    if let Some(escalation) = &mut cancellation.escalation {
        escalation.overdue = Some(at("2026-11-23T09:15:00Z"));
    }
    let id = house.queue(cancellation).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    clerk
        .next()
        .await
        .refuse(NotCarried::NotNow("452 mailbox full".to_owned()));
    house.until_waiting(id, 1).await;
    house.clock.set(at("2026-11-23T09:15:00Z"));
    house.until(|tally| tally.late == 1).await;
    let mut recipients = Vec::new();
    for _ in 0..2 {
        let mail = clerk.next().await;
        recipients.push(mail.to.clone());
        mail.take();
    }
    recipients.sort();
    assert_eq!(
        recipients,
        ["sagsbehandler@lilleby.example", "vagt@lilleby.example"]
    );
    let tally = house.until(|tally| tally.waiting == 0).await;
    assert_eq!(
        tally,
        Tally::default(),
        "what has arrived is no trouble any more"
    );
    assert!(house.mail(id).await.escalated.is_some());
}

#[tokio::test]
async fn a_mail_whose_time_is_over_becomes_a_dead_letter() {
    let house = House::new();
    house.queue(mail(1, "a@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    let knock = clerk.next().await;
    house.pass(73 * 3600);
    knock.refuse(NotCarried::Unreachable("connection refused".to_owned()));
    house.until(|tally| tally.dead == 1).await;
    let trouble = house.outbox.trouble().await.unwrap();
    assert_eq!(
        trouble[0].last_words.as_deref(),
        Some("given up when its time was over: connection refused")
    );
}

#[tokio::test]
async fn a_recording_goes_with_its_mail_and_is_deleted_when_that_has_arrived() {
    let house = House::new();
    let wav = house.folder.path().join("one.wav");
    std::fs::write(&wav, b"RIFF....WAVE").unwrap();
    let mut with_recording = mail(1, "a@lilleby.example");
    with_recording.recording = Some("one.wav".to_owned());
    let id = house.queue(with_recording).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    let sent = clerk.next().await;
    assert!(sent.text.contains("Content-Type: audio/wav"));
    assert!(sent.text.contains("filename=\"R1.wav\""));
    sent.refuse(NotCarried::NotNow("451 later".to_owned()));
    house.until_waiting(id, 1).await;
    assert!(wav.exists());
    house.pass(60);
    clerk.next().await.take();
    house.until(|tally| tally.waiting == 0).await;
    // The file goes after the transaction; the next mail begins after that.
    house.queue(mail(2, "a@lilleby.example")).await;
    clerk.next().await.take();
    assert!(!wav.exists());
}

#[tokio::test]
async fn a_recording_of_a_dead_letter_is_kept_until_someone_has_it() {
    let house = House::new();
    let wav = house.folder.path().join("one.wav");
    std::fs::write(&wav, b"RIFF....WAVE").unwrap();
    let mut with_recording = mail(1, "a@lilleby.example");
    with_recording.recording = Some("one.wav".to_owned());
    let id = house.queue(with_recording).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    clerk
        .next()
        .await
        .refuse(NotCarried::Never("550 no".to_owned()));
    let told = clerk.next().await;
    assert!(told.text.contains("Content-Type: audio/wav"));
    told.take();
    house.until(|tally| tally.waiting == 0).await;
    assert!(wav.exists());
    house.outbox.retry(id).await.unwrap();
    let again = clerk.next().await;
    assert!(again.text.contains("Content-Type: audio/wav"));
    again.take();
    house.until(|tally| tally == &Tally::default()).await;
}

#[tokio::test]
async fn a_recording_outside_its_folder_is_not_sent() {
    let house = House::new();
    let mut sly = mail(1, "a@lilleby.example");
    sly.recording = Some("../../etc/passwd".to_owned());
    house.queue(sly).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    let sent = clerk.next().await;
    assert!(!sent.text.contains("audio/wav"));
    assert!(decoded(&sent.text).contains("is no longer there"));
}

#[tokio::test]
async fn what_is_over_is_forgotten_after_its_days() {
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    clerk.next().await.take();
    house.until(|tally| tally.waiting == 0).await;
    house.pass(31 * 24 * 3600);
    let mut changed = house.store.watch("mail");
    while house.outbox.mail(id).await.unwrap().is_some() {
        timeout(PATIENCE, changed.changed()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn told_to_stop_the_worker_finishes_the_mail_under_way() {
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    house.queue(mail(2, "a@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let stop = CancellationToken::new();
    let (outbox, told) = (house.outbox.clone(), stop.clone());
    let running = tokio::spawn(async move { outbox.run(carrier, told).await });
    let under_way = clerk.next().await;
    stop.cancel();
    under_way.take();
    timeout(PATIENCE, running).await.unwrap().unwrap();
    assert_eq!(house.mail(id).await.state, MailState::Sent);
    assert_eq!(house.outbox.tally().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn the_embedded_store_carries_mails_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let house = House::over(Store::open(&path).unwrap());
    house.queue(mail(1, "a@lilleby.example")).await;
    let (carrier, mut clerk) = counter();
    let worker = house.work(carrier);
    let lost = clerk.next().await;
    worker.kill().await;
    drop(house);
    let house = House::over(Store::open(&path).unwrap());
    let (carrier, mut clerk) = counter();
    let _worker = house.work(carrier);
    let again = clerk.next().await;
    assert_eq!(again.message_id(), lost.message_id());
    again.take();
    house.until(|tally| tally.waiting == 0).await;
}

impl House {
    fn outbox_now(&self) -> Timestamp {
        use crate::store::Clock;
        self.clock.now()
    }
}

/// Undoes the transfer encoding of a mail's text, well enough to look for words.
pub(super) fn decoded(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail
            .get(..2)
            .filter(|_| *first == b'=')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
