use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Config;
use crate::demo::Demo;

/// How long anything here may take.
const SOON: Duration = Duration::from_secs(20);

async fn demo() -> Demo {
    let config = Config::default();
    Demo::start(&config, None, "127.0.0.1:0".parse().unwrap())
        .await
        .unwrap()
}

async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer[9..12].parse().unwrap();
    (status, answer)
}

async fn look(demo: &Demo, path: &str) -> (u16, String) {
    let host = demo.address;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    ask(host, &request).await
}

async fn results(demo: &Demo) -> Value {
    let (_, answer) = look(demo, "/phone/results").await;
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

async fn post(demo: &Demo, path: &str, body: &Value) {
    let (host, body) = (demo.address, body.to_string());
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let (status, answer) = ask(host, &request).await;
    assert_eq!(status, 200, "{answer}");
}

/// The page's end of a WebSocket.
struct Page(TcpStream);

impl Page {
    async fn open(demo: &Demo) -> Self {
        let mut stream = TcpStream::connect(demo.address).await.unwrap();
        let request = format!(
            "GET /phone/call HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            demo.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Self(stream)
    }

    async fn call(demo: &Demo, wish: Value) -> Self {
        let mut page = Self::open(demo).await;
        page.tell(json!({ "call": wish })).await;
        page
    }

    async fn tell(&mut self, what: Value) {
        self.frame(1, what.to_string().as_bytes()).await;
    }

    async fn frame(&mut self, kind: u8, payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap();
        let mut frame = vec![0x80 | kind, 0x80 | 126];
        frame.extend(length.to_be_bytes());
        // A mask of zeros leaves the payload as it is.
        frame.extend([0; 4]);
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    /// Returns the next message: its kind (1 text, 2 audio, 8 the end) and its bytes.
    async fn next(&mut self) -> (u8, Vec<u8>) {
        let Ok(first) = self.0.read_u8().await else {
            return (8, Vec::new());
        };
        let length = match self.0.read_u8().await.unwrap() {
            126 => usize::from(self.0.read_u16().await.unwrap()),
            127 => usize::try_from(self.0.read_u64().await.unwrap()).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.unwrap();
        (first & 0x0f, payload)
    }

    /// Reads lines until one is wanted, and returns it.
    async fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let reading = async {
            loop {
                match self.next().await {
                    (1, text) => {
                        let line = serde_json::from_slice(&text).unwrap();
                        if wanted(&line) {
                            return line;
                        }
                    }
                    (8, _) => panic!("the call ended before"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(SOON, reading).await.unwrap()
    }
}

fn has(field: &'static str) -> impl Fn(&Value) -> bool {
    move |line| !line[field].is_null()
}

#[tokio::test]
async fn the_page_and_its_files_load_nothing_from_elsewhere() {
    let demo = demo().await;
    for path in [
        "/",
        "/phone.css",
        "/phone.js",
        "/worklet.js",
        "/phone/state",
    ] {
        let (status, answer) = look(&demo, path).await;
        assert_eq!(status, 200, "{path}");
        assert!(
            answer.contains("content-security-policy: default-src 'none'"),
            "{answer}"
        );
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        assert!(!body.contains("https://"), "{path}");
        assert!(
            !body.contains("onclick=\"") && !body.contains("style=\""),
            "{path}"
        );
    }
    assert_eq!(look(&demo, "/nothing").await.0, 404);
    demo.stop().await;
}

#[tokio::test]
async fn pages_from_elsewhere_are_sent_away() {
    let demo = demo().await;
    for headers in [
        "Host: evil.example".to_owned(),
        format!("Host: {}\r\nOrigin: http://evil.example", demo.address),
        format!("Host: {}\r\nOrigin: null", demo.address),
    ] {
        let request =
            format!("GET /phone/state HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n");
        assert_eq!(ask(demo.address, &request).await.0, 403, "{headers}");
    }
    demo.stop().await;
}

#[tokio::test]
async fn a_written_call_is_understood_and_moved() {
    let demo = demo().await;
    let wish = json!({ "tenant": "egekoebing", "at": "2026-11-24 10:00", "caller": "20123456" });
    let mut page = Page::call(&demo, wish).await;
    page.until(|line| line["event"] == "said").await;
    page.tell(json!({ "say": "jeg har mistet mit pas" })).await;
    let line = page
        .until(|line| !line["command"]["note"]["understood"].is_null())
        .await;
    let meaning = line["command"]["note"]["understood"]["meaning"]
        .as_str()
        .unwrap();
    assert!(meaning.contains("citizen_service"), "{meaning}");
    let ended = page.until(has("ended")).await;
    assert_eq!(ended["ended"]["outcome"], "transferred");
    let deeds = results(&demo).await["deeds"].clone();
    assert_eq!(deeds[0]["to"], "borgerservice");
    demo.stop().await;
}

#[tokio::test]
async fn a_message_left_in_writing_arrives_in_the_postbox() {
    let demo = demo().await;
    let wish = json!({ "tenant": "egekoebing", "at": "2026-12-24 10:00", "caller": "20123456" });
    let mut page = Page::call(&demo, wish).await;
    page.until(|line| line["event"] == "said").await;
    page.tell(json!({ "say": "jeg har mistet mit pas" })).await;
    // Whatever is asked on the way is answered with yes, until the recorder runs.
    let reach = async {
        loop {
            let line = page
                .until(|line| !line["command"]["record"].is_null() || line["event"] == "said")
                .await;
            if !line["command"]["record"].is_null() {
                break;
            }
            page.tell(json!({ "say": "læg en besked" })).await;
        }
    };
    tokio::time::timeout(SOON, reach).await.unwrap();
    page.tell(json!({ "say": "ring til mig om mit pas" })).await;
    page.until(|line| !line["event"]["done"]["noted"].is_null())
        .await;
    let arrive = async {
        loop {
            let mails = results(&demo).await["mails"].clone();
            if let Some(mail) = mails.get(0) {
                break mail.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let mail = tokio::time::timeout(SOON, arrive).await.unwrap();
    assert!(
        mail["body"]
            .as_str()
            .unwrap()
            .contains("ring til mig om mit pas"),
        "{mail}"
    );
    demo.stop().await;
}

#[tokio::test]
async fn a_notice_switched_on_is_heard_first() {
    let demo = demo().await;
    let (_, answer) = look(&demo, "/phone/state").await;
    let state: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let tenants = state["tenants"].as_array().unwrap();
    let tenant = tenants.iter().find(|it| it["id"] == "egekoebing").unwrap();
    let (name, text) = tenant["notices"]
        .as_object()
        .unwrap()
        .iter()
        .next()
        .unwrap();
    let switch = json!({ "tenant": "egekoebing", "name": name, "on": true });
    post(&demo, "/phone/notices", &switch).await;
    let mut page = Page::call(&demo, json!({ "tenant": "egekoebing" })).await;
    let said = page.until(|line| !line["command"]["say"].is_null()).await;
    assert_eq!(said["command"]["say"]["text"], text["da"]);
    demo.stop().await;
}

#[tokio::test]
async fn full_queues_are_seen_by_calls() {
    let demo = demo().await;
    post(&demo, "/phone/queues", &json!({ "busy": true })).await;
    assert_eq!(results(&demo).await["busy"], true);
    let wish = json!({ "tenant": "egekoebing", "at": "2026-11-24 10:00", "caller": "20123456" });
    let mut page = Page::call(&demo, wish).await;
    let facts = page.until(|line| !line["event"]["facts"].is_null()).await;
    assert_eq!(
        facts["event"]["facts"]["queues"]["borgerservice"]["waiting"],
        12
    );
    demo.stop().await;
}

#[tokio::test]
async fn a_spoken_call_sends_a_frame_each_20_ms_and_ends_when_the_caller_hangs_up() {
    let demo = demo().await;
    if !demo.speaks {
        eprintln!("skipped: there is no espeak-ng on this machine");
        return;
    }
    let mut page = Page::call(&demo, json!({ "tenant": "egekoebing", "spoken": true })).await;
    let mut loud = 0;
    let hear = async {
        while loud < 20 {
            match page.next().await {
                (2, audio) => {
                    assert_eq!(audio.len(), 320);
                    loud += usize::from(audio.iter().any(|byte| *byte != 0));
                }
                (8, _) => panic!("the call ended before"),
                _ => {}
            }
        }
    };
    tokio::time::timeout(SOON, hear).await.unwrap();
    page.frame(2, &[0; 320]).await;
    page.frame(2, &[1, 2, 3]).await;
    page.tell(json!({ "hang_up": {} })).await;
    let ended = page.until(has("ended")).await;
    assert_eq!(ended["ended"]["outcome"], "caller_left");
    demo.stop().await;
}

#[tokio::test]
async fn garbage_from_a_page_is_answered_in_words() {
    let demo = demo().await;
    for first in [
        json!("hello"),
        json!({ "say": "hello" }),
        json!({ "call": { "tenant": "nowhere" } }),
        json!({ "call": { "tenant": "egekoebing", "at": "tomorrow" } }),
        json!({ "call": { "tenant": "egekoebing", "caller": "12" } }),
    ] {
        let mut page = Page::open(&demo).await;
        page.tell(first.clone()).await;
        let line = page.until(|_| true).await;
        assert!(line["refused"].is_string(), "{first}: {line}");
    }
    let mut page = Page::call(&demo, json!({ "tenant": "egekoebing" })).await;
    page.until(|line| line["event"] == "said").await;
    for turn in [json!({ "keys": "x" }), json!({ "dance": {} }), json!(7)] {
        page.tell(turn.clone()).await;
        assert!(
            page.until(has("refused")).await["refused"].is_string(),
            "{turn}"
        );
    }
    page.tell(json!({ "hang_up": {} })).await;
    page.until(has("ended")).await;
    demo.stop().await;
}
