//! Whether FreeSWITCH can be reached and has what Hotline needs of it: modules, the dialplan and its
//! variables, the queues that tenants name, the gateway. What is asked is at the top; what the answers
//! mean is pure. Nothing on the switch is changed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Diagnosis;
use super::parts::{is_starting, wanted};
use crate::flow::Library;
use crate::pbx::freeswitch::link::{Link, Times};
use crate::pbx::freeswitch::{Config, FreeSwitch};
use crate::pbx::{LinkState, Pbx, PbxError};

/// How long a login may take.
const LOGIN: Duration = Duration::from_secs(8);

/// The modules that Hotline and its dialplan use.
const MODULES: [&str; 6] = [
    "mod_commands",
    "mod_event_socket",
    "mod_sofia",
    "mod_dptools",
    "mod_dialplan_xml",
    "mod_callcenter",
];

/// The context that calls come in by; only the dialplan knows it.
const INBOUND: &str = "hotline-inbound";

/// Where the dialplan brings calls when nothing is set.
const SOCKET: &str = "127.0.0.1:8084";

/// Logs in and looks around.
pub(super) async fn examine(settings: Config, library: Option<&Library>) -> Vec<Diagnosis> {
    let stop = CancellationToken::new();
    let house = FreeSwitch::start(
        settings.clone(),
        Times::default(),
        prometheus_client::metrics::counter::Counter::default(),
        &stop,
    );
    let mut link = house.link();
    let up = tokio::time::timeout(LOGIN, link.wait_for(|state| !is_starting(state))).await;
    let state = match up {
        Ok(Ok(state)) => state.clone(),
        Ok(Err(_)) => LinkState::Down("the link ended".to_owned()),
        Err(_) => house.link().borrow().clone(),
    };
    let diagnoses = match state {
        LinkState::Down(why) => vec![unreachable(&why)],
        LinkState::Ready | LinkState::Up => {
            let place = format!("logged in at {}:{}", settings.host, settings.port);
            let mut diagnoses = vec![Diagnosis::well("freeswitch", place)];
            let looked = look_around(house.switch(), &settings, library, &mut diagnoses).await;
            if let Err(error) = looked {
                diagnoses.push(unreachable(&error.to_string()));
            }
            diagnoses
        }
    };
    stop.cancel();
    diagnoses
}

/// Asks one thing after the other; what is refused is not there.
async fn look_around(
    link: &Link,
    settings: &Config,
    library: Option<&Library>,
    diagnoses: &mut Vec<Diagnosis>,
) -> Result<(), PbxError> {
    let mut missing = Vec::new();
    for module in MODULES {
        if ask(link, format!("module_exists {module}"))
            .await?
            .as_deref()
            != Some("true")
        {
            missing.push(module);
        }
    }
    diagnoses.push(modules(&missing));

    let mut absent = Vec::new();
    for context in contexts(settings) {
        if !has_context(link, context).await? {
            absent.push(context);
        }
    }
    diagnoses.push(dialplan(&absent));
    let hosts = ask(link, "global_getvar hotline_socket".to_owned()).await?;
    diagnoses.extend(socket(hosts.as_deref(), settings.listen));

    let known = ask(link, "callcenter_config queue list".to_owned()).await?;
    let known = known.map(|list| names(&list));
    let own = ask(link, "global_getvar hotline_fallback".to_owned()).await?;
    let queue = ask(link, "global_getvar hotline_fallback_queue".to_owned()).await?;
    let found = match own.as_deref().and_then(context_of) {
        Some(context) => has_context(link, context).await?,
        None => true,
    };
    diagnoses.push(fallback(
        own.as_deref(),
        found,
        queue.as_deref(),
        known.as_ref(),
    ));
    if let (Some(library), Some(known)) = (library, &known) {
        let wanted = wanted(library).into_iter().map(|queue| queue.0.as_str());
        diagnoses.push(queues(wanted, known, &settings.queue_domain));
    }

    diagnoses.extend(templates(settings));
    for name in gateways(&settings.outbound) {
        let answer = ask(link, format!("sofia status gateway {name}")).await?;
        diagnoses.push(gateway(name, answer.as_deref().unwrap_or_default()));
    }
    Ok(())
}

/// Asks one thing. Nothing comes of what the switch does not know or has no answer to.
async fn ask(link: &Link, command: String) -> Result<Option<String>, PbxError> {
    match link.api(command).await {
        Ok(text) => Ok(Some(text).filter(|text| !text.trim().is_empty())),
        Err(PbxError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn has_context(link: &Link, name: &str) -> Result<bool, PbxError> {
    let command = format!("xml_locate dialplan context name {name}");
    let answer = ask(link, command).await?;
    Ok(answer.is_some_and(|text| text.trim_start().starts_with("<context")))
}

/// The link says what is wrong and in which file.
fn unreachable(why: &str) -> Diagnosis {
    Diagnosis::wrong(
        "freeswitch",
        why,
        "freeswitch/conf/autoload_configs/event_socket.conf.xml shows how the event socket is to be; \
         after a change, `fs_cli -x reloadxml` and `fs_cli -x 'reload mod_event_socket'`",
    )
}

fn modules(missing: &[&str]) -> Diagnosis {
    let Some(first) = missing.first() else {
        return Diagnosis::well("modules", MODULES.join(", "));
    };
    Diagnosis::wrong(
        "modules",
        format!("FreeSWITCH has not loaded {}", missing.join(", ")),
        format!(
            "add <load module=\"{first}\"/> to autoload_configs/modules.conf.xml and run \
             `fs_cli -x 'load {first}'`; where it is not installed: mod_callcenter is a package of \
             its own (freeswitch-mod-callcenter), and off in build/modules.conf"
        ),
    )
}

/// The contexts that there must be.
fn contexts(settings: &Config) -> Vec<&str> {
    let names = &settings.contexts;
    vec![
        INBOUND,
        &names.queue,
        &names.extension,
        &names.external,
        &names.callback_agent,
        &names.callback_caller,
        &names.fallback,
    ]
}

fn dialplan(absent: &[&str]) -> Diagnosis {
    match absent {
        [] => Diagnosis::well("dialplan", "it has Hotline's contexts"),
        // A dialplan of one's own may take calls in elsewhere.
        [INBOUND] => Diagnosis::odd(
            "dialplan",
            format!("it has no context {INBOUND}"),
            "see that your own dialplan brings calls to Hotline by `socket`, as \
             freeswitch/conf/dialplan/hotline.xml does",
        ),
        _ => Diagnosis::wrong(
            "dialplan",
            format!("it has no context {}", absent.join(", ")),
            "copy freeswitch/conf/dialplan/hotline.xml into the folder dialplan of FreeSWITCH's \
             configuration and run `fs_cli -x reloadxml`; or name your own in freeswitch.contexts",
        ),
    }
}

/// Compares where the dialplan brings calls with where Hotline listens.
fn socket(hosts: Option<&str>, listen: SocketAddr) -> Option<Diagnosis> {
    let hosts = hosts.unwrap_or(SOCKET).trim();
    let ours = hosts.split('|').any(|host| {
        let host = host.split('/').next().unwrap_or_default();
        let (_, port) = host.rsplit_once(':').unwrap_or((host, "8084"));
        port.parse() == Ok(listen.port())
    });
    (!ours).then(|| {
        Diagnosis::wrong(
            "dialplan",
            format!("it brings calls to {hosts}, and Hotline listens on {listen}"),
            "set hotline_socket in vars.xml to the address of freeswitch.listen, and run \
             `fs_cli -x reloadxml`",
        )
    })
}

/// Returns the context of a place such as `9000 XML default`.
fn context_of(place: &str) -> Option<&str> {
    let mut words = place.split_whitespace().skip(1);
    match words.next() {
        None => Some("default"),
        Some("XML") => Some(words.next().unwrap_or("default")),
        // Another dialplan has no contexts that could be looked for.
        Some(_) => None,
    }
}

/// Looks whether callers have a place to go when Hotline is not there.
fn fallback(
    own: Option<&str>,
    found: bool,
    queue: Option<&str>,
    known: Option<&BTreeSet<String>>,
) -> Diagnosis {
    match (own, queue, known) {
        (Some(own), _, _) if found => Diagnosis::well("fallback", format!("callers go to {own}")),
        (Some(own), _, _) => Diagnosis::wrong(
            "fallback",
            format!("hotline_fallback is {own:?}, and the dialplan has no such context"),
            "correct hotline_fallback in vars.xml (\"extension XML context\") and run \
             `fs_cli -x reloadxml`",
        ),
        (None, None, _) => Diagnosis::wrong(
            "fallback",
            "neither hotline_fallback_queue nor hotline_fallback is set: when Hotline is not there, \
             callers hear a tone and are hung up",
            "set hotline_fallback_queue in vars.xml to a queue of callcenter.conf.xml, with its \
             domain, and run `fs_cli -x reloadxml`",
        ),
        (None, Some(queue), Some(known)) if !known.contains(queue) => Diagnosis::wrong(
            "fallback",
            format!("hotline_fallback_queue is {queue}, and FreeSWITCH has no such queue"),
            "write its whole name with the domain in vars.xml, or add it to callcenter.conf.xml; then \
             `fs_cli -x reloadxml`, and `fs_cli -x 'callcenter_config queue load NAME'` for a new queue",
        ),
        (None, Some(queue), Some(_)) => {
            Diagnosis::well("fallback", format!("callers go to the queue {queue}"))
        }
        (None, Some(queue), None) => Diagnosis::wrong(
            "fallback",
            format!("the queue {queue} needs mod_callcenter"),
            "load mod_callcenter, or set hotline_fallback in vars.xml to another place",
        ),
    }
}

/// Reads the names in `callcenter_config queue list`.
fn names(list: &str) -> BTreeSet<String> {
    let rows = list.lines().skip(1).filter_map(|row| row.split_once('|'));
    rows.map(|(name, _)| name.to_owned()).collect()
}

fn queues<'a>(
    wanted: impl Iterator<Item = &'a str>,
    known: &BTreeSet<String>,
    domain: &str,
) -> Diagnosis {
    let wanted: BTreeSet<String> = wanted
        .map(|name| match name.contains('@') {
            true => name.to_owned(),
            false => format!("{name}@{domain}"),
        })
        .collect();
    let missing: Vec<&str> = wanted.difference(known).map(String::as_str).collect();
    match missing.is_empty() {
        true => Diagnosis::well("queues", format!("FreeSWITCH has all {}", wanted.len())),
        false => Diagnosis::wrong(
            "queues",
            format!("FreeSWITCH has no queue {}", missing.join(", ")),
            "add them to callcenter.conf.xml, then `fs_cli -x reloadxml` and for each \
             `fs_cli -x 'callcenter_config queue load NAME'`; or correct `queue` in tenant.yaml, or \
             freeswitch.queue_domain",
        ),
    }
}

/// Looks whether dial strings say where the number goes.
fn templates(settings: &Config) -> Vec<Diagnosis> {
    [
        ("outbound", &settings.outbound, "{number}"),
        ("extension", &settings.extension, "{extension}"),
    ]
    .into_iter()
    .filter(|(_, template, place)| !template.contains(place))
    .map(|(setting, template, place)| {
        Diagnosis::wrong(
            "dialling",
            format!("freeswitch.{setting} is {template:?}, without {place}"),
            format!("write {place} where it belongs, as in docs/hotline.yaml"),
        )
    })
    .collect()
}

/// Returns the gateways that a dial string names.
fn gateways(dial: &str) -> Vec<&str> {
    let after = dial.split("sofia/gateway/").skip(1);
    after
        .filter_map(|rest| rest.split('/').next())
        .filter(|name| !name.is_empty() && !name.contains(['$', '{']))
        .collect()
}

fn gateway(name: &str, answer: &str) -> Diagnosis {
    let field = |wanted: &str| {
        let mut fields = answer.lines().filter_map(|line| line.split_once('\t'));
        let value = fields.find(|(field, _)| field.trim() == wanted);
        value.map(|(_, value)| value.trim()).unwrap_or_default()
    };
    match (field("Status"), field("State")) {
        ("", _) => Diagnosis::wrong(
            "gateway",
            format!("FreeSWITCH has no gateway {name}"),
            format!(
                "add it as freeswitch/conf/sip_profiles/external/trunk.xml shows and run \
                 `fs_cli -x 'sofia profile external rescan'`, or correct `{name}` in freeswitch.outbound"
            ),
        ),
        ("UP", "REGED" | "NOREG") => Diagnosis::well("gateway", format!("{name} is up")),
        ("UP", state) => Diagnosis::odd(
            "gateway",
            format!("{name} is up and not registered ({state})"),
            format!("see `fs_cli -x 'sofia status gateway {name}'`: username, password, proxy"),
        ),
        (status, state) => Diagnosis::wrong(
            "gateway",
            format!("{name} is {status} ({state}): nobody outside can be called"),
            format!(
                "see proxy, username and password of the gateway in sip_profiles, and \
                 `fs_cli -x 'sofia status gateway {name}'`"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    /// As a FreeSWITCH 1.11 printed them.
    const QUEUES: &str = "\
name|strategy|moh_sound|time_base_score|tier_rules_apply|tier_rule_wait_second
hovednummer@default|longest-idle-agent|tone_stream://%(1000,0,900);loops=-1|system|false|0
borgerservice@default|longest-idle-agent|local_stream://moh|system|false|0
+OK
";
    const GATEWAY: &str = "\
=================================================================================================
Name    \ttrunk
Profile \texternal
Proxy   \tsip:127.0.0.1:5090
Context \tpublic
PingState\t1/0/1
State   \tNOREG
Status  \tUP
Uptime  \t1s
=================================================================================================
";

    fn settings(more: &str) -> Config {
        let text = format!("{{ \"password_file\": \"secret\" {more} }}");
        serde_json::from_str(&text).unwrap()
    }

    fn shown(diagnosis: &Diagnosis) -> String {
        let mark = match diagnosis.health {
            Health::Well => "ok",
            Health::Odd => "odd",
            Health::Wrong => "WRONG",
        };
        format!("{mark} {}\n-> {}", diagnosis.says, diagnosis.remedy)
    }

    #[test]
    fn a_module_that_is_not_loaded_is_named_with_the_file_that_loads_it() {
        assert_eq!(modules(&[]).health, Health::Well);
        insta::assert_snapshot!(shown(&modules(&["mod_callcenter"])), @r#"
        WRONG FreeSWITCH has not loaded mod_callcenter
        -> add <load module="mod_callcenter"/> to autoload_configs/modules.conf.xml and run `fs_cli -x 'load mod_callcenter'`; where it is not installed: mod_callcenter is a package of its own (freeswitch-mod-callcenter), and off in build/modules.conf
        "#);
    }

    #[test]
    fn a_dialplan_that_was_not_copied_is_told_with_where_it_belongs() {
        assert_eq!(dialplan(&[]).health, Health::Well);
        let settings = settings("");
        insta::assert_snapshot!(shown(&dialplan(&contexts(&settings))), @"
        WRONG it has no context hotline-inbound, hotline-queue, hotline-extension, hotline-external, hotline-callback-agent, hotline-callback-caller, hotline-fallback
        -> copy freeswitch/conf/dialplan/hotline.xml into the folder dialplan of FreeSWITCH's configuration and run `fs_cli -x reloadxml`; or name your own in freeswitch.contexts
        ");
    }

    #[test]
    fn a_dialplan_of_ones_own_may_take_calls_in_elsewhere() {
        assert_eq!(dialplan(&[INBOUND]).health, Health::Odd);
    }

    #[test]
    fn contexts_of_ones_own_are_looked_for_by_their_names() {
        let settings = settings(r#", "contexts": { "queue": "house-queue" }"#);
        let names = contexts(&settings);
        assert!(names.contains(&"house-queue") && !names.contains(&"hotline-queue"));
        assert!(names.contains(&"hotline-fallback"));
    }

    #[test]
    fn calls_brought_to_another_port_than_ours_are_found_out() {
        let listen = "127.0.0.1:8084".parse().unwrap();
        for fine in [
            None,
            Some("127.0.0.1:8084"),
            Some("10.0.0.1:9000|10.0.0.2:8084"),
            // The port that `socket` takes when none is written.
            Some("hotline.example"),
            Some("127.0.0.1:8084/tenant"),
        ] {
            assert!(socket(fine, listen).is_none(), "{fine:?}");
        }
        let elsewhere = socket(Some("127.0.0.1:8085"), listen).unwrap();
        insta::assert_snapshot!(shown(&elsewhere), @"
        WRONG it brings calls to 127.0.0.1:8085, and Hotline listens on 127.0.0.1:8084
        -> set hotline_socket in vars.xml to the address of freeswitch.listen, and run `fs_cli -x reloadxml`
        ");
    }

    #[test]
    fn callers_need_a_place_to_go_when_hotline_is_not_there() {
        let known = names(QUEUES);
        let look = |own, found, queue| shown(&fallback(own, found, queue, Some(&known)));
        let well = look(None, true, Some("hovednummer@default"));
        assert_eq!(well, "ok callers go to the queue hovednummer@default\n-> ");
        let well = look(Some("9000 XML default"), true, None);
        assert_eq!(well, "ok callers go to 9000 XML default\n-> ");
        insta::assert_snapshot!(look(None, true, None), @"
        WRONG neither hotline_fallback_queue nor hotline_fallback is set: when Hotline is not there, callers hear a tone and are hung up
        -> set hotline_fallback_queue in vars.xml to a queue of callcenter.conf.xml, with its domain, and run `fs_cli -x reloadxml`
        ");
        insta::assert_snapshot!(look(None, true, Some("hovednummer")), @"
        WRONG hotline_fallback_queue is hovednummer, and FreeSWITCH has no such queue
        -> write its whole name with the domain in vars.xml, or add it to callcenter.conf.xml; then `fs_cli -x reloadxml`, and `fs_cli -x 'callcenter_config queue load NAME'` for a new queue
        ");
        insta::assert_snapshot!(look(Some("9000 XML nowhere"), false, None), @r#"
        WRONG hotline_fallback is "9000 XML nowhere", and the dialplan has no such context
        -> correct hotline_fallback in vars.xml ("extension XML context") and run `fs_cli -x reloadxml`
        "#);
        let without = fallback(None, true, Some("hovednummer@default"), None);
        assert_eq!(without.health, Health::Wrong, "without mod_callcenter");
    }

    #[test]
    fn a_place_of_ones_own_is_looked_up_in_its_context() {
        assert_eq!(context_of("9000 XML public"), Some("public"));
        assert_eq!(context_of("9000 XML"), Some("default"));
        assert_eq!(context_of("9000"), Some("default"));
        assert_eq!(context_of("park inline"), None);
    }

    #[test]
    fn queues_that_tenants_name_and_the_switch_lacks_are_listed_in_full() {
        let known = names(QUEUES);
        let some = ["borgerservice", "hovednummer@default"].into_iter();
        assert_eq!(queues(some, &known, "default").health, Health::Well);
        let more = ["borgerservice", "affald", "havn@fjordby"].into_iter();
        insta::assert_snapshot!(shown(&queues(more, &known, "default")), @"
        WRONG FreeSWITCH has no queue affald@default, havn@fjordby
        -> add them to callcenter.conf.xml, then `fs_cli -x reloadxml` and for each `fs_cli -x 'callcenter_config queue load NAME'`; or correct `queue` in tenant.yaml, or freeswitch.queue_domain
        ");
        let domain = queues(["borgerservice"].into_iter(), &known, "example.org");
        assert!(shown(&domain).contains("no queue borgerservice@example.org"));
    }

    #[test]
    fn a_gateway_that_is_missing_or_down_is_told_apart_from_one_that_is_up() {
        assert_eq!(gateway("trunk", GATEWAY).health, Health::Well);
        insta::assert_snapshot!(shown(&gateway("trunk", "Invalid Gateway!\n")), @"
        WRONG FreeSWITCH has no gateway trunk
        -> add it as freeswitch/conf/sip_profiles/external/trunk.xml shows and run `fs_cli -x 'sofia profile external rescan'`, or correct `trunk` in freeswitch.outbound
        ");
        let down = GATEWAY.replace("UP", "DOWN");
        insta::assert_snapshot!(shown(&gateway("trunk", &down)), @"
        WRONG trunk is DOWN (NOREG): nobody outside can be called
        -> see proxy, username and password of the gateway in sip_profiles, and `fs_cli -x 'sofia status gateway trunk'`
        ");
        let trying = GATEWAY.replace("NOREG", "TRYING");
        assert_eq!(gateway("trunk", &trying).health, Health::Odd);
    }

    #[test]
    fn gateways_are_found_in_dial_strings() {
        assert_eq!(gateways(&settings("").outbound), ["trunk"]);
        let two = "[leg_timeout=9]sofia/gateway/a/{number}|sofia/gateway/b/{number}";
        assert_eq!(gateways(two), ["a", "b"]);
        assert!(gateways("sofia/external/{number}@10.0.0.1").is_empty());
        assert!(gateways("sofia/gateway/${trunk}/{number}").is_empty());
    }

    #[test]
    fn a_dial_string_that_drops_the_number_is_wrong() {
        assert!(templates(&settings("")).is_empty());
        let wrong = templates(&settings(r#", "outbound": "sofia/gateway/trunk""#));
        insta::assert_snapshot!(shown(&wrong[0]), @r#"
        WRONG freeswitch.outbound is "sofia/gateway/trunk", without {number}
        -> write {number} where it belongs, as in docs/hotline.yaml
        "#);
    }
}
