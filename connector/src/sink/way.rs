//! A record's way where somebody has to look at it before it lands: converters, transforms, or an
//! errors policy that wants to know of each failure.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eddy_engine::write::Payload;
use eddy_engine::{Clock, Decoded, Record, Value};

use crate::connect::{Tolerance, check_topic};
use crate::convert::Converted;
use crate::data::ConnectRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::sink::dead_letters::DeadLetters;
use crate::sink::decode::{Decoder, Undecoded, connect_record};
use crate::sink::errant::{Errant, Stage};
use crate::sink::measures::ErrorCounts;
use crate::sink::retry::{Held, Patience};
use crate::sink::tables::Tables;
use crate::sink::task::TaskSettings;
use crate::transform::Chain;

/// Looks at records.
pub(super) struct Way<'a> {
    settings: &'a TaskSettings,
    /// `None` where nobody has to look.
    decoder: Option<Decoder>,
    dead_letters: Option<DeadLetters>,
    patience: Patience,
    clock: Clock,
    /// What went wrong, since the task was started.
    pub(super) counts: ErrorCounts,
    /// The task must fail, as its tolerance says.
    refused: Option<Error>,
}

/// A record's place: its topic, partition and offset.
pub(crate) type Place = (String, i32, i64);

/// The record that the task failed on last, across its lives: the second time nobody is told again.
pub(crate) type Refusal = Mutex<Option<Place>>;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is a row, good or with `_error`, or was filtered.
    Accounted,
    /// It stays where it is: the task fails because of it.
    Refused,
    /// It can't be converted yet, and why; it must come again.
    Later(Held),
}

impl<'a> Way<'a> {
    /// `counts` is what the task's lives before this one have counted.
    ///
    /// # Errors
    /// As [`DeadLetters::open`] and [`Decoder::open`].
    pub(super) fn open(settings: &'a TaskSettings, counts: ErrorCounts) -> Result<Self> {
        let (lake, kafka) = (&settings.lake, &settings.producer);
        Ok(Self {
            settings,
            decoder: Decoder::open(settings)?,
            dead_letters: DeadLetters::open(lake, kafka, &settings.config, settings.task)?,
            patience: Patience::of(&settings.config.errors),
            clock: lake.clock().clone(),
            counts,
            refused: None,
        })
    }

    /// Nobody has to look at records.
    pub(super) fn is_open(&self) -> bool {
        self.decoder.is_none()
    }

    /// Why the task must fail.
    pub(super) fn take_refused(&mut self) -> Option<Error> {
        self.refused.take()
    }

    /// Whether every dead letter is acknowledged; waits for that, but not longer than `within`.
    ///
    /// # Errors
    /// As [`DeadLetters::settle`].
    pub(super) fn settle(&mut self, within: Duration) -> Result<bool> {
        let Some(dead_letters) = &mut self.dead_letters else {
            return Ok(true);
        };
        let settled = dead_letters.settle(within);
        self.counts.dead_letters_failed += std::mem::take(&mut dead_letters.refused);
        settled
    }

    /// Whether every dead letter is acknowledged.
    pub(super) fn is_settled(&self) -> bool {
        let dead_letters = self.dead_letters.as_ref();
        dead_letters.is_none_or(DeadLetters::is_settled)
    }

    /// Whoever wants to know of the record that the task fails on has not been told of it.
    pub(super) fn tell_again(&self) {
        *self.last_refusal() = None;
    }

    fn last_refusal(&self) -> MutexGuard<'a, Option<Place>> {
        let last = &self.settings.refusal;
        last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a record to its writer, converted and transformed. One that had to wait comes with
    /// what is known of that.
    ///
    /// # Errors
    /// Outside `Unavailable` for a dead letter, and what keeps a table from being opened; inside
    /// the engine's.
    pub(super) fn append(
        &mut self,
        topic: &str,
        writer: &mut Tables,
        record: &Record<'_>,
        held: Option<&Held>,
    ) -> Result<Result<Taken, eddy_engine::Error>> {
        let accounted = |result: eddy_engine::Result<()>| result.map(|()| Taken::Accounted);
        let transforms = self.settings.config.transforms.as_deref();
        let Some(decoder) = &mut self.decoder else {
            return Ok(accounted(writer.append_own(record)));
        };
        let mut converted = Converted {
            wants_avro: self.settings.config.layout.is_avro(),
            ..Converted::default()
        };
        let decoded = match decoder.decode(record, &mut converted) {
            Ok(()) => Ok(()),
            Err(Undecoded::Errant(why)) => Err(why),
            Err(Undecoded::Later(later)) => {
                let now = self.clock.monotonic();
                let held = match later.failed {
                    false => Some(self.patience.pending(held, &later.why, now)),
                    true => self.patience.failed(held, &later.why, now),
                };
                if let Some(held) = held {
                    self.counts.failures += u64::from(later.failed);
                    self.counts.retries += u64::from(later.failed);
                    return Ok(Ok(Taken::Later(held)));
                }
                Err(Errant::late(later))
            }
        };
        let key = decoder.key(&mut converted, transforms.is_some());
        let avro = (converted.key_avro.take(), converted.value_avro.take());
        // What transforms leave of a value is another.
        let value_avro = avro.1.as_ref().filter(|_| transforms.is_none());
        let row = Record {
            decoded: Decoded {
                key_schema_id: converted.key_schema_id,
                value_schema_id: converted.value_schema_id,
                key: key.as_ref(),
                key_avro: avro.0.as_ref().map(|avro| &avro.schema),
                value_avro: value_avro.and_then(|avro| avro.of(record.value)),
            },
            ..*record
        };
        let made = decoded.and_then(|()| match transforms {
            None => Ok(plain(decoder, converted)),
            Some(chain) => transformed(decoder, chain, connect_record(topic, record, converted)),
        });
        match made.and_then(|made| made.checked(writer)) {
            Ok(Outcome::Original) => writer.append(topic, &row, Payload::Original),
            Ok(Outcome::Converted(value)) => writer.append(topic, &row, Payload::Value(&value)),
            Ok(Outcome::Filtered) => Ok(writer.filter(record.partition, record.offset)),
            Ok(Outcome::Changed { table, value }) => {
                writer.append(&table, &row, Payload::Value(&value))
            }
            Err(why) => {
                let taken = self.tell(topic, record, &why, held)?;
                if taken != Taken::Accounted {
                    return Ok(Ok(taken));
                }
                let reason = why.reason();
                writer.append(topic, &row, Payload::Failed(&reason))
            }
        }
        .map(accounted)
    }

    /// Tells whoever wants to know that a record failed.
    fn tell(
        &mut self,
        topic: &str,
        record: &Record<'_>,
        why: &Errant,
        held: Option<&Held>,
    ) -> Result<Taken> {
        let config = &self.settings.config;
        let place = (topic.to_owned(), record.partition, record.offset);
        let known = self.last_refusal().as_ref() == Some(&place);
        if !known {
            if let Some(dead_letters) = &mut self.dead_letters {
                if !dead_letters.send(topic, record, why)? {
                    let why = "the dead-letter topic takes no more at present";
                    let now = self.clock.monotonic();
                    return Ok(Taken::Later(self.patience.pending(held, why, now)));
                }
                self.counts.dead_letters += 1;
            }
            if config.errors.log {
                log(config.errors.log_records, self.settings, topic, record, why);
                self.counts.logged += 1;
            }
        }
        self.counts.failures += 1;
        self.counts.errors += 1;
        self.counts.last_error_ms = Some(self.clock.now_us() / 1_000);
        if config.errors.tolerance == Tolerance::All {
            self.counts.skipped += 1;
            return Ok(Taken::Accounted);
        }
        *self.last_refusal() = Some(place);
        self.refused.get_or_insert_with(|| {
            Error::new(
                ErrorKind::Data,
                format!(
                    "Tolerance exceeded in error handler: record `{}` of partition `{}` of topic \
                     `{topic}`: {}; what came before it is committed; change the configuration, \
                     or set `errors.tolerance` to `all`",
                    record.offset,
                    record.partition,
                    shown(self.settings, why)
                ),
            )
        });
        Ok(Taken::Refused)
    }
}

/// What a record is without transforms.
fn plain(decoder: &mut Decoder, converted: Converted) -> Outcome {
    match converted.value {
        None => Outcome::Original,
        Some(value) => Outcome::Converted(decoder.land(value)),
    }
}

fn transformed(
    decoder: &mut Decoder,
    chain: &Chain,
    record: ConnectRecord,
) -> Result<Outcome, Errant> {
    let made = chain.apply(record).map_err(Errant::from)?;
    Ok(made.map_or(Outcome::Filtered, |made| Outcome::Changed {
        table: made.topic,
        value: decoder.land(made.value),
    }))
}

/// What converters and transforms made of a record.
enum Outcome {
    /// It lands as the engine reads it.
    Original,
    /// It lands in its topic's own table.
    Converted(Value),
    Filtered,
    Changed {
        /// The topic that it has now, which is the table that it lands in.
        table: String,
        value: Value,
    },
}

impl Outcome {
    /// The same, if there can be such a table.
    fn checked(self, tables: &Tables) -> Result<Self, Errant> {
        let Self::Changed { table, .. } = &self else {
            return Ok(self);
        };
        let why = match check_topic(table) {
            Err(allowed) => format!("a topic's name is {allowed}"),
            Ok(()) if !tables.takes(table) => "there are too many of them at a time".to_owned(),
            Ok(()) => return Ok(self),
        };
        let text = format!("the transforms send the record to the topic `{table}`: {why}");
        Err(Errant {
            stage: Stage::Transformation,
            class: "io.eddy.Tables".to_owned(),
            alias: None,
            exception: "org.apache.kafka.connect.errors.ConnectException",
            message: text.clone(),
            text,
        })
    }
}

/// The reason as logs and the task's status may have it: it quotes values, and some connectors have
/// values that nobody may see.
fn shown(settings: &TaskSettings, why: &Errant) -> String {
    match settings.config.redaction {
        None => why.reason(),
        Some(_) => format!("{}: {} (withheld)", why.stage.as_str(), why.class),
    }
}

fn log(with_record: bool, settings: &TaskSettings, topic: &str, record: &Record<'_>, why: &Errant) {
    let (connector, task) = (&settings.config.name, settings.task);
    let (stage, class, error) = (why.stage.as_str(), &why.class, shown(settings, why));
    if with_record {
        tracing::error!(%connector, task, stage, %class, %error, topic,
            partition = record.partition, offset = record.offset,
            timestamp_ms = record.timestamp_ms, "a record failed");
    } else {
        tracing::error!(%connector, task, stage, %class, %error, "a record failed");
    }
}
