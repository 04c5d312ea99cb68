//! The HTTP client that all rooms share: TLS by rustls with ring, the machine's own certificate
//! authorities where it has some, no proxies, no redirects. Time limits of a whole exchange are
//! for those who ask.

use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// How long connecting may take.
pub const CONNECT: Duration = Duration::from_secs(2);

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(60);

/// Makes a client. One client keeps its connections, so make few and clone them.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    // Another library may have chosen one already, which does as well.
    let _ = ring::default_provider().install_default();
    builder().build().or_else(|error| {
        // A slim container may have no certificate authorities of its own.
        tracing::debug!("the machine's certificate authorities cannot be used: {error}");
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let tls = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        builder().tls_backend_preconfigured(tls).build()
    })
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("hotline/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
}

/// Tells in one line why a request failed, down to the first cause, without the address.
pub fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        let deeper_words = deeper.to_string();
        if !words.contains(&deeper_words) {
            words.push_str(": ");
            words.push_str(&deeper_words);
        }
        cause = deeper.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_can_be_made_and_tells_why_nothing_answers() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let asked = client().unwrap().get(format!("http://{address}/")).send();
        let why = reason(asked.await.unwrap_err());
        assert!(why.contains("refused"), "{why}");
    }
}
