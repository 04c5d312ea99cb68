//! A text as it is given to engines: plain words, and where it was written as SSML (it begins
//! with `<speak>`) the markup as well, with only those elements that say how something is spoken.
//!
//! It does not know how numbers are spoken; that is `dialog::spoken`.

use super::SpeechError;

/// The longest text of one prompt, in characters: about five minutes of speech.
const LONGEST_TEXT: usize = 4000;

/// The elements that engines are given. Others could make an engine fetch something.
const ELEMENTS: [&str; 11] = [
    "speak", "p", "s", "break", "prosody", "emphasis", "say-as", "sub", "voice", "phoneme", "lang",
];

/// A text to be spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The words alone.
    pub plain: String,
    /// The words with their markup, where they have some and it is well-formed.
    pub markup: Option<String>,
}

impl Script {
    /// Reads a text as it is written in a flow, passing `spoken` over its words.
    ///
    /// # Errors
    /// When it holds control characters, markup that is not well-formed, no words, or too many.
    pub fn read(text: &str, spoken: impl Fn(&str) -> String) -> Result<Self, SpeechError> {
        let refused = |reason| SpeechError::Unspeakable {
            length: text.chars().count(),
            reason,
        };
        if text.chars().any(is_control) {
            return Err(refused(
                "it holds control characters; take them out of the flow's text",
            ));
        }
        let script = if is_markup(text) {
            let parts = parts(text).map_err(refused)?;
            Self {
                plain: tidy(&spoken(&words_of(&parts))),
                markup: Some(tidy(&markup_of(&parts, spoken))),
            }
        } else {
            Self {
                plain: tidy(&spoken(text)),
                markup: None,
            }
        };
        if !script.plain.chars().any(char::is_alphanumeric) {
            return Err(refused("it holds no words; leave the prompt out instead"));
        }
        if text.chars().nth(LONGEST_TEXT).is_some() {
            return Err(refused(
                "it is longer than 4000 characters; split the prompt",
            ));
        }
        Ok(script)
    }

    /// Reads a text that a caller waits for: control characters count as spaces, and markup that
    /// is not well-formed is left out.
    ///
    /// # Errors
    /// When it holds no words, or too many.
    pub(super) fn read_leniently(
        text: &str,
        spoken: impl Fn(&str) -> String,
    ) -> Result<Self, SpeechError> {
        let clean: String = text
            .chars()
            .map(|letter| if is_control(letter) { ' ' } else { letter })
            .collect();
        match Self::read(&clean, &spoken) {
            Err(_) if is_markup(&clean) => Self::read(&without_tags(&clean), spoken),
            read => read,
        }
    }
}

/// Returns the words of a text as they are written, without markup: what recordings are named by.
pub(super) fn written_words(text: &str) -> String {
    match is_markup(text) {
        true => tidy(&parts(text).map_or_else(|_| without_tags(text), |parts| words_of(&parts))),
        false => tidy(text),
    }
}

fn is_control(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\r' | '\t')
}

fn is_markup(text: &str) -> bool {
    let text = text.trim_start();
    text.strip_prefix("<speak")
        .is_some_and(|rest| rest.starts_with(['>', ' ', '\n', '\t', '\r']))
}

fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One part of a text with markup.
enum Part<'a> {
    Words(String),
    Opens { name: &'a str, tag: &'a str },
    Stands { name: &'a str, tag: &'a str },
    Closes { name: &'a str },
}

/// Takes markup apart and sees that it is well-formed.
fn parts(text: &str) -> Result<Vec<Part<'_>>, &'static str> {
    let mut parts = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some(start) = rest.find('<') else {
            return Err(match open.is_empty() {
                true => "words follow its last SSML element; close `<speak>` at the end",
                false => "an SSML element is not closed",
            });
        };
        if start > 0 {
            if open.is_empty() {
                return Err("words follow its last SSML element; close `<speak>` at the end");
            }
            parts.push(Part::Words(unescaped(&rest[..start])?));
        }
        rest = &rest[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").ok_or("an SSML comment has no end")?;
            rest = &comment[end + 3..];
            continue;
        }
        let end = end_of_tag(rest).ok_or("an SSML element has no `>`")?;
        let tag = &rest[..=end];
        rest = &rest[end + 1..];
        let inner = tag[1..tag.len() - 1].trim_end_matches('/');
        let name = inner.trim_start_matches('/');
        let name = name.split_whitespace().next().unwrap_or_default();
        if !name.starts_with(char::is_alphabetic) {
            return Err("an SSML element has no name; write `&lt;` for `<`");
        }
        if tag.starts_with("</") {
            if open.pop() != Some(name) {
                return Err("an SSML element is closed that is not open");
            }
            parts.push(Part::Closes { name });
        } else if tag.ends_with("/>") {
            parts.push(Part::Stands { name, tag });
        } else {
            open.push(name);
            parts.push(Part::Opens { name, tag });
        }
    }
    match open.is_empty() {
        true => Ok(parts),
        false => Err("an SSML element is not closed"),
    }
}

/// Returns where a tag ends; a `>` between quotes does not end it.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> Result<String, &'static str> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        let unknown = "its SSML holds a bare `&`; write `&amp;`";
        let end = rest[start..].find(';').ok_or(unknown)? + start;
        let letter = match &rest[start + 1..end] {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix('#').ok_or(unknown)?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => number.parse(),
                };
                let letter = code.ok().and_then(char::from_u32).ok_or(unknown)?;
                if is_control(letter) {
                    return Err("it holds control characters; take them out of the flow's text");
                }
                letter
            }
        };
        plain.push(letter);
        rest = &rest[end + 1..];
    }
    plain.push_str(rest);
    Ok(plain)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Returns what is said: the words, and what stands in for some of them.
fn words_of(parts: &[Part<'_>]) -> String {
    let mut words = String::new();
    let mut replaced = 0;
    for part in parts {
        match part {
            Part::Words(text) if replaced == 0 => words.push_str(text),
            Part::Words(_) => {}
            Part::Opens { name: "sub", tag } => {
                if let Some(alias) = attribute(tag, "alias") {
                    words.push_str(&alias);
                }
                replaced += 1;
            }
            Part::Closes { name: "sub" } => replaced -= 1,
            Part::Closes { name: "p" | "s" } => {
                // Sentences end where their element does.
                let ends = words.trim_end().ends_with(['.', '!', '?', ':']);
                words.push_str(if ends { " " } else { ". " });
            }
            Part::Opens { .. } | Part::Stands { .. } | Part::Closes { .. } => words.push(' '),
        }
    }
    // A mark that stood behind an element still belongs to the word before it.
    let words = tidy(&words);
    [".", ",", "!", "?", ":", ";"]
        .iter()
        .fold(words, |words, mark| {
            words.replace(&format!(" {mark}"), mark)
        })
}

fn markup_of(parts: &[Part<'_>], spoken: impl Fn(&str) -> String) -> String {
    let mut markup = String::new();
    let mut as_is = 0;
    for part in parts {
        match part {
            Part::Words(text) if as_is > 0 => markup.push_str(&escaped(text)),
            Part::Words(text) => {
                let space = |there: bool| if there { " " } else { "" };
                markup.push_str(space(text.starts_with(char::is_whitespace)));
                markup.push_str(&escaped(&spoken(text.trim())));
                markup.push_str(space(text.ends_with(char::is_whitespace)));
            }
            Part::Opens { name, tag } if ELEMENTS.contains(name) => {
                as_is += usize::from(matches!(*name, "say-as" | "phoneme"));
                markup.push_str(tag);
            }
            Part::Stands { name, tag } if ELEMENTS.contains(name) => markup.push_str(tag),
            Part::Closes { name } if ELEMENTS.contains(name) => {
                as_is -= usize::from(matches!(*name, "say-as" | "phoneme"));
                markup.push_str(&format!("</{name}>"));
            }
            Part::Opens { .. } | Part::Stands { .. } | Part::Closes { .. } => markup.push(' '),
        }
    }
    markup
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let from = tag.find(&format!(" {name}="))? + name.len() + 2;
    let quote = tag[from..]
        .chars()
        .next()
        .filter(|it| matches!(it, '"' | '\''))?;
    let value = &tag[from + 1..];
    unescaped(&value[..value.find(quote)?]).ok()
}

/// Takes away whatever looks like a tag.
fn without_tags(text: &str) -> String {
    let mut words = String::new();
    let mut inside = false;
    for letter in text.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                words.push(' ');
            }
            _ if inside => {}
            _ => words.push(letter),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Script, SpeechError> {
        Script::read(text, |words| words.replace("12", "tolv"))
    }

    #[test]
    fn a_plain_text_is_words_even_with_signs_of_markup_in_it() {
        let script = read("  Tast 12,\n hvis 1 < 2 & <s> er ikke en kode ").unwrap();
        assert_eq!(script.plain, "Tast tolv, hvis 1 < 2 & <s> er ikke en kode");
        assert_eq!(script.markup, None);
    }

    #[test]
    fn markup_is_kept_for_those_who_know_it_and_taken_away_for_the_others() {
        let text = "<speak><p>Vent <emphasis level='strong'>venligst</emphasis>.</p>\
                    <break time=\"300ms\"/>Du er nummer 12 hos \
                    <sub alias=\"Københavns Kommune\">KK</sub> &amp; venner, \
                    tast <say-as interpret-as='digits'>12</say-as></speak>";
        let script = read(text).unwrap();
        insta::assert_snapshot!(script.plain, @"Vent venligst. Du er nummer tolv hos Københavns Kommune & venner, tast tolv");
        insta::assert_snapshot!(script.markup.unwrap(), @r#"<speak><p>Vent <emphasis level='strong'>venligst</emphasis>.</p><break time="300ms"/>Du er nummer tolv hos <sub alias="Københavns Kommune">KK</sub> &amp; venner, tast <say-as interpret-as='digits'>12</say-as></speak>"#);
        assert_eq!(
            written_words(text),
            "Vent venligst. Du er nummer 12 hos Københavns Kommune & venner, tast 12"
        );
    }

    #[test]
    fn an_element_that_would_fetch_something_reaches_no_engine() {
        let script =
            read("<speak>Hør <audio src='file:///etc/passwd'>bip</audio></speak>").unwrap();
        assert_eq!(script.markup.as_deref(), Some("<speak>Hør bip </speak>"));
        assert_eq!(script.plain, "Hør bip");
    }

    #[test]
    fn what_cannot_be_spoken_is_refused_in_words() {
        let complaint = |text: &str| read(text).unwrap_err().to_string();
        insta::assert_snapshot!(complaint("Hej\u{7}"), @"a text of 4 characters cannot be spoken: it holds control characters; take them out of the flow's text");
        insta::assert_snapshot!(complaint(" ..."), @"a text of 4 characters cannot be spoken: it holds no words; leave the prompt out instead");
        insta::assert_snapshot!(complaint("<speak>Hej"), @"a text of 10 characters cannot be spoken: an SSML element is not closed");
        insta::assert_snapshot!(complaint("<speak><s>Hej</p></speak>"), @"a text of 25 characters cannot be spoken: an SSML element is closed that is not open");
        insta::assert_snapshot!(complaint("<speak>Hej & hå</speak>"), @"a text of 23 characters cannot be spoken: its SSML holds a bare `&`; write `&amp;`");
        insta::assert_snapshot!(complaint("<speak>1 < 2</speak>"), @"a text of 20 characters cannot be spoken: an SSML element has no name; write `&lt;` for `<`");
        insta::assert_snapshot!(complaint("<speak>x</speak> y"), @"a text of 18 characters cannot be spoken: words follow its last SSML element; close `<speak>` at the end");
        assert!(read(&"a".repeat(LONGEST_TEXT)).is_ok());
        assert!(read(&"a".repeat(LONGEST_TEXT + 1)).is_err());
    }

    #[test]
    fn a_caller_who_waits_hears_the_words_even_so() {
        let lenient = |text: &str| Script::read_leniently(text, str::to_owned).unwrap();
        assert_eq!(lenient("Hej\u{0}\r\n du").plain, "Hej du");
        let script = lenient("<speak>Hej & <b>hå");
        assert_eq!((script.plain.as_str(), script.markup), ("Hej & hå", None));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_none_keeps_a_control_character(
            text in r#"(<speak>)?([a-z<>/&;="' \x00-\x1f]|</s>|<s>|<sub alias="x">|</sub>|&#7;|&lt;){0,40}(</speak>)?"#,
        ) {
            if let Ok(script) = Script::read_leniently(&text, str::to_owned) {
                prop_assert!(!script.plain.chars().any(char::is_control));
                prop_assert!(!script.markup.unwrap_or_default().chars().any(char::is_control));
            }
            let _ = Script::read(&text, str::to_owned);
            let _ = written_words(&text);
        }
    }
}
