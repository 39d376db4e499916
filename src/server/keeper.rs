//! Who keeps the tables of this process, as query's `DELETE` sees it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eddy_connector::Connectors;
use eddy_engine::Lake;
use eddy_query::{Error, ErrorKind, TableKeeper};

/// How long an erasure waits for commits: longer than a store that is away for a moment.
const PATIENCE: Duration = Duration::from_secs(60);

/// The connectors of this process.
pub(crate) struct Keeper(pub(crate) Arc<Connectors>);

#[async_trait]
impl TableKeeper for Keeper {
    async fn settle(&self, lake: &Lake, topics_dir: &str, topic: &str) -> Result<(), Error> {
        let (connectors, lake) = (Arc::clone(&self.0), lake.clone());
        let (topics_dir, topic) = (topics_dir.to_owned(), topic.to_owned());
        let settled = tokio::task::spawn_blocking(move || {
            connectors.settle(&lake, &topics_dir, &topic, PATIENCE)
        });
        match settled.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(told(&error)),
            Err(error) => Err(Error::internal(format!("settling broke off: {error}"))),
        }
    }
}

fn told(error: &eddy_connector::Error) -> Error {
    match error.kind() {
        eddy_connector::ErrorKind::NotFound => {
            Error::new(ErrorKind::NotSupported, error.to_string())
                .with_hint("send the statement to the worker that reads partition 0 of the topic")
        }
        eddy_connector::ErrorKind::Unavailable => {
            Error::new(ErrorKind::Unavailable, error.to_string())
        }
        _ => Error::internal(error.to_string()),
    }
}
