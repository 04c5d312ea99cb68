//! How long each stage of hearing and speaking may take before the next best thing is done.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::breaker;

/// The `speech.limits` section of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How long a caller hears nothing, when it is our turn, before "one moment" is said.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub one_moment: Duration,
    /// How long after that before it is said again.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub one_moment_again: Duration,
    /// How long a recogniser may take for the words of a turn that is over, before the next one
    /// takes the turn; an eighth of the turn's length comes on top.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub answer: Duration,
    /// How long the words of a turn may take with all recognisers together, before the call goes
    /// by keys.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    #[schemars(with = "String")]
    pub words: Duration,
    /// When an engine that fails is left alone, and for how long.
    pub breaker: breaker::Settings,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            one_moment: Duration::from_millis(1200),
            one_moment_again: Duration::from_secs(8),
            answer: Duration::from_millis(2500),
            words: Duration::from_secs(8),
            breaker: breaker::Settings::default(),
        }
    }
}
