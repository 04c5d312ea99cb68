//! What is counted about engines, for `/metrics`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The bounds of the buckets for the words of a turn, in seconds.
const BUCKETS: [f64; 11] = [0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 2.5, 5.0, 10.0];

/// One engine of one language, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EngineLabel {
    /// Its name.
    pub(super) engine: String,
    /// Its language.
    pub(super) language: String,
    /// Its place in the order of preference, counted from 0.
    pub(super) place: u32,
}

/// One kind of failure of one engine, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FailureLabel {
    /// Its name.
    pub(super) engine: String,
    /// Its language.
    pub(super) language: String,
    /// Its place in the order of preference, counted from 0.
    pub(super) place: u32,
    /// What went wrong.
    pub(super) kind: &'static str,
}

/// The figures of all recognisers since the start.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    /// Failures of engines, by engine and kind.
    pub(super) failures: Family<FailureLabel, Counter>,
    /// Turns and questions that another engine took over from this one.
    pub(super) hand_overs: Family<EngineLabel, Counter>,
    /// 1 while an engine is left alone after failures.
    pub(super) breaker_open: Family<EngineLabel, Gauge>,
    /// Recognitions that are open now.
    pub(super) streams: Family<EngineLabel, Gauge>,
    /// Seconds from the end of a turn to its words.
    pub(super) final_seconds: Family<EngineLabel, Histogram, fn() -> Histogram>,
    /// Threads given up because an engine did not come back.
    pub(super) threads_lost: Counter,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            failures: Family::default(),
            hand_overs: Family::default(),
            breaker_open: Family::default(),
            streams: Family::default(),
            final_seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            threads_lost: Counter::default(),
        }
    }
}

impl Figures {
    /// Shows the figures in a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "hotline_recogniser_failures",
            "Failures of recognisers, by kind",
            self.failures.clone(),
        );
        registry.register(
            "hotline_recogniser_hand_overs",
            "Questions and turns that the next recogniser took over from this one",
            self.hand_overs.clone(),
        );
        registry.register(
            "hotline_recogniser_breaker_open",
            "1 while a recogniser is left alone after failures",
            self.breaker_open.clone(),
        );
        registry.register(
            "hotline_recogniser_streams",
            "Recognitions open now",
            self.streams.clone(),
        );
        registry.register(
            "hotline_recogniser_final_seconds",
            "Seconds from the end of a turn to its words",
            self.final_seconds.clone(),
        );
        registry.register(
            "hotline_ears_threads_lost",
            "Listening threads replaced because an engine did not come back",
            self.threads_lost.clone(),
        );
    }
}
