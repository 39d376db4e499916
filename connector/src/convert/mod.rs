//! Converters: what the bytes of keys, values and headers say.
//!
//! ```text
//! record -> wire (which schema) -> registry (the schema) -> avro, protobuf, json_schema -> Datum
//!       \-> json, primitive, header ----------------------------------------------------/   |
//!                                                             columns <- Value <- land -----/
//! ```
//!
//! The default, `auto`, and JSON without schemas need none of this: the engine reads their bytes
//! by itself, unless transforms have to see values, or somebody wants to know of each that can't be
//! read (`Need`). Each task has converters of its own (`Converters`), which keep compiled
//! schemas; what a connector's tasks share is the registry (`Conversion`).
//!
//! | what happens | what becomes of the record |
//! |---|---|
//! | it can't be read, or its schema doesn't exist | a row with `_error`, alone |
//! | the registry doesn't answer | nothing yet: its partition waits and is read again |
//!
//! Values are read by the schema that they were written with. A topic whose records alternate
//! between schemas fills one table: its columns are what all of them have (P11).

mod auto;
mod avro;
mod header;
mod json;
mod json_schema;
mod land;
mod primitive;
mod protobuf;
mod registered;
mod registry;
mod settings;
mod time;
mod wire;

use std::sync::Arc;

use eddy_engine::{Avro, Clock, Header, Record};

use crate::data::Datum;
use crate::error::Result;
use json::JsonConverter;
use registered::RegisteredConverter;
use registry::Registry;

pub(crate) use avro::AvroOptions;
pub use header::simple;
pub(crate) use header::text as header_text;
pub(crate) use land::Landing;
pub(crate) use primitive::Primitive;
pub(crate) use protobuf::ProtobufOptions;
pub(crate) use registry::{RegistrySettings, is_key};
pub(crate) use settings::{ConversionSettings, ConverterSettings};

/// The keys that name converters, and begin those of their options.
pub(crate) const KEYS: [&str; 3] = ["key.converter", "value.converter", "header.converter"];

/// Whether a connector's key says what converters make of bytes; where a registry is does not.
pub(crate) fn shapes_values(key: &str) -> bool {
    let mut rests = KEYS.iter().filter_map(|name| key.strip_prefix(name));
    rests.any(|rest| match rest.strip_prefix('.') {
        Some(option) => !is_key(option),
        None => rest.is_empty(),
    })
}

/// What the tasks of one connector share.
#[derive(Debug, Clone)]
pub(crate) struct Conversion {
    settings: ConversionSettings,
    key: Option<Arc<Registry>>,
    value: Option<Arc<Registry>>,
}

/// What a task needs of what the engine could read by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Columns,
    /// To know whether a value can be read.
    Checks,
    /// Keys, values and headers, whatever they are.
    Everything,
}

/// A task's converters.
#[derive(Debug)]
pub(crate) struct Converters {
    key: Option<Converter>,
    value: Option<Converter>,
    header: Option<Converter>,
    /// Somebody configured how keys are read.
    decodes_keys: bool,
    /// Values are only checked: the engine reads them again.
    only_checks: bool,
}

/// What the converters made of a record.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    pub(crate) key: Option<Datum>,
    /// `None`: the engine reads the value's bytes.
    pub(crate) value: Option<Datum>,
    pub(crate) headers: Vec<(String, Datum)>,
    pub(crate) key_schema_id: Option<i32>,
    pub(crate) value_schema_id: Option<i32>,
    /// Somebody wants to know what is Avro.
    pub(crate) wants_avro: bool,
    pub(crate) key_avro: Option<AvroSource>,
    pub(crate) value_avro: Option<AvroSource>,
}

/// Where a key or a value has Avro.
#[derive(Debug, Clone)]
pub(crate) struct AvroSource {
    /// Its schema, which needs no other.
    pub(crate) schema: Arc<str>,
    /// Behind so many of the bytes.
    pub(crate) behind: usize,
}

impl AvroSource {
    /// What of the bytes is Avro, with its schema.
    pub(crate) fn of<'a>(&'a self, bytes: Option<&'a [u8]>) -> Option<Avro<'a>> {
        Some(Avro {
            schema: &self.schema,
            bytes: bytes?.get(self.behind..)?,
        })
    }
}

/// What is known of the bytes of a part of a record besides what they say.
#[derive(Debug, Default)]
struct Source {
    /// The registry's id of their schema.
    id: Option<i32>,
    wants_avro: bool,
    avro: Option<AvroSource>,
}

/// What of a record a converter reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Key,
    Value,
    Header,
}

/// Why a record has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unconverted {
    /// Its own fault.
    Broken {
        part: Part,
        /// The converter, by Connect's name.
        class: &'static str,
        why: String,
    },
    /// Nobody's fault that a record could help; it is tried again.
    Later(Later),
}

/// What a record waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Later {
    pub(crate) part: Part,
    /// The converter, by Connect's name.
    pub(crate) class: &'static str,
    pub(crate) why: String,
    /// An attempt has failed; else its answer is on its way.
    pub(crate) failed: bool,
}

/// Why some bytes have no value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    Broken(String),
    /// An answer is on its way.
    Pending(String),
    /// Who was asked doesn't answer.
    Away(String),
}

/// One converter of one task.
#[derive(Debug)]
enum Converter {
    /// The default of values.
    Auto,
    /// The default of keys.
    Lenient,
    /// The default of headers.
    Simple,
    Primitive(Primitive),
    Json(Box<JsonConverter>),
    Registered(Box<RegisteredConverter>),
}

impl Conversion {
    /// Starts what the connector's tasks share.
    ///
    /// # Errors
    /// `Invalid` for settings of a registry that can't work.
    pub(crate) fn start(settings: &ConversionSettings, clock: &Clock) -> Result<Self> {
        let start = |settings: Option<&RegistrySettings>| {
            let started = settings.map(|settings| Registry::start(settings, clock.clone()));
            Ok::<_, crate::Error>(started.transpose()?.map(Arc::new))
        };
        let (keys, values) = (settings.key.registry(), settings.value.registry());
        let value = start(values)?;
        let key = match keys == values {
            true => value.clone(),
            false => start(keys)?,
        };
        Ok(Self {
            settings: settings.clone(),
            key,
            value,
        })
    }

    /// The converters of one task; `None` where the engine needs none.
    ///
    /// # Errors
    /// `Invalid` for a schema in the settings that is none.
    pub(crate) fn converters(&self, need: Need) -> Result<Option<Converters>> {
        let everything = need == Need::Everything;
        let ConversionSettings { key, value, header } = &self.settings;
        let by_engine = value.is_by_engine();
        let keys = everything || *key != ConverterSettings::Auto;
        let values = need != Need::Columns || !by_engine;
        let headers = everything || header.may_refuse();
        if !(keys || values || headers) {
            return Ok(None);
        }
        let converter = |wanted: bool, settings: &ConverterSettings, part, registry| {
            let made = wanted.then(|| settings.converter(part, registry));
            made.transpose()
        };
        Ok(Some(Converters {
            key: converter(keys, key, Part::Key, self.key.as_ref())?,
            value: converter(values, value, Part::Value, self.value.as_ref())?,
            header: converter(headers, header, Part::Header, None)?,
            decodes_keys: *key != ConverterSettings::Auto,
            only_checks: by_engine && !everything,
        }))
    }
}

impl Converters {
    /// Whether the keys that they make are what somebody configured.
    pub(crate) fn decodes_keys(&self) -> bool {
        self.decodes_keys
    }

    /// Converts a record; what is known of it so far stands in `into` in any case.
    ///
    /// # Errors
    /// Why it can't be converted.
    pub(crate) fn convert(
        &mut self,
        record: &Record<'_>,
        into: &mut Converted,
    ) -> Result<(), Unconverted> {
        let headers = record.headers;
        if let Some(key) = &mut self.key {
            let mut source = Source::new(into.wants_avro);
            let datum = key.part(Part::Key, headers, record.key, &mut source);
            (into.key_schema_id, into.key_avro) = (source.id, source.avro);
            into.key = Some(datum?);
        }
        if let Some(value) = &mut self.value {
            let mut source = Source::new(into.wants_avro);
            let datum = value.part(Part::Value, headers, record.value, &mut source);
            (into.value_schema_id, into.value_avro) = (source.id, source.avro);
            let value = datum?;
            into.value = (!self.only_checks).then_some(value);
        }
        if let Some(header) = &mut self.header {
            for one in headers {
                let datum = header.part(Part::Header, &[], one.value, &mut Source::default())?;
                into.headers.push((one.name.to_owned(), datum));
            }
        }
        Ok(())
    }
}

impl Source {
    fn new(wants_avro: bool) -> Self {
        Self {
            wants_avro,
            ..Self::default()
        }
    }
}

impl Converter {
    /// The value of a part of a record; `source` has what else is known as soon as it is.
    fn part(
        &mut self,
        part: Part,
        headers: &[Header<'_>],
        bytes: Option<&[u8]>,
        source: &mut Source,
    ) -> Result<Datum, Unconverted> {
        let Some(bytes) = bytes else {
            return Ok(Datum::null());
        };
        let converted = self.convert(headers, bytes, source);
        let class = self.class();
        let later = |why, failed| {
            Unconverted::Later(Later {
                part,
                class,
                why,
                failed,
            })
        };
        converted.map_err(|failure| match failure {
            Failure::Broken(why) => Unconverted::Broken { part, class, why },
            Failure::Pending(why) => later(why, false),
            Failure::Away(why) => later(why, true),
        })
    }

    fn convert(
        &mut self,
        headers: &[Header<'_>],
        bytes: &[u8],
        source: &mut Source,
    ) -> Result<Datum, Failure> {
        match self {
            Self::Auto => auto::value(bytes).map_err(Failure::Broken),
            Self::Lenient => Ok(auto::lenient(bytes)),
            Self::Simple => Ok(simple(Some(bytes))),
            Self::Primitive(primitive) => primitive.convert(bytes).map_err(Failure::Broken),
            Self::Json(json) => json.convert(bytes).map_err(Failure::Broken),
            Self::Registered(registered) => registered.convert(headers, bytes, source),
        }
    }

    /// Connect's class of the same.
    fn class(&self) -> &'static str {
        match self {
            // What `auto` refuses is JSON that is broken.
            Self::Auto | Self::Lenient | Self::Json(_) => JSON,
            Self::Simple => "org.apache.kafka.connect.storage.SimpleHeaderConverter",
            Self::Primitive(primitive) => primitive.class(),
            Self::Registered(registered) => registered.class(),
        }
    }
}

/// The class that Connect's users know for JSON.
pub(crate) const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

#[cfg(test)]
mod tests;
