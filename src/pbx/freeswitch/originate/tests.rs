use tokio_util::sync::CancellationToken;

use super::super::Config;
use super::super::fake::{Line, PASSWORD, Switch};
use super::super::link::Times;
use super::*;
use crate::dialog::Handoff;
use crate::words::{PhoneNumber, QueueName};

const CALL: &str = "c0000000-0000-4000-8000-000000000001";

const QUEUES: &str = "name|strategy|moh_sound|skip_agents_with_external_calls\n\
                      support@default|longest-idle-agent||true\n+OK";

const TIERS: &str = "queue|agent|state|level|position\n\
                     support@default|a1@default|Ready|1|1\n\
                     support@default|a2@default|Ready|2|1\n+OK";

const AGENTS: &str = "name|type|contact|status|state|wrap_up_time|last_bridge_end|last_offered_call|ready_time|external_calls_count\n\
                      a1@default|callback|[leg_timeout=10]sofia/internal/a1@one|Available|Waiting|0|0|0|0|0\n\
                      a2@default|callback|user/a2@${domain}|Available|Waiting|0|0|0|0|0\n+OK";

/// A switch that plays along, and Hotline's side of it.
struct House {
    switch: Switch,
    line: Line,
    side: Arc<FreeSwitch>,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, PASSWORD).unwrap();
        let switch = Switch::open().await;
        let config: Config = serde_json::from_value(serde_json::json!({
            "port": switch.port(),
            "password_file": file,
            "outbound": "{sip_cid_type=none}sofia/gateway/trunk/{number}",
        }))
        .unwrap();
        let times = Times {
            outcome: Duration::from_millis(500),
            command: Duration::from_millis(500),
            alive: Duration::from_secs(60),
            shortest_wait: Duration::from_millis(10),
            ..Times::default()
        };
        let stop = CancellationToken::new();
        let side = FreeSwitch::start(config, times, Default::default(), &stop);
        let mut line = switch.let_in().await;
        line.tell_time().await;
        let mut state = side.link.state();
        state
            .wait_for(|state| *state == LinkState::Ready)
            .await
            .unwrap();
        Self {
            switch,
            line,
            side,
            _folder: folder,
        }
    }

    /// Orders a call; what comes of it is awaited while the switch plays its part.
    fn order(&self, dial: Dial) -> tokio::task::JoinHandle<Result<Dialled, PbxError>> {
        let side = Arc::clone(&self.side);
        tokio::spawn(async move { side.originate(&dial).await })
    }

    fn knows(&self) -> bool {
        lock(&self.side.calls).arrival(call()).is_some()
    }

    /// Answers who serves the queue, and how the second agent's contact is written out.
    async fn posts(&mut self) {
        self.line
            .expect("api callcenter_config queue list", QUEUES)
            .await;
        self.line
            .expect("api callcenter_config agent list", AGENTS)
            .await;
        self.line
            .expect("api callcenter_config tier list", TIERS)
            .await;
        self.line.tell_time().await;
    }

    /// Takes the next order to dial.
    async fn dialled(&mut self) -> String {
        self.line.expect("bgapi originate", "").await
    }

    async fn hung_up(&mut self, call: &str, cause: &str) {
        let headers = [("Unique-ID", call), ("Hangup-Cause", cause)];
        self.line
            .tell("CHANNEL_HANGUP_COMPLETE", &headers, "")
            .await;
    }

    async fn answered(&mut self, call: &str) {
        self.line
            .tell("CHANNEL_ANSWER", &[("Unique-ID", call)], "")
            .await;
    }
}

fn call() -> CallId {
    CallId(Uuid::parse_str(CALL).unwrap())
}

fn dial(order: DialOrder) -> Dial {
    Dial {
        call: call(),
        number: PhoneNumber::parse("+4570101010").unwrap(),
        queue: QueueName::from("support"),
        order,
        caller_id: Some(PhoneNumber::parse("+4570202020").unwrap()),
        ring: Duration::from_millis(19_500),
        purpose: "callback:7".to_owned(),
        handoff: Handoff {
            caller: None,
            language: None,
            reason: "flytning, og \"pas\"".to_owned(),
            summary: String::new(),
            agents: None,
            tenant: "Ærø".to_owned(),
            reference: None,
            whisper: None,
        },
    }
}

/// Returns the value of a variable in an order to dial.
fn variable(order: &str, name: &str) -> String {
    let after = order.split_once(&format!("{name}=")).unwrap().1;
    after.split([',', '}']).next().unwrap().to_owned()
}

/// Writes the parts of an order that are chosen anew each time by their names.
fn fixed(order: &str) -> String {
    order.replace(&variable(order, "hotline_second"), "SECOND")
}

#[tokio::test]
async fn a_caller_is_dialled_through_the_trunk_and_answers() {
    let mut house = House::new().await;
    let outcome = house.order(dial(DialOrder::CallerFirst));
    let order = house.dialled().await;
    insta::assert_snapshot!(
        order,
        @"bgapi originate {origination_uuid=c0000000-0000-4000-8000-000000000001,ignore_early_media=true,originate_timeout=20,origination_caller_id_number=+4570202020,origination_caller_id_name=+4570202020,hotline_reason='flytning‚ og ”pas”',hotline_tenant=Ærø,hotline_caller=+4570101010,hotline_purpose=callback:7,hotline_queue=support,hotline_did=+4570202020,hotline_outbound_number=+4570202020}{sip_cid_type=none}sofia/gateway/trunk/+4570101010 support@default XML hotline-callback-caller"
    );
    assert!(house.knows(), "who answers may come to us at once");
    house.answered(CALL).await;
    assert_eq!(outcome.await.unwrap().unwrap(), Dialled::Answered);
    assert!(house.knows());
}

#[tokio::test]
async fn a_caller_who_is_busy_is_told_so_and_forgotten() {
    let mut house = House::new().await;
    let outcome = house.order(dial(DialOrder::CallerFirst));
    let order = house.dialled().await;
    house
        .line
        .job(
            "bgapi originate {origination_uuid=other}x",
            "-ERR NO_ANSWER",
        )
        .await;
    house.hung_up(CALL, "USER_BUSY").await;
    house.line.job(&order, "-ERR USER_BUSY").await;
    assert_eq!(outcome.await.unwrap().unwrap(), Dialled::Busy);
    assert!(!house.knows());
}

#[tokio::test]
async fn a_failure_whose_job_is_never_told_is_judged_by_the_hang_up() {
    let mut house = House::new().await;
    let outcome = house.order(dial(DialOrder::CallerFirst));
    house.dialled().await;
    house.hung_up(CALL, "UNALLOCATED_NUMBER").await;
    assert_eq!(outcome.await.unwrap().unwrap(), Dialled::InvalidNumber);
}

#[tokio::test]
async fn the_next_agent_is_rung_under_the_same_id_when_one_does_not_take_it() {
    let mut house = House::new().await;
    let outcome = house.order(dial(DialOrder::AgentFirst));
    house.posts().await;
    let first = house.dialled().await;
    insta::assert_snapshot!(
        fixed(&first),
        @"bgapi originate {origination_uuid=c0000000-0000-4000-8000-000000000001,ignore_early_media=true,originate_timeout=20,origination_caller_id_number=+4570101010,origination_caller_id_name=+4570101010,hotline_agent=a1@default,hotline_second=SECOND,hotline_dial={sip_cid_type=none}sofia/gateway/trunk/+4570101010,hotline_reason='flytning‚ og ”pas”',hotline_tenant=Ærø,hotline_caller=+4570101010,hotline_purpose=callback:7,hotline_queue=support,hotline_did=+4570202020,hotline_outbound_number=+4570202020,sip_h_X-Hotline-Call=c0000000-0000-4000-8000-000000000001,sip_h_X-Hotline-Caller=+4570101010,sip_h_X-Hotline-Reason='flytning‚ og ”pas”'}[leg_timeout=10]sofia/internal/a1@one +4570101010 XML hotline-callback-agent"
    );
    house.hung_up(CALL, "CALL_REJECTED").await;
    house.line.job(&first, "-ERR CALL_REJECTED").await;
    house
        .line
        .expect(&format!("api uuid_exists {CALL}"), "true")
        .await;
    house
        .line
        .expect(&format!("api uuid_exists {CALL}"), "false")
        .await;
    house.posts().await;
    house
        .line
        .expect("api eval user/a2@${domain}", "user/a2@house")
        .await;
    let second = house.dialled().await;
    assert!(
        second.contains("}user/a2@house +4570101010 XML hotline-callback-agent"),
        "{second}"
    );
    assert_eq!(variable(&second, "origination_uuid"), CALL);
    assert_eq!(variable(&second, "hotline_agent"), "a2@default");
    let callee = variable(&second, "hotline_second");
    assert_ne!(callee, variable(&first, "hotline_second"));
    house.answered(CALL).await;
    house.line.job(&second, &format!("+OK {CALL}")).await;
    house.answered(&callee).await;
    assert_eq!(outcome.await.unwrap().unwrap(), Dialled::Answered);
}

#[tokio::test]
async fn nobody_is_rung_when_no_agent_is_free() {
    let mut house = House::new().await;
    let outcome = house.order(dial(DialOrder::AgentFirst));
    house
        .line
        .expect("api callcenter_config queue list", QUEUES)
        .await;
    let away = AGENTS.replace("Available", "On Break");
    house
        .line
        .expect("api callcenter_config agent list", &away)
        .await;
    house
        .line
        .expect("api callcenter_config tier list", TIERS)
        .await;
    house.line.tell_time().await;
    assert_eq!(outcome.await.unwrap().unwrap(), Dialled::NoAgent);
    assert!(!house.knows());
}

#[tokio::test]
async fn a_queue_that_the_switch_does_not_know_is_refused_by_name() {
    let mut house = House::new().await;
    let queue = QueueName::from("nosuch");
    let outcome = house.order(Dial {
        queue,
        ..dial(DialOrder::AgentFirst)
    });
    house.posts().await;
    insta::assert_snapshot!(
        outcome.await.unwrap().unwrap_err(),
        @r#"the PBX refused the outgoing call: FreeSWITCH knows no queue "nosuch@default": see callcenter.conf.xml"#
    );
}

#[tokio::test]
async fn two_orders_at_once_ring_two_agents_and_a_third_finds_none() {
    let mut house = House::new().await;
    let first = house.order(dial(DialOrder::AgentFirst));
    house.posts().await;
    let to_first = house.dialled().await;
    let other = CallId(Uuid::from_u128(2));
    let second = house.order(Dial {
        call: other,
        ..dial(DialOrder::AgentFirst)
    });
    house.posts().await;
    house.line.expect("api eval", "user/a2@house").await;
    let to_second = house.dialled().await;
    let third = house.order(Dial {
        call: CallId(Uuid::from_u128(3)),
        ..dial(DialOrder::AgentFirst)
    });
    house.posts().await;
    assert_eq!(third.await.unwrap().unwrap(), Dialled::NoAgent);
    assert_eq!(variable(&to_first, "hotline_agent"), "a1@default");
    assert_eq!(variable(&to_second, "hotline_agent"), "a2@default");
    for (order, outcome, call) in [(to_first, first, call()), (to_second, second, other)] {
        let callee = variable(&order, "hotline_second");
        house.answered(&call.to_string()).await;
        house.hung_up(&callee, "NO_ANSWER").await;
        let went_on = [
            ("Event-Subclass", "hotline::went_on"),
            ("Unique-ID", &call.to_string()),
            ("place", "callback"),
            ("status", "NO_ANSWER"),
        ];
        house.line.tell("CUSTOM", &went_on, "").await;
        assert_eq!(outcome.await.unwrap().unwrap(), Dialled::NoAnswer);
    }
    let again = house.order(dial(DialOrder::AgentFirst));
    house.posts().await;
    assert_eq!(
        variable(&house.dialled().await, "hotline_agent"),
        "a1@default",
        "free again"
    );
    again.abort();
}

#[tokio::test]
async fn a_call_that_was_answered_during_an_outage_is_found_again() {
    let mut house = House::new().await;
    let outcome = house.order(dial(DialOrder::CallerFirst));
    house.dialled().await;
    house.line.hang_up().await;
    house.line = house.switch.let_in().await;
    // The calls that are apart from us are looked at, too.
    let mut asked = 0;
    while !outcome.is_finished() {
        tokio::select! {
            command = house.line.command() => {
                asked += 1;
                let answer = match command.starts_with("api uuid_exists ") {
                    true => "true",
                    false => "ANSWER",
                };
                house.line.answer(answer).await;
            }
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
    assert!(asked >= 2);
    assert_eq!(outcome.await.unwrap().unwrap(), Dialled::Answered);
}

#[tokio::test]
async fn a_call_that_is_gone_after_an_outage_has_an_unknown_outcome() {
    let mut house = House::new().await;
    let outcome = house.order(dial(DialOrder::CallerFirst));
    house.dialled().await;
    house.line.hang_up().await;
    house.line = house.switch.let_in().await;
    house.line.expect("api uuid_exists", "false").await;
    let playing = async {
        loop {
            house.line.expect("api uuid_exists", "false").await;
        }
    };
    tokio::select! {
        () = playing => unreachable!(),
        outcome = outcome => {
            let failed = outcome.unwrap().unwrap_err();
            assert!(matches!(failed, PbxError::Unanswered { .. }), "{failed}");
        }
    }
}

#[tokio::test]
async fn an_order_without_any_sign_of_life_has_an_unknown_outcome() {
    let mut house = House::new().await;
    let ring = Duration::from_millis(100);
    let outcome = house.order(Dial {
        ring,
        ..dial(DialOrder::CallerFirst)
    });
    house.dialled().await;
    let failed = outcome.await.unwrap().unwrap_err();
    insta::assert_snapshot!(
        failed,
        @"the PBX did not answer the outgoing call within 600ms: outcome unknown"
    );
    assert!(house.knows(), "it may still answer");
}

#[tokio::test]
async fn an_order_that_was_not_acknowledged_is_not_given_again_but_awaited() {
    let mut house = House::new().await;
    let outcome = house.order(dial(DialOrder::CallerFirst));
    let order = house.line.command().await;
    assert!(order.starts_with("bgapi originate"));
    tokio::time::sleep(Duration::from_millis(600)).await;
    house
        .line
        .reply("+OK Job-UUID: 7f4db78a-17d7-4b8a-b2ea-1c7b2a3b4c5d")
        .await;
    house.answered(CALL).await;
    assert_eq!(outcome.await.unwrap().unwrap(), Dialled::Answered);
}

#[tokio::test]
async fn without_a_link_nothing_is_dialled_and_nothing_remembered() {
    let house = House::new().await;
    let House {
        switch, line, side, ..
    } = house;
    drop((line, switch));
    let mut state = side.link.state();
    state
        .wait_for(|state| matches!(state, LinkState::Down(_)))
        .await
        .unwrap();
    let failed = side
        .originate(&dial(DialOrder::CallerFirst))
        .await
        .unwrap_err();
    assert!(matches!(failed, PbxError::NotConnected(_)), "{failed}");
    assert!(lock(&side.calls).arrival(call()).is_none());
}
