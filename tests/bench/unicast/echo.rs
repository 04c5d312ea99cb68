//! An echo behind Hotline's door: what a caller says goes back, one frame for each that comes in time.
//! Of those that waited because this process was late only the last does, as in a call: FreeSWITCH
//! forgets nothing, and who sends it more than one at once is heard later from then on.
//!
//! No link is up beside it, because nobody is dialled and no queue is read.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Result, bail};
use hotline::pbx::freeswitch::link::Times;
use hotline::pbx::freeswitch::unicast::Incoming;
use hotline::pbx::freeswitch::{Config, Door, FreeSwitch, Visitor};
use prometheus_client::metrics::counter::Counter;
use street::port;
use tokio::runtime;
use tokio_util::sync::CancellationToken;

/// Serves so many calls until it is ended: `CALLS one|served`.
pub(super) fn play(words: &[String]) -> Result<()> {
    let [calls, threads] = words else {
        bail!("usage: unicast-echo CALLS one|served");
    };
    let mut builder = match threads.as_str() {
        "one" => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    let calls = calls.parse()?;
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    builder.enable_all().build()?.block_on(serve(calls))
}

async fn serve(calls: usize) -> Result<()> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port::free_tcp()?));
    let config = Config {
        host: Ipv4Addr::LOCALHOST.to_string(),
        port: port::free_tcp()?,
        password_file: "/dev/null".into(),
        listen,
        queue_domain: "default".to_owned(),
        outbound: "sofia/gateway/trunk/{number}".to_owned(),
        extension: "user/{extension}".to_owned(),
        contexts: hotline::pbx::freeswitch::Contexts::default(),
    };
    let stop = CancellationToken::new();
    let house = FreeSwitch::start(config, Times::default(), Counter::default(), &stop);
    let mut door = Door::open(house, calls).await?;
    println!("listening on {listen}");
    while let Some(visitor) = door.next().await {
        tokio::spawn(echo(visitor));
    }
    Ok(())
}

async fn echo(visitor: Visitor) {
    let Visitor {
        mut media,
        place: _place,
        ..
    } = visitor;
    let mouth = media.mouth();
    let frame = media.rate() as usize / 50;
    while let Incoming::Audio(samples) = media.next().await {
        if let Some(last) = samples.rchunks_exact(frame).next() {
            // A frame that cannot leave now is lost, as it is in a call.
            mouth.send(last);
        }
    }
}
