//! Kafka Connect's REST API of this worker: its group, or its place for what should run, and its
//! converters.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use eddy_connector::connect::rest::{Loggers, RestOptions, router};
use eddy_connector::connect::{Group, Place};
use eddy_connector::{Connectors, KafkaConfig, Worker};

use crate::config::{Config, ConnectSettings};
use crate::{server, telemetry};

/// Starts the worker and makes its routes, to be served at `address`.
///
/// # Errors
/// Names the reference or the key of `[kafka]` that can't be used.
pub(super) fn start(
    config: &Config,
    connectors: &Arc<Connectors>,
    address: SocketAddr,
) -> Result<(Worker, Router)> {
    let settings = &config.settings.connect;
    let kafka = server::kafka(config)?;
    let advertised = match settings.advertised.as_str() {
        "" => address.to_string(),
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
    options.loopback = address.ip().is_loopback();
    options.loggers = Loggers::new(telemetry::set);
    Ok((worker.clone(), router(worker, kafka, options)))
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
