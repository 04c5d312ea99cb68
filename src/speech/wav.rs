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
        hound::Error::IoError(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
            "it is cut short".to_owned()
        }
        hound::Error::IoError(cause) => format!("it cannot be read to its end ({cause})"),
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
