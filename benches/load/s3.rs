//! The running S3 server that `make bench` hands over in the environment, and a bucket on it.

use std::collections::BTreeMap;

use eddy_engine::read::Snapshot;
use eddy_engine::{Clock, Lake, LakeOptions};

/// A setting that `make bench` exports.
pub(crate) fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run `make bench`"))
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

/// A lake in `bucket`.
pub(crate) fn options(bucket: &str) -> LakeOptions {
    let options = [
        ("aws_endpoint", setting("EDDY_TEST_S3_ENDPOINT")),
        ("aws_access_key_id", setting("EDDY_TEST_S3_ACCESS_KEY")),
        ("aws_secret_access_key", setting("EDDY_TEST_S3_SECRET_KEY")),
        ("aws_region", "us-east-1".to_owned()),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value));
    LakeOptions {
        url: format!("s3://{bucket}/lake"),
        options: BTreeMap::from(options),
    }
}

/// Opens the lake in `bucket`; within a runtime.
pub(crate) async fn open(bucket: &str) -> Lake {
    Lake::open(&options(bucket), Clock::system()).unwrap()
}

/// The files of the newest version of a topic's table, and the rows in them.
pub(crate) fn table_files(lake: &Lake, topic: &str) -> (usize, u64) {
    let table = lake.table("topics", topic);
    let snapshot = Snapshot::load(lake, &table, None).unwrap();
    snapshot.map_or((0, 0), |snapshot| {
        let rows = snapshot.files.iter().map(|file| file.rows).sum();
        (snapshot.files.len(), rows)
    })
}
