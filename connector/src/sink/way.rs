//! A record's way where somebody has to look at it before it lands: converters, transforms, or an
//! errors policy that wants to know of each failure.

use std::sync::{Mutex, PoisonError};

use eddy_engine::write::Payload;
use eddy_engine::{Avro, Decoded, Record, Value};

use crate::connect::{Tolerance, check_topic};
use crate::convert::Converted;
use crate::data::ConnectRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::sink::dead_letters::DeadLetters;
use crate::sink::decode::{Decoder, Undecoded, connect_record};
use crate::sink::errant::{Errant, Stage};
use crate::sink::tables::Tables;
use crate::sink::task::TaskSettings;
use crate::transform::Chain;

/// Looks at records.
pub(super) struct Way<'a> {
    settings: &'a TaskSettings,
    /// `None` where nobody has to look.
    decoder: Option<Decoder>,
    dead_letters: Option<DeadLetters>,
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
    Later(String),
}

impl<'a> Way<'a> {
    /// # Errors
    /// As [`DeadLetters::open`] and [`Decoder::open`].
    pub(super) fn open(settings: &'a TaskSettings) -> Result<Self> {
        let (lake, kafka) = (&settings.lake, &settings.producer);
        Ok(Self {
            settings,
            decoder: Decoder::open(settings)?,
            dead_letters: DeadLetters::open(lake, kafka, &settings.config, settings.task)?,
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

    /// Waits until every dead letter is acknowledged.
    ///
    /// # Errors
    /// As [`DeadLetters::settle`].
    pub(super) fn settle(&mut self) -> Result<()> {
        let settled = self
            .dead_letters
            .as_mut()
            .map_or(Ok(()), DeadLetters::settle);
        if settled.is_err() {
            // Whoever wants to know of the record has not been told.
            *self
                .settings
                .refusal
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = None;
        }
        settled
    }

    /// Hands a record to its writer, converted and transformed.
    ///
    /// # Errors
    /// Outside `Unavailable` for a dead letter, and what keeps a table from being opened; inside
    /// the engine's.
    pub(super) fn append(
        &mut self,
        topic: &str,
        writer: &mut Tables,
        record: &Record<'_>,
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
            Err(Undecoded::Later(why)) => return Ok(Ok(Taken::Later(why))),
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
                value_avro: value_avro.and_then(|avro| {
                    Some(Avro {
                        schema: &avro.schema,
                        bytes: record.value?.get(avro.behind..)?,
                    })
                }),
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
                let taken = self.tell(topic, record, &why)?;
                if taken == Taken::Refused {
                    return Ok(Ok(taken));
                }
                let reason = why.reason();
                writer.append(topic, &row, Payload::Failed(&reason))
            }
        }
        .map(accounted)
    }

    /// Tells whoever wants to know that a record failed.
    fn tell(&mut self, topic: &str, record: &Record<'_>, why: &Errant) -> Result<Taken> {
        let config = &self.settings.config;
        let place = (topic.to_owned(), record.partition, record.offset);
        let tolerated = config.errors.tolerance == Tolerance::All;
        let known = {
            let last = &self.settings.refusal;
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let known = last.as_ref() == Some(&place);
            if !tolerated {
                *last = Some(place);
            }
            known
        };
        if !known {
            if config.errors.log {
                log(config.errors.log_records, self.settings, topic, record, why);
            }
            if let Some(dead_letters) = &mut self.dead_letters {
                dead_letters.send(topic, record, why)?;
            }
        }
        if tolerated {
            return Ok(Taken::Accounted);
        }
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
