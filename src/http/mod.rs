//! The HTTP door: health, figures, the announcement of calls by the dialplan, and the interface
//! for supervisors and programs under `/api/v1`.
//!
//! It asks and tells the rooms below and keeps nothing itself. It speaks plain HTTP on loopback by
//! default; TLS and the outside world are a proxy's business.

mod announce;
mod board;
mod callbacks;
mod config;
mod health;
mod letters;
mod live;
mod notices;
pub mod phone;
mod problem;
mod token;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::call::journal::Live;
use crate::pbx::asterisk::Announcement;
use crate::send::Outbox;
use crate::service::{Services, Tenants};
use crate::words::CallId;

pub use board::{Board, LiveCall};
pub use callbacks::NewCallback;
pub use config::Config;
pub use health::{Readiness, Unready};
pub use notices::NoticeWish;
pub use problem::Problem;
pub use token::{Token, TokenError};

/// The longest body, in bytes.
const BODY: usize = 64 * 1024;

/// Tells the PBX's room about a call that the dialplan announces, and returns the call's id.
pub type Announce = Arc<dyn Fn(&Announcement) -> CallId + Send + Sync>;

/// What the door asks and tells; the roof fills it in. Cheap to clone.
#[derive(Clone)]
pub struct Rooms {
    /// Tells the PBX's room about a call that the dialplan announces, where the PBX's does.
    pub announce: Option<Announce>,
    /// Callbacks and notices.
    pub services: Arc<Services>,
    /// Who the tenants are.
    pub tenants: Tenants,
    /// Mails that did not arrive.
    pub outbox: Outbox,
    /// Calls as they go, line by line.
    pub live: Live,
    /// Calls that are on.
    pub board: Board,
    /// What is counted.
    pub registry: Arc<Registry>,
    /// Whether calls can be served, and why not.
    pub readiness: watch::Receiver<Readiness>,
    /// What `/api` asks for.
    pub token: Arc<Token>,
    /// Cancelled when the house closes; streams end then.
    pub stop: CancellationToken,
}

/// Makes the router; it wants to know who connects (`into_make_service_with_connect_info`).
pub fn router(rooms: Rooms) -> Router {
    let api = Router::new()
        .route("/callbacks", get(callbacks::list).post(callbacks::add))
        .route(
            "/callbacks/{reference}",
            get(callbacks::show).delete(callbacks::cancel),
        )
        .route("/callbacks/{reference}/trigger", post(callbacks::trigger))
        .route("/notices", get(notices::list))
        .route(
            "/notices/{tenant}/{name}",
            put(notices::switch_on).delete(notices::switch_off),
        )
        .route("/calls", get(live::calls))
        .route("/events", get(live::events))
        .route("/deadletters", get(letters::list))
        .route("/deadletters/{id}/retry", post(letters::retry))
        .fallback(problem::no_such_place)
        .layer(from_fn_with_state(rooms.clone(), token::ask));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/calls", get(announce::by_query).post(announce::by_form))
        .nest("/api/v1", api)
        .fallback(problem::no_such_place)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(rooms)
}

/// Serves until told to stop; what is being answered then is answered.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, rooms: Rooms) -> std::io::Result<()> {
    let stop = rooms.stop.clone();
    let service = router(rooms).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}
