//! Many callers' phones at once, on a thread of their own: what they send does not wait for a busy
//! Hotline, as a switch beside it would not.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::channel::frame;

/// One frame, 20 ms of 8 kHz.
const FRAME: usize = 160;

/// How often answers are fetched between two frames: the socket holds fewer than all calls send.
const TURNS: u64 = 10;

#[derive(Debug, Default)]
struct Room {
    /// Where audio is to go, and how often it was answered.
    calls: Mutex<HashMap<SocketAddr, u32>>,
    over: AtomicBool,
}

/// Sends a frame to all calls every 20 ms, and counts the answers.
#[derive(Debug)]
pub(super) struct Speaker {
    room: Arc<Room>,
    thread: Option<JoinHandle<()>>,
}

impl Speaker {
    pub(super) fn start() -> Arc<Self> {
        let room = Arc::new(Room::default());
        let speaking = Arc::clone(&room);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let thread = std::thread::spawn(move || speaking.speak(&socket));
        Arc::new(Self {
            room,
            thread: Some(thread),
        })
    }

    pub(super) fn call(&self, hotline: SocketAddr) {
        self.room.calls.lock().unwrap().insert(hotline, 0);
    }

    /// How often each call has been answered.
    pub(super) fn answers(&self) -> Vec<u32> {
        self.room.calls.lock().unwrap().values().copied().collect()
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.room.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Room {
    fn speak(&self, socket: &UdpSocket) {
        let (frame, mut answer) = (frame(FRAME, 1000), [0; 2 * FRAME + 1]);
        for turn in 0_u64.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let mut calls = self.calls.lock().unwrap();
            if turn % TURNS == 0 {
                for call in calls.keys() {
                    let _ = socket.send_to(&frame, call);
                }
            }
            while let Ok((length, from)) = socket.recv_from(&mut answer) {
                assert_eq!(length, frame.len(), "an answer that is no frame");
                calls.entry(from).and_modify(|count| *count += 1);
            }
            drop(calls);
            std::thread::sleep(Duration::from_millis(20 / TURNS));
        }
    }
}
