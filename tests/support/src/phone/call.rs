//! One call at a phone, as the person holding the phone sees it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::Line;
use super::heard::Recording;
use super::rtp::{Feed, Media, Played, Tap};
use super::sdp;
use super::sip::{self, Message, Start};
use crate::record::Record;
use crate::tone::RATE;

/// What happened in a call's signalling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// The other side rings.
    Ringing,
    /// The call is answered, by whichever side was called.
    Answered,
    /// The call was not answered: the SIP status code, 487 when it was given up.
    Refused(u16),
    /// This phone ended the answered call.
    HungUp,
    /// The other side ended the answered call.
    OtherHungUp,
}

impl Happening {
    fn is_end(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::HungUp | Self::OtherHungUp)
    }
}

/// A call at a phone; clones are the same call.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) line: Weak<Line>,
    /// The INVITE, sent or received.
    pub(super) invite: Message,
    pub(super) media: Media,
    pub(super) happenings: Record<(Instant, Happening)>,
    pub(super) dialog: Mutex<Dialog>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// We called and wait.
    Calling,
    /// We were called and have not answered.
    Ringing,
    Answered,
    Over,
}

/// The state two telephones share about a call.
#[derive(Debug)]
pub(super) struct Dialog {
    pub(super) stage: Stage,
    /// Our and the other side's `From`/`To` header with its tag.
    pub(super) ours: String,
    pub(super) theirs: String,
    /// Where requests inside the call are addressed and sent to.
    pub(super) target: String,
    pub(super) peer: SocketAddr,
    pub(super) sequence: u32,
    /// The `Via` of the INVITE we sent: CANCEL and ACK repeat it.
    pub(super) via: String,
    pub(super) wants_cancel: bool,
    pub(super) answer_at: Option<Instant>,
    /// The last final response we gave to an INVITE, for when it is asked for again.
    pub(super) last_response: Option<Vec<u8>>,
    pub(super) repeat: Option<Repeat>,
}

/// A message that is sent again until the other side reacts.
#[derive(Debug)]
pub(super) struct Repeat {
    pub(super) bytes: Vec<u8>,
    pub(super) next: Instant,
    pub(super) interval: Duration,
    pub(super) until: Instant,
}

impl Repeat {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let interval = Duration::from_millis(500);
        let now = Instant::now();
        Self {
            bytes,
            next: now + interval,
            interval,
            until: now + Duration::from_secs(16),
        }
    }
}

impl Inner {
    pub(super) fn dialog(&self) -> MutexGuard<'_, Dialog> {
        self.dialog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn happened(&self, happening: Happening) {
        if happening.is_end() {
            self.media.close();
        }
        self.happenings.push((Instant::now(), happening));
    }
}

impl Call {
    /// Waits until the call is answered; an error says how it was refused.
    pub async fn answered(&self, within: Duration) -> Result<()> {
        let decided = self
            .inner
            .happenings
            .wait_from(0, within, |(_, happening)| {
                (happening.is_end() || *happening == Happening::Answered).then(|| happening.clone())
            });
        match decided.await {
            Some(Happening::Answered) => Ok(()),
            Some(other) => bail!("the call was not answered: {other:?}"),
            None => bail!("the call was not answered within {within:?}"),
        }
    }

    /// Waits until the call is over and returns how it ended.
    pub async fn ended(&self, within: Duration) -> Result<Happening> {
        let end = self
            .inner
            .happenings
            .wait_from(0, within, |(_, happening)| {
                happening.is_end().then(|| happening.clone())
            });
        end.await
            .with_context(|| format!("the call was not over within {within:?}"))
    }

    /// Tells whether the call is answered and not over.
    pub fn is_up(&self) -> bool {
        self.inner.dialog().stage == Stage::Answered
    }

    /// Tells whether the call is over.
    pub fn is_over(&self) -> bool {
        self.inner.dialog().stage == Stage::Over
    }

    /// Returns everything that happened, with its time.
    pub fn happenings(&self) -> Vec<(Instant, Happening)> {
        self.inner.happenings.all()
    }

    /// Returns a header of the INVITE that began the call.
    pub fn header(&self, name: &str) -> Option<String> {
        self.inner.invite.header(name).map(str::to_owned)
    }

    /// Returns the number the caller shows.
    pub fn caller_number(&self) -> String {
        sip::user(sip::uri(
            self.inner.invite.header("From").unwrap_or_default(),
        ))
        .to_owned()
    }

    /// Returns the name the caller shows.
    pub fn caller_name(&self) -> Option<String> {
        sip::display_name(self.inner.invite.header("From").unwrap_or_default())
    }

    /// Returns the number that was called.
    pub fn called_number(&self) -> String {
        match &self.inner.invite.start {
            Start::Request { uri, .. } => sip::user(uri).to_owned(),
            Start::Response { .. } => String::new(),
        }
    }

    /// Answers a call that rings at this phone.
    pub fn answer(&self) -> Result<()> {
        let mut dialog = self.inner.dialog();
        if dialog.stage != Stage::Ringing {
            bail!("a call that is {:?} cannot be answered", dialog.stage);
        }
        dialog.answer_at = Some(Instant::now());
        Ok(())
    }

    /// Refuses a call that rings at this phone, with a SIP status code such as 486 (busy).
    pub fn refuse(&self, code: u16) -> Result<()> {
        let line = self.line()?;
        line.refuse(&self.inner, code)
    }

    /// Ends the call, whatever stage it is in.
    pub fn hang_up(&self) -> Result<()> {
        self.line()?.hang_up(&self.inner)
    }

    /// Plays audio into the call after what is playing already, and returns its number.
    pub fn play(&self, samples: &[i16]) -> u64 {
        self.inner.media.play(samples, RATE)
    }

    /// Waits until what was played under that number has been sent or cut off.
    pub async fn played(&self, id: u64, within: Duration) -> Result<Played> {
        let played = self
            .inner
            .media
            .played()
            .wait(within, |played| played.id == id)
            .await;
        played.with_context(|| format!("nothing was played to its end within {within:?}"))
    }

    /// Returns how many pieces that were to be played have not been sent to their end.
    pub fn waiting(&self) -> usize {
        self.inner.media.waiting()
    }

    /// Plays audio into the call and waits until all of it has been sent.
    pub async fn say(&self, samples: &[i16]) -> Result<Played> {
        let length = samples.len() as u64 / 8;
        let id = self.play(samples);
        self.played(id, Duration::from_millis(length + 5000)).await
    }

    /// Plays audio of 16,000 samples a second, which a wideband phone sends as it is, and waits until
    /// all of it has been sent.
    pub async fn say_wide(&self, samples: &[i16]) -> Result<Played> {
        let length = samples.len() as u64 / 16;
        let id = self.inner.media.play(samples, 2 * RATE);
        self.played(id, Duration::from_millis(length + 5000)).await
    }

    /// Stops what is playing.
    pub fn stop_playing(&self) {
        self.inner.media.stop_playing();
    }

    /// Presses keys one after the other (RFC 4733); each takes 100 ms and is followed by 80 ms.
    pub fn press(&self, keys: &str) {
        self.inner.media.press(keys);
    }

    /// Presses keys and waits until they are sent; returns when the last one was let go.
    pub async fn press_all(&self, keys: &str) -> Result<Instant> {
        let sent = self.inner.media.keys_sent();
        let mark = sent.mark();
        let mut left = keys.chars().count();
        self.press(keys);
        let done = sent.wait_from(mark, Duration::from_secs(30), |(at, _)| {
            left -= 1;
            (left == 0).then_some(*at)
        });
        done.await
            .context("the keys were not sent; does the other side take telephone-event?")
    }

    /// Returns the keys the other side has pressed, with the time each was let go.
    pub fn keys(&self) -> Vec<(Instant, char)> {
        self.inner.media.keys().all()
    }

    /// Waits until the other side has pressed that many keys in all, and returns them.
    pub async fn hear_keys(&self, count: usize, within: Duration) -> Result<String> {
        let mut keys = String::new();
        let all = self.inner.media.keys().wait_from(0, within, |(_, key)| {
            keys.push(*key);
            (keys.chars().count() >= count).then_some(())
        });
        let all = all.await;
        all.with_context(|| format!("no {count} keys within {within:?}, only {keys:?}"))?;
        Ok(keys)
    }

    /// Sends no RTP at all while muted, as a phone on hold or behind a dead network does.
    pub fn mute(&self, muted: bool) {
        self.inner.media.mute(muted);
    }

    /// Takes hold of the call's audio: what is sent, and what is received.
    pub(crate) fn wire(&self, feed: Feed, tap: Tap) {
        self.inner.media.wire(feed, tap);
    }

    /// Returns the samples a second of a call that comes in, in the codec it will be answered with.
    pub(crate) fn rate(&self, preferred: sdp::Codec) -> u32 {
        let offered = sdp::read(&self.inner.invite.body, preferred);
        offered.map_or(RATE, |remote| remote.codec.rate())
    }

    /// Returns the record of what happens, to wait on.
    pub(crate) fn record(&self) -> &Record<(Instant, Happening)> {
        &self.inner.happenings
    }

    /// Returns the record of the keys the other side presses, to wait on.
    pub(crate) fn pressed(&self) -> &Record<(Instant, char)> {
        self.inner.media.keys()
    }

    /// Returns everything heard so far.
    pub fn heard(&self) -> Recording {
        self.inner.media.heard()
    }

    /// Returns what was heard after that many packets.
    pub fn heard_after(&self, packets: usize) -> Recording {
        self.inner.media.heard_from(packets)
    }

    /// Waits until the tone is heard from now on, and returns when that was.
    pub async fn hear_tone(&self, frequency: f64, within: Duration) -> Result<Instant> {
        self.hear(within, |recording| recording.has_tone(frequency))
            .await
            .with_context(|| format!("no tone of {frequency} Hz"))
    }

    /// Waits until anything but silence is heard from now on, and returns when it began.
    pub async fn hear_sound(&self, within: Duration) -> Result<Instant> {
        let now = Instant::now();
        self.hear(within, |recording| recording.sound_after(now).is_some())
            .await
            .context("no sound")?;
        self.heard().sound_after(now).context("no sound")
    }

    /// Waits until silence has lasted that long from now on, and returns when it began.
    pub async fn hear_silence(&self, lasting: Duration, within: Duration) -> Result<Instant> {
        let now = Instant::now();
        self.hear(within, |recording| {
            recording.silence_after(now, lasting).is_some()
        })
        .await
        .context("no silence")?;
        self.heard()
            .silence_after(now, lasting)
            .context("no silence")
    }

    /// Waits until what is heard from now on satisfies the closure, looking every 20 ms.
    pub async fn hear(
        &self,
        within: Duration,
        mut enough: impl FnMut(&Recording) -> bool,
    ) -> Result<Instant> {
        let mark = self.inner.media.mark();
        let deadline = Instant::now() + within;
        loop {
            if enough(&self.inner.media.heard_from(mark)) {
                return Ok(Instant::now());
            }
            if Instant::now() >= deadline {
                bail!(
                    "not heard within {within:?} (call: {:?})",
                    self.happenings().last()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn line(&self) -> Result<Arc<Line>> {
        self.inner.line.upgrade().context("the phone is gone")
    }
}

impl Inner {
    /// Takes the other side's audio description from a message, if it has one.
    pub(super) fn take_media(&self, body: &str, codec: sdp::Codec) {
        if let Some(remote) = sdp::read(body, codec) {
            let _ = self.media.connect(remote);
        }
    }
}
