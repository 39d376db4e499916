//! Messages of one file with everything in it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use eddy_engine::Value;
use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;

use super::{Compiled, ProtobufOptions};
use crate::data::Kind;

const SCHEMA: &str = r#"
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/type/date.proto";
import "confluent/type/decimal.proto";
import "money.proto";
message Order {
  int32 id = 1;
  optional string note = 2;
  uint64 big = 3;
  repeated Item items = 4;
  map<string, int64> tags = 5;
  map<int32, string> ranks = 6;
  Color color = 7;
  oneof pay { string card = 8; double cash = 9; }
  google.protobuf.Timestamp at = 10;
  google.protobuf.StringValue wrapped = 11;
  google.type.Date day = 12;
  confluent.type.Decimal price = 13;
  money.Money total = 14;
  bytes raw = 15;
  Order parent = 16;
  message Item { string name = 1; float weight = 2; }
}
enum Color { NONE = 0; RED = 1; }
message Second { bool yes = 1; }
"#;
const MONEY: &str = r#"syntax = "proto3"; package money; message Money { sint64 cents = 1; }"#;

fn compiled(options: ProtobufOptions) -> Compiled {
    let references = [("money.proto".to_owned(), MONEY.to_owned())];
    Compiled::parse(&references, SCHEMA, options).unwrap()
}

/// A message in Protobuf's JSON, encoded.
fn encoded(message: &str, json: serde_json::Value) -> Vec<u8> {
    let compiled = compiled(ProtobufOptions::default());
    let descriptor = compiled.pool.get_message_by_name(message).unwrap();
    build(DynamicMessage::new(descriptor), &json).encode_to_vec()
}

fn build(mut message: DynamicMessage, json: &serde_json::Value) -> DynamicMessage {
    use prost_reflect::{Kind, MapKey, ReflectMessage as _, Value as P};
    fn one(kind: &Kind, json: &serde_json::Value) -> P {
        match kind {
            Kind::Bool => P::Bool(json.as_bool().unwrap()),
            Kind::Int32 => P::I32(json.as_i64().unwrap() as i32),
            Kind::Sint64 | Kind::Int64 => P::I64(json.as_i64().unwrap()),
            Kind::Uint32 => P::U32(json.as_u64().unwrap() as u32),
            Kind::Uint64 => P::U64(json.as_u64().unwrap()),
            Kind::Float => P::F32(json.as_f64().unwrap() as f32),
            Kind::Double => P::F64(json.as_f64().unwrap()),
            Kind::String => P::String(json.as_str().unwrap().to_owned()),
            Kind::Bytes => P::Bytes(STANDARD.decode(json.as_str().unwrap()).unwrap().into()),
            Kind::Enum(_) => P::EnumNumber(json.as_i64().unwrap() as i32),
            Kind::Message(of) => P::Message(build(DynamicMessage::new(of.clone()), json)),
            other => panic!("{other:?}"),
        }
    }
    for (key, json) in json.as_object().unwrap() {
        let field = message.descriptor().get_field_by_name(key).unwrap();
        let value = if field.is_list() {
            P::List(
                json.as_array()
                    .unwrap()
                    .iter()
                    .map(|json| one(&field.kind(), json))
                    .collect(),
            )
        } else if field.is_map() {
            let kind = field.kind();
            let entry = kind.as_message().unwrap();
            let (keys, values) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let entries = json.as_object().unwrap().iter().map(|(key, json)| {
                let key = match keys.kind() {
                    Kind::String => MapKey::String(key.clone()),
                    _ => MapKey::I32(key.parse().unwrap()),
                };
                (key, one(&values.kind(), json))
            });
            P::Map(entries.collect())
        } else {
            one(&field.kind(), json)
        };
        message.set_field(&field, value);
    }
    message
}

fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    let Value::Object(members) = value else {
        panic!("{value:?}")
    };
    let found = members.iter().find(|(key, _)| key == name);
    found.map_or_else(|| panic!("no `{name}` in {value:?}"), |(_, value)| value)
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn read(json: serde_json::Value, options: ProtobufOptions) -> Value {
    let bytes = [vec![0], encoded("shop.Order", json)].concat();
    compiled(options).convert(&bytes, None).unwrap().value
}

#[test]
fn every_type_is_read_as_what_it_is() {
    let value = read(
        serde_json::json!({
            "id": -1, "big": u64::MAX, "items": [{"name": "a", "weight": 0.5}],
            "tags": {"b": 2, "a": 1}, "ranks": {"2": "two"}, "color": 1, "cash": 1.5,
            "at": {"seconds": 1, "nanos": 5_000}, "day": {"year": 1970, "month": 1, "day": 2},
            "price": {"value": "/gw=", "scale": 2}, "total": {"cents": -7}, "raw": "AP8=",
            "parent": {"id": 5, "at": {"seconds": 1, "nanos": 1}},
        }),
        ProtobufOptions::default(),
    );
    let of = |name| member(&value, name);
    assert_eq!(of("id"), &Value::Integer(-1));
    assert_eq!(of("big"), &Value::Integer(u64::MAX.into()));
    let Value::List(items) = of("items") else {
        panic!()
    };
    assert_eq!(member(&items[0], "weight"), &Value::Double(0.5));
    let tags = [("a", 1), ("b", 2)].map(|(key, value)| (key.to_owned(), Value::Integer(value)));
    assert_eq!(of("tags"), &Value::Object(tags.into()));
    let Value::List(ranks) = of("ranks") else {
        panic!()
    };
    assert_eq!(member(&ranks[0], "key"), &Value::Integer(2));
    assert_eq!(of("color"), &text("RED"));
    assert_eq!(member(of("pay_0"), "cash"), &Value::Double(1.5));
    assert_eq!(of("at"), &Value::Timestamp(1_000_005));
    assert_eq!(of("day"), &Value::Date(1));
    let unscaled = -500;
    assert_eq!(of("price"), &Value::Decimal { unscaled, scale: 2 });
    assert_eq!(member(of("total"), "cents"), &Value::Integer(-7));
    assert_eq!(of("raw"), &Value::Binary(vec![0, 255]));
    let parent = of("parent");
    assert_eq!(
        member(parent, "at"),
        &text("1970-01-01T00:00:01.000000001Z")
    );
}

#[test]
fn a_time_that_no_day_has_is_the_message_that_it_is() {
    let schema = r#"syntax = "proto3"; import "google/type/timeofday.proto";
                    message Shift { google.type.TimeOfDay at = 1; }"#;
    let compiled = Compiled::parse(&[], schema, ProtobufOptions::default()).unwrap();
    let read = |at: serde_json::Value| {
        let descriptor = compiled.pool.get_message_by_name("Shift").unwrap();
        let json = serde_json::json!({ "at": at });
        let bytes = build(DynamicMessage::new(descriptor), &json).encode_to_vec();
        let bytes = [vec![0], bytes].concat();
        let value = compiled.convert(&bytes, None).unwrap().value;
        member(&value, "at").clone()
    };
    let last = serde_json::json!({"hours": 23, "minutes": 59, "seconds": 59});
    assert_eq!(read(last), text("23:59:59"));
    for hours in [24, 3_000_000, i32::MAX, i32::MIN, -1] {
        let no_time = read(serde_json::json!({"hours": hours, "minutes": i32::MAX}));
        assert_eq!(member(&no_time, "hours"), &Value::Integer(hours.into()));
    }
}

#[test]
fn what_was_not_set_is_null_where_anybody_can_tell_and_its_default_elsewhere() {
    let value = read(serde_json::json!({"note": ""}), ProtobufOptions::default());
    let of = |name| member(&value, name);
    assert_eq!(of("id"), &Value::Integer(0));
    assert_eq!(of("note"), &text(""));
    assert_eq!(of("color"), &text("NONE"));
    for name in ["pay_0", "at", "parent", "wrapped", "total"] {
        assert_eq!(of(name), &Value::Null, "{name}");
    }
    assert_eq!(of("items"), &Value::List(Vec::new()));
    let value = read(serde_json::json!({}), ProtobufOptions::default());
    assert_eq!(member(&value, "note"), &Value::Null);
}

#[test]
fn options_change_enums_unions_and_wrappers() {
    let json = serde_json::json!({"color": 9, "card": "x", "wrapped": {"value": "w"}});
    let value = read(json.clone(), ProtobufOptions::default());
    assert_eq!(member(&value, "color"), &text("UNKNOWN_ENUM_VALUE_Color_9"));
    assert_eq!(member(member(&value, "wrapped"), "value"), &text("w"));
    let options = ProtobufOptions {
        int_for_enums: true,
        flatten_unions: true,
        wrapper_for_nullables: true,
        ..ProtobufOptions::default()
    };
    let value = read(json, options);
    assert_eq!(member(&value, "color"), &Value::Integer(9));
    assert_eq!(member(&value, "card"), &text("x"));
    assert_eq!(member(&value, "cash"), &Value::Null);
    assert_eq!(member(&value, "wrapped"), &text("w"));
}

#[test]
fn indexes_lead_to_the_message_and_a_header_may_name_it_apart() {
    let compiled = compiled(ProtobufOptions::default());
    let second = encoded("shop.Second", serde_json::json!({"yes": true}));
    let framed = [vec![2, 2], second.clone()].concat();
    let datum = compiled.convert(&framed, None).unwrap();
    assert_eq!(member(&datum.value, "yes"), &Value::Boolean(true));
    assert!(matches!(&datum.schema.unwrap().kind, Kind::Struct(fields) if fields.len() == 1));
    let apart = compiled.convert(&[2, 2], Some(&second)).unwrap();
    assert_eq!(member(&apart.value, "yes"), &Value::Boolean(true));
    let item = encoded("shop.Order.Item", serde_json::json!({"name": "n"}));
    let nested = compiled
        .convert(&[vec![4, 0, 0], item].concat(), None)
        .unwrap();
    assert_eq!(member(&nested.value, "name"), &text("n"));
    let first = compiled.convert(&[], Some(&[])).unwrap();
    assert_eq!(member(&first.value, "id"), &Value::Integer(0));
    assert_eq!(first.schema, None, "a message that contains itself");
    assert!(
        compiled
            .convert(&[2, 14], None)
            .unwrap_err()
            .contains("[7]")
    );
}

#[test]
fn broken_messages_and_files_are_refused() {
    let compiled = compiled(ProtobufOptions::default());
    for broken in [&b"\x00\x08"[..], b"\x00\xff\xff", b"\x00\x22\x7f"] {
        assert!(compiled.convert(broken, None).is_err(), "{broken:?}");
    }
    let none = ProtobufOptions::default();
    assert!(
        Compiled::parse(&[], SCHEMA, none)
            .unwrap_err()
            .contains("money.proto")
    );
    assert!(Compiled::parse(&[], "message {", none).is_err());
}

#[test]
fn a_file_may_be_registered_as_its_descriptor() {
    let source = compiled(ProtobufOptions::default());
    let money = source.pool.get_file_by_name("money.proto").unwrap();
    let base64 = STANDARD.encode(money.encode_to_vec());
    let compiled = Compiled::parse(&[], &base64, ProtobufOptions::default()).unwrap();
    let datum = compiled.convert(&[0, 8, 13], None).unwrap();
    assert_eq!(member(&datum.value, "cents"), &Value::Integer(-7));
    // Whoever registers descriptors counts the entries of maps among the messages.
    let order = source
        .pool
        .get_file_by_name("eddy/registered.proto")
        .unwrap();
    let base64 = STANDARD.encode(order.encode_to_vec());
    let references = [("money.proto".to_owned(), MONEY.to_owned())];
    let compiled = Compiled::parse(&references, &base64, ProtobufOptions::default()).unwrap();
    let item = encoded("shop.Order.Item", serde_json::json!({"name": "n"}));
    let nested = compiled
        .convert(&[vec![4, 0, 4], item].concat(), None)
        .unwrap();
    assert_eq!(member(&nested.value, "name"), &text("n"));
}
