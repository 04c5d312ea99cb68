//! Callers who speak German, of which the program knows only what text files say: heard by the
//! ears, understood and answered by the dialog of a tenant that lists the language.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hotline::dialog::{self, Command, Dialog, Event, Playbook, Target};
use hotline::flow::Library;
use hotline::speech::{Ear, EarEvent, Ears};
use jiff::Timestamp;

use super::{Caller, DA, DE, EN, Language, config, fixture, hear, open, require, vosk};

/// A call to Grænseby on a Tuesday at ten, and what has come of it.
struct Call {
    dialog: Dialog,
    now: Timestamp,
    ear: Ear,
    said: Vec<(Language, String)>,
    queue: Option<String>,
    told: Option<Language>,
}

impl Call {
    fn begin(ears: &Ears) -> Self {
        let flows = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
        let library = Library::load(&flows).0.unwrap();
        let shelf = library
            .shelves()
            .find(|shelf| shelf.tenant.tenant.0 == "graenseby")
            .unwrap();
        let playbook = Arc::new(Playbook::new(Arc::clone(shelf)).unwrap());
        let mut call = Self {
            dialog: Dialog::new(playbook, dialog::Caller::default(), None),
            now: "2026-11-24T09:00:00Z".parse().unwrap(),
            ear: open(ears),
            said: Vec::new(),
            queue: None,
            told: None,
        };
        call.happens(Event::Answered);
        call
    }

    fn happens(&mut self, event: Event) {
        for command in self.dialog.handle(event, self.now) {
            match command {
                Command::Say(say) => self.said.push((say.language, say.text)),
                Command::Listen(listen) => self.ear.listen(&listen),
                Command::Transfer { target, handoff } => {
                    if let Target::Queue { queue, .. } = target {
                        self.queue = Some(queue.to_string());
                    }
                    self.told = handoff.language;
                }
                _ => {}
            }
        }
    }

    /// Lets the caller speak when all is said, and returns what they are answered.
    async fn answers(&mut self, audio: &[i16]) -> Vec<(Language, String)> {
        self.happens(Event::Said);
        self.said.clear();
        for (_, event) in hear(&mut self.ear, audio).await.0 {
            match event {
                EarEvent::SpeechStarted => self.happens(Event::Speech),
                EarEvent::Partial(heard) => self.happens(Event::Partial(heard)),
                EarEvent::Heard(heard) => self.happens(Event::Heard(heard)),
                _ => {}
            }
        }
        std::mem::take(&mut self.said)
    }
}

/// Ears for all three languages of the tenant, and a caller.
fn ears_and_caller() -> Option<(Ears, Caller)> {
    let mut config = config();
    config.ears.insert(*DE, vec![vosk(fixture(*DE), None)]);
    Some((require(Ears::new(&config))?, Caller::new()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_a_department_in_german_is_answered_in_german_and_transferred() {
    let Some((ears, caller)) = ears_and_caller() else {
        return;
    };
    for (wish, answer, queue) in [
        (
            "guten tag ich möchte mit dem bürgerservice sprechen",
            "Ich verbinde Sie mit Bürgerservice",
            "graenseby-borgerservice",
        ),
        (
            "ich brauche hilfe es geht um ratten",
            "das Bauamt",
            "graenseby-byg",
        ),
    ] {
        let mut call = Call::begin(&ears);
        let (language, greeting) = &call.said[0];
        assert_eq!(*language, DA, "{greeting}");
        let audio = caller.say(wish, *DE, Duration::from_millis(400)).await;
        let answered = call.answers(&audio).await;
        assert_eq!(call.dialog.language(), *DE, "{wish}: {answered:?}");
        let german =
            |(language, text): &(Language, String)| *language == *DE && text.contains(answer);
        assert!(answered.iter().any(german), "{wish}: {answered:?}");
        call.happens(Event::Said);
        assert_eq!(call.queue.as_deref(), Some(queue), "{wish}");
        assert_eq!(call.told, Some(*DE), "the agent is told the language");
        // What is answered can be spoken.
        for (language, text) in &answered {
            assert!(!caller.speak(text, *language).await.is_empty(), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_german_is_asked_again_in_german() {
    let Some((ears, caller)) = ears_and_caller() else {
        return;
    };
    let mut call = Call::begin(&ears);
    let audio = caller
        .say("deutsch bitte", *DE, Duration::from_millis(400))
        .await;
    let answered = call.answers(&audio).await;
    assert!(!answered.is_empty());
    assert!(
        answered.iter().all(|(language, _)| *language == *DE),
        "{answered:?}"
    );
    let audio = caller
        .say("standesamt bitte", *DE, Duration::from_millis(400))
        .await;
    let answered = call.answers(&audio).await;
    call.happens(Event::Said);
    assert_eq!(
        call.queue.as_deref(),
        Some("graenseby-register"),
        "{answered:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_danish_or_english_there_is_not_taken_for_a_german() {
    let Some((ears, caller)) = ears_and_caller() else {
        return;
    };
    for (wish, language, queue) in [
        (
            "jeg vil gerne tale med borgerservice",
            DA,
            "graenseby-borgerservice",
        ),
        (
            "i have a question about my passport",
            EN,
            "graenseby-borgerservice",
        ),
    ] {
        let mut call = Call::begin(&ears);
        let audio = caller.say(wish, language, Duration::from_millis(400)).await;
        let answered = call.answers(&audio).await;
        call.happens(Event::Said);
        assert_eq!(call.dialog.language(), language, "{wish}: {answered:?}");
        assert_eq!(call.queue.as_deref(), Some(queue), "{wish}: {answered:?}");
    }
}
