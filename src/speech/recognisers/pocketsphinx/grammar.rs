//! The grammar of a question: sentences that an English caller may answer with, in JSGF.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::dialog::Expect;
use crate::speech::Asked;

use super::super::phrases::known_phrases;

const DIGITS: &str = "zero | oh | one | two | three | four | five | six | seven | eight | nine";

const TEENS: &str = "ten | eleven | twelve | thirteen | fourteen | fifteen | sixteen | seventeen \
                     | eighteen | nineteen";

const TENS: &str = "twenty | thirty | forty | fifty | sixty | seventy | eighty | ninety";

const DAYS: &str = "monday | tuesday | wednesday | thursday | friday | saturday | sunday";

const MONTHS: &str = "january | february | march | april | may | june | july | august \
                      | september | october | november | december";

const ORDINALS: &str = "first | second | third | fourth | fifth | sixth | seventh | eighth \
                        | ninth | tenth | eleventh | twelfth | thirteenth | fourteenth \
                        | fifteenth | sixteenth | seventeenth | eighteenth | nineteenth \
                        | twentieth | thirtieth | (twenty | thirty) (first | second | third \
                        | fourth | fifth | sixth | seventh | eighth | ninth)";

/// What may be said at any question.
const HOUSE: &str = "operator | a person | repeat | repeat that | say that again";

/// What is said before a wish. There is no single short word in it: those come out of nowhere.
const BEFORE: &str = "(i want | i need | i would like | i'd like) [to | to talk to | to speak to \
                      | to speak with] | i have a question about | it is about | it's about \
                      | i am calling about | i'm calling about | can i talk to | can i speak to \
                      | talk to | speak to | speak with | help with";

/// Rules that others refer to.
fn rules() -> String {
    let rules = [
        ("digit", DIGITS.to_owned()),
        ("teen", TEENS.to_owned()),
        ("tens", TENS.to_owned()),
        (
            "small",
            "one | two | three | four | five | six | seven | eight | nine".to_owned(),
        ),
        (
            "several",
            "/10/ <digit> | /1/ (double | triple) <digit>".to_owned(),
        ),
        // The library has a repetition that a sentence begins with go back to where the
        // sentence does, so that anything could follow: it begins after the first.
        ("digits", "<several> [<several>+]".to_owned()),
        ("group", "<several> | <teen> | <tens> [<small>]".to_owned()),
        ("phone", "[plus] <group> [<group>+]".to_owned()),
        (
            "yesno",
            "yes | yes please | yeah | yep | yes it is | yes that's right | that's right | \
             that is right | correct | that is correct | that's correct | sure | okay | no | \
             no thanks | no thank you | nope | no it isn't | no that's wrong | that's wrong | \
             that is wrong | wrong"
                .to_owned(),
        ),
        ("day", DAYS.to_owned()),
        ("month", MONTHS.to_owned()),
        ("ordinal", ORDINALS.to_owned()),
        (
            "date",
            "today | tomorrow | the day after tomorrow | [on] [this | next] <day> | \
             [on] [<day>] [the] <ordinal> [[of] <month>] | [on] [<day>] <month> [the] (<ordinal> | \
             <small> | <teen> | <tens> [<small>])"
                .to_owned(),
        ),
        (
            "time",
            "[at] <hour> [o'clock | hundred] [<part>] | [at] <hour> (oh <small> | <teen> | <tens> \
             [<small>]) [<part>] | [at] (half | [a] quarter | five | ten | twenty) (past | to) \
             <hour> [<part>] | [at] noon | [at] midnight"
                .to_owned(),
        ),
        ("hour", "<small> | ten | eleven | twelve".to_owned()),
        (
            "part",
            "a m | p m | in the morning | in the afternoon | in the evening | at night".to_owned(),
        ),
        ("house", HOUSE.to_owned()),
        ("before", BEFORE.to_owned()),
        ("choice", "<phrase> [please]".to_owned()),
        (
            "wish",
            "[hello | hi] [<before> [the | my | a]] <phrase> [please | thank you]".to_owned(),
        ),
    ];
    let mut text = String::new();
    for (name, body) in rules {
        let _ = writeln!(text, "<{name}> = {body};");
    }
    text
}

/// Makes the grammar of a question. Phrases in words that are not known are left out.
pub(super) fn of(asked: &Asked, knows: impl Fn(&str) -> bool) -> String {
    let hints = match asked.expect {
        Expect::Intent if asked.hints.is_empty() => &asked.vocabulary[..],
        _ => &asked.hints[..],
    };
    let phrases = known_phrases(hints, &knows);
    let mut sentences: Vec<&str> = match asked.expect {
        Expect::YesNo => vec!["<yesno>"],
        Expect::Digits => vec!["<digits>"],
        Expect::Phone => vec!["<phone>"],
        Expect::Date => vec!["<date>"],
        Expect::Time => vec!["<time>"],
        Expect::Intent | Expect::Choice if phrases.is_empty() => vec!["<yesno>"],
        Expect::Intent | Expect::Choice => vec![],
        Expect::Text => vec!["<yesno>", "<digits>", "<date>", "<time>"],
    };
    if !phrases.is_empty() {
        sentences.push(match asked.expect {
            Expect::Intent => "<wish>",
            _ => "<choice>",
        });
    }
    sentences.push("<house>");
    let phrase = match phrases.is_empty() {
        true => "<house>".to_owned(),
        false => phrases.join(" | "),
    };
    format!(
        "#JSGF V1.0 UTF-8;\ngrammar question;\n{}<phrase> = {phrase};\npublic <answer> = {};\n",
        rules(),
        sentences.join(" | ")
    )
}

/// Returns the words of a grammar made by [`of`], each once.
pub(super) fn words(grammar: &str) -> BTreeSet<&str> {
    let mut words = BTreeSet::new();
    for line in grammar.lines().skip(2) {
        let Some((_, body)) = line.split_once(" = ") else {
            continue;
        };
        for word in body.split(|letter: char| !(letter.is_alphanumeric() || "'<>".contains(letter)))
        {
            if !word.is_empty() && !word.starts_with('<') {
                words.insert(word);
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(expect: Expect, hints: &[&str]) -> Asked {
        Asked {
            hints: hints.iter().map(|&hint| hint.to_owned()).collect(),
            expect,
            ..Asked::anything()
        }
    }

    #[test]
    fn a_wish_is_one_of_the_phrases_whose_words_are_known() {
        let asked = asked(
            Expect::Intent,
            &["Passport office", "borgerservice", "job centre"],
        );
        let grammar = of(&asked, |word| word != "borgerservice");
        assert!(
            grammar.contains("<phrase> = passport office | job centre;\n"),
            "{grammar}"
        );
        assert!(grammar.contains("public <answer> = <wish> | <house>;"));
        let words = words(&grammar);
        assert!(words.contains("passport") && words.contains("operator"));
        assert!(!words.contains("wish") && !words.contains("borgerservice"));
    }

    #[test]
    fn every_kind_of_question_has_a_grammar_without_hints() {
        for expect in [
            Expect::Intent,
            Expect::YesNo,
            Expect::Digits,
            Expect::Phone,
            Expect::Date,
            Expect::Time,
            Expect::Text,
        ] {
            let grammar = of(&asked(expect, &[]), |_| true);
            assert!(grammar.contains("public <answer> = <"), "{grammar}");
        }
    }
}
