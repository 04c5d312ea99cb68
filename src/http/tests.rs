use std::net::SocketAddr;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::flow::Tenant;
use crate::pbx::builtin::Builtin;
use crate::send::Letters;
use crate::service::Ground;
use crate::store::{Chance, Store, SystemClock};

const TENANT: &str = r#"
tenant: lilleby
name: { da: "Lilleby Kommune" }
numbers: ["70101010"]
languages: [da, en]
hours: { mon-sun: "00:00-24:00" }
departments:
  desk: { name: { da: "Borgerservice" }, queue: desk, mail: desk@example.org }
operator: desk
modules: [callback]
mail: { from: "hotline@example.org" }
notices: { flood: { da: "Der er oversvømmelse." } }
"#;

struct Door {
    address: SocketAddr,
    token: String,
    readiness: watch::Sender<Readiness>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn door() -> Door {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::in_memory();
    let clock = Arc::new(SystemClock);
    let chance = Chance::seeded(7);
    let outbox = Outbox::new(
        &crate::send::Config::default(),
        store.clone(),
        Letters::built_in(),
        folder.path().to_owned(),
        clock.clone(),
        chance.clone(),
    );
    let tenant: Arc<Tenant> = Arc::new(serde_saphyr::from_str(TENANT).unwrap());
    let tenants: Tenants = Arc::new(move |id| (tenant.tenant == *id).then(|| tenant.clone()));
    let ground = Ground {
        store,
        outbox: outbox.clone(),
        pbx: Arc::new(Builtin::new()),
        clock,
        chance: chance.clone(),
        tenants: tenants.clone(),
    };
    let services = Services::start(ground, crate::service::Config::default())
        .await
        .unwrap();
    let token = Token::open(&folder.path().join("token"), &chance).unwrap();
    let header = token.header();
    let (readiness, ready) = watch::channel(Readiness::default());
    let stop = CancellationToken::new();
    let mut registry = Registry::default();
    let counted = Counter::<u64>::default();
    counted.inc();
    registry.register("hotline_tests", "Tests", counted);
    let rooms = Rooms {
        announce: Some(Arc::new(|_| CallId(uuid::Uuid::from_u128(7)))),
        services,
        tenants,
        outbox,
        live: Live::default(),
        board: Board::default(),
        registry: Arc::new(registry),
        readiness: ready,
        token: Arc::new(token),
        stop: stop.clone(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, rooms));
    Door {
        address,
        token: header,
        readiness,
        stop,
        _folder: folder,
    }
}

impl Door {
    /// Sends a request as it stands and returns status and body.
    async fn raw(&self, request: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A refused request may be answered with a reset after the answer.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer
            .get(9..12)
            .and_then(|it| it.parse().ok())
            .unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }

    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        );
        self.raw(request.as_bytes()).await
    }

    /// Asks with the token and returns status and JSON.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let headers = format!("Authorization: {}\r\nX-Hotline-By: ida\r\n", self.token);
        let (status, body) = self.send(method, path, &headers, body).await;
        (status, serde_json::from_str(&body).unwrap_or(json!(body)))
    }
}

#[tokio::test]
async fn a_living_service_says_so_and_an_unready_one_says_why() {
    let door = door().await;
    assert_eq!(
        door.send("GET", "/healthz", "", "").await,
        (200, "ok\n".to_owned())
    );
    let (status, body) = door.send("GET", "/readyz", "", "").await;
    assert_eq!(
        (status, body.as_str()),
        (200, r#"{"ready":true,"reasons":[]}"#)
    );
    door.readiness.send_modify(|readiness| {
        let trouble = ("connection refused".to_owned(), "start Asterisk".to_owned());
        readiness.set("pbx", Some(trouble));
    });
    let (status, body) = door.send("GET", "/readyz", "", "").await;
    assert_eq!(status, 503);
    insta::assert_snapshot!(body, @r#"{"ready":false,"reasons":[{"part":"pbx","remedy":"start Asterisk","why":"connection refused"}]}"#);
}

#[tokio::test]
async fn figures_are_shown_as_open_metrics() {
    let door = door().await;
    let (status, body) = door.send("GET", "/metrics", "", "").await;
    assert_eq!(status, 200);
    assert!(body.contains("hotline_tests_total 1"), "{body}");
    assert!(body.ends_with("# EOF\n"), "{body}");
}

#[tokio::test]
async fn a_dialplan_gets_an_id_for_its_call_either_way() {
    let door = door().await;
    let id = "00000000-0000-0000-0000-000000000007".to_owned();
    let form = "did=70101010&caller=20123456&name=S%C3%B8ren&lang=da&channel=PJSIP%2Fa";
    let by_query = door.send("GET", &format!("/calls?{form}"), "", "").await;
    assert_eq!(by_query, (200, id.clone()));
    let by_form = door.send("POST", "/calls", "", form).await;
    assert_eq!(by_form, (200, id));
    let (status, body) = door.send("POST", "/calls", "", "caller=1").await;
    assert_eq!(status, 400);
    insta::assert_snapshot!(body, @r#"{"error":"the number that was dialled is missing","field":"did","remedy":"send did=${EXTEN}"}"#);
}

#[tokio::test]
async fn a_browser_cannot_announce_calls() {
    let door = door().await;
    let (status, _) = door
        .send(
            "POST",
            "/calls",
            "Origin: http://evil.example\r\n",
            "did=70101010",
        )
        .await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn nobody_is_let_in_without_the_token() {
    let door = door().await;
    for path in [
        "callbacks",
        "notices",
        "calls",
        "events",
        "deadletters",
        "nothing",
    ] {
        let path = format!("/api/v1/{path}");
        let (status, body) = door.send("GET", &path, "", "").await;
        assert_eq!(status, 401, "{path}: {body}");
        let wrong = "Authorization: Bearer 0000000000000000\r\n";
        assert_eq!(door.send("GET", &path, wrong, "").await.0, 401);
    }
}

#[tokio::test]
async fn a_callback_is_ordered_found_triggered_and_cancelled() {
    let door = door().await;
    let wish =
        r#"{"tenant": "lilleby", "department": "desk", "number": "20 12 34 56", "reason": "pas"}"#;
    let (status, made) = door.ask("POST", "/api/v1/callbacks", wish).await;
    assert_eq!(status, 201, "{made}");
    let (status, again) = door.ask("POST", "/api/v1/callbacks", wish).await;
    assert_eq!((status, &again["already_noted"]), (200, &json!(true)));
    assert_eq!(again["reference"], made["reference"]);

    let (_, list) = door
        .ask("GET", "/api/v1/callbacks?tenant=lilleby", "")
        .await;
    assert_eq!(list["callbacks"].as_array().unwrap().len(), 1);
    assert_eq!(list["callbacks"][0]["number"], "+4520123456");
    assert_eq!(list["callbacks"][0]["history"][0]["by"], "ida");
    let (_, list) = door.ask("GET", "/api/v1/callbacks?tenant=other", "").await;
    assert_eq!(list["callbacks"], json!([]));

    let place = format!("/api/v1/callbacks/{}", made["reference"].as_str().unwrap());
    assert_eq!(door.ask("GET", &place, "").await.0, 200);
    let (status, triggered) = door.ask("POST", &format!("{place}/trigger"), "").await;
    assert_eq!((status, &triggered["triggered"]), (200, &json!(true)));
    let (status, cancelled) = door.ask("DELETE", &place, "").await;
    assert_eq!((status, &cancelled["state"]), (200, &json!("cancelled")));
    assert_eq!(door.ask("DELETE", &place, "").await.0, 409);
    assert_eq!(
        door.ask("DELETE", "/api/v1/callbacks/NONE", "").await.0,
        404
    );
}

#[tokio::test]
async fn a_wrong_field_is_named_with_what_to_write() {
    let door = door().await;
    let mut answers = String::new();
    for wish in [
        "{}",
        "not json",
        r#"{"tenant": "lilleby", "department": "desk", "numer": "1"}"#,
        r#"{"tenant": "lilleby", "department": "desk", "number": "12"}"#,
        r#"{"tenant": "elsewhere", "department": "desk", "number": "20123456"}"#,
        r#"{"tenant": "lilleby", "department": "cellar", "number": "20123456"}"#,
        r#"{"tenant": "lilleby", "department": "desk", "number": "20123456", "due": "soon"}"#,
    ] {
        let (status, body) = door.ask("POST", "/api/v1/callbacks", wish).await;
        assert_eq!(status, 400, "{wish}: {body}");
        answers.push_str(&format!("{}: {}\n", body["field"], body["remedy"]));
    }
    insta::assert_snapshot!(answers, @r#"
    "tenant": "add \"tenant\""
    null: "send a JSON object in UTF-8"
    "numer": "did you mean `number`?"
    "number": "write +4570101010"
    "tenant": "see the folders under flows"
    "department": null
    "due": "write queue_short or 2026-11-24 10:00"
    "#);
}

#[tokio::test]
async fn a_notice_is_switched_on_and_off() {
    let door = door().await;
    let place = "/api/v1/notices/lilleby/flood";
    let (status, on) = door.ask("PUT", place, "").await;
    assert_eq!(
        (status, &on["notice"]["text"]["da"]),
        (200, &json!("Der er oversvømmelse."))
    );
    let own = r#"{"text": {"da": "Vi har lukket."}, "until": "2999-12-24 10:00"}"#;
    let (status, on) = door.ask("PUT", "/api/v1/notices/lilleby/closed", own).await;
    assert_eq!(
        (status, &on["notice"]["until"]),
        (200, &json!("2999-12-24T09:00:00Z"))
    );
    let (_, list) = door.ask("GET", "/api/v1/notices", "").await;
    assert_eq!(list["notices"].as_array().unwrap().len(), 2);
    assert_eq!(door.ask("DELETE", place, "").await.0, 200);
    assert_eq!(door.ask("DELETE", place, "").await.0, 404);
    assert_eq!(
        door.ask("PUT", "/api/v1/notices/lilleby/fire", "").await.0,
        400
    );
    assert_eq!(
        door.ask("PUT", "/api/v1/notices/nowhere/flood", "").await.0,
        404
    );
}

#[tokio::test]
async fn lists_that_are_empty_are_lists() {
    let door = door().await;
    assert_eq!(
        door.ask("GET", "/api/v1/calls", "").await,
        (200, json!({ "calls": [] }))
    );
    let letters = door.ask("GET", "/api/v1/deadletters", "").await;
    assert_eq!(letters, (200, json!({ "deadletters": [] })));
    assert_eq!(
        door.ask("POST", "/api/v1/deadletters/x/retry", "").await.0,
        400
    );
}

#[tokio::test]
async fn the_stream_of_events_begins_and_ends_with_the_house() {
    let door = door().await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    let request = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n",
        door.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    stream.read_exact(&mut answer).await.unwrap();
    door.stop.cancel();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("text/event-stream"), "{answer}");
}

#[tokio::test]
async fn garbage_is_answered_and_does_no_harm() {
    let door = door().await;
    let long = "x".repeat(70_000);
    assert_eq!(door.ask("POST", "/api/v1/callbacks", &long).await.0, 413);
    assert_eq!(door.ask("GET", "/api/v1/calbacks", "").await.0, 404);
    assert_eq!(door.ask("PATCH", "/healthz", "").await.0, 405);
    assert_eq!(
        door.ask("GET", "/api/v1/callbacks?over=perhaps", "")
            .await
            .0,
        400
    );
    for garbage in [
        &b"\x00\xff\xfe\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /calls HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /api/v1/callbacks/%ff%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ] {
        let (status, _) = door.raw(garbage).await;
        assert!(matches!(status, 0 | 400..=499), "{status}");
    }
    assert_eq!(door.send("GET", "/healthz", "", "").await.0, 200);
}
