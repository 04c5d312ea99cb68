//! WAV files: read as whatever people record, written as 8 kHz, 16 bit, mono, and written so that
//! a file is either whole and on the disk or not there at all.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler};

use super::RATE;

/// The longest WAV that is read, in bytes: half an hour of 48 kHz stereo.
const LARGEST: u64 = 350_000_000;

/// The sampling rates that are understood, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// Why a WAV file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// The file is not there, cannot be opened, or cannot be written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {reason}; save it again as WAV, 16 bit PCM, for example 8000 Hz mono")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads a WAV file of any sampling rate and number of channels as 8 kHz mono. It blocks.
///
/// # Errors
/// When the file cannot be read, is damaged or cut short, is not 16 bit PCM, or is empty.
pub fn read(path: &Path) -> Result<Vec<i16>, WavError> {
    let file_error = |source| WavError::File {
        path: path.to_owned(),
        source,
    };
    let unfit = |reason: String| WavError::Unfit {
        path: path.to_owned(),
        reason,
    };
    let file = File::open(path).map_err(file_error)?;
    let metadata = file.metadata().map_err(file_error)?;
    if !metadata.is_file() {
        return Err(unfit("it is a folder or a device, not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(file_error)?;
    if bytes.len() as u64 > LARGEST {
        return Err(unfit(format!(
            "it is larger than {} MB",
            LARGEST / 1_000_000
        )));
    }
    decode(&bytes).map_err(unfit)
}

/// Reads a WAV file held in memory.
///
/// # Errors
/// In words, what is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Vec<i16>, String> {
    let reader = WavReader::new(Cursor::new(bytes)).map_err(|error| describe(&error))?;
    let spec = reader.spec();
    if spec.sample_format != SampleFormat::Int || spec.bits_per_sample != 16 {
        let format = if spec.sample_format == SampleFormat::Int {
            "integer"
        } else {
            "float"
        };
        return Err(format!(
            "it has {} bit {format} samples",
            spec.bits_per_sample
        ));
    }
    if !RATES.contains(&spec.sample_rate) {
        return Err(format!("its sampling rate is {} Hz", spec.sample_rate));
    }
    let channels = usize::from(spec.channels.max(1));
    let samples: Vec<i16> = reader
        .into_samples()
        .collect::<Result<_, _>>()
        .map_err(|error| describe(&error))?;
    if samples.is_empty() {
        return Err("it holds no audio".to_owned());
    }
    let mono: Vec<i16> = if channels == 1 {
        samples
    } else {
        samples
            .chunks(channels)
            .map(|all| (all.iter().map(|&s| i32::from(s)).sum::<i32>() / all.len() as i32) as i16)
            .collect()
    };
    resample(&mono, spec.sample_rate as usize)
}

fn describe(error: &hound::Error) -> String {
    match error {
        // The bytes are in memory already, so the only thing to go wrong is that they end.
        hound::Error::IoError(_) => "it is cut short".to_owned(),
        hound::Error::FormatError(what) => format!("it is no WAV file ({what})"),
        hound::Error::Unsupported => "its encoding is not plain PCM".to_owned(),
        other => other.to_string(),
    }
}

/// Brings samples of a sampling rate in Hz to 8 kHz, without aliases.
pub(super) fn resample(samples: &[i16], rate: usize) -> Result<Vec<i16>, String> {
    if rate == RATE || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let floats: Vec<f32> = samples
        .iter()
        .map(|&sample| f32::from(sample) / 32768.0)
        .collect();
    let count = floats.len();
    let words = |error: &dyn std::fmt::Display| format!("it cannot be resampled ({error})");
    let input = InterleavedOwned::new_from(floats, 1, count).map_err(|error| words(&error))?;
    let mut resampler =
        Fft::<f32>::new(rate, RATE, 1024, 1, FixedSync::Both).map_err(|error| words(&error))?;
    let output = resampler
        .process_all(&input, count, None)
        .map_err(|error| words(&error))?;
    // A cast saturates, so what overshoots is clipped and does not wrap.
    Ok(output
        .take_data()
        .iter()
        .map(|&sample| (sample * 32768.0).round() as i16)
        .collect())
}

/// Makes a WAV file of 8 kHz mono samples in memory.
pub fn encode(samples: &[i16]) -> Vec<u8> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::with_capacity(44 + 2 * samples.len()));
    let written = WavWriter::new(&mut bytes, spec).and_then(|mut writer| {
        for &sample in samples {
            writer.write_sample(sample)?;
        }
        writer.finalize()
    });
    debug_assert!(written.is_ok(), "writing to memory cannot fail below 4 GB");
    bytes.into_inner()
}

/// Writes 8 kHz mono samples so that the file is whole and on the disk when this returns, and
/// never seen half written. The folder is made where it is missing. It blocks.
///
/// # Errors
/// When the folder or the file cannot be written, or the disk is full.
pub fn write(path: &Path, samples: &[i16]) -> Result<(), WavError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let file_error = |source| WavError::File {
        path: path.to_owned(),
        source,
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(file_error)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let part = folder.join(format!(".{name}.{}.{number}.part", std::process::id()));
    let written = File::create(&part)
        .and_then(|mut file| {
            file.write_all(&encode(samples))?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&part, path))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(&part);
    }
    written.map_err(file_error)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::{decibels, tone};
    use super::*;

    /// A WAV of a 440 Hz tone at any rate and number of channels.
    fn recording(rate: u32, channels: u16, bits: u16) -> Vec<u8> {
        let spec = WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: bits,
            sample_format: SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for index in 0..rate / 2 {
            let angle = std::f32::consts::TAU * 440.0 * index as f32 / rate as f32;
            for _ in 0..channels {
                writer
                    .write_sample((angle.sin() * 8000.0) as i32 >> (16 - bits))
                    .unwrap();
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn crossings(samples: &[i16]) -> usize {
        samples
            .windows(2)
            .filter(|pair| (pair[0] < 0) != (pair[1] < 0))
            .count()
    }

    #[test]
    fn recordings_of_any_rate_and_number_of_channels_sound_the_same() {
        for (rate, channels) in [
            (8000, 1),
            (11_025, 1),
            (16_000, 2),
            (22_050, 1),
            (44_100, 2),
            (48_000, 6),
            (192_000, 1),
        ] {
            let samples = decode(&recording(rate, channels, 16)).unwrap();
            assert!(
                samples.len().abs_diff(4000) <= 1,
                "{rate} Hz: {} samples",
                samples.len()
            );
            assert!(
                crossings(&samples).abs_diff(440) <= 2,
                "{rate} Hz: {}",
                crossings(&samples)
            );
            let level = decibels(&samples[400..3600]);
            assert!((level + 15.3).abs() < 0.3, "{rate} Hz: {level} dBFS");
        }
    }

    #[test]
    fn what_a_telephone_cannot_carry_is_left_out_and_not_folded_down() {
        let high: Vec<i16> = (0..24_000)
            .map(|i| {
                ((std::f32::consts::TAU * 6000.0 * i as f32 / 48_000.0).sin() * 16_000.0) as i16
            })
            .collect();
        let samples = resample(&high, 48_000).unwrap();
        assert!(
            decibels(&samples[400..3600]) < -60.0,
            "{}",
            decibels(&samples[400..3600])
        );
    }

    #[test]
    fn a_full_scale_recording_does_not_wrap() {
        let square: Vec<i16> = (0..44_100)
            .map(|i| if i / 50 % 2 == 0 { i16::MAX } else { i16::MIN })
            .collect();
        let samples = resample(&square, 44_100).unwrap();
        let jumps = samples
            .windows(2)
            .filter(|p| p[0].abs_diff(p[1]) > 50_000)
            .count();
        assert!(jumps <= 882, "{jumps} jumps for 882 edges");
    }

    #[test]
    fn what_is_written_is_read_back_sample_for_sample() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/beep.wav");
        let beep = tone(440.0, Duration::from_millis(200));
        write(&path, &beep).unwrap();
        write(&path, &beep).unwrap();
        assert_eq!(read(&path).unwrap(), beep);
        let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1, "no parts are left behind: {names:?}");
    }

    #[test]
    fn unfit_files_are_named_with_what_is_wrong_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let complaint = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            let message = read(&path).unwrap_err().to_string();
            message.replace(&format!("{}/", folder.path().display()), "")
        };
        let good = encode(&[1; 100]);
        insta::assert_snapshot!(complaint("mp3.wav", b"ID3 something"), @"mp3.wav: it is no WAV file (no RIFF tag found); save it again as WAV, 16 bit PCM, for example 8000 Hz mono");
        insta::assert_snapshot!(complaint("empty.wav", b""), @"empty.wav: it is cut short; save it again as WAV, 16 bit PCM, for example 8000 Hz mono");
        insta::assert_snapshot!(complaint("cut.wav", &good[..200]), @"cut.wav: it is cut short; save it again as WAV, 16 bit PCM, for example 8000 Hz mono");
        insta::assert_snapshot!(complaint("silent.wav", &encode(&[])), @"silent.wav: it holds no audio; save it again as WAV, 16 bit PCM, for example 8000 Hz mono");
        insta::assert_snapshot!(complaint("eight.wav", &recording(8000, 1, 8)), @"eight.wav: it has 8 bit integer samples; save it again as WAV, 16 bit PCM, for example 8000 Hz mono");
        insta::assert_snapshot!(complaint("slow.wav", &recording(2000, 1, 16)), @"slow.wav: its sampling rate is 2000 Hz; save it again as WAV, 16 bit PCM, for example 8000 Hz mono");
    }

    #[test]
    fn a_folder_or_a_missing_file_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("it is a folder"), "{error}");
        let error = read(&folder.path().join("absent.wav"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("absent.wav: No such file"), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("x"), "").unwrap();
        assert!(write(&path, &[1, 2, 3]).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    proptest! {
        #[test]
        fn damaged_files_never_panic(
            changes in prop::collection::vec((0_usize..300, any::<u8>()), 0..8),
            length in 0_usize..300,
        ) {
            let mut bytes = recording(8000, 1, 16);
            bytes.truncate(300);
            for (place, byte) in changes {
                bytes[place] = byte;
            }
            bytes.truncate(length);
            let _ = decode(&bytes);
        }
    }
}
