//! The kinds of audio that realtime servers take, made out of the telephone's.

use audiosocket::mulaw;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::speech::rate::Converter;
use crate::speech::{FRAME, RATE};

/// How audio is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AudioFormat {
    /// G.711 µ-law at 8 kHz, as the telephone has it.
    #[serde(rename = "pcmu")]
    Pcmu,
    /// 16 bit at 24 kHz.
    #[serde(rename = "pcm16_24k")]
    Pcm16At24k,
    /// 16 bit at 16 kHz.
    #[serde(rename = "pcm16_16k")]
    Pcm16At16k,
    /// 16 bit at 8 kHz.
    #[serde(rename = "pcm16_8k")]
    Pcm16At8k,
}

impl AudioFormat {
    /// Describes it as OpenAI's sessions do.
    pub(super) fn described(self) -> Value {
        match self {
            Self::Pcmu => json!({ "type": "audio/pcmu" }),
            other => json!({ "type": "audio/pcm", "rate": other.rate() }),
        }
    }

    fn rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcm16At8k => 8_000,
            Self::Pcm16At16k => 16_000,
            Self::Pcm16At24k => 24_000,
        }
    }
}

/// Makes messages with audio out of samples.
pub(super) struct Encoder {
    format: AudioFormat,
    converter: Option<Converter>,
    /// Samples of a frame that the converter does not have whole.
    rest: usize,
}

impl Encoder {
    pub(super) fn new(format: AudioFormat) -> Self {
        let mut encoder = Self {
            format,
            converter: None,
            rest: 0,
        };
        encoder.begin();
        encoder
    }

    /// Begins a stream anew, without the echo of another in it.
    pub(super) fn begin(&mut self) {
        self.rest = 0;
        self.converter = match self.format.rate() {
            8_000 => None,
            rate => Converter::new(RATE as u32, rate),
        };
    }

    /// Encodes samples; what does not fill a frame may wait for the next ones.
    pub(super) fn message(&mut self, samples: &[i16]) -> Option<Message> {
        let converted = self.converter.as_mut().map(|converter| {
            self.rest = (self.rest + samples.len()) % FRAME;
            converter.push(samples)
        });
        let samples = converted.as_deref().unwrap_or(samples);
        let bytes: Vec<u8> = match self.format {
            AudioFormat::Pcmu => samples.iter().map(|&it| mulaw::encode(it)).collect(),
            _ => samples.iter().flat_map(|it| it.to_le_bytes()).collect(),
        };
        (!bytes.is_empty()).then(|| {
            let event =
                json!({ "type": "input_audio_buffer.append", "audio": STANDARD.encode(bytes) });
            Message::text(event.to_string())
        })
    }

    /// Encodes silence until what waited is out.
    pub(super) fn flush(&mut self) -> Option<Message> {
        self.converter.as_ref()?;
        // The converter's filter holds back another frame.
        self.message(&vec![0; FRAME - self.rest + FRAME])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(message: Message) -> Vec<u8> {
        let event: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        assert_eq!(event["type"], "input_audio_buffer.append");
        STANDARD.decode(event["audio"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn every_sample_comes_out_at_the_rate_wanted() {
        for (format, bytes) in [
            (AudioFormat::Pcmu, 1),
            (AudioFormat::Pcm16At8k, 2),
            (AudioFormat::Pcm16At16k, 4),
            (AudioFormat::Pcm16At24k, 6),
        ] {
            let mut encoder = Encoder::new(format);
            let messages = [
                encoder.message(&[1000; 810]),
                encoder.message(&[1000; 37]),
                encoder.flush(),
            ];
            let length: usize = messages
                .into_iter()
                .flatten()
                .map(|it| decoded(it).len())
                .sum();
            assert!(length >= 847 * bytes, "{format:?} {length}");
            assert!(length <= (847 + 3 * FRAME) * bytes, "{format:?} {length}");
        }
    }
}
