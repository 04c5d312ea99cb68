//! The words that every room uses: languages, call ids, keys, phone numbers and texts.
//!
//! They are plain values: they can be compared, written down and read back, and they do nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A spoken language by its two-letter ISO 639-1 code, lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Language([u8; 2]);

impl Language {
    /// Danish.
    pub const DA: Self = Self(*b"da");
    /// English.
    pub const EN: Self = Self(*b"en");

    /// Returns the two letters, such as `da`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

/// Why a text is no [`Language`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no language: write a two-letter code such as da or en")]
pub struct NoLanguage(String);

impl FromStr for Language {
    type Err = NoLanguage;

    /// Reads `da`, and `da-DK` or `da_DK` as `da`.
    fn from_str(text: &str) -> Result<Self, NoLanguage> {
        let primary = text.split(['-', '_']).next().unwrap_or_default();
        match primary.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_lowercase(), b.to_ascii_lowercase()]))
            }
            _ => Err(NoLanguage(text.to_owned())),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Language {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One text in several languages, such as `{ da: "Hej", en: "Hello" }`.
pub type Texts = BTreeMap<Language, String>;

/// Names one call: the UUID that the PBX shows on the AudioSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub uuid::Uuid);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One key of the telephone keypad: `0`-`9`, `*`, `#`, `A`-`D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Key(char);

impl Key {
    /// Returns the key for a character of the keypad, or nothing.
    pub fn new(character: char) -> Option<Self> {
        let upper = character.to_ascii_uppercase();
        matches!(upper, '0'..='9' | '*' | '#' | 'A'..='D').then_some(Self(upper))
    }

    /// Returns the character on the key.
    pub fn character(self) -> char {
        self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(self.0)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut characters = text.chars();
        match (characters.next().and_then(Self::new), characters.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(serde::de::Error::custom(format!(
                "{text:?} is no key: write one of \"0\" to \"9\", \"*\" or \"#\" in quotes"
            ))),
        }
    }
}

/// A telephone number in E.164 form, such as `+4570101010`. Its `Debug` and log form is masked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct PhoneNumber(String);

/// Why a text is no [`PhoneNumber`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a telephone number: write it as +45 and eight digits, or + and country code")]
pub struct NoPhoneNumber;

impl PhoneNumber {
    /// Reads a number as it is written or sent by a PBX; one without country code is Danish.
    ///
    /// # Errors
    /// When the numbering plans know no such number.
    pub fn parse(text: &str) -> Result<Self, NoPhoneNumber> {
        let cleaned: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '(' | ')'))
            .collect();
        let cleaned = match cleaned.strip_prefix("00") {
            Some(rest) => format!("+{rest}"),
            None => cleaned,
        };
        let number =
            rlibphonenumber::PhoneNumber::parse(&cleaned, Some(rlibphonenumber::Region::DK))
                .map_err(|_| NoPhoneNumber)?;
        number
            .is_possible_with_reason()
            .map_err(|_| NoPhoneNumber)?;
        Ok(Self(
            number
                .format_as(rlibphonenumber::PhoneNumberFormat::E164)
                .into_owned(),
        ))
    }

    /// Returns `+` and all digits.
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// Returns the digits a Dane would say: without `+45`, other country codes kept with `00`.
    pub fn national(&self) -> String {
        match self.0.strip_prefix("+45") {
            Some(national) => national.to_owned(),
            None => self.0.replacen('+', "00", 1),
        }
    }

    /// Returns the number with all but the last two digits hidden, fit for a log.
    pub fn masked(&self) -> String {
        let hidden = self.0.len().saturating_sub(2);
        format!("{}{}", "*".repeat(hidden), &self.0[hidden..])
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for PhoneNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|error| serde::de::Error::custom(format!("{text:?} is {error}")))
    }
}

/// Defines a name that people write in files: letters, digits, `_` and `-`.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// Names a tenant: a municipality or other organisation.
    TenantId
);
name!(
    /// Names a department of a tenant, such as `citizen_service`.
    DepartmentId
);
name!(
    /// Names a queue of the PBX.
    QueueName
);
name!(
    /// Names a flow.
    FlowName
);
name!(
    /// Names a place in a flow that can be gone to.
    StateName
);
name!(
    /// Names something a caller can want, such as `cancel_appointment`.
    IntentName
);
name!(
    /// Names what a caller is given to quote later, such as `4F7K2`.
    Reference
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_danish_number_is_the_same_number_however_it_is_written() {
        for text in [
            "70 10 10 10",
            "+45 7010 1010",
            "004570101010",
            "+4570101010",
            "70-10-10-10",
        ] {
            assert_eq!(
                PhoneNumber::parse(text).map(|n| n.0),
                Ok("+4570101010".to_owned())
            );
        }
    }

    #[test]
    fn words_are_no_number() {
        for text in ["", "anonymous", "12", "+", "+4", "<unknown>"] {
            assert_eq!(PhoneNumber::parse(text), Err(NoPhoneNumber), "{text}");
        }
    }

    #[test]
    fn a_number_in_a_log_shows_its_last_two_digits_only() {
        let number = PhoneNumber::parse("70101017").unwrap();
        assert_eq!(format!("{number:?}"), "*********17");
    }
}
