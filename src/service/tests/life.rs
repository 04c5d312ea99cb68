//! A callback's life under any order of outcomes, as plain values.

use proptest::prelude::*;

use super::callbacks::waiting;
use super::*;
use crate::flow::CallbackRules;

fn outcome() -> impl Strategy<Value = AttemptOutcome> {
    prop::sample::select(vec![
        AttemptOutcome::Connected,
        AttemptOutcome::Busy,
        AttemptOutcome::NoAnswer,
        AttemptOutcome::NotConfirmed,
        AttemptOutcome::NoAgent,
        AttemptOutcome::InvalidNumber,
        AttemptOutcome::Failed,
        AttemptOutcome::NotPlaced,
        AttemptOutcome::Unknown,
    ])
}

proptest! {
    #[test]
    fn a_telephone_rings_so_often_at_most_with_gaps_between_and_inside_the_hours(
        outcomes in prop::collection::vec((outcome(), 0_u32..120), 1..200),
        attempts in 1_u32..6,
        gap_minutes in 0_u32..90,
    ) {
        let rules = CallbackRules { attempts, gap_minutes, ..CallbackRules::default() };
        let tenant = lilleby();
        let opening = opening(&tenant, &tenant.departments[&DepartmentId::from("citizen_service")]).unwrap();
        let mut callback = waiting();
        let mut now = callback.not_before;
        let mut rang: Vec<Timestamp> = Vec::new();
        for (index, (outcome, seconds)) in outcomes.into_iter().enumerate() {
            if callback.state != CallbackState::Waiting {
                break;
            }
            prop_assert!(opening.is_open(callback.not_before));
            prop_assert!(callback.not_before < callback.expires);
            now = now.max(callback.not_before);
            let call = call_id(index as u128);
            if let Some(before) = rang.last() {
                let least = if callback.attempts.last().unwrap().outcome == Some(AttemptOutcome::NotPlaced) { 15 } else { 60 };
                prop_assert!(now.duration_since(*before).as_secs() >= least);
            }
            prop_assert!(callback.begin(call, now));
            prop_assert!(!callback.begin(call_id(9999), now), "dialled beside itself");
            now += jiff::SignedDuration::from_secs(i64::from(seconds));
            prop_assert!(!callback.end(call_id(9999), outcome, now, &rules, Some(&opening)));
            prop_assert!(callback.end(call, outcome, now, &rules, Some(&opening)));
            prop_assert!(!callback.end(call, outcome, now, &rules, Some(&opening)), "ended twice");
            if outcome.is_counted() {
                rang.push(now);
            }
            prop_assert!(callback.counted_attempts() <= attempts);
            let is_done = matches!(callback.state, CallbackState::Completed(_));
            prop_assert_eq!(is_done, outcome == AttemptOutcome::Connected);
            prop_assert!(callback.history.len() <= 200 && callback.attempts.len() <= 100);
        }
        prop_assert_eq!(rang.len() as u32, callback.counted_attempts());
    }
}
