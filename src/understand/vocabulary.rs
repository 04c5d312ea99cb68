//! A tenant's words, made ready for understanding: per language an index of terms and their stems.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compound::Compounds;
use super::intent::{Intent, Understanding, Verdict};
use super::refusal;
use super::score;
use super::stem::{Stemmed, Stems};
use super::stop::{StopWords, Weight};
use super::text::{fold, resemblance, words};
use crate::language::{Tongue, tongue};
use crate::words::{IntentName, Language};

/// All intents that can be understood at one place of a flow, indexed per language.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    intents: Vec<(IntentName, i8)>,
    languages: BTreeMap<Language, Index>,
}

/// The likeness of words with one root: `flytte`, `flytning`.
const RELATED: f32 = 0.92;
/// The likeness of a short stem in a form that may as well be another word's: `læg`, `læge`.
const DUBIOUS_FORM: f32 = 0.7;

/// How strong a sign of its intent a term is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A name or synonym.
    Word,
    /// A strong word of its subject.
    Topic,
    /// A sentence.
    Example,
}

/// The terms of all intents in one language.
#[derive(Clone, Debug)]
pub(super) struct Index {
    tongue: Arc<Tongue>,
    pub(super) terms: Vec<Term>,
    pub(super) entries: Vec<Entry>,
    by_stem: BTreeMap<String, usize>,
    roots: BTreeMap<String, Vec<usize>>,
    stop: StopWords,
    compounds: Compounds,
    hints: BTreeSet<String>,
    /// Intents and entries that are a name or topic by themselves.
    pub(super) names: BTreeSet<(usize, usize)>,
}

/// One phrase of one intent.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) intent: usize,
    pub(super) kind: Kind,
    pub(super) phrase: String,
    /// Its telling words as entries, each once.
    pub(super) parts: Vec<usize>,
    /// All its words, folded: a term without telling words is matched as a whole.
    pub(super) literal: Vec<String>,
    /// The same without inflection.
    pub(super) literal_stems: Vec<String>,
    /// The same without articles.
    pub(super) sequence: Vec<String>,
    /// Whether it consists of everyday words, so that only all of them together tell anything.
    pub(super) idiom: bool,
}

/// One stem that occurs in a term.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    stem: String,
    /// The words of the tenant that have this stem, folded.
    forms: Vec<String>,
    pub(super) weight: Weight,
    /// The intents that have it in a name or topic.
    pub(super) strong: BTreeSet<usize>,
    /// The intents that have it at all.
    pub(super) anywhere: BTreeSet<usize>,
}

/// One word of the caller.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) raw: String,
    pub(super) word: Stemmed,
    pub(super) weight: Weight,
    /// The entry whose stem it has.
    pub(super) entry: Option<usize>,
}

/// Where in the caller's words an entry was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    /// How sure it is the same word, 0 to 1.
    pub(super) likeness: f32,
    /// The first token.
    pub(super) from: usize,
    /// The token after the last.
    pub(super) until: usize,
}

impl Entry {
    /// Tells how sure a word with this stem is this word.
    fn likeness_of_form(&self, word: &Stemmed) -> f32 {
        let ending = word.folded.strip_prefix(self.stem.as_str());
        let verbal = matches!(ending, Some("e" | "ede" | "te" | "ed" | "d" | "ing"));
        let dubious = self.stem.len() <= 4 && verbal && !self.forms.contains(&word.folded);
        if dubious { DUBIOUS_FORM } else { 1.0 }
    }
}

impl Vocabulary {
    /// Indexes the intents.
    pub fn new(intents: &[Intent]) -> Self {
        let mut vocabulary = Self::default();
        for (number, intent) in intents.iter().enumerate() {
            vocabulary
                .intents
                .push((intent.name.clone(), intent.precedence));
            for (kind, texts) in [
                (Kind::Word, &intent.words),
                (Kind::Topic, &intent.topics),
                (Kind::Example, &intent.examples),
            ] {
                for (&language, phrases) in texts {
                    let index = vocabulary
                        .languages
                        .entry(language)
                        .or_insert_with(|| Index::of(language));
                    let stems = Stems::of(&tongue(language));
                    for phrase in phrases {
                        index.add(number, kind, phrase, &stems);
                    }
                }
            }
        }
        vocabulary
    }

    /// Ranks the intents by how well they fit the words; never fails, whatever the text.
    pub fn understand(&self, text: &str, language: Language) -> Understanding {
        let Some(index) = self.languages.get(&language) else {
            return Understanding {
                ranked: Vec::new(),
                verdict: Verdict::Nothing,
            };
        };
        let tokens = index.tokens(text);
        let understood =
            |tokens: &[Token]| score::understand(&self.intents, index, tokens, &index.hits(tokens));
        refusal::understand(&tokens, &index.tongue, understood)
    }

    /// Returns names, synonyms and topics in one language, sorted: hints for a recogniser.
    pub fn hints(&self, language: Language) -> Vec<String> {
        let hints = self.languages.get(&language).map(|index| &index.hints);
        hints.into_iter().flatten().cloned().collect()
    }

    /// Tells whether a word is one of the tenant's in this language.
    pub(super) fn knows(&self, word: &str, language: Language) -> bool {
        self.languages.get(&language).is_some_and(|index| {
            let stem = Stems::of(&index.tongue).stem(word).stem;
            index.by_stem.contains_key(&stem)
        })
    }
}

impl Index {
    fn of(language: Language) -> Self {
        let tongue = tongue(language);
        Self {
            terms: Vec::new(),
            entries: Vec::new(),
            by_stem: BTreeMap::new(),
            roots: BTreeMap::new(),
            stop: StopWords::of(&tongue),
            compounds: Compounds::of(&tongue),
            tongue,
            hints: BTreeSet::new(),
            names: BTreeSet::new(),
        }
    }

    fn add(&mut self, intent: usize, kind: Kind, phrase: &str, stems: &Stems) {
        let raw = words(phrase);
        if raw.is_empty() {
            return;
        }
        if kind != Kind::Example {
            self.hints.insert(raw.join(" "));
        }
        let stemmed: Vec<(Stemmed, Weight)> = raw
            .iter()
            .map(|raw_word| {
                let word = stems.stem(raw_word);
                let weight = self.stop.weigh(&word);
                (word, weight)
            })
            .collect();
        let count = |sought: Weight| stemmed.iter().filter(|(_, w)| *w == sought).count();
        let (content, carriers) = (count(Weight::Content), count(Weight::Carrier));
        let ends_in_particle = stemmed
            .last()
            .is_some_and(|(word, _)| self.stop.is_particle(&word.folded));
        // In "ring mig op" and "læg på" it is the small words that tell.
        let idiom = kind != Kind::Example
            && (content == 0 && carriers > 0 || ends_in_particle && content + carriers == 1);
        let small_words_tell = kind != Kind::Example && (idiom || content + carriers == 1);
        let mut parts = Vec::new();
        for (word, weight) in stemmed {
            let telling = match (weight, kind) {
                (Weight::Content, _) => true,
                (Weight::Carrier, Kind::Word | Kind::Topic) => true,
                (Weight::Carrier, Kind::Example) => false,
                (Weight::Function, _) => small_words_tell && !self.stop.is_article(&word.folded),
            };
            if !telling {
                continue;
            }
            let entry = self.entry(word, weight);
            self.entries[entry].anywhere.insert(intent);
            if kind != Kind::Example {
                self.entries[entry].strong.insert(intent);
            }
            if !parts.contains(&entry) {
                parts.push(entry);
            }
        }
        let idiom = idiom && parts.len() > 1;
        if let ([only], true) = (parts.as_slice(), kind != Kind::Example) {
            self.names.insert((intent, *only));
        }
        let literal = raw.iter().map(|word| fold(word)).collect();
        let literal_stems = raw.iter().map(|word| stems.stem(word).stem).collect();
        let told = raw.iter().map(|word| stems.stem(word));
        let sequence = told
            .filter(|word| !self.stop.is_article(&word.folded))
            .map(|word| word.stem)
            .collect();
        self.terms.push(Term {
            intent,
            kind,
            phrase: phrase.to_owned(),
            parts,
            literal,
            literal_stems,
            sequence,
            idiom,
        });
    }

    fn entry(&mut self, word: Stemmed, weight: Weight) -> usize {
        if let Some(&known) = self.by_stem.get(&word.stem) {
            let forms = &mut self.entries[known].forms;
            if !forms.contains(&word.folded) {
                forms.push(word.folded);
            }
            return known;
        }
        let number = self.entries.len();
        self.by_stem.insert(word.stem.clone(), number);
        self.roots
            .entry(word.root.clone())
            .or_default()
            .push(number);
        self.entries.push(Entry {
            stem: word.stem,
            forms: vec![word.folded],
            weight,
            strong: BTreeSet::new(),
            anywhere: BTreeSet::new(),
        });
        number
    }

    fn tokens(&self, text: &str) -> Vec<Token> {
        // A turn is a few sentences; what is far longer is no answer to a question.
        const MOST_WORDS: usize = 120;
        let stems = Stems::of(&self.tongue);
        words(text)
            .into_iter()
            .take(MOST_WORDS)
            .map(|raw| {
                let word = stems.stem(&raw);
                let weight = match word.folded.chars().next() {
                    Some(first) if first.is_ascii_digit() => Weight::Function,
                    _ => self.stop.weigh(&word),
                };
                let entry = self.by_stem.get(&word.stem).copied().filter(|&entry| {
                    // A function word is never an inflected form of another word.
                    weight != Weight::Function || self.entries[entry].weight == Weight::Function
                });
                Token {
                    raw,
                    word,
                    weight,
                    entry,
                }
            })
            .collect()
    }

    /// Finds the best place of each entry in the caller's words.
    fn hits(&self, tokens: &[Token]) -> Vec<Option<Hit>> {
        let mut hits: Vec<Option<Hit>> = vec![None; self.entries.len()];
        let mut note = |entry: usize, hit: Hit| {
            if hits[entry].is_none_or(|best: Hit| hit.likeness > best.likeness) {
                hits[entry] = Some(hit);
            }
        };
        for (from, token) in tokens.iter().enumerate() {
            let until = from + 1;
            if let Some(entry) = token.entry {
                let likeness = self.entries[entry].likeness_of_form(&token.word);
                note(
                    entry,
                    Hit {
                        likeness,
                        from,
                        until,
                    },
                );
                // "parkere" has the stem of "park" but the root of "parkering".
                if token.word.root != token.word.stem {
                    for &relative in self.roots.get(&token.word.root).into_iter().flatten() {
                        note(
                            relative,
                            Hit {
                                likeness: RELATED,
                                from,
                                until,
                            },
                        );
                    }
                }
            } else if token.weight == Weight::Content {
                for (entry, likeness) in self.guesses(token) {
                    note(
                        entry,
                        Hit {
                            likeness,
                            from,
                            until,
                        },
                    );
                }
            }
            for more in 2..=3 {
                let Some(neighbours) = tokens.get(from..from + more) else {
                    break;
                };
                if neighbours
                    .iter()
                    .all(|token| token.weight == Weight::Function)
                {
                    continue;
                }
                let joined: String = neighbours.iter().map(|t| t.word.folded.as_str()).collect();
                // "at bestille" is no bad "afbestille".
                let guess = neighbours
                    .iter()
                    .all(|token| token.weight != Weight::Function);
                for (entry, likeness) in self.joined(&joined, guess) {
                    note(
                        entry,
                        Hit {
                            likeness,
                            from,
                            until: from + more,
                        },
                    );
                }
            }
        }
        hits
    }

    /// Finds entries that a word resembles although it is none of them.
    fn guesses(&self, token: &Token) -> Vec<(usize, f32)> {
        if let Some(relatives) = self.roots.get(&token.word.root) {
            return relatives.iter().map(|&entry| (entry, RELATED)).collect();
        }
        let known = |rest: &str| rest.len() >= 4 && self.by_stem.contains_key(rest);
        let telling = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, e)| e.weight == Weight::Content);
        telling
            .filter_map(|(number, entry)| {
                let mut likeness = resemblance(&token.word.stem, &entry.stem);
                for form in &entry.forms {
                    let alike = resemblance(&token.word.folded, form);
                    let part = self.compounds.part_of(
                        &token.word.folded,
                        &token.word.stem,
                        form,
                        &entry.stem,
                        known,
                    );
                    likeness = likeness.max(alike).max(part);
                }
                (likeness > 0.0).then_some((number, likeness))
            })
            .collect()
    }

    /// Finds entries that neighbours make together: `bygge sag`; near misses only as a `guess`.
    fn joined(&self, joined: &str, guess: bool) -> Vec<(usize, f32)> {
        if joined.len() < 6 {
            return Vec::new();
        }
        let telling = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, e)| e.weight == Weight::Content);
        telling
            .filter_map(|(number, entry)| {
                let is_form = |form: &String| form == joined;
                let likeness = if joined == entry.stem || entry.forms.iter().any(is_form) {
                    0.97
                } else if entry.stem.len() >= 6
                    && joined.starts_with(&entry.stem)
                    && joined.len() <= entry.stem.len() + 3
                {
                    // With an ending: `borger servicen`.
                    0.9
                } else if !guess {
                    0.0
                } else {
                    let long = entry.forms.iter().filter(|form| form.len() >= 8);
                    long.map(|form| resemblance(joined, form))
                        .fold(0.0, f32::max)
                        * 0.9
                };
                (likeness > 0.0).then_some((number, likeness))
            })
            .collect()
    }
}
