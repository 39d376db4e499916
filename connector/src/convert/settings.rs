//! Which converter a connector has for what, and how it reads.

use std::sync::Arc;

use super::Converter;
use super::avro::AvroOptions;
use super::json::JsonConverter;
use super::primitive::Primitive;
use super::protobuf::ProtobufOptions;
use super::registered::{Format, RegisteredConverter};
use super::registry::{Registry, RegistrySettings};
use crate::error::{Error, Result};

/// The converters of one connector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConversionSettings {
    pub(crate) key: ConverterSettings,
    pub(crate) value: ConverterSettings,
    pub(crate) header: ConverterSettings,
}

/// One converter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ConverterSettings {
    /// None: values are read by the engine, keys and headers are their bytes.
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

    pub(super) fn converter(
        &self,
        header: &'static str,
        registry: Option<&Arc<Registry>>,
    ) -> Result<Option<Converter>> {
        let registered = |format| {
            let registry = registry.cloned()?;
            let kept = self.registry().map_or(1, |settings| settings.kept);
            let converter = RegisteredConverter::new(registry, header, format, kept);
            Some(Converter::Registered(Box::new(converter)))
        };
        Ok(match self {
            Self::Auto => None,
            Self::Primitive(primitive) => Some(Converter::Primitive(*primitive)),
            Self::Json => Some(Converter::Json(Box::new(JsonConverter::schemaless()))),
            Self::JsonWithSchemas {
                content,
                kept,
                replace_null,
            } => {
                let json = JsonConverter::with_schemas(content.as_deref(), *kept, *replace_null);
                let json = json.map_err(|why| {
                    Error::invalid(format!("`schema.content` can't be used: {why}"))
                })?;
                Some(Converter::Json(Box::new(json)))
            }
            Self::Avro(_, options) => registered(Format::Avro(*options)),
            Self::Protobuf(_, options) => registered(Format::Protobuf(*options)),
            Self::JsonSchema(_) => registered(Format::JsonSchema),
        })
    }
}
