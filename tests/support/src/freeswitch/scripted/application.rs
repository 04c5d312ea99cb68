//! The applications of the dialplan, each as far as the project's dialplan uses it, and the life of a
//! call in it: from extension to extension until it is hung up.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::api;
use super::callcenter;
use super::clock;
use super::connection;
use super::dialplan::{self, Action, Asked};
use super::event::Event;
use super::leg::{Doing, Leg, Turn, Unicast};
use super::offering;
use super::originate;
use super::switch::{Switch, uuid};
use super::telling::{self, Occasion};
use crate::caller::resample;

/// How long the switch tries a host of the socket's list.
const CONNECTING: Duration = Duration::from_secs(2);

/// Sends a leg through the dialplan until it is hung up, and tells its end.
pub(super) async fn live(switch: Arc<Switch>, leg: Arc<Leg>, mut context: String) {
    loop {
        run_extension(&switch, &leg, &context).await;
        match leg.take_turn() {
            Some(Turn::Transfer {
                extension,
                context: next,
            }) => {
                arrive(&switch, &leg, &extension, &next);
                context = next;
            }
            Some(Turn::Bridge { other }) => offering::connected(&switch, &leg, &other).await,
            Some(Turn::HangUp) => break,
            None => switch.hang_up(&leg, "NORMAL_CLEARING", "send_bye"),
        }
        if !leg.is_up() {
            break;
        }
    }
    switch.finish(&leg);
}

/// Runs one application on a leg that was dialled, and ends the leg with it.
pub(super) async fn live_in(switch: Arc<Switch>, leg: Arc<Leg>, name: String, data: String) {
    execute(&switch, &leg, &name, &data).await;
    match leg.take_turn() {
        Some(Turn::Transfer { extension, context }) => {
            arrive(&switch, &leg, &extension, &context);
            live(switch, leg, context).await;
        }
        _ => {
            switch.hang_up(&leg, "NORMAL_CLEARING", "send_bye");
            switch.finish(&leg);
        }
    }
}

/// Notes that a leg has come to an extension.
fn arrive(switch: &Switch, leg: &Leg, extension: &str, context: &str) {
    let mut facts = leg.facts();
    facts.destination = extension.to_owned();
    facts.context = context.to_owned();
    facts.transferred = clock::now();
    facts.doing = Doing::Dialplan;
    facts.unicast = Unicast::None;
    drop(facts);
    switch.tell(leg, Occasion::Routing);
    switch.tell(leg, Occasion::Executing);
}

/// Runs the actions of the extension a leg is at, until something else is to be done.
async fn run_extension(switch: &Arc<Switch>, leg: &Arc<Leg>, context: &str) {
    let call = Call {
        switch,
        leg,
        executed: None,
    };
    let actions = switch.dialplan.route(context, &call).unwrap_or_default();
    if actions.is_empty() {
        switch.hang_up(leg, "NO_ROUTE_DESTINATION", "send_refuse");
        return;
    }
    run(switch, leg, actions).await;
}

async fn run(switch: &Arc<Switch>, leg: &Arc<Leg>, actions: Vec<Action>) {
    for action in actions {
        if leg.facts().turn.is_some() {
            return;
        }
        // Expanding it would hold up more than this leg.
        if let Some((_, rest)) = action.data.split_once("${msleep(") {
            let pause = rest.split(')').next().and_then(|pause| pause.parse().ok());
            tokio::time::sleep(Duration::from_millis(pause.unwrap_or(0))).await;
        }
        let call = Call {
            switch,
            leg,
            executed: None,
        };
        let data = call.expand(&action.data);
        execute(switch, leg, &action.application, &data).await;
    }
}

/// Executes one application, told before and after. It is boxed, as an extension may be executed
/// within another.
fn execute<'a>(
    switch: &'a Arc<Switch>,
    leg: &'a Arc<Leg>,
    name: &'a str,
    data: &'a str,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
    Box::pin(async move {
        let id = uuid();
        leg.set_variable("current_application_data", data);
        leg.set_variable("current_application", name);
        tell(switch, leg, Occasion::Execute, (name, data, &id));
        apply(switch, leg, name, data).await;
        tell(switch, leg, Occasion::Executed, (name, data, &id));
    })
}

fn tell(switch: &Switch, leg: &Leg, occasion: Occasion, (name, data, id): (&str, &str, &str)) {
    let about = [
        ("Application", name),
        ("Application-Data", data),
        ("Application-UUID", id),
    ];
    let mut event = telling::tell(leg, occasion, &about);
    if occasion == Occasion::Execute {
        event.remove("Application-Response");
    }
    switch.emit(event);
}

async fn apply(switch: &Arc<Switch>, leg: &Arc<Leg>, name: &str, data: &str) {
    match name {
        "set" => set(switch, leg, data),
        "unset" => leg.set_variable(data, ""),
        "answer" => switch.answer(leg).await,
        "log" => log(switch, data),
        "event" => event(switch, leg, data),
        "transfer" => transfer(switch, leg, data),
        "execute_extension" => {
            let mut words = data.split(' ');
            let extension = words.next().unwrap_or_default();
            let context = words.nth(1).unwrap_or("default");
            let call = Call {
                switch,
                leg,
                executed: Some(extension),
            };
            match switch.dialplan.route(context, &call) {
                // An extension whose conditions do not hold has nothing to do.
                Some(actions) => run(switch, leg, actions).await,
                None => switch.complain(format!("execute_extension {data:?} finds no context")),
            }
        }
        "sched_cancel" => {
            switch.unschedule(&leg.id);
        }
        "sched_transfer" => {
            let words: Vec<&str> = data.split(' ').collect();
            match (
                words.as_slice(),
                words.first().and_then(|time| api::moment(time)),
            ) {
                ([_, extension, "XML", context], Some(at)) => {
                    switch.schedule(at, &leg.id, extension, context);
                }
                _ => switch.complain(format!("sched_transfer {data:?} is not understood")),
            }
        }
        "hangup" => {
            let cause = if data.is_empty() {
                "NORMAL_CLEARING"
            } else {
                data
            };
            switch.hang_up(leg, cause, "send_bye");
        }
        "sleep" => {
            leg.wait(Duration::from_millis(data.parse().unwrap_or(0)))
                .await
        }
        "park" => park(switch, leg, std::future::pending()).await,
        "socket" => socket(switch, leg, data).await,
        "playback" => playback(switch, leg, data).await,
        "gentones" => {
            // The tones' own times: `%(250,250,425)|5` is five times 250 ms of tone and of silence.
            let (on, off, frequency, times) = tones(data);
            for _ in 0..times {
                leg.audio.play_tone(frequency);
                leg.wait(on).await;
                leg.audio.rest();
                leg.wait(off).await;
            }
        }
        "callcenter" => callcenter::wait(switch, leg, data).await,
        "callcenter_track" => callcenter::track(switch, leg, data),
        "bridge" => originate::bridge(switch, leg, data).await,
        _ => switch.complain(format!(
            "the dialplan's application {name} {data:?} is not known"
        )),
    }
}

fn set(switch: &Switch, leg: &Leg, data: &str) {
    match data.split_once('=') {
        Some((name, value)) => {
            if name == "socket_resume" {
                switch.complain("socket_resume throws callers out of the queue they were sent to");
            }
            leg.set_variable(name, value);
        }
        None => leg.set_variable(data, ""),
    }
}

fn log(switch: &Switch, data: &str) {
    switch.kept.log.push(data.to_owned());
}

/// Tells an event of the dialplan's own: its headers, then the leg's.
fn event(switch: &Switch, leg: &Leg, data: &str) {
    let own = api::assignments(data);
    let shape = telling::at(
        leg,
        ("outbound-transfer-queue", "CUSTOM", "member-queue-start"),
        &[],
    );
    let mut event = Event::default();
    for (name, value) in shape.headers() {
        if name.starts_with("CC-") || name.starts_with("Event-Subclass") || name == "Event-Name" {
            continue;
        }
        if name == "Channel-State" {
            for (name, value) in &own {
                event.push(name, value.as_str());
            }
        }
        event.push(name, value.as_str());
    }
    switch.emit(event);
}

fn transfer(switch: &Arc<Switch>, leg: &Arc<Leg>, data: &str) {
    let words: Vec<&str> = data.split(' ').collect();
    match words.as_slice() {
        [extension, "XML", context] => {
            if !switch.dialplan.knows(context) {
                switch.complain(format!("transfer {data:?}: there is no context {context}"));
            }
            switch.transfer(leg, extension, context);
        }
        _ => switch.complain(format!("transfer {data:?} names no dialplan and context")),
    }
}

/// Gives the call to the first host of a list that takes the connection.
async fn socket(switch: &Arc<Switch>, leg: &Arc<Leg>, data: &str) {
    let mut words = data.split(' ');
    let hosts = words.next().unwrap_or_default();
    let modes: Vec<&str> = words.collect();
    if modes != ["async", "full"] {
        switch.complain(format!("socket {data:?}: only \"async full\" was recorded"));
    }
    for host in hosts.split('|') {
        let Ok(address) = host.parse::<SocketAddr>() else {
            switch.complain(format!("socket {data:?}: {host} is no address"));
            continue;
        };
        let connected = tokio::time::timeout(CONNECTING, TcpStream::connect(address)).await;
        let Ok(Ok(stream)) = connected else {
            continue;
        };
        leg.set_variable("socket_host", &address.ip().to_string());
        let listener = connection::open(switch, stream, Some(Arc::clone(leg)));
        leg.facts().socket = Some(Arc::clone(&listener));
        let mut closed = listener.closed.subscribe();
        let gone = async move {
            // The listener lives as long as its connection.
            let _ = closed.wait_for(|closed| *closed).await;
        };
        park(switch, leg, gone).await;
        return;
    }
}

/// Keeps a leg with the bot until the bot is gone or something else is to be done.
async fn park(switch: &Arc<Switch>, leg: &Arc<Leg>, gone: impl Future<Output = ()>) {
    {
        let mut facts = leg.facts();
        facts.doing = Doing::Parked;
        facts.unicast = Unicast::None;
    }
    switch.tell(leg, Occasion::Parked);
    tokio::select! {
        () = gone => {}
        () = leg.turned() => {}
    }
    {
        let mut facts = leg.facts();
        facts.unicast = Unicast::Killed;
        if facts.cause.is_none() {
            facts.doing = Doing::Dialplan;
        }
    }
    leg.touch();
    leg.audio.rest();
    switch.tell(leg, Occasion::Unparked);
}

/// Executes what a bot has sent to a parked leg.
pub(super) fn execute_in_park(
    switch: &Arc<Switch>,
    leg: &Arc<Leg>,
    name: &str,
    data: &str,
    id: &str,
) {
    tell(switch, leg, Occasion::Execute, (name, data, id));
    if name == "set" {
        set(switch, leg, data);
    }
    tell(switch, leg, Occasion::Executed, (name, data, id));
}

async fn playback(switch: &Arc<Switch>, leg: &Arc<Leg>, data: &str) {
    match read_sound(Path::new(data), leg.audio.rate()) {
        Ok(samples) => play(leg, samples).await,
        Err(error) => switch.complain(format!("playback of {data:?}: {error}")),
    }
}

/// Plays a sound to a leg until it is over or something else is to be done.
pub(super) async fn play(leg: &Arc<Leg>, samples: Vec<i16>) {
    let mut over = leg.audio.play(Arc::new(samples));
    tokio::select! {
        _ = over.wait_for(|over| *over) => {}
        () = leg.turned() => leg.audio.rest(),
    }
}

/// Reads a WAV file of one channel at a rate.
pub(super) fn read_sound(path: &Path, rate: u32) -> Result<Vec<i16>, String> {
    let mut reader = hound::WavReader::open(path).map_err(|error| error.to_string())?;
    let spec = reader.spec();
    if spec.channels != 1 || spec.bits_per_sample != 16 {
        return Err("not 16 bit mono".to_owned());
    }
    let samples: Result<Vec<i16>, _> = reader.samples().collect();
    let samples = samples.map_err(|error| error.to_string())?;
    Ok(resample(&samples, spec.sample_rate, rate))
}

/// Reads `%(on,off,frequency)|times`.
fn tones(data: &str) -> (Duration, Duration, f64, u32) {
    let (tone, times) = data.split_once('|').unwrap_or((data, "1"));
    let inner = tone.trim_start_matches("%(").trim_end_matches(')');
    let numbers: Vec<f64> = inner
        .split(',')
        .filter_map(|number| number.parse().ok())
        .collect();
    let number = |at: usize| numbers.get(at).copied().unwrap_or(0.0);
    (
        Duration::from_secs_f64(number(0) / 1000.0),
        Duration::from_secs_f64(number(1) / 1000.0),
        number(2),
        times.parse().unwrap_or(1),
    )
}

/// A leg as the dialplan asks about it.
struct Call<'a> {
    switch: &'a Switch,
    leg: &'a Leg,
    /// The extension that is executed within another.
    executed: Option<&'a str>,
}

impl Asked for Call<'_> {
    fn expand(&self, text: &str) -> String {
        let value = |name: &str| -> String {
            if let Some((function, _)) =
                name.strip_suffix(')').and_then(|name| name.split_once('('))
            {
                return self.function(function);
            }
            let plain = |name: &str| {
                let own = self.leg.variable(name);
                own.or_else(|| self.switch.global(name)).unwrap_or_default()
            };
            dialplan::cut(name, &plain)
        };
        dialplan::expand(text, &value)
    }

    fn field(&self, name: &str) -> String {
        match (name, self.executed) {
            ("destination_number", Some(extension)) => extension.to_owned(),
            _ => self.leg.variable(name).unwrap_or_default(),
        }
    }

    fn act(&self, action: &Action) {
        let data = self.expand(&action.data);
        match action.application.as_str() {
            "set" => set(self.switch, self.leg, &data),
            "unset" => self.leg.set_variable(&data, ""),
            other => self.switch.complain(format!("{other} cannot be inline")),
        }
    }
}

impl Call<'_> {
    fn function(&self, name: &str) -> String {
        match name {
            "module_exists" => "true".to_owned(),
            "strepoch" => clock::epoch().to_string(),
            "msleep" => "+OK".to_owned(),
            _ => {
                self.switch
                    .complain(format!("the dialplan's function {name} is not known"));
                String::new()
            }
        }
    }
}
