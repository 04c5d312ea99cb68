//! Sends answers: good ones as each kind of server does, and bad ones in many ways.

use std::f64::consts::TAU;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::protocol::{Protocol, Verdict};
use super::{Audio, Manner};

/// Answers one request, and tells whether the connection goes on.
pub(super) fn answer(
    mut stream: &TcpStream,
    protocol: Protocol,
    verdict: Verdict,
    manner: Manner,
    audio: Audio,
    over: &AtomicBool,
) -> io::Result<bool> {
    let wav = match verdict {
        Verdict::Speak { wav } => wav,
        Verdict::Voices => {
            whole(stream, 200, "application/json", b"{\"da_DK-test\": {}}")?;
            return Ok(true);
        }
        Verdict::Refuse(status) => {
            refuse(stream, protocol, status)?;
            return Ok(true);
        }
    };
    let kind = protocol.kind(wav);
    let samples = samples(audio);
    let body = match wav {
        true => [header(audio, samples.len()), samples].concat(),
        false => samples,
    };
    let half = body.len() / 2;
    match manner {
        Manner::Well => speak(stream, protocol, kind, &body)?,
        Manner::Late(wait) => {
            thread::sleep(wait);
            speak(stream, protocol, kind, &body)?;
        }
        Manner::Status(status) => refuse(stream, protocol, status)?,
        Manner::Html => {
            let page =
                b"<!DOCTYPE html>\n<html><head><title>Welcome to nginx!</title></head></html>";
            whole(stream, 200, "text/html", page)?;
        }
        Manner::Garbage => {
            let noise: Vec<u8> = (0..5000_u32)
                .map(|it| ((it * 7919) >> 3) as u8 | 1)
                .collect();
            whole(stream, 200, kind, &noise[..4999])?;
        }
        Manner::Mp3 => whole(stream, 200, "audio/mpeg", b"ID3\x04\0\0\0\0\0\0 and so on")?,
        Manner::Empty => whole(stream, 200, kind, b"")?,
        Manner::Closes => return Ok(false),
        Manner::HangsBeforeHead => hang(over),
        Manner::HangsAfterHead => {
            head(stream, 200, kind, Some(body.len()))?;
            hang(over);
        }
        Manner::HangsHalfWay => {
            head(stream, 200, kind, Some(body.len()))?;
            stream.write_all(&body[..half])?;
            hang(over);
        }
        Manner::CutHalfWay => {
            head(stream, 200, kind, Some(body.len()))?;
            stream.write_all(&body[..half])?;
            return Ok(false);
        }
        Manner::Trickles(bytes) => {
            head(stream, 200, kind, Some(body.len()))?;
            for piece in body.chunks(bytes) {
                if over.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                stream.write_all(piece)?;
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
    Ok(!matches!(
        manner,
        Manner::HangsBeforeHead | Manner::HangsAfterHead | Manner::HangsHalfWay
    ))
}

/// Waits until the server is closed.
fn hang(over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends audio as a server of that kind does.
fn speak(mut stream: &TcpStream, protocol: Protocol, kind: &str, body: &[u8]) -> io::Result<()> {
    if !protocol.streams() {
        return whole(stream, 200, kind, body);
    }
    head(stream, 200, kind, None)?;
    for piece in body.chunks(4801) {
        write!(stream, "{:x}\r\n", piece.len())?;
        stream.write_all(piece)?;
        stream.write_all(b"\r\n")?;
    }
    stream.write_all(b"0\r\n\r\n")
}

fn refuse(stream: &TcpStream, protocol: Protocol, status: u16) -> io::Result<()> {
    match protocol {
        Protocol::Coqui if status == 500 => {
            let body = br#"{"error": "TTS synthesis failed: out of memory"}"#;
            whole(stream, status, "application/json", body)
        }
        Protocol::Coqui => {
            let body = br#"{"error": "Text parameter is required"}"#;
            whole(stream, status, "application/json", body)
        }
        Protocol::OpenAi { .. } => {
            let body = br#"{"error": {"message": "it went wrong", "type": "server_error"}}"#;
            whole(stream, status, "application/json", body)
        }
        Protocol::Piper | Protocol::PiperRoot | Protocol::PiperText => {
            let body = format!("<!doctype html>\n<html lang=en>\n<title>{status}</title>\n");
            whole(stream, status, "text/html; charset=utf-8", body.as_bytes())
        }
    }
}

fn whole(mut stream: &TcpStream, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
    head(stream, status, kind, Some(body.len()))?;
    stream.write_all(body)
}

fn head(mut stream: &TcpStream, status: u16, kind: &str, length: Option<usize>) -> io::Result<()> {
    let length = match length {
        Some(length) => format!("Content-Length: {length}"),
        None => "Transfer-Encoding: chunked".to_owned(),
    };
    write!(
        stream,
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\n{length}\r\n\r\n",
        match status {
            200 => "OK",
            500 => "INTERNAL SERVER ERROR",
            _ => "NO",
        }
    )
}

/// Makes the bytes of a tone.
fn samples(audio: Audio) -> Vec<u8> {
    let count = (audio.seconds * f64::from(audio.rate)) as usize;
    let mut bytes = Vec::new();
    for index in 0..count {
        let angle = TAU * audio.tone * index as f64 / f64::from(audio.rate);
        let value = (angle.sin() * 0.3 * 2_147_483_647.0) as i32;
        for _ in 0..audio.channels {
            match audio.bits {
                8 => bytes.push(((value >> 24) + 128) as u8),
                bits => bytes.extend(&value.to_le_bytes()[4 - usize::from(bits / 8)..]),
            }
        }
    }
    bytes
}

/// Makes the header of a WAV.
fn header(audio: Audio, length: usize) -> Vec<u8> {
    let block = audio.channels * audio.bits / 8;
    let length = audio.claimed.unwrap_or(length as u32);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(length.saturating_add(36).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    bytes.extend(audio.channels.to_le_bytes());
    bytes.extend(audio.rate.to_le_bytes());
    bytes.extend((audio.rate * u32::from(block)).to_le_bytes());
    bytes.extend(block.to_le_bytes());
    bytes.extend(audio.bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(length.to_le_bytes());
    bytes
}
