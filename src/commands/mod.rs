//! One file per subcommand; this one starts the runtime and picks.

mod check;
mod collection;
mod connect;
mod dev;
mod inspect;
mod load;
mod replay;
mod serve;
mod sql;
mod tail;
mod verify;

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cli::{Command, ConfigCommand};

/// Runs one subcommand to its end.
///
/// # Errors
/// What the subcommand could not do, told for a person.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("eddy")
        .build()
        .context("the async runtime can't start")?;
    runtime.block_on(async {
        match command {
            Command::Dev(args) => dev::run(args).await,
            Command::Serve(args) => serve::run(args).await,
            Command::Connect(args) => connect::run(args).await,
            Command::Load(args) => load::run(args).await,
            Command::Sql(args) => sql::run(args).await,
            Command::Tail(args) => tail::run(args).await,
            Command::Replay(command) => replay::run(command).await,
            Command::Verify(args) => verify::run(args).await,
            Command::Inspect(args) => inspect::run(args).await,
            Command::Collection(command) => collection::run(command).await,
            Command::Config(ConfigCommand::Check { file }) => check::run(&file),
        }
    })
}
