//! One question being asked: what the caller's words and keys mean as an answer to it.
//!
//! It interprets only; when to ask again, confirm or give up is [`super::Dialog`]'s affair.

mod enough;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::{Timestamp, civil};
use serde_json::json;

use super::command::Expect;
use super::event::{Heard, Hypothesis};
use super::hear;
use super::playbook::{Playbook, department_of};
use super::program::Otherwise;
use super::scope::SlotValue;
use super::speak;
use crate::flow::{Answer, Ask, LANGUAGE_INTENT, Module};
use crate::language::tongue;
use crate::understand::{self, Intent, Match, Verdict, Vocabulary};
use crate::words::{IntentName, Key, Language};

/// A recogniser surer than this is believed; below it an answer is confirmed.
const SURE: f32 = 0.6;
/// An answer of at least this confidence is acted on without asking back.
const ACT: f32 = 0.8;

/// An intent that is wanted here is worth a question from this score, though another fits better.
const LIKELY: f32 = 0.4;

/// The question that the dialog waits to have answered.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) ask: Arc<Ask>,
    pub(super) otherwise: Otherwise,
    /// How often it was asked so far.
    pub(super) tries: u32,
    /// An answer that the caller is asked to confirm.
    pub(super) confirming: Option<Answered>,
    /// Two intents between which the caller is asked to choose.
    pub(super) between: Option<[IntentName; 2]>,
    /// Keys typed so far, where an answer takes several.
    pub(super) typed: String,
    /// Whether the caller is speaking now.
    pub(super) speaking: bool,
    /// The vocabulary of a choice, made when it is first needed and not for every partial.
    choices: OnceLock<Vocabulary>,
}

/// An answer to the question.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answered {
    /// The slots it fills.
    pub(super) slots: Vec<(String, SlotValue)>,
    /// How it is said aloud when it is read back.
    pub(super) aloud: String,
    /// 0 to 1.
    pub(super) confidence: f32,
    /// Why it was taken for this.
    pub(super) why: Vec<String>,
}

/// What a caller's turn came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// An answer; to be confirmed first where `confirm`.
    Answer { answer: Answered, confirm: bool },
    /// Yes or no to the answer being confirmed.
    Confirmation(bool),
    /// One of two intents; ask which.
    Between([IntentName; 2], Vec<String>),
    /// The caller wants a person.
    Operator,
    /// The caller wants to hear it again.
    Repeat,
    /// The caller wants another language.
    Language(Language),
    /// More keys are to come.
    More,
    /// Nothing that answers the question.
    Nothing(Vec<String>),
}

/// A turn interpreted: in which language, from which words, to what meaning.
pub(super) struct Interpreted {
    pub(super) language: Language,
    pub(super) text: String,
    pub(super) meaning: Meaning,
}

impl Question {
    pub(super) fn new(ask: Arc<Ask>, otherwise: Otherwise) -> Self {
        Self {
            ask,
            otherwise,
            tries: 0,
            confirming: None,
            between: None,
            typed: String::new(),
            speaking: false,
            choices: OnceLock::new(),
        }
    }

    /// Returns the kind of answer expected now.
    pub(super) fn expect(&self) -> Expect {
        if self.confirming.is_some() {
            return Expect::YesNo;
        }
        match &self.ask.answer {
            Answer::Intent(_) | Answer::Department => Expect::Intent,
            Answer::Choice(_) => Expect::Choice,
            Answer::YesNo => Expect::YesNo,
            Answer::Digits(_) => Expect::Digits,
            Answer::Phone => Expect::Phone,
            Answer::Date => Expect::Date,
            Answer::Time => Expect::Time,
            Answer::Text => Expect::Text,
        }
    }

    /// Returns the pause that ends a turn, where the flow sets one for this question.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.ask.patience.filter(|_| self.confirming.is_none())
    }

    /// Tells whether an answer by keys takes several of them.
    pub(super) fn takes_several_keys(&self) -> bool {
        self.confirming.is_none()
            && matches!(
                self.ask.answer,
                Answer::Digits(_) | Answer::Phone | Answer::Date | Answer::Time
            )
    }

    /// Returns words a recogniser may expect; empty where anything may be said.
    pub(super) fn hints(&self, playbook: &Playbook, language: Language) -> Vec<String> {
        let mut hints = match self.expect() {
            Expect::YesNo => yes_no_words(language),
            Expect::Intent
            | Expect::Text
            | Expect::Digits
            | Expect::Phone
            | Expect::Date
            | Expect::Time => {
                return Vec::new();
            }
            Expect::Choice => self.choices().hints(language),
        };
        for name in ["operator", "repeat"] {
            if let Some(wording) = playbook.shelf.intents.get(name) {
                hints.extend(wording.words.get(&language).into_iter().flatten().cloned());
            }
        }
        hints
    }

    /// Returns the keys that answer this question now, and what each is called aloud.
    pub(super) fn menu(&self, playbook: &Playbook, language: Language) -> Vec<(Key, String)> {
        if let Some(between) = &self.between {
            let names = between
                .iter()
                .map(|name| intent_aloud(playbook, name, language));
            return ['1', '2']
                .into_iter()
                .filter_map(Key::new)
                .zip(names)
                .collect();
        }
        let mut menu: BTreeMap<Key, String> = BTreeMap::new();
        match &self.ask.answer {
            Answer::Intent(names) => {
                if names.iter().any(|name| name.0 == "departments") {
                    menu.extend(department_keys(playbook, language));
                }
                for (key, value) in &self.ask.keys {
                    if is_switched_off(playbook, value) {
                        continue;
                    }
                    menu.insert(
                        *key,
                        intent_aloud(playbook, &IntentName(value.clone()), language),
                    );
                }
            }
            Answer::Department => {
                menu.extend(department_keys(playbook, language));
            }
            Answer::Choice(choices) => {
                for (key, name) in self.choice_keys() {
                    let choice = choices.get(&name);
                    let aloud = choice.and_then(|choice| choice.say.get(&language));
                    menu.insert(key, aloud.cloned().unwrap_or(name));
                }
            }
            Answer::YesNo
            | Answer::Digits(_)
            | Answer::Phone
            | Answer::Date
            | Answer::Time
            | Answer::Text => {}
        }
        menu.into_iter().collect()
    }

    /// Tells what a key means.
    pub(super) fn key(
        &mut self,
        key: Key,
        playbook: &Playbook,
        language: Language,
        now: Timestamp,
    ) -> Meaning {
        let character = key.character();
        if self.confirming.is_some() {
            return match character {
                '1' => Meaning::Confirmation(true),
                '2' => Meaning::Confirmation(false),
                _ => Meaning::Nothing(wrong_key(key)),
            };
        }
        if let Some(between) = &self.between {
            let chosen = match character {
                '1' => &between[0],
                '2' => &between[1],
                '0' => return Meaning::Operator,
                _ => return Meaning::Nothing(wrong_key(key)),
            };
            return sure(self.intent(chosen, playbook, language, 1.0, vec![pressed(key)]));
        }
        match &self.ask.answer {
            Answer::Digits(_) | Answer::Phone | Answer::Date | Answer::Time => {
                self.typed_key(character, playbook, language, now)
            }
            Answer::YesNo => match (self.ask.keys.get(&key).map(String::as_str), character) {
                (Some("true" | "yes"), _) | (None, '1') => sure(self.single(json!(true), "", 1.0)),
                (Some("false" | "no"), _) | (None, '2') => sure(self.single(json!(false), "", 1.0)),
                (None, '0') => Meaning::Operator,
                _ => Meaning::Nothing(wrong_key(key)),
            },
            Answer::Choice(_) => match self.choice_keys().get(&key) {
                Some(name) => sure(self.single(json!(name), name, 1.0)),
                None if character == '0' => Meaning::Operator,
                None => Meaning::Nothing(wrong_key(key)),
            },
            Answer::Intent(_) | Answer::Department | Answer::Text => {
                if let Some(name) = self.ask.keys.get(&key) {
                    let name = IntentName(name.clone());
                    if name.0 == "operator" && !self.asks_for(&name) {
                        return Meaning::Operator;
                    }
                    return sure(self.intent(&name, playbook, language, 1.0, vec![pressed(key)]));
                }
                match playbook.shelf.tenant.keys.get(&key) {
                    Some(department) if !matches!(self.ask.answer, Answer::Text) => {
                        let name = IntentName(format!("department.{department}"));
                        sure(self.intent(&name, playbook, language, 1.0, vec![pressed(key)]))
                    }
                    _ if character == '0' => Meaning::Operator,
                    _ => Meaning::Nothing(wrong_key(key)),
                }
            }
        }
    }

    /// Adds a key to what was typed and tells whether it is an answer yet.
    fn typed_key(
        &mut self,
        character: char,
        playbook: &Playbook,
        language: Language,
        now: Timestamp,
    ) -> Meaning {
        match character {
            '#' => return self.typed_out(playbook, language, now),
            '*' => {
                self.typed.clear();
                return Meaning::More;
            }
            digit if digit.is_ascii_digit() => self.typed.push(digit),
            _ => return Meaning::Nothing(vec![format!("key {character} is no digit")]),
        }
        let full = match &self.ask.answer {
            Answer::Digits(digits) => usize::from(digits.max),
            Answer::Phone if self.typed.starts_with('0') => usize::MAX,
            Answer::Phone => 8,
            _ => 4,
        };
        if self.typed.len() >= full {
            self.typed_out(playbook, language, now)
        } else {
            Meaning::More
        }
    }

    /// Takes what was typed as complete.
    pub(super) fn typed_out(
        &mut self,
        playbook: &Playbook,
        language: Language,
        now: Timestamp,
    ) -> Meaning {
        let typed = std::mem::take(&mut self.typed);
        let today = now.to_zoned(playbook.zone.clone()).date();
        let answer = match &self.ask.answer {
            Answer::Digits(digits)
                if (usize::from(digits.min)..=usize::from(digits.max)).contains(&typed.len()) =>
            {
                Some(self.single(json!(typed), &speak::digits(&typed, language), 1.0))
            }
            Answer::Phone => crate::words::PhoneNumber::parse(&typed).ok().map(|number| {
                self.single(json!(number.e164()), &speak::phone(&number, language), 1.0)
            }),
            Answer::Date => day_of_keys(&typed, today).map(|date| {
                self.single(
                    json!(date.to_string()),
                    &speak::date(date, today, language),
                    1.0,
                )
            }),
            Answer::Time => time_of_keys(&typed).map(|time| self.time_answer(time, language, 1.0)),
            _ => None,
        };
        match answer {
            Some(answer) => Meaning::Answer {
                confirm: self.ask.confirm == Some(true),
                answer,
            },
            None => Meaning::Nothing(vec![format!("{} keys are no such answer", typed.len())]),
        }
    }

    /// Tells what a spoken turn means; `current` is the language of the call.
    pub(super) fn heard(
        &self,
        heard: &Heard,
        playbook: &Playbook,
        current: Language,
        now: Timestamp,
    ) -> Option<Interpreted> {
        let best = understand::choose(heard, current, &playbook.vocabulary)?;
        let mut order: Vec<&Hypothesis> = vec![best];
        order.extend(
            heard
                .hypotheses
                .iter()
                .filter(|other| !std::ptr::eq(*other, best)),
        );
        let mut first = None;
        for hypothesis in order {
            let meaning = self.meaning(hypothesis, playbook, now);
            let interpreted = Interpreted {
                language: hypothesis.language,
                text: hypothesis.text.clone(),
                meaning,
            };
            match interpreted.meaning {
                Meaning::Nothing(_) => first = first.or(Some(interpreted)),
                _ => return Some(interpreted),
            }
        }
        first
    }

    fn meaning(&self, hypothesis: &Hypothesis, playbook: &Playbook, now: Timestamp) -> Meaning {
        let Hypothesis {
            language,
            text,
            confidence,
        } = hypothesis;
        let (language, sureness) = (*language, *confidence);
        let today = now.to_zoned(playbook.zone.clone()).date();
        // "In English, please" is no yes, and "no, a person" is more than a no.
        let open = matches!(
            self.ask.answer,
            Answer::Intent(_) | Answer::Department | Answer::Choice(_)
        );
        if (self.confirming.is_some() || !open)
            && let Some(wish) = self.house_wish(hypothesis, playbook)
        {
            return wish;
        }
        if self.confirming.is_some()
            && let Some(answer) = hear::yes_no(text, language)
        {
            return Meaning::Confirmation(answer.value);
        }
        let direct = match &self.ask.answer {
            Answer::YesNo => hear::yes_no(text, language).map(|it| {
                (
                    self.single(json!(it.value), "", it.confidence),
                    vec![it.why],
                )
            }),
            Answer::Digits(digits) => hear::digits(text, language)
                .filter(|it| (digits.min..=digits.max).contains(&(it.value.len() as u8)))
                .map(|it| {
                    let aloud = speak::digits(&it.value, language);
                    (
                        self.single(json!(it.value), &aloud, it.confidence),
                        vec![it.why],
                    )
                }),
            Answer::Phone => hear::phone(text, language).map(|it| {
                let aloud = speak::phone(&it.value, language);
                // A misheard number sends a promise to a stranger, so it is always read back.
                (
                    self.single(
                        json!(it.value.e164()),
                        &aloud,
                        it.confidence.min(ACT - 0.01),
                    ),
                    vec![it.why],
                )
            }),
            Answer::Date => hear::date(text, language, today).map(|it| {
                let aloud = speak::date(it.value, today, language);
                (
                    self.single(json!(it.value.to_string()), &aloud, it.confidence),
                    vec![it.why],
                )
            }),
            Answer::Time => hear::time(text, language, hear::Daytime::default()).map(|it| {
                (
                    self.time_answer(it.value, language, it.confidence),
                    vec![it.why],
                )
            }),
            Answer::Choice(_) => return self.among(self.choices(), hypothesis, playbook),
            Answer::Intent(_) | Answer::Department => {
                return self.among(&playbook.vocabulary, hypothesis, playbook);
            }
            Answer::Text => None,
        };
        if let Some((mut answer, why)) = direct {
            answer.why = why;
            answer.confidence *= if sureness < SURE { 0.7 } else { 1.0 };
            let doubtful = answer.confidence < ACT && self.expect() != Expect::YesNo;
            let confirm = self.ask.confirm.unwrap_or(doubtful);
            return Meaning::Answer { confirm, answer };
        }
        if matches!(self.ask.answer, Answer::Text) && !text.replace("[unk]", "").trim().is_empty() {
            let confirm = self.ask.confirm.unwrap_or(false);
            return Meaning::Answer {
                confirm,
                answer: self.single(json!(text), text, sureness),
            };
        }
        Meaning::Nothing(vec![format!("no {:?} in {text:?}", self.expect())])
    }

    /// What a caller may want at any question: a person, to hear it again, the other language.
    fn house_wish(&self, hypothesis: &Hypothesis, playbook: &Playbook) -> Option<Meaning> {
        let understanding = playbook
            .vocabulary
            .understand(&hypothesis.text, hypothesis.language);
        if understanding.verdict != Verdict::Act {
            return None;
        }
        house_meaning(&understanding.ranked.first()?.intent)
    }

    /// Finds one of the intents that this question asks for.
    fn among(
        &self,
        vocabulary: &Vocabulary,
        hypothesis: &Hypothesis,
        playbook: &Playbook,
    ) -> Meaning {
        let Hypothesis {
            text,
            language,
            confidence,
        } = hypothesis;
        let understanding = vocabulary.understand(text, *language);
        let first = understanding.ranked.first().map(|best| &best.intent);
        let ranked: Vec<&Match> = understanding
            .ranked
            .iter()
            .filter(|found| self.wanted(&found.intent))
            .collect();
        let Some(best) = ranked.first() else {
            return self
                .house_wish(hypothesis, playbook)
                .unwrap_or_else(|| Meaning::Nothing(vec![format!("nothing known in {text:?}")]));
        };
        let verdict = match understanding.verdict {
            Verdict::Unclear if ranked.len() < 2 || self.between.is_some() => Verdict::Confirm,
            verdict if first == Some(&best.intent) => verdict,
            _ if best.score >= LIKELY => Verdict::Confirm,
            _ => Verdict::Nothing,
        };
        let why = best.why.clone();
        match verdict {
            Verdict::Nothing => self
                .house_wish(hypothesis, playbook)
                .unwrap_or(Meaning::Nothing(why)),
            Verdict::Unclear => {
                let second = ranked[1];
                let why = why.into_iter().chain(second.why.iter().cloned()).collect();
                Meaning::Between([best.intent.clone(), second.intent.clone()], why)
            }
            Verdict::Act | Verdict::Confirm => {
                if !self.asks_for(&best.intent)
                    && let Some(wish) = house_meaning(&best.intent)
                {
                    return wish;
                }
                let answer = self.intent(&best.intent, playbook, *language, best.score, why);
                let doubtful = verdict != Verdict::Act || *confidence < SURE;
                // Between two, the caller has just chosen: asking again would be a third time.
                let confirm = self
                    .ask
                    .confirm
                    .unwrap_or(doubtful && self.between.is_none());
                Meaning::Answer { answer, confirm }
            }
        }
    }

    fn wanted(&self, name: &IntentName) -> bool {
        if let Some(between) = &self.between {
            return between.contains(name);
        }
        self.asks_for(name) || house_meaning(name).is_some()
    }

    /// Tells whether the flow itself asks for an intent, whatever the house does with it elsewhere.
    fn asks_for(&self, name: &IntentName) -> bool {
        match &self.ask.answer {
            Answer::Intent(names) => {
                let department = department_of(name).is_some();
                names.contains(name)
                    || (department && names.iter().any(|name| name.0 == "departments"))
            }
            Answer::Department => department_of(name).is_some(),
            _ => true,
        }
    }

    /// Returns the vocabulary of a choice.
    fn choices(&self) -> &Vocabulary {
        self.choices.get_or_init(|| vocabulary_of(&self.ask.answer))
    }

    /// Returns the keys of a choice: the file's, else 1, 2, 3 … in the order of the file.
    fn choice_keys(&self) -> BTreeMap<Key, String> {
        let Answer::Choice(choices) = &self.ask.answer else {
            return BTreeMap::new();
        };
        if !self.ask.keys.is_empty() {
            return self.ask.keys.clone();
        }
        ('1'..='9')
            .filter_map(Key::new)
            .zip(choices.keys().cloned())
            .collect()
    }

    fn intent(
        &self,
        name: &IntentName,
        playbook: &Playbook,
        language: Language,
        score: f32,
        why: Vec<String>,
    ) -> Answered {
        let into = self.ask.into.clone();
        let slots = match (department_of(name), &self.ask.answer) {
            (Some(id), Answer::Department) => vec![(into, json!(id))],
            (Some(id), _) => {
                vec![
                    ("department".to_owned(), json!(id)),
                    (into, json!("department")),
                ]
            }
            (None, _) => vec![(into, json!(name))],
        };
        let aloud = match &self.ask.answer {
            Answer::Choice(choices) => choices
                .get(name.0.as_str())
                .and_then(|choice| choice.say.get(&language))
                .cloned()
                .unwrap_or_else(|| name.to_string()),
            _ => intent_aloud(playbook, name, language),
        };
        Answered {
            slots,
            aloud,
            confidence: score,
            why,
        }
    }

    /// Returns how an answer is said aloud in another language than the one it was given in.
    pub(super) fn aloud(
        &self,
        answer: &Answered,
        playbook: &Playbook,
        language: Language,
        now: Timestamp,
    ) -> String {
        let slot = |name: &str| {
            let found = answer.slots.iter().find(|(slot, _)| slot == name);
            found.and_then(|(_, value)| value.as_str())
        };
        let value = slot(&self.ask.into).unwrap_or_default();
        let today = now.to_zoned(playbook.zone.clone()).date();
        let aloud = match &self.ask.answer {
            Answer::Intent(_) => Some(match slot("department") {
                Some(id) => playbook.department_name(&id.into(), language),
                None => intent_aloud(playbook, &value.into(), language),
            }),
            Answer::Department => Some(playbook.department_name(&value.into(), language)),
            Answer::Choice(choices) => {
                let choice = choices.get(value);
                choice.and_then(|choice| choice.say.get(&language)).cloned()
            }
            Answer::Digits(_) => Some(speak::digits(value, language)),
            Answer::Phone => {
                let number = crate::words::PhoneNumber::parse(value).ok();
                number.map(|number| speak::phone(&number, language))
            }
            Answer::Date => {
                let date = value.parse().ok();
                date.map(|date| speak::date(date, today, language))
            }
            Answer::Time => {
                let time = value.parse().ok();
                time.map(|time| speak::time(time, language))
            }
            Answer::YesNo | Answer::Text => None,
        };
        aloud.unwrap_or_else(|| answer.aloud.clone())
    }

    fn single(&self, value: SlotValue, aloud: &str, confidence: f32) -> Answered {
        Answered {
            slots: vec![(self.ask.into.clone(), value)],
            aloud: aloud.to_owned(),
            confidence,
            why: Vec::new(),
        }
    }

    fn time_answer(&self, time: civil::Time, language: Language, confidence: f32) -> Answered {
        let value = json!(time.strftime("%H:%M").to_string());
        self.single(value, &speak::time(time, language), confidence)
    }
}

/// Makes the vocabulary of a choice; an empty one of any other answer.
fn vocabulary_of(answer: &Answer) -> Vocabulary {
    let Answer::Choice(choices) = answer else {
        return Vocabulary::new(&[]);
    };
    let intents: Vec<Intent> = choices
        .iter()
        .map(|(name, choice)| {
            let mut words = choice.words.clone();
            for (language, said) in &choice.say {
                words.entry(*language).or_default().push(said.clone());
            }
            Intent {
                words,
                ..Intent::new(IntentName(name.clone()))
            }
        })
        .collect();
    Vocabulary::new(&intents)
}

/// Returns what an intent is called aloud.
pub(super) fn intent_aloud(playbook: &Playbook, name: &IntentName, language: Language) -> String {
    if let Some(department) = department_of(name) {
        return playbook.department_name(&department, language);
    }
    let named = playbook
        .shelf
        .intents
        .get(name)
        .and_then(|intent| intent.name.get(&language));
    named.cloned().unwrap_or_else(|| name.to_string())
}

/// Returns what a recogniser may expect as yes or no.
fn yes_no_words(language: Language) -> Vec<String> {
    tongue(language).answers.expected.clone()
}

fn department_keys(playbook: &Playbook, language: Language) -> Vec<(Key, String)> {
    let keys = playbook.shelf.tenant.keys.iter();
    keys.map(|(key, id)| (*key, playbook.department_name(id, language)))
        .collect()
}

fn house_meaning(intent: &IntentName) -> Option<Meaning> {
    match intent.0.as_str() {
        "operator" => Some(Meaning::Operator),
        "repeat" => Some(Meaning::Repeat),
        name => name
            .strip_prefix(LANGUAGE_INTENT)?
            .parse()
            .ok()
            .map(Meaning::Language),
    }
}

/// Tells whether a key's intent is a module that the tenant has switched off: it is not read out.
fn is_switched_off(playbook: &Playbook, intent: &str) -> bool {
    let module = Module::ALL
        .into_iter()
        .find(|module| module.name() == intent);
    module.is_some_and(|module| !playbook.has(module))
}

fn sure(answer: Answered) -> Meaning {
    Meaning::Answer {
        answer,
        confirm: false,
    }
}

fn pressed(key: Key) -> String {
    format!("key {key}")
}

fn wrong_key(key: Key) -> Vec<String> {
    vec![format!("key {key} means nothing here")]
}

/// Reads four keys as day and month: the next such day.
fn day_of_keys(typed: &str, today: civil::Date) -> Option<civil::Date> {
    let (day, month) = (
        typed.get(..2)?.parse().ok()?,
        typed.get(2..4)?.parse().ok()?,
    );
    (0..=4).find_map(|years| {
        let date = civil::Date::new(today.year() + years, month, day).ok()?;
        (date >= today).then_some(date)
    })
}

/// Reads three or four keys as a time of day.
fn time_of_keys(typed: &str) -> Option<civil::Time> {
    let padded = if typed.len() <= 2 {
        format!("{typed:0>2}00")
    } else {
        format!("{typed:0>4}")
    };
    let (hour, minute) = (
        padded.get(..2)?.parse().ok()?,
        padded.get(2..4)?.parse().ok()?,
    );
    civil::Time::new(hour, minute, 0, 0).ok()
}
