//! The preferred recogniser fails while six callers are each at another moment of their call: the
//! second one understands all of them, and nobody hears nothing for long.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use street::engines::{Engine, Fault};
use tokio::sync::watch;

use crate::call::Call;
use crate::scene::{FIRST, SECOND, Scene, heard, says, story, transcription, vosk, wish};

/// How long a caller may hear nothing after their turn until something is said: 1.2 s, and the pause
/// that ends a turn, and what a busy machine takes.
const QUIET: Duration = Duration::from_millis(3000);

/// Where a caller is in their call when the engine fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// They call afterwards.
    Before,
    /// They are asked and think.
    Asked,
    /// They speak.
    Speaking,
    /// They have said it, and the words are owed.
    Owed,
    /// They hear something.
    Prompt,
    /// They are being recorded.
    Recording,
}

const MOMENTS: [Moment; 6] = [
    Moment::Before,
    Moment::Asked,
    Moment::Speaking,
    Moment::Owed,
    Moment::Prompt,
    Moment::Recording,
];

/// What a caller went through.
struct Served {
    moment: Moment,
    lines: Vec<Value>,
    /// From the end of their speech until they heard something.
    waited: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Act {
    Wait,
    Begin,
    Failed,
}

/// Plays the moment of one caller; `act` says when to begin and that the engine has failed.
async fn caller(scene: &Scene, moment: Moment, mut act: watch::Receiver<Act>) -> Result<Served> {
    let mut call = match moment {
        Moment::Before => {
            act.wait_for(|act| *act == Act::Failed).await?;
            scene.asked().await?
        }
        _ => {
            let mut call = scene.asked().await?;
            stay_until(&mut call, &act, Act::Begin).await?;
            call
        }
    };
    let stay = Duration::from_millis;
    let waited = match moment {
        Moment::Before => speak(&mut call).await?,
        Moment::Asked => {
            stay_until(&mut call, &act, Act::Failed).await?;
            call.stay(stay(300)).await?;
            speak(&mut call).await?
        }
        Moment::Speaking => {
            call.stay(stay(500)).await?;
            speak(&mut call).await?
        }
        Moment::Owed => {
            let spoke = call.say(&street::caller::danish("pas")?).await?;
            Some(call.answer().await?.duration_since(spoke))
        }
        Moment::Prompt => {
            call.stay(stay(600)).await?;
            call.press('0').await?;
            call.answer().await?;
            call.quiet(stay(700)).await?;
            speak(&mut call).await?
        }
        Moment::Recording => {
            call.press('9').await?;
            scene
                .until(&mut call, "the beep", |line| {
                    !line["command"]["record"].is_null()
                })
                .await?;
            call.stay(stay(900)).await?;
            call.say(&wish()?).await?;
            None
        }
    };
    let done = if moment == Moment::Recording {
        "Optaget."
    } else {
        "Noteret."
    };
    scene
        .until(&mut call, done, |line| says(line, done))
        .await?;
    Ok(Served {
        moment,
        lines: scene.lines(call.id()),
        waited,
    })
}

async fn speak(call: &mut Call) -> Result<Option<Duration>> {
    let spoke = call.say(&wish()?).await?;
    Ok(Some(call.answer().await?.duration_since(spoke)))
}

async fn stay_until(call: &mut Call, act: &watch::Receiver<Act>, wanted: Act) -> Result<()> {
    while *act.borrow() < wanted {
        call.stay(Duration::from_millis(20)).await?;
    }
    Ok(())
}

/// Lets the preferred engine fail in mid call, and shows that everybody is served.
async fn fails(first: &mut Engine, fail: impl FnOnce(&mut Engine)) -> Result<()> {
    // The words take a moment, so that they are owed when the engine fails.
    first.set_fault(Fault::Slow(Duration::from_millis(900)));
    let second = vosk(&[SECOND])?;
    // Every call is to meet the fault, and not the breaker.
    let more = json!({ "speech": { "limits": { "breaker": { "failures": 1000 } } } });
    let scene = Scene::start(&[first, &second], more).await?;
    // Prompts are made, and all is well.
    let mut call = scene.asked().await?;
    speak(&mut call).await?;
    scene
        .until(&mut call, FIRST, |line| heard(line) == Some(FIRST))
        .await?;
    drop(call);
    let (act, acts) = watch::channel(Act::Wait);
    let callers = MOMENTS.map(|moment| caller(&scene, moment, acts.clone()));
    let callers = futures_util::future::join_all(callers);
    let director = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        act.send_replace(Act::Begin);
        // One is in mid speech now, one has said it, one hears a prompt, one is recorded.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        fail(first);
        act.send_replace(Act::Failed);
    };
    let (served, ()) = tokio::join!(callers, director);
    for served in served {
        let Served {
            moment,
            lines,
            waited,
        } = served?;
        let story = || format!("{moment:?}:\n{}", story(&lines));
        ensure!(
            !lines
                .iter()
                .any(|line| line["event"] == "speech_unavailable"),
            "a caller was sent to keys, {}",
            story()
        );
        if moment == Moment::Recording {
            let written = |line: &Value| line["event"]["recorded"]["transcript"] == SECOND;
            ensure!(
                lines.iter().any(written),
                "the recording is not written down, {}",
                story()
            );
            continue;
        }
        let understood: Vec<&str> = lines.iter().filter_map(heard).collect();
        let wanted: &[&str] = match moment {
            // Its words may have been on their way.
            Moment::Owed => &[FIRST, SECOND],
            _ => &[SECOND],
        };
        ensure!(
            understood.len() == 1 && wanted.contains(&understood[0]),
            "the second engine understood {understood:?}, {}",
            story()
        );
        let waited = waited.unwrap_or_default();
        ensure!(
            waited < QUIET,
            "nothing was heard for {waited:?}, {}",
            story()
        );
        let told = lines
            .iter()
            .any(|line| line["degraded"]["next"] == "vosk_server");
        ensure!(
            told || moment == Moment::Owed,
            "the journal does not tell of it, {}",
            story()
        );
    }
    second.check()?;
    let failures = scene
        .figure("hotline_recogniser_failures_total", "place=\"0\"")
        .await?;
    ensure!(failures >= 4.0, "only {failures} failures are counted");
    let overs = scene
        .figure("hotline_recogniser_hand_overs_total", "place=\"0\"")
        .await?;
    ensure!(overs >= 4.0, "only {overs} hand-overs are counted");
    Ok(())
}

#[tokio::test]
async fn killed_at_any_moment_of_a_call() {
    let _place = crate::MACHINE.read().await;
    let mut first = vosk(&[FIRST]).unwrap();
    fails(&mut first, Engine::stop).await.unwrap();
}

#[tokio::test]
async fn hung_at_any_moment_of_a_call() {
    let _place = crate::MACHINE.read().await;
    let mut first = vosk(&[FIRST]).unwrap();
    let fail = |first: &mut Engine| first.set_fault(Fault::HangBeforeFinal);
    fails(&mut first, fail).await.unwrap();
}

#[tokio::test]
async fn five_seconds_late_at_any_moment_of_a_call() {
    let _place = crate::MACHINE.read().await;
    let mut first = transcription(&[FIRST]).unwrap();
    let fail = |first: &mut Engine| first.set_fault(Fault::Slow(Duration::from_secs(5)));
    fails(&mut first, fail).await.unwrap();
}

#[tokio::test]
async fn answering_garbage_at_any_moment_of_a_call() {
    let _place = crate::MACHINE.read().await;
    let mut first = transcription(&[FIRST]).unwrap();
    fails(&mut first, |first| first.set_fault(Fault::Garbage))
        .await
        .unwrap();
}

#[tokio::test]
async fn answering_http_500_at_any_moment_of_a_call() {
    let _place = crate::MACHINE.read().await;
    let mut first = transcription(&[FIRST]).unwrap();
    fails(&mut first, |first| first.set_fault(Fault::Status(500)))
        .await
        .unwrap();
}

#[tokio::test]
async fn with_no_engine_left_the_keys_are_read_out_and_work() {
    let _place = crate::MACHINE.read().await;
    let first = vosk(&[FIRST]).unwrap();
    let scene = Scene::start(&[&first], json!({})).await.unwrap();
    let mut call = scene.asked().await.unwrap();
    first.set_fault(Fault::HangBeforeFinal);
    let spoke = call.say(&wish().unwrap()).await.unwrap();
    let waited = call.answer().await.unwrap().duration_since(spoke);
    assert!(waited < QUIET, "nothing was heard for {waited:?}");
    let wait = |what: &'static str| move |line: &Value| says(line, what);
    scene.until(&mut call, "keys", wait("Tryk")).await.unwrap();
    let lines = scene.lines(call.id());
    assert!(
        lines
            .iter()
            .any(|line| line["command"]["reassure"]["text"] == "Et øjeblik."),
        "{}",
        story(&lines)
    );
    call.press('1').await.unwrap();
    scene
        .until(&mut call, "noted", wait("Noteret."))
        .await
        .unwrap();
    let began = Instant::now();
    drop(call);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_call_beyond_the_capacity_gets_keys_at_once_and_those_in_progress_are_understood() {
    let _place = crate::MACHINE.read().await;
    let first = vosk(&[FIRST]).unwrap();
    let more = json!({ "speech": { "max_streams": 1 } });
    let scene = Scene::start(&[&first], more).await.unwrap();
    let mut one = scene.asked().await.unwrap();
    let over = std::cell::Cell::new(false);
    let other = async {
        let mut other = scene.place().await?;
        other.answer().await?;
        scene
            .until(&mut other, "keys", |line| says(line, "Tryk en for"))
            .await?;
        let lines = scene.lines(other.id());
        let first = lines
            .iter()
            .position(|line| says(line, "Hvad drejer det sig om?"));
        let keys = lines.iter().position(|line| says(line, "Tryk en for"));
        ensure!(
            first < keys,
            "keys come with the first question, {}",
            story(&lines)
        );
        other.press('1').await?;
        scene
            .until(&mut other, "noted", |line| says(line, "Noteret."))
            .await?;
        while !over.get() {
            other.stay(Duration::from_millis(40)).await?;
        }
        Ok(other)
    };
    let speaks = async {
        let mut waits = Vec::new();
        for _ in 0..3 {
            let spoke = one.say(&wish()?).await?;
            waits.push(one.answer().await?.duration_since(spoke));
            one.quiet(Duration::from_millis(700)).await?;
        }
        over.set(true);
        anyhow::Ok(waits)
    };
    let (other, waits) = tokio::join!(other, speaks);
    let mut other = other.unwrap_or_else(|error| panic!("{error:#}; {}", scene.hotline.log()));
    for wait in waits.unwrap() {
        assert!(wait < Duration::from_millis(1800), "{wait:?}");
    }
    // When there is room again, the second caller can speak.
    drop(one);
    scene
        .until(&mut other, "speech again", |line| {
            line["event"] == "speech_available"
        })
        .await
        .unwrap();
    other.press('1').await.unwrap();
    other.answer().await.unwrap();
    other.quiet(Duration::from_millis(1500)).await.unwrap();
    other.say(&wish().unwrap()).await.unwrap();
    scene
        .until(&mut other, FIRST, |line| heard(line) == Some(FIRST))
        .await
        .unwrap();
}
