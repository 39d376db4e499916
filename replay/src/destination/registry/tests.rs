//! What may be declared, made, shown and deleted.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use eddy_engine::Clock;

use super::*;
use crate::testing::{Fake, lake};

fn open(lake: &eddy_engine::Lake, declared: Vec<Definition>) -> Result<Destinations> {
    Destinations::open(lake, declared, &Reach::default(), Providers::default())
}

fn kafka(name: &str, more: &[(&str, &str)]) -> Definition {
    let base = [("topic", "target"), ("bootstrap.servers", "127.0.0.1:1")];
    Definition {
        name: name.to_owned(),
        kind: "kafka".to_owned(),
        options: base
            .iter()
            .chain(more)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_literal_secret_is_never_stored_in_the_lake() {
    let (_folder, lake) = lake(Clock::manual(0));
    let destinations = open(&lake, Vec::new()).unwrap();
    let literal = kafka("a", &[("sasl.password", "hunter2")]);
    let error = destinations.create(literal.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let told = format!("{error} {:?} {literal:?}", error.hint());
    assert!(!told.contains("hunter2"), "{told}");
    assert!(told.contains("sasl.password"), "{told}");

    let by_reference = kafka("a", &[("sasl.password", "${env:EDDY_TEST_PASSWORD}")]);
    assert!(destinations.create(by_reference.clone()).await.unwrap());
    assert!(!destinations.create(by_reference).await.unwrap());

    let declared = vec![kafka("b", &[("sasl.password", "hunter2")])];
    let destinations = open(&lake, declared).unwrap();
    let shown = destinations.list().await.unwrap();
    assert!(!format!("{shown:?}").contains("hunter2"));
    let batch = crate::report::destinations_batch(&shown).unwrap();
    assert!(!format!("{batch:?}").contains("hunter2"));
    assert!(format!("{batch:?}").contains("${env:EDDY_TEST_PASSWORD}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_survives_a_restart_and_a_deletion_too() {
    let (_folder, lake) = lake(Clock::manual(0));
    let destinations = open(&lake, Vec::new()).unwrap();
    destinations.create(kafka("a", &[])).await.unwrap();
    let again = open(&lake, Vec::new()).unwrap();
    assert_eq!(again.get("a").await.unwrap().definition, kafka("a", &[]));
    again.delete("a").await.unwrap();
    assert_eq!(destinations.list().await.unwrap(), []);
    let gone = destinations.get("a").await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    let another = kafka("a", &[("linger.ms", "1")]);
    assert!(destinations.create(another).await.unwrap());
    let error = destinations.create(kafka("a", &[])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_file_declares_is_read_only() {
    let (_folder, lake) = lake(Clock::manual(0));
    let destinations = open(&lake, vec![kafka("a", &[])]).unwrap();
    assert!(destinations.get("a").await.unwrap().declared);
    let made = destinations.create(kafka("a", &[])).await;
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Conflict);
    let deleted = destinations.delete("a").await;
    assert_eq!(deleted.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_there_is_not_is_refused_with_those_that_there_are() {
    let (_folder, lake) = lake(Clock::manual(0));
    let destinations = open(&lake, Vec::new()).unwrap();
    let pigeon = Definition {
        kind: "pigeon".to_owned(),
        ..kafka("a", &[])
    };
    let error = destinations.create(pigeon).await.unwrap_err();
    let told = error.to_string();
    assert_eq!(told, "there is no type `pigeon` of destinations");
    assert_eq!(
        error.hint(),
        Some("the types are: kafka, http, rabbitmq, sqs, file, stdout")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_missing_options_are_refused_at_once() {
    let (_folder, lake) = lake(Clock::manual(0));
    let destinations = open(&lake, Vec::new()).unwrap();
    for name in ["", "a/b", "..", "a b"] {
        let made = destinations.create(kafka(name, &[])).await;
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Invalid, "{name}");
    }
    let no_topic = Definition {
        options: BTreeMap::from([("bootstrap.servers".to_owned(), "h:1".to_owned())]),
        ..kafka("a", &[])
    };
    let error = open(&lake, vec![no_topic]).err().unwrap();
    let told = "destination `a`: a Kafka destination needs the option `topic`";
    assert_eq!(error.to_string(), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_is_resolved_only_when_a_destination_is_opened() {
    let (_folder, lake) = lake(Clock::manual(0));
    let definition = Definition {
        name: "a".to_owned(),
        kind: "fake".to_owned(),
        options: BTreeMap::from([("x".to_owned(), "${env:EDDY_TEST_NOT_SET}".to_owned())]),
    };
    let kinds = vec![Kind::Fake(Fake::new())];
    let destinations = Destinations::with_kinds(&lake, vec![definition], kinds).unwrap();
    assert_eq!(destinations.list().await.unwrap().len(), 1);
    let error = destinations.check("a").await.unwrap_err();
    assert!(error.to_string().contains("EDDY_TEST_NOT_SET"), "{error}");
}

/// The options of a destination in `folder`, each the reference to a file that holds its value.
fn by_reference(folder: &std::path::Path, values: &[(&str, &str)]) -> Vec<(String, String)> {
    let values = values.iter();
    let written = values.map(|(key, value)| {
        let file = folder.join(key);
        std::fs::write(&file, value).unwrap();
        ((*key).to_owned(), format!("${{file:{}}}", file.display()))
    });
    written.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_tells_what_a_reference_stands_for() {
    let (_folder, lake) = lake(Clock::manual(0));
    let destinations = open(&lake, Vec::new()).unwrap();
    let broker = eddy_connector::kafka::EmbeddedBroker::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let servers = broker.bootstrap_servers();
    for (name, values) in [
        ("wrong", vec![("linger.ms", "hunter2")]),
        (
            "missing",
            vec![("topic", "hunter2"), ("bootstrap.servers", servers)],
        ),
    ] {
        let mut definition = kafka(name, &[]);
        let written = by_reference(folder.path(), &values);
        definition.options.extend(written);
        destinations.create(definition).await.unwrap();
        let error = destinations.check(name).await.unwrap_err();
        let told = format!("{error} {:?} {:?}", error.hint(), destinations.checks(name));
        assert!(
            !told.contains("hunter2") && !told.contains(servers),
            "{told}"
        );
        let (key, _) = values[0];
        assert!(told.contains(key), "{told}");
    }
    let opened = destinations.connect("missing", &Options::default()).await;
    let target = opened.unwrap().target();
    assert!(target.contains("${file:"), "{target}");

    broker.create_topic("hunter2", 1).unwrap();
    let checked = destinations.check("missing").await.unwrap();
    assert_eq!(checked.topic_itself(), Some("hunter2"));
    let told = serde_json::to_string(&checked).unwrap();
    assert!(!told.contains("hunter2"), "{told}");

    let mut files = kafka("files", &[]);
    files.kind = "file".to_owned();
    files.options = by_reference(folder.path(), &[("path", "hunter2/../x")])
        .into_iter()
        .collect();
    destinations.create(files).await.unwrap();
    let error = destinations.check("files").await.unwrap_err().to_string();
    assert!(
        error.contains("`path`") && !error.contains("hunter2"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn references_name_what_the_providers_of_the_process_let_them() {
    let (_folder, lake) = lake(Clock::manual(0));
    let folder = tempfile::tempdir().unwrap();
    let (open, shut) = (folder.path().join("open"), folder.path().join("shut"));
    for path in [&open, &shut] {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("path"), "orders").unwrap();
    }
    let allowed = open.display().to_string();
    let keys = [
        ("config.providers", "file"),
        ("config.providers.file.class", "FileConfigProvider"),
        (
            "config.providers.file.param.allowed.paths",
            allowed.as_str(),
        ),
    ];
    let keys = keys.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let providers = Providers::read(&keys.into()).unwrap();
    let reach = Reach::default();
    let destinations = Destinations::open(&lake, Vec::new(), &reach, providers).unwrap();
    let endless = "/dev/zero".to_owned();
    for (name, file, fits) in [
        ("open", open.join("path").display().to_string(), true),
        ("shut", shut.join("path").display().to_string(), false),
        ("endless", endless, false),
    ] {
        let definition = Definition {
            name: name.to_owned(),
            kind: "file".to_owned(),
            options: [("path".to_owned(), format!("${{file:{file}}}"))].into(),
        };
        destinations.create(definition).await.unwrap();
        let checked = destinations.check(name).await;
        match fits {
            true => assert!(checked.is_ok(), "{checked:?}"),
            false => {
                let error = checked.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Invalid);
                assert!(error.to_string().contains("`allowed.paths`"), "{error}");
            }
        }
    }
}
