//! Dials out: orders the call under our own channel id and waits for how it went.

use std::time::Duration;

use tokio::time::Instant;

use super::Asterisk;
use super::link::{News, Stream};
use super::one_line;
use super::outcome::{Progress, Watch};
use super::transfer::{extension, handoff_variables};
use super::wire::Action;
use crate::pbx::{Arrival, Dial, DialOrder, Dialled, PbxError};

/// How long the callee may ring once an agent is there; the dialplan's own limit is shorter.
const SECOND_LEG: Duration = Duration::from_secs(150);

/// How long after a failure a hangup cause may follow that explains it.
const SETTLE: Duration = Duration::from_millis(500);

impl Asterisk {
    pub(super) async fn originate(&self, dial: &Dial) -> Result<Dialled, PbxError> {
        let queue = extension("the queue's name", &dial.queue.0)?;
        let number = extension("the number", dial.number.e164())?;
        let contexts = &self.config.contexts;
        let (first, second) = match dial.order {
            DialOrder::AgentFirst => (
                (&contexts.callback_queue, &queue),
                (&contexts.callback_agent, &number),
            ),
            DialOrder::CallerFirst => (
                (&contexts.dial, &number),
                (&contexts.callback_caller, &queue),
            ),
        };
        tokio::try_join!(
            self.require(first.0, first.1),
            self.require(second.0, second.1)
        )?;
        let mut action = Action::new("Originate")
            .with("Channel", format!("Local/{}@{}", first.1, first.0))
            .with("ChannelId", dial.call.to_string())
            .with("Context", second.0.as_str())
            .with("Exten", second.1.as_str())
            .with("Priority", "1")
            .with("Async", "true")
            .with("Timeout", dial.ring.as_millis().max(1000).to_string());
        if dial.caller_id.is_some() {
            // What agents see; HOTLINE_OUTBOUND_NUMBER is what the callee sees.
            action = action.with("CallerID", format!("<{number}>"));
        }
        for (name, value) in variables(dial) {
            // Two underscores let the legs that are dialled later inherit it.
            action = action.with_variable(&format!("__{name}"), &value);
        }
        self.lock()
            .expect(dial.call, arrival(dial), std::time::Instant::now());
        let result = self.place_call(dial, action).await;
        if !matches!(
            result,
            Ok(Dialled::Answered) | Err(PbxError::Unanswered { .. })
        ) {
            self.lock().forget(dial.call);
        }
        result
    }

    async fn place_call(&self, dial: &Dial, action: Action) -> Result<Dialled, PbxError> {
        let news = self.link.news();
        let id = self.link.action_id();
        let watch = Watch::new(dial.order, dial.call.to_string(), id.clone());
        self.link.ask_as(id, action).await?;
        self.await_outcome(dial, watch, news).await
    }

    async fn await_outcome(
        &self,
        dial: &Dial,
        mut watch: Watch,
        mut news: Stream,
    ) -> Result<Dialled, PbxError> {
        let mut limit = dial.ring + self.times.outcome;
        let mut deadline = Instant::now() + limit;
        let mut before = Progress::Ringing;
        loop {
            let piece = match tokio::time::timeout_at(deadline, news.next()).await {
                Ok(piece) => piece,
                Err(_) if before == Progress::Settling => {
                    watch.settle();
                    None
                }
                Err(_) => return Err(unknown(limit)),
            };
            let progress = match piece {
                Some(News::Event(block)) => watch.event(&block),
                // The verdict may still come once the link is back.
                Some(News::Link(_) | News::Lost(_)) => continue,
                None => match watch.progress() {
                    Progress::Over(dialled) => return Ok(dialled),
                    _ => return Err(unknown(limit)),
                },
            };
            if progress == before {
                continue;
            }
            before = progress;
            match progress {
                Progress::Over(dialled) => return Ok(dialled),
                Progress::Second => limit = SECOND_LEG,
                Progress::Settling => limit = SETTLE,
                Progress::Ringing => {}
            }
            deadline = Instant::now() + limit;
        }
    }
}

fn unknown(after: Duration) -> PbxError {
    PbxError::Unanswered {
        action: "the outgoing call".to_owned(),
        after,
    }
}

/// What an audio connection of this call will be told.
fn arrival(dial: &Dial) -> Arrival {
    Arrival {
        did: dial
            .caller_id
            .as_ref()
            .map(|number| number.e164().to_owned())
            .unwrap_or_default(),
        caller: Some(dial.number.clone()),
        name: None,
        language: dial
            .handoff
            .language
            .map(|language| language.code().to_owned()),
        channel: String::new(),
        purpose: Some(dial.purpose.clone()),
    }
}

fn variables(dial: &Dial) -> Vec<(&'static str, String)> {
    let mut all = handoff_variables(&dial.handoff);
    if dial.handoff.caller.is_none() {
        all[0].1 = dial.number.e164().to_owned();
    }
    all.push(("HOTLINE_UUID", dial.call.to_string()));
    all.push(("HOTLINE_PURPOSE", one_line(&dial.purpose)));
    all.push(("HOTLINE_QUEUE", dial.queue.0.clone()));
    if let Some(number) = &dial.caller_id {
        all.push(("HOTLINE_DID", number.e164().to_owned()));
        all.push(("HOTLINE_OUTBOUND_NUMBER", number.e164().to_owned()));
    }
    all
}
