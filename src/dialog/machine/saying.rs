//! Saying: fills texts in, keeps slots, and tells the journal why.

use jiff::Timestamp;

use super::super::command::{Command, Note, Say};
use super::super::event::Recording;
use super::super::question::Meaning;
use super::super::scope;
use super::super::scope::{SlotValue, text_in};
use super::{Dialog, Fault};
use crate::flow;
use crate::words::{DepartmentId, Texts};

impl Dialog {
    pub(super) fn set(&mut self, name: &str, value: SlotValue) {
        let shown = match &value {
            SlotValue::Bool(_) | SlotValue::Number(_) => value.to_string(),
            SlotValue::String(text) if is_plain(name, text) => text.clone(),
            _ => "***".to_owned(),
        };
        self.commands.push(Command::Note(Note::Slot {
            name: name.to_owned(),
            value: shown,
        }));
        self.slots.insert(name.to_owned(), value);
    }

    pub(super) fn say(
        &mut self,
        texts: &Texts,
        barge_in: bool,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let text = self.render(text_in(texts, self.language), now)?;
        self.speak(text, barge_in);
        Ok(())
    }

    pub(super) fn say_plain(&mut self, texts: &Texts, barge_in: bool) {
        let text = text_in(texts, self.language).to_owned();
        self.speak(text, barge_in);
    }

    pub(super) fn phrase(&mut self, texts: &Texts, values: &[(&str, &str)]) {
        let language = ("language", self.language.code());
        let values = values.iter().chain([&language]);
        let values = minijinja::Value::from_pairs(values.map(|(name, value)| (*name, *value)));
        let text = text_in(texts, self.language);
        match self.playbook.environment.render_str(text, values) {
            Ok(text) => self.speak(text, true),
            Err(error) => self.note_fault(format!("phrase {text:?}: {error}")),
        }
    }

    /// Tells the caller that it takes a moment.
    pub(super) fn reassure(&mut self) {
        if let Some(text) = self.playbook.one_moment(self.language) {
            self.commands.push(Command::Reassure(Say {
                language: self.language,
                text,
                barge_in: true,
            }));
        }
    }

    pub(super) fn speak(&mut self, text: String, barge_in: bool) {
        let text = text.trim().to_owned();
        if !text.is_empty() {
            let language = self.language;
            self.commands.push(Command::Say(Say {
                language,
                text,
                barge_in,
            }));
        }
    }

    pub(super) fn render(&self, template: &str, now: Timestamp) -> Result<String, Fault> {
        if !template.contains('{') {
            return Ok(template.to_owned());
        }
        let rendered = self
            .playbook
            .environment
            .render_str(template, self.seen(now));
        rendered.map_err(|error| format!("text {template:?}: {error}"))
    }

    pub(super) fn evaluate(
        &self,
        expression: &str,
        now: Timestamp,
    ) -> Result<minijinja::Value, Fault> {
        let compiled = self.playbook.environment.compile_expression(expression);
        let value = compiled.and_then(|compiled| compiled.eval(self.seen(now)));
        value.map_err(|error| format!("expression {expression:?}: {error}"))
    }

    pub(super) fn text_of(&self, expression: &str, now: Timestamp) -> Result<String, Fault> {
        Ok(self.evaluate(expression, now)?.to_string())
    }

    pub(super) fn department_in(
        &self,
        expression: &str,
        now: Timestamp,
    ) -> Result<DepartmentId, Fault> {
        let id = DepartmentId(self.text_of(expression, now)?);
        match self.playbook.department(&id) {
            Some(_) => Ok(id),
            None => Err(format!(
                "expression {expression:?} gives {id}, which is no department"
            )),
        }
    }

    pub(super) fn recording_in(&self, slot: Option<&str>) -> Option<Recording> {
        let value = self.slots.get(slot?)?.clone();
        serde_json::from_value(value).ok()
    }

    pub(super) fn gathered(
        &self,
        facts: &flow::Entries,
        now: Timestamp,
    ) -> Result<Vec<(String, String)>, Fault> {
        let render =
            |(name, template): &(String, String)| Ok((name.clone(), self.render(template, now)?));
        facts.0.iter().map(render).collect()
    }

    pub(super) fn seen(&self, now: Timestamp) -> minijinja::Value {
        scope::seen(
            &self.playbook,
            &self.caller,
            &self.slots,
            &self.facts,
            self.language,
            self.speech,
            &self.said,
            now,
        )
    }

    pub(super) fn understood(&mut self, heard: &str, meaning: &Meaning) {
        let (taken, confidence, verdict, why) = match meaning {
            Meaning::Answer { answer, confirm } => {
                let slots: Vec<String> = answer
                    .slots
                    .iter()
                    .map(|(name, value)| {
                        format!("{name} = {}", value.as_str().unwrap_or(&value.to_string()))
                    })
                    .collect();
                let verdict = if *confirm { "confirm" } else { "act" };
                (
                    Some(slots.join(", ")),
                    answer.confidence,
                    verdict,
                    answer.why.clone(),
                )
            }
            Meaning::Confirmation(true) => (Some("yes".to_owned()), 1.0, "act", Vec::new()),
            Meaning::Confirmation(false) => (Some("no".to_owned()), 1.0, "ask again", Vec::new()),
            Meaning::Between([first, second], why) => (
                Some(format!("{first} or {second}")),
                0.5,
                "ask which",
                why.clone(),
            ),
            Meaning::Operator => (Some("operator".to_owned()), 1.0, "act", Vec::new()),
            Meaning::Repeat => (Some("repeat".to_owned()), 1.0, "act", Vec::new()),
            Meaning::Language(language) => (Some(language.to_string()), 1.0, "act", Vec::new()),
            Meaning::More => return,
            Meaning::Nothing(why) => (None, 0.0, "ask again", why.clone()),
        };
        self.commands.push(Command::Note(Note::Understood {
            heard: heard.to_owned(),
            meaning: taken,
            confidence,
            verdict: verdict.to_owned(),
            why,
        }));
    }

    pub(super) fn note_verdict(&mut self, heard: &str, verdict: &str) {
        self.commands.push(Command::Note(Note::Understood {
            heard: heard.to_owned(),
            meaning: None,
            confidence: 0.0,
            verdict: verdict.to_owned(),
            why: Vec::new(),
        }));
    }

    pub(super) fn note_fault(&mut self, message: String) {
        self.commands.push(Command::Note(Note::Fault { message }));
    }
}

/// Tells whether a slot's value says nothing about a person: names of things, not what was said.
fn is_plain(name: &str, text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    matches!(
        name,
        "department" | "wish" | "reference" | "language" | "date" | "time"
    ) || (digits == 0 && text.len() <= 24 && !text.contains(' '))
}
