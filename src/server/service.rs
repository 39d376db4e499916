//! A running process: what it has, and how it ends in order.

use std::sync::Arc;
use std::time::Duration;

use eddy_connector::{Connectors, Worker};
use eddy_engine::Lake;
use eddy_replay::Jobs;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{flight, http};

/// How long an orderly end may take before what isn't committed is left to be read again.
const STOP_DEADLINE: Duration = Duration::from_secs(25);
/// How long a worker may take to tell its group that it is away for a moment.
const LEAVE_DEADLINE: Duration = Duration::from_secs(3);

/// The running roles of one process.
pub(crate) struct Service {
    pub(super) lake: Lake,
    pub(super) connectors: Option<Arc<Connectors>>,
    pub(super) worker: Option<Worker>,
    pub(super) jobs: Option<Jobs>,
    /// The listeners.
    pub(super) serving: Vec<JoinHandle<()>>,
    pub(super) announced: Option<flight::Announced>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) ready: http::Ready,
    pub(super) url: Option<String>,
}

impl Service {
    /// Where HTTP is served, if it is.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The lake.
    pub(crate) fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The connectors of this process, if it is a worker.
    pub(crate) fn connectors(&self) -> Option<&Arc<Connectors>> {
        self.connectors.as_ref()
    }

    /// Ends everything in order: no new requests, the sinks commit, the replays save where they
    /// are.
    pub(crate) async fn stop(self) {
        self.ready.set(false);
        if let Some(connectors) = self.connectors {
            let worker = self.worker;
            let stopped = tokio::task::spawn_blocking(move || {
                if let Some(worker) = &worker {
                    worker.stop(STOP_DEADLINE);
                }
                let stopped = connectors.stop(STOP_DEADLINE);
                if let Some(worker) = worker {
                    worker.leave(LEAVE_DEADLINE);
                }
                stopped
            });
            let stopped = stopped.await;
            match stopped {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "not everything was committed in time"),
                Err(error) => tracing::error!(%error, "stopping the connectors broke off"),
            }
        }
        if let Some(jobs) = self.jobs {
            jobs.shutdown().await;
        }
        if let Some(announced) = self.announced {
            announced.withdraw().await;
        }
        let _ = self.stop.send(true);
        for listener in self.serving {
            let _ = listener.await;
        }
        tracing::info!("eddy has ended");
    }
}
