//! JSON schemas of everything that people write, for editors that complete and check as one types.
//!
//! They are made from the types and kept under `flows/schema/`; the first line of a YAML file
//! names its own. They know shapes only: whether names mean anything is for `hotline check`.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use super::library::Intents;
use super::story::Story;
use super::{Flow, Phrases, Tenant};
use crate::language::Tongue;

/// Returns each schema with its file's name under `flows/schema/`.
pub fn schemas() -> [(&'static str, Schema); 6] {
    [
        ("flow.json", schema::<Flow>("A flow of Hotline")),
        (
            "intents.json",
            schema::<Intents>("What callers can want, for Hotline"),
        ),
        ("language.json", schema::<Tongue>("A language of Hotline")),
        (
            "phrases.json",
            schema::<Phrases>("What Hotline says by itself"),
        ),
        (
            "stories.json",
            schema::<Vec<Story>>("Stories that test flows of Hotline"),
        ),
        ("tenant.json", schema::<Tenant>("A tenant of Hotline")),
    ]
}

fn schema<T: schemars::JsonSchema>(title: &str) -> Schema {
    let mut schema = SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::library::gather;
    use super::schemas;

    /// Set to anything, it makes the test below write the files instead of comparing them.
    const WRITE: &str = "HOTLINE_WRITE_SCHEMAS";

    #[test]
    fn the_schemas_in_the_flows_folder_are_those_of_the_types() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows/schema");
        for (name, schema) in schemas() {
            let made = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            if std::env::var_os(WRITE).is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(name), &made).unwrap();
            }
            let kept = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            assert!(
                made == kept,
                "flows/schema/{name} is stale: run this test with {WRITE}=1 and commit the file"
            );
        }
    }

    #[test]
    fn every_file_names_its_schema_in_its_first_line() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
        for (file, text) in gather(&folder, &mut Vec::new()) {
            let first = text.lines().next().unwrap_or_default();
            let named = first.strip_prefix("# yaml-language-server: $schema=");
            let schema = Path::new(&file).with_file_name(named.unwrap_or_default());
            assert!(schema.is_file(), "{file} begins with {first:?}");
        }
    }
}
