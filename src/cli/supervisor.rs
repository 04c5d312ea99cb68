//! What a supervisor does from a shell: asks the running service over its HTTP door, or, when
//! nothing answers there, opens the store that the service would use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Stop;
use crate::config::Config;
use crate::dialog::Done;
use crate::flow::{Library, Tenant};
use crate::http::{NewCallback, NoticeWish, Problem, Token};
use crate::pbx::builtin::Builtin;
use crate::send::{Letters, Outbox};
use crate::service::{Filter, Ground, ServiceError, Services, Tenants};
use crate::store::{Chance, Store, StoreError, SystemClock};
use crate::web;
use crate::words::TenantId;

/// How long the service may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How long connecting on this machine may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The way to the promises.
pub(super) enum Supervisor {
    /// Over the service's HTTP door.
    Http(Door),
    /// Into the store, as no service is running.
    Store(Direct),
}

/// The running service.
pub(super) struct Door {
    runtime: Runtime,
    client: reqwest::Client,
    address: SocketAddr,
    token: Token,
    by: String,
}

/// The store without a service.
pub(super) struct Direct {
    runtime: Runtime,
    services: Arc<Services>,
    tenants: Tenants,
    by: String,
}

impl Supervisor {
    /// Finds the service, or its store.
    pub(super) fn reach(config: Option<&Path>) -> Result<Self, Stop> {
        let config = Config::load(config)?;
        let address = reachable(config.http.listen);
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(_) => Door::open(&config, address).map(Self::Http),
            Err(_) => Direct::open(&config, address).map(Self::Store),
        }
    }

    /// Tells whether the service is running.
    pub(super) fn is_running(&self) -> bool {
        matches!(self, Self::Http(_))
    }

    pub(super) fn callbacks(&self, filter: &Filter) -> Result<Vec<Value>, Stop> {
        match self {
            Self::Http(door) => {
                let mut query = format!("over={}", filter.over);
                let tenant = filter.tenant.as_ref().map(|it| ("tenant", &it.0));
                let department = filter.department.as_ref().map(|it| ("department", &it.0));
                for (name, value) in tenant.into_iter().chain(department) {
                    query.push_str(&format!("&{name}={}", escaped(value)));
                }
                let answer = door.ask("GET", &format!("callbacks?{query}"), None)?;
                Ok(list(&answer, "callbacks"))
            }
            Self::Store(direct) => {
                let found = direct.runtime.block_on(direct.services.callbacks(filter));
                Ok(found.map_err(refused)?.iter().map(|it| json!(it)).collect())
            }
        }
    }

    pub(super) fn add_callback(&self, wish: &NewCallback) -> Result<Value, Stop> {
        match self {
            Self::Http(door) => door.ask("POST", "callbacks", Some(&json!(wish))),
            Self::Store(direct) => direct.add_callback(wish),
        }
    }

    pub(super) fn cancel_callback(&self, reference: &str) -> Result<Value, Stop> {
        match self {
            Self::Http(door) => {
                door.ask("DELETE", &format!("callbacks/{}", escaped(reference)), None)
            }
            Self::Store(direct) => {
                let done = direct.services.cancel_callback(reference, &direct.by);
                Ok(json!(direct.runtime.block_on(done).map_err(refused)?))
            }
        }
    }

    pub(super) fn trigger_callback(&self, reference: &str) -> Result<Value, Stop> {
        match self {
            Self::Http(door) => {
                let place = format!("callbacks/{}/trigger", escaped(reference));
                door.ask("POST", &place, None)
            }
            Self::Store(direct) => {
                let done = direct.services.trigger_callback(reference, &direct.by);
                Ok(json!(direct.runtime.block_on(done).map_err(refused)?))
            }
        }
    }

    pub(super) fn notices(&self) -> Result<Vec<Value>, Stop> {
        match self {
            Self::Http(door) => Ok(list(&door.ask("GET", "notices", None)?, "notices")),
            Self::Store(direct) => {
                let notices = direct.services.all_notices();
                Ok(notices.iter().map(|it| json!(it)).collect())
            }
        }
    }

    pub(super) fn notice_on(
        &self,
        tenant: &str,
        name: &str,
        wish: &NoticeWish,
    ) -> Result<Value, Stop> {
        match self {
            Self::Http(door) => {
                let place = format!("notices/{}/{}", escaped(tenant), escaped(name));
                door.ask("PUT", &place, Some(&json!(wish)))
            }
            Self::Store(direct) => {
                let tenant = direct.tenant(tenant)?;
                let until = wish.until(&tenant).map_err(of_problem)?;
                let done = direct.services.notice_on(
                    &tenant.tenant,
                    name,
                    wish.text.clone(),
                    until,
                    &direct.by,
                );
                Ok(json!(direct.runtime.block_on(done).map_err(refused)?))
            }
        }
    }

    pub(super) fn notice_off(&self, tenant: &str, name: &str) -> Result<(), Stop> {
        match self {
            Self::Http(door) => {
                let place = format!("notices/{}/{}", escaped(tenant), escaped(name));
                door.ask("DELETE", &place, None).map(drop)
            }
            Self::Store(direct) => {
                let id = TenantId::from(tenant);
                let done = direct.services.notice_off(&id, name, &direct.by);
                match direct.runtime.block_on(done).map_err(refused)? {
                    true => Ok(()),
                    false => Err(Stop::failed(
                        format!("{tenant} has no notice {name:?} in force"),
                        "`hotline notice list` shows those in force",
                    )),
                }
            }
        }
    }
}

impl Door {
    fn open(config: &Config, address: SocketAddr) -> Result<Self, Stop> {
        let token = Token::read(&config.token_path()).map_err(|error| {
            Stop::usage(
                error.to_string(),
                "run this as the service's user, with the service's configuration (--config)",
            )
        })?;
        let client = web::client()
            .map_err(|error| Stop::failed(web::reason(error), "run `hotline doctor`"))?;
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            client,
            address,
            token,
            by: by(),
        })
    }

    /// Asks the service and returns its answer.
    fn ask(&self, method: &str, place: &str, body: Option<&Value>) -> Result<Value, Stop> {
        let unreachable = |error: &dyn std::fmt::Display| Stop::Unreachable {
            message: format!("{} does not answer as Hotline does: {error}", self.address),
            remedy: "see that the service runs, with `hotline doctor`".to_owned(),
        };
        let method =
            reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| unreachable(&error))?;
        let url = format!("http://{}/api/v1/{place}", self.address);
        let request = self
            .client
            .request(method, url)
            .header("Authorization", self.token.header())
            .header("X-Hotline-By", &self.by)
            .body(body.map(Value::to_string).unwrap_or_default());
        let exchange = async {
            let answer = request.send().await?;
            let status = answer.status();
            Ok((status, answer.text().await?))
        };
        let (status, text) = self
            .runtime
            .block_on(async { tokio::time::timeout(ANSWER, exchange).await })
            .map_err(|_| unreachable(&format!("nothing came within {ANSWER:?}")))?
            .map_err(|error| unreachable(&web::reason(error)))?;
        if status.is_success() {
            return serde_json::from_str(&text).map_err(|error| unreachable(&error));
        }
        let problem: Problem = serde_json::from_str(&text).map_err(|error| unreachable(&error))?;
        Err(of_problem(problem))
    }
}

impl Direct {
    fn open(config: &Config, address: SocketAddr) -> Result<Self, Stop> {
        let path = config.store_path();
        if !path.exists() {
            return Err(Stop::Unreachable {
                message: format!(
                    "no service answers at {address}, and there is no store at {}",
                    path.display()
                ),
                remedy: "start `hotline serve`, or name its configuration with --config".to_owned(),
            });
        }
        let (library, _) = Library::load(&config.flows);
        let library = library.ok_or_else(|| {
            Stop::failed(
                format!("there are mistakes in {}", config.flows.display()),
                "see `hotline check`",
            )
        })?;
        let tenants: Tenants = Arc::new(move |id| {
            library
                .shelf(id)
                .map(|shelf| Arc::new(shelf.tenant.clone()))
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let store = Store::open(&path).map_err(|error| match error {
            StoreError::InUse { .. } => Stop::Unreachable {
                message: format!("the service has the store open and does not answer at {address}"),
                remedy: "name the service's configuration with --config, or see `hotline doctor`"
                    .to_owned(),
            },
            other => Stop::failed(other.to_string(), ""),
        })?;
        let clock = Arc::new(SystemClock);
        let chance = Chance::unforeseeable();
        let outbox = Outbox::new(
            &config.mail,
            store.clone(),
            Letters::built_in(),
            config.recordings(),
            clock.clone(),
            chance.clone(),
        );
        let ground = Ground {
            store,
            outbox,
            pbx: Arc::new(Builtin::new()),
            clock,
            chance,
            tenants: tenants.clone(),
        };
        let services = runtime
            .block_on(Services::start(ground, config.services.clone()))
            .map_err(refused)?;
        Ok(Self {
            runtime,
            services,
            tenants,
            by: by(),
        })
    }

    fn tenant(&self, name: &str) -> Result<Arc<Tenant>, Stop> {
        let id = TenantId::from(name);
        (self.tenants)(&id).ok_or_else(|| refused(ServiceError::NoSuchTenant(id)))
    }

    fn add_callback(&self, wish: &NewCallback) -> Result<Value, Stop> {
        let tenant = self.tenant(&wish.tenant)?;
        let order = wish.order(&tenant).map_err(of_problem)?;
        let done = self.services.add_callback(&tenant.tenant, order, &self.by);
        match self.runtime.block_on(done).map_err(refused)? {
            Done::Noted { reference } => {
                Ok(json!({ "reference": reference, "already_noted": false }))
            }
            Done::AlreadyNoted { reference } => {
                Ok(json!({ "reference": reference, "already_noted": true }))
            }
            Done::Refused { reason } => Err(Stop::failed(reason, "")),
        }
    }
}

/// Returns the address at which a door that listens everywhere is found.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Tells who is at the shell, for the books.
fn by() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .map(|name| {
            name.chars()
                .filter(char::is_ascii_graphic)
                .collect::<String>()
        })
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "shell".to_owned())
}

fn list(answer: &Value, name: &str) -> Vec<Value> {
    answer[name].as_array().cloned().unwrap_or_default()
}

fn refused(error: ServiceError) -> Stop {
    of_problem(Problem::from(error))
}

fn of_problem(problem: Problem) -> Stop {
    let message = match &problem.field {
        Some(field) => format!("{field}: {}", problem.error),
        None => problem.error,
    };
    Stop::failed(message, problem.remedy.unwrap_or_default())
}

/// Escapes a part of an address.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_odd_letters_is_one_part_of_an_address() {
        assert_eq!(escaped("brand/vand ø"), "brand%2Fvand%20%C3%B8");
        assert_eq!(escaped("job_centre-1"), "job_centre-1");
    }

    #[test]
    fn a_door_that_listens_everywhere_is_found_on_this_machine() {
        for (listen, reached) in [
            ("0.0.0.0:8061", "127.0.0.1:8061"),
            ("[::]:8061", "[::1]:8061"),
            ("10.0.0.5:8061", "10.0.0.5:8061"),
        ] {
            let listen: SocketAddr = listen.parse().unwrap();
            assert_eq!(reachable(listen).to_string(), reached);
        }
    }
}
