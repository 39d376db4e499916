//! The one way of a record into a writer: first what must never land goes, then it is shredded.

use arrow::datatypes::SchemaRef;

use crate::lake::Lake;
use crate::record::Record;
use crate::redact::Redactor;
use crate::shred::Shredder;
use crate::write::options::WriterOptions;

/// Appends the record to the shredder, without what the table's rules name. What can't be redacted
/// is a row whose `_error` says so.
pub(super) fn append(
    redactor: &mut Option<Redactor>,
    shredder: &mut Shredder,
    record: &Record<'_>,
    now_us: i64,
) {
    let Some(redactor) = redactor else {
        shredder.append(record, now_us);
        return;
    };
    let redacted = redactor.redact(record);
    let record = redacted.record();
    match redacted.withheld() {
        None => shredder.append(&record, now_us),
        Some(why) => shredder.append_undecoded(&record, now_us, why),
    };
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
}
