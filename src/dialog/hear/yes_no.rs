//! Yes and no.

use super::Answer;
use crate::language::Tongue;
use crate::understand::text::{distance, fold, words};

/// How plainly a side was taken, and by which words.
type Sign = (f32, String);

/// Hears yes or no; after "no, wait" what comes then.
pub(super) fn yes_no(text: &str, tongue: &Tongue) -> Option<Answer<bool>> {
    let heard: Vec<String> = words(text).iter().map(|word| fold(word)).collect();
    let waits = tongue.answers.wait.iter();
    let again = waits
        .filter_map(|wait| {
            let at = heard.windows(wait.len()).rposition(|said| said == wait)?;
            Some(at + wait.len())
        })
        .max();
    if let Some(mut answer) = again.and_then(|at| verdict(&heard[at..], tongue)) {
        answer.confidence *= 0.9;
        return Some(answer);
    }
    verdict(&heard, tongue)
}

fn verdict(heard: &[String], tongue: &Tongue) -> Option<Answer<bool>> {
    let answers = &tongue.answers;
    let (mut yes, mut no): (Option<Sign>, Option<Sign>) = (None, None);
    let mut others = 0_u32;
    let mut at = 0;
    while at < heard.len() {
        match longest(&heard[at..], tongue) {
            Some((mut length, mut worth)) => {
                let rest = &heard[at + length..];
                let negates =
                    |word: Option<&String>| word.is_some_and(|word| answers.not.has(word));
                if worth > 0.0 && !answers.strong.has(&heard[at]) && negates(rest.first()) {
                    // "det har jeg ikke", unless it goes on "ikke også".
                    if longest(rest, tongue).is_some_and(|(more, _)| more == 1) {
                        worth *= -0.85;
                        length += 1;
                    }
                } else if worth < 0.0
                    && negates(heard.get(at + length - 1))
                    && let Some((more, next)) = longest(rest, tongue)
                    && next > 0.0
                    && !answers.strong.has(&rest[0])
                {
                    // "its not | correct".
                    length += more;
                }
                let said = &heard[at..at + length];
                let side = if worth > 0.0 { &mut yes } else { &mut no };
                if worth == 0.0 {
                    // Doubt outweighs everything.
                    if !answers.idioms.iter().any(|idiom| idiom == said) {
                        return None;
                    }
                } else if side.as_ref().is_none_or(|(most, _)| worth.abs() > *most) {
                    *side = Some((worth.abs(), said.join(" ")));
                }
                at += length;
            }
            None => {
                let negated = answers.not.has(&heard[at]);
                match negated.then(|| turned(&heard[at + 1..], tongue)).flatten() {
                    Some((length, worth)) => {
                        let said = heard[at..=at + length].join(" ");
                        if no.as_ref().is_none_or(|(most, _)| worth > *most) {
                            no = Some((worth, said));
                        }
                        at += 1 + length;
                    }
                    None => {
                        others += u32::from(!answers.fillers.has(&heard[at]));
                        at += 1;
                    }
                }
            }
        }
    }
    let (value, (worth, said)) = match (yes, no) {
        // Mere politeness or a murmur does not contradict a plain word.
        (Some((weak, _)), Some(no)) if weak <= 0.6 && no.0 >= 0.9 => (false, no),
        (Some(yes), Some((weak, _))) if weak <= 0.6 && yes.0 >= 0.9 => (true, yes),
        (Some(_), Some(_)) | (None, None) => return None,
        (Some(yes), None) => (true, yes),
        (None, Some(no)) => (false, no),
    };
    // A yes at the head of a long sentence about something else is only politeness.
    let confidence = worth / (1.0 + 0.06 * others.min(12) as f32);
    // Words that say yes by the way do so only in short answers.
    if worth < 0.95 && others > 4 {
        return None;
    }
    let answer = if value { "yes" } else { "no" };
    Some(Answer {
        value,
        confidence,
        why: format!("'{said}' says {answer}"),
    })
}

/// Finds what a negation in front of the words turns into a no: "not | correct".
fn turned(heard: &[String], tongue: &Tongue) -> Option<(usize, f32)> {
    let (length, worth) = longest(heard, tongue)?;
    let turns = worth > 0.0 && !tongue.answers.strong.has(heard.first()?);
    turns.then_some((length, worth * 0.85))
}

/// Finds the longest phrase that the words begin with.
fn longest(heard: &[String], tongue: &Tongue) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (phrase, worth) in &tongue.verdicts {
        let mut guess = 1.0_f32;
        let fits = phrase.len() <= heard.len()
            && phrase.iter().zip(heard).all(|(part, word)| {
                if word == part {
                    return true;
                }
                guess = 0.8;
                part.len() >= 6 && word.len() >= 6 && distance(word, part, 1).is_some()
            });
        let worth = if *worth == 0.0 { 0.0 } else { worth * guess };
        let longer = best.is_none_or(|(most, value)| {
            phrase.len() > most || (phrase.len() == most && worth.abs() > value.abs())
        });
        if fits && longer {
            best = Some((phrase.len(), worth));
        }
    }
    best
}
