//! Plays the stories that people write beside their flows, and says where a call went another way.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;

use super::{Entry, Misplaced, Opening, Rehearsal, What};
use crate::dialog::{
    Caller, Command, Due, Facts, Handoff, Heard, Hypothesis, Note, Notice, Order, Playbook,
    QueueState, Recording, Target,
};
use crate::flow::story::{
    Expectation, ExpectedOrder, Patterns, Spoken, Story, StoryQueue, Turn, matches,
};
use crate::words::{DepartmentId, Key, Language, PhoneNumber, QueueName, Texts};

/// A story that was played.
#[derive(Debug)]
pub struct Played {
    /// What went otherwise than told, in order; empty when the story holds.
    pub shortfalls: Vec<Shortfall>,
    /// Everything that happened.
    pub entries: Vec<Entry>,
}

/// One thing that went otherwise than told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// The turn, counted from 0; nothing where the story could not begin.
    pub turn: Option<usize>,
    /// The part of an `expect` that is meant, such as `says`.
    pub field: Option<&'static str>,
    /// What was expected, such as `says "velkommen"`.
    pub expected: String,
    /// What came instead.
    pub came: String,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}\n     got {}", self.expected, self.came)
    }
}

/// Plays one story; stops at a turn that cannot be taken.
pub fn play(playbook: &Arc<Playbook>, story: &Story) -> Played {
    let tenant = &playbook.shelf.tenant;
    let at = match moment(&story.at, playbook) {
        Ok(at) => at,
        Err(came) => {
            return Played {
                shortfalls: vec![Shortfall {
                    turn: None,
                    field: None,
                    expected: "a time such as \"2026-12-24 10:00\" after `at:`".to_owned(),
                    came,
                }],
                entries: Vec::new(),
            };
        }
    };
    let language = story.language.unwrap_or_else(|| tenant.first_language());
    let opening = Opening {
        caller: Caller {
            number: story.caller.clone(),
            name: story.caller_name.clone(),
        },
        flow: story.flow.clone(),
        language: None,
        slots: story
            .slots
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect(),
        facts: facts(playbook, &story.queues, &story.notices),
        keys_only: !story.speech,
        hold_orders: false,
    };
    let mut stage = Stage {
        rehearsal: Rehearsal::begin(playbook.clone(), opening, at),
        playbook,
        language,
        since: 0,
    };
    let mut shortfalls = Vec::new();
    for (number, turn) in story.turns.iter().enumerate() {
        let fails_next = story.turns[number + 1..]
            .iter()
            .find(|turn| !matches!(turn, Turn::Expect(_)))
            .is_some_and(|turn| matches!(turn, Turn::OrderFails(_)));
        match stage.take(turn, fails_next) {
            Ok(missing) => {
                shortfalls.extend(
                    missing
                        .into_iter()
                        .map(|(field, expected, came)| Shortfall {
                            turn: Some(number),
                            field: (!field.is_empty()).then_some(field),
                            expected,
                            came,
                        }),
                );
            }
            Err(misplaced) => {
                shortfalls.push(Shortfall {
                    turn: Some(number),
                    field: None,
                    expected: format!("a call in which {}", aloud(turn)),
                    came: format!("{misplaced}; {}", stage.said()),
                });
                break;
            }
        }
    }
    Played {
        shortfalls,
        entries: stage.rehearsal.entries().to_vec(),
    }
}

/// Reads a time in the tenant's zone.
///
/// # Errors
/// In words, when it is none.
pub fn moment(text: &str, playbook: &Playbook) -> Result<Timestamp, String> {
    let civil: DateTime = text
        .trim()
        .parse()
        .map_err(|error| format!("{text:?} is no date and time: {error}"))?;
    let zoned = civil
        .to_zoned(playbook.zone.clone())
        .map_err(|error| error.to_string())?;
    Ok(zoned.timestamp())
}

/// Makes facts of a story's queues and notices; a queue left out has one agent free.
pub fn facts(
    playbook: &Playbook,
    queues: &BTreeMap<QueueName, StoryQueue>,
    notices: &BTreeMap<String, Texts>,
) -> Facts {
    let tenant = &playbook.shelf.tenant;
    let free = QueueState {
        agents_free: 1,
        agents: 1,
        ..QueueState::default()
    };
    let mut known: BTreeMap<QueueName, QueueState> = tenant
        .departments
        .values()
        .map(|department| (department.queue.clone(), free))
        .collect();
    known.extend(
        queues
            .iter()
            .map(|(name, queue)| (name.clone(), state(*queue))),
    );
    let notices = notices
        .iter()
        .map(|(name, text)| Notice {
            name: name.clone(),
            text: match (text.is_empty(), tenant.notices.get(name)) {
                (true, Some(prepared)) => prepared.clone(),
                _ => text.clone(),
            },
            until: None,
        })
        .collect();
    Facts {
        queues: known,
        notices,
    }
}

fn state(queue: StoryQueue) -> QueueState {
    QueueState {
        waiting: queue.waiting,
        agents_free: queue.agents_free,
        agents: queue.agents,
        longest_wait: queue.longest_wait,
        average_wait: queue.average_wait,
    }
}

/// The field of the expectation, what it wants, and what came instead.
type Missing = (&'static str, String, String);

struct Stage<'a> {
    rehearsal: Rehearsal,
    playbook: &'a Playbook,
    language: Language,
    /// Where the entries of the last turn begin.
    since: usize,
}

impl Stage<'_> {
    fn take(&mut self, turn: &Turn, order_fails_next: bool) -> Result<Vec<Missing>, Misplaced> {
        if let Turn::Expect(expectation) = turn {
            return Ok(self.look(expectation));
        }
        self.since = self.rehearsal.entries().len();
        if !matches!(turn, Turn::OrderFails(_)) {
            self.rehearsal.hold_orders(order_fails_next);
        }
        let stage = &mut self.rehearsal;
        match turn {
            Turn::Says(words) => {
                let heard = heard(words, self.language);
                stage.says(heard)?;
            }
            Turn::Presses(keys) => {
                let Some(keys) = keys_of(keys) else {
                    let expected = "keys 0 to 9, * and # only".to_owned();
                    return Ok(vec![("", expected, format!("{keys:?}"))]);
                };
                stage.presses(keys)?;
            }
            Turn::Silent(silence) => {
                for _ in 0..silence.times {
                    stage.is_silent()?;
                }
            }
            Turn::Records(transcript) => stage.records(transcript)?,
            Turn::HangsUp(_) => stage.hangs_up()?,
            Turn::TransferFails(reason) => stage.transfer_fails(reason)?,
            Turn::OrderFails(reason) => {
                stage.order_fails(reason)?;
                stage.hold_orders(order_fails_next);
            }
            Turn::SpeechFails(_) => stage.speech_fails()?,
            Turn::Queues(queues) => stage.facts_change(|facts| {
                let changed = queues
                    .iter()
                    .map(|(name, queue)| (name.clone(), state(*queue)));
                facts.queues.extend(changed);
            }),
            Turn::Expect(_) => {}
        }
        Ok(Vec::new())
    }

    fn commands(&self) -> impl Iterator<Item = &Command> {
        let since = &self.rehearsal.entries()[self.since..];
        since.iter().filter_map(|entry| match &entry.what {
            What::Command(command) => Some(command),
            What::Event(_) => None,
        })
    }

    /// Returns everything said since the last turn, one text a line.
    fn spoken(&self) -> String {
        let said: Vec<&str> = self
            .commands()
            .filter_map(|command| match command {
                Command::Say(say) => Some(say.text.as_str()),
                _ => None,
            })
            .collect();
        said.join("\n")
    }

    /// Tells what happened since the last turn, for a report.
    fn said(&self) -> String {
        let happened: Vec<String> = self.commands().filter_map(brief).collect();
        if happened.is_empty() {
            "nothing".to_owned()
        } else {
            happened.join("; ")
        }
    }

    fn look(&self, wanted: &Expectation) -> Vec<Missing> {
        let mut missing = Vec::new();
        self.look_at_words(wanted, &mut missing);
        self.look_at_transfer(wanted, &mut missing);
        for (name, expected) in [
            ("callback", &wanted.callback),
            ("message", &wanted.message),
            ("cancel", &wanted.cancel),
        ] {
            if let Some(expected) = expected {
                self.look_at_order(name, expected, &mut missing);
            }
        }
        let hung_up = self
            .commands()
            .any(|it| matches!(it, Command::HangUp { .. }));
        let recorded = self.commands().any(|it| matches!(it, Command::Record(_)));
        for (name, expected, came) in [
            ("hangup", wanted.hangup, hung_up),
            ("record", wanted.record, recorded),
        ] {
            if let Some(expected) = expected
                && expected != came
            {
                missing.push((name, format!("{name}: {expected}"), self.said()));
            }
        }
        self.look_inside(wanted, &mut missing);
        missing
    }

    fn look_at_words(&self, wanted: &Expectation, missing: &mut Vec<Missing>) {
        let spoken = self.spoken();
        let Patterns(says) = &wanted.says;
        for pattern in says.iter().filter(|pattern| !matches(pattern, &spoken)) {
            missing.push(("says", format!("says {pattern:?}"), self.said()));
        }
        let Patterns(says_not) = &wanted.says_not;
        for pattern in says_not.iter().filter(|pattern| matches(pattern, &spoken)) {
            missing.push(("says_not", format!("not to say {pattern:?}"), self.said()));
        }
    }

    fn look_at_transfer(&self, wanted: &Expectation, missing: &mut Vec<Missing>) {
        if wanted.transfer.is_none() && wanted.priority.is_none() && wanted.reason.is_none() {
            return;
        }
        let moved: Vec<(&Target, &Handoff)> = self
            .commands()
            .filter_map(|command| match command {
                Command::Transfer { target, handoff } => Some((target, handoff)),
                _ => None,
            })
            .collect();
        let any = |test: &dyn Fn(&Target, &Handoff) -> bool| {
            moved.iter().any(|(target, handoff)| test(target, handoff))
        };
        if let Some(to) = &wanted.transfer
            && !any(&|target, _| self.is_at(to, target))
        {
            missing.push(("transfer", format!("transfer to {to}"), self.said()));
        }
        if let Some(wanted) = wanted.priority
            && !any(
                &|target, _| matches!(target, Target::Queue { priority, .. } if *priority == wanted),
            )
        {
            missing.push((
                "priority",
                format!("transfer with priority {wanted}"),
                self.said(),
            ));
        }
        if let Some(reason) = &wanted.reason
            && !any(&|_, handoff| matches(reason, &handoff.reason))
        {
            missing.push((
                "reason",
                format!("transfer with reason {reason:?}"),
                self.said(),
            ));
        }
    }

    fn is_at(&self, wanted: &str, target: &Target) -> bool {
        match target {
            Target::Queue { queue, .. } => {
                let department = self.playbook.department(&DepartmentId::from(wanted));
                queue.0 == wanted || department.is_some_and(|it| it.queue == *queue)
            }
            Target::Extension(extension) => extension == wanted,
            Target::External(number) => PhoneNumber::parse(wanted).is_ok_and(|it| it == *number),
        }
    }

    fn look_at_order(
        &self,
        name: &'static str,
        expected: &ExpectedOrder,
        missing: &mut Vec<Missing>,
    ) {
        let made: Vec<Seen> = self
            .commands()
            .filter_map(|command| match command {
                Command::Do(order) => Some(self.seen(order)),
                _ => None,
            })
            .filter(|seen| seen.kind == name)
            .collect();
        let Some(last) = made.last() else {
            missing.push((name, format!("a {name}"), self.said()));
            return;
        };
        let mut want = |what: &str, wanted: Option<String>, came: Option<String>, part: bool| {
            let Some(wanted) = wanted else { return };
            let fits = came.as_deref().is_some_and(|came| {
                if part {
                    matches(&wanted, came)
                } else {
                    wanted == came
                }
            });
            if !fits {
                let came = came.map_or("none".to_owned(), |came| format!("{came:?}"));
                missing.push((name, format!("{name} with {what} {wanted:?}"), came));
            }
        };
        let text = ToString::to_string;
        want(
            "department",
            expected.department.as_ref().map(text),
            Some(last.department.clone()),
            false,
        );
        let number = expected.number.as_ref().map(|it| it.e164().to_owned());
        want("number", number, last.number.clone(), false);
        want("due", expected.due.clone(), last.due.clone(), false);
        want(
            "about",
            expected.about.clone(),
            Some(last.about.clone()),
            true,
        );
        want(
            "recording",
            expected.recording.clone(),
            last.recording.clone(),
            true,
        );
        for (fact, wanted) in &expected.facts {
            let came = last.facts.iter().find(|(name, _)| name == fact);
            let came = came.map(|(_, value)| value.clone());
            want(&format!("fact {fact}"), Some(wanted.clone()), came, true);
        }
    }

    fn seen(&self, order: &Order) -> Seen {
        let transcript =
            |recording: &Option<Recording>| recording.as_ref().and_then(|it| it.transcript.clone());
        match order {
            Order::Message(it) => Seen {
                kind: "message",
                department: it.department.to_string(),
                number: it.caller.as_ref().map(|it| it.e164().to_owned()),
                due: None,
                about: it.subject.clone(),
                recording: transcript(&it.recording),
                facts: it.facts.clone(),
            },
            Order::Cancellation(it) => Seen {
                kind: "cancel",
                department: it.department.to_string(),
                number: it.caller.as_ref().map(|it| it.e164().to_owned()),
                due: None,
                about: it
                    .facts
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .collect::<Vec<_>>()
                    .join("\n"),
                recording: transcript(&it.recording),
                facts: it.facts.clone(),
            },
            Order::Callback(it) => Seen {
                kind: "callback",
                department: it.department.to_string(),
                number: Some(it.number.e164().to_owned()),
                due: Some(match it.due {
                    Due::QueueShort => "queue_short".to_owned(),
                    Due::At(at) => at
                        .to_zoned(self.playbook.zone.clone())
                        .strftime("%Y-%m-%d %H:%M")
                        .to_string(),
                }),
                about: it.reason.clone(),
                recording: None,
                facts: Vec::new(),
            },
        }
    }

    fn look_inside(&self, wanted: &Expectation, missing: &mut Vec<Missing>) {
        if let Some(wanted) = &wanted.state {
            let last = self
                .rehearsal
                .entries()
                .iter()
                .rev()
                .find_map(|entry| match &entry.what {
                    What::Command(Command::Note(Note::State { flow, state })) => {
                        Some((flow, state))
                    }
                    _ => None,
                });
            let fits = last.is_some_and(|(flow, state)| {
                wanted.0 == *state || wanted.0 == format!("{flow}.{state}")
            });
            if !fits {
                let came =
                    last.map_or("none".to_owned(), |(flow, state)| format!("{flow}.{state}"));
                missing.push(("state", format!("state {wanted}"), came));
            }
        }
        let dialog = self.rehearsal.dialog();
        if let Some(wanted) = wanted.language
            && wanted != dialog.language()
        {
            missing.push((
                "language",
                format!("language {wanted}"),
                dialog.language().to_string(),
            ));
        }
        for (name, wanted) in &wanted.slots {
            let came = dialog.slot(name).map(|value| match value.as_str() {
                Some(text) => text.to_owned(),
                None => value.to_string(),
            });
            if came.as_ref() != Some(wanted) {
                let came = came.map_or("not set".to_owned(), |came| format!("{came:?}"));
                missing.push(("slots", format!("slot {name} = {wanted:?}"), came));
            }
        }
    }
}

/// An order as an expectation looks at it.
struct Seen {
    kind: &'static str,
    department: String,
    number: Option<String>,
    due: Option<String>,
    about: String,
    recording: Option<String>,
    facts: Vec<(String, String)>,
}

fn heard(words: &Spoken, language: Language) -> Heard {
    match words {
        Spoken::Plain(text) => Heard::written(language, text),
        Spoken::In(texts) => Heard {
            hypotheses: texts
                .iter()
                .map(|(language, text)| Hypothesis {
                    language: *language,
                    text: text.clone(),
                    confidence: 1.0,
                })
                .collect(),
        },
    }
}

/// Reads keys; spaces and dashes between them are left out.
pub fn keys_of(text: &str) -> Option<Vec<Key>> {
    text.chars()
        .filter(|character| !matches!(character, ' ' | '-'))
        .map(Key::new)
        .collect()
}

/// Tells a turn as half a sentence.
fn aloud(turn: &Turn) -> String {
    match turn {
        Turn::Says(Spoken::Plain(text)) => format!("the caller says {text:?}"),
        Turn::Says(Spoken::In(texts)) => format!("the caller says {texts:?}"),
        Turn::Presses(keys) => format!("the caller presses {keys}"),
        Turn::Silent(_) => "the caller is silent".to_owned(),
        Turn::Records(_) => "the caller speaks to the recorder".to_owned(),
        Turn::HangsUp(_) => "the caller hangs up".to_owned(),
        Turn::TransferFails(_) => "a transfer fails".to_owned(),
        Turn::OrderFails(_) => "an order fails".to_owned(),
        Turn::SpeechFails(_) => "speech fails".to_owned(),
        Turn::Queues(_) => "queues change".to_owned(),
        Turn::Expect(_) => "something is expected".to_owned(),
    }
}

/// Tells a command as half a sentence, where a reader of a report wants to know it.
fn brief(command: &Command) -> Option<String> {
    Some(match command {
        Command::Say(say) => format!("says {:?}", say.text),
        Command::Record(_) => "records".to_owned(),
        Command::Transfer { target, .. } => match target {
            Target::Queue { queue, priority } => {
                format!("transfers to queue {queue} with priority {priority}")
            }
            Target::Extension(extension) => format!("transfers to extension {extension}"),
            Target::External(number) => format!("transfers to {}", number.e164()),
        },
        Command::Do(Order::Message(it)) => format!("sends a message to {}", it.department),
        Command::Do(Order::Cancellation(it)) => format!("cancels at {}", it.department),
        Command::Do(Order::Callback(it)) => format!("orders a callback by {}", it.department),
        Command::HangUp { .. } => "hangs up".to_owned(),
        Command::Note(Note::Understood { heard, meaning, .. }) => match meaning {
            Some(meaning) => format!("understood {heard:?} as {meaning}"),
            None => format!("did not understand {heard:?}"),
        },
        Command::Note(Note::Fault { message }) => format!("fault: {message}"),
        Command::Note(_)
        | Command::Reassure(_)
        | Command::Hush
        | Command::Listen(_)
        | Command::Enough
        | Command::Deafen => return None,
    })
}
