//! One caller's channel on the switch played by the test: it connects to Hotline's door, answers as
//! recorded channels do, and has real audio.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hotline::words::CallId;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use super::recording::Recording;
use super::speaker::Speaker;
use super::switch::Wire;
use crate::stage::LONG;

/// What is special about a channel.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) rate: usize,
    /// Whether the caller's phone sends a frame every 20 ms.
    pub(super) talks: bool,
    /// Whether not even the first frame is sent, which says that there is audio.
    pub(super) silent: bool,
    /// Where many phones speak from, instead of one of the channel's own.
    pub(super) speaker: Option<Arc<Speaker>>,
    /// Commands that begin so are never answered.
    pub(super) ignored: &'static str,
    /// What is different in the channel's description.
    pub(super) changes: Vec<(String, String)>,
    /// Headers that are added to it.
    pub(super) more: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            rate: 8000,
            talks: true,
            silent: false,
            speaker: None,
            ignored: "(none)",
            changes: Vec::new(),
            more: String::new(),
        }
    }
}

/// The switch's end of one call.
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) audio: Arc<UdpSocket>,
    frame: usize,
    hotline: watch::Receiver<Option<SocketAddr>>,
    commands: mpsc::UnboundedReceiver<(Instant, String)>,
    says: mpsc::UnboundedSender<String>,
    task: JoinHandle<()>,
    talking: Option<JoinHandle<()>>,
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.talking.take().inspect(JoinHandle::abort);
        self.task.abort();
    }
}

/// A frame that is known again.
pub(super) fn frame(samples: usize, mark: i16) -> Vec<u8> {
    mark.to_le_bytes().repeat(samples)
}

impl Channel {
    /// Has the dialplan's `socket` reached.
    pub(super) async fn call(door: SocketAddr, plan: Plan) -> Self {
        let id = Uuid::new_v4().to_string();
        let stream = TcpStream::connect(door).await.unwrap();
        let audio = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let (commands_in, commands) = mpsc::unbounded_channel();
        let (says, to_say) = mpsc::unbounded_channel();
        let (hotline_in, hotline) = watch::channel(None);
        let frame = plan.rate / 50;
        let end = End {
            id: id.clone(),
            plan: plan.clone(),
            wire: Wire::new(stream),
            commands: commands_in,
            hotline: hotline_in,
        };
        let task = tokio::spawn(end.run(to_say));
        let talks = talk(Arc::clone(&audio), hotline.clone(), frame, plan.talks);
        let talking = (!plan.silent && plan.speaker.is_none()).then(|| tokio::spawn(talks));
        Self {
            id,
            audio,
            frame,
            hotline,
            commands,
            says,
            task,
            talking,
        }
    }

    pub(super) fn call_id(&self) -> CallId {
        CallId(self.id.parse().unwrap())
    }

    /// Waits until the switch knows where audio is to go, and returns that.
    pub(super) async fn hotline(&self) -> SocketAddr {
        let mut hotline = self.hotline.clone();
        let known = timeout(LONG, hotline.wait_for(Option::is_some)).await;
        known.unwrap().unwrap().unwrap()
    }

    /// The next command, without the channel's own id.
    pub(super) async fn command(&mut self) -> String {
        self.timed_command().await.1
    }

    pub(super) async fn timed_command(&mut self) -> (Instant, String) {
        let next = timeout(LONG, self.commands.recv()).await.unwrap();
        let (at, command) = next.expect("Hotline has closed the connection");
        (at, command.replace(&self.id, "ID"))
    }

    /// Waits for a command that begins so, past those of the watchdog and all others.
    pub(super) async fn until(&mut self, beginning: &str) -> String {
        loop {
            let command = self.command().await;
            if command.starts_with(beginning) {
                return command;
            }
        }
    }

    /// The commands that come within so long.
    pub(super) async fn commands_within(&mut self, within: Duration) -> Vec<String> {
        let (end, mut commands) = (Instant::now() + within, Vec::new());
        while let Ok(Some((_, command))) = timeout_at(end, self.commands.recv()).await {
            commands.push(command.replace(&self.id, "ID"));
        }
        commands
    }

    /// Waits until Hotline has closed the connection; returns the commands that it still sent.
    pub(super) async fn closed(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        while let Some((_, command)) = timeout(LONG, self.commands.recv()).await.unwrap() {
            rest.push(command.replace(&self.id, "ID"));
        }
        rest
    }

    /// Says what the recorded switch said after so many commands.
    pub(super) fn play(&self, recording: &str, after: usize) {
        for event in Recording::read(recording).events(after, &self.id) {
            self.say(event);
        }
    }

    /// The same, but nothing from an event of this name on.
    pub(super) fn play_until(&self, recording: &str, after: usize, end: &str) {
        let end = format!("Event-Name: {end}\n");
        let events = Recording::read(recording).events(after, &self.id);
        for event in events.into_iter().take_while(|event| !event.contains(&end)) {
            self.say(event);
        }
    }

    pub(super) fn say(&self, text: String) {
        let _ = self.says.send(text);
    }

    /// An event of this channel.
    pub(super) fn tell(&self, name: &str, more: &str) {
        let headers = format!("Event-Name: {name}\nUnique-ID: {}\n{more}", self.id);
        self.say(super::switch::event(&headers));
    }

    /// Sends one frame.
    pub(super) async fn send(&self, mark: i16) {
        let frame = frame(self.frame, mark);
        self.audio
            .send_to(&frame, self.hotline().await)
            .await
            .unwrap();
    }

    /// Waits for one datagram of Hotline's.
    pub(super) async fn hear(&self, within: Duration) -> Option<Vec<u8>> {
        let mut datagram = vec![0; 65_536];
        let heard = timeout(within, self.audio.recv(&mut datagram)).await.ok()?;
        datagram.truncate(heard.unwrap());
        Some(datagram)
    }
}

/// Sends a first frame as soon as there is somebody to hear it, and then one every 20 ms.
async fn talk(
    audio: Arc<UdpSocket>,
    mut hotline: watch::Receiver<Option<SocketAddr>>,
    samples: usize,
    goes_on: bool,
) {
    let Ok(known) = hotline.wait_for(Option::is_some).await.map(|known| *known) else {
        return;
    };
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    for mark in (0..1000).cycle() {
        clock.tick().await;
        let _ = audio.send_to(&frame(samples, mark), known.unwrap()).await;
        if !goes_on {
            return;
        }
    }
}

/// A command with its headers' names in small letters: FreeSWITCH does not tell them apart.
fn plain(command: &str) -> String {
    let (order, headers) = command.split_once('\n').unwrap_or((command, ""));
    let mut lines = vec![order.to_owned()];
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        lines.push(format!("{}: {value}", name.to_lowercase()));
    }
    lines.join("\n")
}

/// The task that holds the connection.
struct End {
    id: String,
    plan: Plan,
    wire: Wire,
    commands: mpsc::UnboundedSender<(Instant, String)>,
    hotline: watch::Sender<Option<SocketAddr>>,
}

impl End {
    async fn run(mut self, mut to_say: mpsc::UnboundedReceiver<String>) {
        loop {
            tokio::select! {
                command = self.wire.command() => match command {
                    None => return,
                    Some(command) => {
                        let command = plain(&command);
                        if !command.starts_with(self.plan.ignored) {
                            self.answer(&command).await;
                        }
                        let _ = self.commands.send((Instant::now(), command));
                    }
                },
                Some(text) = to_say.recv() => self.wire.say(&text).await,
            }
        }
    }

    /// Answers what a recorded channel was asked; anything else is a fault of Hotline's.
    async fn answer(&mut self, command: &str) {
        let id = &self.id;
        let fallback = format!("api sched_transfer +2 {id} fallback XML hotline-fallback");
        let about = |order: &str| command.starts_with(&format!("api {order} {id} "));
        match command {
            "connect" => {
                let described = self.described();
                self.wire.say(&described).await;
            }
            "myevents plain" => self.wire.reply("+OK Events Enabled").await,
            "event plain CUSTOM callcenter::info hotline::went_on" => {
                self.wire.reply("+OK event listener enabled plain").await;
            }
            "divert_events on" => self.wire.reply("+OK events diverted").await,
            "linger 5" => self.wire.reply("+OK will linger 5 seconds").await,
            "sendmsg\ncall-command: hangup\nhangup-cause: NORMAL_CLEARING" => {
                self.wire.reply("+OK").await;
            }
            unicast if unicast.starts_with("sendmsg\ncall-command: unicast\n") => {
                self.wire.reply("+OK").await;
                let port = super::recording::header(unicast, "remote-port").unwrap();
                let hotline: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
                if let Some(speaker) = &self.plan.speaker {
                    speaker.call(hotline);
                }
                self.hotline.send_replace(Some(hotline));
            }
            _ if command == fallback => self.wire.print("+OK\n").await,
            _ if command == format!("api sched_del {id}") => {
                self.wire.print("+OK Deleted: 1\n").await;
            }
            _ if command == format!("api uuid_exists {id}") => self.wire.print("true").await,
            _ if about("uuid_setvar") || about("uuid_transfer") => self.wire.print("+OK\n").await,
            other => panic!("a real switch was never asked this: {other:?}"),
        }
    }

    /// The recorded description of a channel, for this one.
    fn described(&self) -> String {
        static RECORDED: LazyLock<(String, String)> = LazyLock::new(|| {
            let recording = Recording::read("outbound-call");
            (recording.messages().remove(0).head, recording.channel())
        });
        let (described, recorded) = &*RECORDED;
        let mut described = described.replace(recorded, &self.id).replace(
            "Codec-Rate: 8000",
            &format!("Codec-Rate: {}", self.plan.rate),
        );
        for (old, new) in &self.plan.changes {
            assert!(described.contains(old), "{old}");
            described = described.replace(old, new);
        }
        format!("{described}{}\n", self.plan.more)
    }
}
