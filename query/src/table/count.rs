//! What the scans of one table read, counted where it is read.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use eddy_engine::commit::DataFile;
use eddy_engine::filter::{Allowed, Verdict};
use eddy_engine::read::ReadCount;
use uuid::Uuid;

/// How much of a table a query's scans read.
#[derive(Debug, Default)]
pub(crate) struct ScanCount {
    /// Files that were read.
    pub(crate) files: AtomicU64,
    /// Files that the table's version has.
    pub(crate) files_total: AtomicU64,
    /// Their bytes.
    bytes_total: AtomicU64,
    /// Row groups that plans before the query's own read.
    row_groups: AtomicU64,
    /// Row groups that filters and such plans left out.
    row_groups_pruned: AtomicU64,
    /// Requests for files, and their bytes.
    pub(super) reads: Arc<ReadCount>,
    /// Bytes of files that were kept since an earlier read.
    pub(super) kept_bytes: Arc<AtomicU64>,
    filter_requests: AtomicU64,
    filter_bytes: AtomicU64,
    /// Who read parts of it, where these were divided.
    nodes: Mutex<BTreeSet<Uuid>>,
}

/// What was read for a part of a plan by whoever did it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DoneElsewhere {
    /// Requests for files.
    pub(crate) requests: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Bytes of files that were kept there since an earlier read.
    pub(crate) kept_bytes: u64,
    /// Row groups that were read.
    pub(crate) row_groups: u64,
    /// Row groups that were not.
    pub(crate) row_groups_pruned: u64,
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
    /// Row groups of these files that were not, since no row of theirs could be wanted.
    pub(crate) row_groups_pruned: u64,
    /// Requests for files.
    pub(crate) requests: u64,
    /// Bytes of files that the store gave, footers and indexes included.
    pub(crate) bytes: u64,
    /// Bytes of files that were kept in memory or on disk since an earlier read.
    pub(crate) cache_bytes: u64,
    /// Bytes that all files of these versions have.
    pub(crate) bytes_total: u64,
    /// Requests for filters.
    pub(crate) filter_requests: u64,
    /// Bytes of filters.
    pub(crate) filter_bytes: u64,
    /// Nodes that read files for it: 1 where all of it was done by the one that was asked.
    pub(crate) nodes: u64,
}

impl ScanCount {
    /// Notes which files a scan reads, and what its table has.
    pub(super) fn planned(&self, files: usize, all: &[Arc<DataFile>]) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let bytes = all.iter().map(|file| file.size).sum();
        self.files.fetch_add(count(files), Ordering::Relaxed);
        self.files_total
            .fetch_add(count(all.len()), Ordering::Relaxed);
        self.bytes_total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The query is planned anew: what the plan before was to read doesn't count.
    pub(crate) fn replanned(&self) {
        for figure in [&self.files, &self.files_total, &self.bytes_total] {
            figure.store(0, Ordering::Relaxed);
        }
    }

    /// Notes what a plan read that ran before the query's own.
    pub(crate) fn ran(&self, plan: &dyn ExecutionPlan) {
        let (read, pruned) = row_groups(plan);
        self.row_groups.fetch_add(read, Ordering::Relaxed);
        self.row_groups_pruned.fetch_add(pruned, Ordering::Relaxed);
    }

    /// Notes what a node read for its part.
    pub(crate) fn done_by(&self, node: Uuid, done: &DoneElsewhere) {
        let add = |figure: &AtomicU64, more: u64| figure.fetch_add(more, Ordering::Relaxed);
        add(&self.reads.requests, done.requests);
        add(&self.reads.bytes, done.bytes);
        add(&self.kept_bytes, done.kept_bytes);
        add(&self.row_groups, done.row_groups);
        add(&self.row_groups_pruned, done.row_groups_pruned);
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.insert(node);
    }

    /// Bytes that were read, of files and of filters, wherever they were kept.
    pub(crate) fn bytes(&self) -> u64 {
        let files = self.reads.bytes.load(Ordering::Relaxed);
        let kept = self.kept_bytes.load(Ordering::Relaxed);
        files + kept + self.filter_bytes.load(Ordering::Relaxed)
    }

    /// Notes what it took to ask filters.
    pub(super) fn asked(&self, verdict: &Verdict) {
        self.filter_requests
            .fetch_add(verdict.requests, Ordering::Relaxed);
        self.filter_bytes
            .fetch_add(verdict.bytes, Ordering::Relaxed);
        // Row groups of files that are read all the same; the others count as files.
        let read = verdict.row_groups.iter().flatten();
        let pruned = |groups: &Vec<Allowed>| {
            let pruned = groups.iter().filter(|group| **group == Allowed::Nothing);
            Some(pruned.count()).filter(|pruned| *pruned < groups.len())
        };
        let pruned: usize = read.filter_map(pruned).sum();
        self.row_groups_pruned
            .fetch_add(u64::try_from(pruned).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Reads {
    /// What the scans behind `counts` read for `plan`, so far.
    pub(crate) fn of(counts: &[Arc<ScanCount>], plan: &dyn ExecutionPlan) -> Self {
        let sum = |number: fn(&ScanCount) -> &AtomicU64| {
            let numbers = counts.iter().map(|count| number(count));
            numbers.map(|number| number.load(Ordering::Relaxed)).sum()
        };
        let (row_groups, pruned) = row_groups(plan);
        let mut nodes = BTreeSet::new();
        for count in counts {
            let of_one = count.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            nodes.extend(of_one.iter().copied());
        }
        Self {
            nodes: u64::try_from(nodes.len()).unwrap_or(u64::MAX).max(1),
            files: sum(|count| &count.files),
            files_total: sum(|count| &count.files_total),
            row_groups: row_groups + sum(|count| &count.row_groups),
            row_groups_pruned: pruned + sum(|count| &count.row_groups_pruned),
            requests: sum(|count| &count.reads.requests),
            bytes: sum(|count| &count.reads.bytes),
            cache_bytes: sum(|count| &count.kept_bytes),
            bytes_total: sum(|count| &count.bytes_total),
            filter_requests: sum(|count| &count.filter_requests),
            filter_bytes: sum(|count| &count.filter_bytes),
        }
    }
}

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "files={} of {}, row_groups={} ({} pruned), requests={}, bytes={} of {}, \
             cache_bytes={}, filter_requests={}, filter_bytes={}, nodes={}",
            self.files,
            self.files_total,
            self.row_groups,
            self.row_groups_pruned,
            self.requests,
            self.bytes,
            self.bytes_total,
            self.cache_bytes,
            self.filter_requests,
            self.filter_bytes,
            self.nodes
        )
    }
}

/// The row groups that scans took on after statistics and bloom filters, and those that they did
/// not. DataFusion counts the former in its metrics of the latter, with or without a filter.
fn row_groups(plan: &dyn ExecutionPlan) -> (u64, u64) {
    let own = plan
        .metrics()
        .as_ref()
        .map(row_groups_of)
        .unwrap_or_default();
    let children = plan.children().into_iter();
    children
        .map(|child| row_groups(child.as_ref()))
        .fold(own, |all, one| (all.0 + one.0, all.1 + one.1))
}

/// The same of one step of a plan.
pub(crate) fn row_groups_of(metrics: &MetricsSet) -> (u64, u64) {
    let (mut read, mut pruned) = (0, 0);
    for metric in metrics.iter() {
        let MetricValue::PruningMetrics {
            name,
            pruning_metrics,
        } = metric.value()
        else {
            continue;
        };
        match name.as_ref() {
            "row_groups_pruned_bloom_filter" => {
                read += pruning_metrics.matched();
                pruned += pruning_metrics.pruned();
            }
            "row_groups_pruned_statistics" => pruned += pruning_metrics.pruned(),
            _ => {}
        }
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    (count(read), count(pruned))
}
