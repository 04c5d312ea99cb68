//! Three calls, each of them real SIP through a real Asterisk, and what must come of them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use street::asterisk::Block;
use street::phone::{Answering, Call, Caller, Phone};
use street::smtp::Mail;
use street::{caller, tone};

use crate::house::House;
use crate::page::Who;
use crate::towns::{CLOSED, LONG_WAIT, OPEN};

/// Long enough for anything that is going to happen.
const SOON: Duration = Duration::from_secs(25);

/// What the caller's and the agent's phones play to show that each hears the other, in hertz.
const CALLER_TONE: f64 = 500.0;
const AGENT_TONE: f64 = 700.0;

/// The citizen of the script.
const CITIZEN: &str = "20304050";
/// Somebody else who calls first.
const NEIGHBOUR: &str = "20304060";

/// Plays the whole script; an error names the step that did not happen.
pub(crate) async fn play(house: &House) -> Result<()> {
    queue(house).await.context("call 1, a spoken wish")?;
    message(house).await.context("call 2, out of hours")?;
    callback(house).await.context("call 3, a long wait")
}

async fn queue(house: &House) -> Result<()> {
    let page = &house.page;
    page.chapter("Call 1: a spoken wish, during opening hours");
    let citizen = Phone::new(CITIZEN)?;
    let (call, mark) = dial(house, &citizen, OPEN).await?;
    said(house, mark).await?;
    let mark = house.hotline.journal().mark();
    wish(house, &call, "jeg vil gerne bestille tid til pas", "1").await?;
    if house.hears {
        understood(house, mark, "citizen_service").await?;
        house.shown("the Danish sentence was understood").await;
    }
    queued(house, mark, "borgerservice").await?;
    let agent = rings(house, "borgerservice").await?;
    talk(house, &call, &agent).await?;
    call.hang_up()?;
    page.line(Who::Caller, "hangs up");
    agent
        .ended(SOON)
        .await
        .context("the agent's phone is still in the call")?;
    Ok(())
}

async fn message(house: &House) -> Result<()> {
    let page = &house.page;
    page.chapter("Call 2: out of hours, a message");
    let citizen = Phone::new(CITIZEN)?;
    let (call, mark) = dial(house, &citizen, CLOSED).await?;
    interrupt(house, &call).await?;
    wish(house, &call, "jeg har et spørgsmål om boligstøtte", "7").await?;
    house
        .hotline
        .state_reached(mark, "closed", SOON)
        .await
        .context("told that it is closed")?;
    listens(house, mark, 1).await?;
    press(
        house,
        &call,
        "2",
        "for a message, without waiting for the end",
    )
    .await?;
    house
        .line(mark, SOON, |line| !line["command"]["record"].is_null())
        .await?;
    // The beep is the only pure tone.
    call.hear_tone(440.0, SOON).await.context("the beep")?;
    say(
        house,
        &call,
        "goddag jeg søger om boligstøtte og har et spørgsmål",
    )
    .await?;
    press(house, &call, "#", "to end the recording").await?;
    let reference = reference(house, mark)
        .await
        .context("the message is stored")?;
    let mail = house
        .mail
        .mail(SOON, |mail| names(mail, &reference))
        .await
        .context("the mail")?;
    show(house, &mail)?;
    let told = |line: &Value| {
        line["command"]["say"]["text"]
            .as_str()
            .is_some_and(|text| text.contains("referencenummer"))
    };
    house
        .line(mark, SOON, told)
        .await
        .context("the caller is told the reference")?;
    house
        .shown("the message arrived as a mail with a recording that plays")
        .await;
    said(house, house.hotline.journal().mark()).await?;
    answer(house, &call, "nej tak", "2").await?;
    call.ended(SOON).await.context("Hotline ends the call")?;
    over(house, mark).await
}

async fn callback(house: &House) -> Result<()> {
    let page = &house.page;
    page.chapter("Call 3: a long wait, and a callback instead");
    let citizen = Phone::new(CITIZEN)?;
    house
        .asterisk
        .route(&format!("+45{CITIZEN}"), citizen.port())
        .await?;
    let neighbour = Phone::new(NEIGHBOUR)?;
    let waiting = keep_waiting(house, &neighbour)
        .await
        .context("somebody else waits first")?;

    let (call, mark) = dial(house, &citizen, OPEN).await?;
    interrupt(house, &call).await?;
    wish(house, &call, "jeg har et spørgsmål om sygedagpenge", "2").await?;
    house
        .hotline
        .state_reached(mark, "busy", SOON)
        .await
        .context("a callback is offered")?;
    house
        .shown("a callback was offered because the wait is long")
        .await;
    said(house, house.hotline.journal().mark()).await?;
    answer(house, &call, "ja", "1").await?;
    house
        .hotline
        .state_reached(mark, "number", SOON)
        .await
        .context("the number is confirmed")?;
    listens(house, mark, 2).await?;
    answer(house, &call, "ja", "1").await?;
    house
        .hotline
        .state_reached(mark, "time", SOON)
        .await
        .context("asked when")?;
    press(house, &call, "1", "for “as soon as possible”").await?;
    let reference = reference(house, mark)
        .await
        .context("the callback is stored")?;
    house.hotline.state_reached(mark, "noted", SOON).await?;
    call.hear_sound(SOON).await?;
    call.hang_up()?;
    page.line(Who::Caller, "hangs up");
    over(house, mark).await?;

    let mark = house.hotline.journal().mark();
    house.agent.set_answering(Answering::After(Duration::ZERO));
    waiting.hang_up()?;
    page.line(
        Who::Agent,
        "Anna is free again, and the one who waited has given up",
    );
    let rung = citizen
        .rings(SOON)
        .await
        .context("the citizen is called back")?;
    page.line(
        Who::Caller,
        "the citizen's phone rings and is answered: the municipality calls back",
    );
    house.shown("the callback was dialled").await;
    house
        .line(mark, SOON, |line| !line["command"]["listen"].is_null())
        .await?;
    rung.hear_sound(SOON).await?;
    said(house, mark).await?;
    answer(house, &rung, "ja", "1").await?;
    queued(house, mark, "jobcenter").await?;
    let agent = rings(house, "jobcenter").await?;
    talk(house, &rung, &agent).await?;
    rung.hang_up()?;
    page.line(Who::Caller, "hangs up");
    kept(house, &reference)
        .await
        .context("the callback is marked as done")?;
    house
        .shown(&format!("callback {reference} was made, and is over"))
        .await;
    Ok(())
}

/// Calls a number and waits until the caller is asked what they want; returns where in the journal.
async fn dial(house: &House, phone: &Phone, number: &str) -> Result<(Call, usize)> {
    let mark = house.hotline.journal().mark();
    house.page.line(Who::Caller, &format!("dials {number}"));
    let name = Caller::new().name("Søren Ærø");
    let call = phone.dial_as(house.asterisk.sip(), number, &name)?;
    call.answered(SOON).await.context("Asterisk answers")?;
    house
        .hotline
        .state_reached(mark, "wish", SOON)
        .await
        .context("Hotline greets")?;
    Ok((call, mark))
}

/// Waits until Hotline speaks, so that the caller's next words cut it off.
async fn interrupt(house: &House, call: &Call) -> Result<()> {
    call.hear_sound(SOON).await.context("Hotline greets")?;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    house.page.line(Who::Caller, "interrupts the greeting:");
    Ok(())
}

/// Waits until all that was to be said is said.
async fn said(house: &House, mark: usize) -> Result<()> {
    house
        .line(mark, SOON, |line| line["event"] == "said")
        .await
        .context("Hotline speaks")?;
    Ok(())
}

/// Waits until Hotline listens for the `count`th answer since the mark.
async fn listens(house: &House, mark: usize, count: usize) -> Result<()> {
    let mut seen = 0;
    let enough = |line: &Value| {
        seen += usize::from(!line["command"]["listen"].is_null());
        seen == count
    };
    house
        .line(mark, SOON, enough)
        .await
        .context("Hotline listens")?;
    Ok(())
}

/// Says in Danish what the call is about; without speech recognition presses a key instead.
async fn wish(house: &House, call: &Call, words: &str, key: &str) -> Result<()> {
    answer(house, call, words, key).await
}

async fn answer(house: &House, call: &Call, words: &str, key: &str) -> Result<()> {
    if house.hears {
        say(house, call, words).await
    } else {
        press(house, call, key, &format!("instead of saying “{words}”")).await
    }
}

async fn say(house: &House, call: &Call, words: &str) -> Result<()> {
    let samples = caller::danish(words)?;
    house.page.line(Who::Caller, &format!("says “{words}”"));
    call.say(&samples)
        .await
        .with_context(|| format!("the caller says “{words}”"))?;
    Ok(())
}

async fn press(house: &House, call: &Call, key: &str, why: &str) -> Result<()> {
    house
        .page
        .line(Who::Caller, &format!("presses {key} {why}"));
    call.press_all(key)
        .await
        .with_context(|| format!("the caller presses {key}"))?;
    Ok(())
}

async fn understood(house: &House, mark: usize, meaning: &str) -> Result<()> {
    let found = |line: &Value| !line["command"]["note"]["understood"].is_null();
    let line = house
        .line(mark, SOON, found)
        .await
        .context("the words are understood")?;
    let taken = line["command"]["note"]["understood"]["meaning"]
        .as_str()
        .unwrap_or_default();
    ensure!(
        taken.contains(meaning),
        "understood as {taken:?} instead of {meaning:?}"
    );
    Ok(())
}

/// Waits until Asterisk itself says that the caller is in the queue.
async fn queued(house: &House, mark: usize, queue: &str) -> Result<()> {
    let events = house.asterisk.ami().mark();
    let found = |line: &Value| line["command"]["transfer"]["target"]["queue"]["queue"] == queue;
    house
        .line(mark, SOON, found)
        .await
        .with_context(|| format!("put into the queue {queue}"))?;
    let joined =
        |block: &Block| block.is_event("QueueCallerJoin") && block.get("Queue") == Some(queue);
    let joined = house.asterisk.ami().event_from(events, SOON, joined).await;
    let joined = joined.with_context(|| format!("Asterisk has the caller in queue {queue}"))?;
    let place = joined.get("Position").unwrap_or("?");
    house.page.line(
        Who::Pbx,
        &format!("has the caller in queue {queue}, at place {place}"),
    );
    Ok(())
}

/// Waits until Hotline has closed the call.
async fn over(house: &House, mark: usize) -> Result<()> {
    let found = |line: &Value| line.get("ended").is_some();
    house
        .line(mark, SOON, found)
        .await
        .context("Hotline closes the call")?;
    house.narrated().await;
    Ok(())
}

/// Waits until the agent's phone rings and is answered, and shows what it was told.
async fn rings(house: &House, queue: &str) -> Result<Call> {
    let page = &house.page;
    let deadline = tokio::time::Instant::now() + SOON;
    let agent = loop {
        let ringing = house
            .agent
            .rings(SOON)
            .await
            .context("the agent's phone rings")?;
        // Calls that were refused while Anna was busy are in the list as well.
        if ringing.answered(Duration::from_secs(2)).await.is_ok() && ringing.is_up() {
            break ringing;
        }
        if tokio::time::Instant::now() > deadline {
            bail!("the agent's phone did not ring for {queue}");
        }
    };
    page.line(
        Who::Agent,
        "Anna's phone rings, and she answers. Her screen shows:",
    );
    for name in ["Caller", "Language", "Reason", "Summary"] {
        let header = format!("X-Hotline-{name}");
        let value = agent
            .header(&header)
            .with_context(|| format!("the handoff's {header}"))?;
        page.more(&format!("{header}: {value}"));
    }
    house
        .shown("the agent was told who calls and what for")
        .await;
    Ok(agent)
}

/// Lets caller and agent hear each other.
async fn talk(house: &House, caller: &Call, agent: &Call) -> Result<()> {
    caller.play(&tone::tone(CALLER_TONE, 15.0, 0.5));
    agent.play(&tone::tone(AGENT_TONE, 15.0, 0.5));
    agent
        .hear_tone(CALLER_TONE, SOON)
        .await
        .context("the agent hears the caller")?;
    caller
        .hear_tone(AGENT_TONE, SOON)
        .await
        .context("the caller hears the agent")?;
    house
        .shown("caller and agent hear each other (a tone sent each way was recognised)")
        .await;
    Ok(())
}

/// Puts somebody into the queue whose agent is busy, until the wait is long.
async fn keep_waiting(house: &House, neighbour: &Phone) -> Result<Call> {
    house.agent.set_answering(Answering::Refuse(486));
    house
        .page
        .line(Who::Agent, "Anna is in another call: her phone says “busy”");
    house.narrator.skip_next();
    let mark = house.hotline.journal().mark();
    let call = neighbour.call(house.asterisk.sip(), OPEN).await?;
    house.hotline.state_reached(mark, "wish", SOON).await?;
    call.press_all("2").await?;
    call.hear_tone(street::asterisk::HOLD_TONE, SOON).await?;
    house
        .page
        .line(Who::Pbx, "somebody else waits in queue jobcenter");
    let long = async {
        loop {
            let queues = house.asterisk.ami().list("QueueSummary", &[]).await?;
            let waits = |queue: &Block| {
                queue
                    .get("LongestHoldTime")
                    .and_then(|time| time.parse::<u32>().ok())
                    .unwrap_or(0)
            };
            if queues.iter().any(|queue| waits(queue) >= LONG_WAIT) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, long)
        .await
        .context("the wait becomes long")??;
    Ok(call)
}

async fn reference(house: &House, mark: usize) -> Result<String> {
    let found = |line: &Value| line["command"]["note"]["slot"]["name"] == "reference";
    let line = house.line(mark, SOON, found).await?;
    let value = line["command"]["note"]["slot"]["value"].as_str();
    Ok(value.context("no reference")?.to_owned())
}

/// Waits until Hotline's own list says that the callback is over.
async fn kept(house: &House, reference: &str) -> Result<()> {
    let path = format!("/api/v1/callbacks/{reference}");
    let over = async {
        loop {
            let (_, text) = house.hotline.get(&path).await?;
            let callback: Value = serde_json::from_str(&text).unwrap_or_default();
            if callback["state"]["completed"] == "reached" {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match tokio::time::timeout(SOON, over).await {
        Ok(result) => result,
        Err(_) => bail!("Hotline says {}", house.hotline.get(&path).await?.1),
    }
}

/// Tells whether a mail names a reference.
fn names(mail: &Mail, reference: &str) -> bool {
    mail.subject().contains(reference) || mail.text().contains(reference)
}

/// Shows a mail as a mail program would.
fn show(house: &House, mail: &Mail) -> Result<()> {
    let page = &house.page;
    page.line(Who::Mail, "a mail has arrived");
    for name in ["From", "To", "Subject"] {
        page.more(&format!(
            "{name}: {}",
            mail.header(name).unwrap_or_default()
        ));
    }
    page.more("\n");
    page.more(mail.text().trim());
    page.more("\n");
    let attachments = mail.attachments();
    let file = attachments.iter().find(|file| file.name.ends_with(".wav"));
    let file = file.context("the mail has no recording")?;
    let reader = hound::WavReader::new(file.bytes.as_slice()).context("the recording plays")?;
    let rate = reader.spec().sample_rate;
    let seconds = f64::from(reader.duration()) / f64::from(rate);
    page.more(&format!(
        "[{}, {}, {seconds:.1} s, {rate} Hz]",
        file.name, file.kind
    ));
    let samples = reader
        .into_samples::<i16>()
        .collect::<Result<Vec<_>, _>>()?;
    let level = tone::level(&samples);
    ensure!(
        seconds > 1.0 && level > -40.0,
        "the recording is empty ({seconds:.1} s, {level:.0} dB)"
    );
    Ok(())
}
