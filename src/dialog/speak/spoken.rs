//! Whole texts made ready for a voice: what is written with digits and signs is written out in
//! words, and words are left alone. Which sign means what stands in the language's file.

use jiff::civil::Date;

use super::{amount, cardinal, clock, digits_in, number_in, pair, phone_in, spell_in, year_in};
use crate::language::{Currency, Tongue, tongue};
use crate::understand::text::fold;
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

    fn iso_date(&self, rest: &str) -> Option<Said> {
        let written = rest.get(..10).filter(|_| !digit_at(rest, 10))?;
        let date: Date = written.parse().ok().filter(|_| digit_at(written, 3))?;
        let (day, month) = (date.day().unsigned_abs(), date.month().unsigned_abs());
        let year = year_in(date.year().unsigned_abs().into(), self.tongue);
        let words = format!("{} {year}", self.day_and_month(day.into(), month.into()));
        Some((words, written.len()))
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

    /// Says `3. maj 2026`, `3/5`, `24.12.2026`, `3 May`.
    fn date(&self, rest: &str) -> Option<Said> {
        let first = leading_digits(rest);
        let day: u32 = first.parse().ok().filter(|day| (1..=31).contains(day))?;
        let mut end = first.len();
        let points = self.tongue.spoken.written.points;
        for sign in ['/', '.', '-'] {
            let Some(after) = rest[end..].strip_prefix(sign) else {
                continue;
            };
            let second = leading_digits(after);
            let Some(month) = second
                .parse::<u32>()
                .ok()
                .filter(|month| (1..=12).contains(month))
            else {
                continue;
            };
            let mut until = end + 1 + second.len();
            // `24/12-2026` is how many Danes write.
            let third = rest[until..].strip_prefix([sign, '-']).map(leading_digits);
            let year = match third.filter(|year| matches!(year.len(), 2 | 4)) {
                Some(year) => {
                    until += 1 + year.len();
                    Some(year)
                }
                // `9.15` may be a time and `9-12` hours; `3/5` is a day, but `1/2` a part.
                None if sign != '/' || matches!((first, second), ("1", "2") | ("24", "7")) => {
                    continue;
                }
                None => None,
            };
            if digit_at(rest, until) {
                continue;
            }
            let said = self.day_and_month(day, month);
            let words = match year.and_then(|year| year.parse::<u32>().ok()) {
                Some(year @ 0..=99) => {
                    format!("{said} {}", pair(&format!("{year:02}"), self.tongue))
                }
                Some(year) => format!("{said} {}", year_in(year, self.tongue)),
                None => said,
            };
            return Some((words, until));
        }
        // `3. maj`, `3 May`, `3rd of May`.
        let sign = self.tongue.numbers.ordinal_signs.iter().find(|sign| {
            rest[end..]
                .strip_prefix(*sign)
                .is_some_and(|after| !after.starts_with(char::is_alphanumeric))
        });
        end += match sign {
            Some(sign) => sign.len(),
            None => usize::from(points && rest[end..].starts_with('.')),
        };
        let mut next = end + blanks(&rest[end..]);
        let mut word = leading_word(&rest[next..]);
        if self.tongue.days.between.has(&fold(word)) && !word.is_empty() {
            next += word.len();
            next += blanks(&rest[next..]);
            word = leading_word(&rest[next..]);
        }
        let month = self.month(word).filter(|_| next > first.len())?;
        next += word.len();
        let (year, bytes) = self.year_after(&rest[next..]);
        Some((
            format!("{}{year}", self.day_and_month(day, month)),
            next + bytes,
        ))
    }

    /// Says `May 3rd, 2026`, where months come first.
    fn month_first(&self, word: &str, after: &str) -> Option<Said> {
        let month = self
            .month(word)
            .filter(|_| !self.tongue.spoken.written.points)?;
        let blank = blanks(after);
        let digits = leading_digits(&after[blank..]);
        let day: u32 = digits.parse().ok().filter(|day| (1..=31).contains(day))?;
        let mut end = blank + digits.len();
        let signs = &self.tongue.numbers.ordinal_signs;
        let sign = signs.iter().find(|sign| after[end..].starts_with(*sign));
        end += sign.map_or(0, str::len);
        if blank == 0 || after[end..].starts_with(|c: char| c.is_alphanumeric() || c == ':') {
            return None;
        }
        let (year, bytes) = self.year_after(&after[end..]);
        Some((
            format!("{}{year}", self.day_and_month(day, month)),
            end + bytes,
        ))
    }

    /// Says the year after a date, if one follows: ` 2026`, `, 2026`.
    fn year_after(&self, after: &str) -> (String, usize) {
        let comma = usize::from(after.starts_with(','));
        let blank = blanks(&after[comma..]);
        let digits = leading_digits(&after[comma + blank..]);
        match digits.parse::<u32>() {
            Ok(year @ 1100..=2099) if blank > 0 && digits.len() == 4 => (
                format!(" {}", year_in(year, self.tongue)),
                comma + blank + digits.len(),
            ),
            _ => (String::new(), 0),
        }
    }

    fn month(&self, word: &str) -> Option<u32> {
        let folded = fold(word);
        let months = self.tongue.days.months.iter().zip(1..);
        months
            .filter(|_| !folded.is_empty())
            .find_map(|(forms, month)| forms.heard.contains(&folded).then_some(month))
    }

    /// Says day and month so that they fit the word before them: "den tredje maj".
    fn day_and_month(&self, day: u32, month: u32) -> String {
        let spoken = &self.tongue.spoken;
        let before = fold(self.last_word());
        let article = spoken.day_and_month.split(' ').next().unwrap_or_default();
        let follows = self.tongue.days.before.has(&before);
        let template = match &spoken.day_and_month_after {
            Some(after) if follows && before != fold(article) => after.as_str(),
            _ if follows => spoken
                .day_and_month
                .trim_start_matches(article)
                .trim_start(),
            _ => spoken.day_and_month.as_str(),
        };
        let month = (month as usize + 11) % 12;
        template
            .replace("{day}", &self.tongue.ordinal(day))
            .replace("{month}", &self.tongue.days.months[month].spoken)
    }

    /// Says `1.250,50 kr.`, `20 €`.
    fn price(&self, rest: &str) -> Option<Said> {
        let (cents, mut end) = self.cents(rest)?;
        end += blanks(&rest[end..]);
        let (currency, bytes) = self.currency(&rest[end..])?;
        let words = amount(cents, currency, self.tongue);
        Some((self.stopped(words, &rest[end..], bytes), end + bytes))
    }

    /// Says `kr. 250`, `€ 20`.
    fn price_after(&self, sign: &str, rest: &str) -> Option<Said> {
        let money = &self.tongue.spoken.money;
        let currency = money
            .iter()
            .find(|currency| currency.signs.has(&fold(sign)))?;
        let (cents, end) = self.cents(rest)?;
        Some((amount(cents, currency, self.tongue), end))
    }

    /// Finds the currency that a text begins with, and how many bytes its sign has.
    fn currency(&self, rest: &str) -> Option<(&'t Currency, usize)> {
        let signs = self
            .tongue
            .spoken
            .money
            .iter()
            .flat_map(|currency| currency.signs.iter().map(move |sign| (currency, sign)));
        signs
            .filter(|(_, sign)| {
                let begins = rest
                    .get(..sign.len())
                    .is_some_and(|text| fold(text) == **sign);
                let word = sign.ends_with(char::is_alphanumeric);
                begins && !(word && rest[sign.len()..].starts_with(char::is_alphanumeric))
            })
            .map(|(currency, sign)| (currency, sign.len()))
            .max_by_key(|(_, bytes)| *bytes)
    }

    /// Reads an amount in hundredths: `1.250,50`, `250,-`, `250`.
    fn cents(&self, rest: &str) -> Option<(i64, usize)> {
        let (whole, mut end) = self.thousands(rest)?;
        let mut cents = 0;
        if let Some(after) = rest[end..].strip_prefix([',', '.']) {
            let decimals = leading_digits(after);
            if decimals.len() == 2 {
                cents = decimals.parse().ok()?;
                end += 3;
            } else if after.starts_with('-') {
                end += 2;
            } else if decimals.len() == 1 {
                cents = decimals.parse::<i64>().ok()? * 10;
                end += 2;
            }
        }
        Some((i64::from(whole) * 100 + cents, end))
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

    /// Says times and what lies between them: `14.30`, `9-15`, `9.00-15.30`.
    fn hours(&self, rest: &str) -> Option<Said> {
        let (from, end) = self.time_of_day(rest)?;
        let Some(dash) = dash(&rest[end..]) else {
            return Some((from, end));
        };
        let (until, more) = self.time_of_day(&rest[end + dash..])?;
        let to = &self.tongue.spoken.written.to;
        Some((format!("{from} {to} {until}"), end + dash + more))
    }

    /// Says one time that is written with its minutes; an hour alone only after "kl.".
    fn time_of_day(&self, rest: &str) -> Option<Said> {
        let written = &self.tongue.spoken.written;
        let hour = leading_digits(rest);
        let value: u32 = hour.parse().ok().filter(|hour| hour_fits(*hour))?;
        let sign = rest[hour.len()..].chars().next();
        let parts = sign == Some(':') || (written.points && sign == Some('.'));
        let minutes = if parts {
            leading_digits(&rest[hour.len() + 1..])
        } else {
            ""
        };
        let minute = minutes
            .parse::<u32>()
            .ok()
            .filter(|minute| minutes.len() == 2 && *minute < 60);
        let mut end = hour.len();
        let tongue = self.tongue;
        let after_hour = |end: usize| {
            let word = leading_word(rest[end..].trim_start_matches(' '));
            tongue
                .clock
                .after_hour
                .has(&fold(word))
                .then_some(word)
                .filter(|word| !word.is_empty())
        };
        let Some(minute) = minute else {
            let announced = tongue.clock.announce.has(&fold(self.last_word()))
                && tongue.spoken.time.halves.is_none();
            let whole = !rest[end..].starts_with([':', '/']) && !digit_after_sign(&rest[end..]);
            let fits = (announced && (whole || dash(&rest[end..]).is_some())
                || after_hour(end).is_some())
                && hour.len() <= 2
                && !rest[end..].starts_with(char::is_alphabetic);
            return fits.then(|| (clock(value, 0, "{hour}", tongue), end));
        };
        end += 1 + minutes.len();
        if rest[end..].starts_with(char::is_alphanumeric)
            || digit_after_sign(&rest[end..]) && !dash_follows(&rest[end..])
        {
            return None;
        }
        let template = match minute {
            0 => written.time.replace("{minute}", ""),
            1..=9 => written.time_few.clone(),
            _ => written.time.clone(),
        };
        // "9:30 am" and "9:30 Uhr" say themselves what the template would add.
        let word = leading_word(rest[end..].trim_start_matches(' '));
        let half = matches!(fold(word).as_str(), "am" | "pm")
            || rest[end..].trim_start().starts_with(['a', 'p'])
                && rest[end..].trim_start()[1..].starts_with(".m");
        let template = if half {
            template.replace("{half}", "")
        } else {
            template
        };
        if let Some(word) = after_hour(end)
            && template.contains(word)
        {
            end += rest[end..].len() - rest[end..].trim_start_matches(' ').len() + word.len();
        }
        let words = clock(value, minute, &template, tongue);
        Some((words.split_whitespace().collect::<Vec<_>>().join(" "), end))
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
