//! What mails say, and that nothing a caller says becomes a header.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::send::compose::compose;

fn values() -> serde_json::Value {
    json!({
        "tenant": "Lilleby Kommune", "department": "Teknik og Miljø", "reference": "4F7K2",
        "at": "2026-11-23 10:00", "caller": "70101010", "language": "da", "subject": "rotter",
        "facts": [{ "name": "adresse", "value": "Møllevej 3" }], "transcript": "der er rotter",
        "recording": true, "seconds": 12, "name": null, "reason": "not_reached",
        "attempts": [{ "at": "2026-11-23 10:05", "outcome": "busy" }], "to": "a@b.dk",
        "dead": true, "error": "550 no", "body": "Den første mail."
    })
}

#[test]
fn every_built_in_letter_says_what_it_must() {
    let letters = Letters::built_in();
    for kind in [
        LetterKind::Message,
        LetterKind::Cancellation,
        LetterKind::CallbackFailed,
    ] {
        for language in [Language::DA, Language::EN] {
            let letter = letters.write(kind, language, &values());
            let name = format!("{kind:?} {language}");
            assert!(
                letter.subject.ends_with("[4F7K2]"),
                "{name}: {}",
                letter.subject
            );
            assert!(letter.body.contains("70101010"), "{name}: {}", letter.body);
            assert!(
                !letter.body.contains("{{") && !letter.body.contains("{%"),
                "{name}"
            );
        }
    }
    for language in [Language::DA, Language::EN] {
        let letter = letters.write(LetterKind::Escalation, language, &values());
        assert!(letter.body.contains("Den første mail."), "{}", letter.body);
        assert!(letter.body.contains("550 no"), "{}", letter.body);
    }
}

#[test]
fn a_message_in_danish_reads_like_this() {
    let letter = Letters::built_in().write(LetterKind::Message, Language::DA, &values());
    insta::assert_snapshot!(format!("{}\n\n{}", letter.subject, letter.body), @r#"
    Besked fra en borger: rotter [4F7K2]

    En borger har ringet til Lilleby Kommune og lagt en besked til Teknik og Miljø.

    Reference:   4F7K2
    Modtaget:    2026-11-23 10:00
    Telefon:     70101010
    Sprog:       da
    Emne:        rotter
    adresse: Møllevej 3

    Det sagde borgeren (skrevet af en maskine og kan være forkert):

      der er rotter

    Optagelsen er vedhæftet (12 sekunder).

    Borgeren har fået referencen oplyst og regner med svar.
    "#);
}

#[test]
fn a_language_without_a_letter_gets_the_english_one() {
    let letters = Letters::built_in();
    let german: Language = "de".parse().unwrap();
    assert_eq!(
        letters.write(LetterKind::Message, german, &values()),
        letters.write(LetterKind::Message, Language::EN, &values())
    );
}

#[test]
fn a_letter_from_the_folder_is_preferred_and_gives_way_when_it_cannot_be_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("message.da.txt"),
        "Subject: Ny {{ reference }}\n\nHej\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("message.en.txt"),
        "Subject: {{ nothing.at.all }}\n\nHi\n",
    )
    .unwrap();
    let letters = Letters::with_folder(folder.path()).unwrap();
    let own = letters.write(LetterKind::Message, Language::DA, &values());
    assert_eq!(
        (own.subject.as_str(), own.body.as_str()),
        ("Ny 4F7K2", "Hej\n")
    );
    let spare = letters.write(LetterKind::Message, Language::EN, &values());
    assert!(
        spare.subject.starts_with("Message from a caller"),
        "{}",
        spare.subject
    );
}

#[test]
fn what_is_wrong_with_a_folder_of_letters_is_said_at_once_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("massage.da.txt", "Subject: x\n\ny"),
        ("message.da.txt", "Hej\n"),
        ("message.en.txt", "Subject: x\n\n{% if %}\n"),
        ("notes.md", "not a letter"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let findings = Letters::with_folder(folder.path()).unwrap_err();
    let place = folder.path().display().to_string();
    let text: Vec<String> = findings
        .iter()
        .map(|finding| finding.to_string().replace(&place, "letters"))
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    mail template letters/massage.da.txt: the name must be one of message, cancellation, callback_failed and escalation, then the language and txt, such as message.da.txt
    mail template letters/message.da.txt:1: the first line must be "Subject: …", the second empty
    mail template letters/message.en.txt:3: unexpected end of block
    "#);
}

/// The names of the headers of a mail, and whether any line is not of a header.
fn header_names(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    head.split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| {
            line.split_once(':')
                .map_or("no header", |(name, _)| name)
                .to_owned()
        })
        .collect()
}

fn stored(new: &NewMail) -> Mail {
    let now = at("2026-11-23T09:00:00Z");
    Mail {
        id: new.id,
        number: 1,
        tenant: new.tenant.clone(),
        kind: new.kind,
        reference: new.reference.clone(),
        from: new.from.clone(),
        to: new.to.clone(),
        letter: Some(new.letter.clone()),
        recording: new.recording.clone(),
        state: MailState::Sending,
        made: now,
        next_attempt: now,
        attempts: 1,
        refusals: 0,
        possible_repeats: 0,
        last_words: None,
        expires: now,
        ended: None,
        escalation: None,
        escalated: None,
    }
}

/// Texts with everything that could end a header line.
fn sly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("\u{85}\u{2028}\0".to_owned()),
        Just("Bcc: evil@example.org".to_owned()),
        Just("\r\n\r\n<html>".to_owned()),
        Just("=?utf-8?q?=0d=0aBcc:x?=".to_owned()),
        Just("æøå".repeat(40)),
        ".{0,12}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_a_caller_says_becomes_a_header(subject in sly(), fact in sly(), reference in sly(), recorded in any::<bool>()) {
        let mut all = values();
        all["subject"] = json!(subject);
        all["facts"] = json!([{ "name": fact, "value": subject }]);
        all["reference"] = json!(reference);
        let mut new = mail(1, "a@lilleby.example");
        new.letter = Letters::built_in().write(LetterKind::Message, Language::DA, &all);
        new.reference = Some(Reference(reference));
        new.recording = recorded.then(|| "x.wav".to_owned());
        let (envelope, bytes) = compose(&stored(&new), Some(b"RIFF".to_vec())).unwrap();
        prop_assert_eq!(envelope.to().len(), 1);
        let mut names = header_names(&bytes);
        names.sort();
        let mut expected = vec!["Auto-Submitted", "Content-Type", "Date", "From", "Message-ID",
            "MIME-Version", "Subject", "To", "X-Hotline-Reference"];
        if !recorded {
            expected.push("Content-Transfer-Encoding");
        }
        expected.sort_unstable();
        prop_assert_eq!(names, expected);
    }

    #[test]
    fn a_letter_written_past_the_templates_is_no_danger_either(subject in sly(), body in sly()) {
        let mut new = mail(1, "a@lilleby.example");
        new.letter = Letter { subject, body };
        let (_, bytes) = compose(&stored(&new), None).unwrap();
        prop_assert_eq!(header_names(&bytes).len(), 10);
    }

    #[test]
    fn an_address_that_is_none_is_refused_and_never_a_second_recipient(address in sly()) {
        let mut new = mail(1, "a@lilleby.example");
        new.to = format!("a@lilleby.example{address}");
        if let Ok((envelope, bytes)) = compose(&stored(&new), None) {
            prop_assert_eq!(envelope.to().len(), 1);
            prop_assert_eq!(header_names(&bytes).len(), 10);
        }
        let two_lines = format!("a@b.dk\n{address}");
        prop_assert!(!is_address(&two_lines));
    }
}

#[test]
fn the_message_id_is_of_the_senders_domain() {
    let composed = stored(&mail(1, "a@lilleby.example"));
    assert_eq!(
        composed.message_id(),
        "<00000000000000000000000000000001@lilleby.example>"
    );
}

#[test]
fn an_address_that_is_none_is_named() {
    let mut new = mail(1, "borgerservice");
    new.recording = None;
    let error = compose(&stored(&new), None).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("recipient \"borgerservice\" is no mail address"),
        "{error}"
    );
}
