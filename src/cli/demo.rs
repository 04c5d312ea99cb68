//! `hotline demo`: the whole house on this machine, with a telephone in the browser.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::{Stop, open};
use crate::config::Config;
use crate::demo::{Demo, usual_address};

/// Runs everything on this machine: sample municipality, browser phone, mails on a page.
///
/// Needs nothing but this program: no PBX, no mail server, no root; nothing leaves the machine
/// and nothing is kept. Calls can be typed; where espeak-ng is there they can be spoken, and where
/// recognition models are configured they are understood by voice.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the browser phone is [default: 127.0.0.1:8061, or a free port]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    flows: open::FlowsFolder,
}

impl Arguments {
    pub(super) fn run(self, config: Option<&Path>, out: &mut dyn Write) -> Result<u8, Stop> {
        let settings = Config::load(config)?;
        let listen = self.listen.unwrap_or_else(usual_address);
        if !listen.ip().is_loopback() {
            return Err(Stop::usage(
                format!("{listen} is open to other machines, and the demo has no password"),
                "listen on 127.0.0.1; from elsewhere: ssh -L 8061:127.0.0.1:8061 this-machine",
            ));
        }
        let library = match self.flows.folder.as_deref() {
            Some(folder) => Some(open::library(Some(folder), config)?.whole()?),
            None => None,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let ended = runtime.block_on(async {
            let demo = Demo::start(&settings, library, listen)
                .await
                .map_err(|error| Stop::failed(format!("{error:#}"), "see `hotline doctor`"))?;
            introduce(&demo, out)?;
            tokio::signal::ctrl_c().await?;
            demo.stop().await;
            Ok(0)
        });
        runtime.shutdown_background();
        ended
    }
}

fn introduce(demo: &Demo, out: &mut dyn Write) -> Result<(), Stop> {
    writeln!(
        out,
        "Open http://{} in a browser and make a call.\n",
        demo.address
    )?;
    writeln!(out, "  typed calls    always")?;
    writeln!(
        out,
        "  spoken calls   {}",
        match (demo.speaks, demo.hears) {
            (true, true) => "with microphone and speaker",
            (true, false) => "Hotline speaks, you press keys: no recognition models are configured",
            (false, _) => "no: espeak-ng is not installed",
        }
    )?;
    writeln!(
        out,
        "\nNothing leaves this machine, nothing is kept. Ctrl-C ends the demo."
    )?;
    out.flush()?;
    Ok(())
}
