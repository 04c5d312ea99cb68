//! The phrases that a question's grammar is made of, whatever the engine: hints without the words
//! that its model does not know.

use std::collections::HashSet;

/// The word that stands for anything that is not in a grammar.
pub(super) const UNKNOWN: &str = "[unk]";

/// The longest grammar in bytes; hints beyond it are left out.
const LONGEST_GRAMMAR: usize = 64_000;

/// Splits hints into phrases of known words, in lower case, each once: "dansk pas" becomes "pas"
/// where "dansk" is not known.
pub(super) fn known_phrases(hints: &[String], knows: impl Fn(&str) -> bool) -> Vec<String> {
    let mut phrases: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    let mut length = 0;
    for hint in hints {
        let lower = hint.to_lowercase();
        let words: Vec<&str> = lower
            .split(|letter: char| !(letter.is_alphanumeric() || letter == '\''))
            .filter(|word| !word.is_empty())
            .collect();
        for run in words
            .split(|word| !knows(word))
            .filter(|run| !run.is_empty())
        {
            let phrase = run.join(" ");
            length += phrase.len() + 3;
            if length > LONGEST_GRAMMAR {
                return phrases;
            }
            if seen.insert(phrase.clone()) {
                phrases.push(phrase);
            }
        }
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn unknown_words_never_reach_a_grammar() {
        let hints = strings(&["Dansk pas", "pas", "kørekort, pas og MitID", "", "MitID"]);
        let known = ["pas", "kørekort", "og"];
        assert_eq!(
            known_phrases(&hints, |word| known.contains(&word)),
            ["pas", "kørekort pas og"]
        );
    }

    #[test]
    fn a_grammar_does_not_grow_without_end() {
        let hints: Vec<String> = (0..20_000).map(|number| format!("ord{number}")).collect();
        let phrases = known_phrases(&hints, |_| true);
        assert!(serde_json::json!(phrases).to_string().len() <= LONGEST_GRAMMAR + 10);
        assert!(phrases.len() > 1000);
    }
}
