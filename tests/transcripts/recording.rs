//! Sessions recorded on a real Asterisk, read from their files.

use std::path::{Path, PathBuf};

use hotline::pbx::asterisk::wire::{Block, Decoder, Message};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/asterisk")
}

pub(crate) fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

pub(crate) fn sessions() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter_map(|name| name.strip_suffix(".ami.in").map(str::to_owned))
        .collect();
    names.sort();
    names
}

pub(crate) fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Message> {
    let mut decoder = Decoder::new();
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        while let Some(message) = decoder.next().unwrap() {
            messages.push(message);
        }
    }
    messages
}

pub(crate) fn blocks(bytes: &[u8]) -> Vec<Block> {
    let only = |message| match message {
        Message::Block(block) => Some(block),
        Message::Banner(_) => None,
    };
    decode([bytes].into_iter())
        .into_iter()
        .filter_map(only)
        .collect()
}
