//! The table of a model's tokens, and whether it fits the network. sherpa-onnx ends the process over
//! a table that does not.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::folder::Kind;

/// The table of a model's tokens.
pub(super) struct Tokens {
    numbers: BTreeMap<String, u32>,
    distinct: HashSet<u32>,
}

impl Tokens {
    /// The most that is read, in bytes.
    const LARGEST: u64 = 16 << 20;

    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let size = path.metadata().map_err(|error| error.to_string())?.len();
        if size > Self::LARGEST {
            return Err(format!("{size} bytes are no table of tokens"));
        }
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        Self::parse(&String::from_utf8_lossy(&bytes))
    }

    /// Reads lines of a token and its number; the token of a lone number is a blank.
    fn parse(text: &str) -> Result<Self, String> {
        let (mut numbers, mut distinct) = (BTreeMap::new(), HashSet::new());
        for (line, content) in text.lines().enumerate() {
            let mut pieces = content.split_ascii_whitespace();
            let (token, number) = match (pieces.next(), pieces.next(), pieces.next()) {
                (Some(number), None, _) => (" ", number),
                (Some(token), Some(number), None) => (token, number),
                _ => return Err(format!("line {} is no token with its number", line + 1)),
            };
            let number = number
                .parse()
                .map_err(|_| format!("line {} does not end with a number", line + 1))?;
            numbers.insert(token.to_owned(), number);
            distinct.insert(number);
        }
        if numbers.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Self { numbers, distinct })
    }

    /// Tells whether every number that the network can tell has a token.
    pub(super) fn fits(&self, kind: Kind, vocabulary: Option<u32>) -> Result<(), String> {
        if matches!(kind, Kind::Whisper | Kind::Auto) {
            return Ok(());
        }
        let blank = ["<blk>", "<eps>", "<blank>"]
            .iter()
            .find_map(|it| self.numbers.get(*it));
        let needs_blank = !matches!(
            kind,
            Kind::Transducer | Kind::StreamingTransducer | Kind::Canary
        );
        if needs_blank && blank.is_none() {
            return Err("it has neither <blk> nor <eps> nor <blank>".to_owned());
        }
        let Some(vocabulary) = vocabulary else {
            return Ok(());
        };
        if let Some(gap) = (0..vocabulary).find(|number| !self.distinct.contains(number)) {
            return Err(format!(
                "the network has {vocabulary} tokens and it has none of the number {gap}"
            ));
        }
        // NeMo does not count the blank, which has to come last.
        if kind == Kind::NemoTransducer
            && (blank != Some(&vocabulary) || self.distinct.len() != vocabulary as usize + 1)
        {
            return Err(format!("<blk> is not its last token, {vocabulary}"));
        }
        Ok(())
    }
}
