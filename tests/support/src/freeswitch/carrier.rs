//! The far end of the test PBX's trunk: it takes calls for any number and passes them on to the
//! test phone that stands for it, as a carrier's proxy does. A number that nobody has is refused.
//!
//! It keeps nothing about calls: each message carries its own way (RFC 3261, 16.11).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it is looked whether the carrier has closed.
const TICK: Duration = Duration::from_millis(100);

/// A carrier; dropping it closes it.
#[derive(Debug)]
pub struct Carrier {
    port: u16,
    office: Arc<Office>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Office {
    socket: UdpSocket,
    own: SocketAddr,
    phones: Mutex<HashMap<String, u16>>,
    over: AtomicBool,
}

impl Carrier {
    /// Opens a carrier without numbers on a free port.
    pub fn open() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(TICK))?;
        let own = socket.local_addr()?;
        let office = Arc::new(Office {
            socket,
            own,
            phones: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let working = Arc::clone(&office);
        let thread = thread::Builder::new()
            .name("carrier".into())
            .spawn(move || working.work())?;
        Ok(Self {
            port: own.port(),
            office,
            thread: Some(thread),
        })
    }

    /// Returns its SIP port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Gives a number, with or without a leading `+`, to the phone on that port.
    pub fn give(&self, number: &str, phone: u16) {
        let number = number.trim_start_matches('+').to_owned();
        let mut phones = self
            .office
            .phones
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        phones.insert(number, phone);
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.office.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Office {
    fn work(&self) {
        let mut buffer = vec![0; 65_536];
        while !self.over.load(Ordering::Relaxed) {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer) else {
                continue;
            };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if let Some((message, to)) = self.pass(&text, from) {
                let _ = self.socket.send_to(message.as_bytes(), to);
            }
        }
    }

    /// Returns what is to be sent on, and where to.
    fn pass(&self, message: &str, from: SocketAddr) -> Option<(String, SocketAddr)> {
        let (first, rest) = message.split_once("\r\n")?;
        if first.starts_with("SIP/2.0 ") {
            // The topmost Via is ours; the next one says where the answer belongs.
            let start = rest.find("Via: ")?;
            let end = start + rest[start..].find("\r\n")? + 2;
            let answer = format!("{first}\r\n{}{}", &rest[..start], &rest[end..]);
            let to = address(via(&answer)?.split(['/', ' ']).nth(3)?)?;
            return Some((answer, to));
        }
        let mut words = first.split(' ');
        let (method, uri) = (words.next()?, words.next()?);
        let to = match address(uri.rsplit_once('@').map_or(uri, |(_, host)| host)) {
            Some(to) if to != self.own => to,
            _ => match self.phone(uri) {
                Some(port) => (Ipv4Addr::LOCALHOST, port).into(),
                None if method == "ACK" => return None,
                None if method == "OPTIONS" => return Some((answer(message, "200 OK"), from)),
                None => return Some((answer(message, "404 Not Found"), from)),
            },
        };
        // The same request, and its CANCEL and ACK, get the same branch.
        let mut branch = DefaultHasher::new();
        via(message)?.hash(&mut branch);
        let ours = format!(
            "Via: SIP/2.0/UDP {};branch=z9hG4bK{:016x}",
            self.own,
            branch.finish()
        );
        Some((format!("{first}\r\n{ours}\r\n{rest}"), to))
    }

    fn phone(&self, uri: &str) -> Option<u16> {
        let (_, rest) = uri.split_once(':')?;
        let (number, _) = rest.split_once('@')?;
        let phones = self.phones.lock().unwrap_or_else(PoisonError::into_inner);
        phones.get(number.trim_start_matches('+')).copied()
    }
}

/// Returns the value of the topmost Via.
fn via(message: &str) -> Option<&str> {
    message.lines().find_map(|line| line.strip_prefix("Via: "))
}

/// Reads `127.0.0.1:5060`, whatever follows it.
fn address(text: &str) -> Option<SocketAddr> {
    text.split([';', '>', '?']).next()?.trim().parse().ok()
}

/// Answers a request itself.
fn answer(request: &str, status: &str) -> String {
    let mut answer = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().skip(1).take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        if ["Via", "From", "Call-ID", "CSeq"].contains(&name) {
            answer.push_str(&format!("{line}\r\n"));
        } else if name == "To" {
            answer.push_str(&format!("{line};tag=carrier\r\n"));
        }
    }
    answer.push_str("Content-Length: 0\r\n\r\n");
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::{Answering, Happening, Phone};

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_call_reaches_the_phone_of_its_number_and_either_side_can_end_it() {
        let carrier = Carrier::open().unwrap();
        let (caller, callee) = (Phone::new("1").unwrap(), Phone::new("20304050").unwrap());
        carrier.give("+20304050", callee.port());
        for hangs_up in ["caller", "callee"] {
            let trunk = (Ipv4Addr::LOCALHOST, carrier.port()).into();
            let call = caller.call(trunk, "+20304050").await.unwrap();
            let rung = callee.rings(SOON).await.unwrap();
            rung.answered(SOON).await.unwrap();
            let (first, other) = match hangs_up {
                "caller" => (&call, &rung),
                _ => (&rung, &call),
            };
            first.hang_up().unwrap();
            assert_eq!(other.ended(SOON).await.unwrap(), Happening::OtherHungUp);
        }
    }

    #[tokio::test]
    async fn refusals_and_calls_given_up_find_their_way_too() {
        let carrier = Carrier::open().unwrap();
        let trunk = (Ipv4Addr::LOCALHOST, carrier.port()).into();
        let (caller, callee) = (Phone::new("1").unwrap(), Phone::new("2").unwrap());
        carrier.give("2", callee.port());
        let nobody = caller.dial(trunk, "3").unwrap();
        assert_eq!(nobody.ended(SOON).await.unwrap(), Happening::Refused(404));
        callee.set_answering(Answering::Refuse(486));
        let busy = caller.dial(trunk, "2").unwrap();
        assert_eq!(busy.ended(SOON).await.unwrap(), Happening::Refused(486));
        callee.rings(SOON).await.unwrap();
        callee.set_answering(Answering::ByHand);
        let given_up = caller.dial(trunk, "2").unwrap();
        let rung = callee.rings(SOON).await.unwrap();
        given_up.hang_up().unwrap();
        assert_eq!(rung.ended(SOON).await.unwrap(), Happening::Refused(487));
        assert_eq!(given_up.ended(SOON).await.unwrap(), Happening::Refused(487));
    }
}
