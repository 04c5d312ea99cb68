//! A contact centre for one test: Asterisk, Hotline, a mail server and the agents' phones.

use std::path::Path;
use std::time::Duration;

use street::asterisk::Site;
use street::hotline::Settings;
use street::phone::Phone;
use street::smtp::MailServer;
use street::{Asterisk, Hotline};

/// Long enough for anything that is going to happen.
pub const SOON: Duration = Duration::from_secs(15);

/// The queues of the sample municipality; each is answered by the same agent.
pub const QUEUES: &[&str] = &["borgerservice", "jobcenter", "omstilling"];

/// Everything that is in the street.
pub struct House {
    pub hotline: Hotline,
    pub asterisk: Asterisk,
    pub mail: MailServer,
    pub agent: Phone,
}

/// Opens a contact centre; `change` may alter the site and Hotline's settings.
pub async fn open(change: impl FnOnce(Site, Settings) -> (Site, Settings)) -> House {
    let agent = Phone::new("anna").unwrap();
    let settings = Settings::new().unwrap();
    let mail = MailServer::start().unwrap();
    let mut site = Site::new().agent("anna", agent.port()).hotline(settings.socket_port);
    for queue in QUEUES {
        site = site.queue(queue, &["anna"]);
    }
    site = site.global("HOTLINE_FALLBACK_QUEUE", "omstilling");
    let (site, mut settings) = change(site, settings);
    let asterisk = Asterisk::start(site).await.unwrap();
    settings.smtp_port = mail.port();
    let program = Path::new(env!("CARGO_BIN_EXE_hotline"));
    let hotline = Hotline::start(program, settings.with_asterisk(&asterisk)).await.unwrap();
    House { hotline, asterisk, mail, agent }
}
