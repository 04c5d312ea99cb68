//! The language of a call: the one it begins in, and what happens when the caller changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::event::Heard;
use super::super::question::{Answered, Question};
use super::super::speak;
use super::{Dialog, Missed, Waiting};
use crate::flow::{Answer, Ask, BargeIn, Choice, LanguageChoice};
use crate::language::tongue;
use crate::words::{Key, Language, Texts};

/// The slot that the question for the language would fill; no flow can name it.
const SLOT: &str = "(language)";

impl Dialog {
    /// Tells whether the caller is asked for a language before anything else.
    pub(super) fn asks_language(&self) -> bool {
        let tenant = &self.playbook.shelf.tenant;
        !self.language_given
            && tenant.language_choice == LanguageChoice::Asked
            && tenant.languages.len() > 1
    }

    /// Asks which language the caller speaks; the flow begins with the answer, or without one.
    pub(super) fn ask_language(&mut self, now: Timestamp) {
        let languages = self.playbook.shelf.tenant.languages.clone();
        let mut choices = BTreeMap::new();
        for language in &languages {
            let tongue = tongue(*language);
            let choice = Choice {
                say: tongue.name.clone(),
                words: tongue.asked_for.clone(),
            };
            choices.insert(language.to_string(), choice);
        }
        let keys = ('1'..='9').filter_map(Key::new);
        let ask = Ask {
            say: Texts::new(),
            answer: Answer::Choice(choices),
            into: SLOT.to_owned(),
            keys: keys
                .zip(languages.iter().map(Language::to_string))
                .collect(),
            again: Vec::new(),
            tries: 2,
            silence_seconds: 6,
            confirm: None,
            otherwise: Vec::new(),
            barge_in: BargeIn::default(),
            patience: None,
        };
        let begin = self.stack.last().map(|frame| frame.at);
        self.waiting = Waiting::Question(Box::new(Question::new(Arc::new(ask), begin)));
        self.put_question(Missed::Nothing, now);
    }

    /// Offers each language in itself, where that is the question; tells whether it is.
    pub(super) fn offer_languages(&mut self) -> bool {
        if !self.is_asking_language() {
            return false;
        }
        let current = self.language;
        let languages = self.playbook.shelf.tenant.languages.clone();
        let phrase = self.playbook.shelf.phrases.choose_language.clone();
        for (key, language) in ('1'..='9').zip(languages) {
            self.language = language;
            let tongue = tongue(language);
            let name = tongue
                .name
                .get(&language)
                .map_or(language.code(), String::as_str);
            let key = speak::digits(&key.to_string(), language);
            let speech = if self.speech { "yes" } else { "" };
            let values = [
                ("language_name", name),
                ("key", key.as_str()),
                ("speech", speech),
            ];
            self.phrase(&phrase, &values);
        }
        self.language = current;
        true
    }

    fn is_asking_language(&self) -> bool {
        matches!(&self.waiting, Waiting::Question(question) if question.ask.into == SLOT)
    }

    /// Takes an answer to the question for the language; tells whether it was one.
    pub(super) fn took_language(&mut self, answer: &Answered, now: Timestamp) -> bool {
        if !self.is_asking_language() {
            return false;
        }
        let chosen = answer
            .slots
            .first()
            .and_then(|(_, code)| code.as_str()?.parse().ok());
        self.language = chosen.unwrap_or(self.language);
        self.run(now);
        true
    }

    /// Returns the languages that are listened to, the current one first.
    pub(super) fn heard_languages(&self) -> Vec<Language> {
        let tenant = &self.playbook.shelf.tenant;
        if tenant.language_choice == LanguageChoice::Fixed {
            return vec![self.language];
        }
        let mut languages = tenant.languages.clone();
        languages.sort_by_key(|language| *language != self.language);
        languages
    }

    /// Leaves out what was heard in languages that are not listened to.
    pub(super) fn in_heard_languages(&self, heard: &Heard) -> Heard {
        let languages = self.heard_languages();
        let hypotheses = heard.hypotheses.iter();
        Heard {
            hypotheses: hypotheses
                .filter(|hypothesis| languages.contains(&hypothesis.language))
                .cloned()
                .collect(),
        }
    }

    /// Goes on in the language that the caller wants; what is being confirmed stays.
    pub(super) fn change_language(&mut self, language: Language, now: Timestamp) {
        let spoken = self.playbook.shelf.tenant.languages.contains(&language);
        if spoken {
            self.language = language;
        }
        if spoken && self.is_asking_language() {
            return self.run(now);
        }
        let Waiting::Question(question) = &mut self.waiting else {
            return;
        };
        if let Some(mut answer) = question.confirming.take() {
            answer.aloud = question.aloud(&answer, &self.playbook, self.language, now);
            question.confirming = Some(answer);
            return self.ask_to_confirm();
        }
        self.put_question(Missed::Nothing, now);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::command::Command;
    use super::super::super::event::{Event, Heard};
    use super::super::super::playbook::Playbook;
    use super::super::super::scope::Caller;
    use super::*;
    use crate::flow::Library;
    use crate::words::TenantId;

    fn now() -> Timestamp {
        "2026-11-24T10:00:00+01:00".parse().unwrap()
    }

    fn dialog(choice: LanguageChoice) -> (Dialog, Vec<Command>) {
        let library = Library::embedded().0.unwrap();
        let shelf = library.shelf(&TenantId::from("graenseby")).unwrap();
        let mut shelf = (**shelf).clone();
        shelf.tenant.language_choice = choice;
        let playbook = Arc::new(Playbook::new(Arc::new(shelf)).unwrap());
        let mut dialog = Dialog::new(playbook, Caller::default(), None);
        let first = dialog.handle(Event::Answered, now());
        (dialog, first)
    }

    fn says(dialog: &mut Dialog, code: &str, text: &str) -> Vec<Command> {
        let language = code.parse().unwrap();
        dialog.handle(Event::Heard(Heard::written(language, text)), now())
    }

    fn spoken(commands: &[Command]) -> Vec<String> {
        let says = commands.iter().filter_map(|command| match command {
            Command::Say(say) => Some(format!("{}: {}", say.language, say.text)),
            _ => None,
        });
        says.collect()
    }

    fn listened(commands: &[Command]) -> Vec<String> {
        let listens = commands.iter().filter_map(|command| match command {
            Command::Listen(listen) => Some(&listen.languages),
            _ => None,
        });
        listens.flatten().map(ToString::to_string).collect()
    }

    #[test]
    fn each_language_is_offered_in_itself_where_the_tenant_has_it_asked_for() {
        let (mut dialog, first) = dialog(LanguageChoice::Asked);
        assert_eq!(
            spoken(&first),
            [
                "da: For dansk, sig dansk, eller tryk en.",
                "de: Für Deutsch sagen Sie Deutsch, oder drücken Sie zwei.",
                "en: For English, say English, or press three.",
            ]
        );
        assert_eq!(listened(&first), ["da", "de", "en"]);
        let greeted = dialog.handle(Event::Key(Key::new('2').unwrap()), now());
        assert!(spoken(&greeted)[0].starts_with("de: Willkommen bei Kommune Grænseby"));
    }

    #[test]
    fn the_language_is_taken_from_its_name_in_any_language() {
        for (code, text, expected) in [
            ("da", "tysk", "de: Willkommen"),
            ("de", "deutsch bitte", "de: Willkommen"),
            ("en", "english please", "en: Welcome"),
            ("en", "german", "de: Willkommen"),
            ("da", "dansk tak", "da: Velkommen"),
        ] {
            let (mut dialog, _) = dialog(LanguageChoice::Asked);
            let greeted = spoken(&says(&mut dialog, code, text));
            assert!(greeted[0].starts_with(expected), "{text}: {greeted:?}");
        }
    }

    #[test]
    fn who_chooses_no_language_goes_on_in_the_first() {
        let (mut dialog, _) = dialog(LanguageChoice::Asked);
        let mut greeted = Vec::new();
        for text in ["hvad", "hvad"] {
            greeted = spoken(&says(&mut dialog, "da", text));
        }
        assert!(greeted[0].starts_with("da: Velkommen"), "{greeted:?}");
    }

    #[test]
    fn a_language_that_is_known_is_not_asked_for() {
        let (dialog, _) = dialog(LanguageChoice::Asked);
        let playbook = Arc::clone(&dialog.playbook);
        let german = "de".parse().unwrap();
        let mut dialog = Dialog::new(playbook, Caller::default(), None).with_language(german);
        let first = spoken(&dialog.handle(Event::Answered, now()));
        assert!(first[0].starts_with("de: Willkommen"), "{first:?}");
    }

    #[test]
    fn a_fixed_language_changes_only_when_the_caller_asks_for_another() {
        let (mut dialog, first) = dialog(LanguageChoice::Fixed);
        assert_eq!(listened(&first), ["da"]);
        says(&mut dialog, "de", "ich brauche einen neuen reisepass");
        assert_eq!(dialog.language(), Language::DA);
        let asked = says(&mut dialog, "da", "kan vi tale tysk");
        assert_eq!(dialog.language().code(), "de");
        assert_eq!(listened(&asked), ["de"]);
    }

    #[test]
    fn a_detected_language_is_that_of_the_first_words() {
        let (mut dialog, first) = dialog(LanguageChoice::Detected);
        assert_eq!(listened(&first), ["da", "de", "en"]);
        says(&mut dialog, "de", "ich brauche einen neuen reisepass");
        assert_eq!(dialog.language().code(), "de");
    }

    #[test]
    fn a_number_that_is_being_confirmed_stays_when_the_language_changes() {
        let (mut dialog, _) = dialog(LanguageChoice::Detected);
        says(&mut dialog, "da", "jeg vil gerne ringes op");
        says(&mut dialog, "da", "borgerservice");
        let read = spoken(&says(
            &mut dialog,
            "da",
            "tyve tolv fireogtredive seksoghalvtreds",
        ));
        assert!(
            read[0].contains("Jeg hørte tyve, tolv, fireogtredive, seksoghalvtreds"),
            "{read:?}"
        );
        let read = spoken(&says(&mut dialog, "de", "auf deutsch bitte"));
        assert_eq!(
            read,
            [
                "de: Ich habe verstanden: zwanzig, zwölf, vierunddreißig, sechsundfünfzig. Ist das richtig?"
            ]
        );
        says(&mut dialog, "de", "ja genau");
        let number = dialog.slot("callback_number").and_then(|it| it.as_str());
        assert_eq!(number, Some("+4520123456"));
    }
}
