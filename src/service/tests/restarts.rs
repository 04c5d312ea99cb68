//! Kills, lost links and answers that never came: what was promised happens, and no telephone
//! rings twice within the gap.

use super::*;

#[tokio::test]
async fn without_a_link_nobody_is_dialled_and_with_it_they_are() {
    let mut house = House::new().await;
    house
        .pbx
        .link
        .send_replace(LinkState::Down("refused".to_owned()));
    house.work();
    house.noted(1, soon("20304050")).await;
    house.pass(60);
    house.pbx.link.send_replace(LinkState::Up);
    house.pass(60);
    assert!(house.dials.try_recv().is_err());
    house.pbx.link.send_replace(LinkState::Ready);
    house.ringing().await;
}

#[tokio::test]
async fn a_link_lost_at_the_last_moment_costs_no_attempt() {
    let mut house = House::new().await;
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    let ringing = house.ringing().await;
    ringing.fails(PbxError::NotConnected("gone".to_owned()));
    let waiting = house.until_waiting(&reference, 1).await;
    assert_eq!(waiting.counted_attempts(), 0);
    assert_eq!(waiting.attempts[0].outcome, Some(AttemptOutcome::NotPlaced));
    house.clock.set(waiting.not_before);
    house.ringing().await.ends(Dialled::Answered);
    house.until_over(&reference).await;
}

/// Kills the house while a telephone rings and returns what is left.
async fn killed_while_ringing(order: Order) -> (Store, Reference, CallId) {
    let mut house = House::new().await;
    let reference = house.noted(1, order).await;
    house.work();
    let call = house.ringing().await.dial.call;
    (house.kill().await, reference, call)
}

#[tokio::test]
async fn killed_while_ringing_and_the_call_is_gone_the_next_attempt_keeps_the_gap() {
    let (store, reference, call) = killed_while_ringing(soon("20304050")).await;
    let mut house = House::over(store, at("2026-11-23T09:00:10Z")).await;
    assert_eq!(house.callback(&reference).await.attempts[0].call, call);
    let mut asked = house.pbx.asked.subscribe();
    house.work();
    timeout(PATIENCE, asked.changed()).await.unwrap().unwrap();
    assert!(house.dials.try_recv().is_err());
    house.pass(5);
    let waiting = house.until_waiting(&reference, 1).await;
    assert_eq!(waiting.attempts[0].outcome, Some(AttemptOutcome::Unknown));
    assert_eq!(waiting.counted_attempts(), 1);
    assert_eq!(waiting.not_before, at("2026-11-23T09:15:15Z"));
    house.clock.set(at("2026-11-23T09:15:14Z"));
    assert!(house.dials.try_recv().is_err());
    house.clock.set(at("2026-11-23T09:15:15Z"));
    let second = house.ringing().await;
    assert_ne!(second.dial.call, call);
    second.ends(Dialled::Answered);
    let over = house.until_over(&reference).await;
    assert_eq!(over.state, CallbackState::Completed(Completion::Reached));
}

#[tokio::test]
async fn killed_while_ringing_and_the_call_lives_on_long_enough_it_was_answered() {
    let (store, reference, call) = killed_while_ringing(soon("20304050")).await;
    let mut house = House::over(store, at("2026-11-23T09:00:10Z")).await;
    house.pbx.existing.lock().unwrap().insert(call);
    let mut asked = house.pbx.asked.subscribe();
    house.work();
    timeout(PATIENCE, asked.changed()).await.unwrap().unwrap();
    assert_eq!(
        house.callback(&reference).await.state,
        CallbackState::Dialling
    );
    house.pass(300);
    let over = house.until_over(&reference).await;
    assert_eq!(over.state, CallbackState::Completed(Completion::Reached));
    assert!(house.dials.try_recv().is_err());
}

#[tokio::test]
async fn killed_while_a_caller_was_asked_to_confirm_they_are_called_again_after_the_gap() {
    let order = call_me("job_centre", "20304050", Due::QueueShort);
    let (store, reference, call) = killed_while_ringing(order).await;
    let mut house = House::over(store, at("2026-11-23T09:00:10Z")).await;
    house.pbx.existing.lock().unwrap().insert(call);
    house.work();
    // However long that call lives, nothing rings beside it.
    let mut asked = house.pbx.asked.subscribe();
    for _ in 0..3 {
        timeout(PATIENCE, asked.changed()).await.unwrap().unwrap();
        house.pass(120);
    }
    assert_eq!(
        house.callback(&reference).await.state,
        CallbackState::Dialling
    );
    house.pbx.existing.lock().unwrap().clear();
    let callback = loop {
        house.pass(5);
        let callback = house.callback(&reference).await;
        if callback.state == CallbackState::Waiting {
            break callback;
        }
        timeout(PATIENCE, asked.changed()).await.ok();
    };
    house.clock.set(callback.not_before);
    house.ringing().await;
}

#[tokio::test]
async fn a_call_that_came_to_the_new_process_is_known_to_it() {
    let order = call_me("job_centre", "20304050", Due::QueueShort);
    let (store, reference, call) = killed_while_ringing(order).await;
    let mut house = House::over(store, at("2026-11-23T09:00:10Z")).await;
    house.pbx.existing.lock().unwrap().insert(call);
    house.work();
    let purpose = house.callback(&reference).await.purpose();
    assert_eq!(
        house.services.callback_for(&purpose).unwrap().reference,
        reference
    );
    house.services.callback_connected(&purpose).await;
    let over = house.callback(&reference).await;
    assert_eq!(over.state, CallbackState::Completed(Completion::Reached));
}

#[tokio::test]
async fn killed_before_anything_was_dialled_the_promise_is_kept_after_the_restart() {
    let house = House::new().await;
    let reference = house.noted(1, soon("20304050")).await;
    let store = house.kill().await;
    let mut house = House::over(store, at("2026-11-23T09:01:00Z")).await;
    house.work();
    house.ringing().await.ends(Dialled::Answered);
    let over = house.until_over(&reference).await;
    assert_eq!(over.attempts.len(), 1);
}

#[tokio::test]
async fn killed_after_it_was_done_it_is_not_done_again() {
    let mut house = House::new().await;
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    house.ringing().await.ends(Dialled::Answered);
    house.until_over(&reference).await;
    let store = house.kill().await;
    let mut house = House::over(store, at("2026-11-23T10:00:00Z")).await;
    house.work();
    let next = house.noted(2, soon("20304051")).await;
    assert_eq!(house.ringing().await.dial.handoff.reference, Some(next));
    assert!(house.dials.try_recv().is_err());
}

#[tokio::test]
async fn when_the_pbx_does_not_answer_it_is_asked_and_nobody_is_dialled_twice() {
    let mut house = House::new().await;
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    let ringing = house.ringing().await;
    let call = ringing.dial.call;
    house.pbx.existing.lock().unwrap().insert(call);
    let mut asked = house.pbx.asked.subscribe();
    ringing.fails(PbxError::Unanswered {
        action: "Originate".to_owned(),
        after: Duration::from_secs(10),
    });
    timeout(PATIENCE, asked.changed()).await.unwrap().unwrap();
    assert_eq!(
        house.callback(&reference).await.state,
        CallbackState::Dialling
    );
    house.pbx.existing.lock().unwrap().clear();
    for _ in 0..2 {
        house.pass(5);
        timeout(PATIENCE, asked.changed()).await.unwrap().unwrap();
    }
    let waiting = house.until_waiting(&reference, 1).await;
    assert_eq!(waiting.attempts[0].outcome, Some(AttemptOutcome::Unknown));
    assert!(waiting.not_before >= at("2026-11-23T09:15:00Z"));
    assert!(house.dials.try_recv().is_err());
}

#[tokio::test]
async fn the_embedded_store_carries_callbacks_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let house = House::over(Store::open(&path).unwrap(), at(MONDAY)).await;
    let reference = house.noted(1, soon("20304050")).await;
    drop(house.kill().await);
    let store = Store::open(&path).unwrap();
    let mut house = House::over(store, at("2026-11-23T09:01:00Z")).await;
    house.work();
    house.ringing().await.ends(Dialled::Answered);
    house.until_over(&reference).await;
}
