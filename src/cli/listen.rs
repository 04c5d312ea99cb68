//! `hotline listen`: what the configured recognisers make of recordings.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::stop::FAILED;
use super::{Stop, engines};
use crate::dialog::Expect;
use crate::speech::{Asked, Audition, Recogniser, Tempo, audition, wav};
use crate::words::Language;

/// Lets the configured recognisers hear WAV files, each as one turn of a caller.
///
/// Any sampling rate will do: the engines hear 8 kHz, as on the telephone. Exits 1 when an engine or a
/// file fails.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The recordings
    #[arg(required = true, value_name = "FILE.wav")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    engines: engines::Chosen,
    /// The kind of answer: intent, choice, yes_no, digits, phone, date, time, text
    #[arg(long, value_name = "KIND", default_value = "text", value_parser = engines::expect)]
    expect: Expect,
    /// A word or phrase that is likely; may be given several times
    #[arg(long = "hint", value_name = "PHRASE")]
    hints: Vec<String>,
    /// Play at a caller's pace, 20 ms every 20 ms, and not as fast as the engine takes it
    #[arg(long)]
    pace: bool,
    /// Show the words so far as well
    #[arg(long)]
    partials: bool,
    /// One JSON object per file and engine
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let opened = self.engines.open(config)?;
        let mut code = opened.complain()?;
        let asked = Asked {
            expect: self.expect,
            hints: self.hints.clone(),
            ..Asked::anything()
        };
        let tempo = if self.pace {
            Tempo::Caller
        } else {
            Tempo::Engine
        };
        for file in &self.files {
            let samples: Arc<[i16]> = match wav::read(file) {
                Ok(samples) => samples.into(),
                Err(error) => {
                    writeln!(io::stderr(), "{error}")?;
                    code = FAILED;
                    continue;
                }
            };
            for recogniser in &opened.recognisers {
                match audition(recogniser.as_ref(), &asked, &samples, tempo) {
                    Ok(heard) => self.show(file, recogniser.as_ref(), &heard, out)?,
                    Err(error) => {
                        writeln!(io::stderr(), "{}: {error}", file.display())?;
                        code = FAILED;
                    }
                }
            }
        }
        Ok(code)
    }

    fn show(
        &self,
        file: &Path,
        recogniser: &dyn Recogniser,
        heard: &Audition,
        out: &mut dyn Write,
    ) -> Result<(), Stop> {
        let (name, language) = (recogniser.name(), recogniser.language());
        if self.json {
            writeln!(out, "{}", of_json(file, name, language, heard))?;
            return Ok(());
        }
        let seconds = |duration: Duration| duration.as_secs_f32();
        if self.partials {
            for (played, text) in &heard.partials {
                writeln!(out, "  {:6.2} s  … {text}", seconds(*played))?;
            }
        }
        writeln!(
            out,
            "{}: {language}, {name}: {:?}, confidence {:.2}",
            file.display(),
            heard.transcript.text,
            heard.transcript.confidence
        )?;
        let words: Vec<String> = heard
            .transcript
            .words
            .iter()
            .map(|word| format!("{:.2} {}", seconds(word.start), word.text))
            .collect();
        if !words.is_empty() {
            writeln!(out, "  words at     {}", words.join(" · "))?;
        }
        writeln!(
            out,
            "  {:.2} s of audio in {:.3} s; the words came {:.0} ms after the end",
            seconds(heard.length),
            seconds(heard.took),
            seconds(heard.answer) * 1000.0
        )?;
        Ok(())
    }
}

fn of_json(file: &Path, name: &str, language: Language, heard: &Audition) -> serde_json::Value {
    let words: Vec<_> = heard
        .transcript
        .words
        .iter()
        .map(|word| {
            json!({
                "word": word.text,
                "start": word.start.as_secs_f32(),
                "end": word.end.as_secs_f32(),
                "confidence": word.confidence,
            })
        })
        .collect();
    json!({
        "file": file,
        "engine": name,
        "language": language,
        "text": heard.transcript.text,
        "confidence": heard.transcript.confidence,
        "words": words,
        "seconds": heard.length.as_secs_f32(),
        "took_seconds": heard.took.as_secs_f32(),
        "answer_seconds": heard.answer.as_secs_f32(),
    })
}
