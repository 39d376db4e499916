//! One connection: who is it, then one message after the other.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use pgwire::error::PgWireError;
use pgwire::messages::response::{
    CommandComplete, GssEncResponse, ReadyForQuery, SslResponse, TransactionStatus,
};
use pgwire::messages::startup::{
    Authentication, NegotiateProtocolVersion, ParameterStatus, Startup,
};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage, SslNegotiationMetaMessage};
use tokio::net::TcpStream;
use tokio_util::codec::Framed;

use super::Front;
use super::cancel::{Cancelled, Registered};
use super::codec::Codec;
use super::error::{Severity, response};
use super::prepared::Prepared;
use super::session::{SERVER_VERSION, Settings};
use super::socket::Socket;
use super::starting::Place;
use crate::error::{Error, ErrorKind, Result};

/// What a connection's own failures are; a statement's are told and are none.
pub(super) type Wire<T> = std::result::Result<T, PgWireError>;

/// What ends the handling of a message: with the connection, or with a statement whose error is
/// told.
pub(super) enum Failed {
    Connection(PgWireError),
    Statement(Error),
}

/// What the handling of a message comes to.
pub(super) type Step<T> = std::result::Result<T, Failed>;

impl From<PgWireError> for Failed {
    fn from(error: PgWireError) -> Self {
        Self::Connection(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Statement(error)
    }
}

/// How long a client may take to say who it is.
const STARTUP: Duration = Duration::from_secs(30);

/// An open connection whose client may ask.
pub(super) struct Connection {
    pub(super) front: Arc<Front>,
    pub(super) registered: Registered,
    pub(super) settings: Settings,
    pub(super) prepared: Prepared,
    pub(super) status: TransactionStatus,
    socket: Socket,
    wire: Framed<Socket, Codec>,
    /// After an error everything up to the next `Sync` is passed over.
    skipping: bool,
}

/// Serves a client until it goes, or loses its `place` before it has said who it is.
pub(super) async fn serve(front: Arc<Front>, stream: TcpStream, mut place: Place) -> Wire<()> {
    stream.set_nodelay(true)?;
    let socket = Socket::new(stream);
    let mut wire = Framed::new(socket.clone(), Codec::new());
    let clock = front.query.0.clock.clone();
    let startup = tokio::select! {
        startup = who(&front, &mut wire) => startup?,
        () = clock.sleep(STARTUP) => return Ok(()),
        () = place.lost() => return Ok(()),
    };
    drop(place);
    let Some(startup) = startup else {
        return Ok(());
    };
    let Ok(_place) = Arc::clone(&front.places).try_acquire_owned() else {
        let error = Error::new(ErrorKind::Busy, "there are too many connections already");
        return wire.send(response(&error, Severity::Fatal, "", 0)).await;
    };
    let registered = front.cancels.register(clock.new_id());
    let mut connection = Connection {
        front,
        registered,
        settings: Settings::default(),
        prepared: Prepared::default(),
        status: TransactionStatus::Idle,
        socket,
        wire,
        skipping: false,
    };
    connection.greet(&startup).await?;
    connection.run().await
}

/// Reads who a client is, and its password where there is one. `None` for a client that goes, or
/// that only wanted something cancelled.
async fn who(front: &Front, wire: &mut Framed<Socket, Codec>) -> Wire<Option<Startup>> {
    let startup = loop {
        match wire.next().await.transpose()? {
            Some(PgWireFrontendMessage::SslNegotiation(asked)) => match asked {
                SslNegotiationMetaMessage::PostgresSsl(_) => {
                    wire.send(PgWireBackendMessage::SslResponse(SslResponse::Refuse))
                        .await?;
                }
                SslNegotiationMetaMessage::PostgresGss(_) => {
                    wire.send(PgWireBackendMessage::GssEncResponse(GssEncResponse::Refuse))
                        .await?;
                }
                SslNegotiationMetaMessage::None => wire.codec_mut().expect_startup(),
            },
            Some(PgWireFrontendMessage::CancelRequest(request)) => {
                front.cancels.cancel(&request);
                return Ok(None);
            }
            Some(PgWireFrontendMessage::Startup(startup)) => break startup,
            _ => return Ok(None),
        }
    };
    wire.codec_mut().started();
    let fatal = |error: Error| response(&error, Severity::Fatal, "", 0);
    if startup.protocol_number_major != 3 {
        let error = Error::not_supported("not supported: any protocol but version 3");
        wire.send(fatal(error)).await?;
        return Ok(None);
    }
    let unknown: Vec<String> = startup
        .parameters
        .keys()
        .filter(|name| name.starts_with("_pq_."))
        .cloned()
        .collect();
    if startup.protocol_number_minor > 0 || !unknown.is_empty() {
        let newest = NegotiateProtocolVersion::new(3 << 16, unknown);
        wire.feed(PgWireBackendMessage::NegotiateProtocolVersion(newest))
            .await?;
    }
    let Some(token) = &front.token else {
        return Ok(Some(startup));
    };
    let ask = PgWireBackendMessage::Authentication(Authentication::CleartextPassword);
    wire.send(ask).await?;
    let Some(PgWireFrontendMessage::PasswordMessageFamily(given)) =
        wire.next().await.transpose()?
    else {
        return Ok(None);
    };
    if token.is(given.into_password()?.password.as_bytes()) {
        return Ok(Some(startup));
    }
    let error = Error::new(ErrorKind::Unauthorized, "the password is not the token");
    wire.send(fatal(error)).await?;
    Ok(None)
}

impl Connection {
    /// Tells a client that it is in.
    async fn greet(&mut self, startup: &Startup) -> Wire<()> {
        let given = |name: &str| startup.parameters.get(name).map_or("", String::as_str);
        if !given("application_name").is_empty() {
            let name = given("application_name").to_owned();
            // A name that is too long isn't kept.
            let _ = self.settings.set("application_name", Some(&name));
        }
        self.feed(PgWireBackendMessage::Authentication(Authentication::Ok))
            .await?;
        let told = [
            ("server_version", SERVER_VERSION),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("application_name", given("application_name")),
            ("is_superuser", "off"),
            ("session_authorization", given("user")),
            ("DateStyle", "ISO, MDY"),
            ("IntervalStyle", "postgres"),
            ("TimeZone", "UTC"),
            ("integer_datetimes", "on"),
            ("standard_conforming_strings", "on"),
        ];
        for (name, value) in told {
            let status = ParameterStatus::new(name.to_owned(), value.to_owned());
            self.feed(PgWireBackendMessage::ParameterStatus(status))
                .await?;
        }
        let key = self.registered.key();
        self.feed(PgWireBackendMessage::BackendKeyData(key)).await?;
        self.ready().await
    }

    async fn run(&mut self) -> Wire<()> {
        loop {
            let message = match self.wire.next().await {
                None => return Ok(()),
                Some(Ok(message)) => message,
                Some(Err(error @ PgWireError::IoError(_))) => return Err(error),
                // What comes behind it can't be told from it.
                Some(Err(error)) => {
                    let told = Error::invalid(format!("the message is not understood: {error}"));
                    return self
                        .wire
                        .send(response(&told, Severity::Fatal, "", 0))
                        .await;
                }
            };
            match message {
                PgWireFrontendMessage::Terminate(_) => return Ok(()),
                PgWireFrontendMessage::Sync(_) => {
                    self.skipping = false;
                    if self.status == TransactionStatus::Idle {
                        self.prepared.close_portals();
                    }
                    self.ready().await?;
                }
                PgWireFrontendMessage::Query(query) => {
                    self.skipping = false;
                    Box::pin(self.simple(&query.query)).await?;
                }
                _ if self.skipping => {}
                PgWireFrontendMessage::Flush(_) => self.wire.flush().await?,
                other => match Box::pin(self.extended(other)).await {
                    Ok(()) => {}
                    Err(Failed::Connection(error)) => return Err(error),
                    Err(Failed::Statement(error)) => {
                        self.tell(&error, "", 0).await?;
                        self.skipping = true;
                    }
                },
            }
        }
    }

    /// Sends a message with the next ones.
    pub(super) async fn feed(&mut self, message: PgWireBackendMessage) -> Wire<()> {
        self.wire.feed(message).await
    }

    /// Sends what waits.
    pub(super) async fn flush(&mut self) -> Wire<()> {
        self.wire.flush().await
    }

    /// Tells that the client may ask.
    pub(super) async fn ready(&mut self) -> Wire<()> {
        let ready = ReadyForQuery::new(self.status);
        self.wire
            .send(PgWireBackendMessage::ReadyForQuery(ready))
            .await
    }

    /// Tells that a statement is done.
    pub(super) async fn complete(&mut self, tag: String) -> Wire<()> {
        let complete = CommandComplete::new(tag);
        self.feed(PgWireBackendMessage::CommandComplete(complete))
            .await
    }

    /// Tells the error of a statement that begins at byte `from` of `text`. A transaction has
    /// failed with it, which drivers look at: they roll back before they go on.
    pub(super) async fn tell(&mut self, error: &Error, text: &str, from: usize) -> Wire<()> {
        if self.status == TransactionStatus::Transaction {
            self.status = TransactionStatus::Error;
        }
        self.feed(response(error, Severity::Error, text, from))
            .await
    }

    /// Waits for some work, unless it is cancelled or its client goes.
    pub(super) async fn unless_cancelled<T>(
        &self,
        cancelled: &mut Cancelled,
        work: impl Future<Output = Result<T>>,
    ) -> Wire<Result<T>> {
        tokio::select! {
            biased;
            () = cancelled.wait() => {
                let text = "the query was cancelled at its client's request";
                Ok(Err(Error::new(ErrorKind::Cancelled, text)))
            }
            done = work => Ok(done),
            () = self.socket.gone(&self.front.query.0.clock) => {
                Err(io::Error::from(io::ErrorKind::ConnectionAborted).into())
            }
        }
    }
}
