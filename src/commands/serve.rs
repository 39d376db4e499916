//! `eddy serve`: the roles of one configuration file, until a signal asks for an orderly end.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::{Role, ServeArgs};
use crate::config::Config;
use crate::{server, shutdown};

/// Starts the roles, waits for the signal, commits and ends.
pub(crate) async fn run(args: ServeArgs) -> Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let roles = if args.roles.is_empty() {
        vec![Role::Worker, Role::Query, Role::Replay, Role::Collector]
    } else {
        args.roles
    };
    let service = server::start(&config, &roles, None).await?;
    shutdown::requested().await?;
    service.stop().await;
    Ok(ExitCode::SUCCESS)
}
