//! What becomes of a callback, with a PBX that does what the test says.

use super::*;
use crate::pbx::DialOrder;

pub(super) fn waiting() -> Callback {
    Callback {
        reference: Reference("4F7K2".to_owned()),
        tenant: TenantId::from("lilleby"),
        department: DepartmentId::from("citizen_service"),
        queue: QueueName::from("citizen"),
        language: Language::DA,
        number: number("20304050"),
        name: None,
        reason: String::new(),
        due: Due::QueueShort,
        state: CallbackState::Waiting,
        made: at(MONDAY),
        not_before: at(MONDAY),
        expires: at("2026-11-25T09:00:00Z"),
        triggered: false,
        attempts: Vec::new(),
        history: Vec::new(),
    }
}

#[tokio::test]
async fn a_caller_is_called_back_when_the_queue_is_short() {
    let mut house = House::new().await;
    house.work();
    let reference = house.noted(1, soon("20304050")).await;
    let ringing = house.ringing().await;
    let dial = ringing.dial.clone();
    assert_eq!(dial.number, number("20304050"));
    assert_eq!(dial.queue, QueueName::from("citizen"));
    assert_eq!(dial.order, DialOrder::AgentFirst);
    assert_eq!(dial.caller_id, Some(number("70101010")));
    assert_eq!(dial.ring, Duration::from_secs(30));
    assert_eq!(dial.handoff.reference.as_ref(), Some(&reference));
    assert_eq!(
        dial.handoff.summary,
        "Tilbagekald for Lilleby Kommune, Borgerservice, til 20304050, om pas."
    );
    // Whatever happens from here on, the store knows of the attempt and its call.
    let stored = house.callback(&reference).await;
    assert_eq!(stored.state, CallbackState::Dialling);
    assert_eq!(stored.attempt_under_way().unwrap().call, dial.call);
    let known = house.services.callback_for(&dial.purpose).unwrap();
    assert_eq!(known.reference, reference);
    ringing.ends(Dialled::Answered);
    let over = house.until_over(&reference).await;
    assert_eq!(over.state, CallbackState::Completed(Completion::Reached));
    assert_eq!(
        house.services.callbacks(&Filter::default()).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn nobody_is_called_while_callers_wait_or_all_agents_talk() {
    let mut house = House::new().await;
    house.queue("citizen", 3, 1);
    house.work();
    house.noted(1, soon("20304050")).await;
    house.looks_and_dials_nobody().await;
    house.queue("citizen", 0, 0);
    house.looks_and_dials_nobody().await;
    house.queue("citizen", 0, 1);
    house.ringing().await;
}

#[tokio::test]
async fn no_more_are_dialled_than_agents_are_free() {
    let mut house = House::new().await;
    house.queue("citizen", 0, 2);
    let mut references = Vec::new();
    for (call, telephone) in [(1, "20304050"), (2, "20304051"), (3, "20304052")] {
        references.push(house.noted(call, soon(telephone)).await);
        house.pass(1);
    }
    house.work();
    let (first, second) = (house.ringing().await, house.ringing().await);
    assert_eq!(
        first.dial.number,
        number("20304050"),
        "the longest waiting first"
    );
    house.looks_and_dials_nobody().await;
    first.ends(Dialled::Answered);
    house.until_over(&references[0]).await;
    let third = house.ringing().await;
    assert_eq!(third.dial.number, number("20304052"));
    drop(second);
}

#[tokio::test]
async fn who_asks_twice_is_called_once() {
    let mut house = House::new().await;
    let reference = house.noted(1, soon("20304050")).await;
    let again = house.order(2, soon("+45 20 30 40 50")).await;
    assert_eq!(
        again,
        Done::AlreadyNoted {
            reference: reference.clone()
        }
    );
    assert_eq!(house.order(2, soon("20304050")).await, again);
    let elsewhere = house
        .noted(3, call_me("job_centre", "20304050", Due::QueueShort))
        .await;
    assert_ne!(elsewhere, reference);
    house.work();
    let mut queues = BTreeSet::new();
    for _ in 0..2 {
        queues.insert(house.ringing().await.dial.queue);
    }
    assert_eq!(queues.len(), 2);
    house
        .services
        .cancel_callback(&reference.0, "anna")
        .await
        .unwrap();
    let new = house.noted(4, soon("20304050")).await;
    assert_ne!(new, reference, "what is over does not stand in the way");
}

#[tokio::test]
async fn who_asks_again_for_another_time_is_called_at_the_time_heard_last() {
    let mut house = House::new().await;
    let chosen = |text: &str| call_me("citizen_service", "20304050", Due::At(at(text)));
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    house.ringing().await.ends(Dialled::NoAnswer);
    house.until_waiting(&reference, 1).await;
    let still = Done::AlreadyNoted {
        reference: reference.clone(),
    };
    // First "soon", then a chosen time: the chosen one is kept, and it lapses that much later.
    let friday = "2026-11-27T12:00:00Z";
    assert_eq!(house.order(2, chosen(friday)).await, still);
    let moved = house.callback(&reference).await;
    assert_eq!(
        (moved.due, moved.not_before, moved.expires),
        (Due::At(at(friday)), at(friday), at("2026-11-29T12:00:00Z"))
    );
    assert_eq!(moved.attempts.len(), 1, "what was tried stays tried");
    house.clock.set(at("2026-11-23T09:30:00Z"));
    house.two_passes().await;
    assert!(house.dials.try_recv().is_err(), "called before the time");
    // First a chosen time, then "soon": nobody waits until Friday.
    assert_eq!(house.order(3, soon("20304050")).await, still);
    assert_eq!(house.callback(&reference).await.due, Due::QueueShort);
    let ringing = house.ringing().await;
    assert_eq!(ringing.dial.handoff.reference.as_ref(), Some(&reference));
    // While it rings, the next time asked for disturbs nothing.
    assert_eq!(house.order(4, chosen(friday)).await, still);
    let under_way = house.callback(&reference).await;
    assert_eq!(under_way.state, CallbackState::Dialling);
    assert_eq!(under_way.due, Due::QueueShort);
    ringing.ends(Dialled::Answered);
    house.until_over(&reference).await;
}

#[tokio::test]
async fn who_does_not_answer_is_tried_again_after_the_gap_and_then_given_up_with_a_mail() {
    let mut house = House::new().await;
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    house.ringing().await.ends(Dialled::NoAnswer);
    let once = house.until_waiting(&reference, 1).await;
    assert_eq!(once.not_before, at("2026-11-23T09:15:00Z"));
    house.clock.set(at("2026-11-23T09:14:59Z"));
    assert!(house.dials.try_recv().is_err());
    house.clock.set(at("2026-11-23T09:15:00Z"));
    house.ringing().await.ends(Dialled::Busy);
    let twice = house.until_waiting(&reference, 2).await;
    assert_eq!(
        twice.not_before,
        at("2026-11-23T09:20:00Z"),
        "a busy line is soon free"
    );
    house.clock.set(at("2026-11-23T09:20:00Z"));
    house.ringing().await.ends(Dialled::NoAnswer);
    let over = house.until_over(&reference).await;
    assert_eq!(over.state, CallbackState::Failed(Failure::NotReached));
    let mails = house.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, "borgerservice@lilleby.example");
    let body = mails[0]
        .letter
        .clone()
        .unwrap()
        .body
        .replace(&reference.0, "XXXXX");
    insta::assert_snapshot!(body, @r#"
    Lilleby Kommune har lovet at ringe en borger op fra Borgerservice. Det er ikke lykkedes.

    Reference:   XXXXX
    Lovet:       2026-11-23 10:00
    Telefon:     20304050
    Navn:        ikke oplyst
    Sprog:       da
    Emne:        pas
    Årsag:       borgeren svarede ikke
    Forsøg:      3
      2026-11-23 10:00  intet svar
      2026-11-23 10:15  optaget
      2026-11-23 10:20  intet svar

    Borgeren venter stadig på at høre fra jer.
    "#);
}

#[tokio::test]
async fn when_no_agent_takes_it_that_is_no_attempt() {
    let mut house = House::new().await;
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    for times in 1..=5 {
        house.ringing().await.ends(Dialled::NoAgent);
        let callback = house.until_waiting(&reference, times).await;
        assert_eq!(callback.counted_attempts(), 0);
        house.clock.set(callback.not_before);
    }
    house.ringing().await.ends(Dialled::Answered);
    let over = house.until_over(&reference).await;
    assert_eq!(over.state, CallbackState::Completed(Completion::Reached));
}

#[tokio::test]
async fn a_number_that_does_not_exist_is_never_dialled_again() {
    let mut house = House::new().await;
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    house.ringing().await.ends(Dialled::InvalidNumber);
    let over = house.until_over(&reference).await;
    assert_eq!(over.state, CallbackState::Failed(Failure::InvalidNumber));
    assert!(
        house.mails().await[0]
            .letter
            .clone()
            .unwrap()
            .body
            .contains("nummeret findes ikke")
    );
}

#[tokio::test]
async fn the_caller_who_got_through_meanwhile_is_not_called() {
    let mut house = House::new().await;
    house.queue("citizen", 3, 0);
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    house.looks_and_dials_nobody().await;
    let (tenant, department) = (
        TenantId::from("lilleby"),
        DepartmentId::from("citizen_service"),
    );
    let services = house.services.clone();
    services
        .caller_got_through(&tenant, &department, &number("20304051"))
        .await;
    assert_eq!(
        house.callback(&reference).await.state,
        CallbackState::Waiting
    );
    services
        .caller_got_through(&tenant, &department, &number("20304050"))
        .await;
    let over = house.callback(&reference).await;
    assert_eq!(over.state, CallbackState::Completed(Completion::GotThrough));
    house.queue("citizen", 0, 5);
    let next = house.noted(2, soon("20304099")).await;
    assert_eq!(house.ringing().await.dial.handoff.reference, Some(next));
    assert!(house.dials.try_recv().is_err());
}

#[tokio::test]
async fn the_telephone_of_a_caller_who_gets_through_while_it_rings_is_hung_up() {
    let mut house = House::new().await;
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    let ringing = house.ringing().await;
    let (tenant, department) = (
        TenantId::from("lilleby"),
        DepartmentId::from("citizen_service"),
    );
    house
        .services
        .caller_got_through(&tenant, &department, &number("20304050"))
        .await;
    assert_eq!(*house.pbx.hung_up.lock().unwrap(), [ringing.dial.call]);
    ringing.ends(Dialled::NoAnswer);
    // What the PBX says of it afterwards changes nothing.
    let next = house.noted(2, soon("20304051")).await;
    house.ringing().await.ends(Dialled::Answered);
    house.until_over(&next).await;
    let over = house.callback(&reference).await;
    assert_eq!(over.state, CallbackState::Completed(Completion::GotThrough));
}

#[tokio::test]
async fn out_of_hours_a_callback_waits_for_the_next_opening_over_holidays_too() {
    // The evening before Christmas Eve, a Wednesday; the next opening is Monday.
    let mut house = House::over(Store::in_memory(), at("2026-12-23T18:00:00Z")).await;
    let reference = house.noted(1, soon("20304050")).await;
    let callback = house.callback(&reference).await;
    assert_eq!(callback.not_before, at("2026-12-28T08:00:00Z"));
    assert!(callback.expires > callback.not_before);
    house.work();
    house.clock.set(at("2026-12-24T09:30:00Z"));
    house.clock.set(at("2026-12-28T07:59:59Z"));
    assert!(house.dials.try_recv().is_err());
    house.clock.set(at("2026-12-28T08:00:00Z"));
    house.ringing().await;
}

#[tokio::test]
async fn a_department_that_closes_while_callers_wait_calls_them_when_it_opens() {
    let mut house = House::new().await;
    house.queue("citizen", 9, 0);
    let reference = house.noted(1, soon("20304050")).await;
    house.work();
    house.looks_and_dials_nobody().await;
    house.clock.set(at("2026-11-23T14:00:00Z"));
    let moved = house
        .until(&reference, |it| it.not_before == at("2026-11-24T08:00:00Z"))
        .await;
    assert_eq!(moved.history.last().unwrap().what, Happening::PutOff);
    house.queue("citizen", 0, 2);
    house.clock.set(at("2026-11-24T08:00:00Z"));
    house.ringing().await;
}

#[tokio::test]
async fn a_chosen_time_is_kept_even_when_callers_wait() {
    let mut house = House::new().await;
    house.queue("citizen", 9, 1);
    let wanted = at("2026-11-23T12:00:00Z");
    house
        .noted(1, call_me("citizen_service", "20304050", Due::At(wanted)))
        .await;
    house.work();
    house.clock.set(at("2026-11-23T11:59:59Z"));
    assert!(house.dials.try_recv().is_err());
    house.clock.set(wanted);
    assert_eq!(house.ringing().await.dial.number, number("20304050"));
}

#[tokio::test]
async fn a_chosen_time_that_is_over_or_outside_the_hours_is_refused_and_changes_nothing() {
    let house = House::new().await;
    let standing = house.noted(1, soon("20304050")).await;
    let before = house.callback(&standing).await;
    let tenant = TenantId::from("lilleby");
    let mut said = Vec::new();
    for (call, time) in [
        (2, "2026-11-23T08:59:00Z"),
        (3, "2026-11-23T14:00:00Z"),
        (4, "2026-11-23T18:00:00Z"),
        (5, "2026-11-28T09:00:00Z"),
        (6, "2026-11-24T07:59:00Z"),
    ] {
        let order = call_me("citizen_service", "20304050", Due::At(at(time)));
        let Done::Refused { reason } = house.order(call, order.clone()).await else {
            panic!("promised for {time}");
        };
        let Order::Callback(order) = order else {
            unreachable!()
        };
        let told = house.services.add_callback(&tenant, order, "anna").await;
        assert_eq!(told.unwrap_err().to_string(), reason, "a supervisor too");
        said.push(reason);
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    2026-11-23T08:59:00Z is over: choose a time to come
    citizen_service of lilleby is closed at 2026-11-23 15:00: it opens at 2026-11-24 09:00
    citizen_service of lilleby is closed at 2026-11-23 19:00: it opens at 2026-11-24 09:00
    citizen_service of lilleby is closed at 2026-11-28 10:00: it opens at 2026-11-30 09:00
    citizen_service of lilleby is closed at 2026-11-24 08:59: it opens at 2026-11-24 09:00
    "#);
    assert_eq!(house.callback(&standing).await, before);
    for (call, number, time) in [
        (7, "20304051", MONDAY),
        (8, "20304052", "2026-11-24T08:00:00Z"),
        (9, "20304053", "2026-11-24T13:59:00Z"),
    ] {
        let order = call_me("citizen_service", number, Due::At(at(time)));
        let kept = house.noted(call, order).await;
        assert_eq!(house.callback(&kept).await.not_before, at(time));
    }
}

#[tokio::test]
async fn an_order_given_again_after_its_time_is_answered_as_before() {
    let house = House::new().await;
    let order = call_me(
        "citizen_service",
        "20304050",
        Due::At(at("2026-11-23T10:00:00Z")),
    );
    let reference = house.noted(1, order.clone()).await;
    house.clock.set(at("2026-11-23T10:00:01Z"));
    assert_eq!(house.order(1, order).await, Done::Noted { reference });
}

#[tokio::test]
async fn what_could_not_be_done_in_time_is_given_up_with_a_mail() {
    let mut house = House::new().await;
    house.queue("citizen", 9, 0);
    let one = house.noted(1, soon("20304050")).await;
    let two = house.noted(2, soon("20304051")).await;
    house.work();
    house.looks_and_dials_nobody().await;
    house.clock.set(at("2026-11-25T10:00:00Z"));
    for reference in [&one, &two] {
        let over = house.until_over(reference).await;
        assert_eq!(over.state, CallbackState::Failed(Failure::Expired));
    }
    let mails = house.mails().await;
    assert_eq!(mails.len(), 2);
    assert!(
        mails[0]
            .letter
            .clone()
            .unwrap()
            .body
            .contains("fristen er udløbet")
    );
}

#[tokio::test]
async fn caller_first_is_done_when_the_caller_confirmed_and_reached_the_agents() {
    let mut house = House::new().await;
    let reference = house
        .noted(1, call_me("job_centre", "20304050", Due::QueueShort))
        .await;
    house.work();
    let ringing = house.ringing().await;
    assert_eq!(ringing.dial.order, DialOrder::CallerFirst);
    let purpose = ringing.dial.purpose.clone();
    house.pbx.existing.lock().unwrap().insert(ringing.dial.call);
    ringing.ends(Dialled::Answered);
    house
        .until(&reference, |it| it.state == CallbackState::Connecting)
        .await;
    house.pass(600);
    assert!(house.services.callback_for(&purpose).is_some());
    house.services.callback_connected(&purpose).await;
    let over = house.callback(&reference).await;
    assert_eq!(over.state, CallbackState::Completed(Completion::Reached));
    assert_eq!(house.services.callback_for(&purpose), None);
}

#[tokio::test]
async fn caller_first_answered_by_a_machine_counts_as_not_answered() {
    let mut house = House::new().await;
    let reference = house
        .noted(1, call_me("job_centre", "20304050", Due::QueueShort))
        .await;
    house.work();
    house.ringing().await.ends(Dialled::Answered);
    let mut asked = house.pbx.asked.subscribe();
    timeout(PATIENCE, asked.changed()).await.unwrap().unwrap();
    house.pass(5);
    let waiting = house.until_waiting(&reference, 1).await;
    assert_eq!(
        waiting.attempts[0].outcome,
        Some(AttemptOutcome::NotConfirmed)
    );
    assert_eq!(waiting.counted_attempts(), 1);
    assert!(waiting.not_before >= at("2026-11-23T09:15:00Z"));
}

#[tokio::test]
async fn the_emergency_stop_holds_all_dialling_until_it_is_lifted() {
    let mut house = House::new().await;
    let tenant = TenantId::from("lilleby");
    for whose in [None, Some(&tenant)] {
        house.services.stop_dialling(whose, "anna").await.unwrap();
        assert!(house.services.dialling_is_stopped(&tenant).await.unwrap());
    }
    let reference = house.noted(1, soon("20304050")).await;
    house
        .services
        .trigger_callback(&reference.0, "anna")
        .await
        .unwrap();
    house.work();
    house.two_passes().await;
    assert!(house.dials.try_recv().is_err());
    house.services.resume_dialling(None, "anna").await.unwrap();
    house.two_passes().await;
    assert!(house.services.dialling_is_stopped(&tenant).await.unwrap());
    assert_eq!(
        house.callback(&reference).await.state,
        CallbackState::Waiting
    );
    assert!(house.dials.try_recv().is_err());
    house
        .services
        .resume_dialling(Some(&tenant), "anna")
        .await
        .unwrap();
    house.ringing().await;
}

#[tokio::test]
async fn when_the_doors_close_nobody_is_dialled_any_more_and_who_is_being_dialled_is_reached() {
    let mut house = House::new().await;
    house.queue("citizen", 0, 5);
    house.work();
    let being_dialled = house.noted(1, soon("20304050")).await;
    let ringing = house.ringing().await;
    house.closing.cancel();
    let due = house.noted(2, soon("20304051")).await;
    let triggered = house.noted(3, soon("20304052")).await;
    let trigger = house.services.trigger_callback(&triggered.0, "anna");
    trigger.await.unwrap();
    house.two_passes().await;
    for reference in [&due, &triggered] {
        let kept = house.callback(reference).await;
        assert_eq!(kept.state, CallbackState::Waiting);
        assert_eq!(kept.attempts, []);
    }
    assert!(house.dials.try_recv().is_err());
    ringing.ends(Dialled::Answered);
    let over = house.until_over(&being_dialled).await;
    assert_eq!(over.state, CallbackState::Completed(Completion::Reached));
}

#[tokio::test]
async fn a_supervisor_adds_triggers_and_cancels() {
    let mut house = House::over(Store::in_memory(), at("2026-11-22T12:00:00Z")).await;
    house.work();
    let Order::Callback(order) = soon("20304050") else {
        unreachable!()
    };
    let tenant = TenantId::from("lilleby");
    let done = house
        .services
        .add_callback(&tenant, order, "anna")
        .await
        .unwrap();
    let Done::Noted { reference } = done else {
        panic!("{done:?}")
    };
    let listed = house.services.callbacks(&Filter::default()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].history[0].by.as_deref(), Some("anna"));
    // Sunday; the supervisor wants it now.
    let typed = format!(" {} ", reference.0.to_lowercase());
    house.services.trigger_callback(&typed, "bo").await.unwrap();
    let ringing = house.ringing().await;
    let error = house
        .services
        .trigger_callback(&reference.0, "bo")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string().replace(&reference.0, "XXXXX"),
        "callback XXXXX is being dialled: only one that waits can be triggered"
    );
    house
        .services
        .cancel_callback(&reference.0, "bo")
        .await
        .unwrap();
    assert_eq!(*house.pbx.hung_up.lock().unwrap(), [ringing.dial.call]);
    let cancelled = house.callback(&reference).await;
    assert_eq!(cancelled.state, CallbackState::Cancelled);
    let last = cancelled.history.last().unwrap();
    assert_eq!(
        (last.what, last.by.as_deref()),
        (Happening::Cancelled, Some("bo"))
    );
    assert!(
        house
            .services
            .cancel_callback(&reference.0, "bo")
            .await
            .is_err()
    );
    assert!(house.services.find_callback("XXXXX").await.is_err());
    let over = Filter {
        over: true,
        ..Filter::default()
    };
    assert_eq!(house.services.callbacks(&over).await.unwrap().len(), 1);
}
