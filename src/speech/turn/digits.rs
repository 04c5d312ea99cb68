//! How many digits a caller has said so far.

/// Counts the digits that a text spells, well enough to tell whether more are to come.
pub(super) fn count(text: &str) -> usize {
    let mut digits = 0_usize;
    let mut before = 0;
    let mut and = false;
    for word in text.split_whitespace() {
        let count = spelt(word);
        // "en og tyve" and "twenty one" are two digits each.
        let joined = match (before, count) {
            (1, 2) => and,
            (2, 1) => is_ten(word_before(text, word)) && !matches!(word, "zero" | "oh" | "o"),
            _ => false,
        };
        digits += if joined {
            2_usize.saturating_sub(before)
        } else {
            count
        };
        and = matches!(word, "og" | "and");
        if !and {
            before = if joined { 0 } else { count };
        }
    }
    digits
}

fn word_before<'a>(text: &'a str, word: &str) -> &'a str {
    let end = word.as_ptr() as usize - text.as_ptr() as usize;
    text[..end]
        .split_whitespace()
        .next_back()
        .unwrap_or_default()
}

fn is_ten(word: &str) -> bool {
    const TENS: [&str; 8] = [
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    TENS.contains(&word)
}

fn spelt(word: &str) -> usize {
    const ONES: [&str; 23] = [
        "nul", "en", "et", "to", "tre", "fire", "fem", "seks", "syv", "otte", "ni", "zero", "oh",
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "o",
    ];
    const TEENS: [&str; 20] = [
        "ti",
        "elleve",
        "tolv",
        "tretten",
        "fjorten",
        "femten",
        "seksten",
        "sytten",
        "atten",
        "nitten",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const DANISH_TENS: [&str; 8] = [
        "tyve",
        "tredive",
        "fyrre",
        "halvtreds",
        "tres",
        "halvfjerds",
        "firs",
        "halvfems",
    ];
    if ONES.contains(&word) {
        1
    } else if TEENS.contains(&word)
        || is_ten(word)
        || DANISH_TENS.iter().any(|ten| word.ends_with(ten))
    {
        2
    } else {
        word.chars().filter(char::is_ascii_digit).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted_as_people_say_them() {
        for (text, digits) in [
            ("", 0),
            ("nul syv", 2),
            ("enogtyve halvfjerds nul syv femogfyrre", 8),
            ("en og tyve", 2),
            ("tyve en", 3),
            ("twenty one seventy zero seven forty five", 8),
            ("mit nummer er 12 34", 4),
            ("[unk] oh one", 2),
        ] {
            assert_eq!(count(text), digits, "{text}");
        }
    }
}
