//! What is wrong with a file that somebody wrote: where, what, and what to do about it.
//!
//! A finding carries the line it is about, so that it can be shown without the file.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is loaded while it stands.
    Error,
    /// It works, but hardly as meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as it was named to us.
    pub file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The column in characters, from 1; 0 where the file as a whole is meant.
    pub column: usize,
    /// How many characters of the line are meant.
    pub width: usize,
    /// Where in the document, such as `states.menu.2.ask.into`.
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// The line itself.
    pub snippet: String,
}

impl Finding {
    /// Makes a finding about a file as a whole.
    pub fn of_file(file: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            width: 0,
            path: String::new(),
            message: message.into(),
            suggestion: None,
            snippet: String::new(),
        }
    }

    /// Adds what to do about it.
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Makes a warning of it.
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Tells whether it keeps the file from being loaded.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Draws it under its line, as the Rust compiler does; with colours for a terminal.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level
            .primary_title(self.message.as_str())
            .elements((self.line == 0).then(|| Origin::path(self.file.as_str())));
        if self.line > 0 {
            let start = byte_of(&self.snippet, self.column.saturating_sub(1));
            let end = byte_of(
                &self.snippet,
                self.column.saturating_sub(1) + self.width.max(1),
            );
            group = group.element(
                Snippet::source(self.snippet.as_str())
                    .line_start(self.line)
                    .path(self.file.as_str())
                    .annotation(AnnotationKind::Primary.span(start..end)),
            );
        }
        let mut groups = vec![group];
        if let Some(suggestion) = &self.suggestion {
            let last = groups.remove(0);
            groups.push(last.element(Level::HELP.message(suggestion.as_str())));
        }
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.decor_style(DecorStyle::Ascii).render(&groups)
    }
}

/// Draws all findings, the errors first and otherwise in the order of files and lines, with a
/// last line that counts them.
pub fn report(findings: &[Finding], colour: bool) -> String {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|f| (f.severity, &f.file, f.line, f.column));
    let mut text = String::new();
    for finding in &sorted {
        text.push_str(&finding.render(colour));
        text.push_str("\n\n");
    }
    let errors = findings.iter().filter(|f| f.is_error()).count();
    let warnings = findings.len() - errors;
    text.push_str(&match (errors, warnings) {
        (0, 0) => "no findings".to_owned(),
        (errors, 0) => count(errors, "error"),
        (0, warnings) => count(warnings, "warning"),
        (errors, warnings) => {
            format!("{}, {}", count(errors, "error"), count(warnings, "warning"))
        }
    });
    text
}

/// Writes a number with its noun: `1 error`, `2 errors`.
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Returns the byte at which the character with this index begins, at most the text's length.
fn byte_of(text: &str, characters: usize) -> usize {
    text.char_indices()
        .nth(characters)
        .map_or(text.len(), |(at, _)| at)
}

/// Returns the name that was probably meant: the nearest by edit distance, if it is near enough.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = name.chars().count().max(3) / 3;
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Writes what to do about a name that nobody knows: the near one, or the list of all.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    if let Some(near) = nearest(name, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match known.len() {
        0 => None,
        1 => Some(format!("the only one there is: `{}`", known[0])),
        2..=24 => Some(format!("there are `{}`", known.join("`, `"))),
        _ => None,
    }
}

/// Counts the insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name_that_was_meant() {
        let known = ["citizen_service", "job_centre", "schools"];
        assert_eq!(nearest("citizenservice", known), Some("citizen_service"));
        assert_eq!(nearest("job_center", known), Some("job_centre"));
        assert_eq!(nearest("shcools", known), Some("schools"));
        assert_eq!(nearest("parking", known), None);
    }

    #[test]
    fn a_finding_of_a_whole_file_names_the_file() {
        let finding = Finding::of_file("flows/x/tenant.yaml", "no such file").suggest("write one");
        insta::assert_snapshot!(finding.render(false), @r"
error: no such file
--> flows/x/tenant.yaml
 = help: write one
");
    }

    #[test]
    fn the_mark_stands_under_the_right_letters_after_danish_ones() {
        let finding = Finding {
            line: 7,
            column: 22,
            width: 4,
            path: "states.menu.0.say.da".to_owned(),
            snippet: "  - say: { da: \"Æblegrød {{ x }}\" }".to_owned(),
            ..Finding::of_file("a.yaml", "nobody sets `x`")
        };
        insta::assert_snapshot!(finding.render(false), @r#"
error: nobody sets `x`
 --> a.yaml:7:22
  |
7 |   - say: { da: "Æblegrød {{ x }}" }
  |                      ^^^^
"#);
    }
}
