//! SIP messages as text: reading them, looking into them, and putting them together.
//!
//! Only what a telephone on the loopback address needs; nothing here sends anything.

use std::fmt::Write as _;

/// What the first line of a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// A request: its method and the address it is for.
    Request {
        /// `INVITE`, `BYE` and so on.
        method: String,
        /// The request URI.
        uri: String,
    },
    /// A response.
    Response {
        /// The status code.
        code: u16,
        /// The words after the code.
        reason: String,
    },
}

/// A SIP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The first line.
    pub(super) start: Start,
    headers: Vec<(String, String)>,
    /// What follows the headers: SDP, or nothing.
    pub(super) body: String,
}

impl Message {
    /// Begins a request.
    pub(super) fn request(method: &str, uri: &str) -> Self {
        let start = Start::Request {
            method: method.to_owned(),
            uri: uri.to_owned(),
        };
        Self {
            start,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Begins the response to a request, with the headers every response copies from it.
    pub(super) fn response(request: &Message, code: u16, reason: &str) -> Self {
        let start = Start::Response {
            code,
            reason: reason.to_owned(),
        };
        let copied = ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"];
        let headers = copied
            .iter()
            .flat_map(|&name| {
                request
                    .all(name)
                    .map(move |value| (name.to_owned(), value.to_owned()))
            })
            .collect();
        Self {
            start,
            headers,
            body: String::new(),
        }
    }

    /// Reads a message; nothing if it is not one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let first = lines.next()?;
        let start = if let Some(status) = first.strip_prefix("SIP/2.0 ") {
            let (code, reason) = status.split_once(' ').unwrap_or((status, ""));
            Start::Response {
                code: code.parse().ok()?,
                reason: reason.to_owned(),
            }
        } else {
            let mut words = first.split(' ');
            let (method, uri) = (words.next()?, words.next()?);
            if words.next() != Some("SIP/2.0") {
                return None;
            }
            Start::Request {
                method: method.to_owned(),
                uri: uri.to_owned(),
            }
        };
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut()?;
                value.push(' ');
                value.push_str(line.trim());
            } else {
                let (name, value) = line.split_once(':')?;
                headers.push((full_name(name.trim()).to_owned(), value.trim().to_owned()));
            }
        }
        Some(Self {
            start,
            headers,
            body: body.to_owned(),
        })
    }

    /// Writes the message as it goes over the wire.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut text = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} SIP/2.0\r\n"),
            Start::Response { code, reason } => format!("SIP/2.0 {code} {reason}\r\n"),
        };
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(
            text,
            "Content-Length: {}\r\n\r\n{}",
            self.body.len(),
            self.body
        );
        text.into_bytes()
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Adds an SDP body.
    pub(super) fn with_sdp(mut self, sdp: String) -> Self {
        self.body = sdp;
        self.with("Content-Type", "application/sdp")
    }

    /// Puts a tag behind the `To` header, unless it has one.
    pub(super) fn with_to_tag(mut self, tag: &str) -> Self {
        for (name, value) in &mut self.headers {
            if name == "To" && !value.contains(";tag=") {
                let _ = write!(value, ";tag={tag}");
            }
        }
        self
    }

    /// Returns the first header of that name, without regard to case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns all headers of that name, in order.
    pub(super) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = name.to_owned();
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(&name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns the number and the method of the `CSeq` header.
    pub(super) fn sequence(&self) -> Option<(u32, &str)> {
        let (number, method) = self.header("CSeq")?.split_once(' ')?;
        Some((number.parse().ok()?, method.trim()))
    }
}

/// Returns the address inside a `From`, `To` or `Contact` header.
pub(super) fn uri(header: &str) -> &str {
    match header.split_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or(rest),
        None => header.split(';').next().unwrap_or(header).trim(),
    }
}

/// Returns the user part of an address: the number in `sip:number@host`.
pub(super) fn user(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    rest.split_once('@').map_or("", |(user, _)| user)
}

/// Returns the display name of a header, if it has one.
pub(super) fn display_name(header: &str) -> Option<String> {
    let name = header.split_once('<')?.0.trim();
    let name = name
        .strip_prefix('"')
        .and_then(|n| n.strip_suffix('"'))
        .unwrap_or(name);
    (!name.is_empty()).then(|| name.replace("\\\"", "\"").replace("\\\\", "\\"))
}

fn full_name(name: &str) -> &str {
    match name {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "c" => "Content-Type",
        "l" => "Content-Length",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_wire() {
        let message = Message::request("INVITE", "sip:1000@127.0.0.1")
            .with("From", "\"Åse \\\"Sæd\\\"\" <sip:123@127.0.0.1>;tag=a")
            .with("To", "<sip:1000@127.0.0.1>")
            .with("CSeq", "7 INVITE")
            .with_sdp("v=0\r\n".to_owned());
        let read = Message::parse(&message.encode()).unwrap();
        assert_eq!(read.sequence(), Some((7, "INVITE")));
        assert_eq!(read.body, "v=0\r\n");
        let from = read.header("from").unwrap();
        assert_eq!(user(uri(from)), "123");
        assert_eq!(display_name(from).as_deref(), Some("Åse \"Sæd\""));
        let answer = Message::response(&read, 200, "OK")
            .with_to_tag("b")
            .with_to_tag("c");
        assert_eq!(answer.header("To"), Some("<sip:1000@127.0.0.1>;tag=b"));
    }

    #[test]
    fn what_is_no_message_is_nothing() {
        for bytes in [
            &b""[..],
            b"\r\n\r\n",
            b"INVITE\r\n\r\n",
            b"SIP/2.0 abc\r\n\r\n",
            b"\xff\xfe",
        ] {
            assert_eq!(Message::parse(bytes), None);
        }
    }
}
