//! `eddy verify TOPIC`: compares the broker's offsets with the table's, and says what it found.

use std::process::ExitCode;

use anyhow::{Context, Result};
use eddy_connector::VerifyReport;
use serde_json::{Value, json};

use crate::cli::VerifyArgs;
use crate::config::Config;
use crate::{output, server};

/// Prints the report; exit code 1 when an offset is missing or doubled.
pub(crate) async fn run(args: VerifyArgs) -> Result<ExitCode> {
    let config = Config::load(&args.config)?;
    let connector = args.connector.as_deref();
    let (lake, table) = server::table(&config, connector, &args.topics_dir, &args.topic).await?;
    let kafka = server::kafka(&config)?;
    let report = eddy_connector::verify(&lake, &table, &kafka, lake.clock())
        .await
        .with_context(|| format!("topic `{}` can't be verified", args.topic))?;
    if args.json {
        output::line(format_args!(
            "{}",
            serde_json::to_string_pretty(&json(&report))?
        ))?;
    } else {
        output::line(report.to_string().trim_end())?;
    }
    Ok(if report.clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn json(report: &VerifyReport) -> Value {
    let partitions: Vec<Value> = report
        .partitions
        .iter()
        .map(|part| {
            json!({
                "topic_id": part.topic_id,
                "partition": part.partition,
                "start": part.start,
                "position": part.position,
                "end": part.end,
                "rows": part.rows,
                "dead_letters": part.dead_letters,
                "retired": part.retired,
                "filtered": part.filtered,
                "skipped": part.skipped,
                "gaps_explained": part.gaps_explained,
                "missing": part.missing,
                "doubled": part.doubled,
                "beyond": part.beyond,
            })
        })
        .collect();
    json!({
        "topic": report.topic,
        "version": report.version,
        "clean": report.clean(),
        "partitions": partitions,
    })
}
