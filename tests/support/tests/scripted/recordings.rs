//! The recordings themselves can be read and written again without a byte being lost.

use street::freeswitch::scripted::Event;
use street::freeswitch::scripted::recorded::{folder, messages, session, sessions};

#[test]
fn all_recorded_sessions_are_there_and_are_whole() {
    let names = sessions();
    assert_eq!(names.len(), 31);
    for name in names {
        let bytes = std::fs::read(folder().join(format!("{name}.esl.in"))).unwrap();
        let written: String = messages(&bytes)
            .iter()
            .map(|message| format!("{}\n\n{}", message.head, message.body))
            .collect();
        assert_eq!(written.as_bytes(), bytes, "{name}");
    }
}

#[test]
fn every_recorded_event_read_and_written_again_is_the_same_bytes() {
    let mut count = 0;
    for name in sessions() {
        for message in session(&name).iter() {
            if message.get("Content-Type") == Some("text/event-plain") {
                let event = Event::read_plain(&message.body).unwrap();
                assert_eq!(
                    event.plain(),
                    format!("{}\n\n{}", message.head, message.body),
                    "{name}"
                );
                count += 1;
            }
        }
    }
    assert!(count > 190, "only {count} events");
}

#[test]
fn an_event_as_json_looks_as_it_was_recorded() {
    let session = session("bgapi-status");
    let json = session
        .iter()
        .find(|message| message.get("Content-Type") == Some("text/event-json"));
    let plain = session
        .iter()
        .find(|message| message.body.contains("Job-Command: status"));
    let event = Event::read_plain(&plain.unwrap().body).unwrap();
    let names = |text: &str| -> Vec<String> {
        let members = text
            .split(",\"")
            .map(|member| member.trim_start_matches("{\""));
        members
            .map(|member| member.split('"').next().unwrap().to_owned())
            .collect()
    };
    let (written, recorded) = (event.json(), &json.unwrap().body);
    let body = written.split_once("\n\n").unwrap().1;
    assert_eq!(names(body), names(recorded));
    assert!(
        body.contains("\"Event-Date-Local\":\"2026-11-22 08:26:02\""),
        "{body}"
    );
}
