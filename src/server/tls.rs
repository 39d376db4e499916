//! TLS of a listener: its certificate, what it asks of clients, and handshakes beside each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use eddy_connector::connect::{ClientAuth, ServerTls};
use eddy_engine::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::http::at_once;

/// The longest that a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes that go on at once; whoever comes then waits to be accepted.
const HANDSHAKES: usize = 256;

/// Makes the acceptor of what Java's keys `ssl.*` say, for `http/1.1` or `h2`. Blocks.
///
/// # Errors
/// Names what is missing in which store.
pub(super) fn acceptor(tls: &ServerTls, protocol: &str) -> Result<TlsAcceptor> {
    let identity = tls.identity.as_ref().context(
        "a listener with TLS needs a certificate and its key; `ssl.keystore.location` names the \
         file",
    )?;
    let pem = identity.identity()?;
    let chain = certificates(&pem).with_context(|| format!("the certificate in {identity:?}"))?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).with_context(|| {
        format!(
            "the key in {identity:?}; one that is encrypted can't be used (`openssl pkey` \
             decrypts it)"
        )
    })?;
    let provider = Arc::new(default_provider());
    let begun = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let asked = match tls.client_auth {
        ClientAuth::None => begun.with_no_client_auth(),
        auth => {
            let trusted = tls.trusted.as_ref().context(
                "`ssl.client.auth` needs to know whom to trust; `ssl.truststore.location` names \
                 the file",
            )?;
            let mut roots = RootCertStore::empty();
            let pem = trusted.trusted()?;
            for certificate in certificates(&pem).with_context(|| format!("{trusted:?}"))? {
                roots.add(certificate)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match auth {
                ClientAuth::Requested => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            begun.with_client_cert_verifier(verifier.build()?)
        }
    };
    let mut config = asked
        .with_single_cert(chain, key)
        .with_context(|| format!("certificate and key in {identity:?}"))?;
    config.alpn_protocols = vec![protocol.into()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(!found.is_empty(), "there is none in PEM");
    Ok(found)
}

/// The next connection, whatever goes wrong with others.
async fn next(socket: &mut TcpListener) -> (TcpStream, SocketAddr) {
    axum::serve::Listener::accept(socket).await
}

/// Accepts connections and shakes hands with each, none waiting for another.
pub(super) struct TlsListener {
    socket: TcpListener,
    tls: TlsAcceptor,
    clock: Clock,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    /// A listener on `socket`.
    pub(super) fn new(socket: TcpListener, tls: TlsAcceptor) -> Self {
        Self {
            socket,
            tls,
            clock: Clock::system(),
            handshakes: JoinSet::new(),
        }
    }

    fn shake_hands(&mut self, mut stream: TcpStream, address: SocketAddr) {
        at_once(&mut stream);
        let (accepted, clock) = (self.tls.accept(stream), self.clock.clone());
        self.handshakes.spawn(async move {
            let shaken = tokio::select! {
                shaken = accepted => shaken,
                () = clock.sleep(HANDSHAKE) => Err(io::ErrorKind::TimedOut.into()),
            };
            match shaken {
                Ok(stream) => Some((stream, address)),
                Err(error) => {
                    // Whoever scans ports makes these.
                    tracing::debug!(%address, %error, "a TLS handshake failed");
                    None
                }
            }
        });
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let has_room = self.handshakes.len() < HANDSHAKES;
            tokio::select! {
                Some(shaken) = self.handshakes.join_next() => {
                    if let Ok(Some(shaken)) = shaken {
                        return shaken;
                    }
                }
                (stream, address) = next(&mut self.socket), if has_room => {
                    self.shake_hands(stream, address);
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.socket.local_addr()
    }
}
