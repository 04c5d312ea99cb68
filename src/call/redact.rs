//! Hides personal numbers in text that is kept: CPR numbers, telephone numbers and other long
//! digit strings, written or spoken.

use crate::language::digits_said_by;

/// Digits in a row, however they are separated, from which a number is personal.
const PERSONAL: usize = 6;

/// Returns the text with every long number replaced by `***`. Dates and times keep their digits:
/// they have fewer. By shape only, never by checksum: valid CPR numbers need not have one.
pub fn redact(text: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    let mut run: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        if digits_in(word) > 0 {
            run.push(word);
        } else {
            flush(&mut run, &mut kept);
            kept.push(word.to_owned());
        }
    }
    flush(&mut run, &mut kept);
    kept.join(" ")
}

fn flush(run: &mut Vec<&str>, kept: &mut Vec<String>) {
    let digits: usize = run.iter().map(|word| digits_in(word)).sum();
    if digits >= PERSONAL {
        kept.push("***".to_owned());
        run.clear();
    } else {
        kept.extend(run.drain(..).map(str::to_owned));
    }
}

/// Counts the digits that a word stands for.
fn digits_in(word: &str) -> usize {
    let written = word.chars().filter(char::is_ascii_digit).count();
    if written > 0 {
        let dashes = word.matches('-').count();
        let is_date = dashes == 2 && written == 8 && word.len() == 10;
        return if is_date { 1 } else { written };
    }
    digits_said_by(word.trim_matches(|c: char| !c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_name_a_person_are_hidden_however_they_come() {
        for text in [
            "010190-1234",
            "010190 1234",
            "+4520123456",
            "20 12 34 56",
            "enogtyve halvfjerds nul syv femogfyrre",
            "two zero one two three four five six",
            "twenty one thirty four fifty six seventy eight",
            "twenty-one thirty-four fifty-six seventy-eight",
        ] {
            assert_eq!(
                redact(&format!("mit nummer er {text} tak")),
                "mit nummer er *** tak"
            );
        }
    }

    #[test]
    fn dates_times_and_small_numbers_stay() {
        for text in [
            "den 3. maj klokken 14:30",
            "2026-12-24",
            "om 5 minutter",
            "to pas og en kat",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
