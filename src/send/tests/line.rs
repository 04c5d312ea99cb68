//! The queue under any order of successes, refusals and kills: nothing is lost, nobody is
//! overtaken.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::send::queue::{self, Ending, Rules};

#[derive(Clone, Copy, Debug)]
enum Step {
    Queue(u8),
    Sent,
    NotTried,
    Later(u16),
    Never,
    Kill,
    Wait(u32),
    Revive(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_u8..3).prop_map(Step::Queue),
        6 => Just(Step::Sent),
        2 => Just(Step::NotTried),
        3 => (0_u16..600).prop_map(Step::Later),
        1 => Just(Step::Never),
        2 => Just(Step::Kill),
        3 => (0_u32..7200).prop_map(Step::Wait),
        1 => (0_u8..20).prop_map(Step::Revive),
    ];
    prop::collection::vec(step, 1..60)
}

fn new_mail(number: u128, to: u8) -> NewMail {
    let mut new = mail(number, &format!("r{to}@lilleby.example"));
    if let Some(escalation) = &mut new.escalation {
        escalation.overdue = Some(at("2026-11-23T10:00:00Z"));
    }
    new
}

/// Runs one step on the store and notes the numbers of mails that were taken by a server.
fn run(
    tx: &mut dyn crate::store::Transaction,
    rules: Rules<'_>,
    step: Step,
    queued: &mut u128,
    sent: &mut Vec<(String, u64)>,
) -> Result<(), StoreError> {
    queue::escalate_overdue(tx, rules)?;
    match step {
        Step::Queue(to) => {
            *queued += 1;
            queue::enqueue(tx, rules, &new_mail(*queued, to))?;
        }
        Step::Wait(_) => {}
        Step::Revive(which) => {
            let id = MailId(uuid::Uuid::from_u128(u128::from(which)));
            queue::revive(tx, rules, id)?;
        }
        Step::Sent | Step::NotTried | Step::Later(_) | Step::Never | Step::Kill => {
            let Some((due, number)) = queue::first_due(tx)? else {
                return Ok(());
            };
            if due > rules.now {
                return Ok(());
            }
            let begun = queue::begin(tx, number, rules.now)?.expect("what is due can begin");
            let ending = match step {
                Step::Sent => {
                    sent.push((begun.to, number));
                    Ending::Sent("250".to_owned())
                }
                Step::NotTried => Ending::NotTried("away".to_owned()),
                Step::Later(seconds) => Ending::Later {
                    at: rules.now + SignedDuration::from_secs(i64::from(seconds)),
                    words: "451".to_owned(),
                    perhaps_sent: false,
                },
                Step::Never => Ending::Never("550".to_owned()),
                _ => {
                    queue::recover(tx, rules.now)?;
                    return Ok(());
                }
            };
            queue::end(tx, rules, number, &ending)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_mail_ends_as_sent_or_dead_in_the_order_of_its_line(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = Store::in_memory();
        let letters = Arc::new(Letters::built_in());
        let mut now = at("2026-11-23T09:00:00Z");
        let (mut queued, mut sent) = (0, Vec::new());
        let mut revived = false;
        // Whatever was done, in the end the server is well for long enough.
        let well = std::iter::repeat_n([Step::Wait(7200), Step::Sent], 400).flatten();
        for step in steps.into_iter().chain(well) {
            if let Step::Wait(seconds) = step {
                now += SignedDuration::from_secs(i64::from(seconds)).min(SignedDuration::from_mins(11));
            }
            revived |= matches!(step, Step::Revive(_));
            let letters = letters.clone();
            let (before, mut list) = (queued, std::mem::take(&mut sent));
            let outcome = runtime.block_on(store.write(move |tx| {
                let rules = Rules { now, lifetime: SignedDuration::from_hours(72), letters: &letters };
                let (mut queued, mut list) = (before, std::mem::take(&mut list));
                run(tx, rules, step, &mut queued, &mut list)?;
                Ok::<_, StoreError>((queued, list))
            }));
            (queued, sent) = outcome.unwrap();
        }
        let waiting = runtime.block_on(store.read(queue::waiting)).unwrap();
        prop_assert_eq!(waiting, 0);
        let mut numbers: Vec<u64> = sent.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        let all = numbers.len();
        numbers.dedup();
        prop_assert_eq!(numbers.len(), all, "sent twice");
        for number in 1..=queued {
            let id = MailId(uuid::Uuid::from_u128(number));
            let mail = runtime.block_on(store.read(move |view| queue::find(view, id))).unwrap().unwrap();
            prop_assert!(matches!(mail.state, MailState::Sent | MailState::Dead), "{:?}", mail);
        }
        if !revived {
            let mut last: BTreeMap<String, u64> = BTreeMap::new();
            for (to, number) in sent {
                let before = last.insert(to, number).unwrap_or(0);
                prop_assert!(before < number, "overtaken");
            }
        }
    }
}
