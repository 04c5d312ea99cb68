//! The browser phone of `hotline demo`: a page with a keypad and a text field, calls over a
//! WebSocket (written, or spoken over microphone and speaker), and what comes of them: mails,
//! callbacks, what the PBX was told.
//!
//! It is for one machine and its user. There is no login, so that it answers nobody who came by a
//! name other than this machine's.

mod answers;
mod postbox;
mod spoken;
mod written;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Problem;
use crate::call::journal::Live;
use crate::call::{Books, Desk};
use crate::dialog::{Playbook, QueueState};
use crate::pbx::builtin::Builtin;
use crate::service::Services;
use crate::store::Clock;
use crate::words::{Language, QueueName, TenantId};

pub use answers::Deeds;
pub use postbox::{CaughtMail, Postbox};

/// The longest message of the page, in bytes.
const MESSAGE: usize = 16 * 1024;

/// What the page may load: its own files, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self' ws: wss:; media-src 'self' blob:; worker-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What the phone needs of the house. Cheap to clone.
#[derive(Clone)]
pub struct Phone {
    /// The tenants that can be called.
    pub books: watch::Receiver<Arc<Books>>,
    /// What callers can order from.
    pub services: Arc<Services>,
    /// The PBX that is none.
    pub pbx: Arc<Builtin>,
    /// The queues as calls see them.
    pub queues: Arc<watch::Sender<BTreeMap<QueueName, QueueState>>>,
    /// Takes spoken calls.
    pub desk: Arc<Desk>,
    /// Spoken calls, line by line.
    pub live: Live,
    /// Mails that would have been sent.
    pub postbox: Arc<Postbox>,
    /// What the PBX was told to do.
    pub deeds: Deeds,
    /// The clock on the wall.
    pub clock: Arc<dyn Clock>,
    /// Whether there is a voice, so that calls can be spoken.
    pub speaks: bool,
    /// Languages that are recognised.
    pub hears: Vec<Language>,
    /// Cancelled when the house closes.
    pub stop: CancellationToken,
    /// The tasks of calls.
    pub scope: TaskTracker,
}

/// A call that the page wants to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    /// Whom to call.
    pub(super) tenant: String,
    /// When the call comes; now when empty. Written calls only.
    #[serde(default)]
    pub(super) at: String,
    /// The caller's number; withheld when empty.
    #[serde(default)]
    pub(super) caller: String,
    /// Whether the call is spoken.
    #[serde(default)]
    pub(super) spoken: bool,
    /// Whether only keys are taken. Written calls only.
    #[serde(default)]
    pub(super) keys_only: bool,
}

/// What the page says. The first must be a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FromPage {
    /// Makes a call.
    Call(Wish),
    /// The caller says or records this.
    Say(String),
    /// The caller presses keys.
    Keys(String),
    /// The caller is silent.
    Silence {},
    /// The caller hangs up.
    HangUp {},
}

/// Makes the phone's router.
pub fn router(phone: Phone) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/phone.css", get(style))
        .route("/phone.js", get(script))
        .route("/worklet.js", get(worklet))
        .route("/phone/call", get(call))
        .route("/phone/state", get(answers::state))
        .route("/phone/results", get(answers::results))
        .route("/phone/mails/{id}/recording.wav", get(answers::recording))
        .route("/phone/queues", post(answers::set_queues))
        .route("/phone/notices", post(answers::set_notice))
        .route("/healthz", get(super::health::alive))
        .fallback(nothing_here)
        .layer(from_fn(guard))
        .layer(DefaultBodyLimit::max(MESSAGE))
        .with_state(phone)
}

/// Serves the phone until told to stop.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, phone: Phone) -> std::io::Result<()> {
    let stop = phone.stop.clone();
    axum::serve(listener, router(phone))
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn page() -> Response {
    asset(
        "text/html; charset=utf-8",
        include_str!("phone/page/index.html"),
    )
}

async fn style() -> Response {
    asset(
        "text/css; charset=utf-8",
        include_str!("phone/page/phone.css"),
    )
}

async fn script() -> Response {
    asset(
        "text/javascript; charset=utf-8",
        include_str!("phone/page/phone.js"),
    )
}

async fn worklet() -> Response {
    asset(
        "text/javascript; charset=utf-8",
        include_str!("phone/page/worklet.js"),
    )
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, "no-cache"),
        ],
        text,
    )
        .into_response()
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!("there is nothing at {}", uri.path()),
    )
    .remedy("the phone is at /")
}

/// Lets only this machine's own page in, and tells browsers to load nothing from elsewhere.
async fn guard(request: Request, next: Next) -> Response {
    let mut response = if is_ours(request.headers()) {
        next.run(request).await
    } else {
        Problem::new(
            StatusCode::FORBIDDEN,
            "this phone answers its own page only",
        )
        .remedy("open it by the address that `hotline demo` prints")
        .into_response()
    };
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("permissions-policy"),
            "microphone=(self)",
        ),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Tells whether a request came by an address of this machine (a page elsewhere can make its own
/// name point here), and from no other page.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let Some(host) = text(header::HOST) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let is_address = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok();
    let from = text(header::ORIGIN);
    is_address && from.is_none_or(|from| from.split_once("://").is_some_and(|(_, it)| it == host))
}

async fn call(State(phone): State<Phone>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .max_message_size(MESSAGE)
        .on_upgrade(move |socket| async move {
            let tracker = phone.scope.clone();
            tracker.track_future(answer(phone, socket)).await;
        })
}

/// Waits for the wish and makes the call.
async fn answer(phone: Phone, mut socket: WebSocket) {
    let first = tokio::select! {
        first = next(&mut socket) => first,
        () = phone.stop.cancelled() => return,
    };
    let refusal = match first {
        Some(Ok(FromPage::Call(wish))) => match phone.tenant(&wish.tenant) {
            Some(playbook) if wish.spoken && phone.speaks => {
                return spoken::serve(phone, socket, playbook, wish).await;
            }
            Some(_) if wish.spoken => "there is no voice: install espeak-ng".to_owned(),
            Some(playbook) => return written::serve(phone, socket, playbook, wish).await,
            None => format!("there is no tenant {:?}", wish.tenant),
        },
        Some(Ok(_)) => "make a call first".to_owned(),
        Some(Err(refusal)) => refusal,
        None => return,
    };
    // A page that has gone is not told.
    let _ = tell(&mut socket, &json!({ "refused": refusal })).await;
}

impl Phone {
    fn tenant(&self, name: &str) -> Option<Arc<Playbook>> {
        self.books.borrow().tenant(&TenantId::from(name)).cloned()
    }
}

/// Waits for the page's next message; nothing when it has gone.
async fn next(socket: &mut WebSocket) -> Option<Result<FromPage, String>> {
    loop {
        match socket.recv().await? {
            Ok(Message::Text(text)) => {
                return Some(serde_json::from_str(&text).map_err(|error| error.to_string()));
            }
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_)) => {}
        }
    }
}

/// Tells the page something.
async fn tell(socket: &mut WebSocket, what: &impl Serialize) -> Result<(), axum::Error> {
    let text = serde_json::to_string(what).map_err(axum::Error::new)?;
    socket.send(Message::Text(text.into())).await
}
