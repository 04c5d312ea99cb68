//! As much of HTTP/1.1 as a strict server needs.

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::tcp::OwnedReadHalf;

use super::Fault;

/// The largest request, in bytes.
const LARGEST: usize = 16 << 20;

/// A request.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// Reads the next request of a connection; nothing when the client has left.
pub(super) async fn read(stream: &mut BufReader<OwnedReadHalf>) -> Result<Option<Request>> {
    let mut request = Request::default();
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    request.method = words.next().context("no method")?.to_owned();
    request.path = words.next().context("no path")?.to_owned();
    if words.next() != Some("HTTP/1.1") {
        bail!("not HTTP/1.1: {line}");
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').context("no header")?;
        request
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = request.header("content-length").unwrap_or("0");
    let length: usize = length.parse()?;
    if length > LARGEST || request.header("transfer-encoding").is_some() {
        bail!("a body of {length} bytes, or of unknown length");
    }
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).await?;
    Ok(Some(request))
}

/// Writes an answer.
pub(super) fn answer(status: u16, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Writes the answer that a fault gives.
pub(super) fn refusal(fault: Fault) -> Vec<u8> {
    match fault {
        Fault::Status(status) => {
            let body = format!(r#"{{"error": {{"message": "fault {status}"}}}}"#);
            answer(status, "application/json", &body)
        }
        _ => answer(
            200,
            "text/html; charset=utf-8",
            "<!DOCTYPE html>\n<html><title>Hello</title></html>",
        ),
    }
}

/// One part of a form.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) file: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) bytes: Vec<u8>,
}

/// Takes a form apart.
pub(super) fn form(request: &Request) -> Result<Vec<Part>> {
    let kind = request.header("content-type").unwrap_or_default();
    let boundary = kind
        .strip_prefix("multipart/form-data; boundary=")
        .with_context(|| format!("the content is {kind:?} and no form"))?
        .trim_matches('"');
    let delimiter = format!("--{boundary}");
    let mut rest = request
        .body
        .strip_prefix(delimiter.as_bytes())
        .context("the form does not begin with its boundary")?;
    let delimiter = format!("\r\n{delimiter}");
    let mut parts = Vec::new();
    loop {
        if rest == b"--\r\n" || rest == b"--" {
            return Ok(parts);
        }
        rest = rest
            .strip_prefix(b"\r\n")
            .context("no line end behind a boundary")?;
        let end = find(rest, delimiter.as_bytes()).context("a part does not end")?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + delimiter.len()..];
    }
}

fn part(bytes: &[u8]) -> Result<Part> {
    let end = find(bytes, b"\r\n\r\n").context("a part has no headers")?;
    let headers = std::str::from_utf8(&bytes[..end])?;
    let header = |name: &str| {
        headers.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let disposition = header("content-disposition").context("a part has no disposition")?;
    let field = |name: &str| {
        let start = disposition.find(&format!("; {name}=\""))? + name.len() + 4;
        let value = &disposition[start..];
        Some(value[..value.find('"')?].to_owned())
    };
    Ok(Part {
        name: field("name").context("a part has no name")?,
        file: field("filename"),
        kind: header("content-type"),
        bytes: bytes[end + 4..].to_vec(),
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
