//! The log of one table, as its writer holds it: where it is, and how to take it one version on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use delta_kernel::snapshot::{Snapshot as KernelSnapshot, SnapshotRef};
use uuid::Uuid;

use crate::commit::actions::{self, Actions};
use crate::commit::kernel::{self, Engine, translate};
use crate::commit::put::Payload;
use crate::commit::table_state::{TableState, check_positions};
use crate::commit::{app, create};
use crate::error::{Error, Result};
use crate::lake::Lake;
use crate::layout;
use crate::partition::Partitioning;
use crate::path::TablePath;
use crate::record::{Position, TopicId};

/// Beyond this age what we know of the log may have been cleaned away below us (P10).
const STALE: Duration = Duration::from_hours(1);

/// The cuts that this writer remembers as committed, so that committing one again is harmless.
const REMEMBERED: usize = 16;

/// One table's log. Synchronous: call it from a thread of its own or `spawn_blocking`.
pub struct TableLog {
    pub(super) lake: Lake,
    pub(super) table: TablePath,
    pub(super) engine: Engine,
    pub(super) base: SnapshotRef,
    pub(super) state: TableState,
    /// Fixed since the table was made.
    partitioning: Arc<Partitioning>,
    /// When the newest version was last known, on the monotonic clock.
    pub(super) based_at: Duration,
    /// The payload of a cut whose outcome nobody knows (P9).
    pub(super) unsettled: Option<Payload>,
    /// Cuts found in the history, ours among them.
    settled: VecDeque<(Uuid, u64)>,
}

impl TableLog {
    /// Opens the table's log; `None` when there is no such table.
    ///
    /// # Errors
    /// `Data` for a table that Eddy can't write to (P22); `Unavailable`.
    pub fn open(lake: &Lake, table: &TablePath) -> Result<Option<Self>> {
        let engine = kernel::engine(lake);
        let based_at = lake.clock().monotonic();
        let Some(base) = kernel::load(lake, &engine, table, None)? else {
            return Ok(None);
        };
        let state = TableState::load(&engine, &base, table)?;
        let partitioning = state.metadata.partitioning(table)?;
        Ok(Some(Self {
            lake: lake.clone(),
            table: table.clone(),
            engine,
            base,
            state,
            partitioning: Arc::new(partitioning),
            based_at,
            unsettled: None,
            settled: VecDeque::new(),
        }))
    }

    /// Opens the table's log for `owner`, the connector's name, and makes the table with the
    /// columns of `schema` when there is none. Of two that make it at once, both open the same.
    ///
    /// # Errors
    /// `Invalid` when another connector owns the table (P2), or when it was made with another
    /// partitioning or (`foreign`) layout, which is fixed then; else as [`TableLog::open`].
    pub fn create_or_open(
        lake: &Lake,
        table: &TablePath,
        schema: &Schema,
        partitioning: &Partitioning,
        foreign: bool,
        owner: &str,
    ) -> Result<Self> {
        let log = match Self::open(lake, table)? {
            Some(log) => log,
            None => {
                create::create(lake, table, schema, partitioning, foreign, owner)?;
                Self::open(lake, table)?.ok_or_else(|| {
                    Error::unavailable(format!(
                        "table `{}` was made, but the store doesn't list it yet",
                        table.topic()
                    ))
                })?
            }
        };
        match log.state.ledger.owner {
            Some(number) if number == app::owner_number(owner) => {
                log.check_layout(foreign)?;
                log.check_partitioning(partitioning)?;
                Ok(log)
            }
            Some(number) => Err(Error::invalid(format!(
                "table `{}` belongs to the connector `{}`, and `{owner}` may not write to it: two \
                 owners would record the topic twice; use that name or another `topics.dir`",
                table.topic(),
                create::owner_name(lake, number)?
            ))),
            None => Err(Error::invalid(format!(
                "table `{}` was not made by Eddy; use another `topics.dir`",
                table.topic()
            ))),
        }
    }

    /// Reads what others committed meanwhile.
    ///
    /// # Errors
    /// `Data` when someone changed the table in a way that Eddy can't go on with (P22);
    /// `Unavailable`.
    pub fn refresh(&mut self) -> Result<()> {
        let based_at = self.lake.clock().monotonic();
        if self.is_stale(self.based_at) {
            // What we hold may lie below a cleaned log, and a commit file that follows it may be
            // one that nobody else can see: start from what there is (P10).
            let base = kernel::load(&self.lake, &self.engine, &self.table, None)?;
            let base = base.ok_or_else(|| self.gone())?;
            let whole = TableState::load(&self.engine, &base, &self.table)?;
            check_positions(&self.state.positions, &whole.positions, &self.table)?;
            (self.base, self.state) = (base, whole);
        } else {
            let base = KernelSnapshot::builder_from(Arc::clone(&self.base))
                .build(&self.engine)
                .map_err(|error| translate(error, &self.table))?;
            self.advance_to(base)?;
        }
        self.based_at = based_at;
        Ok(())
    }

    /// The table's topic.
    pub(crate) fn topic(&self) -> &str {
        self.table.topic()
    }

    /// The newest version that this log knows.
    pub fn version(&self) -> u64 {
        self.state.version
    }

    /// The table's columns with their identities, without the partition columns.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.state.schema)
    }

    /// How the table's files are partitioned.
    pub fn partitioning(&self) -> &Arc<Partitioning> {
        &self.partitioning
    }

    /// Whether the table's files are called as another sink would call them.
    pub fn is_foreign(&self) -> bool {
        let property = self.state.metadata.configuration.get(layout::PROPERTY);
        property.is_some_and(|layout| layout == layout::FOREIGN)
    }

    /// The id of the key with which the table's files are written; `None`: in plain.
    pub fn key_id(&self) -> Option<&str> {
        self.state.metadata.key_id()
    }

    fn check_layout(&self, foreign: bool) -> Result<()> {
        if self.is_foreign() == foreign {
            return Ok(());
        }
        let (has, asked) = match foreign {
            true => ("Eddy's own layout", "another sink's"),
            false => ("another sink's layout", "Eddy's own"),
        };
        Err(Error::invalid(format!(
            "table `{}` has {has}, and {asked} was asked for: a table's layout is fixed when it is \
             made; use another `topics.dir`",
            self.table.topic()
        )))
    }

    fn check_partitioning(&self, asked: &Partitioning) -> Result<()> {
        if *self.partitioning == *asked {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "table `{}` is partitioned by {}, and {asked} was asked for: a table's partitioning is \
             fixed when it is made; ask for what it has, or use another `topics.dir`",
            self.table.topic(),
            self.partitioning
        )))
    }

    /// The position of one partition, as of the last refresh or commit.
    pub fn position(&self, topic_id: &TopicId, partition: i32) -> Option<Position> {
        let key = (topic_id.clone(), partition);
        self.state.positions.get(&key).copied()
    }

    /// All positions of the table, as of the last refresh or commit.
    pub fn positions(&self) -> &BTreeMap<(TopicId, i32), Position> {
        &self.state.positions
    }

    /// Brings the state to `base`, commit by commit, so that the ids on the way are seen.
    pub(super) fn advance_to(&mut self, base: SnapshotRef) -> Result<()> {
        let mut state = self.state.clone();
        while state.version < base.version() {
            match actions::read(&self.lake, &self.table, state.version + 1)? {
                Some(bytes) => {
                    let actions = Actions::parse(&bytes)?;
                    state.advance(&actions, &self.table)?;
                    if let Some(id) = actions.id {
                        self.remember(id, state.version);
                    }
                }
                None => {
                    // Cleaned away: only the whole can be compared.
                    let whole = TableState::load(&self.engine, &base, &self.table)?;
                    check_positions(&self.state.positions, &whole.positions, &self.table)?;
                    state = whole;
                }
            }
        }
        (self.base, self.state) = (base, state);
        Ok(())
    }

    pub(super) fn gone(&self) -> Error {
        Error::data(format!(
            "table `{}` is gone from the lake",
            self.table.topic()
        ))
    }

    pub(super) fn is_stale(&self, based_at: Duration) -> bool {
        self.lake.clock().monotonic().saturating_sub(based_at) > STALE
    }

    pub(super) fn find(&self, id: Uuid) -> Option<u64> {
        let settled = self.settled.iter().find(|(settled, _)| *settled == id);
        settled.map(|(_, version)| *version)
    }

    pub(super) fn remember(&mut self, id: Uuid, version: u64) {
        if self.settled.len() >= REMEMBERED {
            self.settled.pop_front();
        }
        self.settled.push_back((id, version));
    }
}
