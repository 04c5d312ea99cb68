//! Reads the words of templates and expressions: which names, filters, tests and comparisons
//! stand where. The template engine itself says whether they fit together; it does not say where.

use std::ops::Range;

/// A part of an expression, with its bytes in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) bytes: Range<usize>,
}

/// What a part of an expression is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name with its parts: `department.wait`.
    Name(String),
    /// A text in quotes, without them.
    Text(String),
    /// Anything else, by its first character; `=` is `==`, and a single `=` is `:`.
    Sign(char),
}

/// Returns the tokens of every `{{ … }}` and `{% … %}` of a template.
pub(super) fn of_template(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find(['{']).map(|found| at + found) {
        let close = match text.as_bytes().get(open + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                at = open + 1;
                continue;
            }
        };
        let inside = open + 2;
        let end = text[inside..]
            .find(close)
            .map_or(text.len(), |found| inside + found);
        if close != "#}" {
            tokens.extend(of_range(text, inside..end));
        }
        at = (end + 2).min(text.len());
    }
    tokens
}

/// Returns the tokens of an expression.
pub(super) fn of_expression(text: &str) -> Vec<Token> {
    of_range(text, 0..text.len())
}

fn of_range(text: &str, range: Range<usize>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = text[range.clone()].char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let start = range.start + at;
        if character.is_alphabetic() || character == '_' {
            let mut end = start + character.len_utf8();
            while let Some((at, next)) = characters.peek().copied() {
                let goes_on = next.is_alphanumeric()
                    || next == '_'
                    || (next == '.'
                        && text[range.start + at + 1..]
                            .starts_with(|after: char| after.is_alphabetic() || after == '_'));
                if !goes_on {
                    break;
                }
                end = range.start + at + next.len_utf8();
                characters.next();
            }
            tokens.push(Token {
                kind: TokenKind::Name(text[start..end].to_owned()),
                bytes: start..end,
            });
        } else if character == '\'' || character == '"' {
            let mut inside = String::new();
            let mut end = range.end;
            while let Some((at, next)) = characters.next() {
                if next == character {
                    end = range.start + at + 1;
                    break;
                }
                let kept = match next {
                    '\\' => characters.next().map_or('\\', |(_, escaped)| escaped),
                    other => other,
                };
                inside.push(kept);
            }
            tokens.push(Token {
                kind: TokenKind::Text(inside),
                bytes: start..end,
            });
        } else if character == '=' {
            let double = characters.next_if(|(_, next)| *next == '=').is_some();
            tokens.push(Token {
                kind: TokenKind::Sign(if double { '=' } else { ':' }),
                bytes: start..start + 1 + usize::from(double),
            });
        } else if character == '!' && characters.next_if(|(_, next)| *next == '=').is_some() {
            tokens.push(Token {
                kind: TokenKind::Sign('='),
                bytes: start..start + 2,
            });
        } else if !character.is_whitespace() && !character.is_ascii_digit() {
            tokens.push(Token {
                kind: TokenKind::Sign(character),
                bytes: start..start + character.len_utf8(),
            });
        }
    }
    tokens
}

/// Returns the filters used: `| name`.
pub(super) fn filters(tokens: &[Token]) -> Vec<(&str, Range<usize>)> {
    tokens
        .windows(2)
        .filter_map(|pair| match (&pair[0].kind, &pair[1].kind) {
            (TokenKind::Sign('|'), TokenKind::Name(name)) => {
                Some((name.as_str(), pair[1].bytes.clone()))
            }
            _ => None,
        })
        .collect()
}

/// Returns the tests used: `is name` and `is not name`.
pub(super) fn tests(tokens: &[Token]) -> Vec<(&str, Range<usize>)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token.kind != TokenKind::Name("is".to_owned()) {
            continue;
        }
        let mut rest = tokens[at + 1..].iter();
        let mut next = rest.next();
        if next.is_some_and(|token| token.kind == TokenKind::Name("not".to_owned())) {
            next = rest.next();
        }
        if let Some(Token {
            kind: TokenKind::Name(name),
            bytes,
        }) = next
        {
            found.push((name.as_str(), bytes.clone()));
        }
    }
    found
}

/// Returns the comparisons of a name with a text: `wish == 'callback'`, either way round.
pub(super) fn comparisons(tokens: &[Token]) -> Vec<(&str, &str, Range<usize>)> {
    tokens
        .windows(3)
        .filter_map(
            |three| match (&three[0].kind, &three[1].kind, &three[2].kind) {
                (TokenKind::Name(name), TokenKind::Sign('='), TokenKind::Text(text)) => {
                    Some((name.as_str(), text.as_str(), three[2].bytes.clone()))
                }
                (TokenKind::Text(text), TokenKind::Sign('='), TokenKind::Name(name)) => {
                    Some((name.as_str(), text.as_str(), three[0].bytes.clone()))
                }
                _ => None,
            },
        )
        .collect()
}

/// Returns where a name stands first.
pub(super) fn place_of(tokens: &[Token], name: &str) -> Option<Range<usize>> {
    tokens.iter().find_map(|token| match &token.kind {
        TokenKind::Name(found)
            if found == name
                || found
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('.')) =>
        {
            Some(token.bytes.clone())
        }
        _ => None,
    })
}

/// Returns the text that an expression consists of, if it is one text in quotes.
pub(super) fn single_text(expression: &str) -> Option<String> {
    match of_expression(expression).as_slice() {
        [
            Token {
                kind: TokenKind::Text(text),
                ..
            },
        ] => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_quotes_and_outside_of_tags_are_no_names() {
        let tokens =
            of_template("Hej wish {{ 'x.y' ~ tenant.name | spell }} {# no #}{% if a is not b %}");
        let names: Vec<&str> = tokens
            .iter()
            .filter_map(|token| match &token.kind {
                TokenKind::Name(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["tenant.name", "spell", "if", "a", "is", "not", "b"]);
        assert_eq!(filters(&tokens)[0].0, "spell");
        assert_eq!(super::tests(&tokens)[0].0, "b");
    }

    #[test]
    fn a_comparison_is_found_either_way_round() {
        let tokens = of_expression("wish == 'a' or \"b\" != wish");
        let found: Vec<(&str, &str)> = comparisons(&tokens)
            .into_iter()
            .map(|(name, text, _)| (name, text))
            .collect();
        assert_eq!(found, [("wish", "a"), ("wish", "b")]);
    }

    proptest::proptest! {
        #[test]
        fn no_template_breaks_the_scanner(text in "[a-zæ{}%#'\"|.=! \\\\]{0,60}") {
            for token in of_template(&text).into_iter().chain(of_expression(&text)) {
                proptest::prop_assert!(text.get(token.bytes).is_some());
            }
        }
    }
}
