//! Clients that connect to the event socket: logging in, replies, errors, jobs, the end.

use street::freeswitch::scripted::recorded::{self, Message};
use street::freeswitch::scripted::{Plan, Scripted};

use crate::client::{Client, SOON, Stage, recorded_dialplan};

fn switch() -> Scripted {
    let plan = Plan::bare()
        .dialplan(&recorded_dialplan(1))
        .queue("support@default", &[]);
    Scripted::start(plan).unwrap()
}

/// Returns the commands of a recorded session, one by one.
fn commands(session: &str) -> Vec<String> {
    let path = recorded::folder().join(format!("{session}.esl.out"));
    let text = std::fs::read_to_string(path).unwrap();
    text.split("\n\n")
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Plays a recorded session's client and returns everything the switch says.
async fn replay(scripted: &Scripted, session: &str) -> Vec<Message> {
    let mut client = Client::knock(scripted).await;
    let mut said = vec![client.message().await.unwrap()];
    for command in commands(session) {
        said.push(
            client
                .say(&command.replace("ClueCon", scripted.password()))
                .await,
        );
    }
    while let Some(message) = client.message().await {
        said.push(message);
    }
    said
}

#[tokio::test]
async fn logins_go_byte_for_byte_as_recorded() {
    let scripted = switch();
    for session in ["inbound-auth-wrong", "inbound-auth-missing"] {
        assert_eq!(
            replay(&scripted, session).await,
            *recorded::session(session),
            "{session}"
        );
    }
    scripted.reject_links(true);
    let refused = replay(&scripted, "inbound-acl-rejected").await;
    assert_eq!(refused, *recorded::session("inbound-acl-rejected"));
    // Two commands before auth are what the recording shows of a client that has it wrong.
    assert_eq!(scripted.take_complaints().len(), 2);
}

#[tokio::test]
async fn wrong_commands_are_answered_byte_for_byte_as_recorded() {
    let scripted = switch();
    let mut client = Client::login(&scripted, "").await;
    let recorded = recorded::session("inbound-api-errors");
    // Log lines and events come in between; the answers are in the order of the commands.
    let answers = recorded.iter().skip(1).filter(|message| {
        let kind = message.get("Content-Type").unwrap();
        kind == "command/reply" || kind == "api/response"
    });
    // Numbers, ids and times differ.
    let loose = [
        "api status",
        "api strepoch",
        "api create_uuid",
        "api originate",
    ];
    for (command, answer) in commands("inbound-api-errors").iter().zip(answers) {
        if command.starts_with("auth") || command == "exit" {
            continue;
        }
        let said = client.say(command).await;
        if loose.iter().any(|loose| command.starts_with(loose)) {
            assert_eq!(
                said.get("Content-Type"),
                answer.get("Content-Type"),
                "{command}"
            );
            assert_eq!(
                said.body.lines().count(),
                answer.body.lines().count(),
                "{command}"
            );
        } else {
            assert_eq!(said, *answer, "{command}");
        }
    }
    assert!(!scripted.take_complaints().is_empty());
}

#[tokio::test]
async fn a_command_may_come_in_pieces_and_two_may_come_at_once() {
    let scripted = switch();
    let mut client = Client::login(&scripted, "").await;
    for piece in [
        "api uuid_exi",
        "sts 00000000-0000-4000-8000-000000000000\n",
        "\n",
    ] {
        client.write(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.message().await.unwrap().body, "false");
    client
        .write("api strepoch\n\napi module_exists mod_callcenter\n\n")
        .await;
    assert_eq!(client.message().await.unwrap().body.len(), 10);
    assert_eq!(client.message().await.unwrap().body, "true");
}

#[tokio::test]
async fn what_a_doctor_asks_is_answered() {
    let scripted = switch();
    let mut client = Client::login(&scripted, "").await;
    for (command, begins) in [
        ("module_exists mod_nosuch", "false"),
        ("global_getvar domain", "default"),
        ("global_getvar hotline_fallback", "-ERR no reply"),
        ("xml_locate dialplan context name default", "<context"),
        ("xml_locate dialplan context name nowhere", "can't find"),
        ("sofia status gateway trunk", "====="),
        ("sofia status gateway nosuch", "Invalid Gateway!"),
    ] {
        let said = client.api(command).await;
        assert!(said.starts_with(begins), "{command}: {said}");
    }
}

#[tokio::test]
async fn a_job_is_told_with_its_id_command_and_result() {
    let scripted = switch();
    let mut client = Client::login(&scripted, "BACKGROUND_JOB").await;
    let reply = client
        .say("bgapi strepoch\nJob-UUID: b0000000-0000-4000-8000-000000000099")
        .await;
    assert_eq!(
        reply.head,
        "Content-Type: command/reply\nReply-Text: +OK Job-UUID: b0000000-0000-4000-8000-000000000099\n\
         Job-UUID: b0000000-0000-4000-8000-000000000099"
    );
    let event = client.event("BACKGROUND_JOB").await;
    assert_eq!(
        event.get("Job-UUID"),
        Some("b0000000-0000-4000-8000-000000000099")
    );
    assert_eq!(event.get("Job-Command"), Some("strepoch"));
    assert_eq!(event.get("Job-Command-Arg"), None);
    assert_eq!(event.body().unwrap().len(), 10);
}

#[tokio::test]
async fn only_what_was_asked_for_is_told() {
    let stage = Stage::set().await;
    let mut asks = Client::login(&stage.scripted, "CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE").await;
    let mut silent = Client::login(&stage.scripted, "").await;
    let call = stage.dial("9000");
    call.answered(SOON).await.unwrap();
    call.press_all("1").await.unwrap();
    call.hang_up().unwrap();
    assert_eq!(asks.next_event().await.name(), "CHANNEL_ANSWER");
    assert_eq!(asks.next_event().await.name(), "CHANNEL_HANGUP_COMPLETE");
    assert_eq!(silent.api("strepoch").await.len(), 10);
    let over = silent.say("exit").await;
    assert_eq!(over.get("Reply-Text"), Some("+OK bye"));
}

#[tokio::test]
async fn a_shutdown_is_told_as_recorded_and_the_switch_comes_back_at_the_same_ports() {
    let mut stage = Stage::set().await;
    let call = stage.dial("9000");
    call.answered(SOON).await.unwrap();
    let mut client = Client::login(&stage.scripted, "SHUTDOWN CHANNEL_HANGUP_COMPLETE").await;
    stage.scripted.stop();
    assert_eq!(client.next_event().await.name(), "SHUTDOWN");
    let hung_up = client.next_event().await;
    assert_eq!(hung_up.get("Hangup-Cause"), Some("SYSTEM_SHUTDOWN"));
    let notice = client.message().await.unwrap();
    assert_eq!(notice, *recorded::session("shutdown").last().unwrap());
    assert!(client.message().await.is_none());
    call.ended(SOON).await.unwrap();
    stage.scripted.start_again().unwrap();
    let again = stage.dial("9000");
    again.answered(SOON).await.unwrap();
    Client::login(&stage.scripted, "").await;
}

#[tokio::test]
async fn a_switch_that_is_killed_tells_nobody() {
    let mut stage = Stage::set().await;
    let call = stage.dial("9000");
    call.answered(SOON).await.unwrap();
    let mut client = Client::login(&stage.scripted, "ALL").await;
    stage.scripted.kill();
    while let Some(message) = client.message().await {
        assert_ne!(message.get("Content-Type"), Some("text/disconnect-notice"));
    }
    assert!(call.is_up());
    stage.scripted.start_again().unwrap();
    assert_eq!(stage.scripted.channels().unwrap(), 0);
}
