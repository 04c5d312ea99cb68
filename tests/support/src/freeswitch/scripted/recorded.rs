//! What a real switch said: the recorded sessions, from which every reply and event of the scripted
//! one takes its shape.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::event::{Event, decode};

/// One message of a session: its head as it stands, and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The lines before the empty one.
    pub head: String,
    /// What follows them by `Content-Length`.
    pub body: String,
}

impl Message {
    /// Returns a line of the head.
    pub fn get(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(header, _)| *header == name)
            .map(|(_, value)| value)
            .next()
    }
}

/// Returns the folder of the recorded sessions.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/freeswitch")
}

/// Returns the names of all sessions.
pub fn sessions() -> Vec<String> {
    let files = fs::read_dir(folder()).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter_map(|name| name.strip_suffix(".esl.in").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// Takes what the switch sent apart; what is cut off at the end is left out.
pub fn messages(bytes: &[u8]) -> Vec<Message> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") {
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 2..];
        let length = |line: &str| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok();
        let length = head.lines().find_map(length).unwrap_or(0).min(rest.len());
        let body = String::from_utf8_lossy(&rest[..length]).into_owned();
        rest = &rest[length..];
        found.push(Message { head, body });
    }
    found
}

/// Returns what the switch sent in a session.
///
/// # Panics
///
/// Panics when the recording is not there: nothing can be said without it.
pub fn session(name: &str) -> Arc<Vec<Message>> {
    type Read = HashMap<String, Arc<Vec<Message>>>;
    static SESSIONS: LazyLock<Mutex<Read>> = LazyLock::new(Mutex::default);
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let read = || {
        let path = folder().join(format!("{name}.esl.in"));
        let bytes = fs::read(&path).unwrap_or_else(|error| {
            panic!("cannot read the recording {}: {error}", path.display())
        });
        Arc::new(messages(&bytes))
    };
    Arc::clone(sessions.entry(name.to_owned()).or_insert_with(read))
}

/// Returns the plain events of a session.
pub fn events(name: &str) -> Vec<Event> {
    let plain = |message: &Message| {
        let plain = message.get("Content-Type") == Some("text/event-plain");
        plain.then(|| Event::read_plain(&message.body)).flatten()
    };
    session(name).iter().filter_map(plain).collect()
}

/// Where the shape of an event stands: session, event and, for the call centre's, its action.
pub(super) type Place = (&'static str, &'static str, &'static str);

/// Returns the shape that stands at a place.
///
/// # Panics
///
/// Panics when there is none: the recordings are part of this program.
pub(super) fn shape(place: Place) -> Arc<Event> {
    type Found = HashMap<Place, Arc<Event>>;
    static SHAPES: LazyLock<Mutex<Found>> = LazyLock::new(Mutex::default);
    if let Some(shape) = SHAPES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&place)
    {
        return Arc::clone(shape);
    }
    let (session, name, action) = place;
    let stands = |event: &Event| {
        event.name() == name
            && (action.is_empty()
                || [
                    event.get("CC-Action"),
                    event.get("Channel-State"),
                    event.get("Application"),
                ]
                .contains(&Some(action)))
    };
    let found = events(session).into_iter().find(stands);
    let Some(found) = found else {
        panic!("the recording {session} holds no {name} {action}")
    };
    let found = Arc::new(found);
    SHAPES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(place, Arc::clone(&found));
    found
}

/// Returns the shape of the answer to `connect`: the headers of the whole channel.
pub(super) fn connected(session_name: &str) -> Event {
    let messages = session(session_name);
    let mut event = Event::default();
    let head = messages.first().map(|message| message.head.as_str());
    for (name, value) in head
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(": "))
    {
        event.push(name, decode(value));
    }
    event
}
