//! `/api/v1/calls` and `/api/v1/events`: calls as they go.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::Rooms;

pub(super) async fn calls(State(rooms): State<Rooms>) -> Json<Value> {
    Json(json!({ "calls": rooms.board.calls() }))
}

/// Streams the journal of all calls: `data` is one line of it. A reader that is too slow gets an
/// event `missed` with how many lines it lost.
pub(super) async fn events(
    State(rooms): State<Rooms>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let lines = stream::unfold(rooms.live.watch(), |mut lines| async {
        let event = match lines.recv().await {
            Ok(line) => Event::default().data(&*line),
            Err(RecvError::Lagged(missed)) => {
                Event::default().event("missed").data(missed.to_string())
            }
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), lines))
    });
    let lines = lines.take_until(rooms.stop.cancelled_owned());
    Sse::new(lines).keep_alive(KeepAlive::default())
}
