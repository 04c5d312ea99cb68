//! Makes a mail ready for the wire. Pure: what it is made of is given, and the same mail gives
//! the same Message-ID each time.

use std::time::{Duration, SystemTime};

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::mail::Mail;

/// Why a mail cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// An address is none.
    #[error("{role} {address:?} is no mail address: {why}")]
    Address {
        /// Sender or recipient.
        role: &'static str,
        /// What was given.
        address: String,
        /// The library's words.
        why: String,
    },
    /// The text is gone, as the mail was sent before.
    #[error("the mail was sent before and its text is forgotten")]
    Forgotten,
    /// The parts do not make a mail.
    #[error("the mail cannot be put together: {0}")]
    Parts(#[from] lettre::error::Error),
}

/// Tells whether a text is one plain mail address, without a name and on one line.
pub fn is_address(text: &str) -> bool {
    text.parse::<Address>().is_ok()
}

/// Makes the envelope and the bytes of a mail, with the recording if there is one.
pub(super) fn compose(
    mail: &Mail,
    recording: Option<Vec<u8>>,
) -> Result<(Envelope, Vec<u8>), ComposeError> {
    let letter = mail.letter.as_ref().ok_or(ComposeError::Forgotten)?;
    let from = mailbox("sender", &mail.from)?;
    let to = mailbox("recipient", &mail.to)?;
    let mut builder = Message::builder()
        .from(from)
        .to(to)
        .subject(one_line(&letter.subject))
        .message_id(Some(mail.message_id()))
        .date(instant(mail))
        // Keeps out-of-office answers from answering us.
        .raw_header(header("Auto-Submitted", "auto-generated"));
    if let Some(reference) = &mail.reference {
        builder = builder.raw_header(header("X-Hotline-Reference", &one_line(&reference.0)));
    }
    let mut body = letter.body.clone();
    let message = match (&mail.recording, recording) {
        (Some(_), Some(bytes)) => {
            let name = format!(
                "{}.wav",
                mail.reference
                    .as_ref()
                    .map_or("recording", |r| r.0.as_str())
            );
            let wav = ContentType::parse("audio/wav").unwrap_or(ContentType::TEXT_PLAIN);
            builder.multipart(
                MultiPart::mixed()
                    .singlepart(SinglePart::plain(body))
                    .singlepart(Attachment::new(one_line(&name)).body(bytes, wav)),
            )?
        }
        (Some(file), None) => {
            body.push_str(&format!(
                "\n(Optagelsen / the recording {file} findes ikke længere / is no longer there.)\n"
            ));
            builder.singlepart(SinglePart::plain(body))?
        }
        (None, _) => builder.singlepart(SinglePart::plain(body))?,
    };
    Ok((message.envelope().clone(), message.formatted()))
}

fn mailbox(role: &'static str, text: &str) -> Result<Mailbox, ComposeError> {
    text.parse()
        .map_err(|why: lettre::address::AddressError| ComposeError::Address {
            role,
            address: text.to_owned(),
            why: why.to_string(),
        })
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Replaces everything that could begin another header line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn instant(mail: &Mail) -> SystemTime {
    let seconds = u64::try_from(mail.made.as_second()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
