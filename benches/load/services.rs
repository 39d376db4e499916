//! The running services that `make bench` hands over in the environment, and a topic to fill.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::events::{Seeded, event};

/// A setting that `make bench` exports.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run `make bench`"))
}

/// Makes `topic` with `partitions` partitions.
pub(crate) fn create_topic(topic: &str, partitions: i32) {
    let admin: AdminClient<_> = ClientConfig::new()
        .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
        .create()
        .unwrap();
    let topic = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let made = runtime
        .block_on(admin.create_topics([&topic], &AdminOptions::new()))
        .unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
}

/// Produces `count` events and returns their bytes. The seed is fixed.
pub(crate) fn fill(topic: &str, count: u64) -> u64 {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", setting("EDDY_TEST_KAFKA"))
        .set("linger.ms", "50")
        .set("acks", "all")
        .set("batch.size", "1000000")
        .create()
        .unwrap();
    let mut random = Seeded::new(20_251_124);
    let mut text = String::new();
    let mut bytes = 0;
    for index in 0..count {
        text.clear();
        event(&mut random, index, &mut text);
        bytes += text.len() as u64;
        let key = index.to_string();
        let mut record = BaseRecord::to(topic).key(&key).payload(&text);
        while let Err((error, back)) = producer.send(record) {
            assert!(full(&error), "{error}");
            producer.poll(Duration::from_millis(20));
            record = back;
        }
        if index % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(120)).unwrap();
    bytes
}

fn full(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull)
}

/// Makes an empty bucket.
pub(crate) fn create_bucket(bucket: &str) {
    let output = std::process::Command::new(setting("EDDY_TEST_CONTROL"))
        .args(["bucket", &setting("EDDY_TEST_S3_ENDPOINT")])
        .args([
            &setting("EDDY_TEST_S3_ACCESS_KEY"),
            &setting("EDDY_TEST_S3_SECRET_KEY"),
        ])
        .arg(bucket)
        .output()
        .expect("the control script");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The `[lake]` tables of a configuration file for `bucket`.
pub(crate) fn lake(bucket: &str) -> String {
    format!(
        "[lake]\nurl = \"s3://{bucket}/lake\"\n[lake.options]\naws_endpoint = \"{}\"\n\
         aws_access_key_id = \"{}\"\naws_secret_access_key = \"{}\"\naws_region = \"us-east-1\"\n",
        setting("EDDY_TEST_S3_ENDPOINT"),
        setting("EDDY_TEST_S3_ACCESS_KEY"),
        setting("EDDY_TEST_S3_SECRET_KEY"),
    )
}
