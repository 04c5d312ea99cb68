//! TLS in front of a server of the street, as a proxy has it: a certificate authority of its own,
//! which nobody trusts who is not told to, and a certificate by it for the loopback address.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::BlockOnElsewhere as _;

/// A door with TLS. It ends with this value.
pub struct Front {
    address: SocketAddr,
    behind: SocketAddr,
    authority: String,
    runtime: Option<Runtime>,
}

impl Front {
    /// Opens a door on a free port of the loopback address to a server behind it. Its certificate
    /// is for the name given, `127.0.0.1` where clients are to be content with it.
    pub fn open(behind: SocketAddr, name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate =
            CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let settings = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .context("the certificate does not fit its key")?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = runtime.block_on_elsewhere(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(settings));
        runtime.spawn(serve(listener, acceptor, behind));
        Ok(Self {
            address,
            behind,
            authority: authority.pem(),
            runtime: Some(runtime),
        })
    }

    /// Returns the certificate authority, in PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the address of the server behind, as clients reach it by this door.
    pub fn url(&self, behind: &str) -> String {
        behind
            .replacen("ws://", "wss://", 1)
            .replacen("http://", "https://", 1)
            .replacen(&self.behind.to_string(), &self.address.to_string(), 1)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            let ending = std::thread::spawn(|| runtime.shutdown_timeout(Duration::from_secs(2)));
            let _ = ending.join();
        }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, behind: SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that does not trust us leaves, which is what it should do.
            if let Ok(mut outside) = acceptor.accept(stream).await
                && let Ok(mut inside) = TcpStream::connect(behind).await
            {
                let _ = copy_bidirectional(&mut outside, &mut inside).await;
            }
        });
    }
}
