//! Walks once through a flow and writes down what the checks want to know: texts, names used and
//! slots filled, with their places. What can be said of one flow alone is told on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use minijinja::Environment;

use super::words::{self, Token};
use crate::flow::finding::{Finding, did_you_mean};
use crate::flow::read::{Aim, Document};
use crate::flow::tree::Segment;
use crate::flow::{Answer, Ask, Branch, Entries, Flow, Step, Transfer};
use crate::words::{FlowName, IntentName, Key, Language, StateName, Texts};

/// The shortest and the longest pause that a question may ask for.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

pub(super) type Path = Vec<Segment>;

/// What a flow uses and does.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    pub(super) document: &'a Document<Flow>,
    pub(super) calls: Vec<(FlowName, Path)>,
    /// Slots that it fills.
    pub(super) fills: BTreeSet<String>,
    /// Names used in templates and expressions, with their parts.
    pub(super) uses: Vec<Use>,
    /// The languages of every text.
    pub(super) texts: Vec<(Path, BTreeSet<Language>)>,
    /// Department ids written as they are.
    pub(super) departments: Vec<(String, Path)>,
    /// Languages written as they are.
    pub(super) languages: Vec<(String, Path)>,
    pub(super) intents: Vec<(IntentName, Path)>,
    /// Keys with what they mean, and the answers they may mean.
    pub(super) keys: Vec<Keys>,
    /// Comparisons of a slot with a text.
    pub(super) comparisons: Vec<Comparison>,
    /// The values that a question can put into a slot, where they are few; `None` where anything
    /// can come.
    pub(super) values: BTreeMap<String, Option<BTreeSet<String>>>,
}

/// A name used somewhere.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) name: String,
    pub(super) path: Path,
    pub(super) inside: Range<usize>,
}

/// A slot compared with a text.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) slot: String,
    pub(super) text: String,
    pub(super) path: Path,
    pub(super) inside: Range<usize>,
}

/// The keys of one question.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) path: Path,
    pub(super) keys: BTreeMap<Key, String>,
    /// Names that a key may mean; departments come on top where `departments`.
    pub(super) meanings: BTreeSet<String>,
    pub(super) departments: bool,
}

/// Walks through a flow.
pub(super) fn survey<'a>(
    document: &'a Document<Flow>,
    environment: &Environment<'static>,
    findings: &mut Vec<Finding>,
) -> Survey<'a> {
    let mut walker = Walker {
        survey: Survey {
            document,
            calls: Vec::new(),
            fills: BTreeSet::new(),
            uses: Vec::new(),
            texts: Vec::new(),
            departments: Vec::new(),
            languages: Vec::new(),
            intents: Vec::new(),
            keys: Vec::new(),
            comparisons: Vec::new(),
            values: BTreeMap::new(),
        },
        environment,
        findings,
        path: vec!["states".into()],
    };
    let flow = &document.value;
    for (name, steps) in &flow.states {
        walker.under(name.0.clone(), |walker| walker.steps(steps));
    }
    walker.path = vec!["start".into()];
    walker.state(&flow.start);
    walker.survey
}

struct Walker<'a, 'e, 'f> {
    survey: Survey<'a>,
    environment: &'e Environment<'static>,
    findings: &'f mut Vec<Finding>,
    path: Path,
}

impl Walker<'_, '_, '_> {
    /// Goes one step down, does something there and comes back.
    fn under(&mut self, segment: impl Into<Segment>, work: impl FnOnce(&mut Self)) {
        self.path.push(segment.into());
        work(self);
        self.path.pop();
    }

    fn tell(&mut self, aim: Aim, message: impl Into<String>, suggestion: impl Into<String>) {
        let finding = self.survey.document.error(&self.path, aim, message);
        self.findings.push(finding.suggest(suggestion));
    }

    fn steps(&mut self, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            self.under(index, |walker| walker.step(step));
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Notices(_) | Step::Return(_) => {}
            Step::Say(say) => self.under("say", |walker| {
                if matches!(say, crate::flow::Say::Full(_)) {
                    walker.under("text", |walker| walker.texts(say.texts(), true));
                } else {
                    walker.texts(say.texts(), true);
                }
            }),
            Step::Ask(ask) => self.under("ask", |walker| walker.ask(ask)),
            Step::When(branches) => self.under("when", |walker| walker.branches(branches)),
            Step::Goto(state) => self.under("goto", |walker| walker.state(state)),
            Step::Call(flow) => self.under("call", |walker| {
                let path = walker.path.clone();
                walker.survey.calls.push((flow.clone(), path));
            }),
            Step::Set(entries) => self.under("set", |walker| walker.set(entries)),
            Step::Transfer(transfer) => self.under("transfer", |walker| walker.transfer(transfer)),
            Step::Record(record) => self.under("record", |walker| {
                walker.under("say", |walker| walker.texts(&record.say, false));
                walker.fill("into", &record.into, None);
                walker.between("max_seconds", record.max_seconds, 1, 1800);
                walker.between("silence_seconds", record.silence_seconds, 1, 60);
                walker.under("otherwise", |walker| walker.steps(&record.otherwise));
            }),
            Step::Message(message) => self.under("message", |walker| {
                walker.department(&message.department);
                walker.recording(message.recording.as_deref());
                walker.under("subject", |walker| walker.template(&message.subject));
                walker.facts(&message.facts);
                walker.fill("into", &message.into, None);
                walker.under("otherwise", |walker| walker.steps(&message.otherwise));
            }),
            Step::Cancel(cancel) => self.under("cancel", |walker| {
                walker.department(&cancel.department);
                if let Some(template) = &cancel.case_worker {
                    walker.under("case_worker", |walker| walker.template(template));
                }
                walker.recording(cancel.recording.as_deref());
                walker.facts(&cancel.facts);
                walker.fill("into", &cancel.into, None);
                walker.under("otherwise", |walker| walker.steps(&cancel.otherwise));
            }),
            Step::Callback(callback) => self.under("callback", |walker| {
                walker.department(&callback.department);
                walker.under("number", |walker| walker.expression(&callback.number));
                for (name, expression) in [("date", &callback.date), ("time", &callback.time)] {
                    if let Some(expression) = expression {
                        walker.under(name, |walker| walker.expression(expression));
                    }
                }
                if callback.date.is_some() != callback.time.is_some() {
                    walker.tell(
                        Aim::Name,
                        "a callback at a chosen time needs both `date` and `time`",
                        "write both, or neither for a callback as soon as the queue is short",
                    );
                }
                walker.under("reason", |walker| walker.template(&callback.reason));
                walker.fill("into", &callback.into, None);
                walker.under("otherwise", |walker| walker.steps(&callback.otherwise));
            }),
            Step::Language(expression) => self.under("language", |walker| {
                walker.expression(expression);
                if let Some(code) = words::single_text(expression) {
                    let path = walker.path.clone();
                    walker.survey.languages.push((code, path));
                }
            }),
            Step::Hangup(hangup) => self.under("hangup", |walker| {
                walker.under("say", |walker| walker.texts(&hangup.say, false));
            }),
        }
    }

    fn ask(&mut self, ask: &Ask) {
        self.under("say", |walker| walker.texts(&ask.say, false));
        for (index, texts) in ask.again.iter().enumerate() {
            self.under("again", |walker| {
                walker.under(index, |walker| walker.texts(texts, true));
            });
        }
        self.between("tries", ask.tries, 1, 10);
        self.between("silence_seconds", ask.silence_seconds, 1, 60);
        if let Some(patience) = ask.patience {
            self.patience(patience);
        }
        let mut meanings = BTreeSet::new();
        let mut departments = false;
        let mut values = None;
        self.path.push("for".into());
        match &ask.answer {
            Answer::Intent(names) => {
                self.path.push("intent".into());
                if names.is_empty() {
                    self.tell(
                        Aim::Name,
                        "no intents are asked for",
                        "name some, such as [departments, operator]",
                    );
                }
                for (index, name) in names.iter().enumerate() {
                    let path = [self.path.as_slice(), &[index.into()]].concat();
                    if name.0 == "departments" {
                        departments = true;
                        meanings.insert("department".to_owned());
                        self.survey.fills.insert("department".to_owned());
                    } else {
                        self.survey.intents.push((name.clone(), path));
                        meanings.insert(name.0.clone());
                    }
                }
                self.path.pop();
                values = Some(meanings.clone());
                meanings.remove("department");
            }
            Answer::Department => departments = true,
            Answer::YesNo => {
                meanings.extend(["yes", "no", "true", "false"].map(str::to_owned));
            }
            Answer::Digits(digits) => {
                if digits.min > digits.max || digits.max == 0 {
                    self.under("digits", |walker| {
                        walker.tell(
                            Aim::Name,
                            format!("no number has {} to {} digits", digits.min, digits.max),
                            "let `min` be at most `max`, and `max` at least 1",
                        );
                    });
                }
            }
            Answer::Phone | Answer::Date | Answer::Time | Answer::Text => {}
            Answer::Choice(choices) => {
                self.path.push("choice".into());
                if choices.len() < 2 {
                    self.tell(
                        Aim::Name,
                        "a choice needs at least two things to choose from",
                        "ask with `for: yes_no` when there is only one",
                    );
                }
                for (name, choice) in choices {
                    self.under(name.clone(), |walker| {
                        walker.under("say", |walker| walker.texts(&choice.say, true));
                    });
                    meanings.insert(name.clone());
                }
                self.path.pop();
                values = Some(meanings.clone());
            }
        }
        self.path.pop();
        self.fill("into", &ask.into, values);
        if !ask.keys.is_empty() {
            let path = [self.path.as_slice(), &["keys".into()]].concat();
            let typed = matches!(
                ask.answer,
                Answer::Digits(_) | Answer::Phone | Answer::Date | Answer::Time
            );
            if typed {
                self.under("keys", |walker| {
                    walker.tell(
                        Aim::Name,
                        "the keys are needed to type the answer",
                        "leave `keys` out; 0 to 9 are the digits and # ends them",
                    );
                });
            } else if !matches!(ask.answer, Answer::Text) {
                self.survey.keys.push(Keys {
                    path,
                    keys: ask.keys.clone(),
                    meanings,
                    departments,
                });
            }
        }
        self.under("otherwise", |walker| {
            walker.steps(&ask.otherwise);
            let usable = ask.otherwise.is_empty()
                || super::paths::ends(&ask.otherwise)
                || fills(&ask.otherwise, &ask.into);
            if !usable {
                walker.tell(
                    Aim::Name,
                    format!(
                        "after `otherwise` the flow goes on without an answer in `{}`",
                        ask.into
                    ),
                    format!(
                        "end it with goto, transfer, hangup or return, or set `{}` in it",
                        ask.into
                    ),
                );
            }
        });
    }

    fn branches(&mut self, branches: &[Branch]) {
        if branches.is_empty() {
            self.tell(
                Aim::Name,
                "no branches",
                "write `- if: …` with `do: […]` below it",
            );
        }
        for (index, branch) in branches.iter().enumerate() {
            self.under(index, |walker| {
                walker.branch(branch, index + 1 == branches.len())
            });
        }
    }

    fn branch(&mut self, branch: &Branch, last: bool) {
        match (&branch.condition, &branch.steps, &branch.otherwise) {
            (Some(condition), Some(steps), None) => {
                self.under("if", |walker| walker.expression(condition));
                self.under("do", |walker| walker.steps(steps));
            }
            (None, None, Some(steps)) => {
                if !last {
                    self.tell(
                        Aim::Value,
                        "`else` is not the last branch; those after it are never looked at",
                        "move it to the end",
                    );
                }
                self.under("else", |walker| walker.steps(steps));
            }
            (Some(_), None, _) => {
                self.tell(Aim::Value, "this `if` has no `do`", "add `do:` with steps");
            }
            (_, Some(_), _) if branch.condition.is_none() => {
                self.tell(
                    Aim::Value,
                    "this `do` has no `if`",
                    "add `if:` with a condition",
                );
            }
            (None, None, None) => {
                self.tell(
                    Aim::Value,
                    "an empty branch",
                    "write `if` with `do`, or `else`",
                );
            }
            _ => self.tell(
                Aim::Value,
                "`if` and `else` stand in one branch",
                "begin `else` on a line of its own with `- `",
            ),
        }
    }

    fn state(&mut self, name: &StateName) {
        let states = &self.survey.document.value.states;
        if states.contains_key(name) {
            return;
        }
        let mut finding = self.survey.document.error(
            &self.path,
            Aim::Value,
            format!("there is no state `{name}` in this flow"),
        );
        finding.suggestion = did_you_mean(&name.0, states.keys().map(|state| state.0.as_str()));
        self.findings.push(finding);
    }

    fn set(&mut self, entries: &Entries) {
        for (name, expression) in &entries.0 {
            let values = words::single_text(expression).map(|text| BTreeSet::from([text]));
            self.under(name.clone(), |walker| {
                walker.expression(expression);
                walker.slot_name(name, Aim::Name);
            });
            if name == "department" {
                self.department_text(name, expression);
            }
            self.note_values(name, values);
            self.survey.fills.insert(name.clone());
        }
    }

    fn transfer(&mut self, transfer: &Transfer) {
        let targets = [
            ("department", transfer.department.is_some()),
            ("extension", transfer.extension.is_some()),
            ("number", transfer.number.is_some()),
        ];
        let given: Vec<&str> = targets
            .iter()
            .filter(|(_, given)| *given)
            .map(|(name, _)| *name)
            .collect();
        match given.as_slice() {
            [_] => {}
            [] => self.tell(
                Aim::Name,
                "nowhere to transfer to",
                "write one of `department`, `extension` and `number`",
            ),
            several => self.tell(
                Aim::Name,
                format!(
                    "`{}` are given; a caller can go to one place",
                    several.join("` and `")
                ),
                "keep one of them",
            ),
        }
        if let Some(expression) = &transfer.department {
            self.department(expression);
        }
        if let Some(expression) = &transfer.number {
            self.under("number", |walker| walker.expression(expression));
        }
        if let Some(extension) = &transfer.extension {
            let odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '*' | '#' | '-' | '_');
            if extension.is_empty() || extension.contains(odd) {
                self.under("extension", |walker| {
                    walker.tell(
                        Aim::Value,
                        format!("{extension:?} is no extension"),
                        "write letters, digits, * and # only",
                    );
                });
            }
        }
        if let Some(reason) = &transfer.reason {
            self.under("reason", |walker| walker.template(reason));
        }
    }

    fn department(&mut self, expression: &str) {
        self.under("department", |walker| walker.expression(expression));
        self.department_text("department", expression);
    }

    fn department_text(&mut self, field: &str, expression: &str) {
        let object = expression.trim();
        if matches!(object, "operator" | "department")
            || object.starts_with("departments.") && object.matches('.').count() == 1
        {
            self.under(field.to_owned(), |walker| {
                walker.tell(
                    Aim::Value,
                    format!("`{object}` is the whole department; its id is wanted"),
                    format!("write `{object}.id`"),
                );
            });
        }
        if let Some(id) = words::single_text(expression) {
            let path = [self.path.as_slice(), &[field.to_owned().into()]].concat();
            self.survey.departments.push((id, path));
        }
    }

    fn recording(&mut self, slot: Option<&str>) {
        if let Some(slot) = slot {
            self.under("recording", |walker| walker.expression(slot));
        }
    }

    fn facts(&mut self, facts: &Entries) {
        for (name, template) in &facts.0 {
            self.under("facts", |walker| {
                walker.under(name.clone(), |walker| walker.template(template));
            });
        }
    }

    /// Notes that a slot is filled here.
    fn fill(&mut self, field: &'static str, slot: &str, values: Option<BTreeSet<String>>) {
        self.under(field, |walker| walker.slot_name(slot, Aim::Value));
        self.note_values(slot, values);
        self.survey.fills.insert(slot.to_owned());
    }

    fn note_values(&mut self, slot: &str, values: Option<BTreeSet<String>>) {
        let known = self
            .survey
            .values
            .entry(slot.to_owned())
            .or_insert_with(|| Some(BTreeSet::new()));
        match (known.as_mut(), values) {
            (Some(known), Some(values)) => known.extend(values),
            _ => *known = None,
        }
    }

    fn slot_name(&mut self, slot: &str, aim: Aim) {
        let word = slot.starts_with(|c: char| c.is_ascii_alphabetic())
            && slot.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !word {
            self.tell(
                aim,
                format!("{slot:?} is no name for a slot"),
                "write letters, digits and _ only, a letter first",
            );
        } else if slot != "department"
            && crate::flow::variable::VARIABLES
                .iter()
                .any(|variable| variable.name == slot)
        {
            self.tell(
                aim,
                format!("`{slot}` is provided by the dialog and cannot be a slot"),
                "choose another name",
            );
        }
    }

    fn between(&mut self, field: &'static str, number: u32, least: u32, most: u32) {
        if !(least..=most).contains(&number) {
            self.under(field, |walker| {
                walker.tell(
                    Aim::Value,
                    format!("{number} is out of range"),
                    format!("write a number from {least} to {most}"),
                );
            });
        }
    }

    /// Looks at the pause that ends an answer.
    fn patience(&mut self, pause: Duration) {
        let (shortest, longest) = PATIENCE;
        if !(shortest..=longest).contains(&pause) {
            self.under("patience", |walker| {
                walker.tell(
                    Aim::Value,
                    format!("a pause of {} ms is out of range", pause.as_millis()),
                    "write one from 200ms to 5s",
                );
            });
        }
    }

    /// Looks at a text in all its languages.
    fn texts(&mut self, texts: &Texts, needed: bool) {
        if texts.is_empty() {
            if needed {
                self.tell(
                    Aim::Name,
                    "no text",
                    "write one per language: { da: \"…\", en: \"…\" }",
                );
            }
            return;
        }
        for (language, text) in texts {
            self.under(language.code().to_owned(), |walker| {
                if text.trim().is_empty() {
                    walker.tell(Aim::Name, "the text is empty", "write what is to be said");
                }
                let odd = |it: &char| it.is_control() && !matches!(it, '\n' | '\r' | '\t');
                if let Some(letter) = text.chars().find(odd) {
                    walker.tell(
                        Aim::Name,
                        format!("the text holds the control character {letter:?}"),
                        "take it out: no voice can say it",
                    );
                }
                walker.template(text);
            });
        }
        let path = self.path.clone();
        let languages = texts.keys().copied().collect();
        self.survey.texts.push((path, languages));
    }

    fn template(&mut self, text: &str) {
        if !text.contains('{') {
            return;
        }
        let tokens = words::of_template(text);
        let (names, error) = super::template::names_of_template(self.environment, text);
        self.names(text, &tokens, names, error);
    }

    fn expression(&mut self, text: &str) {
        let tokens = words::of_expression(text);
        let (names, error) = super::template::names_of_expression(self.environment, text);
        if text.contains("{{") {
            self.tell(
                Aim::Value,
                "an expression stands here, not a text",
                "write it without the curly brackets, such as `department.id`",
            );
            return;
        }
        self.names(text, &tokens, names, error);
    }

    /// Takes the names of a template or expression, or tells why it is none.
    fn names(
        &mut self,
        text: &str,
        tokens: &[Token],
        names: BTreeSet<String>,
        error: Option<(Range<usize>, String)>,
    ) {
        if let Some((inside, message)) = error {
            let finding = self
                .survey
                .document
                .error_inside(&self.path, inside, message);
            self.findings.push(finding);
            return;
        }
        super::template::check_filters(self.environment, tokens, |inside, message, suggestion| {
            let mut finding = self
                .survey
                .document
                .error_inside(&self.path, inside, message);
            finding.suggestion = suggestion;
            self.findings.push(finding);
        });
        for name in names {
            let inside = words::place_of(tokens, &name).unwrap_or(0..text.len());
            let path = self.path.clone();
            self.survey.uses.push(Use { name, path, inside });
        }
        for (slot, compared, inside) in words::comparisons(tokens) {
            self.survey.comparisons.push(Comparison {
                slot: slot.to_owned(),
                text: compared.to_owned(),
                path: self.path.clone(),
                inside,
            });
        }
    }
}

/// Tells whether one of the steps, or of the steps in them, sets a slot.
fn fills(steps: &[Step], slot: &str) -> bool {
    steps.iter().any(|step| match step {
        Step::Set(entries) => entries.0.iter().any(|(name, _)| name == slot),
        Step::Ask(ask) => ask.into == slot,
        _ => false,
    })
}
