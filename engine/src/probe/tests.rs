//! Each way in which a store can be wrong has an answer of its own that says what to do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use object_store::memory::InMemory;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::lake::{Lake, LakeOptions};
use crate::testing::{FaultyStore, Step, disk_lake, s3_lake, s3_options, store_lake};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_ignores_conditions_is_refused() {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    let lake = store_lake(Arc::new(store.clone()), Clock::system());
    store.script("probe", [Step::IgnoreCondition, Step::IgnoreCondition]);
    let error = lake.probe().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().contains("ignores conditional puts"),
        "{error}"
    );
    lake.probe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn local_disk_and_s3_keep_the_promise() {
    let folder = tempfile::tempdir().unwrap();
    disk_lake(folder.path(), Clock::system())
        .probe()
        .await
        .unwrap();
    let lake = s3_lake(Clock::system());
    lake.probe().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_the_configuration_is_named() {
    // An endpoint where nothing listens: port 1 is never taken on a test machine.
    let nowhere = with(
        LakeOptions {
            url: "s3://bucket/lake".to_owned(),
            options: s3_keys(),
        },
        "aws_endpoint",
        "http://127.0.0.1:1",
    );
    let error = connect(nowhere).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("does not answer"), "{error}");

    let misspelt = LakeOptions {
        url: "s3://bucket/lake".to_owned(),
        options: [("aws_acess_key_id".to_owned(), "x".to_owned())].into(),
    };
    let error = connect(misspelt).await;
    assert!(error.to_string().contains("aws_acess_key_id"), "{error}");

    let options = s3_options(&Clock::system());
    let absent = LakeOptions {
        url: "s3://eddy-no-such-bucket/lake".to_owned(),
        ..options.clone()
    };
    let error = connect(absent).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("does not exist"), "{error}");

    let error = connect(with(options, "aws_secret_access_key", "wrong")).await;
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error.to_string().contains("refused the credentials"),
        "{error}"
    );
    assert!(!error.to_string().contains("wrong"), "{error}");
}

async fn connect(options: LakeOptions) -> Error {
    match Lake::connect(&options, Clock::system()).await {
        Ok(_) => panic!("the lake must be refused"),
        Err(error) => error,
    }
}

fn with(mut options: LakeOptions, key: &str, value: &str) -> LakeOptions {
    options.options.insert(key.to_owned(), value.to_owned());
    options
}

fn s3_keys() -> std::collections::BTreeMap<String, String> {
    ["aws_access_key_id", "aws_secret_access_key", "aws_region"]
        .map(|key| (key.to_owned(), "x".to_owned()))
        .into()
}
