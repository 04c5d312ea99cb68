//! Speech engines of the street: test servers that speak exactly the documented protocols of
//! vosk-server, of OpenAI-compatible transcription and of realtime transcription, and have faults
//! on demand. Whatever a client does that a real server would refuse or misunderstand is a
//! complaint, and a test with complaints has failed.

mod http;
mod realtime;
pub mod tape;
pub mod tls;
mod transcription;
mod vosk;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

pub use realtime::Dialect;

use crate::port;

/// A word and when it was said, in seconds of its turn, with how sure the engine is.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// When it began.
    pub start: f64,
    /// When it ended.
    pub end: f64,
    /// 0 to 1.
    pub sure: f32,
}

/// What stands behind a server and makes words out of audio of 8 kHz: a real engine, or a script.
pub trait Hearing: Send {
    /// Takes audio and returns the words so far.
    fn hear(&mut self, samples: &[i16]) -> String;

    /// Ends the turn and returns its words.
    fn end(&mut self) -> Vec<Word>;
}

/// Makes one [`Hearing`] per connection, for the phrases that were hinted.
pub type Mind = Arc<dyn Fn(&[String]) -> Box<dyn Hearing> + Send + Sync>;

/// Makes an engine that hears these texts, one per turn with any sound in it, the last one again
/// and again.
pub fn script(texts: &'static [&'static str]) -> Mind {
    let turn = Arc::new(AtomicUsize::new(0));
    Arc::new(move |_| {
        Box::new(Script {
            texts,
            turn: Arc::clone(&turn),
            loud: 0,
        })
    })
}

struct Script {
    texts: &'static [&'static str],
    /// Turns that are over, on all connections.
    turn: Arc<AtomicUsize>,
    /// Samples in this turn that are louder than a whisper.
    loud: usize,
}

impl Script {
    fn text(&self) -> &'static str {
        let last = self.texts.len().saturating_sub(1);
        match self.loud {
            0 => "",
            _ => {
                let turn = self.turn.load(Ordering::SeqCst).min(last);
                self.texts.get(turn).copied().unwrap_or("")
            }
        }
    }
}

impl Hearing for Script {
    fn hear(&mut self, samples: &[i16]) -> String {
        let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 300);
        self.loud += loud.count();
        let first = self.text().split(' ').next();
        first.unwrap_or_default().to_owned()
    }

    fn end(&mut self) -> Vec<Word> {
        let words = self
            .text()
            .split_whitespace()
            .enumerate()
            .map(|(index, word)| Word {
                text: word.to_owned(),
                start: index as f64 * 0.25,
                end: index as f64 * 0.25 + 0.2,
                sure: 0.9,
            })
            .collect();
        let sounded = usize::from(self.loud > 0);
        self.turn.fetch_add(sounded, Ordering::SeqCst);
        self.loud = 0;
        words
    }
}

/// What goes wrong at a server, for the connections that are made from then on and, where it fits,
/// those that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection is taken and never answered.
    Hang,
    /// All goes well until the words of a turn are due.
    HangBeforeFinal,
    /// The words of a turn come so late.
    Slow(Duration),
    /// The words of a turn are something else.
    Garbage,
    /// Every request is answered with a web page.
    Html,
    /// Every request is answered with this HTTP status.
    Status(u16),
    /// The WebSocket is opened and closed with this code.
    Close(u16),
    /// The process is gone after some audio.
    Drop,
    /// The connection is reset after some audio.
    Reset,
}

/// What all connections to one server share.
#[derive(Clone)]
struct House {
    mind: Mind,
    /// The key that is wanted.
    key: Option<String>,
    fault: Arc<Mutex<Fault>>,
    complaints: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    answers: Arc<Mutex<Vec<Answered>>>,
    hints: Arc<Mutex<Vec<String>>>,
}

/// One turn's end at a server.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// When the end of the turn was heard of.
    pub asked: Instant,
    /// When the words were sent.
    pub sent: Instant,
}

impl House {
    fn fault(&self) -> Fault {
        *lock(&self.fault)
    }

    fn complain(&self, complaint: impl Into<String>) {
        lock(&self.complaints).push(complaint.into());
    }

    fn answered(&self, asked: Instant) {
        let sent = Instant::now();
        lock(&self.answers).push(Answered { asked, sent });
    }

    fn hinted(&self, hint: &str) {
        lock(&self.hints).push(hint.to_owned());
    }

    /// Does what the fault says at the moment when words are due; false when there will be none.
    async fn may_answer(&self) -> bool {
        match self.fault() {
            Fault::HangBeforeFinal => false,
            Fault::Slow(delay) => {
                tokio::time::sleep(delay).await;
                true
            }
            _ => true,
        }
    }

    fn check_key(&self, shown: Option<&str>) -> bool {
        match &self.key {
            Some(key) => shown == Some(&format!("Bearer {key}")),
            None => {
                if shown.is_some() {
                    self.complain("a key was shown that nobody asked for");
                }
                true
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The protocol that a server speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// vosk-server; without config and reset it is the one in C++.
    Vosk {
        /// Whether it knows config and reset.
        python: bool,
    },
    /// OpenAI-compatible transcription with this model.
    Transcription {
        /// The one model it has.
        model: &'static str,
    },
    /// Realtime transcription with this model.
    Realtime {
        /// The one model it has.
        model: &'static str,
        /// Whose protocol.
        dialect: Dialect,
    },
}

/// A running server. It ends with this value.
pub struct Engine {
    house: House,
    kind: Kind,
    address: SocketAddr,
    /// On threads of its own, so that what it measures is not what the test is busy with.
    runtime: Option<Runtime>,
}

impl Engine {
    /// Starts a server on a free port of the loopback address.
    pub fn start(kind: Kind, mind: Mind) -> Result<Self> {
        Self::start_with_key(kind, mind, None)
    }

    /// Starts a server that wants a key.
    pub fn start_with_key(kind: Kind, mind: Mind, key: Option<&str>) -> Result<Self> {
        let house = House {
            mind,
            key: key.map(str::to_owned),
            fault: Arc::new(Mutex::new(Fault::None)),
            complaints: Arc::default(),
            connections: Arc::default(),
            answers: Arc::default(),
            hints: Arc::default(),
        };
        let mut engine = Self {
            house,
            kind,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port::free_tcp()?)),
            runtime: None,
        };
        engine.start_again()?;
        Ok(engine)
    }

    /// Ends the server with all its connections, as if it was killed.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Elsewhere, as it waits until all sockets are closed.
            let ending = std::thread::spawn(|| runtime.shutdown_timeout(Duration::from_secs(2)));
            let _ = ending.join();
        }
    }

    /// Starts it again on the same port.
    pub fn start_again(&mut self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listener = runtime.block_on_elsewhere(TcpListener::bind(self.address))?;
        runtime.spawn(serve(listener, self.house.clone(), self.kind.clone()));
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Returns its address as a client is configured with it.
    pub fn url(&self) -> String {
        let address = self.address;
        match self.kind {
            Kind::Vosk { .. } => format!("ws://{address}"),
            Kind::Transcription { .. } => format!("http://{address}/v1"),
            Kind::Realtime {
                dialect: Dialect::Openai,
                ..
            } => format!("ws://{address}/v1/realtime?intent=transcription"),
            Kind::Realtime {
                dialect: Dialect::Vllm,
                ..
            } => format!("ws://{address}/v1/realtime"),
        }
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets what goes wrong from now on.
    pub fn set_fault(&self, fault: Fault) {
        *lock(&self.house.fault) = fault;
    }

    /// Returns how many connections were made so far.
    pub fn connections(&self) -> usize {
        self.house.connections.load(Ordering::SeqCst)
    }

    /// Returns the turns that were answered so far.
    pub fn answers(&self) -> Vec<Answered> {
        lock(&self.house.answers).clone()
    }

    /// Returns the phrases, prompts and lists of words that clients hinted at.
    pub fn hints(&self) -> Vec<String> {
        lock(&self.house.hints).clone()
    }

    /// Fails when a client did what the protocol does not allow.
    pub fn check(&self) -> Result<()> {
        let complaints = lock(&self.house.complaints);
        if !complaints.is_empty() {
            bail!("the engine complains: {}", complaints.join("; "));
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits for a future on a runtime, also from within another one.
trait BlockOnElsewhere {
    fn block_on_elsewhere<T: Send>(&self, future: impl Future<Output = T> + Send) -> T;
}

impl BlockOnElsewhere for Runtime {
    fn block_on_elsewhere<T: Send>(&self, future: impl Future<Output = T> + Send) -> T {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| self.block_on(future));
            match waiting.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

async fn serve(listener: TcpListener, house: House, kind: Kind) {
    while let Ok((stream, _)) = listener.accept().await {
        house.connections.fetch_add(1, Ordering::SeqCst);
        let (house, kind) = (house.clone(), kind.clone());
        tokio::spawn(async move {
            // A client that goes away is no complaint.
            let _ = attend(stream, &house, &kind).await;
        });
    }
}

async fn attend(mut stream: TcpStream, house: &House, kind: &Kind) -> Result<()> {
    stream.set_nodelay(true)?;
    if house.fault() == Fault::Hang {
        let mut nothing = [0; 1024];
        while stream.read(&mut nothing).await? > 0 {}
        return Ok(());
    }
    match kind {
        Kind::Transcription { model } => transcription::attend(stream, house, model).await,
        Kind::Vosk { python } => {
            let Some(socket) = handshake(stream, house, "/").await? else {
                return Ok(());
            };
            vosk::attend(socket, house, *python).await
        }
        Kind::Realtime { model, dialect } => {
            let wanted = match dialect {
                Dialect::Openai => "/v1/realtime?intent=transcription",
                Dialect::Vllm => "/v1/realtime",
            };
            let Some(socket) = handshake(stream, house, wanted).await? else {
                return Ok(());
            };
            match dialect {
                Dialect::Openai => realtime::attend_openai(socket, house, model).await,
                Dialect::Vllm => realtime::attend_vllm(socket, house, model).await,
            }
        }
    }
}

type Socket = WebSocketStream<TcpStream>;

/// Opens the WebSocket; nothing when a fault came in between.
async fn handshake(mut stream: TcpStream, house: &House, path: &str) -> Result<Option<Socket>> {
    if let fault @ (Fault::Html | Fault::Status(_)) = house.fault() {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await?;
        stream.write_all(&http::refusal(fault)).await?;
        stream.shutdown().await?;
        return Ok(None);
    }
    #[expect(
        clippy::result_large_err,
        reason = "the kind of error is that of the library"
    )]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let asked = request.uri().path_and_query().map(|it| it.as_str());
        if asked != Some(path) {
            house.complain(format!("{asked:?} was asked for and not {path}"));
        }
        let key = request.headers().get("authorization");
        if house.check_key(key.and_then(|key| key.to_str().ok())) {
            Ok(response)
        } else {
            let mut refusal = ErrorResponse::new(Some(
                r#"{"error": {"message": "Incorrect API key provided"}}"#.to_owned(),
            ));
            *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::UNAUTHORIZED;
            Err(refusal)
        }
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, look).await else {
        return Ok(None);
    };
    if let Fault::Close(code) = house.fault() {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "internal error".into(),
        };
        socket.close(Some(frame)).await?;
        while let Some(Ok(_)) = futures_util::StreamExt::next(&mut socket).await {}
        return Ok(None);
    }
    Ok(Some(socket))
}

/// Ends a connection as a dead process or a broken network does.
fn cut(socket: Socket, fault: Fault) {
    let stream = socket.into_inner();
    if fault == Fault::Reset {
        let _ = stream.set_zero_linger();
    }
    drop(stream);
}

async fn send(socket: &mut Socket, text: impl Into<String>) -> Result<()> {
    futures_util::SinkExt::send(socket, Message::text(text.into())).await?;
    Ok(())
}
