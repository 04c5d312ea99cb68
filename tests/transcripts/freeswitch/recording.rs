//! Sessions recorded on a real FreeSWITCH, read from their files.

use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/freeswitch")
}

/// The names of all recorded sessions.
pub(super) fn sessions() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter_map(|name| name.strip_suffix(".esl.in").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// One recorded connection.
pub(super) struct Recording {
    /// What the switch sent.
    pub(super) said: Vec<u8>,
    /// What was sent to the switch.
    asked: String,
    rows: Vec<Row>,
}

/// What went over the connection at one moment.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) from_switch: bool,
    offset: usize,
    /// No bytes are the end of that direction.
    pub(super) length: usize,
}

/// One message of the switch.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// Commands that had been sent before it was complete.
    pub(super) after: usize,
    pub(super) head: String,
    pub(super) body: String,
}

impl Said {
    pub(super) fn kind(&self) -> &str {
        header(&self.head, "Content-Type").unwrap_or_default()
    }

    /// The name of an event; nothing for anything else.
    pub(super) fn event(&self) -> Option<&str> {
        (self.kind() == "text/event-plain").then(|| header(&self.body, "Event-Name").unwrap())
    }

    /// The message with one text in the place of another, its length right.
    pub(super) fn with(&self, changes: &[(&str, &str)]) -> String {
        let change = |text: &str| {
            let changed = changes.iter();
            changed.fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
        };
        let (head, body) = (change(&self.head), change(&self.body));
        let lines = head.lines().map(|line| match line.split_once(": ") {
            Some(("Content-Length", _)) => format!("Content-Length: {}\n", body.len()),
            _ => format!("{line}\n"),
        });
        format!("{}\n{body}", lines.collect::<String>())
    }
}

/// The first value of a header.
pub(super) fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| *key == name).map(|(_, value)| value)
}

impl Recording {
    pub(super) fn read(name: &str) -> Self {
        let file = |kind: &str| std::fs::read(folder().join(format!("{name}.esl.{kind}"))).unwrap();
        let text = |kind: &str| String::from_utf8(file(kind)).unwrap();
        let row = |line: &str| {
            let mut fields = line.split('\t').skip(1);
            let from_switch = fields.next() == Some("in");
            let mut number = || fields.next().unwrap().parse().unwrap();
            Row {
                from_switch,
                offset: number(),
                length: number(),
            }
        };
        Self {
            said: file("in"),
            asked: text("out"),
            rows: text("timeline.tsv").lines().skip(1).map(row).collect(),
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// What the switch sent at one moment.
    pub(super) fn bytes(&self, row: &Row) -> &[u8] {
        &self.said[row.offset..row.offset + row.length]
    }

    /// The commands, each with its headers, without the empty line that ends it.
    pub(super) fn commands(&self) -> Vec<&str> {
        let parts = self.asked.split("\n\n");
        parts.filter(|part| !part.is_empty()).collect()
    }

    /// Commands that were complete when this had been sent.
    pub(super) fn commands_until(&self, row: &Row) -> usize {
        self.asked[..row.offset + row.length]
            .matches("\n\n")
            .count()
    }

    /// Commands that were complete when the switch had sent so many bytes.
    fn commands_before(&self, byte: usize) -> usize {
        let until = self
            .rows
            .iter()
            .take_while(|row| !row.from_switch || row.offset + row.length < byte);
        let sent = until.filter(|row| !row.from_switch);
        let sent = sent.map(|row| row.offset + row.length).max().unwrap_or(0);
        self.asked[..sent].matches("\n\n").count()
    }

    /// All that the switch said, message by message.
    pub(super) fn messages(&self) -> Vec<Said> {
        let text = std::str::from_utf8(&self.said).unwrap();
        let (mut at, mut messages) = (0, Vec::new());
        while let Some(end) = text[at..].find("\n\n") {
            let head = &text[at..at + end];
            let length = header(head, "Content-Length").map_or(0, |length| length.parse().unwrap());
            let body = &text[at + end + 2..at + end + 2 + length];
            at += end + 2 + length;
            messages.push(Said {
                after: self.commands_before(at),
                head: format!("{head}\n"),
                body: body.to_owned(),
            });
        }
        assert_eq!(at, text.len(), "the recording ends within a message");
        messages
    }

    /// The first message that answers the n-th command, counted from 1.
    pub(super) fn answer(&self, command: usize) -> Said {
        let is_answer = |said: &&Said| matches!(said.kind(), "command/reply" | "api/response");
        let messages = self.messages();
        messages
            .iter()
            .filter(is_answer)
            .nth(command - 1)
            .unwrap()
            .clone()
    }

    /// What was printed the n-th time that a command was sent, counted from 1.
    pub(super) fn printed(&self, command: &str, time: usize) -> String {
        let commands = self.commands();
        let mut same = commands
            .iter()
            .enumerate()
            .filter(|(_, sent)| **sent == command);
        let (place, _) = same.nth(time - 1).unwrap();
        self.answer(place + 1).body
    }

    /// The channel that an outbound connection belongs to.
    pub(super) fn channel(&self) -> String {
        let described = self.messages().remove(0).head;
        header(&described, "Unique-ID").unwrap().to_owned()
    }

    /// The events after so many commands, of this channel instead.
    pub(super) fn events(&self, after: usize, channel: &str) -> Vec<String> {
        let recorded = self.channel();
        let events = self
            .messages()
            .into_iter()
            .filter(|said| said.after >= after);
        let events = events.filter(|said| said.event().is_some());
        events
            .map(|said| said.with(&[(&recorded, channel)]))
            .collect()
    }
}
