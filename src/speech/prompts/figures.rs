//! What is counted about prompts, for `/metrics`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::super::SpeechError;
use crate::words::Language;

/// The figures of all prompts since the start.
#[derive(Clone, Debug)]
pub struct Figures {
    made: Family<Engine, Counter>,
    failed: Family<Fault, Counter>,
    first_audio: Family<Engine, Histogram>,
}

/// An engine, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Engine {
    engine: &'static str,
    language: String,
}

/// A fault of an engine, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fault {
    engine: &'static str,
    language: String,
    fault: &'static str,
}

impl Default for Figures {
    fn default() -> Self {
        let histogram = || Histogram::new([0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 2.0, 4.0, 8.0]);
        Self {
            made: Family::default(),
            failed: Family::default(),
            first_audio: Family::new_with_constructor(histogram),
        }
    }
}

impl Figures {
    /// Shows the figures in a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Prompts that an engine has made";
        registry.register("hotline_prompts_made", help, self.made.clone());
        let help = "Prompts that an engine could not make, or not to their end";
        registry.register("hotline_prompts_failed", help, self.failed.clone());
        let help = "Seconds from asking an engine for a prompt to its first audio";
        registry.register(
            "hotline_prompt_first_audio_seconds",
            help,
            self.first_audio.clone(),
        );
    }

    pub(super) fn first_audio(&self, engine: &'static str, language: Language, seconds: f64) {
        let language = language.to_string();
        let label = Engine { engine, language };
        self.first_audio.get_or_create(&label).observe(seconds);
    }

    pub(super) fn made(&self, engine: &'static str, language: Language) {
        let language = language.to_string();
        self.made.get_or_create(&Engine { engine, language }).inc();
    }

    pub(super) fn failed(&self, engine: &'static str, language: Language, fault: &SpeechError) {
        let fault = match fault {
            SpeechError::TooSlow { .. } => "slow",
            SpeechError::FallsBehind { .. } => "fell_behind",
            SpeechError::Resting { .. } => "resting",
            _ => "failed",
        };
        let label = Fault {
            engine,
            language: language.to_string(),
            fault,
        };
        self.failed.get_or_create(&label).inc();
    }
}
