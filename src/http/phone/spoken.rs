//! A spoken call: the WebSocket as a line. Audio is 8 kHz, 16 bit, mono, little-endian, one message
//! per 20 ms; everything else is JSON.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::{FromPage, Phone, Wish, tell};
use crate::call::line::{FRAME, FromCaller, Line, LineIn, LineOut, Pace};
use crate::dialog::Playbook;
use crate::dialog::rehearsal::story::keys_of;
use crate::pbx::Arrival;
use crate::words::PhoneNumber;

/// Frames under way to or from the page: one second.
const FRAMES: usize = 50;
/// The most samples that one message may bring: 200 ms.
const SAMPLES: usize = 1600;

/// Serves a call until it is over or the page has gone.
pub(super) async fn serve(
    phone: Phone,
    mut socket: WebSocket,
    playbook: Arc<Playbook>,
    wish: Wish,
) {
    let tenant = &playbook.shelf.tenant;
    let call = phone.pbx.announce(Arrival {
        did: tenant.numbers.first().cloned().unwrap_or_default(),
        caller: PhoneNumber::parse(&wish.caller).ok(),
        name: None,
        language: None,
        channel: "browser/spoken".to_owned(),
        purpose: None,
    });
    let (from_page, heard) = mpsc::channel(FRAMES);
    let (to_page, mut said) = mpsc::channel(FRAMES);
    let line = Line {
        from_caller: Box::new(Microphone(heard)),
        to_caller: Box::new(Speaker(Some(to_page))),
        pace: Pace::Clock,
    };
    let mut journal = phone.live.watch();
    let desk = phone.desk.clone();
    let mut serving = phone
        .scope
        .spawn(async move { desk.serve(call, line).await });
    let id = call.to_string();
    let mut lines_left = true;
    loop {
        tokio::select! {
            biased;
            line = journal.recv(), if lines_left => match line {
                Ok(line) => {
                    if let Some(line) = of_call(&line, &id)
                        && tell(&mut socket, &line).await.is_err()
                    {
                        break;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => lines_left = false,
            },
            Some(frame) = said.recv() => {
                if socket.send(Message::Binary(frame)).await.is_err() {
                    break;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(message)) if take(&message, &from_page) => {}
                _ => break,
            },
            _ = &mut serving => {
                // Whoever was turned away has no journal, and this is all that the page hears.
                while let Ok(line) = journal.try_recv() {
                    if let Some(line) = of_call(&line, &id) {
                        // A page that has gone is not told.
                        let _ = tell(&mut socket, &line).await;
                    }
                }
                let _ = tell(&mut socket, &json!({ "over": true })).await;
                break;
            }
            () = phone.stop.cancelled() => break,
        }
    }
    phone.pbx.leave(call);
}

/// Returns a line of the journal as the page wants it, if it is about this call.
fn of_call(line: &str, call: &str) -> Option<Value> {
    let mut line: Value = serde_json::from_str(line).ok()?;
    if line["call"] != call {
        return None;
    }
    let time = line["at"].take();
    line["time"] = time;
    Some(line)
}

/// Gives a message of the page to the call; false when the caller hung up.
fn take(message: &Message, call: &mpsc::Sender<FromCaller>) -> bool {
    match message {
        Message::Binary(bytes) => {
            let samples: Vec<i16> = bytes
                .chunks_exact(2)
                .take(SAMPLES)
                .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            // A call that is behind loses audio rather than time.
            let _ = call.try_send(FromCaller::Audio(samples));
            true
        }
        Message::Text(text) => match serde_json::from_str(text) {
            Ok(FromPage::Keys(keys)) => {
                for key in keys_of(&keys).unwrap_or_default() {
                    let _ = call.try_send(FromCaller::Key(key));
                }
                true
            }
            Ok(FromPage::HangUp {}) => {
                let _ = call.try_send(FromCaller::Gone);
                true
            }
            _ => true,
        },
        Message::Close(_) => false,
        Message::Ping(_) | Message::Pong(_) => true,
    }
}

struct Microphone(mpsc::Receiver<FromCaller>);

#[async_trait]
impl LineIn for Microphone {
    async fn next(&mut self) -> FromCaller {
        self.0.recv().await.unwrap_or(FromCaller::Gone)
    }
}

struct Speaker(Option<mpsc::Sender<Bytes>>);

#[async_trait]
impl LineOut for Speaker {
    fn send(&mut self, frame: &[i16; FRAME]) -> bool {
        let bytes: Bytes = frame
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        self.0
            .as_ref()
            .is_some_and(|page| page.try_send(bytes).is_ok())
    }

    async fn close(&mut self) {
        self.0 = None;
    }
}
