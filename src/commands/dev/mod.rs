//! `eddy dev`: everything in one process, for trying things.
//!
//! The broker is librdkafka's in-process one: it is new at each start and keeps 5 MiB per
//! partition, so `load` and the samples hold back until the sink has caught up. The collector
//! doesn't: it is for a few events that somebody tries. The lake stays.

mod guide;
mod samples;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use eddy_connector::EmbeddedBroker;

use crate::cli::{DevArgs, Role};
use crate::config::Config;
use crate::{server, shutdown};

/// Kafka partitions of each topic of the embedded broker.
const PARTITIONS: i32 = 4;
/// The topic of the collection `dev`.
const EVENTS: &str = "events";
/// The token of that collection, the same at each start, so that what sends to it goes on. It keeps
/// nobody out: whoever reaches this process may do anything with it.
const TOKEN: &str = "for-trying-things-only";

/// Starts broker and service, loads the samples into a new lake, prints what to try, and serves
/// until a signal.
pub(crate) async fn run(args: DevArgs) -> Result<ExitCode> {
    std::fs::create_dir_all(&args.data)
        .with_context(|| format!("the folder `{}` can't be made", args.data.display()))?;
    let data = std::fs::canonicalize(&args.data)?;
    let broker = Arc::new(EmbeddedBroker::start()?);
    let text = configuration(&data, broker.bootstrap_servers(), &args)?;
    let config = Config::parse(&text, data.clone())?;
    // All at once and before the sink asks, so that it joins its group once. The replay that the
    // guide proposes goes to `sandbox`.
    for topic in samples::topics().chain(["sandbox", EVENTS]) {
        broker.create_topic(topic, PARTITIONS)?;
    }
    let roles = [Role::Worker, Role::Query, Role::Replay, Role::Collector];
    let service = server::start(&config, &roles, Some(Arc::clone(&broker))).await?;
    // Only now: where another `eddy dev` has the port, the file that it wrote must stay.
    let file = data.join("eddy.toml");
    std::fs::write(&file, text).with_context(|| format!("`{}`", file.display()))?;
    if !args.empty {
        samples::load_missing(&service, &broker).await?;
    }
    guide::print(&service, &data, &file, &args)?;
    shutdown::requested().await?;
    service.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The configuration, which `eddy load` and `eddy verify` find by default.
fn configuration(data: &Path, bootstrap: &str, args: &DevArgs) -> Result<String> {
    let lake = url::Url::from_directory_path(data.join("lake"))
        .map_err(|()| anyhow::anyhow!("`{}` is no absolute folder", data.display()))?;
    let (listen, connect) = (&args.listen, &args.connect_listen);
    let flight = &args.flight_listen;
    let postgres = &args.postgres_listen;
    let (collector, grpc) = (&args.collector_listen, &args.collector_grpc_listen);
    Ok(format!(
        "# Written anew by each `eddy dev`: its broker gets another port each time.\n\
         [lake]\nurl = \"{}\"\n\n\
         [http]\nlisten = \"{listen}\"\n\n\
         [connect]\nlisten = \"{connect}\"\nstate_file = \"eddy-state/connectors\"\n\n\
         [flight]\nlisten = \"{flight}\"\n\n\
         [postgres]\nlisten = \"{postgres}\"\n\n\
         [collector]\nhttp_listen = \"{collector}\"\ngrpc_listen = \"{grpc}\"\n\
         # One request alone must not push out of a partition what nobody has read yet.\n\
         body_max = \"4MiB\"\n\n\
         [collections.dev]\ntopic = \"{EVENTS}\"\ntoken = \"{TOKEN}\"\n\n\
         [kafka]\n\"bootstrap.servers\" = \"{bootstrap}\"\n\
         # The embedded broker knows no static members, and takes all but a second of the session\n\
         # timeout to take a new topic into a group.\n\
         \"group.instance.id\" = \"\"\n\"session.timeout.ms\" = \"4000\"\n\
         \"heartbeat.interval.ms\" = \"1000\"\n\n\
         [connectors.dev]\n\"topics.regex\" = \"[^_].*\"\n\"tasks.max\" = \"1\"\n\
         # A replay reads committed rows; whoever tries things won't wait ten seconds for them.\n\
         \"flush.interval.ms\" = \"1000\"\n\
         # The audit logs of 91 kinds are one table, whose objects have 1,165 keys.\n\
         \"limits.keys\" = \"2000\"\n\"limits.leaves\" = \"10000\"\n\
         \"topic.recreated\" = \"new\"\n\n\
         [destinations.sandbox]\ntype = \"kafka\"\n\
         [destinations.sandbox.options]\n\"bootstrap.servers\" = \"{bootstrap}\"\n\
         topic = \"sandbox\"\n",
        lake.as_str().trim_end_matches('/'),
    ))
}
