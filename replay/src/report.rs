//! Replays and destinations as rows (`system.replays`, `system.destinations`) and as JSON, and what
//! replays tell of single records (`system.replay_failures`, `system.replay_offsets`).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::destination::{Check, Listed};
use crate::divide::{asked_of_shards, records_of};
use crate::error::{Error, Result};
use crate::job::{Job, State, transition};
use crate::ledger::Failure;
use crate::mapping::Run;
use crate::plan::Plan;

/// The columns of `system.replays`.
pub fn replays_schema() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let number = |name| Field::new(name, DataType::Int64, true);
    let time = |name| {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        Field::new(name, time, true)
    };
    Arc::new(Schema::new(vec![
        text("replay_id"),
        text("state"),
        text("reason"),
        text("destination"),
        text("target"),
        text("source_table"),
        number("source_version"),
        number("records"),
        number("acknowledged"),
        number("skipped"),
        number("failed"),
        number("bytes"),
        number("acknowledged_bytes"),
        text("text"),
        text("options"),
        time("created_at"),
        time("updated_at"),
        time("finished_at"),
        number("shards"),
    ]))
}

/// Replays as rows of [`replays_schema`].
///
/// # Errors
/// `Internal` when the rows don't fit their own schema.
pub fn replays_batch(jobs: &[Job]) -> Result<RecordBatch> {
    let columns = vec![
        text(jobs, |job| Some(job.id.clone())),
        text(jobs, |job| Some(job.state.as_str().to_owned())),
        text(jobs, |job| job.reason.clone()),
        text(jobs, |job| Some(job.destination.clone())),
        text(jobs, |job| Some(job.target.clone())),
        text(jobs, |job| Some(job.source.table.clone())),
        number(jobs, |job| job.source.version),
        number(jobs, |job| job.plan.records),
        number(jobs, |job| job.counts.acknowledged),
        number(jobs, |job| job.counts.skipped),
        number(jobs, |job| job.counts.failed),
        known(jobs, |job| job.plan.bytes),
        number(jobs, |job| job.counts.bytes),
        text(jobs, |job| Some(job.text.clone())),
        text(jobs, |job| Some(json!(job.options).to_string())),
        time(jobs, |job| Some(job.created_us)),
        time(jobs, |job| Some(job.updated_us)),
        time(jobs, |job| job.finished_us),
        number(jobs, |job| job.plan.shards as u64),
    ];
    batch(replays_schema(), columns)
}

/// The columns of `system.replay_failures`. `_topic_id`, `_partition` and `_offset` are those of
/// the source's row, so that a replay can pick the rows again.
pub fn failures_schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("replay_id", DataType::Utf8, true),
        Field::new("_topic", DataType::Utf8, true),
        Field::new("_topic_id", DataType::Utf8, true),
        Field::new("_partition", DataType::Int32, true),
        Field::new("_offset", DataType::Int64, true),
        Field::new("_timestamp", time.clone(), true),
        Field::new("error", DataType::Utf8, true),
        Field::new("dead_letter", DataType::Utf8, true),
        Field::new("failed_at", time, true),
    ]))
}

/// The failures of a replay as rows of [`failures_schema`].
///
/// # Errors
/// `Internal` when the rows don't fit their own schema.
pub fn failures_batch(replay: &str, failures: &[Failure]) -> Result<RecordBatch> {
    let partitions: Int32Array = failures.iter().map(|one| Some(one.partition)).collect();
    let offsets: Int64Array = failures.iter().map(|one| Some(one.offset)).collect();
    let columns = vec![
        text(failures, |_| Some(replay.to_owned())),
        text(failures, |one| Some(one.topic.clone())),
        text(failures, |one| Some(one.topic_id.clone())),
        Arc::new(partitions) as ArrayRef,
        Arc::new(offsets) as ArrayRef,
        time(failures, |one| one.timestamp_ms?.checked_mul(1_000)),
        text(failures, |one| Some(one.error.clone())),
        text(failures, |one| one.dead_letter.clone()),
        time(failures, |one| Some(one.failed_us)),
    ];
    batch(failures_schema(), columns)
}

/// The columns of `system.replay_offsets`: runs of records that lie one behind the other in the
/// target. Between the first and the last source offset of a run there may be others, where
/// `records` is less than their distance says. The target topic is null where that is the
/// destination's own, the target offsets for records that the target acknowledged without saying
/// where they are.
pub fn offsets_schema() -> SchemaRef {
    let number = |name| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(vec![
        Field::new("replay_id", DataType::Utf8, true),
        Field::new("_topic", DataType::Utf8, true),
        Field::new("_topic_id", DataType::Utf8, true),
        Field::new("_partition", DataType::Int32, true),
        number("first_offset"),
        number("last_offset"),
        number("records"),
        Field::new("target_topic", DataType::Utf8, true),
        Field::new("target_partition", DataType::Int32, true),
        number("target_first_offset"),
        number("target_last_offset"),
    ]))
}

/// Where the records of a replay came to rest, as rows of [`offsets_schema`].
///
/// # Errors
/// `Internal` when the rows don't fit their own schema.
pub fn offsets_batch(replay: &str, runs: &[Run]) -> Result<RecordBatch> {
    let partitions = |of: fn(&Run) -> i32| -> ArrayRef {
        Arc::new(runs.iter().map(|run| Some(of(run))).collect::<Int32Array>())
    };
    let offsets = |of: fn(&Run) -> Option<i64>| -> ArrayRef {
        Arc::new(runs.iter().map(of).collect::<Int64Array>())
    };
    let columns = vec![
        text(runs, |_| Some(replay.to_owned())),
        text(runs, |run| {
            Some(run.topic.clone()).filter(|topic| !topic.is_empty())
        }),
        text(runs, |run| Some(run.topic_id.clone())),
        partitions(|run| run.partition),
        offsets(|run| Some(run.first)),
        offsets(|run| Some(run.last)),
        number(runs, |run| run.records),
        text(runs, |run| run.target_topic.clone()),
        partitions(|run| run.target_partition),
        offsets(|run| run.target_first),
        offsets(Run::target_last),
    ];
    batch(offsets_schema(), columns)
}

/// The columns of `system.destinations`.
pub fn destinations_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("type", DataType::Utf8, true),
        Field::new("options", DataType::Utf8, true),
        Field::new("declared", DataType::Boolean, true),
    ]))
}

/// Destinations as rows of [`destinations_schema`], secrets hidden.
///
/// # Errors
/// `Internal` when the rows don't fit their own schema.
pub fn destinations_batch(listed: &[Listed]) -> Result<RecordBatch> {
    let declared: BooleanArray = listed.iter().map(|one| Some(one.declared)).collect();
    let columns = vec![
        text(listed, |one| Some(one.definition.name.clone())),
        text(listed, |one| Some(one.definition.kind.clone())),
        text(listed, |one| {
            Some(json!(one.definition.shown_options()).to_string())
        }),
        Arc::new(declared) as ArrayRef,
    ];
    batch(destinations_schema(), columns)
}

/// The columns of `system.destination_checks`.
pub fn checks_schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("destination", DataType::Utf8, true),
        Field::new("checked_at", time, true),
        Field::new("took_ms", DataType::Int64, true),
        Field::new("error", DataType::Utf8, true),
    ]))
}

/// The checks of a destination as rows of [`checks_schema`].
///
/// # Errors
/// `Internal` when the rows don't fit their own schema.
pub fn checks_batch(destination: &str, checks: &[Check]) -> Result<RecordBatch> {
    let columns = vec![
        text(checks, |_| Some(destination.to_owned())),
        time(checks, |check| Some(check.at_us)),
        number(checks, took_ms),
        text(checks, |check| check.error.clone()),
    ];
    batch(checks_schema(), columns)
}

/// A replay as REST answers it.
pub fn replay_json(job: &Job) -> Value {
    let settled = job.counts.settled();
    json!({
        "replay_id": job.id,
        "state": job.state,
        "reason": job.reason,
        "text": job.text,
        "select": job.source.select,
        "table": job.source.table,
        "version": job.source.version,
        "destination": job.destination,
        "target": job.target,
        "options": job.options,
        "records": job.plan.records,
        "bytes": job.plan.bytes,
        "settled": settled,
        "acknowledged": job.counts.acknowledged,
        "acknowledged_bytes": job.counts.bytes,
        "skipped": job.counts.skipped,
        "failed": job.counts.failed,
        "progress": job.progress,
        "canary_passed": job.canary_passed,
        "shards": job.plan.shards,
        "rate": job.rate.as_ref().or_else(|| job.options.get("rate")),
        "plan": plan_json(&job.plan),
        "created_at": time_text(Some(job.created_us)),
        "updated_at": time_text(Some(job.updated_us)),
        "finished_at": time_text(job.finished_us),
    })
}

/// The shards of `whole` as REST answers them; of those that nobody has begun there is no more than
/// what they have to do.
pub fn shards_json(whole: &Job, shards: &[Option<Job>]) -> Value {
    let shards = whole.shards.iter().zip(shards).enumerate();
    let shown = shards.map(|(number, (partitions, shard))| {
        let shard = shard.as_ref();
        let counts = shard.map(|shard| shard.counts).unwrap_or_default();
        let state = shard.map_or(State::Planned, |shard| shard.state);
        // Whoever has it learns only now what is wanted of it.
        let asked = asked_of_shards(whole.state).map(|event| transition(state, event));
        let state = asked.and_then(Result::ok).unwrap_or(state);
        json!({
            "shard": number,
            "state": state,
            "reason": shard.and_then(|shard| shard.reason.as_deref()),
            "worker": shard.map(|shard| shard.worker.as_str()),
            "partitions": partitions,
            "records": records_of(partitions),
            "settled": counts.settled(),
            "acknowledged": counts.acknowledged,
            "skipped": counts.skipped,
            "failed": counts.failed,
            "updated_at": time_text(shard.map(|shard| shard.updated_us)),
        })
    });
    shown.collect()
}

/// A plan as REST answers it.
pub fn plan_json(plan: &Plan) -> Value {
    json!({
        "table": plan.table,
        "version": plan.version,
        "records": plan.records,
        "bytes": plan.bytes,
        "files": plan.files,
        "first_timestamp": time_text(plan.first_timestamp_us),
        "last_timestamp": time_text(plan.last_timestamp_us),
        "partitions": plan.partitions,
        "destination": plan.destination,
        "headers": plan.headers,
        "payload": plan.payload,
        "sets": plan.sets,
        "shards": plan.shards,
        "seconds_min": plan.seconds_min,
        "problems": plan.problems,
    })
}

/// A destination as REST answers it, secrets hidden.
pub fn destination_json(listed: &Listed) -> Value {
    json!({
        "name": listed.definition.name,
        "type": listed.definition.kind,
        "options": listed.definition.shown_options(),
        "declared": listed.declared,
    })
}

/// A check of a destination as REST answers it.
pub fn check_json(check: &Check) -> Value {
    json!({
        "checked_at": time_text(Some(check.at_us)),
        "took_ms": took_ms(check),
        "error": check.error,
    })
}

fn took_ms(check: &Check) -> u64 {
    u64::try_from(check.took.as_millis()).unwrap_or(u64::MAX)
}

fn time_text(at_us: Option<i64>) -> Option<String> {
    let time = DateTime::from_timestamp_micros(at_us?)?;
    Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn text<T>(rows: &[T], value: impl Fn(&T) -> Option<String>) -> ArrayRef {
    Arc::new(rows.iter().map(value).collect::<StringArray>())
}

fn number<T>(rows: &[T], value: impl Fn(&T) -> u64) -> ArrayRef {
    let numbers = rows.iter().map(|row| i64::try_from(value(row)).ok());
    Arc::new(numbers.collect::<Int64Array>())
}

fn known<T>(rows: &[T], value: impl Fn(&T) -> Option<u64>) -> ArrayRef {
    let numbers = rows.iter().map(|row| i64::try_from(value(row)?).ok());
    Arc::new(numbers.collect::<Int64Array>())
}

fn time<T>(rows: &[T], value: impl Fn(&T) -> Option<i64>) -> ArrayRef {
    let times: TimestampMicrosecondArray = rows.iter().map(value).collect();
    Arc::new(times.with_timezone("UTC"))
}

fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(schema, columns)
        .map_err(|error| Error::internal("a system table's rows don't fit").with_source(error))
}
