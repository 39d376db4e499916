//! A record as converters make it and transforms change it: Kafka Connect's data model.
//!
//! Connect gives a value an optional schema. A value's own kind ([`Value`]) says nearly all of what
//! a column needs; the schema says the rest: how wide an integer is, whether an object is a map or
//! a struct, what may be missing and what stands for it, and names that transforms go by. A value
//! without a schema is what Connect calls schemaless: JSON as it came.
//!
//! How Connect's Java values lie in a [`Value`]:
//!
//! | Connect | [`Value`] |
//! |---|---|
//! | int8, int16, int32, int64 | `Integer` |
//! | float32, float64 | `Double` |
//! | boolean, string, bytes, array | `Boolean`, `Text`, `Binary`, `List` |
//! | struct, map with keys of text | `Object` |
//! | map with other keys | `List` of `Object`s with `key` and `value` |
//! | [`DECIMAL`], [`DATE`] | `Decimal`, `Date` |
//! | [`TIMESTAMP`] | `Timestamp`, in microseconds |
//! | [`TIME`] | `Integer`, milliseconds since midnight |

use std::collections::BTreeMap;
use std::sync::Arc;

use eddy_engine::Value;

/// The name of Connect's schema of an exact number; its parameter `scale` counts the digits behind
/// the point.
pub const DECIMAL: &str = "org.apache.kafka.connect.data.Decimal";
/// The name of Connect's schema of a day.
pub const DATE: &str = "org.apache.kafka.connect.data.Date";
/// The name of Connect's schema of a time of day, in milliseconds.
pub const TIME: &str = "org.apache.kafka.connect.data.Time";
/// The name of Connect's schema of a moment.
pub const TIMESTAMP: &str = "org.apache.kafka.connect.data.Timestamp";

/// A record between converter and table.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectRecord {
    /// The topic; a transform may change it.
    pub topic: String,
    /// The partition that the record came from, or that a transform asks for.
    pub partition: Option<i32>,
    /// The record's offset in its source partition.
    pub offset: i64,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: Option<i64>,
    /// The decoded key.
    pub key: Datum,
    /// The decoded value.
    pub value: Datum,
    /// Headers in their order; a name may come twice.
    pub headers: Vec<(String, Datum)>,
}

/// A value and its schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum {
    /// `None`: schemaless.
    pub schema: Option<Arc<Schema>>,
    /// The value; `Null` with any schema, or with none.
    pub value: Value,
}

impl Datum {
    /// A value without a schema.
    pub fn schemaless(value: Value) -> Self {
        Self {
            schema: None,
            value,
        }
    }

    /// Null without a schema: what Connect calls a tombstone where it is a record's value.
    pub fn null() -> Self {
        Self::schemaless(Value::Null)
    }
}

/// Connect's schema of one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// What a value is.
    pub kind: Kind,
    /// Null is a value too.
    pub optional: bool,
    /// What stands for a value that is missing.
    pub default: Option<Value>,
    /// The schema's full name; the name of a logical type ([`DECIMAL`] and its like).
    pub name: Option<String>,
    /// The schema's version.
    pub version: Option<i32>,
    /// A text for people.
    pub doc: Option<String>,
    /// Parameters of a logical type, or of whoever wrote the schema.
    pub parameters: BTreeMap<String, String>,
}

impl Schema {
    /// A schema of a kind and nothing else: required, without a name.
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            optional: false,
            default: None,
            name: None,
            version: None,
            doc: None,
            parameters: BTreeMap::new(),
        }
    }

    /// The same schema, of values that may be null.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The same schema with a name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
}

/// What a value is, by Connect's types.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// An integer of 8 bits.
    Int8,
    /// An integer of 16 bits.
    Int16,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// A float of 32 bits.
    Float32,
    /// A float of 64 bits.
    Float64,
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// Bytes.
    Bytes,
    /// A list of values of one schema.
    Array(Arc<Schema>),
    /// Keys and values.
    Map(Arc<Schema>, Arc<Schema>),
    /// Named fields, in order.
    Struct(Vec<Field>),
}

/// A field of a struct.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its schema.
    pub schema: Arc<Schema>,
}
