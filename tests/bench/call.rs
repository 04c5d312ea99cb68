//! One call as Asterisk brings it: an AudioSocket connection with a frame every 20 ms. The caller
//! is driven step by step, so that what was sent and heard is known to the moment.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use audiosocket::frame::Digit;
use audiosocket::stream::{FrameReader, FrameWriter};
use audiosocket::{Client, Clock, Frame, Rate};
use street::Hotline;
use street::tone::{self, FRAME};
use uuid::Uuid;

use crate::manager::Manager;

/// What is louder than this, in dB, is speech.
pub(crate) const LOUD: f64 = -45.0;

/// How long anything may take that is going to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How loud an echo is, of what is echoed: -15 dB.
const ECHO: f64 = 0.178;

/// A caller on the line.
#[derive(Debug)]
pub(crate) struct Call {
    id: Uuid,
    reader: FrameReader,
    writer: FrameWriter,
    clock: Clock,
    to_say: VecDeque<[i16; FRAME]>,
    /// When the first frame of speech was sent since [`Call::say`].
    began: Option<Instant>,
    /// When a frame of speech was sent last.
    spoke: Instant,
    /// When the first loud frame came since [`Call::listen`].
    answered: Option<Instant>,
    /// When a loud frame came last.
    heard: Instant,
    noise: u32,
    /// The longest silence since [`Call::attend`].
    silence: Duration,
    /// What comes back to Hotline of its own words, and so many frames later.
    echo: Option<VecDeque<[i16; FRAME]>>,
}

impl Call {
    /// Places a call to a number.
    pub(crate) async fn place(hotline: &Hotline, manager: &Manager, did: &str) -> Result<Self> {
        let id = Uuid::new_v4();
        manager.announce(id, did)?;
        let port = hotline.settings().socket_port;
        let client = Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), id).await?;
        let (reader, writer) = client.split();
        let now = Instant::now();
        Ok(Self {
            id,
            reader,
            writer,
            clock: Clock::start(),
            to_say: VecDeque::new(),
            began: None,
            spoke: now,
            answered: None,
            heard: now,
            noise: 1,
            silence: Duration::ZERO,
            echo: None,
        })
    }

    /// Returns its id.
    #[allow(
        dead_code,
        reason = "not every program that places calls wants to know"
    )]
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Says samples and returns when the last frame of speech among them was sent.
    pub(crate) async fn say(&mut self, samples: &[i16]) -> Result<Instant> {
        self.answered = None;
        self.began = None;
        let frames = samples.chunks(FRAME).map(|piece| {
            let mut frame = [0; FRAME];
            frame[..piece.len()].copy_from_slice(piece);
            frame
        });
        self.to_say.extend(frames);
        while !self.to_say.is_empty() {
            self.step().await?;
        }
        Ok(self.spoke)
    }

    /// Sends what is heard back, so many frames later and 15 dB quieter.
    pub(crate) fn echo(&mut self, frames: usize) {
        self.echo = Some(std::iter::repeat_n([0; FRAME], frames).collect());
    }

    /// Returns when the first frame of speech of the last words was sent.
    pub(crate) fn began(&self) -> Option<Instant> {
        self.began
    }

    /// Returns when something was heard last.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// Waits until something is heard, and attends to silences from then on.
    pub(crate) async fn attend(&mut self) -> Result<()> {
        self.answered = None;
        self.answer().await?;
        self.silence = Duration::ZERO;
        Ok(())
    }

    /// Returns the longest silence since [`Call::attend`].
    pub(crate) fn silence(&self) -> Duration {
        self.silence.max(self.heard.elapsed())
    }

    /// Presses a key and returns when it was sent.
    pub(crate) async fn press(&mut self, key: char) -> Result<Instant> {
        self.answered = None;
        let digit = Digit::new(u8::try_from(key)?).context("no key of a telephone")?;
        let now = Instant::now();
        self.writer.write(&Frame::Dtmf(digit)).await?;
        Ok(now)
    }

    /// Waits for the first loud frame since the caller said or pressed something.
    pub(crate) async fn answer(&mut self) -> Result<Instant> {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(answered) = self.answered {
                return Ok(answered);
            }
            self.step().await?;
            if Instant::now() > patience {
                bail!("no answer came within {PATIENCE:?}");
            }
        }
    }

    /// Waits until nothing has been heard for so long.
    pub(crate) async fn quiet(&mut self, length: Duration) -> Result<()> {
        while self.heard.elapsed() < length {
            self.step().await?;
        }
        Ok(())
    }

    /// Stays on the line for so long.
    pub(crate) async fn stay(&mut self, length: Duration) -> Result<()> {
        let until = Instant::now() + length;
        while Instant::now() < until {
            self.step().await?;
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<()> {
        tokio::select! {
            biased;
            _ = self.clock.tick() => {
                let frame = self.to_say.pop_front();
                if frame.is_some_and(|frame| tone::level(&frame) > LOUD) {
                    self.spoke = Instant::now();
                    self.began.get_or_insert(self.spoke);
                }
                let mut frame = frame.unwrap_or_else(|| self.hum());
                let back = self.echo.as_mut().and_then(VecDeque::pop_front);
                for (sample, back) in frame.iter_mut().zip(back.into_iter().flatten()) {
                    *sample = sample.saturating_add((f64::from(back) * ECHO) as i16);
                }
                self.writer.audio(Rate::Hz8000, &frame).await?;
            }
            frame = self.reader.next() => match frame? {
                Some(Frame::Audio(audio)) => {
                    let samples: Vec<i16> = audio.samples().collect();
                    if let Some(echo) = &mut self.echo {
                        let (frames, _) = samples.as_chunks::<FRAME>();
                        echo.extend(frames);
                    }
                    if tone::level(&samples) > LOUD {
                        self.silence = self.silence.max(self.heard.elapsed());
                        self.heard = Instant::now();
                        self.answered.get_or_insert(self.heard);
                    }
                }
                Some(Frame::Hangup) | None => bail!("Hotline hung up"),
                Some(_) => {}
            },
        }
        Ok(())
    }

    /// Makes 20 ms of the faint noise of a telephone line.
    fn hum(&mut self) -> [i16; FRAME] {
        std::array::from_fn(|_| {
            self.noise = self
                .noise
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            (self.noise >> 28) as i16 - 8
        })
    }
}
