//! A switch for tests: the other end of our link, played line by line. It knows of FreeSWITCH only how
//! it greets, answers and tells.

use std::fmt::Write as _;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// The password that it wants.
pub(super) const PASSWORD: &str = "secret";

/// A place where our link connects to.
pub(super) struct Switch(TcpListener);

/// One connection.
pub(super) struct Line {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Switch {
    pub(super) async fn open() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    pub(super) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Waits for a connection and says nothing on it.
    pub(super) async fn accept(&self) -> Line {
        let (stream, _) = self.0.accept().await.unwrap();
        Line::new(stream)
    }

    /// Waits for a connection and asks it for the password; returns what was said.
    pub(super) async fn greet(&self) -> (Line, String) {
        let mut line = self.accept().await;
        line.write("Content-Type: auth/request\n\n").await;
        let said = line.next().await.unwrap();
        (line, said)
    }

    /// Lets a link in and takes its subscription.
    pub(super) async fn let_in(&self) -> Line {
        let (mut line, said) = self.greet().await;
        assert_eq!(said, format!("auth {PASSWORD}"));
        line.reply("+OK accepted").await;
        let wanted = line.next().await.unwrap();
        assert!(wanted.starts_with("event plain "), "{wanted}");
        line.reply("+OK event listener enabled plain").await;
        line
    }
}

impl Line {
    fn new(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            reader: BufReader::new(reader),
            writer,
        }
    }

    /// Returns the next command, or nothing when the link has hung up.
    pub(super) async fn next(&mut self) -> Option<String> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" if lines.is_empty() => {}
                "" => break,
                text => lines.push(text.to_owned()),
            }
        }
        assert_eq!(lines.len(), 1, "a command of one line: {lines:?}");
        lines.pop()
    }

    /// Returns the next command but those that ask for the time, which are answered.
    pub(super) async fn command(&mut self) -> String {
        loop {
            let command = self.next().await.expect("the link has hung up");
            match command.as_str() {
                "api strepoch" => self.answer("1795335974").await,
                _ => return command,
            }
        }
    }

    /// Waits to be asked for the time, and tells it.
    pub(super) async fn tell_time(&mut self) {
        assert_eq!(self.next().await.as_deref(), Some("api strepoch"));
        self.answer("1795335974").await;
    }

    /// Waits for a command that begins so, answers it, and returns it.
    pub(super) async fn expect(&mut self, beginning: &str, answer: &str) -> String {
        let command = self.command().await;
        assert!(
            command.starts_with(beginning),
            "{command} is no {beginning}"
        );
        match beginning.starts_with("bgapi") {
            true => {
                self.reply("+OK Job-UUID: 7f4db78a-17d7-4b8a-b2ea-1c7b2a3b4c5d")
                    .await
            }
            false => self.answer(answer).await,
        }
        command
    }

    pub(super) async fn reply(&mut self, text: &str) {
        self.write(&format!(
            "Content-Type: command/reply\nReply-Text: {text}\n\n"
        ))
        .await;
    }

    pub(super) async fn answer(&mut self, body: &str) {
        let length = body.len();
        let text = format!("Content-Type: api/response\nContent-Length: {length}\n\n{body}");
        self.write(&text).await;
    }

    /// Tells an event.
    pub(super) async fn tell(&mut self, name: &str, headers: &[(&str, &str)], body: &str) {
        let mut text = format!("Event-Name: {name}\n");
        for (name, value) in headers {
            writeln!(
                text,
                "{name}: {}",
                value.replace('%', "%25").replace('\n', "%0A")
            )
            .unwrap();
        }
        match body {
            "" => text.push('\n'),
            body => write!(text, "Content-Length: {}\n\n{body}", body.len()).unwrap(),
        }
        let length = text.len();
        self.write(&format!(
            "Content-Length: {length}\nContent-Type: text/event-plain\n\n{text}"
        ))
        .await;
    }

    /// Tells what came out of an order to dial, as `bgapi` was given it.
    pub(super) async fn job(&mut self, order: &str, result: &str) {
        let arguments = order.strip_prefix("bgapi originate ").unwrap();
        let headers = [("Job-Command", "originate"), ("Job-Command-Arg", arguments)];
        self.tell("BACKGROUND_JOB", &headers, &format!("{result}\n"))
            .await;
    }

    /// Ends the connection.
    pub(super) async fn hang_up(&mut self) {
        self.writer.shutdown().await.unwrap();
    }

    /// Sends anything.
    pub(super) async fn write(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
    }
}
