//! What went wrong with a request, always as the same JSON: `error`, `field`, `remedy`.

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::flow::did_you_mean;
use crate::send::SendError;
use crate::service::ServiceError;
use crate::store::StoreError;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// What is wrong.
    pub error: String,
    /// Which part of the request is meant.
    pub field: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Problem {
    /// Makes a problem without field and remedy.
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            error: error.into(),
            field: None,
            remedy: None,
        }
    }

    /// The request says something that it cannot say.
    pub(super) fn bad(field: &str, error: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            field: Some(field.to_owned()),
            remedy: Some(remedy.into()),
            ..Self::new(StatusCode::BAD_REQUEST, error)
        }
    }

    /// Adds what to do.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let text = error.to_string();
        match error {
            ServiceError::NoSuchTenant(_) | ServiceError::NoSuchCallback(_) => {
                Self::new(StatusCode::NOT_FOUND, text)
            }
            ServiceError::NoSuchDepartment { .. } => Self {
                field: Some("department".to_owned()),
                ..Self::new(StatusCode::BAD_REQUEST, text)
            },
            ServiceError::NoSuchNotice { .. } => Self {
                field: Some("text".to_owned()),
                ..Self::new(StatusCode::BAD_REQUEST, text)
            },
            ServiceError::WrongState { .. } | ServiceError::Refused(_) => {
                Self::new(StatusCode::CONFLICT, text)
            }
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            .remedy("run `hotline doctor` on the machine")
    }
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        let text = error.to_string();
        match error {
            SendError::NoSuchMail(_) => Self::new(StatusCode::NOT_FOUND, text),
            SendError::NotDead { .. } => Self::new(StatusCode::CONFLICT, text),
            SendError::Store(error) => error.into(),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, text),
        }
    }
}

/// Reads a JSON body, or says which field is wrong.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.trim_ascii().is_empty() {
        b"{}"
    } else {
        body
    };
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let mut names = text.split('`').skip(1).step_by(2);
        let field = names.next().map(str::to_owned);
        let remedy = match &field {
            Some(field) if text.starts_with("unknown field") => did_you_mean(field, names),
            Some(field) if text.starts_with("missing field") => Some(format!("add {field:?}")),
            _ => Some("send a JSON object in UTF-8".to_owned()),
        };
        Problem {
            field,
            remedy,
            ..Problem::new(StatusCode::BAD_REQUEST, text)
        }
    })
}

/// Answers a path that is none.
pub(super) async fn no_such_place(uri: Uri) -> Problem {
    const PLACES: [&str; 9] = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/calls",
        "/api/v1/callbacks",
        "/api/v1/notices",
        "/api/v1/calls",
        "/api/v1/events",
        "/api/v1/deadletters",
    ];
    let problem = Problem::new(
        StatusCode::NOT_FOUND,
        format!("there is nothing at {}", uri.path()),
    );
    match did_you_mean(uri.path(), PLACES) {
        Some(remedy) => problem.remedy(remedy),
        None => problem,
    }
}

/// Answers a method that a path does not know.
pub(super) async fn no_such_method(method: axum::http::Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not know {method}", uri.path()),
    )
    .remedy("see the header Allow")
}
