//! A contact centre for one test: a PBX, Hotline, a mail server and an agent's phone.
//!
//! It serves three invented towns with the project's own flows: one that is always open, one that
//! is always closed, and one that has a holiday today.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use street::hotline::{Settings, project};
use street::pbx::{HOLD_TONE, Site, Switch};
use street::phone::{Call, Phone};
use street::smtp::{Mail, MailServer};
use street::{Hotline, Pbx};
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Long enough for anything that is going to happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Numbers of the towns.
pub(crate) const OPEN: &str = "70101010";
pub(crate) const CLOSED: &str = "70202020";
pub(crate) const HOLIDAY: &str = "70303030";

/// Queues of the towns; the same agent answers them all.
pub(crate) const QUEUES: &[&str] = &["borgerservice", "jobcenter", "omstilling"];

/// Everything that is in the street.
pub(crate) struct House {
    pub(crate) hotline: Hotline,
    pub(crate) pbx: Pbx,
    pub(crate) mail: MailServer,
    pub(crate) agent: Phone,
    _flows: TempDir,
    _street: Street,
}

/// What an agent is told about a caller, and the agent's phone, where there is one.
#[derive(Debug)]
pub(crate) struct Told {
    /// The caller's number; unknown where it is read in the journal, which hides numbers.
    pub(crate) caller: Option<String>,
    pub(crate) language: String,
    pub(crate) reason: String,
    pub(crate) summary: String,
    pub(crate) phone: Option<Call>,
}

/// A mail that has left the house, or would have.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) to: String,
    pub(crate) text: String,
    /// Its WAV files.
    pub(crate) recordings: Vec<Vec<u8>>,
}

/// Who has the street: several at once, or one alone whose test measures time.
#[expect(dead_code, reason = "held, not read")]
enum Street {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

static STREET: RwLock<()> = RwLock::const_new(());

/// Opens a contact centre as it ordinarily is.
pub(crate) async fn open(switch: Switch) -> House {
    open_with(switch, |site, settings| (site, settings)).await
}

/// Opens a contact centre whose site and settings are changed first.
pub(crate) async fn open_with(
    switch: Switch,
    change: impl FnOnce(Site, Settings) -> (Site, Settings),
) -> House {
    open_in(Street::Shared(STREET.read().await), switch, change).await
}

/// Opens a contact centre while no other is open, for what is measured in milliseconds.
pub(crate) async fn open_alone(switch: Switch) -> House {
    let street = Street::Alone(STREET.write().await);
    open_in(street, switch, |site, settings| (site, settings)).await
}

async fn open_in(
    street: Street,
    switch: Switch,
    change: impl FnOnce(Site, Settings) -> (Site, Settings),
) -> House {
    let agent = Phone::new("anna").unwrap();
    let mut settings = Settings::new().unwrap();
    let mail = MailServer::start().unwrap();
    let flows = towns();
    settings.flows = flows.path().to_owned();
    settings.smtp_port = mail.port();
    let mut site = Site::new()
        .agent("anna", agent.port())
        .hotline(settings.socket_port)
        .door(settings.http_port)
        .fallback_queue("omstilling");
    for queue in QUEUES {
        site = site.queue(queue, &["anna"]);
    }
    for (number, town) in [
        (OPEN, "aabenby"),
        (CLOSED, "lukkeby"),
        (HOLIDAY, "helligby"),
    ] {
        site = site.number(number, town);
    }
    let (site, settings) = change(site, settings);
    let pbx = Pbx::start(switch, site).await.unwrap();
    let hotline = Hotline::start(program(), settings.with_pbx(&pbx))
        .await
        .unwrap();
    House {
        hotline,
        pbx,
        mail,
        agent,
        _flows: flows,
        _street: street,
    }
}

/// Returns the program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_hotline"))
}

impl House {
    /// Calls a town and waits until the caller is asked what they want.
    pub(crate) async fn call(&self, phone: &Phone, town: &str) -> Call {
        let mark = self.hotline.journal().mark();
        let call = phone.call(self.pbx.sip(), town).await.unwrap();
        self.hotline
            .state_reached(mark, "wish", SOON)
            .await
            .unwrap();
        call
    }

    /// Waits until all that can be known beforehand is spoken.
    pub(crate) async fn prompts_made(&self) {
        let made = async {
            while !self.hotline.log().contains("prompts are made") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON, made).await.unwrap();
    }

    /// Presses keys and waits until the dialog has come to a state.
    pub(crate) async fn press_to(&self, call: &Call, keys: &str, state: &str) {
        let mark = self.hotline.journal().mark();
        call.press_all(keys).await.unwrap();
        self.hotline.state_reached(mark, state, SOON).await.unwrap();
    }

    /// Waits for a line of the journal at or after a mark.
    pub(crate) async fn line(&self, mark: usize, wanted: impl FnMut(&Value) -> bool) -> Value {
        self.hotline.line(mark, SOON, wanted).await.unwrap()
    }

    /// Waits until a caller's phone is in a queue: it hears the hold tone.
    pub(crate) async fn in_queue(&self, call: &Call) -> Instant {
        call.hear_tone(HOLD_TONE, SOON).await.unwrap()
    }

    /// Waits until an agent is told of the first caller who was handed over.
    pub(crate) async fn agent_is_told(&self) -> Told {
        if let Pbx::BuiltIn(_) = self.pbx {
            let line = self
                .line(0, |line| !line["command"]["transfer"].is_null())
                .await;
            let handoff = &line["command"]["transfer"]["handoff"];
            let word = |name: &str| handoff[name].as_str().unwrap_or_default().to_owned();
            return Told {
                caller: None,
                language: word("language"),
                reason: word("reason"),
                summary: word("summary"),
                phone: None,
            };
        }
        let ringing = self.agent.rings(SOON).await.unwrap();
        let header = |name: &str| ringing.header(name).unwrap_or_default();
        Told {
            caller: Some(header("X-Hotline-Caller")),
            language: header("X-Hotline-Language"),
            reason: header("X-Hotline-Reason"),
            summary: header("X-Hotline-Summary"),
            phone: Some(ringing),
        }
    }

    /// Waits until the mail that names a reference has been sent, or caught by the demo's postbox.
    pub(crate) async fn letter(&self, reference: &str) -> Letter {
        if let Pbx::BuiltIn(_) = self.pbx {
            return self.caught(reference).await;
        }
        let names =
            |mail: &Mail| mail.subject().contains(reference) || mail.text().contains(reference);
        let mail = self.mail.mail(SOON, names).await.unwrap();
        let recordings = mail.attachments().into_iter();
        Letter {
            to: mail.header("To").unwrap(),
            text: mail.text(),
            recordings: recordings
                .filter(|file| file.name.ends_with(".wav"))
                .map(|file| file.bytes)
                .collect(),
        }
    }

    async fn caught(&self, reference: &str) -> Letter {
        let mail = async {
            loop {
                let (_, text) = self.hotline.get("/phone/results").await.unwrap();
                let results: Value = serde_json::from_str(&text).unwrap();
                let mut mails = results["mails"].as_array().unwrap().iter();
                if let Some(mail) = mails.find(|mail| mail["reference"] == reference) {
                    return mail.clone();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let mail = tokio::time::timeout(SOON, mail).await.unwrap();
        let word = |name: &str| mail[name].as_str().unwrap_or_default().to_owned();
        let mut recordings = Vec::new();
        if mail["recording"] == true {
            let path = format!("/phone/mails/{}/recording.wav", word("id"));
            let (status, bytes) = self.hotline.fetch(&path).await.unwrap();
            assert_eq!(status, 200, "{path}");
            recordings.push(bytes);
        }
        Letter {
            to: word("to"),
            text: word("body"),
            recordings,
        }
    }
}

/// Writes the towns' files beside the project's common flows.
fn towns() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let common = folder.path().join("common");
    fs::create_dir(&common).unwrap();
    for entry in fs::read_dir(project().join("flows/common")).unwrap() {
        let entry = entry.unwrap();
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            fs::copy(entry.path(), common.join(entry.file_name())).unwrap();
        }
    }
    // The day begins with the town's own midnight, which a run may see pass.
    let now = jiff::Zoned::now().in_tz("Europe/Copenhagen").unwrap();
    let (today, tomorrow) = (now.date(), now.date().tomorrow().unwrap());
    let holiday = format!("holidays: {{ days: {{ {today}: \"\", {tomorrow}: \"\" }} }}");
    for (id, name, number, hours, more) in [
        ("aabenby", "Åbenby", OPEN, "mon-sun: \"00:00-24:00\"", ""),
        ("lukkeby", "Lukkeby", CLOSED, "mon-sun: closed", ""),
        (
            "helligby",
            "Helligby",
            HOLIDAY,
            "mon-sun: \"00:00-24:00\"",
            holiday.as_str(),
        ),
    ] {
        let town = folder.path().join(id);
        fs::create_dir(&town).unwrap();
        let text = TOWN
            .replace("ID", id)
            .replace("NAME", name)
            .replace("NUMBER", number)
            .replace("HOURS", hours)
            .replace("MORE", more);
        fs::write(town.join("tenant.yaml"), text).unwrap();
    }
    folder
}

const TOWN: &str = r#"
tenant: ID
name: { da: "NAME Kommune", en: "the town of NAME" }
numbers: ["NUMBER"]
languages: [da, en]
hours: { HOURS }
MORE
operator: switchboard
keys: { "1": citizen_service, "2": job_centre }
modules: [callback, message, cancel_appointment]
callback: { gap_minutes: 1, ring_seconds: 20, offer_from_seconds: 2 }
mail: { from: "hotline@ID.invalid", escalate_to: "vagt@ID.invalid" }
departments:
  switchboard:
    name: { da: "omstillingen", en: "the switchboard" }
    words: { da: [hovednummeret], en: [reception] }
    queue: omstilling
    mail: "post@ID.invalid"
  citizen_service:
    name: { da: "borgerservice", en: "citizen service" }
    topics: { da: [pas, kørekort], en: [passport, driving licence] }
    queue: borgerservice
    mail: "borgerservice@ID.invalid"
    callback_order: caller_first
  job_centre:
    name: { da: "jobcenteret", en: "the job centre" }
    words: { da: [jobcenter], en: [job centre] }
    queue: jobcenter
    mail: "jobcenter@ID.invalid"
    appointments: true
"#;
