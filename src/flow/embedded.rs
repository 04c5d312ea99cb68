//! The repository's own flows, carried in the program so that `hotline demo` needs no files.

/// Lists files of `flows/` with their text.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../flows/", $path)))),*]
    };
}

/// Every file under `flows/` that a library reads; a test says when one is missing here.
#[rustfmt::skip]
pub(super) const FILES: &[(&str, &str)] = files![
    "common/callback.yaml",
    "common/callback_connect.yaml",
    "common/cancel_appointment.yaml",
    "common/intents.yaml",
    "common/message.yaml",
    "common/phrases.yaml",
    "common/reception.yaml",
    "common/transfer.yaml",
    "egekoebing/tenant.yaml",
    "egekoebing/tests/busy.yaml",
    "egekoebing/tests/callback.yaml",
    "egekoebing/tests/cancel.yaml",
    "egekoebing/tests/closed.yaml",
    "egekoebing/tests/open.yaml",
    "egekoebing/tests/trouble.yaml",
    "fjordby/reception.yaml",
    "fjordby/tenant.yaml",
    "fjordby/tests/reception.yaml",
    "graenseby/tenant.yaml",
    "graenseby/tests/deutsch.yaml",
    "languages/da.yaml",
    "languages/de.yaml",
    "languages/en.yaml",
];

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::library::gather;
    use super::super::{Library, report};
    use super::FILES;
    use crate::dialog::Playbook;
    use crate::dialog::rehearsal::story::play;

    #[test]
    fn the_flows_that_the_program_carries_are_without_findings() {
        let (library, findings) = Library::embedded();
        assert!(findings.is_empty(), "{}", report(&findings, false));
        assert!(library.is_some());
    }

    #[test]
    fn every_story_beside_them_holds() {
        let library = Library::embedded().0.unwrap();
        let mut findings = Vec::new();
        let mut played = 0;
        for shelf in library.shelves() {
            let playbook = Arc::new(Playbook::new(Arc::clone(shelf)).unwrap());
            for file in library.stories(&shelf.tenant.tenant) {
                for (number, story) in file.stories().iter().enumerate() {
                    played += 1;
                    findings.extend(play(&playbook, story).shortfalls.iter().map(|shortfall| {
                        let turn = shortfall.turn.unwrap_or_default();
                        file.mismatch(number, turn, shortfall.field, shortfall.to_string())
                    }));
                }
            }
        }
        assert!(findings.is_empty(), "{}", report(&findings, false));
        assert!(played > 50, "{played} stories");
    }

    #[test]
    fn the_program_carries_every_file_of_the_flows_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
        let mut findings = Vec::new();
        let on_disk: Vec<String> = gather(&folder, &mut findings)
            .into_iter()
            .map(|(file, _)| {
                let file = file.strip_prefix(&folder.display().to_string());
                file.unwrap_or_default().trim_start_matches('/').to_owned()
            })
            .collect();
        let carried: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(
            carried, on_disk,
            "bring the list in src/flow/embedded.rs up to date"
        );
    }
}
