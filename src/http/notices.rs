//! `/api/v1/notices`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::callbacks::{by, instant};
use super::problem::read;
use super::{Problem, Rooms};
use crate::flow::Tenant;
use crate::service::{ServiceError, SwitchedNotice};
use crate::words::{TenantId, Texts};

/// A notice to be switched on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoticeWish {
    /// What is said, per language; the tenant's prepared text when left out.
    pub text: Option<Texts>,
    /// When it ends by itself: `2026-11-24 10:00` in the tenant's zone, or with an offset.
    pub until: Option<String>,
}

impl NoticeWish {
    /// Returns when it ends.
    ///
    /// # Errors
    /// When that is no time.
    pub fn until(&self, tenant: &Tenant) -> Result<Option<Timestamp>, Problem> {
        let read = |text: &str| {
            instant(text, &tenant.time_zone)
                .map_err(|error| Problem::bad("until", error, "write 2026-11-24 10:00"))
        };
        self.until.as_deref().map(read).transpose()
    }
}

pub(super) async fn list(State(rooms): State<Rooms>) -> Json<Value> {
    Json(json!({ "notices": rooms.services.all_notices() }))
}

pub(super) async fn switch_on(
    State(rooms): State<Rooms>,
    Path((tenant, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<SwitchedNotice>, Problem> {
    let wish: NoticeWish = read(&body)?;
    let id = TenantId(tenant);
    let tenant = (rooms.tenants)(&id).ok_or_else(|| ServiceError::NoSuchTenant(id.clone()))?;
    let until = wish.until(&tenant)?;
    let switched = rooms
        .services
        .notice_on(&id, &name, wish.text, until, &by(&headers))
        .await?;
    Ok(Json(switched))
}

pub(super) async fn switch_off(
    State(rooms): State<Rooms>,
    Path((tenant, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let id = TenantId(tenant);
    let was_on = rooms.services.notice_off(&id, &name, &by(&headers)).await?;
    if was_on {
        return Ok(Json(json!({ "switched_off": name })));
    }
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        format!("{id} has no notice {name:?} in force"),
    )
    .remedy("GET /api/v1/notices lists those in force"))
}
