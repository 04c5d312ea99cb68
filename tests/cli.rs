//! The command line from outside: exit codes, what goes to which stream, and the repository's own
//! flows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn hotline(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("HOTLINE_CONFIG")
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_flows_of_the_repository_have_no_findings() {
    let output = hotline(&["check", "flows"], here());
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert_eq!(out(&output), "no findings in flows\n");
}

#[test]
fn every_story_beside_the_flows_of_the_repository_holds() {
    let output = hotline(&["test", "flows", "--verbose"], here());
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(out(&output).contains(": all hold ("), "{}", out(&output));
}

#[test]
fn a_story_that_fails_is_shown_with_its_place_and_the_exit_code_is_1() {
    let folder = tempfile::tempdir().unwrap();
    copy(&here().join("flows"), folder.path());
    let story = "\
- name: expects too much
  at: \"2026-11-24 10:00\"
  turns:
    - expect: { says: \"farvel og tak\" }
";
    std::fs::write(folder.path().join("egekoebing/tests/wrong.yaml"), story).unwrap();
    let output = hotline(&["test", "."], folder.path());
    let text = out(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("egekoebing/tests/wrong.yaml:4:"), "{text}");
    assert!(text.contains("expected says \"farvel og tak\""), "{text}");
    assert!(text.contains(": 1 failed ("), "{text}");

    let output = hotline(
        &["test", ".", "--json", "--name", "expects too much"],
        folder.path(),
    );
    let text = out(&output);
    let story: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(story["holds"], false);
    assert_eq!(story["findings"][0]["line"], 4);
}

#[test]
fn a_mistake_in_a_flow_is_shown_with_its_place_and_the_exit_code_is_1() {
    let folder = tempfile::tempdir().unwrap();
    copy(&here().join("flows"), folder.path());
    let flow = "flow: broken\nstart: greet\nstates:\n  greet:\n    - gotoo: greet\n";
    std::fs::write(folder.path().join("common/broken.yaml"), flow).unwrap();
    let output = hotline(&["check", "."], folder.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        out(&output).contains("common/broken.yaml:5:"),
        "{}",
        out(&output)
    );
    let output = hotline(&["check", ".", "--json"], folder.path());
    let report: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(report["findings"][0]["line"], 5);
}

#[test]
fn without_any_folder_of_flows_the_built_in_sample_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let output = hotline(&["check"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(out(&output).contains("built-in sample"), "{}", out(&output));
}

#[test]
fn a_mistake_in_the_configuration_is_shown_with_its_place_and_the_exit_code_is_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("hotline.yaml"),
        "http:\n  lisen: 127.0.0.1:1\n",
    )
    .unwrap();
    let output = hotline(&["check"], folder.path());
    assert_eq!(output.status.code(), Some(2));
    let text = err(&output);
    assert!(
        text.contains("hotline.yaml") && text.contains("line 2"),
        "{text}"
    );
    assert!(text.contains("did you mean `listen`?"), "{text}");
}

#[test]
fn a_service_that_cannot_be_reached_is_exit_code_3_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens on port 1.
    std::fs::write(
        folder.path().join("hotline.yaml"),
        "http: { listen: '127.0.0.1:1' }\n",
    )
    .unwrap();
    for arguments in [["callback", "list"], ["notice", "list"]] {
        let output = hotline(&arguments, folder.path());
        assert_eq!(output.status.code(), Some(3), "{}", err(&output));
        assert!(
            err(&output).contains("start `hotline serve`"),
            "{}",
            err(&output)
        );
    }
}

#[test]
fn an_unknown_verb_is_exit_code_2_and_help_is_exit_code_0() {
    assert_eq!(hotline(&["cal"], here()).status.code(), Some(2));
    let help = hotline(&["--help"], here());
    assert_eq!(help.status.code(), Some(0));
    for word in [
        "Exit codes:",
        "chat",
        "check",
        "doctor",
        "callback",
        "notice",
        "demo",
        "serve",
    ] {
        assert!(out(&help).contains(word), "{word}: {}", out(&help));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(["test", "flows", "--json"])
        .current_dir(here())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(err(&output), "");
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Writes a configuration whose ports nobody else uses, and returns the HTTP door's address.
fn configure(folder: &Path) -> String {
    let free = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (http, call) = (free(), free());
    let flows = here().join("flows");
    std::fs::write(folder.join("secret"), "no secret\n").unwrap();
    let text = format!(
        "flows: {}\nstate: state\nhttp: {{ listen: '{http}' }}\ncall: {{ listen: '{call}' }}\n\
         asterisk: {{ port: 1, secret_file: secret }}\n",
        flows.display()
    );
    std::fs::write(folder.join("hotline.yaml"), text).unwrap();
    http.to_string()
}

/// Orders, lists and cancels a callback and a notice, and checks what is said about each.
fn supervise(folder: &Path) {
    let add = [
        "callback",
        "add",
        "--tenant",
        "egekoebing",
        "--department",
        "citizen_service",
        "--number",
        "20 12 34 56",
        "--reason",
        "pas",
    ];
    let said = hotline(&add, folder);
    assert_eq!(said.status.code(), Some(0), "{}", err(&said));
    let reference = out(&said).split(' ').next().unwrap().to_owned();
    let again = out(&hotline(&add, folder));
    assert_eq!(
        again,
        format!("{reference} was promised before and still stands\n")
    );
    let list = out(&hotline(
        &["callback", "list", "--tenant", "egekoebing"],
        folder,
    ));
    assert!(
        list.contains(&reference) && list.contains("+4520123456"),
        "{list}"
    );
    let cancelled = hotline(&["callback", "cancel", &reference], folder);
    assert_eq!(out(&cancelled), format!("{reference} is cancelled\n"));
    let twice = hotline(&["callback", "cancel", &reference], folder);
    assert_eq!(twice.status.code(), Some(1), "{}", out(&twice));
    let mut wrong = add;
    wrong[5] = "cellar";
    let refused = hotline(&wrong, folder);
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("no department"), "{}", err(&refused));

    let on = [
        "notice",
        "on",
        "egekoebing",
        "closed",
        "--text",
        "da=Vi har lukket.",
    ];
    assert_eq!(hotline(&on, folder).status.code(), Some(0));
    let list = out(&hotline(&["notice", "list"], folder));
    assert!(list.contains("Vi har lukket."), "{list}");
    let off = ["notice", "off", "egekoebing", "closed"];
    assert_eq!(hotline(&off, folder).status.code(), Some(0));
    assert_eq!(hotline(&off, folder).status.code(), Some(1));
}

#[test]
fn a_supervisor_works_on_the_store_when_no_service_is_running() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path());
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    drop(hotline::store::Store::open(&state.join("hotline.redb")).unwrap());
    supervise(folder.path());
}

/// A service, ended with the test.
struct Service(std::process::Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_supervisor_works_through_a_running_service_and_the_doctor_sees_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let http = configure(folder.path());
    let child = Command::new(env!("CARGO_BIN_EXE_hotline"))
        .arg("serve")
        .current_dir(folder.path())
        .env_remove("STATE_DIRECTORY")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _service = Service(child);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while std::net::TcpStream::connect(&http).is_err() {
        assert!(
            std::time::Instant::now() < deadline,
            "the service did not start"
        );
        std::thread::yield_now();
    }
    supervise(folder.path());

    let doctor = hotline(&["doctor", "--json"], folder.path());
    assert_eq!(doctor.status.code(), Some(1), "{}", err(&doctor));
    let report: serde_json::Value = serde_json::from_str(&out(&doctor)).unwrap();
    let health = |part: &str| {
        let parts = report["parts"].as_array().unwrap().iter();
        let mut found = parts.filter(|it| it["part"] == part);
        found
            .next()
            .map(|it| it["health"].clone())
            .unwrap_or_default()
    };
    for (part, expected) in [
        ("flows", "well"),
        ("service", "wrong"),
        ("http port", "well"),
        ("audio port", "well"),
        ("asterisk", "wrong"),
        ("store", "well"),
        ("outbox", "well"),
    ] {
        assert_eq!(health(part), expected, "{part}: {report:#}");
    }
}

#[test]
fn models_tells_what_to_download_for_danish_and_how_well_it_is_said_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = hotline(&["models", "--language", "da"], folder.path());
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    for expected in [
        "parakeet-tdt-0.6b-v3 (sherpa; da, en and 23 more languages)",
        "20.2 words in 100 wrong",
        "CC-BY-4.0",
        "wget https://github.com/k2-fsa/sherpa-onnx/releases/download/asr-models/",
        "|       - { engine: sherpa, model: ",
        "da_DK-talesyntese-medium (piper; da)",
        "There is no Danish model for Vosk.",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("vosk-model-small-en-us"), "{text}");
    let json = hotline(&["models", "--engine", "vosk", "--json"], folder.path());
    let models: serde_json::Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(models.as_array().unwrap().len(), 3);
}

#[test]
fn models_check_tells_a_sound_model_from_a_damaged_one() {
    let check = |model: &Path| hotline(&["models", "check", &model.display().to_string()], here());
    let sound = check(&here().join("tests/fixtures/speech/vosk-tiny-da-grm"));
    assert_eq!(sound.status.code(), Some(0), "{}", out(&sound));
    assert!(
        out(&sound).contains("no published checksum"),
        "{}",
        out(&sound)
    );
    assert!(
        out(&sound).contains("a complete model (vosk)"),
        "{}",
        out(&sound)
    );

    let folder = tempfile::tempdir().unwrap();
    copy(
        &here().join("tests/fixtures/speech/sherpa-tiny-da"),
        folder.path(),
    );
    std::fs::remove_file(folder.path().join("online.onnx")).unwrap();
    let sound = check(folder.path());
    assert_eq!(sound.status.code(), Some(0), "{}", out(&sound));
    assert!(
        out(&sound).contains("a complete model (sherpa, Tdnn)"),
        "{}",
        out(&sound)
    );

    let network = folder.path().join("offline.onnx");
    let bytes = std::fs::read(&network).unwrap();
    std::fs::write(&network, &bytes[..bytes.len() / 2]).unwrap();
    let damaged = check(folder.path());
    assert_eq!(damaged.status.code(), Some(1), "{}", out(&damaged));
    assert!(
        out(&damaged).contains("a whole offline.onnx (it is cut short"),
        "{}",
        out(&damaged)
    );

    let nowhere = check(Path::new("/nowhere/model"));
    assert_eq!(nowhere.status.code(), Some(1), "{}", out(&nowhere));
    assert!(
        out(&nowhere).contains("there is no such folder"),
        "{}",
        out(&nowhere)
    );
}

#[test]
fn models_check_looks_at_all_that_are_configured() {
    let folder = tempfile::tempdir().unwrap();
    let model = here().join("tests/fixtures/speech/vosk-tiny-en-grm");
    let config = format!(
        "speech:\n  ears:\n    en: [ {{ engine: vosk, model: {model:?} }}, {{ engine: sherpa, model: gone }} ]\n"
    );
    std::fs::write(folder.path().join("hotline.yaml"), config).unwrap();
    let output = hotline(&["models", "check", "--all", "--json"], folder.path());
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let findings: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    let wrong: Vec<&str> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["sound"] == false)
        .map(|finding| finding["says"].as_str().unwrap())
        .collect();
    assert_eq!(wrong.len(), 1, "{findings}");
    assert!(
        wrong[0].starts_with("speech.ears.en[1].model: "),
        "{wrong:?}"
    );
    let usage = hotline(&["models", "check"], folder.path());
    assert_eq!(usage.status.code(), Some(2));
}
