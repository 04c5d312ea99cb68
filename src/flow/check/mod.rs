//! Looks at everything that was read and says what is wrong with it: names that lead nowhere,
//! ways without an end, templates that do not compile, texts that are missing in a language.
//!
//! What can be said of one file is said once; what depends on a tenant is said for each tenant.

mod language;
mod paths;
mod story;
mod survey;
mod template;
mod tenant;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use self::survey::{Survey, survey};
use super::finding::{Finding, did_you_mean};
use super::library::{Intents, LANGUAGE_INTENT};
use super::read::{Aim, Document};
use super::tree::Segment;
use super::variable::{CALLBACK_SLOTS, VARIABLES};
use super::{Flow, Phrases, Stories, Tenant};
use crate::language::Tongue;
use crate::words::{FlowName, IntentName, Language};

/// Everything that was read, by folder.
pub(super) struct House<'a> {
    pub(super) flows: &'a BTreeMap<String, Vec<Document<Flow>>>,
    pub(super) tenants: &'a BTreeMap<String, Document<Tenant>>,
    pub(super) stories: &'a BTreeMap<String, Vec<Stories>>,
    pub(super) intents: Option<&'a Document<Intents>>,
    pub(super) phrases: Option<&'a Document<Phrases>>,
    /// The languages that were read.
    pub(super) tongues: &'a [Document<Tongue>],
    /// Whether files could not be read in full: what is missing then is no finding.
    pub(super) broken: bool,
    /// The name of the folder that all tenants share.
    pub(super) common: &'static str,
}

/// Checks everything.
pub(super) fn check(house: &House<'_>, findings: &mut Vec<Finding>) {
    let before = findings.len();
    let environment = template::environment();
    let mut surveys: BTreeMap<&str, Vec<Survey<'_>>> = BTreeMap::new();
    for (folder, flows) in house.flows {
        names(folder, flows, findings);
        for flow in flows {
            let survey = survey(flow, &environment, findings);
            if !flow.damaged {
                paths::check(flow, findings);
            }
            surveys.entry(folder.as_str()).or_default().push(survey);
        }
        if folder != house.common && !house.tenants.contains_key(folder) && !house.broken {
            for flow in flows {
                findings.push(
                    Finding::of_file(
                        &flow.source.file,
                        format!("the folder `{folder}` has no tenant.yaml"),
                    )
                    .suggest("write one beside it"),
                );
            }
        }
    }
    house.missing(findings);
    house.shared(&environment, findings);
    tenant::numbers(house.tenants, findings);
    language::check(house.tongues, findings);
    for (folder, document) in house.tenants {
        let mut flows: BTreeMap<&FlowName, &Survey<'_>> = BTreeMap::new();
        for from in [house.common, folder.as_str()] {
            for survey in surveys.get(from).into_iter().flatten() {
                flows.insert(&survey.document.value.flow, survey);
            }
        }
        let view = View {
            house,
            folder,
            document,
            tenant: &document.value,
            flows,
        };
        tenant::check(&view, &environment, findings);
        view.check(findings);
        for stories in house.stories.get(folder).into_iter().flatten() {
            story::check(&view, stories, findings);
        }
    }
    once(findings, before);
}

/// Leaves out findings that were told before, for another tenant.
fn once(findings: &mut Vec<Finding>, from: usize) {
    let mut seen = BTreeSet::new();
    let mut index = 0;
    findings.retain(|finding| {
        index += 1;
        index <= from
            || seen.insert((
                finding.file.clone(),
                finding.line,
                finding.column,
                finding.message.clone(),
            ))
    });
}

/// Checks that every flow is named as its file.
fn names(folder: &str, flows: &[Document<Flow>], findings: &mut Vec<Finding>) {
    for document in flows {
        let file = document
            .source
            .file
            .rsplit(['/', '\\'])
            .next()
            .and_then(|name| name.strip_suffix(".yaml"))
            .unwrap_or_default();
        let name = &document.value.flow.0;
        if name != file {
            findings.push(
                document
                    .error(
                        &["flow".into()],
                        Aim::Value,
                        format!("the flow is named `{name}` and its file `{folder}/{file}.yaml`"),
                    )
                    .suggest(format!("write `flow: {file}`, or rename the file")),
            );
        }
    }
}

impl House<'_> {
    /// Tells of shared files that are not there.
    fn missing(&self, findings: &mut Vec<Finding>) {
        if self.broken {
            return;
        }
        if self.tenants.is_empty() {
            findings.push(
                Finding::of_file("flows", "there is no tenant")
                    .suggest("write <tenant>/tenant.yaml"),
            );
        }
        for (file, there) in [
            ("common/intents.yaml", self.intents.is_some()),
            ("common/phrases.yaml", self.phrases.is_some()),
        ] {
            if !there {
                findings.push(
                    Finding::of_file(file, "there is no such file")
                        .suggest("copy the one that comes with the program"),
                );
            }
        }
    }

    /// Checks phrases and intents, which all tenants share.
    fn shared(&self, environment: &minijinja::Environment<'static>, findings: &mut Vec<Finding>) {
        let spoken: BTreeSet<Language> = self
            .tenants
            .values()
            .flat_map(|tenant| tenant.value.languages.iter().copied())
            .collect();
        if let Some(document) = self.phrases {
            for (name, texts, variables) in document.value.all() {
                let path: Vec<Segment> = vec![name.into()];
                lacking(document, &path, texts.keys().copied(), &spoken, findings);
                for (language, text) in texts {
                    let path = [path.as_slice(), &[language.code().to_owned().into()]].concat();
                    phrase(document, &path, text, variables, environment, findings);
                }
            }
        }
        if let Some(document) = self.intents {
            for (name, intent) in &document.value.intents {
                let path: Vec<Segment> = vec!["intents".into(), name.0.clone().into()];
                let name_path = [path.as_slice(), &["name".into()]].concat();
                lacking(
                    document,
                    &name_path,
                    intent.name.keys().copied(),
                    &spoken,
                    findings,
                );
                if name.0 == "departments" || name.0 == "department" {
                    findings.push(
                        document
                            .error(
                                &path,
                                Aim::Name,
                                format!("`{name}` stands for departments and is no intent"),
                            )
                            .suggest("choose another name"),
                    );
                }
                for language in &spoken {
                    if intent.wording().is_silent(*language) {
                        findings.push(
                            document
                                .error(
                                    &path,
                                    Aim::Name,
                                    format!("nobody can ask for `{name}` in `{language}`"),
                                )
                                .suggest(format!("add `{language}` under `words` or `examples`"))
                                .warning(),
                        );
                    }
                }
            }
        }
    }
}

/// Tells of languages in which a text is missing.
fn lacking<T>(
    document: &Document<T>,
    path: &[Segment],
    has: impl Iterator<Item = Language>,
    wanted: &BTreeSet<Language>,
    findings: &mut Vec<Finding>,
) {
    let has: BTreeSet<Language> = has.collect();
    for language in wanted.difference(&has) {
        findings.push(
            document
                .error(
                    path,
                    Aim::Name,
                    format!("the text is missing in `{language}`"),
                )
                .suggest(format!("add `{language}:` with the text")),
        );
    }
}

/// Checks a text that may use these variables only.
fn phrase<T>(
    document: &Document<T>,
    path: &[Segment],
    text: &str,
    variables: &[&str],
    environment: &minijinja::Environment<'static>,
    findings: &mut Vec<Finding>,
) {
    if text.trim().is_empty() {
        findings.push(
            document
                .error(path, Aim::Name, "the text is empty")
                .suggest("write what is to be said"),
        );
        return;
    }
    let tokens = words::of_template(text);
    let (names, error) = template::names_of_template(environment, text);
    if let Some((inside, message)) = error {
        findings.push(document.error_inside(path, inside, message));
        return;
    }
    template::check_filters(environment, &tokens, |inside, message, suggestion| {
        let mut finding = document.error_inside(path, inside, message);
        finding.suggestion = suggestion;
        findings.push(finding);
    });
    for name in names {
        if variables.contains(&name.as_str()) {
            continue;
        }
        let inside = words::place_of(&tokens, &name).unwrap_or(0..text.len());
        let mut finding =
            document.error_inside(path, inside, format!("`{name}` is not known in this text"));
        finding.suggestion = did_you_mean(&name, variables.iter().copied());
        findings.push(finding);
    }
}

/// One tenant with the flows that its calls can take.
pub(super) struct View<'a> {
    house: &'a House<'a>,
    folder: &'a str,
    document: &'a Document<Tenant>,
    tenant: &'a Tenant,
    flows: BTreeMap<&'a FlowName, &'a Survey<'a>>,
}

impl View<'_> {
    /// Checks the flows with what this tenant has.
    fn check(&self, findings: &mut Vec<Finding>) {
        let damaged = self.flows.values().any(|flow| flow.document.damaged);
        for survey in self.flows.values() {
            self.calls(survey, findings);
            self.languages(survey, findings);
            self.intents(survey, findings);
            self.departments(survey, findings);
            self.keys(survey, findings);
            self.uses(survey, damaged, findings);
            if !damaged {
                self.comparisons(survey, findings);
            }
        }
        if !damaged {
            let documents: Vec<&Document<Flow>> =
                self.flows.values().map(|survey| survey.document).collect();
            paths::check_silence(&documents, findings);
        }
    }

    fn calls(&self, survey: &Survey<'_>, findings: &mut Vec<Finding>) {
        for (name, path) in &survey.calls {
            if self.flows.contains_key(name) || self.house.broken {
                continue;
            }
            let mut finding =
                survey
                    .document
                    .error(path, Aim::Value, format!("there is no flow `{name}`"));
            finding.suggestion =
                did_you_mean(&name.0, self.flows.keys().map(|name| name.0.as_str()));
            findings.push(finding);
        }
    }

    /// Tells of texts that lack a language; where a file has none in it, only once.
    fn languages(&self, survey: &Survey<'_>, findings: &mut Vec<Finding>) {
        for language in &self.tenant.languages {
            let lacking: Vec<_> = survey
                .texts
                .iter()
                .filter(|(_, has)| !has.contains(language))
                .collect();
            let Some((first, _)) = lacking.first() else {
                continue;
            };
            if lacking.len() == survey.texts.len() && lacking.len() > 1 {
                findings.push(
                    survey
                        .document
                        .error(
                            first,
                            Aim::Name,
                            format!(
                                "none of the {} texts of this flow is in `{language}`, which \
                                 `{}` speaks",
                                lacking.len(),
                                self.tenant.tenant
                            ),
                        )
                        .suggest(format!("add `{language}:` to this one and to the others")),
                );
                continue;
            }
            for (path, _) in lacking {
                findings.push(
                    survey
                        .document
                        .error(
                            path,
                            Aim::Name,
                            format!("the text is missing in `{language}`"),
                        )
                        .suggest(format!("add `{language}:` with the text")),
                );
            }
        }
        for (code, path) in &survey.languages {
            if code.parse::<Language>().is_err() {
                findings.push(
                    survey
                        .document
                        .error(path, Aim::Value, format!("{code:?} is no language"))
                        .suggest("write a two-letter code in quotes inside quotes: \"'en'\""),
                );
            }
        }
    }

    fn intent_names(&self) -> BTreeSet<&str> {
        let shared = self.house.intents.into_iter();
        shared
            .flat_map(|document| document.value.intents.keys())
            .chain(self.tenant.intents.keys())
            .map(|name: &IntentName| name.0.as_str())
            .collect()
    }

    /// Tells whether an intent asks for a language that the tenant speaks.
    fn asks_for_language(&self, name: &IntentName) -> bool {
        let code = name.0.strip_prefix(LANGUAGE_INTENT);
        let language = code.and_then(|code| code.parse().ok());
        language.is_some_and(|language| self.tenant.languages.contains(&language))
    }

    fn intents(&self, survey: &Survey<'_>, findings: &mut Vec<Finding>) {
        if self.house.intents.is_none() {
            return;
        }
        let known = self.intent_names();
        for (name, path) in &survey.intents {
            if known.contains(name.0.as_str()) || self.asks_for_language(name) {
                continue;
            }
            let mut finding =
                survey
                    .document
                    .error(path, Aim::Value, format!("there is no intent `{name}`"));
            finding.suggestion = if self.tenant.departments.contains_key(name.0.as_str()) {
                Some("it is a department: write `departments` for all of them".to_owned())
            } else {
                did_you_mean(&name.0, known.iter().copied().chain(["departments"]))
            };
            findings.push(finding);
        }
    }

    /// Tells of a department that this tenant does not have.
    fn no_department(&self, id: &str) -> Option<(String, Option<String>)> {
        if self.tenant.departments.contains_key(id) {
            return None;
        }
        let known = self.tenant.departments.keys().map(|id| id.0.as_str());
        let suggestion = if id == "operator" {
            Some("write `operator.id`, without inner quotes".to_owned())
        } else {
            did_you_mean(id, known)
        };
        Some((
            format!("`{}` has no department `{id}`", self.tenant.tenant),
            suggestion,
        ))
    }

    fn departments(&self, survey: &Survey<'_>, findings: &mut Vec<Finding>) {
        if self.document.damaged {
            return;
        }
        for (id, path) in &survey.departments {
            if let Some((message, suggestion)) = self.no_department(id) {
                let mut finding = survey.document.error(path, Aim::Value, message);
                finding.suggestion = suggestion;
                findings.push(finding);
            }
        }
    }

    fn keys(&self, survey: &Survey<'_>, findings: &mut Vec<Finding>) {
        for keys in &survey.keys {
            let departments = keys
                .departments
                .then(|| self.tenant.departments.keys())
                .into_iter()
                .flatten()
                .map(|id| id.0.as_str());
            let known: BTreeSet<&str> = keys
                .meanings
                .iter()
                .map(String::as_str)
                .chain(departments)
                .collect();
            for (key, meaning) in &keys.keys {
                let path = [keys.path.as_slice(), &[key.to_string().into()]].concat();
                if !known.contains(meaning.as_str()) && !self.document.damaged {
                    let mut finding = survey.document.error(
                        &path,
                        Aim::Value,
                        format!("key {key} means `{meaning}`, which this question cannot answer"),
                    );
                    finding.suggestion = did_you_mean(meaning, known.iter().copied());
                    findings.push(finding);
                }
                if let Some(department) = self.tenant.keys.get(key)
                    && keys.departments
                    && department.0 != *meaning
                {
                    findings.push(
                        self.document
                            .error(
                                &["keys".into(), key.to_string().into()],
                                Aim::Name,
                                format!(
                                    "key {key} is `{department}` here and `{meaning}` in the \
                                     flow `{}`",
                                    survey.document.value.flow
                                ),
                            )
                            .suggest("choose another key for one of them"),
                    );
                }
            }
        }
    }

    /// Tells of names that nobody provides or fills.
    fn uses(&self, survey: &Survey<'_>, damaged: bool, findings: &mut Vec<Finding>) {
        let slots: BTreeSet<&str> = self
            .flows
            .values()
            .flat_map(|flow| flow.fills.iter().map(String::as_str))
            .chain(CALLBACK_SLOTS.iter().copied())
            .collect();
        for used in &survey.uses {
            let (first, part) = match used.name.split_once('.') {
                Some((first, rest)) => (first, rest.split('.').next()),
                None => (used.name.as_str(), None),
            };
            let (message, suggestion) = match VARIABLES.iter().find(|known| known.name == first) {
                Some(variable) => {
                    let Some(part) = part else { continue };
                    let known = variable.parts.iter().map(|(name, _)| *name);
                    if first == "departments" && !self.document.damaged {
                        match self.no_department(part) {
                            Some(told) => told,
                            None => continue,
                        }
                    } else if variable.parts.is_empty()
                        || variable.parts.iter().any(|(name, _)| *name == part)
                    {
                        continue;
                    } else {
                        (
                            format!("`{first}` has no part `{part}`"),
                            did_you_mean(part, known),
                        )
                    }
                }
                None if slots.contains(first) || damaged => continue,
                None => (
                    format!("nothing fills the slot `{first}`"),
                    did_you_mean(
                        first,
                        slots
                            .iter()
                            .copied()
                            .chain(VARIABLES.iter().map(|known| known.name)),
                    ),
                ),
            };
            let mut finding =
                survey
                    .document
                    .error_inside(&used.path, used.inside.clone(), message);
            finding.suggestion = suggestion;
            findings.push(finding);
        }
    }

    /// Tells of comparisons with a text that the slot can never have.
    fn comparisons(&self, survey: &Survey<'_>, findings: &mut Vec<Finding>) {
        for comparison in &survey.comparisons {
            let mut known = BTreeSet::new();
            let mut filled = false;
            for flow in self.flows.values() {
                match flow.values.get(&comparison.slot) {
                    Some(Some(values)) => {
                        filled = true;
                        known.extend(values.iter().map(String::as_str));
                    }
                    Some(None) => known.extend([comparison.text.as_str()]),
                    None => {}
                }
            }
            let department = comparison.slot == "department";
            if !filled || department || known.contains(comparison.text.as_str()) {
                continue;
            }
            let mut finding = survey.document.error_inside(
                &comparison.path,
                comparison.inside.clone(),
                format!("`{}` is never `{}`", comparison.slot, comparison.text),
            );
            finding.suggestion = did_you_mean(&comparison.text, known);
            findings.push(finding);
        }
    }
}
