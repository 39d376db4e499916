//! Wrong options are refused, and right ones reach each request that makes an object: asked of a
//! server that writes down what it is sent.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod recorder;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use self::recorder::{Recorder, Request};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::lake::{Lake, LakeOptions};
use crate::maintain::{Compaction, Keeper, Policy};
use crate::record::{Record, TimestampType, TopicId};
use crate::write::{Start, TableWriter, WriterOptions};

/// 32 bytes, as nobody should ever have them.
const CUSTOMER: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTMyYiE=";

fn refused(url: &str, options: &[(&str, &str)]) -> String {
    let options = LakeOptions {
        url: url.to_owned(),
        options: options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let error: Error = Lake::open(&options, Clock::system()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_would_encrypt_nothing_are_refused_by_name() {
    let kind = "aws_server_side_encryption";
    let (kms, bucket) = ("aws_sse_kms_key_id", "aws_sse_bucket_key_enabled");
    let customer = "aws_sse_customer_key_base64";
    let far = ("aws_endpoint", "http://s3.example.com");
    for (options, needles) in [
        (&[(kind, "AES-256")][..], ["`AES-256`", "`aws:kms`"]),
        (&[(kms, "key")], [kms, "encrypts nothing"]),
        (&[(kind, "AES256"), (kms, "key")], [kms, "encrypts nothing"]),
        (&[(bucket, "true")], [bucket, "encrypts nothing"]),
        (&[(kind, "aws:kms"), (bucket, "yes")], [bucket, "`true`"]),
        (&[(kind, "aws:kms"), (kms, " ")], [kms, "empty"]),
        (&[(customer, CUSTOMER)], [customer, "`sse-c`"]),
        (
            &[(kind, "aws:kms"), (customer, CUSTOMER)],
            [customer, "`sse-c`"],
        ),
        (&[(kind, "sse-c")], [customer, "openssl"]),
        (
            &[(kind, "sse-c"), (customer, "c2VjcmV0")],
            [customer, "32 bytes"],
        ),
        (
            &[(kind, "sse-c"), (customer, &CUSTOMER[1..])],
            [customer, "32 bytes"],
        ),
        (
            &[(kind, "sse-c"), (customer, CUSTOMER), far],
            ["aws_endpoint", "https://"],
        ),
        (&[("aws_sse_key", "x")], ["aws_sse_key", "not an option"]),
    ] {
        let message = refused("s3://bucket/lake", options);
        for needle in needles {
            assert!(message.contains(needle), "{needle}: {message}");
        }
        assert!(
            !message.contains(&CUSTOMER[1..]) && !message.contains("c2VjcmV0"),
            "{message}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let message = refused(
        &format!("file://{}", folder.path().display()),
        &[(kind, "AES256")],
    );
    assert!(
        message.contains(kind) && message.contains("file system"),
        "{message}"
    );
}

/// Does to a lake on the recording server everything that makes objects.
fn worked(options: &[(&str, &str)]) -> Vec<Request> {
    let recorder = Recorder::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options: BTreeMap<String, String> = [
        ("aws_endpoint", recorder.endpoint()),
        ("aws_region", "us-east-1".to_owned()),
        ("aws_access_key_id", "id".to_owned()),
        ("aws_secret_access_key", "secret".to_owned()),
    ]
    .into_iter()
    .chain(
        options
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned())),
    )
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let options = LakeOptions {
        url: "s3://bucket/lake".to_owned(),
        options,
    };
    assert!(!format!("{options:?}").contains(CUSTOMER));
    let lake = runtime
        .block_on(Lake::connect(&options, Clock::system()))
        .unwrap();
    let table = lake.table("topics", "orders");
    let id = TopicId::new("AAAAAAAAAAAAAAAAAAAAAQ");
    let options = WriterOptions::new(table.clone(), "orders", id, "sink");
    let mut writer = TableWriter::open(&lake, options).unwrap();
    writer.assign(&[(0, Start::at(0))]).unwrap();
    // Larger than a part, and nothing that zstd could make smaller.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let large: Vec<u8> = (0..(18 << 20) / 8)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect();
    for (offset, value) in (0..).zip([b"{\"n\":1}", &large[..], b"{\"n\":2}"]) {
        let record = Record {
            partition: 0,
            offset,
            timestamp_ms: None,
            timestamp_type: TimestampType::None,
            key: None,
            value: Some(value),
            headers: &[],
            decoded: Default::default(),
        };
        writer.append(&record).unwrap();
        assert!(writer.cut().unwrap());
        writer.wait_cut(Duration::from_secs(60)).unwrap();
    }
    let eager = Policy {
        compaction: Some(Compaction {
            least_files: 2,
            settle: Duration::ZERO,
            ..Compaction::default()
        }),
        ..Policy::default()
    };
    let mut keeper = Keeper::new(&lake, &Budget::unlimited());
    let kept = keeper
        .pass(&table, &eager, &AtomicBool::new(false))
        .unwrap();
    assert_eq!(kept.compacted.rewrites, 1, "{kept:?}");
    recorder.requests()
}

/// Requests that make an object, or begin to.
fn makes(request: &&Request) -> bool {
    let is_part = request.query.contains("partNumber");
    request.method == "PUT" && !is_part || request.query.starts_with("uploads")
}

#[test]
fn each_object_is_made_under_the_kms_key() {
    let requests = worked(&[
        ("aws_server_side_encryption", "aws:kms"),
        ("aws_sse_kms_key_id", "arn:aws:kms:eu-central-1:1:key/a"),
        ("aws_sse_bucket_key_enabled", "true"),
    ]);
    let made: Vec<&Request> = requests.iter().filter(makes).collect();
    for request in &made {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        assert_eq!(
            header("x-amz-server-side-encryption"),
            Some("aws:kms"),
            "{request:?}"
        );
        let key = header("x-amz-server-side-encryption-aws-kms-key-id");
        assert_eq!(key, Some("arn:aws:kms:eu-central-1:1:key/a"), "{request:?}");
        let bucket = header("x-amz-server-side-encryption-bucket-key-enabled");
        assert_eq!(bucket, Some("true"), "{request:?}");
    }
    for part in [
        "_delta_log/",
        ".parquet",
        "_eddy/uploads/",
        "_eddy/filters/",
        "_eddy/probe/",
    ] {
        assert!(
            made.iter().any(|request| request.path.contains(part)),
            "{part}"
        );
    }
    let conditional = made
        .iter()
        .filter(|request| request.headers.contains_key("if-none-match"));
    assert!(
        conditional.count() > 3,
        "commits and journals are conditional"
    );
    assert!(
        made.iter()
            .any(|request| request.query.starts_with("uploads")),
        "in parts"
    );
}

#[test]
fn each_object_is_written_and_read_with_the_customers_key() {
    let requests = worked(&[
        ("aws_server_side_encryption", "sse-c"),
        ("aws_sse_customer_key_base64", CUSTOMER),
    ]);
    let of_object = |request: &&Request| {
        let is_listing = request.query.contains("list-type");
        matches!(request.method.as_str(), "PUT" | "GET" | "HEAD") && !is_listing
    };
    let objects: Vec<&Request> = requests
        .iter()
        .filter(|request| makes(request) || of_object(request))
        .collect();
    for request in &objects {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        let key = header("x-amz-server-side-encryption-customer-key");
        assert_eq!(key, Some(CUSTOMER), "{request:?}");
        let algorithm = header("x-amz-server-side-encryption-customer-algorithm");
        assert_eq!(algorithm, Some("AES256"), "{request:?}");
    }
    let has = |method: &str, part: &str| {
        let mut found = objects.iter();
        found.any(|request| request.method == method && request.query.contains(part))
    };
    assert!(has("GET", "") && has("POST", "uploads") && has("PUT", "partNumber"));
}
