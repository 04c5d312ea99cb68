//! The telephone's line: the signalling of all its calls over one UDP socket.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::call::{Call, Dialog, Happening, Inner, Repeat, Stage};
use super::rtp::Media;
use super::sdp::{self, Codec};
use super::sip::{self, Message, Start};
use super::{Answering, Caller};
use crate::port;
use crate::record::Record;

/// How often timers are looked at.
const TICK: Duration = Duration::from_millis(5);
/// How long a phone that is put away waits for the other side to take note.
const FAREWELL: Duration = Duration::from_millis(300);

/// A phone's socket, its calls, and its way of answering.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) number: String,
    pub(super) port: u16,
    pub(super) answering: Mutex<Answering>,
    pub(super) incoming: Record<Call>,
    pub(super) seen: Mutex<usize>,
    pub(super) over: AtomicBool,
    socket: UdpSocket,
    codec: Codec,
    calls: Mutex<HashMap<String, Arc<Inner>>>,
}

impl Line {
    pub(super) fn new(socket: UdpSocket, number: &str, codec: Codec) -> Result<Self> {
        socket.set_read_timeout(Some(TICK))?;
        Ok(Self {
            number: number.to_owned(),
            port: socket.local_addr()?.port(),
            answering: Mutex::new(Answering::After(Duration::ZERO)),
            incoming: Record::new(),
            seen: Mutex::new(0),
            over: AtomicBool::new(false),
            socket,
            codec,
            calls: Mutex::default(),
        })
    }

    /// Serves the socket and the timers until the phone is put away.
    pub(super) fn listen(self: &Arc<Self>) {
        let mut buffer = vec![0; 65_536];
        let mut farewell: Option<Instant> = None;
        loop {
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer)
                && let Some(message) = Message::parse(&buffer[..length])
            {
                self.receive(&message, from);
            }
            self.tick();
            if self.over.load(Ordering::Relaxed) {
                let until = *farewell.get_or_insert_with(|| Instant::now() + FAREWELL);
                let waiting = lock(&self.calls)
                    .values()
                    .any(|call| call.dialog().repeat.is_some());
                if !waiting || Instant::now() >= until {
                    return;
                }
            }
        }
    }

    pub(super) fn dial(
        self: &Arc<Self>,
        pbx: SocketAddr,
        number: &str,
        caller: &Caller,
    ) -> Result<Call> {
        let media = Media::open()?;
        let id = format!("{:016x}@street", port::random(4));
        let name = caller.name.as_ref().map_or(String::new(), |name| {
            format!("\"{}\" ", name.replace('\\', "\\\\").replace('"', "\\\""))
        });
        let ours = format!(
            "{name}<sip:{}@127.0.0.1:{}>;tag={}",
            caller.number.as_ref().unwrap_or(&self.number),
            self.port,
            tag()
        );
        let target = format!("sip:{number}@{pbx}");
        let via = self.via();
        let mut invite = Message::request("INVITE", &target)
            .with("Via", via.as_str())
            .with("Max-Forwards", "70")
            .with("From", ours.as_str())
            .with("To", format!("<{target}>"))
            .with("Call-ID", id.as_str())
            .with("CSeq", "1 INVITE")
            .with("Contact", self.contact())
            .with(
                "Allow",
                "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, NOTIFY",
            );
        for (name, value) in &caller.headers {
            invite = invite.with(name, value.as_str());
        }
        invite = invite.with_sdp(sdp::describe(media.port(), self.codec));
        let bytes = invite.encode();
        let dialog = Dialog {
            stage: Stage::Calling,
            ours,
            theirs: format!("<{target}>"),
            target,
            peer: pbx,
            sequence: 1,
            via,
            wants_cancel: false,
            answer_at: None,
            last_response: None,
            repeat: Some(Repeat::new(bytes.clone())),
        };
        let call = self.remember(id, invite, media, dialog);
        self.socket.send_to(&bytes, pbx)?;
        Ok(call)
    }

    pub(super) fn hang_up(&self, call: &Inner) -> Result<()> {
        let mut dialog = call.dialog();
        match dialog.stage {
            Stage::Over => Ok(()),
            Stage::Ringing => {
                drop(dialog);
                self.refuse(call, 603)
            }
            Stage::Calling => {
                // A call nobody has reacted to yet cannot be cancelled before somebody does.
                dialog.wants_cancel = true;
                if dialog.repeat.is_none() {
                    self.cancel(call, &mut dialog);
                }
                Ok(())
            }
            Stage::Answered => {
                self.bye(call, &mut dialog);
                drop(dialog);
                call.happened(Happening::HungUp);
                Ok(())
            }
        }
    }

    pub(super) fn refuse(&self, call: &Inner, code: u16) -> Result<()> {
        let mut dialog = call.dialog();
        if dialog.stage != Stage::Ringing {
            bail!("a call that is {:?} cannot be refused", dialog.stage);
        }
        dialog.stage = Stage::Over;
        self.respond(call, &mut dialog, code);
        drop(dialog);
        call.happened(Happening::Refused(code));
        Ok(())
    }

    pub(super) fn end_all(&self) {
        let calls: Vec<_> = lock(&self.calls).values().cloned().collect();
        for call in calls {
            let _ = self.hang_up(&call);
            call.media.close();
        }
    }

    /// Closes the audio of all calls and forgets them.
    pub(super) fn vanish(&self) {
        for (_, call) in lock(&self.calls).drain() {
            call.dialog().stage = Stage::Over;
            call.media.close();
        }
    }

    // ------------------------------------------------------------------ what comes in

    fn receive(self: &Arc<Self>, message: &Message, from: SocketAddr) {
        let Some(id) = message.header("Call-ID") else {
            return;
        };
        let call = lock(&self.calls).get(id).cloned();
        match (&message.start, call) {
            (Start::Response { code, .. }, Some(call)) => {
                self.take_response(&call, message, *code, from);
            }
            (Start::Request { method, .. }, Some(call)) => {
                self.take_request(&call, message, method, from);
            }
            (Start::Request { method, .. }, None) if method == "INVITE" => {
                self.take_call(message, from);
            }
            (Start::Request { method, .. }, None) if method != "ACK" => {
                let code = if method == "OPTIONS" { 200 } else { 481 };
                self.send(&Message::response(message, code, reason(code)), from);
            }
            _ => {}
        }
    }

    fn take_response(&self, call: &Inner, response: &Message, code: u16, from: SocketAddr) {
        let Some((_, method)) = response.sequence() else {
            return;
        };
        let mut dialog = call.dialog();
        if method != "INVITE" {
            if code >= 200 && method == "BYE" {
                dialog.repeat = None;
            }
            return;
        }
        match code {
            100..200 => {
                if dialog.stage != Stage::Calling {
                    return;
                }
                dialog.repeat = None;
                if dialog.wants_cancel {
                    self.cancel(call, &mut dialog);
                }
                drop(dialog);
                if !response.body.is_empty() {
                    call.take_media(&response.body, self.codec);
                }
                if code == 180 || code == 183 {
                    call.happened(Happening::Ringing);
                }
            }
            200..300 => {
                if let Some(to) = response.header("To") {
                    dialog.theirs = to.to_owned();
                }
                if let Some(contact) = response.header("Contact") {
                    dialog.target = sip::uri(contact).to_owned();
                }
                dialog.peer = from;
                let acknowledgement = self.inside(call, &dialog, "ACK", 1);
                self.send(&acknowledgement, from);
                if dialog.stage != Stage::Calling {
                    return;
                }
                dialog.repeat = None;
                dialog.stage = Stage::Answered;
                if dialog.wants_cancel {
                    self.bye(call, &mut dialog);
                    drop(dialog);
                    call.happened(Happening::HungUp);
                    return;
                }
                drop(dialog);
                call.take_media(&response.body, self.codec);
                call.happened(Happening::Answered);
            }
            _ => {
                let Start::Request { uri, .. } = &call.invite.start else {
                    return;
                };
                let acknowledgement = Message::request("ACK", uri)
                    .with("Via", dialog.via.as_str())
                    .with("Max-Forwards", "70")
                    .with("From", dialog.ours.as_str())
                    .with("To", response.header("To").unwrap_or_default())
                    .with("Call-ID", response.header("Call-ID").unwrap_or_default())
                    .with("CSeq", "1 ACK");
                self.send(&acknowledgement, from);
                if dialog.stage == Stage::Calling {
                    dialog.stage = Stage::Over;
                    dialog.repeat = None;
                    drop(dialog);
                    call.happened(Happening::Refused(code));
                }
            }
        }
    }

    fn take_request(&self, call: &Inner, request: &Message, method: &str, from: SocketAddr) {
        let mut dialog = call.dialog();
        let ok = || Message::response(request, 200, "OK").with("Contact", self.contact());
        match method {
            "ACK" => dialog.repeat = None,
            "BYE" => {
                self.send(&ok(), from);
                dialog.repeat = None;
                if dialog.stage == Stage::Answered {
                    dialog.stage = Stage::Over;
                    drop(dialog);
                    call.happened(Happening::OtherHungUp);
                }
            }
            "CANCEL" => {
                self.send(&ok(), from);
                if dialog.stage == Stage::Ringing {
                    dialog.stage = Stage::Over;
                    self.respond(call, &mut dialog, 487);
                    drop(dialog);
                    call.happened(Happening::Refused(487));
                }
            }
            "INVITE" if request.header("To").is_some_and(|to| to.contains(";tag=")) => {
                let answer = ok()
                    .with_sdp(sdp::describe(call.media.port(), self.codec))
                    .encode();
                let _ = self.socket.send_to(&answer, from);
                dialog.repeat = Some(Repeat::new(answer));
                drop(dialog);
                call.take_media(&request.body, self.codec);
            }
            "INVITE" => {
                if let Some(bytes) = &dialog.last_response {
                    let _ = self.socket.send_to(bytes, from);
                }
            }
            "UPDATE" if !request.body.is_empty() => {
                self.send(
                    &ok().with_sdp(sdp::describe(call.media.port(), self.codec)),
                    from,
                );
                drop(dialog);
                call.take_media(&request.body, self.codec);
            }
            _ => self.send(&ok(), from),
        }
    }

    fn take_call(self: &Arc<Self>, invite: &Message, from: SocketAddr) {
        let Some(id) = invite.header("Call-ID") else {
            return;
        };
        let answering = *lock(&self.answering);
        let Ok(media) = Media::open() else { return };
        let contact = invite.header("Contact").map_or("", sip::uri).to_owned();
        let dialog = Dialog {
            stage: Stage::Ringing,
            ours: format!("{};tag={}", invite.header("To").unwrap_or_default(), tag()),
            theirs: invite.header("From").unwrap_or_default().to_owned(),
            target: contact,
            peer: from,
            sequence: 100,
            via: String::new(),
            wants_cancel: false,
            answer_at: match answering {
                Answering::After(pause) => Some(Instant::now() + pause),
                Answering::ByHand | Answering::Refuse(_) => None,
            },
            last_response: None,
            repeat: None,
        };
        let call = self.remember(id.to_owned(), invite.clone(), media, dialog);
        if let Answering::Refuse(code) = answering {
            let _ = self.refuse(&call.inner, code);
        } else {
            self.respond(&call.inner, &mut call.inner.dialog(), 180);
        }
        self.incoming.push(call);
    }

    // ------------------------------------------------------------------ what goes out

    fn tick(&self) {
        let now = Instant::now();
        let calls: Vec<_> = lock(&self.calls).values().cloned().collect();
        for call in calls {
            let mut dialog = call.dialog();
            let peer = dialog.peer;
            if let Some(repeat) = &mut dialog.repeat
                && now >= repeat.next
            {
                let _ = self.socket.send_to(&repeat.bytes, peer);
                repeat.interval = (repeat.interval * 2).min(Duration::from_secs(4));
                repeat.next = now + repeat.interval;
                if now >= repeat.until {
                    dialog.repeat = None;
                    if dialog.stage == Stage::Calling {
                        dialog.stage = Stage::Over;
                        call.happened(Happening::Refused(408));
                    }
                }
            }
            if dialog.stage == Stage::Ringing && dialog.answer_at.is_some_and(|at| now >= at) {
                dialog.stage = Stage::Answered;
                self.respond(&call, &mut dialog, 200);
                drop(dialog);
                call.take_media(&call.invite.body, self.codec);
                call.happened(Happening::Answered);
            }
        }
    }

    /// Responds to the INVITE of a call that came in.
    fn respond(&self, call: &Inner, dialog: &mut Dialog, code: u16) {
        let tag = dialog.ours.rsplit_once(";tag=").map_or("", |(_, tag)| tag);
        let mut response = Message::response(&call.invite, code, reason(code))
            .with_to_tag(tag)
            .with("Contact", self.contact());
        if code == 200 {
            // The codec the offer leaves us with, so that both sides speak the same.
            let codec = sdp::read(&call.invite.body, self.codec).map_or(self.codec, |r| r.codec);
            response = response.with_sdp(sdp::describe(call.media.port(), codec));
        }
        let bytes = response.encode();
        let _ = self.socket.send_to(&bytes, dialog.peer);
        if code >= 200 {
            dialog.repeat = Some(Repeat::new(bytes.clone()));
        }
        dialog.last_response = Some(bytes);
    }

    fn cancel(&self, call: &Inner, dialog: &mut Dialog) {
        let Start::Request { uri, .. } = &call.invite.start else {
            return;
        };
        let cancel = Message::request("CANCEL", uri)
            .with("Via", dialog.via.as_str())
            .with("Max-Forwards", "70")
            .with("From", dialog.ours.as_str())
            .with("To", call.invite.header("To").unwrap_or_default())
            .with("Call-ID", call.invite.header("Call-ID").unwrap_or_default())
            .with("CSeq", "1 CANCEL");
        self.send(&cancel, dialog.peer);
    }

    fn bye(&self, call: &Inner, dialog: &mut Dialog) {
        dialog.stage = Stage::Over;
        dialog.sequence += 1;
        let bytes = self.inside(call, dialog, "BYE", dialog.sequence).encode();
        let _ = self.socket.send_to(&bytes, dialog.peer);
        dialog.repeat = Some(Repeat::new(bytes));
    }

    /// Makes a request inside an answered call.
    fn inside(&self, call: &Inner, dialog: &Dialog, method: &str, sequence: u32) -> Message {
        Message::request(method, &dialog.target)
            .with("Via", self.via())
            .with("Max-Forwards", "70")
            .with("From", dialog.ours.as_str())
            .with("To", dialog.theirs.as_str())
            .with("Call-ID", call.invite.header("Call-ID").unwrap_or_default())
            .with("CSeq", format!("{sequence} {method}"))
            .with("Contact", self.contact())
    }

    fn remember(
        self: &Arc<Self>,
        id: String,
        invite: Message,
        media: Media,
        dialog: Dialog,
    ) -> Call {
        let inner = Arc::new(Inner {
            line: Arc::downgrade(self),
            invite,
            media,
            happenings: Record::new(),
            dialog: Mutex::new(dialog),
        });
        lock(&self.calls).insert(id, Arc::clone(&inner));
        Call { inner }
    }

    fn send(&self, message: &Message, to: SocketAddr) {
        let _ = self.socket.send_to(&message.encode(), to);
    }

    fn via(&self) -> String {
        let mut via = format!("SIP/2.0/UDP 127.0.0.1:{};rport;branch=z9hG4bK", self.port);
        let _ = write!(via, "{:016x}", port::random(5));
        via
    }

    fn contact(&self) -> String {
        format!("<sip:{}@127.0.0.1:{}>", self.number, self.port)
    }
}

fn tag() -> String {
    format!("{:08x}", port::random(6) as u32)
}

fn reason(code: u16) -> &'static str {
    match code {
        180 => "Ringing",
        200 => "OK",
        404 => "Not Found",
        408 => "Request Timeout",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        603 => "Decline",
        _ => "Because",
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
