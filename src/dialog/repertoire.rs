//! What a tenant's flows can say, as far as it is known before anyone calls: so that it can be
//! spoken and kept before the first caller needs it.

use std::collections::BTreeSet;

use minijinja::{Value, context};

use super::playbook::Playbook;
use super::scope::text_in;
use super::speak;
use crate::flow::{Answer, Ask, Branch, Step};
use crate::words::{Language, Texts};

impl Playbook {
    /// Returns every text that does not depend on the caller, in every language of the tenant:
    /// those without blanks, and those whose blanks are the tenant, a department or a key.
    pub fn repertoire(&self) -> BTreeSet<(Language, String)> {
        let mut texts = Vec::new();
        for flow in self.shelf.flows.values() {
            for steps in flow.states.values() {
                gather(steps, &mut texts);
            }
        }
        texts.extend(self.shelf.phrases.all().map(|(_, phrase, _)| phrase));
        let mut repertoire = BTreeSet::new();
        for language in &self.shelf.tenant.languages {
            let scopes = self.scopes(*language);
            for texts in &texts {
                let template = text_in(texts, *language);
                for scope in &scopes {
                    // What cannot be filled in yet depends on the call.
                    if let Ok(text) = self.environment.render_str(template, scope.clone()) {
                        let text = text.trim().to_owned();
                        if !text.is_empty() {
                            repertoire.insert((*language, text));
                        }
                    }
                }
            }
        }
        repertoire
    }

    /// Returns what is known beforehand: the tenant, and the tenant with each department and key.
    fn scopes(&self, language: Language) -> Vec<Value> {
        let tenant = context! { name => text_in(&self.shelf.tenant.name, language) };
        let code = language.code();
        let mut scopes: Vec<Value> = [true, false]
            .map(|speech| context! { tenant => tenant.clone(), language => code, speech => speech })
            .into();
        for id in self.shelf.tenant.departments.keys() {
            let name = self.department_name(id, language);
            scopes.push(context! {
                tenant => tenant.clone(), language => code, speech => true, name => name.clone(),
                department => context! { id => id.to_string(), name => name },
            });
        }
        for (key, id) in &self.shelf.tenant.keys {
            scopes.push(context! {
                language => code,
                key => speak::digits(&key.to_string(), language),
                name => self.department_name(id, language),
            });
        }
        scopes
    }
}

fn gather<'a>(steps: &'a [Step], texts: &mut Vec<&'a Texts>) {
    for step in steps {
        match step {
            Step::Say(say) => texts.push(say.texts()),
            Step::Ask(ask) => gather_question(ask, texts),
            Step::When(branches) => {
                for Branch {
                    steps, otherwise, ..
                } in branches
                {
                    gather(steps.as_deref().unwrap_or_default(), texts);
                    gather(otherwise.as_deref().unwrap_or_default(), texts);
                }
            }
            Step::Record(record) => {
                texts.push(&record.say);
                gather(&record.otherwise, texts);
            }
            Step::Message(message) => gather(&message.otherwise, texts),
            Step::Cancel(cancel) => gather(&cancel.otherwise, texts),
            Step::Callback(callback) => gather(&callback.otherwise, texts),
            Step::Hangup(hangup) => texts.push(&hangup.say),
            Step::Notices(_)
            | Step::Goto(_)
            | Step::Call(_)
            | Step::Set(_)
            | Step::Transfer(_)
            | Step::Language(_)
            | Step::Return(_) => {}
        }
    }
}

fn gather_question<'a>(ask: &'a Ask, texts: &mut Vec<&'a Texts>) {
    texts.push(&ask.say);
    texts.extend(&ask.again);
    if let Answer::Choice(choices) = &ask.answer {
        texts.extend(choices.values().map(|choice| &choice.say));
    }
    gather(&ask.otherwise, texts);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::flow::Library;

    #[test]
    fn the_greeting_and_the_words_of_each_department_are_known_before_anyone_calls() {
        let (library, findings) = Library::embedded();
        let library = library.unwrap_or_else(|| panic!("{findings:?}"));
        let shelf = library.shelf(&"egekoebing".into()).unwrap();
        let repertoire = Playbook::new(Arc::clone(shelf)).unwrap().repertoire();
        let knows = |language, text: &str| repertoire.contains(&(language, text.to_owned()));
        assert!(knows(
            Language::DA,
            "Velkommen til Egekøbing Kommune. Du taler med en digital assistent."
        ));
        assert!(knows(Language::DA, "Jeg stiller dig om til jobcenteret."));
        assert!(knows(Language::EN, "I did not hear anything."));
        assert!(repertoire.iter().all(|(_, text)| !text.contains('{')));
    }
}
