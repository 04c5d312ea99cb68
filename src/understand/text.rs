//! Words as they can be compared: folded spelling, and how far two spellings lie apart.

/// Folds a word to plain letters: lower case, `æ ø å` as `ae oe aa`, no accents or apostrophes.
pub fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for character in word.chars().flat_map(char::to_lowercase) {
        match character {
            'æ' | 'ä' => folded.push_str("ae"),
            'ß' => folded.push_str("ss"),
            'ø' | 'ö' => folded.push_str("oe"),
            'å' => folded.push_str("aa"),
            'é' | 'è' | 'ê' | 'ë' => folded.push('e'),
            'á' | 'à' | 'â' => folded.push('a'),
            'ó' | 'ò' | 'ô' => folded.push('o'),
            'ú' | 'ù' | 'û' | 'ü' => folded.push('u'),
            'í' | 'ì' | 'î' | 'ï' => folded.push('i'),
            '\'' | '’' | '`' => {}
            other => folded.push(other),
        }
    }
    folded
}

/// Splits a text into lower-case words; punctuation and `[unk]` are left out.
pub fn words(text: &str) -> Vec<String> {
    text.replace("[unk]", " ")
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’')))
        .map(|word| word.to_lowercase().replace(['\'', '’'], ""))
        .filter(|word| !word.is_empty())
        .collect()
}

/// Counts the letters to insert, remove, change or swap with a neighbour to turn one word into
/// the other; nothing when there are more than `limit`.
pub fn distance(one: &str, other: &str, limit: usize) -> Option<usize> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > limit {
        return None;
    }
    let width = other.len() + 1;
    let mut before_last: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for i in 1..=one.len() {
        let mut row = vec![i; width];
        for j in 1..width {
            let change = usize::from(one[i - 1] != other[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + change);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        if row.iter().all(|&cost| cost > limit) {
            return None;
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|&cost| cost <= limit)
}

/// Tells how many triples of neighbouring letters two words share, from 0 to 1 (Dice).
pub fn trigrams_shared(one: &str, other: &str) -> f32 {
    let triples = |word: &str| -> Vec<[char; 3]> {
        let padded: Vec<char> = std::iter::once(' ')
            .chain(word.chars())
            .chain([' '])
            .collect();
        padded.windows(3).map(|w| [w[0], w[1], w[2]]).collect()
    };
    let (one, mut other) = (triples(one), triples(other));
    let all = one.len() + other.len();
    if all == 0 {
        return 0.0;
    }
    let mut shared = 0;
    for triple in one {
        if let Some(at) = other.iter().position(|candidate| *candidate == triple) {
            other.swap_remove(at);
            shared += 2;
        }
    }
    shared as f32 / all as f32
}

/// Tells how likely it is, from 0 to 1, that one word was recognised in place of the other.
///
/// Words of fewer than five letters must be equal; longer ones may differ by more the longer
/// they are. Both words are expected folded.
pub fn resemblance(heard: &str, known: &str) -> f32 {
    if heard == known {
        return 1.0;
    }
    // One letter again, so that `ø` for `y` is one mistake.
    let contract = |word: &str| {
        word.replace("oe", "ø")
            .replace("ae", "æ")
            .replace("aa", "å")
    };
    let (heard, known) = (contract(heard), contract(known));
    let (heard, known) = (heard.as_str(), known.as_str());
    // A prefix makes another word, often the opposite: `bestille`, `afbestille`.
    if heard.ends_with(known) || known.ends_with(heard) {
        return 0.0;
    }
    let length = heard.chars().count().min(known.chars().count());
    let limit = match length {
        0..=4 => return 0.0,
        5..=7 => 1,
        8..=11 => 2,
        _ => 3,
    };
    let near = match (distance(heard, known, limit), length) {
        (Some(1), 8..) => 0.9,
        (Some(1), _) => 0.8,
        (Some(2), 11..) => 0.8,
        (Some(2), _) => 0.7,
        (Some(_), _) => 0.65,
        (None, _) => 0.0,
    };
    let alike = match trigrams_shared(heard, known) {
        share if length >= 8 && share >= 0.65 => share * 0.9,
        _ => 0.0,
    };
    // People and recognisers rarely miss the first sound.
    let same_start = heard.chars().next() == known.chars().next();
    f32::max(near, alike) * if same_start { 1.0 } else { 0.9 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_spelling_is_left_of_a_word_however_it_is_written() {
        assert_eq!(fold("Kørekort"), fold("koerekort"));
        assert_eq!(fold("Åben"), "aaben");
        assert_eq!(fold("idé"), "ide");
    }

    #[test]
    fn punctuation_and_unknown_words_are_left_out() {
        assert_eq!(words("Ja, [unk] det's 'fint'!"), ["ja", "dets", "fint"]);
    }

    #[test]
    fn swapped_letters_are_one_mistake() {
        assert_eq!(distance("parkering", "parkeirng", 2), Some(1));
        assert_eq!(distance("parkering", "parkering", 2), Some(0));
        assert_eq!(distance("pas", "parkering", 2), None);
        assert_eq!(distance("", "ab", 2), Some(2));
    }

    #[test]
    fn short_words_must_be_equal_and_long_ones_may_differ() {
        assert_eq!(resemblance("skal", "skat"), 0.0);
        assert!(resemblance("byggesaw", "byggesag") > 0.7);
        assert!(resemblance("parkering", "forsikring") < 0.5);
        assert_eq!(resemblance("bestille", "afbestille"), 0.0);
        assert!(resemblance("boligstytte", "boligstoette") > 0.8);
    }

    proptest! {
        #[test]
        fn distance_does_not_care_about_the_order(a in "[a-d]{0,8}", b in "[a-d]{0,8}") {
            prop_assert_eq!(distance(&a, &b, 9), distance(&b, &a, 9));
        }
    }
}
