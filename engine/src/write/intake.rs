//! The one way of records into a writer: first what must never land goes, then they are shredded.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::flat::{Book, Flat};
use crate::lake::Lake;
use crate::record::Record;
use crate::redact::Redactor;
use crate::shred::{Converter, Payload, Shredder};
use crate::write::options::WriterOptions;

/// How records wait for objects beside the table, where they do.
pub(super) struct Waits<'a> {
    pub(super) flat: Option<&'a Flat>,
    pub(super) converter: Converter,
    /// Gets the schemas that records come with.
    pub(super) book: &'a Book,
    /// For what is written anew of a value.
    pub(super) text: &'a mut Vec<u8>,
}

/// The `_error` of a record that couldn't be converted, in a table with rules.
const REASON_WITHHELD: &str =
    "the record can't be converted; why is withheld, since the table has fields that never land";

/// Appends the record to the shredder, without what the table's rules name. What can't be redacted
/// is a row whose `_error` says so.
pub(super) fn append(
    redactor: &mut Option<Redactor>,
    shredder: &mut Shredder,
    waits: Waits<'_>,
    record: &Record<'_>,
    payload: Payload<'_>,
    now_us: i64,
) {
    let Some(redactor) = redactor else {
        shred(shredder, waits, record, payload, now_us);
        return;
    };
    let redacted = match payload {
        Payload::Original => redactor.redact(record),
        Payload::Value(_) | Payload::Failed(_) => redactor.redact_decoded(record),
    };
    let payload = match (redacted.withheld(), payload) {
        (Some(why), _) => Payload::Failed(why),
        // Such reasons repeat what they are about.
        (None, Payload::Failed(_)) => Payload::Failed(REASON_WITHHELD),
        (None, payload) => payload,
    };
    shred(shredder, waits, &redacted.record(), payload, now_us);
}

fn shred(
    shredder: &mut Shredder,
    waits: Waits<'_>,
    record: &Record<'_>,
    payload: Payload<'_>,
    now_us: i64,
) {
    let decoded = &record.decoded;
    if let (Some(id), Some(schema)) = (decoded.key_schema_id, decoded.key_avro) {
        waits.book.note_key(id, schema);
    }
    let Some(flat) = waits.flat else {
        shredder.append_payload(record, payload, now_us);
        return;
    };
    let with = (waits.converter, waits.book, waits.text);
    // An object has no place for a row with `_error`, and a value lands without its time, too.
    let timestamp_ms = record.timestamp_us().and(record.timestamp_ms);
    let record = Record {
        timestamp_ms,
        ..*record
    };
    flat.waiting(&record, payload, with, |record, payload| {
        shredder.append_payload(record, payload, now_us);
    });
}

/// Appends decoded records, each with its row of `batch`, as [`append`] does.
pub(super) fn append_batch(
    redactor: &mut Option<Redactor>,
    shredder: &mut Shredder,
    records: &[Record<'_>],
    batch: &RecordBatch,
    now_us: i64,
) {
    let Some(redactor) = redactor else {
        shredder.append_batch(records, batch, now_us);
        return;
    };
    for (row, record) in records.iter().enumerate() {
        let redacted = redactor.redact_decoded(record);
        let record = redacted.record();
        match redacted.withheld() {
            None => shredder.append_batch(&[record], &batch.slice(row, 1), now_us),
            Some(why) => {
                shredder.append_payload(&record, Payload::Failed(why), now_us);
            }
        }
    }
}

pub(super) fn new_shredder(lake: &Lake, options: &WriterOptions, schema: &SchemaRef) -> Shredder {
    Shredder::new(
        &options.topic,
        options.topic_id.clone(),
        schema,
        options.limits,
    )
    .with_converter(options.converter)
    .with_spare(lake.spare().clone())
    .with_detection(options.detect, schema)
}
