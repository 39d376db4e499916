//! The connection under AMQP: to an address that may be reached, over TLS where asked for, and one
//! that can be cut.
//!
//! The client would connect by itself, to wherever a name leads, and with a TLS of its own. So it
//! is given a connection that is made already, as the stream of a runtime whose other parts are
//! Tokio's.

use std::future::{Future, ready};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use futures::future::BoxFuture;
use futures::stream::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;

use super::super::reach::Reach;
use super::address::Address;
use super::settings::Settings;
use crate::error::{Error, Result};

/// The runtime that the client is given.
pub(super) type Kit = RuntimeParts<Tokio, Wired>;

/// The runtime on the current one.
pub(super) fn kit() -> Kit {
    RuntimeParts::new(Tokio::current(), Wired(Tokio::current()))
}

/// What both kinds of connection are.
trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

/// A connection that ends at once when its token is cancelled, and cancels it when it ends.
pub(super) struct Wire {
    socket: Box<dyn Socket>,
    cut: CancellationToken,
    is_cut: BoxFuture<'static, ()>,
}

/// TLS as the options have it; `None`: it is spoken to without.
///
/// # Errors
/// `Invalid` for certificates and keys that are none.
pub(super) fn tls(settings: &Settings) -> Result<Option<TlsConnector>> {
    if !settings.address.tls {
        return Ok(None);
    }
    let unfit = |key: &str, what: &str| Error::invalid(format!("`{key}` is not {what} in PEM"));
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(trusted) = &settings.trusted {
        let added = certificates(trusted).filter(|added| !added.is_empty());
        for certificate in added.ok_or_else(|| unfit("tls.ca", "certificates"))? {
            let added = roots.add(certificate);
            added.map_err(|_| unfit("tls.ca", "certificates"))?;
        }
    }
    let begun = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("no TLS").with_source(error))?
        .with_root_certificates(roots);
    let config = match &settings.identity {
        None => begun.with_no_client_auth(),
        Some(identity) => {
            let unfit = || unfit("tls.identity", "a certificate and its key");
            let chain = certificates(identity).ok_or_else(unfit)?;
            let key = PrivateKeyDer::from_pem_slice(identity.as_bytes());
            let key = key.map_err(|_| unfit())?;
            let identified = begun.with_client_auth_cert(chain, key);
            identified.map_err(|_| unfit())?
        }
    };
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes());
    found.collect::<Result<_, _>>().ok()
}

impl Wire {
    /// Connects; `cut` ends the connection.
    ///
    /// # Errors
    /// `Invalid` when the address may not be reached, else `Unavailable`.
    pub(super) async fn connect(
        address: &Address,
        reach: &Reach,
        tls: Option<&TlsConnector>,
        cut: CancellationToken,
    ) -> Result<Self> {
        let places = reach.resolve_host(&address.host, address.port).await?;
        let away = |error: io::Error| {
            let at = format!("no connection to {}:{}", address.host, address.port);
            Error::unavailable(at).with_source(error)
        };
        // Of several addresses the first that answers.
        let tcp = TcpStream::connect(&*places).await.map_err(away)?;
        tcp.set_nodelay(true).map_err(away)?;
        let socket: Box<dyn Socket> = match tls {
            None => Box::new(tcp),
            Some(tls) => {
                let host = address.host.trim_matches(['[', ']']).to_owned();
                let name = ServerName::try_from(host)
                    .map_err(|_| Error::invalid("`url` has a host that no certificate can have"))?;
                Box::new(tls.connect(name, tcp).await.map_err(away)?)
            }
        };
        let token = cut.clone();
        let is_cut = Box::pin(async move { token.cancelled().await });
        Ok(Self {
            socket,
            cut,
            is_cut,
        })
    }

    fn cut(&self) -> io::Result<()> {
        if self.cut.is_cancelled() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl futures::io::AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.cut()?;
        let mut read = ReadBuf::new(into);
        let polled = Pin::new(&mut self.socket).poll_read(context, &mut read);
        let ended = match &polled {
            Poll::Pending => self.is_cut.as_mut().poll(context).is_ready(),
            Poll::Ready(Ok(())) => read.filled().is_empty() && read.capacity() > 0,
            Poll::Ready(Err(_)) => true,
        };
        if ended {
            // Whoever waits for an answer knows by it that none comes.
            self.cut.cancel();
        }
        if ended && polled.is_pending() {
            self.cut()?;
        }
        polled.map_ok(|()| read.filled().len())
    }
}

impl futures::io::AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cut()?;
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut()?;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut()?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// Tokio, with connections that are [`Wire`]s and that it makes none of.
#[derive(Debug, Clone)]
pub(super) struct Wired(Tokio);

impl Reactor for Wired {
    type TcpStream = Wire;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl futures::io::AsyncRead + futures::io::AsyncWrite + Send + Unpin + 'static>
    {
        self.0.register(socket)
    }

    fn sleep(&self, wait: Duration) -> Self::Sleep {
        self.0.sleep(wait)
    }

    fn interval(&self, each: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(each)
    }

    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Wire>> + Send + 'static {
        ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
