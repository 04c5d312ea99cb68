//! The queue of mails in the store: what one transaction does to it. No clock, no sockets.
//!
//! Mails to one recipient stand in line in the order in which they were queued, and only the head
//! of each line is in the list of what is due; so order per recipient is kept and one dead mailbox
//! holds up nobody else.

use jiff::Timestamp;

use super::letters::{LetterKind, Letters};
use super::mail::{Escalation, Mail, MailId, MailState, NewMail};
use crate::store::{StoreError, Table, Transaction, View, instant_key};
use crate::words::Reference;

/// All mails by number.
pub(super) const MAILS: Table<Mail> = Table::new("mail");
const NUMBERS: Table<u64> = Table::new("mail_id");
const COUNTER: Table<u64> = Table::new("mail_counter");
/// Recipient and number of what is not finished.
const LINES: Table<()> = Table::new("mail_line");
/// Recipient to the head of its line and when that is due.
const HEADS: Table<(u64, Timestamp)> = Table::new("mail_head");
/// Due time and number of heads of lines.
const DUE: Table<()> = Table::new("mail_due");
/// Time and number of those that are escalated when still under way then.
const OVERDUE: Table<()> = Table::new("mail_overdue");
/// Attempts whose end is not known.
const SENDING: Table<()> = Table::new("mail_sending");
/// Dead letters, and those that are late.
const TROUBLE: Table<()> = Table::new("mail_trouble");
/// Time of end and number of what is finished.
const ENDED: Table<()> = Table::new("mail_ended");
/// How many unfinished mails need a recording.
const RECORDINGS: Table<u32> = Table::new("recording");

/// The space that changes whenever there may be something to do.
pub(super) const STIR: &str = "mail_head";
/// Longest list handed out.
const MANY: usize = 10_000;

/// What every operation on the queue needs to know.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) now: Timestamp,
    pub(super) lifetime: jiff::SignedDuration,
    pub(super) letters: &'a Letters,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// A server took it.
    Sent(String),
    /// Nothing left the house; try again when the server can be reached.
    NotTried(String),
    /// Refused for now, or unknown; try again at this time.
    Later {
        at: Timestamp,
        words: String,
        perhaps_sent: bool,
    },
    /// Never try again.
    Never(String),
}

type Done<T = ()> = Result<T, StoreError>;

pub(super) fn enqueue(tx: &mut dyn Transaction, rules: Rules<'_>, new: &NewMail) -> Done<MailId> {
    if NUMBERS.get(tx, new.id.0.as_bytes())?.is_some() {
        return Ok(new.id);
    }
    let number = COUNTER.get(tx, b"last")?.unwrap_or(0) + 1;
    COUNTER.put(tx, b"last", &number)?;
    NUMBERS.put(tx, new.id.0.as_bytes(), &number)?;
    let mail = Mail {
        id: new.id,
        number,
        tenant: new.tenant.clone(),
        kind: new.kind,
        reference: new.reference.clone(),
        from: new.from.clone(),
        to: new.to.clone(),
        letter: Some(new.letter.clone()),
        recording: new.recording.clone(),
        state: MailState::Queued,
        made: rules.now,
        next_attempt: rules.now,
        attempts: 0,
        refusals: 0,
        possible_repeats: 0,
        last_words: None,
        expires: after(rules.now, rules.lifetime),
        ended: None,
        escalation: new.escalation.clone(),
        escalated: None,
    };
    if let Some(file) = &mail.recording {
        let needed = RECORDINGS.get(tx, file.as_bytes())?.unwrap_or(0);
        RECORDINGS.put(tx, file.as_bytes(), &(needed + 1))?;
    }
    if let Some(overdue) = overdue(&mail) {
        OVERDUE.put(tx, &timed(overdue, number), &())?;
    }
    MAILS.put(tx, &number.to_be_bytes(), &mail)?;
    join_line(tx, &mail)?;
    Ok(mail.id)
}

/// Returns what is due first: when, and which.
pub(super) fn first_due(view: &dyn View) -> Done<Option<(Timestamp, u64)>> {
    first_timed(view, &DUE)
}

/// Returns when the next mail becomes overdue.
pub(super) fn first_overdue(view: &dyn View) -> Done<Option<Timestamp>> {
    Ok(first_timed(view, &OVERDUE)?.map(|(at, _)| at))
}

/// Marks a mail as being sent and returns it; nothing when it is not due any more.
pub(super) fn begin(tx: &mut dyn Transaction, number: u64, now: Timestamp) -> Done<Option<Mail>> {
    let Some(mut mail) = MAILS.get(tx, &number.to_be_bytes())? else {
        return Ok(None);
    };
    if mail.state != MailState::Queued || mail.next_attempt > now {
        return Ok(None);
    }
    mail.state = MailState::Sending;
    mail.attempts += 1;
    SENDING.put(tx, &number.to_be_bytes(), &())?;
    MAILS.put(tx, &number.to_be_bytes(), &mail)?;
    refresh_line(tx, &mail.to)?;
    Ok(Some(mail))
}

/// Writes down how an attempt ended and returns the recording that nobody needs any more.
pub(super) fn end(
    tx: &mut dyn Transaction,
    rules: Rules<'_>,
    number: u64,
    ending: &Ending,
) -> Done<Option<String>> {
    let Some(mut mail) = MAILS.get(tx, &number.to_be_bytes())? else {
        return Ok(None);
    };
    if mail.state != MailState::Sending {
        return Ok(None);
    }
    SENDING.delete(tx, &number.to_be_bytes())?;
    mail.state = MailState::Queued;
    match ending {
        Ending::Sent(words) => {
            mail.last_words = Some(words.clone());
            return sent(tx, rules.now, mail);
        }
        Ending::Never(words) => {
            mail.last_words = Some(words.clone());
            die(tx, rules, mail)?;
        }
        Ending::NotTried(words) => {
            mail.last_words = Some(words.clone());
            retry_or_die(tx, rules, mail)?;
        }
        Ending::Later {
            at,
            words,
            perhaps_sent,
        } => {
            mail.last_words = Some(words.clone());
            mail.refusals += 1;
            mail.possible_repeats += u32::from(*perhaps_sent);
            mail.next_attempt = *at;
            retry_or_die(tx, rules, mail)?;
        }
    }
    Ok(None)
}

/// Takes up what was being sent when the process ended: it is sent again under the same name.
pub(super) fn recover(tx: &mut dyn Transaction, now: Timestamp) -> Done<usize> {
    let cut_off = SENDING.with_prefix(tx, b"", MANY)?;
    for (key, ()) in &cut_off {
        SENDING.delete(tx, key)?;
        if let Some(mut mail) = MAILS.get(tx, key)? {
            mail.state = MailState::Queued;
            mail.possible_repeats += 1;
            mail.next_attempt = now;
            mail.last_words = Some("cut off by the end of the process".to_owned());
            MAILS.put(tx, key, &mail)?;
            refresh_line(tx, &mail.to)?;
        }
    }
    Ok(cut_off.len())
}

/// Tells somebody of each mail that should have arrived by now; returns those mails.
pub(super) fn escalate_overdue(tx: &mut dyn Transaction, rules: Rules<'_>) -> Done<Vec<Mail>> {
    let mut late = Vec::new();
    while let Some((at, number)) = first_timed(tx, &OVERDUE)?
        && at <= rules.now
    {
        OVERDUE.delete(tx, &timed(at, number))?;
        let Some(mut mail) = MAILS.get(tx, &number.to_be_bytes())? else {
            continue;
        };
        if mail.ended.is_none() {
            TROUBLE.put(tx, &number.to_be_bytes(), &())?;
            escalate(tx, rules, &mut mail, false)?;
            MAILS.put(tx, &number.to_be_bytes(), &mail)?;
            late.push(mail);
        }
    }
    Ok(late)
}

/// Puts a dead letter back into its line with a new lifetime. Returns whether it was dead.
pub(super) fn revive(
    tx: &mut dyn Transaction,
    rules: Rules<'_>,
    id: MailId,
) -> Done<Option<MailState>> {
    let Some(number) = NUMBERS.get(tx, id.0.as_bytes())? else {
        return Ok(None);
    };
    let Some(mut mail) = MAILS.get(tx, &number.to_be_bytes())? else {
        return Ok(None);
    };
    let state = mail.state;
    if state == MailState::Dead {
        TROUBLE.delete(tx, &number.to_be_bytes())?;
        if let Some(ended) = mail.ended.take() {
            ENDED.delete(tx, &timed(ended, number))?;
        }
        mail.state = MailState::Queued;
        mail.next_attempt = rules.now;
        mail.refusals = 0;
        mail.escalated = None;
        mail.expires = after(rules.now, rules.lifetime);
        MAILS.put(tx, &number.to_be_bytes(), &mail)?;
        join_line(tx, &mail)?;
    }
    Ok(Some(state))
}

/// Returns the mail of an id.
pub(super) fn find(view: &dyn View, id: MailId) -> Done<Option<Mail>> {
    match NUMBERS.get(view, id.0.as_bytes())? {
        Some(number) => MAILS.get(view, &number.to_be_bytes()),
        None => Ok(None),
    }
}

/// Returns dead letters and late mails, oldest first.
pub(super) fn trouble(view: &dyn View) -> Done<Vec<Mail>> {
    let mut mails = Vec::new();
    for (key, ()) in TROUBLE.with_prefix(view, b"", MANY)? {
        mails.extend(MAILS.get(view, &key)?);
    }
    Ok(mails)
}

/// Returns how many mails wait.
pub(super) fn waiting(view: &dyn View) -> Done<usize> {
    Ok(LINES.with_prefix(view, b"", MANY)?.len())
}

/// Forgets up to a batch of mails that ended before a time; returns how many.
pub(super) fn forget(tx: &mut dyn Transaction, before: Timestamp) -> Done<usize> {
    let mut forgotten = 0;
    while forgotten < 500
        && let Some((ended, number)) = first_timed(tx, &ENDED)?
        && ended < before
    {
        ENDED.delete(tx, &timed(ended, number))?;
        TROUBLE.delete(tx, &number.to_be_bytes())?;
        if let Some(mail) = MAILS.get(tx, &number.to_be_bytes())? {
            NUMBERS.delete(tx, mail.id.0.as_bytes())?;
            MAILS.delete(tx, &number.to_be_bytes())?;
        }
        forgotten += 1;
    }
    Ok(forgotten)
}

fn sent(tx: &mut dyn Transaction, now: Timestamp, mut mail: Mail) -> Done<Option<String>> {
    mail.state = MailState::Sent;
    mail.letter = None;
    TROUBLE.delete(tx, &mail.number.to_be_bytes())?;
    let recording = mail.recording.take();
    finish(tx, now, &mut mail)?;
    let Some(file) = recording else {
        return Ok(None);
    };
    let needed = RECORDINGS.get(tx, file.as_bytes())?.unwrap_or(1);
    if needed > 1 {
        RECORDINGS.put(tx, file.as_bytes(), &(needed - 1))?;
        return Ok(None);
    }
    RECORDINGS.delete(tx, file.as_bytes())?;
    Ok(Some(file))
}

fn retry_or_die(tx: &mut dyn Transaction, rules: Rules<'_>, mut mail: Mail) -> Done {
    if mail.next_attempt.max(rules.now) >= mail.expires {
        let last = mail.last_words.take().unwrap_or_default();
        mail.last_words = Some(format!("given up when its time was over: {last}"));
        return die(tx, rules, mail);
    }
    MAILS.put(tx, &mail.number.to_be_bytes(), &mail)?;
    refresh_line(tx, &mail.to)
}

fn die(tx: &mut dyn Transaction, rules: Rules<'_>, mut mail: Mail) -> Done {
    mail.state = MailState::Dead;
    TROUBLE.put(tx, &mail.number.to_be_bytes(), &())?;
    escalate(tx, rules, &mut mail, true)?;
    finish(tx, rules.now, &mut mail)
}

/// Takes a mail that is sent or dead out of its line and off the lists.
fn finish(tx: &mut dyn Transaction, now: Timestamp, mail: &mut Mail) -> Done {
    mail.ended = Some(now);
    if let Some(overdue) = overdue(mail) {
        OVERDUE.delete(tx, &timed(overdue, mail.number))?;
    }
    ENDED.put(tx, &timed(now, mail.number), &())?;
    MAILS.put(tx, &mail.number.to_be_bytes(), mail)?;
    LINES.delete(tx, &place_in_line(&mail.to, mail.number))?;
    refresh_line(tx, &mail.to)
}

/// Queues a mail that says that this one did not arrive. Nobody is told twice, except when what
/// was only late has died.
fn escalate(tx: &mut dyn Transaction, rules: Rules<'_>, mail: &mut Mail, dead: bool) -> Done {
    let Some(Escalation {
        to: Some(to),
        language,
        ..
    }) = mail.escalation.clone()
    else {
        return Ok(());
    };
    mail.escalated = Some(rules.now);
    let letter = mail.letter.clone();
    let body = letter.as_ref().map_or("", |letter| letter.body.as_str());
    let subject = letter.as_ref().map_or("", |letter| letter.subject.as_str());
    let values = serde_json::json!({
        "subject": subject,
        "body": body,
        "to": mail.to,
        "dead": dead,
        "reference": mail.reference.as_ref().map(|Reference(text)| text),
        "at": mail.made.to_string(),
        "attempts": mail.attempts,
        "error": mail.last_words,
    });
    // The same mail may be escalated as late, as dead, and again after it was revived.
    let name = format!("{}/{dead}/{}", mail.id, rules.now);
    let new = NewMail {
        id: MailId(derived(mail.id, &name)),
        tenant: mail.tenant.clone(),
        kind: LetterKind::Escalation,
        reference: mail.reference.clone(),
        from: mail.from.clone(),
        to,
        letter: rules
            .letters
            .write(LetterKind::Escalation, language, &values),
        recording: mail.recording.clone(),
        escalation: None,
    };
    enqueue(tx, rules, &new)?;
    Ok(())
}

/// Derives an id from another and a name; the same ones give the same.
fn derived(id: MailId, name: &str) -> uuid::Uuid {
    // FNV-1a over 128 bits: spreads well, and nobody gains by a collision.
    let mut hash = id.0.as_u128() ^ 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in name.bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    uuid::Builder::from_random_bytes(hash.to_be_bytes()).into_uuid()
}

fn join_line(tx: &mut dyn Transaction, mail: &Mail) -> Done {
    LINES.put(tx, &place_in_line(&mail.to, mail.number), &())?;
    refresh_line(tx, &mail.to)
}

/// Makes the list of what is due show the head of a recipient's line, and nothing else of it.
fn refresh_line(tx: &mut dyn Transaction, to: &str) -> Done {
    let line = line_of(to);
    if let Some((number, due)) = HEADS.get(tx, &line)? {
        DUE.delete(tx, &timed(due, number))?;
        HEADS.delete(tx, &line)?;
    }
    let Some((place, ())) = LINES.with_prefix(tx, &line, 1)?.pop() else {
        return Ok(());
    };
    let number = number_of(&place);
    let Some(mail) = MAILS.get(tx, &number.to_be_bytes())? else {
        return LINES.delete(tx, &place);
    };
    if mail.state == MailState::Sending {
        return Ok(());
    }
    HEADS.put(tx, &line, &(number, mail.next_attempt))?;
    DUE.put(tx, &timed(mail.next_attempt, number), &())
}

fn overdue(mail: &Mail) -> Option<Timestamp> {
    mail.escalation.as_ref()?.overdue
}

fn line_of(to: &str) -> Vec<u8> {
    let mut line = to.trim().to_lowercase().into_bytes();
    line.push(0);
    line
}

fn place_in_line(to: &str, number: u64) -> Vec<u8> {
    let mut place = line_of(to);
    place.extend(number.to_be_bytes());
    place
}

fn timed(at: Timestamp, number: u64) -> Vec<u8> {
    let mut key = instant_key(at).to_vec();
    key.extend(number.to_be_bytes());
    key
}

fn first_timed(view: &(impl View + ?Sized), table: &Table<()>) -> Done<Option<(Timestamp, u64)>> {
    let Some((key, ())) = table.first_from(view, b"")? else {
        return Ok(None);
    };
    let mut millisecond = [0; 8];
    millisecond.copy_from_slice(key.get(..8).unwrap_or(&[0; 8]));
    let millisecond = (u64::from_be_bytes(millisecond) ^ (1 << 63)).cast_signed();
    let at = Timestamp::from_millisecond(millisecond).unwrap_or(Timestamp::MIN);
    Ok(Some((at, number_of(&key))))
}

fn number_of(key: &[u8]) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(key.last_chunk::<8>().unwrap_or(&[0; 8]));
    u64::from_be_bytes(number)
}

fn after(at: Timestamp, duration: jiff::SignedDuration) -> Timestamp {
    at.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
