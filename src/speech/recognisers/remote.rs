//! What recognisers that are reached by a protocol have in common: where they are and who may ask
//! them ([`site`]), the bounded way between the ears' thread and the task that talks to the
//! engine ([`wire`]), a WebSocket that is kept open and looked after ([`stream`]), and what can go
//! wrong on the way ([`fault`]). The protocols themselves are in the files beside this one.

pub(super) mod fault;
pub(super) mod plain;
pub(super) mod site;
pub(super) mod stream;
pub(super) mod wire;

use std::time::Duration;

/// How sure an engine counts that does not say how sure it is: enough to be believed, less than
/// one that is sure.
pub(super) const UNTOLD: f32 = 0.7;

/// Recognitions at once where nothing is set.
pub(super) const MOST: usize = 32;

/// How long a connection may take where nothing is set.
pub(super) const CONNECT: Duration = Duration::from_secs(2);

/// How long an answer may take where nothing is set.
pub(super) const ANSWER: Duration = Duration::from_secs(4);

/// Makes a default for serde out of one of the constants above.
pub(super) fn most() -> usize {
    MOST
}

/// See [`CONNECT`].
pub(super) fn connect() -> Duration {
    CONNECT
}

/// See [`ANSWER`].
pub(super) fn answer() -> Duration {
    ANSWER
}

/// True, as a default for serde.
pub(super) fn yes() -> bool {
    true
}

/// Joins hints to a prompt or a list, whole ones only, up to so many characters.
pub(super) fn hinted(hints: &[String], most: usize) -> String {
    let mut joined = String::new();
    for hint in hints.iter().map(|hint| hint.trim()) {
        if hint.is_empty() {
            continue;
        }
        if joined.len() + hint.len() + 2 > most {
            break;
        }
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(hint);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_are_joined_whole_and_not_beyond_the_limit() {
        let hints = ["dansk pas", " ", "kørekort", "bibliotek"].map(str::to_owned);
        assert_eq!(hinted(&hints, 100), "dansk pas, kørekort, bibliotek");
        assert_eq!(hinted(&hints, 25), "dansk pas, kørekort");
        assert_eq!(hinted(&[], 25), "");
    }
}
