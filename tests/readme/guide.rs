//! The guide to flows: its tables are whole, its examples stand up to the check, its stories hold.

use hotline::dialog::Playbook;
use hotline::dialog::rehearsal::story::play;
use hotline::flow::{FILTERS, Library, VARIABLES, report};

use super::page::{blocks, copy, here, text};

#[test]
fn the_tables_of_variables_and_filters_are_whole() {
    let page = text("docs/flows.md");
    for variable in VARIABLES {
        if variable.parts.is_empty() || variable.name == "operator" {
            assert!(
                page.contains(&format!("| `{}` |", variable.name)),
                "{}",
                variable.name
            );
            continue;
        }
        for (part, _) in variable.parts {
            assert!(
                page.contains(&format!("| `{}.{part}` |", variable.name)),
                "{}.{part}",
                variable.name
            );
        }
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert!(rows > 40, "{rows}");
    for (name, _) in FILTERS {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn every_filter_writes_what_the_table_says() {
    let environment = hotline::dialog::environment();
    let page = text("docs/flows.md");
    let mut tried = 0;
    for line in page.lines() {
        let escaped = line.replace("\\|", "\u{1}");
        let cells: Vec<&str> = escaped.split('|').map(str::trim).collect();
        if let [_, _, _, example, written, _] = cells[..]
            && example.contains("{{")
            && example.contains('\u{1}')
        {
            let template = example.trim_matches('`').replace('\u{1}', "|");
            // Days are told from today, and numbers in a language.
            let moment = minijinja::context! { language => "da", today => "2026-11-24" };
            let said = environment.render_str(&template, moment);
            assert_eq!(
                said.unwrap_or_else(|error| panic!("{template}: {error}")),
                written,
                "{template}"
            );
            tried += 1;
        }
    }
    assert_eq!(tried, FILTERS.len());
}

/// Reads the flows of the repository together with further files.
fn library(more: &[(String, String)]) -> Library {
    let folder = tempfile::tempdir().unwrap();
    copy(&here().join("flows"), folder.path());
    for (file, text) in more {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (library, findings) = Library::load(folder.path());
    assert!(findings.is_empty(), "{}", report(&findings, false));
    library.unwrap()
}

#[test]
fn the_tenant_in_the_guide_is_without_findings_and_its_stories_hold() {
    let files: Vec<(String, String)> = blocks("docs/flows.md", "yaml")
        .into_iter()
        .filter_map(|(_, block)| {
            let name = block.lines().next()?.strip_prefix("# flows/")?.to_owned();
            Some((name, block))
        })
        .collect();
    assert_eq!(files.len(), 3, "tenant, flow and stories");
    let library = library(&files);
    let shelf = library
        .shelves()
        .find(|shelf| shelf.tenant.tenant.0 == "nordby")
        .unwrap();
    let playbook = Playbook::new(shelf.clone()).unwrap().into();
    let mut told = 0;
    for story in library
        .stories(&shelf.tenant.tenant)
        .iter()
        .flat_map(|file| file.stories())
    {
        let played = play(&playbook, story);
        assert!(
            played.shortfalls.is_empty(),
            "{}: {:#?}",
            story.name,
            played.shortfalls
        );
        told += 1;
    }
    assert_eq!(told, 3);
}

#[test]
fn the_steps_in_the_guide_stand_up_to_the_check() {
    let mut flow = "flow: examples\nstart: start\nstates:\n  start:\n    - ask: { for: time, into: callback_time }\n    - ask: { for: date, into: appointment_date }\n    - ask: { for: date, into: callback_date }\n    - when:\n".to_owned();
    let mut states = String::new();
    let mut steps = Vec::new();
    for (number, (place, block)) in blocks("docs/flows.md", "yaml").into_iter().enumerate() {
        if !block.starts_with("- ") || block.starts_with("- name:") {
            continue;
        }
        flow.push_str(&format!(
            "        - if: today == '{number}'\n          do: [ goto: example_{number} ]\n"
        ));
        states.push_str(&format!("  example_{number}:   # {place}\n"));
        for line in block.lines() {
            states.push_str(&format!("    {line}\n"));
        }
        let last = block.lines().rfind(|line| line.starts_with("- ")).unwrap();
        if !["- transfer", "- hangup", "- return", "- goto"]
            .iter()
            .any(|end| last.starts_with(end))
        {
            states.push_str("    - return: {}\n");
        }
        steps.extend(block.lines().filter_map(|line| {
            line.strip_prefix("- ")?
                .split(':')
                .next()
                .map(str::to_owned)
        }));
    }
    flow.push_str("        - else: [ return: {} ]\n");
    library(&[("egekoebing/examples.yaml".to_owned(), flow + &states)]);
    // `goto` stands inside other examples.
    for step in [
        "say", "notices", "ask", "when", "set", "call", "return", "language", "transfer", "record",
        "message", "cancel", "callback", "hangup",
    ] {
        assert!(steps.iter().any(|it| it == step), "no example of {step}");
    }
}
