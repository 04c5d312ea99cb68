//! One event as the switch tells it: headers in their order and perhaps a body, and the three ways
//! it goes over the wire.

use std::fmt::Write as _;

/// What plain events and the answer to `connect` encode, apart from what is not ASCII.
const ENCODED: &str = "\r\n #%&+:;<=>?@[\\]^`{|}\"";

/// An event: its headers in order, values as people read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Event {
    /// Reads a plain event; nothing if a line is no header.
    pub fn read_plain(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\n\n")?;
        let headers = head
            .lines()
            .map(|line| {
                let (name, value) = line.split_once(": ")?;
                Some((name.to_owned(), decode(value)))
            })
            .collect::<Option<_>>()?;
        let body = (!body.is_empty()).then(|| body.to_owned());
        Some(Self { headers, body })
    }

    /// Returns the value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the event's name, such as `CHANNEL_ANSWER`.
    pub fn name(&self) -> &str {
        self.get("Event-Name").unwrap_or_default()
    }

    /// Returns the headers in order.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Returns the body.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    pub(super) fn push(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Changes a header where it stands, or appends it.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.headers.iter_mut().find(|(header, _)| header == name) {
            Some((_, old)) => *old = value.into(),
            None => self.push(name, value),
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.headers.retain(|(header, _)| header != name);
    }

    pub(super) fn set_body(&mut self, body: String) {
        self.set("Content-Length", body.len().to_string());
        self.body = Some(body);
    }

    /// Writes the headers line by line, encoded, without the empty line that ends them.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.headers {
            let _ = writeln!(text, "{name}: {}", encode(value));
        }
        text
    }

    /// Writes the event as `event plain` brings it, with the head of its message.
    pub fn plain(&self) -> String {
        let mut text = self.lines();
        text.push('\n');
        text.push_str(self.body.as_deref().unwrap_or_default());
        message("text/event-plain", &text)
    }

    /// Writes the event as `event json` brings it, with the head of its message.
    pub fn json(&self) -> String {
        let body = self.body.as_ref().map(|body| ("_body", body.as_str()));
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        message("text/event-json", &object(headers.chain(body)))
    }
}

fn message(kind: &str, body: &str) -> String {
    format!(
        "Content-Length: {}\nContent-Type: {kind}\n\n{body}",
        body.len()
    )
}

/// Writes a JSON object of texts in the order given.
pub(super) fn object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let members: Vec<String> = members
        .map(|(name, value)| format!("{}:{}", quoted(name), quoted(value)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Encodes a value as the switch does in plain events.
pub fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        let plain = (b' '..=b'~').contains(&byte) && !ENCODED.contains(char::from(byte));
        if plain {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Decodes what [`encode`] has written.
pub fn decode(value: &str) -> String {
    let mut pieces = value.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match piece
            .get(..2)
            .and_then(|code| u8::from_str_radix(code, 16).ok())
        {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&piece.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend(piece.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
