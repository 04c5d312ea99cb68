//! What templates and conditions of a flow can see, and the filters that speak values aloud.

use std::collections::BTreeMap;

use jiff::{Timestamp, Zoned, civil};
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};
use serde::Serialize;

use super::event::Facts;
use super::playbook::Playbook;
use super::speak;
use crate::flow::Module;
use crate::words::{DepartmentId, Language, PhoneNumber, Texts};

/// Steps a template may take: far above any text, far below a loop that would hold a call up.
const FUEL: u64 = 20_000;

/// Makes the environment that templates and conditions run in: strict, bounded, with the filters
/// `number digits phone date time wait money spell list`.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("number", |state: &State, value: i64| {
        speak::number(value, language(state))
    });
    environment.add_filter("digits", |state: &State, value: String| {
        speak::digits(&value, language(state))
    });
    environment.add_filter("spell", |state: &State, value: String| {
        speak::spell(&value, language(state))
    });
    environment.add_filter("money", |state: &State, kroner: f64| {
        // A cast saturates; nobody is told of more øre than there are.
        speak::money((kroner * 100.0).round() as i64, language(state))
    });
    environment.add_filter("wait", |state: &State, value: u32| {
        speak::wait(value, language(state))
    });
    environment.add_filter("phone", |state: &State, value: String| {
        let number = PhoneNumber::parse(&value).map_err(|error| invalid(&value, &error))?;
        Ok::<_, Error>(speak::phone(&number, language(state)))
    });
    environment.add_filter("date", |state: &State, value: String| {
        let date: civil::Date = value.parse().map_err(|error| invalid(&value, &error))?;
        Ok::<_, Error>(speak::date(date, today(state), language(state)))
    });
    environment.add_filter("time", |state: &State, value: String| {
        let time: civil::Time = value.parse().map_err(|error| invalid(&value, &error))?;
        Ok::<_, Error>(speak::time(time, language(state)))
    });
    environment.add_filter(
        "list",
        |state: &State, values: Vec<String>, options: Kwargs| {
            let joiner = match options.get::<Option<String>>("with")?.as_deref() {
                Some("or") => speak::Joiner::Or,
                _ => speak::Joiner::And,
            };
            options.assert_all_used()?;
            Ok::<_, Error>(speak::list(&values, language(state), joiner))
        },
    );
    environment
}

fn invalid(value: &str, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("{value:?}: {error}"))
}

fn language(state: &State) -> Language {
    let value = state.lookup("language");
    value
        .and_then(|v| v.as_str().and_then(|code| code.parse().ok()))
        .unwrap_or(Language::DA)
}

fn today(state: &State) -> civil::Date {
    let value = state.lookup("today");
    value
        .and_then(|v| v.as_str().and_then(|day| day.parse().ok()))
        .unwrap_or(civil::Date::ZERO)
}

/// A value that a slot holds.
pub type SlotValue = serde_json::Value;

/// The caller, as far as the PBX told us.
#[derive(Clone, Debug, Default, PartialEq, Serialize, serde::Deserialize)]
pub struct Caller {
    /// The number, unless withheld.
    pub number: Option<PhoneNumber>,
    /// The name shown by the PBX.
    pub name: Option<String>,
}

/// What is seen of a department.
#[derive(Serialize)]
struct DepartmentSeen {
    id: String,
    name: String,
    open: bool,
    wait: u32,
    long_wait: bool,
    waiting: u32,
    agents: u32,
    agents_free: u32,
    opens: String,
    queue: String,
    mail: String,
    appointments: bool,
    overflow: Option<String>,
}

/// Gathers everything that a template or a condition can see at this moment; the names are those
/// of [`crate::flow::VARIABLES`].
#[expect(
    clippy::too_many_arguments,
    reason = "it is the dialog's whole state, read only"
)]
pub(super) fn seen(
    playbook: &Playbook,
    caller: &Caller,
    slots: &BTreeMap<String, SlotValue>,
    facts: &Facts,
    language: Language,
    speech: bool,
    said: &str,
    now: Timestamp,
) -> Value {
    let tenant = &playbook.shelf.tenant;
    let zoned = now.to_zoned(playbook.zone.clone());
    let departments: BTreeMap<String, Value> = tenant
        .departments
        .keys()
        .map(|id| {
            (
                id.to_string(),
                department(playbook, facts, language, &zoned, id),
            )
        })
        .collect();
    let chosen = slots.get("department").and_then(SlotValue::as_str);
    let here = chosen.and_then(|id| departments.get(id)).cloned();
    let operator = departments
        .get(tenant.operator.0.as_str())
        .cloned()
        .unwrap_or_default();
    let name = tenant.name.get(&language).or(tenant.name.values().next());
    let modules: BTreeMap<&str, bool> = [
        ("callback", Module::Callback),
        ("message", Module::Message),
        ("cancel_appointment", Module::CancelAppointment),
    ]
    .map(|(name, module)| (name, playbook.has(module)))
    .into();
    let notices: Vec<_> = facts
        .notices
        .iter()
        .filter_map(|notice| notice.text.get(&language).or(notice.text.values().next()))
        .collect();

    let mut seen: BTreeMap<String, Value> = slots
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(Serde(value))))
        .collect();
    let mut put = |name: &str, value: Value| seen.insert(name.to_owned(), value);
    put(
        "tenant",
        minijinja::context! { name => name, id => tenant.tenant.to_string() },
    );
    put(
        "caller",
        minijinja::context! {
            number => caller.number.as_ref().map(PhoneNumber::e164).unwrap_or_default(),
            known => caller.number.is_some(),
            name => caller.name.clone(),
        },
    );
    put("language", Value::from(language.code()));
    put("now", Value::from(zoned.strftime("%H:%M").to_string()));
    put("today", Value::from(zoned.date().to_string()));
    if let Some(department) = here {
        put("department", department);
    }
    let slot = |name: &str| {
        slots
            .get(name)
            .and_then(SlotValue::as_str)
            .unwrap_or_default()
    };
    put(
        "callback",
        minijinja::context! { reason => slot("reason"), reference => slot("reference") },
    );
    put("said", Value::from(said));
    put("departments", Value::from(Serde(&departments)));
    put("operator", operator);
    put("notices", Value::from(Serde(&notices)));
    put("modules", Value::from(Serde(&modules)));
    put("speech", Value::from(speech));
    let phrases: BTreeMap<&str, &str> = playbook
        .shelf
        .phrases
        .all()
        .into_iter()
        .map(|(name, texts, _)| (name, text_in(texts, language)))
        .collect();
    put("phrases", Value::from(Serde(&phrases)));
    Value::from(Serde(&seen))
}

/// Returns the text in a language, else in whichever there is.
pub(super) fn text_in(texts: &Texts, language: Language) -> &str {
    texts
        .get(&language)
        .or(texts.values().next())
        .map(String::as_str)
        .unwrap_or_default()
}

fn department(
    playbook: &Playbook,
    facts: &Facts,
    language: Language,
    now: &Zoned,
    id: &DepartmentId,
) -> Value {
    let Some(department) = playbook.department(id) else {
        return Value::UNDEFINED;
    };
    let queue = facts
        .queues
        .get(&department.queue)
        .copied()
        .unwrap_or_default();
    let opening = playbook.opening(id);
    let at = now.timestamp();
    let opens = opening
        .and_then(|opening| opening.next_open(at))
        .map(|opens| {
            let opens = opens.to_zoned(playbook.zone.clone());
            let time = speak::time(opens.time(), language);
            let day = speak::date(opens.date(), now.date(), language);
            format!("{day} {time}")
        });
    Value::from(Serde(DepartmentSeen {
        id: id.to_string(),
        name: playbook.department_name(id, language),
        open: opening.is_some_and(|opening| opening.is_open(at)),
        wait: queue.expected_wait(),
        long_wait: queue.expected_wait() >= playbook.shelf.tenant.callback.offer_from_seconds,
        waiting: queue.waiting,
        agents: queue.agents,
        agents_free: queue.agents_free,
        opens: opens.unwrap_or_default(),
        queue: department.queue.to_string(),
        mail: department.mail.clone(),
        appointments: department.appointments,
        overflow: department.overflow.as_ref().map(ToString::to_string),
    }))
}
