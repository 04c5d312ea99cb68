//! `hotline score`: how often the configured recognisers are right, and how fast they are, on a
//! folder of recordings with transcripts.

mod sheet;
mod tally;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::json;

use super::stop::FAILED;
use super::{Stop, engines, open};
use crate::dialog::{Expect, Playbook, hear};
use crate::speech::{Asked, Audition, Recogniser, Tempo, audition, wav};
use sheet::Sheet;
use tally::Tally;

/// Recordings with mistakes that are shown unless all are wanted.
const SHOWN: usize = 20;

/// Measures the configured recognisers on recordings: word error rate, intents and answers, latency.
///
/// Every NAME.wav under DIR with a NAME.txt beside it is heard. The first line of the text is what is
/// said; lines such as `language: en`, `expect: digits`, `answer: 4270` and `intent: department.tax`
/// may follow. A folder called `da` or `en` gives its language. Exits 1 when an engine or a file fails.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of recordings
    #[arg(value_name = "DIR")]
    recordings: PathBuf,
    #[command(flatten)]
    engines: engines::Chosen,
    /// Whose intents and words count [default: the first tenant]
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    flows: open::FlowsFolder,
    /// The day from which answers such as "tomorrow" are counted [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// Play at a caller's pace: the latency is then what a caller would feel
    #[arg(long)]
    pace: bool,
    /// Show every recording, not only those with mistakes
    #[arg(long)]
    all: bool,
    /// One JSON object per recording and engine, and one for each engine's sum
    #[arg(long)]
    json: bool,
}

/// What one engine made of one recording.
struct Scored<'a> {
    sheet: &'a Sheet,
    heard: Audition,
    errors: usize,
    words: usize,
    /// Whether what was meant was understood, where the sheet says what that is.
    understood: Option<bool>,
    meaning: Option<String>,
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let library = open::library(self.flows.folder.as_deref(), config)?.whole()?;
        let playbook = open::playbook(&library, self.tenant.as_deref())?;
        let sheets = sheet::read(&self.recordings, playbook.first_language())?;
        let opened = self.engines.open(config)?;
        let mut code = opened.complain()?;
        let today = self.on.unwrap_or_else(|| {
            jiff::Zoned::now()
                .with_time_zone(playbook.zone.clone())
                .date()
        });
        let tempo = if self.pace {
            Tempo::Caller
        } else {
            Tempo::Engine
        };
        for recogniser in &opened.recognisers {
            let mut tally = Tally::new(recogniser.name(), recogniser.language());
            let mut shown = 0;
            for sheet in sheets
                .iter()
                .filter(|sheet| sheet.language == recogniser.language())
            {
                let heard = match play(recogniser.as_ref(), sheet, &playbook, tempo) {
                    Ok(heard) => heard,
                    Err(error) => {
                        writeln!(io::stderr(), "{}: {error}", sheet.recording.display())?;
                        code = FAILED;
                        continue;
                    }
                };
                let scored = judge(sheet, heard, &playbook, today);
                tally.count(
                    &scored.heard,
                    scored.errors,
                    scored.words,
                    scored.understood,
                );
                let wrong = scored.errors > 0 || scored.understood == Some(false);
                if self.json {
                    writeln!(out, "{}", scored.to_json(recogniser.as_ref()))?;
                } else if self.all || (wrong && shown < SHOWN) {
                    shown += 1;
                    scored.show(out)?;
                }
            }
            if tally.is_empty() {
                continue;
            }
            if self.json {
                writeln!(out, "{}", tally.to_json())?;
            } else {
                writeln!(out, "{tally}")?;
            }
        }
        Ok(code)
    }
}

fn play(
    recogniser: &dyn Recogniser,
    sheet: &Sheet,
    playbook: &Playbook,
    tempo: Tempo,
) -> Result<Audition, String> {
    let samples: Arc<[i16]> = wav::read(&sheet.recording)
        .map_err(|error| error.to_string())?
        .into();
    // As a call does: what a caller may want is asked without hints.
    let asked = Asked {
        expect: sheet.expect,
        vocabulary: playbook
            .phrases()
            .get(&sheet.language)
            .cloned()
            .unwrap_or_default(),
        ..Asked::anything()
    };
    audition(recogniser, &asked, &samples, tempo).map_err(|error| error.to_string())
}

/// Compares what was heard with what was said and meant.
fn judge<'a>(sheet: &'a Sheet, heard: Audition, playbook: &Playbook, today: Date) -> Scored<'a> {
    let (errors, words) = tally::word_errors(&sheet.said, &heard.transcript.text);
    let meaning = meaning(sheet, &heard.transcript.text, playbook, today);
    let understood = sheet
        .meant
        .as_ref()
        .map(|meant| Some(meant) == meaning.as_ref());
    Scored {
        sheet,
        heard,
        errors,
        words,
        understood,
        meaning,
    }
}

/// Returns what Hotline would take the words for.
fn meaning(sheet: &Sheet, text: &str, playbook: &Playbook, today: Date) -> Option<String> {
    let language = sheet.language;
    match sheet.expect {
        Expect::YesNo => hear::yes_no(text, language).map(|it| {
            let word = if it.value { "yes" } else { "no" };
            word.to_owned()
        }),
        Expect::Digits => hear::digits(text, language).map(|it| it.value),
        Expect::Phone => hear::phone(text, language).map(|it| it.value.e164().to_owned()),
        Expect::Date => hear::date(text, language, today).map(|it| it.value.to_string()),
        Expect::Time => hear::time(text, language, hear::Daytime::default())
            .map(|it| it.value.strftime("%H:%M").to_string()),
        Expect::Intent => playbook
            .understand(text, language)
            .best()
            .map(|best| best.intent.to_string()),
        Expect::Choice | Expect::Text => None,
    }
}

impl Scored<'_> {
    fn show(&self, out: &mut dyn Write) -> Result<(), Stop> {
        writeln!(out, "{}", self.sheet.recording.display())?;
        writeln!(out, "  said   {}", self.sheet.said)?;
        writeln!(out, "  heard  {}", self.heard.transcript.text)?;
        if let Some(meant) = &self.sheet.meant {
            let meaning = self.meaning.as_deref().unwrap_or("nothing");
            writeln!(out, "  meant  {meant}, taken for {meaning}")?;
        }
        Ok(())
    }

    fn to_json(&self, recogniser: &dyn Recogniser) -> serde_json::Value {
        json!({
            "recording": self.sheet.recording,
            "engine": recogniser.name(),
            "language": recogniser.language(),
            "said": self.sheet.said,
            "heard": self.heard.transcript.text,
            "confidence": self.heard.transcript.confidence,
            "words": self.words,
            "errors": self.errors,
            "meant": self.sheet.meant,
            "taken_for": self.meaning,
            "answer_seconds": self.heard.answer.as_secs_f32(),
            "took_seconds": self.heard.took.as_secs_f32(),
        })
    }
}
