//! What is counted about calls, for `/metrics`.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric as _,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::dialog::Outcome;

/// The figures of all calls since the start.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Calls on now.
    pub active: Gauge,
    /// Calls ended, by how.
    pub ended: Family<OutcomeLabel, Counter>,
    /// Calls sent to the ordinary queue because all seats were taken or a fault came at the door.
    pub turned_away: Counter,
    /// Frames that left more than 5 ms after their time.
    pub late_frames: Counter,
    /// Frames that were skipped or dropped.
    pub lost_frames: Counter,
    /// Datagrams on calls' ports that came from others than the PBX.
    pub strangers: Counter,
    /// Times that a caller's voice cut us off.
    pub barge_ins: Counter,
    /// Times that a caller was told that it takes a moment.
    pub one_moments: Counter,
    /// Times that it was no voice after all, and we went on.
    pub resumed: Counter,
    /// Seconds from the end of the caller's turn, or the key, to the first frame of the answer.
    pub answer_seconds: Histogram,
}

/// How a call ended, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// See [`Outcome`].
    pub outcome: OutcomeValue,
}

/// The value of [`OutcomeLabel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types)]
pub enum OutcomeValue {
    transferred,
    completed,
    caller_left,
    fell_back,
    crashed,
}

impl From<Outcome> for OutcomeValue {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Transferred => Self::transferred,
            Outcome::Completed => Self::completed,
            Outcome::CallerLeft => Self::caller_left,
            Outcome::FellBack => Self::fell_back,
            Outcome::Crashed => Self::crashed,
        }
    }
}

impl Figures {
    /// Makes the figures and shows them in a registry.
    pub fn new(registry: &mut Registry) -> Self {
        let figures = Self {
            active: Gauge::default(),
            ended: Family::default(),
            turned_away: Counter::default(),
            late_frames: Counter::default(),
            lost_frames: Counter::default(),
            strangers: Counter::default(),
            barge_ins: Counter::default(),
            one_moments: Counter::default(),
            resumed: Counter::default(),
            answer_seconds: Histogram::new([
                0.02, 0.06, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 2.0, 4.0,
            ]),
        };
        let f = &figures;
        registry.register("hotline_calls_active", "Calls on now", f.active.clone());
        registry.register(
            "hotline_calls_ended",
            "Calls ended, by how",
            f.ended.clone(),
        );
        registry.register(
            "hotline_calls_turned_away",
            "Calls not taken",
            f.turned_away.clone(),
        );
        registry.register(
            "hotline_frames_late",
            "Frames over 5 ms late",
            f.late_frames.clone(),
        );
        registry.register(
            "hotline_frames_lost",
            "Frames not sent",
            f.lost_frames.clone(),
        );
        registry.register(
            "hotline_datagrams_from_strangers",
            "Datagrams thrown away, as they did not come from the PBX",
            f.strangers.clone(),
        );
        registry.register(
            "hotline_barge_ins",
            "Prompts cut off by voice",
            f.barge_ins.clone(),
        );
        registry.register(
            "hotline_one_moments",
            "Callers told that it takes a moment, as they heard nothing",
            f.one_moments.clone(),
        );
        registry.register(
            "hotline_barge_ins_undone",
            "Prompts that went on, as what cut them off was no voice",
            f.resumed.clone(),
        );
        let help = "Seconds from the caller's turn to the first frame of the answer";
        registry.register("hotline_answer_seconds", help, f.answer_seconds.clone());
        registry.register_collector(Box::new(Tasks));
        figures
    }
}

/// Counts the tasks of this process when it is asked, so that what calls leave behind is seen.
#[derive(Debug)]
struct Tasks;

impl Collector for Tasks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return Ok(());
        };
        let tasks = i64::try_from(runtime.metrics().num_alive_tasks()).unwrap_or(i64::MAX);
        let gauge = ConstGauge::new(tasks);
        let metric = encoder.encode_descriptor(
            "hotline_tasks",
            "Tasks of this process that are alive",
            None,
            gauge.metric_type(),
        )?;
        gauge.encode(metric)
    }
}
