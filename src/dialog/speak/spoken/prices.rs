//! Prices amid a text: `1.250,50 kr.`, `kr. 250,-`, `€ 20`.

use super::super::amount;
use super::{Said, Writer, blanks, leading_digits};
use crate::language::Currency;
use crate::understand::text::fold;

impl<'t> Writer<'t> {
    /// Says `1.250,50 kr.`, `20 €`.
    pub(super) fn price(&self, rest: &str) -> Option<Said> {
        let (cents, mut end) = self.cents(rest)?;
        end += blanks(&rest[end..]);
        let (currency, bytes) = self.currency(&rest[end..])?;
        let words = amount(cents, currency, self.tongue);
        Some((self.stopped(words, &rest[end..], bytes), end + bytes))
    }

    /// Says `kr. 250`, `€ 20`.
    pub(super) fn price_after(&self, sign: &str, rest: &str) -> Option<Said> {
        let money = &self.tongue.spoken.money;
        let currency = money
            .iter()
            .find(|currency| currency.signs.has(&fold(sign)))?;
        let (cents, end) = self.cents(rest)?;
        Some((amount(cents, currency, self.tongue), end))
    }

    /// Finds the currency that a text begins with, and how many bytes its sign has.
    pub(super) fn currency(&self, rest: &str) -> Option<(&'t Currency, usize)> {
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
    pub(super) fn cents(&self, rest: &str) -> Option<(i64, usize)> {
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
}
