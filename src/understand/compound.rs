//! Compounds, as Danish and its neighbours make them: a known word as the beginning or the end of a longer one.

use std::sync::Arc;

use crate::language::Tongue;

/// What a compound may have between its halves.
const LINKS: [&str; 6] = ["", "s", "e", "er", "te", "n"];

/// Prefixes that make another word, often the opposite: `bestille`, `afbestille`.
const PREFIXES: [&str; 14] = [
    "af", "an", "be", "for", "fra", "gen", "ind", "mis", "ned", "op", "over", "paa", "til", "ud",
];

/// Knows which rests make a compound credible.
#[derive(Clone, Debug)]
pub(super) struct Compounds {
    tongue: Arc<Tongue>,
}

impl Compounds {
    /// Prepares a language; in one that writes its compounds apart there are none.
    pub(super) fn of(tongue: &Arc<Tongue>) -> Self {
        Self {
            tongue: Arc::clone(tongue),
        }
    }

    /// Tells from 0 to 1 how likely `token` is a compound with `known` in it. All words are folded;
    /// `known` comes as written and as a stem; `is_known` tells whether a rest is a word elsewhere.
    pub(super) fn part_of(
        &self,
        token: &str,
        token_stem: &str,
        known: &str,
        known_stem: &str,
        is_known: impl Fn(&str) -> bool,
    ) -> f32 {
        if !self.tongue.wishes.compounds {
            return 0.0;
        }
        let credible = |rest: &str| self.tongue.wishes.tails.has(rest) || is_known(rest);
        let mut best: f32 = 0.0;
        for (beginning, whole) in [(known, true), (known_stem, false)] {
            let Some(rest) = token
                .strip_prefix(beginning)
                .filter(|_| beginning.len() >= 3)
            else {
                continue;
            };
            let rests = LINKS.iter().filter_map(|link| rest.strip_prefix(link));
            if rests.clone().any(|rest| rest.len() >= 3 && credible(rest)) {
                best = best.max(0.9);
            } else if whole
                && beginning.len() >= 5
                && rests.clone().any(|rest| rest.len() >= 4 && sounds(rest))
            {
                best = best.max(0.75);
            }
        }
        for (end, of) in [(known, token), (known_stem, token_stem)] {
            let Some(front) = of.strip_suffix(end).filter(|_| end.len() >= 3) else {
                continue;
            };
            let fronts = LINKS.iter().filter_map(|link| front.strip_suffix(link));
            if fronts
                .clone()
                .any(|front| front.len() >= 3 && credible(front))
            {
                best = best.max(0.9);
            } else if end.len() >= 5 && front.len() >= 3 && sounds(front) {
                // The last part says what the whole is.
                best = best.max(if end.len() >= 6 { 0.9 } else { 0.8 });
            }
        }
        if token.len() >= 5 && known.len() > token.len() + 2 {
            // "pleje" for "hjemmepleje": worth a question.
            let front = known.strip_suffix(token).or_else(|| {
                known_stem
                    .strip_suffix(token_stem)
                    .filter(|_| token_stem.len() >= 5)
            });
            let is_head = front.is_some_and(|front| !PREFIXES.contains(&front));
            let inside = match (is_head, known.starts_with(token)) {
                (true, _) => 0.65,
                (false, true) => 0.55,
                (false, false) => 0.0,
            };
            best = best.max(inside);
        }
        // "beboerparkeringslicens"
        if known.len() >= 7 && token.contains(known) {
            best = best.max(0.7);
        }
        best
    }
}

/// Tells whether letters could be a word: they have a vowel.
fn sounds(letters: &str) -> bool {
    letters.contains(['a', 'e', 'i', 'o', 'u', 'y'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::tongue;
    use crate::words::Language;

    fn part(token: &str, known: &str) -> f32 {
        let compounds = Compounds::of(&tongue(Language::DA));
        compounds.part_of(token, token, known, known, |rest| rest == "affald")
    }

    #[test]
    fn a_known_word_is_found_at_either_end_of_a_longer_one() {
        for (token, known) in [
            ("koerekortfornyelse", "koerekort"),
            ("skraldespandstoemning", "skraldespand"),
            ("knallertkoerekort", "koerekort"),
            ("pasfornyelse", "pas"),
            ("skatteraadgivning", "skat"),
            ("haveaffald", "affald"),
        ] {
            assert!(part(token, known) >= 0.75, "{token} {known}");
        }
    }

    #[test]
    fn a_short_word_at_the_start_of_another_is_no_compound() {
        for (token, known) in [
            ("passion", "pas"),
            ("passager", "pas"),
            ("skatteboe", "ska"),
            ("kompas", "pas"),
        ] {
            assert_eq!(part(token, known), 0.0, "{token} {known}");
        }
    }
}
