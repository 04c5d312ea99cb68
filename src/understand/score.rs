//! How well each intent fits what was said, and what to do about it.

use super::intent::{ACT, CONFIRM, MARGIN, Match, PRECEDENCE_SHARE, Understanding, Verdict};
use super::stop::Weight;
use super::vocabulary::{Hit, Index, Kind, Term, Token};
use crate::words::IntentName;

/// What a name or synonym is worth, heard without doubt.
const WORD: f32 = 0.95;
/// What a topic is worth.
const TOPIC: f32 = 0.85;
/// What a whole example sentence is worth.
const EXAMPLE: f32 = 0.85;
/// How much each further intent that shares a strong word takes from it.
const SHARED: f32 = 0.12;
/// The part of a phrase that has to be heard.
const PHRASE_SHARE: f32 = 0.5;
/// The likeness to an example below which it says nothing.
const EXAMPLE_SHARE: f32 = 0.35;
/// How many words of others may stand inside an idiom: "ring lige her mig op".
const IDIOM_GAP: usize = 2;
/// What a name is worth that is a mere carrier word, such as `person`.
const CARRIER_ALONE: f32 = 0.75;
/// What remains of a word that another intent has in a longer phrase heard in full.
const OVERSHADOWED: f32 = 0.5;
/// What a carrier word weighs inside a phrase.
const CARRIER: f32 = 0.6;
/// What another intent's strong word weighs inside an example.
const STRONG_ELSEWHERE: f32 = 0.3;
/// What a word that no intent knows weighs against an example.
const UNKNOWN: f32 = 0.5;
/// What two everyday words are worth amid others.
const LITERAL_AMID: f32 = 0.6;
/// What three and more of them are worth amid others.
const LITERAL_LONG: f32 = 0.85;

/// One reason for an intent.
struct Contribution {
    amount: f32,
    /// Whether it is a name or topic that was heard in full.
    whole: bool,
    tokens: Vec<usize>,
    why: String,
}

/// Ranks the intents and decides.
pub(super) fn understand(
    intents: &[(IntentName, i8)],
    index: &Index,
    tokens: &[Token],
    hits: &[Option<Hit>],
) -> Understanding {
    let mut reasons: Vec<Vec<Contribution>> = intents.iter().map(|_| Vec::new()).collect();
    for term in &index.terms {
        let contribution = if term.parts.is_empty() {
            literal(term, tokens)
        } else if term.idiom {
            idiom(term, tokens)
        } else if term.kind == Kind::Example {
            example(index, intents.len(), term, tokens, hits)
        } else {
            strong(index, term, tokens, hits)
        };
        if let (Some(contribution), Some(list)) = (contribution, reasons.get_mut(term.intent)) {
            list.push(contribution);
        }
    }
    overshadow(&mut reasons);
    let mut ranked: Vec<(i8, Match)> = intents
        .iter()
        .zip(reasons)
        .map(|((intent, precedence), list)| {
            let (score, why) = combine(list);
            (
                *precedence,
                Match {
                    intent: intent.clone(),
                    score,
                    why,
                },
            )
        })
        .filter(|(_, found)| found.score > 0.0)
        .collect();
    // Stable: equal scores stay in the tenant's order.
    ranked.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
    let verdict = decide(&mut ranked);
    Understanding {
        ranked: ranked.into_iter().map(|(_, found)| found).collect(),
        verdict,
    }
}

/// Lessens what one intent makes of a word that belongs to a longer phrase of another:
/// "card" in "health card".
fn overshadow(reasons: &mut [Vec<Contribution>]) {
    let whole: Vec<(usize, Vec<usize>)> = reasons
        .iter()
        .enumerate()
        .flat_map(|(intent, list)| list.iter().map(move |reason| (intent, reason)))
        .filter(|(_, reason)| reason.whole && reason.tokens.len() > 1)
        .map(|(intent, reason)| (intent, reason.tokens.clone()))
        .collect();
    for (intent, list) in reasons.iter_mut().enumerate() {
        for reason in list {
            let covered = whole.iter().any(|(other, tokens)| {
                *other != intent
                    && tokens.len() > reason.tokens.len()
                    && reason.tokens.iter().all(|at| tokens.contains(at))
            });
            if covered {
                reason.amount *= OVERSHADOWED;
            }
        }
    }
}

/// Puts the winner first and says how sure that is.
fn decide(ranked: &mut [(i8, Match)]) -> Verdict {
    let Some(top) = ranked.first().map(|(_, found)| found.score) else {
        return Verdict::Nothing;
    };
    if top < CONFIRM {
        return Verdict::Nothing;
    }
    let winner = (0..ranked.len())
        .filter(|&at| ranked[at].1.score >= (top * PRECEDENCE_SHARE).max(CONFIRM))
        .max_by(|&a, &b| ranked[a].0.cmp(&ranked[b].0).then(b.cmp(&a)))
        .unwrap_or(0);
    ranked[..=winner].rotate_right(1);
    let (precedence, best) = (ranked[0].0, ranked[0].1.score);
    let close = ranked[1..].iter().any(|(other, found)| {
        *other == precedence && found.score >= CONFIRM && best - found.score < MARGIN
    });
    if close {
        // The runner-up has to stand second, for "X or Y?".
        if let Some(at) = ranked[1..]
            .iter()
            .position(|(other, _)| *other == precedence)
        {
            ranked[1..=at + 1].rotate_right(1);
        }
        Verdict::Unclear
    } else if best >= ACT {
        Verdict::Act
    } else {
        Verdict::Confirm
    }
}

/// Adds reasons up: each lessens the doubt that is left, and no word counts twice.
fn combine(mut reasons: Vec<Contribution>) -> (f32, Vec<String>) {
    reasons.sort_by(|a, b| b.amount.total_cmp(&a.amount));
    let (mut doubt, mut why, mut used) = (1.0_f32, Vec::new(), Vec::new());
    for reason in reasons {
        let fresh = reason
            .tokens
            .iter()
            .filter(|at| !used.contains(*at))
            .count();
        if fresh == 0 {
            continue;
        }
        let amount = reason.amount * fresh as f32 / reason.tokens.len() as f32;
        doubt *= 1.0 - amount;
        used.extend(reason.tokens);
        why.push(format!("{} (+{amount:.2})", reason.why));
    }
    ((1.0 - doubt).clamp(0.0, 0.99), why)
}

/// Weighs a name or topic.
fn strong(
    index: &Index,
    term: &Term,
    tokens: &[Token],
    hits: &[Option<Hit>],
) -> Option<Contribution> {
    let (mut all, mut found, mut covered) = (0.0, 0.0, Vec::new());
    for &part in &term.parts {
        let entry = &index.entries[part];
        let weight = match entry.weight {
            Weight::Content => 1.0,
            Weight::Carrier | Weight::Function => CARRIER,
        };
        all += weight;
        if let Some(hit) = hits[part] {
            // A guess is worth less than its likeness: three halves as much doubt.
            found += weight * hit.likeness.powf(1.5);
            covered.extend(hit.from..hit.until);
        }
    }
    // "daycare" for "day care".
    if term.parts.len() > 1 && found < all {
        let joined = term.literal.concat();
        let whole = tokens.iter().position(|token| {
            token.word.folded == joined || (joined.len() >= 6 && token.word.stem == joined)
        });
        if let Some(at) = whole {
            (found, covered) = (all, vec![at]);
        }
    }
    let share = found / all;
    if share < PHRASE_SHARE {
        return None;
    }
    // "tid" does not stand for "aflyse tid" where "aflyse" is a name of its own.
    let key = |part: usize| index.names.contains(&(term.intent, part));
    if term.parts.len() > 1
        && share < 0.8
        && term.parts.iter().any(|&part| key(part))
        && !term
            .parts
            .iter()
            .any(|&part| key(part) && hits[part].is_some())
    {
        return None;
    }
    let base = if term.kind == Kind::Word { WORD } else { TOPIC };
    let sharers = match term.parts.as_slice() {
        [only] => index.entries[*only].strong.len(),
        // A phrase that was heard in part is as common as its words are.
        parts if share < 0.8 => {
            let heard = parts.iter().filter(|&&part| hits[part].is_some());
            heard
                .map(|&part| index.entries[part].strong.len())
                .min()
                .unwrap_or(1)
        }
        _ => 1,
    };
    let base = match term.parts.as_slice() {
        [only] if index.entries[*only].weight != Weight::Content => base * CARRIER_ALONE,
        _ => base,
    };
    let rarity = 1.0 / (1.0 + SHARED * sharers.saturating_sub(1) as f32);
    let kind = if term.kind == Kind::Word {
        "word"
    } else {
        "topic"
    };
    Some(Contribution {
        whole: share >= 0.95,
        amount: base * share * rarity,
        why: format!("'{}' ~ {kind} '{}'", quote(tokens, &covered), term.phrase),
        tokens: covered,
    })
}

/// Weighs a phrase such as "ring mig op": all its words in order, with few others between.
fn idiom(term: &Term, tokens: &[Token]) -> Option<Contribution> {
    let covered = (0..tokens.len()).find_map(|start| in_order(term, tokens, start))?;
    let base = if term.kind == Kind::Word { WORD } else { TOPIC };
    let carrier = covered.len() == 1 && tokens[covered[0]].weight != Weight::Content;
    Some(Contribution {
        amount: if carrier { base * CARRIER_ALONE } else { base },
        whole: true,
        why: format!("'{}' ~ '{}'", quote(tokens, &covered), term.phrase),
        tokens: covered,
    })
}

/// Finds the words of an idiom that begins at a token.
fn in_order(term: &Term, tokens: &[Token], start: usize) -> Option<Vec<usize>> {
    let mut covered: Vec<usize> = Vec::new();
    for word in &term.sequence {
        let from = covered.last().map_or(start, |last| last + 1);
        let gap = if covered.is_empty() { 0 } else { IDIOM_GAP };
        let until = (from + gap + 1).min(tokens.len());
        covered.push((from..until).find(|&at| tokens[at].word.stem == *word)?);
    }
    Some(covered)
}

/// Weighs an example by the telling words that it and the caller share.
fn example(
    index: &Index,
    intents: usize,
    term: &Term,
    tokens: &[Token],
    hits: &[Option<Hit>],
) -> Option<Contribution> {
    let rarity = |part: usize| {
        let sharers = index.entries[part].anywhere.len().max(1) as f32;
        (1.0 + intents as f32 / sharers).ln() / (1.0 + intents as f32).ln()
    };
    let weigh = |part: usize| {
        let strong = &index.entries[part].strong;
        let elsewhere = !strong.is_empty() && !strong.contains(&term.intent);
        rarity(part) * if elsewhere { STRONG_ELSEWHERE } else { 1.0 }
    };
    let (mut all, mut found, mut covered) = (0.0, 0.0, Vec::new());
    for &part in &term.parts {
        all += weigh(part);
        if let Some(hit) = hits[part] {
            found += weigh(part) * hit.likeness.powf(1.5);
            covered.extend(hit.from..hit.until);
        }
    }
    let said: f32 = tokens
        .iter()
        .enumerate()
        .filter(|(at, token)| token.weight == Weight::Content && !covered.contains(at))
        .map(|(_, token)| token.entry.map_or(UNKNOWN, rarity))
        .sum();
    let (recall, precision) = (found / all, found / (found + said));
    let likeness = 2.0 * recall * precision / (recall + precision);
    // Written so that 0/0 says nothing too.
    if likeness >= EXAMPLE_SHARE {
        Some(Contribution {
            whole: false,
            amount: EXAMPLE * likeness,
            why: format!("'{}' ~ example '{}'", quote(tokens, &covered), term.phrase),
            tokens: covered,
        })
    } else {
        None
    }
}

/// Weighs a phrase of everyday words, such as "hvad siger du": it has to be heard word for word.
fn literal(term: &Term, tokens: &[Token]) -> Option<Contribution> {
    const FILLERS: [&str; 12] = [
        "oeh", "oehm", "hm", "hmm", "uh", "um", "er", "erm", "tak", "please", "hej", "hello",
    ];
    let length = term.literal.len();
    let from = tokens.windows(length).position(|window| {
        window
            .iter()
            .zip(&term.literal_stems)
            .all(|(token, word)| token.word.stem == *word)
    })?;
    let covered: Vec<usize> = (from..from + length).collect();
    let others = tokens
        .iter()
        .enumerate()
        .filter(|(at, token)| {
            !covered.contains(at) && !FILLERS.contains(&token.word.folded.as_str())
        })
        .count();
    let amount = match (length, others) {
        (_, 0) => WORD,
        (1, _) => return None,
        (3.., _) => TOPIC * LITERAL_LONG,
        (_, others) if others <= length => TOPIC * LITERAL_AMID.max(1.0 - 0.1 * others as f32),
        _ => TOPIC * LITERAL_AMID,
    };
    Some(Contribution {
        whole: false,
        amount,
        why: format!("'{}' = '{}'", quote(tokens, &covered), term.phrase),
        tokens: covered,
    })
}

fn quote(tokens: &[Token], covered: &[usize]) -> String {
    let mut at: Vec<usize> = covered.to_vec();
    at.sort_unstable();
    at.dedup();
    let words: Vec<&str> = at
        .iter()
        .filter_map(|&at| tokens.get(at))
        .map(|token| token.raw.as_str())
        .collect();
    words.join(" ")
}
