//! As much of Asterisk's manager as Hotline needs to admit a call: it logs everyone in, has no
//! channels and no queues, and announces calls.

use anyhow::Result;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A manager; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Manager {
    port: u16,
    events: broadcast::Sender<String>,
    task: JoinHandle<()>,
}

impl Manager {
    /// Opens it on a free port.
    pub(crate) async fn open() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (events, _) = broadcast::channel(1024);
        let told = events.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let events = told.subscribe();
                tokio::spawn(async move {
                    // A connection that breaks is Hotline's to open again.
                    let _ = serve(stream, events).await;
                });
            }
        });
        Ok(Self { port, events, task })
    }

    /// Returns its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Announces a call to a number, as the dialplan does.
    pub(crate) fn announce(&self, call: Uuid, did: &str) -> Result<()> {
        self.events.send(block(&format!(
            "Event: UserEvent\nChannel: Bench/{call}\nUniqueid: {call}\nUserEvent: Hotline\n\
             uuid: {call}\ndid: {did}\ncaller: 20304050"
        )))?;
        Ok(())
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn block(text: &str) -> String {
    format!("{}\r\n\r\n", text.replace('\n', "\r\n"))
}

async fn serve(mut stream: TcpStream, mut events: broadcast::Receiver<String>) -> Result<()> {
    stream.set_nodelay(true)?;
    stream
        .write_all(b"Asterisk Call Manager/11.0.0\r\n")
        .await?;
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let (mut action, mut id) = (String::new(), String::new());
    loop {
        tokio::select! {
            event = events.recv() => writer.write_all(event?.as_bytes()).await?,
            line = lines.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                match line.split_once(": ") {
                    Some(("Action", name)) => name.clone_into(&mut action),
                    Some(("ActionID", name)) => name.clone_into(&mut id),
                    Some(_) => {}
                    None => writer.write_all(answer(&action, &id).as_bytes()).await?,
                }
            }
        }
    }
}

fn answer(action: &str, id: &str) -> String {
    let success = |more: &str| block(&format!("Response: Success\nActionID: {id}{more}"));
    match action {
        "Challenge" => success("\nChallenge: 840415273"),
        "Login" => {
            let booted = "Event: FullyBooted\nPrivilege: system,all\nStatus: Fully Booted";
            success("\nMessage: Authentication accepted") + &block(booted)
        }
        "Status" | "QueueSummary" => {
            let end = format!(
                "Event: {action}Complete\nActionID: {id}\nEventList: Complete\nListItems: 0"
            );
            success("\nEventList: start") + &block(&end)
        }
        _ => success(""),
    }
}
