//! Asking: puts questions, takes answers, asks again and gives up.

use jiff::Timestamp;

use super::super::command::{Command, Listen};
use super::super::program::Otherwise;
use super::super::question::{Answered, Meaning, intent_aloud};
use super::super::speak;
use super::{Dialog, KEY_PAUSE, Missed, Waiting};
use crate::flow;

impl Dialog {
    /// Acts on what a turn meant.
    pub(super) fn meant(&mut self, meaning: Meaning, missed: Missed, now: Timestamp) {
        let Waiting::Question(question) = &mut self.waiting else {
            return;
        };
        self.deadline = None;
        match meaning {
            Meaning::Answer {
                answer,
                confirm: true,
            } => {
                question.between = None;
                question.confirming = Some(answer);
                self.ask_to_confirm();
            }
            Meaning::Answer {
                answer,
                confirm: false,
            } => self.take(answer, now),
            Meaning::Confirmation(true) => {
                if let Some(answer) = question.confirming.take() {
                    self.take(answer, now);
                }
            }
            Meaning::Confirmation(false) => {
                question.confirming = None;
                self.missed(Missed::Wrong, now);
            }
            Meaning::Between(between, _) => {
                let [first, second] = between
                    .clone()
                    .map(|name| intent_aloud(&self.playbook, &name, self.language));
                question.between = Some(between);
                let which = self.playbook.shelf.phrases.which_of.clone();
                self.phrase(&which, &[("first", &first), ("second", &second)]);
                self.say_menu_if(!self.speech);
                self.listen();
            }
            Meaning::Operator => self.call_operator(),
            Meaning::Repeat if question.confirming.is_some() => self.ask_to_confirm(),
            Meaning::Repeat => self.put_question(Missed::Nothing, now),
            Meaning::Language(language) => self.change_language(language, now),
            Meaning::More => self.deadline = Some(now + KEY_PAUSE),
            Meaning::Nothing(_) => self.missed(missed, now),
        }
    }

    /// Takes an answer and goes on.
    pub(super) fn take(&mut self, answer: Answered, now: Timestamp) {
        self.commands.push(Command::Deafen);
        if self.took_language(&answer, now) {
            return;
        }
        for (name, value) in answer.slots {
            self.set(&name, value);
        }
        self.run(now);
    }

    /// Asks again, or gives the question up.
    pub(super) fn missed(&mut self, missed: Missed, now: Timestamp) {
        let Waiting::Question(question) = &mut self.waiting else {
            return;
        };
        question.confirming = None;
        question.between = None;
        question.typed.clear();
        if question.tries < question.ask.tries {
            return self.put_question(missed, now);
        }
        self.commands.push(Command::Deafen);
        let otherwise = question.otherwise;
        self.note_verdict(missed.word(), "give up");
        self.go_otherwise(otherwise, now);
    }

    pub(super) fn go_otherwise(&mut self, otherwise: Otherwise, now: Timestamp) {
        match (otherwise, self.stack.last_mut()) {
            (Some(at), Some(frame)) => {
                frame.at = at;
                self.run(now);
            }
            _ => self.call_operator(),
        }
    }

    /// Says the question, the shorter or more helpful way after a miss, and listens.
    pub(super) fn put_question(&mut self, missed: Missed, now: Timestamp) {
        let Waiting::Question(question) = &mut self.waiting else {
            return;
        };
        question.speaking = false;
        let again = missed != Missed::Nothing;
        if again || question.tries == 0 {
            question.tries += 1;
        }
        let (tries, ask) = (question.tries, question.ask.clone());
        let phrases = self.playbook.shelf.phrases.clone();
        match missed {
            Missed::NotUnderstood => self.phrase(&phrases.not_understood, &[]),
            Missed::Silence => self.phrase(&phrases.not_heard, &[]),
            Missed::WrongKey => self.phrase(&phrases.wrong_key, &[]),
            Missed::Nothing | Missed::Wrong => {}
        }
        let text = match tries.checked_sub(2) {
            Some(retry) => ask
                .again
                .get(retry as usize)
                .or(ask.again.last())
                .unwrap_or(&ask.say),
            None => &ask.say,
        };
        if self.offer_languages() {
            self.listen();
            return self.retype(now);
        }
        if let Err(fault) = self.say(text, ask.barge_in.by_speech(), now) {
            return self.fault(fault);
        }
        self.say_menu_if(!self.speech || (tries > 1 && tries >= ask.tries));
        self.listen();
        self.retype(now);
    }

    /// Gives keys pressed before the question to it.
    pub(super) fn retype(&mut self, now: Timestamp) {
        for key in std::mem::take(&mut self.typed_ahead) {
            self.key(key, now);
        }
    }

    pub(super) fn ask_to_confirm(&mut self) {
        let Waiting::Question(question) = &mut self.waiting else {
            return;
        };
        question.speaking = false;
        let Some(answer) = &question.confirming else {
            return;
        };
        let phrases = self.playbook.shelf.phrases.clone();
        let aloud = answer.aloud.clone();
        match &question.ask.answer {
            flow::Answer::Intent(_) | flow::Answer::Department | flow::Answer::Choice(_) => {
                self.phrase(&phrases.confirm_intent, &[("name", &aloud)]);
            }
            _ => self.phrase(&phrases.confirm_value, &[("value", &aloud)]),
        }
        if !self.speech {
            self.phrase(&phrases.press_yes_no, &[]);
        }
        self.listen();
    }

    /// Reads the keys of the question out.
    pub(super) fn say_menu_if(&mut self, wanted: bool) {
        let Waiting::Question(question) = &self.waiting else {
            return;
        };
        if !wanted {
            return;
        }
        let phrases = self.playbook.shelf.phrases.clone();
        let menu = question.menu(&self.playbook, self.language);
        match &question.ask.answer {
            flow::Answer::YesNo => self.phrase(&phrases.press_yes_no, &[]),
            flow::Answer::Digits(_) | flow::Answer::Phone => {
                self.phrase(&phrases.enter_digits, &[]);
            }
            flow::Answer::Date => self.phrase(&phrases.enter_date, &[]),
            flow::Answer::Time => self.phrase(&phrases.enter_time, &[]),
            _ => {
                for (key, name) in menu {
                    let key = speak::digits(&key.to_string(), self.language);
                    self.phrase(&phrases.press_key, &[("key", &key), ("name", &name)]);
                }
            }
        }
    }

    pub(super) fn listen(&mut self) {
        let Waiting::Question(question) = &self.waiting else {
            return;
        };
        if !self.speech {
            return;
        }
        let languages = self.heard_languages();
        let hints = languages
            .iter()
            .map(|language| (*language, question.hints(&self.playbook, *language)))
            .collect();
        self.commands.push(Command::Listen(Listen {
            expect: question.expect(),
            languages,
            hints,
            patience: question.patience(),
        }));
    }
}
