//! Texts on their way into FreeSWITCH. It splits commands at spaces, quotes and commas, expands `${…}`
//! again and again, and looks for words of its own anywhere in a line: what people say or are called
//! must mean nothing to it. All of this is pure.

use std::fmt::Write;

use crate::pbx::PbxError;

/// The most bytes of a text; agents' phones show less, and one SIP packet has to hold several.
const LIMIT: usize = 400;

/// The most bytes of an extension; FreeSWITCH's own limit for a queue's name is larger.
const EXTENSION: usize = 128;

/// What FreeSWITCH takes away whenever it splits a text, unless a backslash is before it.
const QUOTING: [char; 2] = ['\\', '\''];

/// What a channel variable is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value(String);

impl Value {
    /// Makes a value of what people wrote, said or are called; see [`clean`].
    pub(super) fn text(text: &str) -> Self {
        Self(clean(text))
    }

    /// Makes a value of what an admin or this program wrote, such as a dial string or a path: it
    /// arrives as it is, control characters and spaces at its ends excepted.
    pub(super) fn exact(text: &str) -> Self {
        let plain: String = text.chars().filter(|c| !c.is_control()).collect();
        Self(plain.trim().to_owned())
    }

    /// Returns what FreeSWITCH is to end up with.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Makes any text safe to be a channel variable's value, wherever a dialplan then uses it: one line,
/// at most 400 bytes, and look-alikes in the place of what FreeSWITCH knows.
pub(super) fn clean(text: &str) -> String {
    let harmless: String = text.chars().map(look_alike).collect();
    let mut line = harmless.split_whitespace().collect::<Vec<_>>().join(" ");
    // Between two of these FreeSWITCH sees two calls, wherever in an order to dial they are.
    while let Some(at) = line.find(":_:") {
        line.replace_range(at + 1..at + 2, "-");
    }
    // At the beginning it makes a list of the value.
    if line.starts_with("ARRAY::") {
        line.replace_range(5..6, "-");
    }
    // With `unload` or `reload` anywhere in the same command it closes the event socket.
    while let Some(at) = line.to_ascii_lowercase().find("mod_event_socket") {
        line.replace_range(at + 3..at + 4, "-");
    }
    cut(line)
}

/// Returns a character that people read alike and FreeSWITCH does not know.
fn look_alike(c: char) -> char {
    match c {
        '$' => '¤',
        '{' | '[' | '<' => '(',
        '}' | ']' | '>' => ')',
        '\'' | '`' => '’',
        '"' => '”',
        '\\' => '/',
        ',' | ';' => '‚',
        '|' => '¦',
        '^' => 'ˆ',
        c if c.is_control() => ' ',
        c => c,
    }
}

fn cut(mut line: String) -> String {
    if line.len() > LIMIT {
        let mut end = LIMIT - '…'.len_utf8();
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.truncate(line.trim_end().len());
        line.push('…');
    }
    line
}

/// Writes the block of variables that goes before a dial string in an order to dial. FreeSWITCH
/// unquotes it three times: with the whole order, when it takes the block apart at commas, and when it
/// takes each variable apart at the equals sign. A variable without a value is left out, as FreeSWITCH
/// would do.
pub(super) fn variables(all: &[(&str, Value)]) -> String {
    let mut block = String::new();
    for (name, value) in all
        .iter()
        .filter(|(_, value)| !value.as_str().trim().is_empty())
    {
        let separator = if block.is_empty() { '{' } else { ',' };
        let inner = escape(&escape(value.as_str(), &QUOTING), &['\\', '\'', ',']);
        // Writing to a string cannot fail.
        let _ = write!(block, "{separator}{name}={}", word(&inner));
    }
    match block.is_empty() {
        true => block,
        false => block + "}",
    }
}

/// Writes a text so that it is one word of a command that FreeSWITCH splits at spaces.
pub(super) fn word(text: &str) -> String {
    let escaped = escape(text, &QUOTING);
    match escaped.contains(' ') {
        true => format!("'{escaped}'"),
        false => escaped,
    }
}

/// Writes a text so that it is the last argument of `uuid_setvar`, which may hold spaces.
pub(super) fn last(text: &str) -> String {
    escape(text, &QUOTING)
}

fn escape(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Lets through only what can be an extension of the dialplan or a queue's name, and nothing that
/// would mean more.
///
/// # Errors
/// When it holds anything but letters, digits and `+ * # _ - . @`, or is a word of FreeSWITCH's own.
pub(super) fn extension(field: &str, text: &str) -> Result<String, PbxError> {
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, '+' | '*' | '#' | '_' | '-' | '.' | '@');
    let unsendable = |why: String| PbxError::Unsendable {
        field: field.to_owned(),
        why,
    };
    if text.is_empty() || text.len() > EXTENSION || !text.chars().all(plain) {
        return Err(unsendable(format!(
            "{text:?} is no extension: letters, digits, + * # _ - . and @ only"
        )));
    }
    // `uuid_transfer` takes the first for an option; the second, ordered to be dialled, ends
    // FreeSWITCH; for the third see `clean`.
    let lower = text.to_ascii_lowercase();
    if lower.starts_with('-') || lower == "undef" || lower.contains("mod_event_socket") {
        return Err(unsendable(format!(
            "{text:?} means something else to FreeSWITCH"
        )));
    }
    Ok(text.to_owned())
}

/// Fills a dial string of the configuration, such as `sofia/gateway/trunk/{number}`.
///
/// # Errors
/// When the value is no extension.
pub(super) fn dial_string(
    template: &str,
    placeholder: &str,
    value: &str,
) -> Result<String, PbxError> {
    let field = placeholder.trim_matches(['{', '}']);
    Ok(template.replace(placeholder, &extension(field, value)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Splits as FreeSWITCH does: at a separator outside quotes, then without quotes, escapes and
    /// spaces at either end. Written after `switch_separate_string`.
    fn split(text: &str, separator: char, most: usize) -> Vec<String> {
        let mut parts = vec![String::new()];
        let (mut quoted, mut chars) = (false, text.chars());
        while let Some(c) = chars.next() {
            let last = parts.len() == most;
            let Some(part) = parts.last_mut() else { break };
            match c {
                '\\' => part.extend([Some(c), chars.next()].into_iter().flatten()),
                '\'' => {
                    quoted = !quoted;
                    part.push(c);
                }
                c if c == separator && !quoted && !last => parts.push(String::new()),
                c => part.push(c),
            }
        }
        parts.iter().map(|part| unquote(part, separator)).collect()
    }

    fn unquote(part: &str, separator: char) -> String {
        let (mut plain, mut chars) = (String::new(), part.trim_matches(' ').chars());
        while let Some(c) = chars.next() {
            match c {
                '\'' => {}
                '\\' => match chars.clone().next() {
                    Some(e @ ('\'' | '"' | '\\')) => {
                        plain.push(e);
                        chars.next();
                    }
                    Some(e) if e == separator && separator != ' ' => {
                        plain.push(e);
                        chars.next();
                    }
                    Some(e @ ('n' | 'r' | 't' | 's')) => {
                        plain.push(match e {
                            'n' => '\n',
                            'r' => '\r',
                            't' => '\t',
                            _ => ' ',
                        });
                        chars.next();
                    }
                    _ => plain.push(c),
                },
                c => plain.push(c),
            }
        }
        plain
    }

    /// Takes an order to dial apart as FreeSWITCH does: the variables, the dial string, the rest.
    fn take_apart(order: &str) -> (Vec<(String, String)>, String, Vec<String>) {
        let mut words = split(order, ' ', 10);
        assert_eq!(words.remove(0), "originate");
        let first = words.remove(0);
        let (mut depth, mut end) = (0, None);
        for (at, c) in first.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                end = Some(at);
                break;
            }
        }
        let Some(end) = end.filter(|end| *end > 0) else {
            return (Vec::new(), first, words);
        };
        let pairs = split(&first[1..end], ',', 1024);
        let variables = pairs.iter().filter_map(|pair| {
            let halves = split(pair, '=', 2);
            (halves.len() == 2).then(|| (halves[0].clone(), halves[1].clone()))
        });
        (variables.collect(), first[end + 1..].to_owned(), words)
    }

    /// Anything that people or their phones might send, with much of what is special.
    fn anything() -> impl Strategy<Value = String> {
        let special = prop::sample::select(vec![
            "${",
            "}",
            "{",
            "$",
            "'",
            "\"",
            "\\",
            ",",
            "|",
            ";",
            "\r\n",
            "\n\n",
            "\0",
            "=",
            "^^:",
            "[",
            "]",
            "<",
            ">",
            ":_:",
            "ARRAY::",
            "|:",
            " ",
            "\u{2028}",
            "`",
            "\u{1}",
            "\u{2}",
            "undef",
            "mod_event_socket",
            "unload ",
            "RELOAD Mod_Event_Socket",
            "X-Evil: 1",
            "%0d%0a",
            "Søren Ærø",
            "Content-Length: 9",
            "&park()",
            "~",
            "\\n",
            "\\s",
            "_:",
            ":",
        ]);
        let word = prop_oneof![3 => special.prop_map(str::to_owned), 1 => ".{0,12}"];
        prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn nothing_that_people_say_means_anything_to_freeswitch(text in anything()) {
            let cleaned = clean(&text);
            let forbidden = ['$', '{', '}', '[', ']', '<', '>', '\'', '"', '\\', ',', ';', '|', '^'];
            prop_assert!(!cleaned.contains(forbidden), "{cleaned:?}");
            prop_assert!(!cleaned.contains(char::is_control), "{cleaned:?}");
            prop_assert!(!cleaned.contains(":_:"), "{cleaned:?}");
            prop_assert!(!cleaned.starts_with("ARRAY::"), "{cleaned:?}");
            prop_assert!(!cleaned.to_ascii_lowercase().contains("mod_event_socket"), "{cleaned:?}");
            prop_assert!(cleaned.len() <= LIMIT);
            prop_assert_eq!(cleaned.trim(), &cleaned);
            prop_assert_eq!(clean(&cleaned), cleaned);
        }

        #[test]
        fn an_order_to_dial_holds_exactly_the_variables_that_are_meant(
            name in anything(),
            reason in anything(),
            summary in anything(),
        ) {
            let all = [
                ("origination_uuid", Value::text("c0000000-0000-4000-8000-000000000001")),
                ("origination_caller_id_name", Value::text(&name)),
                ("hotline_reason", Value::text(&reason)),
                ("sip_h_X-Hotline-Summary", Value::text(&summary)),
            ];
            let dial = "[leg_timeout=10]sofia/internal/a1@127.0.0.1:5091";
            let order = format!("originate {}{} +4570101010 XML c", variables(&all), word(dial));
            prop_assert_eq!(order.lines().count(), 1);
            prop_assert!(!order.contains('$'), "{order}");
            let (found, string, rest) = take_apart(&order);
            let meant: Vec<_> = all
                .iter()
                .filter(|(_, value)| !value.as_str().is_empty())
                .map(|(name, value)| ((*name).to_owned(), value.as_str().to_owned()))
                .collect();
            prop_assert_eq!(found, meant);
            prop_assert_eq!(string, dial);
            prop_assert_eq!(rest, ["+4570101010", "XML", "c"]);
        }

        #[test]
        fn an_admins_dial_string_arrives_as_it_was_written(
            inner in "[a-z=,' \\\\]{0,12}",
            tail in "[a-z/:|, ]{0,12}[a-z]",
        ) {
            let dial = format!("{{{inner}}}sofia/gateway/{tail}");
            let all = [("a", Value::text("1")), ("hotline_dial", Value::exact(&dial)), ("z", Value::text("9"))];
            let order = format!("originate {}{} x", variables(&all), word(&dial));
            let (found, string, rest) = take_apart(&order);
            let meant = [("a", "1"), ("hotline_dial", dial.as_str()), ("z", "9")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
            prop_assert_eq!(found, meant);
            prop_assert_eq!(string, dial);
            prop_assert_eq!(rest, ["x"]);
        }

        #[test]
        fn a_value_set_on_a_channel_is_the_last_argument_as_it_is(text in "[a-z'\\\\, {}$]{0,20}[a-z]") {
            let command = format!("u name {}", last(text.trim()));
            let words = split(&command, ' ', 3);
            prop_assert_eq!(&words[2], text.trim());
        }

        #[test]
        fn an_extension_is_one_word(text in anything()) {
            if let Ok(extension) = extension("the extension", &text) {
                prop_assert_eq!(&extension, &text);
                prop_assert_eq!(split(&extension, ' ', 9), [text.clone()]);
                prop_assert!(!text.starts_with('-') && text != "undef");
            }
        }
    }

    #[test]
    fn people_read_alike_what_freeswitch_does_not_know() {
        insta::assert_snapshot!(
            clean("Hansen, Søren \"Bisse\": it's ${hangup} [2];\r\n100 % | 5$"),
            @"Hansen‚ Søren ”Bisse”: it’s ¤(hangup) (2)‚ 100 % ¦ 5¤"
        );
        assert_eq!(
            clean("Please unload mod_event_socket"),
            "Please unload mod-event_socket"
        );
        assert_eq!(clean("ARRAY::a"), "ARRAY-:a");
        assert_eq!(clean(":_:_:"), ":-:-:");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = clean(&"ø".repeat(300));
        assert!(
            cut.ends_with("ø…") && cut.len() <= LIMIT && cut.len() > LIMIT - 4,
            "{cut}"
        );
    }

    #[test]
    fn queues_numbers_and_extensions_pass_and_commands_do_not() {
        for fine in [
            "borgerservice@default",
            "+4570101010",
            "200",
            "*98",
            "børn_2.a-b",
        ] {
            assert_eq!(extension("x", fine).unwrap(), fine);
        }
        for wrong in [
            "",
            "a b",
            "-both",
            "undef",
            "UNDEF",
            "Mod_Event_Socket",
            "a,b",
            "&park()",
            "${x}",
            "a\nb",
            "a:b",
        ] {
            assert!(extension("x", wrong).is_err(), "{wrong:?}");
        }
        insta::assert_snapshot!(
            extension("the extension", "-both").unwrap_err(),
            @r#"cannot send the extension: "-both" means something else to FreeSWITCH"#
        );
    }

    #[test]
    fn a_dial_string_is_filled_with_extensions_only() {
        let template = "sofia/gateway/trunk/{number}|sofia/gateway/spare/{number}";
        assert_eq!(
            dial_string(template, "{number}", "+4570101010").unwrap(),
            "sofia/gateway/trunk/+4570101010|sofia/gateway/spare/+4570101010"
        );
        assert!(dial_string(template, "{number}", "1,loopback/9").is_err());
    }
}
