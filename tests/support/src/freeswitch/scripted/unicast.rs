//! The unicast of a parked call: a datagram to the bot each 20 ms, whatever the caller's telephone
//! does, and the bot's datagrams to the caller. Whoever breaks its rules is complained of.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::leg::{Leg, Unicast};
use super::switch::Switch;

const FRAME: Duration = Duration::from_millis(20);
/// How long a frame of the caller may be late before its place is filled.
const PATIENCE: Duration = Duration::from_millis(15);
/// The real switch takes about that long until the first datagram.
const START: Duration = Duration::from_millis(20);
/// Datagrams the bot may have sent more than it has received.
const AHEAD: u64 = 1;
/// Frames of a caller that wait to be sent.
const WAITING: usize = 8;

/// Begins a unicast, which one park bears once; without an answer, whatever happens.
pub(super) fn begin(switch: &Arc<Switch>, leg: &Arc<Leg>, local: u16, remote: SocketAddr) {
    let mut facts = leg.facts();
    match facts.unicast {
        Unicast::None => facts.unicast = Unicast::Runs,
        Unicast::Runs | Unicast::Killed => {
            drop(facts);
            switch.complain("a second unicast in one park brings nothing");
            return;
        }
    }
    drop(facts);
    let (switch, leg) = (Arc::clone(switch), Arc::clone(leg));
    let runtime = switch.runtime.clone();
    runtime.spawn(async move {
        let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, local)).await else {
            switch.complain(format!("unicast from port {local}, which is taken"));
            return;
        };
        tokio::time::sleep(START).await;
        let (bot, mut frames) = mpsc::channel(WAITING);
        leg.audio.to_bot(bot);
        let ended = leg.until(|leg| (leg.facts().unicast != Unicast::Runs).then_some(()));
        let way = Way {
            switch: &switch,
            leg: &leg,
            socket,
            remote,
        };
        tokio::select! {
            () = way.carry(&mut frames) => {}
            () = ended => {}
        }
    });
}

struct Way<'a> {
    switch: &'a Switch,
    leg: &'a Leg,
    socket: UdpSocket,
    remote: SocketAddr,
}

impl Way<'_> {
    async fn carry(&self, frames: &mut mpsc::Receiver<Vec<i16>>) {
        let size = self.leg.audio.frame() * 2;
        let began = Instant::now();
        let mut due = began + FRAME;
        let mut buffer = vec![0; 65_536];
        let mut returns = true;
        let flow = &self.leg.flow;
        // The leg may have been with a bot before.
        let (before, _) = flow.counts();
        loop {
            let datagram = tokio::select! {
                frame = frames.recv() => match frame {
                    Some(frame) => {
                        due = Instant::now() + FRAME + PATIENCE;
                        // A late frame whose place has been filled is not sent as well.
                        let places = began.elapsed().as_millis() / FRAME.as_millis() + 2;
                        if u128::from(flow.counts().0 - before) >= places {
                            continue;
                        }
                        frame.iter().flat_map(|sample| sample.to_le_bytes()).collect()
                    }
                    None => return,
                },
                () = tokio::time::sleep_until(due) => {
                    due += FRAME;
                    vec![0xff; size]
                }
                received = self.socket.recv_from(&mut buffer) => {
                    if let Ok((length, _)) = received {
                        returns = returns && self.take(&buffer[..length], size);
                    }
                    continue;
                }
            };
            // A bot whose socket is gone is not noticed.
            let _ = self.socket.send_to(&datagram, self.remote).await;
            flow.sent();
        }
    }

    /// Takes a datagram of the bot; tells whether the way back stays open.
    fn take(&self, datagram: &[u8], size: usize) -> bool {
        if datagram.is_empty() {
            self.switch
                .complain("an empty datagram ends the bot's way to the caller for good");
            return false;
        }
        let (sent, received) = self.leg.flow.received();
        if datagram.len() != size {
            self.switch.complain(format!(
                "a datagram of {} bytes where the call has {size}",
                datagram.len()
            ));
            return true;
        }
        // Said once: whoever is ahead stays so.
        if received == sent + AHEAD + 1 {
            self.switch.complain(format!(
                "the bot is ahead: {received} datagrams came from it, {sent} went to it"
            ));
        }
        let frame = datagram
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        self.leg.audio.hear_bot(frame);
        true
    }
}
