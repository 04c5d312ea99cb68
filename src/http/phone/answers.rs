//! What the page asks beside its calls: whom it can call, and what came of calls.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::Phone;
use crate::dialog::{QueueState, Target};
use crate::http::Problem;
use crate::http::problem::read;
use crate::pbx::builtin::Deed;
use crate::service::Filter;
use crate::words::{QueueName, TenantId};

/// Deeds kept.
const DEEDS: usize = 50;

/// What the PBX was told to do, in words; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Deeds(Arc<Mutex<VecDeque<Value>>>);

impl Deeds {
    /// Writes deeds down until the PBX is gone.
    pub async fn keep(self, mut deeds: broadcast::Receiver<Deed>) {
        loop {
            match deeds.recv().await {
                Ok(deed) => self.note(&deed),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn note(&self, deed: &Deed) {
        let line = match deed {
            Deed::Transferred {
                target, handoff, ..
            } => json!({
                "deed": "transferred",
                "to": match target {
                    Target::Queue { queue, .. } => queue.0.clone(),
                    Target::Extension(extension) => extension.clone(),
                    Target::External(number) => number.e164().to_owned(),
                },
                "whisper": handoff.summary,
            }),
            Deed::Dialled { dial, outcome } => json!({
                "deed": "dialled",
                "to": dial.number.e164(),
                "queue": dial.queue,
                "outcome": outcome,
                "reference": dial.handoff.reference,
            }),
            Deed::HungUp { .. } => return,
        };
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= DEEDS {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn lines(&self) -> Vec<Value> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().rev().cloned().collect()
    }
}

/// Tells whom the page can call, and how.
pub(super) async fn state(State(phone): State<Phone>) -> Json<Value> {
    let books = phone.books.borrow().clone();
    let tenants: Vec<Value> = books
        .tenants()
        .map(|playbook| {
            let tenant = &playbook.shelf.tenant;
            let keys = tenant.keys.iter().map(|(key, id)| {
                let name = tenant.departments.get(id).map(|it| it.name.clone());
                json!({ "key": key, "name": name })
            });
            json!({
                "id": tenant.tenant,
                "name": tenant.name,
                "languages": tenant.languages,
                "keys": keys.collect::<Vec<_>>(),
                "notices": tenant.notices,
            })
        })
        .collect();
    Json(json!({ "tenants": tenants, "speaks": phone.speaks, "hears": phone.hears }))
}

/// Tells what came of calls: mails, callbacks, notices in force, deeds of the PBX, queues.
pub(super) async fn results(State(phone): State<Phone>) -> Result<Json<Value>, Problem> {
    let filter = Filter {
        over: true,
        ..Filter::default()
    };
    let mut callbacks = phone.services.callbacks(&filter).await?;
    callbacks.reverse();
    let busy = phone
        .queues
        .borrow()
        .values()
        .any(|queue| queue.agents_free == 0);
    Ok(Json(json!({
        "mails": phone.postbox.mails(),
        "callbacks": callbacks,
        "notices": phone.services.all_notices(),
        "deeds": phone.deeds.lines(),
        "busy": busy,
    })))
}

pub(super) async fn recording(
    State(phone): State<Phone>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let mail = phone.postbox.mails().into_iter().find(|mail| mail.id == id);
    match mail.and_then(|mail| mail.recording) {
        Some(wav) => Ok(([(header::CONTENT_TYPE, "audio/wav")], wav).into_response()),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "there is no such recording",
        )),
    }
}

/// How the queues are to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Queues {
    busy: bool,
}

pub(super) async fn set_queues(
    State(phone): State<Phone>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let Queues { busy } = read(&body)?;
    phone.set_queues(busy);
    Ok(Json(json!({ "busy": busy })))
}

impl Phone {
    /// Has all queues be empty with agents free, or full with a quarter of an hour to wait.
    pub fn set_queues(&self, busy: bool) {
        let state = if busy {
            QueueState {
                waiting: 12,
                agents_free: 0,
                agents: 3,
                longest_wait: 900,
                average_wait: 900,
            }
        } else {
            QueueState {
                agents_free: 3,
                agents: 3,
                ..QueueState::default()
            }
        };
        let books = self.books.borrow().clone();
        let departments = books
            .tenants()
            .flat_map(|playbook| playbook.shelf.tenant.departments.values());
        let names: Vec<QueueName> = departments.map(|it| it.queue.clone()).collect();
        for name in &names {
            self.pbx.set_queue(name.clone(), state);
        }
        self.queues
            .send_replace(names.into_iter().map(|name| (name, state)).collect());
        self.services.queue_changed();
    }
}

/// A notice to be switched on or off.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticeSwitch {
    tenant: String,
    name: String,
    on: bool,
}

pub(super) async fn set_notice(
    State(phone): State<Phone>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let NoticeSwitch { tenant, name, on } = read(&body)?;
    let id = TenantId(tenant);
    if on {
        phone
            .services
            .notice_on(&id, &name, None, None, "demo")
            .await?;
    } else {
        phone.services.notice_off(&id, &name, "demo").await?;
    }
    Ok(Json(json!({ "on": on })))
}
