//! The shelf of every tenant: its flows and words, read from a folder and checked.
//!
//! A library is whole or not at all: one error anywhere and none comes back, so that a bad edit
//! never takes the place of what works.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::check;
use super::finding::Finding;
use super::place::Source;
use super::read::{self, Document};
use super::story::Story;
use super::{Flow, Intent, Phrases, Tenant};
use crate::language::{self, Tongue};
use crate::words::{FlowName, IntentName, Language, PhoneNumber, TenantId};

/// Everything a call needs of one tenant, checked.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// The tenant.
    pub tenant: Tenant,
    /// Its flows: the common ones, and its own in their place.
    pub flows: BTreeMap<FlowName, Arc<Flow>>,
    /// The sentences the dialog speaks by itself.
    pub phrases: Arc<Phrases>,
    /// What a caller can want beside departments: the common ones with the tenant's words added.
    pub intents: BTreeMap<IntentName, Intent>,
}

/// What the intent to speak a language is called, with the language's code after it.
pub const LANGUAGE_INTENT: &str = "language_";

/// The shelves of all tenants.
#[derive(Clone, Debug, Default)]
pub struct Library {
    tenants: BTreeMap<TenantId, Arc<Shelf>>,
    by_number: BTreeMap<String, TenantId>,
    stories: BTreeMap<TenantId, Arc<Vec<Stories>>>,
}

/// The stories of one file.
#[derive(Debug)]
pub struct Stories {
    document: Document<Vec<Story>>,
}

/// A file by its place under the flows folder, such as `common/reception.yaml`, and its text.
type File = (String, String);

/// The common folder's name; no tenant can have it.
const COMMON: &str = "common";
/// The name of the folder with languages; no tenant can have it.
const LANGUAGES: &str = "languages";

impl Library {
    /// Reads and checks a folder of flows. A library comes back when there are no errors; there
    /// may be warnings.
    pub fn load(folder: &Path) -> (Option<Self>, Vec<Finding>) {
        let mut findings = Vec::new();
        let files = gather(folder, &mut findings);
        let (library, found) = Self::read(&files);
        findings.extend(found);
        let library = library.filter(|_| !findings.iter().any(Finding::is_error));
        (library, findings)
    }

    /// Returns the flows and tenants that the program carries with it, for the demo.
    pub fn embedded() -> (Option<Self>, Vec<Finding>) {
        let files: Vec<File> = super::embedded::FILES
            .iter()
            .map(|(path, text)| (format!("flows/{path}"), (*text).to_owned()))
            .collect();
        Self::read(&files)
    }

    /// Reads and checks files that are already in memory. Their names end in
    /// `<common or tenant>/<file>.yaml` or `<tenant>/tests/<file>.yaml`.
    pub fn read(files: &[File]) -> (Option<Self>, Vec<Finding>) {
        let mut findings = Vec::new();
        let mut shelves = Folders::default();
        for (file, text) in files {
            shelves.take(Source::new(file.as_str(), text.as_str()), &mut findings);
        }
        let tongues = shelves
            .tongues
            .iter()
            .map(|document| document.value.clone());
        let tongues: Vec<Tongue> = tongues.collect();
        let library = shelves.build(&mut findings);
        let library = library.filter(|_| !findings.iter().any(Finding::is_error));
        if library.is_some() {
            language::learn(tongues);
        }
        (library, findings)
    }

    /// Returns the tenant that a dialled number belongs to.
    pub fn shelf_for(&self, did: &str) -> Option<&Arc<Shelf>> {
        let tenant = self
            .by_number
            .get(did.trim())
            .or_else(|| self.by_number.get(&number_key(did)))?;
        self.tenants.get(tenant)
    }

    /// Returns a tenant by its name.
    pub fn shelf(&self, tenant: &TenantId) -> Option<&Arc<Shelf>> {
        self.tenants.get(tenant)
    }

    /// Returns all tenants in the order of their names.
    pub fn shelves(&self) -> impl Iterator<Item = &Arc<Shelf>> {
        self.tenants.values()
    }

    /// Returns the stories written beside a tenant's flows, by file.
    pub fn stories(&self, tenant: &TenantId) -> &[Stories] {
        self.stories
            .get(tenant)
            .map(|files| files.as_slice())
            .unwrap_or_default()
    }
}

impl Stories {
    /// Returns the file they stand in.
    pub fn file(&self) -> &str {
        &self.document.source.file
    }

    pub(super) fn document(&self) -> &Document<Vec<Story>> {
        &self.document
    }

    /// Returns the stories in their order.
    pub fn stories(&self) -> &[Story] {
        &self.document.value
    }

    /// Makes a finding about a turn of a story that went otherwise than written; `field` names
    /// the part of an `expect`, such as `says`.
    pub fn mismatch(
        &self,
        story: usize,
        turn: usize,
        field: Option<&'static str>,
        message: impl Into<String>,
    ) -> Finding {
        let mut path = vec![story.into(), "turns".into(), turn.into()];
        if let Some(field) = field {
            path.extend(["expect".into(), field.into()]);
        }
        self.document.error(&path, read::Aim::Value, message)
    }
}

/// Reads the YAML files of a folder and of the folders in it, in the order of their names.
pub(super) fn gather(folder: &Path, findings: &mut Vec<Finding>) -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((path, depth)) = folders.pop() {
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) => {
                findings.push(
                    Finding::of_file(
                        &path.display().to_string(),
                        format!("the folder cannot be read: {error}"),
                    )
                    .suggest("name the folder that holds `common` and one folder per tenant"),
                );
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                if depth < 2 {
                    folders.push((path, depth + 1));
                }
            } else if depth > 0 && name.ends_with(".yaml") {
                let file = path.display().to_string();
                match std::fs::read_to_string(&path) {
                    Ok(text) => files.push((file, text)),
                    Err(error) => findings.push(Finding::of_file(
                        &file,
                        format!("the file cannot be read: {error}"),
                    )),
                }
            } else if depth > 0 && name.ends_with(".yml") {
                findings.push(
                    Finding::of_file(&path.display().to_string(), "the file is not read")
                        .suggest("name it `.yaml`")
                        .warning(),
                );
            }
        }
    }
    files.sort();
    files
}

/// What was read, before it is put together.
#[derive(Default)]
struct Folders {
    flows: BTreeMap<String, Vec<Document<Flow>>>,
    tenants: BTreeMap<String, Document<Tenant>>,
    stories: BTreeMap<String, Vec<Stories>>,
    intents: Option<Document<Intents>>,
    phrases: Option<Document<Phrases>>,
    tongues: Vec<Document<Tongue>>,
    broken: bool,
}

/// `flows/common/intents.yaml`.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Intents {
    /// What a caller can want beside departments.
    pub(super) intents: BTreeMap<IntentName, Intent>,
}

impl Folders {
    /// Reads one file as what its name and folder say that it is.
    fn take(&mut self, source: Source, findings: &mut Vec<Finding>) {
        let parts: Vec<String> = source
            .file
            .rsplit(['/', '\\'])
            .take(3)
            .map(str::to_owned)
            .collect();
        let (Some(name), Some(folder)) = (parts.first(), parts.get(1)) else {
            return;
        };
        let before = findings.len();
        match (folder.as_str(), name.as_str()) {
            ("tests", _) => {
                let tenant = parts.get(2).cloned().unwrap_or_default();
                if let Some(document) = read::read(source, findings) {
                    self.stories
                        .entry(tenant)
                        .or_default()
                        .push(Stories { document });
                }
            }
            (COMMON, "intents.yaml") => self.intents = read::read(source, findings),
            (LANGUAGES, _) => self.tongues.extend(read::read(source, findings)),
            (COMMON, "phrases.yaml") => self.phrases = read::read(source, findings),
            (folder, "tenant.yaml") => {
                if let Some(document) = read::read(source, findings) {
                    self.tenants.insert(folder.to_owned(), document);
                }
            }
            (folder, _) => {
                if let Some(document) = read::read(source, findings) {
                    self.flows
                        .entry(folder.to_owned())
                        .or_default()
                        .push(document);
                }
            }
        }
        self.broken |= findings.len() > before;
    }

    /// Returns the intent by which callers ask for a language: `language_de`.
    fn asked_for(&self, language: Language) -> (IntentName, Intent) {
        let read = self
            .tongues
            .iter()
            .find(|read| read.value.language == language);
        let built_in = language::tongue(language);
        let tongue = read.map_or(&*built_in, |document| &document.value);
        let mut intent = Intent {
            name: tongue.name.clone(),
            ..Intent::default()
        };
        for (in_language, asked) in &tongue.asked_for {
            for phrase in asked {
                // A name may be said amid anything; a sentence is one example of many.
                let short = phrase.split_whitespace().count() <= 2;
                let list = if short {
                    &mut intent.words
                } else {
                    &mut intent.examples
                };
                list.entry(*in_language).or_default().push(phrase.clone());
            }
        }
        (IntentName(format!("{LANGUAGE_INTENT}{language}")), intent)
    }

    /// Checks everything and puts it on shelves.
    fn build(self, findings: &mut Vec<Finding>) -> Option<Library> {
        check::check(
            &check::House {
                flows: &self.flows,
                tenants: &self.tenants,
                stories: &self.stories,
                intents: self.intents.as_ref(),
                phrases: self.phrases.as_ref(),
                tongues: &self.tongues,
                broken: self.broken,
                common: COMMON,
            },
            findings,
        );
        let mut library = Library::default();
        let common_flows = self
            .flows
            .get(COMMON)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let phrases = Arc::new(self.phrases.as_ref()?.value.clone());
        let shared: BTreeMap<FlowName, Arc<Flow>> = common_flows
            .iter()
            .map(|flow| (flow.value.flow.clone(), Arc::new(flow.value.clone())))
            .collect();
        let intents = &self.intents.as_ref()?.value.intents;
        for (folder, tenant) in &self.tenants {
            let mut flows = shared.clone();
            for flow in self.flows.get(folder).into_iter().flatten() {
                flows.insert(flow.value.flow.clone(), Arc::new(flow.value.clone()));
            }
            let tenant = &tenant.value;
            let mut intents = intents.clone();
            for language in &tenant.languages {
                let (name, intent) = self.asked_for(*language);
                intents.entry(name).or_default().add(&intent);
            }
            for (name, intent) in &tenant.intents {
                intents.entry(name.clone()).or_default().add(intent);
            }
            for number in &tenant.numbers {
                for key in [number.trim().to_owned(), number_key(number)] {
                    library.by_number.insert(key, tenant.tenant.clone());
                }
            }
            let shelf = Shelf {
                tenant: tenant.clone(),
                flows,
                phrases: Arc::clone(&phrases),
                intents,
            };
            library
                .tenants
                .insert(tenant.tenant.clone(), Arc::new(shelf));
        }
        for (folder, stories) in self.stories {
            if let Some(tenant) = self.tenants.get(&folder) {
                library
                    .stories
                    .insert(tenant.value.tenant.clone(), Arc::new(stories));
            }
        }
        Some(library)
    }
}

/// Returns a number in the one form in which numbers are compared.
pub(super) fn number_key(number: &str) -> String {
    match PhoneNumber::parse(number) {
        Ok(number) => number.e164().to_owned(),
        Err(_) => number.chars().filter(|c| !c.is_whitespace()).collect(),
    }
}
