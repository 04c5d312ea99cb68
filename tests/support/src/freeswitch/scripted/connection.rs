//! One connection of the event socket: the commands that come in, the replies and events that go out.
//! It is the same for a client that has connected and for one that a call was given to.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::command::{self, Reply};
use super::event::Event;
use super::leg::Leg;
use super::switch::{Switch, lock};

/// Events the real switch keeps for a client that does not read them.
const MOST: usize = 100_000;
/// Events lost after which the real switch gives the client up.
const LOST: usize = 500;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// What goes to a connection from elsewhere in the switch.
enum Item {
    Event(Arc<Event>),
    /// The leg that the connection belongs to is over.
    Over,
    ShutDown,
}

/// What a client has asked to be told.
#[derive(Debug, Default)]
pub(super) struct Wants {
    pub(super) all: bool,
    pub(super) names: HashSet<String>,
    pub(super) subclasses: HashSet<String>,
    pub(super) json: bool,
    /// Only what is about this leg.
    pub(super) mine: Option<String>,
    pub(super) filters: Vec<(String, String)>,
}

/// The switch's side of a connection.
pub(super) struct Listener {
    pub(super) id: u64,
    /// The leg that was given to this connection.
    pub(super) leg: Option<Arc<Leg>>,
    pub(super) wants: Mutex<Wants>,
    pub(super) authorised: AtomicBool,
    pub(super) linger: Mutex<Option<u64>>,
    pub(super) closed: watch::Sender<bool>,
    pub(super) commands: AtomicU64,
    items: mpsc::UnboundedSender<Item>,
    waiting: AtomicUsize,
    lost: AtomicUsize,
    told: AtomicU64,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Listener")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Listener {
    /// Tells whether the client has asked for an event.
    pub(super) fn wants(&self, event: &Event) -> bool {
        let wants = lock(&self.wants);
        let subclass = event.get("Event-Subclass").unwrap_or_default();
        let asked = wants.all
            || (wants.names.contains(event.name())
                && (event.name() != "CUSTOM" || wants.subclasses.contains(subclass)));
        let mine = wants.mine.as_deref().is_none_or(|mine| {
            let about = [event.get("Unique-ID"), event.get("Job-Owner-UUID")];
            // The connection of a call does not hear of the very end any more.
            let destroyed = event.get("Channel-State") == Some("CS_DESTROY");
            about.contains(&Some(mine)) && !destroyed
        });
        let passes = wants.filters.is_empty()
            || wants
                .filters
                .iter()
                .any(|(name, value)| event.get(name) == Some(value));
        asked && mine && passes
    }

    pub(super) fn give(&self, event: Arc<Event>) {
        if self.waiting.load(Ordering::Relaxed) >= MOST {
            if self.lost.fetch_add(1, Ordering::Relaxed) >= LOST {
                let _ = self.items.send(Item::ShutDown);
            }
            return;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = self.items.send(Item::Event(event));
    }

    pub(super) fn over(&self) {
        let _ = self.items.send(Item::Over);
    }

    pub(super) fn shut_down(&self) {
        let _ = self.items.send(Item::ShutDown);
    }

    /// Returns how many events were written, wait to be written, and were lost.
    pub(super) fn counts(&self) -> (u64, usize, usize) {
        (
            self.told.load(Ordering::Relaxed),
            self.waiting.load(Ordering::Relaxed),
            self.lost.load(Ordering::Relaxed),
        )
    }
}

/// Begins to serve a connection; the returned half is known to the switch at once.
pub(super) fn open(
    switch: &Arc<Switch>,
    stream: TcpStream,
    leg: Option<Arc<Leg>>,
) -> Arc<Listener> {
    let (items, queue) = mpsc::unbounded_channel();
    let listener = Arc::new(Listener {
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        authorised: AtomicBool::new(leg.is_some()),
        leg,
        wants: Mutex::default(),
        linger: Mutex::default(),
        closed: watch::Sender::new(false),
        commands: AtomicU64::new(0),
        items,
        waiting: AtomicUsize::new(0),
        lost: AtomicUsize::new(0),
        told: AtomicU64::new(0),
    });
    switch.add_listener(Arc::clone(&listener));
    let (served, by) = (Arc::clone(&listener), Arc::clone(switch));
    switch.runtime.spawn(async move {
        let mut connection = Connection {
            switch: Arc::clone(&by),
            listener: Arc::clone(&served),
            stream,
            received: Vec::new(),
            queue,
            ends: None,
        };
        // A client that is gone is no fault of the switch.
        let _ = connection.serve().await;
        by.remove_listener(served.id);
        served.closed.send_replace(true);
    });
    listener
}

struct Connection {
    switch: Arc<Switch>,
    listener: Arc<Listener>,
    stream: TcpStream,
    received: Vec<u8>,
    queue: mpsc::UnboundedReceiver<Item>,
    /// When a connection that lingers ends.
    ends: Option<Instant>,
}

impl Connection {
    async fn serve(&mut self) -> std::io::Result<()> {
        self.stream.set_nodelay(true)?;
        if self.listener.leg.is_none() {
            if self.switch.kept.rejects.load(Ordering::Relaxed) {
                let text = "Access Denied, go away.\n";
                let head = format!(
                    "Content-Type: text/rude-rejection\nContent-Length: {}\n\n",
                    text.len()
                );
                self.stream.write_all((head + text).as_bytes()).await?;
                return self.say_goodbye(GOODBYE).await;
            }
            self.stream
                .write_all(b"Content-Type: auth/request\n\n")
                .await?;
        }
        loop {
            while let Some(command) = self.take_command() {
                if self.answer(&command).await? {
                    return Ok(());
                }
            }
            let ends = self.ends;
            let end = async move {
                match ends {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                read = self.stream.read_buf(&mut self.received) => if read? == 0 {
                    return Ok(());
                },
                item = self.queue.recv() => match item {
                    None => return Ok(()),
                    Some(item) => if self.pass(item).await? {
                        return Ok(());
                    },
                },
                () = end => return self.say_goodbye(GOODBYE).await,
            }
        }
    }

    /// Writes an item and those that wait behind it; tells whether the connection is over.
    async fn pass(&mut self, first: Item) -> std::io::Result<bool> {
        let json = lock(&self.listener.wants).json;
        let mut text = String::new();
        let mut next = Some(first);
        while let Some(item) = next {
            match item {
                Item::Event(event) => {
                    self.listener.waiting.fetch_sub(1, Ordering::Relaxed);
                    self.listener.told.fetch_add(1, Ordering::Relaxed);
                    text.push_str(&if json { event.json() } else { event.plain() });
                }
                Item::Over => {
                    let linger = *lock(&self.listener.linger);
                    let Some(seconds) = linger else {
                        self.stream.write_all(text.as_bytes()).await?;
                        self.say_goodbye(GOODBYE).await?;
                        return Ok(true);
                    };
                    text.push_str(&self.lingering(seconds));
                    // Recorded: half a second more than was asked for.
                    let more = Duration::from_millis(500);
                    self.ends = Some(Instant::now() + Duration::from_secs(seconds) + more);
                }
                Item::ShutDown => {
                    self.stream.write_all(text.as_bytes()).await?;
                    self.say_goodbye("The system is being shut down.\n").await?;
                    return Ok(true);
                }
            }
            next = match text.len() {
                0..65_536 => self.queue.try_recv().ok(),
                _ => None,
            };
        }
        self.stream.write_all(text.as_bytes()).await?;
        Ok(false)
    }

    /// Answers a command; tells whether the connection is over.
    async fn answer(&mut self, command: &str) -> std::io::Result<bool> {
        self.listener.commands.fetch_add(1, Ordering::Relaxed);
        let reply = command::run(&self.switch, &self.listener, command).await;
        let (text, over) = match reply {
            Reply::Command(text) => (command_reply(&text), false),
            Reply::Job(id) => (
                format!(
                    "Content-Type: command/reply\nReply-Text: +OK Job-UUID: {id}\nJob-UUID: {id}\n\n"
                ),
                false,
            ),
            Reply::Api(body) => (
                format!(
                    "Content-Type: api/response\nContent-Length: {}\n\n{body}",
                    body.len()
                ),
                false,
            ),
            Reply::Channel(event) => (event.lines() + "\n", false),
            Reply::Last(text) => (command_reply(&text), true),
        };
        self.stream.write_all(text.as_bytes()).await?;
        if over {
            self.say_goodbye(GOODBYE).await?;
        }
        Ok(over)
    }

    /// Takes the first whole command from what was received.
    fn take_command(&mut self) -> Option<String> {
        // Empty lines between commands mean nothing.
        let blank = self
            .received
            .iter()
            .take_while(|&&byte| byte == b'\n' || byte == b'\r')
            .count();
        self.received.drain(..blank);
        let end = self.received.windows(2).position(|pair| pair == b"\n\n")?;
        let command: Vec<u8> = self.received.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&command[..end]).replace('\r', ""))
    }

    fn lingering(&self, seconds: u64) -> String {
        let (id, name) = self.leg_names();
        format!(
            "Content-Type: text/disconnect-notice\nControlled-Session-UUID: {id}\n\
             Content-Disposition: linger\nChannel-Name: {name}\nLinger-Time: {seconds}\n\
             Content-Length: 0\n\n"
        )
    }

    async fn say_goodbye(&mut self, text: &str) -> std::io::Result<()> {
        let mut head = "Content-Type: text/disconnect-notice\n".to_owned();
        if self.listener.leg.is_some() {
            let (id, _) = self.leg_names();
            head.push_str(&format!(
                "Controlled-Session-UUID: {id}\nContent-Disposition: disconnect\n"
            ));
        }
        let whole = format!("{head}Content-Length: {}\n\n{text}", text.len());
        self.stream.write_all(whole.as_bytes()).await?;
        self.stream.shutdown().await
    }

    fn leg_names(&self) -> (String, String) {
        self.listener
            .leg
            .as_ref()
            .map_or((String::new(), String::new()), |leg| {
                (leg.id.clone(), leg.facts().channel.clone())
            })
    }
}

const GOODBYE: &str = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";

fn command_reply(text: &str) -> String {
    format!("Content-Type: command/reply\nReply-Text: {text}\n\n")
}
