//! Callers who leave: whatever state the call is in, nothing of it is left behind, neither with
//! Hotline nor on the PBX.

use std::time::{Duration, Instant};

use street::pbx::Switch;
use street::phone::{Answering, Call, Phone};
use street::tone;

use crate::house::{CLOSED, House, OPEN, SOON, open};

/// Where a call is when the caller hangs up.
#[derive(Clone, Copy, Debug)]
enum State {
    Ringing,
    Greeting,
    Question,
    Recording,
    Transfer,
    Queue,
    Talk,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Ringing,
        Self::Greeting,
        Self::Question,
        Self::Recording,
        Self::Transfer,
        Self::Queue,
        Self::Talk,
    ];
}

/// What there is while nobody calls, and must be again.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Count {
    files: usize,
    tasks: f64,
    calls: f64,
    channels: usize,
}

impl Count {
    fn min(self, other: Self) -> Self {
        Self {
            files: self.files.min(other.files),
            tasks: self.tasks.min(other.tasks),
            calls: self.calls.min(other.calls),
            channels: self.channels.min(other.channels),
        }
    }
}

async fn count(house: &House) -> Count {
    // First, as asking for figures opens a socket.
    let files = house.hotline.open_files().unwrap().len();
    let figure = async |name| house.hotline.figure(name).await.unwrap().unwrap();
    Count {
        files,
        tasks: figure("hotline_tasks").await,
        calls: figure("hotline_calls_active").await,
        channels: house.pbx.channels().await.unwrap(),
    }
}

/// Returns the least of what there is for a while that is longer than connections linger.
async fn least(house: &House) -> Count {
    const WHILE: Duration = Duration::from_secs(7);
    let began = Instant::now();
    let mut least = count(house).await;
    while began.elapsed() < WHILE {
        tokio::time::sleep(Duration::from_millis(50)).await;
        least = least.min(count(house).await);
    }
    least
}

/// Waits until there is no more than that.
async fn nothing_more(house: &House, than: Count, state: State) {
    let deadline = Instant::now() + SOON;
    loop {
        let now = count(house).await;
        if now.min(than) == now {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "hanging up in {state:?} left {now:?} where {than:?} was before, with these open: {:?}",
            house.hotline.open_files()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn hang_up_in(house: &House, phone: &Phone, state: State) {
    let call = match state {
        State::Ringing => phone.dial(house.pbx.sip(), OPEN).unwrap(),
        State::Greeting => {
            let call = phone.call(house.pbx.sip(), OPEN).await.unwrap();
            call.hear_sound(SOON).await.unwrap();
            call
        }
        State::Question => house.call(phone, OPEN).await,
        State::Recording => {
            let call = house.call(phone, CLOSED).await;
            house.press_to(&call, "1", "closed").await;
            call.press_all("2").await.unwrap();
            call.hear_tone(440.0, SOON).await.unwrap();
            call
        }
        State::Transfer => {
            let mark = house.hotline.journal().mark();
            let call = house.call(phone, OPEN).await;
            call.press_all("1").await.unwrap();
            house
                .line(mark, |line| !line["command"]["transfer"].is_null())
                .await;
            call
        }
        State::Queue => {
            house.agent.set_answering(Answering::Refuse(486));
            let call = house.call(phone, OPEN).await;
            call.press_all("1").await.unwrap();
            house.in_queue(&call).await;
            call
        }
        State::Talk => {
            house.agent.set_answering(Answering::After(Duration::ZERO));
            let call = house.call(phone, OPEN).await;
            call.press_all("1").await.unwrap();
            heard_by_an_agent(&call).await;
            call
        }
    };
    call.hang_up().unwrap();
    call.ended(SOON).await.unwrap();
}

/// Waits until the agent has answered: the caller no longer hears the hold tone, but the agent.
async fn heard_by_an_agent(call: &Call) {
    call.hear_tone(700.0, SOON).await.unwrap();
}

pub(crate) async fn hanging_up_in_each_state_leaves_nothing_behind(switch: Switch) {
    let house = open(switch).await;
    // Whenever the agent answers, the caller hears that.
    let agent = async {
        loop {
            if let Ok(ringing) = house.agent.rings(SOON).await
                && ringing.answered(SOON).await.is_ok()
            {
                ringing.play(&tone::tone(700.0, 5.0, 0.5));
            }
        }
    };
    let callers = async {
        let phone = Phone::new("20304050").unwrap();
        // What is opened once may stay open: the first calls are not counted.
        for state in [State::Recording, State::Talk] {
            hang_up_in(&house, &phone, state).await;
        }
        let before = least(&house).await;
        assert_eq!((before.calls, before.channels), (0.0, 0));
        for state in State::ALL {
            hang_up_in(&house, &phone, state).await;
            nothing_more(&house, before, state).await;
        }
    };
    tokio::select! {
        () = agent => unreachable!("agents stay"),
        () = callers => {}
    }
}
