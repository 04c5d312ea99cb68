//! Compiles templates and expressions as the dialog will, and says which names they use.

use std::collections::BTreeSet;
use std::ops::Range;

use minijinja::{Environment, Error, ErrorKind};

use super::words::{self, Token};
use crate::flow::finding::did_you_mean;
use crate::flow::variable::FILTERS;

/// Functions that the template engine itself knows.
const FUNCTIONS: &[&str] = &["range", "dict", "debug", "namespace"];
/// Filters of the template engine that are worth suggesting.
const COMMON_FILTERS: &[&str] = &[
    "default", "join", "length", "lower", "upper", "trim", "replace",
];

/// Names used, or why it does not compile and where.
type Names = (BTreeSet<String>, Option<(Range<usize>, String)>);

/// Makes the environment that templates are compiled in; the dialog's filters are known by name.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_debug(true);
    for (name, _) in FILTERS {
        environment.add_filter(*name, |value: String| value);
    }
    environment
}

/// Returns the names that a template uses.
pub(super) fn names_of_template(environment: &Environment<'_>, text: &str) -> Names {
    match environment.template_from_named_str("text", text) {
        Ok(template) => (known(template.undeclared_variables(true)), None),
        Err(error) => (BTreeSet::new(), Some(said(&error, text))),
    }
}

/// Returns the names that an expression uses.
pub(super) fn names_of_expression(environment: &Environment<'_>, text: &str) -> Names {
    if text.trim().is_empty() {
        return (
            BTreeSet::new(),
            Some((0..text.len(), "the expression is empty".to_owned())),
        );
    }
    match environment.compile_expression(text) {
        Ok(expression) => (known(expression.undeclared_variables(true)), None),
        Err(error) => (BTreeSet::new(), Some(said(&error, text))),
    }
}

/// Tells of filters and tests that nobody knows.
pub(super) fn check_filters(
    environment: &Environment<'_>,
    tokens: &[Token],
    mut tell: impl FnMut(Range<usize>, String, Option<String>),
) {
    for (name, bytes) in words::filters(tokens) {
        let error = environment.empty_state().apply_filter(name, &[]).err();
        if error.is_some_and(|error| error.kind() == ErrorKind::UnknownFilter) {
            let filters = FILTERS.iter().map(|(name, _)| *name);
            tell(
                bytes,
                format!("there is no filter `{name}`"),
                did_you_mean(name, filters.chain(COMMON_FILTERS.iter().copied())),
            );
        }
    }
    for (name, bytes) in words::tests(tokens) {
        let error = environment.empty_state().perform_test(name, &[]).err();
        if error.is_some_and(|error| error.kind() == ErrorKind::UnknownTest) {
            let tests = [
                "defined",
                "undefined",
                "none",
                "string",
                "number",
                "true",
                "false",
            ];
            tell(
                bytes,
                format!("there is no test `{name}`"),
                did_you_mean(name, tests),
            );
        }
    }
}

fn known(names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    names
        .into_iter()
        .filter(|name| !FUNCTIONS.contains(&name.as_str()))
        .collect()
}

/// Says what is wrong and where in the text.
fn said(error: &Error, text: &str) -> (Range<usize>, String) {
    let range = error
        .range()
        .filter(|range| range.start < range.end && range.end <= text.len())
        .unwrap_or(0..text.len());
    let detail = error.detail().unwrap_or("it cannot be read");
    (range, format!("not a template: {detail}"))
}
