//! The configuration of the test PBX: the least FreeSWITCH needs, plus the project's dialplan.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::pbx::{HOLD_TONE, Site};

/// Ports for 250 calls with both their legs.
pub(super) const RTP_PORTS: u16 = 1000;
/// The domain of agents, users and queues.
pub(super) const DOMAIN: &str = "default";

/// The modules to load, in order: those that Hotline needs, and those that FreeSWITCH itself needs to
/// keep time, log, and read the sounds and tones of a queue.
const MODULES: [&str; 13] = [
    "console",
    "logfile",
    "timerfd",
    "event_socket",
    "commands",
    "dptools",
    "hash",
    "db",
    "dialplan_xml",
    "sofia",
    "sndfile",
    "tone_stream",
    "callcenter",
];

/// The ports of one FreeSWITCH on the loopback address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) sip: u16,
    pub(super) esl: u16,
    pub(super) rtp: u16,
    pub(super) carrier: u16,
}

/// Returns the dialplan that the project ships.
fn dialplan() -> Result<PathBuf> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../freeswitch/conf/dialplan/hotline.xml");
    fs::canonicalize(&path).with_context(|| format!("there is no {}", path.display()))
}

pub(super) fn write(folder: &Path, site: &Site, ports: Ports, password: &str) -> Result<()> {
    for name in FOLDERS {
        fs::create_dir(folder.join(name))?;
    }
    let text = format!(
        "<?xml version=\"1.0\"?>\n<document type=\"freeswitch/xml\">\n{}\n\
         <section name=\"configuration\">\n{}\n{}\n{}\n{}\n{}\n{}\n</section>\n\
         <section name=\"dialplan\">\n{PUBLIC}\n{}</section>\n\
         <section name=\"directory\">\n{}\n</section>\n\
         <section name=\"languages\"/>\n</document>\n",
        variables(site),
        modules(),
        switch(folder, ports),
        event_socket(ports, password),
        sofia(ports),
        callcenter(site),
        EMPTY
            .map(|name| format!("<configuration name=\"{name}.conf\"/>"))
            .join("\n"),
        preprocess("include", &dialplan()?.display().to_string()),
        directory(site),
    );
    let path = folder.join("conf/freeswitch.xml");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Folders that FreeSWITCH is told of, by the names of its options.
pub(super) const FOLDERS: [&str; 11] = [
    "conf",
    "log",
    "run",
    "db",
    "scripts",
    "temp",
    "certs",
    "recordings",
    "storage",
    "cache",
    "sounds",
];

/// What an admin writes into vars.xml.
pub(super) fn settings_of(site: &Site) -> Vec<(String, String)> {
    let sockets: Vec<String> = site
        .hotlines
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    let mut variables = vec![("domain".to_owned(), DOMAIN.to_owned())];
    if !sockets.is_empty() {
        variables.push(("hotline_socket".to_owned(), sockets.join("|")));
    }
    if let Some(queue) = &site.fallback_queue {
        variables.push((
            "hotline_fallback_queue".to_owned(),
            format!("{queue}@{DOMAIN}"),
        ));
    }
    for (name, value) in &site.settings {
        variables.push((format!("hotline_{name}"), value.clone()));
    }
    variables
}

fn variables(site: &Site) -> String {
    let set = |(name, value): &(String, String)| preprocess("set", &format!("{name}={value}"));
    settings_of(site).iter().map(set).collect()
}

fn modules() -> String {
    let load = |name: &str| format!("<load module=\"mod_{name}\"/>");
    let list: String = MODULES.iter().map(|name| load(name)).collect();
    format!("<configuration name=\"modules.conf\"><modules>{list}</modules></configuration>")
}

fn switch(folder: &Path, ports: Ports) -> String {
    let switch = settings(&[
        ("switchname", "street"),
        ("max-sessions", "1000"),
        ("sessions-per-second", "1000"),
        ("loglevel", "info"),
        ("colorize-console", "false"),
        ("dump-cores", "no"),
        ("rtp-enable-zrtp", "false"),
        ("rtp-start-port", &ports.rtp.to_string()),
        ("rtp-end-port", &(ports.rtp + RTP_PORTS - 1).to_string()),
    ]);
    let file = settings(&[(
        "logfile",
        &folder.join("log/freeswitch.log").display().to_string(),
    )]);
    let all =
        "<mappings><map name=\"all\" value=\"info,notice,warning,err,crit,alert\"/></mappings>";
    format!(
        "<configuration name=\"switch.conf\">{switch}</configuration>\n\
         <configuration name=\"console.conf\">{all}<settings/></configuration>\n\
         <configuration name=\"logfile.conf\"><settings/><profiles><profile name=\"default\">{file}{all}\
         </profile></profiles></configuration>"
    )
}

fn event_socket(ports: Ports, password: &str) -> String {
    let socket = settings(&[
        ("nat-map", "false"),
        ("listen-ip", "127.0.0.1"),
        ("listen-port", &ports.esl.to_string()),
        ("password", password),
        ("stop-on-bind-error", "true"),
    ]);
    format!("<configuration name=\"event_socket.conf\">{socket}</configuration>")
}

/// Every call from the loopback address comes in over the trunk; agents are only called.
fn sofia(ports: Ports) -> String {
    let profile = settings(&[
        ("context", "public"),
        ("dialplan", "XML"),
        ("sip-ip", "127.0.0.1"),
        ("rtp-ip", "127.0.0.1"),
        ("sip-port", &ports.sip.to_string()),
        ("auth-calls", "false"),
        ("apply-inbound-acl", "loopback.auto"),
        ("inbound-codec-prefs", "PCMA,PCMU,L16@16000h"),
        ("outbound-codec-prefs", "PCMA,PCMU"),
        ("inbound-codec-negotiation", "generous"),
        ("rfc2833-pt", "101"),
        ("manage-presence", "false"),
        ("rtp-timer-name", "soft"),
        ("tls", "false"),
    ]);
    let gateway = params(&[
        ("username", "hotline"),
        ("password", "not-asked-for"),
        ("realm", "127.0.0.1"),
        ("proxy", &format!("127.0.0.1:{}", ports.carrier)),
        ("register", "false"),
        ("caller-id-in-from", "true"),
    ]);
    format!(
        "<configuration name=\"acl.conf\"><network-lists/></configuration>\n\
         <configuration name=\"sofia.conf\"><global_settings>{}</global_settings>\
         <profiles><profile name=\"internal\"><gateways><gateway name=\"trunk\">{gateway}</gateway></gateways>\
         {profile}</profile></profiles></configuration>",
        params(&[("log-level", "0")])
    )
}

fn callcenter(site: &Site) -> String {
    let (mut queues, mut agents, mut tiers) = (String::new(), String::new(), String::new());
    let hold = format!("tone_stream://v=-20;%(4000,0,{HOLD_TONE});loops=-1");
    for (queue, members) in &site.queues {
        let queue = format!("{queue}@{DOMAIN}");
        let rules = params(&[
            ("strategy", "longest-idle-agent"),
            ("moh-sound", &hold),
            ("time-base-score", "queue"),
            ("max-wait-time", "0"),
            ("max-wait-time-with-no-agent", "0"),
            ("tier-rules-apply", "false"),
            ("discard-abandoned-after", "60"),
            ("abandoned-resume-allowed", "false"),
        ]);
        queues.push_str(&format!("<queue name=\"{queue}\">{rules}</queue>\n"));
        for agent in members {
            tiers.push_str(&format!(
                "<tier agent=\"{agent}@{DOMAIN}\" queue=\"{queue}\" level=\"1\" position=\"1\"/>\n"
            ));
        }
    }
    for (agent, phone) in &site.agents {
        // An agent who does not answer is offered calls all the same, after a second.
        agents.push_str(&format!(
            "<agent name=\"{agent}@{DOMAIN}\" type=\"callback\" status=\"Available\" \
             contact=\"[leg_timeout=10]sofia/internal/sip:{agent}@127.0.0.1:{phone}\" \
             max-no-answer=\"0\" wrap-up-time=\"1\" reject-delay-time=\"1\" busy-delay-time=\"1\" \
             no-answer-delay-time=\"1\"/>\n"
        ));
    }
    format!(
        "<configuration name=\"callcenter.conf\"><settings/>\n<queues>\n{queues}</queues>\n\
         <agents>\n{agents}</agents>\n<tiers>\n{tiers}</tiers>\n</configuration>"
    )
}

/// Agents can be called by their names too, as extensions.
fn directory(site: &Site) -> String {
    let user = |(name, phone): &(String, u16)| {
        let dial = params(&[(
            "dial-string",
            &format!("sofia/internal/sip:{name}@127.0.0.1:{phone}"),
        )]);
        format!("<user id=\"{name}\"><params>{dial}</params></user>")
    };
    let users: String = site.agents.iter().map(user).collect();
    format!("<domain name=\"{DOMAIN}\">{users}</domain>")
}

fn preprocess(command: &str, text: &str) -> String {
    format!("<X-PRE-PROCESS cmd=\"{command}\" data=\"{text}\"/>\n")
}

fn settings(list: &[(&str, &str)]) -> String {
    format!("<settings>{}</settings>", params(list))
}

fn params(list: &[(&str, &str)]) -> String {
    let param =
        |(name, value): &(&str, &str)| format!("<param name=\"{name}\" value=\"{value}\"/>");
    list.iter().map(param).collect()
}

/// The trunk's context of this PBX: every number is Hotline's. And a place that is none of
/// Hotline's, where the variable `street_dial` says who is called.
pub(super) const PUBLIC: &str = r#"<context name="public"><extension name="numbers">
<condition field="destination_number" expression="^\+?[0-9]+$">
<action application="transfer" data="${destination_number} XML hotline-inbound"/>
</condition></extension><extension name="elsewhere">
<condition field="destination_number" expression="^elsewhere$">
<action application="bridge" data="{ignore_early_media=true}${street_dial}"/>
</condition></extension></context>"#;

/// Parts that FreeSWITCH complains about when they are not there.
const EMPTY: [&str; 4] = ["timezones", "post_load_modules", "hash", "db"];
