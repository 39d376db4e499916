//! Values with schemas: the schema changes with the value.

use super::*;
use crate::data::{DATE, TIME, TIMESTAMP};

fn order() -> ConnectRecord {
    let schema = of_struct(&[
        ("id", Schema::of(Kind::Int64)),
        ("price", Schema::of(Kind::Float32).optional()),
        ("note", with_default(Kind::String, text("none"))),
        ("at", Schema::of(Kind::Int64).named(TIMESTAMP)),
        (
            "buyer",
            of_struct(&[("name", Schema::of(Kind::String))]).optional(),
        ),
    ]);
    let json = r#"{"id":7,"price":1.5,"note":null,"buyer":{"name":"ann"}}"#;
    let mut record = typed(schema.named("Order"), json);
    if let Value::Object(members) = &mut record.value.value {
        members.insert(
            3,
            ("at".to_owned(), Value::Timestamp(1_714_979_289_045_678)),
        );
    }
    record
}

fn member<'a>(record: &'a ConnectRecord, name: &str) -> &'a Value {
    match &record.value.value {
        Value::Object(members) => super::super::members::get(members, name).unwrap_or(&Value::Null),
        other => panic!("no object: {other:?}"),
    }
}

fn names(record: &ConnectRecord) -> Vec<String> {
    shape(record.value.schema.as_ref())
        .into_iter()
        .map(|(name, ..)| name)
        .collect()
}

#[test]
fn casting_changes_the_fields_type_and_its_default() {
    let options = [("spec", "id:string,price:int8,note:string")];
    let made = apply("Cast$Value", &options, order());
    let shape = shape(made.value.schema.as_ref());
    assert_eq!(shape[0], ("id".into(), Kind::String, false));
    assert_eq!(shape[1], ("price".into(), Kind::Int8, true));
    assert_eq!(member(&made, "id"), &text("7"));
    assert_eq!(member(&made, "price"), &Value::Integer(1));
    assert_eq!(member(&made, "note"), &text("none"), "what stands for null");
    assert_eq!(
        made.value.schema.as_ref().unwrap().name.as_deref(),
        Some("Order")
    );
    let kept = apply(
        "Cast$Value",
        &[options[0], ("replace.null.with.default", "false")],
        order(),
    );
    assert_eq!(member(&kept, "note"), &Value::Null);
    let printed = apply("Cast$Value", &[("spec", "at:string")], order());
    assert_eq!(member(&printed, "at"), &text("2024-05-06T07:08:09.045Z"));
    let float = apply("Cast$Value", &[("spec", "price:string")], order());
    assert_eq!(member(&float, "price"), &text("1.5"));
}

#[test]
fn a_field_and_its_schema_are_extracted() {
    let made = apply("ExtractField$Value", &[("field", "buyer")], order());
    assert_eq!(made.value.value, parsed(r#"{"name":"ann"}"#));
    assert_eq!(names(&made), ["name"]);
    let options = [("field", "buyer.name"), ("field.syntax.version", "V2")];
    let made = apply("ExtractField$Value", &options, order());
    assert_eq!(made.value.value, text("ann"));
    let note = apply("ExtractField$Value", &[("field", "note")], order());
    assert_eq!(note.value.value, text("none"));
    let failed = failure("ExtractField$Value", &[("field", "x")], order());
    assert_eq!(failed.failure.message(), "Unknown field: x");
    assert_eq!(
        failed.failure.exception(),
        "java.lang.IllegalArgumentException"
    );
}

#[test]
fn flattening_passes_on_what_is_optional_and_what_stands_for_null() {
    let made = apply("Flatten$Value", &[("delimiter", "_")], order());
    assert_eq!(names(&made), ["id", "price", "note", "at", "buyer_name"]);
    let shape = shape(made.value.schema.as_ref());
    assert_eq!(
        shape[4],
        ("buyer_name".into(), Kind::String, true),
        "its parent is optional"
    );
    assert_eq!(member(&made, "buyer_name"), &text("ann"));
    let around = Schema {
        default: Some(parsed(r#"{"b":5}"#)),
        ..of_struct(&[("b", Schema::of(Kind::Int32))])
    };
    let made = apply(
        "Flatten$Value",
        &[],
        typed(of_struct(&[("a", around)]), r#"{"a":null}"#),
    );
    assert_eq!(member(&made, "a.b"), &Value::Integer(5));
    let map = Kind::Map(
        Arc::new(Schema::of(Kind::String)),
        Arc::new(Schema::of(Kind::Int8)),
    );
    let one = typed(of_struct(&[("m", Schema::of(map))]), r#"{"m":{}}"#);
    assert!(
        failure("Flatten$Value", &[], one)
            .failure
            .message()
            .contains("`m`")
    );
}

#[test]
fn fields_are_inserted_optional_unless_required() {
    let options = [
        ("topic.field", "t!"),
        ("timestamp.field", "ts"),
        ("partition.field", "p?"),
    ];
    let made = apply("InsertField$Value", &options, order());
    let shape = shape(made.value.schema.as_ref());
    assert_eq!(shape[5], ("t".into(), Kind::String, false));
    assert_eq!(shape[6], ("p".into(), Kind::Int32, true));
    assert_eq!(shape[7], ("ts".into(), Kind::Int64, true));
    assert_eq!(
        member(&made, "ts"),
        &Value::Timestamp(1_714_979_289_045_000)
    );
    let failed = failure("InsertField$Value", &[("topic.field", "id")], order());
    assert!(failed.failure.message().contains("`id`"), "{failed:?}");
    let mut nowhere = order();
    nowhere.partition = None;
    let failed = failure("InsertField$Value", &[("partition.field", "p!")], nowhere);
    assert!(failed.failure.message().contains("`p`"), "{failed:?}");
}

#[test]
fn masking_and_replacing_keep_types() {
    let made = apply(
        "MaskField$Value",
        &[("fields", "id,note,at,nothing")],
        order(),
    );
    assert_eq!(made.value.schema, order().value.schema);
    assert_eq!(member(&made, "id"), &Value::Integer(0));
    assert_eq!(
        member(&made, "note"),
        &text(""),
        "what stands for null is masked too"
    );
    assert_eq!(member(&made, "at"), &Value::Timestamp(0));
    let failed = failure("MaskField$Value", &[("fields", "buyer")], order());
    assert!(
        failed.failure.to_string().contains("`buyer`"),
        "a struct has no empty value"
    );

    let options = [("exclude", "at,buyer"), ("renames", "id:number")];
    let made = apply("ReplaceField$Value", &options, order());
    assert_eq!(names(&made), ["number", "price", "note"]);
    assert_eq!(member(&made, "number"), &Value::Integer(7));
    let failed = failure("ReplaceField$Value", &[("renames", "id:note")], order());
    assert!(failed.failure.message().contains("`note`"));
}

#[test]
fn headers_keys_and_hoisted_fields_keep_their_schemas() {
    let options = [("fields", "id"), ("headers", "h"), ("operation", "move")];
    let made = apply("HeaderFrom$Value", &options, order());
    assert_eq!(names(&made), ["price", "note", "at", "buyer"]);
    assert_eq!(made.headers[0].1.schema.as_ref().unwrap().kind, Kind::Int64);
    let made = apply("ValueToKey", &[("fields", "note,id")], order());
    assert_eq!(made.key.value, parsed(r#"{"note":"none","id":7}"#));
    assert_eq!(shape(made.key.schema.as_ref()).len(), 2);
    let failed = failure("ValueToKey", &[("fields", "x")], order());
    assert_eq!(failed.failure.message(), "Field does not exist: x");
    let made = apply("HoistField$Value", &[("field", "order")], order());
    assert_eq!(names(&made), ["order"]);
}

#[test]
fn a_schema_gets_its_name_and_version() {
    let options = [("schema.name", "x.Order"), ("schema.version", "3")];
    let made = apply("SetSchemaMetadata$Value", &options, order())
        .value
        .schema
        .unwrap();
    assert_eq!(
        (made.name.as_deref(), made.version),
        (Some("x.Order"), Some(3))
    );
    let made = apply(
        "SetSchemaMetadata$Value",
        &[("schema.version", "3")],
        order(),
    );
    assert_eq!(made.value.schema.unwrap().name.as_deref(), Some("Order"));
}

#[test]
fn timestamps_change_their_schema() {
    for (target, kind, name, value) in [
        ("string", Kind::String, None, text("20240506")),
        ("unix", Kind::Int64, None, Value::Integer(1_714_979_289_045)),
        ("Date", Kind::Int32, Some(DATE), Value::Date(19_849)),
        ("Time", Kind::Int32, Some(TIME), Value::Integer(25_689_045)),
        (
            "Timestamp",
            Kind::Int64,
            Some(TIMESTAMP),
            Value::Timestamp(1_714_979_289_045_678),
        ),
    ] {
        let options = [
            ("field", "at"),
            ("target.type", target),
            ("format", "yyyyMMdd"),
        ];
        let made = apply("TimestampConverter$Value", &options, order());
        let schema = made.value.schema.as_ref().unwrap();
        let field = super::super::members::field(schema, "at").unwrap();
        assert_eq!(field.schema.kind, kind, "{target}");
        assert_eq!(field.schema.name.as_deref(), name, "{target}");
        assert_eq!(member(&made, "at"), &value, "{target}");
    }
}

#[test]
fn a_schema_of_another_kind_is_a_failure_and_not_a_guess() {
    let text_schema = Schema::of(Kind::String);
    for (class, options) in [
        ("Cast$Value", &[("spec", "a:int8")][..]),
        ("Flatten$Value", &[]),
        ("MaskField$Value", &[("fields", "a")]),
        ("ReplaceField$Value", &[("exclude", "a")]),
        ("InsertField$Value", &[("topic.field", "t")]),
        ("ValueToKey", &[("fields", "a")]),
    ] {
        let failed = failure(class, options, typed(text_schema.clone(), "\"x\""));
        let message = failed.failure.to_string();
        assert!(
            message.contains("struct") && message.contains("string"),
            "{class}: {message}"
        );
    }
}
