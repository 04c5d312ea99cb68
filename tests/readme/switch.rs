//! What is shipped for FreeSWITCH, and what its pages say: files, variables, contexts, queues, lines to
//! paste. Whether a real FreeSWITCH takes it is for the calls to show.

use std::collections::BTreeSet;

use hotline::config::Config;
use hotline::flow::Library;

use super::page::{blocks, code, here, text};

const DIALPLAN: &str = "freeswitch/conf/dialplan/hotline.xml";
const SAMPLES: [&str; 4] = [
    "freeswitch/conf/autoload_configs/event_socket.conf.xml",
    "freeswitch/conf/autoload_configs/acl.conf.xml",
    "freeswitch/conf/autoload_configs/callcenter.conf.xml",
    "freeswitch/conf/sip_profiles/external/trunk.xml",
];
const PAGES: [&str; 3] = [
    "README.md",
    "docs/freeswitch.md",
    "freeswitch/conf/README.md",
];

/// Returns the text of a file without its comments.
fn bare(file: &str) -> String {
    let text = text(file);
    let mut bare = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("<!--") {
        bare.push_str(before);
        let (comment, after) = after.split_once("-->").unwrap();
        assert!(!comment.contains("--"), "{file}: -- in a comment");
        // FreeSWITCH reads line by line, and takes these words for its own in comments too.
        for word in ["X-PRE-PROCESS", "<include>", "</include>", "<?", "<!"] {
            assert!(!comment.contains(word), "{file}: {word} in a comment");
        }
        rest = after;
    }
    bare + rest
}

/// Returns all values of an attribute.
fn values(text: &str, attribute: &str) -> Vec<String> {
    let opening = format!(" {attribute}=\"");
    let parts = text.split(&opening).skip(1);
    parts
        .map(|part| part.split('"').next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_file_is_well_formed_and_its_comments_hold_nothing_that_freeswitch_would_read() {
    for file in SAMPLES.into_iter().chain([DIALPLAN]) {
        let mut open = Vec::new();
        for tag in bare(file).split('<').skip(1) {
            let (tag, _) = tag.split_once('>').unwrap();
            assert_eq!(tag.matches('"').count() % 2, 0, "{file}: {tag}");
            let name = tag.split([' ', '/']).find(|it| !it.is_empty()).unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop().as_deref(), Some(name), "{file}");
            } else if !tag.ends_with('/') {
                open.push(name.to_owned());
            }
        }
        assert!(open.is_empty(), "{file}: {open:?}");
    }
}

#[test]
fn the_lines_to_paste_are_the_same_everywhere_and_lead_somewhere() {
    let shown = |page| blocks(page, "xml").into_iter().map(|it| it.1);
    let readme: Vec<String> = shown("README.md").collect();
    assert_eq!(
        readme,
        shown("freeswitch/conf/README.md").collect::<Vec<_>>()
    );
    let dialplan = bare(DIALPLAN);
    let all = readme.concat();
    assert!(all.contains("XML hotline-inbound") && dialplan.contains("name=\"hotline-inbound\""));
    let set: Vec<String> = values(&readme[0], "data");
    assert_eq!(set.len(), 3);
    for line in set {
        let (name, _) = line.split_once('=').unwrap();
        assert!(dialplan.contains(&format!("${{{name}}}")), "{name}");
    }
    let config = "freeswitch: { password_file: esl-password }";
    let file = std::path::Path::new("hotline.yaml");
    let config = Config::read(Some((file, config)), Vec::new()).unwrap();
    let listen = config.freeswitch.unwrap().listen.to_string();
    assert!(all.contains(&format!("hotline_socket={listen}\"")));
    // The fallback queue that is pasted is in the sample.
    let queues = bare(SAMPLES[2]);
    assert!(all.contains("hotline_fallback_queue=hovednummer@default"));
    assert!(queues.contains("<queue name=\"hovednummer@default\">"));
}

#[test]
fn every_context_that_hotline_is_configured_for_is_in_the_dialplan() {
    let dialplan = bare(DIALPLAN);
    let contexts = hotline::pbx::freeswitch::Contexts::default();
    let serde_json::Value::Object(contexts) = serde_json::to_value(contexts).unwrap() else {
        panic!("contexts have names")
    };
    for name in contexts.values() {
        let context = format!("<context name={name}>");
        assert!(dialplan.contains(&context), "{context}");
    }
    // Every place that the dialplan sends calls to is there too.
    for data in values(&dialplan, "data") {
        if let Some((_, context)) = data.split_once(" XML ") {
            assert!(
                dialplan.contains(&format!("<context name=\"{context}\">")),
                "{data}"
            );
        }
    }
}

#[test]
fn every_variable_and_context_that_is_named_on_the_pages_is_in_the_dialplan_or_set_by_hotline() {
    let dialplan = text(DIALPLAN);
    let room = ["originate.rs", "transfer.rs", "session.rs"]
        .map(|file| text(&format!("src/pbx/freeswitch/{file}")))
        .concat();
    let mut looked_at = 0;
    for page in PAGES {
        for word in code(page) {
            let name: String = word
                .chars()
                .take_while(|it| it.is_ascii_lowercase() || *it == '_')
                .collect();
            if name.starts_with("hotline_") {
                assert!(
                    dialplan.contains(&name) || room.contains(&name),
                    "{page}: {word}"
                );
                looked_at += 1;
            }
            let is_context = word.starts_with("hotline-") && !word.contains(['.', ' ']);
            if is_context && page != "README.md" {
                let context = format!("<context name=\"{word}\">");
                assert!(dialplan.contains(&context), "{page}: {word}");
                looked_at += 1;
            }
        }
    }
    assert!(looked_at > 30, "only {looked_at}");
}

#[test]
fn the_defaults_in_the_table_of_variables_are_those_of_the_dialplan() {
    let dialplan = bare(DIALPLAN);
    let mut rows = 0;
    for line in text("freeswitch/conf/README.md").lines() {
        let escaped = line.replace("\\|", "/");
        let cells: Vec<&str> = escaped.split('|').map(str::trim).collect();
        let [_, name, default, _, _] = cells[..] else {
            continue;
        };
        let name = name.trim_matches('`');
        if !name.starts_with("hotline_") || name.contains('`') {
            continue;
        }
        assert!(dialplan.contains(&format!("${{{name}}}")), "{name}");
        if let Some(default) = default
            .strip_prefix('`')
            .and_then(|it| it.strip_suffix('`'))
        {
            assert!(
                dialplan.contains(&format!("={default}\"")),
                "{name}: {default}"
            );
        }
        rows += 1;
    }
    assert_eq!(rows, 8);
}

#[test]
fn the_sample_has_every_queue_of_the_sample_tenants_and_somebody_for_each() {
    let sample = bare(SAMPLES[2]);
    let names = values(&sample, "name");
    let served: BTreeSet<String> = values(&sample, "queue").into_iter().collect();
    let (library, _) = Library::load(&here().join("flows"));
    let library = library.unwrap();
    let mut wanted = 0;
    for shelf in library.shelves() {
        for department in shelf.tenant.departments.values() {
            let queue = format!("{}@default", department.queue.0);
            assert!(names.contains(&queue), "{queue} is not in the sample");
            assert!(served.contains(&queue), "nobody serves {queue}");
            wanted += 1;
        }
    }
    assert!(wanted > 10);
}

#[test]
fn no_secret_is_in_a_shared_file_and_nothing_is_used_that_would_harm_callers() {
    for file in SAMPLES {
        assert!(!bare(file).contains("name=\"password\""), "{file}");
    }
    let dialplan = bare(DIALPLAN);
    // Each would cost a caller the call; the pages say why.
    for word in [
        "socket_resume",
        "loopback/",
        "caller_id_number}",
        "caller_id_name}",
    ] {
        assert!(!dialplan.contains(word), "{word}");
    }
    for socket in dialplan
        .lines()
        .filter(|line| line.contains("application=\"socket\""))
    {
        assert!(socket.contains(" async full\""), "{socket}");
    }
    // Audio that is played on a call that is with Hotline ends its audio.
    let (_, inbound) = dialplan.split_once("name=\"hotline-inbound\"").unwrap();
    let (inbound, _) = inbound.split_once("</context>").unwrap();
    assert!(!inbound.contains("playback"));
}

#[test]
fn the_modules_that_are_named_are_the_same_everywhere() {
    let doctor = text("src/cli/doctor/freeswitch.rs");
    for page in PAGES {
        let page = text(page);
        for module in [
            "mod_event_socket",
            "mod_sofia",
            "mod_dptools",
            "mod_commands",
            "mod_dialplan_xml",
            "mod_callcenter",
        ] {
            assert!(page.contains(module) && doctor.contains(module), "{module}");
        }
    }
}
