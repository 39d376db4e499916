//! Validations as a whole, by what is wrong with each.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;

fn defaults() -> Defaults {
    Defaults {
        group: "connect-workers".to_owned(),
        key_converter: "io.eddy.AutoConverter".to_owned(),
        value_converter: "io.eddy.AutoConverter".to_owned(),
        header_converter: "org.apache.kafka.connect.storage.SimpleHeaderConverter".to_owned(),
        providers: Providers::default(),
        version: "9",
    }
}

fn posted(more: &[(&str, Option<&str>)]) -> Posted {
    let usual = [
        ("name", Some("n")),
        ("connector.class", Some("EddySink")),
        ("topics", Some("t")),
    ];
    let all = usual.iter().chain(more);
    all.map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
        .collect()
}

fn errors(more: &[(&str, Option<&str>)]) -> Vec<String> {
    let posted = posted(more);
    let infos = validate(
        class_of(&posted, &defaults()).unwrap(),
        &posted,
        &defaults(),
    );
    infos.errors().map(str::to_owned).collect()
}

#[test]
fn a_right_configuration_has_no_errors_whatever_unknown_keys_it_has() {
    assert_eq!(errors(&[("foo.bar", Some("x"))]), Vec::<String>::new());
    let transform = [
        ("transforms", Some("r")),
        ("transforms.r.type", Some("RegexRouter")),
        ("transforms.r.regex", Some("a(.*)")),
        ("transforms.r.replacement", Some("$1")),
        ("transforms.r.predicate", Some("p")),
        ("predicates", Some("p")),
        ("predicates.p.type", Some("TopicNameMatches")),
        ("predicates.p.pattern", Some("a.*")),
        ("value.converter", Some("Json")),
        ("value.converter.schemas.enable", Some("false")),
    ];
    assert_eq!(errors(&transform), Vec::<String>::new());
}

#[test]
fn each_mistake_is_told_at_its_key() {
    for (more, wanted) in [
        (
            &[("topics", Some(""))][..],
            "Must configure one of topics or topics.regex",
        ),
        (&[("topics.regex", Some("x"))], "mutually exclusive"),
        (&[("x", None)], "Null value can not be supplied"),
        (
            &[("errors.deadletterqueue.topic.name", Some(" t "))],
            "The DLQ topic 't' may not be included in the list of topics ('topics=[t]')",
        ),
        (
            &[("value.converter", Some("Nope"))],
            "Class Nope could not be found.",
        ),
        (
            &[("value.converter", Some("RegexRouter"))],
            "does not implement the Converter interface",
        ),
        (
            &[
                ("transforms", Some("t")),
                ("transforms.t.type", Some("com.example.No")),
            ],
            "Invalid value com.example.No for configuration transforms.t.type: Class",
        ),
        (
            &[("transforms", Some("t"))],
            "Missing required configuration \"transforms.t.type\"",
        ),
        (
            &[
                ("transforms", Some("t")),
                ("transforms.t.type", Some("Filter")),
                ("transforms.t.negate", Some("true")),
            ],
            "there is no config 'transforms.t.predicate'",
        ),
        (
            &[("name", Some("workers"))],
            "Consumer group for sink connector named workers conflicts",
        ),
        (
            &[("consumer.override.group.id", Some("connect-workers"))],
            "Consumer group connect-workers conflicts",
        ),
        (
            &[("producer.override.plugin.library.paths", Some("/x"))],
            "`producer.override.plugin.library.paths` can't be set here",
        ),
        (
            &[("partition.by", Some("day, hour"))],
            "`partition.by` is `day, hour`",
        ),
        (
            &[("flush.interval.ms", Some("1"))],
            "Value must be at least 10",
        ),
    ] {
        let errors = errors(more);
        assert!(
            errors.iter().any(|error| error.contains(wanted)),
            "{wanted}: {errors:?}"
        );
    }
}

#[test]
fn a_foreign_partitioner_is_one_of_its_own_or_refused() {
    let told = |partitioner: &str| {
        let own = [
            ("connector.class", "S3Sink"),
            ("name", "n"),
            ("topics", "t"),
            (
                "format.class",
                "io.confluent.connect.s3.format.json.JsonFormat",
            ),
            ("storage.class", "io.confluent.connect.s3.storage.S3Storage"),
            ("flush.size", "1"),
            ("s3.bucket.name", "b"),
            ("partitioner.class", partitioner),
            ("timezone", "UTC"),
        ];
        let posted = own.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
        let posted = Posted::from(posted);
        let infos = validate(
            class_of(&posted, &defaults()).unwrap(),
            &posted,
            &defaults(),
        );
        infos.errors().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(told("HourlyPartitioner"), Vec::<String>::new());
    assert_eq!(
        told("com.example.Own"),
        [
            "Invalid value com.example.Own for configuration partitioner.class: Class \
             com.example.Own could not be found."
        ]
    );
}

#[test]
fn no_class_and_an_unknown_one_cannot_be_validated() {
    let mut none = posted(&[]);
    none.remove("connector.class");
    let NoClass(why) = class_of(&none, &defaults()).unwrap_err();
    assert_eq!(
        why,
        "Connector config {name=n, topics=t} contains no connector type"
    );
    let NoClass(why) =
        class_of(&posted(&[("connector.class", Some("x.Y"))]), &defaults()).unwrap_err();
    assert!(
        why.contains("which name matches x.Y, available connectors are:"),
        "{why}"
    );
}

#[test]
fn the_keys_of_a_converter_are_only_listed_where_the_connector_names_it() {
    let listed = |more: &[(&str, Option<&str>)]| {
        let posted = posted(more);
        let infos = validate(
            class_of(&posted, &defaults()).unwrap(),
            &posted,
            &defaults(),
        );
        let all = infos.configs().iter().map(|info| info.name.clone());
        all.filter(|name| name.starts_with("value.converter.") && !name.ends_with("version"))
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), Vec::<String>::new());
    assert_eq!(
        listed(&[("value.converter", Some("JsonConverter"))]),
        [
            "value.converter.decimal.format",
            "value.converter.converter.type",
            "value.converter.schemas.cache.size",
            "value.converter.replace.null.with.default",
            "value.converter.schemas.enable",
            "value.converter.schema.content",
        ]
    );
}

#[test]
fn an_error_of_a_converters_key_is_told_without_its_prefix() {
    let wrong = [
        ("value.converter", Some("JsonConverter")),
        ("value.converter.schemas.enable", Some("maybe")),
    ];
    assert_eq!(
        errors(&wrong),
        [
            "Invalid value maybe for configuration schemas.enable: Expected value to be either \
             true or false"
        ]
    );
}

const CONFLUENT: [(&str, Option<&str>); 6] = [
    ("connector.class", Some("S3Sink")),
    (
        "format.class",
        Some("io.confluent.connect.s3.format.parquet.ParquetFormat"),
    ),
    ("flush.size", Some("10")),
    ("s3.bucket.name", Some("lake")),
    (
        "storage.class",
        Some("io.confluent.connect.s3.storage.S3Storage"),
    ),
    ("partitioner.class", Some("DefaultPartitioner")),
];

#[test]
fn what_another_sinks_key_asks_for_in_vain_is_told_at_that_key() {
    let with = |more: &[(&'static str, Option<&'static str>)]| {
        let all: Vec<_> = CONFLUENT.iter().chain(more).copied().collect();
        errors(&all)
    };
    assert_eq!(with(&[]), Vec::<String>::new());
    for (key, value) in [
        ("parquet.codec", "lzo"),
        ("avro.codec", "bzip2"),
        ("s3.wan.mode", "TRUE"),
        ("s3.schema.partition.affix.type", "PREFIX"),
    ] {
        let told = with(&[(key, Some(value))]);
        let wanted = format!("Invalid value {value} for configuration {key}: Eddy doesn't do that");
        assert_eq!(told.len(), 1, "{key}: {told:?}");
        assert!(told[0].starts_with(&wanted), "{told:?}");
    }
    // In no table, since Confluent takes any class there.
    let key = "s3.credentials.provider.class";
    let told = with(&[(key, Some("com.example.Mine"))]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(&format!("`{key}` is `com.example.Mine`")));
}

/// A file of secrets, and what a configuration that refers to it is told.
struct Referring {
    folder: tempfile::TempDir,
}

impl Referring {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets = "ten=10\nword=Sesame\nclass=S3Sink\ncodec=lzo\ntransforms=sesame\ndead=t\n";
        std::fs::write(folder.path().join("secrets"), secrets).unwrap();
        Self { folder }
    }

    fn of(&self, key: &str) -> String {
        format!("${{file:{}/secrets:{key}}}", self.folder.path().display())
    }

    /// The errors, and the whole answer.
    fn check(more: &[(&str, &str)]) -> (Vec<String>, String) {
        let more = more.iter().map(|(key, value)| (*key, Some(*value)));
        let all: Vec<_> = CONFLUENT.iter().copied().chain(more).collect();
        let posted = posted(&all);
        let infos = validate(
            class_of(&posted, &defaults()).unwrap(),
            &posted,
            &defaults(),
        );
        let errors = infos.errors().map(str::to_owned).collect();
        (errors, infos.json().to_string())
    }
}

#[test]
fn references_are_checked_as_what_they_stand_for_and_shown_as_they_are() {
    let secrets = Referring::new();
    let (ten, class, word) = (secrets.of("ten"), secrets.of("class"), secrets.of("word"));
    let (told, shown) = Referring::check(&[
        ("flush.size", &ten),
        ("connector.class", &class),
        ("aws.secret.access.key", &word),
        ("s3.region", &word),
    ]);
    assert_eq!(told, Vec::<String>::new());
    assert!(!shown.to_lowercase().contains("sesame"), "{shown}");
    assert!(shown.contains(&ten) && shown.contains("[hidden]"));
    // What no provider is named by means what it says.
    let (told, _) = Referring::check(&[("my.key", "${nosuch:a:b} ${topic}")]);
    assert_eq!(told, Vec::<String>::new());
}

#[test]
fn no_error_tells_what_a_reference_stands_for() {
    let secrets = Referring::new();
    for (key, value, wanted) in [
        ("flush.size", secrets.of("word"), "doesn't fit"),
        ("parquet.codec", secrets.of("codec"), "doesn't fit"),
        ("transforms", secrets.of("transforms"), "doesn't fit"),
        ("flush.size", secrets.of("none"), "no such key"),
        (
            "topics.dir",
            "${directory:/none:x}".to_owned(),
            "can't be read",
        ),
    ] {
        let (told, shown) = Referring::check(&[(key, &value)]);
        assert_eq!(told.len(), 1, "{key}: {told:?}");
        let is_wanted = told[0].contains(&value) && told[0].contains(wanted);
        assert!(is_wanted, "{told:?}");
        let shown = shown.to_lowercase();
        assert!(
            !shown.contains("sesame") && !shown.contains("value lzo"),
            "{shown}"
        );
    }
    // Of a key beside it nothing is told that may come from the file.
    let dead = ("errors.deadletterqueue.topic.name", &*secrets.of("dead"));
    let (told, _) = Referring::check(&[dead]);
    assert_eq!(told.len(), 1, "{told:?}");
    let end = "it doesn't fit what others refer to";
    assert!(told[0].ends_with(end), "{told:?}");
}
