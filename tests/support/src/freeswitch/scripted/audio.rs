//! What a leg hears and where what it says goes. Frames are 20 ms of samples; nothing here waits.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{mpsc, watch};

/// Frames that wait to be heard in a conversation; older ones are given up.
const CONVERSATION: usize = 8;
/// Frames from the bot that wait, as many as the kernel kept of a burst sent to the real switch.
const BURST: usize = 168;

/// Where the frames come from that a leg hears.
#[derive(Debug, Default)]
enum Source {
    /// From whoever sends frames: the other leg, or the bot.
    #[default]
    Others,
    /// A tone, with pauses of silence, for as long as nothing else is set.
    Tone {
        frequency: f64,
        on: u64,
        off: u64,
        position: u64,
    },
    /// A sound, played once.
    Sound {
        samples: Arc<Vec<i16>>,
        position: usize,
        done: watch::Sender<bool>,
    },
}

/// The audio of one leg.
#[derive(Debug)]
pub(super) struct Audio {
    rate: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    source: Source,
    frames: VecDeque<Vec<i16>>,
    to: To,
    heard: u64,
}

/// Where what a leg says goes.
#[derive(Debug, Default)]
enum To {
    #[default]
    Nowhere,
    Other(Weak<Audio>),
    Bot(mpsc::Sender<Vec<i16>>),
}

impl Audio {
    pub(super) fn new(rate: u32) -> Self {
        Self {
            rate,
            state: Mutex::default(),
        }
    }

    /// Returns the samples a second.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// Returns the samples in 20 ms.
    pub(super) fn frame(&self) -> usize {
        self.rate as usize / 50
    }

    /// Takes 20 ms of what the leg says.
    pub(super) fn said(&self, samples: &[i16]) {
        let other = match &self.state().to {
            To::Nowhere => return,
            To::Other(other) => other.upgrade(),
            To::Bot(bot) => {
                // A bot that does not take its frames in time does not get them later.
                let _ = bot.try_send(samples.to_vec());
                return;
            }
        };
        if let Some(other) = other {
            other.hear(at_rate(samples, self.rate, other.rate), CONVERSATION);
        }
    }

    /// Returns the next 20 ms the leg hears; nothing when nobody sends any.
    pub(super) fn next(&self) -> Option<Vec<i16>> {
        let length = self.frame();
        let rate = f64::from(self.rate);
        let mut state = self.state();
        let frame = match &mut state.source {
            Source::Others => state.frames.pop_front(),
            Source::Tone {
                frequency,
                on,
                off,
                position,
            } => {
                let step = TAU * *frequency / rate;
                let sample = |n: u64| match n % (*on + *off) < *on {
                    true => ((step * n as f64).sin() * 0.1 * 32767.0) as i16,
                    false => 0,
                };
                let frame = (*position..*position + length as u64).map(sample).collect();
                *position += length as u64;
                Some(frame)
            }
            Source::Sound {
                samples,
                position,
                done,
            } => {
                let rest = samples.get(*position..).unwrap_or_default();
                let mut frame = rest[..rest.len().min(length)].to_vec();
                frame.resize(length, 0);
                *position += length;
                if *position >= samples.len() {
                    done.send_replace(true);
                    state.source = Source::Others;
                }
                Some(frame)
            }
        };
        state.heard += u64::from(frame.is_some());
        frame
    }

    /// Returns how many frames the leg has heard.
    pub(super) fn heard(&self) -> u64 {
        self.state().heard
    }

    /// Adds a frame from the bot; a burst loses what does not fit.
    pub(super) fn hear_bot(&self, frame: Vec<i16>) {
        let mut state = self.state();
        if state.frames.len() < BURST {
            state.frames.push_back(frame);
        }
    }

    /// Plays a tone until something else is set.
    pub(super) fn play_tone(&self, frequency: f64) {
        self.play_cadence(frequency, 1.0, 0.0);
    }

    /// Plays a tone for some seconds and is silent for some, in turn, until something else is set.
    pub(super) fn play_cadence(&self, frequency: f64, on: f64, off: f64) {
        let samples = |seconds: f64| (seconds * f64::from(self.rate)) as u64;
        self.state().source = Source::Tone {
            frequency,
            on: samples(on),
            off: samples(off),
            position: 0,
        };
    }

    /// Plays a sound once; the receiver turns true when it is over.
    pub(super) fn play(&self, samples: Arc<Vec<i16>>) -> watch::Receiver<bool> {
        let (done, over) = watch::channel(samples.is_empty());
        self.state().source = Source::Sound {
            samples,
            position: 0,
            done,
        };
        over
    }

    /// Ends whatever is played and whatever the leg is connected with.
    pub(super) fn rest(&self) {
        let mut state = self.state();
        state.source = Source::Others;
        state.to = To::Nowhere;
        state.frames.clear();
    }

    /// Gives what the leg says to a bot from now on.
    pub(super) fn to_bot(&self, bot: mpsc::Sender<Vec<i16>>) {
        let mut state = self.state();
        state.frames.clear();
        state.to = To::Bot(bot);
    }

    /// Connects two legs, so that each hears the other.
    pub(super) fn connect(one: &Arc<Self>, other: &Arc<Self>) {
        for (here, there) in [(one, other), (other, one)] {
            let mut state = here.state();
            state.source = Source::Others;
            state.frames.clear();
            state.to = To::Other(Arc::downgrade(there));
        }
    }

    fn hear(&self, frame: Vec<i16>, most: usize) {
        let mut state = self.state();
        if state.frames.len() >= most {
            state.frames.pop_front();
        }
        state.frames.push_back(frame);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes between the two rates of the telephone as simply as can be.
fn at_rate(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    match from.cmp(&to) {
        Ordering::Equal => samples.to_vec(),
        Ordering::Less => samples
            .iter()
            .flat_map(|&sample| [sample, sample])
            .collect(),
        Ordering::Greater => samples
            .chunks_exact(2)
            .map(|pair| pair[0] / 2 + pair[1] / 2)
            .collect(),
    }
}
