//! One connection to Asterisk from its greeting to its end: login by challenge, actions out,
//! answers matched by ActionID, events told on. It never blocks on a slow reader of news.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use md5::{Digest, Md5};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::link::{Answer, Connector, Login, News, Request, Secret, Times};
use super::wire::{Action, Block, Decoder, Kind, Malformed, Message};
use crate::pbx::news::Teller;
use crate::pbx::{LinkState, PbxError};

/// Bytes written but not yet taken by the socket, beyond which actions are refused: the peer has
/// stopped reading.
const OUT_LIMIT: usize = 256 * 1024;

/// Actions that may be under way at once.
const PENDING_LIMIT: usize = 512;

/// Items of one list, beyond which it counts as broken.
const LIST_LIMIT: usize = 50_000;

/// Events that may come during login.
const EARLY_LIMIT: usize = 4096;

/// ActionIDs of the session's own.
const CHALLENGE: &str = "hotline-challenge";
const LOGIN: &str = "hotline-login";
const PING: &str = "hotline-ping";
const LOGOFF: &str = "hotline-logoff";

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// It could not be opened, or broke.
    Lost(String),
    /// The login was refused: a person has to change something.
    Refused(String),
    /// We are stopping.
    Stopped,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(why) | Self::Refused(why) => f.write_str(why),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl From<Malformed> for End {
    fn from(malformed: Malformed) -> Self {
        Self::Lost(malformed.to_string())
    }
}

/// An action that was written and is not answered yet.
struct Pending {
    name: String,
    answer: oneshot::Sender<Result<Answer, PbxError>>,
    /// The items so far, where the answer is a list.
    items: Option<Vec<Block>>,
    response: Option<Block>,
}

/// An open, logged-in connection.
pub(super) struct Session<S> {
    stream: S,
    decoder: Decoder,
    times: Times,
    /// Events that came before or with the answer to the login.
    early: Vec<Block>,
}

/// What is under way on a connection.
struct Desk<'a> {
    times: Times,
    state: &'a watch::Sender<LinkState>,
    news: &'a Teller<Block>,
    /// Bytes that the socket has not taken yet.
    out: Vec<u8>,
    pending: HashMap<String, Pending>,
    /// The deadlines in order: all actions have the same time.
    deadlines: VecDeque<(Instant, String)>,
    booted: bool,
    shutdown: bool,
}

/// Tells a new state to those who watch and, in order with the events, to those who read news.
pub(super) fn say(state: &watch::Sender<LinkState>, news: &Teller<Block>, next: LinkState) {
    let changed = state.send_if_modified(|old| {
        let changed = *old != next;
        *old = next.clone();
        changed
    });
    if changed {
        news.tell(News::Link(next));
    }
}

/// Connects and logs in.
pub(super) async fn open<C: Connector>(
    connector: &mut C,
    login: &Login,
    times: &Times,
) -> Result<Session<C::Stream>, End> {
    let secret = read_secret(&login.secret).await?;
    let stream = match tokio::time::timeout(times.connect, connector.connect()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(End::Lost(format!("cannot connect to Asterisk: {error}"))),
        Err(_) => {
            return Err(End::Lost(format!(
                "cannot connect to Asterisk within {:?}",
                times.connect
            )));
        }
    };
    let mut session = Session {
        stream,
        decoder: Decoder::new(),
        times: times.clone(),
        early: Vec::new(),
    };
    session.greet().await?;
    let challenge = Action::new("Challenge").with("AuthType", "MD5");
    let answer = session.step(CHALLENGE, &challenge).await?;
    let challenge = answer.get("Challenge").unwrap_or_default().to_owned();
    if !answer.is_success() || challenge.is_empty() {
        let message = answer.get("Message").unwrap_or("no challenge").to_owned();
        return Err(End::Refused(format!(
            "Asterisk gives no MD5 challenge: {message}"
        )));
    }
    let key = Action::new("Login")
        .with("AuthType", "MD5")
        .with("Username", login.username.clone())
        .with("Key", key(&challenge, &secret));
    let answer = session.step(LOGIN, &key).await?;
    if !answer.is_success() {
        let message = answer.get("Message").unwrap_or("no reason given");
        return Err(End::Refused(format!(
            "Asterisk refuses the user {:?}: {message}; compare username and secret_file with \
             manager.conf, and its permit lines with this machine's address",
            login.username
        )));
    }
    Ok(session)
}

/// Reads the first line of the secret's file.
async fn read_secret(secret: &Secret) -> Result<String, End> {
    match secret {
        Secret::Text(text) => Ok(text.clone()),
        Secret::File(path) => match tokio::fs::read_to_string(path).await {
            Ok(text) => Ok(text.lines().next().unwrap_or_default().to_owned()),
            Err(error) => Err(End::Lost(format!(
                "cannot read secret_file {}: {error}",
                path.display()
            ))),
        },
    }
}

/// The hexadecimal MD5 of challenge and secret.
fn key(challenge: &str, secret: &str) -> String {
    let digest = Md5::new()
        .chain_update(challenge)
        .chain_update(secret)
        .finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Waits for the banner.
    async fn greet(&mut self) -> Result<(), End> {
        let deadline = Instant::now() + self.times.connect;
        match self.message(deadline, "its greeting").await? {
            Message::Banner(_) => Ok(()),
            Message::Block(_) => Err(End::Lost("Asterisk did not greet".to_owned())),
        }
    }

    /// Sends one action of the login and waits for its answer; events are kept.
    async fn step(&mut self, id: &str, action: &Action) -> Result<Block, End> {
        let mut bytes = Vec::new();
        action
            .encode(id, &mut bytes)
            .map_err(|error| End::Refused(error.to_string()))?;
        let deadline = Instant::now() + self.times.connect;
        let lost =
            |error: std::io::Error| End::Lost(format!("connection to Asterisk broke: {error}"));
        tokio::time::timeout_at(deadline, self.stream.write_all(&bytes))
            .await
            .map_err(|_| End::Lost("Asterisk does not read".to_owned()))?
            .map_err(lost)?;
        loop {
            match self.message(deadline, action.name()).await? {
                Message::Block(block)
                    if block.kind() == Kind::Response && block.get("ActionID") == Some(id) =>
                {
                    return Ok(block);
                }
                Message::Block(block)
                    if block.kind() == Kind::Event && self.early.len() < EARLY_LIMIT =>
                {
                    self.early.push(block);
                }
                _ => {}
            }
        }
    }

    /// Reads one message under a deadline.
    async fn message(&mut self, deadline: Instant, awaited: &str) -> Result<Message, End> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(message) = self.decoder.next()? {
                return Ok(message);
            }
            match tokio::time::timeout_at(deadline, self.stream.read(&mut buffer)).await {
                Ok(Ok(0)) => return Err(End::Lost("Asterisk closed the connection".to_owned())),
                Ok(Ok(length)) => self.decoder.feed(&buffer[..length]),
                Ok(Err(error)) => {
                    return Err(End::Lost(format!("connection to Asterisk broke: {error}")));
                }
                Err(_) => {
                    let after = self.times.connect;
                    return Err(End::Lost(format!(
                        "Asterisk did not answer {awaited} within {after:?}"
                    )));
                }
            }
        }
    }

    /// Serves the connection until it ends. What was written and not answered is then told to be
    /// of unknown outcome.
    pub(super) async fn run(
        self,
        incoming: &mut mpsc::Receiver<Request>,
        state: &watch::Sender<LinkState>,
        news: &Teller<Block>,
        stop: &CancellationToken,
    ) -> End {
        let mut desk = Desk {
            times: self.times,
            state,
            news,
            out: Vec::new(),
            pending: HashMap::new(),
            deadlines: VecDeque::new(),
            booted: false,
            shutdown: false,
        };
        say(state, news, LinkState::Up);
        for block in self.early {
            desk.event(block);
        }
        let end = desk.serve(self.stream, self.decoder, incoming, stop).await;
        for (_, pending) in desk.pending.drain() {
            let _ = pending
                .answer
                .send(Err(unanswered(&pending.name, desk.times.action)));
        }
        end
    }
}

impl Desk<'_> {
    async fn serve<S: AsyncRead + AsyncWrite>(
        &mut self,
        stream: S,
        mut decoder: Decoder,
        incoming: &mut mpsc::Receiver<Request>,
        stop: &CancellationToken,
    ) -> End {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let broken =
            |error: std::io::Error| End::Lost(format!("connection to Asterisk broke: {error}"));
        let begun = Instant::now();
        let mut heard = begun;
        let mut pinged: Option<Instant> = None;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            loop {
                match decoder.next() {
                    Ok(Some(Message::Block(block))) => self.block(block),
                    Ok(Some(Message::Banner(_))) => {}
                    Ok(None) => break,
                    Err(malformed) => return malformed.into(),
                }
            }
            let alarm = self.next_alarm(begun, heard, pinged);
            tokio::select! {
                read = reader.read(&mut buffer) => match read {
                    Ok(0) if self.shutdown => return End::Lost("Asterisk has shut down".to_owned()),
                    Ok(0) => return End::Lost("Asterisk closed the connection".to_owned()),
                    Ok(length) => {
                        heard = Instant::now();
                        pinged = None;
                        decoder.feed(&buffer[..length]);
                    }
                    Err(error) => return broken(error),
                },
                written = writer.write(&self.out), if !self.out.is_empty() => match written {
                    Ok(length) => { self.out.drain(..length); }
                    Err(error) => return broken(error),
                },
                request = incoming.recv() => match request {
                    Some(request) => self.take(request),
                    None => break,
                },
                () = tokio::time::sleep_until(alarm) => {
                    let now = Instant::now();
                    self.expire(now);
                    if pinged.is_some_and(|at| now >= at + self.times.pong) {
                        let silence = self.times.ping + self.times.pong;
                        return End::Lost(format!("Asterisk is connected but silent for {silence:?}"));
                    }
                    if pinged.is_none() && now >= heard + self.times.ping {
                        pinged = Some(now);
                        let ping = Action::new("Ping").encode(PING, &mut self.out);
                        debug_assert!(ping.is_ok());
                    }
                    self.give_up_waiting_for_boot(begun, now);
                },
                () = stop.cancelled() => break,
            }
        }
        if Action::new("Logoff").encode(LOGOFF, &mut self.out).is_ok() {
            let goodbye = writer.write_all(&self.out);
            let _ = tokio::time::timeout(Duration::from_millis(200), goodbye).await;
        }
        End::Stopped
    }

    /// Takes Asterisk for booted when it may not tell us.
    fn give_up_waiting_for_boot(&mut self, begun: Instant, now: Instant) {
        if !self.booted && now >= begun + self.times.booted {
            tracing::warn!(
                "Asterisk has not said that it is booted: give the manager user the read class system"
            );
            self.booted = true;
            say(self.state, self.news, LinkState::Ready);
        }
    }

    /// When something is to be done though nothing arrives.
    fn next_alarm(&self, begun: Instant, heard: Instant, pinged: Option<Instant>) -> Instant {
        let mut alarm = match pinged {
            Some(at) => at + self.times.pong,
            None => heard + self.times.ping,
        };
        if let Some((deadline, _)) = self.deadlines.front() {
            alarm = alarm.min(*deadline);
        }
        if !self.booted {
            alarm = alarm.min(begun + self.times.booted);
        }
        alarm
    }

    /// Writes an action down, or says why not.
    fn take(&mut self, request: Request) {
        if request.answer.is_closed() {
            return;
        }
        if Instant::now() >= request.deadline {
            return request.not_sent("the action waited too long to be sent");
        }
        if self.out.len() > OUT_LIMIT || self.pending.len() >= PENDING_LIMIT {
            return request.not_sent("Asterisk does not keep up with the actions");
        }
        if let Err(error) = request.action.encode(&request.id, &mut self.out) {
            let error = PbxError::Unsendable {
                field: error.field,
                why: error.what.to_owned(),
            };
            let _ = request.answer.send(Err(error));
            return;
        }
        self.deadlines
            .push_back((request.deadline, request.id.clone()));
        self.pending.insert(
            request.id,
            Pending {
                name: request.action.name().to_owned(),
                answer: request.answer,
                items: request.list.then(Vec::new),
                response: None,
            },
        );
    }

    /// Gives up what has waited too long.
    fn expire(&mut self, now: Instant) {
        while let Some((deadline, id)) = self.deadlines.front()
            && (*deadline <= now || !self.pending.contains_key(id))
        {
            if let Some(pending) = self.pending.remove(id) {
                let _ = pending
                    .answer
                    .send(Err(unanswered(&pending.name, self.times.action)));
            }
            self.deadlines.pop_front();
        }
    }

    fn block(&mut self, block: Block) {
        match block.kind() {
            Kind::Response => self.response(block),
            Kind::Event => self.event(block),
            Kind::Unknown => tracing::debug!(first = ?block.0.first(), "unknown block of Asterisk"),
        }
    }

    /// Gives a response to the action it answers.
    fn response(&mut self, block: Block) {
        let Some(id) = block.get("ActionID").map(str::to_owned) else {
            return;
        };
        let Some(pending) = self.pending.get_mut(&id) else {
            return;
        };
        if !block.is_success() {
            let message = block.get("Message").unwrap_or("no reason given").to_owned();
            self.finish(&id, |pending, _| {
                Err(PbxError::Refused {
                    action: pending.name.clone(),
                    message,
                })
            });
        } else if pending.items.is_some() {
            pending.response = Some(block);
        } else {
            self.finish(&id, |_, _| {
                Ok(Answer {
                    response: block,
                    items: Vec::new(),
                })
            });
        }
    }

    /// Puts an event into the list it belongs to, or tells it on.
    fn event(&mut self, block: Block) {
        if let Some(id) = block.get("ActionID")
            && let Some(pending) = self.pending.get_mut(id)
            && let Some(items) = &mut pending.items
        {
            let id = id.to_owned();
            match block.get("EventList") {
                Some(end) if end.eq_ignore_ascii_case("Complete") => {
                    self.finish(&id, |pending, items| {
                        let response = pending.response.take().unwrap_or_default();
                        Ok(Answer { response, items })
                    });
                }
                Some(_) => self.break_list(&id, "Asterisk cancelled the list"),
                None if items.len() >= LIST_LIMIT => self.break_list(&id, "the list is too long"),
                None => items.push(block),
            }
            return;
        }
        let booted = block.is_event("FullyBooted");
        self.shutdown |= block.is_event("Shutdown");
        self.news.tell(News::Event(Arc::new(block)));
        if booted {
            self.booted = true;
            say(self.state, self.news, LinkState::Ready);
        }
    }

    fn break_list(&mut self, id: &str, why: &str) {
        self.finish(id, |pending, _| {
            Err(PbxError::Refused {
                action: pending.name.clone(),
                message: why.to_owned(),
            })
        });
    }

    fn finish(
        &mut self,
        id: &str,
        answer: impl FnOnce(&mut Pending, Vec<Block>) -> Result<Answer, PbxError>,
    ) {
        if let Some(mut pending) = self.pending.remove(id) {
            let items = pending.items.take().unwrap_or_default();
            let answer = answer(&mut pending, items);
            let _ = pending.answer.send(answer);
        }
        while let Some((_, id)) = self.deadlines.front()
            && !self.pending.contains_key(id)
        {
            self.deadlines.pop_front();
        }
    }
}

fn unanswered(action: &str, after: Duration) -> PbxError {
    PbxError::Unanswered {
        action: action.to_owned(),
        after,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_key_is_the_one_that_asterisk_accepted() {
        assert_eq!(
            super::key("645042251", "botsecret"),
            "c4600aeb566bb35e2593dc5e548ae451"
        );
    }
}
