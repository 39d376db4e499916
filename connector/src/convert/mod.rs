//! Converters: what the bytes of keys, values and headers say.
//!
//! ```text
//! record -> wire (which schema) -> registry (the schema) -> avro, protobuf, json_schema -> Datum
//!       \-> json, primitive, header ----------------------------------------------------/   |
//!                                                             columns <- Value <- land -----/
//! ```
//!
//! The default, `auto`, and JSON without schemas need none of this: the engine reads their bytes
//! by itself. Each task has converters of its own ([`Converters`]), which keep compiled schemas;
//! what a connector's tasks share is the registry ([`Conversion`]).
//!
//! | what happens | what becomes of the record |
//! |---|---|
//! | it can't be read, or its schema doesn't exist | a row with `_error`, alone |
//! | the registry doesn't answer | nothing yet: its partition waits and is read again |
//!
//! Values are read by the schema that they were written with. A topic whose records alternate
//! between schemas fills one table: its columns are what all of them have (P11).

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

use eddy_engine::{Clock, Header, Record};

use crate::data::Datum;
use crate::error::Result;
use json::JsonConverter;
use registered::RegisteredConverter;
use registry::Registry;

pub(crate) use avro::AvroOptions;
pub use header::simple;
pub(crate) use land::Landing;
pub(crate) use primitive::Primitive;
pub(crate) use protobuf::ProtobufOptions;
pub(crate) use registry::{RegistrySettings, is_key};
pub(crate) use settings::{ConversionSettings, ConverterSettings};

/// What the tasks of one connector share.
#[derive(Debug, Clone)]
pub(crate) struct Conversion {
    settings: ConversionSettings,
    key: Option<Arc<Registry>>,
    value: Option<Arc<Registry>>,
}

/// A task's converters.
#[derive(Debug)]
pub(crate) struct Converters {
    key: Option<Converter>,
    value: Option<Converter>,
    header: Option<Converter>,
}

/// What the converters made of a record.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    pub(crate) key: Option<Datum>,
    /// `None`: the engine reads the value's bytes.
    pub(crate) value: Option<Datum>,
    pub(crate) key_schema_id: Option<i32>,
    pub(crate) value_schema_id: Option<i32>,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The record's own fault: the stage and the reason.
    Broken(String),
    /// Nobody's fault that a record could help; it is tried again.
    Later(String),
}

/// One converter of one task.
#[derive(Debug)]
enum Converter {
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
    pub(crate) fn converters(&self) -> Result<Option<Converters>> {
        let converters = Converters {
            key: self
                .settings
                .key
                .converter(wire::KEY_HEADER, self.key.as_ref())?,
            value: self
                .settings
                .value
                .converter(wire::VALUE_HEADER, self.value.as_ref())?,
            header: self.settings.header.converter("", None)?,
        };
        let Converters { key, value, header } = &converters;
        let any = key.is_some() || value.is_some() || header.is_some();
        Ok(any.then_some(converters))
    }
}

impl Converters {
    /// Converts a record; what is known of it so far stands in `into` in any case.
    ///
    /// # Errors
    /// Why it can't be converted.
    pub(crate) fn convert(
        &mut self,
        record: &Record<'_>,
        into: &mut Converted,
    ) -> Result<(), Failure> {
        let headers = record.headers;
        if let Some(key) = &mut self.key {
            let (datum, id) = key.convert("KEY_CONVERTER", headers, record.key);
            into.key_schema_id = id;
            into.key = Some(datum?);
        }
        if let Some(value) = &mut self.value {
            let (datum, id) = value.convert("VALUE_CONVERTER", headers, record.value);
            into.value_schema_id = id;
            into.value = Some(datum?);
        }
        if let Some(header) = &mut self.header {
            for one in headers {
                let (datum, _) = header.convert("HEADER_CONVERTER", &[], one.value);
                datum?;
            }
        }
        Ok(())
    }
}

impl Converter {
    /// The value of some bytes, and the registry's id of their schema as far as it is known.
    fn convert(
        &mut self,
        stage: &str,
        headers: &[Header<'_>],
        bytes: Option<&[u8]>,
    ) -> (Result<Datum, Failure>, Option<i32>) {
        let Some(bytes) = bytes else {
            return (Ok(Datum::null()), None);
        };
        let mut id = None;
        let (name, datum) = match self {
            Self::Primitive(primitive) => {
                let datum = primitive.convert(bytes).map_err(Failure::Broken);
                (primitive.name(), datum)
            }
            Self::Json(json) => ("json", json.convert(bytes).map_err(Failure::Broken)),
            Self::Registered(registered) => {
                let datum = registered.convert(headers, bytes, &mut id);
                (registered.name(), datum)
            }
        };
        let datum = datum.map_err(|failure| match failure {
            Failure::Broken(why) => Failure::Broken(format!("{stage}: {name}: {why}")),
            later => later,
        });
        (datum, id)
    }
}

#[cfg(test)]
mod tests;
