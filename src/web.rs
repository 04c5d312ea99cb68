//! The HTTP client that all rooms share: TLS by rustls with ring, the machine's own certificate
//! authorities where it has some, no proxies, no redirects. Time limits of a whole exchange are
//! for those who ask.

use std::path::Path;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::ConfigVerifierExt;

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

/// Makes a client with TLS of its own ([`tls`]) and whatever else the caller wants of it.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client_with(
    tls: Option<ClientConfig>,
    want: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, reqwest::Error> {
    let roots = || {
        ClientConfig::builder()
            .with_root_certificates(webpki())
            .with_no_client_auth()
    };
    let _ = ring::default_provider().install_default();
    want(builder())
        .tls_backend_preconfigured(tls.unwrap_or_else(roots))
        .build()
}

/// Makes the settings of TLS: with the certificate authorities of a file (PEM) alone, else those of
/// the machine, else those that Hotline carries along. It blocks.
///
/// # Errors
/// In words, when the file cannot be read or holds no certificate.
pub fn tls(authorities: Option<&Path>) -> Result<ClientConfig, String> {
    let _ = ring::default_provider().install_default();
    let Some(path) = authorities else {
        return Ok(
            ClientConfig::with_platform_verifier().unwrap_or_else(|error| {
                tracing::debug!("the machine's certificate authorities cannot be used: {error}");
                ClientConfig::builder()
                    .with_root_certificates(webpki())
                    .with_no_client_auth()
            }),
        );
    };
    let unfit = |reason: String| format!("{}: {reason}", path.display());
    let pem = std::fs::read(path).map_err(|error| unfit(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unfit(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unfit(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unfit("it holds no certificate in PEM".to_owned()));
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn webpki() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
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
