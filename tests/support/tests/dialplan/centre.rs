//! A contact centre to test the dialplan in: a real Asterisk, a bot, an agent and a caller.

use std::time::Duration;

use street::asterisk::{Ami, Asterisk, Block, Site};
use street::phone::Call;
use street::{Phone, tone};

use crate::peer::{BOT_TONE, Doing, Peer};

pub(crate) const SOON: Duration = Duration::from_secs(5);
/// What the promise allows until a caller whom Hotline fails is in the ordinary queue.
pub(crate) const FALLBACK: Duration = Duration::from_secs(3);
pub(crate) const DID: &str = "70101010";
pub(crate) const WHISPER_TONE: f64 = 1200.0;
pub(crate) const CALLER_TONE: f64 = 500.0;
pub(crate) const AGENT_TONE: f64 = 700.0;

/// A contact centre with one agent in the queue `borgerservice`, an empty ordinary queue, and a bot.
pub(crate) struct Centre {
    pub(crate) asterisk: Asterisk,
    pub(crate) hotline: Ami,
    pub(crate) bot: Peer,
    pub(crate) agent: Phone,
    pub(crate) caller: Phone,
}

impl Centre {
    pub(crate) async fn open() -> Self {
        Self::open_with(Doing::Talk, |site| site).await
    }

    pub(crate) async fn open_with(doing: Doing, change: impl FnOnce(Site) -> Site) -> Self {
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
    pub(crate) async fn call_the_bot(&self) -> (Call, String) {
        let call = self.caller.call(self.asterisk.sip(), DID).await.unwrap();
        call.hear_tone(BOT_TONE, SOON).await.unwrap();
        let event = self
            .hotline
            .event(SOON, |block| block.is_user_event("Hotline"))
            .await
            .unwrap();
        (call, event.get("Channel").unwrap().to_owned())
    }

    pub(crate) async fn set(&self, channel: &str, variable: &str, value: &str) {
        let fields = [
            ("Channel", channel),
            ("Variable", variable),
            ("Value", value),
        ];
        self.hotline.act("Setvar", &fields).await.unwrap();
    }

    pub(crate) async fn redirect(&self, channel: &str, context: &str, extension: &str) {
        let fields = [
            ("Channel", channel),
            ("Context", context),
            ("Exten", extension),
            ("Priority", "1"),
        ];
        self.hotline.act("Redirect", &fields).await.unwrap();
    }

    pub(crate) async fn joins(&self, queue: &str) -> Block {
        self.asterisk
            .ami()
            .event(FALLBACK, |block| {
                block.is_event("QueueCallerJoin") && block.get("Queue") == Some(queue)
            })
            .await
            .unwrap_or_else(|_| panic!("the caller joins {queue}"))
    }

    pub(crate) fn whisper(&self) -> String {
        let path = self.asterisk.folder().join("whisper.wav");
        tone::write_wav(&path, &tone::tone(WHISPER_TONE, 1.0, 0.5)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// Asterisk has found nothing to complain about.
pub(crate) fn assert_content(asterisk: &Asterisk) {
    let log = asterisk.log();
    let complaints: Vec<_> = log
        .lines()
        .filter(|line| line.contains("WARNING") || line.contains("ERROR"))
        // Every redirect takes the channel away from under AudioSocket().
        .filter(|line| !line.contains("app_audiosocket.c: Failed to receive frame"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

pub(crate) async fn hear_each_other(caller: &Call, agent: &Call) {
    caller.play(&tone::tone(CALLER_TONE, 15.0, 0.5));
    agent.play(&tone::tone(AGENT_TONE, 15.0, 0.5));
    agent.hear_tone(CALLER_TONE, SOON).await.unwrap();
    caller.hear_tone(AGENT_TONE, SOON).await.unwrap();
    caller.stop_playing();
    agent.stop_playing();
}

impl Centre {
    pub(crate) async fn call_the_bot_again(&self) -> (Call, String) {
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
    pub(crate) async fn originate(&self, id: &str, channel: &str, context: &str, extension: &str) {
        let other = id.replace("0000", "1111");
        let uuid = format!("HOTLINE_UUID={id}");
        let reason = format!("HOTLINE_REASON={}", escaped(CALLBACK_REASON));
        let whisper = format!("HOTLINE_WHISPER={}", self.whisper());
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
            ("Variable", "HOTLINE_CALLER=+4512345678"),
            ("Variable", "__HOTLINE_PURPOSE=callback-4F7K2"),
            ("Variable", &reason),
            ("Variable", "HOTLINE_LANGUAGE=da"),
            ("Variable", "HOTLINE_RING=2"),
            ("Variable", "HOTLINE_OUTBOUND_NUMBER=70101010"),
            ("Variable", "HOTLINE_QUEUE_TIMEOUT=8"),
            ("Variable", &whisper),
        ];
        self.hotline.act("Originate", &fields).await.unwrap();
    }

    pub(crate) async fn callback_says(&self, status: &str) -> Block {
        let event = self.hotline.event(SOON, |block| {
            block.is_user_event("HotlineCallback") && block.get("status") == Some(status)
        });
        event
            .await
            .unwrap_or_else(|_| panic!("the callback says {status}"))
    }
}

/// In the fields of Originate, unlike those of Setvar, these characters need a backslash.
pub(crate) fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for letter in value.chars() {
        if matches!(letter, '\\' | ',' | '"' | '(' | ')' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

pub(crate) const CALLBACK_REASON: &str = r#"Tilbagekald: "pas", (nyt] \ med = og ${EXTEN}"#;
pub(crate) const CALLBACK: &str = "a0000000-0000-4000-8000-000000000001";
