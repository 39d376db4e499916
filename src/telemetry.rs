//! Logs: one line an event with fields, on standard error, filtered by `EDDY_LOG` and by Connect's
//! loggers.

use std::io::IsTerminal;
use std::sync::OnceLock;

use clap::ValueEnum;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{EnvFilter, Registry, layer::SubscriberExt, util::SubscriberInitExt};

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
/// The client of RabbitMQ does the same, and repeats whole messages.
const QUIET: &str = "info,delta_kernel=off,lapin=off,datafusion=warn";

/// The running filter, to be changed.
static FILTER: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging. `EDDY_LOG` takes tracing's filter syntax (`info`, `eddy_connector=debug`).
pub(crate) fn start(format: LogFormat) {
    let (filter, handle) = reload::Layer::new(filter(""));
    let _ = FILTER.set(handle);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines).init(),
        LogFormat::Json => registry.with(lines.json()).init(),
    }
}

/// From now on `directives` count besides what was started with, and over it.
pub(crate) fn set(directives: &str) {
    if let Some(handle) = FILTER.get()
        && let Err(error) = handle.reload(filter(directives))
    {
        tracing::warn!(%error, "the levels of loggers can't be changed");
    }
}

fn filter(more: &str) -> EnvFilter {
    let base = std::env::var("EDDY_LOG").unwrap_or_else(|_| QUIET.to_owned());
    // A wrong `EDDY_LOG` must not keep the process from telling anything.
    EnvFilter::try_new(format!("{base},{more}"))
        .or_else(|_| EnvFilter::try_new(&base))
        .unwrap_or_else(|_| EnvFilter::new(QUIET))
}
