//! How an outgoing call went, gathered from what FreeSWITCH tells. It is pure: events go in, a verdict
//! comes out. FreeSWITCH names causes by ITU-T Q.850 and has some of its own; here is decided which of
//! them are the callee's and which the network's.

use super::told::Told;
use crate::pbx::{DialOrder, Dialled, HangupCause};
use crate::words::CallId;

/// What is known so far about one outgoing call.
#[derive(Debug)]
pub(super) struct Watch {
    order: DialOrder,
    /// The first leg's channel, under the id that we chose.
    first: CallId,
    /// The callee's channel, when an agent was rung first.
    second: CallId,
    /// How our job is told from others': it repeats the first leg's id.
    mark: String,
    agent: bool,
    evidence: Option<Dialled>,
    progress: Progress,
}

/// How far the verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The first leg is being rung.
    Ringing,
    /// An agent is there and the callee is being rung.
    Second,
    /// It failed; what explains it may follow within a moment.
    Settling,
    /// The verdict is final.
    Over(Dialled),
}

impl Watch {
    pub(super) fn new(order: DialOrder, first: CallId, second: CallId) -> Self {
        Self {
            order,
            first,
            second,
            mark: format!("origination_uuid={first}"),
            agent: false,
            evidence: None,
            progress: Progress::Ringing,
        }
    }

    /// Takes one event and tells how far things are.
    pub(super) fn event(&mut self, told: &Told) -> Progress {
        if matches!(self.progress, Progress::Over(_)) {
            return self.progress;
        }
        match told {
            Told::Job { arguments, result } if arguments.contains(&self.mark) => self.job(result),
            Told::Answered(call) if *call == self.first => self.first_answered(),
            Told::Answered(call) if *call == self.second => self.both_answered(),
            Told::Bridged { call, other } => {
                let legs = [Some(self.first), Some(self.second)];
                if legs.contains(&Some(*call)) && legs.contains(other) {
                    self.both_answered();
                }
            }
            Told::WentOn {
                call,
                place,
                status,
            } if *call == self.first && place == "callback" => {
                self.weigh(status);
                self.settle();
            }
            Told::HungUp { call, cause } if *call == self.second => self.weigh(cause),
            Told::HungUp { call, cause } if *call == self.first => self.first_gone(cause),
            _ => {}
        }
        self.progress
    }

    /// Tells how far things are.
    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    /// Returns the channels: the first leg's, and the callee's when an agent was rung first.
    pub(super) fn legs(&self) -> (CallId, CallId) {
        (self.first, self.second)
    }

    /// Gives the verdict with what is known, when nothing more came.
    pub(super) fn settle(&mut self) {
        let callee = self.evidence.unwrap_or(Dialled::Failed);
        self.progress = Progress::Over(match self.order {
            DialOrder::CallerFirst => callee,
            DialOrder::AgentFirst if self.agent => callee,
            DialOrder::AgentFirst => Dialled::NoAgent,
        });
    }

    /// Takes what came out of the order to dial the first leg.
    fn job(&mut self, result: &str) {
        match result.strip_prefix("-ERR") {
            None => self.first_answered(),
            // The first leg was there before this came; its own end tells more.
            Some(_) if self.agent => {}
            Some(cause) => {
                self.weigh(cause.trim());
                self.settle();
            }
        }
    }

    /// Notes that the first leg is there.
    pub(super) fn first_answered(&mut self) {
        match self.order {
            DialOrder::CallerFirst => self.progress = Progress::Over(Dialled::Answered),
            DialOrder::AgentFirst if self.agent => {}
            DialOrder::AgentFirst => {
                self.agent = true;
                // What the agent's leg told is no evidence about the callee.
                self.evidence = None;
                self.progress = Progress::Second;
            }
        }
    }

    /// Notes that the callee is there, when an agent was rung first.
    pub(super) fn both_answered(&mut self) {
        if self.order == DialOrder::AgentFirst {
            self.progress = Progress::Over(Dialled::Answered);
        }
    }

    fn first_gone(&mut self, cause: &str) {
        match self.progress {
            Progress::Second => self.settle(),
            Progress::Ringing => {
                self.weigh(cause);
                self.progress = Progress::Settling;
            }
            Progress::Settling | Progress::Over(_) => {}
        }
    }

    /// Keeps the strongest hint.
    fn weigh(&mut self, cause: &str) {
        let strength = |dialled: &Dialled| match dialled {
            Dialled::InvalidNumber => 3,
            Dialled::Busy => 2,
            Dialled::NoAnswer => 1,
            Dialled::Answered | Dialled::NoAgent | Dialled::Failed => 0,
        };
        let hint = judge(cause);
        if strength(&hint) >= self.evidence.as_ref().map_or(0, strength) {
            self.evidence = Some(hint);
        }
    }
}

/// Tells what a cause says about the callee; all that is the network's doing, or ours, is a failure.
fn judge(cause: &str) -> Dialled {
    match cause {
        "USER_BUSY" | "BUSY_EVERYWHERE" => Dialled::Busy,
        // Rung without an answer, switched off, or declined by hand.
        "NO_USER_RESPONSE"
        | "NO_ANSWER"
        | "SUBSCRIBER_ABSENT"
        | "CALL_REJECTED"
        | "ALLOTTED_TIMEOUT"
        | "PROGRESS_TIMEOUT"
        | "NO_PICKUP"
        | "DECLINE"
        | "REJECT_ALL"
        | "UNWANTED"
        | "USER_NOT_REGISTERED"
        // SIP's 408: the trunk or the phone beyond it has heard nothing.
        | "RECOVERY_ON_TIMER_EXPIRE"
        // Whoever dialled gave up before an answer.
        | "ORIGINATOR_CANCEL" => Dialled::NoAnswer,
        "UNALLOCATED_NUMBER"
        | "NUMBER_CHANGED"
        | "INVALID_NUMBER_FORMAT"
        | "DOES_NOT_EXIST_ANYWHERE" => Dialled::InvalidNumber,
        _ => Dialled::Failed,
    }
}

/// Returns a cause's number by ITU-T Q.850; FreeSWITCH's own causes get that of the nearest meaning,
/// and a name that nobody knows gets none.
pub(super) fn cause(name: &str) -> HangupCause {
    HangupCause(match name {
        "UNALLOCATED_NUMBER" | "DOES_NOT_EXIST_ANYWHERE" => 1,
        "NO_ROUTE_TRANSIT_NET" => 2,
        "NO_ROUTE_DESTINATION" => 3,
        "CHANNEL_UNACCEPTABLE" => 6,
        "CALL_AWARDED_DELIVERED" => 7,
        "NORMAL_CLEARING" | "SUCCESS" | "ORIGINATOR_CANCEL" | "MANAGER_REQUEST"
        | "BLIND_TRANSFER" | "ATTENDED_TRANSFER" | "ALLOTTED_TIMEOUT" | "BOWOUT" => 16,
        "USER_BUSY" | "BUSY_EVERYWHERE" => 17,
        "NO_USER_RESPONSE" | "PROGRESS_TIMEOUT" => 18,
        "NO_ANSWER" | "NO_PICKUP" => 19,
        "SUBSCRIBER_ABSENT" | "USER_NOT_REGISTERED" => 20,
        "CALL_REJECTED"
        | "DECLINE"
        | "REJECT_ALL"
        | "UNWANTED"
        | "USER_CHALLENGE"
        | "NO_IDENTITY"
        | "BAD_IDENTITY_INFO"
        | "UNSUPPORTED_CERTIFICATE"
        | "INVALID_IDENTITY"
        | "STALE_DATE" => 21,
        "NUMBER_CHANGED" => 22,
        "REDIRECTION_TO_NEW_DESTINATION" => 23,
        "EXCHANGE_ROUTING_ERROR" => 25,
        "LOSE_RACE" | "PICKED_OFF" => 26,
        "DESTINATION_OUT_OF_ORDER" | "INVALID_GATEWAY" | "GATEWAY_DOWN" | "INVALID_PROFILE" => 27,
        "INVALID_NUMBER_FORMAT" | "INVALID_URL" => 28,
        "FACILITY_REJECTED" => 29,
        "RESPONSE_TO_STATUS_ENQUIRY" => 30,
        "NORMAL_UNSPECIFIED" => 31,
        "NORMAL_CIRCUIT_CONGESTION" => 34,
        "NETWORK_OUT_OF_ORDER" => 38,
        "NORMAL_TEMPORARY_FAILURE"
        | "SYSTEM_SHUTDOWN"
        | "CRASH"
        | "MEDIA_TIMEOUT"
        | "SRTP_READ_ERROR" => 41,
        "SWITCH_CONGESTION" => 42,
        "ACCESS_INFO_DISCARDED" => 43,
        "REQUESTED_CHAN_UNAVAIL" => 44,
        "PRE_EMPTED" => 45,
        "FACILITY_NOT_SUBSCRIBED" => 50,
        "OUTGOING_CALL_BARRED" => 52,
        "INCOMING_CALL_BARRED" => 54,
        "BEARERCAPABILITY_NOTAUTH" => 57,
        "BEARERCAPABILITY_NOTAVAIL" => 58,
        "SERVICE_UNAVAILABLE" => 63,
        "BEARERCAPABILITY_NOTIMPL" => 65,
        "CHAN_NOT_IMPLEMENTED" => 66,
        "FACILITY_NOT_IMPLEMENTED" => 69,
        "SERVICE_NOT_IMPLEMENTED" => 79,
        "INVALID_CALL_REFERENCE" => 81,
        "INCOMPATIBLE_DESTINATION" | "NOT_ACCEPTABLE" => 88,
        "INVALID_MSG_UNSPECIFIED" => 95,
        "MANDATORY_IE_MISSING" => 96,
        "MESSAGE_TYPE_NONEXIST" => 97,
        "WRONG_MESSAGE" => 98,
        "IE_NONEXIST" => 99,
        "INVALID_IE_CONTENTS" => 100,
        "WRONG_CALL_STATE" => 101,
        "RECOVERY_ON_TIMER_EXPIRE" => 102,
        "MANDATORY_IE_LENGTH_ERROR" => 103,
        "PROTOCOL_ERROR" => 111,
        "INTERWORKING" => 127,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const FIRST: CallId = CallId(Uuid::from_u128(1));
    const SECOND: CallId = CallId(Uuid::from_u128(2));
    const OTHER: CallId = CallId(Uuid::from_u128(3));

    fn job(call: CallId, result: &str) -> Told {
        Told::Job {
            arguments: format!("{{origination_uuid={call},originate_timeout=20}}sofia/x 1 XML c"),
            result: result.to_owned(),
        }
    }

    fn hung_up(call: CallId, cause: &str) -> Told {
        Told::HungUp {
            call,
            cause: cause.to_owned(),
        }
    }

    fn went_on(call: CallId, status: &str) -> Told {
        Told::WentOn {
            call,
            place: "callback".to_owned(),
            status: status.to_owned(),
        }
    }

    fn bridged(call: CallId, other: CallId) -> Told {
        Told::Bridged {
            call,
            other: Some(other),
        }
    }

    fn watch(order: DialOrder, events: &[Told]) -> Progress {
        let mut watch = Watch::new(order, FIRST, SECOND);
        for told in events {
            watch.event(told);
        }
        watch.progress()
    }

    fn caller_first(events: &[Told]) -> Progress {
        watch(DialOrder::CallerFirst, events)
    }

    fn agent_first(events: &[Told]) -> Progress {
        watch(DialOrder::AgentFirst, events)
    }

    #[test]
    fn a_callee_is_judged_by_what_came_out_of_the_order_whenever_the_hang_up_comes() {
        let cases = [
            ("USER_BUSY", Dialled::Busy),
            ("NO_ANSWER", Dialled::NoAnswer),
            ("NO_USER_RESPONSE", Dialled::NoAnswer),
            ("ALLOTTED_TIMEOUT", Dialled::NoAnswer),
            ("CALL_REJECTED", Dialled::NoAnswer),
            ("ORIGINATOR_CANCEL", Dialled::NoAnswer),
            ("UNALLOCATED_NUMBER", Dialled::InvalidNumber),
            ("INVALID_NUMBER_FORMAT", Dialled::InvalidNumber),
            ("NO_ROUTE_DESTINATION", Dialled::Failed),
            ("INVALID_GATEWAY", Dialled::Failed),
            ("GATEWAY_DOWN", Dialled::Failed),
            ("NORMAL_TEMPORARY_FAILURE", Dialled::Failed),
            ("DESTINATION_OUT_OF_ORDER", Dialled::Failed),
            ("SOMETHING_NEW", Dialled::Failed),
        ];
        for (cause, expected) in cases {
            let result = job(FIRST, &format!("-ERR {cause}"));
            let after = [hung_up(FIRST, cause), result.clone()];
            assert_eq!(caller_first(&after[..1]), Progress::Settling, "{cause}");
            assert_eq!(caller_first(&after), Progress::Over(expected), "{cause}");
            let before = [result, hung_up(FIRST, cause)];
            assert_eq!(caller_first(&before), Progress::Over(expected), "{cause}");
        }
    }

    #[test]
    fn a_callee_who_answered_is_there_whatever_comes_later() {
        let events = [
            Told::Answered(FIRST),
            hung_up(FIRST, "USER_BUSY"),
            job(FIRST, "-ERR USER_BUSY"),
        ];
        assert_eq!(caller_first(&events), Progress::Over(Dialled::Answered));
        let by_job = [job(FIRST, &format!("+OK {FIRST}"))];
        assert_eq!(caller_first(&by_job), Progress::Over(Dialled::Answered));
    }

    #[test]
    fn other_peoples_calls_and_jobs_say_nothing() {
        let events = [
            job(OTHER, "-ERR USER_BUSY"),
            Told::Answered(OTHER),
            hung_up(OTHER, "USER_BUSY"),
            bridged(OTHER, FIRST),
            went_on(OTHER, "USER_BUSY"),
            Told::ShuttingDown,
        ];
        assert_eq!(caller_first(&events), Progress::Ringing);
        assert_eq!(agent_first(&events), Progress::Ringing);
    }

    #[test]
    fn an_agent_who_does_not_take_it_is_no_verdict_on_the_callee() {
        for cause in [
            "USER_BUSY",
            "UNALLOCATED_NUMBER",
            "NO_ANSWER",
            "INVALID_GATEWAY",
        ] {
            let events = [hung_up(FIRST, cause), job(FIRST, &format!("-ERR {cause}"))];
            assert_eq!(
                agent_first(&events),
                Progress::Over(Dialled::NoAgent),
                "{cause}"
            );
        }
    }

    #[test]
    fn with_an_agent_there_the_callees_leg_decides() {
        let there = [Told::Answered(FIRST), job(FIRST, &format!("+OK {FIRST}"))];
        assert_eq!(agent_first(&there), Progress::Second);
        let answers = [
            Told::Answered(SECOND),
            bridged(FIRST, SECOND),
            bridged(SECOND, FIRST),
        ];
        for answer in answers {
            let events = [&there[..], &[answer]].concat();
            assert_eq!(agent_first(&events), Progress::Over(Dialled::Answered));
        }
        let busy = [&there[..], &[hung_up(SECOND, "USER_BUSY")]].concat();
        assert_eq!(agent_first(&busy), Progress::Second);
        for end in [
            went_on(FIRST, "USER_BUSY"),
            hung_up(FIRST, "NORMAL_CLEARING"),
        ] {
            let events = [&busy[..], &[end]].concat();
            assert_eq!(agent_first(&events), Progress::Over(Dialled::Busy));
        }
        let without_a_leg = [&there[..], &[went_on(FIRST, "INVALID_NUMBER_FORMAT")]].concat();
        assert_eq!(
            agent_first(&without_a_leg),
            Progress::Over(Dialled::InvalidNumber)
        );
        let gave_up = [&there[..], &[hung_up(FIRST, "NORMAL_CLEARING")]].concat();
        assert_eq!(agent_first(&gave_up), Progress::Over(Dialled::Failed));
    }

    #[test]
    fn a_spare_route_that_answers_counts_more_than_the_first_one_that_was_busy() {
        let events = [
            Told::Answered(FIRST),
            hung_up(SECOND, "NORMAL_TEMPORARY_FAILURE"),
            Told::Answered(SECOND),
        ];
        assert_eq!(agent_first(&events), Progress::Over(Dialled::Answered));
    }

    #[test]
    fn a_leg_whose_job_is_never_told_settles_on_its_hang_up() {
        let mut watch = Watch::new(DialOrder::CallerFirst, FIRST, SECOND);
        assert_eq!(
            watch.event(&hung_up(FIRST, "USER_BUSY")),
            Progress::Settling
        );
        watch.settle();
        assert_eq!(watch.progress(), Progress::Over(Dialled::Busy));
    }

    #[test]
    fn causes_have_the_numbers_of_q850() {
        let numbers = [
            "NORMAL_CLEARING",
            "USER_BUSY",
            "ORIGINATOR_CANCEL",
            "INTERWORKING",
            "",
            "NEW",
        ]
        .map(|name| cause(name).0);
        assert_eq!(numbers, [16, 17, 16, 127, 0, 0]);
    }
}
