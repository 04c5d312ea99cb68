//! Where the rooms above the ground floor get chance from.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

/// A source of random numbers, cheap to clone; clones draw from the same source.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<dyn Rng + Send>>);

impl Chance {
    /// Makes a source that nobody can foretell.
    pub fn unforeseeable() -> Self {
        Self(Arc::new(Mutex::new(rand::make_rng::<StdRng>())))
    }

    /// Makes a source that always gives the same, for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Draws a number less than `bound`; 0 when there is none.
    pub fn below(&self, bound: u64) -> u64 {
        // The bias of the remainder is below 2^-32 for the small bounds that we use.
        self.draw().checked_rem(bound).unwrap_or(0)
    }

    /// Draws an id.
    pub fn uuid(&self) -> Uuid {
        let (high, low) = (self.draw(), self.draw());
        let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    fn draw(&self) -> u64 {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next_u64()
    }
}

impl std::fmt::Debug for Chance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Chance")
    }
}
