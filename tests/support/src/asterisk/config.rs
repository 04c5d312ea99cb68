//! The configuration files of the test PBX: the least Asterisk needs, plus the project's dialplans.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::cache::Installation;
use crate::pbx::{self, HOLD_TONE};
use crate::tone;

/// Ports for 250 calls with both their legs.
pub(super) const RTP_PORTS: u16 = 1000;
pub(super) const TEST_USER: &str = "street";
pub(super) const TEST_SECRET: &str = "street-secret";

/// The modules to load, in order; `tools/setup` unpacks the same ones.
const MODULES: &str = include_str!("../../../../tools/asterisk-modules");

/// The ports of one Asterisk on the loopback address.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub(super) sip: u16,
    pub(super) ami: u16,
    pub(super) rtp: u16,
}

/// What the contact centre around the PBX looks like.
#[derive(Clone, Debug, Default)]
pub struct Site {
    agents: Vec<(String, u16)>,
    queues: Vec<(String, Vec<String>)>,
    globals: Vec<(String, String)>,
    extensions: String,
    queue_settings: String,
}

impl Site {
    /// The AMI user the shipped `manager.conf` makes.
    pub const AMI_USER: &'static str = "hotline";
    /// The secret of that user at the test PBX.
    pub const AMI_SECRET: &'static str = "test-secret-of-hotline";

    /// Makes a site without agents and queues.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an agent (`PJSIP/name`) whose phone is on that loopback port.
    pub fn agent(mut self, name: &str, phone: u16) -> Self {
        self.agents.push((name.to_owned(), phone));
        self
    }

    /// Adds a queue with the agents that answer it; it may have none.
    pub fn queue(mut self, name: &str, agents: &[&str]) -> Self {
        self.queues.push((
            name.to_owned(),
            agents.iter().map(|&agent| agent.to_owned()).collect(),
        ));
        self
    }

    /// Sets a global variable of the dialplan, such as `HOTLINE_SOCKET`.
    pub fn global(mut self, name: &str, value: impl ToString) -> Self {
        self.globals.push((name.to_owned(), value.to_string()));
        self
    }

    /// Says where Hotline listens for AudioSocket connections.
    pub fn hotline(self, port: u16) -> Self {
        self.global("HOTLINE_SOCKET", format!("127.0.0.1:{port}"))
    }

    /// Makes the dialplan announce each call to Hotline's HTTP port first.
    pub fn hotline_http(self, port: u16) -> Self {
        self.global("HOTLINE_CURL", format!("http://127.0.0.1:{port}/calls"))
    }

    /// Appends dialplan of the test's own, contexts and all.
    pub fn extensions(mut self, dialplan: &str) -> Self {
        self.extensions.push_str(dialplan);
        self.extensions.push('\n');
        self
    }

    /// Adds a setting to every queue, such as `joinempty = no`.
    pub fn queue_setting(mut self, line: &str) -> Self {
        self.queue_settings.push_str(line);
        self.queue_settings.push('\n');
        self
    }
}

impl TryFrom<pbx::Site> for Site {
    type Error = anyhow::Error;

    /// Says it in Asterisk's words.
    fn try_from(site: pbx::Site) -> Result<Self> {
        let mut own = Self {
            agents: site.agents,
            queues: site.queues,
            ..Self::default()
        };
        match site.hotlines.as_slice() {
            [] => {}
            [port] => own = own.hotline(*port),
            more => bail!("Asterisk's dialplan knows one Hotline, not {}", more.len()),
        }
        if let Some(queue) = &site.fallback_queue {
            own = own.global("HOTLINE_FALLBACK_QUEUE", queue);
        }
        if site.announces {
            let door = site
                .door
                .context("the site does not say where Hotline's door is")?;
            own = own.hotline_http(door);
        }
        for (name, value) in &site.settings {
            own = own.global(&format!("HOTLINE_{}", name.to_uppercase()), value);
        }
        Ok(own)
    }
}

/// Returns the folder with the dialplans the project ships.
pub(super) fn dialplans() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dialplans")
}

pub(super) fn write(
    folder: &Path,
    site: &Site,
    ports: Ports,
    installation: &Installation,
) -> Result<()> {
    let (modules, documentation) = match installation {
        Installation::Unpacked(tree) => (tree.join("modules"), tree.join("documentation")),
        Installation::Own { modules, .. } => (
            modules.clone(),
            PathBuf::from("/usr/share/asterisk/documentation"),
        ),
    };
    let dialplans = dialplans();
    let dialplans = fs::canonicalize(&dialplans)
        .with_context(|| format!("no dialplans in {}", dialplans.display()))?;
    for name in ["db", "keys", "data", "lib", "spool", "run", "log", "moh"] {
        fs::create_dir(folder.join(name))?;
    }
    // Asterisk looks up its own settings there and refuses to start when it finds none.
    symlink(&documentation, folder.join("data/documentation"))?;
    tone::write_wav(
        &folder.join("moh/hold.wav"),
        &tone::tone(HOLD_TONE, 4.0, 0.1),
    )?;

    let file = |name: &str, text: String| {
        fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))
    };
    file("asterisk.conf", asterisk(folder, &modules))?;
    file("modules.conf", loaded(&modules))?;
    file("logger.conf", LOGGER.to_owned())?;
    file("manager.conf", manager(&dialplans, ports))?;
    file(
        "hotline-secret.conf",
        format!("secret = {}\n", Site::AMI_SECRET),
    )?;
    file("rtp.conf", rtp(ports))?;
    file("pjsip.conf", pjsip(site, ports))?;
    file("queues.conf", queues(site, &dialplans))?;
    file("extensions.conf", extensions(site, &dialplans))?;
    file("indications.conf", INDICATIONS.to_owned())?;
    file(
        "musiconhold.conf",
        format!(
            "[default]\nmode=files\ndirectory={}\n",
            folder.join("moh").display()
        ),
    )?;
    for name in EMPTY {
        file(&format!("{name}.conf"), String::new())?;
    }
    Ok(())
}

fn asterisk(folder: &Path, modules: &Path) -> String {
    let folder = folder.display();
    format!(
        "[directories]\nastetcdir => {folder}\nastmoddir => {}\nastvarlibdir => {folder}/lib\n\
         astdbdir => {folder}/db\nastkeydir => {folder}/keys\nastdatadir => {folder}/data\n\
         astspooldir => {folder}/spool\nastrundir => {folder}/run\nastlogdir => {folder}/log\n\
         [options]\nverbose = 3\n",
        modules.display()
    )
}

/// An Asterisk of this machine may lack a module of the list, so only those there are named.
fn loaded(modules: &Path) -> String {
    let mut text = "[modules]\nautoload=no\n".to_owned();
    let names = MODULES
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    for name in names.filter(|name| !name.is_empty()) {
        if modules.join(format!("{name}.so")).is_file() {
            text.push_str(&format!("load={name}.so\n"));
        }
    }
    text
}

fn manager(dialplans: &Path, ports: Ports) -> String {
    format!(
        "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nport = {}\n\n\
         [{TEST_USER}]\nsecret = {TEST_SECRET}\nread = all\nwrite = all\n\n\
         #include \"{}/manager.conf\"\n",
        ports.ami,
        dialplans.display()
    )
}

fn rtp(ports: Ports) -> String {
    format!(
        "[general]\nrtpstart = {}\nrtpend = {}\n",
        ports.rtp,
        ports.rtp + RTP_PORTS - 1
    )
}

/// Every call from the loopback address comes in over the trunk; agents are only called.
fn pjsip(site: &Site, ports: Ports) -> String {
    let mut text = format!(
        "[global]\ntype = global\nendpoint_identifier_order = ip,username,anonymous\n\n\
         [udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:{}\n\n\
         [trunk]\ntype = endpoint\ncontext = from-trunk\n{ENDPOINT}\n\
         [trunk-identify]\ntype = identify\nendpoint = trunk\nmatch = 127.0.0.1\n\n",
        ports.sip
    );
    for (agent, phone) in &site.agents {
        text.push_str(&format!(
            "[{agent}]\ntype = endpoint\ncontext = from-agents\naors = {agent}\n{ENDPOINT}\n\
             [{agent}]\ntype = aor\nmax_contacts = 1\ncontact = sip:{agent}@127.0.0.1:{phone}\n\n"
        ));
    }
    text
}

fn queues(site: &Site, dialplans: &Path) -> String {
    let mut text = format!(
        "[general]\nautofill = yes\npersistentmembers = no\n\n#include \"{}/queues.conf\"\n\n",
        dialplans.display()
    );
    for (queue, agents) in &site.queues {
        text.push_str(&format!("[{queue}](hotline)\n{}", site.queue_settings));
        for agent in agents {
            text.push_str(&format!("member => PJSIP/{agent},0,{agent}\n"));
        }
        text.push('\n');
    }
    text
}

fn extensions(site: &Site, dialplans: &Path) -> String {
    let mut text = "[globals]\nHOTLINE_OUTBOUND_CONTEXT = outbound\n\
                    HOTLINE_EXTENSION_CONTEXT = from-agents\n"
        .to_owned();
    for (name, value) in &site.globals {
        text.push_str(&format!("{name} = {value}\n"));
    }
    text.push_str(&format!(
        "\n#include \"{}/hotline.conf\"\n{EXTENSIONS}\n",
        dialplans.display()
    ));
    text.push_str(&site.extensions);
    text
}

const ENDPOINT: &str = "disallow = all\nallow = alaw,ulaw,slin16\ntransport = udp\ndirect_media = no\n\
                        rtp_symmetric = yes\nsend_pai = yes\ntrust_id_inbound = yes\n";

const EXTENSIONS: &str = r#"
[from-trunk]
include => hotline-inbound

; The PBX's own routing to the outside world; here it leads to the test phones.
[outbound]
exten => _+X.,1,Goto(${EXTEN:1},1)
exten => _X.,1,GotoIf($["${ROUTE_${EXTEN}}" = ""]?unknown)
 same => n,Dial(PJSIP/trunk/sip:${EXTEN}@127.0.0.1:${ROUTE_${EXTEN}},60)
 same => n,Hangup(${HANGUPCAUSE})
 same => n(unknown),Hangup(1)

; The PBX's own extensions: agents by name.
[from-agents]
exten => _[a-z]!.,1,Dial(PJSIP/${EXTEN},30,b(hotline-handoff^s^1))
 same => n,Hangup(${HANGUPCAUSE})
exten => _X.,1,Dial(PJSIP/agent${EXTEN},30,b(hotline-handoff^s^1))
 same => n,Hangup(${HANGUPCAUSE})
"#;

const LOGGER: &str = "[general]\ndateformat = %F %T.%3q\n[logfiles]\n\
                      messages.log => notice,warning,error,verbose(3)\n";

const INDICATIONS: &str = "[general]\ncountry = dk\n[dk]\ndescription = Denmark\n\
                           ringcadence = 1000,4000\ndial = 425\nbusy = 425/500,0/500\n\
                           ring = 425/1000,0/4000\ncongestion = 425/250,0/250\n";

/// Files Asterisk complains about when they are not there.
const EMPTY: [&str; 12] = [
    "acl",
    "ccss",
    "cdr",
    "cel",
    "codecs",
    "extconfig",
    "features",
    "pjproject",
    "queuerules",
    "sorcery",
    "stasis",
    "udptl",
];
