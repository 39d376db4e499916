//! Messages with a meaning of their own, and the files of theirs that registries don't keep.

use std::collections::HashMap;

use eddy_engine::Value;
use prost_reflect::{DynamicMessage, Value as Proto};

use crate::convert::time::{decimal, moment_of, time_of_day};

pub(super) const TIMESTAMP: &str = "google.protobuf.Timestamp";
pub(super) const DATE: &str = "google.type.Date";
pub(super) const TIME_OF_DAY: &str = "google.type.TimeOfDay";
pub(super) const DECIMAL: &str = "confluent.type.Decimal";

/// Files that schemas import and serializers take for known: what their messages are made of.
pub(super) fn files() -> HashMap<String, String> {
    [
        (
            "confluent/meta.proto",
            r#"syntax = "proto3"; package confluent;
               import "google/protobuf/descriptor.proto";
               message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
               extend google.protobuf.FileOptions { Meta file_meta = 1088; }
               extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
               extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
               extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
               extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }"#,
        ),
        (
            "confluent/type/decimal.proto",
            r#"syntax = "proto3"; package confluent.type;
               message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }"#,
        ),
        (
            "google/type/date.proto",
            r#"syntax = "proto3"; package google.type;
               message Date { int32 year = 1; int32 month = 2; int32 day = 3; }"#,
        ),
        (
            "google/type/timeofday.proto",
            r#"syntax = "proto3"; package google.type;
               message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }"#,
        ),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into()
}

/// The value that a message of a known type stands for; `None` for other types, and for what has no
/// such value, which is the message that it is.
pub(super) fn value(message: &DynamicMessage) -> Option<Value> {
    let number = |name: &str| match message.get_field_by_name(name)?.as_ref() {
        Proto::I32(number) => Some(i64::from(*number)),
        Proto::I64(number) => Some(*number),
        _ => None,
    };
    match message.descriptor_full_name().as_str() {
        TIMESTAMP => {
            let nanos = number("nanos").filter(|nanos| (0..1_000_000_000).contains(nanos))?;
            let seconds = number("seconds")?;
            let ticks = seconds.checked_mul(1_000_000_000);
            let ticks = ticks.and_then(|ticks| ticks.checked_add(nanos));
            let moment = ticks.map(|ticks| moment_of(ticks, 1_000_000_000));
            moment.or_else(|| {
                let micros = seconds.checked_mul(1_000_000)?.checked_add(nanos / 1_000)?;
                (nanos % 1_000 == 0).then_some(Value::Timestamp(micros))
            })
        }
        DATE => {
            let (year, month, day) = (number("year")?, number("month")?, number("day")?);
            let text = format!("{year:04}-{month:02}-{day:02}");
            eddy_engine::moment::parse_date(text.as_bytes()).map(Value::Date)
        }
        TIME_OF_DAY => {
            let minutes = number("hours")?.checked_mul(60)?;
            let minutes = minutes.checked_add(number("minutes")?)?;
            let seconds = minutes.checked_mul(60)?.checked_add(number("seconds")?)?;
            let ticks = seconds.checked_mul(1_000_000_000)?;
            time_of_day(ticks.checked_add(number("nanos")?)?, 1_000_000_000)
        }
        DECIMAL => {
            let scale = u32::try_from(number("scale")?).ok()?;
            match message.get_field_by_name("value")?.as_ref() {
                Proto::Bytes(bytes) => decimal(bytes, scale),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The message wraps one value so that it may be missing.
pub(super) fn is_wrapper(name: &str) -> bool {
    const WRAPPERS: [&str; 9] = [
        "Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes",
    ];
    let name = name.strip_prefix("google.protobuf.");
    let name = name.and_then(|name| name.strip_suffix("Value"));
    name.is_some_and(|name| WRAPPERS.contains(&name))
}

trait FullName {
    fn descriptor_full_name(&self) -> String;
}

impl FullName for DynamicMessage {
    fn descriptor_full_name(&self) -> String {
        use prost_reflect::ReflectMessage as _;
        self.descriptor().full_name().to_owned()
    }
}
