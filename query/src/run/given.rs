//! A table that a query doesn't look up, since its caller has it: the same view with some of its
//! files, or with the addresses of its rows.

use std::sync::Arc;

use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::physical_plan::ExecutionPlan;

use super::batches::fitted;
use super::bind::{Bound, bind};
use super::halt::Halt;
use super::physical::physical;
use super::prepare::plan;
use super::registry::Seen;
use crate::error::Result;
use crate::query::Inner;
use crate::statement::parse_select;
use crate::table::TopicTable;

/// The table, and how it is read.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// Its name in the tree.
    pub(crate) name: String,
    /// The table.
    pub(crate) table: TopicTable,
    /// In which order its rows come.
    pub(crate) order: Order,
}

/// In which order a plan reads the rows of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As is fastest.
    Any,
    /// Those of each file as they lie in it, in one of the plan's partitions.
    InFiles,
    /// Those of all files as they lie, in the plan's only partition.
    Lying,
}

/// The plan of a `SELECT` over a table that is given.
pub(crate) async fn planned(
    inner: &Arc<Inner>,
    text: &str,
    given: Given,
    halt: Option<&Arc<Halt>>,
) -> Result<(Bound, Arc<dyn ExecutionPlan>)> {
    let seen = Seen {
        halt: halt.map(Arc::clone),
        given: Some(given),
        ..Seen::default()
    };
    let mut query = parse_select(text)?;
    let mut bound = bind(inner, &mut query, &seen).await?;
    let plan = plan(&bound.state, query).await?;
    bound.state = fitted(bound.state, &plan)?;
    let plan = physical(&bound.state, &plan).await?;
    Ok((bound, plan))
}

/// The session with plans that keep to the order.
pub(super) fn keeping(state: SessionState, order: Order) -> SessionState {
    if order == Order::Any {
        return state;
    }
    let mut config = state.config().clone();
    let settings = config.options_mut();
    settings.optimizer.repartition_file_scans = false;
    settings.optimizer.enable_round_robin_repartition = false;
    if order == Order::Lying {
        settings.execution.target_partitions = 1;
    }
    SessionStateBuilder::new_from_existing(state)
        .with_config(config)
        .build()
}
