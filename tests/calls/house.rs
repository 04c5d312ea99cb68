//! A contact centre for one test: Asterisk, Hotline, a mail server and an agent's phone.
//!
//! It serves three invented towns with the project's own flows: one that is always open, one that
//! is always closed, and one that has a holiday today.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use street::asterisk::Site;
use street::hotline::{Settings, project};
use street::phone::{Call, Phone};
use street::smtp::MailServer;
use street::{Asterisk, Hotline};
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
    pub(crate) asterisk: Asterisk,
    pub(crate) mail: MailServer,
    pub(crate) agent: Phone,
    _flows: TempDir,
    _street: Street,
}

/// Who has the street: several at once, or one alone whose test measures time.
#[expect(dead_code, reason = "held, not read")]
enum Street {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

static STREET: RwLock<()> = RwLock::const_new(());

/// Opens a contact centre as it ordinarily is.
pub(crate) async fn open() -> House {
    open_with(|site, settings| (site, settings)).await
}

/// Opens a contact centre whose site and settings are changed first.
pub(crate) async fn open_with(change: impl FnOnce(Site, Settings) -> (Site, Settings)) -> House {
    open_in(Street::Shared(STREET.read().await), change).await
}

/// Opens a contact centre while no other is open, for what is measured in milliseconds.
pub(crate) async fn open_alone(change: impl FnOnce(Site, Settings) -> (Site, Settings)) -> House {
    open_in(Street::Alone(STREET.write().await), change).await
}

async fn open_in(street: Street, change: impl FnOnce(Site, Settings) -> (Site, Settings)) -> House {
    let agent = Phone::new("anna").unwrap();
    let mut settings = Settings::new().unwrap();
    let mail = MailServer::start().unwrap();
    let flows = towns();
    settings.flows = flows.path().to_owned();
    settings.smtp_port = mail.port();
    let mut site = Site::new()
        .agent("anna", agent.port())
        .hotline(settings.socket_port)
        .global("HOTLINE_FALLBACK_QUEUE", "omstilling");
    for queue in QUEUES {
        site = site.queue(queue, &["anna"]);
    }
    let (site, settings) = change(site, settings);
    let asterisk = Asterisk::start(site).await.unwrap();
    let hotline = Hotline::start(program(), settings.with_asterisk(&asterisk))
        .await
        .unwrap();
    House {
        hotline,
        asterisk,
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
        let call = phone.call(self.asterisk.sip(), town).await.unwrap();
        self.hotline
            .state_reached(mark, "wish", SOON)
            .await
            .unwrap();
        call
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
        call.hear_tone(street::asterisk::HOLD_TONE, SOON)
            .await
            .unwrap()
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
    let today = jiff::Zoned::now().date();
    let holiday = format!("holidays: {{ days: {{ {today}: \"\" }} }}");
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
