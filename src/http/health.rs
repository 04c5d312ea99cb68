//! `/healthz`, `/readyz` and `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use serde::{Deserialize, Serialize};

use super::{Problem, Rooms};

/// What `/metrics` is written in.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether calls can be served: they can when there is no reason against it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Everything that is in the way.
    pub reasons: Vec<Unready>,
}

/// One thing that is in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unready {
    /// The part, such as `pbx`, `store` or `closing`.
    pub part: String,
    /// What is wrong.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
}

impl Readiness {
    /// Tells whether nothing is in the way.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Sets or takes away what is wrong with a part; tells whether that changed anything.
    pub fn set(&mut self, part: &str, trouble: Option<(String, String)>) -> bool {
        let before = self.clone();
        self.reasons.retain(|reason| reason.part != part);
        if let Some((why, remedy)) = trouble {
            self.reasons.push(Unready {
                part: part.to_owned(),
                why,
                remedy,
            });
            self.reasons.sort_by(|a, b| a.part.cmp(&b.part));
        }
        *self != before
    }
}

/// Answers while the process lives.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

pub(super) async fn ready(State(rooms): State<Rooms>) -> Response {
    let readiness = rooms.readiness.borrow().clone();
    let status = if readiness.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::json!({
        "ready": readiness.is_ready(),
        "reasons": readiness.reasons,
    });
    (status, Json(body)).into_response()
}

pub(super) async fn metrics(State(rooms): State<Rooms>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &rooms.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}
