//! How a call on the door says whose it is: FreeSWITCH describes the whole channel in one block of
//! headers when it is asked to. It is read here, not by the crate, because until then nobody knows
//! whether it is FreeSWITCH that has connected: so much is read and no more.

use std::time::Duration;

use freeswitch_esl_tokio::{EslEvent, parse_channel_dump};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::pbx::Arrival;
use crate::words::{CallId, PhoneNumber};

/// How long a connection may take to say whose it is; 1 to 85 ms were measured.
const LIMIT: Duration = Duration::from_secs(2);

/// The most bytes of a channel's description: 7 kB were measured, and the variables of a dialplan
/// come on top.
const LONGEST: usize = 256 * 1024;

/// The variable that a channel bears once it has been with us: the id of its call.
pub(super) const VISITED: &str = "hotline_call";
const VISITED_HEADER: &str = "variable_hotline_call";

/// What FreeSWITCH says of a call that the dialplan's `socket` has brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Introduction {
    /// The channel's id.
    pub channel: CallId,
    /// Whether the channel has been with us before: this is another call then.
    pub again: bool,
    /// Samples per second of what FreeSWITCH reads from the caller.
    pub rate: u32,
    /// Who calls.
    pub arrival: Arrival,
}

impl Introduction {
    /// Reads the answer to `connect`, without the empty line that ends it.
    ///
    /// # Errors
    /// When this is no FreeSWITCH, or the call cannot be served; the error says which.
    pub fn read(text: &str) -> Result<Self, String> {
        let channel =
            parse_channel_dump(text).map_err(|error| format!("no FreeSWITCH: {error}"))?;
        let body = channel.header_str("Content-Length").unwrap_or("0");
        if body != "0" {
            return Err(format!(
                "no FreeSWITCH: it announces a body of {body:?} bytes, and a channel's description has none"
            ));
        }
        Ok(Self {
            channel: identify(&channel)?,
            again: channel.header_str(VISITED_HEADER).is_some(),
            rate: rate(&channel)?,
            arrival: arrival(&channel),
        })
    }
}

/// Asks whose call it is. Returns with the answer what came after it.
///
/// # Errors
/// When this is no FreeSWITCH, says nothing in time, or the call cannot be served.
pub(super) async fn ask(stream: &mut TcpStream) -> Result<(Introduction, Vec<u8>), String> {
    match tokio::time::timeout(LIMIT, listen(stream)).await {
        Ok(said) => {
            let (text, rest) = said?;
            Ok((Introduction::read(&text)?, rest))
        }
        Err(_) => Err(format!(
            "no FreeSWITCH: it did not say whose call it is within {LIMIT:?}"
        )),
    }
}

/// Reads up to the first empty line.
async fn listen(stream: &mut TcpStream) -> Result<(String, Vec<u8>), String> {
    let broken = |error: std::io::Error| format!("the connection broke: {error}");
    stream.write_all(b"connect\n\n").await.map_err(broken)?;
    let mut bytes = Vec::new();
    loop {
        let seen = bytes.len().saturating_sub(1);
        if stream.read_buf(&mut bytes).await.map_err(broken)? == 0 {
            return Err("no FreeSWITCH: it hung up".to_owned());
        }
        let end = bytes[seen..].windows(2).position(|two| two == b"\n\n");
        if let Some(end) = end {
            let rest = bytes.split_off(seen + end + 2);
            bytes.truncate(seen + end);
            let text = String::from_utf8(bytes);
            let text = text.map_err(|_| "no FreeSWITCH: it does not speak UTF-8".to_owned())?;
            return Ok((text, rest));
        }
        if bytes.len() > LONGEST {
            return Err(format!(
                "no FreeSWITCH: it describes a channel in more than {LONGEST} bytes"
            ));
        }
    }
}

/// Returns the channel's id.
fn identify(channel: &EslEvent) -> Result<CallId, String> {
    let id = channel.header_str("Unique-ID").unwrap_or_default();
    let id = Uuid::parse_str(id).map_err(|_| "no FreeSWITCH: it names no channel".to_owned())?;
    let is = |name: &str, value: &str| channel.header_str(name) == Some(value);
    if !is("Socket-Mode", "async") || !is("Control", "full") {
        return Err(
            "the dialplan's `socket` lacks its options: write `socket HOST:PORT async full`"
                .to_owned(),
        );
    }
    Ok(CallId(id))
}

/// Returns the samples per second of what FreeSWITCH reads from the caller.
fn rate(channel: &EslEvent) -> Result<u32, String> {
    let rate = channel
        .header_str("Channel-Read-Codec-Rate")
        .unwrap_or("none");
    match rate.parse() {
        Ok(rate @ (8_000 | 16_000 | 48_000)) => Ok(rate),
        _ => Err(format!(
            "the caller's codec has a rate of {rate} Hz, and 8000, 16000 and 48000 are served: \
             pin the codec in the dialplan, such as absolute_codec_string=PCMA@8000h@20i"
        )),
    }
}

/// Returns who calls, as the channel says it.
fn arrival(channel: &EslEvent) -> Arrival {
    let text = |name: &str| {
        let value = channel.header_str(name).map(str::trim).unwrap_or_default();
        (!value.is_empty() && value != "unknown").then(|| value.to_owned())
    };
    let caller = text("variable_hotline_caller").or_else(|| text("Caller-Caller-ID-Number"));
    Arrival {
        did: text("variable_hotline_did")
            .or_else(|| text("Caller-Destination-Number"))
            .unwrap_or_default(),
        caller: caller.and_then(|number| PhoneNumber::parse(&number).ok()),
        name: text("Caller-Caller-ID-Name"),
        language: text("variable_hotline_language").or_else(|| text("variable_default_language")),
        channel: text("Channel-Name").unwrap_or_default(),
        // Who comes back has been called back already.
        purpose: text("variable_hotline_purpose").filter(|_| text(VISITED_HEADER).is_none()),
    }
}
