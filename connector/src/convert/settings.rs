//! Which converter a connector has for what, and how it reads.

use std::sync::Arc;

use super::avro::AvroOptions;
use super::json::JsonConverter;
use super::primitive::Primitive;
use super::protobuf::ProtobufOptions;
use super::registered::{Format, RegisteredConverter};
use super::registry::{Registry, RegistrySettings};
use super::wire::{KEY_HEADER, VALUE_HEADER};
use super::{Converter, Part};
use crate::error::{Error, Result};

/// The converters of one connector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConversionSettings {
    pub(crate) key: ConverterSettings,
    pub(crate) value: ConverterSettings,
    pub(crate) header: ConverterSettings,
}

impl ConversionSettings {
    /// How the engine reads values that no converter does.
    pub(crate) fn by_engine(&self) -> eddy_engine::shred::Converter {
        match self.value {
            ConverterSettings::Json => eddy_engine::shred::Converter::Json,
            _ => eddy_engine::shred::Converter::Auto,
        }
    }
}

/// One converter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ConverterSettings {
    /// None in particular: values are read by the engine, keys and headers are their bytes.
    #[default]
    Auto,
    Primitive(Primitive),
    /// JSON as it came.
    Json,
    /// JSON with schemas.
    JsonWithSchemas {
        /// One schema for all values, which then have no envelope.
        content: Option<String>,
        /// Schemas that are kept.
        kept: usize,
        /// A default stands for null too.
        replace_null: bool,
    },
    Avro(Box<RegistrySettings>, AvroOptions),
    Protobuf(Box<RegistrySettings>, ProtobufOptions),
    JsonSchema(Box<RegistrySettings>),
}

impl ConverterSettings {
    pub(super) fn registry(&self) -> Option<&RegistrySettings> {
        match self {
            Self::Avro(registry, _) | Self::Protobuf(registry, _) | Self::JsonSchema(registry) => {
                Some(registry)
            }
            _ => None,
        }
    }

    /// Whether the engine reads such values by itself, straight into the columns.
    pub(super) fn is_by_engine(&self) -> bool {
        matches!(self, Self::Auto | Self::Json)
    }

    /// Whether there are headers that it can't read: else they keep their bytes and nobody has to
    /// look.
    pub(super) fn may_refuse(&self) -> bool {
        !matches!(
            self,
            Self::Auto | Self::Primitive(Primitive::Text | Primitive::Latin | Primitive::Bytes)
        )
    }

    /// # Errors
    /// `Invalid` for a schema that is none, and without the registry that it needs.
    pub(super) fn converter(
        &self,
        part: Part,
        registry: Option<&Arc<Registry>>,
    ) -> Result<Converter> {
        let registered = |format| {
            let header = match part {
                Part::Key => KEY_HEADER,
                Part::Value | Part::Header => VALUE_HEADER,
            };
            let registry = registry
                .cloned()
                .ok_or_else(|| Error::invalid("a converter needs a schema registry"))?;
            let kept = self.registry().map_or(1, |settings| settings.kept);
            let converter = RegisteredConverter::new(registry, header, format, kept);
            Ok::<_, Error>(Converter::Registered(Box::new(converter)))
        };
        Ok(match self {
            Self::Auto => match part {
                Part::Key => Converter::Lenient,
                Part::Value => Converter::Auto,
                Part::Header => Converter::Simple,
            },
            Self::Primitive(primitive) => Converter::Primitive(*primitive),
            Self::Json => Converter::Json(Box::new(JsonConverter::schemaless())),
            Self::JsonWithSchemas {
                content,
                kept,
                replace_null,
            } => {
                let json = JsonConverter::with_schemas(content.as_deref(), *kept, *replace_null);
                let json = json.map_err(|why| {
                    Error::invalid(format!("`schema.content` can't be used: {why}"))
                })?;
                Converter::Json(Box::new(json))
            }
            Self::Avro(_, options) => registered(Format::Avro(*options))?,
            Self::Protobuf(_, options) => registered(Format::Protobuf(*options))?,
            Self::JsonSchema(_) => registered(Format::JsonSchema)?,
        })
    }
}
