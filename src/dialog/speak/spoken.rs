//! Whole texts made ready for a voice: what is written with digits and signs is written out in
//! words, and words are left alone. Which sign means what stands in the language's file.

mod days;
mod hours;
mod prices;

use super::{cardinal, digits_in, number_in, pair, phone_in, spell_in, year_in};
use crate::language::{Tongue, tongue};
use crate::words::{Language, PhoneNumber};

/// Writes out what a text says in digits and signs, so that any voice reads it right.
///
/// A text without digits comes back as it is, and a text written out once does not change again.
pub fn spoken(text: &str, language: Language) -> String {
    let tongue = tongue(language);
    if tongue.is_bare() || !text.contains(|c: char| c.is_ascii_digit()) {
        return text.to_owned();
    }
    Writer {
        tongue: &tongue,
        text,
        at: 0,
        out: String::with_capacity(text.len() * 2),
    }
    .write()
}

/// Goes through a text from left to right.
struct Writer<'t> {
    tongue: &'t Tongue,
    text: &'t str,
    /// The byte to look at next.
    at: usize,
    out: String,
}

/// What a number amid a text came to: the words, and how many bytes they stand for.
type Said = (String, usize);

impl<'t> Writer<'t> {
    fn write(mut self) -> String {
        while let Some(first) = self.rest().chars().next() {
            if first.is_ascii_digit() {
                self.numeral();
            } else if first == '+' && self.begins_word() && digit_at(self.rest(), 1) {
                self.plus();
            } else if matches!(first, '-' | '−')
                && self.begins_word()
                && digit_at(self.rest(), first.len_utf8())
            {
                self.say(&self.tongue.numbers.minus, first.len_utf8());
                self.out.push(' ');
            } else if first.is_alphabetic() || matches!(first, '§' | '€' | '$' | '£') {
                self.word();
            } else {
                self.out.push(first);
                self.at += first.len_utf8();
            }
        }
        self.out
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Tells whether nothing that belongs to a word stands right before.
    fn begins_word(&self) -> bool {
        let before = self.text[..self.at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric())
    }

    fn say(&mut self, words: &str, bytes: usize) {
        self.out.push_str(words);
        self.at += bytes;
    }

    /// Returns the last word that was written.
    fn last_word(&self) -> &str {
        let trimmed = self.out.trim_end();
        trimmed
            .rsplit(|c: char| !c.is_alphanumeric())
            .next()
            .unwrap_or_default()
    }

    /// Copies a word, or writes it out where it belongs to a number: `kl. 9`, `kr. 250`, `A4`.
    fn word(&mut self) {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(rest.len());
        let end = if end == 0 {
            rest.chars().next().map_or(0, char::len_utf8)
        } else {
            end
        };
        let bare = &rest[..end];
        if bare.contains(|c: char| c.is_ascii_digit()) {
            let spoken = self.mixed(bare);
            return self.say(&spoken, end);
        }
        let dotted = rest[end..].starts_with('.').then(|| &rest[..=end]);
        for written in dotted.into_iter().chain([bare]) {
            let after = &rest[written.len()..];
            let blanks = after.len() - after.trim_start_matches([' ', '\u{a0}']).len();
            let follows = &after[blanks..];
            if !follows.starts_with(|c: char| c.is_ascii_digit() || c == '+') {
                continue;
            }
            if let Some(spoken) = self.tongue.spoken.written.before.get(written) {
                let spoken = spoken.clone();
                return self.say(&format!("{spoken} "), written.len() + blanks);
            }
            if let Some(spoken) = self.price_after(written, follows) {
                let (words, bytes) = spoken;
                return self.say(&words, written.len() + blanks + bytes);
            }
        }
        // "st. th": the ground floor, to the right.
        if let Some(dotted) = dotted
            && let Some(ground) = self.tongue.spoken.written.floors.get(bare)
            && let Some((side, bytes)) = self.floor(&rest[dotted.len()..])
        {
            let spoken = format!("{ground} {side}");
            return self.say(&spoken, dotted.len() + bytes);
        }
        // "May 3rd".
        if let Some((words, bytes)) = self.month_first(bare, &rest[end..]) {
            return self.say(&words, end + bytes);
        }
        let bare = bare.to_owned();
        self.say(&bare, end);
    }

    /// Says a mixture of letters and digits: `A4`, `4F7K2`, `12B`.
    fn mixed(&self, word: &str) -> String {
        let letters = |text: &str| !text.is_empty() && text.chars().all(char::is_alphabetic);
        let digits = |text: &str| !text.is_empty() && text.len() <= 4 && is_digits(text);
        let change = word
            .find(|c: char| c.is_ascii_digit() != word.starts_with(|c: char| c.is_ascii_digit()));
        let (first, second) = word.split_at(change.unwrap_or(word.len()));
        if digits(first) && letters(second) && second.chars().count() == 1 {
            return format!("{} {}", self.integer(first), second.to_uppercase());
        }
        if letters(first) && digits(second) && !second.starts_with('0') {
            return format!("{first} {}", self.integer(second));
        }
        spell_in(word, self.tongue)
    }

    /// Says what begins with a digit.
    fn numeral(&mut self) {
        let rest = self.rest();
        let alone = self.begins_word();
        let ways: [fn(&Self, &str) -> Option<Said>; 9] = [
            Self::iso_date,
            Self::phone_number,
            Self::personal_number,
            Self::date,
            Self::price,
            Self::hours,
            Self::span,
            Self::ordinal,
            Self::quantity,
        ];
        let found = ways
            .iter()
            .filter(|_| alone)
            .find_map(|way| way(self, rest));
        let (words, bytes) = found.unwrap_or_else(|| {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            let word = &rest[..end];
            let words = if is_digits(word) {
                self.integer(word)
            } else {
                self.mixed(word)
            };
            (words, end)
        });
        // What stood close to a sign or a word stays apart from it.
        let close = self.out.ends_with(char::is_alphanumeric);
        let words = if close { format!(" {words}") } else { words };
        self.say(&words, bytes);
        if self.rest().starts_with(char::is_alphanumeric) {
            self.out.push(' ');
        }
    }

    /// Says a number with its country code: `+45 70 10 10 10`.
    fn plus(&mut self) {
        let rest = self.rest();
        let end = rest[1..]
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')')))
            .map_or(rest.len(), |end| end + 1);
        let written = rest[..end].trim_end_matches([' ', '-', '(', ')']);
        let bytes = written.len();
        let words = match PhoneNumber::parse(written) {
            Ok(number) => phone_in(&number, self.tongue),
            Err(_) => format!(
                "{} {}",
                self.tongue.spoken.plus,
                digits_in(written, self.tongue)
            ),
        };
        self.say(&words, bytes);
    }

    /// Says a whole number as it is called.
    fn integer(&self, digits: &str) -> String {
        let tongue = self.tongue;
        let value = digits
            .parse::<u32>()
            .ok()
            .filter(|value| *value <= super::LARGEST);
        let by_digits = digits.len() > 1 && digits.starts_with('0')
            || tongue.spoken.written.by_digits.has(digits);
        match value {
            Some(year @ 1100..=2099) if !by_digits => year_in(year, tongue),
            Some(value) if !by_digits => cardinal(value, tongue),
            _ => digits_in(digits, tongue),
        }
    }

    /// Says eight digits, in pairs, fours or at once, as a telephone number.
    fn phone_number(&self, rest: &str) -> Option<Said> {
        let mut end = 0;
        let mut sizes = Vec::new();
        loop {
            let group = leading_digits(&rest[end..]);
            if group.is_empty() {
                break;
            }
            end += group.len();
            sizes.push(group.len());
            if !rest[end..].starts_with([' ', '-', '\u{a0}']) || !digit_after_sign(&rest[end..]) {
                break;
            }
            end += rest[end..].chars().next()?.len_utf8();
        }
        let fits = match sizes.as_slice() {
            // `2025-2026` are years.
            [4, 4] => rest[4..].starts_with([' ', '\u{a0}']),
            sizes => matches!(sizes, [8] | [2, 2, 2, 2] | [2, 3, 3]),
        };
        let written = rest.get(..end).filter(|_| fits)?;
        let number = PhoneNumber::parse(&written.replace('\u{a0}', " ")).ok()?;
        Some((phone_in(&number, self.tongue), end))
    }

    /// Says a civil registration number: `010190-1234`.
    fn personal_number(&self, rest: &str) -> Option<Said> {
        let (birth, serial) = (leading_digits(rest), leading_digits(rest.get(7..)?));
        let fits = birth.len() == 6 && rest[6..].starts_with('-') && serial.len() == 4;
        let said = |digits| digits_in(digits, self.tongue);
        fits.then(|| (format!("{}, {}", said(birth), said(serial)), 11))
    }

    /// Reads a whole number with or without signs between its thousands.
    fn thousands(&self, rest: &str) -> Option<(u32, usize)> {
        let sign = if self.tongue.spoken.written.decimal_sign == "," {
            '.'
        } else {
            ','
        };
        let first = leading_digits(rest);
        let mut digits = first.to_owned();
        let mut end = first.len();
        while first.len() <= 3
            && let Some(group) = rest[end..].strip_prefix(sign).map(leading_digits)
            && group.len() == 3
        {
            digits.push_str(group);
            end += 4;
        }
        let value = digits
            .parse::<u32>()
            .ok()
            .filter(|value| *value <= super::LARGEST)?;
        Some((value, end))
    }

    /// Says a range of whole numbers: `2-3`, `25–30`.
    fn span(&self, rest: &str) -> Option<Said> {
        let from = leading_digits(rest);
        let dash = dash(&rest[from.len()..])?;
        let until = leading_digits(&rest[from.len() + dash..]);
        let end = from.len() + dash + until.len();
        let fits = from.len() <= 4 && (1..=4).contains(&until.len());
        if !fits || rest[end..].starts_with(['-', '–', ',', '.']) && digit_after_sign(&rest[end..])
        {
            return None;
        }
        let (until, bytes) = self.quantity(&rest[from.len() + dash..])?;
        let to = &self.tongue.spoken.written.to;
        let words = format!("{} {to} {until}", self.integer(from));
        Some((words, from.len() + dash + bytes))
    }

    /// Says `3. sal`, `2. th`, `3rd`.
    fn ordinal(&self, rest: &str) -> Option<Said> {
        let digits = leading_digits(rest);
        let value: u32 = digits
            .parse()
            .ok()
            .filter(|value| (1..=99).contains(value))?;
        let after = &rest[digits.len()..];
        let signs = &self.tongue.numbers.ordinal_signs;
        let sign = signs.iter().find(|sign| {
            let after = after.strip_prefix(*sign);
            after.is_some_and(|after| !after.starts_with(char::is_alphanumeric))
        });
        let spoken = self.tongue.ordinal(value);
        if let Some(sign) = sign {
            return Some((spoken, digits.len() + sign.len()));
        }
        let after = after
            .strip_prefix('.')
            .filter(|_| self.tongue.spoken.written.points)?;
        let end = digits.len() + 1;
        if let Some((side, bytes)) = self.floor(after) {
            return Some((format!("{spoken} {side}"), end + bytes));
        }
        let next = after.trim_start_matches(' ');
        let goes_on = next.len() < after.len() && next.starts_with(char::is_lowercase);
        goes_on.then_some((spoken, end))
    }

    /// Says which side of a floor: ` th`, `.tv`.
    fn floor(&self, after: &str) -> Option<Said> {
        let blank = blanks(after);
        let word = leading_word(&after[blank..]);
        let side = self
            .tongue
            .spoken
            .written
            .floors
            .get(&word.to_lowercase())?;
        let end = blank + word.len();
        let point = usize::from(after[end..].starts_with(".,"));
        Some((side.clone(), end + point))
    }

    /// Says any other number, with its decimals and what is written after it.
    fn quantity(&self, rest: &str) -> Option<Said> {
        let written = &self.tongue.spoken.written;
        let first = leading_digits(rest);
        let (value, mut end) = self.thousands(rest).unwrap_or((0, first.len()));
        let mut words = if end > first.len() {
            number_in(value.into(), self.tongue)
        } else if self.is_postcode(first, &rest[end..]) {
            self.postcode(first)
        } else {
            self.integer(first)
        };
        let decimals = rest[end..]
            .strip_prefix(written.decimal_sign.as_str())
            .filter(|_| !written.decimal_sign.is_empty())
            .map(leading_digits)
            .filter(|decimals| !decimals.is_empty());
        if let Some(decimals) = decimals {
            let digits = digits_in(decimals, self.tongue).replace(',', "");
            words = format!("{words} {} {digits}", written.decimal);
            end += written.decimal_sign.len() + decimals.len();
        }
        let blank = blanks(&rest[end..]);
        let after = &rest[end + blank..];
        let unit = written
            .after
            .iter()
            .filter(|(sign, _)| {
                let word = sign.ends_with(char::is_alphanumeric);
                after.starts_with(sign.as_str())
                    && !(word && after[sign.len()..].starts_with(char::is_alphanumeric))
            })
            .max_by_key(|(sign, _)| sign.len());
        if let Some((sign, spoken)) = unit {
            let words = self.stopped(format!("{words} {spoken}"), after, sign.len());
            return Some((words, end + blank + sign.len()));
        }
        let word = leading_word(&rest[end..]);
        // `12B`; anything longer is no number.
        if word.chars().count() == 1 && !digit_at(&rest[end..], word.len()) {
            return Some((format!("{words} {}", word.to_uppercase()), end + word.len()));
        }
        word.is_empty().then_some((words, end))
    }

    /// Tells whether four digits are a postcode: a town follows.
    fn is_postcode(&self, digits: &str, after: &str) -> bool {
        let town = after.strip_prefix(' ').unwrap_or_default();
        let named = town.starts_with(char::is_uppercase)
            && town.chars().nth(1).is_some_and(char::is_lowercase)
            && self.month(leading_word(town)).is_none();
        let year = matches!(digits.parse(), Ok(1100..=2099_u32));
        let in_an_address = self.out.trim_end().ends_with(',');
        digits.len() == 4
            && named
            && (in_an_address || !year)
            && self.tongue.spoken.written.postcodes_in_pairs
    }

    /// Says a postcode: "otte tusind", "enogtyve hundrede", "seksogfirs tres".
    fn postcode(&self, digits: &str) -> String {
        let value: u32 = digits.parse().unwrap_or_default();
        let (head, tail) = digits.split_at(2);
        match (value % 1000, value % 100) {
            (0, _) => cardinal(value, self.tongue),
            (_, 0) => {
                let hundred = &self.tongue.numbers.hundred.many;
                hundred.replace("{n}", &pair(head, self.tongue))
            }
            _ => format!("{} {}", pair(head, self.tongue), pair(tail, self.tongue)),
        }
    }

    /// Keeps the full stop that an abbreviation at the end of a sentence stands for too.
    fn stopped(&self, words: String, text: &str, bytes: usize) -> String {
        let after = text[bytes..].trim_start_matches(' ');
        let ends = after.is_empty() || after.starts_with(char::is_uppercase);
        if text[..bytes].ends_with('.') && ends {
            format!("{words}.")
        } else {
            words
        }
    }
}

fn hour_fits(hour: u32) -> bool {
    hour <= 24
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn leading_digits(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    &text[..end]
}

fn leading_word(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(text.len());
    &text[..end]
}

/// Counts the bytes of blanks that a text begins with.
fn blanks(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\u{a0}']).len()
}

fn digit_at(text: &str, at: usize) -> bool {
    text.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
}

/// Tells whether one sign and then a digit follow.
fn digit_after_sign(text: &str) -> bool {
    let mut characters = text.chars();
    characters
        .next()
        .is_some_and(|sign| !sign.is_alphanumeric())
        && characters
            .next()
            .is_some_and(|digit| digit.is_ascii_digit())
}

fn dash_follows(text: &str) -> bool {
    dash(text).is_some() || text.starts_with([' ', ','])
}

/// Counts the bytes of a dash between two numbers, blanks around it included.
fn dash(text: &str) -> Option<usize> {
    let blank = blanks(text);
    let sign = text[blank..]
        .chars()
        .next()
        .filter(|sign| matches!(sign, '-' | '–' | '—'))?;
    let end = blank + sign.len_utf8();
    let end = end + blanks(&text[end..]);
    digit_at(text, end).then_some(end)
}
