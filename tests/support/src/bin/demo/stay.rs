//! What is said before the calls, and how to call by oneself after them.

use std::time::Duration;

use street::phone::Answering;
use street::{cache, caller};

use crate::house::House;
use crate::page::Who;
use crate::towns::{CLOSED, LONG_WAIT, OPEN};

/// The softphone's number and port, for callbacks.
const SOFTPHONE: &str = "20304070";
const SOFTPHONE_PORT: u16 = 5060;

/// Says what is real here and what is not.
pub(crate) fn introduce(house: &House) {
    let page = &house.page;
    let version = cache::asterisk().ok().and_then(|found| match found {
        cache::Installation::Unpacked(tree) => std::fs::read_to_string(tree.join("VERSION")).ok(),
        cache::Installation::Own { program, .. } => {
            Some(format!("Asterisk ({})", program.display()))
        }
    });
    let version = version.unwrap_or_else(|| "Asterisk".to_owned());
    page.text(&format!("Ready: {}.", version.trim()));
    page.text("");
    page.item(
        "real",
        "SIP, RTP, Asterisk with the project's dialplans as they are, its queues, Hotline, speech \
         recognition, SMTP",
    );
    page.item(
        "not real",
        "the people: callers are espeak-ng's Danish voice in a SIP phone, and so is Anna, the agent",
    );
    page.item(
        "speech",
        "tiny models made for tests; they know some 120 words a language, and synthetic voices only",
    );
    page.item(
        "flows",
        &format!(
            "Egekøbing of flows/, copied and changed so that the hour does not matter: {OPEN} is \
             open round the clock and offers callbacks from {LONG_WAIT} s of waiting; {CLOSED} \
             has a day off today",
        ),
    );
    if !house.hears {
        page.item(
            "missing",
            "libvosk, so the callers press keys instead of speaking",
        );
    }
}

/// Says how to call with a softphone and where the doors are.
pub(crate) async fn invite(house: &House) {
    let page = &house.page;
    let sip = house.asterisk.sip();
    let http = house.hotline.settings().http_port;
    let token = house.hotline.state().join("token");
    let routed = house
        .asterisk
        .route(&format!("+45{SOFTPHONE}"), SOFTPHONE_PORT)
        .await;
    page.chapter("Now call by yourself");
    page.text(
        "With any softphone on this machine: SIP over UDP, G.711 A-law or µ-law, keys as RFC 4733; \
         no account, no password.",
    );
    page.text("");
    page.copy(&format!("open     sip:{OPEN}@{sip}"));
    page.copy(&format!("closed   sip:{CLOSED}@{sip}"));
    page.text("");
    page.text("Linphone: dial one of these addresses. baresip, with this one account:");
    page.text("");
    page.copy(&format!(
        "echo '<sip:{SOFTPHONE}@127.0.0.1>;regint=0' >> ~/.baresip/accounts"
    ));
    page.copy(&format!("baresip -e 'd sip:{OPEN}@{sip}'"));
    page.text("");
    if routed.is_ok() {
        page.text(&format!(
            "Callbacks for {SOFTPHONE} are dialled to 127.0.0.1:{SOFTPHONE_PORT}: they ring where \
             your softphone listens there."
        ));
    }
    page.text(
        "Use the keys: 1 to 8 for departments, 0 for the switchboard, 9 to cancel an appointment. \
         The tiny speech models do not know your voice; real ones go into speech.ears of the \
         configuration. Anna answers, and is a machine. Mails are shown here.",
    );
    page.text("");
    page.text("The web door, and the calls as they go:");
    page.text("");
    page.copy(&format!(
        "http://127.0.0.1:{http}  /healthz /readyz /metrics /api/v1/calls /api/v1/events"
    ));
    page.copy(&format!("TOKEN={}", token.display()));
    page.copy(&format!(
        "curl -N -H \"Authorization: Bearer $(cat $TOKEN)\" http://127.0.0.1:{http}/api/v1/events"
    ));
    page.text("");
    page.text("Ctrl-C ends everything.");
    page.chapter("Waiting for calls");
}

/// Answers the agent's phone and shows the mail that comes, until the demo is interrupted.
pub(crate) async fn answer(house: &House) {
    house
        .agent
        .set_answering(Answering::After(Duration::from_secs(3)));
    let greeting = caller::danish("goddag, du taler med Anna. Jeg er kun en maskine. Farvel.").ok();
    let mut mails = house.mail.mails().len();
    loop {
        for mail in house.mail.mails().into_iter().skip(mails) {
            mails += 1;
            let to = mail.recipients.join(", ");
            house
                .page
                .line(Who::Mail, &format!("to {to}: {}", mail.subject()));
            house.page.more(mail.text().trim());
        }
        let Ok(ringing) = house.agent.rings(Duration::from_millis(300)).await else {
            continue;
        };
        if ringing.answered(Duration::from_secs(10)).await.is_err() || !ringing.is_up() {
            continue;
        }
        let reason = ringing.header("X-Hotline-Summary").unwrap_or_default();
        house.page.line(
            Who::Agent,
            &format!("Anna answers. Her screen shows: {reason}"),
        );
        if let Some(greeting) = &greeting {
            let words = greeting.to_vec();
            tokio::spawn(async move {
                // The whisper comes first.
                tokio::time::sleep(Duration::from_secs(5)).await;
                let _ = ringing.say(&words).await;
                tokio::time::sleep(Duration::from_secs(20)).await;
                let _ = ringing.hang_up();
            });
        }
    }
}
