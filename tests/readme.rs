//! What README.md and the pages under docs say, held against the program: commands, files, settings,
//! snippets and transcripts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "readme/guide.rs"]
mod guide;
#[path = "readme/page.rs"]
mod page;
#[path = "readme/switch.rs"]
mod switch;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hotline::config::Config;
use serde_json::Value;

use page::{blocks, code, commands, copy, here, text};

const PAGES: [&str; 7] = [
    "README.md",
    "docs/flows.md",
    "docs/languages.md",
    "docs/asterisk.md",
    "docs/freeswitch.md",
    "docs/speech.md",
    "docs/operations.md",
];

fn hotline(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hotline"))
        .args(arguments)
        .current_dir(here())
        .env_remove("HOTLINE_CONFIG")
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn help(arguments: &[&str]) -> String {
    let output = hotline(&[arguments, &["--help"]].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the verbs that a help text lists.
fn verbs(help: &str) -> Vec<String> {
    let commands = help.split("Commands:\n").nth(1).unwrap_or_default();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    lines
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn every_verb_and_option_that_is_named_is_in_the_help() {
    let top = help(&[]);
    let known = verbs(&top);
    let mut looked_at = 0;
    for page in PAGES {
        for command in commands(page, "hotline") {
            let mut words = command
                .split_whitespace()
                .filter(|word| *word != "--config" && !word.ends_with(".yaml"));
            let Some(verb) = words.next() else { continue };
            if verb.starts_with('-') {
                assert!(top.contains(verb), "{page}: hotline {command}");
                continue;
            }
            assert!(
                known.iter().any(|it| it == verb),
                "{page}: hotline {command}: no such verb"
            );
            let mut page_of_help = help(&[verb]);
            let mut deeds = verbs(&page_of_help);
            deeds.retain(|deed| deed != "help");
            let deed = words.next().filter(|word| !word.starts_with("--"));
            if let Some(deed) = deed.filter(|_| !deeds.is_empty()) {
                assert!(
                    deeds.iter().any(|it| it == deed),
                    "{page}: hotline {command}: no such deed"
                );
                page_of_help = help(&[verb, deed]);
            }
            for option in command
                .split_whitespace()
                .filter(|word| word.starts_with("--"))
            {
                assert!(
                    page_of_help.contains(option),
                    "{page}: hotline {command}: {option} is not in the help"
                );
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "only {looked_at} commands were found");
    let readme = text("README.md");
    for verb in ["serve", "chat", "check", "doctor"] {
        assert!(readme.contains(&format!("hotline {verb}")), "{verb}");
    }
    let operations = text("docs/operations.md");
    for verb in known.iter().filter(|verb| *verb != "help") {
        assert!(
            operations.contains(&format!("`hotline {verb}")),
            "operations.md does not tell of {verb}"
        );
    }
}

#[test]
fn every_make_target_that_is_named_exists_and_the_two_commands_are_in_the_readme() {
    let makefile = text("Makefile");
    for page in PAGES {
        for command in commands(page, "make") {
            let target = command.split_whitespace().next().unwrap();
            assert!(
                makefile.contains(&format!("\n{target}: ")),
                "{page}: make {target}"
            );
        }
    }
    let readme = commands("README.md", "make");
    assert!(
        readme.iter().any(|it| it == "demo") && readme.iter().any(|it| it == "test"),
        "{readme:?}"
    );
    assert!(text(".ci/run").contains("\nmake test\n"));
}

#[test]
fn every_file_that_is_linked_exists() {
    for page in PAGES
        .into_iter()
        .chain(["flows/README.md", "dialplans/README.md", "CHANGELOG.md"])
        .chain(["freeswitch/conf/README.md"])
    {
        let folder = here().join(page).parent().unwrap().to_owned();
        for link in text(page).split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() {
                here().join(page)
            } else {
                folder.join(file)
            };
            assert!(path.exists(), "{page} links to {target}");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&path).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                assert!(
                    headings.any(|it| slug(it) == anchor),
                    "{page} links to {target}"
                );
            }
        }
    }
}

/// Makes the anchor of a heading, as GitHub does.
fn slug(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

#[test]
fn the_dialplan_to_paste_is_that_of_the_dialplans_folder() {
    let shipped: Vec<String> = blocks("dialplans/README.md", "ini")
        .into_iter()
        .map(|it| it.1)
        .collect();
    let shown: Vec<String> = blocks("README.md", "ini")
        .into_iter()
        .map(|it| it.1)
        .collect();
    assert!(!shown.is_empty());
    assert_eq!(shown, shipped);
    // What is pasted leads somewhere.
    let dialplan = text("dialplans/hotline.conf");
    assert!(dialplan.contains("[hotline-inbound]"));
    for line in shown
        .iter()
        .flat_map(|block| block.lines())
        .filter(|line| line.starts_with("HOTLINE_"))
    {
        let name = line.split(" = ").next().unwrap();
        assert!(
            dialplan.contains(&format!("${{{name}}}")),
            "{name} is not used"
        );
    }
    assert!(
        shown[0].contains(
            &Config::read(None, Vec::new())
                .unwrap()
                .call
                .listen
                .to_string()
        )
    );
}

#[test]
fn every_context_and_variable_that_is_named_is_in_the_dialplan() {
    let dialplan = text("dialplans/hotline.conf");
    let known = format!("{dialplan}{}", text("dialplans/README.md"));
    // These are read by the program and not by Asterisk.
    let ours = [
        "HOTLINE_CONFIG",
        "HOTLINE_LIBVOSK",
        "HOTLINE_LIBSHERPA",
        "HOTLINE_POCKETSPHINX",
        "HOTLINE_ESPEAK",
        "HOTLINE_CACHE",
    ];
    for page in PAGES {
        for word in code(page) {
            let name: String = word
                .chars()
                .take_while(|it| it.is_ascii_uppercase() || *it == '_')
                .collect();
            if word.starts_with("HOTLINE_")
                && !word.starts_with("HOTLINE__")
                && !ours.contains(&name.as_str())
            {
                assert!(known.contains(&name), "{page}: {word}");
            }
            let is_context = word.starts_with("hotline-") && !word.contains('.');
            if is_context && page != "docs/freeswitch.md" {
                assert!(dialplan.contains(&format!("[{word}]")), "{page}: {word}");
            }
        }
    }
}

#[test]
fn the_configurations_shown_are_read_and_what_they_name_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = text("docs/hotline.yaml");
    let [(place, minimal), (other, freeswitch)] = &blocks("README.md", "yaml")[..] else {
        panic!("one configuration for each PBX in README.md")
    };
    for (place, text) in [
        ("docs/hotline.yaml", &shipped),
        (place, minimal),
        (other, freeswitch),
        ("everything in it", &with_examples(&shipped)),
        ("the other PBX", &with_freeswitch(&shipped)),
    ] {
        let file = folder.path().join("hotline.yaml");
        std::fs::write(&file, text).unwrap();
        let config = Config::read(Some((&file, text)), Vec::new());
        let config = config.unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(config.flows, folder.path().join("flows"));
        std::fs::create_dir_all(&config.flows).unwrap();
        copy(&here().join("flows"), &config.flows);
        let output = hotline(&["--config", file.to_str().unwrap(), "check"]);
        assert!(output.status.success(), "{place}: {output:?}");
    }
    for (place, text) in blocks("docs/asterisk.md", "yaml")
        .iter()
        .chain(&blocks("docs/freeswitch.md", "yaml"))
        .chain(&blocks("docs/speech.md", "yaml"))
        .chain(&blocks("docs/operations.md", "yaml"))
    {
        let read = Config::read(
            Some((Path::new("/etc/hotline/hotline.yaml"), text)),
            Vec::new(),
        );
        assert!(read.is_ok(), "{place}: {}", read.unwrap_err());
    }
}

/// Takes the comment sign from settings that are examples.
fn with_examples(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("ears: {}"));
    let lines = lines.map(|line| match line.strip_suffix("# example") {
        Some(example) => example.replacen("# ", "", 1),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Puts the section for FreeSWITCH in the place of the one for Asterisk.
fn with_freeswitch(text: &str) -> String {
    let (before, rest) = text.split_once("\nasterisk:\n").unwrap();
    let (_, rest) = rest.split_once("\n# ---").unwrap();
    let lines = rest
        .lines()
        .map(|line| match line.strip_suffix("# instead") {
            Some(setting) => setting.replacen("# ", "", 1),
            None => line.to_owned(),
        });
    format!("{before}\n# ---{}\n", lines.collect::<Vec<_>>().join("\n"))
}

/// The shortest configurations there are.
const EITHER: [&str; 2] = [
    "asterisk: { secret_file: ami-secret }",
    "freeswitch: { password_file: esl-password }",
];

/// Returns every setting by its full name with its default, as JSON.
fn settings() -> BTreeMap<String, Value> {
    let mut settings = BTreeMap::new();
    for pbx in EITHER {
        let config = Config::read(Some((Path::new("hotline.yaml"), pbx)), Vec::new()).unwrap();
        gather("", &serde_json::to_value(config).unwrap(), &mut settings);
    }
    // The section of the PBX that was left out.
    settings.retain(|name, _| !["asterisk", "freeswitch"].contains(&name.as_str()));
    settings
}

fn gather(name: &str, value: &Value, settings: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(parts) if !["speech.ears", "speech.voices"].contains(&name) => {
            for (part, value) in parts {
                let name = if name.is_empty() {
                    part.clone()
                } else {
                    format!("{name}.{part}")
                };
                gather(&name, value, settings);
            }
        }
        _ => drop(settings.insert(name.to_owned(), value.clone())),
    }
}

#[test]
fn the_table_of_settings_has_each_of_them_with_its_default() {
    let operations = text("docs/operations.md");
    let mut rows: BTreeMap<&str, &str> = BTreeMap::new();
    for line in operations.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, name, default, _, _] = cells[..] {
            rows.insert(name.trim_matches('`'), default.trim_matches('`'));
        }
    }
    for (name, default) in settings() {
        let shown = rows
            .get(name.as_str())
            .unwrap_or_else(|| panic!("{name} is not in the table"));
        match default {
            // What has no fixed default is described in words.
            Value::Null => assert!(!shown.is_empty(), "{name}"),
            // It depends on the environment of the test.
            _ if name == "state" => assert_eq!(*shown, "state"),
            Value::String(text) => assert_eq!(*shown, text, "{name}"),
            other => assert_eq!(shown.replace(' ', ""), plain(&other), "{name}"),
        }
    }
}

/// Writes a value as YAML people do.
fn plain(value: &Value) -> String {
    value.to_string().replace('"', "")
}

#[test]
fn the_example_configuration_has_each_setting_and_its_default() {
    let shipped = text("docs/hotline.yaml");
    let file = Path::new("hotline.yaml");
    for (text, pbx) in [shipped.clone(), with_freeswitch(&shipped)]
        .iter()
        .zip(EITHER)
    {
        let default = Config::read(Some((file, pbx)), Vec::new()).unwrap();
        let mut read = Config::read(Some((file, text)), Vec::new()).unwrap();
        // The commands must find it from a shell, where systemd does not name it.
        assert_eq!(read.state, Path::new("/var/lib/hotline"));
        read.state.clone_from(&default.state);
        assert_eq!(read, default);
    }
    for name in settings().into_keys() {
        let key = name.rsplit('.').next().unwrap();
        let there = shipped.lines().any(|line| {
            line.trim_start_matches([' ', '#'])
                .starts_with(&format!("{key}:"))
        });
        assert!(there, "{name} is not in docs/hotline.yaml");
    }
}

#[test]
fn the_calls_shown_go_as_shown() {
    let program = Path::new(env!("CARGO_BIN_EXE_hotline"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let mut played = 0;
    for page in PAGES {
        for (place, block) in blocks(page, "console") {
            let (command, shown) = block.split_once('\n').unwrap();
            let command = command
                .strip_prefix("$ ")
                .unwrap_or_else(|| panic!("{place}: no command"));
            let output = Command::new("bash")
                .args(["-c", command])
                .current_dir(here())
                .env("PATH", &path)
                .env_remove("HOTLINE_CONFIG")
                .output()
                .unwrap();
            let came = String::from_utf8(output.stdout).unwrap();
            assert_eq!(came.trim_end(), shown.trim_end(), "{place}: {command}");
            played += 1;
        }
    }
    assert!(played >= 2);
}

#[test]
fn what_is_said_about_numbers_is_so() {
    let understanding = [
        hotline::understand::ACT,
        hotline::understand::CONFIRM,
        hotline::understand::MARGIN,
    ];
    let guide = text("docs/flows.md");
    for number in understanding {
        assert!(guide.contains(&format!("{number:.2}")), "{number}");
    }
    for language in ["da", "en"] {
        let words = text(&format!(
            "tests/fixtures/speech/vosk-tiny-{language}-grm/graph/words.txt"
        ));
        assert!(
            (100..200).contains(&words.lines().count()),
            "a hundred-odd words"
        );
    }
    let unit = text("docs/hotline.service");
    let grace = Config::read(None, Vec::new()).unwrap().call.drain_seconds;
    let stop: u32 = unit
        .lines()
        .find_map(|it| it.strip_prefix("TimeoutStopSec="))
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        stop > grace + 5,
        "systemd must wait for {grace} s of calls and 5 s of closing"
    );
}

#[test]
fn the_unit_file_has_what_the_promise_needs() {
    let unit = text("docs/hotline.service");
    for line in [
        "Type=notify",
        "WatchdogSec=2",
        "WatchdogSignal=SIGKILL",
        "Restart=always",
        "RestartPreventExitStatus=2",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
    ] {
        assert!(unit.lines().any(|it| it == line), "{line}");
    }
    let start = unit
        .lines()
        .find_map(|it| it.strip_prefix("ExecStart=/usr/local/bin/hotline "))
        .unwrap();
    assert_eq!(start, "--config /etc/hotline/hotline.yaml serve");
}

#[test]
fn what_must_not_be_used_for_callers_is_said_wherever_it_is_offered() {
    for page in [
        "README.md",
        "docs/speech.md",
        "tests/fixtures/speech/README.md",
    ] {
        let page = text(page);
        assert!(page.contains("Never"), "no warning about the tiny models");
    }
    for page in ["README.md", "docs/speech.md"] {
        assert!(text(page).contains("has no Danish model"), "{page}");
    }
}

#[test]
fn every_path_and_figure_of_the_http_door_is_in_the_program() {
    let operations = text("docs/operations.md");
    let door = text("src/http/mod.rs");
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/callbacks",
        "/notices",
        "/calls",
        "/events",
        "/deadletters",
    ] {
        assert!(operations.contains(path) && door.contains(path), "{path}");
    }
    let figures = text("src/call/figures.rs")
        + &text("src/speech/ears.rs")
        + &text("src/speech/figures.rs")
        + &text("src/speech/prompts/figures.rs");
    for word in code("docs/operations.md") {
        if let Some(name) = word
            .split('{')
            .next()
            .filter(|it| it.starts_with("hotline_"))
        {
            let name = name.trim_end_matches("_total");
            assert!(figures.contains(name), "{word}");
        }
    }
}
