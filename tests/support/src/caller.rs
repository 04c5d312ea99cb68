//! The voices of callers: text spoken by espeak-ng, ready to be played into a call.
//!
//! Synthetic voices are easier than people; they show that the chain works, not how well it
//! understands.

use std::collections::HashMap;
use std::f64::consts::PI;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::cache;
use crate::tone::RATE;

/// Words a minute, as people speak on the telephone.
const SPEED: &str = "160";

type Spoken = HashMap<(String, String), Arc<Vec<i16>>>;

static SPOKEN: LazyLock<Mutex<Spoken>> = LazyLock::new(Mutex::default);

/// Speaks Danish: 8000 samples a second.
pub fn danish(text: &str) -> Result<Arc<Vec<i16>>> {
    speak("da", text)
}

/// Speaks Danish as a wideband phone sends it: 16,000 samples a second.
pub fn wide_danish(text: &str) -> Result<Vec<i16>> {
    let (samples, rate) = synthesise("da", text)?;
    Ok(resample(&samples, rate, 2 * RATE))
}

/// Returns a recording of a person by its name below the folder `people`, such as
/// `alsa/Front_Left`: 8000 samples a second.
pub fn person(name: &str) -> Result<Vec<i16>> {
    let file = cache::pocketsphinx()?.join(format!("people/{name}.wav"));
    let mut reader =
        hound::WavReader::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let rate = reader.spec().sample_rate;
    let samples = reader.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
    Ok(resample(&samples, rate, RATE))
}

/// Speaks British English: 8000 samples a second.
pub fn english(text: &str) -> Result<Arc<Vec<i16>>> {
    speak("en-gb", text)
}

/// Speaks in a voice of espeak-ng, such as `da` or `en-gb+f2`: 8000 samples a second.
pub fn speak(voice: &str, text: &str) -> Result<Arc<Vec<i16>>> {
    let key = (voice.to_owned(), text.to_owned());
    if let Some(samples) = spoken().get(&key) {
        return Ok(Arc::clone(samples));
    }
    let (wide, rate) = synthesise(voice, text)?;
    let samples = Arc::new(resample(&wide, rate, RATE));
    spoken().insert(key, Arc::clone(&samples));
    Ok(samples)
}

/// Reads a recording: 8000 samples a second.
pub fn recorded(file: &Path) -> Result<Vec<i16>> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (samples, rate) = wav(bytes).with_context(|| format!("{} is no WAV", file.display()))?;
    Ok(resample(&samples, rate, RATE))
}

fn spoken() -> std::sync::MutexGuard<'static, Spoken> {
    SPOKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn synthesise(voice: &str, text: &str) -> Result<(Vec<i16>, u32)> {
    let program = cache::espeak()?;
    // The text goes in by standard input, where a leading dash is no option.
    let mut child = Command::new(&program)
        .args(["-v", voice, "-s", SPEED, "-b", "1", "--stdin", "--stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let mut input = child.stdin.take().context("no standard input")?;
    let text = text.to_owned();
    let writer = thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    let _ = writer.join();
    if !output.status.success() {
        bail!(
            "{} -v {voice} failed ({})",
            program.display(),
            output.status
        );
    }
    wav(output.stdout).with_context(|| format!("{} -v {voice} spoke no WAV", program.display()))
}

/// Reads the WAV of a program that could not know its length when it wrote the head.
fn wav(mut bytes: Vec<u8>) -> Result<(Vec<i16>, u32)> {
    let length = bytes.len();
    let position = bytes
        .windows(4)
        .position(|word| word == b"data")
        .context("no data chunk")?;
    let real = u32::try_from(length.saturating_sub(position + 8))?;
    if let Some(field) = bytes.get_mut(position + 4..position + 8) {
        field.copy_from_slice(&(real & !1).to_le_bytes());
    }
    let whole = u32::try_from(length - 8)?;
    if let Some(field) = bytes.get_mut(4..8) {
        field.copy_from_slice(&whole.to_le_bytes());
    }
    let mut reader = hound::WavReader::new(Cursor::new(bytes))?;
    let rate = reader.spec().sample_rate;
    let samples = reader.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
    if samples.is_empty() {
        bail!("no samples");
    }
    Ok((samples, rate))
}

/// Changes the sample rate by a windowed sinc, which keeps what fits under the new rate.
pub fn resample(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    const REACH: f64 = 16.0;
    if from == to || samples.is_empty() {
        return samples.to_vec();
    }
    let step = f64::from(from) / f64::from(to);
    // Cut a little below half the lower rate.
    let cut = 0.92 * (1.0f64).min(1.0 / step);
    let reach = REACH / cut;
    let count = (samples.len() as f64 / step) as usize;
    (0..count)
        .map(|n| {
            let centre = n as f64 * step;
            let first = (centre - reach).ceil().max(0.0) as usize;
            let last = ((centre + reach).floor() as usize).min(samples.len() - 1);
            let sum: f64 = samples[first..=last]
                .iter()
                .enumerate()
                .map(|(offset, &sample)| {
                    let distance = (first + offset) as f64 - centre;
                    let x = PI * distance * cut;
                    let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
                    let window = 0.5 + 0.5 * (PI * distance / reach).cos();
                    f64::from(sample) * sinc * window * cut
                })
                .sum();
            sum.round().clamp(-32768.0, 32767.0) as i16
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone;

    #[test]
    fn a_tone_keeps_its_pitch_and_what_does_not_fit_is_gone() {
        let wide = |frequency: f64| -> Vec<i16> {
            (0..22_050)
                .map(|n| ((f64::from(n) * 2.0 * PI * frequency / 22_050.0).sin() * 16_000.0) as i16)
                .collect()
        };
        let kept = resample(&wide(1000.0), 22_050, 8000);
        assert_eq!(kept.len(), 8000);
        assert!(tone::share(&kept[800..7200], 1000.0) > 0.99);
        let gone = resample(&wide(6000.0), 22_050, 8000);
        assert!(tone::level(&gone[800..7200]) < -45.0);
    }

    #[test]
    fn danish_and_english_are_spoken() {
        for spoken in [danish("goddag"), english("good morning"), speak("da", "-v")] {
            let samples = match spoken {
                Ok(samples) => samples,
                Err(error) if std::env::var_os("CI").is_none() => {
                    eprintln!("skipped: {error:#}");
                    return;
                }
                Err(error) => panic!("{error:#}"),
            };
            assert!(samples.len() > 2000);
            assert!(tone::level(&samples) > -40.0);
        }
    }
}
