//! Moves a caller to a queue, an extension or an outside number. Asterisk says `Redirect successful`
//! even when the place does not exist and then hangs up, so the place is looked up first and the
//! caller's arrival awaited afterwards.

use std::time::Duration;

use tokio::time::Instant;

use super::link::{News, Stream};
use super::wire::{Action, Block};
use super::{Asterisk, is_gone, one_line};
use crate::dialog::{Handoff, Target};
use crate::pbx::{LinkState, PbxError};
use crate::words::CallId;

/// What a transfer is called in errors.
const TRANSFER: &str = "the transfer";

/// How long a caller without further signs of life may take until we look where they are.
const LOOK: Duration = Duration::from_secs(1);

/// How many digits, the country's code not given, are taken for somebody's telephone number.
const SHORTEST_NUMBER: usize = 6;

/// A place of the dialplan.
#[derive(Debug)]
struct Place<'a> {
    context: &'a str,
    extension: String,
    queue: Option<&'a str>,
}

impl Asterisk {
    pub(super) async fn move_caller(
        &self,
        call: CallId,
        target: &Target,
        handoff: &Handoff,
    ) -> Result<(), PbxError> {
        let place = self.place(target)?;
        let channel = self.channel(call).await?;
        self.look_up_place(&channel, target, &place).await?;
        self.set_variables(&channel, &variables(target, handoff))
            .await?;
        let news = self.link.news();
        let redirect = Action::new("Redirect")
            .with("Channel", channel.as_str())
            .with("Context", place.context)
            .with("Exten", place.extension.as_str())
            .with("Priority", "1");
        self.link.ask(redirect).await.map_err(is_gone)?;
        self.await_arrival(call, &channel, &place, news).await
    }

    /// Names the place in the dialplan that stands for a target.
    fn place<'a>(&'a self, target: &'a Target) -> Result<Place<'a>, PbxError> {
        let contexts = &self.config.contexts;
        match target {
            Target::Queue { queue, .. } => Ok(Place {
                context: &contexts.queue,
                extension: extension("the queue's name", &queue.0)?,
                queue: Some(&queue.0),
            }),
            Target::Extension(number) => Ok(Place {
                context: &contexts.extension,
                extension: extension("the extension", number)?,
                queue: None,
            }),
            Target::External(number) => Ok(Place {
                context: &contexts.external,
                extension: extension("the number", number.e164())?,
                queue: None,
            }),
        }
    }

    /// Refuses a place that does not exist, before the caller is touched.
    async fn look_up_place(
        &self,
        channel: &str,
        target: &Target,
        place: &Place<'_>,
    ) -> Result<(), PbxError> {
        if let Some(queue) = place.queue {
            let known = async {
                let summary = Action::new("QueueSummary").with("Queue", queue);
                match self.link.list(summary).await?.is_empty() {
                    false => Ok(()),
                    true => Err(refused(format!("Asterisk knows no queue {queue:?}"))),
                }
            };
            let place = self.require(place.context, &place.extension);
            return tokio::try_join!(known, place).map(|_| ());
        }
        let own = match target {
            Target::Extension(_) => "HOTLINE_EXTENSION_CONTEXT",
            Target::External(_) | Target::Queue { .. } => "HOTLINE_OUTBOUND_CONTEXT",
        };
        let behind = async {
            let context = self.get_variable(Some(channel), own).await?;
            if context.is_empty() {
                return Ok(());
            }
            let required = self.require(&context, &place.extension).await;
            required.map_err(|error| match error {
                PbxError::Refused { .. } => refused(format!(
                    "{} is not to be had in context {context:?}, where {own} of the dialplan \
                     sends it",
                    shown(&place.extension)
                )),
                other => other,
            })
        };
        tokio::try_join!(self.require(place.context, &place.extension), behind).map(|_| ())
    }

    /// Refuses an extension that the dialplan does not have.
    pub(super) async fn require(&self, context: &str, extension: &str) -> Result<(), PbxError> {
        let function = format!("DIALPLAN_EXISTS({context},{extension},1)");
        let missing = || {
            refused(format!(
                "the dialplan has no place for {} in context {context:?}: include \
                 dialplans/hotline.conf or name your own context",
                shown(extension)
            ))
        };
        match self.get_variable(None, &function).await?.as_str() {
            "1" => Ok(()),
            "0" => Err(missing()),
            // Without func_dialplan: the manager's own list says it, given the rights for it.
            _ => {
                let show = Action::new("ShowDialPlan")
                    .with("Context", context)
                    .with("Extension", extension);
                match self.link.list(show).await {
                    Err(PbxError::Refused { message, .. })
                        if message.starts_with("Did not find") =>
                    {
                        Err(missing())
                    }
                    Err(PbxError::Refused { message, .. }) => {
                        tracing::warn!(
                            context,
                            extension = shown(extension),
                            message,
                            "cannot look up a place in the dialplan: load func_dialplan.so"
                        );
                        Ok(())
                    }
                    Err(error) => Err(error),
                    Ok(_) => Ok(()),
                }
            }
        }
    }

    pub(super) async fn set_variables(
        &self,
        channel: &str,
        variables: &[(&str, String)],
    ) -> Result<(), PbxError> {
        let set = variables.iter().map(|(name, value)| {
            let action = Action::new("Setvar")
                .with("Channel", channel)
                .with("Variable", *name)
                .with("Value", value.as_str());
            async { self.link.ask(action).await.map_err(is_gone) }
        });
        futures_util::future::try_join_all(set).await.map(|_| ())
    }

    pub(super) async fn get_variable(
        &self,
        channel: Option<&str>,
        name: &str,
    ) -> Result<String, PbxError> {
        let mut action = Action::new("Getvar").with("Variable", name);
        if let Some(channel) = channel {
            action = action.with("Channel", channel);
        }
        let answer = self.link.ask(action).await.map_err(is_gone)?;
        Ok(answer.get("Value").unwrap_or_default().to_owned())
    }

    /// Waits until the caller is seen at the new place.
    async fn await_arrival(
        &self,
        call: CallId,
        channel: &str,
        place: &Place<'_>,
        mut news: Stream,
    ) -> Result<(), PbxError> {
        let deadline = Instant::now() + self.times.action;
        let unknown = || PbxError::Unanswered {
            action: TRANSFER.to_owned(),
            after: self.times.action,
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
                    if self.is_at(channel, place).await? {
                        return Ok(());
                    }
                    continue;
                }
            };
            match piece {
                News::Event(block) if about(&block, channel) => {
                    if let Some(arrived) = arrived(&block, place) {
                        return arrived;
                    }
                }
                News::Event(_) => {}
                News::Link(LinkState::Down(_)) => return Err(unknown()),
                News::Link(LinkState::Up | LinkState::Ready) => {}
                News::Lost(_) => {
                    tracing::debug!(%call, "events were lost during a transfer");
                    look = Instant::now();
                }
            }
        }
    }

    /// Looks where the caller is.
    async fn is_at(&self, channel: &str, place: &Place<'_>) -> Result<bool, PbxError> {
        let status = Action::new("Status").with("Channel", channel);
        let items = self.link.list(status).await.map_err(is_gone)?;
        let item = items.first().ok_or(PbxError::NoSuchCall)?;
        let application = item.get("Application").unwrap_or_default();
        Ok(match place.queue {
            Some(queue) => {
                let data = item.get("Data").unwrap_or_default();
                application.eq_ignore_ascii_case("Queue")
                    && data.split(',').next().is_some_and(|name| name == queue)
            }
            None => item.get("Context") == Some(place.context),
        })
    }
}

/// What one event about the caller says about their arrival.
fn arrived(block: &Block, place: &Place<'_>) -> Option<Result<(), PbxError>> {
    match block.event()? {
        "QueueCallerJoin" if place.queue.is_some() && block.get("Queue") == place.queue => {
            Some(Ok(()))
        }
        "DialBegin" if place.queue.is_none() => Some(Ok(())),
        "Hangup" => Some(Err(PbxError::NoSuchCall)),
        "UserEvent" if block.get("UserEvent") == Some("HotlineQueueLeft") => {
            let status = block.get("status").unwrap_or("no reason given");
            Some(Err(refused(format!(
                "the queue took no caller ({status}); the dialplan goes on"
            ))))
        }
        "UserEvent" if block.get("UserEvent") == Some("HotlineDialLeft") => {
            let status = block.get("status").unwrap_or("no reason given");
            let left = || refused(format!("nobody answered ({status}); the dialplan goes on"));
            (status != "ANSWER").then(|| Err(left()))
        }
        _ => None,
    }
}

fn about(block: &Block, channel: &str) -> bool {
    block.get("Channel") == Some(channel)
}

fn refused(message: String) -> PbxError {
    PbxError::Refused {
        action: TRANSFER.to_owned(),
        message,
    }
}

/// Writes an extension for people who read logs; people's telephone numbers are not for them.
fn shown(extension: &str) -> String {
    let digits = extension.strip_prefix('+').unwrap_or(extension);
    let is_long = digits.len() >= SHORTEST_NUMBER || digits.len() < extension.len();
    if is_long && digits.chars().all(|c| c.is_ascii_digit()) {
        return "the number".to_owned();
    }
    format!("extension {extension:?}")
}

/// Lets through only what can be an extension of the dialplan and nothing that would mean more.
pub(super) fn extension(field: &str, text: &str) -> Result<String, PbxError> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '+' | '*' | '#' | '_' | '-' | '.');
    if text.is_empty() || text.len() > 79 || !text.chars().all(plain) {
        return Err(PbxError::Unsendable {
            field: field.to_owned(),
            why: format!("{text:?} is no extension: letters, digits, + * # _ - and . only"),
        });
    }
    Ok(text.to_owned())
}

/// The variables that go along with a transfer. All are set, so that none is left from before.
fn variables(target: &Target, handoff: &Handoff) -> Vec<(&'static str, String)> {
    let mut all = handoff_variables(handoff);
    if let Target::Queue { priority, .. } = target {
        all.push(("QUEUE_PRIO", priority.to_string()));
        all.push(("HOTLINE_PRIORITY", priority.to_string()));
    }
    all
}

/// What the agent is told, as variables.
pub(super) fn handoff_variables(handoff: &Handoff) -> Vec<(&'static str, String)> {
    let caller = handoff
        .caller
        .as_ref()
        .map(|caller| caller.e164().to_owned());
    let language = handoff.language.map(|language| language.code().to_owned());
    let reference = handoff
        .reference
        .as_ref()
        .map(|reference| reference.0.clone());
    vec![
        ("HOTLINE_CALLER", caller.unwrap_or_default()),
        ("HOTLINE_REASON", one_line(&handoff.reason)),
        ("HOTLINE_LANGUAGE", language.unwrap_or_default()),
        ("HOTLINE_SUMMARY", one_line(&handoff.summary)),
        (
            "HOTLINE_WHISPER",
            handoff.whisper.clone().unwrap_or_default(),
        ),
        ("HOTLINE_TENANT", one_line(&handoff.tenant)),
        (
            "HOTLINE_REFERENCE",
            one_line(&reference.unwrap_or_default()),
        ),
    ]
}
