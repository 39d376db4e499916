//! Logs: one line an event with fields, on standard error, filtered by `EDDY_LOG`.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged unless `EDDY_LOG` says otherwise. The Delta kernel logs as errors what it answers
/// as errors too, a table that doesn't exist yet among them; whoever asked it tells what matters.
const QUIET: &str = "info,delta_kernel=off,datafusion=warn";

/// Starts logging. `EDDY_LOG` takes tracing's filter syntax (`info`, `eddy_connector=debug`).
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("EDDY_LOG").unwrap_or_else(|_| EnvFilter::new(QUIET));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
