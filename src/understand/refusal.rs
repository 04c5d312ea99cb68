//! What callers say they do not want: "not the job centre but citizen service".
//!
//! Most negations tell what has gone wrong ("the bin has not been emptied") and belong to the wish;
//! only where leaving the negated part out leads somewhere else was it refused.

use super::intent::{Understanding, Verdict};
use super::vocabulary::Token;
use crate::language::Tongue;

/// Understands words, without the part of them that is refused.
pub(super) fn understand(
    tokens: &[Token],
    tongue: &Tongue,
    understood: impl Fn(&[Token]) -> Understanding,
) -> Understanding {
    let mut whole = understood(tokens);
    let folded: Vec<&str> = tokens
        .iter()
        .map(|token| token.word.folded.as_str())
        .collect();
    let refused = tongue.wishes.refuse.iter().find_map(|refuse| {
        let at = folded
            .windows(refuse.len())
            .position(|said| said == refuse)?;
        Some((at, at + refuse.len()))
    });
    let not = folded.iter().position(|word| tongue.wishes.not.has(word));
    let Some((from, begin)) = refused.or(not.map(|at| (at, at + 1))) else {
        return whole;
    };
    let until = folded[begin..]
        .iter()
        .position(|word| tongue.wishes.but.has(word))
        .map_or(tokens.len(), |at| begin + at);
    let negated = understood(&tokens[begin..until]);
    let rest = [&tokens[..from], &tokens[until..]].concat();
    let wanted = understood(&rest);
    let first = |understood: &Understanding| understood.best().map(|best| best.intent.clone());
    let clear = |understood: &Understanding| {
        matches!(
            understood.verdict,
            Verdict::Act | Verdict::Confirm | Verdict::Unclear
        )
    };
    if clear(&negated) && clear(&wanted) && first(&negated) != first(&wanted) {
        let mut wanted = wanted;
        let said: Vec<&str> = tokens[from..until]
            .iter()
            .map(|token| token.raw.as_str())
            .collect();
        if let Some(best) = wanted.ranked.first_mut() {
            best.why.push(format!("without '{}'", said.join(" ")));
        }
        return wanted;
    }
    // "I do not want the job centre": rather ask than go there.
    if refused.is_some() && clear(&negated) && whole.verdict == Verdict::Act {
        whole.verdict = Verdict::Confirm;
    }
    whole
}
