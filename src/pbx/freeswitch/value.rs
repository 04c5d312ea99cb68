//! Texts on their way into FreeSWITCH. It splits commands at spaces, quotes and commas, expands `${…}`
//! again and again, and looks for words of its own anywhere in a line: what people say or are called
//! must mean nothing to it. All of this is pure.

use std::fmt::Write;

use crate::pbx::PbxError;

/// The most bytes of a text; agents' phones show less, and one SIP packet has to hold several.
const LIMIT: usize = 400;

/// The most bytes of an extension; FreeSWITCH's own limit for a queue's name is larger.
const EXTENSION: usize = 128;

/// What a channel variable is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value(String);

impl Value {
    /// Makes a value of what people wrote, said or are called; see [`clean`].
    pub(super) fn text(text: &str) -> Self {
        Self(clean(text))
    }

    /// Makes a value of what an admin or this program wrote, such as a dial string or a path: it
    /// arrives as it is, line breaks and other control characters excepted.
    pub(super) fn exact(text: &str) -> Self {
        Self(text.chars().filter(|c| !c.is_control()).collect())
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
    if let Some(rest) = line.strip_prefix("ARRAY::") {
        line = format!("ARRAY: {rest}");
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
/// unquotes it twice: once with the whole order, and once when it takes the block apart. A variable
/// without a value is left out, as FreeSWITCH would do.
pub(super) fn variables(all: &[(&str, Value)]) -> String {
    let mut block = String::new();
    for (name, value) in all
        .iter()
        .filter(|(_, value)| !value.as_str().trim().is_empty())
    {
        let separator = if block.is_empty() { '{' } else { ',' };
        let inner = escape(value.as_str(), &['\\', '\'', ',']);
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
    let escaped = escape(text, &['\\', '\'']);
    match escaped.contains(' ') {
        true => format!("'{escaped}'"),
        false => escaped,
    }
}

/// Writes a text so that it is the last argument of `uuid_setvar`, which may hold spaces.
pub(super) fn last(text: &str) -> String {
    escape(text, &['\\', '\''])
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
    // `uuid_transfer` takes the one for an option; the other, ordered to be dialled, ends FreeSWITCH.
    if text.starts_with('-') || text.eq_ignore_ascii_case("undef") {
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
