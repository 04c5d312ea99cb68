//! Reads the audio that an engine sends, as it comes: a WAV of any usual kind or bare samples, at
//! any rate, mono or not, as 8 kHz mono. Pure: bytes go in, samples come out.
//!
//! Lengths in a WAV's header that were written before the length was known are not believed; one
//! that was is held against what came.

use super::RATE;
use super::rate::Converter;

/// The most that may stand before the samples of a WAV, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;

/// The sampling rates that are understood, in Hz.
pub(super) const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// From here on a length of the samples means that it was not known, in bytes: programs that write
/// into a pipe put such numbers there. No prompt is as long.
const UNKNOWN: u32 = 0x7fff_0000;

/// How one sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Unsigned8,
    Signed16,
    Signed24,
    Signed32,
    Float32,
}

impl Encoding {
    fn width(self) -> usize {
        match self {
            Self::Unsigned8 => 1,
            Self::Signed16 => 2,
            Self::Signed24 => 3,
            Self::Signed32 | Self::Float32 => 4,
        }
    }

    /// Reads one sample of its width.
    fn sample(self, bytes: &[u8]) -> i32 {
        match (self, bytes) {
            (Self::Unsigned8, &[a]) => (i32::from(a) - 128) << 8,
            (Self::Signed16, &[a, b]) => i32::from(i16::from_le_bytes([a, b])),
            (Self::Signed24, &[_, b, c]) => i32::from(i16::from_le_bytes([b, c])),
            (Self::Signed32, &[_, _, c, d]) => i32::from(i16::from_le_bytes([c, d])),
            // A cast saturates, and makes 0 of what is no number.
            (Self::Float32, &[a, b, c, d]) => {
                i32::from((f32::from_le_bytes([a, b, c, d]) * 32768.0) as i16)
            }
            _ => 0,
        }
    }
}

/// What the samples are like.
#[derive(Clone, Copy, Debug)]
struct Format {
    encoding: Encoding,
    channels: usize,
    rate: u32,
}

/// A reader of one stream.
pub(super) struct Reader {
    /// Bytes that are not understood yet: a header that is not whole, or a part of a sample.
    waiting: Vec<u8>,
    part: Part,
}

enum Part {
    /// A WAV's header is still coming.
    Head,
    /// Samples are coming.
    Samples(Box<Samples>),
}

struct Samples {
    format: Format,
    /// Bytes of samples that the header promised, where it is believed.
    promised: Option<u64>,
    /// Bytes of samples that have come.
    come: u64,
    narrow: Narrow,
}

impl Reader {
    /// Reads a WAV.
    pub(super) fn wav() -> Self {
        Self {
            waiting: Vec::new(),
            part: Part::Head,
        }
    }

    /// Reads bare samples of 16 bit, little end first, mono, of a rate in Hz.
    ///
    /// # Errors
    /// When there is no way from that rate to 8 kHz.
    pub(super) fn bare(rate: u32) -> Result<Self, String> {
        if !RATES.contains(&rate) {
            return Err(format!("{rate} Hz is not between 4000 and 192000 Hz"));
        }
        let format = Format {
            encoding: Encoding::Signed16,
            channels: 1,
            rate,
        };
        Ok(Self {
            waiting: Vec::new(),
            part: Part::Samples(Box::new(Samples::new(format, None)?)),
        })
    }

    /// Takes bytes and returns the 8 kHz samples that they complete.
    ///
    /// # Errors
    /// In words, what is wrong with them.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<i16>, String> {
        self.waiting.extend_from_slice(bytes);
        if let Part::Head = self.part {
            let Some((start, format, length)) = head(&self.waiting)? else {
                if self.waiting.len() > LONGEST_HEAD {
                    return Err("its WAV header has no end".to_owned());
                }
                return Ok(Vec::new());
            };
            self.waiting.drain(..start);
            let promised = (length != 0 && length < UNKNOWN).then_some(u64::from(length));
            self.part = Part::Samples(Box::new(Samples::new(format, promised)?));
        }
        match &mut self.part {
            Part::Head => Ok(Vec::new()),
            Part::Samples(samples) => Ok(samples.take(&mut self.waiting)),
        }
    }

    /// Returns what is left when no more bytes come.
    ///
    /// # Errors
    /// In words, when the audio has no beginning, or ends before its time.
    pub(super) fn finish(&mut self) -> Result<Vec<i16>, String> {
        match &mut self.part {
            Part::Head if self.waiting.is_empty() => Err("it sent nothing".to_owned()),
            Part::Head => Err("its WAV ends within the header".to_owned()),
            Part::Samples(samples) => {
                if let Some(promised) = samples.promised.filter(|it| samples.come < *it) {
                    return Err(format!(
                        "its audio is cut off after {} of {promised} bytes",
                        samples.come
                    ));
                }
                if samples.come == 0 {
                    return Err("it holds no audio".to_owned());
                }
                Ok(samples.narrow.finish())
            }
        }
    }
}

impl Samples {
    fn new(format: Format, promised: Option<u64>) -> Result<Self, String> {
        Ok(Self {
            format,
            promised,
            come: 0,
            narrow: Narrow::new(format.rate)?,
        })
    }

    /// Takes whole samples out of the bytes; what follows the promised length is no audio.
    fn take(&mut self, waiting: &mut Vec<u8>) -> Vec<i16> {
        let block = self.format.encoding.width() * self.format.channels;
        let left = self.promised.map_or(u64::MAX, |all| all - self.come);
        let there = usize::try_from(left).map_or(waiting.len(), |left| left.min(waiting.len()));
        let whole = there - there % block;
        let mono: Vec<i16> = waiting[..whole]
            .chunks_exact(block)
            .map(|block| {
                let all = block.chunks_exact(self.format.encoding.width());
                let sum: i32 = all.map(|one| self.format.encoding.sample(one)).sum();
                (sum / self.format.channels as i32) as i16
            })
            .collect();
        // A promise that is no multiple of a sample is kept by its last whole one.
        let ends = self.promised.is_some() && there as u64 == left;
        self.come += if ends { there as u64 } else { whole as u64 };
        if ends {
            waiting.clear();
        } else {
            waiting.drain(..whole);
        }
        self.narrow.push(&mono)
    }
}

/// Reads a WAV's header: where the samples begin, what they are like, and how long the header
/// says they are, in bytes. Nothing while the header is not whole.
fn head(bytes: &[u8]) -> Result<Option<(usize, Format, u32)>, String> {
    let known = bytes.len().min(4);
    if bytes[..known] != b"RIFF"[..known] {
        return Err(format!("it sent no WAV: {}", beginning(bytes)));
    }
    if bytes.len() < 12 {
        return Ok(None);
    }
    if bytes[8..12] != *b"WAVE" {
        return Err("it sent no WAV: a RIFF file of another kind".to_owned());
    }
    let mut at = 12;
    let mut format = None;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        let body = at + 8;
        match &chunk[..4] {
            b"data" => {
                let format = format.ok_or("its WAV has no format before its samples")?;
                return Ok(Some((body, format, length)));
            }
            b"fmt " => {
                let Some(fields) = bytes.get(body..body + length.clamp(16, 40) as usize) else {
                    return Ok(None);
                };
                format = Some(described(fields)?);
            }
            _ => {}
        }
        if length as usize > LONGEST_HEAD {
            return Err("its WAV header has no end".to_owned());
        }
        // Chunks begin at even places.
        at = body + length as usize + (length % 2) as usize;
    }
    Ok(None)
}

/// Reads the fields of a WAV's format.
fn described(fields: &[u8]) -> Result<Format, String> {
    let short = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
    let rate = u32::from_le_bytes([fields[4], fields[5], fields[6], fields[7]]);
    let (channels, bits) = (short(2), short(14));
    let kind = match short(0) {
        // What an extensible format really is stands in its first field after the sizes.
        0xfffe if fields.len() >= 26 => short(24),
        kind => kind,
    };
    let encoding = match (kind, bits) {
        (1, 8) => Encoding::Unsigned8,
        (1, 16) => Encoding::Signed16,
        (1, 24) => Encoding::Signed24,
        (1, 32) => Encoding::Signed32,
        (3, 32) => Encoding::Float32,
        _ => {
            return Err(format!(
                "its WAV is of kind {kind} with {bits} bits, and not plain PCM"
            ));
        }
    };
    if !(1..=8).contains(&channels) {
        return Err(format!("its WAV has {channels} channels"));
    }
    if !RATES.contains(&rate) {
        return Err(format!("its sampling rate is {rate} Hz"));
    }
    Ok(Format {
        encoding,
        channels: usize::from(channels),
        rate,
    })
}

/// Shows how something that is no WAV begins, so that a page of HTML is recognised.
fn beginning(bytes: &[u8]) -> String {
    if bytes.starts_with(b"ID3") || matches!(bytes, [0xff, 0xe2..=0xff, ..]) {
        return "MP3".to_owned();
    }
    if bytes.starts_with(b"OggS") {
        return "Ogg".to_owned();
    }
    format!("it begins with {:?}", few_words(bytes))
}

/// Returns the first words of what should have been audio or tells why there is none.
pub(super) fn few_words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
    let printable: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let words = printable.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(80).collect()
}

/// Brings a stream of any rate to 8 kHz without a delay at its beginning or a loss at its end.
struct Narrow {
    /// Absent at 8 kHz.
    converter: Option<Converter>,
    rate: u64,
    /// Samples of the delay that are still to be left out.
    skip: usize,
    taken: u64,
    given: u64,
}

impl Narrow {
    fn new(rate: u32) -> Result<Self, String> {
        let converter = match rate as usize == RATE {
            true => None,
            false => Some(
                Converter::new(rate, RATE as u32)
                    .ok_or_else(|| format!("there is no way from {rate} Hz to 8000 Hz"))?,
            ),
        };
        Ok(Self {
            skip: converter.as_ref().map_or(0, Converter::delay),
            converter,
            rate: u64::from(rate),
            taken: 0,
            given: 0,
        })
    }

    fn push(&mut self, samples: &[i16]) -> Vec<i16> {
        self.taken += samples.len() as u64;
        self.convert(samples)
    }

    fn convert(&mut self, samples: &[i16]) -> Vec<i16> {
        let Some(converter) = &mut self.converter else {
            return samples.to_vec();
        };
        let mut converted = converter.push(samples);
        let skipped = self.skip.min(converted.len());
        self.skip -= skipped;
        converted.drain(..skipped);
        self.given += converted.len() as u64;
        converted
    }

    fn finish(&mut self) -> Vec<i16> {
        if self.converter.is_none() {
            return Vec::new();
        }
        let all = (self.taken * RATE as u64).div_ceil(self.rate);
        let mut rest = Vec::new();
        let silence = vec![0; (self.rate / 50) as usize];
        // Each step brings 20 ms and the delay is not much longer.
        for _ in 0..20 {
            if self.given >= all {
                break;
            }
            rest.extend(self.convert(&silence));
        }
        let over = usize::try_from(self.given.saturating_sub(all)).unwrap_or(0);
        rest.truncate(rest.len().saturating_sub(over));
        rest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::decibels;
    use super::*;

    /// Half a second of 440 Hz as a WAV of some kind; `length` overrules what the header says.
    fn wav(kind: u16, bits: u16, rate: u32, channels: u16, length: Option<u32>) -> Vec<u8> {
        let mut samples = Vec::new();
        for index in 0..rate / 2 {
            let angle = std::f32::consts::TAU * 440.0 * index as f32 / rate as f32;
            let value = angle.sin() * 8000.0;
            for _ in 0..channels {
                match (kind, bits) {
                    (3, _) => samples.extend((value / 32768.0).to_le_bytes()),
                    (_, 8) => samples.push(((value as i32 >> 8) + 128) as u8),
                    (_, 16) => samples.extend((value as i16).to_le_bytes()),
                    (_, 24) => samples.extend(&((value as i32) << 8).to_le_bytes()[..3]),
                    _ => samples.extend(((value as i32) << 16).to_le_bytes()),
                }
            }
        }
        let block = u32::from(channels) * u32::from(bits) / 8;
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt ".to_vec();
        bytes.extend(16_u32.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend((rate * block).to_le_bytes());
        bytes.extend((block as u16).to_le_bytes());
        bytes.extend(bits.to_le_bytes());
        bytes.extend(b"LIST\x03\0\0\0abc\0data");
        bytes.extend(length.unwrap_or(samples.len() as u32).to_le_bytes());
        bytes.extend(samples);
        bytes
    }

    /// Reads bytes in pieces of some size.
    fn read(bytes: &[u8], piece: usize) -> Result<Vec<i16>, String> {
        let mut reader = Reader::wav();
        let mut samples = Vec::new();
        for piece in bytes.chunks(piece) {
            samples.extend(reader.push(piece)?);
        }
        samples.extend(reader.finish()?);
        Ok(samples)
    }

    fn crossings(samples: &[i16]) -> usize {
        let pairs = samples.windows(2);
        pairs.filter(|it| (it[0] < 0) != (it[1] < 0)).count()
    }

    #[test]
    fn audio_of_every_kind_sounds_the_same_however_it_is_cut_into_pieces() {
        for (kind, bits, rate, channels) in [
            (1, 16, 8000, 1),
            (1, 16, 22_050, 1),
            (1, 16, 24_000, 2),
            (1, 24, 48_000, 2),
            (1, 8, 11_025, 1),
            (1, 32, 16_000, 1),
            (3, 32, 44_100, 6),
        ] {
            let bytes = wav(kind, bits, rate, channels, None);
            for piece in [1, 7, 1000, 1_000_000] {
                let samples = read(&bytes, piece).unwrap();
                let what = format!("{bits} bit, {rate} Hz, {channels} channels, pieces of {piece}");
                assert!(
                    samples.len().abs_diff(4000) <= 1,
                    "{what}: {}",
                    samples.len()
                );
                let heard = crossings(&samples);
                assert!(heard.abs_diff(440) <= 4, "{what}: {heard} crossings");
                let level = decibels(&samples[400..3600]);
                assert!((level + 15.3).abs() < 0.4, "{what}: {level} dBFS");
            }
        }
    }

    #[test]
    fn a_length_that_was_not_known_when_the_header_was_written_is_not_believed() {
        for length in [0, 0x7fff_f000, u32::MAX] {
            let samples = read(&wav(1, 16, 8000, 1, Some(length)), 500).unwrap();
            assert_eq!(samples.len(), 4000, "{length:x}");
        }
    }

    #[test]
    fn what_follows_the_samples_is_no_audio() {
        let mut bytes = wav(1, 16, 8000, 1, None);
        bytes.extend(b"LIST\x04\0\0\0abcd");
        assert_eq!(read(&bytes, 100).unwrap().len(), 4000);
    }

    #[test]
    fn bare_samples_need_no_header() {
        let mut reader = Reader::bare(24_000).unwrap();
        let mut samples = reader.push(&[0; 24_001]).unwrap();
        samples.extend(reader.push(&[0; 23_999]).unwrap());
        samples.extend(reader.finish().unwrap());
        assert_eq!(samples, vec![0; 8000]);
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let good = wav(1, 16, 8000, 1, None);
        let complaint = |bytes: &[u8]| read(bytes, 64).unwrap_err();
        insta::assert_snapshot!(complaint(b"<!DOCTYPE html>\n<html><title>Login</title>"), @r#"it sent no WAV: it begins with "<!DOCTYPE html> <html><title>Login</title>""#);
        insta::assert_snapshot!(complaint(b"ID3\x04 and so on"), @"it sent no WAV: MP3");
        insta::assert_snapshot!(complaint(b""), @"it sent nothing");
        insta::assert_snapshot!(complaint(&good[..30]), @"its WAV ends within the header");
        insta::assert_snapshot!(complaint(&good[..4057]), @"its audio is cut off after 4000 of 8000 bytes");
        insta::assert_snapshot!(complaint(&good[..57]), @"its audio is cut off after 0 of 8000 bytes");
        insta::assert_snapshot!(complaint(&wav(1, 16, 8000, 1, Some(0))[..56]), @"it holds no audio");
        insta::assert_snapshot!(complaint(&wav(6, 8, 8000, 1, None)), @"its WAV is of kind 6 with 8 bits, and not plain PCM");
        insta::assert_snapshot!(complaint(&wav(1, 16, 2000, 1, None)), @"its sampling rate is 2000 Hz");
    }

    proptest! {
        #[test]
        fn damaged_audio_never_panics(
            changes in prop::collection::vec((0_usize..80, any::<u8>()), 0..8),
            length in 0_usize..400,
            piece in 1_usize..100,
        ) {
            let mut bytes = wav(1, 24, 8000, 2, None);
            for (place, byte) in changes {
                bytes[place] = byte;
            }
            bytes.truncate(length);
            let _ = read(&bytes, piece);
        }
    }
}
