//! How an outgoing call went, gathered from Asterisk's events. It is pure: events go in, a verdict
//! comes out. Asterisk's own `Reason` does not tell a busy line from a wrong number, so the hangup
//! causes of all legs (they share the first leg's id as `Linkedid`) are weighed with it.

use super::wire::Block;
use crate::pbx::{DialOrder, Dialled};

/// What is known so far about one outgoing call.
#[derive(Debug)]
pub(super) struct Watch {
    order: DialOrder,
    /// The Uniqueid that we chose for the first leg.
    first: String,
    /// The ActionID of our Originate: a refused twin's answer bears the Uniqueid of the living call.
    action: String,
    exists: bool,
    gone: bool,
    agent: bool,
    evidence: Evidence,
    progress: Progress,
}

/// How far the verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The first leg is being rung.
    Ringing,
    /// An agent is there and the callee is being rung.
    Second,
    /// It failed; a hangup cause that explains it may follow within a moment.
    Settling,
    /// The verdict is final.
    Over(Dialled),
}

/// What hints at the reason of a failure, strongest first.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    invalid: bool,
    busy: bool,
    unanswered: bool,
}

impl Watch {
    pub(super) fn new(order: DialOrder, first: String, action: String) -> Self {
        Self {
            order,
            first,
            action,
            exists: false,
            gone: false,
            agent: false,
            evidence: Evidence::default(),
            progress: Progress::Ringing,
        }
    }

    /// Takes one event and tells how far things are.
    pub(super) fn event(&mut self, block: &Block) -> Progress {
        if matches!(self.progress, Progress::Over(_)) {
            return self.progress;
        }
        let first = self.first.clone();
        let ours = |key: &str| block.get(key) == Some(first.as_str());
        match block.event().unwrap_or_default() {
            "OriginateResponse" if block.get("ActionID") == Some(self.action.as_str()) => {
                self.originated(block);
            }
            "Newchannel" if ours("Uniqueid") => self.exists = true,
            "DialBegin" if ours("Uniqueid") && self.order == DialOrder::AgentFirst => {
                // The agent's leg dials the callee: what the agents' legs told is no evidence.
                self.agent = true;
                self.evidence = Evidence::default();
                self.progress = Progress::Second;
            }
            "DialEnd" if ours("Linkedid") || ours("DestLinkedid") => self.rung(block),
            "Hangup" if ours("Linkedid") || ours("Uniqueid") => {
                self.weigh(block.number("Cause").unwrap_or_default());
                if ours("Uniqueid") && self.exists {
                    self.gone = true;
                    match self.progress {
                        Progress::Settling | Progress::Second => self.settle(),
                        // Asterisk answers later when the dialplan has an extension `failed`.
                        Progress::Ringing => self.progress = Progress::Settling,
                        Progress::Over(_) => {}
                    }
                }
            }
            _ => {}
        }
        self.progress
    }

    /// Tells how far things are.
    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// Gives the verdict with what is known, when nothing more came.
    pub(super) fn settle(&mut self) {
        self.progress = Progress::Over(self.failure());
    }

    fn originated(&mut self, block: &Block) {
        if block.get("Response") == Some("Success") {
            if self.order == DialOrder::CallerFirst {
                self.progress = Progress::Over(Dialled::Answered);
            } else if self.progress == Progress::Ringing {
                self.agent = true;
                self.evidence = Evidence::default();
                self.progress = Progress::Second;
            }
            return;
        }
        match block.number::<u8>("Reason") {
            Some(5) => self.evidence.busy = true,
            Some(3) => self.evidence.unanswered = true,
            _ => {}
        }
        self.progress = Progress::Settling;
        if self.gone || !self.exists {
            self.settle();
        }
    }

    fn rung(&mut self, block: &Block) {
        let status = block.get("DialStatus").unwrap_or_default();
        let by_first = block.get("Uniqueid") == Some(self.first.as_str());
        if self.order == DialOrder::AgentFirst && !(self.agent && by_first) {
            return;
        }
        match status {
            "ANSWER" if by_first => self.progress = Progress::Over(Dialled::Answered),
            "BUSY" => self.evidence.busy = true,
            // Asterisk's own dialling of the first leg says NOANSWER for a wrong number, too.
            "NOANSWER" | "CANCEL" if block.get("Uniqueid").is_some() => {
                self.evidence.unanswered = true;
            }
            _ => {}
        }
        if by_first && self.agent && status != "ANSWER" {
            self.progress = Progress::Settling;
        }
    }

    /// Weighs a hangup cause by ITU-T Q.850.
    fn weigh(&mut self, cause: u16) {
        match cause {
            1 | 22 | 28 => self.evidence.invalid = true,
            17 => self.evidence.busy = true,
            18..=21 => self.evidence.unanswered = true,
            _ => {}
        }
    }

    fn failure(&self) -> Dialled {
        let callee = match self.evidence {
            Evidence { invalid: true, .. } => Dialled::InvalidNumber,
            Evidence { busy: true, .. } => Dialled::Busy,
            Evidence {
                unanswered: true, ..
            } => Dialled::NoAnswer,
            Evidence { .. } => Dialled::Failed,
        };
        match self.order {
            DialOrder::CallerFirst => callee,
            DialOrder::AgentFirst if self.agent => callee,
            DialOrder::AgentFirst if self.exists => Dialled::NoAgent,
            DialOrder::AgentFirst => Dialled::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pbx::asterisk::wire::{Decoder, Message};

    /// Plays a recorded session to a watch and returns the verdict, and whether it had to be asked
    /// for because nothing more came.
    fn watch(name: &str, order: DialOrder, first: &str, action: &str) -> (Dialled, &'static str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/asterisk");
        let bytes = std::fs::read(folder.join(format!("{name}.ami.in"))).unwrap();
        let mut decoder = Decoder::new();
        decoder.feed(&bytes);
        let mut watch = Watch::new(order, first.to_owned(), action.to_owned());
        let mut asked = false;
        while let Some(message) = decoder.next().unwrap() {
            let Message::Block(block) = message else {
                continue;
            };
            asked |= block.get("ActionID") == Some(action);
            if asked && let Progress::Over(dialled) = watch.event(&block) {
                return (dialled, "by itself");
            }
        }
        assert_eq!(
            watch.progress(),
            Progress::Settling,
            "{name} is still open at its end"
        );
        watch.settle();
        match watch.progress() {
            Progress::Over(dialled) => (dialled, "after a moment"),
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn a_failed_originate_is_explained_by_its_hangup_cause_whichever_comes_first() {
        let cases = [
            ("originate-success", 1, Dialled::Answered),
            ("originate-busy", 2, Dialled::Busy),
            ("originate-not-found", 3, Dialled::InvalidNumber),
            ("originate-no-answer", 4, Dialled::NoAnswer),
            ("originate-no-such-extension", 5, Dialled::Failed),
            ("originate-no-such-endpoint", 6, Dialled::Failed),
            ("originate-unreachable", 7, Dialled::Failed),
        ];
        for (name, number, expected) in cases {
            let first = format!("d0000000-0000-4000-8000-{number:012}");
            let verdict = watch(name, DialOrder::CallerFirst, &first, "a3");
            assert_eq!(verdict, (expected, "by itself"), "{name}");
        }
    }

    #[test]
    fn a_refused_twin_is_not_mistaken_for_the_living_call() {
        let first = "d0000000-0000-4000-8000-000000000077";
        let living = watch("originate-errors", DialOrder::CallerFirst, first, "a7");
        assert_eq!(living, (Dialled::Answered, "by itself"));
        let twin = watch("originate-errors", DialOrder::CallerFirst, first, "a8");
        assert_eq!(twin, (Dialled::Failed, "by itself"));
    }

    #[test]
    fn callbacks_through_the_shipped_dialplan_are_judged_by_the_leg_that_matters() {
        use DialOrder::{AgentFirst, CallerFirst};
        let cases = [
            ("caller-first-busy", CallerFirst, Dialled::Busy),
            (
                "caller-first-wrong-number",
                CallerFirst,
                Dialled::InvalidNumber,
            ),
            ("caller-first-no-answer", CallerFirst, Dialled::NoAnswer),
            ("caller-first-answered", CallerFirst, Dialled::Answered),
            ("agent-first-busy", AgentFirst, Dialled::Busy),
            (
                "agent-first-wrong-number",
                AgentFirst,
                Dialled::InvalidNumber,
            ),
            ("agent-first-no-answer", AgentFirst, Dialled::NoAnswer),
            ("agent-first-answered", AgentFirst, Dialled::Answered),
            ("agent-first-no-agent", AgentFirst, Dialled::NoAgent),
        ];
        for (number, (name, order, expected)) in cases.into_iter().enumerate() {
            let first = format!("c0000000-0000-4000-8000-{:012}", number + 1);
            let (verdict, _) = watch(&format!("callback-{name}"), order, &first, "p3");
            assert_eq!(verdict, expected, "{name}");
        }
    }
}
