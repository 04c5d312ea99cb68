//! What can be set about the HTTP door.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `http` section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen. It speaks plain HTTP: beyond this machine, put a proxy with TLS before it.
    pub listen: SocketAddr,
    /// The file that holds the token for `/api`; made when missing. `token` in the state folder
    /// when left out.
    pub token_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8061).into(),
            token_file: None,
        }
    }
}
