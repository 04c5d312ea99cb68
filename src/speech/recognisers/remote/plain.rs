//! Written text as recognised words: lower case, without the punctuation that writers put in.

use crate::speech::Word;

/// Brings a text with capitals and punctuation to the words of it. What belongs to a number or
/// stands inside a word stays: `9:15`, `+45`, `3,5`, `don't`, `e-mail`.
pub(in super::super) fn plain(text: &str) -> String {
    let letters: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut words = String::with_capacity(text.len());
    for (index, &letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|at| letters.get(at)).copied();
        let after = letters.get(index + 1).copied();
        if is_kept(letter, before, after) {
            words.push(letter);
        } else if !words.ends_with(' ') && !words.is_empty() {
            words.push(' ');
        }
    }
    words.truncate(words.trim_end().len());
    words
}

/// Puts more words behind a text.
pub(in super::super) fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// Weighs the confidence of each word by how long it was; `[unk]` counts as 0, at a quarter of its
/// length, as the recogniser in this process has it.
pub(in super::super) fn confidence(words: &[Word]) -> f32 {
    let (mut certain, mut total) = (0.0_f32, 0.0_f32);
    for word in words {
        let length = word.end.saturating_sub(word.start).as_secs_f32().max(0.01);
        if word.text == "[unk]" {
            total += length / 4.0;
        } else {
            total += length;
            certain += length * word.confidence;
        }
    }
    if total > 0.0 {
        (certain / total).clamp(0.0, 1.0)
    } else {
        0.0
    }
}

fn is_kept(letter: char, before: Option<char>, after: Option<char>) -> bool {
    let is = |neighbour: Option<char>, kind: fn(char) -> bool| neighbour.is_some_and(kind);
    match letter {
        // Accents that stand for themselves belong to the letter before them.
        _ if letter.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&letter) => true,
        '\'' | '’' | '-' => is(before, char::is_alphanumeric) && is(after, char::is_alphanumeric),
        '.' | ',' | ':' | '/' => is(before, char::is_numeric) && is(after, char::is_numeric),
        '+' => is(after, char::is_numeric) && !is(before, char::is_alphanumeric),
        '%' => is(before, char::is_numeric),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writing_becomes_words() {
        assert_eq!(plain("Ja, det vil jeg gerne."), "ja det vil jeg gerne");
        assert_eq!(plain(" Kl. 9:15 … den 3. maj! "), "kl 9:15 den 3 maj");
        assert_eq!(plain("I don't — e-mail me?"), "i don't e-mail me");
        assert_eq!(plain("+45 22-33-44-55"), "+45 22-33-44-55");
        assert_eq!(
            plain("Det koster 3,5 (eller 4) %"),
            "det koster 3,5 eller 4"
        );
        assert_eq!(plain("ÆRØ"), "ærø");
        assert_eq!(plain("..."), "");
    }

    proptest! {
        #[test]
        fn plain_text_has_no_capitals_and_no_loose_blanks_and_stays(text in ".{0,60}") {
            let words = plain(&text);
            prop_assert_eq!(words.trim(), &words);
            prop_assert!(!words.contains("  "));
            prop_assert_eq!(plain(&words), words);
        }
    }
}
