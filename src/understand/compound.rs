//! Danish compounds: a known word as the beginning or the end of a longer one.

/// Second halves of compounds that leave the topic to the first: `pas|fornyelse`, `p|afgift`.
const TAILS: &str = "fornyelse bestilling tid tider kontor kontoret afdeling afdelingen tømning \
tilladelse ansøgning kort plads pladser afgift afgiften bøde bøden gebyr penge støtte \
hjælp vejledning vejleder center centret centeret service rådgivning rådgiver udvidelse foto billede \
fejl skema blanket attest prøve tyveri nummer spørgsmål kontrol vagt vagten licens afhentning lån \
ordning ydelse konto regning opkrævning person fører beholder bekæmpelse problem problemer plage \
anmeldelse automat billet zone leder lærer ferie start indskrivning opskrivning skift pleje hjem bolig \
medarbejder medarbejdere personale mad visitation sagsbehandler bil bane dag kode app login konsulent \
betaling tjek fradrag procent årsopgørelse besked frist mærke chef formular guide huset hus gang fond";

/// What a compound may have between its halves.
const LINKS: [&str; 6] = ["", "s", "e", "er", "te", "n"];

/// Knows which rests make a compound credible.
#[derive(Clone, Debug, Default)]
pub(super) struct Compounds {
    tails: std::collections::BTreeSet<String>,
}

impl Compounds {
    /// Prepares the list of ordinary second halves.
    pub(super) fn new() -> Self {
        Self {
            tails: TAILS.split_whitespace().map(super::text::fold).collect(),
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
        let credible = |rest: &str| self.tails.contains(rest) || is_known(rest);
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
                best = best.max(0.8);
            }
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

    fn part(token: &str, known: &str) -> f32 {
        let compounds = Compounds::new();
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
