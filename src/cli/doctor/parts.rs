//! The parts that the doctor examines.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;

use super::{Diagnosis, asterisk, freeswitch};
use crate::cli::supervisor::reachable;
use crate::config::Config;
use crate::flow::Library;
use crate::http::Token;
use crate::pbx::LinkState;
use crate::send::{Letters, NotCarried, Outbox, Smtp};
use crate::speech::{Ears, SpeechError, Voice, recognisers};
use crate::store::{Chance, Store, StoreError, SystemClock};
use crate::web;
use crate::words::{Language, QueueName};

/// How long connecting to a port of this machine may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Examines all parts; slow ones side by side.
pub(super) async fn examine(config: &Config) -> Vec<Diagnosis> {
    let (library, mut diagnoses) = flows(&config.flows);
    diagnoses.extend(state_folder(&config.state));
    diagnoses.extend(secrets(config));
    let service = service(config).await;
    let running = service.is_some();
    diagnoses.extend(service);
    // FreeSWITCH brings calls elsewhere, and their audio by ports that it is told of call by call.
    let audio = match &config.freeswitch {
        Some(freeswitch) => port("call port", freeswitch.listen, running),
        None => port("audio port", config.call.listen, running),
    };
    diagnoses.extend(audio);
    diagnoses.extend(port("http port", config.http.listen, running));
    let (pbx, mail, ears, voices, store) = tokio::join!(
        pbx(config, library.as_ref()),
        mail(config),
        recognition(config),
        synthesis(config),
        store(config, running),
    );
    diagnoses.extend(pbx);
    diagnoses.push(mail);
    diagnoses.extend(ears);
    diagnoses.extend(voices);
    diagnoses.extend(store);
    diagnoses
}

fn flows(folder: &Path) -> (Option<Library>, Vec<Diagnosis>) {
    let (library, findings) = Library::load(folder);
    let errors = findings.iter().filter(|it| it.is_error()).count();
    let shown = folder.display();
    let diagnosis = match (&library, findings.len()) {
        (Some(library), 0) => {
            let tenants = library.shelves().count();
            Diagnosis::well("flows", format!("{shown}: {tenants} tenants, no findings"))
        }
        (Some(_), warnings) => Diagnosis::odd(
            "flows",
            format!("{shown}: {warnings} warnings"),
            "see `hotline check`",
        ),
        (None, _) => Diagnosis::wrong(
            "flows",
            format!("{shown}: {errors} errors"),
            "see `hotline check`; a running service keeps the flows it has",
        ),
    };
    (library, vec![diagnosis])
}

fn state_folder(folder: &Path) -> Option<Diagnosis> {
    let shown = folder.display().to_string();
    let trial = folder.join(".doctor");
    let tried = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&trial, b"may be deleted"))
        .and_then(|()| std::fs::remove_file(&trial));
    Some(match tried {
        Ok(()) => Diagnosis::well("state folder", shown),
        Err(error) => Diagnosis::wrong(
            "state folder",
            format!("{shown} cannot be written to: {error}"),
            "run this as the service's user; give the folder to that user, or set `state`",
        ),
    })
}

/// Looks at the files with secrets: they must be there, and for nobody else to read.
fn secrets(config: &Config) -> Vec<Diagnosis> {
    let token = config.token_path();
    let mut files: Vec<(&str, &Path)> = Vec::new();
    if let Some(asterisk) = &config.asterisk {
        files.push(("asterisk.secret_file", &asterisk.secret_file));
    }
    if let Some(freeswitch) = &config.freeswitch {
        files.push(("freeswitch.password_file", &freeswitch.password_file));
    }
    if let Some(password) = &config.mail.password_file {
        files.push(("mail.password_file", password));
    }
    let engines = config.speech.voices.values().flatten();
    let keys = engines.filter_map(|engine| engine.key_file());
    files.extend(keys.map(|file| ("speech.voices", file)));
    if token.exists() {
        files.push(("http.token_file", &token));
    }
    files
        .into_iter()
        .map(|(setting, file)| secret(setting, file))
        .collect()
}

fn secret(setting: &str, file: &Path) -> Diagnosis {
    let shown = format!("{} ({setting})", file.display());
    match std::fs::metadata(file) {
        Err(error) => Diagnosis::wrong(
            "secret",
            format!("{shown} cannot be read: {error}"),
            format!(
                "write the secret there, readable for the service's user only, or set {setting}"
            ),
        ),
        Ok(metadata) if !metadata.is_file() || metadata.len() == 0 => Diagnosis::wrong(
            "secret",
            format!("{shown} holds nothing"),
            "write the secret on its first line",
        ),
        Ok(metadata) => match others_may_read(&metadata) {
            true => Diagnosis::odd(
                "secret",
                format!("{shown} can be read by everybody on this machine"),
                format!("chmod 600 {}", file.display()),
            ),
            false => Diagnosis::well("secret", shown),
        },
    }
}

#[cfg(unix)]
fn others_may_read(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o007 != 0
}

#[cfg(not(unix))]
fn others_may_read(_: &std::fs::Metadata) -> bool {
    false
}

/// Asks the running service whether it is ready; nothing when none is running.
async fn service(config: &Config) -> Option<Diagnosis> {
    let address = reachable(config.http.listen);
    TcpStream::connect_timeout(&address, CONNECT).ok()?;
    let stranger = |why: String| {
        Diagnosis::wrong(
            "service",
            format!("something at {address} is no Hotline: {why}"),
            "end it, or set `http.listen` to another port",
        )
    };
    let text = match get(&format!("http://{address}/readyz"), None).await {
        Ok(text) => text,
        Err(why) => return Some(stranger(why)),
    };
    let Ok(body) = serde_json::from_str::<serde_json::Value>(&text) else {
        return Some(stranger("it does not answer in JSON".to_owned()));
    };
    let reasons = body["reasons"].as_array().cloned().unwrap_or_default();
    if reasons.is_empty() {
        return Some(Diagnosis::well(
            "service",
            format!("runs and is ready at {address}"),
        ));
    }
    let said = |field: &str| {
        let texts = reasons
            .iter()
            .map(|it| it[field].as_str().unwrap_or_default());
        texts.collect::<Vec<_>>().join("; ")
    };
    Some(Diagnosis::wrong(
        "service",
        format!("runs at {address} and is not ready: {}", said("why")),
        said("remedy"),
    ))
}

/// Looks whether a port can be listened on, or is held by the running service.
fn port(part: &'static str, listen: SocketAddr, running: bool) -> Vec<Diagnosis> {
    let mut diagnoses = Vec::new();
    match std::net::TcpListener::bind(listen) {
        Ok(_) => diagnoses.push(Diagnosis::well(part, format!("{listen} is free"))),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && running => {
            diagnoses.push(Diagnosis::well(
                part,
                format!("{listen} is held by the service"),
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => diagnoses.push(Diagnosis::wrong(
            part,
            format!("{listen} is held by another program"),
            format!(
                "find it with `ss -ltnp 'sport = :{}'`, or set another port",
                listen.port()
            ),
        )),
        Err(error) => diagnoses.push(Diagnosis::wrong(
            part,
            format!("{listen} cannot be listened on: {error}"),
            "set an address of this machine and a port above 1023",
        )),
    }
    if !listen.ip().is_loopback() {
        diagnoses.push(Diagnosis::odd(
            part,
            format!("{listen} is open to other machines, and what is said there is not encrypted"),
            "let only the PBX's network reach it (firewall), or listen on 127.0.0.1",
        ));
    }
    diagnoses
}

/// Examines the PBX that is configured.
async fn pbx(config: &Config, library: Option<&Library>) -> Vec<Diagnosis> {
    match (&config.asterisk, &config.freeswitch) {
        (Some(settings), None) => asterisk::examine(settings.clone(), library).await,
        (None, Some(settings)) => freeswitch::examine(settings.clone(), library).await,
        (None, None) => vec![Diagnosis::wrong(
            "pbx",
            "no PBX is configured",
            "add a section `asterisk` with `secret_file`, or `freeswitch` with `password_file`, \
             or try `hotline demo`",
        )],
        (Some(_), Some(_)) => vec![Diagnosis::wrong(
            "pbx",
            "two PBXs are configured",
            "keep one of the sections `asterisk` and `freeswitch`; for two PBXs run Hotline twice",
        )],
    }
}

/// Tells a link that has not tried yet from one that failed.
pub(super) fn is_starting(state: &LinkState) -> bool {
    matches!(state, LinkState::Down(why) if why.starts_with("not connected yet"))
}

/// Returns the queues that tenants name, as they name them.
pub(super) fn wanted(library: &Library) -> BTreeSet<&QueueName> {
    let departments = library
        .shelves()
        .flat_map(|shelf| shelf.tenant.departments.values());
    departments.map(|it| &it.queue).collect()
}

async fn mail(config: &Config) -> Diagnosis {
    let remedy = "see the section `mail`: server, port, security, username and password_file";
    let smtp = match Smtp::new(&config.mail) {
        Ok(smtp) => smtp,
        Err(error) => return Diagnosis::wrong("mail", error.to_string(), remedy),
    };
    match smtp.try_out().await {
        Ok(()) => Diagnosis::well("mail", format!("{} takes mail", config.mail.server)),
        Err(
            NotCarried::Unreachable(why)
            | NotCarried::NotNow(why)
            | NotCarried::Never(why)
            | NotCarried::Unknown(why),
        ) => Diagnosis::wrong("mail", why, remedy),
    }
}

async fn recognition(config: &Config) -> Vec<Diagnosis> {
    let speech = config.speech.clone();
    let loading = tokio::task::spawn_blocking(move || Ears::new(&speech));
    let speech = config.speech.clone();
    let trying = tokio::task::spawn_blocking(move || recognisers::try_out(&speech));
    let (loaded, tried) = tokio::join!(loading, trying);
    let keys = "callers are served by keys until this is put right";
    let next = "the next recogniser of the language listens instead; without any, callers are \
                served by keys";
    let mut diagnoses = loaded_ears(loaded, config, keys);
    for trial in tried.unwrap_or_default() {
        let recogniser = format!("{} for {} at {}", trial.engine, trial.language, trial.url);
        diagnoses.push(match trial.outcome {
            Ok(took) => Diagnosis::well(
                "recognition",
                format!("{recogniser} answers after {took:.0?}"),
            ),
            // What the settings lack has been told of by the ears.
            Err(SpeechError::Unfit { setting, .. }) => Diagnosis::wrong(
                "recognition",
                format!("{recogniser} cannot be tried: see {setting}"),
                next,
            ),
            Err(fault) => Diagnosis::wrong("recognition", format!("{recogniser}: {fault}"), next),
        });
    }
    diagnoses
}

fn loaded_ears(
    loaded: Result<Result<Ears, SpeechError>, JoinError>,
    config: &Config,
    keys: &str,
) -> Vec<Diagnosis> {
    let engines = |language: &Language| {
        let engines = config.speech.ears.get(language).into_iter().flatten();
        let names: Vec<&str> = engines.map(recognisers::Engine::name).collect();
        format!("{language} by {}", names.join(", then "))
    };
    match loaded {
        Err(error) => vec![Diagnosis::wrong("recognition", error.to_string(), keys)],
        Ok(Err(error @ SpeechError::NoEars)) => {
            vec![Diagnosis::odd("recognition", error.to_string(), keys)]
        }
        Ok(Err(error)) => vec![Diagnosis::wrong("recognition", error.to_string(), keys)],
        Ok(Ok(ears)) => {
            let languages: Vec<String> = ears.languages().iter().map(engines).collect();
            let says = format!(
                "{}; {} calls at once",
                languages.join(", "),
                ears.load().max
            );
            let faults = ears.faults().iter();
            let faults = faults.map(|it| Diagnosis::wrong("recognition", it.to_string(), keys));
            std::iter::once(Diagnosis::well("recognition", says))
                .chain(faults)
                .collect()
        }
    }
}

async fn synthesis(config: &Config) -> Vec<Diagnosis> {
    let voice = Voice::new(&config.speech);
    let quiet =
        "the next voice of the language speaks instead; without any, callers go to the queue";
    let faults = voice.faults().iter();
    let faults = faults.map(|it| Diagnosis::wrong("voice", it.to_string(), quiet));
    let mut diagnoses: Vec<Diagnosis> = faults.collect();
    for trial in voice.try_out().await {
        diagnoses.push(match trial.outcome {
            Ok(took) => Diagnosis::well(
                "voice",
                format!(
                    "{}: speaks {} after {took:.0?}",
                    trial.voice, trial.language
                ),
            ),
            Err(fault) => Diagnosis::wrong("voice", format!("{}: {fault}", trial.voice), quiet),
        });
    }
    diagnoses
}

async fn store(config: &Config, running: bool) -> Vec<Diagnosis> {
    let path = config.store_path();
    let shown = path.display().to_string();
    if !path.exists() {
        return vec![Diagnosis::well(
            "store",
            format!("{shown} is made at the first start"),
        )];
    }
    let opening = path.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&opening)).await;
    match opened {
        Ok(Ok(store)) => {
            let letters = letters(config, store).await;
            vec![Diagnosis::well("store", shown), letters]
        }
        Ok(Err(StoreError::InUse { .. })) if running => {
            let letters = letters_of_service(config).await;
            vec![
                Diagnosis::well("store", format!("{shown} is held by the service")),
                letters,
            ]
        }
        Ok(Err(error)) => vec![Diagnosis::wrong("store", error.to_string(), "")],
        Err(error) => vec![Diagnosis::wrong("store", error.to_string(), "")],
    }
}

/// Looks for mails that are late or were given up.
async fn letters(config: &Config, store: Store) -> Diagnosis {
    let outbox = Outbox::new(
        &config.mail,
        store,
        Letters::built_in(),
        config.recordings(),
        Arc::new(SystemClock),
        Chance::unforeseeable(),
    );
    match outbox.trouble().await {
        Ok(letters) => {
            let letters = letters.iter().map(|it| serde_json::json!(it)).collect();
            about_letters(letters)
        }
        Err(error) => Diagnosis::wrong("outbox", error.to_string(), ""),
    }
}

async fn letters_of_service(config: &Config) -> Diagnosis {
    let unknown = |why: String| {
        Diagnosis::odd(
            "outbox",
            format!("dead letters cannot be counted: {why}"),
            "run this as the service's user",
        )
    };
    let token = match Token::read(&config.token_path()) {
        Ok(token) => token,
        Err(error) => return unknown(error.to_string()),
    };
    let address = reachable(config.http.listen);
    let url = format!("http://{address}/api/v1/deadletters");
    let answer = get(&url, Some(&token)).await.and_then(|text| {
        serde_json::from_str::<serde_json::Value>(&text).map_err(|it| it.to_string())
    });
    match answer {
        Ok(body) => about_letters(body["deadletters"].as_array().cloned().unwrap_or_default()),
        Err(why) => unknown(why),
    }
}

/// Asks a door on this machine and returns what it answers, whatever its status.
async fn get(url: &str, token: Option<&Token>) -> Result<String, String> {
    let client = web::client().map_err(web::reason)?;
    let mut request = client.get(url);
    if let Some(token) = token {
        request = request.header("Authorization", token.header());
    }
    let exchange = async { request.send().await?.text().await };
    match tokio::time::timeout(CONNECT, exchange).await {
        Ok(answer) => answer.map_err(web::reason),
        Err(_) => Err(format!("nothing came within {CONNECT:?}")),
    }
}

fn about_letters(letters: Vec<serde_json::Value>) -> Diagnosis {
    if letters.is_empty() {
        return Diagnosis::well("outbox", "no dead letters");
    }
    let few = letters.iter().take(5).map(|letter| {
        let text = |field: &str| letter[field].as_str().unwrap_or_default();
        format!("{} to {}: {}", text("id"), text("to"), text("last_words"))
    });
    let says = std::iter::once(format!("{} mails were late or given up", letters.len()))
        .chain(few)
        .collect::<Vec<_>>()
        .join("\n");
    Diagnosis::wrong(
        "outbox",
        says,
        "put the mail server or the address right, then POST /api/v1/deadletters/{id}/retry",
    )
}
