//! Kafka Connect's REST API of this worker: where it is served, its group, or its place for what
//! should run, its converters, and who may ask.

use std::sync::Arc;

use anyhow::{Context, Result};
use eddy_connector::connect::rest::{Door, Loggers, Origins, Part, Rest, RestOptions, Users};
use eddy_connector::connect::{Group, ListenAddress, Place};
use eddy_connector::{Connectors, KafkaConfig, Worker};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::http::Listener;
use super::tls;
use crate::config::{Config, ConnectSettings};
use crate::{server, telemetry};

/// The bound listeners, with the part of the API that each serves.
pub(super) struct Doors(Vec<(Part, Listener)>);

impl Doors {
    /// Binds what `settings`, those of a worker, say.
    ///
    /// # Errors
    /// When an address is none, is taken, or is open to others without a password or the setting
    /// for that; names the store of `https` that can't be used.
    pub(super) async fn bind(config: &Config, settings: &ConnectSettings) -> Result<Self> {
        let apart = settings.admin_listen.as_deref();
        let part = match apart {
            Some(_) => Part::ButAdmin,
            None => Part::Everything,
        };
        let lists = [
            (
                "connect.listen",
                settings.listen.as_str(),
                part,
                &config.connect_tls,
            ),
            (
                "connect.admin_listen",
                apart.unwrap_or_default(),
                Part::Admin,
                &config.admin_tls,
            ),
        ];
        let mut doors = Vec::new();
        for (key, list, part, tls) in lists {
            for address in ListenAddress::parse(key, list)? {
                let acceptor = match address.tls {
                    true => {
                        Some(tls::acceptor(tls, "http/1.1").with_context(|| format!("`{key}`"))?)
                    }
                    false => None,
                };
                let open = settings.allow_remote_without_token || settings.users_file.is_some();
                let listener = Listener::bind_to(key, &address.host_port, open).await?;
                doors.push((part, listener.with_tls(acceptor)));
            }
        }
        // Without the API nobody needs what is beside it.
        let served = doors.iter().any(|(part, _)| *part != Part::Admin);
        Ok(Self(if served { doors } else { Vec::new() }))
    }

    /// Whether the API is served at all.
    pub(super) fn is_open(&self) -> bool {
        !self.0.is_empty()
    }

    /// Serves the API until `stop` turns true.
    pub(super) fn serve(self, rest: &Rest, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        let doors = self.0.into_iter();
        doors
            .map(|(part, listener)| {
                let door = Door {
                    part,
                    loopback: listener.address().ip().is_loopback(),
                    tls: listener.has_tls(),
                };
                listener.serve(rest.router(door), stop.clone())
            })
            .collect()
    }
}

/// Starts the worker, to be served by `doors`.
///
/// # Errors
/// Names the reference or the key of `[kafka]` that can't be used, and the file of users.
pub(super) fn start(
    config: &Config,
    connectors: &Arc<Connectors>,
    doors: &Doors,
) -> Result<(Worker, Rest)> {
    let settings = &config.settings.connect;
    let kafka = server::kafka(config)?;
    let advertised = match settings.advertised.as_str() {
        "" => doors
            .0
            .first()
            .map_or_else(String::new, |(_, door)| door.address().to_string()),
        advertised => advertised.to_owned(),
    };
    let place = match &settings.state_file {
        Some(file) => Place::File(config.folder.join(file)),
        None => Place::Group(Box::new(group(settings, &kafka, &advertised))),
    };
    let worker = Worker::start(connectors, place, config.connectors.clone(), &advertised)?;
    let mut options = RestOptions::new(advertised, settings.group_id.clone());
    let converters = [
        (&mut options.key_converter, &settings.key_converter),
        (&mut options.value_converter, &settings.value_converter),
    ];
    for (converter, configured) in converters {
        if !configured.is_empty() {
            converter.clone_from(configured);
        }
    }
    options.users = users(config)?;
    options.origins = Origins::parse(&settings.allow_origin, &settings.allow_methods)?;
    options.loggers = Loggers::new(telemetry::set);
    Ok((worker.clone(), Rest::new(worker, kafka, options)))
}

/// Who may ask, if a file says so.
fn users(config: &Config) -> Result<Option<Users>> {
    let Some(file) = &config.settings.connect.users_file else {
        return Ok(None);
    };
    let path = config.folder.join(file);
    let what = || format!("the file of users `{}`", path.display());
    let text = std::fs::read_to_string(&path).with_context(what)?;
    Users::parse(&text).map(Some).with_context(what)
}

/// The group of workers that this one belongs to.
fn group(settings: &ConnectSettings, kafka: &KafkaConfig, advertised: &str) -> Group {
    let topic = |named: &str, what: &str| match named {
        "" => format!("{}-{what}", settings.group_id),
        topic => topic.to_owned(),
    };
    Group {
        kafka: kafka.clone(),
        name: settings.group_id.clone(),
        worker: advertised.to_owned(),
        configs: topic(&settings.state_topic, "configs"),
        status: topic(&settings.status_topic, "status"),
        work: topic("", "work"),
        replication: settings.state_replication,
    }
}
