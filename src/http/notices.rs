//! `/api/v1/notices`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::callbacks::{by, instant};
use super::problem::read;
use super::{Problem, Rooms};
use crate::service::SwitchedNotice;
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
    let zone = (rooms.tenants)(&id).map(|tenant| tenant.time_zone.clone());
    let until = wish.until.as_deref().map(|text| {
        instant(text, zone.as_deref().unwrap_or("UTC"))
            .map_err(|error| Problem::bad("until", error, "write 2026-11-24 10:00"))
    });
    let until = until.transpose()?;
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
