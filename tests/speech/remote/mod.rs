//! Recognisers by protocol, with servers that speak the documented protocols strictly and have
//! faults at every moment.

mod callers;
mod faults;
mod key;
mod recorded;
mod tls;
mod trial;
mod turns;

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use hotline::dialog::Expect;
use hotline::speech::recognisers::{self, Engine, realtime, transcription, vosk_server};
use hotline::speech::{
    Asked, Bell, Config, FRAME, Recogniser, Recognition, SpeechError, Told, Transcript,
};
use street::engines::{self, Dialect, Kind, Mind};
use tokio::runtime::Runtime;

use super::EN;

/// How long anything may take that is going to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time limits of the clients here, so that faults are found out quickly.
const CONNECT: Duration = Duration::from_millis(1500);
const ANSWER: Duration = Duration::from_millis(1500);

const MODEL: &str = "street-1";

/// A way to be reached, as a pair of a server and the settings that fit it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    VoskServer,
    VoskServerInCpp,
    Transcription,
    Verbose,
    Openai,
    OpenaiPcm,
    Vllm,
}

const WAYS: [Way; 7] = [
    Way::VoskServer,
    Way::VoskServerInCpp,
    Way::Transcription,
    Way::Verbose,
    Way::Openai,
    Way::OpenaiPcm,
    Way::Vllm,
];

impl Way {
    fn kind(self) -> Kind {
        match self {
            Self::VoskServer => Kind::Vosk { python: true },
            Self::VoskServerInCpp => Kind::Vosk { python: false },
            Self::Transcription | Self::Verbose => Kind::Transcription { model: MODEL },
            Self::Openai | Self::OpenaiPcm => Kind::Realtime {
                model: MODEL,
                dialect: Dialect::Openai,
            },
            Self::Vllm => Kind::Realtime {
                model: MODEL,
                dialect: Dialect::Vllm,
            },
        }
    }

    fn engine(self, url: &str) -> Engine {
        match self {
            Self::VoskServer | Self::VoskServerInCpp => Engine::VoskServer(vosk_server::Settings {
                send_config: self == Self::VoskServer,
                reset: self == Self::VoskServer,
                phrases: self == Self::VoskServer,
                connect: CONNECT,
                answer: ANSWER,
                ..vosk_server::Settings::of(url)
            }),
            Self::Transcription | Self::Verbose => Engine::Transcription(transcription::Settings {
                response_format: if self == Self::Verbose {
                    transcription::Format::VerboseJson
                } else {
                    transcription::Format::Json
                },
                connect: CONNECT / 2,
                answer: ANSWER / 2,
                ..transcription::Settings::of(url, MODEL)
            }),
            Self::Openai | Self::OpenaiPcm | Self::Vllm => Engine::Realtime(realtime::Settings {
                dialect: if self == Self::Vllm {
                    realtime::Dialect::Vllm
                } else {
                    realtime::Dialect::Openai
                },
                audio: (self == Self::OpenaiPcm).then_some(realtime::AudioFormat::Pcm16At24k),
                prompt: true,
                connect: CONNECT,
                answer: ANSWER,
                ..realtime::Settings::of(url, MODEL)
            }),
        }
    }

    fn has_partials(self) -> bool {
        !matches!(self, Self::Transcription | Self::Verbose)
    }

    fn has_hints(self) -> bool {
        !matches!(self, Self::Vllm | Self::VoskServerInCpp)
    }
}

/// A server, and Hotline's recogniser for it.
struct Pair {
    server: engines::Engine,
    recogniser: Arc<dyn Recogniser>,
    _runtime: Runtime,
}

impl Pair {
    fn new(way: Way, mind: Mind) -> Self {
        let server = engines::Engine::start(way.kind(), mind).unwrap();
        Self::with(way.engine(&server.url()), server)
    }

    fn with(engine: Engine, server: engines::Engine) -> Self {
        let runtime = Runtime::new().unwrap();
        let recogniser = {
            let _inside = runtime.enter();
            open(engine).unwrap()
        };
        Self {
            server,
            recogniser,
            _runtime: runtime,
        }
    }

    fn question(&self, hints: &[&str]) -> Question {
        ask(self.recogniser.as_ref(), hints)
    }
}

fn open(engine: Engine) -> Result<Arc<dyn Recogniser>, SpeechError> {
    let config = Config {
        ears: [(EN, vec![engine])].into(),
        ..Config::default()
    };
    let (mut opened, mut faults) = recognisers::open(&config);
    match opened.pop() {
        Some(recogniser) => Ok(recogniser),
        None => Err(faults.remove(0)),
    }
}

struct Question {
    recognition: Box<dyn Recognition>,
    bell: mpsc::Receiver<()>,
    partials: Vec<String>,
}

impl Question {
    /// Says something as fast as it is taken, and ends the turn.
    fn say(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        for frame in samples.chunks(FRAME) {
            self.recognition.push(frame)?;
        }
        self.recognition.finish()
    }

    /// Waits for the words of the next turn.
    fn words(&mut self) -> Result<Transcript, SpeechError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some(told) = self.recognition.told(Instant::now())? {
                match told {
                    Told::Final(transcript) => return Ok(transcript),
                    Told::Partial(text) => self.partials.push(text),
                    _ => {}
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.bell
                .recv_timeout(left)
                .expect("words within twenty seconds");
        }
    }

    /// Waits for words so far.
    fn words_so_far(&mut self) {
        while self.partials.is_empty() {
            match self.recognition.told(Instant::now()).unwrap() {
                Some(Told::Partial(text)) => self.partials.push(text),
                Some(other) => panic!("{other:?}"),
                None => self.bell.recv_timeout(PATIENCE).unwrap(),
            }
        }
    }

    /// Says something with which things go wrong, and returns how.
    fn fault(&mut self, samples: &[i16]) -> SpeechError {
        let failed = self.say(samples).and_then(|()| self.words());
        match failed {
            Err(error) => error,
            Ok(transcript) => panic!("{transcript:?} in spite of all"),
        }
    }
}

/// A second of something loud.
fn sound() -> Vec<i16> {
    (0..8000)
        .map(|n| ((n * n / 7) % 8000 - 4000) as i16)
        .collect()
}

fn ask(recogniser: &dyn Recogniser, hints: &[&str]) -> Question {
    let (ring, bell) = mpsc::channel();
    let ring = Mutex::new(ring);
    let bell_of_it = Bell::new(move || {
        let _ = ring.lock().unwrap().send(());
    });
    let asked = Asked {
        expect: Expect::Intent,
        hints: hints.iter().map(|&hint| hint.to_owned()).collect(),
        ..Asked::anything()
    };
    Question {
        recognition: recogniser.open(&asked, bell_of_it).unwrap(),
        bell,
        partials: Vec::new(),
    }
}
