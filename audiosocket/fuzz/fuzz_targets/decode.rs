//! Arbitrary bytes in arbitrary splits: the first byte says how many of the next are piece lengths.
#![no_main]

#[path = "../entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((count, rest)) = input.split_first() else {
        return;
    };
    let (pieces, bytes) = rest.split_at(usize::from(count % 16).min(rest.len()));
    entry::check(bytes, pieces);
});
