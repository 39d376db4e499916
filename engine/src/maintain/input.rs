//! The files of one rewrite: their footers first, their bytes when their turn comes.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;

use crate::commit::DataFile;
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::maintain::output::is_sorted;
use crate::maintain::sizes::Sizes;
use crate::path::TablePath;
use crate::read::{Fetch, Snapshot};
use crate::schema::identify;
use crate::seal::{Key, Opening, PROPERTY};

/// Requests under way at once.
const AT_ONCE: usize = 16;

/// What is read from a file's end at first: enough for most footers, so that one request does.
const FOOTER_BYTES: usize = 64 << 10;

/// One file of a rewrite.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) file: Arc<DataFile>,
    /// With which key it is sealed.
    key_id: Option<String>,
    /// The file's columns with the table's identities.
    pub(super) schema: SchemaRef,
    /// The file says that its rows are in our order.
    pub(super) sorted: bool,
    /// No row is older, in microseconds since the Unix epoch; the smallest number when a row has no
    /// time.
    pub(super) from_us: i64,
    /// What the rows take.
    pub(super) sizes: Sizes,
}

/// Reads the footers of `files`, in order of their oldest rows.
///
/// # Errors
/// `Unavailable`; `NotFound` for a file that is gone; `Data` for one that can't be read.
pub(super) fn look(
    lake: &Lake,
    table: &TablePath,
    files: &[Arc<DataFile>],
    reserved: &Schema,
) -> Result<Vec<Input>> {
    let fetches: Vec<_> = files
        .iter()
        .map(|file| {
            let fetch = Fetch::of(lake, table, file);
            footer(Arc::clone(file), fetch, Opening::new(lake.keys()))
        })
        .collect();
    let footers: Result<Vec<_>> = lake.wait(async move {
        futures::stream::iter(fetches)
            .buffered(AT_ONCE)
            .try_collect()
            .await
    })?;
    let mut inputs: Vec<Input> = Vec::with_capacity(files.len());
    for (file, metadata, key_id) in footers? {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let arrow = ArrowReaderMetadata::try_new(Arc::clone(&metadata), options)?;
        let mut schema = Arc::new(identify(arrow.schema(), reserved)?);
        // Thousands of files have few different shapes: they share them.
        if let Some(same) = inputs
            .iter()
            .rev()
            .take(8)
            .find(|known| known.schema == schema)
        {
            schema = Arc::clone(&same.schema);
        }
        inputs.push(Input {
            file,
            key_id,
            schema,
            sorted: is_sorted(&metadata),
            from_us: oldest(&metadata).unwrap_or(i64::MIN),
            sizes: Sizes::of(&metadata),
        });
    }
    inputs.sort_by(|a, b| (a.from_us, &a.file.path).cmp(&(b.from_us, &b.file.path)));
    Ok(inputs)
}

/// The whole bytes of `inputs`, fetched together.
///
/// # Errors
/// `Unavailable`, `NotFound`.
pub(super) fn fetch(lake: &Lake, table: &TablePath, inputs: &[Input]) -> Result<Vec<Bytes>> {
    let fetches: Vec<_> = inputs
        .iter()
        .map(|input| {
            let (store, path) = (Arc::clone(lake.store()), table.object(&input.file.path));
            async move { Ok::<_, Error>(store.get(&path).await?.bytes().await?) }
        })
        .collect();
    lake.wait(async move {
        futures::stream::iter(fetches)
            .buffered(AT_ONCE)
            .try_collect()
            .await
    })?
}

/// A file, its footer, and with which key it is sealed.
type Footer = (Arc<DataFile>, Arc<ParquetMetaData>, Option<String>);

async fn footer(file: Arc<DataFile>, mut fetch: Fetch, opening: Opening) -> Result<Footer> {
    let reader = ParquetMetaDataReader::new()
        .with_decryption_properties(Some(opening.properties()?))
        .with_prefetch_hint(Some(FOOTER_BYTES));
    let metadata = reader.load_and_finish(&mut fetch, file.size).await;
    let metadata = metadata.map_err(|error| match error {
        // What the store said, which may be another answer next time.
        ParquetError::External(source) => {
            let text = format!("the footer of `{}` can't be read", file.path);
            Error::unavailable(text).with_source(source)
        }
        error => opening.explain(fetch.path.as_ref(), error),
    })?;
    Ok((file, Arc::new(metadata), opening.key_id()))
}

/// The key of the files that `inputs` of `snapshot` become.
///
/// # Errors
/// `Invalid` when the table's key isn't here; `Data` when a sealed file would become one in plain.
pub(super) fn key_for(
    lake: &Lake,
    table: &TablePath,
    snapshot: &Snapshot,
    inputs: &[Input],
) -> Result<Option<Key>> {
    let key = lake.keys().of_table(snapshot.key_id(), table.topic())?;
    let sealed = inputs.iter().find(|input| input.key_id.is_some());
    match (key, sealed) {
        (None, Some(input)) => Err(Error::data(format!(
            "`{}` of table `{}` is encrypted, and the table's property `{PROPERTY}` is gone: \
             restore it",
            input.file.path,
            table.topic()
        ))),
        (key, _) => Ok(key),
    }
}

/// The oldest `_timestamp`; `None` when some row has none or the statistics don't say.
fn oldest(metadata: &ParquetMetaData) -> Option<i64> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let at = columns
        .iter()
        .position(|column| column.path().parts() == ["_timestamp"])?;
    let mut oldest: Option<i64> = None;
    for group in metadata.row_groups() {
        let Statistics::Int64(values) = group.columns().get(at)?.statistics()? else {
            return None;
        };
        if values.null_count_opt()? > 0 {
            return None;
        }
        let min = *values.min_opt()?;
        oldest = Some(oldest.map_or(min, |known| known.min(min)));
    }
    oldest
}
