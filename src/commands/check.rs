//! `eddy config check FILE`: is the file right?

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::config::Config;
use crate::output;
use crate::server::{collections, connectors, encryption_keys};

/// Reads the file, resolves every reference and checks every connector, without starting anything.
pub(crate) fn run(file: &Path) -> Result<ExitCode> {
    let config = Config::load(file)?;
    config.kafka_resolved()?;
    config.http_token_resolved()?;
    let queries = config.settings.query.options(&config.folder)?;
    config.resolve(&config.lake_options)?;
    connectors(&config)?;
    encryption_keys(&config)?;
    collections(&config)?;
    config.settings.collector.options()?;
    for destination in config.destinations.values() {
        config.resolve(&destination.options)?;
    }
    output::line(format_args!(
        "{}: right; lake {}, {} connectors, {} destinations, {} MiB of memory for queries",
        file.display(),
        config.settings.lake.url,
        config.connectors.len(),
        config.destinations.len(),
        queries.memory_bytes >> 20
    ))?;
    Ok(ExitCode::SUCCESS)
}
