//! References: what a caller is given to quote later.

use crate::store::Chance;
use crate::words::Reference;

/// Characters that are told apart when spoken and when written, in Danish and in English: no 0 and
/// O, no 1 and I, no vowels, and of letters that sound alike (B C D E G P T V W Z, H K, M N, F S)
/// one each.
const CHARACTERS: &[u8; 16] = b"23456789FJKLMRTX";
/// So many give a million references.
const LENGTH: usize = 5;

/// Draws a reference.
pub(super) fn draw(chance: &Chance) -> Reference {
    let characters = (0..LENGTH).map(|_| {
        let index = chance.below(CHARACTERS.len() as u64) as usize;
        char::from(CHARACTERS[index % CHARACTERS.len()])
    });
    Reference(characters.collect())
}

/// Draws several references; a transaction takes the first that is free.
pub(super) fn draw_some(chance: &Chance) -> Vec<Reference> {
    (0..16).map(|_| draw(chance)).collect()
}

/// Reads a reference as people write it: any case, with blanks or dashes.
pub(super) fn read(text: &str) -> Reference {
    Reference(
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_short_and_cannot_be_misheard() {
        let chance = Chance::seeded(1);
        for reference in (0..50).flat_map(|_| draw_some(&chance)) {
            assert_eq!(reference.0.len(), 5);
            assert!(
                !reference
                    .0
                    .contains(['0', 'O', '1', 'I', 'N', 'B', 'E', 'H'])
            );
        }
    }

    #[test]
    fn a_reference_is_read_as_people_write_it() {
        assert_eq!(read(" 4f-7k2 "), Reference("4F7K2".to_owned()));
    }
}
