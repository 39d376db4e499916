//! Where a plan is cut: below the line are scans of the lake and what may be done with their rows
//! part by part, above it everything else.
//!
//! A step over a union of far and near rows becomes one over each of them: a partial aggregate of
//! files is made where they are read, and one of live rows here. So the lines lie as high as they
//! can, and few rows cross them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, Partitioning,
    ReplaceChildrenOptions,
};
use datafusion_distributed::{DistributedLeafExec, MaybeEncoded, NetworkCoalesceExec};
use uuid::Uuid;

use super::Divisible;
use super::known::Node;
use super::may::{is_by_parts, is_understood, scan};
use super::share::shares;
use crate::error::Result;
use crate::run::is_yield;

type Plan = Arc<dyn ExecutionPlan>;

/// How plans are cut.
pub(super) struct Cutter<'a> {
    pub(super) nodes: &'a [Node],
    pub(super) threads: usize,
    pub(super) bytes_least: u64,
    pub(super) state: &'a SessionState,
    pub(super) context: &'a Arc<TaskContext>,
}

/// Rows of one input of a step, and where they are made.
enum Branch {
    Near(Plan),
    Far(Plan),
}

/// Whether something in a plan may be worth asking others.
pub(super) fn has_large_scan(plan: &Plan, bytes_least: u64) -> bool {
    plan.exists(|node| Ok(is_large_scan(node.as_ref(), bytes_least)))
        .unwrap_or(false)
}

/// A scan whose files all may be read elsewhere, whole, and are many bytes together. One that
/// stops after some rows isn't: it reads little, in order.
fn is_large_scan(node: &dyn ExecutionPlan, bytes_least: u64) -> bool {
    let Some((config, _)) = scan(node) else {
        return false;
    };
    let is_plain = config.limit.is_none()
        && config.output_ordering.is_empty()
        && config.output_partitioning.is_none()
        && !config.preserve_order;
    let files = config.file_groups.iter().flat_map(|group| group.files());
    let bytes = files.map(|file| {
        let divisible = file.extension::<Divisible>()?;
        // A file that is cut is listed once for each of its ranges.
        let (size, part) = (file.object_meta.size.max(1), file.effective_size());
        let bytes = u128::from(divisible.bytes) * u128::from(part) / u128::from(size);
        u64::try_from(bytes).ok()
    });
    let bytes: Option<u64> = bytes.sum();
    is_plain && bytes.is_some_and(|bytes| bytes >= bytes_least)
}

impl Cutter<'_> {
    /// The plan with lines in it, for one output partition; `None` where there is nothing to cut.
    pub(super) fn cut(&self, plan: &Plan) -> Result<Option<Plan>> {
        let cut = self.below(plan, false)?;
        let has_line = cut.exists(|node| Ok(node.is::<NetworkCoalesceExec>()))?;
        Ok(has_line.then_some(cut))
    }

    /// The same plan with lines in it. Who is `hurried` wants some rows and not all: he has them
    /// soonest from the files at hand.
    fn below(&self, plan: &Plan, hurried: bool) -> Result<Plan> {
        let hurried = is_hurried(plan.as_ref(), hurried);
        if !hurried {
            if let Some(sorted) = self.sorted(plan)? {
                return Ok(sorted);
            }
            if let Some(branches) = self.branches(plan)? {
                let joined = self.joined(branches)?;
                return as_many(plan, joined);
            }
        }
        let mut changed = false;
        let mut children = Vec::new();
        for child in plan.children() {
            let cut = self.below(child, hurried)?;
            changed |= !Arc::ptr_eq(&cut, child);
            children.push(cut);
        }
        match changed {
            true => over(plan, children),
            false => Ok(Arc::clone(plan)),
        }
    }

    /// A sort of one partition, whose input is sorted part by part instead and merged.
    fn sorted(&self, plan: &Plan) -> Result<Option<Plan>> {
        let Some(sort) = plan.downcast_ref::<SortExec>() else {
            return Ok(None);
        };
        if sort.preserve_partitioning() || !is_understood(sort, self.state) {
            return Ok(None);
        }
        let Some(branches) = self.branches(sort.input())? else {
            return Ok(None);
        };
        let part = |input: Plan| -> Plan {
            let part = SortExec::new(sort.expr().clone(), input).with_preserve_partitioning(true);
            Arc::new(part.with_fetch(sort.fetch()))
        };
        let branches = branches.into_iter().map(|branch| match branch {
            Branch::Near(input) => Branch::Near(part(input)),
            Branch::Far(input) => Branch::Far(part(input)),
        });
        let joined = self.joined(branches.collect())?;
        let merge = SortPreservingMergeExec::new(sort.expr().clone(), joined);
        Ok(Some(Arc::new(merge.with_fetch(sort.fetch()))))
    }

    /// The rows of a plan as branches, if any of them may be far.
    fn branches(&self, plan: &Plan) -> Result<Option<Vec<Branch>>> {
        if is_large_scan(plan.as_ref(), self.bytes_least) {
            let is_understood = is_understood(plan.as_ref(), self.state);
            return Ok(is_understood.then(|| vec![Branch::Far(as_sent(plan))]));
        }
        if plan.is::<UnionExec>() {
            return self.of_union(plan);
        }
        let children = plan.children();
        let [input] = children.as_slice() else {
            return Ok(None);
        };
        let is_yield = is_yield(plan.as_ref());
        let is_dealt = is_dealt_out(plan.as_ref());
        let goes = is_by_parts(plan.as_ref()) && is_understood(plan.as_ref(), self.state);
        if !(is_yield || is_dealt || goes) {
            return Ok(None);
        }
        let Some(branches) = self.branches(input)? else {
            return Ok(None);
        };
        let mut all = Vec::with_capacity(branches.len());
        for branch in branches {
            all.push(match branch {
                Branch::Near(input) => Branch::Near(over(plan, vec![input])?),
                // Files are divided already, and whoever asks can stop what is far at any moment.
                Branch::Far(input) if is_yield || is_dealt => Branch::Far(input),
                Branch::Far(input) => Branch::Far(over(plan, vec![input])?),
            });
        }
        Ok(Some(all))
    }

    fn of_union(&self, union: &Plan) -> Result<Option<Vec<Branch>>> {
        let mut all = Vec::new();
        let mut is_far = false;
        for input in union.children() {
            match self.branches(input)? {
                Some(branches) => {
                    is_far = true;
                    all.extend(branches);
                }
                None => all.push(Branch::Near(self.below(input, false)?)),
            }
        }
        Ok(is_far.then_some(all))
    }

    /// Whether a part can be told to others. Told once too often is better than found out by a node
    /// that waits for its part.
    fn is_sendable(&self, part: &Plan) -> bool {
        let encoded = MaybeEncoded::Decoded(Arc::clone(part)).encode(self.context);
        if let Err(error) = &encoded {
            tracing::debug!(%error, "a part of a plan stays on its node");
        }
        encoded.is_ok()
    }

    /// All branches as one plan, with the lines below those that are far.
    fn joined(&self, branches: Vec<Branch>) -> Result<Plan> {
        let mut inputs: Vec<Plan> = Vec::with_capacity(branches.len());
        for branch in branches {
            inputs.push(match branch {
                Branch::Far(plan) if self.is_sendable(&plan) => self.far(plan)?,
                Branch::Near(plan) | Branch::Far(plan) => plan,
            });
        }
        match inputs.len() {
            1 => Ok(inputs.swap_remove(0)),
            _ => Ok(UnionExec::try_new(inputs)?),
        }
    }

    /// A line, with each node's files below it.
    fn far(&self, plan: Plan) -> Result<Plan> {
        let divided = plan.transform_up(|node| match scan(node.as_ref()) {
            None => Ok(Transformed::no(node)),
            Some((config, _)) => {
                let variants = self.divided(config);
                let leaf = DistributedLeafExec::try_new(Arc::clone(&node), variants)?;
                Ok(Transformed::yes(Arc::new(leaf) as Plan))
            }
        })?;
        let line = NetworkCoalesceExec::try_new(divided.data, self.nodes.len(), 1)?;
        Ok(Arc::new(line))
    }

    /// The scan of each node.
    fn divided(&self, config: &FileScanConfig) -> Vec<Plan> {
        let files = config.file_groups.iter().flat_map(|group| group.files());
        let ids: Vec<Uuid> = self.nodes.iter().map(|node| node.process).collect();
        let shares = shares(files.cloned(), &ids, self.threads);
        let scans = shares.into_iter().map(|file_groups| {
            let mut scan = config.clone();
            scan.file_groups = file_groups;
            DataSourceExec::from_data_source(scan) as Plan
        });
        scans.collect()
    }
}

/// A scan as others understand it, who keep columns of their own accord or not.
fn as_sent(plan: &Plan) -> Plan {
    let Some((config, parquet)) = scan(plan.as_ref()) else {
        return Arc::clone(plan);
    };
    let mut sent = config.clone();
    sent.file_source = Arc::new(parquet.clone());
    DataSourceExec::from_data_source(sent)
}

/// Whether who reads this plan's rows wants only some of them.
fn is_hurried(plan: &dyn ExecutionPlan, before: bool) -> bool {
    // These want all rows before they give one, whatever is above.
    let waits =
        plan.is::<SortExec>() || plan.is::<AggregateExec>() || plan.is::<SortPreservingMergeExec>();
    if waits {
        return false;
    }
    let stops = plan.is::<GlobalLimitExec>() || plan.is::<LocalLimitExec>();
    before || stops || plan.fetch().is_some()
}

/// Whether a step only deals rows out to threads.
fn is_dealt_out(step: &dyn ExecutionPlan) -> bool {
    let dealt = step.downcast_ref::<RepartitionExec>();
    dealt.is_some_and(|dealt| {
        matches!(dealt.partitioning(), Partitioning::RoundRobinBatch(_)) && !dealt.preserve_order()
    })
}

/// The step over other inputs.
fn over(step: &Plan, inputs: Vec<Plan>) -> Result<Plan> {
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Ok(Arc::clone(step).replace_children(inputs, options)?)
}

/// The new plan, as one partition where the old one was: whoever reads it reads no more.
fn as_many(old: &Plan, new: Plan) -> Result<Plan> {
    let partitions = |plan: &Plan| plan.output_partitioning().partition_count();
    if partitions(old) != 1 || partitions(&new) == 1 {
        return Ok(new);
    }
    Ok(match old.output_ordering() {
        Some(order) => Arc::new(SortPreservingMergeExec::new(order.clone(), new)),
        None => Arc::new(CoalescePartitionsExec::new(new)),
    })
}

/// Whether a plan has nothing but scans of `store` and steps of a part: for who does it.
pub(super) fn is_part(plan: &Plan, store: &str) -> Result<bool> {
    let mut is_part = true;
    plan.apply(|node| {
        let is_ours = scan(node.as_ref())
            .is_some_and(|(config, _)| config.object_store_url.as_str() == store);
        is_part &= is_ours || super::may::is_step(node.as_ref());
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(is_part)
}
