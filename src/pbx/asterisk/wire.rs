//! The Asterisk Manager Interface on the wire: bytes in, ordered blocks out, and actions back into
//! bytes. It is pure and knows no meaning beyond the first line of a block; no header is dropped.

use std::fmt;

/// The longest block or banner accepted, in bytes: Asterisk's own largest (command output) stay
/// far below, and a peer that never ends a block must not eat the memory.
pub const MAX_BLOCK: usize = 1024 * 1024;

/// The longest first line accepted, in bytes; a peer that sends more is no Asterisk.
const MAX_BANNER: usize = 1024;

/// How the first line of an Asterisk Manager connection begins.
const BANNER: &str = "Asterisk Call Manager/";

/// One message: its headers in wire order, repeated keys kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block(pub Vec<(String, String)>);

/// What a block is, decided by its first line alone: an `OriginateResponse` event has a
/// `Response:` line, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The answer to an action.
    Response,
    /// Something that happened, or one item of a list.
    Event,
    /// Neither.
    Unknown,
}

impl Block {
    /// Returns the value of the first header with this key, in any case.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, v)| v.as_str())
    }

    /// Returns the values of all headers with this key, in any case, in wire order.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, v)| v.as_str())
    }

    /// Returns the first value as a number.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.get(key)?.trim().parse().ok()
    }

    /// Tells what the block is.
    pub fn kind(&self) -> Kind {
        match self.0.first() {
            Some((key, _)) if key.eq_ignore_ascii_case("Response") => Kind::Response,
            Some((key, _)) if key.eq_ignore_ascii_case("Event") => Kind::Event,
            _ => Kind::Unknown,
        }
    }

    /// Returns the name of an event.
    pub fn event(&self) -> Option<&str> {
        (self.kind() == Kind::Event).then(|| self.0[0].1.as_str())
    }

    /// Tells whether this is the event with this name.
    pub fn is_event(&self, name: &str) -> bool {
        self.event()
            .is_some_and(|event| event.eq_ignore_ascii_case(name))
    }

    /// Tells whether this is an answer that begins with `Success` or `Goodbye`.
    pub fn is_success(&self) -> bool {
        self.kind() == Kind::Response && !self.0[0].1.eq_ignore_ascii_case("Error")
    }
}

/// What the decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The first line of a connection. No empty line follows it.
    Banner(String),
    /// A response or an event.
    Block(Block),
}

/// Why the bytes are no Asterisk Manager Interface. The connection cannot go on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    /// Another service is listening there.
    #[error("the peer is no Asterisk manager: its first line is {0:?}; check host and port")]
    NoBanner(String),
    /// A block did not end.
    #[error("a block of more than {MAX_BLOCK} bytes without an end, after {0:?}")]
    TooLong(String),
}

/// Cuts a stream of bytes into messages, however the bytes are split.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes of `buffer` already read.
    read: usize,
    /// Bytes of `buffer` known to hold no line end, counted from the start.
    searched: usize,
    greeted: bool,
    block: Vec<(String, String)>,
    /// Bytes that the unfinished block has taken.
    size: usize,
}

impl Decoder {
    /// Makes a decoder for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as they came.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.read > 0 {
            self.buffer.drain(..self.read);
            self.searched -= self.read;
            self.read = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next complete message, or nothing until more bytes are fed.
    ///
    /// # Errors
    /// When the peer is no Asterisk or a block passes [`MAX_BLOCK`].
    #[allow(
        clippy::should_implement_trait,
        reason = "a decoder is fed between the calls"
    )]
    pub fn next(&mut self) -> Result<Option<Message>, Malformed> {
        while let Some(line) = self.line()? {
            if !self.greeted {
                if !line.starts_with(BANNER) {
                    return Err(Malformed::NoBanner(line.chars().take(60).collect()));
                }
                self.greeted = true;
                self.size = 0;
                return Ok(Some(Message::Banner(line)));
            }
            if line.is_empty() {
                self.size = 0;
                if !self.block.is_empty() {
                    return Ok(Some(Message::Block(Block(std::mem::take(&mut self.block)))));
                }
                continue;
            }
            self.block.push(header(&line));
        }
        Ok(None)
    }

    /// Takes one line without its end; a bare LF ends a line, too.
    fn line(&mut self) -> Result<Option<String>, Malformed> {
        let limit = if self.greeted { MAX_BLOCK } else { MAX_BANNER };
        let Some(end) = self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
        else {
            self.searched = self.buffer.len();
            self.within(self.size + self.buffer.len() - self.read, limit)?;
            return Ok(None);
        };
        let end = self.searched + end;
        let raw = &self.buffer[self.read..end];
        self.size += raw.len() + 1;
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        let line = String::from_utf8_lossy(raw).into_owned();
        self.within(self.size, limit)?;
        self.read = end + 1;
        self.searched = self.read;
        Ok(Some(line))
    }

    fn within(&self, size: usize, limit: usize) -> Result<(), Malformed> {
        if size <= limit {
            return Ok(());
        }
        let rest = String::from_utf8_lossy(&self.buffer[self.read..]);
        if !self.greeted {
            return Err(Malformed::NoBanner(rest.chars().take(60).collect()));
        }
        let first = self
            .block
            .first()
            .map(|(key, value)| format!("{key}: {value}"));
        Err(Malformed::TooLong(
            first.unwrap_or_else(|| rest.chars().take(60).collect()),
        ))
    }
}

/// Cuts a line at its colon and strips exactly one space. A key such as
/// `ChanVariable(PJSIP/10.0.0.1:5060-01)` may hold colons between its brackets. A line without a
/// colon is output of an old Asterisk's command and gets an empty key.
fn header(line: &str) -> (String, String) {
    let Some(mut colon) = line.find(':') else {
        return (String::new(), line.to_owned());
    };
    if line[..colon].contains('(')
        && !line[..colon].contains(')')
        && let Some(close) = line.find("):")
    {
        colon = close + 1;
    }
    let value = &line[colon + 1..];
    (
        line[..colon].to_owned(),
        value.strip_prefix(' ').unwrap_or(value).to_owned(),
    )
}

/// Why an action cannot be written down. Nothing of it was sent.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{field} holds {what}, which would be read as a command of its own")]
pub struct Unsendable {
    /// The header.
    pub field: String,
    /// The offending character.
    pub what: &'static str,
}

/// Something to ask of Asterisk.
#[derive(Clone, PartialEq, Eq)]
pub struct Action {
    name: String,
    headers: Vec<(String, String)>,
}

impl Action {
    /// Makes an action without headers.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            headers: Vec::new(),
        }
    }

    /// Adds a header.
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.headers.push((key.to_owned(), value.into()));
        self
    }

    /// Adds a channel variable to an `Originate`, on a line of its own. Asterisk cuts that line at
    /// commas and drops quotes and backslashes, so these are escaped.
    pub fn with_variable(self, name: &str, value: &str) -> Self {
        let mut line = format!("{name}=");
        for character in value.chars() {
            if matches!(character, '\\' | ',' | '"' | '(' | ')' | '[' | ']') {
                line.push('\\');
            }
            line.push(character);
        }
        self.with("Variable", line)
    }

    /// Returns the name, such as `Redirect`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the first value of a header.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(key))
            .map(|(_, v)| v.as_str())
    }

    /// Writes the action with this id behind what `out` already holds.
    ///
    /// # Errors
    /// When a key or value holds a line end, a NUL, or a key a colon; `out` is then unchanged.
    pub fn encode(&self, id: &str, out: &mut Vec<u8>) -> Result<(), Unsendable> {
        let head = [("Action", self.name.as_str()), ("ActionID", id)];
        let all = head
            .into_iter()
            .chain(self.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let mut text = String::new();
        for (key, value) in all {
            refuse(key, key, true)?;
            refuse(key, value, false)?;
            text.push_str(key);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for Action {
    /// Shows the name and the keys only: values hold callers' numbers and login keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        f.debug_list()
            .entries(self.headers.iter().map(|(key, _)| key))
            .finish()
    }
}

fn refuse(key: &str, text: &str, is_key: bool) -> Result<(), Unsendable> {
    let what = text.chars().find_map(|character| match character {
        '\r' | '\n' => Some("a line break"),
        '\0' => Some("a NUL"),
        ':' if is_key => Some("a colon in its name"),
        _ => None,
    });
    match what {
        Some(what) => Err(Unsendable {
            field: key.escape_debug().to_string(),
            what,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<Message>, Malformed> {
        let mut decoder = Decoder::new();
        let mut messages = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            while let Some(message) = decoder.next()? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    fn blocks(bytes: &[u8]) -> Vec<Block> {
        decode(&[b"Asterisk Call Manager/11.0.0\r\n", bytes])
            .unwrap()
            .into_iter()
            .filter_map(|message| match message {
                Message::Block(block) => Some(block),
                Message::Banner(_) => None,
            })
            .collect()
    }

    #[test]
    fn an_originate_response_is_an_event_though_it_has_a_response_line() {
        let block =
            &blocks(b"Event: OriginateResponse\r\nActionID: a2\r\nResponse: Success\r\n\r\n")[0];
        assert_eq!(block.kind(), Kind::Event);
        assert_eq!(block.get("response"), Some("Success"));
        assert!(!block.is_success());
    }

    #[test]
    fn repeated_keys_are_all_kept_in_order() {
        let block =
            &blocks(b"Response: Success\r\nOutput: one\r\nOutput:  two \r\nOutput:\r\n\r\n")[0];
        assert_eq!(
            block.all("OUTPUT").collect::<Vec<_>>(),
            ["one", " two ", ""]
        );
    }

    #[test]
    fn a_channel_name_in_a_key_may_hold_a_colon() {
        let block = &blocks(b"Event: X\nChanVariable(SIP/10.0.0.1:5060-01;1): A=b:c\n\n")[0];
        assert_eq!(
            block.get("ChanVariable(SIP/10.0.0.1:5060-01;1)"),
            Some("A=b:c")
        );
    }

    #[test]
    fn bare_line_feeds_and_superfluous_empty_lines_are_tolerated() {
        assert_eq!(
            blocks(b"\r\n\nEvent: A\nB: c\n\r\n\n\r\nEvent: D\r\n\n").len(),
            2
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_do_not_stop_the_line() {
        let block = &blocks(b"Event: A\r\nName: S\xf8ren\r\n\r\n")[0];
        assert_eq!(block.get("Name"), Some("S\u{fffd}ren"));
    }

    #[test]
    fn another_service_is_named_by_its_first_line() {
        let error = decode(&[b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"]).unwrap_err();
        insta::assert_snapshot!(error, @r#"the peer is no Asterisk manager: its first line is "HTTP/1.1 400 Bad Request"; check host and port"#);
        assert!(
            decode(&[&[0x16; 2000]]).is_err(),
            "a first line without an end"
        );
    }

    #[test]
    fn a_block_without_an_end_is_given_up_at_one_mebibyte() {
        let line = b"Output: 0123456789012345678901234567890123456789\r\n";
        let mut decoder = Decoder::new();
        decoder.feed(b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\n");
        let mut fed = 0;
        let error = loop {
            match decoder.next() {
                Ok(Some(_)) => {}
                Ok(None) => {
                    decoder.feed(line);
                    fed += line.len();
                    assert!(fed < 2 * MAX_BLOCK);
                }
                Err(error) => break error,
            }
        };
        assert_eq!(error, Malformed::TooLong("Response: Success".to_owned()));
        assert!(fed > MAX_BLOCK - 100);
    }

    #[test]
    fn a_line_break_in_a_value_is_refused_and_nothing_is_written() {
        let mut out = b"kept".to_vec();
        for (key, value) in [
            ("Value", "a\r\nAction: Logoff"),
            ("Value", "a\0b"),
            ("Va:lue", "a"),
            ("V\n", "a"),
        ] {
            let error = Action::new("Setvar")
                .with(key, value)
                .encode("a1", &mut out);
            assert!(error.is_err(), "{key:?} {value:?}");
        }
        assert_eq!(out, b"kept");
        let error = Action::new("Setvar")
            .with("Value", "a\nb")
            .encode("a1", &mut out)
            .unwrap_err();
        insta::assert_snapshot!(error, @"Value holds a line break, which would be read as a command of its own");
    }

    #[test]
    fn an_originate_variable_keeps_its_commas() {
        let mut out = Vec::new();
        Action::new("Originate")
            .with_variable("HOTLINE_REASON", r#"skat, "gæld" (2)"#)
            .encode("a1", &mut out)
            .unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap().replace('\r', ""), @r#"
        Action: Originate
        ActionID: a1
        Variable: HOTLINE_REASON=skat\, \"gæld\" \(2\)
        "#);
    }

    #[test]
    fn a_debug_line_shows_no_values() {
        let action = Action::new("Login")
            .with("Username", "bot")
            .with("Key", "c4600aeb");
        assert_eq!(format!("{action:?}"), r#"Login["Username", "Key"]"#);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(
            greeted in any::<bool>(),
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20),
        ) {
            let mut all: Vec<&[u8]> = Vec::new();
            if greeted {
                all.push(b"Asterisk Call Manager/11.0.0\r\n");
            }
            all.extend(pieces.iter().map(Vec::as_slice));
            let _ = decode(&all);
        }

        #[test]
        fn what_is_encoded_is_decoded_alike_at_any_split(
            headers in proptest::collection::vec(("[A-Za-z][A-Za-z0-9-]{0,12}", "[^\r\n\0]{0,30}"), 0..8),
            cut in proptest::collection::vec(1usize..40, 1..40),
        ) {
            let mut action = Action::new("Test");
            for (key, value) in &headers {
                action = action.with(key, value.clone());
            }
            let mut bytes = b"Asterisk Call Manager/11.0.0\r\n".to_vec();
            action.encode("a1", &mut bytes).unwrap();
            action.encode("a2", &mut bytes).unwrap();
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            for at in cut.iter().cycle() {
                let (piece, after) = rest.split_at((*at).min(rest.len()));
                pieces.push(piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            let messages = decode(&pieces).unwrap();
            prop_assert_eq!(messages.len(), 3);
            prop_assert_eq!(&messages, &decode(&[&bytes]).unwrap());
            let Message::Block(block) = &messages[1] else { panic!() };
            prop_assert_eq!(&block.0[2..], headers.as_slice());
        }
    }
}
