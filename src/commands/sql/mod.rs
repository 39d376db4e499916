//! `eddy sql`: asks the server and prints the answer, aligned for people or as it came.

mod prompt;
mod typed;
mod words;

use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use arrow::ipc::reader::StreamReader;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use serde_json::json;

use crate::cli::{Format, SqlArgs};
use crate::client::Client;

/// Sends the statement and writes the answer to standard output or `--output`; without a statement
/// it reads them at a prompt, or all of standard input where that is no terminal.
pub(crate) async fn run(args: SqlArgs) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let statement = match (&args.statement, &args.file) {
        (Some(statement), _) => statement.clone(),
        (None, Some(file)) => read(file)?,
        (None, None) if std::io::stdin().is_terminal() => {
            return Box::pin(prompt::run(client, &args.server.url)).await;
        }
        (None, None) => read(Path::new("-"))?,
    };
    let wire = match args.format {
        Format::Table | Format::Arrow => "arrow",
        Format::Ndjson => "ndjson",
        Format::Json => "json",
        Format::Csv => "csv",
        Format::Parquet => "parquet",
    };
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
        let text = aligned(reader(&bytes)?, usize::MAX)?;
        out.write_all(text.table.as_bytes())?;
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

/// An answer as it came.
fn reader(bytes: &[u8]) -> Result<StreamReader<&[u8]>> {
    StreamReader::try_new(bytes, None).context("the answer is not an Arrow stream")
}

/// An answer for people.
struct Aligned {
    /// The rows, and how many they are.
    table: String,
    /// There are more.
    cut: bool,
}

/// At most `most` rows of an answer, aligned.
fn aligned(reader: StreamReader<&[u8]>, most: usize) -> Result<Aligned> {
    let mut batches = Vec::new();
    let (mut rows, mut cut) = (0, false);
    for batch in reader {
        let batch = batch.context("the answer broke off")?;
        let left = batch.num_rows().min(most - rows);
        cut |= left < batch.num_rows();
        rows += left;
        batches.push(batch.slice(0, left));
    }
    let options = FormatOptions::default().with_display_error(true);
    let table = pretty_format_batches_with_options(&batches, &options)?;
    let noun = if rows == 1 { "row" } else { "rows" };
    let table = format!("{table}\n{rows} {noun}\n");
    Ok(Aligned { table, cut })
}
