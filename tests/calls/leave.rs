//! Callers who leave: whatever state the call is in, nothing of it is left behind, neither with
//! Hotline nor on the PBX.

use std::fmt::Debug;
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
    tasks: Option<f64>,
    calls: Option<f64>,
    channels: usize,
}

async fn count(house: &House) -> Count {
    Count {
        tasks: house.hotline.figure("hotline_tasks").await.unwrap(),
        calls: house.hotline.figure("hotline_calls_active").await.unwrap(),
        files: house.hotline.open_files().unwrap(),
        channels: house.pbx.channels().await.unwrap(),
    }
}

/// Waits until the count stays as it is for a while, as connections are closed with some delay.
async fn settled(house: &House, name: impl Debug, wanted: impl Fn(&Count) -> bool) -> Count {
    const CALM: Duration = Duration::from_millis(500);
    let deadline = Instant::now() + SOON;
    let (mut last, mut since) = (count(house).await, Instant::now());
    loop {
        if wanted(&last) && since.elapsed() >= CALM {
            return last;
        }
        assert!(Instant::now() < deadline, "{name:?}: {last:?} is left");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = count(house).await;
        if now != last {
            (last, since) = (now, Instant::now());
        }
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
        // What is opened once stays open: the first calls are not counted.
        hang_up_in(&house, &phone, State::Recording).await;
        house.mail.mail(SOON, |_| true).await.unwrap();
        let empty = |count: &Count| count.channels == 0 && count.calls == Some(0.0);
        let before = settled(&house, "at first", empty).await;
        for state in State::ALL {
            hang_up_in(&house, &phone, state).await;
            settled(&house, state, |now| {
                now.files <= before.files
                    && now.tasks <= before.tasks
                    && now.calls == before.calls
                    && now.channels == 0
            })
            .await;
        }
    };
    tokio::select! {
        () = agent => unreachable!("agents stay"),
        () = callers => {}
    }
}
