//! What can go wrong with an engine that is reached by a protocol, each in words for a log.

use std::error::Error;
use std::io;
use std::time::Duration;

use serde_json::Value;

/// Why a recogniser elsewhere gave no words. The setting that names it stands in front of it, in
/// [`crate::speech::SpeechError::Remote`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteFault {
    /// Nobody answers there.
    #[error("cannot be reached: {0}; is it running, and is this its address?")]
    Unreachable(String),
    /// Its certificate is not trusted, or is another's.
    #[error(
        "shows a certificate that is not trusted ({0}); name a file with the authority that signed it, and see that the address is the one it was made for"
    )]
    Untrusted(String),
    /// Its name leads out of private networks, and TLS is not used.
    #[error(
        "is not reached without TLS, as {0} lies outside of private networks; use TLS, or set insecure if callers' voices may go there unprotected"
    )]
    Unprotected(String),
    /// A connection, its TLS or the agreement behind it took too long.
    #[error("gave no connection within {0:?}; is it overloaded, or behind a firewall?")]
    NoConnection(Duration),
    /// An HTTP status that is no success.
    #[error("answers HTTP {status}{}{said}", if .said.is_empty() { "" } else { ": " })]
    Status {
        /// The status.
        status: u16,
        /// The beginning of what it says.
        said: String,
    },
    /// A page for people.
    #[error(
        "answers HTML, so this is a web page and no engine; does the address end as it should?"
    )]
    Html,
    /// Something that is not of the protocol.
    #[error("answers what is not of its protocol: {0}")]
    Garbage(String),
    /// A refusal in the engine's own words.
    #[error("says: {0}")]
    Said(String),
    /// The connection was closed while an answer was due.
    #[error("closed the connection{}{}", code.map(|code| format!(" with code {code}")).unwrap_or_default(), if .said.is_empty() { String::new() } else { format!(": {said}") })]
    Closed {
        /// The WebSocket's close code; none where the connection just broke.
        code: Option<u16>,
        /// The reason given.
        said: String,
    },
    /// No answer came.
    #[error("gave no answer within {0:?}")]
    Silent(Duration),
    /// Audio waits that it does not take.
    #[error("takes audio too slowly: {0:?} of it wait")]
    Behind(Duration),
    /// The task that talks to it ended unexpectedly, which is a fault of Hotline.
    #[error("is no longer listened to, as the task for it broke")]
    Broke,
}

impl RemoteFault {
    /// Names the entry of the engine's settings that is to be looked at.
    pub(in super::super) fn field(&self) -> &'static str {
        match self {
            Self::Untrusted(_) => "ca_file",
            _ => "url",
        }
    }

    /// Tells of an error while connecting, for which there are words already.
    pub(in super::super) fn connecting(error: &(dyn Error + 'static), words: String) -> Self {
        match distrust(error) {
            Some(reason) => Self::Untrusted(reason),
            None => Self::Unreachable(words),
        }
    }
}

/// Finds out whether a certificate that was not trusted is behind an error.
fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(reason)) = error.downcast_ref() {
            return Some(reason.to_string());
        }
        // What an I/O error was made of is not among its sources.
        let within = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match within {
            Some(within) => Some(within),
            None => error.source(),
        };
    }
    None
}

/// The most that is told of what an engine says, in characters.
const MOST_SAID: usize = 200;

/// The most keys of an answer that are told.
const MOST_KEYS: usize = 8;

/// Brings what an engine says into one short line without control characters.
pub(in super::super) fn line(said: &str) -> String {
    let words: Vec<&str> = said
        .split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let joined = words.join(" ");
    match joined.char_indices().nth(MOST_SAID) {
        Some((end, _)) => format!("{}…", &joined[..end]),
        None => joined,
    }
}

/// Tells what an answer looks like without a caller's words, which may stand in it: of JSON the
/// keys alone, of a page its beginning, of anything else no more than its length in bytes.
pub(in super::super) fn outline(answer: &str) -> String {
    let length = answer.len();
    match serde_json::from_str(answer) {
        Ok(Value::Object(parts)) => {
            let keys: Vec<&str> = parts.keys().map(String::as_str).take(MOST_KEYS).collect();
            match keys.is_empty() {
                true => format!("{length} bytes of JSON without keys"),
                false => format!("{length} bytes of JSON with {}", line(&keys.join(", "))),
            }
        }
        Ok(_) => format!("{length} bytes of JSON that are no object"),
        Err(_) if answer.trim_start().starts_with('<') => line(answer),
        Err(_) => format!("{length} bytes that are no JSON"),
    }
}

/// Tells whether a text is a page for people.
pub(in super::super) fn is_html(text: &str) -> bool {
    let start = text.trim_start().get(..15).unwrap_or(text.trim_start());
    let start = start.to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_engine_says_becomes_one_short_line() {
        assert_eq!(
            line(" no\u{1b}[31m such\r\n model\0 "),
            "no [31m such model"
        );
        let long = line(&"æ".repeat(500));
        assert_eq!(long.chars().count(), MOST_SAID + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn an_answer_is_described_without_the_words_of_a_caller() {
        insta::assert_snapshot!(outline(r#"{"txt": "min cpr er", "conf": 1}"#), @"32 bytes of JSON with conf, txt");
        insta::assert_snapshot!(outline(r#"["min cpr er"]"#), @"14 bytes of JSON that are no object");
        insta::assert_snapshot!(outline("{}"), @"2 bytes of JSON without keys");
        insta::assert_snapshot!(outline(r#"{"text": "min cpr er"#), @"20 bytes that are no JSON");
        insta::assert_snapshot!(outline("min cpr er"), @"10 bytes that are no JSON");
        insta::assert_snapshot!(outline("<?xml?>\n<fault/>"), @"<?xml?> <fault/>");
    }

    #[test]
    fn a_page_for_people_is_told_from_an_answer() {
        assert!(is_html("\n<!DOCTYPE html>\n<html>"));
        assert!(is_html("<HTML lang=da>"));
        assert!(!is_html(r#"{"text": "<html>"}"#));
        assert!(!is_html("æøåæøåæøåæøåæøåæøå"));
    }

    #[test]
    fn faults_say_what_happened() {
        let said = |fault: RemoteFault| fault.to_string();
        insta::assert_snapshot!(said(RemoteFault::Status { status: 503, said: String::new() }), @"answers HTTP 503");
        insta::assert_snapshot!(said(RemoteFault::Status { status: 401, said: "no key".to_owned() }), @"answers HTTP 401: no key");
        insta::assert_snapshot!(said(RemoteFault::Closed { code: Some(1011), said: "internal error".to_owned() }), @"closed the connection with code 1011: internal error");
        insta::assert_snapshot!(said(RemoteFault::Closed { code: None, said: String::new() }), @"closed the connection");
        insta::assert_snapshot!(said(RemoteFault::Untrusted("UnknownIssuer".to_owned())), @"shows a certificate that is not trusted (UnknownIssuer); name a file with the authority that signed it, and see that the address is the one it was made for");
        insta::assert_snapshot!(said(RemoteFault::Silent(Duration::from_secs(4))), @"gave no answer within 4s");
    }
}
