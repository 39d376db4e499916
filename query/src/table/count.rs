//! What the scans of one table read, counted where it is read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricValue;
use eddy_engine::filter::Verdict;
use eddy_engine::read::ReadCount;

/// How much of a table a query's scans read.
#[derive(Debug, Default)]
pub(crate) struct ScanCount {
    /// Files that were read.
    pub(crate) files: AtomicU64,
    /// Files that the table's version has.
    pub(crate) files_total: AtomicU64,
    /// Requests for files, and their bytes.
    pub(super) reads: Arc<ReadCount>,
    filter_requests: AtomicU64,
    filter_bytes: AtomicU64,
}

/// What a query read, all its scans together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Reads {
    /// Files that were read.
    pub(crate) files: u64,
    /// Files of the versions that the query saw.
    pub(crate) files_total: u64,
    /// Row groups that were read.
    pub(crate) row_groups: u64,
    /// Requests for files.
    pub(crate) requests: u64,
    /// Bytes of files, footers and indexes included.
    pub(crate) bytes: u64,
    /// Requests for filters.
    pub(crate) filter_requests: u64,
    /// Bytes of filters.
    pub(crate) filter_bytes: u64,
}

impl ScanCount {
    /// Notes which files a scan reads.
    pub(super) fn planned(&self, files: usize, files_total: usize) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.files.fetch_add(count(files), Ordering::Relaxed);
        self.files_total
            .fetch_add(count(files_total), Ordering::Relaxed);
    }

    /// Notes what it took to ask filters.
    pub(super) fn asked(&self, verdict: &Verdict) {
        self.filter_requests
            .fetch_add(verdict.requests, Ordering::Relaxed);
        self.filter_bytes
            .fetch_add(verdict.bytes, Ordering::Relaxed);
    }
}

impl Reads {
    /// What the scans behind `counts` read for `plan`, so far.
    pub(crate) fn of(counts: &[Arc<ScanCount>], plan: &dyn ExecutionPlan) -> Self {
        let sum = |number: fn(&ScanCount) -> &AtomicU64| {
            let numbers = counts.iter().map(|count| number(count));
            numbers.map(|number| number.load(Ordering::Relaxed)).sum()
        };
        Self {
            files: sum(|count| &count.files),
            files_total: sum(|count| &count.files_total),
            row_groups: row_groups(plan),
            requests: sum(|count| &count.reads.requests),
            bytes: sum(|count| &count.reads.bytes),
            filter_requests: sum(|count| &count.filter_requests),
            filter_bytes: sum(|count| &count.filter_bytes),
        }
    }
}

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "files={} of {}, row_groups={}, requests={}, bytes={}, filter_requests={}, \
             filter_bytes={}",
            self.files,
            self.files_total,
            self.row_groups,
            self.requests,
            self.bytes,
            self.filter_requests,
            self.filter_bytes
        )
    }
}

/// The row groups that scans took on after statistics and bloom filters. DataFusion counts them in
/// its metrics of the latter, with or without a filter.
fn row_groups(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan.metrics().map_or(0, |metrics| {
        let counts = metrics.iter().map(|metric| match metric.value() {
            MetricValue::PruningMetrics {
                name,
                pruning_metrics,
            } if name == "row_groups_pruned_bloom_filter" => pruning_metrics.matched(),
            _ => 0,
        });
        u64::try_from(counts.sum::<usize>()).unwrap_or(u64::MAX)
    });
    let children = plan.children().into_iter();
    own + children
        .map(|child| row_groups(child.as_ref()))
        .sum::<u64>()
}
