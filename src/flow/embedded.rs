//! The repository's own flows, carried in the program so that `hotline demo` needs no files.

/// Lists files of `flows/` with their text.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../flows/", $path)))),*]
    };
}

/// Every file under `flows/` that a library reads; a test says when one is missing here.
pub(super) const FILES: &[(&str, &str)] = files!["common/intents.yaml", "common/phrases.yaml",];

#[cfg(test)]
mod tests {
    use super::super::{Library, report};

    #[test]
    fn the_flows_that_the_program_carries_are_without_findings() {
        let (library, findings) = Library::embedded();
        assert!(findings.is_empty(), "{}", report(&findings, false));
        assert!(library.is_some());
    }
}
