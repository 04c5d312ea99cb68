//! Whether Asterisk can be reached, and has the queues that tenants name.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Diagnosis;
use super::parts::{is_starting, wanted};
use crate::flow::Library;
use crate::pbx::asterisk::{Asterisk, Config};
use crate::pbx::{LinkState, Pbx};

/// How long a login may take.
const LOGIN: Duration = Duration::from_secs(8);

/// Logs in and looks around.
pub(super) async fn examine(settings: Config, library: Option<&Library>) -> Vec<Diagnosis> {
    let place = format!("{}:{}", settings.host, settings.port);
    let stop = CancellationToken::new();
    let asterisk = Asterisk::start(settings, &stop);
    let mut link = asterisk.link();
    let up = tokio::time::timeout(LOGIN, link.wait_for(|state| !is_starting(state))).await;
    let state = match up {
        Ok(Ok(state)) => state.clone(),
        Ok(Err(_)) => LinkState::Down("the link ended".to_owned()),
        Err(_) => asterisk.link().borrow().clone(),
    };
    let diagnoses = match state {
        LinkState::Ready | LinkState::Up => {
            let mut diagnoses = vec![Diagnosis::well("asterisk", format!("logged in at {place}"))];
            diagnoses.extend(queues(&asterisk, library).await);
            diagnoses
        }
        LinkState::Down(why) => vec![Diagnosis::wrong(
            "asterisk",
            format!("{place}: {why}"),
            "see that Asterisk runs, and that manager.conf has the user and secret \
             (dialplans/manager.conf shows it)",
        )],
    };
    stop.cancel();
    diagnoses
}

/// Looks for queues that tenants name and Asterisk does not have.
async fn queues(asterisk: &Arc<Asterisk>, library: Option<&Library>) -> Option<Diagnosis> {
    let wanted = wanted(library?);
    let known = match asterisk.queues().await {
        Ok(known) => known,
        Err(error) => {
            return Some(Diagnosis::wrong(
                "queues",
                error.to_string(),
                "give the manager user the permissions of dialplans/manager.conf",
            ));
        }
    };
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|name| !known.contains_key(**name))
        .map(|name| name.0.as_str())
        .collect();
    Some(match missing.is_empty() {
        true => Diagnosis::well("queues", format!("Asterisk has all {}", wanted.len())),
        false => Diagnosis::wrong(
            "queues",
            format!("Asterisk has no queue {}", missing.join(", ")),
            "add them to queues.conf, or correct `queue` in tenant.yaml",
        ),
    })
}
