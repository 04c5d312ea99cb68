//! A look at the outside of an ONNX file: whether it is whole, and what its metadata says. The
//! network itself is not read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// The longest metadata entry that is read, in bytes.
const LONGEST_ENTRY: u64 = 4 << 20;

/// The most top-level fields that a model may have.
const MOST_FIELDS: usize = 10_000;

/// Fields of a model, by their numbers in onnx.proto.
const GRAPH: u64 = 7;
const METADATA: u64 = 14;

/// What an ONNX file says of itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Onnx {
    pub(super) metadata: BTreeMap<String, String>,
}

impl Onnx {
    /// Looks at a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no whole ONNX model; the text says why.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let size = file.metadata().map_err(|error| error.to_string())?.len();
        Self::from(BufReader::new(file), size).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("it is cut short at {size} bytes"),
            _ => error.to_string(),
        })
    }

    fn from(mut file: impl Read + Seek, size: u64) -> io::Result<Self> {
        let mut onnx = Self::default();
        let mut has_graph = false;
        let mut fields = 0;
        let mut place = 0;
        while place < size {
            fields += 1;
            if fields > MOST_FIELDS {
                return Err(not_a_model());
            }
            let (tag, read) = varint(&mut file)?;
            place += read;
            match tag & 7 {
                0 => place += varint(&mut file)?.1,
                1 => place = skip(&mut file, place, 8, size)?,
                5 => place = skip(&mut file, place, 4, size)?,
                2 => {
                    let (length, read) = varint(&mut file)?;
                    place += read;
                    let end = place.checked_add(length).ok_or_else(not_a_model)?;
                    if end > size {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    if tag >> 3 == METADATA && length <= LONGEST_ENTRY {
                        let mut entry = vec![0; length as usize];
                        file.read_exact(&mut entry)?;
                        if let Some((key, value)) = pair(&entry) {
                            onnx.metadata.insert(key, value);
                        }
                        place = end;
                    } else {
                        has_graph |= tag >> 3 == GRAPH && length > 0;
                        place = skip(&mut file, place, length, size)?;
                    }
                }
                _ => return Err(not_a_model()),
            }
        }
        if has_graph {
            Ok(onnx)
        } else {
            Err(not_a_model())
        }
    }

    /// Returns an entry of the metadata.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Returns an entry that is a number.
    pub(super) fn number(&self, key: &str) -> Option<u32> {
        self.get(key)?.trim().parse().ok()
    }
}

fn not_a_model() -> io::Error {
    io::Error::other("it is no ONNX model")
}

fn skip(file: &mut impl Seek, place: u64, length: u64, size: u64) -> io::Result<u64> {
    let end = place + length;
    if end > size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    file.seek(SeekFrom::Start(end))?;
    Ok(end)
}

/// Reads a number of up to ten bytes; returns it with how many there were.
fn varint(file: &mut impl Read) -> io::Result<(u64, u64)> {
    let mut value = 0_u64;
    for count in 0..10 {
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f) << (7 * count);
        if byte[0] & 0x80 == 0 {
            return Ok((value, count + 1));
        }
    }
    Err(not_a_model())
}

/// Reads the key and value of a metadata entry.
fn pair(mut entry: &[u8]) -> Option<(String, String)> {
    let (mut key, mut value) = (None, String::new());
    while !entry.is_empty() {
        let (tag, _) = varint(&mut entry).ok()?;
        let (length, _) = varint(&mut entry).ok()?;
        let (text, rest) = entry.split_at_checked(usize::try_from(length).ok()?)?;
        let text = String::from_utf8_lossy(text).into_owned();
        match tag {
            0x0a => key = Some(text),
            0x12 => value = text,
            _ => return None,
        }
        entry = rest;
    }
    Some((key?, value))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length > 0x7f {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(content);
        bytes
    }

    /// Returns the bytes of a model with such metadata and a graph of nonsense.
    pub(in super::super) fn model(metadata: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = vec![0x08, 0x08];
        bytes.extend(field(7, &[0x5a; 300]));
        for (key, value) in metadata {
            let entry = [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
            bytes.extend(field(14, &entry));
        }
        bytes
    }

    fn read(bytes: &[u8]) -> io::Result<Onnx> {
        Onnx::from(io::Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn the_metadata_of_a_model_is_found_behind_its_network() {
        let onnx = read(&model(&[("model_type", "tdnn"), ("vocab_size", "34")])).unwrap();
        assert_eq!(onnx.get("model_type"), Some("tdnn"));
        assert_eq!(onnx.number("vocab_size"), Some(34));
        assert_eq!(onnx.number("model_type"), None);
    }

    #[test]
    fn a_file_that_ends_within_its_network_is_cut_short() {
        let bytes = model(&[("model_type", "tdnn")]);
        let error = read(&bytes[..200]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn an_empty_file_and_one_of_text_are_no_models() {
        assert!(read(b"").is_err());
        assert!(read(b"version https://git-lfs.github.com/spec/v1\n").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_at_all_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&bytes);
        }

        #[test]
        fn whatever_stands_in_the_metadata_is_read_back(
            entries in prop::collection::btree_map("[a-z_]{1,20}", "\\PC{0,200}", 0..8)
        ) {
            let pairs: Vec<(&str, &str)> =
                entries.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            prop_assert_eq!(read(&model(&pairs)).unwrap().metadata, entries);
        }
    }
}
