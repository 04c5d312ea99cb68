//! Whether what a caller has said so far already answers a question, so that their turn need not
//! wait for the long pause. Rather once too seldom than once too early: what may still go on does.

use jiff::Timestamp;

use super::super::event::{Heard, Hypothesis};
use super::super::hear;
use super::super::playbook::Playbook;
use super::{ACT, Answered, Interpreted, Meaning, Question};
use crate::flow::Answer;
use crate::language::tongue;
use crate::understand::text::words;
use crate::understand::{Ending, ending};
use crate::words::Language;

/// Letters of a Danish number in E.164: nobody says more digits than these.
const DANISH_NUMBER: usize = "+4520123456".len();

impl Question {
    /// Tells whether words that may not be all yet answer the question.
    pub(in super::super) fn is_answered_by(
        &self,
        heard: &Heard,
        playbook: &Playbook,
        current: Language,
        now: Timestamp,
    ) -> bool {
        // How sure the recogniser is comes with the end of the turn only.
        let hypotheses = heard.hypotheses.iter().map(|hypothesis| Hypothesis {
            confidence: 1.0,
            ..hypothesis.clone()
        });
        let heard = Heard {
            hypotheses: hypotheses.collect(),
        };
        let Some(Interpreted {
            language,
            text,
            meaning,
        }) = self.heard(&heard, playbook, current, now)
        else {
            return false;
        };
        let yes_no = self.confirming.is_some() || matches!(self.ask.answer, Answer::YesNo);
        let goes_on = match ending(&text, language) {
            Ending::Whole => false,
            // "Det er det" is all, "ja [unk]" may be anything.
            Ending::Open => !yes_no || text.trim_end().ends_with("[unk]"),
            Ending::Hesitant => true,
        };
        if goes_on {
            return false;
        }
        match &meaning {
            Meaning::Confirmation(_) | Meaning::Operator | Meaning::Repeat => true,
            Meaning::Answer { answer, confirm } => {
                let sure = answer.confidence >= ACT && (!confirm || self.ask.confirm == Some(true));
                self.is_whole(answer, sure, &text, language)
            }
            Meaning::Language(_) => true,
            Meaning::Between(..) | Meaning::More | Meaning::Nothing(_) => false,
        }
    }

    /// Tells whether nothing can follow on such an answer.
    fn is_whole(&self, answer: &Answered, sure: bool, text: &str, language: Language) -> bool {
        let value = answer.slots.first().and_then(|(_, value)| value.as_str());
        match &self.ask.answer {
            Answer::YesNo => true,
            Answer::Digits(digits) => {
                value.is_some_and(|value| value.len() == usize::from(digits.max))
            }
            Answer::Phone => {
                value.is_some_and(|value| value.starts_with("+45") && value.len() == DANISH_NUMBER)
            }
            Answer::Date => {
                answer.confidence >= ACT
                    // After a bare weekday or ordinal a month may still come.
                    && tongue(language).ends_with_whole_day(&words(text))
            }
            // "Klokken fjorten" may go on with the minutes.
            Answer::Time => hear::time(text, language, hear::Daytime::default())
                .is_some_and(|time| time.value.minute() != 0 && time.confidence >= ACT),
            Answer::Intent(_) | Answer::Department | Answer::Choice(_) => sure,
            Answer::Text => false,
        }
    }
}
