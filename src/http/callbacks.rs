//! `/api/v1/callbacks`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::problem::read;
use super::{Problem, Rooms};
use crate::dialog::{CallbackOrder, Done, Due};
use crate::flow::Tenant;
use crate::service::{Callback, Filter};
use crate::words::{DepartmentId, Language, PhoneNumber, TenantId};

/// A callback that a supervisor orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCallback {
    /// On whose behalf.
    pub tenant: String,
    /// Who calls.
    pub department: String,
    /// The number to call.
    pub number: String,
    /// The name of who is called.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is about.
    #[serde(default)]
    pub reason: String,
    /// The language to speak; the tenant's first when left out.
    #[serde(default)]
    pub language: Option<String>,
    /// A time such as `2026-11-24 10:00` in the tenant's zone; when the queue is short when left out.
    #[serde(default)]
    pub due: Option<String>,
}

impl NewCallback {
    /// Makes an order of it.
    ///
    /// # Errors
    /// With the field that is wrong.
    pub fn order(&self, tenant: &Tenant) -> Result<CallbackOrder, Problem> {
        let number = PhoneNumber::parse(&self.number)
            .map_err(|error| Problem::bad("number", error.to_string(), "write +4570101010"))?;
        let language = match &self.language {
            None => tenant.first_language(),
            Some(code) => code
                .parse::<Language>()
                .map_err(|error| Problem::bad("language", error.to_string(), "write da or en"))?,
        };
        let due = match &self.due {
            None => Due::QueueShort,
            Some(text) if text == "queue_short" => Due::QueueShort,
            Some(text) => Due::At(instant(text, &tenant.time_zone).map_err(|error| {
                Problem::bad("due", error, "write queue_short or 2026-11-24 10:00")
            })?),
        };
        Ok(CallbackOrder {
            department: DepartmentId(self.department.clone()),
            language,
            number,
            name: self.name.clone(),
            reason: self.reason.clone(),
            due,
        })
    }
}

/// Reads an instant: with an offset, or as local time in a zone.
pub(super) fn instant(text: &str, zone: &str) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let local: DateTime = text
        .trim()
        .parse()
        .map_err(|error| format!("{text:?} is no time: {error}"))?;
    let zone = TimeZone::get(zone).map_err(|error| error.to_string())?;
    let zoned = local.to_zoned(zone).map_err(|error| error.to_string())?;
    Ok(zoned.timestamp())
}

/// What a list is narrowed to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    tenant: Option<String>,
    department: Option<String>,
    over: bool,
}

pub(super) async fn list(
    State(rooms): State<Rooms>,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|error| {
        Problem::bad(
            "query",
            error.to_string(),
            "write ?tenant=…&department=…&over=true",
        )
    })?;
    let filter = Filter {
        tenant: wanted.tenant.map(TenantId),
        department: wanted.department.map(DepartmentId),
        over: wanted.over,
    };
    let callbacks = rooms.services.callbacks(&filter).await?;
    Ok(Json(json!({ "callbacks": callbacks })).into_response())
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Path(reference): Path<String>,
) -> Result<Json<Callback>, Problem> {
    Ok(Json(rooms.services.find_callback(&reference).await?))
}

pub(super) async fn add(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wish: NewCallback = read(&body)?;
    let id = TenantId(wish.tenant.clone());
    let tenant = (rooms.tenants)(&id).ok_or_else(|| {
        Problem::bad(
            "tenant",
            format!("there is no tenant {:?}", wish.tenant),
            "see the folders under flows",
        )
    })?;
    let order = wish.order(&tenant)?;
    let by = by(&headers);
    match rooms.services.add_callback(&id, order, &by).await? {
        Done::Noted { reference } => {
            let body = json!({ "reference": reference, "already_noted": false });
            Ok((StatusCode::CREATED, Json(body)).into_response())
        }
        Done::AlreadyNoted { reference } => {
            let body = json!({ "reference": reference, "already_noted": true });
            Ok(Json(body).into_response())
        }
        Done::Refused { reason } => Err(Problem::new(StatusCode::CONFLICT, reason)),
    }
}

pub(super) async fn cancel(
    State(rooms): State<Rooms>,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Callback>, Problem> {
    let by = by(&headers);
    Ok(Json(rooms.services.cancel_callback(&reference, &by).await?))
}

pub(super) async fn trigger(
    State(rooms): State<Rooms>,
    Path(reference): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Callback>, Problem> {
    let by = by(&headers);
    Ok(Json(
        rooms.services.trigger_callback(&reference, &by).await?,
    ))
}

/// Tells who asks, for the books: the header `X-Hotline-By`, or `api`.
pub(super) fn by(headers: &HeaderMap) -> String {
    let named = headers.get("x-hotline-by").and_then(|it| it.to_str().ok());
    let named = named.map(|name| name.trim().chars().take(64).collect::<String>());
    named
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "api".to_owned())
}
