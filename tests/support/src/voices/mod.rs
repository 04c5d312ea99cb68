//! Voice servers on the loopback address that speak exactly the protocols of Coqui's `tts-server`,
//! of three ages of Piper's HTTP server, and of OpenAI's speech, and can be told to fail in the
//! ways such servers fail. What they say is a tone, so that a caller can hear who spoke.
//!
//! They are strict: what the real ones would refuse or misunderstand is a complaint, and dropping
//! the server fails the test with all of them.

mod answer;
mod protocol;
mod request;

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::record::Record;

pub use protocol::Protocol;
pub use request::Request;

/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(60);

/// How the server treats those who want something said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Manner {
    /// Says it.
    #[default]
    Well,
    /// Answers this status, as its kind does when something went wrong.
    Status(u16),
    /// Answers 200 with a page of HTML.
    Html,
    /// Answers 200 with bytes that are nothing.
    Garbage,
    /// Answers 200 with an MP3.
    Mp3,
    /// Answers 200 with no body.
    Empty,
    /// Takes the request and says nothing.
    HangsBeforeHead,
    /// Sends the head of its answer and then nothing.
    HangsAfterHead,
    /// Sends half of the audio and then nothing, with the connection open.
    HangsHalfWay,
    /// Sends half of the audio and closes the connection.
    CutHalfWay,
    /// Closes the connection instead of answering.
    Closes,
    /// Waits so long before it answers.
    Late(Duration),
    /// Sends so many bytes each 20 ms.
    Trickles(usize),
}

/// What its audio is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audio {
    /// The tone it speaks with, in hertz.
    pub tone: f64,
    /// How long each text is, in seconds.
    pub seconds: f64,
    /// Samples a second.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u16,
    /// Bits of a sample: 8, 16, 24 or 32.
    pub bits: u16,
    /// What a WAV's header says about its length instead of the truth.
    pub claimed: Option<u32>,
}

impl Default for Audio {
    fn default() -> Self {
        Self {
            tone: 440.0,
            seconds: 1.0,
            rate: 22_050,
            channels: 1,
            bits: 16,
            claimed: None,
        }
    }
}

/// A voice server; dropping it closes its port, and fails the test that asked it in a wrong way.
#[derive(Debug)]
pub struct VoiceServer {
    shared: Arc<Shared>,
    port: u16,
}

#[derive(Debug)]
struct Shared {
    protocol: Protocol,
    state: Mutex<State>,
    requests: Record<Request>,
    connections: AtomicUsize,
    open: AtomicUsize,
    over: AtomicBool,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    audio: Audio,
    complaints: Vec<String>,
}

impl VoiceServer {
    /// Starts a server of a protocol that does well.
    pub fn start(protocol: Protocol) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let audio = Audio {
            rate: protocol.rate(),
            ..Audio::default()
        };
        let shared = Arc::new(Shared {
            protocol,
            state: Mutex::new(State {
                manner: Manner::Well,
                audio,
                complaints: Vec::new(),
            }),
            requests: Record::new(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.over.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&serving);
                thread::spawn(move || {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    shared.open.fetch_add(1, Ordering::Relaxed);
                    // A caller that goes away in the middle is no fault of the server.
                    let _ = shared.serve(&stream);
                    shared.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(Self { shared, port })
    }

    /// Starts a server that does well with a tone of its own.
    pub fn with_tone(protocol: Protocol, tone: f64) -> Result<Self> {
        let server = Self::start(protocol)?;
        server.sounds(|audio| audio.tone = tone);
        Ok(server)
    }

    /// Returns the address that belongs into a configuration.
    pub fn url(&self) -> String {
        let path = match self.shared.protocol {
            Protocol::OpenAi { .. } => "/v1",
            _ => "",
        };
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// From now on requests are treated so.
    pub fn manner(&self, manner: Manner) {
        self.shared.state().manner = manner;
    }

    /// Changes what its audio is like.
    pub fn sounds(&self, change: impl FnOnce(&mut Audio)) {
        change(&mut self.shared.state().audio);
    }

    /// Returns the requests for something to be said, as they come.
    pub fn requests(&self) -> &Record<Request> {
        &self.shared.requests
    }

    /// Returns how many connections there have been.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Returns how many connections are open.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Takes out the complaints so far, of a test that asks in a wrong way on purpose.
    pub fn complaints(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().complaints)
    }
}

impl Drop for VoiceServer {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let complaints = self.complaints();
        if !complaints.is_empty() && !thread::panicking() {
            panic!("the voice server complains:\n{}", complaints.join("\n"));
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers requests on one connection until it is closed.
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = Request::read(&mut reader)? {
            let (manner, audio) = {
                let state = self.state();
                (state.manner, state.audio)
            };
            let mut complaints = Vec::new();
            let verdict = self.protocol.judge(&request, &mut complaints);
            self.state().complaints.extend(complaints);
            let wants = matches!(verdict, protocol::Verdict::Speak { .. });
            if wants {
                self.requests.push(request.clone());
            }
            let goes_on =
                answer::answer(stream, self.protocol, verdict, manner, audio, &self.over)?;
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }
}
