//! Values without schemas: JSON as it came.

use super::*;

/// A transform of values, its options, a value, what becomes of it.
const ROWS: &str = r#"
Cast$Value | spec=a:int8,b:string,c:boolean | {"a":"7","b":1.0,"c":3,"d":1} | {"a":7,"b":"1.0","c":true,"d":1}
Cast$Value | spec=a:int8 | {"a":300} | {"a":44}
Cast$Value | spec=a:int32 | {"a":1e30} | {"a":2147483647}
Cast$Value | spec=a:int64 | {"a":-1.9} | {"a":-1}
Cast$Value | spec=a:float64 | {"a":"1e3"} | {"a":1000.0}
Cast$Value | spec=a:boolean | {"a":"TRUE"} | {"a":true}
Cast$Value | spec=a:int32 | {"a":true} | {"a":1}
Cast$Value | spec=a:int32 | {"b":1} | {"b":1,"a":null}
Cast$Value | spec=a:int32 | {"a":"1","b":1,"a":"2"} | {"a":2,"b":1}
Cast$Value | spec=string | 7 | "7"
Cast$Value | spec=a:int8 | null | null
ExtractField$Value | field=a | {"a":{"b":1}} | {"b":1}
ExtractField$Value | field=x | {"a":1} | null
ExtractField$Value | field=a | null | null
ExtractField$Value | field=a.b | {"a.b":1,"a":{"b":2}} | 1
ExtractField$Value | field=a.b ; field.syntax.version=v2 | {"a.b":1,"a":{"b":2}} | 2
ExtractField$Value | field=`a.b`.c ; field.syntax.version=V2 | {"a.b":{"c":3}} | 3
ExtractField$Value | field=a.b.c ; field.syntax.version=V2 | {"a":null} | null
Flatten$Value |  | {"a":1,"b":{"c":2,"d":{"e":[{"f":1}]},"n":null},"o":{}} | {"a":1,"b.c":2,"b.d.e":[{"f":1}],"b.n":null}
Flatten$Value | delimiter=_ | {"a":{"b":2}} | {"a_b":2}
Flatten$Value |  | null | null
HoistField$Value | field=x | 7 | {"x":7}
HoistField$Value | field=x | null | {"x":null}
InsertField$Value | topic.field=t! ; partition.field=p? ; offset.field=o ; timestamp.field=ts ; static.field=s ; static.value=fix | {"a":1} | {"a":1,"t":"orders","p":3,"o":42,"ts":1714979289045,"s":"fix"}
InsertField$Value | topic.field=a | {"a":1} | {"a":"orders"}
InsertField$Value | topic.field=t | null | null
MaskField$Value | fields=i,d,t,b,l,o,n,x | {"i":5,"d":1.5,"t":"x","b":true,"l":[1],"o":{"a":1},"n":null} | {"i":0,"d":0.0,"t":"","b":false,"l":[],"o":{},"n":null,"x":null}
MaskField$Value | fields=card | {"card":"4111","a":1,"card":"4222"} | {"card":"","a":1}
MaskField$Value | fields=i,t,d ; replacement=9 | {"i":5,"t":"x","d":1.5} | {"i":9,"t":"9","d":9.0}
ReplaceField$Value | exclude=a ; renames=b:x, c:y | {"a":1,"b":2,"c":3,"d":4} | {"x":2,"y":3,"d":4}
ReplaceField$Value | include=a,b ; exclude=b | {"a":1,"b":2,"c":3} | {"a":1}
ReplaceField$Value | blacklist=a | {"a":1,"b":2} | {"b":2}
ReplaceField$Value | whitelist=a | {"a":1,"b":2} | {"a":1}
ReplaceField$Value | exclude=a | null | null
SetSchemaMetadata$Value | schema.name=x | null | null
TimestampConverter$Value | field=t ; target.type=string ; format=yyyy-MM-dd'T'HH:mm:ss.SSS | {"t":1714979289045} | {"t":"2024-05-06T07:08:09.045"}
TimestampConverter$Value | field=t ; target.type=unix ; format=yyyy-MM-dd HH:mm | {"t":"2024-05-06 07:08"} | {"t":1714979280000}
TimestampConverter$Value | field=t ; target.type=unix ; format=yyyy-MM-dd ; unix.precision=seconds | {"t":"2024-05-06"} | {"t":1714953600}
TimestampConverter$Value | field=t ; target.type=unix ; unix.precision=nanoseconds | {"t":1714979289045000999} | {"t":1714979289045000000}
TimestampConverter$Value | target.type=unix ; format=yyyy | "1971" | 31536000000
TimestampConverter$Value | field=t ; target.type=Time | {"t":-1} | {"t":86399999}
TimestampConverter$Value | field=t ; target.type=unix | {"a":1} | {"a":1,"t":null}
TimestampConverter$Value | target.type=unix | null | null
"#;

#[test]
fn values_without_schemas_become_what_kafka_makes_of_maps() {
    for [class, options, before, after] in rows(ROWS) {
        let options = pairs(options);
        let options = options.as_slice();
        let made = apply(class, options, record(before));
        assert_eq!(
            made.value.value,
            parsed(after),
            "{class} {options:?} {before}"
        );
        assert_eq!(made.value.schema, None, "{class}");
        assert_eq!(made.topic, "orders");
    }
}

#[test]
fn keys_become_what_values_do_and_values_stay() {
    for [class, options, before, after] in rows(ROWS) {
        let options = pairs(options);
        let options = options.as_slice();
        let class = class.replace("$Value", "$Key");
        let mut keyed = record("{\"other\":1}");
        keyed.key = Datum::schemaless(parsed(before));
        let made = apply(&format!("{KAFKA}{class}"), options, keyed);
        assert_eq!(
            made.key.value,
            parsed(after),
            "{class} {options:?} {before}"
        );
        assert_eq!(made.value.value, parsed("{\"other\":1}"), "{class}");
    }
}

#[test]
fn typed_values_without_schemas_are_cast_and_converted_too() {
    let moment = 1_714_979_289_045_678;
    for (value, target, after) in [
        (
            Value::Timestamp(moment),
            "string",
            text("2024-05-06T07:08:09.045Z"),
        ),
        (Value::Date(19_849), "string", text("2024-05-06")),
        (Value::Binary(vec![1, 2]), "string", text("AQI=")),
        (
            Value::Decimal {
                unscaled: 1_005,
                scale: 2,
            },
            "string",
            text("10.05"),
        ),
        (
            Value::Decimal {
                unscaled: 1_005,
                scale: 2,
            },
            "int32",
            Value::Integer(10),
        ),
        (Value::Double(f64::NAN), "int32", Value::Integer(0)),
        (
            Value::Timestamp(moment),
            "int64",
            Value::Integer(1_714_979_289_045),
        ),
        (Value::Date(3), "int32", Value::Integer(3)),
    ] {
        let mut one = record("{}");
        one.value = Datum::schemaless(value.clone());
        let made = apply("Cast$Value", &[("spec", target)], one);
        assert_eq!(made.value.value, after, "{value:?} {target}");
    }
    for (target, precision, after) in [
        ("Timestamp", "milliseconds", Value::Timestamp(moment)),
        ("Date", "milliseconds", Value::Date(19_849)),
        ("unix", "microseconds", Value::Integer(i128::from(moment))),
        ("unix", "milliseconds", Value::Integer(1_714_979_289_045)),
    ] {
        let mut one = record("{}");
        one.value = Datum::schemaless(Value::Timestamp(moment));
        let options = [("target.type", target), ("unix.precision", precision)];
        let made = apply("TimestampConverter$Value", &options, one);
        assert_eq!(made.value.value, after, "{target}");
    }
}

/// A transform, its options, a value on which it fails, and what the failure says.
const FAILURES: &str = r#"
Cast$Value | spec=a:int8 | {"a":"x"} | Value (x) was out of range for requested data type ; `a`
Cast$Value | spec=a:int8 | {"a":"128"} | out of range
Cast$Value | spec=a:int8 | {"a":[1]} | a list ; `a`
Cast$Value | spec=a:int8 | 7 | a map ; an integer
ExtractField$Value | field=a | [1] | a map ; a list
ExtractField$Value | field=a.b ; field.syntax.version=V2 | {"a":1} | `a.b` ; an integer
HeaderFrom$Value | fields=a ; headers=h ; operation=copy | 1 | a map
MaskField$Value | fields=a ; replacement=x | {"a":1} | `a` ; `x`
MaskField$Value | fields=a ; replacement=x | {"a":true} | a boolean
SetSchemaMetadata$Value | schema.name=x | {} | no schema
TimestampConverter$Value | field=t ; target.type=unix | {"t":"2024"} | `t` ; `format`
TimestampConverter$Value | field=t ; target.type=unix ; format=yyyy | {"t":"x"} | `x` ; `yyyy`
TimestampConverter$Value | field=t ; target.type=unix | {"t":true} | `t` ; a boolean
ValueToKey | fields=a | [] | a map
"#;

#[test]
fn a_failure_says_what_is_wrong_and_where() {
    for [class, options, before, needles] in rows(FAILURES) {
        let failed = failure(class, &pairs(options), record(before));
        let message = failed.failure.to_string();
        assert!(
            needles.split(" ; ").all(|needle| message.contains(needle)),
            "{class}: {message}"
        );
        assert_eq!(failed.alias, "t");
        assert_eq!(failed.class, format!("{KAFKA}{class}"));
        assert_eq!(
            failed.failure.exception(),
            "org.apache.kafka.connect.errors.DataException"
        );
    }
}

#[test]
fn headers_come_from_fields_literals_and_go_by_name() {
    let options = [("fields", "a,x"), ("headers", "h,h")];
    let moved = |operation| {
        let options = [&options[..], &[("operation", operation)]].concat();
        apply("HeaderFrom$Value", &options, record(r#"{"a":1,"b":2}"#))
    };
    let headers = [
        ("h".to_owned(), Datum::schemaless(Value::Integer(1))),
        ("h".to_owned(), Datum::null()),
    ];
    assert_eq!(moved("copy").headers, headers);
    assert_eq!(moved("copy").value.value, parsed(r#"{"a":1,"b":2}"#));
    assert_eq!(moved("move").headers, headers);
    assert_eq!(moved("move").value.value, parsed(r#"{"b":2}"#));

    let mut one = record("{}");
    one.headers = headers.to_vec();
    one.headers.push(("k".to_owned(), Datum::null()));
    let dropped = apply("DropHeaders", &[("headers", "h, other")], one.clone());
    assert_eq!(dropped.headers.len(), 1);
    let inserted = apply(
        "InsertHeader",
        &[("header", "n"), ("value.literal", "300")],
        one,
    );
    let (name, last) = inserted.headers.last().unwrap();
    assert_eq!((name.as_str(), &last.value), ("n", &Value::Integer(300)));
    assert_eq!(last.schema.as_ref().unwrap().kind, Kind::Int16);
}

#[test]
fn a_key_is_made_of_the_values_fields() {
    let made = apply(
        "ValueToKey",
        &[("fields", "b,x")],
        record(r#"{"a":1,"b":2}"#),
    );
    assert_eq!(made.key.value, parsed(r#"{"b":2,"x":null}"#));
    assert_eq!(made.value.value, parsed(r#"{"a":1,"b":2}"#));
}
