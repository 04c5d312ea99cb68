//! A line typed in `hotline chat`: words, keys, silence, or an order to the stage.

use crate::dialog::rehearsal::story::keys_of;
use crate::words::Key;

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// An empty line.
    Nothing,
    /// The caller says this.
    Words(String),
    /// The caller presses these keys, one after the other.
    Keys(Vec<Key>),
    /// The caller says nothing until the deadline.
    Silence,
    /// The caller hangs up.
    HangUp,
    /// The next transfer or order fails, or speech does at once.
    Fail(Failure, String),
    /// A queue changes: name and settings.
    Queue(String, Vec<(String, u32)>),
    /// A notice is switched on: one prepared under this name, or this text.
    Notice(String),
    /// What can be typed.
    Help,
}

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Transfer,
    Order,
    Speech,
}

/// What can be typed, for people.
pub(super) const HELP: &str = "\
any words          the caller says them
#5, #4512          the caller presses keys: one or more of 0-9 after #
##, #*, #45#       the hash key, the star key, digits closed with the hash key
...                the caller is silent until the dialog's deadline
/hangup            the caller hangs up (so does the end of the input)
/fail transfer [WHY]   the next transfer fails
/fail order [WHY]      the next message, callback or cancellation cannot be taken
/fail speech           speech is not to be had from here on
/queue NAME waiting=5 free=0 wait=600   what the PBX says of a queue
/notice NAME       a prepared notice, or any text as one, is in force
/help              this list";

/// The settings of `/queue`.
pub(super) const QUEUE_SETTINGS: [&str; 5] = ["waiting", "free", "agents", "longest", "wait"];

impl Turn {
    /// Reads a line.
    ///
    /// # Errors
    /// In words, with what is allowed.
    pub(super) fn read(line: &str) -> Result<Self, String> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(Self::Nothing);
        }
        if matches!(line, "..." | "…") {
            return Ok(Self::Silence);
        }
        if let Some(keys) = line.strip_prefix('#') {
            return match keys_of(keys) {
                Some(keys) if !keys.is_empty() => Ok(Self::Keys(keys)),
                _ => Err(format!(
                    "{line:?} presses no key: write #5 or #4512 for digits, ## for the hash key, \
                     #* for the star key"
                )),
            };
        }
        match line.strip_prefix('/') {
            Some(order) => Self::order(order),
            None => Ok(Self::Words(line.to_owned())),
        }
    }

    fn order(order: &str) -> Result<Self, String> {
        let (word, rest) = order.split_once(char::is_whitespace).unwrap_or((order, ""));
        let rest = rest.trim();
        match word {
            "hangup" => Ok(Self::HangUp),
            "help" | "?" => Ok(Self::Help),
            "notice" if !rest.is_empty() => Ok(Self::Notice(rest.to_owned())),
            "notice" => Err("/notice wants the name of a prepared notice, or a text".to_owned()),
            "fail" => {
                let (what, why) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let failure = match what {
                    "transfer" => Failure::Transfer,
                    "order" => Failure::Order,
                    "speech" => Failure::Speech,
                    _ => return Err("/fail wants transfer, order or speech".to_owned()),
                };
                Ok(Self::Fail(failure, why.trim().to_owned()))
            }
            "queue" => Self::queue(rest),
            _ => Err(format!("there is no /{word}; type /help for what there is")),
        }
    }

    fn queue(rest: &str) -> Result<Self, String> {
        let mut words = rest.split_whitespace();
        let usage = || {
            format!(
                "/queue wants a name and settings such as waiting=5; there are {}",
                QUEUE_SETTINGS.join(", ")
            )
        };
        let name = words.next().ok_or_else(usage)?;
        let settings = words.map(|word| {
            let (setting, number) = word.split_once('=').ok_or_else(usage)?;
            if !QUEUE_SETTINGS.contains(&setting) {
                return Err(usage());
            }
            let number = number
                .parse()
                .map_err(|_| format!("{word:?}: {number:?} is no number from 0 on"))?;
            Ok((setting.to_owned(), number))
        });
        let settings: Vec<_> = settings.collect::<Result<_, String>>()?;
        if settings.is_empty() {
            return Err(usage());
        }
        Ok(Self::Queue(name.to_owned(), settings))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(text: &str) -> Turn {
        Turn::Keys(text.chars().filter_map(Key::new).collect())
    }

    #[test]
    fn a_hash_presses_the_keys_after_it() {
        assert_eq!(Turn::read("#5"), Ok(keys("5")));
        assert_eq!(Turn::read("#4512"), Ok(keys("4512")));
        assert_eq!(Turn::read("##"), Ok(keys("#")));
        assert_eq!(Turn::read("#*"), Ok(keys("*")));
        assert_eq!(Turn::read("#45#"), Ok(keys("45#")));
    }

    #[test]
    fn dots_are_silence_and_other_words_are_words() {
        assert_eq!(Turn::read(" ... "), Ok(Turn::Silence));
        assert_eq!(Turn::read("…"), Ok(Turn::Silence));
        assert_eq!(
            Turn::read("jeg vil … øh"),
            Ok(Turn::Words("jeg vil … øh".to_owned()))
        );
        assert_eq!(Turn::read("   "), Ok(Turn::Nothing));
    }

    #[test]
    fn a_line_that_means_nothing_is_answered_with_what_is_allowed() {
        insta::assert_snapshot!(Turn::read("#").unwrap_err(), @r##""#" presses no key: write #5 or #4512 for digits, ## for the hash key, #* for the star key"##);
        insta::assert_snapshot!(Turn::read("/fial").unwrap_err(), @"there is no /fial; type /help for what there is");
        insta::assert_snapshot!(Turn::read("/fail").unwrap_err(), @"/fail wants transfer, order or speech");
        insta::assert_snapshot!(Turn::read("/queue desk waiting=many").unwrap_err(), @r#""waiting=many": "many" is no number from 0 on"#);
        insta::assert_snapshot!(Turn::read("/queue desk length=1").unwrap_err(), @"/queue wants a name and settings such as waiting=5; there are waiting, free, agents, longest, wait");
    }

    #[test]
    fn orders_to_the_stage_are_read() {
        assert_eq!(
            Turn::read("/fail order disk full"),
            Ok(Turn::Fail(Failure::Order, "disk full".to_owned()))
        );
        assert_eq!(
            Turn::read("/queue desk waiting=5 free=0"),
            Ok(Turn::Queue(
                "desk".to_owned(),
                vec![("waiting".to_owned(), 5), ("free".to_owned(), 0)]
            ))
        );
    }

    proptest! {
        #[test]
        fn any_line_is_a_turn_or_a_refusal_in_words(line in ".*") {
            if let Err(refusal) = Turn::read(&line) {
                prop_assert!(!refusal.is_empty());
            }
        }
    }
}
