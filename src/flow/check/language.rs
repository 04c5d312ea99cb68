//! Checks what the file of a language says: that blanks are where values go, and that values are
//! what they must be. Whether it is good German nobody can tell here.

use std::collections::BTreeMap;

use super::lacking;
use crate::flow::finding::Finding;
use crate::flow::read::{Aim, Document};
use crate::flow::tree::Segment;
use crate::language::Tongue;
use crate::words::Language;

/// Checks all languages.
pub(super) fn check(tongues: &[Document<Tongue>], findings: &mut Vec<Finding>) {
    let mut files: BTreeMap<Language, &str> = BTreeMap::new();
    for document in tongues {
        let language = document.value.language;
        let file = document
            .source
            .file
            .rsplit(['/', '\\'])
            .next()
            .unwrap_or_default();
        let wanted = format!("{language}.yaml");
        if file != wanted {
            findings.push(
                document
                    .error(
                        &["language".into()],
                        Aim::Value,
                        format!("the language is `{language}` and its file `{file}`"),
                    )
                    .suggest(format!("name the file `{wanted}`")),
            );
        }
        files.insert(language, file);
        if !document.damaged {
            one(document, findings);
        }
    }
}

/// Templates of a language with the blanks that must be in them.
fn templates(tongue: &Tongue) -> Vec<(&'static str, &str, &'static [&'static str])> {
    let (numbers, spoken) = (&tongue.numbers, &tongue.spoken);
    let mut templates: Vec<(&'static str, &str, &'static [&'static str])> = vec![
        (
            "numbers.composite",
            &numbers.composite,
            &["{unit}", "{ten}"],
        ),
        (
            "numbers.ordinal_composite",
            &numbers.ordinal_composite,
            &["{ten}"],
        ),
        ("numbers.hundred.many", &numbers.hundred.many, &["{n}"]),
        ("numbers.thousand.many", &numbers.thousand.many, &["{n}"]),
        ("numbers.million.many", &numbers.million.many, &["{n}"]),
        (
            "spoken.date",
            &spoken.date,
            &["{weekday}", "{day}", "{month}"],
        ),
        (
            "spoken.day_and_month",
            &spoken.day_and_month,
            &["{day}", "{month}"],
        ),
        ("spoken.time.whole", &spoken.time.whole, &["{hour}"]),
        ("spoken.time.few", &spoken.time.few, &["{hour}", "{minute}"]),
        (
            "spoken.time.minutes",
            &spoken.time.minutes,
            &["{hour}", "{minute}"],
        ),
        ("spoken.wait.about", &spoken.wait.about, &["{wait}"]),
        ("spoken.wait.minutes", &spoken.wait.minutes, &["{n}"]),
        ("spoken.wait.hours", &spoken.wait.hours, &["{n}"]),
    ];
    if !spoken.years.by_hundreds.is_empty() {
        let years = &spoken.years;
        templates.push(("spoken.years.whole", &years.whole, &["{century}"]));
        templates.push(("spoken.years.few", &years.few, &["{century}", "{rest}"]));
        templates.push(("spoken.years.rest", &years.rest, &["{century}", "{rest}"]));
    }
    templates
}

fn one(document: &Document<Tongue>, findings: &mut Vec<Finding>) {
    let tongue = &document.value;
    let mut tell = |path: &[Segment], message: String, suggestion: &str| {
        let finding = document.error(path, Aim::Value, message);
        findings.push(finding.suggest(suggestion));
    };
    let steps = |path: &str| -> Vec<Segment> {
        path.split('.').map(|step| step.to_owned().into()).collect()
    };
    for (path, text, blanks) in templates(tongue) {
        for blank in blanks.iter().filter(|blank| !text.contains(**blank)) {
            let message = format!("`{blank}` is missing here");
            tell(
                &steps(path),
                message,
                "write it where the value is to be said",
            );
        }
    }
    for (kind, answers) in [("yes", &tongue.answers.yes), ("no", &tongue.answers.no)] {
        for (phrase, worth) in answers {
            if !(*worth > 0.0 && *worth <= 1.0) {
                let path: Vec<Segment> = vec!["answers".into(), kind.into(), phrase.clone().into()];
                let message = format!("{worth} does not tell how plainly it is said");
                tell(&path, message, "write a number above 0 and up to 1");
            }
        }
    }
    for (name, day) in &tongue.days.named {
        let read = day.split_once('-').and_then(|(month, day)| {
            jiff::civil::Date::new(2024, month.parse().ok()?, day.parse().ok()?).ok()
        });
        if read.is_none() {
            let path: Vec<Segment> = vec!["days".into(), "named".into(), name.clone().into()];
            let message = format!("{day:?} is no day of a year");
            tell(&path, message, "write month and day, such as 12-24");
        }
    }
    if tongue.spoken.money.is_empty() {
        tell(
            &steps("spoken.money"),
            "there is no currency".to_owned(),
            "write kroner first",
        );
    }
    let own = std::iter::once(tongue.language).collect();
    lacking(
        document,
        &["name".into()],
        tongue.name.keys().copied(),
        &own,
        findings,
    );
}

#[cfg(test)]
mod tests {
    use crate::flow::embedded::FILES;
    use crate::flow::{Library, report};

    /// Reads the repository's flows with some of their files changed or left out.
    fn found(change: impl Fn(&str, &str) -> Option<String>) -> String {
        let files: Vec<(String, String)> = FILES
            .iter()
            .filter_map(|(path, text)| Some(((*path).to_owned(), change(path, text)?)))
            .collect();
        report(&Library::read(&files).1, false)
    }

    fn german(from: &str, to: &str) -> String {
        found(|path, text| match path {
            "languages/de.yaml" => {
                assert!(text.contains(from), "{from}");
                Some(text.replace(from, to))
            }
            _ => Some(text.to_owned()),
        })
    }

    #[test]
    fn a_language_without_a_file_is_told_where_a_tenant_speaks_it() {
        insta::assert_snapshot!(found(|path, text| (path != "languages/de.yaml").then(|| text.to_owned())), @r"
        error: nothing is known of the language `de`
          --> graenseby/tenant.yaml:10:18
           |
        10 | languages: [ da, de, en ]
           |                  ^^
           |
           = help: write languages/de.yaml; docs/languages.md tells how

        1 error
        ");
    }

    #[test]
    fn a_template_without_its_blank_is_told() {
        let told = german("whole: \"{hour} Uhr\"", "whole: \"Uhr\"");
        assert!(told.contains("error: `{hour}` is missing here"), "{told}");
        assert!(told.contains("languages/de.yaml:"), "{told}");
    }

    #[test]
    fn a_number_word_too_few_is_told() {
        let told = german("achtzehn, neunzehn ]", "achtzehn ]");
        assert!(
            told.contains("invalid length 19, expected an array of length 20"),
            "{told}"
        );
    }

    #[test]
    fn a_worth_that_is_none_is_told_and_so_is_a_day_that_is_none() {
        let told = german("    ja bitte: 1\n", "    ja bitte: 2\n");
        assert!(
            told.contains("2 does not tell how plainly it is said"),
            "{told}"
        );
        let told = german("silvester: 12-31", "silvester: 12-32");
        assert!(told.contains("\"12-32\" is no day of a year"), "{told}");
    }

    #[test]
    fn a_word_that_no_language_file_has_is_told_with_what_was_meant() {
        let told = german("stemmer: german", "stemer: german");
        assert!(told.contains("did you mean `stemmer`?"), "{told}");
    }

    #[test]
    fn a_file_is_named_as_its_language() {
        let told = found(|path, text| match path {
            "languages/de.yaml" => Some(text.replace("language: de", "language: nl")),
            _ => Some(text.to_owned()),
        });
        assert!(
            told.contains("the language is `nl` and its file `de.yaml`"),
            "{told}"
        );
    }
}
