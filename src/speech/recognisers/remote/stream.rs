//! A WebSocket to an engine that hears while the caller speaks. The connection is made as soon as
//! the question is opened, so that the caller never waits for it, looked after while nobody
//! speaks, and made again between turns. What is said over it is the [`Protocol`]'s affair.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::fault::{self, RemoteFault};
use super::site::Site;
use super::wire::{Inside, Order};
use crate::speech::{RATE, SpeechError, Told};

/// The largest message that an engine may send, in bytes.
const LARGEST: usize = 1 << 20;

/// How long closing a connection may take.
const GOODBYE: Duration = Duration::from_millis(300);

/// How old a connection is that was not closed at once.
const LASTING: Duration = Duration::from_secs(1);

/// Connections in a row that may be closed at once by an engine that had served: one that is being
/// restarted still takes some.
const RESTARTS: u32 = 2;

/// The most audio that is said again over another connection, in samples: four seconds.
const MOST_UNHEARD: usize = 4 * RATE;

/// What is said over a connection. It is pure: audio and answers in, messages and words out.
pub(in super::super) trait Protocol: Send + 'static {
    /// Samples that are sent at once, at least; the end of a turn may be shorter.
    const PIECE: usize;

    /// Begins on a new connection: what is to be sent first.
    fn begin(&mut self) -> Vec<Message>;

    /// Tells whether the engine has agreed to listen.
    fn is_agreed(&self) -> bool;

    /// Tells whether the engine can take audio or the end of a turn now.
    fn takes(&self) -> bool;

    /// Says audio, at most twice [`Protocol::PIECE`].
    fn audio(&mut self, samples: &[i16]) -> Vec<Message>;

    /// Says that the turn is over, or tells its words when no more are to come.
    fn finish(&mut self) -> (Vec<Message>, Option<Told>);

    /// Says that the words so far are wanted, where that is cheap.
    fn settle(&mut self) -> Vec<Message> {
        Vec::new()
    }

    /// Takes what the engine says.
    ///
    /// # Errors
    /// When that is not of the protocol, or a refusal.
    fn read(&mut self, text: &str) -> Result<Vec<Told>, RemoteFault>;

    /// Tells whether the engine owes something now.
    fn awaits(&self) -> bool;

    /// Tells whether nothing of a turn would be lost with the connection.
    fn is_between_turns(&self) -> bool;

    /// Tells whether the connection has served, as it does for one turn only.
    fn is_over(&self) -> bool {
        false
    }

    /// Takes leave in the middle of a connection.
    fn farewell(&self) -> Option<Message> {
        None
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Talks to an engine until the recognition is over or fails.
pub(in super::super) async fn run<P: Protocol>(site: Site, protocol: P, inside: Inside) {
    let mut talk = Talk {
        site,
        protocol,
        inside,
        waiting: VecDeque::new(),
        unheard: None,
        said_again: false,
        served: false,
        restarts: 0,
        heard_at: Instant::now(),
    };
    if let Err(error) = talk.talk().await {
        talk.inside.fail(error);
    }
}

struct Talk<P> {
    site: Site,
    protocol: P,
    inside: Inside,
    waiting: VecDeque<Waiting>,
    /// What was sent of a turn while the engine has said nothing since it began: it can be said
    /// again, as the connection may have been dead by then.
    unheard: Option<Unheard>,
    /// Whether that was done in this turn.
    said_again: bool,
    /// Whether this connection has brought words.
    served: bool,
    /// Connections that may yet be closed at once.
    restarts: u32,
    /// When the engine said something last, or began to owe something.
    heard_at: Instant,
}

#[derive(Default)]
struct Unheard {
    samples: VecDeque<i16>,
    is_finished: bool,
}

enum Waiting {
    Audio(VecDeque<i16>),
    Finish,
    Settle,
}

/// How a connection ended well.
enum End {
    /// The recognition is over.
    Over,
    /// Another connection is wanted.
    Anew,
}

impl<P: Protocol> Talk<P> {
    async fn talk(&mut self) -> Result<(), SpeechError> {
        let mut socket = self.connect().await?;
        loop {
            match self.converse(&mut socket).await {
                Ok(End::Over) => {
                    leave(socket, self.protocol.farewell()).await;
                    return Ok(());
                }
                Ok(End::Anew) => {
                    tokio::spawn(leave(socket, None));
                }
                Err(fault) => return Err(self.site.blame(fault)),
            }
            socket = match self.connect().await {
                Ok(socket) => socket,
                // Nobody speaks yet: until then it may be back.
                Err(_) if self.waiting.is_empty() => {
                    match self.inside.next().await {
                        Some(order) => self.wait(order),
                        None => return Ok(()),
                    }
                    self.connect().await?
                }
                Err(error) => return Err(error),
            };
        }
    }

    async fn connect(&self) -> Result<Socket, SpeechError> {
        let limit = self.site.connect;
        let key = self.site.key().await?;
        let mut request: Request = self
            .site
            .url
            .as_str()
            .into_client_request()
            .map_err(|error| self.site.blame(RemoteFault::Garbage(error.to_string())))?;
        if let Some(key) = &key
            && let Ok(mut bearer) = HeaderValue::try_from(format!("Bearer {}", key.secret()))
        {
            bearer.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        let outcome = timeout(limit, open(&self.site, request)).await;
        let fault = match outcome {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(fault)) => fault,
            Err(_) => RemoteFault::NoConnection(limit),
        };
        Err(self.site.blame(match (fault, key) {
            (RemoteFault::Status { status, said }, Some(key)) => RemoteFault::Status {
                status,
                said: key.hidden_in(&said),
            },
            (fault, _) => fault,
        }))
    }

    /// Talks over one connection until it ends.
    async fn converse(&mut self, socket: &mut Socket) -> Result<End, RemoteFault> {
        let connected = Instant::now();
        self.served = false;
        let outcome = self.exchange(socket, connected).await;
        if self.served {
            self.restarts = RESTARTS;
        }
        let at_once = !self.served && connected.elapsed() <= LASTING;
        match outcome {
            // One that was idle for long may be closed by any server or firewall; one that closes
            // at once, again and again, is no engine.
            Err(RemoteFault::Closed { .. })
                if (!at_once || self.restarts > 0) && self.can_go_on() =>
            {
                self.restarts = self.restarts.saturating_sub(u32::from(at_once));
                self.say_again();
                Ok(End::Anew)
            }
            outcome => outcome,
        }
    }

    fn can_go_on(&self) -> bool {
        self.protocol.is_between_turns() || (self.unheard.is_some() && !self.said_again)
    }

    /// Puts what nobody heard in front of what waits.
    fn say_again(&mut self) {
        let Some(unheard) = self.unheard.take() else {
            return;
        };
        self.said_again = true;
        if unheard.is_finished {
            self.waiting.push_front(Waiting::Finish);
        }
        self.inside.unsent(unheard.samples.len());
        self.waiting.push_front(Waiting::Audio(unheard.samples));
    }

    async fn exchange(
        &mut self,
        socket: &mut Socket,
        connected: Instant,
    ) -> Result<End, RemoteFault> {
        self.heard_at = connected;
        for message in self.protocol.begin() {
            self.send(socket, message).await?;
        }
        loop {
            self.give(socket).await?;
            if self.protocol.is_over() {
                return Ok(End::Anew);
            }
            let limit = if self.protocol.is_agreed() {
                let answer = self.heard_at + self.site.answer;
                self.protocol
                    .awaits()
                    .then_some((answer, RemoteFault::Silent(self.site.answer)))
            } else {
                let agreement = connected + self.site.connect;
                Some((agreement, RemoteFault::NoConnection(self.site.connect)))
            };
            tokio::select! {
                order = self.inside.next() => match order {
                    Some(order) => self.wait(order),
                    None => return Ok(End::Over),
                },
                message = socket.next() => {
                    self.heard_at = Instant::now();
                    if let Some(fault) = self.hear(message)? {
                        return Err(fault);
                    }
                },
                () = until(limit.as_ref().map(|(at, _)| *at)) => {
                    if let Some((_, fault)) = limit {
                        return Err(fault);
                    }
                },
            }
        }
    }

    /// Queues an order behind those that wait.
    fn wait(&mut self, order: Order) {
        match order {
            Order::Audio(samples) => match self.waiting.back_mut() {
                Some(Waiting::Audio(audio)) => audio.extend(samples),
                _ => self.waiting.push_back(Waiting::Audio(samples.into())),
            },
            Order::Finish => self.waiting.push_back(Waiting::Finish),
            Order::Settle => self.waiting.push_back(Waiting::Settle),
        }
    }

    /// Gives the engine what waits, as far as it takes it.
    async fn give(&mut self, socket: &mut Socket) -> Result<(), RemoteFault> {
        while self.protocol.is_agreed() && self.protocol.takes() {
            let is_last = self.waiting.len() == 1;
            let messages = match self.waiting.front_mut() {
                None => return Ok(()),
                Some(Waiting::Audio(audio)) => {
                    if is_last && audio.len() < P::PIECE {
                        return Ok(());
                    }
                    let length = audio.len().min(2 * P::PIECE);
                    let piece: Vec<i16> = audio.drain(..length).collect();
                    if audio.is_empty() {
                        self.waiting.pop_front();
                    }
                    self.inside.sent(piece.len());
                    self.note(&piece);
                    let idle = !self.protocol.awaits();
                    let messages = self.protocol.audio(&piece);
                    if idle {
                        self.heard_at = Instant::now();
                    }
                    messages
                }
                Some(Waiting::Finish) => {
                    self.waiting.pop_front();
                    let idle = !self.protocol.awaits();
                    let (messages, told) = self.protocol.finish();
                    if idle {
                        self.heard_at = Instant::now();
                    }
                    if let Some(unheard) = &mut self.unheard {
                        unheard.is_finished = true;
                    }
                    if let Some(told) = told {
                        self.inside.tell(told);
                    }
                    messages
                }
                Some(Waiting::Settle) => {
                    self.waiting.pop_front();
                    self.protocol.settle()
                }
            };
            for message in messages {
                self.send(socket, message).await?;
            }
        }
        Ok(())
    }

    /// Remembers audio in case that nobody hears it.
    fn note(&mut self, piece: &[i16]) {
        if self.protocol.is_between_turns() {
            self.unheard = Some(Unheard::default());
        }
        if let Some(unheard) = &mut self.unheard {
            unheard.samples.extend(piece);
            if unheard.is_finished || unheard.samples.len() > MOST_UNHEARD {
                self.unheard = None;
            }
        }
    }

    async fn send(&self, socket: &mut Socket, message: Message) -> Result<(), RemoteFault> {
        match timeout(self.site.answer, socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(socket, &error).await),
            Err(_) => Err(RemoteFault::Silent(self.site.answer)),
        }
    }

    /// Finds out why nothing can be sent: the engine may have said so before it closed.
    async fn broken(&self, socket: &mut Socket, error: &Error) -> RemoteFault {
        let last = async {
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Close(frame) = message {
                    return Some(closed(frame.as_ref()));
                }
            }
            None
        };
        match timeout(GOODBYE, last).await {
            Ok(Some(fault)) => fault,
            Ok(None) | Err(_) => RemoteFault::Closed {
                code: None,
                said: fault::line(&error.to_string()),
            },
        }
    }

    /// Takes a message; tells the fault when it was the last one.
    fn hear(
        &mut self,
        message: Option<Result<Message, Error>>,
    ) -> Result<Option<RemoteFault>, RemoteFault> {
        match message {
            Some(Ok(Message::Text(text))) => {
                self.unheard = None;
                for told in self.protocol.read(&text)? {
                    if matches!(told, Told::Final(_)) {
                        self.served = true;
                        self.said_again = false;
                    }
                    self.inside.tell(told);
                }
                Ok(None)
            }
            Some(Ok(Message::Binary(bytes))) => Err(RemoteFault::Garbage(format!(
                "{} bytes that are no text",
                bytes.len()
            ))),
            Some(Ok(Message::Close(frame))) => Ok(Some(closed(frame.as_ref()))),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
            Some(Err(Error::Capacity(error))) => Err(RemoteFault::Garbage(error.to_string())),
            Some(Err(error @ (Error::Protocol(_) | Error::Utf8(_)))) => Ok(Some(match error {
                Error::Protocol(
                    tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                ) => broken_off(),
                other => return Err(RemoteFault::Garbage(fault::line(&other.to_string()))),
            })),
            Some(Err(error)) => Ok(Some(RemoteFault::Closed {
                code: None,
                said: fault::line(&error.to_string()),
            })),
            None => Ok(Some(broken_off())),
        }
    }
}

fn broken_off() -> RemoteFault {
    RemoteFault::Closed {
        code: None,
        said: String::new(),
    }
}

fn closed(frame: Option<&CloseFrame>) -> RemoteFault {
    RemoteFault::Closed {
        code: frame.map(|frame| frame.code.into()),
        said: frame
            .map(|frame| fault::line(&frame.reason))
            .unwrap_or_default(),
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Makes the connection: TCP, TLS, WebSocket.
async fn open(site: &Site, request: Request) -> Result<Socket, RemoteFault> {
    let mut refusal = None;
    for address in site.addresses().await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small frames must not wait for one another.
                let _ = stream.set_nodelay(true);
                return shake_hands(site, request, stream).await;
            }
            Err(error) => refusal = Some(error),
        }
    }
    let reason = refusal.map(|error| error.to_string()).unwrap_or_default();
    Err(RemoteFault::Unreachable(reason))
}

async fn shake_hands(
    site: &Site,
    request: Request,
    stream: TcpStream,
) -> Result<Socket, RemoteFault> {
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(LARGEST);
    config.max_frame_size = Some(LARGEST);
    let connector = match &site.tls {
        Some(tls) => Connector::Rustls(tls.clone()),
        None => Connector::Plain,
    };
    let opened = client_async_tls_with_config(request, stream, Some(config), Some(connector)).await;
    match opened {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            let body = String::from_utf8_lossy(body);
            let kind = response.headers().get(header::CONTENT_TYPE);
            let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
            let status = response.status();
            if (is_page || fault::is_html(&body)) && !status.is_server_error() {
                return Err(RemoteFault::Html);
            }
            let said = if is_page {
                String::new()
            } else {
                fault::line(&body)
            };
            Err(RemoteFault::Status {
                status: status.as_u16(),
                said,
            })
        }
        Err(Error::Io(error)) => Err(RemoteFault::connecting(&error, error.to_string())),
        Err(Error::Tls(error)) => Err(RemoteFault::connecting(&error, error.to_string())),
        Err(error) => Err(RemoteFault::Garbage(fault::line(&error.to_string()))),
    }
}

/// Closes a connection politely, but does not wait for long.
async fn leave(mut socket: Socket, farewell: Option<Message>) {
    let goodbye = async {
        if let Some(farewell) = farewell {
            socket.send(farewell).await?;
        }
        socket.close(None).await?;
        while socket.next().await.transpose()?.is_some() {}
        Ok::<(), Error>(())
    };
    // The connection is of no use any more, whatever becomes of the goodbye.
    let _ = timeout(GOODBYE, goodbye).await;
}
