use uuid::Uuid;

use super::super::fake::{PASSWORD, Switch};
use super::*;
use crate::pbx::news::Stream;
use crate::words::CallId;

const CALL: &str = "90ef509f-5c80-4b59-9c9b-0d398ec713c4";

/// A link, the news it brings, and the folder with its password.
struct House {
    link: Link,
    news: Stream<Told>,
    folder: tempfile::TempDir,
    _stop: tokio_util::sync::DropGuard,
}

impl House {
    fn new(port: u16, times: Times) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, format!("{PASSWORD}\nsecond line\n")).unwrap();
        let stop = CancellationToken::new();
        let news = Teller::default();
        let heard = news.listen();
        let host = "127.0.0.1".to_owned();
        let link = Link::start(host, port, file, times, news, stop.clone());
        Self {
            link,
            news: heard,
            folder,
            _stop: stop.drop_guard(),
        }
    }

    async fn is(&self, wanted: impl Fn(&LinkState) -> bool) -> LinkState {
        self.link
            .state()
            .wait_for(|state| wanted(state))
            .await
            .unwrap()
            .clone()
    }

    async fn ready(&self) {
        self.is(|state| *state == LinkState::Ready).await;
    }

    /// Waits for the next outage and tells its reason.
    async fn down(&self, port: u16) -> String {
        let down =
            |state: &LinkState| matches!(state, LinkState::Down(why) if why != "not connected yet");
        match self.is(down).await {
            LinkState::Down(why) => self.told(&why, port),
            LinkState::Up | LinkState::Ready => unreachable!(),
        }
    }

    fn told(&self, why: &str, port: u16) -> String {
        why.replace(&port.to_string(), "PORT")
            .replace(&self.folder.path().display().to_string(), "FOLDER")
    }
}

fn quick() -> Times {
    Times {
        command: Duration::from_millis(400),
        alive: Duration::from_secs(60),
        shortest_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(40),
        ..Times::default()
    }
}

#[tokio::test]
async fn it_is_ready_when_it_has_logged_in_and_subscribed() {
    let switch = Switch::open().await;
    let house = House::new(switch.port(), quick());
    let (mut line, said) = switch.greet().await;
    assert_eq!(said, "auth secret");
    line.reply("+OK accepted").await;
    insta::assert_snapshot!(
        line.next().await.unwrap(),
        @"event plain BACKGROUND_JOB CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_HANGUP_COMPLETE HEARTBEAT SHUTDOWN CUSTOM callcenter::info hotline::went_on"
    );
    assert_ne!(*house.link.state().borrow(), LinkState::Ready);
    line.reply("+OK event listener enabled plain").await;
    house.ready().await;
    let asked = tokio::spawn({
        let link = house.link.clone();
        async move { link.api(format!("uuid_exists {CALL}")).await }
    });
    line.expect("api uuid_exists", "true").await;
    assert_eq!(asked.await.unwrap().unwrap(), "true");
}

#[tokio::test]
async fn a_wrong_password_is_said_and_tried_again_slowly_and_read_anew() {
    let switch = Switch::open().await;
    let times = Times {
        refused_wait: Duration::from_millis(400),
        ..quick()
    };
    let house = House::new(switch.port(), times);
    let (mut line, _) = switch.greet().await;
    line.reply("-ERR invalid").await;
    insta::assert_snapshot!(
        house.down(switch.port()).await,
        @"FreeSWITCH at 127.0.0.1:PORT refuses the password in FOLDER/password: it is not the password of event_socket.conf.xml"
    );
    std::fs::write(house.folder.path().join("password"), "new one\r\n").unwrap();
    let refused = Instant::now();
    let (_, said) = switch.greet().await;
    assert_eq!(said, "auth new one");
    assert!(
        refused.elapsed() >= Duration::from_millis(200),
        "{:?}",
        refused.elapsed()
    );
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_told_with_the_files_to_change() {
    let switch = Switch::open().await;
    let house = House::new(switch.port(), quick());
    let mut line = switch.accept().await;
    let words = "Access Denied, go away.\n";
    let length = words.len();
    let text = format!("Content-Type: text/rude-rejection\nContent-Length: {length}\n\n{words}");
    line.write(&text).await;
    insta::assert_snapshot!(
        house.down(switch.port()).await,
        @"FreeSWITCH at 127.0.0.1:PORT does not let this machine's address in: allow it in acl.conf.xml, in the list that apply-inbound-acl of event_socket.conf.xml names"
    );
}

#[tokio::test]
async fn without_a_switch_every_command_fails_at_once_with_the_reason() {
    let switch = Switch::open().await;
    let port = switch.port();
    drop(switch);
    let house = House::new(port, quick());
    house.down(port).await;
    let begun = Instant::now();
    let failed = house.link.api("strepoch".to_owned()).await.unwrap_err();
    assert!(matches!(failed, PbxError::NotConnected(_)));
    assert!(begun.elapsed() < Duration::from_millis(200));
    insta::assert_snapshot!(
        house.told(&failed.to_string(), port),
        @"no connection to the PBX: nothing listens at 127.0.0.1:PORT: start FreeSWITCH, load mod_event_socket, and compare listen-ip and listen-port of event_socket.conf.xml"
    );
}

#[tokio::test]
async fn without_a_password_nothing_is_tried() {
    let switch = Switch::open().await;
    let house = House::new(switch.port(), quick());
    drop(switch.greet().await);
    std::fs::write(house.folder.path().join("password"), "\n").unwrap();
    house
        .is(|state| matches!(state, LinkState::Down(why) if why.contains("is empty")))
        .await;
    std::fs::remove_file(house.folder.path().join("password")).unwrap();
    house
        .is(|state| matches!(state, LinkState::Down(why) if why.contains("cannot read")))
        .await;
}

#[tokio::test]
async fn what_listens_there_and_is_no_switch_is_told_so() {
    let switch = Switch::open().await;
    let times = Times {
        connect: Duration::from_millis(200),
        ..quick()
    };
    let house = House::new(switch.port(), times);
    let line = switch.accept().await;
    insta::assert_snapshot!(
        house.down(switch.port()).await,
        @"FreeSWITCH at 127.0.0.1:PORT did not answer within 200ms"
    );
    drop(line);
    let impostor = tokio::spawn(async move {
        loop {
            let mut line = switch.accept().await;
            line.write("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let spoke = |state: &LinkState| matches!(state, LinkState::Down(why) if why.contains("does not answer as FreeSWITCH's"));
    house.is(spoke).await;
    impostor.abort();
}

#[tokio::test]
async fn news_come_in_order_and_go_on_after_an_outage() {
    let switch = Switch::open().await;
    let mut house = House::new(switch.port(), quick());
    let mut line = switch.let_in().await;
    line.tell("CHANNEL_ANSWER", &[("Unique-ID", CALL)], "")
        .await;
    line.tell("HEARTBEAT", &[], "").await;
    let headers = [("Unique-ID", CALL), ("Hangup-Cause", "USER_BUSY")];
    line.tell("CHANNEL_HANGUP_COMPLETE", &headers, "").await;
    drop(line);
    let mut line = switch.let_in().await;
    line.tell("CHANNEL_ANSWER", &[("Unique-ID", CALL)], "")
        .await;
    let mut heard = Vec::new();
    while heard.len() < 6 {
        heard.push(match house.news.next().await.unwrap() {
            News::Event(told) => format!("{told:?}"),
            News::Link(LinkState::Down(_)) => "down".to_owned(),
            News::Link(state) => format!("{state:?}"),
            News::Lost(lost) => format!("lost {lost}"),
        });
    }
    let call = CallId(Uuid::parse_str(CALL).unwrap());
    let answered = format!("{:?}", Told::Answered(call));
    let hung_up = format!(
        "{:?}",
        Told::HungUp {
            call,
            cause: "USER_BUSY".to_owned()
        }
    );
    assert_eq!(
        heard,
        ["Ready", &answered, &hung_up, "down", "Ready", &answered]
    );
}

#[tokio::test]
async fn a_command_that_was_under_way_when_the_connection_broke_may_have_been_carried_out() {
    let switch = Switch::open().await;
    let house = House::new(switch.port(), quick());
    let mut line = switch.let_in().await;
    house.ready().await;
    let link = house.link.clone();
    let ordered = tokio::spawn(async move { link.start_job("originate x y".to_owned()).await });
    assert_eq!(line.command().await, "bgapi originate x y");
    drop(line);
    let failed = ordered.await.unwrap().unwrap_err();
    assert!(matches!(failed, PbxError::Unanswered { .. }), "{failed}");
    let mut line = switch.let_in().await;
    house.ready().await;
    let link = house.link.clone();
    let asked = tokio::spawn(async move { link.api("uuid_exists z".to_owned()).await });
    assert_eq!(
        line.command().await,
        "api uuid_exists z",
        "nothing is sent twice"
    );
    line.answer("false").await;
    assert_eq!(asked.await.unwrap().unwrap(), "false");
}

#[tokio::test]
async fn a_late_answer_is_not_taken_for_the_next_ones() {
    let switch = Switch::open().await;
    let house = House::new(switch.port(), quick());
    let mut line = switch.let_in().await;
    house.ready().await;
    let failed = tokio::join!(house.link.api("uuid_exists a".to_owned()), async {
        assert_eq!(line.command().await, "api uuid_exists a");
    });
    assert!(matches!(failed.0, Err(PbxError::Unanswered { .. })));
    let asked = tokio::join!(house.link.api("uuid_exists b".to_owned()), async {
        line.answer("answer to a").await;
        line.expect("api uuid_exists b", "answer to b").await;
    });
    assert_eq!(asked.0.unwrap(), "answer to b");
}

#[tokio::test]
async fn a_switch_that_falls_silent_is_given_up() {
    let switch = Switch::open().await;
    let times = Times {
        alive: Duration::from_millis(50),
        dead: Duration::from_millis(300),
        ..quick()
    };
    let house = House::new(switch.port(), times);
    let mut line = switch.let_in().await;
    house.ready().await;
    for _ in 0..3 {
        assert_eq!(line.next().await.unwrap(), "api strepoch");
        line.answer("1795335974").await;
    }
    insta::assert_snapshot!(
        house.down(switch.port()).await,
        @"FreeSWITCH at 127.0.0.1:PORT has not answered for 300ms"
    );
    let _line = switch.let_in().await;
    house.ready().await;
}

#[tokio::test]
async fn a_switch_that_shuts_down_says_so() {
    let switch = Switch::open().await;
    let mut house = House::new(switch.port(), quick());
    let mut line = switch.let_in().await;
    line.tell("SHUTDOWN", &[("Event-Info", "System Shutting Down")], "")
        .await;
    drop(line);
    let reason = loop {
        if let News::Link(LinkState::Down(why)) = house.news.next().await.unwrap() {
            break why;
        }
    };
    assert_eq!(reason, "FreeSWITCH is shutting down");
}

#[tokio::test]
async fn refusals_keep_the_switchs_words_and_a_gone_channel_is_its_own() {
    let switch = Switch::open().await;
    let house = House::new(switch.port(), quick());
    let mut line = switch.let_in().await;
    house.ready().await;
    let asked = tokio::join!(
        house.link.api("callcenter_config queue list".to_owned()),
        line.expect(
            "api callcenter",
            "-ERR callcenter_config Command not found!\n"
        ),
    );
    insta::assert_snapshot!(
        asked.0.unwrap_err(),
        @"the PBX refused callcenter_config: callcenter_config Command not found!"
    );
    let asked = tokio::join!(
        house.link.api(format!("uuid_kill {CALL}")),
        line.expect("api uuid_kill", "-ERR No such channel!\n"),
    );
    assert!(matches!(asked.0, Err(PbxError::NoSuchCall)));
    let two = house
        .link
        .api("uuid_exists a\n\napi shutdown".to_owned())
        .await;
    assert!(matches!(two, Err(PbxError::Unsendable { .. })), "{two:?}");
}

#[tokio::test]
async fn it_ends_when_it_is_told_to() {
    let switch = Switch::open().await;
    let house = House::new(switch.port(), quick());
    let mut line = switch.let_in().await;
    house.ready().await;
    let state = house.link.state();
    drop(house);
    while line.next().await.is_some() {}
    assert_eq!(*state.borrow(), LinkState::Down("stopped".to_owned()));
}
