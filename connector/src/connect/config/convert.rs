//! Which converters a connector has, and how they read.
//!
//! Classes have the names that Connect knows them by (`def`), or short ones of ours. Connect's own
//! defaults count for a class by a name of Connect's (`schemas.enable` of its JSON converter is
//! `true`); the short `json` is plain JSON.

use std::collections::BTreeMap;

use super::{Reader, def};
use crate::convert::{
    AvroOptions, ConversionSettings, ConverterSettings, KEYS, Primitive, ProtobufOptions,
    RegistrySettings, is_key,
};
use crate::error::{Error, Result};

/// Connect's tools want a class for the default too.
const AUTO: &str = "io.eddy.AutoConverter";

/// A converter's short name, and the class that it stands for.
const CLASSES: [(&str, &str); 13] = [
    ("json", "org.apache.kafka.connect.json.JsonConverter"),
    ("string", "org.apache.kafka.connect.storage.StringConverter"),
    (
        "bytes",
        "org.apache.kafka.connect.converters.ByteArrayConverter",
    ),
    (
        "boolean",
        "org.apache.kafka.connect.converters.BooleanConverter",
    ),
    (
        "short",
        "org.apache.kafka.connect.converters.ShortConverter",
    ),
    (
        "integer",
        "org.apache.kafka.connect.converters.IntegerConverter",
    ),
    ("long", "org.apache.kafka.connect.converters.LongConverter"),
    (
        "float",
        "org.apache.kafka.connect.converters.FloatConverter",
    ),
    (
        "double",
        "org.apache.kafka.connect.converters.DoubleConverter",
    ),
    (
        "simple",
        "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    ),
    ("avro", "io.confluent.connect.avro.AvroConverter"),
    (
        "protobuf",
        "io.confluent.connect.protobuf.ProtobufConverter",
    ),
    (
        "json_schema",
        "io.confluent.connect.json.JsonSchemaConverter",
    ),
];

/// Options that the tables of keys don't have.
const OTHERS: [&str; 3] = [
    "encoding",
    "json.fail.invalid.schema",
    "optional.for.proto2",
];

/// Whether a key is one of a converter's.
pub(super) fn is_known(key: &str) -> bool {
    let mut rests = KEYS.iter().filter_map(|kind| key.strip_prefix(kind));
    rests.any(|rest| match rest.strip_prefix('.') {
        Some(option) => is_option(option),
        None => rest.is_empty(),
    })
}

/// Whether some converter has it. Not all make a difference to what lands: `README.md` says which.
fn is_option(option: &str) -> bool {
    let kinds = [def::Kind::Converter, def::Kind::HeaderConverter];
    let mut classes = def::classes().iter();
    OTHERS.contains(&option)
        || is_key(option)
        || option == "plugin.version"
        || classes
            .any(|class| class.key(option).is_some() && kinds.iter().any(|kind| class.has(*kind)))
}

/// Reads the converters.
pub(super) fn read(reader: &Reader<'_>) -> Result<ConversionSettings> {
    let [key, value, header] = KEYS;
    Ok(ConversionSettings {
        key: Options::of(reader, key).read()?,
        value: Options::of(reader, value).read()?,
        header: Options::of(reader, header).read()?,
    })
}

/// The options of one converter.
struct Options<'a> {
    connector: &'a str,
    kind: &'static str,
    class: Option<&'a str>,
    keys: BTreeMap<String, String>,
}

impl<'a> Options<'a> {
    fn of(reader: &'a Reader<'_>, kind: &'static str) -> Self {
        let own = reader.map.iter().filter_map(|(key, value)| {
            let key = key.strip_prefix(kind)?.strip_prefix('.')?;
            Some((key.to_owned(), value.clone()))
        });
        Self {
            connector: reader.name,
            kind,
            class: reader.text(kind),
            keys: own.collect(),
        }
    }

    fn read(&self) -> Result<ConverterSettings> {
        let Some(class) = self.class.filter(|class| *class != "auto") else {
            return Ok(ConverterSettings::Auto);
        };
        let headers = self.kind == "header.converter";
        let kind = match headers {
            true => def::Kind::HeaderConverter,
            false => def::Kind::Converter,
        };
        let of_connect = def::find(kind, class).map(|class| class.name.as_str());
        if of_connect == Some(AUTO) {
            return Ok(ConverterSettings::Auto);
        }
        let found = CLASSES.iter().find(|(short, full)| match of_connect {
            Some(name) => name == *full,
            None => class.eq_ignore_ascii_case(short),
        });
        let Some((short, _)) = found else {
            let names: Vec<&str> = CLASSES.iter().map(|(short, _)| *short).collect();
            return Err(self.wrong(
                "",
                class,
                &format!("`auto`, {}, or Connect's class of one", names.join(", ")),
            ));
        };
        Ok(match *short {
            "string" => ConverterSettings::Primitive(self.encoding()?),
            "bytes" => ConverterSettings::Primitive(Primitive::Bytes),
            "boolean" => ConverterSettings::Primitive(Primitive::Boolean),
            "short" => ConverterSettings::Primitive(Primitive::Short),
            "integer" => ConverterSettings::Primitive(Primitive::Integer),
            "long" => ConverterSettings::Primitive(Primitive::Long),
            "float" => ConverterSettings::Primitive(Primitive::Float),
            "double" => ConverterSettings::Primitive(Primitive::Double),
            "simple" if headers => ConverterSettings::Auto,
            "json" => self.json(of_connect.is_some())?,
            "avro" if !headers => {
                let options = AvroOptions {
                    flatten_singletons: self.flag("flatten.singleton.unions", true)?,
                    numbered_branches: self.flag("generalized.sum.type.support", false)?,
                    full_names: self.flag("enhanced.avro.schema.support", false)?,
                };
                ConverterSettings::Avro(Box::new(self.registry()?), options)
            }
            "protobuf" if !headers => {
                let options = ProtobufOptions {
                    int_for_enums: self.flag("int.for.enums", false)?,
                    wrapper_for_nullables: self.flag("wrapper.for.nullables", false)?,
                    wrapper_for_raw: self.flag("wrapper.for.raw.primitives", true)?,
                    index_for_unions: self.flag("generate.index.for.unions", true)?,
                    flatten_unions: self.flag("flatten.unions", false)?,
                };
                ConverterSettings::Protobuf(Box::new(self.registry()?), options)
            }
            "json_schema" if !headers => ConverterSettings::JsonSchema(Box::new(self.registry()?)),
            _ => return Err(self.wrong("", class, "a converter that can read this")),
        })
    }

    fn json(&self, by_class: bool) -> Result<ConverterSettings> {
        let by_class = by_class && self.kind != "header.converter";
        if !self.flag("schemas.enable", by_class)? {
            return Ok(ConverterSettings::Json);
        }
        let content = self.keys.get("schema.content");
        Ok(ConverterSettings::JsonWithSchemas {
            content: content.filter(|text| !text.trim().is_empty()).cloned(),
            kept: self.number("schemas.cache.size", 1_000)?,
            replace_null: self.flag("replace.null.with.default", true)?,
        })
    }

    fn registry(&self) -> Result<RegistrySettings> {
        RegistrySettings::read(&self.keys).map_err(|error| {
            let (connector, kind) = (self.connector, self.kind);
            Error::invalid(format!("connector `{connector}`: `{kind}`: {error}"))
        })
    }

    fn encoding(&self) -> Result<Primitive> {
        let own = self.keys.get("encoding");
        let name = own.or_else(|| self.keys.get("converter.encoding"));
        match name.map(|name| name.trim().to_ascii_uppercase()).as_deref() {
            None | Some("" | "UTF-8" | "UTF8" | "US-ASCII" | "ASCII") => Ok(Primitive::Text),
            Some("ISO-8859-1" | "ISO8859_1" | "LATIN1") => Ok(Primitive::Latin),
            Some(other) => Err(self.wrong(".encoding", other, "`UTF-8` or `ISO-8859-1`")),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.keys.get(key).map(|value| value.trim()) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => Err(self.wrong(&format!(".{key}"), value, "`true` or `false`")),
        }
    }

    fn number(&self, key: &str, default: usize) -> Result<usize> {
        let Some(text) = self.keys.get(key).map(|value| value.trim()) else {
            return Ok(default);
        };
        text.parse()
            .map_err(|_| self.wrong(&format!(".{key}"), text, "a whole number"))
    }

    fn wrong(&self, key: &str, value: &str, allowed: &str) -> Error {
        let (connector, kind) = (self.connector, self.kind);
        Error::invalid(format!(
            "connector `{connector}`: `{kind}{key}` is `{value}`; allowed is {allowed}"
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use eddy_engine::shred::Converter;

    use super::super::tests::parse;
    use super::*;
    use crate::connect::ConnectorConfig;

    const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

    fn read(entries: &[(&str, &str)]) -> Result<ConnectorConfig> {
        parse(&[&[("topics", "a")], entries].concat())
    }

    #[test]
    fn plain_json_is_read_by_the_engine_and_costs_nothing_more() {
        let json = ConversionSettings {
            value: ConverterSettings::Json,
            ..ConversionSettings::default()
        };
        for class in ["json", JSON, "JsonConverter", "Json"] {
            let plain = ("value.converter.schemas.enable", "false");
            let config = read(&[("value.converter", class), plain]).unwrap();
            assert_eq!(
                (config.converter, config.conversion),
                (Converter::Json, json.clone())
            );
        }
        assert_eq!(
            read(&[("value.converter", "json")]).unwrap().conversion,
            json
        );
        for class in ["auto", AUTO, "AutoConverter"] {
            let header = ("header.converter", "simple");
            let config = read(&[("value.converter", class), ("key.converter", class), header]);
            let config = config.unwrap();
            assert_eq!(
                (config.converter, config.conversion),
                (Converter::Auto, ConversionSettings::default())
            );
        }
    }

    #[test]
    fn connects_json_has_schemas_unless_it_is_told_otherwise() {
        let config = read(&[("value.converter", JSON)]).unwrap();
        assert!(matches!(
            config.conversion.value,
            ConverterSettings::JsonWithSchemas {
                content: None,
                replace_null: true,
                ..
            }
        ));
    }

    #[test]
    fn registered_formats_need_a_registry_and_keep_their_options() {
        let url = ("value.converter.schema.registry.url", "http://x:8081");
        let class = (
            "value.converter",
            "io.confluent.connect.protobuf.ProtobufConverter",
        );
        let enums = ("value.converter.int.for.enums", "TRUE");
        let config = read(&[url, class, enums]).unwrap();
        let ConverterSettings::Protobuf(registry, options) = config.conversion.value else {
            panic!("{:?}", config.conversion)
        };
        assert_eq!(registry.urls, ["http://x:8081"]);
        assert!(options.int_for_enums && options.wrapper_for_raw);
        let error = read(&[("key.converter", "avro")]).unwrap_err().to_string();
        assert!(error.contains("`key.converter`") && error.contains("schema.registry.url"));
    }

    #[test]
    fn unknown_classes_and_wrong_options_are_refused_with_what_is_allowed() {
        for (key, value, needle) in [
            ("value.converter", "com.example.Mine", "json_schema"),
            ("header.converter", "avro", "`avro`"),
            ("value.converter", "simple", "`simple`"),
        ] {
            let error = read(&[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(needle), "{error}");
        }
        let wrong = [
            ("value.converter", JSON),
            ("value.converter.schemas.enable", "maybe"),
        ];
        let error = read(&wrong).unwrap_err().to_string();
        assert!(error.contains("schemas.enable` is `maybe`"), "{error}");
        let wrong = [
            ("key.converter", "string"),
            ("key.converter.encoding", "EBCDIC"),
        ];
        assert!(read(&wrong).unwrap_err().to_string().contains("ISO-8859-1"));
    }

    #[test]
    fn keys_of_converters_are_known_and_others_are_not() {
        for key in [
            "value.converter",
            "key.converter.schema.registry.basic.auth.user.info",
            "value.converter.basic.auth.credentials.source",
            "header.converter.schemas.enable",
            "value.converter.schema.registry.ssl.truststore.location",
        ] {
            assert!(is_known(key), "{key}");
        }
        for key in ["value.converters", "value.converter.sche.mas", "other"] {
            assert!(!is_known(key), "{key}");
        }
    }
}
