//! `eddy connect CONFIG.properties`: a worker from Connect's own worker file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use eddy_connector::connect::WorkerFile;

use crate::cli::{ConnectArgs, Role};
use crate::config::Config;
use crate::{server, shutdown};

/// Starts the worker, waits for a signal, commits and ends.
pub(crate) async fn run(args: ConnectArgs) -> Result<ExitCode> {
    let file = &args.file;
    let what = || format!("the worker file `{}`", file.display());
    let text = std::fs::read_to_string(file).with_context(what)?;
    let java_options = std::env::var("KAFKA_OPTS").unwrap_or_default();
    let worker = WorkerFile::parse(&text, &java_options).with_context(what)?;
    let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
    let roles = [Role::Worker, Role::Query, Role::Replay];
    let service = server::start(&configuration(worker, folder), &roles, None).await?;
    shutdown::requested().await?;
    service.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The configuration that says the same.
fn configuration(worker: WorkerFile, folder: PathBuf) -> Config {
    let mut config = Config::new(worker.lake_url, folder);
    config.lake_options = worker.lake_options;
    config.kafka = worker.kafka;
    config.providers = worker.providers;
    config.connect_tls = worker.tls;
    config.admin_tls = worker.admin_tls;
    let settings = &mut config.settings;
    if let Some(listen) = worker.http_listen {
        settings.http.listen = listen;
    }
    // Connect's worker opens no port that its file doesn't name.
    settings.flight.listen = worker.flight_listen.unwrap_or_default();
    // A worker's file says nothing of it, and several workers may run on one machine.
    settings.postgres.listen = String::new();
    if let Some(state) = worker.state {
        settings.worker.state = PathBuf::from(state);
    }
    let connect = &mut settings.connect;
    connect.listen = worker.listen;
    connect.admin_listen = worker.admin_listen;
    connect.users_file = worker.users_file;
    connect.allow_origin = worker.allow_origin;
    connect.allow_methods = worker.allow_methods;
    // As Connect's own worker: whoever writes such a file means to be reached.
    connect.allow_remote_without_token = true;
    connect.advertised = worker.advertised;
    connect.group_id = worker.group;
    connect.state_topic = worker.state_topic;
    connect.status_topic = worker.status_topic;
    connect.state_replication = worker.state_replication;
    connect.key_converter = worker.key_converter;
    connect.value_converter = worker.value_converter;
    config
}
