//! One tenant's shelf made ready to be played: programs, vocabulary, opening hours and templates.
//! Made once when files are loaded, shared by all calls that began with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use minijinja::Environment;

use super::program::Program;
use super::scope;
use crate::flow::{Department, Module, Shelf};
use crate::service::hours::Opening;
use crate::understand::{Intent, Understanding, Vocabulary};
use crate::words::{DepartmentId, FlowName, IntentName, Language};

/// The intent that stands for a department in the vocabulary: `department.` and its id.
const DEPARTMENT: &str = "department.";

/// Everything that dialogs of one tenant share.
#[derive(Debug)]
pub struct Playbook {
    /// What the files say.
    pub shelf: Arc<Shelf>,
    /// The tenant's time zone.
    pub zone: TimeZone,
    pub(super) programs: BTreeMap<FlowName, Arc<Program>>,
    pub(super) vocabulary: Vocabulary,
    pub(super) environment: Environment<'static>,
    openings: BTreeMap<DepartmentId, Opening>,
    phrases: Arc<Phrases>,
}

/// Names, synonyms and topics per language.
pub type Phrases = BTreeMap<Language, Arc<[String]>>;

/// Why a shelf cannot be played; a checked one always can.
#[derive(Debug, thiserror::Error)]
pub enum Unplayable {
    /// The time zone is not in the database.
    #[error("tenant {tenant}: time zone {zone:?} is not known: {source}")]
    TimeZone {
        /// The tenant.
        tenant: String,
        /// What its file says.
        zone: String,
        /// Why.
        source: jiff::Error,
    },
    /// Hours that cannot be read.
    #[error("tenant {tenant}: hours of {department}: {findings}")]
    Hours {
        /// The tenant.
        tenant: String,
        /// The department.
        department: String,
        /// Why.
        findings: String,
    },
}

impl Playbook {
    /// Makes a checked shelf ready.
    ///
    /// # Errors
    /// When the shelf was not checked and its zone or hours cannot be read.
    pub fn new(shelf: Arc<Shelf>) -> Result<Self, Unplayable> {
        let tenant = &shelf.tenant;
        let zone = TimeZone::get(&tenant.time_zone).map_err(|source| Unplayable::TimeZone {
            tenant: tenant.tenant.to_string(),
            zone: tenant.time_zone.clone(),
            source,
        })?;
        let mut openings = BTreeMap::new();
        for (id, department) in &tenant.departments {
            let hours = department.hours.as_ref().unwrap_or(&tenant.hours);
            let opening =
                Opening::new(hours, &tenant.holidays, zone.clone()).map_err(|errors| {
                    let findings: Vec<String> = errors.iter().map(ToString::to_string).collect();
                    Unplayable::Hours {
                        tenant: tenant.tenant.to_string(),
                        department: id.to_string(),
                        findings: findings.join("; "),
                    }
                })?;
            openings.insert(id.clone(), opening);
        }
        let programs = shelf
            .flows
            .iter()
            .map(|(name, flow)| (name.clone(), Arc::new(Program::new(flow))))
            .collect();
        let vocabulary = Vocabulary::new(&intents(&shelf));
        let phrases = tenant
            .languages
            .iter()
            .map(|language| (*language, vocabulary.hints(*language).into()))
            .collect();
        let environment = scope::environment();
        Ok(Self {
            zone,
            programs,
            vocabulary,
            environment,
            openings,
            phrases: Arc::new(phrases),
            shelf,
        })
    }

    /// Returns what a caller is told who has to wait; none where the phrase is empty or wrong.
    pub fn one_moment(&self, language: Language) -> Option<String> {
        let phrase = scope::text_in(&self.shelf.phrases.one_moment, language);
        let values = minijinja::context! { language => language.code() };
        let text = self.environment.render_str(phrase, values).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Returns a department of the tenant.
    pub fn department(&self, id: &DepartmentId) -> Option<&Department> {
        self.shelf.tenant.departments.get(id)
    }

    /// Returns when a department is open.
    pub fn opening(&self, id: &DepartmentId) -> Option<&Opening> {
        self.openings.get(id)
    }

    /// Tells whether a module is switched on.
    pub fn has(&self, module: Module) -> bool {
        self.shelf.tenant.modules.contains(&module)
    }

    /// Returns the language that calls begin in.
    pub fn first_language(&self) -> Language {
        self.shelf
            .tenant
            .languages
            .first()
            .copied()
            .unwrap_or(Language::DA)
    }

    /// Returns a department's name aloud.
    pub fn department_name(&self, id: &DepartmentId, language: Language) -> String {
        let name = self
            .department(id)
            .and_then(|d| d.name.get(&language).or(d.name.values().next()));
        name.cloned().unwrap_or_else(|| id.to_string())
    }

    /// Returns what callers may ask for in each language, for recognisers that hear nothing else.
    pub fn phrases(&self) -> &Arc<Phrases> {
        &self.phrases
    }

    /// Tells which of the tenant's intents words come to.
    pub fn understand(&self, text: &str, language: Language) -> Understanding {
        self.vocabulary.understand(text, language)
    }
}

/// Returns the department that an intent of the vocabulary stands for.
pub(super) fn department_of(intent: &IntentName) -> Option<DepartmentId> {
    intent.0.strip_prefix(DEPARTMENT).map(DepartmentId::from)
}

fn intents(shelf: &Shelf) -> Vec<Intent> {
    let departments = shelf.tenant.departments.iter().map(|(id, department)| {
        let mut words = department.words.clone();
        for (language, name) in &department.name {
            words.entry(*language).or_default().push(name.clone());
        }
        Intent {
            name: IntentName(format!("{DEPARTMENT}{id}")),
            words,
            topics: department.topics.clone(),
            examples: department.examples.clone(),
            precedence: 0,
        }
    });
    let others = shelf.intents.iter().map(|(name, intent)| Intent {
        name: name.clone(),
        words: intent.words.clone(),
        topics: intent.topics.clone(),
        examples: intent.examples.clone(),
        // "Cancel my appointment at the job centre" is a cancellation; "someone who knows about
        // passports" is about passports.
        precedence: if name.0 == "operator" { -1 } else { 1 },
    });
    departments.chain(others).collect()
}
