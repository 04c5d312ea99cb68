//! `hotline say`: what the configured voices make of a text, as a WAV file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Runtime;

use super::Stop;
use crate::config::Config;
use crate::dialog::spoken;
use crate::speech::script::Script;
use crate::speech::{FRAME, Prompt, RATE, Source, Voice, wav};
use crate::words::Language;

/// The time of one frame.
const TICK: Duration = Duration::from_millis(20);

/// Speaks a text as callers would hear it, into a WAV file of 8000 Hz.
///
/// Tells which voice spoke, when the first audio was there, and whether it had been recorded or
/// kept before. Exits 1 when no voice can say it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The text; one that begins with `<speak>` is SSML
    text: String,
    /// The file to write
    #[arg(long, short, value_name = "FILE.wav")]
    output: PathBuf,
    /// The language
    #[arg(long, short, value_name = "LANGUAGE", default_value = "da")]
    language: Language,
    /// Only this voice of the language, made anew: its engine, such as piper, or its place in the
    /// list, from 0
    #[arg(long, value_name = "NAME")]
    engine: Option<String>,
    /// Take the audio no faster than it is played, and tell for how long it ran dry
    #[arg(long)]
    play_rate: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// How saying it went.
struct Spoken {
    source: Option<Source>,
    first: Duration,
    all: Duration,
    /// How long a caller would have waited in the middle, where that was tried.
    dry: Option<Duration>,
    samples: usize,
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let mut config = Config::load(config)?.speech;
        let language = self.language;
        Script::read(&self.text, |text| spoken(text, language))
            .map_err(|error| Stop::usage(error.to_string(), "correct the text, then try again"))?;
        let voice = match &self.engine {
            None => Voice::new(&config),
            Some(wanted) => {
                // What that very engine makes of it is asked for.
                config.prompts.clear();
                config.cache = Some("/dev/null/prompts".into());
                Voice::with(&config, |it, place, name| {
                    it == language && (name == wanted || *wanted == place.to_string())
                })
            }
        };
        let there = config.voices.get(&language).map_or(0, Vec::len);
        if there == 0 || (voice.fault().is_some() && voice.faults().is_empty()) {
            return Err(Stop::usage(
                match &self.engine {
                    Some(wanted) => format!("speech.voices.{language} has no voice {wanted:?}"),
                    None => format!("speech.voices.{language} names no voice"),
                },
                "name one there (see docs/speech.md), or choose another --language or --engine",
            ));
        }
        let runtime = Runtime::new()?;
        let (spoken, samples) = runtime.block_on(self.speak(&voice)).map_err(|error| {
            Stop::failed(error.to_string(), "`hotline doctor` tries every voice")
        })?;
        wav::write(&self.output, &samples)
            .map_err(|error| Stop::failed(error.to_string(), "name another file with --output"))?;
        self.show(&spoken, out)?;
        Ok(0)
    }

    async fn speak(
        &self,
        voice: &Voice,
    ) -> Result<(Spoken, std::sync::Arc<[i16]>), std::sync::Arc<crate::speech::SpeechError>> {
        let began = Instant::now();
        let prompt = voice.say(&self.text, self.language).await?;
        let first = began.elapsed();
        let dry = match self.play_rate {
            true => Some(play(&prompt).await),
            false => None,
        };
        let samples = prompt.all().await?;
        let spoken = Spoken {
            source: prompt.source(),
            first,
            all: began.elapsed(),
            dry,
            samples: samples.len(),
        };
        Ok((spoken, samples))
    }

    fn show(&self, spoken: &Spoken, out: &mut dyn Write) -> Result<(), Stop> {
        let (engine, cached) = match &spoken.source {
            Some(Source::Recorded(path)) => (path.display().to_string(), "recorded"),
            Some(Source::Kept { engine, .. }) => (engine.clone(), "kept"),
            Some(Source::Made { engine, .. }) => (engine.clone(), "made"),
            Some(Source::Tone) | None => (String::new(), "made"),
        };
        let place = match spoken.source {
            Some(Source::Kept { rank, .. } | Source::Made { rank, .. }) => Some(rank),
            _ => None,
        };
        let length = spoken.samples as f64 / RATE as f64;
        let file = self.output.display();
        if self.json {
            let whole = json!({
                "file": self.output,
                "language": self.language,
                "engine": engine,
                "place": place,
                "source": cached,
                "first_audio_seconds": spoken.first.as_secs_f64(),
                "all_seconds": spoken.all.as_secs_f64(),
                "dry_seconds": spoken.dry.map(|it| it.as_secs_f64()),
                "seconds": length,
            });
            writeln!(out, "{whole}")?;
            return Ok(());
        }
        let from = match cached {
            "recorded" => format!("the recording {engine}"),
            "kept" => format!("{engine}, made earlier and kept"),
            _ => format!("{engine}, made now"),
        };
        writeln!(
            out,
            "{file}: {length:.2} s at {RATE} Hz in {}",
            self.language
        )?;
        writeln!(out, "  from {from}")?;
        writeln!(
            out,
            "  first audio after {:.0} ms, all after {:.0} ms",
            spoken.first.as_secs_f64() * 1000.0,
            spoken.all.as_secs_f64() * 1000.0
        )?;
        if let Some(dry) = spoken.dry {
            writeln!(
                out,
                "  played at a caller's pace it ran dry for {} ms",
                dry.as_millis()
            )?;
        }
        Ok(())
    }
}

/// Plays a prompt as a call does, and returns for how long there was nothing to play.
async fn play(prompt: &Prompt) -> Duration {
    let mut ticks = tokio::time::interval(TICK);
    let (mut at, mut dry) = (0, Duration::ZERO);
    loop {
        ticks.tick().await;
        let (there, over) = prompt.there(at);
        if there >= FRAME || (over && there > 0) {
            at += there.min(FRAME);
        } else if over {
            return dry;
        } else {
            dry += TICK;
        }
    }
}
