//! One query on several nodes: files are read, and rows of them made fewer, where there is time.
//!
//! ```text
//! plan of one node --cut--> head: the node that was asked      far: each node, its files
//!   Sort, Join, Final ...     Sort, Join, Final ...                  Partial / Filter / TopK
//!     Partial                   Union                                  Parquet scan
//!       Union                     rows of far <------ Flight --------'
//!         Parquet scan            Partial
//!         live rows                 live rows
//! ```
//!
//! `cut` finds the parts of a plan that may be done file by file, and `share` divides the files;
//! what is far has no more in it than `may` lists. Live rows, files that the plan reads in part or
//! that only this node can open, and small scans stay. `datafusion-distributed` carries the parts
//! (`finish`), and `serve` does them on the other side.
//!
//! Who the nodes are is in `[query] peers` (`known`): a name may be many addresses, this process
//! may be among them, and whoever has another version or another lake, or doesn't answer, is left
//! out for a moment.
//!
//! An answer is whole or an error (`asked`): each node says at its end how many rows it gave, and
//! these must be here. What goes wrong elsewhere before the first row is done again here alone
//! (`run/again`); later it is an error that names the node. Nothing is kept on other nodes: they
//! end what they do when whoever asked goes away.

mod asked;
mod channel;
mod cut;
mod errand;
mod finish;
mod known;
mod may;
mod reads;
mod serve;
mod share;
mod whole;

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::Worker;
use eddy_engine::Clock;

use self::cut::Cutter;
pub(crate) use self::errand::Errand;
use self::known::{Known, Node};
use self::serve::Desk;
use crate::error::{Error, Result};
use crate::http::Token;
use crate::query::{Inner, Query};

/// Who answers queries together.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// `host:port` of each node's Flight listener. A host may stand for several addresses, and
    /// this process may be one of them.
    pub peers: Vec<String>,
    /// A scan of fewer bytes isn't divided: asking others costs more than it saves.
    pub spread_bytes_least: u64,
}

/// The nodes, and this one among them.
pub(crate) struct Nodes {
    known: Known,
    /// Does the parts that fall to this node, for its own queries and for those of others.
    pub(crate) worker: Worker,
    bytes_least: u64,
    threads: usize,
}

/// A plan that several nodes work for.
pub(crate) struct Spread {
    /// What this node executes.
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    /// What it executes it in.
    pub(crate) context: Arc<TaskContext>,
    /// How it goes.
    pub(crate) errand: Arc<Errand>,
}

impl Query {
    /// From now on large scans are divided among these nodes, and this process does its part for
    /// them; only the first call counts. `token` opens their listeners.
    ///
    /// # Errors
    /// `Invalid` when a peer is no `host:port`.
    pub fn look_for_nodes(&self, options: NodeOptions, token: Option<Token>) -> Result<()> {
        let nodes = Nodes::new(&self.0, options, token)?;
        if self.0.nodes.set(nodes).is_err() {
            tracing::warn!("nodes are looked for already");
        }
        Ok(())
    }
}

impl Nodes {
    fn new(inner: &Arc<Inner>, options: NodeOptions, token: Option<Token>) -> Result<Self> {
        let tables = inner.catalog.tables();
        let lake = tables.lakes().into_iter().next();
        let lake = lake.ok_or_else(|| Error::invalid("there is no lake to read together"))?;
        let said = known::Said::of(&lake, inner.process);
        let desk = Arc::new(Desk::new(inner, &lake)?);
        let worker = serve::worker(desk).with_version(said.text()?);
        let clock: Clock = inner.clock.clone();
        Ok(Self {
            known: Known::new(options.peers, (inner.process, said), token, clock)?,
            worker,
            bytes_least: options.spread_bytes_least,
            threads: inner.options.threads.max(1),
        })
    }

    /// The plan for several nodes; `None` where it stays on this one: nothing in it is worth it, or
    /// nobody else is there.
    ///
    /// # Errors
    /// A plan that can't be put together, which is a fault.
    pub(crate) async fn spread(
        &self,
        state: &SessionState,
        plan: &Arc<dyn ExecutionPlan>,
    ) -> Result<Option<Spread>> {
        // Nobody is asked for what stays here anyway.
        if !cut::has_large_scan(plan, self.bytes_least) {
            return Ok(None);
        }
        let others = self.known.others().await;
        if others.is_empty() {
            return Ok(None);
        }
        let mut nodes = vec![Node::here(self.known.process())];
        nodes.extend(others);
        let context = state.task_ctx();
        let cutter = Cutter {
            nodes: &nodes,
            threads: self.threads,
            bytes_least: self.bytes_least,
            state,
            context: &context,
        };
        let Some(plan) = cutter.cut(plan)? else {
            return Ok(None);
        };
        let errand = Arc::new(Errand::new(nodes, self.worker.clone()));
        let (plan, context) = finish::finish(state, plan, &errand).await?;
        Ok(Some(Spread {
            plan,
            context,
            errand,
        }))
    }

    /// Notes that nodes didn't do their part, so that the next queries go without them.
    pub(crate) fn note(&self, errand: &Errand) {
        for address in errand.away() {
            self.known.away(address);
        }
    }
}

/// What a file's entry in a plan says of its table, as DataFusion carries it along.
#[derive(Debug, Clone)]
pub(crate) struct Divisible {
    /// The bytes that the scan reads of it, about.
    pub(crate) bytes: u64,
    /// Where reading is counted.
    pub(crate) count: Arc<crate::table::ScanCount>,
}

#[cfg(test)]
mod tests;
