//! A recognition with a model that takes a stream: it makes out words while the caller speaks, on
//! the thread that pushes the audio. Where a turn ends is decided by our own turn-taking.

use std::collections::VecDeque;
use std::time::Instant;

use super::library::{Stream, Streaming};
use super::{as_floats, words};
use crate::speech::rate::Converter;
use crate::speech::{RATE, Recognition, SpeechError, Told, Transcript};
use crate::words::Language;

/// Silence pushed behind a turn, so that what the model sees ahead of a moment is there: 500 ms.
const BEHIND: usize = RATE / 2;

pub(super) struct Streamed {
    model: Streaming,
    language: Language,
    rate: u32,
    stream: Stream,
    converter: Option<Converter>,
    /// The words so far, as last told.
    told: String,
    /// Whether nothing came since the words so far were looked at.
    looked: bool,
    /// Turns that are over and not told yet.
    done: VecDeque<Transcript>,
}

impl Streamed {
    pub(super) fn open(
        model: Streaming,
        language: Language,
        rate: u32,
    ) -> Result<Self, SpeechError> {
        let failed = |reason: &str| SpeechError::Recogniser {
            language,
            reason: reason.to_owned(),
        };
        let converter = match rate == RATE as u32 {
            true => None,
            false => Some(
                Converter::new(RATE as u32, rate)
                    .ok_or_else(|| failed("its model's sampling rate cannot be reached"))?,
            ),
        };
        Ok(Self {
            stream: model
                .open()
                .ok_or_else(|| failed("sherpa-onnx opened no stream"))?,
            model,
            language,
            rate,
            converter,
            told: String::new(),
            looked: true,
            done: VecDeque::new(),
        })
    }

    fn fault(&self, reason: impl Into<String>) -> SpeechError {
        SpeechError::Recogniser {
            language: self.language,
            reason: reason.into(),
        }
    }

    fn feed(&mut self, samples: &[i16]) {
        let converted = self.converter.as_mut().map(|it| it.push(samples));
        self.stream.push(
            &as_floats(converted.as_deref().unwrap_or(samples)),
            self.rate,
        );
    }

    fn words(&mut self) -> Result<Transcript, SpeechError> {
        let json = self.stream.result();
        words::read(&json).map_err(|reason| self.fault(reason))
    }
}

impl Recognition for Streamed {
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        self.looked = false;
        self.feed(samples);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        self.feed(&[0; BEHIND]);
        self.stream.finish();
        let transcript = self.words()?;
        self.done.push_back(transcript);
        self.stream = self
            .model
            .open()
            .ok_or_else(|| self.fault("sherpa-onnx opened no stream"))?;
        self.told.clear();
        self.looked = true;
        Ok(())
    }

    fn told(&mut self, _now: Instant) -> Result<Option<Told>, SpeechError> {
        if let Some(transcript) = self.done.pop_front() {
            return Ok(Some(Told::Final(transcript)));
        }
        if std::mem::replace(&mut self.looked, true) {
            return Ok(None);
        }
        let text = self.words()?.text;
        if text == self.told {
            return Ok(None);
        }
        self.told.clone_from(&text);
        Ok(Some(Told::Partial(text)))
    }
}
