//! `eddy config check FILE`: is the file right?

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::config::{Config, resolve};
use crate::output;

/// Reads the file and resolves every reference, without starting anything.
pub(crate) fn run(file: &Path) -> Result<ExitCode> {
    let config = Config::load(file)?;
    config.kafka_resolved()?;
    resolve(&config.lake_options)?;
    for destination in config.destinations.values() {
        resolve(&destination.options)?;
    }
    output::line(format_args!(
        "{}: right; lake {}, {} connectors, {} destinations",
        file.display(),
        config.settings.lake.url,
        config.connectors.len(),
        config.destinations.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}
