//! Whether the shipped dialplan does what its README promises: each context on a real Asterisk,
//! between real SIP telephones, driven through the shipped manager user.

mod peer;

use std::time::{Duration, Instant};

use peer::{BOT_TONE, Doing, Http, Peer};
use street::asterisk::{Ami, Asterisk, Block, HOLD_TONE, Site};
use street::phone::{Answering, Call, Caller, Happening};
use street::{Phone, tone};

const SOON: Duration = Duration::from_secs(5);
/// What the promise allows until a caller whom Hotline fails is in the ordinary queue.
const FALLBACK: Duration = Duration::from_secs(3);
const DID: &str = "70101010";
const WHISPER_TONE: f64 = 1200.0;
const CALLER_TONE: f64 = 500.0;
const AGENT_TONE: f64 = 700.0;

/// A contact centre with one agent in the queue `borgerservice`, an empty ordinary queue, and a bot.
struct Centre {
    asterisk: Asterisk,
    hotline: Ami,
    bot: Peer,
    agent: Phone,
    caller: Phone,
}

impl Centre {
    async fn open() -> Self {
        Self::open_with(Doing::Talk, |site| site).await
    }

    async fn open_with(doing: Doing, change: impl FnOnce(Site) -> Site) -> Self {
        let bot = Peer::start(doing).await;
        let agent = Phone::new("agent1").unwrap();
        let site = Site::new()
            .agent("agent1", agent.port())
            .queue("borgerservice", &["agent1"])
            .queue("ordinary", &[])
            .global("HOTLINE_FALLBACK_QUEUE", "ordinary")
            .hotline(bot.port);
        let asterisk = Asterisk::start(change(site)).await.unwrap();
        let hotline = Ami::connect(asterisk.ami_port(), Site::AMI_USER, Site::AMI_SECRET)
            .await
            .unwrap();
        let caller = Phone::new("12345678").unwrap();
        Self {
            asterisk,
            hotline,
            bot,
            agent,
            caller,
        }
    }

    /// Calls, waits until the bot talks, and returns the call and its channel.
    async fn call_the_bot(&self) -> (Call, String) {
        let call = self.caller.call(self.asterisk.sip(), DID).await.unwrap();
        call.hear_tone(BOT_TONE, SOON).await.unwrap();
        let event = self
            .hotline
            .event(SOON, |block| block.is_user_event("Hotline"))
            .await
            .unwrap();
        (call, event.get("Channel").unwrap().to_owned())
    }

    async fn set(&self, channel: &str, variable: &str, value: &str) {
        let fields = [
            ("Channel", channel),
            ("Variable", variable),
            ("Value", value),
        ];
        self.hotline.act("Setvar", &fields).await.unwrap();
    }

    async fn redirect(&self, channel: &str, context: &str, extension: &str) {
        let fields = [
            ("Channel", channel),
            ("Context", context),
            ("Exten", extension),
            ("Priority", "1"),
        ];
        self.hotline.act("Redirect", &fields).await.unwrap();
    }

    async fn joins(&self, queue: &str) -> Block {
        self.asterisk
            .ami()
            .event(FALLBACK, |block| {
                block.is_event("QueueCallerJoin") && block.get("Queue") == Some(queue)
            })
            .await
            .unwrap_or_else(|_| panic!("the caller joins {queue}"))
    }

    fn whisper(&self) -> String {
        let path = self.asterisk.folder().join("whisper.wav");
        tone::write_wav(&path, &tone::tone(WHISPER_TONE, 1.0, 0.5)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// Asterisk has found nothing to complain about.
fn assert_content(asterisk: &Asterisk) {
    let log = asterisk.log();
    let complaints: Vec<_> = log
        .lines()
        .filter(|line| line.contains("WARNING") || line.contains("ERROR"))
        // Every redirect takes the channel away from under AudioSocket().
        .filter(|line| !line.contains("app_audiosocket.c: Failed to receive frame"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

async fn hear_each_other(caller: &Call, agent: &Call) {
    caller.play(&tone::tone(CALLER_TONE, 15.0, 0.5));
    agent.play(&tone::tone(AGENT_TONE, 15.0, 0.5));
    agent.hear_tone(CALLER_TONE, SOON).await.unwrap();
    caller.hear_tone(AGENT_TONE, SOON).await.unwrap();
    caller.stop_playing();
    agent.stop_playing();
}

#[tokio::test]
async fn hotline_is_told_who_calls_whom_before_it_hears_the_caller() {
    let centre = Centre::open().await;
    let caller = Caller::new().name("Åse Sæd, (Øst)");
    let call = centre
        .caller
        .dial_as(centre.asterisk.sip(), DID, &caller)
        .unwrap();
    call.answered(SOON).await.unwrap();
    let event = centre
        .hotline
        .event(SOON, |block| block.is_user_event("Hotline"))
        .await
        .unwrap();
    assert_eq!(event.get("uuid"), Some(centre.bot.call(0).await.as_str()));
    assert_eq!(event.get("did"), Some(DID));
    assert_eq!(event.get("caller"), Some("12345678"));
    assert_eq!(event.get("name"), Some("Åse Sæd   Øst"));
    assert_eq!(event.get("lang"), Some("en"));
    call.hear_tone(BOT_TONE, SOON).await.unwrap();
}

#[tokio::test]
async fn a_number_with_a_plus_reaches_hotline_too() {
    let centre = Centre::open().await;
    centre
        .caller
        .call(centre.asterisk.sip(), "+4570101010")
        .await
        .unwrap();
    let event = centre
        .hotline
        .event(SOON, |block| block.is_user_event("Hotline"))
        .await
        .unwrap();
    assert_eq!(event.get("did"), Some("+4570101010"));
}

#[tokio::test]
async fn by_http_hotline_chooses_the_id() {
    let id = "11111111-2222-3333-4444-555555555555";
    let http = Http::start("200 OK", "11111111-2222-3333-4444-555555555555").await;
    let centre = Centre::open_with(Doing::Talk, |site| site.hotline_http(http.port)).await;
    let caller = Caller::new().name("Åse & co, (Øst)");
    centre
        .caller
        .dial_as(centre.asterisk.sip(), DID, &caller)
        .unwrap();
    assert_eq!(centre.bot.call(0).await, id);
    let request = http.requests.all().remove(0);
    assert!(request.starts_with("POST /calls HTTP/1.1\r\n"), "{request}");
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let fields = "did=70101010&caller=12345678&name=%C3%85se%20%26%20co%2C%20(%C3%98st)&lang=en&channel=PJSIP%2Ftrunk-";
    assert!(body.starts_with(fields), "{body}");
    assert_content(&centre.asterisk);
}

#[tokio::test]
async fn without_an_answer_by_http_the_caller_goes_to_the_ordinary_queue() {
    let busy = Http::start("503 Service Unavailable", "no seat is free").await;
    let closed = street::port::free_tcp().unwrap();
    for port in [busy.port, closed] {
        let centre = Centre::open_with(Doing::Talk, |site| site.hotline_http(port)).await;
        let began = Instant::now();
        let call = centre
            .caller
            .call(centre.asterisk.sip(), DID)
            .await
            .unwrap();
        call.hear_tone(HOLD_TONE, FALLBACK).await.unwrap();
        assert!(began.elapsed() < FALLBACK);
        assert_eq!(centre.bot.calls.mark(), 0);
    }
}

#[tokio::test]
async fn without_hotline_the_caller_goes_to_the_ordinary_queue() {
    let closed = street::port::free_tcp().unwrap();
    let centre = Centre::open_with(Doing::Talk, |site| site.hotline(closed)).await;
    let call = centre
        .caller
        .call(centre.asterisk.sip(), DID)
        .await
        .unwrap();
    call.hear_tone(HOLD_TONE, FALLBACK).await.unwrap();
    centre.joins("ordinary").await;
}

#[tokio::test]
async fn a_hotline_that_closes_or_fails_leaves_the_caller_in_the_ordinary_queue() {
    for failure in [Doing::Close, Doing::End, Doing::Error] {
        let centre = Centre::open().await;
        let (call, _) = centre.call_the_bot().await;
        centre.bot.now(failure);
        call.hear_tone(HOLD_TONE, FALLBACK).await.unwrap();
        centre.joins("ordinary").await;
    }
}

#[tokio::test]
async fn a_hotline_that_says_nothing_to_a_silent_caller_leaves_the_caller_in_the_ordinary_queue() {
    let centre = Centre::open_with(Doing::Listen, |site| site).await;
    let call = centre
        .caller
        .call(centre.asterisk.sip(), DID)
        .await
        .unwrap();
    call.mute(true);
    call.hear_tone(HOLD_TONE, FALLBACK).await.unwrap();
    centre.joins("ordinary").await;
}

#[tokio::test]
async fn the_fallback_may_be_any_place_in_the_dialplan() {
    let closed = street::port::free_tcp().unwrap();
    let centre = Centre::open_with(Doing::Talk, |site| {
        site.hotline(closed)
            .global("HOTLINE_FALLBACK", "own,start,1")
            .extensions("[own]\nexten => start,1,Answer()\n same => n,Queue(borgerservice)\n")
    })
    .await;
    centre
        .caller
        .call(centre.asterisk.sip(), DID)
        .await
        .unwrap();
    centre.agent.rings(SOON).await.unwrap();
}

#[tokio::test]
async fn an_orderly_end_hangs_up() {
    for end in [Doing::End, Doing::Close] {
        let centre = Centre::open().await;
        let (call, channel) = centre.call_the_bot().await;
        centre.set(&channel, "HOTLINE_ENDED", "1").await;
        centre.bot.now(end);
        assert_eq!(call.ended(SOON).await.unwrap(), Happening::OtherHungUp);
        let blocks = centre.asterisk.ami().blocks();
        assert!(!blocks.iter().any(|block| block.is_event("QueueCallerJoin")));
        assert_content(&centre.asterisk);
    }
}

#[tokio::test]
async fn hotline_may_hang_up_itself() {
    let centre = Centre::open().await;
    let (call, channel) = centre.call_the_bot().await;
    centre
        .hotline
        .act("Hangup", &[("Channel", &channel), ("Cause", "16")])
        .await
        .unwrap();
    assert_eq!(call.ended(SOON).await.unwrap(), Happening::OtherHungUp);
}

#[tokio::test]
async fn a_transfer_tells_the_agent_who_what_for_and_in_which_language() {
    let centre = Centre::open().await;
    centre.agent.set_answering(Answering::ByHand);
    let (call, channel) = centre.call_the_bot().await;
    let summary = r#"Pas "nyt", (ja: 5% \ $5; ${EXTEN}) æøå"#;
    for (variable, value) in [
        ("HOTLINE_CALLER", "+4512345678"),
        ("HOTLINE_REASON", "Borgerservice: pas"),
        ("HOTLINE_LANGUAGE", "da"),
        ("HOTLINE_SUMMARY", summary),
        ("HOTLINE_WHISPER", &centre.whisper()),
    ] {
        centre.set(&channel, variable, value).await;
    }
    centre
        .redirect(&channel, "hotline-queue", "borgerservice")
        .await;
    let agent = centre.agent.rings(SOON).await.unwrap();
    assert_eq!(
        agent.header("X-Hotline-Call"),
        Some(centre.bot.call(0).await)
    );
    assert_eq!(
        agent.header("X-Hotline-Caller").as_deref(),
        Some("+4512345678")
    );
    assert_eq!(
        agent.header("X-Hotline-Reason").as_deref(),
        Some("Borgerservice: pas")
    );
    assert_eq!(agent.header("X-Hotline-Language").as_deref(), Some("da"));
    assert_eq!(agent.header("X-Hotline-Summary").as_deref(), Some(summary));
    assert_eq!(agent.caller_number(), "12345678");

    call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    agent.answer().unwrap();
    agent.hear_tone(WHISPER_TONE, SOON).await.unwrap();
    hear_each_other(&call, &agent).await;
    assert!(!call.heard().has_tone(WHISPER_TONE));
    agent.hang_up().unwrap();
    assert_eq!(call.ended(SOON).await.unwrap(), Happening::OtherHungUp);
    assert_content(&centre.asterisk);
}

#[tokio::test]
async fn a_transfer_without_a_handoff_or_with_a_missing_whisper_connects_all_the_same() {
    let centre = Centre::open().await;
    let (call, channel) = centre.call_the_bot().await;
    centre
        .set(&channel, "HOTLINE_WHISPER", "/nowhere/whisper.wav")
        .await;
    centre
        .redirect(&channel, "hotline-queue", "borgerservice")
        .await;
    let agent = centre.agent.rings(SOON).await.unwrap();
    assert_eq!(agent.header("X-Hotline-Reason"), None);
    hear_each_other(&call, &agent).await;
}

#[tokio::test]
async fn a_queue_that_nobody_answers_or_that_is_not_there_leads_to_the_ordinary_queue() {
    for queue in ["borgerservice", "no-such-queue"] {
        let centre = Centre::open().await;
        centre.agent.set_answering(Answering::ByHand);
        let (call, channel) = centre.call_the_bot().await;
        centre.set(&channel, "HOTLINE_QUEUE_TIMEOUT", "1").await;
        centre.redirect(&channel, "hotline-queue", queue).await;
        let left = centre
            .hotline
            .event(SOON, |block| block.is_user_event("HotlineQueueLeft"));
        assert_eq!(left.await.unwrap().get("queue"), Some(queue));
        centre.joins("ordinary").await;
        call.hear_tone(HOLD_TONE, SOON).await.unwrap();
    }
}

#[tokio::test]
async fn a_transfer_to_an_extension_rings_it_and_falls_back_when_it_is_busy() {
    for site in [
        |site: Site| site,
        |site: Site| site.global("HOTLINE_EXTENSION_CONTEXT", ""),
    ] {
        let centre = Centre::open_with(Doing::Talk, site).await;
        let (call, channel) = centre.call_the_bot().await;
        centre.set(&channel, "HOTLINE_REASON", "byggesag").await;
        centre
            .set(&channel, "HOTLINE_WHISPER", &centre.whisper())
            .await;
        centre
            .redirect(&channel, "hotline-extension", "agent1")
            .await;
        let agent = centre.agent.rings(SOON).await.unwrap();
        assert_eq!(
            agent.header("X-Hotline-Reason").as_deref(),
            Some("byggesag")
        );
        agent.hear_tone(WHISPER_TONE, SOON).await.unwrap();
        hear_each_other(&call, &agent).await;
        call.hang_up().unwrap();
        agent.ended(SOON).await.unwrap();
    }
    let centre = Centre::open().await;
    centre.agent.set_answering(Answering::Refuse(486));
    let (_call, channel) = centre.call_the_bot().await;
    centre
        .redirect(&channel, "hotline-extension", "agent1")
        .await;
    centre.joins("ordinary").await;
}

#[tokio::test]
async fn a_transfer_to_an_outside_number_goes_by_the_centres_own_routing() {
    let centre = Centre::open_with(Doing::Talk, |site| {
        site.global("HOTLINE_OUTBOUND_NUMBER", DID)
    })
    .await;
    let doctor = Phone::new("87654321").unwrap();
    centre
        .asterisk
        .route("+4587654321", doctor.port())
        .await
        .unwrap();
    let (call, channel) = centre.call_the_bot().await;
    centre
        .redirect(&channel, "hotline-external", "+4587654321")
        .await;
    let answered = doctor.rings(SOON).await.unwrap();
    assert_eq!(answered.caller_number(), DID);
    assert_eq!(answered.header("X-Hotline-Reason"), None);
    hear_each_other(&call, &answered).await;
    call.hang_up().unwrap();
    answered.ended(SOON).await.unwrap();

    let (_call, channel) = Centre::call_the_bot_again(&centre).await;
    centre.redirect(&channel, "hotline-external", "112").await;
    centre.joins("ordinary").await;
}

impl Centre {
    async fn call_the_bot_again(&self) -> (Call, String) {
        let mark = self.hotline.mark();
        let call = self.caller.call(self.asterisk.sip(), DID).await.unwrap();
        let event = self
            .hotline
            .event_from(mark, SOON, |block| block.is_user_event("Hotline"))
            .await
            .unwrap();
        call.hear_tone(BOT_TONE, SOON).await.unwrap();
        (call, event.get("Channel").unwrap().to_owned())
    }

    /// Orders a callback and returns once Asterisk has taken the order.
    async fn originate(&self, id: &str, channel: &str, context: &str, extension: &str) {
        let other = id.replace("0000", "1111");
        let uuid = format!("__HOTLINE_UUID={id}");
        let reason = format!("__HOTLINE_REASON={}", escaped(CALLBACK_REASON));
        let whisper = format!("__HOTLINE_WHISPER={}", self.whisper());
        let fields = [
            ("Channel", channel),
            ("Context", context),
            ("Exten", extension),
            ("Priority", "1"),
            ("Async", "true"),
            ("Timeout", "10000"),
            ("CallerID", "\"Tilbagekald\" <12345678>"),
            ("ChannelId", id),
            ("OtherChannelId", &other),
            ("Variable", &uuid),
            ("Variable", "__HOTLINE_CALLER=+4512345678"),
            ("Variable", &reason),
            ("Variable", "__HOTLINE_LANGUAGE=da"),
            ("Variable", "__HOTLINE_RING=2"),
            ("Variable", "__HOTLINE_QUEUE_TIMEOUT=8"),
            ("Variable", &whisper),
        ];
        self.hotline.act("Originate", &fields).await.unwrap();
    }

    async fn callback_says(&self, status: &str) -> Block {
        let event = self.hotline.event(SOON, |block| {
            block.is_user_event("HotlineCallback") && block.get("status") == Some(status)
        });
        event
            .await
            .unwrap_or_else(|_| panic!("the callback says {status}"))
    }
}

/// In the fields of Originate, unlike those of Setvar, these characters need a backslash.
fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for letter in value.chars() {
        if matches!(letter, '\\' | ',' | '"' | '(' | ')' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

const CALLBACK_REASON: &str = r#"Tilbagekald: "pas", (nyt] \ med = og ${EXTEN}"#;
const CALLBACK: &str = "a0000000-0000-4000-8000-000000000001";

#[tokio::test]
async fn an_agent_first_callback_briefs_the_agent_and_then_dials_the_citizen() {
    let centre = Centre::open_with(Doing::Talk, |site| {
        site.global("HOTLINE_OUTBOUND_NUMBER", DID)
    })
    .await;
    centre
        .asterisk
        .route("+4512345678", centre.caller.port())
        .await
        .unwrap();
    centre.agent.set_answering(Answering::ByHand);
    let queue = "Local/borgerservice@hotline-callback-queue";
    centre
        .originate(CALLBACK, queue, "hotline-callback-agent", "+4512345678")
        .await;
    let agent = centre.agent.rings(SOON).await.unwrap();
    assert_eq!(
        agent.header("X-Hotline-Reason").as_deref(),
        Some(CALLBACK_REASON)
    );
    assert_eq!(agent.header("X-Hotline-Call").as_deref(), Some(CALLBACK));
    assert_eq!(agent.caller_number(), "12345678");
    assert!(
        centre.caller.incoming().is_empty(),
        "nobody is dialled before an agent is there"
    );
    agent.answer().unwrap();
    agent.hear_tone(WHISPER_TONE, SOON).await.unwrap();
    let citizen = centre.caller.rings(SOON).await.unwrap();
    assert_eq!(citizen.caller_number(), DID);
    let reached = centre.callback_says("REACHED").await;
    assert_eq!(reached.get("uuid"), Some(CALLBACK));
    hear_each_other(&citizen, &agent).await;
    let response = centre
        .hotline
        .event(SOON, |block| block.is_event("OriginateResponse"))
        .await;
    let response = response.unwrap();
    assert_eq!(response.get("Response"), Some("Success"));
    assert_eq!(response.get("Uniqueid"), Some(CALLBACK));
    citizen.hang_up().unwrap();
    agent.ended(SOON).await.unwrap();
    assert_content(&centre.asterisk);
}

#[tokio::test]
async fn an_agent_first_callback_says_why_the_citizen_was_not_reached() {
    for (answering, status) in [
        (Answering::Refuse(486), "BUSY"),
        (Answering::ByHand, "NOANSWER"),
        (Answering::Refuse(404), "CHANUNAVAIL"),
    ] {
        let centre = Centre::open().await;
        centre
            .asterisk
            .route("12345678", centre.caller.port())
            .await
            .unwrap();
        centre.caller.set_answering(answering);
        let queue = "Local/borgerservice@hotline-callback-queue";
        centre
            .originate(CALLBACK, queue, "hotline-callback-agent", "12345678")
            .await;
        let agent = centre.agent.rings(SOON).await.unwrap();
        let says = centre.callback_says(status).await;
        assert_eq!(says.get("uuid"), Some(CALLBACK));
        agent.ended(SOON).await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_first_callback_that_finds_no_agent_dials_nobody() {
    let centre = Centre::open().await;
    centre
        .asterisk
        .route("12345678", centre.caller.port())
        .await
        .unwrap();
    let queue = "Local/ordinary@hotline-callback-queue";
    let variables = "__HOTLINE_QUEUE_TIMEOUT=1";
    let fields = [
        ("Channel", queue),
        ("Context", "hotline-callback-agent"),
        ("Exten", "12345678"),
        ("Priority", "1"),
        ("Async", "true"),
        ("Timeout", "10000"),
        ("ChannelId", CALLBACK),
        ("Variable", variables),
    ];
    centre.hotline.act("Originate", &fields).await.unwrap();
    let response = centre
        .hotline
        .event(SOON, |block| block.is_event("OriginateResponse"))
        .await;
    assert_eq!(response.unwrap().get("Response"), Some("Failure"));
    assert!(centre.caller.incoming().is_empty());
}

#[tokio::test]
async fn a_citizen_first_callback_lets_hotline_ask_and_then_queues_before_the_others() {
    let centre = Centre::open().await;
    centre
        .asterisk
        .route("12345678", centre.caller.port())
        .await
        .unwrap();
    centre.agent.set_answering(Answering::ByHand);
    let number = "Local/12345678@hotline-dial";
    centre
        .originate(CALLBACK, number, "hotline-callback-caller", "borgerservice")
        .await;
    let citizen = centre.caller.rings(SOON).await.unwrap();
    assert_eq!(centre.bot.call(0).await, CALLBACK);
    let event = centre
        .hotline
        .event(SOON, |block| block.is_user_event("Hotline"))
        .await
        .unwrap();
    assert_eq!(event.get("callback"), Some("borgerservice"));
    assert_eq!(event.get("uuid"), Some(CALLBACK));
    assert_eq!(event.get("caller"), Some("+4512345678"));
    let channel = event.get("Channel").unwrap();
    citizen.hear_tone(BOT_TONE, SOON).await.unwrap();
    citizen.press("1");
    assert_eq!(centre.bot.keys.wait(SOON, |_| true).await, Some('1'));

    centre.set(channel, "HOTLINE_PRIORITY", "10").await;
    centre
        .redirect(channel, "hotline-queue", "borgerservice")
        .await;
    let entries = async {
        loop {
            let entries = centre
                .hotline
                .list("QueueStatus", &[("Queue", "borgerservice")])
                .await
                .unwrap();
            if let Some(entry) = entries.iter().find(|block| block.is_event("QueueEntry")) {
                return entry.clone();
            }
        }
    };
    let entry = tokio::time::timeout(SOON, entries).await.unwrap();
    assert_eq!(entry.get("Priority"), Some("10"));
    let agent = centre.agent.rings(SOON).await.unwrap();
    assert_eq!(
        agent.header("X-Hotline-Reason").as_deref(),
        Some(CALLBACK_REASON)
    );
    agent.answer().unwrap();
    agent.hear_tone(WHISPER_TONE, SOON).await.unwrap();
    hear_each_other(&citizen, &agent).await;
    assert_content(&centre.asterisk);
}

#[tokio::test]
async fn a_citizen_first_callback_whose_hotline_dies_gets_a_person() {
    let centre = Centre::open().await;
    centre
        .asterisk
        .route("12345678", centre.caller.port())
        .await
        .unwrap();
    let number = "Local/12345678@hotline-dial";
    centre
        .originate(CALLBACK, number, "hotline-callback-caller", "borgerservice")
        .await;
    let citizen = centre.caller.rings(SOON).await.unwrap();
    citizen.hear_tone(BOT_TONE, SOON).await.unwrap();
    centre.bot.now(Doing::Close);
    let agent = centre.agent.rings(SOON).await.unwrap();
    hear_each_other(&citizen, &agent).await;
}

#[tokio::test]
async fn a_citizen_first_callback_that_is_refused_at_the_keys_is_hung_up() {
    let centre = Centre::open().await;
    centre
        .asterisk
        .route("12345678", centre.caller.port())
        .await
        .unwrap();
    let number = "Local/12345678@hotline-dial";
    centre
        .originate(CALLBACK, number, "hotline-callback-caller", "borgerservice")
        .await;
    let citizen = centre.caller.rings(SOON).await.unwrap();
    citizen.hear_tone(BOT_TONE, SOON).await.unwrap();
    let event = centre
        .hotline
        .event(SOON, |block| block.is_user_event("Hotline"))
        .await
        .unwrap();
    centre
        .set(event.get("Channel").unwrap(), "HOTLINE_ENDED", "1")
        .await;
    centre.bot.now(Doing::End);
    citizen.ended(SOON).await.unwrap();
    assert!(centre.agent.incoming().is_empty());
}

#[tokio::test]
async fn a_citizen_who_hangs_up_during_a_callback_leaves_nothing_behind() {
    let centre = Centre::open().await;
    centre
        .asterisk
        .route("12345678", centre.caller.port())
        .await
        .unwrap();
    let number = "Local/12345678@hotline-dial";
    centre
        .originate(CALLBACK, number, "hotline-callback-caller", "borgerservice")
        .await;
    let citizen = centre.caller.rings(SOON).await.unwrap();
    citizen.hear_tone(BOT_TONE, SOON).await.unwrap();
    citizen.hang_up().unwrap();
    centre.bot.closed.wait(SOON, |()| true).await.unwrap();
    let gone = centre.hotline.event(SOON, |block| {
        block.is_event("Hangup") && block.get("Uniqueid") == Some(CALLBACK)
    });
    gone.await.unwrap();
    assert!(centre.agent.incoming().is_empty());
}
