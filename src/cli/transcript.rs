//! Shows what happened in a rehearsal as lines for people.

use crate::dialog::rehearsal::{Entry, What};
use crate::dialog::{Command, Done, Due, Event, Note, Order, Target};

/// Width of the column that says who speaks.
const COLUMN: usize = 9;

/// Writes an entry as lines; nothing where it is of no interest. `explain` tells more.
pub(super) fn lines(entry: &Entry, explain: bool) -> Vec<String> {
    match &entry.what {
        What::Event(event) => of_event(event),
        What::Command(command) => of_command(command, explain),
    }
}

/// Writes a line with who speaks in front.
pub(super) fn line(who: &str, what: &str) -> String {
    format!("{who:COLUMN$}{what}")
}

fn of_event(event: &Event) -> Vec<String> {
    match event {
        Event::Done(Done::Noted { reference }) => {
            vec![line("service", &format!("noted as {reference}"))]
        }
        Event::Done(Done::AlreadyNoted { reference }) => {
            vec![line("service", &format!("was noted before as {reference}"))]
        }
        Event::Done(Done::Refused { reason }) => {
            vec![line("service", &format!("refused: {reason}"))]
        }
        Event::TransferFailed { reason } => {
            vec![line("pbx", &format!("the transfer failed: {reason}"))]
        }
        Event::SpeechUnavailable => vec![line("speech", "not to be had; keys only")],
        Event::SpeechAvailable => vec![line("speech", "to be had again")],
        Event::Answered
        | Event::Facts(_)
        | Event::Speech
        | Event::Resumed
        | Event::Partial(_)
        | Event::Heard(_)
        | Event::Key(_)
        | Event::Said
        | Event::Recorded(_)
        | Event::Time
        | Event::Waiting
        | Event::HungUp => Vec::new(),
    }
}

fn of_command(command: &Command, explain: bool) -> Vec<String> {
    match command {
        Command::Say(say) | Command::Reassure(say) => vec![line("hotline", &say.text)],
        Command::Record(record) => vec![line(
            "hotline",
            &format!(
                "(beep; the next line is recorded, at most {} s)",
                record.max.as_secs()
            ),
        )],
        Command::Transfer { target, handoff } => {
            let mut lines = vec![line("pbx", &format!("transfer to {}", place(target)))];
            if explain && !handoff.summary.is_empty() {
                lines.push(line("", &format!("the agent hears: {}", handoff.summary)));
            }
            lines
        }
        Command::Do(order) => vec![line("service", &ordered(order))],
        Command::HangUp { .. } => vec![line("hotline", "(hangs up)")],
        Command::Note(note) => of_note(note, explain),
        Command::Listen(listen) if explain => {
            let languages: Vec<&str> = listen.languages.iter().map(|it| it.code()).collect();
            vec![line(
                "",
                &format!(
                    "· listens for {:?} in {}",
                    listen.expect,
                    languages.join(", ")
                ),
            )]
        }
        Command::Listen(_) | Command::Hush | Command::Enough | Command::Deafen => Vec::new(),
    }
}

fn of_note(note: &Note, explain: bool) -> Vec<String> {
    match note {
        Note::Fault { message } => vec![line("fault", message)],
        Note::State { flow, state } if explain => vec![line("", &format!("· {flow}.{state}"))],
        Note::Slot { name, value } if explain => vec![line("", &format!("· {name} = {value}"))],
        Note::Understood {
            heard,
            meaning,
            confidence,
            verdict,
            why,
        } if explain => {
            let meaning = meaning.as_deref().unwrap_or("nothing");
            let first = line(
                "",
                &format!("· {heard:?} is {meaning} ({confidence:.2}): {verdict}"),
            );
            let reasons = why.iter().map(|reason| line("", &format!("    {reason}")));
            std::iter::once(first).chain(reasons).collect()
        }
        Note::State { .. } | Note::Slot { .. } | Note::Understood { .. } => Vec::new(),
    }
}

/// Names where a caller is moved.
fn place(target: &Target) -> String {
    match target {
        Target::Queue { queue, priority: 0 } => format!("queue {queue}"),
        Target::Queue { queue, priority } => format!("queue {queue}, priority {priority}"),
        Target::Extension(extension) => format!("extension {extension}"),
        Target::External(number) => number.e164().to_owned(),
    }
}

fn ordered(order: &Order) -> String {
    let listed = |facts: &[(String, String)]| -> String {
        facts
            .iter()
            .map(|(name, value)| format!("; {name}: {value}"))
            .collect()
    };
    match order {
        Order::Message(it) => format!(
            "message to {}: {}{}",
            it.department,
            it.subject,
            listed(&it.facts)
        ),
        Order::Cancellation(it) => {
            format!("cancellation at {}{}", it.department, listed(&it.facts))
        }
        Order::Callback(it) => {
            let due = match it.due {
                Due::QueueShort => "when the queue is short".to_owned(),
                Due::At(at) => format!("at {at}"),
            };
            format!(
                "callback by {} to {}, {due}",
                it.department,
                it.number.e164()
            )
        }
    }
}
