//! Dials out: orders the call under our own channel id and waits for how it went. Who is rung first
//! decides how: a callee by the trunk's dial string, an agent by the contact that mod_callcenter has.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::outcome::{Progress, Watch};
use super::queues::Agent;
use super::told::Told;
use super::transfer::handoff_variables;
use super::value::{Value, dial_string, extension, variables, word};
use super::{FreeSwitch, lock};
use crate::pbx::news::{News, Stream};
use crate::pbx::{Arrival, Dial, DialOrder, Dialled, LinkState, Pbx, PbxError};
use crate::words::CallId;

/// How long the callee may ring once an agent is there; the dialplan's own limit is shorter.
const SECOND_LEG: Duration = Duration::from_secs(150);

/// How long after a failure a cause may follow that explains it.
const SETTLE: Duration = Duration::from_millis(500);

/// An agent is not rung for less.
const SHORTEST_RING: Duration = Duration::from_secs(1);

/// How long the former agent's leg may take to be gone, so that the next one can bear the call's id.
const LEAVING: Duration = Duration::from_secs(2);

/// How often it is looked whether that leg is gone.
const LOOK: Duration = Duration::from_millis(50);

/// Agents whom an order of ours is ringing now, by whole name: mod_callcenter does not know of it.
#[derive(Clone, Default)]
pub(super) struct Rung(Arc<Mutex<BTreeSet<String>>>);

/// An agent kept from other orders of ours until it is dropped.
struct Reserved {
    agent: Agent,
    rung: Rung,
}

impl Rung {
    fn reserve(&self, agent: Agent) -> Option<Reserved> {
        let is_new = lock(&self.0).insert(agent.name.clone());
        is_new.then(|| Reserved {
            agent,
            rung: self.clone(),
        })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        lock(&self.rung.0).remove(&self.agent.name);
    }
}

impl FreeSwitch {
    pub(super) async fn originate(&self, dial: &Dial) -> Result<Dialled, PbxError> {
        let queue = extension("the queue's name", &self.queue_name(&dial.queue))?;
        let number = extension("the number", dial.number.e164())?;
        lock(&self.calls).expect(dial.call, arrival(dial), std::time::Instant::now());
        let result = match dial.order {
            DialOrder::CallerFirst => self.caller_first(dial, &queue, &number).await,
            DialOrder::AgentFirst => self.agent_first(dial, &queue, &number).await,
        };
        if !matches!(
            result,
            Ok(Dialled::Answered) | Err(PbxError::Unanswered { .. })
        ) {
            lock(&self.calls).forget(dial.call);
        }
        result
    }

    async fn caller_first(
        &self,
        dial: &Dial,
        queue: &str,
        number: &str,
    ) -> Result<Dialled, PbxError> {
        let mut all = leg(dial.call, dial.ring);
        if let Some(shown) = &dial.caller_id {
            all.push(("origination_caller_id_number", Value::text(shown.e164())));
            all.push(("origination_caller_id_name", Value::text(shown.e164())));
        }
        all.extend(about(dial));
        let callee = dial_string(&self.config.outbound, "{number}", number)?;
        let order = format!(
            "originate {}{} {queue} XML {}",
            variables(&all),
            word(&self.resolve(callee).await?),
            self.config.contexts.callback_caller,
        );
        let watch = Watch::new(dial.order, dial.call, CallId(Uuid::new_v4()));
        self.place_call(order, watch, dial.ring).await
    }

    async fn agent_first(
        &self,
        dial: &Dial,
        queue: &str,
        number: &str,
    ) -> Result<Dialled, PbxError> {
        let callee = dial_string(&self.config.outbound, "{number}", number)?;
        let end = Instant::now() + dial.ring.max(SHORTEST_RING);
        let mut tried = BTreeSet::new();
        loop {
            let ring = end.saturating_duration_since(Instant::now());
            if !tried.is_empty() && ring < SHORTEST_RING {
                return Ok(Dialled::NoAgent);
            }
            let Some(reserved) = self.free_agent(queue, &tried).await? else {
                return Ok(Dialled::NoAgent);
            };
            let agent = &reserved.agent;
            tried.insert(agent.name.clone());
            let second = CallId(Uuid::new_v4());
            let mut all = leg(dial.call, ring);
            // What the agent's phone shows is who will be called.
            all.push(("origination_caller_id_number", Value::text(number)));
            all.push(("origination_caller_id_name", Value::text(number)));
            all.push(("hotline_agent", Value::exact(&agent.name)));
            all.push(("hotline_second", Value::text(&second.to_string())));
            all.push(("hotline_dial", Value::exact(&callee)));
            all.extend(about(dial));
            all.extend(headers(dial));
            let order = format!(
                "originate {}{} {number} XML {}",
                variables(&all),
                word(&self.resolve(agent.contact.clone()).await?),
                self.config.contexts.callback_agent,
            );
            let watch = Watch::new(dial.order, dial.call, second);
            match self.place_call(order, watch, ring).await? {
                Dialled::NoAgent => {}
                dialled => return Ok(dialled),
            }
            tracing::debug!(call = %dial.call, agent = agent.name, "the agent did not take a callback");
            if !self.is_gone(dial.call).await? {
                // Nobody may answer an order that counts as failed: the citizen would be called twice.
                let kill = format!("uuid_kill {} ORIGINATOR_CANCEL", dial.call);
                match self.link.api(kill).await {
                    Ok(_) | Err(PbxError::NoSuchCall) => return Ok(Dialled::NoAgent),
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Finds an agent of a queue who is free and whom no other order of ours is ringing.
    async fn free_agent(
        &self,
        queue: &str,
        tried: &BTreeSet<String>,
    ) -> Result<Option<Reserved>, PbxError> {
        let answers = self.ask_posts().await?;
        if !answers.names().contains(queue) {
            return Err(PbxError::Refused {
                action: "the outgoing call".to_owned(),
                message: format!("FreeSWITCH knows no queue {queue:?}: see callcenter.conf.xml"),
            });
        }
        let mut free = answers.free_agents(queue).into_iter();
        Ok(free.find_map(|agent| match tried.contains(&agent.name) {
            true => None,
            false => self.rung.reserve(agent),
        }))
    }

    /// Expands what a dialplan would expand: orders to dial are taken literally.
    async fn resolve(&self, dial_string: String) -> Result<String, PbxError> {
        match dial_string.contains("${") {
            true => self.link.api(format!("eval {dial_string}")).await,
            false => Ok(dial_string),
        }
    }

    /// Waits a moment for a leg to be gone.
    async fn is_gone(&self, call: CallId) -> Result<bool, PbxError> {
        let end = Instant::now() + LEAVING;
        loop {
            if !self.exists(call).await? {
                return Ok(true);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn place_call(
        &self,
        order: String,
        watch: Watch,
        ring: Duration,
    ) -> Result<Dialled, PbxError> {
        let news = self.news.listen();
        match self.link.start_job(order).await {
            // It may have been taken all the same; what happens will tell.
            Ok(()) | Err(PbxError::Unanswered { .. }) => {}
            Err(error) => return Err(error),
        }
        self.await_outcome(watch, news, ring).await
    }

    async fn await_outcome(
        &self,
        mut watch: Watch,
        mut news: Stream<Told>,
        ring: Duration,
    ) -> Result<Dialled, PbxError> {
        let mut limit = ring + self.times.outcome;
        let mut deadline = Instant::now() + limit;
        let mut before = Progress::Ringing;
        let mut blind = matches!(&*self.link.state().borrow(), LinkState::Down(_));
        loop {
            let piece = match tokio::time::timeout_at(deadline, news.next()).await {
                Ok(Some(piece)) => piece,
                Err(_) if before == Progress::Settling => {
                    watch.settle();
                    News::Lost(0)
                }
                Ok(None) | Err(_) => return Err(unknown(limit)),
            };
            match piece {
                News::Event(told) => {
                    watch.event(&told);
                }
                News::Link(LinkState::Ready) if blind => {
                    blind = false;
                    self.look(&mut watch, limit).await?;
                }
                News::Link(LinkState::Down(_)) => blind = true,
                News::Lost(lost) if lost > 0 => self.look(&mut watch, limit).await?,
                News::Link(_) | News::Lost(_) => {}
            }
            let progress = watch.progress();
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

    /// Looks what has become of a call whose events may have been missed.
    async fn look(&self, watch: &mut Watch, limit: Duration) -> Result<(), PbxError> {
        let (first, second) = watch.legs();
        if !self.exists(first).await? {
            return match watch.progress() {
                Progress::Settling | Progress::Over(_) => Ok(()),
                Progress::Ringing | Progress::Second => Err(unknown(limit)),
            };
        }
        if self.is_answered(first).await? {
            watch.first_answered();
        }
        if watch.progress() == Progress::Second
            && self.exists(second).await?
            && self.is_answered(second).await?
        {
            watch.both_answered();
        }
        Ok(())
    }

    async fn is_answered(&self, call: CallId) -> Result<bool, PbxError> {
        match self
            .link
            .api(format!("uuid_getvar {call} endpoint_disposition"))
            .await
        {
            Ok(value) => Ok(value.trim() == "ANSWER"),
            Err(PbxError::NoSuchCall) => Ok(false),
            Err(error) => Err(error),
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
    let shown = dial
        .caller_id
        .as_ref()
        .map(|number| number.e164().to_owned());
    let language = dial
        .handoff
        .language
        .map(|language| language.code().to_owned());
    Arrival {
        did: shown.unwrap_or_default(),
        caller: Some(dial.number.clone()),
        name: None,
        language,
        channel: dial.call.to_string(),
        purpose: Some(dial.purpose.clone()),
    }
}

/// How the first leg is dialled.
fn leg(call: CallId, ring: Duration) -> Vec<(&'static str, Value)> {
    let seconds = ring.as_millis().div_ceil(1000).max(1);
    vec![
        ("origination_uuid", Value::text(&call.to_string())),
        ("ignore_early_media", Value::text("true")),
        ("originate_timeout", Value::text(&seconds.to_string())),
    ]
}

/// What the dialplan and our own connection of the call are told.
fn about(dial: &Dial) -> Vec<(&'static str, Value)> {
    let handoff = handoff_variables(&dial.handoff).into_iter();
    let mut all: Vec<_> = handoff
        .map(|(name, text)| (name, Value::exact(&text)))
        .collect();
    if dial.handoff.caller.is_none() {
        all.retain(|(name, _)| *name != "hotline_caller");
        all.push(("hotline_caller", Value::text(dial.number.e164())));
    }
    all.push(("hotline_purpose", Value::text(&dial.purpose)));
    all.push(("hotline_queue", Value::text(&dial.queue.0)));
    if let Some(number) = &dial.caller_id {
        all.push(("hotline_did", Value::text(number.e164())));
        all.push(("hotline_outbound_number", Value::text(number.e164())));
    }
    all
}

/// What an agent's phone is told.
fn headers(dial: &Dial) -> Vec<(&'static str, Value)> {
    let handoff = &dial.handoff;
    let caller = handoff.caller.as_ref().unwrap_or(&dial.number);
    let language = handoff.language.map(|language| language.code().to_owned());
    vec![
        ("sip_h_X-Hotline-Call", Value::text(&dial.call.to_string())),
        ("sip_h_X-Hotline-Caller", Value::text(caller.e164())),
        ("sip_h_X-Hotline-Reason", Value::text(&handoff.reason)),
        (
            "sip_h_X-Hotline-Language",
            Value::text(&language.unwrap_or_default()),
        ),
        ("sip_h_X-Hotline-Summary", Value::text(&handoff.summary)),
    ]
}

#[cfg(test)]
mod tests;
