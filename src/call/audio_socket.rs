//! An AudioSocket connection as a [`Line`]: µ-law sent by mistake is expanded, wideband is brought
//! to 8 kHz and answered in kind.

use std::time::Instant;

use async_trait::async_trait;
use audiosocket::mulaw::MulawWatch;
use audiosocket::stream::Offer;
use audiosocket::{Frame, FrameReader, FrameWriter, Rate, Session};
use tokio::sync::watch;

use super::line::{FRAME, FromCaller, Line, LineIn, LineOut, Pace};
use crate::speech::rate::Converter;
use crate::words::Key;

/// Makes a line of a connection that has said its id.
pub fn line(session: Session) -> Line {
    let (reader, writer) = session.split();
    let (kind, answer_in) = watch::channel(Rate::Hz8000);
    let from_caller = Ears {
        reader,
        mulaw: MulawWatch::new(),
        start: Instant::now(),
        kind,
        converter: None,
        warned: false,
    };
    let to_caller = Mouth {
        writer,
        answer_in,
        rate: Rate::Hz8000,
        converter: None,
    };
    Line {
        from_caller: Box::new(from_caller),
        to_caller: Box::new(to_caller),
        pace: Pace::Clock,
    }
}

struct Ears {
    reader: FrameReader,
    mulaw: MulawWatch,
    start: Instant,
    kind: watch::Sender<Rate>,
    converter: Option<Converter>,
    warned: bool,
}

#[async_trait]
impl LineIn for Ears {
    async fn next(&mut self) -> FromCaller {
        loop {
            match self.reader.next().await {
                Ok(Some(Frame::Audio(audio))) => {
                    if self.mulaw.observe(&audio, self.start.elapsed()) && !self.warned {
                        self.warned = true;
                        tracing::warn!(
                            "Asterisk sends µ-law as linear audio: write \
                             Dial(AudioSocket/HOST:PORT/UUID/c(slin)) in the dialplan"
                        );
                    }
                    let audio = self.mulaw.linear(audio, self.start.elapsed());
                    return FromCaller::Audio(self.narrow(audio.rate, audio.samples().collect()));
                }
                Ok(Some(Frame::Dtmf(digit))) => {
                    if let Some(key) = Key::new(digit.as_char()) {
                        return FromCaller::Key(key);
                    }
                }
                Ok(Some(Frame::Id(_) | Frame::Error(_))) => {}
                Ok(Some(Frame::Hangup) | None) => return FromCaller::Gone,
                Err(error) => {
                    tracing::warn!("AudioSocket connection ended: {error}");
                    return FromCaller::Gone;
                }
            }
        }
    }
}

impl Ears {
    fn narrow(&mut self, rate: Rate, samples: Vec<i16>) -> Vec<i16> {
        if rate == Rate::Hz8000 {
            return samples;
        }
        if *self.kind.borrow() != rate {
            self.kind.send_replace(rate);
            self.converter = Converter::new(rate.hz(), Rate::Hz8000.hz());
        }
        self.converter
            .as_mut()
            .map(|converter| converter.push(&samples))
            .unwrap_or_default()
    }
}

struct Mouth {
    writer: FrameWriter,
    answer_in: watch::Receiver<Rate>,
    rate: Rate,
    converter: Option<Converter>,
}

#[async_trait]
impl LineOut for Mouth {
    fn send(&mut self, frame: &[i16; FRAME]) -> bool {
        if self.answer_in.has_changed().unwrap_or(false) {
            self.rate = *self.answer_in.borrow_and_update();
            self.converter = Converter::new(Rate::Hz8000.hz(), self.rate.hz());
        }
        let offered = match &mut self.converter {
            Some(converter) => self.writer.offer_audio(self.rate, &converter.push(frame)),
            None => self.writer.offer_audio(self.rate, frame),
        };
        matches!(offered, Ok(Offer::Taken))
    }

    async fn close(&mut self) {
        // A peer that is gone already has nothing to be told.
        let _ = self.writer.hangup().await;
    }
}
