//! `eddy load`: NDJSON lines to a topic, each acknowledged by Kafka before the command ends.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use eddy_connector::{LoadOptions, load};
use eddy_engine::Clock;
use tokio::io::{AsyncBufRead, BufReader};

use crate::cli::LoadArgs;
use crate::config::Config;
use crate::{output, server};

/// Sends every line and says how many there were.
pub(crate) async fn run(args: LoadArgs) -> Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let kafka = server::kafka(&config)?;
    let input: Box<dyn AsyncBufRead + Send + Unpin> = if args.file == Path::new("-") {
        let input = std::io::stdin().as_fd().try_clone_to_owned()?;
        Box::new(BufReader::new(tokio::fs::File::from_std(input.into())))
    } else {
        let file = tokio::fs::File::open(&args.file)
            .await
            .with_context(|| format!("`{}`", args.file.display()))?;
        Box::new(BufReader::new(file))
    };
    let mut options = LoadOptions::new(&args.topic);
    options.key_field = args.key;
    let loaded = load(&kafka, input, &options, &Clock::system()).await?;
    output::line(format_args!(
        "{} records, {} bytes to `{}`",
        loaded.records, loaded.bytes, args.topic
    ))?;
    Ok(ExitCode::SUCCESS)
}
