//! Moves a caller to a queue, an extension or an outside number. FreeSWITCH says `+OK` to any transfer,
//! so the caller's arrival is awaited afterwards.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::link::Link;
use super::session::Session;
use super::told::Told;
use super::value;
use super::{FreeSwitch, lock};
use crate::dialog::{Handoff, Target};
use crate::pbx::PbxError;
use crate::pbx::news::{News, Stream};
use crate::words::{CallId, Language, PhoneNumber};

/// What a transfer is called in errors.
const TRANSFER: &str = "the transfer";

/// How long a caller without further signs of life may take until we look whether they are there.
const LOOK: Duration = Duration::from_secs(1);

/// How long a phone may ring; the dialplan's own limit is shorter.
const RINGING: Duration = Duration::from_secs(150);

/// How much one step of priority counts, in the seconds of waiting that mod_callcenter reckons with.
const STEP: u64 = 3600;

/// A place of the dialplan.
struct Place {
    /// As `uuid_transfer` wants it.
    name: String,
    /// The queue with its domain, if it is one.
    queue: Option<String>,
    /// What `hotline-extension` and `hotline-external` dial.
    dial: Option<String>,
}

/// How commands about a call are sent: on its own connection, or on our link when that is closed.
enum Way {
    Session(Arc<Session>),
    Link(Link),
}

impl Way {
    async fn api(&self, command: String) -> Result<String, PbxError> {
        match self {
            Self::Session(session) => session.api(command).await,
            Self::Link(link) => link.api(command).await,
        }
    }

    async fn move_to(&self, channel: CallId, place: &str) -> Result<(), PbxError> {
        match self {
            Self::Session(session) => session.move_to(place).await,
            Self::Link(link) => link
                .api(format!("uuid_transfer {channel} {place}"))
                .await
                .map(|_| ()),
        }
    }
}

impl FreeSwitch {
    pub(super) async fn move_caller(
        &self,
        call: CallId,
        target: &Target,
        handoff: &Handoff,
    ) -> Result<(), PbxError> {
        let place = self.place(target)?;
        self.look_up(&place).await?;
        let (channel, session) = {
            let calls = lock(&self.calls);
            (calls.channel(call), calls.session(call))
        };
        let way = match session {
            Some(session) => Way::Session(session),
            None => Way::Link(self.link.clone()),
        };
        for (name, value) in variables(target, handoff, &place) {
            // Without a value it is taken away, so that none is left from before.
            let order = format!("uuid_setvar {channel} {name} {}", value::last(&value));
            way.api(order.trim_end().to_owned()).await?;
        }
        let news = self.news.listen();
        way.move_to(channel, &place.name).await?;
        self.await_arrival(channel, &place, way, news).await
    }

    fn place(&self, target: &Target) -> Result<Place, PbxError> {
        let contexts = &self.config.contexts;
        Ok(match target {
            Target::Queue { queue, .. } => {
                let queue = value::extension("the queue's name", &self.queue_name(queue))?;
                Place {
                    name: format!("{queue} XML {}", contexts.queue),
                    queue: Some(queue),
                    dial: None,
                }
            }
            Target::Extension(number) => {
                let number = value::extension("the extension", number)?;
                Place {
                    name: format!("{number} XML {}", contexts.extension),
                    queue: None,
                    dial: Some(self.config.extension.replace("{extension}", &number)),
                }
            }
            Target::External(number) => {
                let number = value::extension("the number", number.e164())?;
                Place {
                    name: format!("{number} XML {}", contexts.external),
                    queue: None,
                    dial: Some(self.config.outbound.replace("{number}", &number)),
                }
            }
        })
    }

    /// Refuses a queue that does not exist, before the caller is touched. When the link is down the
    /// dialplan finds out.
    async fn look_up(&self, place: &Place) -> Result<(), PbxError> {
        let Some(queue) = &place.queue else {
            return Ok(());
        };
        match self.known_queues().await {
            Ok(known) if !known.contains(queue) => {
                Err(refused(format!("FreeSWITCH knows no queue {queue:?}")))
            }
            _ => Ok(()),
        }
    }

    /// Waits until the caller is seen at the new place.
    async fn await_arrival(
        &self,
        channel: CallId,
        place: &Place,
        way: Way,
        mut news: Stream<Told>,
    ) -> Result<(), PbxError> {
        let limit = match place.queue {
            Some(_) => self.times.command,
            None => RINGING,
        };
        let deadline = Instant::now() + limit;
        let unknown = || PbxError::Unanswered {
            action: TRANSFER.to_owned(),
            after: limit,
        };
        let mut look = Instant::now() + LOOK;
        loop {
            let piece = tokio::select! {
                piece = news.next() => piece.ok_or_else(unknown)?,
                () = tokio::time::sleep_until(look.min(deadline)) => {
                    if Instant::now() >= deadline {
                        return Err(unknown());
                    }
                    look = Instant::now() + LOOK;
                    if way.api(format!("uuid_exists {channel}")).await? == "false" {
                        return Err(PbxError::NoSuchCall);
                    }
                    continue;
                }
            };
            if let News::Event(told) = piece
                && let Some(arrived) = arrived(&told, channel, place)
            {
                return arrived;
            }
        }
    }
}

/// The variables that go along with a transfer.
fn variables(target: &Target, handoff: &Handoff, place: &Place) -> Vec<(&'static str, String)> {
    let mut all = handoff_variables(handoff);
    if let Target::Queue { priority, .. } = target {
        all.push(("hotline_priority", priority.to_string()));
        all.push(("cc_base_score", (u64::from(*priority) * STEP).to_string()));
    }
    // The admin's own words, which may hold what FreeSWITCH expands.
    all.push(("hotline_dial", place.dial.clone().unwrap_or_default()));
    all
}

/// What the agent is told, as variables whose values mean nothing to FreeSWITCH.
pub(super) fn handoff_variables(handoff: &Handoff) -> Vec<(&'static str, String)> {
    let caller = handoff.caller.as_ref().map(PhoneNumber::e164);
    let language = handoff.language.as_ref().map(Language::code);
    let reference = handoff
        .reference
        .as_ref()
        .map(|reference| reference.0.as_str());
    [
        ("hotline_caller", caller.unwrap_or_default()),
        ("hotline_reason", &handoff.reason),
        ("hotline_language", language.unwrap_or_default()),
        ("hotline_summary", &handoff.summary),
        (
            "hotline_whisper",
            handoff.whisper.as_deref().unwrap_or_default(),
        ),
        ("hotline_tenant", &handoff.tenant),
        ("hotline_reference", reference.unwrap_or_default()),
    ]
    .map(|(name, text)| (name, value::clean(text)))
    .into()
}

/// What one event says about the caller's arrival.
fn arrived(told: &Told, caller: CallId, place: &Place) -> Option<Result<(), PbxError>> {
    match told {
        Told::Queued { call, queue } if *call == caller => {
            (place.queue.as_ref() == Some(queue)).then_some(Ok(()))
        }
        Told::Bridged { call, .. } if *call == caller && place.queue.is_none() => Some(Ok(())),
        Told::HungUp { call, .. } if *call == caller => Some(Err(PbxError::NoSuchCall)),
        // What comes after it, the ordinary queue, may be told late, of a place that was tried before.
        Told::WentOn {
            call,
            place: left,
            status,
        } if *call == caller
            && left != "fallback"
            && (left == "queue") == place.queue.is_some() =>
        {
            Some(Err(refused(match &place.queue {
                Some(_) => format!("the queue took no caller ({status}); the dialplan goes on"),
                None => format!("nobody answered ({status}); the dialplan goes on"),
            })))
        }
        _ => None,
    }
}

fn refused(message: String) -> PbxError {
    PbxError::Refused {
        action: TRANSFER.to_owned(),
        message,
    }
}
