//! Places in a file: bytes to lines and columns, and positions inside a text that YAML has
//! unfolded and unescaped back to where they were written.

use std::ops::Range;

use super::finding::{Finding, Severity};

/// A file's text with its name.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file, as it is named to people.
    pub(super) file: String,
    /// Its text.
    pub(super) text: String,
    lines: Vec<usize>,
}

/// How a text is written in YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes, on one or more lines.
    Plain,
    /// In single quotes.
    Single,
    /// In double quotes, with escapes.
    Double,
    /// After `|` or `>`.
    Block,
}

impl Source {
    /// Takes a file's text.
    pub(super) fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let lines = std::iter::once(0)
            .chain(
                text.bytes()
                    .enumerate()
                    .filter_map(|(at, byte)| (byte == b'\n').then_some(at + 1)),
            )
            .collect();
        Self {
            file: file.into(),
            text,
            lines,
        }
    }

    /// Makes a finding about a range of bytes; of more than one line, the first is shown.
    pub(super) fn finding(
        &self,
        severity: Severity,
        bytes: Range<usize>,
        path: String,
        message: String,
    ) -> Finding {
        let start = self.boundary(bytes.start);
        let index = self.lines.partition_point(|line| *line <= start).max(1) - 1;
        let line_start = self.lines[index];
        let line_end = self
            .lines
            .get(index + 1)
            .map_or(self.text.len(), |next| next - 1);
        let line = self.text[line_start..line_end].trim_end_matches('\r');
        let end = self
            .boundary(bytes.end)
            .clamp(start, (line_start + line.len()).max(start));
        Finding {
            severity,
            file: self.file.clone(),
            line: index + 1,
            column: self.text[line_start..start].chars().count() + 1,
            width: self.text[start..end].trim_end().chars().count().max(1),
            path,
            message,
            suggestion: None,
            snippet: line.to_owned(),
        }
    }

    /// Returns the nearest place at or before a byte where a character begins.
    fn boundary(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }

    /// Returns where a part of a read text was written: `inside` counts bytes of `read`, the
    /// text that YAML made of the source at `written`.
    pub(super) fn part(
        &self,
        written: Range<usize>,
        style: Style,
        read: &str,
        inside: Range<usize>,
    ) -> Range<usize> {
        let (start, end) = (self.boundary(written.start), self.boundary(written.end));
        let map = unfold(&self.text[start..end], style, read);
        let at = |byte: usize| map.get(byte).copied().map(|found| start + found);
        let from = at(inside.start).unwrap_or(start);
        let to = match inside.end.checked_sub(1).and_then(at) {
            Some(last) => last + 1,
            None => from + 1,
        };
        from..to.max(from + 1)
    }
}

/// Walks along a text as written and as read, and returns for every byte read where it was
/// written. Where the two cannot be brought together, the list ends early.
fn unfold(written: &str, style: Style, read: &str) -> Vec<usize> {
    let bytes = written.as_bytes();
    let mut at = match style {
        Style::Plain => 0,
        Style::Single | Style::Double => 1,
        // The text of a block begins on the line after its mark.
        Style::Block if written.starts_with(['|', '>']) => {
            written.find('\n').map_or(written.len(), |line| line + 1)
        }
        Style::Block => 0,
    };
    let mut map = Vec::with_capacity(read.len());
    for character in read.chars() {
        if character.is_whitespace() && character != '\u{a0}' {
            // Line breaks may have become blanks; blanks at both ends of a line fell away.
            map.push(at.min(bytes.len()));
            if bytes.get(at) == Some(&b'\\') {
                at += escape_length(&written[at..]);
            } else if written[at.min(written.len())..].starts_with(character) && character != '\n' {
                at += character.len_utf8();
            }
            continue;
        }
        loop {
            let Some(rest) = written.get(at..) else {
                return map;
            };
            let Some(next) = rest.chars().next() else {
                return map;
            };
            if style == Style::Double && next == '\\' {
                let length = escape_length(rest);
                if rest.starts_with("\\\n") || rest.starts_with("\\\r") {
                    at += length;
                    continue;
                }
                map.extend(std::iter::repeat_n(at, character.len_utf8()));
                at += length;
                break;
            }
            if next == character {
                map.extend((0..character.len_utf8()).map(|byte| at + byte));
                at += next.len_utf8();
                if style == Style::Single && next == '\'' {
                    at += 1;
                }
                break;
            }
            if !next.is_whitespace() {
                return map;
            }
            at += next.len_utf8();
        }
    }
    map
}

/// Returns how many bytes an escape in double quotes takes, its backslash included.
fn escape_length(rest: &str) -> usize {
    let length = match rest.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'u') => 6,
        Some(b'U') => 10,
        Some(_) => 1 + rest[1..].chars().next().map_or(1, char::len_utf8),
        None => 1,
    };
    length.min(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read::{self, Document};
    use super::*;

    /// Reads a YAML text under `text:` and returns what the finding about `QQ` in it marks.
    fn marked(yaml: &str) -> Option<String> {
        let source = Source::new("a.yaml", yaml);
        let document: Document<std::collections::BTreeMap<String, String>> =
            read::read(source, &mut Vec::new())?;
        let at = document.value.get("text")?.find("QQ")?;
        let finding = document.error_inside(&["text".into()], at..at + 2, "here");
        let mark: String = finding
            .snippet
            .chars()
            .skip(finding.column - 1)
            .take(finding.width)
            .collect();
        Some(mark)
    }

    #[test]
    fn a_word_is_found_again_in_every_way_of_writing() {
        for yaml in [
            "text: Blåbær QQ",
            "text: Blåbær\n  og\n  QQ",
            "text: 'Det''er  QQ'",
            "text: 'Det''er\n\n  nu  QQ'",
            "text: \"\\u00e6 \\\"x\\\"\\n\\x41 QQ\"",
            "text: \"ø\\\n   QQ\"",
            "text: |\n  æ\n    indrykket\n\n  QQ",
            "text: >-\n  æ\n  ø\n\n  å QQ",
            "text: >+2\n    æ\n   QQ\n",
            "{ text: Blåbær QQ }",
        ] {
            assert_eq!(marked(yaml).as_deref(), Some("QQ"), "{yaml}");
        }
    }

    proptest! {
        #[test]
        fn a_word_is_found_again_in_any_text(
            before in "[a-zæøå'\\\\\" {}%]{0,30}",
            after in "[a-zæøå {}]{0,10}",
        ) {
            let text = format!("x{before}QQ{after}x");
            let double = serde_json::to_string(&text).unwrap();
            let single = format!("'{}'", text.replace('\'', "''"));
            for written in [double, single, format!("|\n  {text}"), format!(">\n  {text}")] {
                let yaml = format!("æ: ø\ntext: {written}\n");
                prop_assert_eq!(marked(&yaml), Some("QQ".to_owned()), "{}", yaml);
            }
        }
    }
}
