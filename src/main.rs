//! The `eddy` binary: reads flags and the configuration, starts the roles, and wires the crates.
//!
//! It holds no logic of its own. Where to look: `cli` for the flags, `config` for the file,
//! `server` for what runs in one process, `commands/` for one file per subcommand.

mod allocator;
mod cli;
mod client;
mod commands;
mod config;
mod output;
mod server;
mod shutdown;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    allocator::start();
    let cli = cli::Cli::parse();
    telemetry::start(cli.log_format);
    match commands::run(cli.command) {
        Ok(code) => code,
        Err(error) if output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // The one place where an error of a command is told; the chain says what and where.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
