//! Any record through any transform.

use proptest::prelude::*;

use super::*;

/// A transform of each kind, with options that find something in the values below.
const CHAINS: &[(&str, &[(&str, &str)])] = &[
    (
        "Cast$Value",
        &[("spec", "a:int8,b:string,c:boolean,d:float32,e:int64")],
    ),
    ("Cast$Value", &[("spec", "string")]),
    ("Cast$Key", &[("spec", "int32")]),
    ("DropHeaders", &[("headers", "a")]),
    (
        "ExtractField$Value",
        &[("field", "a.b"), ("field.syntax.version", "V2")],
    ),
    ("ExtractField$Value", &[("field", "a")]),
    ("Flatten$Value", &[]),
    (
        "HeaderFrom$Value",
        &[("fields", "a"), ("headers", "b"), ("operation", "move")],
    ),
    ("HoistField$Value", &[("field", "a")]),
    (
        "InsertField$Value",
        &[("topic.field", "a"), ("timestamp.field", "t")],
    ),
    ("InsertHeader", &[("header", "a"), ("value.literal", "[1]")]),
    ("MaskField$Value", &[("fields", "a,b,c")]),
    (
        "MaskField$Value",
        &[("fields", "a,b,c"), ("replacement", "1.5")],
    ),
    (
        "RegexRouter",
        &[("regex", "(.)(.*)"), ("replacement", "$2$1")],
    ),
    (
        "ReplaceField$Value",
        &[("exclude", "a"), ("renames", "b:c")],
    ),
    ("SetSchemaMetadata$Value", &[("schema.name", "x")]),
    (
        "TimestampConverter$Value",
        &[
            ("field", "a"),
            ("target.type", "string"),
            ("format", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"),
        ],
    ),
    (
        "TimestampConverter$Value",
        &[
            ("target.type", "Date"),
            ("format", "EEE yy D h a z"),
            ("unix.precision", "seconds"),
        ],
    ),
    (
        "TimestampConverter$Value",
        &[("field", "b"), ("target.type", "Time")],
    ),
    (
        "TimestampRouter",
        &[("timestamp.format", "GyYMLwWDdFEuaHkKhmsSzZX")],
    ),
    ("ValueToKey", &[("fields", "a,b")]),
    ("Drop$Value", &[("schema.behavior", "retain")]),
    (
        "ExtractTopic$Value",
        &[("field", "$..a"), ("field.format", "JSON_PATH")],
    ),
    (
        "io.confluent.connect.transforms.Filter$Value",
        &[
            (
                "filter.condition",
                "$..[?(@.a > 1 || @.b =~ /.*x/ || @.c empty true)]",
            ),
            ("filter.type", "include"),
        ],
    ),
    (
        "MessageTimestampRouter",
        &[("message.timestamp.keys", "a,b")],
    ),
    ("TombstoneHandler", &[("behavior", "fail")]),
    (
        "io.debezium.transforms.ExtractNewRecordState",
        &[
            ("delete.tombstone.handling.mode", "rewrite"),
            ("add.fields", "op,a.b"),
        ],
    ),
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "a", "b", "c", "d", "e", "op", "before", "after", "source"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        any::<i128>().prop_map(Value::Integer),
        any::<i16>().prop_map(|number| Value::Integer(number.into())),
        any::<f64>().prop_map(Value::Double),
        (any::<i128>(), any::<u8>())
            .prop_map(|(unscaled, scale)| Value::Decimal { unscaled, scale }),
        any::<String>().prop_map(Value::Text),
        "[0-9TZ:. +-]{0,30}".prop_map(Value::Text),
        any::<Vec<u8>>().prop_map(Value::Binary),
        any::<i64>().prop_map(Value::Timestamp),
        any::<i32>().prop_map(Value::Date),
        Just(Value::Raw("1e999".into())),
        Just(Value::Raw("\"\\ud800\"".into())),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            proptest::collection::vec((name(), inner), 0..6).prop_map(Value::Object),
        ]
    })
}

fn schema() -> impl Strategy<Value = Schema> {
    let leaf = proptest::sample::select(vec![
        Schema::of(Kind::Int8),
        Schema::of(Kind::Int64).named(crate::data::TIMESTAMP),
        Schema::of(Kind::Int32).named(crate::data::DATE).optional(),
        Schema::of(Kind::Int32).named(crate::data::TIME),
        Schema::of(Kind::Float32),
        Schema::of(Kind::Boolean),
        with_default(Kind::String, text("x")),
        with_default(Kind::Int16, text("not what the schema says")),
        Schema::of(Kind::Bytes),
        Schema::of(Kind::Array(Arc::new(Schema::of(Kind::String)))),
    ]);
    leaf.prop_recursive(3, 20, 5, |inner| {
        proptest::collection::vec((name(), inner), 0..5).prop_map(|fields| {
            let fields = fields.into_iter().map(|(name, schema)| Field {
                name,
                schema: Arc::new(schema),
            });
            Schema::of(Kind::Struct(fields.collect())).named("t.Envelope")
        })
    })
}

/// Values need not be what their schemas say: nothing may panic all the same.
fn datum() -> impl Strategy<Value = Datum> {
    (proptest::option::of(schema()), value()).prop_map(|(schema, value)| Datum {
        schema: schema.map(Arc::new),
        value,
    })
}

prop_compose! {
    fn any_record()(
        topic in "[a-z.]{1,8}",
        partition in any::<Option<i32>>(),
        offset in any::<i64>(),
        timestamp_ms in any::<Option<i64>>(),
        key in datum(),
        value in datum(),
        headers in proptest::collection::vec((name(), datum()), 0..3),
    ) -> ConnectRecord {
        ConnectRecord { topic, partition, offset, timestamp_ms, key, value, headers }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_transform_panics_and_each_does_the_same_again(record in any_record()) {
        for (class, options) in CHAINS {
            let chain = one(class, options).unwrap();
            let made = format!("{:?}", chain.apply(record.clone()));
            // A double that is no number isn't equal to itself, its text is.
            prop_assert_eq!(&made, &format!("{:?}", chain.apply(record.clone())));
        }
    }

    #[test]
    fn a_predicate_and_its_negation_part_all_records(
        record in any_record(),
        which in 0_usize..3,
    ) {
        let predicates = [
            &[("predicates.p.type", "TopicNameMatches"), ("predicates.p.pattern", "[a-m].*")][..],
            &[("predicates.p.type", "HasHeaderKey"), ("predicates.p.name", "a")],
            &[("predicates.p.type", "RecordIsTombstone")],
        ];
        let stays = |negate: &str| {
            let mut entries = vec![
                ("transforms", "t"),
                ("transforms.t.type", "Filter"),
                ("transforms.t.predicate", "p"),
                ("transforms.t.negate", negate),
                ("predicates", "p"),
            ];
            entries.extend_from_slice(predicates[which]);
            let chain = read(&entries).unwrap().unwrap();
            chain.apply(record.clone()).unwrap().is_some()
        };
        prop_assert!(stays("true") != stays("false"));
    }
}
