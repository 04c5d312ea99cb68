//! Recorded conversations with a real vosk-server: recorded by standing in between, played back to
//! a client that must say the same, and played to a server that must answer the same.

use std::collections::VecDeque;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

use super::lock;
use super::realtime::decode_base64;

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// A text of the client.
    Client(String),
    /// Samples of the client, little endian, in base64.
    Audio(String),
    /// A text of the server.
    Server(String),
    /// The server closed the connection with this code.
    Closed(u16),
}

/// A recorded conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tape(pub Vec<Said>);

impl Tape {
    /// Reads a recording: one message per line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let lines = text.lines().map(serde_json::from_str);
        Ok(Self(lines.collect::<Result<_, _>>()?))
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = String::new();
        for said in &self.0 {
            text.push_str(&serde_json::to_string(said)?);
            text.push('\n');
        }
        Ok(fs::write(path, text)?)
    }

    /// Returns the samples of each turn, as its end tells it.
    pub fn turns(&self) -> Vec<Vec<i16>> {
        let mut turns = vec![Vec::new()];
        for said in &self.0 {
            match said {
                Said::Audio(audio) => {
                    let last = turns.len() - 1;
                    turns[last].extend(samples(audio));
                }
                Said::Client(text) if is_end(text) => turns.push(Vec::new()),
                _ => {}
            }
        }
        turns.retain(|turn| !turn.is_empty());
        turns
    }

    /// Returns what the server made of each turn.
    pub fn texts(&self) -> Vec<String> {
        let (mut texts, mut parts) = (Vec::new(), Vec::new());
        for (said, answer) in self.pairs() {
            let answer: serde_json::Value = answer
                .and_then(|answer| serde_json::from_str(&answer).ok())
                .unwrap_or_default();
            let text = answer["text"].as_str().unwrap_or_default();
            if !text.is_empty() {
                parts.push(text.to_owned());
            }
            if matches!(&said, Said::Client(text) if is_end(text)) {
                texts.push(std::mem::take(&mut parts).join(" "));
            }
        }
        texts
    }

    /// Returns each message of the client with the answer to it: all have one but the first, and
    /// the client need not have waited for it.
    fn pairs(&self) -> VecDeque<(Said, Option<String>)> {
        let mut answers = self.0.iter().filter_map(|said| match said {
            Said::Server(text) => Some(text.clone()),
            _ => None,
        });
        let asked = self.0.iter().filter_map(|said| match said {
            Said::Client(text) if !is_end(text) => Some((said.clone(), None)),
            Said::Client(_) | Said::Audio(_) => Some((said.clone(), answers.next())),
            Said::Server(_) | Said::Closed(_) => None,
        });
        asked.collect()
    }
}

fn is_end(text: &str) -> bool {
    text == r#"{"reset" : 1}"# || text == r#"{"eof" : 1}"#
}

fn samples(audio: &str) -> Vec<i16> {
    let bytes = decode_base64(audio).unwrap_or_default();
    let pairs = bytes.as_chunks::<2>().0;
    pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

fn encode_base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = [0; 4];
        bits[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bits);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place > three.len() {
                '='
            } else {
                char::from(letter)
            });
        }
    }
    text
}

/// Stands between a client and the server at an address, records their one conversation, and
/// returns its own address.
pub async fn record(server: SocketAddr) -> Result<(SocketAddr, Arc<Mutex<Tape>>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let tape = Arc::new(Mutex::new(Tape::default()));
    let recorded = Arc::clone(&tape);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut client = tokio_tungstenite::accept_async(stream).await?;
        let upstream = TcpStream::connect(server).await?;
        let url = format!("ws://{server}/");
        let (mut server, _) = tokio_tungstenite::client_async(url, upstream).await?;
        let note = |said: Said| lock(&recorded).0.push(said);
        let mut is_left = false;
        loop {
            tokio::select! {
                message = client.next(), if !is_left => {
                    let Some(Ok(message)) = message else {
                        is_left = true;
                        continue;
                    };
                    match &message {
                        Message::Text(text) => note(Said::Client(text.to_string())),
                        Message::Binary(bytes) => note(Said::Audio(encode_base64(bytes))),
                        _ => {}
                    }
                    server.send(message).await?;
                }
                message = server.next() => {
                    let Some(Ok(message)) = message else { break };
                    match &message {
                        Message::Text(text) => note(Said::Server(text.to_string())),
                        Message::Close(frame) => {
                            note(Said::Closed(frame.as_ref().map_or(1005, |it| it.code.into())));
                        }
                        _ => {}
                    }
                    // A client that has left hears no more, but what is said still counts.
                    is_left |= client.send(message).await.is_err();
                }
            }
        }
        anyhow::Ok(())
    });
    Ok((address, tape))
}

/// Plays the server's part of a recording to one client, which must say the same as the client in
/// it, however its audio is cut into messages. The result comes when the conversation is over.
pub async fn play(tape: Tape) -> Result<(SocketAddr, tokio::task::JoinHandle<Result<()>>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let playing = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut client = tokio_tungstenite::accept_async(stream).await?;
        let mut rest = tape.pairs();
        // Audio that was recorded and not said yet.
        let mut audio: Vec<i16> = Vec::new();
        while let Some(Ok(message)) = client.next().await {
            let said = match message {
                Message::Text(text) => {
                    ensure!(audio.is_empty(), "{text} before all audio of the turn");
                    let (wanted, answer) = rest.pop_front().context("more than was recorded")?;
                    let said = Said::Client(text.to_string());
                    ensure!(wanted == said, "{said:?} in place of {wanted:?}");
                    if let Some(answer) = answer {
                        client.send(Message::text(answer)).await?;
                    }
                    continue;
                }
                Message::Binary(said) => samples(&encode_base64(&said)),
                Message::Close(_) => break,
                _ => continue,
            };
            let mut answer = r#"{"partial" : ""}"#.to_owned();
            while audio.len() < said.len() {
                let Some((Said::Audio(more), answered)) = rest.pop_front() else {
                    bail!("more audio than was recorded");
                };
                audio.extend(samples(&more));
                // An end point of the server's own is told once, whatever else comes.
                if !answer.contains("\"text\"") {
                    answer = answered.unwrap_or_default();
                }
            }
            ensure!(audio[..said.len()] == said, "other audio than was recorded");
            audio.drain(..said.len());
            client.send(Message::text(answer)).await?;
        }
        match rest.pop_front() {
            None => Ok(()),
            Some((left, _)) => bail!("the client left before {left:?}"),
        }
    });
    Ok((address, playing))
}

/// Plays the client's part of a recording to a server, in step, and returns the conversation that
/// comes of it.
pub async fn play_to(server: SocketAddr, tape: &Tape) -> Result<Tape> {
    let stream = TcpStream::connect(server).await?;
    let url = format!("ws://{server}/");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await?;
    let mut played = Tape::default();
    for said in &tape.0 {
        let message = match said {
            Said::Client(text) => Message::text(text.as_str()),
            Said::Audio(audio) => Message::binary(decode_base64(audio).unwrap_or_default()),
            Said::Server(_) => match socket.next().await.context("no answer")?? {
                Message::Text(text) => {
                    played.0.push(Said::Server(text.to_string()));
                    continue;
                }
                other => bail!("{other:?} in place of an answer"),
            },
            Said::Closed(_) => match socket.next().await.context("no close")?? {
                Message::Close(frame) => {
                    played
                        .0
                        .push(Said::Closed(frame.map_or(1005, |it| it.code.into())));
                    return Ok(played);
                }
                other => bail!("{other:?} in place of the end"),
            },
        };
        played.0.push(said.clone());
        socket.send(message).await?;
    }
    Ok(played)
}
