//! The prompts in memory.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::Audio;

/// The prompts in memory, the most recently used ones within a bound.
pub(super) struct Shelf {
    pub(super) places: HashMap<String, Place>,
    pub(super) most_samples: u64,
    pub(super) samples: u64,
    clock: u64,
}

#[derive(Default)]
pub(super) struct Place {
    cell: Arc<OnceCell<Audio>>,
    samples: u64,
    used: u64,
}

impl Shelf {
    pub(super) fn new(megabytes: u64) -> Self {
        let most_samples = megabytes.saturating_mul(500_000);
        Self {
            places: HashMap::new(),
            most_samples,
            samples: 0,
            clock: 0,
        }
    }

    pub(super) fn cell(&mut self, name: &str) -> Arc<OnceCell<Audio>> {
        self.clock += 1;
        let place = self.places.entry(name.to_owned()).or_default();
        place.used = self.clock;
        Arc::clone(&place.cell)
    }

    /// Counts a prompt, with no samples when it could not be made, and lets the least recently
    /// used ones go.
    pub(super) fn count(&mut self, name: &str, samples: usize) {
        if let Some(place) = self.places.get_mut(name) {
            self.samples += (samples as u64).saturating_sub(place.samples);
            place.samples = place.samples.max(samples as u64);
        }
        // What could not be made, or whose caller left first, is not remembered.
        self.places
            .retain(|_, place| place.samples > 0 || Arc::strong_count(&place.cell) > 1);
        while self.samples > self.most_samples {
            let oldest = self
                .places
                .iter()
                .filter(|(_, place)| place.samples > 0)
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
}
