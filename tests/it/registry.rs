//! Records of a schema registry's serializers, through a real registry into the lake: the values
//! that were written, in every version of their schema, and what can't be read among the dead
//! letters, alone. A registry that is away costs time and no record.

use eddy_engine::read::Snapshot;
use serde_json::{Value, json};

use crate::foreign::Bucket;
use crate::harness::kafka::{Produce, Topic};
use crate::harness::lake::TestLake;
use crate::harness::process::{Eddy, Start};
use crate::harness::python;
use crate::harness::services::{PrivateRegistry, services};
use crate::harness::unique;
use crate::harness::wait::{PATIENCE, wait_equal, wait_until};
use crate::proof::{every_record_is_there_once, wait_committed};
use crate::registry_avro;

const AVRO: &str = "io.confluent.connect.avro.AvroConverter";
const FORMS: [(&str, &str); 3] = [
    ("avro", AVRO),
    (
        "protobuf",
        "io.confluent.connect.protobuf.ProtobufConverter",
    ),
    ("json", "io.confluent.connect.json.JsonSchemaConverter"),
];

/// Records of a form, written by its serializers; answers the offsets that nobody can read.
fn write(registry: &PrivateRegistry, form: &str, topic: &Topic, from: usize, to: usize) -> usize {
    let input = json!({
        "kafka": services().kafka, "registry": registry.url, "form": form,
        "topic": topic.name, "from": from, "to": to,
    });
    let poison = python::run("registry_write.py", &input);
    poison.as_array().expect("a list").len()
}

fn connector(start: Start, registry: &PrivateRegistry, class: &str, topic: &Topic) -> Start {
    let url = registry.url.as_str();
    let (key, key_url) = match class {
        AVRO => (AVRO, url),
        _ => ("org.apache.kafka.connect.converters.LongConverter", ""),
    };
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "500"),
        ("key.converter", key),
        ("key.converter.schema.registry.url", key_url),
        ("value.converter", class),
        ("value.converter.schema.registry.url", url),
        ("value.converter.max.retries", "0"),
    ];
    start.connector(&topic.name, &settings)
}

fn dead(eddy: &Eddy, topic: &Topic) -> i64 {
    let name = &topic.name;
    let sql = format!(
        "SELECT count(*) AS n FROM system.dead_letters \
         WHERE _topic = '{name}' AND _error LIKE 'VALUE_CONVERTER: %'"
    );
    eddy.http().number(&sql)
}

#[test]
fn values_of_every_registered_format_come_back_through_evolution_and_poison() {
    let registry = PrivateRegistry::start();
    let lake = TestLake::local();
    let topics = FORMS.map(|(form, class)| (form, class, Topic::create(form, 1)));
    let mut start = Start::on(&lake);
    for (form, class, topic) in &topics {
        assert_eq!(write(&registry, form, topic, 0, 1_000), 10);
        start = connector(start, &registry, class, topic);
    }
    let files = (Bucket::new(), Topic::create("files", 1));
    assert_eq!(write(&registry, "avro", &files.1, 0, 1_000), 10);
    start = registry_avro::avro(start, &registry, &files.0, &files.1);
    let customers = (Bucket::new(), Topic::create("customers", 1));
    assert_eq!(write(&registry, "json", &customers.1, 8, 14), 0);
    start = registry_avro::json_schema(start, &registry, &customers.0, &customers.1);
    let eddy = start.ready();
    for (form, class, topic) in &topics {
        every_record_is_there_once(&eddy, &lake, topic, 990);
        assert_eq!(dead(&eddy, topic), 10, "{form}");
        let name = &topic.name;
        let rows = eddy
            .http()
            .sql(&format!("SELECT * FROM \"{name}\" ORDER BY _offset"));
        let mut input = lake.python(name);
        input["form"] = json!(form);
        input["rows"] = Value::from(rows);
        let seen = python::run("registry_check.py", &input);
        let keys = if *class == AVRO { 990 } else { 0 };
        let wanted = json!({"sql": [], "duckdb": [], "count": 990, "keys": keys});
        assert_eq!(seen, wanted, "{form}");
        let ids = format!("SELECT count(DISTINCT _value_schema_id) AS n FROM \"{name}\"");
        assert_eq!(eddy.http().number(&ids), 2, "{form}");
        // Records alternate between their schemas, and no file is there for that.
        let (lake, table) = (lake.open(), lake.open().table("topics", name));
        let snapshot = Snapshot::load(&lake, &table, None).unwrap().unwrap();
        assert!(snapshot.files.len() as u64 <= snapshot.version, "{form}");
    }
    let avro = &topics[0].2.name;
    let keys = format!("SELECT count(*) AS n FROM \"{avro}\" WHERE _key_fields['id'] = _offset");
    assert_eq!(eddy.http().number(&keys), 990);
    registry_avro::avro_is_as_it_was_written(&files.0, &files.1);
    registry_avro::json_schema_has_its_names(&customers.0, &customers.1);
}

#[test]
fn a_registry_that_is_away_costs_no_record_and_the_task_goes_on_by_itself() {
    let registry = PrivateRegistry::start();
    let lake = TestLake::local();
    let topic = Topic::create("away", 1);
    write(&registry, "avro", &topic, 0, 150);
    let known = topic.consume().remove(0).value;
    registry.kill();
    let mut eddy = connector(Start::on(&lake), &registry, AVRO, &topic).ready();
    let name = topic.name.clone();
    let waits = format!(
        "SELECT count(*) AS n FROM system.connectors \
         WHERE connector = '{name}' AND error LIKE '%schema registry%'"
    );
    wait_until(PATIENCE, "the task waits for the registry", || {
        eddy.http().number(&waits) == 1
    });
    let rows = |eddy: &Eddy| {
        let rows = eddy
            .http()
            .try_sql(&format!("SELECT count(*) AS n FROM \"{name}\""));
        rows.ok()
            .and_then(|rows| rows[0]["n"].as_i64())
            .unwrap_or(0)
    };
    assert_eq!((rows(&eddy), dead(&eddy, &topic)), (0, 0));
    registry.restart();
    wait_equal(PATIENCE, "the good records", 148, || rows(&eddy));
    assert_eq!(dead(&eddy, &topic), 2);
    // In mid-stream: a new process knows no schema, and finds nobody to ask.
    eddy.kill();
    write(&registry, "avro", &topic, 150, 300);
    registry.kill();
    eddy.start_again();
    eddy.wait_ready(PATIENCE);
    wait_until(PATIENCE, "the task waits for the registry again", || {
        eddy.http().number(&waits) == 1
    });
    registry.restart();
    wait_equal(PATIENCE, "the good records", 297, || rows(&eddy));
    // What is known flows without it.
    registry.kill();
    topic.produce(&[Produce {
        value: known,
        ..Produce::default()
    }]);
    every_record_is_there_once(&eddy, &lake, &topic, 298);
    assert_eq!(dead(&eddy, &topic), 3);
    wait_committed(&lake, &topic);
}

/// The names of the context headers that say where a record failed, and who refused it.
const STAGE: &str = "__connect.errors.stage";
const CLASS: &str = "__connect.errors.class.name";

#[test]
fn transforms_see_registered_values_and_what_nobody_reads_is_told_to_the_dead_letter_topic() {
    const TRANSFORMS: &str = "org.apache.kafka.connect.transforms";
    let registry = PrivateRegistry::start();
    let lake = TestLake::local();
    let topic = Topic::create("changed", 1);
    assert_eq!(write(&registry, "avro", &topic, 0, 200), 2);
    let dead_letters = unique("dead");
    let (rename, cast) = (
        format!("{TRANSFORMS}.ReplaceField$Value"),
        format!("{TRANSFORMS}.Cast$Value"),
    );
    let url = registry.url.as_str();
    let settings = [
        ("topics", topic.name.as_str()),
        ("flush.interval.ms", "500"),
        ("key.converter", AVRO),
        ("key.converter.schema.registry.url", url),
        ("value.converter", AVRO),
        ("value.converter.schema.registry.url", url),
        ("transforms", "rename, cast"),
        ("transforms.rename.type", &rename),
        ("transforms.rename.renames", "id:order"),
        ("transforms.rename.exclude", "tree,either"),
        ("transforms.cast.type", &cast),
        ("transforms.cast.spec", "kind:string,order:string"),
        ("errors.deadletterqueue.topic.name", &dead_letters),
        ("errors.deadletterqueue.topic.replication.factor", "1"),
        ("errors.deadletterqueue.context.headers.enable", "true"),
    ];
    let eddy = Start::on(&lake).connector(&topic.name, &settings).ready();
    every_record_is_there_once(&eddy, &lake, &topic, 198);
    let name = &topic.name;
    // Version 0 wrote the offset as `id`, version 1 added 2^40.
    let same = format!(
        "SELECT count(*) AS n FROM \"{name}\" \
         WHERE CAST(\"order\" AS BIGINT) % 1099511627776 = _offset \
         AND CAST(price AS VARCHAR) = '1' || lpad(CAST(_offset AS VARCHAR), 31, '0') || '.0000' \
         AND address['street'] = 'Street ' || _offset"
    );
    assert_eq!(eddy.http().number(&same), 198);
    let columns = format!("SELECT column FROM system.columns WHERE \"table\" = '{name}'");
    let columns = eddy.http().sql(&columns);
    for gone in ["id", "tree", "either"] {
        assert!(
            columns.iter().all(|row| row["column"] != json!(gone)),
            "{gone}"
        );
    }
    let sources = topic.consume();
    let copies = Topic {
        name: dead_letters,
        partitions: 1,
    }
    .consume();
    let mut told: Vec<_> = copies.iter().map(|copy| copy.value.clone()).collect();
    told.dedup();
    let poison = [7, 107].map(|offset: usize| sources[offset].value.clone());
    assert_eq!(told, poison);
    for copy in &copies {
        let header = |name: &str| {
            let found = copy.headers.iter().find(|(key, _)| key == name);
            let value = found.and_then(|(_, value)| value.clone()).expect(name);
            String::from_utf8(value).expect("text")
        };
        assert_eq!(
            (header(STAGE), header(CLASS)),
            ("VALUE_CONVERTER".into(), AVRO.into())
        );
    }
}
