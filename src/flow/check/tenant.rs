//! Checks what a tenant's file says: its numbers, hours, departments, words and switches.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use minijinja::Environment;

use super::{View, lacking, phrase};
use crate::flow::finding::{Finding, did_you_mean};
use crate::flow::library::number_key;
use crate::flow::read::{Aim, Document};
use crate::flow::tree::Segment;
use crate::flow::{Department, Module, Tenant};
use crate::language::BUILT_IN;
use crate::service::hours::{Hours, Opening, Place};
use crate::words::{DepartmentId, Language, PhoneNumber};

/// Checks that no number belongs to two tenants.
pub(super) fn numbers(tenants: &BTreeMap<String, Document<Tenant>>, findings: &mut Vec<Finding>) {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for document in tenants.values() {
        let tenant = &document.value;
        for (index, number) in tenant.numbers.iter().enumerate() {
            let path = ["numbers".into(), index.into()];
            let did = number
                .chars()
                .all(|c| c.is_ascii_digit() || c == ' ' || c == '+');
            if number.trim().is_empty() || (!did && PhoneNumber::parse(number).is_err()) {
                findings.push(
                    document
                        .error(
                            &path,
                            Aim::Value,
                            format!("{number:?} is no telephone number"),
                        )
                        .suggest("write it as the PBX delivers it, or as +45 and eight digits"),
                );
                continue;
            }
            if let Some(owner) = owners.insert(number_key(number), tenant.tenant.0.as_str()) {
                let whose = if owner == tenant.tenant.0 {
                    "stands here twice".to_owned()
                } else {
                    format!("belongs to `{owner}` too")
                };
                findings.push(
                    document
                        .error(&path, Aim::Value, format!("the number {number} {whose}"))
                        .suggest("a call must find one tenant: remove it from one of them"),
                );
            }
        }
    }
}

/// Checks one tenant.
pub(super) fn check(
    view: &View<'_>,
    environment: &Environment<'static>,
    findings: &mut Vec<Finding>,
) {
    let mut inspection = Inspection {
        view,
        document: view.document,
        tenant: view.tenant,
        languages: view.tenant.languages.iter().copied().collect(),
        findings,
    };
    inspection.names();
    inspection.languages();
    inspection.hours();
    inspection.departments();
    inspection.ambiguous_words();
    inspection.references();
    inspection.modules();
    inspection.callback();
    inspection.mail();
    inspection.intents();
    inspection.notices(environment);
}

struct Inspection<'a, 'f> {
    view: &'a View<'a>,
    document: &'a Document<Tenant>,
    tenant: &'a Tenant,
    languages: BTreeSet<Language>,
    findings: &'f mut Vec<Finding>,
}

impl Inspection<'_, '_> {
    fn tell(
        &mut self,
        path: &[Segment],
        aim: Aim,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        let finding = self.document.error(path, aim, message);
        self.findings.push(finding.suggest(suggestion));
    }

    fn names(&mut self) {
        let tenant = self.tenant;
        let folder = self.view.folder;
        if tenant.tenant.0 != folder {
            self.tell(
                &["tenant".into()],
                Aim::Value,
                format!(
                    "the tenant is named `{}` and its folder `{folder}`",
                    tenant.tenant
                ),
                format!("write `tenant: {folder}`, or rename the folder"),
            );
        }
        if folder == self.view.house.common {
            self.tell(
                &["tenant".into()],
                Aim::Value,
                "`common` is the folder that all tenants share",
                "move the tenant to a folder of its own",
            );
        }
        if tenant.numbers.is_empty() {
            self.tell(
                &["numbers".into()],
                Aim::Name,
                "no number reaches this tenant",
                "write at least one",
            );
        }
        lacking(
            self.document,
            &["name".into()],
            tenant.name.keys().copied(),
            &self.languages,
            self.findings,
        );
        if !self.view.flows.contains_key(&tenant.flow) && !self.view.house.broken {
            let known = self.view.flows.keys().map(|name| name.0.as_str());
            let path = ["flow".into()];
            let mut finding = self.document.error(
                &path,
                Aim::Value,
                format!("there is no flow `{}`", tenant.flow),
            );
            finding.suggestion = did_you_mean(&tenant.flow.0, known);
            self.findings.push(finding);
        }
    }

    fn languages(&mut self) {
        let mut seen = BTreeSet::new();
        if self.tenant.languages.is_empty() {
            self.tell(
                &["languages".into()],
                Aim::Name,
                "no language is spoken",
                "write at least one, such as [da, en]",
            );
        }
        for (index, language) in self.tenant.languages.iter().enumerate() {
            if !seen.insert(*language) {
                self.tell(
                    &["languages".into(), index.into()],
                    Aim::Value,
                    format!("`{language}` stands here twice"),
                    "keep one of them",
                );
            }
        }
        for (index, language) in self.tenant.languages.iter().enumerate() {
            let read = self.view.house.tongues.iter();
            let mut known = read
                .map(|document| document.value.language)
                .chain(BUILT_IN.map(|it| it.0));
            if !known.any(|known| known == *language) && !self.view.house.broken {
                self.tell(
                    &["languages".into(), index.into()],
                    Aim::Value,
                    format!("nothing is known of the language `{language}`"),
                    format!("write languages/{language}.yaml; docs/languages.md tells how"),
                );
            }
        }
        if let Some(language) = self.tenant.mail.language
            && !self.languages.contains(&language)
        {
            self.tell(
                &["mail".into(), "language".into()],
                Aim::Value,
                format!("`{language}` is not among the languages of the tenant"),
                "choose one of them",
            );
        }
    }

    fn hours(&mut self) {
        let tenant = self.tenant;
        let zone = match TimeZone::get(&tenant.time_zone) {
            Ok(zone) => zone,
            Err(_) => {
                self.tell(
                    &["time_zone".into()],
                    Aim::Value,
                    format!("there is no time zone {:?}", tenant.time_zone),
                    "write an IANA name such as Europe/Copenhagen",
                );
                TimeZone::UTC
            }
        };
        self.opening(&["hours".into()], &tenant.hours, &zone);
        for (id, department) in &tenant.departments {
            if let Some(hours) = &department.hours {
                let path = ["departments".into(), id.0.clone().into(), "hours".into()];
                self.opening(&path, hours, &zone);
            }
        }
    }

    /// Tells what is wrong with hours; what is wrong with holidays is told once, with the first.
    fn opening(&mut self, path: &[Segment], hours: &Hours, zone: &TimeZone) {
        let first = path.len() == 1;
        let wrong = Opening::new(hours, &self.tenant.holidays, zone.clone())
            .err()
            .unwrap_or_default();
        for error in wrong {
            let (place, aim): (Vec<Segment>, Aim) = match &error.place {
                Place::Week(day) => (
                    [path, &[day.clone().into()]].concat(),
                    if error.fault.contains("is no day;") || error.fault.contains("already named") {
                        Aim::Name
                    } else {
                        Aim::Value
                    },
                ),
                Place::Closed(index) => (
                    vec!["holidays".into(), "closed".into(), (*index).into()],
                    Aim::Value,
                ),
                Place::Day(day) => (
                    vec!["holidays".into(), "days".into(), day.to_string().into()],
                    Aim::Value,
                ),
            };
            if !first && !matches!(error.place, Place::Week(_)) {
                continue;
            }
            let (message, suggestion) = match error.fault.split_once("; ") {
                Some((message, suggestion)) => (message.to_owned(), Some(suggestion.to_owned())),
                None => (error.fault.clone(), None),
            };
            let mut finding = self.document.error(&place, aim, message);
            finding.suggestion = suggestion;
            self.findings.push(finding);
        }
    }

    fn departments(&mut self) {
        if self.tenant.departments.is_empty() {
            self.tell(
                &["departments".into()],
                Aim::Name,
                "no department",
                "write at least one: calls must go somewhere",
            );
        }
        let known = self.view.intent_names();
        for (id, department) in &self.tenant.departments {
            let path: Vec<Segment> = vec!["departments".into(), id.0.clone().into()];
            if !is_word(&id.0) {
                self.tell(
                    &path,
                    Aim::Name,
                    format!("{id:?} is no name for a department", id = id.0),
                    "write letters, digits and _ only, a letter first",
                );
            }
            if known.contains(id.0.as_str()) || id.0.starts_with("department") {
                self.tell(
                    &path,
                    Aim::Name,
                    format!("`{id}` is something else that a caller can want"),
                    "choose another name for the department",
                );
            }
            let name = [path.as_slice(), &["name".into()]].concat();
            lacking(
                self.document,
                &name,
                department.name.keys().copied(),
                &self.languages,
                self.findings,
            );
            self.wording(&path, id, department);
            if department.queue.0.trim().is_empty() || department.queue.0.contains(char::is_control)
            {
                self.tell(
                    &[path.as_slice(), &["queue".into()]].concat(),
                    Aim::Value,
                    "the queue has no name",
                    "write the name that the PBX has for it",
                );
            }
            self.address(
                &[path.as_slice(), &["mail".into()]].concat(),
                &department.mail,
            );
        }
        self.overflows();
    }

    fn wording(&mut self, path: &[Segment], id: &DepartmentId, department: &Department) {
        let languages = self.languages.clone();
        for language in &languages {
            if department.wording().is_silent(*language) {
                let finding = self
                    .document
                    .error(
                        path,
                        Aim::Name,
                        format!("nobody can ask for `{id}` in `{language}` but by its name"),
                    )
                    .suggest(format!(
                        "add `{language}` under `words`, `topics` or `examples`"
                    ))
                    .warning();
                self.findings.push(finding);
            }
        }
        let lists = [
            ("words", &department.words),
            ("topics", &department.topics),
            ("examples", &department.examples),
        ];
        for (field, list) in lists {
            for (language, words) in list {
                let here = [path, &[field.into(), language.code().to_owned().into()]].concat();
                if !languages.contains(language) {
                    let finding = self
                        .document
                        .error(
                            &here,
                            Aim::Name,
                            format!("`{language}` is not among the languages of the tenant"),
                        )
                        .suggest("add it to `languages`, or remove the words")
                        .warning();
                    self.findings.push(finding);
                }
                for (index, word) in words.iter().enumerate() {
                    if word.trim().is_empty() {
                        self.tell(
                            &[here.as_slice(), &[index.into()]].concat(),
                            Aim::Value,
                            "an empty word",
                            "remove it",
                        );
                    }
                }
            }
        }
    }

    /// Checks that callers who overflow get somewhere.
    fn overflows(&mut self) {
        for (id, department) in &self.tenant.departments {
            let Some(first) = &department.overflow else {
                continue;
            };
            let path = ["departments".into(), id.0.clone().into(), "overflow".into()];
            if let Some((message, suggestion)) = self.view.no_department(&first.0) {
                if !self.document.damaged {
                    let mut finding = self.document.error(&path, Aim::Value, message);
                    finding.suggestion = suggestion;
                    self.findings.push(finding);
                }
                continue;
            }
            let mut seen = BTreeSet::from([id]);
            let mut next = Some(first);
            while let Some(at) = next {
                if !seen.insert(at) {
                    if at == id {
                        self.tell(
                            &path,
                            Aim::Value,
                            format!("callers who overflow from `{id}` come back to it"),
                            "let the last of them have no `overflow`",
                        );
                    }
                    break;
                }
                let department = self.tenant.departments.get(at);
                next = department.and_then(|department| department.overflow.as_ref());
            }
        }
    }

    /// Warns of words that mean two departments.
    fn ambiguous_words(&mut self) {
        let mut owners: BTreeMap<(Language, String), &DepartmentId> = BTreeMap::new();
        let mut told = Vec::new();
        for (id, department) in &self.tenant.departments {
            for (field, list) in [("words", &department.words), ("topics", &department.topics)] {
                for (language, words) in list {
                    for (index, word) in words.iter().enumerate() {
                        let key = (*language, word.trim().to_lowercase());
                        match owners.get(&key) {
                            Some(owner) if *owner != id => told.push((
                                vec![
                                    "departments".into(),
                                    id.0.clone().into(),
                                    field.into(),
                                    language.code().to_owned().into(),
                                    index.into(),
                                ],
                                format!("\"{word}\" asks for `{owner}` too"),
                            )),
                            Some(_) => {}
                            None => drop(owners.insert(key, id)),
                        }
                    }
                }
            }
        }
        for (path, message) in told {
            let finding = self
                .document
                .error(&path, Aim::Value, message)
                .suggest("callers who say it are asked which one they mean; keep it in one")
                .warning();
            self.findings.push(finding);
        }
        let mut names: BTreeMap<(Language, String), &DepartmentId> = BTreeMap::new();
        for (id, department) in &self.tenant.departments {
            for (language, name) in &department.name {
                if let Some(other) = names.insert((*language, name.trim().to_lowercase()), id) {
                    let path = [
                        "departments".into(),
                        id.0.clone().into(),
                        "name".into(),
                        language.code().to_owned().into(),
                    ];
                    self.tell(
                        &path,
                        Aim::Value,
                        format!("`{other}` has the same name"),
                        "callers cannot tell them apart: name one of them otherwise",
                    );
                }
            }
        }
    }

    fn references(&mut self) {
        if self.document.damaged {
            return;
        }
        let mut references = vec![(vec!["operator".into()], &self.tenant.operator)];
        for (key, id) in &self.tenant.keys {
            references.push((vec!["keys".into(), key.to_string().into()], id));
        }
        for (path, id) in references {
            if let Some((_, suggestion)) = self.view.no_department(&id.0) {
                let message = format!("there is no department `{id}`");
                let mut finding = self.document.error(&path, Aim::Value, message);
                finding.suggestion = suggestion;
                self.findings.push(finding);
            }
        }
    }

    fn modules(&mut self) {
        let tenant = self.tenant;
        let mut seen = BTreeSet::new();
        for (index, module) in tenant.modules.iter().enumerate() {
            let path = ["modules".into(), index.into()];
            let name = module.name();
            if !seen.insert(*module) {
                self.tell(
                    &path,
                    Aim::Value,
                    format!("`{name}` stands here twice"),
                    "keep one of them",
                );
            }
            if *module == Module::CancelAppointment
                && !tenant.departments.values().any(|it| it.appointments)
                && !self.document.damaged
            {
                self.tell(
                    &path,
                    Aim::Value,
                    "no department takes cancellations of appointments",
                    "write `appointments: true` at those that do, or remove the module",
                );
            }
            if !self.view.flows.keys().any(|flow| flow.0 == name) && !self.view.house.broken {
                self.tell(
                    &path,
                    Aim::Value,
                    format!("the module `{name}` needs a flow of that name"),
                    format!("write common/{name}.yaml"),
                );
            }
        }
    }

    fn callback(&mut self) {
        let rules = &self.tenant.callback;
        let limits = [
            ("attempts", rules.attempts, 1, 20),
            ("gap_minutes", rules.gap_minutes, 1, 1440),
            ("expiry_days", rules.expiry_days, 1, 60),
            ("ring_seconds", rules.ring_seconds, 5, 120),
        ];
        for (field, number, least, most) in limits {
            if !(least..=most).contains(&number) {
                self.tell(
                    &["callback".into(), field.into()],
                    Aim::Value,
                    format!("{number} is out of range"),
                    format!("write a number from {least} to {most}"),
                );
            }
        }
    }

    fn mail(&mut self) {
        self.address(&["mail".into(), "from".into()], &self.tenant.mail.from);
        if let Some(address) = &self.tenant.mail.escalate_to {
            self.address(&["mail".into(), "escalate_to".into()], address);
        }
    }

    fn address(&mut self, path: &[Segment], address: &str) {
        if address.parse::<lettre::message::Mailbox>().is_err() {
            self.tell(
                path,
                Aim::Value,
                format!("{address:?} is no mail address"),
                "write it as name@example.org",
            );
        }
    }

    fn intents(&mut self) {
        let Some(shared) = self.view.house.intents else {
            return;
        };
        for (name, intent) in &self.tenant.intents {
            let path: Vec<Segment> = vec!["intents".into(), name.0.clone().into()];
            if !shared.value.intents.contains_key(name) {
                let name = [path.as_slice(), &["name".into()]].concat();
                lacking(
                    self.document,
                    &name,
                    intent.name.keys().copied(),
                    &self.languages,
                    self.findings,
                );
            }
            let asked = self
                .view
                .flows
                .values()
                .any(|flow| flow.intents.iter().any(|(asked, _)| asked == name));
            if !asked && !shared.value.intents.contains_key(name) {
                let finding = self
                    .document
                    .error(&path, Aim::Name, format!("no question asks for `{name}`"))
                    .suggest("name it under `for: { intent: […] }` in a flow of the tenant")
                    .warning();
                self.findings.push(finding);
            }
        }
    }

    fn notices(&mut self, environment: &Environment<'static>) {
        for (name, texts) in &self.tenant.notices {
            let path: Vec<Segment> = vec!["notices".into(), name.clone().into()];
            lacking(
                self.document,
                &path,
                texts.keys().copied(),
                &self.languages,
                self.findings,
            );
            for (language, text) in texts {
                let here = [path.as_slice(), &[language.code().to_owned().into()]].concat();
                phrase(self.document, &here, text, &[], environment, self.findings);
            }
        }
    }
}

fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
