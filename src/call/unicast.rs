//! FreeSWITCH's unicast as a [`Line`]: one frame goes back for each that comes, brought to 8 kHz and
//! answered in kind.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::line::{FRAME, FromCaller, Line, LineIn, LineOut, Pace};
use crate::pbx::freeswitch::unicast::{Incoming, Media, Mouth};
use crate::speech::rate::Converter;

/// Makes a line of a call's audio.
pub fn line(media: Media) -> Line {
    let mouth = media.mouth();
    let (rate, ours) = (mouth.rate(), FRAME as u32 * 50);
    let converter = |from, to| (rate != ours).then(|| Converter::new(from, to)).flatten();
    let to_caller = Voice {
        converter: converter(ours, rate),
        frame: rate as usize / 50,
        ready: VecDeque::new(),
        mouth,
    };
    let from_caller = Ears {
        media,
        converter: converter(rate, ours),
    };
    Line {
        from_caller: Box::new(from_caller),
        to_caller: Box::new(to_caller),
        pace: Pace::Caller,
    }
}

struct Ears {
    media: Media,
    converter: Option<Converter>,
}

#[async_trait]
impl LineIn for Ears {
    async fn next(&mut self) -> FromCaller {
        match self.media.next().await {
            Incoming::Audio(samples) => FromCaller::Audio(match &mut self.converter {
                Some(converter) => converter.push(&samples),
                None => samples,
            }),
            Incoming::HungUp => FromCaller::Gone,
            Incoming::Taken => FromCaller::Taken,
            Incoming::Silent => {
                tracing::error!("FreeSWITCH sends no audio any more; the dialplan goes on");
                FromCaller::Taken
            }
        }
    }
}

struct Voice {
    mouth: Mouth,
    converter: Option<Converter>,
    frame: usize,
    /// What the converter has made and no frame has taken yet.
    ready: VecDeque<i16>,
}

#[async_trait]
impl LineOut for Voice {
    fn send(&mut self, frame: &[i16; FRAME]) -> bool {
        let Some(converter) = &mut self.converter else {
            return self.mouth.send(frame);
        };
        self.ready.extend(converter.push(frame));
        if self.ready.len() < self.frame {
            // The converter holds back its first frame.
            return self.mouth.send(&vec![0; self.frame]);
        }
        let whole: Vec<i16> = self.ready.drain(..self.frame).collect();
        self.mouth.send(&whole)
    }

    async fn close(&mut self) {
        self.mouth.close();
    }
}
