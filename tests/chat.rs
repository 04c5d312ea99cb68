//! `hotline chat` as people and programs use it: lines in, lines out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Calls the first sample tenant on an ordinary Tuesday and gives it these lines.
fn chat(arguments: &[&str], lines: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["chat", "--flows", "flows", "--tenant", "egekoebing"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("HOTLINE_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // The program may be done before it has read everything.
    let _ = input.write_all(lines.as_bytes());
    drop(input);
    child.wait_with_output().unwrap()
}

fn on_tuesday(lines: &str) -> String {
    let output = chat(&["--at", "2026-11-24 10:00"], lines);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn objects(arguments: &[&str], lines: &str) -> Vec<Value> {
    let output = chat(
        &[&["--json", "--at", "2026-11-24 10:00"], arguments].concat(),
        lines,
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn is_transfer(object: &Value) -> bool {
    object["command"].get("transfer").is_some()
}

#[test]
fn a_danish_sentence_leads_to_the_right_queue() {
    let text = on_tuesday("jeg har mistet mit pas\n");
    assert!(
        text.contains("pbx      transfer to queue borgerservice"),
        "{text}"
    );
    assert!(text.ends_with("The call is over: transferred.\n"), "{text}");
}

#[test]
fn english_words_change_the_language_of_the_call() {
    let text = on_tuesday("i have lost my passport\n");
    assert!(text.contains("transfer to queue borgerservice"), "{text}");
    let said: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("hotline"))
        .collect();
    assert!(
        said.last()
            .is_some_and(|line| line.contains("citizen service")),
        "{text}"
    );
}

#[test]
fn a_key_leads_where_the_menu_says() {
    let text = on_tuesday("#1\n");
    assert!(text.contains("transfer to queue"), "{text}");
}

#[test]
fn silence_is_answered_and_ends_with_a_person() {
    let text = on_tuesday("...\n...\n...\n...\n");
    assert!(text.contains("transfer to queue"), "{text}");
}

#[test]
fn christmas_eve_is_closed() {
    let output = chat(&["--at", "2026-12-24 10:00"], "jeg har mistet mit pas\n");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("lukket"), "{text}");
    assert!(!text.contains("transfer to queue"), "{text}");
}

#[test]
fn the_end_of_the_input_hangs_up() {
    let text = on_tuesday("");
    assert!(text.ends_with("The call is over: caller left.\n"), "{text}");
}

#[test]
fn explain_says_what_was_understood_and_why() {
    let output = chat(
        &["--explain", "--at", "2026-11-24 10:00"],
        "jeg har mistet mit pas\n",
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("department = citizen_service"), "{text}");
    assert!(text.contains("'pas' ~ topic 'pas'"), "{text}");
}

#[test]
fn every_event_and_command_is_one_json_object_with_its_time() {
    let objects = objects(&[], "jeg har mistet mit pas\n");
    for object in &objects {
        assert!(object["time"].is_string(), "{object}");
        let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
        assert!(
            keys.iter().any(|key| *key == "event") != keys.iter().any(|key| *key == "command"),
            "{object}"
        );
    }
    assert!(objects.iter().any(is_transfer));
    assert!(objects.iter().any(|it| it["event"].get("heard").is_some()));
}

#[test]
fn a_bad_line_is_answered_with_what_is_allowed_and_the_call_goes_on() {
    let text = on_tuesday("#\n/nonsense\n\u{0}\nkørekort\n");
    assert!(text.contains("write #5 or #4512 for digits"), "{text}");
    assert!(text.contains("type /help for what there is"), "{text}");
    assert!(text.contains("transfer to queue"), "{text}");
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["chat", "--flows", "flows"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let _ = input.write_all(b"\xff\xfe\x00\n#\xff\n/queue \xff waiting=\xff\n");
    drop(input);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn a_transfer_that_fails_is_followed_by_the_operator() {
    let objects = objects(
        &[],
        "/fail transfer queue is full\njeg har mistet mit pas\n",
    );
    assert_eq!(
        objects.iter().filter(|object| is_transfer(object)).count(),
        2
    );
    assert!(
        objects
            .iter()
            .any(|it| it["event"].get("transfer_failed").is_some())
    );
}

#[test]
fn a_busy_queue_can_be_pretended() {
    let text = on_tuesday(
        "/queue borgerservice waiting=20 free=0 agents=2 longest=1500 wait=1500\n\
         jeg har mistet mit pas\n",
    );
    assert!(!text.contains("transfer to queue borgerservice"), "{text}");
}

#[test]
fn wrong_arguments_are_answered_with_what_is_right() {
    for (arguments, help) in [
        (["--at", "tomorrow"], "--at '2026-12-24 10:00'"),
        (["--caller", "12"], "no such"),
        (["--flow", "recepton"], "did you mean `reception`?"),
        (["--language", "de"], "it speaks da and en"),
    ] {
        let output = chat(&arguments, "");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(
            text.contains(help) || help == "no such",
            "{arguments:?}: {text}"
        );
    }
}
