//! A configuration of Confluent's S3 sink, and what it is taken for.

#![allow(clippy::unwrap_used, clippy::panic)]
use eddy_engine::layout::{ForeignFile, Layout};

use super::*;
use crate::connect::config::tests::parse;

const CLASS: (&str, &str) = ("connector.class", "io.confluent.connect.s3.S3SinkConnector");
const PARQUET: (&str, &str) = (
    "format.class",
    "io.confluent.connect.s3.format.parquet.ParquetFormat",
);

/// A usual configuration with these keys instead.
fn config(entries: &[(&str, &str)]) -> Result<crate::connect::ConnectorConfig> {
    let mut all = vec![
        CLASS,
        PARQUET,
        ("topics", "orders"),
        ("flush.size", "1000"),
        ("s3.bucket.name", "lake"),
        ("storage.class", "io.confluent.connect.s3.storage.S3Storage"),
    ];
    all.extend_from_slice(entries);
    parse(&all)
}

fn foreign(entries: &[(&str, &str)]) -> Foreign {
    match config(entries).unwrap().layout {
        Layout::Foreign(foreign) => (*foreign).clone(),
        Layout::Native => panic!("it is foreign"),
    }
}

fn key(entries: &[(&str, &str)], folder: &str) -> String {
    foreign(entries).names.key(&ForeignFile {
        topic: "orders",
        partition: 3,
        folder,
        rotation: 12,
        first: 12,
    })
}

#[test]
fn a_configuration_as_it_is_names_bucket_folder_and_files_as_the_sink_does() {
    let usual = config(&[]).unwrap();
    let lake = usual.lake.clone().unwrap();
    assert_eq!(lake.url, "s3://lake");
    let region = lake.options.get("aws_region").map(String::as_str);
    assert_eq!(region, Some("us-west-2"));
    assert_eq!(usual.topics_dir, "topics");
    assert_eq!(usual.upkeep.policy.compaction, None, "not unless asked");
    assert_eq!(usual.group(), "connect-orders");
    let name = "topics/orders/partition=3/orders+3+0000000012.snappy.parquet";
    assert_eq!(key(&[], "partition=3"), name);
    let rotation = foreign(&[]).rotation;
    assert_eq!((rotation.records, rotation.span), (Some(1_000), None));
    let asked = config(&[("compact", "true")]).unwrap();
    assert!(asked.upkeep.policy.compaction.is_some());
}

#[test]
fn each_key_of_names_changes_what_it_says() {
    for (entries, expected) in [
        (
            &[("topics.dir", "")][..],
            "orders/p/orders+3+0000000012.snappy.parquet",
        ),
        (
            &[("topics.dir", "refined/v1"), ("parquet.codec", "zstd")],
            "refined/v1/orders/p/orders+3+0000000012.zstd.parquet",
        ),
        (
            &[("filename.offset.zero.pad.width", "4"), ("file.delim", "-")],
            "topics/orders/p/orders-3-0012.snappy.parquet",
        ),
        (
            &[("directory.delim", "_"), ("parquet.codec", "none")],
            "topics_orders_p_orders+3+0000000012.parquet",
        ),
    ] {
        assert_eq!(key(entries, "p"), expected);
    }
    assert_eq!(
        config(&[("directory.delim", "_")]).unwrap().topics_dir,
        FLAT_TABLES
    );
}

#[test]
fn the_store_is_reached_as_the_keys_say() {
    let lake = config(&[
        ("s3.region", "eu-west-1"),
        ("store.url", "http://127.0.0.1:9000/"),
        ("aws.access.key.id", "AK"),
        ("aws.secret.access.key", "SK"),
        ("s3.path.style.access.enabled", "false"),
        ("s3.ssea.name", "aws:kms"),
        ("s3.sse.kms.key.id", "k"),
        ("s3.proxy.url", "http://proxy:3128"),
        ("s3.proxy.user", "me"),
        ("s3.proxy.password", "pw"),
    ]);
    let options = lake.unwrap().lake.unwrap().options;
    for (option, value) in [
        ("aws_region", "eu-west-1"),
        ("aws_endpoint", "http://127.0.0.1:9000"),
        ("aws_access_key_id", "AK"),
        ("aws_secret_access_key", "SK"),
        ("aws_virtual_hosted_style_request", "true"),
        ("aws_server_side_encryption", "aws:kms"),
        ("aws_sse_kms_key_id", "k"),
        ("proxy_url", "http://me:pw@proxy:3128"),
    ] {
        assert_eq!(
            options.get(option).map(String::as_str),
            Some(value),
            "{option}"
        );
    }
    let plain = config(&[("store.url", "minio:9000")])
        .unwrap()
        .lake
        .unwrap();
    let endpoint = plain.options.get("aws_endpoint").map(String::as_str);
    assert_eq!(endpoint, Some("https://minio:9000"));
}

#[test]
fn partitioners_divide_as_the_sinks_do() {
    let utc = ("timezone", "UTC");
    let class = |name: &'static str| ("partitioner.class", name);
    let Folders::Time(hourly) = foreign(&[class("a.b.HourlyPartitioner"), utc]).folders else {
        panic!("by time");
    };
    assert_eq!(hourly.source, TimeSource::Arrival);
    // 2024-05-01T07:30:00Z.
    let folder = "year=2024/month=05/day=01/hour=07";
    assert_eq!(hourly.folder(1_714_548_600_000_000), folder);
    let Folders::Time(minutes) = foreign(&[
        class("TimeBasedPartitioner"),
        ("timezone", "Asia/Seoul"),
        ("path.format", "YYYY-MM-dd/HHmm"),
        ("partition.duration.ms", "600000"),
        ("timestamp.extractor", "Record"),
    ])
    .folders
    else {
        panic!("by time");
    };
    assert_eq!(minutes.source, TimeSource::Record);
    assert_eq!(minutes.folder(1_714_548_600_000_000), "2024-05-01/1630");
    let fields = &[
        class("FieldPartitioner"),
        ("partition.field.name", "a, b.c"),
    ];
    let Folders::Fields { fields, .. } = foreign(fields).folders else {
        panic!("by fields");
    };
    let names: Vec<_> = fields.into_iter().filter_map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "b.c"]);
    let interval = ("rotate.interval.ms", "60000");
    let by_time = foreign(&[class("DailyPartitioner"), utc, interval]).rotation;
    assert_eq!(by_time.span, Some(Duration::from_secs(60)));
    assert_eq!(foreign(&[interval]).rotation.span, None, "as the sink does");
}

#[test]
fn what_is_not_built_or_wrong_is_refused_by_key_and_value() {
    for (entries, needles) in [
        (
            &[("flush.size", "0")][..],
            ["`flush.size` is `0`", "from 1"],
        ),
        (&[("flush.size", "")], ["`flush.size`", "missing"]),
        (&[("s3.bucket.name", "")], ["`s3.bucket.name`", "missing"]),
        (
            &[("parquet.codec", "lzo")],
            ["`parquet.codec`", "no kept library"],
        ),
        (
            &[("parquet.codec", "zip")],
            ["`parquet.codec`", "allowed is"],
        ),
        (
            &[("partitioner.class", "com.x.TimeAndFieldBasedPartitioner")],
            ["`partitioner.class`", "Eddy doesn't do"],
        ),
        (
            &[("partitioner.class", "DailyPartitioner")],
            ["`timezone`", "missing"],
        ),
        (
            &[("rotate.schedule.interval.ms", "60000")],
            ["`timezone`", "missing"],
        ),
        (
            &[("s3.compression.type", "gzip")],
            ["`s3.compression.type`", "`parquet.codec`"],
        ),
        (
            &[("s3.credentials.provider.class", "x.VaultProvider")],
            ["`s3.credentials.provider.class`", "Eddy doesn't do"],
        ),
        (
            &[(
                "s3.credentials.provider.class",
                "x.AwsAssumeRoleCredentialsProvider",
            )],
            ["`s3.credentials.provider.sts.role.arn`", "missing"],
        ),
        (
            &[("connector.class", "S3Source")],
            ["`connector.class`", "S3Sink"],
        ),
    ] {
        let message = config(entries).unwrap_err().to_string();
        let all = needles.iter().all(|needle| message.contains(needle));
        assert!(all, "{message}");
    }
}

#[test]
fn a_role_is_taken_on_as_the_provider_of_credentials_says() {
    let of_provider = |class: &'static str| {
        config(&[
            ("s3.credentials.provider.class", class),
            (
                "s3.credentials.provider.sts.role.arn",
                "arn:aws:iam::1:role/r",
            ),
            ("s3.credentials.provider.sts.role.external.id", "x"),
            ("s3.credentials.provider.sts.region", "eu-west-1"),
        ])
        .unwrap()
        .lake
        .unwrap()
        .options
    };
    let options = of_provider("io.confluent.connect.s3.auth.AwsAssumeRoleCredentialsProvider");
    let option = |name: &str| options.get(name).map(String::as_str);
    assert_eq!(option("aws_assume_role_arn"), Some("arn:aws:iam::1:role/r"));
    assert_eq!(option("aws_assume_role_external_id"), Some("x"));
    assert_eq!(option("aws_assume_role_region"), Some("eu-west-1"));
    assert_eq!(option("aws_assume_role_session_name"), None);
    // The keys are of that provider alone.
    let options = of_provider("com.amazonaws.auth.DefaultAWSCredentialsProviderChain");
    assert!(!options.keys().any(|key| key.starts_with("aws_assume_role")));
}
