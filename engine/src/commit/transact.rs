//! How a cut becomes the next version.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use delta_kernel::engine::arrow_conversion::TryIntoKernel;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::schema::StructType;
use delta_kernel::snapshot::Snapshot as KernelSnapshot;
use delta_kernel::transaction::{CommitResult, UpdateTableOperation};
use uuid::Uuid;

use crate::commit::actions::{self, Actions};
use crate::commit::app;
use crate::commit::committer::{LogCommitter, Sent};
use crate::commit::cut::{Committed, Cut, Move};
use crate::commit::kernel::{self, translate};
use crate::commit::log::TableLog;
use crate::commit::put::{self, Outcome, Payload};
use crate::commit::table_state::TableState;
use crate::error::{Error, Result};
use crate::fault;
use crate::record::Position;

/// How often a lost race is tried again within one call.
pub(super) const RACES: u32 = 200;

impl TableLog {
    /// Makes `cut` the next version (P6). Calling again with the same cut is safe, and is what to
    /// do after `Unavailable`: whatever became of the first attempt is found out (P9).
    ///
    /// # Errors
    /// `Fenced` when a position is not where the cut expects it (P8): drop what is buffered and
    /// read again from the table's position; or a file that the cut removes is no longer what it
    /// was (P15): plan anew. `Unavailable` when the outcome isn't settled.
    /// `Invalid`, `Data` and `Internal` for cuts and tables that no retry helps.
    pub fn commit(&mut self, cut: &Cut) -> Result<Committed> {
        if let Some(version) = self.find(cut.id) {
            return Ok(Committed { version });
        }
        let unsettled = self.unsettled.take_if(|payload| payload.id == cut.id);
        if let Some(payload) = unsettled
            && let Some(committed) = self.settle(cut, payload)?
        {
            return Ok(committed);
        }
        // Each time: who couldn't be reached for long may have lost files to a sweep (P14).
        cut.check(self.lake.clock().now_us() / 1_000)?;
        let mut checked = cut.rewrite.as_ref().map_or(0, |rewrite| rewrite.planned_at);
        for race in 0..RACES {
            if self.is_stale(self.based_at) || self.version() < checked {
                self.refresh()?;
            }
            self.fence(&cut.moves)?;
            if let Some(rewrite) = &cut.rewrite {
                self.still_live(rewrite, &mut checked)?;
            }
            let lines = actions::file_lines(cut, self.lake.clock().now_us() / 1_000);
            match self.send(cut.id, cut.operation, &cut.moves, lines)? {
                (payload, Outcome::Ours) => return self.acknowledge(cut, &payload),
                (_, Outcome::Other) => {
                    self.refresh()?;
                    if let Some(version) = self.find(cut.id) {
                        return Ok(Committed { version });
                    }
                    self.step_aside(race);
                }
                (payload, Outcome::Unsettled(error)) => {
                    self.unsettled = Some(payload);
                    return Err(error);
                }
            }
        }
        Err(Error::unavailable(format!(
            "other writers took every version of table `{}` that this commit tried",
            self.table.topic()
        )))
    }

    /// Sends the bytes of an earlier call again, and only those (P9). `None`: another payload has
    /// the version, so a new plan may be made.
    fn settle(&mut self, cut: &Cut, payload: Payload) -> Result<Option<Committed>> {
        let outcome = match put::occupant(&self.lake, &self.table, &payload) {
            Ok(Some(outcome)) => outcome,
            Ok(None) => {
                // By then it isn't on its way any more, and its files may be gone.
                cut.check(self.lake.clock().now_us() / 1_000)?;
                put::put(&self.lake, &self.table, &payload)
            }
            Err(error) => Outcome::Unsettled(error),
        };
        match outcome {
            Outcome::Ours => {
                self.refresh_to(&payload)?;
                self.acknowledge(cut, &payload).map(Some)
            }
            Outcome::Other => {
                self.refresh()?;
                Ok(self.find(cut.id).map(|version| Committed { version }))
            }
            Outcome::Unsettled(error) => {
                self.unsettled = Some(payload);
                Err(error)
            }
        }
    }

    /// A settled payload is in the store, but if reading the log fails now, it must not be
    /// forgotten that it is.
    fn refresh_to(&mut self, payload: &Payload) -> Result<()> {
        self.refresh()
            .inspect_err(|_| self.unsettled = Some(payload.clone()))
    }

    /// The payload has the version. Unless too much time passed since we last knew the log, that
    /// makes it part of the table.
    fn acknowledge(&mut self, cut: &Cut, payload: &Payload) -> Result<Committed> {
        if self.is_stale(payload.based_at) {
            self.find_after_pause(cut, payload)?;
        }
        self.remember(cut.id, payload.version);
        fault::point("after_commit");
        Ok(Committed {
            version: payload.version,
        })
    }

    /// P10: a put can succeed on a version that others had long taken and cleaned away, below a
    /// checkpoint that doesn't know it. Only what a fresh look at the log shows is acknowledged.
    fn find_after_pause(&mut self, cut: &Cut, payload: &Payload) -> Result<()> {
        let fresh = kernel::load(&self.lake, &self.engine, &self.table, None)
            .inspect_err(|_| self.unsettled = Some(payload.clone()))?
            .ok_or_else(|| self.gone())?;
        let replayed = fresh
            .log_segment()
            .checkpoint_version
            .is_none_or(|checkpoint| checkpoint < payload.version);
        let state = TableState::load(&self.engine, &fresh, &self.table)?;
        let (base, now) = (fresh, self.lake.clock().monotonic());
        (self.base, self.state, self.based_at) = (base, state, now);
        if replayed {
            return Ok(());
        }
        Err(Error::fenced(format!(
            "commit `{}` came after so long a pause that table `{}` had gone on without it; read \
             again from the table's positions (P10)",
            cut.id,
            self.table.topic()
        )))
    }

    /// P8: nobody else moved what this cut moves.
    fn fence(&self, moves: &[Move]) -> Result<()> {
        for moved in moves {
            let seen = moved.from.map(|from| (from.epoch, from.offset));
            let now = self.position(&moved.topic_id, moved.partition);
            if seen != now.map(|now| (now.epoch, now.offset)) {
                return Err(Error::fenced(format!(
                    "another writer moved partition `{}` of topic `{}` in table `{}`: expected \
                     {}, found {}",
                    moved.partition,
                    moved.topic_id,
                    self.table.topic(),
                    describe(moved.from),
                    describe(now)
                )));
            }
        }
        Ok(())
    }

    /// Composes the version after the base and puts it.
    pub(super) fn send(
        &mut self,
        id: Uuid,
        operation: &str,
        moves: &[Move],
        lines: Vec<u8>,
    ) -> Result<(Payload, Outcome)> {
        let sent = Sent::default();
        let now = self.lake.clock().monotonic();
        let committer = LogCommitter {
            lake: self.lake.clone(),
            table: self.table.clone(),
            id,
            lines,
            based_at: self.based_at,
            sent: sent.clone(),
        };
        let (info, info_schema) = commit_info(id, operation, moves)?;
        let mut transaction = Arc::clone(&self.base)
            .update_table(UpdateTableOperation::StreamingUpdate, super::ENGINE, true)
            .build(&self.engine, Box::new(committer))
            .map_err(|error| translate(error, &self.table))?
            .with_commit_info(info, info_schema);
        for (app_id, version) in txns(moves, id) {
            transaction = transaction.with_transaction_id(app_id, version);
        }
        let result = transaction.commit(&self.engine);
        let Some((payload, outcome)) = sent.take() else {
            // The kernel refused before anything was put.
            return Err(match result {
                Err(error) => translate(error, &self.table),
                Ok(_) => Error::internal("the kernel committed without its committer"),
            });
        };
        if matches!(outcome, Outcome::Ours) {
            self.adopt(&payload, result.ok()).inspect_err(|_| {
                self.unsettled = Some(payload.clone());
            })?;
            self.based_at = now;
        }
        Ok((payload, outcome))
    }

    /// Takes our own commit into what we know, without reading anything back.
    fn adopt(&mut self, payload: &Payload, result: Option<CommitResult>) -> Result<()> {
        let actions = Actions::parse(&payload.bytes)?;
        let next = match result {
            // The kernel doesn't see the metadata among our own lines.
            Some(CommitResult::Committed(done)) if actions.metadata.is_none() => {
                done.post_commit_snapshot().cloned()
            }
            _ => None,
        };
        self.base = match next {
            Some(next) => next,
            None => KernelSnapshot::builder_from(Arc::clone(&self.base))
                .at_version(payload.version)
                .build(&self.engine)
                .map_err(|error| translate(error, &self.table))?,
        };
        self.state.advance(&actions, &self.table)
    }

    /// Lets the winner of a race go on, for a random while that grows with each loss.
    pub(super) fn step_aside(&self, race: u32) {
        let random = u64::from(self.lake.clock().new_id().as_u128() as u8);
        let most_ms = u64::from(race.min(9) + 1) * 10;
        self.lake
            .clock()
            .block(Duration::from_millis(random * most_ms / 255));
    }
}

fn describe(position: Option<Position>) -> String {
    position.map_or_else(
        || "no position".to_owned(),
        |position| format!("offset `{}` of epoch `{}`", position.offset, position.epoch),
    )
}

fn txns(moves: &[Move], id: Uuid) -> Vec<(String, i64)> {
    let mut txns = Vec::new();
    for moved in moves {
        let (topic_id, partition, target) = (&moved.topic_id, moved.partition, moved.target());
        txns.push((app::offset(topic_id, partition), target.offset));
        if moved.from.is_none() || moved.raise {
            txns.push((app::epoch(topic_id, partition), target.epoch));
        }
        if moved.altered {
            let record = app::record_number(id);
            txns.push((app::altered(topic_id, partition), record));
        }
        if target.leader_epoch != moved.from.and_then(|from| from.leader_epoch) {
            let leader = target.leader_epoch.map_or(app::NO_LEADER, i64::from);
            txns.push((app::leader(topic_id, partition), leader));
        }
    }
    txns
}

type CommitInfo = (
    Box<dyn delta_kernel::EngineData>,
    delta_kernel::schema::SchemaRef,
);

/// Our fields of `commitInfo`: the payload's id (P9), and the ranges for whoever reads the history.
fn commit_info(id: Uuid, operation: &str, moves: &[Move]) -> Result<CommitInfo> {
    let names = [actions::ID, actions::OPERATION, actions::MOVES];
    let values = [
        id.to_string(),
        operation.to_owned(),
        actions::moves_text(moves),
    ];
    let fields = names.map(|name| Field::new(name, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let arrays = values.map(|value| Arc::new(StringArray::from(vec![value])) as _);
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays.to_vec())?;
    let kernel_schema: StructType = schema.as_ref().try_into_kernel()?;
    Ok((
        Box::new(ArrowEngineData::new(batch)),
        Arc::new(kernel_schema),
    ))
}
