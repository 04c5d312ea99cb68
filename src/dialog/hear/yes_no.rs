//! Yes and no.

use super::Answer;
use crate::understand::text::{distance, fold};
use crate::words::Language;

/// Phrases and what they say: above 0 for yes, below for no, by how plainly; 0 says neither and
/// hides the words in it. Longer phrases are tried first.
const DANISH: &[(&str, f32)] = &[
    ("det ved jeg ikke", 0.0),
    ("ved jeg ikke", 0.0),
    ("ved ikke", 0.0),
    ("ikke sikker", 0.0),
    ("jeg er i tvivl", 0.0),
    ("ikke også", 0.0),
    ("ikke sandt", 0.0),
    ("ikk", 0.0),
    ("hvis ja", 0.0),
    ("hvis nej", 0.0),
    ("måske", 0.0),
    ("både ja og nej", 0.0),
    ("ja eller nej", 0.0),
    ("lige nu", 0.0),
    ("hvad er det rigtige", 0.0),
    ("ikke er det", -0.6),
    ("er det ikke", -0.8),
    ("er jeg ikke", -0.8),
    ("har jeg ikke", -0.8),
    ("kan jeg ikke", -0.8),
    ("skal jeg ikke", -0.8),
    ("vil jeg ikke", -0.9),
    ("vil jeg helst ikke", -0.9),
    ("ikke forkert", 0.7),
    ("ikke noget forkert", 0.7),
    ("det passer ikke", -0.95),
    ("passer ikke", -0.9),
    ("det stemmer ikke", -0.95),
    ("stemmer ikke", -0.9),
    ("det er ikke rigtigt", -0.95),
    ("ikke rigtigt", -0.9),
    ("ikke rigtig", -0.85),
    ("ikke helt rigtigt", -0.9),
    ("ikke korrekt", -0.9),
    ("slet ikke", -0.9),
    ("overhovedet ikke", -0.9),
    ("bestemt ikke", -0.9),
    ("ellers tak", -0.85),
    ("på ingen måde", -0.9),
    ("under ingen omstændigheder", -0.9),
    ("det er forkert", -0.95),
    ("forkert", -0.9),
    ("det er løgn", -0.8),
    ("aldrig", -0.8),
    ("niks", -0.95),
    ("nix", -0.95),
    ("niksen", -0.9),
    ("nope", -0.95),
    ("nej", -1.0),
    ("næ", -0.9),
    ("næh", -0.9),
    ("næ nej", -0.95),
    ("nej tak", -1.0),
    ("nejtak", -1.0),
    ("nej da", -0.95),
    ("no", -0.8),
    ("ikke", -0.7),
    ("afslå", -0.8),
    ("ja", 1.0),
    ("ja tak", 1.0),
    ("jatak", 1.0),
    ("jah", 0.95),
    ("jaa", 0.95),
    ("jaah", 0.95),
    ("jae", 0.85),
    ("jamen ja", 0.95),
    ("jo", 0.95),
    ("jo tak", 0.95),
    ("jow", 0.85),
    ("jep", 0.95),
    ("jeps", 0.95),
    ("japs", 0.9),
    ("jaja", 0.9),
    ("jada", 0.95),
    ("javist", 0.95),
    ("ja vist", 0.95),
    ("javel", 0.9),
    ("javel ja", 0.95),
    ("jojo", 0.85),
    ("yes", 0.9),
    ("yep", 0.9),
    ("okay", 0.8),
    ("ok", 0.8),
    ("okej", 0.8),
    ("det er rigtigt", 0.95),
    ("er rigtigt", 0.9),
    ("rigtigt", 0.9),
    ("rigtig", 0.8),
    ("det er korrekt", 0.95),
    ("korrekt", 0.9),
    ("det stemmer", 0.95),
    ("stemmer", 0.85),
    ("det passer", 0.95),
    ("passer", 0.8),
    ("netop", 0.9),
    ("lige præcis", 0.9),
    ("præcis", 0.9),
    ("nemlig", 0.85),
    ("selvfølgelig", 0.9),
    ("naturligvis", 0.9),
    ("bestemt", 0.85),
    ("helt sikkert", 0.9),
    ("sikkert", 0.6),
    ("absolut", 0.9),
    ("gerne", 0.85),
    ("meget gerne", 0.9),
    ("det vil jeg gerne", 0.95),
    ("det må du gerne", 0.95),
    ("det er fint", 0.85),
    ("fint", 0.8),
    ("det er godt", 0.8),
    ("det er i orden", 0.85),
    ("i orden", 0.85),
    ("det er det", 0.85),
    ("det gør jeg", 0.8),
    ("det gør det", 0.8),
    ("det har jeg", 0.8),
    ("det er mig", 0.8),
    ("det er jeg", 0.8),
    ("det kan du tro", 0.9),
    ("det lyder rigtigt", 0.9),
    ("det lyder godt", 0.85),
    ("super", 0.75),
    ("godkendt", 0.85),
    ("bekræfter", 0.85),
    ("mm", 0.5),
    ("mhm", 0.55),
    ("hmhm", 0.5),
];

const ENGLISH: &[(&str, f32)] = &[
    ("i dont know", 0.0),
    ("dont know", 0.0),
    ("do not know", 0.0),
    ("not sure", 0.0),
    ("no idea", 0.0),
    ("maybe", 0.0),
    ("perhaps", 0.0),
    ("yes or no", 0.0),
    ("yes and no", 0.0),
    ("right now", 0.0),
    ("right away", 0.0),
    ("no one", 0.0),
    ("what is right", 0.0),
    ("not wrong", 0.7),
    ("no problem", 0.6),
    ("why not", 0.75),
    ("thats not right", -0.95),
    ("that isnt right", -0.95),
    ("not right", -0.9),
    ("isnt right", -0.9),
    ("not correct", -0.9),
    ("isnt correct", -0.9),
    ("not quite right", -0.85),
    ("not quite", -0.8),
    ("not really", -0.8),
    ("not at all", -0.9),
    ("not me", -0.8),
    ("not true", -0.9),
    ("its not", -0.85),
    ("it isnt", -0.85),
    ("it is not", -0.85),
    ("i dont", -0.85),
    ("i do not", -0.85),
    ("i would not", -0.85),
    ("i wouldnt", -0.85),
    ("id rather not", -0.9),
    ("rather not", -0.9),
    ("absolutely not", -0.95),
    ("certainly not", -0.95),
    ("definitely not", -0.95),
    ("of course not", -0.95),
    ("no way", -0.95),
    ("thats wrong", -0.95),
    ("that is wrong", -0.95),
    ("wrong", -0.9),
    ("incorrect", -0.95),
    ("never", -0.8),
    ("no", -1.0),
    ("no thanks", -1.0),
    ("no thank you", -1.0),
    ("nope", -0.95),
    ("nah", -0.95),
    ("naw", -0.85),
    ("nay", -0.8),
    ("negative", -0.9),
    ("not", -0.7),
    ("dont", -0.7),
    ("yes", 1.0),
    ("yes please", 1.0),
    ("yes thank you", 1.0),
    ("yeah", 0.95),
    ("yea", 0.95),
    ("yah", 0.9),
    ("yep", 0.95),
    ("yup", 0.95),
    ("yess", 0.95),
    ("ya", 0.8),
    ("aye", 0.85),
    ("uh huh", 0.6),
    ("uhuh", 0.5),
    ("mhm", 0.55),
    ("mm", 0.5),
    ("sure", 0.9),
    ("sure thing", 0.9),
    ("for sure", 0.9),
    ("okay", 0.8),
    ("ok", 0.8),
    ("alright", 0.8),
    ("all right", 0.8),
    ("thats right", 0.95),
    ("that is right", 0.95),
    ("right", 0.85),
    ("thats correct", 0.95),
    ("that is correct", 0.95),
    ("correct", 0.9),
    ("thats it", 0.85),
    ("thats the one", 0.85),
    ("thats me", 0.85),
    ("thats fine", 0.85),
    ("that is fine", 0.85),
    ("fine", 0.75),
    ("thats true", 0.9),
    ("true", 0.85),
    ("exactly", 0.9),
    ("precisely", 0.9),
    ("indeed", 0.9),
    ("absolutely", 0.9),
    ("definitely", 0.9),
    ("certainly", 0.9),
    ("of course", 0.9),
    ("by all means", 0.85),
    ("please do", 0.9),
    ("go ahead", 0.85),
    ("i do", 0.85),
    ("i would", 0.85),
    ("it is", 0.85),
    ("i am", 0.8),
    ("you got it", 0.85),
    ("sounds good", 0.85),
    ("sounds right", 0.9),
    ("affirmative", 0.9),
    ("please", 0.6),
    ("perfect", 0.8),
    ("great", 0.75),
    ("good", 0.6),
    ("confirmed", 0.9),
];

/// Words that mean yes even beside a negation: then it is unclear.
const STRONG: [&str; 11] = [
    "ja", "jo", "jep", "jeps", "jaa", "yes", "yeah", "yea", "yep", "yup", "okay",
];

/// Words that neither say anything nor take from what is said.
const FILLERS: &str = "øh øhm hm hmm tak det er jeg da så altså nå jamen vil gerne må du godt uh um er \
erm well please thanks thank you that is it thats i do would like the a oh hey";

/// How plainly a side was taken, and by which words.
type Sign = (f32, String);

/// Hears yes or no.
pub(super) fn yes_no(text: &str, language: Language) -> Option<Answer<bool>> {
    let phrases = match language {
        Language::DA => DANISH,
        Language::EN => ENGLISH,
        _ => return None,
    };
    let heard = crate::understand::text::words(text);
    let heard: Vec<String> = heard.iter().map(|word| fold(word)).collect();
    let (mut yes, mut no): (Option<Sign>, Option<Sign>) = (None, None);
    let mut others = 0_u32;
    let fillers: Vec<String> = FILLERS.split_whitespace().map(fold).collect();
    let mut at = 0;
    while at < heard.len() {
        match longest(&heard[at..], phrases) {
            Some((mut length, mut worth)) => {
                let rest = &heard[at + length..];
                let negates = |word: Option<&String>| {
                    word.is_some_and(|word| matches!(word.as_str(), "ikke" | "not"))
                };
                if worth > 0.0 && !STRONG.contains(&heard[at].as_str()) && negates(rest.first()) {
                    // "det har jeg ikke", unless it goes on "ikke også".
                    if longest(rest, phrases).is_some_and(|(more, _)| more == 1) {
                        worth *= -0.85;
                        length += 1;
                    }
                } else if worth < 0.0
                    && negates(heard.get(at + length - 1))
                    && let Some((more, next)) = longest(rest, phrases)
                    && next > 0.0
                    && !STRONG.contains(&rest[0].as_str())
                {
                    // "its not | correct".
                    length += more;
                }
                let said = heard[at..at + length].join(" ");
                let side = if worth > 0.0 { &mut yes } else { &mut no };
                if worth == 0.0 {
                    // Doubt outweighs everything.
                    if !hides_only(&said) {
                        return None;
                    }
                } else if side.as_ref().is_none_or(|(most, _)| worth.abs() > *most) {
                    *side = Some((worth.abs(), said));
                }
                at += length;
            }
            None => {
                others += u32::from(!fillers.contains(&heard[at]));
                at += 1;
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

/// Tells whether a phrase of no worth is mere idiom ("ikke også"), not doubt.
fn hides_only(said: &str) -> bool {
    [
        "ikke ogsaa",
        "ikke sandt",
        "ikk",
        "lige nu",
        "right now",
        "right away",
        "no one",
    ]
    .contains(&said)
}

/// Finds the longest phrase that the words begin with.
fn longest(heard: &[String], phrases: &[(&str, f32)]) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (phrase, worth) in phrases {
        let mut length = 0;
        let mut guess = 1.0_f32;
        let fits = phrase.split(' ').all(|part| {
            let part = fold(part);
            let Some(word) = heard.get(length) else {
                return false;
            };
            length += 1;
            if *word == part {
                return true;
            }
            guess = 0.8;
            part.len() >= 6 && word.len() >= 6 && distance(word, &part, 1).is_some()
        });
        let worth = if *worth == 0.0 { 0.0 } else { worth * guess };
        let longer = best.is_none_or(|(most, value)| {
            length > most || (length == most && worth.abs() > value.abs())
        });
        if fits && longer {
            best = Some((length, worth));
        }
    }
    best
}
