//! The door that FreeSWITCH brings calls to. Each connection is set up by itself, so that one that is
//! slow or no FreeSWITCH holds nobody up; a call beyond the limit is left to the dialplan.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::unicast::Media;
use super::{FreeSwitch, session};
use crate::words::CallId;

/// How long the door waits when the system has no descriptors left.
const BREATH: Duration = Duration::from_millis(100);

/// Connections that may come before the first of them is let in; one that finds no room is tried again
/// by the kernel a whole second later, while the caller hears nothing.
const CROWD: u32 = 1024;

/// A call at the door.
#[derive(Debug)]
pub struct Visitor {
    /// Its id: the channel's.
    pub call: CallId,
    /// Its audio.
    pub media: Media,
    /// One of the calls at the same time, to be held until the call is over.
    pub place: OwnedSemaphorePermit,
}

/// The door that calls come in by.
#[derive(Debug)]
pub struct Door {
    visitors: mpsc::Receiver<Visitor>,
    address: SocketAddr,
}

impl Door {
    /// Opens the door for so many calls at the same time.
    ///
    /// # Errors
    /// When `freeswitch.listen` cannot be listened on.
    pub async fn open(house: Arc<FreeSwitch>, calls: usize) -> io::Result<Self> {
        let listener = listen(house.config.listen)?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "listening for calls (FreeSWITCH's outbound socket)");
        let (at_door, visitors) = mpsc::channel(16);
        let stop = house.stop.clone();
        tokio::spawn(stop.run_until_cancelled_owned(keep(house, listener, calls, at_door)));
        Ok(Self { visitors, address })
    }

    /// Returns where the door is, as the dialplan's `socket` names it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next call; nothing when the door is closed.
    pub async fn next(&mut self) -> Option<Visitor> {
        self.visitors.recv().await
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(CROWD)
}

async fn keep(
    house: Arc<FreeSwitch>,
    listener: TcpListener,
    calls: usize,
    visitors: mpsc::Sender<Visitor>,
) {
    let places = Arc::new(Semaphore::new(calls));
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!("a call could not come in: {error}");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            },
            () = visitors.closed() => return,
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!("a call is left to the dialplan: {calls} calls are on (call.max_calls)");
            continue;
        };
        let (house, visitors) = (Arc::clone(&house), visitors.clone());
        tokio::spawn(async move {
            if let Err(why) = welcome(&house, stream, peer, place, &visitors).await {
                tracing::warn!(%peer, "a connection is closed, and the dialplan goes on: {why}");
            }
        });
    }
}

async fn welcome(
    house: &Arc<FreeSwitch>,
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    visitors: &mpsc::Sender<Visitor>,
) -> Result<(), String> {
    let here = stream.local_addr().map_err(|error| error.to_string())?;
    let host = &house.config.host;
    if !is_switch(host, peer.ip(), here.ip()).await? {
        return Err(format!(
            "it does not come from {host}: set `freeswitch.host` to the machine that FreeSWITCH runs on"
        ));
    }
    let (call, media) = session::admit(house, stream, peer).await?;
    // Nobody waits for visitors any more when the service is closing.
    let _ = visitors.send(Visitor { call, media, place }).await;
    Ok(())
}

/// Tells whether an address is the switch's; all of this machine's own are, when it runs here.
async fn is_switch(host: &str, peer: IpAddr, here: IpAddr) -> Result<bool, String> {
    let addresses = tokio::net::lookup_host((host, 0)).await;
    let mut addresses = addresses.map_err(|error| {
        format!(
            "`freeswitch.host` is {host}, and its address cannot be found out ({error}): write the \
             address itself"
        )
    })?;
    let (peer, here) = (peer.to_canonical(), here.to_canonical());
    Ok(addresses.any(|address| {
        let address = address.ip().to_canonical();
        let own = address.is_loopback() && (peer.is_loopback() || peer == here);
        address == peer || own
    }))
}
