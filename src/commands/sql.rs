//! `eddy sql`: asks the server and prints the answer, aligned for people or as it came.

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use arrow::ipc::reader::StreamReader;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use serde_json::json;

use crate::cli::{Format, SqlArgs};
use crate::client::Client;

/// Sends the statement and writes the answer to standard output or `--output`.
pub(crate) async fn run(args: SqlArgs) -> Result<ExitCode> {
    let statement = match (&args.statement, &args.file) {
        (Some(statement), _) => statement.clone(),
        (None, Some(file)) => read(file)?,
        (None, None) => bail!("a statement is missing"),
    };
    let wire = match args.format {
        Format::Table | Format::Arrow => "arrow",
        Format::Ndjson => "ndjson",
        Format::Json => "json",
        Format::Csv => "csv",
        Format::Parquet => "parquet",
    };
    let client = Client::new(&args.server)?;
    let body = json!({ "sql": statement, "format": wire });
    let mut response = client.post("/api/v1/sql", &body).await?;
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => {
            Box::new(std::fs::File::create(path).with_context(|| format!("`{}`", path.display()))?)
        }
        None => Box::new(std::io::stdout().lock()),
    };
    if args.format == Format::Table {
        let bytes = response.bytes().await.context("the answer broke off")?;
        out.write_all(aligned(&bytes)?.as_bytes())?;
    } else {
        while let Some(chunk) = response.chunk().await.context("the answer broke off")? {
            out.write_all(&chunk)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("`{}`", file.display()))
}

fn aligned(bytes: &[u8]) -> Result<String> {
    let reader = StreamReader::try_new(bytes, None).context("the answer is not an Arrow stream")?;
    let batches = reader
        .collect::<Result<Vec<_>, _>>()
        .context("the answer broke off")?;
    let rows: usize = batches
        .iter()
        .map(arrow::array::RecordBatch::num_rows)
        .sum();
    let options = FormatOptions::default().with_display_error(true);
    let table = pretty_format_batches_with_options(&batches, &options)?;
    let noun = if rows == 1 { "row" } else { "rows" };
    Ok(format!("{table}\n{rows} {noun}\n"))
}
