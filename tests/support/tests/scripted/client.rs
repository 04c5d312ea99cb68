//! A small client of the event socket that looks at every byte, and the bot that calls are given to.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use street::freeswitch::scripted::recorded::{self, Message};
use street::freeswitch::scripted::{Event, Plan, Scripted};
use street::phone::{Answering, Call, Caller, Phone};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

pub(crate) const SOON: Duration = Duration::from_secs(5);

/// The contexts of the recordings: 9000 parks, 9001 is the bot's and then the queue's, 9200 is the queue's.
pub(crate) fn recorded_dialplan(port: u16) -> String {
    format!(
        r#"<include><context name="default">
        <extension name="park"><condition field="destination_number" expression="^9000$">
          <action application="answer"/><action application="park"/></condition></extension>
        <extension name="bot"><condition field="destination_number" expression="^9001$">
          <action application="answer"/>
          <action application="set" data="hangup_after_bridge=false"/>
          <action application="socket" data="127.0.0.1:{port} async full"/>
          <action application="log" data="NOTICE the bot is gone, on to the queue"/>
          <action application="callcenter" data="support@default"/></condition></extension>
        <extension name="queue"><condition field="destination_number" expression="^9200$">
          <action application="answer"/>
          <action application="callcenter" data="support@default"/></condition></extension>
        </context></include>"#
    )
}

/// One connection of the event socket.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    messages: VecDeque<Message>,
    events: VecDeque<Event>,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            received: Vec::new(),
            messages: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Connects without logging in.
    pub(crate) async fn knock(scripted: &Scripted) -> Self {
        let address = (Ipv4Addr::LOCALHOST, scripted.esl_port());
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    /// Connects, logs in and asks for events.
    pub(crate) async fn login(scripted: &Scripted, events: &str) -> Self {
        let mut client = Self::knock(scripted).await;
        client.message().await.unwrap();
        let reply = client.say(&format!("auth {}", scripted.password())).await;
        assert_eq!(
            reply.head,
            "Content-Type: command/reply\nReply-Text: +OK accepted"
        );
        if !events.is_empty() {
            client.say(&format!("event plain {events}")).await;
        }
        client
    }

    pub(crate) async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends a command and returns its reply; events that come first are kept.
    pub(crate) async fn say(&mut self, command: &str) -> Message {
        self.write(&format!("{command}\n\n")).await;
        loop {
            let message = self.raw().await.unwrap();
            match Event::read_plain(&message.body) {
                Some(event) if message.get("Content-Type") == Some("text/event-plain") => {
                    self.events.push_back(event);
                }
                _ => return message,
            }
        }
    }

    /// Runs an `api` and returns what it prints.
    pub(crate) async fn api(&mut self, command: &str) -> String {
        let reply = self.say(&format!("api {command}")).await;
        assert_eq!(
            reply.get("Content-Type"),
            Some("api/response"),
            "{command}: {reply:?}"
        );
        reply.body
    }

    /// Returns the next message, whatever it is; nothing at the end of the connection.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        self.raw().await
    }

    /// Returns the next event of that name, or of the call centre's action of that name.
    pub(crate) async fn event(&mut self, name: &str) -> Event {
        let wanted = |event: &Event| event.name() == name || event.get("CC-Action") == Some(name);
        loop {
            let event = self.next_event().await;
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Returns the next event.
    pub(crate) async fn next_event(&mut self) -> Event {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        loop {
            let message = self.raw().await.expect("the connection has ended");
            if message.get("Content-Type") == Some("text/event-plain") {
                return Event::read_plain(&message.body).unwrap();
            }
        }
    }

    async fn raw(&mut self) -> Option<Message> {
        let read = async {
            loop {
                if let Some(message) = self.messages.pop_front() {
                    return Some(message);
                }
                self.split();
                if !self.messages.is_empty() {
                    continue;
                }
                if self.stream.read_buf(&mut self.received).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), read)
            .await
            .expect("nothing came")
    }

    /// Takes whole messages from what was received.
    fn split(&mut self) {
        while let Some(end) = self.received.windows(2).position(|pair| pair == b"\n\n") {
            let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "));
            let whole = end + 2 + length.map_or(0, |length| length.parse().unwrap());
            if self.received.len() < whole {
                return;
            }
            let bytes: Vec<u8> = self.received.drain(..whole).collect();
            self.messages.extend(recorded::messages(&bytes));
        }
    }
}

/// Where calls are given to a bot.
pub(crate) struct Door {
    listener: TcpListener,
}

impl Door {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self { listener }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Takes the next call.
    pub(crate) async fn call(&self) -> Client {
        let accepted = tokio::time::timeout(SOON, self.listener.accept()).await;
        Client::new(accepted.expect("no call came").unwrap().0)
    }
}

/// A switch with the recordings' dialplan, a caller and a bot.
pub(crate) struct Stage {
    pub(crate) scripted: Scripted,
    pub(crate) caller: Phone,
    pub(crate) agent: Phone,
    pub(crate) door: Door,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let door = Door::open().await;
        let agent = Phone::new("a1").unwrap().answering(Answering::ByHand);
        let plan = Plan::bare()
            .dialplan(&recorded_dialplan(door.port()))
            .agent("a1@default", agent.port())
            .queue("support@default", &["a1@default"]);
        Self {
            scripted: Scripted::start(plan).unwrap(),
            caller: Phone::new("+4500000017").unwrap(),
            agent,
            door,
        }
    }

    /// Dials as the caller of the recordings.
    pub(crate) fn dial(&self, number: &str) -> Call {
        let name = Caller::new().name("Søren Ærø");
        self.caller
            .dial_as(self.scripted.sip(), number, &name)
            .unwrap()
    }

    /// Lets the caller reach the bot; the bot says what every bot says first.
    pub(crate) async fn bot(&self) -> (Call, Bot) {
        let call = self.dial("9001");
        let mut client = self.door.call().await;
        let connected = client.say("connect").await;
        let id = connected.get("Unique-ID").unwrap().to_owned();
        for command in [
            "myevents plain",
            "event plain CUSTOM callcenter::info hotline::went_on",
            "divert_events on",
            "linger 1",
        ] {
            let reply = client.say(command).await;
            assert!(
                reply.get("Reply-Text").unwrap().starts_with("+OK"),
                "{command}: {reply:?}"
            );
        }
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        (call, Bot { client, id, socket })
    }
}

/// A bot that holds a call.
pub(crate) struct Bot {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) socket: UdpSocket,
}

impl Bot {
    /// Begins unicast and waits for the first datagram.
    pub(crate) async fn unicast(&mut self) {
        let reply = self.ask_unicast().await;
        assert_eq!(reply.head, "Content-Type: command/reply\nReply-Text: +OK");
        self.hear().await;
    }

    pub(crate) async fn ask_unicast(&mut self) -> Message {
        let port = self.socket.local_addr().unwrap().port();
        let message = format!(
            "sendmsg\ncall-command: unicast\nlocal-ip: 127.0.0.1\nlocal-port: 0\n\
             remote-ip: 127.0.0.1\nremote-port: {port}\ntransport: udp"
        );
        self.client.say(&message).await
    }

    /// Receives a datagram.
    pub(crate) async fn hear(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 4096];
        let received = tokio::time::timeout(SOON, self.socket.recv_from(&mut buffer)).await;
        let (length, from) = received.expect("no datagram came").unwrap();
        self.socket.connect(from).await.unwrap();
        buffer.truncate(length);
        buffer
    }

    /// Sends a datagram.
    pub(crate) async fn speak(&self, datagram: &[u8]) {
        self.socket.send(datagram).await.unwrap();
    }
}
