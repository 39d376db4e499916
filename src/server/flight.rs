//! The listener of Arrow Flight, and where a worker says in the lake that it is reached.

use std::time::Duration;

use anyhow::{Result, bail};
use eddy_engine::Lake;
use eddy_engine::state::workers::{Announcement, SAID_EVERY, announce, withdraw};
use eddy_query::Query;
use eddy_query::flight::Served;
use eddy_query::http::Token;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::http::Listener;
use crate::cli::Role;
use crate::config::{Config, FlightSettings};

/// How long taking back what was said may take: what stays makes answers say that we are away.
const WITHDRAW_MAX: Duration = Duration::from_secs(3);

/// A bound listener, which is not served yet.
pub(crate) struct Door {
    listener: Listener,
    /// Where others reach it, if that is known.
    advertised: Option<String>,
}

/// Says all the while where a worker is reached, until it is withdrawn.
pub(crate) struct Announced {
    lake: Lake,
    said: Announcement,
    task: JoinHandle<()>,
}

impl Door {
    /// Binds the configured address, or nothing when it is empty.
    ///
    /// # Errors
    /// As [`Listener::bind_to`].
    pub(crate) async fn bind(settings: &FlightSettings, has_token: bool) -> Result<Option<Self>> {
        if settings.listen.is_empty() {
            return Ok(None);
        }
        let open = has_token || settings.allow_remote_without_token;
        let listener = Listener::bind_to("flight.listen", &settings.listen, open).await?;
        let address = listener.address();
        let advertised = match settings.advertised.as_str() {
            "" if address.ip().is_unspecified() => None,
            "" => Some(address.to_string()),
            given => Some(given.to_owned()),
        };
        Ok(Some(Self {
            listener,
            advertised,
        }))
    }

    /// Says in the lake where this worker's live rows are asked for.
    ///
    /// # Errors
    /// When nobody could tell: it listens everywhere and doesn't say under which name.
    pub(crate) async fn announce(
        &self,
        config: &Config,
        lake: &Lake,
        query: &Query,
    ) -> Result<Announced> {
        let Some(address) = &self.advertised else {
            bail!(
                "`flight.listen` is every address of this machine; set `flight.advertised` to the \
                 `host:port` under which other processes reach this worker"
            )
        };
        let worker = super::worker_id(config, lake)?;
        Ok(Announced::start(lake, worker, query, address.clone()).await)
    }

    /// Serves live rows, and statements if this process answers queries, until `stop` turns true.
    pub(crate) fn serve(
        self,
        query: &Query,
        token: &Option<Token>,
        roles: &[Role],
        stop: &watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let (query, mut stop) = (query.clone(), stop.clone());
        let served = Served {
            token: token.clone(),
            statements: roles.contains(&Role::Query),
        };
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::spawn(async move {
            let socket = self.listener.into_socket();
            if let Err(error) = query.serve_flight(socket, served, stopped).await {
                tracing::error!(%error, "the Flight listener ended");
            }
        })
    }
}

impl Announced {
    /// Says once where this worker is reached, and from then on again and again. A lake that
    /// doesn't take it now does later: nothing but freshness depends on it.
    async fn start(lake: &Lake, worker: String, query: &Query, address: String) -> Self {
        let said = Announcement {
            worker,
            process: query.process(),
            address,
            said_at_ms: 0,
        };
        say(lake, &said).await;
        let (lake, again) = (lake.clone(), said.clone());
        let task = tokio::spawn({
            let lake = lake.clone();
            async move {
                loop {
                    lake.clock().sleep(SAID_EVERY).await;
                    say(&lake, &again).await;
                }
            }
        });
        Self { lake, said, task }
    }

    /// Takes it back: all is committed, or somebody else's to read.
    pub(crate) async fn withdraw(self) {
        self.task.abort();
        // What is being said at this moment may land behind what takes it back.
        let _ = self.task.await;
        let taken = withdraw(&self.lake, &self.said.worker, &self.said.process);
        tokio::select! {
            taken = taken => if let Err(error) = taken {
                tracing::warn!(%error, "others will find this worker away");
            },
            () = self.lake.clock().sleep(WITHDRAW_MAX) => {
                tracing::warn!("others will find this worker away: the lake does not answer");
            }
        }
    }
}

async fn say(lake: &Lake, said: &Announcement) {
    if let Err(error) = announce(lake, said.clone()).await {
        tracing::warn!(%error, "the lake doesn't tell where this worker is reached");
    }
}
