//! Files in the lake as a destination: NDJSON or Parquet under `exports/`, for who takes it from
//! there.
//!
//! `<lake>/exports/<path>/<replay>/<topic>/<partition>-<first offset>-<digest>.ndjson`, each of one
//! partition, with the lines that `line` describes; or `.parquet`, with the columns of `columns`. A
//! file is made whole or not at all, and is
//! acknowledged once the store has it. At least once: after a crash records may be in a second
//! file, under the same `id`. The digest is that of the ids in it, so that one name never stands
//! for two contents.
//!
//! A file waits until it is full, or for [`WAIT`]: small files cost whoever reads them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eddy_engine::{Lake, export};
use tokio_util::sync::CancellationToken;

use super::given::Given;
use super::lanes::{Carrier, Lanes, Sizes, fail_rest};
use super::packed::{Packed, digest_of};
use super::patience::{Patience, Tries};
use super::{Checked, Delivery, Destination, Landed, Outgoing, line, secret};
use crate::error::{Error, ErrorKind, Result};
use crate::request::{Headers, Options};

mod columns;

/// Destinations of type `file`.
#[derive(Clone)]
pub(crate) struct File {
    lake: Lake,
}

const WHAT: &str = "a file destination";
const NAMES: &[&str] = &["batch.bytes", "batch.records", "format", "path"];
/// The longest that a record waits for its file to fill.
const WAIT: Duration = Duration::from_secs(2);

/// What the options say.
struct Settings {
    path: String,
    format: Format,
    sizes: Sizes,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Parquet,
}

impl File {
    /// The kind; files are made in this lake.
    pub(crate) fn new(lake: Lake) -> Self {
        Self { lake }
    }

    /// Whether the options can be right.
    ///
    /// # Errors
    /// `Invalid`, naming the option.
    pub(super) fn validate(options: &BTreeMap<String, String>) -> Result<()> {
        read(&Given::written(WHAT, options)).map(|_| ())
    }

    /// Opens the destination: `written` are the options with their references.
    ///
    /// # Errors
    /// `Invalid` when the options can't be used.
    pub(super) fn open(
        &self,
        written: &BTreeMap<String, String>,
        options: &BTreeMap<String, String>,
        replay: &Options,
    ) -> Result<Arc<dyn Destination>> {
        let Settings {
            path,
            format,
            sizes,
        } = read(&Given::resolved(WHAT, options))?;
        let clock = self.lake.clock().clone();
        let halt = CancellationToken::new();
        let carrier = Writer {
            lake: self.lake.clone(),
            path: path.clone(),
            format,
            bare: replay.headers == Some(Headers::Strip),
            patience: Patience::new(clock.clone(), replay.attempts, halt.clone()),
        };
        let lanes = Lanes::start(carrier, sizes, replay, clock, halt);
        let shown = written.get("path").map_or("", |path| path.trim());
        let (shown, path) = (format!("exports/{shown}"), format!("exports/{path}"));
        Ok(Arc::new(Target {
            target: format!("files in {}", secret::place(&shown, &path)),
            sizes,
            lanes,
        }))
    }
}

fn read(given: &Given<'_>) -> Result<Settings> {
    given.only(NAMES, &[])?;
    let path = given.needed("path")?;
    if !given.is_open("path") {
        export::check_folder(path).map_err(|error| {
            Error::invalid(format!("`path`: {error}"))
                .with_hint("a folder below the lake's `exports/`, such as `orders/failed`")
        })?;
    }
    let expected = "`ndjson` or `parquet`";
    let format = given.read("format", Format::Ndjson, expected, |text| match text {
        "ndjson" => Some(Format::Ndjson),
        "parquet" => Some(Format::Parquet),
        _ => None,
    })?;
    let sizes = Sizes {
        lanes: 1,
        batch_records: given.number("batch.records", 5_000, 1..=10_000)?,
        batch_bytes: given.number("batch.bytes", 8 << 20, 1..=16 << 20)?,
        wait: WAIT,
    };
    let path = path.to_owned();
    Ok(Settings {
        path,
        format,
        sizes,
    })
}

/// A folder of the lake.
struct Target {
    /// With its name as it is written: a reference stays one.
    target: String,
    sizes: Sizes,
    lanes: Lanes,
}

#[async_trait]
impl Destination for Target {
    fn target(&self) -> String {
        self.target.clone()
    }

    /// The lake was asked when the process started, and is asked all the time.
    async fn check(&self) -> Result<Checked> {
        Ok(Checked {
            target: self.target(),
            ..Checked::default()
        })
    }

    async fn send(&self, record: &Outgoing<'_>) -> Result<Delivery> {
        self.lanes.send(record).await
    }

    fn window(&self) -> Option<usize> {
        Some(self.sizes.window())
    }

    fn tells_origin(&self) -> bool {
        true
    }

    fn halt(&self) {
        self.lanes.halt();
    }
}

/// Makes the files.
struct Writer {
    lake: Lake,
    path: String,
    format: Format,
    bare: bool,
    patience: Patience,
}

impl Carrier for Writer {
    async fn carry(&self, batch: &[Packed]) -> Vec<Result<Landed>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let one_partition =
            |a: &Packed, b: &Packed| a.partition == b.partition && a.topic == b.topic;
        for records in batch.chunk_by(one_partition) {
            match self.make(records).await {
                Ok(()) => outcomes.extend(records.iter().map(|_| Ok(Landed::default()))),
                Err(error) => {
                    outcomes.push(Err(error));
                    fail_rest(&mut outcomes, batch.len());
                    break;
                }
            }
        }
        outcomes
    }
}

impl Writer {
    /// What a file of these records holds: always the same, since its name is.
    fn body(&self, records: &[Packed]) -> Result<(Vec<u8>, &'static str)> {
        match self.format {
            Format::Ndjson => {
                let mut body = Vec::new();
                for record in records {
                    line::write(record, self.bare, &mut body);
                }
                Ok((body, "ndjson"))
            }
            Format::Parquet => Ok((columns::file(records, self.bare)?, "parquet")),
        }
    }

    /// Makes one file, until the store has it.
    async fn make(&self, records: &[Packed]) -> Result<()> {
        let Some(first) = records.first() else {
            return Ok(());
        };
        let (body, extension) = self.body(records)?;
        let body = bytes::Bytes::from(body);
        let digest = digest_of(records);
        let name = format!(
            "{}-{:020}-{}.{extension}",
            first.partition,
            first.offset,
            digest.get(..16).unwrap_or(&digest)
        );
        let mut tries = Tries::default();
        self.patience.turn().await?;
        loop {
            let parts = [&*first.replay, &*first.topic, &*name];
            let added = export::add(&self.lake, &self.path, &parts, body.clone()).await;
            match added.map_err(Error::from) {
                Ok(()) => {
                    self.patience.taken();
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    self.patience.again(&mut tries, None, error).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests;
