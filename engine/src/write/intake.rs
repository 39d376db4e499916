//! The one way of records into a writer: first what must never land goes, then they are shredded.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::flat::Flat;
use crate::lake::Lake;
use crate::record::Record;
use crate::redact::Redactor;
use crate::shred::{Payload, Shredder};
use crate::write::options::WriterOptions;

/// The record as it is stored: in objects of records one behind the other, a decoded value stands
/// for its bytes.
pub(super) fn as_stored<'a>(
    flat: Option<&Flat>,
    record: &Record<'a>,
    payload: Payload<'_>,
    text: &'a mut Vec<u8>,
) -> Record<'a> {
    match (flat, payload) {
        (Some(flat), Payload::Value(value)) => {
            text.clear();
            let value = flat.value(value, text).then_some(text.as_slice());
            Record { value, ..*record }
        }
        _ => *record,
    }
}

/// Appends the record to the shredder, without what the table's rules name. What can't be redacted
/// is a row whose `_error` says so.
pub(super) fn append(
    redactor: &mut Option<Redactor>,
    shredder: &mut Shredder,
    record: &Record<'_>,
    payload: Payload<'_>,
    now_us: i64,
) {
    let Some(redactor) = redactor else {
        shredder.append_payload(record, payload, now_us);
        return;
    };
    let redacted = match payload {
        Payload::Original => redactor.redact(record),
        Payload::Value(_) | Payload::Failed(_) => redactor.redact_decoded(record),
    };
    let payload = redacted.withheld().map_or(payload, Payload::Failed);
    shredder.append_payload(&redacted.record(), payload, now_us);
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
