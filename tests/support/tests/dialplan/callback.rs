//! Callbacks, agent first and citizen first.

use street::phone::Answering;

use crate::centre::{
    CALLBACK, CALLBACK_REASON, Centre, DID, SOON, WHISPER_TONE, assert_content, hear_each_other,
};
use crate::peer::{BOT_TONE, Doing};

#[tokio::test]
async fn an_agent_first_callback_briefs_the_agent_and_then_dials_the_citizen() {
    let centre = Centre::open().await;
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
    let variables = "HOTLINE_QUEUE_TIMEOUT=1";
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
    assert_eq!(citizen.caller_number(), DID);
    assert_eq!(centre.bot.call(0).await, CALLBACK);
    let event = centre
        .hotline
        .event(SOON, |block| block.is_user_event("Hotline"))
        .await
        .unwrap();
    assert_eq!(event.get("callback"), Some("borgerservice"));
    assert_eq!(event.get("uuid"), Some(CALLBACK));
    assert_eq!(event.get("caller"), Some("+4512345678"));
    assert_eq!(event.get("purpose"), Some("callback-4F7K2"));
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
