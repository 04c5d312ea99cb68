//! The tenant of measured calls: the sample municipality with all its words, and a reception that
//! answers whatever is wanted with the same word, which is loud from its first frame, and asks again.

use std::fs;

use anyhow::Result;
use street::hotline::{Settings, project};
use tempfile::TempDir;

use crate::manager::Manager;

/// The number that is called.
pub(crate) const NUMBER: &str = "70101010";

/// Makes settings for a Hotline that serves this tenant, and the folder that it reads.
pub(crate) fn settings(manager: &Manager) -> Result<(Settings, TempDir)> {
    with_reception(manager, RECEPTION)
}

/// The same with another reception.
pub(crate) fn with_reception(manager: &Manager, flow: &str) -> Result<(Settings, TempDir)> {
    let folder = tempfile::tempdir()?;
    for part in ["common", "egekoebing"] {
        fs::create_dir(folder.path().join(part))?;
        for entry in fs::read_dir(project().join("flows").join(part))? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
                && let Some(name) = path.file_name()
            {
                fs::copy(&path, folder.path().join(part).join(name))?;
            }
        }
    }
    fs::write(folder.path().join("egekoebing/reception.yaml"), flow)?;
    let mut settings = Settings::new()?.with_manager(manager.port());
    settings.flows = folder.path().to_owned();
    Ok((settings, folder))
}

const RECEPTION: &str = r#"
flow: reception
start: wish
states:
  wish:
    - ask:
        say:
          da: "Hvad drejer det sig om?"
          en: "What are you calling about?"
        for:
          intent:
            - departments
            - operator
            - callback
            - message
            - cancel_appointment
            - opening_hours
            - emergency
            - danish
            - english
            - start_over
            - goodbye
        keys: { "0": operator, "9": cancel_appointment }
        into: wish
        otherwise:
          - goto: wish
    - say:
        da: "Noteret."
        en: "Noted."
    - when:
        - if: wish == 'goodbye'
          do: [ hangup: {} ]
    - goto: wish
"#;

/// Asks for yes or no and for digits in turn, for ever.
pub(crate) const SHORT: &str = r#"
flow: reception
start: sure
states:
  sure:
    - ask:
        say: { da: "Er det rigtigt?", en: "Is that right?" }
        for: yes_no
        into: sure
        otherwise: [ goto: number ]
    - say: { da: "Noteret.", en: "Noted." }
    - goto: number
  number:
    - ask:
        say: { da: "Hvad er nummeret?", en: "What is the number?" }
        for: { digits: { min: 4, max: 4 } }
        into: number
        confirm: false
        otherwise: [ goto: sure ]
    - say: { da: "Noteret.", en: "Noted." }
    - when:
        - if: number == '0000'
          do: [ hangup: {} ]
    - goto: sure
"#;

/// Talks for a long time without taking breath, then asks.
pub(crate) const TALKATIVE: &str = r#"
flow: reception
start: wish
states:
  wish:
    - ask:
        say:
          da: "du kan sige hvad du ringer om og så stiller jeg dig videre til den afdeling som kan hjælpe dig med pas og kørekort og flytning og boligstøtte og byggesager og affald og skole og alt det andet som kommunen har med at gøre"
          en: "you can say what you are calling about and I will put you through to the department that can help you with passports and driving licences and moving and housing and building and waste and schools and everything else"
        for: { intent: [ departments, operator ] }
        into: wish
        otherwise: [ goto: wish ]
    - say: { da: "Noteret.", en: "Noted." }
    - when:
        - if: wish == 'operator'
          do: [ hangup: {} ]
    - goto: wish
"#;
