//! The prompts in memory. Those being made are only looked at, so that their making ends when no
//! call wants them any more; those that are whole are held within a bound.

use std::collections::HashMap;
use std::sync::Weak;

use super::growing::{Growing, Prompt};

/// The prompts in memory, the most recently used ones within a bound.
pub(super) struct Shelf {
    places: HashMap<String, Place>,
    most_samples: u64,
    samples: u64,
    clock: u64,
}

struct Place {
    prompt: Weak<Growing>,
    /// Holds it in memory.
    held: Option<Prompt>,
    samples: u64,
    used: u64,
}

impl Shelf {
    pub(super) fn new(megabytes: u64) -> Self {
        Self {
            places: HashMap::new(),
            most_samples: megabytes.saturating_mul(500_000),
            samples: 0,
            clock: 0,
        }
    }

    /// Returns a prompt that is there, or being made and well so far.
    pub(super) fn find(&mut self, name: &str) -> Option<Prompt> {
        self.clock += 1;
        let place = self.places.get_mut(name)?;
        place.used = self.clock;
        Prompt::upgrade(&place.prompt).filter(|prompt| !prompt.has_failed())
    }

    /// Shows a prompt that is being made to those who want the same.
    pub(super) fn show(&mut self, name: &str, prompt: &Prompt) {
        self.places
            .retain(|_, place| place.held.is_some() || place.prompt.strong_count() > 0);
        self.clock += 1;
        let place = Place {
            prompt: prompt.downgrade(),
            held: None,
            samples: 0,
            used: self.clock,
        };
        if let Some(old) = self.places.insert(name.to_owned(), place) {
            self.samples -= old.samples;
        }
    }

    /// Holds a prompt of so many samples, and lets the least recently used ones go. One that is
    /// no longer shown, as everything was forgotten, is not held.
    pub(super) fn hold(&mut self, name: &str, prompt: Prompt, samples: usize) {
        let place = self.places.get_mut(name);
        if let Some(place) = place.filter(|it| it.held.is_none() && prompt.is_same(&it.prompt)) {
            place.held = Some(prompt);
            place.samples = samples as u64;
            self.samples += place.samples;
        }
        while self.samples > self.most_samples {
            let oldest = self
                .places
                .iter()
                .filter(|(_, place)| place.held.is_some())
                .min_by_key(|(_, place)| place.used)
                .map(|(name, _)| name.clone());
            let Some(place) = oldest.and_then(|name| self.places.remove(&name)) else {
                return;
            };
            self.samples -= place.samples;
        }
    }

    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.samples = 0;
    }

    /// Returns how many prompts are held, and how many samples they have.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, u64) {
        let held = self.places.values().filter(|place| place.held.is_some());
        (held.count(), self.samples)
    }

    #[cfg(test)]
    pub(super) fn bound(&mut self, most_samples: u64) {
        self.most_samples = most_samples;
    }
}
