use std::collections::BTreeMap;
use std::sync::Arc;

use super::story::{Shortfall, moment, play};
use super::*;
use crate::dialog::{Note, Say};
use crate::flow::{Flow, Phrases, Shelf, Tenant, story::Story};

const TENANT: &str = r#"
tenant: lilleby
name: { da: "Lilleby Kommune", en: "Lilleby" }
numbers: ["70101010"]
languages: [da, en]
hours: { mon-fri: "08:00-16:00" }
departments:
  desk:
    name: { da: "Borgerservice", en: "the citizen desk" }
    queue: desk_queue
    mail: desk@example.org
operator: desk
modules: [message]
mail: { from: "hotline@example.org" }
notices: { flood: { da: "Der er oversvømmelse.", en: "There is a flood." } }
"#;

const FLOW: &str = r#"
flow: reception
start: greet
states:
  greet:
    - notices: {}
    - say: { da: "Velkommen.", en: "Welcome." }
    - ask:
        say: { da: "Tast et.", en: "Press one." }
        for: { digits: { min: 2, max: 8 } }
        into: number
        tries: 2
    - set: { reason: "number" }
    - goto: note
  note:
    - say: { da: "Læg en besked.", en: "Leave a message." }
    - record:
        say: { da: "Efter tonen.", en: "After the tone." }
        into: words
        otherwise: [ { transfer: { department: "operator.id", reason: "nothing said" } } ]
    - message:
        department: "'desk'"
        recording: words
        subject: "about {{ number }}"
        into: ref
        otherwise: [ { say: { da: "Det gik ikke.", en: "That failed." } }, { hangup: {} } ]
    - transfer: { department: "'desk'", priority: 5, reason: "reference {{ ref }}" }
"#;

fn playbook() -> Arc<Playbook> {
    let tenant: Tenant = serde_saphyr::from_str(TENANT).unwrap();
    let flow: Flow = serde_saphyr::from_str(FLOW).unwrap();
    let phrases = Phrases {
        not_heard: [(Language::DA, "Jeg hørte intet.".to_owned())].into(),
        ..Phrases::default()
    };
    let shelf = Shelf {
        tenant,
        flows: [(flow.flow.clone(), Arc::new(flow))].into(),
        phrases: Arc::new(phrases),
        intents: BTreeMap::new(),
    };
    Arc::new(Playbook::new(Arc::new(shelf)).unwrap())
}

fn begun() -> Rehearsal {
    let playbook = playbook();
    let now = moment("2026-11-24 10:00", &playbook).unwrap();
    Rehearsal::begin(playbook, Opening::default(), now)
}

fn keys(text: &str) -> Vec<Key> {
    story::keys_of(text).unwrap()
}

fn told(story: &str) -> Vec<Shortfall> {
    let story: Story = serde_saphyr::from_str(story).unwrap();
    play(&playbook(), &story).shortfalls
}

fn said(rehearsal: &Rehearsal) -> Vec<&str> {
    let texts = rehearsal
        .entries()
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Command(Command::Say(Say { text, .. })) => Some(text.as_str()),
            _ => None,
        });
    texts.collect()
}

#[test]
fn a_call_goes_from_keys_to_a_recording_to_a_queue_without_any_waiting() {
    let mut rehearsal = begun();
    rehearsal.presses(keys("45#")).unwrap();
    assert!(rehearsal.is_recording());
    rehearsal.records("jeg har mistet mit pas").unwrap();
    assert_eq!(rehearsal.outcome(), Some(Outcome::Transferred));
    assert_eq!(rehearsal.dialog().slot("ref"), Some(&"TEST1".into()));
    assert_eq!(rehearsal.presses(keys("1")), Err(Misplaced::Over));
}

#[test]
fn silence_moves_the_clock_to_the_deadline_and_no_further() {
    let mut rehearsal = begun();
    let before = rehearsal.now();
    rehearsal.is_silent().unwrap();
    assert_eq!((rehearsal.now() - before).get_seconds(), 6);
    assert_eq!(said(&rehearsal)[2], "Jeg hørte intet.");
}

#[test]
fn a_pause_after_keys_counts_as_the_end_of_the_number() {
    let mut rehearsal = begun();
    rehearsal.presses(keys("4512")).unwrap();
    assert!(!rehearsal.is_recording());
    rehearsal.is_silent().unwrap();
    assert!(rehearsal.is_recording());
}

#[test]
fn an_order_that_is_held_back_can_fail() {
    let mut rehearsal = begun();
    rehearsal.presses(keys("45#")).unwrap();
    rehearsal.hold_orders(true);
    rehearsal.records("hej").unwrap();
    assert!(rehearsal.open_order().is_some());
    rehearsal.order_fails("disk full").unwrap();
    assert_eq!(rehearsal.outcome(), Some(Outcome::Completed));
    assert!(said(&rehearsal).contains(&"Det gik ikke."));
}

#[test]
fn a_transfer_that_fails_twice_ends_in_the_ordinary_queue() {
    let mut rehearsal = begun();
    rehearsal.presses(keys("45#")).unwrap();
    rehearsal.records("hej").unwrap();
    rehearsal.transfer_fails("no such queue").unwrap();
    assert_eq!(rehearsal.outcome(), Some(Outcome::Transferred));
    rehearsal.transfer_fails("no such queue").unwrap();
    assert_eq!(rehearsal.outcome(), Some(Outcome::FellBack));
}

#[test]
fn words_are_refused_while_the_recorder_runs_and_when_speech_is_gone() {
    let mut rehearsal = begun();
    rehearsal.speech_fails().unwrap();
    let heard = Heard::written(Language::DA, "hej");
    assert_eq!(rehearsal.says(heard.clone()), Err(Misplaced::NotListening));
    rehearsal.presses(keys("45#")).unwrap();
    assert_eq!(rehearsal.says(heard), Err(Misplaced::Recording));
}

#[test]
fn what_happened_reads_as_one_object_an_entry() {
    let rehearsal = begun();
    let first = serde_json::to_value(&rehearsal.entries()[1]).unwrap();
    assert_eq!(
        first,
        serde_json::json!({ "time": "2026-11-24T09:00:00Z", "event": "answered" })
    );
    for entry in rehearsal.entries() {
        let text = serde_json::to_string(entry).unwrap();
        assert_eq!(&serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
    let states = rehearsal.entries().iter().filter(|entry| {
        matches!(
            &entry.what,
            What::Command(Command::Note(Note::State { .. }))
        )
    });
    assert_eq!(states.count(), 1);
}

#[test]
fn a_story_that_holds_has_no_shortfalls() {
    let shortfalls = told(
        r#"
name: a message
at: "2026-11-24 10:00"
caller: "+4570101017"
notices: { flood: {} }
turns:
  - expect: { says: ["oversvømmelse", "velkommen"], state: greet, language: da, record: false }
  - caller presses: "45#"
  - expect: { record: true, slots: { number: "45" } }
  - caller records: "jeg har mistet mit pas"
  - expect:
      message: { department: desk, about: "45", recording: "mistet ... pas", number: "70101017" }
      transfer: desk
      priority: 5
      reason: "reference test1"
      hangup: false
"#,
    );
    assert_eq!(shortfalls, []);
}

#[test]
fn a_story_tells_every_part_that_went_another_way() {
    let shortfalls = told(
        r#"
name: all wrong
at: "2026-11-24 10:00"
turns:
  - expect: { says: "farvel", says_not: "velkommen", state: note, language: en, hangup: true }
  - caller presses: "45#"
  - caller records: "hej"
  - expect: { transfer: elsewhere, priority: 1, callback: {}, message: { about: "pas" } }
"#,
    );
    let fields: Vec<_> = shortfalls.iter().map(|it| (it.turn, it.field)).collect();
    assert_eq!(
        fields,
        [
            (Some(0), Some("says")),
            (Some(0), Some("says_not")),
            (Some(0), Some("hangup")),
            (Some(0), Some("state")),
            (Some(0), Some("language")),
            (Some(3), Some("transfer")),
            (Some(3), Some("priority")),
            (Some(3), Some("callback")),
            (Some(3), Some("message")),
        ]
    );
    insta::assert_snapshot!(shortfalls[8], @r#"
    expected message with about "pas"
         got "about 45"
    "#);
}

#[test]
fn a_failed_order_may_be_told_after_the_turn_that_made_it() {
    let shortfalls = told(
        r#"
name: a full disk
at: "2026-11-24 10:00"
turns:
  - caller presses: "45#"
  - caller records: "hej"
  - expect: { message: { department: desk } }
  - order fails: "disk full"
  - expect: { says: "det gik ikke", hangup: true }
"#,
    );
    assert_eq!(shortfalls, []);
}

#[test]
fn a_story_stops_at_a_turn_that_cannot_be_taken() {
    let shortfalls = told(
        r#"
name: too late
at: "2026-11-24 10:00"
turns:
  - caller hangs up: {}
  - caller presses: "1"
  - expect: { says: "velkommen" }
"#,
    );
    assert_eq!(shortfalls.len(), 1);
    assert_eq!(shortfalls[0].came, "the call is over; nothing");
}

#[test]
fn a_story_at_no_time_says_so() {
    let shortfalls = told("{ name: when, at: \"tomorrow\", turns: [] }");
    assert_eq!(shortfalls[0].turn, None);
}

const ANSWERS: &str = r#"
flow: reception
start: sure
states:
  sure:
    - ask:
        say: { da: "Er det rigtigt?", en: "Is that right?" }
        for: yes_no
        into: sure
        barge_in: keys
    - ask:
        say: { da: "Hvad er nummeret?", en: "What is the number?" }
        for: { digits: { min: 4, max: 4 } }
        into: number
        confirm: false
    - ask:
        say: { da: "Hvilken dag?", en: "Which day?" }
        for: date
        into: day
        patience: 900ms
        confirm: false
    - hangup: {}
"#;

/// Begins a dialog of questions that are answered shortly.
fn asked() -> (Dialog, Timestamp) {
    let mut shelf = Shelf::clone(&playbook().shelf);
    let flow: Flow = serde_saphyr::from_str(ANSWERS).unwrap();
    shelf.flows = [(flow.flow.clone(), Arc::new(flow))].into();
    let playbook = Arc::new(Playbook::new(Arc::new(shelf)).unwrap());
    let now = moment("2026-11-24 10:00", &playbook).unwrap();
    let mut dialog = Dialog::new(playbook, Caller::default(), None);
    dialog.handle(Event::Answered, now);
    (dialog, now)
}

/// Tells whether words so far are enough of an answer.
fn is_enough(dialog: &mut Dialog, words: &str, now: Timestamp) -> bool {
    let so_far = Heard::written(Language::DA, words);
    let commands = dialog.handle(Event::Partial(so_far), now);
    assert!(
        commands.iter().all(|it| *it == Command::Enough),
        "{commands:?}"
    );
    !commands.is_empty()
}

#[test]
fn words_so_far_are_enough_when_nothing_can_follow() {
    let (mut dialog, now) = asked();
    for (words, enough) in [
        ("ja", true),
        ("nej tak", true),
        ("ja det er det", true),
        ("ja men", false),
        ("ja [unk]", false),
        ("øh", false),
        ("måske", false),
    ] {
        assert_eq!(is_enough(&mut dialog, words, now), enough, "{words}");
    }
    dialog.handle(Event::Heard(Heard::written(Language::DA, "ja")), now);
    for (words, enough) in [
        ("fire to syv", false),
        ("fire to syv nul", true),
        ("fire to syv nul otte", false),
        ("nummeret er øh", false),
    ] {
        assert_eq!(is_enough(&mut dialog, words, now), enough, "{words}");
    }
    dialog.handle(
        Event::Heard(Heard::written(Language::DA, "fire to syv nul")),
        now,
    );
    for (words, enough) in [
        ("i morgen", true),
        ("den tredje december", true),
        ("på mandag", false),
        ("den tredje", false),
    ] {
        assert_eq!(is_enough(&mut dialog, words, now), enough, "{words}");
    }
}

#[test]
fn a_question_tells_the_ear_its_own_pause() {
    let (mut dialog, now) = asked();
    dialog.handle(Event::Heard(Heard::written(Language::DA, "ja")), now);
    let commands = dialog.handle(
        Event::Heard(Heard::written(Language::DA, "fire to syv nul")),
        now,
    );
    let patience = commands.iter().find_map(|it| match it {
        Command::Listen(listen) => listen.patience,
        _ => None,
    });
    assert_eq!(patience, Some(std::time::Duration::from_millis(900)));
}

#[test]
fn a_sign_that_the_caller_listens_is_no_answer_unless_it_answers() {
    let (mut dialog, now) = asked();
    let meant =
        |dialog: &Dialog, words: &str| dialog.is_meant(&Heard::written(Language::DA, words), now);
    assert!(!dialog.is_meant(&Heard::default(), now));
    assert!(!meant(&dialog, "[unk]"));
    assert!(!meant(&dialog, "mhm"));
    assert!(meant(&dialog, "ja"));
    dialog.handle(Event::Heard(Heard::written(Language::DA, "ja")), now);
    assert!(!meant(&dialog, "ja okay"));
    assert!(meant(&dialog, "fire to syv nul"));
    assert!(meant(&dialog, "jeg kan ikke huske det"));
}
