//! TLS before a server that has none: clients have to show a certificate.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::{block_on, python};

/// A listener on 127.0.0.1; it stays for as long as the tests run.
pub struct Tls {
    folder: TempDir,
    /// `host:port`
    pub address: String,
}

impl Tls {
    /// Before the server at `host:port`.
    pub fn before(server: &str) -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        python::run("certificates.py", &json!({"folder": folder.path()}));
        let acceptor = acceptor(folder.path());
        let server = server.to_owned();
        let address = block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("its address");
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let (acceptor, server) = (acceptor.clone(), server.clone());
                    tokio::spawn(async move {
                        // Who shows no certificate is sent away.
                        let mut client = acceptor.accept(client).await.ok()?;
                        let mut server = TcpStream::connect(server).await.ok()?;
                        copy_bidirectional(&mut client, &mut server).await.ok()
                    });
                }
            });
            address.to_string()
        });
        Self { folder, address }
    }

    /// The file of the authority, or of the client's certificate and key.
    pub fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let read = |name: &str| std::fs::read(folder.join(name)).expect("a certificate");
    let certificates = |pem: &[u8]| -> Vec<CertificateDer<'static>> {
        let found = CertificateDer::pem_slice_iter(pem);
        found.collect::<Result<_, _>>().expect("certificates")
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&read("ca.pem")));
    let provider = Arc::new(default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = verifier.build().expect("a verifier");
    let server = read("server.pem");
    let key = PrivateKeyDer::from_pem_slice(&server).expect("a key");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&server), key);
    TlsAcceptor::from(Arc::new(config.expect("a configuration")))
}
