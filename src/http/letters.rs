//! `/api/v1/deadletters`: mails that are late or were given up.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::{Problem, Rooms};
use crate::send::MailId;

pub(super) async fn list(State(rooms): State<Rooms>) -> Result<Json<Value>, Problem> {
    let letters = rooms.outbox.trouble().await?;
    Ok(Json(json!({ "deadletters": letters })))
}

pub(super) async fn retry(
    State(rooms): State<Rooms>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let uuid = id.parse().map_err(|_| {
        Problem::bad(
            "id",
            format!("{id:?} is no mail's id"),
            "take it from GET /api/v1/deadletters",
        )
    })?;
    rooms.outbox.retry(MailId(uuid)).await?;
    Ok(Json(json!({ "queued": id })))
}
