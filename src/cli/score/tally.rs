//! Sums of what an engine got right, and how fast it was.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use crate::speech::Audition;
use crate::understand;
use crate::words::Language;

/// What one engine did with all recordings of its language.
#[derive(Debug)]
pub(super) struct Tally {
    engine: String,
    language: Language,
    recordings: usize,
    words: usize,
    errors: usize,
    meant: usize,
    understood: usize,
    answers: Vec<Duration>,
    audio: Duration,
    took: Duration,
}

impl Tally {
    pub(super) fn new(engine: &str, language: Language) -> Self {
        Self {
            engine: engine.to_owned(),
            language,
            recordings: 0,
            words: 0,
            errors: 0,
            meant: 0,
            understood: 0,
            answers: Vec::new(),
            audio: Duration::ZERO,
            took: Duration::ZERO,
        }
    }

    pub(super) fn count(
        &mut self,
        heard: &Audition,
        errors: usize,
        words: usize,
        understood: Option<bool>,
    ) {
        self.recordings += 1;
        self.errors += errors;
        self.words += words;
        self.meant += usize::from(understood.is_some());
        self.understood += usize::from(understood == Some(true));
        self.answers.push(heard.answer);
        self.audio += heard.length;
        self.took += heard.took;
    }

    /// Tells whether nothing was counted.
    pub(super) fn is_empty(&self) -> bool {
        self.recordings == 0
    }

    /// Returns the word error rate in percent.
    fn word_error_rate(&self) -> Option<f64> {
        (self.words > 0).then(|| 100.0 * self.errors as f64 / self.words as f64)
    }

    fn answer(&self, share: f64) -> Option<Duration> {
        let mut sorted = self.answers.clone();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        sorted.get((last as f64 * share).round() as usize).copied()
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        let seconds = |duration: Option<Duration>| duration.map(|it| it.as_secs_f64());
        json!({
            "engine": self.engine,
            "language": self.language,
            "recordings": self.recordings,
            "words": self.words,
            "errors": self.errors,
            "word_error_rate": self.word_error_rate(),
            "meant": self.meant,
            "understood": self.understood,
            "answer_seconds_p50": seconds(self.answer(0.5)),
            "answer_seconds_p95": seconds(self.answer(0.95)),
            "audio_seconds": self.audio.as_secs_f64(),
            "took_seconds": self.took.as_secs_f64(),
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}: {} recordings",
            self.engine, self.language, self.recordings
        )?;
        if let Some(rate) = self.word_error_rate() {
            write!(f, "; word error rate {rate:.1} % of {} words", self.words)?;
        }
        if self.meant > 0 {
            write!(f, "; {} of {} understood", self.understood, self.meant)?;
        }
        if let (Some(half), Some(most)) = (self.answer(0.5), self.answer(0.95)) {
            let (half, most) = (half.as_secs_f64() * 1000.0, most.as_secs_f64() * 1000.0);
            write!(f, "; words after {half:.0} ms (p95 {most:.0})")?;
        }
        if self.audio > Duration::ZERO {
            let times = self.took.as_secs_f64() / self.audio.as_secs_f64();
            write!(f, "; {times:.3} of real time")?;
        }
        Ok(())
    }
}

/// Counts the words to insert, remove or change to turn what was heard into what was said, and
/// the words said. `[unk]` counts as a word that was heard wrongly.
pub(super) fn word_errors(said: &str, heard: &str) -> (usize, usize) {
    let said = understand::words(said);
    let heard = understand::words(&heard.replace("[unk]", "unk"));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in said.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in heard.iter().enumerate() {
            let change = corner + usize::from(word != other);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    (row[heard.len()], said.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn missing_wrong_and_additional_words_are_errors() {
        for (said, heard, errors) in [
            ("ja tak", "ja tak", 0),
            ("Ja, tak!", "ja tak", 0),
            ("ja tak", "", 2),
            ("ja", "ja tak nej", 2),
            ("fire to syv nul", "fire syv nul en", 2),
            ("pas", "[unk]", 1),
        ] {
            assert_eq!(word_errors(said, heard).0, errors, "{said:?} {heard:?}");
        }
    }

    proptest! {
        #[test]
        fn errors_are_none_only_for_the_same_words_and_never_more_than_there_are(
            said in "[abc ]{0,20}", heard in "[abc ]{0,20}",
        ) {
            let (errors, words) = word_errors(&said, &heard);
            let other = understand::words(&heard).len();
            prop_assert_eq!(errors == 0, understand::words(&said) == understand::words(&heard));
            prop_assert!(errors <= words.max(other));
            prop_assert!(errors >= words.abs_diff(other));
        }
    }
}
